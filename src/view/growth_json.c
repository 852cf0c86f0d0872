/* What grows, as JSON: the object "growth" of docs/json.md. */
#include "view/json_write.h"
#include "view/view.h"
#include "vmmap/growth.h"

static void key_real(struct vmm_out *out, const char *key, bool known, double v)
{
	vmm_out_text(out, key);
	if (known)
		vmm_out_printf(out, "%.6f", v);
	else
		vmm_out_text(out, "null");
}

void vmm__json_trend(struct vmm_out *out, const struct vmm_trend *t)
{
	bool steady = t->verdict == VMM_TREND_STEADY;

	vmm_out_printf(out, "{\"verdict\":\"%s\",\"points\":%u", vmm_trend_id(t->verdict), t->points);
	vmm__json_key_number(out, ",\"first\":", t->points > 0, t->first);
	vmm__json_key_number(out, ",\"last\":", t->points > 0, t->last);
	key_real(out, ",\"seconds\":", true, t->seconds);
	key_real(out, ",\"rising\":", t->verdict != VMM_TREND_TOO_FEW, t->rising);
	key_real(out, ",\"per_second\":", steady, t->slope);
	key_real(out, ",\"low\":", steady, t->low);
	key_real(out, ",\"high\":", steady, t->high);
	vmm_out_char(out, '}');
}

static void json_trends(struct vmm_out *out, const struct vmm_trend trends[VMM_GROWTH_MEASURES])
{
	for (int m = 0; m < VMM_GROWTH_MEASURES; m++) {
		vmm_out_printf(out, "%s\"%s\":", m ? "," : "", vmm_growth_measure_id((enum vmm_growth_measure)m));
		vmm__json_trend(out, &trends[m]);
	}
}

static void json_finding(struct vmm_out *out, const struct vmm_growth_finding *f)
{
	const struct vmm_trend *t = &f->measures[f->lead];
	char prot[5];

	vmm_prot_text(f->prot, prot);
	vmm_out_printf(out, "{\"level\":\"%s\",\"kind\":\"%s\"", vmm_growth_level_id(f->level), vmm_kind_id(f->kind));
	vmm__json_key_text(out, ",\"name\":", f->name);
	vmm__json_key_text(out, ",\"protection\":", f->level == VMM_GROWTH_HEAP ? NULL : prot);
	vmm__json_key_text(out, ",\"heap\":", f->heap);
	vmm__json_key_address(out, ",\"address\":", f->address != 0, f->address);
	vmm__json_key_address(out, ",\"end\":", f->address != 0, f->end);
	vmm__json_key_number(out, ",\"each\":", f->each != 0, f->each);
	vmm__json_key_number(out, ",\"regions\":", true, f->regions);
	vmm__json_key_number(out, ",\"tid\":", f->tid > 0, (uint64_t)f->tid);
	vmm__json_key_text(out, ",\"thread\":", f->thread);
	vmm_out_printf(out, ",\"measure\":\"%s\"", vmm_growth_measure_id(f->lead));
	key_real(out, ",\"per_second\":", true, t->slope);
	key_real(out, ",\"low\":", true, t->low);
	key_real(out, ",\"high\":", true, t->high);
	vmm_out_text(out, ",\"measures\":{");
	json_trends(out, f->measures);
	vmm_out_text(out, "}}");
}

static void json_forecast(struct vmm_out *out, const struct vmm_growth_forecast *f)
{
	vmm__json_key_text(out, "{\"limit\":", f->limit);
	vmm__json_key_text(out, ",\"text\":", f->text);
	vmm__json_key_number(out, ",\"soft\":", true, f->soft);
	vmm__json_key_number(out, ",\"used\":", true, f->used);
	vmm__json_key_bool(out, ",\"bytes\":", f->bytes);
	key_real(out, ",\"per_second\":", true, f->trend.slope);
	key_real(out, ",\"seconds\":", true, f->seconds);
	vmm_out_char(out, '}');
}

void vmm_emit_json_growth(struct vmm_out *out, const struct vmm_growth *g)
{
	vmm_out_printf(out,
		       "{\"target\":%u,\"first\":%u,\"last\":%u,\"snapshots\":%u,\"looked_at\":%u,\"from\":", g->target,
		       g->first, g->last, g->snapshots, g->looked_at);
	vmm__json_time(out, &g->from);
	vmm_out_text(out, ",\"to\":");
	vmm__json_time(out, &g->to);
	vmm__json_key_bool(out, ",\"cut\":", g->cut);
	vmm_out_text(out, ",\n\"total\":{");
	json_trends(out, g->total);
	vmm_out_text(out, "},\n\"kinds\":[");
	for (int k = 0, n = 0; k < VMM_KIND_COUNT; k++) {
		if (g->kinds[k][VMM_GROWTH_SIZE].last == 0 && g->kinds[k][VMM_GROWTH_SIZE].first == 0)
			continue;
		vmm_out_printf(out, "%s{\"kind\":\"%s\",", n++ ? ",\n" : "", vmm_kind_id((enum vmm_kind)k));
		json_trends(out, g->kinds[k]);
		vmm_out_char(out, '}');
	}
	vmm_out_text(out, "],\n\"findings\":[");
	for (uint32_t i = 0; i < g->finding_count && !out->failed; i++) {
		vmm_out_text(out, i ? ",\n" : "");
		json_finding(out, &g->findings[i]);
	}
	vmm_out_text(out, "],\n\"forecasts\":[");
	for (uint32_t i = 0; i < g->forecast_count; i++) {
		vmm_out_text(out, i ? "," : "");
		json_forecast(out, &g->forecasts[i]);
	}
	vmm_out_text(out, "]}");
}
