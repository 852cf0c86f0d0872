/* Notes of cores: the first byte chooses machine and class, the rest are notes. */
#include "fuzz.h"

#include "format/core_notes.h"

static void take(const struct vmm_elf_header *h, const struct vmm_elf_note *n, struct vmm_core_thread *thread, const uint8_t *data,
                 size_t size)
{
	struct vmm_core_process process;
	struct vmm_core_signal signal;
	struct vmm_core_files files;
	struct vmm_core_file file;

	if (vmm_core_prstatus(h, n, thread))
		FUZZ_CHECK(thread->tid > 0);
	vmm_core_tls(h, n, thread);
	if (vmm_core_prpsinfo(h, n, &process)) {
		FUZZ_INSIDE(process.name, process.name_length, data, size);
		FUZZ_INSIDE(process.args, process.args_length, data, size);
	}
	if (vmm_core_siginfo(h, n, &signal))
		FUZZ_CHECK(signal.number > 0);
	if (!vmm_core_files_init(h, n, &files))
		return;
	while (vmm_core_files_next(&files, &file)) {
		FUZZ_CHECK(file.start < file.end);
		FUZZ_INSIDE(file.name, file.name_length + 1, data, size);
		FUZZ_CHECK(file.name[file.name_length] == '\0');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t machines[] = {VMM_EM_X86_64, VMM_EM_386, VMM_EM_AARCH64, VMM_EM_ARM};
	struct vmm_elf_header h = {0};
	struct vmm_core_thread thread = {0};
	struct vmm_elf_note n;
	size_t at = 0;

	if (size == 0)
		return 0;
	h.machine = machines[data[0] & 3];
	h.bits = data[0] & 4 ? 32 : 64;
	h.big_endian = data[0] & 8;
	data++;
	size--;
	while (vmm_elf_note_next(&h, data, size, 4, &at, &n))
		take(&h, &n, &thread, data, size);
	return 0;
}
