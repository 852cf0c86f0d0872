/* What changed from one snapshot to the next: the rows that a page which shows the first has to replace. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/out.h"
#include "face/serve/serve.h"
#include "view/json_write.h"

#define GAPS_FEW 512 /* so many cost little, and who gets them need not keep those before */
#define FEW 64 /* regions that may all have changed before a whole snapshot is thought shorter */

static bool same_metrics(const struct vmm_metrics *a, const struct vmm_metrics *b)
{
	return a == b || (a->known == b->known && a->at_least == b->at_least && memcmp(a->value, b->value, sizeof(a->value)) == 0);
}

static bool same_sums(const struct vmm_chunk_sums *a, const struct vmm_chunk_sums *b)
{
	return a && b ? memcmp(a, b, sizeof(*a)) == 0 : a == b;
}

static const char *heap_id(const struct vmm_snapshot *s, const struct vmm_region *r)
{
	return r->heap < s->heap_count ? s->heaps[r->heap].id : "";
}

static int32_t thread_id(const struct vmm_snapshot *s, const struct vmm_region *r)
{
	return r->thread < s->thread_count ? s->threads[r->thread].tid : 0;
}

static bool same_vma(const struct vmm_snapshot *a, const struct vmm_block *x, const struct vmm_snapshot *b, const struct vmm_block *y)
{
	const struct vmm_vma *v = &a->vmas[x->vma], *w = &b->vmas[y->vma];

	return v->prot == w->prot && v->vm_flags == w->vm_flags && v->deleted == w->deleted && v->offset - v->start == w->offset - w->start &&
	       v->inode == w->inode && strcmp(v->name, w->name) == 0 && strcmp(v->numa ? v->numa : "", w->numa ? w->numa : "") == 0;
}

static bool same_blocks(const struct vmm_snapshot *a, const struct vmm_region *x, const struct vmm_snapshot *b, const struct vmm_region *y)
{
	if (x->block_count != y->block_count)
		return false;
	for (uint32_t i = 0; i < x->block_count; i++) {
		const struct vmm_block *p = &a->blocks[x->first_block + i], *q = &b->blocks[y->first_block + i];

		if (p->start != q->start || p->end != q->end || p->guard != q->guard || strcmp(p->label, q->label) != 0 ||
		    !same_metrics(p->m, q->m) || !same_vma(a, p, b, q))
			return false;
	}
	return true;
}

/* Everything that a row of it, or of a block in it, shows. */
static bool same_region(const struct vmm_snapshot *a, const struct vmm_region *x, const struct vmm_snapshot *b, const struct vmm_region *y)
{
	return x->end == y->end && x->kind == y->kind && x->prot_set == y->prot_set && x->write_exec == y->write_exec &&
	       x->outside == y->outside && same_metrics(x->m, y->m) && same_sums(x->chunks, y->chunks) &&
	       strcmp(x->details, y->details) == 0 && strcmp(x->path, y->path) == 0 &&
	       strcmp(heap_id(a, x), heap_id(b, y)) == 0 && thread_id(a, x) == thread_id(b, y) && same_blocks(a, x, b, y);
}

/* Marks the regions of now that are new or not as they were, and writes the others' addresses that are no more. */
static size_t compare(const struct vmm_snapshot *a, const struct vmm_snapshot *b, bool *changed, struct vmm_out *gone)
{
	size_t count = 0;
	uint32_t i = 0;

	for (uint32_t j = 0; j <= b->region_count; j++) {
		const struct vmm_region *y = j < b->region_count ? &b->regions[j] : NULL;

		for (; i < a->region_count && (!y || a->regions[i].start < y->start); i++)
			vmm__json_key_address(gone, gone->used ? "," : "", true, a->regions[i].start);
		if (!y)
			break;
		changed[j] = i >= a->region_count || a->regions[i].start != y->start || !same_region(a, &a->regions[i], b, y);
		count += changed[j];
		i += i < a->region_count && a->regions[i].start == y->start;
	}
	return count;
}

static bool same_gaps(const struct vmm_snapshot *a, const struct vmm_snapshot *b)
{
	if (a->gap_count != b->gap_count)
		return false;
	for (uint32_t i = 0; i < a->gap_count; i++)
		if (a->gaps[i].start != b->gaps[i].start || a->gaps[i].end != b->gaps[i].end || a->gaps[i].kind != b->gaps[i].kind ||
		    strcmp(a->gaps[i].details, b->gaps[i].details) != 0)
			return false;
	return true;
}

/* Takes out of rows, which are regions with their blocks by address, those that did not change. */
static void keep_changed(struct vmm_rows *rows, const struct vmm_snapshot *s, const bool *changed)
{
	size_t kept = 0;
	bool wanted = false;

	for (size_t i = 0; i < rows->count; i++) {
		if (rows->rows[i].type == VMM_ROW_REGION)
			wanted = changed[(const struct vmm_region *)rows->rows[i].object - s->regions];
		if (wanted)
			rows->rows[kept++] = rows->rows[i];
	}
	rows->count = kept;
}

static int put_rows(struct vmm_out *out, const struct vmm_snapshot *now, uint32_t n, const bool *changed, bool gaps, const char *beside,
                    struct vmm_err *err)
{
	struct vmm_query q;
	struct vmm_rows rows;
	int code = vmm_query_init(&q, "tree", NULL, NULL, NULL, NULL, err);

	if (code < 0)
		return code;
	q.no_gaps = !gaps;
	code = vmm_rows_build(&rows, &q, now, err);
	if (code == 0) {
		keep_changed(&rows, now, changed);
		code = srv_put_snapshot(out, now, n, false, &rows, &q, beside, err);
		vmm_rows_done(&rows);
	}
	vmm_query_done(&q);
	return code;
}

int srv_put_changes(struct vmm_out *out, const struct vmm_snapshot *before, uint32_t n_before, const struct vmm_snapshot *now,
                    uint32_t n, bool *ret_changed, struct vmm_err *err)
{
	struct vmm_out *gone = vmm_out_create_memory(), *beside = vmm_out_create_memory();
	char *text = NULL;
	bool *changed = NULL;
	size_t capacity = 0, count = 0;
	int code = gone && beside && vmm_grow(&changed, &capacity, (size_t)now->region_count + 1, sizeof(*changed)) ? 0 : vmm_fail_nomem(err);

	if (code == 0)
		count = compare(before, now, changed, gone);
	*ret_changed = count <= FEW || count <= now->region_count / 2;
	if (code == 0 && *ret_changed) {
		vmm_out_printf(beside, "\"before\":%u,\"gone\":[", n_before);
		vmm_out_bytes(beside, gone->buffer, gone->used);
		vmm_out_text(beside, "],");
		text = vmm_out_take(beside, NULL);
		beside = NULL;
		code = text ? put_rows(out, now, n, changed, now->gap_count <= GAPS_FEW || !same_gaps(before, now), text, err) : vmm_fail_nomem(err);
	}
	vmm_out_discard(gone);
	vmm_out_discard(beside);
	free(text);
	free(changed);
	return code;
}
