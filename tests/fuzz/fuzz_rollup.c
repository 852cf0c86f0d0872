/* smaps_rollup: what is not known is 0. */
#include "fuzz.h"

#include "format/proc_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vmm_smaps_record r;

	if (!vmm_smaps_rollup_parse((const char *)data, size, &r))
		return 0;
	FUZZ_INSIDE(r.maps.name, r.maps.name_length, data, size);
	for (unsigned i = 0; i < VMM_SMAPS_COUNT; i++)
		FUZZ_CHECK((r.known >> i & 1) || r.value[i] == 0);
	return 0;
}
