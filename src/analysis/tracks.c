/* Tracks as they are kept: made, given points, told as samples. */
#include "analysis/track_keep.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

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

struct vmm_track_values vmm_track_zero(const struct vmm_tracks *t)
{
	return (struct vmm_track_values){.known = (UINT32_C(1) << (t->metric_count + 1)) - 1};
}

struct vmm_track_values vmm_track_values_of(const struct vmm_tracks *t, const struct vmm_metrics *m, uint64_t regions)
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

void vmm_track_values_add(const struct vmm_tracks *t, struct vmm_track_values *sum, const struct vmm_track_values *part)
{
	sum->known &= part->known;
	for (unsigned i = 0; i <= t->metric_count; i++)
		sum->value[i] = (sum->known >> i) & 1 ? vmm_add_sat(sum->value[i], part->value[i]) : 0;
}

static bool values_equal(const struct vmm_track_values *a, const struct vmm_track_values *b)
{
	return a->known == b->known && memcmp(a->value, b->value, sizeof(a->value)) == 0;
}

bool vmm_track_put_point(struct vmm_track *track, uint32_t look)
{
	const struct vmm_track_point *last = track->point_count ? &track->points[track->point_count - 1] : NULL;

	if (last && values_equal(&last->v, &track->now))
		return true;
	if (!vmm_grow(&track->points, &track->point_capacity, track->point_count + 1, sizeof(*track->points)))
		return false;
	track->points[track->point_count++] = (struct vmm_track_point){look, track->now};
	return true;
}

struct vmm_track *vmm_track_add(struct vmm_tracks *t, enum vmm_track_level level, uint32_t *ret_index)
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

bool vmm_track_drop(struct vmm_tracks *t, uint32_t at)
{
	free(t->v[at].points);
	t->v[at] = (struct vmm_track){.level = VMM_TRACK_UNUSED};
	if (!vmm_grow(&t->unused, &t->unused_capacity, t->unused_count + 1, sizeof(*t->unused)))
		return false;
	t->unused[t->unused_count++] = at;
	return true;
}

void vmm_tracks_samples(const struct vmm_tracks *t, const struct vmm_track *track, unsigned value,
			struct vmm_sample *ret)
{
	struct vmm_track_values now = vmm_track_zero(t);
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
