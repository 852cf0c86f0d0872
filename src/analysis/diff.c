#include "analysis/diff.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/match.h"
#include "base/err.h"

static const struct {
	const char *id, *help;
} change_table[] = {
#define VMM_CHANGE(name, id_text, help_text) {id_text, help_text},
#include "vmmap/changes.def"
#undef VMM_CHANGE
};

const char *vmm_change_id(uint32_t what)
{
	for (unsigned i = 0; i < VMM_CHANGE_COUNT; i++)
		if ((what >> i) & 1)
			return change_table[i].id;
	return "same";
}

const char *vmm_change_id_at(unsigned place)
{
	return place < VMM_CHANGE_COUNT ? change_table[place].id : NULL;
}

const char *vmm_change_help_at(unsigned place)
{
	return place < VMM_CHANGE_COUNT ? change_table[place].help : NULL;
}

enum side_state { UNKNOWN, EXACT, BOUND };

static enum side_state state_of(const struct vmm_metrics *m, enum vmm_metric i)
{
	if (!m || ((m->known >> i) & 1))
		return EXACT;
	return (m->at_least >> i) & 1 ? BOUND : UNKNOWN;
}

struct vmm_difference vmm_difference_of(const struct vmm_metrics *a, const struct vmm_metrics *b, enum vmm_metric i)
{
	enum side_state as = state_of(a, i), bs = state_of(b, i);
	uint64_t before = a ? a->value[i] : 0, after = b ? b->value[i] : 0;
	uint64_t size = after > before ? after - before : before - after;
	struct vmm_difference d = {VMM_DIFFERENCE_UNKNOWN, 0};

	/* Two lower bounds tell nothing of their difference. */
	if (as == UNKNOWN || bs == UNKNOWN || (as == BOUND && bs == BOUND) || size > INT64_MAX)
		return d;
	d.state = as == BOUND ? VMM_DIFFERENCE_AT_MOST : bs == BOUND ? VMM_DIFFERENCE_AT_LEAST : VMM_DIFFERENCE_KNOWN;
	d.value = after > before ? (int64_t)size : -(int64_t)size;
	return d;
}

bool vmm_diff_count_change(const struct vmm_diff_counts *c, int64_t *ret_change)
{
	uint64_t before = c->value[0], after = c->value[1], size = after > before ? after - before : before - after;

	if (!c->known[0] || !c->known[1] || size > INT64_MAX)
		return false;
	*ret_change = after > before ? (int64_t)size : -(int64_t)size;
	return true;
}

uint32_t vmm__diff_numbers(const struct vmm_metrics *a, const struct vmm_metrics *b)
{
	/* The others depend on what other processes map, or on what the kernel looked at. */
	static const enum vmm_metric own[] = {VMM_METRIC_COMMITTED, VMM_METRIC_PRIVATE, VMM_METRIC_RSS,     VMM_METRIC_LOCKED,
	                                      VMM_METRIC_SWAP,      VMM_METRIC_ANONYMOUS, VMM_METRIC_DIRTY, VMM_METRIC_HUGE,
	                                      VMM_METRIC_HUGETLB,   VMM_METRIC_LAZYFREE,  VMM_METRIC_USED};
	struct vmm_difference size = vmm_difference_of(a, b, VMM_METRIC_SIZE);
	uint32_t what = 0;

	if (size.state == VMM_DIFFERENCE_KNOWN && size.value)
		what |= size.value > 0 ? VMM_CHANGE_GROWN : VMM_CHANGE_SHRUNK;
	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		struct vmm_difference d = vmm_difference_of(a, b, own[i]);

		if (d.state == VMM_DIFFERENCE_KNOWN && d.value)
			what |= VMM_CHANGE_NUMBERS;
	}
	return what;
}

/* Cores do not tell shared from private: then only the other letters are compared. */
static uint32_t comparable_set(uint32_t set, uint32_t ignored)
{
	uint32_t result = 0;

	for (uint32_t p = 0; p < 32; p++)
		if ((set >> p) & 1)
			result |= UINT32_C(1) << (p & ~ignored);
	return result;
}

static bool protection_differs(const struct vmm_region *a, const struct vmm_region *b)
{
	uint32_t ignored = 0;

	for (uint32_t p = VMM_PROT_UNKNOWN; p < 32; p++)
		if (((a->prot_set | b->prot_set) >> p) & 1)
			ignored = VMM_PROT_UNKNOWN | VMM_PROT_SHARED;
	return comparable_set(a->prot_set, ignored) != comparable_set(b->prot_set, ignored);
}

static uint32_t region_change(const struct vmm_diff *d, const struct vmm_region *a, const struct vmm_region *b)
{
	uint32_t what;

	if (!a || !b)
		return a ? VMM_CHANGE_GONE : VMM_CHANGE_NEW;
	what = vmm__diff_numbers(a->m, b->m);
	if (a->kind != b->kind)
		what |= VMM_CHANGE_TYPE;
	if (protection_differs(a, b))
		what |= VMM_CHANGE_PROTECTION;
	if (d->same_layout && (a->end <= b->start || b->end <= a->start))
		what |= VMM_CHANGE_MOVED;
	return what;
}

static bool diff_regions(struct vmm_diff *d, const struct vmm_pair *pairs, size_t count)
{
	d->regions = vmm_arena_array(d->arena, count ? count : 1, sizeof(*d->regions));
	if (!d->regions)
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct vmm_region *a = pairs[i].a != VMM_NONE ? &d->a->regions[pairs[i].a] : NULL;
		const struct vmm_region *b = pairs[i].b != VMM_NONE ? &d->b->regions[pairs[i].b] : NULL;

		d->regions[i] = (struct vmm_diff_row){.diff = d,
		                                      .by = VMM_DIFF_REGION,
		                                      .a = pairs[i].a,
		                                      .b = pairs[i].b,
		                                      .kind = b ? b->kind : a->kind,
		                                      .what = region_change(d, a, b),
		                                      .before = a ? a->m : NULL,
		                                      .after = b ? b->m : NULL,
		                                      .count = {{true, true}, {a ? a->block_count : 0, b ? b->block_count : 0}}};
	}
	d->region_count = (uint32_t)count;
	return true;
}

static void diff_type(struct vmm_diff *d, struct vmm_diff_row *row, const struct vmm_type_total *a,
                      const struct vmm_type_total *b, enum vmm_kind kind)
{
	*row = (struct vmm_diff_row){.diff = d,
	                             .by = VMM_DIFF_TYPE,
	                             .a = (uint32_t)kind,
	                             .b = (uint32_t)kind,
	                             .kind = kind,
	                             .what = vmm__diff_numbers(&a->m, &b->m),
	                             .before = &a->m,
	                             .after = &b->m,
	                             .count = {{a->counted, b->counted}, {a->regions, b->regions}}};
}

/* Adds a difference to a sum; false when it is not known or does not fit. */
static bool add(int64_t *sum, const struct vmm_metrics *a, const struct vmm_metrics *b, enum vmm_metric i)
{
	struct vmm_difference d = vmm_difference_of(a, b, i);

	return d.state == VMM_DIFFERENCE_KNOWN && !__builtin_add_overflow(*sum, d.value, sum);
}

/* Whether a type is made of regions: page tables and what is free are not. */
static bool in_total(enum vmm_kind kind)
{
	return kind != VMM_KIND_PAGE_TABLE && kind != VMM_KIND_UNUSABLE && kind != VMM_KIND_FREE;
}

static bool counts(const struct vmm_region *r)
{
	return r && !r->outside && (unsigned)r->kind < VMM_KIND_COUNT && in_total(r->kind);
}

/* Sums of differences by metric and type; bit i of unknown: some part of metric i is not known. */
struct sums {
	int64_t of[VMM_METRIC_COUNT][VMM_KIND_COUNT];
	uint32_t unknown;
};

static void sum_region(struct sums *s, const struct vmm_region *a, const struct vmm_region *b)
{
	const struct vmm_metrics *before = a ? a->m : NULL, *after = b ? b->m : NULL;
	enum vmm_kind kind = b ? b->kind : a->kind;

	for (int i = 0; i < VMM_METRIC_COUNT; i++)
		if (!((s->unknown >> i) & 1) && !add(&s->of[i][kind], before, after, (enum vmm_metric)i))
			s->unknown |= UINT32_C(1) << i;
}

/* A region that is of another type now is less of the one and more of the other. */
static void sum_regions(struct vmm_diff *d, struct sums *s)
{
	for (uint32_t i = 0; i < d->region_count; i++) {
		const struct vmm_diff_row *row = &d->regions[i];
		const struct vmm_region *a = row->a != VMM_NONE ? &d->a->regions[row->a] : NULL;
		const struct vmm_region *b = row->b != VMM_NONE ? &d->b->regions[row->b] : NULL;

		a = counts(a) ? a : NULL;
		b = counts(b) ? b : NULL;
		if (a && b && a->kind == b->kind) {
			sum_region(s, a, b);
			continue;
		}
		if (a)
			sum_region(s, a, NULL);
		if (b)
			sum_region(s, NULL, b);
	}
}

/* What the regions tell of one metric against what types and totals do. */
static void account(struct vmm_diff *d, const struct sums *s, enum vmm_metric metric)
{
	struct vmm_diff_account *account = &d->accounts[metric];

	*account = (struct vmm_diff_account){.metric = metric};
	account->known = !((s->unknown >> metric) & 1) && add(&account->total, &d->a->total.m, &d->b->total.m, metric);
	account->adds_up = true;
	for (int k = 0; k < VMM_KIND_COUNT && account->known; k++) {
		int64_t type = 0;

		if (!in_total((enum vmm_kind)k))
			continue;
		account->known = add(&type, &d->a->types[k].m, &d->b->types[k].m, metric) &&
		                 !__builtin_add_overflow(account->types, type, &account->types) &&
		                 !__builtin_add_overflow(account->regions, s->of[metric][k], &account->regions);
		account->adds_up = account->adds_up && type == s->of[metric][k];
	}
	account->adds_up = account->known && account->adds_up && account->types == account->total;
	if (!account->known)
		account->regions = account->types = account->total = 0;
}

static void diff_time(struct vmm_diff *d)
{
	const struct timespec *a = &d->a->taken_at, *b = &d->b->taken_at;
	int64_t seconds;

	d->elapsed_known = (a->tv_sec || a->tv_nsec) && (b->tv_sec || b->tv_nsec) &&
	                   !__builtin_sub_overflow((int64_t)b->tv_sec, (int64_t)a->tv_sec, &seconds) &&
	                   !__builtin_mul_overflow(seconds, INT64_C(1000000000), &d->elapsed_ns) &&
	                   !__builtin_add_overflow(d->elapsed_ns, (int64_t)b->tv_nsec - a->tv_nsec, &d->elapsed_ns);
}

static bool fill(struct vmm_diff *d, const struct vmm_pair *pairs, size_t count)
{
	struct sums sums = {0};

	d->same_process = vmm__same_process(d->a, d->b);
	d->same_layout = vmm__same_layout(d->a, d->b);
	diff_time(d);
	for (int k = 0; k < VMM_KIND_COUNT; k++)
		diff_type(d, &d->types[k], &d->a->types[k], &d->b->types[k], (enum vmm_kind)k);
	diff_type(d, &d->total, &d->a->total, &d->b->total, VMM_KIND_COUNT);
	if (!diff_regions(d, pairs, count) || !vmm__diff_heaps(d, pairs, count) || !vmm__diff_classes(d) ||
	    !vmm__diff_threads(d, pairs, count) || !vmm__diff_modules(d, pairs, count) ||
	    !vmm__diff_identities(d) || !vmm__diff_limits(d))
		return false;
	sum_regions(d, &sums);
	for (int i = 0; i < VMM_METRIC_COUNT; i++)
		account(d, &sums, (enum vmm_metric)i);
	return true;
}

int vmm_diff_create(const struct vmm_snapshot *a, const struct vmm_snapshot *b, struct vmm_diff **ret_diff, struct vmm_err *err)
{
	VMM_CLEANUP_FREE struct vmm_pair *pairs = NULL;
	struct vmm_arena *arena;
	struct vmm_diff *d;
	size_t count;
	int code = vmm_match_regions(a, b, &pairs, &count, err);

	if (code < 0)
		return code;
	arena = vmm_arena_create();
	d = arena ? vmm_arena_alloc(arena, sizeof(*d)) : NULL;
	if (d) {
		d->arena = arena;
		d->a = a;
		d->b = b;
	}
	if (!d || !fill(d, pairs, count)) {
		vmm_arena_destroy(arena);
		return vmm_fail_nomem(err);
	}
	*ret_diff = d;
	return 0;
}

void vmm_diff_destroy(struct vmm_diff *diff)
{
	if (diff)
		vmm_arena_destroy(diff->arena);
}
