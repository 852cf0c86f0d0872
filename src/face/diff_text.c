#include "face/diff_text.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "face/pace.h"

#define FINDINGS_SHOWN 10
#define NAMES_SHOWN 8 /* threads and images that are listed by name */

/* 65 s as "1 min 5 s": the two largest units that are not 0. */
static void put_duration(struct vmm_out *out, uint64_t ns)
{
	static const struct {
		uint64_t seconds;
		const char *name;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
	uint64_t seconds = ns / 1000000000, milli = ns / 1000000;
	unsigned shown = 0;

	if (milli < 1000) {
		vmm_out_printf(out, "%llu ms", (unsigned long long)milli);
		return;
	}
	if (seconds < 60) {
		vmm_out_printf(out, "%llu.%llu s", (unsigned long long)seconds, (unsigned long long)(milli / 100 % 10));
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(units) && shown < 2; i++) {
		if (seconds < units[i].seconds && !shown)
			continue;
		if (seconds / units[i].seconds)
			vmm_out_printf(out, "%s%llu %s", shown ? " " : "", (unsigned long long)(seconds / units[i].seconds), units[i].name);
		seconds %= units[i].seconds;
		shown++;
	}
}

static void put_time(struct vmm_out *out, const struct timespec *t)
{
	char when[64] = "at an unknown time";
	struct tm tm;

	if ((t->tv_sec || t->tv_nsec) && localtime_r(&t->tv_sec, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	vmm_out_text(out, when);
}

static void put_target(struct vmm_out *out, const struct vmm_look *look, const char *title, const char *name,
                       const struct vmm_snapshot *s)
{
	const struct vmm_target_info *t = &s->target;
	char pid[16];

	vmm_put_dim(out, look);
	vmm_out_text(out, title);
	vmm_put_plain(out, look);
	vmm_put_bold(out, look);
	vmm_out_escaped(out, t->name[0] ? t->name : "(no name)", 32);
	vmm_put_plain(out, look);
	snprintf(pid, sizeof(pid), "%d", (int)t->pid);
	if (t->pid)
		vmm_out_printf(out, " %s", pid);
	vmm_out_text(out, ", ");
	vmm_out_escaped(out, t->source, 16);
	if (strcmp(name, pid) != 0) {
		vmm_out_char(out, ' ');
		vmm_out_escaped(out, name, look->style.width ? look->style.width / 2 : 0);
	}
	vmm_out_text(out, ", ");
	put_time(out, &s->taken_at);
	if (s->partial)
		vmm_out_text(out, ", PARTIAL");
}

static void put_relation(struct vmm_out *out, const struct vmm_diff *d)
{
	if (d->same_process)
		return;
	if (strcmp(d->a->target.exe, d->b->target.exe) != 0 || strcmp(d->a->target.name, d->b->target.name) != 0)
		vmm_out_text(out, "Two programs");
	else
		vmm_out_text(out, d->a->target.pid && d->a->target.pid == d->b->target.pid ? "The PID of another process" : "Two processes");
	vmm_out_text(out, d->same_layout ? " with the same places: regions are matched by address and by what they are\n"
	                                 : ": regions are matched by what they are, not by address\n");
}

static void put_head(struct vmm_out *out, const struct vmm_look *look, const struct vmm_diff_page *p)
{
	const struct vmm_diff *d = p->diff;

	put_target(out, look, "before  ", p->names[0], d->a);
	vmm_out_char(out, '\n');
	put_target(out, look, "after   ", p->names[1], d->b);
	if (d->elapsed_known) {
		vmm_out_text(out, ", ");
		put_duration(out, d->elapsed_ns < 0 ? 0 - (uint64_t)d->elapsed_ns : (uint64_t)d->elapsed_ns);
		vmm_out_text(out, d->elapsed_ns < 0 ? " EARLIER" : " later");
	}
	vmm_out_char(out, '\n');
	put_relation(out, d);
}

/* A signed size in the colour of its sign. */
static void put_signed(struct vmm_out *out, const struct vmm_look *look, int64_t bytes)
{
	if (bytes)
		vmm_put_foreground(out, look, bytes > 0 ? 1 : 2);
	vmm_put_change(out, look, bytes);
	if (bytes)
		vmm_put_plain(out, look);
}

static int put_rows(struct vmm_out *out, const struct vmm_look *look, const struct vmm_query *q, const struct vmm_diff *d,
                    bool page, const char *title, const char *more, struct vmm_err *err)
{
	struct vmm_rows rows;
	int code = vmm_rows_build_diff(&rows, q, d, err);

	if (code < 0)
		return code;
	if (rows.count && title)
		vmm_put_heading(out, look, title);
	if (rows.count)
		vmm_emit_text(out, q, &rows, &look->style);
	else if (!page)
		vmm_out_text(out, "nothing changed\n");
	if (q->top && rows.matched > q->top) {
		vmm_out_text(out, "… ");
		vmm_put_count(out, rows.matched - q->top);
		vmm_out_text(out, " more: ");
		vmm_out_text(out, more);
		vmm_out_char(out, '\n');
	}
	vmm_rows_done(&rows);
	return 0;
}

/* One of them, on the next line where this one is full. Returns the column behind it. */
static size_t put_state(struct vmm_out *out, const struct vmm_look *look, size_t column, uint64_t count, const char *id, int64_t size)
{
	struct vmm_out *plain = vmm_out_create_memory();
	VMM_CLEANUP_FREE char *text = NULL;
	size_t width;

	if (plain) {
		vmm_put_count(plain, count);
		vmm_out_printf(plain, " %s ", id);
		if (size)
			vmm_put_change(plain, look, size);
		text = vmm_out_take(plain, NULL);
	}
	width = text ? vmm_text_width(text, strlen(text)) : 0;
	if (column && look->style.width && column + 3 + width > look->style.width) {
		vmm_out_char(out, '\n');
		column = 0;
	} else if (column) {
		vmm_out_text(out, " · ");
		column += 3;
	}
	vmm_put_count(out, count);
	vmm_out_printf(out, " %s", id);
	if (size) {
		vmm_out_char(out, ' ');
		put_signed(out, look, size);
	}
	return column + width - (size ? 0 : 1);
}

/* "3 new +1,234 KiB · 1 gone -12 KiB · 120 same": every region is in one of them. */
static void put_states(struct vmm_out *out, const struct vmm_look *look, const struct vmm_diff *d)
{
	size_t column = 0;

	for (unsigned place = 0; place <= VMM_CHANGE_COUNT; place++) {
		const char *id = place < VMM_CHANGE_COUNT ? vmm_change_id_at(place) : vmm_change_id(0);
		uint64_t count = 0;
		int64_t size = 0;
		bool known = true;

		for (uint32_t i = 0; i < d->region_count; i++) {
			const struct vmm_diff_row *row = &d->regions[i];
			struct vmm_difference v;

			if (strcmp(vmm_change_id(row->what), id) != 0)
				continue;
			count++;
			v = vmm_difference_of(row->before, row->after, VMM_METRIC_SIZE);
			known = known && v.state == VMM_DIFFERENCE_KNOWN && !__builtin_add_overflow(size, v.value, &size);
		}
		if (!count)
			continue;
		column = put_state(out, look, column, count, id, known ? size : 0);
	}
	vmm_out_char(out, '\n');
}

static void thread_text(const struct vmm_diff_row *d, char *ret, size_t size)
{
	const struct vmm_thread *t = d->b != VMM_NONE ? &d->diff->b->threads[d->b] : &d->diff->a->threads[d->a];
	char name[64] = "";

	if (t->name)
		vmm_escape_terminal(name, sizeof(name), t->name, strlen(t->name));
	snprintf(ret, size, name[0] ? "%d \"%s\"" : "%d%s", (int)t->tid, name);
}

static void module_text(const struct vmm_diff_row *d, char *ret, size_t size)
{
	const struct vmm_module *m = d->b != VMM_NONE ? &d->diff->b->modules[d->b] : &d->diff->a->modules[d->a];

	vmm_escape_terminal(ret, size, m->path, strlen(m->path));
}

/* "  2 new: a, b" of rows in this state. False: there are none. */
static bool put_names(struct vmm_out *out, const struct vmm_diff_row *rows, uint32_t count, uint32_t what,
                      void (*text)(const struct vmm_diff_row *, char *, size_t))
{
	uint32_t found = 0;
	char one[256];

	for (uint32_t i = 0; i < count; i++)
		found += (rows[i].what & what) != 0;
	if (!found)
		return false;
	vmm_out_text(out, "  ");
	vmm_put_count(out, found);
	vmm_out_printf(out, " %s: ", vmm_change_id(what));
	found = 0;
	for (uint32_t i = 0; i < count; i++) {
		if (!(rows[i].what & what))
			continue;
		if (found == NAMES_SHOWN) {
			vmm_out_text(out, ", …");
			break;
		}
		text(&rows[i], one, sizeof(one));
		vmm_out_text(out, found++ ? ", " : "");
		vmm_out_text(out, one);
	}
	vmm_out_char(out, '\n');
	return true;
}

static void put_things(struct vmm_out *out, const struct vmm_look *look, const char *title, const struct vmm_diff_row *rows,
                       uint32_t count, void (*text)(const struct vmm_diff_row *, char *, size_t))
{
	uint32_t any = 0;

	for (uint32_t i = 0; i < count; i++)
		any |= rows[i].what;
	if (!any)
		return;
	vmm_put_heading(out, look, title);
	for (unsigned place = 0; place < VMM_CHANGE_COUNT; place++)
		put_names(out, rows, count, UINT32_C(1) << place, text);
}

/* Says that the numbers add up, or which do not and by how much. */
static void put_accounts(struct vmm_out *out, const struct vmm_look *look, const struct vmm_diff *d)
{
	unsigned known = 0, right = 0;

	for (int i = 0; i < VMM_METRIC_COUNT; i++) {
		known += d->accounts[i].known;
		right += d->accounts[i].adds_up;
	}
	if (!known)
		return;
	vmm_out_char(out, '\n');
	if (known == right) {
		vmm_put_dim(out, look);
		vmm_out_printf(out, "sum of regions = sum of types = total: remainder 0 in all %u numbers known", known);
		vmm_put_plain(out, look);
		vmm_out_char(out, '\n');
		return;
	}
	for (int i = 0; i < VMM_METRIC_COUNT; i++) {
		const struct vmm_diff_account *a = &d->accounts[i];

		if (!a->known || a->adds_up)
			continue;
		vmm_out_printf(out, "%s: regions ", vmm_metric_id(a->metric));
		vmm_put_change(out, look, a->regions);
		vmm_out_text(out, ", types ");
		vmm_put_change(out, look, a->types);
		vmm_out_text(out, ", total ");
		vmm_put_change(out, look, a->total);
		vmm_out_text(out, ": they do not add up\n");
	}
}

/* What "same" leaves open: numbers that one side does not know. Heaps' own are said of heaps alone. */
static void put_unknown(struct vmm_out *out, const struct vmm_diff *d)
{
	static const enum vmm_metric told[] = {VMM_METRIC_COMMITTED, VMM_METRIC_PRIVATE, VMM_METRIC_RSS, VMM_METRIC_SWAP, VMM_METRIC_ANONYMOUS};
	const char *before = "not compared, for a side does not know it all: ";

	for (size_t i = 0; i < ARRAY_LEN(told); i++) {
		if (vmm_difference_of(d->total.before, d->total.after, told[i]).state == VMM_DIFFERENCE_KNOWN)
			continue;
		vmm_out_text(out, before);
		vmm_out_text(out, vmm_metric_id(told[i]));
		before = ", ";
	}
	if (before[0] == ',')
		vmm_out_char(out, '\n');
}

static bool has_note(const struct vmm_snapshot *s, const struct vmm_note *n)
{
	for (uint32_t i = 0; i < s->note_count; i++)
		if (strcmp(s->notes[i].from, n->from) == 0 && strcmp(s->notes[i].text, n->text) == 0)
			return true;
	return false;
}

static void put_note(struct vmm_out *out, const struct vmm_look *look, const char *side, const struct vmm_note *n)
{
	struct vmm_out *text = vmm_out_create_memory();

	if (!text)
		return;
	vmm_out_text(text, side);
	vmm_out_escaped(text, n->from, 0);
	vmm_out_text(text, ": ");
	vmm_out_escaped(text, n->text, 0);
	vmm_put_sentence(out, look, text);
}

static void put_notes(struct vmm_out *out, const struct vmm_look *look, const struct vmm_diff *d)
{
	if (d->a->note_count || d->b->note_count)
		vmm_put_heading(out, look, "Notes");
	for (uint32_t i = 0; i < d->a->note_count; i++)
		put_note(out, look, has_note(d->b, &d->a->notes[i]) ? "both, " : "before, ", &d->a->notes[i]);
	for (uint32_t i = 0; i < d->b->note_count; i++)
		if (!has_note(d->a, &d->b->notes[i]))
			put_note(out, look, "after, ", &d->b->notes[i]);
}

void vmm_diff_row_name(const struct vmm_diff_row *row, char *ret, size_t size)
{
	const struct vmm_snapshot *s = row->b != VMM_NONE ? row->diff->b : row->diff->a;
	const struct vmm_region *r;
	char details[160];

	if (row->by == VMM_DIFF_TYPE) {
		snprintf(ret, size, "%s", row->kind < VMM_KIND_COUNT ? vmm_kind_label(row->kind) : "Total");
		return;
	}
	r = &s->regions[row->b != VMM_NONE ? row->b : row->a];
	vmm_escape_terminal(details, sizeof(details), r->details, strlen(r->details));
	snprintf(ret, size, "%s %s at 0x%llx%s%s", vmm_change_id(row->what), vmm_kind_label(r->kind), (unsigned long long)r->start,
	         details[0] ? ", " : "", details);
}

static int put_page(struct vmm_out *out, const struct vmm_look *look, const struct vmm_diff_page *p, struct vmm_err *err)
{
	const struct vmm_diff *d = p->diff;
	int code = put_rows(out, look, p->types, d, true, "Types", "", err);

	if (code == 0 && p->growth) {
		vmm_out_char(out, '\n');
		vmm_growth_put(out, look, p->growth, FINDINGS_SHOWN);
	}
	if (code == 0) {
		if (d->region_count) {
			vmm_put_heading(out, look, "Regions");
			put_states(out, look, d);
		}
		code = put_rows(out, look, p->regions, d, true, NULL, "--by region", err);
	}
	if (code == 0)
		code = put_rows(out, look, p->heaps, d, true, "Heaps", "--by heap", err);
	if (code == 0)
		code = put_rows(out, look, p->classes, d, true,
		                d->classes_rounded ? "Chunks by size (from this size up to twice of it)" : "Chunks by size", "--by class",
		                err);
	put_things(out, look, "Threads", d->threads, d->thread_count, thread_text);
	put_things(out, look, "Images", d->modules, d->module_count, module_text);
	vmm_diff_accounts_text(out, look, d);
	put_accounts(out, look, d);
	put_unknown(out, d);
	put_notes(out, look, d);
	return code;
}

int vmm_diff_text(struct vmm_out *out, const struct vmm_look *look, const struct vmm_diff_page *p, struct vmm_err *err)
{
	const struct vmm_query *queries[] = {p->types, p->regions, p->heaps, p->classes};
	static const char *const how[] = {"--by type", "--top", "--top", "--top"};
	int code = 0;

	put_head(out, look, p);
	if (p->rest)
		return put_page(out, look, p, err);
	if (p->classes && !p->diff->classes_known)
		vmm_out_text(out, "sizes of chunks are known only where all heaps of both sides were walked and proved\n");
	for (size_t i = 0; i < ARRAY_LEN(queries) && code == 0; i++)
		if (queries[i])
			code = put_rows(out, look, queries[i], p->diff, false, NULL, how[i], err);
	return code;
}
