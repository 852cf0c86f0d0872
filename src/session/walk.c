/*
 * Walking through the snapshots of one target: what held in the one before is not read again.
 *
 * Rows are numbered in the order in which they began to hold. Those that begin between two snapshots lie behind all that began
 * before, and of those that were read `last` tells how long they hold. So the large tables (mappings, regions, blocks) are kept as
 * records until they end, and a step reads what is new; all else is small and read anew.
 */
#include "session/walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many rows read, and so many times what holds: their texts and numbers are dropped, and all is read again. */
#define RENEW_ROWS 8192
#define RENEW_FACTOR 4
#define FIRST_STEP 64 /* ids */

struct held_row {
	uint64_t key;
	uint32_t slot;
	uint32_t last; /* UINT32_MAX: it still holds */
};

struct rows {
	struct held_row *v;
	size_t count, capacity;
};

struct held {
	struct rows now, before, fresh; /* by key */
	char *slots;                    /* records */
	size_t slot_count, slot_capacity;
	uint32_t *unused; /* slots */
	size_t unused_count, unused_capacity;
	int64_t low, high, next; /* ids: of the key frame, and the first that was not read */
	sqlite3_stmt *find;
};

enum { HELD_MAPPING, HELD_REGION, HELD_BLOCK, HELD_COUNT };

struct vmm_walk {
	struct vmm_session *session;
	struct vmm_arena *arena; /* what records point to; snapshots that were given out hold it too */
	struct vmm_names names;
	struct held held[HELD_COUNT];
	uint32_t target, number; /* of the snapshot before; number 0: there is none */
	uint32_t extra_count;
	int64_t version; /* of the file */
	size_t rows_read;
};

static int place_of(enum vmm_session_table table)
{
	switch (table) {
	case VMM_TABLE_MAPPING: return HELD_MAPPING;
	case VMM_TABLE_REGION: return HELD_REGION;
	case VMM_TABLE_BLOCK: return HELD_BLOCK;
	default: return -1;
	}
}

bool vmm_walk_keeps(enum vmm_session_table table)
{
	return place_of(table) >= 0;
}

int vmm_walk_create(struct vmm_session *session, struct vmm_walk **ret_walk, struct vmm_err *err)
{
	struct vmm_walk *w = vmm_alloc_hook(NULL, sizeof(*w));

	if (!w)
		return vmm_fail_nomem(err);
	memset(w, 0, sizeof(*w));
	w->session = session;
	*ret_walk = w;
	return 0;
}

static void held_forget(struct held *h)
{
	h->now.count = h->slot_count = h->unused_count = 0;
	h->low = h->high = h->next = -1;
}

static void forget(struct vmm_walk *w)
{
	for (size_t i = 0; i < HELD_COUNT; i++)
		held_forget(&w->held[i]);
	vmm_names_done(&w->names);
	vmm_arena_destroy(w->arena);
	w->arena = NULL;
	w->number = 0;
	w->rows_read = 0;
}

void vmm_walk_destroy(struct vmm_walk *w)
{
	if (!w)
		return;
	forget(w);
	for (size_t i = 0; i < HELD_COUNT; i++) {
		sqlite3_finalize(w->held[i].find);
		free(w->held[i].now.v);
		free(w->held[i].before.v);
		free(w->held[i].fresh.v);
		free(w->held[i].slots);
		free(w->held[i].unused);
	}
	free(w);
}

/* --- from one snapshot to the next --- */

static bool goes_on(const struct vmm_walk *w, const struct vmm_decode *d, int64_t version)
{
	size_t holds = 0;

	for (size_t i = 0; i < HELD_COUNT; i++)
		holds += w->held[i].now.count;
	/* Who writes to the file closes rows that were read as open; of what another program writes the version tells. */
	return w->arena && w->number && w->number < d->number && w->target == d->target && w->version == version &&
	       w->session->mode == VMM_SESSION_READ && w->rows_read <= RENEW_ROWS + holds * RENEW_FACTOR;
}

int vmm_walk_begin(struct vmm_walk *w, struct vmm_decode *d)
{
	int64_t version = 0;
	bool known;
	int rc = vmm_sql_number(w->session, "PRAGMA data_version", &version, &known, d->err);

	if (rc < 0)
		return rc;
	if (!goes_on(w, d, version)) {
		forget(w);
		w->arena = vmm_arena_create();
		rc = w->arena ? vmm_names_open(w->session, w->arena, &w->names, d->err) : vmm_fail_nomem(d->err);
	}
	if (rc == 0 && !vmm_arena_hold(d->s->arena, w->arena))
		rc = vmm_fail_nomem(d->err);
	w->version = version;
	w->target = d->target;
	d->names = &w->names;
	return rc;
}

void vmm_walk_extra(struct vmm_walk *w, uint32_t count)
{
	if (count != w->extra_count)
		held_forget(&w->held[HELD_MAPPING]);
	w->extra_count = count;
}

void vmm_walk_end(struct vmm_walk *w, const struct vmm_decode *d)
{
	if (d->rc < 0)
		forget(w);
	else
		w->number = d->number;
}

/* --- which rows are new --- */

/* The first row of [low, high]: 1 with when it began to hold; 0: there is none. */
static int first_from(struct vmm_decode *d, sqlite3_stmt *st, int64_t low, int64_t high, int64_t *ret_id, int64_t *ret_first)
{
	int rc;

	sqlite3_bind_int64(st, 1, low);
	sqlite3_bind_int64(st, 2, high);
	rc = vmm_sql_step(d->session, st, d->err);
	if (rc == 1 && (!vmm_sql_int(st, 0, low, high, ret_id) || !vmm_sql_int(st, 1, 1, INT32_MAX, ret_first)))
		rc = vmm_session_damaged(d->session, vmm_session_tables[d->table].name, d->err);
	sqlite3_reset(st);
	return rc;
}

/* Where the rows begin that hold only later: looked for near where the last ones ended, in steps that double. */
static int find_end(struct vmm_decode *d, struct held *h, int64_t *ret_end)
{
	int64_t low = h->next, high = h->high, step = FIRST_STEP;
	bool bounded = false;
	char sql[96];
	int rc = 0;

	snprintf(sql, sizeof(sql), "SELECT id, first FROM %s WHERE id BETWEEN ?1 AND ?2 ORDER BY id LIMIT 1", vmm_session_tables[d->table].name);
	if (!h->find)
		rc = vmm_sql_prepare(d->session, sql, &h->find, d->err);
	while (rc >= 0 && low <= high) {
		int64_t at = bounded || high - low <= step ? low + (high - low) / 2 : low + step, id, first;

		step *= 2;
		rc = first_from(d, h->find, at, high, &id, &first);
		if (rc == 1 && first <= d->number) {
			low = id + 1;
		} else {
			high = at - 1;
			bounded = true;
		}
	}
	*ret_end = low;
	return rc < 0 ? rc : 0;
}

/* --- reading them --- */

struct reading {
	struct vmm_decode *d;
	struct held *h;
	size_t size;
	uint32_t before; /* nothing new began to hold in this snapshot or earlier */
	bool unordered;
};

static bool take_slot(struct held *h, size_t size, uint32_t *ret_slot)
{
	if (h->unused_count) {
		*ret_slot = h->unused[--h->unused_count];
		return true;
	}
	if (h->slot_count >= VMM_NONE / 2 || !vmm_grow(&h->slots, &h->slot_capacity, h->slot_count + 1, size))
		return false;
	*ret_slot = (uint32_t)h->slot_count++;
	return true;
}

static int read_row(void *arg)
{
	struct reading *t = arg;
	struct vmm_decode *d = t->d;
	struct rows *fresh = &t->h->fresh;
	uint32_t slot;
	struct held_row row = {.last = UINT32_MAX};

	if (sqlite3_value_int64(d->r.values[1]) <= t->before) {
		vmm_decode_damaged(d);
		return d->rc;
	}
	if (sqlite3_value_type(d->r.values[2]) != SQLITE_NULL)
		row.last = (uint32_t)vmm_min_u64((uint64_t)sqlite3_value_int64(d->r.values[2]), UINT32_MAX - 1);
	if (!vmm_grow(&fresh->v, &fresh->capacity, fresh->count + 1, sizeof(*fresh->v)) || !take_slot(t->h, t->size, &slot))
		return vmm_fail_nomem(d->err);
	memset(t->h->slots + slot * t->size, 0, t->size);
	row.key = vmm_decode_need(d, 0, UINT64_MAX);
	row.slot = slot;
	t->unordered |= fresh->count && row.key < fresh->v[fresh->count - 1].key;
	fresh->v[fresh->count++] = row;
	vmm_decode_rows[d->table](d, t->h->slots + slot * t->size);
	d->walk->rows_read++;
	return d->rc;
}

static int compare_rows(const void *a, const void *b)
{
	const struct held_row *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

/* What of the rows before holds on, and what is new, by key; no key may come twice. */
static int merge(struct vmm_decode *d, struct held *h)
{
	struct rows before = h->now;
	size_t i = 0, k = 0;

	h->now = h->before;
	h->now.count = 0;
	h->before = before;
	if (!vmm_grow(&h->now.v, &h->now.capacity, before.count + h->fresh.count + 1, sizeof(*h->now.v)) ||
	    !vmm_grow(&h->unused, &h->unused_capacity, h->unused_count + before.count + 1, sizeof(*h->unused)))
		return vmm_fail_nomem(d->err);
	while (i < before.count || k < h->fresh.count) {
		const struct held_row *row;

		if (i < before.count && before.v[i].last < d->number) {
			h->unused[h->unused_count++] = before.v[i++].slot;
			continue;
		}
		row = k >= h->fresh.count || (i < before.count && before.v[i].key <= h->fresh.v[k].key) ? &before.v[i++] : &h->fresh.v[k++];
		if (h->now.count && h->now.v[h->now.count - 1].key == row->key) {
			vmm_decode_damaged(d);
			return d->rc;
		}
		h->now.v[h->now.count++] = *row;
	}
	return 0;
}

static int read_step(struct vmm_decode *d, struct held *h, size_t size)
{
	struct reading t = {.d = d, .h = h, .size = size, .before = d->walk->number};
	int64_t low, high, end;
	int rc = vmm_segment_find(d->session, d->target, d->table, d->number, &low, &high, d->err);

	if (rc < 0)
		return rc;
	if (low != h->low || high != h->high) {
		held_forget(h);
		h->low = h->next = low;
		h->high = high;
		t.before = 0;
	}
	h->fresh.count = 0;
	rc = find_end(d, h, &end);
	if (rc == 0 && end > h->next) {
		/* They outlive the snapshot. */
		d->arena = d->walk->arena;
		rc = vmm_reader_range(&d->r, d->session, d->table, d->number, h->next, end - 1, read_row, &t, d->err);
		d->arena = d->s->arena;
		vmm_reader_end(&d->r);
	}
	if (rc < 0)
		return rc;
	h->next = end;
	if (t.unordered)
		qsort(h->fresh.v, h->fresh.count, sizeof(*h->fresh.v), compare_rows);
	return merge(d, h);
}

void *vmm_walk_table(struct vmm_decode *d, enum vmm_session_table table, size_t size, uint32_t *ret_count)
{
	struct held *h = &d->walk->held[place_of(table)];
	int rc = read_step(d, h, size);
	char *records = NULL;
	size_t bytes;

	if (rc >= 0 && !__builtin_mul_overflow(h->now.count + 1, size, &bytes))
		records = vmm_alloc_hook(NULL, bytes);
	if (records)
		for (size_t i = 0; i < h->now.count; i++)
			memcpy(records + i * size, h->slots + h->now.v[i].slot * size, size);
	records = records ? vmm_arena_keep(d->s->arena, records) : NULL;
	if (rc < 0)
		d->rc = rc;
	else if (!records)
		d->rc = vmm_fail_nomem(d->err);
	*ret_count = (uint32_t)h->now.count;
	return records;
}
