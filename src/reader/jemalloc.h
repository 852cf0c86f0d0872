/*
 * jemalloc: layouts, and finding its page map without symbols.
 * Layer: reader, private to jemalloc*.c.
 *
 * Layouts: jemalloc 5.2.1 and 5.3.0 to 5.3.1, include/jemalloc/internal/rtree.h, edata.h (extent_structs.h in 5.2.1),
 * sc.h, base_structs.h, cache_bin.h; LP64, 4 KiB pages, 48 bits of address, quantum 16. Every extent has its words in a
 * radix tree that stands in .bss: its root of 2^18 pointers, and leaves of 2^18 words, one for each page.
 */
#ifndef VMM_READER_JEMALLOC_H
#define VMM_READER_JEMALLOC_H

#include "reader/walk.h"

#define JEMALLOC_PAGE UINT64_C(4096)
#define JEMALLOC_SLOTS 262144u        /* of the root and of a leaf */
#define JEMALLOC_LEAF_BYTES (UINT64_C(8) * JEMALLOC_SLOTS)
#define JEMALLOC_ARENAS 4096          /* 12 bits of the extent */
#define JEMALLOC_BINS 36              /* small size classes: up to 14336 bytes */
#define JEMALLOC_CLASSES 235          /* the number that stands for none */
#define JEMALLOC_EXTENT_WORDS 16
#define JEMALLOC_BLOCK (UINT64_C(2) << 20) /* base blocks are aligned to this */
#define JEMALLOC_BLOCK_WORDS 25       /* of a base block's header, up to the number of its arena */
#define JEMALLOC_BASE_ARENA 4095      /* arena number of a base block's own extent */

enum jemalloc_state { JEMALLOC_ACTIVE, JEMALLOC_DIRTY, JEMALLOC_MUZZY, JEMALLOC_RETAINED, JEMALLOC_STATES };

/* What one thread keeps freed blocks in. */
struct jemalloc_tcache {
	uint32_t thread;                 /* index in the snapshot's threads */
	uint64_t records, large_records; /* addresses; large ones stand apart in 5.2.1 only */
	unsigned small, large;           /* how many */
	uint64_t arena;                  /* address of its arena_t */
	uint32_t arena_number;           /* VMM_NONE: not known */
};

/* One copy of the library. */
struct jemalloc {
	uint64_t root;         /* address of the radix tree's root */
	uint64_t data, data_end; /* the object's writable data that holds it */
	bool old;              /* 5.2.1 */
	bool large_pad;        /* large blocks stand in one page more than they need (opt.cache_oblivious) */
	struct jemalloc_tcache *tcaches; /* in the snapshot's arena */
	uint32_t tcache_count;
};

/* struct edata_s (5.3) or extent_s (5.2.1), decoded. */
struct jemalloc_extent {
	uint64_t address; /* of its memory; low bits: where a large block begins in its first page */
	uint64_t size;
	uint64_t bitmap[8]; /* of a slab: a set bit is a free region */
	unsigned arena, state, class, free_regions;
	bool slab;
};

/* Pages of metadata as detect() reads them: many small reads side by side. */
struct jemalloc_cache;

struct jemalloc_cache *jemalloc_cache_create(void);
void jemalloc_cache_destroy(struct jemalloc_cache *c);
void jemalloc_cache_forget(struct jemalloc_cache *c);
/* count words at address, which cross no 4 KiB border; absent memory reads as zero. False: cannot be read. */
bool jemalloc_cache_words(struct jemalloc_cache *c, struct vmm_reading *r, uint64_t address, uint64_t *ret_words, unsigned count);

/* The extent that a leaf's word points to, 0: none. */
uint64_t jemalloc_extent_of(const struct jemalloc *j, uint64_t leaf_word);
void jemalloc_decode(const struct jemalloc *j, const uint64_t words[JEMALLOC_EXTENT_WORDS], struct jemalloc_extent *ret);
/* Bytes of a size class, 0: there is no such class. */
uint64_t jemalloc_class_size(unsigned class);
/* Whether [start, end) is private anonymous memory without a hole, whatever its protection. */
bool jemalloc_mapped(const struct vmm_snapshot *s, uint64_t start, uint64_t end);

/* Looks for a root in the writable data [start, end) of one object. 1: *ret is set (not large_pad); 0: none; or an error. */
int jemalloc_find(struct vmm_reading *r, struct jemalloc_cache *c, uint64_t start, uint64_t end, struct jemalloc *ret,
                  struct vmm_err *err);

/*
 * Decodes the header of a base block (metadata) at address: its size, where what was never handed out begins, and the
 * number of its arena (VMM_NONE where this is not the base's first block). False: there is none.
 */
bool jemalloc_base_block(uint64_t address, const uint64_t words[JEMALLOC_BLOCK_WORDS], uint64_t *ret_size, uint64_t *ret_unused,
                         uint32_t *ret_arena);

/* Looks for the tcaches of all threads; their arena_number is left to the caller. 0 or VMM_E_NOMEM. */
int jemalloc_find_tcaches(struct vmm_reading *r, struct jemalloc *j, struct vmm_err *err);
/* Sets heap's threads and *ret_text (`, thread 12 "worker" and 3 more`, or ""). False: memory is out. */
bool jemalloc_threads_of(struct vmm_snapshot *s, const struct jemalloc *j, uint32_t arena, struct vmm_heap *heap, const char **ret_text);

/* An address in a tcache, with its size class; JEMALLOC_CLASSES: one inside the block that holds a tcache's stacks. */
struct jemalloc_cached {
	uint64_t address;
	uint32_t class;
};

struct jemalloc_cached_list {
	struct jemalloc_cached *cached; /* by rising address; free() */
	size_t count, capacity;
	bool unread; /* some could not be read */
};

/* Reads what all tcaches hold now. 0 or VMM_E_NOMEM; the list is the caller's to free in any case. */
int jemalloc_read_tcaches(struct vmm_walk *w, const struct jemalloc *j, struct jemalloc_cached_list *list, struct vmm_err *err);
/* The first that is not below address. */
size_t jemalloc_cached_from(const struct jemalloc_cached_list *list, uint64_t address);

/* What walk() gets. */
struct jemalloc_heap {
	const struct jemalloc *copy;
	uint32_t arena;  /* VMM_NONE: the metadata */
	bool incomplete; /* some of its extents could not be told when it was found */
	uint64_t lost_at;
	unsigned misses; /* walks in which tcaches did not fit the extents */
};

int jemalloc_walk(struct vmm_walk *w, void *data, struct vmm_err *err);

#endif
