/*
 * musl's mallocng: finding its context in the C library's data, or in that of a static program, and its groups.
 *
 * A secret stands in the context and at the start of each page of metas: that is the proof that both are what they seem.
 */
#include <stdlib.h>
#include <string.h>

#include "reader/musl.h"

#define RANGE_MAX (UINT64_C(16) << 20) /* a longer stretch of writable data is not searched */
#define PAGES_MAX 8192                 /* of metas: for twenty million blocks and more */

struct found {
	struct vmm_reading *r;
	struct musl_context context;
	struct musl_group *groups; /* but those in slots of others */
	size_t group_count, group_capacity;
	uint64_t *pages; /* of metas */
	size_t page_count, page_capacity;
};

/* The C library is the loader too, and may be called like it; a static program has a page without access before its brk heap. */
static bool named_musl(const char *path)
{
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	return strncmp(base, "ld-musl-", 8) == 0 || strcmp(base, "libc.so") == 0 || strncmp(base, "libc.musl-", 10) == 0;
}

static bool guarded_brk(const struct vmm_snapshot *s)
{
	for (uint32_t i = 0; i + 1 < s->vma_count; i++)
		if (vmm_vma_is_brk(&s->vmas[i]))
			return !vmm_vma_accessible(&s->vmas[i]) && vmm_vma_is_brk(&s->vmas[i + 1]) && s->vmas[i].end == s->vmas[i + 1].start;
	return false;
}

/* Whether a page begins as one of metas. */
static bool is_meta_page(struct vmm_reading *r, const struct musl_context *c, uint64_t page, uint64_t *ret_next)
{
	uint64_t words[MUSL_AREA_WORDS];

	if (page % MUSL_PAGE || !vmm_reading_words(r, page, words, MUSL_AREA_WORDS) || words[0] != c->secret || (uint32_t)words[2] != MUSL_METAS)
		return false;
	*ret_next = words[1];
	return true;
}

static int search_range(struct found *f, uint64_t start, uint64_t end, bool *ret_found, struct vmm_err *err)
{
	VMM_CLEANUP_FREE unsigned char *bytes = NULL;
	size_t length = (size_t)(end - start);

	if (end - start > RANGE_MAX)
		return 0;
	bytes = vmm_alloc_hook(NULL, length);
	if (!bytes)
		return vmm_fail_nomem(err);
	if (!vmm_reading_bytes(f->r, start, bytes, length))
		return 0;
	for (size_t at = 0; at + MUSL_CONTEXT_WORDS * 8 <= length; at += 8) {
		uint64_t words[MUSL_CONTEXT_WORDS], next;

		memcpy(words, bytes + at, sizeof(words));
		for (unsigned shift = 0; shift < 2; shift++)
			if (musl_parse_context(start + at, words, shift, &f->context) && is_meta_page(f->r, &f->context, f->context.head, &next)) {
				*ret_found = true;
				return 0;
			}
	}
	return 0;
}

static int search(struct found *f, bool *ret_found, struct vmm_err *err)
{
	const struct vmm_snapshot *s = f->r->snapshot;
	bool is_static = guarded_brk(s);
	int rc = 0;

	for (uint32_t i = 0; i < s->vma_count && rc == 0 && !*ret_found; i++) {
		const struct vmm_vma *v = &s->vmas[i];

		if (v->backing == VMM_BACKING_FILE && (v->prot & (VMM_PROT_WRITE | VMM_PROT_SHARED)) == VMM_PROT_WRITE &&
		    (is_static || named_musl(v->name)))
			rc = search_range(f, v->start, vmm_reading_data_end(s, i), ret_found, err);
	}
	return rc;
}

/* Whether all of it is private memory without a hole. */
static bool is_mapped(const struct vmm_snapshot *s, uint64_t start, uint64_t end)
{
	const struct vmm_vma *v = vmm_snapshot_vma_at(s, start), *last = s->vmas + s->vma_count;

	for (; v && v < last && v->start <= start && !(v->prot & VMM_PROT_SHARED); v++) {
		start = v->end;
		if (start >= end)
			return true;
	}
	return false;
}

static int take_page(struct found *f, uint64_t page, struct vmm_err *err)
{
	unsigned char bytes[MUSL_PAGE];

	if (!vmm_grow(&f->pages, &f->page_capacity, f->page_count + 1, sizeof(*f->pages)))
		return vmm_fail_nomem(err);
	f->pages[f->page_count++] = page;
	if (!vmm_reading_bytes(f->r, page, bytes, sizeof(bytes)))
		return 0;
	for (unsigned i = 0; i < MUSL_METAS; i++) {
		size_t at = MUSL_AREA_WORDS * 8 + i * MUSL_META_BYTES;
		struct musl_group g;

		if (musl_parse_meta(page + at, bytes + at, &g) != MUSL_META_GROUP || (!g.size && !g.donated) ||
		    !is_mapped(f->r->snapshot, g.mem, g.mem + musl_group_bytes(&g)))
			continue;
		if (!vmm_grow(&f->groups, &f->group_capacity, f->group_count + 1, sizeof(g)))
			return vmm_fail_nomem(err);
		f->groups[f->group_count++] = g;
	}
	return 0;
}

static int take_pages(struct found *f, struct vmm_err *err)
{
	uint64_t page = f->context.head, next, seen = 0;
	int rc = 0;

	while (page && page != seen && rc == 0 && f->page_count < PAGES_MAX && is_meta_page(f->r, &f->context, page, &next)) {
		/* Whoever comes by a page again that was kept at a power of two runs in a circle. */
		if ((f->page_count & (f->page_count - 1)) == 0)
			seen = page;
		rc = take_page(f, page, err);
		page = next;
	}
	return rc;
}

static int by_address(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int by_mem(const void *a, const void *b)
{
	const struct musl_group *x = a, *y = b;

	return x->mem < y->mem ? -1 : x->mem > y->mem;
}

/* Adds [start, end), or lengthens the area before where that ends there. */
static int add_stretch(struct vmm_reading *r, size_t first, uint32_t heap, const char *details, uint64_t start, uint64_t end, struct vmm_err *err)
{
	struct vmm_area *last = r->area_count > first ? &r->areas[r->area_count - 1] : NULL;
	struct vmm_area area = {.start = start, .end = end, .heap = heap, .details = details};

	if (last && last->end > start) /* contradicts itself: the walk will say so */
		return 0;
	if (last && last->end == start && last->details == details) {
		last->end = end;
		return 0;
	}
	return vmm_reading_add_area(r, &area, err);
}

/* Pages of metas, with the ones before and behind them that are meant for the same. */
static int add_pages(struct found *f, uint32_t heap, struct vmm_err *err)
{
	const struct vmm_snapshot *s = f->r->snapshot;
	size_t first = f->r->area_count;
	int rc = 0;

	qsort(f->pages, f->page_count, sizeof(*f->pages), by_address);
	for (size_t i = 0; i < f->page_count && rc == 0; i++) {
		uint64_t page = f->pages[i], start = page;
		const struct vmm_vma *v = vmm_snapshot_vma_at(s, page - MUSL_PAGE);

		if (v && vmm_vma_is_brk(v) && !vmm_vma_accessible(v) && v->end == page)
			start = v->start;
		if (is_mapped(s, page, page + MUSL_PAGE))
			rc = add_stretch(f->r, first, heap, "musl mallocng, metadata", start, page + MUSL_PAGE, err);
	}
	return rc;
}

static int add_heap(struct found *f, bool gaps, struct vmm_err *err)
{
	struct vmm_heap heap = {.reader = "musl", .id = gaps ? "musl.gaps" : "musl.0", .label = gaps ? "musl mallocng, gaps in images" : "musl mallocng"};
	struct musl_heap *data = vmm_arena_alloc(f->r->snapshot->arena, sizeof(*data));
	size_t first = f->r->area_count;
	uint32_t index;
	int rc;

	if (!data)
		return vmm_fail_nomem(err);
	*data = (struct musl_heap){f->context, gaps};
	rc = vmm_reading_add_heap(f->r, &heap, data, &index, err);
	for (size_t i = 0; i < f->group_count && rc == 0; i++) {
		const struct musl_group *g = &f->groups[i];

		if (g->donated == gaps)
			rc = add_stretch(f->r, first, index, heap.label, g->mem, g->mem + musl_group_bytes(g), err);
	}
	return rc == 0 && !gaps ? add_pages(f, index, err) : rc;
}

static int musl_detect(struct vmm_reading *r, struct vmm_err *err)
{
	struct found f = {.r = r};
	bool found = false, gaps = false;
	int rc = vmm_reading_word(r) == 8 ? search(&f, &found, err) : 0;

	if (rc == 0 && found)
		rc = take_pages(&f, err);
	if (rc == 0 && f.page_count) {
		qsort(f.groups, f.group_count, sizeof(*f.groups), by_mem);
		rc = add_heap(&f, false, err);
	}
	for (size_t i = 0; i < f.group_count; i++)
		gaps |= f.groups[i].donated;
	if (rc == 0 && gaps)
		rc = add_heap(&f, true, err);
	free(f.groups);
	free(f.pages);
	return rc;
}

const struct vmm_reader_ops vmm_reader_musl = {
	.id = "musl",
	.help = "mallocng of musl 1.2.1 to 1.2.5: every slot, with the size that was asked for",
	.detect = musl_detect,
	.walk = musl_walk,
};
