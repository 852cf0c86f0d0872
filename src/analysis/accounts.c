/*
 * Accounts: the rows against what the kernel charges. Each says why it does not come out, or why that cannot be told.
 */
#include "analysis/analysis.h"

#include <string.h>

#include "analysis/heap_total.h"

/* Linux batches RSS counters per CPU (percpu_counter, since 6.2): at most this many pages a CPU are outstanding. */
#define BATCH_PAGES_PER_CPU 64

struct sums {
	struct vmm_metrics total;      /* of all mappings in the user address space */
	uint64_t file, shmem, shmem_swap;
	bool parts_known, swap_known, anon_known;
};

/* Resident bytes that are no private copies, by what RssFile and RssShmem count (mm_counter_file() in the kernel). */
static void add_part(struct sums *sums, const struct vmm_vma *v)
{
	bool known = vmm_metric_known(&v->m, VMM_METRIC_RSS) && vmm_metric_known(&v->m, VMM_METRIC_ANONYMOUS) &&
	             vmm_metric_known(&v->m, VMM_METRIC_HUGETLB);
	uint64_t bytes;

	if (!known) {
		sums->parts_known = false;
		return;
	}
	bytes = v->m.value[VMM_METRIC_RSS] - vmm_min_u64(v->m.value[VMM_METRIC_RSS], v->m.value[VMM_METRIC_HUGETLB] + v->m.value[VMM_METRIC_ANONYMOUS]);
	/* Secret memory is no swap-backed shmem. */
	if (v->backing == VMM_BACKING_SHMEM && strncmp(v->name, "/secretmem", 10) != 0)
		sums->shmem += bytes;
	else if (v->backing != VMM_BACKING_HUGETLB)
		sums->file += bytes;
}

static void sum_up(const struct vmm_snapshot *s, struct sums *sums)
{
	memset(sums, 0, sizeof(*sums));
	vmm_metrics_zero(&sums->total);
	sums->parts_known = true;
	for (uint32_t i = 0; i < s->vma_count; i++) {
		const struct vmm_vma *v = &s->vmas[i];

		if (vmm_vma_outside(s, v))
			continue;
		vmm_metrics_add(&sums->total, &v->m);
		add_part(sums, v);
		if (v->backing == VMM_BACKING_SHMEM)
			sums->shmem_swap += v->m.value[VMM_METRIC_SWAP];
	}
	sums->swap_known = vmm_metric_known(&sums->total, VMM_METRIC_SWAP);
	sums->anon_known = vmm_metric_known(&sums->total, VMM_METRIC_ANONYMOUS);
}

static const char *explain(const struct vmm_snapshot *s, const struct vmm_account *a, bool batched)
{
	uint64_t off = a->remainder < 0 ? 0 - (uint64_t)a->remainder : (uint64_t)a->remainder;

	if (s->unreadable)
		return "the mappings may not be read";
	if (strcmp(s->target.source, "core") == 0 && !(a->sum_known && a->kernel_known))
		return "a core does not tell it";
	if (!a->sum_known && strcmp(s->target.source, "capture") == 0)
		return "the capture does not hold it";
	if (!a->sum_known)
		return s->needs & VMM_NEED_SMAPS ? "this kernel does not tell it" : "not read: it stands in smaps, which --fast leaves out";
	if (!a->kernel_known)
		return "the kernel's counter is not told";
	if (off == 0)
		return "";
	if (s->partial)
		return "the target vanished while it was read";
	if (batched && off <= (uint64_t)s->cpus * BATCH_PAGES_PER_CPU * s->target.page_size)
		return "within what the kernel's per-CPU counters may lag behind";
	return "the target changed between the two reads";
}

static void account_add(struct vmm_snapshot *s, const struct vmm_account *made, bool batched)
{
	struct vmm_account *a = &s->accounts[s->account_count++];

	*a = *made;
	if (a->sum_known && a->kernel_known)
		a->remainder = (int64_t)(a->sum - a->kernel);
	a->explanation = explain(s, a, batched);
}

static uint64_t status_of(const struct vmm_snapshot *s, enum vmm_status_field f)
{
	return s->target.status[f];
}

static void accounts_of_rss(struct vmm_snapshot *s, const struct sums *sums)
{
	/* Kernels without hugetlb do not print HugetlbPages: nothing is charged then. */
	account_add(s,
	            &(struct vmm_account){.id = "rss", .label = "resident = VmRSS + HugetlbPages",
	                                  .sum_known = vmm_metric_known(&sums->total, VMM_METRIC_RSS),
	                                  .sum = sums->total.value[VMM_METRIC_RSS],
	                                  .kernel_known = vmm_status_known(s, VMM_STATUS_VM_RSS),
	                                  .kernel = status_of(s, VMM_STATUS_VM_RSS) + status_of(s, VMM_STATUS_HUGETLB)},
	            true);
	account_add(s,
	            &(struct vmm_account){.id = "anonymous", .label = "anonymous = RssAnon", .sum_known = sums->anon_known,
	                                  .sum = sums->total.value[VMM_METRIC_ANONYMOUS],
	                                  .kernel_known = vmm_status_known(s, VMM_STATUS_RSS_ANON),
	                                  .kernel = status_of(s, VMM_STATUS_RSS_ANON)},
	            true);
	account_add(s,
	            &(struct vmm_account){.id = "file", .label = "file pages = RssFile", .sum_known = sums->parts_known, .sum = sums->file,
	                                  .kernel_known = vmm_status_known(s, VMM_STATUS_RSS_FILE),
	                                  .kernel = status_of(s, VMM_STATUS_RSS_FILE)},
	            true);
	account_add(s,
	            &(struct vmm_account){.id = "shmem", .label = "shared memory = RssShmem", .sum_known = sums->parts_known,
	                                  .sum = sums->shmem, .kernel_known = vmm_status_known(s, VMM_STATUS_RSS_SHMEM),
	                                  .kernel = status_of(s, VMM_STATUS_RSS_SHMEM)},
	            true);
}

/* What the chunks of heaps add up to, against the mapped and resident bytes of their regions. */
static void accounts_of_heaps(struct vmm_snapshot *s)
{
	struct vmm_account size = {.id = "heaps", .label = "chunks = sizes of heaps", .sum_known = true, .kernel_known = true};
	struct vmm_account rss = {.id = "heaps_rss", .label = "resident chunks = resident heaps", .sum_known = true,
	                          .kernel_known = true};
	uint32_t proved = 0;

	for (uint32_t i = 0; i < s->heap_count; i++) {
		struct vmm_heap_accounts one;

		if (!vmm_heap_accounts(&s->heaps[i], &one))
			continue;
		proved++;
		size.sum += one.size.sum;
		rss.sum += one.rss.sum;
		size.kernel += one.size.kernel;
		rss.kernel += one.rss.kernel;
		rss.sum_known &= one.rss.sum_known;
		size.kernel_known &= one.size.kernel_known;
		rss.kernel_known &= one.rss.kernel_known;
	}
	if (!proved)
		return;
	account_add(s, &size, false);
	account_add(s, &rss, false);
	for (uint32_t i = s->account_count - 2; i < s->account_count && proved < s->heap_count; i++)
		if (!s->accounts[i].explanation[0])
			s->accounts[i].explanation = "heaps whose contents are not proved, and those inside images, are in neither sum";
}

int vmm_accounts(struct vmm_snapshot *s, struct vmm_err *err)
{
	struct sums sums;

	/* A file that tells its own totals, or one of a system that has no such counters. */
	vmm_accounts_told(s);
	if (s->accounts || strcmp(s->target.arch, "windows") == 0)
		return 0;
	/* No mm, no accounts: kernel threads and zombies. */
	if (!s->vma_count && !vmm_status_known(s, VMM_STATUS_VM_SIZE))
		return 0;
	s->accounts = vmm_arena_array(s->arena, 8, sizeof(*s->accounts));
	if (!s->accounts)
		return vmm_fail_nomem(err);
	sum_up(s, &sums);
	account_add(s,
	            &(struct vmm_account){.id = "size", .label = "sizes = VmSize", .sum_known = !s->unreadable,
	                                  .sum = sums.total.value[VMM_METRIC_SIZE],
	                                  .kernel_known = vmm_status_known(s, VMM_STATUS_VM_SIZE),
	                                  .kernel = status_of(s, VMM_STATUS_VM_SIZE)},
	            false);
	if (s->unreadable)
		memset(&sums, 0, sizeof(sums));
	accounts_of_rss(s, &sums);
	/* The kernel counts swapped shmem with the file, not with the process. */
	account_add(s,
	            &(struct vmm_account){.id = "swap", .label = "swap = VmSwap + swapped shared memory", .sum_known = sums.swap_known,
	                                  .sum = sums.total.value[VMM_METRIC_SWAP],
	                                  .kernel_known = vmm_status_known(s, VMM_STATUS_VM_SWAP),
	                                  .kernel = status_of(s, VMM_STATUS_VM_SWAP) + sums.shmem_swap},
	            true);
	accounts_of_heaps(s);
	return 0;
}
