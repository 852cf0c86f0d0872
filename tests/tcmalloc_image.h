/*
 * A page heap of gperftools tcmalloc in memory made by hand, 64-bit or 32-bit, pages of 8 KiB: 12 size classes, two thread
 * caches, and in the brk heap its tables and four spans: 8 objects of 1024 bytes, 16 KiB in use, 24 KiB free, 16 KiB returned.
 * Of the objects two are in use, one is in a thread cache, two in the transfer cache, three in the span's list.
 */
#ifndef VMM_TESTS_TCMALLOC_IMAGE_H
#define VMM_TESTS_TCMALLOC_IMAGE_H

#include "fake_target.h"

#define IMAGE_CLASSES 13 /* with class 0 */
#define IMAGE_CLASS 7    /* of 1024 bytes */
#define IMAGE_OBJECT 1024
#define IMAGE_TRANSFER 2
#define IMAGE_PAGE 8192u

struct tc_image {
	struct fake_target t;
	unsigned word;
	uint64_t data, sizes, central, stride, variable, root, heads, stats, leaf, spans, caches, links, brk, heap;
	unsigned char tables[0x8000], root_page[0x1000], lists[0x5000], leaf_page[0x1000], own[0x6000], memory[0x10000];
};

/* The bytes behind an address of the image; NULL: absent. */
static unsigned char *image_at(struct tc_image *i, uint64_t address)
{
	for (unsigned k = 0; k < i->t.memory_count; k++)
		if (address >= i->t.memory[k].start && address + 8 <= i->t.memory[k].end)
			return (unsigned char *)(uintptr_t)i->t.memory[k].bytes + (address - i->t.memory[k].start);
	return NULL;
}

static void image_put(struct tc_image *i, uint64_t address, uint64_t value, unsigned bytes)
{
	unsigned char *at = image_at(i, address);

	if (at)
		memcpy(at, &value, bytes);
}

static void image_word(struct tc_image *i, uint64_t address, uint64_t value)
{
	image_put(i, address, value, i->word);
}

static void image_memory(struct tc_image *i, uint64_t start, unsigned char *bytes, uint64_t size)
{
	i->t.memory[i->t.memory_count++] = (struct fake_memory){start, start + size, bytes, 0};
}

static void image_lay_out(struct tc_image *i, bool wide)
{
	i->word = wide ? 8 : 4;
	i->data = wide ? UINT64_C(0x7f0000100000) : 0xf7000000;
	i->sizes = i->data + 0x244;
	i->variable = i->data + 0x1800;
	i->central = i->data + 0x2000;
	i->stride = wide ? 0x4c0 : 0x280;
	i->root = i->data + 0x10000;
	i->heads = i->root + (wide ? 0x100000 : 0x800) + 13 * i->word;
	i->stats = i->heads + 256 * 6 * i->word;
	i->brk = wide ? UINT64_C(0x550000000000) : 0x09000000;
	i->leaf = i->brk;
	i->spans = i->brk + (wide ? 0x200000 : 0x1000);
	i->caches = i->spans + 0x1000;
	i->links = wide ? 0x1030 : 0x820;
	i->heap = i->brk + (wide ? 0x206000 : 0x8000);
}

static uint64_t image_span(const struct tc_image *i, unsigned number)
{
	return i->spans + number * 6 * i->word;
}

static uint64_t image_object(const struct tc_image *i, unsigned number)
{
	return i->heap + number * IMAGE_OBJECT;
}

static void image_map(struct tc_image *i, bool wide)
{
	uint64_t first = i->heap / IMAGE_PAGE, entry = wide ? i->root + (first >> 18) * 8 : 0, end = i->data + (wide ? 0x120000 : 0x20000);
	uint64_t slot = i->leaf + (wide ? (first & 0x3ffff) * 8 : 0);

	fake_map(&i->t, i->brk, i->heap + sizeof(i->memory), "rw-p", 0, "[heap]", -1);
	fake_map(&i->t, i->data, i->data + 0x1000, "rw-p", 0, "/lib/libtc.so", -1);
	fake_map(&i->t, i->data + 0x1000, end, "rw-p", 0, "", -1);
	image_memory(i, vmm_align_down(slot, 0x1000), i->leaf_page, sizeof(i->leaf_page));
	image_memory(i, i->spans, i->own, sizeof(i->own));
	image_memory(i, i->heap, i->memory, sizeof(i->memory));
	image_memory(i, i->data, i->tables, sizeof(i->tables));
	if (wide)
		image_memory(i, vmm_align_down(entry, 0x1000), i->root_page, sizeof(i->root_page));
	image_memory(i, vmm_align_down(wide ? i->heads : i->root, 0x1000), i->lists, sizeof(i->lists));
	image_word(i, wide ? entry : i->root + (first >> 10) * 4, i->leaf);
}

static void image_put_classes(struct tc_image *i)
{
	static const uint32_t size[IMAGE_CLASSES] = {0, 8, 16, 32, 64, 128, 256, 1024, 4096, 16384, 65536, 131072, 262144};

	for (unsigned c = 1; c < IMAGE_CLASSES; c++) {
		image_put(i, i->sizes - 512 + 4 * c, IMAGE_TRANSFER, 4);
		image_put(i, i->sizes + 4 * c, size[c], 4);
		image_word(i, vmm_align_up(i->sizes + 512, i->word) + c * i->word, size[c] > IMAGE_PAGE ? size[c] / IMAGE_PAGE : 1);
	}
	for (unsigned c = 0; c < IMAGE_CLASSES; c++) {
		uint64_t list = i->central + c * i->stride;

		image_word(i, list + i->word, c);
		for (unsigned head = 2; head <= 8; head += 6)
			for (unsigned link = 2; link <= 3; link++)
				image_word(i, list + (head + link) * i->word, list + head * i->word);
		for (unsigned cache = 0; cache < 2; cache++)
			image_put(i, i->caches + cache * 0x2000 + (c * 4 + 3) * i->word, size[c], 4);
	}
}

static void image_put_span(struct tc_image *i, unsigned number, unsigned page, unsigned pages, uint32_t bits)
{
	uint64_t span = image_span(i, number), first = i->heap / IMAGE_PAGE + page;
	uint64_t slots = i->leaf + (i->word == 8 ? first & 0x3ffff : first & 0x3ff) * i->word;

	image_word(i, span, first);
	image_word(i, span + i->word, pages);
	image_put(i, span + 5 * i->word, bits, 4);
	image_word(i, slots, span);
	image_word(i, slots + (pages - 1) * i->word, span);
}

static void image_put_heap(struct tc_image *i)
{
	uint64_t list = i->central + IMAGE_CLASS * i->stride;

	image_put_span(i, 0, 0, 1, 5 | IMAGE_CLASS << 16);
	image_put_span(i, 1, 1, 2, 0);
	image_put_span(i, 2, 3, 3, 1 << 24);
	image_put_span(i, 3, 6, 2, 2 << 24);
	image_word(i, image_span(i, 0) + 4 * i->word, image_object(i, 5));
	image_word(i, image_object(i, 5), image_object(i, 7));
	image_word(i, image_object(i, 7), image_object(i, 6));
	image_word(i, image_object(i, 3), image_object(i, 4));
	image_word(i, i->caches + IMAGE_CLASS * 4 * i->word, image_object(i, 2));
	image_put(i, i->caches + (IMAGE_CLASS * 4 + 1) * i->word, 1, i->word == 8 ? 4 : 2);
	image_word(i, i->caches + i->links, i->caches + 0x2000);
	image_word(i, i->caches + 0x2000 + i->links + i->word, i->caches);
	image_word(i, i->variable, i->caches);
	image_word(i, list + 14 * i->word, 1);
	image_word(i, list + 15 * i->word, 3);
	image_word(i, list + 16 * i->word, image_object(i, 3));
	image_word(i, list + 17 * i->word, image_object(i, 4));
	image_put(i, list + 144 * i->word, 1, 4);
}

static void image_make(struct tc_image *i, bool wide)
{
	memset(i, 0, sizeof(*i));
	image_lay_out(i, wide);
	image_map(i, wide);
	image_put_classes(i);
	image_put_heap(i);
	for (unsigned k = 0; k < 256; k++)
		for (unsigned link = 2; link <= 3; link++)
			image_word(i, i->heads + (6 * k + link) * i->word, i->heads + 6 * k * i->word);
	/* Three free pages, two returned ones. */
	for (unsigned link = 2; link <= 3; link++) {
		image_word(i, i->heads + (6 * 4 + link) * i->word, image_span(i, 2));
		image_word(i, i->heads + (6 * 3 + link) * i->word, image_span(i, 3));
	}
	image_put(i, i->stats, 8 * IMAGE_PAGE, 8);
	image_put(i, i->stats + 8, 3 * IMAGE_PAGE, 8);
	image_put(i, i->stats + 16, 2 * IMAGE_PAGE, 8);
	image_put(i, i->stats + 24, 6 * IMAGE_PAGE, 8);
}

#endif
