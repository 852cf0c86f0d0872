/* Growth in a session: which of its snapshots are looked at, and loading them. */
#include <stdlib.h>

#include "analysis/analysis.h"
#include "analysis/growth.h"
#include "analysis/trend.h"
#include "base/err.h"
#include "session/read.h"

#define LOOKS_DEFAULT 300
#define LOOKS_LEAST 32
#define REGIONS_ALL 1000000 /* regions in all snapshots that are looked at, about */

/* The entries of the query's target and range, as places in the index. */
struct choice {
	uint32_t *v;
	size_t count, capacity;
};

static int choose_entries(const struct vmm_session_index *index, const struct vmm_growth_query *q, struct choice *ret,
			  uint32_t *ret_target, struct vmm_err *err)
{
	uint32_t last = q->last ? q->last : UINT32_MAX, target = q->target;

	for (uint32_t i = index->count; i-- > 0 && !target;)
		if (index->entries[i].number <= last && index->entries[i].number >= q->first)
			target = index->entries[i].target;
	for (uint32_t i = 0; i < index->count; i++) {
		const struct vmm_session_entry *e = &index->entries[i];

		if (e->target != target || e->number < q->first || e->number > last)
			continue;
		if (!vmm_grow(&ret->v, &ret->capacity, ret->count + 1, sizeof(*ret->v)))
			return vmm_fail_nomem(err);
		ret->v[ret->count++] = i;
	}
	*ret_target = target;
	return ret->count ? 0 : vmm_fail(err, VMM_E_NO_TARGET, 0, "the session has no such snapshot");
}

int vmm_tracks_load(struct vmm_tracks *t, struct vmm_session *session, const struct vmm_session_index *index,
		    const uint32_t *entries, size_t count, uint32_t most, const struct vmm_track_filter *filter,
		    struct vmm_err *err)
{
	size_t picks = most ? most : LOOKS_DEFAULT;
	struct vmm_walk *walk;
	int code = vmm_walk_create(session, &walk, err);

	if (code < 0)
		return code;
	for (size_t i = 0; i < picks && i < count && code == 0; i++) {
		uint32_t number = index->entries[entries[vmm_pick(i, picks, count)]].number;
		struct vmm_snapshot *s;

		code = vmm_session_load_on(session, walk, number, &s, err);

		/* The first tells how large they are. */
		if (code == 0 && i == 0 && !most && s->region_count > REGIONS_ALL / LOOKS_DEFAULT)
			picks = vmm_max_u64(LOOKS_LEAST, REGIONS_ALL / s->region_count);
		if (code == 0)
			code = vmm_tracks_add(t, s, number, filter, err);
	}
	vmm_walk_destroy(walk);
	return code;
}

int vmm_growth_find(struct vmm_session *session, const struct vmm_session_index *index,
		    const struct vmm_growth_query *query, struct vmm_growth **ret_growth, struct vmm_err *err)
{
	static const struct vmm_growth_query all = {0};
	const struct vmm_growth_query *q = query ? query : &all;
	struct choice entries = {0};
	struct vmm_tracks tracks;
	struct vmm_growth *g = NULL;
	uint32_t target = 0;
	int code = vmm_growth_start(&tracks, err);

	if (code < 0)
		return code;
	code = choose_entries(index, q, &entries, &target, err);
	if (code == 0)
		code = vmm_tracks_load(&tracks, session, index, entries.v, entries.count, q->most, NULL, err);
	if (code == 0)
		code = vmm_growth_of(&tracks, &g, err);
	vmm_tracks_done(&tracks);
	if (code == 0) {
		g->target = target;
		g->snapshots = (uint32_t)entries.count;
		*ret_growth = g;
	}
	free(entries.v);
	return code;
}
