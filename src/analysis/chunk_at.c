/* The chunks at given addresses, with their neighbours. */
#include <stdio.h>
#include <string.h>

#include "model/target.h"
#include "vmmap/chunks.h"

/* The addresses of one heap during its walk. */
struct lookup {
	const struct vmm_snapshot *s;
	struct vmm_chunk_at *at;
	size_t count;
	uint32_t heap;
};

static bool asked(const struct lookup *l, const struct vmm_chunk_at *a)
{
	return a->region && a->region->heap == l->heap;
}

/* Chunks come in any order: of those below and above the nearest is kept. */
static void hold(struct vmm_chunk_at *a, const struct vmm_chunk *c)
{
	uint64_t end;

	if (__builtin_add_overflow(c->start, c->size, &end) || c->size == 0)
		return;
	if (c->start > a->address) {
		if (!a->has_above || c->start < a->above.start)
			a->above = *c;
		a->has_above = true;
	} else if (end <= a->address) {
		if (!a->has_below || c->start > a->below.start)
			a->below = *c;
		a->has_below = true;
	} else {
		a->chunk = *c;
		a->found = true;
	}
}

static int hold_batch(void *arg, const struct vmm_chunk_batch *batch)
{
	struct lookup *l = arg;

	for (size_t i = 0; i < l->count; i++) {
		struct vmm_chunk_at *a = &l->at[i];

		if (!asked(l, a) || a->address < batch->region_start || a->address >= batch->region_end)
			continue;
		for (size_t c = 0; c < batch->count; c++)
			hold(a, &batch->chunks[c]);
	}
	return 0;
}

/* The walk may have looked at other heaps too: a note is this heap's when it lies in one of its regions. */
static void hold_note(void *arg, const struct vmm_note *note)
{
	struct lookup *l = arg;
	const struct vmm_region *r = note->address ? vmm_snapshot_region_at(l->s, note->address) : NULL;

	for (size_t i = 0; i < l->count; i++) {
		struct vmm_chunk_at *a = &l->at[i];

		if (!asked(l, a) || (r && r->heap != l->heap) || a->note[0])
			continue;
		snprintf(a->note, sizeof(a->note), "%s", note->text);
		a->broken = true;
	}
}

static int read_head(struct vmm_target *t, struct vmm_chunk_at *a, struct vmm_err *err)
{
	size_t want = (size_t)vmm_min_u64(a->chunk.usable, sizeof(a->head));
	uint64_t absent = 0;
	int rc;

	if (!a->found || want == 0)
		return 0;
	rc = vmm_target_read_present(t, a->chunk.address, a->head, want, &absent, err);
	if (rc == VMM_E_GONE || rc == VMM_E_NOMEM)
		return rc;
	/* What is absent reads as zeros: only what lies before it is told. */
	if (absent && absent < want && vmm_align_down(a->chunk.address, 4096) != vmm_align_down(a->chunk.address + want - 1, 4096)) {
		want = (size_t)(4096 - (a->chunk.address & 4095));
		rc = vmm_target_read_present(t, a->chunk.address, a->head, want, &absent, err);
		if (rc == VMM_E_GONE || rc == VMM_E_NOMEM)
			return rc;
	}
	a->head_bytes = rc < 0 || absent ? 0 : (uint32_t)want;
	return 0;
}

/* Walks the heap of the i-th address, once for all addresses in it. */
static int look(struct vmm_target *t, struct lookup *l, size_t i, struct vmm_err *err)
{
	struct vmm_chunk_walk walk = {.start = UINT64_MAX, .chunks = hold_batch, .note = hold_note, .arg = l};

	l->heap = l->at[i].region->heap;
	for (size_t k = 0; k < l->count; k++) {
		if (!asked(l, &l->at[k]))
			continue;
		if (k < i)
			return 0; /* done with that one */
		walk.start = vmm_min_u64(walk.start, l->at[k].address);
		walk.end = vmm_max_u64(walk.end, vmm_add_sat(l->at[k].address, 1));
	}
	return vmm_target_chunks(t, l->s, &walk, err);
}

/* A target without memory leaves the chunk unknown, and says why; the rest of the answer stands. */
static int look_or_say(struct vmm_target *t, struct lookup *l, size_t i, struct vmm_err *err)
{
	struct vmm_err why = {0};
	int rc = look(t, l, i, &why);

	if (rc == VMM_E_UNSUPPORTED) {
		snprintf(l->at[i].note, sizeof(l->at[i].note), "%.*s", (int)sizeof(l->at[i].note) - 1, why.text);
		l->at[i].broken = true;
		return 0;
	}
	if (rc < 0 && err)
		*err = why;
	return rc;
}

int vmm_target_chunks_at(struct vmm_target *t, const struct vmm_snapshot *s, struct vmm_chunk_at *ret_at, size_t count,
                         struct vmm_err *err)
{
	struct lookup l = {.s = s, .at = ret_at, .count = count};
	int rc = 0;

	for (size_t i = 0; i < count; i++)
		ret_at[i] = (struct vmm_chunk_at){.address = ret_at[i].address, .region = ret_at[i].region};
	for (size_t i = 0; rc == 0 && i < count; i++)
		if (ret_at[i].region && ret_at[i].region->heap < s->heap_count)
			rc = look_or_say(t, &l, i, err);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = read_head(t, &ret_at[i], err);
	return rc;
}
