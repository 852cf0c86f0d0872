/* Writing: rows that hold are compared here with those of the snapshot before, and only what differs reaches SQLite. */
#include "session/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A key frame comes when so many more rows were written since the last one than hold. */
#define KEY_FACTOR 2
#define KEY_ROWS_MIN 256

/* Columns of a table that hold bytes. */
static uint64_t data_columns(enum vmm_session_table table)
{
	const struct vmm_table_def *t = &vmm_session_tables[table];
	uint64_t mask = t->metrics ? UINT64_C(1) << (t->count + VMM_METRIC_COUNT) : 0;

	for (unsigned i = 0; i < t->count; i++)
		if (t->columns[i].kind == VMM_COLUMN_TEXT || t->columns[i].kind == VMM_COLUMN_BLOB)
			mask |= UINT64_C(1) << i;
	return mask;
}

/* What is not compared. */
static uint64_t ignored(enum vmm_session_table table)
{
	/* Their hash stands for them, and whoever puts the row has looked whether they are the same. */
	return table == VMM_TABLE_MEMORY ? UINT64_C(1) << VMM_MEMORY_DATA | UINT64_C(1) << VMM_MEMORY_CODEC : 0;
}

static size_t cells_of(uint32_t length)
{
	return 1 + ((size_t)length + 7) / 8;
}

/*
 * Cells: the mask of columns that are not NULL, then those of them that are not 0 behind their mask. Bytes stand as they
 * are behind their length: a hash of them could be met by other bytes, which the target chooses.
 */
static bool row_pack(struct vmm_live *l, const struct vmm_row *row, enum vmm_session_table table, struct vmm_live_row *ret)
{
	uint64_t known = row->known & ~ignored(table), data = known & data_columns(table), filled = 0;
	size_t at = l->cell_count, most = at + 2 + VMM_ROW_COLUMNS;

	for (uint64_t rest = data; rest; rest &= rest - 1)
		most += cells_of(row->length[__builtin_ctzll(rest)]);
	if (!vmm_grow(&l->cells, &l->cell_capacity, most, sizeof(*l->cells)) || most > UINT32_MAX)
		return false;
	ret->at = (uint32_t)at;
	at += 2;
	for (uint64_t rest = known & ~data; rest; rest &= rest - 1) {
		int i = __builtin_ctzll(rest);

		if (row->v[i]) {
			filled |= rest & -rest;
			l->cells[at++] = row->v[i];
		}
	}
	for (uint64_t rest = data; rest; rest &= rest - 1) {
		int i = __builtin_ctzll(rest);
		size_t n = cells_of(row->length[i]);

		l->cells[at + n - 1] = 0;
		l->cells[at] = row->length[i];
		if (row->length[i])
			memcpy(&l->cells[at + 1], row->data[i], row->length[i]);
		at += n;
	}
	l->cells[ret->at] = known;
	l->cells[ret->at + 1] = filled;
	ret->n = (uint32_t)(at - ret->at);
	return true;
}

static bool rows_equal(const struct vmm_live *a, const struct vmm_live_row *x, const struct vmm_live *b, const struct vmm_live_row *y)
{
	return x->n == y->n && memcmp(&a->cells[x->at], &b->cells[y->at], x->n * sizeof(*a->cells)) == 0;
}

static void live_done(struct vmm_live *l)
{
	free(l->rows);
	free(l->cells);
	*l = (struct vmm_live){0};
}

/* --- statements --- */

static int bind_row(struct vmm_session *s, sqlite3_stmt *st, const struct vmm_table_def *t, const struct vmm_row *row, struct vmm_err *err)
{
	int rc = SQLITE_OK;

	for (uint64_t rest = row->known; rest && rc == SQLITE_OK; rest &= rest - 1) {
		int i = __builtin_ctzll(rest);
		enum vmm_column_kind kind = (unsigned)i < t->count                 ? t->columns[i].kind
		                            : (unsigned)i < t->count + VMM_METRIC_COUNT ? VMM_COLUMN_INT
		                                                                    : VMM_COLUMN_TEXT;

		if (kind == VMM_COLUMN_TEXT)
			rc = sqlite3_bind_text(st, 4 + i, row->data[i], (int)row->length[i], SQLITE_STATIC);
		else if (kind == VMM_COLUMN_BLOB)
			rc = sqlite3_bind_blob(st, 4 + i, row->data[i], (int)row->length[i], SQLITE_STATIC);
		else
			rc = sqlite3_bind_int64(st, 4 + i, (int64_t)row->v[i]);
	}
	return rc == SQLITE_OK ? 0 : vmm_sql_fail(s, rc, err);
}

static int prepare_insert(struct vmm_session *s, enum vmm_session_table table, struct vmm_err *err)
{
	VMM_CLEANUP_FREE char *sql = vmm_schema_insert(s, table);

	return sql ? vmm_sql_prepare(s, sql, &s->insert[table], err) : vmm_fail_nomem(err);
}

static int row_insert(struct vmm_writer *w, uint32_t seq)
{
	struct vmm_session *s = w->session;
	sqlite3_stmt *st;
	int rc = s->insert[w->table] ? 0 : prepare_insert(s, w->table, w->err);

	if (rc < 0)
		return rc;
	st = s->insert[w->table];
	sqlite3_bind_int64(st, 1, (int64_t)((uint64_t)w->target->id << 32 | seq));
	sqlite3_bind_int64(st, 2, w->number);
	rc = bind_row(s, st, &vmm_session_tables[w->table], &w->row, w->err);
	return rc < 0 ? rc : vmm_sql_run(s, st, w->err);
}

/* The row held until the target's snapshot before. */
static int row_retire(struct vmm_writer *w, uint32_t seq)
{
	struct vmm_session *s = w->session;
	char sql[96];
	int rc = 0;

	if (!s->retire[w->table]) {
		snprintf(sql, sizeof(sql), "UPDATE %s SET last = ?2 WHERE id = ?1", vmm_session_tables[w->table].name);
		rc = vmm_sql_prepare(s, sql, &s->retire[w->table], w->err);
	}
	if (rc < 0)
		return rc;
	sqlite3_bind_int64(s->retire[w->table], 1, (int64_t)((uint64_t)w->target->id << 32 | seq));
	sqlite3_bind_int64(s->retire[w->table], 2, w->target->last);
	return vmm_sql_run(s, s->retire[w->table], w->err);
}

static int keyframe_note(struct vmm_writer *w, uint32_t seq)
{
	VMM_CLEANUP_STMT sqlite3_stmt *st = NULL;
	int rc = vmm_sql_prepare(w->session, "INSERT OR REPLACE INTO keyframe(target, rows, number, seq) VALUES(?1, ?2, ?3, ?4)", &st, w->err);

	if (rc < 0)
		return rc;
	sqlite3_bind_int64(st, 1, w->target->id);
	sqlite3_bind_text(st, 2, vmm_session_tables[w->table].name, -1, SQLITE_STATIC);
	sqlite3_bind_int64(st, 3, w->number);
	sqlite3_bind_int64(st, 4, seq);
	return vmm_sql_run(w->session, st, w->err);
}

/* --- one table --- */

int vmm_writer_begin(struct vmm_writer *w, struct vmm_session *s, struct vmm_session_target *t, enum vmm_session_table table,
                     uint32_t number, struct vmm_err *err)
{
	const struct vmm_live *before = &t->live[table];
	uint64_t written = before->next_seq - before->key_seq;

	w->session = s;
	w->target = t;
	w->table = table;
	w->number = number;
	w->at = 0;
	w->row.known = 0;
	w->err = err;
	w->next = (struct vmm_live){.next_seq = before->next_seq, .key_seq = before->key_seq};
	w->whole = written > (uint64_t)before->count * (KEY_FACTOR + 1) + KEY_ROWS_MIN;
	if (!w->whole)
		return 0;
	w->next.key_seq = before->next_seq;
	return keyframe_note(w, before->next_seq);
}

static int retire_below(struct vmm_writer *w, uint64_t key, bool all)
{
	struct vmm_live *before = &w->target->live[w->table];
	int rc = 0;

	for (; rc == 0 && w->at < before->count && (all || before->rows[w->at].key < key); w->at++)
		rc = row_retire(w, before->rows[w->at].seq);
	return rc;
}

bool vmm_writer_same(struct vmm_writer *w, int64_t *ret_id)
{
	struct vmm_live *before = &w->target->live[w->table];
	uint64_t key = w->row.v[0];
	struct vmm_live_row made;
	size_t at = w->at;

	while (at < before->count && before->rows[at].key < key)
		at++;
	if (w->whole || at >= before->count || before->rows[at].key != key || !row_pack(&w->next, &w->row, w->table, &made))
		return false;
	*ret_id = (int64_t)((uint64_t)w->target->id << 32 | before->rows[at].seq);
	return rows_equal(&w->next, &made, before, &before->rows[at]);
}

/* Whether the row that held of this key holds on; if it does not it is closed. Negative: an error. */
static int key_kept(struct vmm_writer *w, struct vmm_live_row *made)
{
	struct vmm_live *before = &w->target->live[w->table];
	int rc = retire_below(w, made->key, false);
	const struct vmm_live_row *old;

	if (rc < 0 || w->at >= before->count || before->rows[w->at].key != made->key)
		return rc;
	old = &before->rows[w->at++];
	made->seq = old->seq;
	if (!w->whole && rows_equal(&w->next, made, before, old))
		return 1;
	return row_retire(w, old->seq);
}

int vmm_writer_put(struct vmm_writer *w)
{
	struct vmm_live_row made = {.key = w->row.v[0]};
	int rc;

	if (!(w->row.known & 1) || (w->next.count && w->next.rows[w->next.count - 1].key >= made.key))
		return vmm_fail(w->err, VMM_E_FORMAT, 0, "%s: rows are not in order", vmm_session_tables[w->table].name);
	if (w->next.next_seq == UINT32_MAX)
		return vmm_fail(w->err, VMM_E_LIMIT, 0, "%.200s: too many rows of one target", w->session->path);
	if (!row_pack(&w->next, &w->row, w->table, &made) ||
	    !vmm_grow(&w->next.rows, &w->next.capacity, w->next.count + 1, sizeof(*w->next.rows)))
		return vmm_fail_nomem(w->err);
	rc = key_kept(w, &made);
	if (rc == 0) {
		made.seq = w->next.next_seq++;
		rc = row_insert(w, made.seq);
	}
	if (rc < 0)
		return rc;
	w->next.cell_count = made.at + made.n;
	w->next.rows[w->next.count++] = made;
	w->row.known = 0;
	return 0;
}

int vmm_writer_end(struct vmm_writer *w, int rc)
{
	if (rc >= 0)
		rc = retire_below(w, 0, true);
	if (rc < 0) {
		live_done(&w->next);
		return rc;
	}
	live_done(&w->target->live[w->table]);
	w->target->live[w->table] = w->next;
	return 0;
}

/* --- what an existing session holds --- */

static bool cell_read(struct vmm_row *row, sqlite3_stmt *st, bool bytes, unsigned i)
{
	int type = sqlite3_column_type(st, 3 + (int)i);

	if (type == SQLITE_INTEGER && !bytes)
		vmm_row_int(row, i, (uint64_t)sqlite3_column_int64(st, 3 + (int)i));
	else if ((type == SQLITE_TEXT || type == SQLITE_BLOB) && bytes)
		vmm_row_data(row, i, sqlite3_column_blob(st, 3 + (int)i), (size_t)sqlite3_column_bytes(st, 3 + (int)i));
	else if (type != SQLITE_NULL)
		return false;
	return i || row->known & 1;
}

static int compare_live(const void *a, const void *b)
{
	const struct vmm_live_row *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static int live_read(struct vmm_session *s, struct vmm_session_target *t, enum vmm_session_table table, struct vmm_err *err)
{
	struct vmm_live *l = &t->live[table];
	struct vmm_reader r;
	int rc = vmm_reader_begin(&r, s, t->id, table, t->last, err);

	while (rc >= 0 && (rc = vmm_reader_next(&r)) == 1) {
		struct vmm_row row;
		struct vmm_live_row made;

		row.known = 0;
		for (unsigned i = 0; i < vmm_table_width(&vmm_session_tables[table]); i++)
			if (!cell_read(&row, r.st, data_columns(table) >> i & 1, i))
				rc = vmm_session_damaged(s, vmm_session_tables[table].name, err);
		/* What was closed at the last snapshot itself holds in it too; only a damaged file says so. */
		if (rc < 0 || sqlite3_column_type(r.st, 2) != SQLITE_NULL)
			continue;
		made = (struct vmm_live_row){.key = row.v[0], .seq = (uint32_t)sqlite3_column_int64(r.st, 0)};
		if (!vmm_grow(&l->rows, &l->capacity, l->count + 1, sizeof(*l->rows)) || !row_pack(l, &row, table, &made)) {
			rc = vmm_fail_nomem(err);
			continue;
		}
		l->cell_count = made.at + made.n;
		l->rows[l->count++] = made;
	}
	vmm_reader_end(&r);
	if (l->count)
		qsort(l->rows, l->count, sizeof(*l->rows), compare_live);
	return rc;
}

static int seq_read(struct vmm_session *s, struct vmm_session_target *t, enum vmm_session_table table, struct vmm_err *err)
{
	int64_t base = (int64_t)t->id << 32, most, low, high;
	char sql[128];
	bool known;
	int rc;

	snprintf(sql, sizeof(sql), "SELECT max(id) FROM %s WHERE id BETWEEN %lld AND %lld", vmm_session_tables[table].name, (long long)base,
	         (long long)(base | UINT32_MAX));
	rc = vmm_sql_number(s, sql, &most, &known, err);
	if (rc == 0)
		rc = vmm_segment_find(s, t->id, table, t->last, &low, &high, err);
	if (rc < 0)
		return rc;
	t->live[table].key_seq = (uint32_t)low;
	t->live[table].next_seq = known ? (uint32_t)most + 1 : (uint32_t)low;
	if (t->live[table].next_seq < t->live[table].key_seq)
		return vmm_session_damaged(s, "keyframe", err);
	return 0;
}

static int target_read(struct vmm_session *s, struct vmm_session_target *t, struct vmm_err *err)
{
	char sql[80];
	int64_t last;
	bool known;
	int rc;

	snprintf(sql, sizeof(sql), "SELECT max(number) FROM snapshot WHERE target = %u", t->id);
	rc = vmm_sql_number(s, sql, &last, &known, err);
	if (rc == 0 && known && (last < 1 || last >= UINT32_MAX))
		rc = vmm_session_damaged(s, "snapshot", err);
	t->last = rc == 0 && known ? (uint32_t)last : 0;
	for (int i = 0; i < VMM_TABLE_COUNT && rc == 0 && t->last; i++) {
		rc = seq_read(s, t, (enum vmm_session_table)i, err);
		if (rc == 0)
			rc = live_read(s, t, (enum vmm_session_table)i, err);
	}
	return rc;
}

static void target_destroy(struct vmm_session_target *t)
{
	for (int i = 0; t && i < VMM_TABLE_COUNT; i++)
		live_done(&t->live[i]);
	free(t);
}

int vmm_session_target_get(struct vmm_session *s, uint32_t id, struct vmm_session_target **ret, struct vmm_err *err)
{
	struct vmm_session_target *t;
	int rc;

	for (size_t i = 0; i < s->target_count; i++)
		if (s->targets[i]->id == id) {
			*ret = s->targets[i];
			return 0;
		}
	t = vmm_alloc_hook(NULL, sizeof(*t));
	if (!t || !vmm_grow(&s->targets, &s->target_capacity, s->target_count + 1, sizeof(struct vmm_session_target *))) {
		free(t);
		return vmm_fail_nomem(err);
	}
	memset(t, 0, sizeof(*t));
	t->id = id;
	rc = target_read(s, t, err);
	if (rc < 0) {
		target_destroy(t);
		return rc;
	}
	s->targets[s->target_count++] = *ret = t;
	return 0;
}

void vmm_session_forget(struct vmm_session *s)
{
	for (size_t i = 0; i < s->target_count; i++)
		target_destroy(s->targets[i]);
	s->target_count = 0;
	vmm_names_forget(s);
}
