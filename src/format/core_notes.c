#include "format/core_notes.h"

#include <string.h>

#include "base/cursor.h"

/*
 * Where things stand. Before the registers a struct elf_prstatus has pr_info (three ints), pr_cursig, two longs, four
 * ints, four struct timeval of two longs: 112 bytes with longs of 8 bytes, 72 with longs of 4.
 */
struct layout {
	uint16_t machine;
	uint8_t bits;
	const char *arch;
	uint8_t reg;        /* bytes of a register in pr_reg */
	uint8_t sp, pc;     /* index in pr_reg */
	int8_t fs_base, gs; /* index, -1: not there */
	uint8_t reg_count;
};

static const struct layout layouts[] = {
	{VMM_EM_X86_64, 64, "x86_64", 8, 19, 16, 21, -1, 27},
	{VMM_EM_X86_64, 32, "x86_64", 8, 19, 16, 21, -1, 27}, /* x32 */
	{VMM_EM_386, 32, "i386", 4, 15, 12, -1, 10, 17},
	{VMM_EM_AARCH64, 64, "aarch64", 8, 31, 32, -1, -1, 34},
	{VMM_EM_ARM, 32, "arm", 4, 13, 15, -1, -1, 18},
};

enum { CURSIG_AT = 12, PID_AT_64 = 32, PID_AT_32 = 24, REGS_AT_64 = 112, REGS_AT_32 = 72 };
enum { PSINFO_64 = 136, PSINFO_32 = 124, PSINFO_32_WIDE = 128, NAME_BYTES = 16, ARGS_BYTES = 80 };

static const struct layout *layout_of(const struct vmm_elf_header *h)
{
	if (h->big_endian)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(layouts); i++)
		if (layouts[i].machine == h->machine && layouts[i].bits == h->bits)
			return &layouts[i];
	return NULL;
}

bool vmm_core_machine_known(const struct vmm_elf_header *h)
{
	return layout_of(h) != NULL;
}

const char *vmm_core_arch(const struct vmm_elf_header *h)
{
	const struct layout *l = layout_of(h);

	return l ? l->arch : "";
}

static bool number_at(const struct vmm_elf_note *n, size_t at, unsigned size, uint64_t *ret)
{
	struct vmm_cursor c = {.p = n->desc, .end = n->desc + n->desc_length};

	return vmm_cursor_skip(&c, at) && vmm_cursor_uint(&c, size, ret);
}

bool vmm_core_prstatus(const struct vmm_elf_header *h, const struct vmm_elf_note *n, struct vmm_core_thread *ret)
{
	const struct layout *l = layout_of(h);
	size_t regs = h->bits == 64 ? REGS_AT_64 : REGS_AT_32;
	struct vmm_core_thread t = {0};
	uint64_t signal, tid, gs = 0;

	if (!l || n->desc_length < regs + (size_t)l->reg_count * l->reg)
		return false;
	if (!number_at(n, CURSIG_AT, 2, &signal) || !number_at(n, h->bits == 64 ? PID_AT_64 : PID_AT_32, 4, &tid) ||
	    !number_at(n, regs + (size_t)l->sp * l->reg, l->reg, &t.sp) || !number_at(n, regs + (size_t)l->pc * l->reg, l->reg, &t.pc))
		return false;
	if (l->fs_base >= 0)
		t.tp_known = number_at(n, regs + (size_t)l->fs_base * l->reg, l->reg, &t.tp) && t.tp != 0;
	if (l->gs >= 0 && !number_at(n, regs + (size_t)l->gs * l->reg, l->reg, &gs))
		return false;
	t.gs = (uint32_t)gs;
	t.tid = (int32_t)tid;
	t.signal = (int32_t)signal;
	*ret = t;
	return t.tid > 0;
}

/* struct user_desc: entry_number, base_addr, limit, flags, four bytes each (arch/x86/include/uapi/asm/ldt.h). */
static bool tls_386(const struct vmm_elf_note *n, struct vmm_core_thread *t)
{
	enum { ENTRY = 16, ENTRIES_MAX = 64 };
	uint64_t number, base;

	for (size_t at = 0; at < (size_t)ENTRIES_MAX * ENTRY && at + ENTRY <= n->desc_length; at += ENTRY) {
		if (!number_at(n, at, 4, &number) || !number_at(n, at + 4, 4, &base))
			return false;
		if (number == (t->gs & 0xffff) >> 3 && base) {
			t->tp = base;
			t->tp_known = true;
			return true;
		}
	}
	return false;
}

bool vmm_core_tls(const struct vmm_elf_header *h, const struct vmm_elf_note *n, struct vmm_core_thread *t)
{
	const struct layout *l = layout_of(h);

	if (!l)
		return false;
	if (n->type == VMM_NT_386_TLS)
		return l->machine == VMM_EM_386 && tls_386(n, t);
	/* tpidr_el0, and tpidr2_el0 behind it on newer processors; arm's word has four bytes. */
	if (n->type != VMM_NT_ARM_TLS || (l->machine != VMM_EM_AARCH64 && l->machine != VMM_EM_ARM) ||
	    !number_at(n, 0, l->reg, &t->tp))
		return false;
	t->tp_known = t->tp != 0;
	return t->tp_known;
}

bool vmm_core_prpsinfo(const struct vmm_elf_header *h, const struct vmm_elf_note *n, struct vmm_core_process *ret)
{
	struct vmm_core_process p = {0};
	uint64_t state, uid, pid, ppid;
	bool wide = n->desc_length >= PSINFO_32_WIDE; /* 32-bit uids: gdb/linux-tdep.c, elfcore_write_linux_prpsinfo32 */
	size_t uid_at, pid_at, name_at;

	if (!layout_of(h) || n->desc_length < (h->bits == 64 ? PSINFO_64 : PSINFO_32))
		return false;
	uid_at = h->bits == 64 ? 16 : 8;
	pid_at = h->bits == 64 ? 24 : wide ? 16 : 12;
	name_at = pid_at + 16;
	p.uid_short = h->bits == 32 && !wide;
	if (!number_at(n, 1, 1, &state) || !number_at(n, uid_at, p.uid_short ? 2 : 4, &uid) || !number_at(n, pid_at, 4, &pid) ||
	    !number_at(n, pid_at + 4, 4, &ppid) || n->desc_length < name_at + NAME_BYTES + ARGS_BYTES)
		return false;
	p.state = (char)state;
	p.uid = (uint32_t)uid;
	p.pid = (int32_t)pid;
	p.ppid = (int32_t)ppid;
	p.name = (const char *)n->desc + name_at;
	/* The kernel's names have 15 bytes; gdb takes that of the program's file and fills all 16. */
	p.name_length = strnlen(p.name, NAME_BYTES - 1);
	p.args = p.name + NAME_BYTES;
	p.args_length = strnlen(p.args, ARGS_BYTES);
	*ret = p;
	return true;
}

/* Signals that write a core by default (signal(7)); numbers of x86 and arm. */
static const struct {
	int32_t number;
	const char *name;
	bool address; /* si_addr is where it happened */
} signals[] = {
	{3, "SIGQUIT", false}, {4, "SIGILL", true},   {5, "SIGTRAP", true},   {6, "SIGABRT", false}, {7, "SIGBUS", true},
	{8, "SIGFPE", true},   {11, "SIGSEGV", true}, {24, "SIGXCPU", false}, {25, "SIGXFSZ", false}, {31, "SIGSYS", true},
};

const char *vmm_core_signal_name(int32_t number)
{
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		if (signals[i].number == number)
			return signals[i].name;
	return NULL;
}

static bool names_address(int32_t number)
{
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		if (signals[i].number == number)
			return signals[i].address;
	return false;
}

/* include/uapi/asm-generic/siginfo.h: si_signo, si_errno, si_code, then a union that is aligned like a pointer. */
bool vmm_core_siginfo(const struct vmm_elf_header *h, const struct vmm_elf_note *n, struct vmm_core_signal *ret)
{
	enum { SI_KERNEL = 0x80 };
	struct vmm_core_signal s = {0};
	uint64_t number, code;

	if (!layout_of(h) || !number_at(n, 0, 4, &number) || !number_at(n, 8, 4, &code))
		return false;
	s.number = (int32_t)(uint32_t)number;
	s.code = (int32_t)(uint32_t)code;
	/* Codes of 0 and less come from processes; with SI_KERNEL the address is not told (a non-canonical one on x86). */
	s.address_known = s.code > 0 && s.code != SI_KERNEL && names_address(s.number) &&
	                  number_at(n, h->bits == 64 ? 16 : 12, h->bits / 8, &s.address);
	*ret = s;
	return s.number > 0;
}

bool vmm_core_files_init(const struct vmm_elf_header *h, const struct vmm_elf_note *n, struct vmm_core_files *ret)
{
	struct vmm_cursor c = {.p = n->desc, .end = n->desc + n->desc_length, .word = h->bits == 64 ? 8 : 4};
	struct vmm_core_files f = {.word = c.word, .end = c.end};

	if (!layout_of(h) || !vmm_cursor_word(&c, &f.count) || !vmm_cursor_word(&c, &f.page_size))
		return false;
	f.entry = c.p;
	if (f.count > (uint64_t)(c.end - c.p) / (3u * c.word))
		return false;
	f.name = c.p + f.count * 3 * c.word;
	*ret = f;
	return true;
}

bool vmm_core_files_next(struct vmm_core_files *f, struct vmm_core_file *ret)
{
	while (f->count > 0) {
		struct vmm_cursor c = {.p = f->entry, .end = f->end, .word = f->word};
		const unsigned char *nul = memchr(f->name, '\0', (size_t)(f->end - f->name));
		struct vmm_core_file e;
		uint64_t pages;

		f->count--;
		if (!nul || !vmm_cursor_word(&c, &e.start) || !vmm_cursor_word(&c, &e.end) || !vmm_cursor_word(&c, &pages)) {
			f->count = 0;
			return false;
		}
		f->entry = c.p;
		e.name = (const char *)f->name;
		e.name_length = (size_t)(nul - f->name);
		f->name = nul + 1;
		if (e.start >= e.end || __builtin_mul_overflow(pages, f->page_size, &e.offset))
			continue;
		*ret = e;
		return true;
	}
	return false;
}
