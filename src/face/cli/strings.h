/*
 * The document of the command strings, for whoever has the target open.
 * Layer: face.
 */
#ifndef VMM_FACE_CLI_STRINGS_H
#define VMM_FACE_CLI_STRINGS_H

#include "vmmap/strings.h"
#include "vmmap/view.h"

/* Searches as q (of the table "strings") and sq ask; members of sq that are called are set here. What strings give. */
int vmm_strings_document(struct vmm_out *out, struct vmm_target *t, const struct vmm_snapshot *s, const struct vmm_query *q,
                         struct vmm_strings_query *sq, struct vmm_err *err);

#endif
