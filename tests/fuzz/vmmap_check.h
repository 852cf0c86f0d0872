/* What must hold of a snapshot made of any bytes as a file of VMMap. */
#ifndef VMM_TESTS_FUZZ_VMMAP_CHECK_H
#define VMM_TESTS_FUZZ_VMMAP_CHECK_H

#include "fuzz.h"

#include "base/out.h"
#include "source/vmmap.h"
#include "vmmap/vmmap.h"

static inline void check_snapshot(const struct vmm_snapshot *s)
{
	uint64_t last = 0, vma_end = 0;

	for (uint32_t i = 0; i < s->vma_count; i++) {
		FUZZ_CHECK(s->vmas[i].start >= vma_end && s->vmas[i].end > s->vmas[i].start);
		vma_end = s->vmas[i].end;
	}
	for (uint32_t i = 0; i < s->block_count; i++) {
		const struct vmm_block *b = &s->blocks[i];

		FUZZ_CHECK(b->start >= last && b->end > b->start && b->vma < s->vma_count && b->region < s->region_count);
		FUZZ_CHECK(b->start >= s->vmas[b->vma].start && b->end <= s->vmas[b->vma].end);
		FUZZ_CHECK(b->start >= s->regions[b->region].start && b->end <= s->regions[b->region].end);
		last = b->end;
	}
	for (uint32_t i = 0, block = 0; i < s->region_count; i++) {
		const struct vmm_region *r = &s->regions[i];

		FUZZ_CHECK(r->first_block == block && r->block_count > 0 && r->end > r->start && r->kind < VMM_KIND_COUNT);
		FUZZ_CHECK(i == 0 || s->regions[i - 1].end <= r->start);
		FUZZ_CHECK((r->heap == VMM_NONE || r->heap < s->heap_count) && (r->module == VMM_NONE || r->module < s->module_count) &&
		           (r->thread == VMM_NONE || r->thread < s->thread_count));
		block += r->block_count;
	}
	for (uint32_t i = 0; i < s->gap_count; i++)
		FUZZ_CHECK(s->gaps[i].start < s->gaps[i].end && !vmm_snapshot_vma_at(s, s->gaps[i].start));
}

/* The file that the snapshot makes, and the snapshot that this file makes: the same regions, if rounding allows. */
static inline void check_export(const struct vmm_snapshot *s, bool exact)
{
	struct vmm_take take = {.needs = VMM_NEED_DEFAULT};
	struct vmm_out *out = vmm_out_create_memory();
	struct vmm_snapshot *again = NULL;
	struct vmm_target *t = NULL;
	size_t length = 0;
	char *text;

	FUZZ_CHECK(out && vmm_emit_vmmap(out, s, true, NULL) == 0);
	text = vmm_out_take(out, &length);
	FUZZ_CHECK(text && vmm_vmmap_is_csv(text, length));
	FUZZ_CHECK(vmmap_open_bytes(text, length, false, NULL, &t, NULL) == 0 && vmm_target_snapshot(t, &take, &again, NULL) == 0);
	check_snapshot(again);
	FUZZ_CHECK(!exact || again->region_count == s->region_count);
	for (uint32_t i = 0; i < again->region_count && exact; i++)
		FUZZ_CHECK(again->regions[i].start == s->regions[i].start && again->regions[i].kind == s->regions[i].kind);
	vmm_snapshot_destroy(again);
	vmm_target_close(t);
	free(text);
	out = vmm_out_create_memory();
	FUZZ_CHECK(out && vmm_emit_vmmap(out, s, false, NULL) == 0);
	free(vmm_out_take(out, NULL));
}

/*
 * Does the file that the snapshot makes hold all of it? Its sizes are in KiB, so that less than a page, which rows that
 * overlap leave, is lost. A block without a size ends where the next row begins: there is no such row behind the last.
 */
static inline bool whole_pages(const struct vmm_snapshot *s)
{
	for (uint32_t i = 0; i < s->block_count; i++)
		if (!vmm_metric_known(s->blocks[i].m, VMM_METRIC_SIZE) || (s->blocks[i].start | s->blocks[i].end) % 4096 != 0)
			return false;
	return true;
}

static inline void check_file(const uint8_t *data, size_t size, bool xml, const char *which)
{
	struct vmm_take take = {.needs = VMM_NEED_DEFAULT};
	struct vmm_snapshot *s = NULL;
	struct vmm_target *t = NULL;

	if (vmmap_open_bytes(data, size, xml, which, &t, NULL) < 0)
		return;
	if (vmm_target_snapshot(t, &take, &s, NULL) == 0) {
		check_snapshot(s);
		check_export(s, !xml && whole_pages(s));
		vmm_snapshot_destroy(s);
	}
	vmm_target_close(t);
}

#endif
