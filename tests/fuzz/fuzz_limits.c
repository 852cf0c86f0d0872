/* Lines of limits: a name that is there. */
#include "fuzz.h"

#include "base/scan.h"
#include "format/proc_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vmm_scan s = vmm_scan_init((const char *)data, size), line;
	struct vmm_limits_line r;

	while (vmm_scan_line(&s, &line))
		if (vmm_limits_parse_line(line.p, (size_t)(line.end - line.p), &r)) {
			FUZZ_CHECK(r.name_length > 0);
			FUZZ_INSIDE(r.name, r.name_length, line.p, (size_t)(line.end - line.p));
		}
	return 0;
}
