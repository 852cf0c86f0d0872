/* Rows of kinds and of targets: the totals of every snapshot, without loading it. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "face/timeline.h"

/* What each target has at the moment, and the sums of them. */
struct sums {
	struct vmm_sample (*now)[VMM_KIND_COUNT + 1]; /* of each target */
	bool *alive;
	uint64_t value[VMM_KIND_COUNT + 1];
	uint32_t unknown[VMM_KIND_COUNT + 1];
	uint32_t ended;  /* targets by their end that were taken out */
	uint32_t *place; /* of a target's number */
	uint32_t *by_end;
};

static void take_out(struct sums *s, uint32_t target, int kinds)
{
	for (int k = 0; k <= kinds && s->alive[target]; k++) {
		s->value[k] -= s->now[target][k].known ? s->now[target][k].value : 0;
		s->unknown[k] -= !s->now[target][k].known;
	}
	s->alive[target] = false;
}

static void put_in(struct sums *s, uint32_t target, int kinds)
{
	for (int k = 0; k <= kinds; k++) {
		s->value[k] += s->now[target][k].known ? s->now[target][k].value : 0;
		s->unknown[k] += !s->now[target][k].known;
	}
	s->alive[target] = true;
}

static struct vmm_sample sample_of(const struct vmm_timeline *t, const struct vmm_timeline_look *l,
				   const struct vmm_metrics *m)
{
	int64_t ns = (int64_t)((uint64_t)l->taken_at.tv_sec * 1000000000 + (uint64_t)l->taken_at.tv_nsec);

	return (struct vmm_sample){ns, m->value[t->ask->measure], vmm_metric_known(m, t->ask->measure)};
}

static int read_totals(struct vmm_timeline *t, struct vmm_session *session, const struct vmm_session_entry *e,
		       uint32_t look, struct vmm_sample ret[VMM_KIND_COUNT + 1], struct vmm_err *err)
{
	struct vmm_type_total types[VMM_KIND_COUNT], total;
	int code = 0;

	if (t->by == VMM_TIMELINE_KIND)
		code = vmm_session_totals(session, e->number, types, &total, err);
	for (int k = 0; k < VMM_KIND_COUNT && code == 0; k++) {
		if (t->by != VMM_TIMELINE_KIND)
			continue;
		ret[k] = sample_of(t, &t->looks[look], &types[k].m);
		/* In no total: the table would not add up. */
		if (k == VMM_KIND_FREE || k == VMM_KIND_UNUSABLE || k == VMM_KIND_PAGE_TABLE)
			ret[k] = (struct vmm_sample){ret[k].time_ns, 0, true};
	}
	ret[VMM_KIND_COUNT] = sample_of(t, &t->looks[look], &e->total);
	return code;
}

static int by_last_look(const void *a, const void *b)
{
	const struct vmm_timeline_target *x = a, *y = b;

	return x->last_look < y->last_look ? -1 : x->last_look > y->last_look;
}

/* Takes out the targets that ended before this look: half a pace after their last one. */
static void end_targets(const struct vmm_timeline *t, struct sums *s, const struct vmm_timeline_target *by_end,
			uint32_t look)
{
	while (s->ended < t->target_count) {
		uint32_t last = by_end[s->ended].last_look;

		if (last >= look || (t->together && t->looks[look].axis_ns - t->looks[last].axis_ns <= t->pace_ns / 2))
			return;
		take_out(s, s->place[by_end[s->ended++].target], VMM_KIND_COUNT);
	}
}

static struct vmm_sample sum_at(const struct sums *s, int k, int64_t time_ns)
{
	return (struct vmm_sample){time_ns, s->unknown[k] ? 0 : s->value[k], !s->unknown[k]};
}

/* All totals, one target after the other: so a session reads each of its tables once. */
static int read_all(struct vmm_timeline *t, struct vmm_session *session, const struct vmm_timeline_choice *c,
		    struct vmm_sample (*ret)[VMM_KIND_COUNT + 1], struct vmm_err *err)
{
	int code = 0;

	for (uint32_t g = 0; g < t->target_count; g++)
		for (uint32_t i = t->targets[g].first_look; i <= t->targets[g].last_look && code == 0; i++)
			if (t->looks[i].target == t->targets[g].target)
				code = read_totals(t, session, &c->index->entries[c->v[i]], i, ret[i], err);
	return code;
}

static void add_totals(struct vmm_timeline *t, struct sums *s, const struct vmm_timeline_target *by_end,
		       struct vmm_sample (*all)[VMM_KIND_COUNT + 1])
{
	for (uint32_t i = 0; i < t->look_count; i++) {
		uint32_t target = s->place[t->looks[i].target];
		int64_t ns;

		end_targets(t, s, by_end, i);
		take_out(s, target, VMM_KIND_COUNT);
		memcpy(s->now[target], all[i], sizeof(all[i]));
		put_in(s, target, VMM_KIND_COUNT);
		ns = s->now[target][VMM_KIND_COUNT].time_ns;
		t->total.samples[i] = sum_at(s, VMM_KIND_COUNT, ns);
		for (uint32_t r = 0; r < t->row_count; r++) {
			if (t->by == VMM_TIMELINE_KIND)
				t->rows[r].samples[i] = sum_at(s, (int)r, ns);
			else
				t->rows[r].samples[i] = s->alive[r]
							    ? (struct vmm_sample){ns, s->now[r][VMM_KIND_COUNT].value,
										  s->now[r][VMM_KIND_COUNT].known}
							    : (struct vmm_sample){ns, 0, true};
		}
	}
}

static int fill_totals(struct vmm_timeline *t, struct vmm_session *session, const struct vmm_timeline_choice *c,
		       struct vmm_err *err)
{
	struct sums s = {.now = vmm_arena_array(t->arena, (size_t)t->target_count + 1, sizeof(*s.now)),
			 .alive = vmm_arena_array(t->arena, (size_t)t->target_count + 1, sizeof(*s.alive)),
			 .place = vmm_arena_array(t->arena, (size_t)c->index->target_count + 2, sizeof(*s.place))};
	struct vmm_timeline_target *by_end = vmm_arena_array(t->arena, (size_t)t->target_count + 1, sizeof(*by_end));
	VMM_CLEANUP_FREE struct vmm_sample(*all)[VMM_KIND_COUNT + 1] =
	    vmm_alloc_hook(NULL, ((size_t)t->look_count + 1) * sizeof(*all));
	int code;

	if (!s.now || !s.alive || !s.place || !by_end || !all)
		return vmm_fail_nomem(err);
	for (uint32_t i = 0; i < t->target_count; i++) {
		s.place[t->targets[i].target] = i;
		by_end[i] = t->targets[i];
	}
	qsort(by_end, t->target_count, sizeof(*by_end), by_last_look);
	memset(all, 0, ((size_t)t->look_count + 1) * sizeof(*all));
	code = read_all(t, session, c, all, err);
	if (code == 0)
		add_totals(t, &s, by_end, all);
	return code;
}

/* The largest value of a row. */
static uint64_t most_of(const struct vmm_timeline *t, const struct vmm_timeline_row *row)
{
	uint64_t most = 0;

	for (uint32_t i = 0; i < t->look_count; i++)
		most = vmm_max_u64(most, row->samples[i].value);
	return most;
}

struct ranked {
	uint64_t most;
	uint32_t row;
};

static int by_most(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->most != y->most)
		return x->most > y->most ? -1 : 1;
	return (x->row > y->row) - (x->row < y->row);
}

/* Adds what is not shown to the last row that is. */
static void add_others(const struct vmm_timeline *t, struct vmm_timeline_row *others,
		       const struct vmm_timeline_row *row)
{
	for (uint32_t i = 0; i < t->look_count; i++) {
		others->samples[i].known &= row->samples[i].known;
		others->samples[i].value = vmm_add_sat(others->samples[i].value, row->samples[i].value);
	}
}

/* The largest targets, the others together. */
static int rank_rows(struct vmm_timeline *t, struct vmm_err *err)
{
	uint64_t top = t->ask->top ? t->ask->top : VMM_TIMELINE_ROWS;
	struct ranked *rank = vmm_arena_array(t->arena, (size_t)t->row_count + 1, sizeof(*rank));
	struct vmm_timeline_row *rows = vmm_arena_array(t->arena, (size_t)t->row_count + 1, sizeof(*rows));

	if (!rank || !rows)
		return vmm_fail_nomem(err);
	for (uint32_t i = 0; i < t->row_count; i++)
		rank[i] = (struct ranked){most_of(t, &t->rows[i]), i};
	qsort(rank, t->row_count, sizeof(*rank), by_most);
	for (uint32_t i = 0; i < t->row_count; i++) {
		rows[i] = t->rows[rank[i].row];
		vmm_timeline_mark(&rows[i], i);
		if (i > top)
			add_others(t, &rows[top], &rows[i]);
	}
	if (t->row_count > top) {
		rows[top].label = "others";
		rows[top].id = "others";
		t->row_count = (uint32_t)top + 1;
	}
	t->rows = rows;
	return 0;
}

static int name_rows(struct vmm_timeline *t, struct vmm_err *err)
{
	if (t->by == VMM_TIMELINE_TARGET) {
		for (uint32_t i = 0; i < t->target_count; i++) {
			const struct vmm_timeline_target *g = &t->targets[i];

			t->rows[i].id = vmm_arena_printf(t->arena, "%u", g->target);
			t->rows[i].label =
			    g->pid > 0 ? vmm_arena_printf(t->arena, "%s %d", g->name, (int)g->pid) : g->name;
			if (!t->rows[i].id || !t->rows[i].label)
				return vmm_fail_nomem(err);
		}
		return rank_rows(t, err);
	}
	vmm_timeline_kinds(t);
	return 0;
}

int vmm_timeline_totals(struct vmm_timeline *t, struct vmm_session *session, const struct vmm_timeline_choice *c,
			struct vmm_err *err)
{
	int code;

	if (!vmm_timeline_room(t, t->by == VMM_TIMELINE_KIND ? VMM_KIND_COUNT : t->target_count, (uint32_t)c->count))
		return vmm_fail_nomem(err);
	for (uint32_t i = 0; i < t->look_count; i++) {
		const struct vmm_session_entry *e = &c->index->entries[c->v[i]];

		t->looks[i] =
		    (struct vmm_timeline_look){.taken_at = e->taken_at, .number = e->number, .target = e->target};
	}
	code = vmm_timeline_times(t, err);
	if (code == 0)
		code = fill_totals(t, session, c, err);
	return code == 0 ? name_rows(t, err) : code;
}
