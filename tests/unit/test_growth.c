/* What grows in series of snapshots that were made up: each test says what grows, and how fast. */
#include <math.h>

#include "analysis/growth.h"
#include "diff_sample.h"

#define KIB UINT64_C(1024)
#define MIB UINT64_C(1048576)
#define BASE 1800000000
#define STACK                                                                                                          \
	{                                                                                                              \
		.start = 0x7ffe00000000, .size = 0x21000, .kind = VMM_KIND_STACK, .prot = RW, .tid = 7, .name = "demo" \
	}
#define PRIVATE(at, bytes)                                                                                             \
	{                                                                                                              \
		.start = (at), .size = (bytes), .kind = VMM_KIND_PRIVATE_DATA, .prot = RW, .rss = (bytes)              \
	}
#define HEAP_OF(at, bytes, name)                                                                                       \
	{                                                                                                              \
		.start = (at), .size = 64 * MIB, .kind = VMM_KIND_HEAP, .prot = RW, .heap = name, .rss = (bytes)       \
	}

static struct vmm_tracks tracks;

static void start(void)
{
	assert_int_equal(vmm_growth_start(&tracks, NULL), 0);
}

/* One look, so many seconds after the first. */
static void add(uint32_t second, const struct diff_row *rows, size_t count)
{
	struct vmm_snapshot *s = diff_snapshot(7, rows, count);

	s->taken_at = (struct timespec){BASE + second, 0};
	assert_int_equal(vmm_tracks_add(&tracks, s, second + 1, NULL, NULL), 0);
}

static struct vmm_growth *finish(void)
{
	struct vmm_growth *g = NULL;

	assert_int_equal(vmm_growth_of(&tracks, &g, NULL), 0);
	vmm_tracks_done(&tracks);
	return g;
}

static void rate_is(double found, double truth)
{
	if (fabs(found - truth) > truth / 100)
		fail_msg("%g a second, must be %g", found, truth);
}

/* Grows down by 64 KiB a second, beside one that swings, one that jumps and one that came late. */
static void test_region(void **state)
{
	const struct vmm_growth_finding *f;
	struct vmm_growth *g;

	start();
	for (uint32_t i = 0; i < 60; i++) {
		const struct diff_row rows[] = {
		    PRIVATE(0x10000000 - i * 64 * KIB, MIB + i * 64 * KIB), PRIVATE(0x20000000, MIB + i % 10 * MIB),
		    PRIVATE(0x40000000, i < 25 ? MIB : 30 * MIB), PRIVATE(0x60000000, (i + 1) * 64 * KIB), STACK};

		/* The last but the stack came when most was over: what it does at its start says little. */
		add(i, rows, i < 40 ? 3 : 5);
	}
	g = finish();
	assert_int_equal(g->looked_at, 60);
	assert_int_equal(g->first, 1);
	assert_int_equal(g->last, 60);
	assert_int_equal(g->to.tv_sec - g->from.tv_sec, 59);
	assert_int_equal(g->finding_count, 1);
	f = &g->findings[0];
	assert_int_equal(f->level, VMM_GROWTH_REGION);
	assert_int_equal(f->kind, VMM_KIND_PRIVATE_DATA);
	assert_int_equal(f->address, 0x10000000 - 59 * 64 * KIB);
	assert_int_equal(f->end, 0x10000000 + MIB);
	assert_int_equal(f->prot, RW);
	rate_is(f->measures[VMM_GROWTH_RSS].slope, 65536);
	rate_is(f->measures[VMM_GROWTH_SIZE].slope, 65536);
	vmm_growth_destroy(g);
}

/* A mapping of 96 KiB more each other look, never two that touch; others of all sizes come and go. */
static void test_group(void **state)
{
	const struct vmm_growth_finding *f;
	struct vmm_growth *g;
	uint32_t second = 0;

	start();
	for (uint32_t i = 0; i < 24; i++)
		for (unsigned twice = 0; twice < 2; twice++, second++) {
			struct diff_row rows[DIFF_MAX] = {PRIVATE(0x1000000, (1 + second * 7 % 5) * 8 * KIB)};
			size_t n = 1;

			for (uint32_t k = 0; k <= i; k++)
				rows[n++] = (struct diff_row)PRIVATE(0x10000000 + k * 256 * KIB, 96 * KIB);
			rows[n++] = (struct diff_row)STACK;
			add(second, rows, n);
		}
	g = finish();
	assert_int_equal(g->finding_count, 1);
	f = &g->findings[0];
	assert_int_equal(f->level, VMM_GROWTH_GROUP);
	assert_int_equal(f->each, 96 * KIB);
	assert_int_equal(f->regions, 24);
	rate_is(f->measures[f->lead].slope, 48 * KIB);
	rate_is(f->measures[VMM_GROWTH_REGIONS].slope, 0.5);
	vmm_growth_destroy(g);
}

/* An arena leaks; half-way another one comes before it in the allocator's list, and takes its number. */
static void test_heap(void **state)
{
	const struct vmm_growth_finding *f;
	struct vmm_growth *g;

	start();
	for (uint32_t i = 0; i < 40; i++) {
		const struct diff_row before[] = {HEAP_OF(0x10000000, MIB + i * 10000, "glibc.0.1"), STACK};
		const struct diff_row after[] = {HEAP_OF(0x10000000, MIB + i * 10000, "glibc.0.2"),
						 HEAP_OF(0x20000000, MIB, "glibc.0.1"), STACK};

		if (i < 20)
			add(i, before, ARRAY_LEN(before));
		else
			add(i, after, ARRAY_LEN(after));
	}
	g = finish();
	assert_int_equal(g->finding_count, 1);
	f = &g->findings[0];
	assert_int_equal(f->level, VMM_GROWTH_HEAP);
	assert_string_equal(f->heap, "glibc.0.2");
	assert_int_equal(f->address, 0x10000000);
	rate_is(f->measures[VMM_GROWTH_RSS].slope, 10000);
	vmm_growth_destroy(g);
}

/* Unknown numbers are no zeros: known at every third look only, the slope is that of those. */
static void test_unknown(void **state)
{
	struct vmm_growth *g;

	start();
	for (uint32_t i = 0; i < 60; i++) {
		struct diff_row rows[] = {PRIVATE(0x10000000, 64 * MIB), STACK};

		rows[0].rss = MIB + i * 20000;
		rows[0].rss_unknown = i % 3 != 0;
		add(i, rows, ARRAY_LEN(rows));
	}
	g = finish();
	assert_int_equal(g->finding_count, 1);
	assert_int_equal(g->findings[0].lead, VMM_GROWTH_RSS);
	assert_int_equal(g->findings[0].measures[VMM_GROWTH_RSS].points, 20);
	rate_is(g->findings[0].measures[VMM_GROWTH_RSS].slope, 20000);
	assert_int_equal(g->findings[0].measures[VMM_GROWTH_USED].points, 0);
	assert_int_equal(g->kinds[VMM_KIND_PRIVATE_DATA][VMM_GROWTH_RSS].verdict, VMM_TREND_STEADY);
	assert_int_equal(g->kinds[VMM_KIND_STACK][VMM_GROWTH_RSS].verdict, VMM_TREND_FLAT);
	vmm_growth_destroy(g);
}

/* Looks that say nothing are left out; too few say nothing. */
static void test_partial(void **state)
{
	const struct diff_row rows[] = {PRIVATE(0x10000000, MIB), STACK};
	struct vmm_growth *g;

	start();
	for (uint32_t i = 0; i < 10; i++) {
		struct vmm_snapshot *s = diff_snapshot(7, rows, ARRAY_LEN(rows));

		s->partial = i % 2;
		s->unreadable = i == 4;
		assert_int_equal(vmm_tracks_add(&tracks, s, i + 1, NULL, NULL), 0);
	}
	g = finish();
	assert_int_equal(g->looked_at, 4);
	assert_int_equal(g->finding_count, 0);
	assert_int_equal(g->total[VMM_GROWTH_RSS].verdict, VMM_TREND_TOO_FEW);
	vmm_growth_destroy(g);
	start();
	g = finish();
	assert_int_equal(g->looked_at, 0);
	vmm_growth_destroy(g);
}

/* 1 MiB of a limit of 100 MiB is used, 128 KiB more each second: after 60 looks 91.6 MiB are left, for 733 seconds. */
static void test_forecast(void **state)
{
	const struct diff_row rows[] = {PRIVATE(0x10000000, MIB), STACK};
	struct vmm_growth *g;

	start();
	for (uint32_t i = 0; i < 60; i++) {
		struct vmm_snapshot *s = diff_snapshot(7, rows, ARRAY_LEN(rows));

		s->taken_at = (struct timespec){BASE + i, 0};
		s->limits = vmm_arena_array(s->arena, 4, sizeof(*s->limits));
		assert_non_null(s->limits);
		s->limits[0] = (struct vmm_limit){.id = "as",
						  .text = "RLIMIT_AS: all",
						  .known = true,
						  .soft = 100 * MIB,
						  .used_known = true,
						  .used = MIB + i * 128 * KIB,
						  .bytes = true};
		s->limits[1] = s->limits[0];
		s->limits[1].id = "data";
		s->limits[1].soft = UINT64_MAX; /* no limit */
		s->limits[2] = s->limits[0];
		s->limits[2].id = "stack";
		s->limits[2].used_known = false;
		s->limit_count = 3;
		assert_int_equal(vmm_tracks_add(&tracks, s, i + 1, NULL, NULL), 0);
	}
	g = finish();
	assert_int_equal(g->forecast_count, 1);
	assert_string_equal(g->forecasts[0].limit, "as");
	rate_is(g->forecasts[0].trend.slope, 131072);
	rate_is(g->forecasts[0].seconds, (99 * 8 - 59) / 1.0);
	vmm_growth_destroy(g);
}

static void stem_is(const char *name, const char *stem)
{
	char found[32];

	vmm_track_stem(found, sizeof(found), name);
	assert_string_equal(found, stem);
}

static void test_stems(void **state)
{
	stem_is("", "");
	stem_is("worker-12", "worker-#");
	stem_is("/tmp/seg.00012.7", "/tmp/seg.#.#");
	stem_is("x", "x");
	stem_is("7", "#");
	stem_is("a name that is longer than there is room for", "a name that is longer than ther");
}

/* Whatever allocation fails, it fails cleanly. */
static void test_memory(void **state)
{
	int code = VMM_E_NOMEM;

	for (unsigned long n = 1; code < 0; n++) {
		struct vmm_growth *g = NULL;
		struct vmm_snapshot *s[12];

		for (uint32_t i = 0; i < ARRAY_LEN(s); i++) {
			const struct diff_row rows[] = {HEAP_OF(0x8000000, MIB + i * 10000, "glibc.0.1"),
							PRIVATE(0x10000000, MIB + i * 64 * KIB), STACK};

			s[i] = diff_snapshot(7, rows, ARRAY_LEN(rows));
			s[i]->taken_at.tv_sec = BASE + (time_t)i;
		}
		vmm_alloc_fail_after(n);
		memset(&tracks, 0, sizeof(tracks));
		code = vmm_growth_start(&tracks, NULL);
		for (uint32_t i = 0; i < ARRAY_LEN(s); i++) {
			if (code == 0)
				code = vmm_tracks_add(&tracks, s[i], i + 1, NULL, NULL);
			else
				vmm_snapshot_destroy(s[i]);
		}
		if (code == 0)
			code = vmm_growth_of(&tracks, &g, NULL);
		vmm_alloc_fail_after(0);
		vmm_tracks_done(&tracks);
		assert_true(code == 0 || (code == VMM_E_NOMEM && !g));
		assert_true(code < 0 || g->finding_count == 2);
		assert_true(n < 10000);
		vmm_growth_destroy(g);
	}
}

TEST_MAIN(cmocka_unit_test(test_region), cmocka_unit_test(test_group), cmocka_unit_test(test_heap),
	  cmocka_unit_test(test_unknown), cmocka_unit_test(test_partial), cmocka_unit_test(test_forecast),
	  cmocka_unit_test(test_stems), cmocka_unit_test(test_memory))
