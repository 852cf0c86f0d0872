/*
 * A snapshot of the rows of a file of VMMap. Mappings are what VirtualQuery tells apart: neighbouring blocks of a region
 * with the same protection are one, and their number is VMMap's Blocks.
 */
#include "source/vmmap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/scan.h"

#define GRANULE UINT64_C(65536) /* VirtualAlloc reserves from multiples of it */
#define PAGE 4096               /* of x86, x64 and ARM64 */
#define ROUNDING 1024           /* sizes in CSV are rounded to it, and blocks of managed heaps end anywhere */
#define HEAPS_MAX 4096

struct top {
	uint64_t address;
	uint32_t row, children; /* these follow the row */
};

struct build {
	struct vmmap_rows *r;
	struct vmm_snapshot *s;
	struct top *tops;
	uint32_t top_count;
	size_t vma_capacity, block_capacity, region_capacity;
	size_t module_count, thread_count;
	uint64_t *heap_ids;
	uint64_t overlaps, first_overlap;
	uint64_t rows_private; /* sum of the regions' own Private */
	bool private_differs;
};

static int compare_tops(const void *a_pointer, const void *b_pointer)
{
	const struct top *a = a_pointer, *b = b_pointer;

	return a->address != b->address ? (a->address > b->address) - (a->address < b->address) : (a->row > b->row) - (a->row < b->row);
}

static uint64_t row_size(const struct vmm_vmmap_row *row)
{
	return row->m.value[VMM_METRIC_SIZE];
}

static uint64_t row_end(const struct vmm_vmmap_row *row)
{
	return vmm_add_sat(row->address, row_size(row));
}

/* Regions before what lies in them, by address. */
static int compare_rows(const void *a_pointer, const void *b_pointer)
{
	const struct vmm_vmmap_row *a = a_pointer, *b = b_pointer;

	if (a->address != b->address)
		return (a->address > b->address) - (a->address < b->address);
	if (a->child != b->child)
		return a->child - b->child;
	if (row_size(a) != row_size(b))
		return (row_size(a) < row_size(b)) - (row_size(a) > row_size(b));
	/* Of a region with one block, the block carries Blocks="0". */
	return (a->blocks < b->blocks) - (a->blocks > b->blocks);
}

/* Blocks may stand inside their region's element or behind it: by address they end up the same. */
static void nest(struct vmmap_rows *r)
{
	uint64_t end = 0;

	if (r->count)
		qsort(r->rows, r->count, sizeof(*r->rows), compare_rows);
	for (size_t i = 0; i < r->count; i++) {
		struct vmm_vmmap_row *row = &r->rows[i];

		row->child = i > 0 && row->address < end && row_end(row) <= end;
		if (!row->child)
			end = row_end(row);
	}
}

/* VMMap writes rows as they are sorted on its screen. */
static void sort_children(struct vmmap_rows *r, const struct top *t)
{
	struct vmm_vmmap_row *rows = &r->rows[t->row + 1];

	for (uint32_t i = 1; i < t->children; i++) {
		if (rows[i].address < rows[i - 1].address) {
			qsort(rows, t->children, sizeof(*rows), compare_rows);
			return;
		}
	}
}

static int find_tops(struct build *b)
{
	size_t capacity = 0;

	for (size_t i = 0; i < b->r->count; i++) {
		if (b->r->rows[i].child) {
			b->tops[b->top_count - 1].children++;
			continue;
		}
		if (!vmm_grow(&b->tops, &capacity, b->top_count + 1, sizeof(*b->tops)))
			return VMM_E_NOMEM;
		b->tops[b->top_count++] = (struct top){.address = b->r->rows[i].address, .row = (uint32_t)i};
	}
	for (uint32_t i = 0; i < b->top_count; i++)
		sort_children(b->r, &b->tops[i]);
	if (b->top_count)
		qsort(b->tops, b->top_count, sizeof(*b->tops), compare_tops);
	return 0;
}

static bool is_region(const struct vmm_vmmap_row *row)
{
	return row->kind != VMM_KIND_FREE && row->kind != VMM_KIND_UNUSABLE && row->kind != VMM_KIND_PAGE_TABLE;
}

/* enum vmm_prot bits and what stands behind a mapping of a region of this kind. */
static void set_access(struct vmm_vma *v, const struct vmm_vmmap_row *top, const struct vmm_vmmap_row *row)
{
	bool copy = row->what & VMM_VMMAP_COPY, shared = false;

	v->prot = row->prot;
	switch (top->kind) {
	case VMM_KIND_IMAGE:
		/* What was written to is no file's any more: until then it says copy on write. */
		v->backing = (row->prot & VMM_PROT_WRITE) && !copy ? VMM_BACKING_ANON : VMM_BACKING_FILE;
		break;
	case VMM_KIND_MAPPED_FILE:
	case VMM_KIND_SHAREABLE:
		v->backing = top->kind == VMM_KIND_SHAREABLE ? VMM_BACKING_SHMEM : VMM_BACKING_FILE;
		shared = !copy;
		break;
	case VMM_KIND_DEVICE:
	case VMM_KIND_SYSTEM:
		v->backing = top->kind == VMM_KIND_DEVICE ? VMM_BACKING_DEVICE : VMM_BACKING_SPECIAL;
		break;
	default:
		shared = top->what & VMM_VMMAP_SHARED;
		v->backing = shared || copy ? VMM_BACKING_SHMEM : VMM_BACKING_ANON;
	}
	if (shared)
		v->prot |= VMM_PROT_SHARED;
	if (!(row->what & VMM_VMMAP_PROTECTED))
		v->prot |= VMM_PROT_UNKNOWN;
}

/* What a block's row says that its region's does not, and what r, w and x cannot say. NULL: out of memory. */
static const char *make_label(struct vmm_arena *a, const struct vmm_vmmap_row *top, const struct vmm_vmmap_row *row)
{
	const char *word = vmm_vmmap_protection_word(row->what);
	/* Every block of a heap repeats its name. */
	bool same = row == top || (top->kind == VMM_KIND_HEAP && strcmp(row->details, top->details) == 0);
	const char *own = same ? "" : row->details;
	char *text;
	const char *kept;

	if (!own[0] || !word[0])
		return own[0] ? own : word;
	text = vmm_arena_printf(a, "%s, %s", own, word);
	kept = text ? vmm_arena_intern(a, text, strlen(text)) : NULL;
	return kept;
}

/* The mapping that goes on up to start with the same protection, or a new one. */
static struct vmm_vma *vma_for(struct build *b, const struct vmm_vmmap_row *top, const struct vmm_vmmap_row *row, uint64_t start,
                               bool first, uint32_t *before)
{
	struct vmm_snapshot *s = b->s;
	struct vmm_vma *last = first || s->vma_count == 0 ? NULL : &s->vmas[s->vma_count - 1];
	struct vmm_vma *v;

	if (last && last->end == start && *before == ((row->what & VMM_VMMAP_PROTECTION) | (uint32_t)row->prot << 16))
		return last;
	if (!vmm_grow(&s->vmas, &b->vma_capacity, s->vma_count + 1, sizeof(*s->vmas)))
		return NULL;
	v = &s->vmas[s->vma_count++];
	*v = (struct vmm_vma){.start = start, .end = start, .name = ""};
	if (top->kind == VMM_KIND_IMAGE || top->kind == VMM_KIND_MAPPED_FILE)
		v->name = top->details;
	set_access(v, top, row);
	vmm_metrics_zero(&v->m);
	*before = (row->what & VMM_VMMAP_PROTECTION) | (uint32_t)row->prot << 16;
	return v;
}

static int add_block(struct build *b, const struct vmm_vmmap_row *top, const struct vmm_vmmap_row *row, uint64_t start,
                     uint64_t end, uint32_t *before)
{
	struct vmm_snapshot *s = b->s;
	struct vmm_region *r = &s->regions[s->region_count];
	struct vmm_metrics *m = vmm_arena_alloc(s->arena, sizeof(*m));
	struct vmm_vma *v = vma_for(b, top, row, start, r->block_count == 0, before);
	const char *label = make_label(s->arena, top, row);

	if (!m || !v || !label || !vmm_grow(&s->blocks, &b->block_capacity, s->block_count + 1, sizeof(*s->blocks)))
		return VMM_E_NOMEM;
	*m = row->m;
	v->end = end;
	vmm_metrics_add(&v->m, m);
	s->blocks[s->block_count++] = (struct vmm_block){.start = start, .end = end, .vma = s->vma_count - 1, .region = s->region_count,
	                                                 .label = label, .guard = (row->what & VMM_VMMAP_GUARD) != 0, .m = m};
	r->mixed_prot |= r->block_count && r->prot_set != UINT32_C(1) << (v->prot & 31);
	r->prot |= v->prot;
	r->prot_set |= UINT32_C(1) << (v->prot & 31);
	r->write_exec |= (v->prot & VMM_PROT_WRITE) && (v->prot & VMM_PROT_EXEC);
	r->block_count++;
	r->end = end;
	return 0;
}

static void add_overlap(struct build *b, uint64_t address)
{
	if (b->overlaps++ == 0)
		b->first_overlap = address;
}

/* Blocks of one region within [start, limit): where sizes are rounded the next block's address says where one ends. */
static int add_blocks(struct build *b, const struct top *t, uint64_t limit)
{
	const struct vmm_vmmap_row *top = &b->r->rows[t->row], *rows = top + 1;
	uint64_t at = top->address, region_end = vmm_min_u64(row_end(top), limit);
	uint32_t before = 0;
	int rc = 0;

	if (t->children == 0)
		return add_block(b, top, top, at, region_end, &before);
	for (uint32_t i = 0; i < t->children && rc == 0; i++) {
		uint64_t next = i + 1 < t->children ? rows[i + 1].address : region_end;
		uint64_t end = row_end(&rows[i]);

		if (end < next ? next - end < ROUNDING : end - next < ROUNDING)
			end = next;
		end = vmm_min_u64(end, limit);
		if (i + 1 < t->children && next >= rows[i].address)
			end = vmm_min_u64(end, next);
		if (rows[i].address < at || rows[i].address >= end) {
			/* Too small for its size to be told: nothing is missing. */
			if (row_size(&rows[i]) || rows[i].address < at)
				add_overlap(b, rows[i].address);
			continue;
		}
		rc = add_block(b, top, &rows[i], rows[i].address, end, &before);
		at = end;
	}
	return rc;
}

/* Of blocks and their region, the blocks' Private is what VMMap's totals are made of. */
static void set_metrics(struct build *b, const struct top *t, struct vmm_metrics *m)
{
	const struct vmm_vmmap_row *top = &b->r->rows[t->row];
	uint64_t sum = 0, sizes = 0, own = top->m.value[VMM_METRIC_PRIVATE];
	bool known = t->children > 0;

	*m = top->m;
	for (uint32_t i = 0; i < t->children; i++) {
		known &= vmm_metric_known(&top[1 + i].m, VMM_METRIC_PRIVATE);
		sum = vmm_add_sat(sum, top[1 + i].m.value[VMM_METRIC_PRIVATE]);
		sizes = vmm_add_sat(sizes, row_size(&top[1 + i]));
	}
	b->rows_private = vmm_add_sat(b->rows_private, own);
	/* Blocks whose sizes were rounded do not add up exactly: their region's row does. */
	if (!known || sum == own || sizes != row_size(top))
		return;
	vmm_metric_set(m, VMM_METRIC_PRIVATE, sum);
	b->private_differs = true;
}

static bool number_behind(const char *text, const char *before, uint64_t *ret)
{
	const char *p = strstr(text, before);
	struct vmm_scan s = vmm_scan_init(p ? p + strlen(before) : "", p ? strlen(p + strlen(before)) : 0);

	return p && vmm_scan_dec(&s, ret);
}

static int add_heap(struct build *b, struct vmm_region *r, const struct vmm_vmmap_row *top)
{
	struct vmm_snapshot *s = b->s;
	uint64_t id = top->heap_id;
	uint32_t i = 0;

	if (id == VMM_VMMAP_NO_ID && !number_behind(top->details, "Heap ID: ", &id))
		return 0;
	while (i < s->heap_count && b->heap_ids[i] != id)
		i++;
	if (i == HEAPS_MAX)
		return 0;
	if (i == s->heap_count) {
		struct vmm_heap *h = &s->heaps[i];

		*h = (struct vmm_heap){.id = vmm_arena_printf(s->arena, "%llu", (unsigned long long)id), .reader = "windows",
		                       .label = top->details[0] ? top->details : "Windows heap"};
		if (!h->id)
			return VMM_E_NOMEM;
		vmm_metrics_zero(&h->m);
		b->heap_ids[i] = id;
		s->heap_count++;
	}
	r->heap = i;
	vmm_metrics_add(&s->heaps[i].m, r->m);
	return 0;
}

/* "C:\a\b.dll": b.dll. */
static const char *base_name(const char *path)
{
	const char *back = strrchr(path, '\\'), *slash = strrchr(path, '/');

	return back && (!slash || back > slash) ? back + 1 : slash ? slash + 1 : path;
}

static void add_module(struct build *b, struct vmm_region *r, const struct vmm_vmmap_row *top)
{
	struct vmm_snapshot *s = b->s;
	struct vmm_module *m = &s->modules[s->module_count];

	*m = (struct vmm_module){.start = r->start, .end = r->end, .path = r->path, .pie = (top->what & VMM_VMMAP_ASLR) != 0,
	                         .sections = true, .region = s->region_count, .bits = 0};
	m->program = s->target.name[0] && strcasecmp(base_name(r->path), s->target.name) == 0 && !s->target.exe[0];
	if (m->program)
		s->target.exe = r->path;
	r->module = s->module_count++;
}

static void add_thread(struct build *b, struct vmm_region *r, const struct vmm_vmmap_row *top)
{
	struct vmm_snapshot *s = b->s;
	uint64_t id;

	if (!number_behind(top->details, "Thread ID: ", &id) || id > INT32_MAX)
		return;
	s->threads[s->thread_count] = (struct vmm_thread){.tid = (int32_t)id, .region = s->region_count};
	r->thread = s->thread_count++;
}

static int add_owner(struct build *b, struct vmm_region *r, const struct vmm_vmmap_row *top)
{
	if (top->kind == VMM_KIND_IMAGE || top->kind == VMM_KIND_MAPPED_FILE)
		r->path = top->details;
	if (top->kind == VMM_KIND_IMAGE)
		add_module(b, r, top);
	else if (top->kind == VMM_KIND_STACK)
		add_thread(b, r, top);
	else if (top->kind == VMM_KIND_HEAP)
		return add_heap(b, r, top);
	return 0;
}

static int add_region(struct build *b, const struct top *t, uint64_t limit)
{
	struct vmm_snapshot *s = b->s;
	const struct vmm_vmmap_row *top = &b->r->rows[t->row];
	struct vmm_metrics *m = vmm_arena_alloc(s->arena, sizeof(*m));
	struct vmm_region *r = &s->regions[s->region_count];
	int rc;

	if (!m)
		return VMM_E_NOMEM;
	*r = (struct vmm_region){.start = top->address, .end = top->address, .kind = top->kind, .first_block = s->block_count,
	                         .module = VMM_NONE, .thread = VMM_NONE, .heap = VMM_NONE, .details = top->details, .path = "", .m = m};
	rc = add_blocks(b, t, limit);
	if (rc < 0 || r->block_count == 0)
		return rc;
	set_metrics(b, t, m);
	rc = add_owner(b, r, top);
	s->region_count++;
	return rc;
}

static int add_regions(struct build *b)
{
	uint64_t at = 0;
	int rc = 0;

	for (uint32_t i = 0; i < b->top_count && rc == 0; i++) {
		const struct vmm_vmmap_row *row = &b->r->rows[b->tops[i].row];
		uint64_t limit = UINT64_MAX;

		if (!is_region(row))
			continue;
		if (row->address < at || row_size(row) == 0 || row_end(row) == UINT64_MAX) {
			add_overlap(b, row->address);
			continue;
		}
		for (uint32_t j = i + 1; j < b->top_count && limit == UINT64_MAX; j++)
			if (b->tops[j].address > row->address)
				limit = b->tops[j].address;
		rc = add_region(b, &b->tops[i], limit);
		if (b->s->region_count)
			at = b->s->regions[b->s->region_count - 1].end;
	}
	return rc;
}

/* Arrays of which the number of regions is the bound. */
static int make_room(struct build *b)
{
	struct vmm_snapshot *s = b->s;
	uint32_t heaps = 0;

	for (uint32_t i = 0; i < b->top_count; i++)
		heaps += b->r->rows[b->tops[i].row].kind == VMM_KIND_HEAP;
	heaps = heaps > HEAPS_MAX ? HEAPS_MAX : heaps;
	s->regions = vmm_arena_array(s->arena, b->top_count + 1, sizeof(*s->regions));
	s->modules = vmm_arena_array(s->arena, b->top_count + 1, sizeof(*s->modules));
	s->threads = vmm_arena_array(s->arena, b->top_count + 1, sizeof(*s->threads));
	s->heaps = vmm_arena_array(s->arena, heaps + 1, sizeof(*s->heaps));
	b->heap_ids = vmm_arena_array(s->arena, heaps + 1, sizeof(*b->heap_ids));
	return s->regions && s->modules && s->threads && s->heaps && b->heap_ids ? 0 : VMM_E_NOMEM;
}

/* Windows gives out address space in 64 KiB steps; an export of a Linux process has its regions anywhere. */
static void tell_system(struct build *b)
{
	struct vmm_target_info *t = &b->s->target;
	uint64_t top = 0, aligned = 0;
	uint8_t digits = 0;

	for (uint32_t i = 0; i < b->top_count; i++) {
		const struct vmm_vmmap_row *row = &b->r->rows[b->tops[i].row];

		aligned += is_region(row) && row->address % GRANULE == 0;
		digits = row->address_digits > digits ? row->address_digits : digits;
		top = vmm_max_u64(top, row_end(row));
	}
	if (b->top_count)
		t->bits = digits > 8 || top > UINT64_C(1) << 32 ? 64 : 32;
	if (aligned * 2 > b->s->region_count) {
		t->arch = "windows";
		t->page_size = PAGE;
	}
}

/* Of files that do not name their process: the only program among the images is its own. */
static void tell_name(struct vmm_snapshot *s)
{
	const char *found = NULL;

	for (uint32_t i = 0; i < s->module_count && !s->target.name[0]; i++) {
		const char *name = base_name(s->modules[i].path);
		size_t length = strlen(name);

		if (length < 5 || strcasecmp(name + length - 4, ".exe") != 0)
			continue;
		if (found)
			return;
		found = name;
	}
	if (!found)
		return;
	s->target.name = found;
	for (uint32_t i = 0; i < s->module_count; i++) {
		if (base_name(s->modules[i].path) == found) {
			s->modules[i].program = true;
			s->target.exe = s->modules[i].path;
		}
	}
}

static void tell_damage(struct build *b)
{
	if (b->overlaps)
		vmm_snapshot_note(b->s, "vmmap", "overlap", b->first_overlap,
		                  "rows of the file that lie in others, or nowhere, are left out: %llu", (unsigned long long)b->overlaps);
	if (b->r->strange_types)
		vmm_snapshot_note(b->s, "vmmap", "strange_type", 0,
		                  "rows whose type has no meaning here are shown as Private Data: %llu",
		                  (unsigned long long)b->r->strange_types);
}

int vmmap_build(struct vmmap_rows *r, struct vmm_err *err)
{
	struct build b = {.r = r, .s = r->s};
	struct vmm_snapshot *s = r->s;
	int rc;

	if (r->xml)
		nest(r);
	rc = find_tops(&b);
	if (rc == 0)
		rc = make_room(&b);
	if (rc == 0)
		rc = add_regions(&b);
	s->vmas = vmm_arena_keep(s->arena, s->vmas);
	s->blocks = vmm_arena_keep(s->arena, s->blocks);
	if (rc == 0)
		tell_system(&b);
	free(b.tops);
	if (rc < 0 || (s->block_count && (!s->vmas || !s->blocks)))
		return vmm_fail_nomem(err);
	tell_name(s);
	tell_damage(&b);
	return vmmap_told(r, b.private_differs ? b.rows_private : UINT64_MAX, err);
}
