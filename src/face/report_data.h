/*
 * What a report holds: one snapshot, or those of a session with what tells which region of one is which of another.
 * Layer: face. One thread.
 */
#ifndef VMM_FACE_REPORT_DATA_H
#define VMM_FACE_REPORT_DATA_H

#include "face/page_pack.h"
#include "vmmap/vmmap.h"

/* One target of a session, and which of its snapshots are shown. */
struct vmm_report_target {
	uint32_t target;       /* its number */
	int32_t pid;
	const char *name;      /* the index's */
	uint32_t *numbers;     /* of the snapshots shown, rising */
	uint32_t count, total; /* how many are shown, and how many there are */
};

/* A session's targets, by their first snapshot. */
struct vmm_report_session {
	struct vmm_session *session;
	struct vmm_session_index *index;
	const char *file;
	struct vmm_report_target *targets;
	uint32_t target_count;
	uint32_t shown;    /* place of the one that was looked at last */
	uint32_t left_out; /* targets for which there was no room */
};

/* What is wanted of a session; all zero: everything that stays small. */
struct vmm_report_wish {
	const char *target; /* as --target says; NULL: all */
	uint64_t most;      /* snapshots of each target; 0: as many as stay small */
};

/*
 * Targets, and of each so many snapshots, the others left out evenly; first and last always stay. VMM_E_NO_TARGET: none.
 * The session and the strings must outlive it; vmm_report_session_done() closes the session.
 */
int vmm_report_session_choose(struct vmm_report_session *r, struct vmm_session *session, const char *file,
                              const struct vmm_report_wish *wish, struct vmm_err *err);
void vmm_report_session_done(struct vmm_report_session *r);
/* The number of the snapshot that is shown first. */
uint32_t vmm_report_session_last(const struct vmm_report_session *r);

/* Snapshots, targets with their timelines, notes: members of the report's object, and what is shown first into *ret_last. */
int vmm_report_put_session(struct vmm_page_pack *pack, const struct vmm_report_session *r, struct vmm_snapshot **ret_last,
                           struct vmm_err *err);
/* One snapshot as a document; number 0: of no session. target 0: of none of several. */
int vmm_report_put_snapshot(struct vmm_page_pack *pack, const struct vmm_snapshot *s, uint32_t number, uint32_t target,
                            struct vmm_err *err);

/* ---- report_same.c: which region is which ---- */

struct vmm_report_same;

/* For count snapshots of one target, which are added in order. NULL: out of memory. */
struct vmm_report_same *vmm_report_same_create(uint32_t count);
/* Takes the snapshot, also when it fails. VMM_E_NOMEM. */
int vmm_report_same_add(struct vmm_report_same *m, struct vmm_snapshot *s, struct vmm_err *err);
/* The object "same" of docs/json.md. VMM_E_NOMEM. */
int vmm_report_same_json(struct vmm_report_same *m, struct vmm_out *out, struct vmm_err *err);
/* The last snapshot that was added, which is the caller's then; NULL: there is none. */
struct vmm_snapshot *vmm_report_same_take_last(struct vmm_report_same *m);
/* NULL is allowed. */
void vmm_report_same_destroy(struct vmm_report_same *m);

#endif
