/*
 * Attaching to the threads of a process with PTRACE_SEIZE: which of them there are, which have nothing to stop, and why
 * one cannot be attached to.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scan.h"
#include "source/linux.h"
#include "source/linux_trace.h"

#define SEIZE_TRIES 3
#define TEXT_BYTES 1024 /* of stat and status: what is looked for stands in their first lines */
/* Linux include/linux/sched.h */
#define PF_IO_WORKER 0x00000010   /* 5.12 and later */
#define PF_USER_WORKER 0x00004000 /* 6.4 and later */
#define PF_KTHREAD 0x00200000

/*
 * The beginning of a file of a thread; -1 when the thread has gone, 0 when it cannot be read. Without the heap: a lack of
 * memory must not look like an end.
 */
static ssize_t read_begin(const struct linux_trace *t, int32_t tid, const char *name, char *ret_text, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "task/%d/%s", tid, name);
	fd = openat(t->dir_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ESRCH ? -1 : 0;
	n = read(fd, ret_text, size);
	if (n < 0)
		n = errno == ESRCH ? -1 : 0;
	close(fd);
	return n;
}

char linux_trace_state(const struct linux_trace *t, int32_t tid, uint64_t *ret_flags)
{
	struct vmm_stat_record stat;
	char text[TEXT_BYTES];
	ssize_t n = read_begin(t, tid, "stat", text, sizeof(text));

	*ret_flags = 0;
	if (n < 0)
		return 'X';
	if (!vmm_stat_parse(text, (size_t)n, &stat))
		return '?';
	*ret_flags = stat.flags;
	return stat.state;
}

/*
 * Whether there is nothing to stop: a zombie runs no code any more, and the kernel's own threads run none of the process.
 * Nor do its workers for I/O, which stand among the threads of the process. Linux 6.18 lets them be stopped; a kernel that
 * refuses must not make the whole process one that cannot be.
 */
static bool is_empty(const struct linux_trace *t, int32_t tid)
{
	uint64_t workers = PF_KTHREAD | (tid == t->pid ? 0 : PF_IO_WORKER | PF_USER_WORKER), flags;
	char state = linux_trace_state(t, tid, &flags);

	return state == 'Z' || state == 'X' || flags & workers;
}

/* Who traces the thread; 0: nobody that is seen from here. */
static int32_t tracer_of(const struct linux_trace *t, int32_t tid)
{
	static const char key[] = "\nTracerPid:\t";
	char text[TEXT_BYTES];
	ssize_t n = read_begin(t, tid, "status", text, sizeof(text));
	const char *found = n > 0 ? memmem(text, (size_t)n, key, sizeof(key) - 1) : NULL;
	uint64_t tracer;
	struct vmm_scan s;

	if (!found)
		return 0;
	found += sizeof(key) - 1;
	s = vmm_scan_init(found, (size_t)(text + n - found));
	return vmm_scan_dec(&s, &tracer) && tracer <= INT32_MAX ? (int32_t)tracer : 0;
}

static int fail_traced(const struct linux_trace *t, int32_t tracer, struct vmm_err *err)
{
	struct linux_text text;
	char path[32], name[32] = "?";

	snprintf(path, sizeof(path), "/proc/%d/comm", tracer);
	if (linux_read_file(AT_FDCWD, path, sizeof(name), &text, NULL) == 0) {
		snprintf(name, sizeof(name), "%.*s", (int)(text.length ? text.length - 1 : 0), text.bytes);
		linux_text_done(&text);
	}
	return vmm_fail(err, VMM_E_DENIED, EPERM,
	                "%d: cannot be stopped: process %d (%s) traces it already, and only one can; detach that one, or do not stop it",
	                t->pid, tracer, name);
}

static int fail_seize(const struct linux_trace *t, int os, struct vmm_err *err)
{
	uint64_t yama = linux_number(NULL, "sys/kernel/yama/ptrace_scope");

	if (os != EPERM && os != EACCES)
		return vmm_fail(err, linux_code(os), os, "%d: cannot be stopped: %s", t->pid, strerror(os));
	if (yama >= 3)
		return vmm_fail(err, VMM_E_DENIED, os,
		                "%d: cannot be stopped: kernel.yama.ptrace_scope is %d, which permits it to nobody; do not stop it",
		                t->pid, (int)vmm_min_u64(yama, 99));
	if (yama)
		return vmm_fail(err, VMM_E_DENIED, os,
		                "%d: not permitted to stop it (kernel.yama.ptrace_scope is %d): run as root, or give vmmap CAP_SYS_PTRACE",
		                t->pid, (int)yama);
	return vmm_fail(err, VMM_E_DENIED, os, "%d: not permitted to stop it: run as its user or root, or give vmmap CAP_SYS_PTRACE",
	                t->pid);
}

static void set_attaching(struct linux_trace *t, bool attaching)
{
	pthread_mutex_lock(&t->lock);
	t->attaching = attaching;
	pthread_mutex_unlock(&t->lock);
}

static long attach(struct linux_trace *t, int32_t tid)
{
	long rc;
	int os;

	set_attaching(t, true);
	rc = ptrace(PTRACE_SEIZE, tid, NULL, NULL);
	os = errno;
	set_attaching(t, false);
	errno = os;
	return rc;
}

void linux_trace_unblock(struct linux_trace *t)
{
	siginfo_t info;

	pthread_mutex_lock(&t->lock);
	/* The first thread's end belongs to the target's parent, which may be this program; exec does not wait for it. */
	for (size_t i = 0; t->attaching && i < t->count; i++)
		if (t->threads[i].tid != t->pid)
			waitid(P_PID, (id_t)t->threads[i].tid, &info, WEXITED | WNOHANG | __WALL);
	pthread_mutex_unlock(&t->lock);
}

/* 1: attached. 0: there is nothing to attach to. */
static int seize(struct linux_trace *t, int32_t tid, struct vmm_err *err)
{
	int os = 0;

	for (int i = 0; i < SEIZE_TRIES; i++) {
		int32_t tracer;

		if (attach(t, tid) == 0)
			return 1;
		os = errno;
		/* The kernel says EPERM to all of: ends just now, traced already, not permitted. */
		if (os == ESRCH || is_empty(t, tid))
			return 0;
		tracer = tracer_of(t, tid);
		if (tracer == (int32_t)syscall(SYS_gettid))
			return 0;
		if (tracer)
			return fail_traced(t, tracer, err);
		/* Not permitted, unless a tracer went between the two looks. */
	}
	return fail_seize(t, os, err);
}

int linux_traced_compare(const void *a, const void *b)
{
	const struct linux_traced *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

static struct linux_traced *find(const struct linux_trace *t, size_t count, int32_t tid)
{
	struct linux_traced key = {.tid = tid};

	return count ? bsearch(&key, t->threads, count, sizeof(key), linux_traced_compare) : NULL;
}

/* Attaches to a listed thread unless that was done. Returns how many threads that added. */
static int take_thread(struct linux_trace *t, size_t known, int32_t tid, struct vmm_err *err)
{
	struct linux_traced *th = find(t, known, tid);
	uint64_t flags;
	char was;
	int rc;

	/* Who executes a program takes over the number of the first thread: what went can be there again. */
	if (th && th->state != LINUX_TRACED_GONE)
		return 0;
	if (!th && !vmm_grow(&t->threads, &t->capacity, t->count + 1, sizeof(*t->threads)))
		return vmm_fail_nomem(err);
	was = linux_trace_state(t, tid, &flags);
	rc = seize(t, tid, err);
	if (rc <= 0)
		return rc;
	if (!th)
		th = &t->threads[t->count++];
	*th = (struct linux_traced){.tid = tid, .was = was};
	return 1;
}

int linux_trace_seize(struct linux_trace *t, struct vmm_err *err)
{
	int fd = openat(t->dir_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	size_t known = t->count;
	int fresh = 0, rc = 0;

	if (!dir) {
		int os = errno;

		vmm_close_fd(&fd);
		return vmm_fail(err, linux_code(os), os, "%d: cannot be stopped: %s", t->pid,
		                linux_code(os) == VMM_E_GONE ? "the process has ended" : strerror(os));
	}
	for (struct dirent *e; rc >= 0 && (e = readdir(dir));) {
		struct vmm_scan s = vmm_scan_init(e->d_name, strlen(e->d_name));
		uint64_t tid;

		if (!vmm_scan_dec(&s, &tid) || !vmm_scan_done(&s) || tid == 0 || tid > INT32_MAX)
			continue;
		rc = take_thread(t, known, (int32_t)tid, err);
		fresh += rc > 0;
	}
	closedir(dir);
	if (t->count > known)
		qsort(t->threads, t->count, sizeof(*t->threads), linux_traced_compare);
	return rc < 0 ? rc : fresh;
}
