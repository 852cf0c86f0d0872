/* The JSON document of vmmap heap. */
#include "face/heap_page.h"
#include "view/json_write.h"
#include "view/view.h"

static void put_content(struct vmm_out *out, const struct vmm_content *c)
{
	vmm__json_key_text(out, ",\"content\":{\"type\":", vmm_content_id(c->type));
	vmm__json_key_text(out, ",\"text\":", c->text);
	vmm__json_key_bool(out, ",\"cut\":", c->cut);
	vmm_out_char(out, '}');
}

static void put_largest(struct vmm_out *out, const struct vmm_survey *v)
{
	vmm__json_key_number(out, ",\n\"chunks\":", true, v->picked);
	vmm_out_text(out, ",\n\"largest\":[");
	for (size_t i = 0; i < v->largest_count; i++) {
		const struct vmm_large_chunk *l = &v->largest[i];

		vmm__json_key_address(out, i ? ",\n{\"address\":" : "\n{\"address\":", true, l->chunk.address);
		vmm__json_key_number(out, ",\"size\":", true, l->chunk.usable);
		vmm__json_key_address(out, ",\"start\":", true, l->chunk.start);
		vmm__json_key_number(out, ",\"stretch\":", true, l->chunk.size);
		vmm__json_key_text(out, ",\"state\":", vmm_chunk_state_id((enum vmm_chunk_state)l->chunk.state));
		vmm__json_key_text(out, ",\"heap\":", l->heap);
		vmm__json_key_address(out, ",\"region\":", true, l->region_start);
		put_content(out, &l->content);
		vmm_out_char(out, '}');
	}
	vmm_out_char(out, ']');
}

static void put_duplicates(struct vmm_out *out, const struct vmm_survey *v)
{
	vmm__json_key_number(out, ",\n\"duplicates\":{\"groups\":", true, v->duplicate_groups);
	vmm__json_key_number(out, ",\"redundant_bytes\":", true, v->redundant_bytes);
	vmm__json_key_number(out, ",\"compared\":", true, v->compared);
	vmm__json_key_number(out, ",\"not_resident\":", true, v->not_resident);
	vmm__json_key_bool(out, ",\"approximate\":", v->approximate);
	vmm__json_key_number(out, ",\"missed_bytes\":", true, v->missed_bytes);
	vmm_out_text(out, ",\"largest\":[");
	for (size_t i = 0; i < v->duplicate_count; i++) {
		const struct vmm_duplicate *d = &v->duplicates[i];

		vmm__json_key_number(out, i ? ",\n{\"size\":" : "\n{\"size\":", true, d->size);
		vmm__json_key_number(out, ",\"count\":", true, d->count);
		vmm__json_key_number(out, ",\"bytes\":", true, d->size * d->count);
		vmm__json_key_address(out, ",\"address\":", true, d->address);
		put_content(out, &d->content);
		vmm_out_char(out, '}');
	}
	vmm_out_text(out, "]}");
}

void vmm_heap_page_json(struct vmm_out *out, const struct vmm_heap_page *p)
{
	const struct vmm_snapshot *s = p->snapshot;
	struct vmm_snapshot accounts = *s;

	/* Those of heaps alone; they stand last. */
	while (accounts.account_count && strncmp(accounts.accounts->id, "heaps", 5) != 0) {
		accounts.accounts++;
		accounts.account_count--;
	}
	vmm_out_char(out, '{');
	vmm__json_head(out);
	vmm__json_target(out, &s->target);
	vmm_out_text(out, ",\n\"taken_at\":");
	vmm__json_time(out, &s->taken_at);
	vmm__json_key_bool(out, ",\"partial\":", s->partial);
	vmm__json_accounts(out, &accounts);
	vmm__json_heaps(out, s, p->id, true);
	put_largest(out, p->survey);
	if (p->duplicates)
		put_duplicates(out, p->survey);
	else
		vmm_out_text(out, ",\n\"duplicates\":null");
	vmm__json_notes(out, s);
	vmm__json_key_number(out, ",\n\"cost\":{\"total_ns\":", true, s->cost.total_ns);
	vmm__json_key_number(out, ",\"stopped_ns\":", s->cost.stopped_ns != 0, s->cost.stopped_ns);
	vmm_out_text(out, "}}\n");
}
