/*
 * The address space as a picture of characters: colour and letter tell the kind, giant gaps shrink to one line.
 * Layer: face.
 */
#ifndef VMM_FACE_PICTURE_H
#define VMM_FACE_PICTURE_H

#include "face/look.h"

/* At most about lines lines (0: 40) at the look's width (0: 100), with scale and legend. VMM_E_NOMEM. */
int vmm_picture_emit(struct vmm_out *out, const struct vmm_look *look, const struct vmm_snapshot *s, unsigned lines,
                     struct vmm_err *err);

#endif
