/* Cells of rows, checked. */
#include "session/decode.h"

#include <string.h>

void vmm_decode_damaged(struct vmm_decode *d)
{
	if (d->rc >= 0)
		d->rc = vmm_session_damaged(d->session, vmm_session_tables[d->table].name, d->err);
}

bool vmm_decode_int(struct vmm_decode *d, unsigned column, uint64_t *ret)
{
	bool known;

	if (!vmm_reader_int(&d->r, column, ret, &known))
		vmm_decode_damaged(d);
	return known;
}

uint64_t vmm_decode_need(struct vmm_decode *d, unsigned column, uint64_t high)
{
	uint64_t v;

	if (!vmm_decode_int(d, column, &v) || v > high) {
		vmm_decode_damaged(d);
		return 0;
	}
	return v;
}

uint64_t vmm_decode_maybe(struct vmm_decode *d, unsigned column, uint64_t high, uint64_t otherwise)
{
	uint64_t v;

	if (!vmm_decode_int(d, column, &v))
		return otherwise;
	if (v > high)
		vmm_decode_damaged(d);
	return v;
}

int32_t vmm_decode_signed(struct vmm_decode *d, unsigned column)
{
	int64_t v = (int64_t)vmm_decode_maybe(d, column, UINT64_MAX, 0);

	if (v < INT32_MIN || v > INT32_MAX) {
		vmm_decode_damaged(d);
		return 0;
	}
	return (int32_t)v;
}

const char *vmm_decode_name(struct vmm_decode *d, unsigned column, const char *otherwise)
{
	const char *text = otherwise;
	uint64_t id;

	if (vmm_decode_int(d, column, &id) && d->rc >= 0) {
		int rc = vmm_names_get(d->names, id, &text, d->err);

		if (rc < 0)
			d->rc = rc;
	}
	return text;
}

void *vmm_decode_alloc(struct vmm_decode *d, size_t count, size_t size)
{
	void *p = vmm_arena_array(d->arena, count ? count : 1, size);

	if (!p && d->rc >= 0)
		d->rc = vmm_fail_nomem(d->err);
	return p;
}

void vmm_decode_metrics(struct vmm_decode *d, struct vmm_metrics *ret)
{
	int rc = vmm_reader_metrics(&d->r, ret);

	if (rc == VMM_E_FORMAT)
		vmm_decode_damaged(d);
	else if (rc < 0 && d->rc >= 0)
		d->rc = rc;
}

void vmm_decode_range(struct vmm_decode *d, unsigned start, unsigned span, uint64_t *ret_start, uint64_t *ret_end)
{
	*ret_start = vmm_decode_need(d, start, UINT64_MAX);
	if (__builtin_add_overflow(*ret_start, vmm_decode_need(d, span, UINT64_MAX), ret_end) || *ret_end <= *ret_start)
		vmm_decode_damaged(d);
}

bool vmm_decode_blob(struct vmm_decode *d, unsigned column, struct vmm_unpack *ret)
{
	size_t length;
	const unsigned char *bytes = vmm_reader_blob(&d->r, column, &length);

	*ret = (struct vmm_unpack){.failed = !bytes};
	if (!bytes)
		return false;
	ret->p = bytes;
	ret->end = bytes + length;
	return true;
}

void vmm_decode_blob_end(struct vmm_decode *d, const struct vmm_unpack *u)
{
	if (u->failed || u->p != u->end)
		vmm_decode_damaged(d);
}

uint32_t vmm_decode_found(struct vmm_decode *d, size_t at, size_t count, bool right)
{
	if (at < count && right)
		return (uint32_t)at;
	vmm_decode_damaged(d);
	return VMM_NONE;
}
