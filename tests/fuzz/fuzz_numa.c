/* Lines of numa_maps: no pages on a node that was not named. */
#include "fuzz.h"

#include "base/scan.h"
#include "format/proc_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vmm_scan s = vmm_scan_init((const char *)data, size), line;
	struct vmm_numa_line r;

	while (vmm_scan_line(&s, &line))
		if (vmm_numa_parse_line(line.p, (size_t)(line.end - line.p), &r)) {
			for (unsigned i = 0; i < VMM_NUMA_NODES; i++)
				FUZZ_CHECK((r.nodes >> i & 1) || r.pages[i] == 0);
		}
	return 0;
}
