/*
 * Compiles --where. Grammar (docs/where.md):
 *
 *     or         = and { "||" and }
 *     and        = not { "&&" not }
 *     not        = { "!" } comparison
 *     comparison = sum [ operator ( sum | word ) ]     a word where the left side is a text column
 *     sum        = primary { ( "+" | "-" ) primary }
 *     primary    = number | column | "(" or ")"       the first of a sum may have a sign
 *
 * Where the table is of what differs: kind "." column is that column of the whole type, and behind a column and an
 * operator number "%" is that share of what the column was before.
 */
#include "view/expr.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/scan.h"
#include "view/view.h"

enum type { NUMBER, TRUTH, TEXT, FLAG };

/* What a part of the expression gives. TEXT and FLAG are columns of which no code has been made yet. */
struct part {
	enum type type;
	const struct vmm_column *column; /* TEXT, FLAG */
	const char *at;
};

struct parser {
	const struct vmm_table *table;
	const char *text;
	struct vmm_scan s;
	struct vmm_expr *e;
	unsigned depth, stack;
	struct vmm__code share_of; /* the column on the left; its column is NULL where a percentage has no meaning */
	struct vmm_err *err;
};

static int parse_or(struct parser *p, struct part *ret);

/* The expression as shown in a message: around the mistake when it is long. */
static int fail_at(struct parser *p, const char *at, const char *what)
{
	unsigned column = (unsigned)(at - p->text) + 1;
	const char *from = p->s.end - p->text > 120 && at - p->text > 60 ? at - 60 : p->text;
	size_t length = (size_t)(p->s.end - from);

	return vmm_fail_column(p->err, VMM_E_EXPRESSION, column, "--where: %s at column %u: %s%.*s%s", what, column,
	                       from > p->text ? "..." : "", (int)(length > 120 ? 120 : length), from,
	                       length > 120 ? "..." : "");
}

static int emit(struct parser *p, struct vmm__code code)
{
	struct vmm_expr *e = p->e;

	if (code.op == VMM__OP_NUMBER || code.op == VMM__OP_COLUMN || code.op == VMM__OP_PERCENT || code.op == VMM__OP_TEXT || code.op == VMM__OP_FLAG)
		p->stack++;
	else if (code.op != VMM__OP_NOT)
		p->stack--;
	if (p->stack > VMM_EXPR_STACK_MAX)
		return fail_at(p, p->s.p, "too deeply nested");
	if (!vmm_grow(&e->code, &e->capacity, e->count + 1, sizeof(*e->code)))
		return vmm_fail_nomem(p->err);
	e->code[e->count++] = code;
	if (code.column) {
		e->needs |= code.column->needs;
		e->flags |= code.column->flags;
		e->kinds |= code.column->get == vmm__get_kind;
	}
	return 0;
}

/* kind "." in front of a column of a diff: moves behind it. */
static enum vmm_kind scan_kind(struct parser *p)
{
	size_t n = vmm__name_length(p->s.p, p->s.end);

	if (p->table->row_type != VMM_ROW_DIFF || p->s.p + n >= p->s.end || p->s.p[n] != '.')
		return VMM_KIND_COUNT;
	for (int k = 0; k < VMM_KIND_COUNT; k++) {
		const char *id = vmm_kind_id((enum vmm_kind)k);

		if (strlen(id) == n && memcmp(id, p->s.p, n) == 0) {
			p->s.p += n + 1;
			return (enum vmm_kind)k;
		}
	}
	return VMM_KIND_COUNT;
}

static int parse_column(struct parser *p, struct part *ret)
{
	enum vmm_kind kind = scan_kind(p);
	const char *at = p->s.p;
	size_t n = vmm__name_length(at, p->s.end);
	const struct vmm_column *c = vmm__column_find(p->table, at, n);
	const char *nearest;
	char what[120];

	if (!c) {
		nearest = vmm__column_nearest(p->table, at, n);
		snprintf(what, sizeof(what), "unknown column '%.*s'%s%s%s", (int)(n > 40 ? 40 : n), at,
		         nearest ? " (did you mean '" : "", nearest ? nearest : "", nearest ? "'?)" : "");
		return fail_at(p, at, what);
	}
	p->s.p += n;
	*ret = (struct part){.column = c, .at = at};
	if (kind < VMM_KIND_COUNT && ((c->flags & VMM_COLUMN_EACH) || c->type == VMM_VALUE_TEXT))
		return fail_at(p, at, "a type as a whole has no such column");
	if (c->type == VMM_VALUE_TEXT || c->type == VMM_VALUE_FLAG) {
		ret->type = c->type == VMM_VALUE_TEXT ? TEXT : FLAG;
		return 0;
	}
	ret->type = NUMBER;
	return emit(p, (struct vmm__code){.op = VMM__OP_COLUMN, .column = c, .kind = kind});
}

static int parse_percent(struct parser *p, const char *at, uint64_t thousandths, struct part *ret)
{
	struct vmm__code code = p->share_of;

	if (!code.column)
		return fail_at(p, at, "a percentage can only be compared with a column that changes, as in rss>+5%");
	code.op = VMM__OP_PERCENT;
	code.number = thousandths;
	*ret = (struct part){.type = NUMBER, .at = at};
	return emit(p, code);
}

static int parse_primary(struct parser *p, struct part *ret)
{
	const char *at;
	uint64_t number;
	int rc;

	vmm_scan_blank(&p->s);
	at = p->s.p;
	if (vmm_scan_done(&p->s))
		return fail_at(p, at, "a column or number is missing");
	if (vmm_scan_char(&p->s, '(')) {
		if (++p->depth > VMM_EXPR_DEPTH_MAX)
			return fail_at(p, at, "too deeply nested");
		rc = parse_or(p, ret);
		p->depth--;
		if (rc < 0)
			return rc;
		vmm_scan_blank(&p->s);
		ret->at = at;
		return vmm_scan_char(&p->s, ')') ? 0 : fail_at(p, p->s.p, "')' is missing");
	}
	if (vmm__scan_percent(&p->s, &number))
		return parse_percent(p, at, number, ret);
	if (*at >= '0' && *at <= '9') {
		if (!vmm__scan_number(&p->s, &number))
			return fail_at(p, at, "malformed number");
		*ret = (struct part){.type = NUMBER, .at = at};
		return emit(p, (struct vmm__code){.op = VMM__OP_NUMBER, .number = number});
	}
	if (!vmm__name_char(*at))
		return fail_at(p, at, *at == '"' || *at == '\'' ? "a text can only stand behind a column and an operator"
		                                                : "a column or number is expected");
	return parse_column(p, ret);
}

static int need_number(struct parser *p, const struct part *part)
{
	return part->type == NUMBER ? 0 : fail_at(p, part->at, "a number is needed");
}

/* A primary with a sign: minus is 0 less it. */
static int parse_signed(struct parser *p, struct part *ret)
{
	const char *at;
	bool minus;
	int rc;

	vmm_scan_blank(&p->s);
	at = p->s.p;
	minus = vmm_scan_char(&p->s, '-');
	if (!minus && !vmm_scan_char(&p->s, '+'))
		return parse_primary(p, ret);
	rc = minus ? emit(p, (struct vmm__code){.op = VMM__OP_NUMBER}) : 0;
	if (rc == 0)
		rc = parse_primary(p, ret);
	if (rc == 0)
		rc = need_number(p, ret);
	ret->at = at;
	return rc == 0 && minus ? emit(p, (struct vmm__code){.op = VMM__OP_SUB}) : rc;
}

static int parse_sum(struct parser *p, struct part *ret)
{
	struct part right;
	int rc = parse_signed(p, ret);

	while (rc == 0) {
		enum vmm__op op = VMM__OP_ADD;

		vmm_scan_blank(&p->s);
		if (vmm_scan_char(&p->s, '-'))
			op = VMM__OP_SUB;
		else if (!vmm_scan_char(&p->s, '+'))
			break;
		rc = need_number(p, ret);
		if (rc == 0)
			rc = parse_primary(p, &right);
		if (rc == 0)
			rc = need_number(p, &right);
		if (rc == 0)
			rc = emit(p, (struct vmm__code){.op = op});
	}
	return rc;
}

/* A quoted text, or a bare word up to a blank, a parenthesis, & or |. */
static int parse_word(struct parser *p, const char **ret_text)
{
	const char *from, *to;
	char quote;

	vmm_scan_blank(&p->s);
	if (vmm_scan_done(&p->s))
		return fail_at(p, p->s.p, "a text is missing");
	from = p->s.p;
	quote = *from;
	if (quote == '"' || quote == '\'') {
		to = memchr(from + 1, quote, (size_t)(p->s.end - from - 1));
		if (!to)
			return fail_at(p, from, "the quote is not closed");
		from++;
		p->s.p = to + 1;
	} else {
		for (to = from; to < p->s.end && !strchr(" \t()&|\"'", *to); to++)
			;
		if (to == from)
			return fail_at(p, from, "a text is expected");
		p->s.p = to;
	}
	*ret_text = vmm_arena_strndup(p->e->arena, from, (size_t)(to - from));
	return *ret_text ? 0 : vmm_fail_nomem(p->err);
}

static int compare_with_flag(struct parser *p, const struct vmm_column *column, enum vmm__compare compare, const char *text,
                             const char *at)
{
	bool yes = strcmp(text, "true") == 0 || strcmp(text, "yes") == 0 || strcmp(text, "1") == 0;
	bool no = strcmp(text, "false") == 0 || strcmp(text, "no") == 0 || strcmp(text, "0") == 0;
	int rc;

	if (!yes && !no)
		return fail_at(p, at, "true or false is expected");
	if (compare != VMM__EQUAL && compare != VMM__UNEQUAL)
		return fail_at(p, at, "true and false can only be compared with = and !=");
	rc = emit(p, (struct vmm__code){.op = VMM__OP_FLAG, .column = column});
	return rc == 0 && yes != (compare == VMM__EQUAL) ? emit(p, (struct vmm__code){.op = VMM__OP_NOT}) : rc;
}

/* The right side of a text or flag column. */
static int compare_with_word(struct parser *p, struct part *left, enum vmm__compare compare)
{
	const char *text = NULL, *at;
	int rc;

	vmm_scan_blank(&p->s);
	at = p->s.p;
	rc = parse_word(p, &text);
	if (rc == 0 && left->type == FLAG)
		rc = compare_with_flag(p, left->column, compare, text, at);
	else if (rc == 0)
		rc = emit(p, (struct vmm__code){.op = VMM__OP_TEXT, .compare = compare, .column = left->column, .text = text});
	left->type = TRUTH;
	return rc;
}

static int parse_comparison(struct parser *p, struct part *ret)
{
	enum vmm__compare compare;
	struct part right;
	const char *at;
	size_t before = p->e->count;
	int rc = parse_sum(p, ret);

	if (rc < 0)
		return rc;
	vmm_scan_blank(&p->s);
	at = p->s.p;
	if (!vmm__scan_operator(&p->s, &compare))
		return 0;
	if (ret->type == TEXT || ret->type == FLAG)
		return compare_with_word(p, ret, compare);
	if (ret->type == TRUTH)
		return fail_at(p, at, "a comparison cannot be compared");
	if (compare == VMM__CONTAINS || compare == VMM__CONTAINS_NOT)
		return fail_at(p, at, "~ needs a column of text on its left");
	if (p->e->count == before + 1 && p->e->code[before].op == VMM__OP_COLUMN &&
	    vmm__value_signed(p->e->code[before].column))
		p->share_of = p->e->code[before];
	rc = parse_sum(p, &right);
	p->share_of.column = NULL;
	if (rc == 0)
		rc = need_number(p, &right);
	ret->type = TRUTH;
	return rc < 0 ? rc : emit(p, (struct vmm__code){.op = VMM__OP_COMPARE, .compare = compare});
}

/* Makes a truth of a part: a flag stands for itself, other columns need a comparison. */
static int need_truth(struct parser *p, struct part *part)
{
	char what[120];
	int rc = 0;

	if (part->type == FLAG)
		rc = emit(p, (struct vmm__code){.op = VMM__OP_FLAG, .column = part->column});
	else if (part->type != TRUTH) {
		snprintf(what, sizeof(what), "a comparison is needed, such as %s",
		         part->type == TEXT ? "details~lib" : "rss>1M");
		return fail_at(p, part->at, what);
	}
	part->type = TRUTH;
	return rc;
}

static int parse_not(struct parser *p, struct part *ret)
{
	bool negated = false, seen = false;
	int rc;

	for (;; negated = !negated, seen = true) {
		vmm_scan_blank(&p->s);
		if (!vmm_scan_char(&p->s, '!'))
			break;
	}
	rc = parse_comparison(p, ret);
	if (rc == 0 && seen)
		rc = need_truth(p, ret);
	return rc == 0 && negated ? emit(p, (struct vmm__code){.op = VMM__OP_NOT}) : rc;
}

typedef int parse_fn(struct parser *p, struct part *ret);

/* Operands joined by one operator; a lone operand is left as it is. */
static int parse_joined(struct parser *p, struct part *ret, parse_fn *operand, const char *text, enum vmm__op op)
{
	struct part right;
	int rc = operand(p, ret);

	while (rc == 0) {
		vmm_scan_blank(&p->s);
		if (!vmm_scan_text(&p->s, text))
			break;
		rc = need_truth(p, ret);
		if (rc == 0)
			rc = operand(p, &right);
		if (rc == 0)
			rc = need_truth(p, &right);
		if (rc == 0)
			rc = emit(p, (struct vmm__code){.op = op});
	}
	return rc;
}

static int parse_and(struct parser *p, struct part *ret)
{
	return parse_joined(p, ret, parse_not, "&&", VMM__OP_AND);
}

static int parse_or(struct parser *p, struct part *ret)
{
	return parse_joined(p, ret, parse_and, "||", VMM__OP_OR);
}

static int compile(struct parser *p)
{
	struct part whole;
	int rc;

	if (p->s.end - p->text > VMM_EXPR_BYTES_MAX)
		return fail_at(p, p->text + VMM_EXPR_BYTES_MAX, "longer than 4096 bytes");
	rc = parse_or(p, &whole);
	if (rc == 0)
		rc = need_truth(p, &whole);
	vmm_scan_blank(&p->s);
	if (rc == 0 && !vmm_scan_done(&p->s))
		rc = fail_at(p, p->s.p, *p->s.p == ')' ? "')' without '('" : "&& or || is expected");
	return rc;
}

int vmm_expr_compile(const struct vmm_table *table, const char *text, struct vmm_expr **ret_expr, struct vmm_err *err)
{
	struct vmm_expr *e = vmm_alloc_hook(NULL, sizeof(*e));
	struct parser p = {.table = table, .text = text, .s = vmm_scan_init(text, strlen(text)), .e = e, .err = err};
	int rc;

	if (!e)
		return vmm_fail_nomem(err);
	memset(e, 0, sizeof(*e));
	e->arena = vmm_arena_create();
	rc = e->arena ? compile(&p) : vmm_fail_nomem(err);
	if (rc < 0)
		vmm_expr_destroy(e);
	else
		*ret_expr = e;
	return rc;
}

void vmm_expr_destroy(struct vmm_expr *expr)
{
	if (!expr)
		return;
	vmm_arena_destroy(expr->arena);
	free(expr->code);
	free(expr);
}

uint32_t vmm_expr_needs(const struct vmm_expr *expr)
{
	return expr->needs;
}
