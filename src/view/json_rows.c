/* The rows of the JSON document: the hot path, for there may be 60,000 regions with as many blocks. */
#include "view/json_write.h"
#include "view/view.h"

#define OTHERS_MAX 64

/* What every row of one document carries. */
struct plan {
	struct vmm__json_keys keys;
	const struct vmm_column *others[OTHERS_MAX]; /* beyond the fixed members, by the general way */
	size_t other_count;
	bool largest, protection, wx, details, owners;
	char kind[VMM_KIND_COUNT][40]; /* ,"kind":"heap" */
	uint8_t kind_length[VMM_KIND_COUNT];
};

/* Numbers and head of an object, kept for the block that is its whole region. */
struct head {
	char bytes[VMM__JSON_METRICS_MAX + 160];
	size_t length;
};

static void plan_kinds(struct plan *plan)
{
	for (int k = 0; k < VMM_KIND_COUNT; k++) {
		const char *id = vmm_kind_id((enum vmm_kind)k);
		size_t n = strlen(id) < 28 ? strlen(id) : 28;
		char *p = VMM__JSON_PUT(plan->kind[k], ",\"kind\":\"");

		memcpy(p, id, n);
		p[n] = '"';
		plan->kind_length[k] = (uint8_t)(p + n + 1 - plan->kind[k]);
	}
}

/* Fixed members that have a flag in the plan; true when the column is one of them or always there. */
static bool plan_fixed(struct plan *plan, const struct vmm_column *c)
{
	if (c->get == vmm__get_largest)
		plan->largest = true;
	else if (c->get == vmm__get_protection)
		plan->protection = true;
	else if (c->get == vmm__get_wx)
		plan->wx = true;
	else if (c->get == vmm__get_details)
		plan->details = true;
	else
		/* The number of blocks is the length of the array with that name. */
		return c->get == vmm__get_address || c->get == vmm__get_end || c->get == vmm__get_kind ||
		       c->get == vmm__get_blocks || c->get == vmm__get_label || c->get == vmm__get_guard;
	return true;
}

static void plan_init(struct plan *plan, const struct vmm_query *q, uint32_t snapshot_needs)
{
	uint32_t metrics = 0;
	size_t count = q->columns_chosen ? q->column_count : q->table->column_count;

	memset(plan, 0, sizeof(*plan));
	plan_kinds(plan);
	plan->owners = !q->columns_chosen;
	for (size_t i = 0; i < count; i++) {
		const struct vmm_column *c = q->columns_chosen ? q->columns[i] : &q->table->columns[i];
		bool asked = c->get == vmm__get_numa && (snapshot_needs & VMM_NEED_NUMA);

		if (!q->columns_chosen && !(c->flags & VMM_COLUMN_JSON) && !asked)
			continue;
		if (c->metric >= 0)
			metrics |= UINT32_C(1) << c->metric;
		else if (!plan_fixed(plan, c) && plan->other_count < OTHERS_MAX)
			plan->others[plan->other_count++] = c;
	}
	vmm__json_keys_init(&plan->keys, metrics);
}

static char *put_range(char *p, uint64_t start, uint64_t end)
{
	p = VMM__JSON_PUT(p, "{\"address\":");
	p = vmm__json_put_address(p, start);
	p = VMM__JSON_PUT(p, ",\"end\":");
	return vmm__json_put_address(p, end);
}

static void make_head(struct head *h, const struct plan *plan, uint64_t start, uint64_t end, enum vmm_kind kind,
                      const struct vmm_metrics *m)
{
	char *p = put_range(h->bytes, start, end);

	if ((unsigned)kind < VMM_KIND_COUNT) {
		memcpy(p, plan->kind[kind], sizeof(plan->kind[kind]));
		p += plan->kind_length[kind];
	}
	p = vmm__json_put_metrics(p, &plan->keys, m);
	h->length = (size_t)(p - h->bytes);
}

static char *put_protection(char *p, const struct plan *plan, uint32_t prot_set, bool write_exec)
{
	if (plan->protection) {
		p = VMM__JSON_PUT(p, ",\"protection\":\"");
		vmm_prot_set_text(prot_set, p);
		p += strlen(p);
		*p++ = '"';
	}
	if (plan->wx)
		p = write_exec ? VMM__JSON_PUT(p, ",\"wx\":true") : VMM__JSON_PUT(p, ",\"wx\":false");
	return p;
}

static void json_value(struct vmm_out *out, const struct vmm_column *column, const struct vmm_value *v)
{
	if (v->state != VMM_KNOWN)
		vmm_out_text(out, "null");
	else if (column->type == VMM_VALUE_TEXT)
		vmm__json_text(out, v->text);
	else if (column->type == VMM_VALUE_FLAG)
		vmm_out_text(out, v->number ? "true" : "false");
	else if (column->type == VMM_VALUE_ADDRESS)
		vmm__json_key_address(out, "", true, v->number);
	else if (vmm__value_signed(column))
		vmm_out_int(out, (int64_t)v->number);
	else
		vmm_out_dec(out, v->number);
}

static void put_others(struct vmm_out *out, const struct plan *plan, const struct vmm_row *row)
{
	for (size_t i = 0; i < plan->other_count; i++) {
		struct vmm_value v;

		vmm_column_value(plan->others[i], row, &v);
		vmm_out_text(out, ",\"");
		vmm_out_text(out, plan->others[i]->id);
		vmm_out_text(out, "\":");
		json_value(out, plan->others[i], &v);
	}
}

static void put_details(struct vmm_out *out, const struct plan *plan, const struct vmm_row *row)
{
	struct vmm_value v;

	if (!plan->details)
		return;
	v.text = v.suffix = "";
	v.state = VMM_ABSENT;
	vmm__get_details(row, &v);
	vmm__json_key_text(out, ",\"details\":", v.text);
}

/* What a region belongs to; members that would say nothing are left out. */
static void put_owners(struct vmm_out *out, const struct vmm_snapshot *s, const struct vmm_region *r)
{
	if (r->path[0])
		vmm__json_key_text(out, ",\"path\":", r->path);
	if (r->module < s->module_count)
		vmm__json_key_text(out, ",\"build_id\":", s->modules[r->module].build_id);
	if (r->thread < s->thread_count) {
		vmm_out_text(out, ",\"tid\":");
		vmm_out_int(out, s->threads[r->thread].tid);
	}
	if (r->heap < s->heap_count) {
		vmm__json_key_text(out, ",\"heap\":", s->heaps[r->heap].id);
		vmm_out_text(out, ",\"chunks\":");
		vmm__json_chunk_sums(out, r->chunks, vmm_region_resident_known(s, r));
	}
	if (r->outside)
		vmm_out_text(out, ",\"outside\":true");
}

static void json_block(struct vmm_out *out, const struct plan *plan, const struct vmm_snapshot *s,
                       const struct vmm_region *r, const struct vmm_block *b, struct head *region_head)
{
	struct vmm_row row = {.snapshot = s, .object = b, .type = VMM_ROW_BLOCK, .depth = 1};
	const struct vmm_vma *vma = vmm__row_vma(&row);
	uint32_t prot = UINT32_C(1) << (vma ? vma->prot : 0);
	char *p;

	if (b->m != r->m || b->start != r->start || b->end != r->end)
		make_head(region_head, plan, b->start, b->end, r->kind, b->m);
	if (!vmm_out_room(out, VMM__JSON_ROOM))
		return;
	p = vmm__json_at(out);
	memcpy(p, region_head->bytes, region_head->length);
	p = put_protection(p + region_head->length, plan, prot, vmm__row_write_exec(&row));
	if (b->guard)
		p = VMM__JSON_PUT(p, ",\"guard\":true");
	vmm__json_end(out, p);
	vmm__json_key_text(out, ",\"label\":", b->label);
	put_details(out, plan, &row);
	put_others(out, plan, &row);
	vmm_out_char(out, '}');
}

static void json_region(struct vmm_out *out, const struct plan *plan, const struct vmm_row *row)
{
	const struct vmm_snapshot *s = row->snapshot;
	const struct vmm_region *r = row->object;
	struct head head;
	char *p;

	make_head(&head, plan, r->start, r->end, r->kind, r->m);
	if (!vmm_out_room(out, VMM__JSON_ROOM))
		return;
	p = vmm__json_at(out);
	memcpy(p, head.bytes, head.length);
	p += head.length;
	if (plan->largest) {
		p = VMM__JSON_PUT(p, ",\"largest\":");
		p = vmm__json_put_dec(p, vmm__region_largest(s, r));
	}
	vmm__json_end(out, put_protection(p, plan, r->prot_set, r->write_exec));
	if (plan->details)
		vmm__json_key_text(out, ",\"details\":", r->details);
	if (plan->owners)
		put_owners(out, s, r);
	put_others(out, plan, row);
	vmm_out_text(out, ",\"blocks\":[");
	for (uint32_t i = 0; i < r->block_count && r->first_block + i < s->block_count; i++) {
		if (i)
			vmm_out_char(out, ',');
		json_block(out, plan, s, r, &s->blocks[r->first_block + i], &head);
	}
	vmm_out_text(out, "]}");
}

void vmm__json_regions(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows)
{
	struct plan plan;
	bool first = true;

	plan_init(&plan, q, rows->count && rows->rows[0].snapshot ? rows->rows[0].snapshot->needs : 0);
	for (size_t i = 0; i < rows->count && !out->failed; i++) {
		if (rows->rows[i].type != VMM_ROW_REGION)
			continue;
		vmm_out_text(out, first ? "\n" : ",\n");
		json_region(out, &plan, &rows->rows[i]);
		first = false;
	}
}

static void json_flags(struct vmm_out *out, uint64_t flags)
{
	bool first = true;

	vmm_out_text(out, ",\"vm_flags\":");
	if (!(flags & VMM_VF_KNOWN)) {
		vmm_out_text(out, "null");
		return;
	}
	vmm_out_char(out, '[');
	for (unsigned i = 0; i < VMM_VMFLAG_COUNT; i++) {
		if (!((flags >> i) & 1))
			continue;
		vmm_out_text(out, first ? "\"" : ",\"");
		vmm_out_text(out, vmm_vmflag_code(i));
		vmm_out_char(out, '"');
		first = false;
	}
	vmm_out_char(out, ']');
}

static void json_extra(struct vmm_out *out, const struct vmm_snapshot *s, const struct vmm_vma *vma)
{
	if (!vma->extra)
		return;
	vmm_out_text(out, ",\"extra\":{");
	for (uint32_t i = 0; i < s->extra_count; i++) {
		if (i)
			vmm_out_char(out, ',');
		vmm__json_text(out, s->extra_names[i]);
		vmm_out_char(out, ':');
		vmm_out_dec(out, vma->extra[i]);
	}
	vmm_out_char(out, '}');
}

static void json_mapping(struct vmm_out *out, const struct plan *plan, const struct vmm_row *row)
{
	const struct vmm_vma *vma = row->object;
	struct plan fixed = {.protection = true};
	char *p;

	if (!vmm_out_room(out, VMM__JSON_ROOM))
		return;
	p = put_range(vmm__json_at(out), vma->start, vma->end);
	p = VMM__JSON_PUT(p, ",\"offset\":");
	p = vmm__json_put_address(p, vma->offset);
	vmm__json_end(out, p);
	if (vmm_vma_inode_known(vma)) {
		vmm_out_printf(out, ",\"device\":\"%02x:%02x\",\"inode\":", vma->dev_major, vma->dev_minor);
		vmm_out_dec(out, vma->inode);
	} else {
		vmm_out_text(out, ",\"device\":null,\"inode\":null");
	}
	vmm__json_key_text(out, ",\"name\":", vma->name);
	vmm__json_key_bool(out, ",\"deleted\":", vma->deleted);
	if (!vmm_out_room(out, VMM__JSON_ROOM))
		return;
	vmm__json_end(out, put_protection(vmm__json_at(out), &fixed, UINT32_C(1) << vma->prot, false));
	json_flags(out, vma->vm_flags);
	vmm__json_key_number(out, ",\"page_size\":", vma->page_size != 0, vma->page_size);
	if (!vmm_out_room(out, VMM__JSON_ROOM))
		return;
	vmm__json_end(out, vmm__json_put_metrics(vmm__json_at(out), &plan->keys, &vma->m));
	put_others(out, plan, row);
	json_extra(out, row->snapshot, vma);
	vmm_out_char(out, '}');
}

/* Members that json_mapping writes itself. */
static bool mapping_has(const struct vmm_column *c)
{
	return c->get == vmm__get_offset || c->get == vmm__get_device || c->get == vmm__get_inode ||
	       c->get == vmm__get_deleted || c->get == vmm__get_vmflags || c->get == vmm__get_page_size;
}

void vmm__json_mappings(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows)
{
	struct plan plan;
	size_t kept = 0;
	bool first = true;

	plan_init(&plan, q, rows->count && rows->rows[0].snapshot ? rows->rows[0].snapshot->needs : 0);
	for (size_t i = 0; i < plan.other_count; i++)
		if (!mapping_has(plan.others[i]))
			plan.others[kept++] = plan.others[i];
	plan.other_count = kept;
	for (size_t i = 0; i < rows->count && !out->failed; i++) {
		if (rows->rows[i].type != VMM_ROW_VMA)
			continue;
		vmm_out_text(out, first ? "\n" : ",\n");
		json_mapping(out, &plan, &rows->rows[i]);
		first = false;
	}
}

void vmm__json_row(struct vmm_out *out, const struct vmm_column *const *columns, size_t count, const struct vmm_row *row,
                   bool with_depth)
{
	struct vmm_value v;
	bool bounds = false;

	vmm_out_char(out, '{');
	if (with_depth)
		vmm__json_key_number(out, "\"depth\":", true, row->depth);
	for (size_t i = 0; i < count; i++) {
		vmm_column_value(columns[i], row, &v);
		vmm_out_text(out, i || with_depth ? ",\"" : "\"");
		vmm_out_text(out, columns[i]->id);
		vmm_out_text(out, "\":");
		json_value(out, columns[i], &v);
		bounds |= v.state == VMM_AT_LEAST;
	}
	if (bounds) {
		const char *before = ",\"at_least\":{\"";

		for (size_t i = 0; i < count; i++) {
			vmm_column_value(columns[i], row, &v);
			if (v.state != VMM_AT_LEAST)
				continue;
			vmm_out_text(out, before);
			vmm_out_text(out, columns[i]->id);
			vmm_out_text(out, "\":");
			v.state = VMM_KNOWN;
			json_value(out, columns[i], &v);
			before = ",\"";
		}
		vmm_out_char(out, '}');
	}
	vmm_out_char(out, '}');
}
