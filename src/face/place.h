/*
 * What stands at one address of a snapshot; shared by the text and the JSON of the command at.
 * Layer: face.
 */
#ifndef VMM_FACE_PLACE_H
#define VMM_FACE_PLACE_H

#include "base/out.h"
#include "vmmap/snapshot.h"

/* Everything that stands at one address; members are NULL where there is nothing. */
struct vmm_place {
	uint64_t address;
	const struct vmm_region *region, *below, *above;
	const struct vmm_block *block;
	const struct vmm_vma *vma;
	const struct vmm_gap *gap;
	const struct vmm_module *module;
	const struct vmm_thread *thread;
};

struct vmm_place vmm_place_find(const struct vmm_snapshot *s, uint64_t address);

/* The whole JSON document of docs/cli.md. */
void vmm_places_json(struct vmm_out *out, const struct vmm_snapshot *s, const uint64_t *addresses, size_t count);

#endif
