/*
 * Which processes run, and what one holds at a glance: for who follows them over time.
 *
 * Reads /proc/PID alone, never a process's memory. Any thread may call it.
 */
#ifndef VMMAP_PROCESSES_H
#define VMMAP_PROCESSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmmap/err.h"

/* A process for as long as the machine runs: PIDs are used again, but not with the same start. */
struct vmm_process_id {
	int32_t pid;
	uint64_t started; /* clock ticks after boot */
};

#define VMM_GLANCE_NAME 64
/* What costs some microseconds to know. */
struct vmm_glance {
	struct vmm_process_id id;
	int32_t ppid;
	char state;            /* letter of /proc/PID/stat; Z and X: it has ended */
	bool kernel_thread;
	bool known;            /* the three below: not so of what has no memory */
	uint64_t size, rss;    /* bytes: VmSize, and VmRSS as far as the kernel has counted it (hugetlb is not in it) */
	uint64_t data;         /* bytes of private writable address space, stacks too: what an allocator took grows it at once */
	char name[VMM_GLANCE_NAME]; /* comm, raw bytes */
};

/* VMM_E_GONE: no such process; VMM_E_DENIED (hidepid), VMM_E_NOMEM, VMM_E_IO. */
int vmm_process_glance(int32_t pid, struct vmm_glance *ret, struct vmm_err *err);
/* The same of a process that is known: false when it has ended, another has its PID, or it cannot be looked at. */
bool vmm_process_runs(const struct vmm_process_id *id, struct vmm_glance *ret);

/* Who is wanted: a process counts once, however many of these it fits. Kernel threads and ended processes are never found. */
struct vmm_process_pick {
	const char *const *names; /* of the program, as vmm_target_open() takes them */
	size_t name_count;
	const struct vmm_process_id *ids;
	size_t id_count;
	const char *cgroup;       /* as vmm_cgroup_path() gives it; all groups below it too. NULL: none */
	bool descendants;         /* and all processes that these have started, as far as their parents still run */
};

/*
 * Those who run now, by rising PID; but for the caller itself. *ret_ids is the caller's: free(). None is no error.
 * VMM_E_NOMEM, VMM_E_IO.
 */
int vmm_processes_find(const struct vmm_process_pick *pick, struct vmm_process_id **ret_ids, size_t *ret_count, struct vmm_err *err);

/*
 * The path in the memory hierarchy of cgroups that name means: a PID (the group it is in), a folder below
 * /sys/fs/cgroup, or the path as /proc/PID/cgroup has it. *ret_path is the caller's: free(). VMM_E_NO_TARGET, VMM_E_NOMEM.
 */
int vmm_cgroup_path(const char *name, char **ret_path, struct vmm_err *err);

#endif
