/* Borders inside a loaded object: sections where they are known, segments otherwise. */
#include "analysis/image.h"

#include <stdlib.h>

struct cut_list {
	struct vmm_cut *v;
	size_t count, capacity;
	uint64_t base, max;
	const struct vmm_image_piece *piece, *piece_end; /* not yet passed */
	int rc;
	struct vmm_err *err;
};

/*
 * From relative address on, bytes are called label. A filler goes on where the same filler stands already; two
 * sections of one name stay two. Segments that share a page with the one before come too late for it: ignored.
 */
static void cut(struct cut_list *c, uint64_t relative, const char *label, bool filler)
{
	uint64_t address = c->base + relative;
	struct vmm_cut *last = c->count ? &c->v[c->count - 1] : NULL;

	if (c->rc < 0 || (last && (address < last->address || (filler && last->label == label))))
		return;
	if (last && last->address == address) {
		last->label = label;
		return;
	}
	if (c->count >= c->max) {
		c->rc = vmm_fail(c->err, VMM_E_LIMIT, 0, "too many sections in all");
		return;
	}
	if (!vmm_grow(&c->v, &c->capacity, c->count + 1, sizeof(*c->v))) {
		c->rc = vmm_fail_nomem(c->err);
		return;
	}
	c->v[c->count++] = (struct vmm_cut){.address = address, .label = label};
}

/* Names [from, to): the pieces in it by their labels, the rest by the filler. */
static void paint(struct cut_list *c, uint64_t from, uint64_t to, const char *filler)
{
	uint64_t at = from;

	for (; at < to && c->piece < c->piece_end && c->piece->start < to; c->piece++) {
		const struct vmm_image_piece *p = c->piece;

		if (p->end <= at)
			continue;
		if (p->start > at)
			cut(c, at, filler, true);
		/* A piece that began before goes on: no new cut. */
		cut(c, vmm_max_u64(p->start, at), p->label, p->start < at);
		at = vmm_min_u64(p->end, to);
		if (p->end > to)
			return;
	}
	if (at < to)
		cut(c, at, filler, true);
}

static const char *segment_label(uint32_t flags)
{
	static const char *const by_flags[] = {"no access (---)", "text (--x)", "data (-w-)", "data (-wx)",
	                                       "rodata (r--)",    "text (r-x)", "data (rw-)", "text (rwx)"};

	return by_flags[flags & (VMM_ELF_PF_R | VMM_ELF_PF_W | VMM_ELF_PF_X)];
}

static void cut_segments(struct cut_list *c, const struct vmm_image_file *file)
{
	/* One pointer each: cut() tells fillers by it. */
	static const char gap[] = "gap", file_padding[] = "file padding", zero_fill[] = "zero fill", bss[] = "bss";
	const char *around = file->anonymous ? gap : file_padding;
	uint64_t done = 0; /* end of the pages so far */

	for (size_t i = 0; i < file->segment_count; i++) {
		const struct vmm_image_segment *s = &file->segments[i];

		if (s->page_start > done)
			cut(c, done, gap, true);
		if (s->start > vmm_max_u64(s->page_start, done))
			paint(c, vmm_max_u64(s->page_start, done), s->start, around);
		paint(c, s->start, s->file_end, file->sections ? gap : segment_label(s->flags));
		paint(c, s->file_end, s->end, file->sections ? zero_fill : bss);
		if (s->end < s->page_end)
			cut(c, s->end, s->end > s->file_end ? zero_fill : around, true);
		done = vmm_max_u64(done, s->page_end);
	}
}

int vmm_image_cuts(const struct vmm_image_file *file, uint64_t base, struct vmm_arena *arena, uint64_t max,
                   const struct vmm_cut **ret_cuts, uint32_t *ret_count, struct vmm_err *err)
{
	struct cut_list c = {.base = base,
	                     .max = vmm_min_u64(max, UINT32_MAX),
	                     .piece = file->pieces,
	                     .piece_end = file->pieces ? file->pieces + file->piece_count : NULL,
	                     .err = err};
	struct vmm_cut *kept;

	cut_segments(&c, file);
	if (c.rc < 0) {
		free(c.v);
		return c.rc;
	}
	kept = vmm_arena_adopt(arena, c.v, c.count, sizeof(*c.v));
	if (!kept)
		return vmm_fail_nomem(err);
	*ret_cuts = kept;
	*ret_count = (uint32_t)c.count;
	return 0;
}
