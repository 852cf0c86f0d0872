/* Sessions over many snapshots: what an unchanged one costs, loading any of them, and rings. */
#include "session_sample.h"

#include <sys/stat.h>

static int64_t size_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void add(struct vmm_session *session, int32_t pid, uint32_t count, uint32_t step)
{
	struct vmm_snapshot *s = session_process(pid, count, step);
	struct vmm_err err = {0};

	if (vmm_session_add(session, s, NULL, NULL, &err) < 0)
		fail_msg("%s", err.text);
	vmm_snapshot_destroy(s);
}

/* A snapshot of 5,000 mappings that did not change takes at most 2 KB. */
static void unchanged_costs_little(void **state)
{
	const char *path = session_path("unchanged");
	struct vmm_session *session = session_open(path, VMM_SESSION_CREATE);
	struct vmm_snapshot *s = session_process(1, 5000, 0);
	int64_t before;

	assert_int_equal(vmm_session_add(session, s, NULL, NULL, NULL), 0);
	before = size_of(path);
	for (int i = 0; i < 100; i++)
		assert_int_equal(vmm_session_add(session, s, NULL, NULL, NULL), 0);
	vmm_snapshot_destroy(s);
	vmm_session_close(session);
	assert_true(size_of(path) - before <= 100 * 2048);
	assert_int_equal(session_query(path, "SELECT count(*) FROM mapping"), 5000);
	assert_int_equal(session_query(path, "SELECT count(*) FROM snapshot"), 101);
}

static void check_step(struct vmm_session *session, uint32_t number, uint32_t count, uint32_t step)
{
	struct vmm_snapshot *s;
	struct vmm_err err = {0};
	uint64_t rss = 0;

	if (vmm_session_load(session, number, &s, &err) < 0)
		fail_msg("%u: %s", number, err.text);
	assert_int_equal(s->vma_count, count);
	assert_int_equal(s->region_count, count);
	assert_int_equal(s->taken_at.tv_sec, 2000000000 + step);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(s->vmas[i].start, 0x10000000 + (uint64_t)i * 0x3000);
		assert_int_equal(s->regions[i].m->value[VMM_METRIC_RSS], i % 8 == step % 8 ? 0x1000 : 0);
		rss += s->vmas[i].m.value[VMM_METRIC_RSS];
	}
	assert_int_equal(s->total.m.value[VMM_METRIC_RSS], rss);
	vmm_snapshot_destroy(s);
}

/* A quarter of the rows change at each step: key frames come, and every snapshot reads as it was. */
static void every_snapshot_reads_as_it_was(void **state)
{
	const char *path = session_path("changing");
	struct vmm_session *session = session_open(path, VMM_SESSION_CREATE);
	struct vmm_type_total types[VMM_KIND_COUNT], total;

	for (uint32_t i = 0; i < 60; i++) {
		/* In parts: what was written is read again. */
		if (i % 25 == 24) {
			vmm_session_close(session);
			session = session_open(path, VMM_SESSION_APPEND);
		}
		add(session, 1, 200 + i, i);
		add(session, 2, 50, 0);
	}
	vmm_session_close(session);
	assert_true(session_query(path, "SELECT count(*) FROM keyframe WHERE rows = 'mapping'") > 2);
	assert_int_equal(session_query(path, "SELECT count(*) FROM mapping WHERE id >> 32 = 2"), 50);
	session = session_open(path, VMM_SESSION_READ);
	for (uint32_t i = 0; i < 60; i++) {
		check_step(session, 2 * i + 1, 200 + i, i);
		check_step(session, 2 * i + 2, 50, 0);
		assert_int_equal(vmm_session_totals(session, 2 * i + 1, types, &total, NULL), 0);
		assert_int_equal(total.m.value[VMM_METRIC_SIZE], (200 + i) * 0x2000);
		assert_int_equal(types[VMM_KIND_PRIVATE_DATA].m.value[VMM_METRIC_RSS], (200 + i + 7 - i % 8) / 8 * 0x1000);
	}
	assert_int_equal(vmm_session_totals(session, 121, types, &total, NULL), VMM_E_NO_TARGET);
	vmm_session_close(session);
}

static void ring_by_number(void **state)
{
	const char *path = session_path("ring");
	struct vmm_session *session = session_open(path, VMM_SESSION_CREATE);
	const struct vmm_session_keep keep = {.snapshots = 10};
	struct vmm_session_index *index;
	int64_t full = 0;
	uint32_t dropped;

	add(session, 7, 20, 0);
	for (uint32_t i = 0; i < 400; i++) {
		add(session, 1, 300, i);
		assert_int_equal(vmm_session_drop(session, &keep, &dropped, NULL), 0);
		assert_int_equal(dropped, i < 10 ? 0 : 1);
		if (i == 200)
			full = size_of(path);
	}
	/* Twice as long, and no bigger. */
	assert_true(size_of(path) <= full + full / 4);
	assert_int_equal(vmm_session_index(session, &index, NULL), 0);
	assert_int_equal(index->count, 11);
	assert_int_equal(index->target_count, 2);
	assert_int_equal(index->entries[0].number, 1); /* the other target's only one stays */
	for (uint32_t i = 1; i < 11; i++)
		assert_int_equal(index->entries[i].number, 391 + i);
	vmm_session_index_destroy(index);
	vmm_session_close(session);
	session = session_open(path, VMM_SESSION_APPEND);
	for (uint32_t i = 390; i < 400; i++)
		check_step(session, i + 2, 300, i);
	check_step(session, 1, 20, 0);
	add(session, 1, 300, 400);
	check_step(session, 402, 300, 400);
	vmm_session_close(session);
	assert_int_equal(session_query(path, "PRAGMA integrity_check") == 0, 1);
}

static void ring_by_age(void **state)
{
	const char *path = session_path("age");
	struct vmm_session *session = session_open(path, VMM_SESSION_CREATE);
	const struct vmm_session_keep keep = {.age_ns = UINT64_C(5000000000)};

	add(session, 2, 10, 0);
	for (uint32_t i = 0; i < 50; i++)
		add(session, 1, 30, i);
	assert_int_equal(vmm_session_drop(session, &keep, NULL, NULL), 0);
	vmm_session_close(session);
	/* Taken at 44 to 49, and the old one that is its target's newest. */
	assert_int_equal(session_query(path, "SELECT count(*) FROM snapshot"), 7);
	assert_int_equal(session_query(path, "SELECT min(number) FROM snapshot WHERE target = 2"), 46);
}

static void ring_by_size(void **state)
{
	const char *path = session_path("size");
	struct vmm_session *session = session_open(path, VMM_SESSION_CREATE);
	const struct vmm_session_keep keep = {.bytes = 600000};
	int64_t count;

	for (uint32_t i = 0; i < 400; i++) {
		add(session, 1, 1000, i);
		assert_int_equal(vmm_session_drop(session, &keep, NULL, NULL), 0);
	}
	vmm_session_close(session);
	assert_true(size_of(path) < 600000 + 600000 / 3);
	count = session_query(path, "SELECT count(*) FROM snapshot");
	assert_true(count >= 2 && count < 100);
	session = session_open(path, VMM_SESSION_READ);
	check_step(session, 400, 1000, 399);
	check_step(session, 400 - (uint32_t)count + 1, 1000, 400 - (uint32_t)count);
	vmm_session_close(session);
}

/* Names that nobody uses any more go. */
static void names_do_not_pile_up(void **state)
{
	const char *path = session_path("names");
	struct vmm_session *session = session_open(path, VMM_SESSION_CREATE);
	const struct vmm_session_keep keep = {.snapshots = 3};
	char name[32];

	for (uint32_t i = 0; i < 400; i++) {
		struct vmm_snapshot *s = session_process(1, 100, 0);

		for (uint32_t k = 0; k < 100; k++) {
			snprintf(name, sizeof(name), "/file/%u/%u", i, k);
			s->vmas[k].name = vmm_arena_strdup(s->arena, name);
		}
		assert_int_equal(vmm_session_add(session, s, NULL, NULL, NULL), 0);
		vmm_snapshot_destroy(s);
		assert_int_equal(vmm_session_drop(session, &keep, NULL, NULL), 0);
	}
	vmm_session_close(session);
	assert_true(session_query(path, "SELECT count(*) FROM text") < 20000);
	session = session_open(path, VMM_SESSION_READ);
	{
		struct vmm_snapshot *s;

		assert_int_equal(vmm_session_load(session, 400, &s, NULL), 0);
		assert_string_equal(s->vmas[99].name, "/file/399/99");
		vmm_snapshot_destroy(s);
	}
	vmm_session_close(session);
}

TEST_MAIN(cmocka_unit_test(unchanged_costs_little), cmocka_unit_test(every_snapshot_reads_as_it_was), cmocka_unit_test(ring_by_number),
          cmocka_unit_test(ring_by_age), cmocka_unit_test(ring_by_size), cmocka_unit_test(names_do_not_pile_up))
