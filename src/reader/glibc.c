/*
 * glibc malloc: which memory belongs to which arena. glibc_walk.c walks the chunks.
 *
 * What is claimed is proved: the sizes of an arena's sub-heaps add up to the bytes that the arena says it got from
 * the system.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "reader/glibc.h"
#include "reader/walk.h"

#define RANGE_MAX (UINT64_C(16) << 20) /* a longer stretch of writable data is no C library's */
#define TLS_PIECE 12288                /* bytes below a thread descriptor that are searched for the thread's arena, */
#define TLS_PIECES 6                   /* so many pieces at most */
#define THREADS_NAMED 4
#define LOOKS 3

/* The arena that a piece of a thread's TLS names; 0: none. */
static uint64_t arena_in(struct vmm_reading *r, const struct glibc_heaps *h, uint64_t start, uint64_t end)
{
	unsigned char bytes[TLS_PIECE];
	unsigned word = vmm_reading_word(r);
	struct vmm_cursor c = {.p = bytes, .end = bytes + (end - start), .word = (uint8_t)word};
	uint64_t value = 0, found = 0;

	if (!vmm_reading_bytes(r, start, bytes, (size_t)(end - start)))
		return 0;
	while (vmm_cursor_word(&c, &value))
		for (size_t i = 0; value && i < h->count; i++)
			if (h->arenas[i].address == value) {
				/* The one nearest the descriptor is libc's, others are dead frames. */
				if (vmm_reading_tls_above(r))
					return value;
				found = value;
			}
	return found;
}

/* The same above the thread pointer. */
static uint64_t arena_above(struct vmm_reading *r, const struct glibc_heaps *h, uint64_t start, uint64_t limit)
{
	uint64_t found = 0;

	for (unsigned i = 0; i < TLS_PIECES && start < limit && !found; i++, start += TLS_PIECE)
		found = arena_in(r, h, start, start + vmm_align_down(vmm_min_u64(TLS_PIECE, limit - start), vmm_reading_word(r)));
	return found;
}

/*
 * The arena that a thread allocates from: a pointer to it lies in the thread's TLS, below its descriptor. The
 * program's own TLS lies between, so a large one is stepped over piece by piece.
 */
static uint64_t arena_of_thread(struct vmm_reading *r, const struct glibc_heaps *h, const struct vmm_thread *th)
{
	const struct vmm_vma *v = vmm_snapshot_vma_at(r->snapshot, th->descriptor);
	uint64_t end = vmm_align_down(th->descriptor, vmm_reading_word(r)), found = 0;

	if (v && vmm_reading_tls_above(r))
		return arena_above(r, h, end, v->end);
	for (unsigned i = 0; v && i < TLS_PIECES && end > v->start && !found; i++) {
		uint64_t start = end - v->start > TLS_PIECE ? end - TLS_PIECE : vmm_align_up(v->start, vmm_reading_word(r));

		found = arena_in(r, h, start, end);
		end = start;
	}
	return found;
}

/* "text, more"; NULL when memory is out. */
static const char *add_text(struct vmm_arena *arena, const char *text, const char *more)
{
	return more ? vmm_arena_printf(arena, "%s, %s", text, more) : NULL;
}

/* `, thread 12 "worker", thread 13 "io" and 3 more`; "" where no thread is known, NULL when memory is out. */
static const char *threads_of(struct vmm_reading *r, const uint64_t *arena_of, const struct glibc_arena *a)
{
	const struct vmm_snapshot *s = r->snapshot;
	const char *text = "";
	unsigned count = 0;

	for (uint32_t i = 0; i < s->thread_count && text; i++)
		if (arena_of[i] == a->address && count++ < THREADS_NAMED)
			text = add_text(s->arena, text, vmm_thread_text(s->arena, &s->threads[i]));
	if (text && count > THREADS_NAMED)
		text = vmm_arena_printf(s->arena, "%s and %u more", text, count - THREADS_NAMED);
	return text;
}

/* Adds a border; where the one before is no lower, nothing lies between them and the later one stands alone. */
static void add_cut(struct vmm_area *area, uint64_t address, const char *label)
{
	while (area->cut_count && area->cuts[area->cut_count - 1].address >= address)
		area->cut_count--;
	if (address < area->end)
		area->cuts[area->cut_count++] = (struct vmm_area_cut){address, label};
}

/* The headers of a sub-heap; its first chunk follows. */
static uint64_t least_size(const struct glibc_heaps *h, const struct glibc_arena *a, uint64_t start, uint64_t align)
{
	return a->address == start + h->heap_info ? vmm_align_up(a->end, align) - start : h->heap_info;
}

/* One sub-heap: header, chunks, top, and what is reserved above them. */
static int add_sub_heap(struct vmm_reading *r, const struct glibc_heaps *h, const struct glibc_arena *a, uint32_t heap,
                        uint64_t start, uint64_t size, const char *label, struct vmm_err *err)
{
	struct vmm_area area = {.start = start, .end = start + h->heap_max, .heap = heap, .details = label};
	uint64_t chunks = start + least_size(h, a, start, 2 * vmm_reading_word(r));

	add_cut(&area, start, a->address == start + h->heap_info ? "arena header" : "heap header");
	add_cut(&area, chunks, "chunks");
	if (a->top > chunks && a->top < start + size)
		add_cut(&area, a->top, "top");
	add_cut(&area, start + size, "reserved");
	return vmm_reading_add_area(r, &area, err);
}

/* Follows an arena's sub-heaps from the newest; *ret_sum: their bytes, 0 when the chain breaks. */
static int add_chain(struct vmm_reading *r, const struct glibc_heaps *h, const struct glibc_arena *a, uint32_t heap,
                     const char *label, uint64_t *ret_sum, struct vmm_err *err)
{
	uint64_t at = a->top & ~(h->heap_max - 1), align = 2 * vmm_reading_word(r), words[4];
	int rc = 0;

	*ret_sum = 0;
	/* Each sub-heap has mappings of its own: a longer chain runs in a circle. */
	for (uint32_t n = 0; at && rc == 0 && n < r->snapshot->vma_count; n++, at = words[1]) {
		if (at % h->heap_max || !vmm_reading_words(r, at, words, ARRAY_LEN(words)) || words[0] != a->address ||
		    words[2] > words[3] || words[3] > h->heap_max || words[2] <= least_size(h, a, at, align)) {
			*ret_sum = 0;
			return 0;
		}
		*ret_sum += words[2];
		rc = add_sub_heap(r, h, a, heap, at, words[2], label, err);
	}
	return rc;
}

/*
 * Where the main arena begins: as many bytes below the end of its top as it got from the system. What lies before or
 * behind came from sbrk() by other hands: a static program's thread-local data. 0: it is not one piece.
 */
static uint64_t main_start(struct vmm_reading *r, const struct glibc_copy *copy, const struct glibc_arena *a,
                           const struct vmm_area *area, uint64_t *ret_end)
{
	uint64_t word = vmm_reading_word(r), size, end;

	if (!vmm_reading_words(r, a->top + word, &size, 1))
		return 0;
	end = vmm_add_sat(a->top, size & ~UINT64_C(7));
	if (end > area->end || a->system_mem > end - area->start || end - a->system_mem > a->top)
		return 0;
	*ret_end = end;
	return end == area->end || (copy->params_known && copy->params.sbrk_base == end - a->system_mem) ? end - a->system_mem : 0;
}

/* The stretch of brk heap around address; false: none is there. */
static bool brk_around(const struct vmm_snapshot *s, uint64_t address, uint64_t *ret_start, uint64_t *ret_end)
{
	const struct vmm_vma *first = vmm_snapshot_vma_at(s, address), *last = first;

	if (!first || !vmm_vma_is_brk(first))
		return false;
	while (first > s->vmas && vmm_vma_is_brk(first - 1) && first[-1].end == first->start)
		first--;
	while (last + 1 < s->vmas + s->vma_count && vmm_vma_is_brk(last + 1) && last[1].start == last->end)
		last++;
	*ret_start = first->start;
	*ret_end = last->end;
	/* It may have been joined with the .bss of the program before it: qemu does that. */
	for (uint32_t i = 0; i < s->module_count; i++)
		if (s->modules[i].end > *ret_start && s->modules[i].end <= address)
			*ret_start = s->modules[i].end;
	return true;
}

/* The main arena's memory is the brk heap, unless something stood in its way: then segments of it are elsewhere. */
static int add_main(struct vmm_reading *r, const struct glibc_copy *copy, const struct glibc_arena *a, uint32_t heap,
                    const char *label, struct vmm_err *err)
{
	struct vmm_area area = {.heap = heap, .details = label};
	uint64_t start, end = 0;

	if (!brk_around(r->snapshot, a->top, &area.start, &area.end) || !(start = main_start(r, copy, a, &area, &end)))
		return glibc_add_segments(r, copy, a, heap, label, err);
	add_cut(&area, area.start, "not malloc's");
	add_cut(&area, start, "chunks");
	add_cut(&area, a->top, "top");
	add_cut(&area, end, "not malloc's");
	return vmm_reading_add_area(r, &area, err);
}

/* Adds the areas of one arena and holds them against what it got from the system; a live target may need a second look. */
static int add_areas(struct vmm_reading *r, const struct glibc_heaps *h, struct glibc_arena *a, uint32_t heap, const char *label,
                     struct vmm_err *err)
{
	size_t areas = r->area_count;
	uint64_t sum = 0;

	for (int i = 0; i < LOOKS; i++) {
		int rc = add_chain(r, h, a, heap, label, &sum, err);

		if (rc < 0 || sum == a->system_mem)
			return rc;
		r->area_count = areas;
		if (!glibc_read_arena(r, a))
			break;
	}
	vmm_snapshot_note(r->snapshot, "heaps", "unproved", a->address,
	                  "sub-heaps of a glibc arena do not add up to what it got from the system: they show as Private Data");
	return 0;
}

/* The threads that allocate from an arena. */
static bool list_threads(struct vmm_reading *r, const uint64_t *arena_of, const struct glibc_arena *a, struct vmm_heap *heap)
{
	const struct vmm_snapshot *s = r->snapshot;
	uint32_t *threads, count = 0;

	for (uint32_t i = 0; i < s->thread_count; i++)
		count += arena_of[i] == a->address;
	threads = vmm_arena_array(s->arena, count + 1, sizeof(*threads));
	if (!threads)
		return false;
	heap->threads = threads;
	for (uint32_t i = 0; i < s->thread_count; i++)
		if (arena_of[i] == a->address)
			threads[heap->thread_count++] = i;
	return true;
}

static int add_arena(struct vmm_reading *r, struct glibc_copy *copy, size_t number, const uint64_t *arena_of,
                     struct vmm_err *err)
{
	struct vmm_arena *arena = r->snapshot->arena;
	const struct glibc_heaps *h = &copy->heaps;
	struct glibc_arena *a = &h->arenas[number];
	/* Where there is just one arena it is everybody's: not worth saying. */
	const char *threads = h->count > 1 ? threads_of(r, arena_of, a) : "", *of = copy->number ? " of another C library" : "";
	struct vmm_heap heap = {.reader = "glibc", .id = vmm_arena_printf(arena, "glibc.%zu.%zu", copy->number, number)};
	struct glibc_heap *data = vmm_arena_alloc(arena, sizeof(*data));
	uint32_t index;
	int rc;

	if (!threads || !heap.id || !data || !list_threads(r, arena_of, a, &heap))
		return vmm_fail_nomem(err);
	*data = (struct glibc_heap){copy, a};
	heap.label = a->main ? vmm_arena_printf(arena, "glibc main arena%s%s", of, threads)
	                     : vmm_arena_printf(arena, "glibc arena %zu%s%s", number, of, threads);
	if (!heap.label)
		return vmm_fail_nomem(err);
	rc = vmm_reading_add_heap(r, &heap, data, &index, err);
	if (rc < 0)
		return rc;
	return a->main ? add_main(r, copy, a, index, heap.label, err) : add_areas(r, h, a, index, heap.label, err);
}

static int add_heaps(struct vmm_reading *r, struct glibc_copy *copy, struct vmm_err *err)
{
	const struct vmm_snapshot *s = r->snapshot;
	const struct glibc_heaps *h = &copy->heaps;
	uint64_t *arena_of = vmm_arena_array(s->arena, s->thread_count + 1, sizeof(*arena_of));
	int rc = 0;

	if (!arena_of)
		return vmm_fail_nomem(err);
	for (uint32_t i = 0; i < s->thread_count; i++)
		if (s->threads[i].descriptor)
			arena_of[i] = h->count > 1 ? arena_of_thread(r, h, &s->threads[i]) : h->arenas[0].address;
	for (size_t i = 0; i < h->count && rc == 0; i++)
		/* An arena that never got memory: another allocator serves this process. */
		if (h->arenas[i].system_mem)
			rc = add_arena(r, copy, i, arena_of, err);
	return rc;
}

/* Takes over one library that was found; its arenas move into the snapshot's arena. */
static int add_copy(struct vmm_reading *r, const struct glibc_heaps *h, const struct glibc_params *params, size_t number,
                    struct vmm_err *err)
{
	struct glibc_copy *copy = vmm_arena_alloc(r->snapshot->arena, sizeof(*copy));
	struct glibc_arena *arenas = vmm_arena_adopt(r->snapshot->arena, h->arenas, h->count, sizeof(*h->arenas));
	int rc;

	if (!copy || !arenas)
		return vmm_fail_nomem(err);
	*copy = (struct glibc_copy){.heaps = *h, .number = number, .params_known = params != NULL};
	copy->heaps.arenas = arenas;
	if (params)
		copy->params = *params;
	rc = add_heaps(r, copy, err);
	return rc == 0 && params ? glibc_add_mmapped(r, copy, err) : rc;
}

/* Looks through one stretch of writable data; adds every main arena in it. */
static int search_range(struct vmm_reading *r, uint64_t start, uint64_t end, size_t *copies, struct vmm_err *err)
{
	VMM_CLEANUP_FREE unsigned char *bytes = NULL;
	size_t length = (size_t)(end - start), at = 0;
	struct glibc_params params;
	bool known;
	int rc = 0;

	if (end - start > RANGE_MAX)
		return 0;
	bytes = vmm_alloc_hook(NULL, length);
	if (!bytes)
		return vmm_fail_nomem(err);
	if (!vmm_reading_bytes(r, start, bytes, length))
		return 0;
	for (uint64_t bins; rc == 0 && (bins = glibc_find_bins(r, bytes, length, start, &at));) {
		struct glibc_heaps h;

		if (!glibc_close_ring(r, bins, &h))
			continue;
		known = glibc_find_params(r, bytes, length, &params);
		rc = add_copy(r, &h, known ? &params : NULL, *copies, err);
		++*copies;
	}
	return rc;
}

static bool named_libc(const char *path)
{
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	return strncmp(base, "libc", 4) == 0 && strstr(base, ".so");
}

static int search_objects(struct vmm_reading *r, bool libc_only, size_t *copies, struct vmm_err *err)
{
	const struct vmm_snapshot *s = r->snapshot;
	int rc = 0;

	for (uint32_t i = 0; i < s->vma_count && rc == 0; i++) {
		const struct vmm_vma *v = &s->vmas[i];

		if (v->backing == VMM_BACKING_FILE && (v->prot & (VMM_PROT_WRITE | VMM_PROT_SHARED)) == VMM_PROT_WRITE &&
		    named_libc(v->name) == libc_only)
			rc = search_range(r, v->start, vmm_reading_data_end(s, i), copies, err);
	}
	return rc;
}

/*
 * Of a core without NT_FILE, as qemu writes them, nobody knows which mappings are of files: any writable memory may be a
 * library's data. The brk heap and stacks are too, and hold no main arena.
 */
static int search_nameless(struct vmm_reading *r, size_t *copies, struct vmm_err *err)
{
	const struct vmm_snapshot *s = r->snapshot;
	int rc = 0;

	for (uint32_t i = 0; i < s->vma_count; i++)
		if (s->vmas[i].backing == VMM_BACKING_FILE)
			return 0;
	for (uint32_t i = 0; i < s->vma_count && rc == 0; i++) {
		const struct vmm_vma *v = &s->vmas[i];

		if (v->backing == VMM_BACKING_ANON && (v->prot & (VMM_PROT_WRITE | VMM_PROT_SHARED)) == VMM_PROT_WRITE && !v->name[0])
			rc = search_range(r, v->start, v->end, copies, err);
	}
	return rc;
}

/* A C library is found by its name first, since that is cheap; static programs and renamed libraries by their data. */
static int glibc_detect(struct vmm_reading *r, struct vmm_err *err)
{
	size_t copies = 0;
	int rc = search_objects(r, true, &copies, err);

	if (rc == 0 && copies == 0)
		rc = search_objects(r, false, &copies, err);
	if (rc == 0 && copies == 0 && r->target->unnamed)
		rc = search_nameless(r, &copies, err);
	for (size_t i = 0; i < r->heap_count && copies > 1; i++)
		if (r->heaps[i].reader == r->running)
			((struct glibc_heap *)r->heaps[i].data)->copy->several = true;
	return rc;
}

static int glibc_walk(struct vmm_walk *w, void *data, struct vmm_err *err)
{
	const struct glibc_heap *h = data;

	if (h->arena)
		return glibc_walk_arena(w, h->copy, h->arena, err);
	glibc_walk_mmapped(w, h->copy);
	return 0;
}

const struct vmm_reader_ops vmm_reader_glibc = {
	.id = "glibc",
	.help = "malloc of the GNU C library 2.26 to 2.43",
	.detect = glibc_detect,
	.walk = glibc_walk,
};
