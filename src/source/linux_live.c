/* The live source: one running Linux process, read through /proc. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/scan.h"
#include "source/linux.h"
#include "source/source.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

int linux_code(int os)
{
	switch (os) {
	case ESRCH:
	case ENOENT:
		return VMM_E_GONE;
	case EACCES:
	case EPERM:
		return VMM_E_DENIED;
	case ENOMEM:
		return VMM_E_NOMEM;
	default:
		return VMM_E_IO;
	}
}

int linux_read_file(int dir_fd, const char *path, size_t limit, struct linux_text *ret, struct vmm_err *err)
{
	VMM_CLEANUP_FD int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	VMM_CLEANUP_FREE char *bytes = NULL;
	size_t length = 0, capacity = 0;

	if (fd < 0)
		return vmm_fail(err, linux_code(errno), errno, "%s: %s", path, strerror(errno));
	while (length < limit) {
		ssize_t n;

		if (!vmm_grow(&bytes, &capacity, length + 4096, 1))
			return vmm_fail_nomem(err);
		n = read(fd, bytes + length, vmm_min_u64(capacity - length, limit - length));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vmm_fail(err, linux_code(errno), errno, "%s: %s", path, strerror(errno));
		if (n == 0)
			break;
		length += (size_t)n;
	}
	ret->bytes = bytes;
	ret->length = length;
	bytes = NULL;
	return 0;
}

void linux_text_done(struct linux_text *t)
{
	free(t->bytes);
	t->bytes = NULL;
}

bool linux_alive(const struct linux_target *t)
{
	struct pollfd p = {.fd = t->pid_fd, .events = POLLIN};
	int ready = t->pid_fd >= 0 ? poll(&p, 1, 0) : -1;

	if (t->saved)
		return true; /* what was saved stays */
	if (ready >= 0)
		return ready == 0;
	return faccessat(t->dir_fd, "stat", F_OK, 0) == 0;
}

static bool parse_pid(const char *name, int32_t *ret)
{
	struct vmm_scan s = vmm_scan_init(name, strlen(name));
	uint64_t v;

	if (!vmm_scan_dec(&s, &v) || !vmm_scan_done(&s) || v == 0 || v > INT32_MAX)
		return false;
	*ret = (int32_t)v;
	return true;
}

static bool all_digits(const char *name)
{
	return *name && name[strspn(name, "0123456789")] == '\0';
}

/* Anything that is not a path can be a process. */
static bool live_probe(const char *name)
{
	return *name && !strchr(name, '/');
}

/* Whether a process carries this name, see linux_is_named(). */
static bool process_is_named(int proc_fd, const char *pid, const char *name)
{
	VMM_CLEANUP_FD int dir_fd = openat(proc_fd, pid, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct linux_text text;
	bool same;

	if (dir_fd < 0 || linux_read_file(dir_fd, "comm", 256, &text, NULL) < 0)
		return false;
	same = linux_is_named(dir_fd, text.bytes, text.length ? text.length - 1 : 0, name);
	linux_text_done(&text);
	return same;
}

/* Finds the one process with this name; several are an error that lists them. */
static int find_by_name(const char *name, int32_t *ret_pid, struct vmm_err *err)
{
	DIR *dir = opendir("/proc");
	char list[160] = "";
	size_t listed = 0;
	int32_t found = 0, pid;
	unsigned count = 0;

	if (!dir)
		return vmm_fail(err, VMM_E_IO, errno, "/proc: %s", strerror(errno));
	for (struct dirent *e; (e = readdir(dir));) {
		if (!parse_pid(e->d_name, &pid) || pid == getpid() || !process_is_named(dirfd(dir), e->d_name, name))
			continue;
		found = pid;
		if (count++ < 12)
			listed += (size_t)snprintf(list + listed, sizeof(list) - listed, "%s%d", listed ? ", " : "", pid);
	}
	closedir(dir);
	if (count == 0)
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "%s: no running process has this name; 'vmmap ps' lists them", name);
	if (count > 1)
		return vmm_fail(err, VMM_E_AMBIGUOUS, 0, "%s: %u processes have this name: PID %s%s; give one PID", name, count, list,
		                count > 12 ? ", ..." : "");
	*ret_pid = found;
	return 0;
}

static void live_close(struct vmm_target *base)
{
	struct linux_target *t = (struct linux_target *)base;

	vmm_close_fd(&t->dir_fd);
	vmm_close_fd(&t->pid_fd);
	vmm_close_fd(&t->mem_fd);
	vmm_close_fd(&t->pagemap_fd);
	free(t->scan);
	free(t);
}

static int live_open(const char *name, const struct vmm_open *how, struct vmm_target **ret_target, struct vmm_err *err)
{
	struct linux_target *t;
	char path[32];
	int32_t pid = 0;

	if (!parse_pid(name, &pid)) {
		int rc = all_digits(name) ? vmm_fail(err, VMM_E_NO_TARGET, 0, "%s: no such process: not a PID", name)
		                          : find_by_name(name, &pid, err);
		if (rc < 0)
			return rc;
	}
	t = vmm_alloc_hook(NULL, sizeof(*t));
	if (!t)
		return vmm_fail_nomem(err);
	memset(t, 0, sizeof(*t));
	t->base.ops = &vmm_source_linux_live;
	t->pid = pid;
	t->mem_fd = t->pagemap_fd = -1;
	t->page_size = (uint32_t)sysconf(_SC_PAGESIZE);
	t->pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	snprintf(path, sizeof(path), "/proc/%d", pid);
	t->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->dir_fd < 0) {
		int os = errno;

		live_close(&t->base);
		return vmm_fail(err, os == ENOENT ? VMM_E_NO_TARGET : linux_code(os), os, "%d: no such process; 'vmmap ps' lists them", pid);
	}
	*ret_target = &t->base;
	return 0;
}

/* Steps after which the snapshot holds what may be told; a vanished target makes it partial. */
static int fill_steps(struct linux_target *t, const struct vmm_take *take, struct vmm_snapshot *s, struct vmm_err *err)
{
	uint64_t begin;
	int rc;

	begin = vmm_now_ns();
	rc = linux_fill_maps(t, take, s, err);
	if (take->needs & VMM_NEED_SMAPS)
		s->cost.smaps_ns = vmm_now_ns() - begin;
	else
		s->cost.maps_ns = vmm_now_ns() - begin;
	if (rc < 0)
		return rc;
	/* Close behind the mappings: the accounts compare the two. */
	rc = linux_fill_status(t, s, err);
	if (rc < 0)
		return rc;
	linux_fill_space(t, s);
	rc = linux_fill_backing(t, s, err);
	if (rc < 0)
		return rc;
	if (take->needs & VMM_NEED_THREADS) {
		begin = vmm_now_ns();
		rc = linux_fill_threads(t, s, err);
		s->cost.threads_ns = vmm_now_ns() - begin;
		if (rc < 0)
			return rc;
	}
	return take->needs & VMM_NEED_NUMA ? linux_fill_numa(t, s, err) : 0;
}

static int live_fill(struct vmm_target *base, const struct vmm_take *take, struct vmm_snapshot *s, struct vmm_err *err)
{
	struct linux_target *t = (struct linux_target *)base;
	int rc = linux_fill_identity(t, s, err);

	if (rc < 0)
		return rc;
	rc = linux_fill_status(t, s, err);
	if (rc < 0)
		return rc;
	linux_fill_limits(t, s);
	linux_stop_note(t, s);
	if (s->target.kernel_thread || s->target.state == 'Z' || s->target.state == 'X') {
		vmm_snapshot_note(s, "process", s->target.kernel_thread ? "kernel_thread" : "zombie", 0, "%s",
		                  s->target.kernel_thread ? "a kernel thread has no memory of its own: there is nothing to map"
		                                          : "the process has ended and waits for its parent: its memory is freed already");
		return 0;
	}
	rc = fill_steps(t, take, s, err);
	if (rc == VMM_E_DENIED) {
		s->unreadable = true;
		vmm_snapshot_note(s, "maps", "denied", 0,
		                  "the mappings of process %d may not be read (it belongs to uid %lld): only the totals of its status "
		                  "are known; run vmmap as that user or root, or give it CAP_PERFMON",
		                  t->pid, (long long)s->target.uid);
		rc = 0;
	}
	if (rc == VMM_E_GONE || !linux_alive(t)) {
		s->partial = true;
		vmm_snapshot_note(s, "process", "gone", 0, "the process ended while it was read: what is shown is partial");
		rc = s->vma_count ? 0 : VMM_E_GONE;
	}
	if (rc == VMM_E_GONE)
		return vmm_fail(err, VMM_E_GONE, 0, "%d: the process ended while it was read", t->pid);
	return rc;
}

static bool live_alive(struct vmm_target *t)
{
	const struct linux_target *l = (const struct linux_target *)t;

	return !l->ended && linux_alive(l);
}

const struct vmm_source_ops vmm_source_linux_live = {
	.id = "live",
	.help = "a running process, by PID or name",
	.probe = live_probe,
	.open = live_open,
	.close = live_close,
	.fill = live_fill,
	.read = linux_read,
	.pages = linux_pages,
	.measure = linux_measure,
	.open_file = linux_open_file,
	.alive = live_alive,
	.stop = linux_stop,
	.resume = linux_resume,
};
