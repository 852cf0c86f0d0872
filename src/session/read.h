/*
 * A snapshot out of a session, without what an analysis derives from it.
 * Layer: session.
 */
#ifndef VMM_SESSION_READ_H
#define VMM_SESSION_READ_H

#include "vmmap/session.h"

/*
 * Fills a fresh snapshot (vmm_snapshot_create) with everything but gaps, totals and accounts. After an error it is good
 * for nothing but vmm_snapshot_destroy(). VMM_E_NO_TARGET: no such number; VMM_E_FORMAT; VMM_E_NOMEM; VMM_E_IO.
 */
int vmm_session_read(struct vmm_session *session, uint32_t number, struct vmm_snapshot *snapshot, struct vmm_err *err);

/*
 * A walk through the snapshots of one target by rising numbers: what holds on from the one before is not read again. Any other
 * order works too, and is as dear as reading each by itself. It has to go before its session; snapshots may outlive it.
 */
struct vmm_walk;
int vmm_walk_create(struct vmm_session *session, struct vmm_walk **ret_walk, struct vmm_err *err);
/* NULL is allowed. */
void vmm_walk_destroy(struct vmm_walk *walk);
/* As vmm_session_read(); walk may be NULL. */
int vmm_session_read_on(struct vmm_session *session, struct vmm_walk *walk, uint32_t number, struct vmm_snapshot *snapshot, struct vmm_err *err);

#endif
