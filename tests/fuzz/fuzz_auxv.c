/* auxv of both widths: a value found is one of the words. */
#include "fuzz.h"

#include "format/proc_text.h"

static void find(const uint8_t *data, size_t size, unsigned bits, uint64_t type)
{
	bool there = false;
	uint64_t v = 0;

	if (!vmm_auxv_find(data, size, bits, type, &v))
		return;
	for (size_t at = 0; at + bits / 8 <= size; at += bits / 8)
		there |= memcmp(data + at, &v, bits / 8) == 0;
	FUZZ_CHECK(there);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (uint64_t type = 0; type < 52; type++) {
		find(data, size, 64, type);
		find(data, size, 32, type);
	}
	return 0;
}
