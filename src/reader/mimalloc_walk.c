/*
 * All blocks of one thread's segments, or of abandoned ones.
 *
 * Proof: spans tile each segment; a segment has as many pages as it says; in each page the blocks ever handed out are
 * those in use and those on its two free lists, each once. Blocks that other threads freed count as in use until their
 * owner looks; they are on a list of the page, or on the owner's heap's. Each of these holds for one page at one moment;
 * that all pages were so at the same moment is proved by reading their entries once more in the end.
 */
#include <stdlib.h>

#include "base/search.h"
#include "reader/mimalloc.h"

#define HEAPS_MAX 4096 /* that share one thread's segments */
#define PAGE_BYTES UINT64_C(4096)
#define FETCH_PAGES 128 /* of the kernel, in a page of blocks */
#define BITS 64u
#define BLOCKS_MAX 65536u /* of a page: capacity has 16 bits */
#define ENTRIES_BYTES (MIMALLOC_ENTRIES_MAX * MIMALLOC_ENTRY_MAX)

struct state {
	struct vmm_walk *w;
	const struct mimalloc_layout *layout;
	uint64_t thread;
	uint64_t *heaps; /* those that the pages belong to */
	size_t heap_count, heap_capacity;
	uint64_t used; /* blocks of all pages: no list of them is longer */
	uint64_t *delayed; /* blocks on the heaps' lists, by rising address */
	size_t delayed_count, delayed_capacity, delayed_found;
	uint64_t is_free[BLOCKS_MAX / BITS];
	uint64_t digest, heads; /* of the entries that were told, and of the heaps' lists' heads */
	bool nomem;
	unsigned char entries[ENTRIES_BYTES];
};

typedef void (*span_fn)(struct state *st, const struct mimalloc_span *span);

static bool read_segment(struct state *st, uint64_t address, uint64_t limit, struct mimalloc_segment *ret)
{
	uint64_t words[MIMALLOC_HEADER_WORDS];

	if (vmm_walk_words(st->w, address, words, MIMALLOC_HEADER_WORDS) && mimalloc_parse_segment(st->layout, address, words, ret) &&
	    ret->thread == st->thread && ret->end <= limit)
		return true;
	vmm_walk_broken(st->w, address, "a segment changed hands, or its header cannot be read");
	return false;
}

/* The entry at address, or NULL. The end of the last one written to may lie in a page never touched: that reads as 0. */
static const unsigned char *entry_at(struct state *st, uint64_t address)
{
	size_t length = st->layout->entry_size, part = (size_t)(PAGE_BYTES - address % PAGE_BYTES);
	const unsigned char *bytes = vmm_walk_bytes(st->w, address, length);

	if (bytes || part >= length || vmm_walk_swapped(st->w, address + part))
		return bytes;
	bytes = vmm_walk_bytes(st->w, address, part);
	if (!bytes)
		return NULL;
	memset(st->entries, 0, length);
	memcpy(st->entries, bytes, part);
	return st->entries;
}

/* Calls page and free span functions for all spans of a segment; checks that they tile it. */
static void for_spans(struct state *st, const struct mimalloc_segment *s, span_fn page, span_fn free_span)
{
	struct mimalloc_span span;
	uint64_t pages = 0;
	uint32_t index = s->info_count;

	for (; index < s->entry_count && !st->w->broken && !st->w->stop && !st->nomem; index += span.slices) {
		uint64_t at = s->start + st->layout->entries + (uint64_t)index * st->layout->entry_size;
		const unsigned char *entry = entry_at(st, at);

		if (!entry || !mimalloc_parse_span(st->layout, s, index, entry, &span)) {
			vmm_walk_broken(st->w, at, entry ? "a slice contradicts itself" : "a slice's entry cannot be read");
			return;
		}
		pages += span.block_size != 0;
		if (free_span)
			st->digest = vmm_walk_digest(st->digest, entry, st->layout->heap + 8u);
		if (span.block_size)
			page(st, &span);
		else if (free_span)
			free_span(st, &span);
	}
	if (st->w->broken || st->w->stop || st->nomem)
		return;
	if (index != s->slice_count || pages != s->used)
		vmm_walk_broken(st->w, s->start, "a segment has other pages than it says");
}

static void for_segments(struct state *st, span_fn page, span_fn free_span)
{
	const struct vmm_reading *r = st->w->r;

	for (size_t i = 0; i < r->area_count; i++) {
		struct mimalloc_segment s = {.end = r->areas[i].start};

		if (r->areas[i].heap != st->w->heap)
			continue;
		if (free_span)
			vmm_walk_area(st->w, &r->areas[i]);
		while (s.end < r->areas[i].end && !st->w->broken && !st->w->stop && !st->nomem) {
			if (!read_segment(st, s.end, r->areas[i].end, &s))
				return;
			if (free_span)
				vmm_walk_rest(st->w, s.start, s.start + s.info_count * MIMALLOC_SLICE, VMM_CHUNK_META);
			for_spans(st, &s, page, free_span);
		}
	}
}

static void note_heap(struct state *st, const struct mimalloc_span *span)
{
	st->used += span->used;
	if (!span->heap || (st->heap_count && st->heaps[st->heap_count - 1] == span->heap))
		return;
	for (size_t i = 0; i < st->heap_count; i++)
		if (st->heaps[i] == span->heap) {
			/* Next time it is found at once. */
			st->heaps[i] = st->heaps[st->heap_count - 1];
			st->heaps[st->heap_count - 1] = span->heap;
			return;
		}
	if (st->heap_count == HEAPS_MAX)
		vmm_walk_broken(st->w, span->start, "pages of too many heaps");
	else if (!vmm_grow(&st->heaps, &st->heap_capacity, st->heap_count + 1, sizeof(*st->heaps)))
		st->nomem = true;
	else
		st->heaps[st->heap_count++] = span->heap;
}

/* The link of a free block; memory given back to the kernel reads as 0. */
static bool next_of(struct state *st, uint64_t block, uint64_t *ret_next)
{
	const unsigned char *bytes = vmm_walk_bytes(st->w, block, 8);

	if (!bytes && vmm_walk_swapped(st->w, block))
		return false;
	*ret_next = bytes ? vmm_word_of(bytes, 8, 0) : 0;
	return true;
}

/* Blocks that other threads freed, on the list of one heap. */
static void follow_delayed(struct state *st, uint64_t heap)
{
	uint64_t block, thread;

	if (heap % 8 || !vmm_walk_words(st->w, heap + st->layout->delayed, &block, 1) ||
	    !vmm_walk_words(st->w, heap + st->layout->heap_thread, &thread, 1) || thread != st->thread) {
		vmm_walk_broken(st->w, heap, "a page belongs to a heap of another thread");
		return;
	}
	st->heads = vmm_walk_digest(st->heads, (const unsigned char *)&block, sizeof(block));
	while (block) {
		if (st->delayed_count >= st->used) {
			vmm_walk_broken(st->w, heap, "a list of blocks that others freed does not end");
			return;
		}
		if (!vmm_grow(&st->delayed, &st->delayed_capacity, st->delayed_count + 1, sizeof(*st->delayed))) {
			st->nomem = true;
			return;
		}
		st->delayed[st->delayed_count++] = block;
		if (!next_of(st, block, &block)) {
			vmm_walk_broken(st->w, block, "a block that others freed cannot be read");
			return;
		}
	}
}

static int by_address(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Marks a block of the page as free. False: it is none, or was free already, so that a list cannot run in circles. */
static bool mark(struct state *st, const struct mimalloc_span *span, uint64_t block)
{
	uint64_t offset = block - span->blocks, index = offset / span->block_size;

	if (block < span->blocks || index >= span->capacity || index * span->block_size != offset ||
	    st->is_free[index / BITS] >> index % BITS & 1)
		return false;
	st->is_free[index / BITS] |= UINT64_C(1) << index % BITS;
	return true;
}

/* Marks a list; its length goes to *count. */
static void mark_list(struct state *st, const struct mimalloc_span *span, uint64_t block, uint64_t *count)
{
	while (block && !st->w->broken) {
		uint64_t at = block;

		if (!mark(st, span, block))
			vmm_walk_broken(st->w, at, "a free list leads to what is no free block");
		else if (!next_of(st, at, &block))
			vmm_walk_broken(st->w, at, "a free block cannot be read");
		++*count;
	}
}

static void mark_delayed(struct state *st, const struct mimalloc_span *span, uint64_t *count)
{
	uint64_t end = span->blocks + span->capacity * span->block_size;
	size_t i = vmm_search_from(st->delayed, st->delayed_count, sizeof(*st->delayed), 0, span->blocks);

	for (; i < st->delayed_count && st->delayed[i] < end; i++) {
		if (!mark(st, span, st->delayed[i]))
			vmm_walk_broken(st->w, st->delayed[i], "a block is free twice");
		++st->delayed_found;
		++*count;
	}
}

/* Fetches a page's memory in order before lists are followed through most of it criss-cross. */
static void fetch(struct state *st, const struct mimalloc_span *span)
{
	uint64_t end = span->blocks + span->capacity * span->block_size, pages = (end - span->start) / PAGE_BYTES;

	if (pages <= FETCH_PAGES && span->block_size < PAGE_BYTES && span->capacity - span->used >= pages / 2)
		for (uint64_t at = span->blocks; at < end; at += PAGE_BYTES)
			vmm_walk_bytes(st->w, at, 1);
}

static void tell_page(struct state *st, const struct mimalloc_span *span)
{
	uint64_t size = span->block_size, at = span->blocks, own = 0, others = 0, delayed = 0;

	memset(st->is_free, 0, (span->capacity / BITS + 1) * sizeof(*st->is_free));
	fetch(st, span);
	mark_list(st, span, span->free, &own);
	mark_list(st, span, span->local_free, &own);
	mark_list(st, span, span->thread_free, &others);
	mark_delayed(st, span, &delayed);
	if (span->is_delayed && !delayed)
		vmm_walk_broken(st->w, span->start, "blocks that others freed are just being taken back");
	if (!st->w->broken && (own != span->capacity - span->used || others + delayed > span->used))
		vmm_walk_broken(st->w, span->start, "blocks in use and free do not add up to those handed out");
	if (st->w->broken)
		return;
	vmm_walk_rest(st->w, span->start, at, VMM_CHUNK_META);
	for (uint32_t i = 0; i < span->capacity; i++, at += size)
		vmm_walk_chunk(st->w, at, size, 0, 0, st->is_free[i / BITS] >> i % BITS & 1 ? VMM_CHUNK_FREE : VMM_CHUNK_USED);
	vmm_walk_rest(st->w, at, span->blocks + span->reserved * size, VMM_CHUNK_TOP);
	vmm_walk_rest(st->w, span->blocks + span->reserved * size, span->end, VMM_CHUNK_META);
}

/* Free memory; what was never made writable is only reserved. Cores of gdb say of everything that it may be read. */
static void tell_free(struct vmm_walk *w, uint64_t start, uint64_t end)
{
	while (start < end) {
		const struct vmm_vma *v = vmm_snapshot_vma_at(w->r->snapshot, start);
		uint64_t to = v ? vmm_min_u64(v->end, end) : end;

		vmm_walk_rest(w, start, to, v && !(v->prot & VMM_PROT_WRITE) ? VMM_CHUNK_RESERVED : VMM_CHUNK_FREE);
		start = to;
	}
}

static void tell_free_span(struct state *st, const struct mimalloc_span *span)
{
	tell_free(st->w, span->start, span->end);
}

/* Reads afresh, what is absent as zero. */
static void read_again(struct state *st, uint64_t address, unsigned char *bytes, size_t length)
{
	memset(bytes, 0, length);
	while (length) {
		size_t got, page = (size_t)(PAGE_BYTES - address % PAGE_BYTES);
		const unsigned char *window = vmm_walk_window(st->w, address, &got);

		if (got)
			memcpy(bytes, window, vmm_min_u64(got, length));
		got = vmm_min_u64(got ? got : page, length);
		address += got;
		bytes += got;
		length -= got;
	}
}

/* The digest of a segment's entries as they are now; those that are told wrong give another one. */
static uint64_t digest_again(struct state *st, const struct mimalloc_segment *s, uint64_t digest)
{
	const struct mimalloc_layout *l = st->layout;
	struct mimalloc_span span;

	read_again(st, s->start + l->entries, st->entries, (size_t)s->entry_count * l->entry_size);
	for (uint32_t index = s->info_count; index < s->entry_count; index += span.slices) {
		const unsigned char *entry = st->entries + (size_t)index * l->entry_size;

		if (!mimalloc_parse_span(l, s, index, entry, &span))
			return ~digest;
		digest = vmm_walk_digest(digest, entry, l->heap + 8u);
	}
	return digest;
}

/* Whether all that was told was so at one moment: the one before this is called. */
static void check_unchanged(struct state *st)
{
	const struct vmm_reading *r = st->w->r;
	uint64_t digest = 0, heads = 0;
	unsigned char head[8];

	for (size_t i = 0; i < r->area_count; i++) {
		struct mimalloc_segment s = {.end = r->areas[i].start};

		while (r->areas[i].heap == st->w->heap && s.end < r->areas[i].end) {
			if (!read_segment(st, s.end, r->areas[i].end, &s))
				return;
			digest = digest_again(st, &s, digest);
		}
	}
	for (size_t i = 0; i < st->heap_count; i++) {
		read_again(st, st->heaps[i] + st->layout->delayed, head, sizeof(head));
		heads = vmm_walk_digest(heads, head, sizeof(head));
	}
	if (digest != st->digest || heads != st->heads)
		vmm_walk_broken(st->w, 0, "it changed while it was read");
}

static void walk_owned(struct state *st)
{
	for_segments(st, note_heap, NULL);
	for (size_t i = 0; i < st->heap_count && !st->w->broken && !st->nomem; i++)
		follow_delayed(st, st->heaps[i]);
	if (st->w->broken || st->nomem)
		return;
	if (st->delayed_count)
		qsort(st->delayed, st->delayed_count, sizeof(*st->delayed), by_address);
	for_segments(st, tell_page, tell_free_span);
	if (!st->w->broken && !st->w->stop && st->delayed_found != st->delayed_count)
		vmm_walk_broken(st->w, st->delayed[0], "a block that others freed is in no page of its owner");
	if (!st->w->broken && !st->w->stop)
		check_unchanged(st);
}

/* Nothing in them is in use, whatever a stale header says besides. */
static void walk_freed(struct vmm_walk *w, const struct mimalloc_layout *l)
{
	for (const struct vmm_area *area = NULL; vmm_walk_next_area(w, &area);) {
		uint64_t words[MIMALLOC_HEADER_WORDS];

		if (!vmm_walk_words(w, area->start, words, MIMALLOC_HEADER_WORDS) || words[l->used / 8] || words[l->thread / 8])
			vmm_walk_broken(w, area->start, "a freed segment was taken into use");
		tell_free(w, area->start, area->end);
	}
}

int mimalloc_walk(struct vmm_walk *w, void *data, struct vmm_err *err)
{
	const struct mimalloc_owner *owner = data;
	struct state *st;
	bool nomem;

	if (!owner->layout) {
		vmm_walk_broken(w, 0, "its segments are those of another version or build of mimalloc");
		return 0;
	}
	if (owner->freed) {
		walk_freed(w, owner->layout);
		return 0;
	}
	st = vmm_alloc_hook(NULL, sizeof(*st));
	if (!st)
		return vmm_fail_nomem(err);
	memset(st, 0, sizeof(*st));
	st->w = w;
	st->layout = owner->layout;
	st->thread = owner->thread;
	walk_owned(st);
	nomem = st->nomem;
	free(st->heaps);
	free(st->delayed);
	free(st);
	return nomem ? vmm_fail_nomem(err) : 0;
}
