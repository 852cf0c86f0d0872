/* The plain passes: kernel-provided mappings, files and shared memory, private memory. */
#include "analysis/claims.h"

#include <string.h>

#define GUARD_MAX (UINT64_C(64) << 10)  /* an inaccessible mapping up to this is a guard, no reservation */
#define CARVED_ALIGN (UINT64_C(1) << 20) /* runtimes begin what they reserve on such a border */
/* glibc malloc/arena.c: HEAP_MAX_SIZE, the alignment of arenas other than the main one. */
#define ARENA_ALIGN_64 (UINT64_C(64) << 20)
#define ARENA_ALIGN_32 (UINT64_C(1) << 20)

static const struct {
	const char *name, *details;
} special_names[] = {
	{"[vdso]", "[vdso]: system calls that need no kernel entry"},
	{"[vvar]", "[vvar]: clock data for the vdso"},
	{"[vvar_vclock]", "[vvar_vclock]: clock data of hypervisors"},
	{"[vsyscall]", "[vsyscall]: in the kernel's half, in no total"},
	{"[uprobes]", "[uprobes]: breakpoints of tracers"},
};

int vmm_claim_system(struct vmm_target *t, struct vmm_snapshot *s, struct vmm_claims *c, struct vmm_err *err)
{
	int rc = 0;

	for (uint32_t i = 0; i < s->vma_count && rc >= 0; i++) {
		const struct vmm_vma *v = &s->vmas[i];
		struct vmm_claim claim = vmm_claim_init(v->start, v->end, VMM_KIND_SYSTEM);

		if (v->backing != VMM_BACKING_SPECIAL)
			continue;
		claim.details = claim.path = v->name;
		for (size_t n = 0; n < ARRAY_LEN(special_names); n++)
			if (strcmp(special_names[n].name, v->name) == 0)
				claim.details = special_names[n].details;
		rc = vmm_claims_add(c, &claim, err);
	}
	return rc < 0 ? rc : 0;
}

/* Keeps the claim under construction and adds it when the next piece does not belong to it. */
struct builder {
	struct vmm_claims found;
	struct vmm_claim claim;
	const struct vmm_vma *last;
	bool open;
};

static int builder_flush(struct builder *b, struct vmm_err *err)
{
	int rc = b->open ? vmm_claims_add(&b->found, &b->claim, err) : 0;

	b->open = false;
	return rc < 0 ? rc : 0;
}

static bool same_object(const struct vmm_vma *a, const struct vmm_vma *b)
{
	return a->backing == b->backing && a->inode == b->inode && a->dev_major == b->dev_major && a->dev_minor == b->dev_minor &&
	       strcmp(a->name, b->name) == 0 && ((a->prot ^ b->prot) & VMM_PROT_SHARED) == 0;
}

static bool starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* What shared memory is called by those who use it. */
static const char *describe_memory(struct vmm_snapshot *s, const struct vmm_vma *v)
{
	const char *mode = v->prot & VMM_PROT_SHARED ? "" : ", private copy";

	if (v->backing == VMM_BACKING_HUGETLB)
		return vmm_arena_printf(s->arena, "hugetlb %s%s%s", starts(v->name, "/anon_hugepage") ? "anonymous" : v->name,
		                        v->page_size ? v->page_size >= 1 << 30 ? ", 1 GiB pages" : v->page_size == 2 << 20 ? ", 2 MiB pages" : ""
		                                     : "",
		                        mode);
	if (starts(v->name, "/memfd:"))
		return vmm_arena_printf(s->arena, "memfd \"%s\"%s", v->name + 7, mode);
	if (starts(v->name, "/SYSV"))
		return vmm_arena_printf(s->arena, "System V shared memory, key 0x%s%s", v->name + 5, mode);
	if (v->dev_major == 0 && strcmp(v->name, "/dev/zero") == 0)
		return vmm_arena_printf(s->arena, "shared anonymous memory%s", mode);
	if (starts(v->name, "[anon_shmem:"))
		return vmm_arena_printf(s->arena, "shared anonymous memory %s", v->name);
	if (starts(v->name, "/secretmem"))
		return "memfd_secret: hidden from the kernel's own map";
	return vmm_arena_printf(s->arena, "%s%s%s", v->name, v->deleted ? ", deleted" : "", mode);
}

static enum vmm_kind kind_of_object(const struct vmm_vma *v)
{
	switch (v->backing) {
	case VMM_BACKING_SHMEM:
		return VMM_KIND_SHAREABLE;
	case VMM_BACKING_HUGETLB:
		return v->prot & VMM_PROT_SHARED ? VMM_KIND_SHAREABLE : VMM_KIND_PRIVATE_DATA;
	case VMM_BACKING_DEVICE:
		return VMM_KIND_DEVICE;
	default:
		return VMM_KIND_MAPPED_FILE;
	}
}

static const char *describe_object(struct vmm_snapshot *s, const struct vmm_vma *v)
{
	if (v->backing == VMM_BACKING_SHMEM || v->backing == VMM_BACKING_HUGETLB)
		return describe_memory(s, v);
	return v->deleted ? vmm_arena_printf(s->arena, "%s, deleted", v->name) : v->name;
}

int vmm_claim_files(struct vmm_target *t, struct vmm_snapshot *s, struct vmm_claims *c, struct vmm_err *err)
{
	struct vmm_unclaimed u = {.snapshot = s, .claims = c};
	struct builder b = {0};
	int rc = 0;

	while (rc >= 0 && vmm_unclaimed_next(&u)) {
		const struct vmm_vma *v = u.mapping;

		if (v->backing == VMM_BACKING_ANON || v->backing == VMM_BACKING_SPECIAL)
			continue;
		/* One mmap() that mprotect() has split: addresses and file offsets go on together. */
		if (b.open && b.claim.end == u.start && same_object(b.last, v) &&
		    ((v->inode == 0 && vmm_vma_inode_known(v)) || b.last->offset + (b.last->end - b.last->start) == v->offset)) {
			b.claim.end = u.end;
			b.last = v;
			continue;
		}
		rc = builder_flush(&b, err);
		b.claim = vmm_claim_init(u.start, u.end, kind_of_object(v));
		b.claim.path = v->name;
		b.claim.details = describe_object(s, v);
		b.last = v;
		b.open = true;
		if (!b.claim.details)
			rc = vmm_fail_nomem(err);
	}
	if (rc >= 0)
		rc = builder_flush(&b, err);
	if (rc >= 0)
		rc = vmm_claims_merge(c, &b.found, err);
	vmm_claims_done(&b.found);
	return rc < 0 ? rc : 0;
}

static bool no_reserve(const struct vmm_vma *v)
{
	return (v->vm_flags & VMM_VF(nr)) != 0;
}

static uint64_t length_of(const struct vmm_vma *v)
{
	return v->end - v->start;
}

/*
 * Whether b, directly above a, was carved from the same reservation. has_reservation: the region so far contains one.
 * NORESERVE sticks to what is carved out by mprotect(); a runtime that maps over its reservation instead begins on a
 * round address. A small inaccessible mapping is the guard of what lies above it.
 */
static bool carved_together(const struct vmm_snapshot *s, const struct vmm_vma *a, const struct vmm_vma *b, bool has_reservation)
{
	uint64_t arena = s->target.bits == 32 ? ARENA_ALIGN_32 : ARENA_ALIGN_64;

	if (strcmp(a->name, b->name) != 0)
		return false;
	if (!vmm_vma_accessible(a) && vmm_vma_accessible(b) && no_reserve(b) && b->start % arena == 0)
		return false; /* the next arena of glibc */
	if (vmm_vma_accessible(a) && vmm_vma_accessible(b))
		return has_reservation ? no_reserve(a) == no_reserve(b) : no_reserve(a) && no_reserve(b);
	if (!vmm_vma_accessible(a) && !vmm_vma_accessible(b))
		return no_reserve(a) == no_reserve(b);
	if (vmm_vma_accessible(a)) { /* b is the reservation */
		if (length_of(b) <= GUARD_MAX && !no_reserve(b) && !has_reservation)
			return false;
		return no_reserve(a) == no_reserve(b) || has_reservation || a->start % CARVED_ALIGN == 0;
	}
	return no_reserve(a) == no_reserve(b) || (has_reservation && b->end % CARVED_ALIGN == 0);
}

static const char *describe_private(struct vmm_snapshot *s, const struct vmm_claim *claim, const struct vmm_vma *first)
{
	uint64_t reserved = 0, unpromised = 0, guards = 0;

	for (const struct vmm_vma *v = first; v < s->vmas + s->vma_count && v->start < claim->end; v++) {
		guards += v->guard_bytes;
		if (!vmm_vma_accessible(v))
			reserved += length_of(v);
		else if (no_reserve(v))
			unpromised += length_of(v);
	}
	if (first->name[0])
		return first->name;
	if (first->vm_flags & VMM_VF(gd))
		return "grows down";
	if (reserved == claim->end - claim->start)
		return reserved <= GUARD_MAX ? "inaccessible" : "reserved";
	if (unpromised == claim->end - claim->start)
		return "reserved without swap (MAP_NORESERVE)";
	if (reserved > GUARD_MAX)
		return "reservation, partly in use";
	return guards ? vmm_arena_printf(s->arena, "%llu KiB of it are guard pages", (unsigned long long)(guards / 1024)) : "";
}

/* Names the threads whose stacks lie somewhere inside memory that is more than a stack. */
static int name_fibers(struct vmm_snapshot *s, struct vmm_claims *found)
{
	for (uint32_t i = 0; i < s->thread_count; i++) {
		const struct vmm_thread *th = &s->threads[i];
		struct vmm_claim *claim;
		const char *text, *who;

		if (!th->sp_known)
			continue;
		claim = (struct vmm_claim *)vmm_claims_find(found, th->sp, false);
		if (!claim || claim->thread != VMM_NONE)
			continue;
		who = vmm_thread_text(s->arena, th);
		text = who ? vmm_arena_printf(s->arena, "%s%sholds the stack of %s", claim->details, claim->details[0] ? "; " : "", who) : NULL;
		if (!text)
			return VMM_E_NOMEM;
		claim->details = text;
		claim->thread = i;
	}
	return 0;
}

static int finish_private(struct vmm_snapshot *s, struct builder *b, const struct vmm_vma *first, struct vmm_err *err)
{
	if (b->open)
		b->claim.details = describe_private(s, &b->claim, first);
	return b->open && !b->claim.details ? vmm_fail_nomem(err) : builder_flush(b, err);
}

int vmm_claim_private(struct vmm_target *t, struct vmm_snapshot *s, struct vmm_claims *c, struct vmm_err *err)
{
	struct vmm_unclaimed u = {.snapshot = s, .claims = c};
	const struct vmm_vma *first = NULL;
	bool has_reservation = false;
	struct builder b = {0};
	int rc = 0;

	while (rc >= 0 && vmm_unclaimed_next(&u)) {
		const struct vmm_vma *v = u.mapping;

		if (b.open && b.claim.end == u.start && carved_together(s, b.last, v, has_reservation)) {
			b.claim.end = u.end;
		} else {
			rc = finish_private(s, &b, first, err);
			b.claim = vmm_claim_init(u.start, u.end, VMM_KIND_PRIVATE_DATA);
			b.open = true;
			first = v;
			has_reservation = false;
		}
		b.last = v;
		has_reservation = has_reservation || (!vmm_vma_accessible(v) && (length_of(v) > GUARD_MAX || no_reserve(v)));
	}
	if (rc >= 0)
		rc = finish_private(s, &b, first, err);
	if (rc >= 0)
		rc = name_fibers(s, &b.found) < 0 ? vmm_fail_nomem(err) : 0;
	if (rc >= 0)
		rc = vmm_claims_merge(c, &b.found, err);
	vmm_claims_done(&b.found);
	return rc < 0 ? rc : 0;
}
