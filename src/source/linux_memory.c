/* Reading the target's memory: process_vm_readv, then /proc/PID/mem for what that refuses (PROT_NONE, execute-only). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "source/linux.h"

/* In one piece, which is quickest; short where a page cannot be read, -1 where the first one cannot. */
static ssize_t read_at_once(const struct linux_target *t, uint64_t address, void *ret_bytes, size_t length)
{
	struct iovec local = {.iov_base = ret_bytes, .iov_len = length};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = length}; /* NOLINT: a target address */

	return process_vm_readv(t->pid, &local, 1, &remote, 1, 0);
}

/* Bytes up to the first page that cannot be read. The kernel may give up a whole iovec element, so there is one per page. */
static ssize_t read_by_iovec(struct linux_target *t, uint64_t address, void *ret_bytes, size_t length)
{
	struct iovec local = {.iov_base = ret_bytes, .iov_len = length}, remote[64];
	size_t n = 0, covered = 0;

	while (covered < length && n < ARRAY_LEN(remote)) {
		uint64_t at = address + covered;
		size_t part = vmm_min_u64(length - covered, t->page_size - at % t->page_size);

		remote[n++] = (struct iovec){.iov_base = (void *)(uintptr_t)at, .iov_len = part}; /* NOLINT: a target address */
		covered += part;
	}
	local.iov_len = covered;
	return process_vm_readv(t->pid, &local, 1, remote, n, 0);
}

static ssize_t read_by_file(struct linux_target *t, uint64_t address, void *ret_bytes, size_t length)
{
	if (t->mem_fd == -1) {
		t->mem_fd = openat(t->dir_fd, "mem", O_RDONLY | O_CLOEXEC);
		if (t->mem_fd < 0)
			t->mem_fd = -2;
	}
	if (t->mem_fd < 0) {
		errno = EACCES;
		return -1;
	}
	return pread(t->mem_fd, ret_bytes, length, (off_t)address);
}

int64_t linux_read(struct vmm_target *base, uint64_t address, void *ret_bytes, size_t length, struct vmm_err *err)
{
	struct linux_target *t = (struct linux_target *)base;
	size_t done = 0;

	while (done < length) {
		char *to = (char *)ret_bytes + done;
		ssize_t n = -1;

		if (!t->no_vm_readv && done == 0)
			n = read_at_once(t, address, to, length);
		if (!t->no_vm_readv && n <= 0)
			n = read_by_iovec(t, address + done, to, length - done);

		/*
		 * The PID is a number that can be given to another process; what was read counts only while ours lives. One that
		 * is ending has no memory any more: ESRCH.
		 */
		t->ended = (n > 0 && t->pid_fd >= 0 && !linux_alive(t)) || (n < 0 && !t->no_vm_readv && errno == ESRCH);
		if (t->ended)
			return vmm_fail(err, VMM_E_GONE, ESRCH, "%d: the process ended while it was read", t->pid);
		if (n < 0 && (errno == ENOSYS || errno == EPERM))
			t->no_vm_readv = true;
		if (n <= 0)
			n = read_by_file(t, address + done, to, length - done);
		if (n < 0 && done == 0 && (errno == EACCES || errno == EPERM))
			return vmm_fail(err, VMM_E_DENIED, errno, "%d: not permitted to read memory: run as its user or root, or give vmmap "
			                "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH", t->pid);
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return (int64_t)done;
}
