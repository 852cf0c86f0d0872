/*
 * A string that is being found, and where it goes. Layer: format, private to strings*.c.
 */
#ifndef VMM_FORMAT_STRINGS_RUN_H
#define VMM_FORMAT_STRINGS_RUN_H

#include <string.h>

#include "format/strings.h"

/* units 0: there is none. */
struct vmm_strings_run {
	uint64_t address, units, bytes; /* units: characters, of UTF-16 units */
	size_t text_length;
	bool cut;
	char text[VMM_STRING_SHOWN_MAX + 1];
};

struct vmm_strings_sink {
	vmm_strings_fn fn;
	void *arg;
	uint32_t encodings;
	int stop; /* what fn returned */
};

static inline void vmm__strings_begin(struct vmm_strings_run *r, uint64_t address)
{
	if (r->units)
		return;
	r->address = address;
	r->bytes = r->text_length = 0;
	r->cut = false;
}

/* Adds whole characters, as far as there is room. */
static inline void vmm__strings_add(struct vmm_strings_run *r, const char *text, size_t n)
{
	size_t room = r->cut ? 0 : VMM_STRING_SHOWN_MAX - r->text_length;

	if (n > room) {
		r->cut = true;
		for (n = room; n > 0 && (text[n] & 0xc0) == 0x80;)
			n--;
	}
	memcpy(r->text + r->text_length, text, n);
	r->text_length += n;
}

void vmm__strings_tell(struct vmm_strings_sink *sink, struct vmm_strings_run *r, enum vmm_encoding encoding);

/* Bytes from p on that are printable ASCII or tabs. */
size_t vmm__strings_ascii(const unsigned char *p, size_t n);

#define VMM_STRINGS_PIECE 32768 /* bytes that are looked at together: they stay in the nearest cache */
#define VMM_STRINGS_WORDS (VMM_STRINGS_PIECE / 64 + 1)

/* Bit i of a piece tells of its byte i. */
struct vmm_strings_bits {
	uint64_t joined[VMM_STRINGS_WORDS];    /* may stand in one string with the byte behind it (fewest characters 1: alone) */
	uint64_t unit[VMM_STRINGS_WORDS];      /* begins a unit of UTF-16 that a string may hold; never 0 */
	uint64_t narrow[VMM_STRINGS_WORDS];    /* the same for units below 0x100 */
	uint64_t byte_runs[VMM_STRINGS_WORDS]; /* begins a run of joined that is as long as the shortest string, or 65 */
	uint64_t unit_runs[VMM_STRINGS_WORDS]; /* the same of unit, at most 32 */
};

/* sequences: UTF-8 is wanted. Everything that is a string is in the runs, and some that is none. */
void vmm__strings_bits(struct vmm_strings_bits *b, const unsigned char *p, size_t n, size_t min, bool sequences, bool units);
/* The first bit at i or above that is set in bits and in mask (which repeats every 64), or that is not set; n: none. */
size_t vmm__strings_next(const uint64_t *bits, size_t i, size_t n, uint64_t mask);
size_t vmm__strings_gap(const uint64_t *bits, size_t i, size_t n, uint64_t mask);
/* Bits of [i, n) that are set in bits and in mask; counting ends at most. */
size_t vmm__strings_count(const uint64_t *bits, size_t i, size_t n, uint64_t mask, size_t most);

#define VMM_STRINGS_PIECES 16

/* UTF-16 at the addresses of one parity. */
struct vmm_strings_units {
	struct vmm_strings_run run;
	const uint8_t *script; /* of each unit, see vmm__strings_scripts() */
	size_t min;
	unsigned parity;
	bool carried;
	bool skipping;         /* the rest of what turned out to be no text of its script */
	unsigned char carry;   /* the first byte of a unit that the window's end has cut */
	bool split;            /* nothing but ASCII may go on with the run */
	bool trusted;          /* the run is mostly ASCII as far as its text goes */
	uint8_t other;         /* script of the run beside ASCII and signs */
	uint16_t last;
	unsigned doubtful_row;
	uint64_t ascii, ascii_row, doubtful, changes;
	/* Parts of the run's text that are strings in ASCII, should the whole be none: its last one grows. */
	struct {
		uint64_t address;
		size_t text, length;
	} pieces[VMM_STRINGS_PIECES];
	unsigned piece_count;
};

/* Fills the scripts of all 65536 units. */
void vmm__strings_scripts(uint8_t *ret_script);
void vmm__strings_units_feed(struct vmm_strings_units *u, struct vmm_strings_sink *sink, const struct vmm_strings_bits *bits,
                             uint64_t address, const unsigned char *p, size_t n);
/* Ends what is open. */
void vmm__strings_units_end(struct vmm_strings_units *u, struct vmm_strings_sink *sink);

#endif
