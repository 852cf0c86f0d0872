#include <stdio.h>

#include "base/err.h"
#include "base/scan.h"
#include "face/cli.h"
#include "face/summary.h"
#include "view/view.h"

#define COLUMNS_MAX 64
#define LABEL_WIDTH 11

/* Everything that stands at one address; members are NULL where there is nothing. */
struct place {
	uint64_t address;
	const struct vmm_region *region, *below, *above;
	const struct vmm_block *block;
	const struct vmm_vma *vma;
	const struct vmm_gap *gap;
	const struct vmm_module *module;
	const struct vmm_thread *thread;
};

/* Hexadecimal with or without 0x. */
static int parse_address(const char *text, uint64_t *ret_address, struct vmm_err *err)
{
	struct vmm_scan s = vmm_scan_init(text, strlen(text));

	if (!vmm_scan_text(&s, "0x"))
		vmm_scan_text(&s, "0X");
	if (!vmm_scan_hex(&s, ret_address) || !vmm_scan_done(&s))
		return vmm_fail(err, VMM_E_USAGE, 0, "'%.60s' is no address: give hexadecimal digits, with or without 0x", text);
	return 0;
}

static void find_neighbours(const struct vmm_snapshot *s, struct place *p)
{
	uint32_t low = 0, high = s->region_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (s->regions[middle].start > p->address)
			high = middle;
		else
			low = middle + 1;
	}
	p->above = low < s->region_count ? &s->regions[low] : NULL;
	p->below = low > 0 ? &s->regions[low - 1] : NULL;
}

static struct place find_place(const struct vmm_snapshot *s, uint64_t address)
{
	struct place p = {.address = address};

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
	return p;
}

static void put_label(struct vmm_out *out, const struct vmm_look *look, const char *label)
{
	vmm_out_text(out, "  ");
	vmm_put_dim(out, look);
	vmm_out_printf(out, "%-*s", LABEL_WIDTH - 2, label);
	vmm_put_plain(out, look);
}

static void put_range(struct vmm_out *out, uint64_t start, uint64_t end)
{
	vmm_out_printf(out, "0x%llx-0x%llx  ", (unsigned long long)start, (unsigned long long)end);
}

static void put_offset(struct vmm_out *out, uint64_t offset)
{
	vmm_out_printf(out, "+0x%llx", (unsigned long long)offset);
}

static void put_region(struct vmm_out *out, const struct vmm_look *look, const struct vmm_region *r)
{
	char protection[5];

	vmm_prot_text(r->prot, protection);
	put_range(out, r->start, r->end);
	vmm_put_foreground(out, look, vmm_kind_colour256(r->kind));
	vmm_out_text(out, look->style.colour ? "■ " : "");
	vmm_put_plain(out, look);
	vmm_out_text(out, vmm_kind_label(r->kind));
	vmm_out_text(out, "  ");
	vmm_put_metric(out, look, r->m, VMM_METRIC_SIZE);
	vmm_out_printf(out, "  %s%s", protection, r->write_exec ? "!" : "");
	if (r->details[0]) {
		vmm_out_text(out, "  ");
		vmm_out_escaped(out, r->details, 0);
	}
	vmm_out_char(out, '\n');
}

/* The line as /proc/PID/maps has it. */
static void put_mapping(struct vmm_out *out, const struct vmm_vma *v)
{
	char protection[5];

	vmm_prot_text(v->prot, protection);
	vmm_out_printf(out, "%llx-%llx %s %08llx %02x:%02x %llu", (unsigned long long)v->start, (unsigned long long)v->end,
	               protection, (unsigned long long)v->offset, v->dev_major, v->dev_minor,
	               (unsigned long long)v->inode);
	if (v->name[0]) {
		vmm_out_text(out, "  ");
		vmm_out_escaped(out, v->name, 0);
	}
	vmm_out_text(out, v->deleted ? " (deleted)\n" : "\n");
}

static void put_module(struct vmm_out *out, const struct place *p)
{
	const struct vmm_module *m = p->module;

	vmm_out_escaped(out, m->path[0] ? m->path : "(no file)", 0);
	vmm_out_printf(out, ", ELF address 0x%llx", (unsigned long long)(p->address - m->bias));
	if (p->vma->backing == VMM_BACKING_FILE)
		vmm_out_printf(out, ", file offset 0x%llx",
		               (unsigned long long)(p->vma->offset + (p->address - p->vma->start)));
	if (m->build_id && m->build_id[0]) {
		vmm_out_text(out, ", build-id ");
		vmm_out_escaped(out, m->build_id, 0);
	}
	vmm_out_char(out, '\n');
}

static void put_thread(struct vmm_out *out, const struct place *p)
{
	const struct vmm_thread *t = p->thread;

	vmm_out_printf(out, "%d ", (int)t->tid);
	vmm_out_escaped(out, t->name, 0);
	if (t->sp_known) {
		bool above = p->address >= t->sp;

		vmm_out_printf(out, ", stack pointer 0x%llx, ", (unsigned long long)t->sp);
		vmm_put_count(out, above ? p->address - t->sp : t->sp - p->address);
		vmm_out_text(out, above ? " bytes above it: in use" : " bytes below it: not in use now");
	}
	vmm_out_char(out, '\n');
}

static void put_flags(struct vmm_out *out, const struct vmm_look *look, uint64_t flags)
{
	struct vmm_line line = {.out = out, .look = look, .indent = LABEL_WIDTH, .column = LABEL_WIDTH};

	if (!(flags & VMM_VF_KNOWN))
		vmm_line_add(&line, "?");
	for (unsigned i = 0; i < VMM_VMFLAG_COUNT; i++) {
		char word[80];

		if (!((flags >> i) & 1) || !(flags & VMM_VF_KNOWN))
			continue;
		snprintf(word, sizeof(word), "%s %s", vmm_vmflag_code(i), vmm_vmflag_help(i));
		vmm_line_add(&line, word);
	}
	vmm_line_end(&line);
}

static void put_numbers(struct vmm_out *out, const struct vmm_look *look, const struct vmm_metrics *m)
{
	static const struct {
		const char *label;
		enum vmm_metric metric;
	} shown[] = {{"size", VMM_METRIC_SIZE}, {"committed", VMM_METRIC_COMMITTED}, {"resident", VMM_METRIC_RSS},
	             {"swap", VMM_METRIC_SWAP}};

	for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
		vmm_out_text(out, i ? ", " : "");
		vmm_out_text(out, shown[i].label);
		vmm_out_char(out, ' ');
		vmm_put_metric(out, look, m, shown[i].metric);
	}
	vmm_out_char(out, '\n');
}

static void put_pages(struct vmm_out *out, const struct vmm_snapshot *s, uint64_t address)
{
	uint64_t size = s->target.page_size;

	if (size == 0) {
		vmm_out_text(out, "?\n");
		return;
	}
	vmm_out_printf(out, "number 0x%llx of ", (unsigned long long)(address / size));
	vmm_put_short_size(out, size);
	vmm_out_printf(out, ", 0x%llx into it\n", (unsigned long long)(address % size));
}

static void put_gap(struct vmm_out *out, const struct vmm_look *look, const struct place *p)
{
	if (p->gap) {
		put_label(out, look, "gap");
		put_range(out, p->gap->start, p->gap->end);
		vmm_out_text(out, vmm_kind_label(p->gap->kind));
		vmm_out_text(out, "  ");
		vmm_put_short_size(out, p->gap->end - p->gap->start);
		vmm_out_text(out, p->gap->details[0] ? ", " : "");
		vmm_out_escaped(out, p->gap->details, 0);
		vmm_out_char(out, '\n');
	}
	if (p->below) {
		put_label(out, look, p->region == p->below ? "inside" : "below");
		put_region(out, look, p->below);
		if (p->address >= p->below->end) {
			put_label(out, look, "");
			vmm_put_short_size(out, p->address - p->below->end);
			vmm_out_text(out, " above its end\n");
		}
	}
	if (p->above) {
		put_label(out, look, "above");
		put_region(out, look, p->above);
		put_label(out, look, "");
		vmm_put_short_size(out, p->above->start - p->address);
		vmm_out_text(out, " below its start\n");
	}
}

static void put_mapped(struct vmm_out *out, const struct vmm_look *look, const struct vmm_snapshot *s,
                       const struct place *p)
{
	if (p->region) {
		put_label(out, look, "region");
		put_region(out, look, p->region);
		put_label(out, look, "");
		put_numbers(out, look, p->region->m);
	}
	if (p->block) {
		put_label(out, look, "block");
		put_range(out, p->block->start, p->block->end);
		vmm_out_escaped(out, p->block->label[0] ? p->block->label : "(no name)", 0);
		vmm_out_char(out, ' ');
		put_offset(out, p->address - p->block->start);
		vmm_out_char(out, '\n');
	}
	if (p->module) {
		put_label(out, look, "module");
		put_module(out, p);
	}
	if (p->thread) {
		put_label(out, look, "thread");
		put_thread(out, p);
	}
	put_label(out, look, "mapping");
	put_mapping(out, p->vma);
	put_label(out, look, "");
	put_numbers(out, look, &p->vma->m);
	put_label(out, look, "VmFlags");
	put_flags(out, look, p->vma->vm_flags);
	put_label(out, look, "page");
	put_pages(out, s, p->address);
}

static void put_place(struct vmm_out *out, const struct vmm_look *look, const struct vmm_snapshot *s,
                      const struct place *p)
{
	vmm_put_bold(out, look);
	vmm_out_printf(out, "0x%llx", (unsigned long long)p->address);
	vmm_put_plain(out, look);
	if (p->vma && p->region) {
		vmm_out_text(out, "  ");
		vmm_out_text(out, vmm_kind_label(p->region->kind));
		vmm_out_char(out, ' ');
		put_offset(out, p->address - p->region->start);
		vmm_out_text(out, p->region->details[0] ? ", " : "");
		vmm_out_escaped(out, p->region->details, 0);
	} else if (!p->vma && !p->gap) {
		vmm_out_text(out, s->target.user_end && p->address >= s->target.user_end
		                          ? "  not mapped: outside the user address space"
		                          : "  not mapped");
	} else if (!p->vma) {
		vmm_out_text(out, "  not mapped: ");
		vmm_out_text(out, vmm_kind_label(p->gap->kind));
	}
	vmm_out_char(out, '\n');
	if (p->vma)
		put_mapped(out, look, s, p);
	else
		put_gap(out, look, p);
}

/* ,"key":{all JSON columns of a row} or null. */
static void put_json_row(struct vmm_out *out, const char *key, const char *table_id, const struct vmm_snapshot *s,
                         const void *object, enum vmm_row_type type)
{
	const struct vmm_table *table = vmm_table_find(table_id);
	const struct vmm_column *columns[COLUMNS_MAX];
	struct vmm_row row = {.snapshot = s, .object = object, .type = type};
	size_t count = 0;

	vmm_out_printf(out, ",\"%s\":", key);
	if (!object) {
		vmm_out_text(out, "null");
		return;
	}
	for (size_t i = 0; i < table->column_count && count < COLUMNS_MAX; i++)
		if (table->columns[i].flags & VMM_COLUMN_JSON)
			columns[count++] = &table->columns[i];
	vmm__json_row(out, columns, count, &row, false);
}

static void put_json_mapping(struct vmm_out *out, const struct place *p)
{
	bool first = true;

	if (!p->vma) {
		vmm_out_text(out, ",\"file_offset\":null,\"vm_flags\":null");
		return;
	}
	if (p->vma->backing == VMM_BACKING_ANON)
		vmm_out_text(out, ",\"file_offset\":null");
	else
		vmm_out_printf(out, ",\"file_offset\":%llu",
		               (unsigned long long)(p->vma->offset + (p->address - p->vma->start)));
	if (!(p->vma->vm_flags & VMM_VF_KNOWN)) {
		vmm_out_text(out, ",\"vm_flags\":null");
		return;
	}
	vmm_out_text(out, ",\"vm_flags\":[");
	for (unsigned i = 0; i < VMM_VMFLAG_COUNT; i++) {
		if (!((p->vma->vm_flags >> i) & 1))
			continue;
		vmm_out_printf(out, "%s\"%s\"", first ? "" : ",", vmm_vmflag_code(i));
		first = false;
	}
	vmm_out_char(out, ']');
}

static void put_json_owner(struct vmm_out *out, const struct place *p)
{
	if (p->module) {
		vmm_out_text(out, ",\"module\":{\"path\":");
		vmm_out_json(out, p->module->path);
		vmm_out_printf(out, ",\"elf_address\":\"0x%llx\",\"build_id\":", (unsigned long long)(p->address - p->module->bias));
		if (p->module->build_id)
			vmm_out_json(out, p->module->build_id);
		else
			vmm_out_text(out, "null");
		vmm_out_char(out, '}');
	} else {
		vmm_out_text(out, ",\"module\":null");
	}
	if (!p->thread) {
		vmm_out_text(out, ",\"thread\":null");
		return;
	}
	vmm_out_printf(out, ",\"thread\":{\"tid\":%d,\"name\":", (int)p->thread->tid);
	vmm_out_json(out, p->thread->name);
	if (p->thread->sp_known)
		vmm_out_printf(out, ",\"sp\":\"0x%llx\"}", (unsigned long long)p->thread->sp);
	else
		vmm_out_text(out, ",\"sp\":null}");
}

static void put_json_place(struct vmm_out *out, const struct vmm_snapshot *s, const struct place *p)
{
	vmm_out_printf(out, "{\"address\":\"0x%llx\",\"mapped\":%s", (unsigned long long)p->address, p->vma ? "true" : "false");
	put_json_row(out, "region", "regions", s, p->region, VMM_ROW_REGION);
	put_json_row(out, "block", "tree", s, p->block, VMM_ROW_BLOCK);
	put_json_row(out, "mapping", "regions", s, p->vma, VMM_ROW_VMA);
	put_json_mapping(out, p);
	put_json_owner(out, p);
	put_json_row(out, "gap", "free", s, p->gap, VMM_ROW_GAP);
	put_json_row(out, "below", "regions", s, p->below, VMM_ROW_REGION);
	put_json_row(out, "above", "regions", s, p->above, VMM_ROW_REGION);
	vmm_out_char(out, '}');
}

static void put_json(struct vmm_out *out, const struct vmm_snapshot *s, const uint64_t *addresses, size_t count)
{
	vmm_out_char(out, '{');
	vmm__json_head(out);
	vmm_out_printf(out, ",\"target\":{\"pid\":%d,\"name\":", (int)s->target.pid);
	vmm_out_json(out, s->target.name);
	vmm_out_text(out, "},\"taken_at\":");
	vmm__json_time(out, &s->taken_at);
	vmm_out_printf(out, ",\"partial\":%s,\"addresses\":[", s->partial ? "true" : "false");
	for (size_t i = 0; i < count; i++) {
		struct place p = find_place(s, addresses[i]);

		vmm_out_text(out, i ? "," : "");
		put_json_place(out, s, &p);
	}
	vmm_out_text(out, "]}\n");
}

static int emit(struct vmm_answer *a, const struct vmm_snapshot *s, const uint64_t *addresses, size_t count)
{
	if (a->format == VMM_FORMAT_JSON) {
		put_json(a->output.out, s, addresses, count);
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		struct place p = find_place(s, addresses[i]);

		put_place(a->output.out, &a->look, s, &p);
	}
	vmm_summary_notes(a->output.out, &a->look, s);
	return 0;
}

int vmm_cli_at(const struct vmm_args *args)
{
	uint64_t addresses[VMM_OPERANDS_MAX];
	size_t count = args->operand_count - 1;
	enum vmm_format format;
	struct vmm_snapshot *s;
	struct vmm_answer a;
	struct vmm_err err;
	int code, status;

	code = vmm_cli_format(args, &format, &err);
	if (code == 0 && (format == VMM_FORMAT_CSV || format == VMM_FORMAT_NDJSON))
		code = vmm_fail(&err, VMM_E_USAGE, 0, "at has the formats text and json");
	for (size_t i = 0; i < count && code == 0; i++)
		code = parse_address(args->operand[i + 1], &addresses[i], &err);
	if (code == 0)
		code = vmm_cli_take(args->operand[0], VMM_NEED_DEFAULT, &s, &err);
	if (code < 0)
		return vmm_cli_fail_target(args, args->operand[0], &err);
	code = vmm_answer_open(&a, args, &err);
	if (code == 0)
		code = emit(&a, s, addresses, count);
	status = vmm_answer_close(&a, args, s, code, &err);
	vmm_snapshot_destroy(s);
	return status;
}
