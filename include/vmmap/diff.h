/*
 * Differences between two snapshots: of one target at two moments, or of two targets.
 * Everything here belongs to the caller once made, and points into the two snapshots, which must outlive it.
 *
 * Layer: analysis. Const once made: any number of threads may read it.
 */
#ifndef VMMAP_DIFF_H
#define VMMAP_DIFF_H

#include "vmmap/err.h"
#include "vmmap/snapshot.h"

/* A region here and its other self there; VMM_NONE: it is new (a) or gone (b). */
struct vmm_pair {
	uint32_t a, b; /* indexes in the regions of the two snapshots */
};

/*
 * Matches regions by what they are: the same image, file, stack of a thread, part of a heap's arena, or a mapping that
 * grew, shrank or moved. Each region of both is in exactly one pair; sorted by address (b's where there is one).
 * *ret_pairs: free(). Linear in the number of regions but for sorting.
 */
int vmm_match_regions(const struct vmm_snapshot *a, const struct vmm_snapshot *b, struct vmm_pair **ret_pairs, size_t *ret_count,
                      struct vmm_err *err);

/* Bits of vmm_diff_row.what. */
enum vmm_change_place {
#define VMM_CHANGE(name, id, help) VMM_CHANGE_PLACE_##name,
#include "vmmap/changes.def"
#undef VMM_CHANGE
	VMM_CHANGE_COUNT
};
enum vmm_change {
#define VMM_CHANGE(name, id, help) VMM_CHANGE_##name = 1 << VMM_CHANGE_PLACE_##name,
#include "vmmap/changes.def"
#undef VMM_CHANGE
};
/* The state that these bits make: "new", "gone", ...; "same" for none. */
const char *vmm_change_id(uint32_t what);
/* The id and meaning of one place; NULL past the end. */
const char *vmm_change_id_at(unsigned place);
const char *vmm_change_help_at(unsigned place);

/* How much a number is of after less before. */
enum vmm_difference_state {
	VMM_DIFFERENCE_UNKNOWN,
	VMM_DIFFERENCE_KNOWN,
	VMM_DIFFERENCE_AT_LEAST, /* after is only a lower bound */
	VMM_DIFFERENCE_AT_MOST,  /* before is only a lower bound */
};

struct vmm_difference {
	enum vmm_difference_state state;
	int64_t value; /* 0 when unknown; one that does not fit is unknown */
};

/* Of two sets of numbers, each NULL where the thing is not there: nothing is 0 bytes of everything. */
struct vmm_difference vmm_difference_of(const struct vmm_metrics *a, const struct vmm_metrics *b, enum vmm_metric i);

/* What a row of a diff is about. */
enum vmm_diff_by { VMM_DIFF_TYPE, VMM_DIFF_REGION, VMM_DIFF_HEAP, VMM_DIFF_CLASS, VMM_DIFF_THREAD, VMM_DIFF_MODULE };

struct vmm_diff;

/* Numbers of which there is no metric, before and after. */
struct vmm_diff_counts {
	bool known[2];
	uint64_t value[2];
};

/* What of a count is after less before. False: a side is not known, or it does not fit. */
bool vmm_diff_count_change(const struct vmm_diff_counts *c, int64_t *ret_change);

/* One thing with its two sides. */
struct vmm_diff_row {
	const struct vmm_diff *diff;
	enum vmm_diff_by by;
	uint32_t a, b;       /* indexes in its array of the two snapshots, VMM_NONE where it is not there; of types the kind */
	enum vmm_kind kind;  /* VMM_KIND_COUNT for the total, chunk sizes and threads */
	uint32_t what;       /* enum vmm_change bits */
	const struct vmm_metrics *before, *after;   /* NULL where it is not there */
	struct vmm_diff_counts count;      /* types: regions; heaps and chunk sizes: chunks in use; regions: blocks */
	struct vmm_diff_counts free_count; /* heaps and chunk sizes: freed chunks */
	uint64_t class_size; /* of a chunk size: bytes that may be used */
};

/* Sums of one metric's differences, each known only when all its parts are. */
struct vmm_diff_account {
	enum vmm_metric metric;
	bool known;
	int64_t regions; /* over all regions that are in totals */
	int64_t types;   /* over all types of memory */
	int64_t total;   /* what the totals differ by */
	bool adds_up;    /* all three are equal, and so are both sums of each type */
};

/* An account of the snapshots; a side is NULL where it was not told. */
struct vmm_diff_identity {
	const struct vmm_account *before, *after;
	struct vmm_diff_counts sum, kernel;
};

/* A limit that both sides tell, and that changed itself or in what is used of it. */
struct vmm_diff_limit {
	const struct vmm_limit *before, *after;
	struct vmm_diff_counts used;
};

struct vmm_diff {
	struct vmm_arena *arena;
	const struct vmm_snapshot *a, *b;
	bool same_process; /* one process at two moments; an exec() in between makes it another */
	bool same_layout;  /* equal addresses mean equal places */
	bool elapsed_known;
	int64_t elapsed_ns; /* from a to b; negative when b is older */

	struct vmm_diff_row types[VMM_KIND_COUNT]; /* by kind */
	struct vmm_diff_row total;
	struct vmm_diff_row *regions, *heaps, *classes, *threads, *modules;
	uint32_t region_count, heap_count, class_count, thread_count, module_count;
	bool classes_known;   /* heaps of both sides were walked and proved */
	bool classes_rounded; /* class_size is the power of two that sizes were rounded down to */
	struct vmm_diff_account accounts[VMM_METRIC_COUNT];
	struct vmm_diff_identity *identities; /* after's in their order, then those that only before has */
	struct vmm_diff_limit *limits;
	uint32_t identity_count, limit_count;
};

/* Compares two snapshots. *ret_diff: vmm_diff_destroy(). VMM_E_NOMEM. */
int vmm_diff_create(const struct vmm_snapshot *a, const struct vmm_snapshot *b, struct vmm_diff **ret_diff, struct vmm_err *err);
/* NULL is allowed. */
void vmm_diff_destroy(struct vmm_diff *diff);

#endif
