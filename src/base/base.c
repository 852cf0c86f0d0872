#include "base/base.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"

bool vmm_grow(void *array, size_t *capacity, size_t need, size_t elem_size)
{
	void *old, *grown;
	size_t cap = *capacity ? *capacity : 16;
	size_t bytes;

	if (need <= *capacity)
		return true;
	while (cap < need)
		if (__builtin_add_overflow(cap, cap / 2, &cap))
			return false;
	if (__builtin_mul_overflow(cap, elem_size, &bytes))
		return false;
	memcpy(&old, array, sizeof(old));
	grown = vmm_alloc_hook(old, bytes);
	if (!grown)
		return false;
	memcpy(array, &grown, sizeof(grown));
	*capacity = cap;
	return true;
}

void vmm_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void vmm_free_pointer(void *pointer)
{
	void *p;

	memcpy(&p, pointer, sizeof(p));
	free(p);
}

uint64_t vmm_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}
