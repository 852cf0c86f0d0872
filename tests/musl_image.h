/*
 * musl's allocator in memory made by hand, for the unit test and the seeds of the fuzzer: offsets as in
 * src/malloc/mallocng/meta.h of 1.2.3. In use: 400 and 460 bytes in slots of 496, 60 and 57 in a group inside the third
 * slot, 9000 with a mapping of their own, 100 in the gap at the end of the library's data.
 */
#ifndef VMM_TESTS_MUSL_IMAGE_H
#define VMM_TESTS_MUSL_IMAGE_H

#include <string.h>

#include "fake_target.h"

#define IMAGE_DATA UINT64_C(0x7f0000000000)
#define IMAGE_CONTEXT (IMAGE_DATA + 0x100)
#define IMAGE_GAP (IMAGE_DATA + 0x1800)
#define IMAGE_METAS UINT64_C(0x600000)
#define IMAGE_GROUP UINT64_C(0x7f0000100000)
#define IMAGE_BIG UINT64_C(0x7f0000101000) /* right behind */
#define IMAGE_SECRET UINT64_C(0x123456789abcdef0)
#define IMAGE_SLOT(n) (IMAGE_GROUP + 16 + (n) * 496)
#define IMAGE_INNER IMAGE_SLOT(2) /* the group in a slot */
#define IMAGE_META(n) (IMAGE_METAS + 24 + (n) * 40)

struct musl_image {
	unsigned char data[8192], metas[4096], groups[4 * 4096];
};

static unsigned char *image_at(struct musl_image *m, uint64_t address)
{
	if (address >= IMAGE_DATA && address < IMAGE_DATA + sizeof(m->data))
		return m->data + (address - IMAGE_DATA);
	if (address >= IMAGE_METAS && address < IMAGE_METAS + sizeof(m->metas))
		return m->metas + (address - IMAGE_METAS);
	return m->groups + (address - IMAGE_GROUP);
}

static void image_put(struct musl_image *m, uint64_t address, uint64_t value, unsigned size)
{
	memcpy(image_at(m, address), &value, size);
}

/* A group: its meta, and its header that points back. */
static void image_group(struct musl_image *m, unsigned number, uint64_t mem, uint32_t avail, uint32_t freed, unsigned last, unsigned active,
                        unsigned class, uint64_t pages, bool freeable)
{
	uint64_t meta = IMAGE_META(number);

	image_put(m, meta + 16, mem, 8);
	image_put(m, meta + 24, avail, 4);
	image_put(m, meta + 28, freed, 4);
	image_put(m, meta + 32, last | (unsigned)freeable << 5 | class << 6 | pages << 12, 8);
	image_put(m, mem, meta, 8);
	image_put(m, mem + 8, active, 1);
}

/* The header of a block at p of a group with storage at mem + 16. */
static void image_block(struct musl_image *m, uint64_t mem, uint64_t p, unsigned index, unsigned reserved)
{
	image_put(m, p - 4, 0, 1);
	image_put(m, p - 3, index | reserved << 5, 1);
	image_put(m, p - 2, (p - mem - 16) / 16, 2);
}

static void image_make(struct musl_image *m)
{
	memset(m, 0, sizeof(*m));
	image_put(m, IMAGE_CONTEXT, IMAGE_SECRET, 8);
	image_put(m, IMAGE_CONTEXT + 8, 1, 4);
	image_put(m, IMAGE_CONTEXT + 0x18, IMAGE_META(4), 8);
	image_put(m, IMAGE_CONTEXT + 0x20, 97, 8);
	image_put(m, IMAGE_CONTEXT + 0x38, IMAGE_METAS, 8);
	image_put(m, IMAGE_CONTEXT + 0x40, IMAGE_METAS, 8);
	image_put(m, IMAGE_CONTEXT + 0x48, IMAGE_METAS + 4096, 8);
	image_put(m, IMAGE_CONTEXT + 0x1d0 + 15 * 8, 8, 8);
	image_put(m, IMAGE_CONTEXT + 0x1d0 + 3 * 8, 7, 8);
	image_put(m, IMAGE_METAS, IMAGE_SECRET, 8);
	image_put(m, IMAGE_METAS + 16, 101, 4);
	image_group(m, 0, IMAGE_GROUP, 0, 0xf8, 7, 3, 15, 1, true);
	image_block(m, IMAGE_GROUP, IMAGE_SLOT(0), 0, 5);
	image_put(m, IMAGE_SLOT(1) - 8, 92, 4); /* at the end of the first slot: bytes that nobody asked for */
	image_put(m, IMAGE_SLOT(1) - 3, 7 << 5, 1);
	image_put(m, IMAGE_SLOT(1) - 2, 2, 2);
	image_block(m, IMAGE_GROUP, IMAGE_SLOT(1) + 32, 1, 0);
	image_block(m, IMAGE_GROUP, IMAGE_INNER, 2, 6);
	image_group(m, 1, IMAGE_INNER, 0, 0x7c, 6, 6, 3, 0, true);
	image_block(m, IMAGE_INNER, IMAGE_INNER + 16, 0, 0);
	image_block(m, IMAGE_INNER, IMAGE_INNER + 16 + 64, 1, 3);
	image_group(m, 2, IMAGE_BIG, 0, 0, 0, 0, 63, 3, true);
	image_block(m, IMAGE_BIG, IMAGE_BIG + 16, 0, 5);
	image_put(m, IMAGE_BIG + 3 * 4096 - 8, 3 * 4096 - 20 - 9000, 4);
	image_group(m, 3, IMAGE_GAP, 0, 0, 0, 0, 11, 0, false);
	image_block(m, IMAGE_GAP, IMAGE_GAP + 16, 0, 5);
	image_put(m, IMAGE_GAP + 256 - 8, 236 - 100, 4);
}

static void image_map(struct fake_target *t, const struct musl_image *m)
{
	*t = (struct fake_target){0};
	fake_map(t, IMAGE_METAS - 4096, IMAGE_METAS, "---p", 0, "[heap]", -1);
	fake_map(t, IMAGE_METAS, IMAGE_METAS + sizeof(m->metas), "rw-p", 0, "[heap]", -1);
	fake_map(t, IMAGE_DATA, IMAGE_DATA + sizeof(m->data), "rw-p", 0, "/lib/ld-musl-x86_64.so.1", -1);
	fake_map(t, IMAGE_GROUP, IMAGE_GROUP + sizeof(m->groups), "rw-p", 0, "", -1);
	t->memory[0] = (struct fake_memory){IMAGE_METAS, IMAGE_METAS + sizeof(m->metas), m->metas, 0};
	t->memory[1] = (struct fake_memory){IMAGE_DATA, IMAGE_DATA + sizeof(m->data), m->data, 0};
	t->memory[2] = (struct fake_memory){IMAGE_GROUP, IMAGE_GROUP + sizeof(m->groups), m->groups, 0};
	t->memory_count = 3;
}

#endif
