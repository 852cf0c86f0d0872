/* syscall: outputs are left alone on failure. */
#include "fuzz.h"

#include "format/proc_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t sp = 77, pc = 78;

	if (!vmm_syscall_parse((const char *)data, size, &sp, &pc))
		FUZZ_CHECK(sp == 77 && pc == 78);
	return 0;
}
