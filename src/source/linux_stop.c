/*
 * The pause of a live target.
 *
 * A thread of its own does the tracing: ptrace wants every request from the thread that attached, while a target may
 * be used by one thread after the other; threads that cannot be stopped can only be let go by the tracer's end; and the
 * pause ends on time also when the reader hangs, as it would on a file system that the stopped process serves.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "source/linux.h"
#include "source/linux_trace.h"

#define UNBLOCK_NS UINT64_C(20000000) /* how long attaching may take before somebody looks whether it waits */
#define PAUSE_NS UINT64_C(60000000000) /* no pause is longer */

struct linux_stop {
	struct linux_trace trace; /* the tracer's; once it has answered its threads do not move and tid and was do not change */
	uint64_t limit_ns;
	pthread_t thread;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t changed;
	bool answered; /* rc and err tell how the stopping went */
	bool let_go;   /* asked of the tracer */
	bool cut;      /* it let go by itself, since limit_ns had passed */
	uint32_t stopped, late; /* threads, when all had been tried */
	int rc;
	struct vmm_err err;
};

/* Waits until it shall let go, or must. */
static void hold(struct linux_stop *p)
{
	uint64_t end_ns = vmm_now_ns() + p->limit_ns;
	struct timespec end = {.tv_sec = (time_t)(end_ns / 1000000000), .tv_nsec = (long)(end_ns % 1000000000)};

	while (!p->let_go && !p->cut)
		p->cut = pthread_cond_timedwait(&p->changed, &p->lock, &end) == ETIMEDOUT;
}

/*
 * Every thread that is let go is as hungry as the tracer, and hundreds of them would take turns with it before the last
 * one is let go: measured 300 ms instead of 4 ms. Only root and CAP_SYS_NICE get this.
 */
static void hurry(void)
{
	struct sched_param lowest = {.sched_priority = sched_get_priority_min(SCHED_FIFO)};

	pthread_setschedparam(pthread_self(), SCHED_FIFO, &lowest);
}

static void *tracer(void *arg)
{
	struct linux_stop *p = arg;
	struct vmm_err err;
	int rc;

	hurry();
	rc = linux_trace_stop(&p->trace, &err);
	pthread_mutex_lock(&p->lock);
	p->rc = rc;
	if (rc < 0)
		p->err = err;
	p->stopped = linux_trace_count(&p->trace, LINUX_TRACED_STOPPED);
	p->late = linux_trace_count(&p->trace, LINUX_TRACED_LATE);
	p->answered = true;
	pthread_cond_broadcast(&p->changed);
	if (rc >= 0)
		hold(p);
	pthread_mutex_unlock(&p->lock);
	linux_trace_release(&p->trace);
	return NULL;
}

static void stop_destroy(struct linux_stop *p)
{
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	pthread_mutex_destroy(&p->trace.lock);
	linux_trace_done(&p->trace);
	free(p);
}

/* The clock of vmm_now_ns() decides when time is up. */
static struct linux_stop *stop_create(void)
{
	struct linux_stop *p = vmm_alloc_hook(NULL, sizeof(*p));
	pthread_condattr_t attributes;

	if (!p)
		return NULL;
	memset(p, 0, sizeof(*p));
	pthread_mutex_init(&p->lock, NULL);
	pthread_mutex_init(&p->trace.lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&p->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	return p;
}

/* Handlers of the program must not run in the tracer: it takes no signal. */
static int start_tracer(struct linux_stop *p)
{
	sigset_t all, before;
	int os;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	os = pthread_create(&p->thread, NULL, tracer, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return os;
}

/* Waits until the tracer has answered. */
static void await_answer(struct linux_stop *p)
{
	while (!p->answered) {
		uint64_t next_ns = vmm_now_ns() + UNBLOCK_NS;
		struct timespec next = {.tv_sec = (time_t)(next_ns / 1000000000), .tv_nsec = (long)(next_ns % 1000000000)};

		if (pthread_cond_timedwait(&p->changed, &p->lock, &next) == ETIMEDOUT)
			linux_trace_unblock(&p->trace);
	}
}

int linux_stop_limited(struct linux_target *t, uint64_t limit_ns, struct vmm_err *err)
{
	struct linux_stop *p;
	int os, rc;

	if (t->pid == getpid())
		return vmm_fail(err, VMM_E_DENIED, EPERM, "%d: a process cannot stop itself and go on reading; do not stop it", t->pid);
	p = stop_create();
	if (!p)
		return vmm_fail_nomem(err);
	p->trace.dir_fd = t->dir_fd;
	p->trace.pid = t->pid;
	p->limit_ns = limit_ns;
	os = start_tracer(p);
	if (os) {
		stop_destroy(p);
		return vmm_fail(err, VMM_E_IO, os, "%d: no thread to stop it with: %s", t->pid, strerror(os));
	}
	pthread_mutex_lock(&p->lock);
	await_answer(p);
	rc = p->rc;
	pthread_mutex_unlock(&p->lock);
	if (rc >= 0) {
		t->stop = p;
		return 0;
	}
	pthread_join(p->thread, NULL);
	if (err)
		*err = p->err;
	stop_destroy(p);
	return rc;
}

int linux_stop(struct vmm_target *base, struct vmm_err *err)
{
	return linux_stop_limited((struct linux_target *)base, PAUSE_NS, err);
}

static void measure(const struct linux_stop *p, struct vmm_pause *ret)
{
	ret->threads = p->stopped;
	ret->running = p->late;
	ret->cut = p->cut;
	ret->complete = !p->late && !p->trace.open && !p->cut;
	/* What had no thread left to stop did not stand still for any time. */
	if (p->trace.begin_ns && ret->threads + ret->running)
		ret->stopped_ns = p->trace.end_ns - p->trace.begin_ns;
}

void linux_resume(struct vmm_target *base, struct vmm_pause *ret)
{
	struct linux_target *t = (struct linux_target *)base;
	struct linux_stop *p = t->stop;

	pthread_mutex_lock(&p->lock);
	p->let_go = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	measure(p, ret);
	stop_destroy(p);
	t->stop = NULL;
}

char linux_stop_state(const struct linux_target *t, int32_t tid, char now)
{
	const struct linux_traced *th = t->stop ? linux_trace_find(&t->stop->trace, tid) : NULL;

	return now == 't' && th && th->was != '?' ? th->was : now;
}

void linux_stop_note(const struct linux_target *t, struct vmm_snapshot *s)
{
	const struct linux_stop *p = t->stop;

	if (p && p->late)
		vmm_snapshot_note(s, "stop", "running", 0,
		                  "%u of %u threads wait in the kernel and could not be stopped: should they wake, memory changes while it "
		                  "is read",
		                  p->late, p->late + p->stopped);
	if (p && p->trace.open)
		vmm_snapshot_note(s, "stop", "threads", 0,
		                  "threads were started faster than they could be stopped: memory can change while it is read");
}
