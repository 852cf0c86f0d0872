/*
 * gperftools tcmalloc: which memory is its own. All of a page heap's spans are one heap; the brk heap between them holds
 * the page heap's tables, if some of them are seen there. Tables that were mapped elsewhere show as Private Data.
 */
#include "reader/tcmalloc.h"

#include <stdlib.h>

#include "base/arena.h"

#define RANGE_MAX (UINT64_C(16) << 20) /* a longer stretch of writable data is none that holds a page heap */
/*
 * The page heap is in .bss, which ends in anonymous memory: 512 KiB of a cache, 256 KiB and more of the page map's root, and
 * then the lists; 152 KiB of central lists stand beside. In ILP32 16 KiB, 2 KiB and 80 KiB. The first page may be a file's.
 */
#define BSS_MIN_64 (UINT64_C(896) << 10)
#define BSS_MIN_32 (UINT64_C(80) << 10)
#define LISTS_MIN_64 (UINT64_C(764) << 10)
#define CANDIDATES_MAX 4096
#define CHUNK (UINT64_C(64) << 10)
#define BEFORE (UINT64_C(28) << 10) /* of the window in which a page heap is looked for: as long as most heads are */
#define BEHIND (UINT64_C(32) << 10)
#define SEARCH_MAX (UINT64_C(8) << 20) /* bytes read in search of a page heap */
#define HEAPS_MAX 16
#define RUNS_MAX 65536
#define SEEN 256 /* places of tables remembered, to tell each once */
#define TABLE UINT64_C(65536)
#define SPAN_SHARE 32 /* a page heap's own tables are not larger than this part of it */
#define SPAN_BUDGET_MAX (UINT64_C(256) << 20)

/* A stretch of memory without holes that spans tile. */
struct run {
	uint64_t start, end;
};

struct runs {
	struct run *v; /* free() */
	size_t count, capacity;
	uint64_t *tables; /* places, in units of TABLE; free() */
	size_t table_count, table_capacity;
	uint64_t seen[SEEN];
	struct vmm_reading *r;
};

static int note_table(struct runs *s, uint64_t address)
{
	uint64_t place = address / TABLE, slot = place % SEEN;

	if (s->seen[slot] == place || s->table_count == RUNS_MAX)
		return 0;
	s->seen[slot] = place;
	if (!vmm_grow(&s->tables, &s->table_capacity, s->table_count + 1, sizeof(*s->tables)))
		return VMM_E_NOMEM;
	s->tables[s->table_count++] = place;
	return 0;
}

static int add_span(void *arg, const struct tc_span *span)
{
	struct runs *s = arg;
	struct run *last = s->count ? &s->v[s->count - 1] : NULL;
	int rc = note_table(s, span->address);

	if (rc == 0)
		rc = note_table(s, span->root_slot);
	if (rc < 0)
		return rc;
	if (last && last->end == span->start) {
		last->end += span->length;
		return 0;
	}
	/* Not yet writable either: the program may have protected a block. */
	if (!vmm_snapshot_vma_at(s->r->snapshot, span->start))
		return 0;
	if (s->count == RUNS_MAX)
		return 1;
	if (!vmm_grow(&s->v, &s->capacity, s->count + 1, sizeof(*s->v)))
		return VMM_E_NOMEM;
	s->v[s->count++] = (struct run){span->start, span->start + span->length};
	return 0;
}

/* Whether tables of the page heap were seen in [start, end). */
static bool holds_tables(const struct runs *s, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < s->table_count; i++)
		if (s->tables[i] * TABLE + TABLE > start && s->tables[i] * TABLE < end)
			return true;
	return false;
}

/* Adds a border; where no more are left, the last one stands for what follows too. */
static void add_cut(struct vmm_area *area, uint64_t address, const char *label)
{
	if (area->cut_count < VMM_AREA_CUTS_MAX)
		area->cuts[area->cut_count++] = (struct vmm_area_cut){address, label};
	else
		area->cuts[VMM_AREA_CUTS_MAX - 1].label = "spans and tables";
}

static int add_area(struct vmm_reading *r, struct vmm_area *area, struct vmm_err *err)
{
	int rc = area->start < area->end ? vmm_reading_add_area(r, area, err) : 0;

	*area = (struct vmm_area){.start = area->end, .end = area->end, .heap = area->heap, .details = area->details};
	return rc;
}

/* Takes [end of the area, until) into the area when it holds tables; otherwise the area ends here. */
static int cross_hole(struct vmm_reading *r, const struct runs *s, struct vmm_area *area, uint64_t until, bool brk, struct vmm_err *err)
{
	int rc = 0;

	if (area->end >= until)
		return 0;
	if (brk && holds_tables(s, area->end, until)) {
		add_cut(area, area->end, "tables");
		area->end = until;
		return 0;
	}
	rc = add_area(r, area, err);
	area->start = area->end = until;
	return rc;
}

/* The brk heap's borders, start == end when there is none. */
static struct run brk_heap(const struct vmm_snapshot *s)
{
	struct run brk = {0, 0};

	for (uint32_t i = 0; i < s->vma_count; i++) {
		if (!vmm_vma_is_brk(&s->vmas[i]))
			continue;
		if (brk.start == brk.end)
			brk.start = s->vmas[i].start;
		brk.end = s->vmas[i].end;
	}
	return brk;
}

/* Where the mappings from start on end, at most end: the heap may have grown since the map was read. */
static uint64_t mapped_end(const struct vmm_snapshot *s, uint64_t start, uint64_t end)
{
	const struct vmm_vma *v = vmm_snapshot_vma_at(s, start), *last = s->vmas + s->vma_count;

	while (v && v + 1 < last && v->end < end && v[1].start == v->end)
		v++;
	return v ? vmm_min_u64(v->end, end) : start;
}

/* Areas: runs of spans, and between those in the brk heap its tables. */
static int add_areas(struct vmm_reading *r, const struct runs *s, uint32_t heap, const char *details, struct vmm_err *err)
{
	struct run brk = brk_heap(r->snapshot);
	struct vmm_area area = {.heap = heap, .details = details};
	int rc = 0;

	for (size_t i = 0; i < s->count && rc == 0; i++) {
		const struct run *run = &s->v[i];
		bool inside = run->start >= brk.start && run->start < brk.end;

		if (inside && (i == 0 || run[-1].start < brk.start)) {
			rc = add_area(r, &area, err);
			area.start = area.end = brk.start;
		}
		if (rc == 0)
			rc = cross_hole(r, s, &area, run->start, inside, err);
		if (rc < 0)
			break;
		add_cut(&area, run->start, "spans");
		area.end = mapped_end(r->snapshot, run->start, run->end);
		if (inside && (i + 1 == s->count || run[1].start >= brk.end))
			rc = cross_hole(r, s, &area, brk.end, true, err);
	}
	return rc == 0 ? add_area(r, &area, err) : rc;
}

/* Adds the heap of a page heap when there are spans in it. */
static int add_heap(struct vmm_reading *r, const struct tc_heap *h, const struct tc_stats *stats, unsigned number, struct vmm_err *err)
{
	struct vmm_arena *arena = r->snapshot->arena;
	struct runs s = {.r = r};
	struct tc_memory m;
	struct tc_heap *kept = vmm_arena_alloc(arena, sizeof(*kept));
	struct vmm_heap heap = {.reader = "tcmalloc", .label = number ? "tcmalloc of another copy" : "tcmalloc"};
	uint64_t budget = r->budget;
	uint32_t index;
	int rc;

	heap.id = vmm_arena_printf(arena, "tcmalloc.%u", number);
	if (!tc_memory_init(&m, r, NULL) || !kept || !heap.id) {
		tc_memory_done(&m);
		return vmm_fail_nomem(err);
	}
	*kept = *h;
	/* Its tables grow with the heap; the others shall not go short of it. */
	r->budget += vmm_min_u64(stats->system / SPAN_SHARE, SPAN_BUDGET_MAX);
	rc = tc_each_span(&m, h, add_span, &s);
	tc_memory_done(&m);
	r->budget = vmm_min_u64(budget, r->budget);
	if (rc >= 0 && s.count)
		rc = vmm_reading_add_heap(r, &heap, kept, &index, err);
	if (rc >= 0 && s.count)
		rc = add_areas(r, &s, index, "tcmalloc page heap", err);
	free(s.v);
	free(s.tables);
	return rc == VMM_E_NOMEM ? vmm_fail_nomem(err) : rc < 0 ? rc : 0;
}

/* The search through the writable data of objects. */
struct search {
	struct vmm_reading *r;
	unsigned char *bytes; /* CHUNK */
	uint64_t left;        /* bytes that may still be read */
	unsigned found;
};

/* Looks closer at the place where a sign was seen; *ret_end: where to go on. */
static int look_closer(struct search *s, uint64_t start, uint64_t end, uint64_t sign, uint64_t *ret_end, struct vmm_err *err)
{
	uint64_t from = sign - start > BEFORE ? sign - BEFORE : start, to = end - sign > BEHIND ? sign + BEHIND : end;
	struct tc_heap h = {.data_start = start, .data_end = end, .word = vmm_reading_word(s->r)};
	struct tc_stats stats;
	size_t at = 0, length = (size_t)(to - from);

	s->left -= vmm_min_u64(s->left, length);
	*ret_end = sign + 6 * h.word;
	if (!vmm_reading_bytes(s->r, from, s->bytes, length) || !tc_find_heap(s->r, s->bytes, length, from, &h, &at))
		return 0;
	*ret_end = vmm_max_u64(*ret_end, h.stats);
	if (!tc_read_stats(&h, s->bytes + (h.stats - from), &stats))
		return 0;
	return add_heap(s->r, &h, &stats, s->found++, err);
}

/* Searches [at, end), a part of the data from start on. */
static int search_range(struct search *s, uint64_t start, uint64_t at, uint64_t end, struct vmm_err *err)
{
	unsigned word = vmm_reading_word(s->r);
	uint64_t need = TC_SIGN_HEADS * 6 * word;
	int rc = 0;

	while (rc == 0 && at + need <= end && s->left && s->found < HEAPS_MAX && !s->r->denied) {
		uint64_t length = vmm_min_u64(CHUNK, end - at), i = 0;

		s->left -= vmm_min_u64(s->left, length);
		if (!vmm_reading_bytes(s->r, at, s->bytes, (size_t)length)) {
			at += length;
			continue;
		}
		while (i + need <= length && !tc_is_sign(s->r, s->bytes + i, at + i, word))
			i += word;
		at += i;
		if (i + need <= length)
			rc = look_closer(s, start, end, at, &at, err);
		else if (length < CHUNK)
			break;
	}
	return rc;
}

static int tcmalloc_detect(struct vmm_reading *r, struct vmm_err *err)
{
	const struct vmm_snapshot *s = r->snapshot;
	VMM_CLEANUP_FREE unsigned char *bytes = vmm_alloc_hook(NULL, CHUNK);
	struct search search = {.r = r, .bytes = bytes, .left = SEARCH_MAX};
	bool wide = vmm_reading_word(r) == 8;
	uint64_t least = wide ? BSS_MIN_64 : BSS_MIN_32, before = wide ? LISTS_MIN_64 : 0;
	unsigned candidates = 0;
	int rc = 0;

	if (!bytes)
		return vmm_fail_nomem(err);
	for (uint32_t i = 0; i < s->vma_count && rc == 0 && candidates < CANDIDATES_MAX; i++) {
		const struct vmm_vma *v = &s->vmas[i];
		uint64_t end;

		if (v->backing != VMM_BACKING_FILE || (v->prot & (VMM_PROT_WRITE | VMM_PROT_SHARED)) != VMM_PROT_WRITE)
			continue;
		end = vmm_reading_data_end(s, i);
		if (end <= v->end || end - v->end < least)
			continue;
		candidates++;
		if (end - v->start <= RANGE_MAX)
			rc = search_range(&search, v->start, v->end + before, end, err);
	}
	return rc;
}

const struct vmm_reader_ops vmm_reader_tcmalloc = {
	.id = "tcmalloc",
	.help = "tcmalloc of gperftools 2.8 to 2.18: its page heap, and every block in it",
	.detect = tcmalloc_detect,
	.walk = tc_walk,
};
