/*
 * mimalloc 2 as it lies in memory, for the files mimalloc*.c. 64-bit only, free lists without encoding.
 * Layer: reader. Private to the reader.
 *
 * Segments begin at multiples of 32 MiB: a header, an entry for each slice of 64 KiB, then spans of slices. A span is
 * free, or a page: blocks of one size. Layouts as in include/mimalloc/types.h of the versions named (2.0.9:
 * include/mimalloc-types.h); where blocks begin in a page is in src/segment.c.
 */
#ifndef VMM_READER_MIMALLOC_H
#define VMM_READER_MIMALLOC_H

#include "reader/walk.h"

#define MIMALLOC_SEGMENT_ALIGN (UINT64_C(32) << 20)
#define MIMALLOC_SLICE (UINT64_C(64) << 10)
#define MIMALLOC_ENTRIES_MAX 512u
#define MIMALLOC_ENTRY_MAX 0x60u /* bytes of an entry */
#define MIMALLOC_HEADER_WORDS 48 /* of a segment, with its first slice's entry */

/* Where the first block of a page begins. */
enum mimalloc_start {
	MIMALLOC_START_384,     /* 384 bytes in, for blocks of 8 to 1024 bytes */
	MIMALLOC_START_BY_SIZE, /* three blocks in up to 64 bytes, one block in up to 512 */
	MIMALLOC_START_TOLD,    /* the page has a pointer to it */
};

/* Offsets of fields, in bytes. */
struct mimalloc_layout {
	const char *versions;
	enum mimalloc_start start;
	uint16_t used, cookie, slice_count, info_count, kind, entry_count, thread, entries; /* in a segment */
	uint16_t entry_size;
	/* in an entry; slices before the next one, its offset, capacity and reserved stand at 0, 4, 10 and 12 in all */
	uint16_t free, local_free, block_used, block_size, page_start, thread_free, heap;
	bool wide; /* block_size has 8 bytes and block_used 2; else 4 and 4 */
	uint16_t delayed, heap_thread; /* in a heap */
};

#define MIMALLOC_LAYOUTS 4
extern const struct mimalloc_layout mimalloc_layouts[MIMALLOC_LAYOUTS];

struct mimalloc_segment {
	uint64_t start, end;
	uint64_t cookie; /* XOR address: the same in all segments of a process */
	uint64_t thread; /* the owner's thread pointer; 0: abandoned, or freed and kept */
	uint64_t used;   /* pages */
	uint64_t slice_count;
	uint32_t info_count, entry_count; /* slices of the header; entries */
	bool huge;
};

/* Judges the first MIMALLOC_HEADER_WORDS words at address. False: no segment of this layout. */
bool mimalloc_parse_segment(const struct mimalloc_layout *l, uint64_t address, const uint64_t *words, struct mimalloc_segment *ret);

/* A span of slices. */
struct mimalloc_span {
	uint64_t start, end;
	uint64_t block_size; /* 0: the span is free */
	uint64_t blocks;     /* address of the first one */
	uint64_t free, local_free, thread_free, heap;
	uint32_t capacity, reserved, used; /* blocks: ever handed out, room for, in use */
	uint32_t slices;
	bool is_delayed; /* a block of it is on its heap's list */
};

/*
 * Judges the entry of the slice with this index. False: it begins no span, or its numbers contradict each other. The
 * span's end may lie beyond the segment's.
 */
bool mimalloc_parse_span(const struct mimalloc_layout *l, const struct mimalloc_segment *s, uint32_t index, const unsigned char *entry,
                         struct mimalloc_span *ret);

/* What detect() hands to walk(). */
struct mimalloc_owner {
	const struct mimalloc_layout *layout; /* NULL: none fits */
	uint64_t thread;
	bool freed; /* segments without any page, kept by mimalloc */
};

int mimalloc_walk(struct vmm_walk *w, void *data, struct vmm_err *err);

#endif
