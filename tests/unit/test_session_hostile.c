/* Sessions that are none, damaged, cut off, of a newer version, or made to do harm; and writers that were killed. */
#include "session_sample.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../session_build.h"
#include "session/memory.h"

static char good_path[256]; /* mutable: the session that tests damage copies of */

static void make_good(void)
{
	struct built_memory *memory = malloc(sizeof(*memory));
	struct vmm_session_memory how = {.kinds = UINT32_C(1) << VMM_KIND_HEAP};
	struct vmm_snapshot *s = built_snapshot();
	struct vmm_session *session;

	if (good_path[0]) {
		vmm_snapshot_destroy(s);
		free(memory);
		return;
	}
	assert_non_null(memory);
	built_memory_init(memory);
	how.target = &memory->target.base;
	snprintf(good_path, sizeof(good_path), "%s", session_path("good"));
	assert_int_equal(vmm_session_open(good_path, VMM_SESSION_CREATE, &session, NULL), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(vmm_session_add(session, s, &how, NULL, NULL), 0);
	vmm_session_close(session);
	vmm_snapshot_destroy(s);
	free(memory);
}

static unsigned char *read_file(const char *path, size_t *ret_length)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	unsigned char *bytes;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	bytes = malloc((size_t)st.st_size);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
	close(fd);
	*ret_length = (size_t)st.st_size;
	return bytes;
}

static void write_file(const char *path, const void *bytes, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, length), (ssize_t)length);
	close(fd);
}

/* Everything that can be read of a session. 0, or the first error. */
static int read_all(const char *path, struct vmm_err *err)
{
	struct vmm_session *session;
	struct vmm_session_index *index = NULL;
	struct vmm_type_total types[VMM_KIND_COUNT], total;
	int rc = vmm_session_open(path, VMM_SESSION_READ, &session, err);

	if (rc < 0)
		return rc;
	rc = vmm_session_index(session, &index, err);
	for (uint32_t i = 0; rc == 0 && i < index->count; i++) {
		struct vmm_snapshot *s = NULL;
		struct vmm_stored *m = NULL;
		unsigned char byte;

		rc = vmm_session_load(session, index->entries[i].number, &s, err);
		if (rc == 0)
			rc = vmm_session_totals(session, index->entries[i].number, types, &total, err);
		if (rc == 0)
			rc = vmm_stored_open(session, index->entries[i].number, &m, err);
		if (rc == 0 && m && vmm_stored_read(m, 0x500000, &byte, 1, err) < 0)
			rc = VMM_E_FORMAT;
		vmm_stored_close(m);
		vmm_snapshot_destroy(s);
	}
	vmm_session_index_destroy(index);
	vmm_session_close(session);
	return rc;
}

static void copy_good(char *ret_path, size_t size, const char *name)
{
	size_t length;
	unsigned char *bytes;

	make_good();
	snprintf(ret_path, size, "%s", session_path(name));
	bytes = read_file(good_path, &length);
	write_file(ret_path, bytes, length);
	free(bytes);
}

/* After this change nothing may be read, and the message says so in a line of its own. */
static void refused(const char *sql)
{
	char path[256];
	struct vmm_err err = {0};
	int rc;

	copy_good(path, sizeof(path), "changed");
	assert_int_equal(read_all(path, &err), 0);
	session_change(path, sql);
	rc = read_all(path, &err);
	if (rc != VMM_E_FORMAT || !err.text[0] || strchr(err.text, '\n'))
		fail_msg("%s: %d %s", sql, rc, err.text);
}

static void values_are_checked(void **state)
{
	static const char *const changes[] = {
	    "UPDATE snapshot SET target = 2",
	    "UPDATE snapshot SET target = -1",
	    "UPDATE snapshot SET target = 'x'",
	    "UPDATE snapshot SET taken_at = 'now'",
	    "UPDATE snapshot SET contents = 4",
	    "UPDATE snapshot SET partial = 2",
	    "UPDATE snapshot SET state = 'xyz'",
	    "UPDATE snapshot SET VmRSS = 1.5",
	    "UPDATE snapshot SET number = -number",
	    "UPDATE snapshot SET number = 4294967296 WHERE number = 3",
	    "UPDATE target SET id = 7",
	    "UPDATE target SET source = x'00'",
	    "UPDATE target SET pid = -1",
	    "DELETE FROM process",
	    "UPDATE process SET name = 999999",
	    "UPDATE process SET name = 'text'",
	    "UPDATE process SET page_size = 4095",
	    "UPDATE process SET bits = 63",
	    "INSERT INTO process(id, first, key, name, exe_deleted, kernel_thread) SELECT id + 100, 1, key + 1, name, 0, 0 FROM process",
	    "UPDATE text SET value = x'6100' WHERE id = 1",
	    "UPDATE text SET value = 1 WHERE id = 1",
	    "DELETE FROM text WHERE id = 1",
	    "UPDATE text SET id = 1099511627776 WHERE id = (SELECT max(id) FROM text)",
	    "UPDATE mapping SET start = start + 1 WHERE start = 0x402000",
	    "UPDATE mapping SET start = 0x400000 WHERE start = 0x500000",
	    "UPDATE mapping SET span = 0x200000 WHERE start = 0x400000",
	    "UPDATE mapping SET span = 0 WHERE start = 0x500000",
	    "UPDATE mapping SET span = -1 WHERE start = 0x500000",
	    "UPDATE mapping SET prot = 32",
	    "UPDATE mapping SET prot = 24",
	    "UPDATE mapping SET backing = 6",
	    "UPDATE mapping SET rss = 'many'",
	    "UPDATE mapping SET bounds = 'rss'",
	    "UPDATE mapping SET bounds = 'rss 99999999999999999999'",
	    "UPDATE mapping SET bounds = 'rss 1 rss'",
	    "UPDATE mapping SET extra = x'ff' WHERE extra IS NOT NULL",
	    "UPDATE mapping SET extra = x'00' WHERE extra IS NOT NULL",
	    "UPDATE mapping SET name = -1",
	    "DELETE FROM mapping WHERE start = 0x600000",
	    "UPDATE region SET span = span + 0x1000 WHERE start = 0x500000",
	    "UPDATE region SET start = start - 0x1000 WHERE start = 0x500000",
	    "UPDATE region SET kind = (SELECT id FROM text WHERE value = 'free')",
	    "UPDATE region SET kind = (SELECT id FROM text WHERE value = 'total')",
	    "UPDATE region SET module = 77 WHERE module IS NOT NULL",
	    "UPDATE region SET thread = 77 WHERE thread IS NOT NULL",
	    "UPDATE region SET heap = 77 WHERE heap IS NOT NULL",
	    "UPDATE region SET prot_set = -1",
	    "UPDATE region SET chunks = x'01' WHERE chunks IS NOT NULL",
	    "UPDATE region SET own = 2",
	    "UPDATE region SET own = NULL",
	    "DELETE FROM region WHERE start = 0x600000",
	    "UPDATE block SET span = span + 1 WHERE start = 0x400000",
	    "UPDATE block SET start = start + 1 WHERE start = 0x400000",
	    "UPDATE block SET start = 0x800000 WHERE start = 0x400000",
	    "DELETE FROM block WHERE start = 0x400800",
	    "UPDATE block SET guard = 7",
	    "UPDATE thread SET region = 0x500001 WHERE region IS NOT NULL",
	    "UPDATE thread SET state = 200",
	    "UPDATE thread SET tid = 4294967296",
	    "UPDATE thread SET key = 1",
	    "UPDATE module SET region = 12 WHERE region IS NOT NULL",
	    "UPDATE module SET flags = 64",
	    "UPDATE module SET span = NULL",
	    "UPDATE heap SET proved = 2",
	    "UPDATE heap SET chunks = NULL WHERE chunks IS NOT NULL",
	    "UPDATE heap SET sizes = x'80808080808080808080808080' WHERE sizes IS NOT NULL",
	    "UPDATE heap SET sizes = zeroblob(129) || x'ffffffff0f' WHERE sizes IS NOT NULL",
	    "UPDATE heap SET threads = x'63' WHERE threads IS NOT NULL",
	    "UPDATE rlimit SET hard = NULL",
	    "UPDATE rlimit SET bytes = 2",
	    "UPDATE note SET address = 'x'",
	    "UPDATE total SET kind = (SELECT id FROM text WHERE value = 'glibc')",
	    "DELETE FROM total WHERE kind = (SELECT id FROM text WHERE value = 'total')",
	    "UPDATE total SET first = 0",
	    "UPDATE memory SET start = start + 1",
	    "UPDATE memory SET present = 0",
	    "UPDATE memory SET present = 65536",
	    "UPDATE memory SET present = 3 WHERE start = 0x500000",
	    "UPDATE memory SET codec = 2",
	    "UPDATE memory SET codec = 1 - codec",
	    "UPDATE memory SET data = zeroblob(1000000)",
	    "UPDATE memory SET data = NULL",
	    "UPDATE memory SET start = 0x500000",
	    "UPDATE pages SET runs = x'ffffffffffffffff7f0101'",
	    "UPDATE pages SET runs = x'000001'",
	    "UPDATE pages SET runs = x'00017f01' WHERE start = 0x500000",
	    "UPDATE pages SET runs = NULL",
	    "UPDATE pages SET span = -1",
	    "INSERT INTO keyframe VALUES(1, 'mapping', 1, 'x')",
	    "INSERT INTO keyframe VALUES(1, 'mapping', 1, 4294967296)",
	};

	for (size_t i = 0; i < ARRAY_LEN(changes); i++)
		refused(changes[i]);
}

static void tables_are_tables(void **state)
{
	refused("DROP TABLE mapping");
	refused("ALTER TABLE mapping RENAME TO old; CREATE VIEW mapping AS SELECT * FROM old");
	refused("ALTER TABLE note RENAME TO old; CREATE VIRTUAL TABLE note USING fts5(id, first, last, place, source, code, text, address, count)");
	refused("CREATE TRIGGER boom AFTER INSERT ON mapping BEGIN DELETE FROM snapshot; END");
	refused("ALTER TABLE note DROP COLUMN code");
	refused("ALTER TABLE note RENAME COLUMN code TO codes");
	refused("ALTER TABLE note RENAME TO old; CREATE TABLE note(id INTEGER PRIMARY KEY, first, last, place AS (1), source, code, text, address,"
	        " count); INSERT INTO note(id, first, last, source, code, text, address, count) SELECT id, first, last, source, code, text, address,"
	        " count FROM old");
	refused("PRAGMA user_version = 0");
	refused("PRAGMA application_id = 0");
	refused("PRAGMA journal_mode = WAL");
}

/* More than is known does no harm; a metric that is missing is unknown. */
static void additions_are_allowed(void **state)
{
	char path[256];
	struct vmm_session *session;
	struct vmm_snapshot *s;
	struct vmm_err err = {0};

	copy_good(path, sizeof(path), "more");
	session_change(path, "DROP VIEW types; DROP VIEW growth; DROP VIEW regions; DROP VIEW mappings; CREATE TABLE mine(x); CREATE VIEW v AS SELECT * FROM mine; ALTER TABLE mapping ADD COLUMN later INTEGER;"
	                     "ALTER TABLE mapping DROP COLUMN ksm");
	assert_int_equal(read_all(path, &err), 0);
	assert_int_equal(vmm_session_open(path, VMM_SESSION_READ, &session, NULL), 0);
	assert_int_equal(vmm_session_load(session, 1, &s, NULL), 0);
	assert_false(vmm_metric_known(&s->vmas[0].m, VMM_METRIC_KSM));
	assert_true(vmm_metric_known(&s->vmas[0].m, VMM_METRIC_LAZYFREE));
	vmm_snapshot_destroy(s);
	vmm_session_close(session);
	/* But then it cannot be continued. */
	assert_int_equal(vmm_session_open(path, VMM_SESSION_APPEND, &session, &err), VMM_E_FORMAT);
}

static void newer_versions_say_so(void **state)
{
	char path[256];
	struct vmm_err err = {0};

	copy_good(path, sizeof(path), "newer");
	session_change(path, "PRAGMA user_version = 99");
	assert_int_equal(read_all(path, &err), VMM_E_FORMAT);
	assert_non_null(strstr(err.text, "newer vmmap"));
	assert_non_null(strstr(err.text, "99"));
}

static void other_files_are_refused(void **state)
{
	char path[256];
	struct vmm_err err = {0};
	char text[4096];

	snprintf(path, sizeof(path), "%s", session_path("other"));
	write_file(path, "", 0);
	assert_int_equal(read_all(path, &err), VMM_E_FORMAT);
	memset(text, 'x', sizeof(text));
	write_file(path, text, sizeof(text));
	assert_int_equal(read_all(path, &err), VMM_E_FORMAT);
	write_file(path, "SQLite format 3", 16);
	assert_int_equal(read_all(path, &err), VMM_E_FORMAT);
	unlink(path);
	{
		sqlite3 *db;

		assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
		assert_int_equal(sqlite3_exec(db, "CREATE TABLE mapping(x)", NULL, NULL, NULL), SQLITE_OK);
		sqlite3_close(db);
	}
	assert_int_equal(read_all(path, &err), VMM_E_FORMAT);
	assert_non_null(strstr(err.text, "no session"));
}

/* Cut off anywhere, and with bytes changed: an error or an answer, but an end. */
static void damage_is_survived(void **state)
{
	char path[256];
	size_t length;
	unsigned char *bytes;
	uint64_t random = 88172645463325252u;
	unsigned answers = 0, errors = 0;

	make_good();
	bytes = read_file(good_path, &length);
	snprintf(path, sizeof(path), "%s", session_path("damaged"));
	for (size_t cut = 0; cut < length; cut += length / 40 + 1) {
		struct vmm_err err = {0};

		write_file(path, bytes, cut);
		assert_int_equal(read_all(path, &err), VMM_E_FORMAT);
	}
	for (int i = 0; i < 300; i++) {
		struct vmm_err err = {0};
		unsigned char *copy = malloc(length);

		assert_non_null(copy);
		memcpy(copy, bytes, length);
		for (int k = 0; k < 20; k++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			/* Not in the first page's schema alone: headers of pages are where it hurts. */
			copy[k % 2 ? random % length : random % (length / 4096) * 4096 + random / 4096 % 16 + 100 * (random % (length / 4096) == 0)] =
			    (unsigned char)(random >> 40);
		}
		write_file(path, copy, length);
		if (read_all(path, &err) < 0)
			errors++;
		else
			answers++;
		free(copy);
	}
	assert_int_equal(answers + errors, 300);
	assert_true(errors > 100);
	free(bytes);
}

/* --- killed writers --- */

/* Leaves a file whose last transaction is half written, with its journal: a child dies within it. */
static void kill_in_transaction(const char *path)
{
	pid_t child = fork();

	if (child == 0) {
		sqlite3 *db;

		/* A small cache spills changed pages into the file before the commit. */
		if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
			_exit(1);
		sqlite3_exec(db, "PRAGMA cache_size = 2; PRAGMA journal_mode = TRUNCATE; BEGIN IMMEDIATE;"
		                 "UPDATE text SET value = value || 'changed'; UPDATE mapping SET span = 7; UPDATE region SET span = 8;"
		                 "CREATE TABLE big(x); INSERT INTO big SELECT zeroblob(3000) FROM text", NULL, NULL, NULL);
		kill(getpid(), SIGKILL);
	}
	assert_true(child > 0);
	waitpid(child, NULL, 0);
}

static void killed_writers_leave_a_session(void **state)
{
	char path[256], journal[300];
	struct vmm_err err = {0};
	struct stat st;

	copy_good(path, sizeof(path), "killed");
	kill_in_transaction(path);
	snprintf(journal, sizeof(journal), "%s-journal", path);
	assert_int_equal(stat(journal, &st), 0);
	assert_true(st.st_size > 0);
	if (read_all(path, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(session_query(path, "SELECT count(*) FROM mapping WHERE span = 7"), 0);
	assert_int_equal(session_query(path, "SELECT count(*) FROM snapshot"), 3);
	unlink(journal);
}

/* SQLite deletes the super-journal that a journal names: one that came with the file could name anything. */
static void foreign_journals_are_refused(void **state)
{
	static const unsigned char magic[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
	char path[256], journal[300], victim[300];
	unsigned char tail[600] = {0};
	struct vmm_err err = {0};
	uint32_t sum = 0;
	size_t length, n;
	unsigned char *bytes;

	copy_good(path, sizeof(path), "journal");
	snprintf(victim, sizeof(victim), "%s", session_path("victim"));
	write_file(victim, "precious", 8);
	kill_in_transaction(path);
	snprintf(journal, sizeof(journal), "%s-journal", path);
	bytes = read_file(journal, &length);
	/* Lock page number, name, its length and sum, magic (SQLite's pager.c, writeSuperJournal). */
	n = strlen(victim);
	memcpy(tail + 4, victim, n);
	for (size_t i = 0; i < n; i++)
		sum += (uint32_t)(signed char)victim[i];
	tail[3] = 1, tail[1] = 4;
	for (int i = 0; i < 4; i++) {
		tail[4 + n + (size_t)i] = (unsigned char)(n >> (24 - 8 * i));
		tail[8 + n + (size_t)i] = (unsigned char)(sum >> (24 - 8 * i));
	}
	memcpy(tail + 12 + n, magic, 8);
	bytes = realloc(bytes, length + 20 + n);
	assert_non_null(bytes);
	memcpy(bytes + length, tail, 20 + n);
	write_file(journal, bytes, length + 20 + n);
	free(bytes);
	assert_int_equal(read_all(path, &err), VMM_E_FORMAT);
	assert_int_equal(access(victim, F_OK), 0);
	unlink(journal);
}

/* --- a disk that is full --- */

static void full_disks_keep_what_was_there(void **state)
{
	char path[256];
	struct vmm_session *session;
	struct vmm_snapshot *s = session_process(9, 20000, 0);
	struct rlimit was, now;
	struct vmm_err err = {0};

	copy_good(path, sizeof(path), "full");
	assert_int_equal(vmm_session_open(path, VMM_SESSION_APPEND, &session, NULL), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	now = was;
	now.rlim_cur = 1 << 20;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
	assert_int_equal(vmm_session_add(session, s, NULL, NULL, &err), VMM_E_OUTPUT);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_non_null(strstr(err.text, path));
	/* And it goes on when there is room again. */
	assert_int_equal(vmm_session_add(session, s, NULL, NULL, &err), 0);
	vmm_session_close(session);
	vmm_snapshot_destroy(s);
	assert_int_equal(read_all(path, &err), 0);
	assert_int_equal(session_query(path, "SELECT count(*) FROM snapshot"), 4);
	assert_int_equal(session_query(path, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
}

TEST_MAIN(cmocka_unit_test(values_are_checked), cmocka_unit_test(tables_are_tables), cmocka_unit_test(additions_are_allowed),
          cmocka_unit_test(newer_versions_say_so), cmocka_unit_test(other_files_are_refused), cmocka_unit_test(damage_is_survived),
          cmocka_unit_test(killed_writers_leave_a_session), cmocka_unit_test(foreign_journals_are_refused),
          cmocka_unit_test(full_disks_keep_what_was_there))
