/*
 * Where stacks of threads lie.
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
#include "analysis/stack_extent.h"

#include <string.h>

#include "base/cursor.h"

#define DESCRIPTOR_BELOW 1024  /* bytes searched below the known address in the descriptor */
#define DESCRIPTOR_BELOW_ARM 3072 /* glibc's struct pthread ends where the thread pointer of arm and aarch64 points to */
#define DESCRIPTOR_ABOVE 4096  /* and above it */
#define DESCRIPTOR_TO_TOP (UINT64_C(1) << 20) /* static TLS above a descriptor at most */

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
static uint64_t read_guard(const struct vmm_stack_pass *p, struct vmm_cursor c, uint64_t size)
{
	uint64_t guard;

	if (!p->t->unnamed || !vmm_cursor_word(&c, &guard) || guard % p->s->target.page_size || guard >= size || guard > VMM_STACK_GUARD_MAX)
		return 0;
	return guard;
}

bool vmm_stack_by_descriptor(struct vmm_stack_pass *p, const struct vmm_thread *th, struct vmm_stack_extent *ret)
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
			*ret = (struct vmm_stack_extent){base, base + size, read_guard(p, c, size)};
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
static void cut_behind_descriptor(struct vmm_stack_pass *p, const struct vmm_thread *th, uint64_t start, uint64_t *end)
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
static void cut_behind_pthread(struct vmm_stack_pass *p, const struct vmm_thread *th, uint64_t start, uint64_t guard_size, uint64_t *end)
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

bool vmm_stack_by_shape(struct vmm_stack_pass *p, const struct vmm_thread *th, struct vmm_stack_extent *ret)
{
	uint64_t anchor = th->sp_known ? th->sp : th->descriptor;
	const struct vmm_vma *v = vmm_snapshot_vma_at(p->s, anchor);
	const struct vmm_vma *below = v && v > p->s->vmas ? v - 1 : NULL;
	bool guard;

	if (!v || v->backing != VMM_BACKING_ANON || !(v->prot & VMM_PROT_WRITE) || vmm_vma_is_brk(v))
		return false;
	/* gdb writes cores where everything may be read. */
	guard = below && below->end == v->start && below->backing == VMM_BACKING_ANON && below->end - below->start <= VMM_STACK_GUARD_MAX &&
	        (!vmm_vma_accessible(below) || (p->t->unnamed && !(below->prot & (VMM_PROT_WRITE | VMM_PROT_EXEC))));
	/* Without a guard only a descriptor close to the very end makes the whole mapping one stack. */
	if (!guard && (!th->descriptor || th->descriptor < v->start || th->descriptor >= v->end ||
	               v->end - th->descriptor > 2 * (uint64_t)p->s->target.page_size))
		return false;
	*ret = (struct vmm_stack_extent){.start = guard ? below->start : v->start, .end = v->end};
	if (guard) {
		cut_behind_descriptor(p, th, ret->start, &ret->end);
		cut_behind_pthread(p, th, ret->start, below->end - below->start, &ret->end);
	}
	return true;
}

uint64_t vmm_stack_descriptor(struct vmm_stack_pass *p, uint64_t start, uint64_t top)
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
