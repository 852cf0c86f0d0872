/*
 * Numbers of mappings and of parts of them.
 * Layer: analysis.
 */
#ifndef VMM_ANALYSIS_NUMBERS_H
#define VMM_ANALYSIS_NUMBERS_H

#include "model/build.h"
#include "model/target.h"

/*
 * Fills committed, private and shareable of a stretch of one mapping from what m holds already (size, rss, swap,
 * anonymous, hugetlb). guard_bytes of it are MADV_GUARD pages; guards_known says whether that could be found out.
 */
void vmm_numbers_derive(const struct vmm_vma *v, uint64_t guard_bytes, bool guards_known, struct vmm_metrics *m);

/*
 * A walk over the pages of the whole target in a second thread, while the source reads the map: both take the kernel
 * about as long. Runs are kept until a limit; what lies above is walked later.
 */
struct vmm_prefetch;
/* NULL when there is nothing to walk or no thread to be had: vmm_numbers_fill walks by itself then. */
struct vmm_prefetch *vmm_prefetch_start(struct vmm_target *t, uint32_t needs);
/* Waits for the thread. NULL is allowed. */
void vmm_prefetch_join(struct vmm_prefetch *p);
/*
 * The runs of all pages below *ret_end, by rising address; they belong to the prefetch. 0: it knows of no pages but
 * guards, or of none. NULL is allowed.
 */
size_t vmm_prefetch_runs(const struct vmm_prefetch *p, const struct vmm_page_run **ret_runs, uint64_t *ret_end);
void vmm_prefetch_destroy(struct vmm_prefetch *p);

/*
 * Finds guard pages in all mappings and, where smaps was not read, rss and swap from the page map. Then derives.
 * prefetch is joined, or NULL.
 */
int vmm_numbers_fill(struct vmm_target *t, struct vmm_snapshot *s, const struct vmm_prefetch *prefetch, struct vmm_err *err);

/* A part of a mapping whose numbers are asked for. */
struct vmm_part {
	uint64_t start, end;
	struct vmm_metrics *m; /* filled in */
};
/*
 * Shares the numbers of one mapping out to parts that tile it, page by page; a page that parts share is split by
 * bytes. What the page map cannot prove equal to the mapping's own sum stays unknown. prefetch: what was read of the
 * page map before, where that tells enough; may be NULL. Where a running target has changed between smaps and page map,
 * both are read once more for this mapping, and v->m is what it is now.
 */
int vmm_numbers_share(struct vmm_target *t, struct vmm_snapshot *s, const struct vmm_prefetch *prefetch, struct vmm_vma *v,
                      struct vmm_part *parts, size_t count, struct vmm_err *err);

#endif
