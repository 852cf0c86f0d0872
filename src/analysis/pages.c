/* Page-level numbers of whole mappings. */
#include "analysis/numbers.h"

#include <string.h>

/* Mappings nearer to each other than this are walked in one call. */
#define SPAN_GAP (UINT64_C(64) << 20)

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

/* What the walk proves of a mapping. Swapped shmem pages leave no trace in the page table. */
static void mark_known(struct vmm_vma *v)
{
	static const uint8_t told[] = {VMM_METRIC_RSS, VMM_METRIC_ANONYMOUS, VMM_METRIC_HUGE, VMM_METRIC_HUGETLB};

	for (size_t i = 0; i < ARRAY_LEN(told); i++)
		vmm_metric_set(&v->m, told[i], v->m.value[told[i]]);
	if (v->backing != VMM_BACKING_SHMEM)
		vmm_metric_set(&v->m, VMM_METRIC_SWAP, v->m.value[VMM_METRIC_SWAP]);
	else
		v->m.value[VMM_METRIC_SWAP] = 0;
}

/* Walks all mappings of the user address space, skipping giant gaps. */
static int walk_all(struct vmm_target *t, struct pages_fill *p, uint32_t flags, struct vmm_err *err)
{
	const struct vmm_snapshot *s = p->s;
	uint64_t user_end = s->target.user_end;

	for (uint32_t i = 0; i < s->vma_count;) {
		uint64_t start = s->vmas[i].start, end = s->vmas[i].end;
		int rc;

		if (start >= user_end)
			break;
		for (i++; i < s->vma_count && s->vmas[i].end <= user_end && s->vmas[i].start - end < SPAN_GAP; i++)
			end = s->vmas[i].end;
		rc = t->ops->pages(t, start, end, flags, on_run, p, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void note_failure(struct vmm_snapshot *s, int rc, bool numbers)
{
	if (rc == VMM_E_DENIED)
		vmm_snapshot_note(s, "pagemap", "denied", 0,
		                  "the page map may not be read: %s and guard pages are unknown; run vmmap as the target's user or root, "
		                  "or give it CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH",
		                  numbers ? "resident and swapped bytes, numbers of sections" : "numbers of sections, committed bytes");
	else if (rc == VMM_E_UNSUPPORTED)
		vmm_snapshot_note(s, "pagemap", "unsupported", 0,
		                  "this kernel does not tell where guard pages are (Linux 6.15 does): committed bytes that they bear on are "
		                  "unknown");
}

int vmm_numbers_fill(struct vmm_target *t, struct vmm_snapshot *s, struct vmm_err *err)
{
	bool numbers = !(s->needs & VMM_NEED_SMAPS);
	struct pages_fill p = {.s = s, .numbers = numbers};
	int rc = VMM_E_UNSUPPORTED;

	if (s->needs & VMM_NEED_PAGES) {
		rc = walk_all(t, &p, numbers ? 0 : VMM_PAGES_GUARDS, err);
		if (rc == VMM_E_NOMEM || rc == VMM_E_GONE)
			return rc;
		note_failure(s, rc, numbers);
	}
	for (uint32_t i = 0; i < s->vma_count; i++) {
		struct vmm_vma *v = &s->vmas[i];

		/* What lies outside the user address space has no pages of the process's own. */
		v->guards_known = rc == 0 || v->start >= s->target.user_end;
		if (rc == 0 && numbers)
			mark_known(v);
		else if (numbers)
			v->m.value[VMM_METRIC_RSS] = v->m.value[VMM_METRIC_SWAP] = v->m.value[VMM_METRIC_ANONYMOUS] = 0;
		vmm_numbers_derive(v, v->guard_bytes, v->guards_known, &v->m);
	}
	return 0;
}
