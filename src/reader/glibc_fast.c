/*
 * Fastbins, followed locally: millions of chunks can be in them, and reading each for itself would take seconds. The
 * walk has collected every chunk that may be in one; here links become indexes, first all of them (those lookups do not
 * wait for each other), then the lists are followed side by side.
 */
#include <stdlib.h>

#include "base/search.h"
#include "reader/glibc_marks.h"

#define NONE UINT32_MAX /* no chunk */
#define LAST (UINT32_MAX - 1) /* the end of a list */
#define PER_BUCKET 4
#define BITMAP_SPAN (UINT64_C(8) << 30) /* larger heaps are looked up by buckets, in less memory */
#define PREFETCH 24 /* links looked up ahead: the bitmap is larger than the caches near the processor */

/*
 * Finds a chunk's index by its address. Either a bitmap with a bit for each place where a chunk could be, and for each
 * word of it how many bits are set before; or buckets that hold the index of the first chunk in them.
 */
struct piece {
	uint64_t bits;
	uint64_t before; /* bits set in all pieces before this one */
};

struct lookup {
	const struct glibc_link *links;
	size_t count;
	struct piece *pieces; /* the bitmap, or NULL */
	uint32_t *buckets;    /* or NULL */
	size_t length;        /* of either */
	uint64_t first, span, unit; /* unit: places where chunks could be are so far apart */
	unsigned unit_shift, shift;
};

static bool bitmap_init(struct lookup *l)
{
	uint64_t sum = 0;

	l->length = (size_t)(l->span / l->unit / 64) + 1;
	l->pieces = vmm_alloc_hook(NULL, l->length * sizeof(*l->pieces));
	if (!l->pieces)
		return false;
	memset(l->pieces, 0, l->length * sizeof(*l->pieces));
	for (size_t i = 0; i < l->count; i++) {
		uint64_t place = (l->links[i].at - l->first) >> l->unit_shift;

		l->pieces[place / 64].bits |= UINT64_C(1) << (place % 64);
	}
	for (size_t i = 0; i < l->length; i++) {
		l->pieces[i].before = sum;
		sum += (uint64_t)__builtin_popcountll(l->pieces[i].bits);
	}
	return true;
}

static bool buckets_init(struct lookup *l)
{
	size_t want = l->count / PER_BUCKET + 1, at = 0;

	while (l->span >> l->shift > want)
		l->shift++;
	l->length = (size_t)(l->span >> l->shift) + 2;
	l->buckets = vmm_alloc_hook(NULL, l->length * sizeof(*l->buckets));
	for (size_t b = 0; l->buckets && b < l->length; b++) {
		while (at < l->count && (l->links[at].at - l->first) >> l->shift < b)
			at++;
		l->buckets[b] = (uint32_t)at;
	}
	return l->buckets != NULL;
}

static bool lookup_init(struct lookup *l, const struct glibc_link *links, size_t count, uint64_t unit)
{
	*l = (struct lookup){.links = links, .count = count, .unit = unit, .unit_shift = (unsigned)__builtin_ctzll(unit)};
	if (!count)
		return true;
	l->first = links[0].at;
	l->span = links[count - 1].at - l->first + 1;
	return l->span <= BITMAP_SPAN ? bitmap_init(l) : buckets_init(l);
}

static void lookup_done(struct lookup *l)
{
	free(l->pieces);
	free(l->buckets);
}

static uint32_t find_in_bucket(const struct lookup *l, uint64_t address)
{
	size_t bucket = (size_t)((address - l->first) >> l->shift), first = l->buckets[bucket];
	size_t i = first + VMM_FIRST_FROM(l->links + first, l->buckets[bucket + 1] - first, at, address);

	return i < l->count && l->links[i].at == address ? (uint32_t)i : NONE;
}

/* The index of a chunk, NONE when it is none of them. */
static uint32_t lookup_find(const struct lookup *l, uint64_t address)
{
	uint64_t offset = address - l->first, place = offset >> l->unit_shift, bit = UINT64_C(1) << (place % 64);
	const struct piece *piece;

	/* Below first the offset wraps to more than any span. */
	if (offset >= l->span || offset & (l->unit - 1))
		return NONE;
	if (!l->pieces)
		return find_in_bucket(l, address);
	piece = &l->pieces[place / 64];
	return piece->bits & bit ? (uint32_t)piece->before + (uint32_t)__builtin_popcountll(piece->bits & (bit - 1)) : NONE;
}

static void lookup_prefetch(const struct lookup *l, uint64_t address)
{
	uint64_t offset = address - l->first;

	if (l->pieces && offset < l->span)
		__builtin_prefetch(&l->pieces[(offset >> l->unit_shift) / 64]);
}

/* Turns links into indexes. */
static void find_all(const struct lookup *l, uint32_t *ret_next)
{
	for (size_t i = 0; i < l->count; i++) {
		if (i + PREFETCH < l->count)
			lookup_prefetch(l, l->links[i + PREFETCH].next);
		ret_next[i] = l->links[i].next ? lookup_find(l, l->links[i].next) : LAST;
	}
}

/* Marks all chunks that lists lead to. One that is marked already is in a circle, or in two lists. */
static bool mark_all(const uint32_t *next, uint64_t *marks, uint32_t *at, unsigned list_count, uint32_t *ret_at)
{
	bool more = true;

	while (more) {
		more = false;
		for (unsigned i = 0; i < list_count; i++) {
			uint64_t *word = &marks[at[i] / 64], bit = UINT64_C(1) << (at[i] % 64);

			if (at[i] == LAST)
				continue;
			if (*word & bit || next[at[i]] == NONE) {
				*ret_at = at[i];
				return false;
			}
			*word |= bit;
			at[i] = next[at[i]];
			more = true;
		}
	}
	return true;
}

/* The chunks that are marked, by rising address. */
static bool keep_marked(const struct glibc_link *links, size_t count, const uint64_t *marks, struct glibc_marks *ret)
{
	size_t marked = 0;

	for (size_t i = 0; i < count / 64 + 1; i++)
		marked += (size_t)__builtin_popcountll(marks[i]);
	if (!vmm_grow(&ret->v, &ret->capacity, marked + 1, sizeof(*ret->v)))
		return false;
	ret->count = 0;
	for (size_t i = 0; i < count; i++)
		if (marks[i / 64] >> (i % 64) & 1)
			ret->v[ret->count++] = links[i].at | GLIBC_MARK_FAST;
	return true;
}

/* Where the lists begin. False: a head is no chunk. */
static bool find_heads(const struct lookup *l, const uint64_t *heads, unsigned head_count, uint32_t *ret_at, unsigned *ret_lists,
                       uint64_t *ret_bad)
{
	*ret_lists = 0;
	for (unsigned i = 0; i < head_count && i < GLIBC_FASTBINS_MAX; i++) {
		uint32_t at = heads[i] ? lookup_find(l, heads[i]) : LAST;

		if (at == NONE) {
			*ret_bad = heads[i];
			return false;
		}
		if (at != LAST)
			ret_at[(*ret_lists)++] = at;
	}
	return true;
}

bool glibc_follow_fastbins(const uint64_t *heads, unsigned head_count, const struct glibc_link *links, size_t count, uint64_t align,
                           struct glibc_marks *ret, uint64_t *ret_at, int *ret_code)
{
	VMM_CLEANUP_FREE uint32_t *next = vmm_alloc_hook(NULL, (count + 1) * sizeof(*next));
	VMM_CLEANUP_FREE uint64_t *marks = vmm_alloc_hook(NULL, (count / 64 + 1) * sizeof(*marks));
	uint32_t at[GLIBC_FASTBINS_MAX], bad = 0;
	unsigned lists = 0;
	struct lookup l;
	bool good;

	*ret_code = VMM_E_NOMEM;
	*ret_at = 0;
	if (!next || !marks || count >= LAST || !lookup_init(&l, links, count, align))
		return false;
	*ret_code = 0;
	good = find_heads(&l, heads, head_count, at, &lists, ret_at);
	if (good)
		find_all(&l, next);
	lookup_done(&l);
	if (!good)
		return false;
	memset(marks, 0, (count / 64 + 1) * sizeof(*marks));
	if (!mark_all(next, marks, at, lists, &bad)) {
		*ret_at = links[bad].at;
		return false;
	}
	if (!keep_marked(links, count, marks, ret)) {
		*ret_code = VMM_E_NOMEM;
		return false;
	}
	return true;
}
