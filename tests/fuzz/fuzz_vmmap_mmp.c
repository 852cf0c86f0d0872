/* VMMap's own files: any bytes as one, and the snapshots in it. */
#include "vmmap_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	vmm_vmmap_is_mmp((const char *)data, size);
	check_file(data, size, true, NULL);
	check_file(data, size, true, "1");
	return 0;
}
