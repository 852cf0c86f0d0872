/* From a target to a sealed snapshot. */
#include "vmmap/vmmap.h"

#include <string.h>
#include <unistd.h>

#include "analysis/analysis.h"
#include "analysis/numbers.h"

const char *vmm_version(void)
{
	return VMM_VERSION;
}

static int analyse(struct vmm_target *t, struct vmm_snapshot *s, const struct vmm_prefetch *prefetch, struct vmm_err *err)
{
	uint64_t begin = vmm_now_ns();
	int rc = vmm_numbers_fill(t, s, prefetch, err);

	s->cost.pages_ns = vmm_now_ns() - begin;
	begin = vmm_now_ns();
	if (rc == 0)
		rc = vmm_classify(t, s, prefetch, err);
	s->cost.images_ns = vmm_now_ns() - begin;
	return rc;
}

int vmm_snapshot_settle(struct vmm_snapshot *s, struct vmm_err *err)
{
	int rc = vmm_space_gaps(s, err);

	if (rc < 0)
		return rc;
	vmm_totals(s);
	return vmm_accounts(s, err);
}

int vmm_target_snapshot(struct vmm_target *t, const struct vmm_take *take, struct vmm_snapshot **ret_snapshot, struct vmm_err *err)
{
	struct vmm_snapshot *s = vmm_snapshot_create();
	struct vmm_prefetch *prefetch;
	uint64_t begin = vmm_now_ns();
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	int rc;

	if (!s)
		return vmm_fail_nomem(err);
	s->needs = take->needs | VMM_NEED_MAPS;
	t->measured = 0;
	s->cpus = cpus > 0 ? (uint32_t)cpus : 1;
	clock_gettime(CLOCK_REALTIME, &s->taken_at);
	prefetch = t->ops->load ? NULL : vmm_prefetch_start(t, s->needs);
	rc = t->ops->load ? t->ops->load(t, take, s, err) : t->ops->fill(t, take, s, err);
	vmm_prefetch_join(prefetch);
	/* Kernel threads, zombies and targets that may not be read have no mappings to look at. */
	if (rc == 0 && s->vma_count && !t->ops->load) {
		rc = analyse(t, s, prefetch, err);
		/* What was read before the target went is still worth showing. */
		if (rc == VMM_E_GONE) {
			s->partial = true;
			vmm_snapshot_note(s, "process", "gone", 0, "the process ended while it was read: what is shown is partial");
			s->needs &= ~(uint32_t)VMM_NEED_PAGES;
			s->thread_count = 0;
			rc = vmm_classify(t, s, prefetch, err);
		}
	}
	vmm_prefetch_destroy(prefetch);
	if (rc == 0)
		rc = vmm_snapshot_settle(s, err);
	if (rc < 0) {
		vmm_snapshot_destroy(s);
		return rc;
	}
	/* A session knows what the look took that it was made of. */
	if (!s->cost.total_ns)
		s->cost.total_ns = vmm_now_ns() - begin;
	*ret_snapshot = s;
	return 0;
}
