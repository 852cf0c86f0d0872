/*
 * Differences between two snapshots: of one target at two moments, or of two targets.
 * Everything here belongs to the caller once made, and points into the two snapshots, which must outlive it.
 */
#ifndef VMMAP_DIFF_H
#define VMMAP_DIFF_H

#include "vmmap/err.h"
#include "vmmap/snapshot.h"

/* A region here and its other self there; VMM_NONE: it is new (a) or gone (b). */
struct vmm_pair {
	uint32_t a, b; /* indexes in the regions of the two snapshots */
};

/*
 * Matches regions by what they are: the same image, file, stack of a thread, part of a heap's arena, or a mapping that
 * grew, shrank or moved. Each region of both is in exactly one pair; sorted by address (b's where there is one).
 * *ret_pairs: free(). Linear in the number of regions but for sorting.
 */
int vmm_match_regions(const struct vmm_snapshot *a, const struct vmm_snapshot *b, struct vmm_pair **ret_pairs, size_t *ret_count,
                      struct vmm_err *err);

#endif
