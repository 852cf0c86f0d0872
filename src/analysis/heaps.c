/* Memory of allocators, as their readers found it. */
#include "analysis/claims.h"
#include "analysis/numbers.h"
#include "reader/walk.h"

/* Cuts of an area become cuts of the claim. */
static int claim_area(struct vmm_snapshot *s, struct vmm_claims *c, const struct vmm_area *area, struct vmm_err *err)
{
	struct vmm_claim claim = vmm_claim_init(area->start, area->end, VMM_KIND_HEAP);
	struct vmm_cut *cuts = vmm_arena_array(s->arena, VMM_AREA_CUTS_MAX, sizeof(*cuts));

	if (!cuts)
		return vmm_fail_nomem(err);
	for (unsigned i = 0; i < area->cut_count; i++)
		cuts[i] = (struct vmm_cut){area->cuts[i].address, area->cuts[i].label, false};
	claim.details = area->details;
	claim.heap = area->heap;
	claim.cuts = cuts;
	claim.cut_count = area->cut_count;
	claim.chunks = area->sums;
	return vmm_claims_add(c, &claim, err);
}

int vmm_claim_heaps(struct vmm_target *t, struct vmm_snapshot *s, struct vmm_claims *c, struct vmm_err *err)
{
	struct vmm_reading r = {.target = t, .snapshot = s};
	int rc = 0;

	r.run_count = vmm_prefetch_runs(c->prefetch, &r.runs, &r.runs_end);
	/* Who owns what is asked for together with the images; of a target that has gone there is nothing to read. */
	if (s->needs & VMM_NEED_IMAGES && !s->partial)
		rc = vmm_readers_run(&r, err);
	if (rc == 0 && s->needs & VMM_NEED_HEAPS)
		rc = vmm_reading_walk(&r, NULL, err);
	for (size_t i = 0; i < r.area_count && rc >= 0; i++)
		rc = claim_area(s, c, &r.areas[i], err);
	s->heaps = rc < 0 ? NULL : vmm_arena_array(s->arena, r.heap_count + 1, sizeof(*s->heaps));
	if (rc >= 0 && !s->heaps)
		rc = vmm_fail_nomem(err);
	for (size_t i = 0; i < r.heap_count && rc >= 0; i++)
		s->heaps[s->heap_count++] = r.heaps[i].heap;
	vmm_reading_done(&r);
	return rc < 0 ? rc : 0;
}
