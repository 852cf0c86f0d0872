/* A snapshot of the rows of a file of VMMap: its regions, by address, and what they tell of the system. */
#include "source/vmmap_build.h"

#include <stdlib.h>

#define GRANULE UINT64_C(65536) /* VirtualAlloc reserves from multiples of it */
#define PAGE 4096               /* of x86, x64 and ARM64 */
static int compare_tops(const void *a_pointer, const void *b_pointer)
{
	const struct vmmap_top *a = a_pointer, *b = b_pointer;

	return a->address != b->address ? (a->address > b->address) - (a->address < b->address) : (a->row > b->row) - (a->row < b->row);
}

/* Regions before what lies in them, by address. */
static int compare_rows(const void *a_pointer, const void *b_pointer)
{
	const struct vmm_vmmap_row *a = a_pointer, *b = b_pointer;

	if (a->address != b->address)
		return (a->address > b->address) - (a->address < b->address);
	if (a->child != b->child)
		return a->child - b->child;
	if (vmmap_row_size(a) != vmmap_row_size(b))
		return (vmmap_row_size(a) < vmmap_row_size(b)) - (vmmap_row_size(a) > vmmap_row_size(b));
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

		row->child = i > 0 && row->address < end && vmmap_row_end(row) <= end;
		if (!row->child)
			end = vmmap_row_end(row);
	}
}

/* VMMap writes rows as they are sorted on its screen. */
static void sort_children(struct vmmap_rows *r, const struct vmmap_top *t)
{
	struct vmm_vmmap_row *rows = &r->rows[t->row + 1];

	for (uint32_t i = 1; i < t->children; i++) {
		if (rows[i].address < rows[i - 1].address) {
			qsort(rows, t->children, sizeof(*rows), compare_rows);
			return;
		}
	}
}

static int find_tops(struct vmmap_build *b)
{
	size_t capacity = 0;

	for (size_t i = 0; i < b->r->count; i++) {
		if (b->r->rows[i].child) {
			b->tops[b->top_count - 1].children++;
			continue;
		}
		if (!vmm_grow(&b->tops, &capacity, b->top_count + 1, sizeof(*b->tops)))
			return VMM_E_NOMEM;
		b->tops[b->top_count++] = (struct vmmap_top){.address = b->r->rows[i].address, .row = (uint32_t)i};
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

/* Of blocks and their region, the blocks' Private is what VMMap's totals are made of. */
static void set_metrics(struct vmmap_build *b, const struct vmmap_top *t, struct vmm_metrics *m)
{
	const struct vmm_vmmap_row *top = &b->r->rows[t->row];
	uint64_t sum = 0, sizes = 0, own = top->m.value[VMM_METRIC_PRIVATE];
	bool known = t->children > 0;

	*m = top->m;
	for (uint32_t i = 0; i < t->children; i++) {
		known &= vmm_metric_known(&top[1 + i].m, VMM_METRIC_PRIVATE);
		sum = vmm_add_sat(sum, top[1 + i].m.value[VMM_METRIC_PRIVATE]);
		sizes = vmm_add_sat(sizes, vmmap_row_size(&top[1 + i]));
	}
	b->rows_private = vmm_add_sat(b->rows_private, own);
	/* Blocks whose sizes were rounded do not add up exactly: their region's row does. */
	if (!known || sum == own || sizes != vmmap_row_size(top))
		return;
	vmm_metric_set(m, VMM_METRIC_PRIVATE, sum);
	b->private_differs = true;
}

static int add_region(struct vmmap_build *b, const struct vmmap_top *t, uint64_t limit)
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
	rc = vmmap_add_blocks(b, t, limit);
	if (rc < 0 || r->block_count == 0)
		return rc;
	set_metrics(b, t, m);
	rc = vmmap_add_owner(b, r, top);
	s->region_count++;
	return rc;
}

static int add_regions(struct vmmap_build *b)
{
	uint64_t at = 0;
	int rc = 0;

	for (uint32_t i = 0; i < b->top_count && rc == 0; i++) {
		const struct vmm_vmmap_row *row = &b->r->rows[b->tops[i].row];
		uint64_t limit = UINT64_MAX;

		if (!is_region(row))
			continue;
		if (row->address < at || vmmap_row_size(row) == 0 || vmmap_row_end(row) == UINT64_MAX) {
			vmmap_add_overlap(b, row->address);
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
static int make_room(struct vmmap_build *b)
{
	struct vmm_snapshot *s = b->s;
	uint32_t heaps = 0;

	for (uint32_t i = 0; i < b->top_count; i++)
		heaps += b->r->rows[b->tops[i].row].kind == VMM_KIND_HEAP;
	heaps = heaps > VMMAP_HEAPS_MAX ? VMMAP_HEAPS_MAX : heaps;
	s->regions = vmm_arena_array(s->arena, b->top_count + 1, sizeof(*s->regions));
	s->modules = vmm_arena_array(s->arena, b->top_count + 1, sizeof(*s->modules));
	s->threads = vmm_arena_array(s->arena, b->top_count + 1, sizeof(*s->threads));
	s->heaps = vmm_arena_array(s->arena, heaps + 1, sizeof(*s->heaps));
	b->heap_ids = vmm_arena_array(s->arena, heaps + 1, sizeof(*b->heap_ids));
	return s->regions && s->modules && s->threads && s->heaps && b->heap_ids ? 0 : VMM_E_NOMEM;
}

/* Windows gives out address space in 64 KiB steps; an export of a Linux process has its regions anywhere. */
static void tell_system(struct vmmap_build *b)
{
	struct vmm_target_info *t = &b->s->target;
	uint64_t top = 0, aligned = 0;
	uint8_t digits = 0;

	for (uint32_t i = 0; i < b->top_count; i++) {
		const struct vmm_vmmap_row *row = &b->r->rows[b->tops[i].row];

		aligned += is_region(row) && row->address % GRANULE == 0;
		digits = row->address_digits > digits ? row->address_digits : digits;
		top = vmm_max_u64(top, vmmap_row_end(row));
	}
	if (b->top_count)
		t->bits = digits > 8 || top > UINT64_C(1) << 32 ? 64 : 32;
	if (aligned * 2 > b->s->region_count) {
		t->arch = "windows";
		t->page_size = PAGE;
	}
}

static void tell_damage(struct vmmap_build *b)
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
	struct vmmap_build b = {.r = r, .s = r->s};
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
	vmmap_tell_name(s);
	tell_damage(&b);
	return vmmap_told(r, b.private_differs ? b.rows_private : UINT64_MAX, err);
}
