/*
 * What the files of the live Linux source share.
 * Layer: source. Each function returns 0 or more, or an error of vmmap/err.h; VMM_E_GONE when the process has ended.
 */
#ifndef VMM_SOURCE_LINUX_H
#define VMM_SOURCE_LINUX_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "format/proc_text.h"
#include "model/build.h"
#include "model/target.h"
#include "source/linux_saved.h"

struct linux_target {
	struct vmm_target base;
	int32_t pid;
	int dir_fd;     /* /proc/PID: stays with this process also when its PID is used again */
	int pid_fd;     /* -1 on kernels before 5.3 */
	int mem_fd;     /* opened when first needed; -2: refused */
	int pagemap_fd; /* the same */
	int os_pagemap; /* why pagemap was refused */
	bool no_scan;   /* the kernel lacks PAGEMAP_SCAN */
	bool no_vm_readv;
	bool ended;       /* its memory was gone when it was read; it may go on ending for a while */
	uint8_t bits;   /* 32, 64, 0 when unknown */
	uint32_t page_size;
	struct vmm_page_region_buffer *scan; /* scratch of linux_pages.c */
	struct linux_stop *stop; /* while it is stopped; of linux_stop.c */
	/* What was kept of its files, by a source that has no process: then no descriptor is open and nothing of this
	   machine says anything about the target. NULL: the process itself is read. */
	const struct linux_saved *saved;
};

/* A whole small file. */
struct linux_text {
	char *bytes; /* free() */
	size_t length;
};

/* Maps an errno of a /proc file of the target to a code: ESRCH and ENOENT are VMM_E_GONE, EACCES and EPERM VMM_E_DENIED. */
int linux_code(int os);
/* Reads a file below dir_fd (or a path when dir_fd is AT_FDCWD) up to limit bytes; grows as needed. */
int linux_read_file(int dir_fd, const char *path, size_t limit, struct linux_text *ret, struct vmm_err *err);
void linux_text_done(struct linux_text *t);
/* Takes one piece of a file; a negative result stops the reading. */
typedef int (*linux_chunk_fn)(void *arg, const char *bytes, size_t length);
/* Feeds a whole file to fn, in order; fn runs in the calling thread. 0, an error of reading, or what fn returned. */
int linux_read_chunks(int fd, linux_chunk_fn fn, void *arg);
/* linux_saved.c: a file below /proc/PID, and one below /proc; as they were saved where the target is not live. */
int linux_target_file(const struct linux_target *t, const char *name, size_t limit, struct linux_text *ret, struct vmm_err *err);
int linux_machine_file(const struct linux_target *t, const char *name, size_t limit, struct linux_text *ret, struct vmm_err *err);
/* linux_read_chunks() of a file below /proc/PID. */
int linux_target_chunks(const struct linux_target *t, const char *name, linux_chunk_fn fn, void *arg, struct vmm_err *err);
/* True while the process exists and is not a zombie's empty shell; decided by the pidfd where there is one. */
bool linux_alive(const struct linux_target *t);

/* linux_info.c: who the target is, its limits, its counters. */
int linux_fill_identity(struct linux_target *t, struct vmm_snapshot *s, struct vmm_err *err);
int linux_fill_status(struct linux_target *t, struct vmm_snapshot *s, struct vmm_err *err);
void linux_fill_limits(struct linux_target *t, struct vmm_snapshot *s);

/*
 * The arguments of a process joined by spaces, at most limit bytes of them, and its path in the memory hierarchy of
 * cgroups: "" when it is not told, NULL when memory is out.
 */
const char *linux_cmdline(const struct linux_target *t, size_t limit, struct vmm_arena *arena);
const char *linux_cgroup(const struct linux_target *t, struct vmm_arena *arena);

/* linux_find.c: whether a process carries this name: its comm, or the last part of argv[0] (comm has at most 15 bytes). */
bool linux_is_named(int dir_fd, const char *comm, size_t comm_length, const char *name);

/* linux_maps.c: mappings with the numbers of smaps. */
int linux_fill_maps(struct linux_target *t, const struct vmm_take *take, struct vmm_snapshot *s, struct vmm_err *err);
/* The op measure: smaps is read up to the mapping. */
int linux_measure(struct vmm_target *base, struct vmm_vma *v, struct vmm_err *err);
int linux_fill_numa(struct linux_target *t, struct vmm_snapshot *s, struct vmm_err *err);
/* The numbers of one smaps record; also used for smaps_rollup. */
void linux_smaps_metrics(const struct vmm_smaps_record *r, struct vmm_metrics *ret);

/* The number in a file below /proc; 0 also when it is not told. t may be NULL: this machine's. */
uint64_t linux_number(const struct linux_target *t, const char *name);

/* linux_space.c: borders of the user address space, and how many mappings of vm.max_map_count are used. */
void linux_fill_space(struct linux_target *t, struct vmm_snapshot *s);

/* linux_backing.c: what stands behind each mapping; real names of deleted and oddly named files. */
int linux_fill_backing(struct linux_target *t, struct vmm_snapshot *s, struct vmm_err *err);
int linux_open_file(struct vmm_target *base, const struct vmm_vma *vma, struct vmm_err *err);

/* linux_pages.c and linux_memory.c: the ops. */
int linux_pages(struct vmm_target *base, uint64_t start, uint64_t end, uint32_t flags, vmm_page_fn fn, void *arg,
                struct vmm_err *err);
int64_t linux_read(struct vmm_target *base, uint64_t address, void *ret_bytes, size_t length, struct vmm_err *err);

/* linux_offline.c: the same of saved files. Class of the program (0: not told), size of a page, clock ticks a second (0). */
uint8_t linux_saved_bits(const struct linux_target *t);
uint32_t linux_saved_page_size(const struct linux_target *t);
long linux_saved_ticks(const struct linux_target *t);
/* Name, state, program and architecture; a string is NULL when memory is out. */
void linux_saved_identity(struct linux_target *t, struct vmm_snapshot *s);
/* Where the user address space ends when the architecture is not told: by its highest mapping below the kernel's half. */
uint64_t linux_saved_user_end(const struct vmm_snapshot *s, uint64_t high);

/* linux_stop.c: the ops. */
int linux_stop(struct vmm_target *base, struct vmm_err *err);
void linux_resume(struct vmm_target *base, struct vmm_pause *ret);
/* The same as linux_stop() with another limit to the length of the pause. */
int linux_stop_limited(struct linux_target *t, uint64_t limit_ns, struct vmm_err *err);
/* The state letter of a thread as it was before we stopped it; now is what /proc says. */
char linux_stop_state(const struct linux_target *t, int32_t tid, char now);
/* Notes that not all of the target stands still, where that is so. */
void linux_stop_note(const struct linux_target *t, struct vmm_snapshot *s);

/* linux_threads.c */
int linux_fill_threads(struct linux_target *t, struct vmm_snapshot *s, struct vmm_err *err);

#endif
