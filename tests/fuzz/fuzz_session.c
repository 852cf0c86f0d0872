/*
 * Hostile sessions. The input changes a real small session, made once by the store itself, in steps:
 *   0xff OFFSET(3) VALUE                    a byte of the file
 *   TABLE COLUMN ROW KIND [bytes]           a cell, by SQL: what SQLite would not doubt, and the store has to
 * Then everything that can be read is read, and what is handed out has to hold together.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../session_build.h"
#include "analysis/analysis.h"
#include "session/memory.h"
#include "session/read.h"

static unsigned char *seed; /* mutable: the session, made at the first input */
static size_t seed_length;  /* mutable: with it */
static char path[128];      /* mutable: where each input is written */

static void done(void)
{
	unlink(path);
}

static void make_seed(void)
{
	struct vmm_session *session;
	struct built_memory *memory = malloc(sizeof(*memory));
	struct vmm_session_memory how = {.kinds = UINT32_C(1) << VMM_KIND_HEAP};
	struct vmm_snapshot *s = built_snapshot();
	/* In memory: a session is synced at each step. */
	const char *folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
	struct stat st;
	int fd;

	FUZZ_CHECK(memory);
	built_memory_init(memory);
	how.target = &memory->target.base;
	snprintf(path, sizeof(path), "%.90s/fuzz-session-%d", folder ? folder : "/tmp", (int)getpid());
	unlink(path);
	atexit(done);
	FUZZ_CHECK(vmm_session_open(path, VMM_SESSION_CREATE, &session, NULL) == 0);
	FUZZ_CHECK(vmm_session_add(session, s, &how, NULL, NULL) == 0);
	s->vmas[2].m.value[VMM_METRIC_RSS]++;
	s->target.pid++;
	FUZZ_CHECK(vmm_session_add(session, s, NULL, NULL, NULL) == 0);
	s->target.pid--;
	FUZZ_CHECK(vmm_session_add(session, s, &how, NULL, NULL) == 0);
	vmm_session_close(session);
	vmm_snapshot_destroy(s);
	free(memory);
	fd = open(path, O_RDONLY);
	FUZZ_CHECK(fd >= 0 && fstat(fd, &st) == 0);
	seed_length = (size_t)st.st_size;
	seed = malloc(seed_length);
	FUZZ_CHECK(seed && read(fd, seed, seed_length) == st.st_size);
	close(fd);
}

static void write_out(const void *bytes, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	FUZZ_CHECK(fd >= 0 && write(fd, bytes, length) == (ssize_t)length);
	close(fd);
}

/* --- cells --- */

static const char *const tables[] = {"snapshot", "target", "text", "keyframe", "process", "mapping", "region", "block", "thread",
                                     "module", "heap", "rlimit", "note", "total", "memory", "pages", "meta"};

/* The nth column of a table; "" when it has fewer. */
static void column_name(sqlite3 *db, const char *table, unsigned n, char *ret, size_t size)
{
	sqlite3_stmt *st;
	char sql[64];

	ret[0] = '\0';
	snprintf(sql, sizeof(sql), "SELECT * FROM %s LIMIT 0", table);
	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK && sqlite3_column_count(st) > 0)
		snprintf(ret, size, "%s", sqlite3_column_name(st, (int)(n % (unsigned)sqlite3_column_count(st))));
	sqlite3_finalize(st);
}

/* Binds a value as the input says; returns the bytes that it took. */
static size_t bind_value(sqlite3_stmt *st, uint8_t kind, const uint8_t *data, size_t size)
{
	int64_t v = 0;
	size_t n = kind >> 3 & 31;

	n = n < size ? n : size;
	switch (kind & 7) {
	case 0: sqlite3_bind_null(st, 1); return 0;
	case 1: sqlite3_bind_text(st, 1, (const char *)data, (int)n, SQLITE_STATIC); return n;
	case 2: sqlite3_bind_blob(st, 1, data, (int)n, SQLITE_STATIC); return n;
	case 3: sqlite3_bind_double(st, 1, 0.5); return 0;
	case 4: sqlite3_bind_zeroblob(st, 1, 70000); return 0;
	default:
		for (size_t i = 0; i < 8 && i < n; i++)
			v |= (int64_t)((uint64_t)data[i] << (8 * i));
		sqlite3_bind_int64(st, 1, v);
		return n < 8 ? n : 8;
	}
}

static size_t change_cell(sqlite3 *db, const uint8_t *data, size_t size)
{
	const char *table = tables[data[0] % ARRAY_LEN(tables)];
	char column[64], sql[512];
	sqlite3_stmt *st;
	size_t used = 4;

	column_name(db, table, data[1], column, sizeof(column));
	if (data[3] == 0xf8)
		snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE \"%s\" IN (SELECT \"%s\" FROM %s LIMIT 1 OFFSET %u)", table, column, column, table, data[2] % 40);
	else if (data[2] == 0xff)
		snprintf(sql, sizeof(sql), "UPDATE OR IGNORE %s SET \"%s\" = ?1", table, column);
	else
		snprintf(sql, sizeof(sql), "UPDATE OR IGNORE %s SET \"%s\" = ?1 WHERE \"%s\" IN (SELECT \"%s\" FROM %s LIMIT 1 OFFSET %u)", table, column,
		         column, column, table, data[2] % 40);
	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK) {
		used += bind_value(st, data[3], data + 4, size - 4);
		sqlite3_step(st);
	}
	sqlite3_finalize(st);
	return used;
}

/* --- what comes out --- */

static void check_metrics(const struct vmm_metrics *m)
{
	FUZZ_CHECK((m->known & m->at_least) == 0);
	for (int i = 0; i < VMM_METRIC_COUNT; i++)
		FUZZ_CHECK((m->known | m->at_least) >> i & 1 || m->value[i] == 0);
}

static void check_snapshot(const struct vmm_snapshot *s)
{
	uint32_t block = 0;

	for (uint32_t i = 0; i < s->vma_count; i++) {
		FUZZ_CHECK(s->vmas[i].start < s->vmas[i].end && s->vmas[i].name && (i == 0 || s->vmas[i - 1].end <= s->vmas[i].start));
		check_metrics(&s->vmas[i].m);
	}
	for (uint32_t i = 0; i < s->region_count; i++) {
		const struct vmm_region *r = &s->regions[i];

		FUZZ_CHECK(r->first_block == block && r->block_count && r->kind < VMM_KIND_PAGE_TABLE && r->details && r->path && r->m);
		FUZZ_CHECK(r->module == VMM_NONE || r->module < s->module_count);
		FUZZ_CHECK(r->thread == VMM_NONE || r->thread < s->thread_count);
		FUZZ_CHECK(r->heap == VMM_NONE || r->heap < s->heap_count);
		block += r->block_count;
		check_metrics(r->m);
	}
	FUZZ_CHECK(block == s->block_count || s->region_count == 0);
	for (uint32_t i = 0; i < s->block_count; i++) {
		const struct vmm_block *b = &s->blocks[i];

		FUZZ_CHECK(b->vma < s->vma_count && b->region < s->region_count && b->start < b->end && b->label && b->m);
		FUZZ_CHECK(b->start >= s->vmas[b->vma].start && b->end <= s->vmas[b->vma].end);
	}
	for (uint32_t i = 0; i < s->thread_count; i++)
		FUZZ_CHECK(s->threads[i].region == VMM_NONE || s->threads[i].region < s->region_count);
	for (uint32_t i = 0; i < s->module_count; i++)
		FUZZ_CHECK((s->modules[i].region == VMM_NONE || s->modules[i].region < s->region_count) && s->modules[i].path);
	for (uint32_t i = 0; i < s->heap_count; i++)
		for (uint32_t k = 0; k < s->heaps[i].thread_count; k++)
			FUZZ_CHECK(s->heaps[i].threads[k] < s->thread_count);
}

static int check_run(void *arg, const struct vmm_page_run *run)
{
	uint64_t *last = arg;

	FUZZ_CHECK(run->start < run->end && run->start >= *last);
	*last = run->end;
	return 0;
}

static void read_memory(struct vmm_session *session, uint32_t number)
{
	unsigned char bytes[9000];
	struct vmm_stored *m = NULL;
	uint64_t last = 0;

	if (vmm_stored_open(session, number, &m, NULL) < 0 || !m)
		return;
	vmm_stored_pages(m, 0, UINT64_MAX, 0, check_run, &last);
	vmm_stored_read(m, 0x500000, bytes, sizeof(bytes), NULL);
	vmm_stored_read(m, 0x7f0000003000, bytes, sizeof(bytes), NULL);
	FUZZ_CHECK(vmm_stored_bytes(m, 0x500000, 0x504000) <= 0x4000);
	vmm_stored_close(m);
}

/* All of them in turn, each going on from the one before; the last one outlives the walk. */
static void walk_through(struct vmm_session *session, const struct vmm_session_index *index)
{
	struct vmm_snapshot *s = NULL;
	struct vmm_walk *walk;

	FUZZ_CHECK(vmm_walk_create(session, &walk, NULL) == 0);
	for (uint32_t i = 0; i < index->count && i < 8; i++) {
		vmm_snapshot_destroy(s);
		s = NULL;
		if (vmm_session_load_on(session, walk, index->entries[i].number, &s, NULL) == 0)
			check_snapshot(s);
	}
	vmm_walk_destroy(walk);
	if (s)
		check_snapshot(s);
	vmm_snapshot_destroy(s);
}

static void read_everything(void)
{
	struct vmm_type_total types[VMM_KIND_COUNT], total;
	struct vmm_session *session;
	struct vmm_session_index *index = NULL;
	struct vmm_err err = {0};
	uint32_t number;
	int rc = vmm_session_open(path, VMM_SESSION_READ, &session, &err);

	FUZZ_CHECK(rc == 0 || err.text[0]);
	if (rc < 0)
		return;
	if (vmm_session_index(session, &index, &err) == 0) {
		for (uint32_t i = 0; i < index->count && i < 8; i++) {
			struct vmm_snapshot *s = NULL;

			FUZZ_CHECK(index->entries[i].target >= 1 && index->entries[i].target <= index->target_count && index->entries[i].name);
			if (vmm_session_load(session, index->entries[i].number, &s, &err) == 0)
				check_snapshot(s);
			vmm_snapshot_destroy(s);
			if (vmm_session_totals(session, index->entries[i].number, types, &total, NULL) == 0)
				check_metrics(&total.m);
			read_memory(session, index->entries[i].number);
		}
		walk_through(session, index);
		vmm_session_find(index, "14:00", &number, NULL);
	}
	vmm_session_index_destroy(index);
	vmm_session_close(session);
}

/* Adding to it must not do harm either. */
static void continue_it(void)
{
	const struct vmm_session_keep keep = {.snapshots = 2};
	struct vmm_session *session;
	struct vmm_snapshot *s;

	if (vmm_session_open(path, VMM_SESSION_APPEND, &session, NULL) < 0)
		return;
	s = built_snapshot();
	if (vmm_session_add(session, s, NULL, NULL, NULL) == 0)
		vmm_session_drop(session, &keep, NULL, NULL);
	vmm_snapshot_destroy(s);
	vmm_session_close(session);
}

static void apply_cells(const uint8_t *data, size_t size)
{
	sqlite3 *db;

	write_out(seed, seed_length);
	FUZZ_CHECK(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK);
	sqlite3_exec(db, "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; BEGIN", NULL, NULL, NULL);
	for (size_t at = 0, steps = 0; at + 4 <= size && data[at] != 0xff && steps < 16; steps++)
		at += change_cell(db, data + at, size - at);
	sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	sqlite3_close(db);
}

static void apply_bytes(const uint8_t *data, size_t size)
{
	unsigned char *copy = malloc(seed_length);

	FUZZ_CHECK(copy);
	memcpy(copy, seed, seed_length);
	for (size_t at = 0; at + 5 <= size && data[at] == 0xff; at += 5)
		copy[((size_t)data[at + 1] << 16 | (size_t)data[at + 2] << 8 | data[at + 3]) % seed_length] = data[at + 4];
	write_out(copy, seed_length);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char journal[160];

	if (!seed)
		make_seed();
	if (size >= 16 && memcmp(data, "SQLite format 3", 16) == 0)
		write_out(data, size);
	else if (size && data[0] == 0xff)
		apply_bytes(data, size);
	else
		apply_cells(data, size);
	read_everything();
	/* Dear: every fourth input will do. */
	if (size % 4 == 0)
		continue_it();
	snprintf(journal, sizeof(journal), "%s-journal", path);
	unlink(journal);
	return 0;
}
