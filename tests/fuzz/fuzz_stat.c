/* stat: a name inside the text, and addresses only where the record says so. */
#include "fuzz.h"

#include "format/proc_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vmm_stat_record r;

	if (!vmm_stat_parse((const char *)data, size, &r))
		return 0;
	FUZZ_INSIDE(r.comm, r.comm_length, data, size);
	FUZZ_CHECK(r.addresses || (r.start_code | r.end_code | r.start_stack | r.start_brk | r.env_end) == 0);
	return 0;
}
