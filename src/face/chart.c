#include "face/chart.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "base/text.h"

#define EIGHTHS 8
#define TICKS 4        /* lines of the sizes above 0 */
#define LABEL_EVERY 14 /* columns from one time to the next, at least */
#define DAY 86400
#define BLACK 16

static const char *const eighth_blocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

/* The smallest round size of at least bytes. */
static uint64_t round_up(uint64_t bytes)
{
	static const unsigned steps[] = {1,  2,  3,  4,   5,   6,   8,   10,  15,  20,  25,  30,  40,
					 50, 60, 80, 100, 125, 150, 200, 250, 300, 400, 500, 600, 800};

	for (unsigned shift = 0; shift < 60; shift += 10)
		for (size_t i = 0; i < ARRAY_LEN(steps); i++)
			if ((uint64_t)steps[i] << shift >= bytes)
				return (uint64_t)steps[i] << shift;
	return bytes;
}

static uint64_t largest_column(const struct vmm_chart *c)
{
	uint64_t most = 0;

	for (unsigned x = 0; x < c->columns; x++) {
		uint64_t sum = 0;

		for (unsigned p = 0; p < c->part_count && !c->empty[x]; p++)
			sum = vmm_add_sat(sum, c->values[(size_t)x * c->part_count + p]);
		most = vmm_max_u64(most, sum);
	}
	return most;
}

/* Where each part of a column ends, in eighths of a line from the bottom. */
static void find_ends(const struct vmm_chart *c, unsigned x, uint64_t scale, unsigned *ret_end)
{
	uint64_t sum = 0;

	for (unsigned p = 0; p < c->part_count; p++) {
		if (!c->empty[x])
			sum = vmm_add_sat(sum, c->values[(size_t)x * c->part_count + p]);
		ret_end[p] = (unsigned)((double)vmm_min_u64(sum, scale) / (double)scale * c->lines * EIGHTHS + 0.5);
	}
}

/* The part at an eighth; part_count above them all. */
static unsigned part_at(const struct vmm_chart *c, const unsigned *end, unsigned eighth)
{
	unsigned p = 0;

	while (p < c->part_count && end[p] <= eighth)
		p++;
	return p;
}

/* The part that most of a cell is of. */
static unsigned most_of_cell(const struct vmm_chart *c, const unsigned *end, unsigned low)
{
	unsigned best = c->part_count, most = 0;

	for (unsigned e = 0; e < EIGHTHS;) {
		unsigned p = part_at(c, end, low + e), n = 0;

		while (e < EIGHTHS && part_at(c, end, low + e) == p) {
			n++;
			e++;
		}
		if (n > most) {
			most = n;
			best = p;
		}
	}
	return best;
}

/* Where each part's letter stands in colour: in the middle of where it is thickest. */
struct place {
	unsigned x, line, thick;
};

static void find_places(const struct vmm_chart *c, const unsigned *ends, struct place *ret)
{
	for (unsigned p = 0; p < c->part_count; p++) {
		ret[p] = (struct place){.thick = 0};
		for (unsigned x = 1; x < c->columns; x++) {
			const unsigned *end = ends + (size_t)x * c->part_count;
			unsigned low = p ? end[p - 1] : 0, first = (low + EIGHTHS - 1) / EIGHTHS,
				 last = end[p] / EIGHTHS;

			if (last > first && last - first > ret[p].thick)
				ret[p] = (struct place){x, first + (last - first) / 2, last - first};
		}
	}
}

/* Colours of the 256 that are in force; -1: none. */
struct colours {
	int front, ground;
};

static void set_colours(struct vmm_out *out, struct colours *now, int front, int ground)
{
	if (now->front == front && now->ground == ground)
		return;
	vmm_out_text(out, "\033[0");
	if (front >= 0)
		vmm_out_printf(out, ";38;5;%d", front);
	if (ground >= 0)
		vmm_out_printf(out, ";48;5;%d", ground);
	vmm_out_char(out, 'm');
	*now = (struct colours){front, ground};
}

static void put_coloured(struct vmm_out *out, struct colours *now, const struct vmm_chart *c, const unsigned *end,
			 unsigned line, bool letter)
{
	unsigned low = line * EIGHTHS, below = part_at(c, end, low), above = part_at(c, end, low + EIGHTHS - 1), n = 0;

	while (n < EIGHTHS && part_at(c, end, low + n) == below)
		n++;
	if (below == c->part_count) {
		set_colours(out, now, -1, -1);
		vmm_out_char(out, ' ');
	} else if (n == EIGHTHS) {
		set_colours(out, now, BLACK, c->parts[below].colour);
		vmm_out_char(out, letter ? c->parts[below].letter : ' ');
	} else {
		set_colours(out, now, c->parts[below].colour, above < c->part_count ? c->parts[above].colour : -1);
		vmm_out_text(out, eighth_blocks[n]);
	}
}

static void put_line(struct vmm_out *out, const struct vmm_look *look, const struct vmm_chart *c, const unsigned *ends,
		     const struct place *places, unsigned line)
{
	bool coloured = look->style.colour && look->utf8;
	struct colours now = {-1, -1};

	for (unsigned x = 0; x < c->columns; x++) {
		const unsigned *end = ends + (size_t)x * c->part_count;
		unsigned part = most_of_cell(c, end, line * EIGHTHS);
		bool letter =
		    part < c->part_count && places[part].thick && places[part].x == x && places[part].line == line;

		if (coloured)
			put_coloured(out, &now, c, end, line, letter);
		else
			vmm_out_char(out, part == c->part_count ? ' ' : c->parts[part].letter);
	}
	set_colours(out, &now, -1, -1);
}

static void put_margin(struct vmm_out *out, const struct vmm_look *look, const char *text, const char *edge)
{
	size_t width = vmm_text_width(text, strlen(text));

	vmm_put_dim(out, look);
	vmm_out_repeat(out, " ", width < VMM_CHART_MARGIN - 2 ? VMM_CHART_MARGIN - 2 - width : 0);
	vmm_out_printf(out, "%s %s", text, edge);
	vmm_put_plain(out, look);
}

static void put_size_margin(struct vmm_out *out, const struct vmm_look *look, uint64_t bytes, bool tick)
{
	struct vmm_out *memory = tick ? vmm_out_create_memory() : NULL;
	char *text = NULL;

	if (memory) {
		vmm_put_short_size(memory, bytes);
		text = vmm_out_take(memory, NULL);
	}
	put_margin(out, look, text ? text : "", look->utf8 ? (tick ? "┤" : "│") : tick ? "+" : "|");
	free(text);
}

/* ---- times ---- */

/* The time from one label to the next: round, and not too many. */
static int64_t label_step(const struct vmm_chart *c)
{
	static const unsigned steps[] = {1,    2,    5,    10,    15,    30,    60,  120,     300,     600,     900,
					 1800, 3600, 7200, 10800, 21600, 43200, DAY, 2 * DAY, 7 * DAY, 14 * DAY};
	double least = c->span_s / c->columns * LABEL_EVERY;

	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		if (steps[i] >= least)
			return steps[i];
	return least < 1e15 ? (int64_t)(least / (28 * DAY) + 1) * 28 * DAY : INT64_MAX / 4;
}

static void label_of(const struct vmm_chart *c, int64_t at, int64_t step, char *ret, size_t size)
{
	time_t t = at;
	struct tm tm;

	ret[0] = '\0';
	if (gmtime_r(&t, &tm) && strftime(ret, size,
					  step >= DAY  ? "%Y-%m-%d"
					  : step >= 60 ? "%H:%M"
						       : "%H:%M:%S",
					  &tm) == 0)
		ret[0] = '\0';
}

/* The time of column x is its left edge. */
static unsigned column_of(const struct vmm_chart *c, int64_t at)
{
	return (unsigned)((double)(at - c->start_s) / c->span_s * c->columns);
}

/* Calls for each label that has room: where its tick is, and where it begins. */
struct label {
	unsigned tick, start;
	char text[24];
};

static bool next_label(const struct vmm_chart *c, int64_t step, int64_t *at, unsigned free_from, struct label *ret)
{
	for (; (double)(*at - c->start_s) < c->span_s; *at += step) {
		size_t width;

		ret->tick = column_of(c, *at);
		label_of(c, *at, step, ret->text, sizeof(ret->text));
		width = strlen(ret->text);
		ret->start = ret->tick > width / 2 ? ret->tick - (unsigned)(width / 2) : 0;
		if (ret->tick < c->columns && ret->start >= free_from &&
		    ret->start + width <= c->columns + VMM_CHART_MARGIN / 2) {
			*at += step;
			return true;
		}
	}
	return false;
}

static void put_axis(struct vmm_out *out, const struct vmm_look *look, const struct vmm_chart *c)
{
	bool utf8 = look->utf8, times = c->span_s > 0 && c->span_s < 1e15 && fabs((double)c->start_s) < 1e15;
	int64_t step = times ? label_step(c) : 1,
		first = times ? c->start_s + (step - 1 - (c->start_s + step - 1) % step) : 0, at = first;
	struct label label;
	unsigned x = 0;

	put_margin(out, look, "0 B", utf8 ? "└" : "+");
	vmm_put_dim(out, look);
	for (bool more = times && next_label(c, step, &at, 0, &label); x < c->columns; x++) {
		bool tick = more && label.tick == x, mark = c->marks && c->marks[x];

		if (mark)
			vmm_out_text(out, utf8 ? "▲" : "^");
		else if (c->empty[x])
			vmm_out_text(out, utf8 ? "╌" : ".");
		else if (tick)
			vmm_out_text(out, utf8 ? "┬" : "+");
		else
			vmm_out_text(out, utf8 ? "─" : "-");
		if (tick)
			more = next_label(c, step, &at, label.start + (unsigned)strlen(label.text) + 2, &label);
	}
	vmm_out_char(out, '\n');
	if (!times) {
		vmm_put_plain(out, look);
		return;
	}
	vmm_out_repeat(out, " ", VMM_CHART_MARGIN);
	x = 0;
	at = first;
	while (next_label(c, step, &at, x ? x + 2 : 0, &label)) {
		vmm_out_repeat(out, " ", label.start - x);
		vmm_out_text(out, label.text);
		x = label.start + (unsigned)strlen(label.text);
	}
	vmm_put_plain(out, look);
	vmm_out_char(out, '\n');
}

void vmm_chart_emit(struct vmm_out *out, const struct vmm_look *look, const struct vmm_chart *c)
{
	size_t cells = (size_t)c->columns * c->part_count;
	unsigned *ends = vmm_alloc_hook(NULL, (cells + 1) * sizeof(*ends));
	struct place *places = vmm_alloc_hook(NULL, (c->part_count + 1) * sizeof(*places));
	uint64_t tick = round_up((largest_column(c) + TICKS - 1) / TICKS),
		 scale = tick > UINT64_MAX / TICKS ? UINT64_MAX : tick * TICKS;
	unsigned every = c->lines / TICKS;

	if (ends && places && c->part_count) {
		for (unsigned x = 0; x < c->columns; x++)
			find_ends(c, x, scale ? scale : 1, ends + (size_t)x * c->part_count);
		find_places(c, ends, places);
		/* A tick stands at the upper edge of its line. */
		for (unsigned line = c->lines; line-- > 0;) {
			put_size_margin(out, look, tick * ((line + 1) / every), (line + 1) % every == 0);
			put_line(out, look, c, ends, places, line);
			vmm_out_char(out, '\n');
		}
		put_axis(out, look, c);
	}
	free(ends);
	free(places);
}

void vmm_sparkline(struct vmm_out *out, const struct vmm_look *look, const uint64_t *values, const bool *known,
		   unsigned columns)
{
	static const char *const ascii[] = {"_", ".", ",", "-", "=", "+", "*", "#"};
	uint64_t low = UINT64_MAX, high = 0;

	for (unsigned x = 0; x < columns; x++) {
		if (!known[x])
			continue;
		low = vmm_min_u64(low, values[x]);
		high = vmm_max_u64(high, values[x]);
	}
	for (unsigned x = 0; x < columns; x++) {
		unsigned level = high ? 3 : 0;

		if (!known[x]) {
			vmm_out_char(out, ' ');
			continue;
		}
		if (high - low > high / 100)
			level = (unsigned)((double)(values[x] - low) / (double)(high - low) * 7 + 0.5);
		vmm_out_text(out, look->utf8 ? eighth_blocks[level + 1] : ascii[level]);
	}
}
