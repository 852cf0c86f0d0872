/*
 * Strings of a target: present pages are read window by window and searched; what is found is kept in a batch of bounded
 * size, in which the heaps' chunks look for theirs, and handed out by rising address.
 */
#include "vmmap/strings.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/search.h"
#include "format/strings.h"
#include "model/build.h"
#include "model/target.h"

#define WINDOW_BYTES ((size_t)256 << 10)
#define RUNS_MAX 1024
#define BATCH_STRINGS ((size_t)512 << 10)
#define BATCH_TEXT ((size_t)32 << 20)
#define STOPPED 1 /* --top is reached: not an error */

static const char *const encoding_ids[VMM_ENCODING_COUNT] = {"ascii", "utf8", "utf16"};

const char *vmm_encoding_id(enum vmm_encoding encoding)
{
	return (unsigned)encoding < VMM_ENCODING_COUNT ? encoding_ids[encoding] : "";
}

enum vmm_encoding vmm_encoding_find(const char *id, size_t length)
{
	for (int i = 0; i < VMM_ENCODING_COUNT; i++)
		if (strlen(encoding_ids[i]) == length && memcmp(encoding_ids[i], id, length) == 0)
			return (enum vmm_encoding)i;
	return VMM_ENCODING_COUNT;
}

/* A string of the batch. */
struct record {
	uint64_t address, length;
	uint32_t text; /* its place in the batch's texts */
	uint32_t region;
	uint16_t text_length;
	uint8_t encoding;
	bool cut, owned;
	struct vmm_chunk owner;
};

struct search {
	struct vmm_target *t;
	const struct vmm_snapshot *s;
	const struct vmm_strings_query *q;
	struct vmm_strings_sums *sums;
	struct vmm_err *err;
	struct vmm_strings *finder;
	uint32_t region; /* under way */

	struct vmm_page_run runs[RUNS_MAX]; /* of the mapping under way */
	size_t run_count;

	struct record *records;
	size_t count, capacity;
	char *texts;
	size_t text_used, text_capacity;
	bool in_heaps;     /* some record lies in a heap */
	uint64_t told;     /* strings that found() got */
	size_t cursor;     /* where the last chunk's strings ended */
	int failed;        /* what found() returned, or why a string could not be kept */
	bool gone;         /* the target: its heaps cannot be walked */
	unsigned char window[WINDOW_BYTES];
};

static bool in_heap(const struct search *k, const struct record *r)
{
	return k->s->regions[r->region].heap < k->s->heap_count;
}

/* The string of a record; its text is in the batch. */
static struct vmm_string string_of(const struct search *k, const struct record *r)
{
	return (struct vmm_string){.address = r->address,
	                           .length = r->length,
	                           .encoding = (enum vmm_encoding)r->encoding,
	                           .cut = r->cut,
	                           .text = k->texts + r->text,
	                           .region = &k->s->regions[r->region],
	                           .owned = r->owned,
	                           .owner = r->owner};
}

/* Keeps what the finder found. */
static int keep(void *arg, const struct vmm_strings_hit *hit)
{
	struct search *k = arg;
	struct record r = {.address = hit->address, .length = hit->length, .text = (uint32_t)k->text_used, .region = k->region,
	                   .text_length = (uint16_t)hit->text_length, .encoding = (uint8_t)hit->encoding, .cut = hit->cut};
	struct vmm_string string;

	if (k->q->wanted) {
		string = string_of(k, &r);
		string.text = hit->text;
		if (!k->q->wanted(k->q->arg, &string))
			return 0;
	}
	if (!vmm_grow(&k->records, &k->capacity, k->count + 1, sizeof(*k->records)) ||
	    !vmm_grow(&k->texts, &k->text_capacity, k->text_used + hit->text_length + 1, 1))
		return k->failed = vmm_fail_nomem(k->err);
	memcpy(k->texts + k->text_used, hit->text, hit->text_length + 1);
	k->text_used += hit->text_length + 1;
	k->records[k->count++] = r;
	k->in_heaps |= in_heap(k, &r);
	return 0;
}

static int compare_records(const void *a_pointer, const void *b_pointer)
{
	const struct record *a = a_pointer, *b = b_pointer;

	if (a->address != b->address)
		return a->address < b->address ? -1 : 1;
	return (a->encoding > b->encoding) - (a->encoding < b->encoding);
}

static void sort_records(struct search *k)
{
	for (size_t i = 1; i < k->count; i++)
		if (compare_records(&k->records[i - 1], &k->records[i]) > 0) {
			qsort(k->records, k->count, sizeof(*k->records), compare_records);
			return;
		}
}

/* The first record at address or above. */
static size_t lower_bound(const struct search *k, uint64_t address)
{
	/* Chunks mostly come by rising address. */
	if (k->cursor < k->count && k->records[k->cursor].address >= address &&
	    (k->cursor == 0 || k->records[k->cursor - 1].address < address))
		return k->cursor;
	return VMM_FIRST_FROM(k->records, k->count, address, address);
}

static int own(void *arg, const struct vmm_chunk_batch *batch)
{
	struct search *k = arg;

	for (size_t c = 0; c < batch->count; c++) {
		const struct vmm_chunk *chunk = &batch->chunks[c];
		uint64_t end = vmm_add_sat(chunk->start, chunk->size);
		size_t i = lower_bound(k, chunk->start);

		for (; i < k->count && k->records[i].address < end; i++) {
			k->records[i].owner = *chunk;
			k->records[i].owned = true;
		}
		k->cursor = i;
	}
	return 0;
}

static void pass_note(void *arg, const struct vmm_note *note)
{
	struct search *k = arg;

	if (k->q->note)
		k->q->note(k->q->arg, note);
}

/* One walk over the heaps that have strings of the batch. */
static int find_owners(struct search *k)
{
	int rc;

	struct vmm_chunk_walk walk = {.start = UINT64_MAX, .end = 0, .chunks = own, .note = pass_note, .arg = k};

	for (size_t i = 0; i < k->count; i++) {
		if (!in_heap(k, &k->records[i]))
			continue;
		walk.start = vmm_min_u64(walk.start, k->records[i].address);
		walk.end = k->records[i].address + 1;
	}
	k->cursor = 0;
	rc = vmm_target_chunks(k->t, k->s, &walk, k->err);
	k->gone = rc == VMM_E_GONE;
	return k->gone ? 0 : rc;
}

static int tell(struct search *k, const struct record *r)
{
	struct vmm_string string = string_of(k, r);

	k->told++;
	k->sums->ownerless += k->q->owners && !r->owned && in_heap(k, r);
	k->failed = k->q->found(k->q->arg, &string);
	if (k->failed)
		return k->failed;
	return k->q->top && k->told >= k->q->top ? STOPPED : 0;
}

/* Keeps the records from the i-th on, with their texts. */
static int keep_rest(struct search *k, size_t i)
{
	size_t left = k->count - i, used = 0, at = 0;
	char *texts = NULL;

	for (size_t n = i; n < k->count; n++)
		used += k->records[n].text_length + 1u;
	if (left) {
		texts = vmm_alloc_hook(NULL, used);
		if (!texts)
			return vmm_fail_nomem(k->err);
	}
	memmove(k->records, k->records + i, left * sizeof(*k->records));
	k->count = left;
	k->in_heaps = false;
	for (i = 0; i < left; i++) {
		struct record *r = &k->records[i];

		memcpy(texts + at, k->texts + r->text, r->text_length + 1u);
		r->text = (uint32_t)at;
		at += r->text_length + 1u;
		k->in_heaps |= in_heap(k, r);
	}
	if (left) {
		free(k->texts);
		k->texts = texts;
		k->text_capacity = used;
	}
	k->text_used = used;
	return 0;
}

/* Hands out the strings below limit. Those above stay: what began before them has not yet ended. */
static int hand_out(struct search *k, uint64_t limit)
{
	size_t i = 0;
	int rc = 0;

	sort_records(k);
	if (k->count == 0 || k->records[0].address >= limit)
		return 0;
	if (k->q->owners && k->in_heaps && !k->gone)
		rc = find_owners(k);
	while (rc == 0 && i < k->count && k->records[i].address < limit)
		rc = tell(k, &k->records[i++]);
	return rc ? rc : keep_rest(k, i);
}

/* Hands out what can be: at once where no owners are looked for, else when the batch is full. */
static int batch_check(struct search *k)
{
	bool full = k->count >= BATCH_STRINGS || k->text_used >= BATCH_TEXT;
	bool enough = k->q->top && k->told + k->count >= k->q->top;

	if (k->q->owners && k->in_heaps && !full && !enough)
		return 0;
	/* A string that goes on and on must not hold up the others for ever. */
	return hand_out(k, full ? UINT64_MAX : vmm_strings_pending(k->finder));
}

/* Searches [start, end), which is present. */
static int search_present(struct search *k, uint64_t start, uint64_t end)
{
	while (start < end) {
		size_t n = (size_t)vmm_min_u64(end - start, WINDOW_BYTES);
		int64_t got = k->t->ops->read(k->t, start, k->window, n, k->err);
		int rc;

		if (got < 0)
			return (int)got;
		k->sums->searched += (uint64_t)got;
		rc = got ? vmm_strings_feed(k->finder, start, k->window, (size_t)got) : 0;
		if (rc == 0)
			rc = batch_check(k);
		if (rc)
			return rc;
		if ((uint64_t)got < n) {
			/* A page that went away, or that nobody may read: the next one may be there. */
			uint64_t next = vmm_min_u64(end, vmm_align_down(start + (uint64_t)got, 4096) + 4096);

			k->sums->unreadable += next - (start + (uint64_t)got);
			start = next;
			continue;
		}
		start += n;
	}
	return 0;
}

/* Collects runs: they are read later, for a page walk cannot be asked inside another. */
static int collect(void *arg, const struct vmm_page_run *run)
{
	struct search *k = arg;

	k->runs[k->run_count++] = *run;
	return k->run_count == RUNS_MAX ? STOPPED : 0;
}

static int search_range(struct search *k, uint64_t start, uint64_t end)
{
	while (start < end) {
		int rc;

		k->run_count = 0;
		rc = k->t->ops->pages(k->t, vmm_align_down(start, 4096), vmm_align_up(end, 4096), 0, collect, k, k->err);
		if (rc < 0)
			return rc;
		for (size_t i = 0; i < k->run_count; i++) {
			const struct vmm_page_run *r = &k->runs[i];
			uint64_t from = vmm_max_u64(r->start, start), to = vmm_min_u64(r->end, end);
			int searched = 0;

			if (from >= to)
				continue;
			if (r->what & VMM_PAGE_SWAPPED)
				k->sums->swapped += to - from;
			else if (r->what & VMM_PAGE_PRESENT && !(r->what & (VMM_PAGE_ZERO | VMM_PAGE_GUARD)))
				searched = search_present(k, from, to);
			if (searched)
				return searched;
		}
		if (rc != STOPPED)
			return 0;
		start = vmm_max_u64(k->runs[RUNS_MAX - 1].end, start + 1);
	}
	return 0;
}

static int search_region(struct search *k, const struct vmm_region *r)
{
	const struct vmm_snapshot *s = k->s;
	uint64_t start = vmm_max_u64(r->start, k->q->start), end = k->q->end ? vmm_min_u64(r->end, k->q->end) : r->end;
	int rc = 0;

	if (start >= end || r->outside || r->kind == VMM_KIND_DEVICE)
		return 0;
	for (size_t i = VMM_FIRST_ABOVE(s->vmas, s->vma_count, end, start); rc == 0 && i < s->vma_count && s->vmas[i].start < end; i++)
		if (vmm_vma_readable(&s->vmas[i]))
			rc = search_range(k, vmm_max_u64(s->vmas[i].start, start), vmm_min_u64(s->vmas[i].end, end));
	/* A string does not go on in another owner's memory. */
	return rc ? rc : vmm_strings_end(k->finder);
}

static int search_all(struct search *k)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < k->s->region_count; i++) {
		const struct vmm_region *r = &k->s->regions[i];

		if (k->q->kinds && !((k->q->kinds >> r->kind) & 1))
			continue;
		k->region = i;
		rc = search_region(k, r);
		if (rc == 0)
			rc = batch_check(k);
	}
	/* What was found before the target went away is told all the same. */
	k->gone |= rc == VMM_E_GONE;
	if (rc == 0 || k->gone) {
		int told = hand_out(k, UINT64_MAX);

		if (told && told != STOPPED)
			return told;
	}
	if (k->gone)
		return vmm_fail(k->err, VMM_E_GONE, 0, "the target ended while it was read");
	return rc == STOPPED && !k->failed ? 0 : rc;
}

int vmm_target_strings(struct vmm_target *target, const struct vmm_snapshot *snapshot, const struct vmm_strings_query *query,
                       struct vmm_strings_sums *ret_sums, struct vmm_err *err)
{
	struct search *k = vmm_alloc_hook(NULL, sizeof(*k));
	uint32_t encodings = query->encodings ? query->encodings : (1u << VMM_ENCODING_COUNT) - 1;
	int rc;

	memset(ret_sums, 0, sizeof(*ret_sums));
	if (!k)
		return vmm_fail_nomem(err);
	memset(k, 0, sizeof(*k));
	k->t = target;
	k->s = snapshot;
	k->q = query;
	k->sums = ret_sums;
	k->err = err;
	k->finder = vmm_strings_create(encodings, query->min ? query->min : VMM_STRINGS_MIN_DEFAULT, keep, k);
	rc = k->finder ? search_all(k) : vmm_fail_nomem(err);
	vmm_strings_destroy(k->finder);
	free(k->records);
	free(k->texts);
	free(k);
	return rc;
}
