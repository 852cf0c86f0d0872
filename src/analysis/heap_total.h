/*
 * All heaps as one.
 * Layer: analysis.
 */
#ifndef VMM_ANALYSIS_HEAP_TOTAL_H
#define VMM_ANALYSIS_HEAP_TOTAL_H

#include "base/arena.h"
#include "vmmap/err.h"
#include "vmmap/snapshot.h"

/*
 * Adds up the heaps of a snapshot, or takes the one with this id (NULL: all). *ret_heap and what it points to lie in
 * the arena. Its contents are those of the proved heaps, NULL when there is none; proved says whether that is all of
 * them, so contents without proved are lower bounds. VMM_E_NOMEM.
 */
int vmm_heaps_total(const struct vmm_snapshot *s, const char *id, struct vmm_arena *arena,
                    const struct vmm_heap **ret_heap, struct vmm_err *err);
/* Whether heap i is the one with this id; NULL: any is. */
bool vmm_heap_is(const struct vmm_heap *heap, const char *id);

/* What the heaps add up to against sizes and resident bytes of their regions. False: no heap is proved. */
struct vmm_heap_accounts {
	struct vmm_account size, rss; /* without explanation */
};
bool vmm_heap_accounts(const struct vmm_heap *heap, struct vmm_heap_accounts *ret);

#endif
