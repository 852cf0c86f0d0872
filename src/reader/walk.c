/*
 * Driving the walks: each heap is walked, walked again when it does not add up, and given up with a note. A heap counts
 * as proved when its reader found nothing wrong and its chunks tile the mapped bytes of its areas exactly.
 */
#include "reader/walk.h"

#include <stdlib.h>

#include "base/search.h"
#include "reader/walk_memory.h"
#include "reader/walk_sums.h"

#define TRIES 4 /* of a heap that changes while it is read */
#define AGAIN_MAX 32
#define PATIENCE_NS (UINT64_C(30) * 1000000) /* a small heap is tried more often: one of the looks may be quick enough */
#define RESTARTS_MAX 2
#define BUDGET_BASE (UINT64_C(64) << 20)
#define BUDGET_TIMES 6 /* bytes copied for each byte of the heap, at most */
#define TIME_BASE_NS (UINT64_C(20) * 1000000000)
#define TIME_PER_GIB_NS (UINT64_C(10) * 1000000000)

/* Mapped bytes of [start, end) as the snapshot has them. */
static uint64_t mapped_bytes(const struct vmm_snapshot *s, uint64_t start, uint64_t end)
{
	uint64_t sum = 0;

	for (size_t i = VMM_FIRST_ABOVE(s->vmas, s->vma_count, end, start); i < s->vma_count && s->vmas[i].start < end; i++)
		sum += vmm_min_u64(s->vmas[i].end, end) - vmm_max_u64(s->vmas[i].start, start);
	return sum;
}

static uint64_t total_of(const struct vmm_chunk_sums *sums)
{
	uint64_t sum = 0;

	for (int i = 0; i < VMM_CHUNK_STATE_COUNT; i++)
		sum += sums->of[i].bytes;
	return sum;
}

static void flush_batch(struct vmm_walk *w)
{
	struct vmm_chunk_batch b = {&w->r->heaps[w->heap].heap, 0, 0, w->batch, w->batch_count};
	uint64_t begin;

	if (w->batch_count && !w->stop) {
		b.region_start = w->area->start;
		b.region_end = w->area->end;
		/* Its time is its own: it may write to a pipe whose reader is in no hurry. */
		begin = vmm_now_ns();
		w->stop = w->consumer->chunks(w->consumer->arg, &b);
		vmm_walk_memory_extend(w->memory, vmm_now_ns() - begin);
	}
	w->batch_count = 0;
}

/* Ends the area under way, if any: its chunks must tile it. */
static void end_area(struct vmm_walk *w)
{
	struct vmm_area *area;
	struct vmm_chunk_sums *sums;

	if (!w->area)
		return;
	flush_batch(w);
	vmm_walk_sums_drain(w);
	area = &w->r->areas[w->area - w->r->areas];
	w->area = NULL;
	w->run_start = w->run_end = 0;
	if (w->broken || w->stop)
		return;
	if (total_of(vmm_walk_sums_of_area(w->sums)) != mapped_bytes(w->r->snapshot, area->start, area->end)) {
		vmm_walk_broken(w, area->start, "its chunks do not add up to its mappings");
		return;
	}
	sums = vmm_arena_alloc(w->r->snapshot->arena, sizeof(*sums));
	if (sums)
		*sums = *vmm_walk_sums_of_area(w->sums);
	else
		w->stop = VMM_E_NOMEM;
	area->sums = sums;
}

void vmm_walk_area(struct vmm_walk *w, const struct vmm_area *area)
{
	end_area(w);
	w->area = area;
	vmm_walk_sums_area(w->sums, area);
}

bool vmm_walk_next_area(struct vmm_walk *w, const struct vmm_area **area)
{
	const struct vmm_area *a = *area ? *area + 1 : w->r->areas, *end = w->r->areas + w->r->area_count;

	while (a < end && a->heap != w->heap)
		a++;
	if (a >= end || w->broken || w->stop)
		return false;
	*area = a;
	vmm_walk_area(w, a);
	return true;
}

void vmm_walk_chunk_any(struct vmm_walk *w, uint64_t start, uint64_t size, uint32_t lead, uint32_t tail, enum vmm_chunk_state state)
{
	uint64_t from, to;
	uint32_t what;

	if (!w->area || lead + (uint64_t)tail > size) {
		vmm_walk_broken(w, start, "a chunk smaller than its header");
		return;
	}
	vmm_walk_sums_add(w, start, size, lead, tail, state);
	what = vmm_walk_memory_run(w->memory, start, &from, &to);
	if (what & VMM_PAGE_PRESENT && !(what & VMM_PAGE_ZERO) && w->totals_only) {
		w->small_used = true;
		w->run_start = vmm_max_u64(from, w->area->start);
		w->run_end = vmm_min_u64(to, w->area->end);
	}
	if (!w->consumer)
		return;
	if (w->batch_count == VMM_WALK_BATCH)
		flush_batch(w);
	w->batch[w->batch_count++] = (struct vmm_chunk){start, size, start + lead, size - lead - tail, (uint8_t)state};
}

void vmm_walk_rest(struct vmm_walk *w, uint64_t start, uint64_t end, enum vmm_chunk_state state)
{
	const struct vmm_snapshot *s = w->r->snapshot;

	if (start >= end)
		return;
	for (size_t i = VMM_FIRST_ABOVE(s->vmas, s->vma_count, end, start); i < s->vma_count && s->vmas[i].start < end; i++) {
		uint64_t from = vmm_max_u64(s->vmas[i].start, start);

		vmm_walk_chunk_any(w, from, vmm_min_u64(s->vmas[i].end, end) - from, 0, 0, state);
	}
}

void vmm_walk_trim(struct vmm_walk *w, uint64_t start, uint64_t end)
{
	vmm_walk_sums_trim(w, start, end);
}

void vmm_walk_broken(struct vmm_walk *w, uint64_t address, const char *text)
{
	if (w->broken)
		return;
	w->broken = true;
	w->broken_at = address;
	w->broken_text = text;
}

static void begin_try(struct vmm_walk *w, bool first)
{
	uint64_t size = 0, now = vmm_now_ns();

	for (size_t i = 0; i < w->r->area_count; i++)
		if (w->r->areas[i].heap == w->heap) {
			size += w->r->areas[i].end - w->r->areas[i].start;
			w->r->areas[i].sums = NULL;
		}
	memset(w->small, 0, sizeof(w->small));
	w->small_padding = 0;
	w->small_used = false;
	w->run_start = w->run_end = 0;
	w->batch_count = 0;
	w->broken = false;
	vmm_walk_sums_reset(w->sums);
	vmm_walk_memory_reset(w->memory, first, BUDGET_BASE + BUDGET_TIMES * size, now + TIME_BASE_NS + (size >> 30) * TIME_PER_GIB_NS);
}

/* One try at one heap. */
static int try_walk(struct vmm_walk *w, bool first, struct vmm_err *err)
{
	const struct vmm_found_heap *f = &w->r->heaps[w->heap];
	int rc;

	begin_try(w, first);
	rc = f->reader->walk(w, f->data, err);
	end_area(w);
	if (rc == 0 && w->stop == VMM_E_NOMEM)
		return vmm_fail_nomem(err);
	if (rc == 0 && w->stop)
		return w->stop;
	if (rc == 0 && vmm_walk_memory_trouble(w->memory)) {
		w->broken = true;
		w->broken_text = vmm_walk_memory_trouble(w->memory);
	}
	return rc;
}

/* What does not run does not change: looking again shows the same, but to readers that try something else then. */
static bool runs(const struct vmm_walk *w)
{
	return w->r->target->ops->stop != NULL;
}

static const char *broken_remedy(struct vmm_walk *w)
{
	uint64_t from, to;

	if (vmm_walk_swapped(w, w->broken_at))
		return "that page is swapped out, and reading it would bring it back";
	if (runs(w))
		return "if the program is changing it just now, --stop holds it still";
	return vmm_walk_memory_run(w->memory, w->broken_at, &from, &to) & VMM_PAGE_PRESENT
	           ? "the program was changing it just then, or has damaged it"
	           : "what stands there is not in the file";
}

static void note_broken(struct vmm_walk *w)
{
	const struct vmm_heap *h = &w->r->heaps[w->heap].heap;

	/* Sums that do not add up do so at no place. */
	if (!w->broken_at)
		vmm_snapshot_note(w->r->snapshot, "heaps", "unproved", 0, "%s: %s: what is in it is not known; %s", h->label,
		                  w->broken_text, broken_remedy(w));
	else
		vmm_snapshot_note(w->r->snapshot, "heaps", "unproved", w->broken_at, "%s: %s at 0x%llx: what is in it is not known; %s",
		                  h->label, w->broken_text, (unsigned long long)w->broken_at, broken_remedy(w));
}

static int walk_heap(struct vmm_walk *w, struct vmm_err *err)
{
	struct vmm_found_heap *f = &w->r->heaps[w->heap];
	uint64_t begin = vmm_now_ns();
	int tries = TRIES, rc = 0;

	/* A consumer has had its chunks, and cannot give them back. */
	for (unsigned again = 0; again < AGAIN_MAX; again++) {
		w->again = false;
		rc = try_walk(w, again == 0, err);
		if (rc != 0 || vmm_walk_memory_trouble(w->memory) || (!w->again && !w->broken))
			break;
		if (w->consumer || (--tries <= 0 && (!runs(w) || vmm_now_ns() - begin > PATIENCE_NS)))
			break;
	}
	if (rc == 0 && w->again)
		vmm_walk_broken(w, 0, "it cannot be told for certain");
	if (rc != 0)
		return rc;
	f->heap.proved = false;
	f->heap.contents = NULL;
	if (w->broken) {
		for (size_t i = 0; i < w->r->area_count; i++)
			if (w->r->areas[i].heap == w->heap)
				w->r->areas[i].sums = NULL;
		note_broken(w);
		return 0;
	}
	f->heap.contents = vmm_walk_sums_finish(w->sums, !w->r->target->residency_unknown, w->r->snapshot->arena);
	if (!f->heap.contents)
		return vmm_fail_nomem(err);
	f->heap.proved = true;
	return 0;
}

static bool wanted(const struct vmm_walk *w)
{
	if (!w->r->heaps[w->heap].reader->walk)
		return false;
	if (!w->r->walk_end)
		return true;
	for (size_t i = 0; i < w->r->area_count; i++)
		if (w->r->areas[i].heap == w->heap && w->r->areas[i].start < w->r->walk_end && w->r->areas[i].end > w->r->walk_start)
			return true;
	return false;
}

/* Heaps of one reader stand together; it may ask for all of them to be walked again. */
static int walk_heaps(struct vmm_walk *w, struct vmm_err *err)
{
	struct vmm_reading *r = w->r;
	uint32_t first = 0;
	unsigned restarts = 0;
	int rc = 0;

	for (w->heap = 0; rc == 0 && w->heap < r->heap_count; w->heap++) {
		if (r->heaps[w->heap].reader != r->heaps[first].reader) {
			first = w->heap;
			restarts = 0;
		}
		w->restart = false;
		if (wanted(w))
			rc = walk_heap(w, err);
		/* The rest of the reader's heaps first: they may have more to tell of what was missing. */
		w->restart_wanted = w->restart_wanted || w->restart;
		if (rc == 0 && w->restart_wanted && (w->heap + 1 == r->heap_count || r->heaps[w->heap + 1].reader != r->heaps[first].reader)) {
			w->restart_wanted = false;
			if (restarts++ < RESTARTS_MAX && !w->consumer)
				w->heap = first - 1;
		}
	}
	return rc;
}

int vmm_reading_walk(struct vmm_reading *r, const struct vmm_chunk_walk *consumer, struct vmm_err *err)
{
	struct vmm_walk *w = vmm_alloc_hook(NULL, sizeof(*w));
	int rc = 0;

	if (!w)
		return vmm_fail_nomem(err);
	memset(w, 0, sizeof(*w));
	w->r = r;
	w->consumer = consumer;
	w->totals_only = !consumer;
	w->memory = vmm_walk_memory_create(r);
	w->sums = vmm_walk_sums_create();
	if (!w->memory || !w->sums)
		rc = vmm_fail_nomem(err);
	if (rc == 0)
		rc = walk_heaps(w, err);
	vmm_walk_memory_destroy(w->memory);
	vmm_walk_sums_destroy(w->sums);
	free(w);
	return rc;
}
