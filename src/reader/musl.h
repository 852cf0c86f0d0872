/*
 * musl's mallocng as it lies in memory, for the files musl*.c. 64-bit only.
 * Layer: reader. Private to the reader.
 *
 * musl 1.2.1 to 1.2.5, src/malloc/mallocng/meta.h: pages of metas, each the description of a group; a group is a header
 * and up to 32 slots of one size, in a mapping of its own, in a slot of another group, or in the gap that the loader
 * found at the end of an image's data.
 */
#ifndef VMM_READER_MUSL_H
#define VMM_READER_MUSL_H

#include "reader/walk.h"

#define MUSL_PAGE UINT64_C(4096)
#define MUSL_UNIT 16u
#define MUSL_HEADER 4u /* bytes before a slot's user part */
#define MUSL_CLASSES 48u
#define MUSL_CLASS_MAPPED 63u /* one block with a mapping of its own */
#define MUSL_AREA_WORDS 3     /* of a page of metas: secret, next page, number of metas */
#define MUSL_METAS 101u       /* in a page */
#define MUSL_META_BYTES 40u
#define MUSL_PAGES_MAX (UINT32_C(1) << 18)

extern const uint16_t musl_class_units[MUSL_CLASSES];

/* Where the allocator's context is, and what it says. */
struct musl_context {
	uint64_t address, secret;
	uint64_t head, tail;           /* pages of metas */
	uint64_t next_page, next_count; /* pages for more of them */
	uint64_t usage;                /* address of the slots by class */
};

#define MUSL_CONTEXT_WORDS 11 /* up to the active groups, with a field for the size of a page */

/* Judges words at address. shift: 1 where the size of a page is a variable, otherwise 0. */
bool musl_parse_context(uint64_t address, const uint64_t *words, unsigned shift, struct musl_context *ret);

struct musl_group {
	uint64_t mem, meta; /* addresses of the group and of its meta */
	uint64_t stride;    /* bytes of a slot with the header before it */
	uint64_t size;      /* bytes of its mapping; 0: it has none */
	uint32_t avail, freed; /* slots that may be handed out, and that were freed, one bit each */
	uint8_t count, class;
	bool donated; /* in the gap of an image */
};

enum musl_meta {
	MUSL_META_UNUSED,
	MUSL_META_GROUP,
	MUSL_META_BAD
};

/* Judges the MUSL_META_BYTES of the meta at address. */
enum musl_meta musl_parse_meta(uint64_t address, const unsigned char *bytes, struct musl_group *ret);

/* Bytes of a group with all its slots. In another's slot it ends where the header of a slot behind its last would be. */
static inline uint64_t musl_group_bytes(const struct musl_group *g)
{
	return g->size ? g->size : MUSL_UNIT - (g->donated ? 0 : MUSL_HEADER) + g->count * g->stride;
}

/* What detect() hands to walk(). */
struct musl_heap {
	struct musl_context context;
	bool gaps; /* groups in gaps of images; otherwise all others */
};

int musl_walk(struct vmm_walk *w, void *data, struct vmm_err *err);

#endif
