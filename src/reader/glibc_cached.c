/*
 * Thread caches of glibc (tcache). Each thread has a pointer to its own in its TLS, below its descriptor. What proves a
 * find: the size of the chunk that holds the struct, and for each list that it has as many chunks as the struct
 * counts, each of the list's size.
 *
 * Layouts: glibc malloc/malloc.c, struct tcache_perthread_struct, 2.26 to 2.43.
 */
#include <stdlib.h>

#include "reader/glibc_marks.h"

#define PAGE UINT64_C(4096)
#define TLS_REACH (256u << 10) /* bytes next to a thread descriptor that are searched at most: the program's own TLS comes first */
#define LOOKS 30 /* at a list while it changes: a few microseconds each */
#define LIST_MAX 65535  /* chunks in one list: counters have 16 bits */
#define SMALL_BINS 64
#define BINS_MAX 76

struct layout {
	uint8_t word, align, counter; /* bytes of a pointer, alignment of chunks, bytes of a counter */
	uint8_t bins;
	uint16_t entries; /* bytes before the heads of the lists */
	uint16_t size;    /* of the chunk that holds the struct; what could not be split off may make it larger */
	bool slots;       /* counters count free places down, not chunks up */
};

/* 2.26 to 2.29, 2.30 to 2.41, since 2.42; LP64, i386, armhf. */
static const struct layout layouts[] = {
    {8, 16, 1, 64, 0x40, 0x250, false}, {8, 16, 2, 64, 0x80, 0x290, false}, {8, 16, 2, 76, 0x98, 0x300, true},
    {4, 16, 1, 64, 0x40, 0x150, false}, {4, 16, 2, 64, 0x80, 0x190, false}, {4, 16, 2, 76, 0x98, 0x1d0, true},
    {4, 8, 1, 64, 0x40, 0x148, false},  {4, 8, 2, 64, 0x80, 0x188, false},  {4, 8, 2, 76, 0x98, 0x1d0, true},
};

struct search {
	struct vmm_walk *w;
	const struct glibc_copy *copy;
	struct glibc_marks *marks;
	unsigned word;
	uint64_t align;
	enum glibc_links links;
	bool slack;       /* one list of the cache under way may be out by one */
	unsigned skipped; /* lists that changed too fast */
	bool now;       /* read what changes just now */
	uint64_t torn;  /* a tcache of the thread under way that did not add up; 0: none */
	bool nomem;
};

/* A rest smaller than the smallest chunk stays with it; where it was aligned, also one of that size. */
static bool fits_layout(const struct layout *l, uint64_t size)
{
	return size >= l->size && size <= l->size + 2 * (uint64_t)l->align;
}

static bool add_mark(struct search *s, uint64_t chunk, uint64_t what)
{
	struct glibc_marks *m = s->marks;

	if (!vmm_grow(&m->v, &m->capacity, m->count + 1, sizeof(*m->v))) {
		s->nomem = true;
		return false;
	}
	m->v[m->count++] = chunk | what;
	return true;
}

static uint64_t least_chunk(const struct search *s)
{
	return s->word == 8 ? 32 : 16;
}

/* Whether a chunk of this size belongs into bin. */
static bool fits_bin(const struct search *s, uint64_t size, unsigned bin)
{
	if (bin < SMALL_BINS)
		return size == least_chunk(s) + s->align * bin;
	/* Since 2.42 a bin for each power of two from 1 KiB on; ILP32 is taken as it comes. */
	return size >= 512 && (s->word == 4 || 63u - (unsigned)__builtin_clzll(size) == bin - SMALL_BINS + 10);
}

/* Follows one list under one reading of links; *ret_length chunks are added to the marks. */
static bool follow(struct search *s, uint64_t head, unsigned bin, enum glibc_links links, uint64_t *ret_length)
{
	bool (*words_at)(struct vmm_walk *, uint64_t, uint64_t *, unsigned) = s->now ? vmm_walk_words_now : vmm_walk_words;
	uint64_t length = 0, passed = 0;

	for (uint64_t at = head; at; length++) {
		uint64_t words[2];

		/* A circle comes back to a place that was kept at the power of two before (Brent). */
		if (at == passed)
			return false;
		if ((length & (length - 1)) == 0)
			passed = at;
		if (length == LIST_MAX || at % s->align || !words_at(s->w, at - s->word, words, 2) ||
		    !fits_bin(s, words[0] & ~UINT64_C(7), bin) || !add_mark(s, at - 2 * s->word, GLIBC_MARK_CACHED))
			return false;
		at = links == GLIBC_LINKS_MANGLED ? words[1] ^ (at >> 12) : words[1];
	}
	*ret_length = length;
	return true;
}

/* The length of a list; where links were not read before, the way that leads to an end tells how. */
static bool read_list(struct search *s, uint64_t head, unsigned bin, uint64_t *ret_length)
{
	size_t before = s->marks->count;

	for (int links = GLIBC_LINKS_MANGLED; links > GLIBC_LINKS_UNKNOWN; links--) {
		if (s->links != GLIBC_LINKS_UNKNOWN && s->links != (enum glibc_links)links)
			continue;
		if (follow(s, head, bin, (enum glibc_links)links, ret_length)) {
			s->links = (enum glibc_links)links;
			return true;
		}
		s->marks->count = before;
	}
	return false;
}

static bool count_is(const struct search *s, const struct layout *l, unsigned bin, uint64_t counter, uint64_t length)
{
	if (!l->slots)
		return counter == length;
	/* A struct of zeros stands for a thread that has freed nothing yet. */
	if (!s->copy->params_known || bin >= s->copy->params.tcache_bins)
		return counter + length <= LIST_MAX;
	return counter + length == s->copy->params.tcache_count;
}

/* A thread can stand still between taking a chunk off a list and counting it: one of its lists may be out by one. */
static bool count_fits(struct search *s, const struct layout *l, unsigned bin, uint64_t counter, uint64_t length)
{
	if (count_is(s, l, bin, counter, length))
		return true;
	if (s->slack && (count_is(s, l, bin, counter + 1, length) || (counter && count_is(s, l, bin, counter - 1, length)))) {
		s->slack = false;
		return true;
	}
	return false;
}

static uint64_t counter_of(const struct layout *l, const unsigned char *bytes, unsigned bin)
{
	return l->counter == 2 ? bytes[2 * bin] | (uint64_t)bytes[2 * bin + 1] << 8 : bytes[bin];
}

/* One list with its counter; a list that does not add up leaves no marks. */
static bool read_bin(struct search *s, const struct layout *l, unsigned bin, uint64_t head, uint64_t counter)
{
	size_t before = s->marks->count;
	uint64_t length = 0;

	if ((!head || read_list(s, head, bin, &length)) && count_fits(s, l, bin, counter, length))
		return true;
	s->marks->count = before;
	return false;
}

/*
 * The same of a thread that is at work: each list changes only now and then, so one of many quick looks at it gets it
 * between two changes. Lists of one thread are then of different moments, which does not matter: no chunk is in two. A
 * list that changes too fast is left out and counted. False: it stands still, and does not add up.
 */
static bool read_bin_now(struct search *s, const struct layout *l, uint64_t address, unsigned bin)
{
	uint64_t per_word = s->word / l->counter, counters, head, first_counters = 0, first_head = 0;
	bool good = false, changes = false;

	s->now = true;
	for (unsigned look = 0; look < LOOKS && !good && !s->nomem; look++) {
		if (!vmm_walk_words_now(s->w, address + bin / per_word * s->word, &counters, 1) ||
		    !vmm_walk_words_now(s->w, address + l->entries + (uint64_t)bin * s->word, &head, 1))
			break;
		changes = changes || (look && (head != first_head || counters != first_counters));
		first_head = head;
		first_counters = counters;
		good = read_bin(s, l, bin, head, counters >> (bin % per_word * 8 * l->counter) & ((1u << 8 * l->counter) - 1));
	}
	s->now = false;
	if (!good && changes)
		s->skipped++;
	return good || changes;
}

static bool read_tcache(struct search *s, const struct layout *l, uint64_t address)
{
	unsigned char bytes[BINS_MAX * 8 + 0x98];
	size_t length = l->entries + (size_t)l->bins * l->word;
	const unsigned char *read = vmm_walk_bytes(s->w, address, length);

	if (!read || length > sizeof(bytes))
		return false;
	memcpy(bytes, read, length);
	s->slack = true;
	for (unsigned bin = 0; bin < l->bins; bin++)
		if (!read_bin(s, l, bin, vmm_word_of(bytes + l->entries, l->word, bin), counter_of(l, bytes, bin)) &&
		    !read_bin_now(s, l, address, bin))
			return false;
	return add_mark(s, address - 2 * l->word, GLIBC_MARK_OWN);
}

static bool known(const struct search *s, uint64_t address)
{
	for (size_t i = 0; i < s->marks->count; i++)
		if (s->marks->v[i] == ((address - 2 * s->word) | GLIBC_MARK_OWN))
			return true;
	return false;
}

/* Takes a word of TLS for a pointer to a tcache. True: it is one. */
static bool try_pointer(struct search *s, uint64_t address)
{
	uint64_t size;

	if (address < 4096 || address % s->align || !vmm_reading_writable(s->w->r, address) ||
	    !vmm_walk_words(s->w, address - s->word, &size, 1) || size & 2)
		return false;
	size &= ~UINT64_C(7);
	for (size_t i = 0; i < ARRAY_LEN(layouts); i++) {
		const struct layout *l = &layouts[i];
		size_t before = s->marks->count;

		if (l->word != s->word || l->align != s->align || !fits_layout(l, size))
			continue;
		if (glibc_since_2_43(s->w->r, &s->copy->heaps) && !l->slots)
			continue;
		if (known(s, address))
			return true;
		if (read_tcache(s, l, address))
			return true;
		s->marks->count = before;
		s->torn = address;
	}
	return false;
}

/* Whether bytes could be a cache with chunks in it: lists have heads just where counters say so. */
static bool looks_like_cache(const struct search *s, const struct layout *l, const unsigned char *bytes)
{
	bool any = false;

	for (unsigned bin = 0; bin < l->bins; bin++) {
		uint64_t head = vmm_word_of(bytes + l->entries, l->word, bin), counter = counter_of(l, bytes, bin);

		if (head % s->align || (!l->slots && (head != 0) != (counter != 0)))
			return false;
		any = any || head;
	}
	return any;
}

bool glibc_is_cache(struct vmm_walk *w, const struct glibc_copy *copy, uint64_t address, uint64_t size, const unsigned char *bytes,
                    size_t length)
{
	struct glibc_marks marks = {0};
	struct search s = {.w = w, .copy = copy, .marks = &marks, .word = vmm_reading_word(w->r), .align = glibc_alignment(w->r, &copy->heaps)};
	bool found = false;

	for (size_t i = 0; i < ARRAY_LEN(layouts) && !found; i++) {
		const struct layout *l = &layouts[i];
		size_t need = l->entries + (size_t)l->bins * l->word;

		if (l->word != s.word || l->align != s.align || !fits_layout(l, size))
			continue;
		if (length < need)
			bytes = vmm_walk_bytes(w, address, need);
		found = bytes && looks_like_cache(&s, l, bytes) && read_tcache(&s, l, address) && marks.count > 1;
	}
	free(marks.v);
	return found;
}

/* Tries the words of [start, end), at most a page, the highest or the lowest first. True: enough was found. */
static bool try_words(struct search *s, uint64_t start, uint64_t end, bool upward)
{
	const unsigned char *bytes = vmm_walk_bytes(s->w, start, (size_t)(end - start));
	size_t count = (size_t)(end - start) / s->word;
	unsigned char page[4096];

	if (!bytes)
		return true;
	memcpy(page, bytes, (size_t)(end - start));
	for (size_t i = 0; i < count; i++)
		/* With several copies of the library a thread may have a cache in each. */
		if (try_pointer(s, vmm_word_of(page, s->word, upward ? i : count - 1 - i)) && !s->copy->several) {
			s->torn = 0;
			return true;
		}
	return false;
}

/* The words nearest the descriptor are libc's own TLS, or the program's and then libc's where TLS lies above. */
static void search_thread(struct search *s, uint64_t descriptor)
{
	const struct vmm_vma *v = vmm_snapshot_vma_at(s->w->r->snapshot, descriptor);
	uint64_t at = vmm_align_down(descriptor, s->word), limit = at, next;
	bool done = !v, upward = vmm_reading_tls_above(s->w->r);

	s->torn = 0;
	if (v && upward)
		limit = v->end - at > TLS_REACH ? at + TLS_REACH : vmm_align_down(v->end, s->word);
	else if (v)
		limit = at - v->start > TLS_REACH ? at - TLS_REACH : v->start;
	for (; !done && at != limit && !s->nomem; at = next) {
		next = upward ? vmm_min_u64(vmm_align_down(at, PAGE) + PAGE, limit) : vmm_max_u64(vmm_align_down(at - 1, PAGE), limit);
		done = try_words(s, upward ? at : next, upward ? next : at, upward);
	}
	if (s->torn && !s->copy->several)
		vmm_walk_broken(s->w, s->torn, "a thread's cache does not add up");
}

static int by_address(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

int glibc_find_cached(struct vmm_walk *w, const struct glibc_copy *copy, struct glibc_marks *ret, enum glibc_links *ret_links,
                      struct vmm_err *err)
{
	const struct vmm_snapshot *snapshot = w->r->snapshot;
	struct search s = {.w = w, .copy = copy, .marks = ret, .word = vmm_reading_word(w->r), .align = glibc_alignment(w->r, &copy->heaps)};

	ret->count = 0;
	for (uint32_t i = 0; i < snapshot->thread_count && !w->broken && !s.nomem; i++)
		if (snapshot->threads[i].descriptor)
			search_thread(&s, snapshot->threads[i].descriptor);
	for (size_t i = 0; i < copy->stray_count && !w->broken && !s.nomem; i++) {
		s.torn = 0;
		if (!try_pointer(&s, copy->strays[i]) && s.torn)
			vmm_walk_broken(w, s.torn, "a thread's cache does not add up");
	}
	if (s.nomem)
		return vmm_fail_nomem(err);
	if (s.skipped && !w->broken)
		vmm_snapshot_note(w->r->snapshot, "heaps", "moving", 0,
		                  "lists in caches of threads changed faster than they could be read: chunks in them count as used; --stop holds "
		                  "the program still");
	if (ret->count)
		qsort(ret->v, ret->count, sizeof(*ret->v), by_address);
	*ret_links = s.links;
	return 0;
}
