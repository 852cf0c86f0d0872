/*
 * Random access to the bytes of a file, whatever way it is stored: plain, sparse, or compressed.
 * Layer: source. Used by one thread at a time.
 */
#ifndef VMM_SOURCE_BYTES_H
#define VMM_SOURCE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmmap/err.h"

struct vmm_bytes;

/*
 * Takes over a descriptor of a regular file, also when it fails. A compressed file (zstd, lz4, gzip, xz) is unpacked into
 * an unlinked temporary file below $TMPDIR or /var/tmp, as far as was asked for and no further; holes stay holes.
 * VMM_E_FORMAT: the compressed data are damaged from the beginning; VMM_E_OUTPUT: no room for the temporary file.
 */
int vmm_bytes_open(int fd, struct vmm_bytes **ret_bytes, struct vmm_err *err);
void vmm_bytes_close(struct vmm_bytes *b);

/*
 * Reads up to length bytes at offset. Fewer, or 0: the file ends there, or its compressed data are damaged there (then
 * vmm_bytes_damage() says so). VMM_E_IO, VMM_E_OUTPUT, VMM_E_NOMEM.
 */
int64_t vmm_bytes_read(struct vmm_bytes *b, uint64_t offset, void *ret_bytes, size_t length, struct vmm_err *err);
/* Size of the whole; of a compressed file only when it was unpacked to its end, or with force, which does that. */
bool vmm_bytes_size(struct vmm_bytes *b, bool force, uint64_t *ret_size);
/* Unpacks all that is not unpacked yet, so that size and damage are known. VMM_E_OUTPUT: no room for it; VMM_E_IO. */
int vmm_bytes_unpack(struct vmm_bytes *b, struct vmm_err *err);
/*
 * The first stretch [*ret_start, *ret_end) at or after offset that is no hole of the file; false: none. Of what is not
 * unpacked yet all counts as data.
 */
bool vmm_bytes_data(struct vmm_bytes *b, uint64_t offset, uint64_t *ret_start, uint64_t *ret_end);
/* "zstd", "lz4", "gzip", "xz"; "" for a plain file. */
const char *vmm_bytes_filter(const struct vmm_bytes *b);
/* What is wrong with the compressed data; NULL when nothing is known to be. */
const char *vmm_bytes_damage(const struct vmm_bytes *b);

#endif
