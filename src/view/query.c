#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "view/view.h"

/* Writes "a, b, c" of what(i) until it gives NULL; at most size bytes. False: it did not fit. */
static bool list_words(char *ret, size_t size, const char *(*what)(const void *arg, size_t i), const void *arg)
{
	size_t at = 0;
	const char *word;

	ret[0] = '\0';
	for (size_t i = 0; (word = what(arg, i)); i++) {
		size_t n = strlen(word), comma = i ? 2 : 0;

		if (at + comma + n + 1 > size)
			return false;
		memcpy(ret + at, ", ", comma);
		memcpy(ret + at + comma, word, n + 1);
		at += comma + n;
	}
	return true;
}

static const char *table_word(const void *arg, size_t i)
{
	const struct vmm_table *t = vmm_table_at(i);

	return t ? t->id : NULL;
}

static const char *kind_word(const void *arg, size_t i)
{
	return i < VMM_KIND_COUNT ? vmm_kind_id((enum vmm_kind)i) : NULL;
}

static const char *column_word(const void *arg, size_t i)
{
	const struct vmm_table *t = arg;

	return i < t->column_count ? t->columns[i].id : NULL;
}

/* Says which word is unknown and lists those that exist, or the nearest one where the list does not fit. */
static int fail_unknown(struct vmm_err *err, const char *what, const char *word, size_t length, const char *nearest,
                        const char *(*words)(const void *arg, size_t i), const void *arg)
{
	int shown = (int)(length > 40 ? 40 : length);
	char list[200];

	if (list_words(list, sizeof(list), words, arg))
		return vmm_fail(err, VMM_E_USAGE, 0, "unknown %s '%.*s': one of %s", what, shown, word, list);
	if (nearest)
		return vmm_fail(err, VMM_E_USAGE, 0, "unknown %s '%.*s': did you mean '%s'? (see vmmap help %ss)", what,
		                shown, word, nearest, what);
	return vmm_fail(err, VMM_E_USAGE, 0, "unknown %s '%.*s' (see vmmap help %ss)", what, shown, word, what);
}

static int fail_column(struct vmm_err *err, const struct vmm_table *t, const char *word, size_t length)
{
	return fail_unknown(err, "column", word, length, vmm__column_nearest(t, word, length), column_word, t);
}

/* The next of "a,b,c", blanks around it dropped. False at the end. *at starts at text. */
static bool next_word(const char **at, const char **ret_word, size_t *ret_length)
{
	const char *p = *at, *end;

	if (!p)
		return false;
	end = p + strcspn(p, ",");
	*at = *end ? end + 1 : NULL;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*ret_word = p;
	*ret_length = (size_t)(end - p);
	return true;
}

static bool add_column(struct vmm_query *q, size_t *capacity, const struct vmm_column *column)
{
	if (!vmm_grow(&q->columns, capacity, q->column_count + 1, sizeof(*q->columns)))
		return false;
	q->columns[q->column_count++] = column;
	return true;
}

static int parse_columns(struct vmm_query *q, const char *text, struct vmm_err *err)
{
	size_t capacity = 0, length;
	const char *word;

	while (next_word(&text, &word, &length)) {
		const struct vmm_column *c = vmm__column_find(q->table, word, length);

		if (!c)
			return fail_column(err, q->table, word, length);
		if (q->column_count >= 256)
			return vmm_fail(err, VMM_E_USAGE, 0, "too many columns: at most 256");
		if (!add_column(q, &capacity, c))
			return vmm_fail_nomem(err);
	}
	return 0;
}

static int default_columns(struct vmm_query *q, struct vmm_err *err)
{
	size_t capacity = 0;

	if (q->table->defaults)
		return parse_columns(q, q->table->defaults, err);
	for (size_t i = 0; i < q->table->column_count; i++)
		if ((q->table->columns[i].flags & q->table->default_flag) &&
		    !add_column(q, &capacity, &q->table->columns[i]))
			return vmm_fail_nomem(err);
	return 0;
}

static int parse_sort(struct vmm_query *q, const char *text, struct vmm_err *err)
{
	size_t length = strcspn(text, ":");
	const char *direction = text[length] ? text + length + 1 : NULL;
	const struct vmm_column *c = vmm__column_find(q->table, text, length);

	if (!c)
		return fail_column(err, q->table, text, length);
	/* Who sorts by a size looks for the biggest. */
	q->descending = (c->type == VMM_VALUE_BYTES || c->type == VMM_VALUE_COUNT || vmm__value_signed(c)) && !(c->flags & VMM_COLUMN_ID);
	if (direction && strcmp(direction, "asc") == 0)
		q->descending = false;
	else if (direction && strcmp(direction, "desc") == 0)
		q->descending = true;
	else if (direction)
		return vmm_fail(err, VMM_E_USAGE, 0, "unknown direction '%.40s' in '%.40s': one of asc, desc", direction, text);
	q->sort = c;
	return 0;
}

static int parse_kinds(struct vmm_query *q, const char *text, struct vmm_err *err)
{
	const char *word;
	size_t length;

	while (next_word(&text, &word, &length)) {
		enum vmm_kind kind = VMM_KIND_COUNT;
		char id[32];

		if (length < sizeof(id)) {
			memcpy(id, word, length);
			id[length] = '\0';
			kind = vmm_kind_find(id);
		}
		if (kind == VMM_KIND_COUNT)
			return fail_unknown(err, "kind", word, length, NULL, kind_word, NULL);
		q->kinds |= UINT32_C(1) << kind;
	}
	return 0;
}

static int fill(struct vmm_query *q, const char *columns, const char *sort, const char *where, const char *kinds,
                struct vmm_err *err)
{
	int rc = columns ? parse_columns(q, columns, err) : default_columns(q, err);

	q->columns_chosen = columns != NULL;
	if (rc == 0 && sort)
		rc = parse_sort(q, sort, err);
	if (rc == 0 && kinds)
		rc = parse_kinds(q, kinds, err);
	if (rc == 0 && where)
		rc = vmm_expr_compile(q->table, where, &q->where, err);
	return rc;
}

int vmm_query_init(struct vmm_query *q, const char *view, const char *columns, const char *sort, const char *where,
                   const char *kinds, struct vmm_err *err)
{
	struct vmm_query fresh = {.table = vmm_table_find(view ? view : "regions")};
	int rc;

	if (!fresh.table)
		return fail_unknown(err, "view", view, strlen(view), NULL, table_word, NULL);
	fresh.blocks = strcmp(fresh.table->id, "tree") == 0;
	rc = fill(&fresh, columns, sort, where, kinds, err);
	if (rc < 0)
		vmm_query_done(&fresh);
	else
		*q = fresh;
	return rc;
}

void vmm_query_done(struct vmm_query *q)
{
	free(q->columns);
	vmm_expr_destroy(q->where);
	memset(q, 0, sizeof(*q));
}

uint32_t vmm_query_needs(const struct vmm_query *q)
{
	uint32_t needs = q->table->needs;

	for (size_t i = 0; i < q->column_count; i++)
		needs |= q->columns[i]->needs;
	if (q->sort)
		needs |= q->sort->needs;
	if (q->where)
		needs |= vmm_expr_needs(q->where);
	return needs;
}
