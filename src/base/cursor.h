/*
 * Bounded binary cursor over bytes of a target: byte order and pointer width are data, not #ifdef.
 * Layer: base. A failing call does not move the cursor.
 */
#ifndef VMM_BASE_CURSOR_H
#define VMM_BASE_CURSOR_H

#include <endian.h>
#include <string.h>

#include "base/base.h"

struct vmm_cursor {
	const unsigned char *p, *end;
	bool big_endian;
	uint8_t word; /* bytes of a pointer: 4 or 8 */
};

static inline bool vmm_cursor_skip(struct vmm_cursor *c, uint64_t n)
{
	if (n > (uint64_t)(c->end - c->p))
		return false;
	c->p += n;
	return true;
}

/* An unsigned integer of n bytes, n at most 8. */
static inline bool vmm_cursor_uint(struct vmm_cursor *c, unsigned n, uint64_t *ret)
{
	uint64_t v = 0;

	if (n > 8 || (uint64_t)(c->end - c->p) < n)
		return false;
	for (unsigned i = 0; i < n; i++)
		v |= (uint64_t)c->p[c->big_endian ? n - 1 - i : i] << (8 * i);
	c->p += n;
	*ret = v;
	return true;
}

/* A pointer of the target. */
static inline bool vmm_cursor_word(struct vmm_cursor *c, uint64_t *ret)
{
	return vmm_cursor_uint(c, c->word, ret);
}

/* The word of 4 or 8 bytes at an offset that is known to be inside, little-endian: one load where the size is a constant. */
static inline uint64_t vmm_word_at(const void *bytes, size_t at, unsigned word)
{
	uint64_t whole;
	uint32_t half;

	if (word == 8) {
		memcpy(&whole, (const unsigned char *)bytes + at, sizeof(whole));
		return le64toh(whole);
	}
	memcpy(&half, (const unsigned char *)bytes + at, sizeof(half));
	return le32toh(half);
}

#endif
