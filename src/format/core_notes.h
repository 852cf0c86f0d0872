/*
 * Notes of ELF cores: threads, process, signal, file mappings. (bytes, length) in, records out; no I/O. Layer: format.
 *
 * Little-endian cores of x86-64, i386, aarch64 and arm. Layouts: Linux include/uapi/linux/elfcore.h and elfcore-compat.h
 * (prstatus, prpsinfo), fs/binfmt_elf.c (fill_files_note, the order of notes), arch/x86/include/asm/user_64.h and
 * user_32.h, arch/arm64/include/uapi/asm/ptrace.h, arch/arm/include/uapi/asm/ptrace.h, include/uapi/linux/elf.h (note
 * types). gdb's gcore writes the same records in another order (gdb/linux-tdep.c, linux_make_corefile_notes).
 */
#ifndef VMM_FORMAT_CORE_NOTES_H
#define VMM_FORMAT_CORE_NOTES_H

#include "format/elf.h"

enum { VMM_EM_386 = 3, VMM_EM_ARM = 40, VMM_EM_X86_64 = 62, VMM_EM_AARCH64 = 183 }; /* e_machine */

enum vmm_core_note_type {
	VMM_NT_PRSTATUS = 1,
	VMM_NT_PRPSINFO = 3,
	VMM_NT_AUXV = 6,
	VMM_NT_386_TLS = 0x200,
	VMM_NT_ARM_TLS = 0x401,
	VMM_NT_FILE = 0x46494c45,
	VMM_NT_SIGINFO = 0x53494749,
};

/* Types of auxv that cores are asked for (Linux include/uapi/linux/auxvec.h). */
enum {
	VMM_AT_PHDR = 3,
	VMM_AT_PHNUM = 5,
	VMM_AT_PAGESZ = 6,
	VMM_AT_BASE = 7,
	VMM_AT_ENTRY = 9,
	VMM_AT_UID = 11,
	VMM_AT_EUID = 12,
	VMM_AT_PLATFORM = 15,
	VMM_AT_RANDOM = 25,
	VMM_AT_EXECFN = 31,
	VMM_AT_SYSINFO_EHDR = 33
};

/* True when cores of this class, byte order and machine are understood. */
bool vmm_core_machine_known(const struct vmm_elf_header *h);
/* "x86_64", "i386", "aarch64", "arm"; "" for others. */
const char *vmm_core_arch(const struct vmm_elf_header *h);

/* NT_PRSTATUS: one thread. */
struct vmm_core_thread {
	int32_t tid;
	int32_t signal;  /* pr_cursig; 0: none */
	uint64_t sp, pc;
	bool tp_known;
	uint64_t tp;     /* thread pointer: fs_base, or what vmm_core_tls() found */
	uint32_t gs;     /* i386: selector */
};
bool vmm_core_prstatus(const struct vmm_elf_header *h, const struct vmm_elf_note *n, struct vmm_core_thread *ret);
/* The thread pointer in a NT_386_TLS or NT_ARM_TLS note, which follows its thread's NT_PRSTATUS. False: not told. */
bool vmm_core_tls(const struct vmm_elf_header *h, const struct vmm_elf_note *n, struct vmm_core_thread *thread);

/* NT_PRPSINFO: the process. Texts point into the note and end at a NUL or at their length. */
struct vmm_core_process {
	char state; /* letter */
	uint32_t uid;
	bool uid_short; /* uid has 16 bits: 65534 stands for all that do not fit */
	int32_t pid, ppid;
	const char *name, *args;
	size_t name_length, args_length;
};
bool vmm_core_prpsinfo(const struct vmm_elf_header *h, const struct vmm_elf_note *n, struct vmm_core_process *ret);

/* NT_SIGINFO. */
struct vmm_core_signal {
	int32_t number, code;
	bool address_known; /* the kernel raised it for an access to address */
	uint64_t address;
};
bool vmm_core_siginfo(const struct vmm_elf_header *h, const struct vmm_elf_note *n, struct vmm_core_signal *ret);
/* "SIGSEGV"; NULL for signals that write no core by default. */
const char *vmm_core_signal_name(int32_t number);

/* NT_FILE: walks its entries. */
struct vmm_core_files {
	uint64_t page_size;
	uint64_t count; /* entries left */
	uint8_t word;
	const unsigned char *entry, *name, *end;
};
struct vmm_core_file {
	uint64_t start, end;
	uint64_t offset; /* bytes */
	const char *name; /* without NUL */
	size_t name_length;
};
bool vmm_core_files_init(const struct vmm_elf_header *h, const struct vmm_elf_note *n, struct vmm_core_files *ret);
/* False at the end, and where the note ends too early. Entries whose numbers cannot be are left out. */
bool vmm_core_files_next(struct vmm_core_files *f, struct vmm_core_file *ret);

#endif
