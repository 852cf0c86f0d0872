/*
 * Filling a snapshot: used by sources, readers and analyses before it is sealed.
 * Layer: model.
 */
#ifndef VMM_MODEL_BUILD_H
#define VMM_MODEL_BUILD_H

#include "base/arena.h"
#include "base/err.h"
#include "vmmap/snapshot.h"

/* An empty snapshot with its arena, all strings "" and nothing known; NULL when memory is out. */
struct vmm_snapshot *vmm_snapshot_create(void);

/*
 * Adds a note, or counts one up that has the same from, code and text. Never fails: when memory is out the note is
 * lost, and the caller will hear of that itself soon enough.
 */
void vmm_snapshot_note(struct vmm_snapshot *s, const char *from, const char *code, uint64_t address, const char *format, ...)
    VMM_PRINTF(5, 6);

#endif
