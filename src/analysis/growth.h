/*
 * Growth from snapshots that are at hand, and loading them.
 * Layer: analysis.
 */
#ifndef VMM_ANALYSIS_GROWTH_H
#define VMM_ANALYSIS_GROWTH_H

#include "analysis/tracks.h"

/* Tracks with the metrics that growth is asked about; vmm_tracks_done(). */
int vmm_growth_start(struct vmm_tracks *t, struct vmm_err *err);
/* What was added to them. The result keeps nothing of them; target and snapshots in it are the caller's to set. */
int vmm_growth_of(const struct vmm_tracks *t, struct vmm_growth **ret_growth, struct vmm_err *err);

/*
 * Adds most (0: as many as suit their size) of the snapshots at these places of the index, evenly spread, with the
 * first and the last.
 */
int vmm_tracks_load(struct vmm_tracks *t, struct vmm_session *session, const struct vmm_session_index *index,
		    const uint32_t *entries, size_t count, uint32_t most, const struct vmm_track_filter *filter,
		    struct vmm_err *err);

#endif
