/*
 * What the files of the command heap share.
 * Layer: face.
 */
#ifndef VMM_FACE_CLI_HEAP_H
#define VMM_FACE_CLI_HEAP_H

#include "face/cli.h"

/* heap --chunks. Returns the exit status. */
int vmm_cli_heap_chunks(const struct vmm_args *args);
/* VMM_E_USAGE with the ids there are when no heap has this one. */
int vmm_cli_heap_check(const struct vmm_snapshot *s, const char *id, struct vmm_err *err);

#endif
