#include <stdio.h>
#include <stdlib.h>

#include "analysis/heap_total.h"
#include "base/arena.h"
#include "base/err.h"
#include "face/cli.h"
#include "face/cli/heap.h"
#include "face/heap_page.h"

#define TOP_DEFAULT 10
#define COLUMNS "size,rss,used,used_count,free,free_count,top,unused,overhead,largest_free,trimmable,threads"
#define WIDE 120 /* columns from which on the table has the labels of heaps; below it has their ids */
#define SHOWN_NAMES 12 /* ids of heaps listed in an error */

/* Everything that is asked for, and what was read for it. */
struct looked {
	const struct vmm_args *args;
	struct vmm_query query;   /* of the table of heaps */
	struct vmm_expr *where;   /* of chunks; NULL: all */
	struct vmm_snapshot *snapshot;
	struct vmm_survey *survey;
	struct vmm_symbols *symbols;
	struct vmm_target *target;
	uint64_t top;
	bool own_columns;         /* the query waits for the width of the output */
};

static bool pick(void *arg, const struct vmm_chunk_batch *batch, const struct vmm_chunk *chunk)
{
	const struct looked *l = arg;
	struct vmm_chunk_row object = {batch, chunk};
	struct vmm_row row = {.snapshot = l->snapshot, .object = &object, .type = VMM_ROW_CHUNK};

	return vmm_expr_matches(l->where, &row);
}

int vmm_cli_heap_check(const struct vmm_snapshot *s, const char *id, struct vmm_err *err)
{
	char list[300] = "";
	size_t at = 0;

	for (uint32_t i = 0; i < s->heap_count; i++)
		if (vmm_heap_is(&s->heaps[i], id))
			return 0;
	for (uint32_t i = 0; i < s->heap_count && i <= SHOWN_NAMES && at < sizeof(list) - 1; i++)
		at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%.30s", i ? ", " : "", i == SHOWN_NAMES ? "..." : s->heaps[i].id);
	return vmm_fail(err, VMM_E_USAGE, 0, s->heap_count ? "--heap: no heap '%.40s'; there are %s" : "--heap: no heap '%.40s'%s", id, list);
}

/* The snapshot, then the walk over all chunks. Nothing is written before the target is let go. */
static int take(struct looked *l, struct vmm_err *err)
{
	const char *heap = l->args->option[VMM_OPTION_HEAP];
	struct vmm_survey_query q = {.heap = heap,
	                             .top = l->top,
	                             .duplicates = vmm_args_has(l->args, VMM_OPTION_DUPLICATES),
	                             .pick = l->where ? pick : NULL,
	                             .arg = l};
	struct vmm_hold hold;
	int code = vmm_hold_begin(&hold, l->args, l->target, err);

	if (code == 0)
		code = vmm_cli_take_open(l->target, VMM_NEED_DEFAULT | VMM_NEED_HEAPS, &l->snapshot, err);
	if (code == 0 && heap && !l->snapshot->partial && !l->snapshot->unreadable)
		code = vmm_cli_heap_check(l->snapshot, heap, err);
	if (code == 0)
		code = vmm_symbols_create(l->target, l->snapshot, &l->symbols, err);
	if (code == 0)
		code = vmm_target_survey(l->target, l->snapshot, l->symbols, &q, &l->survey, err);
	vmm_hold_end(&hold, l->snapshot);
	return code;
}

static void put_rows(struct vmm_answer *a, const struct looked *l)
{
	const struct vmm_snapshot *s = l->snapshot;
	const char *id = l->args->option[VMM_OPTION_HEAP];
	enum vmm_stream_format format = a->format == VMM_FORMAT_CSV ? VMM_STREAM_CSV : VMM_STREAM_NDJSON;
	struct vmm_stream *stream = vmm_stream_create(a->output.out, &l->query, format, &a->look.style);

	for (uint32_t i = 0; stream && i < s->heap_count; i++) {
		struct vmm_row row = {.snapshot = s, .object = &s->heaps[i], .type = VMM_ROW_HEAP};

		if (vmm_heap_is(&s->heaps[i], id))
			vmm_stream_row(stream, &row);
	}
	vmm_stream_destroy(stream);
}

/* The columns of the page are ours: they may give way on a narrow line. */
static int choose_columns(struct looked *l, const struct vmm_look *look, struct vmm_err *err)
{
	bool wide = !look->style.width || look->style.width >= WIDE;
	int code = vmm_query_init(&l->query, "heaps", wide ? "label," COLUMNS : "heap," COLUMNS, NULL, NULL, NULL, err);

	l->query.columns_chosen = false;
	return code;
}

static int emit(struct vmm_answer *a, const struct looked *l, struct vmm_err *err)
{
	uint32_t count = 0;
	VMM_CLEANUP_FREE struct vmm_note *notes = vmm_heap_notes(l->snapshot, l->survey, &count);
	struct vmm_arena *arena = vmm_arena_create();
	struct vmm_snapshot shown = *l->snapshot;
	struct vmm_heap_page page = {.snapshot = &shown,
	                             .survey = l->survey,
	                             .id = l->args->option[VMM_OPTION_HEAP],
	                             .query = &l->query,
	                             .top = l->top,
	                             .duplicates = vmm_args_has(l->args, VMM_OPTION_DUPLICATES),
	                             .picked = l->where != NULL};
	int code = arena && notes ? 0 : vmm_fail_nomem(err);

	shown.notes = notes;
	shown.note_count = count;
	if (code == 0)
		code = vmm_heaps_total(&shown, page.id, arena, &page.total, err);
	if (code == 0 && a->format == VMM_FORMAT_TEXT)
		code = vmm_heap_page_text(a->output.out, &a->look, &page, err);
	else if (code == 0 && a->format == VMM_FORMAT_JSON)
		vmm_heap_page_json(a->output.out, &page);
	else if (code == 0)
		put_rows(a, l);
	vmm_arena_destroy(arena);
	return code;
}

static int prepare(struct looked *l, struct vmm_err *err)
{
	const struct vmm_args *args = l->args;
	const char *columns = args->option[VMM_OPTION_COLUMNS], *where = args->option[VMM_OPTION_WHERE];
	enum vmm_format format;
	int code = vmm_cli_format(args, &format, err);

	l->top = TOP_DEFAULT;
	if (code == 0 && vmm_args_has(args, VMM_OPTION_TOP))
		code = vmm_cli_number("top", args->option[VMM_OPTION_TOP], &l->top, err);
	if (code == 0 && where && (format == VMM_FORMAT_CSV || format == VMM_FORMAT_NDJSON))
		code = vmm_fail(err, VMM_E_USAGE, 0, "--where picks chunks: it goes with --chunks, or with text and JSON");
	if (code == 0 && where)
		code = vmm_expr_compile(vmm_table_find("chunks"), where, &l->where, err);
	l->own_columns = !columns && format == VMM_FORMAT_TEXT;
	if (code == 0 && !l->own_columns)
		code = vmm_query_init(&l->query, "heaps", columns, NULL, NULL, NULL, err);
	return code;
}

static void looked_done(struct looked *l)
{
	vmm_symbols_destroy(l->symbols);
	vmm_survey_destroy(l->survey);
	vmm_snapshot_destroy(l->snapshot);
	vmm_expr_destroy(l->where);
	vmm_query_done(&l->query);
	if (l->target)
		vmm_target_close(l->target);
}

int vmm_cli_heap(const struct vmm_args *args)
{
	struct looked l = {.args = args};
	struct vmm_answer a;
	struct vmm_err err;
	int code, status;

	if (vmm_args_has(args, VMM_OPTION_CHUNKS))
		return vmm_cli_heap_chunks(args);
	code = prepare(&l, &err);
	if (code < 0) {
		looked_done(&l);
		return vmm_cli_fail(args, &err);
	}
	code = vmm_cli_open(args, args->operand[0], &l.target, &err);
	if (code == 0)
		code = take(&l, &err);
	if (code < 0) {
		looked_done(&l);
		return vmm_cli_fail_target(args, args->operand[0], &err);
	}
	code = vmm_answer_open(&a, args, &err);
	if (code == 0 && l.own_columns)
		code = choose_columns(&l, &a.look, &err);
	if (code == 0)
		code = emit(&a, &l, &err);
	status = vmm_answer_close(&a, args, l.snapshot, code, &err);
	looked_done(&l);
	return status;
}
