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

/* Adds to the text what has room. whole: it may not be taken apart. */
static inline void vmm__strings_add(struct vmm_strings_run *r, const char *text, size_t n, bool whole)
{
	size_t room = VMM_STRING_SHOWN_MAX - r->text_length;

	if (n > room || r->cut) {
		n = whole || r->cut ? 0 : room;
		r->cut = true;
	}
	memcpy(r->text + r->text_length, text, n);
	r->text_length += n;
}

void vmm__strings_tell(struct vmm_strings_sink *sink, struct vmm_strings_run *r, enum vmm_encoding encoding);

/* Bytes from p on that are printable ASCII or tabs. */
size_t vmm__strings_ascii(const unsigned char *p, size_t n);

/* UTF-16 at the addresses of one parity. */
struct vmm_strings_units {
	struct vmm_strings_run run;
	const uint8_t *script; /* of each unit, see vmm__strings_scripts() */
	size_t min;
	unsigned parity;
	bool carried, dropped;
	unsigned char carry;   /* the first byte of a unit that the window's end has cut */
	uint8_t other;         /* script of the run beside ASCII and signs */
	uint16_t last;
	unsigned doubtful_row;
	uint64_t ascii, doubtful, changes;
};

/* Fills the scripts of all 65536 units. */
void vmm__strings_scripts(uint8_t *ret_script);
void vmm__strings_units_feed(struct vmm_strings_units *u, struct vmm_strings_sink *sink, uint64_t address, const unsigned char *p,
                             size_t n);
/* Ends what is open. */
void vmm__strings_units_end(struct vmm_strings_units *u, struct vmm_strings_sink *sink);

#endif
