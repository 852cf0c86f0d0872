/* glibc's arenas in memory made by hand: 64-bit, the layout of 2.27 to 2.42 (struct malloc_state, bins at 0x70). */
#include "test.h"

#include "fake_target.h"
#include "reader/glibc.h"

#define DATA 0x7f0000100000u     /* libc's .data */
#define MAIN (DATA + 0x200)      /* main_arena */
#define BINS (MAIN + 0x70)
#define BEHIND (BINS + 254 * 8 + 16)
#define HEAP UINT64_C(0x7f0004000000) /* a sub-heap: 64 MiB-aligned */
#define ARENA (HEAP + 0x30)
#define BRK 0x500000

static unsigned char data[8192], heap[8192], brk_heap[4096];

static void put(unsigned char *bytes, uint64_t base, uint64_t address, uint64_t value)
{
	memcpy(bytes + (address - base), &value, 8);
}

static void put_arena(unsigned char *bytes, uint64_t base, uint64_t arena, uint64_t top, uint64_t next, uint64_t system_mem)
{
	uint64_t bins = arena + 0x70, behind = bins + 254 * 8 + 16;

	for (unsigned i = 0; i < 127; i++) {
		put(bytes, base, bins + i * 16, bins + i * 16 - 16);
		put(bytes, base, bins + i * 16 + 8, bins + i * 16 - 16);
	}
	put(bytes, base, bins - 16, top);
	put(bytes, base, behind, next);
	put(bytes, base, behind + 24, system_mem);
}

static void make(struct fake_target *t)
{
	memset(data, 0, sizeof(data));
	memset(heap, 0, sizeof(heap));
	memset(brk_heap, 0, sizeof(brk_heap));
	put_arena(data, DATA, MAIN, BRK + 0x800, ARENA, 0x1000);
	put(brk_heap, BRK, BRK + 0x808, 0x801); /* size of top, with PREV_INUSE */
	put_arena(heap, HEAP, ARENA, HEAP + 0x1000, MAIN, 0x21000);
	put(heap, HEAP, HEAP, ARENA);
	put(heap, HEAP, HEAP + 16, 0x21000);
	put(heap, HEAP, HEAP + 24, 0x21000);
	fake_map(t, BRK, BRK + 0x1000, "rw-p", 0, "[heap]", -1);
	fake_map(t, DATA, DATA + 0x2000, "rw-p", 0, "/lib/libc.so.6", -1);
	fake_map(t, HEAP, HEAP + 0x21000, "rw-p", 0, "", -1);
	fake_map(t, HEAP + 0x21000, HEAP + 0x4000000, "---p", 0, "", -1);
	t->memory[0] = (struct fake_memory){BRK, BRK + 0x1000, brk_heap, 0};
	t->memory[1] = (struct fake_memory){DATA, DATA + 0x2000, data, 0};
	t->memory[2] = (struct fake_memory){HEAP, HEAP + 0x2000, heap, 0};
	t->memory_count = 3;
}

static struct vmm_snapshot *look(struct fake_target *t, struct vmm_reading *r)
{
	struct vmm_snapshot *s = fake_snapshot(t, "");

	assert_non_null(s);
	s->target.bits = 64;
	*r = (struct vmm_reading){.target = &t->base, .snapshot = s};
	assert_int_equal(vmm_readers_run(r, NULL), 0);
	return s;
}

static void finish(struct vmm_reading *r, struct vmm_snapshot *s)
{
	vmm_reading_done(r);
	vmm_snapshot_destroy(s);
}

static void both_arenas_are_found(void **state)
{
	struct fake_target t = {0};
	struct vmm_reading r;
	struct vmm_snapshot *s;

	make(&t);
	s = look(&t, &r);
	assert_int_equal(r.heap_count, 2);
	assert_string_equal(r.heaps[0].heap.label, "glibc main arena");
	assert_string_equal(r.heaps[1].heap.label, "glibc arena 1");
	assert_int_equal(r.area_count, 2);
	assert_int_equal(r.areas[0].start, BRK);
	assert_int_equal(r.areas[0].end, BRK + 0x1000);
	assert_int_equal(r.areas[1].start, HEAP);
	assert_int_equal(r.areas[1].end, HEAP + 0x4000000);
	assert_int_equal(r.areas[1].cut_count, 4);
	assert_string_equal(r.areas[1].cuts[3].label, "reserved");
	assert_int_equal(r.areas[1].cuts[3].address, HEAP + 0x21000);
	assert_int_equal(s->note_count, 0);
	finish(&r, s);
}

/* Some lists hold chunks, and one was caught in the middle of a change. */
static void busy_bins_are_found(void **state)
{
	struct fake_target t = {0};
	struct vmm_reading r;
	struct vmm_snapshot *s;

	make(&t);
	for (unsigned i = 3; i < 40; i++) {
		put(data, DATA, BINS + i * 16, BRK + 0x100);
		put(data, DATA, BINS + i * 16 + 8, BRK + 0x200);
	}
	put(data, DATA, BINS + 50 * 16, 0x1234567);
	s = look(&t, &r);
	assert_int_equal(r.heap_count, 2);
	finish(&r, s);
}

static void an_arena_that_does_not_add_up_is_not_shown(void **state)
{
	struct fake_target t = {0};
	struct vmm_reading r;
	struct vmm_snapshot *s;

	make(&t);
	put(heap, HEAP, ARENA + 0x70 + 254 * 8 + 16 + 24, 0x42000);
	s = look(&t, &r);
	assert_int_equal(r.area_count, 1); /* the main arena stays */
	assert_int_equal(s->note_count, 1);
	assert_string_equal(s->notes[0].code, "unproved");
	assert_int_equal(s->notes[0].address, ARENA);
	finish(&r, s);
}

/* Rings that do not close, run in circles or lead nowhere, and a chain of sub-heaps that never ends. */
static void hostile_links_end(void **state)
{
	uint64_t nexts[] = {0, 1, ARENA + 8, BRK, UINT64_MAX - 7, BINS};

	for (size_t i = 0; i < ARRAY_LEN(nexts); i++) {
		struct fake_target t = {0};
		struct vmm_reading r;
		struct vmm_snapshot *s;

		make(&t);
		put(data, DATA, BEHIND, nexts[i]);
		s = look(&t, &r);
		assert_int_equal(r.heap_count, 0);
		finish(&r, s);
		t = (struct fake_target){0};
		make(&t);
		put(heap, HEAP, ARENA + 0x70 + 254 * 8 + 16, ARENA); /* a circle without the main arena */
		s = look(&t, &r);
		assert_int_equal(r.heap_count, 0);
		finish(&r, s);
		t = (struct fake_target){0};
		make(&t);
		put(heap, HEAP, HEAP + 8, HEAP); /* its own predecessor */
		s = look(&t, &r);
		assert_int_equal(r.area_count, 1);
		finish(&r, s);
	}
}

static void refused_memory_is_told_once(void **state)
{
	struct fake_target t = {0};
	struct vmm_reading r;
	struct vmm_snapshot *s;

	make(&t);
	t.refuse = VMM_E_DENIED;
	s = look(&t, &r);
	assert_int_equal(r.heap_count, 0);
	assert_int_equal(s->note_count, 1);
	assert_string_equal(s->notes[0].code, "denied");
	finish(&r, s);
}

TEST_MAIN(cmocka_unit_test(both_arenas_are_found), cmocka_unit_test(busy_bins_are_found),
          cmocka_unit_test(an_arena_that_does_not_add_up_is_not_shown), cmocka_unit_test(hostile_links_end),
          cmocka_unit_test(refused_memory_is_told_once))
