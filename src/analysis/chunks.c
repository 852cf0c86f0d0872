/* Handing out chunks: the readers look at the target anew, with the snapshot's map. */
#include <string.h>

#include "model/build.h"
#include "reader/walk.h"
#include "vmmap/chunks.h"

static const struct {
	const char *id, *label, *help;
} state_table[] = {
#define VMM_CHUNK_STATE(name, state_id, state_label, state_help) {.id = state_id, .label = state_label, .help = state_help},
#include "vmmap/chunk_states.def"
#undef VMM_CHUNK_STATE
};

const char *vmm_chunk_state_id(enum vmm_chunk_state state)
{
	return (unsigned)state < VMM_CHUNK_STATE_COUNT ? state_table[state].id : "";
}

const char *vmm_chunk_state_label(enum vmm_chunk_state state)
{
	return (unsigned)state < VMM_CHUNK_STATE_COUNT ? state_table[state].label : "";
}

const char *vmm_chunk_state_help(enum vmm_chunk_state state)
{
	return (unsigned)state < VMM_CHUNK_STATE_COUNT ? state_table[state].help : "";
}

enum vmm_chunk_state vmm_chunk_state_find(const char *id)
{
	for (int i = 0; i < VMM_CHUNK_STATE_COUNT; i++)
		if (strcmp(state_table[i].id, id) == 0)
			return (enum vmm_chunk_state)i;
	return VMM_CHUNK_STATE_COUNT;
}

int vmm_target_chunks(struct vmm_target *t, const struct vmm_snapshot *s, const struct vmm_chunk_walk *walk, struct vmm_err *err)
{
	/* The snapshot is sealed: what the readers add goes to a copy with an arena of its own. */
	struct vmm_snapshot copy = *s;
	struct vmm_reading r = {.target = t, .snapshot = &copy, .walk_start = walk->start, .walk_end = walk->end};
	/* A read of nothing fails where there is no memory to be read at all. */
	int64_t readable = t->ops->read(t, 0, &copy, 0, err);
	int rc;

	if (readable < 0)
		return (int)readable;
	copy.arena = vmm_arena_create();
	if (!copy.arena)
		return vmm_fail_nomem(err);
	copy.notes = NULL;
	copy.note_count = 0;
	rc = vmm_readers_run(&r, err);
	/* What was found once, and is not in what was kept. */
	if (rc == 0 && t->ops->load && s->heap_count && !r.heap_count)
		rc = vmm_fail(err, VMM_E_UNSUPPORTED, 0, "the session holds no memory of the heaps: save it with --with-memory heap");
	/* First for the sums alone: then the readers know what they are about, and nothing has to be taken back. */
	if (rc == 0)
		rc = vmm_reading_walk(&r, NULL, err);
	copy.note_count = 0;
	if (rc == 0)
		rc = vmm_reading_walk(&r, walk, err);
	for (uint32_t i = 0; rc == 0 && walk->note && i < copy.note_count; i++)
		walk->note(walk->arg, &copy.notes[i]);
	vmm_reading_done(&r);
	vmm_arena_destroy(copy.arena);
	if (rc == 0 && t->ops->alive && !t->ops->alive(t))
		return vmm_fail(err, VMM_E_GONE, 0, "the target ended while its heaps were walked");
	return rc;
}
