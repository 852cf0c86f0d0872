/*
 * Stacks of threads.
 *
 * Evidence, strongest first:
 * 1. The kernel marks the main thread's stack.
 * 2. The C library's thread descriptor, which lies at the top of the stack, holds the stack's own base and size.
 *    The words are found by an identity instead of an offset: base is page-aligned, base + size is page-aligned and
 *    ends just above the descriptor, and the stack pointer lies between. That holds for glibc (struct pthread:
 *    stackblock, stackblock_size; 2.4 to 2.43, nptl/descr.h) and musl (struct pthread: map_base, map_size; 1.1 and
 *    1.2, src/internal/pthread_impl.h), needs no symbols, and tells merged stacks apart.
 * 3. A mapping that holds the stack pointer or the descriptor, with a guard directly below it.
 * glibc keeps stacks of ended threads for new ones: the descriptor at their top stays, and on x86 it begins with a
 * pointer to itself, by which it is found without a thread.
 * A stack pointer in a mapping without any of these proves only that some stack lies in there (goroutines, fibers):
 * the mapping keeps its kind, and its details name the thread.
 */
#include "analysis/claims.h"

#include <stdio.h>
#include <string.h>

#include "base/cursor.h"

#define DESCRIPTOR_BELOW 1024  /* bytes searched below the known address in the descriptor */
#define DESCRIPTOR_BELOW_ARM 3072 /* glibc's struct pthread ends where the thread pointer of arm and aarch64 points to */
#define DESCRIPTOR_ABOVE 4096  /* and above it */
#define DESCRIPTOR_TO_TOP (UINT64_C(1) << 20) /* static TLS above a descriptor at most */
#define CACHED_LOOKS 4096      /* mappings at most whose top is searched for the descriptor of an ended thread */
#define GUARD_MAX (UINT64_C(1) << 20)  /* a larger inaccessible range below is a reservation, no guard */

struct stack_pass {
	struct vmm_target *t;
	struct vmm_snapshot *s;
	struct vmm_claims *c;
	bool unreadable; /* descriptors may not be read: said once */
};

/* Checks two words of a descriptor against the identity above. */
static bool plausible_block(const struct vmm_snapshot *s, const struct vmm_thread *th, uint64_t base, uint64_t size)
{
	uint64_t page = s->target.page_size, end;

	if (base == 0 || base % page || size == 0 || size % page || __builtin_add_overflow(base, size, &end))
		return false;
	if (th->descriptor < base || th->descriptor >= end || end - th->descriptor > DESCRIPTOR_TO_TOP)
		return false;
	return !th->sp_known || (th->sp >= base && th->sp < end) || end - base >= 2 * page;
}

/* All of [start, end) must be mapped private memory, or the words were no stack. */
static bool mapped_private(const struct vmm_snapshot *s, uint64_t start, uint64_t end)
{
	const struct vmm_vma *v = vmm_snapshot_vma_at(s, start), *last = s->vmas + s->vma_count;

	for (; v && v < last && v->start <= start; v++) {
		if (v->backing == VMM_BACKING_SPECIAL || v->backing == VMM_BACKING_FILE || vmm_vma_is_brk(v))
			return false;
		start = v->end;
		if (start >= end)
			return true;
	}
	return false;
}

/*
 * The size of the guard, which glibc keeps behind base and size (nptl/descr.h: guardsize). Only asked of targets whose own
 * protections and guard pages say too little: gdb writes cores where everything may be read.
 */
static uint64_t read_guard(const struct stack_pass *p, struct vmm_cursor c, uint64_t size)
{
	uint64_t guard;

	if (!p->t->unnamed || !vmm_cursor_word(&c, &guard) || guard % p->s->target.page_size || guard >= size || guard > GUARD_MAX)
		return 0;
	return guard;
}

/* What a descriptor or the shape of mappings tells. */
struct extent {
	uint64_t start, end;
	uint64_t guard; /* bytes at the start that the C library calls so; 0: it does not tell */
};

/* Reads the stack's base and size out of the descriptor. False: not told, or nothing that fits. */
static bool read_descriptor(struct stack_pass *p, const struct vmm_thread *th, struct extent *ret)
{
	bool arm = strcmp(p->s->target.arch, "aarch64") == 0 || strcmp(p->s->target.arch, "arm") == 0;
	unsigned char bytes[DESCRIPTOR_BELOW_ARM + DESCRIPTOR_ABOVE];
	uint64_t below = arm ? DESCRIPTOR_BELOW_ARM : DESCRIPTOR_BELOW;
	uint64_t at = th->descriptor - below, end = th->descriptor + DESCRIPTOR_ABOVE, base, size;
	const struct vmm_vma *v = vmm_snapshot_vma_at(p->s, th->descriptor);
	struct vmm_err err;
	unsigned word = p->s->target.bits == 32 ? 4 : 8;
	int rc;

	if (!v || !(v->prot & VMM_PROT_READ) || p->unreadable || th->descriptor < below)
		return false;
	at = vmm_max_u64(at, v->start);
	end = vmm_min_u64(end, v->end);
	rc = vmm_target_read_present(p->t, at, bytes, end - at, NULL, &err);
	if (rc < 0) {
		p->unreadable = rc == VMM_E_DENIED;
		return false;
	}
	for (uint64_t i = 0; i + 2 * word <= end - at; i += word) {
		struct vmm_cursor c = {.p = bytes + i, .end = bytes + (end - at), .word = (uint8_t)word};

		if (vmm_cursor_word(&c, &base) && vmm_cursor_word(&c, &size) && plausible_block(p->s, th, base, size) &&
		    mapped_private(p->s, base, base + size)) {
			*ret = (struct extent){base, base + size, read_guard(p, c, size)};
			return true;
		}
	}
	return false;
}

/*
 * The kernel joins a stack with what is mapped behind it. musl's descriptor cannot be asked for, but lies above the stack
 * pointer and tells where the mapping of the stack began: struct pthread of 1.2, self at 0, map_base and map_size at 48
 * and 50 hexadecimal, one word further in 1.2.1 (src/internal/pthread_impl.h).
 */
static void cut_behind_descriptor(struct stack_pass *p, const struct vmm_thread *th, uint64_t start, uint64_t *end)
{
	enum { BEFORE = 0x58, BEHIND = 8, LOOK = 16384 };
	unsigned char bytes[LOOK];
	uint64_t at = vmm_align_up(th->sp, 8), stop = vmm_min_u64(*end, at + DESCRIPTOR_TO_TOP), page = p->s->target.page_size;

	if (!th->sp_known || p->s->target.bits != 64 || p->unreadable)
		return;
	for (; at < stop; at += LOOK - BEFORE - BEHIND) {
		size_t length = (size_t)vmm_min_u64(LOOK, stop - at);
		int rc = vmm_target_read_present(p->t, at, bytes, length, NULL, NULL);

		p->unreadable = rc == VMM_E_DENIED;
		if (rc < 0)
			return;
		for (size_t i = BEFORE; i + 16 <= length; i += 8) {
			uint64_t base, size, self[2];

			memcpy(&base, bytes + i, 8);
			memcpy(&size, bytes + i + 8, 8);
			memcpy(&self[0], bytes + i - 0x48, 8);
			memcpy(&self[1], bytes + i - 0x50, 8);
			if (base != start || size % page || size > *end - start || start + size <= at + i ||
			    (self[0] != at + i - 0x48 && self[1] != at + i - 0x50))
				continue;
			*end = start + size;
			return;
		}
	}
}

/*
 * The same for glibc, of a thread whose thread pointer is not told (cores of 32-bit arm, and of qemu): its struct pthread
 * above the stack pointer holds base, size and guard side by side (nptl/descr.h: stackblock, stackblock_size, guardsize), and
 * the mapping below shows base and guard too.
 */
static void cut_behind_pthread(struct stack_pass *p, const struct vmm_thread *th, uint64_t start, uint64_t guard_size, uint64_t *end)
{
	enum { LOOK = 16384, OVERLAP = 24 };
	unsigned char bytes[LOOK];
	uint64_t word = p->s->target.bits == 32 ? 4 : 8, page = p->s->target.page_size, base, size, guard;
	uint64_t at = vmm_align_up(th->sp, word), stop = vmm_min_u64(*end, vmm_add_sat(at, DESCRIPTOR_TO_TOP));

	if (!th->sp_known || th->descriptor || p->unreadable)
		return;
	for (; at < stop; at += LOOK - OVERLAP) {
		size_t length = (size_t)vmm_min_u64(LOOK, stop - at);
		int rc = vmm_target_read_present(p->t, at, bytes, length, NULL, NULL);

		p->unreadable = rc == VMM_E_DENIED;
		if (rc < 0)
			return;
		for (size_t i = 0; i + 3 * word <= length; i += word) {
			struct vmm_cursor c = {.p = bytes + i, .end = bytes + length, .word = (uint8_t)word};

			if (vmm_cursor_word(&c, &base) && base == start && vmm_cursor_word(&c, &size) && vmm_cursor_word(&c, &guard) &&
			    guard == guard_size && size % page == 0 && size <= *end - start && size > at + i - start) {
				*end = start + size;
				return;
			}
		}
	}
}

/* Falls back on the shape: the mapping that holds the anchor, when a guard lies below it. */
static bool shape_of_stack(struct stack_pass *p, const struct vmm_thread *th, struct extent *ret)
{
	uint64_t anchor = th->sp_known ? th->sp : th->descriptor;
	const struct vmm_vma *v = vmm_snapshot_vma_at(p->s, anchor);
	const struct vmm_vma *below = v && v > p->s->vmas ? v - 1 : NULL;
	bool guard;

	if (!v || v->backing != VMM_BACKING_ANON || !(v->prot & VMM_PROT_WRITE) || vmm_vma_is_brk(v))
		return false;
	/* gdb writes cores where everything may be read. */
	guard = below && below->end == v->start && below->backing == VMM_BACKING_ANON && below->end - below->start <= GUARD_MAX &&
	        (!vmm_vma_accessible(below) || (p->t->unnamed && !(below->prot & (VMM_PROT_WRITE | VMM_PROT_EXEC))));
	/* Without a guard only a descriptor close to the very end makes the whole mapping one stack. */
	if (!guard && (!th->descriptor || th->descriptor < v->start || th->descriptor >= v->end ||
	               v->end - th->descriptor > 2 * (uint64_t)p->s->target.page_size))
		return false;
	*ret = (struct extent){.start = guard ? below->start : v->start, .end = v->end};
	if (guard) {
		cut_behind_descriptor(p, th, ret->start, &ret->end);
		cut_behind_pthread(p, th, ret->start, below->end - below->start, &ret->end);
	}
	return true;
}

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
static int add_cuts(struct stack_pass *p, struct vmm_claim *claim, uint64_t own_guard, struct touched *touched, struct vmm_err *err)
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

static const char *describe(struct stack_pass *p, const struct vmm_thread *th, const struct touched *touched, bool main_stack)
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

static int claim_stack(struct stack_pass *p, uint32_t thread, const struct extent *x, bool main_stack, struct vmm_err *err)
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

static int claim_main_stack(struct stack_pass *p, struct vmm_err *err)
{
	for (uint32_t i = p->s->vma_count; i-- > 0;) {
		const struct vmm_vma *v = &p->s->vmas[i];

		if (v->inode == 0 && strcmp(v->name, "[stack]") == 0) {
			struct extent x = {v->start, v->end, 0};
			int rc = claim_stack(p, find_thread(p->s, p->s->target.pid), &x, true, err);

			return rc < 0 ? rc : 0;
		}
	}
	return 0;
}

/* The descriptor in the page below top whose first and third word point to itself (glibc tcbhead_t on x86); 0: none. */
static uint64_t find_descriptor(struct stack_pass *p, uint64_t start, uint64_t top)
{
	unsigned char bytes[DESCRIPTOR_ABOVE];
	unsigned word = p->s->target.bits == 32 ? 4 : 8;
	uint64_t at = vmm_max_u64(start, top - sizeof(bytes)), tcb, dtv, self;
	int rc = vmm_target_read_present(p->t, at, bytes, top - at, NULL, NULL);

	p->unreadable = rc == VMM_E_DENIED;
	for (uint64_t i = 0; rc == 0 && i + 3 * word <= top - at; i += 16) {
		struct vmm_cursor c = {.p = bytes + i, .end = bytes + (top - at), .word = (uint8_t)word};

		if (vmm_cursor_word(&c, &tcb) && vmm_cursor_word(&c, &dtv) && vmm_cursor_word(&c, &self) && tcb == at + i && self == tcb)
			return tcb;
	}
	return 0;
}

/* Whether an unclaimed stretch may end in a stack: writable private memory with a guard below or inside, where those are told. */
static bool may_be_cached(const struct stack_pass *p, const struct vmm_unclaimed *u)
{
	const struct vmm_vma *v = u->mapping, *below = u->vma > 0 ? v - 1 : NULL;

	if (v->backing != VMM_BACKING_ANON || !(v->prot & VMM_PROT_WRITE) || v->name[0])
		return false;
	return p->t->unnamed || (v->guards_known && v->guard_bytes) ||
	       (below && below->end == v->start && below->backing == VMM_BACKING_ANON && !vmm_vma_accessible(below) &&
	        below->end - below->start <= GUARD_MAX);
}

/* Several stacks may lie in one stretch: each one's top is the base of the one above. */
static int claim_cached(struct stack_pass *p, struct vmm_err *err)
{
	struct vmm_unclaimed u = {.snapshot = p->s, .claims = p->c};
	struct vmm_claims found = {0};
	struct stack_pass add = {.t = p->t, .s = p->s, .c = &found};
	unsigned looks = 0;
	int rc = 0;

	while (rc >= 0 && looks < CACHED_LOOKS && !p->unreadable && vmm_unclaimed_next(&u)) {
		uint64_t top = u.end;

		while (rc >= 0 && top > u.start && looks < CACHED_LOOKS && may_be_cached(p, &u)) {
			struct vmm_thread th = {.descriptor = find_descriptor(p, u.start, top)};
			struct extent x;

			looks++;
			if (!th.descriptor || !read_descriptor(p, &th, &x) || x.end != top || vmm_claims_find(p->c, x.start, false))
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
	struct stack_pass p = {.t = t, .s = s, .c = c};
	int rc = claim_main_stack(&p, err);

	/* Descriptors first: what they prove must not be taken by the shape of a neighbour. */
	for (int by_shape = 0; by_shape < 2; by_shape++)
		for (uint32_t i = 0; i < s->thread_count && rc >= 0; i++) {
			const struct vmm_thread *th = &s->threads[i];
			struct extent x;

			if (th->tid == s->target.pid || (th->sp_known && vmm_claims_find(c, th->sp, false)))
				continue;
			if (!(by_shape ? shape_of_stack(&p, th, &x) : th->descriptor && read_descriptor(&p, th, &x)))
				continue;
			/* gdb's cores of i386 lack thread pointers. */
			if (!th->descriptor && t->unnamed)
				s->threads[i].descriptor = find_descriptor(&p, x.start, x.end);
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
