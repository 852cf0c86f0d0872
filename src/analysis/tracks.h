/*
 * Following regions, sorts of regions and heaps through many snapshots of one target, in bounded memory.
 * Layer: analysis. Single-threaded.
 */
#ifndef VMM_ANALYSIS_TRACKS_H
#define VMM_ANALYSIS_TRACKS_H

#include "base/arena.h"
#include "base/base.h"
#include "vmmap/growth.h"

#define VMM_TRACK_METRICS_MAX 6
#define VMM_TRACK_VALUES (VMM_TRACK_METRICS_MAX + 1) /* the metrics, then the number of regions */
#define VMM_TRACK_LIMITS 16

enum vmm_track_level {
	VMM_TRACK_REGION, /* one region, followed */
	VMM_TRACK_SIZED,  /* all regions of one sort and size */
	VMM_TRACK_SORT, /* all regions of one sort: kind, protection, and what they are called without the numbers in it
			 */
	VMM_TRACK_HEAP, /* a heap; its regions are of no other sort */
	VMM_TRACK_UNUSED,
};

/* Bit i of known: value i. */
struct vmm_track_values {
	uint64_t value[VMM_TRACK_VALUES];
	uint32_t known;
};

/* From this look on, until the next point. */
struct vmm_track_point {
	uint32_t look;
	struct vmm_track_values v;
};

struct vmm_track {
	enum vmm_track_level level;
	enum vmm_kind kind;
	const char *stem; /* SORT, SIZED: the name without its numbers; HEAP: the id in the last snapshot that had it */
	uint8_t prot;
	uint64_t each;   /* SIZED: bytes */
	uint32_t parent; /* REGION, SIZED: the track of its SORT or HEAP; VMM_NONE when that is not followed */
	uint32_t first;  /* the look with the first point; before it a region is unknown, all else is 0 */
	uint32_t seen;   /* the last look that had it */
	uint32_t region; /* in the last snapshot: the region, or the largest of them; VMM_NONE: it had none */
	uint32_t heap;   /* HEAP: in the last snapshot; VMM_NONE */
	struct vmm_track_values now;
	struct vmm_track_point *points; /* only what changed */
	size_t point_count, point_capacity;
};

/* What is kept of every snapshot that was added. */
struct vmm_track_look {
	int64_t time_ns;
	uint32_t number;
	struct vmm_track_values kinds[VMM_KIND_COUNT], total;
	struct {
		const char *id; /* interned; NULL: no more */
		bool known;
		uint64_t used;
	} limits[VMM_TRACK_LIMITS];
};

struct vmm_tracks {
	struct vmm_arena *arena; /* strings */
	enum vmm_metric metrics[VMM_TRACK_METRICS_MAX];
	unsigned metric_count;
	struct vmm_track *v;
	size_t count, capacity;
	uint32_t *unused; /* tracks that are free again */
	size_t unused_count, unused_capacity;
	uint32_t *slots; /* of SORT and SIZED by hash: index plus 1; 0: empty */
	size_t slot_count, slot_capacity;
	size_t sort_count;
	size_t stem_count; /* interned so far */
	struct vmm_track_look *looks;
	size_t look_count, look_capacity;
	struct vmm_snapshot *last;
	uint32_t *region_track, *heap_track; /* of each region and heap of the last snapshot */
	size_t region_track_capacity, heap_track_capacity;
	bool cut; /* there was more than can be followed */
};

/* Bytes that are summed; at most VMM_TRACK_METRICS_MAX. VMM_E_NOMEM. */
int vmm_tracks_init(struct vmm_tracks *t, const enum vmm_metric *metrics, unsigned count, struct vmm_err *err);
void vmm_tracks_done(struct vmm_tracks *t);

/* Which regions count; NULL: all. */
struct vmm_track_filter {
	bool (*wanted)(void *arg, const struct vmm_snapshot *s, const struct vmm_region *r);
	void *arg;
};

/*
 * Adds the next snapshot of the same target, and takes it over, whatever becomes of it. One that is partial or could
 * not be read says nothing about growth: it is left out. After a failure nothing but vmm_tracks_done() may follow.
 * VMM_E_NOMEM.
 */
int vmm_tracks_add(struct vmm_tracks *t, struct vmm_snapshot *s, uint32_t number, const struct vmm_track_filter *filter,
		   struct vmm_err *err);

/* One value of a track at each look, t->look_count of them. value: of now.value. */
void vmm_tracks_samples(const struct vmm_tracks *t, const struct vmm_track *track, unsigned value,
			struct vmm_sample *ret);
/* The value that it has now. */
bool vmm_track_now(const struct vmm_track *track, unsigned value, uint64_t *ret);

/* A name without the numbers in it: "worker-12" and "worker-7" are "worker-#". Cut to size. */
void vmm_track_stem(char *ret, size_t size, const char *name);

#endif
