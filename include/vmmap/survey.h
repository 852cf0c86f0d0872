/*
 * A survey of heaps chunk by chunk: which chunks are the largest, and what lies in memory many times.
 */
#ifndef VMMAP_SURVEY_H
#define VMMAP_SURVEY_H

#include "vmmap/chunks.h"
#include "vmmap/content.h"

#define VMM_SURVEY_TOP_MAX 100000 /* rows of each list */

struct vmm_survey_query {
	const char *heap;   /* id of one heap; NULL: all */
	uint64_t top;       /* rows of each list, 0 none; more than VMM_SURVEY_TOP_MAX count as that */
	bool duplicates;    /* look for used chunks of equal size and equal first bytes: reads all resident heap memory */
	/* Whether a chunk counts; NULL: all. */
	bool (*pick)(void *arg, const struct vmm_chunk_batch *batch, const struct vmm_chunk *chunk);
	void *arg;
};

/* A chunk that stands among the largest. */
struct vmm_large_chunk {
	struct vmm_chunk chunk;
	const char *heap;      /* id */
	uint64_t region_start;
	struct vmm_content content;
};

/* Used chunks of one usable size whose first bytes (VMM_CONTENT_LOOK, or all) are the same. */
struct vmm_duplicate {
	uint64_t size, count, address; /* address of one of them */
	struct vmm_content content;
};

struct vmm_survey {
	struct vmm_large_chunk *largest; /* used, free or top; largest first, of equals the lowest address */
	size_t largest_count;
	uint64_t picked;                 /* chunks that counted for it */

	struct vmm_duplicate *duplicates; /* by their bytes together, most first; each at least twice */
	size_t duplicate_count;
	uint64_t duplicate_groups;        /* groups of two and more, listed or not */
	uint64_t redundant_bytes;         /* all but one chunk of each such group */
	uint64_t compared, not_resident;  /* used chunks whose content was compared, or could not be */
	/*
	 * There were more groups than are kept: small ones were dropped on the way. Counts are lower bounds then, and no
	 * group is short of more than missed_bytes.
	 */
	bool approximate;
	uint64_t missed_bytes;

	const struct vmm_note *notes; /* heaps that could not be walked to their end */
	size_t note_count;
	struct vmm_arena *arena;
};

/*
 * Walks the chunks of the target, which is looked at anew. snapshot as for vmm_target_chunks(). symbols may be NULL.
 * Memory is bounded, however many chunks there are: some 40 MiB with duplicates. 0, VMM_E_NOMEM, VMM_E_GONE.
 */
int vmm_target_survey(struct vmm_target *target, const struct vmm_snapshot *snapshot, struct vmm_symbols *symbols,
                      const struct vmm_survey_query *query, struct vmm_survey **ret_survey, struct vmm_err *err);
/* NULL is allowed. */
void vmm_survey_destroy(struct vmm_survey *survey);

#endif
