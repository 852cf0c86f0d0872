/* What vmmap serve tells of itself: what is shown, what can be asked, which snapshots there are, what looking costs. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/out.h"
#include "face/page.h"
#include "face/serve/serve.h"
#include "model/target.h"
#include "view/json_write.h"
#include "view/view.h"

static void put_can(struct vmm_out *out, const struct srv_history *h)
{
	const struct vmm_target *t = h->last.target;
	bool contents = t && strcmp(h->last.snapshot->target.source, "vmmap") != 0 && (!h->file || h->has_memory);

	vmm__json_key_bool(out, ",\"can\":{\"memory\":", contents);
	vmm__json_key_bool(out, ",\"pages\":", contents && !t->residency_unknown);
	vmm__json_key_bool(out, ",\"strings\":", contents);
	vmm__json_key_bool(out, ",\"processes\":", !h->given);
	vmm__json_key_bool(out, ",\"diff\":", h->session != NULL);
	vmm_out_char(out, '}');
}

static void put_entries(struct vmm_out *out, const struct srv_history *h)
{
	vmm_out_text(out, ",\"snapshots\":[");
	for (size_t i = 0; i < h->count; i++) {
		vmm__json_key_number(out, i ? ",{\"n\":" : "{\"n\":", true, h->entries[i].n);
		vmm_out_text(out, ",\"taken_at\":");
		vmm__json_time(out, &h->entries[i].taken_at);
		vmm__json_key_number(out, ",\"pid\":", h->entries[i].pid > 0, (uint64_t)h->entries[i].pid);
		if (h->entries[i].target)
			vmm__json_key_number(out, ",\"target\":", true, h->entries[i].target);
		vmm_out_char(out, '}');
	}
	vmm_out_char(out, ']');
}

/* The targets of a file, by their first snapshots. */
static int put_targets(struct vmm_out *out, const struct srv_history *h, struct vmm_err *err)
{
	VMM_CLEANUP_FREE uint32_t *counts = NULL;
	struct vmm_session_index *x;
	size_t capacity = 0;
	bool any = false;
	int code = vmm_session_index(h->session, &x, err);

	if (code < 0)
		return code;
	if (!vmm_grow(&counts, &capacity, (size_t)x->target_count + 1, sizeof(*counts))) {
		vmm_session_index_destroy(x);
		return vmm_fail_nomem(err);
	}
	memset(counts, 0, ((size_t)x->target_count + 1) * sizeof(*counts));
	for (uint32_t i = 0; i < x->count; i++)
		if (x->entries[i].target <= x->target_count)
			counts[x->entries[i].target]++;
	vmm_out_text(out, ",\"targets\":[");
	for (uint32_t i = 0; i < x->count; i++) {
		const struct vmm_session_entry *e = &x->entries[i];

		if (e->target > x->target_count || !counts[e->target])
			continue;
		vmm__json_key_number(out, any ? ",\n{\"target\":" : "\n{\"target\":", true, e->target);
		vmm__json_key_number(out, ",\"pid\":", e->pid > 0, (uint64_t)e->pid);
		vmm__json_key_text(out, ",\"name\":", e->name);
		vmm__json_key_number(out, ",\"snapshots\":", true, counts[e->target]);
		vmm_out_char(out, '}');
		counts[e->target] = 0;
		any = true;
	}
	vmm_out_char(out, ']');
	vmm_session_index_destroy(x);
	return 0;
}

int srv_answer_info(const struct srv_ask *a, struct vmm_err *err)
{
	const struct srv_history *h = a->history;
	struct vmm_out *memory = vmm_out_create_memory(), *out = a->out;
	size_t length = 0;
	int code = 0;
	char *text;

	if (!memory)
		return vmm_fail_nomem(err);
	vmm_page_info(memory, "serve", h->name ? h->name : "vmmap");
	text = vmm_out_take(memory, &length);
	if (!text || length < 2) {
		free(text);
		return vmm_fail_nomem(err);
	}
	vmm_out_bytes(out, text, length - 1);
	free(text);
	vmm__json_key_bool(out, ",\n\"live\":", h->live && !h->gone);
	if (h->last.snapshot)
		vmm__json_target(out, &h->last.snapshot->target);
	else
		vmm_out_text(out, ",\n\"target\":null");
	put_can(out, h);
	vmm__json_key_text(out, ",\"gone\":", h->gone ? h->gone_text : NULL);
	vmm_out_char(out, ',');
	srv_history_pace(out, h);
	vmm__json_key_number(out, ",\"shown\":", h->last.snapshot != NULL, h->last.n);
	put_entries(out, h);
	if (h->file && h->session)
		code = put_targets(out, h, err);
	vmm_out_text(out, "}\n");
	return code;
}
