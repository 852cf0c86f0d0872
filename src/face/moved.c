#include "face/moved.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

#define CELL_WIDTH 13

/* now - old, cut off where it does not fit. */
static int64_t difference(uint64_t now, uint64_t old)
{
	uint64_t size = now > old ? now - old : old - now;

	if (size > INT64_MAX)
		size = INT64_MAX;
	return now > old ? (int64_t)size : -(int64_t)size;
}

static uint64_t absolute(int64_t v)
{
	return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

static uint64_t value_of(const struct vmm_region *r, enum vmm_metric i)
{
	return r ? r->m->value[i] : 0;
}

static bool knows(const struct vmm_region *r, enum vmm_metric i)
{
	return !r || vmm_metric_known(r->m, i);
}

static struct vmm_move compare(const struct vmm_region *old, const struct vmm_region *now)
{
	struct vmm_move m = {.old = old, .now = now};

	m.known = knows(old, VMM_METRIC_RSS) && knows(now, VMM_METRIC_RSS) && knows(old, VMM_METRIC_COMMITTED) &&
	          knows(now, VMM_METRIC_COMMITTED);
	m.committed = difference(value_of(now, VMM_METRIC_COMMITTED), value_of(old, VMM_METRIC_COMMITTED));
	m.rss = difference(value_of(now, VMM_METRIC_RSS), value_of(old, VMM_METRIC_RSS));
	m.size = difference(value_of(now, VMM_METRIC_SIZE), value_of(old, VMM_METRIC_SIZE));
	return m;
}

static bool same(const struct vmm_region *a, const struct vmm_region *b)
{
	return a->kind == b->kind && a->start < b->end && b->start < a->end && strcmp(a->path, b->path) == 0;
}

static int by_move(const void *a, const void *b)
{
	const struct vmm_move *x = a, *y = b;
	uint64_t xm = vmm_max_u64(absolute(x->committed), absolute(x->rss));
	uint64_t ym = vmm_max_u64(absolute(y->committed), absolute(y->rss));

	if (xm != ym)
		return xm < ym ? 1 : -1;
	if (absolute(x->size) != absolute(y->size))
		return absolute(x->size) < absolute(y->size) ? 1 : -1;
	return 0;
}

static bool add_move(struct vmm_move **v, size_t *count, size_t *capacity, const struct vmm_move *m)
{
	if (m->old && m->now && !m->committed && !m->rss && !m->size)
		return true;
	if (!vmm_grow(v, capacity, *count + 1, sizeof(**v)))
		return false;
	(*v)[(*count)++] = *m;
	return true;
}

int vmm_moves_find(const struct vmm_snapshot *old, const struct vmm_snapshot *now, struct vmm_move **ret_moves,
                   size_t *ret_count, struct vmm_err *err)
{
	struct vmm_move *v = NULL;
	size_t count = 0, capacity = 0;
	uint32_t i = 0, j = 0;

	while (i < old->region_count || j < now->region_count) {
		const struct vmm_region *a = i < old->region_count ? &old->regions[i] : NULL;
		const struct vmm_region *b = j < now->region_count ? &now->regions[j] : NULL;
		struct vmm_move m;

		if (a && b && same(a, b)) {
			m = compare(a, b);
			i++;
			j++;
		} else if (a && (!b || a->end <= b->end)) {
			/* What ends first cannot meet anything further up. */
			m = compare(a, NULL);
			i++;
		} else {
			m = compare(NULL, b);
			j++;
		}
		if (!add_move(&v, &count, &capacity, &m)) {
			free(v);
			return vmm_fail_nomem(err);
		}
	}
	if (count)
		qsort(v, count, sizeof(*v), by_move);
	*ret_moves = v;
	*ret_count = count;
	return 0;
}

static void put_cell(struct vmm_out *out, const struct vmm_look *look, bool known, int64_t bytes)
{
	struct vmm_out *memory = vmm_out_create_memory();
	size_t width;
	char *text;

	if (!memory)
		return;
	if (!known)
		vmm_out_char(memory, '?');
	else if (bytes == 0)
		vmm_out_char(memory, '-');
	else
		vmm_put_change(memory, look, bytes);
	text = vmm_out_take(memory, NULL);
	if (!text)
		return;
	width = vmm_text_width(text, strlen(text));
	vmm_out_repeat(out, " ", width < CELL_WIDTH ? CELL_WIDTH - width : 1);
	vmm_out_text(out, text);
	free(text);
}

static void put_titles(struct vmm_out *out, const struct vmm_look *look, const char *first, const char *const *titles,
                       size_t count)
{
	vmm_out_char(out, '\n');
	vmm_put_bold(out, look);
	vmm_out_printf(out, "%-14s", first);
	for (size_t i = 0; i < count; i++)
		vmm_out_printf(out, "%*s", CELL_WIDTH, titles[i]);
	vmm_put_plain(out, look);
	vmm_out_char(out, '\n');
}

/* A line of signed changes of one kind or the total; nothing when nothing changed. */
static bool put_type(struct vmm_out *out, const struct vmm_look *look, const char *label,
                     const struct vmm_type_total *old, const struct vmm_type_total *now)
{
	static const enum vmm_metric shown[] = {VMM_METRIC_COMMITTED, VMM_METRIC_PRIVATE, VMM_METRIC_RSS, VMM_METRIC_SWAP};
	bool any = false;

	for (size_t i = 0; i < ARRAY_LEN(shown); i++)
		any |= old->m.value[shown[i]] != now->m.value[shown[i]];
	if (!any)
		return false;
	vmm_out_printf(out, "%-14s", label);
	for (size_t i = 0; i < ARRAY_LEN(shown); i++)
		put_cell(out, look, vmm_metric_known(&old->m, shown[i]) && vmm_metric_known(&now->m, shown[i]),
		         difference(now->m.value[shown[i]], old->m.value[shown[i]]));
	vmm_out_char(out, '\n');
	return true;
}

/* Page tables and free space have no regions and stand below the total, as in the table of types. */
static bool in_total(const struct vmm_snapshot *old, const struct vmm_snapshot *now, int kind)
{
	return old->types[kind].regions || now->types[kind].regions;
}

static void put_types(struct vmm_out *out, const struct vmm_look *look, const struct vmm_snapshot *old,
                      const struct vmm_snapshot *now)
{
	static const char *const titles[] = {"Committed", "Private", "RSS", "Swap"};

	put_titles(out, look, "Change", titles, ARRAY_LEN(titles));
	for (int k = 0; k < VMM_KIND_COUNT; k++)
		if (in_total(old, now, k))
			put_type(out, look, vmm_kind_label((enum vmm_kind)k), &old->types[k], &now->types[k]);
	if (!put_type(out, look, "Total", &old->total, &now->total))
		vmm_out_text(out, "no change in total\n");
	for (int k = 0; k < VMM_KIND_COUNT; k++)
		if (!in_total(old, now, k))
			put_type(out, look, vmm_kind_label((enum vmm_kind)k), &old->types[k], &now->types[k]);
}

static const char *move_word(const struct vmm_move *m)
{
	int64_t main_change = m->committed ? m->committed : m->rss ? m->rss : m->size;

	return !m->old ? "new" : !m->now ? "gone" : main_change > 0 ? "grew" : "shrank";
}

static void put_move(struct vmm_out *out, const struct vmm_look *look, const struct vmm_move *m)
{
	const struct vmm_region *r = m->now ? m->now : m->old;
	size_t used = 8 + 2 * CELL_WIDTH + 2 + 12 + 2 + 12 + 2, width = look->style.width;

	vmm_out_printf(out, "%-8s", move_word(m));
	put_cell(out, look, m->known, m->committed);
	put_cell(out, look, m->known, m->rss);
	vmm_out_printf(out, "  %-12s  %012llx", vmm_kind_label(r->kind), (unsigned long long)r->start);
	if (r->details[0] && (!width || width > used + 8)) {
		vmm_out_text(out, "  ");
		vmm_out_escaped(out, r->details, width ? width - used : 0);
	}
	vmm_out_char(out, '\n');
}

int vmm_moves_emit(struct vmm_out *out, const struct vmm_look *look, const struct vmm_snapshot *old,
                   const struct vmm_snapshot *now, size_t top, struct vmm_err *err)
{
	struct vmm_move *moves;
	size_t count;
	int code = vmm_moves_find(old, now, &moves, &count, err);

	if (code < 0)
		return code;
	put_types(out, look, old, now);
	if (count) {
		vmm_out_char(out, '\n');
		vmm_put_bold(out, look);
		vmm_out_printf(out, "%-8s%*s%*s  %s\n", "Region", CELL_WIDTH, "Committed", CELL_WIDTH, "RSS", "what and where");
		vmm_put_plain(out, look);
	}
	for (size_t i = 0; i < count && i < top; i++)
		put_move(out, look, &moves[i]);
	if (count > top) {
		vmm_out_text(out, "… ");
		vmm_put_count(out, count - top);
		vmm_out_text(out, " more moved less\n");
	}
	free(moves);
	return 0;
}
