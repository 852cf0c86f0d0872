/*
 * PTRACE_SEIZE and PTRACE_INTERRUPT: unlike SIGSTOP they are not seen by the parent and leave job control alone.
 *
 * Stops are looked at with WNOWAIT and never taken: the kernel forgets the signal of a signal-delivery-stop when it is
 * taken (kernel/exit.c, wait_task_stopped), and it would be lost if the tracer were killed then. Ends of threads are not
 * taken either: the target may be a child of the very program that traces it.
 */
#include "source/linux_trace.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "source/linux.h"

#define MS UINT64_C(1000000)
#define ASLEEP_NS (100 * MS)   /* wait for threads that are all in uninterruptible sleep */
#define QUIET_NS (1000 * MS)   /* wait for others while nothing moves */
#define WHOLE_NS (5000 * MS)   /* wait in all */
#define STATES_NS (5 * MS)     /* how often the states of threads that do not stop are read */
#define NAP_LEAST_NS 20000
#define NAP_MOST_NS 500000
static void nap(uint64_t ns)
{
	struct timespec time = {.tv_nsec = (long)ns};

	nanosleep(&time, NULL);
}

const struct linux_traced *linux_trace_find(const struct linux_trace *t, int32_t tid)
{
	struct linux_traced key = {.tid = tid};

	return t->count ? bsearch(&key, t->threads, t->count, sizeof(key), linux_traced_compare) : NULL;
}

uint32_t linux_trace_count(const struct linux_trace *t, enum linux_traced_state state)
{
	uint32_t count = 0;

	for (size_t i = 0; i < t->count; i++)
		count += t->threads[i].state == state;
	return count;
}

static void ask_to_stop(struct linux_traced *th)
{
	th->state = ptrace(PTRACE_INTERRUPT, th->tid, NULL, NULL) == 0 ? LINUX_TRACED_WAITING : LINUX_TRACED_GONE;
}

/* Looks whether a thread has stopped or ended; true when it has. */
static bool look(struct linux_traced *th)
{
	siginfo_t info;

	/* si_pid stays 0 when there is nothing to tell. */
	memset(&info, 0, sizeof(info));
	if (waitid(P_PID, (id_t)th->tid, &info, WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL) != 0) {
		th->state = LINUX_TRACED_GONE;
		return true;
	}
	if (info.si_pid == 0)
		return false;
	if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED) {
		th->state = LINUX_TRACED_GONE;
		return true;
	}
	th->state = LINUX_TRACED_STOPPED;
	/* A stop without an event is one in which a signal was about to be delivered. */
	th->signal = info.si_status >> 8 == 0 ? info.si_status & 0x7f : 0;
	return true;
}

/* Drops threads that ended without telling (a first thread does, while others run). True: all others sleep soundly. */
static bool look_at_states(struct linux_trace *t)
{
	bool asleep = true;

	for (size_t i = 0; i < t->count; i++) {
		struct linux_traced *th = &t->threads[i];
		uint64_t flags;
		char state;

		if (th->state != LINUX_TRACED_WAITING)
			continue;
		state = linux_trace_state(t, th->tid, &flags);
		if (state == 'Z' || state == 'X')
			th->state = LINUX_TRACED_GONE;
		else if (state != 'D')
			asleep = false;
	}
	return asleep;
}

/* Looks once at every thread that was asked to stop. Returns how many have not; *ret_moved: some did. */
static size_t look_at_all(struct linux_trace *t, bool *ret_moved)
{
	size_t waiting = 0;

	*ret_moved = false;
	for (size_t i = 0; i < t->count; i++) {
		if (t->threads[i].state != LINUX_TRACED_WAITING)
			continue;
		if (look(&t->threads[i]))
			*ret_moved = true;
		else
			waiting++;
	}
	return waiting;
}

/* Waits until every thread that was asked to has stopped or ended; who does not in time is LATE. */
static void wait_for_all(struct linux_trace *t)
{
	uint64_t sleep_ns = NAP_LEAST_NS, states_ns = vmm_now_ns();
	bool moved, asleep = false;

	t->moved_ns = states_ns;
	while (look_at_all(t, &moved)) {
		uint64_t now = vmm_now_ns();

		if (moved) {
			t->moved_ns = now;
			asleep = false;
			sleep_ns = NAP_LEAST_NS;
		} else if (now - states_ns > STATES_NS) {
			asleep = look_at_states(t);
			states_ns = now;
		}
		if (now - t->moved_ns > (asleep ? ASLEEP_NS : QUIET_NS) || now - t->begin_ns > WHOLE_NS)
			break;
		nap(sleep_ns);
		sleep_ns = vmm_min_u64(sleep_ns * 2, NAP_MOST_NS);
	}
	for (size_t i = 0; i < t->count; i++)
		if (t->threads[i].state == LINUX_TRACED_WAITING)
			t->threads[i].state = LINUX_TRACED_LATE;
}

/*
 * Looks again at those thought to stand still: death and exec set them moving. Returns how many must stop anew. Any
 * request that needs a stopped thread tells; this one has no effect.
 */
static int verify(struct linux_trace *t)
{
	int again = 0;

	for (size_t i = 0; i < t->count; i++) {
		struct linux_traced *th = &t->threads[i];
		unsigned long message;

		if (th->state == LINUX_TRACED_LATE)
			look(th);
		if (th->state != LINUX_TRACED_STOPPED || ptrace(PTRACE_GETEVENTMSG, th->tid, NULL, &message) == 0)
			continue;
		th->state = LINUX_TRACED_SEIZED;
		th->signal = 0;
		again++;
	}
	return again;
}

int linux_trace_stop(struct linux_trace *t, struct vmm_err *err)
{
	for (;;) {
		int fresh = linux_trace_seize(t, err), again = verify(t);

		if (fresh < 0)
			return fresh;
		if (fresh + again == 0)
			return 0;
		if (!t->begin_ns)
			t->begin_ns = vmm_now_ns();
		for (size_t i = 0; i < t->count; i++)
			if (t->threads[i].state == LINUX_TRACED_SEIZED)
				ask_to_stop(&t->threads[i]);
		wait_for_all(t);
		if (vmm_now_ns() - t->begin_ns > WHOLE_NS) {
			t->open = true;
			return 0;
		}
	}
}

void linux_trace_release(struct linux_trace *t)
{
	for (size_t i = 0; i < t->count; i++) {
		struct linux_traced *th = &t->threads[i];

		if (th->state == LINUX_TRACED_LATE || th->state == LINUX_TRACED_WAITING)
			look(th);
		if (th->state == LINUX_TRACED_STOPPED)
			ptrace(PTRACE_DETACH, th->tid, NULL, (uintptr_t)th->signal);
	}
	t->end_ns = vmm_now_ns();
}

void linux_trace_done(struct linux_trace *t)
{
	free(t->threads);
	t->threads = NULL;
	t->count = t->capacity = 0;
}
