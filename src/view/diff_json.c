/* What differs between two snapshots, as JSON. */
#include "base/arena.h"
#include "view/json_write.h"
#include "view/view.h"

/* Whether heaps' columns say something of the row: then unknown is told. */
static bool told(const struct vmm_diff_row *d, int metric)
{
	bool heap = metric == VMM_METRIC_USED || metric == VMM_METRIC_UNUSED;

	return !heap || d->kind == VMM_KIND_COUNT || d->kind == VMM_KIND_HEAP || d->kind == VMM_KIND_MANAGED_HEAP;
}

static void json_bounds(struct vmm_out *out, const struct vmm_diff_row *d, enum vmm_difference_state state, const char *key)
{
	bool any = false;

	for (int i = 0; i < VMM_METRIC_COUNT; i++) {
		struct vmm_difference v = vmm_difference_of(d->before, d->after, (enum vmm_metric)i);

		if (v.state != state)
			continue;
		vmm_out_text(out, any ? ",\"" : key);
		vmm_out_text(out, vmm_metric_id((enum vmm_metric)i));
		vmm__json_key_signed(out, "\":", true, v.value);
		any = true;
	}
	if (any)
		vmm_out_char(out, '}');
}

static void json_change(struct vmm_out *out, const struct vmm_diff_row *d)
{
	vmm_out_text(out, ",\"change\":{");
	for (int i = 0; i < VMM_METRIC_COUNT; i++) {
		struct vmm_difference v = vmm_difference_of(d->before, d->after, (enum vmm_metric)i);

		vmm_out_text(out, i ? ",\"" : "\"");
		vmm_out_text(out, vmm_metric_id((enum vmm_metric)i));
		vmm__json_key_signed(out, "\":", v.state == VMM_DIFFERENCE_KNOWN && told(d, i), v.value);
	}
	json_bounds(out, d, VMM_DIFFERENCE_AT_LEAST, ",\"at_least\":{\"");
	json_bounds(out, d, VMM_DIFFERENCE_AT_MOST, ",\"at_most\":{\"");
	vmm_out_char(out, '}');
}

/* ,"before":{"size":1,...} or null. */
static void json_side(struct vmm_out *out, const char *key, const struct vmm_metrics *m)
{
	bool bounds = false;

	vmm_out_text(out, key);
	if (!m) {
		vmm_out_text(out, "null");
		return;
	}
	vmm_out_char(out, '{');
	for (int i = 0; i < VMM_METRIC_COUNT; i++) {
		vmm_out_text(out, i ? ",\"" : "\"");
		vmm_out_text(out, vmm_metric_id((enum vmm_metric)i));
		vmm__json_key_number(out, "\":", vmm_metric_known(m, (enum vmm_metric)i), m->value[i]);
	}
	for (int i = 0; i < VMM_METRIC_COUNT; i++) {
		if (!((m->at_least >> i) & 1))
			continue;
		vmm_out_text(out, bounds ? ",\"" : ",\"at_least\":{\"");
		vmm_out_text(out, vmm_metric_id((enum vmm_metric)i));
		vmm__json_key_number(out, "\":", true, m->value[i]);
		bounds = true;
	}
	vmm_out_text(out, bounds ? "}}" : "}");
}

static void json_numbers(struct vmm_out *out, const struct vmm_diff_row *d)
{
	json_change(out, d);
	json_side(out, ",\"before\":", d->before);
	json_side(out, ",\"after\":", d->after);
}

static void json_type(struct vmm_out *out, const struct vmm_diff_row *d)
{
	vmm__json_diff_state(out, d);
	vmm__json_key_text(out, ",\"kind\":", d->kind < VMM_KIND_COUNT ? vmm_kind_id(d->kind) : "total");
	vmm__json_diff_counts(out, ",\"regions\":", &d->count);
	json_numbers(out, d);
	vmm_out_char(out, '}');
}

static void json_place(struct vmm_out *out, const char *key, const struct vmm_region *r)
{
	char text[VMM_PROT_SET_TEXT];

	vmm_out_text(out, key);
	if (!r) {
		vmm_out_text(out, "null");
		return;
	}
	vmm_prot_set_text(r->prot_set, text);
	vmm__json_key_address(out, "{\"address\":", true, r->start);
	vmm__json_key_address(out, ",\"end\":", true, r->end);
	vmm__json_key_text(out, ",\"kind\":", vmm_kind_id(r->kind));
	vmm__json_key_text(out, ",\"protection\":", text);
	vmm_out_char(out, '}');
}

static void json_region(struct vmm_out *out, const struct vmm_diff_row *d)
{
	const struct vmm_snapshot *s = d->b != VMM_NONE ? d->diff->b : d->diff->a;
	const struct vmm_region *r = vmm__diff_region(d);

	vmm__json_diff_state(out, d);
	vmm__json_key_text(out, ",\"kind\":", vmm_kind_id(r->kind));
	json_place(out, ",\"was\":", d->a != VMM_NONE ? &d->diff->a->regions[d->a] : NULL);
	json_place(out, ",\"is\":", d->b != VMM_NONE ? &d->diff->b->regions[d->b] : NULL);
	vmm__json_key_text(out, ",\"path\":", r->path);
	vmm__json_key_text(out, ",\"details\":", r->details);
	if (r->thread < s->thread_count)
		vmm__json_key_signed(out, ",\"tid\":", true, s->threads[r->thread].tid);
	if (r->heap < s->heap_count)
		vmm__json_key_text(out, ",\"heap\":", s->heaps[r->heap].id);
	if (r->outside)
		vmm_out_text(out, ",\"outside\":true");
	json_numbers(out, d);
	vmm_out_char(out, '}');
}

static void json_heap(struct vmm_out *out, const struct vmm_diff_row *d)
{
	const struct vmm_heap *h = vmm__diff_heap(d);

	vmm__json_diff_state(out, d);
	vmm__json_key_text(out, ",\"id\":", h->id);
	vmm__json_key_text(out, ",\"id_before\":", d->a != VMM_NONE ? d->diff->a->heaps[d->a].id : NULL);
	vmm__json_key_text(out, ",\"reader\":", h->reader);
	vmm__json_key_text(out, ",\"label\":", h->label);
	vmm__json_diff_counts(out, ",\"used_count\":", &d->count);
	vmm__json_diff_counts(out, ",\"free_count\":", &d->free_count);
	json_numbers(out, d);
	vmm_out_char(out, '}');
}

static void json_class(struct vmm_out *out, const struct vmm_diff_row *d)
{
	struct vmm_difference bytes = vmm_difference_of(d->before, d->after, VMM_METRIC_USED);

	vmm__json_key_number(out, "{\"size\":", true, d->class_size);
	vmm__json_diff_counts(out, ",\"used_count\":", &d->count);
	vmm__json_diff_counts(out, ",\"free_count\":", &d->free_count);
	vmm__json_key_signed(out, ",\"used_bytes_change\":", bytes.state == VMM_DIFFERENCE_KNOWN, bytes.value);
	vmm_out_char(out, '}');
}

static void json_row(struct vmm_out *out, const struct vmm_query *q, const struct vmm_row *row)
{
	const struct vmm_diff_row *d = row->object;

	if (q->columns_chosen) {
		vmm__json_row(out, q->columns, q->column_count, row, false);
		return;
	}
	switch (d->by) {
	case VMM_DIFF_TYPE:
		json_type(out, d);
		break;
	case VMM_DIFF_REGION:
		json_region(out, d);
		break;
	case VMM_DIFF_HEAP:
		json_heap(out, d);
		break;
	default:
		json_class(out, d);
	}
}

static void json_section(struct vmm_out *out, const char *key, const struct vmm_query *q, const struct vmm_rows *rows)
{
	if (!q)
		return;
	vmm_out_text(out, key);
	for (size_t i = 0; i < rows->count && !out->failed; i++) {
		vmm_out_text(out, i ? ",\n" : "\n");
		json_row(out, q, &rows->rows[i]);
	}
	vmm_out_char(out, ']');
}

static void json_snapshot(struct vmm_out *out, const char *key, const char *name, const struct vmm_snapshot *s)
{
	vmm__json_key_text(out, key, name);
	vmm__json_target(out, &s->target);
	vmm_out_text(out, ",\"taken_at\":");
	if (s->taken_at.tv_sec || s->taken_at.tv_nsec)
		vmm__json_time(out, &s->taken_at);
	else
		vmm_out_text(out, "null");
	vmm__json_key_bool(out, ",\"partial\":", s->partial);
	vmm_out_char(out, '}');
}

static void json_checks(struct vmm_out *out, const struct vmm_diff_page *p)
{
	vmm_out_text(out, ",\n\"fail_if\":[");
	for (size_t i = 0; i < p->check_count; i++) {
		vmm__json_key_text(out, i ? ",\n{\"expression\":" : "\n{\"expression\":", p->checks[i].expression);
		vmm_out_text(out, ",\"holds\":");
		vmm_out_text(out, p->checks[i].truth < 0 ? "null}" : p->checks[i].truth ? "true}" : "false}");
	}
	vmm_out_char(out, ']');
}

static void json_head(struct vmm_out *out, const struct vmm_diff_page *p)
{
	const struct vmm_diff *d = p->diff;

	vmm_out_char(out, '{');
	vmm__json_head(out);
	json_snapshot(out, ",\n\"before\":{\"name\":", p->names[0], d->a);
	json_snapshot(out, ",\n\"after\":{\"name\":", p->names[1], d->b);
	vmm__json_key_bool(out, ",\n\"same_process\":", d->same_process);
	vmm__json_key_bool(out, ",\"same_layout\":", d->same_layout);
	vmm__json_key_signed(out, ",\"elapsed_ns\":", d->elapsed_known, d->elapsed_ns);
}

int vmm_emit_json_diff(struct vmm_out *out, const struct vmm_diff_page *p, struct vmm_err *err)
{
	static const char *const keys[] = {",\n\"types\":[", ",\n\"regions\":[", ",\n\"heaps\":[", ",\n\"classes\":["};
	const struct vmm_query *queries[] = {p->types, p->regions, p->heaps, p->classes};
	struct vmm_rows rows[ARRAY_LEN(keys)] = {0};
	int code = 0;

	for (size_t i = 0; i < ARRAY_LEN(keys) && code == 0; i++)
		if (queries[i])
			code = vmm_rows_build_diff(&rows[i], queries[i], p->diff, err);
	if (code == 0) {
		json_head(out, p);
		for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
			if (queries[i] == p->classes && p->classes && !p->diff->classes_known)
				vmm_out_text(out, ",\n\"classes\":null");
			else
				json_section(out, keys[i], queries[i], &rows[i]);
		}
		if (p->classes)
			vmm__json_key_bool(out, ",\"classes_rounded\":", p->diff->classes_rounded);
		if (p->growth) {
			vmm_out_text(out, ",\n\"growth\":");
			vmm_emit_json_growth(out, p->growth);
		}
		if (p->rest)
			vmm__json_diff_rest(out, p->diff);
		json_checks(out, p);
		vmm_out_text(out, "}\n");
	}
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		vmm_rows_done(&rows[i]);
	return code;
}
