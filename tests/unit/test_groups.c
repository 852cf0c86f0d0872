#include <stdlib.h>
#include <string.h>

#include "analysis/groups.h"
#include "base/arena.h"
#include "test.h"

static uint64_t seed = 88172645463325252ull;

static uint64_t next(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

/* Content number n: all different. */
static void content(unsigned char ret[VMM_CONTENT_LOOK], uint64_t n)
{
	memset(ret, 0, VMM_CONTENT_LOOK);
	memcpy(ret + 40, &n, sizeof(n));
}

static uint64_t count_of(const struct vmm_groups *g, uint64_t n)
{
	unsigned char wanted[VMM_CONTENT_LOOK];

	content(wanted, n);
	for (size_t i = 0; i < g->count; i++)
		if (memcmp(g->v[i].prefix, wanted, sizeof(wanted)) == 0)
			return g->v[i].count;
	return 0;
}

static void test_counts(void **state)
{
	static uint64_t truth[500];
	unsigned char bytes[VMM_CONTENT_LOOK];
	struct vmm_groups g;

	vmm_groups_init(&g, 100000);
	for (int i = 0; i < 50000; i++) {
		uint64_t n = next() % (next() % 500 + 1);

		truth[n]++;
		content(bytes, n);
		assert_true(vmm_groups_add(&g, 100, 0x1000 + (uint64_t)i, bytes));
	}
	assert_false(g.dropped);
	vmm_groups_sort(&g);
	for (uint64_t n = 0; n < 500; n++)
		assert_int_equal(count_of(&g, n), truth[n]);
	for (size_t i = 1; i < g.count; i++)
		assert_true(g.v[i - 1].count >= g.v[i].count);
	vmm_groups_done(&g);
}

static void test_keys(void **state)
{
	unsigned char bytes[VMM_CONTENT_LOOK] = {0};
	struct vmm_groups g;

	vmm_groups_init(&g, 1000);
	assert_true(vmm_groups_add(&g, 10, 0x20, bytes));
	assert_true(vmm_groups_add(&g, 11, 0x30, bytes)); /* another size is another group */
	assert_true(vmm_groups_add(&g, 10, 0x10, bytes));
	assert_int_equal(g.count, 2);
	vmm_groups_sort(&g);
	assert_int_equal(g.v[0].size, 10);
	assert_int_equal(g.v[0].count, 2);
	assert_int_equal(g.v[0].address, 0x10); /* the lowest */
	vmm_groups_done(&g);
	vmm_groups_init(&g, 1000);
	for (size_t i = 0; i < VMM_CONTENT_LOOK; i++) { /* every byte counts */
		bytes[i] ^= 1;
		assert_true(vmm_groups_add(&g, 10, 0x40, bytes));
		bytes[i] ^= 1;
	}
	assert_int_equal(g.count, VMM_CONTENT_LOOK);
	vmm_groups_done(&g);
}

/* Far more groups than fit: no count is too high, none is short of more than is said, and what is frequent stays. */
static void test_bound(void **state)
{
	static uint64_t truth[20000];
	unsigned char bytes[VMM_CONTENT_LOOK];
	struct vmm_groups g;

	vmm_groups_init(&g, 300);
	for (int i = 0; i < 200000; i++) {
		uint64_t n = i % 4 ? next() % 20000 : next() % 5;

		truth[n]++;
		content(bytes, n);
		assert_true(vmm_groups_add(&g, 16, 0x1000, bytes));
		assert_true(g.count <= 300);
	}
	assert_true(g.dropped);
	vmm_groups_sort(&g);
	for (uint64_t n = 0; n < 20000; n++) {
		uint64_t found = count_of(&g, n);

		assert_true(found <= truth[n]);
		assert_true((truth[n] - found) * 16 <= g.missed_bytes);
	}
	for (uint64_t n = 0; n < 5; n++)
		assert_true(count_of(&g, n) > 0);
	vmm_groups_done(&g);
}

/* Huge sizes must not wrap around into small ones. */
static void test_huge(void **state)
{
	unsigned char bytes[VMM_CONTENT_LOOK] = {0};
	struct vmm_groups g;

	vmm_groups_init(&g, 4);
	for (int i = 0; i < 3; i++)
		assert_true(vmm_groups_add(&g, UINT64_C(1) << 63, 1, bytes));
	assert_true(vmm_groups_add(&g, 5, 1, bytes));
	vmm_groups_sort(&g);
	assert_int_equal(g.v[0].count, 3);
	vmm_groups_done(&g);
}

static void test_no_memory(void **state)
{
	unsigned char bytes[VMM_CONTENT_LOOK];
	bool failed = true;

	for (unsigned long n = 1; failed; n++) {
		struct vmm_groups g;

		failed = false;
		vmm_groups_init(&g, 2000);
		vmm_alloc_fail_after(n);
		for (uint64_t i = 0; i < 5000 && !failed; i++) {
			content(bytes, i);
			failed = !vmm_groups_add(&g, 8, 1, bytes);
		}
		vmm_alloc_fail_after(0);
		assert_true(failed || g.dropped);
		vmm_groups_done(&g);
		assert_true(n < 100);
	}
}

TEST_MAIN(cmocka_unit_test(test_counts), cmocka_unit_test(test_keys), cmocka_unit_test(test_bound), cmocka_unit_test(test_huge),
          cmocka_unit_test(test_no_memory))
