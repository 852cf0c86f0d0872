/*
 * What the pages of a target are, in the words of the page, and which mappings may be read at all.
 * Layer: face. Everything here is const: thread-safe.
 */
#ifndef VMM_FACE_PAGE_RUNS_H
#define VMM_FACE_PAGE_RUNS_H

#include "vmmap/vmmap.h"

#define VMM_RUN_PAGE 4096 /* what the pages() of targets counts in */

/* What a page is, in one word: what keeps it from being read before what it is made of. what: of struct vmm_page_run. */
const char *vmm_page_state(uint32_t what);
/* Whether a mapping's pages are memory: reading a device may do things. */
bool vmm_page_memory(const struct vmm_vma *v);

#endif
