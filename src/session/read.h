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

#endif
