/* From a load to its module and claims. */
#include "analysis/image.h"

#include <string.h>

#include "base/out.h"

static const char *keep_text(struct vmm_image_pass *pass, struct vmm_out *out)
{
	VMM_CLEANUP_FREE char *text = NULL;
	const char *kept;
	size_t length;

	text = vmm_out_take(out, &length);
	kept = text ? vmm_arena_strndup(pass->snapshot->arena, text, length) : NULL;
	if (!kept)
		vmm_fail_nomem(pass->err);
	return kept;
}

/* "/usr/bin/x (PIE), deleted, build-id 0123456789abcdef…, part 1 of 2"; NULL: out of memory. */
static const char *details_of(struct vmm_image_pass *pass, const struct vmm_image_file *file,
                              const struct vmm_module *m, uint32_t part, uint32_t parts)
{
	struct vmm_out *out = vmm_out_create_memory();
	const size_t shown = 16; /* hex digits of the build-id */

	if (!out) {
		vmm_fail_nomem(pass->err);
		return NULL;
	}
	vmm_out_text(out, m->path[0] ? m->path : "ELF object");
	if (file && file->header.type == VMM_ELF_EXEC)
		vmm_out_text(out, " (not PIE)");
	else if (file && m->program)
		vmm_out_text(out, " (PIE)");
	if (m->deleted)
		vmm_out_text(out, ", deleted");
	if (m->replaced)
		vmm_out_text(out, ", replaced on disk");
	if (m->in_memory)
		vmm_out_text(out, ", in memory");
	if (m->build_id && m->build_id[0]) {
		size_t length = strlen(m->build_id);

		vmm_out_text(out, ", build-id ");
		vmm_out_bytes(out, m->build_id, length < shown ? length : shown);
		if (length > shown)
			vmm_out_text(out, "…");
	}
	if (parts > 1)
		vmm_out_printf(out, ", part %u of %u", part + 1, parts);
	return keep_text(pass, out);
}

/* The cuts that matter in [start, end): from the one in force at start on. */
static int slice_cuts(struct vmm_image_pass *pass, const struct vmm_cut *cuts, uint32_t count, struct vmm_claim *claim)
{
	uint32_t first = 0, last;
	struct vmm_cut *copy;

	while (first + 1 < count && cuts[first + 1].address <= claim->start)
		first++;
	for (last = first; last < count && cuts[last].address < claim->end;)
		last++;
	if (first == last)
		return 0;
	claim->cuts = cuts + first;
	claim->cut_count = last - first;
	if (cuts[first].address >= claim->start)
		return 0;
	copy = vmm_arena_array(pass->snapshot->arena, claim->cut_count, sizeof(*copy));
	if (!copy)
		return vmm_fail_nomem(pass->err);
	memcpy(copy, claim->cuts, claim->cut_count * sizeof(*copy));
	copy[0].address = claim->start;
	claim->cuts = copy;
	return 0;
}

static int make_cuts(struct vmm_image_pass *pass, const struct vmm_image_file *file, uint64_t base,
                     const struct vmm_cut **ret_cuts, uint32_t *ret_count)
{
	int rc = vmm_image_cuts(file, base, pass->snapshot->arena, pass->cuts_left, ret_cuts, ret_count, pass->err);

	if (rc == VMM_E_LIMIT) {
		vmm_snapshot_note(pass->snapshot, "elf", "limit", base,
		                  "images have too many sections in all: some are not shown");
		return 0;
	}
	if (rc >= 0)
		pass->cuts_left -= *ret_count;
	return rc;
}

static int fill_module(struct vmm_image_pass *pass, const struct vmm_image_file *file,
                       const struct vmm_image_load *load, const struct vmm_image_origin *origin,
                       struct vmm_module *m)
{
	const struct vmm_target_info *target = &pass->snapshot->target;
	uint64_t start = load->parts[0].start, end = load->parts[load->part_count - 1].end;

	*m = (struct vmm_module){
	    .start = start,
	    .end = end,
	    .bias = file ? load->base - file->low : load->base,
	    .path = origin->path,
	    .pie = file && file->header.type == VMM_ELF_DYN,
	    /* Without the entry point the path has to do. */
	    .program = target->entry ? target->entry >= start && target->entry < end
	                             : origin->path[0] && strcmp(origin->path, target->exe) == 0,
	    .deleted = origin->vma->deleted && !origin->in_memory,
	    .replaced = origin->replaced,
	    .in_memory = origin->in_memory,
	    .sections = file && file->sections,
	    .bits = file ? file->header.bits : 0,
	    .region = VMM_NONE,
	};
	if (!file || !file->build_id_read)
		return 0;
	m->build_id = vmm_arena_intern(pass->snapshot->arena, file->build_id, strlen(file->build_id));
	return m->build_id ? 0 : vmm_fail_nomem(pass->err);
}

int vmm_image_claim(struct vmm_image_pass *pass, const struct vmm_image_file *file, const struct vmm_image_load *load,
                    const struct vmm_image_origin *origin)
{
	const struct vmm_cut *cuts = NULL;
	struct vmm_module m;
	uint32_t cut_count = 0;
	bool taken = false;
	int rc = fill_module(pass, file, load, origin, &m);

	if (rc >= 0 && !vmm_grow(&pass->modules, &pass->module_capacity, pass->module_count + 1, sizeof(m)))
		rc = vmm_fail_nomem(pass->err);
	if (rc >= 0 && file)
		rc = make_cuts(pass, file, load->base, &cuts, &cut_count);
	for (uint32_t i = 0; rc >= 0 && i < load->part_count; i++) {
		struct vmm_claim claim = vmm_claim_init(load->parts[i].start, load->parts[i].end, VMM_KIND_IMAGE);

		claim.path = m.path;
		claim.module = pass->snapshot->module_count + (uint32_t)pass->module_count;
		claim.details = details_of(pass, file, &m, i, load->part_count);
		rc = claim.details ? slice_cuts(pass, cuts, cut_count, &claim) : VMM_E_NOMEM;
		if (rc >= 0)
			rc = vmm_claims_add(pass->claims, &claim, pass->err);
		taken |= rc > 0;
	}
	if (rc >= 0 && taken)
		pass->modules[pass->module_count++] = m;
	return rc < 0 ? rc : 0;
}
