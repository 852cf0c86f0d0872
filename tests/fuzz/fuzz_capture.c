/* Captures: any bytes as a text or an archive, opened, and a snapshot taken of what is in them. */
#include "fuzz.h"

#include "source/capture.h"
#include "vmmap/vmmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vmm_take take = {.needs = VMM_NEED_DEFAULT | VMM_NEED_EXTRA | VMM_NEED_NUMA};
	struct capture_set set = {.wanted = size && data[size - 1] == '7' ? "7" : NULL};
	struct vmm_snapshot *s = NULL;
	struct vmm_target *t = NULL;
	uint64_t last = 0;

	if (capture_load_bytes(&set, data, size, NULL) < 0) {
		capture_set_done(&set);
		return 0;
	}
	if (capture_open_set(&set, "fuzz", &t, NULL) < 0)
		return 0;
	if (vmm_target_snapshot(t, &take, &s, NULL) == 0) {
		FUZZ_CHECK(s->vma_count > 0);
		for (uint32_t i = 0; i < s->block_count; i++) {
			FUZZ_CHECK(s->blocks[i].start >= last && s->blocks[i].end > s->blocks[i].start);
			last = s->blocks[i].end;
		}
		vmm_snapshot_destroy(s);
	}
	vmm_target_close(t);
	return 0;
}
