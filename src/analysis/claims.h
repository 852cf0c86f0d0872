/*
 * Claims: who owns which stretch of address space. Passes add claims, the first wins; regions are made of them.
 * Layer: analysis.
 *
 * To add a pass: write vmm_claim_NAME() in its own file, and call it in the row order of classify.c.
 */
#ifndef VMM_ANALYSIS_CLAIMS_H
#define VMM_ANALYSIS_CLAIMS_H

#include "base/arena.h"
#include "model/build.h"
#include "model/target.h"

/* A border inside a claim: from address on, bytes are called label. */
struct vmm_cut {
	uint64_t address;
	const char *label; /* in the snapshot's arena or static */
	bool guard;
};

struct vmm_claim {
	uint64_t start, end;
	enum vmm_kind kind;
	const char *details; /* never NULL */
	const char *path;    /* never NULL */
	uint32_t module, thread, heap;
	/*
	 * Borders in rising order, in the snapshot's arena; may be empty. The mapped bytes before the first cut carry
	 * no label. A cut in an unmapped hole takes effect at the next mapping. Cuts need not lie on page borders.
	 */
	const struct vmm_cut *cuts;
	uint32_t cut_count;
	const struct vmm_chunk_sums *chunks; /* of a heap that was walked; NULL otherwise */
};

struct vmm_prefetch;

struct vmm_claims {
	struct vmm_claim *v; /* sorted by start, disjoint */
	size_t count, capacity;
	const struct vmm_prefetch *prefetch; /* pages as they were while the map was read; may be NULL */
};

/* A claim on nothing yet: indexes VMM_NONE, strings "". */
struct vmm_claim vmm_claim_init(uint64_t start, uint64_t end, enum vmm_kind kind);
/*
 * Adds a claim. Returns 1 when it was taken, 0 when any byte of [start, end) that is mapped is claimed already,
 * VMM_E_NOMEM. A claim may cover unmapped holes, but no other claim may lie in them.
 */
int vmm_claims_add(struct vmm_claims *c, const struct vmm_claim *claim, struct vmm_err *err);
/* The claim that holds address, or the first one above it when next is set; NULL when none. */
const struct vmm_claim *vmm_claims_find(const struct vmm_claims *c, uint64_t address, bool next);
/* Takes over all claims of another list that does not overlap with this one; more is empty afterwards. */
int vmm_claims_merge(struct vmm_claims *c, struct vmm_claims *more, struct vmm_err *err);
void vmm_claims_done(struct vmm_claims *c);

/*
 * Steps through the mapped bytes that nobody has claimed, in rising order: set snapshot and claims, the rest zero.
 * Each step is a part of one mapping. The claims must not change meanwhile: collect new ones and merge them.
 */
struct vmm_unclaimed {
	const struct vmm_snapshot *snapshot;
	const struct vmm_claims *claims;
	const struct vmm_vma *mapping;
	uint64_t start, end; /* inside mapping */
	uint32_t vma;        /* position */
	size_t claim;
};
bool vmm_unclaimed_next(struct vmm_unclaimed *u);

/* Passes. Each returns 0 or an error; what it cannot find out it notes in the snapshot. */
int vmm_claim_images(struct vmm_target *t, struct vmm_snapshot *s, struct vmm_claims *c, struct vmm_err *err);
int vmm_claim_system(struct vmm_target *t, struct vmm_snapshot *s, struct vmm_claims *c, struct vmm_err *err);
int vmm_claim_stacks(struct vmm_target *t, struct vmm_snapshot *s, struct vmm_claims *c, struct vmm_err *err);
int vmm_claim_heaps(struct vmm_target *t, struct vmm_snapshot *s, struct vmm_claims *c, struct vmm_err *err);
/* Claims nothing: names what may be the brk heap where the kernel's names are unknown. vmm_claim_brk() takes that back. */
int vmm_name_brk(struct vmm_target *t, struct vmm_snapshot *s, struct vmm_claims *c, struct vmm_err *err);
int vmm_claim_brk(struct vmm_target *t, struct vmm_snapshot *s, struct vmm_claims *c, struct vmm_err *err);
int vmm_claim_files(struct vmm_target *t, struct vmm_snapshot *s, struct vmm_claims *c, struct vmm_err *err);
int vmm_claim_private(struct vmm_target *t, struct vmm_snapshot *s, struct vmm_claims *c, struct vmm_err *err);

#endif
