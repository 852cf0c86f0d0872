/* CSV after RFC 4180, with LF: ids as heading, bytes as integers, unknown and lower bounds empty. */
#include "view/view.h"

static void csv_value(struct vmm_out *out, const struct vmm_column *column, const struct vmm_row *row)
{
	struct vmm_value v;

	vmm_column_value(column, row, &v);
	if (v.state != VMM_KNOWN)
		return;
	switch (column->type) {
	case VMM_VALUE_TEXT:
		vmm_out_csv(out, v.text);
		break;
	case VMM_VALUE_FLAG:
		vmm_out_text(out, v.number ? "true" : "false");
		break;
	case VMM_VALUE_ADDRESS:
		vmm_out_text(out, "0x");
		vmm_out_hex(out, v.number, 1);
		break;
	case VMM_VALUE_CHANGE:
	case VMM_VALUE_CHANGE_COUNT:
		vmm_out_int(out, (int64_t)v.number);
		break;
	default:
		vmm_out_dec(out, v.number);
	}
}

void vmm__csv_heading(struct vmm_out *out, const struct vmm_query *q)
{
	for (size_t i = 0; i < q->column_count; i++) {
		if (i)
			vmm_out_char(out, ',');
		vmm_out_text(out, q->columns[i]->id);
	}
	vmm_out_char(out, '\n');
}

void vmm__csv_row(struct vmm_out *out, const struct vmm_query *q, const struct vmm_row *row)
{
	for (size_t i = 0; i < q->column_count; i++) {
		if (i)
			vmm_out_char(out, ',');
		csv_value(out, q->columns[i], row);
	}
	vmm_out_char(out, '\n');
}

void vmm_emit_csv(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows)
{
	bool depth = q->blocks && !q->raw && q->table->row_type == VMM_ROW_REGION;

	if (depth)
		vmm_out_text(out, q->column_count ? "depth," : "depth");
	vmm__csv_heading(out, q);
	for (size_t r = 0; r < rows->count; r++) {
		if (depth) {
			vmm_out_dec(out, rows->rows[r].depth);
			if (q->column_count)
				vmm_out_char(out, ',');
		}
		vmm__csv_row(out, q, &rows->rows[r]);
	}
}
