/* Filling struct vmm_err. Layer: base. */
#ifndef VMM_BASE_ERR_H
#define VMM_BASE_ERR_H

#include "base/base.h"
#include "vmmap/err.h"

/* Fills *err (may be NULL) and returns code, so that a caller can write: return vmm_fail(err, VMM_E_IO, errno, "..."). */
int vmm_fail(struct vmm_err *err, int code, int os, const char *format, ...) VMM_PRINTF(4, 5);
/* The same for a place in a text, counted in bytes from 1. */
int vmm_fail_column(struct vmm_err *err, int code, unsigned column, const char *format, ...) VMM_PRINTF(4, 5);
int vmm_fail_nomem(struct vmm_err *err);

#endif
