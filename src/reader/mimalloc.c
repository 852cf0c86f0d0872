/*
 * mimalloc 2: finding its segments, whose they are, and which version laid them out.
 *
 * Segments stand at multiples of 32 MiB and hold a cookie that is the same for all of them when combined with the
 * address. A few such places in each mapping are looked at; all of them once a segment was found.
 */
#include <stdlib.h>

#include "reader/mimalloc.h"

#define FIRST_LOOKS 12   /* places of one mapping */
#define FIRST_TOTAL 128  /* of all */
#define LOOKS_MAX 65536  /* of all, when there are segments */
#define JUDGED 8         /* segments by which the layout is chosen */
#define ENTRIES_BYTES (MIMALLOC_ENTRIES_MAX * MIMALLOC_ENTRY_MAX)
#define DESCRIPTOR_BYTES 4096 /* a thread descriptor's address lies this close above its thread pointer */

/* A place that looks like a segment, with headers of one kind. */
struct found {
	struct mimalloc_segment s;
	const struct mimalloc_layout *layout; /* the first one with this header */
	bool freed;
};

struct search {
	struct vmm_reading *r;
	bool all;
	uint64_t looks;
	struct found *found;
	size_t count, capacity;
	unsigned char entries[ENTRIES_BYTES];
};

/* Private memory from start to end without a hole. */
static bool is_mapped(const struct vmm_snapshot *s, uint64_t start, uint64_t end)
{
	const struct vmm_vma *v = vmm_snapshot_vma_at(s, start), *last = s->vmas + s->vma_count;

	for (; v && v < last && v->start <= start && !v->inode && !(v->prot & VMM_PROT_SHARED); v++) {
		start = v->end;
		if (start >= end)
			return true;
	}
	return false;
}

static int look_at(struct search *c, uint64_t address, struct vmm_err *err)
{
	uint64_t words[MIMALLOC_HEADER_WORDS];

	c->looks++;
	if (!vmm_reading_words(c->r, address, words, MIMALLOC_HEADER_WORDS))
		return 0;
	for (int i = 0; i < MIMALLOC_LAYOUTS; i++) {
		const struct mimalloc_layout *l = &mimalloc_layouts[i];
		struct found f = {.layout = l};

		if (!mimalloc_parse_segment(l, address, words, &f.s) || !is_mapped(c->r->snapshot, f.s.start, f.s.end))
			continue;
		f.freed = f.s.used == 0 && f.s.thread == 0;
		if (!vmm_grow(&c->found, &c->capacity, c->count + 1, sizeof(f)))
			return vmm_fail_nomem(err);
		c->found[c->count++] = f;
		break;
	}
	return 0;
}

static int search(struct search *c, struct vmm_err *err)
{
	const struct vmm_snapshot *s = c->r->snapshot;
	uint64_t most = c->all ? LOOKS_MAX : FIRST_TOTAL, each = c->all ? LOOKS_MAX : FIRST_LOOKS;
	int rc = 0;

	c->looks = c->count = 0;
	for (uint32_t i = 0; i < s->vma_count && rc == 0 && !c->r->denied; i++) {
		const struct vmm_vma *v = &s->vmas[i];
		uint64_t at = vmm_align_up(v->start, MIMALLOC_SEGMENT_ALIGN), stop = c->looks + each;

		if (v->backing != VMM_BACKING_ANON || (v->prot & (VMM_PROT_READ | VMM_PROT_WRITE | VMM_PROT_SHARED)) != (VMM_PROT_READ | VMM_PROT_WRITE))
			continue;
		for (; at >= v->start && at < v->end && rc == 0 && c->looks < stop && c->looks < most; at += MIMALLOC_SEGMENT_ALIGN)
			rc = look_at(c, at, err);
	}
	return rc;
}

/* The cookie that most segments have; others are look-alikes. */
static uint64_t common_cookie(const struct search *c)
{
	uint64_t cookie = 0, lead = 0;

	/* Whatever has the majority survives; without one it does not matter which. */
	for (size_t i = 0; i < c->count; i++) {
		if (lead == 0)
			cookie = c->found[i].s.cookie;
		lead = c->found[i].s.cookie == cookie ? lead + 1 : lead - 1;
	}
	return cookie;
}

/* Drops look-alikes, and what a freed segment left inside another one. */
static void sift(struct search *c)
{
	uint64_t cookie = common_cookie(c), live_end = 0, kept_end = 0;
	size_t kept = 0;

	for (size_t i = 0; i < c->count; i++) {
		struct found f = c->found[i];

		if (f.s.cookie != cookie || f.s.start < live_end || (f.freed && f.s.start < kept_end))
			continue;
		/* Blocks of a large freed segment may be in use again as segments of their own. */
		if (kept && c->found[kept - 1].s.end > f.s.start)
			c->found[kept - 1].s.end = f.s.start;
		if (!f.freed)
			live_end = f.s.end;
		kept_end = f.s.end;
		c->found[kept++] = f;
	}
	c->count = kept;
}

/* Whether all spans of a segment make sense in this layout. */
static bool fits(const struct search *c, const struct mimalloc_layout *l, const struct mimalloc_segment *s)
{
	struct mimalloc_span span;
	uint32_t index = s->info_count;
	uint64_t pages = 0;

	for (; index < s->entry_count; index += span.slices) {
		if (!mimalloc_parse_span(l, s, index, c->entries + (size_t)index * l->entry_size, &span))
			return false;
		pages += span.block_size != 0;
	}
	return index == s->slice_count && pages == s->used;
}

/* The layout that fits most of some segments; NULL when none fits any. Where none could be read, the walk will tell. */
static const struct mimalloc_layout *choose_layout(struct search *c)
{
	const struct mimalloc_layout *best = NULL;
	unsigned scores[MIMALLOC_LAYOUTS] = {0}, judged = 0, high = 0;

	for (size_t i = 0; i < c->count && judged < JUDGED; i++) {
		const struct found *f = &c->found[i];

		if (f->freed || !vmm_reading_bytes(c->r, f->s.start + f->layout->entries, c->entries, sizeof(c->entries)))
			continue;
		judged++;
		for (int k = 0; k < MIMALLOC_LAYOUTS; k++)
			scores[k] += mimalloc_layouts[k].entries == f->layout->entries && fits(c, &mimalloc_layouts[k], &f->s);
	}
	for (int k = 0; k < MIMALLOC_LAYOUTS; k++)
		if (scores[k] > high) {
			high = scores[k];
			best = &mimalloc_layouts[k];
		}
	return judged || !c->count ? best : c->found[0].layout;
}

static const struct vmm_thread *thread_at(const struct vmm_snapshot *s, uint64_t pointer, uint32_t *ret_index)
{
	for (uint32_t i = 0; i < s->thread_count; i++)
		if (s->threads[i].descriptor >= pointer && s->threads[i].descriptor - pointer < DESCRIPTOR_BYTES) {
			*ret_index = i;
			return &s->threads[i];
		}
	return NULL;
}

static int name_heap(struct vmm_reading *r, const struct found *f, unsigned number, struct vmm_heap *ret, struct vmm_err *err)
{
	struct vmm_arena *arena = r->snapshot->arena;
	uint32_t *index = vmm_arena_array(arena, 1, sizeof(*index));
	const struct vmm_thread *t = index ? thread_at(r->snapshot, f->s.thread, index) : NULL;

	ret->reader = "mimalloc";
	if (f->freed) {
		ret->id = "mimalloc.freed";
		ret->label = "mimalloc, freed segments";
	} else if (!f->s.thread) {
		ret->id = "mimalloc.abandoned";
		ret->label = "mimalloc, abandoned";
	} else {
		const char *who = t ? vmm_thread_text(arena, t) : "";

		ret->id = vmm_arena_printf(arena, "mimalloc.%u", number);
		ret->label = !who ? NULL
		             : t  ? vmm_arena_printf(arena, "mimalloc, %s", who)
		                  : vmm_arena_printf(arena, "mimalloc, thread that is gone (0x%llx)", (unsigned long long)f->s.thread);
	}
	if (t) {
		ret->threads = index;
		ret->thread_count = 1;
	}
	return index && ret->id && ret->label ? 0 : vmm_fail_nomem(err);
}

/* Adds the segments of one owner, those behind each other as one area. */
static int add_owner(struct vmm_reading *r, const struct found *f, size_t count, const struct mimalloc_layout *layout, unsigned number,
                     struct vmm_err *err)
{
	struct mimalloc_owner *owner = vmm_arena_alloc(r->snapshot->arena, sizeof(*owner));
	struct vmm_heap heap = {0};
	struct vmm_area area = {0};
	int rc = owner ? name_heap(r, f, number, &heap, err) : vmm_fail_nomem(err);

	if (rc < 0)
		return rc;
	*owner = (struct mimalloc_owner){.layout = f->freed && !layout ? f->layout : layout, .thread = f->s.thread, .freed = f->freed};
	rc = vmm_reading_add_heap(r, &heap, owner, &area.heap, err);
	area.details = heap.label;
	for (size_t i = 0; i < count && rc == 0;) {
		area.start = f[i].s.start;
		do
			area.end = f[i].s.end;
		while (++i < count && !f->freed && f[i].s.start == area.end);
		rc = vmm_reading_add_area(r, &area, err);
	}
	return rc;
}

static int by_owner(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->freed != y->freed)
		return x->freed ? 1 : -1;
	if (x->s.thread != y->s.thread) /* abandoned ones last */
		return x->s.thread - 1 < y->s.thread - 1 ? -1 : 1;
	return x->s.start < y->s.start ? -1 : x->s.start > y->s.start;
}

static int add_owners(struct search *c, struct vmm_err *err)
{
	const struct mimalloc_layout *layout = choose_layout(c);
	unsigned number = 0;
	int rc = 0;

	qsort(c->found, c->count, sizeof(*c->found), by_owner);
	for (size_t i = 0, k; i < c->count && rc == 0; i = k) {
		for (k = i + 1; k < c->count && c->found[k].freed == c->found[i].freed && c->found[k].s.thread == c->found[i].s.thread;)
			k++;
		rc = add_owner(c->r, c->found + i, k - i, layout, number++, err);
	}
	return rc;
}

static int mimalloc_detect(struct vmm_reading *r, struct vmm_err *err)
{
	struct search *c;
	int rc;

	if (vmm_reading_word(r) != 8)
		return 0;
	c = vmm_alloc_hook(NULL, sizeof(*c));
	if (!c)
		return vmm_fail_nomem(err);
	memset(c, 0, sizeof(*c));
	c->r = r;
	rc = search(c, err);
	if (rc == 0 && c->count) {
		c->all = true;
		rc = search(c, err);
	}
	if (rc == 0 && c->count) {
		sift(c);
		rc = add_owners(c, err);
	}
	free(c->found);
	free(c);
	return rc;
}

const struct vmm_reader_ops vmm_reader_mimalloc = {
	.id = "mimalloc",
	.help = "mimalloc 2.0.9 to 2.4: the segments of each thread, block by block",
	.detect = mimalloc_detect,
	.walk = mimalloc_walk,
};
