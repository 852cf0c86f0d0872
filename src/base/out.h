/*
 * Buffered output: to a descriptor, or into memory for tests and clients.
 * Layer: base. The first error sticks; later writes are dropped. Not thread-safe.
 */
#ifndef VMM_BASE_OUT_H
#define VMM_BASE_OUT_H

#include <string.h>

#include "base/base.h"
#include "vmmap/err.h"

struct vmm_out {
	char *buffer;
	size_t used, size;
	int fd;      /* -1: into memory, the buffer grows */
	int os;      /* errno of the first error, 0 when none */
	bool failed;
	bool backslashes; /* vmm_out_escaped() leaves them as they are: paths of Windows are full of them */
};

struct vmm_out *vmm_out_create(int fd); /* public, see vmmap/view.h */
int vmm_out_finish(struct vmm_out *out, struct vmm_err *err);
/* Into memory. vmm_out_take() hands over the text, NUL-terminated, free() it; NULL when memory was out. Destroys out. */
struct vmm_out *vmm_out_create_memory(void);
char *vmm_out_take(struct vmm_out *out, size_t *ret_length);
/* Destroys out and what it holds; NULL is ignored. */
void vmm_out_discard(struct vmm_out *out);
/* Writes out what is buffered; keeps errors for vmm_out_finish. */
void vmm_out_flush(struct vmm_out *out);

/* Room for n bytes at buffer + used, n at most 64 KiB; false when output has failed. */
bool vmm_out_room_slow(struct vmm_out *out, size_t n);

static inline bool vmm_out_room(struct vmm_out *out, size_t n)
{
	return out->size - out->used >= n || vmm_out_room_slow(out, n);
}

static inline void vmm_out_char(struct vmm_out *out, char c)
{
	if (vmm_out_room(out, 1))
		out->buffer[out->used++] = c;
}

void vmm_out_bytes(struct vmm_out *out, const char *s, size_t n);

static inline void vmm_out_text(struct vmm_out *out, const char *s)
{
	vmm_out_bytes(out, s, strlen(s));
}

/* s repeated n times. */
void vmm_out_repeat(struct vmm_out *out, const char *s, size_t n);
void vmm_out_dec(struct vmm_out *out, uint64_t v);
void vmm_out_int(struct vmm_out *out, int64_t v);
/* Without prefix, lower case, at least width digits. */
void vmm_out_hex(struct vmm_out *out, uint64_t v, unsigned width);
void vmm_out_printf(struct vmm_out *out, const char *format, ...) VMM_PRINTF(2, 3);

/* A JSON string with its quotes: invalid UTF-8 bytes become U+FFFD, controls and unsafe characters \uXXXX. */
void vmm_out_json(struct vmm_out *out, const char *s);
/* A CSV field, quoted when it must be; controls and invalid bytes escaped as on a terminal. */
void vmm_out_csv(struct vmm_out *out, const char *s);
/* Text that is safe on a terminal, see vmm_escape_terminal; cut to at most width columns with an ellipsis (0: no limit). Returns the columns used. */
size_t vmm_out_escaped(struct vmm_out *out, const char *s, size_t width);

#endif
