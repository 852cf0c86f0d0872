/*
 * The brk heap. A live process's mappings carry its name; in a core it must be told by its place and by an allocator that
 * claims memory in it: without both it stays Private Data.
 */
#include "analysis/claims.h"

#include "base/search.h"

/* How far the kernel moves the heap from the program's end: arch_randomize_brk() of x86 and arm64, SZ_32M and since 6.9 SZ_1G. */
#define REACH_64 (UINT64_C(1) << 30)
#define REACH_32 (UINT64_C(32) << 20)

static const struct vmm_module *find_program(const struct vmm_snapshot *s)
{
	for (uint32_t i = 0; i < s->module_count; i++)
		if (s->modules[i].program)
			return &s->modules[i];
	return NULL;
}

static bool may_be_brk(const struct vmm_vma *v)
{
	return v->backing == VMM_BACKING_ANON && !(v->prot & VMM_PROT_SHARED) && !v->name[0];
}

/* Names the anonymous mappings that begin within reach behind address, as far as they lie side by side. */
static bool name_behind(struct vmm_snapshot *s, uint64_t address, uint64_t reach)
{
	uint32_t i = (uint32_t)VMM_FIRST_ABOVE(s->vmas, s->vma_count, end, address), first = i;

	if (i == s->vma_count || !may_be_brk(&s->vmas[i]) || (s->vmas[i].start > address && s->vmas[i].start - address > reach))
		return false;
	for (; i < s->vma_count && may_be_brk(&s->vmas[i]) && (i == first || s->vmas[i - 1].end == s->vmas[i].start); i++)
		s->vmas[i].name = "[heap]";
	return true;
}

int vmm_name_brk(struct vmm_target *t, struct vmm_snapshot *s, struct vmm_claims *c, struct vmm_err *err)
{
	const struct vmm_module *program = t->unnamed ? find_program(s) : NULL;
	uint64_t reach = s->target.bits == 32 ? REACH_32 : REACH_64;

	/* Of static programs that are position independent it stands where other programs do (ELF_ET_DYN_BASE). */
	if (program && !name_behind(s, program->end, reach) && s->target.bits == 64)
		name_behind(s, vmm_align_down(s->target.user_end / 3 * 2, 4096), reach);
	return 0;
}

/* Takes the name back where no allocator has claimed anything of it. */
static void unname_unproved(struct vmm_snapshot *s, const struct vmm_claims *c)
{
	bool proved = false;

	for (size_t i = 0; i < c->count && !proved; i++) {
		const struct vmm_vma *v = c->v[i].kind == VMM_KIND_HEAP ? vmm_snapshot_vma_at(s, c->v[i].start) : NULL;

		proved = v && vmm_vma_is_brk(v);
	}
	for (uint32_t i = 0; i < s->vma_count && !proved; i++)
		if (vmm_vma_is_brk(&s->vmas[i]))
			s->vmas[i].name = "";
}

/* The kernel names every mapping between start_brk and brk; mprotect splits it, neighbours belong together. */
int vmm_claim_brk(struct vmm_target *t, struct vmm_snapshot *s, struct vmm_claims *c, struct vmm_err *err)
{
	struct vmm_unclaimed u = {.snapshot = s, .claims = c};
	struct vmm_claim heap = vmm_claim_init(0, 0, VMM_KIND_HEAP);
	struct vmm_claims found = {0};
	int rc = 0;

	if (t->unnamed)
		unname_unproved(s, c);
	heap.details = "brk heap";
	while (rc >= 0 && vmm_unclaimed_next(&u)) {
		if (!vmm_vma_is_brk(u.mapping))
			continue;
		if (heap.end == u.start && heap.end) {
			heap.end = u.end;
			continue;
		}
		if (heap.end)
			rc = vmm_claims_add(&found, &heap, err);
		heap.start = u.start;
		heap.end = u.end;
	}
	if (rc >= 0 && heap.end)
		rc = vmm_claims_add(&found, &heap, err);
	if (rc >= 0)
		rc = vmm_claims_merge(c, &found, err);
	vmm_claims_done(&found);
	return rc < 0 ? rc : 0;
}
