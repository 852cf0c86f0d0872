#include "face/place.h"
#include "view/view.h"

#define COLUMNS_MAX 64

/* ,"key":{all JSON columns of a row} or null. */
static void put_json_row(struct vmm_out *out, const char *key, const struct vmm_snapshot *s, const void *object,
                         enum vmm_row_type type)
{
	const struct vmm_table *table = vmm_table_find("tree");
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

static void put_json_gap(struct vmm_out *out, const struct vmm_gap *g)
{
	if (!g) {
		vmm_out_text(out, ",\"gap\":null");
		return;
	}
	vmm_out_printf(out, ",\"gap\":{\"address\":\"0x%llx\",\"end\":\"0x%llx\",\"kind\":\"%s\",\"size\":%llu,\"details\":",
	               (unsigned long long)g->start, (unsigned long long)g->end, vmm_kind_id(g->kind),
	               (unsigned long long)(g->end - g->start));
	vmm_out_json(out, g->details);
	vmm_out_char(out, '}');
}

static void put_json_mapping(struct vmm_out *out, const struct vmm_place *p)
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

static void put_json_owner(struct vmm_out *out, const struct vmm_place *p)
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
	if (p->thread->name)
		vmm_out_json(out, p->thread->name);
	else
		vmm_out_text(out, "null");
	if (p->thread->sp_known)
		vmm_out_printf(out, ",\"sp\":\"0x%llx\"}", (unsigned long long)p->thread->sp);
	else
		vmm_out_text(out, ",\"sp\":null}");
}

static void put_json_symbol(struct vmm_out *out, const struct vmm_place *p)
{
	const struct vmm_symbol *s = p->symbol;
	enum vmm_symbol_what what;
	char plain[512];

	if (!s) {
		vmm_out_text(out, ",\"symbol\":null");
		return;
	}
	vmm_out_text(out, ",\"symbol\":{\"name\":");
	vmm_out_json(out, s->name);
	vmm_out_text(out, ",\"plain\":");
	vmm_out_json(out, vmm_symbol_demangle(s->name, plain, sizeof(plain), &what) ? plain : s->name);
	vmm_out_printf(out, ",\"address\":\"0x%llx\",\"size\":%llu,\"function\":%s}", (unsigned long long)s->address,
	               (unsigned long long)s->size, s->function ? "true" : "false");
}

/* ,"key":{the chunk} or null. */
static void put_json_chunk(struct vmm_out *out, const char *key, const struct vmm_chunk *c)
{
	vmm_out_printf(out, ",\"%s\":", key);
	if (!c) {
		vmm_out_text(out, "null");
		return;
	}
	vmm_out_printf(out, "{\"state\":\"%s\",\"address\":\"0x%llx\",\"size\":%llu,\"start\":\"0x%llx\",\"stretch\":%llu}",
	               vmm_chunk_state_id((enum vmm_chunk_state)c->state), (unsigned long long)c->address,
	               (unsigned long long)c->usable, (unsigned long long)c->start, (unsigned long long)c->size);
}

static void put_json_heap(struct vmm_out *out, const struct vmm_place *p)
{
	const struct vmm_chunk_at *at = p->chunk;

	if (!p->heap) {
		vmm_out_text(out, ",\"heap\":null,\"chunk\":null");
		return;
	}
	vmm_out_text(out, ",\"heap\":{\"id\":");
	vmm_out_json(out, p->heap->id);
	vmm_out_text(out, ",\"reader\":");
	vmm_out_json(out, p->heap->reader);
	vmm_out_text(out, ",\"label\":");
	vmm_out_json(out, p->heap->label);
	vmm_out_printf(out, ",\"broken\":%s,\"note\":", at->broken ? "true" : "false");
	vmm_out_json(out, at->note);
	put_json_chunk(out, "below", at->has_below ? &at->below : NULL);
	put_json_chunk(out, "above", at->has_above ? &at->above : NULL);
	vmm_out_char(out, '}');
	put_json_chunk(out, "chunk", at->found ? &at->chunk : NULL);
	if (!at->found)
		return;
	vmm_out_printf(out, ",\"chunk_offset\":%lld,\"chunk_head\":", (long long)(p->address - at->chunk.address));
	if (at->head_bytes == 0) {
		vmm_out_text(out, "null");
		return;
	}
	vmm_out_char(out, '"');
	for (uint32_t i = 0; i < at->head_bytes; i++)
		vmm_out_hex(out, at->head[i], 2);
	vmm_out_char(out, '"');
	if (p->content) {
		vmm_out_printf(out, ",\"content\":{\"type\":\"%s\",\"text\":", vmm_content_id(p->content->type));
		vmm_out_json(out, p->content->text);
		vmm_out_printf(out, ",\"cut\":%s}", p->content->cut ? "true" : "false");
	}
}

static void put_json_place(struct vmm_out *out, const struct vmm_snapshot *s, const struct vmm_place *p)
{
	vmm_out_printf(out, "{\"address\":\"0x%llx\",\"mapped\":%s", (unsigned long long)p->address,
	               p->vma ? "true" : "false");
	put_json_row(out, "region", s, p->region, VMM_ROW_REGION);
	put_json_row(out, "block", s, p->block, VMM_ROW_BLOCK);
	put_json_row(out, "mapping", s, p->vma, VMM_ROW_VMA);
	put_json_mapping(out, p);
	put_json_owner(out, p);
	put_json_symbol(out, p);
	put_json_heap(out, p);
	put_json_gap(out, p->gap);
	put_json_row(out, "below", s, p->below, VMM_ROW_REGION);
	put_json_row(out, "above", s, p->above, VMM_ROW_REGION);
	vmm_out_char(out, '}');
}

void vmm_places_json(struct vmm_out *out, const struct vmm_snapshot *s, const struct vmm_chunk_at *at,
                     const struct vmm_place_names *names, size_t count)
{
	vmm_out_char(out, '{');
	vmm__json_head(out);
	vmm_out_printf(out, ",\"target\":{\"pid\":%d,\"name\":", (int)s->target.pid);
	vmm_out_json(out, s->target.name);
	vmm_out_text(out, "},\"taken_at\":");
	vmm__json_time(out, &s->taken_at);
	if (s->cost.stopped_ns)
		vmm_out_printf(out, ",\"stopped_ns\":%llu", (unsigned long long)s->cost.stopped_ns);
	vmm_out_printf(out, ",\"partial\":%s,\"addresses\":[", s->partial ? "true" : "false");
	for (size_t i = 0; i < count; i++) {
		struct vmm_place p = vmm_place_find(s, &at[i], &names[i]);

		vmm_out_text(out, i ? "," : "");
		put_json_place(out, s, &p);
	}
	vmm_out_text(out, "]}\n");
}
