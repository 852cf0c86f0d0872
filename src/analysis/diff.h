/*
 * The parts that a diff is made of. Layer: analysis.
 */
#ifndef VMM_ANALYSIS_DIFF_H
#define VMM_ANALYSIS_DIFF_H

#include "base/arena.h"
#include "vmmap/diff.h"

/* Each fills its rows in the arena of d; pairs are those of the regions. False: out of memory. */
bool vmm__diff_heaps(struct vmm_diff *d, const struct vmm_pair *pairs, size_t count);
bool vmm__diff_classes(struct vmm_diff *d);
bool vmm__diff_threads(struct vmm_diff *d, const struct vmm_pair *pairs, size_t count);
bool vmm__diff_modules(struct vmm_diff *d, const struct vmm_pair *pairs, size_t count);
bool vmm__diff_identities(struct vmm_diff *d);
bool vmm__diff_limits(struct vmm_diff *d);

/* Grown, shrunk or otherwise changed, by the numbers that a thing has of its own. */
uint32_t vmm__diff_numbers(const struct vmm_metrics *a, const struct vmm_metrics *b);

#endif
