/*
 * Errors of libvmmap.
 *
 * Every function that can fail returns an int: 0 or more is success, a negative value is one of enum vmm_error.
 * The last parameter, struct vmm_err *, may be NULL; it lies on the caller's stack and owns nothing.
 * On failure the other outputs of a function are left as they were. Thread-safe: no shared state.
 */
#ifndef VMMAP_ERR_H
#define VMMAP_ERR_H

#include <stdint.h>

enum vmm_error_place {
#define VMM_ERROR(name, status, text) VMM_ERROR_PLACE_##name,
#include "vmmap/errors.def"
#undef VMM_ERROR
	VMM_ERROR_COUNT
};

enum vmm_error {
#define VMM_ERROR(name, status, text) VMM_E_##name = -1 - VMM_ERROR_PLACE_##name,
#include "vmmap/errors.def"
#undef VMM_ERROR
};

struct vmm_err {
	int code;         /* enum vmm_error, 0 when unset */
	int os;           /* errno behind it, 0 when none */
	uint64_t address; /* address in the target, 0 when none */
	unsigned column;  /* place in an expression, counted in bytes from 1; 0 when none */
	char text[300];   /* what, which, why and the remedy; one line, no line end, target's names escaped */
};

/* The standing text of a code ("not permitted"). Never NULL. */
const char *vmm_error_text(int code);

/* The exit status that the program documents for a code: 2, 3 or 4. */
int vmm_error_status(int code);

#endif
