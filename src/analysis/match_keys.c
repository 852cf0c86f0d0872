/* What regions are known by. */
#include <string.h>

#include "analysis/match.h"
#include "base/base.h"

const struct vmm_module *vmm__region_module(const struct vmm_snapshot *s, const struct vmm_region *r)
{
	return r->module < s->module_count ? &s->modules[r->module] : NULL;
}

const struct vmm_thread *vmm__region_thread(const struct vmm_snapshot *s, const struct vmm_region *r)
{
	return r->thread < s->thread_count ? &s->threads[r->thread] : NULL;
}

const struct vmm_heap *vmm__region_heap(const struct vmm_snapshot *s, const struct vmm_region *r)
{
	return r->heap < s->heap_count ? &s->heaps[r->heap] : NULL;
}

const struct vmm_vma *vmm__region_first_vma(const struct vmm_snapshot *s, const struct vmm_region *r)
{
	uint32_t at = r->first_block;

	if (!r->block_count || at >= s->block_count || s->blocks[at].vma >= s->vma_count)
		return NULL;
	return &s->vmas[s->blocks[at].vma];
}

/* Where the region would lie on the other side. */
static uint64_t shifted(const struct vmm__side *side, const struct vmm_region *r, uint64_t address)
{
	return side->shift ? address + side->shift[r - side->s->regions] : address;
}

static void key_init(struct vmm__match_key *k, const struct vmm__side *side, const struct vmm_region *r)
{
	*k = (struct vmm__match_key){.number = {r->kind}, .text = {"", ""}, .order = (uint64_t)(r - side->s->regions)};
}

static bool file_like(const struct vmm_region *r)
{
	return (r->kind == VMM_KIND_MAPPED_FILE || r->kind == VMM_KIND_SHAREABLE || r->kind == VMM_KIND_DEVICE) && r->path[0];
}

bool vmm__key_image(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k)
{
	const struct vmm_module *m = vmm__region_module(side->s, r);

	key_init(k, side, r);
	k->text[0] = r->path;
	k->text[1] = m && m->build_id ? m->build_id : "";
	k->number[1] = m && m->build_id;
	return r->kind == VMM_KIND_IMAGE && r->path[0];
}

/* The same object under another name: moved, deleted, seen from another root. */
bool vmm__key_build_id(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k)
{
	const struct vmm_module *m = vmm__region_module(side->s, r);

	key_init(k, side, r);
	k->text[0] = m && m->build_id ? m->build_id : "";
	return r->kind == VMM_KIND_IMAGE && k->text[0][0];
}

bool vmm__key_image_path(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k)
{
	key_init(k, side, r);
	k->text[0] = r->path;
	return r->kind == VMM_KIND_IMAGE && r->path[0];
}

/* The very file or object, by its inode. */
bool vmm__key_object(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k)
{
	const struct vmm_vma *v = vmm__region_first_vma(side->s, r);

	if (!v || !v->inode || !file_like(r))
		return false;
	key_init(k, side, r);
	k->number[1] = v->inode;
	k->number[2] = (uint64_t)v->dev_major << 32 | v->dev_minor;
	k->number[3] = v->offset;
	return true;
}

bool vmm__key_file(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k)
{
	const struct vmm_vma *v = vmm__region_first_vma(side->s, r);

	if (!v || !file_like(r))
		return false;
	key_init(k, side, r);
	k->number[3] = v->offset;
	k->text[0] = r->path;
	return true;
}

/* What has a name that tells it: the kernel's own mappings, a brk heap that no reader knows, named anonymous memory. */
bool vmm__key_named(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k)
{
	key_init(k, side, r);
	k->text[0] = r->path;
	k->text[1] = r->details;
	return r->kind == VMM_KIND_SYSTEM || (r->kind == VMM_KIND_HEAP && r->heap == VMM_NONE && r->details[0]);
}

bool vmm__key_tid(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k)
{
	const struct vmm_thread *t = vmm__region_thread(side->s, r);

	key_init(k, side, r);
	k->number[1] = t ? (uint64_t)t->tid : 0;
	return r->kind == VMM_KIND_STACK && t && t->tid;
}

bool vmm__key_main_stack(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k)
{
	const struct vmm_thread *t = vmm__region_thread(side->s, r);
	const struct vmm_vma *v = vmm__region_first_vma(side->s, r);

	key_init(k, side, r);
	return r->kind == VMM_KIND_STACK &&
	       ((t && t->tid && t->tid == side->s->target.pid) || (v && strcmp(v->name, "[stack]") == 0));
}

bool vmm__key_thread_name(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k)
{
	const struct vmm_thread *t = vmm__region_thread(side->s, r);

	if (r->kind != VMM_KIND_STACK || !t || !t->name || !t->name[0])
		return false;
	key_init(k, side, r);
	k->text[0] = t->name;
	k->order = (uint64_t)(uint32_t)t->tid;
	return true;
}

bool vmm__key_any_stack(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k)
{
	const struct vmm_thread *t = vmm__region_thread(side->s, r);

	key_init(k, side, r);
	if (t)
		k->order = (uint64_t)(uint32_t)t->tid;
	k->number[1] = t != NULL;
	return r->kind == VMM_KIND_STACK;
}

bool vmm__key_heap(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k)
{
	const struct vmm_heap *h = vmm__region_heap(side->s, r);

	key_init(k, side, r);
	k->text[0] = h ? h->id : "";
	return h != NULL;
}

bool vmm__key_heap_start(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k)
{
	bool yes = vmm__key_heap(side, r, k);

	k->number[1] = shifted(side, r, r->start);
	return yes;
}

/* A window into a file stays the same one when its start moves along with the offset. */
static void key_place(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k)
{
	const struct vmm_vma *v = vmm__region_first_vma(side->s, r);

	key_init(k, side, r);
	k->text[0] = r->kind == VMM_KIND_IMAGE || file_like(r) ? r->path : "";
	k->number[2] = v && file_like(r) ? shifted(side, r, r->start) - v->offset : 0;
	/* Whether the inode fits is asked of each pair: not all that read files know it. */
}

bool vmm__key_start(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k)
{
	key_place(side, r, k);
	k->number[1] = shifted(side, r, r->start);
	return true;
}

bool vmm__key_end(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k)
{
	key_place(side, r, k);
	k->number[1] = shifted(side, r, r->end);
	return true;
}

/* The same anonymous memory under another type: it was understood, or not, this time. */
bool vmm__key_range(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k)
{
	key_init(k, side, r);
	k->number[0] = VMM_KIND_COUNT;
	k->number[1] = shifted(side, r, r->start);
	k->number[2] = shifted(side, r, r->end);
	return r->kind == VMM_KIND_PRIVATE_DATA || r->kind == VMM_KIND_HEAP || r->kind == VMM_KIND_MANAGED_HEAP ||
	       r->kind == VMM_KIND_STACK;
}

/* Moved as it is: the same size, protection and name. Stacks are told by their threads alone. */
bool vmm__key_moved(const struct vmm__side *side, const struct vmm_region *r, struct vmm__match_key *k)
{
	const struct vmm_heap *h = vmm__region_heap(side->s, r);

	key_init(k, side, r);
	k->number[1] = r->end - r->start;
	k->number[2] = r->prot_set;
	k->number[3] = r->block_count;
	k->text[0] = h ? h->reader : r->path;
	k->text[1] = h ? h->label : r->details;
	return r->kind == VMM_KIND_PRIVATE_DATA || r->kind == VMM_KIND_HEAP || r->kind == VMM_KIND_MANAGED_HEAP ||
	       (r->kind == VMM_KIND_DEVICE && !r->path[0]);
}

/* Another inode, where both sides know theirs, is another object. */
static bool other_object(const struct vmm_vma *x, const struct vmm_vma *y)
{
	return x && y && x->inode && y->inode &&
	       (x->inode != y->inode || x->dev_major != y->dev_major || x->dev_minor != y->dev_minor);
}

static bool other_build(const struct vmm_module *x, const struct vmm_module *y)
{
	return x && y && x->build_id && y->build_id && strcmp(x->build_id, y->build_id) != 0;
}

bool vmm__match_fits(const struct vmm__side *a, const struct vmm_region *x, const struct vmm__side *b,
                     const struct vmm_region *y)
{
	const struct vmm_vma *xv = vmm__region_first_vma(a->s, x), *yv = vmm__region_first_vma(b->s, y);

	if (x->kind != y->kind)
		return false;
	if (x->kind == VMM_KIND_IMAGE)
		return strcmp(x->path, y->path) == 0 && !other_build(vmm__region_module(a->s, x), vmm__region_module(b->s, y));
	if (file_like(x) || file_like(y))
		return strcmp(x->path, y->path) == 0 && !other_object(xv, yv) && xv && yv &&
		       shifted(a, x, x->start) - xv->offset == y->start - yv->offset;
	return true;
}
