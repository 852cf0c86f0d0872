/*
 * What vmmap_build.c, vmmap_blocks.c and vmmap_owners.c share: a snapshot while it is made of the rows of a file of VMMap.
 * Layer: source. The only error of these functions is VMM_E_NOMEM, without a text.
 */
#ifndef VMM_SOURCE_VMMAP_BUILD_H
#define VMM_SOURCE_VMMAP_BUILD_H

#include "source/vmmap.h"

#define VMMAP_HEAPS_MAX 4096

struct vmmap_top {
	uint64_t address;
	uint32_t row, children; /* these follow the row */
};

struct vmmap_build {
	struct vmmap_rows *r;
	struct vmm_snapshot *s;
	struct vmmap_top *tops;
	uint32_t top_count;
	size_t vma_capacity, block_capacity, region_capacity;
	size_t module_count, thread_count;
	uint64_t *heap_ids;
	uint64_t overlaps, first_overlap;
	uint64_t rows_private; /* sum of the regions' own Private */
	bool private_differs;
};

static inline uint64_t vmmap_row_size(const struct vmm_vmmap_row *row)
{
	return row->m.value[VMM_METRIC_SIZE];
}

static inline uint64_t vmmap_row_end(const struct vmm_vmmap_row *row)
{
	return vmm_add_sat(row->address, vmmap_row_size(row));
}

/* Counts a row that lies in others, or nowhere. */
void vmmap_add_overlap(struct vmmap_build *b, uint64_t address);
/*
 * Blocks of the region that comes next, within [start, limit): where sizes are rounded the next block's address says where
 * one ends.
 */
int vmmap_add_blocks(struct vmmap_build *b, const struct vmmap_top *t, uint64_t limit);
/* What the row says of who owns a region: its path, image, thread or heap. */
int vmmap_add_owner(struct vmmap_build *b, struct vmm_region *r, const struct vmm_vmmap_row *top);
/* Of files that do not name their process: the only program among the images is its own. */
void vmmap_tell_name(struct vmm_snapshot *s);

#endif
