/* What a row stands for: its region, mapping, kind, addresses and numbers. */
#include "view/view.h"
#include "vmmap/strings.h"

static const struct vmm_region *region_at_index(const struct vmm_snapshot *s, uint32_t i)
{
	return i < s->region_count ? &s->regions[i] : NULL;
}

const struct vmm_region *vmm__row_region(const struct vmm_row *row)
{
	switch (row->type) {
	case VMM_ROW_REGION:
		return row->object;
	case VMM_ROW_BLOCK:
		return region_at_index(row->snapshot, ((const struct vmm_block *)row->object)->region);
	case VMM_ROW_VMA:
		return vmm_snapshot_region_at(row->snapshot, ((const struct vmm_vma *)row->object)->start);
	case VMM_ROW_STRING:
		return ((const struct vmm_string *)row->object)->region;
	case VMM_ROW_DIFF:
		return vmm__diff_region(row->object);
	case VMM_ROW_THREAD:
		return region_at_index(row->snapshot, ((const struct vmm_thread *)row->object)->region);
	case VMM_ROW_MODULE:
		return region_at_index(row->snapshot, ((const struct vmm_module *)row->object)->region);
	default:
		return NULL;
	}
}

const struct vmm_metrics *vmm__row_metrics(const struct vmm_row *row)
{
	const struct vmm_region *r;

	switch (row->type) {
	case VMM_ROW_BLOCK:
		return ((const struct vmm_block *)row->object)->m;
	case VMM_ROW_VMA:
		return &((const struct vmm_vma *)row->object)->m;
	case VMM_ROW_TYPE:
		return &((const struct vmm_type_total *)row->object)->m;
	case VMM_ROW_PROCESS:
		return &((const struct vmm_process *)row->object)->m;
	case VMM_ROW_FILE:
		return &((const struct vmm_file_total *)row->object)->m;
	case VMM_ROW_HEAP:
		return &((const struct vmm_heap *)row->object)->m;
	default:
		r = vmm__row_region(row);
		return r ? r->m : NULL;
	}
}

bool vmm__row_is_total(const struct vmm_row *row)
{
	const struct vmm_diff_row *diff = row->object;

	if (row->type == VMM_ROW_DIFF)
		return diff->by == VMM_DIFF_TYPE && diff->kind == VMM_KIND_COUNT;
	return row->type == VMM_ROW_TYPE && row->object == &row->snapshot->total;
}

enum vmm_kind vmm__row_kind(const struct vmm_row *row)
{
	const struct vmm_region *r;

	switch (row->type) {
	case VMM_ROW_DIFF:
		return ((const struct vmm_diff_row *)row->object)->kind;
	case VMM_ROW_TYPE:
		return vmm__row_is_total(row) ? VMM_KIND_COUNT : ((const struct vmm_type_total *)row->object)->kind;
	case VMM_ROW_GAP:
		return ((const struct vmm_gap *)row->object)->kind;
	case VMM_ROW_FILE:
		return ((const struct vmm_file_total *)row->object)->kind;
	case VMM_ROW_HEAP:
	case VMM_ROW_CHUNK:
		return VMM_KIND_HEAP;
	default:
		r = vmm__row_region(row);
		return r ? r->kind : VMM_KIND_COUNT;
	}
}

bool vmm__row_range(const struct vmm_row *row, uint64_t *ret_start, uint64_t *ret_end)
{
	const struct vmm_region *r;

#define RANGE(type)                                                                                                    \
	do {                                                                                                           \
		*ret_start = ((const struct type *)row->object)->start;                                                \
		*ret_end = ((const struct type *)row->object)->end;                                                    \
		return true;                                                                                           \
	} while (0)
	switch (row->type) {
	case VMM_ROW_BLOCK:
		RANGE(vmm_block);
	case VMM_ROW_VMA:
		RANGE(vmm_vma);
	case VMM_ROW_GAP:
		RANGE(vmm_gap);
	case VMM_ROW_MODULE:
		RANGE(vmm_module);
	case VMM_ROW_STRING:
		*ret_start = ((const struct vmm_string *)row->object)->address;
		*ret_end = *ret_start + ((const struct vmm_string *)row->object)->length;
		return true;
	default:
		r = vmm__row_region(row);
		if (!r)
			return false;
		*ret_start = r->start;
		*ret_end = r->end;
		return true;
	}
#undef RANGE
}

const struct vmm_vma *vmm__row_vma(const struct vmm_row *row)
{
	const struct vmm_block *b = row->object;

	if (row->type == VMM_ROW_VMA)
		return row->object;
	return row->type == VMM_ROW_BLOCK && b->vma < row->snapshot->vma_count ? &row->snapshot->vmas[b->vma] : NULL;
}

uint64_t vmm__region_largest(const struct vmm_snapshot *s, const struct vmm_region *r)
{
	uint64_t largest = 0;

	for (uint32_t i = 0; i < r->block_count && r->first_block + i < s->block_count; i++) {
		const struct vmm_block *b = &s->blocks[r->first_block + i];

		largest = vmm_max_u64(largest, b->end - b->start);
	}
	return largest;
}

bool vmm__row_write_exec(const struct vmm_row *row)
{
	const struct vmm_vma *vma = vmm__row_vma(row);
	const struct vmm_region *r = vma ? NULL : vmm__row_region(row);

	if (vma)
		return (vma->prot & VMM_PROT_WRITE) && (vma->prot & VMM_PROT_EXEC);
	return r && r->write_exec;
}
