/* The chunks of heaps in a report: the element "vmmap-chunks" as web/src/data/more_chunks.ts reads it. */
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "face/report_more.h"
#include "view/json_write.h"

#define CHUNKS_MOST 300000 /* of all heaps: 7 MB before they are packed */

struct kept {
	uint32_t heap; /* index in the snapshot */
	struct vmm_chunk chunk;
};

struct keeping {
	const struct vmm_snapshot *s;
	struct kept *v;
	size_t count, capacity;
	bool *cut; /* by heap: not all of its chunks are here */
	bool failed;
};

static uint32_t find_heap(const struct vmm_snapshot *s, const char *id)
{
	uint32_t i = 0;

	while (i < s->heap_count && strcmp(s->heaps[i].id, id) != 0)
		i++;
	return i;
}

/* A heap is kept whole or not at all: a part of it would look like all of it. */
static int keep(void *arg, const struct vmm_chunk_batch *batch)
{
	struct keeping *k = arg;
	uint32_t heap = find_heap(k->s, batch->heap->id);

	if (heap == k->s->heap_count || k->cut[heap])
		return 0;
	if (k->count + batch->count > CHUNKS_MOST) {
		k->cut[heap] = true;
		return 0;
	}
	if (!vmm_grow(&k->v, &k->capacity, k->count + batch->count, sizeof(*k->v))) {
		k->failed = true;
		return 1;
	}
	for (size_t i = 0; i < batch->count; i++)
		k->v[k->count++] = (struct kept){heap, batch->chunks[i]};
	return 0;
}

/* A heap that could not be walked to its end. */
static void cut(void *arg, const struct vmm_note *note)
{
	struct keeping *k = arg;

	for (uint32_t i = 0; note->address && i < k->s->region_count; i++)
		if (k->s->regions[i].heap != VMM_NONE && note->address >= k->s->regions[i].start && note->address < k->s->regions[i].end)
			k->cut[k->s->regions[i].heap] = true;
}

static int by_place(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;

	if (x->heap != y->heap)
		return x->heap < y->heap ? -1 : 1;
	return x->chunk.start < y->chunk.start ? -1 : x->chunk.start > y->chunk.start;
}

enum { SKIP, SIZE, HEAD, LESS, STATE, ARRAYS };

static const char *const array_names[ARRAYS] = {",\n\"skip\":[", "],\n\"size\":[", "],\n\"head\":[", "],\n\"less\":[", "],\n\"state\":["};

/* A number of a chunk; end: of the one before. */
static uint64_t member(const struct vmm_chunk *c, uint64_t end, int array)
{
	uint64_t head = c->address - c->start;

	switch (array) {
	case SKIP:
		return c->start - end;
	case SIZE:
		return c->size;
	case HEAD:
		return head;
	case LESS:
		return c->size - head - c->usable;
	default:
		return c->state;
	}
}

static bool sound(const struct vmm_chunk *c, uint64_t end)
{
	return c->start >= end && c->size <= UINT64_MAX - c->start && c->address >= c->start && c->address - c->start <= c->size &&
	       c->usable <= c->size - (c->address - c->start);
}

static void put_heap(struct vmm_out *out, const char *id, const struct kept *v, size_t count)
{
	vmm__json_key_text(out, "{\"id\":", id);
	vmm__json_key_address(out, ",\"base\":", true, v[0].chunk.start);
	for (int array = 0; array < ARRAYS; array++) {
		uint64_t end = v[0].chunk.start;

		vmm_out_text(out, array_names[array]);
		for (size_t i = 0; i < count; i++) {
			vmm_out_printf(out, i ? ",%llu" : "%llu", (unsigned long long)member(&v[i].chunk, end, array));
			end = v[i].chunk.start + v[i].chunk.size;
		}
	}
	vmm_out_text(out, "]}");
}

static void put_all(struct vmm_out *out, const struct keeping *k)
{
	const char *before = "";
	size_t from = 0, to;

	vmm_out_text(out, "{\"states\":[");
	for (int i = 0; i < VMM_CHUNK_STATE_COUNT; i++)
		vmm_out_printf(out, i ? ",\"%s\"" : "\"%s\"", vmm_chunk_state_id((enum vmm_chunk_state)i));
	vmm_out_text(out, "],\n\"heaps\":[");
	for (; from < k->count; from = to) {
		bool good = !k->cut[k->v[from].heap];

		for (to = from; to < k->count && k->v[to].heap == k->v[from].heap; to++) {
			const struct vmm_chunk *last = to > from ? &k->v[to - 1].chunk : NULL;

			good = good && sound(&k->v[to].chunk, last ? last->start + last->size : 0);
		}
		if (!good)
			continue;
		vmm_out_text(out, before);
		put_heap(out, k->s->heaps[k->v[from].heap].id, k->v + from, to - from);
		before = ",\n";
	}
	vmm_out_text(out, "]}\n");
}

int vmm_report_chunks(struct vmm_out *out, const struct vmm_report_more *more, struct vmm_err *err)
{
	const struct vmm_snapshot *s = more->contents;
	struct keeping k = {.s = s, .cut = vmm_alloc_hook(NULL, s->heap_count + 1)};
	struct vmm_chunk_walk walk = {.end = UINT64_MAX, .chunks = keep, .note = cut, .arg = &k};
	struct vmm_err ignored;
	int code;

	if (!k.cut)
		return vmm_fail_nomem(err);
	memset(k.cut, 0, s->heap_count + 1);
	code = vmm_target_chunks(more->target, s, &walk, &ignored);
	if (k.failed || code == VMM_E_NOMEM) {
		code = vmm_fail_nomem(err);
	} else {
		/* That they cannot be walked is no reason to show nothing else. */
		code = code == 0 && k.count > 0;
		if (code == 1) {
			qsort(k.v, k.count, sizeof(*k.v), by_place);
			put_all(out, &k);
		}
	}
	free(k.v);
	free(k.cut);
	return code;
}
