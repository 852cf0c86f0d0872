#include <ctype.h>
#include <strings.h>

#include "view/expr.h"
#include "view/view.h"

/*
 * A number that may be known only within bounds: a lower bound has no upper one, and a difference with it the other
 * way round. vmm_wide holds every sum and difference of a whole expression.
 */
struct range {
	vmm_wide low, high;
	bool low_open, high_open; /* no bound on that side */
	bool unknown;
};

enum truth { NO, YES, UNSURE };

struct operand {
	struct range number;
	enum truth truth;
};

static enum truth truth_of(bool b)
{
	return b ? YES : NO;
}

/* *unsure is set where the number is not known exactly, though the row has it. */
static struct range column_number(const struct vmm_column *column, const struct vmm_row *row, bool *unsure)
{
	struct vmm_value v;

	vmm_column_value(column, row, &v);
	*unsure |= v.state != VMM_KNOWN && v.state != VMM_ABSENT;
	return (struct range){
	    .low = vmm__value_signed(column) ? (vmm_wide)(int64_t)v.number : (vmm_wide)v.number,
	    .high = vmm__value_signed(column) ? (vmm_wide)(int64_t)v.number : (vmm_wide)v.number,
	    .low_open = v.state == VMM_AT_MOST,
	    .high_open = v.state == VMM_AT_LEAST,
	    .unknown = v.state == VMM_UNKNOWN || v.state == VMM_ABSENT,
	};
}

/* The row of a diff that a column is asked of: the row itself, or its whole type. */
static struct vmm_row row_of(const struct vmm__code *c, const struct vmm_row *row)
{
	struct vmm_row type = *row;

	if (row->type == VMM_ROW_DIFF && c->kind < VMM_KIND_COUNT)
		type.object = &((const struct vmm_diff_row *)row->object)->diff->types[c->kind];
	return type;
}

/* Thousandths of a percent of what the column was before. */
static struct range percent_number(const struct vmm__code *c, const struct vmm_row *row)
{
	const struct vmm_diff_row *d = row->object;
	struct range r = {.unknown = true};
	uint64_t before = 0;

	if (row->type != VMM_ROW_DIFF)
		return r;
	if (c->column->metric < 0) {
		const struct vmm_diff_counts *n = c->column->get == vmm__get_count_change ? &d->count : &d->free_count;

		r.unknown = !n->known[0];
		before = n->value[0];
	} else {
		r.unknown = d->before && !vmm_metric_known(d->before, (enum vmm_metric)c->column->metric);
		before = d->before ? d->before->value[c->column->metric] : 0;
	}
	r.low = r.high = (vmm_wide)before * (vmm_wide)c->number / 100000;
	return r;
}

static struct range add(struct range a, struct range b)
{
	return (struct range){
	    .low = a.low + b.low,
	    .high = a.high + b.high,
	    .low_open = a.low_open || b.low_open,
	    .high_open = a.high_open || b.high_open,
	    .unknown = a.unknown || b.unknown,
	};
}

static struct range negative(struct range a)
{
	return (struct range){
	    .low = -a.high,
	    .high = -a.low,
	    .low_open = a.high_open,
	    .high_open = a.low_open,
	    .unknown = a.unknown,
	};
}

/* a < b */
static enum truth less(struct range a, struct range b)
{
	if (!a.high_open && !b.low_open && a.high < b.low)
		return YES;
	if (!a.low_open && !b.high_open && a.low >= b.high)
		return NO;
	return UNSURE;
}

static enum truth equal(struct range a, struct range b)
{
	bool a_exact = !a.low_open && !a.high_open && a.low == a.high;
	bool b_exact = !b.low_open && !b.high_open && b.low == b.high;

	if (less(a, b) == YES || less(b, a) == YES)
		return NO;
	return a_exact && b_exact ? YES : UNSURE;
}

static enum truth not(enum truth a)
{
	return a == UNSURE ? UNSURE : a == YES ? NO : YES;
}

static enum truth compare_numbers(enum vmm__compare compare, struct range a, struct range b)
{
	if (a.unknown || b.unknown)
		return UNSURE;
	switch (compare) {
	case VMM__EQUAL:
		return equal(a, b);
	case VMM__UNEQUAL:
		return not(equal(a, b));
	case VMM__LESS:
		return less(a, b);
	case VMM__GREATER_EQUAL:
		return not(less(a, b));
	case VMM__GREATER:
		return less(b, a);
	default:
		return not(less(b, a));
	}
}

static bool has_letters(const char *text, size_t length, const char *letters)
{
	for (; *letters; letters++)
		if (*letters != '-' && !memchr(text, tolower((unsigned char)*letters), length))
			return false;
	return true;
}

/* Whether one of the protections "r,rx,rw" has all the letters. */
static bool some_protection_has(const char *text, const char *letters)
{
	for (;; text++) {
		size_t length = strcspn(text, ",");

		if (has_letters(text, length, letters))
			return true;
		text += length;
		if (!*text)
			return false;
	}
}

/* What kind= compares with: the id or the label, in any case. */
static bool equal_kind(const struct vmm_row *row, const char *id, const char *text)
{
	enum vmm_kind kind = vmm__row_kind(row);

	return strcasecmp(id, text) == 0 || (kind < VMM_KIND_COUNT && strcasecmp(vmm_kind_label(kind), text) == 0);
}

static bool contains(const struct vmm_column *column, const struct vmm_row *row, const struct vmm_value *v,
                     const char *text)
{
	if (column->get == vmm__get_protection)
		return some_protection_has(v->text, text);
	if (column->get == vmm__get_kind && vmm__row_kind(row) < VMM_KIND_COUNT &&
	    strcasestr(vmm_kind_label(vmm__row_kind(row)), text))
		return true;
	return strcasestr(v->text, text) || strcasestr(v->suffix, text);
}

static enum truth compare_text(const struct vmm__code *c, const struct vmm_row *row)
{
	struct vmm_value v;
	int order;

	vmm_column_value(c->column, row, &v);
	if (v.state != VMM_KNOWN)
		return UNSURE;
	order = c->column->get == vmm__get_kind && equal_kind(row, v.text, c->text) ? 0 : strcmp(v.text, c->text);
	switch (c->compare) {
	case VMM__EQUAL:
		return truth_of(order == 0);
	case VMM__UNEQUAL:
		return truth_of(order != 0);
	case VMM__LESS:
		return truth_of(order < 0);
	case VMM__LESS_EQUAL:
		return truth_of(order <= 0);
	case VMM__GREATER:
		return truth_of(order > 0);
	case VMM__GREATER_EQUAL:
		return truth_of(order >= 0);
	case VMM__CONTAINS:
		return truth_of(contains(c->column, row, &v, c->text));
	default:
		return truth_of(!contains(c->column, row, &v, c->text));
	}
}

static enum truth flag_truth(const struct vmm_column *column, const struct vmm_row *row)
{
	struct vmm_value v;

	vmm_column_value(column, row, &v);
	return v.state == VMM_KNOWN ? truth_of(v.number != 0) : UNSURE;
}

/* Operations on the two topmost operands; the result goes into a. */
static void combine(const struct vmm__code *c, struct operand *a, const struct operand *b)
{
	switch (c->op) {
	case VMM__OP_ADD:
		a->number = add(a->number, b->number);
		break;
	case VMM__OP_SUB:
		a->number = add(a->number, negative(b->number));
		break;
	case VMM__OP_COMPARE:
		a->truth = compare_numbers(c->compare, a->number, b->number);
		break;
	case VMM__OP_AND:
		a->truth = a->truth == NO || b->truth == NO ? NO : a->truth == YES && b->truth == YES ? YES : UNSURE;
		break;
	default:
		a->truth = a->truth == YES || b->truth == YES ? YES : a->truth == NO && b->truth == NO ? NO : UNSURE;
		break;
	}
}

int vmm__expr_truth(const struct vmm_expr *expr, const struct vmm_row *row)
{
	struct operand stack[VMM_EXPR_STACK_MAX]; /* the compiler made sure that it suffices */
	struct vmm_row asked;
	bool unsure = false;
	size_t at = 0;

	for (size_t i = 0; i < expr->count; i++) {
		const struct vmm__code *c = &expr->code[i];

		switch (c->op) {
		case VMM__OP_NUMBER:
			stack[at++].number = (struct range){.low = c->number, .high = c->number};
			break;
		case VMM__OP_COLUMN:
			asked = row_of(c, row);
			stack[at++].number = column_number(c->column, &asked, &unsure);
			break;
		case VMM__OP_PERCENT:
			asked = row_of(c, row);
			stack[at++].number = percent_number(c, &asked);
			unsure |= stack[at - 1].number.unknown;
			break;
		case VMM__OP_TEXT:
			stack[at++].truth = compare_text(c, row);
			break;
		case VMM__OP_FLAG:
			stack[at++].truth = flag_truth(c->column, row);
			break;
		case VMM__OP_NOT:
			stack[at - 1].truth = not(stack[at - 1].truth);
			break;
		default:
			at--;
			combine(c, &stack[at - 1], &stack[at]);
			break;
		}
	}
	return stack[0].truth == YES ? 1 : stack[0].truth == NO || !unsure ? 0 : -1;
}

bool vmm_expr_matches(const struct vmm_expr *expr, const struct vmm_row *row)
{
	return vmm__expr_truth(expr, row) == 1;
}
