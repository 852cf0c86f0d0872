/*
 * What a report holds: one snapshot, or those of a session with what differs between them.
 * Layer: face. One thread.
 */
#ifndef VMM_FACE_REPORT_DATA_H
#define VMM_FACE_REPORT_DATA_H

#include "face/page_pack.h"
#include "vmmap/vmmap.h"

/* A session's snapshots of one target, of which some are shown. */
struct vmm_report_session {
	struct vmm_session *session;
	struct vmm_session_index *index;
	const char *file;
	uint32_t target;      /* its number */
	uint32_t *numbers;    /* of the snapshots shown, rising */
	uint32_t count, total; /* how many are shown, and how many there are of this target */
};

/*
 * The snapshots of the target that the last one is of: most of them (0: as many as stay small), the others left out evenly;
 * first and last always stay. VMM_E_NO_TARGET: none. The strings must outlive it.
 */
int vmm_report_session_choose(struct vmm_report_session *r, struct vmm_session *session, const char *file, uint64_t most,
                              struct vmm_err *err);
void vmm_report_session_done(struct vmm_report_session *r);

/* The snapshots, timelines and differences: members of the report's object, and what is shown last into *ret_last. */
int vmm_report_put_session(struct vmm_page_pack *pack, const struct vmm_report_session *r, struct vmm_snapshot **ret_last,
                           struct vmm_err *err);
/* One snapshot as a document; number 0: of no session. */
int vmm_report_put_snapshot(struct vmm_page_pack *pack, const struct vmm_snapshot *s, uint32_t number, struct vmm_err *err);

#endif
