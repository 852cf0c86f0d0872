#include "face/bars.h"

#include <stdlib.h>

#include "base/text.h"

#define EIGHTHS 8

/* Where each part ends, in eighths of a column from the left. */
struct parts {
	const struct vmm_bar_part *part;
	int count;
	unsigned end[VMM_BAR_PARTS_MAX];
};

/* value * to / scale, rounded to the nearest, for value <= scale. */
static unsigned scaled(uint64_t value, uint64_t scale, unsigned to)
{
	return (unsigned)(((vmm_wide)value * to * 2 + scale) / ((vmm_wide)scale * 2));
}

static struct parts parts_of(const struct vmm_bar_part *part, unsigned count, uint64_t scale, unsigned columns)
{
	struct parts p = {.part = part, .count = count < VMM_BAR_PARTS_MAX ? (int)count : VMM_BAR_PARTS_MAX};
	uint64_t sum = 0;

	for (int k = 0; k < p.count; k++) {
		sum = vmm_min_u64(vmm_add_sat(sum, part[k].size), scale);
		p.end[k] = scale ? scaled(sum, scale, columns * EIGHTHS) : 0;
	}
	return p;
}

/* The part that covers one eighth, their count past the end of the bar. */
static int part_at(const struct parts *p, unsigned eighth)
{
	int k = 0;

	while (k < p->count && p->end[k] <= eighth)
		k++;
	return k;
}

/* The part that covers most of the first eighths of a column; the first of equals. */
static int part_of_column(const struct parts *p, unsigned column, unsigned eighths)
{
	unsigned count[VMM_BAR_PARTS_MAX + 1] = {0};
	int best = p->count;

	for (unsigned e = 0; e < eighths; e++)
		count[part_at(p, column * EIGHTHS + e)]++;
	for (int k = p->count - 1; k >= 0; k--)
		if (count[k] && count[k] >= count[best])
			best = k;
	return best;
}

/*
 * A column in which parts meet: the left one in eighths, the one at its right edge as the ground behind it. Where the
 * bar ends the length is kept, in the colour of the part that has most of it.
 */
static void put_border(struct vmm_out *out, const struct parts *p, unsigned column)
{
	static const char *const blocks[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
	unsigned first = column * EIGHTHS, n = 0;
	int left = part_at(p, first), right = part_at(p, first + EIGHTHS - 1);

	while (n < EIGHTHS && (right == p->count ? part_at(p, first + n) != right : part_at(p, first + n) == left))
		n++;
	if (right == p->count)
		left = part_of_column(p, column, n);
	vmm_out_printf(out, "\033[38;5;%d", p->part[left].colour);
	if (right < p->count)
		vmm_out_printf(out, ";48;5;%d", p->part[right].colour);
	vmm_out_printf(out, "m%s\033[0m", blocks[n]);
}

static bool column_is_whole(const struct parts *p, unsigned column)
{
	return part_at(p, column * EIGHTHS) == part_at(p, column * EIGHTHS + EIGHTHS - 1);
}

/* Whole columns of one part from column on: its name in black on its colour where there is room, else its letter. */
static void put_run(struct vmm_out *out, const struct vmm_look *look, const struct vmm_bar_part *part, unsigned length)
{
	size_t width = strlen(part->label);

	vmm_put_background(out, look, part->colour);
	if (width + 2 <= length) {
		vmm_out_char(out, ' ');
		vmm_out_text(out, part->label);
		vmm_out_repeat(out, " ", length - width - 1);
	} else {
		vmm_out_char(out, part->letter);
		vmm_out_repeat(out, " ", length - 1);
	}
	vmm_put_plain(out, look);
}

static void emit_coloured(struct vmm_out *out, const struct vmm_look *look, const struct parts *p, unsigned columns)
{
	for (unsigned c = 0; c < columns;) {
		int part = part_at(p, c * EIGHTHS);
		unsigned n = 0;

		while (c + n < columns && column_is_whole(p, c + n) && part_at(p, (c + n) * EIGHTHS) == part)
			n++;
		if (n == 0)
			put_border(out, p, c++);
		else if (part == p->count)
			vmm_out_repeat(out, " ", n);
		else
			put_run(out, look, &p->part[part], n);
		c += n;
	}
}

void vmm_bar_parts_emit(struct vmm_out *out, const struct vmm_look *look, const struct vmm_bar_part *part, unsigned count,
                        uint64_t scale, unsigned columns)
{
	struct parts p;

	if (columns > VMM_BAR_COLUMNS_MAX)
		columns = VMM_BAR_COLUMNS_MAX;
	p = parts_of(part, count, scale, columns);
	if (look->style.colour) {
		emit_coloured(out, look, &p, columns);
		return;
	}
	for (unsigned c = 0; c < columns; c++) {
		int k = part_of_column(&p, c, EIGHTHS);

		vmm_out_char(out, k == p.count ? '.' : part[k].letter);
	}
}

void vmm_bar_emit(struct vmm_out *out, const struct vmm_look *look, const uint64_t sizes[VMM_KIND_COUNT],
                  uint64_t scale, unsigned columns)
{
	struct vmm_bar_part part[VMM_KIND_COUNT];

	for (int k = 0; k < VMM_KIND_COUNT; k++)
		part[k] = (struct vmm_bar_part){vmm_kind_label((enum vmm_kind)k), vmm_kind_letter((enum vmm_kind)k),
		                                vmm_kind_colour256((enum vmm_kind)k), sizes[k]};
	vmm_bar_parts_emit(out, look, part, VMM_KIND_COUNT, scale, columns);
}

/* The number beside a bar as text, so that all three can be aligned. Free it; NULL when memory is out. */
static char *total_text(const struct vmm_look *look, const struct vmm_metrics *m, enum vmm_metric i)
{
	struct vmm_out *out = vmm_out_create_memory();

	if (!out)
		return NULL;
	vmm_put_metric(out, look, m, i);
	return vmm_out_take(out, NULL);
}

struct bar {
	const char *label;
	enum vmm_metric metric;
};

static const struct bar bar_table[] = {{"Committed", VMM_METRIC_COMMITTED}, {"Private", VMM_METRIC_PRIVATE}, {"Resident", VMM_METRIC_RSS},
                                       {"Stored", VMM_METRIC_STORED}};

/* Of what runs the first three, whether known or not; of files what they tell at all. */
static size_t choose_bars(const struct vmm_snapshot *s, struct bar ret_bars[ARRAY_LEN(bar_table)])
{
	bool live = strcmp(s->target.source, "live") == 0;
	size_t count = 0;

	for (size_t b = 0; b < ARRAY_LEN(bar_table); b++) {
		enum vmm_metric m = bar_table[b].metric;
		bool told = s->total.m.value[m] && (vmm_metric_known(&s->total.m, m) || (s->total.m.at_least >> m & 1));

		if (live ? m != VMM_METRIC_STORED : told)
			ret_bars[count++] = bar_table[b];
	}
	return count;
}

void vmm_bars_emit(struct vmm_out *out, const struct vmm_look *look, const struct vmm_snapshot *s)
{
	struct bar bars[ARRAY_LEN(bar_table)];
	char *totals[ARRAY_LEN(bar_table)];
	size_t count = choose_bars(s, bars);
	uint64_t scale = 0;
	size_t right = 0, left = count == 1 ? strlen(bars[0].label) + 2 : strlen(bar_table[0].label) + 2;
	size_t width = look->style.width ? look->style.width : 80;

	for (size_t b = 0; b < count; b++) {
		size_t columns;

		totals[b] = total_text(look, &s->total.m, bars[b].metric);
		columns = totals[b] ? vmm_text_width(totals[b], strlen(totals[b])) : 1;
		right = columns > right ? columns : right;
		scale = vmm_max_u64(scale, s->total.m.value[bars[b].metric]);
	}
	for (size_t b = 0; b < count; b++) {
		uint64_t sizes[VMM_KIND_COUNT];
		const char *total = totals[b] ? totals[b] : "?";

		/* Kinds without regions (page tables, free space) are in no total. */
		for (int k = 0; k < VMM_KIND_COUNT; k++)
			sizes[k] = s->types[k].regions ? s->types[k].m.value[bars[b].metric] : 0;
		vmm_out_printf(out, "%-*s", (int)left, bars[b].label);
		vmm_bar_emit(out, look, sizes, scale, width > left + right + 2 ? (unsigned)(width - left - right - 2) : 1);
		vmm_out_repeat(out, " ", 2 + right - vmm_text_width(total, strlen(total)));
		vmm_out_text(out, total);
		vmm_out_char(out, '\n');
		free(totals[b]);
	}
}
