/* jemalloc in memory made by hand (fake_jemalloc.h): both layouts, and what does not add up. */
#include "test.h"

#include "fake_jemalloc.h"
#include "fake_walk.h"

static struct fake_jemalloc process;

/* Reads and walks the process as it is now. */
static struct vmm_snapshot *look(struct vmm_reading *r)
{
	struct vmm_snapshot *s = jm_make(&process);

	fake_look_at(&process.t, s, r);
	return s;
}

static void check_state(const struct vmm_heap *h, enum vmm_chunk_state state, uint64_t count, uint64_t bytes)
{
	assert_int_equal(h->contents->sums.of[state].count, count);
	assert_int_equal(h->contents->sums.of[state].bytes, bytes);
}

static void check_all(bool old)
{
	struct vmm_reading r;
	struct vmm_snapshot *s;
	const struct vmm_heap *h;

	jm_fill(&process, old);
	s = look(&r);
	assert_int_equal(s->note_count, 0);
	assert_int_equal(r.heap_count, 2);
	h = &r.heaps[0].heap;
	assert_string_equal(h->label, "jemalloc arena 0, thread 7 \"worker\"");
	assert_int_equal(h->thread_count, 1);
	assert_true(h->proved);
	check_state(h, VMM_CHUNK_USED, 10, 9 * 32 + 16384);
	check_state(h, VMM_CHUNK_CACHED, 1, 32);
	check_state(h, VMM_CHUNK_FREE, 119, 118 * 32 + 8192);
	check_state(h, VMM_CHUNK_META, 1, 20480 + 4096); /* the stacks' block, and the page more of the other */
	check_state(h, VMM_CHUNK_RESERVED, 1, 0x3000);
	assert_int_equal(h->contents->trimmable_size, 8192);
	assert_int_equal(h->contents->trimmable, 4096); /* the other page is absent */
	h = &r.heaps[1].heap;
	assert_true(h->proved);
	assert_int_equal(h->contents->sums.of[VMM_CHUNK_META].bytes, JM_UNUSED - JM_BASE);
	assert_int_equal(h->contents->sums.of[VMM_CHUNK_TOP].bytes, JM_BASE + JM_BASE_SIZE - JM_UNUSED);
	assert_int_equal(r.area_count, 2);
	assert_int_equal(r.areas[0].start, JM_HEAP);
	assert_int_equal(r.areas[0].end, JM_HEAP + JM_HEAP_SIZE);
	assert_string_equal(r.areas[1].details, "jemalloc metadata of arena 0");
	fake_look_done(&r, s);
}

static void both_layouts_are_told(void **state)
{
	check_all(false);
	check_all(true);
}

/* Each of these makes the arena unproved, and leaves the metadata as it is. */
static void what_does_not_add_up_is_not_proved(void **state)
{
	static const struct {
		uint64_t address, value;
	} wrongs[] = {
	    {JM_EXTENTS + 64, ~UINT64_C(0x7ff)},                                 /* one free bit less than free regions */
	    {JM_WORDS, UINT64_C(3) << 48 | JM_EXTENTS | 1},                      /* the page map has another size class */
	    {JM_WORDS + 8 * 10, 0},                                              /* the last page of a large block is not known */
	    {JM_EXTENTS + 128 + 16, 0x4000},                                     /* a large block without its spare page */
	    {JM_EXTENTS + 2 * 128, UINT64_C(4) << 17 | UINT64_C(36) << 20},      /* an extent in transition */
	    {JM_EXTENTS + 2 * 128, UINT64_C(37) << 20},                          /* of another class than its size */
	};

	for (size_t i = 0; i < ARRAY_LEN(wrongs); i++) {
		struct vmm_reading r;
		struct vmm_snapshot *s;

		jm_fill(&process, false);
		jm_put(&process, wrongs[i].address, wrongs[i].value);
		s = look(&r);
		assert_int_equal(r.heap_count, 2);
		assert_false(r.heaps[0].heap.proved);
		assert_null(r.heaps[0].heap.contents);
		assert_true(r.heaps[1].heap.proved);
		assert_true(s->note_count > 0);
		fake_look_done(&r, s);
	}
}

/* A block in two caches, one of a wrong class, one nobody knows: they count as used, with a note. */
static void caches_that_do_not_fit_are_not_believed(void **state)
{
	static const uint64_t wrongs[] = {JM_HEAP + 6 * 32 + 8, JM_HEAP + 64 * 32, JM_HEAP + 0x6040};

	for (size_t i = 0; i < ARRAY_LEN(wrongs); i++) {
		struct vmm_reading r;
		struct vmm_snapshot *s;

		jm_fill(&process, false);
		jm_put(&process, JM_STACKS + 16, wrongs[i]);
		s = look(&r);
		assert_true(r.heaps[0].heap.proved);
		check_state(&r.heaps[0].heap, VMM_CHUNK_CACHED, 0, 0);
		check_state(&r.heaps[0].heap, VMM_CHUNK_USED, 11, 10 * 32 + 16384);
		assert_int_equal(s->note_count, 1);
		assert_string_equal(s->notes[0].code, "caches");
		fake_look_done(&r, s);
	}
}

static void large_blocks_without_a_spare_page(void **state)
{
	struct vmm_reading r;
	struct vmm_snapshot *s;

	jm_fill(&process, false);
	jm_extent(&process, 1, JM_HEAP + 0x1000, 0x5000, false, 0, 37, 0);
	jm_extent(&process, 2, JM_HEAP + 0x6000, 0x5000, false, 0, 37, 0);
	s = look(&r);
	assert_true(r.heaps[0].heap.proved);
	check_state(&r.heaps[0].heap, VMM_CHUNK_USED, 10, 9 * 32 + 20480);
	fake_look_done(&r, s);
}

static void nothing_is_found_where_nothing_is(void **state)
{
	uint64_t absent[] = {JM_SLOT, JM_WORDS};

	for (size_t i = 0; i < ARRAY_LEN(absent); i++) {
		struct vmm_reading r;
		struct vmm_snapshot *s;

		jm_fill(&process, false);
		jm_put(&process, absent[i], 0);
		if (absent[i] == JM_WORDS)
			memset(process.leaf, 0, sizeof(process.leaf));
		s = look(&r);
		assert_int_equal(r.heap_count, 0);
		assert_int_equal(s->note_count, 0);
		fake_look_done(&r, s);
	}
}

/* Reading a swapped page would bring it back: extents named there are not known, so no number is. */
static void a_map_that_is_swapped_out_is_told(void **state)
{
	struct vmm_reading r = {.target = &process.t.base};
	struct vmm_snapshot *s;
	struct fake_memory *more = process.t.memory + JM_PAGES;

	jm_fill(&process, false);
	s = jm_make(&process);
	assert_non_null(s);
	*more = (struct fake_memory){JM_LEAF + 0x100000, JM_LEAF + 0x101000, process.leaf, VMM_PAGE_SWAPPED};
	process.t.memory_count++;
	r.snapshot = s;
	assert_int_equal(vmm_readers_run(&r, NULL), 0);
	assert_int_equal(vmm_reading_walk(&r, NULL, NULL), 0);
	assert_int_equal(r.heap_count, 2);
	assert_false(r.heaps[0].heap.proved);
	fake_look_done(&r, s);
}

static void memory_can_run_out_anywhere(void **state)
{
	int rc = VMM_E_NOMEM;
	unsigned long n = 1;

	for (; rc == VMM_E_NOMEM; n++) {
		struct vmm_snapshot *s;

		jm_fill(&process, false);
		s = jm_make(&process);
		assert_non_null(s);
		s->target.bits = 64;
		rc = fake_look_starved(&process.t, s, n);
	}
	assert_true(n > 10);
}

TEST_MAIN(cmocka_unit_test(both_layouts_are_told), cmocka_unit_test(what_does_not_add_up_is_not_proved),
          cmocka_unit_test(caches_that_do_not_fit_are_not_believed), cmocka_unit_test(large_blocks_without_a_spare_page),
          cmocka_unit_test(nothing_is_found_where_nothing_is), cmocka_unit_test(a_map_that_is_swapped_out_is_told),
          cmocka_unit_test(memory_can_run_out_anywhere))
