/* What is left of the user address space. */
#include "analysis/analysis.h"

#include <stdlib.h>
#include <string.h>

#define WINDOWS_GRANULE UINT64_C(65536)

struct gap_build {
	struct vmm_gap *gaps;
	size_t count, capacity;
};

static int gap_add(struct gap_build *b, uint64_t start, uint64_t end, enum vmm_kind kind, const char *details)
{
	if (start >= end)
		return 0;
	if (!vmm_grow(&b->gaps, &b->capacity, b->count + 1, sizeof(*b->gaps)))
		return VMM_E_NOMEM;
	b->gaps[b->count++] = (struct vmm_gap){start, end, kind, details};
	return 0;
}

/* Bytes that the kernel keeps free below a mapping that grows down (mm/mmap.c, vm_start_gap). */
static uint64_t gap_below(const struct vmm_snapshot *s, const struct vmm_vma *next)
{
	if (!next)
		return 0;
	if (next->vm_flags & VMM_VF(gd) || (!(next->vm_flags & VMM_VF_KNOWN) && strcmp(next->name, "[stack]") == 0))
		return s->target.stack_gap;
	return 0;
}

/* Windows reserves address space in 64 KiB steps: nobody else can have what is left of a region's last one. */
static uint64_t unusable_behind(const struct vmm_snapshot *s, uint64_t at, uint64_t end)
{
	uint64_t step;

	if (strcmp(s->target.arch, "windows") != 0)
		return at;
	step = vmm_align_up(at, WINDOWS_GRANULE);
	/* In the last step of all 64 bits there is no next one. */
	return step < at ? end : vmm_min_u64(step, end);
}

/* One stretch between two mappings: what is left of a step, low addresses that are refused, free ones, the gap below a stack. */
static int split_gap(struct gap_build *b, const struct vmm_snapshot *s, uint64_t start, uint64_t end, const struct vmm_vma *next)
{
	uint64_t step = unusable_behind(s, start, end);
	uint64_t low = vmm_min_u64(vmm_max_u64(step, s->target.min_address), end);
	uint64_t kept = gap_below(s, next);
	uint64_t high = end - low > kept ? end - kept : low;
	int rc = gap_add(b, start, step, VMM_KIND_UNUSABLE, "rest of a 64 KiB step");

	if (rc == 0)
		rc = gap_add(b, step, low, VMM_KIND_UNUSABLE, "below vm.mmap_min_addr");
	if (rc == 0)
		rc = gap_add(b, low, high, VMM_KIND_FREE, "");
	if (rc == 0)
		rc = gap_add(b, high, end, VMM_KIND_UNUSABLE, "guard gap below a growing stack");
	return rc;
}

int vmm_space_gaps(struct vmm_snapshot *s, struct vmm_err *err)
{
	struct gap_build b = {0};
	/* Where the space ends is not always known: then only what lies between mappings is certain. */
	bool known = s->target.user_end != 0;
	uint64_t at = known || !s->vma_count ? 0 : s->vmas[0].start;
	int rc = 0;

	/* Without mappings nothing is known of the space: a kernel thread has none, a refused target does not tell. */
	for (uint32_t i = 0; i < s->vma_count && !vmm_vma_outside(s, &s->vmas[i]) && rc == 0; i++) {
		rc = split_gap(&b, s, at, s->vmas[i].start, &s->vmas[i]);
		at = s->vmas[i].end;
	}
	if (rc == 0 && s->vma_count && known)
		rc = split_gap(&b, s, at, vmm_max_u64(s->target.user_end, at), NULL);
	s->gaps = vmm_arena_keep(s->arena, b.gaps);
	if (rc < 0 || (!s->gaps && b.count))
		return vmm_fail_nomem(err);
	s->gap_count = (uint32_t)b.count;
	return 0;
}
