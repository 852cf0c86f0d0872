/*
 * Which region of a snapshot is which of another, so that the page compares any two: each region has a number that it keeps
 * from snapshot to snapshot, as the library matches neighbours; where it matches two that are farther apart otherwise than by
 * these numbers, that is said too.
 */
#include <stdlib.h>

#include "analysis/match.h"
#include "base/arena.h"
#include "base/err.h"
#include "face/report_data.h"
#include "vmmap/diff.h"

#define HELD_MOST 1500000   /* regions and blocks of all snapshots that are held at once */
#define WORK_MOST 40000000  /* regions that are matched, of all pairs together: a second or so */
#define OTHER_MOST (8u << 20) /* bytes of what is otherwise */

/* One snapshot. */
struct seen {
	struct vmm_snapshot *s; /* NULL: held no more */
	uint32_t *ids;          /* of its regions */
	uint32_t region_count, number, layout;
};

struct vmm_report_same {
	struct seen *seen;
	uint32_t count, capacity;
	uint32_t next;  /* the first number that no region has */
	uint64_t held;
	bool forgetful; /* there are too many to hold them all */
};

struct vmm_report_same *vmm_report_same_create(uint32_t count)
{
	struct vmm_report_same *m = NULL;
	size_t own = 0, capacity = 0;

	if (!vmm_grow(&m, &own, 1, sizeof(*m)))
		return NULL;
	*m = (struct vmm_report_same){.capacity = count};
	if (!vmm_grow(&m->seen, &capacity, (size_t)count + 1, sizeof(*m->seen))) {
		free(m);
		return NULL;
	}
	return m;
}

void vmm_report_same_destroy(struct vmm_report_same *m)
{
	if (!m)
		return;
	for (uint32_t i = 0; i < m->count; i++) {
		vmm_snapshot_destroy(m->seen[i].s);
		free(m->seen[i].ids);
	}
	free(m->seen);
	free(m);
}

struct vmm_snapshot *vmm_report_same_take_last(struct vmm_report_same *m)
{
	struct vmm_snapshot *s = m->count ? m->seen[m->count - 1].s : NULL;

	if (s)
		m->seen[m->count - 1].s = NULL;
	return s;
}

/* Numbers for the regions of the last one: those of the one before, where a region is the same. */
static int number_regions(struct vmm_report_same *m, struct vmm_err *err)
{
	VMM_CLEANUP_FREE struct vmm_pair *pairs = NULL;
	struct seen *now = &m->seen[m->count - 1], *before = m->count > 1 ? now - 1 : NULL;
	size_t count = 0, capacity = 0;
	int code = 0;

	if (!vmm_grow(&now->ids, &capacity, (size_t)now->region_count + 1, sizeof(*now->ids)))
		return vmm_fail_nomem(err);
	if (before)
		code = vmm_match_regions(before->s, now->s, &pairs, &count, err);
	for (uint32_t i = 0; !before && i < now->region_count; i++)
		now->ids[i] = m->next++;
	for (size_t i = 0; i < count; i++)
		if (pairs[i].b != VMM_NONE)
			now->ids[pairs[i].b] = pairs[i].a == VMM_NONE ? m->next++ : before->ids[pairs[i].a];
	return code;
}

/* What came before is needed for nothing else when not all are held. */
static void forget(struct vmm_report_same *m)
{
	m->forgetful = true;
	for (uint32_t i = 0; i + 1 < m->count; i++) {
		vmm_snapshot_destroy(m->seen[i].s);
		m->seen[i].s = NULL;
	}
}

int vmm_report_same_add(struct vmm_report_same *m, struct vmm_snapshot *s, struct vmm_err *err)
{
	struct seen *now = &m->seen[m->count];
	int code;

	if (m->count == m->capacity) {
		vmm_snapshot_destroy(s);
		return vmm_fail(err, VMM_E_LIMIT, 0, "there are more snapshots than were announced");
	}
	*now = (struct seen){.s = s, .region_count = s->region_count, .number = s->session_number};
	m->count++;
	m->held += (uint64_t)s->region_count + s->block_count + 1;
	code = number_regions(m, err);
	now->layout = m->count < 2 ? 0 : (now - 1)->layout + !vmm__same_layout((now - 1)->s, s);
	if (code == 0 && (m->forgetful || m->held > HELD_MOST))
		forget(m);
	return code;
}

/* Numbers as distances: 1 again and again, which packs well. */
static void put_ids(struct vmm_report_same *m, struct vmm_out *out)
{
	vmm_out_text(out, "{\"ids\":[");
	for (uint32_t i = 0; i < m->count; i++) {
		uint32_t last = 0;

		vmm_out_text(out, i ? ",\n[" : "\n[");
		for (uint32_t k = 0; k < m->seen[i].region_count; k++) {
			if (k)
				vmm_out_char(out, ',');
			vmm_out_int(out, (int64_t)m->seen[i].ids[k] - last);
			last = m->seen[i].ids[k];
		}
		vmm_out_char(out, ']');
	}
	vmm_out_text(out, "],\n\"layouts\":[");
	for (uint32_t i = 0; i < m->count; i++) {
		if (i)
			vmm_out_char(out, ',');
		vmm_out_dec(out, m->seen[i].layout);
	}
	vmm_out_char(out, ']');
}

/* One pair, where it is otherwise: regions of the second, and which of the first each is (-1: it is new). */
static int put_pair(struct vmm_out *out, const struct seen *a, const struct seen *b, const uint32_t *place, bool *ret_any, struct vmm_err *err)
{
	VMM_CLEANUP_FREE struct vmm_pair *pairs = NULL;
	bool same = vmm__same_layout(a->s, b->s), first = true;
	size_t count = 0;
	int code = vmm_match_regions(a->s, b->s, &pairs, &count, err);

	for (size_t i = 0; i <= count && code == 0; i++) {
		bool end = i == count;

		if (end ? same == (a->layout == b->layout) || !first : pairs[i].b == VMM_NONE || place[b->ids[pairs[i].b]] == pairs[i].a)
			continue;
		if (first)
			vmm_out_printf(out, "%s{\"before\":%u,\"after\":%u,\"same_layout\":%s,\"regions\":[", *ret_any ? ",\n" : "\n", a->number,
			               b->number, same ? "true" : "false");
		if (!end)
			vmm_out_printf(out, "%s%u,%lld", first ? "" : ",", pairs[i].b, pairs[i].a == VMM_NONE ? -1LL : (long long)pairs[i].a);
		first = false;
		*ret_any = true;
	}
	if (!first)
		vmm_out_text(out, "]}");
	return code;
}

/* All pairs that begin with one: neighbours are as their numbers say. */
static int put_pairs(struct vmm_report_same *m, struct vmm_out *out, uint32_t first, uint32_t *place, bool *ret_any, struct vmm_err *err)
{
	const struct seen *a = &m->seen[first];
	int code = 0;

	for (uint32_t i = 0; i < m->next; i++)
		place[i] = VMM_NONE;
	for (uint32_t i = 0; i < a->region_count; i++)
		place[a->ids[i]] = i;
	for (uint32_t i = first + 2; i < m->count && code == 0; i++)
		code = put_pair(out, a, &m->seen[i], place, ret_any, err);
	return code;
}

int vmm_report_same_json(struct vmm_report_same *m, struct vmm_out *out, struct vmm_err *err)
{
	VMM_CLEANUP_FREE uint32_t *place = NULL;
	uint64_t work = 0, begin;
	size_t capacity = 0;
	uint32_t known = 0;
	bool any = false;
	int code = 0;

	if (!vmm_grow(&place, &capacity, (size_t)m->next + 1, sizeof(*place)))
		return vmm_fail_nomem(err);
	put_ids(m, out);
	vmm_out_text(out, ",\n\"other\":[");
	begin = out->used;
	for (; known < m->count && !m->forgetful && code == 0; known++) {
		for (uint32_t i = known + 2; i < m->count; i++)
			work += m->seen[known].region_count + m->seen[i].region_count;
		if (work > WORK_MOST || out->used - begin > OTHER_MOST)
			break;
		code = put_pairs(m, out, known, place, &any, err);
	}
	/* Pairs that begin with one of the first so many are exact. */
	vmm_out_printf(out, "],\"known\":%u}", known);
	return code;
}
