/*
 * Adding up what a walk tells.
 * Layer: reader, private to walk*.c.
 */
#ifndef VMM_READER_WALK_SUMS_H
#define VMM_READER_WALK_SUMS_H

#include "reader/walk.h"

struct vmm_walk_sums;

struct vmm_walk_sums *vmm_walk_sums_create(void);
/* NULL is allowed. */
void vmm_walk_sums_destroy(struct vmm_walk_sums *s);
/* Empties it: a new heap, or a new try. */
void vmm_walk_sums_reset(struct vmm_walk_sums *s);
/* Begins an area: its sums start at 0. */
void vmm_walk_sums_area(struct vmm_walk_sums *s, const struct vmm_area *area);
/* Counts one chunk, with the resident bytes of its used part and of its headers and padding. */
void vmm_walk_sums_add(struct vmm_walk *w, uint64_t start, uint64_t size, uint32_t lead, uint32_t tail, enum vmm_chunk_state state);
void vmm_walk_sums_trim(struct vmm_walk *w, uint64_t start, uint64_t end);
/* Takes over what stands in w->small. */
void vmm_walk_sums_drain(struct vmm_walk *w);
/* Bytes of the area under way that were told so far. */
const struct vmm_chunk_sums *vmm_walk_sums_of_area(const struct vmm_walk_sums *s);
/* The result, in arena; NULL when memory is out. */
const struct vmm_heap_contents *vmm_walk_sums_finish(struct vmm_walk_sums *s, bool resident_known, struct vmm_arena *arena);

#endif
