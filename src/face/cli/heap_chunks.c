/* vmmap heap --chunks: every chunk as it is met, in bounded memory. */
#include <stdio.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/text.h"
#include "face/cli.h"
#include "face/cli/heap.h"

enum { ENOUGH = 1 }; /* what ends the walk without an error */

struct streaming {
	const struct vmm_snapshot *snapshot;
	struct vmm_answer *answer;
	const struct vmm_query *query;
	struct vmm_stream *stream; /* NULL until a chunk is known, or that there are none: its heading is written at once */
	const char *heap; /* id; NULL: all */
	const struct vmm_args *args;
	bool broken;
};

static int begin(struct streaming *s, struct vmm_err *err)
{
	struct vmm_answer *a = s->answer;
	enum vmm_stream_format format = a->format == VMM_FORMAT_CSV      ? VMM_STREAM_CSV
	                                : a->format == VMM_FORMAT_NDJSON ? VMM_STREAM_NDJSON
	                                                                 : VMM_STREAM_TEXT;

	if (!s->stream)
		s->stream = vmm_stream_create(a->output.out, s->query, format, &a->look.style);
	return s->stream ? 0 : vmm_fail_nomem(err);
}

static int take_batch(void *arg, const struct vmm_chunk_batch *batch)
{
	struct streaming *s = arg;
	struct vmm_chunk_row object = {.batch = batch};
	struct vmm_row row = {.snapshot = s->snapshot, .object = &object, .type = VMM_ROW_CHUNK};

	if (s->heap && strcmp(s->heap, batch->heap->id) != 0)
		return 0;
	if (begin(s, NULL) < 0)
		return VMM_E_NOMEM;
	for (size_t i = 0; i < batch->count; i++) {
		object.chunk = &batch->chunks[i];
		if (!vmm_stream_row(s->stream, &row))
			return ENOUGH;
	}
	return 0;
}

/* What is missing from the list is said at once: the list itself has no place for it. */
static void take_note(void *arg, const struct vmm_note *note)
{
	struct streaming *s = arg;
	char text[512];

	s->broken = true;
	vmm_escape_terminal(text, sizeof(text), note->text, strlen(note->text));
	fprintf(stderr, "vmmap: %d: %s: %s\n", (int)s->snapshot->target.pid, note->from, text);
}

static int stream_all(struct vmm_target *t, struct streaming *s, struct vmm_err *err)
{
	struct vmm_chunk_walk walk = {.end = UINT64_MAX, .chunks = take_batch, .note = take_note, .arg = s};
	int code;

	/* Chunks are of bytes: KiB would make most of them equal. */
	if (!vmm_args_has(s->args, VMM_OPTION_UNITS))
		s->answer->look.style.units = VMM_UNITS_BYTES;
	code = vmm_target_chunks(t, s->snapshot, &walk, err);
	if (code == VMM_E_NOMEM)
		vmm_fail_nomem(err);
	if (code == ENOUGH)
		code = 0;
	if (code == 0)
		code = begin(s, err);
	vmm_stream_destroy(s->stream);
	return code;
}

/* Who would read what we write may be the one that stands still. */
static int check_output(const struct vmm_args *args, const struct vmm_answer *a, struct vmm_err *err)
{
	struct stat st;

	if (!vmm_args_has(args, VMM_OPTION_STOP) || (fstat(a->output.fd, &st) == 0 && S_ISREG(st.st_mode)))
		return 0;
	return vmm_fail(err, VMM_E_USAGE, 0, "--chunks writes while it reads: with --stop it writes to a file alone (-o FILE)");
}

static int answer(const struct vmm_args *args, struct vmm_target *t, struct vmm_snapshot **ret_snapshot, struct streaming *s,
                  struct vmm_err *err)
{
	struct vmm_snapshot *taken = NULL;
	struct vmm_hold hold = {0};
	int code = check_output(args, s->answer, err);

	if (code == 0)
		code = vmm_hold_begin(&hold, args, t, err);
	if (code == 0)
		code = vmm_cli_take_open(t, VMM_NEED_MAPS | VMM_NEED_THREADS | VMM_NEED_IMAGES, &taken, err);
	s->snapshot = taken;
	if (code == 0)
		code = vmm_cli_need_contents(taken, err);
	if (code == 0 && s->heap && taken->vma_count)
		code = vmm_cli_heap_check(taken, s->heap, err);
	if (code == 0)
		code = stream_all(t, s, err);
	vmm_hold_end(&hold, taken);
	*ret_snapshot = taken;
	return code;
}

int vmm_cli_heap_chunks(const struct vmm_args *args)
{
	struct vmm_snapshot *snapshot = NULL;
	struct vmm_target *t = NULL;
	struct vmm_answer a;
	struct vmm_query q;
	struct streaming s = {.heap = args->option[VMM_OPTION_HEAP], .args = args, .answer = &a, .query = &q};
	struct vmm_err err;
	int code, status;

	if (vmm_args_has(args, VMM_OPTION_DUPLICATES)) {
		vmm_fail(&err, VMM_E_USAGE, 0, "--duplicates counts chunks, --chunks lists them: one at a time");
		return vmm_cli_fail(args, &err);
	}
	code = vmm_cli_query(args, "chunks", &q, &err);
	if (code < 0)
		return vmm_cli_fail(args, &err);
	code = vmm_cli_open(args, args->operand[0], &t, &err);
	if (code < 0) {
		vmm_query_done(&q);
		return vmm_cli_fail_target(args, args->operand[0], &err);
	}
	code = vmm_answer_open(&a, args, &err);
	if (code == 0 && a.format == VMM_FORMAT_JSON)
		code = vmm_fail(&err, VMM_E_USAGE, 0, "--chunks has the formats text, csv and ndjson");
	if (code == 0)
		code = answer(args, t, &snapshot, &s, &err);
	status = vmm_answer_close(&a, args, snapshot, code, &err);
	vmm_query_done(&q);
	vmm_snapshot_destroy(snapshot);
	vmm_target_close(t);
	return status == VMM_EXIT_DONE && s.broken ? VMM_EXIT_UNREADABLE : status;
}
