/*
 * Symbol tables of files that lie: every name found is a text inside the file, at an address that its symbol holds.
 * The first two bytes choose addresses, the rest is the file.
 */
#include "fuzz.h"

#include <sys/mman.h>

#include "../fake_target.h"
#include "vmmap/symbols.h"

#define BASE UINT64_C(0x400000)
#define END UINT64_C(0x500000)

static void find(struct vmm_symbols *symbols, uint64_t address, size_t size)
{
	struct vmm_symbol s;

	if (!vmm_symbols_find(symbols, address, &s))
		return;
	FUZZ_CHECK(s.name[0] && strlen(s.name) < size && s.module == 0);
	FUZZ_CHECK(address - s.address < (s.size ? s.size : 65536));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vmm_region region = {.start = BASE, .end = END, .kind = VMM_KIND_IMAGE, .module = 0, .block_count = 1, .details = "", .path = "/x"};
	struct vmm_block block = {.start = BASE, .end = END, .label = ""};
	struct vmm_module module = {.start = BASE, .end = END, .bias = BASE, .path = "/x", .bits = 64};
	struct fake_target t = {.base.ops = &fake_ops, .vma_count = 1};
	struct vmm_snapshot s = {.regions = &region, .region_count = 1, .blocks = &block, .block_count = 1, .modules = &module,
	                         .module_count = 1, .vmas = t.vmas, .vma_count = 1};
	struct vmm_symbols *symbols = NULL;
	int fd;

	if (size < 2)
		return 0;
	fd = memfd_create("symbols", MFD_CLOEXEC);
	FUZZ_CHECK(fd >= 0 && write(fd, data + 2, size - 2) == (ssize_t)(size - 2));
	t.vmas[0] = (struct vmm_vma){.start = BASE, .end = END, .name = "/x", .backing = VMM_BACKING_FILE, .inode = 1};
	t.file[0] = fd;
	if (data[0] & 1)
		module.bias = 0;
	FUZZ_CHECK(vmm_symbols_create(&t.base, &s, &symbols, NULL) == 0);
	for (uint64_t i = 0; i < 64; i++)
		find(symbols, BASE + (data[1] + i * 97) * (i % 7 * 500 + 1) % (END - BASE), size);
	find(symbols, BASE, size);
	find(symbols, END - 1, size);
	FUZZ_CHECK(t.opens <= 1); /* read once, also when there is nothing in it */
	vmm_symbols_destroy(symbols);
	close(fd);
	return 0;
}
