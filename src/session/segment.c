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

#include "session/memory.h"

int vmm_segment_target(struct vmm_session *s, uint32_t number, uint32_t *ret_target, uint32_t *ret_contents, struct vmm_err *err)
{
	VMM_CLEANUP_STMT sqlite3_stmt *st = NULL;
	int64_t target, contents = 0;
	int rc = vmm_sql_prepare(s, "SELECT target, contents FROM snapshot WHERE number = ?1", &st, err);

	if (rc < 0)
		return rc;
	sqlite3_bind_int64(st, 1, number);
	rc = vmm_sql_step(s, st, err);
	if (rc == 0)
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "%.200s: has no snapshot %u", s->path, number);
	if (rc < 0)
		return rc;
	if (!vmm_sql_int(st, 0, 1, INT32_MAX - 1, &target) ||
	    (ret_contents && !vmm_sql_int(st, 1, 0, VMM_CONTENTS_KEPT | VMM_CONTENTS_RESIDENCY_UNKNOWN, &contents)))
		return vmm_session_damaged(s, "snapshot", err);
	*ret_target = (uint32_t)target;
	if (ret_contents)
		*ret_contents = (uint32_t)contents;
	return 0;
}

int vmm_segment_find(struct vmm_session *s, uint32_t target, enum vmm_session_table table, uint32_t number, int64_t *ret_low,
                     int64_t *ret_high, struct vmm_err *err)
{
	VMM_CLEANUP_RESET sqlite3_stmt *st = NULL;
	int64_t base = (int64_t)target << 32, seq = 0;
	int rc = 0;

	*ret_low = base;
	*ret_high = base | UINT32_MAX;
	if (!s->segment)
		rc = vmm_sql_prepare(s, "SELECT max(number), seq, (SELECT seq FROM keyframe WHERE target = ?1 AND rows = ?2 AND number > ?3"
		                        " ORDER BY number LIMIT 1) FROM keyframe WHERE target = ?1 AND rows = ?2 AND number <= ?3", &s->segment, err);
	if (rc < 0)
		return rc;
	st = s->segment;
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

int vmm_segment_numbers(struct vmm_session *s, uint32_t target, enum vmm_session_table table, uint32_t number, uint32_t *ret_from,
                        uint32_t *ret_to, struct vmm_err *err)
{
	VMM_CLEANUP_STMT sqlite3_stmt *st = NULL;
	int64_t from = 0, to = INT32_MAX;
	int rc = vmm_sql_prepare(s, "SELECT max(number), (SELECT min(number) FROM keyframe WHERE target = ?1 AND rows = ?2 AND number > ?3)"
	                            " FROM keyframe WHERE target = ?1 AND rows = ?2 AND number <= ?3", &st, err);

	if (rc < 0)
		return rc;
	sqlite3_bind_int64(st, 1, target);
	sqlite3_bind_text(st, 2, vmm_session_tables[table].name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 3, number);
	rc = vmm_sql_step(s, st, err);
	if (rc == 1 && ((sqlite3_column_type(st, 0) != SQLITE_NULL && !vmm_sql_int(st, 0, 0, number, &from)) ||
	                (sqlite3_column_type(st, 1) != SQLITE_NULL && !vmm_sql_int(st, 1, number, INT32_MAX, &to))))
		return vmm_session_damaged(s, "keyframe", err);
	*ret_from = (uint32_t)from;
	*ret_to = (uint32_t)to;
	return rc < 0 ? rc : 0;
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
	*r = (struct vmm_reader){.session = s, .table = table, .number = number, .err = err, .last_id = -1};
	return begin(r, vmm_schema_select(s, table, holds), target, number);
}

/* A tree of pages that leads back to itself would go on for ever: no id comes twice. */
static bool id_rises(struct vmm_reader *r, sqlite3_value *v)
{
	int64_t id = sqlite3_value_int64(v);

	if (sqlite3_value_type(v) != SQLITE_INTEGER || id <= r->last_id)
		return false;
	r->last_id = id;
	return true;
}

int vmm_reader_next(struct vmm_reader *r)
{
	int rc = vmm_sql_step(r->session, r->st, r->err);

	if (rc == 1 && !id_rises(r, sqlite3_column_value(r->st, 0)))
		return vmm_session_damaged(r->session, vmm_session_tables[r->table].name, r->err);
	return rc;
}

/* The order in which a WHERE clause is looked at is SQLite's choice. */
static bool row_holds(const struct vmm_reader *r, sqlite3_value **values)
{
	return sqlite3_value_int64(values[1]) <= r->number &&
	       (sqlite3_value_type(values[2]) == SQLITE_NULL || sqlite3_value_int64(values[2]) >= r->number);
}

static void take_row(sqlite3_context *context, int count, sqlite3_value **values)
{
	struct vmm_session *s = sqlite3_user_data(context);
	struct vmm_reader *r = s->reader;

	if (r && count > 3 && r->rc >= 0 && row_holds(r, values)) {
		r->values = values;
		r->rc = id_rises(r, values[0]) ? r->fn(r->arg) : vmm_session_damaged(s, vmm_session_tables[r->table].name, r->err);
		r->values = NULL;
	}
	if (!r || r->rc < 0)
		sqlite3_result_error(context, "broken off", -1);
	else
		sqlite3_result_int(context, 0);
}

int vmm_reader_install(struct vmm_session *s)
{
	return sqlite3_create_function_v2(s->db, "vmm_row", -1, SQLITE_UTF8 | SQLITE_DIRECTONLY, s, take_row, NULL, NULL, NULL);
}

static int prepare_each(struct vmm_session *s, enum vmm_session_table table, bool apart, struct vmm_err *err)
{
	VMM_CLEANUP_FREE char *sql = vmm_schema_each(s, table, !apart);

	return sql ? vmm_sql_prepare(s, sql, &s->each[table], err) : vmm_fail_nomem(err);
}

int vmm_reader_range(struct vmm_reader *r, struct vmm_session *s, enum vmm_session_table table, uint32_t number, int64_t low, int64_t high,
                     int (*fn)(void *arg), void *arg, struct vmm_err *err)
{
	/* Most regions and blocks have the numbers of their mapping. */
	bool apart = table == VMM_TABLE_REGION || table == VMM_TABLE_BLOCK;
	struct vmm_err why = {0};
	int rc;

	*r = (struct vmm_reader){.session = s, .table = table, .number = number, .apart = apart, .err = err, .last_id = -1, .fn = fn, .arg = arg};
	rc = s->each[table] ? 0 : prepare_each(s, table, apart, err);
	if (rc < 0)
		return rc;
	r->st = s->each[table];
	r->kept = true;
	sqlite3_bind_int64(r->st, 1, low);
	sqlite3_bind_int64(r->st, 2, high);
	sqlite3_bind_int64(r->st, 3, number);
	s->reader = r;
	rc = vmm_sql_step(s, r->st, &why);
	s->reader = NULL;
	/* What the function said is the reason; SQLite only says that it said something. */
	if (r->rc < 0)
		return r->rc;
	if (rc < 0 && err)
		*err = why;
	return rc;
}

int vmm_reader_each(struct vmm_reader *r, struct vmm_session *s, uint32_t target, enum vmm_session_table table, uint32_t number,
                    int (*fn)(void *arg), void *arg, struct vmm_err *err)
{
	int64_t low, high;
	int rc = vmm_segment_find(s, target, table, number, &low, &high, err);

	*r = (struct vmm_reader){.rc = rc};
	return rc < 0 ? rc : vmm_reader_range(r, s, table, number, low, high, fn, arg, err);
}

void vmm_reader_end(struct vmm_reader *r)
{
	if (r->kept)
		sqlite3_reset(r->st);
	else
		sqlite3_finalize(r->st);
	sqlite3_finalize(r->metrics_st);
	r->st = r->metrics_st = NULL;
}

static sqlite3_value *value_of(const struct vmm_reader *r, int column)
{
	return r->values ? r->values[3 + column] : sqlite3_column_value(r->st, 3 + column);
}

bool vmm_reader_int(struct vmm_reader *r, unsigned column, uint64_t *ret, bool *ret_known)
{
	sqlite3_value *v = value_of(r, (int)column);
	int type = sqlite3_value_type(v);

	*ret_known = type == SQLITE_INTEGER;
	*ret = *ret_known ? (uint64_t)sqlite3_value_int64(v) : 0;
	return type == SQLITE_INTEGER || type == SQLITE_NULL;
}

const void *vmm_reader_blob(struct vmm_reader *r, unsigned column, size_t *ret_length)
{
	sqlite3_value *v = value_of(r, (int)column);
	const void *bytes;

	*ret_length = 0;
	if (sqlite3_value_type(v) != SQLITE_BLOB)
		return NULL;
	bytes = sqlite3_value_blob(v);
	*ret_length = (size_t)sqlite3_value_bytes(v);
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

static bool metrics_read(const struct vmm_reader *r, int first, struct vmm_metrics *ret)
{
	sqlite3_value *v;

	for (int i = 0; i < VMM_METRIC_COUNT; i++) {
		int type;

		v = value_of(r, first + i);
		type = sqlite3_value_type(v);
		if (type == SQLITE_INTEGER) {
			ret->value[i] = (uint64_t)sqlite3_value_int64(v);
			ret->known |= UINT32_C(1) << i;
		} else if (type != SQLITE_NULL) {
			return false;
		}
	}
	v = value_of(r, first + VMM_METRIC_COUNT);
	if (sqlite3_value_type(v) == SQLITE_NULL)
		return true;
	/* Of no other encoding: its bytes are taken as they are. */
	return sqlite3_value_type(v) == SQLITE_TEXT && bounds_read((const char *)sqlite3_value_text(v), (size_t)sqlite3_value_bytes(v), ret);
}

/* The metrics of the row that the reader stands on, by a statement of their own. */
static int metrics_find(struct vmm_reader *r, struct vmm_metrics *ret)
{
	struct vmm_reader one = {.table = r->table};
	int rc = 0;

	if (!r->metrics_st) {
		VMM_CLEANUP_FREE char *sql = vmm_schema_select_metrics(r->session, r->table);

		rc = sql ? vmm_sql_prepare(r->session, sql, &r->metrics_st, r->err) : vmm_fail_nomem(r->err);
	}
	if (rc < 0)
		return rc;
	sqlite3_bind_int64(r->metrics_st, 1, r->last_id);
	rc = vmm_sql_step(r->session, r->metrics_st, r->err);
	one.st = r->metrics_st;
	if (rc >= 0)
		rc = rc == 1 && metrics_read(&one, 0, ret) ? 0 : VMM_E_FORMAT;
	sqlite3_reset(r->metrics_st);
	return rc;
}

int vmm_reader_metrics(struct vmm_reader *r, struct vmm_metrics *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (r->apart)
		return metrics_find(r, ret);
	return metrics_read(r, (int)vmm_session_tables[r->table].count, ret) ? 0 : VMM_E_FORMAT;
}
