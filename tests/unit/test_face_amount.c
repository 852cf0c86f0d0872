/* Durations, sizes, shares and growth of the command line: values worked out by hand. */
#include "test.h"

#include <stdlib.h>

#include "face/amount.h"

#define MIB (UINT64_C(1) << 20)

static uint64_t duration(const char *text)
{
	uint64_t ns = 0;

	return vmm_amount_duration("every", text, 1, UINT64_C(400) * VMM_DAY_NS, &ns, NULL) == 0 ? ns : 0;
}

static void test_durations(void **state)
{
	static const char *const wrong[] = {"", "s", "1x", "-1", "1 s", "1.", ".5", "1ss", "0x10", "99999999999999999999d", "999999999999d", "1M"};

	assert_int_equal(duration("1"), 1000000000);
	assert_int_equal(duration("0.5"), 500000000);
	assert_int_equal(duration("250ms"), 250000000);
	assert_int_equal(duration("1.5s"), 1500000000);
	assert_int_equal(duration("10m"), UINT64_C(600000000000));
	assert_int_equal(duration("10min"), UINT64_C(600000000000));
	assert_int_equal(duration("2h"), UINT64_C(7200000000000));
	assert_int_equal(duration("1d"), UINT64_C(86400000000000));
	assert_int_equal(duration("0.0000000019"), 1);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(duration(wrong[i]), 0);
}

static void test_duration_out_of_range_says_the_range(void **state)
{
	struct vmm_err err;
	uint64_t ns = 7;

	assert_int_equal(vmm_amount_duration("watch", "0.05", VMM_SECOND_NS / 10, VMM_DAY_NS, &ns, &err), VMM_E_USAGE);
	assert_string_equal(err.text, "--watch: '0.05' is not between 100 ms and 1 d");
	assert_int_equal(vmm_amount_duration("watch", "86401", VMM_SECOND_NS / 10, VMM_DAY_NS, &ns, &err), VMM_E_USAGE);
	assert_int_equal(ns, 7);
}

static void test_shares(void **state)
{
	uint32_t ppm = 0;

	assert_int_equal(vmm_amount_share("duty", "1", &ppm, NULL), 0);
	assert_int_equal(ppm, 10000);
	assert_int_equal(vmm_amount_share("duty", "0.25%", &ppm, NULL), 0);
	assert_int_equal(ppm, 2500);
	assert_int_equal(vmm_amount_share("duty", "100", &ppm, NULL), 0);
	assert_int_equal(ppm, 1000000);
	assert_int_equal(vmm_amount_share("duty", "0", &ppm, NULL), VMM_E_USAGE);
	assert_int_equal(vmm_amount_share("duty", "100.1", &ppm, NULL), VMM_E_USAGE);
	assert_int_equal(vmm_amount_share("duty", "1x", &ppm, NULL), VMM_E_USAGE);
}

static void test_growth(void **state)
{
	struct vmm_threshold g;

	assert_int_equal(vmm_amount_growth("on-growth", "10%", &g, NULL), 0);
	assert_int_equal(g.ppm, 100000);
	assert_true(vmm_threshold_reached(&g, 100, 110));
	assert_true(vmm_threshold_reached(&g, 100, 90));
	assert_false(vmm_threshold_reached(&g, 100, 109));
	assert_true(vmm_threshold_reached(&g, 0, 1));
	assert_false(vmm_threshold_reached(&g, 0, 0));
	assert_true(vmm_threshold_reached(&g, UINT64_MAX, 0));
	assert_int_equal(vmm_amount_growth("on-growth", "+10M", &g, NULL), 0);
	assert_int_equal(g.bytes, 10 * MIB);
	assert_true(vmm_threshold_reached(&g, 20 * MIB, 10 * MIB));
	assert_false(vmm_threshold_reached(&g, 20 * MIB, 30 * MIB - 1));
	assert_int_equal(vmm_amount_growth("on-growth", "4096", &g, NULL), 0);
	assert_int_equal(g.bytes, 4096);
	assert_int_equal(vmm_amount_growth("on-growth", "0", &g, NULL), VMM_E_USAGE);
	assert_int_equal(vmm_amount_growth("on-growth", "0%", &g, NULL), VMM_E_USAGE);
	assert_int_equal(vmm_amount_growth("on-growth", "-5M", &g, NULL), VMM_E_USAGE);
	assert_int_equal(vmm_amount_growth("on-growth", "++5M", &g, NULL), VMM_E_USAGE);
}

static void test_what_a_ring_keeps(void **state)
{
	struct vmm_session_keep k;

	assert_int_equal(vmm_amount_keep("keep", "3600", &k, NULL), 0);
	assert_int_equal(k.snapshots, 3600);
	assert_int_equal(k.age_ns + k.bytes, 0);
	assert_int_equal(vmm_amount_keep("keep", "100m", &k, NULL), 0);
	assert_int_equal(k.age_ns, UINT64_C(6000000000000));
	assert_int_equal(k.snapshots + k.bytes, 0);
	assert_int_equal(vmm_amount_keep("keep", "100M", &k, NULL), 0);
	assert_int_equal(k.bytes, 100 * MIB);
	assert_int_equal(vmm_amount_keep("keep", "1.5GiB", &k, NULL), 0);
	assert_int_equal(k.bytes, 1536 * MIB);
	assert_int_equal(vmm_amount_keep("keep", "0", &k, NULL), VMM_E_USAGE);
	assert_int_equal(vmm_amount_keep("keep", "0M", &k, NULL), VMM_E_USAGE);
	assert_int_equal(vmm_amount_keep("keep", "4294967296", &k, NULL), VMM_E_USAGE);
	assert_int_equal(vmm_amount_keep("keep", "all", &k, NULL), VMM_E_USAGE);
	assert_int_equal(vmm_amount_keep("keep", "18446744073709551615T", &k, NULL), VMM_E_USAGE);
}

static void says(uint64_t ns, const char *expected)
{
	struct vmm_out *out = vmm_out_create_memory();
	char *text;

	vmm_put_duration(out, ns);
	text = vmm_out_take(out, NULL);
	assert_string_equal(text, expected);
	free(text);
}

static void test_durations_are_told(void **state)
{
	says(0, "0 s");
	says(1900000, "1.9 ms");
	says(250000000, "250 ms");
	says(VMM_SECOND_NS, "1 s");
	says(1250000000, "1.2 s");
	says(59 * VMM_SECOND_NS, "59 s");
	says(185 * VMM_SECOND_NS, "3 min 5 s");
	says(7200 * VMM_SECOND_NS, "2 h");
	says(VMM_DAY_NS + 4 * 3600 * VMM_SECOND_NS, "1 d 4 h");
}

TEST_MAIN(cmocka_unit_test(test_durations), cmocka_unit_test(test_duration_out_of_range_says_the_range), cmocka_unit_test(test_shares),
          cmocka_unit_test(test_growth), cmocka_unit_test(test_what_a_ring_keeps), cmocka_unit_test(test_durations_are_told))
