/*
 * Fields of smaps and smaps_rollup: which key a line has, and its value. Private to src/format/proc_smaps*.c.
 * Layer: format. A table of keys belongs to one parser; not thread-safe.
 */
#ifndef VMM_FORMAT_PROC_SMAPS_H
#define VMM_FORMAT_PROC_SMAPS_H

#include <string.h>

#include "format/proc_text.h"

#define SMAPS_LABEL 16   /* columns that the kernel gives to "Key:" with its padding */
#define SMAPS_NUMBER 8   /* columns of the number after it, right-aligned */
#define SMAPS_KEY_MAX 63 /* bytes of a key with its colon */

/* Places in the table of keys: smaps.def, VmFlags, extras, and the header line as what comes before the first field. */
enum {
	SMAPS_KEY_FLAGS = VMM_SMAPS_COUNT,
	SMAPS_KEY_EXTRA,
	SMAPS_KEY_HEADER = SMAPS_KEY_EXTRA + VMM_SMAPS_EXTRA_MAX,
	SMAPS_KEY_NONE, /* nothing is expected; fits no line */
	SMAPS_KEY_COUNT
};

struct smaps_key {
	char text[SMAPS_KEY_MAX + 1]; /* "Key:", padded with spaces to SMAPS_LABEL */
	uint8_t length;               /* without padding; 0: the row is not in use */
	uint8_t next;                 /* key that followed it last time */
};

struct smaps_keys {
	struct smaps_key key[SMAPS_KEY_COUNT];
	char extra_name[VMM_SMAPS_EXTRA_MAX][SMAPS_KEY_MAX + 1]; /* without the colon */
	uint8_t flag_place[26 * 26]; /* by the two letters of a VmFlags code: bit place + 1, 0 = no such code */
	uint8_t last, expect;        /* the key of the last line, and the one foretold for the next */
	uint8_t extra_count;
	bool keep_extras;
	bool carriage_return; /* a field line since the last header ended with one */
	uint64_t malformed, unknown_flags;
};

enum smaps_line {
	SMAPS_LINE_FIELD,     /* stored, or a key that there is no room for */
	SMAPS_LINE_MALFORMED, /* has a key, but not a value that can be taken */
	SMAPS_LINE_OTHER,     /* has no key */
};

void vmm__smaps_keys_init(struct smaps_keys *k, bool keep_extras);
/* A header line was read: the first field comes next. */
void vmm__smaps_keys_restart(struct smaps_keys *k);
/* A whole line without its line end, of any shape. */
enum smaps_line vmm__smaps_field(struct smaps_keys *k, const char *line, size_t length, struct vmm_smaps_record *r);

static inline void smaps_store(struct vmm_smaps_record *r, unsigned key, uint64_t value)
{
	if (key < VMM_SMAPS_COUNT) {
		r->value[key] = value;
		r->known |= UINT32_C(1) << key;
	} else {
		r->extra[key - SMAPS_KEY_EXTRA] = value;
		r->extra_known |= UINT32_C(1) << (key - SMAPS_KEY_EXTRA);
	}
}

/* A number right-aligned with spaces in 8 columns, eight at a time. False: anything else stands there. */
static inline bool smaps_number(const char *p, uint64_t *ret)
{
	const uint64_t zeros = UINT64_C(0x3030303030303030), high = UINT64_C(0xf0f0f0f0f0f0f0f0);
	uint64_t v, not_space, padding;

	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	not_space = v ^ UINT64_C(0x2020202020202020);
	if (!not_space)
		return false;
	padding = (UINT64_C(1) << (__builtin_ctzll(not_space) & ~7)) - 1;
	v = (v & ~padding) | (zeros & padding);
	if ((v & high) != zeros || ((v + UINT64_C(0x0606060606060606)) & high) != zeros)
		return false;
	/* Neighbouring digits to numbers below 100, those to 10,000, those to the result. */
	v -= zeros;
	v = v * 10 + (v >> 8);
	v = ((v & UINT64_C(0xff000000ff)) * UINT64_C(0xf424000000064) +
	     ((v >> 16) & UINT64_C(0xff000000ff)) * UINT64_C(0x271000000001)) >>
	    32;
	*ret = v;
	return true;
}

/*
 * The foretold line in the kernel's own layout: three comparisons instead of a search. Returns its length with the
 * line end; 0 when the line is another one or has another shape, nothing is changed then.
 */
static inline size_t smaps_foretold_field(struct smaps_keys *k, const char *p, const char *end, struct vmm_smaps_record *r)
{
	const unsigned key = k->expect, number_end = SMAPS_LABEL + SMAPS_NUMBER;
	const struct smaps_key *row = &k->key[key];
	uint64_t v;
	bool kb;

	if ((size_t)(end - p) < number_end + 4 || row->length - 1u >= SMAPS_LABEL || memcmp(p, row->text, SMAPS_LABEL) != 0)
		return 0;
	kb = memcmp(p + number_end, " kB\n", 4) == 0;
	if (!kb && (p[number_end] != '\n' || key < SMAPS_KEY_EXTRA))
		return 0;
	if (key == SMAPS_KEY_FLAGS || !smaps_number(p + SMAPS_LABEL, &v))
		return 0;
	smaps_store(r, key, kb ? v * 1024 : v);
	k->last = (uint8_t)key;
	k->expect = row->next;
	return number_end + (kb ? 4 : 1);
}

#endif
