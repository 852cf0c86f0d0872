#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "view/view.h"

/* Rows while they are gathered: a heap array that the arena keeps in the end. */
struct gather {
	struct vmm_row *v;
	size_t count, capacity;
	const struct vmm_query *q;
	const void *owner; /* the snapshot or the list of processes */
	const struct vmm_diff *diff; /* of rows of what differs */
	enum vmm_diff_by by;
	bool failed;
};

static bool push(struct gather *g, enum vmm_row_type type, const void *object, uint32_t depth)
{
	if (!vmm_grow(&g->v, &g->capacity, g->count + 1, sizeof(*g->v))) {
		g->failed = true;
		return false;
	}
	g->v[g->count++] = (struct vmm_row){.snapshot = g->owner, .object = object, .type = type, .depth = depth};
	return true;
}

/* Types add up in every number, also in those that make no change of a single region. */
static bool differs(const struct vmm_diff_row *d)
{
	if (d->what || d->by != VMM_DIFF_TYPE || d->kind == VMM_KIND_COUNT)
		return d->what || d->by == VMM_DIFF_TYPE;
	for (int i = 0; i < VMM_METRIC_COUNT; i++)
		if (vmm_difference_of(d->before, d->after, (enum vmm_metric)i).value)
			return true;
	return d->count.value[0] != d->count.value[1];
}

static bool passes(const struct vmm_query *q, const struct vmm_row *row)
{
	enum vmm_kind kind;

	if (row->type == VMM_ROW_DIFF && !q->unchanged && !differs(row->object))
		return false;
	if (q->kinds && row->type != VMM_ROW_PROCESS) {
		kind = row->type == VMM_ROW_THREAD ? VMM_KIND_STACK : vmm__row_kind(row);
		if (kind >= VMM_KIND_COUNT || !((q->kinds >> kind) & 1))
			return false;
	}
	return !q->where || vmm_expr_matches(q->where, row);
}

/* Adds a top row when it passes the filters. */
static bool offer(struct gather *g, enum vmm_row_type type, const void *object)
{
	struct vmm_row row = {.snapshot = g->owner, .object = object, .type = type};

	return !passes(g->q, &row) || push(g, type, object, 0);
}

static void offer_all(struct gather *g, enum vmm_row_type type, const void *array, size_t elem_size, uint32_t count)
{
	for (uint32_t i = 0; i < count && offer(g, type, (const char *)array + i * elem_size); i++)
		;
}

/* Types without any bytes say nothing; unknown ones do. */
static bool type_empty(const struct vmm_type_total *t)
{
	if (t->regions || t->blocks)
		return false;
	for (int i = 0; i < VMM_METRIC_COUNT; i++)
		if (t->m.value[i])
			return false;
	return (t->m.known >> VMM_METRIC_SIZE) & 1 || !t->m.at_least;
}

/* Not part of any region: the total stands above them. */
static bool type_apart(enum vmm_kind kind)
{
	return kind == VMM_KIND_PAGE_TABLE || kind == VMM_KIND_UNUSABLE || kind == VMM_KIND_FREE;
}

static void gather_types(struct gather *g, const struct vmm_snapshot *s, bool apart)
{
	for (int k = 0; k < VMM_KIND_COUNT; k++)
		if (type_apart((enum vmm_kind)k) == apart && !type_empty(&s->types[k]) &&
		    !offer(g, VMM_ROW_TYPE, &s->types[k]))
			return;
}

/* Open addressing over paths; slots hold indexes into totals plus 1. */
struct files {
	struct vmm_file_total *totals;
	uint32_t count, *slots, mask;
};

static struct vmm_file_total *file_find(struct files *f, const struct vmm_region *r)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	struct vmm_file_total *t;

	for (const char *p = r->path; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619u;
	for (uint32_t at = hash & f->mask;; at = (at + 1) & f->mask) {
		if (!f->slots[at]) {
			f->slots[at] = f->count + 1;
			t = &f->totals[f->count++];
			t->path = r->path;
			t->kind = r->kind;
			vmm_metrics_zero(&t->m);
			return t;
		}
		t = &f->totals[f->slots[at] - 1];
		if (t->path == r->path || strcmp(t->path, r->path) == 0)
			return t;
	}
}

static void gather_files(struct gather *g, const struct vmm_snapshot *s, struct vmm_arena *arena)
{
	struct files f = {0};
	uint32_t with_path = 0, slots = 16;

	for (uint32_t i = 0; i < s->region_count; i++)
		with_path += s->regions[i].path[0] != '\0';
	while (slots / 2 < with_path && slots < UINT32_C(1) << 31)
		slots *= 2;
	f.mask = slots - 1;
	f.slots = vmm_arena_array(arena, slots, sizeof(*f.slots));
	f.totals = vmm_arena_array(arena, with_path ? with_path : 1, sizeof(*f.totals));
	if (!f.slots || !f.totals) {
		g->failed = true;
		return;
	}
	for (uint32_t i = 0; i < s->region_count; i++) {
		struct vmm_file_total *t = s->regions[i].path[0] ? file_find(&f, &s->regions[i]) : NULL;

		if (!t)
			continue;
		t->regions++;
		t->kind = s->regions[i].kind < t->kind ? s->regions[i].kind : t->kind;
		vmm_metrics_add(&t->m, s->regions[i].m);
	}
	offer_all(g, VMM_ROW_FILE, f.totals, sizeof(*f.totals), f.count);
}

static void gather_snapshot(struct gather *g, const struct vmm_snapshot *s, struct vmm_arena *arena)
{
	switch (g->q->table->row_type) {
	case VMM_ROW_TYPE:
		gather_types(g, s, false);
		break;
	case VMM_ROW_GAP:
		offer_all(g, VMM_ROW_GAP, s->gaps, sizeof(*s->gaps), s->gap_count);
		break;
	case VMM_ROW_THREAD:
		offer_all(g, VMM_ROW_THREAD, s->threads, sizeof(*s->threads), s->thread_count);
		break;
	case VMM_ROW_MODULE:
		offer_all(g, VMM_ROW_MODULE, s->modules, sizeof(*s->modules), s->module_count);
		break;
	case VMM_ROW_HEAP:
		offer_all(g, VMM_ROW_HEAP, s->heaps, sizeof(*s->heaps), s->heap_count);
		break;
	case VMM_ROW_FILE:
		gather_files(g, s, arena);
		break;
	default:
		if (g->q->raw)
			offer_all(g, VMM_ROW_VMA, s->vmas, sizeof(*s->vmas), s->vma_count);
		else
			offer_all(g, VMM_ROW_REGION, s->regions, sizeof(*s->regions), s->region_count);
	}
}

static bool offer_diff(struct gather *g, const struct vmm_diff_row *d)
{
	struct vmm_row row = {.snapshot = d->b != VMM_NONE ? g->diff->b : g->diff->a, .object = d, .type = VMM_ROW_DIFF};

	g->owner = row.snapshot;
	return !passes(g->q, &row) || push(g, VMM_ROW_DIFF, d, 0);
}

static void gather_diff_types(struct gather *g, bool apart)
{
	for (int k = 0; k < VMM_KIND_COUNT; k++)
		if (type_apart((enum vmm_kind)k) == apart &&
		    !(type_empty(&g->diff->a->types[k]) && type_empty(&g->diff->b->types[k])) &&
		    !offer_diff(g, &g->diff->types[k]))
			return;
}

static void gather_diff(struct gather *g)
{
	const struct vmm_diff_row *rows = g->by == VMM_DIFF_REGION ? g->diff->regions
	                                  : g->by == VMM_DIFF_HEAP ? g->diff->heaps
	                                                           : g->diff->classes;
	uint32_t count = g->by == VMM_DIFF_REGION ? g->diff->region_count
	                 : g->by == VMM_DIFF_HEAP ? g->diff->heap_count
	                                          : g->diff->class_count;

	if (g->by == VMM_DIFF_TYPE)
		gather_diff_types(g, false);
	for (uint32_t i = 0; g->by != VMM_DIFF_TYPE && i < count && offer_diff(g, &rows[i]); i++)
		;
}

/* What the chunks of a heap's region are, below its blocks. */
static bool push_parts(struct gather *g, const struct vmm_snapshot *s, const struct vmm_region *r, struct vmm_arena *arena)
{
	const struct vmm_chunk_sums *c = r->chunks;
	bool resident = vmm_region_resident_known(s, r);
	uint64_t count = vmm_chunk_sums_free_count(c), bytes = vmm_chunk_sums_free(c);
	uint64_t rss = c->of[VMM_CHUNK_CACHED].rss + c->of[VMM_CHUNK_FAST].rss + c->of[VMM_CHUNK_FREE].rss;
	struct vmm_heap_part made[] = {
	    {"used", c->of[VMM_CHUNK_USED].count, c->of[VMM_CHUNK_USED].bytes, c->of[VMM_CHUNK_USED].rss, resident},
	    {resident ? "free, resident" : "free", count, resident ? rss : bytes, rss, resident},
	    {"free, not resident", 0, resident ? bytes - vmm_min_u64(rss, bytes) : 0, 0, resident},
	    {"top", 0, c->of[VMM_CHUNK_TOP].bytes, c->of[VMM_CHUNK_TOP].rss, resident},
	    {"overhead", 0, c->of[VMM_CHUNK_META].bytes, c->of[VMM_CHUNK_META].rss, resident},
	    {"reserved", 0, c->of[VMM_CHUNK_RESERVED].bytes, c->of[VMM_CHUNK_RESERVED].rss, resident},
	};
	struct vmm_heap_part *parts = vmm_arena_array(arena, ARRAY_LEN(made), sizeof(*parts));

	if (!parts)
		return false;
	memcpy(parts, made, sizeof(made));
	for (size_t i = 0; i < ARRAY_LEN(made); i++)
		if (made[i].bytes && !push(g, VMM_ROW_PART, &parts[i], 1))
			return false;
	return true;
}

/* Puts the blocks of each region behind it. */
static bool insert_blocks(struct gather *g, const struct vmm_snapshot *s, struct vmm_arena *arena)
{
	struct gather all = {.q = g->q, .owner = g->owner};
	size_t need = g->count;

	for (size_t i = 0; i < g->count; i++)
		need += ((const struct vmm_region *)g->v[i].object)->block_count;
	if (!vmm_grow(&all.v, &all.capacity, need, sizeof(*all.v)))
		return false;
	for (size_t i = 0; i < g->count; i++) {
		const struct vmm_region *r = g->v[i].object;

		push(&all, VMM_ROW_REGION, r, 0);
		for (uint32_t b = 0; b < r->block_count && r->first_block + b < s->block_count; b++)
			push(&all, VMM_ROW_BLOCK, &s->blocks[r->first_block + b], 1);
		if (g->q->parts && r->chunks && !push_parts(&all, s, r, arena)) {
			free(all.v);
			return false;
		}
	}
	free(g->v);
	*g = all;
	return true;
}

/* Sorts, cuts and hands the gathered rows over; frees them on failure. */
static int finish(struct gather *g, struct vmm_rows *rows, struct vmm_arena *arena, const struct vmm_snapshot *s,
                  struct vmm_err *err)
{
	uint64_t matched = g->count;
	const struct vmm_diff *d = g->diff;

	if (g->failed || !vmm__rows_sort(&g->v, &g->capacity, g->count, g->q, arena))
		goto nomem;
	if (g->q->top && g->count > g->q->top)
		g->count = (size_t)g->q->top;
	/* What is no type of memory stands below the types, whatever they are sorted by. */
	if (s && g->q->table->row_type == VMM_ROW_TYPE) {
		if (!g->q->where && !g->q->kinds)
			push(g, VMM_ROW_TYPE, &s->total, 0);
		gather_types(g, s, true);
	}
	if (d && g->by == VMM_DIFF_TYPE) {
		if (!g->q->where && !g->q->kinds)
			offer_diff(g, &d->total);
		gather_diff_types(g, true);
	}
	if (s && g->q->blocks && !g->q->raw && g->q->table->row_type == VMM_ROW_REGION && !insert_blocks(g, s, arena))
		goto nomem;
	if (g->failed || (g->v && !vmm_arena_keep(arena, g->v))) {
		g->v = g->failed ? g->v : NULL; /* the arena frees what it cannot keep */
		goto nomem;
	}
	*rows = (struct vmm_rows){.rows = g->v, .count = g->count, .matched = matched, .arena = arena};
	return 0;
nomem:
	free(g->v);
	vmm_arena_destroy(arena);
	return vmm_fail_nomem(err);
}

int vmm_rows_build(struct vmm_rows *rows, const struct vmm_query *q, const struct vmm_snapshot *s, struct vmm_err *err)
{
	struct gather g = {.q = q, .owner = s};
	struct vmm_arena *arena;

	if (q->table->row_type == VMM_ROW_PROCESS || q->table->row_type == VMM_ROW_DIFF)
		return vmm_fail(err, VMM_E_USAGE, 0, "view '%s' is not about one process", q->table->id);
	if (q->table->row_type == VMM_ROW_CHUNK || q->table->row_type == VMM_ROW_STRING)
		return vmm_fail(err, VMM_E_USAGE, 0, "rows of '%s' are streamed", q->table->id);
	arena = vmm_arena_create();
	if (!arena)
		return vmm_fail_nomem(err);
	gather_snapshot(&g, s, arena);
	return finish(&g, rows, arena, s, err);
}

int vmm_rows_build_diff(struct vmm_rows *rows, const struct vmm_query *q, const struct vmm_diff *diff, struct vmm_err *err)
{
	static const char *const tables[] = {[VMM_DIFF_TYPE] = "diff_types",
	                                     [VMM_DIFF_REGION] = "diff_regions",
	                                     [VMM_DIFF_HEAP] = "diff_heaps",
	                                     [VMM_DIFF_CLASS] = "diff_classes"};
	struct gather g = {.q = q, .diff = diff};
	struct vmm_arena *arena;

	while ((size_t)g.by < ARRAY_LEN(tables) && strcmp(tables[g.by], q->table->id) != 0)
		g.by++;
	if ((size_t)g.by == ARRAY_LEN(tables))
		return vmm_fail(err, VMM_E_USAGE, 0, "view '%s' is not about what differs", q->table->id);
	arena = vmm_arena_create();
	if (!arena)
		return vmm_fail_nomem(err);
	gather_diff(&g);
	return finish(&g, rows, arena, NULL, err);
}

int vmm_rows_build_processes(struct vmm_rows *rows, const struct vmm_query *q, const struct vmm_process_list *list,
                             struct vmm_err *err)
{
	struct gather g = {.q = q, .owner = list};
	struct vmm_arena *arena;

	if (q->table->row_type != VMM_ROW_PROCESS)
		return vmm_fail(err, VMM_E_USAGE, 0, "view '%s' is about one process", q->table->id);
	arena = vmm_arena_create();
	if (!arena)
		return vmm_fail_nomem(err);
	for (uint32_t i = 0; i < list->count && offer(&g, VMM_ROW_PROCESS, &list->processes[i]); i++)
		;
	return finish(&g, rows, arena, NULL, err);
}

void vmm_rows_done(struct vmm_rows *rows)
{
	vmm_arena_destroy(rows->arena);
	memset(rows, 0, sizeof(*rows));
}
