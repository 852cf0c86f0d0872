/*
 * Readers: code that understands one allocator, from outside, through the target's memory alone.
 * Layer: reader. Knows nothing of sources; what it works on is model/target.h, so it serves live processes and cores alike.
 *
 * To add a reader:
 * 1. write src/reader/NAME.c with: const struct vmm_reader_ops vmm_reader_NAME = {...};
 * 2. add a row to readers.def;
 * 3. believe structures, not names: an address counts as a heap only when an identity of the allocator holds for it;
 * 4. bound every list and every size; a target lies, and a live one changes while it is read;
 * 5. detect() finds heaps and their areas, cheaply: it runs for every map. walk() (see walk.h) tells all chunks;
 * 6. add a program to tests/targets/ that tells what it allocated.
 */
#ifndef VMM_READER_READER_H
#define VMM_READER_READER_H

#include "model/build.h"
#include "model/target.h"

/* A border inside an area, as in a claim: from address on, bytes are called label. */
struct vmm_area_cut {
	uint64_t address;
	const char *label; /* static, or in the snapshot's arena */
};

#define VMM_AREA_CUTS_MAX 4

/* A stretch of address space that belongs to one heap; becomes a region. */
struct vmm_area {
	uint64_t start, end;
	uint32_t heap;       /* index in vmm_reading.heaps */
	const char *details; /* in the snapshot's arena or static */
	struct vmm_area_cut cuts[VMM_AREA_CUTS_MAX]; /* by rising address */
	unsigned cut_count;
	const struct vmm_chunk_sums *sums; /* set by the walk when the heap is proved; in the snapshot's arena */
};

struct vmm_reader_ops;
struct vmm_walk;

struct vmm_found_heap {
	struct vmm_heap heap;
	const struct vmm_reader_ops *reader;
	void *data; /* the reader's, for its walk(); in the snapshot's arena, or NULL */
};

/* What the readers found in one target. */
struct vmm_reading {
	struct vmm_target *target;
	struct vmm_snapshot *snapshot;
	struct vmm_found_heap *heaps;
	struct vmm_area *areas;
	size_t heap_count, heap_capacity, area_count, area_capacity;
	uint64_t budget; /* bytes that may still be read: a hostile target cannot keep us busy */
	bool denied;     /* memory may not be read */
	const struct vmm_reader_ops *running;
	const struct vmm_page_run *runs; /* pages below runs_end as they were a moment ago; run_count 0: not known */
	size_t run_count;
	uint64_t runs_end;
	uint64_t walk_start, walk_end; /* only heaps with an area that touches this range are walked; walk_end 0: all */
};

struct vmm_reader_ops {
	const char *id, *help;
	/* Adds the heaps of this allocator with their areas. 0 also when there are none; VMM_E_NOMEM, VMM_E_GONE. */
	int (*detect)(struct vmm_reading *r, struct vmm_err *err);
	/*
	 * Tells all chunks of the heap under way (walk.h). data is what it gave to vmm_reading_add_heap(). May be called
	 * again after vmm_walk_broken(). 0, VMM_E_NOMEM. NULL: this reader only knows which memory is the allocator's.
	 */
	int (*walk)(struct vmm_walk *w, void *data, struct vmm_err *err);
};

#define VMM_READER(name) extern const struct vmm_reader_ops vmm_reader_##name;
#include "reader/readers.def"
#undef VMM_READER

/* Runs all readers. *r holds target and snapshot, the rest zero; vmm_reading_done() in any case. */
int vmm_readers_run(struct vmm_reading *r, struct vmm_err *err);
void vmm_reading_done(struct vmm_reading *r);

/* Adds a heap; its index goes to *ret_heap. Strings are static or in the snapshot's arena; data is handed to walk(). */
int vmm_reading_add_heap(struct vmm_reading *r, const struct vmm_heap *heap, void *data, uint32_t *ret_heap, struct vmm_err *err);
int vmm_reading_add_area(struct vmm_reading *r, const struct vmm_area *area, struct vmm_err *err);

/* Bytes of a pointer in the target: 4 or 8. */
unsigned vmm_reading_word(const struct vmm_reading *r);
/*
 * Reads count words of the target's width and byte order at address. False when any of their pages is absent, cannot
 * be read, or the budget is used up.
 */
bool vmm_reading_words(struct vmm_reading *r, uint64_t address, uint64_t *ret_words, unsigned count);
/* The same for bytes; absent pages read as zero. False: nothing could be read. */
bool vmm_reading_bytes(struct vmm_reading *r, uint64_t address, void *ret_bytes, size_t length);
/*
 * The end of an object's writable data whose file mapping is the i-th one: behind the anonymous .bss. The kernel may have
 * joined that with other memory that was mapped behind it: where the object's end is known, it counts.
 */
uint64_t vmm_reading_data_end(const struct vmm_snapshot *s, uint32_t i);
/*
 * Whether thread-local data lie above the thread pointer: on arm and aarch64; elsewhere below ("ELF Handling For
 * Thread-Local Storage", variants I and II). The program's own stand next to the pointer, its libraries' behind them.
 */
bool vmm_reading_tls_above(const struct vmm_reading *r);
/* Whether address lies in private writable memory that is no part of the kernel's own mappings. */
bool vmm_reading_writable(const struct vmm_reading *r, uint64_t address);

#endif
