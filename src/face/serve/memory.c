/* What vmmap serve tells of memory itself: bytes, the state of pages, chunks of heaps. Nothing is read that is not resident. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/out.h"
#include "base/search.h"
#include "face/page_runs.h"
#include "face/serve/serve.h"
#include "model/target.h"
#include "view/json_write.h"

#define MEMORY_MAX 65536
#define RUNS_MAX 8192     /* of one answer; what lies behind them is asked for again */
#define PAGES_SPAN_MAX (UINT64_C(1) << 40) /* bytes of address space of one answer */
#define PAGE 4096         /* what pages() counts in */
#define CHUNKS_DEFAULT 4096
#define CHUNKS_MAX 65536

/* [address, end), which both must be there. */
static int parse_range(const struct srv_ask *a, uint64_t *ret_start, uint64_t *ret_end, struct vmm_err *err)
{
	int code = srv_query_address(a->query, "address", 0, ret_start, err);

	if (code == 0)
		code = srv_query_address(a->query, "end", 0, ret_end, err);
	if (code == 0 && *ret_start >= *ret_end)
		code = vmm_fail(err, VMM_E_USAGE, 0, "address and end: are missing, or the end is not above");
	return code;
}

/* --- pages --- */

struct runs {
	struct vmm_page_run v[RUNS_MAX];
	size_t count;
};

/* A page walk cannot be asked inside another, and reading asks for one: runs are kept first. */
static int keep_run(void *arg, const struct vmm_page_run *run)
{
	struct runs *r = arg;
	struct vmm_page_run *last = r->count ? &r->v[r->count - 1] : NULL;

	if (last && last->end == run->start && last->what == run->what) {
		last->end = run->end;
		return 0;
	}
	if (r->count == RUNS_MAX)
		return 1;
	r->v[r->count++] = *run;
	return 0;
}

static void put_run(struct vmm_out *out, bool *first, uint64_t start, uint64_t end, const char *state)
{
	if (start >= end)
		return;
	vmm__json_key_address(out, *first ? "\n{\"address\":" : ",\n{\"address\":", true, start);
	vmm__json_key_number(out, ",\"pages\":", true, (end - start) / PAGE);
	vmm__json_key_text(out, ",\"state\":", state);
	vmm_out_char(out, '}');
	*first = false;
}

int srv_answer_pages(const struct srv_ask *a, struct vmm_err *err)
{
	struct runs *runs;
	struct srv_view v;
	uint64_t start, end, at, stop;
	bool first = true;
	int code = srv_find(a, true, &v, err), walked;

	if (code == 0)
		code = parse_range(a, &start, &end, err);
	if (code == 0 && v.target->residency_unknown)
		code = vmm_fail(err, VMM_E_UNSUPPORTED, 0, "of this target it is not known which pages were in memory");
	if (code < 0)
		return code;
	start = vmm_align_down(start, PAGE);
	end = vmm_align_up(end, PAGE);
	stop = vmm_min_u64(end, vmm_add_sat(start, PAGES_SPAN_MAX));
	runs = vmm_alloc_hook(NULL, sizeof(*runs));
	if (!runs)
		return vmm_fail_nomem(err);
	runs->count = 0;
	walked = v.target->ops->pages(v.target, start, stop, 0, keep_run, runs, err);
	if (walked < 0) {
		free(runs);
		return walked;
	}
	vmm_out_printf(a->out, "{\"page_size\":%d,\"runs\":[", PAGE);
	at = start;
	for (size_t i = 0; i < runs->count; i++) {
		put_run(a->out, &first, at, vmm_max_u64(at, runs->v[i].start), "absent");
		at = vmm_max_u64(at, runs->v[i].start);
		put_run(a->out, &first, at, vmm_min_u64(runs->v[i].end, stop), vmm_page_state(runs->v[i].what));
		at = vmm_max_u64(at, vmm_min_u64(runs->v[i].end, stop));
	}
	if (!walked) {
		put_run(a->out, &first, at, stop, "absent");
		at = stop;
	}
	vmm__json_key_address(a->out, "],\"next\":", at < end, at);
	vmm_out_text(a->out, "}\n");
	free(runs);
	return 0;
}

/* --- bytes --- */

struct reading {
	struct vmm_out *parts, *missing;
	const struct srv_view *view;
	unsigned char *bytes; /* MEMORY_MAX */
	bool first_part, first_missing;
};

static void put_missing(struct reading *r, uint64_t start, uint64_t end, const char *why)
{
	if (start >= end)
		return;
	vmm__json_key_address(r->missing, r->first_missing ? "{\"address\":" : ",{\"address\":", true, start);
	vmm__json_key_address(r->missing, ",\"end\":", true, end);
	vmm__json_key_text(r->missing, ",\"why\":", why);
	vmm_out_char(r->missing, '}');
	r->first_missing = false;
}

static void put_part(struct reading *r, uint64_t address, const unsigned char *bytes, size_t length)
{
	vmm__json_key_address(r->parts, r->first_part ? "{\"address\":" : ",{\"address\":", true, address);
	vmm__json_key_hex(r->parts, ",\"hex\":", bytes, length);
	vmm_out_char(r->parts, '}');
	r->first_part = false;
}

/* A stretch of pages that are there. What cannot be read all the same is told. */
static void read_part(struct reading *r, uint64_t start, uint64_t end, bool zero)
{
	int64_t n;

	memset(r->bytes, 0, (size_t)(end - start));
	n = zero ? (int64_t)(end - start)
	         : r->view->target->ops->read(r->view->target, start, r->bytes, (size_t)(end - start), NULL);
	if (n > 0)
		put_part(r, start, r->bytes, (size_t)n);
	put_missing(r, start + (uint64_t)(n > 0 ? n : 0), end, "unreadable");
}

static void read_run(struct reading *r, uint64_t start, uint64_t end, uint32_t what)
{
	bool zero = what & VMM_PAGE_ZERO;

	if (start >= end)
		return;
	if (what & VMM_PAGE_GUARD)
		put_missing(r, start, end, "guard");
	else if (what & VMM_PAGE_SWAPPED)
		put_missing(r, start, end, "swapped");
	else if (!(what & VMM_PAGE_PRESENT))
		put_missing(r, start, end, "absent");
	else
		read_part(r, start, end, zero);
}

static int read_vma(struct reading *r, uint64_t start, uint64_t end, struct runs *runs, struct vmm_err *err)
{
	uint64_t at = start;
	int code;

	runs->count = 0;
	code = r->view->target->ops->pages(r->view->target, vmm_align_down(start, PAGE), vmm_align_up(end, PAGE), 0, keep_run, runs, err);
	if (code < 0)
		return code;
	for (size_t i = 0; i < runs->count; i++) {
		uint64_t from = vmm_max_u64(at, runs->v[i].start), to = vmm_min_u64(end, runs->v[i].end);

		put_missing(r, at, vmm_min_u64(from, end), r->view->target->residency_unknown ? "not stored" : "absent");
		read_run(r, from, to, runs->v[i].what);
		at = vmm_max_u64(at, vmm_min_u64(to, end));
	}
	put_missing(r, at, end, r->view->target->residency_unknown ? "not stored" : "absent");
	return 0;
}

static int read_all(struct reading *r, uint64_t start, uint64_t end, struct vmm_err *err)
{
	const struct vmm_snapshot *s = r->view->snapshot;
	struct runs *runs = vmm_alloc_hook(NULL, sizeof(*runs));
	uint64_t at = start;
	int code = 0;

	if (!runs)
		return vmm_fail_nomem(err);
	for (size_t i = VMM_FIRST_ABOVE(s->vmas, s->vma_count, end, start); code == 0 && i < s->vma_count && s->vmas[i].start < end; i++) {
		uint64_t from = vmm_max_u64(at, s->vmas[i].start), to = vmm_min_u64(end, s->vmas[i].end);

		put_missing(r, at, from, "not mapped");
		if (vmm_page_memory(&s->vmas[i]))
			code = read_vma(r, from, to, runs, err);
		else
			put_missing(r, from, to, "device");
		at = to;
	}
	put_missing(r, at, end, "not mapped");
	free(runs);
	return code;
}

int srv_answer_memory(const struct srv_ask *a, struct vmm_err *err)
{
	struct reading r = {.first_part = true, .first_missing = true};
	uint64_t start = 0, length = 0;
	struct srv_view v;
	char *missing;
	int code = srv_find(a, true, &v, err);

	if (code == 0)
		code = srv_query_address(a->query, "address", 0, &start, err);
	if (code == 0)
		code = srv_query_number(a->query, "length", 0, MEMORY_MAX, &length, err);
	if (code == 0 && (!length || start > UINT64_MAX - length))
		code = vmm_fail(err, VMM_E_USAGE, 0, "length: is missing, or reaches beyond the last address");
	if (code < 0)
		return code;
	r.view = &v;
	r.parts = a->out;
	r.missing = vmm_out_create_memory();
	r.bytes = vmm_alloc_hook(NULL, MEMORY_MAX);
	vmm__json_key_address(a->out, "{\"address\":", true, start);
	vmm_out_text(a->out, ",\"parts\":[");
	code = r.missing && r.bytes ? read_all(&r, start, start + length, err) : vmm_fail_nomem(err);
	free(r.bytes);
	missing = r.missing ? vmm_out_take(r.missing, NULL) : NULL;
	if (code == 0 && !missing)
		code = vmm_fail_nomem(err);
	if (code == 0) {
		vmm_out_text(a->out, "],\"missing\":[");
		vmm_out_text(a->out, missing);
		vmm_out_text(a->out, "]}\n");
	}
	free(missing);
	return code;
}

/* --- chunks --- */

/* The lowest chunks of a stretch, however they come. */
struct lowest {
	struct vmm_chunk *v; /* room for twice the limit, and one more */
	size_t count, limit;
	uint64_t start, end;
	const char *id; /* of the heap; NULL: all */
	bool cut;
};

static int by_start(const void *a, const void *b)
{
	const struct vmm_chunk *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Sorts, and leaves one more than are asked for: where the next ones begin. */
static void settle(struct lowest *l)
{
	qsort(l->v, l->count, sizeof(*l->v), by_start);
	if (l->count > l->limit + 1) {
		l->count = l->limit + 1;
		l->cut = true;
	}
}

static int keep_chunks(void *arg, const struct vmm_chunk_batch *batch)
{
	struct lowest *l = arg;

	if (l->id && strcmp(batch->heap->id, l->id) != 0)
		return 0;
	for (size_t i = 0; i < batch->count; i++) {
		const struct vmm_chunk *c = &batch->chunks[i];

		if (c->start >= l->end || vmm_add_sat(c->start, c->size) <= l->start)
			continue;
		if (l->cut && c->start >= l->v[l->limit].start)
			continue;
		if (l->count == 2 * l->limit + 1)
			settle(l);
		l->v[l->count++] = *c;
	}
	return 0;
}

static void put_chunks(struct vmm_out *out, const struct lowest *l)
{
	size_t count = (size_t)vmm_min_u64(l->count, l->limit);

	vmm_out_text(out, "{\"chunks\":[");
	for (size_t i = 0; i < count; i++) {
		const struct vmm_chunk *c = &l->v[i];

		vmm__json_key_address(out, i ? ",\n{\"address\":" : "\n{\"address\":", true, c->address);
		vmm__json_key_number(out, ",\"size\":", true, c->usable);
		vmm__json_key_address(out, ",\"start\":", true, c->start);
		vmm__json_key_number(out, ",\"stretch\":", true, c->size);
		vmm__json_key_text(out, ",\"state\":", vmm_chunk_state_id((enum vmm_chunk_state)c->state));
		vmm_out_char(out, '}');
	}
	vmm__json_key_address(out, "],\"next\":", l->count > l->limit, l->count > l->limit ? l->v[l->limit].start : 0);
	vmm_out_text(out, "}\n");
}

int srv_answer_chunks(const struct srv_ask *a, struct vmm_err *err)
{
	struct lowest l = {.id = srv_query_get(a->query, "id")};
	struct vmm_chunk_walk walk = {.chunks = keep_chunks, .arg = &l};
	uint64_t limit = 0;
	struct srv_view v;
	size_t capacity = 0;
	int code = srv_query_number(a->query, "limit", CHUNKS_DEFAULT, CHUNKS_MAX, &limit, err);

	if (code == 0)
		code = parse_range(a, &l.start, &l.end, err);
	if (code == 0 && limit == 0)
		code = vmm_fail(err, VMM_E_USAGE, 0, "limit: 1 or more");
	if (code == 0)
		code = srv_find(a, true, &v, err);
	if (code < 0)
		return code;
	l.limit = (size_t)limit;
	walk.start = l.start;
	walk.end = l.end;
	if (!vmm_grow(&l.v, &capacity, 2 * l.limit + 1, sizeof(*l.v)))
		return vmm_fail_nomem(err);
	code = vmm_target_chunks(v.target, v.snapshot, &walk, err);
	if (code >= 0) {
		settle(&l);
		put_chunks(a->out, &l);
	}
	free(l.v);
	return code < 0 ? code : 0;
}
