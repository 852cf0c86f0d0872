/*
 * A file that a client of vmmap serve sends, to be opened as if it had been named on the command line. It stands in a folder
 * of its own that nobody else may enter, under a name of ours, as long as it is shown.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/out.h"
#include "face/cli.h"
#include "face/serve.h"

#define FILE_NAME "/file"
#define SPARE_BYTES (UINT64_C(1) << 30) /* of the disk, besides a tenth of it */

/* A fresh folder in this one; NULL: errno. */
static char *make_folder(const char *in)
{
	char *folder = vmm_output_name(in, "/vmmap-file-XXXXXX");
	int os;

	if (folder && mkdtemp(folder))
		return folder;
	os = folder ? errno : ENOMEM;
	free(folder);
	errno = os;
	return NULL;
}

/* The largest file that leaves others of the disk their room. */
static uint64_t room_in(const char *folder)
{
	struct statvfs fs;
	uint64_t unit, left, spare;

	if (statvfs(folder, &fs) != 0)
		return 0;
	unit = fs.f_frsize ? fs.f_frsize : fs.f_bsize;
	left = (uint64_t)fs.f_bavail * unit;
	spare = (uint64_t)fs.f_blocks / 10 * unit + SPARE_BYTES;
	return left > spare ? vmm_min_u64(left - spare, SRV_FILE_MAX) : 0;
}

int srv_file_begin(struct srv_file *f, uint64_t size)
{
	const char *in = secure_getenv("TMPDIR");
	bool chosen = in && *in;
	char *folder;

	f->fd = -1;
	f->size = size;
	if (size > SRV_FILE_MAX)
		return 413;
	folder = make_folder(chosen ? in : "/var/tmp");
	if (!folder && !chosen)
		folder = make_folder("/tmp");
	if (!folder)
		return 507;
	f->path = vmm_output_name(folder, FILE_NAME);
	if (!f->path)
		rmdir(folder);
	else if (size <= room_in(folder))
		f->fd = open(f->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	free(folder);
	return f->fd < 0 ? 507 : 0;
}

void srv_file_put(struct srv_file *f, const char *bytes, size_t length)
{
	while (length && f->fd >= 0) {
		ssize_t n = f->written + length <= f->size ? write(f->fd, bytes, length) : -1;

		if (n < 0 && errno == EINTR && f->written + length <= f->size)
			continue;
		/* Without it the rest that comes is of no account; what is there makes room at once. */
		if (n <= 0) {
			srv_file_drop(f);
			return;
		}
		f->written += (uint64_t)n;
		bytes += n;
		length -= (size_t)n;
	}
}

bool srv_file_end(struct srv_file *f)
{
	bool whole = f->fd >= 0 && f->written == f->size;

	/* Some file systems say only now that there was no room. */
	if (f->fd >= 0 && close(f->fd) != 0)
		whole = false;
	f->fd = -1;
	return whole;
}

void srv_file_drop(struct srv_file *f)
{
	(void)srv_file_end(f);
	srv_file_remove(f->path);
	f->path = NULL;
}

void srv_file_remove(char *path)
{
	char *end = path ? strrchr(path, '/') : NULL;
	struct dirent *e;
	DIR *folder;

	if (end) {
		*end = '\0';
		/* Who opened it may have left files beside it. */
		folder = opendir(path);
		while (folder && (e = readdir(folder)) != NULL)
			if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
				unlinkat(dirfd(folder), e->d_name, 0);
		if (folder)
			closedir(folder);
		rmdir(path);
	}
	free(path);
}

void srv_file_name(const char *path, const char *name, struct vmm_err *err)
{
	const char *at = path && name ? strstr(err->text, path) : NULL;
	char rest[sizeof(err->text)];

	if (!at)
		return;
	snprintf(rest, sizeof(rest), "%s", at + strlen(path));
	(void)vmm_fail(err, err->code, err->os, "%.*s%.200s%s", (int)(at - err->text), err->text, name, rest);
}
