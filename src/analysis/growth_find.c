/*
 * Which tracks are told of: the trend of each that rose is asked for, and of those that tell the same story (a heap, its
 * region, all regions of one size) the one that says most is kept.
 */
#include "analysis/growth_find.h"

#include <stdlib.h>

#include "analysis/trend.h"
#include "base/err.h"

#define RISE_LEAST 65536    /* bytes from the first to the last snapshot that are worth a word */
#define RISE_SHARE 0.01     /* of the greatest rise of all */
#define TRACKS_MOST 512     /* whose trends are asked for: those that rose most */
#define PART_MOST 0.8       /* of the growth: parts that explain so much are worth a word */
#define PART_ALL 0.9        /* and so much: they are told of instead of the whole */

/* A track by how much it rose, in the measure that rose most. */
struct rise {
	uint64_t bytes;
	uint32_t track;
};

struct rises {
	struct rise *v;
	size_t count, capacity;
};

/* Rises so that it is worth the work: compares both ends only. */
static bool may_grow(const struct vmm_growth_finder *f, const struct vmm_track *track)
{
	if (track->level == VMM_TRACK_UNUSED || track->seen + 1 != f->t->look_count)
		return false;
	/* One that came late tells about its start, not about the whole time. */
	if (track->level == VMM_TRACK_REGION && track->first > f->t->look_count / 2)
		return false;
	return track->point_count > 1;
}

/* From the first known sample to the last. */
static uint64_t rise_between(const struct vmm_sample *samples, size_t count)
{
	size_t first = 0, last = count;

	while (first < count && !samples[first].known)
		first++;
	while (last > first && !samples[last - 1].known)
		last--;
	return last > first && samples[last - 1].value > samples[first].value
		   ? samples[last - 1].value - samples[first].value
		   : 0;
}

static int by_bytes(const void *a, const void *b)
{
	const struct rise *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return (x->track > y->track) - (x->track < y->track);
}

/* The tracks that rose enough to be worth a look, those that rose most first. */
static bool find_rises(struct vmm_growth_finder *f, struct rises *ret)
{
	for (size_t i = 0; i < f->t->count; i++) {
		struct rise rise = {.track = (uint32_t)i};

		if (!may_grow(f, &f->t->v[i]))
			continue;
		for (unsigned m = 0; m < VMM_GROWTH_REGIONS; m++) {
			vmm_tracks_samples(f->t, &f->t->v[i], m, f->samples);
			rise.bytes = vmm_max_u64(rise.bytes, rise_between(f->samples, f->t->look_count));
		}
		if (rise.bytes < RISE_LEAST)
			continue;
		if (!vmm_grow(&ret->v, &ret->capacity, ret->count + 1, sizeof(*ret->v)))
			return false;
		ret->v[ret->count++] = rise;
	}
	if (ret->count)
		qsort(ret->v, ret->count, sizeof(*ret->v), by_bytes);
	return true;
}

static bool same_values(const struct vmm_track *track, unsigned a, unsigned b)
{
	for (size_t i = 0; i < track->point_count; i++) {
		const struct vmm_track_values *v = &track->points[i].v;

		if (v->value[a] != v->value[b] || ((v->known >> a) & 1) != ((v->known >> b) & 1))
			return false;
	}
	return true;
}

static int add_candidate(struct vmm_growth_finder *f, uint32_t index, struct vmm_err *err)
{
	struct vmm_growth_candidate c = {.track = index, .lead = VMM_GROWTH_MEASURES, .carrier = VMM_NONE};

	for (unsigned i = 0; i < VMM_GROWTH_MEASURES; i++) {
		bool same;
		int code = 0;

		vmm_tracks_samples(f->t, &f->t->v[index], i, f->samples);
		/* Most often committed, rss and size rise together. */
		same = i > 0 && same_values(&f->t->v[index], i, i - 1);
		if (same)
			c.measures[i] = c.measures[i - 1];
		else
			code = vmm_trend_find(f->samples, f->t->look_count, &c.measures[i], err);
		if (code < 0)
			return code;
		if (c.lead == VMM_GROWTH_MEASURES && c.measures[i].verdict == VMM_TREND_STEADY &&
		    (i == VMM_GROWTH_REGIONS || rise_between(f->samples, f->t->look_count) >= RISE_LEAST))
			c.lead = i;
	}
	/* That there are more of them, and not more bytes, is no growth. */
	if (c.lead >= VMM_GROWTH_REGIONS)
		return 0;
	if (!vmm_grow(&f->v, &f->capacity, f->count + 1, sizeof(*f->v)))
		return vmm_fail_nomem(err);
	f->v[f->count++] = c;
	return 0;
}

static bool steady(const struct vmm_growth_candidate *c, enum vmm_growth_measure measure)
{
	return c->measures[measure].verdict == VMM_TREND_STEADY;
}

static double rise_of(const struct vmm_growth_candidate *c)
{
	return c->measures[c->lead].slope * c->measures[c->lead].seconds;
}

/* The measure in which a whole and its parts can be compared: used bytes are told of heaps alone. */
static enum vmm_growth_measure common_measure(const struct vmm_growth_candidate *whole)
{
	static const enum vmm_growth_measure order[] = {VMM_GROWTH_COMMITTED, VMM_GROWTH_RSS, VMM_GROWTH_SIZE};

	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (steady(whole, order[i]))
			return order[i];
	return VMM_GROWTH_MEASURES;
}

/*
 * A heap keeps its name, with the region or the size of regions that carries its growth. Another sort gives way to what
 * explains it: one size, some regions.
 */
static void choose_between(struct vmm_growth_finder *f, struct vmm_growth_candidate *whole)
{
	bool heap = f->t->v[whole->track].level == VMM_TRACK_HEAP;
	enum vmm_growth_measure m = common_measure(whole);
	double regions = 0, most;
	struct vmm_growth_candidate *sized = NULL, *largest = NULL;

	most = m < VMM_GROWTH_MEASURES ? whole->measures[m].slope * PART_MOST : 0;
	for (size_t i = 0; i < f->count; i++) {
		struct vmm_growth_candidate *c = &f->v[i];

		if (f->t->v[c->track].parent != whole->track)
			continue;
		if (m < VMM_GROWTH_MEASURES && steady(c, m) && f->t->v[c->track].level == VMM_TRACK_REGION) {
			regions += c->measures[m].slope;
			largest = !largest || c->measures[m].slope > largest->measures[m].slope ? c : largest;
		} else if (m < VMM_GROWTH_MEASURES && steady(c, m) && c->measures[m].slope >= most) {
			sized = c;
		}
		c->dropped = true;
	}
	if (heap && largest && largest->measures[m].slope >= most)
		whole->carrier = (uint32_t)(largest - f->v);
	else if (sized)
		whole->carrier = (uint32_t)(sized - f->v);
	if (heap || m == VMM_GROWTH_MEASURES)
		return;
	if (regions >= most) {
		for (size_t i = 0; i < f->count; i++)
			if (f->t->v[f->v[i].track].parent == whole->track &&
			    f->t->v[f->v[i].track].level == VMM_TRACK_REGION)
				f->v[i].dropped = false;
		whole->dropped = true;
	} else if (sized && sized->measures[m].slope >= most / PART_MOST * PART_ALL) {
		sized->dropped = false;
		whole->dropped = true;
	}
}

/* Where the whole does not grow its parts may: but a size that takes over from another is no growth. */
static void choose(struct vmm_growth_finder *f)
{
	double most = 0;

	for (size_t i = 0; i < f->count; i++) {
		enum vmm_track_level level = f->t->v[f->v[i].track].level;

		if (level == VMM_TRACK_SORT || level == VMM_TRACK_HEAP)
			choose_between(f, &f->v[i]);
	}
	for (size_t i = 0; i < f->count; i++) {
		struct vmm_growth_candidate *c = &f->v[i];

		if (f->t->v[c->track].level == VMM_TRACK_SIZED && !c->dropped) {
			bool kept = false;

			for (size_t k = 0; k < f->count; k++)
				kept |= f->v[k].track == f->t->v[c->track].parent;
			c->dropped = !kept;
		}
		if (!c->dropped && rise_of(c) > most)
			most = rise_of(c);
	}
	for (size_t i = 0; i < f->count; i++)
		if (rise_of(&f->v[i]) < most * RISE_SHARE)
			f->v[i].dropped = true;
}

/*
 * What the regions of a sort that are there at the end had at each look, but for the last quarter of them: those that came
 * in it may be about to go.
 */
static void sum_survivors(struct vmm_growth_finder *f, uint32_t sort, enum vmm_growth_measure m, struct vmm_sample *ret)
{
	size_t end = f->t->look_count - f->t->look_count / 4;

	for (size_t i = 0; i < f->t->look_count; i++)
		ret[i] = (struct vmm_sample){f->t->looks[i].time_ns, 0, i < end};
	for (size_t k = 0; k < f->t->count; k++) {
		const struct vmm_track *track = &f->t->v[k];

		if (track->level != VMM_TRACK_REGION || track->parent != sort)
			continue;
		vmm_tracks_samples(f->t, track, m, f->samples);
		for (size_t i = track->first; i < end; i++) {
			ret[i].known &= f->samples[i].known;
			ret[i].value = vmm_add_sat(ret[i].value, f->samples[i].value);
		}
	}
}

/*
 * The rate of a sort among whose regions many come and go. What leaks stays: where the regions that are still there at the
 * end tell about the same, the rate is theirs. (That they grow proves nothing by itself: whoever is alive was born.)
 */
static int refine(struct vmm_growth_finder *f, struct vmm_growth_candidate *c, struct vmm_err *err)
{
	VMM_CLEANUP_FREE struct vmm_sample *sum = vmm_alloc_hook(NULL, (f->t->look_count + 1) * sizeof(*sum));

	if (!sum)
		return vmm_fail_nomem(err);
	for (int m = VMM_GROWTH_COMMITTED; m < VMM_GROWTH_REGIONS; m++) {
		struct vmm_trend *whole = &c->measures[m], trend;
		int code;

		if (whole->verdict != VMM_TREND_STEADY)
			continue;
		sum_survivors(f, c->track, (enum vmm_growth_measure)m, sum);
		code = vmm_trend_find(sum, f->t->look_count, &trend, err);
		if (code < 0)
			return code;
		if (trend.verdict != VMM_TREND_STEADY || trend.slope < whole->low * PART_ALL || trend.slope > whole->high / PART_ALL)
			continue;
		whole->slope = trend.slope;
		whole->low = trend.low;
		whole->high = trend.high;
	}
	return 0;
}

static int add_candidates(struct vmm_growth_finder *f, const struct rises *rises, struct vmm_err *err)
{
	for (size_t i = 0; i < rises->count && i < TRACKS_MOST; i++) {
		int code = add_candidate(f, rises->v[i].track, err);

		if (code < 0)
			return code;
	}
	return 0;
}

int vmm_growth_candidates(struct vmm_growth_finder *f, bool *ret_cut, struct vmm_err *err)
{
	struct rises rises = {0};
	int code = find_rises(f, &rises) ? add_candidates(f, &rises, err) : vmm_fail_nomem(err);

	*ret_cut |= rises.count > TRACKS_MOST;
	free(rises.v);
	if (code < 0)
		return code;
	choose(f);
	for (size_t i = 0; i < f->count && code == 0; i++)
		if (!f->v[i].dropped && f->t->v[f->v[i].track].level == VMM_TRACK_SORT)
			code = refine(f, &f->v[i], err);
	return code;
}
