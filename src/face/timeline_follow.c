/* Rows that need the regions themselves: by heap, by region, or only those that an expression picks. */
#include <stdlib.h>
#include <string.h>

#include "analysis/growth.h"
#include "base/err.h"
#include "face/timeline.h"

/* A track that may become a row. */
struct pick {
	const struct vmm_track *track;
	uint64_t now;
};

struct picks {
	struct pick *v;
	size_t count, capacity;
};

static bool fits(void *arg, const struct vmm_snapshot *s, const struct vmm_region *r)
{
	const struct vmm_row row = {.snapshot = s, .object = r, .type = VMM_ROW_REGION};

	return vmm_expr_matches(arg, &row);
}

static int by_now(const void *a, const void *b)
{
	const struct pick *x = a, *y = b;

	if (x->now != y->now)
		return x->now > y->now ? -1 : 1;
	return x->track > y->track ? 1 : -1;
}

static bool find_picks(const struct vmm_timeline *t, const struct vmm_tracks *tracks, struct picks *ret)
{
	enum vmm_track_level level = t->by == VMM_TIMELINE_HEAP ? VMM_TRACK_HEAP : VMM_TRACK_REGION;

	for (size_t i = 0; i < tracks->count; i++) {
		struct pick pick = {.track = &tracks->v[i]};

		if (pick.track->level != level || pick.track->seen + 1 != tracks->look_count)
			continue;
		vmm_track_now(pick.track, 0, &pick.now);
		if (!vmm_grow(&ret->v, &ret->capacity, ret->count + 1, sizeof(*ret->v)))
			return false;
		ret->v[ret->count++] = pick;
	}
	if (ret->count)
		qsort(ret->v, ret->count, sizeof(*ret->v), by_now);
	return true;
}

static struct vmm_sample sample_of(const struct vmm_track_look *look, const struct vmm_track_values *v)
{
	return (struct vmm_sample){look->time_ns, v->value[0], v->known & 1};
}

/* What all rows but the last leave over. Regions that are gone by the end are in it. */
static void fill_others(struct vmm_timeline *t)
{
	struct vmm_timeline_row *others = &t->rows[t->row_count - 1];
	bool any = false;

	*others = (struct vmm_timeline_row){
	    .label = "others", .id = "others", .kind = VMM_KIND_COUNT, .samples = others->samples};
	vmm_timeline_mark(others, t->row_count - 1);
	for (uint32_t i = 0; i < t->look_count; i++) {
		struct vmm_sample v = t->total.samples[i];

		for (uint32_t r = 0; r + 1 < t->row_count; r++) {
			uint64_t part = t->rows[r].samples[i].value;

			v.value -= vmm_min_u64(v.value, part);
		}
		others->samples[i] = v;
		any |= !v.known || v.value;
	}
	t->row_count -= !any;
}

static int name_pick(struct vmm_timeline *t, const struct vmm_tracks *tracks, const struct vmm_track *track,
		     struct vmm_timeline_row *row, struct vmm_err *err)
{
	const struct vmm_snapshot *s = tracks->last;
	const char *details;

	row->kind = track->kind;
	if (track->level == VMM_TRACK_HEAP) {
		row->id = track->heap < s->heap_count
			      ? vmm_arena_intern(t->arena, s->heaps[track->heap].id, strlen(s->heaps[track->heap].id))
			      : "";
		details = track->heap < s->heap_count ? s->heaps[track->heap].label : "";
		row->label = vmm_arena_intern(t->arena, details, strlen(details));
	} else {
		const struct vmm_region *r = &s->regions[track->region];

		details = r->details[0] ? r->details : vmm_kind_label(r->kind);
		row->id = vmm_arena_printf(t->arena, "0x%llx", (unsigned long long)r->start);
		row->label = row->id ? vmm_arena_printf(t->arena, "%s %s", row->id + 2, details) : NULL;
	}
	return row->id && row->label ? 0 : vmm_fail_nomem(err);
}

static int fill_rows(struct vmm_timeline *t, const struct vmm_tracks *tracks, const struct picks *picks,
		     struct vmm_err *err)
{
	uint64_t top = t->ask->top ? t->ask->top : VMM_TIMELINE_ROWS;
	uint32_t shown = (uint32_t)vmm_min_u64(top, picks->count);

	if (!vmm_timeline_room(t, shown + 1, (uint32_t)tracks->look_count))
		return vmm_fail_nomem(err);
	for (uint32_t i = 0; i < shown; i++) {
		int code = name_pick(t, tracks, picks->v[i].track, &t->rows[i], err);

		if (code < 0)
			return code;
		vmm_timeline_mark(&t->rows[i], i);
		vmm_tracks_samples(tracks, picks->v[i].track, 0, t->rows[i].samples);
	}
	return 0;
}

/* The kinds of what was picked. */
static int fill_kinds(struct vmm_timeline *t, const struct vmm_tracks *tracks, struct vmm_err *err)
{
	if (!vmm_timeline_room(t, VMM_KIND_COUNT, (uint32_t)tracks->look_count))
		return vmm_fail_nomem(err);
	for (int k = 0; k < VMM_KIND_COUNT; k++) {
		struct vmm_timeline_row *row = &t->rows[k];

		for (uint32_t i = 0; i < t->look_count; i++)
			row->samples[i] = sample_of(&tracks->looks[i], &tracks->looks[i].kinds[k]);
	}
	vmm_timeline_kinds(t);
	return 0;
}

/* What all heaps have together: that is the whole where rows are heaps. */
static void sum_heaps(struct vmm_timeline *t, const struct vmm_tracks *tracks, struct vmm_sample *one)
{
	for (size_t i = 0; i < tracks->count; i++) {
		if (tracks->v[i].level != VMM_TRACK_HEAP)
			continue;
		vmm_tracks_samples(tracks, &tracks->v[i], 0, one);
		for (uint32_t k = 0; k < t->look_count; k++) {
			t->total.samples[k].known &= one[k].known;
			t->total.samples[k].value = vmm_add_sat(t->total.samples[k].value, one[k].value);
		}
	}
}

static int fill_looks(struct vmm_timeline *t, const struct vmm_tracks *tracks, uint32_t target, struct vmm_err *err)
{
	struct vmm_sample *one = vmm_arena_array(t->arena, (size_t)t->look_count + 1, sizeof(*one));

	if (!one)
		return vmm_fail_nomem(err);
	for (uint32_t i = 0; i < t->look_count; i++) {
		const struct vmm_track_look *l = &tracks->looks[i];

		t->looks[i] = (struct vmm_timeline_look){.taken_at = {l->time_ns / 1000000000, l->time_ns % 1000000000},
							 .number = l->number,
							 .target = target};
		t->total.samples[i] = sample_of(l, &l->total);
		if (t->by == VMM_TIMELINE_HEAP)
			t->total.samples[i] = (struct vmm_sample){l->time_ns, 0, true};
	}
	if (t->by == VMM_TIMELINE_HEAP)
		sum_heaps(t, tracks, one);
	return 0;
}

int vmm_timeline_follow(struct vmm_timeline *t, struct vmm_session *session, const struct vmm_timeline_choice *c,
			struct vmm_err *err)
{
	const struct vmm_track_filter filter = {fits, t->ask->where};
	uint32_t target = c->index->entries[c->v[c->count - 1]].target;
	VMM_CLEANUP_FREE uint32_t *entries = vmm_alloc_hook(NULL, c->count * sizeof(*entries));
	struct vmm_tracks tracks;
	struct picks picks = {0};
	size_t n = 0;
	int code = vmm_tracks_init(&tracks, &t->ask->measure, 1, err);

	/* Of a program that was started again the last run: its regions are others. */
	for (size_t i = 0; entries && i < c->count; i++)
		if (c->index->entries[c->v[i]].target == target)
			entries[n++] = c->v[i];
	if (code == 0 && !entries)
		code = vmm_fail_nomem(err);
	if (code == 0)
		code = vmm_tracks_load(&tracks, session, c->index, entries, n, 0, t->ask->where ? &filter : NULL, err);
	if (code == 0 && tracks.look_count == 0)
		code =
		    vmm_fail(err, VMM_E_NO_TARGET, 0, "none of the snapshots could be read in full when it was taken");
	if (code == 0 && t->by == VMM_TIMELINE_KIND)
		code = fill_kinds(t, &tracks, err);
	else if (code == 0)
		code = find_picks(t, &tracks, &picks) ? fill_rows(t, &tracks, &picks, err) : vmm_fail_nomem(err);
	if (code == 0)
		code = fill_looks(t, &tracks, target, err);
	if (code == 0 && t->by != VMM_TIMELINE_KIND)
		fill_others(t);
	t->snapshot_count = (uint32_t)n;
	free(picks.v);
	vmm_tracks_done(&tracks);
	return code;
}
