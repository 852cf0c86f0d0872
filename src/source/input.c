#include "source/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"

#define PIECE_BYTES (1u << 20)

/* What comes through a pipe does not tell when it was written: 0, which is unknown. */
static int forget_time(struct vmm_spool *spool, struct vmm_err *err)
{
	static const struct timespec unknown[2];
	int rc = vmm_spool_end(spool, err);

	return rc < 0 || futimens(spool->fd, unknown) == 0 ? rc : vmm_fail(err, VMM_E_IO, errno, "%s: %s", spool->folder, strerror(errno));
}

static int spool_all(struct vmm_spool *spool, struct vmm_err *err)
{
	VMM_CLEANUP_FREE unsigned char *piece = vmm_alloc_hook(NULL, PIECE_BYTES);
	int rc = piece ? 0 : vmm_fail_nomem(err);

	while (rc == 0) {
		ssize_t n = read(STDIN_FILENO, piece, PIECE_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vmm_fail(err, VMM_E_IO, errno, "standard input cannot be read: %s", strerror(errno));
		if (n == 0)
			return forget_time(spool, err);
		rc = vmm_spool_write(spool, piece, (size_t)n, err);
	}
	return rc;
}

int vmm_input_open(struct vmm_input *input, struct vmm_err *err)
{
	struct stat st;
	int rc;

	memset(input, 0, sizeof(*input));
	input->spool.fd = -1;
	if (isatty(STDIN_FILENO))
		return vmm_fail(err, VMM_E_USAGE, 0, "-: standard input is a terminal: give a core, a session or saved text in a pipe");
	if (fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode)) {
		snprintf(input->path, sizeof(input->path), "/proc/self/fd/%d", STDIN_FILENO);
		return 0;
	}
	rc = vmm_spool_open(&input->spool, err);
	if (rc == 0)
		rc = spool_all(&input->spool, err);
	if (rc == 0 && input->spool.size == 0)
		rc = vmm_fail(err, VMM_E_FORMAT, 0, "-: standard input is empty");
	if (rc < 0)
		vmm_input_done(input);
	else
		vmm_spool_path(&input->spool, input->path);
	return rc;
}

void vmm_input_done(struct vmm_input *input)
{
	vmm_spool_close(&input->spool);
}
