/* A session as a ring: the oldest snapshots go, and the file does not grow. */
#include "session/store.h"

int vmm_session_drop(struct vmm_session *session, const struct vmm_session_keep *keep, uint32_t *ret_dropped, struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "%.200s: snapshots cannot be dropped yet", session->path);
}
