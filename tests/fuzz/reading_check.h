/* What must hold of heaps that a reader found and walked, whatever memory it was given: for fuzzers of readers. */
#ifndef VMM_TESTS_FUZZ_READING_CHECK_H
#define VMM_TESTS_FUZZ_READING_CHECK_H

#include "base/base.h"
#include "fuzz.h"
#include "reader/walk.h"

/* Areas lie somewhere, belong to a heap, and their cuts rise inside them. */
static VMM_UNUSED void fuzz_check_areas(const struct vmm_reading *r)
{
	for (size_t i = 0; i < r->area_count; i++) {
		const struct vmm_area *a = &r->areas[i];

		FUZZ_CHECK(a->start < a->end && a->heap < r->heap_count && a->cut_count <= VMM_AREA_CUTS_MAX);
		for (unsigned k = 0; k < a->cut_count; k++) {
			FUZZ_CHECK(a->cuts[k].address >= a->start && a->cuts[k].address <= a->end);
			FUZZ_CHECK(k == 0 || a->cuts[k].address > a->cuts[k - 1].address);
		}
	}
}

static VMM_UNUSED int fuzz_add_chunks(void *arg, const struct vmm_chunk_batch *batch)
{
	uint64_t *bytes = arg;

	for (size_t i = 0; i < batch->count; i++) {
		const struct vmm_chunk *c = &batch->chunks[i];

		FUZZ_CHECK(c->size && c->usable <= c->size && c->address >= c->start && c->state < VMM_CHUNK_STATE_COUNT);
		FUZZ_CHECK(c->start >= batch->region_start && c->size <= batch->region_end - c->start);
		*bytes += c->size;
	}
	return 0;
}

/* Of walked heaps: those that are proved have sums, and walking them again tells at least as much. */
static VMM_UNUSED void fuzz_check_heaps(struct vmm_reading *r)
{
	uint64_t told = 0, sum = 0;
	struct vmm_chunk_walk walk = {.end = UINT64_MAX, .chunks = fuzz_add_chunks, .arg = &told};

	fuzz_check_areas(r);
	for (size_t i = 0; i < r->heap_count; i++)
		if (r->heaps[i].heap.proved)
			for (int k = 0; k < VMM_CHUNK_STATE_COUNT; k++)
				sum += r->heaps[i].heap.contents->sums.of[k].bytes;
	for (size_t i = 0; i < r->area_count; i++)
		FUZZ_CHECK(!r->heaps[r->areas[i].heap].heap.proved || r->areas[i].sums);
	FUZZ_CHECK(vmm_reading_walk(r, &walk, NULL) == 0);
	FUZZ_CHECK(told >= sum);
}

#endif
