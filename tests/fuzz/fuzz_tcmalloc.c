/*
 * The reader of gperftools tcmalloc over hostile memory: a sound page heap (tcmalloc_image.h) with words changed. The input:
 * a byte of flags (bit 0: 32 bits, bit 1: stop the chunks half-way), then changes of 8 bytes each: where (u8: a place of
 * the image, u24: words behind it), and what (u8: a place or none, u24: bytes behind it, or the number).
 */
#include "fuzz.h"

#include "reading_check.h"

#include "../tcmalloc_image.h"

static struct tc_image image;

static uint32_t u24(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

static uint64_t place(uint8_t which)
{
	const uint64_t places[] = {image.data, image.sizes, image.central, image.variable, image.heads, image.stats, image.spans,
	                           image.caches, image.heap, image.central + IMAGE_CLASS * image.stride, image.root,
	                           image.leaf + image.heap / IMAGE_PAGE % 0x40000 * 8};

	return places[which % ARRAY_LEN(places)];
}

static void change(const uint8_t *p)
{
	uint64_t value = u24(p + 5);

	if (p[4] == 0xff)
		value |= UINT64_C(0xffffffffff000000);
	else if (p[4])
		value += place(p[4]);
	image_word(&image, place(p[0]) + (uint64_t)u24(p + 1) * 4, value);
}

static int count_chunks(void *arg, const struct vmm_chunk_batch *batch)
{
	uint64_t *left = arg;

	for (size_t i = 0; i < batch->count; i++)
		FUZZ_CHECK(batch->chunks[i].usable <= batch->chunks[i].size);
	*left -= vmm_min_u64(*left, batch->count);
	return *left ? 0 : 7;
}

static void check(const struct vmm_reading *r)
{
	fuzz_check_areas(r);
	for (size_t i = 0; i < r->area_count; i++)
		for (size_t k = 0; k < i; k++)
			FUZZ_CHECK(r->areas[k].end <= r->areas[i].start || r->areas[k].start >= r->areas[i].end);
	for (size_t i = 0; i < r->heap_count; i++)
		FUZZ_CHECK(!r->heaps[i].heap.proved || r->heaps[i].heap.contents);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t left = size && data[0] & 2 ? 5 : UINT64_MAX;
	struct vmm_chunk_walk walk = {.end = UINT64_MAX, .chunks = count_chunks, .arg = &left};
	struct vmm_reading r = {.target = &image.t.base};
	struct vmm_snapshot *s;
	bool wide;
	int rc;

	if (size < 1)
		return 0;
	wide = !(data[0] & 1);
	image_make(&image, wide);
	for (size_t at = 1; at + 8 <= size; at += 8)
		change(data + at);
	s = fake_snapshot(&image.t, "");
	FUZZ_CHECK(s);
	s->target.bits = wide ? 64 : 32;
	r.snapshot = s;
	r.budget = UINT64_C(64) << 20;
	r.running = &vmm_reader_tcmalloc;
	FUZZ_CHECK(vmm_reader_tcmalloc.detect(&r, NULL) == 0);
	check(&r);
	FUZZ_CHECK(size > 1 || (r.heap_count == 1 && r.area_count == 1));
	FUZZ_CHECK(vmm_reading_walk(&r, NULL, NULL) == 0);
	FUZZ_CHECK(size > 1 || r.heaps[0].heap.proved);
	check(&r);
	rc = vmm_reading_walk(&r, &walk, NULL);
	FUZZ_CHECK(rc == 0 || rc == 7);
	vmm_reading_done(&r);
	vmm_snapshot_destroy(s);
	return 0;
}
