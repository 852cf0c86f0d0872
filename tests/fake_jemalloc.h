/*
 * A small process with jemalloc 5.3 or 5.2.1 made by hand: the library's data with the root of the page map, one base
 * block with a leaf and extents, one arena with a slab, two large blocks, dirty and retained pages, and a thread whose
 * cache holds one block. Offsets are those of the layouts that reader/jemalloc.h names.
 */
#ifndef VMM_TESTS_FAKE_JEMALLOC_H
#define VMM_TESTS_FAKE_JEMALLOC_H

#include "fake_target.h"

#define JM_DATA UINT64_C(0x7f0000000000) /* the library's writable data; .bss behind it */
#define JM_ROOT (JM_DATA + 0x2000)
#define JM_SLOT (JM_ROOT + 8 * (JM_HEAP >> 30))
#define JM_BASE UINT64_C(0x7f0100000000) /* a base block */
#define JM_BASE_SIZE 0x400000u
#define JM_UNUSED (JM_BASE + 0x300000)
#define JM_ARENA (JM_BASE + 0x300)
#define JM_EXTENTS (JM_BASE + 0x400)
#define JM_LEAF (JM_BASE + 0x1000)
#define JM_HEAP UINT64_C(0x7f0100800000)
#define JM_HEAP_SIZE 0x10000u
#define JM_WORDS (JM_LEAF + 8 * ((JM_HEAP >> 12) % 262144)) /* of the heap's pages */
#define JM_TLS UINT64_C(0x7f0200000000)
#define JM_RECORDS (JM_TLS + 0x200)
#define JM_DESCRIPTOR (JM_TLS + 0xf00)
#define JM_STACKS (JM_HEAP + 0x1008) /* inside the first large block */
#define JM_PAGES 5

struct fake_jemalloc {
	struct fake_target t;
	struct vmm_thread thread;
	unsigned char slots[4096], base[4096], leaf[4096], heap[0xc000], tls[4096];
	bool old;
};

/* The bytes of the n-th piece of present memory, and where it begins. */
static inline unsigned char *jm_piece(struct fake_jemalloc *j, unsigned n, uint64_t *ret_start, size_t *ret_size)
{
	const struct {
		uint64_t start;
		unsigned char *bytes;
		size_t size;
	} pieces[JM_PAGES] = {{JM_SLOT & ~UINT64_C(4095), j->slots, sizeof(j->slots)},
	                      {JM_BASE, j->base, sizeof(j->base)},
	                      {JM_WORDS & ~UINT64_C(4095), j->leaf, sizeof(j->leaf)},
	                      {JM_HEAP, j->heap, sizeof(j->heap)},
	                      {JM_TLS, j->tls, sizeof(j->tls)}};

	*ret_start = pieces[n].start;
	*ret_size = pieces[n].size;
	return pieces[n].bytes;
}

static inline void jm_put(struct fake_jemalloc *j, uint64_t address, uint64_t value)
{
	for (unsigned i = 0; i < JM_PAGES; i++) {
		uint64_t start;
		size_t size;
		unsigned char *bytes = jm_piece(j, i, &start, &size);

		if (address >= start && address - start + 8 <= size)
			memcpy(bytes + (address - start), &value, 8);
	}
}

/* The n-th extent, and its words in the page map. */
static inline void jm_extent(struct fake_jemalloc *j, unsigned n, uint64_t address, uint64_t size, bool slab, uint64_t state,
                             uint64_t class, uint64_t free_regions)
{
	uint64_t at = JM_EXTENTS + 128 * n, first = JM_WORDS + 8 * ((address - JM_HEAP) / 4096), word = class << 48 | at | slab;
	uint64_t bits = (uint64_t)slab << 12 | 1 << 13;

	if (j->old)
		bits |= state << 16 | class << 18 | free_regions << 26;
	else {
		bits |= state << 17 | class << 20 | free_regions << 28;
		word |= state << 2;
	}
	jm_put(j, at, bits);
	jm_put(j, at + 8, address);
	jm_put(j, at + 16, size);
	jm_put(j, first, word);
	jm_put(j, first + 8 * (size / 4096 - 1), word);
}

/* A cache with stacks of one address for each class; that of class 2 holds the slab's region 5. */
static inline void jm_thread(struct fake_jemalloc *j)
{
	for (unsigned i = 0; i < 36; i++) {
		uint64_t at = JM_RECORDS + 24 * i, bottom = JM_STACKS + 8 * i, end = bottom + 8;

		if (j->old) {
			jm_put(j, at, (uint64_t)(i == 2) << 32);
			jm_put(j, at + 16, end);
		} else {
			jm_put(j, at, i == 2 ? bottom : end);
			jm_put(j, at + 16, (bottom & 0xffff) << 16 | (end & 0xffff) << 32);
		}
	}
	jm_put(j, JM_STACKS + 16, JM_HEAP + 5 * 32);
	if (j->old) {
		jm_put(j, JM_RECORDS + 36 * 24 + 56, JM_RECORDS);
		jm_put(j, JM_RECORDS + 36 * 24 + 64, JM_TLS + 0x800);
		jm_put(j, JM_RECORDS + 36 * 24 + 72, JM_ARENA);
	} else {
		jm_put(j, JM_TLS + 0x100, JM_RECORDS);
		jm_put(j, JM_TLS + 0x108, JM_ARENA);
	}
	j->thread = (struct vmm_thread){.tid = 7, .name = "worker", .descriptor = JM_DESCRIPTOR, .region = VMM_NONE};
}

/* Memory without the target: what jm_make() maps. */
static inline void jm_fill(struct fake_jemalloc *j, bool old)
{
	memset(j, 0, sizeof(*j));
	j->old = old;
	jm_put(j, JM_SLOT, JM_LEAF);
	jm_put(j, JM_BASE, JM_BASE_SIZE);
	jm_put(j, JM_BASE + 16, 0xfff);
	jm_put(j, JM_BASE + 24, JM_UNUSED);
	jm_put(j, JM_BASE + 32, JM_BASE + JM_BASE_SIZE - JM_UNUSED);
	/* Ten of 128 regions of 32 bytes are taken, from the first on. */
	jm_extent(j, 0, JM_HEAP, 0x1000, true, 0, 2, 118);
	jm_put(j, JM_EXTENTS + 64, ~UINT64_C(0x3ff));
	jm_put(j, JM_EXTENTS + 72, UINT64_MAX);
	jm_extent(j, 1, JM_HEAP + 0x1000, 0x5000, false, 0, 36, 0);
	jm_extent(j, 2, JM_HEAP + 0x6000, 0x5000, false, 0, 36, 0);
	jm_put(j, JM_EXTENTS + 2 * 128 + 8, JM_HEAP + 0x6040);
	jm_extent(j, 3, JM_HEAP + 0xb000, 0x2000, false, 1, 235, 0);
	jm_extent(j, 4, JM_HEAP + 0xd000, 0x3000, false, 3, 235, 0);
	jm_thread(j);
}

/* Maps it all; the snapshot is the caller's to destroy, NULL when memory is out. */
static inline struct vmm_snapshot *jm_make(struct fake_jemalloc *j)
{
	struct vmm_snapshot *s;

	fake_map(&j->t, JM_DATA, JM_DATA + 0x1000, "rw-p", 0, "/lib/libjemalloc.so.2", VMM_E_NO_TARGET);
	fake_map(&j->t, JM_DATA + 0x1000, JM_DATA + 0x211000, "rw-p", 0, "", VMM_E_NO_TARGET);
	fake_map(&j->t, JM_BASE, JM_BASE + JM_BASE_SIZE, "rw-p", 0, "", VMM_E_NO_TARGET);
	fake_map(&j->t, JM_HEAP, JM_HEAP + JM_HEAP_SIZE, "rw-p", 0, "", VMM_E_NO_TARGET);
	fake_map(&j->t, JM_TLS, JM_TLS + 0x1000, "rw-p", 0, "", VMM_E_NO_TARGET);
	for (unsigned i = 0; i < JM_PAGES; i++) {
		uint64_t start;
		size_t size;
		unsigned char *bytes = jm_piece(j, i, &start, &size);

		j->t.memory[i] = (struct fake_memory){start, start + size, bytes, 0};
	}
	j->t.memory_count = JM_PAGES;
	s = fake_snapshot(&j->t, "");
	if (!s)
		return NULL;
	s->target.bits = 64;
	s->threads = &j->thread;
	s->thread_count = 1;
	return s;
}

#endif
