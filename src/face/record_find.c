/* Whom record follows: PIDs, names, trees, a cgroup. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/scan.h"
#include "face/record.h"

#define REMEMBERED_MAX 2048 /* processes that have ended are listed up to here */
#define FIND_SHARE 4 /* looking for new processes may take this part of the duty */

static bool ended(const struct vmm_glance *g)
{
	return g->state == 'Z' || g->state == 'X';
}

static bool same(const struct vmm_process_id *a, const struct vmm_process_id *b)
{
	return a->pid == b->pid && a->started == b->started;
}

int rec_add(struct recorder *r, const struct vmm_glance *g, bool given, struct vmm_err *err)
{
	struct rec_process *p;

	for (size_t i = 0; i < r->count; i++)
		if (same(&r->processes[i].id, &g->id))
			return 0;
	if (!vmm_grow(&r->processes, &r->capacity, r->count + 1, sizeof(*r->processes)))
		return vmm_fail_nomem(err);
	p = &r->processes[r->count++];
	memset(p, 0, sizeof(*p));
	p->id = g->id;
	p->given = given;
	memcpy(p->name, g->name, sizeof(p->name));
	return 0;
}

static int add_pid(struct recorder *r, uint64_t pid, struct vmm_err *err)
{
	struct vmm_glance g;
	int code = pid > 0 && pid <= INT32_MAX ? vmm_process_glance((int32_t)pid, &g, err)
	                                       : vmm_fail(err, VMM_E_GONE, 0, "%llu: no such process", (unsigned long long)pid);

	if (code == VMM_E_GONE)
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "%llu: no such process; 'vmmap ps' lists them", (unsigned long long)pid);
	if (code < 0)
		return code;
	if (g.kernel_thread || ended(&g))
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "%llu: %s: it has no memory to record", (unsigned long long)pid,
		                g.kernel_thread ? "a kernel thread" : "the process has ended");
	return rec_add(r, &g, true, err);
}

static int add_operand(struct recorder *r, const char *name, struct vmm_err *err)
{
	struct vmm_scan s = vmm_scan_init(name, strlen(name));
	uint64_t pid;

	if (vmm_scan_dec(&s, &pid) && vmm_scan_done(&s))
		return add_pid(r, pid, err);
	if (strchr(name, '/') || !name[0])
		return vmm_fail(err, VMM_E_USAGE, 0, "%.150s: no PID and no name of a process: only what runs can be recorded; "
		                "vmmap save keeps a snapshot of a file", name);
	r->names[r->name_count++] = name;
	return 0;
}

int rec_find_init(struct recorder *r, struct vmm_err *err)
{
	const struct vmm_args *args = r->args;
	int code = 0;

	if (args->operand_count == 0 && !args->program && !vmm_args_has(args, VMM_OPTION_CGROUP))
		return vmm_fail(err, VMM_E_USAGE, 0, "record needs a target: a PID, a name, --cgroup, or -- and a command");
	if (args->program && !args->program[0])
		return vmm_fail(err, VMM_E_USAGE, 0, "record: there is no command after --");
	for (size_t i = 0; i < args->operand_count && code == 0; i++)
		code = add_operand(r, args->operand[i], err);
	if (code == 0 && vmm_args_has(args, VMM_OPTION_CGROUP))
		code = vmm_cgroup_path(args->option[VMM_OPTION_CGROUP], &r->cgroup, err);
	return code;
}

bool rec_may_come(const struct recorder *r)
{
	return r->name_count > 0;
}

size_t rec_alive(struct recorder *r)
{
	size_t alive = 0;

	for (size_t i = 0; i < r->count; i++) {
		struct rec_process *p = &r->processes[i];
		struct vmm_glance g;

		if (p->ended)
			continue;
		p->ended = vmm_process_glance(p->id.pid, &g, NULL) == VMM_E_GONE || !same(&g.id, &p->id) || ended(&g);
		alive += !p->ended;
	}
	return alive;
}

void rec_forget(struct recorder *r)
{
	size_t kept = 0;

	if (r->count < REMEMBERED_MAX)
		return;
	for (size_t i = 0; i < r->count; i++) {
		if (!r->processes[i].ended) {
			r->processes[kept++] = r->processes[i];
			continue;
		}
		r->forgotten++;
		r->forgotten_kept += r->processes[i].kept > 0;
	}
	r->count = kept;
}

/* All that are followed, so that what they have started is found also when their own parent has ended. */
static int list_alive(const struct recorder *r, struct vmm_process_id **ret_ids, size_t *ret_count, struct vmm_err *err)
{
	struct vmm_process_id *ids = NULL;
	size_t capacity = 0, count = 0;

	for (size_t i = 0; i < r->count; i++) {
		if (r->processes[i].ended)
			continue;
		if (!vmm_grow(&ids, &capacity, count + 1, sizeof(*ids))) {
			free(ids);
			return vmm_fail_nomem(err);
		}
		ids[count++] = r->processes[i].id;
	}
	*ret_ids = ids;
	*ret_count = count;
	return 0;
}

/* What was found and is not followed yet. */
static int follow(struct recorder *r, const struct vmm_process_id *found, size_t count, struct vmm_err *err)
{
	struct vmm_glance g;
	int code = 0;

	for (size_t i = 0; i < count && code == 0; i++)
		if (vmm_process_runs(&found[i], &g))
			code = rec_add(r, &g, false, err);
	return code;
}

int rec_find(struct recorder *r, struct vmm_err *err)
{
	struct vmm_process_pick pick = {.names = r->names, .name_count = r->name_count, .cgroup = r->cgroup,
	                                .descendants = vmm_args_has(r->args, VMM_OPTION_TREE)};
	VMM_CLEANUP_FREE struct vmm_process_id *ids = NULL;
	VMM_CLEANUP_FREE struct vmm_process_id *found = NULL;
	uint64_t begin = vmm_now_ns(), cost;
	size_t count = 0;
	int code;

	if ((!pick.name_count && !pick.cgroup && !pick.descendants) || begin < r->find_due_ns)
		return 0;
	code = list_alive(r, &ids, &pick.id_count, err);
	pick.ids = ids;
	if (code == 0)
		code = vmm_processes_find(&pick, &found, &count, err);
	if (code == 0)
		code = follow(r, found, count, err);
	cost = vmm_now_ns() - begin;
	r->find_due_ns = begin + cost * FIND_SHARE * 1000000 / r->duty_ppm;
	r->work_ns += cost;
	return code;
}
