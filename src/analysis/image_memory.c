/* ELF objects without a file: loaded into anonymous memory by packers, agents and hand-made loaders. */
#include "analysis/image.h"

#include <string.h>

#define WINDOW_BYTES (4 * 1024 * 1024) /* mappings asked about with one look at the page map */
#define OBJECTS_MAX 1024               /* ELF headers looked into */
#define REACH 32                       /* mappings from an object's first one to its first executable one */

/* Mappings of one window whose first page is present. */
struct window {
	const struct vmm_vma *vmas;
	uint32_t at, end;
	bool *present; /* by index - first */
	uint32_t first;
};

static int mark_run(void *arg, const struct vmm_page_run *run)
{
	struct window *w = arg;

	while (w->at < w->end && w->vmas[w->at].start < run->start)
		w->at++;
	for (; w->at < w->end && w->vmas[w->at].start < run->end; w->at++)
		w->present[w->at - w->first] = run->what & VMM_PAGE_PRESENT && !(run->what & VMM_PAGE_GUARD);
	return 0;
}

/* The end of the contiguous anonymous run that starts at i; *ret_executable: there is something to execute in it. */
static uint32_t run_end(const struct vmm_snapshot *s, uint32_t i, bool *ret_executable)
{
	*ret_executable = false;
	do
		*ret_executable |= s->vmas[i++].prot & VMM_PROT_EXEC;
	while (i < s->vma_count && vmm_image_is_anonymous(&s->vmas[i]) && s->vmas[i].start == s->vmas[i - 1].end);
	return i;
}

/* Looks for an object at the start of mapping i, whose first page is present. */
static int probe(struct vmm_image_pass *pass, uint32_t i, uint32_t *objects)
{
	const struct vmm_vma *vma = &pass->snapshot->vmas[i];
	const struct vmm_claim *claim = vmm_claims_find(pass->claims, vma->start, false);
	struct vmm_image_bytes bytes = {.fd = -1, .target = pass->target, .address = vma->start};
	struct vmm_image_origin origin = {.vma = vma, .path = "", .in_memory = true};
	struct vmm_image_load load;
	struct vmm_image_file file;
	unsigned char magic[4];
	int rc;

	if (claim || pass->target->ops->read(pass->target, vma->start, magic, sizeof(magic), NULL) != sizeof(magic) ||
	    memcmp(magic, "\177ELF", 4) != 0)
		return 0;
	if (++*objects > OBJECTS_MAX) {
		vmm_snapshot_note(pass->snapshot, "elf", "limit", vma->start, "too many ELF headers in memory: the rest was left out");
		return 0;
	}
	rc = vmm_image_file_read(&file, &bytes, pass->page, pass->err);
	if (rc < 0)
		return rc == VMM_E_NOMEM ? rc : 0;
	file.anonymous = true;
	if (file.segments[0].page_offset == 0 && vmm_image_match(pass, &file, i, &load)) {
		rc = vmm_image_file_read_build_id(&file, &bytes, load.base, pass->err);
		if (rc >= 0)
			rc = vmm_image_claim(pass, &file, &load, &origin);
	}
	vmm_image_file_done(&file);
	return rc;
}

/* The first executable mapping from i on, or end. */
static uint32_t next_executable(const struct vmm_vma *vmas, uint32_t i, uint32_t end)
{
	while (i < end && !(vmas[i].prot & VMM_PROT_EXEC))
		i++;
	return i;
}

/* Probes mappings [i, end) of one run, a window at a time. */
static int probe_run(struct vmm_image_pass *pass, uint32_t i, uint32_t end, bool *present, uint32_t *objects)
{
	const struct vmm_vma *vmas = pass->snapshot->vmas;
	uint32_t executable = i;
	int rc = 0;

	while (rc >= 0 && i < end) {
		struct window w = {.vmas = vmas, .at = i, .end = i + 1, .first = i, .present = present};

		executable = next_executable(vmas, executable < i ? i : executable, end);
		if (executable == end)
			return 0;
		if (executable - i > REACH) {
			i = executable - REACH;
			continue;
		}
		while (w.end < end && w.end <= executable && vmas[w.end].start - vmas[i].start < WINDOW_BYTES)
			w.end++;
		memset(present, 0, w.end - i);
		rc = pass->target->ops->pages(pass->target, vmas[i].start, vmas[w.end - 1].start + pass->page, 0, mark_run, &w,
		                              NULL);
		if (rc < 0) /* nothing may be read, which the file pass has told */
			return 0;
		for (; rc >= 0 && i < w.end; i++)
			if (present[i - w.first])
				rc = probe(pass, i, objects);
	}
	return rc;
}

int vmm_image_claim_memory(struct vmm_image_pass *pass)
{
	const struct vmm_snapshot *s = pass->snapshot;
	VMM_CLEANUP_FREE bool *present = NULL;
	uint32_t objects = 0;
	int rc = 0;

	for (uint32_t i = 0, end; rc >= 0 && i < s->vma_count; i = end) {
		bool executable;

		end = i + 1;
		if (!vmm_image_is_anonymous(&s->vmas[i]))
			continue;
		end = run_end(s, i, &executable);
		if (!executable)
			continue;
		if (!present)
			present = vmm_alloc_hook(NULL, s->vma_count);
		if (!present)
			return vmm_fail_nomem(pass->err);
		rc = probe_run(pass, i, end, present, &objects);
	}
	return rc;
}
