/*
 * Finding the rows that hold in a snapshot without reading all that ever held.
 *
 * Rows are numbered in the order in which they began to hold. From time to time, when more rows were written than hold,
 * all that hold are closed and written again: a key frame, noted in the table of that name. What holds in a snapshot then
 * lies between the key frame before it and the next one.
 */
#include "session/store.h"

#include <stdlib.h>
#include <string.h>

int vmm_segment_find(struct vmm_session *s, uint32_t target, enum vmm_session_table table, uint32_t number, int64_t *ret_low,
                     int64_t *ret_high, struct vmm_err *err)
{
	VMM_CLEANUP_STMT sqlite3_stmt *st = NULL;
	int64_t base = (int64_t)target << 32, seq = 0;
	int rc;

	*ret_low = base;
	*ret_high = base | UINT32_MAX;
	rc = vmm_sql_prepare(s, "SELECT max(number), seq, (SELECT min(seq) FROM keyframe WHERE target = ?1 AND rows = ?2 AND number > ?3)"
	                        " FROM keyframe WHERE target = ?1 AND rows = ?2 AND number <= ?3", &st, err);
	if (rc < 0)
		return rc;
	sqlite3_bind_int64(st, 1, target);
	sqlite3_bind_text(st, 2, vmm_session_tables[table].name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 3, number);
	rc = vmm_sql_step(s, st, err);
	if (rc < 0)
		return rc;
	if (rc == 1 && sqlite3_column_type(st, 1) != SQLITE_NULL) {
		if (!vmm_sql_int(st, 1, 0, UINT32_MAX, &seq))
			return vmm_session_damaged(s, "keyframe", err);
		*ret_low = base + seq;
	}
	if (rc == 1 && sqlite3_column_type(st, 2) != SQLITE_NULL) {
		if (!vmm_sql_int(st, 2, seq, UINT32_MAX, &seq))
			return vmm_session_damaged(s, "keyframe", err);
		*ret_high = base + seq - 1;
	}
	return 0;
}

static const char holds[] = "id BETWEEN ?1 AND ?2 AND first <= ?3 AND (last IS NULL OR last >= ?3)";

static int begin(struct vmm_reader *r, char *select, uint32_t target, uint32_t number)
{
	VMM_CLEANUP_FREE char *sql = select;
	int64_t low, high;
	int rc;

	if (!sql)
		return vmm_fail_nomem(r->err);
	rc = vmm_segment_find(r->session, target, r->table, number, &low, &high, r->err);
	if (rc == 0)
		rc = vmm_sql_prepare(r->session, sql, &r->st, r->err);
	if (rc < 0)
		return rc;
	sqlite3_bind_int64(r->st, 1, low);
	sqlite3_bind_int64(r->st, 2, high);
	sqlite3_bind_int64(r->st, 3, number);
	return 0;
}

int vmm_reader_begin(struct vmm_reader *r, struct vmm_session *s, uint32_t target, enum vmm_session_table table, uint32_t number,
                     struct vmm_err *err)
{
	*r = (struct vmm_reader){.session = s, .table = table, .err = err, .last_id = -1};
	return begin(r, vmm_schema_select(s, table, holds), target, number);
}

int vmm_reader_begin_apart(struct vmm_reader *r, struct vmm_session *s, uint32_t target, enum vmm_session_table table, uint32_t number,
                           struct vmm_err *err)
{
	*r = (struct vmm_reader){.session = s, .table = table, .apart = true, .err = err, .last_id = -1};
	return begin(r, vmm_schema_select_part(s, table, false, holds), target, number);
}

int vmm_reader_next(struct vmm_reader *r)
{
	int rc = vmm_sql_step(r->session, r->st, r->err);
	int64_t id;

	if (rc != 1)
		return rc;
	/* A tree of pages that leads back to itself would go on for ever: no id comes twice. */
	if (!vmm_sql_int(r->st, 0, r->last_id + 1, INT64_MAX, &id))
		return vmm_session_damaged(r->session, vmm_session_tables[r->table].name, r->err);
	r->last_id = id;
	return 1;
}

void vmm_reader_end(struct vmm_reader *r)
{
	sqlite3_finalize(r->st);
	sqlite3_finalize(r->metrics_st);
	r->st = r->metrics_st = NULL;
}

bool vmm_reader_int(struct vmm_reader *r, unsigned column, uint64_t *ret, bool *ret_known)
{
	sqlite3_value *v = sqlite3_column_value(r->st, 3 + (int)column);
	int type = sqlite3_value_type(v);

	*ret_known = type == SQLITE_INTEGER;
	*ret = *ret_known ? (uint64_t)sqlite3_value_int64(v) : 0;
	return type == SQLITE_INTEGER || type == SQLITE_NULL;
}

const void *vmm_reader_blob(struct vmm_reader *r, unsigned column, size_t *ret_length)
{
	const void *bytes;

	*ret_length = 0;
	if (sqlite3_column_type(r->st, 3 + (int)column) != SQLITE_BLOB)
		return NULL;
	bytes = sqlite3_column_blob(r->st, 3 + (int)column);
	*ret_length = (size_t)sqlite3_column_bytes(r->st, 3 + (int)column);
	return *ret_length ? bytes : "";
}

/* "rss 8192 swap 4096" */
static bool bounds_read(const char *text, size_t length, struct vmm_metrics *m)
{
	const char *end = text + length;

	while (text < end) {
		const char *space = memchr(text, ' ', (size_t)(end - text));
		uint64_t value = 0;
		int found = -1;

		for (int i = 0; space && i < VMM_METRIC_COUNT; i++) {
			const char *id = vmm_metric_id((enum vmm_metric)i);

			if (strlen(id) == (size_t)(space - text) && memcmp(id, text, strlen(id)) == 0)
				found = i;
		}
		if (!space || (found >= 0 && vmm_metric_known(m, (enum vmm_metric)found)))
			return false;
		for (text = space + 1; text < end && *text != ' '; text++)
			if (*text < '0' || *text > '9' || __builtin_mul_overflow(value, 10u, &value) ||
			    __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
				return false;
		if (found >= 0) {
			m->value[found] = value;
			m->at_least |= UINT32_C(1) << found;
		}
		text += text < end;
	}
	return true;
}

static bool metrics_read(sqlite3_stmt *st, int first, struct vmm_metrics *ret)
{
	const char *bounds;
	size_t length;

	for (int i = 0; i < VMM_METRIC_COUNT; i++) {
		sqlite3_value *v = sqlite3_column_value(st, first + i);
		int type = sqlite3_value_type(v);

		if (type == SQLITE_INTEGER) {
			ret->value[i] = (uint64_t)sqlite3_value_int64(v);
			ret->known |= UINT32_C(1) << i;
		} else if (type != SQLITE_NULL) {
			return false;
		}
	}
	if (sqlite3_column_type(st, first + VMM_METRIC_COUNT) == SQLITE_NULL)
		return true;
	bounds = vmm_sql_text(st, first + VMM_METRIC_COUNT, &length);
	return bounds && bounds_read(bounds, length, ret);
}

/* The metrics of the row that the reader stands on, by a statement of their own. */
static int metrics_find(struct vmm_reader *r, struct vmm_metrics *ret)
{
	int rc = 0;

	if (!r->metrics_st) {
		VMM_CLEANUP_FREE char *sql = vmm_schema_select_part(r->session, r->table, true, "id = ?1");

		rc = sql ? vmm_sql_prepare(r->session, sql, &r->metrics_st, r->err) : vmm_fail_nomem(r->err);
	}
	if (rc < 0)
		return rc;
	sqlite3_bind_int64(r->metrics_st, 1, r->last_id);
	rc = vmm_sql_step(r->session, r->metrics_st, r->err);
	if (rc >= 0)
		rc = rc == 1 && metrics_read(r->metrics_st, 3, ret) ? 0 : VMM_E_FORMAT;
	sqlite3_reset(r->metrics_st);
	return rc;
}

int vmm_reader_metrics(struct vmm_reader *r, struct vmm_metrics *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (r->apart)
		return metrics_find(r, ret);
	return metrics_read(r->st, 3 + (int)vmm_session_tables[r->table].count, ret) ? 0 : VMM_E_FORMAT;
}
