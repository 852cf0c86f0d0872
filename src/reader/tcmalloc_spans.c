/*
 * The page map of tcmalloc and the spans in it. A span is one only if the map's slot of its first page names it and it
 * says itself that it begins there: slots inside a span may still name spans that are gone.
 */
#include <stdlib.h>

#include "reader/tcmalloc.h"

#define PAGE UINT64_C(4096)
#define BLOCK (UINT64_C(16) << 10)
#define BLOCKS 1024 /* spans of neighbours lie far apart: room for those of a GiB of small ones */
#define EMPTY_MAX (UINT64_C(1) << 26)   /* slots that name nothing, or an absent page of slots */
#define INVALID_MAX (UINT64_C(1) << 21) /* slots that name no span; a few hundred are stale */

bool tc_memory_init(struct tc_memory *m, struct vmm_reading *r, struct vmm_walk *w)
{
	*m = (struct tc_memory){.r = r, .w = w};
	if (w)
		return true;
	m->blocks = vmm_alloc_hook(NULL, BLOCKS * BLOCK);
	m->block_of = vmm_alloc_hook(NULL, BLOCKS * sizeof(*m->block_of));
	if (m->block_of)
		memset(m->block_of, 0xff, BLOCKS * sizeof(*m->block_of));
	return m->blocks && m->block_of;
}

void tc_memory_done(struct tc_memory *m)
{
	free(m->blocks);
	free(m->block_of);
	m->blocks = NULL;
	m->block_of = NULL;
}

static const unsigned char *block_bytes(struct tc_memory *m, uint64_t address)
{
	uint64_t block = address / BLOCK, slot = block % BLOCKS;

	if (m->block_of[slot] != block) {
		m->block_of[slot] = UINT64_MAX;
		if (!vmm_reading_bytes(m->r, block * BLOCK, m->blocks + slot * BLOCK, BLOCK))
			return NULL;
		m->block_of[slot] = block;
	}
	return m->blocks + slot * BLOCK + address % BLOCK;
}

const unsigned char *tc_bytes(struct tc_memory *m, uint64_t address, size_t length)
{
	const unsigned char *first, *second;
	size_t part = (size_t)(BLOCK - address % BLOCK);

	if (m->w)
		return vmm_walk_bytes(m->w, address, length);
	first = block_bytes(m, address);
	if (!first || length <= part)
		return first;
	if (length > sizeof(m->joined))
		return NULL;
	memcpy(m->joined, first, part);
	second = block_bytes(m, address + part);
	if (!second)
		return NULL;
	memcpy(m->joined + part, second, length - part);
	return m->joined;
}

/* The iteration over the page map. */
struct spans {
	struct tc_memory *m;
	const struct tc_heap *h;
	tc_span_fn fn;
	void *arg;
	uint64_t next;           /* page number: spans up to here were told */
	uint64_t empty, invalid; /* slots seen */
};

static bool read_span(struct spans *s, uint64_t address, uint64_t page, struct tc_span *ret)
{
	const struct tc_heap *h = s->h;
	unsigned word = h->word;
	const unsigned char *bytes;
	uint64_t pages;
	uint32_t bits;

	if (address % word || !(bytes = tc_bytes(s->m, address, 6 * word)))
		return false;
	pages = vmm_word_of(bytes, word, 1);
	bits = tc_u32(bytes + 5 * word);
	if (vmm_word_of(bytes, word, 0) != page || pages == 0 || pages > (UINT64_C(1) << (h->root_bits + h->leaf_bits)) - page ||
	    (bits >> 24 & 3) > TC_RETURNED)
		return false;
	*ret = (struct tc_span){.address = address, .start = page << h->shift, .length = pages << h->shift,
	                        .objects = vmm_word_of(bytes, word, 4), .references = bits & 0xffff, .size_class = bits >> 16 & 0xff,
	                        .location = (enum tc_location)(bits >> 24 & 3), .sampled = bits >> 26 & 1};
	return true;
}

/* One leaf: slots of the pages from first on. */
static int each_slot(struct spans *s, uint64_t leaf, uint64_t first)
{
	const struct tc_heap *h = s->h;
	uint64_t page = vmm_max_u64(first, s->next), end = first + (UINT64_C(1) << h->leaf_bits);
	int rc = 0;

	while (rc == 0 && page < end) {
		uint64_t slot = leaf + (page - first) * h->word, value = 0;
		uint64_t here = vmm_min_u64((PAGE - slot % PAGE) / h->word, end - page), i = 0;
		const unsigned char *bytes = here ? tc_bytes(s->m, slot, (size_t)here * h->word) : NULL;
		struct tc_span span;

		if (!here) /* across a border of pages, where a leaf is not aligned to pointers: none is */
			return 0;
		while (bytes && i < here && (value = vmm_word_of(bytes, h->word, i)) == 0)
			i++;
		s->empty += bytes ? i + 1 : 64;
		if (s->empty > EMPTY_MAX || s->invalid > INVALID_MAX)
			return 1;
		page += bytes ? i : here;
		if (!bytes || i == here)
			continue;
		if (!read_span(s, value, page, &span)) {
			s->invalid++;
			page++;
			continue;
		}
		span.root_slot = leaf;
		rc = s->fn(s->arg, &span);
		page += span.length >> h->shift;
		s->next = page;
	}
	return rc;
}

int tc_each_span(struct tc_memory *m, const struct tc_heap *h, tc_span_fn fn, void *arg)
{
	struct spans s = {.m = m, .h = h, .fn = fn, .arg = arg};
	uint64_t count = UINT64_C(1) << h->root_bits, i = 0;
	int rc = 0;

	while (rc == 0 && i < count) {
		uint64_t at = h->root + i * h->word, here = vmm_min_u64((PAGE - at % PAGE) / h->word, count - i), leaf = 0;
		const unsigned char *bytes = here ? tc_bytes(m, at, (size_t)here * h->word) : NULL;
		uint64_t k = 0;

		if (!here)
			return 0;
		while (bytes && k < here && (leaf = vmm_word_of(bytes, h->word, k)) == 0)
			k++;
		i += bytes ? k : here;
		if (!bytes || k == here)
			continue;
		if (leaf % h->word == 0 && vmm_reading_writable(m->r, leaf))
			rc = each_slot(&s, leaf, i << h->leaf_bits);
		else if (++s.invalid > INVALID_MAX)
			rc = 1;
		i++;
	}
	return rc;
}
