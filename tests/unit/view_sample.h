/*
 * A small snapshot built by hand: every number in it was chosen here, so that tests can state what a view must show.
 *
 *   0x1000-0x400000          unusable below the program
 *   0x400000-0x404000        image /usr/bin/demo: .text r-xp, .rodata r--p, .data and .bss in one rw-p mapping
 *   0x10000000-0x10021000    heap [heap], one block that is the whole region
 *   0x20000000-0x20100000    private data rwxp; rss known only as at least 8 KiB, pss unknown
 *   0x7ffe00000000-...21000  stack of thread 4711, whose name holds an escape sequence
 *   0x30000000-0x30002000    a deleted file under the same path as the next, mapped twice
 */
#ifndef VMM_TESTS_VIEW_SAMPLE_H
#define VMM_TESTS_VIEW_SAMPLE_H

#include <stdlib.h>

#include "base/out.h"
#include "model/build.h"
#include "test.h"
#include "vmmap/vmmap.h"

enum { SAMPLE_IMAGE, SAMPLE_HEAP, SAMPLE_PRIVATE, SAMPLE_FILE_A, SAMPLE_FILE_B, SAMPLE_STACK, SAMPLE_REGIONS };

static inline struct vmm_metrics *sample_metrics(struct vmm_snapshot *s, uint64_t size, uint64_t rss, uint64_t swap)
{
	struct vmm_metrics *m = vmm_arena_alloc(s->arena, sizeof(*m));

	assert_non_null(m);
	vmm_metrics_zero(m);
	m->value[VMM_METRIC_SIZE] = size;
	m->value[VMM_METRIC_RSS] = rss;
	m->value[VMM_METRIC_SWAP] = swap;
	m->known &= ~(UINT32_C(1) << VMM_METRIC_USED | UINT32_C(1) << VMM_METRIC_UNUSED);
	return m;
}

static inline void sample_vma(struct vmm_snapshot *s, uint64_t start, uint64_t end, uint8_t prot, const char *name,
                              const struct vmm_metrics *m)
{
	s->vmas[s->vma_count++] = (struct vmm_vma){.start = start,
	                                           .end = end,
	                                           .prot = prot,
	                                           .name = name,
	                                           .vm_flags = VMM_VF_KNOWN | VMM_VF(rd) | VMM_VF(ac),
	                                           .page_size = 4096,
	                                           .inode = name[0] == '/' ? 77 : 0,
	                                           .dev_major = 8,
	                                           .dev_minor = 17,
	                                           .backing = name[0] == '/' ? VMM_BACKING_FILE : VMM_BACKING_ANON,
	                                           .m = *m};
}

static inline void sample_block(struct vmm_snapshot *s, uint64_t start, uint64_t end, uint32_t vma, const char *label,
                                const struct vmm_metrics *m)
{
	s->blocks[s->block_count++] = (struct vmm_block){
	    .start = start, .end = end, .vma = vma, .region = s->region_count, .label = label, .m = m};
}

static inline void sample_region(struct vmm_snapshot *s, uint32_t blocks, enum vmm_kind kind, uint8_t prot, const char *details,
                                 const char *path, const struct vmm_metrics *m)
{
	uint32_t first = s->block_count - blocks;

	s->regions[s->region_count++] = (struct vmm_region){.start = s->blocks[first].start,
	                                                    .end = s->blocks[s->block_count - 1].end,
	                                                    .kind = kind,
	                                                    .prot = prot,
	                                                    .prot_set = 1u << prot,
	                                                    .mixed_prot = blocks > 1,
	                                                    .first_block = first,
	                                                    .block_count = blocks,
	                                                    .module = VMM_NONE,
	                                                    .thread = VMM_NONE,
	                                                    .heap = VMM_NONE,
	                                                    .details = details,
	                                                    .path = path,
	                                                    .m = m};
}

/* One region that is one block that is one mapping. */
static inline void sample_single(struct vmm_snapshot *s, uint64_t start, uint64_t end, enum vmm_kind kind, uint8_t prot,
                                 const char *details, const char *path, const struct vmm_metrics *m)
{
	sample_vma(s, start, end, prot, path[0] ? path : details, m);
	sample_block(s, start, end, s->vma_count - 1, "", m);
	sample_region(s, 1, kind, prot, details, path, m);
}

static inline void sample_image(struct vmm_snapshot *s)
{
	const char *path = "/usr/bin/demo";
	struct vmm_metrics *text = sample_metrics(s, 0x1000, 0x1000, 0), *data = sample_metrics(s, 0x1000, 0x1000, 0),
			   *bss = sample_metrics(s, 0x1000, 0, 0), *all = sample_metrics(s, 0x4000, 0x3000, 0),
			   *both = sample_metrics(s, 0x2000, 0x1000, 0);

	sample_vma(s, 0x400000, 0x401000, VMM_PROT_READ | VMM_PROT_EXEC, path, text);
	sample_vma(s, 0x401000, 0x402000, VMM_PROT_READ, path, text);
	sample_vma(s, 0x402000, 0x404000, VMM_PROT_READ | VMM_PROT_WRITE, path, both);
	sample_block(s, 0x400000, 0x401000, 0, ".text", text);
	sample_block(s, 0x401000, 0x402000, 1, ".rodata", text);
	sample_block(s, 0x402000, 0x403000, 2, ".data", data);
	sample_block(s, 0x403000, 0x404000, 2, ".bss", bss);
	sample_region(s, 4, VMM_KIND_IMAGE, VMM_PROT_READ | VMM_PROT_WRITE | VMM_PROT_EXEC, "/usr/bin/demo PIE", path, all);
	s->regions[SAMPLE_IMAGE].prot_set = 1u << VMM_PROT_READ | 1u << (VMM_PROT_READ | VMM_PROT_EXEC) |
	                                    1u << (VMM_PROT_READ | VMM_PROT_WRITE);
	s->regions[SAMPLE_IMAGE].module = 0;
	s->modules[0] = (struct vmm_module){
	    .start = 0x400000, .end = 0x404000, .path = path, .build_id = "00ff", .pie = true, .bits = 64};
	s->module_count = 1;
}

static inline void sample_others(struct vmm_snapshot *s)
{
	uint8_t rw = VMM_PROT_READ | VMM_PROT_WRITE;
	struct vmm_metrics *m = sample_metrics(s, 0x100000, 8192, 0);

	sample_single(s, 0x10000000, 0x10021000, VMM_KIND_HEAP, rw, "[heap]", "", sample_metrics(s, 0x21000, 0x9000, 0x4000));
	m->known &= ~(UINT32_C(1) << VMM_METRIC_RSS | UINT32_C(1) << VMM_METRIC_PSS);
	m->at_least = UINT32_C(1) << VMM_METRIC_RSS;
	sample_single(s, 0x20000000, 0x20100000, VMM_KIND_PRIVATE_DATA, rw | VMM_PROT_EXEC, "", "", m);
	s->regions[SAMPLE_PRIVATE].write_exec = true;
	sample_single(s, 0x30000000, 0x30001000, VMM_KIND_MAPPED_FILE, VMM_PROT_READ | VMM_PROT_SHARED, "/tmp/a,\"b\"", "/tmp/a,\"b\"",
	              sample_metrics(s, 0x1000, 0x1000, 0));
	s->vmas[s->vma_count - 1].deleted = true;
	sample_single(s, 0x30001000, 0x30002000, VMM_KIND_MAPPED_FILE, VMM_PROT_READ | VMM_PROT_SHARED, "/tmp/a,\"b\"", "/tmp/a,\"b\"",
	              sample_metrics(s, 0x1000, 0, 0));
	sample_single(s, 0x7ffe00000000, 0x7ffe00021000, VMM_KIND_STACK, rw, "thread 4711 \033[31mred\n", "",
	              sample_metrics(s, 0x21000, 0x5000, 0));
	s->regions[SAMPLE_STACK].thread = 0;
	s->threads[0] = (struct vmm_thread){.tid = 4711,
	                                    .state = 'S',
	                                    .name = "\033[31mred\n",
	                                    .sp_known = true,
	                                    .sp = 0x7ffe00020ff0,
	                                    .region = SAMPLE_STACK};
	s->threads[1] = (struct vmm_thread){.tid = 99, .name = "lost", .region = VMM_NONE};
	s->thread_count = 2;
}

static inline void sample_totals(struct vmm_snapshot *s)
{
	vmm_metrics_zero(&s->total.m);
	s->total.counted = true;
	for (int k = 0; k < VMM_KIND_COUNT; k++) {
		s->types[k].kind = (enum vmm_kind)k;
		s->types[k].counted = k != VMM_KIND_PAGE_TABLE;
		vmm_metrics_zero(&s->types[k].m);
	}
	for (uint32_t i = 0; i < s->region_count; i++) {
		struct vmm_type_total *t = &s->types[s->regions[i].kind];

		vmm_metrics_add(&t->m, s->regions[i].m);
		vmm_metrics_add(&s->total.m, s->regions[i].m);
		t->blocks += s->regions[i].block_count;
		t->regions++;
		t->largest = s->regions[i].end - s->regions[i].start;
	}
	vmm_metric_set(&s->types[VMM_KIND_PAGE_TABLE].m, VMM_METRIC_SIZE, 0x10000);
	vmm_metric_set(&s->types[VMM_KIND_FREE].m, VMM_METRIC_SIZE, 0x7f0000000000);
	s->types[VMM_KIND_FREE].blocks = 2;
}

static inline void sample_facts(struct vmm_snapshot *s)
{
	s->target.pid = 4711;
	s->target.name = "demo";
	s->target.source = "live";
	s->target.cmdline = "demo --flag \xff";
	s->target.user_end = 0x7ffffffff000;
	s->target.page_size = 4096;
	s->taken_at = (struct timespec){.tv_sec = 951782400, .tv_nsec = 5}; /* date -u -d @951782400: 2000-02-29 00:00:00 */
	s->gaps[0] = (struct vmm_gap){0x1000, 0x400000, VMM_KIND_UNUSABLE, "below vm.mmap_min_addr"};
	s->gaps[1] = (struct vmm_gap){0x404000, 0x10000000, VMM_KIND_FREE, ""};
	s->gaps[2] = (struct vmm_gap){0x30002000, 0x7ffe00000000, VMM_KIND_FREE, ""};
	s->gap_count = 3;
	s->limits[0] = (struct vmm_limit){.id = "as",
	                                  .text = "address space",
	                                  .known = true,
	                                  .soft = UINT64_MAX,
	                                  .hard = UINT64_MAX,
	                                  .used_known = true,
	                                  .used = 1234,
	                                  .bytes = true};
	s->limits[1] = (struct vmm_limit){.id = "nofile", .text = "open files"};
	s->limit_count = 2;
	s->accounts[0] = (struct vmm_account){.id = "size",
	                                      .label = "sum of sizes = VmSize",
	                                      .sum_known = true,
	                                      .kernel_known = true,
	                                      .sum = 5,
	                                      .kernel = 7,
	                                      .remainder = -2,
	                                      .explanation = "test"};
	s->accounts[1] = (struct vmm_account){.id = "rss", .label = "sum of rss", .explanation = "not read"};
	s->account_count = 2;
	s->notes[0] = (struct vmm_note){.from = "smaps", .code = "denied", .text = "not \033permitted", .count = 1};
	s->note_count = 1;
}

static inline struct vmm_snapshot *sample_create(void)
{
	struct vmm_snapshot *s = vmm_snapshot_create();

	assert_non_null(s);
	s->vmas = vmm_arena_array(s->arena, 16, sizeof(*s->vmas));
	s->regions = vmm_arena_array(s->arena, 16, sizeof(*s->regions));
	s->blocks = vmm_arena_array(s->arena, 16, sizeof(*s->blocks));
	s->gaps = vmm_arena_array(s->arena, 16, sizeof(*s->gaps));
	s->threads = vmm_arena_array(s->arena, 16, sizeof(*s->threads));
	s->modules = vmm_arena_array(s->arena, 16, sizeof(*s->modules));
	s->heaps = vmm_arena_array(s->arena, 16, sizeof(*s->heaps));
	s->limits = vmm_arena_array(s->arena, 16, sizeof(*s->limits));
	s->accounts = vmm_arena_array(s->arena, 16, sizeof(*s->accounts));
	s->notes = vmm_arena_array(s->arena, 16, sizeof(*s->notes));
	assert_non_null(s->notes);
	s->needs = VMM_NEED_DEFAULT;
	sample_image(s);
	sample_others(s);
	sample_totals(s);
	sample_facts(s);
	return s;
}

/* A heap of a reader, and whether its numbers are proved. */
static inline void sample_heap(struct vmm_snapshot *s, bool proved)
{
	struct vmm_heap *h = &s->heaps[s->heap_count++];

	*h = (struct vmm_heap){.id = "main", .reader = "glibc", .label = "main arena", .proved = proved};
	h->m = *s->regions[SAMPLE_HEAP].m;
	vmm_metric_set(&h->m, VMM_METRIC_USED, 1000);
	vmm_metric_set(&h->m, VMM_METRIC_UNUSED, 2000);
	s->regions[SAMPLE_HEAP].heap = s->heap_count - 1;
}

enum sample_format { SAMPLE_TEXT, SAMPLE_CSV, SAMPLE_NDJSON, SAMPLE_JSON, SAMPLE_JSON_TABLE };

/* What a query prints; free() it. */
static inline char *sample_print(const struct vmm_snapshot *s, const struct vmm_query *q, enum sample_format format,
                                 const struct vmm_style *style)
{
	struct vmm_out *out = vmm_out_create_memory();
	struct vmm_rows rows;
	char *text;

	assert_non_null(out);
	assert_int_equal(vmm_rows_build(&rows, q, s, NULL), 0);
	if (format == SAMPLE_TEXT)
		vmm_emit_text(out, q, &rows, style);
	else if (format == SAMPLE_CSV)
		vmm_emit_csv(out, q, &rows);
	else if (format == SAMPLE_NDJSON)
		vmm_emit_ndjson(out, q, &rows);
	else if (format == SAMPLE_JSON)
		vmm_emit_json(out, q, &rows, s);
	else
		vmm_emit_json_table(out, q, &rows, s);
	vmm_rows_done(&rows);
	text = vmm_out_take(out, NULL);
	assert_non_null(text);
	return text;
}

#endif
