#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "face/cli.h"

char *vmm_output_name(const char *path, const char *ending)
{
	size_t n = strlen(path) + strlen(ending) + 1;
	char *text = vmm_alloc_hook(NULL, n);

	if (text)
		snprintf(text, n, "%s%s", path, ending);
	return text;
}

static int fail_open(const char *path, struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_OUTPUT, errno, "%s: cannot write: %s", path, strerror(errno));
}

/* A new file beside o->path with the mode that the finished file shall have. */
static int open_temporary(struct vmm_output *o, const struct stat *old, struct vmm_err *err)
{
	mode_t mask = umask(0);

	umask(mask);
	o->temporary = vmm_output_name(o->path, ".XXXXXX");
	if (!o->temporary)
		return vmm_fail_nomem(err);
	o->fd = mkostemp(o->temporary, O_CLOEXEC);
	if (o->fd < 0) {
		free(o->temporary);
		o->temporary = NULL;
		return fail_open(o->path, err);
	}
	/* A failure leaves the mode 0600: private, and still what was asked for. */
	(void)!fchmod(o->fd, old ? old->st_mode & 0777 : 0666 & ~mask);
	return 0;
}

/* Where path leads: a name to be replaced, or something to be written to as it is. */
static int open_path(struct vmm_output *o, const char *path, struct vmm_err *err)
{
	struct stat st;
	bool exists = stat(path, &st) == 0;

	if (exists && S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return fail_open(path, err);
	}
	if (exists && S_ISREG(st.st_mode)) {
		/* Through symbolic links, so that what they point at is replaced and not the link. */
		o->path = realpath(path, NULL);
		return o->path ? open_temporary(o, &st, err) : fail_open(path, err);
	}
	if (!exists) {
		o->path = vmm_output_name(path, "");
		return o->path ? open_temporary(o, NULL, err) : vmm_fail_nomem(err);
	}
	o->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	return o->fd < 0 ? fail_open(path, err) : 0;
}

int vmm_output_open(struct vmm_output *o, const char *path, struct vmm_err *err)
{
	int code = 0;

	memset(o, 0, sizeof(*o));
	o->fd = STDOUT_FILENO;
	if (path) {
		o->fd = -1;
		code = open_path(o, path, err);
	}
	if (code == 0) {
		o->out = vmm_out_create(o->fd);
		if (!o->out)
			code = vmm_fail_nomem(err);
	}
	if (code < 0)
		vmm_output_close(o, false, NULL);
	return code;
}

int vmm_output_close(struct vmm_output *o, bool keep, struct vmm_err *err)
{
	struct vmm_err own;
	int code;

	code = vmm_out_finish(o->out, &own);
	if (code < 0 && own.os == EPIPE)
		code = 0; /* the reader has seen enough */
	else if (code < 0)
		code = vmm_fail(err, VMM_E_OUTPUT, own.os, "%s: cannot write: %s", o->path ? o->path : "standard output",
		                strerror(own.os));
	if (o->fd > STDERR_FILENO && close(o->fd) < 0 && code == 0)
		code = vmm_fail(err, VMM_E_OUTPUT, errno, "%s: cannot write: %s", o->path ? o->path : "output",
		                strerror(errno));
	if (o->temporary && (code < 0 || !keep))
		unlink(o->temporary);
	else if (o->temporary && rename(o->temporary, o->path) < 0) {
		code = fail_open(o->path, err);
		unlink(o->temporary);
	}
	free(o->path);
	free(o->temporary);
	memset(o, 0, sizeof(*o));
	o->fd = -1;
	return code;
}
