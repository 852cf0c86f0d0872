/*
 * The finder of strings: the same is found whatever the windows, and of bytes what a plain loop finds.
 * Input: a byte of encodings (bits 0 to 2) and parity of the address (bit 3), the fewest characters, the seed of the
 * windows' lengths, then the memory.
 */
#include "fuzz.h"

#include "base/base.h"
#include "format/strings.h"

#define HITS_MAX 8192
#define BASE UINT64_C(0x7f0000001000)

struct hit {
	uint64_t address, length, hash;
	enum vmm_encoding encoding;
	bool cut;
};

struct hits {
	struct hit hit[HITS_MAX];
	size_t count;
	uint64_t pending;     /* what the finder promised after the last window */
	const uint8_t *bytes; /* the memory, at start */
	uint64_t start, end;
};

static uint64_t hash_of(const char *text, size_t n)
{
	uint64_t h = 1469598103934665603u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)text[i]) * 1099511628211u;
	return h;
}

static int keep(void *arg, const struct vmm_strings_hit *hit)
{
	struct hits *h = arg;

	FUZZ_CHECK(hit->address >= h->start && hit->length <= h->end - hit->address && hit->length > 0);
	FUZZ_CHECK(hit->address >= h->pending);
	FUZZ_CHECK(hit->text_length <= VMM_STRING_SHOWN_MAX && strlen(hit->text) == hit->text_length);
	FUZZ_CHECK(hit->cut || hit->encoding == VMM_ENCODING_UTF16 || hit->text_length == hit->length);
	if (hit->encoding != VMM_ENCODING_UTF16)
		FUZZ_CHECK(memcmp(hit->text, h->bytes + (hit->address - h->start), hit->text_length) == 0);
	if (h->count < HITS_MAX)
		h->hit[h->count++] = (struct hit){hit->address, hit->length, hash_of(hit->text, hit->text_length), hit->encoding, hit->cut};
	return 0;
}

/* Bytes of the character at p, 0 when it is none that a string may hold. Not the library's decoder. */
static size_t character(const uint8_t *p, size_t left, bool sequences)
{
	uint32_t c = p[0];
	size_t n = c < 0x80 ? 1 : c < 0xc0 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf8 ? 4 : 0;

	if (n == 1)
		return c == 9 || (c > 31 && c < 127);
	if (n == 0 || n > left || !sequences)
		return 0;
	c &= 0x3fu >> (n - 1);
	for (size_t i = 1; i < n; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		c = c * 64 + p[i] % 64;
	}
	if (c < (n == 2 ? 0x80u : n == 3 ? 0x800u : 0x10000u) || c / 0x800 == 0xd800 / 0x800)
		return 0;
	if (c < 0xa0 || c >= 0x40000 || (c >= 0xe000 && c <= 0xf8ff) || (c >= 0xfdd0 && c <= 0xfdef) || c % 0x10000 >= 0xfffe)
		return 0;
	return n;
}

/* What a plain loop finds must be what the finder found, in this order. */
static void check_bytes(const struct hits *h, uint32_t encodings, size_t min)
{
	size_t size = (size_t)(h->end - h->start), at = 0;

	if (h->count == HITS_MAX)
		return;
	for (size_t i = 0; i < size;) {
		size_t from = i, characters = 0, n;
		enum vmm_encoding encoding;

		while (i < size && (n = character(h->bytes + i, size - i, encodings & 1u << VMM_ENCODING_UTF8))) {
			i += n;
			characters++;
		}
		encoding = characters == i - from ? VMM_ENCODING_ASCII : VMM_ENCODING_UTF8;
		if (characters >= min && encodings >> encoding & 1) {
			while (at < h->count && h->hit[at].encoding == VMM_ENCODING_UTF16)
				at++;
			FUZZ_CHECK(at < h->count && h->hit[at].address == h->start + from && h->hit[at].length == i - from &&
			           h->hit[at].encoding == encoding);
			at++;
		}
		i += i == from;
	}
	while (at < h->count && h->hit[at].encoding == VMM_ENCODING_UTF16)
		at++;
	FUZZ_CHECK(at == h->count);
}

/* seed 0: all in one window. */
static void search(struct hits *h, uint32_t encodings, size_t min, unsigned seed)
{
	struct vmm_strings *f = vmm_strings_create(encodings, min, keep, h);
	size_t size = (size_t)(h->end - h->start);

	FUZZ_CHECK(f);
	h->count = 0;
	h->pending = h->start;
	for (size_t i = 0; i < size;) {
		size_t n = seed ? 1 + (seed >> 8) % (seed & 1 ? 7 : 97) : size;
		uint8_t *window;

		n = n < size - i ? n : size - i;
		/* A copy of its own, so that reading past its end is seen. */
		window = malloc(n);
		FUZZ_CHECK(window);
		memcpy(window, h->bytes + i, n);
		FUZZ_CHECK(vmm_strings_feed(f, h->start + i, window, n) == 0);
		free(window);
		h->pending = vmm_strings_pending(f);
		i += n;
		seed = seed ? (seed * 1103515245u + 12345u) | 1u << 30 : 0;
	}
	FUZZ_CHECK(vmm_strings_end(f) == 0);
	vmm_strings_destroy(f);
}

static int compare(const void *a_pointer, const void *b_pointer)
{
	const struct hit *a = a_pointer, *b = b_pointer;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	return (a->encoding > b->encoding) - (a->encoding < b->encoding);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hits whole, parts;
	uint32_t encodings;
	size_t min;

	if (size < 3)
		return 0;
	encodings = data[0] & 7;
	min = 1 + data[1] % 12;
	whole.bytes = parts.bytes = data + 3;
	whole.start = parts.start = BASE + (data[0] >> 3 & 1);
	whole.end = parts.end = whole.start + size - 3;
	search(&whole, encodings, min, 0);
	search(&parts, encodings, min, data[2] + 1u);
	check_bytes(&whole, encodings, min);
	check_bytes(&parts, encodings, min);
	/* The encodings come in another order when windows are short. */
	FUZZ_CHECK(whole.count == parts.count);
	if (whole.count == HITS_MAX)
		return 0;
	qsort(whole.hit, whole.count, sizeof(whole.hit[0]), compare);
	qsort(parts.hit, parts.count, sizeof(parts.hit[0]), compare);
	for (size_t i = 0; i < whole.count; i++)
		FUZZ_CHECK(whole.hit[i].address == parts.hit[i].address && whole.hit[i].length == parts.hit[i].length &&
		           whole.hit[i].encoding == parts.hit[i].encoding && whole.hit[i].cut == parts.hit[i].cut &&
		           whole.hit[i].hash == parts.hit[i].hash);
	return 0;
}
