/*
 * Strings in a target's present memory, with who owns them.
 *
 * Layer: analysis. Nothing is read that is not resident: absent, swapped, guard and device pages stay as they are.
 */
#ifndef VMMAP_STRINGS_H
#define VMMAP_STRINGS_H

#include "vmmap/chunks.h"
#include "vmmap/err.h"
#include "vmmap/snapshot.h"

struct vmm_target;

enum vmm_encoding {
	VMM_ENCODING_ASCII, /* printable ASCII and tabs */
	VMM_ENCODING_UTF8,  /* the same with at least one longer sequence */
	VMM_ENCODING_UTF16, /* little-endian, at any address */
	VMM_ENCODING_COUNT
};

#define VMM_STRING_SHOWN_MAX 4096 /* bytes of a string's text */
#define VMM_STRINGS_MIN_DEFAULT 6 /* characters */
#define VMM_STRINGS_MIN_MAX 4096

/* "ascii", "utf8", "utf16"; "" for another. */
const char *vmm_encoding_id(enum vmm_encoding encoding);
/* The encoding with this id, which need not end with NUL, or VMM_ENCODING_COUNT. */
enum vmm_encoding vmm_encoding_find(const char *id, size_t length);

/* One string. Valid during the call that hands it out. */
struct vmm_string {
	uint64_t address, length; /* where it lies and how many bytes it takes there */
	enum vmm_encoding encoding;
	bool cut;         /* text is only its beginning */
	const char *text; /* raw UTF-8 with NUL, at most VMM_STRING_SHOWN_MAX bytes: escape it before showing it */
	const struct vmm_region *region;
	bool owned;             /* owner is known; false outside heaps, and where a heap could not be walked */
	struct vmm_chunk owner; /* the chunk of the heap that the string begins in */
};

/* What a search saw, in bytes. */
struct vmm_strings_sums {
	uint64_t searched;   /* resident and read */
	uint64_t swapped;    /* left out: in swap */
	uint64_t unreadable; /* resident, but it could not be read */
	uint64_t ownerless;  /* strings handed out that lie in heaps that could not be walked; a count */
};

struct vmm_strings_query {
	uint32_t encodings;  /* bit i: enum vmm_encoding i; 0: all */
	uint32_t kinds;      /* bit i: enum vmm_kind i; 0: all */
	uint64_t min;        /* fewest characters; 0: VMM_STRINGS_MIN_DEFAULT */
	uint64_t start, end; /* only here; end 0: everywhere */
	bool owners;         /* walk the heaps to know the chunks */
	uint64_t top;        /* end after so many; 0: no limit */
	/* Asked about every string when it is found, its owner not yet known: false drops it. May be NULL. */
	bool (*wanted)(void *arg, const struct vmm_string *string);
	/* Gets the strings by rising address. Non-zero ends the search and is returned. */
	int (*found)(void *arg, const struct vmm_string *string);
	/* Gets what kept a heap from being walked; the same may come again. May be NULL. */
	void (*note)(void *arg, const struct vmm_note *note);
	void *arg;
};

/*
 * Searches the target's memory as it is now, in bounded memory. snapshot: of the same target, with VMM_NEED_IMAGES and
 * VMM_NEED_THREADS. What another process or the target changes meanwhile may be missed or torn. *ret_sums is filled
 * whatever comes out. 0, what found() returned, VMM_E_DENIED, VMM_E_GONE or VMM_E_NOMEM.
 */
int vmm_target_strings(struct vmm_target *target, const struct vmm_snapshot *snapshot, const struct vmm_strings_query *query,
                       struct vmm_strings_sums *ret_sums, struct vmm_err *err);

#endif
