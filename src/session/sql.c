/* Statements of SQLite, their errors, and a limit to what a hostile file can make them do. */
#include "session/store.h"

#include <string.h>
#include <sys/stat.h>

#define OPS_PER_TICK 4096
#define TICKS_BASE 4096 /* 16 million steps for whatever is small */

static int tick(void *arg)
{
	struct vmm_session *s = arg;

	return ++s->ticks > s->tick_limit;
}

void vmm_sql_allow(struct vmm_session *s)
{
	struct stat st;
	uint64_t bytes = stat(s->path, &st) == 0 ? (uint64_t)st.st_size : 0;

	/* Its file has no name, and nobody else has written to it. */
	if (s->mode == VMM_SESSION_TEMPORARY)
		bytes = UINT64_MAX;

	s->ticks = 0;
	/* A row of n bytes takes some n steps to read: 32 for each byte is more than any honest file needs. */
	s->tick_limit = TICKS_BASE + vmm_min_u64(bytes, UINT64_C(1) << 36) / (OPS_PER_TICK / 32);
	sqlite3_progress_handler(s->db, OPS_PER_TICK, tick, s);
}

int vmm_sql_fail(struct vmm_session *s, int rc, struct vmm_err *err)
{
	const char *why = sqlite3_errmsg(s->db);

	switch (rc & 0xff) {
	case SQLITE_NOMEM:
		return vmm_fail_nomem(err);
	case SQLITE_FULL:
		return vmm_fail(err, VMM_E_OUTPUT, 0, "%.200s: the disk is full", s->path);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return vmm_fail(err, VMM_E_OUTPUT, 0, "%.200s: another program is writing to it; try again", s->path);
	case SQLITE_READONLY:
		return vmm_fail(err, VMM_E_DENIED, 0, "%.200s: not permitted to write (%s)", s->path, why);
	case SQLITE_PERM:
	case SQLITE_AUTH:
	case SQLITE_CANTOPEN:
		return vmm_fail(err, VMM_E_DENIED, 0, "%.200s: cannot be opened (%s)", s->path, why);
	case SQLITE_IOERR:
		return vmm_fail(err, s->mode == VMM_SESSION_READ ? VMM_E_IO : VMM_E_OUTPUT, sqlite3_system_errno(s->db),
		                "%.200s: cannot be %s: %s", s->path, s->mode == VMM_SESSION_READ ? "read" : "written",
		                sqlite3_system_errno(s->db) ? strerror(sqlite3_system_errno(s->db)) : why);
	case SQLITE_NOTADB:
		return vmm_fail(err, VMM_E_FORMAT, 0, "%.200s: is no session of vmmap", s->path);
	case SQLITE_INTERRUPT:
		return vmm_fail(err, VMM_E_FORMAT, 0, "%.200s: the session is damaged: reading it does not end", s->path);
	default:
		return vmm_fail(err, VMM_E_FORMAT, 0, "%.200s: the session is damaged (%s)", s->path, why);
	}
}

int vmm_session_damaged(struct vmm_session *s, const char *table, struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_FORMAT, 0, "%.200s: the session is damaged: its table %s holds what cannot be", s->path, table);
}

int vmm_sql_exec(struct vmm_session *s, const char *sql, struct vmm_err *err)
{
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : vmm_sql_fail(s, rc, err);
}

int vmm_sql_prepare(struct vmm_session *s, const char *sql, sqlite3_stmt **ret, struct vmm_err *err)
{
	int rc = sql ? sqlite3_prepare_v2(s->db, sql, -1, ret, NULL) : SQLITE_NOMEM;

	return rc == SQLITE_OK ? 0 : vmm_sql_fail(s, rc, err);
}

int vmm_sql_step(struct vmm_session *s, sqlite3_stmt *st, struct vmm_err *err)
{
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : vmm_sql_fail(s, rc, err);
}

int vmm_sql_run(struct vmm_session *s, sqlite3_stmt *st, struct vmm_err *err)
{
	int rc = vmm_sql_step(s, st, err);

	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return rc < 0 ? rc : 0;
}

int vmm_sql_number(struct vmm_session *s, const char *sql, int64_t *ret, bool *ret_known, struct vmm_err *err)
{
	VMM_CLEANUP_STMT sqlite3_stmt *st = NULL;
	int rc = vmm_sql_prepare(s, sql, &st, err);

	if (rc == 0)
		rc = vmm_sql_step(s, st, err);
	if (rc < 0)
		return rc;
	*ret_known = rc == 1 && sqlite3_column_type(st, 0) == SQLITE_INTEGER;
	*ret = *ret_known ? sqlite3_column_int64(st, 0) : 0;
	return 0;
}

void vmm_sql_finalize(sqlite3_stmt **st)
{
	sqlite3_finalize(*st);
}

void vmm_sql_reset(sqlite3_stmt **st)
{
	sqlite3_reset(*st);
}

bool vmm_sql_int(sqlite3_stmt *st, int i, int64_t low, int64_t high, int64_t *ret)
{
	if (sqlite3_column_type(st, i) != SQLITE_INTEGER)
		return false;
	*ret = sqlite3_column_int64(st, i);
	return *ret >= low && *ret <= high;
}

const char *vmm_sql_text(sqlite3_stmt *st, int i, size_t *ret_length)
{
	int type = sqlite3_column_type(st, i);
	const char *text;
	size_t length;

	if (type == SQLITE_NULL) {
		if (ret_length)
			*ret_length = 0;
		return "";
	}
	/* Names that are no UTF-8 are kept as blobs. */
	if (type != SQLITE_TEXT && type != SQLITE_BLOB)
		return NULL;
	text = type == SQLITE_TEXT ? (const char *)sqlite3_column_text(st, i) : sqlite3_column_blob(st, i);
	length = (size_t)sqlite3_column_bytes(st, i);
	if (length == 0)
		text = "";
	if (!text || memchr(text, '\0', length))
		return NULL;
	if (ret_length)
		*ret_length = length;
	return text;
}
