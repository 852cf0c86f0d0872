/*
 * Targets: finding, opening and reading what is looked at.
 *
 * A struct vmm_target owns descriptors and is used by one thread at a time. Snapshots outlive it.
 */
#ifndef VMMAP_TARGET_H
#define VMMAP_TARGET_H

#include "vmmap/err.h"
#include "vmmap/snapshot.h"

struct vmm_target;

/* What a snapshot shall hold; every column says what it needs. Listed from cheap to dear. */
enum vmm_need {
	VMM_NEED_MAPS = 1 << 0,    /* always read */
	VMM_NEED_SMAPS = 1 << 1,   /* numbers of smaps and VmFlags */
	VMM_NEED_PAGES = 1 << 2,   /* rss and swap from the page map where smaps is not read; shares of blocks */
	VMM_NEED_THREADS = 1 << 3, /* threads and their stacks */
	VMM_NEED_IMAGES = 1 << 4,  /* ELF objects, sections, build-ids */
	VMM_NEED_NUMA = 1 << 5,    /* numa_maps */
	VMM_NEED_EXTRA = 1 << 6,   /* keep smaps fields that have no column */
	VMM_NEED_HEAPS = 1 << 7,   /* walk allocators */
	VMM_NEED_DEFAULT = VMM_NEED_MAPS | VMM_NEED_SMAPS | VMM_NEED_PAGES | VMM_NEED_THREADS | VMM_NEED_IMAGES,
	VMM_NEED_FAST = VMM_NEED_MAPS | VMM_NEED_PAGES | VMM_NEED_THREADS | VMM_NEED_IMAGES,
};

struct vmm_take {
	uint32_t needs;
	/* Called now and then while a read goes on; elapsed in nanoseconds. May be NULL. */
	void (*progress)(void *arg, const char *what, uint64_t done_bytes, uint64_t elapsed_ns);
	void *progress_arg;
};

/* Where files of a target that does not run here are looked for. Members may be NULL; strings live until the close. */
struct vmm_open {
	const char *sysroot;    /* folder below which the target's paths are looked up first */
	const char *debug_dirs; /* folders that hold .build-id/, separated by colons; NULL: /usr/lib/debug */
};

/*
 * Opens a target named as on the command line: a PID, the name of a running process, or a file that one of the
 * sources knows. VMM_E_NO_TARGET: nothing fits. VMM_E_AMBIGUOUS: several processes do, err->text lists them.
 * VMM_E_DENIED: it may not be read. how may be NULL.
 */
int vmm_target_open(const char *name, struct vmm_target **ret_target, struct vmm_err *err);
int vmm_target_open_with(const char *name, const struct vmm_open *how, struct vmm_target **ret_target, struct vmm_err *err);
int vmm_target_open_pid(int32_t pid, struct vmm_target **ret_target, struct vmm_err *err);
void vmm_target_close(struct vmm_target *target);

/*
 * Takes one snapshot. What may not be read is unknown, with a note; a target that vanishes meanwhile gives a
 * snapshot with partial set. Fails only when nothing can be told: VMM_E_GONE, VMM_E_DENIED, VMM_E_NOMEM, VMM_E_IO.
 * *ret_snapshot belongs to the caller: vmm_snapshot_destroy().
 */
int vmm_target_snapshot(struct vmm_target *target, const struct vmm_take *take, struct vmm_snapshot **ret_snapshot,
                        struct vmm_err *err);

/* How a target was stopped; all 0 when it was not. */
struct vmm_pause {
	uint64_t stopped_ns; /* from asking the first thread to stop until the last was let go; 0: no thread was there */
	uint32_t threads;    /* that stood still */
	uint32_t running;    /* that could not be stopped: they wait in the kernel */
	bool cut;            /* the target was let go before vmm_target_resume(), because a minute had passed */
	bool complete;       /* every thread stood still all the time */
};

/*
 * Stops all threads of the target until vmm_target_resume() or vmm_target_close(), so that snapshots and reads see one
 * moment. Blocks for as long as that takes: milliseconds, some seconds at worst. What waits in the kernel and does not
 * stop goes on as it was, and each snapshot taken meanwhile has a note of it; a target without a thread that could run
 * (a zombie) counts as stopped. It is let go whatever becomes of the caller, also when that is killed.
 * The target notices: system calls such as epoll_wait(), semop() and sigwaitinfo() return EINTR. The caller gets SIGCHLD
 * for each stop, which is ignored unless it has a handler.
 * Do not write meanwhile to what the target may have to read. Nothing happens when it is stopped already.
 * VMM_E_DENIED: not permitted, traced by another process, or the caller itself; VMM_E_UNSUPPORTED: it does not run;
 * VMM_E_GONE; VMM_E_NOMEM; VMM_E_IO.
 */
int vmm_target_stop(struct vmm_target *target, struct vmm_err *err);
/* Whether it is a process, which changes and can be stopped; false for what stands in a file. */
bool vmm_target_runs(const struct vmm_target *target);
bool vmm_target_is_stopped(const struct vmm_target *target);
/* Lets it go on; nothing happens when it is not stopped. ret_pause may be NULL. */
void vmm_target_resume(struct vmm_target *target, struct vmm_pause *ret_pause);

/* One process in a listing. Numbers as in vmm_metrics; mappings counts lines of maps. */
struct vmm_process {
	int32_t pid, ppid;
	int64_t uid; /* -1 when unknown */
	const char *name, *cmdline, *cgroup;
	char state;
	bool kernel_thread;
	struct vmm_metrics m;
	bool mappings_known;
	uint64_t mappings;
	bool threads_known;
	uint64_t threads;
	const char *missing; /* why a number is unknown; "" when none is */
};

struct vmm_process_list {
	struct vmm_arena *arena;
	struct vmm_process *processes;
	uint32_t count;
	uint32_t denied;         /* processes of which some number may not be read */
	bool max_map_count_known;
	uint64_t max_map_count;  /* vm.max_map_count */
};

/* What vmm_process_list_read shall find out beyond /proc/PID/status. */
enum vmm_process_need {
	VMM_PROCESS_ROLLUP = 1 << 0,    /* pss, uss from smaps_rollup */
	VMM_PROCESS_MAPPINGS = 1 << 1,  /* number of mappings, from maps */
	VMM_PROCESS_COMMITTED = 1 << 2, /* committed and private, from smaps: as dear as a snapshot */
	VMM_PROCESS_CGROUP = 1 << 3,
	VMM_PROCESS_CMDLINE = 1 << 4,
};

/* Lists the processes of this machine's /proc. A process that ends meanwhile is left out. */
int vmm_process_list_read(uint32_t needs, struct vmm_process_list **ret_list, struct vmm_err *err);
void vmm_process_list_destroy(struct vmm_process_list *list);

#endif
