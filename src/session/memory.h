/*
 * Contents of memory that a session keeps: which pages were there, and the bytes of some of them.
 * Layer: session. Everything read is checked.
 *
 * Bytes are kept in granules of 64 KiB, cut into 16 pages of 4 KiB whatever the target's page size is; a bit for each page
 * says whether it is there. Page runs are those of the target's pages(), for all of its mappings.
 */
#ifndef VMM_SESSION_MEMORY_H
#define VMM_SESSION_MEMORY_H

#include "model/target.h"
#include "vmmap/session.h"

#define VMM_GRANULE_BYTES UINT64_C(65536)
#define VMM_GRANULE_PAGE UINT64_C(4096)

enum vmm_codec {
	VMM_CODEC_RAW,
	VMM_CODEC_ZSTD,
};

/* Bits of snapshot.contents. */
enum vmm_contents {
	VMM_CONTENTS_KEPT = 1,
	VMM_CONTENTS_RESIDENCY_UNKNOWN = 2, /* vmm_target.residency_unknown of what it was taken of */
};

/* The bytes of a granule as they were before they were packed: VMM_GRANULE_BYTES of room. False: they are not `want` many. */
bool vmm_granule_unpack(int64_t codec, const void *data, size_t length, unsigned char *ret, size_t want);

struct vmm_stored;

/* What a snapshot has; *ret is NULL when it has none. The session has to outlive it. VMM_E_FORMAT, VMM_E_NOMEM, ... */
int vmm_stored_open(struct vmm_session *session, uint32_t number, struct vmm_stored **ret, struct vmm_err *err);
/* NULL is allowed. */
void vmm_stored_close(struct vmm_stored *stored);
bool vmm_stored_residency_unknown(const struct vmm_stored *stored);
/* As the ops of a target. */
int vmm_stored_pages(struct vmm_stored *stored, uint64_t start, uint64_t end, uint32_t flags, vmm_page_fn fn, void *arg);
/* Bytes read until the first one that is not kept; 0: not even the first. */
int64_t vmm_stored_read(struct vmm_stored *stored, uint64_t address, void *ret_bytes, size_t length, struct vmm_err *err);
/* What the page at an address was (enum vmm_page bits); 0: nothing. */
uint32_t vmm_stored_page(const struct vmm_stored *stored, uint64_t address);
/* Bytes of [start, end) that are kept. */
uint64_t vmm_stored_bytes(const struct vmm_stored *stored, uint64_t start, uint64_t end);

#endif
