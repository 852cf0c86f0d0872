/* cgroup: a path inside the text, without a line feed. */
#include "fuzz.h"

#include "format/proc_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path;
	size_t length;
	bool v2;

	if (!vmm_cgroup_memory_path((const char *)data, size, &path, &length, &v2))
		return 0;
	FUZZ_INSIDE(path, length, data, size);
	FUZZ_CHECK(!memchr(path, '\n', length));
	return 0;
}
