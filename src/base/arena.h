/*
 * Bump arena: many small records and strings with one lifetime.
 * Layer: base. Not thread-safe. Every allocating function returns NULL when memory is out.
 */
#ifndef VMM_BASE_ARENA_H
#define VMM_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "base/base.h"

struct vmm_arena;

struct vmm_arena *vmm_arena_create(void);
/* NULL is allowed. What other arenas hold goes with the last of them. */
void vmm_arena_destroy(struct vmm_arena *a);
/* other stays until a goes too: what lies in a may point into it. Not in a circle. False: out of memory. */
bool vmm_arena_hold(struct vmm_arena *a, struct vmm_arena *other);

/* size bytes, zeroed, aligned for any type; valid until the arena is destroyed. */
void *vmm_arena_alloc(struct vmm_arena *a, size_t size);
/* count elements of elem_size bytes, zeroed; NULL also when the product overflows. */
void *vmm_arena_array(struct vmm_arena *a, size_t count, size_t elem_size);
/* A copy of length bytes plus NUL. */
char *vmm_arena_strndup(struct vmm_arena *a, const char *s, size_t length);
char *vmm_arena_strdup(struct vmm_arena *a, const char *s);
char *vmm_arena_printf(struct vmm_arena *a, const char *format, ...) VMM_PRINTF(2, 3);
/* The same pointer for equal strings: for names that repeat in thousands of records. */
const char *vmm_arena_intern(struct vmm_arena *a, const char *s, size_t length);
/* Copies an array from the heap into the arena and frees the original, also on failure (NULL). */
void *vmm_arena_adopt(struct vmm_arena *a, void *heap_array, size_t count, size_t elem_size);
/* Keeps a heap array as it is until the arena is destroyed; frees it at once and returns NULL when memory is out. */
void *vmm_arena_keep(struct vmm_arena *a, void *heap_array);

/* realloc() for everything that the library allocates; tests make its Nth call fail. */
void *vmm_alloc_hook(void *old, size_t size);
/* Makes the Nth allocation from now on fail (1 = the next), all later ones too; 0 = none. For tests. */
void vmm_alloc_fail_after(unsigned long n);

#endif
