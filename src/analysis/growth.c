/*
 * What grows steadily: tracks are followed through the snapshots, the trend of each is asked for, and of those that
 * tell the same story (a heap, its region, all regions of one size) the one that says most is kept.
 */
#include "analysis/growth.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/trend.h"
#include "base/err.h"

#define LOOKS_DEFAULT 300
#define LOOKS_LEAST 32
#define REGIONS_ALL 1000000 /* regions in all snapshots that are looked at, about */
#define RISE_LEAST 65536    /* bytes from the first to the last snapshot that are worth a word */
#define RISE_SHARE 0.01     /* of the greatest rise of all */
#define TRACKS_MOST 512     /* whose trends are asked for: those that rose most */
#define PART_MOST 0.8       /* of the growth: parts that explain so much are worth a word */
#define PART_ALL 0.9        /* and so much: they are told of instead of the whole */

static const enum vmm_metric metric_table[] = {VMM_METRIC_USED, VMM_METRIC_COMMITTED, VMM_METRIC_RSS, VMM_METRIC_SIZE};
_Static_assert(ARRAY_LEN(metric_table) == VMM_GROWTH_REGIONS, "the number of regions comes after the metrics");

const char *vmm_growth_level_id(enum vmm_growth_level level)
{
	static const char *const ids[] = {"heap", "region", "group"};

	return (size_t)level < ARRAY_LEN(ids) ? ids[level] : "";
}

const char *vmm_growth_measure_id(enum vmm_growth_measure measure)
{
	static const char *const ids[VMM_GROWTH_MEASURES] = {"used", "committed", "rss", "size", "regions"};

	return measure < VMM_GROWTH_MEASURES ? ids[measure] : "";
}

int vmm_growth_start(struct vmm_tracks *t, struct vmm_err *err)
{
	return vmm_tracks_init(t, metric_table, ARRAY_LEN(metric_table), err);
}

/* A track that may be told about. */
struct candidate {
	uint32_t track;
	enum vmm_growth_measure lead;
	struct vmm_trend measures[VMM_GROWTH_MEASURES];
	bool dropped;
	uint32_t carrier; /* place in v of what carries the growth of a heap or sort; VMM_NONE */
};

/* A track by how much it rose, in the measure that rose most. */
struct rise {
	uint64_t bytes;
	uint32_t track;
};

struct finder {
	const struct vmm_tracks *t;
	struct rise *rises;
	size_t rise_count, rise_capacity;
	struct vmm_sample *samples;
	struct candidate *v;
	size_t count, capacity;
};

/* Rises so that it is worth the work: compares both ends only. */
static bool may_grow(const struct finder *f, const struct vmm_track *track)
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
static bool find_rises(struct finder *f)
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
		if (!vmm_grow(&f->rises, &f->rise_capacity, f->rise_count + 1, sizeof(*f->rises)))
			return false;
		f->rises[f->rise_count++] = rise;
	}
	if (f->rise_count)
		qsort(f->rises, f->rise_count, sizeof(*f->rises), by_bytes);
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

static int add_candidate(struct finder *f, uint32_t index, struct vmm_err *err)
{
	struct candidate c = {.track = index, .lead = VMM_GROWTH_MEASURES, .carrier = VMM_NONE};

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

static bool steady(const struct candidate *c, enum vmm_growth_measure measure)
{
	return c->measures[measure].verdict == VMM_TREND_STEADY;
}

static double rise_of(const struct candidate *c)
{
	return c->measures[c->lead].slope * c->measures[c->lead].seconds;
}

/* The measure in which a whole and its parts can be compared: used bytes are told of heaps alone. */
static enum vmm_growth_measure common_measure(const struct candidate *whole)
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
static void choose_between(struct finder *f, struct candidate *whole)
{
	bool heap = f->t->v[whole->track].level == VMM_TRACK_HEAP;
	enum vmm_growth_measure m = common_measure(whole);
	double regions = 0, most;
	struct candidate *sized = NULL, *largest = NULL;

	most = m < VMM_GROWTH_MEASURES ? whole->measures[m].slope * PART_MOST : 0;
	for (size_t i = 0; i < f->count; i++) {
		struct candidate *c = &f->v[i];

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
static void choose(struct finder *f)
{
	double most = 0;

	for (size_t i = 0; i < f->count; i++) {
		enum vmm_track_level level = f->t->v[f->v[i].track].level;

		if (level == VMM_TRACK_SORT || level == VMM_TRACK_HEAP)
			choose_between(f, &f->v[i]);
	}
	for (size_t i = 0; i < f->count; i++) {
		struct candidate *c = &f->v[i];

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

static double rise_told(const struct vmm_growth_finding *g)
{
	return g->measures[g->lead].slope * g->measures[g->lead].seconds;
}

static int by_rise(const void *a, const void *b)
{
	double x = rise_told(a), y = rise_told(b);

	return x > y ? -1 : x < y;
}

static const char *keep_text(struct vmm_arena *arena, const char *text)
{
	return vmm_arena_strndup(arena, text, strlen(text));
}

/* The thread of a stack, or the only one that allocates from a heap. */
static const struct vmm_thread *thread_of(const struct vmm_snapshot *s, const struct vmm_region *r,
					  const struct vmm_heap *h)
{
	uint32_t at = VMM_NONE;

	if (h && h->thread_count == 1)
		at = h->threads[0];
	else if (!h && r)
		at = r->thread;
	return at < s->thread_count ? &s->threads[at] : NULL;
}

static bool describe(const struct finder *f, const struct candidate *c, struct vmm_arena *arena,
		     struct vmm_growth_finding *g)
{
	const struct vmm_snapshot *s = f->t->last;
	const struct candidate *carrier = c->carrier == VMM_NONE ? c : &f->v[c->carrier];
	const struct vmm_track *track = &f->t->v[c->track], *place = &f->t->v[carrier->track];
	const struct vmm_region *r = place->region < s->region_count ? &s->regions[place->region] : NULL;
	uint32_t heap = track->level == VMM_TRACK_HEAP ? track->heap : r ? r->heap : VMM_NONE;
	const struct vmm_heap *h = heap < s->heap_count ? &s->heaps[heap] : NULL;
	const struct vmm_thread *thread = thread_of(s, track->level == VMM_TRACK_REGION ? r : NULL, h);

	*g = (struct vmm_growth_finding){
	    .kind = track->kind, .prot = track->prot, .lead = c->lead, .each = place->each, .regions = 1};
	memcpy(g->measures, c->measures, sizeof(g->measures));
	g->measures[VMM_GROWTH_REGIONS] = carrier->measures[VMM_GROWTH_REGIONS];
	g->level = track->level == VMM_TRACK_HEAP     ? VMM_GROWTH_HEAP
		   : track->level == VMM_TRACK_REGION ? VMM_GROWTH_REGION
						      : VMM_GROWTH_GROUP;
	if (track->level != VMM_TRACK_REGION)
		vmm_track_now(place, VMM_GROWTH_REGIONS, &g->regions);
	if (place->level == VMM_TRACK_REGION && r) {
		g->address = r->start;
		g->end = r->end;
	}
	g->name = keep_text(arena, track->level == VMM_TRACK_HEAP && h     ? h->label
				   : track->level == VMM_TRACK_REGION && r ? (r->details[0] ? r->details : r->path)
									   : track->stem);
	g->heap = h ? keep_text(arena, h->id) : NULL;
	g->tid = thread ? thread->tid : 0;
	g->thread = thread && thread->name ? keep_text(arena, thread->name) : NULL;
	return g->name && (!h || g->heap) && (!thread || !thread->name || g->thread);
}

/*
 * What the regions of a sort that are there at the end had at each look, but for the last quarter of them: those that came
 * in it may be about to go.
 */
static void sum_survivors(struct finder *f, uint32_t sort, enum vmm_growth_measure m, struct vmm_sample *ret)
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
static int refine(struct finder *f, struct candidate *c, struct vmm_err *err)
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

static int find_findings(struct finder *f, struct vmm_growth *g, struct vmm_err *err)
{
	struct vmm_growth_finding *v;

	if (!find_rises(f))
		return vmm_fail_nomem(err);
	g->cut |= f->rise_count > TRACKS_MOST;
	for (size_t i = 0; i < f->rise_count && i < TRACKS_MOST; i++) {
		int code = add_candidate(f, f->rises[i].track, err);

		if (code < 0)
			return code;
	}
	choose(f);
	for (size_t i = 0; i < f->count; i++) {
		int code = !f->v[i].dropped && f->t->v[f->v[i].track].level == VMM_TRACK_SORT ? refine(f, &f->v[i], err) : 0;

		if (code < 0)
			return code;
	}
	v = vmm_arena_array(g->arena, f->count + 1, sizeof(*v));
	if (!v)
		return vmm_fail_nomem(err);
	for (size_t i = 0; i < f->count; i++)
		if (!f->v[i].dropped && !describe(f, &f->v[i], g->arena, &v[g->finding_count++]))
			return vmm_fail_nomem(err);
	if (g->finding_count)
		qsort(v, g->finding_count, sizeof(*v), by_rise);
	g->findings = v;
	return 0;
}

/* The trends of the kinds and of all together: kind VMM_KIND_COUNT. */
static int find_kind(struct finder *f, int kind, struct vmm_trend ret[VMM_GROWTH_MEASURES], struct vmm_err *err)
{
	for (unsigned m = 0; m < VMM_GROWTH_MEASURES; m++) {
		int code;

		for (size_t i = 0; i < f->t->look_count; i++) {
			const struct vmm_track_look *look = &f->t->looks[i];
			const struct vmm_track_values *v = kind == VMM_KIND_COUNT ? &look->total : &look->kinds[kind];

			f->samples[i] = (struct vmm_sample){look->time_ns, v->value[m], (v->known >> m) & 1};
		}
		code = vmm_trend_find(f->samples, f->t->look_count, &ret[m], err);
		if (code < 0)
			return code;
	}
	return 0;
}

static void limit_samples(struct finder *f, const char *id)
{
	for (size_t i = 0; i < f->t->look_count; i++) {
		f->samples[i] = (struct vmm_sample){.time_ns = f->t->looks[i].time_ns};
		for (unsigned k = 0; k < VMM_TRACK_LIMITS && f->t->looks[i].limits[k].id; k++) {
			if (strcmp(f->t->looks[i].limits[k].id, id) != 0)
				continue;
			f->samples[i].known = f->t->looks[i].limits[k].known;
			f->samples[i].value = f->t->looks[i].limits[k].used;
		}
	}
}

static int by_time_left(const void *a, const void *b)
{
	double x = ((const struct vmm_growth_forecast *)a)->seconds,
	       y = ((const struct vmm_growth_forecast *)b)->seconds;

	return x < y ? -1 : x > y;
}

static int find_forecasts(struct finder *f, struct vmm_growth *g, struct vmm_err *err)
{
	const struct vmm_snapshot *s = f->t->last;
	struct vmm_growth_forecast *v = vmm_arena_array(g->arena, (s ? s->limit_count : 0) + 1, sizeof(*v));

	if (!v)
		return vmm_fail_nomem(err);
	for (uint32_t i = 0; s && i < s->limit_count; i++) {
		const struct vmm_limit *l = &s->limits[i];
		struct vmm_growth_forecast *fc = &v[g->forecast_count];
		int code;

		if (!l->known || !l->used_known || l->soft == UINT64_MAX || l->used >= l->soft)
			continue;
		limit_samples(f, l->id);
		code = vmm_trend_find(f->samples, f->t->look_count, &fc->trend, err);
		if (code < 0)
			return code;
		if (fc->trend.verdict != VMM_TREND_STEADY)
			continue;
		fc->limit = keep_text(g->arena, l->id);
		fc->text = keep_text(g->arena, l->text);
		if (!fc->limit || !fc->text)
			return vmm_fail_nomem(err);
		fc->soft = l->soft;
		fc->used = l->used;
		fc->bytes = l->bytes;
		fc->seconds = (double)(l->soft - l->used) / fc->trend.slope;
		g->forecast_count++;
	}
	if (g->forecast_count)
		qsort(v, g->forecast_count, sizeof(*v), by_time_left);
	g->forecasts = v;
	return 0;
}

static int fill(struct finder *f, struct vmm_growth *g, struct vmm_err *err)
{
	const struct vmm_tracks *t = f->t;
	int code = 0;

	g->looked_at = (uint32_t)t->look_count;
	g->cut = t->cut;
	if (t->look_count) {
		const struct vmm_track_look *first = &t->looks[0], *last = &t->looks[t->look_count - 1];

		g->first = first->number;
		g->last = last->number;
		g->from = (struct timespec){first->time_ns / 1000000000, first->time_ns % 1000000000};
		g->to = (struct timespec){last->time_ns / 1000000000, last->time_ns % 1000000000};
	}
	for (int k = 0; k <= VMM_KIND_COUNT && code == 0; k++)
		code = find_kind(f, k, k == VMM_KIND_COUNT ? g->total : g->kinds[k], err);
	if (code == 0)
		code = find_findings(f, g, err);
	return code == 0 ? find_forecasts(f, g, err) : code;
}

int vmm_growth_of(const struct vmm_tracks *t, struct vmm_growth **ret_growth, struct vmm_err *err)
{
	struct finder f = {.t = t, .samples = vmm_alloc_hook(NULL, (t->look_count + 1) * sizeof(*f.samples))};
	struct vmm_arena *arena = vmm_arena_create();
	struct vmm_growth *g = arena ? vmm_arena_alloc(arena, sizeof(*g)) : NULL;
	int code = vmm_fail_nomem(err);

	if (g && f.samples) {
		g->arena = arena;
		code = fill(&f, g, err);
	}
	free(f.samples);
	free(f.v);
	free(f.rises);
	if (code < 0)
		vmm_arena_destroy(arena);
	else
		*ret_growth = g;
	return code;
}

void vmm_growth_destroy(struct vmm_growth *growth)
{
	if (growth)
		vmm_arena_destroy(growth->arena);
}

/* ---- sessions ---- */

/* The entries of the query's target and range, as places in the index. */
struct choice {
	uint32_t *v;
	size_t count, capacity;
};

static int choose_entries(const struct vmm_session_index *index, const struct vmm_growth_query *q, struct choice *ret,
			  uint32_t *ret_target, struct vmm_err *err)
{
	uint32_t last = q->last ? q->last : UINT32_MAX, target = q->target;

	for (uint32_t i = index->count; i-- > 0 && !target;)
		if (index->entries[i].number <= last && index->entries[i].number >= q->first)
			target = index->entries[i].target;
	for (uint32_t i = 0; i < index->count; i++) {
		const struct vmm_session_entry *e = &index->entries[i];

		if (e->target != target || e->number < q->first || e->number > last)
			continue;
		if (!vmm_grow(&ret->v, &ret->capacity, ret->count + 1, sizeof(*ret->v)))
			return vmm_fail_nomem(err);
		ret->v[ret->count++] = i;
	}
	*ret_target = target;
	return ret->count ? 0 : vmm_fail(err, VMM_E_NO_TARGET, 0, "the session has no such snapshot");
}

int vmm_tracks_load(struct vmm_tracks *t, struct vmm_session *session, const struct vmm_session_index *index,
		    const uint32_t *entries, size_t count, uint32_t most, const struct vmm_track_filter *filter,
		    struct vmm_err *err)
{
	size_t picks = most ? most : LOOKS_DEFAULT;

	for (size_t i = 0; i < picks && i < count; i++) {
		uint32_t number = index->entries[entries[vmm_pick(i, picks, count)]].number;
		struct vmm_snapshot *s;
		int code = vmm_session_load(session, number, &s, err);

		/* The first tells how large they are. */
		if (code == 0 && i == 0 && !most && s->region_count > REGIONS_ALL / LOOKS_DEFAULT)
			picks = vmm_max_u64(LOOKS_LEAST, REGIONS_ALL / s->region_count);
		if (code == 0)
			code = vmm_tracks_add(t, s, number, filter, err);
		if (code < 0)
			return code;
	}
	return 0;
}

int vmm_growth_find(struct vmm_session *session, const struct vmm_session_index *index,
		    const struct vmm_growth_query *query, struct vmm_growth **ret_growth, struct vmm_err *err)
{
	static const struct vmm_growth_query all = {0};
	const struct vmm_growth_query *q = query ? query : &all;
	struct choice entries = {0};
	struct vmm_tracks tracks;
	struct vmm_growth *g = NULL;
	uint32_t target = 0;
	int code = vmm_growth_start(&tracks, err);

	if (code < 0)
		return code;
	code = choose_entries(index, q, &entries, &target, err);
	if (code == 0)
		code = vmm_tracks_load(&tracks, session, index, entries.v, entries.count, q->most, NULL, err);
	if (code == 0)
		code = vmm_growth_of(&tracks, &g, err);
	vmm_tracks_done(&tracks);
	if (code == 0) {
		g->target = target;
		g->snapshots = (uint32_t)entries.count;
		*ret_growth = g;
	}
	free(entries.v);
	return code;
}
