/* --fail-if: whether an expression holds of a diff. */
#include <stdio.h>

#include "view/expr.h"
#include "view/view.h"

static void ask(const struct vmm_diff *diff, const struct vmm_expr *expr, const struct vmm_diff_row *d, struct vmm_diff_check *c)
{
	struct vmm_row row = {.snapshot = d->b != VMM_NONE ? diff->b : diff->a, .object = d, .type = VMM_ROW_DIFF};
	int truth = vmm__expr_truth(expr, &row);

	if (truth == 1) {
		if (!c->count++)
			c->of = d;
		c->truth = 1;
	} else if (truth == -1 && c->truth == 0) {
		c->truth = -1;
	}
}

/* The numbers of a row that an expression asks for, each once. */
static void tell_values(const struct vmm_diff *diff, const struct vmm_expr *expr, struct vmm_diff_check *c)
{
	struct vmm_row row = {.snapshot = c->of->b != VMM_NONE ? diff->b : diff->a, .type = VMM_ROW_DIFF};
	size_t at = 0;

	for (size_t i = 0; i < expr->count && at < sizeof(c->values); i++) {
		const struct vmm__code *code = &expr->code[i];
		struct vmm_value v;
		bool again = code->op != VMM__OP_COLUMN;

		for (size_t j = 0; j < i && !again; j++)
			again = expr->code[j].op == VMM__OP_COLUMN && expr->code[j].column == code->column && expr->code[j].kind == code->kind;
		if (again)
			continue;
		row.object = code->kind < VMM_KIND_COUNT ? &diff->types[code->kind] : c->of;
		vmm_column_value(code->column, &row, &v);
		at += (size_t)snprintf(c->values + at, sizeof(c->values) - at, "%s%s%s%s ", at ? ", " : "",
		                       code->kind < VMM_KIND_COUNT ? vmm_kind_id(code->kind) : "",
		                       code->kind < VMM_KIND_COUNT ? "." : "", code->column->id);
		if (at >= sizeof(c->values))
			break;
		if (v.state == VMM_UNKNOWN || v.state == VMM_ABSENT)
			at += (size_t)snprintf(c->values + at, sizeof(c->values) - at, "?");
		else if (vmm__value_signed(code->column))
			at += (size_t)snprintf(c->values + at, sizeof(c->values) - at, "%+lld", (long long)v.number);
		else
			at += (size_t)snprintf(c->values + at, sizeof(c->values) - at, "%llu", (unsigned long long)v.number);
	}
}

void vmm_diff_check(const struct vmm_diff *diff, const struct vmm_expr *expr, struct vmm_diff_check *c)
{
	c->truth = 0;
	c->of = NULL;
	c->count = 0;
	if (expr->flags & VMM_COLUMN_EACH) {
		for (uint32_t i = 0; i < diff->region_count; i++)
			ask(diff, expr, &diff->regions[i], c);
	} else if (expr->kinds) {
		for (int k = 0; k < VMM_KIND_COUNT; k++)
			ask(diff, expr, &diff->types[k], c);
	} else {
		ask(diff, expr, &diff->total, c);
	}
	c->values[0] = '\0';
	if (c->of)
		tell_values(diff, expr, c);
}
