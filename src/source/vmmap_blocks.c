/*
 * Blocks and mappings of a region of a file of VMMap. Mappings are what VirtualQuery tells apart: neighbouring blocks of a
 * region with the same protection are one, and their number is VMMap's Blocks.
 */
#include <string.h>

#include "source/vmmap_build.h"

#define ROUNDING 1024 /* sizes in CSV are rounded to it, and blocks of managed heaps end anywhere */

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
static struct vmm_vma *vma_for(struct vmmap_build *b, const struct vmm_vmmap_row *top, const struct vmm_vmmap_row *row, uint64_t start,
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

static int add_block(struct vmmap_build *b, const struct vmm_vmmap_row *top, const struct vmm_vmmap_row *row, uint64_t start,
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

void vmmap_add_overlap(struct vmmap_build *b, uint64_t address)
{
	if (b->overlaps++ == 0)
		b->first_overlap = address;
}

int vmmap_add_blocks(struct vmmap_build *b, const struct vmmap_top *t, uint64_t limit)
{
	const struct vmm_vmmap_row *top = &b->r->rows[t->row], *rows = top + 1;
	uint64_t at = top->address, region_end = vmm_min_u64(vmmap_row_end(top), limit);
	uint32_t before = 0;
	int rc = 0;

	if (t->children == 0)
		return add_block(b, top, top, at, region_end, &before);
	for (uint32_t i = 0; i < t->children && rc == 0; i++) {
		uint64_t next = i + 1 < t->children ? rows[i + 1].address : region_end;
		uint64_t end = vmmap_row_end(&rows[i]);

		if (end < next ? next - end < ROUNDING : end - next < ROUNDING)
			end = next;
		end = vmm_min_u64(end, limit);
		if (i + 1 < t->children && next >= rows[i].address)
			end = vmm_min_u64(end, next);
		if (rows[i].address < at || rows[i].address >= end) {
			/* Too small for its size to be told: nothing is missing. */
			if (vmmap_row_size(&rows[i]) || rows[i].address < at)
				vmmap_add_overlap(b, rows[i].address);
			continue;
		}
		rc = add_block(b, top, &rows[i], rows[i].address, end, &before);
		at = end;
	}
	return rc;
}
