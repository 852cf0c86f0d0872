/* Temporary files without a name. */
#include "source/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/base.h"
#include "base/err.h"

#define HOLE_BYTES 4096u

/* O_TMPFILE is not known to every file system (NFS, older overlays). */
static int open_in(const char *folder)
{
	char name[4096];
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd;
	if ((size_t)snprintf(name, sizeof(name), "%s/vmmap-XXXXXX", folder) >= sizeof(name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	return fd;
}

int vmm_spool_open(struct vmm_spool *spool, struct vmm_err *err)
{
	const char *folder = secure_getenv("TMPDIR");
	bool chosen = folder && *folder;
	struct rlimit limit;
	int fd;

	folder = chosen ? folder : "/var/tmp";
	fd = open_in(folder);
	if (fd < 0 && !chosen) {
		folder = "/tmp";
		fd = open_in(folder);
	}
	if (fd < 0)
		return vmm_fail(err, VMM_E_OUTPUT, errno, "no temporary file in %s: %s; set TMPDIR to a folder that can be written",
		                folder, strerror(errno));
	/* Going over it would not only fail but kill: SIGXFSZ. */
	if (getrlimit(RLIMIT_FSIZE, &limit) != 0)
		limit.rlim_cur = RLIM_INFINITY;
	*spool = (struct vmm_spool){.fd = fd, .folder = folder,
	                            .limit = limit.rlim_cur == RLIM_INFINITY ? INT64_MAX : vmm_min_u64(limit.rlim_cur, INT64_MAX)};
	return 0;
}

void vmm_spool_close(struct vmm_spool *spool)
{
	if (spool->fd >= 0)
		close(spool->fd);
	spool->fd = -1;
}

static int no_room(const struct vmm_spool *spool, int os, struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_OUTPUT, os, "%s: %s after %llu MiB; set TMPDIR to a folder with more room", spool->folder,
	                os == EFBIG ? "a file may not grow further (ulimit -f)" : strerror(os), (unsigned long long)(spool->size >> 20));
}

static bool is_zero(const unsigned char *p, size_t length)
{
	return p[0] == 0 && memcmp(p, p + 1, length - 1) == 0;
}

static int put(const struct vmm_spool *spool, uint64_t offset, const unsigned char *p, size_t length, struct vmm_err *err)
{
	while (length > 0) {
		ssize_t n = pwrite(spool->fd, p, length, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return no_room(spool, n < 0 ? errno : ENOSPC, err);
		p += n;
		offset += (uint64_t)n;
		length -= (size_t)n;
	}
	return 0;
}

int vmm_spool_write(struct vmm_spool *spool, const void *bytes, size_t length, struct vmm_err *err)
{
	const unsigned char *p = bytes;
	size_t done = 0, pending = 0; /* [pending, done) is to be written */
	int rc = 0;

	if (length > spool->limit - spool->size)
		return no_room(spool, EFBIG, err);
	while (done < length && rc == 0) {
		size_t part = vmm_min_u64(length - done, HOLE_BYTES - (spool->size + done) % HOLE_BYTES);

		if (is_zero(p + done, part)) {
			rc = put(spool, spool->size + pending, p + pending, done - pending, err);
			pending = done + part;
		}
		done += part;
	}
	if (rc == 0)
		rc = put(spool, spool->size + pending, p + pending, done - pending, err);
	if (rc == 0)
		spool->size += length;
	return rc;
}

int vmm_spool_end(struct vmm_spool *spool, struct vmm_err *err)
{
	/* Network file systems say only when a descriptor is closed that there was no room. */
	int again = ftruncate(spool->fd, (off_t)spool->size) == 0 ? fcntl(spool->fd, F_DUPFD_CLOEXEC, 0) : -1;

	return again >= 0 && close(again) == 0 ? 0 : no_room(spool, errno, err);
}

void vmm_spool_path(const struct vmm_spool *spool, char ret[VMM_SPOOL_PATH])
{
	snprintf(ret, VMM_SPOOL_PATH, "/proc/self/fd/%d", spool->fd);
}

int64_t vmm_spool_read(const struct vmm_spool *spool, uint64_t offset, void *ret_bytes, size_t length, struct vmm_err *err)
{
	size_t done = 0;

	if (offset >= spool->size)
		return 0;
	length = vmm_min_u64(length, spool->size - offset);
	while (done < length) {
		ssize_t n = pread(spool->fd, (char *)ret_bytes + done, length - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vmm_fail(err, VMM_E_IO, errno, "a temporary file in %s cannot be read: %s", spool->folder, strerror(errno));
		if (n == 0) /* zeros at the end that vmm_spool_end() did not give it yet */
			memset((char *)ret_bytes + done, 0, length - done);
		done = n == 0 ? length : done + (size_t)n;
	}
	return (int64_t)done;
}
