/*
 * jemalloc: which memory belongs to which arena. The page map is read once from end to end; what it says of an extent
 * counts where the extent says the same of itself.
 */
#include "reader/jemalloc.h"

#include <stdlib.h>

#include "base/search.h"
#define LOOKS 3
#define LEAVES_MAX 4096 /* of one copy: 4 TiB of addresses */
#define BLOCKS_MAX 65536 /* places of base blocks looked at */
#define MAPPED_MAX (UINT64_C(256) << 30) /* heaps larger than this get no more reading */
#define SCALE 32 /* mapped bytes for each byte of metadata that may be read: extents are a page and more, and take 136 bytes */

/* Neighbouring extents of one arena. */
struct run {
	uint64_t start, end;
	uint32_t arena; /* VMM_NONE: a base block */
	uint32_t owner; /* of a base block: its arena, VMM_NONE where that is not known */
};

struct runs {
	struct jemalloc *copy;
	struct jemalloc_cache *cache;
	struct run *run;
	size_t count, capacity;
	bool offset, padded, unpadded; /* what large blocks look like */
	bool lost[JEMALLOC_ARENAS], lost_all; /* arenas of which some extents cannot be told */
	uint64_t lost_at;
	bool cut; /* reading came to its bounds */
};

static bool add_run(struct runs *u, const struct run *add)
{
	struct run *last = u->count ? &u->run[u->count - 1] : NULL;

	if (last && last->arena == add->arena && last->end == add->start && add->arena != VMM_NONE) {
		last->end = add->end;
		return true;
	}
	if (!vmm_grow(&u->run, &u->capacity, u->count + 1, sizeof(*u->run)))
		return false;
	u->run[u->count++] = *add;
	return true;
}

/* Large blocks tell whether each has a page more than it needs: they begin anywhere in their first page then. */
static void judge_large(struct runs *u, const struct jemalloc_extent *x)
{
	uint64_t size = jemalloc_class_size(x->class);

	if (x->state != JEMALLOC_ACTIVE || x->slab || x->class < JEMALLOC_BINS)
		return;
	if (x->address % JEMALLOC_PAGE)
		u->offset = true;
	else if (size + JEMALLOC_PAGE == x->size)
		u->padded = true;
	else if (size == x->size)
		u->unpadded = true;
}

/* Extents of an arena, of all arenas with VMM_NONE, cannot be told: what is told of them is not whole. */
static void lose(struct runs *u, uint32_t arena, uint64_t page)
{
	if (u->lost_all || (arena != VMM_NONE && u->lost[arena]))
		return;
	u->lost_at = u->lost_at ? u->lost_at : page;
	if (arena == VMM_NONE)
		u->lost_all = true;
	else
		u->lost[arena] = true;
}

/* Whether anything is mapped in [start, end). */
static bool touches(const struct vmm_snapshot *s, uint64_t start, uint64_t end)
{
	size_t i = VMM_FIRST_ABOVE(s->vmas, s->vma_count, end, start);

	return i < s->vma_count && s->vmas[i].start < end;
}

/* One word of a leaf: false when memory is out. */
static bool take_word(struct vmm_reading *r, struct runs *u, uint64_t page, uint64_t word, uint64_t *end)
{
	uint64_t at = jemalloc_extent_of(u->copy, word), words[JEMALLOC_EXTENT_WORDS];
	struct jemalloc_extent x;

	if (!at || page < *end)
		return true;
	if (!jemalloc_cache_words(u->cache, r, at, words, JEMALLOC_EXTENT_WORDS)) {
		lose(u, VMM_NONE, page);
		return true;
	}
	jemalloc_decode(u->copy, words, &x);
	if ((x.address & ~(JEMALLOC_PAGE - 1)) != page || x.size == 0 || x.size > (UINT64_C(1) << 47) - page) {
		lose(u, VMM_NONE, page);
		return true;
	}
	*end = page + x.size;
	if (!jemalloc_mapped(r->snapshot, page, *end)) {
		/* What was mapped after the map was read is no part of this snapshot. */
		if (touches(r->snapshot, page, *end))
			lose(u, x.arena, page);
		return true;
	}
	if (x.state >= JEMALLOC_STATES) {
		lose(u, x.arena, page);
		return true;
	}
	judge_large(u, &x);
	return add_run(u, &(struct run){page, *end, x.arena, VMM_NONE});
}

/* Which pages of a table are there: most of it was never touched. */
struct table {
	uint64_t start;                                     /* of its first page */
	bool present[JEMALLOC_LEAF_BYTES / JEMALLOC_PAGE + 1]; /* a table need not begin with a page */
	bool swapped;
};

static int note_pages(void *arg, const struct vmm_page_run *run)
{
	struct table *t = arg;

	t->swapped = t->swapped || run->what & VMM_PAGE_SWAPPED;
	for (uint64_t i = 0; i < ARRAY_LEN(t->present) && run->what & VMM_PAGE_PRESENT; i++)
		t->present[i] = t->present[i] || (t->start + i * JEMALLOC_PAGE >= run->start && t->start + i * JEMALLOC_PAGE < run->end);
	return 0;
}

/* Looks at the pages of the table at address. What swapped ones hold is lost: reading would bring them back. */
static void look_at_table(struct vmm_reading *r, struct runs *u, uint64_t address, uint64_t place, struct table *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->start = vmm_align_down(address, JEMALLOC_PAGE);
	if (r->target->ops->pages(r->target, ret->start, vmm_align_up(address + JEMALLOC_LEAF_BYTES, JEMALLOC_PAGE), 0, note_pages, ret,
	                          NULL) < 0 || ret->swapped)
		lose(u, VMM_NONE, place);
}

/*
 * The n-th page's part of the table at address: its words, of which the first has number *ret_first. Returns how many
 * there are; 0 when there is nothing.
 */
static uint64_t read_part(struct vmm_reading *r, struct runs *u, const struct table *t, uint64_t address, size_t n,
                          uint64_t words[JEMALLOC_PAGE / 8], uint64_t *ret_first)
{
	uint64_t start = vmm_max_u64(t->start + n * JEMALLOC_PAGE, address);
	uint64_t end = vmm_min_u64(t->start + (n + 1) * JEMALLOC_PAGE, address + JEMALLOC_LEAF_BYTES);

	if (!t->present[n] || start >= end)
		return 0;
	*ret_first = (start - address) / 8;
	if (!vmm_reading_bytes(r, start, words, (size_t)(end - start))) {
		lose(u, VMM_NONE, start);
		return 0;
	}
	return (end - start) / 8;
}

/* Reads the k-th leaf, at address. */
static int read_leaf(struct vmm_reading *r, struct runs *u, uint64_t k, uint64_t address, uint64_t *end, struct vmm_err *err)
{
	struct table table;
	uint64_t words[JEMALLOC_PAGE / 8], first = 0;

	look_at_table(r, u, address, k << 30, &table);
	for (size_t n = 0; n < ARRAY_LEN(table.present); n++) {
		uint64_t count = read_part(r, u, &table, address, n, words, &first);

		for (uint64_t i = 0; i < count; i++)
			if (words[i] && !take_word(r, u, k << 30 | (first + i) << 12, words[i], end))
				return vmm_fail_nomem(err);
	}
	return 0;
}

/* Reads the whole map into u. */
static int read_leaves(struct vmm_reading *r, struct runs *u, struct vmm_err *err)
{
	struct table table;
	uint64_t words[JEMALLOC_PAGE / 8], first = 0, end = 0;
	unsigned leaves = 0;
	int rc = 0;

	look_at_table(r, u, u->copy->root, u->copy->root, &table);
	for (size_t n = 0; n < ARRAY_LEN(table.present) && rc == 0; n++) {
		uint64_t count = read_part(r, u, &table, u->copy->root, n, words, &first);

		for (uint64_t i = 0; i < count && rc == 0; i++) {
			uint64_t k = first + i;

			if (!words[i] || k >= JEMALLOC_SLOTS / 2) /* the upper half is the kernel's */
				continue;
			if (leaves++ == LEAVES_MAX || r->budget < JEMALLOC_LEAF_BYTES) {
				u->cut = u->lost_all = true;
				return 0;
			}
			if (words[i] % 64 || !jemalloc_mapped(r->snapshot, words[i], vmm_add_sat(words[i], JEMALLOC_LEAF_BYTES)))
				lose(u, VMM_NONE, k << 30);
			else
				rc = read_leaf(r, u, k, words[i], &end, err);
		}
	}
	return rc;
}

/* Reads all of the page map; a live target may need a second look. */
static int read_extents(struct vmm_reading *r, struct runs *u, struct vmm_err *err)
{
	int rc = 0;

	for (int look = 0; look < LOOKS && rc == 0; look++) {
		u->count = 0;
		u->offset = u->padded = u->unpadded = u->lost_all = false;
		u->lost_at = 0;
		memset(u->lost, 0, sizeof(u->lost));
		jemalloc_cache_forget(u->cache);
		rc = read_leaves(r, u, err);
		if (!u->lost_at || u->cut)
			break;
	}
	u->copy->large_pad = u->offset || u->padded || !u->unpadded;
	return rc;
}

/* The first run that ends above address. */
static size_t run_above(const struct runs *u, size_t count, uint64_t address)
{
	return VMM_FIRST_ABOVE(u->run, count, end, address);
}

/* Looks for base blocks, which stand in no page map, wherever one can begin. */
static int read_blocks(struct vmm_reading *r, struct runs *u, struct vmm_err *err)
{
	const struct vmm_snapshot *s = r->snapshot;
	size_t extents = u->count;
	unsigned looks = 0;

	for (uint32_t i = 0; i < s->vma_count; i++) {
		const struct vmm_vma *v = &s->vmas[i];
		uint64_t at = vmm_align_up(v->start, JEMALLOC_BLOCK);

		if (v->backing != VMM_BACKING_ANON || !vmm_reading_writable(r, v->start))
			continue;
		while (at < v->end && v->end - at >= JEMALLOC_PAGE && looks < BLOCKS_MAX) {
			struct run add = {at, at, VMM_NONE, VMM_NONE};
			uint64_t words[JEMALLOC_BLOCK_WORDS], size, unused;
			size_t k = run_above(u, extents, at);

			if (k < extents && u->run[k].start <= at) {
				at = vmm_align_up(u->run[k].end, JEMALLOC_BLOCK);
				continue;
			}
			looks++;
			if (!vmm_reading_words(r, at, words, JEMALLOC_BLOCK_WORDS) || !jemalloc_base_block(at, words, &size, &unused, &add.owner) ||
			    !jemalloc_mapped(s, at, at + size) || (k < extents && u->run[k].start < at + size)) {
				at += JEMALLOC_BLOCK;
				continue;
			}
			add.end = at += size;
			if (!add_run(u, &add))
				return vmm_fail_nomem(err);
		}
	}
	return 0;
}

static int add_heap(struct vmm_reading *r, const struct runs *u, size_t copy, uint32_t arena, uint32_t *ret_heap, struct vmm_err *err)
{
	struct vmm_arena *memory = r->snapshot->arena;
	struct jemalloc_heap *data = vmm_arena_alloc(memory, sizeof(*data));
	struct vmm_heap heap = {.reader = "jemalloc"};
	const char *threads;

	if (arena == VMM_NONE) {
		heap.id = vmm_arena_printf(memory, "jemalloc.%zu.metadata", copy);
		heap.label = "jemalloc metadata";
	} else if (jemalloc_threads_of(r->snapshot, u->copy, arena, &heap, &threads)) {
		heap.id = vmm_arena_printf(memory, "jemalloc.%zu.%u", copy, arena);
		heap.label = vmm_arena_printf(memory, "jemalloc arena %u%s%s", arena, copy ? " of another copy" : "", threads);
	}
	if (!data || !heap.id || !heap.label)
		return vmm_fail_nomem(err);
	*data = (struct jemalloc_heap){.copy = u->copy, .arena = arena, .lost_at = u->lost_at};
	data->incomplete = arena != VMM_NONE && (u->lost_all || u->lost[arena]);
	return vmm_reading_add_heap(r, &heap, data, ret_heap, err);
}

static int add_areas(struct vmm_reading *r, const struct runs *u, size_t copy, struct vmm_err *err)
{
	VMM_CLEANUP_FREE uint32_t *heap_of = vmm_alloc_hook(NULL, (JEMALLOC_ARENAS + 1) * sizeof(*heap_of));
	int rc = 0;

	if (!heap_of)
		return vmm_fail_nomem(err);
	memset(heap_of, 0xff, (JEMALLOC_ARENAS + 1) * sizeof(*heap_of));
	for (size_t i = 0; i < u->count && rc == 0; i++) {
		const struct run *run = &u->run[i];
		uint32_t *heap = &heap_of[run->arena == VMM_NONE ? JEMALLOC_ARENAS : run->arena];
		struct vmm_area area = {.start = run->start, .end = run->end};

		if (*heap == VMM_NONE)
			rc = add_heap(r, u, copy, run->arena, heap, err);
		if (rc < 0)
			break;
		area.heap = *heap;
		area.details = r->heaps[*heap].heap.label;
		if (run->owner != VMM_NONE) {
			area.details = vmm_arena_printf(r->snapshot->arena, "jemalloc metadata of arena %u", run->owner);
			if (!area.details)
				return vmm_fail_nomem(err);
		}
		rc = vmm_reading_add_area(r, &area, err);
	}
	return rc;
}

/* Tells which arena each thread allocates from: its arena_t stands in the first block of the arena's metadata. */
static int read_threads(struct vmm_reading *r, struct runs *u, struct vmm_err *err)
{
	int rc = jemalloc_find_tcaches(r, u->copy, err);

	for (uint32_t i = 0; i < u->copy->tcache_count && rc == 0; i++) {
		struct jemalloc_tcache *t = &u->copy->tcaches[i];

		t->arena_number = VMM_NONE;
		for (size_t k = 0; k < u->count; k++)
			if (u->run[k].arena == VMM_NONE && t->arena >= u->run[k].start && t->arena < u->run[k].end)
				t->arena_number = u->run[k].owner;
	}
	return rc;
}

static void note_gaps(struct vmm_reading *r, const struct runs *u)
{
	if (u->cut)
		vmm_snapshot_note(r->snapshot, "heaps", "unproved", 0,
		                  "jemalloc's map of its pages is larger than may be read: some of its memory shows as Private Data");
	else if (u->lost_at)
		vmm_snapshot_note(r->snapshot, "heaps", "unproved", u->lost_at,
		                  "jemalloc's map of its pages changed while it was read: some of its memory shows as Private Data");
}

static int read_copy(struct vmm_reading *r, struct jemalloc_cache *c, const struct jemalloc *found, size_t number, struct vmm_err *err)
{
	struct runs u = {.copy = vmm_arena_alloc(r->snapshot->arena, sizeof(*u.copy)), .cache = c};
	uint64_t budget = r->budget, mapped = 0, extra;
	int rc;

	if (!u.copy)
		return vmm_fail_nomem(err);
	*u.copy = *found;
	for (uint32_t i = 0; i < r->snapshot->vma_count; i++)
		if (r->snapshot->vmas[i].backing == VMM_BACKING_ANON)
			mapped = vmm_add_sat(mapped, r->snapshot->vmas[i].end - r->snapshot->vmas[i].start);
	/* Metadata grows with the heap: what is proved to be jemalloc's may be read in proportion. */
	extra = vmm_min_u64(mapped, MAPPED_MAX) / SCALE;
	r->budget += extra;
	rc = read_extents(r, &u, err);
	if (rc == 0)
		rc = read_blocks(r, &u, err);
	if (rc == 0)
		rc = read_threads(r, &u, err);
	r->budget = vmm_min_u64(budget, r->budget);
	if (rc == 0)
		rc = add_areas(r, &u, number, err);
	if (rc == 0)
		note_gaps(r, &u);
	free(u.run);
	return rc;
}

/* Only objects with data of 2 MiB and more can hold a root: most processes have none. */
static int jemalloc_detect(struct vmm_reading *r, struct vmm_err *err)
{
	const struct vmm_snapshot *s = r->snapshot;
	struct jemalloc_cache *c = NULL;
	size_t copies = 0;
	int rc = 0;

	for (uint32_t i = 0; i < s->vma_count && rc == 0 && s->target.bits == 64; i++) {
		const struct vmm_vma *v = &s->vmas[i];
		struct jemalloc found;
		uint64_t end;

		if (v->backing != VMM_BACKING_FILE || (v->prot & (VMM_PROT_WRITE | VMM_PROT_SHARED)) != VMM_PROT_WRITE)
			continue;
		end = vmm_reading_data_end(s, i);
		if (end - v->start < JEMALLOC_LEAF_BYTES)
			continue;
		if (!c && !(c = jemalloc_cache_create()))
			return vmm_fail_nomem(err);
		rc = jemalloc_find(r, c, v->start, end, &found, err);
		if (rc == 1)
			rc = read_copy(r, c, &found, copies++, err);
	}
	jemalloc_cache_destroy(c);
	return rc;
}

const struct vmm_reader_ops vmm_reader_jemalloc = {
	.id = "jemalloc",
	.help = "jemalloc 5.2.1 to 5.3.1: the extents of its arenas, every block in them, and its metadata",
	.detect = jemalloc_detect,
	.walk = jemalloc_walk,
};
