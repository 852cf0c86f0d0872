/*
 * A session as a ring: the oldest snapshots go, and the file does not grow.
 *
 * Rows stand in the order in which they began to hold, and none from before a key frame holds behind it: what only dropped
 * snapshots need is one stretch of ids, taken out at once. Rows that ended between the last key frame and the oldest
 * snapshot that stays are looked for now and then.
 */
#include "session/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"

#define SWEEP_EVERY 64         /* calls that dropped something, between two searches */
#define NAMES_SWEEP 4096       /* new texts, between two searches for those that nobody uses */
#define VACUUM_PAGES 256       /* free pages that the file may keep */
#define BYTES_PARTS 16         /* of the snapshots dropped at a time to get below a size */

/* --- which snapshots --- */

struct target_list {
	int64_t *ids;
	size_t count, capacity;
};

/* A number out of the snapshots of one target; *ret_known is false where there is none. */
static int number_of(struct vmm_session *s, const char *sql, int64_t target, int64_t parameter, int64_t *ret, bool *ret_known,
                     struct vmm_err *err)
{
	VMM_CLEANUP_STMT sqlite3_stmt *st = NULL;
	int rc = vmm_sql_prepare(s, sql, &st, err);

	if (rc < 0)
		return rc;
	sqlite3_bind_int64(st, 1, target);
	sqlite3_bind_int64(st, 2, parameter);
	rc = vmm_sql_step(s, st, err);
	if (rc < 0)
		return rc;
	*ret_known = rc == 1 && vmm_sql_int(st, 0, 0, INT64_MAX, ret);
	return 0;
}

/* Runs a statement with up to three numbers. */
static int run(struct vmm_session *s, const char *sql, int64_t a, int64_t b, int64_t c, struct vmm_err *err)
{
	VMM_CLEANUP_STMT sqlite3_stmt *st = NULL;
	int rc = vmm_sql_prepare(s, sql, &st, err);

	if (rc < 0)
		return rc;
	sqlite3_bind_int64(st, 1, a);
	sqlite3_bind_int64(st, 2, b);
	sqlite3_bind_int64(st, 3, c);
	return vmm_sql_run(s, st, err);
}

static int targets_read(struct vmm_session *s, struct target_list *l, struct vmm_err *err)
{
	VMM_CLEANUP_STMT sqlite3_stmt *st = NULL;
	int rc = vmm_sql_prepare(s, "SELECT id FROM target ORDER BY id", &st, err);
	int64_t id = 0;

	while (rc >= 0 && (rc = vmm_sql_step(s, st, err)) == 1) {
		if (!vmm_sql_int(st, 0, id + 1, INT32_MAX - 1, &id))
			return vmm_session_damaged(s, "target", err);
		if (!vmm_grow(&l->ids, &l->capacity, l->count + 1, sizeof(*l->ids)))
			return vmm_fail_nomem(err);
		l->ids[l->count++] = id;
	}
	return rc;
}

/* --- rows that nobody needs --- */

/* The number up to which a table of a target was cut already; NULL: not remembered. */
static uint32_t *cut_of(struct vmm_session *s, int64_t target, int table)
{
	for (size_t i = 0; i < s->target_count; i++)
		if (s->targets[i]->id == target)
			return &s->targets[i]->cut[table];
	return NULL;
}

static int table_named(const char *name)
{
	for (int i = 0; name && i < VMM_TABLE_COUNT; i++)
		if (strcmp(vmm_session_tables[i].name, name) == 0)
			return i;
	return -1;
}

/* Takes out the rows of a table that lie before a key frame. */
static int table_cut(struct vmm_session *s, int64_t target, int table, int64_t number, struct vmm_err *err)
{
	const char *name = vmm_session_tables[table].name;
	char sql[256];
	int64_t seq;
	bool known;
	int rc;

	snprintf(sql, sizeof(sql), "SELECT seq FROM keyframe WHERE target = ?1 AND rows = '%s' AND number = ?2", name);
	rc = number_of(s, sql, target, number, &seq, &known, err);
	if (rc < 0 || !known || seq > UINT32_MAX)
		return rc;
	snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE id >= ?1 AND id < ?2", name);
	rc = run(s, sql, target << 32, (target << 32) + seq, 0, err);
	snprintf(sql, sizeof(sql), "DELETE FROM keyframe WHERE target = ?1 AND rows = '%s' AND number < ?2", name);
	return rc < 0 ? rc : run(s, sql, target, number, 0, err);
}

/* What lies before the last key frame that no snapshot is older than, of all tables. */
static int rows_cut(struct vmm_session *s, int64_t target, int64_t oldest, struct vmm_err *err)
{
	VMM_CLEANUP_STMT sqlite3_stmt *st = NULL;
	int64_t numbers[VMM_TABLE_COUNT] = {0};
	int rc = vmm_sql_prepare(s, "SELECT rows, max(number) FROM keyframe WHERE target = ?1 AND number <= ?2 GROUP BY rows", &st, err);

	if (rc < 0)
		return rc;
	sqlite3_bind_int64(st, 1, target);
	sqlite3_bind_int64(st, 2, oldest);
	while ((rc = vmm_sql_step(s, st, err)) == 1) {
		int table = table_named(vmm_sql_text(st, 0, NULL));

		if (table >= 0 && !vmm_sql_int(st, 1, 1, INT32_MAX, &numbers[table]))
			return vmm_session_damaged(s, "keyframe", err);
	}
	for (int table = 0; table < VMM_TABLE_COUNT && rc == 0; table++) {
		uint32_t *cut = cut_of(s, target, table);

		if (!numbers[table] || (cut && *cut == numbers[table]))
			continue;
		rc = table_cut(s, target, table, numbers[table], err);
		if (rc == 0 && cut)
			*cut = (uint32_t)numbers[table];
	}
	return rc;
}

/* Every row that ended before the oldest snapshot. */
static int rows_sweep(struct vmm_session *s, int64_t target, enum vmm_session_table table, int64_t oldest, struct vmm_err *err)
{
	char sql[128];

	snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE id BETWEEN ?1 AND ?2 AND last < ?3", vmm_session_tables[table].name);
	return run(s, sql, target << 32, target << 32 | UINT32_MAX, oldest, err);
}

/* Texts that no row names any more. */
static int names_sweep(struct vmm_session *s, struct vmm_err *err)
{
	struct vmm_out *o = vmm_out_create_memory();
	VMM_CLEANUP_FREE char *sql = NULL;
	int rc;

	if (!o)
		return vmm_fail_nomem(err);
	vmm_out_text(o, "WITH used(id) AS (");
	for (int i = 0, n = 0; i < VMM_TABLE_COUNT; i++)
		for (unsigned c = 0; c < vmm_session_tables[i].count; c++)
			if (vmm_session_tables[i].columns[c].kind == VMM_COLUMN_NAME)
				vmm_out_printf(o, "%sSELECT %s FROM %s WHERE %s IS NOT NULL", n++ ? " UNION " : "", vmm_session_tables[i].columns[c].name,
				               vmm_session_tables[i].name, vmm_session_tables[i].columns[c].name);
	vmm_out_text(o, ") DELETE FROM text WHERE id NOT IN (SELECT id FROM used)");
	sql = vmm_out_take(o, NULL);
	rc = sql ? vmm_sql_exec(s, sql, err) : vmm_fail_nomem(err);
	/* What was remembered of them is read again. */
	vmm_names_forget(s);
	s->swept_names = s->next_name;
	return rc;
}

struct drop {
	struct vmm_session *s;
	struct target_list targets;
	uint32_t dropped;
	struct vmm_err *err;
};

/* Drops a target's snapshots up to a number, but for its newest. */
static int drop_up_to(struct drop *d, int64_t target, int64_t number)
{
	int rc = run(d->s, "DELETE FROM snapshot WHERE target = ?1 AND number <= ?2"
	                   " AND number < (SELECT max(number) FROM snapshot WHERE target = ?1)", target, number, 0, d->err);

	if (rc == 0)
		d->dropped += (uint32_t)sqlite3_changes(d->s->db);
	return rc;
}

static int release(struct drop *d, bool sweep)
{
	int rc = 0;

	for (size_t i = 0; i < d->targets.count && rc == 0; i++) {
		int64_t oldest;
		bool known;

		rc = number_of(d->s, "SELECT min(number) FROM snapshot WHERE target = ?1", d->targets.ids[i], 0, &oldest, &known, d->err);
		if (rc == 0 && known)
			rc = rows_cut(d->s, d->targets.ids[i], oldest, d->err);
		for (int table = 0; table < VMM_TABLE_COUNT && rc == 0 && known && sweep; table++)
			rc = rows_sweep(d->s, d->targets.ids[i], (enum vmm_session_table)table, oldest, d->err);
	}
	if (rc == 0 && sweep && d->s->next_name > d->s->swept_names + NAMES_SWEEP)
		rc = names_sweep(d->s, d->err);
	return rc;
}

/* --- by number, age, size --- */

static int drop_by_count(struct drop *d, uint32_t keep)
{
	int rc = 0;

	for (size_t i = 0; i < d->targets.count && rc == 0; i++) {
		int64_t number;
		bool known;

		rc = number_of(d->s, "SELECT number FROM snapshot WHERE target = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2", d->targets.ids[i], keep,
		               &number, &known, d->err);
		if (rc == 0 && known)
			rc = drop_up_to(d, d->targets.ids[i], number);
	}
	return rc;
}

static int drop_by_age(struct drop *d, uint64_t age_ns)
{
	int64_t newest, number;
	bool known;
	int rc = number_of(d->s, "SELECT max(taken_at) FROM snapshot", 0, 0, &newest, &known, d->err);

	if (rc < 0 || !known || age_ns > (uint64_t)newest)
		return rc;
	for (size_t i = 0; i < d->targets.count && rc == 0; i++) {
		/* The oldest that is young enough: all before it go. */
		rc = number_of(d->s, "SELECT number - 1 FROM snapshot WHERE target = ?1 AND taken_at >= ?2 ORDER BY number LIMIT 1",
		               d->targets.ids[i], newest - (int64_t)age_ns, &number, &known, d->err);
		if (rc == 0)
			rc = drop_up_to(d, d->targets.ids[i], known ? number : INT64_MAX);
	}
	return rc;
}

/* Bytes of the file that hold something. */
static int bytes_used(struct vmm_session *s, uint64_t *ret, struct vmm_err *err)
{
	int64_t pages, unused, size;
	bool known;
	int rc = vmm_sql_number(s, "PRAGMA page_count", &pages, &known, err);

	if (rc == 0)
		rc = vmm_sql_number(s, "PRAGMA freelist_count", &unused, &known, err);
	if (rc == 0)
		rc = vmm_sql_number(s, "PRAGMA page_size", &size, &known, err);
	if (rc == 0)
		*ret = (uint64_t)(pages - unused) * (uint64_t)size;
	return rc;
}

static int drop_by_bytes(struct drop *d, uint64_t bytes)
{
	uint64_t used;
	int rc = bytes_used(d->s, &used, d->err);

	while (rc == 0 && used > bytes) {
		uint32_t before = d->dropped;
		int64_t count, number;
		bool known;

		rc = number_of(d->s, "SELECT count(*) FROM snapshot", 0, 0, &count, &known, d->err);
		if (rc == 0)
			rc = number_of(d->s, "SELECT number FROM snapshot ORDER BY number LIMIT 1 OFFSET ?2", 0, count / BYTES_PARTS, &number, &known, d->err);
		for (size_t i = 0; i < d->targets.count && rc == 0 && known; i++)
			rc = drop_up_to(d, d->targets.ids[i], number);
		/* Only the newest of each are left. */
		if (rc == 0 && d->dropped == before)
			return 0;
		if (rc == 0)
			rc = release(d, true);
		if (rc == 0)
			rc = bytes_used(d->s, &used, d->err);
	}
	return rc;
}

/* Gives free pages back to the file system where there are many of them. */
static int shrink(struct vmm_session *s, struct vmm_err *err)
{
	int64_t pages, unused;
	char sql[64];
	bool known;
	int rc = vmm_sql_number(s, "PRAGMA page_count", &pages, &known, err);

	if (rc == 0)
		rc = vmm_sql_number(s, "PRAGMA freelist_count", &unused, &known, err);
	if (rc < 0 || unused <= VACUUM_PAGES || unused <= pages / 4)
		return rc;
	snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%lld)", (long long)(unused - pages / 8));
	return vmm_sql_exec(s, sql, err);
}

static int drop_all(struct drop *d, const struct vmm_session_keep *keep)
{
	int rc = targets_read(d->s, &d->targets, d->err);

	if (rc == 0 && keep->snapshots)
		rc = drop_by_count(d, keep->snapshots);
	if (rc == 0 && keep->age_ns)
		rc = drop_by_age(d, keep->age_ns);
	if (rc == 0 && d->dropped)
		rc = release(d, ++d->s->drops % SWEEP_EVERY == 0);
	if (rc == 0 && keep->bytes)
		rc = drop_by_bytes(d, keep->bytes);
	free(d->targets.ids);
	return rc;
}

int vmm_session_drop(struct vmm_session *session, const struct vmm_session_keep *keep, uint32_t *ret_dropped, struct vmm_err *err)
{
	struct drop d = {.s = session, .err = err};
	int rc;

	if (session->mode == VMM_SESSION_READ)
		return vmm_fail(err, VMM_E_USAGE, 0, "%.200s: was opened for reading", session->path);
	vmm_totals_forget(session);
	vmm_sql_allow(session);
	rc = vmm_sql_exec(session, "BEGIN IMMEDIATE", err);
	if (rc < 0)
		return rc;
	rc = drop_all(&d, keep);
	if (rc == 0)
		rc = vmm_sql_exec(session, "COMMIT", err);
	if (rc < 0) {
		sqlite3_exec(session->db, "ROLLBACK", NULL, NULL, NULL);
		vmm_session_forget(session);
		return rc;
	}
	if (ret_dropped)
		*ret_dropped = d.dropped;
	return d.dropped ? shrink(session, err) : 0;
}
