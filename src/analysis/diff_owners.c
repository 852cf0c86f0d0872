/* Heaps, sizes of chunks, threads and images of two snapshots. */
#include <stdlib.h>
#include <string.h>

#include "analysis/diff.h"
#include "analysis/match.h"

/* Which of one array is which of the other. */
struct mates {
	uint32_t *of_a, *of_b; /* VMM_NONE: none yet; in the arena */
	uint32_t a_count, b_count;
};

static bool mates_init(struct mates *m, struct vmm_arena *arena, uint32_t a_count, uint32_t b_count)
{
	m->a_count = a_count;
	m->b_count = b_count;
	m->of_a = vmm_arena_array(arena, (size_t)a_count + 1, sizeof(*m->of_a));
	m->of_b = vmm_arena_array(arena, (size_t)b_count + 1, sizeof(*m->of_b));
	if (!m->of_a || !m->of_b)
		return false;
	memset(m->of_a, 0xff, ((size_t)a_count + 1) * sizeof(*m->of_a));
	memset(m->of_b, 0xff, ((size_t)b_count + 1) * sizeof(*m->of_b));
	return true;
}

static void mates_pair(struct mates *m, uint32_t a, uint32_t b)
{
	if (a < m->a_count && b < m->b_count && m->of_a[a] == VMM_NONE && m->of_b[b] == VMM_NONE) {
		m->of_a[a] = b;
		m->of_b[b] = a;
	}
}

/* What has a name, or a number as its name. */
struct named {
	const char *name;
	uint32_t order, index;
};

static int by_name(const void *x_pointer, const void *y_pointer)
{
	const struct named *x = x_pointer, *y = y_pointer;
	int order = strcmp(x->name, y->name);

	if (order)
		return order;
	return x->order != y->order ? (x->order > y->order) - (x->order < y->order) : (x->index > y->index) - (x->index < y->index);
}

typedef const char *name_fn(const struct vmm_snapshot *s, uint32_t i, uint32_t *ret_order);

static struct named *names_of(struct vmm_arena *arena, const struct vmm_snapshot *s, const uint32_t *mate, uint32_t count,
                              name_fn *name, uint32_t *ret_count)
{
	struct named *names = vmm_arena_array(arena, (size_t)count + 1, sizeof(*names));

	*ret_count = 0;
	for (uint32_t i = 0; names && i < count; i++) {
		struct named n = {.index = i, .order = i};

		n.name = mate[i] == VMM_NONE ? name(s, i, &n.order) : NULL;
		if (n.name)
			names[(*ret_count)++] = n;
	}
	if (names)
		qsort(names, *ret_count, sizeof(*names), by_name);
	return names;
}

/* Those without a mate, the k-th of a name with the k-th; alone: also with the same order. False: out of memory. */
static bool mates_by_name(struct vmm_diff *d, struct mates *m, name_fn *name, bool same_order)
{
	uint32_t an, bn, i = 0, j = 0;
	struct named *a = names_of(d->arena, d->a, m->of_a, m->a_count, name, &an);
	struct named *b = names_of(d->arena, d->b, m->of_b, m->b_count, name, &bn);

	if (!a || !b)
		return false;
	while (i < an && j < bn) {
		int order = strcmp(a[i].name, b[j].name);

		if (order == 0 && same_order)
			order = (a[i].order > b[j].order) - (a[i].order < b[j].order);
		if (order == 0)
			mates_pair(m, a[i].index, b[j].index);
		i += order <= 0;
		j += order >= 0;
	}
	return true;
}

/* Rows for all: those of b in their order, each preceded by nothing, then what is gone. */
static struct vmm_diff_row *make_rows(struct vmm_diff *d, const struct mates *m, enum vmm_diff_by by, uint32_t *ret_count)
{
	struct vmm_diff_row *rows = vmm_arena_array(d->arena, (size_t)m->a_count + m->b_count + 1, sizeof(*rows));
	uint32_t count = 0;

	for (uint32_t i = 0; rows && i < m->b_count; i++)
		rows[count++] = (struct vmm_diff_row){.diff = d,
		                                      .by = by,
		                                      .a = m->of_b[i],
		                                      .b = i,
		                                      .kind = VMM_KIND_COUNT,
		                                      .what = m->of_b[i] == VMM_NONE ? VMM_CHANGE_NEW : 0};
	for (uint32_t i = 0; rows && i < m->a_count; i++)
		if (m->of_a[i] == VMM_NONE)
			rows[count++] = (struct vmm_diff_row){
			    .diff = d, .by = by, .a = i, .b = VMM_NONE, .kind = VMM_KIND_COUNT, .what = VMM_CHANGE_GONE};
	*ret_count = count;
	return rows;
}

static const char *heap_name(const struct vmm_snapshot *s, uint32_t i, uint32_t *ret_order)
{
	return s->heaps[i].id;
}

/* A heap's numbers; what it holds is unknown where no walk proved it. NULL: out of memory. */
static const struct vmm_metrics *heap_metrics(struct vmm_arena *arena, const struct vmm_heap *h)
{
	struct vmm_metrics *m;

	if (h->proved || h->contents)
		return &h->m;
	m = vmm_arena_alloc(arena, sizeof(*m));
	if (m) {
		*m = h->m;
		m->known &= ~(UINT32_C(1) << VMM_METRIC_USED | UINT32_C(1) << VMM_METRIC_UNUSED);
		m->at_least &= ~(UINT32_C(1) << VMM_METRIC_USED | UINT32_C(1) << VMM_METRIC_UNUSED);
	}
	return m;
}

static void heap_counts(struct vmm_diff_row *row, unsigned side, const struct vmm_heap *h)
{
	const struct vmm_heap_contents *c = h ? h->contents : NULL;

	row->count.known[side] = row->free_count.known[side] = !h || c;
	row->count.value[side] = c ? c->sums.of[VMM_CHUNK_USED].count : 0;
	row->free_count.value[side] = c ? vmm_chunk_sums_free_count(&c->sums) : 0;
}

bool vmm__diff_heaps(struct vmm_diff *d, const struct vmm_pair *pairs, size_t count)
{
	struct mates m;

	if (!mates_init(&m, d->arena, d->a->heap_count, d->b->heap_count))
		return false;
	/* Arenas are numbered anew when one comes or goes: it is their memory that tells which is which. */
	for (size_t i = 0; i < count; i++)
		if (pairs[i].a != VMM_NONE && pairs[i].b != VMM_NONE)
			mates_pair(&m, d->a->regions[pairs[i].a].heap, d->b->regions[pairs[i].b].heap);
	if (!d->same_layout && !mates_by_name(d, &m, heap_name, false))
		return false;
	d->heaps = make_rows(d, &m, VMM_DIFF_HEAP, &d->heap_count);
	for (uint32_t i = 0; d->heaps && i < d->heap_count; i++) {
		struct vmm_diff_row *row = &d->heaps[i];
		const struct vmm_heap *a = row->a != VMM_NONE ? &d->a->heaps[row->a] : NULL;
		const struct vmm_heap *b = row->b != VMM_NONE ? &d->b->heaps[row->b] : NULL;

		row->kind = VMM_KIND_HEAP;
		row->before = a ? heap_metrics(d->arena, a) : NULL;
		row->after = b ? heap_metrics(d->arena, b) : NULL;
		if ((a && !row->before) || (b && !row->after))
			return false;
		heap_counts(row, 0, a);
		heap_counts(row, 1, b);
		if (a && b)
			row->what = vmm__diff_numbers(row->before, row->after);
		if (row->count.known[0] && row->count.known[1] && a && b && row->count.value[0] != row->count.value[1])
			row->what |= VMM_CHANGE_NUMBERS;
	}
	return d->heaps != NULL;
}

/* Chunks of one size in one of the snapshots. */
struct size_count {
	uint64_t size, count[2], free[2];
};

static int by_size(const void *x_pointer, const void *y_pointer)
{
	const struct size_count *x = x_pointer, *y = y_pointer;

	return (x->size > y->size) - (x->size < y->size);
}

/* Adds the classes of all heaps of one side; false when v is full, which the caller's counting rules out. */
static size_t add_classes(const struct vmm_snapshot *s, unsigned side, bool rounded, struct size_count *v)
{
	size_t count = 0;

	for (uint32_t h = 0; h < s->heap_count; h++) {
		const struct vmm_heap_contents *c = s->heaps[h].contents;

		for (uint32_t i = 0; i < (rounded ? 64 : c->class_count); i++) {
			struct size_count *at = &v[count++];

			*at = (struct size_count){.size = rounded ? i ? UINT64_C(1) << i : 0 : c->classes[i].size};
			at->count[side] = rounded ? c->used_log2[i] : c->classes[i].used;
			at->free[side] = rounded ? c->free_log2[i] : c->classes[i].free;
		}
	}
	return count;
}

/* Whether every heap was walked; ret_complete: and all their classes are listed. */
static bool walked(const struct vmm_snapshot *s, bool *ret_complete, size_t *ret_classes)
{
	for (uint32_t h = 0; h < s->heap_count; h++) {
		const struct vmm_heap_contents *c = s->heaps[h].contents;

		if (!c)
			return false;
		*ret_complete = *ret_complete && c->classes_complete;
		*ret_classes += vmm_max_u64(c->class_count, 64);
	}
	return s->heap_count > 0;
}

static size_t sum_equal_sizes(struct size_count *v, size_t count)
{
	size_t kept = 0;

	qsort(v, count, sizeof(*v), by_size);
	for (size_t i = 0; i < count; i++) {
		if (kept && v[kept - 1].size == v[i].size) {
			for (unsigned side = 0; side < 2; side++) {
				v[kept - 1].count[side] = vmm_add_sat(v[kept - 1].count[side], v[i].count[side]);
				v[kept - 1].free[side] = vmm_add_sat(v[kept - 1].free[side], v[i].free[side]);
			}
		} else {
			v[kept++] = v[i];
		}
	}
	return kept;
}

/* Bytes that may be used in chunks of this size, where sizes are exact. NULL: out of memory. */
static const struct vmm_metrics *class_metrics(struct vmm_arena *arena, uint64_t size, uint64_t count, bool rounded)
{
	struct vmm_metrics *m = vmm_arena_alloc(arena, sizeof(*m));
	uint64_t bytes;

	if (m && !rounded && !__builtin_mul_overflow(size, count, &bytes))
		vmm_metric_set(m, VMM_METRIC_USED, bytes);
	return m;
}

static bool class_row(struct vmm_diff *d, const struct size_count *c)
{
	struct vmm_diff_row *row = &d->classes[d->class_count];

	if (!c->count[0] && !c->count[1] && !c->free[0] && !c->free[1])
		return true;
	*row = (struct vmm_diff_row){.diff = d,
	                             .by = VMM_DIFF_CLASS,
	                             .a = VMM_NONE,
	                             .b = VMM_NONE,
	                             .kind = VMM_KIND_COUNT,
	                             .class_size = c->size,
	                             .before = class_metrics(d->arena, c->size, c->count[0], d->classes_rounded),
	                             .after = class_metrics(d->arena, c->size, c->count[1], d->classes_rounded),
	                             .count = {{true, true}, {c->count[0], c->count[1]}},
	                             .free_count = {{true, true}, {c->free[0], c->free[1]}}};
	if (c->count[0] != c->count[1])
		row->what = c->count[1] > c->count[0] ? VMM_CHANGE_GROWN : VMM_CHANGE_SHRUNK;
	else if (c->free[0] != c->free[1])
		row->what = VMM_CHANGE_NUMBERS;
	d->class_count++;
	return row->before && row->after;
}

bool vmm__diff_classes(struct vmm_diff *d)
{
	bool complete = true;
	struct size_count *v;
	size_t most = 0, count;

	d->classes_known = walked(d->a, &complete, &most) && walked(d->b, &complete, &most);
	if (!d->classes_known)
		return true;
	d->classes_rounded = !complete;
	v = vmm_arena_array(d->arena, most + 1, sizeof(*v));
	if (!v)
		return false;
	count = add_classes(d->a, 0, d->classes_rounded, v);
	count += add_classes(d->b, 1, d->classes_rounded, v + count);
	count = sum_equal_sizes(v, count);
	d->classes = vmm_arena_array(d->arena, count + 1, sizeof(*d->classes));
	if (!d->classes)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!class_row(d, &v[i]))
			return false;
	return true;
}

static const char *thread_id(const struct vmm_snapshot *s, uint32_t i, uint32_t *ret_order)
{
	*ret_order = (uint32_t)s->threads[i].tid;
	return s->threads[i].tid ? "" : NULL;
}

static const char *thread_name(const struct vmm_snapshot *s, uint32_t i, uint32_t *ret_order)
{
	*ret_order = (uint32_t)s->threads[i].tid;
	return s->threads[i].name;
}

/* The main thread has the number of the process. */
static const char *main_thread(const struct vmm_snapshot *s, uint32_t i, uint32_t *ret_order)
{
	return s->threads[i].tid && s->threads[i].tid == s->target.pid ? "" : NULL;
}

bool vmm__diff_threads(struct vmm_diff *d, const struct vmm_pair *pairs, size_t count)
{
	struct mates m;
	bool ok = mates_init(&m, d->arena, d->a->thread_count, d->b->thread_count);

	if (ok && d->same_process)
		ok = mates_by_name(d, &m, thread_id, true);
	else if (ok)
		ok = mates_by_name(d, &m, main_thread, false);
	for (size_t i = 0; ok && !d->same_process && i < count; i++)
		if (pairs[i].a != VMM_NONE && pairs[i].b != VMM_NONE)
			mates_pair(&m, d->a->regions[pairs[i].a].thread, d->b->regions[pairs[i].b].thread);
	if (ok && !d->same_process)
		ok = mates_by_name(d, &m, thread_name, false);
	d->threads = ok ? make_rows(d, &m, VMM_DIFF_THREAD, &d->thread_count) : NULL;
	return d->threads != NULL;
}

bool vmm__diff_modules(struct vmm_diff *d, const struct vmm_pair *pairs, size_t count)
{
	struct mates m;

	if (!mates_init(&m, d->arena, d->a->module_count, d->b->module_count))
		return false;
	for (size_t i = 0; i < count; i++)
		if (pairs[i].a != VMM_NONE && pairs[i].b != VMM_NONE)
			mates_pair(&m, d->a->regions[pairs[i].a].module, d->b->regions[pairs[i].b].module);
	d->modules = make_rows(d, &m, VMM_DIFF_MODULE, &d->module_count);
	for (uint32_t i = 0; d->modules && i < d->module_count; i++) {
		struct vmm_diff_row *row = &d->modules[i];
		const struct vmm_module *a = row->a != VMM_NONE ? &d->a->modules[row->a] : NULL;
		const struct vmm_module *b = row->b != VMM_NONE ? &d->b->modules[row->b] : NULL;

		row->kind = VMM_KIND_IMAGE;
		if (a && b && a->build_id && b->build_id && strcmp(a->build_id, b->build_id) != 0)
			row->what |= VMM_CHANGE_NUMBERS;
		if (a && b && d->same_layout && a->bias != b->bias)
			row->what |= VMM_CHANGE_MOVED;
	}
	return d->modules != NULL;
}
