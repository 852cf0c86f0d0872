/* vmmap heap: the largest chunks, and what is in memory many times. */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "face/heap_page.h"

#define HEAP_WIDTH 20
#define LINE_LEAST 12

/* Else what cannot be read is what a file of contents lacks. */
static bool residency_told(const struct vmm_heap_page *p)
{
	return !p->total->contents || p->total->contents->resident_known;
}

/* What a chunk holds, in what is left of the line. */
static void put_content(struct vmm_out *out, const struct vmm_look *look, const struct vmm_heap_page *p, const struct vmm_content *c,
                        size_t used)
{
	char line[VMM_CONTENT_LINE_MAX];
	size_t width = look->style.width;

	vmm_content_line(c, line);
	if (c->type == VMM_CONTENT_ABSENT && !residency_told(p))
		snprintf(line, sizeof(line), "not in the file");
	if (c->type == VMM_CONTENT_ABSENT || c->type == VMM_CONTENT_ZERO)
		vmm_put_dim(out, look);
	vmm_out_escaped(out, line, width == 0 ? 0 : width > used + LINE_LEAST ? width - used : LINE_LEAST);
	if (c->type == VMM_CONTENT_ABSENT || c->type == VMM_CONTENT_ZERO)
		vmm_put_plain(out, look);
	vmm_out_char(out, '\n');
}

/* Columns of a count, and of its heading if that is wider. */
static size_t digits(uint64_t count, const char *heading)
{
	char text[VMM_GROUPED_BYTES];

	return vmm_max_u64(vmm_text_grouped(text, count), strlen(heading));
}

static size_t heap_width(const struct vmm_survey *v)
{
	size_t width = 4;

	for (size_t i = 0; i < v->largest_count; i++)
		width = vmm_max_u64(width, vmm_text_width(v->largest[i].heap, strlen(v->largest[i].heap)));
	return vmm_min_u64(width, HEAP_WIDTH);
}

static void put_largest(struct vmm_out *out, const struct vmm_look *look, const struct vmm_heap_page *p)
{
	const struct vmm_survey *v = p->survey;
	size_t heap = heap_width(v), size = digits(v->largest_count ? v->largest[0].chunk.usable : 0, "bytes");

	vmm_put_heading(out, look, p->picked ? "Largest chunks of those that fit" : "Largest chunks");
	if (!v->largest_count)
		vmm_out_text(out, "  none\n");
	else
		vmm_out_printf(out, "  %-12s  %*s  %-6s  %-*s  %s\n", "address", (int)size, "bytes", "state", (int)heap, "heap", "begins with");
	for (size_t i = 0; i < v->largest_count; i++) {
		const struct vmm_large_chunk *l = &v->largest[i];
		size_t used;

		vmm_out_text(out, "  ");
		vmm_out_hex(out, l->chunk.address, 12);
		vmm_heap_put_count(out, l->chunk.usable, size + 2);
		vmm_out_printf(out, "  %-6s  ", vmm_chunk_state_id((enum vmm_chunk_state)l->chunk.state));
		used = vmm_out_escaped(out, l->heap, heap);
		vmm_out_repeat(out, " ", heap - used + 2);
		put_content(out, look, p, &l->content, 2 + 12 + 2 + size + 2 + 6 + 2 + heap + 2);
	}
	if (p->picked) {
		vmm_out_text(out, "  ");
		vmm_put_count(out, v->picked);
		vmm_out_text(out, v->picked == 1 ? " chunk fits\n" : " chunks fit\n");
	}
}

static void put_groups(struct vmm_out *out, const struct vmm_look *look, const struct vmm_heap_page *p)
{
	const struct vmm_survey *v = p->survey;
	size_t size = 0, count = 0, used;

	for (size_t i = 0; i < v->duplicate_count; i++) {
		size = vmm_max_u64(size, digits(v->duplicates[i].size, "bytes"));
		count = vmm_max_u64(count, digits(v->duplicates[i].count, "count"));
	}
	used = 2 + size + 2 + count + 2 + 14 + 2 + 12 + 2;
	vmm_out_printf(out, "  %*s  %*s  %14s  %-12s  %s\n", (int)size, "bytes", (int)count, "count", "together", "for example",
	               "begins with");
	for (size_t i = 0; i < v->duplicate_count; i++) {
		const struct vmm_duplicate *d = &v->duplicates[i];

		vmm_heap_put_count(out, d->size, size + 2);
		vmm_heap_put_count(out, d->count, count + 2);
		vmm_heap_put_size(out, look, d->size * d->count, 16);
		vmm_out_text(out, "  ");
		vmm_out_hex(out, d->address, 12);
		vmm_out_text(out, "  ");
		put_content(out, look, p, &d->content, used);
	}
}

static void put_duplicates(struct vmm_out *out, const struct vmm_look *look, const struct vmm_heap_page *p)
{
	const struct vmm_survey *v = p->survey;

	vmm_put_heading(out, look, "Used chunks of equal size and equal first 64 bytes");
	if (v->duplicate_count)
		put_groups(out, look, p);
	vmm_out_text(out, v->approximate ? "  at least " : "  ");
	vmm_put_count(out, v->duplicate_groups);
	vmm_out_text(out, v->duplicate_groups == 1 ? " group; all but one chunk of each take " : " groups; all but one chunk of each take ");
	vmm_put_short_size(out, v->redundant_bytes);
	vmm_out_text(out, "\n  ");
	vmm_put_count(out, v->compared);
	vmm_out_text(out, " chunks compared");
	if (v->not_resident) {
		vmm_out_text(out, ", ");
		vmm_put_count(out, v->not_resident);
		vmm_out_text(out, residency_told(p) ? " not resident" : " not in the file");
	}
	vmm_out_char(out, '\n');
	if (!v->approximate)
		return;
	vmm_out_text(out, "  approximate: too many contents to keep all; a group may lack up to ");
	vmm_put_short_size(out, v->missed_bytes);
	vmm_out_char(out, '\n');
}

void vmm_heap_put_lists(struct vmm_out *out, const struct vmm_look *look, const struct vmm_heap_page *p)
{
	put_largest(out, look, p);
	if (p->duplicates)
		put_duplicates(out, look, p);
	if (p->survey->note_count)
		vmm_out_text(out, "  incomplete: not every heap could be walked to its end, see the notes\n");
}
