/*
 * Files of a target that does not run here, found again and proved to be the same; and files opened without harm.
 * Layer: source. Everything in such a file may be hostile.
 */
#ifndef VMM_SOURCE_FILES_H
#define VMM_SOURCE_FILES_H

#include <sys/stat.h>

#include "format/elf.h"

/*
 * Opens a regular file and nothing else: a FIFO would block, a device could act. With root >= 0 the path and links on it
 * stay below root. -1: there is none.
 */
int vmm_file_open_regular(int root, const char *path);
/* The same of a file that the user named: relative to dir_fd, with flags of open() besides. -1: errno says why. */
int vmm_file_open_named(int dir_fd, const char *path, int flags, struct stat *ret);

/* What tells two ELF objects apart. */
struct vmm_file_identity {
	unsigned char header[VMM_ELF_HEADER_BYTES];
	unsigned char *table; /* raw program headers; vmm_file_identity_done() */
	size_t table_length;
	bool id_known; /* id_length 0 means that there is none */
	size_t id_length;
	unsigned char id[VMM_ELF_BUILD_ID_MAX];
};
/* Reads length bytes of an object at offset, all of them or false. */
typedef bool (*vmm_file_read_fn)(void *arg, uint64_t offset, void *ret_bytes, size_t length);
/*
 * False: no ELF object stands there, or it cannot be read. A build-id that cannot be read is not known. In either case
 * vmm_file_identity_done() comes after it.
 */
bool vmm_file_identify(vmm_file_read_fn read, void *arg, struct vmm_file_identity *ret);
bool vmm_file_identify_fd(int fd, struct vmm_file_identity *ret);
void vmm_file_identity_done(struct vmm_file_identity *id);

/*
 * Where files are looked for: below sysroot, at their path, in folders (separated by colons) that hold .build-id/,
 * usr/lib/debug/.build-id/, or what debuginfod's client keeps, BUILD-ID/executable and BUILD-ID/debuginfo.
 */
struct vmm_file_places {
	const char *sysroot;    /* NULL or "": nowhere else */
	const char *debug_dirs; /* NULL: /usr/lib/debug */
};
/* Whether a descriptor is of the file that is looked for; named: it stands at the file's own path. */
typedef bool (*vmm_file_accept_fn)(void *arg, int fd, bool named);
/*
 * The first file that accept takes, of those that may be the one with this path and build-id (lower-case hex; too short:
 * not looked for by it). The caller closes it. -1: there is none.
 */
int vmm_file_find(const struct vmm_file_places *places, const char *path, const char *build_id, vmm_file_accept_fn accept, void *arg);
/* The file with the symbols and sections of the object that has this build-id, which holds none of its code; -1: none. */
int vmm_file_debug(const struct vmm_file_places *places, const char *build_id);
/* The same of the ELF file that has this build-id. */
int vmm_file_by_build_id(const struct vmm_file_places *places, const char *path, const char *build_id);

#endif
