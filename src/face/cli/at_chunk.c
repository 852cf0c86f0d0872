/* The part of the command at that tells chunks of heaps. */
#include <stdio.h>

#include "face/place.h"

#define LABEL "  %-9s"
#define LINE_BYTES 16

static void put_label(struct vmm_out *out, const struct vmm_look *look, const char *label)
{
	vmm_put_dim(out, look);
	vmm_out_printf(out, LABEL, label);
	vmm_put_plain(out, look);
}

/* "used  0x55d0c2a0, 24 bytes" */
static void put_one(struct vmm_out *out, const struct vmm_chunk *c)
{
	vmm_out_text(out, vmm_chunk_state_id((enum vmm_chunk_state)c->state));
	vmm_out_printf(out, "  0x%llx, ", (unsigned long long)c->address);
	vmm_put_count(out, c->usable);
	vmm_out_text(out, c->usable == 1 ? " byte" : " bytes");
}

static void put_neighbour(struct vmm_out *out, const struct vmm_look *look, const char *label, const struct vmm_chunk *c)
{
	put_label(out, look, label);
	put_one(out, c);
	vmm_out_char(out, '\n');
}

/* The chunk, and where in it the address lies. */
static void put_holder(struct vmm_out *out, const struct vmm_place *p, const struct vmm_chunk *c)
{
	put_one(out, c);
	if (p->address >= c->address && p->address - c->address < c->usable)
		vmm_out_printf(out, ", +0x%llx into it", (unsigned long long)(p->address - c->address));
	else if (p->address < c->address)
		vmm_out_printf(out, ", 0x%llx before it: its header", (unsigned long long)(c->address - p->address));
	else
		vmm_out_printf(out, ", 0x%llx behind its end: padding", (unsigned long long)(p->address - c->address - c->usable));
	vmm_out_char(out, '\n');
}

/* As hexadecimal and ASCII, sixteen to a line. */
static void put_head(struct vmm_out *out, const struct vmm_look *look, const struct vmm_chunk_at *at, const char *absent)
{
	put_label(out, look, "bytes");
	if (at->head_bytes == 0) {
		vmm_out_text(out, at->chunk.usable ? absent : "none");
		vmm_out_char(out, '\n');
		return;
	}
	for (uint32_t i = 0; i < at->head_bytes; i += LINE_BYTES) {
		if (i)
			put_label(out, look, "");
		for (uint32_t k = i; k < i + LINE_BYTES; k++) {
			if (k < at->head_bytes)
				vmm_out_hex(out, at->head[k], 2);
			else
				vmm_out_text(out, "  ");
			vmm_out_text(out, k % 8 == 7 ? "  " : " ");
		}
		for (uint32_t k = i; k < i + LINE_BYTES && k < at->head_bytes; k++)
			vmm_out_char(out, at->head[k] >= 0x20 && at->head[k] < 0x7f ? (char)at->head[k] : '.');
		vmm_out_char(out, '\n');
	}
}

void vmm_place_put_chunk(struct vmm_out *out, const struct vmm_look *look, const struct vmm_place *p)
{
	const struct vmm_chunk_at *at = p->chunk;
	const char *absent = "not resident";

	if (!p->heap || !at)
		return;
	if (p->heap->contents && !p->heap->contents->resident_known)
		absent = "not in the file";
	put_label(out, look, "heap");
	vmm_out_escaped(out, p->heap->id, 0);
	vmm_out_text(out, "  ");
	vmm_out_escaped(out, p->heap->label, 0);
	vmm_out_char(out, '\n');
	put_label(out, look, "chunk");
	if (at->found)
		put_holder(out, p, &at->chunk);
	else
		vmm_out_text(out, "? not known: the heap could not be walked up to here\n");
	if (at->note[0]) {
		put_label(out, look, "");
		vmm_out_text(out, at->found ? "the heap is not proved: " : "");
		vmm_out_escaped(out, at->note, 0);
		vmm_out_char(out, '\n');
	}
	if (at->found && p->content) {
		char line[VMM_CONTENT_LINE_MAX];

		put_label(out, look, "holds");
		vmm_content_line(p->content, line);
		if (p->content->type == VMM_CONTENT_ABSENT)
			snprintf(line, sizeof(line), "%s", absent);
		vmm_out_escaped(out, line, 0);
		vmm_out_char(out, '\n');
	}
	if (at->found)
		put_head(out, look, at, absent);
	if (at->found && at->has_below)
		put_neighbour(out, look, "before", &at->below);
	if (at->found && at->has_above)
		put_neighbour(out, look, "after", &at->above);
}
