/*
 * The CSV and text files of Sysinternals VMMap for Windows, so that what was made for those reads ours: the same tables,
 * headings, words and units. Its CSV ends lines in CR CR LF, and so does this one. docs/vmmap-files.md has the details.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "format/vmmap_file.h"
#include "view/view.h"

#define CELLS 13
#define SUMMARY_CELLS 11
#define UNKNOWN "?" /* VMMap knows all or leaves a blank, which is 0 */

static const enum vmm_metric metrics[] = {VMM_METRIC_SIZE, VMM_METRIC_COMMITTED, VMM_METRIC_PRIVATE,   VMM_METRIC_RSS,
                                          VMM_METRIC_USS,  VMM_METRIC_SHAREABLE, VMM_METRIC_SHARED, VMM_METRIC_LOCKED};

static const char *const summary_titles[SUMMARY_CELLS] = {"Type",         "Size",      "Committed", "Private", "Total WS", "Private WS",
                                                          "Shareable WS", "Shared WS", "Locked WS", "Blocks",  "Largest"};
static const char *const detail_titles[CELLS] = {"Address",    "Type",         "Size",      "Committed", "Private",    "Total WS",
                                                 "Private WS", "Shareable WS", "Shared WS", "Locked WS", "Blocks",     "Protection",
                                                 "Details"};

struct cells {
	const char *text[CELLS];
	char own[CELLS][VMM_GROUPED_BYTES + 8];
	char protection[VMM_VMMAP_PROTECTION_TEXT];
	char *details; /* the heap's, when it is none of the snapshot's */
};

/* Writes one table: rows are handed out one after the other, twice in text, where the widths come first. */
struct writer {
	struct vmm_out *out;
	const struct vmm_snapshot *s;
	bool csv, measuring;
	size_t count;          /* cells of a row */
	size_t width[CELLS];   /* text: of the widest cell */
	bool failed;           /* out of memory */
};

/* KiB, grouped; 0 is nothing at all. */
static const char *size_text(char own[VMM_GROUPED_BYTES + 8], uint64_t bytes)
{
	uint64_t kib = (bytes >> 10) + (bytes >> 9 & 1);

	own[0] = '\0';
	if (kib)
		vmm_text_grouped(own, kib);
	return own;
}

static const char *count_text(char own[VMM_GROUPED_BYTES + 8], uint64_t count)
{
	snprintf(own, VMM_GROUPED_BYTES, "%llu", (unsigned long long)count);
	return own;
}

static void set_metrics(struct cells *c, size_t first, const struct vmm_metrics *m)
{
	for (size_t i = 0; i < ARRAY_LEN(metrics); i++)
		c->text[first + i] = vmm_metric_known(m, metrics[i]) ? size_text(c->own[first + i], m->value[metrics[i]]) : UNKNOWN;
}

/* One field as data: control characters are escaped, backslashes are not. */
static void put_text(struct vmm_out *out, const char *s, bool csv)
{
	size_t length = strlen(s);

	for (size_t i = 0; i < length;) {
		uint32_t point;
		char e[32];
		size_t n = vmm_utf8_decode(s + i, length - i, &point);

		if (csv && point == '"')
			vmm_out_text(out, "\"\"");
		else if (point == '\\')
			vmm_out_char(out, '\\');
		else
			vmm_out_bytes(out, e, vmm_escape_terminal(e, sizeof(e), s + i, n));
		i += n;
	}
}

static size_t text_width(const char *s)
{
	struct vmm_out *out = vmm_out_create_memory();
	size_t length = 0;
	char *text;

	if (!out)
		return strlen(s);
	put_text(out, s, false);
	text = vmm_out_take(out, &length);
	length = text ? vmm_text_width(text, length) : strlen(s);
	free(text);
	return length;
}

static void put_row(struct writer *w, const char *const *cells, bool heading)
{
	for (size_t i = 0; i < w->count; i++) {
		if (w->measuring) {
			w->width[i] = vmm_max_u64(w->width[i], text_width(cells[i]));
		} else if (w->csv) {
			vmm_out_text(w->out, i ? ",\"" : "\"");
			put_text(w->out, cells[i], true);
			vmm_out_char(w->out, '"');
		} else {
			put_text(w->out, cells[i], false);
			if (i + 1 < w->count)
				vmm_out_repeat(w->out, " ", w->width[i] - vmm_min_u64(text_width(cells[i]), w->width[i]) + 2);
		}
	}
	if (!w->measuring)
		vmm_out_text(w->out, !w->csv ? "\r\n" : heading ? ",\r\r\n" : "\r\r\n");
}

/* Mappings of a region: what VirtualQuery tells apart on Windows. */
static uint64_t mappings_of(const struct vmm_snapshot *s, const struct vmm_region *r)
{
	uint32_t last = VMM_NONE;
	uint64_t count = 0;

	for (uint32_t i = 0; i < r->block_count && r->first_block + i < s->block_count; i++) {
		count += s->blocks[r->first_block + i].vma != last;
		last = s->blocks[r->first_block + i].vma;
	}
	return count;
}

static bool region_counts(const struct vmm_region *r)
{
	return !r->outside && r->block_count;
}

static uint64_t mappings_of_kind(const struct vmm_snapshot *s, enum vmm_kind kind)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < s->region_count; i++)
		if (region_counts(&s->regions[i]) && (kind == VMM_KIND_COUNT || s->regions[i].kind == kind))
			count += mappings_of(s, &s->regions[i]);
	return count;
}

/* VMMap's total holds the page tables and what is unusable too. */
static void put_total(struct writer *w)
{
	const struct vmm_snapshot *s = w->s;
	const struct vmm_metrics *tables = &s->types[VMM_KIND_PAGE_TABLE].m;
	struct vmm_metrics m = s->total.m;
	struct cells c = {.text = {"Total"}};

	for (size_t i = 0; i < ARRAY_LEN(metrics); i++)
		if (vmm_metric_known(tables, metrics[i]) && metrics[i] != VMM_METRIC_LOCKED)
			m.value[metrics[i]] = vmm_add_sat(m.value[metrics[i]], tables->value[metrics[i]]);
	m.value[VMM_METRIC_SIZE] = vmm_add_sat(m.value[VMM_METRIC_SIZE], s->types[VMM_KIND_UNUSABLE].m.value[VMM_METRIC_SIZE]);
	set_metrics(&c, 1, &m);
	c.text[9] = s->unreadable ? UNKNOWN : count_text(c.own[9], mappings_of_kind(s, VMM_KIND_COUNT));
	c.text[10] = "";
	put_row(w, c.text, false);
}

static void put_type(struct writer *w, enum vmm_kind kind)
{
	const struct vmm_snapshot *s = w->s;
	const struct vmm_type_total *t = &s->types[kind];
	struct cells c = {.text = {vmm_kind_label(kind)}};
	struct vmm_metrics m = t->m;
	uint64_t blocks = kind == VMM_KIND_FREE ? t->regions : mappings_of_kind(s, kind);

	if (kind == VMM_KIND_PAGE_TABLE) {
		/* Blank is how VMMap shows page tables that it does not know, and what is locked of them. */
		uint64_t bytes = m.value[VMM_METRIC_SIZE];

		vmm_metrics_zero(&m);
		for (size_t i = 0; i < 5; i++)
			vmm_metric_set(&m, metrics[i], bytes);
	}
	set_metrics(&c, 1, &m);
	c.text[9] = blocks ? count_text(c.own[9], blocks) : "";
	c.text[10] = t->counted ? size_text(c.own[10], t->largest) : "";
	put_row(w, c.text, false);
}

static void put_summary(struct writer *w)
{
	w->count = SUMMARY_CELLS;
	put_row(w, summary_titles, true);
	put_total(w);
	for (int k = 0; k < VMM_KIND_COUNT; k++) {
		/* Windows has no such types: a program that reads its files need not know them. */
		if ((k == VMM_KIND_DEVICE || k == VMM_KIND_SYSTEM) && !mappings_of_kind(w->s, (enum vmm_kind)k))
			continue;
		put_type(w, (enum vmm_kind)k);
	}
}

static const char *address_text(char own[VMM_GROUPED_BYTES + 8], const struct vmm_snapshot *s, uint64_t address, bool block)
{
	snprintf(own, VMM_GROUPED_BYTES + 8, "%s%0*llX", block ? "  " : "", s->target.bits == 32 ? 8 : 16, (unsigned long long)address);
	return own;
}

static const char *type_text(const struct vmm_snapshot *s, const struct vmm_region *r)
{
	switch (r->kind) {
	case VMM_KIND_IMAGE:
		return r->module < s->module_count && s->modules[r->module].pie ? "Image (ASLR)" : "Image";
	case VMM_KIND_HEAP:
		return r->prot & VMM_PROT_SHARED ? "Heap (Shareable)" : "Heap (Private Data)";
	case VMM_KIND_STACK:
		return "Thread Stack";
	default:
		return vmm_kind_label(r->kind);
	}
}

static bool ends_with(const char *text, const char *end)
{
	size_t a = strlen(text), b = strlen(end);

	return a >= b && strcmp(text + a - b, end) == 0;
}

/* What words of Windows say of a block beyond r, w and x. */
static uint32_t block_what(const struct vmm_snapshot *s, const struct vmm_block *b, uint8_t *ret_prot)
{
	const struct vmm_vma *v = b->vma < s->vma_count ? &s->vmas[b->vma] : NULL;
	uint32_t what = 0;

	*ret_prot = v ? v->prot & (VMM_PROT_READ | VMM_PROT_WRITE | VMM_PROT_EXEC) : 0;
	if (!*ret_prot)
		return vmm_metric_known(b->m, VMM_METRIC_COMMITTED) && b->m->value[VMM_METRIC_COMMITTED] ? VMM_VMMAP_NO_ACCESS
		                                                                                             : VMM_VMMAP_RESERVED;
	if (*ret_prot & VMM_PROT_WRITE && !(v->prot & VMM_PROT_SHARED) && v->backing != VMM_BACKING_ANON)
		what |= VMM_VMMAP_COPY;
	if (b->guard)
		what |= VMM_VMMAP_GUARD;
	if (ends_with(b->label, "write combine"))
		what |= VMM_VMMAP_COMBINE;
	if (ends_with(b->label, "no cache"))
		what |= VMM_VMMAP_NO_CACHE;
	return what;
}

/* The label without the word that stands under Protection here. */
static const char *block_details(struct cells *c, const struct vmm_region *r, const struct vmm_block *b, uint32_t what)
{
	const char *word = vmm_vmmap_protection_word(what);
	size_t length = strlen(b->label);

	if (word[0] && ends_with(b->label, word)) {
		length -= strlen(word);
		if (length >= 2 && memcmp(b->label + length - 2, ", ", 2) == 0)
			length -= 2;
		else if (length)
			length = strlen(b->label);
	}
	/* VMMap repeats a heap's name. */
	if (!length)
		return r->kind == VMM_KIND_HEAP ? r->details : "";
	c->details = vmm_alloc_hook(NULL, length + 1);
	if (!c->details)
		return NULL;
	memcpy(c->details, b->label, length);
	c->details[length] = '\0';
	return c->details;
}

static void put_block(struct writer *w, const struct vmm_region *r, const struct vmm_block *b)
{
	struct cells c = {.text = {""}};
	uint8_t prot;
	uint32_t what = block_what(w->s, b, &prot);

	c.text[0] = address_text(c.own[0], w->s, b->start, true);
	c.text[1] = type_text(w->s, r);
	set_metrics(&c, 2, b->m);
	c.text[10] = "";
	vmm_vmmap_protection_text(prot, what, c.protection);
	c.text[11] = c.protection;
	c.text[12] = block_details(&c, r, b, what);
	if (c.text[12])
		put_row(w, c.text, false);
	else
		w->failed = true;
	free(c.details);
}

/* The protection of a region is that of its blocks with the highest PAGE_ value. */
static void region_protection(const struct vmm_snapshot *s, const struct vmm_region *r, char ret[VMM_VMMAP_PROTECTION_TEXT])
{
	uint32_t highest = 0;

	vmm_vmmap_protection_text(0, VMM_VMMAP_RESERVED, ret);
	for (uint32_t i = 0; i < r->block_count && r->first_block + i < s->block_count; i++) {
		uint8_t prot;
		uint32_t what = block_what(s, &s->blocks[r->first_block + i], &prot);
		uint32_t rank = vmm_vmmap_protection_rank(prot, what);

		if (rank <= highest)
			continue;
		highest = rank;
		vmm_vmmap_protection_text(prot, what, ret);
	}
}

static void put_region(struct writer *w, const struct vmm_region *r)
{
	struct cells c = {.text = {""}};

	c.text[0] = address_text(c.own[0], w->s, r->start, false);
	c.text[1] = type_text(w->s, r);
	set_metrics(&c, 2, r->m);
	c.text[10] = count_text(c.own[10], mappings_of(w->s, r));
	region_protection(w->s, r, c.protection);
	c.text[11] = c.protection;
	c.text[12] = (r->kind == VMM_KIND_IMAGE || r->kind == VMM_KIND_MAPPED_FILE) && r->path[0] ? r->path : r->details;
	put_row(w, c.text, false);
	for (uint32_t i = 0; i < r->block_count && r->first_block + i < w->s->block_count; i++)
		put_block(w, r, &w->s->blocks[r->first_block + i]);
}

static void put_details(struct writer *w)
{
	w->count = CELLS;
	put_row(w, detail_titles, true);
	for (uint32_t i = 0; i < w->s->region_count && !w->out->failed; i++)
		if (region_counts(&w->s->regions[i]))
			put_region(w, &w->s->regions[i]);
}

/* Text: the widths first. */
static void put_table(struct writer *w, void (*put)(struct writer *w))
{
	memset(w->width, 0, sizeof(w->width));
	if (!w->csv) {
		w->measuring = true;
		put(w);
		w->measuring = false;
	}
	put(w);
}

int vmm_emit_vmmap(struct vmm_out *out, const struct vmm_snapshot *s, bool csv, struct vmm_err *err)
{
	struct writer w = {.out = out, .s = s, .csv = csv};
	const char *end = csv ? "\"\r\r\n" : "\r\n", *between = csv ? "\",\"" : " ", *quote = csv ? "\"" : "";

	vmm_out_text(out, quote);
	vmm_out_text(out, "Process:");
	vmm_out_text(out, between);
	put_text(out, s->target.name, csv);
	vmm_out_text(out, end);
	vmm_out_text(out, quote);
	vmm_out_text(out, "PID:");
	vmm_out_text(out, between);
	vmm_out_int(out, s->target.pid);
	vmm_out_text(out, end);
	vmm_out_text(out, csv ? "\r\r\n" : "\r\n");
	put_table(&w, put_summary);
	vmm_out_text(out, csv ? "\r\r\n" : "\r\n");
	put_table(&w, put_details);
	vmm_out_text(out, csv ? "\r\r\n" : "");
	return w.failed ? vmm_fail_nomem(err) : 0;
}
