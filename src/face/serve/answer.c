/* What vmmap serve answers: the documents of the command line, made by the functions that make them there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/out.h"
#include "face/cli.h"
#include "face/cli/heap.h"
#include "face/cli/strings.h"
#include "face/heap_page.h"
#include "face/place.h"
#include "face/serve/serve.h"
#include "model/target.h"
#include "view/json_write.h"
#include "view/view.h"

#define ROWS_DEFAULT 1000
#define ROWS_MAX 100000
#define VIEWS "regions|threads|images|heaps|free|files"

/* A document that was made in memory, with members put before its first one. The memory goes. */
static int put_beside(struct vmm_out *out, struct vmm_out *memory, const char *members, struct vmm_err *err)
{
	size_t length = 0;
	char *text = vmm_out_take(memory, &length);

	if (!text)
		return vmm_fail_nomem(err);
	vmm_out_char(out, '{');
	vmm_out_text(out, members);
	if (length)
		vmm_out_bytes(out, text + 1, length - 1);
	free(text);
	return 0;
}

static const char *get(const struct srv_ask *a, const char *name)
{
	return srv_query_get(a->query, name);
}

int srv_find(const struct srv_ask *a, bool contents, struct srv_view *ret, struct vmm_err *err)
{
	int code = srv_history_find(a->history, get(a, "n"), ret, err);

	if (code < 0 || !contents)
		return code;
	code = vmm_cli_need_contents(ret->snapshot, err);
	if (code == 0 && !ret->target)
		code = a->history->gone ? vmm_fail(err, VMM_E_GONE, 0, "%s", a->history->gone_text)
		                        : vmm_fail(err, VMM_E_UNSUPPORTED, 0,
		                                   "contents of a process are those of now: ask without n, or with that of the last snapshot");
	return code;
}

/* --- snapshots and their rows --- */

int srv_put_snapshot(struct vmm_out *out, const struct vmm_snapshot *s, uint32_t n, bool raw, const struct vmm_rows *rows,
                     const struct vmm_query *q, const char *beside, struct vmm_err *err)
{
	struct vmm_out *memory = vmm_out_create_memory();
	VMM_CLEANUP_FREE char *members = NULL;
	size_t size = strlen(beside) + 32, capacity = 0;
	int code = 0;

	if (!memory)
		return vmm_fail_nomem(err);
	if (!vmm_grow(&members, &capacity, size, 1))
		code = vmm_fail_nomem(err);
	if (code == 0 && !rows)
		code = vmm__json_whole(memory, "tree", raw, s, err);
	else if (code == 0)
		vmm_emit_json_columns(memory, q, rows, s);
	if (code < 0) {
		vmm_out_discard(memory);
		return code;
	}
	snprintf(members, size, "\"n\":%u,%s", n, beside);
	return put_beside(out, memory, members, err);
}

static int answer_snapshot(const struct srv_ask *a, struct vmm_err *err)
{
	struct srv_view v;
	int code = srv_find(a, false, &v, err);

	return code < 0 ? code : srv_put_snapshot(a->out, v.snapshot, v.n, srv_query_flag(a->query, "raw"), NULL, NULL, "", err);
}

/* One page of the rows; all of them are sorted and counted before. */
static int put_rows(const struct srv_ask *a, const struct vmm_query *q, const struct srv_view *v, struct vmm_err *err)
{
	struct vmm_out *memory;
	struct vmm_rows rows, page;
	uint64_t offset = 0, limit = 0;
	char members[96];
	int code = srv_query_number(a->query, "offset", 0, UINT32_MAX, &offset, err);

	if (code == 0)
		code = srv_query_number(a->query, "limit", ROWS_DEFAULT, ROWS_MAX, &limit, err);
	if (code == 0)
		code = vmm_rows_build(&rows, q, v->snapshot, err);
	if (code < 0)
		return code;
	page = rows;
	offset = vmm_min_u64(offset, rows.count);
	page.rows += offset;
	page.count = (size_t)vmm_min_u64(rows.count - offset, limit);
	memory = vmm_out_create_memory();
	if (memory)
		vmm_emit_json_table(memory, q, &page, v->snapshot);
	snprintf(members, sizeof(members), "\"n\":%u,\"matched\":%llu,\"offset\":%llu,", v->n, (unsigned long long)rows.matched,
	         (unsigned long long)offset);
	code = memory ? put_beside(a->out, memory, members, err) : vmm_fail_nomem(err);
	vmm_rows_done(&rows);
	return code;
}

static int answer_regions(const struct srv_ask *a, struct vmm_err *err)
{
	const char *view = get(a, "view");
	struct srv_view v;
	struct vmm_query q;
	int code = srv_find(a, false, &v, err);

	if (code == 0 && view && !vmm_words_contain(VIEWS, view))
		code = vmm_fail(err, VMM_E_USAGE, 0, "view: one of regions, threads, images, heaps, free, files");
	if (code == 0)
		code = vmm_query_init(&q, view ? view : "regions", get(a, "columns"), get(a, "sort"), get(a, "where"), get(a, "kind"), err);
	if (code < 0)
		return code;
	q.raw = srv_query_flag(a->query, "raw");
	code = srv_query_number(a->query, "top", 0, UINT32_MAX, &q.top, err);
	if (code == 0)
		code = put_rows(a, &q, &v, err);
	vmm_query_done(&q);
	return code;
}

static int answer_processes(const struct srv_ask *a, struct vmm_err *err)
{
	const char *sort = get(a, "sort");
	struct vmm_process_list *list;
	struct vmm_rows rows;
	struct vmm_query q;
	int code;

	if (a->history->given)
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "vmmap serve was started for one target: without it, processes are listed");
	code = vmm_query_init(&q, "processes", get(a, "columns"), sort ? sort : "rss:desc", get(a, "where"), NULL, err);
	if (code < 0)
		return code;
	code = srv_query_number(a->query, "top", 0, UINT32_MAX, &q.top, err);
	if (code == 0)
		code = vmm_process_list_read(vmm_query_needs(&q), &list, err);
	if (code == 0) {
		code = vmm_rows_build_processes(&rows, &q, list, err);
		if (code == 0) {
			vmm_emit_json_table(a->out, &q, &rows, NULL);
			vmm_rows_done(&rows);
		}
		vmm_process_list_destroy(list);
	}
	vmm_query_done(&q);
	return code;
}

/* --- what is read anew of the target --- */

static int need_address(const struct srv_ask *a, uint64_t *ret, struct vmm_err *err)
{
	if (!get(a, "address"))
		return vmm_fail(err, VMM_E_USAGE, 0, "address: is missing");
	return srv_query_address(a->query, "address", 0, ret, err);
}

static int answer_at(const struct srv_ask *a, struct vmm_err *err)
{
	struct vmm_symbols *symbols = NULL;
	struct vmm_place_names names = {0};
	struct vmm_chunk_at at = {0};
	struct vmm_snapshot shown;
	struct srv_view v;
	int code = srv_find(a, false, &v, err);

	if (code == 0)
		code = need_address(a, &at.address, err);
	if (code < 0)
		return code;
	shown = *v.snapshot;
	if (v.target)
		code = vmm_places_look(v.target, v.snapshot, &at, &names, 1, &symbols, err);
	else if (vmm_snapshot_vma_at(v.snapshot, at.address))
		at.region = vmm_snapshot_region_at(v.snapshot, at.address);
	shown.partial |= code == VMM_E_GONE;
	if (code == 0 || code == VMM_E_GONE) {
		vmm_places_json(a->out, &shown, &at, &names, 1);
		code = 0;
	}
	vmm_symbols_destroy(symbols);
	return code;
}

static int answer_heap(const struct srv_ask *a, struct vmm_err *err)
{
	struct vmm_take take = {.needs = VMM_NEED_DEFAULT | VMM_NEED_HEAPS};
	const char *id = get(a, "id");
	struct vmm_snapshot *walked = NULL;
	struct srv_view v;
	uint64_t top = 0;
	int code = srv_query_number(a->query, "top", 10, ROWS_DEFAULT, &top, err);

	if (code == 0)
		code = srv_find(a, true, &v, err);
	/* Heaps are walked as often as the duty leaves time for it: who asks for them waits for it. */
	if (code == 0 && vmm_target_runs(v.target) && !(v.snapshot->needs & VMM_NEED_HEAPS))
		code = vmm_target_snapshot(v.target, &take, &walked, err);
	if (code == 0 && walked)
		v.snapshot = walked;
	if (code == 0 && id && !v.snapshot->partial && !v.snapshot->unreadable)
		code = vmm_cli_heap_check(v.snapshot, id, err);
	if (code == 0)
		code = vmm_heap_document(a->out, v.target, v.snapshot, id, top, err);
	vmm_snapshot_destroy(walked);
	return code;
}

static int answer_strings(const struct srv_ask *a, struct vmm_err *err)
{
	struct vmm_strings_query sq = {0};
	struct vmm_query q;
	struct srv_view v;
	int code = srv_find(a, true, &v, err);

	if (code == 0)
		code = srv_query_address(a->query, "address", 0, &sq.start, err);
	if (code == 0)
		code = srv_query_address(a->query, "end", 0, &sq.end, err);
	if (code == 0)
		code = srv_query_number(a->query, "min", 0, VMM_STRINGS_MIN_MAX, &sq.min, err);
	if (code == 0 && sq.end && sq.start >= sq.end)
		code = vmm_fail(err, VMM_E_USAGE, 0, "end: lies before address");
	if (code == 0)
		code = vmm_query_init(&q, "strings", NULL, NULL, get(a, "where"), get(a, "kind"), err);
	if (code < 0)
		return code;
	code = srv_query_number(a->query, "top", ROWS_DEFAULT, ROWS_MAX, &q.top, err);
	if (code == 0)
		code = vmm_strings_document(a->out, v.target, v.snapshot, &q, &sq, err);
	vmm_query_done(&q);
	return code;
}

int srv_answer(const struct srv_ask *a, struct vmm_err *err)
{
	switch (a->place) {
	case SRV_INFO:
		return srv_answer_info(a, err);
	case SRV_PROCESSES:
		return answer_processes(a, err);
	case SRV_SNAPSHOT:
		return answer_snapshot(a, err);
	case SRV_REGIONS:
		return answer_regions(a, err);
	case SRV_TIMELINE:
		return srv_answer_timeline(a, err);
	case SRV_DIFF:
		return srv_answer_diff(a, err);
	case SRV_AT:
		return answer_at(a, err);
	case SRV_HEAP:
		return answer_heap(a, err);
	case SRV_CHUNKS:
		return srv_answer_chunks(a, err);
	case SRV_STRINGS:
		return answer_strings(a, err);
	case SRV_MEMORY:
		return srv_answer_memory(a, err);
	case SRV_PAGES:
		return srv_answer_pages(a, err);
	default:
		return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "this place has no document");
	}
}
