/*
 * Fastbins, followed locally: millions of chunks can be in them, and reading each for itself would take seconds. The
 * walk has collected every chunk that may be in one; here links become indexes, first all of them (those lookups do not
 * wait for each other), then the lists are followed side by side.
 */
#include <stdlib.h>

#include "reader/glibc_marks.h"

#define MARKED (UINT64_C(1) << 63)
#define END UINT64_C(0x7fffffffffffffff)
#define PER_BUCKET 4

/* Finds chunks by address: a bucket holds the index of the first link at or above its start. */
struct lookup {
	const struct glibc_link *links;
	size_t count;
	uint32_t *buckets;
	size_t bucket_count;
	uint64_t first;
	unsigned shift;
};

static bool lookup_init(struct lookup *l, const struct glibc_link *links, size_t count)
{
	uint64_t span = count ? links[count - 1].at - links[0].at + 1 : 1;
	size_t want = count / PER_BUCKET + 1, at = 0;

	*l = (struct lookup){.links = links, .count = count, .first = count ? links[0].at : 0};
	while (span >> l->shift > want)
		l->shift++;
	l->bucket_count = (size_t)(span >> l->shift) + 2;
	l->buckets = vmm_alloc_hook(NULL, l->bucket_count * sizeof(*l->buckets));
	for (size_t b = 0; l->buckets && b < l->bucket_count; b++) {
		while (at < count && (links[at].at - l->first) >> l->shift < b)
			at++;
		l->buckets[b] = (uint32_t)at;
	}
	return l->buckets != NULL;
}

/* The index of a chunk, END when it is none of them. */
static uint64_t lookup_find(const struct lookup *l, uint64_t address)
{
	uint64_t bucket = (address - l->first) >> l->shift;
	size_t low, high;

	if (address < l->first || bucket + 1 >= l->bucket_count)
		return END;
	low = l->buckets[bucket];
	high = l->buckets[bucket + 1];
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (l->links[middle].at < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < l->count && l->links[low].at == address ? low : END;
}

/* Marks all chunks that lists lead to. An index that is marked already is a circle, or two lists in one. */
static bool mark_all(struct glibc_link *links, uint64_t *at, unsigned list_count, uint64_t *ret_at)
{
	bool more = true;

	while (more) {
		more = false;
		for (unsigned i = 0; i < list_count; i++) {
			struct glibc_link *link = &links[at[i]];

			if (at[i] == END)
				continue;
			if (link->at & MARKED || (link->next != 0 && link->next == END)) {
				*ret_at = link->at & ~MARKED;
				return false;
			}
			link->at |= MARKED;
			at[i] = link->next ? link->next - 1 : END;
			more = true;
		}
	}
	return true;
}

bool glibc_follow_fastbins(const uint64_t *heads, unsigned head_count, struct glibc_link *links, size_t count,
                           struct glibc_marks *ret, uint64_t *ret_at, int *ret_code)
{
	uint64_t at[GLIBC_FASTBINS_MAX];
	unsigned lists = 0;
	struct lookup l;
	bool good = true;

	*ret_code = 0;
	*ret_at = 0;
	if (count >= UINT32_MAX || !lookup_init(&l, links, count)) {
		*ret_code = VMM_E_NOMEM;
		return false;
	}
	for (unsigned i = 0; i < head_count && i < GLIBC_FASTBINS_MAX && good; i++) {
		if (!heads[i])
			continue;
		at[lists] = lookup_find(&l, heads[i]);
		if (at[lists++] == END) {
			*ret_at = heads[i];
			good = false;
		}
	}
	/* next becomes the index of the next chunk plus 1; 0 stays the end of a list, END stands for no chunk. */
	for (size_t i = 0; i < count && good; i++)
		if (links[i].next) {
			uint64_t index = lookup_find(&l, links[i].next);

			links[i].next = index == END ? END : index + 1;
		}
	free(l.buckets);
	if (!good || !mark_all(links, at, lists, ret_at))
		return false;
	ret->count = 0;
	for (size_t i = 0; i < count; i++)
		ret->count += links[i].at >> 63;
	if (!vmm_grow(&ret->v, &ret->capacity, ret->count + 1, sizeof(*ret->v))) {
		*ret_code = VMM_E_NOMEM;
		return false;
	}
	ret->count = 0;
	for (size_t i = 0; i < count; i++)
		if (links[i].at & MARKED)
			ret->v[ret->count++] = (links[i].at & ~MARKED) | GLIBC_MARK_FAST;
	return true;
}
