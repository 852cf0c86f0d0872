/* Page-level numbers of whole mappings. */
#include "analysis/numbers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Mappings nearer to each other than this are walked in one call. */
#define SPAN_GAP (UINT64_C(64) << 20)

#define PREFETCH_RUNS 500000 /* 12 MB; a target with more is walked on without a second thread */

struct vmm_prefetch {
	struct vmm_target *t;
	uint32_t flags;
	pthread_t thread;
	struct vmm_page_run *runs;
	size_t count, capacity;
	uint64_t walked_to; /* every run below is kept */
	int rc;
};

/* Stops the walk at the limit. */
static int keep_run(void *arg, const struct vmm_page_run *run)
{
	struct vmm_prefetch *p = arg;

	if (p->count == PREFETCH_RUNS || !vmm_grow(&p->runs, &p->capacity, p->count + 1, sizeof(*p->runs))) {
		p->walked_to = run->start;
		return 1;
	}
	p->runs[p->count++] = *run;
	return 0;
}

static void *prefetch_thread(void *arg)
{
	struct vmm_prefetch *p = arg;

	p->rc = p->t->ops->pages(p->t, 0, UINT64_MAX, p->flags | VMM_PAGES_WHOLE, keep_run, p, NULL);
	return NULL;
}

static uint32_t walk_flags(uint32_t needs)
{
	return needs & VMM_NEED_SMAPS ? VMM_PAGES_GUARDS : 0;
}

struct vmm_prefetch *vmm_prefetch_start(struct vmm_target *t, uint32_t needs)
{
	struct vmm_prefetch *p = needs & VMM_NEED_PAGES && !t->residency_unknown ? vmm_alloc_hook(NULL, sizeof(*p)) : NULL;

	if (!p)
		return NULL;
	*p = (struct vmm_prefetch){.t = t, .flags = walk_flags(needs), .walked_to = UINT64_MAX};
	if (pthread_create(&p->thread, NULL, prefetch_thread, p) == 0)
		return p;
	free(p);
	return NULL;
}

void vmm_prefetch_join(struct vmm_prefetch *p)
{
	if (p)
		pthread_join(p->thread, NULL);
}

size_t vmm_prefetch_runs(const struct vmm_prefetch *p, const struct vmm_page_run **ret_runs, uint64_t *ret_end)
{
	/* At the limit the walk was stopped with 1. */
	if (!p || p->flags & VMM_PAGES_GUARDS || p->rc < 0)
		return 0;
	*ret_runs = p->runs;
	*ret_end = p->walked_to;
	return p->count;
}

void vmm_prefetch_destroy(struct vmm_prefetch *p)
{
	if (p)
		free(p->runs);
	free(p);
}

struct pages_fill {
	struct vmm_snapshot *s;
	uint32_t vma; /* runs rise: the search goes on from here */
	bool numbers; /* rss and swap too, not only guards */
};

static void add_metric(struct vmm_metrics *m, enum vmm_metric i, uint64_t bytes)
{
	m->value[i] += bytes;
}

/* Adds a run of pages to a set of numbers; page tables say nothing of who else maps a page. */
static void add_run(struct vmm_vma *v, uint32_t what, uint64_t bytes)
{
	if (what & VMM_PAGE_GUARD) {
		v->guard_bytes += bytes;
		return;
	}
	if (what & VMM_PAGE_SWAPPED)
		add_metric(&v->m, VMM_METRIC_SWAP, bytes);
	if (!(what & VMM_PAGE_PRESENT) || what & VMM_PAGE_ZERO)
		return;
	add_metric(&v->m, VMM_METRIC_RSS, bytes);
	if (v->backing == VMM_BACKING_HUGETLB)
		add_metric(&v->m, VMM_METRIC_HUGETLB, bytes);
	else if (!(what & VMM_PAGE_FILE))
		add_metric(&v->m, VMM_METRIC_ANONYMOUS, bytes);
	if (what & VMM_PAGE_HUGE || v->backing == VMM_BACKING_HUGETLB)
		add_metric(&v->m, VMM_METRIC_HUGE, bytes);
}

static int on_run(void *arg, const struct vmm_page_run *run)
{
	struct pages_fill *p = arg;
	struct vmm_snapshot *s = p->s;

	while (p->vma < s->vma_count && s->vmas[p->vma].end <= run->start)
		p->vma++;
	for (uint32_t i = p->vma; i < s->vma_count && s->vmas[i].start < run->end; i++) {
		struct vmm_vma *v = &s->vmas[i];
		uint64_t start = vmm_max_u64(v->start, run->start), end = vmm_min_u64(v->end, run->end);

		if (p->numbers || run->what & VMM_PAGE_GUARD)
			add_run(v, run->what, end - start);
	}
	return 0;
}

static void forget(struct vmm_vma *v, enum vmm_metric i)
{
	v->m.value[i] = 0;
	v->m.known &= ~(UINT32_C(1) << i);
}

/*
 * What the walk proves of a mapping. Swapped shmem pages leave no trace in the page table. Pages of drivers can be
 * mapped without being anybody's memory, which Rss leaves out and the page table does not tell; of the kernel's own
 * mappings that holds for vvar.
 */
static void mark_known(struct vmm_vma *v)
{
	static const uint8_t told[] = {VMM_METRIC_RSS, VMM_METRIC_ANONYMOUS, VMM_METRIC_HUGE, VMM_METRIC_HUGETLB};
	bool driver = v->backing == VMM_BACKING_DEVICE && v->m.value[VMM_METRIC_RSS];

	for (size_t i = 0; i < ARRAY_LEN(told); i++) {
		if (v->backing == VMM_BACKING_SPECIAL && strncmp(v->name, "[vvar", 5) == 0)
			v->m.value[told[i]] = 0;
		if (driver)
			forget(v, told[i]);
		else
			vmm_metric_set(&v->m, told[i], v->m.value[told[i]]);
	}
	if (v->backing == VMM_BACKING_SHMEM)
		forget(v, VMM_METRIC_SWAP);
	else
		vmm_metric_set(&v->m, VMM_METRIC_SWAP, v->m.value[VMM_METRIC_SWAP]);
}

/* Walks the mappings of the user address space from an address on, skipping giant gaps. */
static int walk_from(struct vmm_target *t, struct pages_fill *p, uint64_t from, uint32_t flags, struct vmm_err *err)
{
	const struct vmm_snapshot *s = p->s;
	uint64_t user_end = s->target.user_end;

	for (uint32_t i = 0; i < s->vma_count;) {
		uint64_t start = s->vmas[i].start, end = s->vmas[i].end;
		int rc = 0;

		if (start >= user_end)
			break;
		for (i++; i < s->vma_count && s->vmas[i].end <= user_end && s->vmas[i].start - end < SPAN_GAP; i++)
			end = s->vmas[i].end;
		start = vmm_max_u64(start, from);
		if (start < end)
			rc = t->ops->pages(t, start, end, flags, on_run, p, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int walk_all(struct vmm_target *t, struct pages_fill *p, const struct vmm_prefetch *prefetch, struct vmm_err *err)
{
	uint64_t from = 0;

	if (prefetch && prefetch->rc < 0 && prefetch->rc != VMM_E_UNSUPPORTED)
		return prefetch->rc;
	if (prefetch && prefetch->rc >= 0) {
		for (size_t i = 0; i < prefetch->count; i++)
			on_run(p, &prefetch->runs[i]);
		from = prefetch->walked_to;
	}
	return from == UINT64_MAX ? 0 : walk_from(t, p, from, walk_flags(p->s->needs), err);
}

static void note_failure(const struct vmm_target *t, struct vmm_snapshot *s, int rc, bool numbers)
{
	if (rc == VMM_E_DENIED)
		vmm_snapshot_note(s, "pagemap", "denied", 0,
		                  "the page map may not be read: %s and guard pages are unknown; run vmmap as the target's user or root, "
		                  "or give it CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH",
		                  numbers ? "resident and swapped bytes, numbers of sections" : "numbers of sections, committed bytes");
	else if (rc == VMM_E_UNSUPPORTED && t->ops->stop) /* what does not run says itself what it lacks */
		vmm_snapshot_note(s, "pagemap", "unsupported", 0,
		                  "this kernel does not tell where guard pages are (Linux 6.15 does): committed bytes that they bear on are "
		                  "unknown");
}

int vmm_numbers_fill(struct vmm_target *t, struct vmm_snapshot *s, const struct vmm_prefetch *prefetch, struct vmm_err *err)
{
	bool numbers = !(s->needs & VMM_NEED_SMAPS) && !t->residency_unknown;
	struct pages_fill p = {.s = s, .numbers = numbers};
	int rc = VMM_E_UNSUPPORTED;

	/*
	 * Where pages() tells what was stored, neither numbers nor guards can be learnt from it, but for guards that a core's
	 * sidecar tells: beside smaps it is asked for these alone.
	 */
	if (s->needs & VMM_NEED_PAGES && (!t->residency_unknown || (t->guards_told && s->needs & VMM_NEED_SMAPS))) {
		rc = walk_all(t, &p, prefetch, err);
		if (rc == VMM_E_NOMEM || rc == VMM_E_GONE)
			return rc;
		note_failure(t, s, rc, numbers);
	}
	for (uint32_t i = 0; i < s->vma_count; i++) {
		struct vmm_vma *v = &s->vmas[i];

		/* What lies outside the user address space has no pages of the process's own. */
		v->guards_known = rc == 0 || (vmm_vma_outside(s, v) && !t->residency_unknown);
		if (rc == 0 && numbers)
			mark_known(v);
		else if (numbers)
			v->m.value[VMM_METRIC_RSS] = v->m.value[VMM_METRIC_SWAP] = v->m.value[VMM_METRIC_ANONYMOUS] = 0;
		vmm_numbers_derive(v, v->guard_bytes, v->guards_known, &v->m);
	}
	return 0;
}
