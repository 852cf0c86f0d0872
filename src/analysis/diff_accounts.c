/* Accounts and limits of two snapshots. */
#include <string.h>

#include "analysis/diff.h"

static const struct vmm_account *account_of(const struct vmm_snapshot *s, const char *id)
{
	for (uint32_t i = 0; i < s->account_count; i++)
		if (strcmp(s->accounts[i].id, id) == 0)
			return &s->accounts[i];
	return NULL;
}

static void add_identity(struct vmm_diff *d, const struct vmm_account *before, const struct vmm_account *after)
{
	const struct vmm_account *sides[] = {before, after};
	struct vmm_diff_identity *to = &d->identities[d->identity_count++];

	*to = (struct vmm_diff_identity){.before = before, .after = after};
	/* An account that a side does not tell is unknown there: it is no sum of 0 bytes. */
	for (unsigned i = 0; i < 2; i++) {
		if (!sides[i])
			continue;
		to->sum.known[i] = sides[i]->sum_known;
		to->sum.value[i] = sides[i]->sum;
		to->kernel.known[i] = sides[i]->kernel_known;
		to->kernel.value[i] = sides[i]->kernel;
	}
}

bool vmm__diff_identities(struct vmm_diff *d)
{
	d->identities = vmm_arena_array(d->arena, (size_t)d->a->account_count + d->b->account_count + 1, sizeof(*d->identities));
	if (!d->identities)
		return false;
	for (uint32_t i = 0; i < d->b->account_count; i++)
		add_identity(d, account_of(d->a, d->b->accounts[i].id), &d->b->accounts[i]);
	for (uint32_t i = 0; i < d->a->account_count; i++)
		if (!account_of(d->b, d->a->accounts[i].id))
			add_identity(d, &d->a->accounts[i], NULL);
	return true;
}

static const struct vmm_limit *limit_of(const struct vmm_snapshot *s, const char *id)
{
	for (uint32_t i = 0; i < s->limit_count; i++)
		if (strcmp(s->limits[i].id, id) == 0)
			return &s->limits[i];
	return NULL;
}

static bool limit_differs(const struct vmm_limit *a, const struct vmm_limit *b)
{
	return (a->known && b->known && (a->soft != b->soft || a->hard != b->hard)) ||
	       (a->used_known && b->used_known && a->used != b->used);
}

bool vmm__diff_limits(struct vmm_diff *d)
{
	d->limits = vmm_arena_array(d->arena, (size_t)d->b->limit_count + 1, sizeof(*d->limits));
	if (!d->limits)
		return false;
	for (uint32_t i = 0; i < d->b->limit_count; i++) {
		const struct vmm_limit *b = &d->b->limits[i], *a = limit_of(d->a, b->id);

		if (a && limit_differs(a, b))
			d->limits[d->limit_count++] = (struct vmm_diff_limit){
			    .before = a, .after = b, .used = {{a->used_known, b->used_known}, {a->used, b->used}}};
	}
	return true;
}
