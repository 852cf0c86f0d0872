/* Lines of maps: ranges are not empty, a name lies in its line and is a C string. */
#include "fuzz.h"

#include "base/scan.h"
#include "format/proc_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vmm_scan s = vmm_scan_init((const char *)data, size), line;
	struct vmm_maps_line r;

	while (vmm_scan_line(&s, &line))
		if (vmm_maps_parse_line(line.p, (size_t)(line.end - line.p), &r)) {
			FUZZ_CHECK(r.start < r.end && r.prot < 16);
			FUZZ_INSIDE(r.name, r.name_length, line.p, (size_t)(line.end - line.p));
			FUZZ_CHECK(!memchr(r.name, '\0', r.name_length));
		}
	return 0;
}
