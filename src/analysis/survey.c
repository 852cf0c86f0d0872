/* The largest chunks and the most frequent contents, in one walk over all chunks. */
#include "vmmap/survey.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/groups.h"
#include "analysis/window.h"
#include "base/arena.h"
#include "base/err.h"

struct surveying {
	const struct vmm_survey_query *query;
	struct vmm_survey *survey;
	struct vmm_large_chunk *heap; /* a heap by size, the smallest at its root */
	size_t count, capacity, top;
	struct vmm_groups groups;
	struct vmm_window window;
	const struct vmm_heap *last; /* of the batch before, whose id is id */
	const char *id;
	struct vmm_note *notes;
	size_t note_count, note_capacity;
};

/* Whether a stands behind b in the list: smaller, or higher up. */
static bool lesser(const struct vmm_large_chunk *a, const struct vmm_large_chunk *b)
{
	if (a->chunk.usable != b->chunk.usable)
		return a->chunk.usable < b->chunk.usable;
	return a->chunk.address > b->chunk.address;
}

static void swap(struct vmm_large_chunk *a, struct vmm_large_chunk *b)
{
	struct vmm_large_chunk t = *a;

	*a = *b;
	*b = t;
}

static void sift_down(struct vmm_large_chunk *v, size_t count)
{
	for (size_t at = 0, child; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && lesser(&v[child + 1], &v[child]))
			child++;
		if (!lesser(&v[child], &v[at]))
			return;
		swap(&v[child], &v[at]);
	}
}

static void sift_up(struct vmm_large_chunk *v, size_t at)
{
	for (; at && lesser(&v[at], &v[(at - 1) / 2]); at = (at - 1) / 2)
		swap(&v[at], &v[(at - 1) / 2]);
}

static bool offer_large(struct surveying *s, const struct vmm_chunk_batch *b, const struct vmm_chunk *c)
{
	struct vmm_large_chunk offered;

	if (s->count == s->top && (!s->top || c->usable < s->heap[0].chunk.usable))
		return true;
	/* The content is looked at in the end. */
	memset(&offered, 0, sizeof(offered));
	offered.chunk = *c;
	offered.heap = s->id;
	offered.region_start = b->region_start;
	if (s->count == s->top) {
		if (lesser(&s->heap[0], &offered)) {
			s->heap[0] = offered;
			sift_down(s->heap, s->count);
		}
		return true;
	}
	if (!vmm_grow(&s->heap, &s->capacity, s->count + 1, sizeof(*s->heap)))
		return false;
	s->heap[s->count] = offered;
	sift_up(s->heap, s->count++);
	return true;
}

static bool offer_content(struct surveying *s, const struct vmm_chunk_batch *b, const struct vmm_chunk *c)
{
	size_t length = (size_t)vmm_min_u64(c->usable, VMM_CONTENT_LOOK);
	const unsigned char *bytes = vmm_window_get(&s->window, c->address, length, b->region_end);
	unsigned char prefix[VMM_CONTENT_LOOK] = {0};

	if (!bytes) {
		s->survey->not_resident++;
		return true;
	}
	s->survey->compared++;
	memcpy(prefix, bytes, length);
	return vmm_groups_add(&s->groups, c->usable, c->address, prefix);
}

static bool counts(enum vmm_chunk_state state)
{
	return state != VMM_CHUNK_META && state != VMM_CHUNK_RESERVED;
}

static int take_batch(void *arg, const struct vmm_chunk_batch *b)
{
	struct surveying *s = arg;
	const struct vmm_survey_query *q = s->query;

	if (q->heap && strcmp(q->heap, b->heap->id) != 0)
		return 0;
	if (b->heap != s->last) {
		s->last = b->heap;
		s->id = vmm_arena_intern(s->survey->arena, b->heap->id, strlen(b->heap->id));
		if (!s->id)
			return VMM_E_NOMEM;
	}
	for (size_t i = 0; i < b->count; i++) {
		const struct vmm_chunk *c = &b->chunks[i];

		if (!counts((enum vmm_chunk_state)c->state) || (q->pick && !q->pick(q->arg, b, c)))
			continue;
		s->survey->picked++;
		if (!offer_large(s, b, c))
			return VMM_E_NOMEM;
		if (q->duplicates && c->state == VMM_CHUNK_USED && c->usable && !offer_content(s, b, c))
			return VMM_E_NOMEM;
	}
	return 0;
}

static void take_note(void *arg, const struct vmm_note *note)
{
	struct surveying *s = arg;
	struct vmm_arena *arena = s->survey->arena;
	struct vmm_note *n;

	if (!vmm_grow(&s->notes, &s->note_capacity, s->note_count + 1, sizeof(*s->notes)))
		return;
	n = &s->notes[s->note_count];
	*n = *note;
	n->from = vmm_arena_strdup(arena, note->from);
	n->code = vmm_arena_strdup(arena, note->code);
	n->text = vmm_arena_strdup(arena, note->text);
	if (n->from && n->code && n->text)
		s->note_count++;
}

static int by_size(const void *a, const void *b)
{
	return lesser(a, b) ? 1 : -1;
}

static void decode(struct surveying *s, const struct vmm_content_context *context, uint64_t address, uint64_t usable,
                   struct vmm_content *ret)
{
	size_t length = (size_t)vmm_min_u64(usable, VMM_CONTENT_LOOK);
	const unsigned char *bytes = vmm_window_get(&s->window, address, length, vmm_add_sat(address, usable));

	vmm_content_decode(context, bytes, bytes ? length : 0, usable, ret);
}

static int finish_largest(struct surveying *s, const struct vmm_content_context *context)
{
	if (s->count)
		qsort(s->heap, s->count, sizeof(*s->heap), by_size);
	for (size_t i = 0; i < s->count; i++)
		decode(s, context, s->heap[i].chunk.address, s->heap[i].chunk.usable, &s->heap[i].content);
	s->survey->largest_count = s->count;
	if (!s->count)
		return 0;
	s->survey->largest = vmm_arena_keep(s->survey->arena, s->heap);
	s->heap = NULL;
	return s->survey->largest ? 0 : VMM_E_NOMEM;
}

static int finish_duplicates(struct surveying *s, const struct vmm_content_context *context)
{
	struct vmm_survey *v = s->survey;

	vmm_groups_sort(&s->groups);
	v->approximate = s->groups.dropped;
	v->missed_bytes = s->groups.missed_bytes;
	v->duplicates = vmm_arena_array(v->arena, (size_t)vmm_min_u64(s->top, s->groups.count) + 1, sizeof(*v->duplicates));
	if (!v->duplicates)
		return VMM_E_NOMEM;
	for (size_t i = 0; i < s->groups.count; i++) {
		const struct vmm_group *g = &s->groups.v[i];
		struct vmm_duplicate *d = &v->duplicates[v->duplicate_count];

		if (g->count < 2)
			continue;
		v->duplicate_groups++;
		v->redundant_bytes += g->size * (g->count - 1);
		if (v->duplicate_count == s->top)
			continue;
		d->size = g->size;
		d->count = g->count;
		d->address = g->address;
		vmm_content_decode(context, g->prefix, (size_t)vmm_min_u64(g->size, VMM_CONTENT_LOOK), g->size, &d->content);
		v->duplicate_count++;
	}
	return 0;
}

static int finish(struct surveying *s, const struct vmm_content_context *context)
{
	int rc = finish_largest(s, context);

	if (rc == 0 && s->query->duplicates)
		rc = finish_duplicates(s, context);
	if (rc == 0 && s->note_count) {
		s->survey->note_count = s->note_count;
		s->survey->notes = vmm_arena_keep(s->survey->arena, s->notes);
		s->notes = NULL;
		rc = s->survey->notes ? 0 : VMM_E_NOMEM;
	}
	return rc;
}

static struct vmm_survey *survey_create(void)
{
	struct vmm_survey *v = vmm_alloc_hook(NULL, sizeof(*v));

	if (!v)
		return NULL;
	memset(v, 0, sizeof(*v));
	v->arena = vmm_arena_create();
	if (v->arena)
		return v;
	free(v);
	return NULL;
}

void vmm_survey_destroy(struct vmm_survey *survey)
{
	if (survey)
		vmm_arena_destroy(survey->arena);
	free(survey);
}

/* A target that has no memory to be read still has heaps, as they were found when it had: only the chunks are missing. */
static int walk_chunks(struct vmm_target *target, const struct vmm_snapshot *snapshot, const struct vmm_chunk_walk *walk,
                       struct surveying *s, struct vmm_err *err)
{
	struct vmm_err why = {0};
	int rc = vmm_target_chunks(target, snapshot, walk, &why);

	if (rc == VMM_E_UNSUPPORTED) {
		const struct vmm_note note = {.from = "heaps", .code = "unsupported", .text = why.text, .count = 1};

		walk->note(s, &note);
		return 0;
	}
	if (rc < 0 && err)
		*err = why;
	return rc;
}

int vmm_target_survey(struct vmm_target *target, const struct vmm_snapshot *snapshot, struct vmm_symbols *symbols,
                      const struct vmm_survey_query *query, struct vmm_survey **ret_survey, struct vmm_err *err)
{
	struct vmm_content_context context = {snapshot, target, symbols};
	struct surveying s = {.query = query, .survey = survey_create(), .top = (size_t)vmm_min_u64(query->top, VMM_SURVEY_TOP_MAX)};
	struct vmm_chunk_walk walk = {.end = UINT64_MAX, .chunks = take_batch, .note = take_note, .arg = &s};
	int rc = 0;

	if (!s.survey)
		return vmm_fail_nomem(err);
	vmm_groups_init(&s.groups, VMM_GROUPS_MAX);
	rc = vmm_window_init(&s.window, target) ? walk_chunks(target, snapshot, &walk, &s, err) : VMM_E_NOMEM;
	if (rc == 0)
		rc = finish(&s, &context);
	vmm_window_done(&s.window);
	vmm_groups_done(&s.groups);
	free(s.heap);
	free(s.notes);
	if (rc < 0) {
		vmm_survey_destroy(s.survey);
		return rc == VMM_E_NOMEM ? vmm_fail_nomem(err) : rc;
	}
	*ret_survey = s.survey;
	return 0;
}
