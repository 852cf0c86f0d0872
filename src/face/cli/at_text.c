/* The text of vmmap at. */
#include <stdio.h>
#include <string.h>

#include "face/place.h"

#define LABEL_WIDTH 11

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
	char protection[VMM_PROT_SET_TEXT];

	vmm_prot_set_text(r->prot_set, protection);
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

/* Of what runs all that is of interest; of files what they tell. */
static void put_numbers(struct vmm_out *out, const struct vmm_look *look, const struct vmm_snapshot *s, const struct vmm_metrics *m)
{
	static const struct {
		const char *label;
		enum vmm_metric metric;
	} shown[] = {{"committed", VMM_METRIC_COMMITTED}, {"private", VMM_METRIC_PRIVATE}, {"resident", VMM_METRIC_RSS},
	             {"swap", VMM_METRIC_SWAP}, {"stored in the file", VMM_METRIC_STORED}};
	bool live = strcmp(s->target.source, "live") == 0, first = true;

	for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
		if (live ? shown[i].metric == VMM_METRIC_STORED : !vmm_metric_known(m, shown[i].metric))
			continue;
		vmm_out_text(out, first ? "" : ", ");
		first = false;
		vmm_out_text(out, shown[i].label);
		vmm_out_char(out, ' ');
		vmm_put_metric(out, look, m, shown[i].metric);
	}
	vmm_out_char(out, '\n');
}

/* The line as /proc/PID/maps has it, and its size. */
static void put_mapping(struct vmm_out *out, const struct vmm_look *look, const struct vmm_snapshot *s, const struct vmm_vma *v)
{
	char protection[5];

	vmm_prot_text(v->prot, protection);
	vmm_out_printf(out, "%llx-%llx %s %08llx ", (unsigned long long)v->start, (unsigned long long)v->end, protection,
	               (unsigned long long)v->offset);
	if (vmm_vma_inode_known(v))
		vmm_out_printf(out, "%02x:%02x %llu", v->dev_major, v->dev_minor, (unsigned long long)v->inode);
	else
		vmm_out_text(out, "? ?");
	if (v->name[0]) {
		vmm_out_text(out, "  ");
		vmm_out_escaped(out, v->name, 0);
	}
	vmm_out_text(out, v->deleted ? " (deleted)\n" : "\n");
	put_label(out, look, "");
	vmm_put_metric(out, look, &v->m, VMM_METRIC_SIZE);
	vmm_out_text(out, ", ");
	put_numbers(out, look, s, &v->m);
}

/* Of a file of VMMap: a stretch of one protection, without what only the kernel tells. */
static void put_told_mapping(struct vmm_out *out, const struct vmm_look *look, const struct vmm_snapshot *s, const struct vmm_vma *v)
{
	char protection[5];

	vmm_prot_text(v->prot, protection);
	put_range(out, v->start, v->end);
	vmm_out_text(out, protection);
	vmm_out_text(out, "  ");
	vmm_put_metric(out, look, &v->m, VMM_METRIC_SIZE);
	vmm_out_text(out, ", ");
	put_numbers(out, look, s, &v->m);
}

static void put_module(struct vmm_out *out, const struct vmm_place *p)
{
	const struct vmm_module *m = p->module;

	vmm_out_escaped(out, m->path[0] ? m->path : "(no file)", 0);
	if (m->bits)
		vmm_out_printf(out, ", ELF address 0x%llx", (unsigned long long)(p->address - m->bias));
	if (m->bits && p->vma->backing == VMM_BACKING_FILE)
		vmm_out_printf(out, ", file offset 0x%llx",
		               (unsigned long long)(p->vma->offset + (p->address - p->vma->start)));
	if (m->build_id && m->build_id[0]) {
		vmm_out_text(out, ", build-id ");
		vmm_out_escaped(out, m->build_id, 0);
	}
	vmm_out_char(out, '\n');
}

/* "malloc+0x12  0x7f12-0x7f34", by its plain name; the name as the table has it where that differs. */
static void put_symbol(struct vmm_out *out, const struct vmm_place *p)
{
	static const char *const what_table[] = {"", "vtable of ", "type information of "};
	const struct vmm_symbol *s = p->symbol;
	enum vmm_symbol_what what = VMM_SYMBOL_PLAIN;
	char plain[512];
	bool mangled = vmm_symbol_demangle(s->name, plain, sizeof(plain), &what);

	vmm_out_text(out, what_table[what]);
	vmm_out_escaped(out, mangled ? plain : s->name, 0);
	vmm_out_char(out, ' ');
	put_offset(out, p->address - s->address);
	vmm_out_text(out, s->function ? ", function of " : ", ");
	vmm_put_count(out, s->size);
	vmm_out_text(out, s->size == 1 ? " byte" : " bytes");
	if (mangled) {
		vmm_out_text(out, ", ");
		vmm_out_escaped(out, s->name, 0);
	}
	vmm_out_char(out, '\n');
}

static void put_thread(struct vmm_out *out, const struct vmm_place *p)
{
	const struct vmm_thread *t = p->thread;

	vmm_out_int(out, t->tid);
	if (t->name) {
		vmm_out_char(out, ' ');
		vmm_out_escaped(out, t->name, 0);
	}
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

static void put_gap(struct vmm_out *out, const struct vmm_look *look, const struct vmm_place *p)
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
                       const struct vmm_place *p)
{
	if (p->region) {
		put_label(out, look, "region");
		put_region(out, look, p->region);
		put_label(out, look, "");
		put_numbers(out, look, s, p->region->m);
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
	if (p->symbol) {
		put_label(out, look, "symbol");
		put_symbol(out, p);
	}
	if (p->thread) {
		put_label(out, look, "thread");
		put_thread(out, p);
	}
	vmm_place_put_chunk(out, look, p);
	put_label(out, look, "mapping");
	if (strcmp(s->target.source, "vmmap") == 0)
		put_told_mapping(out, look, s, p->vma);
	else
		put_mapping(out, look, s, p->vma);
	if (strcmp(s->target.source, "live") == 0 || p->vma->vm_flags & VMM_VF_KNOWN) {
		put_label(out, look, "VmFlags");
		put_flags(out, look, p->vma->vm_flags);
	}
	put_label(out, look, "page");
	put_pages(out, s, p->address);
}

/* The answer in brief: "Image libc.so.6 .text+0x12", "Stack of thread 12 +0x3000". */
static void put_owner(struct vmm_out *out, const struct vmm_place *p)
{
	const char *path = p->region->path, *slash = strrchr(path, '/');
	bool section = p->block && p->block->label[0];

	vmm_out_text(out, vmm_kind_label(p->region->kind));
	if (p->chunk && p->chunk->found) {
		const struct vmm_chunk *c = &p->chunk->chunk;

		vmm_out_printf(out, ", in a %s chunk of ", vmm_chunk_state_id((enum vmm_chunk_state)c->state));
		vmm_put_count(out, c->usable);
		vmm_out_text(out, c->usable == 1 ? " byte" : " bytes");
		return;
	}
	if (p->thread)
		vmm_out_printf(out, " of thread %d", (int)p->thread->tid);
	vmm_out_text(out, path[0] ? " " : "");
	vmm_out_escaped(out, slash ? slash + 1 : path, 0);
	vmm_out_char(out, ' ');
	if (section)
		vmm_out_escaped(out, p->block->label, 0);
	put_offset(out, p->address - (section ? p->block->start : p->region->start));
}

void vmm_place_put(struct vmm_out *out, const struct vmm_look *look, const struct vmm_snapshot *s,
                   const struct vmm_place *p)
{
	vmm_put_bold(out, look);
	vmm_out_printf(out, "0x%llx", (unsigned long long)p->address);
	vmm_put_plain(out, look);
	if (p->vma && p->region) {
		vmm_out_text(out, "  ");
		put_owner(out, p);
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
