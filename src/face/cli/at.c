/* vmmap at: what stands at addresses. */
#include "base/err.h"
#include "base/scan.h"
#include "base/search.h"
#include "face/cli.h"
#include "face/place.h"
#include "face/summary.h"

int vmm_cli_address(const char *text, uint64_t *ret_address, struct vmm_err *err)
{
	struct vmm_scan s = vmm_scan_init(text, strlen(text));

	if (!vmm_scan_text(&s, "0x"))
		vmm_scan_text(&s, "0X");
	if (!vmm_scan_hex(&s, ret_address) || !vmm_scan_done(&s))
		return vmm_fail(err, VMM_E_USAGE, 0, "'%.60s' is no address: give hexadecimal digits, with or without 0x", text);
	return 0;
}

static void find_neighbours(const struct vmm_snapshot *s, struct vmm_place *p)
{
	size_t above = VMM_FIRST_ABOVE(s->regions, s->region_count, start, p->address);

	p->above = above < s->region_count ? &s->regions[above] : NULL;
	p->below = above > 0 ? &s->regions[above - 1] : NULL;
}

struct vmm_place vmm_place_find(const struct vmm_snapshot *s, const struct vmm_chunk_at *at, const struct vmm_place_names *names)
{
	uint64_t address = at->address;
	struct vmm_place p = {.address = address};

	p.region = vmm_snapshot_region_at(s, address);
	p.block = vmm_snapshot_block_at(s, address);
	p.vma = vmm_snapshot_vma_at(s, address);
	if (!p.vma) {
		/* An image may have a hole: the address lies in its region and yet in a gap. */
		p.gap = vmm_snapshot_gap_at(s, address);
		find_neighbours(s, &p);
		return p;
	}
	if (p.region && p.region->module < s->module_count)
		p.module = &s->modules[p.region->module];
	if (p.region && p.region->thread < s->thread_count)
		p.thread = &s->threads[p.region->thread];
	if (p.region && p.region->heap < s->heap_count) {
		p.heap = &s->heaps[p.region->heap];
		p.chunk = at;
	}
	p.symbol = names->named ? &names->symbol : NULL;
	p.content = names->decoded ? &names->content : NULL;
	return p;
}

/* What a snapshot and more looks gave, by address. */
struct looked {
	struct vmm_snapshot *snapshot;
	struct vmm_symbols *symbols;
	struct vmm_chunk_at at[VMM_OPERANDS_MAX];
	struct vmm_place_names names[VMM_OPERANDS_MAX];
	size_t count;
};

static void emit(struct vmm_answer *a, const struct looked *l)
{
	const struct vmm_snapshot *s = l->snapshot;

	a->output.out->backslashes = strcmp(s->target.arch, "windows") == 0;
	if (a->format == VMM_FORMAT_JSON) {
		vmm_places_json(a->output.out, s, l->at, l->names, l->count);
		return;
	}
	for (size_t i = 0; i < l->count && s->vma_count; i++) {
		struct vmm_place p = vmm_place_find(s, &l->at[i], &l->names[i]);

		vmm_place_put(a->output.out, &a->look, s, &p);
	}
	vmm_summary_notes(a->output.out, &a->look, s);
}

/* Names that symbol tables know, and what chunks begin with. */
static int look_up(struct vmm_target *t, const struct vmm_snapshot *s, const struct vmm_chunk_at *ats, struct vmm_place_names *names,
                   size_t count, struct vmm_symbols **ret_symbols, struct vmm_err *err)
{
	struct vmm_content_context context = {s, t, NULL};
	int code = vmm_symbols_create(t, s, ret_symbols, err);

	context.symbols = *ret_symbols;
	for (size_t i = 0; i < count && code == 0; i++) {
		const struct vmm_chunk_at *at = &ats[i];
		struct vmm_place_names *n = &names[i];

		n->named = at->region && vmm_symbols_find(*ret_symbols, at->address, &n->symbol);
		n->decoded = at->found && at->head_bytes > 0;
		if (n->decoded)
			vmm_content_decode(&context, at->head, at->head_bytes, at->chunk.usable, &n->content);
	}
	return code;
}

int vmm_places_look(struct vmm_target *t, const struct vmm_snapshot *s, struct vmm_chunk_at *at, struct vmm_place_names *names,
                    size_t count, struct vmm_symbols **ret_symbols, struct vmm_err *err)
{
	int chunks, code;

	for (size_t i = 0; i < count; i++)
		at[i].region = vmm_snapshot_vma_at(s, at[i].address) ? vmm_snapshot_region_at(s, at[i].address) : NULL;
	chunks = vmm_target_chunks_at(t, s, at, count, err);
	/* The snapshot is an answer of its own. */
	if (chunks < 0 && chunks != VMM_E_GONE)
		return chunks;
	code = look_up(t, s, at, names, count, ret_symbols, err);
	return code < 0 ? code : chunks;
}

/* Snapshot and chunks, in one pause where --stop asks for it. What is no address in a heap costs no walk. */
static int look_at(const struct vmm_args *args, struct looked *l, struct vmm_err *err)
{
	struct vmm_snapshot *s = NULL;
	struct vmm_target *t;
	struct vmm_hold hold;
	int code = vmm_cli_open(args, args->operand[0], &t, err);

	if (code < 0)
		return code;
	code = vmm_hold_begin(&hold, args, t, err);
	if (code == 0)
		code = vmm_cli_take_open(t, VMM_NEED_DEFAULT, &s, err);
	if (code == 0) {
		l->snapshot = s;
		code = vmm_places_look(t, s, l->at, l->names, l->count, &l->symbols, err);
		if (code == VMM_E_GONE) {
			s->partial = true;
			code = 0;
		}
	}
	vmm_hold_end(&hold, s);
	vmm_target_close(t);
	return code;
}

static void looked_done(struct looked *l)
{
	vmm_symbols_destroy(l->symbols);
	vmm_snapshot_destroy(l->snapshot);
}

int vmm_cli_at(const struct vmm_args *args)
{
	VMM_CLEANUP(looked_done) struct looked l = {.count = args->operand_count - 1};
	enum vmm_format format;
	struct vmm_answer a;
	struct vmm_err err;
	int code;

	code = vmm_cli_format(args, &format, &err);
	if (code == 0 && (format == VMM_FORMAT_CSV || format == VMM_FORMAT_NDJSON))
		code = vmm_fail(&err, VMM_E_USAGE, 0, "at has the formats text and json");
	for (size_t i = 0; i < l.count && code == 0; i++)
		code = vmm_cli_address(args->operand[i + 1], &l.at[i].address, &err);
	if (code == 0)
		code = look_at(args, &l, &err);
	if (code < 0)
		return vmm_cli_fail_target(args, args->operand[0], &err);
	code = vmm_answer_open(&a, args, &err);
	if (code == 0)
		emit(&a, &l);
	return vmm_answer_close(&a, args, l.snapshot, code, &err);
}
