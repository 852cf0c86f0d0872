/* The JSON document of vmmap heap. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
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

/* Whether a note of the same sort on the same heap, which its text begins with, is there already. */
static bool told(const struct vmm_note *notes, size_t count, const struct vmm_note *n)
{
	const char *colon = strstr(n->text, ": ");
	size_t length = colon ? (size_t)(colon - n->text) : strlen(n->text);

	for (size_t i = 0; i < count; i++)
		if (strcmp(notes[i].from, n->from) == 0 && strcmp(notes[i].code, n->code) == 0 &&
		    strncmp(notes[i].text, n->text, length) == 0)
			return true;
	return false;
}

struct vmm_note *vmm_heap_notes(const struct vmm_snapshot *s, const struct vmm_survey *survey, uint32_t *ret_count)
{
	size_t capacity = 0, count = s->note_count;
	struct vmm_note *notes = NULL;

	if (!vmm_grow(&notes, &capacity, count + survey->note_count + 1, sizeof(*notes)))
		return NULL;
	if (count)
		memcpy(notes, s->notes, count * sizeof(*notes));
	for (size_t i = 0; i < survey->note_count; i++)
		if (!told(notes, count, &survey->notes[i]))
			notes[count++] = survey->notes[i];
	*ret_count = (uint32_t)count;
	return notes;
}

int vmm_heap_document(struct vmm_out *out, struct vmm_target *t, const struct vmm_snapshot *s, const char *id, uint64_t top,
                      struct vmm_err *err)
{
	struct vmm_survey_query q = {.heap = id, .top = top};
	struct vmm_snapshot shown = *s;
	struct vmm_heap_page page = {.snapshot = &shown, .id = id, .top = top};
	struct vmm_symbols *symbols = NULL;
	struct vmm_survey *survey = NULL;
	struct vmm_note *notes = NULL;
	int code = vmm_symbols_create(t, s, &symbols, err);

	if (code == 0)
		code = vmm_target_survey(t, s, symbols, &q, &survey, err);
	if (code == 0) {
		notes = vmm_heap_notes(s, survey, &shown.note_count);
		code = notes ? 0 : vmm_fail_nomem(err);
	}
	if (code == 0) {
		shown.notes = notes;
		page.survey = survey;
		vmm_heap_page_json(out, &page);
	}
	free(notes);
	vmm_survey_destroy(survey);
	vmm_symbols_destroy(symbols);
	return code;
}
