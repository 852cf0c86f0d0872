/*
 * Loaded ELF objects: reading them, matching them with mappings, cutting them at section borders.
 *
 * Layer: analysis, private to the image pass (image*.c). Addresses called "relative" count from the page that holds
 * the first byte of the first PT_LOAD: address = base + relative, where base is where that page was mapped.
 * Counting so, a load bias that is "negative" (prelinked objects) needs no signed numbers.
 */
#ifndef VMM_ANALYSIS_IMAGE_H
#define VMM_ANALYSIS_IMAGE_H

#include "analysis/claims.h"
#include "format/elf.h"

#define VMM_IMAGE_PARTS_MAX 32 /* contiguous parts of one load that foreign mappings may make */

/* What PT_LOAD tells, with relative addresses: pages [page_start, page_end), of them the file's [.., file_page_end). */
struct vmm_image_segment {
	uint64_t start, file_end, end; /* first byte, end of the file's bytes, end of memory */
	uint64_t page_start, file_page_end, page_end;
	uint64_t offset;      /* in the file, of start */
	uint64_t page_offset; /* in the file, of page_start */
	uint32_t flags;       /* VMM_ELF_PF bits */
	bool seen;            /* scratch of vmm_image_match */
};

/* A named stretch: a section, the headers. Relative addresses. */
struct vmm_image_piece {
	uint64_t start, end;
	const char *label; /* in the snapshot's arena or static */
};

/* Where an object's bytes are read: from its file, or from memory where file offset 0 is mapped. */
struct vmm_image_bytes {
	int fd;        /* -1: memory */
	bool debug;    /* a file of debugging information: its section headers tell addresses, but neither offsets nor what has bytes */
	uint64_t size; /* of the file; unused for memory */
	struct vmm_target *target;
	uint64_t address; /* of file offset 0 in memory */
};

/* What an object says of itself. vmm_image_file_done() frees the arrays; labels stay with the snapshot. */
struct vmm_image_file {
	struct vmm_elf_header header;
	uint64_t page; /* bytes of a page of the target */
	uint64_t low;  /* p_vaddr of the first PT_LOAD, rounded down to a page */
	uint64_t span; /* relative end of the last page */
	bool size_known;
	uint64_t size; /* of the file */
	struct vmm_image_segment *segments; /* PT_LOADs by rising address */
	size_t segment_count, segment_capacity;
	struct vmm_elf_segment *notes; /* PT_NOTEs */
	size_t note_count, note_capacity;
	struct vmm_image_piece *pieces; /* headers, and sections when they were read; by rising address, disjoint */
	size_t piece_count, piece_capacity;
	uint64_t tls_start, tls_end; /* relative: what .tdata takes; equal: nothing */
	bool anonymous;     /* it lies in anonymous memory: there are no bytes of a file around its segments */
	bool sections;      /* the pieces hold the sections */
	bool build_id_read; /* build_id is valid; "" when the object has none */
	char build_id[2 * VMM_ELF_BUILD_ID_MAX + 1];
};

/* One load of an object: the stretches that belong to it, in rising order. */
struct vmm_image_load {
	uint64_t base;
	struct {
		uint64_t start, end;
	} parts[VMM_IMAGE_PARTS_MAX];
	uint32_t part_count;
};

/* How an object came to be where it is; for its module and details. */
struct vmm_image_origin {
	const struct vmm_vma *vma; /* the first mapping */
	const char *path;          /* "" when none */
	bool in_memory, replaced;
};

struct vmm_image_pass {
	struct vmm_target *target;
	struct vmm_snapshot *snapshot;
	struct vmm_claims *claims;
	struct vmm_err *err;
	uint64_t page;
	struct vmm_module *modules; /* heap array until the end of the pass */
	size_t module_count, module_capacity;
	/* What a hostile target may cost us; each is generous for real ones. */
	uint64_t visits_left; /* mappings looked at while matching */
	uint64_t tables_left; /* bytes of section headers and names read */
	uint64_t cuts_left;
};

/*
 * Reads header, program headers and the places of the headers in memory. 0; VMM_E_FORMAT: no ELF object that can be
 * loaded (*file is then empty); VMM_E_NOMEM; or the error of reading.
 */
int vmm_image_file_read(struct vmm_image_file *file, const struct vmm_image_bytes *bytes, uint64_t page,
                        struct vmm_err *err);
/*
 * Reads the sections of a file (bytes->fd set) into the pieces. 1 read, 0 there are none, VMM_E_FORMAT they lie (the
 * pieces are as before), VMM_E_LIMIT over *budget bytes, VMM_E_NOMEM. Names go to the arena.
 */
int vmm_image_file_read_sections(struct vmm_image_file *file, const struct vmm_image_bytes *bytes,
                                 struct vmm_arena *arena, uint64_t *budget, struct vmm_err *err);
/* Reads the build-id, from the file or from memory of the load at base. Only out of memory is an error. */
int vmm_image_file_read_build_id(struct vmm_image_file *file, const struct vmm_image_bytes *bytes, uint64_t base,
                                 struct vmm_err *err);
void vmm_image_file_done(struct vmm_image_file *file);

/*
 * The file of debugging information that has the build-id, where the target's files are looked for; the caller closes
 * ret->fd. False: there is none.
 */
bool vmm_image_debug_open(const struct vmm_target *target, const char *build_id, struct vmm_image_bytes *ret);
/* The sections of an object whose own file is not at hand, from that one; returns as vmm_image_file_read_sections(). */
int vmm_image_file_read_debug(struct vmm_image_file *file, const struct vmm_target *target, struct vmm_arena *arena, uint64_t *budget,
                              struct vmm_err *err);

/* length bytes from file offset on: VMM_E_FAULT when not all are there, VMM_E_IO, or an error of the target. */
int vmm_image_bytes_read(const struct vmm_image_bytes *bytes, uint64_t offset, void *ret_bytes, size_t length,
                         struct vmm_err *err);
/* The same into a heap copy, which the caller frees; also VMM_E_NOMEM. */
int vmm_image_table_read(const struct vmm_image_bytes *bytes, uint64_t offset, uint64_t length,
                         unsigned char **ret_table, struct vmm_err *err);
/* Section 0, which holds what does not fit the header's 16-bit fields. VMM_E_FORMAT for memory. */
int vmm_image_section0_read(const struct vmm_image_file *file, const struct vmm_image_bytes *bytes,
                            struct vmm_elf_section *ret, struct vmm_err *err);
/* Appends a piece; VMM_E_NOMEM. */
int vmm_image_piece_add(struct vmm_image_file *file, const struct vmm_image_piece *piece, struct vmm_err *err);

/* True when two mappings show the same file object. */
bool vmm_image_same_object(const struct vmm_vma *a, const struct vmm_vma *b);
/* True for private anonymous memory that can be part of an image: no stack, nothing special. */
bool vmm_image_is_anonymous(const struct vmm_vma *vma);
/*
 * Decides by the mappings whether the object is loaded with its first page at snapshot.vmas[first].start. True fills
 * *ret_load. The segments of an anonymous object are anonymous memory instead of mappings of a file.
 */
bool vmm_image_match(struct vmm_image_pass *pass, struct vmm_image_file *file, uint32_t first,
                     struct vmm_image_load *ret_load);

/*
 * The borders of sections (or segments) of the object at base, in the snapshot's arena. 0, VMM_E_LIMIT when there are
 * more than max, VMM_E_NOMEM.
 */
int vmm_image_cuts(const struct vmm_image_file *file, uint64_t base, struct vmm_arena *arena, uint64_t max,
                   const struct vmm_cut **ret_cuts, uint32_t *ret_count, struct vmm_err *err);

/* Adds module and claims of one load; file is NULL when nothing could be read. 0 or an error. */
int vmm_image_claim(struct vmm_image_pass *pass, const struct vmm_image_file *file, const struct vmm_image_load *load,
                    const struct vmm_image_origin *origin);

/* Objects in anonymous memory. Called after the files. */
int vmm_image_claim_memory(struct vmm_image_pass *pass);

#endif
