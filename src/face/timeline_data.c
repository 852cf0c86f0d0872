/* A timeline put together: what was chosen, its numbers, their trends. */
#include <stdlib.h>

#include "analysis/trend.h"
#include "base/err.h"
#include "face/timeline.h"

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

static bool ever_something(const struct vmm_timeline *t, const struct vmm_timeline_row *row)
{
	for (uint32_t i = 0; i < t->look_count; i++)
		if (!row->samples[i].known || row->samples[i].value)
			return true;
	return false;
}

void vmm_timeline_kinds(struct vmm_timeline *t)
{
	uint32_t n = 0;

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

	t->snapshot_count = (uint32_t)c->all;
	if (totals)
		return vmm_timeline_totals(t, session, c, err);
	code = vmm_timeline_follow(t, session, c, err);
	return code == 0 ? vmm_timeline_times(t, err) : code;
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
	int code = vmm_timeline_choose(t->ask, c, err);

	if (code == 0)
		code = vmm_timeline_targets(t, c, err);
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
