/*
 * Every block of a page heap of tcmalloc. What must hold: spans add up to what the page heap got from the system, free and
 * returned ones to its counters; in each span of small objects those in use and those in its list make up all; those
 * lists and the spans of each class add up to the central lists' counters; each object in a cache is one of the span
 * that it lies in, of the cache's class and nowhere else free. Counters are read again at the end: objects that moved
 * between threads' caches and central lists meanwhile would have been counted twice or not at all.
 */
#include <stdlib.h>

#include "reader/tcmalloc.h"

#define SMALL_PAGE 4096 /* objects from here on may lie in pages that nobody has touched */

#define READ_PAGE 4096

/* The walk under way. */
struct page_heap_walk {
	struct vmm_walk *w;
	const struct tc_heap *h;
	struct tc_tables t;
	struct tc_cached cached;
	size_t next_cached;
	const struct vmm_area *area;
	uint64_t told;                                  /* the area is told up to here */
	uint64_t all, free, returned;                   /* bytes of spans */
	uint64_t spans[TC_CLASSES], listed[TC_CLASSES]; /* spans, and free objects in them */
	uint8_t state[TC_OBJECTS_MAX];                  /* of the objects of a span */
};

static bool next_area(struct page_heap_walk *p)
{
	bool more;

	if (p->area && p->told < p->area->end)
		vmm_walk_rest(p->w, p->told, p->area->end, VMM_CHUNK_META);
	more = vmm_walk_next_area(p->w, &p->area);
	if (!more)
		p->area = NULL;
	p->told = more ? p->area->start : UINT64_MAX;
	return more;
}

/* Moves on to the area of a span, and tells the tables before the span. False: it is in none. */
static bool enter(struct page_heap_walk *p, const struct tc_span *s)
{
	while (p->area && s->start >= p->area->end)
		if (!next_area(p))
			break;
	if (!p->area || s->start < p->told) {
		vmm_walk_broken(p->w, s->start, "memory of tcmalloc that is not in the map that was read before");
		return false;
	}
	vmm_walk_rest(p->w, p->told, s->start, VMM_CHUNK_META);
	p->told = s->start + s->length;
	return true;
}

/* What malloc_usable_size() says of a block that was asked for with so many bytes. */
static uint64_t usable_of(const struct page_heap_walk *p, uint64_t asked)
{
	for (unsigned class = 1; class < p->t.classes; class++)
		if (asked <= p->t.size[class])
			return p->t.size[class];
	return vmm_align_up(asked, UINT64_C(1) << p->h->shift);
}

static void tell_large(struct page_heap_walk *p, const struct tc_span *s)
{
	uint64_t usable = s->length, asked;

	if (s->sampled) {
		if (!vmm_walk_words(p->w, s->objects, &asked, 1) || (usable = usable_of(p, asked)) > s->length ||
		    s->length - usable > UINT32_MAX) {
			vmm_walk_broken(p->w, s->start, "a sampled block whose size is not known");
			return;
		}
	}
	vmm_walk_chunk(p->w, s->start, s->length, 0, (uint32_t)(s->length - usable), VMM_CHUNK_USED);
}

static void tell_free(struct page_heap_walk *p, const struct tc_span *s)
{
	bool inside = s->start + s->length <= p->area->end;

	vmm_walk_chunk(p->w, s->start, s->length, 0, 0, s->location == TC_FREE ? VMM_CHUNK_FREE : VMM_CHUNK_RESERVED);
	if (s->location == TC_FREE)
		vmm_walk_trim(p->w, s->start, inside ? s->start + s->length : p->area->end);
}

/* Every object of a fresh span is linked into its list: pages in which small objects begin have been touched. */
static bool is_touched(struct page_heap_walk *p, const struct tc_span *s)
{
	uint64_t page = p->w->r->snapshot->target.page_size, size = p->t.size[s->size_class];
	uint64_t end = vmm_align_down(s->start + (p->t.objects[s->size_class] - 1) * size, page) + page;

	if (size >= SMALL_PAGE || vmm_walk_resident(p->w, s->start, end) == end - s->start)
		return true;
	for (uint64_t at = s->start; at < end; at += page)
		if (!vmm_walk_resident(p->w, at, at + page) && !vmm_walk_swapped(p->w, at))
			return false;
	return true;
}

/* The state of the object at an address, or NULL where none begins. */
static uint8_t *state_at(struct page_heap_walk *p, const struct tc_span *s, uint64_t address)
{
	uint64_t size = p->t.size[s->size_class], offset = address - s->start;

	return address >= s->start && offset % size == 0 && offset / size < p->t.objects[s->size_class] ? &p->state[offset / size] : NULL;
}

/* Marks what caches hold of this span. False: what they hold is none of its objects, or there twice. */
static bool mark_cached(struct page_heap_walk *p, const struct tc_span *s)
{
	for (; p->next_cached < p->cached.count; p->next_cached++) {
		uint64_t entry = p->cached.v[p->next_cached];
		uint8_t *state;

		if (entry >> 8 >= s->start + s->length)
			return true;
		state = state_at(p, s, entry >> 8);
		if (!state || *state != VMM_CHUNK_USED || (entry & 0xff) != s->size_class)
			return false;
		*state = VMM_CHUNK_CACHED;
	}
	return true;
}

/* Marks the span's own free objects. False: the list leaves the span, or does not make up what is not in use. */
static bool mark_listed(struct page_heap_walk *p, const struct tc_span *s)
{
	uint32_t count = 0;

	/* In the order of addresses pages are read ahead; the list goes to and fro. */
	for (uint64_t at = s->start; s->objects && at < s->start + s->length; at += READ_PAGE)
		vmm_walk_bytes(p->w, at, 1);
	for (uint64_t at = s->objects; at; count++) {
		uint8_t *state = state_at(p, s, at);

		if (!state || *state != VMM_CHUNK_USED || !vmm_walk_words(p->w, at, &at, 1))
			return false;
		*state = VMM_CHUNK_FREE;
	}
	p->listed[s->size_class] += count;
	return count + s->references == p->t.objects[s->size_class];
}

static void tell_small(struct page_heap_walk *p, const struct tc_span *s)
{
	uint32_t all = p->t.objects[s->size_class];
	uint64_t size = p->t.size[s->size_class], used = all * size;

	for (uint32_t i = 0; i < all; i++)
		vmm_walk_chunk(p->w, s->start + i * size, size, 0, 0, (enum vmm_chunk_state)p->state[i]);
	if (used < s->length)
		vmm_walk_chunk(p->w, s->start + used, s->length - used, 0, 0, VMM_CHUNK_META);
}

/* A span of small objects. */
static void take_small(struct page_heap_walk *p, const struct tc_span *s)
{
	unsigned class = s->size_class;

	if (class >= p->t.classes || s->length != p->t.span_bytes[class] || s->references > p->t.objects[class]) {
		vmm_walk_broken(p->w, s->address, "a span of tcmalloc that does not fit its size class");
		return;
	}
	p->spans[class]++;
	memset(p->state, VMM_CHUNK_USED, p->t.objects[class]);
	if (!mark_cached(p, s)) {
		vmm_walk_broken(p->w, p->cached.v[p->next_cached] >> 8, "an object in a cache of tcmalloc that is none of its span");
		return;
	}
	if (!mark_listed(p, s)) {
		vmm_walk_broken(p->w, s->start, "objects of a span of tcmalloc that do not add up");
		return;
	}
	if (!enter(p, s))
		return;
	if (is_touched(p, s))
		tell_small(p, s);
	else
		vmm_walk_broken(p->w, s->start, "a span of small objects that was never touched");
}

/* A span without small objects. */
static void take_whole(struct page_heap_walk *p, const struct tc_span *s)
{
	if (p->next_cached < p->cached.count && p->cached.v[p->next_cached] >> 8 < s->start + s->length)
		vmm_walk_broken(p->w, s->start, "an object in a cache of tcmalloc that lies in no span of its size");
	else if (!enter(p, s))
		return;
	else if (s->location == TC_IN_USE)
		tell_large(p, s);
	else
		tell_free(p, s);
}

static int take_span(void *arg, const struct tc_span *s)
{
	struct page_heap_walk *p = arg;

	p->all += s->length;
	p->free += s->location == TC_FREE ? s->length : 0;
	p->returned += s->location == TC_RETURNED ? s->length : 0;
	if (s->location == TC_IN_USE && s->size_class)
		take_small(p, s);
	else
		take_whole(p, s);
	return p->w->broken || p->w->stop ? 2 : 0;
}

/* Copies memory as it is now; what is absent stays as it is. False: some of it was not there. */
static bool read_fresh(struct vmm_walk *w, uint64_t start, unsigned char *ret_bytes, uint64_t length)
{
	bool whole = true;

	for (uint64_t done = 0; done < length;) {
		size_t got = 0;
		const unsigned char *bytes = vmm_walk_window(w, start + done, &got);

		got = (size_t)vmm_min_u64(got, length - done);
		memcpy(ret_bytes + done, bytes, got);
		whole = whole && got;
		done += got ? got : vmm_min_u64(4096 - (start + done) % 4096, length - done);
	}
	return whole;
}

/* Whether a central list's counters are now what they were, and what the spans add up to. */
static void check_class(struct page_heap_walk *p, const unsigned char *data, unsigned class)
{
	unsigned word = p->h->word;
	uint64_t at = p->t.central + class * p->t.central_stride;
	const unsigned char *before = data + (at - p->h->data_start);
	unsigned char now[147 * 8];

	if (!read_fresh(p->w, at, now, 144 * word + 4))
		vmm_walk_broken(p->w, at, "a central list of tcmalloc that cannot be read");
	else if (vmm_word_of(now, word, 14) != vmm_word_of(before, word, 14) || vmm_word_of(now, word, 15) != vmm_word_of(before, word, 15) ||
	         tc_u32(now + 144 * word) != tc_u32(before + 144 * word))
		vmm_walk_broken(p->w, at, "it changed while it was read");
	else if (vmm_word_of(now, word, 14) != p->spans[class] || vmm_word_of(now, word, 15) != p->listed[class])
		vmm_walk_broken(p->w, at, "a central list of tcmalloc that does not add up to its spans");
}

static void check_sums(struct page_heap_walk *p, const unsigned char *data)
{
	const struct tc_heap *h = p->h;
	unsigned char now[32];
	struct tc_stats stats;

	if (p->next_cached < p->cached.count)
		vmm_walk_broken(p->w, p->cached.v[p->next_cached] >> 8, "an object in a cache of tcmalloc that lies in no span");
	for (unsigned class = 1; class < p->t.classes && !p->w->broken; class++)
		check_class(p, data, class);
	if (p->w->broken)
		return;
	if (!read_fresh(p->w, h->stats, now, sizeof(now)) || memcmp(now, data + (h->stats - h->data_start), sizeof(now)) != 0)
		vmm_walk_broken(p->w, h->stats, "it changed while it was read");
	else if (!tc_read_stats(h, now, &stats) || stats.system != p->all || stats.free != p->free || stats.unmapped != p->returned)
		vmm_walk_broken(p->w, h->stats, "spans of tcmalloc do not add up to its page heap");
}

/* Bytes of the heap that are in memory. */
static uint64_t resident_bytes(struct vmm_walk *w)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < w->r->area_count; i++)
		if (w->r->areas[i].heap == w->heap)
			sum += vmm_walk_resident(w, w->r->areas[i].start, w->r->areas[i].end);
	return sum;
}

static int walk_spans(struct page_heap_walk *p, const unsigned char *data, struct vmm_err *err)
{
	struct tc_memory m;
	int rc;

	rc = tc_collect(p->w, p->h, data, &p->t, &p->cached, err);
	if (rc < 0 || p->w->broken)
		return rc;
	tc_memory_init(&m, p->w->r, p->w);
	next_area(p);
	vmm_walk_trim(p->w, 0, 0);
	rc = tc_each_span(&m, p->h, take_span, p);
	tc_memory_done(&m);
	if (rc == 1)
		vmm_walk_broken(p->w, p->h->root, "the page map of tcmalloc is full of what is no span");
	while (!p->w->broken && !p->w->stop && p->area)
		next_area(p);
	if (!p->w->broken && !p->w->stop)
		check_sums(p, data);
	return 0;
}

int tc_walk(struct vmm_walk *w, void *data, struct vmm_err *err)
{
	const struct tc_heap *h = data;
	VMM_CLEANUP_FREE unsigned char *bytes = vmm_alloc_hook(NULL, (size_t)(h->data_end - h->data_start));
	struct page_heap_walk *p = vmm_alloc_hook(NULL, sizeof(*p));
	int rc = 0;

	if (!bytes || !p) {
		free(p);
		return vmm_fail_nomem(err);
	}
	memset(p, 0, sizeof(*p));
	memset(bytes, 0, (size_t)(h->data_end - h->data_start));
	p->w = w;
	p->h = h;
	p->cached.most = resident_bytes(w);
	read_fresh(w, h->data_start, bytes, h->data_end - h->data_start);
	if (!tc_find_classes(h, bytes, &p->t) || !tc_find_central(h, bytes, &p->t))
		vmm_walk_broken(w, h->heads, "the size classes of tcmalloc were not found");
	else if (!tc_find_caches(w, h, bytes, &p->t))
		vmm_walk_broken(w, h->heads, "the thread caches of tcmalloc were not found");
	else
		rc = walk_spans(p, bytes, err);
	free(p->cached.v);
	free(p);
	return rc;
}
