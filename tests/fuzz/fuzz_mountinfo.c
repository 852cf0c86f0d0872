/* Lines of mountinfo: words that are there and inside their line. */
#include "fuzz.h"

#include "base/scan.h"
#include "format/proc_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vmm_scan s = vmm_scan_init((const char *)data, size), line;
	struct vmm_mount_line r;

	while (vmm_scan_line(&s, &line))
		if (vmm_mountinfo_parse_line(line.p, (size_t)(line.end - line.p), &r)) {
			FUZZ_INSIDE(r.mount_point, r.mount_point_length, line.p, (size_t)(line.end - line.p));
			FUZZ_INSIDE(r.fs_type, r.fs_type_length, line.p, (size_t)(line.end - line.p));
			FUZZ_CHECK(r.mount_point_length > 0 && r.fs_type_length > 0);
		}
	return 0;
}
