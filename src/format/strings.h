/*
 * Finding strings in bytes: fed with windows, it goes on across their borders.
 * Layer: format. Pure: no I/O. One finder is used by one thread.
 *
 * A byte string is a run of printable ASCII, tabs and, where UTF-8 is wanted, valid sequences of printable characters.
 * A UTF-16 string is a run of units of one script with ASCII and common signs. A run that is not mostly ASCII counts
 * only when a zero unit follows it: most of all numbers would be a letter of some script.
 */
#ifndef VMM_FORMAT_STRINGS_H
#define VMM_FORMAT_STRINGS_H

#include "base/base.h"
#include "vmmap/strings.h"

/* One string found. text is UTF-8 with NUL and valid until the function returns. */
struct vmm_strings_hit {
	uint64_t address, length; /* in the memory that was searched, bytes */
	enum vmm_encoding encoding;
	bool cut;
	const char *text;
	size_t text_length;
};

/* Non-zero ends the search. */
typedef int (*vmm_strings_fn)(void *arg, const struct vmm_strings_hit *hit);

struct vmm_strings;

/* encodings: bits as in vmm_strings_query, min: characters, 1 at least. NULL: out of memory. Destroy allows NULL. */
struct vmm_strings *vmm_strings_create(uint32_t encodings, uint64_t min, vmm_strings_fn fn, void *arg);
void vmm_strings_destroy(struct vmm_strings *f);

/*
 * Searches the bytes at address. When address is not where the last window ended, strings do not go on from there.
 * Returns 0 or what fn returned; then no more is searched. Hits of one encoding come by rising address.
 */
int vmm_strings_feed(struct vmm_strings *f, uint64_t address, const void *bytes, size_t length);
/* Nothing follows the last window: ends what is open. */
int vmm_strings_end(struct vmm_strings *f);
/* Hits to come lie at this address or above. */
uint64_t vmm_strings_pending(const struct vmm_strings *f);

#endif
