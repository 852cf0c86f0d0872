/* Files that may be compressed: opened, read at places that the first bytes choose, read whole as far as a MiB. */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "source/bytes.h"

#define READ_MAX (1u << 20)

static void look(struct vmm_bytes *b, uint64_t place, unsigned char *buffer)
{
	uint64_t start = 0, end = 0, size;
	int64_t n = vmm_bytes_read(b, place, buffer, 4096, NULL), all = vmm_bytes_read(b, 0, buffer, READ_MAX, NULL), again;

	FUZZ_CHECK(n >= 0 && n <= 4096);
	FUZZ_CHECK(all >= 0 && all <= (int64_t)READ_MAX);
	again = vmm_bytes_read(b, 0, buffer, (size_t)all, NULL);
	FUZZ_CHECK(again == all);
	if (all < (int64_t)READ_MAX)
		FUZZ_CHECK(vmm_bytes_size(b, false, &size) && size == (uint64_t)all);
	for (uint64_t at = 0; vmm_bytes_data(b, at, &start, &end); at = end)
		FUZZ_CHECK(start >= at && end > start);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char buffer[READ_MAX];
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct vmm_bytes *b = NULL;

	FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	if (vmm_bytes_open(fd, &b, NULL) < 0)
		return 0;
	look(b, size > 8 ? (uint64_t)data[7] << (data[8] % 24) : 0, buffer);
	vmm_bytes_close(b);
	return 0;
}
