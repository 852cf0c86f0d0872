/*
 * ELF files: the parser, and the image pass over mappings that a loader would make of such a file, of the file in
 * anonymous memory, and of one whose file cannot be opened.
 */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "../fake_target.h"
#include "analysis/claims.h"
#include "format/elf.h"

#define BASE UINT64_C(0x10000000)
#define SIZE_MAX_TRIED 65536

static void parse(const uint8_t *data, size_t size)
{
	unsigned char id[VMM_ELF_BUILD_ID_MAX];
	struct vmm_elf_header h;
	struct vmm_elf_segment g;
	struct vmm_elf_section s;
	struct vmm_elf_note n;
	size_t at = 0;

	if (vmm_elf_parse_header(data, size, &h, NULL) < 0)
		return;
	FUZZ_CHECK(h.bits == 32 || h.bits == 64);
	for (uint32_t i = 0; i < 64; i++) {
		if (vmm_elf_segment_at(&h, data, size, i, &g))
			FUZZ_CHECK((uint64_t)(i + 1) * 32 <= size);
		if (vmm_elf_section_at(&h, data, size, i, &s))
			FUZZ_CHECK(strlen(vmm_elf_section_name(data, size, s.name)) < size);
	}
	for (uint64_t align = 4; align <= 8; align += 4) {
		for (at = 0; vmm_elf_note_next(&h, data, size, align, &at, &n);) {
			FUZZ_INSIDE(n.name, n.name_length, data, size);
			FUZZ_INSIDE(n.desc, n.desc_length, data, size);
		}
		FUZZ_CHECK(vmm_elf_build_id(&h, data, size, align, id) <= VMM_ELF_BUILD_ID_MAX);
	}
}

static void claim(struct fake_target *t)
{
	struct vmm_snapshot *s = fake_snapshot(t, "/bin/x");
	struct vmm_claims c = {0};

	FUZZ_CHECK(s && vmm_claim_images(&t->base, s, &c, NULL) == 0);
	for (size_t i = 0; i < c.count; i++) {
		const struct vmm_claim *v = &c.v[i];

		FUZZ_CHECK(v->start < v->end && v->module < s->module_count);
		FUZZ_CHECK(s->modules[v->module].start <= v->start && s->modules[v->module].end >= v->end);
		for (uint32_t k = 0; k < v->cut_count; k++) {
			FUZZ_CHECK(v->cuts[k].address >= v->start && v->cuts[k].address < v->end);
			FUZZ_CHECK(k == 0 || v->cuts[k].address > v->cuts[k - 1].address);
		}
	}
	vmm_claims_done(&c);
	vmm_snapshot_destroy(s);
}

/* Maps the first PT_LOADs as a loader does, where that gives mappings in order. */
static void load(struct fake_target *t, const uint8_t *data, size_t size, int file)
{
	struct vmm_elf_header h;
	struct vmm_elf_segment g;
	uint64_t done = BASE, low = 0;
	bool first = true;

	if (vmm_elf_parse_header(data, size, &h, NULL) < 0 || h.phoff > size)
		return;
	for (uint32_t i = 0; i < 16 && vmm_elf_segment_at(&h, data + h.phoff, size - h.phoff, i, &g); i++) {
		uint64_t start, file_end, end;
		char prot[] = {g.flags & VMM_ELF_PF_R ? 'r' : '-', g.flags & VMM_ELF_PF_W ? 'w' : '-',
		               g.flags & VMM_ELF_PF_X ? 'x' : '-', 'p', '\0'};

		if (g.type != VMM_ELF_PT_LOAD)
			continue;
		if (first)
			low = h.type == VMM_ELF_EXEC ? BASE : vmm_align_down(g.vaddr, 4096);
		first = false;
		start = vmm_align_down(g.vaddr, 4096) - low + BASE;
		if (start < done || start > UINT32_MAX || g.filesz > UINT32_MAX || g.memsz > UINT32_MAX)
			continue;
		file_end = vmm_align_up(start + (g.vaddr & 4095) + g.filesz, 4096);
		end = vmm_align_up(start + (g.vaddr & 4095) + g.memsz, 4096);
		if (file_end > start)
			fake_map(t, start, file_end, prot, vmm_align_down(g.offset, 4096), "/bin/x", file);
		if (end > vmm_max_u64(file_end, start))
			fake_map(t, vmm_max_u64(file_end, start), end, prot, 0, "", VMM_E_NO_TARGET);
		done = vmm_max_u64(end, file_end);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fake_target from_file = {0}, from_memory = {0}, anonymous = {0};
	unsigned char *memory;
	size_t pages;
	int fd;

	parse(data, size);
	if (size < 52 || size > SIZE_MAX_TRIED)
		return 0;
	pages = (size_t)vmm_align_up(size, 4096);
	memory = calloc(1, pages);
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	FUZZ_CHECK(memory && fd >= 0 && write(fd, data, size) == (ssize_t)size);
	memcpy(memory, data, size);

	load(&from_file, data, size, fd);
	claim(&from_file);
	load(&from_memory, data, size, VMM_E_NO_TARGET);
	from_memory.memory[0] = (struct fake_memory){BASE, BASE + pages, memory, 0};
	from_memory.memory_count = 1;
	claim(&from_memory);
	fake_map(&anonymous, BASE, BASE + pages, "rwxp", 0, "", VMM_E_NO_TARGET);
	fake_map(&anonymous, BASE + pages, BASE + pages + 65536, "rw-p", 0, "", VMM_E_NO_TARGET);
	anonymous.memory[0] = from_memory.memory[0];
	anonymous.memory_count = 1;
	claim(&anonymous);
	close(fd);
	free(memory);
	return 0;
}
