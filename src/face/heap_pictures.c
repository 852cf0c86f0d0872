/* vmmap heap: bars, and how many chunks there are of which size. */
#include <stdlib.h>

#include "analysis/heap_total.h"
#include "base/text.h"
#include "face/bars.h"
#include "face/heap_page.h"

#define BARS_MAX 16      /* heaps with a bar of their own */
#define LABEL_MAX 32     /* columns of their labels */
#define COUNT_WIDTH 12
#define HISTOGRAM_MAX 40 /* columns of a bar */
#define CLASSES_SHOWN 10
#define USED_COLOUR 209
#define FREE_COLOUR 221
#define OVERHEAD_COLOUR 176
#define ABSENT_COLOUR 245

enum { PART_USED, PART_FREE, PART_OVERHEAD, PART_ABSENT, PART_UNKNOWN, PART_COUNT };

/* Of a heap whose residency is not known what is free is one part, and what is only reserved another. */
static void fill_parts(struct vmm_bar_part part[PART_COUNT], const struct vmm_heap *h, bool resident)
{
	uint64_t unused, whole = h->m.value[VMM_METRIC_SIZE];
	const struct vmm_chunk_sums *s;

	part[PART_USED] = (struct vmm_bar_part){"used", 'U', USED_COLOUR, 0};
	part[PART_FREE] = (struct vmm_bar_part){resident ? "free, resident" : "free", 'F', FREE_COLOUR, 0};
	part[PART_OVERHEAD] = (struct vmm_bar_part){"overhead", 'O', OVERHEAD_COLOUR, 0};
	part[PART_ABSENT] = (struct vmm_bar_part){resident ? "not resident" : "reserved", resident ? 'N' : 'R', ABSENT_COLOUR, 0};
	part[PART_UNKNOWN] = (struct vmm_bar_part){"not known", '?', 240, h->contents ? 0 : whole};
	if (!h->contents)
		return;
	s = &h->contents->sums;
	unused = resident ? vmm_chunk_sums_unused(s) : vmm_chunk_sums_free(s) + s->of[VMM_CHUNK_TOP].bytes;
	part[PART_USED].size = s->of[VMM_CHUNK_USED].bytes;
	part[PART_FREE].size = unused;
	part[PART_OVERHEAD].size = s->of[VMM_CHUNK_META].bytes;
	part[PART_ABSENT].size = vmm_chunk_sums_free(s) + s->of[VMM_CHUNK_TOP].bytes - unused + s->of[VMM_CHUNK_RESERVED].bytes;
}

static void put_key(struct vmm_out *out, const struct vmm_look *look, bool resident)
{
	struct vmm_bar_part part[PART_COUNT];
	static const struct vmm_heap none;

	fill_parts(part, &none, resident);
	for (int i = 0; i < PART_UNKNOWN; i++) {
		vmm_out_text(out, i ? "   " : "  ");
		vmm_put_foreground(out, look, part[i].colour);
		if (look->style.colour)
			vmm_out_text(out, "█");
		else
			vmm_out_char(out, part[i].letter);
		vmm_put_plain(out, look);
		vmm_out_char(out, ' ');
		vmm_out_text(out, part[i].label);
	}
	vmm_out_char(out, '\n');
}

static int by_size(const void *a, const void *b)
{
	const struct vmm_heap *x = *(const struct vmm_heap *const *)a, *y = *(const struct vmm_heap *const *)b;
	uint64_t p = x->m.value[VMM_METRIC_SIZE], q = y->m.value[VMM_METRIC_SIZE];

	return p > q ? -1 : p < q ? 1 : x < y ? -1 : x > y;
}

/* The largest heaps, largest first; returns how many are shown. */
static size_t pick_largest(const struct vmm_heap_page *p, const struct vmm_heap *ret[BARS_MAX], size_t *ret_left)
{
	const struct vmm_snapshot *s = p->snapshot;
	size_t count = 0;

	*ret_left = 0;
	for (uint32_t i = 0; i < s->heap_count; i++) {
		const struct vmm_heap *h = &s->heaps[i];

		if (!vmm_heap_is(h, p->id))
			continue;
		if (count < BARS_MAX) {
			ret[count++] = h;
		} else {
			++*ret_left;
			if (by_size(&h, &ret[count - 1]) > 0)
				continue;
			ret[count - 1] = h;
		}
		qsort(ret, count, sizeof(*ret), by_size);
	}
	return count;
}

void vmm_heap_put_bars(struct vmm_out *out, const struct vmm_look *look, const struct vmm_heap_page *p)
{
	const struct vmm_heap *shown[BARS_MAX];
	size_t left, count = pick_largest(p, shown, &left), label = 0, width = look->style.width ? look->style.width : 80;
	uint64_t scale = count ? shown[0]->m.value[VMM_METRIC_SIZE] : 0;
	bool resident = !p->total->contents || p->total->contents->resident_known;

	for (size_t i = 0; i < count; i++)
		label = vmm_max_u64(label, vmm_min_u64(vmm_text_width(shown[i]->label, strlen(shown[i]->label)), LABEL_MAX));
	label = vmm_min_u64(label, width / 3);
	vmm_out_char(out, '\n');
	for (size_t i = 0; i < count; i++) {
		struct vmm_bar_part part[PART_COUNT];
		size_t used;

		fill_parts(part, shown[i], resident);
		vmm_out_text(out, "  ");
		used = vmm_out_escaped(out, shown[i]->label, label);
		vmm_out_repeat(out, " ", label + 2 - used);
		vmm_bar_parts_emit(out, look, part, PART_COUNT, scale, (unsigned)(width > label + 20 ? width - label - 18 : 2));
		vmm_heap_put_size(out, look, shown[i]->m.value[VMM_METRIC_SIZE], 14);
		vmm_out_char(out, '\n');
	}
	if (left) {
		vmm_out_text(out, "  … ");
		vmm_put_count(out, left);
		vmm_out_text(out, left == 1 ? " smaller one\n" : " smaller ones\n");
	}
	put_key(out, look, resident);
}

/* One number as a bar of at most columns columns. */
static void put_bar(struct vmm_out *out, const struct vmm_look *look, int colour, uint64_t value, uint64_t scale, unsigned columns)
{
	static const char *const blocks[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
	unsigned eighths = scale ? (unsigned)((vmm_wide)value * columns * 8 / scale) : 0;

	/* What is there at all shows. */
	if (value && !eighths)
		eighths = 1;
	if (!look->style.colour) {
		vmm_out_repeat(out, "#", (eighths + 7) / 8);
	} else {
		vmm_put_foreground(out, look, colour);
		vmm_out_repeat(out, "█", eighths / 8);
		vmm_out_text(out, blocks[eighths % 8]);
		vmm_put_plain(out, look);
	}
	vmm_out_repeat(out, " ", columns - (eighths + 7) / 8);
}

static void put_histogram_row(struct vmm_out *out, const struct vmm_look *look, const struct vmm_heap_contents *c, unsigned i,
                              uint64_t scale, unsigned columns)
{
	struct vmm_out *label = vmm_out_create_memory();
	char *text;

	if (label)
		vmm_put_short_size(label, i ? UINT64_C(1) << i : 0);
	text = label ? vmm_out_take(label, NULL) : NULL;
	vmm_out_printf(out, "  %8s", text ? text : "?");
	free(text);
	vmm_heap_put_count(out, c->used_log2[i], COUNT_WIDTH + 2);
	if (columns) {
		vmm_out_text(out, "  ");
		put_bar(out, look, USED_COLOUR, c->used_log2[i], scale, columns);
	}
	vmm_heap_put_count(out, c->free_log2[i], COUNT_WIDTH);
	if (columns && c->free_log2[i]) {
		vmm_out_text(out, "  ");
		put_bar(out, look, FREE_COLOUR, c->free_log2[i], scale, columns);
		while (out->used && out->buffer[out->used - 1] == ' ')
			out->used--;
	}
	vmm_out_char(out, '\n');
}

static void put_histogram(struct vmm_out *out, const struct vmm_look *look, const struct vmm_heap_contents *c)
{
	unsigned first = 64, last = 0, width = look->style.width ? look->style.width : 80, columns = 0;
	uint64_t scale = 0;

	for (unsigned i = 0; i < 64; i++) {
		if (!c->used_log2[i] && !c->free_log2[i])
			continue;
		first = first < i ? first : i;
		last = i;
		scale = vmm_max_u64(scale, vmm_max_u64(c->used_log2[i], c->free_log2[i]));
	}
	if (first > last)
		return;
	if (look->pictures)
		columns = (unsigned)vmm_min_u64((width > 60 ? width - 40 : 20) / 2, HISTOGRAM_MAX);
	vmm_put_heading(out, look, "Chunks by size");
	vmm_out_printf(out, "  %8s  %*s%*s\n", "from", COUNT_WIDTH, "used", (int)(COUNT_WIDTH + (columns ? columns + 2 : 0)), "free");
	for (unsigned i = first; i <= last; i++)
		put_histogram_row(out, look, c, i, scale, columns);
}

static int by_bytes(const void *a, const void *b)
{
	const struct vmm_size_class *x = *(const struct vmm_size_class *const *)a, *y = *(const struct vmm_size_class *const *)b;
	uint64_t p = x->size * (x->used + x->free), q = y->size * (y->used + y->free);

	return p > q ? -1 : p < q ? 1 : x->size > y->size ? -1 : x->size < y->size;
}

static void put_classes(struct vmm_out *out, const struct vmm_look *look, const struct vmm_heap_contents *c)
{
	VMM_CLEANUP_FREE const struct vmm_size_class **order = NULL;
	size_t capacity = 0;

	if (!c->class_count || !vmm_grow(&order, &capacity, c->class_count, sizeof(*order)))
		return;
	for (uint32_t i = 0; i < c->class_count; i++)
		order[i] = &c->classes[i];
	qsort(order, c->class_count, sizeof(*order), by_bytes);
	vmm_put_heading(out, look, "Sizes with most bytes");
	vmm_out_printf(out, "  %16s  %*s  %14s  %*s  %14s\n", "size", COUNT_WIDTH, "used", "together", COUNT_WIDTH, "free", "together");
	for (uint32_t i = 0; i < c->class_count && i < CLASSES_SHOWN; i++) {
		const struct vmm_size_class *k = order[i];

		vmm_heap_put_count(out, k->size, 16);
		vmm_out_text(out, " B");
		vmm_heap_put_count(out, k->used, COUNT_WIDTH + 2);
		vmm_heap_put_size(out, look, k->used * k->size, 16);
		vmm_heap_put_count(out, k->free, COUNT_WIDTH + 2);
		vmm_heap_put_size(out, look, k->free * k->size, 16);
		vmm_out_char(out, '\n');
	}
	if (!c->classes_complete)
		vmm_out_text(out, "  there are too many sizes to count each: one that is spread over heaps may be missing\n");
}

void vmm_heap_put_sizes(struct vmm_out *out, const struct vmm_look *look, const struct vmm_heap_page *p)
{
	put_histogram(out, look, p->total->contents);
	put_classes(out, look, p->total->contents);
}
