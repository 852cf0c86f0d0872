/*
 * Walking the chunks of one arena.
 *
 * A chunk at p has its size in the word at p + P; the word at p belongs to the chunk before it as long as that one is in
 * use. What is told for it is therefore [p + P, p + P + size): its header and all that the program may use. Whether it
 * is free stands in the next chunk's PREV_INUSE; chunks in fastbins and thread caches look in use and are found by
 * their lists (glibc_cached.c, glibc_fast.c).
 *
 * Proof: every size is possible, sizes lead exactly to top and top to the end of its segment, a free chunk's size stands
 * at its end too, all cached and fast chunks are met on the way, and the segments add up to what the arena got from the
 * system. Layouts: glibc malloc/malloc.c and malloc/arena.c, 2.26 to 2.43.
 */
#include <stdlib.h>

#include "reader/glibc_marks.h"

#define PREV_INUSE 1
#define IS_MMAPPED 2
#define FLAGS UINT64_C(7)
#define SEGMENTS_MAX 65536
#define CHAIN_STEPS 256 /* chunks that make a chain believable */
#define FAST_MAX_64 0xb0 /* the largest chunk that mallopt() lets into fastbins */
#define FAST_MAX_32 0x60

/* A stretch of chunks: [first, end) inside one area. */
struct segment {
	const struct vmm_area *area;
	uint64_t first, end; /* the first chunk, and where the last one or top ends */
};

struct arena_walk {
	struct vmm_walk *w;
	struct glibc_copy *copy;
	const struct glibc_arena *arena;
	unsigned word;
	uint64_t align, least; /* of chunks: alignment and smallest size */
	struct segment *segments;
	size_t segment_count, segment_capacity;
	struct glibc_marks cached, fast;
	enum glibc_links links;
	struct glibc_link *candidates; /* chunks that may be in a fastbin */
	size_t candidate_count, candidate_capacity;
	uint64_t fast_heads[GLIBC_FASTBINS_MAX], fast_max; /* fast_max: no larger chunk is in a fastbin; 0: none is */
	size_t cached_at, fast_at; /* how far the walk has got in the marks */
	uint64_t next_mark;        /* the next chunk that is marked */
	uint64_t free_start;       /* where the run of free chunks before here begins; 0: none */
	uint64_t fast_broken;      /* where a fastbin leads to what is no chunk */
	bool nomem;
};

/*
 * What a pass over the chunks does. Telling them all needs to know which are in fastbins, so they are collected first.
 * Where only sums are wanted both are done at once: each chunk that may be in a fastbin is told as one, and if the
 * lists then lead to fewer, all is done again in two passes.
 */
enum pass { PASS_COLLECT, PASS_TELL, PASS_BOTH };

/* What the walk holds at one moment: the window, and the chunk whose state the next header tells. */
struct scan {
	const unsigned char *window;
	uint64_t from, to;    /* the window's addresses */
	uint64_t chunk, size; /* 0: none yet */
	uint64_t link;        /* the first word of the chunk's user bytes, for small ones */
};

static void broken(struct arena_walk *a, uint64_t at, const char *text)
{
	vmm_walk_broken(a->w, at, text);
}

/* Reads what glibc_read_arena() did not: a walk must see the arena as it is now. */
static bool read_arena(struct arena_walk *a, struct glibc_arena *arena)
{
	struct vmm_walk *w = a->w;
	uint64_t behind = arena->bins + 254 * a->word + 16, words[4];

	if (!vmm_walk_words(w, behind, words, ARRAY_LEN(words)) || !vmm_walk_words(w, arena->bins - 2 * a->word, &arena->top, 1))
		return false;
	arena->system_mem = words[3];
	return true;
}

static bool read_fastbins(struct arena_walk *a)
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

static bool add_segment(struct arena_walk *a, const struct vmm_area *area, uint64_t first, uint64_t end)
{
	if (a->segment_count == SEGMENTS_MAX ||
	    !vmm_grow(&a->segments, &a->segment_capacity, a->segment_count + 1, sizeof(*a->segments))) {
		a->nomem = true;
		return false;
	}
	a->segments[a->segment_count++] = (struct segment){area, first, end};
	return true;
}

/* The first address from which on chunks can begin: their user bytes are aligned. */
static uint64_t first_chunk(const struct arena_walk *a, uint64_t from)
{
	return vmm_align_up(from + 2 * a->word, a->align) - 2 * a->word;
}

static bool find_sub_heaps(struct arena_walk *a)
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
static uint64_t end_of_top(struct arena_walk *a)
{
	uint64_t size;

	return vmm_walk_words(a->w, a->arena->top + a->word, &size, 1) ? vmm_add_sat(a->arena->top, size & ~FLAGS) : 0;
}

/*
 * The main arena: from sbrk_base to the end of top where it is one piece, which others may have cut by sbrk(); or
 * segments in mappings of their own.
 */
static bool find_main(struct arena_walk *a)
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
	const struct segment *p = x, *q = y;

	return p->first < q->first ? -1 : p->first > q->first;
}

static bool in_segments(const struct arena_walk *a, uint64_t chunk)
{
	size_t low = 0, high = a->segment_count;

	if (high == 1)
		return chunk >= a->segments[0].first && chunk < a->segments[0].end;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (a->segments[middle].end <= chunk)
			low = middle + 1;
		else
			high = middle;
	}
	return low < a->segment_count && a->segments[low].first <= chunk;
}

/* Keeps a chunk that may be in a fastbin: its first word leads to another chunk of this arena, or to none. */
static bool collect(struct arena_walk *a, uint64_t chunk, uint64_t link)
{
	uint64_t next = a->links == GLIBC_LINKS_PLAIN ? link : link ^ ((chunk + 2 * a->word) >> 12);

	if (next && ((next + 2 * a->word) % a->align || !in_segments(a, next)))
		return false;
	if (a->candidate_count == a->candidate_capacity &&
	    !vmm_grow(&a->candidates, &a->candidate_capacity, a->candidate_count + 1, sizeof(*a->candidates))) {
		a->nomem = true;
		return false;
	}
	a->candidates[a->candidate_count++] = (struct glibc_link){chunk, next};
	return true;
}

static uint64_t mark_address(const struct glibc_marks *m, size_t at)
{
	return at < m->count ? m->v[at] & ~GLIBC_MARK_BITS : UINT64_MAX;
}

static void set_next_mark(struct arena_walk *a)
{
	a->next_mark = vmm_min_u64(mark_address(&a->cached, a->cached_at), mark_address(&a->fast, a->fast_at));
}

/* Sets the marks to the first one of a segment. */
static void seek_marks(struct arena_walk *a, uint64_t first)
{
	while (mark_address(&a->cached, a->cached_at) < first)
		a->cached_at++;
	while (mark_address(&a->fast, a->fast_at) < first)
		a->fast_at++;
	set_next_mark(a);
}

/* The state of a marked chunk; goes on to the next mark. */
static enum vmm_chunk_state take_mark(struct arena_walk *a, uint64_t chunk)
{
	enum vmm_chunk_state state = VMM_CHUNK_USED;

	if (chunk > a->next_mark) {
		broken(a, a->next_mark, "a free list leads to an address where no chunk begins");
		return state;
	}
	if (mark_address(&a->fast, a->fast_at) == chunk) {
		state = VMM_CHUNK_FAST;
		a->fast_at++;
	} else
		state = a->cached.v[a->cached_at++] & GLIBC_MARK_OWN ? VMM_CHUNK_META : VMM_CHUNK_CACHED;
	if (mark_address(&a->cached, a->cached_at) == chunk || mark_address(&a->fast, a->fast_at) == chunk)
		broken(a, chunk, "a chunk is in two free lists");
	set_next_mark(a);
	return state;
}

/*
 * What malloc_trim() gives back of a run of free chunks that ends at end: whole pages behind the first chunk's header,
 * as mtrim() reckons. Fastbins are merged with their neighbours before that.
 */
static void end_run(struct arena_walk *a, uint64_t end)
{
	uint64_t page = a->w->r->snapshot->target.page_size, from;

	if (!a->free_start)
		return;
	if (end - a->free_start > page - 1 + 6 * a->word) {
		from = vmm_align_up(a->free_start + 6 * a->word, page);
		if (end > from && end - from > page - 1)
			vmm_walk_trim(a->w, from, from + vmm_align_down(end - from, page));
	}
	a->free_start = 0;
}

/* What malloc_trim() gives back of the main arena's top, with the free chunks before it, as systrim() reckons. */
static void trim_top(struct arena_walk *a, const struct segment *g)
{
	uint64_t page = vmm_max_u64(a->w->r->snapshot->target.page_size, a->copy->params.thp_pagesize);
	uint64_t start = a->free_start ? a->free_start : a->arena->top, rest;
	const struct vmm_vma *v = vmm_snapshot_vma_at(a->w->r->snapshot, g->end - 1);

	a->free_start = 0;
	if (!a->arena->main || !v || !vmm_vma_is_brk(v) || v->end != g->end || page & (page - 1) || g->end - start <= a->least + 1)
		return;
	rest = vmm_align_down(g->end - start - a->least - 1, page);
	vmm_walk_trim(a->w, g->end - rest, g->end);
}

/* Keeps a cache that nobody names, and has all heaps walked again: the chunks in it may be anywhere. */
static void add_stray(struct arena_walk *a, uint64_t address)
{
	struct glibc_copy *copy = a->copy;

	if (!copy->strays)
		copy->strays = vmm_arena_array(a->w->r->snapshot->arena, GLIBC_STRAYS_MAX, sizeof(*copy->strays));
	if (!copy->strays || copy->stray_count == GLIBC_STRAYS_MAX)
		return;
	copy->strays[copy->stray_count++] = address;
	a->w->restart = true;
}

static void try_stray(struct arena_walk *a, const struct scan *s)
{
	uint64_t user = s->chunk + 2 * a->word;
	bool inside = user >= s->from && user < s->to;

	if (glibc_is_cache(a->w, a->copy, user, s->size, inside ? s->window + (user - s->from) : NULL, inside ? (size_t)(s->to - user) : 0))
		add_stray(a, user);
}

/* Tells a chunk now that the next header has said whether it is free. */
static inline __attribute__((always_inline)) void settle(struct arena_walk *a, const struct scan *s, const unsigned word, bool in_use,
                                                         const enum pass pass)
{
	enum vmm_chunk_state state = VMM_CHUNK_USED;

	if (!in_use)
		state = VMM_CHUNK_FREE;
	else if (s->chunk >= a->next_mark)
		state = take_mark(a, s->chunk);
	else if (pass == PASS_BOTH && s->size <= a->fast_max && collect(a, s->chunk, s->link))
		state = VMM_CHUNK_FAST;
	if (__builtin_expect(s->size - GLIBC_CACHE_LEAST <= GLIBC_CACHE_MOST - GLIBC_CACHE_LEAST, 0) && state == VMM_CHUNK_USED &&
	    a->w->totals_only)
		try_stray(a, s);
	if (state == VMM_CHUNK_FREE || state == VMM_CHUNK_FAST) {
		if (!a->free_start)
			a->free_start = s->chunk;
	} else if (a->free_start)
		end_run(a, s->chunk);
	vmm_walk_chunk(a->w, s->chunk + word, s->size, state == VMM_CHUNK_USED ? word : 0, 0, state);
}

/* Tells the end of a segment: top, or the fencepost before its end. */
static void end_segment(struct arena_walk *a, const struct segment *g, uint64_t at, bool tell)
{
	if (!tell)
		return;
	if (at == a->arena->top)
		trim_top(a, g);
	else
		end_run(a, at);
	vmm_walk_chunk_any(a->w, at + a->word, g->end - at - a->word, 0, 0, at == a->arena->top ? VMM_CHUNK_TOP : VMM_CHUNK_META);
}

/*
 * Behind a fencepost inside a segment: bytes that others got by sbrk(), and then chunks again. The first address from
 * which a chain of chunks leads on; 0: none.
 */
static uint64_t find_next_part(struct arena_walk *a, const struct segment *g, uint64_t fence)
{
	for (uint64_t at = fence + 4 * a->word; at < g->end; at += a->align)
		if (glibc_follow_chain(a->w, at, g->end, a->arena->top, a->align, CHAIN_STEPS))
			return at;
	return 0;
}

/* Goes on behind a fencepost at p. False: it is the segment's end, or the chain is broken (then that is noted). */
static bool step_over(struct arena_walk *a, const struct segment *g, uint64_t *p, bool tell)
{
	uint64_t next = 0, fence = *p, sizes[3];

	if (g->end - fence <= 4 * (uint64_t)a->word + a->align)
		return false;
	/* Two headers without chunks, as sysmalloc() leaves them. */
	if (a->arena->main && vmm_walk_words(a->w, fence + a->word, sizes, 3) && (sizes[0] & ~FLAGS) == 2 * a->word &&
	    sizes[2] == (2 * a->word | PREV_INUSE))
		next = find_next_part(a, g, fence);
	if (!next) {
		broken(a, fence, "a chunk of an impossible size");
		return false;
	}
	if (tell) {
		end_run(a, fence);
		vmm_walk_chunk_any(a->w, fence + a->word, 3 * (uint64_t)a->word, 0, 0, VMM_CHUNK_META);
		vmm_walk_chunk_any(a->w, fence + 4 * a->word, next - fence - 3 * a->word, 0, 0, VMM_CHUNK_RESERVED);
	}
	*p = next;
	return true;
}

/* Makes the header at p readable. */
static bool load(struct arena_walk *a, struct scan *s, uint64_t p)
{
	size_t length;

	s->window = vmm_walk_window(a->w, p, &length);
	s->from = p;
	s->to = p + length;
	if (length < 2 * (size_t)a->word)
		broken(a, p, "a header is on a page that is not there");
	return length >= 2 * (size_t)a->word;
}

/*
 * Steps through one segment, and with tell tells its chunks; without, it collects chunks that may be in fastbins. False:
 * it does not add up. word is a->word, as a constant where that is known.
 */
static inline __attribute__((always_inline)) bool scan_segment(struct arena_walk *a, const struct segment *g, const unsigned word,
                                                               const enum pass pass)
{
	const bool tell = pass != PASS_COLLECT;
	const uint64_t top = a->arena->top, end = g->end, align = a->align, least = a->least;
	struct scan s = {.from = UINT64_MAX};
	uint64_t p = g->first;

	for (;;) {
		uint64_t flags, size;
		const unsigned char *at;

		if ((p < s.from || p + 2 * word > s.to) && !load(a, &s, p))
			return false;
		at = s.window + (p - s.from);
		flags = vmm_word_of(at, word, 1);
		size = flags & ~FLAGS;
		if (s.chunk) {
			if (!(flags & PREV_INUSE) && vmm_word_of(at, word, 0) != s.size) {
				broken(a, s.chunk, "a free chunk's two sizes differ");
				return false;
			}
			if (tell)
				settle(a, &s, word, flags & PREV_INUSE, pass);
			else if (flags & PREV_INUSE && s.size <= a->fast_max)
				collect(a, s.chunk, s.link);
		}
		if (p == top)
			break;
		if (size <= 2 * word) {
			if (!step_over(a, g, &p, tell))
				break;
			s.chunk = 0;
			continue;
		}
		if (size < least || size % align || size > end - p || flags & IS_MMAPPED) {
			broken(a, p, "a chunk of an impossible size");
			return false;
		}
		s.chunk = p;
		s.size = size;
		if (pass != PASS_TELL && size <= a->fast_max) {
			uint64_t first = 0;

			if (p + 3 * word <= s.to)
				first = vmm_word_of(at, word, 2);
			else
				vmm_walk_words(a->w, p + 2 * word, &first, 1);
			s.link = first;
		}
		p += size;
		if (p + 2 * word > end) {
			broken(a, s.chunk, "chunks run past the end of their segment");
			return false;
		}
	}
	if (p == top && vmm_add_sat(p, vmm_align_down(vmm_word_of(s.window + (p - s.from), word, 1), 8)) != end) {
		broken(a, p, "top does not end where its segment ends");
		return false;
	}
	end_segment(a, g, p, tell);
	return !a->w->broken && !a->w->stop && !a->nomem;
}

static bool scan(struct arena_walk *a, const struct segment *g, enum pass pass)
{
	if (a->word == 4)
		return pass == PASS_TELL ? scan_segment(a, g, 4, PASS_TELL) : scan_segment(a, g, 4, pass);
	if (pass == PASS_TELL)
		return scan_segment(a, g, 8, PASS_TELL);
	return pass == PASS_BOTH ? scan_segment(a, g, 8, PASS_BOTH) : scan_segment(a, g, 8, PASS_COLLECT);
}

/* Follows the fastbins through what was collected. */
static bool follow_fastbins(struct arena_walk *a)
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
static bool find_fast(struct arena_walk *a)
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
			if (!scan(a, &a->segments[i], PASS_COLLECT))
				return false;
		if (follow_fastbins(a))
			return true;
	}
	broken(a, a->fast_broken, "a fastbin leads to what is no chunk");
	return false;
}

static bool tell_segment(struct arena_walk *a, const struct segment *g, enum pass pass)
{
	vmm_walk_area(a->w, g->area);
	/* Bytes before the first chunk: the main arena's are others' (sbrk() by a program, a static program's TLS). */
	vmm_walk_rest(a->w, g->area->start, g->first, a->arena->main ? VMM_CHUNK_RESERVED : VMM_CHUNK_META);
	vmm_walk_chunk_any(a->w, g->first, a->word, 0, 0, VMM_CHUNK_META);
	seek_marks(a, g->first);
	a->free_start = 0;
	if (!scan(a, g, pass))
		return false;
	if (a->next_mark < g->end) {
		broken(a, a->next_mark, "a free list leads to an address where no chunk begins");
		return false;
	}
	vmm_walk_rest(a->w, g->end, g->area->end, VMM_CHUNK_RESERVED);
	return true;
}

/* Tells all segments, and what lies around them in their areas. */
static bool tell_all(struct arena_walk *a, enum pass pass)
{
	vmm_walk_trim(a->w, 0, 0);
	a->cached_at = a->fast_at = 0;
	for (size_t i = 0; i < a->segment_count; i++)
		if (!tell_segment(a, &a->segments[i], pass))
			return false;
	return true;
}

/* Both at once; where that was too quick, the driver is asked to begin again. */
static void tell_quickly(struct arena_walk *a, struct glibc_arena *arena)
{
	a->fast.count = a->candidate_count = 0;
	if (!tell_all(a, PASS_BOTH))
		return;
	if (!follow_fastbins(a) || a->fast.count != a->candidate_count) {
		arena->two_passes = true;
		a->w->again = !a->nomem;
	}
}

/* A number that is another one when an allocation or a free has changed the arena's own lists or its end. */
static uint64_t state_of(struct arena_walk *a)
{
	uint64_t sum = 0, words[2];
	unsigned prefix = glibc_since_2_43(a->w->r, &a->copy->heaps) ? 2 : 2 + glibc_fastbin_count(a->w->r, &a->copy->heaps);

	for (uint64_t at = a->arena->bins - prefix * a->word; at < a->arena->end; at += 2 * a->word)
		if (vmm_walk_words(a->w, at, words, 2))
			sum = (sum ^ words[0]) * UINT64_C(0x9e3779b97f4a7c15) + words[1];
	return sum;
}

/* What was told is of one moment only where nothing has changed meanwhile. */
static void note_motion(struct arena_walk *a, uint64_t before)
{
	vmm_walk_forget(a->w);
	if (!a->w->broken && state_of(a) != before)
		vmm_snapshot_note(a->w->r->snapshot, "heaps", "moving", a->arena->address,
		                  "a heap changed while it was walked: its numbers add up, but are not of one moment; --stop holds the program still");
}

static void walk(struct arena_walk *a, struct glibc_arena *arena, struct vmm_err *err, int *ret_code)
{
	uint64_t before;

	before = state_of(a);
	if (!read_arena(a, arena) || !read_fastbins(a)) {
		broken(a, arena->address, "the arena cannot be read");
		return;
	}
	if (!(arena->main ? find_main(a) : find_sub_heaps(a))) {
		broken(a, arena->address, "what the arena got from the system is not all found");
		return;
	}
	if (a->segment_count)
		qsort(a->segments, a->segment_count, sizeof(*a->segments), by_address);
	*ret_code = glibc_find_cached(a->w, a->copy, &a->cached, &a->links, err);
	if (*ret_code != 0 || a->w->broken)
		return;
	if (a->w->totals_only && a->fast_max && !arena->two_passes)
		tell_quickly(a, arena);
	else if (find_fast(a))
		tell_all(a, PASS_TELL);
	note_motion(a, before);
}

int glibc_walk_arena(struct vmm_walk *w, struct glibc_copy *copy, struct glibc_arena *arena, struct vmm_err *err)
{
	struct arena_walk a = {.w = w, .copy = copy, .arena = arena, .word = vmm_reading_word(w->r)};
	int rc = 0;

	a.align = glibc_alignment(w->r, &copy->heaps);
	a.least = a.word == 8 ? 32 : 16;
	walk(&a, arena, err, &rc);
	free(a.segments);
	free(a.candidates);
	free(a.cached.v);
	free(a.fast.v);
	return rc == 0 && a.nomem ? vmm_fail_nomem(err) : rc;
}
