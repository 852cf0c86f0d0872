#include "analysis/heap_total.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

bool vmm_heap_is(const struct vmm_heap *heap, const char *id)
{
	return !id || strcmp(heap->id, id) == 0;
}

bool vmm_heap_accounts(const struct vmm_heap *h, struct vmm_heap_accounts *ret)
{
	memset(ret, 0, sizeof(*ret));
	/* A heap without a region lies in gaps of images: their regions have its bytes. */
	if (!h->contents || (vmm_metric_known(&h->m, VMM_METRIC_SIZE) && h->m.value[VMM_METRIC_SIZE] == 0))
		return false;
	for (int state = 0; state < VMM_CHUNK_STATE_COUNT; state++) {
		ret->size.sum += h->contents->sums.of[state].bytes;
		ret->rss.sum += h->contents->sums.of[state].rss;
	}
	ret->size.sum_known = true;
	ret->rss.sum_known = h->contents->resident_known;
	ret->size.kernel_known = vmm_metric_known(&h->m, VMM_METRIC_SIZE);
	ret->rss.kernel_known = ret->rss.sum_known && vmm_metric_known(&h->m, VMM_METRIC_RSS);
	ret->size.kernel = h->m.value[VMM_METRIC_SIZE];
	ret->rss.kernel = h->m.value[VMM_METRIC_RSS];
	if (ret->size.kernel_known)
		ret->size.remainder = (int64_t)(ret->size.sum - ret->size.kernel);
	if (ret->rss.kernel_known)
		ret->rss.remainder = (int64_t)(ret->rss.sum - ret->rss.kernel);
	return true;
}

static void add_contents(struct vmm_heap_contents *sum, const struct vmm_heap_contents *c)
{
	for (int i = 0; i < VMM_CHUNK_STATE_COUNT; i++) {
		sum->sums.of[i].count += c->sums.of[i].count;
		sum->sums.of[i].bytes += c->sums.of[i].bytes;
		sum->sums.of[i].rss += c->sums.of[i].rss;
	}
	for (size_t i = 0; i < ARRAY_LEN(sum->used_log2); i++) {
		sum->used_log2[i] += c->used_log2[i];
		sum->free_log2[i] += c->free_log2[i];
	}
	sum->largest_free = vmm_max_u64(sum->largest_free, c->largest_free);
	sum->resident_known &= c->resident_known;
	sum->trim_known |= c->trim_known;
	sum->trimmable += c->trimmable;
	sum->trimmable_size += c->trimmable_size;
	sum->classes_complete &= c->classes_complete;
}

static int by_size(const void *a, const void *b)
{
	const struct vmm_size_class *x = a, *y = b;

	return x->size < y->size ? -1 : x->size > y->size;
}

/* The classes of all heaps, each size once. */
static bool merge_classes(const struct vmm_snapshot *s, const char *id, struct vmm_arena *arena, struct vmm_heap_contents *sum)
{
	struct vmm_size_class *v;
	size_t count = 0, kept = 0;

	for (uint32_t i = 0; i < s->heap_count; i++)
		if (s->heaps[i].contents && vmm_heap_is(&s->heaps[i], id))
			count += s->heaps[i].contents->class_count;
	v = vmm_arena_array(arena, count + 1, sizeof(*v));
	if (!v)
		return false;
	count = 0;
	for (uint32_t i = 0; i < s->heap_count; i++) {
		const struct vmm_heap_contents *c = s->heaps[i].contents;

		if (!c || !c->class_count || !vmm_heap_is(&s->heaps[i], id))
			continue;
		memcpy(v + count, c->classes, c->class_count * sizeof(*v));
		count += c->class_count;
	}
	qsort(v, count, sizeof(*v), by_size);
	for (size_t i = 0; i < count; i++) {
		if (kept && v[kept - 1].size == v[i].size) {
			v[kept - 1].used += v[i].used;
			v[kept - 1].free += v[i].free;
		} else {
			v[kept++] = v[i];
		}
	}
	sum->classes = v;
	sum->class_count = (uint32_t)kept;
	return true;
}

int vmm_heaps_total(const struct vmm_snapshot *s, const char *id, struct vmm_arena *arena,
                    const struct vmm_heap **ret_heap, struct vmm_err *err)
{
	struct vmm_heap *h = vmm_arena_alloc(arena, sizeof(*h));
	struct vmm_heap_contents *sum = vmm_arena_alloc(arena, sizeof(*sum));
	bool any = false;

	if (!h || !sum)
		return vmm_fail_nomem(err);
	h->id = h->reader = "total";
	h->label = "Total";
	h->proved = true;
	vmm_metrics_zero(&h->m);
	sum->classes_complete = sum->resident_known = true;
	for (uint32_t i = 0; i < s->heap_count; i++) {
		if (!vmm_heap_is(&s->heaps[i], id))
			continue;
		vmm_metrics_add(&h->m, &s->heaps[i].m);
		h->thread_count += s->heaps[i].thread_count;
		if (s->heaps[i].contents)
			add_contents(sum, s->heaps[i].contents);
		any |= s->heaps[i].contents != NULL;
		h->proved &= s->heaps[i].contents != NULL;
	}
	if (!merge_classes(s, id, arena, sum))
		return vmm_fail_nomem(err);
	h->contents = any ? sum : NULL;
	*ret_heap = h;
	return 0;
}
