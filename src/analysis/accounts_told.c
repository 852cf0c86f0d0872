/* Accounts of what a file's own totals say, handed over by its source, against what its regions add up to. */
#include "analysis/analysis.h"

#include <string.h>

static uint64_t kind_value(const struct vmm_snapshot *s, enum vmm_kind kind, enum vmm_metric m)
{
	return s->types[kind].m.value[m];
}

/* Page tables and, of sizes, what is unusable are in the totals of VMMap and in none of ours. */
static void sum_metric(struct vmm_snapshot *s, struct vmm_account *a, enum vmm_metric m)
{
	a->sum_known = vmm_metric_known(&s->total.m, m);
	a->sum = vmm_add_sat(s->total.m.value[m], m == VMM_METRIC_LOCKED ? 0 : kind_value(s, VMM_KIND_PAGE_TABLE, m));
	if (m == VMM_METRIC_SIZE)
		a->sum = vmm_add_sat(a->sum, kind_value(s, VMM_KIND_UNUSABLE, m));
}

static void sum_up(struct vmm_snapshot *s, struct vmm_account *a)
{
	if (strcmp(a->id, "unusable") == 0 || strcmp(a->id, "free") == 0) {
		a->sum_known = true;
		a->sum = kind_value(s, a->id[0] == 'f' ? VMM_KIND_FREE : VMM_KIND_UNUSABLE, VMM_METRIC_SIZE);
		return;
	}
	if (strcmp(a->id, "private_rows") == 0) {
		a->sum_known = vmm_metric_known(&s->total.m, VMM_METRIC_PRIVATE);
		a->sum = s->total.m.value[VMM_METRIC_PRIVATE];
		return;
	}
	for (int m = 0; m < VMM_METRIC_COUNT; m++)
		if (strcmp(a->id, vmm_metric_id((enum vmm_metric)m)) == 0)
			sum_metric(s, a, (enum vmm_metric)m);
}

void vmm_accounts_told(struct vmm_snapshot *s)
{
	for (uint32_t i = 0; i < s->account_count; i++) {
		struct vmm_account *a = &s->accounts[i];

		sum_up(s, a);
		a->remainder = a->sum_known && a->kernel_known ? (int64_t)(a->sum - a->kernel) : 0;
		if (!a->sum_known || !a->kernel_known)
			a->explanation = "the file does not tell it";
		else if (a->remainder && !a->explanation[0])
			a->explanation = "the file's totals are not those of its rows";
	}
}
