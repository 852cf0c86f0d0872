/* Who the target of saved files is: what the kernel would tell about a process that runs here comes from their text. */
#include <elf.h>
#include <string.h>

#include "base/scan.h"
#include "source/linux.h"

#define SMALL_FILE (64 * 1024)
/* Where mappings of x86-64 end with four-level page tables, and of aarch64 with 48 bits: linux_space.c. */
#define TOP_X86_64 UINT64_C(0x7ffffffff000)
#define TOP_ARM64 UINT64_C(0x1000000000000)

/* An entry of auxv; the class is told by the entries themselves. */
static bool auxv_entry(const struct linux_target *t, unsigned bits, uint64_t type, uint64_t *ret)
{
	struct linux_text text;
	bool found;

	if (linux_target_file(t, "auxv", SMALL_FILE, &text, NULL) < 0)
		return false;
	found = vmm_auxv_find(text.bytes, text.length, bits, type, ret);
	linux_text_done(&text);
	return found;
}

static bool is_page_size(uint64_t v)
{
	return v >= 4096 && v <= 1 << 20 && (v & (v - 1)) == 0;
}

uint8_t linux_saved_bits(const struct linux_target *t)
{
	/* Sizes of a program header: elf.h, Elf64_Phdr and Elf32_Phdr. */
	static const struct {
		uint8_t bits, phent;
	} classes[] = {{64, 56}, {32, 32}};
	uint64_t phent, page;

	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		if (auxv_entry(t, classes[i].bits, AT_PHENT, &phent) && phent == classes[i].phent &&
		    auxv_entry(t, classes[i].bits, AT_PAGESZ, &page) && is_page_size(page))
			return classes[i].bits;
	return 0;
}

/* The smallest KernelPageSize: that of hugetlb is larger. */
static uint64_t page_size_of_smaps(const struct linux_saved *saved)
{
	static const char key[] = "KernelPageSize:";
	const struct linux_saved_file *f = linux_saved_find(saved, "smaps");
	struct vmm_scan all, line;
	uint64_t v, best = 0;
	unsigned looked = 0;

	if (!f)
		return 0;
	all = vmm_scan_init(f->bytes, f->length);
	while (looked < 64 && vmm_scan_line(&all, &line)) {
		if (!vmm_scan_text(&line, key))
			continue;
		looked++;
		vmm_scan_blank(&line);
		if (vmm_scan_dec(&line, &v) && v <= 1 << 20 && is_page_size(v * 1024) && (best == 0 || v * 1024 < best))
			best = v * 1024;
	}
	return best;
}

uint32_t linux_saved_page_size(const struct linux_target *t)
{
	uint64_t v;

	if (t->bits && auxv_entry(t, t->bits, AT_PAGESZ, &v) && is_page_size(v))
		return (uint32_t)v;
	v = page_size_of_smaps(t->saved);
	return v ? (uint32_t)v : 4096;
}

long linux_saved_ticks(const struct linux_target *t)
{
	uint64_t v;

	return t->bits && auxv_entry(t, t->bits, AT_CLKTCK, &v) && v <= 100000 ? (long)v : 0;
}

/* A file of one line, without its end; "" when it was not kept. NULL: out of memory. */
static const char *one_line(const struct linux_target *t, bool machine, const char *name, struct vmm_arena *arena)
{
	struct linux_text text;
	struct vmm_scan scan, line;
	const char *copy = "";

	if ((machine ? linux_machine_file(t, name, 4096, &text, NULL) : linux_target_file(t, name, 4096, &text, NULL)) < 0)
		return "";
	scan = vmm_scan_init(text.bytes, text.length);
	if (vmm_scan_line(&scan, &line) && !memchr(line.p, '\0', (size_t)(line.end - line.p)))
		copy = vmm_arena_strndup(arena, line.p, (size_t)(line.end - line.p));
	linux_text_done(&text);
	return copy;
}

/* What uname -m and the class tell; "" when the machine is not told. */
static const char *arch_of(const struct linux_target *t, struct vmm_arena *arena)
{
	const char *machine = one_line(t, true, "sys/kernel/arch", arena);

	if (machine && !machine[0])
		machine = one_line(t, true, "uname", arena);
	if (!machine)
		return NULL;
	if (strcmp(machine, "x86_64") == 0)
		return t->bits == 32 ? "i386" : t->bits == 64 ? "x86_64" : "";
	if (strcmp(machine, "aarch64") == 0)
		return t->bits == 32 ? "arm" : t->bits == 64 ? "aarch64" : "";
	if (strlen(machine) == 4 && machine[0] == 'i' && strcmp(machine + 2, "86") == 0)
		return "i386";
	return strncmp(machine, "arm", 3) == 0 ? "arm" : machine;
}

static void name_by_status(const struct linux_target *t, struct vmm_snapshot *s)
{
	struct vmm_status_record status;
	struct linux_text text;

	if (linux_target_file(t, "status", SMALL_FILE, &text, NULL) < 0)
		return;
	vmm_status_parse(text.bytes, text.length, &status);
	if (status.name_length) {
		char *name = vmm_arena_strndup(s->arena, status.name, status.name_length);

		if (name)
			name[vmm_status_unescape(status.name, status.name_length, name)] = '\0';
		s->target.name = name;
	}
	if (!s->target.state)
		s->target.state = status.state;
	if (!s->target.ppid && status.ppid > 0)
		s->target.ppid = (int32_t)status.ppid;
	linux_text_done(&text);
}

void linux_saved_identity(struct linux_target *t, struct vmm_snapshot *s)
{
	static const char deleted[] = " (deleted)";
	size_t length, suffix = sizeof(deleted) - 1;
	const char *exe = one_line(t, false, "exe", s->arena);

	s->target.uid = -1;
	if (s->target.name && !s->target.name[0])
		name_by_status(t, s);
	if (s->target.name && !s->target.name[0])
		s->target.name = one_line(t, false, "comm", s->arena);
	s->target.arch = arch_of(t, s->arena);
	length = exe ? strlen(exe) : 0;
	if (length > suffix && strcmp(exe + length - suffix, deleted) == 0) {
		exe = vmm_arena_strndup(s->arena, exe, length - suffix);
		s->target.exe_deleted = true;
	}
	s->target.exe = exe && exe[0] != '/' && exe[0] != '(' ? "" : exe;
}

uint64_t linux_saved_user_end(const struct vmm_snapshot *s, uint64_t high)
{
	const struct vmm_vma *last = s->vma_count ? &s->vmas[s->vma_count - 1] : NULL;
	bool vsyscall = last && last->start == UINT64_C(0xffffffffff600000);

	/* The main stack begins close below the end: where it lies tells how long addresses are. */
	if (s->target.bits == 64 && high <= TOP_X86_64 && (vsyscall || high > TOP_X86_64 - (UINT64_C(1) << 40)))
		return TOP_X86_64;
	if (s->target.bits == 64 && high <= TOP_ARM64 && high > TOP_ARM64 - (UINT64_C(1) << 40))
		return TOP_ARM64;
	return high;
}
