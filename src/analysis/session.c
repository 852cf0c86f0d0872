/* Snapshots out of sessions: what the file does not keep because it follows from the rest is found again here. */
#include "vmmap/session.h"

#include "analysis/analysis.h"
#include "session/read.h"

int vmm_session_load_on(struct vmm_session *session, struct vmm_walk *walk, uint32_t number, struct vmm_snapshot **ret_snapshot,
                        struct vmm_err *err)
{
	struct vmm_snapshot *s = vmm_snapshot_create();
	int rc;

	if (!s)
		return vmm_fail_nomem(err);
	rc = vmm_session_read_on(session, walk, number, s, err);
	if (rc == 0)
		rc = vmm_snapshot_settle(s, err);
	if (rc < 0) {
		vmm_snapshot_destroy(s);
		return rc;
	}
	*ret_snapshot = s;
	return 0;
}

int vmm_session_load(struct vmm_session *session, uint32_t number, struct vmm_snapshot **ret_snapshot, struct vmm_err *err)
{
	return vmm_session_load_on(session, NULL, number, ret_snapshot, err);
}
