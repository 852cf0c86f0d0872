/* The order of rows: by a column, or changes by what they weigh. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "view/view.h"

struct key {
	uint64_t number;
	const char *text; /* NULL: compare numbers */
	uint32_t index;
	bool last; /* unknown: behind all others in either direction */
	bool descending;
};

static int compare_keys(const void *a_pointer, const void *b_pointer)
{
	const struct key *a = a_pointer, *b = b_pointer;
	int order;

	if (a->last != b->last)
		return a->last ? 1 : -1;
	if (a->text && b->text)
		order = strcmp(a->text, b->text);
	else
		order = (a->number > b->number) - (a->number < b->number);
	if (order)
		return a->descending ? -order : order;
	return (a->index > b->index) - (a->index < b->index);
}

static uint64_t magnitude(const struct vmm_diff_row *d, enum vmm_metric i)
{
	struct vmm_difference v = vmm_difference_of(d->before, d->after, i);

	return v.value < 0 ? 0 - (uint64_t)v.value : (uint64_t)v.value;
}

/* What a change weighs: memory before address space, address space before what has no bytes. */
static uint64_t change_size(const struct vmm_diff_row *d)
{
	uint64_t memory = vmm_max_u64(magnitude(d, VMM_METRIC_COMMITTED), magnitude(d, VMM_METRIC_RSS));

	memory = vmm_max_u64(vmm_max_u64(memory, magnitude(d, VMM_METRIC_USED)), magnitude(d, VMM_METRIC_SWAP));
	if (memory)
		return vmm_min_u64(memory, UINT64_C(1) << 62) + (UINT64_C(1) << 62);
	return vmm_min_u64(vmm_add_sat(magnitude(d, VMM_METRIC_SIZE), d->what != 0), UINT64_C(1) << 62);
}

static bool is_type(const struct vmm_row *row)
{
	return row->type == VMM_ROW_DIFF && ((const struct vmm_diff_row *)row->object)->by == VMM_DIFF_TYPE;
}

static bool fill_key(struct key *k, const struct vmm_query *q, const struct vmm_row *row, struct vmm_arena *arena)
{
	struct vmm_value v;

	if (!q->sort) {
		k->number = change_size(row->object);
		k->descending = true;
		return true;
	}
	vmm_column_value(q->sort, row, &v);
	k->last = v.state == VMM_UNKNOWN || v.state == VMM_ABSENT;
	k->descending = q->descending;
	k->number = vmm__value_signed(q->sort) ? v.number ^ UINT64_C(1) << 63 : v.number;
	if (q->sort->type != VMM_VALUE_TEXT)
		return true;
	k->text = v.text == v.buffer ? vmm_arena_intern(arena, v.text, strlen(v.text)) : v.text;
	return k->text != NULL;
}

bool vmm__rows_sort(struct vmm_row **rows, size_t *capacity, size_t count, const struct vmm_query *q, struct vmm_arena *arena)
{
	VMM_CLEANUP_FREE struct key *keys = NULL;
	struct vmm_row *sorted = NULL;
	size_t keys_capacity = 0, sorted_capacity = 0;
	bool by_change = q->table->row_type == VMM_ROW_DIFF && !(count && is_type(&(*rows)[0]));

	if ((!q->sort && !by_change) || count < 2)
		return true;
	if (!vmm_grow(&keys, &keys_capacity, count, sizeof(*keys)) || !vmm_grow(&sorted, &sorted_capacity, count, sizeof(*sorted)))
		return false;
	for (size_t i = 0; i < count; i++) {
		keys[i] = (struct key){.index = (uint32_t)i};
		if (!fill_key(&keys[i], q, &(*rows)[i], arena)) {
			free(sorted);
			return false;
		}
	}
	qsort(keys, count, sizeof(*keys), compare_keys);
	for (size_t i = 0; i < count; i++)
		sorted[i] = (*rows)[keys[i].index];
	free(*rows);
	*rows = sorted;
	*capacity = sorted_capacity;
	return true;
}
