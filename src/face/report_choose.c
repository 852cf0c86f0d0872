/* Which targets and snapshots of a session a report shows. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "face/report_data.h"
#include "face/timeline.h"

#define SNAPSHOTS_MOST 120 /* of all targets, when nobody says how many */
#define ROWS_MOST 600000   /* regions and blocks of all snapshots together, when nobody says how many */
#define TARGETS_MOST 40    /* those that were looked at last */

/* How many snapshots of a target stay small, by the rows of its last one. */
static int count_small(const struct vmm_report_session *r, const struct vmm_report_target *t, uint64_t *ret_most, struct vmm_err *err)
{
	struct vmm_snapshot *s;
	uint64_t rows;
	int code = vmm_session_load(r->session, t->numbers[t->total - 1], &s, err);

	if (code < 0)
		return code;
	rows = (uint64_t)s->region_count + s->block_count + 1;
	vmm_snapshot_destroy(s);
	*ret_most = vmm_min_u64(SNAPSHOTS_MOST / r->target_count, ROWS_MOST / r->target_count / rows);
	*ret_most = vmm_max_u64(*ret_most, 2);
	return 0;
}

/* So many of its snapshots, evenly; the first and the last are among them, of one alone the last. */
static void thin(struct vmm_report_target *t, uint64_t most)
{
	uint32_t n = 0;

	if (most == 1)
		t->numbers[0] = t->numbers[t->total - 1];
	for (; n < most && n < t->total && most > 1; n++)
		t->numbers[n] = t->numbers[most >= t->total ? n : (uint32_t)((uint64_t)n * (t->total - 1) / (most - 1))];
	t->count = most == 1 ? 1 : n;
}

/* The place of a target among those that are listed; VMM_NONE. */
static uint32_t place_of(const struct vmm_report_session *r, uint32_t target)
{
	for (uint32_t i = 0; i < r->target_count; i++)
		if (r->targets[i].target == target)
			return i;
	return VMM_NONE;
}

/* Marks with its last entry each target that is wanted; the latest of them have room. */
static int list_targets(struct vmm_report_session *r, const char *wanted, struct vmm_err *err)
{
	const struct vmm_session_index *x = r->index;
	size_t capacity = 0;

	for (uint32_t i = x->count; i-- > 0;) {
		const struct vmm_session_entry *e = &x->entries[i];

		if (!vmm_timeline_fits(x, wanted, i) || place_of(r, e->target) != VMM_NONE)
			continue;
		if (r->target_count == TARGETS_MOST) {
			/* Counted once each: by its last entry. */
			uint32_t later = i + 1;

			while (later < x->count && x->entries[later].target != e->target)
				later++;
			r->left_out += later == x->count;
			continue;
		}
		if (!vmm_grow(&r->targets, &capacity, r->target_count + 1, sizeof(*r->targets)))
			return vmm_fail_nomem(err);
		r->targets[r->target_count++] = (struct vmm_report_target){.target = e->target, .pid = e->pid, .name = e->name};
	}
	if (r->target_count == 0 && wanted)
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "--target: no snapshot of '%.60s' there", wanted);
	return 0;
}

static int number_snapshots(struct vmm_report_session *r, struct vmm_err *err)
{
	for (uint32_t k = 0; k < r->target_count; k++) {
		struct vmm_report_target *t = &r->targets[k];
		size_t capacity = 0;

		for (uint32_t i = 0; i < r->index->count; i++) {
			if (r->index->entries[i].target != t->target)
				continue;
			if (!vmm_grow(&t->numbers, &capacity, t->total + 1, sizeof(*t->numbers)))
				return vmm_fail_nomem(err);
			t->numbers[t->total++] = r->index->entries[i].number;
		}
	}
	return 0;
}

static int by_first(const void *x_pointer, const void *y_pointer)
{
	const struct vmm_report_target *x = x_pointer, *y = y_pointer;

	return (x->numbers[0] > y->numbers[0]) - (x->numbers[0] < y->numbers[0]);
}

int vmm_report_session_choose(struct vmm_report_session *r, struct vmm_session *session, const char *file,
                              const struct vmm_report_wish *wish, struct vmm_err *err)
{
	uint32_t last;
	int code;

	*r = (struct vmm_report_session){.session = session, .file = file};
	code = vmm_session_index(session, &r->index, err);
	if (code < 0)
		return code;
	if (r->index->count == 0)
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "the session holds no snapshot");
	code = list_targets(r, wish->target, err);
	if (code == 0)
		code = number_snapshots(r, err);
	if (code < 0)
		return code;
	last = r->targets[0].target;
	qsort(r->targets, r->target_count, sizeof(*r->targets), by_first);
	r->shown = place_of(r, last);
	for (uint32_t i = 0; i < r->target_count && code == 0; i++) {
		uint64_t most = wish->most;

		if (!most)
			code = count_small(r, &r->targets[i], &most, err);
		if (code == 0)
			thin(&r->targets[i], most);
	}
	return code;
}

uint32_t vmm_report_session_last(const struct vmm_report_session *r)
{
	const struct vmm_report_target *t = &r->targets[r->shown];

	return t->numbers[t->count - 1];
}

void vmm_report_session_done(struct vmm_report_session *r)
{
	for (uint32_t i = 0; i < r->target_count; i++)
		free(r->targets[i].numbers);
	free(r->targets);
	vmm_session_index_destroy(r->index);
	vmm_session_close(r->session);
}
