/* status, and the escapes of its name: text never grows, and what is not known is 0. */
#include "fuzz.h"

#include "format/proc_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vmm_status_record r;
	char *plain;

	vmm_status_parse((const char *)data, size, &r);
	for (unsigned i = 0; i < VMM_STATUS_COUNT; i++)
		FUZZ_CHECK((r.known >> i & 1) || r.value[i] == 0);
	if (r.name_length == 0)
		return 0;
	FUZZ_INSIDE(r.name, r.name_length, data, size);
	plain = malloc(r.name_length);
	FUZZ_CHECK(plain && vmm_status_unescape(r.name, r.name_length, plain) <= r.name_length);
	free(plain);
	return 0;
}
