/* The schema of a session: made for a new one, and looked through before an existing one is trusted with a query. */
#include "session/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"

#define COLUMN(TABLE, NAME, column, sort) {#column, VMM_COLUMN_##sort},
#define TABLE(NAME, name, has_metrics) static const struct vmm_column_def columns_##name[] = {VMM_COLUMNS_##NAME(COLUMN)};
VMM_SESSION_TABLES(TABLE)
#undef TABLE
#undef COLUMN

#define TABLE(NAME, table, has_metrics) {#table, columns_##table, VMM_##NAME##_COLUMNS, has_metrics},
const struct vmm_table_def vmm_session_tables[VMM_TABLE_COUNT] = {VMM_SESSION_TABLES(TABLE)};
#undef TABLE
#define TABLE(NAME, table, has_metrics)                                                                                   \
	_Static_assert((int)VMM_##NAME##_COLUMNS + (has_metrics ? VMM_METRIC_COUNT + 1 : 0) <= VMM_ROW_COLUMNS, "a mask has 64 bits");
VMM_SESSION_TABLES(TABLE)
#undef TABLE

/* What is the same in every session. status holds the lines of /proc/PID/status, in bytes. */
static const char fixed_schema[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE text(id INTEGER PRIMARY KEY, value);"
    "CREATE TABLE target(id INTEGER PRIMARY KEY, source TEXT, pid INTEGER, started INTEGER, name);"
    "CREATE TABLE keyframe(target INTEGER, rows TEXT, number INTEGER, seq INTEGER, PRIMARY KEY(target, rows, number)) WITHOUT ROWID;"
    "CREATE TABLE verdict(id INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER, verdict TEXT, severity TEXT, title TEXT,"
    " evidence TEXT, remedy TEXT);";

static const char *const fixed_tables[] = {"meta", "text", "target", "keyframe", "snapshot"};

static void emit_snapshot_table(struct vmm_out *o)
{
	static const char *const status[] = {
#define VMM_STATUS(name, key) key,
#include "vmmap/status.def"
#undef VMM_STATUS
	};

	vmm_out_text(o, "CREATE TABLE snapshot(number INTEGER PRIMARY KEY, target INTEGER NOT NULL, taken_at INTEGER NOT NULL,"
	                " needs INTEGER NOT NULL, partial INTEGER, unreadable INTEGER, threads_complete INTEGER, contents INTEGER,"
	                " cpus INTEGER, state TEXT, total_ns INTEGER, maps_ns INTEGER, smaps_ns INTEGER, pages_ns INTEGER,"
	                " images_ns INTEGER, threads_ns INTEGER, stopped_ns INTEGER");
	for (size_t i = 0; i < ARRAY_LEN(status); i++)
		vmm_out_printf(o, ", \"%s\" INTEGER", status[i]);
	vmm_out_text(o, "); CREATE INDEX snapshot_target ON snapshot(target);");
}

static void emit_table(struct vmm_out *o, const struct vmm_table_def *t)
{
	static const char *const types[] = {"INTEGER", "INTEGER", "TEXT", "BLOB"};

	vmm_out_printf(o, "CREATE TABLE %s(id INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER", t->name);
	for (unsigned i = 0; i < t->count; i++)
		vmm_out_printf(o, ", %s %s", t->columns[i].name, types[t->columns[i].kind]);
	if (t->metrics) {
		for (int i = 0; i < VMM_METRIC_COUNT; i++)
			vmm_out_printf(o, ", %s INTEGER", vmm_metric_id((enum vmm_metric)i));
		vmm_out_text(o, ", bounds TEXT");
	}
	vmm_out_text(o, ");");
}

/* "m.size, m.committed, ..." */
static void emit_metrics(struct vmm_out *o, const char *from, const char *otherwise)
{
	for (int i = 0; i < VMM_METRIC_COUNT; i++) {
		const char *id = vmm_metric_id((enum vmm_metric)i);

		if (otherwise)
			vmm_out_printf(o, ", CASE WHEN %s.own THEN %s.%s ELSE %s.%s END AS %s", from, from, id, otherwise, id, id);
		else
			vmm_out_printf(o, ", %s.%s", from, id);
	}
}

/* What people ask: one row for each snapshot, whatever stretch the rows below hold over. */
static void emit_views(struct vmm_out *o)
{
	static const char holds[] = "id >> 32 = s.target AND s.number >= %s.first AND (%s.last IS NULL OR s.number <= %s.last)";

	vmm_out_text(o, "CREATE VIEW types AS SELECT s.number AS snapshot, s.target, datetime(s.taken_at / 1000000000, 'unixepoch') AS taken,"
	                " k.value AS kind, t.regions, t.blocks, t.largest");
	emit_metrics(o, "t", NULL);
	vmm_out_text(o, " FROM snapshot s JOIN total t ON t.");
	vmm_out_printf(o, holds, "t", "t", "t");
	vmm_out_text(o, " JOIN text k ON k.id = t.kind;"
	                "CREATE VIEW mappings AS SELECT s.number AS snapshot, s.target, printf('0x%llx', m.start) AS address, m.start,"
	                " m.span, m.prot, n.value AS name, m.file_offset, m.inode");
	emit_metrics(o, "m", NULL);
	vmm_out_text(o, " FROM snapshot s JOIN mapping m ON m.");
	vmm_out_printf(o, holds, "m", "m", "m");
	vmm_out_text(o, " LEFT JOIN text n ON n.id = m.name;"
	                "CREATE VIEW regions AS SELECT s.number AS snapshot, s.target, printf('0x%llx', r.start) AS address, r.start, r.span,"
	                " k.value AS kind, d.value AS details, p.value AS path");
	emit_metrics(o, "r", "m");
	vmm_out_text(o, " FROM snapshot s JOIN region r ON r.");
	vmm_out_printf(o, holds, "r", "r", "r");
	vmm_out_text(o, " LEFT JOIN mapping m ON NOT r.own AND m.start = r.start AND m.");
	vmm_out_printf(o, holds, "m", "m", "m");
	vmm_out_text(o, " LEFT JOIN text k ON k.id = r.kind LEFT JOIN text d ON d.id = r.details LEFT JOIN text p ON p.id = r.path;");
	vmm_out_text(o, "CREATE VIEW growth AS SELECT a.target, a.kind, a.snapshot AS first_snapshot, b.snapshot AS last_snapshot,"
	                " a.rss AS first_rss, b.rss AS last_rss, b.rss - a.rss AS rss_difference,"
	                " (b.rss - a.rss) * 3600e9 / nullif(y.taken_at - x.taken_at, 0) AS rss_per_hour,"
	                " a.committed AS first_committed, b.committed AS last_committed, b.committed - a.committed AS committed_difference,"
	                " (b.committed - a.committed) * 3600e9 / nullif(y.taken_at - x.taken_at, 0) AS committed_per_hour"
	                " FROM (SELECT target, min(number) AS low, max(number) AS high FROM snapshot GROUP BY target) e"
	                " JOIN types a ON a.snapshot = e.low JOIN types b ON b.snapshot = e.high AND b.kind = a.kind"
	                " JOIN snapshot x ON x.number = e.low JOIN snapshot y ON y.number = e.high;");
}

int vmm_schema_create(struct vmm_session *s, struct vmm_err *err)
{
	struct vmm_out *o = vmm_out_create_memory();
	char *sql;
	int rc;

	if (!o)
		return vmm_fail_nomem(err);
	vmm_out_printf(o, "PRAGMA application_id = %d; PRAGMA user_version = %d;", VMM_SESSION_APPLICATION, VMM_SESSION_SCHEMA);
	vmm_out_text(o, fixed_schema);
	emit_snapshot_table(o);
	for (int i = 0; i < VMM_TABLE_COUNT; i++)
		emit_table(o, &vmm_session_tables[i]);
	emit_views(o);
	vmm_out_printf(o, "INSERT INTO meta VALUES('tool', 'vmmap %s'), ('schema', %d);", VMM_VERSION, VMM_SESSION_SCHEMA);
	sql = vmm_out_take(o, NULL);
	rc = sql ? vmm_sql_exec(s, sql, err) : vmm_fail_nomem(err);
	free(sql);
	return rc;
}

/* Refuses what only looks like a table: views, virtual tables; and triggers, which an insertion would run. */
static int check_plain(struct vmm_session *s, const char *name, struct vmm_err *err)
{
	VMM_CLEANUP_STMT sqlite3_stmt *st = NULL;
	int rc = vmm_sql_prepare(s, "SELECT type, sql FROM sqlite_schema WHERE tbl_name = ?1 COLLATE NOCASE AND type <> 'index'", &st, err);
	const char *type, *sql;

	if (rc < 0)
		return rc;
	sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC);
	rc = vmm_sql_step(s, st, err);
	if (rc < 0)
		return rc;
	type = rc == 1 ? vmm_sql_text(st, 0, NULL) : NULL;
	if (!type || strcmp(type, "table") != 0)
		return vmm_fail(err, VMM_E_FORMAT, 0, "%.200s: the session is damaged: it has no table %s", s->path, name);
	sql = vmm_sql_text(st, 1, NULL);
	if (!sql || strncmp(sql, "CREATE TABLE ", 13) != 0)
		return vmm_session_damaged(s, name, err);
	rc = vmm_sql_step(s, st, err);
	return rc == 1 ? vmm_session_damaged(s, name, err) : rc;
}

/* Marks the columns that the file has, as plain ones. */
static int check_columns(struct vmm_session *s, const struct vmm_table_def *t, uint64_t *ret_missing, struct vmm_err *err)
{
	VMM_CLEANUP_STMT sqlite3_stmt *st = NULL;
	uint64_t missing = UINT64_MAX >> (64 - vmm_table_width(t));
	char sql[64];
	int rc;

	snprintf(sql, sizeof(sql), "PRAGMA table_xinfo(%s)", t->name);
	rc = vmm_sql_prepare(s, sql, &st, err);
	while (rc >= 0 && (rc = vmm_sql_step(s, st, err)) == 1) {
		const char *name = vmm_sql_text(st, 1, NULL);

		if (!name || sqlite3_column_int(st, 6) != 0)
			return vmm_session_damaged(s, t->name, err);
		for (unsigned i = 0; i < t->count; i++)
			if (strcmp(name, t->columns[i].name) == 0)
				missing &= ~(UINT64_C(1) << i);
		for (unsigned i = 0; t->metrics && i < VMM_METRIC_COUNT; i++)
			if (strcmp(name, vmm_metric_id((enum vmm_metric)i)) == 0)
				missing &= ~(UINT64_C(1) << (t->count + i));
		if (t->metrics && strcmp(name, "bounds") == 0)
			missing &= ~(UINT64_C(1) << (t->count + VMM_METRIC_COUNT));
	}
	*ret_missing = missing;
	return rc;
}

/* A table that files of this version need not have: a session to be continued gets it. */
static int check_later(struct vmm_session *s, int table, struct vmm_err *err)
{
	VMM_CLEANUP_STMT sqlite3_stmt *st = NULL;
	VMM_CLEANUP_FREE char *sql = NULL;
	struct vmm_out *o;
	int rc = vmm_sql_prepare(s, "SELECT 1 FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE OR tbl_name = ?1 COLLATE NOCASE", &st, err);

	if (rc < 0)
		return rc;
	sqlite3_bind_text(st, 1, vmm_session_tables[table].name, -1, SQLITE_STATIC);
	rc = vmm_sql_step(s, st, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	s->missing[table] = VMM_TABLE_MISSING;
	if (s->mode == VMM_SESSION_READ)
		return 0;
	vmm_sql_finalize(&st);
	st = NULL;
	o = vmm_out_create_memory();
	if (!o)
		return vmm_fail_nomem(err);
	emit_table(o, &vmm_session_tables[table]);
	sql = vmm_out_take(o, NULL);
	s->missing[table] = 0;
	return sql ? vmm_sql_exec(s, sql, err) : vmm_fail_nomem(err);
}

static int check_table(struct vmm_session *s, int table, struct vmm_err *err)
{
	const struct vmm_table_def *t = &vmm_session_tables[table];
	int rc = table == VMM_TABLE_ACCOUNT ? check_later(s, table, err) : 0;
	uint64_t needed = (UINT64_C(1) << t->count) - 1;

	if (rc < 0 || s->missing[table] == VMM_TABLE_MISSING)
		return rc;
	rc = check_plain(s, t->name, err);

	if (rc == 0)
		rc = check_columns(s, t, &s->missing[table], err);
	/* A metric that was not known yet is unknown; a session to be continued has to know them all. */
	if (rc == 0 && (s->missing[table] & needed || (s->missing[table] && s->mode != VMM_SESSION_READ)))
		rc = vmm_fail(err, VMM_E_FORMAT, 0, "%.200s: the session's table %s is not as this version of vmmap writes it", s->path, t->name);
	return rc;
}

int vmm_schema_check(struct vmm_session *s, struct vmm_err *err)
{
	int64_t application, version;
	bool known;
	int rc = vmm_sql_number(s, "PRAGMA application_id", &application, &known, err);

	if (rc == 0 && (!known || application != VMM_SESSION_APPLICATION))
		return vmm_fail(err, VMM_E_FORMAT, 0, "%.200s: an SQLite file, but no session of vmmap", s->path);
	if (rc == 0)
		rc = vmm_sql_number(s, "PRAGMA user_version", &version, &known, err);
	if (rc < 0)
		return rc;
	if (!known || version > VMM_SESSION_SCHEMA)
		return vmm_fail(err, VMM_E_FORMAT, 0, "%.200s: written by a newer vmmap (session version %lld, this one knows %d)", s->path,
		                (long long)version, VMM_SESSION_SCHEMA);
	if (version < 1)
		return vmm_fail(err, VMM_E_FORMAT, 0, "%.200s: the session is damaged: it has no version", s->path);
	for (size_t i = 0; i < ARRAY_LEN(fixed_tables) && rc == 0; i++)
		rc = check_plain(s, fixed_tables[i], err);
	for (int i = 0; i < VMM_TABLE_COUNT && rc == 0; i++)
		rc = check_table(s, i, err);
	return rc;
}

/* id, first, last, and columns [low, high). */
static void emit_columns(struct vmm_out *o, const struct vmm_session *s, enum vmm_session_table table, unsigned low, unsigned high)
{
	const struct vmm_table_def *t = &vmm_session_tables[table];

	vmm_out_text(o, "id, first, last");
	for (unsigned i = low; i < high; i++)
		vmm_out_printf(o, ", %s",
		               s->missing[table] >> i & 1        ? "NULL"
		               : i < t->count                    ? t->columns[i].name
		               : i < t->count + VMM_METRIC_COUNT ? vmm_metric_id((enum vmm_metric)(i - t->count))
		                                                 : "bounds");
}

static char *select_columns(const struct vmm_session *s, enum vmm_session_table table, unsigned low, const char *where)
{
	struct vmm_out *o = vmm_out_create_memory();

	if (!o)
		return NULL;
	vmm_out_text(o, "SELECT ");
	emit_columns(o, s, table, low, vmm_table_width(&vmm_session_tables[table]));
	vmm_out_printf(o, " FROM %s WHERE %s ORDER BY id", vmm_session_tables[table].name, where);
	return vmm_out_take(o, NULL);
}

char *vmm_schema_select(const struct vmm_session *s, enum vmm_session_table table, const char *where)
{
	return select_columns(s, table, 0, where);
}

char *vmm_schema_select_metrics(const struct vmm_session *s, enum vmm_session_table table)
{
	return select_columns(s, table, vmm_session_tables[table].count, "id = ?1");
}

char *vmm_schema_each(const struct vmm_session *s, enum vmm_session_table table, bool metrics)
{
	const struct vmm_table_def *t = &vmm_session_tables[table];
	struct vmm_out *o = vmm_out_create_memory();

	if (!o)
		return NULL;
	vmm_out_printf(o, "SELECT 1 FROM %s WHERE id BETWEEN ?1 AND ?2 AND first <= ?3 AND (last IS NULL OR last >= ?3) AND vmm_row(", t->name);
	emit_columns(o, s, table, 0, metrics ? vmm_table_width(t) : t->count);
	vmm_out_text(o, ")");
	return vmm_out_take(o, NULL);
}

char *vmm_schema_insert(const struct vmm_session *s, enum vmm_session_table table)
{
	struct vmm_out *o = vmm_out_create_memory();

	if (!o)
		return NULL;
	vmm_out_printf(o, "INSERT INTO %s(", vmm_session_tables[table].name);
	emit_columns(o, s, table, 0, vmm_table_width(&vmm_session_tables[table]));
	vmm_out_text(o, ") VALUES(?1, ?2, ?3");
	for (unsigned i = 0; i < vmm_table_width(&vmm_session_tables[table]); i++)
		vmm_out_printf(o, ", ?%u", 4 + i);
	vmm_out_text(o, ")");
	return vmm_out_take(o, NULL);
}
