/*
 * What moved between two snapshots of one target, as text for the live view.
 * Layer: face.
 */
#ifndef VMM_FACE_MOVED_H
#define VMM_FACE_MOVED_H

#include "face/look.h"

/* One region that changed, appeared (old NULL) or vanished (now NULL). */
struct vmm_move {
	const struct vmm_region *old, *now;
	bool known;                  /* committed and rss were known both times */
	int64_t committed, rss, size; /* bytes, now less old; saturated */
};

/*
 * The regions that differ, most moved first: by the larger of the changes of committed and rss, then size. A region is
 * the same when kind and path are and the addresses overlap. *ret_moves is to be freed. VMM_E_NOMEM.
 */
int vmm_moves_find(const struct vmm_snapshot *old, const struct vmm_snapshot *now, struct vmm_move **ret_moves,
                   size_t *ret_count, struct vmm_err *err);

/* The change per kind, then the regions that moved most, at most top of them. */
int vmm_moves_emit(struct vmm_out *out, const struct vmm_look *look, const struct vmm_snapshot *old,
                   const struct vmm_snapshot *now, size_t top, struct vmm_err *err);

#endif
