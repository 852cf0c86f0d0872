/*
 * What thread caches and transfer caches of tcmalloc hold: lists linked through the first word of each object. Each must
 * be as long as its cache says, and no longer than memory has room for, so that none runs in a circle.
 */
#include <stdlib.h>

#include "reader/tcmalloc.h"

#define ADDRESS_BITS 56 /* in an entry; the page map knows 48 */

static bool add(struct tc_cached *c, uint64_t address, unsigned class)
{
	if (!vmm_grow(&c->v, &c->capacity, c->count + 1, sizeof(*c->v)))
		return false;
	c->v[c->count++] = address << 8 | class;
	return true;
}

/*
 * Collects a list from first on that shall have count objects, the last one being last (0: whichever); *ret_count: how many
 * it has, one more than count at most. 0, VMM_E_NOMEM.
 */
static int add_list(struct vmm_walk *w, const struct tc_tables *t, unsigned class, uint64_t first, uint64_t count, uint64_t last,
                    struct tc_cached *c, uint64_t *ret_count)
{
	uint64_t at = first, before = 0;

	*ret_count = 0;
	if (count > c->most / t->size[class] || c->count > c->most / 8) {
		vmm_walk_broken(w, first, "a cache of tcmalloc that holds more than there is");
		return 0;
	}
	for (; at && *ret_count <= count; ++*ret_count) {
		before = at;
		if (at % 8 || at >> ADDRESS_BITS) {
			vmm_walk_broken(w, first, "a list of free objects in a cache of tcmalloc that leads nowhere");
			return 0;
		}
		if (!add(c, at, class))
			return VMM_E_NOMEM;
		if (!vmm_walk_words(w, at, &at, 1)) {
			vmm_walk_broken(w, before, "a free object that cannot be read");
			return 0;
		}
	}
	if (at || (last && before != last))
		vmm_walk_broken(w, first, "a list of free objects in a cache of tcmalloc that does not end where it should");
	return 0;
}

/* A thread may be taking or giving one object: then one of its lists and the number beside it differ by one. */
static int add_cache(struct vmm_walk *w, const struct tc_heap *h, const struct tc_tables *t, uint64_t address, struct tc_cached *c)
{
	unsigned char lists[TC_CLASSES * 4 * 8];
	size_t size = (size_t)t->classes * 4 * h->word;
	const unsigned char *bytes = vmm_walk_bytes(w, address, size);
	unsigned different = 0;
	int rc = 0;

	if (!bytes) {
		vmm_walk_broken(w, address, "a thread cache that cannot be read");
		return 0;
	}
	memcpy(lists, bytes, size);
	for (unsigned class = 1; class < t->classes && rc == 0 && !w->broken; class++) {
		const unsigned char *list = lists + class * 4 * h->word;
		uint64_t length = h->word == 8 ? tc_u32(list + h->word) : tc_u32(list + h->word) & 0xffff, count;

		rc = add_list(w, t, class, vmm_word_of(list, h->word, 0), length, 0, c, &count);
		different += count != length;
		if (count + 1 < length || different > 1)
			vmm_walk_broken(w, address, "a thread cache of tcmalloc whose lists are not as long as it says");
	}
	return rc;
}

static int add_slots(struct vmm_walk *w, const struct tc_heap *h, const unsigned char *data, const struct tc_tables *t, unsigned class,
                     struct tc_cached *c)
{
	const unsigned char *list = data + (t->central - h->data_start) + class * t->central_stride;
	uint32_t used = tc_u32(list + 144 * h->word);
	uint64_t count;
	int rc = 0;

	for (uint32_t i = 0; i < used && i < TC_SLOTS && rc == 0 && !w->broken; i++) {
		rc = add_list(w, t, class, vmm_word_of(list, h->word, 16 + 2 * i), t->transfer[class], vmm_word_of(list, h->word, 17 + 2 * i), c,
		              &count);
		if (count != t->transfer[class])
			vmm_walk_broken(w, t->central + class * t->central_stride, "a slot of a transfer cache of tcmalloc that is not full");
	}
	return rc;
}

/* Sorts by address: by bytes from the lowest, those that are all equal left out. */
static bool sort(struct tc_cached *c)
{
	uint64_t *other = vmm_alloc_hook(NULL, (c->count + 1) * sizeof(*other)), varies = 0;

	if (!other)
		return false;
	for (size_t i = 1; i < c->count; i++)
		varies |= c->v[i] ^ c->v[0];
	for (unsigned shift = 8; shift < 64; shift += 8) {
		size_t place[256] = {0}, sum = 0;
		uint64_t *sorted = other;

		if (!(varies >> shift & 0xff))
			continue;
		for (size_t i = 0; i < c->count; i++)
			place[c->v[i] >> shift & 0xff]++;
		for (unsigned i = 0; i < 256; i++) {
			size_t count = place[i];

			place[i] = sum;
			sum += count;
		}
		for (size_t i = 0; i < c->count; i++)
			sorted[place[c->v[i] >> shift & 0xff]++] = c->v[i];
		other = c->v;
		c->v = sorted;
		c->capacity = c->count + 1;
	}
	free(other);
	return true;
}

int tc_collect(struct vmm_walk *w, const struct tc_heap *h, const unsigned char *data, const struct tc_tables *t, struct tc_cached *ret,
               struct vmm_err *err)
{
	uint64_t cache = t->first, links[2];
	int rc = 0;

	/* The list was seen to end when it was found; a longer one is another by now. */
	for (unsigned n = 0; cache && rc == 0 && !w->broken; n++, cache = links[0]) {
		rc = add_cache(w, h, t, cache, ret);
		if (!vmm_walk_words(w, cache + t->links, links, 2) || n > 65536) {
			vmm_walk_broken(w, cache, "the list of thread caches does not end");
			return 0;
		}
	}
	for (unsigned class = 1; class < t->classes && rc == 0 && !w->broken; class++)
		rc = add_slots(w, h, data, t, class, ret);
	return rc < 0 || !sort(ret) ? vmm_fail_nomem(err) : 0;
}
