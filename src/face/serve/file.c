/*
 * A file that a client of vmmap serve sends, to be opened as if it had been named on the command line. It has no name, so
 * that nothing of it stays however the server ends; it can be opened as long as it is held.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/arena.h"
#include "base/err.h"
#include "face/serve/serve.h"
#include "source/spool.h"

#define SPARE_BYTES (UINT64_C(1) << 30) /* of the disk, besides a tenth of it */

struct srv_file {
	struct vmm_spool spool;
	char path[VMM_SPOOL_PATH];
	uint64_t size;
	struct vmm_err failed; /* why it cannot be written; then the spool has no descriptor */
};

/* The largest file that leaves others of the disk their room. */
static uint64_t room_of(const struct vmm_spool *spool)
{
	struct statvfs fs;
	uint64_t unit, left, spare;

	if (fstatvfs(spool->fd, &fs) != 0)
		return 0;
	unit = fs.f_frsize ? fs.f_frsize : fs.f_bsize;
	left = (uint64_t)fs.f_bavail * unit;
	spare = (uint64_t)fs.f_blocks / 10 * unit + SPARE_BYTES;
	return left > spare ? left - spare : 0;
}

int srv_file_begin(uint64_t size, struct srv_file **ret, struct vmm_err *err)
{
	struct srv_file *f;

	if (size > SRV_FILE_MAX)
		return vmm_fail(err, VMM_E_LIMIT, 0, "a file may have 16 GiB at most: name it on the command line");
	f = vmm_alloc_hook(NULL, sizeof(*f));
	if (!f)
		return vmm_fail_nomem(err);
	memset(f, 0, sizeof(*f));
	f->size = size;
	f->spool.fd = -1;
	if (vmm_spool_open(&f->spool, &f->failed) == 0 && size > room_of(&f->spool)) {
		(void)vmm_fail(&f->failed, VMM_E_OUTPUT, 0, "%s: no room for this file, as a tenth of the disk and 1 GiB stay free; set TMPDIR to a folder with more room",
		               f->spool.folder);
		vmm_spool_close(&f->spool);
	}
	vmm_spool_path(&f->spool, f->path);
	*ret = f;
	return 0;
}

void srv_file_put(struct srv_file *f, const char *bytes, size_t length)
{
	if (f->spool.fd < 0)
		return;
	if (length > f->size - f->spool.size)
		(void)vmm_fail(&f->failed, VMM_E_OUTPUT, 0, "more bytes than were announced");
	else if (vmm_spool_write(&f->spool, bytes, length, &f->failed) == 0)
		return;
	/* Without it the rest that comes is of no account; what is there makes room at once. */
	vmm_spool_close(&f->spool);
}

int srv_file_end(struct srv_file *f, struct vmm_err *err)
{
	if (f->spool.fd < 0) {
		*err = f->failed;
		return err->code;
	}
	if (f->spool.size != f->size)
		return vmm_fail(err, VMM_E_OUTPUT, 0, "fewer bytes than were announced");
	return vmm_spool_end(&f->spool, err);
}

const char *srv_file_path(const struct srv_file *f)
{
	return f->path;
}

void srv_file_close(struct srv_file *f)
{
	if (f)
		vmm_spool_close(&f->spool);
	free(f);
}

void srv_file_name(const struct srv_file *f, const char *name, struct vmm_err *err)
{
	const char *at = f && name ? strstr(err->text, f->path) : NULL;
	char rest[sizeof(err->text)];

	if (!at)
		return;
	snprintf(rest, sizeof(rest), "%s", at + strlen(f->path));
	(void)vmm_fail(err, err->code, err->os, "%.*s%.200s%s", (int)(at - err->text), err->text, name, rest);
}
