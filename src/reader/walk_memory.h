/*
 * What a walk reads through: the page map by slices, pages in a cache, and a window for long reads.
 * Layer: reader, private to walk*.c.
 */
#ifndef VMM_READER_WALK_MEMORY_H
#define VMM_READER_WALK_MEMORY_H

#include "reader/walk.h"

struct vmm_walk_memory *vmm_walk_memory_create(struct vmm_reading *r);
/* NULL is allowed. */
void vmm_walk_memory_destroy(struct vmm_walk_memory *m);
/*
 * Forgets all that was read, and sets how many bytes may be copied and until when (vmm_now_ns). first_look: what the
 * reading knows of the page map already may serve; a second look must see what has changed.
 */
void vmm_walk_memory_reset(struct vmm_walk_memory *m, bool first_look, uint64_t budget, uint64_t deadline_ns);
/* Puts the deadline off. */
void vmm_walk_memory_extend(struct vmm_walk_memory *m, uint64_t ns);
/* Whether a bound was hit, memory ran out, or the target went away: what the walk found is not whole then. */
const char *vmm_walk_memory_trouble(const struct vmm_walk_memory *m);

/* The run of equal pages that holds address: [*ret_start, *ret_end) with enum vmm_page bits, 0 for absent. */
uint32_t vmm_walk_memory_run(struct vmm_walk_memory *m, uint64_t address, uint64_t *ret_start, uint64_t *ret_end);

#endif
