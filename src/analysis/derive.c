#include "analysis/numbers.h"

/* Sets to = a + b where both are known. */
static void set_sum(struct vmm_metrics *m, enum vmm_metric to, enum vmm_metric a, enum vmm_metric b)
{
	if (vmm_metric_known(m, a) && vmm_metric_known(m, b))
		vmm_metric_set(m, to, vmm_add_sat(m->value[a], m->value[b]));
}

/*
 * Committed: what is accessible and either backed by an object or charged; of the rest only what is there. A mapping
 * made without reservation (nr) is promised nothing, whether private or shared.
 */
static void derive_committed(const struct vmm_vma *v, uint64_t guard_bytes, bool guards_known, struct vmm_metrics *m)
{
	uint64_t size = m->value[VMM_METRIC_SIZE];
	bool flags_known = (v->vm_flags & VMM_VF_KNOWN) != 0;
	bool whole;

	if (!vmm_vma_accessible(v)) {
		set_sum(m, VMM_METRIC_COMMITTED, VMM_METRIC_RSS, VMM_METRIC_SWAP);
		return;
	}
	switch (v->backing) {
	case VMM_BACKING_ANON:
		if (!flags_known)
			return;
		whole = (v->vm_flags & VMM_VF(ac)) != 0;
		break;
	case VMM_BACKING_SHMEM:
	case VMM_BACKING_HUGETLB:
		if (!flags_known)
			return;
		whole = !(v->vm_flags & VMM_VF(nr));
		break;
	default:
		whole = true;
	}
	if (!whole)
		set_sum(m, VMM_METRIC_COMMITTED, VMM_METRIC_RSS, VMM_METRIC_SWAP);
	else if (guards_known)
		vmm_metric_set(m, VMM_METRIC_COMMITTED, size - vmm_min_u64(guard_bytes, size));
}

/* Private: the charge to this process alone; of what is not charged, its private pages. */
static void derive_private(const struct vmm_vma *v, struct vmm_metrics *m)
{
	if (v->prot & VMM_PROT_SHARED || v->backing == VMM_BACKING_SPECIAL) {
		vmm_metric_set(m, VMM_METRIC_PRIVATE, 0);
		return;
	}
	if (!(v->vm_flags & VMM_VF_KNOWN))
		return;
	if (v->vm_flags & VMM_VF(ac)) {
		vmm_metric_set(m, VMM_METRIC_PRIVATE, m->value[VMM_METRIC_SIZE]);
		return;
	}
	set_sum(m, VMM_METRIC_PRIVATE, VMM_METRIC_ANONYMOUS, VMM_METRIC_SWAP);
	if (v->backing == VMM_BACKING_HUGETLB)
		set_sum(m, VMM_METRIC_PRIVATE, VMM_METRIC_PRIVATE, VMM_METRIC_HUGETLB);
}

static void derive_shareable(const struct vmm_vma *v, struct vmm_metrics *m)
{
	uint64_t rss, own;

	if (v->backing == VMM_BACKING_ANON) {
		vmm_metric_set(m, VMM_METRIC_SHAREABLE, 0);
		return;
	}
	if (!vmm_metric_known(m, VMM_METRIC_RSS) || !vmm_metric_known(m, VMM_METRIC_ANONYMOUS))
		return;
	if (v->backing == VMM_BACKING_HUGETLB && !(v->prot & VMM_PROT_SHARED)) {
		vmm_metric_set(m, VMM_METRIC_SHAREABLE, 0);
		return;
	}
	rss = m->value[VMM_METRIC_RSS];
	own = m->value[VMM_METRIC_ANONYMOUS];
	/* A torn read can show more private copies than pages: then the difference proves nothing. */
	if (own <= rss)
		vmm_metric_set(m, VMM_METRIC_SHAREABLE, rss - own);
}

void vmm_numbers_derive(const struct vmm_vma *v, uint64_t guard_bytes, bool guards_known, struct vmm_metrics *m)
{
	derive_committed(v, guard_bytes, guards_known, m);
	derive_private(v, m);
	derive_shareable(v, m);
}
