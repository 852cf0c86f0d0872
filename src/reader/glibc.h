/*
 * glibc malloc: layouts, and finding its arenas without symbols.
 * Layer: reader, private to glibc*.c.
 *
 * Layouts: glibc malloc/malloc.c and malloc/arena.c, 2.26 to 2.43, LP64 and ILP32. All of struct malloc_state hangs
 * on its bins: what stands before them tells the version group, what stands behind is the same everywhere.
 */
#ifndef VMM_READER_GLIBC_H
#define VMM_READER_GLIBC_H

#include "reader/reader.h"

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

/* What struct malloc_par (mp_) says of chunks that malloc mapped one by one. */
struct glibc_params {
	uint64_t mmapped_bytes, mmapped_count;
	uint64_t least_mapping; /* no such mapping is smaller */
};

/* Looks for mp_ in the data that holds the main arena. False: not found, or not just one place fits. */
bool glibc_find_params(const struct vmm_reading *r, const unsigned char *bytes, size_t length, struct glibc_params *ret);
/*
 * Adds the mappings of mmapped chunks as areas of one more heap. h is the copy of the library, copy its number.
 */
int glibc_add_mmapped(struct vmm_reading *r, const struct glibc_heaps *h, const struct glibc_params *p, size_t copy,
                      struct vmm_err *err);

/* Reads top, system_mem and end of an arena again. */
bool glibc_read_arena(struct vmm_reading *r, struct glibc_arena *a);

#endif
