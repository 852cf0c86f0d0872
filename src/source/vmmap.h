/*
 * What the files of the VMMap source share: the rows of one snapshot in a file of VMMap, and a snapshot made of them.
 * Layer: source.
 */
#ifndef VMM_SOURCE_VMMAP_H
#define VMM_SOURCE_VMMAP_H

#include "format/vmmap_file.h"
#include "model/build.h"
#include "model/target.h"

/* Rows with their strings in the snapshot's arena. Start from {.s}; rows is a heap array, free() it. */
struct vmmap_rows {
	struct vmm_snapshot *s;
	struct vmm_vmmap_row *rows; /* regions, each with its blocks behind it */
	size_t count, capacity;
	struct vmm_vmmap_row summary[VMM_KIND_COUNT + 1]; /* by kind, then the total */
	bool has_summary[VMM_KIND_COUNT + 1];
	bool xml, cut; /* cut: its end is missing */
	uint64_t strange_types;
};

/* Adds a copy. VMM_E_NOMEM, VMM_E_LIMIT: more rows than any process has. */
int vmmap_rows_add(struct vmmap_rows *r, const struct vmm_vmmap_row *row);
/* Fills mappings, regions, blocks, modules, heaps, threads, told totals and notes of r->s. Sorts the rows. VMM_E_NOMEM. */
int vmmap_build(struct vmmap_rows *r, struct vmm_err *err);
/* What the file tells of the process beyond its regions: the end of its addresses, totals to compare with, page tables. */
int vmmap_told(struct vmmap_rows *r, uint64_t rows_private, struct vmm_err *err);

/*
 * A target of the bytes of such a file: as XML or as CSV. which is what stands behind FILE@, or NULL. VMM_E_FORMAT,
 * VMM_E_NO_TARGET, VMM_E_LIMIT, VMM_E_NOMEM.
 */
int vmmap_open_bytes(const void *bytes, size_t length, bool xml, const char *which, struct vmm_target **ret_target,
                     struct vmm_err *err);

#endif
