/*
 * Caches of threads. A thread's tcache lies in its thread-local data: one record of 24 bytes for each size class,
 * smallest first, and all records' stacks of addresses lie behind each other in one block. That they do proves the find.
 *
 * Layouts: jemalloc 5.2.1 and 5.3.0 to 5.3.1, include/jemalloc/internal/cache_bin.h and tcache_structs.h.
 */
#include "reader/jemalloc.h"

#include <stdlib.h>

#include "base/search.h"
#define TLS_BELOW 16384 /* bytes below a thread descriptor that are searched */
#define RECORD 24
#define RECORDS_MAX 128
#define LARGE_MAX 64    /* of 5.2.1, which has them apart */
#define BEHIND_MAX 128  /* bytes behind its small ones in which they are named */
#define BEFORE_MAX 2048 /* bytes between tcache_slow_t and the records */
#define CACHED_MAX 8192 /* addresses in one stack */
#define STACKS_MAX 131072 /* bytes of all stacks of a thread */
#define THREADS_NAMED 4

/* One record: the stack [bottom, end), of which [head, end) holds addresses. bottom is 0 where it is not known. */
struct record {
	uint64_t bottom, head, end;
};

/* The n-th record at bytes; end: that of the record before, 0 for the first. */
static bool read_record(const unsigned char *bytes, bool old, unsigned n, uint64_t end, struct record *ret)
{
	uint64_t first = vmm_word_of(bytes + n * RECORD, 8, 0), last = vmm_word_of(bytes + n * RECORD, 8, 2), cached, size;

	if (old) { /* low_water, ncached; nrequests; end */
		cached = 8 * (first >> 32);
		if (!last || last % 8 || cached > 8 * CACHED_MAX || cached > last || (end && (last <= end || last - end < cached)))
			return false;
		*ret = (struct record){end, last - cached, last};
		return !end || last - end <= 8 * CACHED_MAX;
	}
	/* head; nrequests; the low 16 bits of low water, bottom and end */
	cached = ((last >> 32) - first) & 0xffff;
	size = ((last >> 32) - (last >> 16)) & 0xffff;
	if (!first || first % 8 || size % 8 || cached % 8 || cached > size || first > UINT64_MAX / 2)
		return false;
	*ret = (struct record){first + cached - size, first, first + cached};
	return !end || ret->bottom == end;
}

/* Records behind each other from bytes on, at most max. */
static unsigned count_records(const unsigned char *bytes, size_t length, bool old, unsigned max)
{
	struct record record = {0};
	unsigned n = 0;

	while (n < max && (n + 1) * RECORD <= length && read_record(bytes, old, n, record.end, &record))
		n++;
	return n;
}

/* What stands in the thread-local data bytes, which begin at address, of a tcache whose records begin at offset at. */
static bool read_tcache(const struct jemalloc *j, const unsigned char *bytes, size_t length, uint64_t address, size_t at,
                        struct jemalloc_tcache *ret)
{
	uint64_t records = address + at;

	*ret = (struct jemalloc_tcache){.records = records};
	ret->small = count_records(bytes + at, length - at, j->old, j->old ? JEMALLOC_BINS : RECORDS_MAX);
	if (ret->small < JEMALLOC_BINS)
		return false;
	if (j->old) {
		/* Some words behind, cache_bin_array_descriptor {link, bins_small, bins_large}, then the arena. */
		size_t behind = at + JEMALLOC_BINS * RECORD, last = vmm_min_u64(length, behind + BEHIND_MAX);

		for (; behind + 24 <= last; behind += 8)
			if (vmm_word_of(bytes + behind, 8, 0) == records) {
				ret->large_records = vmm_word_of(bytes + behind, 8, 1);
				ret->large = LARGE_MAX; /* records behind the last in use are zero */
				ret->arena = vmm_word_of(bytes + behind, 8, 2);
				return true;
			}
		return false;
	}
	/* tcache_slow {link, {link, bins}, arena, ...} stands before, and says where the records are. */
	for (size_t k = 0; k + 16 <= at; k += 8)
		if (vmm_word_of(bytes + k, 8, 0) == records)
			ret->arena = vmm_word_of(bytes + k, 8, 1);
	return ret->arena != 0;
}

/* Looks for the tcache of one thread. *distance: of its records below the descriptor, the same in all threads; 0 at first. */
static bool find_tcache(struct vmm_reading *r, const struct jemalloc *j, uint64_t descriptor, unsigned char *bytes, size_t *distance,
                        struct jemalloc_tcache *ret)
{
	const struct vmm_vma *v = vmm_snapshot_vma_at(r->snapshot, descriptor);
	uint64_t below = *distance ? *distance + BEFORE_MAX : TLS_BELOW, start;
	size_t length, at = 0;

	if (!v)
		return false;
	start = descriptor - v->start > below ? descriptor - below : v->start;
	length = (size_t)(descriptor - start);
	if (*distance) {
		at = length > *distance ? length - *distance : length;
		length = vmm_min_u64(length, at + (RECORDS_MAX + 1) * RECORD);
	}
	if (!vmm_reading_bytes(r, start, bytes, length))
		return false;
	for (; at + JEMALLOC_BINS * RECORD <= length; at += 8) {
		if (read_tcache(j, bytes, length, start, at, ret)) {
			*distance = (size_t)(descriptor - start) - at;
			return true;
		}
		if (*distance)
			break;
	}
	return false;
}

int jemalloc_find_tcaches(struct vmm_reading *r, struct jemalloc *j, struct vmm_err *err)
{
	const struct vmm_snapshot *s = r->snapshot;
	VMM_CLEANUP_FREE unsigned char *bytes = vmm_alloc_hook(NULL, TLS_BELOW + BEFORE_MAX);
	size_t distance = 0;

	j->tcaches = vmm_arena_array(s->arena, s->thread_count + 1, sizeof(*j->tcaches));
	if (!bytes || !j->tcaches)
		return vmm_fail_nomem(err);
	for (uint32_t i = 0; i < s->thread_count; i++) {
		uint64_t descriptor = vmm_align_down(s->threads[i].descriptor, 8);
		struct jemalloc_tcache *t = &j->tcaches[j->tcache_count];

		if (descriptor && find_tcache(r, j, descriptor, bytes, &distance, t)) {
			t->thread = i;
			j->tcache_count++;
		}
	}
	return 0;
}

bool jemalloc_threads_of(struct vmm_snapshot *s, const struct jemalloc *j, uint32_t arena, struct vmm_heap *heap, const char **ret_text)
{
	uint32_t *threads = vmm_arena_array(s->arena, j->tcache_count + 1, sizeof(*threads)), count = 0;
	const char *text = "";

	for (uint32_t i = 0; i < j->tcache_count && threads && text; i++) {
		const struct vmm_thread *thread = &s->threads[j->tcaches[i].thread];

		if (j->tcaches[i].arena_number != arena)
			continue;
		threads[count++] = j->tcaches[i].thread;
		if (count <= THREADS_NAMED) {
			const char *who = vmm_thread_text(s->arena, thread);

			text = who ? vmm_arena_printf(s->arena, "%s, %s", text, who) : NULL;
		}
	}
	if (text && count > THREADS_NAMED)
		text = vmm_arena_printf(s->arena, "%s and %u more", text, count - THREADS_NAMED);
	heap->threads = threads;
	heap->thread_count = count;
	*ret_text = text;
	return threads && text;
}

/* --- what is in them ------------------------------------------------------------------------------------------------- */

static bool add(struct jemalloc_cached_list *list, uint64_t address, uint32_t class)
{
	if (!vmm_grow(&list->cached, &list->capacity, list->count + 1, sizeof(*list->cached)))
		return false;
	list->cached[list->count++] = (struct jemalloc_cached){address, class};
	return true;
}

/* Addresses in [head, end) of one record. */
static int add_stack(struct vmm_walk *w, const struct record *record, uint32_t class, struct jemalloc_cached_list *list, struct vmm_err *err)
{
	for (uint64_t at = record->head; at < record->end; at += 8) {
		uint64_t address;

		if (!vmm_walk_words(w, at, &address, 1)) {
			list->unread = true;
			return 0;
		}
		if (!add(list, address, class))
			return vmm_fail_nomem(err);
	}
	return 0;
}

/* count records at address, which are for size classes from class on. */
static int add_records(struct vmm_walk *w, const struct jemalloc *j, uint64_t address, unsigned count, uint32_t class,
                       struct jemalloc_cached_list *list, struct vmm_err *err)
{
	unsigned char copy[RECORDS_MAX * RECORD];
	const unsigned char *bytes = vmm_walk_bytes(w, address, count * RECORD);
	struct record record = {0};
	uint64_t first = 0;
	int rc = 0;

	if (!bytes) {
		list->unread = true;
		return 0;
	}
	memcpy(copy, bytes, count * RECORD); /* what bytes points to holds until the next read */
	for (unsigned i = 0; i < count && rc == 0; i++) {
		/* 5.2.1 has two rows of records; it is not known where the large ones' lowest stack begins. */
		if (!read_record(copy, j->old, i, record.end, &record)) {
			list->unread = list->unread || !j->old || class == 0;
			return 0;
		}
		if (i == 0) {
			first = record.end;
			/* The stacks' own block. */
			if (class == 0 && !add(list, record.bottom ? record.bottom : record.end - 8, JEMALLOC_CLASSES))
				return vmm_fail_nomem(err);
		}
		if (record.end - first > STACKS_MAX) {
			list->unread = true;
			return 0;
		}
		rc = add_stack(w, &record, class + i, list, err);
	}
	return rc;
}

static int by_address(const void *a, const void *b)
{
	const struct jemalloc_cached *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

int jemalloc_read_tcaches(struct vmm_walk *w, const struct jemalloc *j, struct jemalloc_cached_list *list, struct vmm_err *err)
{
	int rc = 0;

	list->count = 0;
	list->unread = false;
	for (uint32_t i = 0; i < j->tcache_count && rc == 0; i++) {
		const struct jemalloc_tcache *t = &j->tcaches[i];

		rc = add_records(w, j, t->records, t->small, 0, list, err);
		if (rc == 0 && t->large)
			rc = add_records(w, j, t->large_records, t->large, JEMALLOC_BINS, list, err);
	}
	if (list->count)
		qsort(list->cached, list->count, sizeof(*list->cached), by_address);
	return rc;
}

size_t jemalloc_cached_from(const struct jemalloc_cached_list *list, uint64_t address)
{
	return VMM_FIRST_FROM(list->cached, list->count, address, address);
}
