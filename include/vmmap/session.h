/*
 * Sessions: files with one or more snapshots of one or more targets, in SQLite (docs/session.md has the schema).
 *
 * A struct vmm_session owns its database and is used by one thread at a time. Snapshots are numbered 1, 2, 3, ... in the
 * order in which they were added; a number stays when older snapshots are dropped. Everything read may be hostile.
 */
#ifndef VMMAP_SESSION_H
#define VMMAP_SESSION_H

#include "vmmap/err.h"
#include "vmmap/snapshot.h"

struct vmm_session;
struct vmm_target;

enum vmm_session_mode {
	VMM_SESSION_READ,   /* changes nothing; only what a killed writer left half done is undone */
	VMM_SESSION_CREATE, /* a new file; VMM_E_OUTPUT when one stands there */
	VMM_SESSION_APPEND, /* an existing session, or a new one where there is no file */
	VMM_SESSION_TEMPORARY, /* a new one without a name, on the disk below TMPDIR or /var/tmp: it goes when it is closed, or the program ends */
};

/* path is of no account to TEMPORARY. VMM_E_NO_TARGET: no such file. VMM_E_FORMAT: no session, a newer schema, damaged. VMM_E_DENIED, VMM_E_OUTPUT, VMM_E_IO. */
int vmm_session_open(const char *path, enum vmm_session_mode mode, struct vmm_session **ret_session, struct vmm_err *err);
/* NULL is allowed. */
void vmm_session_close(struct vmm_session *session);

/* Which contents go along with a snapshot. */
struct vmm_session_memory {
	struct vmm_target *target; /* open, and the one that the snapshot was taken of */
	uint32_t kinds;            /* bit i: contents of regions of enum vmm_kind i; HEAP brings what its readers need besides */
	/*
	 * Called with arg when all contents were read: a target that stands still may go on. Before the snapshot is written: what
	 * its pause has cost may be put into it. NULL: none. Not called after a failure.
	 */
	void (*read)(void *arg);
	void *arg;
};

/*
 * Adds a snapshot in one transaction: after a failure, or when the process is killed meanwhile, the file is as it was
 * before. What did not change since this target's snapshot before takes no room. memory may be NULL: no contents.
 * Contents that may not be read are left out: vmm_session_entry.has_memory tells.
 * VMM_E_OUTPUT: the file cannot be written (the disk is full, ...).
 */
int vmm_session_add(struct vmm_session *session, const struct vmm_snapshot *snapshot, const struct vmm_session_memory *memory,
                    uint32_t *ret_number, struct vmm_err *err);

/* One snapshot in a session. Strings belong to the index. */
struct vmm_session_entry {
	uint32_t number;
	uint32_t target;      /* counts from 1: one process, told by PID and start, or one core */
	struct timespec taken_at;
	const char *source, *name;
	int32_t pid;
	bool partial;
	bool has_memory;      /* some contents were kept */
	struct vmm_metrics total;
};

struct vmm_session_index {
	struct vmm_arena *arena;
	const struct vmm_session_entry *entries; /* by rising number */
	uint32_t count, target_count;
};

int vmm_session_index(struct vmm_session *session, struct vmm_session_index **ret_index, struct vmm_err *err);
void vmm_session_index_destroy(struct vmm_session_index *index);

/*
 * The snapshot that text names: "7", "last", "first", "-2" (the last but one), or a time: RFC 3339, "2026-11-22 14:05" or
 * "14:05[:30]" in local time (on the day of the last snapshot); the last one taken at that time or before. NULL or "":
 * the last. Of one target: "pid:4711", "target:2", "name:NAME" or its name alone, also with any of the others behind a comma:
 * "nginx,first". VMM_E_NO_TARGET: there is none. VMM_E_USAGE: text is none of these.
 */
int vmm_session_find(const struct vmm_session_index *index, const char *text, uint32_t *ret_number, struct vmm_err *err);

/* The snapshot as it was when it was added. *ret_snapshot belongs to the caller. */
int vmm_session_load(struct vmm_session *session, uint32_t number, struct vmm_snapshot **ret_snapshot, struct vmm_err *err);

/* Only its totals: cheap. types has VMM_KIND_COUNT elements. */
int vmm_session_totals(struct vmm_session *session, uint32_t number, struct vmm_type_total *ret_types,
                       struct vmm_type_total *ret_total, struct vmm_err *err);

/* What a ring keeps; 0: no limit. The newest snapshot of each target always stays. */
struct vmm_session_keep {
	uint32_t snapshots; /* of each target */
	uint64_t age_ns;    /* counted back from the newest */
	uint64_t bytes;     /* of the file */
};
/* Drops the oldest snapshots and gives the room back to the file. ret_dropped may be NULL. */
int vmm_session_drop(struct vmm_session *session, const struct vmm_session_keep *keep, uint32_t *ret_dropped, struct vmm_err *err);

#endif
