/* Files of the target and of its machine: read from /proc, or as they were saved. */
#include "source/linux_saved.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "source/linux.h"

#define CHUNK_BYTES ((size_t)256 * 1024)

size_t linux_saved_first(const struct linux_saved *saved, const char *prefix)
{
	size_t low = 0, high = saved->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(saved->files[mid].name, prefix) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct linux_saved_file *linux_saved_find(const struct linux_saved *saved, const char *name)
{
	size_t at = linux_saved_first(saved, name);

	return at < saved->count && strcmp(saved->files[at].name, name) == 0 ? &saved->files[at] : NULL;
}

static int copy_saved(const struct linux_saved *saved, const char *name, size_t limit, struct linux_text *ret, struct vmm_err *err)
{
	const struct linux_saved_file *f = linux_saved_find(saved, name);
	size_t length = f ? vmm_min_u64(f->length, limit) : 0;
	char *bytes;

	if (!f)
		return vmm_fail(err, VMM_E_GONE, ENOENT, "%s: not in the capture", name);
	bytes = vmm_alloc_hook(NULL, length + 1);
	if (!bytes)
		return vmm_fail_nomem(err);
	memcpy(bytes, f->bytes, length);
	*ret = (struct linux_text){bytes, length};
	return 0;
}

int linux_target_file(const struct linux_target *t, const char *name, size_t limit, struct linux_text *ret, struct vmm_err *err)
{
	return t->saved ? copy_saved(t->saved, name, limit, ret, err) : linux_read_file(t->dir_fd, name, limit, ret, err);
}

int linux_machine_file(const struct linux_target *t, const char *name, size_t limit, struct linux_text *ret, struct vmm_err *err)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s", name);
	return t && t->saved ? copy_saved(t->saved, path + strlen("/proc"), limit, ret, err)
	                : linux_read_file(AT_FDCWD, path, limit, ret, err);
}

static int feed_saved(const struct linux_saved_file *f, linux_chunk_fn fn, void *arg)
{
	int rc = 0;

	for (size_t at = 0; rc >= 0 && at < f->length; at += CHUNK_BYTES)
		rc = fn(arg, f->bytes + at, vmm_min_u64(CHUNK_BYTES, f->length - at));
	return rc;
}

int linux_target_chunks(const struct linux_target *t, const char *name, linux_chunk_fn fn, void *arg, struct vmm_err *err)
{
	const struct linux_saved_file *f = t->saved ? linux_saved_find(t->saved, name) : NULL;
	VMM_CLEANUP_FD int fd = t->saved ? -1 : openat(t->dir_fd, name, O_RDONLY | O_CLOEXEC);
	int rc;

	if (t->saved && !f)
		return vmm_fail(err, VMM_E_GONE, ENOENT, "%s: not in the capture", name);
	if (!t->saved && fd < 0)
		return vmm_fail(err, linux_code(errno), errno, "%d: %s: %s", t->pid, name, strerror(errno));
	rc = f ? feed_saved(f, fn, arg) : linux_read_chunks(fd, fn, arg);
	return rc < 0 ? vmm_fail(err, rc, 0, "%d: %s: %s", t->pid, name, vmm_error_text(rc)) : 0;
}
