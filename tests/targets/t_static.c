/* A statically linked program (built not PIE, and as static-pie): its image, heap and stack. */
#include <elf.h>
#include <link.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "truth.h"

extern const char __ehdr_start[];

static char zeroes[40 * 4096];

int main(void)
{
	const ElfW(Phdr) *ph = (const void *)(uintptr_t)getauxval(AT_PHDR);
	uint64_t count = getauxval(AT_PHNUM), page = truth_page(), bias;
	uint64_t start = UINT64_MAX, end = 0, mapped = 0;
	struct truth t;
	char *heap = malloc(1000);

	if (!ph || !heap)
		truth_die("AT_PHDR");
	/* Not every static program has a PT_PHDR: the linker's symbol tells where the file's first byte is. */
	bias = ((const ElfW(Ehdr) *)(const void *)__ehdr_start)->e_type == ET_DYN ? (uintptr_t)__ehdr_start : 0;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t low = (bias + ph[i].p_vaddr) & ~(page - 1);
		uint64_t high = (bias + ph[i].p_vaddr + ph[i].p_memsz + page - 1) & ~(page - 1);

		if (ph[i].p_type != PT_LOAD)
			continue;
		start = low < start ? low : start;
		end = high > end ? high : end;
		mapped += high - low;
	}
	truth_write(zeroes, 40);
	heap[0] = 1;
	t = truth_init("program", (void *)(uintptr_t)start, mapped, "image");
	t.committed = mapped;
	truth_add(&t);
	t = truth_init("heap", heap, 1, "heap");
	t.scope = TRUTH_INSIDE;
	truth_add(&t);
	t = truth_init("stack", &t, 1, "stack");
	t.scope = TRUTH_INSIDE;
	t.tid = getpid();
	truth_add(&t);
	truth_finish();
}
