#include "reader/walk_sums.h"

#include <stdlib.h>

#define CLASS_SLOTS 16384 /* of the table of sizes from VMM_WALK_SMALL on */
#define CLASSES_MAX 12288 /* taken at most */
#define CLASSES_KEPT 2048 /* listed at most, those with most bytes */

struct vmm_walk_sums {
	struct vmm_heap_contents c;
	struct vmm_chunk_sums area_sums;
	uint64_t area_start, area_end;
	struct vmm_size_class small[VMM_WALK_SMALL];
	struct vmm_size_class *large; /* open addressing; size 0: empty */
	size_t large_count;
	bool overflow;
};

struct vmm_walk_sums *vmm_walk_sums_create(void)
{
	struct vmm_walk_sums *s = vmm_alloc_hook(NULL, sizeof(*s));

	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s));
	s->large = vmm_alloc_hook(NULL, CLASS_SLOTS * sizeof(*s->large));
	if (!s->large) {
		free(s);
		return NULL;
	}
	memset(s->large, 0, CLASS_SLOTS * sizeof(*s->large));
	return s;
}

void vmm_walk_sums_destroy(struct vmm_walk_sums *s)
{
	if (s)
		free(s->large);
	free(s);
}

void vmm_walk_sums_reset(struct vmm_walk_sums *s)
{
	memset(&s->c, 0, sizeof(s->c));
	memset(&s->area_sums, 0, sizeof(s->area_sums));
	memset(s->small, 0, sizeof(s->small));
	if (s->large_count)
		memset(s->large, 0, CLASS_SLOTS * sizeof(*s->large));
	s->large_count = 0;
	s->overflow = false;
}

void vmm_walk_sums_area(struct vmm_walk_sums *s, const struct vmm_area *area)
{
	memset(&s->area_sums, 0, sizeof(s->area_sums));
	s->area_start = area->start;
	s->area_end = area->end;
}

const struct vmm_chunk_sums *vmm_walk_sums_of_area(const struct vmm_walk_sums *s)
{
	return &s->area_sums;
}

/* What a program could have had, or has; not the allocator's own. */
static bool is_free(enum vmm_chunk_state state)
{
	return state == VMM_CHUNK_CACHED || state == VMM_CHUNK_FAST || state == VMM_CHUNK_FREE;
}

static struct vmm_size_class *class_of(struct vmm_walk_sums *s, uint64_t size)
{
	size_t slot = (size_t)((size * UINT64_C(0x9e3779b97f4a7c15)) >> 50) % CLASS_SLOTS;

	if (size < VMM_WALK_SMALL)
		return &s->small[size];
	for (; s->large[slot].size != size; slot = (slot + 1) % CLASS_SLOTS)
		if (s->large[slot].size == 0) {
			if (s->large_count == CLASSES_MAX) {
				s->overflow = true;
				return NULL;
			}
			s->large_count++;
			s->large[slot].size = size;
			break;
		}
	return &s->large[slot];
}

static void count_class(struct vmm_walk_sums *s, enum vmm_chunk_state state, uint64_t usable, uint64_t count)
{
	unsigned log2 = usable > 1 ? 63 - (unsigned)__builtin_clzll(usable) : 0;
	struct vmm_size_class *class;

	if (is_free(state) || state == VMM_CHUNK_TOP)
		s->c.largest_free = vmm_max_u64(s->c.largest_free, usable);
	if (state != VMM_CHUNK_USED && !is_free(state))
		return;
	class = class_of(s, usable);
	if (state == VMM_CHUNK_USED) {
		s->c.used_log2[log2] += count;
		if (class)
			class->used += count;
	} else {
		s->c.free_log2[log2] += count;
		if (class)
			class->free += count;
	}
}

static void add_to(struct vmm_chunk_sums *sums, enum vmm_chunk_state state, uint64_t count, uint64_t bytes, uint64_t rss)
{
	sums->of[state].count += count;
	sums->of[state].bytes += bytes;
	sums->of[state].rss += rss;
}

/* Adds bytes to the heap, and to the area what of them lies in it: a heap may have grown since the map was read. */
static void add_range(struct vmm_walk *w, enum vmm_chunk_state state, uint64_t count, uint64_t start, uint64_t size)
{
	struct vmm_walk_sums *s = w->sums;
	uint64_t end = vmm_add_sat(start, size), rss = vmm_walk_resident(w, start, end);

	add_to(&s->c.sums, state, count, size, rss);
	if (start >= s->area_start && end <= s->area_end) {
		add_to(&s->area_sums, state, count, size, rss);
		return;
	}
	start = vmm_max_u64(start, s->area_start);
	end = vmm_min_u64(end, s->area_end);
	if (start < end)
		add_to(&s->area_sums, state, count, end - start, vmm_walk_resident(w, start, end));
}

void vmm_walk_sums_add(struct vmm_walk *w, uint64_t start, uint64_t size, uint32_t lead, uint32_t tail, enum vmm_chunk_state state)
{
	uint64_t usable = size - lead - tail;

	count_class(w->sums, state, usable, 1);
	add_range(w, state, 1, start + lead, usable);
	if (lead)
		add_range(w, VMM_CHUNK_META, 0, start, lead);
	if (tail)
		add_range(w, VMM_CHUNK_META, 0, start + size - tail, tail);
}

void vmm_walk_sums_drain(struct vmm_walk *w)
{
	struct vmm_walk_sums *s = w->sums;

	if (!w->small_used)
		return;
	for (int state = 0; state < VMM_CHUNK_STATE_COUNT; state++)
		for (uint64_t size = 0; size < VMM_WALK_SMALL; size++) {
			uint64_t count = w->small[state][size];

			if (!count)
				continue;
			w->small[state][size] = 0;
			count_class(s, (enum vmm_chunk_state)state, size, count);
			add_to(&s->c.sums, (enum vmm_chunk_state)state, count, count * size, count * size);
			add_to(&s->area_sums, (enum vmm_chunk_state)state, count, count * size, count * size);
		}
	add_to(&s->c.sums, VMM_CHUNK_META, 0, w->small_padding, w->small_padding);
	add_to(&s->area_sums, VMM_CHUNK_META, 0, w->small_padding, w->small_padding);
	w->small_padding = 0;
	w->small_used = false;
}

void vmm_walk_sums_trim(struct vmm_walk *w, uint64_t start, uint64_t end)
{
	struct vmm_heap_contents *c = &w->sums->c;
	uint64_t page = w->r->snapshot->target.page_size;

	c->trim_known = true;
	start = vmm_align_up(start, page);
	end = vmm_align_down(end, page);
	if (start >= end)
		return;
	c->trimmable_size += end - start;
	c->trimmable += vmm_walk_resident(w, start, end);
}

static int by_bytes(const void *a, const void *b)
{
	const struct vmm_size_class *x = a, *y = b;
	uint64_t p = x->size * (x->used + x->free), q = y->size * (y->used + y->free);

	return p < q ? 1 : p > q ? -1 : x->size < y->size ? -1 : x->size > y->size;
}

static int by_size(const void *a, const void *b)
{
	const struct vmm_size_class *x = a, *y = b;

	return x->size < y->size ? -1 : x->size > y->size;
}

const struct vmm_heap_contents *vmm_walk_sums_finish(struct vmm_walk_sums *s, bool resident_known, struct vmm_arena *arena)
{
	struct vmm_heap_contents *c = vmm_arena_alloc(arena, sizeof(*c));
	struct vmm_size_class *classes = vmm_alloc_hook(NULL, (VMM_WALK_SMALL + s->large_count + 1) * sizeof(*classes)), *kept;
	size_t count = 0;

	if (!c || !classes) {
		free(classes);
		return NULL;
	}
	for (uint64_t i = 0; i < VMM_WALK_SMALL; i++)
		if (s->small[i].used || s->small[i].free)
			classes[count++] = (struct vmm_size_class){i, s->small[i].used, s->small[i].free};
	for (size_t i = 0; i < CLASS_SLOTS && s->large_count; i++)
		if (s->large[i].size)
			classes[count++] = s->large[i];
	*c = s->c;
	c->resident_known = resident_known;
	c->classes_complete = !s->overflow && count <= CLASSES_KEPT;
	if (count > CLASSES_KEPT) {
		qsort(classes, count, sizeof(*classes), by_bytes);
		count = CLASSES_KEPT;
	}
	qsort(classes, count, sizeof(*classes), by_size);
	kept = vmm_arena_array(arena, count + 1, sizeof(*kept));
	if (kept) {
		memcpy(kept, classes, count * sizeof(*kept));
		c->classes = kept;
		c->class_count = (uint32_t)count;
	}
	free(classes);
	return kept ? c : NULL;
}
