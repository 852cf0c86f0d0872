/*
 * Prints every chunk of a process's heaps, one a line: state, start, size, address, usable, heap. Numbers are
 * hexadecimal without 0x. A heap that does not add up gives a line "note", its address and the text.
 * Usage: chunks_of PID [START END]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <vmmap/vmmap.h>

static int print_chunks(void *arg, const struct vmm_chunk_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		const struct vmm_chunk *c = &batch->chunks[i];

		printf("%s %" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIx64 " %s\n", vmm_chunk_state_id(c->state), c->start, c->size, c->address,
		       c->usable, batch->heap->id);
	}
	return 0;
}

static void print_note(void *arg, const struct vmm_note *note)
{
	printf("note %" PRIx64 " %s\n", note->address, note->text);
}

int main(int argc, char **argv)
{
	const struct vmm_take take = {.needs = VMM_NEED_FAST};
	struct vmm_chunk_walk walk = {.end = UINT64_MAX, .chunks = print_chunks, .note = print_note};
	struct vmm_target *target;
	struct vmm_snapshot *s;
	struct vmm_err err;
	int rc;

	if (argc != 2 && argc != 4)
		return 2;
	if (argc == 4) {
		walk.start = strtoull(argv[2], NULL, 16);
		walk.end = strtoull(argv[3], NULL, 16);
	}
	rc = vmm_target_open(argv[1], &target, &err);
	if (rc == 0) {
		rc = vmm_target_snapshot(target, &take, &s, &err);
		if (rc == 0) {
			rc = vmm_target_chunks(target, s, &walk, &err);
			vmm_snapshot_destroy(s);
		}
		vmm_target_close(target);
	}
	if (rc < 0)
		fprintf(stderr, "chunks_of: %s\n", err.text);
	return rc < 0;
}
