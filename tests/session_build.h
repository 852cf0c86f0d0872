/*
 * A snapshot in which every field that a session keeps has a value of its own, and memory to go with it: for the unit
 * tests and the fuzzer of sessions.
 *
 *   0x400000-0x403000            image /usr/bin/d\xff, three blocks in two mappings; replaced, without a build-id that is known
 *   0x500000-0x504000            heap, one mapping, with chunks; the first page of it is kept, the third is zero
 *   0x600000-0x601000            a core's mapping: whether it is shared is not known; rss is a lower bound
 *   0x7f0000000000-...4000       stack of the second thread; all kept
 *   0xffffffffff600000-...1000   vsyscall
 */
#ifndef VMM_TESTS_SESSION_BUILD_H
#define VMM_TESTS_SESSION_BUILD_H

#include <stdlib.h>

#include "fake_target.h"
#include "vmmap/vmmap.h"

enum { BUILT_REGIONS = 5, BUILT_VMAS = 6, BUILT_BLOCKS = 7 };

static inline void *built_array(struct vmm_snapshot *s, size_t count, size_t size)
{
	void *p = vmm_arena_array(s->arena, count, size);

	if (!p)
		abort();
	return p;
}

/* size, rss 1 KiB a page less, and an unknown pss; a number for all others. */
static inline struct vmm_metrics built_metrics(uint64_t size)
{
	struct vmm_metrics m;

	vmm_metrics_zero(&m);
	for (int i = 0; i < VMM_METRIC_COUNT; i++)
		m.value[i] = size / 4096 * (uint64_t)(i + 1);
	m.value[VMM_METRIC_SIZE] = size;
	m.value[VMM_METRIC_PSS] = m.value[VMM_METRIC_STORED] = m.value[VMM_METRIC_USED] = m.value[VMM_METRIC_UNUSED] = 0;
	m.known &= ~(UINT32_C(1) << VMM_METRIC_PSS | UINT32_C(1) << VMM_METRIC_STORED | UINT32_C(1) << VMM_METRIC_USED |
	             UINT32_C(1) << VMM_METRIC_UNUSED);
	return m;
}

static inline void built_vma(struct vmm_snapshot *s, uint64_t start, uint64_t end, uint8_t prot, const char *name)
{
	struct vmm_vma *v = &s->vmas[s->vma_count++];
	uint64_t *extra = built_array(s, 2, sizeof(*extra));

	extra[0] = start / 4096;
	extra[1] = UINT64_MAX;
	*v = (struct vmm_vma){.start = start,
	                      .end = end,
	                      .prot = prot,
	                      .name = name,
	                      .backing = name[0] == '/' ? VMM_BACKING_FILE : VMM_BACKING_ANON,
	                      .offset = name[0] == '/' ? start - 0x400000 : 0,
	                      .inode = name[0] == '/' ? 0xffffffff12345678 : 0,
	                      .dev_major = 8,
	                      .dev_minor = 4294967295u,
	                      .vm_flags = VMM_VF_KNOWN | VMM_VF(rd) | VMM_VF(ac),
	                      .numa = s->vma_count == 1 ? "N0=1 N1=2" : s->vma_count == 2 ? "" : NULL,
	                      .extra = s->vma_count % 2 ? extra : NULL,
	                      .page_size = 4096,
	                      .deleted = name[0] == '/',
	                      .guards_known = s->vma_count > 1,
	                      .guard_bytes = s->vma_count > 2 ? 4096 : 0,
	                      .m = built_metrics(end - start)};
}

static inline void built_block(struct vmm_snapshot *s, uint64_t start, uint64_t end, const char *label, bool guard)
{
	uint32_t vma = 0;
	struct vmm_metrics *m = built_array(s, 1, sizeof(*m));

	while (s->vmas[vma].end <= start)
		vma++;
	*m = built_metrics(end - start);
	s->blocks[s->block_count++] = (struct vmm_block){
	    .start = start,
	    .end = end,
	    .vma = vma,
	    .region = s->region_count,
	    .label = label,
	    .guard = guard,
	    .m = start == s->vmas[vma].start && end == s->vmas[vma].end ? &s->vmas[vma].m : m};
}

static inline struct vmm_region *built_region(struct vmm_snapshot *s, uint32_t blocks, enum vmm_kind kind, const char *details)
{
	struct vmm_region *r = &s->regions[s->region_count++];

	*r = (struct vmm_region){.first_block = s->block_count - blocks,
	                         .block_count = blocks,
	                         .kind = kind,
	                         .module = VMM_NONE,
	                         .thread = VMM_NONE,
	                         .heap = VMM_NONE,
	                         .details = details,
	                         .path = ""};
	r->start = s->blocks[r->first_block].start;
	r->end = s->blocks[s->block_count - 1].end;
	for (uint32_t i = r->first_block; i < s->block_count; i++) {
		uint8_t prot = s->vmas[s->blocks[i].vma].prot;

		r->prot |= prot;
		r->prot_set |= UINT32_C(1) << prot;
		r->write_exec |= (prot & 6) == 6;
	}
	r->mixed_prot = (r->prot_set & (r->prot_set - 1)) != 0;
	r->m = s->blocks[r->first_block].m;
	if (blocks > 1) {
		struct vmm_metrics *m = built_array(s, 1, sizeof(*m));

		*m = built_metrics(r->end - r->start);
		r->m = m;
	}
	return r;
}

static inline void built_map(struct vmm_snapshot *s)
{
	s->vmas = built_array(s, BUILT_VMAS, sizeof(*s->vmas));
	s->blocks = built_array(s, BUILT_BLOCKS, sizeof(*s->blocks));
	s->regions = built_array(s, BUILT_REGIONS, sizeof(*s->regions));
	built_vma(s, 0x400000, 0x402000, VMM_PROT_READ | VMM_PROT_EXEC, "/usr/bin/d\xff");
	built_vma(s, 0x402000, 0x403000, VMM_PROT_READ | VMM_PROT_WRITE | VMM_PROT_EXEC, "/usr/bin/d\xff");
	built_vma(s, 0x500000, 0x504000, VMM_PROT_READ | VMM_PROT_WRITE, "[heap]");
	built_vma(s, 0x600000, 0x601000, VMM_PROT_READ | VMM_PROT_UNKNOWN, "");
	s->vmas[3].m.known &= ~(UINT32_C(1) << VMM_METRIC_RSS | UINT32_C(1) << VMM_METRIC_SWAP);
	s->vmas[3].m.at_least = UINT32_C(1) << VMM_METRIC_RSS | UINT32_C(1) << VMM_METRIC_SWAP;
	built_vma(s, 0x7f0000000000, 0x7f0000004000, VMM_PROT_READ | VMM_PROT_WRITE, "");
	built_vma(s, UINT64_C(0xffffffffff600000), UINT64_C(0xffffffffff601000), VMM_PROT_EXEC, "[vsyscall]");
	s->vmas[5].backing = VMM_BACKING_SPECIAL;
	built_block(s, 0x400000, 0x400800, ".text", false);
	built_block(s, 0x400800, 0x402000, "", false);
	built_block(s, 0x402000, 0x403000, "", false);
	built_region(s, 3, VMM_KIND_IMAGE, "/usr/bin/d\xff (PIE)")->module = 1;
	s->regions[0].path = "/usr/bin/d\xff";
	built_block(s, 0x500000, 0x504000, "chunks", false);
	built_region(s, 1, VMM_KIND_HEAP, "main arena")->heap = 1;
	built_block(s, 0x600000, 0x601000, "", false);
	built_region(s, 1, VMM_KIND_PRIVATE_DATA, "");
	built_block(s, 0x7f0000000000, 0x7f0000004000, "guard", true);
	built_region(s, 1, VMM_KIND_STACK, "thread 9")->thread = 1;
	built_block(s, UINT64_C(0xffffffffff600000), UINT64_C(0xffffffffff601000), "", false);
	built_region(s, 1, VMM_KIND_SYSTEM, "[vsyscall]")->outside = true;
}

static inline void built_heaps(struct vmm_snapshot *s)
{
	struct vmm_heap_contents *c = built_array(s, 1, sizeof(*c));
	struct vmm_size_class *classes = built_array(s, 2, sizeof(*classes));
	struct vmm_chunk_sums *sums = built_array(s, 1, sizeof(*sums));
	struct vmm_metrics *m = built_array(s, 1, sizeof(*m));
	uint32_t *threads = built_array(s, 2, sizeof(*threads));

	for (int i = 0; i < VMM_CHUNK_STATE_COUNT; i++) {
		sums->of[i].count = (uint64_t)i * 3 + 1;
		sums->of[i].bytes = (uint64_t)i << 40;
		sums->of[i].rss = (uint64_t)i * 100;
	}
	classes[0] = (struct vmm_size_class){24, 7, 9};
	classes[1] = (struct vmm_size_class){UINT64_C(1) << 63, 1, 0};
	threads[0] = 1;
	threads[1] = 0;
	*c = (struct vmm_heap_contents){.sums = *sums, .resident_known = true, .largest_free = 123, .trim_known = true, .trimmable = 4096,
	                                .trimmable_size = 8192, .classes = classes, .class_count = 2, .classes_complete = true};
	c->used_log2[4] = 7;
	c->free_log2[63] = 1;
	s->heaps = built_array(s, 2, sizeof(*s->heaps));
	s->heaps[0] = (struct vmm_heap){.id = "glibc.0.mmapped", .reader = "glibc", .label = "not walked", .m = built_metrics(0)};
	s->heaps[1] = (struct vmm_heap){.id = "glibc.0.0", .reader = "glibc", .label = "main \"arena\"", .proved = true,
	                                .m = built_metrics(0x4000), .contents = c, .threads = threads, .thread_count = 2};
	s->heap_count = 2;
	*m = *s->regions[1].m;
	vmm_metric_set(m, VMM_METRIC_USED, 777);
	vmm_metric_set(m, VMM_METRIC_UNUSED, 0);
	s->regions[1].m = m;
	s->regions[1].chunks = sums;
}

static inline void built_lists(struct vmm_snapshot *s)
{
	s->threads = built_array(s, 3, sizeof(*s->threads));
	s->threads[0] = (struct vmm_thread){.tid = 12, .ns_tid = 2, .state = 'S', .name = "", .region = VMM_NONE};
	s->threads[1] = (struct vmm_thread){.tid = 9, .name = NULL, .sp_known = true, .sp = 0, .descriptor = 0x7f0000003f00, .region = 3};
	s->threads[2] = (struct vmm_thread){.tid = 13, .state = 'R', .name = "\033[31m", .sp_known = true, .sp = UINT64_MAX, .region = VMM_NONE};
	s->thread_count = 3;
	s->threads_complete = true;
	s->modules = built_array(s, 2, sizeof(*s->modules));
	s->modules[0] = (struct vmm_module){.start = 0x700000, .end = 0x701000, .path = "", .build_id = "", .in_memory = true, .bits = 32,
	                                    .sections = true, .region = VMM_NONE};
	s->modules[1] = (struct vmm_module){.start = 0x400000, .end = 0x403000, .bias = UINT64_MAX - 4095, .path = "/usr/bin/d\xff", .build_id = NULL,
	                                    .pie = true, .program = true, .deleted = true, .replaced = true, .bits = 64, .region = 0};
	s->module_count = 2;
	s->limits = built_array(s, 2, sizeof(*s->limits));
	s->limits[0] = (struct vmm_limit){.id = "as", .text = "address space", .known = true, .soft = UINT64_MAX, .hard = UINT64_MAX, .bytes = true};
	s->limits[1] = (struct vmm_limit){.id = "max_map_count", .text = "mappings", .used_known = true, .used = 6};
	s->limit_count = 2;
	s->notes = built_array(s, 2, sizeof(*s->notes));
	s->notes[0] = (struct vmm_note){.from = "smaps", .code = "denied", .text = "not permitted", .address = UINT64_MAX, .count = 1};
	s->notes[1] = (struct vmm_note){.from = "", .code = "", .text = "", .count = UINT64_MAX >> 1};
	s->note_count = 2;
	s->extra_names = built_array(s, 2, sizeof(*s->extra_names));
	s->extra_names[0] = "FutureField";
	s->extra_names[1] = "Another_One";
	s->extra_count = 2;
}

static inline void built_info(struct vmm_snapshot *s)
{
	struct vmm_target_info *t = &s->target;

	*t = (struct vmm_target_info){.source = "core", .death = {true, 11, 1, true, UINT64_MAX - 7, 12}, .pid = 4711, .ppid = 1, .ns_pid = 5,
	                              .uid = 4294967294, .name = "d\xff", .exe = "/usr/bin/d\xff", .exe_deleted = true, .cmdline = "d --flag \"x\"",
	                              .cgroup = "/a/b", .arch = "x86_64", .bits = 64, .page_size = 4096, .started_known = true,
	                              .started_at = {1600000000, 999999999}, .state = 'T', .entry = 0x400010, .user_end = 0x7ffffffff000,
	                              .min_address = 65536, .stack_gap = 1048576};
	for (int i = 0; i < VMM_STATUS_COUNT; i += 2) {
		t->status[i] = (uint64_t)i << 33;
		t->status_known |= UINT32_C(1) << i;
	}
	s->taken_at = (struct timespec){1763820000, 123456789};
	s->needs = VMM_NEED_DEFAULT | VMM_NEED_HEAPS | VMM_NEED_NUMA | VMM_NEED_EXTRA;
	s->partial = true;
	s->cpus = 7;
	s->cost = (struct vmm_cost){1, 2, 3, 4, 5, 6, 7};
}

static inline struct vmm_snapshot *built_snapshot(void)
{
	struct vmm_snapshot *s = vmm_snapshot_create();

	if (!s)
		abort();
	built_info(s);
	built_map(s);
	built_lists(s);
	built_heaps(s);
	for (int k = 0; k < VMM_KIND_COUNT; k++)
		s->types[k] = (struct vmm_type_total){.kind = (enum vmm_kind)k, .m = built_metrics((uint64_t)k << 12), .counted = k % 2,
		                                      .blocks = k % 2 ? 5 : 0, .largest = k % 2 ? 6 : 0, .regions = k % 2 ? 7 : 0};
	s->total = (struct vmm_type_total){.kind = VMM_KIND_COUNT, .m = built_metrics(0x9000), .counted = true, .blocks = 1};
	s->total.m.known &= ~(UINT32_C(1) << VMM_METRIC_RSS);
	s->total.m.at_least = UINT32_C(1) << VMM_METRIC_RSS;
	return s;
}

/* Byte n of the memory at an address. */
static inline unsigned char built_byte(uint64_t address)
{
	return (unsigned char)(address ^ address >> 8 ^ address >> 16);
}

struct built_memory {
	struct fake_target target;
	unsigned char heap[0x4000], stack[0x4000];
};

static inline void built_memory_init(struct built_memory *m)
{
	memset(m, 0, sizeof(*m));
	m->target.base.ops = &fake_ops;
	for (unsigned i = 0; i < sizeof(m->heap); i++) {
		m->heap[i] = i < 0x1000 ? built_byte(0x500000 + i) : 0;
		m->stack[i] = built_byte(0x7f0000000000 + i);
	}
	m->target.memory[m->target.memory_count++] = (struct fake_memory){0x500000, 0x501000, m->heap, VMM_PAGE_PRESENT};
	m->target.memory[m->target.memory_count++] = (struct fake_memory){0x502000, 0x503000, m->heap + 0x2000, VMM_PAGE_PRESENT | VMM_PAGE_ZERO};
	m->target.memory[m->target.memory_count++] = (struct fake_memory){0x503000, 0x504000, m->heap + 0x3000, VMM_PAGE_SWAPPED};
	m->target.memory[m->target.memory_count++] =
	    (struct fake_memory){0x7f0000000000, 0x7f0000004000, m->stack, VMM_PAGE_PRESENT | VMM_PAGE_HUGE};
}

#endif
