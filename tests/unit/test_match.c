/* Which region is which: every sort of identity, in one process and in two. */
#include "base/arena.h"
#include "diff_sample.h"

#define STACK_END 0x7ffe00021000

/* Matches rows and compares with "index in a:index in b" of each pair, "-" where there is none. */
static void pairs_are(int32_t pid_a, const struct diff_row *a, size_t an, int32_t pid_b, const struct diff_row *b, size_t bn,
                      const char *expected)
{
	struct vmm_snapshot *x = diff_snapshot(pid_a, a, an), *y = diff_snapshot(pid_b, b, bn);
	struct vmm_pair *pairs = NULL;
	char text[512] = "";
	size_t count = 0, at = 0;
	struct vmm_err err;

	assert_int_equal(vmm_match_regions(x, y, &pairs, &count, &err), 0);
	for (size_t i = 0; i < count; i++) {
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%d:%d", i ? " " : "", (int)pairs[i].a, (int)pairs[i].b);
		assert_true(at < sizeof(text));
	}
	assert_string_equal(text, expected);
	free(pairs);
	vmm_snapshot_destroy(x);
	vmm_snapshot_destroy(y);
}

#define PAIRS(pid_a, a, pid_b, b, expected) pairs_are(pid_a, a, ARRAY_LEN(a), pid_b, b, ARRAY_LEN(b), expected)

#define PROGRAM(at) {.start = (at), .size = 0x4000, .kind = VMM_KIND_IMAGE, .prot = VMM_PROT_READ, .path = "/bin/demo", .inode = 5, .build_id = "aa"}
#define MAIN_STACK(end, id) {.start = (end) - 0x21000, .size = 0x21000, .kind = VMM_KIND_STACK, .prot = RW, .tid = id, .name = "demo"}
#define PRIVATE(at, bytes) {.start = (at), .size = (bytes), .kind = VMM_KIND_PRIVATE_DATA, .prot = RW}

static void test_growth(void **state)
{
	/* One grew down, one up, one was cut at both ends, one is gone, one is new, one stayed. */
	const struct diff_row a[] = {PROGRAM(0x400000),         PRIVATE(0x10000000, 0x10000), PRIVATE(0x20000000, 0x10000),
	                             PRIVATE(0x30000000, 0x10000), PRIVATE(0x40000000, 0x10000), PRIVATE(0x50000000, 0x10000),
	                             MAIN_STACK(STACK_END, 7)};
	const struct diff_row b[] = {PROGRAM(0x400000),         PRIVATE(0x0fff0000, 0x20000), PRIVATE(0x20000000, 0x20000),
	                             PRIVATE(0x30004000, 0x8000),  PRIVATE(0x50000000, 0x10000), PRIVATE(0x60000000, 0x20000),
	                             MAIN_STACK(STACK_END, 7)};

	PAIRS(7, a, 7, b, "0:0 1:1 2:2 3:3 4:-1 5:4 -1:5 6:6");
}

static void test_moved(void **state)
{
	/* One of a size moved: told. Two of a size moved: who is who cannot be told. */
	const struct diff_row a[] = {PROGRAM(0x400000), PRIVATE(0x10000000, 0x7000), PRIVATE(0x20000000, 0x9000),
	                             PRIVATE(0x30000000, 0x9000), MAIN_STACK(STACK_END, 7)};
	const struct diff_row b[] = {PROGRAM(0x400000), PRIVATE(0x40000000, 0x7000), PRIVATE(0x50000000, 0x9000),
	                             PRIVATE(0x60000000, 0x9000), MAIN_STACK(STACK_END, 7)};
	/* Another protection is another mapping. */
	struct diff_row c[] = {PROGRAM(0x400000), PRIVATE(0x40000000, 0x7000), MAIN_STACK(STACK_END, 7)};

	PAIRS(7, a, 7, b, "0:0 2:-1 3:-1 1:1 -1:2 -1:3 4:4");
	c[1].prot = VMM_PROT_READ;
	PAIRS(7, a, 7, c, "0:0 1:-1 2:-1 3:-1 -1:1 4:2");
}

static void test_files(void **state)
{
#define FILE_ROW(at, bytes, name, from, node) \
	{.start = (at), .size = (bytes), .kind = VMM_KIND_MAPPED_FILE, .prot = VMM_PROT_READ, .path = name, .offset = from, .inode = node}
	const struct diff_row a[] = {PROGRAM(0x400000), FILE_ROW(0x10000000, 0x4000, "/a", 0, 11), FILE_ROW(0x20000000, 0x4000, "/b", 0, 12),
	                             FILE_ROW(0x30000000, 0x4000, "/c", 0x1000, 13), FILE_ROW(0x40000000, 0x4000, "/d", 0x8000, 14),
	                             MAIN_STACK(STACK_END, 7)};
	/* /a elsewhere; /b replaced by another file at its place; /c another part of it there; /d lost its first page. */
	const struct diff_row b[] = {PROGRAM(0x400000), FILE_ROW(0x20000000, 0x4000, "/b", 0, 99), FILE_ROW(0x30000000, 0x4000, "/c", 0x7000, 13),
	                             FILE_ROW(0x40001000, 0x3000, "/d", 0x9000, 14), FILE_ROW(0x50000000, 0x4000, "/a", 0, 11),
	                             MAIN_STACK(STACK_END, 7)};
	/* What does not know inodes goes by path and offset. */
	const struct diff_row core[] = {PROGRAM(0x400000), FILE_ROW(0x10000000, 0x4000, "/a", 0, 0), FILE_ROW(0x60000000, 0x4000, "/b", 0, 0),
	                                MAIN_STACK(STACK_END, 7)};
	struct diff_row plain[ARRAY_LEN(core)];

	memcpy(plain, core, sizeof(core));
	plain[0].inode = 0;
	PAIRS(7, a, 7, b, "0:0 2:-1 -1:1 3:-1 -1:2 4:3 1:4 5:5");
	PAIRS(7, a, 7, plain, "0:0 1:1 3:-1 4:-1 2:2 5:3");
}

static void test_images(void **state)
{
#define LIBRARY(at, id) {.start = (at), .size = 0x3000, .kind = VMM_KIND_IMAGE, .prot = VMM_PROT_READ, .path = "/lib/x.so", .inode = 6, .build_id = id}
	/* Loaded twice, and again elsewhere; of another build it is another one. */
	const struct diff_row a[] = {PROGRAM(0x400000), LIBRARY(0x10000000, "b1"), LIBRARY(0x20000000, "b1"), MAIN_STACK(STACK_END, 7)};
	const struct diff_row b[] = {PROGRAM(0x400000), LIBRARY(0x20000000, "b1"), LIBRARY(0x30000000, "b1"), MAIN_STACK(STACK_END, 7)};
	const struct diff_row c[] = {PROGRAM(0x400000), LIBRARY(0x10000000, "b2"), LIBRARY(0x20000000, "b1"), MAIN_STACK(STACK_END, 7)};
	/* In another process it is the same library in another version. */
	const struct diff_row d[] = {PROGRAM(0x500000), LIBRARY(0x50000000, "b3"), MAIN_STACK(STACK_END + 0x1000, 8)};
	const struct diff_row e[] = {PROGRAM(0x400000), LIBRARY(0x10000000, "b1"), MAIN_STACK(STACK_END, 7)};

	PAIRS(7, a, 7, b, "0:0 2:1 1:2 3:3");
	PAIRS(7, a, 7, c, "0:0 1:-1 -1:1 2:2 3:3");
	PAIRS(7, e, 8, d, "0:0 1:1 2:2");
}

static void test_threads(void **state)
{
#define THREAD(at, id, title) {.start = (at), .size = 0x9000, .kind = VMM_KIND_STACK, .prot = RW, .tid = id, .name = title}
	/* Thread 8 ended and 10 got its stack; 9 stayed; 11 has a stack of its own. */
	const struct diff_row a[] = {PROGRAM(0x400000), THREAD(0x10000000, 9, "w"), THREAD(0x20000000, 8, "w"), MAIN_STACK(STACK_END, 7)};
	const struct diff_row b[] = {PROGRAM(0x400000), THREAD(0x0f000000, 11, "w"), THREAD(0x10000000, 9, "w"), THREAD(0x20000000, 10, "w"),
	                             MAIN_STACK(STACK_END, 7)};
	/* Another process: names, then the order in which they came. */
	const struct diff_row c[] = {PROGRAM(0x900000), THREAD(0x50000000, 94, "io"), THREAD(0x60000000, 93, "w"), THREAD(0x70000000, 92, "w"),
	                             MAIN_STACK(STACK_END + 0x5000, 91)};
	const struct diff_row d[] = {PROGRAM(0x400000), THREAD(0x10000000, 9, "w"), THREAD(0x20000000, 8, "io"), MAIN_STACK(STACK_END, 7)};

	PAIRS(7, a, 7, b, "0:0 -1:1 1:2 2:3 3:4");
	PAIRS(7, d, 91, c, "0:0 2:1 -1:2 1:3 3:4");
}

static void test_heaps(void **state)
{
#define ARENA(at, bytes, id) {.start = (at), .size = (bytes), .kind = VMM_KIND_HEAP, .prot = RW, .heap = id}
	/* The first sub-heap stays first though the second lies below it, and though the arena got another number. */
	const struct diff_row a[] = {PROGRAM(0x400000), ARENA(0x20000000, 0x8000, "glibc.0.1"), MAIN_STACK(STACK_END, 7)};
	const struct diff_row b[] = {PROGRAM(0x400000), ARENA(0x10000000, 0x8000, "glibc.0.2"), ARENA(0x20000000, 0x9000, "glibc.0.2"),
	                             MAIN_STACK(STACK_END, 7)};
	/* In another process the heap's name and the place in it tell. */
	const struct diff_row c[] = {PROGRAM(0x900000), ARENA(0x50000000, 0x4000, "glibc.0.0"), ARENA(0x60000000, 0x8000, "glibc.0.1"),
	                             MAIN_STACK(STACK_END + 0x5000, 91)};

	PAIRS(7, a, 7, b, "0:0 -1:1 1:2 2:3");
	PAIRS(7, a, 91, c, "0:0 -1:1 1:2 2:3");
}

static void test_two_runs(void **state)
{
	/* All 0x555000 further up: private data keep their distance to what is known. */
	const struct diff_row a[] = {PROGRAM(0x400000), PRIVATE(0x20000000, 0x3000), PRIVATE(0x20004000, 0x3000),
	                             LIBRARY(0x20008000, "b1"), PRIVATE(0x2000b000, 0x2000), MAIN_STACK(STACK_END, 7)};
	const struct diff_row b[] = {PROGRAM(0x700000), PRIVATE(0x20555000, 0x3000), PRIVATE(0x20559000, 0x4000),
	                             LIBRARY(0x2055d000, "b1"), PRIVATE(0x20560000, 0x2000), MAIN_STACK(STACK_END + 0x9000, 9)};

	PAIRS(7, a, 9, b, "0:0 1:1 2:2 3:3 4:4 5:5");
}

static void test_types(void **state)
{
	/* A reader understood this time what was private data before. */
	const struct diff_row a[] = {PROGRAM(0x400000), PRIVATE(0x20000000, 0x8000), MAIN_STACK(STACK_END, 7)};
	const struct diff_row b[] = {PROGRAM(0x400000), ARENA(0x20000000, 0x8000, "glibc.0.1"), MAIN_STACK(STACK_END, 7)};

	PAIRS(7, a, 7, b, "0:0 1:1 2:2");
}

static void test_exec(void **state)
{
	/* The same PID after exec(): nothing that merely lies at an old address is the same. */
	const struct diff_row a[] = {PROGRAM(0x400000), PRIVATE(0x20000000, 0x8000), MAIN_STACK(STACK_END, 7)};
	const struct diff_row b[] = {PROGRAM(0x800000), {.start = 0x20000000, .size = 0x9000, .kind = VMM_KIND_MAPPED_FILE, .path = "/z"},
	                             MAIN_STACK(STACK_END + 0x7000, 7)};

	PAIRS(7, a, 7, b, "0:0 1:-1 -1:1 2:2");
}

/* Each region is in one pair, whatever the two are: also when a file says nonsense. */
static void test_hostile(void **state)
{
	struct diff_row rows[12];
	struct vmm_snapshot *x, *y;
	struct vmm_pair *pairs;
	uint32_t random = 12345;
	size_t count;

	for (int round = 0; round < 2000; round++) {
		uint32_t seen_a = 0, seen_b = 0;

		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			random = random * 1664525 + 1013904223;
			rows[i] = (struct diff_row){.start = (uint64_t)(random >> 28) * 0x1000,
			                            .size = 0x1000 + (uint64_t)(random >> 12 & 3) * 0x1000,
			                            .kind = (enum vmm_kind)(random >> 8 & 7),
			                            .path = random & 64 ? "/x" : NULL,
			                            .inode = random >> 16 & 1,
			                            .tid = (int32_t)(random >> 20 & 3),
			                            .name = random & 1 ? "t" : NULL,
			                            .heap = random & 32 ? "h" : NULL,
			                            .build_id = random & 2 ? "" : NULL};
			if (i == 1)
				rows[i].start = UINT64_MAX - 0xfff;
		}
		x = diff_snapshot(round & 1, rows, 6);
		y = diff_snapshot(round & 3, rows + 6, 6);
		x->regions[round % 6].first_block = random;
		x->regions[(round + 1) % 6].thread = random;
		y->regions[round % 6].module = random;
		y->regions[(round + 2) % 6].heap = random;
		assert_int_equal(vmm_match_regions(x, y, &pairs, &count, NULL), 0);
		for (size_t i = 0; i < count; i++) {
			assert_true(pairs[i].a != VMM_NONE || pairs[i].b != VMM_NONE);
			if (pairs[i].a != VMM_NONE) {
				assert_false(seen_a >> pairs[i].a & 1);
				seen_a |= 1u << pairs[i].a;
			}
			if (pairs[i].b != VMM_NONE) {
				assert_false(seen_b >> pairs[i].b & 1);
				seen_b |= 1u << pairs[i].b;
			}
		}
		assert_int_equal(seen_a, 63);
		assert_int_equal(seen_b, 63);
		free(pairs);
		vmm_snapshot_destroy(x);
		vmm_snapshot_destroy(y);
	}
}

static void test_no_memory(void **state)
{
	const struct diff_row a[] = {PROGRAM(0x400000), PRIVATE(0x10000000, 0x10000), MAIN_STACK(STACK_END, 7)};
	struct vmm_snapshot *x = diff_snapshot(7, a, ARRAY_LEN(a)), *y = diff_snapshot(8, a, 2);
	struct vmm_pair *pairs = NULL;
	size_t count = 77;
	int code = -1;
	unsigned long n;

	for (n = 1; n < 200 && code < 0; n++) {
		vmm_alloc_fail_after(n);
		code = vmm_match_regions(x, y, &pairs, &count, NULL);
		vmm_alloc_fail_after(0);
		if (code < 0) {
			assert_int_equal(code, VMM_E_NOMEM);
			assert_null(pairs);
			assert_int_equal(count, 77);
		}
	}
	assert_int_equal(code, 0);
	assert_true(n > 3);
	assert_int_equal(count, 3);
	free(pairs);
	vmm_snapshot_destroy(x);
	vmm_snapshot_destroy(y);
}

TEST_MAIN(cmocka_unit_test(test_growth), cmocka_unit_test(test_moved), cmocka_unit_test(test_files), cmocka_unit_test(test_images),
          cmocka_unit_test(test_threads), cmocka_unit_test(test_heaps), cmocka_unit_test(test_two_runs), cmocka_unit_test(test_types),
          cmocka_unit_test(test_exec), cmocka_unit_test(test_hostile), cmocka_unit_test(test_no_memory))
