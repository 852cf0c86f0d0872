/*
 * Numbers over time out of a session: which row had how much at which look, and how that is shown.
 * Layer: face.
 */
#ifndef VMM_FACE_TIMELINE_H
#define VMM_FACE_TIMELINE_H

#include "base/arena.h"
#include "face/look.h"
#include "vmmap/growth.h"
#include "vmmap/session.h"

#define VMM_TIMELINE_ROWS 12 /* of --by heap, region and target, the others together not counted */

enum vmm_timeline_by { VMM_TIMELINE_KIND, VMM_TIMELINE_HEAP, VMM_TIMELINE_REGION, VMM_TIMELINE_TARGET };

/* What is asked for. */
struct vmm_timeline_ask {
	const char *file;
	enum vmm_timeline_by by;
	bool by_chosen;
	enum vmm_metric measure;
	const char *target, *from, *to; /* as the user gave them; NULL: all */
	struct vmm_expr *where;         /* over regions; NULL: all of them */
	uint32_t target_number;         /* this one; 0: as target says */
	uint32_t looks;                 /* so many at most, others are left out evenly; 0: all */
	uint64_t top;                   /* rows of HEAP, REGION and TARGET; 0: VMM_TIMELINE_ROWS */
	bool growth;                    /* also what grows steadily */
};

struct vmm_timeline_look {
	struct timespec taken_at;
	int64_t axis_ns; /* time since the first look, made to rise where the clock was set back */
	uint32_t number, target;
	bool gap;   /* nothing was recorded for a while before it */
	bool other; /* the look before was at a target that had another place in time: a restart */
};

struct vmm_timeline_row {
	const char *label;  /* for people, raw bytes */
	const char *id;     /* for scripts: of the kind, the heap, the target's number, an address; "total", "others" */
	enum vmm_kind kind; /* VMM_KIND_COUNT: of no one */
	char letter;
	int colour;
	struct vmm_sample *samples; /* one for each look */
	struct vmm_trend trend;
};

struct vmm_timeline_target {
	uint32_t target, first, last, count; /* its number; snapshots of it */
	uint32_t first_look, last_look;
	const char *name, *source;
	int32_t pid;
};

struct vmm_timeline {
	struct vmm_arena *arena;
	const struct vmm_timeline_ask *ask;
	enum vmm_timeline_by by;
	struct vmm_timeline_look *looks;
	uint32_t look_count, snapshot_count; /* shown, and how many there are of them */
	struct vmm_timeline_row *rows;
	uint32_t row_count;
	struct vmm_timeline_row total;
	struct vmm_timeline_target *targets; /* those that are shown, by their first snapshot */
	uint32_t target_count;
	uint32_t set_back;         /* how often the clock went back */
	int64_t pace_ns;           /* the usual time between two looks; 0: too few */
	bool together;             /* several targets at a time are added up, or shown beside each other */
	struct vmm_growth *growth; /* NULL: not asked, or of several targets */
};

/* VMM_E_USAGE, VMM_E_NO_TARGET, and what sessions give. *ret belongs to the caller; ask must outlive it. */
int vmm_timeline_create(struct vmm_session *session, const struct vmm_timeline_ask *ask, struct vmm_timeline **ret,
			struct vmm_err *err);
void vmm_timeline_destroy(struct vmm_timeline *t);

/* Whether entry i is of the target that --target names: a PID, a name, or else the number of a target, also as "target:2". NULL: all. */
bool vmm_timeline_fits(const struct vmm_session_index *index, const char *wanted, uint32_t i);

/* Chart, table and what grows. */
int vmm_timeline_text(struct vmm_out *out, const struct vmm_look *look, const struct vmm_timeline *t,
		      struct vmm_err *err);
void vmm_timeline_json(struct vmm_out *out, const struct vmm_timeline *t);
/* One line for each look and kind with all measures, or for each look and row with the one that was asked for. */
int vmm_timeline_csv(struct vmm_out *out, struct vmm_session *session, const struct vmm_timeline *t,
		     struct vmm_err *err);

/* ---- for timeline_*.c ---- */

/* The entries that are asked for, as places in the index. */
struct vmm_timeline_choice {
	const struct vmm_session_index *index;
	uint32_t *v;
	size_t count, capacity;
	size_t all; /* before some were left out */
};
/* Fills c from c->index, as ask says. VMM_E_USAGE, VMM_E_NO_TARGET. */
int vmm_timeline_choose(const struct vmm_timeline_ask *ask, struct vmm_timeline_choice *c, struct vmm_err *err);
/* The targets of the chosen entries; their numbers run from 1 to target_count of the index. */
int vmm_timeline_targets(struct vmm_timeline *t, const struct vmm_timeline_choice *c, struct vmm_err *err);
/* Finds of the looks, when they were taken, times that rise, gaps and restarts. */
int vmm_timeline_times(struct vmm_timeline *t, struct vmm_err *err);
/* Fills looks and rows of KIND and TARGET. */
int vmm_timeline_totals(struct vmm_timeline *t, struct vmm_session *session, const struct vmm_timeline_choice *c,
			struct vmm_err *err);
/* Fills looks and rows of HEAP and REGION, and of the others where there is a filter: by loading some of the snapshots.
 */
int vmm_timeline_follow(struct vmm_timeline *t, struct vmm_session *session, const struct vmm_timeline_choice *c,
			struct vmm_err *err);
/* Room for look_count samples in each row and in the total. False: out of memory. */
bool vmm_timeline_room(struct vmm_timeline *t, uint32_t rows, uint32_t looks);
void vmm_timeline_mark(struct vmm_timeline_row *row,
		       unsigned place); /* letter and colour of a row without a kind of its own */
/* Names the rows of the kinds, whose samples are set, and drops those that never had anything. */
void vmm_timeline_kinds(struct vmm_timeline *t);

/* Where the looks fall in so many columns of a chart: the look that each column shows; VMM_NONE: nothing was recorded.
 */
void vmm_timeline_columns(const struct vmm_timeline *t, unsigned columns, uint32_t *ret_look);

#endif
