/* mimalloc's segments in memory made by hand: the layouts of 2.0.9 and of 2.4, and what must not be believed. */
#include "test.h"

#include "fake_target.h"
#include "fake_walk.h"

#define SEGMENT UINT64_C(0x20000000000)
#define SIZE (UINT64_C(32) << 20)
#define SLICE 0x10000u
#define DATA 0x500000u
#define HEAP (DATA + 0x100)
#define THREAD UINT64_C(0x7f0000001740)
#define COOKIE UINT64_C(0x1234567890abcdef)
#define TINY (SEGMENT + SLICE) /* a page of blocks of 64 bytes */

/* What differs between the two layouts. */
struct shape {
	unsigned used, cookie, slices, info, kind, entry_count, thread, entries, entry_size;
	unsigned free, local_free, thread_free, heap;
	unsigned delayed, heap_thread;
	uint64_t first; /* of the blocks in TINY */
	bool wide;
};

static const struct shape old = {0xd0, 0xd8, 0xe0, 0xe8, 0xf0, 0xf8, 0x100, 0x108, 0x50, 0x10, 0x20, 0x28, 0x30, 0xb18, 0xb20, TINY + 384, false};
static const struct shape new = {0xd8, 0xe0, 0xf8, 0x100, 0x108, 0x110, 0x118, 0x120, 0x60, 0x10, 0x18, 0x38, 0x40, 8, 0x10, TINY + 192, true};

static unsigned char segment[4 * SLICE], data[8192];

static void put(unsigned char *bytes, uint64_t value, unsigned size)
{
	memcpy(bytes, &value, size);
}

static unsigned char *entry(const struct shape *l, unsigned index)
{
	return segment + l->entries + index * l->entry_size;
}

static void put_page(const struct shape *l, unsigned index, unsigned slices, uint64_t block, uint64_t start, unsigned used, unsigned capacity,
                     unsigned reserved)
{
	unsigned char *e = entry(l, index);

	put(e, slices, 4);
	put(e + 10, capacity, 2);
	put(e + 12, reserved, 2);
	put(e + (l->wide ? 0x20 : 0x18), used, l->wide ? 2 : 4);
	put(e + (l->wide ? 0x28 : 0x1c), block, l->wide ? 8 : 4);
	if (l->wide)
		put(e + 0x30, start, 8);
	put(e + l->heap, HEAP, 8);
}

static uint64_t block(const struct shape *l, unsigned number)
{
	return l->first + number * 64;
}

static void link_block(const struct shape *l, unsigned from, uint64_t to)
{
	put(segment + (block(l, from) - SEGMENT), to, 8);
}

/*
 * A page of ten blocks of 64 bytes: 3, 4, 7 and 8 on its free lists, 9 and 0 freed by other threads; one block of two
 * slices; the rest of the segment free.
 */
static void make(struct fake_target *t, const struct shape *l)
{
	*t = (struct fake_target){0};
	memset(segment, 0, sizeof(segment));
	memset(data, 0, sizeof(data));
	put(segment + l->used, 2, 8);
	put(segment + l->cookie, SEGMENT ^ COOKIE, 8);
	put(segment + l->slices, 512, 8);
	put(segment + l->info, 1, 8);
	put(segment + l->entry_count, 512, 8);
	put(segment + l->thread, THREAD, 8);
	put(entry(l, 0), 1, 4);
	put_page(l, 1, 1, 64, l->first, 6, 10, (uint32_t)(TINY + SLICE - l->first) / 64);
	put(entry(l, 1) + l->free, block(l, 3), 8);
	put(entry(l, 1) + l->local_free, block(l, 7), 8);
	put(entry(l, 1) + l->thread_free, block(l, 9) | 2, 8);
	link_block(l, 3, block(l, 4));
	link_block(l, 7, block(l, 8));
	put(data + 0x100 + l->delayed, block(l, 0), 8);
	put(data + 0x100 + l->heap_thread, THREAD, 8);
	put_page(l, 2, 2, 2 * SLICE, SEGMENT + 2 * SLICE, 1, 1, 1);
	put(entry(l, 4), 508, 4);
	fake_map(t, DATA, DATA + sizeof(data), "rw-p", 0, "", -1);
	fake_map(t, SEGMENT, SEGMENT + SIZE / 2, "rw-p", 0, "", -1);
	fake_map(t, SEGMENT + SIZE / 2, SEGMENT + SIZE, "---p", 0, "", -1);
	t->memory[0] = (struct fake_memory){DATA, DATA + sizeof(data), data, 0};
	t->memory[1] = (struct fake_memory){SEGMENT, SEGMENT + sizeof(segment), segment, 0};
	t->memory_count = 2;
}

static void check_sums(const struct vmm_heap *h, uint64_t first)
{
	const struct vmm_chunk_sums *sums;

	assert_true(h->proved);
	sums = &h->contents->sums;
	assert_int_equal(sums->of[VMM_CHUNK_USED].count, 5);
	assert_int_equal(sums->of[VMM_CHUNK_USED].bytes, 4 * 64 + 2 * SLICE);
	assert_int_equal(sums->of[VMM_CHUNK_FREE].count, 6 + 1);
	assert_int_equal(sums->of[VMM_CHUNK_FREE].bytes, 6 * 64 + SIZE / 2 - 4 * SLICE);
	assert_int_equal(sums->of[VMM_CHUNK_RESERVED].bytes, SIZE / 2);
	assert_int_equal(sums->of[VMM_CHUNK_TOP].bytes, (TINY + SLICE - first) / 64 * 64 - 10 * 64);
	assert_int_equal(sums->of[VMM_CHUNK_META].bytes, SLICE + (first - TINY) + (TINY + SLICE - first) % 64);
}

static void all_blocks_are_told(void **state)
{
	const struct shape *shapes[] = {&old, &new};

	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		struct fake_target t;
		struct vmm_reading r;
		struct vmm_snapshot *s;

		make(&t, shapes[i]);
		s = fake_look(&t, 64, &r);
		assert_int_equal(r.heap_count, 1);
		assert_int_equal(r.area_count, 1);
		assert_int_equal(r.areas[0].start, SEGMENT);
		assert_int_equal(r.areas[0].end, SEGMENT + SIZE);
		assert_string_equal(r.heaps[0].heap.id, "mimalloc.0");
		assert_int_equal(s->note_count, 0);
		check_sums(&r.heaps[0].heap, shapes[i]->first);
		fake_look_done(&r, s);
	}
}

struct list {
	struct vmm_chunk chunks[64];
	size_t count;
};

static int take_chunks(void *arg, const struct vmm_chunk_batch *batch)
{
	struct list *list = arg;

	for (size_t i = 0; i < batch->count; i++)
		if (batch->chunks[i].state == VMM_CHUNK_USED)
			list->chunks[list->count++] = batch->chunks[i];
	return 0;
}

static void blocks_in_use_are_where_they_are(void **state)
{
	const unsigned numbers[] = {1, 2, 5, 6};
	struct list list = {.count = 0};
	struct vmm_chunk_walk walk = {.end = UINT64_MAX, .chunks = take_chunks, .arg = &list};
	struct fake_target t;
	struct vmm_reading r;
	struct vmm_snapshot *s;

	make(&t, &old);
	s = fake_look(&t, 64, &r);
	assert_int_equal(vmm_reading_walk(&r, &walk, NULL), 0);
	assert_int_equal(list.count, 5);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		assert_int_equal(list.chunks[i].address, block(&old, numbers[i]));
		assert_int_equal(list.chunks[i].usable, 64);
	}
	assert_int_equal(list.chunks[4].address, SEGMENT + 2 * SLICE);
	fake_look_done(&r, s);
}

static void owners_are_named(void **state)
{
	struct vmm_thread thread = {.tid = 12, .name = "worker", .descriptor = THREAD + 0x2e0, .region = VMM_NONE};
	struct fake_target t;
	struct vmm_reading r;
	struct vmm_snapshot *s;

	make(&t, &old);
	s = fake_snapshot(&t, "");
	assert_non_null(s);
	s->target.bits = 64;
	s->threads = &thread;
	s->thread_count = 1;
	r = (struct vmm_reading){.target = &t.base, .snapshot = s};
	assert_int_equal(vmm_readers_run(&r, NULL), 0);
	assert_string_equal(r.heaps[0].heap.label, "mimalloc, thread 12 \"worker\"");
	assert_int_equal(r.heaps[0].heap.thread_count, 1);
	assert_int_equal(r.heaps[0].heap.threads[0], 0);
	fake_look_done(&r, s);
}

/* The thread has ended: its heap is gone with it, what others freed is on the pages' lists alone. */
static void abandoned_and_freed_segments_are_told_apart(void **state)
{
	struct fake_target t;
	struct vmm_reading r;
	struct vmm_snapshot *s;

	make(&t, &old);
	put(segment + old.thread, 0, 8);
	put(entry(&old, 1) + old.thread_free, block(&old, 9) | 3, 8);
	put(entry(&old, 1) + old.heap, 0, 8);
	put(entry(&old, 2) + old.heap, 0, 8);
	s = fake_look(&t, 64, &r);
	assert_string_equal(r.heaps[0].heap.id, "mimalloc.abandoned");
	assert_true(r.heaps[0].heap.proved);
	assert_int_equal(r.heaps[0].heap.contents->sums.of[VMM_CHUNK_USED].count, 6);
	fake_look_done(&r, s);
	put(segment + old.used, 0, 8);
	s = fake_look(&t, 64, &r);
	assert_string_equal(r.heaps[0].heap.id, "mimalloc.freed");
	assert_true(r.heaps[0].heap.proved);
	assert_int_equal(r.heaps[0].heap.contents->sums.of[VMM_CHUNK_USED].count, 0);
	assert_int_equal(r.heaps[0].heap.contents->sums.of[VMM_CHUNK_FREE].bytes, SIZE / 2);
	fake_look_done(&r, s);
}

static void is_unproved(struct fake_target *t, const char *what)
{
	struct vmm_reading r;
	struct vmm_snapshot *s = fake_look(t, 64, &r);

	if (r.heap_count != 1 || r.heaps[0].heap.proved || s->note_count != 1)
		fail_msg("%s: believed", what);
	assert_string_equal(s->notes[0].code, "unproved");
	assert_null(r.heaps[0].heap.contents);
	fake_look_done(&r, s);
}

static void what_does_not_add_up_is_not_believed(void **state)
{
	struct fake_target t;

	make(&t, &old);
	link_block(&old, 4, block(&old, 3));
	is_unproved(&t, "a list in a circle");
	make(&t, &old);
	link_block(&old, 4, block(&old, 7));
	is_unproved(&t, "a block on two lists");
	make(&t, &old);
	link_block(&old, 4, block(&old, 5) + 8);
	is_unproved(&t, "a block inside another");
	make(&t, &old);
	link_block(&old, 4, block(&old, 10));
	is_unproved(&t, "a block never handed out");
	make(&t, &old);
	link_block(&old, 3, 0);
	is_unproved(&t, "a list that is too short");
	make(&t, &old);
	link_block(&old, 9, block(&old, 3));
	is_unproved(&t, "a block freed by others and by its thread");
	make(&t, &old);
	put(data + 0x100 + old.delayed, 0, 8);
	is_unproved(&t, "a block that its owner has taken off its heap's list, but not taken back");
	make(&t, &old);
	put(segment + old.used, 3, 8);
	is_unproved(&t, "a page too few");
	make(&t, &old);
	put(entry(&old, 1) + 0x18, 11, 4);
	is_unproved(&t, "more blocks in use than were handed out");
	make(&t, &old);
	put(entry(&old, 4), 507, 4);
	is_unproved(&t, "spans that leave a gap");
	make(&t, &old);
	put(entry(&old, 4), 0xffffffff, 4);
	is_unproved(&t, "a span beyond the end");
}

static void lists_of_heaps_are_not_believed_either(void **state)
{
	struct fake_target t;

	make(&t, &old);
	put(data + 0x100 + old.heap_thread, THREAD + 8, 8);
	is_unproved(&t, "another thread's heap");
	make(&t, &old);
	put(data + 0x100 + old.delayed, DATA, 8);
	is_unproved(&t, "a block outside all pages");
	make(&t, &old);
	link_block(&old, 0, block(&old, 0));
	is_unproved(&t, "a heap's list in a circle");
	make(&t, &old);
	put(entry(&old, 1) + old.heap, 0x10, 8);
	is_unproved(&t, "a heap that is not there");
	make(&t, &old);
	put(entry(&old, 1) + old.heap, UINT64_MAX - 7, 8);
	is_unproved(&t, "a heap at the end of the world");
}

/* Headers that look like segments but cannot be: nothing is found. */
static void look_alikes_are_passed_by(void **state)
{
	const struct {
		unsigned at;
		uint64_t value;
	} changes[] = {{old.slices, 0}, {old.slices, UINT64_MAX}, {old.slices, 513}, {old.info, 0}, {old.info, 512}, {old.kind, 2},
	               {old.entry_count, 511}, {old.thread, THREAD + 1}, {old.entries, 2}, {old.used, 1000}};

	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct fake_target t;
		struct vmm_reading r;
		struct vmm_snapshot *s;

		make(&t, &old);
		put(segment + changes[i].at, changes[i].value, 8);
		s = fake_look(&t, 64, &r);
		assert_int_equal(r.heap_count, 0);
		fake_look_done(&r, s);
	}
}

/* mimalloc 3: an arena of 64 MiB behind a slice that its mapping was cut for, in the layouts of 3.0, 3.1 and 3.4. */
static void arenas_of_mimalloc_3_are_found(void **state)
{
	static unsigned char memory[SLICE];
	const unsigned shapes[][2] = {{0x20, 0x40}, {0x20, 0x50}, {0x28, 0x68}}; /* of slice_count, of the first bitmap's pointer */
	const uint64_t arena = SEGMENT + SLICE;

	for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
		for (unsigned wrong = 0; wrong < 3; wrong++) {
			struct fake_target t = {0};
			struct vmm_reading r;
			struct vmm_snapshot *s;

			memset(memory, 0, sizeof(memory));
			put(memory, arena, 8);
			put(memory + shapes[i][0], 1024, 8);
			put(memory + shapes[i][0] + 8, 1, 8);
			for (unsigned k = 0; k < 5; k++) {
				put(memory + shapes[i][1] + 8 * k, arena + 0x400 + 0x180 * k + (k ? 0x200 : 0), 8);
				put(memory + 0x400 + 0x180 * k + (k ? 0x200 : 0), wrong == 1 && k == 3 ? 3 : 2, 8);
			}
			if (wrong == 2)
				put(memory + shapes[i][1] + 8, SEGMENT, 8);
			fake_map(&t, SEGMENT, SEGMENT + SLICE + SIZE, "rw-p", 0, "", -1);
			fake_map(&t, SEGMENT + SLICE + SIZE, SEGMENT + SLICE + 2 * SIZE, "---p", 0, "", -1);
			t.memory[0] = (struct fake_memory){arena, arena + sizeof(memory), memory, 0};
			t.memory_count = 1;
			s = fake_look(&t, 64, &r);
			assert_int_equal(r.heap_count, wrong ? 0 : 1);
			if (!wrong) {
				assert_string_equal(r.heaps[0].heap.id, "mimalloc3");
				assert_false(r.heaps[0].heap.proved);
				assert_int_equal(r.areas[0].start, arena);
				assert_int_equal(r.areas[0].end, arena + 2 * SIZE);
			}
			fake_look_done(&r, s);
		}
}

static void swapped_memory_is_not_read(void **state)
{
	struct fake_target t;
	struct vmm_reading r;
	struct vmm_snapshot *s;

	/* The last block of the list lies in a page that is swapped out. */
	make(&t, &old);
	t.memory[1].end = SEGMENT + SLICE;
	t.memory[2] = (struct fake_memory){SEGMENT + SLICE, SEGMENT + 4 * SLICE, segment + SLICE, VMM_PAGE_SWAPPED};
	t.memory_count = 3;
	s = fake_look(&t, 64, &r);
	assert_int_equal(r.heap_count, 1);
	assert_false(r.heaps[0].heap.proved);
	assert_non_null(strstr(s->notes[0].text, "swapped out"));
	fake_look_done(&r, s);
}

static void memory_can_run_out_anywhere(void **state)
{
	int rc = VMM_E_NOMEM;
	unsigned long n = 1;

	for (; rc == VMM_E_NOMEM; n++) {
		struct fake_target t;
		struct vmm_snapshot *s;

		make(&t, &old);
		s = fake_snapshot(&t, "");
		assert_non_null(s);
		s->target.bits = 64;
		rc = fake_look_starved(&t, s, n);
	}
	assert_true(n > 10);
}

TEST_MAIN(cmocka_unit_test(all_blocks_are_told), cmocka_unit_test(blocks_in_use_are_where_they_are), cmocka_unit_test(owners_are_named),
          cmocka_unit_test(abandoned_and_freed_segments_are_told_apart), cmocka_unit_test(what_does_not_add_up_is_not_believed),
          cmocka_unit_test(lists_of_heaps_are_not_believed_either), cmocka_unit_test(look_alikes_are_passed_by),
          cmocka_unit_test(arenas_of_mimalloc_3_are_found), cmocka_unit_test(swapped_memory_is_not_read), cmocka_unit_test(memory_can_run_out_anywhere))
