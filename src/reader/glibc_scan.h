/*
 * Stepping through the chunks of one arena.
 * Layer: reader, private to glibc*.c.
 */
#ifndef VMM_READER_GLIBC_SCAN_H
#define VMM_READER_GLIBC_SCAN_H

#include "reader/glibc_marks.h"

/* A stretch of chunks: [first, end) inside one area. */
struct glibc_segment {
	const struct vmm_area *area;
	uint64_t first, end; /* the first chunk, and where the last one or top ends */
};

struct glibc_arena_walk {
	struct vmm_walk *w;
	struct glibc_copy *copy;
	const struct glibc_arena *arena;
	unsigned word;
	uint64_t align, least; /* of chunks: alignment and smallest size */
	struct glibc_segment *segments;
	size_t segment_count, segment_capacity;
	struct glibc_marks cached, fast;
	enum glibc_links links;
	struct glibc_link *candidates; /* chunks that may be in a fastbin */
	size_t candidate_count, candidate_capacity;
	uint64_t fast_heads[GLIBC_FASTBINS_MAX], fast_max; /* fast_max: no larger chunk is in a fastbin; 0: none is */
	size_t cached_at, fast_at; /* how far the walk has got in the marks */
	uint64_t next_mark;        /* the next chunk that is marked */
	uint64_t free_start;       /* where the run of free chunks before here begins; 0: none */
	uint64_t fast_broken;      /* where a fastbin leads to what is no chunk */
	uint64_t state; /* glibc_state_of() before the walk */
	bool moving;    /* it is another one by now */
	bool nomem;
};

/*
 * What a pass over the chunks does. Telling them all needs to know which are in fastbins, so they are collected first.
 * Where only sums are wanted both are done at once: each chunk that may be in a fastbin is told as one, and if the
 * lists then lead to fewer, all is done again in two passes.
 */
enum glibc_pass { PASS_COLLECT, PASS_TELL, PASS_BOTH };

/*
 * Steps through one segment. False: it does not add up (then vmm_walk_broken() was called), memory is out, or the walk
 * is to stop. Marks must have been sought for its first chunk unless it only collects.
 */
bool glibc_scan(struct glibc_arena_walk *a, const struct glibc_segment *g, enum glibc_pass pass);
/* Sets the marks to the first ones at or above an address. */
void glibc_seek_marks(struct glibc_arena_walk *a, uint64_t first);
/* A number that is another one when an allocation or a free has changed the arena's own lists or its end. */
uint64_t glibc_state_of(struct glibc_arena_walk *a);
/* Whether it is another one than before the walk: what does not fit together then may be of two moments. */
bool glibc_moving(struct glibc_arena_walk *a);

#endif
