#include "analysis/analysis.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/claims.h"
#include "analysis/numbers.h"

/* Passes in order: the first claim wins. */
static int (*const pass_table[])(struct vmm_target *, struct vmm_snapshot *, struct vmm_claims *, struct vmm_err *) = {
	vmm_claim_system,
	vmm_claim_images,
	vmm_name_brk,
	vmm_claim_stacks,
	vmm_claim_heaps,
	vmm_claim_brk,
	vmm_claim_files,
	vmm_claim_private,
};

struct region_build {
	struct vmm_target *t;
	struct vmm_snapshot *s;
	const struct vmm_prefetch *prefetch;
	struct vmm_region *regions;
	struct vmm_block *blocks;
	size_t region_count, region_capacity, block_count, block_capacity;
	struct vmm_part *parts; /* scratch: the blocks of one mapping */
	size_t part_capacity;
};

static const char *default_label(const struct vmm_vma *v, enum vmm_kind kind)
{
	return vmm_vma_accessible(v) || kind == VMM_KIND_SYSTEM ? "" : "reserved";
}

static struct vmm_block *block_add(struct region_build *b, uint32_t vma, uint64_t start, uint64_t end, const char *label, bool guard)
{
	struct vmm_block *block;

	if (!vmm_grow(&b->blocks, &b->block_capacity, b->block_count + 1, sizeof(*b->blocks)))
		return NULL;
	block = &b->blocks[b->block_count++];
	*block = (struct vmm_block){.start = start, .end = end, .vma = vma, .region = (uint32_t)b->region_count, .label = label, .guard = guard};
	return block;
}

/* Cuts the part of one mapping that lies in a claim into blocks. *cut is the cut in force at start. */
static int cut_mapping(struct region_build *b, const struct vmm_claim *claim, uint32_t vma, size_t *cut, struct vmm_err *err)
{
	const struct vmm_vma *v = &b->s->vmas[vma];
	uint64_t at = vmm_max_u64(v->start, claim->start), end = vmm_min_u64(v->end, claim->end);

	while (at < end) {
		uint64_t stop = end;
		const struct vmm_cut *c;

		while (*cut < claim->cut_count && claim->cuts[*cut].address <= at)
			(*cut)++;
		if (*cut < claim->cut_count)
			stop = vmm_min_u64(stop, claim->cuts[*cut].address);
		c = *cut ? &claim->cuts[*cut - 1] : NULL;
		if (!block_add(b, vma, at, stop, c ? c->label : default_label(v, claim->kind), c && c->guard))
			return vmm_fail_nomem(err);
		at = stop;
	}
	return 0;
}

static int region_add(struct region_build *b, const struct vmm_claim *claim, uint32_t *vma, struct vmm_err *err)
{
	size_t first = b->block_count, cut = 0;
	struct vmm_region *r;
	int rc = 0;

	while (*vma < b->s->vma_count && b->s->vmas[*vma].end <= claim->start)
		(*vma)++;
	for (uint32_t i = *vma; rc == 0 && i < b->s->vma_count && b->s->vmas[i].start < claim->end; i++)
		rc = cut_mapping(b, claim, i, &cut, err);
	if (rc < 0 || b->block_count == first)
		return rc;
	if (!vmm_grow(&b->regions, &b->region_capacity, b->region_count + 1, sizeof(*b->regions)))
		return vmm_fail_nomem(err);
	r = &b->regions[b->region_count];
	*r = (struct vmm_region){.start = b->blocks[first].start, .end = b->blocks[b->block_count - 1].end, .kind = claim->kind,
	                         .first_block = (uint32_t)first, .block_count = (uint32_t)(b->block_count - first),
	                         .module = claim->module, .thread = claim->thread, .heap = claim->heap,
	                         .details = claim->details, .path = claim->path, .chunks = claim->chunks};
	r->outside = b->s->target.user_end && r->start >= b->s->target.user_end;
	if (claim->module != VMM_NONE)
		b->s->modules[claim->module].region = (uint32_t)b->region_count;
	if (claim->thread != VMM_NONE)
		b->s->threads[claim->thread].region = (uint32_t)b->region_count;
	b->region_count++;
	return 0;
}

/* Numbers of the blocks of one mapping: its own where the block is all of it, else shared out. */
static int number_blocks(struct region_build *b, size_t first, size_t count, struct vmm_err *err)
{
	struct vmm_vma *v = &b->s->vmas[b->blocks[first].vma];
	struct vmm_metrics *m;

	if (count == 1 && b->blocks[first].start == v->start && b->blocks[first].end == v->end) {
		b->blocks[first].m = &v->m;
		return 0;
	}
	m = vmm_arena_array(b->s->arena, count, sizeof(*m));
	if (!m || !vmm_grow(&b->parts, &b->part_capacity, count, sizeof(*b->parts)))
		return vmm_fail_nomem(err);
	for (size_t i = 0; i < count; i++) {
		b->parts[i] = (struct vmm_part){b->blocks[first + i].start, b->blocks[first + i].end, &m[i]};
		b->blocks[first + i].m = &m[i];
	}
	return vmm_numbers_share(b->t, b->s, b->prefetch, v, b->parts, count, err);
}

static int number_all_blocks(struct region_build *b, struct vmm_err *err)
{
	int rc = 0;

	for (size_t i = 0, n; i < b->block_count && rc == 0; i += n) {
		for (n = 1; i + n < b->block_count && b->blocks[i + n].vma == b->blocks[i].vma; n++)
			;
		rc = number_blocks(b, i, n, err);
	}
	return rc;
}

static void set_protection(const struct region_build *b, struct vmm_region *r)
{
	const struct vmm_block *blocks = &b->blocks[r->first_block];
	uint8_t first = b->s->vmas[blocks[0].vma].prot;

	r->prot = first;
	for (uint32_t i = 0; i < r->block_count; i++) {
		uint8_t prot = b->s->vmas[blocks[i].vma].prot;

		r->mixed_prot = r->mixed_prot || prot != first;
		r->prot |= prot;
		r->prot_set |= UINT32_C(1) << prot;
		r->write_exec = r->write_exec || (prot & (VMM_PROT_WRITE | VMM_PROT_EXEC)) == (VMM_PROT_WRITE | VMM_PROT_EXEC);
	}
}

/*
 * A region's numbers: of mappings that lie in it whole, the mapping's own (sections may lack numbers that their
 * mapping has); of others, their blocks'.
 */
static int number_region(struct region_build *b, struct vmm_region *r, struct vmm_err *err)
{
	const struct vmm_block *blocks = &b->blocks[r->first_block];
	const struct vmm_vma *v;
	struct vmm_metrics *m;

	if (r->block_count == 1 && !r->chunks) {
		r->m = blocks[0].m;
		return 0;
	}
	m = vmm_arena_alloc(b->s->arena, sizeof(*m));
	if (!m)
		return vmm_fail_nomem(err);
	vmm_metrics_zero(m);
	for (uint32_t i = 0, n; i < r->block_count; i += n) {
		v = &b->s->vmas[blocks[i].vma];
		for (n = 1; i + n < r->block_count && blocks[i + n].vma == blocks[i].vma; n++)
			;
		if (blocks[i].start == v->start && blocks[i + n - 1].end == v->end)
			vmm_metrics_add(m, &v->m);
		else
			for (uint32_t k = 0; k < n; k++)
				vmm_metrics_add(m, blocks[i + k].m);
	}
	if (r->chunks) {
		vmm_metric_set(m, VMM_METRIC_USED, r->chunks->of[VMM_CHUNK_USED].bytes);
		if (vmm_region_resident_known(b->s, r))
			vmm_metric_set(m, VMM_METRIC_UNUSED, vmm_chunk_sums_unused(r->chunks));
	}
	r->m = m;
	return 0;
}

/* A heap's numbers are those of its regions. */
static void number_heaps(struct region_build *b)
{
	for (uint32_t i = 0; i < b->s->heap_count; i++)
		vmm_metrics_zero(&b->s->heaps[i].m);
	for (size_t i = 0; i < b->region_count; i++)
		if (b->regions[i].heap != VMM_NONE)
			vmm_metrics_add(&b->s->heaps[b->regions[i].heap].m, b->regions[i].m);
}

static int build_regions(struct region_build *b, const struct vmm_claims *c, struct vmm_err *err)
{
	uint32_t vma = 0;
	int rc = 0;

	for (size_t i = 0; i < c->count && rc == 0; i++)
		rc = region_add(b, &c->v[i], &vma, err);
	if (rc == 0)
		rc = number_all_blocks(b, err);
	for (size_t i = 0; i < b->region_count && rc == 0; i++) {
		set_protection(b, &b->regions[i]);
		rc = number_region(b, &b->regions[i], err);
	}
	if (rc == 0)
		number_heaps(b);
	return rc;
}

int vmm_classify(struct vmm_target *t, struct vmm_snapshot *s, const struct vmm_prefetch *prefetch, struct vmm_err *err)
{
	struct region_build b = {.t = t, .s = s, .prefetch = prefetch};
	struct vmm_claims claims = {.prefetch = prefetch};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(pass_table) && rc == 0; i++)
		rc = pass_table[i](t, s, &claims, err);
	if (rc == 0)
		rc = build_regions(&b, &claims, err);
	vmm_claims_done(&claims);
	free(b.parts);
	s->regions = vmm_arena_keep(s->arena, b.regions);
	s->blocks = vmm_arena_keep(s->arena, b.blocks);
	if (rc == 0 && ((!s->regions && b.region_count) || (!s->blocks && b.block_count)))
		rc = vmm_fail_nomem(err);
	if (rc == 0) {
		s->region_count = (uint32_t)b.region_count;
		s->block_count = (uint32_t)b.block_count;
	}
	return rc;
}
