/* Tables for people: two passes over the rows, one for the widths, one that writes. */
#include <stdio.h>

#include "base/arena.h"
#include "view/text_cell.h"

#define GAP 2             /* columns between two cells */
#define COLUMNS_MAX 256   /* what a query holds at most */
#define TEXT_CELL_MAX 40  /* columns of a text that is not the last */
#define FLEX_WISHED 24    /* columns that the last text wants before wide columns are shown */
#define FLEX_LEAST 8      /* columns that it gets at least */

struct slot {
	const struct vmm_column *column;
	size_t width;   /* of its widest cell, title included */
	unsigned digits; /* of its longest address */
	bool blank;     /* every cell is zero or absent */
	bool unknown;   /* some cell is unknown */
	bool told;      /* some cell is known and no 0 */
	bool dropped;
	char title[40];
};

struct layout {
	const struct vmm_query *q;
	const struct vmm_style *style;
	struct slot slots[COLUMNS_MAX];
	size_t count;
	struct slot *first, *flex; /* flex: the last column, when it is text and the line is limited; it is cut */
	bool nested;               /* some rows lie below others */
	bool backslashes;          /* as in struct vmm_out */
};

static size_t indent_of(const struct layout *l, const struct slot *slot, const struct vmm_row *row)
{
	return slot == l->first && !vmm__right_aligned(slot->column) ? (size_t)row->depth * 2 : 0;
}

static size_t cell_width(const struct layout *l, const struct slot *slot, const struct vmm__cell *c, const struct vmm_row *row)
{
	return indent_of(l, slot, row) + (c->colour >= 0 ? 2 : 0) + vmm__shown_width(c->text, l->backslashes) + strlen(c->suffix);
}

static void set_title(struct layout *l, struct slot *slot, bool *unit_told)
{
	static const char *const units[] = {" KiB", " B", " MiB", ""};
	bool size = slot->column->type == VMM_VALUE_BYTES || slot->column->type == VMM_VALUE_CHANGE;
	bool first_size = size && !*unit_told;

	/* The first size says the unit of all. */
	snprintf(slot->title, sizeof(slot->title), "%s%s", slot->column->title,
	         first_size && (unsigned)l->style->units < ARRAY_LEN(units) ? units[l->style->units] : "");
	*unit_told |= first_size;
}

static void set_slots(struct layout *l)
{
	bool unit_told = false;

	l->count = l->q->column_count < COLUMNS_MAX ? l->q->column_count : COLUMNS_MAX;
	for (size_t i = 0; i < l->count; i++) {
		l->slots[i] = (struct slot){.column = l->q->columns[i], .blank = true};
		set_title(l, &l->slots[i], &unit_told);
		l->slots[i].width = l->style->heading ? strlen(l->slots[i].title) : 1;
	}
	l->first = &l->slots[0];
	if (l->count && l->style->width && l->slots[l->count - 1].column->type == VMM_VALUE_TEXT)
		l->flex = &l->slots[l->count - 1];
}

static void measure_slot(const struct layout *l, struct slot *slot, const struct vmm_row *row)
{
	struct vmm__cell c;
	size_t width;

	vmm__cell_make(&c, slot->column, slot->digits, row, l->style);
	width = cell_width(l, slot, &c, row);
	if (slot->column->type == VMM_VALUE_TEXT && slot != l->flex && l->style->width && width > TEXT_CELL_MAX)
		width = TEXT_CELL_MAX;
	if (width > slot->width)
		slot->width = width;
	slot->told |= c.v.number || c.v.state == VMM_AT_MOST || (c.v.state == VMM_KNOWN && !vmm__right_aligned(slot->column));
	slot->unknown |= c.v.state == VMM_UNKNOWN;
	if (c.v.state == VMM_UNKNOWN || c.v.number || c.v.state == VMM_AT_LEAST || c.v.state == VMM_AT_MOST ||
	    slot->column->type == VMM_VALUE_TEXT)
		slot->blank = false;
}

/*
 * All addresses of a column get as many digits as its longest, so that they align. The lone one in the kernel's half
 * (vsyscall) would put zeros before all others: it stands out instead.
 */
static void measure_digits(struct slot *slot, const struct vmm_rows *rows)
{
	struct vmm_value v;
	uint64_t all = 0;

	for (size_t r = 0; r < rows->count; r++) {
		vmm_column_value(slot->column, &rows->rows[r], &v);
		all |= v.number >> 48 ? 0 : v.number;
	}
	slot->digits = 8;
	while (slot->digits < 16 && all >> (4 * slot->digits))
		slot->digits++;
}

static void measure(struct layout *l, const struct vmm_rows *rows)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->slots[i].column->type == VMM_VALUE_ADDRESS)
			measure_digits(&l->slots[i], rows);
	for (size_t r = 0; r < rows->count; r++)
		for (size_t i = 0; i < l->count; i++)
			measure_slot(l, &l->slots[i], &rows->rows[r]);
}

static size_t line_width(const struct layout *l, size_t flex_width)
{
	size_t total = 0;

	for (size_t i = 0; i < l->count; i++) {
		const struct slot *s = &l->slots[i];
		size_t width = s == l->flex && s->width > flex_width ? flex_width : s->width;

		if (!s->dropped)
			total += width + (total ? GAP : 0);
	}
	return total;
}

/* The columns that go first, from the right: what says nothing, then what is for wide lines, then other numbers. */
static struct slot *least_wanted(struct layout *l, unsigned level)
{
	for (size_t i = l->count; i-- > 1;) {
		struct slot *s = &l->slots[i];
		bool number = vmm__right_aligned(s->column);

		if (!s->dropped && s != l->flex &&
		    (level == 0   ? (s->blank || (s->unknown && !s->told)) && number
		     : level == 1 ? (s->column->flags & VMM_COLUMN_WIDE) != 0
		                  : number))
			return s;
	}
	return NULL;
}

/*
 * What a file cannot tell at all needs no column of question marks, unless it was asked for. Of a live process such a
 * column shows that there is something to be known; only contents in a file are nothing that it could have.
 */
static void drop_untold(struct layout *l, const struct vmm_rows *rows)
{
	const struct vmm_snapshot *s = rows->count ? rows->rows[0].snapshot : NULL;
	bool file = s && strcmp(s->target.source, "live") != 0;

	for (size_t i = 1; i < l->count && !l->q->columns_chosen; i++) {
		struct slot *slot = &l->slots[i];

		if (!slot->told && slot != l->flex && (file ? slot->unknown : slot->column->metric == VMM_METRIC_STORED))
			slot->dropped = true;
	}
}

/* Drops columns that the user did not ask for until the line fits; the last text gets what is left. */
static void fit(struct layout *l)
{
	size_t rest;

	if (!l->style->width)
		return;
	for (unsigned level = 0; level < 3 && !l->q->columns_chosen; level++) {
		struct slot *s;

		while (line_width(l, level < 2 ? FLEX_WISHED : FLEX_LEAST) > l->style->width && (s = least_wanted(l, level)))
			s->dropped = true;
	}
	if (!l->flex)
		return;
	rest = line_width(l, 0);
	rest = l->style->width > rest + FLEX_LEAST ? l->style->width - rest : FLEX_LEAST;
	if (l->flex->width > rest)
		l->flex->width = rest;
}

/* Writes pending blanks, then the cell's text cut to width columns; returns the columns used. */
static size_t write_cell(struct vmm_out *out, const struct vmm__cell *c, size_t width, bool colour)
{
	const char *style = c->dim                ? "\033[2m"
	                    : c->alarm            ? "\033[31m"
	                    : c->sign             ? (c->sign > 0 ? "\033[31m" : "\033[32m")
	                    : c->bold             ? "\033[1m"
	                                          : NULL;
	size_t suffix = strlen(c->suffix), used = 0, room;

	if (c->colour >= 0) {
		vmm_out_printf(out, "\033[38;5;%dm█\033[0m ", c->colour);
		used = 2;
	}
	if (colour && style)
		vmm_out_text(out, style);
	room = width > used + suffix ? width - used - suffix : 1;
	if (c->text == c->own) { /* our own digits need no escapes */
		vmm_out_text(out, c->own);
		used += vmm__shown_width(c->own, false);
	} else {
		used += vmm_out_escaped(out, c->text, width ? room : 0);
	}
	vmm_out_text(out, c->suffix);
	if (colour && style)
		vmm_out_text(out, "\033[0m");
	return used + suffix;
}

static void blanks(struct vmm_out *out, size_t n)
{
	static const char spaces[] = "                                                                ";

	for (size_t part; n > 0; n -= part) {
		part = n < sizeof(spaces) - 1 ? n : sizeof(spaces) - 1;
		vmm_out_bytes(out, spaces, part);
	}
}

/* The width a cell may take: none where nothing follows and the line is not limited. */
static size_t cell_limit(const struct layout *l, const struct slot *slot)
{
	bool last = slot == &l->slots[l->count - 1];

	return slot->column->type == VMM_VALUE_TEXT && !(last && !l->flex) ? slot->width : 0;
}

/* One line. Blanks are written only before something, so that no line ends with them. */
static void write_line(struct vmm_out *out, const struct layout *l, const struct vmm_row *row)
{
	size_t pending = 0;
	struct vmm__cell c;

	for (size_t i = 0; i < l->count; i++) {
		const struct slot *s = &l->slots[i];
		size_t width, indent = 0, used = 0, limit;

		if (s->dropped)
			continue;
		if (row) {
			vmm__cell_make(&c, s->column, s->digits, row, l->style);
			indent = indent_of(l, s, row);
		} else {
			c = (struct vmm__cell){.text = s->title, .suffix = "", .bold = true, .colour = -1};
		}
		limit = cell_limit(l, s);
		width = indent + (c.colour >= 0 ? 2 : 0) + vmm__shown_width(c.text, l->backslashes) + strlen(c.suffix);
		if (vmm__right_aligned(s->column) && s->width > width)
			pending += s->width - width;
		if (c.text[0] || c.suffix[0]) {
			blanks(out, pending + indent);
			pending = 0;
			used = indent + write_cell(out, &c, limit > indent ? limit - indent : limit, l->style->colour);
		} else if (vmm__right_aligned(s->column)) {
			used = width;
		}
		pending += (vmm__right_aligned(s->column) || used >= s->width ? 0 : s->width - used) + GAP;
	}
	vmm_out_char(out, '\n');
}

void vmm_emit_text(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows, const struct vmm_style *style)
{
	struct layout l = {.q = q, .style = style};

	set_slots(&l);
	if (l.count == 0)
		return;
	/* Rows of processes have no snapshot. */
	if (rows->count && q->table->row_type != VMM_ROW_PROCESS)
		out->backslashes = l.backslashes = strcmp(rows->rows[0].snapshot->target.arch, "windows") == 0;
	measure(&l, rows);
	drop_untold(&l, rows);
	fit(&l);
	if (style->heading)
		write_line(out, &l, NULL);
	for (size_t r = 0; r < rows->count; r++)
		write_line(out, &l, &rows->rows[r]);
}

struct vmm__text_stream {
	struct layout layout;
};

/* Columns for what is likely: what is longer is cut, or shifts the rest of its line. */
static size_t stream_width(const struct slot *slot, const struct vmm_style *style)
{
	const struct vmm_column *c = slot->column;

	if (c->type == VMM_VALUE_ADDRESS)
		return slot->digits;
	if (vmm__right_aligned(c))
		return 8;
	if (c->get == vmm__get_kind)
		return style->colour ? 14 : 12;
	if (c->get == vmm__get_details || c->get == vmm__get_path)
		return 24;
	if (c->get == vmm__get_encoding)
		return 5;
	return c->get == vmm__get_heap || c->get == vmm__get_heap_chunk_heap ? 15 : 8;
}

struct vmm__text_stream *vmm__text_stream_create(const struct vmm_query *q, const struct vmm_style *style, bool narrow)
{
	struct vmm__text_stream *t = vmm_alloc_hook(NULL, sizeof(*t));
	struct layout *l;

	if (!t)
		return NULL;
	memset(t, 0, sizeof(*t));
	l = &t->layout;
	l->q = q;
	l->style = style;
	set_slots(l);
	for (size_t i = 0; i < l->count; i++) {
		struct slot *s = &l->slots[i];

		s->blank = false;
		s->digits = narrow ? 8 : 12;
		s->width = (size_t)vmm_max_u64(s->width, s == l->flex ? style->width : stream_width(s, style));
	}
	fit(l);
	return t;
}

void vmm__text_stream_row(struct vmm__text_stream *t, struct vmm_out *out, const struct vmm_row *row)
{
	if (t->layout.count)
		write_line(out, &t->layout, row);
}
