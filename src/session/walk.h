/*
 * What a walk through snapshots (session/read.h) keeps from one to the next.
 * Layer: session.
 */
#ifndef VMM_SESSION_WALK_H
#define VMM_SESSION_WALK_H

#include "session/decode.h"
#include "session/read.h"

/* Within the transaction, when d->target is known: sees whether what is kept may be used, and sets d->names. 0 or an error. */
int vmm_walk_begin(struct vmm_walk *w, struct vmm_decode *d);
/* Whether the rows of a table are kept. */
bool vmm_walk_keeps(enum vmm_session_table table);
/* How many numbers mapping.extra has now: with another count than before mappings are read anew. */
void vmm_walk_extra(struct vmm_walk *w, uint32_t count);
/* The records of a table by rising key, an array of the snapshot's; what they point to is not to be changed. NULL sets d->rc. */
void *vmm_walk_table(struct vmm_decode *d, enum vmm_session_table table, size_t size, uint32_t *ret_count);
/* After a failure nothing is kept. */
void vmm_walk_end(struct vmm_walk *w, const struct vmm_decode *d);

#endif
