/* CSV exports of VMMap: any bytes as one, the snapshot that they make, and the export of that. */
#include "vmmap_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	vmm_vmmap_is_csv((const char *)data, size);
	check_file(data, size, false, NULL);
	return 0;
}
