#include "analysis/tracks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "vmmap/diff.h"

#define SORTS_MAX 65536  /* sorts that are followed at a time */
#define STEMS_MAX 131072 /* names that were ever kept */
#define STEM_BYTES 256

int vmm_tracks_init(struct vmm_tracks *t, const enum vmm_metric *metrics, unsigned count, struct vmm_err *err)
{
	*t = (struct vmm_tracks){.arena = vmm_arena_create(), .metric_count = count};
	for (unsigned i = 0; i < count && i < VMM_TRACK_METRICS_MAX; i++)
		t->metrics[i] = metrics[i];
	return t->arena ? 0 : vmm_fail_nomem(err);
}

void vmm_tracks_done(struct vmm_tracks *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->v[i].points);
	free(t->v);
	free(t->unused);
	free(t->slots);
	free(t->looks);
	free(t->region_track);
	free(t->heap_track);
	vmm_snapshot_destroy(t->last);
	vmm_arena_destroy(t->arena);
	*t = (struct vmm_tracks){0};
}

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

/* ---- values ---- */

static struct vmm_track_values values_zero(const struct vmm_tracks *t)
{
	return (struct vmm_track_values){.known = (UINT32_C(1) << (t->metric_count + 1)) - 1};
}

static struct vmm_track_values values_of(const struct vmm_tracks *t, const struct vmm_metrics *m, uint64_t regions)
{
	struct vmm_track_values v = {.known = UINT32_C(1) << t->metric_count};

	v.value[t->metric_count] = regions;
	for (unsigned i = 0; i < t->metric_count; i++) {
		if (!vmm_metric_known(m, t->metrics[i]))
			continue;
		v.value[i] = m->value[t->metrics[i]];
		v.known |= UINT32_C(1) << i;
	}
	return v;
}

static void values_add(const struct vmm_tracks *t, struct vmm_track_values *sum, const struct vmm_track_values *part)
{
	sum->known &= part->known;
	for (unsigned i = 0; i <= t->metric_count; i++)
		sum->value[i] = (sum->known >> i) & 1 ? vmm_add_sat(sum->value[i], part->value[i]) : 0;
}

static bool values_equal(const struct vmm_track_values *a, const struct vmm_track_values *b)
{
	return a->known == b->known && memcmp(a->value, b->value, sizeof(a->value)) == 0;
}

static bool put_point(struct vmm_track *track, uint32_t look)
{
	const struct vmm_track_point *last = track->point_count ? &track->points[track->point_count - 1] : NULL;

	if (last && values_equal(&last->v, &track->now))
		return true;
	if (!vmm_grow(&track->points, &track->point_capacity, track->point_count + 1, sizeof(*track->points)))
		return false;
	track->points[track->point_count++] = (struct vmm_track_point){look, track->now};
	return true;
}

/* ---- tracks ---- */

static struct vmm_track *add_track(struct vmm_tracks *t, enum vmm_track_level level, uint32_t *ret_index)
{
	uint32_t at;

	if (t->unused_count) {
		at = t->unused[--t->unused_count];
	} else {
		if (!vmm_grow(&t->v, &t->capacity, t->count + 1, sizeof(*t->v)))
			return NULL;
		at = (uint32_t)t->count++;
	}
	t->v[at] = (struct vmm_track){.level = level,
				      .parent = VMM_NONE,
				      .region = VMM_NONE,
				      .heap = VMM_NONE,
				      .stem = "",
				      .first = (uint32_t)t->look_count,
				      .seen = (uint32_t)t->look_count};
	*ret_index = at;
	return &t->v[at];
}

static bool drop_track(struct vmm_tracks *t, uint32_t at)
{
	free(t->v[at].points);
	t->v[at] = (struct vmm_track){.level = VMM_TRACK_UNUSED};
	if (!vmm_grow(&t->unused, &t->unused_capacity, t->unused_count + 1, sizeof(*t->unused)))
		return false;
	t->unused[t->unused_count++] = at;
	return true;
}

static bool of_sort(const struct vmm_track *track)
{
	return track->level == VMM_TRACK_SORT || track->level == VMM_TRACK_SIZED;
}

/* What makes a sort; stem is interned. */
struct sort_key {
	enum vmm_track_level level;
	enum vmm_kind kind;
	uint8_t prot;
	const char *stem;
	uint64_t each;
	uint32_t parent;
};

static size_t hash_of(const struct sort_key *k)
{
	uint64_t h = (uint64_t)(uintptr_t)k->stem;
	const uint64_t words[] = {k->each, (uint64_t)k->kind << 32 | (uint64_t)k->level << 8 | k->prot, k->parent};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		h = (h ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return (size_t)h;
}

static bool has_key(const struct vmm_track *track, const struct sort_key *k)
{
	return track->level == k->level && track->kind == k->kind && track->prot == k->prot && track->stem == k->stem &&
	       track->each == k->each && track->parent == k->parent;
}

static void put_slot(struct vmm_tracks *t, uint32_t index)
{
	const struct vmm_track *track = &t->v[index];
	const struct sort_key k = {track->level, track->kind, track->prot, track->stem, track->each, track->parent};
	size_t at = hash_of(&k) & (t->slot_count - 1);

	while (t->slots[at])
		at = (at + 1) & (t->slot_count - 1);
	t->slots[at] = index + 1;
}

static void rehash(struct vmm_tracks *t)
{
	memset(t->slots, 0, t->slot_count * sizeof(*t->slots));
	for (size_t i = 0; i < t->count; i++)
		if (of_sort(&t->v[i]))
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
		if (!drop_track(t, (uint32_t)i))
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

/* The track of a sort, made when there is none; VMM_NONE when there are too many. False: out of memory. */
static bool find_sort(struct vmm_tracks *t, const struct sort_key *k, uint32_t *ret_index)
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
	track = add_track(t, k->level, ret_index);
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

/* The same pointer for equal stems; NULL with *ret_full unset: out of memory. */
static const char *stem_of(struct vmm_tracks *t, const struct vmm_snapshot *s, const struct vmm_region *r,
			   bool *ret_full)
{
	char stem[STEM_BYTES], name[STEM_BYTES];
	const struct vmm_thread *thread = r->thread < s->thread_count ? &s->threads[r->thread] : NULL;

	if (r->kind == VMM_KIND_STACK && thread && thread->name)
		snprintf(name, sizeof(name), "threads \"%s\"", thread->name);
	else
		snprintf(name, sizeof(name), "%s", r->path[0] ? r->path : r->details);
	vmm_track_stem(stem, sizeof(stem), name);
	*ret_full = t->stem_count >= STEMS_MAX;
	if (*ret_full)
		return NULL;
	t->stem_count++;
	return vmm_arena_intern(t->arena, stem, strlen(stem));
}

/* ---- one snapshot ---- */

/* The one before, and what is made for the new one. */
struct step {
	struct vmm_snapshot *s;
	uint32_t look;
	const struct vmm_track_filter *filter;
	uint32_t *old_region; /* of each new region: the old one; VMM_NONE */
	uint32_t *region_track, *heap_track;
	size_t region_capacity, heap_capacity, old_capacity;
};

static bool counts(const struct step *step, const struct vmm_region *r)
{
	return !r->outside && (!step->filter || step->filter->wanted(step->filter->arg, step->s, r));
}

static int match(struct vmm_tracks *t, struct step *step, struct vmm_err *err)
{
	VMM_CLEANUP_FREE struct vmm_pair *pairs = NULL;
	size_t count = 0;
	int code;

	for (uint32_t i = 0; i < step->s->region_count; i++)
		step->old_region[i] = VMM_NONE;
	if (!t->last)
		return 0;
	code = vmm_match_regions(t->last, step->s, &pairs, &count, err);
	for (size_t i = 0; i < count && code == 0; i++)
		if (pairs[i].a < t->last->region_count && pairs[i].b < step->s->region_count)
			step->old_region[pairs[i].b] = pairs[i].a;
	return code;
}

/*
 * Heaps are followed by their regions first: numbers of arenas change when others come before them in the allocator's
 * list. What has no old region is known by its id.
 */
static void match_heaps(struct vmm_tracks *t, struct step *step)
{
	const struct vmm_snapshot *s = step->s;

	for (uint32_t i = 0; i < s->heap_count; i++)
		step->heap_track[i] = VMM_NONE;
	for (uint32_t i = 0; t->last && i < s->region_count; i++) {
		uint32_t heap = s->regions[i].heap, old = step->old_region[i], track;

		if (heap >= s->heap_count || old == VMM_NONE || t->last->regions[old].heap >= t->last->heap_count)
			continue;
		track = t->heap_track[t->last->regions[old].heap];
		if (step->heap_track[heap] == VMM_NONE && t->v[track].seen != step->look) {
			step->heap_track[heap] = track;
			t->v[track].seen = step->look;
		}
	}
	for (uint32_t i = 0; t->last && i < s->heap_count; i++)
		for (uint32_t k = 0; k < t->last->heap_count && step->heap_track[i] == VMM_NONE; k++) {
			uint32_t track = t->heap_track[k];

			if (t->v[track].seen == step->look || strcmp(t->last->heaps[k].id, s->heaps[i].id) != 0)
				continue;
			step->heap_track[i] = track;
			t->v[track].seen = step->look;
		}
}

static bool add_heaps(struct vmm_tracks *t, struct step *step)
{
	const struct vmm_snapshot *s = step->s;

	match_heaps(t, step);
	for (uint32_t i = 0; i < s->heap_count; i++) {
		struct vmm_track *track;

		if (step->heap_track[i] == VMM_NONE) {
			track = add_track(t, VMM_TRACK_HEAP, &step->heap_track[i]);
			if (!track)
				return false;
			track->kind = VMM_KIND_HEAP;
		}
		track = &t->v[step->heap_track[i]];
		track->stem = s->heaps[i].id;
		track->heap = i;
		track->now = values_of(t, &s->heaps[i].m, 0);
	}
	return true;
}

/* Adds a region to a sum that is made anew at each look. */
static void add_to(struct vmm_tracks *t, const struct step *step, uint32_t index, uint32_t region)
{
	const struct vmm_region *r = &step->s->regions[region], *largest;
	struct vmm_track_values part = values_of(t, r->m, 1);
	struct vmm_track *track;

	if (index == VMM_NONE)
		return;
	track = &t->v[index];
	if (of_sort(track) && track->seen != step->look) {
		track->now = values_zero(t);
		track->seen = step->look;
		track->region = VMM_NONE;
	}
	largest = track->region < step->s->region_count ? &step->s->regions[track->region] : NULL;
	if (!largest || r->end - r->start > largest->end - largest->start)
		track->region = region;
	if (track->level == VMM_TRACK_HEAP)
		track->now.value[t->metric_count]++;
	else
		values_add(t, &track->now, &part);
}

/* The sorts of a region; *ret_parent is its SORT or HEAP, VMM_NONE: too many. False: out of memory. */
static bool sort_region(struct vmm_tracks *t, struct step *step, uint32_t region, uint32_t *ret_parent)
{
	const struct vmm_region *r = &step->s->regions[region];
	struct sort_key k = {.level = VMM_TRACK_SORT, .kind = r->kind, .prot = r->prot, .parent = VMM_NONE};
	uint32_t sized;
	bool full = false;

	if (r->heap < step->s->heap_count) {
		*ret_parent = step->heap_track[r->heap];
		k.stem = ""; /* its heap tells */
	} else {
		k.stem = stem_of(t, step->s, r, &full);
		if (!k.stem && !full)
			return false;
		if (k.stem && !find_sort(t, &k, ret_parent))
			return false;
		t->cut |= full;
	}
	add_to(t, step, *ret_parent, region);
	if (!k.stem || *ret_parent == VMM_NONE)
		return true;
	k.level = VMM_TRACK_SIZED;
	k.each = r->end - r->start;
	k.parent = *ret_parent;
	if (!find_sort(t, &k, &sized))
		return false;
	add_to(t, step, sized, region);
	return true;
}

static bool add_region(struct vmm_tracks *t, struct step *step, uint32_t i)
{
	const struct vmm_region *r = &step->s->regions[i];
	uint32_t parent = VMM_NONE, old = step->old_region[i];
	struct vmm_track *track;

	step->region_track[i] = VMM_NONE;
	if (!counts(step, r))
		return true;
	if (!sort_region(t, step, i, &parent))
		return false;
	if (old != VMM_NONE)
		step->region_track[i] = t->region_track[old];
	if (step->region_track[i] == VMM_NONE && !add_track(t, VMM_TRACK_REGION, &step->region_track[i]))
		return false;
	track = &t->v[step->region_track[i]];
	track->kind = r->kind;
	track->prot = r->prot;
	track->parent = parent;
	track->region = i;
	track->seen = step->look;
	track->now = values_of(t, r->m, 1);
	return true;
}

/* Points of all that is new or different; regions that are gone are forgotten. */
static bool put_points(struct vmm_tracks *t, uint32_t look)
{
	for (size_t i = 0; i < t->count; i++) {
		struct vmm_track *track = &t->v[i];

		if (track->level == VMM_TRACK_UNUSED)
			continue;
		if (track->seen != look) {
			track->region = track->heap = VMM_NONE;
			track->stem = track->level == VMM_TRACK_HEAP ? "" : track->stem;
			if (track->level == VMM_TRACK_REGION) {
				if (!drop_track(t, (uint32_t)i))
					return false;
				continue;
			}
			track->now = values_zero(t);
		}
		if (!put_point(track, look))
			return false;
	}
	return true;
}

/* What is wanted of each kind and of all, instead of the totals. */
static void sum_wanted(const struct vmm_tracks *t, const struct step *step, struct vmm_track_look *look)
{
	look->total = values_zero(t);
	for (int k = 0; k < VMM_KIND_COUNT; k++)
		look->kinds[k] = values_zero(t);
	for (uint32_t i = 0; i < step->s->region_count; i++) {
		const struct vmm_region *r = &step->s->regions[i];
		struct vmm_track_values part = values_of(t, r->m, 1);

		if (step->region_track[i] == VMM_NONE)
			continue;
		values_add(t, &look->kinds[r->kind], &part);
		values_add(t, &look->total, &part);
	}
}

static bool add_look(struct vmm_tracks *t, const struct step *step, uint32_t number)
{
	const struct vmm_snapshot *s = step->s;
	struct vmm_track_look *look;

	if (!vmm_grow(&t->looks, &t->look_capacity, t->look_count + 1, sizeof(*t->looks)))
		return false;
	look = &t->looks[t->look_count];
	*look = (struct vmm_track_look){
	    .time_ns = (int64_t)((uint64_t)s->taken_at.tv_sec * 1000000000 + (uint64_t)s->taken_at.tv_nsec),
	    .number = number};
	for (int k = 0; k < VMM_KIND_COUNT; k++) {
		look->kinds[k] = values_of(t, &s->types[k].m, s->types[k].regions);
		if (!s->types[k].counted)
			look->kinds[k].known &= ~(UINT32_C(1) << t->metric_count);
	}
	look->total = values_of(t, &s->total.m, s->region_count);
	if (step->filter)
		sum_wanted(t, step, look);
	for (uint32_t i = 0; i < s->limit_count && i < VMM_TRACK_LIMITS; i++) {
		look->limits[i].id = vmm_arena_intern(t->arena, s->limits[i].id, strlen(s->limits[i].id));
		look->limits[i].known = s->limits[i].used_known;
		look->limits[i].used = s->limits[i].used;
		if (!look->limits[i].id)
			return false;
	}
	t->look_count++;
	return true;
}

static int add_snapshot(struct vmm_tracks *t, struct step *step, uint32_t number, struct vmm_err *err)
{
	const struct vmm_snapshot *s = step->s;
	int code;

	if (!vmm_grow(&step->old_region, &step->old_capacity, (size_t)s->region_count + 1, sizeof(uint32_t)) ||
	    !vmm_grow(&step->region_track, &step->region_capacity, (size_t)s->region_count + 1, sizeof(uint32_t)) ||
	    !vmm_grow(&step->heap_track, &step->heap_capacity, (size_t)s->heap_count + 1, sizeof(uint32_t)))
		return vmm_fail_nomem(err);
	code = match(t, step, err);
	if (code < 0)
		return code;
	if (!add_heaps(t, step))
		return vmm_fail_nomem(err);
	for (size_t i = 0; i < t->count; i++)
		if (t->v[i].level == VMM_TRACK_HEAP)
			t->v[i].region = VMM_NONE;
	for (uint32_t i = 0; i < s->region_count; i++)
		if (!add_region(t, step, i))
			return vmm_fail_nomem(err);
	return put_points(t, step->look) && add_look(t, step, number) ? 0 : vmm_fail_nomem(err);
}

int vmm_tracks_add(struct vmm_tracks *t, struct vmm_snapshot *s, uint32_t number, const struct vmm_track_filter *filter,
		   struct vmm_err *err)
{
	struct step step = {.s = s, .look = (uint32_t)t->look_count, .filter = filter};
	int code;

	if (s->partial || s->unreadable) {
		vmm_snapshot_destroy(s);
		return 0;
	}
	code = add_snapshot(t, &step, number, err);
	free(step.old_region);
	if (code < 0) {
		free(step.region_track);
		free(step.heap_track);
		vmm_snapshot_destroy(s);
		return code;
	}
	free(t->region_track);
	free(t->heap_track);
	t->region_track = step.region_track;
	t->heap_track = step.heap_track;
	vmm_snapshot_destroy(t->last);
	t->last = s;
	return 0;
}

void vmm_tracks_samples(const struct vmm_tracks *t, const struct vmm_track *track, unsigned value,
			struct vmm_sample *ret)
{
	struct vmm_track_values now = values_zero(t);
	size_t p = 0;

	if (track->level == VMM_TRACK_REGION)
		now.known = 0;
	for (size_t i = 0; i < t->look_count; i++) {
		if (p < track->point_count && track->points[p].look == i)
			now = track->points[p++].v;
		ret[i] = (struct vmm_sample){t->looks[i].time_ns, now.value[value], (now.known >> value) & 1};
	}
}

bool vmm_track_now(const struct vmm_track *track, unsigned value, uint64_t *ret)
{
	*ret = track->now.value[value];
	return (track->now.known >> value) & 1;
}
