/* Getters of strings. */
#include "view/view.h"
#include "vmmap/strings.h"

/* NULL for rows of other types. */
static const struct vmm_string *row_string(const struct vmm_row *row)
{
	return row->type == VMM_ROW_STRING ? row->object : NULL;
}

void vmm__get_length(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_string *s = row_string(row);

	if (s)
		vmm__value_number(v, s->length);
}

void vmm__get_encoding(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_string *s = row_string(row);

	if (s)
		vmm__value_text(v, vmm_encoding_id(s->encoding));
}

void vmm__get_text(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_string *s = row_string(row);

	if (!s)
		return;
	vmm__value_text(v, s->text);
	v->suffix = s->cut ? " ..." : "";
}

void vmm__get_cut(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_string *s = row_string(row);

	if (s)
		vmm__value_number(v, s->cut);
}

void vmm__get_region(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_region *r = vmm__row_region(row);

	if (r)
		vmm__value_number(v, r->start);
}

/* The string, when it lies in a heap; v is unknown then unless its owner is known. */
static const struct vmm_string *owned_string(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_string *s = row_string(row);

	if (!s || !s->region || s->region->heap >= row->snapshot->heap_count)
		return NULL;
	v->state = VMM_UNKNOWN;
	return s->owned ? s : NULL;
}

void vmm__get_chunk(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_string *s = owned_string(row, v);

	if (s)
		vmm__value_number(v, s->owner.address);
}

void vmm__get_chunk_size(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_string *s = owned_string(row, v);

	if (s)
		vmm__value_number(v, s->owner.usable);
}

void vmm__get_chunk_state(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_string *s = owned_string(row, v);

	if (s)
		vmm__value_text(v, vmm_chunk_state_id((enum vmm_chunk_state)s->owner.state));
}
