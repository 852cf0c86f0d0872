/* The timeline for programs: CSV and JSON. */
#include <stdio.h>

#include "base/err.h"
#include "face/timeline.h"
#include "view/json_write.h"
#include "view/view.h"

static const char *const by_ids[] = {"kind", "heap", "region", "target"};

static void csv_start(struct vmm_out *out, const struct vmm_timeline *t, const struct vmm_timeline_look *l)
{
	const struct vmm_timeline_target *g = t->targets;

	while (g->target != l->target)
		g++;
	vmm__put_time(out, "", &l->taken_at);
	vmm_out_printf(out, ",%u,%u,", l->number, l->target);
	if (g->pid > 0)
		vmm_out_int(out, g->pid);
	vmm_out_char(out, ',');
}

static void csv_metrics(struct vmm_out *out, const struct vmm_timeline *t, const struct vmm_timeline_look *l,
			const char *kind, const struct vmm_metrics *m)
{
	csv_start(out, t, l);
	vmm_out_text(out, kind);
	for (int i = 0; i < VMM_METRIC_COUNT; i++) {
		vmm_out_char(out, ',');
		if (vmm_metric_known(m, (enum vmm_metric)i))
			vmm_out_dec(out, m->value[i]);
	}
	vmm_out_char(out, '\n');
}

static int csv_look(struct vmm_out *out, struct vmm_session *session, const struct vmm_timeline *t, uint32_t i,
		    struct vmm_err *err)
{
	struct vmm_type_total types[VMM_KIND_COUNT], total;
	int code = vmm_session_totals(session, t->looks[i].number, types, &total, err);

	if (code < 0)
		return code;
	for (int k = 0; k < VMM_KIND_COUNT; k++)
		if (types[k].regions || !types[k].counted || (k == VMM_KIND_FREE && types[k].blocks))
			csv_metrics(out, t, &t->looks[i], vmm_kind_id((enum vmm_kind)k), &types[k].m);
	csv_metrics(out, t, &t->looks[i], "total", &total.m);
	return 0;
}

/* A line for each look and kind, with all measures. */
static int csv_kinds(struct vmm_out *out, struct vmm_session *session, const struct vmm_timeline *t,
		     struct vmm_err *err)
{
	vmm_out_text(out, "time,snapshot,target,pid,kind");
	for (int i = 0; i < VMM_METRIC_COUNT; i++)
		vmm_out_printf(out, ",%s", vmm_metric_id((enum vmm_metric)i));
	vmm_out_char(out, '\n');
	/* One target after the other: so a session reads each of its tables once. */
	for (uint32_t g = 0; g < t->target_count; g++)
		for (uint32_t i = t->targets[g].first_look; i <= t->targets[g].last_look && !out->failed; i++) {
			int code = t->looks[i].target == t->targets[g].target ? csv_look(out, session, t, i, err) : 0;

			if (code < 0)
				return code;
		}
	return 0;
}

static void csv_row(struct vmm_out *out, const struct vmm_timeline *t, uint32_t look,
		    const struct vmm_timeline_row *row)
{
	csv_start(out, t, &t->looks[look]);
	vmm_out_csv(out, row->id);
	vmm_out_char(out, ',');
	vmm_out_csv(out, row->label);
	vmm_out_char(out, ',');
	if (row->samples[look].known)
		vmm_out_dec(out, row->samples[look].value);
	vmm_out_char(out, '\n');
}

int vmm_timeline_csv(struct vmm_out *out, struct vmm_session *session, const struct vmm_timeline *t,
		     struct vmm_err *err)
{
	if (t->by == VMM_TIMELINE_KIND && !t->ask->where)
		return csv_kinds(out, session, t, err);
	vmm_out_printf(out, "time,snapshot,target,pid,%s,label,%s\n",
		       t->by == VMM_TIMELINE_TARGET ? "of" : by_ids[t->by], vmm_metric_id(t->ask->measure));
	for (uint32_t i = 0; i < t->look_count && !out->failed; i++) {
		for (uint32_t r = 0; r < t->row_count; r++)
			csv_row(out, t, i, &t->rows[r]);
		csv_row(out, t, i, &t->total);
	}
	return 0;
}

static void json_row(struct vmm_out *out, const struct vmm_timeline *t, const struct vmm_timeline_row *row)
{
	vmm__json_key_text(out, "{\"id\":", row->id);
	vmm__json_key_text(out, ",\"label\":", row->label);
	vmm__json_key_text(out, ",\"kind\":", row->kind < VMM_KIND_COUNT ? vmm_kind_id(row->kind) : NULL);
	vmm_out_text(out, ",\"trend\":");
	vmm__json_trend(out, &row->trend);
	vmm_out_text(out, ",\"values\":[");
	for (uint32_t i = 0; i < t->look_count && !out->failed; i++) {
		if (i)
			vmm_out_char(out, ',');
		if (row->samples[i].known)
			vmm_out_dec(out, row->samples[i].value);
		else
			vmm_out_text(out, "null");
	}
	vmm_out_text(out, "]}");
}

static void json_targets(struct vmm_out *out, const struct vmm_timeline *t)
{
	vmm_out_text(out, ",\n\"targets\":[");
	for (uint32_t i = 0; i < t->target_count; i++) {
		const struct vmm_timeline_target *g = &t->targets[i];

		vmm_out_printf(out, "%s{\"target\":%u", i ? ",\n" : "\n", g->target);
		vmm__json_key_number(out, ",\"pid\":", g->pid > 0, (uint64_t)g->pid);
		vmm__json_key_text(out, ",\"name\":", g->name);
		vmm__json_key_text(out, ",\"source\":", g->source);
		vmm_out_printf(out, ",\"first\":%u,\"last\":%u,\"snapshots\":%u}", g->first, g->last, g->count);
	}
	vmm_out_char(out, ']');
}

void vmm_timeline_json(struct vmm_out *out, const struct vmm_timeline *t)
{
	vmm_out_char(out, '{');
	vmm__json_head(out);
	vmm__json_key_text(out, ",\n\"timeline\":{\"file\":", t->ask->file);
	vmm_out_printf(out, ",\"measure\":\"%s\",\"by\":\"%s\",\"snapshots\":%u,\"set_back\":%u}",
		       vmm_metric_id(t->ask->measure), by_ids[t->by], t->snapshot_count, t->set_back);
	json_targets(out, t);
	vmm_out_text(out, ",\n\"looks\":[");
	for (uint32_t i = 0; i < t->look_count && !out->failed; i++) {
		const struct vmm_timeline_look *l = &t->looks[i];

		vmm_out_printf(out, "%s{\"snapshot\":%u,\"target\":%u,\"taken_at\":", i ? ",\n" : "\n", l->number,
			       l->target);
		vmm__json_time(out, &l->taken_at);
		vmm__json_key_bool(out, ",\"gap\":", l->gap);
		vmm_out_char(out, '}');
	}
	vmm_out_text(out, "],\n\"rows\":[");
	for (uint32_t r = 0; r < t->row_count; r++) {
		vmm_out_text(out, r ? ",\n" : "\n");
		json_row(out, t, &t->rows[r]);
	}
	vmm_out_text(out, "],\n\"total\":");
	json_row(out, t, &t->total);
	vmm_out_text(out, ",\n\"growth\":");
	if (t->growth)
		vmm_emit_json_growth(out, t->growth);
	else
		vmm_out_text(out, "null");
	vmm_out_text(out, "}\n");
}
