/*
 * Chunks that malloc mapped one by one, each with its header at the start of its mapping. The kernel joins neighbours
 * to one mapping, so headers are also looked for inside, at page starts. How many there are and how many bytes they
 * have stands in mp_: that proves the search.
 *
 * Layouts: glibc malloc/malloc.c, struct malloc_par and sysmalloc_mmap(), 2.26 to 2.43.
 */
#include <string.h>

#include "base/cursor.h"
#include "reader/glibc.h"
#include "reader/walk.h"

#define IS_MMAPPED 2
#define FLAGS 7
#define DEFAULT_THRESHOLD (UINT64_C(128) << 10)
#define TCACHE_BINS_MAX 76 /* 64 before 2.42 */
#define LARGE (UINT64_C(16) << 20)
#define WINDOW (UINT64_C(256) << 10)
#define MMAPS_MAX (1u << 24)

/* A place taken as sbrk_base: words around it, and the four ints before them. */
struct params_guess {
	uint64_t mmapped, max_mmapped, sbrk_base, tcache_bins, tcache_max_bytes, tcache_count;
	uint64_t n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn_threshold;
	uint64_t trim_threshold, top_pad, mmap_threshold, arena_test;
	uint64_t thp_pagesize;
};

/* From sbrk_base back to the ints, and from those back to the struct: LP64 to 2.34, 2.35 to 2.42, 2.43; then ILP32. */
static const struct {
	uint8_t word, ints, start;
	uint8_t thp; /* thp_pagesize in the struct; 0: none */
	bool drifts; /* 2.43: each realloc() of such a chunk lets mmapped_mem grow by two words too much */
} layouts[] = {{8, 32, 0x28, 0, false}, {8, 36, 0x3c, 0x28, false}, {8, 36, 0x44, 0x30, true},
               {4, 24, 0x14, 0, false}, {4, 24, 0x20, 0x14, false}, {4, 24, 0x24, 0x18, true}};

static bool read_guess(const unsigned char *bytes, size_t length, size_t at, size_t layout, struct params_guess *ret)
{
	unsigned word = layouts[layout].word;
	size_t ints = at - layouts[layout].ints, start = ints - layouts[layout].start;
	struct vmm_cursor c = {.p = bytes + at - 2 * word, .end = bytes + length, .word = (uint8_t)word};
	struct vmm_cursor i = {.p = bytes + ints, .end = bytes + length, .word = (uint8_t)word};
	struct vmm_cursor s = {.p = bytes + start, .end = bytes + length, .word = (uint8_t)word};
	struct vmm_cursor t = {.p = bytes + start + layouts[layout].thp, .end = bytes + length, .word = (uint8_t)word};

	ret->thp_pagesize = 0;
	if (layouts[layout].thp && !vmm_cursor_word(&t, &ret->thp_pagesize))
		return false;
	return vmm_cursor_word(&c, &ret->mmapped) && vmm_cursor_word(&c, &ret->max_mmapped) && vmm_cursor_word(&c, &ret->sbrk_base) &&
	       vmm_cursor_word(&c, &ret->tcache_bins) && vmm_cursor_word(&c, &ret->tcache_max_bytes) &&
	       vmm_cursor_word(&c, &ret->tcache_count) && vmm_cursor_uint(&i, 4, &ret->n_mmaps) &&
	       vmm_cursor_uint(&i, 4, &ret->n_mmaps_max) && vmm_cursor_uint(&i, 4, &ret->max_n_mmaps) &&
	       vmm_cursor_uint(&i, 4, &ret->no_dyn_threshold) && vmm_cursor_word(&s, &ret->trim_threshold) &&
	       vmm_cursor_word(&s, &ret->top_pad) && vmm_cursor_word(&s, &ret->mmap_threshold) && vmm_cursor_word(&s, &ret->arena_test);
}

static bool plausible(const struct vmm_reading *r, const struct params_guess *g, bool drifts)
{
	uint64_t unit = drifts ? 2 * vmm_reading_word(r) : r->snapshot->target.page_size;

	return g->tcache_bins >= 1 && g->tcache_bins <= TCACHE_BINS_MAX && g->tcache_max_bytes >= 16 && g->tcache_max_bytes <= (4u << 20) + 16 &&
	       g->tcache_count <= 65535 && g->mmapped <= g->max_mmapped && g->mmapped % unit == 0 &&
	       g->n_mmaps <= g->max_n_mmaps && g->n_mmaps_max >= 1 && g->n_mmaps_max <= MMAPS_MAX && g->no_dyn_threshold <= 1 &&
	       (g->n_mmaps == 0 || g->mmapped) && (g->n_mmaps || drifts || !g->mmapped) && g->trim_threshold >= 4096 && g->mmap_threshold >= 4096 &&
	       g->top_pad < UINT64_C(1) << 40 && g->arena_test < 4096 &&
	       (g->sbrk_base == 0 || vmm_reading_writable(r, g->sbrk_base) || vmm_reading_writable(r, g->sbrk_base - 1));
}

bool glibc_find_params(const struct vmm_reading *r, const unsigned char *bytes, size_t length, struct glibc_params *ret)
{
	unsigned word = vmm_reading_word(r), hits = 0;

	for (size_t layout = 0; layout < ARRAY_LEN(layouts); layout++) {
		size_t before = (size_t)layouts[layout].ints + layouts[layout].start;

		for (size_t at = vmm_align_up(before, word); layouts[layout].word == word && at + 4 * word <= length; at += word) {
			struct params_guess g;

			/* tcache_bins is small and never 0: one byte tells most places apart. */
			if (bytes[at + word] == 0 || bytes[at + word] > TCACHE_BINS_MAX || bytes[at + word + 1] != 0)
				continue;
			if (!read_guess(bytes, length, at, layout, &g) || !plausible(r, &g, layouts[layout].drifts))
				continue;
			hits++;
			*ret = (struct glibc_params){.mmapped_bytes = g.mmapped, .mmapped_count = g.n_mmaps,
			                             .least_mapping = g.no_dyn_threshold ? g.mmap_threshold : DEFAULT_THRESHOLD,
			                             .drifts = layouts[layout].drifts, .sbrk_base = g.sbrk_base, .tcache_bins = g.tcache_bins,
			                             .tcache_count = g.tcache_count, .thp_pagesize = g.thp_pagesize};
		}
	}
	return hits == 1;
}

/* The search for chunks of one library. */
struct mmapped_search {
	struct vmm_reading *r;
	const struct glibc_params *p;
	unsigned word;
	uint64_t lead;         /* bytes before the header of one: on i386 only, where chunks are aligned to more than two words */
	bool since_2_43;
	uint64_t least;        /* bytes of a mapping that counts */
	bool inner;            /* look at second headers too */
	uint64_t bytes, count; /* found so far */
	uint32_t heap;
};

static uint64_t lead_of(const struct vmm_reading *r, const struct glibc_copy *copy)
{
	return glibc_alignment(r, &copy->heaps) - 2 * vmm_reading_word(r);
}

static bool adds_up(const struct glibc_params *p, uint64_t bytes, uint64_t count)
{
	return count == p->mmapped_count && (p->drifts ? bytes <= p->mmapped_bytes : bytes == p->mmapped_bytes);
}

static bool all_found(const struct mmapped_search *m)
{
	return m->bytes >= m->p->mmapped_bytes || m->count >= m->p->mmapped_count;
}

/* Bytes of the mapping whose header these two words are; 0 when they are none. The header of i386 stands 8 bytes in. */
static uint64_t mapping_of(const struct mmapped_search *m, uint64_t prev, uint64_t size)
{
	uint64_t page = m->r->snapshot->target.page_size, total;

	if ((size & FLAGS) != IS_MMAPPED || (m->since_2_43 ? prev & ~UINT64_C(1) : prev) != m->lead)
		return 0;
	total = m->lead + (size & ~(uint64_t)FLAGS) + (m->since_2_43 ? 2 * m->word : 0);
	return total >= page && total % page == 0 ? total : 0;
}

/*
 * Blocks that were asked for with an alignment have a second header, before an aligned address, with what lies before it
 * in the mapping in place of the previous chunk's size. The one at the start stays as it was, also when realloc() moves
 * the mapping: then only the second one tells its size. Bytes before it, 0 when there is none in [start, limit);
 * total 0: of any size, which *ret_total gets.
 */
static uint64_t inner_header(const struct mmapped_search *m, bool (*words_at)(void *arg, uint64_t address, uint64_t *ret_words),
                             void *arg, uint64_t start, uint64_t limit, uint64_t total, uint64_t *ret_total)
{
	uint64_t lead = m->lead, last = 0, page = m->r->snapshot->target.page_size;

	for (uint64_t to = 32; to < limit - start && to; to *= 2) {
		uint64_t user = vmm_align_up(start + lead + 2 * m->word, to), offset = user - 2 * m->word - start, words[2], found;

		if (offset == lead || offset == last || user >= limit)
			continue;
		last = offset;
		if (!words_at(arg, user - 2 * m->word, words) || (words[0] & ~UINT64_C(1)) != offset || (words[1] & FLAGS) != IS_MMAPPED)
			continue;
		found = offset + (words[1] & ~(uint64_t)FLAGS) + (m->since_2_43 ? 2 * m->word : 0);
		if (found % page == 0 && found > offset && (total ? found == total : found <= limit - start)) {
			*ret_total = found;
			return offset;
		}
	}
	return 0;
}

static bool reading_words_at(void *arg, uint64_t address, uint64_t *ret_words)
{
	return vmm_reading_words(arg, address, ret_words, 2);
}

static int add_chunk(struct mmapped_search *m, uint64_t start, uint64_t total, struct vmm_err *err)
{
	struct vmm_area area = {.start = start, .end = start + total, .heap = m->heap, .details = "glibc mmapped chunk"};

	m->bytes += total;
	m->count++;
	return vmm_reading_add_area(m->r, &area, err);
}

/* Looks at page starts of [start, end) that were read into bytes; *at is where the next header can stand. */
static int search_window(struct mmapped_search *m, const unsigned char *bytes, uint64_t start, uint64_t length, uint64_t end,
                         uint64_t *at, struct vmm_err *err)
{
	uint64_t page = m->r->snapshot->target.page_size, lead = m->lead;
	int rc = 0;

	while (rc == 0 && *at < start + length && !all_found(m)) {
		struct vmm_cursor c = {.p = bytes + (*at - start) + lead, .end = bytes + length, .word = (uint8_t)m->word};
		uint64_t prev, size, total = 0;

		if (vmm_cursor_word(&c, &prev) && vmm_cursor_word(&c, &size))
			total = mapping_of(m, prev, size);
		if (total && m->inner)
			inner_header(m, reading_words_at, m->r, *at, end, 0, &total);
		if (total && total >= m->least && total <= end - *at)
			rc = add_chunk(m, *at, total, err);
		else
			total = page;
		*at += total;
	}
	return rc;
}

static bool may_hold_chunks(const struct mmapped_search *m, const struct glibc_heaps *h, const struct vmm_vma *v)
{
	/* A sub-heap of an arena holds other chunks; each was found before, and begins on a border. */
	for (size_t i = 0; v->start % h->heap_max == 0 && i < m->r->area_count; i++)
		if (m->r->areas[i].start == v->start)
			return false;
	return v->backing == VMM_BACKING_ANON && !v->name[0] && v->end - v->start >= m->least &&
	       (v->prot & (VMM_PROT_READ | VMM_PROT_WRITE)) == (VMM_PROT_READ | VMM_PROT_WRITE) && !(v->vm_flags & VMM_VF(nr));
}

/* Chunks one after the other from the start of a mapping; *at is where they end. */
static int search_start(struct mmapped_search *m, const struct vmm_vma *v, uint64_t *at, struct vmm_err *err)
{
	uint64_t page = m->r->snapshot->target.page_size, before;
	unsigned char bytes[32];
	int rc = 0;

	do {
		before = *at;
		if (!vmm_reading_bytes(m->r, *at, bytes, sizeof(bytes)))
			break;
		rc = search_window(m, bytes, *at, sizeof(bytes), v->end, at, err);
	} while (rc == 0 && *at > before + page && *at < v->end && !all_found(m));
	/* The last look found no header and went on by a page. */
	return rc;
}

/* The rest of a mapping, window by window. */
static int search_inside(struct mmapped_search *m, const struct vmm_vma *v, uint64_t at, unsigned char *window, struct vmm_err *err)
{
	int rc = 0;

	while (rc == 0 && at < v->end && !all_found(m) && !m->r->denied && m->r->budget > WINDOW) {
		uint64_t start = at, length = vmm_min_u64(WINDOW, v->end - at);

		if (vmm_reading_bytes(m->r, start, window, length))
			rc = search_window(m, window, start, length, v->end, &at, err);
		else
			at += length;
	}
	return rc;
}

/* Starts of mappings first: that finds most, at the price of one look each. */
static int search_all(struct mmapped_search *m, uint64_t least, const struct glibc_heaps *h, struct vmm_err *err)
{
	const struct vmm_snapshot *s = m->r->snapshot;
	VMM_CLEANUP_FREE unsigned char *window = vmm_alloc_hook(NULL, WINDOW);
	VMM_CLEANUP_FREE uint64_t *reached = vmm_alloc_hook(NULL, s->vma_count * sizeof(*reached));
	int rc = 0;

	if (!window || !reached)
		return vmm_fail_nomem(err);
	m->least = least;
	for (uint32_t i = 0; i < s->vma_count && rc == 0 && !all_found(m); i++) {
		reached[i] = may_hold_chunks(m, h, &s->vmas[i]) ? s->vmas[i].start : s->vmas[i].end;
		if (reached[i] < s->vmas[i].end)
			rc = search_start(m, &s->vmas[i], &reached[i], err);
	}
	/* Small ones first: what may be read is not enough for all where a runtime keeps a heap, and those hold no chunks. */
	for (int large = 0; large < 2; large++)
		for (uint32_t i = 0; i < s->vma_count && rc == 0 && !all_found(m); i++)
			if ((s->vmas[i].end - s->vmas[i].start > LARGE) == large)
				rc = search_inside(m, &s->vmas[i], reached[i], window, err);
	return rc;
}

int glibc_add_mmapped(struct vmm_reading *r, struct glibc_copy *copy, struct vmm_err *err)
{
	const struct vmm_snapshot *s = r->snapshot;
	const struct glibc_params *p = &copy->params;
	struct vmm_heap heap = {.reader = "glibc",
	                        .label = copy->number ? "glibc mmapped chunks of another C library" : "glibc mmapped chunks"};
	struct mmapped_search m = {.r = r, .p = p, .word = vmm_reading_word(r), .lead = lead_of(r, copy),
	                           .since_2_43 = glibc_since_2_43(r, &copy->heaps)};
	struct glibc_heap *data = vmm_arena_alloc(s->arena, sizeof(*data));
	size_t areas = r->area_count;
	int rc;

	if (p->mmapped_count == 0)
		return 0;
	heap.id = vmm_arena_printf(s->arena, "glibc.%zu.mmapped", copy->number);
	if (!heap.id || !data)
		return vmm_fail_nomem(err);
	data->copy = copy;
	rc = vmm_reading_add_heap(r, &heap, data, &m.heap, err);
	if (rc == 0)
		rc = search_all(&m, p->least_mapping, &copy->heaps, err);
	if (rc == 0 && !all_found(&m)) {
		/* realloc() may have made some smaller than any that malloc() maps, and left headers behind. */
		r->area_count = areas;
		m.bytes = m.count = 0;
		m.inner = true;
		rc = search_all(&m, s->target.page_size, &copy->heaps, err);
	}
	if (rc == 0 && !adds_up(p, m.bytes, m.count)) {
		/* More than there are: some page only looked like a header. Fewer are shown: each has proved itself. */
		if (m.bytes > p->mmapped_bytes || m.count > p->mmapped_count)
			r->area_count = areas;
		vmm_snapshot_note(r->snapshot, "heaps", "unproved", 0,
		                  "%llu of %llu mmapped chunks of glibc were found, %llu of %llu bytes: the others show as Private Data",
		                  (unsigned long long)m.count, (unsigned long long)p->mmapped_count, (unsigned long long)m.bytes,
		                  (unsigned long long)p->mmapped_bytes);
	}
	return rc;
}

static bool walk_words_at(void *arg, uint64_t address, uint64_t *ret_words)
{
	return vmm_walk_words(arg, address, ret_words, 2);
}

void glibc_walk_mmapped(struct vmm_walk *w, const struct glibc_copy *copy)
{
	struct mmapped_search m = {.r = w->r, .word = vmm_reading_word(w->r), .lead = lead_of(w->r, copy),
	                           .since_2_43 = glibc_since_2_43(w->r, &copy->heaps)};
	uint64_t lead = m.lead, bytes = 0, count = 0, words[2];

	vmm_walk_trim(w, 0, 0); /* free() gives them back at once */
	for (const struct vmm_area *a = NULL; vmm_walk_next_area(w, &a);) {
		uint64_t total, offset = inner_header(&m, walk_words_at, w, a->start, a->end, a->end - a->start, &total);

		if (!offset && (!vmm_walk_words(w, a->start + lead, words, 2) || mapping_of(&m, words[0], words[1]) != a->end - a->start)) {
			vmm_walk_broken(w, a->start, "an mmapped chunk has gone");
			return;
		}
		/* Since 2.43 malloc_usable_size() leaves out the last word of such a chunk. */
		vmm_walk_chunk(w, a->start, a->end - a->start, (uint32_t)((offset ? offset : lead) + 2 * m.word),
		               m.since_2_43 ? m.word : 0, VMM_CHUNK_USED);
		bytes += a->end - a->start;
		count++;
	}
	if (!adds_up(&copy->params, bytes, count))
		vmm_walk_broken(w, 0, "mmapped chunks do not add up to what malloc counts");
}
