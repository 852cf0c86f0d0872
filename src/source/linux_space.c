/* The borders of the user address space. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/scan.h"
#include "source/linux.h"

/* Linux: TASK_SIZE_MAX and IA32_PAGE_OFFSET of x86, TASK_SIZE of arm64 with 48 bits, PAGE_OFFSET of a 3:1 split. */
#define END_X86_64 UINT64_C(0x7ffffffff000)
#define END_X86_64_5LEVEL UINT64_C(0xfffffffffff000)
#define END_IA32_ON_64 UINT64_C(0xffffe000)
#define END_ARM64 UINT64_C(0x1000000000000)
#define END_ARM32_ON_64 UINT64_C(0x100000000)
#define END_NATIVE_32 UINT64_C(0xc0000000)
#define STACK_GAP_PAGES 256 /* mm/mmap.c: stack_guard_gap */

uint64_t linux_number(const struct linux_target *t, const char *name)
{
	struct linux_text text;
	struct vmm_scan scan;
	uint64_t v = 0;

	if (linux_machine_file(t, name, 64, &text, NULL) < 0)
		return 0;
	scan = vmm_scan_init(text.bytes, text.length);
	if (!vmm_scan_dec(&scan, &v))
		v = 0;
	linux_text_done(&text);
	return v;
}

/* stack_guard_gap=PAGES on the kernel's command line changes the gap. */
static uint64_t stack_gap_pages(const struct linux_target *t)
{
	uint64_t pages = STACK_GAP_PAGES;
	struct linux_text text;
	const char *word;
	struct vmm_scan scan;
	size_t length;

	if (linux_machine_file(t, "cmdline", 65536, &text, NULL) < 0)
		return t->saved ? 0 : pages;
	scan = vmm_scan_init(text.bytes, text.length);
	for (vmm_scan_blank(&scan); vmm_scan_word(&scan, &word, &length); vmm_scan_blank(&scan)) {
		struct vmm_scan w = vmm_scan_init(word, length);
		uint64_t v;

		if (vmm_scan_text(&w, "stack_guard_gap=") && vmm_scan_dec(&w, &v))
			pages = v;
	}
	linux_text_done(&text);
	return pages;
}

/* The highest mapping below the kernel's half. */
static uint64_t highest_end(const struct vmm_snapshot *s)
{
	for (uint32_t i = s->vma_count; i-- > 0;)
		if (s->vmas[i].end <= END_X86_64_5LEVEL + 4096)
			return s->vmas[i].end;
	return 0;
}

void linux_fill_space(struct linux_target *t, struct vmm_snapshot *s)
{
	uint64_t high = highest_end(s);
	bool arm = strcmp(s->target.arch, "aarch64") == 0 || strcmp(s->target.arch, "arm") == 0;

	/* Without the program's header the addresses decide. */
	if (s->target.bits == 0 && s->vma_count)
		s->target.bits = high > UINT32_MAX ? 64 : 32;
	if (t->saved && !arm && strcmp(s->target.arch, "x86_64") != 0 && strcmp(s->target.arch, "i386") != 0)
		s->target.user_end = linux_saved_user_end(s, high);
	else if (s->target.bits == 64)
		s->target.user_end = arm ? END_ARM64 : high > END_X86_64 ? END_X86_64_5LEVEL : END_X86_64;
	else if (s->target.bits == 32)
		s->target.user_end = !t->saved && sizeof(void *) == 4 ? END_NATIVE_32 : arm ? END_ARM32_ON_64 : END_IA32_ON_64;
	if (s->target.user_end < high)
		s->target.user_end = high;
	s->target.min_address = linux_number(t, "sys/vm/mmap_min_addr");
	s->target.stack_gap = stack_gap_pages(t) * t->page_size;
	for (uint32_t i = 0; i < s->limit_count; i++)
		if (strcmp(s->limits[i].id, "max_map_count") == 0) {
			/* vsyscall is no mapping of the process's own. */
			s->limits[i].used_known = true;
			s->limits[i].used = s->vma_count;
			if (s->vma_count && s->vmas[s->vma_count - 1].start >= s->target.user_end)
				s->limits[i].used--;
		}
}
