/* Opening, closing, and adding snapshots. */
#include "vmmap/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "session/store.h"

#define BUSY_MS 10000

/* --- the file --- */

/* Looks at the first bytes: SQLite itself would make a new database of an empty file, and files beside one in WAL mode. */
static int check_header(const char *path, bool *ret_empty, struct vmm_err *err)
{
	VMM_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	unsigned char head[100] = {0};
	struct stat st;
	ssize_t n;

	*ret_empty = false;
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return vmm_fail(err, VMM_E_NO_TARGET, errno, "%.200s: no such file", path);
	if (fd < 0)
		return vmm_fail(err, errno == EACCES || errno == EPERM ? VMM_E_DENIED : VMM_E_IO, errno, "%.200s: %s", path, strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return vmm_fail(err, VMM_E_FORMAT, 0, "%.200s: is no regular file", path);
	n = pread(fd, head, sizeof(head), 0);
	if (n < 0)
		return vmm_fail(err, VMM_E_IO, errno, "%.200s: %s", path, strerror(errno));
	*ret_empty = n == 0;
	if (n > 0 && (n < (ssize_t)sizeof(head) || memcmp(head, "SQLite format 3", 16) != 0))
		return vmm_fail(err, VMM_E_FORMAT, 0, "%.200s: is no session of vmmap", path);
	if (n > 0 && (head[18] != 1 || head[19] != 1))
		return vmm_fail(err, VMM_E_FORMAT, 0, "%.200s: is in WAL mode: run sqlite3 FILE 'PRAGMA journal_mode=DELETE' first", path);
	return 0;
}

/*
 * A journal beside the file is what a killed writer left, and SQLite undoes what stands in it. One that names a
 * super-journal would have another file deleted with it: vmmap never writes such.
 */
static int check_journal(const char *path, struct vmm_err *err)
{
	static const unsigned char magic[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
	unsigned char tail[8];
	char name[4096];
	struct stat st;

	if ((size_t)snprintf(name, sizeof(name), "%s-journal", path) >= sizeof(name))
		return vmm_fail(err, VMM_E_USAGE, 0, "the path of the session is too long");
	VMM_CLEANUP_FD int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < (off_t)sizeof(tail))
		return 0;
	if (pread(fd, tail, sizeof(tail), st.st_size - (off_t)sizeof(tail)) == (ssize_t)sizeof(tail) &&
	    memcmp(tail, magic, sizeof(magic)) == 0)
		return vmm_fail(err, VMM_E_FORMAT, 0, "%.200s: is not of vmmap: remove it to open the session", name);
	return 0;
}

static void harden(struct vmm_session *s)
{
	static const struct {
		int what, most;
	} limits[] = {
	    {SQLITE_LIMIT_LENGTH, 256 << 20},  {SQLITE_LIMIT_SQL_LENGTH, 1 << 20},  {SQLITE_LIMIT_COLUMN, 200},
	    {SQLITE_LIMIT_EXPR_DEPTH, 100},    {SQLITE_LIMIT_COMPOUND_SELECT, 64},  {SQLITE_LIMIT_VDBE_OP, 1 << 16},
	    {SQLITE_LIMIT_FUNCTION_ARG, 80},   {SQLITE_LIMIT_ATTACHED, 0},          {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100},
	    {SQLITE_LIMIT_TRIGGER_DEPTH, 1},   {SQLITE_LIMIT_WORKER_THREADS, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		sqlite3_limit(s->db, limits[i].what, limits[i].most);
	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	sqlite3_busy_timeout(s->db, BUSY_MS);
}

/* A temporary one is what a server remembers for as long as it runs: its pages are the kernel's to keep. */
static int tune(struct vmm_session *s, struct vmm_err *err)
{
	char sql[128];

	snprintf(sql, sizeof(sql), "PRAGMA cell_size_check = 1; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0; PRAGMA cache_size = -%d",
	         s->mode == VMM_SESSION_TEMPORARY ? 512 : 8192);
	return vmm_sql_exec(s, sql, err);
}

static int db_open(struct vmm_session *s, int flags, struct vmm_err *err)
{
	int rc = sqlite3_open_v2(s->mode == VMM_SESSION_TEMPORARY ? "" : s->path, &s->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
	                         vmm_nameless_vfs(s->nameless));

	if (!s->db)
		return vmm_fail_nomem(err);
	if (rc != SQLITE_OK)
		return vmm_sql_fail(s, rc, err);
	harden(s);
	rc = vmm_reader_install(s);
	if (rc != SQLITE_OK)
		return vmm_sql_fail(s, rc, err);
	vmm_sql_allow(s);
	return tune(s, err);
}

/* Lets SQLite undo what a killed writer left: that takes the right to write, once. */
static int recover(struct vmm_session *s, struct vmm_err *err)
{
	int rc;

	sqlite3_close_v2(s->db);
	s->db = NULL;
	rc = db_open(s, SQLITE_OPEN_READWRITE, err);
	if (rc == 0)
		rc = vmm_sql_exec(s, "BEGIN IMMEDIATE; ROLLBACK", err);
	sqlite3_close_v2(s->db);
	s->db = NULL;
	if (rc < 0)
		return vmm_fail(err, VMM_E_DENIED, 0, "%.200s: who wrote it was killed; open it once as a user who may write to it and its folder",
		                s->path);
	return db_open(s, SQLITE_OPEN_READONLY, err);
}

static int open_read(struct vmm_session *s, struct vmm_err *err)
{
	int rc = vmm_nameless_open(s->path, &s->nameless, err);

	if (rc == 0)
		rc = db_open(s, SQLITE_OPEN_READONLY, err);
	if (rc == 0)
		rc = vmm_sql_exec(s, "SELECT 1 FROM sqlite_schema", err);
	if (rc < 0 && s->db && (sqlite3_extended_errcode(s->db) == SQLITE_READONLY_ROLLBACK || sqlite3_errcode(s->db) == SQLITE_CANTOPEN))
		rc = recover(s, err);
	return rc;
}

static int create_file(const char *path, bool must_be_new, bool *ret_made, struct vmm_err *err)
{
	/* What a session holds is as private as the process it is of. */
	VMM_CLEANUP_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_EXCL, 0600);

	*ret_made = fd >= 0;
	if (fd >= 0 || (errno == EEXIST && !must_be_new))
		return 0;
	if (errno == EEXIST)
		return vmm_fail(err, VMM_E_OUTPUT, errno, "%.200s: stands there already", path);
	return vmm_fail(err, VMM_E_OUTPUT, errno, "%.200s: cannot be written: %s", path, strerror(errno));
}

static int open_write(struct vmm_session *s, bool fresh, struct vmm_err *err)
{
	int rc = db_open(s, SQLITE_OPEN_READWRITE, err);

	if (rc == 0 && fresh)
		rc = vmm_sql_exec(s, "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA page_size = 4096", err);
	if (rc == 0)
		rc = vmm_sql_exec(s, "PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = NORMAL", err);
	if (rc == 0 && fresh) {
		rc = vmm_sql_exec(s, "BEGIN IMMEDIATE", err);
		if (rc == 0)
			rc = vmm_schema_create(s, err);
		if (rc == 0)
			rc = vmm_sql_exec(s, "COMMIT", err);
	}
	return rc;
}

static int open_mode(struct vmm_session *s, struct vmm_err *err)
{
	bool made = false, empty = false;
	int rc = 0;

	/* To SQLite "" is a file that it makes where temporary files go, and unlinks at once. */
	if (s->mode == VMM_SESSION_TEMPORARY)
		rc = open_write(s, true, err);
	if (s->mode == VMM_SESSION_TEMPORARY)
		return rc == 0 ? vmm_schema_check(s, err) : rc;
	if (s->mode != VMM_SESSION_READ)
		rc = create_file(s->path, s->mode == VMM_SESSION_CREATE, &made, err);
	if (rc == 0)
		rc = check_header(s->path, &empty, err);
	if (rc == 0 && empty && s->mode == VMM_SESSION_READ)
		rc = vmm_fail(err, VMM_E_FORMAT, 0, "%.200s: is empty", s->path);
	if (rc == 0)
		rc = check_journal(s->path, err);
	if (rc == 0)
		rc = s->mode == VMM_SESSION_READ ? open_read(s, err) : open_write(s, empty, err);
	if (rc == 0)
		rc = vmm_schema_check(s, err);
	if (rc < 0 && made)
		unlink(s->path);
	return rc;
}

int vmm_session_open(const char *path, enum vmm_session_mode mode, struct vmm_session **ret_session, struct vmm_err *err)
{
	struct vmm_session *s = vmm_alloc_hook(NULL, sizeof(*s));
	size_t size;
	int rc;

	if (!s)
		return vmm_fail_nomem(err);
	if (mode == VMM_SESSION_TEMPORARY)
		path = "the session"; /* in texts of errors */
	size = strlen(path) + 3;
	memset(s, 0, sizeof(*s));
	s->mode = mode;
	s->path = vmm_alloc_hook(NULL, size);
	if (!s->path) {
		free(s);
		return vmm_fail_nomem(err);
	}
	/* ":memory:" and "file:" have a meaning to SQLite. */
	snprintf(s->path, size, "%s%s", path[0] == ':' || strncmp(path, "file:", 5) == 0 ? "./" : "", path);
	rc = path[0] ? open_mode(s, err) : vmm_fail(err, VMM_E_NO_TARGET, 0, "a session has to have a name");
	if (rc < 0) {
		vmm_session_close(s);
		return rc;
	}
	*ret_session = s;
	return 0;
}

void vmm_session_close(struct vmm_session *session)
{
	if (!session)
		return;
	for (int i = 0; i < VMM_TABLE_COUNT; i++) {
		sqlite3_finalize(session->insert[i]);
		sqlite3_finalize(session->retire[i]);
		sqlite3_finalize(session->each[i]);
	}
	sqlite3_finalize(session->segment);
	sqlite3_finalize(session->moment);
	sqlite3_finalize(session->insert_name);
	sqlite3_finalize(session->find_name);
	vmm_session_forget(session);
	free(session->targets);
	vmm_total_cache_destroy(session->totals);
	/* Leaves the one file. */
	if (session->db && session->mode != VMM_SESSION_READ)
		sqlite3_exec(session->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
	sqlite3_close_v2(session->db);
	vmm_nameless_close(session->nameless);
	free(session->path);
	free(session);
}

/* --- adding --- */

static void bind_text(sqlite3_stmt *st, int i, const char *text)
{
	sqlite3_bind_text(st, i, text, (int)strnlen(text, 4096), SQLITE_STATIC);
}

static int64_t time_ns(const struct timespec *t)
{
	int64_t ns;

	if (t->tv_sec < 0 || __builtin_mul_overflow((int64_t)t->tv_sec, INT64_C(1000000000), &ns) ||
	    __builtin_add_overflow(ns, (int64_t)t->tv_nsec, &ns))
		return 0;
	return ns;
}

static void bind_target(sqlite3_stmt *st, const struct vmm_snapshot *s)
{
	const struct vmm_target_info *t = &s->target;

	bind_text(st, 1, t->source);
	sqlite3_bind_int64(st, 2, t->pid);
	if (t->started_known)
		sqlite3_bind_int64(st, 3, time_ns(&t->started_at));
	/* One that did not tell when it began is told by its name too. */
	bind_text(st, 4, t->name);
}

/* A process is told by its PID and when it began; its name changes when it runs another program. */
static int target_id(struct vmm_session *s, const struct vmm_snapshot *snapshot, uint32_t *ret_id, struct vmm_err *err)
{
	VMM_CLEANUP_STMT sqlite3_stmt *find = NULL;
	VMM_CLEANUP_STMT sqlite3_stmt *add = NULL;
	int64_t id = 0;
	int rc = vmm_sql_prepare(s, "SELECT id FROM target WHERE source = ?1 AND pid = ?2 AND started IS ?3 AND (?3 IS NOT NULL OR name = ?4)",
	                         &find, err);

	if (rc < 0)
		return rc;
	bind_target(find, snapshot);
	rc = vmm_sql_step(s, find, err);
	if (rc == 1 && !vmm_sql_int(find, 0, 1, INT32_MAX - 1, &id))
		rc = vmm_session_damaged(s, "target", err);
	if (rc == 0)
		rc = vmm_sql_prepare(s, "INSERT INTO target(source, pid, started, name) VALUES(?1, ?2, ?3, ?4)", &add, err);
	if (rc == 0 && !id) {
		bind_target(add, snapshot);
		rc = vmm_sql_run(s, add, err);
		id = sqlite3_last_insert_rowid(s->db);
	}
	if (rc >= 0 && (id < 1 || id >= INT32_MAX))
		rc = vmm_session_damaged(s, "target", err);
	*ret_id = (uint32_t)id;
	return rc < 0 ? rc : 0;
}

static const char add_sql[] =
    "INSERT INTO snapshot VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17"
#define VMM_STATUS(name, key) ", ?"
#include "vmmap/status.def"
#undef VMM_STATUS
    ")";

static int snapshot_insert(struct vmm_session *s, const struct vmm_session_target *t, uint32_t number, const struct vmm_snapshot *snapshot,
                           uint32_t contents, struct vmm_err *err)
{
	const uint64_t cost[] = {snapshot->cost.total_ns,  snapshot->cost.maps_ns,    snapshot->cost.smaps_ns,  snapshot->cost.pages_ns,
	                         snapshot->cost.images_ns, snapshot->cost.threads_ns, snapshot->cost.stopped_ns};
	const char state[2] = {snapshot->target.state, '\0'};
	VMM_CLEANUP_STMT sqlite3_stmt *st = NULL;
	int rc = vmm_sql_prepare(s, add_sql, &st, err);

	if (rc < 0)
		return rc;
	sqlite3_bind_int64(st, 1, number);
	sqlite3_bind_int64(st, 2, t->id);
	sqlite3_bind_int64(st, 3, time_ns(&snapshot->taken_at));
	sqlite3_bind_int64(st, 4, snapshot->needs);
	sqlite3_bind_int64(st, 5, snapshot->partial);
	sqlite3_bind_int64(st, 6, snapshot->unreadable);
	sqlite3_bind_int64(st, 7, snapshot->threads_complete);
	sqlite3_bind_int64(st, 8, contents);
	sqlite3_bind_int64(st, 9, snapshot->cpus);
	sqlite3_bind_text(st, 10, state, -1, SQLITE_STATIC);
	for (size_t i = 0; i < ARRAY_LEN(cost); i++)
		sqlite3_bind_int64(st, 11 + (int)i, (int64_t)cost[i]);
	for (int i = 0; i < VMM_STATUS_COUNT; i++)
		if (vmm_status_known(snapshot, (enum vmm_status_field)i))
			sqlite3_bind_int64(st, 11 + (int)ARRAY_LEN(cost) + i, (int64_t)snapshot->target.status[i]);
	return vmm_sql_run(s, st, err);
}

/* Another program may have added to the file since: what was remembered of it is then read again. */
static int refresh(struct vmm_session *s, struct vmm_err *err)
{
	int64_t version = 0;
	bool known;
	int rc = vmm_sql_number(s, "PRAGMA data_version", &version, &known, err);

	if (rc == 0 && version != s->data_version)
		vmm_session_forget(s);
	s->data_version = version;
	return rc;
}

static int add(struct vmm_session *s, const struct vmm_snapshot *snapshot, const struct vmm_session_memory *memory, uint32_t *ret_number,
               struct vmm_err *err)
{
	struct vmm_session_target *t = NULL;
	int64_t last = 0;
	uint32_t id = 0, contents = 0;
	bool known;
	int rc = refresh(s, err);

	if (rc == 0)
		rc = vmm_sql_number(s, "SELECT max(number) FROM snapshot", &last, &known, err);
	if (rc == 0 && (last < 0 || last >= INT32_MAX))
		rc = vmm_session_damaged(s, "snapshot", err);
	if (rc == 0)
		rc = target_id(s, snapshot, &id, err);
	if (rc == 0)
		rc = vmm_session_target_get(s, id, &t, err);
	/* First, since the target may be waiting for it. */
	if (rc == 0)
		rc = vmm_session_keep_memory(s, t, (uint32_t)last + 1, snapshot, memory, &contents, err);
	if (rc == 0 && memory && memory->read)
		memory->read(memory->arg);
	if (rc == 0)
		rc = vmm_session_encode(s, t, (uint32_t)last + 1, snapshot, err);
	if (rc == 0)
		rc = snapshot_insert(s, t, (uint32_t)last + 1, snapshot, contents, err);
	if (rc == 0)
		rc = vmm_sql_exec(s, "COMMIT", err);
	if (rc < 0)
		return rc;
	t->last = *ret_number = (uint32_t)last + 1;
	return 0;
}

int vmm_session_add(struct vmm_session *session, const struct vmm_snapshot *snapshot, const struct vmm_session_memory *memory,
                    uint32_t *ret_number, struct vmm_err *err)
{
	uint32_t number;
	int rc;

	vmm_sql_allow(session);
	if (session->mode == VMM_SESSION_READ)
		return vmm_fail(err, VMM_E_USAGE, 0, "%.200s: was opened for reading", session->path);
	vmm_totals_forget(session);
	rc = vmm_sql_exec(session, "BEGIN IMMEDIATE", err);
	if (rc < 0)
		return rc;
	rc = add(session, snapshot, memory, &number, err);
	if (rc < 0) {
		sqlite3_exec(session->db, "ROLLBACK", NULL, NULL, NULL);
		vmm_session_forget(session);
		return rc;
	}
	if (ret_number)
		*ret_number = number;
	return 0;
}
