/*
 * Filling a snapshot: used by sources, readers and analyses before it is sealed.
 * Layer: model.
 */
#ifndef VMM_MODEL_BUILD_H
#define VMM_MODEL_BUILD_H

#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "vmmap/snapshot.h"

/* Whether the mapping may be used at all; PROT_NONE reserves or guards. */
static inline bool vmm_vma_accessible(const struct vmm_vma *v)
{
	return (v->prot & (VMM_PROT_READ | VMM_PROT_WRITE | VMM_PROT_EXEC)) != 0;
}

/* Whether it lies above the user address space, as far as that is known: vsyscall. */
static inline bool vmm_vma_outside(const struct vmm_snapshot *s, const struct vmm_vma *v)
{
	return s->target.user_end && v->start >= s->target.user_end;
}

/* Whether the kernel says that it lies between start_brk and brk. No file can be called so: paths begin with a slash. */
static inline bool vmm_vma_is_brk(const struct vmm_vma *v)
{
	return v->inode == 0 && strcmp(v->name, "[heap]") == 0;
}

/* Whether a mapping's pages are memory: reading a device may do things. */
static inline bool vmm_vma_readable(const struct vmm_vma *v)
{
	if (v->backing == VMM_BACKING_DEVICE || v->vm_flags & (VMM_VF(io) | VMM_VF(pf)))
		return false;
	return v->backing != VMM_BACKING_SPECIAL || strcmp(v->name, "[vdso]") == 0;
}

/* An empty snapshot with its arena, all strings "" and nothing known; NULL when memory is out. */
struct vmm_snapshot *vmm_snapshot_create(void);

/* "thread 12 "name"", or "thread 12" where its name is unknown; NULL when memory is out. */
const char *vmm_thread_text(struct vmm_arena *arena, const struct vmm_thread *th);

/*
 * Adds a note, or counts one up that has the same from, code and text. Never fails: when memory is out the note is
 * lost, and the caller will hear of that itself soon enough.
 */
void vmm_snapshot_note(struct vmm_snapshot *s, const char *from, const char *code, uint64_t address, const char *format, ...)
    VMM_PRINTF(5, 6);

#endif
