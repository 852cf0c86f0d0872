#include <stdlib.h>
#include <string.h>

#include "analysis/trend.h"
#include "base/err.h"
#include "base/scan.h"
#include "face/timeline.h"

#define GAP_PACES 8 /* of the usual time between two looks: a longer one is a gap */
#define UNEVEN 3    /* where a tenth of all is so much longer than the usual, looks have no pace, and no gaps */

void vmm_timeline_destroy(struct vmm_timeline *t)
{
	if (!t)
		return;
	vmm_growth_destroy(t->growth);
	vmm_arena_destroy(t->arena);
}

bool vmm_timeline_room(struct vmm_timeline *t, uint32_t rows, uint32_t looks)
{
	struct vmm_sample *samples = vmm_arena_array(t->arena, ((size_t)rows + 1) * looks + 1, sizeof(*samples));

	t->rows = vmm_arena_array(t->arena, (size_t)rows + 1, sizeof(*t->rows));
	t->looks = vmm_arena_array(t->arena, (size_t)looks + 1, sizeof(*t->looks));
	if (!samples || !t->rows || !t->looks)
		return false;
	for (uint32_t i = 0; i < rows; i++)
		t->rows[i] = (struct vmm_timeline_row){
		    .label = "", .id = "", .samples = samples + (size_t)i * looks, .kind = VMM_KIND_COUNT};
	t->total = (struct vmm_timeline_row){.label = "Total",
					     .id = "total",
					     .letter = ' ',
					     .kind = VMM_KIND_COUNT,
					     .samples = samples + (size_t)rows * looks};
	t->row_count = rows;
	t->look_count = looks;
	return true;
}

void vmm_timeline_mark(struct vmm_timeline_row *row, unsigned place)
{
	static const int colours[] = {209, 117, 226, 141, 79, 215, 149, 146, 174, 153, 180, 111};

	row->letter = (char)('a' + place % 26);
	row->colour = colours[place % ARRAY_LEN(colours)];
}

/* ---- which snapshots ---- */

static bool number_is(const char *text, uint64_t *ret)
{
	struct vmm_scan s = vmm_scan_init(text, strlen(text));

	return vmm_scan_dec(&s, ret) && vmm_scan_done(&s);
}

/* --target: a PID, a name, or else the number of a target. */
static bool fits_target(const struct vmm_session_index *index, const char *text, uint32_t i)
{
	const struct vmm_session_entry *e = &index->entries[i];
	uint64_t number;

	if (!text)
		return true;
	if (!number_is(text, &number))
		return strcmp(e->name, text) == 0;
	for (uint32_t k = 0; k < index->count; k++)
		if (index->entries[k].pid > 0 && (uint64_t)index->entries[k].pid == number)
			return e->pid > 0 && (uint64_t)e->pid == number;
	return e->target == number;
}

/* The numbers that --from and --to name. What lies before the first snapshot is where all begins. */
static int find_range(const struct vmm_timeline_ask *ask, const struct vmm_session_index *index, uint32_t *ret_from,
		      uint32_t *ret_to, struct vmm_err *err)
{
	int code = 0;

	*ret_from = 0;
	*ret_to = UINT32_MAX;
	if (ask->from)
		code = vmm_session_find(index, ask->from, ret_from, err);
	if (code == VMM_E_NO_TARGET && ((ask->from[0] >= '0' && ask->from[0] <= '9') || ask->from[0] == '-'))
		code = 0;
	else if (code == VMM_E_USAGE || code == VMM_E_NO_TARGET)
		return vmm_fail(err, VMM_E_USAGE, 0,
				"--from: '%.60s' is no snapshot: a number, first, -20, or a time such as 14:05",
				ask->from);
	if (code == 0 && ask->to)
		code = vmm_session_find(index, ask->to, ret_to, err);
	if (code == VMM_E_USAGE)
		return vmm_fail(err, VMM_E_USAGE, 0,
				"--to: '%.60s' is no snapshot: a number, last, -20, or a time such as 14:05", ask->to);
	return code;
}

static int choose(const struct vmm_timeline_ask *ask, struct vmm_timeline_choice *c, struct vmm_err *err)
{
	uint32_t from, to;
	int code = find_range(ask, c->index, &from, &to, err);

	for (uint32_t i = 0; i < c->index->count && code == 0; i++) {
		const struct vmm_session_entry *e = &c->index->entries[i];

		if (e->number < from || e->number > to || !fits_target(c->index, ask->target, i))
			continue;
		if (!vmm_grow(&c->v, &c->capacity, c->count + 1, sizeof(*c->v)))
			return vmm_fail_nomem(err);
		c->v[c->count++] = i;
	}
	if (code == 0 && c->count == 0 && ask->target)
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "--target: no snapshot of '%.60s' there", ask->target);
	if (code == 0 && c->count == 0)
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "there is no snapshot in it");
	return code;
}

static const char *keep_text(struct vmm_arena *arena, const char *text)
{
	return vmm_arena_intern(arena, text, strlen(text));
}

/* The targets of the chosen entries; their numbers run from 1 to target_count of the index. */
static int list_targets(struct vmm_timeline *t, const struct vmm_timeline_choice *c, struct vmm_err *err)
{
	uint32_t *place = vmm_arena_array(t->arena, (size_t)c->index->target_count + 2, sizeof(*place));

	t->targets = vmm_arena_array(t->arena, (size_t)c->index->target_count + 1, sizeof(*t->targets));
	if (!place || !t->targets)
		return vmm_fail_nomem(err);
	for (size_t i = 0; i < c->count; i++) {
		const struct vmm_session_entry *e = &c->index->entries[c->v[i]];
		struct vmm_timeline_target *g;

		if (e->target == 0 || e->target > c->index->target_count)
			return vmm_fail(err, VMM_E_FORMAT, 0, "snapshot %u is of a target that is none", e->number);
		if (!place[e->target]) {
			place[e->target] = ++t->target_count;
			g = &t->targets[t->target_count - 1];
			*g = (struct vmm_timeline_target){.target = e->target,
							  .first = e->number,
							  .first_look = (uint32_t)i,
							  .pid = e->pid,
							  .name = keep_text(t->arena, e->name),
							  .source = keep_text(t->arena, e->source)};
			if (!g->name || !g->source)
				return vmm_fail_nomem(err);
		}
		g = &t->targets[place[e->target] - 1];
		g->last = e->number;
		g->last_look = (uint32_t)i;
		g->count++;
	}
	for (uint32_t i = 1; i < t->target_count; i++)
		t->together |=
		    t->targets[i].first < t->targets[i - 1].last || strcmp(t->targets[i].name, t->targets[0].name) != 0;
	return 0;
}

/* ---- their times ---- */

static int by_length(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* The usual time between two looks, and whether others are much longer. Looks at several targets count as one. */
static bool find_pace(struct vmm_timeline *t, bool *ret_even)
{
	VMM_CLEANUP_FREE int64_t *v = vmm_alloc_hook(NULL, ((size_t)t->look_count + 1) * sizeof(*v));
	int64_t before = 0, longest = 0;
	size_t n = 0;

	if (!v)
		return false;
	for (uint32_t i = 1; i < t->look_count; i++) {
		int64_t step = t->looks[i].axis_ns - before;

		longest = t->looks[i].axis_ns - t->looks[i - 1].axis_ns > longest
			      ? t->looks[i].axis_ns - t->looks[i - 1].axis_ns
			      : longest;
		/* In a round all targets are looked at in turn. */
		if (t->together && t->looks[i].target != t->looks[0].target)
			continue;
		if (step > 0)
			v[n++] = step;
		before = t->looks[i].axis_ns;
	}
	if (n)
		qsort(v, n, sizeof(*v), by_length);
	t->pace_ns = n ? v[n / 2] : longest;
	*ret_even = n >= 4 && v[n * 9 / 10] / UNEVEN <= t->pace_ns;
	return true;
}

/* Times that rise, gaps and restarts. */
static int mark_looks(struct vmm_timeline *t, struct vmm_err *err)
{
	int64_t shift = 0;
	bool even;

	for (uint32_t i = 1; i < t->look_count; i++) {
		struct vmm_timeline_look *l = &t->looks[i], *before = l - 1;
		int64_t seconds = (int64_t)((uint64_t)l->taken_at.tv_sec - (uint64_t)before->taken_at.tv_sec), step;

		if (__builtin_mul_overflow(seconds, INT64_C(1000000000), &step) ||
		    __builtin_add_overflow(step, (int64_t)l->taken_at.tv_nsec - before->taken_at.tv_nsec, &step))
			step = seconds < 0 ? -1 : INT64_MAX / 4;
		if (step < 0) {
			t->set_back++;
			step = i > 1 ? before->axis_ns - before[-1].axis_ns : 0;
		}
		if (__builtin_add_overflow(shift, step, &shift))
			shift = INT64_MAX;
		l->axis_ns = shift;
		l->other = !t->together && l->target != before->target;
	}
	if (!find_pace(t, &even))
		return vmm_fail_nomem(err);
	for (uint32_t i = 1; i < t->look_count && even; i++)
		t->looks[i].gap = (t->looks[i].axis_ns - t->looks[i - 1].axis_ns) / GAP_PACES > t->pace_ns;
	return 0;
}

void vmm_timeline_columns(const struct vmm_timeline *t, unsigned columns, uint32_t *ret_look)
{
	int64_t span = t->look_count ? t->looks[t->look_count - 1].axis_ns : 0;
	uint32_t next = 0, held = VMM_NONE;

	for (unsigned c = 0; c < columns; c++) {
		/* A column holds the looks up to where the next one begins; of those the largest is shown: no peak is
		 * lost. */
		int64_t end = (int64_t)((vmm_wide)span * (c + 1) / columns);
		uint32_t best = VMM_NONE;

		for (; next < t->look_count && (t->looks[next].axis_ns < end || c + 1 == columns); next++) {
			const struct vmm_sample *v = t->total.samples;

			/* Used bytes are known only where heaps were walked: the looks between say nothing. */
			if (!v[next].known)
				continue;
			if (best == VMM_NONE || v[next].value >= v[best].value)
				best = next;
			held = next;
		}
		/* Between two looks the one before stands, but not in a gap. */
		if (best == VMM_NONE && next < t->look_count && !t->looks[next].gap)
			best = held;
		ret_look[c] = best;
	}
}

/* ---- kinds and targets, by the totals ---- */

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

static bool ever_something(const struct vmm_timeline *t, const struct vmm_timeline_row *row)
{
	for (uint32_t i = 0; i < t->look_count; i++)
		if (!row->samples[i].known || row->samples[i].value)
			return true;
	return false;
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
	uint32_t n = 0;

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
	for (int k = 0; k < VMM_KIND_COUNT; k++) {
		struct vmm_timeline_row *row = &t->rows[k];

		row->kind = (enum vmm_kind)k;
		row->id = vmm_kind_id(row->kind);
		row->label = vmm_kind_label(row->kind);
		row->letter = vmm_kind_letter(row->kind);
		row->colour = vmm_kind_colour256(row->kind);
		if (ever_something(t, row))
			t->rows[n++] = *row;
	}
	t->row_count = n;
	return 0;
}

static int find_trends(struct vmm_timeline *t, struct vmm_err *err)
{
	int code = vmm_trend_find(t->total.samples, t->look_count, &t->total.trend, err);

	for (uint32_t i = 0; i < t->row_count && code == 0; i++)
		code = vmm_trend_find(t->rows[i].samples, t->look_count, &t->rows[i].trend, err);
	return code;
}

static int fill(struct vmm_timeline *t, struct vmm_session *session, const struct vmm_timeline_choice *c,
		struct vmm_err *err)
{
	bool totals = !t->ask->where && (t->by == VMM_TIMELINE_KIND || t->by == VMM_TIMELINE_TARGET);
	int code;

	t->snapshot_count = (uint32_t)c->count;
	if (!totals) {
		code = vmm_timeline_follow(t, session, c, err);
		return code == 0 ? mark_looks(t, err) : code;
	}
	if (!vmm_timeline_room(t, t->by == VMM_TIMELINE_KIND ? VMM_KIND_COUNT : t->target_count, (uint32_t)c->count))
		return vmm_fail_nomem(err);
	for (uint32_t i = 0; i < t->look_count; i++) {
		const struct vmm_session_entry *e = &c->index->entries[c->v[i]];

		t->looks[i] =
		    (struct vmm_timeline_look){.taken_at = e->taken_at, .number = e->number, .target = e->target};
	}
	code = mark_looks(t, err);
	if (code == 0)
		code = fill_totals(t, session, c, err);
	return code == 0 ? name_rows(t, err) : code;
}

static int find_growth(struct vmm_timeline *t, struct vmm_session *session, const struct vmm_timeline_choice *c,
		       struct vmm_err *err)
{
	struct vmm_growth_query q = {.first = c->index->entries[c->v[0]].number,
				     .last = c->index->entries[c->v[c->count - 1]].number};

	if (!t->ask->growth || t->together || t->ask->where)
		return 0;
	q.target = c->index->entries[c->v[c->count - 1]].target;
	return vmm_growth_find(session, c->index, &q, &t->growth, err);
}

static int create(struct vmm_timeline *t, struct vmm_session *session, struct vmm_timeline_choice *c,
		  struct vmm_err *err)
{
	int code = choose(t->ask, c, err);

	if (code == 0)
		code = list_targets(t, c, err);
	if (code < 0)
		return code;
	t->by = t->together && !t->ask->by_chosen ? VMM_TIMELINE_TARGET : t->ask->by;
	if (t->together && (t->by == VMM_TIMELINE_HEAP || t->by == VMM_TIMELINE_REGION || t->ask->where))
		return vmm_fail(err, VMM_E_USAGE, 0,
				"the session has %u targets: choose one with --target, as --target %u", t->target_count,
				t->targets[t->target_count - 1].target);
	code = fill(t, session, c, err);
	if (code == 0)
		code = find_trends(t, err);
	return code == 0 ? find_growth(t, session, c, err) : code;
}

int vmm_timeline_create(struct vmm_session *session, const struct vmm_timeline_ask *ask, struct vmm_timeline **ret,
			struct vmm_err *err)
{
	struct vmm_timeline_choice c = {0};
	struct vmm_session_index *index;
	struct vmm_arena *arena;
	struct vmm_timeline *t;
	int code = vmm_session_index(session, &index, err);

	if (code < 0)
		return code;
	arena = vmm_arena_create();
	t = arena ? vmm_arena_alloc(arena, sizeof(*t)) : NULL;
	code = t ? 0 : vmm_fail_nomem(err);
	if (t) {
		t->arena = arena;
		t->ask = ask;
		c.index = index;
		code = create(t, session, &c, err);
	}
	free(c.v);
	vmm_session_index_destroy(index);
	if (code == 0)
		*ret = t;
	else if (t)
		vmm_timeline_destroy(t);
	else
		vmm_arena_destroy(arena);
	return code;
}
