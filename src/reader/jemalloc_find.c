/*
 * Finding jemalloc's page map. A root slot k points to a leaf, word j of the leaf to an extent, and the extent says
 * that it begins at k << 30 | j << 12: where that closes, the place of the slot tells where the root begins.
 */
#include "reader/jemalloc.h"

#include <stdlib.h>

#define PIECE 65536u
#define SEARCH_MAX (UINT64_C(16) << 20) /* of one object's data */
#define NEAR 64                         /* GiB between a leaf and the first memory that it is for */
#define CANDIDATES_MAX 1024             /* leaves looked at */
#define WRONG_MAX 16                    /* words of a leaf that lead nowhere */
#define RIGHT_MIN 2                     /* that must lead back */
#define RIGHT_ENOUGH 64
#define USER_END (UINT64_C(1) << 47)

#define LINES 128
#define LINE 16384u

struct jemalloc_cache {
	uint64_t line_of[LINES]; /* 0: empty */
	unsigned char bytes[LINES][LINE];
};

struct jemalloc_cache *jemalloc_cache_create(void)
{
	struct jemalloc_cache *c = vmm_alloc_hook(NULL, sizeof(*c));

	if (c)
		jemalloc_cache_forget(c);
	return c;
}

void jemalloc_cache_destroy(struct jemalloc_cache *c)
{
	free(c);
}

void jemalloc_cache_forget(struct jemalloc_cache *c)
{
	memset(c->line_of, 0, sizeof(c->line_of));
}

bool jemalloc_cache_words(struct jemalloc_cache *c, struct vmm_reading *r, uint64_t address, uint64_t *ret_words, unsigned count)
{
	uint64_t line = address / LINE, at = address % LINE;
	unsigned slot = (unsigned)(line % LINES);

	if (line == 0 || at % 8 || at + count * 8 > LINE || address >= USER_END)
		return false;
	if (c->line_of[slot] != line) {
		c->line_of[slot] = 0;
		if (r->denied || r->budget < LINE)
			return false;
		if (!vmm_reading_bytes(r, line * LINE, c->bytes[slot], LINE))
			memset(c->bytes[slot], 0, LINE);
		c->line_of[slot] = line;
	}
	memcpy(ret_words, c->bytes[slot] + at, count * 8);
	return true;
}

uint64_t jemalloc_extent_of(const struct jemalloc *j, uint64_t leaf_word)
{
	return leaf_word & ((UINT64_C(1) << 48) - 1) & (j->old ? ~UINT64_C(63) : ~UINT64_C(127));
}

void jemalloc_decode(const struct jemalloc *j, const uint64_t words[JEMALLOC_EXTENT_WORDS], struct jemalloc_extent *ret)
{
	uint64_t bits = words[0];

	ret->address = words[1];
	ret->size = words[2] & ~(JEMALLOC_PAGE - 1);
	ret->arena = (unsigned)(bits & 0xfff);
	ret->slab = bits >> 12 & 1;
	ret->state = (unsigned)(bits >> (j->old ? 16 : 17) & (j->old ? 3 : 7));
	ret->class = (unsigned)(bits >> (j->old ? 18 : 20) & 0xff);
	ret->free_regions = (unsigned)(bits >> (j->old ? 26 : 28) & 0x3ff);
	memcpy(ret->bitmap, words + 8, sizeof(ret->bitmap));
}

uint64_t jemalloc_class_size(unsigned class)
{
	unsigned group, step;

	if (class == 0)
		return 8;
	if (class < 5)
		return 16 * class;
	if (class >= JEMALLOC_CLASSES)
		return 0;
	group = (class - 5) / 4;
	step = (class - 5) % 4 + 1;
	return (UINT64_C(64) << group) + step * (UINT64_C(16) << group);
}

static bool private_anonymous(const struct vmm_vma *v)
{
	return v && v->backing == VMM_BACKING_ANON && !(v->prot & VMM_PROT_SHARED);
}

bool jemalloc_mapped(const struct vmm_snapshot *s, uint64_t start, uint64_t end)
{
	const struct vmm_vma *v = vmm_snapshot_vma_at(s, start), *last = s->vmas + s->vma_count;

	if (start >= end || !private_anonymous(v))
		return false;
	while (v->end < end) {
		if (v + 1 == last || v[1].start != v->end || !private_anonymous(v + 1))
			return false;
		v++;
	}
	return true;
}

bool jemalloc_base_block(uint64_t address, const uint64_t words[JEMALLOC_BLOCK_WORDS], uint64_t *ret_size, uint64_t *ret_unused,
                         uint32_t *ret_arena)
{
	/* base_block_t {size, next, extent}; the extent stands for what is not handed out yet. base_t follows, its ind first. */
	uint64_t size = words[0], next = words[1], bits = words[2], unused = words[3], left = words[4];

	if (size == 0 || size % JEMALLOC_BLOCK || size > USER_END - address || next % JEMALLOC_BLOCK || next >= USER_END ||
	    (bits & 0xfff) != JEMALLOC_BASE_ARENA || left > size || unused != address + size - left || unused < address + 144)
		return false;
	*ret_size = size;
	*ret_unused = unused;
	*ret_arena = next == 0 && (words[24] & 0xffffffff) < JEMALLOC_ARENAS ? (uint32_t)words[24] : VMM_NONE;
	return true;
}

/* --- the search ----------------------------------------------------------------------------------------------------- */

struct search {
	struct vmm_reading *r;
	struct jemalloc_cache *cache;
	uint64_t start, end;
	unsigned looked_at;
	unsigned char *piece;
};

/*
 * Whether the word at place can be the slot of that leaf in a root inside the data: leaves stand not far from the memory
 * that they are for, as the kernel maps both. Pointers of the program itself seldom pass.
 */
static bool can_be_slot(const struct search *f, uint64_t place, uint64_t leaf)
{
	uint64_t slot = leaf >> 30, least = slot > NEAR ? slot - NEAR : 0;

	return place >= f->start + 8 * least && place + JEMALLOC_LEAF_BYTES <= f->end + 8 * (slot + NEAR);
}

static bool can_be_leaf(const struct search *f, uint64_t leaf)
{
	return leaf && leaf % 64 == 0 && leaf < USER_END && vmm_reading_writable(f->r, leaf) &&
	       jemalloc_mapped(f->r->snapshot, leaf, leaf + JEMALLOC_LEAF_BYTES);
}

struct votes {
	uint64_t root;
	unsigned right, wrong, new_layout, old_layout;
};

/* One word of a possible leaf, number j, whose slot stands at place. */
static void judge_word(struct search *f, uint64_t place, uint64_t j, uint64_t word, struct votes *v)
{
	static const struct jemalloc layouts[] = {{.old = false}, {.old = true}};
	uint64_t address = jemalloc_extent_of(&layouts[1], word), words[JEMALLOC_EXTENT_WORDS], root;
	struct jemalloc_extent x;

	if (!address) /* an old entry */
		return;
	if (!vmm_reading_writable(f->r, address) || !jemalloc_cache_words(f->cache, f->r, address, words, JEMALLOC_EXTENT_WORDS)) {
		v->wrong++;
		return;
	}
	/* Words of the last page and inside slabs lead to extents that begin before them. */
	if (words[1] >= USER_END || (words[1] >> 12) % JEMALLOC_SLOTS != j)
		return;
	root = place - 8 * (words[1] >> 30);
	if (root < f->start || root > place || root + JEMALLOC_LEAF_BYTES > f->end || (v->right && root != v->root)) {
		v->wrong++;
		return;
	}
	v->root = root;
	v->right++;
	for (unsigned i = 0; i < ARRAY_LEN(layouts); i++) {
		jemalloc_decode(&layouts[i], words, &x);
		if (x.class == word >> 48 && jemalloc_extent_of(&layouts[i], word) == address)
			*(layouts[i].old ? &v->old_layout : &v->new_layout) += 1;
	}
}

static bool judge_leaf(struct search *f, uint64_t place, uint64_t leaf, struct jemalloc *ret)
{
	struct votes v = {0};

	for (uint64_t j = 0; j < JEMALLOC_SLOTS && v.wrong < WRONG_MAX && v.right < RIGHT_ENOUGH; j += 8) {
		uint64_t words[8];

		if (!jemalloc_cache_words(f->cache, f->r, leaf + 8 * j, words, 8))
			break;
		for (unsigned i = 0; i < 8; i++)
			if (words[i])
				judge_word(f, place, j + i, words[i], &v);
	}
	if (v.wrong >= WRONG_MAX || v.right < RIGHT_MIN || vmm_max_u64(v.new_layout, v.old_layout) < RIGHT_MIN)
		return false;
	*ret = (struct jemalloc){.root = v.root, .data = f->start, .data_end = f->end, .old = v.old_layout > v.new_layout};
	return true;
}

/*
 * A root is nearly empty: what stands near a slot is another leaf's slot or zero, and leaves do not overlap. This keeps
 * tables of pointers and objects of the program from being followed.
 */
static bool stands_alone(const struct search *f, size_t at, size_t length, uint64_t leaf)
{
	size_t first = at > NEAR * 8 ? at - NEAR * 8 : 0, last = vmm_min_u64(length & ~(size_t)7, at + NEAR * 8);

	for (size_t i = first; i < last; i += 8) {
		uint64_t other;

		memcpy(&other, f->piece + i, 8);
		if (!other || i == at)
			continue;
		if (other % 64 || (other < leaf ? leaf - other : other - leaf) < JEMALLOC_LEAF_BYTES || !can_be_leaf(f, other))
			return false;
	}
	return true;
}

static bool search_piece(struct search *f, uint64_t address, size_t length, struct jemalloc *ret)
{
	for (size_t at = 0; at + 8 <= length && f->looked_at < CANDIDATES_MAX; at += 8) {
		uint64_t leaf;

		memcpy(&leaf, f->piece + at, 8);
		if (!leaf || leaf % 64 || !can_be_slot(f, address + at, leaf) || !stands_alone(f, at, length, leaf) || !can_be_leaf(f, leaf))
			continue;
		f->looked_at++;
		if (judge_leaf(f, address + at, leaf, ret))
			return true;
	}
	return false;
}

/* Narrows [*start, *end) to where slots of leaves can stand, given where there is room for a leaf. */
static void narrow(const struct vmm_snapshot *s, uint64_t *start, uint64_t *end)
{
	uint64_t low = UINT64_MAX, high = 0, data = *start, data_end = *end;

	for (uint32_t i = 0; i < s->vma_count; i++) {
		const struct vmm_vma *v = &s->vmas[i];

		if (!private_anonymous(v) || vmm_vma_is_brk(v) || !(v->prot & VMM_PROT_WRITE) || v->end > USER_END ||
		    (v->end - v->start < JEMALLOC_LEAF_BYTES && !jemalloc_mapped(s, v->start, v->start + JEMALLOC_LEAF_BYTES)))
			continue;
		low = vmm_min_u64(low, v->start >> 30);
		high = vmm_max_u64(high, (v->end - 1) >> 30);
	}
	*end = *start;
	if (low > high)
		return;
	*start = data + 8 * (low > NEAR ? low - NEAR : 0);
	*end = vmm_min_u64(data_end, data_end - JEMALLOC_LEAF_BYTES + 8 * (high + NEAR));
}

int jemalloc_find(struct vmm_reading *r, struct jemalloc_cache *c, uint64_t start, uint64_t end, struct jemalloc *ret,
                  struct vmm_err *err)
{
	VMM_CLEANUP_FREE unsigned char *piece = vmm_alloc_hook(NULL, PIECE);
	struct search f = {.r = r, .cache = c, .start = start, .end = end, .piece = piece};
	uint64_t stop = end;

	if (!piece)
		return vmm_fail_nomem(err);
	narrow(r->snapshot, &start, &stop);
	if (stop > start && stop - start > SEARCH_MAX)
		stop = start + SEARCH_MAX;
	for (uint64_t at = start; at < stop; at += PIECE) {
		size_t length = (size_t)vmm_min_u64(PIECE, stop - at);

		if (vmm_reading_bytes(r, at, piece, length) && search_piece(&f, at, length, ret))
			return 1;
	}
	return 0;
}
