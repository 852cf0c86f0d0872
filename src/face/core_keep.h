/*
 * Keeping cores in a folder: a stream becomes a sparse file, old ones make room, nobody fills the disk.
 * Layer: face. All names are relative to an open folder that only its owner may write to.
 */
#ifndef VMM_FACE_CORE_KEEP_H
#define VMM_FACE_CORE_KEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "vmmap/err.h"

#define VMM_CORE_NAME 192 /* bytes of a file's name */

struct vmm_core_limits {
	uint64_t core_bytes;  /* of one core; UINT64_MAX: none */
	uint32_t keep_count;  /* cores in the folder; 0: no limit */
	uint64_t keep_bytes;  /* of all; 0: no limit */
	uint64_t free_bytes;  /* left on the disk, as bytes */
	uint32_t free_percent; /* and as a share of it */
};

/* Opens the folder, makes it when there is none. VMM_E_OUTPUT: others may write to it, or it cannot be opened. */
int vmm_core_folder(const char *path, int *ret_fd, struct vmm_err *err);
/* Deletes the oldest cores with their sidecars until one more fits the limits, and what a killed helper left half-written. */
void vmm_core_make_room(int dir_fd, const struct vmm_core_limits *limits);

/* A file that is being written: has no name that anybody would take for a core until it is finished. */
struct vmm_core_file {
	int dir_fd, fd;
	char part[VMM_CORE_NAME + 16];
};
int vmm_core_file_begin(struct vmm_core_file *f, int dir_fd, const char *name, struct vmm_err *err);
/* Gives the file to its owner and its name; keep false, or a failure: it is gone. Nothing is ever replaced. */
int vmm_core_file_end(struct vmm_core_file *f, const char *name, uint32_t uid, uint32_t gid, bool keep, struct vmm_err *err);

struct vmm_core_copied {
	uint64_t bytes;   /* of the core, holes too */
	uint64_t written; /* to the disk */
	const char *cut;  /* why it ends early; NULL: it is whole */
};
/*
 * Copies a stream until it ends, a limit is reached, or *stop is set; pages of zeros become holes. packed: zstd.
 * VMM_E_OUTPUT: nothing could be written; VMM_E_UNSUPPORTED: no zstd in this build; VMM_E_NOMEM.
 */
int vmm_core_copy(int from, int to, const struct vmm_core_limits *limits, bool packed, const volatile int *stop,
                  struct vmm_core_copied *ret, struct vmm_err *err);

#endif
