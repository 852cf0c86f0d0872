#include "analysis/groups.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/base.h"

void vmm_groups_init(struct vmm_groups *g, size_t most)
{
	*g = (struct vmm_groups){.most = most};
}

void vmm_groups_done(struct vmm_groups *g)
{
	free(g->v);
	free(g->slots);
	*g = (struct vmm_groups){0};
}

static size_t hash_of(uint64_t size, const unsigned char *prefix)
{
	uint64_t h = size * UINT64_C(0x9e3779b97f4a7c15), word;

	for (size_t i = 0; i < VMM_CONTENT_LOOK; i += 8) {
		memcpy(&word, prefix + i, 8);
		h = (h ^ word) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
	}
	return (size_t)h;
}

/* Puts all groups into their slots again. */
static void rehash(struct vmm_groups *g)
{
	memset(g->slots, 0, g->slot_count * sizeof(*g->slots));
	for (size_t i = 0; i < g->count; i++) {
		size_t at = hash_of(g->v[i].size, g->v[i].prefix) & (g->slot_count - 1);

		while (g->slots[at])
			at = (at + 1) & (g->slot_count - 1);
		g->slots[at] = (uint32_t)i + 1;
	}
}

static uint64_t bytes_of(const struct vmm_group *v)
{
	uint64_t bytes;

	return __builtin_mul_overflow(v->size, v->count, &bytes) ? UINT64_MAX : bytes;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * Drops the lesser half of the groups. What comes again starts from nothing: it is short of at most what the largest
 * dropped one had, each time (lossy counting).
 */
static bool drop_small(struct vmm_groups *g)
{
	VMM_CLEANUP_FREE uint64_t *bytes = vmm_alloc_hook(NULL, g->count * sizeof(*bytes));
	size_t kept = 0, drop = g->count / 2 + 1;
	uint64_t border;

	if (!bytes)
		return false;
	for (size_t i = 0; i < g->count; i++)
		bytes[i] = bytes_of(&g->v[i]);
	qsort(bytes, g->count, sizeof(*bytes), by_number);
	border = bytes[drop - 1];
	for (size_t i = 0; i < g->count; i++) {
		/* Of those at the border only as many go as must. */
		uint64_t own = bytes_of(&g->v[i]);

		if (drop && own <= border) {
			drop--;
			continue;
		}
		g->v[kept++] = g->v[i];
	}
	g->count = kept;
	g->dropped = true;
	g->missed_bytes = vmm_add_sat(g->missed_bytes, border);
	rehash(g);
	return true;
}

static bool make_room(struct vmm_groups *g)
{
	size_t slots = g->slot_count ? g->slot_count * 2 : 1024;

	if (g->count == g->most)
		return drop_small(g);
	if (!vmm_grow(&g->v, &g->capacity, g->count + 1, sizeof(*g->v)))
		return false;
	if (g->count * 2 < g->slot_count)
		return true;
	if (!vmm_grow(&g->slots, &g->slot_capacity, slots, sizeof(*g->slots)))
		return false;
	g->slot_count = slots;
	rehash(g);
	return true;
}

bool vmm_groups_add(struct vmm_groups *g, uint64_t size, uint64_t address, const unsigned char prefix[VMM_CONTENT_LOOK])
{
	size_t hash = hash_of(size, prefix), at;

	for (at = hash & (g->slot_count - 1); g->slot_count && g->slots[at]; at = (at + 1) & (g->slot_count - 1)) {
		struct vmm_group *v = &g->v[g->slots[at] - 1];

		if (v->size == size && memcmp(v->prefix, prefix, VMM_CONTENT_LOOK) == 0) {
			v->count++;
			v->address = vmm_min_u64(v->address, address);
			return true;
		}
	}
	if (!make_room(g))
		return false;
	for (at = hash & (g->slot_count - 1); g->slots[at]; at = (at + 1) & (g->slot_count - 1))
		;
	g->v[g->count] = (struct vmm_group){.size = size, .count = 1, .address = address};
	memcpy(g->v[g->count].prefix, prefix, VMM_CONTENT_LOOK);
	g->slots[at] = (uint32_t)++g->count;
	return true;
}

static int by_bytes(const void *a, const void *b)
{
	const struct vmm_group *x = a, *y = b;
	uint64_t p = bytes_of(x), q = bytes_of(y);

	if (p != q)
		return p > q ? -1 : 1;
	if (x->size != y->size)
		return x->size > y->size ? -1 : 1;
	return x->address < y->address ? -1 : x->address > y->address;
}

void vmm_groups_sort(struct vmm_groups *g)
{
	if (g->count)
		qsort(g->v, g->count, sizeof(*g->v), by_bytes);
}
