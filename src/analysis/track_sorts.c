/* Sorts of regions: found by what makes them, in a table with open addressing, and dropped when there are too many. */
#include <stdio.h>
#include <string.h>

#include "analysis/track_keep.h"

#define SORTS_MAX 65536  /* sorts that are followed at a time */
#define STEMS_MAX 131072 /* names that were ever kept */
#define STEM_BYTES 256

void vmm_track_stem(char *ret, size_t size, const char *name)
{
	size_t n = 0;

	for (const char *p = name; *p && n + 1 < size;) {
		bool digits = *p >= '0' && *p <= '9';

		ret[n++] = digits ? '#' : *p;
		p++;
		while (digits && *p >= '0' && *p <= '9')
			p++;
	}
	if (size)
		ret[n] = '\0';
}

bool vmm_track_is_sort(const struct vmm_track *track)
{
	return track->level == VMM_TRACK_SORT || track->level == VMM_TRACK_SIZED;
}

static size_t hash_of(const struct vmm_track_key *k)
{
	uint64_t h = (uint64_t)(uintptr_t)k->stem;
	const uint64_t words[] = {k->each, (uint64_t)k->kind << 32 | (uint64_t)k->level << 8 | k->prot, k->parent};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		h = (h ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return (size_t)h;
}

static bool has_key(const struct vmm_track *track, const struct vmm_track_key *k)
{
	return track->level == k->level && track->kind == k->kind && track->prot == k->prot && track->stem == k->stem &&
	       track->each == k->each && track->parent == k->parent;
}

static void put_slot(struct vmm_tracks *t, uint32_t index)
{
	const struct vmm_track *track = &t->v[index];
	const struct vmm_track_key k = {track->level, track->kind, track->prot, track->stem, track->each, track->parent};
	size_t at = hash_of(&k) & (t->slot_count - 1);

	while (t->slots[at])
		at = (at + 1) & (t->slot_count - 1);
	t->slots[at] = index + 1;
}

static void rehash(struct vmm_tracks *t)
{
	memset(t->slots, 0, t->slot_count * sizeof(*t->slots));
	for (size_t i = 0; i < t->count; i++)
		if (vmm_track_is_sort(&t->v[i]))
			put_slot(t, (uint32_t)i);
}

/* Drops the sorts that nothing belonged to in the snapshot before this one. False: out of memory. */
static bool purge(struct vmm_tracks *t)
{
	for (size_t i = 0; i < t->count; i++) {
		if (t->v[i].level != VMM_TRACK_SIZED || t->v[i].seen + 1 >= t->look_count)
			continue;
		t->sort_count--;
		t->cut = true;
		if (!vmm_track_drop(t, (uint32_t)i))
			return false;
	}
	rehash(t);
	return true;
}

/* Room for one more sort; *ret_full says that there is none. */
static bool make_room(struct vmm_tracks *t, bool *ret_full)
{
	size_t slots = t->slot_count ? t->slot_count * 2 : 256;

	if (t->sort_count >= SORTS_MAX && !purge(t))
		return false;
	*ret_full = t->sort_count >= SORTS_MAX;
	if (*ret_full || t->sort_count * 2 < t->slot_count)
		return true;
	if (!vmm_grow(&t->slots, &t->slot_capacity, slots, sizeof(*t->slots)))
		return false;
	t->slot_count = slots;
	rehash(t);
	return true;
}

bool vmm_track_sort(struct vmm_tracks *t, const struct vmm_track_key *k, uint32_t *ret_index)
{
	struct vmm_track *track;
	bool full;

	for (size_t at = hash_of(k) & (t->slot_count - 1); t->slot_count && t->slots[at];
	     at = (at + 1) & (t->slot_count - 1))
		if (has_key(&t->v[t->slots[at] - 1], k)) {
			*ret_index = t->slots[at] - 1;
			return true;
		}
	if (!make_room(t, &full))
		return false;
	if (full) {
		t->cut = true;
		*ret_index = VMM_NONE;
		return true;
	}
	track = vmm_track_add(t, k->level, ret_index);
	if (!track)
		return false;
	track->kind = k->kind;
	track->prot = k->prot;
	track->stem = k->stem;
	track->each = k->each;
	track->parent = k->parent;
	track->seen = UINT32_MAX; /* its first region starts its sum */
	t->sort_count++;
	put_slot(t, *ret_index);
	return true;
}

const char *vmm_track_stem_of(struct vmm_tracks *t, const struct vmm_snapshot *s, const struct vmm_region *r,
			   bool *ret_full)
{
	char stem[STEM_BYTES], name[STEM_BYTES];
	const struct vmm_thread *thread = r->thread < s->thread_count ? &s->threads[r->thread] : NULL;
	bool stack = r->kind == VMM_KIND_STACK && thread && thread->name;

	if (stack)
		snprintf(name, sizeof(name), "threads \"%s\"", thread->name);
	vmm_track_stem(stem, sizeof(stem), stack ? name : r->path[0] ? r->path : r->details);
	*ret_full = t->stem_count >= STEMS_MAX;
	if (*ret_full)
		return NULL;
	t->stem_count++;
	return vmm_arena_intern(t->arena, stem, strlen(stem));
}
