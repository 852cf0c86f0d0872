/* Listing processes. Layer: source. */
#ifndef VMM_SOURCE_PROCESSES_H
#define VMM_SOURCE_PROCESSES_H

#include "base/arena.h"
#include "vmmap/target.h"

/* PIDs of all processes, rising. *ret_pids is the caller's: free(). */
int vmm_process_pids(int32_t **ret_pids, size_t *ret_count, struct vmm_err *err);

/*
 * What status, smaps_rollup, maps and cgroup tell of one process, as far as needs (enum vmm_process_need) asks;
 * VMM_PROCESS_COMMITTED is not answered here. Strings go into the arena. VMM_E_GONE: it has ended; VMM_E_NOMEM.
 */
int vmm_process_read(int32_t pid, uint32_t needs, struct vmm_arena *arena, struct vmm_process *ret, struct vmm_err *err);

/* vm.max_map_count: mappings that one process may have; 0 when it is not told. */
uint64_t vmm_max_map_count(void);

#endif
