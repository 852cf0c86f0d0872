/*
 * Chunks of glibc that look in use and are not: those in caches of threads and in fastbins.
 * Layer: reader, private to glibc*.c.
 */
#ifndef VMM_READER_GLIBC_MARKS_H
#define VMM_READER_GLIBC_MARKS_H

#include "reader/glibc.h"
#include "reader/walk.h"

/* Addresses of chunks by rising address, each with what it is in the low bits, which alignment leaves free. */
struct glibc_marks {
	uint64_t *v; /* free() */
	size_t count, capacity;
};
#define GLIBC_MARK_CACHED 0 /* in a tcache */
#define GLIBC_MARK_OWN 1    /* a tcache itself */
#define GLIBC_MARK_FAST 2   /* in a fastbin */
#define GLIBC_MARK_BITS UINT64_C(3)

/* Whether links of free lists are mangled with their own address: since 2.32 (safe-linking). */
enum glibc_links { GLIBC_LINKS_UNKNOWN, GLIBC_LINKS_PLAIN, GLIBC_LINKS_MANGLED };

/*
 * Finds the tcaches of all threads and the chunks in them, of all arenas of one library. Calls vmm_walk_broken() where
 * a thread's tcache does not add up. VMM_E_NOMEM.
 */
int glibc_find_cached(struct vmm_walk *w, const struct glibc_copy *copy, struct glibc_marks *ret, enum glibc_links *ret_links,
                      struct vmm_err *err);

/*
 * Whether a chunk of this size whose user bytes begin at address is a tcache with chunks in it. Most are told apart by
 * bytes, length bytes of it that were read already (may be 0).
 */
bool glibc_is_cache(struct vmm_walk *w, const struct glibc_copy *copy, uint64_t address, uint64_t size, const unsigned char *bytes,
                    size_t length);
/* Chunks of these sizes may be tcaches, in all versions. */
#define GLIBC_CACHE_LEAST 0x148
#define GLIBC_CACHE_MOST 0x320

/* A chunk that may be in a fastbin, and the chunk that its link would name then; 0 ends a list. */
struct glibc_link {
	uint64_t at, next;
};
/*
 * Follows the fastbins from their heads through links, an array by rising address; chunks are multiples of align apart. On success the chunks in fastbins
 * stand in ret->v by rising address. False: a list leads to a chunk that is none, or in a circle; *ret_at tells where.
 */
bool glibc_follow_fastbins(const uint64_t *heads, unsigned head_count, const struct glibc_link *links, size_t count, uint64_t align,
                           struct glibc_marks *ret, uint64_t *ret_at, int *ret_code);

#endif
