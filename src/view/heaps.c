/* Getters of what heaps, their regions and their chunks hold. */
#include <stdio.h>

#include "base/text.h"
#include "view/view.h"

/*
 * What the chunks of a heap or of a heap's region add up to. NULL: v is absent where there is no heap, unknown where
 * it was not walked or not proved. *ret_bound: a sum over heaps of which some are not known.
 */
static const struct vmm_chunk_sums *row_sums(const struct vmm_row *row, struct vmm_value *v, bool *ret_bound)
{
	const struct vmm_heap *h = row->object;
	const struct vmm_region *r = row->object;

	*ret_bound = false;
	if (row->type == VMM_ROW_HEAP) {
		v->state = h->contents ? VMM_KNOWN : VMM_UNKNOWN;
		*ret_bound = h->contents && !h->proved;
		return h->contents ? &h->contents->sums : NULL;
	}
	if (row->type != VMM_ROW_REGION || r->heap >= row->snapshot->heap_count)
		return NULL;
	v->state = VMM_UNKNOWN;
	return r->chunks;
}

static void put_number(struct vmm_value *v, uint64_t number, bool bound)
{
	v->state = bound ? VMM_AT_LEAST : VMM_KNOWN;
	v->number = number;
}

#define SUMS_GETTER(name, expression)                                                                                  \
	void vmm__get_##name(const struct vmm_row *row, struct vmm_value *v)                                           \
	{                                                                                                              \
		bool bound;                                                                                            \
		const struct vmm_chunk_sums *s = row_sums(row, v, &bound);                                              \
                                                                                                                       \
		if (s)                                                                                                 \
			put_number(v, expression, bound);                                                              \
	}
SUMS_GETTER(used_count, s->of[VMM_CHUNK_USED].count)
SUMS_GETTER(free, vmm_chunk_sums_free(s))
SUMS_GETTER(free_count, vmm_chunk_sums_free_count(s))
SUMS_GETTER(top, s->of[VMM_CHUNK_TOP].bytes)
SUMS_GETTER(overhead, s->of[VMM_CHUNK_META].bytes)
SUMS_GETTER(reserved, s->of[VMM_CHUNK_RESERVED].bytes)
#undef SUMS_GETTER

/* Of a whole heap alone; NULL: v says why not. */
static const struct vmm_heap *row_contents(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_heap *h = row->object;

	if (row->type != VMM_ROW_HEAP)
		return NULL;
	v->state = VMM_UNKNOWN;
	return h->contents ? h : NULL;
}

void vmm__get_largest_free(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_heap *h = row_contents(row, v);

	if (h)
		put_number(v, h->contents->largest_free, !h->proved);
}

void vmm__get_trimmable(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_heap *h = row_contents(row, v);

	if (h && h->contents->trim_known && !h->contents->resident_known)
		v->state = VMM_UNKNOWN;
	else if (h && h->contents->trim_known)
		put_number(v, h->contents->trimmable, !h->proved);
	else if (h)
		v->state = VMM_ABSENT; /* it cannot be asked */
}

void vmm__get_heap_threads(const struct vmm_row *row, struct vmm_value *v)
{
	if (row->type == VMM_ROW_HEAP)
		vmm__value_number(v, ((const struct vmm_heap *)row->object)->thread_count);
}

void vmm__part_details(const struct vmm_heap_part *part, struct vmm_value *v)
{
	char count[VMM_GROUPED_BYTES], bytes[VMM_GROUPED_BYTES];

	vmm_text_grouped(count, part->count);
	vmm_text_grouped(bytes, part->bytes);
	if (part->count)
		snprintf(v->buffer, sizeof(v->buffer), "%s: %s bytes in %s chunk%s", part->label, bytes, count, part->count == 1 ? "" : "s");
	else
		snprintf(v->buffer, sizeof(v->buffer), "%s: %s bytes", part->label, bytes);
	vmm__value_text(v, v->buffer);
}

/* NULL for rows of other types. */
static const struct vmm_chunk_row *row_chunk(const struct vmm_row *row)
{
	return row->type == VMM_ROW_CHUNK ? row->object : NULL;
}

#define CHUNK_GETTER(name, what, value)                                                                                \
	void vmm__get_heap_chunk_##name(const struct vmm_row *row, struct vmm_value *v)                                \
	{                                                                                                              \
		const struct vmm_chunk_row *c = row_chunk(row);                                                        \
                                                                                                                       \
		if (c)                                                                                                 \
			vmm__value_##what(v, value);                                                                   \
	}
CHUNK_GETTER(address, number, c->chunk->address)
CHUNK_GETTER(size, number, c->chunk->usable)
CHUNK_GETTER(start, number, c->chunk->start)
CHUNK_GETTER(stretch, number, c->chunk->size)
CHUNK_GETTER(state, text, vmm_chunk_state_id((enum vmm_chunk_state)c->chunk->state))
CHUNK_GETTER(heap, text, c->batch->heap->id)
CHUNK_GETTER(label, text, c->batch->heap->label)
CHUNK_GETTER(region, number, c->batch->region_start)
#undef CHUNK_GETTER
