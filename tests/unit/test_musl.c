/* musl's allocator in memory made by hand (musl_image.h), and what must not be believed of it. */
#include "test.h"

#include "musl_image.h"
#include "fake_walk.h"

static struct musl_image image;

static void every_slot_is_told(void **state)
{
	const struct vmm_chunk_sums *sums;
	struct fake_target t;
	struct vmm_reading r;
	struct vmm_snapshot *s;

	image_make(&image);
	image_map(&t, &image);
	s = fake_look(&t, 64, &r);
	assert_int_equal(s->note_count, 0);
	assert_int_equal(r.heap_count, 2);
	assert_string_equal(r.heaps[0].heap.id, "musl.0");
	assert_string_equal(r.heaps[1].heap.id, "musl.gaps");
	assert_true(r.heaps[0].heap.proved && r.heaps[1].heap.proved);
	sums = &r.heaps[0].heap.contents->sums;
	assert_int_equal(sums->of[VMM_CHUNK_USED].count, 5);
	assert_int_equal(sums->of[VMM_CHUNK_USED].bytes, 400 + 460 + 60 + 57 + 9000);
	assert_int_equal(sums->of[VMM_CHUNK_FREE].count, 1 + 5);
	assert_int_equal(sums->of[VMM_CHUNK_FREE].bytes, 496 + 5 * 64);
	assert_int_equal(sums->of[VMM_CHUNK_TOP].bytes, 4 * 496);
	assert_int_equal(sums->of[VMM_CHUNK_RESERVED].bytes, 4096);
	sums = &r.heaps[1].heap.contents->sums;
	assert_int_equal(sums->of[VMM_CHUNK_USED].count, 1);
	assert_int_equal(sums->of[VMM_CHUNK_USED].bytes, 100);
	assert_int_equal(sums->of[VMM_CHUNK_META].bytes, 256 - 100);
	fake_look_done(&r, s);
}

static void neighbours_are_one_area(void **state)
{
	struct fake_target t;
	struct vmm_reading r;
	struct vmm_snapshot *s;

	image_make(&image);
	image_map(&t, &image);
	s = fake_look(&t, 64, &r);
	assert_int_equal(r.area_count, 3);
	assert_int_equal(r.areas[0].start, IMAGE_GROUP);
	assert_int_equal(r.areas[0].end, IMAGE_BIG + 3 * 4096);
	assert_int_equal(r.areas[1].start, IMAGE_METAS - 4096);
	assert_int_equal(r.areas[1].end, IMAGE_METAS + 4096);
	assert_int_equal(r.areas[2].start, IMAGE_GAP);
	assert_int_equal(r.areas[2].end, IMAGE_GAP + 256);
	fake_look_done(&r, s);
}

static int find_chunk(void *arg, const struct vmm_chunk_batch *batch)
{
	struct vmm_chunk *found = arg;

	for (size_t i = 0; i < batch->count; i++)
		if (batch->chunks[i].state == VMM_CHUNK_USED && batch->chunks[i].usable == found->usable)
			*found = batch->chunks[i];
	return 0;
}

static void blocks_begin_where_the_program_has_them(void **state)
{
	const struct {
		uint64_t usable, address;
	} wanted[] = {{400, IMAGE_SLOT(0)}, {460, IMAGE_SLOT(1) + 32}, {60, IMAGE_INNER + 16}, {57, IMAGE_INNER + 80}, {9000, IMAGE_BIG + 16},
	              {100, IMAGE_GAP + 16}};
	struct fake_target t;
	struct vmm_reading r;
	struct vmm_snapshot *s;

	image_make(&image);
	image_map(&t, &image);
	s = fake_look(&t, 64, &r);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		struct vmm_chunk found = {.usable = wanted[i].usable};
		struct vmm_chunk_walk walk = {.end = UINT64_MAX, .chunks = find_chunk, .arg = &found};

		assert_int_equal(vmm_reading_walk(&r, &walk, NULL), 0);
		assert_int_equal(found.address, wanted[i].address);
	}
	fake_look_done(&r, s);
}

/* A machine whose pages have no fixed size: everything behind the secret stands one word further on. */
static void contexts_with_a_page_size_are_found(void **state)
{
	struct fake_target t;
	struct vmm_reading r;
	struct vmm_snapshot *s;

	image_make(&image);
	memmove(image.data + 0x110, image.data + 0x108, 0x400);
	image_put(&image, IMAGE_CONTEXT + 8, 4096, 8);
	image_map(&t, &image);
	s = fake_look(&t, 64, &r);
	assert_int_equal(r.heap_count, 2);
	assert_true(r.heaps[0].heap.proved);
	assert_int_equal(r.heaps[0].heap.contents->sums.of[VMM_CHUNK_USED].count, 5);
	fake_look_done(&r, s);
}

/* malloc() has taken the slot, but not marked it; free() has marked it, but not given it back: nobody holds it. */
static void slots_that_pass_are_free(void **state)
{
	struct fake_target t;
	struct vmm_reading r;
	struct vmm_snapshot *s;

	image_make(&image);
	image_put(&image, IMAGE_SLOT(0) - 3, 0xff, 1);
	image_put(&image, IMAGE_SLOT(0) - 2, 0, 2);
	image_map(&t, &image);
	s = fake_look(&t, 64, &r);
	assert_true(r.heaps[0].heap.proved);
	assert_int_equal(r.heaps[0].heap.contents->sums.of[VMM_CHUNK_USED].count, 4);
	assert_int_equal(r.heaps[0].heap.contents->sums.of[VMM_CHUNK_FREE].count, 2 + 5);
	fake_look_done(&r, s);
	/* There are no more such slots than threads. */
	image_put(&image, IMAGE_SLOT(1) - 3, 0xff, 1);
	image_put(&image, IMAGE_SLOT(1) - 2, 0, 2);
	s = fake_look(&t, 64, &r);
	assert_false(r.heaps[0].heap.proved);
	fake_look_done(&r, s);
}

static void is_unproved(const char *what)
{
	struct fake_target t;
	struct vmm_reading r;
	struct vmm_snapshot *s;

	image_map(&t, &image);
	s = fake_look(&t, 64, &r);
	if (r.heap_count == 0 || r.heaps[0].heap.proved || s->note_count == 0)
		fail_msg("%s: believed", what);
	assert_string_equal(s->notes[0].code, "unproved");
	fake_look_done(&r, s);
}

static void what_does_not_add_up_is_not_believed(void **state)
{
	const struct {
		const char *what;
		uint64_t address, value;
		unsigned size;
	} changes[] = {
		{"slots that nobody counted", IMAGE_CONTEXT + 0x1d0 + 15 * 8, 9, 8},
		{"a header of another group", IMAGE_GROUP, IMAGE_META(1), 8},
		{"a slot that says it is another", IMAGE_SLOT(0) - 3, 1, 1},
		{"a slot that says it is elsewhere", IMAGE_SLOT(0) - 2, 5, 2},
		{"an end that was written over", IMAGE_SLOT(1) - 4, 1, 1},
		{"more bytes unused than there are", IMAGE_SLOT(1) - 8, 493, 4},
		{"fewer than are counted so", IMAGE_SLOT(1) - 8, 4, 4},
		{"a slot with no group in it", IMAGE_META(1) + 16, IMAGE_INNER + 16, 8},
		{"a group in no slot", IMAGE_META(0) + 28, 0xfc, 4},
		{"slots both free and used", IMAGE_META(0) + 24, 0x10, 4},
		{"more slots than the group has", IMAGE_META(0) + 28, 0x1f8, 4},
		{"slots in use that never were handed out", IMAGE_META(0) + 28, 0x78, 4},
		{"a class that there is not", IMAGE_META(0) + 32, 7 | 1 << 5 | 50 << 6 | 1 << 12, 8},
		{"a group larger than its mapping", IMAGE_META(0) + 32, 8 | 1 << 5 | 15 << 6 | 1 << 12, 8},
		{"a group that the map does not have", IMAGE_META(4) + 16, UINT64_C(0x7e0000000000), 8},
		{"metas that go on nowhere", IMAGE_METAS + 8, 0x700000, 8},
		{"metas in a circle", IMAGE_METAS + 8, IMAGE_METAS, 8},
	};

	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		image_make(&image);
		image_put(&image, IMAGE_META(4) + 32, 1 << 5 | 63 << 6 | 1 << 12, 8);
		image_put(&image, changes[i].address, changes[i].value, changes[i].size);
		is_unproved(changes[i].what);
	}
}

static void look_alikes_are_passed_by(void **state)
{
	const struct {
		uint64_t address, value;
		unsigned size;
	} changes[] = {{IMAGE_CONTEXT + 8, 2, 4}, {IMAGE_CONTEXT + 0x38, IMAGE_METAS + 8, 8}, {IMAGE_CONTEXT + 0x40, 0, 8}, {IMAGE_METAS, 1, 8},
	               {IMAGE_METAS + 16, 100, 4}, {IMAGE_CONTEXT + 0x20, 102, 8}, {IMAGE_CONTEXT + 0x28, UINT64_MAX, 8}};

	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct fake_target t;
		struct vmm_reading r;
		struct vmm_snapshot *s;

		image_make(&image);
		image_put(&image, changes[i].address, changes[i].value, changes[i].size);
		image_map(&t, &image);
		s = fake_look(&t, 64, &r);
		assert_int_equal(r.heap_count, 0);
		fake_look_done(&r, s);
	}
}

static void memory_can_run_out_anywhere(void **state)
{
	int rc = VMM_E_NOMEM;
	unsigned long n = 1;

	for (; rc == VMM_E_NOMEM; n++) {
		struct fake_target t;
		struct vmm_snapshot *s;

		image_make(&image);
		image_map(&t, &image);
		s = fake_snapshot(&t, "");
		assert_non_null(s);
		s->target.bits = 64;
		rc = fake_look_starved(&t, s, n);
	}
	assert_true(n > 10);
}

TEST_MAIN(cmocka_unit_test(every_slot_is_told), cmocka_unit_test(neighbours_are_one_area),
          cmocka_unit_test(blocks_begin_where_the_program_has_them), cmocka_unit_test(contexts_with_a_page_size_are_found),
          cmocka_unit_test(slots_that_pass_are_free), cmocka_unit_test(what_does_not_add_up_is_not_believed),
          cmocka_unit_test(look_alikes_are_passed_by), cmocka_unit_test(memory_can_run_out_anywhere))
