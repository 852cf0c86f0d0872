#include "format/strings.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "format/strings_run.h"

/* The bytes of UTF-8 and ASCII. */
struct bytes_state {
	struct vmm_strings_run run;
	bool open;          /* the last window ended inside a stretch of possible bytes */
	unsigned char part[4]; /* a sequence that the window's end has cut */
	unsigned part_length;
};

struct vmm_strings {
	uint64_t end; /* of the last window */
	size_t min;
	struct bytes_state bytes;
	struct vmm_strings_units units[2]; /* at even and at odd addresses */
	uint8_t script[1 << 16];
	struct vmm_strings_bits bits; /* of the piece under way */
	struct vmm_strings_sink sink;
};

void vmm__strings_tell(struct vmm_strings_sink *sink, struct vmm_strings_run *r, enum vmm_encoding encoding)
{
	struct vmm_strings_hit hit = {r->address, r->bytes, encoding, r->cut, r->text, r->text_length};

	if (sink->stop || !((sink->encodings >> encoding) & 1))
		return;
	r->text[r->text_length] = '\0';
	sink->stop = sink->fn(sink->arg, &hit);
}

/* No controls, private or unassigned planes, and no noncharacters. */
static bool point_shown(uint32_t p)
{
	return p >= 0xa0 && p < 0x40000 && !(p >= 0xe000 && p < 0xf900) && !(p >= 0xfdd0 && p < 0xfdf0) && (p & 0xfffe) != 0xfffe;
}

static bool bytes_wanted(const struct vmm_strings *f)
{
	return f->sink.encodings & (1u << VMM_ENCODING_ASCII | 1u << VMM_ENCODING_UTF8);
}

static bool units_wanted(const struct vmm_strings *f)
{
	return f->sink.encodings & 1u << VMM_ENCODING_UTF16;
}

static bool sequences_wanted(const struct vmm_strings *f)
{
	return f->sink.encodings & 1u << VMM_ENCODING_UTF8;
}

static bool printable(unsigned char c)
{
	return (c >= 0x20 && c < 0x7f) || c == '\t';
}

static void bytes_finish(struct vmm_strings *f)
{
	struct vmm_strings_run *r = &f->bytes.run;

	f->bytes.part_length = 0;
	if (r->units >= f->min)
		vmm__strings_tell(&f->sink, r, r->units == r->bytes ? VMM_ENCODING_ASCII : VMM_ENCODING_UTF8);
	r->units = 0;
}

static void bytes_add(struct bytes_state *b, uint64_t address, const unsigned char *p, size_t n, size_t characters)
{
	vmm__strings_begin(&b->run, address);
	vmm__strings_add(&b->run, (const char *)p, n);
	b->run.units += characters;
	b->run.bytes += n;
}

/* Goes on with the sequence that the last window's end had cut. False: byte does not belong to it. */
static bool continue_part(struct vmm_strings *f, uint64_t address, unsigned char byte)
{
	struct bytes_state *b = &f->bytes;
	unsigned length = b->part[0] < 0xe0 ? 2 : b->part[0] < 0xf0 ? 3 : 4;
	uint32_t point;

	if ((byte & 0xc0) != 0x80) {
		bytes_finish(f);
		return false;
	}
	b->part[b->part_length++] = byte;
	if (b->part_length < length)
		return true;
	if (vmm_utf8_decode((const char *)b->part, length, &point) == length && point_shown(point))
		bytes_add(b, address + 1 - length, b->part, length, 1);
	else
		bytes_finish(f);
	b->part_length = 0;
	return true;
}

/* Bytes of the sequence at p, 0 when it is none that can be shown. *ret_part: the bytes left may be the beginning of one. */
static size_t sequence_length(const unsigned char *p, size_t left, bool *ret_part)
{
	unsigned length = p[0] < 0xc2 || p[0] > 0xf4 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t point;
	size_t n = 1;

	*ret_part = false;
	if (length <= left)
		return length && vmm_utf8_decode((const char *)p, left, &point) == length && point_shown(point) ? length : 0;
	while (n < left && (p[n] & 0xc0) == 0x80)
		n++;
	*ret_part = n == left;
	return 0;
}

size_t vmm__strings_ascii(const unsigned char *p, size_t n)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	size_t i = 0;

	while (n - i >= 8) {
		uint64_t v, other;

		memcpy(&v, p + i, 8);
		v = le64toh(v);
		/* The high bit of a byte: below 0x20, 0x7f, or above. Carries reach only bytes above the first of these. */
		other = ((v + ones) | (v - ones * 0x20) | v) & (ones * 0x80);
		i += other ? (size_t)__builtin_ctzll(other) / 8 : 8;
		if (other && p[i] != '\t')
			return i;
		i += other != 0;
	}
	while (i < n && printable(p[i]))
		i++;
	return i;
}

/* Bytes that may all stand in strings. What is too short to be told is not copied. */
static void bytes_take(struct vmm_strings *f, uint64_t address, const unsigned char *p, size_t n)
{
	struct bytes_state *b = &f->bytes;
	size_t i = 0, from, characters = 0;
	bool part = false;

	while (i < n && b->part_length)
		i += continue_part(f, address + i, p[i]);
	from = i;
	while (i < n) {
		size_t length = vmm__strings_ascii(p + i, n - i);

		characters += length;
		i += length;
		if (length || i == n)
			continue;
		length = sequence_length(p + i, n - i, &part);
		if (part)
			break;
		if (length == 0) {
			if (b->run.units + characters >= f->min)
				bytes_add(b, address + from, p + from, i - from, characters);
			bytes_finish(f);
			characters = 0;
			from = i + 1;
		} else {
			characters++;
		}
		i += length ? length : 1;
	}
	if (characters)
		bytes_add(b, address + from, p + from, i - from, characters);
	if (part) {
		memcpy(b->part, p + i, n - i);
		b->part_length = (unsigned)(n - i);
	}
}

static bool possible(const struct vmm_strings *f, unsigned char c)
{
	if (c < 0x80 || !sequences_wanted(f))
		return printable(c);
	return c != 0xc0 && c != 0xc1 && c < 0xf5;
}

/* The end of the stretch of bytes from i on that may stand in one string; n also where the next piece may go on with it. */
static size_t stretch_end(const struct vmm_strings *f, const unsigned char *p, size_t i, size_t n)
{
	size_t last = vmm__strings_gap(f->bits.joined, i, n, UINT64_MAX);

	if (last == n || !possible(f, p[last]))
		return last;
	return last + 1;
}

static void bytes_feed(struct vmm_strings *f, uint64_t address, const unsigned char *p, size_t n)
{
	struct bytes_state *b = &f->bytes;
	size_t i = 0;

	if (b->open) {
		i = stretch_end(f, p, 0, n);
		bytes_take(f, address, p, i);
		if (i == n)
			return;
		bytes_finish(f);
		b->open = false;
	}
	while (i < n && !f->sink.stop) {
		size_t from = vmm__strings_next(f->bits.byte_runs, i, n, UINT64_MAX), to;

		if (from == n)
			break;
		to = stretch_end(f, p, from, n);
		i = to;
		bytes_take(f, address + from, p + from, to - from);
		b->open = to == n;
		if (b->open)
			return;
		bytes_finish(f);
	}
	if (i < n && !f->sink.stop && possible(f, p[n - 1])) {
		size_t from = n - 1;

		/* What is joined with the last byte is shorter than a string, or it would have been found. */
		while (from > i && f->min > 1 && f->bits.joined[(from - 1) / 64] >> (from - 1) % 64 & 1)
			from--;
		b->open = true;
		bytes_take(f, address + from, p + from, n - from);
	}
}

struct vmm_strings *vmm_strings_create(uint32_t encodings, uint64_t min, vmm_strings_fn fn, void *arg)
{
	struct vmm_strings *f = vmm_alloc_hook(NULL, sizeof(*f));

	if (!f)
		return NULL;
	memset(f, 0, sizeof(*f));
	f->min = (size_t)vmm_min_u64(vmm_max_u64(min, 1), VMM_STRINGS_MIN_MAX);
	f->sink = (struct vmm_strings_sink){.fn = fn, .arg = arg, .encodings = encodings};
	if (encodings & 1u << VMM_ENCODING_UTF16)
		vmm__strings_scripts(f->script);
	for (unsigned i = 0; i < 2; i++) {
		f->units[i].parity = i;
		f->units[i].min = f->min;
		f->units[i].script = f->script;
	}
	return f;
}

void vmm_strings_destroy(struct vmm_strings *f)
{
	free(f);
}

int vmm_strings_end(struct vmm_strings *f)
{
	if (f->bytes.open)
		bytes_finish(f);
	f->bytes.open = false;
	for (unsigned i = 0; i < 2; i++)
		vmm__strings_units_end(&f->units[i], &f->sink);
	return f->sink.stop;
}

static void feed_piece(struct vmm_strings *f, uint64_t address, const unsigned char *p, size_t n)
{
	vmm__strings_bits(&f->bits, p, n, f->min, sequences_wanted(f), units_wanted(f));
	if (bytes_wanted(f))
		bytes_feed(f, address, p, n);
	for (unsigned i = 0; i < 2 && units_wanted(f); i++)
		vmm__strings_units_feed(&f->units[i], &f->sink, &f->bits, address, p, n);
	f->end = address + n;
}

int vmm_strings_feed(struct vmm_strings *f, uint64_t address, const void *bytes, size_t length)
{
	if (address != f->end)
		vmm_strings_end(f);
	for (size_t i = 0, n; i < length && !f->sink.stop; i += n) {
		n = length - i < VMM_STRINGS_PIECE ? length - i : VMM_STRINGS_PIECE;
		feed_piece(f, address + i, (const unsigned char *)bytes + i, n);
	}
	return f->sink.stop;
}

uint64_t vmm_strings_pending(const struct vmm_strings *f)
{
	uint64_t at = f->end;

	if (f->bytes.open)
		at = f->bytes.run.units ? f->bytes.run.address : at - f->bytes.part_length;
	for (unsigned i = 0; i < 2; i++) {
		const struct vmm_strings_units *u = &f->units[i];

		if (u->run.units)
			at = vmm_min_u64(at, u->run.address);
		else if (u->carried)
			at = vmm_min_u64(at, f->end - 1);
	}
	return at;
}
