/* Walking through the snapshots of a session: each is what was added, in whatever order they are asked for. */
#include "session_sample.h"

#include "../session_build.h"
#include "analysis/analysis.h"
#include "session/read.h"

static void add(struct vmm_session *session, int32_t pid, uint32_t count, uint32_t step)
{
	struct vmm_snapshot *s = session_process(pid, count, step);

	assert_int_equal(vmm_session_add(session, s, NULL, NULL, NULL), 0);
	vmm_snapshot_destroy(s);
}

static struct vmm_walk *walk_of(struct vmm_session *session)
{
	struct vmm_walk *walk;

	assert_int_equal(vmm_walk_create(session, &walk, NULL), 0);
	return walk;
}

static struct vmm_snapshot *load_on(struct vmm_session *session, struct vmm_walk *walk, uint32_t number)
{
	struct vmm_snapshot *s = NULL;
	struct vmm_err err = {0};

	if (vmm_session_load_on(session, walk, number, &s, &err) < 0)
		fail_msg("%u: %s", number, err.text);
	return s;
}

/* What session_process(pid, count, step) made. */
static void check_step(const struct vmm_snapshot *s, uint32_t count, uint32_t step)
{
	assert_int_equal(s->vma_count, count);
	assert_int_equal(s->region_count, count);
	assert_int_equal(s->block_count, count);
	assert_int_equal(s->taken_at.tv_sec, 2000000000 + step);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(s->vmas[i].start, 0x10000000 + (uint64_t)i * 0x3000);
		assert_int_equal(s->vmas[i].end, s->vmas[i].start + 0x2000);
		assert_int_equal(s->vmas[i].m.value[VMM_METRIC_RSS], i % 8 == step % 8 ? 0x1000 : 0);
		assert_ptr_equal(s->regions[i].m, &s->vmas[i].m);
		assert_int_equal(s->regions[i].start, s->vmas[i].start);
		assert_int_equal(s->blocks[i].region, i);
	}
}

/* Two processes by turns: 60 snapshots of the first, which grows and shrinks, with numbers 1, 3, 5, ... */
static uint32_t count_at(uint32_t step)
{
	return 200 + step % 20 * 5;
}

static const char *two_processes(const char *name)
{
	const char *path = session_path(name);
	struct vmm_session *session = session_open(path, VMM_SESSION_CREATE);

	for (uint32_t i = 0; i < 60; i++) {
		add(session, 1, count_at(i), i);
		add(session, 2, 30 + i, 7);
	}
	vmm_session_close(session);
	/* Several key frames, and many snapshots between them. */
	assert_in_range(session_query(path, "SELECT count(*) FROM keyframe WHERE rows = 'mapping' AND target = 1"), 3, 20);
	return path;
}

static void every_step_is_what_was_added(void **state)
{
	static const uint32_t strides[] = {1, 2, 7, 31};
	struct vmm_session *session = session_open(two_processes("steps"), VMM_SESSION_READ);

	for (size_t k = 0; k < ARRAY_LEN(strides); k++) {
		struct vmm_walk *walk = walk_of(session);
		struct vmm_snapshot *before = NULL;
		uint32_t step = 0;

		for (; step < 60; step += strides[k]) {
			struct vmm_snapshot *s = load_on(session, walk, 2 * step + 1);

			check_step(s, count_at(step), step);
			/* The one before is whole still. */
			if (before)
				check_step(before, count_at(step - strides[k]), step - strides[k]);
			vmm_snapshot_destroy(before);
			before = s;
		}
		vmm_walk_destroy(walk);
		/* And outlives the walk. */
		check_step(before, count_at(step - strides[k]), step - strides[k]);
		vmm_snapshot_destroy(before);
	}
	vmm_session_close(session);
}

static void any_order_works(void **state)
{
	static const uint32_t steps[] = {5, 9, 9, 3, 59, 0, 1, 58};
	struct vmm_session *session = session_open(two_processes("order"), VMM_SESSION_READ);
	struct vmm_walk *walk = walk_of(session);
	struct vmm_snapshot *s;

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		s = load_on(session, walk, 2 * steps[i] + 1);
		check_step(s, count_at(steps[i]), steps[i]);
		vmm_snapshot_destroy(s);
		/* The other process in between. */
		s = load_on(session, walk, 2 * steps[i] + 2);
		check_step(s, 30 + steps[i], 7);
		vmm_snapshot_destroy(s);
	}
	assert_int_equal(vmm_session_load_on(session, walk, 121, &s, NULL), VMM_E_NO_TARGET);
	s = load_on(session, walk, 11);
	check_step(s, count_at(5), 5);
	vmm_snapshot_destroy(s);
	vmm_walk_destroy(walk);
	vmm_session_close(session);
}

/* What was open when it was read is closed by another writer. */
static void the_file_grows_meanwhile(void **state)
{
	char path[256];
	struct vmm_session *session, *writer;
	struct vmm_walk *walk;

	snprintf(path, sizeof(path), "%s", two_processes("grows"));
	session = session_open(path, VMM_SESSION_READ);
	walk = walk_of(session);
	for (uint32_t i = 58; i < 66; i++) {
		struct vmm_snapshot *s;

		if (i >= 60) {
			writer = session_open(path, VMM_SESSION_APPEND);
			add(writer, 1, count_at(i), i);
			add(writer, 2, 30 + i, 7);
			vmm_session_close(writer);
		}
		s = load_on(session, walk, 2 * i + 1);
		check_step(s, count_at(i), i);
		vmm_snapshot_destroy(s);
	}
	vmm_walk_destroy(walk);
	vmm_session_close(session);
}

/* Rows that are not in the order in which they began to hold would be missed, or come twice. */
static void rows_out_of_order_are_damage(void **state)
{
	static const char *const changes[] = {
	    "UPDATE mapping SET first = 1 WHERE id = (SELECT max(id) FROM mapping WHERE first = 7)",
	    "UPDATE region SET first = 1, last = 40 WHERE id = (SELECT max(id) FROM region WHERE first = 7)",
	    "UPDATE mapping SET last = NULL WHERE id = (SELECT min(id) FROM mapping WHERE first = 5)",
	    "UPDATE keyframe SET seq = seq + 3 WHERE rows = 'mapping' AND target = 1",
	};

	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct vmm_session *session;
		struct vmm_walk *walk;
		struct vmm_snapshot *s;
		const char *path = two_processes("order");
		unsigned damaged = 0;

		session_change(path, changes[i]);
		session = session_open(path, VMM_SESSION_READ);
		walk = walk_of(session);
		for (uint32_t step = 0; step < 60; step++) {
			int rc = vmm_session_load_on(session, walk, 2 * step + 1, &s, NULL);

			if (rc == 0)
				vmm_snapshot_destroy(s);
			else
				assert_int_equal(rc, VMM_E_FORMAT);
			damaged += rc < 0;
		}
		assert_true(damaged > 0);
		vmm_walk_destroy(walk);
		vmm_session_close(session);
	}
}

/* Every sort of record; then another count of numbers that smaps had, with mappings that hold on. */
static void extra_numbers_change_their_count(void **state)
{
	const char *path = session_path("extra");
	struct vmm_session *session = session_open(path, VMM_SESSION_CREATE);
	struct vmm_snapshot *s = built_snapshot();
	struct vmm_walk *walk;

	assert_true(s->extra_count > 0);
	assert_int_equal(vmm_session_add(session, s, NULL, NULL, NULL), 0);
	assert_int_equal(vmm_session_add(session, s, NULL, NULL, NULL), 0);
	vmm_snapshot_destroy(s);
	vmm_session_close(session);
	/* The names grow from snapshot 2 on; the mappings' numbers do not: there are too few of them now. */
	session_change(path, "UPDATE process SET last = 1; INSERT INTO text SELECT max(id) + 1, 'one two three four five six seven' FROM text;"
	                     "CREATE TEMP TABLE p AS SELECT * FROM process; UPDATE p SET id = id + 1, first = 2, last = NULL,"
	                     " extra_names = (SELECT max(id) FROM text); INSERT INTO process SELECT * FROM p");
	session = session_open(path, VMM_SESSION_READ);
	walk = walk_of(session);
	s = load_on(session, walk, 1);
	vmm_snapshot_destroy(s);
	assert_int_equal(vmm_session_load_on(session, walk, 2, &s, NULL), VMM_E_FORMAT);
	s = load_on(session, walk, 1);
	vmm_snapshot_destroy(s);
	vmm_walk_destroy(walk);
	vmm_session_close(session);
}

static void out_of_memory_is_clean(void **state)
{
	struct vmm_session *session = session_open(two_processes("memory"), VMM_SESSION_READ);
	bool whole = false;

	for (unsigned long n = 1; !whole; n++) {
		struct vmm_walk *walk = NULL;
		struct vmm_snapshot *s = NULL, *next = NULL;
		int rc;

		vmm_alloc_fail_after(n);
		rc = vmm_walk_create(session, &walk, NULL);
		if (rc == 0)
			rc = vmm_session_load_on(session, walk, 17, &s, NULL);
		if (rc == 0)
			rc = vmm_session_load_on(session, walk, 25, &next, NULL);
		vmm_alloc_fail_after(0);
		whole = rc == 0;
		if (!whole)
			assert_int_equal(rc, VMM_E_NOMEM);
		/* The walk goes on after a failure. */
		if (walk && !whole)
			next = load_on(session, walk, 25);
		if (next)
			check_step(next, count_at(12), 12);
		vmm_snapshot_destroy(s);
		vmm_snapshot_destroy(next);
		vmm_walk_destroy(walk);
	}
	vmm_session_close(session);
}

TEST_MAIN(cmocka_unit_test(every_step_is_what_was_added), cmocka_unit_test(any_order_works), cmocka_unit_test(the_file_grows_meanwhile),
          cmocka_unit_test(rows_out_of_order_are_damage), cmocka_unit_test(extra_numbers_change_their_count),
          cmocka_unit_test(out_of_memory_is_clean))
