/*
 * mimalloc 3: which memory is its arenas'. What is in them is not told: the layout changes from version to version.
 *
 * An arena is a stretch of slices of 64 KiB that begins with its own description: memid, subproc, in later versions its
 * index, slice_count, info_slices, and behind other fields pointers to bitmaps in those first slices: slices_free,
 * slices_committed, slices_dirty, slices_purge (3.0: src/arena.c, 3.1 to 3.4: include/mimalloc/types.h). Each bitmap
 * begins with its number of chunks of 512 bits, and there is a bit for each slice: that is the proof.
 */
#include "reader/reader.h"

#define SLICE (UINT64_C(64) << 10)
#define CHUNK_BITS 512
#define SLICES_MAX (UINT64_C(512) * CHUNK_BITS)
#define ARENA_MIN (CHUNK_BITS * SLICE)
#define WORDS 20
#define COUNT_FIRST 4 /* word of slice_count in the first versions; one further on in later ones */
#define BITMAPS 4
#define LOOKS_MAX 128
#define TRIES 3 /* slices at the start of a mapping */

static bool is_bitmap(struct vmm_reading *r, uint64_t address, uint64_t slices)
{
	uint64_t chunks;

	return address % 64 == 0 && vmm_reading_words(r, address, &chunks, 1) && chunks == slices / CHUNK_BITS;
}

/* Whether words that point to bitmaps stand here: rising, inside the description, of one size but the first. */
static bool are_bitmaps(struct vmm_reading *r, const uint64_t *w, uint64_t address, uint64_t info, uint64_t slices)
{
	for (int i = 0; i < BITMAPS; i++)
		if (w[i] <= address || w[i] >= address + info * SLICE || (i && w[i] <= w[i - 1]))
			return false;
	if (w[2] - w[1] != w[3] - w[2])
		return false;
	for (int i = 0; i < BITMAPS; i++)
		if (!is_bitmap(r, w[i], slices))
			return false;
	return true;
}

/* The end of the arena that begins at address; 0: there is none. */
static uint64_t arena_end(struct vmm_reading *r, uint64_t address, uint64_t limit)
{
	uint64_t w[WORDS];

	if (!vmm_reading_words(r, address, w, WORDS))
		return 0;
	for (int at = COUNT_FIRST; at <= COUNT_FIRST + 1; at++) {
		uint64_t slices = w[at], info = w[at + 1];

		if (slices == 0 || slices % CHUNK_BITS || slices > SLICES_MAX || info == 0 || info >= slices || limit - address < slices * SLICE)
			continue;
		for (int k = at + 2; k + BITMAPS <= WORDS; k++)
			if (are_bitmaps(r, w + k, address, info, slices))
				return address + slices * SLICE;
	}
	return 0;
}

/* Where private anonymous memory without a hole from start on ends. */
static uint64_t stretch_end(const struct vmm_snapshot *s, uint32_t i)
{
	uint64_t end = s->vmas[i].end;

	for (i++; i < s->vma_count && s->vmas[i].start == end && s->vmas[i].backing == VMM_BACKING_ANON && !(s->vmas[i].prot & VMM_PROT_SHARED);
	     i++)
		end = s->vmas[i].end;
	return end;
}

static int add_arena(struct vmm_reading *r, uint64_t start, uint64_t end, uint32_t *heap, struct vmm_err *err)
{
	const struct vmm_heap arenas = {.reader = "mimalloc3", .id = "mimalloc3", .label = "mimalloc 3"};
	int rc = 0;

	if (*heap == UINT32_MAX)
		rc = vmm_reading_add_heap(r, &arenas, NULL, heap, err);
	return rc ? rc : vmm_reading_add_area(r, &(struct vmm_area){.start = start, .end = end, .heap = *heap, .details = "mimalloc 3, arena"}, err);
}

static int mimalloc3_detect(struct vmm_reading *r, struct vmm_err *err)
{
	const struct vmm_snapshot *s = r->snapshot;
	uint64_t last = 0, stretch = 0;
	uint32_t heap = UINT32_MAX;
	int rc = 0, looks = 0;

	if (vmm_reading_word(r) != 8)
		return 0;
	for (uint32_t i = 0; i < s->vma_count && rc == 0 && !r->denied && looks < LOOKS_MAX; i++) {
		const struct vmm_vma *v = &s->vmas[i];
		uint64_t at = vmm_max_u64(vmm_align_up(v->start, SLICE), last), end;

		if (v->start >= stretch)
			stretch = stretch_end(s, i);
		if (v->backing != VMM_BACKING_ANON || (v->prot & (VMM_PROT_WRITE | VMM_PROT_SHARED)) != VMM_PROT_WRITE)
			continue;
		/* Where one ends the next may begin; mapped to be aligned, it may begin a little further in. */
		for (int tries = TRIES; tries-- && at < v->end && at + ARENA_MIN <= stretch && rc == 0; at = end) {
			looks++;
			end = arena_end(r, at, stretch);
			if (end) {
				last = end;
				tries = TRIES;
				rc = add_arena(r, at, end, &heap, err);
			} else
				end = at + SLICE;
		}
	}
	return rc;
}

const struct vmm_reader_ops vmm_reader_mimalloc3 = {
	.id = "mimalloc3",
	.help = "mimalloc 3: which memory is its arenas', not what is in them",
	.detect = mimalloc3_detect,
};
