/*
 * Files of a target that does not run here, found again and proved to be the same.
 * Layer: source.
 */
#ifndef VMM_SOURCE_FILES_H
#define VMM_SOURCE_FILES_H

/*
 * A descriptor of the ELF file with this build-id (lower-case hex): below sysroot, at its path, or in one of the folders
 * (separated by colons; NULL: /usr/lib/debug) that hold .build-id/. The caller closes it. -1: there is none.
 */
int vmm_file_by_build_id(const char *path, const char *build_id, const char *sysroot, const char *debug_dirs);

#endif
