/*
 * Finding glibc's arenas. An empty bin is a pair of words that both hold the pair's own address minus two words; 127
 * pairs side by side, most of them so and the rest pointing into the heap, occur nowhere else. What proves the find
 * is that the arenas' ring closes, and that every arena but the main one stands in a sub-heap that names it.
 */
#include "reader/glibc.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"

enum pair { PAIR_EMPTY, PAIR_LINKED, PAIR_BAD };

/* Asked at every word of all data that a C library may have: word is a constant where this is inlined. */
static inline enum pair classify(const struct vmm_reading *r, const unsigned char *bytes, size_t at, uint64_t address, unsigned word)
{
	uint64_t fd = vmm_word_at(bytes, at, word), bk = vmm_word_at(bytes, at + word, word), empty = address + at - 2 * word;

	if (fd == empty && bk == empty)
		return PAIR_EMPTY;
	if (!fd || !bk || fd == empty || bk == empty || fd % word || bk % word || !vmm_reading_writable(r, fd) ||
	    !vmm_reading_writable(r, bk))
		return PAIR_BAD;
	return PAIR_LINKED;
}

/* A read can catch a list or two in the middle of a change. */
#define BAD_PAIRS_MAX 2

static inline __attribute__((always_inline)) bool are_bins(const struct vmm_reading *r, const unsigned char *bytes, size_t at,
                                                           uint64_t address, unsigned word)
{
	unsigned empty = 0, linked = 0, bad = 0;

	for (unsigned i = GLIBC_BIN_PAIRS; i-- > 0 && bad <= BAD_PAIRS_MAX;) {
		enum pair p = classify(r, bytes, at + i * 2 * word, address, word);

		empty += p == PAIR_EMPTY;
		linked += p == PAIR_LINKED;
		bad += p == PAIR_BAD;
	}
	return bad <= BAD_PAIRS_MAX && empty >= 1 && (empty >= 20 || linked >= 100);
}

uint64_t glibc_find_bins(const struct vmm_reading *r, const unsigned char *bytes, size_t length, uint64_t address, size_t *at)
{
	unsigned word = vmm_reading_word(r);
	size_t need = GLIBC_BIN_PAIRS * 2 * word;

	for (; length >= need && *at <= length - need; *at += word)
		if (word == 8 ? are_bins(r, bytes, *at, address, 8) : are_bins(r, bytes, *at, address, 4)) {
			uint64_t bins = address + *at;

			*at += word;
			return bins;
		}
	return 0;
}

/* Bytes before bins, by version group: 2.27 to 2.42, 2.26, 2.43; LP64, i386, and armhf with its 8-byte alignment. */
static const uint8_t prefixes_64[] = {0x70, 0x68, 0x18};
static const uint8_t prefixes_32[] = {0x40, 0x3c, 0x38, 0x10};
/* sizeof(heap_info): 2.35 and later, before; ILP32: i386 and armhf. */
static const uint8_t infos_64[] = {0x30, 0x20};
static const uint8_t infos_32[] = {0x18, 0x10};
/* HEAP_MAX_SIZE: the default, and with tunable glibc.malloc.hugetlb=2 before 2.42 four huge pages. */
static const uint64_t maxima_64[] = {UINT64_C(64) << 20, UINT64_C(8) << 20, UINT64_C(4) << 30};
static const uint64_t maxima_32[] = {UINT64_C(1) << 20};

/* Behind the bins: binmap of four 32-bit words, next, next_free, attached_threads, system_mem, max_system_mem. */
#define BINS_WORDS 254
#define BINMAP_BYTES 16
#define WORDS_BEHIND 5

/* Reads what is needed of the arena whose bins are set, and its successor in the ring. */
static bool read_arena(struct vmm_reading *r, struct glibc_arena *a, uint64_t *ret_next)
{
	unsigned word = vmm_reading_word(r);
	uint64_t behind = a->bins + BINS_WORDS * word + BINMAP_BYTES, words[WORDS_BEHIND];

	if (!vmm_reading_words(r, behind, words, WORDS_BEHIND) || !vmm_reading_words(r, a->bins - 2 * word, &a->top, 1))
		return false;
	a->end = behind + WORDS_BEHIND * word;
	a->system_mem = words[3];
	*ret_next = words[0];
	return true;
}

bool glibc_read_arena(struct vmm_reading *r, struct glibc_arena *a)
{
	uint64_t next;

	return read_arena(r, a, &next);
}

/* A sub-heap begins with a pointer to its arena; the arena's struct stands right behind the header of its first one. */
static bool stands_in_heap(struct vmm_reading *r, struct glibc_heaps *h, unsigned word, uint64_t arena)
{
	const uint64_t *maxima = word == 8 ? maxima_64 : maxima_32;
	const uint8_t *infos = word == 8 ? infos_64 : infos_32;
	size_t maximum_count = word == 8 ? ARRAY_LEN(maxima_64) : ARRAY_LEN(maxima_32);

	for (size_t i = 0; i < maximum_count; i++)
		for (size_t k = 0; k < ARRAY_LEN(infos_64); k++) {
			uint64_t owner;

			if (h->heap_info && (h->heap_info != infos[k] || h->heap_max != maxima[i]))
				continue;
			if ((arena & (maxima[i] - 1)) != infos[k] || !vmm_reading_words(r, arena - infos[k], &owner, 1) || owner != arena)
				continue;
			h->heap_info = infos[k];
			h->heap_max = maxima[i];
			return true;
		}
	return false;
}

/* Tries one layout: prefix bytes stand before the bins. */
static bool close_with(struct vmm_reading *r, uint64_t prefix, uint64_t bins, struct glibc_heaps *ret)
{
	unsigned word = vmm_reading_word(r);
	struct glibc_heaps h = {.prefix = prefix, .heap_max = word == 8 ? maxima_64[0] : maxima_32[0]};
	uint64_t first = bins - prefix, next = first;
	size_t capacity = 0;

	do {
		struct glibc_arena a = {.address = next, .bins = next + prefix, .main = next == first};

		if (next % word || h.count == GLIBC_ARENAS_MAX || (!a.main && !stands_in_heap(r, &h, word, next)) ||
		    !read_arena(r, &a, &next) || !vmm_grow(&h.arenas, &capacity, h.count + 1, sizeof(a))) {
			free(h.arenas);
			return false;
		}
		h.arenas[h.count++] = a;
	} while (next != first);
	*ret = h;
	return true;
}

bool glibc_close_ring(struct vmm_reading *r, uint64_t bins, struct glibc_heaps *ret)
{
	unsigned word = vmm_reading_word(r);
	const uint8_t *prefixes = word == 8 ? prefixes_64 : prefixes_32;
	size_t count = word == 8 ? ARRAY_LEN(prefixes_64) : ARRAY_LEN(prefixes_32);

	for (size_t i = 0; i < count; i++)
		if (close_with(r, prefixes[i], bins, ret))
			return true;
	return false;
}

bool glibc_since_2_43(const struct vmm_reading *r, const struct glibc_heaps *h)
{
	return h->prefix == (vmm_reading_word(r) == 8 ? 0x18 : 0x10);
}

unsigned glibc_fastbin_count(const struct vmm_reading *r, const struct glibc_heaps *h)
{
	if (glibc_since_2_43(r, h))
		return 0;
	return vmm_reading_word(r) == 8 || glibc_alignment(r, h) == 8 ? 10 : 11;
}

/* MALLOC_ALIGNMENT: two words, but 16 bytes on i386 since 2.26. */
uint64_t glibc_alignment(const struct vmm_reading *r, const struct glibc_heaps *h)
{
	return vmm_reading_word(r) == 4 && strcmp(r->snapshot->target.arch, "arm") == 0 ? 8 : 16;
}
