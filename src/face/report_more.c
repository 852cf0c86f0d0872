/* The elements as web/src/data/more.ts reads them. */
#include "face/report_more.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/search.h"
#include "face/page_pack.h"
#include "face/page_runs.h"
#include "face/report_strings.h"
#include "model/build.h"
#include "model/target.h"
#include "view/json_write.h"
#include "view/view.h"

#define RUNS_MOST 400000         /* of all pages; 5 MB before they are packed */
#define BYTES_MOST (8u << 20)    /* of contents */
#define READ_ALL_MOST (UINT64_C(256) << 20) /* looked at for them */
#define READ_MOST 65536

/* Opens an element, feeds it, closes it; memory is destroyed. */
static int put_element(struct vmm_out *out, const char *id, struct vmm_out *memory, struct vmm_err *err)
{
	struct vmm_page_pack *pack;
	struct vmm_err own;
	int code = vmm_page_pack_open(out, id, &pack, err);

	if (code < 0) {
		vmm_out_discard(memory);
		return code;
	}
	code = vmm_page_pack_memory(pack, memory, err);
	if (vmm_page_pack_close(pack, &own) < 0 && code == 0) {
		*err = own;
		code = own.code;
	}
	return code;
}

/* ---- the kernel's mappings ---- */

static int put_mappings(struct vmm_out *out, const struct vmm_snapshot *s, struct vmm_err *err)
{
	struct vmm_out *memory = vmm_out_create_memory();
	int code;

	if (!memory)
		return vmm_fail_nomem(err);
	code = vmm__json_whole(memory, "regions", true, s, err);
	if (code < 0) {
		vmm_out_discard(memory);
		return code;
	}
	return put_element(out, "vmmap-mappings", memory, err);
}

/* ---- pages ---- */

/* Runs of pages that are not absent: where they begin, in pages behind the end of the one before, how many, and what. */
struct pages {
	struct vmm_out *skips, *counts, *states;
	uint64_t end;  /* of the last run */
	uint64_t from, to; /* of a run that still grows */
	const char *state;
	uint32_t runs;
};

static void end_run(struct pages *p)
{
	const char *comma = p->runs ? "," : "";

	if (p->from >= p->to)
		return;
	vmm_out_printf(p->skips, "%s%llu", comma, (unsigned long long)((p->from - p->end) / VMM_RUN_PAGE));
	vmm_out_printf(p->counts, "%s%llu", comma, (unsigned long long)((p->to - p->from) / VMM_RUN_PAGE));
	vmm_out_char(p->states, p->state[0]);
	p->end = p->to;
	p->from = p->to = 0;
	p->runs++;
}

static int add_run(void *arg, const struct vmm_page_run *run)
{
	struct pages *p = arg;
	const char *state = vmm_page_state(run->what);

	if (state[0] == 'a')
		return 0;
	if (p->to == run->start && p->from < p->to && p->state == state) {
		p->to = run->end;
		return 0;
	}
	end_run(p);
	if (p->runs >= RUNS_MOST)
		return 1;
	p->from = run->start;
	p->to = run->end;
	p->state = state;
	return 0;
}

/* Up to which address pages are told: all of them where nothing went wrong. */
static uint64_t walk_pages(struct pages *p, const struct vmm_report_more *more)
{
	const struct vmm_snapshot *s = more->contents;
	struct vmm_err ignored;

	for (size_t i = 0; i < s->vma_count; i++) {
		uint64_t start = vmm_max_u64(s->vmas[i].start, p->end);

		if (start >= s->vmas[i].end)
			continue;
		if (more->target->ops->pages(more->target, start, s->vmas[i].end, 0, add_run, p, &ignored) != 0) {
			end_run(p);
			return vmm_max_u64(p->end, s->vmas[i].start);
		}
	}
	end_run(p);
	return UINT64_MAX;
}

static void put_part(struct vmm_out *to, const char *before, struct vmm_out *part, bool *good)
{
	char *text = vmm_out_take(part, NULL);

	*good = *good && text;
	vmm_out_text(to, before);
	vmm_out_text(to, text ? text : "");
	free(text);
}

static int put_pages(struct vmm_out *out, const struct vmm_report_more *more, struct vmm_err *err)
{
	struct pages p = {.skips = vmm_out_create_memory(), .counts = vmm_out_create_memory(), .states = vmm_out_create_memory()};
	struct vmm_out *memory = vmm_out_create_memory();
	bool good = p.skips && p.counts && p.states && memory;
	uint64_t up_to = good ? walk_pages(&p, more) : 0;

	if (good) {
		vmm_out_printf(memory, "{\"page_size\":%d", VMM_RUN_PAGE);
		vmm__json_key_address(memory, ",\"up_to\":", up_to != UINT64_MAX, up_to);
	}
	for (struct vmm_out **part = (struct vmm_out *[]){p.skips, p.counts, p.states, NULL}, **at = part; at < part + 3; at++) {
		static const char *const before[] = {",\n\"skip\":[", "],\n\"pages\":[", "],\n\"states\":\""};

		if (memory && *at)
			put_part(memory, before[at - part], *at, &good);
		else
			vmm_out_discard(*at);
	}
	if (memory)
		vmm_out_text(memory, "\"}\n");
	/* Where the page map may not be read nothing is told, instead of that all is absent. */
	if (!good || (!p.runs && up_to != UINT64_MAX)) {
		vmm_out_discard(memory);
		return good ? 0 : vmm_fail_nomem(err);
	}
	return put_element(out, "vmmap-pages", memory, err);
}

/* ---- contents ---- */

struct contents {
	const struct vmm_report_more *more;
	struct vmm_out *out;
	struct vmm_report_strings *strings;
	bool searched;       /* strings are looked for in the mapping: it may be read */
	uint64_t start, end; /* of the mapping's part that is asked for */
	uint64_t bytes, looked_at, left_out;
	uint64_t zero_from, zero_to; /* bytes of 0 that are not put out yet: they take no room, however many they are */
	bool first, failed;
	struct vmm_page_run *runs; /* a page walk cannot be asked inside another, and reading asks for one: runs are kept */
	size_t count, capacity;
	unsigned char buffer[READ_MOST];
};

static int keep_run(void *arg, const struct vmm_page_run *run)
{
	struct contents *c = arg;
	const char state = vmm_page_state(run->what)[0];

	if (state == 'g' || state == 's' || state == 'a' || !(run->what & VMM_PAGE_PRESENT))
		return 0;
	if (!vmm_grow(&c->runs, &c->capacity, c->count + 1, sizeof(*c->runs))) {
		c->failed = true;
		return 1;
	}
	c->runs[c->count++] = *run;
	return 0;
}

static void put_zeros(struct contents *c)
{
	if (c->zero_from >= c->zero_to)
		return;
	vmm__json_key_address(c->out, c->first ? "{\"address\":" : ",\n{\"address\":", true, c->zero_from);
	vmm__json_key_number(c->out, ",\"zero\":", true, c->zero_to - c->zero_from);
	vmm_out_char(c->out, '}');
	c->first = false;
	c->zero_from = c->zero_to = 0;
}

static void add_zeros(struct contents *c, uint64_t from, uint64_t to)
{
	if (c->zero_to != from)
		put_zeros(c);
	if (c->zero_from >= c->zero_to)
		c->zero_from = from;
	c->zero_to = to;
}

static void put_bytes(struct contents *c, uint64_t address, const unsigned char *bytes, size_t length)
{
	if (length && bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0) {
		add_zeros(c, address, address + length);
		return;
	}
	put_zeros(c);
	vmm__json_key_address(c->out, c->first ? "{\"address\":" : ",\n{\"address\":", true, address);
	vmm__json_key_hex(c->out, ",\"hex\":", bytes, length);
	vmm_out_char(c->out, '}');
	c->first = false;
	c->bytes += length;
}

static void read_run(struct contents *c, const struct vmm_page_run *run)
{
	struct vmm_target *t = c->more->target;
	uint64_t at = vmm_max_u64(run->start, c->start), end = vmm_min_u64(run->end, c->end);
	struct vmm_err ignored;

	if (run->what & VMM_PAGE_ZERO && at < end) {
		add_zeros(c, at, end);
		return;
	}
	while (at < end) {
		size_t length = (size_t)vmm_min_u64(end - at, READ_MOST);
		int64_t n;

		if (c->bytes + length > BYTES_MOST || c->looked_at + length > READ_ALL_MOST) {
			c->left_out += end - at;
			return;
		}
		memset(c->buffer, 0, length);
		c->looked_at += length;
		n = t->ops->read(t, at, c->buffer, length, &ignored);
		if (n > 0)
			put_bytes(c, at, c->buffer, (size_t)n);
		if (n > 0 && c->searched)
			vmm_report_strings_feed(c->strings, at, c->buffer, (size_t)n);
		if (n < (int64_t)length)
			return;
		at += length;
	}
}

static void read_region(struct contents *c, const struct vmm_region *r)
{
	const struct vmm_snapshot *s = c->more->contents;
	struct vmm_err ignored;

	for (size_t i = VMM_FIRST_ABOVE(s->vmas, s->vma_count, end, r->start); i < s->vma_count && s->vmas[i].start < r->end; i++) {
		if (!vmm_page_memory(&s->vmas[i]))
			continue;
		c->searched = vmm_vma_readable(&s->vmas[i]) && r->kind != VMM_KIND_DEVICE;
		c->start = vmm_max_u64(s->vmas[i].start, r->start);
		c->end = vmm_min_u64(s->vmas[i].end, r->end);
		c->count = 0;
		c->more->target->ops->pages(c->more->target, vmm_align_down(c->start, VMM_RUN_PAGE), vmm_align_up(c->end, VMM_RUN_PAGE), 0,
		                            keep_run, c, &ignored);
		for (size_t k = 0; k < c->count; k++)
			read_run(c, &c->runs[k]);
	}
	vmm_report_strings_end(c->strings);
}

static int by_size(const void *a, const void *b)
{
	const struct vmm_region *x = *(const struct vmm_region *const *)a, *y = *(const struct vmm_region *const *)b;
	uint64_t m = x->end - x->start, n = y->end - y->start;

	return m != n ? (m < n ? -1 : 1) : x->start < y->start ? -1 : x->start > y->start;
}

/* Small regions first, so that a large one does not keep all others out. */
static int read_regions(struct contents *c, struct vmm_err *err)
{
	const struct vmm_snapshot *s = c->more->contents;
	const struct vmm_region **order = vmm_alloc_hook(NULL, (s->region_count + 1) * sizeof(*order));
	size_t count = 0;

	if (!order)
		return vmm_fail_nomem(err);
	for (size_t i = 0; i < s->region_count; i++)
		if (c->more->kinds >> s->regions[i].kind & 1 && !s->regions[i].outside)
			order[count++] = &s->regions[i];
	qsort(order, count, sizeof(*order), by_size);
	for (size_t i = 0; i < count && !c->failed; i++)
		read_region(c, order[i]);
	free(order);
	return c->failed ? vmm_fail_nomem(err) : 0;
}

/* Reads all that is wanted: into c->out, and its strings. */
static int collect(struct contents *c, struct vmm_err *err)
{
	int code;

	vmm_out_text(c->out, "{\"parts\":[");
	code = read_regions(c, err);
	put_zeros(c);
	vmm__json_key_number(c->out, "],\n\"left_out\":", true, c->left_out);
	vmm_out_text(c->out, "}\n");
	return code;
}

static int put_memory(struct vmm_out *out, const struct vmm_report_more *more, struct vmm_err *err)
{
	struct contents *c = vmm_alloc_hook(NULL, sizeof(*c));
	struct vmm_out *memory = vmm_out_create_memory();
	struct vmm_report_strings *strings = vmm_report_strings_create();
	int code = c && memory && strings ? 0 : vmm_fail_nomem(err);

	if (code == 0) {
		memset(c, 0, sizeof(*c));
		c->more = more;
		c->out = memory;
		c->strings = strings;
		c->first = true;
		code = collect(c, err);
		free(c->runs);
	}
	free(c);
	if (code == 0)
		code = put_element(out, "vmmap-memory", memory, err);
	else
		vmm_out_discard(memory);
	if (code == 0)
		code = put_element(out, "vmmap-strings", vmm_report_strings_take(strings), err);
	vmm_report_strings_destroy(strings);
	return code;
}

static int put_chunks(struct vmm_out *out, const struct vmm_report_more *more, struct vmm_err *err)
{
	struct vmm_out *memory = vmm_out_create_memory();
	int code = memory ? vmm_report_chunks(memory, more, err) : vmm_fail_nomem(err);

	if (code == 1)
		return put_element(out, "vmmap-chunks", memory, err);
	vmm_out_discard(memory);
	return code;
}

int vmm_report_put_more(struct vmm_out *out, const struct vmm_report_more *more, struct vmm_err *err)
{
	int code = more->snapshot->vma_count ? put_mappings(out, more->snapshot, err) : 0;

	if (code < 0 || !more->target || !more->contents)
		return code;
	if (!more->target->residency_unknown && more->target->ops->pages)
		code = put_pages(out, more, err);
	if (code == 0 && more->chunks && more->contents->heap_count)
		code = put_chunks(out, more, err);
	if (code == 0 && more->kinds && more->target->ops->read)
		code = put_memory(out, more, err);
	return code;
}
