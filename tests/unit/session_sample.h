/* Snapshots for tests of sessions: small ones that differ as the test says, with numbers of every sort. */
#ifndef VMM_TESTS_SESSION_SAMPLE_H
#define VMM_TESTS_SESSION_SAMPLE_H

#include <dirent.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "model/build.h"
#include "test.h"
#include "vmmap/vmmap.h"

static char session_folder[64]; /* mutable: made by the first test */

static inline void session_clean(void)
{
	DIR *d = opendir(session_folder);
	struct dirent *e;

	while (d && (e = readdir(d)))
		unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	rmdir(session_folder);
}

/* A file in a folder of this test, which goes with it. */
static inline char *session_path(const char *name)
{
	static char path[256]; /* mutable: the caller copies it where it needs two */
	const char *folder = session_folder;

	if (!session_folder[0]) {
		/* In memory where that can be: each snapshot waits for the disk. */
		snprintf(session_folder, sizeof(session_folder), "%s/vmmap-session-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
		assert_non_null(mkdtemp(session_folder));
		atexit(session_clean);
	}
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	unlink(path);
	return path;
}

static inline struct vmm_session *session_open(const char *path, enum vmm_session_mode mode)
{
	struct vmm_session *session = NULL;
	struct vmm_err err = {0};

	if (vmm_session_open(path, mode, &session, &err) < 0)
		fail_msg("%s", err.text);
	return session;
}

/* The number that a query on the file gives, by SQLite itself. */
static inline int64_t session_query(const char *path, const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *st;
	int64_t n = -1;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	if (sqlite3_step(st) == SQLITE_ROW)
		n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return n;
}

static inline void session_change(const char *path, const char *sql)
{
	sqlite3 *db;
	char *why = NULL;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	sqlite3_close(db);
}

/* A process of count mappings of a page, each a region; one in eight has pages of its own that step moves. */
static inline struct vmm_snapshot *session_process(int32_t pid, uint32_t count, uint32_t step)
{
	struct vmm_snapshot *s = vmm_snapshot_create();
	struct vmm_metrics zero;

	assert_non_null(s);
	s->target.source = "live";
	s->target.pid = pid;
	s->target.name = "sample";
	s->target.started_known = true;
	s->target.started_at.tv_sec = 1000 + pid;
	s->target.page_size = 4096;
	s->target.bits = 64;
	s->target.user_end = 0x7ffffffff000;
	s->needs = VMM_NEED_DEFAULT;
	s->cpus = 1;
	s->taken_at.tv_sec = 2000000000 + step;
	s->vmas = vmm_arena_array(s->arena, count + 1, sizeof(*s->vmas));
	s->blocks = vmm_arena_array(s->arena, count + 1, sizeof(*s->blocks));
	s->regions = vmm_arena_array(s->arena, count + 1, sizeof(*s->regions));
	assert_true(s->vmas && s->blocks && s->regions);
	vmm_metrics_zero(&zero);
	zero.known &= ~(UINT32_C(1) << VMM_METRIC_STORED);
	for (uint32_t i = 0; i < count; i++) {
		struct vmm_vma *v = &s->vmas[i];
		uint64_t start = 0x10000000 + (uint64_t)i * 0x3000;

		*v = (struct vmm_vma){.start = start, .end = start + 0x2000, .name = "", .prot = 3, .m = zero};
		vmm_metric_set(&v->m, VMM_METRIC_SIZE, 0x2000);
		vmm_metric_set(&v->m, VMM_METRIC_RSS, i % 8 == step % 8 ? 0x1000 : 0);
		v->m.known &= ~(UINT32_C(1) << VMM_METRIC_STORED | UINT32_C(1) << VMM_METRIC_USED | UINT32_C(1) << VMM_METRIC_UNUSED);
		s->blocks[i] = (struct vmm_block){.start = v->start, .end = v->end, .vma = i, .region = i, .label = "", .m = &v->m};
		s->regions[i] = (struct vmm_region){.start = v->start, .end = v->end, .kind = VMM_KIND_PRIVATE_DATA, .prot = 3, .prot_set = 8,
		                                    .first_block = i, .block_count = 1, .module = VMM_NONE, .thread = VMM_NONE,
		                                    .heap = VMM_NONE, .details = "", .path = "", .m = &v->m};
	}
	s->vma_count = s->block_count = s->region_count = count;
	for (int k = 0; k < VMM_KIND_COUNT; k++)
		s->types[k] = (struct vmm_type_total){.kind = (enum vmm_kind)k, .counted = true, .m = zero};
	s->total = (struct vmm_type_total){.kind = VMM_KIND_COUNT, .counted = true, .m = zero, .regions = count, .blocks = count};
	vmm_metric_set(&s->total.m, VMM_METRIC_SIZE, (uint64_t)count * 0x2000);
	vmm_metric_set(&s->total.m, VMM_METRIC_RSS, (uint64_t)(count + 7 - step % 8) / 8 * 0x1000);
	s->types[VMM_KIND_PRIVATE_DATA].m = s->total.m;
	return s;
}

#endif
