/*
 * Walking one heap: what a reader reads its target through, and where it puts what it finds.
 * Layer: reader.
 *
 * A reader's walk() accounts for every mapped byte of the areas of its heap: one vmm_walk_chunk() for each chunk, and
 * vmm_walk_rest() for what lies between. The driver (walk.c) holds the sum against the areas' sizes: a byte left out or
 * told twice makes the heap unproved. Where the reader sees that something does not add up, it calls
 * vmm_walk_broken() and returns 0; the driver then tries again, for a live target may have changed meanwhile.
 */
#ifndef VMM_READER_WALK_H
#define VMM_READER_WALK_H

#include <string.h>

#include "reader/reader.h"
#include "vmmap/chunks.h"

#define VMM_WALK_SMALL 1024 /* chunks of fewer usable bytes are counted by size in an array */
#define VMM_WALK_BATCH 512
#define VMM_WALK_READ_MAX 4096 /* bytes of one vmm_walk_bytes() */

struct vmm_walk_memory;

struct vmm_walk {
	struct vmm_reading *r;
	uint32_t heap;               /* index of the heap under way */
	const struct vmm_area *area; /* the area under way */

	/* The present run that the last chunk lay in, clipped to the area: the quick path of vmm_walk_chunk(). */
	uint64_t run_start, run_end;
	bool small_used;             /* there may be something in small */
	bool totals_only;            /* nobody wants the chunks themselves */
	uint64_t small[VMM_CHUNK_STATE_COUNT][VMM_WALK_SMALL]; /* chunks by state and usable size, wholly resident */
	uint64_t small_padding; /* bytes of their headers and paddings */

	struct vmm_chunk batch[VMM_WALK_BATCH];
	size_t batch_count;

	bool again; /* set by a reader that has found a better way to walk this heap: it is called once more */
	bool restart; /* the same for all heaps of this reader, once they have all been walked */
	bool restart_wanted;
	bool broken;
	uint64_t broken_at;
	const char *broken_text; /* static or in the snapshot's arena */

	struct vmm_walk_memory *memory;
	struct vmm_walk_sums *sums;
	const struct vmm_chunk_walk *consumer; /* NULL: totals only */
	int stop;                              /* what the consumer or a failure said; non-zero: return soon */
};

/* Begins an area of the heap under way: the chunks that follow lie in it. */
void vmm_walk_area(struct vmm_walk *w, const struct vmm_area *area);
/* Steps through the areas of the heap under way: *area NULL at first. False: no more. Begins each. */
bool vmm_walk_next_area(struct vmm_walk *w, const struct vmm_area **area);

/* For vmm_walk_chunk(). */
void vmm_walk_chunk_any(struct vmm_walk *w, uint64_t start, uint64_t size, uint32_t lead, uint32_t tail, enum vmm_chunk_state state);

/*
 * Tells a chunk: [start, start + size) inside the area, of which lead bytes before and tail bytes behind are the
 * allocator's (headers, padding; 0 unless it is USED). Any order, but rising addresses are quickest.
 */
static inline void vmm_walk_chunk(struct vmm_walk *w, uint64_t start, uint64_t size, uint32_t lead, uint32_t tail,
                                  enum vmm_chunk_state state)
{
	uint64_t usable = size - lead - tail;

	/* The run is empty where the chunks themselves are wanted. */
	if (usable < VMM_WALK_SMALL && start >= w->run_start && start + size <= w->run_end) {
		w->small[state][usable]++;
		if (lead + tail)
			w->small_padding += lead + tail;
		return;
	}
	vmm_walk_chunk_any(w, start, size, lead, tail, state);
}

/* Tells the mapped parts of [start, end) as one state (META, RESERVED, TOP): for what no chunk covers. */
void vmm_walk_rest(struct vmm_walk *w, uint64_t start, uint64_t end, enum vmm_chunk_state state);

/*
 * Adds whole pages inside [start, end) to what the allocator would give back if asked to. Calling it at all, with an
 * empty range too, says that this allocator can be asked.
 */
void vmm_walk_trim(struct vmm_walk *w, uint64_t start, uint64_t end);

/* The heap does not add up at address; text is static. The first call counts. */
void vmm_walk_broken(struct vmm_walk *w, uint64_t address, const char *text);

/*
 * Reading. Only present pages are ever read; what was read is kept until the walk of this heap is tried again or ends.
 * All give NULL or false when a page is absent or swapped out, cannot be read, or the walk's bounds are used up.
 */

/* length bytes at address, at most VMM_WALK_READ_MAX; valid until the next call. */
const unsigned char *vmm_walk_bytes(struct vmm_walk *w, uint64_t address, size_t length);
/* count words of the target's width, at most 64. */
bool vmm_walk_words(struct vmm_walk *w, uint64_t address, uint64_t *ret_words, unsigned count);
/*
 * For long sequential reads: as many bytes at address as lie in one present run, at most 256 KiB; valid until the
 * next call of this function (the others do not disturb it). *ret_length 0: absent.
 */
const unsigned char *vmm_walk_window(struct vmm_walk *w, uint64_t address, size_t *ret_length);
/* The same, but as it is just now: for what changes so often that one read of a few words is all one can get of it. */
bool vmm_walk_words_now(struct vmm_walk *w, uint64_t address, uint64_t *ret_words, unsigned count);
/* Forgets what vmm_walk_bytes() and vmm_walk_words() have read: to look again at what has changed meanwhile. */
void vmm_walk_forget(struct vmm_walk *w);
/* Resident bytes of [start, end): present and not the shared zero page. */
uint64_t vmm_walk_resident(struct vmm_walk *w, uint64_t start, uint64_t end);
/* Whether the page of address is swapped out: to tell why it could not be read. */
bool vmm_walk_swapped(struct vmm_walk *w, uint64_t address);

/* The n-th word of bytes. */
static inline uint64_t vmm_word_of(const unsigned char *bytes, unsigned word, size_t n)
{
	uint64_t v = 0;

	if (word == 8)
		memcpy(&v, bytes + n * 8, 8);
	else {
		uint32_t half;

		memcpy(&half, bytes + n * 4, 4);
		v = half;
	}
	return v;
}

/* Whole words of 8 bytes mixed into a digest, by which two readings of the same memory are told to be equal. */
static inline uint64_t vmm_walk_digest(uint64_t digest, const unsigned char *bytes, size_t length)
{
	for (size_t i = 0; i + 8 <= length; i += 8) {
		digest = (digest ^ vmm_word_of(bytes + i, 8, 0)) * UINT64_C(0x9e3779b97f4a7c15);
		digest ^= digest >> 29;
	}
	return digest;
}

/*
 * Walks all heaps that were found: fills their contents and the sums of their areas, or notes why not. consumer NULL:
 * only sums. 0, what the consumer returned, VMM_E_NOMEM.
 */
int vmm_reading_walk(struct vmm_reading *r, const struct vmm_chunk_walk *consumer, struct vmm_err *err);

#endif
