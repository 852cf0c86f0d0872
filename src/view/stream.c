/* Rows one by one, in bounded memory. */
#include <stdlib.h>

#include "base/arena.h"
#include "view/json_write.h"
#include "view/view.h"

#define TAIL_MAX 512 /* ,"heap":"...","region":"0x..."} of chunks, or the same fields of CSV */

struct vmm_stream {
	struct vmm_out *out;
	const struct vmm_query *q;
	enum vmm_stream_format format;
	struct vmm__text_stream *text;
	const struct vmm_column *columns[VMM__ROW_COLUMNS_MAX]; /* of NDJSON */
	size_t column_count;
	bool plain_chunks; /* CSV or NDJSON of chunks with their own columns: there may be tens of millions */
	uint64_t count;

	/* What all chunks of a batch end with. */
	const char *heap;
	uint64_t region;
	char tail[TAIL_MAX];
	size_t tail_length; /* 0: it does not fit */
};

struct vmm_stream *vmm_stream_create(struct vmm_out *out, const struct vmm_query *q, enum vmm_stream_format format,
                                     const struct vmm_style *style)
{
	struct vmm_stream *s = vmm_alloc_hook(NULL, sizeof(*s));

	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s));
	s->out = out;
	s->q = q;
	s->format = format;
	if (format == VMM_STREAM_TEXT) {
		s->text = vmm__text_stream_create(q, style, false);
		if (!s->text) {
			free(s);
			return NULL;
		}
		if (style->heading)
			vmm__text_stream_row(s->text, out, NULL);
	} else if (format == VMM_STREAM_CSV) {
		vmm__csv_heading(out, q);
	} else {
		s->column_count = vmm__json_columns(q, s->columns);
	}
	s->plain_chunks = q->table->row_type == VMM_ROW_CHUNK && !q->columns_chosen;
	return s;
}

void vmm_stream_destroy(struct vmm_stream *s)
{
	if (s)
		free(s->text);
	free(s);
}

uint64_t vmm_stream_count(const struct vmm_stream *s)
{
	return s->count;
}

/* The end of the line of each chunk of this heap and region. */
static void set_tail(struct vmm_stream *s, const struct vmm_chunk_batch *b)
{
	struct vmm_out *out = vmm_out_create_memory();
	size_t length = 0;
	char *text;

	s->heap = b->heap->id;
	s->region = b->region_start;
	s->tail_length = 0;
	if (!out)
		return;
	if (s->format == VMM_STREAM_NDJSON) {
		vmm__json_key_text(out, "\",\"heap\":", b->heap->id);
		vmm__json_key_address(out, ",\"region\":", true, b->region_start);
		vmm_out_text(out, "}\n");
	} else {
		vmm_out_char(out, ',');
		vmm_out_csv(out, b->heap->id);
		vmm_out_text(out, ",0x");
		vmm_out_hex(out, b->region_start, 1);
		vmm_out_char(out, '\n');
	}
	text = vmm_out_take(out, &length);
	if (text && length < sizeof(s->tail)) {
		memcpy(s->tail, text, length);
		s->tail_length = length;
	}
	free(text);
}

static char *put_text(char *p, const char *text)
{
	while (*text)
		*p++ = *text++;
	return p;
}

static char *put_json(char *p, const struct vmm_chunk *c)
{
	p = VMM__JSON_PUT(p, "{\"address\":");
	p = vmm__json_put_address(p, c->address);
	p = VMM__JSON_PUT(p, ",\"size\":");
	p = vmm__json_put_dec(p, c->usable);
	p = VMM__JSON_PUT(p, ",\"start\":");
	p = vmm__json_put_address(p, c->start);
	p = VMM__JSON_PUT(p, ",\"stretch\":");
	p = vmm__json_put_dec(p, c->size);
	p = VMM__JSON_PUT(p, ",\"state\":\"");
	return put_text(p, vmm_chunk_state_id((enum vmm_chunk_state)c->state));
}

static char *put_hex(char *p, uint64_t v)
{
	p = VMM__JSON_PUT(p, "0x");
	for (int shift = (63 - __builtin_clzll(v | 1)) & ~3; shift >= 0; shift -= 4)
		*p++ = "0123456789abcdef"[v >> shift & 15];
	return p;
}

static char *put_csv(char *p, const struct vmm_chunk *c)
{
	p = put_hex(p, c->address);
	*p++ = ',';
	p = vmm__json_put_dec(p, c->usable);
	*p++ = ',';
	p = put_hex(p, c->start);
	*p++ = ',';
	p = vmm__json_put_dec(p, c->size);
	*p++ = ',';
	return put_text(p, vmm_chunk_state_id((enum vmm_chunk_state)c->state));
}

/* The same bytes as the general way writes. False: they do not fit, nothing was written. */
static bool put_plain_chunk(struct vmm_stream *s, const struct vmm_chunk_row *r)
{
	char *p;

	if (s->heap != r->batch->heap->id || s->region != r->batch->region_start)
		set_tail(s, r->batch);
	if (!s->tail_length || !vmm_out_room(s->out, VMM__JSON_ROOM))
		return false;
	p = vmm__json_at(s->out);
	p = s->format == VMM_STREAM_CSV ? put_csv(p, r->chunk) : put_json(p, r->chunk);
	memcpy(p, s->tail, s->tail_length);
	vmm__json_end(s->out, p + s->tail_length);
	return true;
}

static void put_row(struct vmm_stream *s, const struct vmm_row *row)
{
	switch (s->format) {
	case VMM_STREAM_TEXT:
		vmm__text_stream_row(s->text, s->out, row);
		break;
	case VMM_STREAM_CSV:
		if (s->plain_chunks && put_plain_chunk(s, row->object))
			break;
		vmm__csv_row(s->out, s->q, row);
		break;
	case VMM_STREAM_NDJSON:
		if (s->plain_chunks && put_plain_chunk(s, row->object))
			break;
		vmm__json_row(s->out, s->columns, s->column_count, row, false);
		vmm_out_char(s->out, '\n');
		break;
	}
}

bool vmm_stream_row(struct vmm_stream *s, const struct vmm_row *row)
{
	if (s->out->failed || (s->q->top && s->count == s->q->top))
		return false;
	if (s->q->where && !vmm_expr_matches(s->q->where, row))
		return true;
	put_row(s, row);
	s->count++;
	return !s->out->failed && !(s->q->top && s->count == s->q->top);
}
