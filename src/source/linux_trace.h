/*
 * Stopping all threads of a process with ptrace, and letting them go again.
 *
 * Layer: source. Every function must be called by the same thread: the kernel knows the thread, not the process, as
 * tracer. When that thread ends, however it ends, the kernel lets go whatever it still traces.
 */
#ifndef VMM_SOURCE_LINUX_TRACE_H
#define VMM_SOURCE_LINUX_TRACE_H

#include <pthread.h>

#include "base/base.h"
#include "vmmap/err.h"

enum linux_traced_state {
	LINUX_TRACED_SEIZED,  /* attached, still running */
	LINUX_TRACED_WAITING, /* asked to stop */
	LINUX_TRACED_STOPPED,
	LINUX_TRACED_LATE,    /* did not stop in time */
	LINUX_TRACED_GONE
};

struct linux_traced {
	int32_t tid;
	enum linux_traced_state state;
	char was;     /* its letter of /proc before it was stopped; ? when unknown */
	int signal;   /* to be delivered when it goes on; 0: none */
};

/* Zeroed, with dir_fd and pid filled in and lock initialised, before use. */
struct linux_trace {
	int dir_fd;   /* /proc/PID; borrowed */
	int32_t pid;
	struct linux_traced *threads; /* by rising tid; heap, see linux_trace_done */
	size_t count, capacity;
	uint64_t begin_ns, end_ns; /* of the monotonic clock: before the first was asked to stop, after the last was let go */
	uint64_t moved_ns;         /* when a thread last did what it was asked to */
	pthread_mutex_t lock;      /* of attaching, and of threads while it is set */
	bool attaching;            /* the tracer may wait in the kernel, and leaves threads alone */
	bool open;                 /* threads came faster than they could be stopped */
};

/*
 * Stops all threads; blocks for at most some seconds. Threads in uninterruptible sleep stay LATE; 0 also when there is
 * no thread left, or none that has memory. On failure some threads can be stopped: call linux_trace_release().
 * VMM_E_DENIED: not permitted, or another process traces it; VMM_E_GONE, VMM_E_NOMEM, VMM_E_IO.
 */
int linux_trace_stop(struct linux_trace *t, struct vmm_err *err);
/*
 * To be called now and then by another thread while linux_trace_stop() goes on. Attaching waits for an exec under way in
 * the target, which waits for the target's other threads to be gone: those that we trace, until somebody has waited for
 * them. Who attaches cannot.
 */
void linux_trace_unblock(struct linux_trace *t);
/* Lets all go that stand still. What is LATE is let go by the kernel when the calling thread ends. */
void linux_trace_release(struct linux_trace *t);
void linux_trace_done(struct linux_trace *t);
/* How many threads are in a state. */
uint32_t linux_trace_count(const struct linux_trace *t, enum linux_traced_state state);
/* The thread with this tid, or NULL. */
const struct linux_traced *linux_trace_find(const struct linux_trace *t, int32_t tid);

/* ---- linux_seize.c, for linux_trace.c ---- */

/* Attaches to every thread that is not known yet. Returns how many that were; errors as of linux_trace_stop(). */
int linux_trace_seize(struct linux_trace *t, struct vmm_err *err);
/* State letter and PF flags of a thread: 'X' when it has gone, '?' when they are not told. */
char linux_trace_state(const struct linux_trace *t, int32_t tid, uint64_t *ret_flags);
/* By tid: for qsort() and bsearch(). */
int linux_traced_compare(const void *a, const void *b);

#endif
