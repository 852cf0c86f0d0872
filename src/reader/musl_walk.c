/*
 * All slots of all groups.
 *
 * Proof: each group's header points back to its meta, and each slot in use says which one it is; a slot that holds
 * another group says so, and every group without a mapping is found in one; the slots of each class add up to what the
 * context counts. That all was so at one moment is proved by reading the metas once more in the end.
 */
#include <stdlib.h>

#include "base/search.h"
#include "reader/musl.h"

#define DEPTH_MAX 8  /* groups in slots of groups: each is at least twice as large */
#define CYCLED 7     /* in a slot's header: the block stands further in */
#define NESTED 6     /* the slot holds a group */
#define COUNTED 5    /* four bytes at the end tell how many are not used */

struct state {
	struct vmm_walk *w;
	const struct musl_heap *heap;
	struct musl_group *groups; /* by address */
	size_t count, capacity, nested, nested_found;
	size_t passing; /* slots that are just being handed out or freed */
	uint64_t digest; /* of the metas */
	bool silent;     /* groups of the other heap: looked at, not told */
	bool nomem;
	unsigned char page[MUSL_PAGE];
};

static bool going(const struct state *st)
{
	return !st->w->broken && !st->w->stop && !st->nomem;
}

static void tell(struct state *st, uint64_t start, uint64_t end, enum vmm_chunk_state state)
{
	if (!st->silent && start < end)
		vmm_walk_chunk(st->w, start, end - start, 0, 0, state);
}

static void take_page(struct state *st, uint64_t page, const unsigned char *bytes)
{
	st->digest = vmm_walk_digest(st->digest, bytes, MUSL_PAGE);
	for (unsigned i = 0; i < MUSL_METAS && going(st); i++) {
		size_t at = MUSL_AREA_WORDS * 8 + i * MUSL_META_BYTES;
		struct musl_group g;
		enum musl_meta what = musl_parse_meta(page + at, bytes + at, &g);

		if (what == MUSL_META_BAD)
			vmm_walk_broken(st->w, page + at, "a group contradicts itself");
		if (what != MUSL_META_GROUP)
			continue;
		if (!vmm_grow(&st->groups, &st->capacity, st->count + 1, sizeof(g))) {
			st->nomem = true;
			return;
		}
		st->groups[st->count++] = g;
		st->nested += !g.size && !g.donated;
	}
}

/* All pages of metas, from the first to the last. */
static void take_pages(struct state *st)
{
	const struct musl_context *c = &st->heap->context;
	uint64_t page = c->head, next, seen = 0;

	for (uint32_t i = 0; going(st); i++, page = next) {
		const unsigned char *bytes = page % MUSL_PAGE ? NULL : vmm_walk_bytes(st->w, page, MUSL_PAGE);

		if (!bytes || page == seen || i == MUSL_PAGES_MAX || vmm_word_of(bytes, 8, 0) != c->secret || (uint32_t)vmm_word_of(bytes, 8, 2) != MUSL_METAS) {
			vmm_walk_broken(st->w, page, "a page of metadata cannot be read, or is none");
			return;
		}
		if ((i & (i - 1)) == 0) /* a list in a circle comes by again */
			seen = page;
		next = vmm_word_of(bytes, 8, 1);
		take_page(st, page, bytes);
		if (!next)
			return;
	}
}

static int by_mem(const void *a, const void *b)
{
	const struct musl_group *x = a, *y = b;

	return x->mem < y->mem ? -1 : x->mem > y->mem;
}

/* The first group at address or above it. */
static size_t find_group(const struct state *st, uint64_t address)
{
	return VMM_FIRST_FROM(st->groups, st->count, mem, address);
}

static void tell_group(struct state *st, const struct musl_group *g, unsigned depth);

/* A slot that holds a group: what stands before and behind that is lost. */
static void tell_nested(struct state *st, const struct musl_group *g, uint64_t start, uint64_t end, uint64_t p, unsigned depth)
{
	size_t i = find_group(st, p);
	const struct musl_group *inner = &st->groups[i];

	if (i == st->count || inner->mem != p || inner->size || inner->donated || depth == DEPTH_MAX ||
	    p + musl_group_bytes(inner) > end || inner->stride >= g->stride) {
		vmm_walk_broken(st->w, p, "a slot holds a group that is not there");
		return;
	}
	st->nested_found++;
	tell(st, start, p, VMM_CHUNK_META);
	tell_group(st, inner, depth + 1);
	tell(st, p + musl_group_bytes(inner), end, VMM_CHUNK_META);
}

/* Bytes at the end of the slot that nobody asked for. False: they contradict each other. */
static bool unused_bytes(struct state *st, uint64_t p, uint64_t end, unsigned reserved, uint64_t *ret_unused)
{
	const unsigned char *bytes = vmm_walk_bytes(st->w, end - 4, 5);
	uint64_t unused = reserved;

	/* Memory that was never written to reads as 0. */
	if (!bytes)
		return reserved != COUNTED && !vmm_walk_swapped(st->w, end - 4) && unused <= end - p && (*ret_unused = unused, true);
	if (bytes[4])
		return false;
	if (reserved == COUNTED) {
		unused = bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint64_t)bytes[3] << 24;
		if (unused < COUNTED)
			return false;
	} else if (unused && bytes[4 - unused])
		return false;
	*ret_unused = unused;
	return unused <= end - p;
}

/*
 * A slot that counts as used while malloc() has not marked it yet, or free() has begun: nobody holds it. Each thread can
 * be at one, so more of them are something else.
 */
static bool is_passing(struct state *st, const unsigned char *header)
{
	bool freed = header[1] == 255 && header[2] == 0 && header[3] == 0, fresh = !header[1] && !header[2] && !header[3];

	return (freed || fresh) && st->passing++ < vmm_max_u64(st->w->r->snapshot->thread_count, 1);
}

/* A slot in use. The user's part begins at p, which is the slot's start, or further in: then the start tells where. */
static void tell_used(struct state *st, const struct musl_group *g, unsigned index, unsigned depth)
{
	uint64_t storage = g->mem + MUSL_UNIT, slot = storage + index * g->stride, end = slot + g->stride - MUSL_HEADER, p = slot, unused = 0;
	const unsigned char *header = vmm_walk_bytes(st->w, p - 4, 4);
	uint64_t offset;

	if (header && header[1] >> 5 == CYCLED) {
		p += MUSL_UNIT * (uint64_t)(header[2] | header[3] << 8);
		header = p < end ? vmm_walk_bytes(st->w, p - 4, 4) : NULL;
	}
	if (header && ((header[1] & 31) != index || header[1] == 255) && is_passing(st, header)) {
		tell(st, slot - MUSL_HEADER, end, VMM_CHUNK_FREE);
		return;
	}
	if (!header || (header[1] & 31) != index) {
		vmm_walk_broken(st->w, p - 4, "a slot in use does not say which one it is");
		return;
	}
	offset = header[2] | header[3] << 8;
	if (header[0]) { /* too far for 16 bits */
		unsigned reserved = header[1] >> 5;
		const unsigned char *far = offset ? NULL : vmm_walk_bytes(st->w, p - 8, 8);

		offset = far ? far[0] | far[1] << 8 | far[2] << 16 | (uint64_t)far[3] << 24 : 0;
		header = far ? far + 4 : NULL;
		if (!far || far[5] >> 5 != reserved) {
			vmm_walk_broken(st->w, p - 4, "a slot in use does not say where it is");
			return;
		}
	}
	if (offset * MUSL_UNIT != p - storage) {
		vmm_walk_broken(st->w, p - 4, "a slot in use does not say where it is");
	} else if (header[1] >> 5 == NESTED) {
		tell_nested(st, g, slot - MUSL_HEADER, end, p, depth);
	} else if (!unused_bytes(st, p, end, header[1] >> 5, &unused) || p - slot > UINT32_MAX - MUSL_HEADER) {
		vmm_walk_broken(st->w, end - 4, "the end of a slot in use was written over");
	} else if (!st->silent) {
		vmm_walk_chunk(st->w, slot - MUSL_HEADER, g->stride, (uint32_t)(p - slot + MUSL_HEADER), (uint32_t)unused, VMM_CHUNK_USED);
	}
}

static void tell_group(struct state *st, const struct musl_group *g, unsigned depth)
{
	const unsigned char *head = vmm_walk_bytes(st->w, g->mem, 9);
	uint64_t at = g->mem + MUSL_UNIT - MUSL_HEADER;
	uint32_t active;

	if (!head || vmm_word_of(head, 8, 0) != g->meta || (head[8] & 31) >= g->count) {
		vmm_walk_broken(st->w, g->mem, "a group does not point back to its description");
		return;
	}
	active = (uint32_t)((UINT64_C(2) << (head[8] & 31)) - 1);
	if (g->avail & ~active || (g->class < MUSL_CLASSES && ~active & ~g->freed & (uint32_t)((UINT64_C(2) << (g->count - 1)) - 1))) {
		vmm_walk_broken(st->w, g->meta, "slots are in use that were never handed out");
		return;
	}
	tell(st, g->mem, at, VMM_CHUNK_META);
	for (unsigned i = 0; i < g->count && going(st); i++, at += g->stride) {
		if (!((g->avail | g->freed) >> i & 1))
			tell_used(st, g, i, depth);
		else
			tell(st, at, at + g->stride, active >> i & 1 ? VMM_CHUNK_FREE : VMM_CHUNK_TOP);
	}
	tell(st, at, g->mem + musl_group_bytes(g), VMM_CHUNK_META);
}

/* An area holds groups behind each other, or pages of metadata and the guard before them. */
static void tell_area(struct state *st, const struct vmm_area *area)
{
	size_t i = find_group(st, area->start);
	uint64_t at = area->start;

	if (i == st->count || st->groups[i].mem != area->start) {
		while (at < area->end) {
			const struct vmm_vma *v = vmm_snapshot_vma_at(st->w->r->snapshot, at);
			uint64_t to = v ? vmm_min_u64(v->end, area->end) : area->end;

			vmm_walk_rest(st->w, at, to, v && !vmm_vma_accessible(v) ? VMM_CHUNK_RESERVED : VMM_CHUNK_META);
			at = to;
		}
		return;
	}
	for (; at < area->end && going(st); i++) {
		const struct musl_group *g = &st->groups[i];

		if (i < st->count && g->mem < at)
			continue; /* in a slot of the one before */
		if (i == st->count || g->mem != at || g->donated != st->heap->gaps || (!g->size && !g->donated)) {
			vmm_walk_broken(st->w, at, "groups went since the map was read");
			return;
		}
		tell_group(st, g, 0);
		at += musl_group_bytes(g);
	}
}

/* Slots of each class, as the context counts them; those in gaps of images are not in it. */
static void check_usage(struct state *st)
{
	uint64_t usage[MUSL_CLASSES], sum[MUSL_CLASSES] = {0};

	if (!vmm_walk_words(st->w, st->heap->context.usage, usage, MUSL_CLASSES)) {
		vmm_walk_broken(st->w, st->heap->context.usage, "the context cannot be read");
		return;
	}
	for (size_t i = 0; i < st->count; i++)
		if (!st->groups[i].donated && st->groups[i].class < MUSL_CLASSES)
			sum[st->groups[i].class] += st->groups[i].count;
	for (unsigned i = 0; i < MUSL_CLASSES; i++)
		if (sum[i] != usage[i])
			vmm_walk_broken(st->w, st->heap->context.usage + i * 8, "slots do not add up to what the context counts");
}

/* Reads a page afresh, what is absent as zero. */
static void read_again(struct state *st, uint64_t address)
{
	size_t length = MUSL_PAGE, got = 0;

	memset(st->page, 0, MUSL_PAGE);
	for (size_t done = 0; done < length; done += got) {
		const unsigned char *window = vmm_walk_window(st->w, address + done, &got);

		if (!got)
			return;
		got = vmm_min_u64(got, length - done);
		memcpy(st->page + done, window, got);
	}
}

/* Whether what was told was so at one moment: the one before this is called. */
static void check_unchanged(struct state *st)
{
	uint64_t page = st->heap->context.head, digest = 0;

	for (uint32_t i = 0; page && page % MUSL_PAGE == 0 && i < MUSL_PAGES_MAX && going(st); i++) {
		read_again(st, page);
		digest = vmm_walk_digest(digest, st->page, MUSL_PAGE);
		page = vmm_word_of(st->page, 8, 1);
	}
	if (digest != st->digest)
		vmm_walk_broken(st->w, 0, "it changed while it was read");
}

/* Groups with mappings of their own that are in no area came after the map was read. */
static void check_others(struct state *st)
{
	uint64_t areas = 0, groups = 0;
	const struct vmm_reading *r = st->w->r;

	for (size_t i = 0; i < r->area_count; i++)
		if (r->areas[i].heap == st->w->heap) {
			size_t first = find_group(st, r->areas[i].start);

			if (first < st->count && st->groups[first].mem == r->areas[i].start)
				areas += r->areas[i].end - r->areas[i].start;
		}
	for (size_t i = 0; i < st->count; i++)
		if (st->groups[i].donated == st->heap->gaps && (st->groups[i].size || st->groups[i].donated))
			groups += musl_group_bytes(&st->groups[i]);
	if (areas != groups)
		vmm_walk_broken(st->w, 0, "groups came since the map was read");
}

static void walk_all(struct state *st)
{
	take_pages(st);
	if (!going(st))
		return;
	if (st->count)
		qsort(st->groups, st->count, sizeof(*st->groups), by_mem);
	check_others(st);
	check_usage(st);
	/* A slot in the gap of an image may hold a group too. */
	st->silent = true;
	for (size_t i = 0; i < st->count && going(st) && !st->heap->gaps; i++)
		if (st->groups[i].donated)
			tell_group(st, &st->groups[i], 0);
	st->silent = false;
	for (const struct vmm_area *area = NULL; going(st) && vmm_walk_next_area(st->w, &area);)
		tell_area(st, area);
	if (going(st) && !st->heap->gaps && st->nested_found != st->nested)
		vmm_walk_broken(st->w, 0, "a group is in no slot");
	if (going(st))
		check_unchanged(st);
}

int musl_walk(struct vmm_walk *w, void *data, struct vmm_err *err)
{
	struct state *st = vmm_alloc_hook(NULL, sizeof(*st));
	bool nomem;

	if (!st)
		return vmm_fail_nomem(err);
	memset(st, 0, sizeof(*st));
	st->w = w;
	st->heap = data;
	walk_all(st);
	nomem = st->nomem;
	free(st->groups);
	free(st);
	return nomem ? vmm_fail_nomem(err) : 0;
}
