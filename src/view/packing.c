#include "view/packing.h"

#include <errno.h>

#include "base/arena.h"
#include "view/json_write.h"

#define EXACT (UINT64_C(1) << 53) /* from here on not every integer is a number of JavaScript */
#define SPARSE 4                  /* one value for all, and exceptions, where these are at most a fourth of the rows */

struct vmm__place {
	const char *text;
	uint32_t index;
};

void vmm__packing_fail(struct vmm_out *out)
{
	out->failed = true;
	out->os = out->os ? out->os : ENOMEM;
}

static void put_number(struct vmm_out *out, uint64_t v)
{
	if (vmm_out_room(out, VMM__JSON_ROOM))
		vmm__json_end(out, vmm__json_put_dec(vmm__json_at(out), v));
}

static bool has_number(const struct vmm__cell *c)
{
	return c->state == VMM_KNOWN || c->state == VMM_AT_LEAST;
}

static bool same_cell(const struct vmm__cell *a, const struct vmm__cell *b)
{
	return has_number(a) ? has_number(b) && a->number == b->number : !has_number(b);
}

static void put_cell(struct vmm_out *out, const struct vmm__cell *c, enum vmm_value_type type, uint64_t unit)
{
	if (!has_number(c))
		vmm_out_text(out, "null");
	else if (type == VMM_VALUE_FLAG)
		vmm_out_text(out, c->number ? "true" : "false");
	else
		put_number(out, c->number / unit);
}

/* The value that most rows have, if more than half of them do (Boyer and Moore's vote). */
static const struct vmm__cell *majority(const struct vmm__packing *p)
{
	const struct vmm__cell *found = p->cells;
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

static uint64_t unit_of(const struct vmm__packing *p)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < p->count; i++)
		bits |= p->cells[i].number;
	return !bits || bits & 1023 ? 1 : bits & 4095 ? 1024 : 4096;
}

static void put_sparse(struct vmm__packing *p, const struct vmm__cell *most, enum vmm_value_type type, uint64_t unit)
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

static void put_numbers(struct vmm__packing *p, enum vmm_value_type type)
{
	const struct vmm__cell *most = majority(p);
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
static void put_addresses(struct vmm__packing *p)
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

static struct vmm__place *find_place(struct vmm__packing *p, const char *text)
{
	size_t at = (size_t)((uintptr_t)text >> 3) * (size_t)UINT64_C(0x9e3779b97f4a7c15);

	for (at = (at >> 20) & p->place_mask; p->places[at].text && p->places[at].text != text; at = (at + 1) & p->place_mask)
		;
	return &p->places[at];
}

static void put_texts(struct vmm__packing *p)
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
		struct vmm__place *at = p->texts[i] ? find_place(p, p->texts[i]) : NULL;

		if (!at || at->text)
			continue;
		vmm__json_key_text(p->out, next ? "," : "\"texts\":[", p->texts[i]);
		*at = (struct vmm__place){p->texts[i], next++};
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

static void open_column(struct vmm__packing *p, const char *id)
{
	if (p->column_count++)
		vmm_out_text(p->out, ",\n");
	vmm__json_text(p->out, id);
	vmm_out_text(p->out, ":{");
}

void vmm__pack_cells(struct vmm__packing *p, const char *id, enum vmm_value_type type)
{
	open_column(p, id);
	if (type == VMM_VALUE_ADDRESS)
		put_addresses(p);
	else
		put_numbers(p, type);
	vmm_out_char(p->out, '}');
}

void vmm__pack_metric(struct vmm__packing *p, int metric)
{
	for (size_t i = 0; i < p->count; i++) {
		const struct vmm_metrics *m = p->metrics[i];
		bool known = m && ((m->known >> metric) & 1), bound = m && ((m->at_least >> metric) & 1);

		p->cells[i].number = known || bound ? m->value[metric] : 0;
		p->cells[i].state = known ? VMM_KNOWN : bound ? VMM_AT_LEAST : VMM_UNKNOWN;
		if (bound && !known)
			p->bounded |= UINT32_C(1) << metric;
	}
	vmm__pack_cells(p, vmm_metric_id((enum vmm_metric)metric), VMM_VALUE_BYTES);
}

/* A column by its getter; of texts all are interned, for getters write into their value's own buffer. */
void vmm__pack_column(struct vmm__packing *p, const char *id, const struct vmm_column *c)
{
	struct vmm_value v;
	const char *last = NULL, *last_interned = NULL;

	for (size_t i = 0; i < p->count; i++) {
		vmm_column_value(c, &p->rows[i], &v);
		p->cells[i] = (struct vmm__cell){v.state == VMM_KNOWN || v.state == VMM_AT_LEAST ? v.number : 0, v.state};
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
			vmm__packing_fail(p->out);
			return;
		}
	}
	if (c->type != VMM_VALUE_TEXT) {
		vmm__pack_cells(p, id, c->type);
		return;
	}
	open_column(p, id);
	put_texts(p);
	vmm_out_char(p->out, '}');
}

/* Address, and end unless it is address + size in every row. */
void vmm__pack_range(struct vmm__packing *p)
{
	bool needed = false;
	uint64_t start = 0, end = 0;

	for (size_t i = 0; i < p->count; i++) {
		const struct vmm_metrics *m = p->metrics[i];

		p->cells[i].state = vmm__row_range(&p->rows[i], &start, &end) ? VMM_KNOWN : VMM_UNKNOWN;
		p->cells[i].number = start;
		needed |= m && (!vmm_metric_known(m, VMM_METRIC_SIZE) || m->value[VMM_METRIC_SIZE] != end - start);
	}
	vmm__pack_cells(p, "address", VMM_VALUE_ADDRESS);
	for (size_t i = 0; needed && i < p->count; i++)
		p->cells[i].number = vmm__row_range(&p->rows[i], &start, &end) ? end : 0;
	if (needed)
		vmm__pack_cells(p, "end", VMM_VALUE_ADDRESS);
}

static void put_bounds(struct vmm__packing *p)
{
	const char *before = ",\n\"at_least\":{";

	for (int metric = 0; metric < VMM_METRIC_COUNT; metric++) {
		bool first = true;

		if (!((p->bounded >> metric) & 1))
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
bool vmm__packing_open(struct vmm__packing *p, struct vmm_out *out, size_t count)
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
	vmm__packing_fail(out);
	return false;
}

void vmm__packing_begin(struct vmm__packing *p, const char *key)
{
	for (size_t i = 0; i < p->count; i++)
		p->metrics[i] = p->rows[i].type == VMM_ROW_GAP ? NULL : vmm__row_metrics(&p->rows[i]);
	vmm_out_text(p->out, key);
	vmm__json_key_number(p->out, "{\"rows\":", true, p->count);
	vmm_out_text(p->out, ",\"columns\":{\n");
}

void vmm__packing_end(struct vmm__packing *p)
{
	vmm_out_char(p->out, '}');
	put_bounds(p);
}

void vmm__packing_done(struct vmm__packing *p)
{
	vmm_out_char(p->out, '}');
	vmm_arena_destroy(p->arena);
}
