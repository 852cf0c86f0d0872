/* Stacks of threads: claims, and what is told of them. stack_extent.c says where they lie. */
#include "analysis/stack_extent.h"

#include <stdio.h>
#include <string.h>

#define CACHED_LOOKS 4096      /* mappings at most whose top is searched for the descriptor of an ended thread */

struct touched {
	uint64_t lowest;      /* first present or swapped page, UINT64_MAX when none */
	uint64_t guard_end;   /* end of guard pages below it */
	uint64_t bytes;
};

static int on_touched(void *arg, const struct vmm_page_run *run)
{
	struct touched *t = arg;

	if (run->what & VMM_PAGE_GUARD) {
		if (t->lowest == UINT64_MAX)
			t->guard_end = run->end;
		return 0;
	}
	if (t->lowest == UINT64_MAX)
		t->lowest = run->start;
	t->bytes += run->end - run->start;
	return 0;
}

/* End of the guard at the bottom: inaccessible mappings, then guard pages. */
static uint64_t guard_end(const struct vmm_snapshot *s, uint64_t start, uint64_t end, uint64_t marker_end)
{
	const struct vmm_vma *v = vmm_snapshot_vma_at(s, start);

	for (; v && v < s->vmas + s->vma_count && v->start < end && !vmm_vma_accessible(v); v++)
		start = vmm_min_u64(v->end, end);
	return vmm_max_u64(start, marker_end);
}

/* Borders of the blocks: guard, what was never touched, what was. */
static int add_cuts(struct vmm_stack_pass *p, struct vmm_claim *claim, uint64_t own_guard, struct touched *touched, struct vmm_err *err)
{
	struct vmm_cut *cuts = vmm_arena_array(p->s->arena, 3, sizeof(*cuts));
	uint64_t guard;
	int rc = VMM_E_DENIED;

	if (!cuts)
		return vmm_fail_nomem(err);
	*touched = (struct touched){.lowest = UINT64_MAX};
	/* What a core holds of a stack is no less for never having been touched: one block then. */
	if (p->s->needs & VMM_NEED_PAGES && !p->t->residency_unknown)
		rc = p->t->ops->pages(p->t, claim->start, claim->end, 0, on_touched, touched, err);
	if (rc == VMM_E_NOMEM || rc == VMM_E_GONE)
		return rc;
	guard = guard_end(p->s, claim->start, claim->end, vmm_max_u64(touched->guard_end, claim->start + own_guard));
	if (guard > claim->start)
		cuts[claim->cut_count++] = (struct vmm_cut){claim->start, "guard", true};
	if (rc < 0) {
		cuts[claim->cut_count++] = (struct vmm_cut){guard, "stack", false};
	} else {
		uint64_t lowest = vmm_max_u64(vmm_min_u64(touched->lowest, claim->end), guard);

		if (lowest > guard)
			cuts[claim->cut_count++] = (struct vmm_cut){guard, "never touched", false};
		if (lowest < claim->end)
			cuts[claim->cut_count++] = (struct vmm_cut){lowest, "touched", false};
	}
	claim->cuts = cuts;
	return 0;
}

static const char *describe(struct vmm_stack_pass *p, const struct vmm_thread *th, const struct touched *touched, bool main_stack)
{
	char ns[32] = "", limit[64] = "", use[48] = "";

	for (uint32_t i = 0; main_stack && i < p->s->limit_count; i++)
		if (strcmp(p->s->limits[i].id, "stack") == 0 && p->s->limits[i].known) {
			if (p->s->limits[i].soft == UINT64_MAX)
				snprintf(limit, sizeof(limit), ", no RLIMIT_STACK");
			else
				snprintf(limit, sizeof(limit), ", RLIMIT_STACK %llu KiB", (unsigned long long)(p->s->limits[i].soft / 1024));
		}
	if (touched->bytes)
		snprintf(use, sizeof(use), ", touched %llu KiB", (unsigned long long)(touched->bytes / 1024));
	if (!th)
		return vmm_arena_printf(p->s->arena, "%s%s%s",
		                        main_stack              ? "main thread"
		                        : p->s->threads_complete ? "stack of an ended thread, kept for a new one"
		                                                 : "stack of a thread",
		                        use, limit);
	if (th->ns_tid && th->ns_tid != th->tid)
		snprintf(ns, sizeof(ns), " (%d in its namespace)", th->ns_tid);
	if (!th->name)
		return vmm_arena_printf(p->s->arena, "%s %d%s%s%s", main_stack ? "main thread" : "thread", th->tid, ns, use, limit);
	return vmm_arena_printf(p->s->arena, "%s %d%s \"%s\"%s%s", main_stack ? "main thread" : "thread", th->tid, ns, th->name, use,
	                        limit);
}

static int claim_stack(struct vmm_stack_pass *p, uint32_t thread, const struct vmm_stack_extent *x, bool main_stack, struct vmm_err *err)
{
	struct vmm_claim claim = vmm_claim_init(x->start, x->end, VMM_KIND_STACK);
	struct touched touched;
	int rc = add_cuts(p, &claim, x->guard, &touched, err);

	if (rc < 0)
		return rc;
	claim.thread = thread;
	claim.details = describe(p, thread == VMM_NONE ? NULL : &p->s->threads[thread], &touched, main_stack);
	if (!claim.details)
		return vmm_fail_nomem(err);
	return vmm_claims_add(p->c, &claim, err);
}

static uint32_t find_thread(const struct vmm_snapshot *s, int32_t tid)
{
	for (uint32_t i = 0; i < s->thread_count; i++)
		if (s->threads[i].tid == tid)
			return i;
	return VMM_NONE;
}

static int claim_main_stack(struct vmm_stack_pass *p, struct vmm_err *err)
{
	for (uint32_t i = p->s->vma_count; i-- > 0;) {
		const struct vmm_vma *v = &p->s->vmas[i];

		if (v->inode == 0 && strcmp(v->name, "[stack]") == 0) {
			struct vmm_stack_extent x = {v->start, v->end, 0};
			int rc = claim_stack(p, find_thread(p->s, p->s->target.pid), &x, true, err);

			return rc < 0 ? rc : 0;
		}
	}
	return 0;
}

/* Whether an unclaimed stretch may end in a stack: writable private memory with a guard below or inside, where those are told. */
static bool may_be_cached(const struct vmm_stack_pass *p, const struct vmm_unclaimed *u)
{
	const struct vmm_vma *v = u->mapping, *below = u->vma > 0 ? v - 1 : NULL;

	if (v->backing != VMM_BACKING_ANON || !(v->prot & VMM_PROT_WRITE) || v->name[0])
		return false;
	return p->t->unnamed || (v->guards_known && v->guard_bytes) ||
	       (below && below->end == v->start && below->backing == VMM_BACKING_ANON && !vmm_vma_accessible(below) &&
	        below->end - below->start <= VMM_STACK_GUARD_MAX);
}

/* Several stacks may lie in one stretch: each one's top is the base of the one above. */
static int claim_cached(struct vmm_stack_pass *p, struct vmm_err *err)
{
	struct vmm_unclaimed u = {.snapshot = p->s, .claims = p->c};
	struct vmm_claims found = {0};
	struct vmm_stack_pass add = {.t = p->t, .s = p->s, .c = &found};
	unsigned looks = 0;
	int rc = 0;

	while (rc >= 0 && looks < CACHED_LOOKS && !p->unreadable && vmm_unclaimed_next(&u)) {
		uint64_t top = u.end;

		while (rc >= 0 && top > u.start && looks < CACHED_LOOKS && may_be_cached(p, &u)) {
			struct vmm_thread th = {.descriptor = vmm_stack_descriptor(p, u.start, top)};
			struct vmm_stack_extent x;

			looks++;
			if (!th.descriptor || !vmm_stack_by_descriptor(p, &th, &x) || x.end != top || vmm_claims_find(p->c, x.start, false))
				break;
			rc = claim_stack(&add, VMM_NONE, &x, false, err);
			top = x.start;
		}
	}
	if (rc >= 0)
		rc = vmm_claims_merge(p->c, &found, err);
	vmm_claims_done(&found);
	return rc;
}

int vmm_claim_stacks(struct vmm_target *t, struct vmm_snapshot *s, struct vmm_claims *c, struct vmm_err *err)
{
	struct vmm_stack_pass p = {.t = t, .s = s, .c = c};
	int rc = claim_main_stack(&p, err);

	/* Descriptors first: what they prove must not be taken by the shape of a neighbour. */
	for (int by_shape = 0; by_shape < 2; by_shape++)
		for (uint32_t i = 0; i < s->thread_count && rc >= 0; i++) {
			const struct vmm_thread *th = &s->threads[i];
			struct vmm_stack_extent x;

			if (th->tid == s->target.pid || (th->sp_known && vmm_claims_find(c, th->sp, false)))
				continue;
			if (!(by_shape ? vmm_stack_by_shape(&p, th, &x) : th->descriptor && vmm_stack_by_descriptor(&p, th, &x)))
				continue;
			/* gdb's cores of i386 lack thread pointers. */
			if (!th->descriptor && t->unnamed)
				s->threads[i].descriptor = vmm_stack_descriptor(&p, x.start, x.end);
			rc = claim_stack(&p, i, &x, false, err);
		}
	if (rc >= 0)
		rc = claim_cached(&p, err);
	if (p.unreadable)
		vmm_snapshot_note(s, "stacks", "denied", 0,
		                  "thread descriptors may not be read: borders of stacks are told by guards alone; run vmmap as the "
		                  "target's user or root, or give it CAP_SYS_PTRACE");
	return rc < 0 ? rc : 0;
}
