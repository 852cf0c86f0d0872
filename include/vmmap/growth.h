/*
 * Growth over time: which numbers of a target rise steadily, and how fast.
 *
 * Layer: analysis. Pure but for vmm_growth_find(), which reads a session. Results are const and may be read by any number
 * of threads. docs/growth.md says how it is decided.
 */
#ifndef VMMAP_GROWTH_H
#define VMMAP_GROWTH_H

#include "vmmap/err.h"
#include "vmmap/session.h"
#include "vmmap/snapshot.h"

/* One look at one number. */
struct vmm_sample {
	int64_t time_ns; /* since any moment, the same for the whole series */
	uint64_t value;
	bool known;
};

/* What a series of samples does. */
enum vmm_trend_verdict {
#define VMM_TREND(name, id, help) VMM_TREND_##name,
#include "vmmap/trends.def"
#undef VMM_TREND
	VMM_TREND_COUNT
};
const char *vmm_trend_id(enum vmm_trend_verdict verdict);
const char *vmm_trend_help(enum vmm_trend_verdict verdict);

struct vmm_trend {
	enum vmm_trend_verdict verdict;
	uint32_t points;      /* known samples; of a long series no more than some hundred are looked at */
	uint64_t first, last; /* the first and the last known value; 0 with no points */
	double seconds;       /* from the first known sample to the last, without clocks that went back */
	double rising;        /* share of the stretches that the series was cut into whose median rose; 0 with TOO_FEW */
	/*
	 * Only with STEADY: bytes a second by Theil and Sen (the median of the slopes between all pairs of samples), and the
	 * interval that holds the true one in 99 of 100 cases after Sen and Kendall, whatever the distribution of the noise.
	 */
	double slope, low, high;
};

/*
 * Samples are in the order in which they were taken; where the clock goes back a new stretch begins, and slopes are taken
 * inside stretches only. VMM_E_NOMEM.
 */
int vmm_trend_find(const struct vmm_sample *samples, size_t count, struct vmm_trend *ret_trend, struct vmm_err *err);

/* The same slope of any series, steady or not. False: no two known samples at different times, or out of memory. */
bool vmm_slope_find(const struct vmm_sample *samples, size_t count, double *ret_slope, double *ret_low, double *ret_high);

/* What grows. */
enum vmm_growth_level {
	VMM_GROWTH_HEAP,   /* an allocator's heap; with address where one region of it has nearly all of the growth */
	VMM_GROWTH_REGION, /* one region that was followed from snapshot to snapshot */
	VMM_GROWTH_GROUP,  /* regions of one sort, each may be gone in the next snapshot: all together grow */
};
const char *vmm_growth_level_id(enum vmm_growth_level level);

enum vmm_growth_measure {
	VMM_GROWTH_USED, /* of heaps that were walked */
	VMM_GROWTH_COMMITTED,
	VMM_GROWTH_RSS,
	VMM_GROWTH_SIZE,
	VMM_GROWTH_REGIONS, /* of a group: how many there are, not bytes */
	VMM_GROWTH_MEASURES
};
const char *vmm_growth_measure_id(enum vmm_growth_measure measure);

struct vmm_growth_finding {
	enum vmm_growth_level level;
	enum vmm_kind kind;
	uint8_t prot;          /* enum vmm_prot bits of a region or group; 0: a heap */
	const char *name;      /* label of the heap, details or path of the region or of one of the group; raw bytes */
	const char *heap;      /* id of the heap in the last snapshot; NULL: none */
	uint64_t address, end; /* as in the last snapshot: of the region, of the region that carries the heap's growth; 0: none */
	uint64_t each;         /* nearly all of the growth of a heap or group is in regions of this size; 0: not so */
	uint64_t regions;      /* how many of them, or in all, there are in the last snapshot; 1 for a region */
	int32_t tid;           /* whose stack, or who alone allocates from the heap; 0: unknown */
	const char *thread;    /* its name; NULL: unknown */
	enum vmm_growth_measure lead; /* the first measure of those above that is steady */
	struct vmm_trend measures[VMM_GROWTH_MEASURES];
};

/* A limit that will be reached if things go on as they do. */
struct vmm_growth_forecast {
	const char *limit, *text; /* as in vmm_limit */
	uint64_t soft, used;
	bool bytes;
	struct vmm_trend trend;   /* STEADY: of what is used of it */
	double seconds;           /* until used is soft, from the last snapshot on */
};

struct vmm_growth {
	struct vmm_arena *arena;
	uint32_t target;              /* of the session; 0 when the snapshots came from elsewhere */
	uint32_t first, last;         /* numbers of the first and the last snapshot that were looked at */
	uint32_t snapshots, looked_at; /* between them, and how many of those were looked at */
	struct timespec from, to;
	bool cut;                     /* there was more than can be followed: what grows little may be missing */
	struct vmm_trend kinds[VMM_KIND_COUNT][VMM_GROWTH_MEASURES], total[VMM_GROWTH_MEASURES]; /* REGIONS too */
	const struct vmm_growth_finding *findings; /* fastest first */
	uint32_t finding_count;
	const struct vmm_growth_forecast *forecasts; /* soonest first */
	uint32_t forecast_count;
};

struct vmm_growth_query {
	uint32_t target;      /* 0: that of the last snapshot */
	uint32_t first, last; /* numbers of snapshots; 0: from the first, to the last */
	uint32_t most;        /* snapshots that are looked at; 0: 300, fewer of targets with very many regions */
};

/* query may be NULL. *ret_growth belongs to the caller. VMM_E_NO_TARGET: there is no such snapshot. */
int vmm_growth_find(struct vmm_session *session, const struct vmm_session_index *index, const struct vmm_growth_query *query,
                    struct vmm_growth **ret_growth, struct vmm_err *err);
/* NULL is allowed. */
void vmm_growth_destroy(struct vmm_growth *growth);

#endif
