/* What the bytes of segments and their slices' entries mean, by version. */
#include "reader/mimalloc.h"

#define SEGMENT_SLICES_MAX (UINT64_C(1) << 28)
#define INFO_SLICES_MAX 8
#define DELAY_MASK UINT64_C(3) /* bits of thread_free that are no address; MI_NO_DELAYED_FREE: 2 */
#define BLOCK_HUGE_A UINT64_C(0x80000000) /* a size of 32 bits that says: the whole page */

#define HEADER_A .used = 0xd0, .cookie = 0xd8, .slice_count = 0xe0, .info_count = 0xe8, .kind = 0xf0, .entry_count = 0xf8, \
	.thread = 0x100, .entries = 0x108
#define HEADER_C .used = 0xd8, .cookie = 0xe0, .slice_count = 0xf8, .info_count = 0x100, .kind = 0x108, .entry_count = 0x110, \
	.thread = 0x118, .entries = 0x120
#define ENTRY_A .entry_size = 0x50, .free = 0x10, .local_free = 0x20, .block_used = 0x18, .block_size = 0x1c, .thread_free = 0x28, \
	.heap = 0x30, .delayed = 0xb18, .heap_thread = 0xb20
#define ENTRY_B .entry_size = 0x60, .free = 0x10, .local_free = 0x18, .block_used = 0x20, .block_size = 0x28, .page_start = 0x30, \
	.thread_free = 0x38, .heap = 0x40, .delayed = 8, .heap_thread = 0x10, .wide = true

const struct mimalloc_layout mimalloc_layouts[MIMALLOC_LAYOUTS] = {
	{.versions = "2.0.9", .start = MIMALLOC_START_384, HEADER_A, ENTRY_A},
	{.versions = "2.1.0 to 2.1.2", .start = MIMALLOC_START_BY_SIZE, HEADER_A, ENTRY_A},
	{.versions = "2.1.4 to 2.1.7", .start = MIMALLOC_START_TOLD, HEADER_A, ENTRY_B},
	{.versions = "2.1.9 to 2.4", .start = MIMALLOC_START_TOLD, HEADER_C, ENTRY_B},
};

bool mimalloc_parse_segment(const struct mimalloc_layout *l, uint64_t address, const uint64_t *words, struct mimalloc_segment *ret)
{
	uint64_t slices = words[l->slice_count / 8], info = words[l->info_count / 8], entries = words[l->entry_count / 8];
	uint32_t kind = (uint32_t)words[l->kind / 8];
	struct mimalloc_segment s = {
		.start = address,
		.end = address + slices * MIMALLOC_SLICE,
		.cookie = words[l->cookie / 8] ^ address,
		.thread = words[l->thread / 8],
		.used = words[l->used / 8],
		.slice_count = slices,
		.info_count = (uint32_t)info,
		.entry_count = (uint32_t)entries,
		.huge = kind == 1,
	};

	if (slices < 2 || slices > SEGMENT_SLICES_MAX || s.end <= address || info < 1 || info > INFO_SLICES_MAX || info >= slices || kind > 1)
		return false;
	/* A segment of the usual kind is of the usual size; entries end at that size in a huge one. */
	if ((!s.huge && slices != MIMALLOC_ENTRIES_MAX) || entries != vmm_min_u64(slices, MIMALLOC_ENTRIES_MAX) || s.used > entries)
		return false;
	/* The header is a span itself: so many slices, the first one, that is 0 further from its beginning. */
	if (words[l->entries / 8] != info || s.thread % 8)
		return false;
	*ret = s;
	return true;
}

static uint64_t field(const unsigned char *entry, uint16_t offset, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)entry[offset + i] << 8 * i;
	return v;
}

static uint64_t first_block(const struct mimalloc_layout *l, const struct mimalloc_span *span, const unsigned char *entry)
{
	uint64_t size = span->block_size;

	if (l->start == MIMALLOC_START_TOLD)
		return field(entry, l->page_start, 8);
	if (l->start == MIMALLOC_START_384)
		return span->start + (size >= 8 && size <= 1024 ? 384 : 0);
	return span->start + (size <= 64 ? 3 * size : size <= 512 ? size : 0);
}

bool mimalloc_parse_span(const struct mimalloc_layout *l, const struct mimalloc_segment *s, uint32_t index, const unsigned char *entry,
                         struct mimalloc_span *ret)
{
	struct mimalloc_span span = {
		.start = s->start + index * MIMALLOC_SLICE,
		.slices = (uint32_t)field(entry, 0, 4),
		.capacity = (uint32_t)field(entry, 10, 2),
		.reserved = (uint32_t)field(entry, 12, 2),
		.free = field(entry, l->free, 8),
		.local_free = field(entry, l->local_free, 8),
		.thread_free = field(entry, l->thread_free, 8) & ~DELAY_MASK,
		.is_delayed = (field(entry, l->thread_free, 8) & DELAY_MASK) == 2,
		.heap = field(entry, l->heap, 8),
		.used = (uint32_t)field(entry, l->block_used, l->wide ? 2 : 4),
		.block_size = field(entry, l->block_size, l->wide ? 8 : 4),
	};

	span.end = span.start + span.slices * MIMALLOC_SLICE;
	if (span.slices == 0 || field(entry, 4, 4) != 0 || span.slices > s->slice_count - index)
		return false;
	if (span.block_size == 0) {
		*ret = span;
		return true;
	}
	if (!l->wide && span.block_size >= BLOCK_HUGE_A)
		span.block_size = span.end - span.start;
	span.blocks = first_block(l, &span, entry);
	/* How many blocks there is room for follows from the rest: this is what tells the layouts apart. */
	if (span.block_size < 8 || span.blocks < span.start || span.blocks >= span.end ||
	    (span.end - span.blocks) / span.block_size != span.reserved || span.reserved == 0 || span.capacity > span.reserved ||
	    span.used > span.capacity)
		return false;
	*ret = span;
	return true;
}
