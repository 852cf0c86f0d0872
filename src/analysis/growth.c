/* What grows steadily, told: findings, the trends of the kinds, and when limits will be reached. */
#include "analysis/growth_find.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/growth.h"
#include "analysis/trend.h"
#include "base/err.h"

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

static bool describe(const struct vmm_growth_finder *f, const struct vmm_growth_candidate *c, struct vmm_arena *arena,
		     struct vmm_growth_finding *g)
{
	const struct vmm_snapshot *s = f->t->last;
	const struct vmm_growth_candidate *carrier = c->carrier == VMM_NONE ? c : &f->v[c->carrier];
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

static int find_findings(struct vmm_growth_finder *f, struct vmm_growth *g, struct vmm_err *err)
{
	struct vmm_growth_finding *v;
	int code = vmm_growth_candidates(f, &g->cut, err);

	if (code < 0)
		return code;
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
static int find_kind(struct vmm_growth_finder *f, int kind, struct vmm_trend ret[VMM_GROWTH_MEASURES], struct vmm_err *err)
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

static void limit_samples(struct vmm_growth_finder *f, const char *id)
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

static int find_forecasts(struct vmm_growth_finder *f, struct vmm_growth *g, struct vmm_err *err)
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

static int fill(struct vmm_growth_finder *f, struct vmm_growth *g, struct vmm_err *err)
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
	struct vmm_growth_finder f = {.t = t, .samples = vmm_alloc_hook(NULL, (t->look_count + 1) * sizeof(*f.samples))};
	struct vmm_arena *arena = vmm_arena_create();
	struct vmm_growth *g = arena ? vmm_arena_alloc(arena, sizeof(*g)) : NULL;
	int code = vmm_fail_nomem(err);

	if (g && f.samples) {
		g->arena = arena;
		code = fill(&f, g, err);
	}
	free(f.samples);
	free(f.v);
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
