/* Snapshots made up of rows that say what each region is, for what compares two of them. */
#ifndef VMM_TESTS_DIFF_SAMPLE_H
#define VMM_TESTS_DIFF_SAMPLE_H

#include "view_sample.h"

#define DIFF_MAX 32

struct diff_row {
	uint64_t start, size;
	enum vmm_kind kind;
	uint8_t prot;
	const char *path;     /* NULL: none */
	uint64_t offset, inode;
	int32_t tid;          /* 0: no thread */
	const char *name;     /* of the thread */
	const char *heap;     /* id; NULL: none */
	const char *build_id; /* of an image; NULL: no module */
	uint64_t rss;
	bool rss_unknown;
};

#define RW (VMM_PROT_READ | VMM_PROT_WRITE)

static inline uint32_t diff_heap(struct vmm_snapshot *s, const char *id)
{
	uint32_t i = 0;

	while (i < s->heap_count && strcmp(s->heaps[i].id, id) != 0)
		i++;
	if (i == s->heap_count) {
		s->heaps[s->heap_count++] = (struct vmm_heap){.id = id, .reader = "glibc", .label = id};
		vmm_metrics_zero(&s->heaps[i].m);
	}
	return i;
}

static inline void diff_owner(struct vmm_snapshot *s, struct vmm_region *r, const struct diff_row *row)
{
	uint32_t at = s->region_count - 1;

	if (row->tid) {
		s->threads[s->thread_count] = (struct vmm_thread){.tid = row->tid, .name = row->name, .state = 'S', .region = at};
		r->thread = s->thread_count++;
	}
	if (row->kind == VMM_KIND_IMAGE && row->build_id) {
		s->modules[s->module_count] = (struct vmm_module){.start = r->start,
		                                                  .end = r->end,
		                                                  .bias = r->start,
		                                                  .path = r->path,
		                                                  .build_id = row->build_id,
		                                                  .program = s->module_count == 0,
		                                                  .region = at};
		r->module = s->module_count++;
	}
	if (row->heap) {
		r->heap = diff_heap(s, row->heap);
		vmm_metrics_add(&s->heaps[r->heap].m, r->m);
	}
}

/* Rows by rising address; pid of the target. */
static inline struct vmm_snapshot *diff_snapshot(int32_t pid, const struct diff_row *rows, size_t count)
{
	struct vmm_snapshot *s = vmm_snapshot_create();

	assert_non_null(s);
	assert_true(count <= DIFF_MAX);
	s->vmas = vmm_arena_array(s->arena, DIFF_MAX, sizeof(*s->vmas));
	s->regions = vmm_arena_array(s->arena, DIFF_MAX, sizeof(*s->regions));
	s->blocks = vmm_arena_array(s->arena, DIFF_MAX, sizeof(*s->blocks));
	s->threads = vmm_arena_array(s->arena, DIFF_MAX, sizeof(*s->threads));
	s->modules = vmm_arena_array(s->arena, DIFF_MAX, sizeof(*s->modules));
	s->heaps = vmm_arena_array(s->arena, DIFF_MAX, sizeof(*s->heaps));
	assert_non_null(s->heaps);
	s->needs = VMM_NEED_DEFAULT;
	s->target = (struct vmm_target_info){.source = "live", .pid = pid, .name = "demo", .exe = "", .cmdline = "", .cgroup = "",
	                                     .arch = "x86_64", .bits = 64, .page_size = 4096, .uid = -1, .state = 'S'};
	for (size_t i = 0; i < count; i++) {
		const struct diff_row *row = &rows[i];
		struct vmm_metrics *m = sample_metrics(s, row->size, row->rss, 0);

		if (row->rss_unknown) {
			m->known &= ~(UINT32_C(1) << VMM_METRIC_RSS);
			m->value[VMM_METRIC_RSS] = 0;
		}
		sample_single(s, row->start, row->start + row->size, row->kind, row->prot, row->path ? row->path : "",
		              row->path ? row->path : "", m);
		s->vmas[s->vma_count - 1].inode = row->inode;
		s->vmas[s->vma_count - 1].offset = row->offset;
		diff_owner(s, &s->regions[s->region_count - 1], row);
	}
	sample_totals(s);
	vmm_metrics_zero(&s->types[VMM_KIND_PAGE_TABLE].m);
	vmm_metrics_zero(&s->types[VMM_KIND_FREE].m);
	s->types[VMM_KIND_FREE].blocks = 0;
	return s;
}

#endif
