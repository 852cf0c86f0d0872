/* Regions, blocks, mappings and gaps as columns: the page of vmmap report holds 60,000 of each. */
#include <stdio.h>

#include "base/arena.h"
#include "view/json_write.h"
#include "view/packing.h"

/* Of heaps' regions, which are few: the objects of --json by row. */
static void put_chunks(struct vmm__packing *p)
{
	const char *before = ",\n\"chunks\":{\"";

	for (size_t i = 0; i < p->count && p->rows[0].type == VMM_ROW_REGION; i++) {
		const struct vmm_region *r = p->rows[i].object;

		if (r->heap >= p->rows[i].snapshot->heap_count || !r->chunks)
			continue;
		vmm_out_text(p->out, before);
		vmm_out_dec(p->out, i);
		vmm_out_text(p->out, "\":");
		vmm__json_chunk_sums(p->out, r->chunks, vmm_region_resident_known(p->rows[i].snapshot, r));
		before = ",\"";
	}
	if (before[1] == '"')
		vmm_out_char(p->out, '}');
}

static void end(struct vmm__packing *p, bool chunks)
{
	vmm__packing_end(p);
	if (chunks)
		put_chunks(p);
	vmm__packing_done(p);
}

static void get_outside(const struct vmm_row *row, struct vmm_value *v)
{
	vmm__value_number(v, ((const struct vmm_region *)row->object)->outside);
}

static void get_vm_flags(const struct vmm_row *row, struct vmm_value *v)
{
	v->state = ((const struct vmm_vma *)row->object)->vm_flags & VMM_VF_KNOWN ? VMM_ABSENT : VMM_UNKNOWN;
	if (v->state == VMM_ABSENT)
		vmm__get_vmflags(row, v);
}

static void get_offset(const struct vmm_row *row, struct vmm_value *v)
{
	vmm__value_number(v, ((const struct vmm_vma *)row->object)->offset);
}

static void get_inode(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_vma *vma = row->object;

	if (vmm_vma_inode_known(vma))
		vmm__value_number(v, vma->inode);
}

static void get_device(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_vma *vma = row->object;

	if (!vmm_vma_inode_known(vma))
		return;
	snprintf(v->buffer, sizeof(v->buffer), "%02x:%02x", vma->dev_major, vma->dev_minor);
	vmm__value_text(v, v->buffer);
}

#define OWN(column_id, column_type, getter) {.id = column_id, .type = VMM_VALUE_##column_type, .metric = -1, .get = getter}

/* Members of the objects of --json that are no columns of the table, or go by another name there. */
static const struct vmm_column region_members[] = {
	OWN("path", TEXT, vmm__get_path),        OWN("build_id", TEXT, vmm__get_build_id), OWN("tid", COUNT, vmm__get_thread),
	OWN("heap", TEXT, vmm__get_heap),        OWN("outside", FLAG, get_outside),
};
static const struct vmm_column block_members[] = {
	OWN("label", TEXT, vmm__get_label),
	OWN("guard", FLAG, vmm__get_guard),
};
static const struct vmm_column mapping_members[] = {
	OWN("offset", ADDRESS, get_offset),      OWN("device", TEXT, get_device),
	OWN("inode", COUNT, get_inode),          OWN("name", TEXT, vmm__get_path),
	OWN("deleted", FLAG, vmm__get_deleted),  OWN("protection", TEXT, vmm__get_protection),
	OWN("vm_flags", TEXT, get_vm_flags),     OWN("page_size", COUNT, vmm__get_page_size),
};

static void put_members(struct vmm__packing *p, const struct vmm_column *members, size_t count)
{
	for (size_t i = 0; i < count && !p->out->failed; i++)
		vmm__pack_column(p, members[i].id, &members[i]);
}

static bool is_member(const struct vmm_column *c, const struct vmm_column *members, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(members[i].id, c->id) == 0)
			return true;
	return false;
}

/* Whether --json leaves the column out of such rows, or it stands there as a member of its own. */
static bool is_elsewhere(const struct vmm_column *c, enum vmm_row_type type)
{
	if (c->get == vmm__get_address || c->get == vmm__get_end || c->get == vmm__get_kind)
		return true;
	if (type == VMM_ROW_REGION)
		return c->get == vmm__get_label || c->get == vmm__get_guard;
	return c->get == vmm__get_largest || c->get == vmm__get_blocks ||
	       (type == VMM_ROW_VMA && (c->get == vmm__get_details || c->get == vmm__get_wx));
}

/* Columns of the query's table: those chosen, else those of every JSON row; kind and size stand in all. */
static void put_table(struct vmm__packing *p, const struct vmm_query *q, const struct vmm_column *members, size_t member_count,
                      enum vmm_row_type type)
{
	size_t count = q->columns_chosen ? q->column_count : q->table->column_count;
	uint32_t needs = p->count ? p->rows[0].snapshot->needs : 0;
	bool sized = false;

	if (type != VMM_ROW_VMA)
		vmm__pack_column(p, "kind", vmm_column_find(q->table, "kind"));
	for (size_t i = 0; i < count && !p->out->failed; i++) {
		const struct vmm_column *c = q->columns_chosen ? q->columns[i] : &q->table->columns[i];

		if (!q->columns_chosen && !(c->flags & VMM_COLUMN_JSON) && !(c->get == vmm__get_numa && (needs & VMM_NEED_NUMA)))
			continue;
		sized |= c->metric == VMM_METRIC_SIZE;
		if (c->metric >= 0)
			vmm__pack_metric(p, c->metric);
		else if (!is_elsewhere(c, type) && !is_member(c, members, member_count))
			vmm__pack_column(p, c->id, c);
	}
	if (!sized)
		vmm__pack_metric(p, VMM_METRIC_SIZE);
}

static void put_regions(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows)
{
	struct vmm__packing p;

	if (!vmm__packing_open(&p, out, rows->count))
		return;
	for (size_t i = 0; i < rows->count; i++)
		if (rows->rows[i].type == VMM_ROW_REGION)
			p.rows[p.count++] = rows->rows[i];
	vmm__packing_begin(&p, ",\n\"regions\":");
	vmm__pack_range(&p);
	/* Chosen columns may be of the members: they are among the table's then. */
	put_table(&p, q, region_members, q->columns_chosen ? 0 : ARRAY_LEN(region_members), VMM_ROW_REGION);
	if (!q->columns_chosen)
		put_members(&p, region_members, ARRAY_LEN(region_members));
	end(&p, !q->columns_chosen);
}

static void put_blocks(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows, const struct vmm_snapshot *s)
{
	struct vmm__packing p;
	uint64_t region = 0;

	/* Each region stands once in the rows, so that its blocks do, too. */
	if (!vmm__packing_open(&p, out, s->block_count))
		return;
	for (size_t i = 0; i < rows->count; i++) {
		const struct vmm_region *r = rows->rows[i].object;

		if (rows->rows[i].type != VMM_ROW_REGION)
			continue;
		for (uint32_t b = r->first_block; b - r->first_block < r->block_count && b < s->block_count && p.count < s->block_count; b++) {
			p.cells[p.count] = (struct vmm__cell){region, VMM_KNOWN};
			p.rows[p.count++] = (struct vmm_row){.snapshot = s, .object = &s->blocks[b], .type = VMM_ROW_BLOCK, .depth = 1};
		}
		region++;
	}
	vmm__packing_begin(&p, ",\n\"blocks\":");
	vmm__pack_cells(&p, "region", VMM_VALUE_ADDRESS); /* it rises as addresses do */
	vmm__pack_range(&p);
	put_table(&p, q, block_members, ARRAY_LEN(block_members), VMM_ROW_BLOCK);
	put_members(&p, block_members, ARRAY_LEN(block_members));
	end(&p, false);
}

static void put_mappings(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows, const struct vmm_snapshot *s)
{
	struct vmm__packing p;

	if (!vmm__packing_open(&p, out, rows->count))
		return;
	for (size_t i = 0; i < rows->count; i++)
		if (rows->rows[i].type == VMM_ROW_VMA)
			p.rows[p.count++] = rows->rows[i];
	vmm__packing_begin(&p, ",\n\"mappings\":");
	vmm__pack_range(&p);
	put_table(&p, q, mapping_members, ARRAY_LEN(mapping_members), VMM_ROW_VMA);
	put_members(&p, mapping_members, ARRAY_LEN(mapping_members));
	for (uint32_t e = 0; e < s->extra_count && !out->failed; e++) {
		const char *id = vmm_arena_printf(p.arena, "extra.%s", s->extra_names[e]);

		for (size_t i = 0; i < p.count; i++) {
			const struct vmm_vma *vma = p.rows[i].object;
			bool known = vma->extra && vma->extra[e] != UINT64_MAX;

			p.cells[i] = (struct vmm__cell){known ? vma->extra[e] : 0, known ? VMM_KNOWN : VMM_UNKNOWN};
		}
		if (id)
			vmm__pack_cells(&p, id, VMM_VALUE_COUNT);
		else
			vmm__packing_fail(out);
	}
	end(&p, false);
}

static void put_gaps(struct vmm_out *out, const struct vmm_snapshot *s)
{
	static const char *const ids[] = {"address", "size", "kind", "details"};
	const struct vmm_table *table = vmm_table_find("free");
	struct vmm__packing p;

	if (!vmm__packing_open(&p, out, s->gap_count))
		return;
	for (uint32_t i = 0; i < s->gap_count; i++)
		p.rows[p.count++] = (struct vmm_row){.snapshot = s, .object = &s->gaps[i], .type = VMM_ROW_GAP};
	vmm__packing_begin(&p, ",\n\"gaps\":");
	for (size_t i = 0; i < ARRAY_LEN(ids) && !out->failed; i++)
		vmm__pack_column(&p, ids[i], vmm_column_find(table, ids[i]));
	end(&p, false);
}

void vmm__json_packed(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows, const struct vmm_snapshot *s)
{
	if (q->raw) {
		put_mappings(out, q, rows, s);
	} else {
		put_regions(out, q, rows);
		if (!out->failed)
			put_blocks(out, q, rows, s);
	}
	if (!out->failed && !q->no_gaps)
		put_gaps(out, s);
}
