/*
 * Finding a place in an array that is sorted by a uint64_t: addresses, mostly.
 * Layer: base.
 */
#ifndef VMM_BASE_SEARCH_H
#define VMM_BASE_SEARCH_H

#include "base/base.h"

/* For the macros: key bytes into each element of size bytes stands what the array is sorted by. */
static inline size_t vmm_search_above(const void *array, size_t count, size_t size, size_t key, uint64_t value)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const void *at = (const char *)array + middle * size + key;

		if (*(const uint64_t *)at <= value)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static inline size_t vmm_search_from(const void *array, size_t count, size_t size, size_t key, uint64_t value)
{
	return value ? vmm_search_above(array, count, size, key, value - 1) : 0;
}

/* Index of the first element whose member is above value; count when none is. The array may be NULL when count is 0. */
#define VMM_FIRST_ABOVE(array, count, member, value) \
	vmm_search_above(array, count, sizeof(*(array)), offsetof(__typeof__(*(array)), member), value)
/* The same of the first whose member is value or above. */
#define VMM_FIRST_FROM(array, count, member, value) \
	vmm_search_from(array, count, sizeof(*(array)), offsetof(__typeof__(*(array)), member), value)

#endif
