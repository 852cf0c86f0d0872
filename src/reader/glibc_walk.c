/*
 * Walking one arena: which segments it has, which of its chunks are in caches and fastbins, and then all of them.
 *
 * Proof: every size is possible, sizes lead exactly to top and top to the end of its segment, a free chunk's size stands
 * at its end too, all cached and fast chunks are met on the way, and the segments add up to what the arena got from the
 * system. Layouts: glibc malloc/malloc.c and malloc/arena.c, 2.26 to 2.43.
 */
#include <stdlib.h>

#include "reader/glibc_scan.h"

#define FLAGS UINT64_C(7)
#define SEGMENTS_MAX 65536
#define FAST_MAX_64 0xb0 /* the largest chunk that mallopt() lets into fastbins */
#define FAST_MAX_32 0x60

/* Reads what glibc_read_arena() did not: a walk must see the arena as it is now. */
static bool read_arena(struct glibc_arena_walk *a, struct glibc_arena *arena)
{
	struct vmm_walk *w = a->w;
	uint64_t behind = arena->bins + 254 * a->word + 16, words[4];

	if (!vmm_walk_words(w, behind, words, ARRAY_LEN(words)) || !vmm_walk_words(w, arena->bins - 2 * a->word, &arena->top, 1))
		return false;
	arena->system_mem = words[3];
	return true;
}

static bool read_fastbins(struct glibc_arena_walk *a)
{
	unsigned count = glibc_fastbin_count(a->w->r, &a->copy->heaps);
	uint64_t start = a->arena->bins - (2 + count) * a->word;

	if (count && !vmm_walk_words(a->w, start, a->fast_heads, count))
		return false;
	a->fast_max = 0;
	for (unsigned i = 0; i < count; i++)
		if (a->fast_heads[i])
			a->fast_max = vmm_min_u64(a->word == 8 ? FAST_MAX_64 : FAST_MAX_32, (uint64_t)(i + 2) * 2 * a->word);
	return true;
}

static bool add_segment(struct glibc_arena_walk *a, const struct vmm_area *area, uint64_t first, uint64_t end)
{
	if (a->segment_count == SEGMENTS_MAX ||
	    !vmm_grow(&a->segments, &a->segment_capacity, a->segment_count + 1, sizeof(*a->segments))) {
		a->nomem = true;
		return false;
	}
	a->segments[a->segment_count++] = (struct glibc_segment){area, first, end};
	return true;
}

/* The first address from which on chunks can begin: their user bytes are aligned. */
static uint64_t first_chunk(const struct glibc_arena_walk *a, uint64_t from)
{
	return vmm_align_up(from + 2 * a->word, a->align) - 2 * a->word;
}

static bool find_sub_heaps(struct glibc_arena_walk *a)
{
	const struct vmm_reading *r = a->w->r;
	const struct glibc_heaps *h = &a->copy->heaps;
	uint64_t sum = 0;

	for (size_t i = 0; i < r->area_count; i++) {
		const struct vmm_area *area = &r->areas[i];
		uint64_t words[3], first;

		if (area->heap != a->w->heap)
			continue;
		if (!vmm_walk_words(a->w, area->start, words, ARRAY_LEN(words)) || words[0] != a->arena->address || words[2] > h->heap_max)
			return false;
		first = a->arena->address == area->start + h->heap_info ? first_chunk(a, a->arena->end) : area->start + h->heap_info;
		sum += words[2];
		if (!add_segment(a, area, first, area->start + words[2]))
			return false;
	}
	return sum == a->arena->system_mem;
}

/* Where the segment that holds top ends; 0 when top cannot be read. */
static uint64_t end_of_top(struct glibc_arena_walk *a)
{
	uint64_t size;

	return vmm_walk_words(a->w, a->arena->top + a->word, &size, 1) ? vmm_add_sat(a->arena->top, size & ~FLAGS) : 0;
}

/*
 * The main arena: from sbrk_base to the end of top where it is one piece, which others may have cut by sbrk(); or
 * segments in mappings of their own.
 */
static bool find_main(struct glibc_arena_walk *a)
{
	const struct vmm_reading *r = a->w->r;
	const struct glibc_arena *arena = a->arena;
	uint64_t end = end_of_top(a), sum = 0;
	uint64_t base = a->copy->params_known && a->copy->params.sbrk_base ? a->copy->params.sbrk_base : end - arena->system_mem;

	for (size_t i = 0; i < r->area_count && end; i++) {
		const struct vmm_area *area = &r->areas[i];
		uint64_t first = area->start;

		if (area->heap != a->w->heap)
			continue;
		/* The brk heap may have grown since the map was read. */
		if (base >= area->start && base < arena->top && end - base == arena->system_mem)
			return add_segment(a, area, first_chunk(a, base), end);
		if (base > area->start && base < area->end)
			first = base;
		sum += area->end - first;
		if (!add_segment(a, area, first_chunk(a, first), area->end))
			return false;
	}
	return end && sum == arena->system_mem;
}

static int by_address(const void *x, const void *y)
{
	const struct glibc_segment *p = x, *q = y;

	return p->first < q->first ? -1 : p->first > q->first;
}

/* Follows the fastbins through what was collected. */
static bool follow_fastbins(struct glibc_arena_walk *a)
{
	uint64_t at = 0;
	int code = 0;

	if (glibc_follow_fastbins(a->fast_heads, GLIBC_FASTBINS_MAX, a->candidates, a->candidate_count, a->align, &a->fast, &at, &code))
		return true;
	a->nomem = a->nomem || code == VMM_E_NOMEM;
	a->fast_broken = at;
	return false;
}

/* Finds out which chunks are in fastbins, by a pass of its own. Where no cache told how links are written, try both ways. */
static bool find_fast(struct glibc_arena_walk *a)
{
	static const enum glibc_links ways[] = {GLIBC_LINKS_MANGLED, GLIBC_LINKS_PLAIN};
	enum glibc_links told = a->links;

	a->fast.count = 0;
	if (!a->fast_max)
		return true;
	for (size_t way = 0; way < ARRAY_LEN(ways); way++) {
		if (told != GLIBC_LINKS_UNKNOWN && told != ways[way])
			continue;
		a->links = ways[way];
		a->candidate_count = 0;
		for (size_t i = 0; i < a->segment_count; i++)
			if (!glibc_scan(a, &a->segments[i], PASS_COLLECT))
				return false;
		if (follow_fastbins(a))
			return true;
	}
	vmm_walk_broken(a->w, a->fast_broken, "a fastbin leads to what is no chunk");
	return false;
}

static bool tell_segment(struct glibc_arena_walk *a, const struct glibc_segment *g, enum glibc_pass pass)
{
	vmm_walk_area(a->w, g->area);
	/* Bytes before the first chunk: the main arena's are others' (sbrk() by a program, a static program's TLS). */
	vmm_walk_rest(a->w, g->area->start, g->first, a->arena->main ? VMM_CHUNK_RESERVED : VMM_CHUNK_META);
	vmm_walk_chunk_any(a->w, g->first, a->word, 0, 0, VMM_CHUNK_META);
	glibc_seek_marks(a, g->first);
	a->free_start = 0;
	if (!glibc_scan(a, g, pass))
		return false;
	if (a->next_mark < g->end && !glibc_moving(a)) {
		vmm_walk_broken(a->w, a->next_mark, "a free list leads to an address where no chunk begins");
		return false;
	}
	vmm_walk_rest(a->w, g->end, g->area->end, VMM_CHUNK_RESERVED);
	return true;
}

/* Tells all segments, and what lies around them in their areas. */
static bool tell_all(struct glibc_arena_walk *a, enum glibc_pass pass)
{
	vmm_walk_trim(a->w, 0, 0);
	a->cached_at = a->fast_at = 0;
	for (size_t i = 0; i < a->segment_count; i++)
		if (!tell_segment(a, &a->segments[i], pass))
			return false;
	return true;
}

/* Both at once; where that was too quick, the driver is asked to begin again. */
static void tell_quickly(struct glibc_arena_walk *a, struct glibc_arena *arena)
{
	a->fast.count = a->candidate_count = 0;
	if (!tell_all(a, PASS_BOTH))
		return;
	if (!follow_fastbins(a) || a->fast.count != a->candidate_count) {
		arena->two_passes = true;
		a->w->again = !a->nomem;
	}
}

/* What was told is of one moment only where nothing has changed meanwhile. */
static void note_motion(struct glibc_arena_walk *a)
{
	if (!a->w->broken && glibc_moving(a))
		vmm_snapshot_note(a->w->r->snapshot, "heaps", "moving", a->arena->address,
		                  "a heap changed while it was walked: its numbers add up, but are not of one moment; --stop holds the program still");
}

/* Reads the caches of all threads, once for all arenas: what is in them may be of any. */
static int find_cached(struct glibc_arena_walk *a, struct vmm_err *err)
{
	struct glibc_copy *copy = a->copy;
	struct glibc_marks found = {0};
	enum glibc_links links;
	uint64_t *kept;
	int rc;

	if (!copy->cached) {
		rc = glibc_find_cached(a->w, copy, &found, &links, err);
		kept = rc == 0 ? vmm_arena_array(a->w->r->snapshot->arena, found.count + 1, sizeof(*kept)) : NULL;
		if (kept && found.count)
			memcpy(kept, found.v, found.count * sizeof(*kept));
		free(found.v);
		if (!kept)
			return rc ? rc : vmm_fail_nomem(err);
		copy->cached = kept;
		copy->cached_count = found.count;
		copy->links = (int)links;
	}
	a->cached = (struct glibc_marks){(uint64_t *)copy->cached, copy->cached_count, 0};
	a->links = (enum glibc_links)copy->links;
	return 0;
}

static void walk(struct glibc_arena_walk *a, struct glibc_arena *arena, struct vmm_err *err, int *ret_code)
{
	a->state = glibc_state_of(a);
	if (!read_arena(a, arena) || !read_fastbins(a)) {
		vmm_walk_broken(a->w, arena->address, "the arena cannot be read");
		return;
	}
	if (!(arena->main ? find_main(a) : find_sub_heaps(a))) {
		vmm_walk_broken(a->w, arena->address, "what the arena got from the system is not all found");
		return;
	}
	if (a->segment_count)
		qsort(a->segments, a->segment_count, sizeof(*a->segments), by_address);
	*ret_code = find_cached(a, err);
	if (*ret_code != 0 || a->w->broken)
		return;
	if (a->w->totals_only && a->fast_max && !arena->two_passes)
		tell_quickly(a, arena);
	else if (find_fast(a))
		tell_all(a, PASS_TELL);
	note_motion(a);
}

int glibc_walk_arena(struct vmm_walk *w, struct glibc_copy *copy, struct glibc_arena *arena, struct vmm_err *err)
{
	struct glibc_arena_walk a = {.w = w, .copy = copy, .arena = arena, .word = vmm_reading_word(w->r)};
	int rc = 0;

	a.align = glibc_alignment(w->r, &copy->heaps);
	a.least = a.word == 8 ? 32 : 16;
	walk(&a, arena, err, &rc);
	if (w->broken || w->restart)
		copy->cached = NULL; /* the next try reads them anew */
	free(a.segments);
	free(a.candidates);
	free(a.fast.v);
	return rc == 0 && a.nomem ? vmm_fail_nomem(err) : rc;
}
