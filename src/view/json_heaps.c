/* Heaps in JSON. */
#include <errno.h>

#include "base/arena.h"
#include "view/json_write.h"
#include "view/view.h"
#include "vmmap/chunks.h"

void vmm__json_chunk_sums(struct vmm_out *out, const struct vmm_chunk_sums *sums, bool resident_known)
{
	if (!sums) {
		vmm_out_text(out, "null");
		return;
	}
	for (int i = 0; i < VMM_CHUNK_STATE_COUNT; i++) {
		vmm__json_key_text(out, i ? "," : "{", vmm_chunk_state_id((enum vmm_chunk_state)i));
		vmm__json_key_number(out, ":{\"count\":", true, sums->of[i].count);
		vmm__json_key_number(out, ",\"bytes\":", true, sums->of[i].bytes);
		vmm__json_key_number(out, ",\"rss\":", resident_known, sums->of[i].rss);
		vmm_out_char(out, '}');
	}
	vmm_out_char(out, '}');
}

/* Numbers of a heap that was not walked or not proved are null. */
void vmm__json_heap_contents(struct vmm_out *out, const struct vmm_heap_contents *c)
{
	static const struct vmm_heap_contents none;
	const struct vmm_chunk_sums *sums = c ? &c->sums : &none.sums;
	bool known = c != NULL, resident = known && c->resident_known;

	vmm__json_key_number(out, ",\"used_bytes\":", known, sums->of[VMM_CHUNK_USED].bytes);
	vmm__json_key_number(out, ",\"used_count\":", known, sums->of[VMM_CHUNK_USED].count);
	vmm__json_key_number(out, ",\"free_bytes\":", known, vmm_chunk_sums_free(sums));
	vmm__json_key_number(out, ",\"free_count\":", known, vmm_chunk_sums_free_count(sums));
	vmm__json_key_number(out, ",\"top\":", known, sums->of[VMM_CHUNK_TOP].bytes);
	vmm__json_key_number(out, ",\"overhead\":", known, sums->of[VMM_CHUNK_META].bytes);
	vmm__json_key_number(out, ",\"reserved\":", known, sums->of[VMM_CHUNK_RESERVED].bytes);
	vmm__json_key_number(out, ",\"unused_rss\":", resident, vmm_chunk_sums_unused(sums));
	vmm__json_key_number(out, ",\"largest_free\":", known, known ? c->largest_free : 0);
	vmm__json_key_number(out, ",\"trimmable\":", resident && c->trim_known, known ? c->trimmable : 0);
	vmm__json_key_number(out, ",\"trimmable_size\":", known && c->trim_known, known ? c->trimmable_size : 0);
	vmm_out_text(out, ",\"states\":");
	vmm__json_chunk_sums(out, known ? sums : NULL, resident);
}

static void json_heap_threads(struct vmm_out *out, const struct vmm_snapshot *s, const struct vmm_heap *h)
{
	vmm_out_text(out, ",\"threads\":[");
	for (uint32_t i = 0; i < h->thread_count; i++)
		vmm__json_key_number(out, i ? "," : "", true, (uint64_t)s->threads[h->threads[i]].tid);
	vmm_out_char(out, ']');
}

/* How many chunks of which size: by powers of two, then the exact sizes with most bytes. */
static void json_heap_sizes(struct vmm_out *out, const struct vmm_heap *h)
{
	const struct vmm_heap_contents *c = h->contents;
	bool first = true;

	if (!c) {
		vmm_out_text(out, ",\"log2\":null,\"classes\":null,\"classes_complete\":null");
		return;
	}
	vmm_out_text(out, ",\n\"log2\":[");
	for (unsigned i = 0; i < ARRAY_LEN(c->used_log2); i++) {
		if (!c->used_log2[i] && !c->free_log2[i])
			continue;
		vmm__json_key_number(out, first ? "{\"from\":" : ",{\"from\":", true, i ? UINT64_C(1) << i : 0);
		vmm__json_key_number(out, ",\"used\":", true, c->used_log2[i]);
		vmm__json_key_number(out, ",\"free\":", true, c->free_log2[i]);
		vmm_out_char(out, '}');
		first = false;
	}
	vmm_out_text(out, "],\n\"classes\":[");
	for (uint32_t i = 0; i < c->class_count; i++) {
		vmm__json_key_number(out, i ? ",{\"size\":" : "{\"size\":", true, c->classes[i].size);
		vmm__json_key_number(out, ",\"used\":", true, c->classes[i].used);
		vmm__json_key_number(out, ",\"free\":", true, c->classes[i].free);
		vmm_out_char(out, '}');
	}
	vmm_out_char(out, ']');
	vmm__json_key_bool(out, ",\"classes_complete\":", c->classes_complete);
}

static void json_heap(struct vmm_out *out, const struct vmm_snapshot *s, uint32_t index, const uint32_t *chain,
                      bool with_sizes)
{
	const struct vmm_heap *h = &s->heaps[index];
	const char *before = ",\"regions\":[";

	vmm__json_key_text(out, "{\"id\":", h->id);
	vmm__json_key_text(out, ",\"reader\":", h->reader);
	vmm__json_key_text(out, ",\"label\":", h->label);
	vmm__json_key_bool(out, ",\"proved\":", h->proved);
	/* chain[0..] is the first region of each heap, behind that the next region of each region; both plus 1. */
	for (uint32_t r = chain[index]; r; r = chain[s->heap_count + r - 1]) {
		vmm__json_key_address(out, before, true, s->regions[r - 1].start);
		before = ",";
	}
	vmm_out_text(out, before[0] == ',' && before[1] ? ",\"regions\":[]" : "]");
	vmm__json_key_number(out, ",\"size\":", vmm_metric_known(&h->m, VMM_METRIC_SIZE), h->m.value[VMM_METRIC_SIZE]);
	vmm__json_key_number(out, ",\"rss\":", vmm_metric_known(&h->m, VMM_METRIC_RSS), h->m.value[VMM_METRIC_RSS]);
	vmm__json_heap_contents(out, h->contents);
	json_heap_threads(out, s, h);
	if (with_sizes)
		json_heap_sizes(out, h);
	vmm_out_char(out, '}');
}

void vmm__json_heaps(struct vmm_out *out, const struct vmm_snapshot *s, const char *id, bool with_sizes)
{
	bool first = true;
	VMM_CLEANUP_FREE uint32_t *chain = NULL;
	size_t capacity = 0, need = (size_t)s->heap_count + s->region_count;

	vmm_out_text(out, ",\n\"heaps\":[");
	if (s->heap_count && !vmm_grow(&chain, &capacity, need, sizeof(*chain))) {
		out->failed = true;
		out->os = out->os ? out->os : ENOMEM;
		return;
	}
	if (chain)
		memset(chain, 0, need * sizeof(*chain));
	for (uint32_t r = s->region_count; s->heap_count && r-- > 0;)
		if (s->regions[r].heap < s->heap_count) {
			chain[s->heap_count + r] = chain[s->regions[r].heap];
			chain[s->regions[r].heap] = r + 1;
		}
	for (uint32_t i = 0; i < s->heap_count; i++) {
		if (id && strcmp(id, s->heaps[i].id) != 0)
			continue;
		vmm_out_text(out, first ? "\n" : ",\n");
		json_heap(out, s, i, chain, with_sizes);
		first = false;
	}
	vmm_out_char(out, ']');
}
