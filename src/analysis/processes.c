/* The list of processes: what is cheap from the source, what is charged from a snapshot of each. */
#include "source/processes.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "vmmap/vmmap.h"

/* Committed and private need every mapping: one read of smaps answers all other numbers as well. */
static int add_snapshot(struct vmm_process *p, struct vmm_arena *arena)
{
	struct vmm_take take = {.needs = VMM_NEED_MAPS | VMM_NEED_SMAPS | VMM_NEED_PAGES};
	struct vmm_snapshot *s;
	struct vmm_target *t;
	int rc = vmm_target_open_pid(p->pid, &t, NULL);

	if (rc < 0)
		return rc;
	rc = vmm_target_snapshot(t, &take, &s, NULL);
	vmm_target_close(t);
	if (rc < 0)
		return rc;
	if (s->unreadable) {
		rc = VMM_E_DENIED;
	} else {
		p->m = s->total.m;
		p->mappings_known = true;
		p->mappings = s->vma_count;
		if (s->vma_count && s->vmas[s->vma_count - 1].start >= s->target.user_end)
			p->mappings--;
		if (!vmm_metric_known(&p->m, VMM_METRIC_COMMITTED))
			p->missing = "guard pages may not be read: run as its user or root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH";
	}
	vmm_snapshot_destroy(s);
	return rc;
}

static int read_one(struct vmm_process_list *list, int32_t pid, uint32_t needs, struct vmm_err *err)
{
	uint32_t cheap = needs & VMM_PROCESS_COMMITTED ? needs & ~(uint32_t)(VMM_PROCESS_ROLLUP | VMM_PROCESS_MAPPINGS) : needs;
	struct vmm_process *p = &list->processes[list->count];
	int rc = vmm_process_read(pid, cheap, list->arena, p, err);

	if (rc == VMM_E_GONE || rc == VMM_E_DENIED)
		return 0; /* ended, or hidden by hidepid */
	if (rc < 0)
		return rc;
	if (needs & VMM_PROCESS_COMMITTED && !p->kernel_thread && !p->mappings_known) {
		rc = add_snapshot(p, list->arena);
		if (rc == VMM_E_NOMEM)
			return vmm_fail_nomem(err);
		if (rc == VMM_E_GONE || rc == VMM_E_NO_TARGET)
			return 0;
		if (rc == VMM_E_DENIED)
			p->missing = "not permitted: run as its user or root, or with CAP_PERFMON";
	}
	list->denied += p->missing[0] != '\0';
	list->count++;
	return 0;
}

int vmm_process_list_read(uint32_t needs, struct vmm_process_list **ret_list, struct vmm_err *err)
{
	struct vmm_arena *arena = vmm_arena_create();
	struct vmm_process_list *list = arena ? vmm_arena_alloc(arena, sizeof(*list)) : NULL;
	int32_t *pids = NULL;
	size_t count = 0;
	int rc = list ? vmm_process_pids(&pids, &count, err) : vmm_fail_nomem(err);

	if (rc == 0) {
		list->arena = arena;
		list->processes = vmm_arena_array(arena, count ? count : 1, sizeof(*list->processes));
		rc = list->processes ? 0 : vmm_fail_nomem(err);
	}
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = read_one(list, pids[i], needs, err);
	free(pids);
	if (rc < 0) {
		vmm_arena_destroy(arena);
		return rc;
	}
	list->max_map_count = vmm_max_map_count();
	list->max_map_count_known = list->max_map_count != 0;
	*ret_list = list;
	return 0;
}

void vmm_process_list_destroy(struct vmm_process_list *list)
{
	if (list)
		vmm_arena_destroy(list->arena);
}
