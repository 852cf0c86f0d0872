/*
 * A temporary file without a name, filled from its beginning to its end; zero pages become holes.
 * Layer: source. Used by one thread at a time. It goes when it is closed, also when the process dies.
 */
#ifndef VMM_SOURCE_SPOOL_H
#define VMM_SOURCE_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmmap/err.h"

struct vmm_spool {
	int fd;             /* -1: none */
	const char *folder; /* $TMPDIR, or /var/tmp, or /tmp where that cannot be written; lives as the environment does */
	uint64_t size;      /* what was written, zeros included; the file itself may be shorter until vmm_spool_end() */
	uint64_t limit;     /* of the size of any file of this process */
};

#define VMM_SPOOL_PATH 32 /* bytes of a path */

/* VMM_E_OUTPUT: no folder takes it. */
int vmm_spool_open(struct vmm_spool *spool, struct vmm_err *err);
/* Ignores one with fd -1. */
void vmm_spool_close(struct vmm_spool *spool);
/* Appends. VMM_E_OUTPUT: no room; size then still is what was written before this call. */
int vmm_spool_write(struct vmm_spool *spool, const void *bytes, size_t length, struct vmm_err *err);
/* Gives the file its full size, and finds out whether all of it stands there: VMM_E_OUTPUT. */
int vmm_spool_end(struct vmm_spool *spool, struct vmm_err *err);
/* By which this process can open it until it is closed. */
void vmm_spool_path(const struct vmm_spool *spool, char ret[VMM_SPOOL_PATH]);
/* Reads up to length bytes below size; fewer at the end. VMM_E_IO. */
int64_t vmm_spool_read(const struct vmm_spool *spool, uint64_t offset, void *ret_bytes, size_t length, struct vmm_err *err);

#endif
