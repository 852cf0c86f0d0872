/*
 * The reader of jemalloc over hostile memory. The input changes words of a process that is right (fake_jemalloc.h): a
 * byte of flags (bit 0: the layout of 5.2.1), then 11 bytes each: piece of memory, offset in words (2), value (8).
 */
#include "fuzz.h"

#include "../fake_jemalloc.h"
#include "reader/walk.h"

#define CHANGE 11

static int check_chunks(void *arg, const struct vmm_chunk_batch *b)
{
	for (size_t i = 0; i < b->count; i++) {
		const struct vmm_chunk *c = &b->chunks[i];

		FUZZ_CHECK(c->size && c->start >= b->region_start && c->size <= b->region_end - c->start);
		FUZZ_CHECK(c->address >= c->start && c->usable <= c->size - (c->address - c->start));
	}
	return 0;
}

static void check_areas(const struct vmm_reading *r)
{
	for (size_t i = 0; i < r->area_count; i++) {
		const struct vmm_area *a = &r->areas[i];

		FUZZ_CHECK(a->start < a->end && a->heap < r->heap_count && a->details);
		for (size_t k = 0; k < i; k++)
			FUZZ_CHECK(a->end <= r->areas[k].start || r->areas[k].end <= a->start);
	}
}

/* What is proved adds up to the mapped bytes. */
static void check_sums(const struct vmm_reading *r)
{
	for (size_t i = 0; i < r->heap_count; i++) {
		const struct vmm_heap *h = &r->heaps[i].heap;
		uint64_t sum = 0, size = 0;

		if (!h->proved)
			continue;
		for (int state = 0; state < VMM_CHUNK_STATE_COUNT; state++)
			sum += h->contents->sums.of[state].bytes;
		for (size_t k = 0; k < r->area_count; k++)
			if (r->areas[k].heap == i)
				size += r->areas[k].end - r->areas[k].start;
		FUZZ_CHECK(sum == size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fake_jemalloc process;
	const struct vmm_chunk_walk walk = {.end = UINT64_MAX, .chunks = check_chunks};
	/* This reader alone: others would search through all of .bss each time. */
	struct vmm_reading r = {.target = &process.t.base, .running = &vmm_reader_jemalloc, .budget = UINT64_C(64) << 20};
	struct vmm_snapshot *s;

	if (size < 1)
		return 0;
	jm_fill(&process, data[0] & 1);
	for (size_t at = 1; at + CHANGE <= size; at += CHANGE) {
		uint64_t start, value;
		size_t bytes;
		unsigned char *piece = jm_piece(&process, data[at] % JM_PAGES, &start, &bytes);
		size_t word = (data[at + 1] | (size_t)data[at + 2] << 8) % (bytes / 8);

		memcpy(&value, data + at + 3, 8);
		memcpy(piece + 8 * word, &value, 8);
	}
	s = jm_make(&process);
	FUZZ_CHECK(s);
	r.snapshot = s;
	FUZZ_CHECK(vmm_reader_jemalloc.detect(&r, NULL) == 0);
	check_areas(&r);
	FUZZ_CHECK(vmm_reading_walk(&r, NULL, NULL) == 0);
	check_sums(&r);
	FUZZ_CHECK(vmm_reading_walk(&r, &walk, NULL) == 0);
	vmm_reading_done(&r);
	vmm_snapshot_destroy(s);
	return 0;
}
