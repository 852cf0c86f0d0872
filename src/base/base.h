/*
 * What every file may use: attributes, cleanup, checked arithmetic, growable arrays.
 * Layer: base. Knows nothing of processes.
 */
#ifndef VMM_BASE_BASE_H
#define VMM_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VMM_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define VMM_CLEANUP(fn) __attribute__((cleanup(fn)))
#define VMM_UNUSED __attribute__((unused))

/* A signed number for products and sums of 64-bit ones. Where a compiler has no such integer its widest float has to do. */
#ifdef __SIZEOF_INT128__
__extension__ typedef __int128 vmm_wide;
#else
typedef long double vmm_wide;
#endif

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static inline uint64_t vmm_min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t vmm_max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Rounds to a power of two; up saturates instead of wrapping. */
static inline uint64_t vmm_align_down(uint64_t v, uint64_t to)
{
	return v & ~(to - 1);
}

static inline uint64_t vmm_align_up(uint64_t v, uint64_t to)
{
	uint64_t r;

	return __builtin_add_overflow(v, to - 1, &r) ? ~(to - 1) : vmm_align_down(r, to);
}

/* a + b, or UINT64_MAX where that does not fit. */
static inline uint64_t vmm_add_sat(uint64_t a, uint64_t b)
{
	uint64_t r;

	return __builtin_add_overflow(a, b, &r) ? UINT64_MAX : r;
}

/*
 * Makes room for need elements of elem_size bytes in *array, a heap array of *capacity elements. New elements are
 * not initialised. False: out of memory, nothing changed. Free *array with free().
 */
bool vmm_grow(void *array, size_t *capacity, size_t need, size_t elem_size);

/* Closes a descriptor, which is -1 then; -1 is ignored. For VMM_CLEANUP too. */
void vmm_close_fd(int *fd);
/* Frees a local pointer. For VMM_CLEANUP. */
void vmm_free_pointer(void *pointer);
#define VMM_CLEANUP_FREE VMM_CLEANUP(vmm_free_pointer)
#define VMM_CLEANUP_FD VMM_CLEANUP(vmm_close_fd)

/* Nanoseconds of the monotonic clock. */
uint64_t vmm_now_ns(void);

#endif
