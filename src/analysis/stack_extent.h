/*
 * What stacks.c and stack_extent.c share: where the stack of a thread lies.
 * Layer: analysis.
 */
#ifndef VMM_ANALYSIS_STACK_EXTENT_H
#define VMM_ANALYSIS_STACK_EXTENT_H

#include "analysis/claims.h"

#define VMM_STACK_GUARD_MAX (UINT64_C(1) << 20) /* a larger inaccessible range below is a reservation, no guard */

struct vmm_stack_pass {
	struct vmm_target *t;
	struct vmm_snapshot *s;
	struct vmm_claims *c;
	bool unreadable; /* descriptors may not be read: said once */
};

/* What a descriptor or the shape of mappings tells. */
struct vmm_stack_extent {
	uint64_t start, end;
	uint64_t guard; /* bytes at the start that the C library calls so; 0: it does not tell */
};

/* Reads the stack's base and size out of the descriptor. False: not told, or nothing that fits. */
bool vmm_stack_by_descriptor(struct vmm_stack_pass *p, const struct vmm_thread *th, struct vmm_stack_extent *ret);
/* Falls back on the shape: the mapping that holds the anchor, when a guard lies below it. */
bool vmm_stack_by_shape(struct vmm_stack_pass *p, const struct vmm_thread *th, struct vmm_stack_extent *ret);
/* The descriptor in the page below top whose first and third word point to itself (glibc tcbhead_t on x86); 0: none. */
uint64_t vmm_stack_descriptor(struct vmm_stack_pass *p, uint64_t start, uint64_t top);

#endif
