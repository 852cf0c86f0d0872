/* One more snapshot: what of the last one is what of this one, and how much each track has now. */
#include <stdlib.h>
#include <string.h>

#include "analysis/track_keep.h"
#include "base/err.h"
#include "vmmap/diff.h"

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
			track = vmm_track_add(t, VMM_TRACK_HEAP, &step->heap_track[i]);
			if (!track)
				return false;
			track->kind = VMM_KIND_HEAP;
		}
		track = &t->v[step->heap_track[i]];
		track->stem = s->heaps[i].id;
		track->heap = i;
		track->now = vmm_track_values_of(t, &s->heaps[i].m, 0);
	}
	return true;
}

/* Adds a region to a sum that is made anew at each look. */
static void add_to(struct vmm_tracks *t, const struct step *step, uint32_t index, uint32_t region)
{
	const struct vmm_region *r = &step->s->regions[region], *largest;
	struct vmm_track_values part = vmm_track_values_of(t, r->m, 1);
	struct vmm_track *track;

	if (index == VMM_NONE)
		return;
	track = &t->v[index];
	if (vmm_track_is_sort(track) && track->seen != step->look) {
		track->now = vmm_track_zero(t);
		track->seen = step->look;
		track->region = VMM_NONE;
	}
	largest = track->region < step->s->region_count ? &step->s->regions[track->region] : NULL;
	if (!largest || r->end - r->start > largest->end - largest->start)
		track->region = region;
	if (track->level == VMM_TRACK_HEAP)
		track->now.value[t->metric_count]++;
	else
		vmm_track_values_add(t, &track->now, &part);
}

/* The sorts of a region; *ret_parent is its SORT or HEAP, VMM_NONE: too many. False: out of memory. */
static bool sort_region(struct vmm_tracks *t, struct step *step, uint32_t region, uint32_t *ret_parent)
{
	const struct vmm_region *r = &step->s->regions[region];
	struct vmm_track_key k = {.level = VMM_TRACK_SORT, .kind = r->kind, .prot = r->prot, .parent = VMM_NONE};
	uint32_t sized;
	bool full = false;

	if (r->heap < step->s->heap_count) {
		*ret_parent = step->heap_track[r->heap];
		k.stem = ""; /* its heap tells */
	} else {
		k.stem = vmm_track_stem_of(t, step->s, r, &full);
		if (!k.stem && !full)
			return false;
		if (k.stem && !vmm_track_sort(t, &k, ret_parent))
			return false;
		t->cut |= full;
	}
	add_to(t, step, *ret_parent, region);
	if (!k.stem || *ret_parent == VMM_NONE)
		return true;
	k.level = VMM_TRACK_SIZED;
	k.each = r->end - r->start;
	k.parent = *ret_parent;
	if (!vmm_track_sort(t, &k, &sized))
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
	if (step->region_track[i] == VMM_NONE && !vmm_track_add(t, VMM_TRACK_REGION, &step->region_track[i]))
		return false;
	track = &t->v[step->region_track[i]];
	track->kind = r->kind;
	track->prot = r->prot;
	track->parent = parent;
	track->region = i;
	track->seen = step->look;
	track->now = vmm_track_values_of(t, r->m, 1);
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
				if (!vmm_track_drop(t, (uint32_t)i))
					return false;
				continue;
			}
			track->now = vmm_track_zero(t);
		}
		if (!vmm_track_put_point(track, look))
			return false;
	}
	return true;
}

/* What is wanted of each kind and of all, instead of the totals. */
static void sum_wanted(const struct vmm_tracks *t, const struct step *step, struct vmm_track_look *look)
{
	look->total = vmm_track_zero(t);
	for (int k = 0; k < VMM_KIND_COUNT; k++)
		look->kinds[k] = vmm_track_zero(t);
	for (uint32_t i = 0; i < step->s->region_count; i++) {
		const struct vmm_region *r = &step->s->regions[i];
		struct vmm_track_values part = vmm_track_values_of(t, r->m, 1);

		if (step->region_track[i] == VMM_NONE)
			continue;
		vmm_track_values_add(t, &look->kinds[r->kind], &part);
		vmm_track_values_add(t, &look->total, &part);
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
		look->kinds[k] = vmm_track_values_of(t, &s->types[k].m, s->types[k].regions);
		if (!s->types[k].counted)
			look->kinds[k].known &= ~(UINT32_C(1) << t->metric_count);
	}
	look->total = vmm_track_values_of(t, &s->total.m, s->region_count);
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
