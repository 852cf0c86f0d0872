#include "analysis/claims.h"

#include <stdlib.h>
#include <string.h>

#include "base/search.h"
struct vmm_claim vmm_claim_init(uint64_t start, uint64_t end, enum vmm_kind kind)
{
	return (struct vmm_claim){.start = start, .end = end, .kind = kind, .details = "", .path = "",
	                          .module = VMM_NONE, .thread = VMM_NONE, .heap = VMM_NONE};
}

/* Index of the first claim that ends above address. */
static size_t first_above(const struct vmm_claims *c, uint64_t address)
{
	return VMM_FIRST_ABOVE(c->v, c->count, end, address);
}

int vmm_claims_add(struct vmm_claims *c, const struct vmm_claim *claim, struct vmm_err *err)
{
	size_t at = first_above(c, claim->start);

	if (claim->start >= claim->end || (at < c->count && c->v[at].start < claim->end))
		return 0;
	if (!vmm_grow(&c->v, &c->capacity, c->count + 1, sizeof(*c->v)))
		return vmm_fail_nomem(err);
	memmove(&c->v[at + 1], &c->v[at], (c->count - at) * sizeof(*c->v));
	c->v[at] = *claim;
	c->count++;
	return 1;
}

const struct vmm_claim *vmm_claims_find(const struct vmm_claims *c, uint64_t address, bool next)
{
	size_t at = first_above(c, address);

	if (at == c->count || (!next && c->v[at].start > address))
		return NULL;
	return &c->v[at];
}

int vmm_claims_merge(struct vmm_claims *c, struct vmm_claims *more, struct vmm_err *err)
{
	size_t a = c->count, b = more->count, to = a + b;

	if (!vmm_grow(&c->v, &c->capacity, to, sizeof(*c->v)))
		return vmm_fail_nomem(err);
	c->count = to;
	/* From the end, so that nothing is overwritten before it has moved. */
	while (b > 0) {
		if (a > 0 && c->v[a - 1].start > more->v[b - 1].start)
			c->v[--to] = c->v[--a];
		else
			c->v[--to] = more->v[--b];
	}
	vmm_claims_done(more);
	return 0;
}

void vmm_claims_done(struct vmm_claims *c)
{
	free(c->v);
	*c = (struct vmm_claims){0};
}

bool vmm_unclaimed_next(struct vmm_unclaimed *u)
{
	const struct vmm_snapshot *s = u->snapshot;
	const struct vmm_claims *c = u->claims;

	while (u->vma < s->vma_count) {
		const struct vmm_vma *v = &s->vmas[u->vma];
		uint64_t start = vmm_max_u64(v->start, u->end);

		while (u->claim < c->count && c->v[u->claim].end <= start)
			u->claim++;
		if (start < v->end && u->claim < c->count && c->v[u->claim].start <= start) {
			/* Inside a claim: go on behind it. */
			u->end = vmm_min_u64(c->v[u->claim].end, v->end);
			start = u->end;
			if (start < v->end)
				continue;
		}
		if (start >= v->end) {
			u->vma++;
			continue;
		}
		u->start = start;
		u->end = u->claim < c->count ? vmm_min_u64(v->end, c->v[u->claim].start) : v->end;
		u->mapping = v;
		return true;
	}
	return false;
}
