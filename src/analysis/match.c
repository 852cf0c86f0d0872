#include "analysis/match.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"

static const struct vmm_module *program_of(const struct vmm_snapshot *s)
{
	for (uint32_t i = 0; i < s->module_count; i++)
		if (s->modules[i].program)
			return &s->modules[i];
	return NULL;
}

/* Where the main stack ends: it is placed at random for each program that starts. 0 when unknown. */
static uint64_t stack_end(const struct vmm_snapshot *s)
{
	struct vmm__side side = {.s = s};
	struct vmm__match_key k;

	for (uint32_t i = s->region_count; i-- > 0;)
		if (vmm__key_main_stack(&side, &s->regions[i], &k))
			return s->regions[i].end;
	return 0;
}

/* Of two that are told: by build-id, else by path. Where addresses are not random all programs begin at the same places. */
static bool other_program(const struct vmm_module *a, const struct vmm_module *b)
{
	if (a->bias != b->bias)
		return true;
	if (a->build_id && a->build_id[0] && b->build_id && b->build_id[0])
		return strcmp(a->build_id, b->build_id) != 0;
	return a->path[0] == '/' && b->path[0] == '/' && strcmp(a->path, b->path) != 0;
}

bool vmm__same_layout(const struct vmm_snapshot *a, const struct vmm_snapshot *b)
{
	const struct vmm_module *pa = program_of(a), *pb = program_of(b);
	uint64_t ea = stack_end(a), eb = stack_end(b);

	if (pa && pb && other_program(pa, pb))
		return false;
	if (ea && eb)
		return ea == eb;
	return a->target.pid == b->target.pid;
}

bool vmm__same_process(const struct vmm_snapshot *a, const struct vmm_snapshot *b)
{
	const struct vmm_target_info *x = &a->target, *y = &b->target;

	if (!x->pid || x->pid != y->pid)
		return false;
	if (x->started_known && y->started_known &&
	    (x->started_at.tv_sec != y->started_at.tv_sec || x->started_at.tv_nsec != y->started_at.tv_nsec))
		return false;
	return vmm__same_layout(a, b);
}

struct entry {
	uint64_t hash, order;
	uint32_t region;
};

static void mix(uint64_t *hash, uint64_t value)
{
	*hash = (*hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	*hash ^= *hash >> 29;
}

static uint64_t hash_of(const struct vmm__match_key *k)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < ARRAY_LEN(k->number); i++)
		mix(&hash, k->number[i]);
	for (size_t i = 0; i < ARRAY_LEN(k->text); i++) {
		for (const char *p = k->text[i]; *p; p++)
			hash = (hash ^ (uint8_t)*p) * UINT64_C(1099511628211);
		mix(&hash, i);
	}
	return hash;
}

static bool equal_keys(const struct vmm__match_key *x, const struct vmm__match_key *y)
{
	return memcmp(x->number, y->number, sizeof(x->number)) == 0 && strcmp(x->text[0], y->text[0]) == 0 &&
	       strcmp(x->text[1], y->text[1]) == 0;
}

static int by_hash(const void *x_pointer, const void *y_pointer)
{
	const struct entry *x = x_pointer, *y = y_pointer;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return (x->region > y->region) - (x->region < y->region);
}

/* What the pass has to say of the regions without a mate, sorted. False: out of memory. */
static bool gather(const struct vmm__side *side, const struct vmm__match_pass *pass, struct entry **ret, size_t *ret_count)
{
	size_t capacity = 0, count = 0;
	struct vmm__match_key k;

	for (uint32_t i = 0; i < side->s->region_count; i++) {
		if (side->mate[i] != VMM_NONE || !pass->key(side, &side->s->regions[i], &k))
			continue;
		if (!vmm_grow(ret, &capacity, count + 1, sizeof(**ret)))
			return false;
		(*ret)[count++] = (struct entry){.hash = hash_of(&k), .order = k.order, .region = i};
	}
	if (count)
		qsort(*ret, count, sizeof(**ret), by_hash);
	*ret_count = count;
	return true;
}

static size_t group_end(const struct entry *v, size_t count, size_t from)
{
	size_t to = from;

	while (to < count && v[to].hash == v[from].hash)
		to++;
	return to;
}

static void pair_up(struct vmm__side *a, struct vmm__side *b, uint32_t x, uint32_t y)
{
	a->mate[x] = y;
	b->mate[y] = x;
}

/* Regions whose hashes are equal: the keys are compared too, for files choose the names that are hashed. */
static void join_group(struct vmm__side *a, struct vmm__side *b, const struct vmm__match_pass *pass, const struct entry *x,
                       size_t xn, const struct entry *y, size_t yn)
{
	struct vmm__match_key xk, yk;

	if ((pass->rule == VMM__MATCH_ALONE && (xn != 1 || yn != 1)) || (pass->rule == VMM__MATCH_EQUAL && xn != yn))
		return;
	for (size_t i = 0; i < xn && i < yn; i++) {
		const struct vmm_region *xr = &a->s->regions[x[i].region], *yr = &b->s->regions[y[i].region];

		pass->key(a, xr, &xk);
		pass->key(b, yr, &yk);
		if (equal_keys(&xk, &yk) && (!pass->fits || vmm__match_fits(a, xr, b, yr)))
			pair_up(a, b, x[i].region, y[i].region);
	}
}

bool vmm__match_join(struct vmm__side *a, struct vmm__side *b, const struct vmm__match_pass *pass)
{
	VMM_CLEANUP_FREE struct entry *x = NULL, *y = NULL;
	size_t xn = 0, yn = 0, i = 0, j = 0;

	if (!gather(a, pass, &x, &xn) || !gather(b, pass, &y, &yn))
		return false;
	while (i < xn && j < yn) {
		size_t iend = group_end(x, xn, i), jend = group_end(y, yn, j);

		if (x[i].hash == y[j].hash)
			join_group(a, b, pass, x + i, iend - i, y + j, jend - j);
		if (x[i].hash <= y[j].hash) {
			j = x[i].hash == y[j].hash ? jend : j;
			i = iend;
		} else {
			j = jend;
		}
	}
	return true;
}

/* The same place, the same thing: nearly all regions of a process that is looked at twice. Both are sorted by address. */
static void match_in_place(struct vmm__side *a, struct vmm__side *b, bool same_process)
{
	uint32_t i = 0, j = 0;

	while (i < a->s->region_count && j < b->s->region_count) {
		const struct vmm_region *x = &a->s->regions[i], *y = &b->s->regions[j];
		const struct vmm_thread *xt = vmm__region_thread(a->s, x), *yt = vmm__region_thread(b->s, y);

		if (x->start == y->start && vmm__match_fits(a, x, b, y) &&
		    !(same_process && xt && yt && xt->tid != yt->tid))
			pair_up(a, b, i, j);
		i += x->start <= y->start;
		j += y->start <= x->start;
	}
}

struct place {
	uint64_t start;
	uint32_t region;
};

static int by_start(const void *x_pointer, const void *y_pointer)
{
	const struct place *x = x_pointer, *y = y_pointer;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->region > y->region) - (x->region < y->region);
}

/* The regions without a mate by where the second side would have them. */
static bool gather_places(const struct vmm__side *side, struct place **ret, size_t *ret_count)
{
	size_t capacity = 0, count = 0;

	for (uint32_t i = 0; i < side->s->region_count; i++) {
		if (side->mate[i] != VMM_NONE)
			continue;
		if (!vmm_grow(ret, &capacity, count + 1, sizeof(**ret)))
			return false;
		(*ret)[count++] =
		    (struct place){.start = side->s->regions[i].start + (side->shift ? side->shift[i] : 0), .region = i};
	}
	if (count)
		qsort(*ret, count, sizeof(**ret), by_start);
	*ret_count = count;
	return true;
}

/* What overlaps and fits. The first that does is taken: that is enough for mappings that were cut at both ends. */
static bool match_overlapping(struct vmm__side *a, struct vmm__side *b)
{
	VMM_CLEANUP_FREE struct place *x = NULL, *y = NULL;
	size_t xn = 0, yn = 0, i = 0, j = 0;

	if (!gather_places(a, &x, &xn) || !gather_places(b, &y, &yn))
		return false;
	while (i < xn && j < yn) {
		const struct vmm_region *xr = &a->s->regions[x[i].region], *yr = &b->s->regions[y[j].region];
		uint64_t xe = x[i].start + (xr->end - xr->start), ye = yr->end;

		if (x[i].start < ye && y[j].start < xe && vmm__match_fits(a, xr, b, yr)) {
			pair_up(a, b, x[i].region, y[j].region);
			i++;
			j++;
		} else if (xe <= ye) {
			i++;
		} else {
			j++;
		}
	}
	return true;
}

/*
 * Where address spaces are laid out at random, neighbours still keep their distances: each region without a mate is
 * expected as far away as its nearest neighbour with one. False: out of memory.
 */
static bool find_shifts(struct vmm__side *a, const struct vmm__side *b)
{
	uint32_t n = a->s->region_count, below = VMM_NONE, above;
	size_t capacity = 0;

	if (!vmm_grow(&a->shift, &capacity, (size_t)n + 1, sizeof(*a->shift)))
		return false;
	memset(a->shift, 0, ((size_t)n + 1) * sizeof(*a->shift));
	for (uint32_t i = 0; i < n; i = above) {
		for (above = i; above < n && a->mate[above] == VMM_NONE; above++)
			;
		for (uint32_t j = i; j < above; j++) {
			uint64_t down = below == VMM_NONE ? UINT64_MAX : a->s->regions[j].start - a->s->regions[below].end;
			uint64_t up = above == n ? UINT64_MAX : a->s->regions[above].start - a->s->regions[j].end;
			uint32_t near = down < up ? below : above;

			if (near < n)
				a->shift[j] = b->s->regions[a->mate[near]].start - a->s->regions[near].start;
		}
		below = above;
		above += above < n;
	}
	return true;
}

static bool knows_inodes(const struct vmm_snapshot *s)
{
	for (uint32_t i = 0; i < s->vma_count; i++)
		if (s->vmas[i].inode)
			return true;
	return false;
}

static bool join_all(struct vmm__side *a, struct vmm__side *b, const struct vmm__match_pass *passes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!vmm__match_join(a, b, &passes[i]))
			return false;
	return true;
}

/* One process at two moments, or one and its fork: addresses tell. */
static bool match_same_layout(struct vmm__side *a, struct vmm__side *b)
{
	static const struct vmm__match_pass told[] = {
	    {vmm__key_image, VMM__MATCH_ORDER, false},
	    {vmm__key_object, VMM__MATCH_ORDER, false},
	    {vmm__key_named, VMM__MATCH_ORDER, false},
	};
	static const struct vmm__match_pass by_tid = {vmm__key_tid, VMM__MATCH_ORDER, false};
	static const struct vmm__match_pass by_path = {vmm__key_file, VMM__MATCH_ORDER, false};
	static const struct vmm__match_pass placed[] = {
	    {vmm__key_start, VMM__MATCH_ORDER, true},
	    {vmm__key_end, VMM__MATCH_ORDER, true},
	};
	static const struct vmm__match_pass rest[] = {
	    {vmm__key_range, VMM__MATCH_ORDER, false},
	    {vmm__key_moved, VMM__MATCH_ALONE, false},
	};
	bool same_process = vmm__same_process(a->s, b->s);

	match_in_place(a, b, same_process);
	return join_all(a, b, told, ARRAY_LEN(told)) && (!same_process || vmm__match_join(a, b, &by_tid)) &&
	       ((knows_inodes(a->s) && knows_inodes(b->s)) || vmm__match_join(a, b, &by_path)) &&
	       join_all(a, b, placed, ARRAY_LEN(placed)) && match_overlapping(a, b) && join_all(a, b, rest, ARRAY_LEN(rest));
}

/* Two processes: what things are comes first, then where they lie among them. */
static bool match_other_layout(struct vmm__side *a, struct vmm__side *b)
{
	static const struct vmm__match_pass told[] = {
	    {vmm__key_image, VMM__MATCH_ORDER, false},      {vmm__key_build_id, VMM__MATCH_ORDER, false},
	    {vmm__key_image_path, VMM__MATCH_ORDER, false}, {vmm__key_named, VMM__MATCH_ORDER, false},
	    {vmm__key_main_stack, VMM__MATCH_ORDER, false}, {vmm__key_thread_name, VMM__MATCH_ORDER, false},
	    {vmm__key_any_stack, VMM__MATCH_ORDER, false},
	};
	static const struct vmm__match_pass placed[] = {
	    {vmm__key_heap_start, VMM__MATCH_ORDER, false}, {vmm__key_heap, VMM__MATCH_ORDER, false},
	    {vmm__key_object, VMM__MATCH_ORDER, false},     {vmm__key_file, VMM__MATCH_ORDER, false},
	    {vmm__key_start, VMM__MATCH_ORDER, true},       {vmm__key_end, VMM__MATCH_ORDER, true},
	};
	static const struct vmm__match_pass rest = {vmm__key_moved, VMM__MATCH_EQUAL, false};

	return join_all(a, b, told, ARRAY_LEN(told)) && find_shifts(a, b) && join_all(a, b, placed, ARRAY_LEN(placed)) &&
	       match_overlapping(a, b) && vmm__match_join(a, b, &rest);
}

/* All regions of both, merged by address. */
static size_t merge(const struct vmm__side *a, const struct vmm__side *b, struct vmm_pair *pairs)
{
	uint32_t i = 0, j = 0;
	size_t count = 0;

	for (;;) {
		while (i < a->s->region_count && a->mate[i] != VMM_NONE)
			i++;
		if (i < a->s->region_count &&
		    (j == b->s->region_count || a->s->regions[i].start <= b->s->regions[j].start)) {
			pairs[count++] = (struct vmm_pair){i++, VMM_NONE};
		} else if (j < b->s->region_count) {
			pairs[count++] = (struct vmm_pair){b->mate[j], j};
			j++;
		} else {
			return count;
		}
	}
}

static bool side_init(struct vmm__side *side, const struct vmm_snapshot *s)
{
	size_t capacity = 0;

	side->s = s;
	if (!vmm_grow(&side->mate, &capacity, (size_t)s->region_count + 1, sizeof(*side->mate)))
		return false;
	memset(side->mate, 0xff, ((size_t)s->region_count + 1) * sizeof(*side->mate)); /* VMM_NONE */
	return true;
}

int vmm_match_regions(const struct vmm_snapshot *a, const struct vmm_snapshot *b, struct vmm_pair **ret_pairs, size_t *ret_count,
                      struct vmm_err *err)
{
	struct vmm__side x = {0}, y = {0};
	struct vmm_pair *pairs = NULL;
	size_t capacity = 0, most = (size_t)a->region_count + b->region_count;
	bool ok = side_init(&x, a) && side_init(&y, b);

	if (ok)
		ok = vmm__same_layout(a, b) ? match_same_layout(&x, &y) : match_other_layout(&x, &y);
	if (ok && vmm_grow(&pairs, &capacity, most + 1, sizeof(*pairs))) {
		*ret_count = merge(&x, &y, pairs);
		*ret_pairs = pairs;
	} else {
		ok = false;
	}
	free(x.mate);
	free(x.shift);
	free(y.mate);
	return ok ? 0 : vmm_fail_nomem(err);
}
