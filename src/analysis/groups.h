/*
 * Groups of equal chunks, in bounded memory.
 * Layer: analysis, private to the survey of heaps.
 */
#ifndef VMM_ANALYSIS_GROUPS_H
#define VMM_ANALYSIS_GROUPS_H

#include "vmmap/content.h"

#define VMM_GROUPS_MAX 262144

/* Chunks of one size with one beginning; bytes behind the chunk's end are 0. */
struct vmm_group {
	uint64_t size, count, address;
	unsigned char prefix[VMM_CONTENT_LOOK];
};

struct vmm_groups {
	struct vmm_group *v;
	size_t count, capacity;
	uint32_t *slots; /* index in v plus 1; 0: empty */
	size_t slot_count, slot_capacity;
	size_t most;     /* VMM_GROUPS_MAX, less in tests */
	bool dropped;         /* groups were dropped to make room */
	uint64_t missed_bytes; /* by how much a group may be too small then */
};

void vmm_groups_init(struct vmm_groups *g, size_t most);
void vmm_groups_done(struct vmm_groups *g);
/* Counts one chunk. False: out of memory. */
bool vmm_groups_add(struct vmm_groups *g, uint64_t size, uint64_t address, const unsigned char prefix[VMM_CONTENT_LOOK]);
/* Sorts by bytes together, most first, then by size and address; nothing may be added afterwards. */
void vmm_groups_sort(struct vmm_groups *g);

#endif
