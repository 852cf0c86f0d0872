/*
 * gperftools tcmalloc: layouts, and finding its tables without symbols.
 * Layer: reader, private to tcmalloc*.c.
 *
 * Layouts: gperftools src/page_heap.h, span.h, pagemap.h, central_freelist.h, thread_cache.h and common.h, 2.8 to
 * 2.18.1, LP64 on x86-64 and 64-bit Arm and ILP32, where the page map has two levels. w is the bytes of a pointer:
 *
 * Span (6 w): start page 0, pages w, next 2 w, prev 3 w, objects 4 w; u32 at 5 w: refcount:16, class:8, location:2, sample:1.
 * PageHeap: root of the page map, its allocator (w), two std::set (6 w each), one list head (a Span) for normal and one
 * for returned spans of each length up to 2^20 bytes, and counters (u64): system, free, unmapped, committed bytes.
 * CentralFreeList: class w, heads of two lists 2 w and 8 w, spans 14 w, free objects 15 w, 64 slots of {head, tail} 16 w,
 * slots in use 144 w (i32); padded to 64 bytes.
 * ThreadCache: 128 lists (4 w each): head 0, length w (u32, u16 in ILP32), size of an object 3 w (i32); then next, prev.
 */
#ifndef VMM_READER_TCMALLOC_H
#define VMM_READER_TCMALLOC_H

#include "reader/reader.h"
#include "reader/walk.h"

#define TC_CLASSES 128
#define TC_SLOTS 64
#define TC_OBJECTS_MAX 65535 /* of a span: its reference count has 16 bits */

enum tc_location { TC_IN_USE, TC_FREE, TC_RETURNED };

/* One page heap, as found in an object's writable data. */
struct tc_heap {
	uint64_t data_start, data_end; /* the object's writable data */
	uint64_t root, heads, stats;   /* addresses */
	unsigned word, shift, root_bits, leaf_bits;
};

struct tc_stats {
	uint64_t system, free, unmapped, committed;
};

struct tc_span {
	uint64_t address;        /* of the Span */
	uint64_t start, length;  /* bytes */
	uint64_t objects;        /* first free object; of a sampled one what was asked for */
	uint64_t root_slot;      /* address of the leaf of the page map that names it */
	uint32_t references, size_class;
	enum tc_location location;
	bool sampled;
};

/* Memory in blocks, for detect(); a walk has its own. */
struct tc_memory {
	struct vmm_reading *r;
	struct vmm_walk *w;     /* NULL: read by r */
	unsigned char *blocks;  /* free() */
	uint64_t *block_of;     /* free() */
	unsigned char joined[64];
};

/* False: out of memory. tc_memory_done() in any case. */
bool tc_memory_init(struct tc_memory *m, struct vmm_reading *r, struct vmm_walk *w);
void tc_memory_done(struct tc_memory *m);
/* length bytes (at most 64 where they may cross a page), valid until the next call; NULL: absent. */
const unsigned char *tc_bytes(struct tc_memory *m, uint64_t address, size_t length);

/* An i32, u32 or u16 at bytes. */
static inline uint32_t tc_u32(const unsigned char *bytes)
{
	uint32_t v;

	memcpy(&v, bytes, 4);
	return v;
}

#define TC_SIGN_HEADS 3
/* Whether some heads of lists of spans stand at bytes, the first of an empty list: a cheap sign of a page heap. */
bool tc_is_sign(const struct vmm_reading *r, const unsigned char *bytes, uint64_t address, unsigned word);
/*
 * Looks for a page heap at a pointer-aligned place of [from, data_end) of an object's data, whose bytes from `from` on are
 * given; *at is where to go on, 0 at first. False: no more.
 */
bool tc_find_heap(struct vmm_reading *r, const unsigned char *bytes, size_t length, uint64_t from, struct tc_heap *h, size_t *at);
/* Whether the counters are in themselves consistent. */
bool tc_read_stats(const struct tc_heap *h, const unsigned char *bytes, struct tc_stats *ret);

/*
 * Tells every span by rising address; what fn returns ends it when it is not 0. 0, what fn returned, or 1 when the map
 * holds more that are none than memory would explain.
 */
typedef int (*tc_span_fn)(void *arg, const struct tc_span *span);
int tc_each_span(struct tc_memory *m, const struct tc_heap *h, tc_span_fn fn, void *arg);

/* What the object's data says of size classes and caches. */
struct tc_tables {
	unsigned classes;                /* class 0 is no class */
	uint32_t size[TC_CLASSES];       /* bytes of an object */
	uint32_t objects[TC_CLASSES];    /* in a span */
	uint64_t span_bytes[TC_CLASSES];
	uint32_t transfer[TC_CLASSES];   /* objects in a slot of the transfer cache */
	uint64_t central, central_stride;
	uint64_t links;                  /* offset of next in a ThreadCache */
	uint64_t first;                  /* the first ThreadCache of the list; 0: there is none */
};

bool tc_find_classes(const struct tc_heap *h, const unsigned char *data, struct tc_tables *ret);
bool tc_find_central(const struct tc_heap *h, const unsigned char *data, struct tc_tables *ret);
bool tc_find_caches(struct vmm_walk *w, const struct tc_heap *h, const unsigned char *data, struct tc_tables *ret);

/* Objects in caches: address << 8 | class, by rising address. */
struct tc_cached {
	uint64_t *v; /* free() */
	size_t count, capacity;
	uint64_t most; /* bytes of objects there can be: what is resident */
};

/* Collects what thread caches and transfer caches hold; calls vmm_walk_broken() where they do not add up. VMM_E_NOMEM. */
int tc_collect(struct vmm_walk *w, const struct tc_heap *h, const unsigned char *data, const struct tc_tables *t,
               struct tc_cached *ret, struct vmm_err *err);

/* The page heap's walk. */
int tc_walk(struct vmm_walk *w, void *data, struct vmm_err *err);

#endif
