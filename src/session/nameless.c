/*
 * Sessions in a file without a name, to which /proc/self/fd/N alone leads: SQLite resolves that link and finds nothing.
 * Nobody else can open such a file: it is read as it stands, without locks, and without a journal, which needs a name.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "session/store.h"

struct nameless_file {
	sqlite3_file base; /* first, so that SQLite's pointer is ours */
	int fd;
};

static int file_close(sqlite3_file *f)
{
	vmm_close_fd(&((struct nameless_file *)f)->fd);
	return SQLITE_OK;
}

static int file_read(sqlite3_file *f, void *ret, int length, sqlite3_int64 offset)
{
	size_t wanted = length > 0 ? (size_t)length : 0;
	char *at = ret;

	while (wanted) {
		ssize_t n = pread(((struct nameless_file *)f)->fd, at, wanted, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return SQLITE_IOERR_READ;
		if (n == 0) {
			memset(at, 0, wanted);
			return SQLITE_IOERR_SHORT_READ;
		}
		at += n;
		offset += n;
		wanted -= (size_t)n;
	}
	return SQLITE_OK;
}

static int file_write(sqlite3_file *f, const void *data, int length, sqlite3_int64 offset)
{
	(void)f;
	(void)data;
	(void)length;
	(void)offset;
	return SQLITE_READONLY;
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	(void)f;
	(void)size;
	return SQLITE_READONLY;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	struct stat st;

	if (fstat(((struct nameless_file *)f)->fd, &st) < 0)
		return SQLITE_IOERR_FSTAT;
	*ret = st.st_size;
	return SQLITE_OK;
}

/* Of xSync, xLock and xUnlock: there is nothing to do. */
static int file_nothing(sqlite3_file *f, int what)
{
	(void)f;
	(void)what;
	return SQLITE_OK;
}

static int file_reserved(sqlite3_file *f, int *ret)
{
	(void)f;
	*ret = 0;
	return SQLITE_OK;
}

static int file_control(sqlite3_file *f, int op, void *arg)
{
	(void)f;
	(void)op;
	(void)arg;
	return SQLITE_NOTFOUND;
}

static int file_sector(sqlite3_file *f)
{
	(void)f;
	return 4096;
}

static int file_traits(sqlite3_file *f)
{
	(void)f;
	return SQLITE_IOCAP_IMMUTABLE;
}

static const sqlite3_io_methods file_methods = {
	.iVersion = 1,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_nothing,
	.xFileSize = file_size,
	.xLock = file_nothing,
	.xUnlock = file_nothing,
	.xCheckReservedLock = file_reserved,
	.xFileControl = file_control,
	.xSectorSize = file_sector,
	.xDeviceCharacteristics = file_traits,
};

struct vmm_nameless {
	sqlite3_vfs vfs;    /* first, so that SQLite's pointer is ours */
	sqlite3_vfs *other; /* for temporary files; ours is like it in all that is not said here */
	char name[40];
};

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *ret_flags)
{
	sqlite3_vfs *other = ((struct vmm_nameless *)vfs)->other;
	struct nameless_file *file = (struct nameless_file *)f;

	if (!(flags & SQLITE_OPEN_MAIN_DB))
		return other->xOpen(other, path, f, flags, ret_flags);
	f->pMethods = NULL;
	file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (file->fd < 0)
		return SQLITE_CANTOPEN;
	f->pMethods = &file_methods;
	if (ret_flags)
		*ret_flags = (flags & ~SQLITE_OPEN_READWRITE) | SQLITE_OPEN_READONLY;
	return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int size, char *ret)
{
	size_t length = strlen(path);

	(void)vfs;
	if (size <= 0 || length >= (size_t)size)
		return SQLITE_CANTOPEN;
	memcpy(ret, path, length + 1);
	return SQLITE_OK;
}

int vmm_nameless_open(const char *path, struct vmm_nameless **ret, struct vmm_err *err)
{
	sqlite3_vfs *other = sqlite3_vfs_find(NULL);
	struct vmm_nameless *n;
	struct stat st;

	*ret = NULL;
	if (!other || stat(path, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 0)
		return 0;
	n = vmm_alloc_hook(NULL, sizeof(*n));
	if (!n)
		return vmm_fail_nomem(err);
	n->vfs = *other;
	n->other = other;
	snprintf(n->name, sizeof(n->name), "vmmap-%llx", (unsigned long long)(uintptr_t)n);
	n->vfs.pNext = NULL;
	n->vfs.zName = n->name;
	n->vfs.szOsFile = other->szOsFile > (int)sizeof(struct nameless_file) ? other->szOsFile : (int)sizeof(struct nameless_file);
	n->vfs.xOpen = vfs_open;
	n->vfs.xFullPathname = vfs_full_path;
	if (sqlite3_vfs_register(&n->vfs, 0) != SQLITE_OK) {
		free(n);
		return vmm_fail_nomem(err);
	}
	*ret = n;
	return 0;
}

const char *vmm_nameless_vfs(const struct vmm_nameless *n)
{
	return n ? n->name : NULL;
}

void vmm_nameless_close(struct vmm_nameless *n)
{
	if (n)
		sqlite3_vfs_unregister(&n->vfs);
	free(n);
}
