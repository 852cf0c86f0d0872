/* Captures: what /proc tells of a process, kept in a tar. Beside a core they give back what cores lose (docs/captures.md). */
#ifndef VMMAP_CAPTURE_H
#define VMMAP_CAPTURE_H

#include <stdint.h>

#include "vmmap/err.h"

/* Who may see what is kept of a process: its user, or root where the kernel keeps it from its user (set-user-ID programs). */
struct vmm_capture_owner {
	uint32_t uid, gid;
	char name[32]; /* its comm, as it is: anything may stand in it */
};
/* VMM_E_GONE, VMM_E_NO_TARGET, VMM_E_DENIED. */
int vmm_capture_owner_read(int32_t pid, struct vmm_capture_owner *ret, struct vmm_err *err);

enum vmm_capture_flag {
	VMM_CAPTURE_NO_ARGUMENTS = 1, /* leave out the command line */
};

/*
 * Writes a capture of the process to a descriptor, which stays open: smaps, status, limits, threads, guard pages, its
 * cgroup's counters, what the machine's memory is. No memory and no environment of the process. flags: enum vmm_capture_flag.
 * VMM_E_NO_TARGET, VMM_E_GONE; VMM_E_DENIED: its map may not be read; VMM_E_OUTPUT; VMM_E_UNSUPPORTED: built without
 * libarchive; VMM_E_NOMEM.
 */
int vmm_capture_write(int32_t pid, int fd, uint32_t flags, struct vmm_err *err);

#endif
