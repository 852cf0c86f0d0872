/*
 * Main arenas that are not one piece of brk heap: something was mapped in the way of the program break, and malloc
 * went on with mappings of its own. Each such segment begins at a page with a chunk whose previous size is 0 and whose
 * only flag is PREV_INUSE, and its chunks lead to top or to a double fencepost at the segment's end.
 *
 * Layout: glibc malloc/malloc.c, sysmalloc(), 2.26 to 2.43.
 */
#include <stdlib.h>

#include "reader/glibc.h"
#include "reader/walk_memory.h"

#define FLAGS UINT64_C(7)
#define PREV_INUSE 1
#define STEPS_MAX (UINT64_C(1) << 24)
#define BUDGET (UINT64_C(256) << 20)
#define TIME_NS (UINT64_C(2) * 1000000000)

uint64_t glibc_follow_chain(struct vmm_walk *w, uint64_t chunk, uint64_t end, uint64_t top, uint64_t align, uint64_t steps)
{
	unsigned word = vmm_reading_word(w->r);
	uint64_t at = chunk, size;

	for (uint64_t i = 0; i < steps; i++, at += size) {
		if (end - at < 2 * word || !vmm_walk_words(w, at + word, &size, 1))
			return 0;
		/* Neither mapped for itself nor of another arena; the first one has no free one before it. */
		if (size & 6 || (i == 0 && !(size & PREV_INUSE)))
			return 0;
		size &= ~FLAGS;
		if (at == top)
			return at;
		if (size == 2 * word || size == 0)
			return i ? at : 0;
		if (size < 2 * align || size % align || size > end - at)
			return 0;
	}
	return at;
}

struct segments {
	struct vmm_walk *w;
	const struct glibc_arena *arena;
	uint64_t align, page, sum;
	uint32_t heap;
	const char *label;
};

/* The end of the segment that begins with this chunk, 0 when none does. limit: the end of its mapping. */
static uint64_t segment_end(struct segments *s, uint64_t chunk, uint64_t limit)
{
	unsigned word = vmm_reading_word(s->w->r);
	uint64_t last = glibc_follow_chain(s->w, chunk, limit, s->arena->top, s->align, STEPS_MAX), sizes[3], end;

	if (!last)
		return 0;
	if (last == s->arena->top) {
		if (!vmm_walk_words(s->w, last + word, sizes, 1))
			return 0;
		end = vmm_add_sat(last, sizes[0] & ~FLAGS);
	} else {
		/* Both fenceposts, 2P bytes each. */
		if (!vmm_walk_words(s->w, last + word, sizes, 3) || ((sizes[2] & ~FLAGS) != 2 * word && (sizes[2] & ~FLAGS) != 0))
			return 0;
		end = vmm_align_up(last + 4 * word, s->page);
	}
	return end <= limit ? end : 0;
}

static int add_segment(struct segments *s, uint64_t start, uint64_t end, struct vmm_err *err)
{
	struct vmm_area area = {.start = start, .end = end, .heap = s->heap, .details = s->label};

	return vmm_reading_add_area(s->w->r, &area, err);
}

/* Segments at pages of one mapping. */
static int search_mapping(struct segments *s, const struct vmm_vma *v, struct vmm_err *err)
{
	unsigned word = vmm_reading_word(s->w->r);
	uint64_t lead = s->align - 2 * word, words[2], end, next;
	int rc = 0;

	for (uint64_t at = v->start; rc == 0 && at < v->end && s->sum < s->arena->system_mem; at = next) {
		next = at + s->page;
		if (!vmm_walk_words(s->w, at + lead, words, 2) || words[0] != 0 || (words[1] & FLAGS) != PREV_INUSE)
			continue;
		end = segment_end(s, at + lead, v->end);
		if (!end)
			continue;
		rc = add_segment(s, at, end, err);
		s->sum += end - at;
		next = end;
	}
	return rc;
}

static bool may_hold_segment(const struct vmm_reading *r, const struct vmm_vma *v)
{
	for (size_t i = 0; i < r->area_count; i++)
		if (r->areas[i].start < v->end && v->start < r->areas[i].end)
			return false;
	return v->backing == VMM_BACKING_ANON && !v->name[0] &&
	       (v->prot & (VMM_PROT_READ | VMM_PROT_WRITE)) == (VMM_PROT_READ | VMM_PROT_WRITE);
}

static int search_all(struct segments *s, uint64_t base, struct vmm_err *err)
{
	const struct vmm_snapshot *snapshot = s->w->r->snapshot;
	const struct vmm_vma *v = base ? vmm_snapshot_vma_at(snapshot, base) : NULL;
	uint64_t end = v && vmm_vma_is_brk(v) ? segment_end(s, base, v->end) : 0;
	int rc = 0;

	/* What there is of it in the brk heap. */
	if (end) {
		rc = add_segment(s, v->start, end, err);
		s->sum += end - base;
	}
	for (uint32_t i = 0; i < snapshot->vma_count && rc == 0 && s->sum < s->arena->system_mem; i++)
		if (may_hold_segment(s->w->r, &snapshot->vmas[i]))
			rc = search_mapping(s, &snapshot->vmas[i], err);
	return rc;
}

int glibc_add_segments(struct vmm_reading *r, const struct glibc_copy *copy, const struct glibc_arena *a, uint32_t heap,
                       const char *label, struct vmm_err *err)
{
	struct segments s = {.w = vmm_alloc_hook(NULL, sizeof(*s.w)), .arena = a, .heap = heap, .label = label};
	size_t areas = r->area_count;
	int rc;

	if (!s.w)
		return vmm_fail_nomem(err);
	memset(s.w, 0, sizeof(*s.w));
	s.w->r = r;
	s.w->memory = vmm_walk_memory_create(r);
	s.align = glibc_alignment(r, &copy->heaps);
	s.page = r->snapshot->target.page_size;
	if (s.w->memory) {
		vmm_walk_memory_reset(s.w->memory, true, BUDGET, vmm_now_ns() + TIME_NS);
		rc = search_all(&s, copy->params_known ? copy->params.sbrk_base : 0, err);
	} else
		rc = vmm_fail_nomem(err);
	vmm_walk_memory_destroy(s.w->memory);
	free(s.w);
	/* Some of them could be anyone's. */
	if (s.sum > a->system_mem)
		r->area_count = areas;
	return rc;
}
