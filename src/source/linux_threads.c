/*
 * Threads of the target: names, states, stack pointers, and an address inside each thread's descriptor.
 *
 * A thread that runs shows no stack pointer, but the kernel knows the head of its robust futex list, and every C
 * library keeps that in the thread descriptor, at the top of the thread's own stack.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/scan.h"
#include "source/linux.h"

#define THREADS_MAX 1000000
#define RUNNING_RETRIES 3

#if defined(__x86_64__)
#define I386_NR_GET_ROBUST_LIST 312 /* Linux arch/x86/entry/syscalls/syscall_32.tbl */

/*
 * The robust list of a 32-bit thread: only the 32-bit system call tells it, which takes 32-bit pointers. Called only
 * for 32-bit targets, so the kernel has that entry.
 */
static uint64_t robust_list_compat(int32_t tid)
{
	uint32_t *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	uint64_t head = 0;
	long rc;

	if (low == MAP_FAILED)
		return 0;
	__asm__ volatile("int $0x80"
	                 : "=a"(rc)
	                 : "a"((long)I386_NR_GET_ROBUST_LIST), "b"((long)tid), "c"(&low[0]), "d"(&low[1])
	                 : "memory", "r8", "r9", "r10", "r11");
	if (rc == 0)
		head = low[0];
	munmap(low, 4096);
	return head;
}
#else
static uint64_t robust_list_compat(int32_t tid)
{
	return 0;
}
#endif

static uint64_t robust_list(const struct linux_target *t, int32_t tid)
{
	void *head = NULL;
	size_t length = 0;

	if (t->bits == 32 && sizeof(void *) == 8)
		return robust_list_compat(tid);
	if (syscall(SYS_get_robust_list, tid, &head, &length) != 0)
		return 0;
	return (uintptr_t)head;
}

/* Where the files of threads are. */
struct task_dir {
	const struct linux_target *t;
	int fd; /* /proc/PID/task; -1 where they were saved */
};

static int read_of_thread(const struct task_dir *d, int32_t tid, const char *name, size_t limit, struct linux_text *ret,
                          struct vmm_err *err)
{
	char path[64];

	snprintf(path, sizeof(path), "task/%d/%s", tid, name);
	return d->t->saved ? linux_target_file(d->t, path, limit, ret, err)
	                   : linux_read_file(d->fd, path + strlen("task/"), limit, ret, err);
}

static void read_sp(const struct task_dir *d, struct vmm_thread *th, bool *denied)
{
	uint64_t pc;

	for (int i = 0; i < RUNNING_RETRIES && !th->sp_known; i++) {
		struct linux_text text;
		struct vmm_err err;

		if (read_of_thread(d, th->tid, "syscall", 512, &text, &err) < 0) {
			*denied = *denied || err.code == VMM_E_DENIED;
			return;
		}
		th->sp_known = vmm_syscall_parse(text.bytes, text.length, &th->sp, &pc);
		linux_text_done(&text);
		if (d->t->saved)
			return;
		if (!th->sp_known)
			sched_yield();
	}
}

/* In another PID namespace a thread has another number there; it stands in its own status file. */
static void read_ns_tid(const struct task_dir *d, struct vmm_thread *th)
{
	struct vmm_status_record status;
	struct linux_text text;

	if (read_of_thread(d, th->tid, "status", 65536, &text, NULL) < 0)
		return;
	vmm_status_parse(text.bytes, text.length, &status);
	th->ns_tid = (int32_t)status.ns_pid;
	linux_text_done(&text);
}

/* The name alone, where stat was not saved. */
static bool read_comm(const struct task_dir *d, struct vmm_snapshot *s, struct vmm_thread *th)
{
	struct linux_text text;

	if (!d->t->saved || read_of_thread(d, th->tid, "comm", 64, &text, NULL) < 0)
		return false;
	th->name = vmm_arena_intern(s->arena, text.bytes, text.length && text.bytes[text.length - 1] == '\n' ? text.length - 1 : text.length);
	linux_text_done(&text);
	return true;
}

/* The head of the robust list as it was written down. */
static uint64_t saved_robust_list(const struct task_dir *d, int32_t tid)
{
	struct linux_text text;
	struct vmm_scan scan;
	uint64_t head = 0;

	if (read_of_thread(d, tid, "robust_list", 64, &text, NULL) < 0)
		return 0;
	scan = vmm_scan_init(text.bytes, text.length);
	if (!vmm_scan_hex(&scan, &head))
		head = 0;
	linux_text_done(&text);
	return head;
}

/* False: the thread has gone. */
static bool read_thread(const struct task_dir *d, struct vmm_snapshot *s, struct vmm_thread *th, bool *denied)
{
	struct vmm_stat_record stat;
	struct linux_text text;

	if (read_of_thread(d, th->tid, "stat", 8192, &text, NULL) >= 0) {
		if (vmm_stat_parse(text.bytes, text.length, &stat)) {
			th->name = vmm_arena_intern(s->arena, stat.comm, stat.comm_length);
			th->state = linux_stop_state(d->t, th->tid, stat.state);
		}
		linux_text_done(&text);
	} else if (!read_comm(d, s, th)) {
		return false;
	}
	if (!th->name)
		th->name = "";
	th->region = VMM_NONE;
	read_sp(d, th, denied);
	th->descriptor = d->t->saved ? saved_robust_list(d, th->tid) : robust_list(d->t, th->tid);
	if (s->target.ns_pid)
		read_ns_tid(d, th);
	return true;
}

static int compare_tid(const void *a, const void *b)
{
	const struct vmm_thread *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

struct thread_list {
	struct vmm_thread *v;
	size_t count, capacity;
	bool denied; /* some stack pointer */
};

/* Adds the thread with this number; what is none, or gone, is left out. */
static int thread_add(struct thread_list *l, const struct task_dir *d, struct vmm_snapshot *s, const char *text)
{
	struct vmm_scan scan = vmm_scan_init(text, strcspn(text, "/"));
	uint64_t tid;

	if (!vmm_scan_dec(&scan, &tid) || !vmm_scan_done(&scan) || tid == 0 || tid > INT32_MAX)
		return 0;
	if (!vmm_grow(&l->v, &l->capacity, l->count + 1, sizeof(*l->v)))
		return VMM_E_NOMEM;
	memset(&l->v[l->count], 0, sizeof(*l->v));
	l->v[l->count].tid = (int32_t)tid;
	l->count += read_thread(d, s, &l->v[l->count], &l->denied);
	return 0;
}

/* Every thread that something was saved of. */
static int read_saved_threads(struct thread_list *l, const struct task_dir *d, struct vmm_snapshot *s)
{
	static const char prefix[] = "task/";
	const struct linux_saved *saved = d->t->saved;
	const char *last = "";
	int rc = 0;

	for (size_t i = linux_saved_first(saved, prefix); rc == 0 && i < saved->count && l->count < THREADS_MAX; i++) {
		const char *name = saved->files[i].name;

		if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
			break;
		name += sizeof(prefix) - 1;
		if (strcspn(name, "/") != strcspn(last, "/") || strncmp(name, last, strcspn(name, "/")) != 0)
			rc = thread_add(l, d, s, name);
		last = name;
	}
	return rc;
}

static int read_live_threads(struct thread_list *l, struct linux_target *t, struct vmm_snapshot *s, struct vmm_err *err)
{
	int fd = openat(t->dir_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct task_dir d = {t, fd};

	if (!dir) {
		int os = errno;

		vmm_close_fd(&fd);
		return vmm_fail(err, linux_code(os), os, "%d: task: %s", t->pid, strerror(os));
	}
	for (struct dirent *e; rc == 0 && l->count < THREADS_MAX && (e = readdir(dir));)
		rc = thread_add(l, &d, s, e->d_name);
	closedir(dir);
	return rc < 0 ? vmm_fail_nomem(err) : 0;
}

int linux_fill_threads(struct linux_target *t, struct vmm_snapshot *s, struct vmm_err *err)
{
	struct task_dir saved = {t, -1};
	struct thread_list l = {0};
	int rc = t->saved ? read_saved_threads(&l, &saved, s) : read_live_threads(&l, t, s, err);

	s->threads = vmm_arena_keep(s->arena, l.v);
	if (rc < 0 || (!s->threads && l.count))
		return rc < 0 && rc != VMM_E_NOMEM ? rc : vmm_fail_nomem(err);
	s->thread_count = (uint32_t)l.count;
	if (l.count)
		qsort(s->threads, s->thread_count, sizeof(*s->threads), compare_tid);
	s->threads_complete = vmm_status_known(s, VMM_STATUS_THREADS) ? s->target.status[VMM_STATUS_THREADS] == l.count : !t->saved;
	if (l.denied && !t->saved)
		vmm_snapshot_note(s, "threads", "denied", 0,
		                  "stack pointers may not be read: stacks of threads can be shown as Private Data; run vmmap as its user or "
		                  "root, or give it CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH");
	return 0;
}
