/*
 * What growth.c and growth_find.c share: tracks that may be told of.
 * Layer: analysis.
 */
#ifndef VMM_ANALYSIS_GROWTH_FIND_H
#define VMM_ANALYSIS_GROWTH_FIND_H

#include "analysis/tracks.h"

/* A track that may be told about. */
struct vmm_growth_candidate {
	uint32_t track;
	enum vmm_growth_measure lead;
	struct vmm_trend measures[VMM_GROWTH_MEASURES];
	bool dropped;
	uint32_t carrier; /* place in v of what carries the growth of a heap or sort; VMM_NONE */
};

struct vmm_growth_finder {
	const struct vmm_tracks *t;
	struct vmm_sample *samples; /* room for one at each look; the caller's */
	struct vmm_growth_candidate *v; /* heap array, the caller frees it also after a failure */
	size_t count, capacity;
};

/* Fills v. *ret_cut is set where there were too many to ask all for their trends. VMM_E_NOMEM. */
int vmm_growth_candidates(struct vmm_growth_finder *f, bool *ret_cut, struct vmm_err *err);

#endif
