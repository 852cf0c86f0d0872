/* Slopes and verdicts of series whose truth is known because they were made up. */
#include <math.h>
#include <stdlib.h>

#include "analysis/trend.h"
#include "base/arena.h"
#include "test.h"

#define SECOND INT64_C(1000000000)
#define MIB 1048576.0
#define MOST 40000

static struct vmm_sample series[MOST];

/* Uniform in [0, 1), the same on every run. */
static double uniform(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double)(*state >> 11) / 9007199254740992.0;
}

/* Roughly normal with deviation 1. */
static double normal(uint64_t *state)
{
	double sum = 0;

	for (int i = 0; i < 12; i++)
		sum += uniform(state);
	return sum - 6;
}

static void put(size_t i, double seconds, double value)
{
	assert_true(value >= 0);
	series[i] = (struct vmm_sample){(int64_t)(seconds * 1e9), (uint64_t)value, true};
}

static struct vmm_trend trend_of(size_t count)
{
	struct vmm_trend t;

	assert_int_equal(vmm_trend_find(series, count, &t, NULL), 0);
	return t;
}

static void is(size_t count, enum vmm_trend_verdict verdict)
{
	assert_string_equal(vmm_trend_id(trend_of(count).verdict), vmm_trend_id(verdict));
}

static void near(double value, double truth, double share)
{
	if (fabs(value - truth) > share * fabs(truth))
		fail_msg("%g is not within %g of %g", value, share, truth);
}

static void test_slope(void **state)
{
	double slope, low, high;

	/* Worked by hand: the slopes of y = 0 1 3 at t = 0 1 2 are 1, 1.5 and 2. */
	put(0, 0, 0);
	put(1, 1, 1);
	put(2, 2, 3);
	assert_true(vmm_slope_find(series, 3, &slope, &low, &high));
	assert_true(slope == 1.5);
	assert_true(low == 1 && high == 2); /* three points prove nothing more */
	assert_true(vmm_slope_find(series, 2, &slope, &low, &high));
	assert_true(slope == 1);
	/* One sample, or two at one time, have no slope. */
	assert_false(vmm_slope_find(series, 1, &slope, &low, &high));
	assert_false(vmm_slope_find(series, 0, &slope, &low, &high));
	put(1, 0, 5);
	assert_false(vmm_slope_find(series, 2, &slope, &low, &high));
	/* Falling. */
	for (size_t i = 0; i < 50; i++)
		put(i, (double)i * 2, 1e6 - 100.0 * (double)i);
	assert_true(vmm_slope_find(series, 50, &slope, &low, &high));
	assert_true(slope == -50 && low == -50 && high == -50);
}

static void test_outliers(void **state)
{
	double slope, low, high;
	struct vmm_trend t;

	/* A fifth of the samples is nonsense; the slope does not notice. */
	for (size_t i = 0; i < 100; i++)
		put(i, (double)i, i % 5 == 2 ? 1e12 * (double)(i % 3) : 1e6 + 65536.0 * (double)i);
	assert_true(vmm_slope_find(series, 100, &slope, &low, &high));
	near(slope, 65536, 0.01);
	assert_true(low <= 65536 && high >= 65536);
	t = trend_of(100);
	assert_int_equal(t.verdict, VMM_TREND_STEADY);
	near(t.slope, 65536, 0.01);
}

static void test_flat(void **state)
{
	double slope, low, high;

	for (size_t i = 0; i < 200; i++)
		put(i, (double)i, 4096);
	is(200, VMM_TREND_FLAT);
	assert_true(vmm_slope_find(series, 200, &slope, &low, &high));
	assert_true(slope == 0 && low == 0 && high == 0);
	assert_int_equal(trend_of(200).first, 4096);
	assert_int_equal(trend_of(200).last, 4096);
	/* Falls. */
	for (size_t i = 0; i < 200; i++)
		put(i, (double)i, 1e9 - 1e5 * (double)i);
	assert_int_not_equal(trend_of(200).verdict, VMM_TREND_STEADY);
}

static void test_few(void **state)
{
	for (size_t i = 0; i < 8; i++)
		put(i, (double)i, 1e6 * (double)i);
	is(0, VMM_TREND_TOO_FEW);
	is(1, VMM_TREND_TOO_FEW);
	is(2, VMM_TREND_TOO_FEW);
	is(7, VMM_TREND_TOO_FEW);
	is(8, VMM_TREND_STEADY);
	assert_true(trend_of(8).slope == 1e6 && trend_of(8).low == 1e6 && trend_of(8).high == 1e6 &&
		    trend_of(8).rising == 1);
	/* All at one moment. */
	for (size_t i = 0; i < 8; i++)
		series[i].time_ns = SECOND;
	is(8, VMM_TREND_TOO_FEW);
}

static void test_unknown(void **state)
{
	struct vmm_trend t;

	/* Known at every third look only, with garbage between. */
	for (size_t i = 0; i < 120; i++) {
		put(i, (double)i, 1000 + 500.0 * (double)i);
		if (i % 3)
			series[i] = (struct vmm_sample){series[i].time_ns, 0, false};
	}
	t = trend_of(120);
	assert_int_equal(t.verdict, VMM_TREND_STEADY);
	assert_int_equal(t.points, 40);
	assert_true(t.slope == 500);
	assert_int_equal(t.first, 1000);
	assert_int_equal(t.last, 1000 + 500 * 117);
	for (size_t i = 0; i < 120; i++)
		series[i].known = i == 60;
	t = trend_of(120);
	assert_int_equal(t.verdict, VMM_TREND_TOO_FEW);
	assert_int_equal(t.points, 1);
}

/* Somebody sets the clock back by an hour, twice: the rate is that of the stretches between. */
static void test_clock(void **state)
{
	struct vmm_trend t;

	for (size_t i = 0; i < 90; i++)
		put(i, 10000 + (double)i - (double)(i / 30) * 3600, 1e6 + 65536.0 * (double)i);
	t = trend_of(90);
	assert_int_equal(t.verdict, VMM_TREND_STEADY);
	near(t.slope, 65536, 1e-9);
	assert_true(t.seconds == 87); /* 89 steps of a second less the two that went back */
	/* Times at the ends of what an int64 holds. */
	series[0].time_ns = INT64_MIN;
	series[89].time_ns = INT64_MAX;
	t = trend_of(90);
	assert_true(t.seconds > 1e10);
	/* Each sample before the one before: no pair is left. */
	for (size_t i = 0; i < 90; i++)
		series[i].time_ns = -(int64_t)i * SECOND;
	assert_int_equal(trend_of(90).verdict, VMM_TREND_TOO_FEW);
}

/* What rises but is no leak. */
static void test_jumps(void **state)
{
	uint64_t random = 1;

	/* One jump, at every place. */
	for (size_t at = 1; at < 100; at++) {
		for (size_t i = 0; i < 100; i++)
			put(i, (double)i, i < at ? MIB : 50 * MIB);
		assert_int_not_equal(trend_of(100).verdict, VMM_TREND_STEADY);
	}
	/* A start, then nothing: a cache that fills. */
	for (size_t i = 0; i < 300; i++)
		put(i, (double)i, 100 * MIB * (1 - exp(-(double)i / 60)) + MIB * uniform(&random));
	is(300, VMM_TREND_ENDING);
	/* Three jumps of the same height. */
	for (size_t i = 0; i < 300; i++)
		put(i, (double)i, MIB + 10 * MIB * (double)(i / 75));
	assert_int_not_equal(trend_of(300).verdict, VMM_TREND_STEADY);
}

/* Collected garbage: a sawtooth, of every length and at every beginning, as long as one full tooth is seen. */
static void test_sawtooth(void **state)
{
	for (unsigned period = 20; period <= 220; period += 7)
		for (unsigned phase = 0; phase < period; phase += 5) {
			for (size_t i = 0; i < 300; i++)
				put(i, (double)i, 100 * MIB + MIB * (double)((i + phase) % period));
			if (trend_of(300).verdict == VMM_TREND_STEADY)
				fail_msg("a sawtooth of period %u, phase %u is called steady", period, phase);
		}
	/* Collected garbage above what is never collected: 64 KiB a second below teeth of 4 MiB. */
	for (size_t i = 0; i < 300; i++)
		put(i, (double)i, MIB * (double)(i % 5) + 65536.0 * (double)i);
	is(300, VMM_TREND_STEADY);
	near(trend_of(300).slope, 65536, 0.05);
}

/* 64 KiB a second below noise: 300 looks, 100 different noises. */
static void test_noise(void **state)
{
	for (uint64_t seed = 1; seed <= 100; seed++) {
		uint64_t random = seed;
		struct vmm_trend t;

		for (size_t i = 0; i < 300; i++)
			put(i, (double)i, 100 * MIB + 65536.0 * (double)i + MIB * normal(&random));
		t = trend_of(300);
		assert_int_equal(t.verdict, VMM_TREND_STEADY);
		near(t.slope, 65536, 0.05);
		/* And without the leak. */
		for (size_t i = 0; i < 300; i++)
			put(i, (double)i, 100 * MIB + MIB * normal(&random));
		assert_int_not_equal(trend_of(300).verdict, VMM_TREND_STEADY);
	}
}

/* Noise with a memory: random walks, as often up as down, and the highest that noise ever was. */
static void test_walks(void **state)
{
	static const size_t lengths[] = {8, 20, 63, 64, 100, 300};
	unsigned steady = 0, all = 0, marks = 0;

	for (uint64_t seed = 1; seed <= 100; seed++)
		for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++, all++) {
			uint64_t random = seed * 100 + l;
			double walk = 1000 * MIB, high = 0;

			for (size_t i = 0; i < lengths[l]; i++)
				put(i, (double)i, walk += MIB * normal(&random));
			steady += trend_of(lengths[l]).verdict == VMM_TREND_STEADY;
			for (size_t i = 0; i < lengths[l]; i++)
				put(i, (double)i, MIB * (high = fmax(high, 10 + normal(&random))));
			marks += trend_of(lengths[l]).verdict == VMM_TREND_STEADY;
		}
	assert_true(steady <= all / 50); /* chance: whoever walks 8 steps up has gone up */
	assert_int_equal(marks, 0);
}

/* 36,000 samples: thinned out, but with the first and the last. */
static void test_long(void **state)
{
	struct vmm_trend t;

	for (size_t i = 0; i < 36000; i++)
		put(i, (double)i, 1e6 + 1000.0 * (double)i);
	t = trend_of(36000);
	assert_int_equal(t.verdict, VMM_TREND_STEADY);
	assert_true(t.slope == 1000);
	assert_int_equal(t.points, 36000);
	assert_int_equal(t.last, 36000000 + 999000);
	assert_true(t.seconds == 35999);
	/* A tooth of the distance between the samples that are picked must not become a slow rise. */
	for (unsigned period = 85; period < 96; period++) {
		for (size_t i = 0; i < 36000; i++)
			put(i, (double)i, MIB * (double)(i % period));
		assert_int_not_equal(trend_of(36000).verdict, VMM_TREND_STEADY);
	}
}

static void test_picks(void **state)
{
	for (uint64_t count = 1; count < 300; count++)
		for (uint64_t picks = 1; picks < 40; picks++) {
			uint64_t n = picks < count ? picks : count, before = 0;

			for (uint64_t i = 0; i < n; i++) {
				uint64_t at = vmm_pick(i, picks, count);

				assert_true(at < count && (i == 0 || at > before));
				before = at;
			}
			assert_int_equal(before, count - 1);
			assert_true(n == 1 || vmm_pick(0, picks, count) == 0);
		}
}

static void test_memory(void **state)
{
	struct vmm_trend t = {.points = 77};
	int code = VMM_E_NOMEM;

	for (size_t i = 0; i < 100; i++)
		put(i, (double)i, 1000.0 * (double)i);
	for (unsigned long n = 1; code < 0; n++) {
		vmm_alloc_fail_after(n);
		code = vmm_trend_find(series, 100, &t, NULL);
		vmm_alloc_fail_after(0);
		assert_true(code == 0 || (code == VMM_E_NOMEM && t.points == 77));
		assert_true(n < 10);
	}
	assert_int_equal(t.points, 100);
}

TEST_MAIN(cmocka_unit_test(test_slope), cmocka_unit_test(test_outliers), cmocka_unit_test(test_flat),
	  cmocka_unit_test(test_few), cmocka_unit_test(test_unknown), cmocka_unit_test(test_clock),
	  cmocka_unit_test(test_jumps), cmocka_unit_test(test_sawtooth), cmocka_unit_test(test_noise),
	  cmocka_unit_test(test_walks), cmocka_unit_test(test_long), cmocka_unit_test(test_picks),
	  cmocka_unit_test(test_memory))
