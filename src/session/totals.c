/* Totals by kind: small rows, asked for in turn by whoever draws them over time. */
#include "session/store.h"

#include <stdlib.h>
#include <string.h>

#include "model/build.h"

/* One row of the table total, read. */
struct total_row {
	uint32_t first, last; /* last UINT32_MAX: it still holds */
	uint32_t place;       /* VMM_KIND_COUNT: of all */
	struct vmm_type_total t;
};

/* The rows of one target between two key frames, and the snapshots that they are of: what these say never changes again. */
struct vmm_total_cache {
	uint32_t *numbers; /* rising */
	size_t number_count, number_capacity;
	uint32_t target;
	int64_t low, high;
	struct total_row *rows;
	size_t count, capacity;
};

void vmm_total_cache_destroy(struct vmm_total_cache *c)
{
	if (c) {
		free(c->rows);
		free(c->numbers);
	}
	free(c);
}

static bool row_read(struct vmm_reader *r, const char *kind, struct total_row *ret)
{
	int64_t last = UINT32_MAX, first;
	bool blocks, largest, regions;

	memset(ret, 0, sizeof(*ret));
	if (!vmm_sql_int(r->st, 1, 1, INT32_MAX, &first) ||
	    (sqlite3_column_type(r->st, 2) != SQLITE_NULL && !vmm_sql_int(r->st, 2, 0, INT32_MAX, &last)))
		return false;
	ret->first = (uint32_t)first;
	ret->last = (uint32_t)last;
	ret->t.kind = vmm_kind_find(kind);
	if (ret->t.kind == VMM_KIND_COUNT && strcmp(kind, "total") != 0)
		return false;
	ret->place = (uint32_t)ret->t.kind;
	if (!vmm_reader_int(r, VMM_TOTAL_BLOCKS, &ret->t.blocks, &blocks) || !vmm_reader_int(r, VMM_TOTAL_LARGEST, &ret->t.largest, &largest) ||
	    !vmm_reader_int(r, VMM_TOTAL_REGIONS, &ret->t.regions, &regions) || vmm_reader_metrics(r, &ret->t.m) < 0)
		return false;
	ret->t.counted = blocks && largest && regions;
	return true;
}

static int cache_fill(struct vmm_session *s, struct vmm_total_cache *c, struct vmm_err *err)
{
	VMM_CLEANUP_FREE char *sql = vmm_schema_select(s, VMM_TABLE_TOTAL, "id BETWEEN ?1 AND ?2");
	struct vmm_reader r = {.session = s, .table = VMM_TABLE_TOTAL, .last_id = -1, .err = err};
	struct vmm_arena *arena = vmm_arena_create();
	struct vmm_names names = {0};
	int rc = sql && arena ? vmm_names_open(s, arena, &names, err) : vmm_fail_nomem(err);

	if (rc == 0)
		rc = vmm_sql_prepare(s, sql, &r.st, err);
	if (rc == 0) {
		sqlite3_bind_int64(r.st, 1, c->low);
		sqlite3_bind_int64(r.st, 2, c->high);
	}
	c->count = 0;
	while (rc >= 0 && (rc = vmm_reader_next(&r)) == 1) {
		const char *kind = "";
		uint64_t id;
		bool known;

		if (!vmm_reader_int(&r, VMM_TOTAL_KIND, &id, &known) || !known)
			rc = vmm_session_damaged(s, "total", err);
		if (rc >= 0)
			rc = vmm_names_get(&names, id, &kind, err);
		if (rc >= 0 && !vmm_grow(&c->rows, &c->capacity, c->count + 1, sizeof(*c->rows)))
			rc = vmm_fail_nomem(err);
		if (rc >= 0 && !row_read(&r, kind, &c->rows[c->count++]))
			rc = vmm_session_damaged(s, "total", err);
	}
	vmm_reader_end(&r);
	vmm_names_done(&names);
	vmm_arena_destroy(arena);
	return rc;
}

static int numbers_read(struct vmm_session *s, struct vmm_total_cache *c, uint32_t number, struct vmm_err *err)
{
	VMM_CLEANUP_STMT sqlite3_stmt *st = NULL;
	uint32_t from, to;
	int64_t n = 0;
	int rc = vmm_segment_numbers(s, c->target, VMM_TABLE_TOTAL, number, &from, &to, err);

	if (rc == 0)
		rc = vmm_sql_prepare(s, "SELECT number FROM snapshot WHERE number >= ?1 AND number < ?2 AND target = ?3 ORDER BY number", &st, err);
	if (rc < 0)
		return rc;
	sqlite3_bind_int64(st, 1, from);
	sqlite3_bind_int64(st, 2, to);
	sqlite3_bind_int64(st, 3, c->target);
	while ((rc = vmm_sql_step(s, st, err)) == 1) {
		if (!vmm_sql_int(st, 0, n + 1, INT32_MAX, &n))
			return vmm_session_damaged(s, "snapshot", err);
		if (!vmm_grow(&c->numbers, &c->number_capacity, c->number_count + 1, sizeof(*c->numbers)))
			return vmm_fail_nomem(err);
		c->numbers[c->number_count++] = (uint32_t)n;
	}
	return rc;
}

static bool cache_has(const struct vmm_session *s, uint32_t number)
{
	const struct vmm_total_cache *c = s->totals;
	size_t low = 0, high = c ? c->number_count : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c->numbers[middle] < number)
			low = middle + 1;
		else
			high = middle;
	}
	return c && low < c->number_count && c->numbers[low] == number;
}

/* Within a transaction. */
static int cache_find(struct vmm_session *s, uint32_t number, struct vmm_err *err)
{
	struct vmm_total_cache *c = s->totals;
	int64_t low, high;
	uint32_t target = 0;
	int rc = vmm_segment_target(s, number, &target, NULL, err);

	if (rc == 0)
		rc = vmm_segment_find(s, target, VMM_TABLE_TOTAL, number, &low, &high, err);
	if (rc < 0)
		return rc;
	if (!c) {
		c = s->totals = vmm_alloc_hook(NULL, sizeof(*c));
		if (!c)
			return vmm_fail_nomem(err);
		memset(c, 0, sizeof(*c));
	}
	c->target = target;
	c->low = low;
	c->high = high;
	c->number_count = 0;
	rc = cache_fill(s, c, err);
	if (rc == 0)
		rc = numbers_read(s, c, number, err);
	if (rc < 0)
		c->number_count = 0;
	return rc;
}

void vmm_totals_forget(struct vmm_session *s)
{
	vmm_total_cache_destroy(s->totals);
	s->totals = NULL;
}

int vmm_session_totals(struct vmm_session *session, uint32_t number, struct vmm_type_total *ret_types,
                       struct vmm_type_total *ret_total, struct vmm_err *err)
{
	struct vmm_type_total all[VMM_KIND_COUNT + 1];
	uint32_t seen = 0;
	int rc;

	rc = cache_has(session, number) ? 1 : 0;
	if (rc == 0) {
		vmm_sql_allow(session);
		rc = vmm_sql_exec(session, "BEGIN", err);
	}
	if (rc == 0) {
		rc = cache_find(session, number, err);
		sqlite3_exec(session->db, "COMMIT", NULL, NULL, NULL);
	}
	if (rc < 0)
		return rc;
	memset(all, 0, sizeof(all));
	for (size_t i = 0; i < session->totals->count; i++) {
		const struct total_row *row = &session->totals->rows[i];

		if (row->first > number || row->last < number)
			continue;
		if (seen >> row->place & 1)
			return vmm_session_damaged(session, "total", err);
		seen |= UINT32_C(1) << row->place;
		all[row->place] = row->t;
	}
	/* A kind that was not known when the file was written has nothing. */
	if (!(seen >> VMM_KIND_COUNT & 1))
		return vmm_session_damaged(session, "total", err);
	for (int k = 0; k < VMM_KIND_COUNT; k++)
		all[k].kind = (enum vmm_kind)k;
	memcpy(ret_types, all, VMM_KIND_COUNT * sizeof(*all));
	*ret_total = all[VMM_KIND_COUNT];
	return 0;
}
