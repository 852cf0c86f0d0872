/*
 * What the files of the core source share.
 * Layer: source. Everything in a core is hostile: counts, offsets and sizes are held against the file before use.
 */
#ifndef VMM_SOURCE_CORE_H
#define VMM_SOURCE_CORE_H

#include <time.h>

#include "base/err.h"
#include "format/core_notes.h"
#include "format/proc_text.h"
#include "model/build.h"
#include "model/target.h"
#include "source/bytes.h"

#define CORE_SEGMENTS_MAX 16777216u   /* PT_LOADs read at most: vm.max_map_count is rarely above a million */
#define CORE_NOTES_MAX (256u << 20)   /* bytes of notes read at most: some 50,000 threads */
#define CORE_FILES_MAX 65536u         /* different names looked up at most */

/* A PT_LOAD: memory [start, end), of which the first filesz bytes stand at offset in the core. */
struct core_segment {
	uint64_t start, end, offset, filesz;
	uint32_t flags; /* VMM_ELF_PF bits */
};

/* An entry of NT_FILE. */
struct core_mapped {
	uint64_t start, end, offset;
	uint32_t name; /* index in core_target.names */
};

/* A stretch of equal origin: becomes one mapping of the snapshot. */
struct core_piece {
	uint64_t start, end;
	uint64_t stored;      /* bytes from start on that the core really holds */
	uint64_t lost;        /* bytes behind them that it should hold, but ends before */
	uint64_t offset;      /* of start in the core */
	uint64_t file_offset; /* of start in the file that was mapped */
	uint32_t name;        /* index in core_target.names, VMM_NONE: no file */
	uint8_t prot;         /* enum vmm_prot bits, without sharing */
	uint8_t backing;
	bool shared_known, shared;
	const char *special;  /* "[vdso]"; NULL */
};

/* A file that was mapped. */
struct core_name {
	char *raw;        /* as NT_FILE, or the dynamic linker, has it */
	char *path;       /* without " (deleted)" */
	bool deleted;
	bool linked;      /* the dynamic linker's name of an image: it can be relative, and says nothing of deletion */
	uint8_t backing;  /* enum vmm_backing */
	bool shared;      /* such objects are only ever mapped shared */
	uint32_t first;   /* its piece with the lowest address */
	uint32_t header;  /* its first piece with file offset 0, VMM_NONE */
	bool looked;      /* fd and error below hold */
	int fd;           /* proved to be the same file; -1 */
	uint64_t size;    /* of it */
	int error;        /* why there is no fd: VMM_E_NO_TARGET, ... */
	bool by_shape;    /* told the same by its segments: it has no build-id */
	bool other;       /* a file stands at its path, and it is another one */
};

struct core_target {
	struct vmm_target base;
	struct vmm_bytes *bytes;
	char *path;         /* of the core */
	struct vmm_target *sidecar; /* a capture of the same process that lies beside the core, proved; NULL */
	const char *sidecar_refused; /* why one that lies there is not used; NULL */
	uint64_t sidecar_differs;    /* where */
	const char *sysroot, *debug_dirs; /* of struct vmm_open: the caller's */
	struct timespec written; /* when the core was last written to */
	bool size_known;
	uint64_t size;      /* of the core file */
	uint64_t wanted;    /* where its last byte should stand */

	struct vmm_elf_header header;
	struct core_segment *segments; /* sorted, disjoint */
	size_t segment_count, segment_capacity;
	uint32_t segments_dropped; /* PT_LOADs that overlap others or cannot be */

	unsigned char *notes; /* all PT_NOTEs behind each other */
	size_t notes_length, notes_capacity;
	bool notes_cut;
	struct vmm_core_thread *threads;
	size_t thread_count, thread_capacity;
	bool process_known, by_gdb;
	struct vmm_core_process process;
	bool signal_known;
	struct vmm_core_signal signal;
	const unsigned char *auxv;
	size_t auxv_length;
	bool has_files; /* there was a NT_FILE */

	struct core_mapped *mapped; /* sorted */
	size_t mapped_count, mapped_capacity;
	struct core_name *names;
	size_t name_count, name_capacity;
	struct core_piece *pieces; /* sorted, disjoint */
	size_t piece_count, piece_capacity;
	bool anonymous_stored; /* memory that the program wrote to was not left out */
	size_t last;           /* piece of the last read */
};

/* The value of an entry of auxv. */
bool core_auxv(const struct core_target *t, uint64_t type, uint64_t *ret_value);
/* core_read.c: header, segments and notes of the core. */
int core_load(struct core_target *t, struct vmm_err *err);
/* The number of a name of length bytes; those of neighbours are mostly equal. */
int core_name_add(struct core_target *t, const char *text, size_t length, uint32_t *ret, struct vmm_err *err);
/* core_map.c: pieces of segments and NT_FILE, what stands behind them, and the kernel's own. */
int core_map(struct core_target *t, struct vmm_err *err);
/* The piece that holds address, or the first one above it; piece_count when there is none. */
size_t core_piece_at(const struct core_target *t, uint64_t address);

/* core_links.c: adds mappings of images by the dynamic linker's list; the pieces must be those of the segments alone. */
int core_links(struct core_target *t, uint64_t page, struct vmm_err *err);

/* core_args.c: the arguments joined by spaces, from the initial stack; NULL when they are not to be found there. */
const char *core_cmdline(struct core_target *t, struct vmm_arena *arena);
/* core_sidecar.c: finds and proves a sidecar; fills a snapshot from it; what is behind mappings it told. */
int core_sidecar_open(struct core_target *t, struct vmm_err *err);
int core_sidecar_fill(struct core_target *t, const struct vmm_take *take, struct vmm_snapshot *s, struct vmm_err *err);
void core_sidecar_threads(const struct core_target *t, struct vmm_snapshot *s, const struct vmm_thread *told, uint32_t count);

/* core_fill.c: the op. */
int core_fill(struct vmm_target *base, const struct vmm_take *take, struct vmm_snapshot *s, struct vmm_err *err);

/* core_memory.c: the ops, and bytes of the core alone. */
int64_t core_read(struct vmm_target *base, uint64_t address, void *ret_bytes, size_t length, struct vmm_err *err);
int core_pages(struct vmm_target *base, uint64_t start, uint64_t end, uint32_t flags, vmm_page_fn fn, void *arg,
               struct vmm_err *err);
/* Reads length bytes that the core itself holds. False: it does not hold all of them. */
bool core_stored(struct core_target *t, uint64_t address, void *ret_bytes, size_t length);

/* core_files.c */
int core_open_file(struct vmm_target *base, const struct vmm_vma *vma, struct vmm_err *err);
/* The file of a name, proved; NULL when there is none. */
const struct core_name *core_file_of(struct core_target *t, uint32_t name);
void core_files_close(struct core_target *t);

#endif
