/* Where strings may be, found for 64 bytes at a time; the exact rules come later, for what is left. */
#include "format/strings_run.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Bit i tells of byte i of a block. */
struct masks {
	uint64_t plain, later, first; /* printable; 80 to bf; c2 to f4 */
	uint64_t zero, low, high;     /* 0; low byte of a unit below 0x100; high byte of one above it that a script may have */
};

#ifdef __SSE2__

static __m128i bytes_of(unsigned c)
{
	return _mm_set1_epi8((char)c);
}

/* Unsigned. */
static __m128i between(__m128i v, unsigned least, unsigned most)
{
	return _mm_cmpeq_epi8(_mm_subs_epu8(_mm_sub_epi8(v, bytes_of(least)), bytes_of(most - least)), _mm_setzero_si128());
}

static uint64_t bits_of(__m128i v)
{
	return (uint64_t)(unsigned)_mm_movemask_epi8(v);
}

static void add_bytes(struct masks *m, __m128i v, unsigned at, bool units)
{
	__m128i plain = _mm_or_si128(between(v, 0x20, 0x7e), _mm_cmpeq_epi8(v, bytes_of('\t'))), high;

	m->plain |= bits_of(plain) << at;
	m->later |= bits_of(_mm_cmpgt_epi8(bytes_of(0xc0), v)) << at; /* signed */
	m->first |= bits_of(between(v, 0xc2, 0xf4)) << at;
	if (!units)
		return;
	high = _mm_or_si128(between(v, 0x1, 0x6), between(v, 0x1e, 0x21));
	high = _mm_or_si128(high, _mm_or_si128(between(v, 0x4e, 0x9f), between(v, 0xac, 0xd7)));
	high = _mm_or_si128(high, _mm_or_si128(_mm_cmpeq_epi8(v, bytes_of(0x9)), _mm_cmpeq_epi8(v, bytes_of(0xe))));
	high = _mm_or_si128(high, _mm_or_si128(_mm_cmpeq_epi8(v, bytes_of(0x10)), _mm_cmpeq_epi8(v, bytes_of(0x30))));
	high = _mm_or_si128(high, _mm_cmpeq_epi8(v, bytes_of(0xff)));
	m->zero |= bits_of(_mm_cmpeq_epi8(v, _mm_setzero_si128())) << at;
	m->low |= bits_of(_mm_or_si128(plain, between(v, 0xa0, 0xff))) << at;
	m->high |= bits_of(high) << at;
}

static struct masks masks_of(const unsigned char *p, bool units)
{
	__m128i v[4];
	struct masks m = {0};

	for (unsigned i = 0; i < 4; i++)
		v[i] = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * (size_t)i));
	/* Much memory is zero. */
	if (bits_of(_mm_cmpeq_epi8(_mm_or_si128(_mm_or_si128(v[0], v[1]), _mm_or_si128(v[2], v[3])), _mm_setzero_si128())) == 0xffff) {
		m.zero = UINT64_MAX;
		return m;
	}
	for (unsigned i = 0; i < 4; i++)
		add_bytes(&m, v[i], 16 * i, units);
	return m;
}

#else

static bool high_byte(unsigned c)
{
	return (c >= 0x1 && c <= 0x6) || c == 0x9 || c == 0xe || c == 0x10 || (c >= 0x1e && c <= 0x21) || c == 0x30 ||
	       (c >= 0x4e && c <= 0x9f) || (c >= 0xac && c <= 0xd7) || c == 0xff;
}

static struct masks masks_of(const unsigned char *p, bool units)
{
	struct masks m = {0};

	for (unsigned i = 0; i < 64; i++) {
		bool plain = (p[i] >= 0x20 && p[i] < 0x7f) || p[i] == '\t';

		m.plain |= (uint64_t)plain << i;
		m.later |= (uint64_t)(p[i] >= 0x80 && p[i] < 0xc0) << i;
		m.first |= (uint64_t)(p[i] >= 0xc2 && p[i] < 0xf5) << i;
		m.zero |= (uint64_t)(p[i] == 0) << i;
		m.low |= (uint64_t)(plain || p[i] >= 0xa0) << i;
		m.high |= (uint64_t)(units && high_byte(p[i])) << i;
	}
	return m;
}

#endif

/* Bit i: bit i + 1 of the stream. */
static uint64_t following(uint64_t bits, uint64_t next)
{
	return bits >> 1 | next << 63;
}

static uint64_t joined(const struct masks *m, const struct masks *next, bool sequences)
{
	uint64_t plain = following(m->plain, next->plain), later = following(m->later, next->later),
	         first = following(m->first, next->first);

	if (!sequences)
		return m->plain & plain;
	return (m->plain & (plain | first)) | (m->later & (plain | later | first)) | (m->first & later);
}

/* Bit i is set where count bits from i on are, each stride behind the last: count * stride is 64 at most. */
static void find_runs(const uint64_t *bits, size_t words, unsigned count, unsigned stride, uint64_t *ret)
{
	for (size_t i = 0; i < words; i++) {
		uint64_t low = bits[i], high = bits[i + 1];

		for (unsigned have = 1; low && have < count;) {
			unsigned more = have < count - have ? have : count - have, shift = more * stride;

			low &= low >> shift | high << (64 - shift);
			high &= high >> shift;
			have += more;
		}
		ret[i] = low;
	}
}

static uint64_t possible(const struct masks *m, bool sequences)
{
	return sequences ? m->plain | m->later | m->first : m->plain;
}

void vmm__strings_bits(struct vmm_strings_bits *b, const unsigned char *p, size_t n, size_t min, bool sequences, bool units)
{
	size_t words = (n + 63) / 64;
	struct masks now = {0}, next;
	unsigned char rest[64];

	for (size_t i = 0; i <= words; i++) {
		next = (struct masks){0};
		if (i < n / 64) {
			next = masks_of(p + i * 64, units);
		} else if (i < words) {
			memset(rest, 0, sizeof(rest));
			memcpy(rest, p + i * 64, n % 64);
			next = masks_of(rest, units);
			next.zero &= (UINT64_C(1) << n % 64) - 1; /* what is behind the end is no byte of a unit */
		}
		if (i) {
			b->joined[i - 1] = min > 1 ? joined(&now, &next, sequences) : possible(&now, sequences);
			b->narrow[i - 1] = following(now.zero, next.zero) & now.low;
			b->unit[i - 1] = b->narrow[i - 1] | following(now.high, next.high);
		}
		now = next;
	}
	b->joined[words] = b->unit[words] = 0;
	find_runs(b->joined, words, (unsigned)vmm_min_u64(vmm_max_u64(min, 2) - 1, 64), 1, b->byte_runs);
	find_runs(b->unit, words, (unsigned)vmm_min_u64(min, 32), 2, b->unit_runs);
	b->byte_runs[words] = b->unit_runs[words] = 0;
}

size_t vmm__strings_next(const uint64_t *bits, size_t i, size_t n, uint64_t mask)
{
	size_t word = i / 64;
	uint64_t left;

	if (i >= n)
		return n;
	left = bits[word] & mask & (UINT64_MAX << i % 64);
	while (!left && ++word < (n + 63) / 64)
		left = bits[word] & mask;
	return left ? word * 64 + (size_t)__builtin_ctzll(left) : n;
}

size_t vmm__strings_gap(const uint64_t *bits, size_t i, size_t n, uint64_t mask)
{
	size_t word = i / 64;
	uint64_t left;

	if (i >= n)
		return n;
	left = ~bits[word] & mask & (UINT64_MAX << i % 64);
	while (!left && ++word < (n + 63) / 64)
		left = ~bits[word] & mask;
	i = left ? word * 64 + (size_t)__builtin_ctzll(left) : n;
	return i < n ? i : n;
}

size_t vmm__strings_count(const uint64_t *bits, size_t i, size_t n, uint64_t mask, size_t most)
{
	size_t count = 0;

	while (i < n && count < most) {
		uint64_t word = bits[i / 64] & mask & (UINT64_MAX << i % 64);

		if (n - i / 64 * 64 < 64)
			word &= (UINT64_C(1) << n % 64) - 1;
		count += (size_t)__builtin_popcountll(word);
		i = (i / 64 + 1) * 64;
	}
	return count;
}
