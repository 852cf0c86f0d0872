/*
 * Walking an arena of jemalloc: from extent to extent through the page map.
 *
 * What is proved: the page map's words of an extent's first and last page lead to it and tell its size class; it lies
 * where they say, in the arena that its area was given to, and the next begins where it ends; a slab has as many free
 * regions as bits in its bitmap; a large block has the size of its class.
 */
#include "reader/jemalloc.h"

#include <stdlib.h>

#define MISSES_MAX 2 /* after so many walks, what is in caches counts as used */

struct extents {
	struct vmm_walk *w;
	struct jemalloc_heap *heap;
	uint64_t slot, leaf; /* the leaf under way */
	struct jemalloc_cached_list list;
	size_t expected, matched; /* cached blocks in these areas, and those that were found there */
};

/* The page map's word of a page; 0 also when it cannot be read. */
static uint64_t map_word(struct extents *e, uint64_t page)
{
	uint64_t word = 0;

	if (page >> 30 != e->slot) {
		e->slot = page >> 30;
		if (!vmm_walk_words(e->w, e->heap->copy->root + 8 * e->slot, &e->leaf, 1))
			e->leaf = 0;
	}
	if (!e->leaf || !vmm_walk_words(e->w, e->leaf + 8 * ((page >> 12) % JEMALLOC_SLOTS), &word, 1))
		return 0;
	return word;
}

/* The states of a slab's regions: which of the used ones are in a tcache, and which one holds a tcache's stacks. */
struct regions {
	uint64_t cached[8];
	unsigned own; /* UINT_MAX: none */
};

static void mark_cached(struct extents *e, uint64_t start, const struct jemalloc_extent *x, uint64_t size, uint64_t count,
                        struct regions *ret)
{
	const struct jemalloc_cached_list *list = &e->list;

	*ret = (struct regions){.own = UINT32_MAX};
	for (size_t i = jemalloc_cached_from(list, start); i < list->count && list->cached[i].address < start + x->size; i++) {
		uint64_t offset = list->cached[i].address - start, n = offset / size, bit = UINT64_C(1) << n % 64;

		if (n >= count || x->bitmap[n / 64] & bit)
			continue;
		if (list->cached[i].class == JEMALLOC_CLASSES) {
			ret->own = (unsigned)n;
			e->matched++;
		} else if (offset % size == 0 && list->cached[i].class == x->class && !(ret->cached[n / 64] & bit)) {
			ret->cached[n / 64] |= bit;
			e->matched++;
		}
	}
}

static void walk_regions(struct extents *e, uint64_t start, const struct jemalloc_extent *x, uint64_t size, unsigned count)
{
	struct regions regions;

	mark_cached(e, start, x, size, count, &regions);
	for (unsigned i = 0; i < count; i++) {
		enum vmm_chunk_state state = VMM_CHUNK_USED;

		if (x->bitmap[i / 64] >> i % 64 & 1)
			state = VMM_CHUNK_FREE;
		else if (regions.cached[i / 64] >> i % 64 & 1)
			state = VMM_CHUNK_CACHED;
		else if (i == regions.own)
			state = VMM_CHUNK_META;
		vmm_walk_chunk(e->w, start + i * size, size, 0, 0, state);
	}
	if (count * size < x->size)
		vmm_walk_chunk(e->w, start + count * size, x->size - count * size, 0, 0, VMM_CHUNK_META);
}

static bool walk_slab(struct extents *e, uint64_t start, const struct jemalloc_extent *x)
{
	uint64_t size = jemalloc_class_size(x->class), count;
	unsigned free_regions = 0;

	if (x->class >= JEMALLOC_BINS || x->size / size > 512 || x->size < size) {
		vmm_walk_broken(e->w, start, "a slab of no size class");
		return false;
	}
	count = x->size / size;
	for (unsigned i = 0; i < count; i += 64) {
		uint64_t bits = x->bitmap[i / 64];

		if (count - i < 64)
			bits &= (UINT64_C(1) << (count - i)) - 1;
		free_regions += (unsigned)__builtin_popcountll(bits);
	}
	if (free_regions != x->free_regions) {
		vmm_walk_broken(e->w, start, "the bitmap and the count of a slab's free regions differ");
		return false;
	}
	walk_regions(e, start, x, size, (unsigned)count);
	return true;
}

/* Whether a large block is in a tcache, or holds a tcache's stacks. */
static enum vmm_chunk_state state_of_large(struct extents *e, uint64_t start, const struct jemalloc_extent *x)
{
	const struct jemalloc_cached_list *list = &e->list;
	enum vmm_chunk_state state = VMM_CHUNK_USED;

	for (size_t i = jemalloc_cached_from(list, start); i < list->count && list->cached[i].address < start + x->size; i++) {
		bool own = list->cached[i].class == JEMALLOC_CLASSES;

		if (state != VMM_CHUNK_USED || (!own && (list->cached[i].class != x->class || list->cached[i].address != x->address)))
			continue;
		state = own ? VMM_CHUNK_META : VMM_CHUNK_CACHED;
		e->matched++;
	}
	return state;
}

/* A block of its own: large, or a small one that is sampled for a profile. */
static bool walk_large(struct extents *e, uint64_t start, const struct jemalloc_extent *x)
{
	uint64_t size = jemalloc_class_size(x->class), below = x->class ? jemalloc_class_size(x->class - 1) : 0, lead = x->address - start;
	uint64_t pad = e->heap->copy->large_pad ? JEMALLOC_PAGE : 0;
	enum vmm_chunk_state state;

	if (x->class >= JEMALLOC_BINS) {
		/* 5.3.1 has large blocks of any number of pages; their class is the next one up. */
		if (x->size <= pad || x->size - pad > size || x->size - pad <= below) {
			vmm_walk_broken(e->w, start, "a large block that is not of its size class");
			return false;
		}
		size = x->size - pad;
	}
	if (size == 0 || lead > x->size - size || x->size - size > UINT32_MAX) {
		vmm_walk_broken(e->w, start, "a block larger than its pages");
		return false;
	}
	state = state_of_large(e, start, x);
	if (state == VMM_CHUNK_USED)
		vmm_walk_chunk(e->w, start, x->size, (uint32_t)lead, (uint32_t)(x->size - size - lead), state);
	else
		vmm_walk_chunk(e->w, start, x->size, 0, 0, state);
	return true;
}

static bool walk_state(struct extents *e, uint64_t start, const struct jemalloc_extent *x)
{
	switch ((enum jemalloc_state)x->state) {
	case JEMALLOC_ACTIVE:
		return x->slab ? walk_slab(e, start, x) : walk_large(e, start, x);
	case JEMALLOC_DIRTY:
	case JEMALLOC_MUZZY:
		vmm_walk_chunk(e->w, start, x->size, 0, 0, VMM_CHUNK_FREE);
		vmm_walk_trim(e->w, start, start + x->size);
		return true;
	case JEMALLOC_RETAINED:
		vmm_walk_rest(e->w, start, start + x->size, VMM_CHUNK_RESERVED);
		return true;
	case JEMALLOC_STATES:
		break;
	}
	vmm_walk_broken(e->w, start, "an extent in the midst of a change");
	return false;
}

/* Tells the extent that begins at start; its size, 0 when it is broken. */
static uint64_t walk_extent(struct extents *e, uint64_t start, uint64_t end)
{
	const struct jemalloc *j = e->heap->copy;
	uint64_t word = map_word(e, start), at = jemalloc_extent_of(j, word), words[JEMALLOC_EXTENT_WORDS];
	struct jemalloc_extent x;

	if (!at || !vmm_walk_words(e->w, at, words, JEMALLOC_EXTENT_WORDS)) {
		vmm_walk_broken(e->w, start, "no extent begins here");
		return 0;
	}
	jemalloc_decode(j, words, &x);
	if ((x.address & ~(JEMALLOC_PAGE - 1)) != start || x.size == 0 || x.size > end - start || x.arena != e->heap->arena) {
		vmm_walk_broken(e->w, start, "an extent is not where the page map has it");
		return 0;
	}
	if (jemalloc_extent_of(j, map_word(e, start + x.size - JEMALLOC_PAGE)) != at ||
	    (x.state == JEMALLOC_ACTIVE && word >> 48 != x.class)) {
		vmm_walk_broken(e->w, start, "the page map and an extent differ");
		return 0;
	}
	return walk_state(e, start, &x) ? x.size : 0;
}

/* What a base block has handed out is never given back; the rest follows. */
static void walk_metadata(struct vmm_walk *w)
{
	const struct vmm_area *area = NULL;

	while (vmm_walk_next_area(w, &area)) {
		uint64_t words[JEMALLOC_BLOCK_WORDS], size, unused;
		uint32_t arena;

		if (!vmm_walk_words(w, area->start, words, JEMALLOC_BLOCK_WORDS) ||
		    !jemalloc_base_block(area->start, words, &size, &unused, &arena) || size != area->end - area->start) {
			vmm_walk_broken(w, area->start, "a block of metadata without its header");
			return;
		}
		vmm_walk_rest(w, area->start, unused, VMM_CHUNK_META);
		vmm_walk_rest(w, unused, area->end, VMM_CHUNK_TOP);
	}
}

static void walk_arena(struct extents *e)
{
	const struct vmm_area *area = NULL;

	vmm_walk_trim(e->w, 0, 0);
	while (vmm_walk_next_area(e->w, &area)) {
		e->expected += jemalloc_cached_from(&e->list, area->end) - jemalloc_cached_from(&e->list, area->start);
		for (uint64_t at = area->start, size; at < area->end && !e->w->stop; at += size) {
			size = walk_extent(e, at, area->end);
			if (size == 0)
				return;
		}
	}
}

/*
 * Threads at work change their caches while these are read: after some tries what does not fit counts as used, as
 * jemalloc's own statistics have it. Whether a block is free is told by its slab alone.
 */
static void judge_caches(struct extents *e)
{
	if (e->w->broken || e->w->stop || (e->matched == e->expected && !e->list.unread))
		return;
	if (e->w->totals_only && e->heap->misses++ < MISSES_MAX) {
		vmm_walk_broken(e->w, 0, "caches of threads changed while they were read");
		return;
	}
	vmm_snapshot_note(e->w->r->snapshot, "heaps", "caches", 0,
	                  "jemalloc's caches of threads changed while they were read, or cannot be read: some of what they hold counts "
	                  "as used");
}

int jemalloc_walk(struct vmm_walk *w, void *data, struct vmm_err *err)
{
	struct extents e = {.w = w, .heap = data, .slot = UINT64_MAX};
	int rc;

	if (e.heap->arena == VMM_NONE) {
		walk_metadata(w);
		return 0;
	}
	if (e.heap->incomplete) {
		vmm_walk_broken(w, e.heap->lost_at, "some of its extents changed while they were looked for");
		return 0;
	}
	rc = jemalloc_read_tcaches(w, e.heap->copy, &e.list, err);
	if (rc == 0) {
		walk_arena(&e);
		judge_caches(&e);
	}
	free(e.list.cached);
	return rc;
}
