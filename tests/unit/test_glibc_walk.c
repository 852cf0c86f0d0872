/* Walking glibc's chunks in memory made by hand: 64-bit, the layout of 2.35 to 2.41 with its thread cache and mp_. */
#include "test.h"

#include <string.h>

#include "fake_walk.h"

#define DATA 0x7f0000100000u /* libc's .data */
#define MAIN (DATA + 0x200)  /* main_arena */
#define BINS (MAIN + 0x70)
#define BEHIND (BINS + 254 * 8 + 16)
#define PARAMS (DATA + 0x1000) /* mp_ */
#define BRK UINT64_C(0x500000)
#define BRK_END (BRK + 0x8000)
#define TLS UINT64_C(0x7f0000200000)
#define DESCRIPTOR (TLS + 0x800)
#define CACHE (BRK + 0x10) /* user address of the tcache */
/* Chunks by address. */
#define USED_1 (BRK + 0x290)
#define CACHED (USED_1 + 0x40)
#define FAST (CACHED + 0x20)
#define USED_2 (FAST + 0x30)
#define FREED (USED_2 + 0x30)
#define USED_3 (FREED + 0x3000)
#define TOP (USED_3 + 0x100)

static unsigned char data[0x2000], brk_heap[0x8000], tls[0x1000];

static void put(uint64_t address, uint64_t value)
{
	unsigned char *bytes = address >= TLS ? tls + (address - TLS) : address >= DATA ? data + (address - DATA) : brk_heap + (address - BRK);

	memcpy(bytes, &value, 8);
}

static void put_int(uint64_t address, uint32_t value)
{
	memcpy(data + (address - DATA), &value, 4);
}

static void make_arena(void)
{
	for (unsigned i = 0; i < 127; i++) {
		put(BINS + i * 16, BINS + i * 16 - 16);
		put(BINS + i * 16 + 8, BINS + i * 16 - 16);
	}
	/* The freed chunk is in the unsorted bin. */
	put(BINS, FREED);
	put(BINS + 8, FREED);
	put(FREED + 16, BINS - 16);
	put(FREED + 24, BINS - 16);
	put(BINS - 16, TOP);
	put(MAIN + 0x10 + 8, FAST); /* fastbin of 48-byte chunks */
	put(BEHIND, MAIN);
	put(BEHIND + 16, 1);
	put(BEHIND + 24, BRK_END - BRK);
	put(BEHIND + 32, BRK_END - BRK);
}

static void make_params(void)
{
	put(PARAMS, 128 << 10);          /* trim_threshold */
	put(PARAMS + 8, 128 << 10);      /* top_pad */
	put(PARAMS + 0x10, 128 << 10);   /* mmap_threshold */
	put(PARAMS + 0x18, 8);           /* arena_test */
	put_int(PARAMS + 0x40, 65536);   /* n_mmaps_max */
	put(PARAMS + 0x60, BRK);         /* sbrk_base */
	put(PARAMS + 0x68, 64);          /* tcache_bins */
	put(PARAMS + 0x70, 1032);
	put(PARAMS + 0x78, 7);           /* tcache_count */
}

static void make_chunks(void)
{
	put(BRK + 8, 0x290 | 1);
	put(USED_1 + 8, 0x40 | 1);
	put(CACHED + 8, 0x20 | 1);
	put(CACHED + 16, (CACHED + 16) >> 12); /* the end of the list, mangled */
	put(FAST + 8, 0x30 | 1);
	put(FAST + 16, (FAST + 16) >> 12);
	put(USED_2 + 8, 0x30 | 1);
	put(FREED + 8, 0x3000 | 1);
	put(USED_3, 0x3000);
	put(USED_3 + 8, 0x100);
	put(TOP + 8, (BRK_END - TOP) | 1);
	put(CACHE, 1);                  /* counts[0] of 32-byte chunks */
	put(CACHE + 0x80, CACHED + 16); /* entries[0] */
	put(DESCRIPTOR - 0x48, CACHE);
	put(DESCRIPTOR - 0x38, MAIN);
}

static void make(struct fake_target *t)
{
	memset(data, 0, sizeof(data));
	memset(brk_heap, 0, sizeof(brk_heap));
	memset(tls, 0, sizeof(tls));
	make_arena();
	make_params();
	make_chunks();
	fake_map(t, BRK, BRK_END, "rw-p", 0, "[heap]", -1);
	fake_map(t, DATA, DATA + sizeof(data), "rw-p", 0, "/lib/libc.so.6", -1);
	fake_map(t, TLS, TLS + sizeof(tls), "rw-p", 0, "", -1);
	t->memory[0] = (struct fake_memory){BRK, BRK_END, brk_heap, 0};
	t->memory[1] = (struct fake_memory){DATA, DATA + sizeof(data), data, 0};
	t->memory[2] = (struct fake_memory){TLS, TLS + sizeof(tls), tls, 0};
	t->memory_count = 3;
}

static struct vmm_thread threads[] = {{.tid = 7, .name = "t", .descriptor = DESCRIPTOR, .region = VMM_NONE}};

static struct vmm_snapshot *look(struct fake_target *t, struct vmm_reading *r)
{
	struct vmm_snapshot *s = fake_snapshot(t, "");

	assert_non_null(s);
	s->target.bits = 64;
	s->threads = threads;
	s->thread_count = 1;
	fake_look_at(t, s, r);
	assert_int_equal(r->heap_count, 1);
	return s;
}

static void finish(struct vmm_reading *r, struct vmm_snapshot *s)
{
	s->threads = NULL;
	s->thread_count = 0;
	fake_look_done(r, s);
}

static void check_state(const struct vmm_heap_contents *c, enum vmm_chunk_state state, uint64_t count, uint64_t bytes)
{
	assert_int_equal(c->sums.of[state].count, count);
	assert_int_equal(c->sums.of[state].bytes, bytes);
	assert_int_equal(c->sums.of[state].rss, bytes);
}

static void every_state_is_told(void **state)
{
	struct fake_target t = {0};
	struct vmm_reading r;
	struct vmm_snapshot *s;
	const struct vmm_heap_contents *c;

	make(&t);
	s = look(&t, &r);
	c = r.heaps[0].heap.contents;
	assert_true(r.heaps[0].heap.proved);
	check_state(c, VMM_CHUNK_USED, 3, 0x38 + 0x28 + 0xf8);
	check_state(c, VMM_CHUNK_CACHED, 1, 0x20);
	check_state(c, VMM_CHUNK_FAST, 1, 0x30);
	check_state(c, VMM_CHUNK_FREE, 1, 0x3000);
	check_state(c, VMM_CHUNK_TOP, 1, BRK_END - TOP - 8);
	assert_int_equal(c->sums.of[VMM_CHUNK_META].bytes, 8 + 0x290 + 3 * 8);
	assert_int_equal(c->largest_free, BRK_END - TOP - 8);
	/* Free chunk: whole pages behind its header. Top: whole pages but for a smallest chunk. */
	assert_true(c->trim_known);
	assert_int_equal(c->trimmable, 0x2000 + 0x4000);
	assert_int_equal(c->used_log2[5], 2); /* 0x38 and 0x28 */
	assert_int_equal(c->used_log2[7], 1);
	assert_int_equal(c->free_log2[13], 1);
	finish(&r, s);
}

struct seen {
	uint64_t next; /* where the next chunk must begin */
	unsigned count;
};

static int see(void *arg, const struct vmm_chunk_batch *batch)
{
	struct seen *seen = arg;

	for (size_t i = 0; i < batch->count; i++) {
		assert_int_equal(batch->chunks[i].start, seen->next);
		seen->next = batch->chunks[i].start + batch->chunks[i].size;
		seen->count++;
	}
	return 0;
}

static void chunks_come_in_order(void **state)
{
	struct fake_target t = {0};
	struct vmm_reading r;
	struct vmm_snapshot *s;
	struct seen seen = {BRK, 0};
	struct vmm_chunk_walk walk = {.end = UINT64_MAX, .chunks = see, .arg = &seen};

	make(&t);
	s = look(&t, &r);
	assert_int_equal(vmm_reading_walk(&r, &walk, NULL), 0);
	assert_int_equal(seen.next, BRK_END);
	assert_int_equal(seen.count, 9); /* the first word, seven chunks, top */
	finish(&r, s);
}

/* One word is wrong: no number is told, and the note says where. */
static void check_broken(uint64_t address, uint64_t value, uint64_t where)
{
	struct fake_target t = {0};
	struct vmm_reading r;
	struct vmm_snapshot *s;

	make(&t);
	put(address, value);
	s = look(&t, &r);
	assert_false(r.heaps[0].heap.proved);
	assert_null(r.heaps[0].heap.contents);
	assert_int_equal(s->note_count, 1);
	assert_string_equal(s->notes[0].code, "unproved");
	assert_int_equal(s->notes[0].address, where);
	finish(&r, s);
}

static void what_is_broken_is_not_proved(void **state)
{
	check_broken(USED_2 + 8, 0x18 | 1, USED_2);                  /* smaller than any chunk */
	check_broken(USED_2 + 8, 0x38 | 1, USED_2);                  /* not aligned */
	check_broken(USED_2 + 8, UINT64_MAX - 6, USED_2);            /* larger than all memory */
	check_broken(USED_2 + 8, 0x30 | 3, USED_2);                  /* a mapping of its own */
	check_broken(USED_2 + 8, 1, USED_2);                         /* a fencepost where none can be */
	check_broken(USED_3, 0x2ff0, FREED);                         /* a free chunk's second size */
	check_broken(TOP + 8, (BRK_END - TOP - 0x20) | 1, MAIN);     /* top ends too early */
	check_broken(FAST + 16, ((FAST + 16) >> 12) ^ FAST, FAST);   /* a fastbin in a circle */
	check_broken(FAST + 16, ((FAST + 16) >> 12) ^ 0x1230, FAST); /* a fastbin that leads nowhere */
	check_broken(MAIN + 0x18, FAST + 0x10, FAST + 0x10);         /* its head is no chunk */
	check_broken(CACHE, 3, CACHE);                               /* a cache with fewer chunks than it counts */
	check_broken(CACHED + 16, 0x1000, CACHE);                    /* its list leads nowhere */
	check_broken(CACHED + 16, ((CACHED + 16) >> 12) ^ (CACHED + 16), CACHE); /* or in a circle */
	check_broken(BEHIND + 24, BRK_END - BRK + 0x1000, MAIN);     /* a page that it got is nowhere */
}

/* Pages that are not there are not read: a heap whose header lies on one cannot be told. */
static void absent_pages_are_not_read(void **state)
{
	struct fake_target t = {0};
	struct vmm_reading r;
	struct vmm_snapshot *s;
	const struct vmm_heap_contents *c;

	make(&t);
	/* The inner page of the free chunk was given back. */
	t.memory[3] = t.memory[2];
	t.memory[2] = t.memory[1];
	t.memory[1] = (struct fake_memory){BRK + 0x2000, BRK_END, brk_heap + 0x2000, 0};
	t.memory[0].end = BRK + 0x1000;
	t.memory_count = 4;
	s = look(&t, &r);
	c = r.heaps[0].heap.contents;
	assert_non_null(c);
	assert_int_equal(c->sums.of[VMM_CHUNK_FREE].bytes, 0x3000);
	assert_int_equal(c->sums.of[VMM_CHUNK_FREE].rss, 0x2000);
	assert_int_equal(c->trimmable, 0x1000 + 0x4000);
	assert_int_equal(c->trimmable_size, 0x2000 + 0x4000);
	finish(&r, s);
	memset(&t, 0, sizeof(t));
	make(&t);
	t.memory[0].end = BRK + 0x3000; /* the header of USED_3 is gone */
	s = look(&t, &r);
	assert_false(r.heaps[0].heap.proved);
	finish(&r, s);
}

/* A cache that no thread names, as after fork(), is found by what it is. */
static void stray_caches_are_found(void **state)
{
	struct fake_target t = {0};
	struct vmm_reading r;
	struct vmm_snapshot *s;

	make(&t);
	put(DESCRIPTOR - 0x48, 0);
	s = look(&t, &r);
	assert_true(r.heaps[0].heap.proved);
	check_state(r.heaps[0].heap.contents, VMM_CHUNK_CACHED, 1, 0x20);
	check_state(r.heaps[0].heap.contents, VMM_CHUNK_USED, 3, 0x38 + 0x28 + 0xf8);
	finish(&r, s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_state_is_told),          cmocka_unit_test(chunks_come_in_order),
	    cmocka_unit_test(what_is_broken_is_not_proved), cmocka_unit_test(absent_pages_are_not_read),
	    cmocka_unit_test(stray_caches_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
