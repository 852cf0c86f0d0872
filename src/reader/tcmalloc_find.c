/*
 * Finding tcmalloc's tables in the writable data of the object that holds it. What gives it away are the page heap's
 * lists of free spans: heads side by side, most of them empty and naming themselves. Their number tells the page size.
 */
#include <stdlib.h>

#include "reader/tcmalloc.h"

#define HEADS_MAX 512 /* for pages of 4 KiB */
#define HEADS_MIN 8   /* for pages of 256 KiB */
#define MAX_SIZE 262144 /* common.h: kMaxSize, the last size class */
#define CACHES_MAX 65536
#define LOOKS_MAX 32 /* variables that name a thread cache; there are two or three */

/* Whether a list head stands at bytes: nothing in it but the two links. */
static bool is_head(const struct vmm_reading *r, const unsigned char *bytes, uint64_t address, unsigned word)
{
	uint64_t next = vmm_word_of(bytes, word, 2), prev = vmm_word_of(bytes, word, 3);

	if (vmm_word_of(bytes, word, 0) || vmm_word_of(bytes, word, 1) || vmm_word_of(bytes, word, 4) || vmm_word_of(bytes, word, 5))
		return false;
	if (next == address || prev == address)
		return next == prev;
	return next && prev && next % word == 0 && prev % word == 0 && vmm_reading_writable(r, next) && vmm_reading_writable(r, prev);
}

/* The page size that so many heads stand for; 0: none. */
static unsigned shift_of(size_t heads)
{
	for (unsigned shift = 12; shift <= 18; shift++)
		if (heads == (size_t)2 << (20 - shift))
			return shift;
	return 0;
}

static bool lay_out(struct tc_heap *h, uint64_t heads, unsigned shift, size_t count)
{
	unsigned bits = (h->word == 8 ? 48 : 32) - shift;
	uint64_t before;

	h->shift = shift;
	h->leaf_bits = (bits + 1) / 2;
	h->root_bits = bits - h->leaf_bits;
	h->heads = heads;
	h->stats = heads + count * 6 * h->word;
	before = 13 * h->word + ((uint64_t)h->word << h->root_bits);
	if (heads < before || heads - before < h->data_start)
		return false;
	h->root = heads - before;
	return true;
}

bool tc_read_stats(const struct tc_heap *h, const unsigned char *bytes, struct tc_stats *ret)
{
	memcpy(&ret->system, bytes, 8);
	memcpy(&ret->free, bytes + 8, 8);
	memcpy(&ret->unmapped, bytes + 16, 8);
	memcpy(&ret->committed, bytes + 24, 8);
	return ret->system && ret->system % (UINT64_C(1) << h->shift) == 0 && ret->free % (UINT64_C(1) << h->shift) == 0 &&
	       ret->unmapped <= ret->system && ret->free <= ret->system - ret->unmapped && ret->committed == ret->system - ret->unmapped;
}

bool tc_is_sign(const struct vmm_reading *r, const unsigned char *bytes, uint64_t address, unsigned word)
{
	if (vmm_word_of(bytes, word, 2) != address)
		return false;
	for (unsigned i = 0; i < TC_SIGN_HEADS; i++)
		if (!is_head(r, bytes + i * 6 * word, address + i * 6 * word, word))
			return false;
	return true;
}

bool tc_find_heap(struct vmm_reading *r, const unsigned char *bytes, size_t length, uint64_t from, struct tc_heap *h, size_t *at)
{
	unsigned word = h->word;
	size_t size = 6 * word;
	struct tc_stats stats;

	for (; length >= size && *at <= length - size; *at += word) {
		size_t first = *at, end = *at + size, count;

		if (vmm_word_of(bytes + *at, word, 2) != from + *at || !is_head(r, bytes + *at, from + *at, word))
			continue;
		/* The first empty list; those of the shortest spans are seldom empty. */
		while (first >= size && is_head(r, bytes + first - size, from + first - size, word))
			first -= size;
		while (end <= length - size && is_head(r, bytes + end, from + end, word))
			end += size;
		count = (end - first) / size;
		*at = end;
		if (count < HEADS_MIN || count > HEADS_MAX || !shift_of(count) || !lay_out(h, from + first, shift_of(count), count))
			continue;
		/* Where u64 is aligned to 8 bytes in ILP32 there may be a gap. */
		for (int gap = 0; gap < 2; gap++, h->stats += 4)
			if (h->stats - from + 32 <= length && tc_read_stats(h, bytes + (h->stats - from), &stats))
				return true;
	}
	return false;
}

/*
 * Where else than in tables that are known something may stand, from an offset into the data on: the root of the page map is
 * most of it. A step of the loops over the data.
 */
static size_t skip_tables(const struct tc_heap *h, const struct tc_tables *t, size_t at)
{
	uint64_t address = h->data_start + at, central_end = t->central + t->classes * t->central_stride;

	if (address >= h->root && address < h->stats)
		at = (size_t)(h->stats - h->data_start);
	else if (address >= t->central && address < central_end)
		at = (size_t)(central_end - h->data_start);
	return at;
}

static bool read_classes(const struct tc_heap *h, const unsigned char *data, size_t length, size_t at, struct tc_tables *ret)
{
	size_t pages = (size_t)(vmm_align_up(h->data_start + at + 4 * TC_CLASSES, h->word) - h->data_start);
	unsigned n = 1;

	if (at < 4 * TC_CLASSES || pages + (size_t)TC_CLASSES * h->word > length)
		return false;
	for (; n < TC_CLASSES && tc_u32(data + at + 4 * n) > tc_u32(data + at + 4 * n - 4); n++) {
		uint32_t size = tc_u32(data + at + 4 * n), move = tc_u32(data + at - 4 * TC_CLASSES + 4 * n);
		uint64_t span = vmm_word_of(data + pages, h->word, n);

		if (size % 8 || size > MAX_SIZE || span == 0 || span > 4096 || (span << h->shift) / size > TC_OBJECTS_MAX ||
		    (span << h->shift) < size || move == 0 || move > TC_OBJECTS_MAX)
			return false;
		ret->size[n] = size;
		ret->span_bytes[n] = span << h->shift;
		ret->objects[n] = (uint32_t)((span << h->shift) / size);
		ret->transfer[n] = move;
	}
	ret->classes = n;
	return n > 8 && ret->size[n - 1] == MAX_SIZE;
}

bool tc_find_classes(const struct tc_heap *h, const unsigned char *data, struct tc_tables *ret)
{
	size_t length = (size_t)(h->data_end - h->data_start);

	for (size_t at = 0; (at = skip_tables(h, ret, at)) + 16 <= length; at += 4)
		if (tc_u32(data + at + 4) == 8 && tc_u32(data + at) == 0 && tc_u32(data + at + 8) == 16 && read_classes(h, data, length, at, ret))
			return true;
	return false;
}

static bool is_central(const struct tc_heap *h, const unsigned char *data, size_t at, uint64_t stride, const struct tc_tables *t)
{
	unsigned word = h->word;

	for (unsigned c = 0; c < t->classes; c++) {
		const unsigned char *list = data + at + c * stride;

		if (vmm_word_of(list, word, 1) != c || !vmm_word_of(list, word, 4) || !vmm_word_of(list, word, 5) ||
		    !vmm_word_of(list, word, 10) || !vmm_word_of(list, word, 11) || tc_u32(list + 144 * word) > TC_SLOTS)
			return false;
	}
	return true;
}

bool tc_find_central(const struct tc_heap *h, const unsigned char *data, struct tc_tables *ret)
{
	unsigned word = h->word;
	uint64_t stride = vmm_align_up(144 * word + 12, 64);
	size_t length = (size_t)(h->data_end - h->data_start), need = (size_t)stride * ret->classes;

	for (size_t at = 0; length >= need && (at = skip_tables(h, ret, at)) <= length - need; at += word)
		if (vmm_word_of(data + at + stride, word, 1) == 1 && is_central(h, data, at, stride, ret)) {
			ret->central = h->data_start + at;
			ret->central_stride = stride;
			return true;
		}
	return false;
}

/* Whether a ThreadCache stands there: its lists have the sizes of the classes. */
static bool is_cache(struct vmm_walk *w, const struct tc_heap *h, const struct tc_tables *t, uint64_t address)
{
	unsigned word = h->word;
	const unsigned char *bytes;

	if (!address || address % 8 || !vmm_reading_writable(w->r, address))
		return false;
	bytes = vmm_walk_bytes(w, address, (size_t)t->classes * 4 * word);
	for (unsigned c = 0; bytes && c < t->classes; c++)
		if (tc_u32(bytes + c * 4 * word + 3 * word) != t->size[c])
			return false;
	return bytes != NULL;
}

/* Follows the list from one of its members to the first one, and back to the end. The number of members; 0: it is none. */
static unsigned follow(struct vmm_walk *w, const struct tc_heap *h, const struct tc_tables *t, uint64_t address, uint64_t links,
                       uint64_t *ret_first)
{
	uint64_t pair[2], first = address, before = 0;
	unsigned count = 0;

	for (unsigned n = 0;; n++) {
		if (n == CACHES_MAX || !is_cache(w, h, t, first) || !vmm_walk_words(w, first + links, pair, 2))
			return 0;
		if (!pair[1])
			break;
		first = pair[1];
	}
	*ret_first = first;
	for (; first; before = first, first = pair[0], count++)
		if (count == CACHES_MAX || !is_cache(w, h, t, first) || !vmm_walk_words(w, first + links, pair, 2) || pair[1] != before)
			return 0;
	return count;
}

static bool is_named(const struct tc_heap *h, const unsigned char *data, const struct tc_tables *t, uint64_t value)
{
	size_t length = (size_t)(h->data_end - h->data_start);

	for (size_t at = 0; (at = skip_tables(h, t, at)) + h->word <= length; at += h->word)
		if (vmm_word_of(data + at, h->word, 0) == value)
			return true;
	return false;
}

/*
 * Where the links of a thread cache stand: in 2.16 and later, in 2.8 to 2.15, and in these where u64 is aligned to 8 bytes in
 * ILP32. A place with a link to another cache is it, even if the list turns out broken; with one cache alone any will do.
 */
static uint64_t links_of(struct vmm_walk *w, const struct tc_heap *h, const struct tc_tables *t, uint64_t cache)
{
	static const uint16_t links_64[] = {0x1030, 0x1020}, links_32[] = {0x820, 0x818, 0x828};
	const uint16_t *links = h->word == 8 ? links_64 : links_32;
	size_t count = h->word == 8 ? ARRAY_LEN(links_64) : ARRAY_LEN(links_32);
	uint64_t pair[2], alone = 0;

	for (size_t i = 0; i < count; i++) {
		if (!vmm_walk_words(w, cache + links[i], pair, 2))
			continue;
		if (is_cache(w, h, t, pair[0]) || is_cache(w, h, t, pair[1]))
			return links[i];
		if (!pair[0] && !pair[1] && !alone)
			alone = links[i];
	}
	return alone;
}

/* The list of thread caches begins in a variable; another one names any member of it. */
bool tc_find_caches(struct vmm_walk *w, const struct tc_heap *h, const unsigned char *data, struct tc_tables *ret)
{
	size_t length = (size_t)(h->data_end - h->data_start);
	unsigned most = 0, looks = 0;
	uint64_t last = 0;

	for (size_t at = 0; (at = skip_tables(h, ret, at)) + h->word <= length && looks < LOOKS_MAX; at += h->word) {
		uint64_t value = vmm_word_of(data + at, h->word, 0), links, first = 0;
		unsigned members;

		if (!value || value == last || (value >= h->data_start && value < h->data_end) || !is_cache(w, h, ret, value))
			continue;
		last = value;
		looks++;
		links = links_of(w, h, ret, value);
		members = links ? follow(w, h, ret, value, links, &first) : 0;
		if (members > most) {
			most = members;
			ret->links = links;
			ret->first = first;
		}
	}
	return most > 0 && is_named(h, data, ret, ret->first);
}
