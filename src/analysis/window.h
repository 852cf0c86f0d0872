/*
 * Reading small pieces of memory at mostly rising addresses: a window that is filled with one look at the page map and
 * one read for each run. Only present pages are read.
 * Layer: analysis.
 */
#ifndef VMM_ANALYSIS_WINDOW_H
#define VMM_ANALYSIS_WINDOW_H

#include "model/target.h"

#define VMM_WINDOW_BYTES (512 * 1024)
#define VMM_WINDOW_PIECE 4096 /* longest piece */

struct vmm_window {
	struct vmm_target *target;
	uint64_t start, end; /* what is held; equal: nothing */
	size_t reach;        /* bytes that the next filling takes: more as long as addresses rise */
	unsigned char *bytes; /* VMM_WINDOW_BYTES */
	bool present[VMM_WINDOW_BYTES / 4096];
	bool gone;           /* the target, or the right to read it */
};

/* False: out of memory. vmm_window_done() in any case. */
bool vmm_window_init(struct vmm_window *w, struct vmm_target *target);
void vmm_window_done(struct vmm_window *w);
/*
 * length bytes (at most VMM_WINDOW_PIECE) at address, of memory that ends at limit; valid until the next call. NULL:
 * not all of them are present.
 */
const unsigned char *vmm_window_get(struct vmm_window *w, uint64_t address, size_t length, uint64_t limit);

#endif
