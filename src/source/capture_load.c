/* Reading captures that are a file: which sort it is, texts, and what stands beside a text. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "source/capture.h"
#include "source/files.h"
#include "source/linux.h"

static bool packed(const unsigned char *p, size_t n)
{
	static const struct {
		unsigned char magic[4];
		size_t length;
	} magics[] = {{{0x1f, 0x8b}, 2}, {{0xfd, '7', 'z', 'X'}, 4}, {{0x28, 0xb5, 0x2f, 0xfd}, 4}, {{'B', 'Z', 'h'}, 3}, {{4, 0x22, 0x4d, 0x18}, 4}};

	for (size_t i = 0; i < ARRAY_LEN(magics); i++)
		if (n >= magics[i].length && memcmp(p, magics[i].magic, magics[i].length) == 0)
			return true;
	return false;
}

static bool is_tar(const char *p, size_t n)
{
	return n >= 262 && memcmp(p + 257, "ustar", 5) == 0;
}

bool capture_file_probe(const char *path)
{
	struct stat st;
	VMM_CLEANUP_FD int fd = vmm_file_open_named(AT_FDCWD, path, 0, &st);
	char bytes[CAPTURE_PROBE_BYTES];
	ssize_t n = fd >= 0 ? pread(fd, bytes, sizeof(bytes), 0) : -1;

	if (n <= 0)
		return false;
	if (packed((const unsigned char *)bytes, (size_t)n))
		return capture_archive_probe(fd);
	return is_tar(bytes, (size_t)n) || capture_text_probe(bytes, (size_t)n);
}

static int read_all(int fd, char **ret_bytes, size_t *ret_length, struct vmm_err *err)
{
	VMM_CLEANUP_FREE char *bytes = NULL;
	size_t length = 0, capacity = 0;

	for (;;) {
		ssize_t n;

		if (length >= CAPTURE_FILE_MAX)
			return vmm_fail(err, VMM_E_LIMIT, 0, "a capture larger than 1 GiB");
		if (!vmm_grow(&bytes, &capacity, length + CAPTURE_BLOCK_BYTES, 1))
			return vmm_fail_nomem(err);
		n = read(fd, bytes + length, CAPTURE_BLOCK_BYTES);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vmm_fail(err, VMM_E_IO, errno, "%s", strerror(errno));
		if (n == 0)
			break;
		length += (size_t)n;
	}
	*ret_bytes = bytes;
	*ret_length = length;
	bytes = NULL;
	return 0;
}

int capture_add_fd(struct capture_set *set, int fd, const char *path, struct timespec changed, struct vmm_err *err)
{
	size_t length;
	char *bytes;
	int rc = read_all(fd, &bytes, &length, err);

	return rc < 0 ? rc : capture_add(set, path, strlen(path), bytes, length, changed, err);
}

/* What may lie beside the text x.smaps: x.status, x.smaps.status; beside the file smaps: status. */
static int add_companions(struct capture_set *set, const char *path, struct vmm_err *err)
{
	static const char *const names[] = {"status", "stat", "limits", "cmdline", "comm", "cgroup", "auxv", "mountinfo", "exe", "numa_maps"};
	const char *base = strrchr(path, '/'), *ending;
	size_t whole = strlen(path);
	int rc = 0;

	base = base ? base + 1 : path;
	ending = strcmp(base, "smaps") == 0 || strcmp(base, "maps") == 0 ? base : strrchr(base, '.');
	for (size_t i = 0; rc >= 0 && i < 2 * ARRAY_LEN(names); i++) {
		size_t length = i % 2 ? whole : ending ? (size_t)(ending - path) : 0;
		char beside[4096];
		struct stat st;
		int fd;

		if ((i % 2 == 0 && !ending) || length + 16 > sizeof(beside))
			continue;
		snprintf(beside, sizeof(beside), "%.*s%s%s", (int)length, path, i % 2 || ending != base ? "." : "", names[i / 2]);
		fd = vmm_file_open_named(AT_FDCWD, beside, 0, &st);
		if (fd < 0)
			continue;
		rc = capture_add_fd(set, fd, names[i / 2], st.st_mtim, err);
		close(fd);
	}
	return rc;
}

int capture_load_bytes(struct capture_set *set, const void *bytes, size_t length, struct vmm_err *err)
{
	char *copy;

	if (packed(bytes, length) || is_tar(bytes, length) || !capture_text_probe(bytes, length))
		return capture_archive_bytes(set, bytes, length, err);
	copy = vmm_alloc_hook(NULL, length);
	if (!copy)
		return vmm_fail_nomem(err);
	memcpy(copy, bytes, length);
	return capture_add_text(set, "", copy, length, (struct timespec){0}, err);
}

int capture_load_file(struct capture_set *set, const char *path, struct vmm_err *err)
{
	VMM_CLEANUP_FD int fd = -1;
	char begin[CAPTURE_PROBE_BYTES], *bytes;
	struct stat st;
	size_t length;
	ssize_t n;
	int rc;

	fd = vmm_file_open_named(AT_FDCWD, path, 0, &st);
	if (fd < 0)
		return vmm_fail(err, errno == ENOENT ? VMM_E_NO_TARGET : linux_code(errno), errno, "%s: %s", path, strerror(errno));
	n = pread(fd, begin, sizeof(begin), 0);
	if (n <= 0 || is_tar(begin, (size_t)n) || packed((const unsigned char *)begin, (size_t)n))
		return capture_archive_fd(set, fd, err);
	rc = read_all(fd, &bytes, &length, err);
	if (rc >= 0)
		rc = capture_add_text(set, "", bytes, length, st.st_mtim, err);
	return rc < 0 ? rc : add_companions(set, path, err);
}
