/*
 * Heaps for the snapshot of fake.h, the same on every machine: an arena with everything in it (2 MiB in its brk heap), one
 * that could not be proved, and chunks mapped one by one. Names and contents from the target hold escape sequences.
 */
#ifndef VMM_TESTS_GOLDEN_FAKE_HEAP_H
#define VMM_TESTS_GOLDEN_FAKE_HEAP_H

#include "fake.h"
#include "vmmap/survey.h"

static struct vmm_size_class fake_classes[] = {{24, 10000, 500}, {120, 2000, 0}, {1032, 1000, 100}, {65544, 1, 2}};
static struct vmm_size_class fake_big_classes[] = {{1048560, 1, 0}};

static struct vmm_heap_contents fake_contents = {
    .sums = {{[VMM_CHUNK_USED] = {13001, 1577544, 1310720},
              [VMM_CHUNK_CACHED] = {500, 12000, 12000},
              [VMM_CHUNK_FREE] = {102, 234288, 103200},
              [VMM_CHUNK_TOP] = {1, 65536, 4096},
              [VMM_CHUNK_META] = {0, 109016, 109016},
              [VMM_CHUNK_RESERVED] = {0, 98768, 33832}}},
    .resident_known = true,
    .largest_free = 65544,
    .trim_known = true,
    .trimmable = 98304,
    .trimmable_size = 196608,
    .used_log2 = {[4] = 10000, [6] = 2000, [10] = 1000, [16] = 1},
    .free_log2 = {[4] = 500, [10] = 100, [16] = 2},
    .classes = fake_classes,
    .class_count = 4,
    .classes_complete = true,
};

static struct vmm_heap_contents fake_big_contents = {
    .sums = {{[VMM_CHUNK_USED] = {1, 1048560, 1048560}, [VMM_CHUNK_META] = {0, 16, 16}}},
    .resident_known = true,
    .used_log2 = {[19] = 1},
    .classes = fake_big_classes,
    .class_count = 1,
    .classes_complete = true,
};

static inline void fake_heap_metrics(struct vmm_heap *h, uint64_t size, uint64_t rss)
{
	vmm_metrics_zero(&h->m);
	vmm_metric_set(&h->m, VMM_METRIC_SIZE, size);
	vmm_metric_set(&h->m, VMM_METRIC_RSS, rss);
	h->m.known &= ~((UINT32_C(1) << VMM_METRIC_USED) | (UINT32_C(1) << VMM_METRIC_UNUSED));
	if (!h->contents)
		return;
	vmm_metric_set(&h->m, VMM_METRIC_USED, h->contents->sums.of[VMM_CHUNK_USED].bytes);
	vmm_metric_set(&h->m, VMM_METRIC_UNUSED, vmm_chunk_sums_unused(&h->contents->sums));
}

/* Gives the snapshot its heaps. False: out of memory. */
static inline bool fake_add_heaps(struct vmm_snapshot *s)
{
	static const uint32_t thread = 0;
	static struct vmm_account accounts[] = {
	    {.id = "size", .label = "sizes = VmSize", .explanation = "not of heaps"},
	    {.id = "heaps", .label = "chunks = sizes of heaps", .sum_known = true, .kernel_known = true, .sum = 3145728,
	     .kernel = 3145728, .explanation = "heaps whose contents are not proved are in neither sum"},
	    {.id = "heaps_rss", .label = "resident chunks = resident heaps", .sum_known = true, .kernel_known = true,
	     .sum = 2621440, .kernel = 2617344, .remainder = 4096, .explanation = "the target changed between the two reads"}};

	s->heaps = vmm_arena_array(s->arena, 3, sizeof(*s->heaps));
	s->threads = vmm_arena_array(s->arena, 1, sizeof(*s->threads));
	if (!s->heaps || !s->threads)
		return false;
	s->threads[0] = (struct vmm_thread){.tid = 4711, .name = "\033[31mred", .region = VMM_NONE};
	s->thread_count = 1;
	s->heaps[0] = (struct vmm_heap){.id = "glibc.0.0", .reader = "glibc", .label = "glibc main arena", .proved = true,
	                                .contents = &fake_contents};
	s->heaps[1] = (struct vmm_heap){.id = "glibc.0.1", .reader = "glibc", .label = "glibc arena 1, thread 4711 \"\033[31mred\"",
	                                .threads = &thread, .thread_count = 1};
	s->heaps[2] = (struct vmm_heap){.id = "glibc.0.mmapped", .reader = "glibc", .label = "glibc mmapped chunks", .proved = true,
	                                .contents = &fake_big_contents};
	s->heap_count = 3;
	fake_heap_metrics(&s->heaps[0], FAKE_K(2048), FAKE_K(1536));
	fake_heap_metrics(&s->heaps[1], FAKE_K(4096), FAKE_K(128));
	fake_heap_metrics(&s->heaps[2], FAKE_K(1024), FAKE_K(1024));
	s->regions[1].heap = 0;
	s->regions[1].chunks = &fake_contents.sums;
	s->accounts = accounts;
	s->account_count = 3;
	return true;
}

static struct vmm_large_chunk fake_largest[] = {
    {{0x7f0000000000, 1048576, 0x7f0000000010, 1048560, VMM_CHUNK_USED}, "glibc.0.mmapped", 0x7f0000000000,
     {VMM_CONTENT_STRING, true, "{\"key\": \"\033]0;title\007\", \"value\": [1, 2, 3, 4, 5, 6, 7, 8]"}},
    {{0x555555810000, 65552, 0x555555810000, 65552, VMM_CHUNK_FREE}, "glibc.0.0", 0x555555800000, {.type = VMM_CONTENT_ABSENT}},
    {{0x555555820000, 65552, 0x555555820010, 65544, VMM_CHUNK_USED}, "glibc.0.0", 0x555555800000, {.type = VMM_CONTENT_ZERO}},
    {{0x555555830000, 1040, 0x555555830010, 1032, VMM_CHUNK_USED}, "glibc.0.0", 0x555555800000,
     {VMM_CONTENT_OBJECT, false, "net::Session<std::string>"}},
};

static struct vmm_duplicate fake_duplicates[] = {
    {1032, 800, 0x555555831000, {VMM_CONTENT_POINTER, false, "0x7ffff0090000 Stack"}},
    {24, 3000, 0x555555840010, {VMM_CONTENT_NUMBERS, false, "1 0 0"}},
};

static const struct vmm_survey fake_survey = {
    .largest = fake_largest,
    .largest_count = 4,
    .picked = 13603,
    .duplicates = fake_duplicates,
    .duplicate_count = 2,
    .duplicate_groups = 41,
    .redundant_bytes = 901234,
    .compared = 12990,
    .not_resident = 11,
    .approximate = true,
    .missed_bytes = 5000,
};

#endif
