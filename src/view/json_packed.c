/*
 * Rows as columns (docs/json.md, --format json-columns): a column is written whole before the next. Equal values are said
 * once, addresses as distances, sizes in pages where they are whole ones: the page of vmmap report holds 60,000 regions.
 */
#include <errno.h>
#include <stdio.h>

#include "base/arena.h"
#include "view/json_write.h"
#include "view/view.h"

#define EXACT (UINT64_C(1) << 53) /* from here on not every integer is a number of JavaScript */
#define SPARSE 4                  /* one value for all, and exceptions, where these are at most a fourth of the rows */

/* A number of one row. */
struct cell {
	uint64_t number;
	uint32_t state; /* VMM_KNOWN, VMM_AT_LEAST; others are null */
};

struct place {
	const char *text;
	uint32_t index;
};

struct packing {
	struct vmm_out *out;
	struct vmm_arena *arena; /* rows, cells, texts */
	struct vmm_row *rows;
	const struct vmm_metrics **metrics;
	struct cell *cells;
	const char **texts; /* interned: equal texts are equal pointers; NULL: null */
	struct place *places; /* by pointer; a power of two, at least twice the rows */
	size_t count, place_mask;
	uint64_t bounded[4]; /* columns that have lower bounds */
	size_t column_count;
};

static void fail_memory(struct vmm_out *out)
{
	out->failed = true;
	out->os = out->os ? out->os : ENOMEM;
}

static void put_number(struct vmm_out *out, uint64_t v)
{
	if (vmm_out_room(out, VMM__JSON_ROOM))
		vmm__json_end(out, vmm__json_put_dec(vmm__json_at(out), v));
}

static bool has_number(const struct cell *c)
{
	return c->state == VMM_KNOWN || c->state == VMM_AT_LEAST;
}

static bool same_cell(const struct cell *a, const struct cell *b)
{
	return has_number(a) ? has_number(b) && a->number == b->number : !has_number(b);
}

static void put_cell(struct vmm_out *out, const struct cell *c, enum vmm_value_type type, uint64_t unit)
{
	if (!has_number(c))
		vmm_out_text(out, "null");
	else if (type == VMM_VALUE_FLAG)
		vmm_out_text(out, c->number ? "true" : "false");
	else
		put_number(out, c->number / unit);
}

/* The value that most rows have, if more than half of them do (Boyer and Moore's vote). */
static const struct cell *majority(const struct packing *p)
{
	const struct cell *found = p->cells;
	size_t votes = 0;

	for (size_t i = 0; i < p->count; i++) {
		if (!votes)
			found = &p->cells[i];
		if (same_cell(found, &p->cells[i]))
			votes++;
		else
			votes--;
	}
	return found;
}

static uint64_t unit_of(const struct packing *p)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < p->count; i++)
		bits |= p->cells[i].number;
	return !bits || bits & 1023 ? 1 : bits & 4095 ? 1024 : 4096;
}

static void put_sparse(struct packing *p, const struct cell *most, enum vmm_value_type type, uint64_t unit)
{
	const char *before = ",\"but\":{\"rows\":[";

	vmm_out_text(p->out, "\"all\":");
	put_cell(p->out, most, type, unit);
	for (size_t i = 0; i < p->count; i++) {
		if (same_cell(most, &p->cells[i]))
			continue;
		vmm_out_text(p->out, before);
		put_number(p->out, i);
		before = ",";
	}
	if (before[1] == '\0') {
		before = "],\"values\":[";
		for (size_t i = 0; i < p->count; i++) {
			if (same_cell(most, &p->cells[i]))
				continue;
			vmm_out_text(p->out, before);
			put_cell(p->out, &p->cells[i], type, unit);
			before = ",";
		}
		vmm_out_text(p->out, "]}");
	}
}

static void put_numbers(struct packing *p, enum vmm_value_type type)
{
	const struct cell *most = majority(p);
	uint64_t unit = type == VMM_VALUE_BYTES ? unit_of(p) : 1;
	size_t others = 0;

	for (size_t i = 0; i < p->count; i++)
		others += !same_cell(most, &p->cells[i]);
	if (unit > 1)
		vmm__json_key_number(p->out, "\"unit\":", true, unit);
	if (unit > 1)
		vmm_out_char(p->out, ',');
	if (others <= p->count / SPARSE) {
		put_sparse(p, most, type, unit);
		return;
	}
	for (size_t i = 0; i < p->count && !p->out->failed; i++) {
		vmm_out_text(p->out, i ? "," : "\"values\":[");
		put_cell(p->out, &p->cells[i], type, unit);
	}
	vmm_out_char(p->out, ']');
}

/* Distances to the row before in units; "at" has whole addresses where a distance would not be exact in JavaScript. */
static void put_addresses(struct packing *p)
{
	uint64_t unit = unit_of(p) == 4096 ? 4096 : 1, last = 0;
	const char *before = ",\"at\":{\"";

	vmm__json_key_number(p->out, "\"unit\":", true, unit);
	vmm_out_text(p->out, ",\"deltas\":[");
	for (int pass = 0; pass < 2; pass++, last = 0) {
		for (size_t i = 0; i < p->count && !p->out->failed; i++) {
			uint64_t v = p->cells[i].number;
			bool known = has_number(&p->cells[i]), whole = known && unit == 1 && (v >= EXACT || last >= EXACT);

			if (pass == 0) {
				if (i)
					vmm_out_char(p->out, ',');
				if (known)
					vmm_out_int(p->out, whole ? 0 : (int64_t)(v / unit) - (int64_t)(last / unit));
				else
					vmm_out_text(p->out, "null");
			} else if (whole) {
				vmm_out_text(p->out, before);
				put_number(p->out, i);
				vmm__json_key_address(p->out, "\":", true, v);
				before = ",\"";
			}
			last = known ? v : last;
		}
		if (pass == 0)
			vmm_out_char(p->out, ']');
	}
	if (before[2] == '\0')
		vmm_out_char(p->out, '}');
}

static struct place *find_place(struct packing *p, const char *text)
{
	size_t at = (size_t)((uintptr_t)text >> 3) * (size_t)UINT64_C(0x9e3779b97f4a7c15);

	for (at = (at >> 20) & p->place_mask; p->places[at].text && p->places[at].text != text; at = (at + 1) & p->place_mask)
		;
	return &p->places[at];
}

static void put_texts(struct packing *p)
{
	uint32_t next = 0;
	size_t i = 1;

	while (i < p->count && p->texts[i] == p->texts[0])
		i++;
	if (i >= p->count) {
		vmm__json_key_text(p->out, "\"all\":", p->texts[0]);
		return;
	}
	memset(p->places, 0, (p->place_mask + 1) * sizeof(*p->places));
	for (i = 0; i < p->count; i++) {
		struct place *at = p->texts[i] ? find_place(p, p->texts[i]) : NULL;

		if (!at || at->text)
			continue;
		vmm__json_key_text(p->out, next ? "," : "\"texts\":[", p->texts[i]);
		*at = (struct place){p->texts[i], next++};
	}
	for (i = 0; i < p->count; i++) {
		vmm_out_text(p->out, i ? "," : "],\"index\":[");
		if (p->texts[i])
			put_number(p->out, find_place(p, p->texts[i])->index);
		else
			vmm_out_text(p->out, "null");
	}
	vmm_out_char(p->out, ']');
}

static void open_column(struct packing *p, const char *id)
{
	if (p->column_count++)
		vmm_out_text(p->out, ",\n");
	vmm__json_text(p->out, id);
	vmm_out_text(p->out, ":{");
}

static void put_cells(struct packing *p, const char *id, enum vmm_value_type type)
{
	open_column(p, id);
	if (type == VMM_VALUE_ADDRESS)
		put_addresses(p);
	else
		put_numbers(p, type);
	vmm_out_char(p->out, '}');
}

static void put_metric(struct packing *p, int metric)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct vmm_metrics *m = p->metrics[i];
		bool known = m && ((m->known >> metric) & 1), bound = m && ((m->at_least >> metric) & 1);

		p->cells[i].number = known || bound ? m->value[metric] : 0;
		p->cells[i].state = known ? VMM_KNOWN : bound ? VMM_AT_LEAST : VMM_UNKNOWN;
		if (bound && !known)
			p->bounded[metric / 64] |= UINT64_C(1) << (metric % 64);
	}
	put_cells(p, vmm_metric_id((enum vmm_metric)metric), VMM_VALUE_BYTES);
}

/* A column by its getter; of texts all are interned, for getters write into their value's own buffer. */
static void put_column(struct packing *p, const char *id, const struct vmm_column *c)
{
	struct vmm_value v;
	const char *last = NULL, *last_interned = NULL;

	for (size_t i = 0; i < p->count; i++) {
		vmm_column_value(c, &p->rows[i], &v);
		p->cells[i] = (struct cell){v.state == VMM_KNOWN || v.state == VMM_AT_LEAST ? v.number : 0, v.state};
		if (c->type != VMM_VALUE_TEXT)
			continue;
		p->texts[i] = NULL;
		if (v.state != VMM_KNOWN)
			continue;
		if (v.text == v.buffer || v.text != last)
			last_interned = vmm_arena_intern(p->arena, v.text, strlen(v.text));
		last = v.text == v.buffer ? NULL : v.text;
		p->texts[i] = last_interned;
		if (!last_interned) {
			fail_memory(p->out);
			return;
		}
	}
	if (c->type != VMM_VALUE_TEXT) {
		put_cells(p, id, c->type);
		return;
	}
	open_column(p, id);
	put_texts(p);
	vmm_out_char(p->out, '}');
}

/* Address, and end unless it is address + size in every row. */
static void put_range(struct packing *p)
{
	bool needed = false;
	uint64_t start = 0, end = 0;

	for (size_t i = 0; i < p->count; i++) {
		const struct vmm_metrics *m = p->metrics[i];

		p->cells[i].state = vmm__row_range(&p->rows[i], &start, &end) ? VMM_KNOWN : VMM_UNKNOWN;
		p->cells[i].number = start;
		needed |= m && (!vmm_metric_known(m, VMM_METRIC_SIZE) || m->value[VMM_METRIC_SIZE] != end - start);
	}
	put_cells(p, "address", VMM_VALUE_ADDRESS);
	for (size_t i = 0; needed && i < p->count; i++)
		p->cells[i].number = vmm__row_range(&p->rows[i], &start, &end) ? end : 0;
	if (needed)
		put_cells(p, "end", VMM_VALUE_ADDRESS);
}

static void put_bounds(struct packing *p)
{
	const char *before = ",\n\"at_least\":{";

	for (int metric = 0; metric < VMM_METRIC_COUNT; metric++) {
		bool first = true;

		if (!((p->bounded[metric / 64] >> (metric % 64)) & 1))
			continue;
		vmm__json_key_text(p->out, before, vmm_metric_id((enum vmm_metric)metric));
		for (size_t i = 0; i < p->count; i++) {
			const struct vmm_metrics *m = p->metrics[i];

			if (!m || (m->known >> metric) & 1 || !((m->at_least >> metric) & 1))
				continue;
			vmm_out_text(p->out, first ? ":[" : ",");
			put_number(p->out, i);
			first = false;
		}
		vmm_out_char(p->out, ']');
		before = ",";
	}
	if (before[1] == '\0')
		vmm_out_char(p->out, '}');
}

/* Room for so many rows, which the caller fills and begins with. False: out of memory. */
static bool packing_open(struct packing *p, struct vmm_out *out, size_t count)
{
	size_t places = 16;

	while (places < 2 * count)
		places *= 2;
	memset(p, 0, sizeof(*p));
	p->out = out;
	p->place_mask = places - 1;
	p->arena = vmm_arena_create();
	if (p->arena) {
		p->rows = vmm_arena_array(p->arena, count + 1, sizeof(*p->rows));
		p->metrics = vmm_arena_array(p->arena, count + 1, sizeof(*p->metrics));
		p->cells = vmm_arena_array(p->arena, count + 1, sizeof(*p->cells));
		p->texts = vmm_arena_array(p->arena, count + 1, sizeof(*p->texts));
		p->places = vmm_arena_array(p->arena, places, sizeof(*p->places));
	}
	if (p->places && p->texts && p->cells && p->metrics && p->rows)
		return true;
	vmm_arena_destroy(p->arena);
	fail_memory(out);
	return false;
}

static void packing_begin(struct packing *p, const char *key)
{
	for (size_t i = 0; i < p->count; i++)
		p->metrics[i] = p->rows[i].type == VMM_ROW_GAP ? NULL : vmm__row_metrics(&p->rows[i]);
	vmm_out_text(p->out, key);
	vmm__json_key_number(p->out, "{\"rows\":", true, p->count);
	vmm_out_text(p->out, ",\"columns\":{\n");
}

/* Of heaps' regions, which are few: the objects of --json by row. */
static void put_chunks(struct packing *p)
{
	const char *before = ",\n\"chunks\":{\"";

	for (size_t i = 0; i < p->count && p->rows[0].type == VMM_ROW_REGION; i++) {
		const struct vmm_region *r = p->rows[i].object;

		if (r->heap >= p->rows[i].snapshot->heap_count || !r->chunks)
			continue;
		vmm_out_text(p->out, before);
		put_number(p->out, i);
		vmm_out_text(p->out, "\":");
		vmm__json_chunk_sums(p->out, r->chunks, vmm_region_resident_known(p->rows[i].snapshot, r));
		before = ",\"";
	}
	if (before[1] == '"')
		vmm_out_char(p->out, '}');
}

static void packing_end(struct packing *p, bool chunks)
{
	vmm_out_char(p->out, '}');
	put_bounds(p);
	if (chunks)
		put_chunks(p);
	vmm_out_char(p->out, '}');
	vmm_arena_destroy(p->arena);
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

static void put_members(struct packing *p, const struct vmm_column *members, size_t count)
{
	for (size_t i = 0; i < count && !p->out->failed; i++)
		put_column(p, members[i].id, &members[i]);
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
static void put_table(struct packing *p, const struct vmm_query *q, const struct vmm_column *members, size_t member_count,
                      enum vmm_row_type type)
{
	size_t count = q->columns_chosen ? q->column_count : q->table->column_count;
	uint32_t needs = p->count ? p->rows[0].snapshot->needs : 0;
	bool sized = false;

	if (type != VMM_ROW_VMA)
		put_column(p, "kind", vmm_column_find(q->table, "kind"));
	for (size_t i = 0; i < count && !p->out->failed; i++) {
		const struct vmm_column *c = q->columns_chosen ? q->columns[i] : &q->table->columns[i];

		if (!q->columns_chosen && !(c->flags & VMM_COLUMN_JSON) && !(c->get == vmm__get_numa && (needs & VMM_NEED_NUMA)))
			continue;
		sized |= c->metric == VMM_METRIC_SIZE;
		if (c->metric >= 0)
			put_metric(p, c->metric);
		else if (!is_elsewhere(c, type) && !is_member(c, members, member_count))
			put_column(p, c->id, c);
	}
	if (!sized)
		put_metric(p, VMM_METRIC_SIZE);
}

static void put_regions(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows)
{
	struct packing p;

	if (!packing_open(&p, out, rows->count))
		return;
	for (size_t i = 0; i < rows->count; i++)
		if (rows->rows[i].type == VMM_ROW_REGION)
			p.rows[p.count++] = rows->rows[i];
	packing_begin(&p, ",\n\"regions\":");
	put_range(&p);
	/* Chosen columns may be of the members: they are among the table's then. */
	put_table(&p, q, region_members, q->columns_chosen ? 0 : ARRAY_LEN(region_members), VMM_ROW_REGION);
	if (!q->columns_chosen)
		put_members(&p, region_members, ARRAY_LEN(region_members));
	packing_end(&p, !q->columns_chosen);
}

static void put_blocks(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows, const struct vmm_snapshot *s)
{
	struct packing p;
	uint64_t region = 0;

	/* Each region stands once in the rows, so that its blocks do, too. */
	if (!packing_open(&p, out, s->block_count))
		return;
	for (size_t i = 0; i < rows->count; i++) {
		const struct vmm_region *r = rows->rows[i].object;

		if (rows->rows[i].type != VMM_ROW_REGION)
			continue;
		for (uint32_t b = r->first_block; b - r->first_block < r->block_count && b < s->block_count && p.count < s->block_count; b++) {
			p.cells[p.count] = (struct cell){region, VMM_KNOWN};
			p.rows[p.count++] = (struct vmm_row){.snapshot = s, .object = &s->blocks[b], .type = VMM_ROW_BLOCK, .depth = 1};
		}
		region++;
	}
	packing_begin(&p, ",\n\"blocks\":");
	put_cells(&p, "region", VMM_VALUE_ADDRESS); /* it rises as addresses do */
	put_range(&p);
	put_table(&p, q, block_members, ARRAY_LEN(block_members), VMM_ROW_BLOCK);
	put_members(&p, block_members, ARRAY_LEN(block_members));
	packing_end(&p, false);
}

static void put_mappings(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows, const struct vmm_snapshot *s)
{
	struct packing p;

	if (!packing_open(&p, out, rows->count))
		return;
	for (size_t i = 0; i < rows->count; i++)
		if (rows->rows[i].type == VMM_ROW_VMA)
			p.rows[p.count++] = rows->rows[i];
	packing_begin(&p, ",\n\"mappings\":");
	put_range(&p);
	put_table(&p, q, mapping_members, ARRAY_LEN(mapping_members), VMM_ROW_VMA);
	put_members(&p, mapping_members, ARRAY_LEN(mapping_members));
	for (uint32_t e = 0; e < s->extra_count && !out->failed; e++) {
		const char *id = vmm_arena_printf(p.arena, "extra.%s", s->extra_names[e]);

		for (size_t i = 0; i < p.count; i++) {
			const struct vmm_vma *vma = p.rows[i].object;
			bool known = vma->extra && vma->extra[e] != UINT64_MAX;

			p.cells[i] = (struct cell){known ? vma->extra[e] : 0, known ? VMM_KNOWN : VMM_UNKNOWN};
		}
		if (id)
			put_cells(&p, id, VMM_VALUE_COUNT);
		else
			fail_memory(out);
	}
	packing_end(&p, false);
}

static void put_gaps(struct vmm_out *out, const struct vmm_snapshot *s)
{
	static const char *const ids[] = {"address", "size", "kind", "details"};
	const struct vmm_table *table = vmm_table_find("free");
	struct packing p;

	if (!packing_open(&p, out, s->gap_count))
		return;
	for (uint32_t i = 0; i < s->gap_count; i++)
		p.rows[p.count++] = (struct vmm_row){.snapshot = s, .object = &s->gaps[i], .type = VMM_ROW_GAP};
	packing_begin(&p, ",\n\"gaps\":");
	for (size_t i = 0; i < ARRAY_LEN(ids) && !out->failed; i++)
		put_column(&p, ids[i], vmm_column_find(table, ids[i]));
	packing_end(&p, false);
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
	if (!out->failed)
		put_gaps(out, s);
}
