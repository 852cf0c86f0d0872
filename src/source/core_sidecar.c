/*
 * Sidecars: a capture of /proc that was taken while the process still had one, beside its core. What it tells of the
 * mappings holds only when both tell the same map of the same process; then the core has all numbers again.
 */
#include <stdlib.h>
#include <string.h>

#include "source/capture.h"
#include "source/core.h"

/*
 * The part of a mapping's protection that a core tells. gdb writes down whether what it stores may be written to, and lists
 * nothing else (gcore.c, gcore_create_callback).
 */
static uint8_t told_prot(const struct core_target *t, const struct core_piece *p)
{
	if (!t->by_gdb)
		return VMM_PROT_READ | VMM_PROT_WRITE | VMM_PROT_EXEC;
	return p->stored ? VMM_PROT_WRITE : 0;
}

/* One piece of the core against the mappings that the capture has there. False: *ret_at differs. */
static bool piece_fits(const struct core_target *t, const struct core_piece *p, const struct vmm_snapshot *side, uint64_t *ret_at)
{
	uint64_t at = p->start;

	while (at < p->end) {
		const struct vmm_vma *v = vmm_snapshot_vma_at(side, at);

		*ret_at = at;
		if (!v || ((v->prot ^ p->prot) & told_prot(t, p)))
			return false;
		if (p->name != VMM_NONE && (strcmp(v->name, t->names[p->name].path) != 0 || v->offset + (at - v->start) != p->file_offset + (at - p->start)))
			return false;
		at = v->end;
	}
	return true;
}

/* What the kernel writes into a core it lists whole: each mapping of the process must be there. */
static bool is_covered(const struct core_target *t, const struct vmm_vma *v)
{
	size_t at = core_piece_at(t, v->start);

	return at < t->piece_count && t->pieces[at].start <= v->start;
}

static const char *why_not(const struct core_target *t, const struct vmm_snapshot *side, uint64_t *ret_at)
{
	*ret_at = 0;
	if (t->process_known && side->target.pid && t->process.pid != side->target.pid && t->process.pid != side->target.ns_pid)
		return "it is of another process";
	for (size_t i = 0; i < t->piece_count; i++)
		if (!piece_fits(t, &t->pieces[i], side, ret_at))
			return "its mappings differ from those of the core from this address on";
	for (uint32_t i = 0; i < side->vma_count && !t->by_gdb && !t->segments_dropped; i++) {
		const struct vmm_vma *v = &side->vmas[i];

		*ret_at = v->start;
		if (v->prot & VMM_PROT_WRITE && !(v->prot & VMM_PROT_SHARED) && !is_covered(t, v))
			return "it has mappings that the core lacks, from this address on";
	}
	return side->partial ? "it was cut off" : NULL;
}

static int prove(struct core_target *t, struct vmm_target *side, struct vmm_err *err)
{
	struct vmm_take take = {.needs = VMM_NEED_MAPS};
	struct vmm_snapshot *s = vmm_snapshot_create();
	int rc = s ? side->ops->fill(side, &take, s, NULL) : VMM_E_NOMEM;

	if (rc == VMM_E_NOMEM)
		rc = vmm_fail_nomem(err);
	else
		t->sidecar_refused = rc < 0 ? "it cannot be read" : why_not(t, s, &t->sidecar_differs);
	vmm_snapshot_destroy(s);
	return rc == VMM_E_NOMEM ? rc : 0;
}

int core_sidecar_open(struct core_target *t, struct vmm_err *err)
{
	struct vmm_target *side = NULL;
	int rc = vmm_capture_beside(t->path, t->process_known ? t->process.pid : 0, &side, NULL);

	if (rc == VMM_E_NOMEM)
		return vmm_fail_nomem(err);
	if (rc == VMM_E_NO_TARGET)
		return 0;
	if (rc < 0) {
		t->sidecar_refused = "it cannot be read";
		return 0;
	}
	rc = prove(t, side, err);
	if (rc < 0 || t->sidecar_refused) {
		vmm_target_close(side);
		return rc;
	}
	t->sidecar = side;
	t->base.unnamed = false;
	t->base.guards_told = side->guards_told;
	t->base.residency_told = side->residency_told;
	return 0;
}

/* Bytes of a mapping that the core holds. What it does not list it does not hold. */
static void fill_stored(const struct core_target *t, struct vmm_vma *v)
{
	uint64_t sum = 0;

	for (size_t i = core_piece_at(t, v->start); i < t->piece_count && t->pieces[i].start < v->end; i++) {
		const struct core_piece *p = &t->pieces[i];
		uint64_t start = vmm_max_u64(p->start, v->start), end = vmm_min_u64(p->start + p->stored, v->end);

		sum += end > start ? end - start : 0;
	}
	vmm_metric_set(&v->m, VMM_METRIC_STORED, sum);
}

int core_sidecar_fill(struct core_target *t, const struct vmm_take *take, struct vmm_snapshot *s, struct vmm_err *err)
{
	int rc = t->sidecar->ops->fill(t->sidecar, take, s, err);

	for (uint32_t i = 0; rc == 0 && i < s->vma_count; i++)
		fill_stored(t, &s->vmas[i]);
	if (rc == 0)
		vmm_snapshot_note(s, "sidecar", "used", 0, "numbers, names and flags of mappings are those of the capture beside the core");
	return rc;
}

void core_sidecar_threads(const struct core_target *t, struct vmm_snapshot *s, const struct vmm_thread *told, uint32_t count)
{
	if (!t->sidecar)
		return;
	for (uint32_t i = 0; i < s->thread_count; i++) {
		struct vmm_thread *th = &s->threads[i];

		/* A core numbers threads as the process's own PID namespace does. */
		for (uint32_t k = 0; k < count; k++) {
			if (told[k].tid != th->tid && told[k].ns_tid != th->tid)
				continue;
			th->tid = told[k].tid;
			th->ns_tid = told[k].ns_tid;
			th->name = told[k].name;
			th->state = told[k].state;
			break;
		}
	}
}
