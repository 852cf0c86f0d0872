/*
 * A chunk at p has its size in the word at p + P; the word at p belongs to the chunk before it as long as that one is in
 * use. What is told for it is therefore [p + P, p + P + size): its header and all that the program may use. Whether it
 * is free stands in the next chunk's PREV_INUSE; chunks in fastbins and thread caches look in use and are found by
 * their lists (glibc_cached.c, glibc_fast.c).
 *
 * Layout: glibc malloc/malloc.c, struct malloc_chunk, 2.26 to 2.43.
 */
#include "reader/glibc_scan.h"

#include "base/search.h"

#define PREV_INUSE 1
#define IS_MMAPPED 2
#define FLAGS UINT64_C(7)
#define CHAIN_STEPS 256 /* chunks that make a chain believable */

/* What the walk holds at one moment: the window, and the chunk whose state the next header tells. */
struct scan {
	const unsigned char *window;
	uint64_t from, to;    /* the window's addresses */
	uint64_t chunk, size; /* 0: none yet */
	uint64_t link;        /* the first word of the chunk's user bytes, for small ones */
};

static bool in_segments(const struct glibc_arena_walk *a, uint64_t chunk)
{
	size_t i = VMM_FIRST_ABOVE(a->segments, a->segment_count, end, chunk);

	return i < a->segment_count && a->segments[i].first <= chunk;
}

/* Keeps a chunk that may be in a fastbin: its first word leads to another chunk of this arena, or to none. */
static bool collect(struct glibc_arena_walk *a, uint64_t chunk, uint64_t link)
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

static void set_next_mark(struct glibc_arena_walk *a)
{
	a->next_mark = vmm_min_u64(mark_address(&a->cached, a->cached_at), mark_address(&a->fast, a->fast_at));
}

void glibc_seek_marks(struct glibc_arena_walk *a, uint64_t first)
{
	while (mark_address(&a->cached, a->cached_at) < first)
		a->cached_at++;
	while (mark_address(&a->fast, a->fast_at) < first)
		a->fast_at++;
	set_next_mark(a);
}

uint64_t glibc_state_of(struct glibc_arena_walk *a)
{
	uint64_t sum = 0, words[2];
	unsigned prefix = glibc_since_2_43(a->w->r, &a->copy->heaps) ? 2 : 2 + glibc_fastbin_count(a->w->r, &a->copy->heaps);

	for (uint64_t at = a->arena->bins - prefix * a->word; at < a->arena->end; at += 2 * a->word)
		if (vmm_walk_words(a->w, at, words, 2))
			sum = (sum ^ words[0]) * UINT64_C(0x9e3779b97f4a7c15) + words[1];
	return sum;
}

bool glibc_moving(struct glibc_arena_walk *a)
{
	if (!a->moving) {
		vmm_walk_forget(a->w);
		a->moving = glibc_state_of(a) != a->state;
	}
	return a->moving;
}

/* The state of a marked chunk; goes on to the next mark. */
static enum vmm_chunk_state take_mark(struct glibc_arena_walk *a, uint64_t chunk)
{
	enum vmm_chunk_state state = VMM_CHUNK_USED;

	if (chunk > a->next_mark && !glibc_moving(a)) {
		vmm_walk_broken(a->w, a->next_mark, "a free list leads to an address where no chunk begins");
		return state;
	}
	glibc_seek_marks(a, chunk); /* in a heap that moves, chunks may have left their lists and be merged by now */
	if (a->next_mark != chunk)
		return state;
	if (mark_address(&a->fast, a->fast_at) == chunk) {
		state = VMM_CHUNK_FAST;
		a->fast_at++;
	} else
		state = a->cached.v[a->cached_at++] & GLIBC_MARK_OWN ? VMM_CHUNK_META : VMM_CHUNK_CACHED;
	if (mark_address(&a->cached, a->cached_at) == chunk || mark_address(&a->fast, a->fast_at) == chunk)
		vmm_walk_broken(a->w, chunk, "a chunk is in two free lists");
	set_next_mark(a);
	return state;
}

/*
 * What malloc_trim() gives back of a run of free chunks that ends at end: whole pages behind the first chunk's header,
 * as mtrim() reckons. Fastbins are merged with their neighbours before that.
 */
static void end_run(struct glibc_arena_walk *a, uint64_t end)
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
static void trim_top(struct glibc_arena_walk *a, const struct glibc_segment *g)
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
static void add_stray(struct glibc_arena_walk *a, uint64_t address)
{
	struct glibc_copy *copy = a->copy;

	if (!copy->strays)
		copy->strays = vmm_arena_array(a->w->r->snapshot->arena, GLIBC_STRAYS_MAX, sizeof(*copy->strays));
	if (!copy->strays || copy->stray_count == GLIBC_STRAYS_MAX)
		return;
	copy->strays[copy->stray_count++] = address;
	a->w->restart = true;
}

static void try_stray(struct glibc_arena_walk *a, const struct scan *s)
{
	uint64_t user = s->chunk + 2 * a->word;
	bool inside = user >= s->from && user < s->to;

	if (glibc_is_cache(a->w, a->copy, user, s->size, inside ? s->window + (user - s->from) : NULL, inside ? (size_t)(s->to - user) : 0))
		add_stray(a, user);
}

/* Tells a chunk now that the next header has said whether it is free. */
static inline __attribute__((always_inline)) void settle(struct glibc_arena_walk *a, const struct scan *s, const unsigned word, bool in_use,
                                                         const enum glibc_pass pass)
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
static void end_segment(struct glibc_arena_walk *a, const struct glibc_segment *g, uint64_t at, bool tell)
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
static uint64_t find_next_part(struct glibc_arena_walk *a, const struct glibc_segment *g, uint64_t fence)
{
	for (uint64_t at = fence + 4 * a->word; at < g->end; at += a->align)
		if (glibc_follow_chain(a->w, at, g->end, a->arena->top, a->align, CHAIN_STEPS))
			return at;
	return 0;
}

/* Goes on behind a fencepost at p. False: it is the segment's end, or the chain is broken (then that is noted). */
static bool step_over(struct glibc_arena_walk *a, const struct glibc_segment *g, uint64_t *p, bool tell)
{
	uint64_t next = 0, fence = *p, sizes[3];

	if (g->end - fence <= 4 * (uint64_t)a->word + a->align)
		return false;
	/* Two headers without chunks, as sysmalloc() leaves them. */
	if (a->arena->main && vmm_walk_words(a->w, fence + a->word, sizes, 3) && (sizes[0] & ~FLAGS) == 2 * a->word &&
	    sizes[2] == (2 * a->word | PREV_INUSE))
		next = find_next_part(a, g, fence);
	if (!next) {
		vmm_walk_broken(a->w, fence, "a chunk of an impossible size");
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
static bool load(struct glibc_arena_walk *a, struct scan *s, uint64_t p)
{
	size_t length;

	s->window = vmm_walk_window(a->w, p, &length);
	s->from = p;
	s->to = p + length;
	if (length < 2 * (size_t)a->word)
		vmm_walk_broken(a->w, p, "a header is on a page that is not there");
	return length >= 2 * (size_t)a->word;
}

/*
 * Steps through one segment, and with tell tells its chunks; without, it collects chunks that may be in fastbins. False:
 * it does not add up. word is a->word, as a constant where that is known.
 */
static inline __attribute__((always_inline)) bool scan_segment(struct glibc_arena_walk *a, const struct glibc_segment *g, const unsigned word,
                                                               const enum glibc_pass pass)
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
				vmm_walk_broken(a->w, s.chunk, "a free chunk's two sizes differ");
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
			vmm_walk_broken(a->w, p, "a chunk of an impossible size");
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
			vmm_walk_broken(a->w, s.chunk, "chunks run past the end of their segment");
			return false;
		}
	}
	if (p == top && vmm_add_sat(p, vmm_align_down(vmm_word_of(s.window + (p - s.from), word, 1), 8)) != end) {
		vmm_walk_broken(a->w, p, "top does not end where its segment ends");
		return false;
	}
	end_segment(a, g, p, tell);
	return !a->w->broken && !a->w->stop && !a->nomem;
}

bool glibc_scan(struct glibc_arena_walk *a, const struct glibc_segment *g, enum glibc_pass pass)
{
	if (a->word == 4)
		return pass == PASS_TELL ? scan_segment(a, g, 4, PASS_TELL) : scan_segment(a, g, 4, pass);
	if (pass == PASS_TELL)
		return scan_segment(a, g, 8, PASS_TELL);
	return pass == PASS_BOTH ? scan_segment(a, g, 8, PASS_BOTH) : scan_segment(a, g, 8, PASS_COLLECT);
}
