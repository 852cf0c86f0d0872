/* The image pass: every loaded ELF object of a snapshot becomes a module and a claim. */
#include "analysis/image.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TABLE_BYTES_MAX (UINT64_C(512) * 1024 * 1024)
#define CUTS_MAX (UINT64_C(1) << 20)
#define HOLE_MAX (UINT64_C(16) * 1024 * 1024) /* between mappings of one image, where only the map is known */

/* The mappings of one file object, by rising address. */
struct group {
	const struct vmm_vma **vmas;
	size_t count;
	const struct vmm_vma *all; /* snapshot.vmas */
	bool executable;           /* one of them is */
};

static bool is_candidate(const struct vmm_vma *vma)
{
	uint8_t b = vma->backing;

	return (b == VMM_BACKING_FILE || b == VMM_BACKING_SHMEM || b == VMM_BACKING_HUGETLB) &&
	       !(vma->prot & VMM_PROT_SHARED);
}

/* A file without a name from the start: neither deleted nor replaced. */
static bool is_memfd(const struct vmm_vma *vma)
{
	return strncmp(vma->name, "/memfd:", 7) == 0;
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int by_object(const void *a, const void *b)
{
	const struct vmm_vma *x = *(const struct vmm_vma *const *)a, *y = *(const struct vmm_vma *const *)b;
	int c = compare_u64(x->dev_major, y->dev_major);

	if (!c)
		c = compare_u64(x->dev_minor, y->dev_minor);
	if (!c)
		c = compare_u64(x->inode, y->inode);
	if (!c)
		c = compare_u64(x->backing, y->backing);
	if (!c)
		c = strcmp(x->name, y->name);
	return c ? c : compare_u64(x->start, y->start);
}

/* False for what cannot be a load, so that its file need not be opened. */
static bool may_be_loaded(const struct group *g)
{
	bool access = false;

	for (size_t i = 0; i < g->count; i++)
		access |= vmm_vma_accessible(g->vmas[i]);
	return access && (g->executable || g->count > 1 || g->vmas[0]->offset == 0);
}

/* Why nothing can be read of an object that the map shows to be loaded. */
static void note_unreadable(struct vmm_image_pass *pass, const struct group *g, int why)
{
	uint64_t at = g->vmas[0]->start;

	if (why == VMM_E_DENIED)
		vmm_snapshot_note(pass->snapshot, "elf", "denied", at,
		                  "sections and build-ids of images may not be read: run as the target's user or root, "
		                  "or give vmmap CAP_SYS_PTRACE");
	else if (why == VMM_E_UNSUPPORTED)
		vmm_snapshot_note(pass->snapshot, "elf", "guessed", at,
		                  "images are told by executable mappings of their files alone, since neither file nor memory can be read: "
		                  "sections and build-ids are not known, and .bss is shown as Private Data");
	else if (why == VMM_E_GONE)
		vmm_snapshot_note(pass->snapshot, "elf", "gone", at, "the target ended before its images were read");
	else if (pass->target->unnamed)
		vmm_snapshot_note(pass->snapshot, "elf", "unreadable", at,
		                  "the headers of an image are not in the core, so its file cannot be told: sections and build-id are "
		                  "unknown; bit 4 of coredump_filter stores them");
	else
		vmm_snapshot_note(pass->snapshot, "elf", "unreadable", at,
		                  "the file of an image is gone and its headers are not in memory: sections and "
		                  "build-id are unknown");
}

/* Bytes of the object: its file, else memory where its first page is mapped. */
static int open_bytes(struct vmm_image_pass *pass, const struct group *g, struct vmm_image_bytes *ret,
                      bool *ret_replaced)
{
	const struct vmm_vma *vma = g->vmas[0];
	int fd = pass->target->ops->open_file(pass->target, vma, pass->err);
	struct stat st;

	*ret = (struct vmm_image_bytes){.fd = fd, .target = pass->target};
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size >= 0) {
		ret->size = (uint64_t)st.st_size;
		return 0;
	}
	vmm_close_fd(&ret->fd);
	*ret_replaced = fd == VMM_E_NO_TARGET && !vma->deleted && !is_memfd(vma);
	for (size_t i = 0; i < g->count; i++)
		if (g->vmas[i]->offset == 0) {
			ret->address = g->vmas[i]->start;
			return 0;
		}
	return fd < 0 ? fd : VMM_E_IO;
}

/* A run of mappings of one object where nothing but the map is known. */
static bool belongs_to_run(const struct vmm_vma *last, const struct vmm_vma *vma)
{
	/* The next one in the snapshot, so that nothing foreign lies between. */
	return vma == last + 1 && vma->start - last->end <= HOLE_MAX && vma->offset >= last->offset;
}

/* Private mappings that may be executed and are no ELF objects: Windows' programs, and the marks that profilers look for. */
static bool is_foreign_code(const char *path)
{
	static const char *const endings[] = {".dll", ".exe", ".dump", ".DLL", ".EXE"};
	size_t n = strlen(path);

	for (size_t i = 0; i < ARRAY_LEN(endings); i++)
		if (n > strlen(endings[i]) && strcmp(path + n - strlen(endings[i]), endings[i]) == 0)
			return true;
	return false;
}

static int claim_by_map(struct vmm_image_pass *pass, const struct group *g, bool replaced, bool guess)
{
	int rc = 0;

	if (guess && is_foreign_code(g->vmas[0]->name))
		return 0;

	for (size_t i = 0, next; rc >= 0 && i < g->count; i = next) {
		struct vmm_image_origin origin = {.vma = g->vmas[i], .path = g->vmas[i]->name, .replaced = replaced};
		struct vmm_image_load load = {.base = g->vmas[i]->start, .part_count = 1};
		bool executable = false;

		next = i;
		do
			executable |= g->vmas[next++]->prot & VMM_PROT_EXEC;
		while (next < g->count && belongs_to_run(g->vmas[next - 1], g->vmas[next]));
		load.parts[0].start = load.base;
		load.parts[0].end = g->vmas[next - 1]->end;
		origin.in_memory = is_memfd(origin.vma);
		if (executable)
			rc = vmm_image_claim(pass, NULL, &load, &origin);
	}
	return rc;
}

/* Why an object whose file is not at hand is shown with less. */
static void note_file(struct vmm_image_pass *pass, uint64_t base, bool sections)
{
	struct vmm_snapshot *s = pass->snapshot;

	if (pass->target->unnamed)
		vmm_snapshot_note(s, "elf", "gone", base,
		                  "the file of an image is not at hand, or not the one that was mapped: %s, and code is missing; --sysroot or "
		                  "--debug-dir says where it is",
		                  sections ? "its sections are those of its file with debugging information" : "its segments are shown, not its sections");
	else if (!sections)
		vmm_snapshot_note(s, "elf", "gone", base,
		                  "the file of an image is deleted, replaced or may not be opened: its segments are shown, not its sections; "
		                  "CAP_CHECKPOINT_RESTORE opens it through the mapping");
}

/* Sections and build-id, once the object is known to be loaded at base. */
static int read_rest(struct vmm_image_pass *pass, struct vmm_image_file *file, const struct vmm_image_bytes *bytes,
                     uint64_t base)
{
	struct vmm_snapshot *s = pass->snapshot;
	int rc = vmm_image_file_read_build_id(file, bytes, base, pass->err);

	if (rc < 0)
		return rc;
	rc = bytes->fd >= 0 ? vmm_image_file_read_sections(file, bytes, s->arena, &pass->tables_left, pass->err)
	                    : vmm_image_file_read_debug(file, pass->target, s->arena, &pass->tables_left, pass->err);
	if (bytes->fd < 0)
		note_file(pass, base, rc > 0);
	if (rc == VMM_E_FORMAT)
		vmm_snapshot_note(s, "elf", "malformed", base,
		                  "section headers of an image contradict it: its segments are shown");
	else if (rc == VMM_E_LIMIT)
		vmm_snapshot_note(s, "elf", "limit", base,
		                  "images have too many section headers in all: segments are shown");
	return rc == VMM_E_FORMAT || rc == VMM_E_LIMIT || rc >= 0 ? 0 : rc;
}

static int claim_loads(struct vmm_image_pass *pass, const struct group *g, struct vmm_image_file *file,
                       const struct vmm_image_bytes *bytes, bool replaced)
{
	bool rest = false;
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < g->count; i++) {
		const struct vmm_vma *vma = g->vmas[i];
		struct vmm_image_origin origin = {.vma = vma, .path = vma->name, .replaced = replaced};
		struct vmm_image_load load;

		if (vma->offset != file->segments[0].page_offset || vmm_claims_find(pass->claims, vma->start, false) ||
		    !vmm_image_match(pass, file, (uint32_t)(vma - g->all), &load))
			continue;
		if (!rest)
			rc = read_rest(pass, file, bytes, load.base);
		rest = true;
		origin.in_memory = is_memfd(vma);
		if (rc >= 0)
			rc = vmm_image_claim(pass, file, &load, &origin);
	}
	return rc;
}

static int claim_group(struct vmm_image_pass *pass, const struct group *g)
{
	struct vmm_image_bytes bytes;
	struct vmm_image_file file = {0};
	bool replaced = false;
	int rc;

	if (!may_be_loaded(g))
		return 0;
	rc = open_bytes(pass, g, &bytes, &replaced);
	if (rc >= 0)
		rc = vmm_image_file_read(&file, &bytes, pass->page, pass->err);
	if (rc >= 0) {
		rc = claim_loads(pass, g, &file, &bytes, replaced);
		vmm_image_file_done(&file);
	} else if (rc != VMM_E_FORMAT && rc != VMM_E_NOMEM) {
		if (g->executable)
			note_unreadable(pass, g, rc);
		rc = claim_by_map(pass, g, replaced, rc == VMM_E_UNSUPPORTED);
	} else if (rc == VMM_E_FORMAT) {
		rc = 0;
	}
	vmm_close_fd(&bytes.fd);
	return rc;
}

static int claim_files(struct vmm_image_pass *pass)
{
	const struct vmm_snapshot *s = pass->snapshot;
	VMM_CLEANUP_FREE const struct vmm_vma **vmas = NULL;
	size_t count = 0, capacity = 0;
	int rc = 0;

	for (uint32_t i = 0; i < s->vma_count; i++)
		if (is_candidate(&s->vmas[i])) {
			if (!vmm_grow(&vmas, &capacity, count + 1, sizeof(*vmas)))
				return vmm_fail_nomem(pass->err);
			vmas[count++] = &s->vmas[i];
		}
	if (count)
		qsort(vmas, count, sizeof(*vmas), by_object);
	for (size_t i = 0; rc >= 0 && i < count;) {
		struct group g = {.vmas = vmas + i, .all = s->vmas};

		while (i < count && vmm_image_same_object(vmas[i], g.vmas[0])) {
			g.executable |= (vmas[i++]->prot & VMM_PROT_EXEC) != 0;
			g.count++;
		}
		rc = claim_group(pass, &g);
	}
	return rc;
}

/* Hands the modules to the snapshot, behind those that it has. */
static int keep_modules(struct vmm_image_pass *pass)
{
	struct vmm_snapshot *s = pass->snapshot;
	size_t total = s->module_count + pass->module_count;
	struct vmm_module *all;

	if (pass->module_count == 0)
		return 0;
	all = vmm_arena_array(s->arena, total, sizeof(*all));
	if (!all)
		return vmm_fail_nomem(pass->err);
	if (s->module_count)
		memcpy(all, s->modules, s->module_count * sizeof(*all));
	memcpy(all + s->module_count, pass->modules, pass->module_count * sizeof(*all));
	s->modules = all;
	s->module_count = (uint32_t)total;
	return 0;
}

int vmm_claim_images(struct vmm_target *t, struct vmm_snapshot *s, struct vmm_claims *c, struct vmm_err *err)
{
	struct vmm_image_pass pass = {
	    .target = t,
	    .snapshot = s,
	    .claims = c,
	    .err = err,
	    .page = s->target.page_size ? s->target.page_size : 4096,
	    .visits_left = UINT64_C(64) * s->vma_count + 65536,
	    .tables_left = TABLE_BYTES_MAX,
	    .cuts_left = CUTS_MAX,
	};
	int rc = claim_files(&pass);

	if (rc >= 0)
		rc = vmm_image_claim_memory(&pass);
	if (rc >= 0)
		rc = keep_modules(&pass);
	if (pass.visits_left == 0)
		vmm_snapshot_note(s, "elf", "limit", 0,
		                  "too many mappings to compare with ELF files: some images are not shown");
	free(pass.modules);
	return rc;
}
