/* One cell of a table for people: a value as text, in the units of the style. */
#include "view/text_cell.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* In the unit of which 1 << shift bytes make one, with tenths. */
static void with_tenths(char *ret, size_t size, uint64_t bytes, unsigned shift)
{
	uint64_t whole = bytes >> shift;
	uint64_t tenths = ((bytes - (whole << shift)) * 10 + (UINT64_C(1) << shift) / 2) >> shift; /* shift is 60 at most */
	size_t at = vmm_text_grouped(ret, whole + tenths / 10);

	snprintf(ret + at, size - at, ".%u", (unsigned)(tenths % 10));
}

static void format_auto(char *ret, size_t size, uint64_t bytes)
{
	static const char letters[] = "BKMGTPE";
	unsigned unit = 0;
	size_t at;

	while (unit < 6 && bytes >> (10 * (unit + 1)))
		unit++;
	if (unit == 0 || bytes >> (10 * unit) >= 100)
		at = vmm_text_grouped(ret, (bytes >> (10 * unit)) + (unit && (bytes >> (10 * unit - 1) & 1)));
	else {
		with_tenths(ret, size, bytes, 10 * unit);
		at = strlen(ret);
	}
	snprintf(ret + at, size - at, "%c", letters[unit]);
}

static void format_bytes(char *ret, size_t size, uint64_t bytes, enum vmm_units units)
{
	switch (units) {
	case VMM_UNITS_BYTES:
		vmm_text_grouped(ret, bytes);
		break;
	case VMM_UNITS_MIB:
		if (bytes < (1 << 20) / 20)
			snprintf(ret, size, "<0.1");
		else
			with_tenths(ret, size, bytes, 20);
		break;
	case VMM_UNITS_AUTO:
		format_auto(ret, size, bytes);
		break;
	default:
		if (bytes < 512)
			snprintf(ret, size, "<1");
		else
			vmm_text_grouped(ret, (bytes >> 10) + (bytes >> 9 & 1));
	}
}

/* At least width digits, 16 at most. */
static void put_hex(char *ret, uint64_t n, unsigned width)
{
	unsigned length = width;

	while (length < 16 && n >> (4 * length))
		length++;
	for (unsigned i = 0; i < length; i++)
		ret[i] = "0123456789abcdef"[n >> (4 * (length - 1 - i)) & 15];
	ret[length] = '\0';
}

static void number_cell(struct vmm__cell *c, const struct vmm_column *column, unsigned digits, const struct vmm_style *style)
{
	bool bound = c->v.state == VMM_AT_LEAST;
	uint64_t number = c->v.number;
	char *at = c->own;
	size_t size = sizeof(c->own);

	if (bound || c->v.state == VMM_AT_MOST) {
		snprintf(at, size, bound ? "≥" : "≤");
		at += strlen(at);
		size -= strlen(c->own);
	}
	if (vmm__value_signed(column) && c->v.number) {
		c->sign = (int64_t)c->v.number < 0 ? -1 : 1;
		number = c->sign < 0 ? 0 - number : number;
		*at++ = c->sign < 0 ? '-' : '+';
		size--;
	}
	if (column->type == VMM_VALUE_ADDRESS)
		put_hex(at, number, digits);
	else if (column->flags & VMM_COLUMN_ID)
		snprintf(at, size, "%llu", (unsigned long long)number);
	else if (number == 0)
		memcpy(at, "-", 2);
	else if (column->type == VMM_VALUE_BYTES || column->type == VMM_VALUE_CHANGE)
		format_bytes(at, size, number, style->units);
	else
		vmm_text_grouped(at, number);
	c->text = c->own;
}

static void text_cell(struct vmm__cell *c, const struct vmm_column *column, const struct vmm_row *row,
                      const struct vmm_style *style)
{
	c->text = c->v.text;
	if (column->get == vmm__get_kind) {
		enum vmm_kind kind = vmm__row_kind(row);

		c->text = row->depth ? "" : kind < VMM_KIND_COUNT ? vmm_kind_label(kind) : "Total";
		if (style->colour && kind < VMM_KIND_COUNT && !row->depth)
			c->colour = vmm_kind_colour256(kind);
	} else if (column->get == vmm__get_protection && vmm__row_write_exec(row)) {
		c->suffix = "!";
		c->alarm = true;
	}
}

void vmm__cell_make(struct vmm__cell *c, const struct vmm_column *column, unsigned digits, const struct vmm_row *row, const struct vmm_style *style)
{
	vmm_column_value(column, row, &c->v);
	c->text = "";
	c->suffix = c->v.suffix;
	c->dim = c->alarm = false;
	c->sign = 0;
	c->bold = vmm__row_is_total(row);
	c->colour = -1;
	/* At least nothing is as good as unknown; not so of changes. */
	if (c->v.state == VMM_UNKNOWN || (c->v.state == VMM_AT_LEAST && c->v.number == 0 && !vmm__value_signed(column))) {
		c->text = "?";
		c->suffix = "";
		c->dim = true;
	} else if (c->v.state == VMM_ABSENT) {
		c->suffix = "";
	} else if (column->type == VMM_VALUE_TEXT) {
		text_cell(c, column, row, style);
	} else if (column->type == VMM_VALUE_FLAG) {
		c->text = c->v.number ? "yes" : "-";
	} else {
		number_cell(c, column, digits, style);
	}
}

size_t vmm__shown_width(const char *s, bool backslashes)
{
	size_t length = strlen(s), width = 0;

	for (size_t i = 0; i < length;) {
		unsigned char byte = (unsigned char)s[i];
		uint32_t point;
		char e[32];
		size_t n;

		if (byte >= 0x20 && byte < 0x7f && (byte != '\\' || backslashes)) {
			width++;
			i++;
			continue;
		}
		n = vmm_utf8_decode(s + i, length - i, &point);
		width += vmm_text_width(e, vmm_escape_terminal(e, sizeof(e), s + i, n));
		i += n;
	}
	return width;
}

bool vmm__right_aligned(const struct vmm_column *column)
{
	return column->type == VMM_VALUE_BYTES || column->type == VMM_VALUE_COUNT || vmm__value_signed(column);
}
