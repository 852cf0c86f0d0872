/*
 * What a report holds beside its data, each in an element of its own that the page unpacks when it is asked for: the
 * kernel's mappings, the state of every page, the chunks of heaps, and contents of memory where somebody wants them in it.
 * Layer: face. One thread.
 */
#ifndef VMM_FACE_REPORT_MORE_H
#define VMM_FACE_REPORT_MORE_H

#include "base/out.h"
#include "vmmap/vmmap.h"

struct vmm_report_more {
	const struct vmm_snapshot *snapshot; /* the only one of the report, or its last */
	struct vmm_target *target;           /* NULL: nothing is known of pages and contents */
	const struct vmm_snapshot *contents; /* the same snapshot as the target has it; NULL without target */
	uint32_t kinds;                      /* bits: contents of these kinds are put in */
	bool chunks;                         /* heaps are walked */
};

/*
 * Elements "vmmap-mappings", "vmmap-pages", "vmmap-chunks", "vmmap-memory", "vmmap-strings": those of which something is
 * known. VMM_E_NOMEM, VMM_E_IO.
 */
int vmm_report_put_more(struct vmm_out *out, const struct vmm_report_more *more, struct vmm_err *err);

/* The object of "vmmap-chunks" into out: 1 when there is one, 0 when heaps cannot be walked. VMM_E_NOMEM. */
int vmm_report_chunks(struct vmm_out *out, const struct vmm_report_more *more, struct vmm_err *err);

#endif
