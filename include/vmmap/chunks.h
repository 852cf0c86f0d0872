/*
 * Chunks: what allocators have handed out and hold back, piece by piece.
 *
 * The chunks of a heap tile its regions: sums over them come out at the regions' sizes.
 */
#ifndef VMMAP_CHUNKS_H
#define VMMAP_CHUNKS_H

#include "vmmap/err.h"
#include "vmmap/snapshot.h"

struct vmm_target;

/* One chunk. [start, start + size) holds it with its header and padding; [address, address + usable) is the user's. */
struct vmm_chunk {
	uint64_t start, size;
	uint64_t address; /* what malloc() returned; of other states start */
	uint64_t usable;  /* bytes behind address; of other states size */
	uint8_t state;    /* enum vmm_chunk_state */
};

/* Chunks of one heap and region. Those of one batch are neighbours in time, mostly by rising address, not always. */
struct vmm_chunk_batch {
	const struct vmm_heap *heap; /* id and label hold; numbers do not */
	uint64_t region_start, region_end;
	const struct vmm_chunk *chunks;
	size_t count;
};

struct vmm_chunk_walk {
	uint64_t start, end; /* only heaps with a region that touches this range; chunks outside may come too */
	/* Gets every chunk in bounded memory. Non-zero ends the walk and is returned. */
	int (*chunks)(void *arg, const struct vmm_chunk_batch *batch);
	/* Gets what could not be walked, with the address; may be NULL. */
	void (*note)(void *arg, const struct vmm_note *note);
	void *arg;
};

/*
 * Walks the target's allocators as they are now. snapshot: one of the same target that was taken with
 * VMM_NEED_IMAGES and VMM_NEED_THREADS. Of a heap that changed or is broken, chunks up to the break may have been
 * handed out before its note comes. 0, what chunks() returned, VMM_E_NOMEM or VMM_E_GONE.
 */
int vmm_target_chunks(struct vmm_target *target, const struct vmm_snapshot *snapshot, const struct vmm_chunk_walk *walk,
                      struct vmm_err *err);

#define VMM_CHUNK_HEAD_BYTES 64

/* What a heap holds at an address. */
struct vmm_chunk_at {
	uint64_t address;           /* set by the caller, like the region */
	const struct vmm_region *region; /* that holds it; NULL or of no heap: nothing is looked for */
	bool found, has_below, has_above;
	struct vmm_chunk chunk;     /* holds the address */
	struct vmm_chunk below, above; /* its neighbours in that region */
	bool broken;                /* the heap did not add up: what was found may be wrong */
	char note[256];             /* why it is broken or nothing was found, raw; "" when there is nothing to say */
	uint32_t head_bytes;        /* of the chunk's first bytes: how many are in head; 0 where they are not resident */
	unsigned char head[VMM_CHUNK_HEAD_BYTES];
};

/* Fills ret_at[0..count): one walk for each heap that is asked about. Returns as vmm_target_chunks() does. */
int vmm_target_chunks_at(struct vmm_target *target, const struct vmm_snapshot *snapshot, struct vmm_chunk_at *ret_at, size_t count,
                         struct vmm_err *err);

/* The strings of one state's row, and the state with an id (VMM_CHUNK_STATE_COUNT: none). */
const char *vmm_chunk_state_id(enum vmm_chunk_state state);
const char *vmm_chunk_state_label(enum vmm_chunk_state state);
const char *vmm_chunk_state_help(enum vmm_chunk_state state);
enum vmm_chunk_state vmm_chunk_state_find(const char *id);

#endif
