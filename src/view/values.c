/* The values of columns: what each getter finds in a row. */
#include <stdio.h>

#include "base/scan.h"
#include "view/view.h"

/* The mapping behind block i of a region; NULL past its last block. */
static const struct vmm_vma *region_vma(const struct vmm_snapshot *s, const struct vmm_region *r, uint32_t i)
{
	uint32_t at;

	if (i >= r->block_count || __builtin_add_overflow(r->first_block, i, &at) || at >= s->block_count)
		return NULL;
	return s->blocks[at].vma < s->vma_count ? &s->vmas[s->blocks[at].vma] : NULL;
}

static void metric_value(const struct vmm_row *row, int metric, struct vmm_value *v)
{
	const struct vmm_metrics *m = vmm__row_metrics(row);
	enum vmm_kind kind = vmm__row_kind(row);
	uint64_t start, end;

	if (row->type == VMM_ROW_PART) {
		const struct vmm_heap_part *part = row->object;

		if (metric == VMM_METRIC_RSS && !part->resident_known)
			v->state = VMM_UNKNOWN;
		else if (metric == VMM_METRIC_SIZE || metric == VMM_METRIC_RSS)
			vmm__value_number(v, metric == VMM_METRIC_SIZE ? part->bytes : part->rss);
		return;
	}
	if ((metric == VMM_METRIC_USED || metric == VMM_METRIC_UNUSED) && kind < VMM_KIND_COUNT && kind != VMM_KIND_HEAP &&
	    kind != VMM_KIND_MANAGED_HEAP) {
		return; /* said of heaps alone */
	}
	if (row->type == VMM_ROW_HEAP && !((const struct vmm_heap *)row->object)->proved &&
	    !((const struct vmm_heap *)row->object)->contents && (metric == VMM_METRIC_USED || metric == VMM_METRIC_UNUSED)) {
		v->state = VMM_UNKNOWN;
	} else if (m) {
		v->state = (m->known >> metric) & 1      ? VMM_KNOWN
		           : (m->at_least >> metric) & 1 ? VMM_AT_LEAST
		                                         : VMM_UNKNOWN;
		v->number = m->value[metric];
	} else if (row->type == VMM_ROW_GAP && metric == VMM_METRIC_SIZE && vmm__row_range(row, &start, &end)) {
		vmm__value_number(v, end - start);
	} else if (row->type != VMM_ROW_GAP) {
		v->state = VMM_UNKNOWN;
	}
}

void vmm_column_value(const struct vmm_column *column, const struct vmm_row *row, struct vmm_value *ret_value)
{
	ret_value->state = VMM_ABSENT;
	ret_value->number = 0;
	ret_value->text = "";
	ret_value->suffix = "";
	if (column->metric >= 0 && row->type == VMM_ROW_DIFF)
		vmm__diff_metric(row->object, column, ret_value);
	else if (column->metric >= 0)
		metric_value(row, column->metric, ret_value);
	else
		column->get(row, ret_value);
}

void vmm__get_address(const struct vmm_row *row, struct vmm_value *v)
{
	uint64_t start, end;

	if (vmm__row_range(row, &start, &end))
		vmm__value_number(v, start);
}

void vmm__get_end(const struct vmm_row *row, struct vmm_value *v)
{
	uint64_t start, end;

	if (vmm__row_range(row, &start, &end))
		vmm__value_number(v, end);
}

void vmm__get_kind(const struct vmm_row *row, struct vmm_value *v)
{
	enum vmm_kind kind = vmm__row_kind(row);

	if (kind < VMM_KIND_COUNT)
		vmm__value_text(v, vmm_kind_id(kind));
	else if (vmm__row_is_total(row))
		vmm__value_text(v, "total");
}

/* Counts of a kind: page tables have none, and where the mappings may not be read nothing was counted. */
static void type_number(const struct vmm_type_total *t, struct vmm_value *v, uint64_t number)
{
	if (t->kind == VMM_KIND_PAGE_TABLE)
		v->state = VMM_ABSENT;
	else if (t->counted)
		vmm__value_number(v, number);
}

void vmm__get_blocks(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_region *r = row->type == VMM_ROW_BLOCK || row->type == VMM_ROW_VMA ? NULL : vmm__row_region(row);

	if (row->type == VMM_ROW_TYPE)
		type_number(row->object, v, ((const struct vmm_type_total *)row->object)->blocks);
	else if (r)
		vmm__value_number(v, r->block_count);
}

void vmm__get_largest(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_type_total *t = row->object;

	if (row->type == VMM_ROW_REGION) {
		vmm__value_number(v, vmm__region_largest(row->snapshot, row->object));
	} else if (row->type == VMM_ROW_TYPE) {
		type_number(t, v, t->largest);
	}
}

void vmm__get_regions(const struct vmm_row *row, struct vmm_value *v)
{
	if (row->type == VMM_ROW_TYPE)
		type_number(row->object, v, ((const struct vmm_type_total *)row->object)->regions);
	else if (row->type == VMM_ROW_FILE)
		vmm__value_number(v, ((const struct vmm_file_total *)row->object)->regions);
}

void vmm__get_protection(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_vma *vma = vmm__row_vma(row);
	const struct vmm_region *r = vma ? NULL : vmm__row_region(row);

	if (!vma && !r)
		return;
	if (vma)
		vmm_prot_text(vma->prot, v->buffer);
	else
		vmm_prot_set_text(r->prot_set, v->buffer);
	vmm__value_text(v, v->buffer);
}

void vmm__get_wx(const struct vmm_row *row, struct vmm_value *v)
{
	if (vmm__row_vma(row) || vmm__row_region(row))
		vmm__value_number(v, vmm__row_write_exec(row));
}

/* Adds the pages of "N0=12 N1=3". False: malformed. */
static bool numa_add(const char *text, uint64_t pages[64], uint64_t *nodes)
{
	struct vmm_scan s = vmm_scan_init(text, strlen(text));

	for (vmm_scan_blank(&s); !vmm_scan_done(&s); vmm_scan_blank(&s)) {
		uint64_t node, n;

		if (!vmm_scan_char(&s, 'N') || !vmm_scan_dec(&s, &node) || node >= 64 || !vmm_scan_char(&s, '=') ||
		    !vmm_scan_dec(&s, &n))
			return false;
		pages[node] = vmm_add_sat(pages[node], n);
		*nodes |= UINT64_C(1) << node;
	}
	return true;
}

/* Sums the mappings of a region; they are not told apart by page, so each must lie wholly inside. */
static bool numa_region(const struct vmm_snapshot *s, const struct vmm_region *r, uint64_t pages[64], uint64_t *nodes)
{
	const struct vmm_vma *last = NULL, *vma;

	for (uint32_t i = 0; (vma = region_vma(s, r, i)); i++) {
		if (vma == last)
			continue;
		last = vma;
		if (!vma->numa || vma->start < r->start || vma->end > r->end || !numa_add(vma->numa, pages, nodes))
			return false;
	}
	return true;
}

void vmm__get_numa(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_vma *vma = vmm__row_vma(row);
	const struct vmm_region *r = vma ? NULL : vmm__row_region(row);
	const struct vmm_block *b = row->object;
	uint64_t pages[64] = {0}, nodes = 0;
	size_t at = 0;

	if (!vma && !r)
		return;
	v->state = VMM_UNKNOWN;
	if (vma && (row->type == VMM_ROW_VMA || (b->start == vma->start && b->end == vma->end)))
		vmm__value_text(v, vma->numa);
	if (!r || !numa_region(row->snapshot, r, pages, &nodes))
		return;
	v->buffer[0] = '\0';
	for (unsigned i = 0; i < 64; i++) {
		if (!((nodes >> i) & 1))
			continue;
		at += (size_t)snprintf(v->buffer + at, sizeof(v->buffer) - at, "%sN%u=%llu", at ? " " : "", i,
		                       (unsigned long long)pages[i]);
		if (at >= sizeof(v->buffer))
			return; /* more nodes than fit: better unknown than cut */
	}
	vmm__value_text(v, v->buffer);
}

void vmm__get_label(const struct vmm_row *row, struct vmm_value *v)
{
	if (row->type == VMM_ROW_BLOCK)
		vmm__value_text(v, ((const struct vmm_block *)row->object)->label);
	else if (row->type == VMM_ROW_HEAP)
		vmm__value_text(v, ((const struct vmm_heap *)row->object)->label);
}

static void block_details(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_block *b = row->object;
	const struct vmm_vma *vma = vmm__row_vma(row);
	const struct vmm_region *r = vmm__row_region(row);
	const char *text = b->label;

	/* The region's row says its path already. */
	if (!text[0] && vma && r && strcmp(vma->name, r->path) != 0)
		text = vma->name;
	vmm__value_text(v, text);
}

void vmm__get_details(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_vma *vma = vmm__row_vma(row);
	const struct vmm_region *r;

	switch (row->type) {
	case VMM_ROW_BLOCK:
		block_details(row, v);
		break;
	case VMM_ROW_VMA:
		vmm__value_text(v, vma->name);
		v->suffix = vma->deleted ? " (deleted)" : "";
		break;
	case VMM_ROW_GAP:
		vmm__value_text(v, ((const struct vmm_gap *)row->object)->details);
		break;
	case VMM_ROW_TYPE:
		if (!vmm__row_is_total(row))
			vmm__value_text(v, vmm_kind_help(vmm__row_kind(row)));
		break;
	case VMM_ROW_FILE:
		vmm__value_text(v, ((const struct vmm_file_total *)row->object)->path);
		break;
	case VMM_ROW_HEAP:
		vmm__value_text(v, ((const struct vmm_heap *)row->object)->label);
		break;
	case VMM_ROW_PART:
		vmm__part_details(row->object, v);
		break;
	default:
		r = vmm__row_region(row);
		if (r)
			vmm__value_text(v, r->details);
		else if (row->type == VMM_ROW_DIFF && vmm__diff_heap(row->object))
			vmm__value_text(v, vmm__diff_heap(row->object)->label);
	}
}

void vmm__get_guard(const struct vmm_row *row, struct vmm_value *v)
{
	if (row->type == VMM_ROW_BLOCK)
		vmm__value_number(v, ((const struct vmm_block *)row->object)->guard);
}

/* The mapping whose file a row shows: its own, or the first of its region. */
static const struct vmm_vma *row_file(const struct vmm_row *row)
{
	const struct vmm_vma *vma = vmm__row_vma(row);
	const struct vmm_region *r = vma ? NULL : vmm__row_region(row);

	if (r)
		vma = region_vma(row->snapshot, r, 0);
	return vma && (row->type == VMM_ROW_VMA || vma->inode || vma->backing == VMM_BACKING_FILE) ? vma : NULL;
}

void vmm__get_offset(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_vma *vma = row_file(row);
	uint64_t start, end;

	if (vma && vmm__row_range(row, &start, &end))
		vmm__value_number(v, vma->offset + (start > vma->start ? start - vma->start : 0));
}

void vmm__get_device(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_vma *vma = row_file(row);

	if (!vma)
		return;
	if (!vmm_vma_inode_known(vma)) {
		v->state = VMM_UNKNOWN;
		return;
	}
	snprintf(v->buffer, sizeof(v->buffer), "%02x:%02x", vma->dev_major, vma->dev_minor);
	vmm__value_text(v, v->buffer);
}

void vmm__get_inode(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_vma *vma = row_file(row);

	if (vma && vmm_vma_inode_known(vma))
		vmm__value_number(v, vma->inode);
	else if (vma)
		v->state = VMM_UNKNOWN;
}

static void flags_text(uint64_t flags, char *ret, size_t size)
{
	size_t at = 0;

	ret[0] = '\0';
	for (unsigned i = 0; i < VMM_VMFLAG_COUNT && at + 4 < size; i++)
		if ((flags >> i) & 1)
			at += (size_t)snprintf(ret + at, size - at, "%s%s", at ? " " : "", vmm_vmflag_code(i));
}

void vmm__get_vmflags(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_vma *vma = vmm__row_vma(row);
	const struct vmm_region *r = vma ? NULL : vmm__row_region(row);
	uint64_t all = vma ? vma->vm_flags : 0, known = vma ? vma->vm_flags : VMM_VF_KNOWN;

	_Static_assert(sizeof(v->buffer) > VMM_VMFLAG_COUNT * 3 + 4, "all flags fit");
	if (!vma && !r)
		return;
	for (uint32_t i = 0; r && (vma = region_vma(row->snapshot, r, i)); i++) {
		all |= vma->vm_flags;
		known &= vma->vm_flags;
	}
	v->state = VMM_UNKNOWN;
	if (!(known & VMM_VF_KNOWN))
		return;
	flags_text(all, v->buffer, sizeof(v->buffer));
	vmm__value_text(v, v->buffer);
}

void vmm__get_page_size(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_vma *vma = vmm__row_vma(row);
	const struct vmm_region *r = vma ? NULL : vmm__row_region(row);
	uint64_t size = vma ? vma->page_size : 0;

	if (!vma && !r)
		return;
	for (uint32_t i = 0; r && (vma = region_vma(row->snapshot, r, i)); i++)
		size = vmm_max_u64(size, vma->page_size);
	v->state = size ? VMM_KNOWN : VMM_UNKNOWN;
	v->number = size;
}
