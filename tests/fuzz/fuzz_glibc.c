/*
 * The reader of glibc's malloc over hostile memory. The input is the memory: a page count byte for each of three
 * mappings (the C library's data, a sub-heap, brk heap), a byte of flags (bit 0: 32 bits), then the pages.
 */
#include "fuzz.h"

#include "../fake_target.h"
#include "reading_check.h"

#define PAGES_MAX 16
#define PAGE 4096u

static const struct {
	uint64_t wide, narrow;
	const char *name;
} places[] = {{UINT64_C(0x7f0000100000), 0xf7000000, "/lib/libc.so.6"},
              {UINT64_C(0x7f0004000000), 0xf7100000, ""},
              {0x500000, 0x500000, "[heap]"}};

/* What is called proved adds up: the chunks of each heap to the mapped bytes of its areas. */
static void check_sums(const struct vmm_reading *r)
{
	for (size_t h = 0; h < r->heap_count; h++) {
		const struct vmm_heap_contents *c = r->heaps[h].heap.contents;

		FUZZ_CHECK(r->heaps[h].heap.proved == (c != NULL));
		for (size_t i = 0; c && i < r->area_count; i++) {
			uint64_t sum = 0, mapped = 0;

			if (r->areas[i].heap != h)
				continue;
			FUZZ_CHECK(r->areas[i].sums);
			for (int k = 0; k < VMM_CHUNK_STATE_COUNT; k++)
				sum += r->areas[i].sums->of[k].bytes;
			for (uint32_t v = 0; v < r->snapshot->vma_count; v++) {
				uint64_t start = vmm_max_u64(r->snapshot->vmas[v].start, r->areas[i].start);
				uint64_t end = vmm_min_u64(r->snapshot->vmas[v].end, r->areas[i].end);

				mapped += start < end ? end - start : 0;
			}
			FUZZ_CHECK(sum == mapped);
		}
	}
}

static int ignore_chunks(void *arg, const struct vmm_chunk_batch *batch)
{
	FUZZ_CHECK(batch->count > 0);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char memory[ARRAY_LEN(places)][PAGES_MAX * PAGE];
	static const unsigned order[] = {2, 0, 1}; /* by address */
	struct vmm_thread threads[] = {{.tid = 7, .name = "t", .region = VMM_NONE}};
	struct fake_target t = {0};
	struct vmm_reading r = {.target = &t.base};
	const struct vmm_chunk_walk all = {.end = UINT64_MAX, .chunks = ignore_chunks};
	struct vmm_snapshot *s;
	size_t at = 4;
	bool narrow;

	if (size < at)
		return 0;
	narrow = data[3] & 1;
	memset(memory, 0, sizeof(memory));
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		size_t bytes = (1 + data[i] % PAGES_MAX) * PAGE, part = vmm_min_u64(bytes, size - at);

		memcpy(memory[i], data + at, part);
		at += part;
	}
	for (size_t k = 0; k < ARRAY_LEN(order); k++) {
		unsigned i = order[k];
		uint64_t start = narrow ? places[i].narrow : places[i].wide, bytes = (1 + data[i] % PAGES_MAX) * PAGE;

		fake_map(&t, start, start + bytes, "rw-p", 0, places[i].name, VMM_E_NO_TARGET);
		t.memory[t.memory_count++] = (struct fake_memory){start, start + bytes, memory[i], 0};
	}
	s = fake_snapshot(&t, "");
	FUZZ_CHECK(s);
	s->target.bits = narrow ? 32 : 64;
	threads[0].descriptor = t.vmas[2].start + 2048;
	s->threads = threads;
	s->thread_count = 1;
	r.snapshot = s;
	FUZZ_CHECK(vmm_readers_run(&r, NULL) == 0);
	fuzz_check_areas(&r);
	FUZZ_CHECK(vmm_reading_walk(&r, NULL, NULL) == 0);
	check_sums(&r);
	FUZZ_CHECK(vmm_reading_walk(&r, &all, NULL) == 0);
	vmm_reading_done(&r);
	vmm_snapshot_destroy(s);
	return 0;
}
