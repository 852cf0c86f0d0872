/*
 * A snapshot made by hand, the same on every machine: a 64-bit process with seven regions and known numbers.
 * The regions, in KiB (size, committed, private, rss):
 *   5555_5555_4000  image        1,024  1,024     64    512
 *   5555_5580_0000  heap         2,048  2,048  2,048  1,536
 *   6000_0000_0000  private     20 TiB  4,096  4,096  4,096    MAP_NORESERVE
 *   7fff_f000_0000  mapped_file    512    512      0    256
 *   7fff_f008_0000  stack        8,192  8,188  8,188     20    a thread's
 *   7fff_f788_0000  image        2,048  2,048     32  1,024
 *   7fff_ffff_0000  system          16     16      0      4
 */
#ifndef VMM_TESTS_GOLDEN_FAKE_H
#define VMM_TESTS_GOLDEN_FAKE_H

#include <string.h>

#include "model/build.h"
#include "vmmap/target.h"

struct fake_region {
	uint64_t start, size, committed, private_bytes, rss;
	enum vmm_kind kind;
	uint8_t prot;
	const char *details, *path;
};

#define FAKE_K(n) ((uint64_t)(n) * 1024)
#define FAKE_USER_END UINT64_C(0x7ffffffff000)

static const struct fake_region fake_regions[] = {
    {0x555555554000, FAKE_K(1024), FAKE_K(1024), FAKE_K(64), FAKE_K(512), VMM_KIND_IMAGE, VMM_PROT_READ | VMM_PROT_EXEC,
     "/usr/bin/fake", "/usr/bin/fake"},
    {0x555555800000, FAKE_K(2048), FAKE_K(2048), FAKE_K(2048), FAKE_K(1536), VMM_KIND_HEAP,
     VMM_PROT_READ | VMM_PROT_WRITE, "brk heap", ""},
    {0x600000000000, UINT64_C(20) << 40, FAKE_K(4096), FAKE_K(4096), FAKE_K(4096), VMM_KIND_PRIVATE_DATA,
     VMM_PROT_READ | VMM_PROT_WRITE, "", ""},
    {0x7ffff0000000, FAKE_K(512), FAKE_K(512), 0, FAKE_K(256), VMM_KIND_MAPPED_FILE, VMM_PROT_READ,
     "/tmp/\033[31mred\nline", "/tmp/\033[31mred\nline"},
    {0x7ffff0080000, FAKE_K(8192), FAKE_K(8188), FAKE_K(8188), FAKE_K(20), VMM_KIND_STACK,
     VMM_PROT_READ | VMM_PROT_WRITE, "thread 4711 fake", ""},
    {0x7ffff7880000, FAKE_K(2048), FAKE_K(2048), FAKE_K(32), FAKE_K(1024), VMM_KIND_IMAGE,
     VMM_PROT_READ | VMM_PROT_EXEC, "/usr/lib/libfake.so.1", "/usr/lib/libfake.so.1"},
    {0x7fffffff0000, FAKE_K(16), FAKE_K(16), 0, FAKE_K(4), VMM_KIND_SYSTEM, VMM_PROT_READ, "[vdso]", ""},
};
#define FAKE_COUNT (sizeof(fake_regions) / sizeof(fake_regions[0]))

static inline void fake_metrics(struct vmm_metrics *m, const struct fake_region *f)
{
	vmm_metrics_zero(m);
	vmm_metric_set(m, VMM_METRIC_SIZE, f->size);
	vmm_metric_set(m, VMM_METRIC_COMMITTED, f->committed);
	vmm_metric_set(m, VMM_METRIC_PRIVATE, f->private_bytes);
	vmm_metric_set(m, VMM_METRIC_RSS, f->rss);
	vmm_metric_set(m, VMM_METRIC_PSS, f->rss / 2);
	m->known &= ~((UINT32_C(1) << VMM_METRIC_USED) | (UINT32_C(1) << VMM_METRIC_UNUSED));
}

static inline void fake_add_type(struct vmm_type_total *t, const struct vmm_metrics *m, uint64_t size)
{
	vmm_metrics_add(&t->m, m);
	t->blocks++;
	t->regions++;
	t->counted = true;
	if (size > t->largest)
		t->largest = size;
}

static inline void fake_fill_region(struct vmm_snapshot *s, uint32_t i, const struct fake_region *f)
{
	struct vmm_vma *v = &s->vmas[i];
	struct vmm_block *b = &s->blocks[i];
	struct vmm_region *r = &s->regions[i];

	v->start = b->start = r->start = f->start;
	v->end = b->end = r->end = f->start + f->size;
	v->name = f->path;
	v->prot = r->prot = f->prot;
	v->backing = f->path[0] ? VMM_BACKING_FILE : VMM_BACKING_ANON;
	v->vm_flags = VMM_VF_KNOWN | VMM_VF(rd) | (f->prot & VMM_PROT_WRITE ? VMM_VF(wr) | VMM_VF(ac) : 0);
	v->page_size = 4096;
	fake_metrics(&v->m, f);
	b->m = r->m = &v->m;
	b->vma = b->region = r->first_block = i;
	b->label = "";
	r->block_count = 1;
	r->kind = f->kind;
	r->module = r->thread = r->heap = VMM_NONE;
	r->details = f->details;
	r->path = f->path;
	fake_add_type(&s->types[f->kind], &v->m, f->size);
	fake_add_type(&s->total, &v->m, f->size);
}

static inline void fake_fill_gaps(struct vmm_snapshot *s)
{
	uint64_t at = 0x10000;

	s->gaps[s->gap_count++] = (struct vmm_gap){0, 0x10000, VMM_KIND_UNUSABLE, "below vm.mmap_min_addr"};
	for (uint32_t i = 0; i <= FAKE_COUNT; i++) {
		uint64_t next = i < FAKE_COUNT ? fake_regions[i].start : FAKE_USER_END;

		if (next > at)
			s->gaps[s->gap_count++] = (struct vmm_gap){at, next, VMM_KIND_FREE, ""};
		at = i < FAKE_COUNT ? fake_regions[i].start + fake_regions[i].size : next;
	}
}

static inline void fake_fill_rest(struct vmm_snapshot *s)
{
	static struct vmm_limit limits[] = {
	    {.id = "max_map_count", .text = "mappings", .known = true, .soft = 65530, .hard = 65530,
	     .used_known = true, .used = 7},
	    {.id = "as", .text = "address space", .known = true, .soft = UINT64_MAX, .hard = UINT64_MAX, .bytes = true},
	    {.id = "stack", .text = "stack", .known = true, .soft = 8 << 20, .hard = UINT64_MAX, .bytes = true}};
	static struct vmm_account accounts[] = {
	    {.id = "size", .label = "sum of sizes = VmSize", .sum_known = true, .kernel_known = true, .sum = 21990246727680,
	     .kernel = 21990246727680, .explanation = ""},
	    {.id = "rss", .label = "sum of rss = VmRSS", .sum_known = true, .kernel_known = true, .sum = 7626752,
	     .kernel = 7622656, .remainder = 4096, .explanation = "the kernel counts in batches"},
	    {.id = "swap", .label = "sum of swap = VmSwap", .explanation = "VmSwap could not be read"}};
	static struct vmm_note notes[] = {{.from = "elf", .code = "denied", .text = "sections are missing", .count = 3},
	                                  {.from = "smaps", .code = "torn", .text = "read twice", .address = 0x1000,
	                                   .count = 1}};

	s->limits = limits;
	s->limit_count = 3;
	s->accounts = accounts;
	s->account_count = 3;
	s->notes = notes;
	s->note_count = 2;
}

/* NULL when memory is out. Free it with vmm_snapshot_destroy(). */
static inline struct vmm_snapshot *fake_snapshot(void)
{
	struct vmm_snapshot *s = vmm_snapshot_create();
	struct vmm_target_info *t;

	if (!s)
		return NULL;
	t = &s->target;
	t->source = "live";
	t->pid = 4711;
	t->uid = 4242424;
	t->name = "fake\033]0;title\007";
	t->exe = "/usr/bin/fake";
	t->arch = "x86_64";
	t->bits = 64;
	t->page_size = 4096;
	t->state = 'S';
	t->user_end = FAKE_USER_END;
	t->status[VMM_STATUS_THREADS] = 2;
	t->status_known = 1u << VMM_STATUS_THREADS;
	s->needs = VMM_NEED_DEFAULT;
	s->vmas = vmm_arena_array(s->arena, FAKE_COUNT, sizeof(*s->vmas));
	s->blocks = vmm_arena_array(s->arena, FAKE_COUNT, sizeof(*s->blocks));
	s->regions = vmm_arena_array(s->arena, FAKE_COUNT, sizeof(*s->regions));
	s->gaps = vmm_arena_array(s->arena, FAKE_COUNT + 2, sizeof(*s->gaps));
	for (int k = 0; k < VMM_KIND_COUNT; k++) {
		s->types[k].kind = (enum vmm_kind)k;
		vmm_metrics_zero(&s->types[k].m);
	}
	vmm_metrics_zero(&s->total.m);
	s->vma_count = s->block_count = s->region_count = FAKE_COUNT;
	for (uint32_t i = 0; i < FAKE_COUNT; i++)
		fake_fill_region(s, i, &fake_regions[i]);
	fake_fill_gaps(s);
	fake_fill_rest(s);
	return s;
}

#endif
