/* The reader of gperftools tcmalloc on a page heap made by hand (tcmalloc_image.h). */
#include "test.h"

#include "base/arena.h"
#include "fake_walk.h"
#include "tcmalloc_image.h"

static struct tc_image image;

static void check_state(const struct vmm_reading *r, enum vmm_chunk_state state, uint64_t count, uint64_t bytes)
{
	const struct vmm_chunk_sums *sums = &r->heaps[0].heap.contents->sums;

	assert_int_equal(sums->of[state].count, count);
	assert_int_equal(sums->of[state].bytes, bytes);
}

static void every_block_is_told(void **state)
{
	for (int wide = 0; wide < 2; wide++) {
		struct vmm_reading r;
		struct vmm_snapshot *s;

		image_make(&image, wide);
		s = fake_look(&image.t, wide ? 64 : 32, &r);
		assert_int_equal(s->note_count, 0);
		assert_int_equal(r.heap_count, 1);
		assert_string_equal(r.heaps[0].heap.id, "tcmalloc.0");
		assert_true(r.heaps[0].heap.proved);
		check_state(&r, VMM_CHUNK_USED, 3, 2 * 1024 + 16384);
		check_state(&r, VMM_CHUNK_CACHED, 3, 3 * 1024);
		check_state(&r, VMM_CHUNK_FREE, 4, 3 * 1024 + 24576);
		check_state(&r, VMM_CHUNK_RESERVED, 1, 16384);
		check_state(&r, VMM_CHUNK_META, 1, image.heap - image.brk);
		assert_int_equal(r.heaps[0].heap.contents->trimmable, 24576);
		assert_int_equal(r.area_count, 1);
		assert_int_equal(r.areas[0].start, image.brk);
		assert_int_equal(r.areas[0].end, image.heap + 65536);
		assert_int_equal(r.areas[0].cut_count, 2);
		assert_int_equal(r.areas[0].cuts[1].address, image.heap);
		fake_look_done(&r, s);
	}
}

static void a_sampled_block_has_the_size_asked_for(void **state)
{
	struct vmm_reading r;
	struct vmm_snapshot *s;

	image_make(&image, true);
	image_put(&image, image_span(&image, 1) + 40, 1 << 26, 4);
	image_word(&image, image_span(&image, 1) + 32, image.spans + 0x800);
	image_word(&image, image.spans + 0x800, 4000);
	s = fake_look(&image.t, 64, &r);
	assert_true(r.heaps[0].heap.proved);
	check_state(&r, VMM_CHUNK_USED, 3, 2 * 1024 + 4096);
	fake_look_done(&r, s);
}

/* A thread that was stopped between the list and the number beside it. */
static void one_object_on_its_way_is_borne(void **state)
{
	struct vmm_reading r;
	struct vmm_snapshot *s;

	image_make(&image, true);
	image_put(&image, image.caches + (IMAGE_CLASS * 4 + 1) * 8, 2, 4);
	s = fake_look(&image.t, 64, &r);
	assert_true(r.heaps[0].heap.proved);
	check_state(&r, VMM_CHUNK_CACHED, 3, 3 * 1024);
	fake_look_done(&r, s);
}

/* One word each that makes the image contradict itself. */
static void what_does_not_add_up_is_not_proved(void **state)
{
	uint64_t list, places[16][3];
	size_t count = 0;

	image_make(&image, true);
	list = image.central + IMAGE_CLASS * image.stride;
#define PLACE(address, value) (places[count][0] = (address), places[count][1] = (value), count++)
	PLACE(image_span(&image, 0) + 40, 4 | IMAGE_CLASS << 16);                        /* one reference less */
	PLACE(image_span(&image, 0) + 40, 6 | IMAGE_CLASS << 16);                        /* one more */
	PLACE(image_span(&image, 0) + 40, 5 | 200 << 16);                                /* no such class */
	PLACE(image_span(&image, 0) + 40, 5 | (IMAGE_CLASS + 3) << 16);                  /* a class of longer spans */
	PLACE(image_object(&image, 6), image_object(&image, 5));                         /* a circle */
	PLACE(image_object(&image, 6), image_object(&image, 1) + 8);                     /* inside an object */
	PLACE(image_object(&image, 6), image.heap + 65536);                              /* outside of the span */
	PLACE(image_object(&image, 2), image_object(&image, 2));                         /* a circle in a thread cache */
	PLACE(image.caches + IMAGE_CLASS * 4 * 8, image_object(&image, 5));              /* free in two places */
	PLACE(image.caches + IMAGE_CLASS * 4 * 8, image.heap + IMAGE_PAGE);              /* in a span without objects */
	PLACE(image_object(&image, 4), image_object(&image, 1));                         /* a slot with one more */
	PLACE(list + 14 * 8, 2);                                                         /* two spans */
	PLACE(list + 15 * 8, 4);                                                         /* four free objects */
	PLACE(image_span(&image, 2) + 40, 0);                                            /* free bytes in use */
	PLACE(image_span(&image, 3) + 8, 1);                                             /* a page short */
	PLACE(image.caches + 0x2000 + image.links, image.caches);                        /* caches in a circle */
	for (size_t i = 0; i < count; i++) {
		struct vmm_reading r;
		struct vmm_snapshot *s;

		image_make(&image, true);
		image_word(&image, places[i][0], places[i][1]);
		s = fake_look(&image.t, 64, &r);
		assert_int_equal(r.heap_count, 1);
		assert_false(r.heaps[0].heap.proved);
		assert_int_equal(s->note_count, 1);
		assert_string_equal(s->notes[0].code, "unproved");
		fake_look_done(&r, s);
	}
}

static void without_its_lists_there_is_none(void **state)
{
	struct vmm_reading r;
	struct vmm_snapshot *s;

	image_make(&image, true);
	image_word(&image, image.heads + 100 * 48, 1);
	s = fake_look(&image.t, 64, &r);
	assert_int_equal(r.heap_count, 0);
	fake_look_done(&r, s);
	image_make(&image, true);
	image_put(&image, image.stats + 24, IMAGE_PAGE, 8); /* committed bytes */
	s = fake_look(&image.t, 64, &r);
	assert_int_equal(r.heap_count, 0);
	fake_look_done(&r, s);
}

static void memory_may_run_out_anywhere(void **state)
{
	int rc = VMM_E_NOMEM;
	unsigned long n = 1;

	for (; rc == VMM_E_NOMEM; n++) {
		struct vmm_snapshot *s;

		image_make(&image, true);
		s = fake_snapshot(&image.t, "");
		assert_non_null(s);
		s->target.bits = 64;
		rc = fake_look_starved(&image.t, s, n);
	}
	assert_true(n > 10);
}

/* google/tcmalloc: regions by the names that it gives them. */
static void regions_are_found_by_name(void **state)
{
	static const char *const normal = "[anon:tcmalloc_region_NORMAL]", *const tables = "[anon:tcmalloc_region_METADATA]";
	struct fake_target t = {0};
	struct vmm_reading r = {.target = &t.base};
	struct vmm_snapshot *s;

	fake_map(&t, 0x100000, 0x200000, "rw-p", 0, normal, -1);
	fake_map(&t, 0x200000, 0x300000, "---p", 0, normal, -1);
	fake_map(&t, 0x300000, 0x400000, "rw-p", 0, tables, -1);
	fake_map(&t, 0x400000, 0x500000, "rw-p", 0, "[anon:tcmalloc_region_]", -1);
	fake_map(&t, 0x500000, 0x600000, "rw-p", 0, "[anon:tcmalloc_region_NORMAL", -1);
	fake_map(&t, 0x600000, 0x700000, "rw-p", 0, "[anon:other]", -1);
	s = fake_snapshot(&t, "");
	assert_non_null(s);
	s->target.bits = 64;
	r.snapshot = s;
	assert_int_equal(vmm_readers_run(&r, NULL), 0);
	assert_int_equal(vmm_reading_walk(&r, NULL, NULL), 0);
	assert_int_equal(r.heap_count, 1);
	assert_string_equal(r.heaps[0].heap.label, "Google tcmalloc");
	assert_false(r.heaps[0].heap.proved);
	assert_int_equal(r.area_count, 2);
	assert_int_equal(r.areas[0].start, 0x100000);
	assert_int_equal(r.areas[0].end, 0x300000);
	assert_string_equal(r.areas[0].details, "Google tcmalloc region NORMAL");
	assert_string_equal(r.areas[1].details, "Google tcmalloc region METADATA");
	fake_look_done(&r, s);
}

TEST_MAIN(cmocka_unit_test(every_block_is_told), cmocka_unit_test(a_sampled_block_has_the_size_asked_for),
          cmocka_unit_test(one_object_on_its_way_is_borne), cmocka_unit_test(what_does_not_add_up_is_not_proved),
          cmocka_unit_test(without_its_lists_there_is_none), cmocka_unit_test(memory_may_run_out_anywhere),
          cmocka_unit_test(regions_are_found_by_name))
