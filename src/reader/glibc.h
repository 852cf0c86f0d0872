/*
 * glibc malloc: layouts, and finding its arenas without symbols.
 * Layer: reader, private to glibc*.c.
 *
 * Layouts: glibc malloc/malloc.c and malloc/arena.c, 2.26 to 2.43, LP64 and ILP32. All of struct malloc_state hangs
 * on its bins: what stands before them tells the version group, what stands behind is the same everywhere.
 */
#ifndef VMM_READER_GLIBC_H
#define VMM_READER_GLIBC_H

#include "reader/walk.h"

#define GLIBC_BIN_PAIRS 127
#define GLIBC_ARENAS_MAX 4096 /* followed at most */

/* One struct malloc_state. */
struct glibc_arena {
	uint64_t address;    /* of the struct */
	uint64_t bins;       /* of bins[0] */
	uint64_t end;        /* of the struct */
	uint64_t top;        /* chunk */
	uint64_t system_mem; /* bytes it got from the system */
	bool main;
	bool two_passes; /* some of its chunks look like fast ones and are none */
};

/* All arenas of one copy of the C library. */
struct glibc_heaps {
	struct glibc_arena *arenas; /* the main one first; free() */
	size_t count;
	uint64_t prefix;    /* bytes before bins in struct malloc_state: tells the version group */
	uint64_t heap_max;  /* size and alignment of a sub-heap */
	uint64_t heap_info; /* bytes of struct heap_info; 0: there is only the main arena */
};

/*
 * Looks for a main arena at a P-aligned place in bytes, a copy of the target's memory at address; *at is where to go
 * on, 0 at first. The address of bins[0], or 0 when there is none. Places a pair or two before the true one can look
 * right as well, since a pair may be bad: only the ring decides, so go on where it does not close.
 */
uint64_t glibc_find_bins(const struct vmm_reading *r, const unsigned char *bytes, size_t length, uint64_t address, size_t *at);
/*
 * Closes the ring of arenas that the main arena with these bins is part of. False: no layout closes it, so these were
 * no bins. On success ret owns an array.
 */
bool glibc_close_ring(struct vmm_reading *r, uint64_t bins, struct glibc_heaps *ret);

/* What struct malloc_par (mp_) says. */
struct glibc_params {
	uint64_t mmapped_bytes, mmapped_count; /* chunks that malloc mapped one by one */
	bool drifts;            /* mmapped_bytes may be too much */
	uint64_t least_mapping; /* no such mapping is smaller */
	uint64_t sbrk_base;     /* where the main arena begins; 0: nowhere yet */
	uint64_t tcache_bins, tcache_count; /* bins in use of a tcache, and how many chunks each may hold */
	uint64_t thp_pagesize;  /* the main arena is trimmed by such pages; 0: by common ones */
};

/* One copy of the C library, as found; lives in the snapshot's arena. */
struct glibc_copy {
	struct glibc_heaps heaps;
	struct glibc_params params;
	bool params_known;
	size_t number; /* 0: the first */
	bool several;  /* the target has other copies too */
	/* Caches that no thread's TLS names: of threads that a fork() has left behind, or whose TLS was not found. */
	const uint64_t *cached; /* struct glibc_marks of all caches, good for the next arena too; NULL: not known */
	size_t cached_count;
	int links; /* enum glibc_links */
	uint64_t *strays; /* GLIBC_STRAYS_MAX places, NULL until there is one */
	size_t stray_count;
};
#define GLIBC_STRAYS_MAX 4096

/* What a heap of the reader is: one arena, or with arena NULL the mmapped chunks of a copy. */
struct glibc_heap {
	struct glibc_copy *copy;
	struct glibc_arena *arena;
};

/* Looks for mp_ in the data that holds the main arena. False: not found, or not just one place fits. */
bool glibc_find_params(const struct vmm_reading *r, const unsigned char *bytes, size_t length, struct glibc_params *ret);
/*
 * Adds the mappings of mmapped chunks as areas of one more heap.
 */
int glibc_add_mmapped(struct vmm_reading *r, struct glibc_copy *copy, struct vmm_err *err);
/* Walks those of one heap. */
void glibc_walk_mmapped(struct vmm_walk *w, const struct glibc_copy *copy);
/* Walks the chunks of one arena. VMM_E_NOMEM. */
int glibc_walk_arena(struct vmm_walk *w, struct glibc_copy *copy, struct glibc_arena *arena, struct vmm_err *err);

/*
 * Finds the segments of a main arena that is not one piece of brk heap, and adds those that prove themselves as areas.
 * What is not found stays unclaimed, and the arena's walk fails.
 */
int glibc_add_segments(struct vmm_reading *r, const struct glibc_copy *copy, const struct glibc_arena *a, uint32_t heap,
                       const char *label, struct vmm_err *err);
/*
 * Where a chain of chunks that begins at chunk leads: its top or the fencepost at its end; 0 when it breaks before it
 * has come so far or has taken steps steps (then the last chunk counts as good and is returned).
 */
uint64_t glibc_follow_chain(struct vmm_walk *w, uint64_t chunk, uint64_t end, uint64_t top, uint64_t align, uint64_t steps);

/*
 * Layouts that other words of the library hang on. In struct malloc_state before 2.43 the heads of the fastbins stand
 * before top: 10 of them on LP64 and armhf, 11 on i386.
 */
#define GLIBC_FASTBINS_MAX 11
unsigned glibc_fastbin_count(const struct vmm_reading *r, const struct glibc_heaps *h);
bool glibc_since_2_43(const struct vmm_reading *r, const struct glibc_heaps *h);
/* Alignment of chunks' user addresses: 16, on armhf 8. */
uint64_t glibc_alignment(const struct vmm_reading *r, const struct glibc_heaps *h);

/* Reads top, system_mem and end of an arena again. */
bool glibc_read_arena(struct vmm_reading *r, struct glibc_arena *a);

#endif
