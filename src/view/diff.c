/* Getters of what differs between two snapshots. */
#include <stdio.h>

#include "view/view.h"

const struct vmm_region *vmm__diff_region(const struct vmm_diff_row *row)
{
	if (row->by != VMM_DIFF_REGION)
		return NULL;
	return row->b != VMM_NONE ? &row->diff->b->regions[row->b] : &row->diff->a->regions[row->a];
}

const struct vmm_heap *vmm__diff_heap(const struct vmm_diff_row *row)
{
	if (row->by != VMM_DIFF_HEAP)
		return NULL;
	return row->b != VMM_NONE ? &row->diff->b->heaps[row->b] : &row->diff->a->heaps[row->a];
}

static const struct vmm_region *region_before(const struct vmm_diff_row *row)
{
	return row->by == VMM_DIFF_REGION && row->a != VMM_NONE ? &row->diff->a->regions[row->a] : NULL;
}

/* What heaps hold is said of them, of their regions and types alone. */
static bool has_metric(const struct vmm_diff_row *row, int metric)
{
	bool heap = metric == VMM_METRIC_USED || metric == VMM_METRIC_UNUSED;

	if (row->by == VMM_DIFF_CLASS)
		return metric == VMM_METRIC_USED;
	return !heap || row->kind == VMM_KIND_COUNT || row->kind == VMM_KIND_HEAP || row->kind == VMM_KIND_MANAGED_HEAP;
}

static void set_change(struct vmm_value *v, const struct vmm_difference *d)
{
	static const enum vmm_value_state states[] = {[VMM_DIFFERENCE_UNKNOWN] = VMM_UNKNOWN,
	                                              [VMM_DIFFERENCE_KNOWN] = VMM_KNOWN,
	                                              [VMM_DIFFERENCE_AT_LEAST] = VMM_AT_LEAST,
	                                              [VMM_DIFFERENCE_AT_MOST] = VMM_AT_MOST};

	v->state = states[d->state];
	v->number = (uint64_t)d->value;
}

void vmm__diff_metric(const struct vmm_diff_row *row, const struct vmm_column *column, struct vmm_value *v)
{
	const struct vmm_metrics *m = column->side == VMM_SIDE_BEFORE ? row->before : row->after;
	struct vmm_difference d;

	if (!has_metric(row, column->metric))
		return;
	if (column->side == VMM_SIDE_CHANGE) {
		d = vmm_difference_of(row->before, row->after, (enum vmm_metric)column->metric);
		set_change(v, &d);
	} else if (m) {
		v->state = (m->known >> column->metric) & 1      ? VMM_KNOWN
		           : (m->at_least >> column->metric) & 1 ? VMM_AT_LEAST
		                                                 : VMM_UNKNOWN;
		v->number = m->value[column->metric];
	}
}

void vmm__get_change_state(const struct vmm_row *row, struct vmm_value *v)
{
	vmm__value_text(v, vmm_change_id(((const struct vmm_diff_row *)row->object)->what));
}

void vmm__get_changes(const struct vmm_row *row, struct vmm_value *v)
{
	uint32_t what = ((const struct vmm_diff_row *)row->object)->what;
	size_t at = 0;

	v->buffer[0] = '\0';
	for (unsigned i = 0; i < VMM_CHANGE_COUNT && at < sizeof(v->buffer); i++)
		if ((what >> i) & 1)
			at += (size_t)snprintf(v->buffer + at, sizeof(v->buffer) - at, "%s%s", at ? "+" : "", vmm_change_id_at(i));
	vmm__value_text(v, v->buffer);
}

void vmm__get_was(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_region *r = region_before(row->object);

	if (r)
		vmm__value_number(v, r->start);
}

void vmm__get_protection_before(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_region *r = region_before(row->object);

	if (!r)
		return;
	vmm_prot_set_text(r->prot_set, v->buffer);
	vmm__value_text(v, v->buffer);
}

static void count_change(const struct vmm_diff_counts *c, struct vmm_value *v)
{
	int64_t change;

	v->state = VMM_UNKNOWN;
	if (vmm_diff_count_change(c, &change))
		vmm__value_number(v, (uint64_t)change);
}

void vmm__get_count_change(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_diff_row *d = row->object;

	/* Page tables and what is free are not made of regions. */
	if (d->by != VMM_DIFF_TYPE || (d->kind != VMM_KIND_PAGE_TABLE && d->kind != VMM_KIND_UNUSABLE && d->kind != VMM_KIND_FREE))
		count_change(&d->count, v);
}

void vmm__get_free_count_change(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_diff_row *d = row->object;

	if (d->by == VMM_DIFF_HEAP || d->by == VMM_DIFF_CLASS)
		count_change(&d->free_count, v);
}

void vmm__get_class_size(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_diff_row *d = row->object;

	if (d->by == VMM_DIFF_CLASS)
		vmm__value_number(v, d->class_size);
}
