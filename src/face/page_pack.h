/*
 * The data of a page: JSON that is fed in pieces, packed (gzip, base64) where libarchive is there, plain otherwise.
 * Layer: face. One thread.
 */
#ifndef VMM_FACE_PAGE_PACK_H
#define VMM_FACE_PAGE_PACK_H

#include "base/out.h"

struct vmm_page_pack;

/* Opens the element with this id in out, which must outlive it. *ret_pack: vmm_page_pack_close(). VMM_E_NOMEM, VMM_E_IO. */
int vmm_page_pack_open(struct vmm_out *out, const char *id, struct vmm_page_pack **ret_pack, struct vmm_err *err);
void vmm_page_pack_bytes(struct vmm_page_pack *pack, const char *json, size_t length);
void vmm_page_pack_text(struct vmm_page_pack *pack, const char *json);
/* Feeds what was written into memory, and destroys it. VMM_E_NOMEM when its memory was out. */
int vmm_page_pack_memory(struct vmm_page_pack *pack, struct vmm_out *memory, struct vmm_err *err);
/* Closes the element. The first error of all calls; of the output itself vmm_out_finish() tells. NULL is allowed. */
int vmm_page_pack_close(struct vmm_page_pack *pack, struct vmm_err *err);

#endif
