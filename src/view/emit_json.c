/* The JSON documents of docs/json.md. */
#include <time.h>

#include "view/json_write.h"
#include "view/view.h"

bool vmm__put_time(struct vmm_out *out, const char *quote, const struct timespec *t)
{
	struct tm tm;
	time_t seconds = t->tv_sec;

	if ((t->tv_sec == 0 && t->tv_nsec == 0) || !gmtime_r(&seconds, &tm) || tm.tm_year < -1900 || tm.tm_year > 8099)
		return false;
	vmm_out_printf(out, "%s%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ%s", quote, tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
	               tm.tm_hour, tm.tm_min, tm.tm_sec, t->tv_nsec, quote);
	return true;
}

void vmm__json_time(struct vmm_out *out, const struct timespec *t)
{
	if (!vmm__put_time(out, "\"", t))
		vmm_out_text(out, "null");
}

void vmm__json_head(struct vmm_out *out)
{
	vmm_out_text(out, "\"schema\":1,\"tool\":\"vmmap " VMM_VERSION "\"");
}

/* "" stands for unknown in these. */
static const char *or_null(const char *s)
{
	return s && s[0] ? s : NULL;
}

static void json_death(struct vmm_out *out, const struct vmm_death *d)
{
	if (!d->known) {
		vmm_out_text(out, ",\"death\":null");
		return;
	}
	vmm_out_printf(out, ",\"death\":{\"signal\":%d,\"code\":", (int)d->signal);
	if (d->code)
		vmm_out_int(out, d->code);
	else
		vmm_out_text(out, "null");
	vmm__json_key_address(out, ",\"address\":", d->address_known, d->address);
	vmm__json_key_number(out, ",\"tid\":", d->tid > 0, (uint64_t)d->tid);
	vmm_out_char(out, '}');
}

void vmm__json_target(struct vmm_out *out, const struct vmm_target_info *t)
{
	vmm__json_key_text(out, ",\n\"target\":{\"source\":", t->source);
	vmm__json_key_number(out, ",\"pid\":", t->pid > 0, (uint64_t)t->pid);
	vmm__json_key_text(out, ",\"name\":", t->name);
	vmm__json_key_text(out, ",\"exe\":", or_null(t->exe));
	vmm__json_key_text(out, ",\"cmdline\":", t->cmdline);
	vmm__json_key_text(out, ",\"arch\":", or_null(t->arch));
	vmm__json_key_number(out, ",\"bits\":", t->bits > 0, (uint64_t)t->bits);
	vmm__json_key_number(out, ",\"page_size\":", t->page_size != 0, t->page_size);
	vmm_out_text(out, ",\"started_at\":");
	if (t->started_known)
		vmm__json_time(out, &t->started_at);
	else
		vmm_out_text(out, "null");
	vmm__json_key_number(out, ",\"ppid\":", t->ppid > 0, (uint64_t)t->ppid);
	vmm__json_key_number(out, ",\"ns_pid\":", t->ns_pid > 0, (uint64_t)t->ns_pid);
	vmm__json_key_number(out, ",\"uid\":", t->uid >= 0, (uint64_t)t->uid);
	vmm__json_key_bool(out, ",\"exe_deleted\":", t->exe_deleted);
	vmm__json_key_bool(out, ",\"kernel_thread\":", t->kernel_thread);
	vmm__json_key_text(out, ",\"cgroup\":", or_null(t->cgroup));
	json_death(out, &t->death);
	vmm_out_char(out, '}');
}

static void json_type(struct vmm_out *out, const char *kind, const struct vmm_type_total *t)
{
	vmm__json_key_text(out, "{\"kind\":", kind);
	vmm__json_metrics(out, &t->m);
	vmm__json_key_number(out, ",\"blocks\":", t->counted, t->blocks);
	vmm__json_key_number(out, ",\"largest\":", t->counted, t->largest);
	vmm__json_key_number(out, ",\"regions\":", t->counted, t->regions);
	vmm_out_char(out, '}');
}

static void json_summary(struct vmm_out *out, const struct vmm_snapshot *s)
{
	vmm_out_text(out, ",\n\"summary\":{\"types\":[");
	for (int k = 0; k < VMM_KIND_COUNT; k++) {
		vmm_out_text(out, k ? ",\n" : "\n");
		json_type(out, vmm_kind_id((enum vmm_kind)k), &s->types[k]);
	}
	vmm_out_text(out, "],\n\"total\":");
	json_type(out, "total", &s->total);
	vmm_out_char(out, '}');
}

void vmm__json_accounts(struct vmm_out *out, const struct vmm_snapshot *s)
{
	vmm_out_text(out, ",\n\"accounts\":[");
	for (uint32_t i = 0; i < s->account_count; i++) {
		const struct vmm_account *a = &s->accounts[i];

		vmm__json_key_text(out, i ? ",\n{\"id\":" : "\n{\"id\":", a->id);
		vmm__json_key_text(out, ",\"label\":", a->label);
		vmm__json_key_number(out, ",\"sum\":", a->sum_known, a->sum);
		vmm__json_key_number(out, ",\"kernel\":", a->kernel_known, a->kernel);
		vmm_out_text(out, ",\"remainder\":");
		if (a->sum_known && a->kernel_known)
			vmm_out_int(out, a->remainder);
		else
			vmm_out_text(out, "null");
		vmm__json_key_text(out, ",\"explanation\":", a->explanation);
		vmm_out_char(out, '}');
	}
	vmm_out_char(out, ']');
}

static void json_limits(struct vmm_out *out, const struct vmm_snapshot *s)
{
	vmm_out_text(out, ",\n\"limits\":{");
	for (uint32_t i = 0; i < s->limit_count; i++) {
		const struct vmm_limit *l = &s->limits[i];

		vmm__json_key_text(out, i ? ",\n" : "\n", l->id);
		vmm__json_key_text(out, ":{\"text\":", l->text);
		vmm__json_key_limit(out, ",\"soft\":", l->known, l->soft);
		vmm__json_key_limit(out, ",\"hard\":", l->known, l->hard);
		vmm__json_key_number(out, ",\"used\":", l->used_known, l->used);
		vmm__json_key_text(out, ",\"unit\":", l->bytes ? "bytes" : "count");
		vmm_out_char(out, '}');
	}
	vmm_out_char(out, '}');
}

static void json_threads(struct vmm_out *out, const struct vmm_snapshot *s)
{
	vmm_out_text(out, ",\n\"threads\":[");
	for (uint32_t i = 0; i < s->thread_count; i++) {
		const struct vmm_thread *t = &s->threads[i];
		const struct vmm_region *r = t->region < s->region_count ? &s->regions[t->region] : NULL;

		vmm_out_text(out, i ? ",\n{\"tid\":" : "\n{\"tid\":");
		vmm_out_int(out, t->tid);
		vmm__json_key_number(out, ",\"ns_tid\":", t->ns_tid > 0, (uint64_t)t->ns_tid);
		vmm__json_key_text(out, ",\"name\":", t->name);
		vmm__json_key_text(out, ",\"state\":", t->state ? (char[]){t->state, '\0'} : NULL);
		vmm__json_key_address(out, ",\"sp\":", t->sp_known, t->sp);
		if (r) {
			vmm__json_key_address(out, ",\"stack\":{\"address\":", true, r->start);
			vmm__json_key_address(out, ",\"end\":", true, r->end);
			vmm_out_text(out, "}}");
		} else {
			vmm_out_text(out, ",\"stack\":null}");
		}
	}
	vmm_out_char(out, ']');
}

static void json_modules(struct vmm_out *out, const struct vmm_snapshot *s)
{
	vmm_out_text(out, ",\n\"modules\":[");
	for (uint32_t i = 0; i < s->module_count; i++) {
		const struct vmm_module *m = &s->modules[i];

		vmm__json_key_address(out, i ? ",\n{\"address\":" : "\n{\"address\":", true, m->start);
		vmm__json_key_address(out, ",\"end\":", true, m->end);
		vmm__json_key_text(out, ",\"path\":", m->path);
		vmm__json_key_text(out, ",\"build_id\":", m->build_id);
		vmm__json_key_bool(out, ",\"deleted\":", m->deleted);
		vmm__json_key_bool(out, ",\"replaced\":", m->replaced);
		vmm__json_key_bool(out, ",\"in_memory\":", m->in_memory);
		vmm__json_key_bool(out, ",\"pie\":", m->pie);
		vmm__json_key_bool(out, ",\"program\":", m->program);
		vmm__json_key_number(out, ",\"bits\":", m->bits != 0, m->bits);
		vmm_out_char(out, '}');
	}
	vmm_out_char(out, ']');
}

static void json_free(struct vmm_out *out, const struct vmm_snapshot *s)
{
	bool known = !s->unreadable && (s->target.user_end || s->gap_count);
	const struct vmm_gap *largest = NULL;
	uint64_t count = 0, total = 0;

	for (uint32_t i = 0; i < s->gap_count; i++) {
		const struct vmm_gap *g = &s->gaps[i];

		if (g->kind != VMM_KIND_FREE)
			continue;
		count++;
		total += g->end - g->start;
		if (!largest || g->end - g->start > largest->end - largest->start)
			largest = g;
	}
	vmm__json_key_number(out, ",\n\"free\":{\"count\":", known, count);
	vmm__json_key_number(out, ",\"total\":", known, total);
	if (largest) {
		vmm__json_key_address(out, ",\"largest\":{\"address\":", true, largest->start);
		vmm__json_key_number(out, ",\"size\":", true, largest->end - largest->start);
		vmm_out_text(out, "}}");
	} else {
		vmm_out_text(out, ",\"largest\":null}");
	}
}

void vmm__json_note(struct vmm_out *out, const struct vmm_note *n, bool first)
{
	vmm__json_key_text(out, first ? "\n{\"from\":" : ",\n{\"from\":", n->from);
	vmm__json_key_text(out, ",\"code\":", n->code);
	vmm__json_key_text(out, ",\"text\":", n->text);
	vmm__json_key_address(out, ",\"address\":", n->address != 0, n->address);
	vmm__json_key_number(out, ",\"count\":", true, n->count);
	vmm_out_char(out, '}');
}

void vmm__json_notes(struct vmm_out *out, const struct vmm_snapshot *s)
{
	vmm_out_text(out, ",\n\"notes\":[");
	for (uint32_t i = 0; i < s->note_count; i++)
		vmm__json_note(out, &s->notes[i], i == 0);
	vmm_out_char(out, ']');
}

static void json_cost(struct vmm_out *out, const struct vmm_cost *c)
{
	vmm__json_key_number(out, ",\n\"cost\":{\"total_ns\":", true, c->total_ns);
	vmm__json_key_number(out, ",\"maps_ns\":", true, c->maps_ns);
	vmm__json_key_number(out, ",\"smaps_ns\":", true, c->smaps_ns);
	vmm__json_key_number(out, ",\"pages_ns\":", true, c->pages_ns);
	vmm__json_key_number(out, ",\"images_ns\":", true, c->images_ns);
	vmm__json_key_number(out, ",\"threads_ns\":", true, c->threads_ns);
	vmm__json_key_number(out, ",\"stopped_ns\":", c->stopped_ns != 0, c->stopped_ns);
	vmm_out_char(out, '}');
}

static void put_rows(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows)
{
	vmm_out_text(out, q->raw ? ",\n\"mappings\":[" : ",\n\"regions\":[");
	if (q->raw)
		vmm__json_mappings(out, q, rows);
	else
		vmm__json_regions(out, q, rows);
	vmm_out_char(out, ']');
}

static void put_document(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows, const struct vmm_snapshot *s,
                         bool columns)
{
	vmm_out_char(out, '{');
	vmm__json_head(out);
	vmm__json_target(out, &s->target);
	vmm_out_text(out, ",\n\"taken_at\":");
	vmm__json_time(out, &s->taken_at);
	vmm__json_key_bool(out, ",\"partial\":", s->partial);
	json_summary(out, s);
	vmm__json_accounts(out, s);
	json_limits(out, s);
	json_threads(out, s);
	json_modules(out, s);
	vmm__json_heaps(out, s, NULL, false);
	if (columns)
		vmm__json_packed(out, q, rows, s);
	else
		put_rows(out, q, rows);
	json_free(out, s);
	vmm__json_notes(out, s);
	vmm_out_text(out, ",\n\"verdicts\":[]");
	json_cost(out, &s->cost);
	vmm_out_text(out, "}\n");
}

void vmm_emit_json(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows, const struct vmm_snapshot *s)
{
	put_document(out, q, rows, s, false);
}

void vmm_emit_json_columns(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows, const struct vmm_snapshot *s)
{
	put_document(out, q, rows, s, true);
}

int vmm__json_whole(struct vmm_out *out, const char *table, bool raw, const struct vmm_snapshot *s, struct vmm_err *err)
{
	struct vmm_query q = {0};
	struct vmm_rows rows;
	int code = vmm_query_init(&q, table, NULL, NULL, NULL, NULL, err);

	q.raw = raw;
	if (code == 0)
		code = vmm_rows_build(&rows, &q, s, err);
	if (code == 0) {
		vmm_emit_json_columns(out, &q, &rows, s);
		vmm_rows_done(&rows);
	}
	vmm_query_done(&q);
	return code;
}

size_t vmm__json_columns(const struct vmm_query *q, const struct vmm_column *ret[VMM__ROW_COLUMNS_MAX])
{
	size_t count = 0;

	if (q->columns_chosen || q->table->defaults || q->table->row_type == VMM_ROW_PROCESS) {
		for (size_t i = 0; i < q->column_count && count < VMM__ROW_COLUMNS_MAX; i++)
			ret[count++] = q->columns[i];
		return count;
	}
	for (size_t i = 0; i < q->table->column_count && count < VMM__ROW_COLUMNS_MAX; i++)
		if (q->table->columns[i].flags & VMM_COLUMN_JSON)
			ret[count++] = &q->table->columns[i];
	return count;
}

static bool with_depth(const struct vmm_query *q)
{
	return q->blocks && !q->raw && q->table->row_type == VMM_ROW_REGION;
}

void vmm_emit_ndjson(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows)
{
	const struct vmm_column *columns[VMM__ROW_COLUMNS_MAX];
	size_t count = vmm__json_columns(q, columns);

	for (size_t i = 0; i < rows->count && !out->failed; i++) {
		vmm__json_row(out, columns, count, &rows->rows[i], with_depth(q));
		vmm_out_char(out, '\n');
	}
}

void vmm_emit_json_table(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows, const struct vmm_snapshot *s)
{
	const struct vmm_column *columns[VMM__ROW_COLUMNS_MAX];
	size_t count = vmm__json_columns(q, columns);
	struct timespec now = {0};

	if (!s)
		clock_gettime(CLOCK_REALTIME, &now);
	vmm_out_char(out, '{');
	vmm__json_head(out);
	vmm_out_text(out, ",\"taken_at\":");
	vmm__json_time(out, s ? &s->taken_at : &now);
	if (s && s->cost.stopped_ns)
		vmm__json_key_number(out, ",\"stopped_ns\":", true, s->cost.stopped_ns);
	vmm__json_key_text(out, ",\n", q->table->id);
	vmm_out_text(out, ":[");
	for (size_t i = 0; i < rows->count && !out->failed; i++) {
		vmm_out_text(out, i ? ",\n" : "\n");
		vmm__json_row(out, columns, count, &rows->rows[i], with_depth(q));
	}
	vmm_out_text(out, "]}\n");
}
