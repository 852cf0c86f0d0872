/*
 * A compiled --where expression: operations in postfix order, so that evaluating needs no recursion.
 * Layer: view.
 */
#ifndef VMM_VIEW_EXPR_H
#define VMM_VIEW_EXPR_H

#include "base/arena.h"
#include "base/base.h"
#include "base/scan.h"
#include "vmmap/view.h"

#define VMM_EXPR_BYTES_MAX 4096 /* length of an expression */
#define VMM_EXPR_DEPTH_MAX 64   /* parentheses in each other */
#define VMM_EXPR_STACK_MAX 256  /* operands waiting: a few for each level */

enum vmm__op {
	VMM__OP_NUMBER,  /* pushes number */
	VMM__OP_COLUMN,  /* pushes the number of column */
	VMM__OP_ADD,     /* a b -> a + b */
	VMM__OP_SUB,     /* a b -> a - b */
	VMM__OP_COMPARE, /* a b -> truth */
	VMM__OP_PERCENT, /* pushes number thousandths of a percent of what column was before */
	VMM__OP_TEXT,    /* pushes the truth of column <compare> text */
	VMM__OP_FLAG,    /* pushes the truth of column */
	VMM__OP_NOT,
	VMM__OP_AND,
	VMM__OP_OR,
};

enum vmm__compare {
	VMM__EQUAL,
	VMM__UNEQUAL,
	VMM__LESS,
	VMM__LESS_EQUAL,
	VMM__GREATER,
	VMM__GREATER_EQUAL,
	VMM__CONTAINS,
	VMM__CONTAINS_NOT,
};

struct vmm__code {
	enum vmm__op op;
	enum vmm__compare compare;
	uint64_t number;
	const struct vmm_column *column;
	const char *text;
	enum vmm_kind kind; /* of rows of a diff: the type that the column is asked of; VMM_KIND_COUNT: the row itself */
};

struct vmm_expr {
	struct vmm_arena *arena;
	struct vmm__code *code;
	size_t count, capacity;
	uint32_t needs;
	uint32_t flags; /* enum vmm_column_flag of all columns, one with the other */
	bool kinds;     /* it asks for the type of a row itself */
};

/* Whether an expression holds: 1, 0 (also where the row has no such number), or -1 where an unknown number decides. */
int vmm__expr_truth(const struct vmm_expr *expr, const struct vmm_row *row);

/* ---- expr_scan.c: each moves behind what it found, and leaves s as it is where it returns false ---- */

bool vmm__name_char(char c);
/* Characters of a name from at on. */
size_t vmm__name_length(const char *at, const char *end);
/* A decimal number with an optional fraction and suffix, or 0x and hexadecimal digits. */
bool vmm__scan_number(struct vmm_scan *s, uint64_t *ret);
/* Digits with a fraction of at most three and "%", in thousandths. */
bool vmm__scan_percent(struct vmm_scan *s, uint64_t *ret);
/* An operator of comparison, after blanks. */
bool vmm__scan_operator(struct vmm_scan *s, enum vmm__compare *ret);

#endif
