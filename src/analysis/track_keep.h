/*
 * What tracks.c and track_*.c share: tracks as they are kept, and the sorts among them.
 * Layer: analysis. False and NULL: out of memory.
 */
#ifndef VMM_ANALYSIS_TRACK_KEEP_H
#define VMM_ANALYSIS_TRACK_KEEP_H

#include "analysis/tracks.h"

/* Nothing, known to be so. */
struct vmm_track_values vmm_track_zero(const struct vmm_tracks *t);
struct vmm_track_values vmm_track_values_of(const struct vmm_tracks *t, const struct vmm_metrics *m, uint64_t regions);
void vmm_track_values_add(const struct vmm_tracks *t, struct vmm_track_values *sum, const struct vmm_track_values *part);
/* What the track has now, as from this look on; nothing when that is what it had. */
bool vmm_track_put_point(struct vmm_track *track, uint32_t look);

/* A track without points; moves the others. */
struct vmm_track *vmm_track_add(struct vmm_tracks *t, enum vmm_track_level level, uint32_t *ret_index);
/* Its index is free for another. */
bool vmm_track_drop(struct vmm_tracks *t, uint32_t index);

/* What makes a sort; stem is interned. */
struct vmm_track_key {
	enum vmm_track_level level;
	enum vmm_kind kind;
	uint8_t prot;
	const char *stem;
	uint64_t each;
	uint32_t parent;
};
bool vmm_track_is_sort(const struct vmm_track *track);
/* The track of a sort, made when there is none; VMM_NONE when there are too many. */
bool vmm_track_sort(struct vmm_tracks *t, const struct vmm_track_key *k, uint32_t *ret_index);
/* The name of a region's sort: the same pointer for equal ones. NULL with *ret_full set: there are too many. */
const char *vmm_track_stem_of(struct vmm_tracks *t, const struct vmm_snapshot *s, const struct vmm_region *r, bool *ret_full);

#endif
