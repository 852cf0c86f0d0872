/* The timeline for people: who, chart, table, what grows. */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "face/chart.h"
#include "face/pace.h"
#include "face/timeline.h"

#define LINES_LEAST 8
#define LINES_MOST 16
#define LINES_DEFAULT 12
#define SPARK_LEAST 8
#define SPARK_MOST 60
#define SPARK_DEFAULT 24
#define LABEL_MOST 40
#define RESTARTS_SHOWN 8
#define FINDINGS_SHOWN 10
#define GAPS_SHOWN 4

static void put_span(struct vmm_out *out, const struct vmm_timeline *t)
{
	const struct vmm_timeline_look *first = &t->looks[0], *last = &t->looks[t->look_count - 1];
	struct tm a, b;
	char text[32] = "";

	vmm_put_moment(out, &first->taken_at);
	if (t->look_count == 1)
		return;
	vmm_out_text(out, " to ");
	if (localtime_r(&first->taken_at.tv_sec, &a) && localtime_r(&last->taken_at.tv_sec, &b) &&
	    a.tm_year == b.tm_year && a.tm_yday == b.tm_yday) {
		strftime(text, sizeof(text), "%H:%M:%S", &b);
		vmm_out_text(out, text);
	} else {
		vmm_put_moment(out, &last->taken_at);
	}
	vmm_out_text(out, ", ");
	vmm_put_seconds(out, (double)last->axis_ns / 1e9);
}

static void put_head(struct vmm_out *out, const struct vmm_look *look, const struct vmm_timeline *t)
{
	const struct vmm_timeline_target *g = &t->targets[t->target_count - 1];
	struct vmm_line line = {.out = out, .look = look};
	char text[64];

	vmm_put_bold(out, look);
	if (t->together)
		vmm_out_printf(out, "%u targets", t->target_count);
	else
		vmm_out_escaped(out, g->name[0] ? g->name : "(no name)", 32);
	vmm_put_plain(out, look);
	if (!t->together && g->pid > 0)
		vmm_out_printf(out, " %d", (int)g->pid);
	vmm_out_text(out, "  ");
	put_span(out, t);
	vmm_out_char(out, '\n');
	snprintf(text, sizeof(text), "%s",
		 vmm_column_find(vmm_table_find("regions"), vmm_metric_id(t->ask->measure))->title);
	vmm_line_add(&line, text);
	snprintf(text, sizeof(text), "%u snapshot%s", t->snapshot_count, t->snapshot_count == 1 ? "" : "s");
	vmm_line_add(&line, text);
	if (t->look_count < t->snapshot_count) {
		snprintf(text, sizeof(text), "%u of them looked at", t->look_count);
		vmm_line_add(&line, text);
	}
	if (!t->together && t->target_count > 1) {
		snprintf(text, sizeof(text),
			 t->by == VMM_TIMELINE_KIND && !t->ask->where ? "%u runs" : "the last of %u runs",
			 t->target_count);
		vmm_line_add(&line, text);
	}
	vmm_line_end(&line);
}

/* ---- chart ---- */

/* The local clock at the first look, as seconds of a calendar. */
static int64_t local_start(const struct vmm_timeline *t)
{
	time_t seconds = t->looks[0].taken_at.tv_sec;
	struct tm tm;

	return localtime_r(&seconds, &tm) ? (int64_t)((uint64_t)seconds + (uint64_t)tm.tm_gmtoff) : seconds;
}

struct columns {
	uint32_t look[VMM_CHART_COLUMNS_MAX];
	bool empty[VMM_CHART_COLUMNS_MAX], marks[VMM_CHART_COLUMNS_MAX];
};

static void find_marks(const struct vmm_timeline *t, struct columns *c, unsigned columns)
{
	int64_t span = t->looks[t->look_count - 1].axis_ns;

	for (unsigned x = 0; x < columns; x++) {
		c->empty[x] = c->look[x] == VMM_NONE;
		c->marks[x] = false;
	}
	for (uint32_t i = 1; i < t->look_count && span > 0; i++)
		if (t->looks[i].other)
			c->marks[vmm_min_u64((uint64_t)((vmm_wide)t->looks[i].axis_ns * columns / span), columns - 1)] =
			    true;
}

static int put_chart(struct vmm_out *out, const struct vmm_look *look, const struct vmm_timeline *t,
		     struct vmm_err *err)
{
	unsigned width = look->style.width ? look->style.width : 80, columns = width - VMM_CHART_MARGIN - 1;
	unsigned table = t->row_count + (t->growth ? 3 * t->growth->finding_count : 0) + 9;
	unsigned lines = !look->rows                        ? LINES_DEFAULT
			 : look->rows > table + LINES_LEAST ? look->rows - table
							    : LINES_LEAST;
	VMM_CLEANUP_FREE struct vmm_chart_part *parts = vmm_alloc_hook(NULL, (t->row_count + 1) * sizeof(*parts));
	VMM_CLEANUP_FREE struct columns *c = vmm_alloc_hook(NULL, sizeof(*c));
	VMM_CLEANUP_FREE uint64_t *values = NULL;
	struct vmm_chart chart = {.part_count = t->row_count,
				  .lines = (lines > LINES_MOST ? LINES_MOST : lines) / 4 * 4};

	columns = columns > VMM_CHART_COLUMNS_MAX ? VMM_CHART_COLUMNS_MAX : columns;
	values = vmm_alloc_hook(NULL, ((size_t)columns * t->row_count + 1) * sizeof(*values));
	if (!parts || !c || !values)
		return vmm_fail_nomem(err);
	vmm_timeline_columns(t, columns, c->look);
	find_marks(t, c, columns);
	for (unsigned r = 0; r < t->row_count; r++) {
		parts[r] = (struct vmm_chart_part){t->rows[r].letter, t->rows[r].colour};
		for (unsigned x = 0; x < columns; x++)
			values[(size_t)x * t->row_count + r] = c->empty[x] ? 0 : t->rows[r].samples[c->look[x]].value;
	}
	chart.parts = parts;
	chart.values = values;
	chart.empty = c->empty;
	chart.marks = c->marks;
	chart.columns = columns;
	chart.start_s = local_start(t);
	chart.span_s = (double)t->looks[t->look_count - 1].axis_ns / 1e9;
	vmm_chart_emit(out, look, &chart);
	vmm_out_char(out, '\n');
	return 0;
}

/* ---- table ---- */

enum { LABEL, FIRST, LAST, CHANGE, RATE, CELLS };

struct cells {
	char *text[CELLS];
};

static char *size_text(const struct vmm_look *look, bool known, uint64_t value)
{
	struct vmm_out *out = vmm_out_create_memory();

	if (!out)
		return NULL;
	if (known)
		vmm_put_size(out, look, value);
	else
		vmm_out_char(out, '?');
	return vmm_out_take(out, NULL);
}

static char *change_text(const struct vmm_look *look, const struct vmm_trend *t)
{
	struct vmm_out *out = vmm_out_create_memory();

	if (!out)
		return NULL;
	if (t->points == 0)
		vmm_out_char(out, '?');
	else if (t->last == t->first)
		vmm_out_char(out, '-');
	else
		vmm_put_change(out, look, (int64_t)(t->last - t->first));
	return vmm_out_take(out, NULL);
}

static char *rate_text(const struct vmm_trend *t)
{
	struct vmm_out *out = vmm_out_create_memory();

	if (!out)
		return NULL;
	if (t->verdict == VMM_TREND_STEADY)
		vmm_put_rate(out, t->slope);
	else
		vmm_out_text(out, t->verdict == VMM_TREND_TOO_FEW ? "?" : "-");
	return vmm_out_take(out, NULL);
}

static char *label_text(const char *label, size_t width)
{
	struct vmm_out *out = vmm_out_create_memory();

	if (!out)
		return NULL;
	vmm_out_escaped(out, label, width);
	return vmm_out_take(out, NULL);
}

static bool fill_cells(const struct vmm_look *look, const struct vmm_timeline_row *row, struct cells *c,
		       size_t width[CELLS], size_t label_most)
{
	const struct vmm_trend *t = &row->trend;
	bool all = true;

	c->text[LABEL] = label_text(row->label, label_most);
	c->text[FIRST] = size_text(look, t->points > 0, t->first);
	c->text[LAST] = size_text(look, t->points > 0, t->last);
	c->text[CHANGE] = change_text(look, t);
	c->text[RATE] = rate_text(t);
	for (int i = 0; i < CELLS; i++) {
		size_t used = c->text[i] ? vmm_text_width(c->text[i], strlen(c->text[i])) : 0;

		all &= c->text[i] != NULL;
		width[i] = used > width[i] ? used : width[i];
	}
	return all;
}

static void put_cell(struct vmm_out *out, const char *text, size_t width, bool left)
{
	size_t used = vmm_text_width(text, strlen(text));

	if (left)
		vmm_out_text(out, text);
	vmm_out_repeat(out, " ", used < width ? width - used : 0);
	if (!left)
		vmm_out_text(out, text);
}

static void put_spark(struct vmm_out *out, const struct vmm_look *look, const struct vmm_timeline *t,
		      const struct vmm_timeline_row *row, unsigned columns)
{
	uint32_t looks[SPARK_MOST];
	uint64_t values[SPARK_MOST];
	bool known[SPARK_MOST];

	vmm_timeline_columns(t, columns, looks);
	for (unsigned x = 0; x < columns; x++) {
		known[x] = looks[x] != VMM_NONE && row->samples[looks[x]].known;
		values[x] = known[x] ? row->samples[looks[x]].value : 0;
	}
	if (row->kind < VMM_KIND_COUNT || row->colour)
		vmm_put_foreground(out, look, row->colour);
	vmm_sparkline(out, look, values, known, columns);
	vmm_put_plain(out, look);
}

static void put_row(struct vmm_out *out, const struct vmm_look *look, const struct vmm_timeline *t,
		    const struct vmm_timeline_row *row, const struct cells *c, const size_t width[CELLS],
		    unsigned spark)
{
	bool total = row == &t->total;

	if (total) {
		vmm_put_bold(out, look);
		vmm_out_char(out, ' ');
	} else {
		vmm_put_background(out, look, row->colour);
		vmm_out_char(out, row->letter);
		vmm_put_plain(out, look);
	}
	vmm_out_char(out, ' ');
	put_cell(out, c->text[LABEL], width[LABEL], true);
	vmm_out_text(out, "  ");
	if (spark) {
		put_spark(out, look, t, row, spark);
		vmm_out_text(out, "  ");
	}
	if (total)
		vmm_put_bold(out, look);
	for (int i = FIRST; i < CELLS; i++) {
		bool steady = i == RATE && row->trend.verdict == VMM_TREND_STEADY;

		if (steady)
			vmm_put_foreground(out, look, 1);
		put_cell(out, c->text[i], width[i], false);
		if (steady)
			vmm_put_plain(out, look);
		vmm_out_text(out, i + 1 < CELLS ? "  " : "");
	}
	vmm_put_plain(out, look);
	vmm_out_char(out, '\n');
}

static void put_titles(struct vmm_out *out, const struct vmm_look *look, const char *const titles[CELLS],
		       const size_t width[CELLS], unsigned spark)
{
	vmm_put_bold(out, look);
	vmm_out_text(out, "  ");
	put_cell(out, titles[LABEL], width[LABEL], true);
	vmm_out_repeat(out, " ", spark ? spark + 4 : 2);
	for (int i = FIRST; i < CELLS; i++) {
		put_cell(out, titles[i], width[i], false);
		vmm_out_text(out, i + 1 < CELLS ? "  " : "\n");
	}
	vmm_put_plain(out, look);
}

static int put_table(struct vmm_out *out, const struct vmm_look *look, const struct vmm_timeline *t,
		     struct vmm_err *err)
{
	static const char *const first_titles[] = {"Type", "Heap", "Region", "Target"};
	const char *titles[CELLS] = {
	    [LABEL] = first_titles[t->by], [FIRST] = "First", [LAST] = "Last", [CHANGE] = "Change", [RATE] = "Steady"};
	struct cells *c = vmm_alloc_hook(NULL, ((size_t)t->row_count + 1) * sizeof(*c));
	size_t width[CELLS], used = 2, all = look->style.width, label_most = all && all < 100 ? 24 : LABEL_MOST;
	unsigned spark = SPARK_DEFAULT;
	bool enough = c != NULL;

	for (int i = 0; i < CELLS; i++)
		width[i] = strlen(titles[i]);
	for (uint32_t i = 0; i <= t->row_count && c; i++)
		enough &= fill_cells(look, i < t->row_count ? &t->rows[i] : &t->total, &c[i], width, label_most);
	for (int i = 0; i < CELLS; i++)
		used += width[i] + 2;
	if (all)
		spark = all < used + SPARK_LEAST ? 0 : all - used > SPARK_MOST ? SPARK_MOST : (unsigned)(all - used);
	spark = t->look_count > 1 ? spark : 0;
	if (enough)
		put_titles(out, look, titles, width, spark);
	for (uint32_t i = 0; i <= t->row_count && enough; i++)
		put_row(out, look, t, i < t->row_count ? &t->rows[i] : &t->total, &c[i], width, spark);
	for (uint32_t i = 0; i <= t->row_count && c; i++)
		for (int k = 0; k < CELLS; k++)
			free(c[i].text[k]);
	free(c);
	return enough ? 0 : vmm_fail_nomem(err);
}

/* ---- what must be said besides ---- */

static void put_restarts(struct vmm_out *out, const struct vmm_look *look, const struct vmm_timeline *t)
{
	uint32_t shown = 0, all = 0;

	for (uint32_t i = 1; i < t->look_count; i++)
		all += t->looks[i].other;
	for (uint32_t i = 1; i < t->look_count && shown < RESTARTS_SHOWN; i++) {
		const struct vmm_timeline_target *g = t->targets;

		if (!t->looks[i].other)
			continue;
		while (g->target != t->looks[i].target)
			g++;
		vmm_out_text(out, look->utf8 ? "▲ " : "^ ");
		vmm_put_moment(out, &t->looks[i].taken_at);
		vmm_out_text(out, "  another run: PID ");
		vmm_out_int(out, g->pid);
		vmm_out_char(out, '\n');
		shown++;
	}
	if (all > shown)
		vmm_out_printf(out, "… %u more\n", all - shown);
}

static void put_gaps(struct vmm_out *out, const struct vmm_timeline *t)
{
	uint32_t shown = 0, all = 0;

	for (uint32_t i = 1; i < t->look_count; i++)
		all += t->looks[i].gap;
	for (uint32_t i = 1; i < t->look_count && shown < GAPS_SHOWN; i++) {
		if (!t->looks[i].gap)
			continue;
		vmm_out_text(out, "Nothing was recorded for ");
		vmm_put_seconds(out, (double)(t->looks[i].axis_ns - t->looks[i - 1].axis_ns) / 1e9);
		vmm_out_text(out, " after ");
		vmm_put_moment(out, &t->looks[i - 1].taken_at);
		vmm_out_char(out, '\n');
		shown++;
	}
	if (all > shown)
		vmm_out_printf(out, "… and %u more gaps\n", all - shown);
	if (t->set_back)
		vmm_out_printf(
		    out, "The clock was set back %u time%s meanwhile: times after that are as if it had not been\n",
		    t->set_back, t->set_back == 1 ? "" : "s");
}

static void put_rest(struct vmm_out *out, const struct vmm_look *look, const struct vmm_timeline *t)
{
	put_restarts(out, look, t);
	put_gaps(out, t);
	if (t->together)
		vmm_out_text(out, "--target PID shows one of them, and what grows in it\n");
	if (t->growth) {
		vmm_out_char(out, '\n');
		vmm_growth_put(out, look, t->growth, FINDINGS_SHOWN);
	}
}

int vmm_timeline_text(struct vmm_out *out, const struct vmm_look *look, const struct vmm_timeline *t,
		      struct vmm_err *err)
{
	int code = 0;

	put_head(out, look, t);
	vmm_out_char(out, '\n');
	if (look->pictures && t->look_count > 1 && t->row_count)
		code = put_chart(out, look, t, err);
	if (code == 0)
		code = put_table(out, look, t, err);
	if (code == 0)
		put_rest(out, look, t);
	return code;
}
