/*
 * Making a snapshot of rows.
 * Layer: session. Every value is checked: a session may have been made by anybody.
 */
#ifndef VMM_SESSION_DECODE_H
#define VMM_SESSION_DECODE_H

#include "base/search.h"
#include "session/store.h"

/* With what the others are found by: their region is known when the regions are. */
struct vmm_thread_row {
	uint64_t key, region;
	bool has_region;
	struct vmm_thread t;
};

struct vmm_module_row {
	uint64_t key, region;
	bool has_region;
	struct vmm_module m;
};

/* A region with the keys of what it belongs to, whose places are known when those tables are read. */
struct vmm_region_row {
	uint64_t module, thread;
	bool has_module, has_thread;
	struct vmm_region r;
};

struct vmm_walk;

/* The first failure stays in rc, and what follows does no harm. */
struct vmm_decode {
	struct vmm_snapshot *s;
	struct vmm_arena *arena; /* of what records point to: the snapshot's, or one that it holds */
	struct vmm_session *session;
	struct vmm_walk *walk; /* NULL: nothing is known yet */
	struct vmm_reader r;
	struct vmm_names *names;
	uint32_t target, number;
	enum vmm_session_table table;
	struct vmm_err *err;
	int rc;
	uint64_t last_kind_id; /* and the kind that it is */
	enum vmm_kind last_kind;
	struct vmm_thread_row *threads; /* by key */
	struct vmm_module_row *modules;
	struct vmm_region_row *regions;
};

/* --- decode_cells.c: cells of the row that the reader stands on --- */

void vmm_decode_damaged(struct vmm_decode *d);
/* False: NULL; *ret is 0 then. */
bool vmm_decode_int(struct vmm_decode *d, unsigned column, uint64_t *ret);
/* A number that has to be there, at most high. */
uint64_t vmm_decode_need(struct vmm_decode *d, unsigned column, uint64_t high);
/* One that may be missing: then it is otherwise. */
uint64_t vmm_decode_maybe(struct vmm_decode *d, unsigned column, uint64_t high, uint64_t otherwise);
int32_t vmm_decode_signed(struct vmm_decode *d, unsigned column);
/* A text that lives as long as the snapshot; otherwise where the cell is NULL. */
const char *vmm_decode_name(struct vmm_decode *d, unsigned column, const char *otherwise);
/* Packed numbers; false: NULL. */
bool vmm_decode_blob(struct vmm_decode *d, unsigned column, struct vmm_unpack *ret);
/* That all of a blob was read, and it was whole. */
void vmm_decode_blob_end(struct vmm_decode *d, const struct vmm_unpack *u);
void vmm_decode_metrics(struct vmm_decode *d, struct vmm_metrics *ret);
void vmm_decode_range(struct vmm_decode *d, unsigned start, unsigned span, uint64_t *ret_start, uint64_t *ret_end);
/* Zeroed, in d->arena; NULL sets rc. */
void *vmm_decode_alloc(struct vmm_decode *d, size_t count, size_t size);

/* The index of the record with a key in a sorted array; there has to be one. */
uint32_t vmm_decode_found(struct vmm_decode *d, size_t at, size_t count, bool right);
#define VMM_DECODE_FIND(d, array, count, member, value)                                   \
	vmm_decode_found((d), VMM_FIRST_FROM(array, count, member, value), (count),       \
	                 (count) && (array)[vmm_decode_bounded(VMM_FIRST_FROM(array, count, member, value), (count))].member == (value))

static inline size_t vmm_decode_bounded(size_t at, size_t count)
{
	return at < count ? at : 0;
}

/* --- decode_rows.c: one record of each table --- */

typedef void (*vmm_decode_fn)(struct vmm_decode *d, void *record);

extern const vmm_decode_fn vmm_decode_rows[VMM_TABLE_COUNT];

#endif
