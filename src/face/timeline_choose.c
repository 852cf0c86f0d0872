/* Which snapshots of a session a timeline is about, and which targets they are of. */
#include <string.h>

#include "base/err.h"
#include "base/scan.h"
#include "face/timeline.h"

static bool number_is(const char *text, uint64_t *ret)
{
	struct vmm_scan s = vmm_scan_init(text, strlen(text));

	return vmm_scan_dec(&s, ret) && vmm_scan_done(&s);
}

/* The number of a target by itself, where one number may be a PID and a target's: "target:2". */
static bool is_number_of_target(const char *text, uint64_t *ret)
{
	return strncmp(text, "target:", 7) == 0 && number_is(text + 7, ret);
}

bool vmm_timeline_fits(const struct vmm_session_index *index, const char *wanted, uint32_t i)
{
	const struct vmm_session_entry *e = &index->entries[i];
	uint64_t number;

	if (!wanted)
		return true;
	if (is_number_of_target(wanted, &number))
		return e->target == number;
	if (!number_is(wanted, &number))
		return strcmp(e->name, wanted) == 0;
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

int vmm_timeline_choose(const struct vmm_timeline_ask *ask, struct vmm_timeline_choice *c, struct vmm_err *err)
{
	uint32_t from, to;
	int code = find_range(ask, c->index, &from, &to, err);

	for (uint32_t i = 0; i < c->index->count && code == 0; i++) {
		const struct vmm_session_entry *e = &c->index->entries[i];

		if (e->number < from || e->number > to || !vmm_timeline_fits(c->index, ask->target, i) ||
		    (ask->target_number && e->target != ask->target_number))
			continue;
		if (!vmm_grow(&c->v, &c->capacity, c->count + 1, sizeof(*c->v)))
			return vmm_fail_nomem(err);
		c->v[c->count++] = i;
	}
	c->all = c->count;
	if (code == 0 && ask->looks > 1 && c->count > ask->looks) {
		for (size_t i = 0; i < ask->looks; i++)
			c->v[i] = c->v[i * (c->count - 1) / (ask->looks - 1)];
		c->count = ask->looks;
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

int vmm_timeline_targets(struct vmm_timeline *t, const struct vmm_timeline_choice *c, struct vmm_err *err)
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
