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

static void read_sp(int task_fd, const char *tid, struct vmm_thread *th, bool *denied)
{
	uint64_t pc;
	char path[64];

	snprintf(path, sizeof(path), "%.20s/syscall", tid);
	for (int i = 0; i < RUNNING_RETRIES && !th->sp_known; i++) {
		struct linux_text text;
		struct vmm_err err;

		if (linux_read_file(task_fd, path, 512, &text, &err) < 0) {
			*denied = *denied || err.code == VMM_E_DENIED;
			return;
		}
		th->sp_known = vmm_syscall_parse(text.bytes, text.length, &th->sp, &pc);
		linux_text_done(&text);
		if (!th->sp_known)
			sched_yield();
	}
}

/* In another PID namespace a thread has another number there; it stands in its own status file. */
static void read_ns_tid(int task_fd, const char *tid, struct vmm_thread *th)
{
	struct vmm_status_record status;
	struct linux_text text;
	char path[64];

	snprintf(path, sizeof(path), "%.20s/status", tid);
	if (linux_read_file(task_fd, path, 65536, &text, NULL) < 0)
		return;
	vmm_status_parse(text.bytes, text.length, &status);
	th->ns_tid = (int32_t)status.ns_pid;
	linux_text_done(&text);
}

/* False: the thread has gone. */
static bool read_thread(struct linux_target *t, struct vmm_snapshot *s, int task_fd, const char *tid, struct vmm_thread *th,
                        bool *denied)
{
	struct vmm_stat_record stat;
	struct linux_text text;
	char path[64];

	snprintf(path, sizeof(path), "%.20s/stat", tid);
	if (linux_read_file(task_fd, path, 8192, &text, NULL) < 0)
		return false;
	th->name = "";
	if (vmm_stat_parse(text.bytes, text.length, &stat)) {
		th->name = vmm_arena_intern(s->arena, stat.comm, stat.comm_length);
		th->state = linux_stop_state(t, th->tid, stat.state);
	}
	linux_text_done(&text);
	if (!th->name)
		th->name = "";
	th->region = VMM_NONE;
	read_sp(task_fd, tid, th, denied);
	th->descriptor = robust_list(t, th->tid);
	if (s->target.ns_pid)
		read_ns_tid(task_fd, tid, th);
	return true;
}

static int compare_tid(const void *a, const void *b)
{
	const struct vmm_thread *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

/* Reads every thread below task/; returns how many, or an error. */
static int64_t read_threads(struct linux_target *t, struct vmm_snapshot *s, DIR *dir, struct vmm_thread **threads, bool *denied)
{
	size_t count = 0, capacity = 0;

	for (struct dirent *e; (e = readdir(dir)) && count < THREADS_MAX;) {
		struct vmm_scan scan = vmm_scan_init(e->d_name, strlen(e->d_name));
		uint64_t tid;

		if (!vmm_scan_dec(&scan, &tid) || tid == 0 || tid > INT32_MAX)
			continue;
		if (!vmm_grow(threads, &capacity, count + 1, sizeof(**threads)))
			return VMM_E_NOMEM;
		memset(&(*threads)[count], 0, sizeof(**threads));
		(*threads)[count].tid = (int32_t)tid;
		if (read_thread(t, s, dirfd(dir), e->d_name, &(*threads)[count], denied))
			count++;
	}
	return (int64_t)count;
}

int linux_fill_threads(struct linux_target *t, struct vmm_snapshot *s, struct vmm_err *err)
{
	int fd = openat(t->dir_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct vmm_thread *threads = NULL;
	bool denied = false;
	int64_t count;

	if (!dir) {
		int os = errno;

		vmm_close_fd(&fd);
		return vmm_fail(err, linux_code(os), os, "%d: task: %s", t->pid, strerror(os));
	}
	count = read_threads(t, s, dir, &threads, &denied);
	closedir(dir);
	s->threads = vmm_arena_keep(s->arena, threads);
	if (count < 0 || (!s->threads && count))
		return vmm_fail_nomem(err);
	s->thread_count = (uint32_t)count;
	if (count)
		qsort(s->threads, s->thread_count, sizeof(*s->threads), compare_tid);
	s->threads_complete = !vmm_status_known(s, VMM_STATUS_THREADS) || s->target.status[VMM_STATUS_THREADS] == (uint64_t)count;
	if (denied)
		vmm_snapshot_note(s, "threads", "denied", 0,
		                  "stack pointers may not be read: stacks of threads can be shown as Private Data; run vmmap as its user or "
		                  "root, or give it CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH");
	return 0;
}
