/* Numbers of parts of a mapping: sections of an image, the touched part of a stack. */
#include "analysis/numbers.h"

#include <string.h>

#include "base/search.h"

#define TRIES 3             /* at one mapping that changes under the look */
#define MEASURED_LEAST 1000 /* mappings that may be read through for all tries; in larger targets as many as there are */

/* What the page map tells of every part. */
enum share { SHARE_RSS, SHARE_SWAP, SHARE_ANON, SHARE_EXCLUSIVE, SHARE_HUGE, SHARE_GUARD, SHARE_COUNT };

struct share_walk {
	struct vmm_vma *v;
	struct vmm_part *parts;
	uint64_t (*shares)[SHARE_COUNT];
	size_t count, at;
	uint64_t sums[SHARE_COUNT];
};

static void add_shares(uint64_t to[SHARE_COUNT], uint32_t what, uint64_t bytes)
{
	if (what & VMM_PAGE_GUARD) {
		to[SHARE_GUARD] += bytes;
		return;
	}
	if (what & VMM_PAGE_SWAPPED)
		to[SHARE_SWAP] += bytes;
	if (!(what & VMM_PAGE_PRESENT) || what & VMM_PAGE_ZERO)
		return;
	to[SHARE_RSS] += bytes;
	if (!(what & VMM_PAGE_FILE))
		to[SHARE_ANON] += bytes;
	if (what & VMM_PAGE_EXCLUSIVE)
		to[SHARE_EXCLUSIVE] += bytes;
	if (what & VMM_PAGE_HUGE)
		to[SHARE_HUGE] += bytes;
}

static int on_run(void *arg, const struct vmm_page_run *run)
{
	struct share_walk *w = arg;
	uint64_t start = vmm_max_u64(run->start, w->v->start), end = vmm_min_u64(run->end, w->v->end);

	if (start >= end)
		return 0;
	add_shares(w->sums, run->what, end - start);
	while (w->at < w->count && w->parts[w->at].end <= start)
		w->at++;
	for (size_t i = w->at; i < w->count && w->parts[i].start < end; i++)
		add_shares(w->shares[i], run->what, vmm_min_u64(w->parts[i].end, end) - vmm_max_u64(w->parts[i].start, start));
	return 0;
}

/* The metrics that a share proves, when the shares of all parts add up to the mapping's own number. */
static const struct {
	enum vmm_metric metric;
	enum share share;
} proofs[] = {
	{VMM_METRIC_RSS, SHARE_RSS},
	{VMM_METRIC_SWAP, SHARE_SWAP},
	{VMM_METRIC_ANONYMOUS, SHARE_ANON},
	{VMM_METRIC_USS, SHARE_EXCLUSIVE},
	{VMM_METRIC_HUGE, SHARE_HUGE},
};

/*
 * Gives one part its value of metric i, when that is certain: 0 where the whole mapping has 0, all resident bytes
 * where all of the mapping's resident bytes count, or the share that the page map proves.
 */
static void share_metric(const struct share_walk *w, size_t part, enum vmm_metric i)
{
	const struct vmm_metrics *whole = &w->v->m;
	const uint64_t *share = w->shares[part];

	if (!vmm_metric_known(whole, i))
		return;
	if (whole->value[i] == 0) {
		vmm_metric_set(w->parts[part].m, i, 0);
		return;
	}
	for (size_t p = 0; p < ARRAY_LEN(proofs); p++)
		if (proofs[p].metric == i && w->sums[proofs[p].share] == whole->value[i]) {
			vmm_metric_set(w->parts[part].m, i, share[proofs[p].share]);
			return;
		}
	if (vmm_metric_known(whole, VMM_METRIC_RSS) && w->sums[SHARE_RSS] == whole->value[VMM_METRIC_RSS] &&
	    whole->value[i] == whole->value[VMM_METRIC_RSS] && i != VMM_METRIC_SWAP && i != VMM_METRIC_SWAP_PSS)
		vmm_metric_set(w->parts[part].m, i, share[SHARE_RSS]);
}

/* What a core stores of a mapping are its first bytes. */
static void share_stored(const struct share_walk *w, size_t part)
{
	uint64_t stored_end = w->v->start + w->v->m.value[VMM_METRIC_STORED], start = w->parts[part].start;

	if (vmm_metric_known(&w->v->m, VMM_METRIC_STORED))
		vmm_metric_set(w->parts[part].m, VMM_METRIC_STORED, vmm_min_u64(vmm_max_u64(stored_end, start), w->parts[part].end) - start);
}

static void share_part(const struct share_walk *w, size_t part, bool guards_known)
{
	struct vmm_metrics *m = w->parts[part].m;
	static const uint8_t own[] = {VMM_METRIC_COMMITTED, VMM_METRIC_PRIVATE, VMM_METRIC_SHAREABLE};

	memset(m, 0, sizeof(*m));
	for (int i = 0; i < VMM_METRIC_COUNT; i++)
		share_metric(w, part, i);
	/* shared is what is resident and not exclusive, when the mapping's own numbers say so too. */
	if (!vmm_metric_known(m, VMM_METRIC_SHARED) && vmm_metric_known(m, VMM_METRIC_USS) && vmm_metric_known(m, VMM_METRIC_RSS) &&
	    vmm_metric_known(&w->v->m, VMM_METRIC_SHARED))
		vmm_metric_set(m, VMM_METRIC_SHARED, m->value[VMM_METRIC_RSS] - m->value[VMM_METRIC_USS]);
	vmm_metric_set(m, VMM_METRIC_SIZE, w->parts[part].end - w->parts[part].start);
	share_stored(w, part);
	/* These follow from the part's own numbers, not from the mapping's. */
	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		m->known &= ~(UINT32_C(1) << own[i]);
		m->value[own[i]] = 0;
	}
	vmm_numbers_derive(w->v, w->shares[part][SHARE_GUARD], guards_known, m);
}

/* The pages of a mapping, from the prefetch where it knows as much as is asked for. */
static int walk_pages(struct vmm_target *t, const struct vmm_prefetch *prefetch, uint32_t flags, struct share_walk *w,
                      struct vmm_err *err)
{
	const struct vmm_page_run *runs;
	uint64_t end;
	size_t count = flags ? 0 : vmm_prefetch_runs(prefetch, &runs, &end);
	int rc = 0;

	if (!count || end < w->v->end)
		return t->ops->pages(t, w->v->start, w->v->end, flags, on_run, w, err);
	for (size_t i = VMM_FIRST_ABOVE(runs, count, end, w->v->start); rc == 0 && i < count && runs[i].start < w->v->end; i++)
		rc = on_run(w, &runs[i]);
	return rc;
}

static bool is_torn(const struct share_walk *w)
{
	return vmm_metric_known(&w->v->m, VMM_METRIC_RSS) && w->sums[SHARE_RSS] != w->v->m.value[VMM_METRIC_RSS];
}

/* Reading smaps up to a mapping takes what is before it too: all tries together may not take longer than the snapshot did. */
static bool may_measure(struct vmm_target *t, const struct vmm_snapshot *s, const struct vmm_vma *v)
{
	if (!t->ops->measure || t->stopped || !(s->needs & VMM_NEED_SMAPS))
		return false;
	t->measured += VMM_FIRST_ABOVE(s->vmas, s->vma_count, start, v->start);
	return t->measured <= vmm_max_u64(MEASURED_LEAST, s->vma_count);
}

/* A mapping whose page map does not add up to its smaps, read before it: both again, one right after the other. */
static int walk_again(struct vmm_target *t, struct vmm_snapshot *s, uint32_t flags, struct share_walk *w, struct vmm_err *err)
{
	int rc = 0;

	for (int i = 0; rc == 0 && i < TRIES && is_torn(w) && may_measure(t, s, w->v); i++) {
		uint64_t rss = w->v->m.value[VMM_METRIC_RSS], seen = w->sums[SHARE_RSS];

		/* Another mapping by now: its numbers stay what they were. */
		if (t->ops->measure(t, w->v, NULL) < 0)
			break;
		memset(w->shares, 0, w->count * sizeof(*w->shares));
		memset(w->sums, 0, sizeof(w->sums));
		w->at = 0;
		rc = walk_pages(t, NULL, flags, w, err);
		if (rc == 0 && w->v->guards_known)
			w->v->guard_bytes = w->sums[SHARE_GUARD];
		vmm_numbers_derive(w->v, w->v->guard_bytes, w->v->guards_known, &w->v->m);
		/* Nothing moved: the two count differently here. */
		if (w->v->m.value[VMM_METRIC_RSS] == rss && w->sums[SHARE_RSS] == seen)
			break;
	}
	return rc;
}

int vmm_numbers_share(struct vmm_target *t, struct vmm_snapshot *s, const struct vmm_prefetch *prefetch, struct vmm_vma *v,
                      struct vmm_part *parts, size_t count, struct vmm_err *err)
{
	const struct vmm_metrics *m = &v->m;
	bool resident = !vmm_metric_known(m, VMM_METRIC_RSS) || m->value[VMM_METRIC_RSS] ||
	                !vmm_metric_known(m, VMM_METRIC_SWAP) || m->value[VMM_METRIC_SWAP] || v->guard_bytes || !v->guards_known;
	struct share_walk w = {.v = v, .parts = parts, .count = count};
	uint32_t flags = t->residency_told ? VMM_PAGES_RESIDENT : s->needs & VMM_NEED_SMAPS ? VMM_PAGES_EXCLUSIVE : 0;
	bool walked = true;
	int rc = 0;

	w.shares = vmm_arena_array(s->arena, count, sizeof(*w.shares));
	if (!w.shares)
		return vmm_fail_nomem(err);
	if (resident && s->needs & VMM_NEED_PAGES && (!t->residency_unknown || t->residency_told) && !vmm_vma_outside(s, v)) {
		rc = walk_pages(t, prefetch, flags, &w, err);
		if (rc == 0)
			rc = walk_again(t, s, flags, &w, err);
		walked = rc == 0;
	} else if (resident) {
		walked = false;
	}
	if (rc == VMM_E_NOMEM || rc == VMM_E_GONE)
		return rc;
	if (walked && is_torn(&w))
		vmm_snapshot_note(s, "pagemap", "torn", v->start,
		                  "pages came or went between two reads: numbers of some sections are unknown: look again");
	if (!walked)
		memset(w.sums, 0xff, sizeof(w.sums)); /* equal to nothing: only zeros are proved */
	for (size_t i = 0; i < count; i++)
		share_part(&w, i, v->guards_known && (walked || !v->guard_bytes));
	return 0;
}
