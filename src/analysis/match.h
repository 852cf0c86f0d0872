/*
 * How two snapshots relate: the same process, the same places, which region is which.
 * Layer: analysis. Everything here reads const snapshots: thread-safe.
 */
#ifndef VMM_ANALYSIS_MATCH_H
#define VMM_ANALYSIS_MATCH_H

#include "vmmap/diff.h"

/* The same process at two moments, as far as can be told: an exec() in between makes it another one. */
bool vmm__same_process(const struct vmm_snapshot *a, const struct vmm_snapshot *b);
/* Equal addresses mean the same places: one process, a fork, or one program twice without address space randomisation. */
bool vmm__same_layout(const struct vmm_snapshot *a, const struct vmm_snapshot *b);

/* What a region lies in, runs in or belongs to; NULL where nothing does, whatever a file says. */
const struct vmm_module *vmm__region_module(const struct vmm_snapshot *s, const struct vmm_region *r);
const struct vmm_thread *vmm__region_thread(const struct vmm_snapshot *s, const struct vmm_region *r);
const struct vmm_heap *vmm__region_heap(const struct vmm_snapshot *s, const struct vmm_region *r);
/* The mapping that a region begins with; NULL when it has none. */
const struct vmm_vma *vmm__region_first_vma(const struct vmm_snapshot *s, const struct vmm_region *r);

/* One region with what it is told by. */
struct vmm__side {
	const struct vmm_snapshot *s;
	uint32_t *mate;  /* of each region: the index of its other self, or VMM_NONE */
	uint64_t *shift; /* of each region of the first side: add it to get where the second side would have it */
};

/* What a region is known by in one pass; equal keys are the same thing. */
struct vmm__match_key {
	uint64_t number[4];
	const char *text[2]; /* never NULL */
	uint64_t order;      /* of those with equal keys the first goes with the first */
};

/* One rule of matching. key false: the pass does not speak of this region. */
struct vmm__match_pass {
	bool (*key)(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k);
	enum {
		VMM__MATCH_ORDER, /* the k-th with the k-th */
		VMM__MATCH_ALONE, /* only where there is one on either side */
		VMM__MATCH_EQUAL, /* the k-th with the k-th where there are equally many */
	} rule;
	bool fits; /* and vmm__match_fits() agrees */
};

/* Joins what no pass before has matched. False: out of memory. */
bool vmm__match_join(struct vmm__side *a, struct vmm__side *b, const struct vmm__match_pass *pass);

bool vmm__key_image(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k);
bool vmm__key_build_id(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k);
bool vmm__key_image_path(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k);
bool vmm__key_object(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k);
bool vmm__key_file(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k);
bool vmm__key_named(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k);
bool vmm__key_tid(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k);
bool vmm__key_main_stack(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k);
bool vmm__key_thread_name(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k);
bool vmm__key_any_stack(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k);
bool vmm__key_heap_start(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k);
bool vmm__key_heap(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k);
bool vmm__key_start(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k);
bool vmm__key_end(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k);
bool vmm__key_range(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k);
bool vmm__key_moved(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k);

/* Whether two regions that lie at the same place may be one: the same type, object and window into it. */
bool vmm__match_fits(const struct vmm__side *a, const struct vmm_region *x, const struct vmm__side *b,
                     const struct vmm_region *y);

#endif
