/* Totals by kind. */
#include "analysis/analysis.h"

#include <string.h>

static void type_add(struct vmm_type_total *total, const struct vmm_metrics *m, uint64_t blocks)
{
	vmm_metrics_add(&total->m, m);
	total->blocks += blocks;
	total->regions++;
	total->largest = vmm_max_u64(total->largest, m->value[VMM_METRIC_SIZE]);
}

/* Addresses without a mapping have a size and nothing else; they are in no total. */
static void add_gaps(struct vmm_snapshot *s)
{
	for (uint32_t i = 0; i < s->gap_count; i++) {
		struct vmm_metrics m;

		vmm_metrics_zero(&m);
		vmm_metric_set(&m, VMM_METRIC_SIZE, s->gaps[i].end - s->gaps[i].start);
		type_add(&s->types[s->gaps[i].kind], &m, 1);
	}
	/* Of a space whose end is not known only gaps between mappings are. */
	if (s->vma_count && !s->target.user_end) {
		struct vmm_metrics *m = &s->types[VMM_KIND_FREE].m;

		m->known &= ~(UINT32_C(1) << VMM_METRIC_SIZE);
		m->at_least |= UINT32_C(1) << VMM_METRIC_SIZE;
	}
}

/* Page tables are the kernel's memory: their bytes are known, and all of them private and resident. */
static void add_page_tables(struct vmm_snapshot *s)
{
	static const uint8_t same[] = {VMM_METRIC_SIZE, VMM_METRIC_COMMITTED, VMM_METRIC_PRIVATE, VMM_METRIC_RSS,
	                               VMM_METRIC_PSS, VMM_METRIC_USS, VMM_METRIC_LOCKED};
	struct vmm_type_total *t = &s->types[VMM_KIND_PAGE_TABLE];
	bool known = vmm_status_known(s, VMM_STATUS_VM_PTE);

	memset(&t->m, 0, sizeof(t->m));
	if (!known)
		return;
	vmm_metrics_zero(&t->m);
	/* Where the shares of no mapping are known they would be the only ones in their column. */
	if (!vmm_metric_known(&s->total.m, VMM_METRIC_PSS) && s->region_count)
		t->m.known &= ~(UINT32_C(1) << VMM_METRIC_PSS);
	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		/* Windows locks none of them for the process. */
		if (vmm_metric_known(&t->m, same[i]) && !(same[i] == VMM_METRIC_LOCKED && strcmp(s->target.arch, "windows") == 0))
			vmm_metric_set(&t->m, same[i], s->target.status[VMM_STATUS_VM_PTE]);
}

/* Where the mappings may not be read, the status still tells some totals. */
static void total_of_status(struct vmm_snapshot *s)
{
	const uint64_t *status = s->target.status;
	struct vmm_metrics *m = &s->total.m;

	memset(m, 0, sizeof(*m));
	if (vmm_status_known(s, VMM_STATUS_VM_SIZE))
		vmm_metric_set(m, VMM_METRIC_SIZE, status[VMM_STATUS_VM_SIZE]);
	if (vmm_status_known(s, VMM_STATUS_VM_RSS) && vmm_status_known(s, VMM_STATUS_HUGETLB))
		vmm_metric_set(m, VMM_METRIC_RSS, status[VMM_STATUS_VM_RSS] + status[VMM_STATUS_HUGETLB]);
	if (vmm_status_known(s, VMM_STATUS_RSS_ANON))
		vmm_metric_set(m, VMM_METRIC_ANONYMOUS, status[VMM_STATUS_RSS_ANON]);
	if (vmm_status_known(s, VMM_STATUS_HUGETLB))
		vmm_metric_set(m, VMM_METRIC_HUGETLB, status[VMM_STATUS_HUGETLB]);
	/* VmSwap leaves out swapped shmem. */
	if (vmm_status_known(s, VMM_STATUS_VM_SWAP)) {
		m->value[VMM_METRIC_SWAP] = status[VMM_STATUS_VM_SWAP];
		m->at_least |= UINT32_C(1) << VMM_METRIC_SWAP;
	}
	for (int k = 0; k < VMM_KIND_COUNT; k++)
		memset(&s->types[k].m, 0, sizeof(s->types[k].m));
}

/* What the kernel says of a mapping as a whole is known also where its parts are not: then so is the sum of all. */
static void total_of_mappings(struct vmm_snapshot *s)
{
	static const uint8_t told[] = {VMM_METRIC_RSS, VMM_METRIC_PSS, VMM_METRIC_USS, VMM_METRIC_LOCKED, VMM_METRIC_SWAP,
	                               VMM_METRIC_SWAP_PSS, VMM_METRIC_ANONYMOUS, VMM_METRIC_HUGE, VMM_METRIC_HUGETLB};
	struct vmm_metrics sum;

	vmm_metrics_zero(&sum);
	for (uint32_t i = 0; i < s->vma_count; i++)
		if (!vmm_vma_outside(s, &s->vmas[i]))
			vmm_metrics_add(&sum, &s->vmas[i].m);
	for (size_t i = 0; i < ARRAY_LEN(told); i++)
		if (s->vma_count && !vmm_metric_known(&s->total.m, told[i]) && vmm_metric_known(&sum, told[i]))
			vmm_metric_set(&s->total.m, told[i], sum.value[told[i]]);
}

static void forget(struct vmm_metrics *m)
{
	const uint32_t mask = ~(UINT32_C(1) << VMM_METRIC_USED | UINT32_C(1) << VMM_METRIC_UNUSED);

	m->known &= mask;
	m->at_least &= mask;
	m->value[VMM_METRIC_USED] = m->value[VMM_METRIC_UNUSED] = 0;
}

/* Used and unused are said of heaps; where nobody has walked one, even the sum of no heaps says nothing. */
static void forget_heaps(struct vmm_snapshot *s)
{
	bool walked = s->needs & VMM_NEED_HEAPS;

	for (int k = 0; k < VMM_KIND_COUNT; k++)
		if (!walked || (k != VMM_KIND_HEAP && k != VMM_KIND_MANAGED_HEAP))
			forget(&s->types[k].m);
	if (!walked)
		forget(&s->total.m);
}

/* Only a file stores contents; of what does not know them even an empty sum says nothing. */
static void forget_stored(struct vmm_snapshot *s)
{
	const uint32_t bit = UINT32_C(1) << VMM_METRIC_STORED;

	if ((s->total.m.known | s->total.m.at_least) & bit && s->region_count)
		return;
	for (int k = 0; k < VMM_KIND_COUNT; k++)
		s->types[k].m.known &= ~bit;
	s->total.m.known &= ~bit;
}

void vmm_totals(struct vmm_snapshot *s)
{
	for (int k = 0; k < VMM_KIND_COUNT; k++) {
		s->types[k] = (struct vmm_type_total){.kind = (enum vmm_kind)k, .counted = !s->unreadable && k != VMM_KIND_PAGE_TABLE};
		vmm_metrics_zero(&s->types[k].m);
	}
	s->total = (struct vmm_type_total){.kind = VMM_KIND_COUNT, .counted = !s->unreadable};
	vmm_metrics_zero(&s->total.m);
	for (uint32_t i = 0; i < s->region_count; i++) {
		const struct vmm_region *r = &s->regions[i];
		struct vmm_metrics m;

		if (r->outside)
			continue;
		m = *r->m;
		if (r->kind != VMM_KIND_HEAP && r->kind != VMM_KIND_MANAGED_HEAP) {
			/* Used and unused are said of heaps alone: nothing is missing from the sum. */
			vmm_metric_set(&m, VMM_METRIC_USED, 0);
			vmm_metric_set(&m, VMM_METRIC_UNUSED, 0);
		}
		type_add(&s->types[r->kind], &m, r->block_count);
		type_add(&s->total, &m, r->block_count);
	}
	add_gaps(s);
	if (s->unreadable)
		total_of_status(s);
	else
		total_of_mappings(s);
	add_page_tables(s);
	forget_heaps(s);
	forget_stored(s);
}
