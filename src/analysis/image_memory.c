/* ELF objects without a file: loaded into anonymous memory by packers, agents and hand-made loaders. */
#include "analysis/image.h"

#include <stdlib.h>
#include <string.h>

#define WINDOW_BYTES (4 * 1024 * 1024) /* mappings asked about with one look at the page map */
#define OBJECTS_MAX 1024               /* ELF headers looked into */
#define REACH 32                       /* mappings from an object's first one to its first executable one */
#define CHUNK_BYTES (64 * 1024)        /* read at once where mappings are small */
#define DENSE_BYTES (16 * 1024)        /* from mapping to mapping, below which that is cheaper */

struct search {
	struct vmm_image_pass *pass;
	const struct vmm_vma *vmas;
	uint32_t first, at, end; /* mappings of the window; at: the page map's walk has come so far */
	bool *present;           /* by index - first: its first page is */
	unsigned char *chunk;    /* CHUNK_BYTES of memory from chunk_start on */
	uint64_t chunk_start, chunk_end;
	uint32_t objects;
};

static int mark_run(void *arg, const struct vmm_page_run *run)
{
	struct search *q = arg;

	while (q->at < q->end && q->vmas[q->at].start < run->start)
		q->at++;
	for (; q->at < q->end && q->vmas[q->at].start < run->end; q->at++)
		q->present[q->at - q->first] = (run->what & VMM_PAGE_PRESENT) && !(run->what & VMM_PAGE_GUARD);
	return 0;
}

/* True when mapping i, whose first page is present, begins like an ELF file. */
static bool has_magic(struct search *q, uint32_t i)
{
	struct vmm_target *t = q->pass->target;
	uint64_t address = q->vmas[i].start;
	unsigned char magic[4];

	if (address < q->chunk_start || address >= q->chunk_end) {
		if (i + 1 == q->end || q->vmas[i + 1].start - address > DENSE_BYTES)
			return t->ops->read(t, address, magic, sizeof(magic), NULL) == sizeof(magic) &&
			       memcmp(magic, "\177ELF", 4) == 0;
		q->chunk_start = address;
		q->chunk_end = vmm_min_u64(vmm_add_sat(address, CHUNK_BYTES), q->vmas[q->end - 1].end);
		if (vmm_target_read_present(t, address, q->chunk, (size_t)(q->chunk_end - address), NULL, NULL) < 0)
			q->chunk_end = q->chunk_start;
	}
	return address < q->chunk_end && memcmp(q->chunk + (address - q->chunk_start), "\177ELF", 4) == 0;
}

/* Looks for an object at the start of mapping i. */
static int probe(struct search *q, uint32_t i)
{
	struct vmm_image_pass *pass = q->pass;
	const struct vmm_vma *vma = &q->vmas[i];
	struct vmm_image_bytes bytes = {.fd = -1, .target = pass->target, .address = vma->start};
	struct vmm_image_origin origin = {.vma = vma, .path = "", .in_memory = true};
	struct vmm_image_load load;
	struct vmm_image_file file;
	int rc;

	if (vmm_claims_find(pass->claims, vma->start, false) || !has_magic(q, i))
		return 0;
	if (++q->objects > OBJECTS_MAX) {
		vmm_snapshot_note(pass->snapshot, "elf", "limit", vma->start,
		                  "too many ELF headers in memory: the rest was left out");
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

/* Probes the mappings of the window that have something executable in reach. */
static int probe_window(struct search *q, uint32_t run_end)
{
	uint32_t executable = q->first;
	int rc = 0;

	for (uint32_t i = q->first; rc >= 0 && i < q->end; i++) {
		executable = executable < i ? i : executable;
		while (executable < run_end && executable - i <= REACH && !(q->vmas[executable].prot & VMM_PROT_EXEC))
			executable++;
		if (q->present[i - q->first] && executable < run_end && executable - i <= REACH)
			rc = probe(q, i);
	}
	return rc;
}

/* Probes mappings [i, end) of one contiguous run, a window at a time. */
static int probe_run(struct search *q, uint32_t i, uint32_t end)
{
	struct vmm_target *t = q->pass->target;
	uint64_t page = q->pass->page;
	uint32_t executable = i;
	int rc = 0;

	for (; rc >= 0 && i < end; i = q->end) {
		executable = executable < i ? i : executable;
		while (executable < end && !(q->vmas[executable].prot & VMM_PROT_EXEC))
			executable++;
		if (executable == end)
			return 0;
		if (executable - i > REACH)
			i = executable - REACH;
		q->first = q->at = i;
		q->end = i + 1;
		while (q->end < end && q->vmas[q->end].start - q->vmas[i].start < WINDOW_BYTES)
			q->end++;
		memset(q->present, 0, q->end - i);
		/* When nothing may be read, the files have told so already. */
		if (t->ops->pages(t, q->vmas[i].start, q->vmas[q->end - 1].start + page, 0, mark_run, q, NULL) < 0)
			return 0;
		rc = probe_window(q, end);
	}
	return rc;
}

/* The end of the contiguous anonymous run that starts at i; *ret_executable: there is something to execute in it. */
static uint32_t run_end(const struct vmm_snapshot *s, uint32_t i, bool *ret_executable)
{
	*ret_executable = false;
	do
		*ret_executable |= (s->vmas[i++].prot & VMM_PROT_EXEC) != 0;
	while (i < s->vma_count && vmm_image_is_anonymous(&s->vmas[i]) && s->vmas[i].start == s->vmas[i - 1].end);
	return i;
}

int vmm_image_claim_memory(struct vmm_image_pass *pass)
{
	const struct vmm_snapshot *s = pass->snapshot;
	VMM_CLEANUP_FREE bool *present = NULL;
	VMM_CLEANUP_FREE unsigned char *chunk = NULL;
	struct search q = {.pass = pass, .vmas = s->vmas};
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
		if (present && !chunk)
			chunk = vmm_alloc_hook(NULL, CHUNK_BYTES);
		if (!chunk)
			return vmm_fail_nomem(pass->err);
		q.present = present;
		q.chunk = chunk;
		rc = probe_run(&q, i, end);
	}
	return rc;
}
