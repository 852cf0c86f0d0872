/* Is this object loaded here? Decided by comparing its PT_LOADs with the mappings, never by names. */
#include "analysis/image.h"

#include <string.h>

/* One comparison under way. Addresses in from, to are relative to base. */
struct match {
	struct vmm_image_file *file;
	const struct vmm_vma *first; /* any mapping of the object */
	struct vmm_image_load *load;
	bool open;       /* the last part may grow: nothing foreign has come after it */
	size_t at;       /* first segment that may still reach the mappings ahead */
	uint32_t mapped; /* mappings of the object seen */
	bool executable; /* an executable mapping lies on an executable segment */
	uint64_t owned;  /* bytes of anonymous memory on segments */
};

bool vmm_image_same_object(const struct vmm_vma *a, const struct vmm_vma *b)
{
	return a->inode == b->inode && a->dev_major == b->dev_major && a->dev_minor == b->dev_minor &&
	       a->backing == b->backing && strcmp(a->name, b->name) == 0;
}

bool vmm_image_is_anonymous(const struct vmm_vma *vma)
{
	return vma->backing == VMM_BACKING_ANON && !(vma->prot & VMM_PROT_SHARED) && strcmp(vma->name, "[stack]") != 0;
}

/* Adds [from, to) to the load; false when foreign mappings cut it into too many parts. */
static bool own(struct match *m, uint64_t from, uint64_t to)
{
	struct vmm_image_load *load = m->load;
	uint64_t start = load->base + from, end = load->base + to;

	if (!m->open) {
		if (load->part_count == VMM_IMAGE_PARTS_MAX)
			return false;
		load->parts[load->part_count++].start = start;
		m->open = true;
	}
	load->parts[load->part_count - 1].end = end;
	return true;
}

static void note_segment(struct match *m, struct vmm_image_segment *s, const struct vmm_vma *vma)
{
	s->seen = true;
	if ((s->flags & VMM_ELF_PF_X) && (vma->prot & VMM_PROT_EXEC))
		m->executable = true;
}

/*
 * The end of the stretch from `from` on that one mapping of the object rightly shows: pages of a segment's file part,
 * or what remains between segments of the mapping of the whole span that a loader makes first (ld.so takes all access
 * from it, musl leaves it). 0: the mapping is none of a loader's.
 */
static uint64_t fitting_end(struct match *m, const struct vmm_vma *vma, uint64_t from, uint64_t offset)
{
	struct vmm_image_segment *v = m->file->segments;
	uint64_t best = 0, next = m->file->span;
	bool inside = false;

	for (size_t i = m->at; i < m->file->segment_count; i++) {
		struct vmm_image_segment *s = &v[i];

		if (s->page_start > from) {
			next = s->page_start;
			break;
		}
		if (from >= s->page_end)
			continue;
		inside = true;
		if (from < s->file_page_end && offset - s->page_offset == from - s->page_start) {
			note_segment(m, s, vma);
			best = vmm_max_u64(best, s->file_page_end);
		}
	}
	if (best)
		return best;
	return !inside && from < m->file->span && offset - v[0].page_offset == from ? next : 0;
}

/* A mapping of the object: it belongs to the load as a whole, or shows that there is no load here. */
static bool take_file(struct match *m, const struct vmm_vma *vma)
{
	uint64_t from = vma->start - m->load->base, to = vma->end - m->load->base;

	m->mapped++;
	for (uint64_t at = from; at < to;) {
		at = fitting_end(m, vma, at, vma->offset + (at - from));
		if (at == 0)
			return false;
	}
	return own(m, from, to);
}

/* True for a reservation without access that exactly fills a hole between two segments. */
static bool fills_hole(const struct match *m, const struct vmm_vma *vma, uint64_t from, uint64_t to)
{
	const struct vmm_image_segment *v = m->file->segments;

	if (vmm_vma_accessible(vma))
		return false;
	return m->at > 0 && m->at < m->file->segment_count && v[m->at - 1].page_end == from &&
	       v[m->at].page_start == to;
}

/*
 * Anonymous memory: .bss, zero fill, or text that was replaced by huge pages, as far as it lies on segments. The kernel
 * merges it with neighbours, so only those bytes belong to the load.
 */
static bool take_anonymous(struct match *m, const struct vmm_vma *vma)
{
	uint64_t from = vma->start - m->load->base, to = vmm_min_u64(vma->end - m->load->base, m->file->span);
	uint64_t at = from;

	if (fills_hole(m, vma, from, to))
		return own(m, from, to);
	for (size_t i = m->at; i < m->file->segment_count && at < to; i++) {
		struct vmm_image_segment *s = &m->file->segments[i];
		uint64_t start = vmm_max_u64(at, s->page_start), end = vmm_min_u64(to, s->page_end);

		if (s->page_start >= to)
			break;
		if (start >= end)
			continue;
		if (start > at)
			m->open = false;
		if (!own(m, start, end))
			return false;
		m->owned += end - start;
		if (m->file->anonymous || s->file_end == s->start)
			note_segment(m, s, vma);
		at = end;
	}
	if (at < to)
		m->open = false;
	return true;
}

/* Takes the mapping; false: this is no load. */
static bool take(struct match *m, const struct vmm_vma *vma)
{
	const struct vmm_image_file *file = m->file;

	while (m->at < file->segment_count && file->segments[m->at].page_end <= vma->start - m->load->base)
		m->at++;
	if (vmm_image_is_anonymous(vma))
		return take_anonymous(m, vma);
	if (!m->file->anonymous && !(vma->prot & VMM_PROT_SHARED) && vmm_image_same_object(vma, m->first))
		return take_file(m, vma);
	m->open = false;
	return true;
}

/* Bytes of pages that segments take, shared pages once. */
static uint64_t segment_bytes(const struct vmm_image_file *file)
{
	uint64_t sum = 0, end = 0;

	for (size_t i = 0; i < file->segment_count; i++) {
		const struct vmm_image_segment *s = &file->segments[i];
		uint64_t start = vmm_max_u64(s->page_start, end);

		sum += s->page_end > start ? s->page_end - start : 0;
		end = vmm_max_u64(end, s->page_end);
	}
	return sum;
}

/*
 * One mapping alone proves little where segments lie in memory as in the file: a file mapped as data looks the same.
 * A loader's mapping holds one sort of segment, has its .bss behind it, and ends before the file does.
 */
static bool evident_alone(const struct match *m)
{
	const struct vmm_image_file *file = m->file;
	uint64_t mapped_end = m->first->offset + (m->first->end - m->first->start), file_pages = 0;

	for (size_t i = 0; i < file->segment_count; i++) {
		const struct vmm_image_segment *s = &file->segments[i];

		if (s->flags != file->segments[0].flags)
			return false;
		file_pages = vmm_max_u64(file_pages, s->file_page_end);
	}
	if (file->span > file_pages && m->owned == 0)
		return false;
	return m->executable || (file->size_known && mapped_end < file->size);
}

static bool evident(const struct match *m)
{
	const struct vmm_image_file *file = m->file;

	for (size_t i = 0; i < file->segment_count; i++)
		if (!file->segments[i].seen)
			return false;
	if (file->header.type == VMM_ELF_EXEC && m->load->base != file->low)
		return false;
	if (m->file->anonymous)
		return m->executable && m->owned == segment_bytes(file);
	return m->mapped > 1 || evident_alone(m);
}

bool vmm_image_match(struct vmm_image_pass *pass, struct vmm_image_file *file, uint32_t first,
                     struct vmm_image_load *ret_load)
{
	const struct vmm_snapshot *s = pass->snapshot;
	struct vmm_image_load load = {.base = s->vmas[first].start};
	struct match m = {.file = file, .first = &s->vmas[first], .load = &load};

	if (load.base > UINT64_MAX - file->span)
		return false;
	for (size_t i = 0; i < file->segment_count; i++)
		file->segments[i].seen = false;
	for (uint32_t i = first; i < s->vma_count && s->vmas[i].start < load.base + file->span; i++) {
		if (pass->visits_left == 0)
			return false;
		pass->visits_left--;
		if (!take(&m, &s->vmas[i]))
			return false;
	}
	if (!evident(&m))
		return false;
	*ret_load = load;
	return true;
}
