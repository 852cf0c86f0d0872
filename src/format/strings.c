#include "format/strings.h"

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
	bool possible[256];
};

struct vmm_strings {
	uint64_t end; /* of the last window */
	size_t min;
	struct bytes_state bytes;
	struct vmm_strings_units units[2]; /* at even and at odd addresses */
	uint8_t script[1 << 16];
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
	vmm__strings_add(&b->run, (const char *)p, n, characters != n);
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

/* The sequence at p, of which left bytes are there. Returns the bytes done with. */
static size_t take_sequence(struct vmm_strings *f, uint64_t address, const unsigned char *p, size_t left)
{
	struct bytes_state *b = &f->bytes;
	unsigned length = p[0] < 0xc2 || p[0] > 0xf4 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t point;
	size_t n = 1;

	if (length > left) {
		while (n < left && (p[n] & 0xc0) == 0x80)
			n++;
		if (n == left) {
			memcpy(b->part, p, left);
			b->part_length = (unsigned)left;
			return left;
		}
		bytes_finish(f);
		return 1;
	}
	if (length && vmm_utf8_decode((const char *)p, left, &point) == length && point_shown(point)) {
		bytes_add(b, address, p, length, 1);
		return length;
	}
	bytes_finish(f);
	return 1;
}

size_t vmm__strings_ascii(const unsigned char *p, size_t n)
{
	size_t i = 0;

	/* Eight at a time: the high bit of a byte is set where it is below 0x20, 0x7f, or above. Tabs end it: they are rare. */
	for (; i + 8 <= n; i += 8) {
		uint64_t v;

		memcpy(&v, p + i, 8);
		if (((v + UINT64_C(0x0101010101010101)) | (v - UINT64_C(0x2020202020202020)) | v) & UINT64_C(0x8080808080808080))
			break;
	}
	while (i < n && printable(p[i]))
		i++;
	return i;
}

/* Bytes that are all possible. */
static void bytes_take(struct vmm_strings *f, uint64_t address, const unsigned char *p, size_t n)
{
	size_t i = 0;

	while (i < n) {
		size_t plain = f->bytes.part_length ? 0 : vmm__strings_ascii(p + i, n - i);

		if (plain) {
			bytes_add(&f->bytes, address + i, p + i, plain, plain);
			i += plain;
		} else if (f->bytes.part_length) {
			i += continue_part(f, address + i, p[i]);
		} else {
			i += take_sequence(f, address + i, p + i, n - i);
		}
	}
}

static size_t possible_end(const struct bytes_state *b, const unsigned char *p, size_t i, size_t n)
{
	while (i < n) {
		size_t plain = vmm__strings_ascii(p + i, n - i);

		i += plain;
		while (i < n && !printable(p[i])) {
			if (!b->possible[p[i]])
				return i;
			i++;
		}
	}
	return n;
}

static void bytes_feed(struct vmm_strings *f, uint64_t address, const unsigned char *p, size_t n)
{
	struct bytes_state *b = &f->bytes;
	size_t i = 0, min = f->min;

	if (b->open) {
		i = possible_end(b, p, 0, n);
		bytes_take(f, address, p, i);
		if (i == n)
			return;
		bytes_finish(f);
		b->open = false;
	}
	/* A run of min bytes covers every min-th byte: the others need not be looked at where that one is impossible. */
	while (n - i >= min && !f->sink.stop) {
		size_t from = i + min - 1, to;

		if (!b->possible[p[from]]) {
			i = from + 1;
			continue;
		}
		to = from + 1;
		while (from > i && b->possible[p[from - 1]])
			from--;
		to = possible_end(b, p, to, n);
		i = to;
		if (to < n && to - from < min)
			continue;
		bytes_take(f, address + from, p + from, to - from);
		b->open = to == n;
		if (b->open)
			return;
		bytes_finish(f);
	}
	if (i < n && !f->sink.stop) {
		size_t from = n;

		while (from > i && b->possible[p[from - 1]])
			from--;
		b->open = from < n;
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
	for (unsigned c = 0; c < 256; c++)
		f->bytes.possible[c] = printable((unsigned char)c) || (c >= 0x80 && encodings & 1u << VMM_ENCODING_UTF8);
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

static bool bytes_wanted(const struct vmm_strings *f)
{
	return f->sink.encodings & (1u << VMM_ENCODING_ASCII | 1u << VMM_ENCODING_UTF8);
}

static bool units_wanted(const struct vmm_strings *f)
{
	return f->sink.encodings & 1u << VMM_ENCODING_UTF16;
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

int vmm_strings_feed(struct vmm_strings *f, uint64_t address, const void *bytes, size_t length)
{
	if (address != f->end)
		vmm_strings_end(f);
	if (bytes_wanted(f))
		bytes_feed(f, address, bytes, length);
	for (unsigned i = 0; i < 2 && units_wanted(f); i++)
		vmm__strings_units_feed(&f->units[i], &f->sink, address, bytes, length);
	f->end = address + length;
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
