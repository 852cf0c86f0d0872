/*
 * What stands at one address of a snapshot; shared by the text and the JSON of the command at.
 * Layer: face.
 */
#ifndef VMM_FACE_PLACE_H
#define VMM_FACE_PLACE_H

#include "face/look.h"
#include "vmmap/chunks.h"
#include "vmmap/content.h"
#include "vmmap/snapshot.h"

/* What is looked up of an address while the target is open. */
struct vmm_place_names {
	bool named;                 /* symbol is set */
	struct vmm_symbol symbol;
	bool decoded;               /* content is set: what the chunk at the address begins with */
	struct vmm_content content;
};

/* Everything that stands at one address; members are NULL where there is nothing. */
struct vmm_place {
	uint64_t address;
	const struct vmm_region *region, *below, *above;
	const struct vmm_block *block;
	const struct vmm_vma *vma;
	const struct vmm_gap *gap;
	const struct vmm_module *module;
	const struct vmm_thread *thread;
	const struct vmm_heap *heap;
	const struct vmm_chunk_at *chunk; /* of heaps: what holds the address */
	const struct vmm_symbol *symbol;  /* of images */
	const struct vmm_content *content; /* of chunks that could be read */
};

/* at: what the heap has at the address; names: of the same address. Both are kept in the result. */
struct vmm_place vmm_place_find(const struct vmm_snapshot *s, const struct vmm_chunk_at *at, const struct vmm_place_names *names);

/* The answer in text. */
void vmm_place_put(struct vmm_out *out, const struct vmm_look *look, const struct vmm_snapshot *s, const struct vmm_place *p);
/* The heap's part of an answer in text: chunk, neighbours, first bytes. */
void vmm_place_put_chunk(struct vmm_out *out, const struct vmm_look *look, const struct vmm_place *p);

/*
 * Looks up in the open target what the snapshot, which was taken of it, does not tell: chunks, symbols, contents. at has the
 * addresses. *ret_symbols is what names refer to, and the caller's to destroy, also after an error. VMM_E_GONE, VMM_E_NOMEM.
 */
int vmm_places_look(struct vmm_target *t, const struct vmm_snapshot *s, struct vmm_chunk_at *at, struct vmm_place_names *names,
                    size_t count, struct vmm_symbols **ret_symbols, struct vmm_err *err);

/* The whole JSON document of docs/cli.md. */
void vmm_places_json(struct vmm_out *out, const struct vmm_snapshot *s, const struct vmm_chunk_at *at,
                     const struct vmm_place_names *names, size_t count);

#endif
