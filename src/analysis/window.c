#include "analysis/window.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define REACH_LEAST (16 * 1024)

bool vmm_window_init(struct vmm_window *w, struct vmm_target *target)
{
	memset(w, 0, sizeof(*w));
	w->target = target;
	w->reach = REACH_LEAST;
	w->bytes = vmm_alloc_hook(NULL, VMM_WINDOW_BYTES);
	return w->bytes != NULL;
}

void vmm_window_done(struct vmm_window *w)
{
	free(w->bytes);
	w->bytes = NULL;
}

static int take_run(void *arg, const struct vmm_page_run *run)
{
	struct vmm_window *w = arg;
	uint64_t start = vmm_max_u64(run->start, w->start), end = vmm_min_u64(run->end, w->end);
	int64_t n;

	if (!(run->what & VMM_PAGE_PRESENT) || run->what & VMM_PAGE_GUARD || start >= end)
		return 0;
	n = w->target->ops->read(w->target, start, w->bytes + (start - w->start), (size_t)(end - start), NULL);
	if (n < 0)
		return (int)n;
	for (uint64_t at = start; at < end && at - start + 4096 <= (uint64_t)n; at += 4096)
		w->present[(at - w->start) / 4096] = true;
	return 0;
}

static void fill(struct vmm_window *w, uint64_t address, uint64_t limit)
{
	/* Neighbours in time are neighbours in memory, mostly; where they are not, little is read in vain. */
	bool onwards = w->end > w->start && address >= w->start && address - w->start < 4 * (uint64_t)VMM_WINDOW_BYTES;

	w->reach = onwards && w->reach < VMM_WINDOW_BYTES ? w->reach * 2 : onwards ? w->reach : REACH_LEAST;
	w->start = vmm_align_down(address, 4096);
	w->end = vmm_min_u64(vmm_add_sat(w->start, w->reach), vmm_align_up(limit, 4096));
	memset(w->present, 0, sizeof(w->present));
	if (w->end <= w->start || w->target->ops->pages(w->target, w->start, w->end, 0, take_run, w, NULL) < 0) {
		w->end = w->start;
		w->gone = true;
	}
}

const unsigned char *vmm_window_get(struct vmm_window *w, uint64_t address, size_t length, uint64_t limit)
{
	uint64_t end;

	if (length == 0 || length > VMM_WINDOW_PIECE || __builtin_add_overflow(address, length, &end) || end > limit)
		return NULL;
	if (address < w->start || end > w->end)
		fill(w, address, limit);
	if (address < w->start || end > w->end)
		return NULL;
	for (uint64_t at = vmm_align_down(address, 4096); at < end; at += 4096)
		if (!w->present[(at - w->start) / 4096])
			return NULL;
	return w->bytes + (address - w->start);
}
