/* Of a diff's JSON: what its sections share, and what stands beside the tables: threads, images, accounts, limits, notes. */
#include "view/json_write.h"
#include "view/view.h"

void vmm__json_diff_counts(struct vmm_out *out, const char *key, const struct vmm_diff_counts *c)
{
	int64_t change = 0;
	bool known = vmm_diff_count_change(c, &change);

	vmm_out_text(out, key);
	vmm__json_key_number(out, "{\"before\":", c->known[0], c->value[0]);
	vmm__json_key_number(out, ",\"after\":", c->known[1], c->value[1]);
	vmm__json_key_signed(out, ",\"change\":", known, change);
	vmm_out_char(out, '}');
}

void vmm__json_diff_state(struct vmm_out *out, const struct vmm_diff_row *d)
{
	bool first = true;

	vmm__json_key_text(out, "{\"state\":", vmm_change_id(d->what));
	vmm_out_text(out, ",\"changes\":[");
	for (unsigned i = 0; i < VMM_CHANGE_COUNT; i++) {
		if (!((d->what >> i) & 1))
			continue;
		vmm__json_key_text(out, first ? "" : ",", vmm_change_id_at(i));
		first = false;
	}
	vmm_out_char(out, ']');
}

static void json_threads(struct vmm_out *out, const struct vmm_diff *diff)
{
	bool first = true;

	vmm_out_text(out, ",\n\"threads\":[");
	for (uint32_t i = 0; i < diff->thread_count; i++) {
		const struct vmm_diff_row *d = &diff->threads[i];
		const struct vmm_thread *t = d->b != VMM_NONE ? &diff->b->threads[d->b] : &diff->a->threads[d->a];

		if (!d->what)
			continue;
		vmm_out_text(out, first ? "" : ",\n");
		vmm__json_diff_state(out, d);
		vmm__json_key_signed(out, ",\"tid\":", true, t->tid);
		vmm__json_key_text(out, ",\"name\":", t->name);
		vmm_out_char(out, '}');
		first = false;
	}
	vmm_out_char(out, ']');
}

static void json_modules(struct vmm_out *out, const struct vmm_diff *diff)
{
	bool first = true;

	vmm_out_text(out, ",\n\"modules\":[");
	for (uint32_t i = 0; i < diff->module_count; i++) {
		const struct vmm_diff_row *d = &diff->modules[i];
		const struct vmm_module *m = d->b != VMM_NONE ? &diff->b->modules[d->b] : &diff->a->modules[d->a];

		if (!d->what)
			continue;
		vmm_out_text(out, first ? "" : ",\n");
		vmm__json_diff_state(out, d);
		vmm__json_key_address(out, ",\"address\":", true, m->start);
		vmm__json_key_text(out, ",\"path\":", m->path);
		vmm__json_key_text(out, ",\"build_id\":", m->build_id);
		vmm__json_key_text(out, ",\"build_id_before\":", d->a != VMM_NONE ? diff->a->modules[d->a].build_id : NULL);
		vmm_out_char(out, '}');
		first = false;
	}
	vmm_out_char(out, ']');
}

static void json_accounts(struct vmm_out *out, const struct vmm_diff *diff)
{
	vmm_out_text(out, ",\n\"accounts\":[");
	for (int i = 0; i < VMM_METRIC_COUNT; i++) {
		const struct vmm_diff_account *a = &diff->accounts[i];

		vmm__json_key_text(out, i ? ",\n{\"id\":" : "\n{\"id\":", vmm_metric_id(a->metric));
		vmm__json_key_signed(out, ",\"regions\":", a->known, a->regions);
		vmm__json_key_signed(out, ",\"types\":", a->known, a->types);
		vmm__json_key_signed(out, ",\"total\":", a->known, a->total);
		vmm_out_text(out, ",\"adds_up\":");
		vmm_out_text(out, !a->known ? "null}" : a->adds_up ? "true}" : "false}");
	}
	vmm_out_char(out, ']');
}

static void json_notes(struct vmm_out *out, const char *key, const struct vmm_snapshot *s)
{
	vmm_out_text(out, key);
	for (uint32_t i = 0; i < s->note_count; i++)
		vmm__json_note(out, &s->notes[i], i == 0);
	vmm_out_char(out, ']');
}

/* A remainder is signed itself. */
static void json_remainder(struct vmm_out *out, const struct vmm_diff_identity *d)
{
	const struct vmm_account *sides[] = {d->before, d->after};
	static const char *const keys[] = {",\"remainder\":{\"before\":", ",\"after\":"};
	bool known[2];
	int64_t change = 0;

	for (unsigned i = 0; i < 2; i++) {
		known[i] = sides[i] && sides[i]->sum_known && sides[i]->kernel_known;
		vmm__json_key_signed(out, keys[i], known[i], known[i] ? sides[i]->remainder : 0);
	}
	known[0] = known[0] && known[1] && !__builtin_sub_overflow(d->after->remainder, d->before->remainder, &change);
	vmm__json_key_signed(out, ",\"change\":", known[0], change);
	vmm_out_char(out, '}');
}

static void json_identities(struct vmm_out *out, const struct vmm_diff *diff)
{
	vmm_out_text(out, ",\n\"identities\":[");
	for (uint32_t i = 0; i < diff->identity_count; i++) {
		const struct vmm_diff_identity *d = &diff->identities[i];
		const struct vmm_account *a = d->after ? d->after : d->before;

		vmm__json_key_text(out, i ? ",\n{\"id\":" : "\n{\"id\":", a->id);
		vmm__json_key_text(out, ",\"label\":", a->label);
		vmm__json_diff_counts(out, ",\"sum\":", &d->sum);
		vmm__json_diff_counts(out, ",\"kernel\":", &d->kernel);
		json_remainder(out, d);
		vmm__json_key_text(out, ",\"explanation_before\":", d->before ? d->before->explanation : NULL);
		vmm__json_key_text(out, ",\"explanation\":", d->after ? d->after->explanation : NULL);
		vmm_out_char(out, '}');
	}
	vmm_out_char(out, ']');
}

static void json_bound(struct vmm_out *out, const char *key, const struct vmm_limit *before, uint64_t was,
                       const struct vmm_limit *after, uint64_t is)
{
	vmm_out_text(out, key);
	vmm__json_key_limit(out, "{\"before\":", before->known, was);
	vmm__json_key_limit(out, ",\"after\":", after->known, is);
	vmm_out_char(out, '}');
}

static void json_limits(struct vmm_out *out, const struct vmm_diff *diff)
{
	vmm_out_text(out, ",\n\"limits\":[");
	for (uint32_t i = 0; i < diff->limit_count; i++) {
		const struct vmm_diff_limit *d = &diff->limits[i];

		vmm__json_key_text(out, i ? ",\n{\"id\":" : "\n{\"id\":", d->after->id);
		vmm__json_key_text(out, ",\"text\":", d->after->text);
		vmm__json_diff_counts(out, ",\"used\":", &d->used);
		json_bound(out, ",\"soft\":", d->before, d->before->soft, d->after, d->after->soft);
		json_bound(out, ",\"hard\":", d->before, d->before->hard, d->after, d->after->hard);
		vmm__json_key_text(out, ",\"unit\":", d->after->bytes ? "bytes" : "count");
		vmm_out_char(out, '}');
	}
	vmm_out_char(out, ']');
}

void vmm__json_diff_rest(struct vmm_out *out, const struct vmm_diff *diff)
{
	json_threads(out, diff);
	json_modules(out, diff);
	json_accounts(out, diff);
	json_identities(out, diff);
	json_limits(out, diff);
	json_notes(out, ",\n\"notes_before\":[", diff->a);
	json_notes(out, ",\n\"notes_after\":[", diff->b);
}
