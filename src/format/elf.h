/*
 * ELF files: headers, program and section headers, notes. (bytes, length) in, records out; 32 and 64 bit, both byte
 * orders. No I/O. Layer: format. Source of the layouts: System V gABI, elf.h of glibc 2.36.
 */
#ifndef VMM_FORMAT_ELF_H
#define VMM_FORMAT_ELF_H

#include "base/base.h"
#include "vmmap/err.h"

#define VMM_ELF_HEADER_BYTES 64     /* enough for either class */
#define VMM_ELF_SEGMENTS_MAX 4096   /* program headers accepted */
#define VMM_ELF_SECTIONS_MAX 65536  /* section headers accepted */
#define VMM_ELF_BUILD_ID_MAX 64     /* bytes */

enum { VMM_ELF_EXEC = 2, VMM_ELF_DYN = 3, VMM_ELF_CORE = 4 };                               /* e_type */
enum { VMM_ELF_PT_LOAD = 1, VMM_ELF_PT_DYNAMIC = 2, VMM_ELF_PT_INTERP = 3, VMM_ELF_PT_NOTE = 4,
       VMM_ELF_PT_PHDR = 6, VMM_ELF_PT_TLS = 7,
       VMM_ELF_PT_GNU_RELRO = 0x6474e552 };                                                 /* p_type */
enum { VMM_ELF_PF_X = 1, VMM_ELF_PF_W = 2, VMM_ELF_PF_R = 4 };                              /* p_flags */
enum { VMM_ELF_SHT_NULL = 0, VMM_ELF_SHT_SYMTAB = 2, VMM_ELF_SHT_NOBITS = 8, VMM_ELF_SHT_DYNSYM = 11,
       VMM_ELF_SHF_ALLOC = 2, VMM_ELF_SHF_EXECINSTR = 4, VMM_ELF_SHF_TLS = 0x400 };

struct vmm_elf_header {
	uint8_t bits;      /* 32 or 64 */
	bool big_endian;
	uint16_t type, machine;
	uint64_t phoff, shoff;
	uint32_t phnum;    /* 0xffff (PN_XNUM) means: see section 0's sh_info */
	uint32_t shnum;    /* 0 with shoff set means: see section 0's sh_size */
	uint32_t shstrndx; /* 0xffff (SHN_XINDEX) means: see section 0's sh_link */
	uint16_t phentsize, shentsize;
};

struct vmm_elf_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, filesz, memsz, align;
};

struct vmm_elf_section {
	uint32_t name; /* offset in the section name table */
	uint32_t type;
	uint64_t flags, address, offset, size;
	uint32_t link, info;
};

enum vmm_elf_symbol_type { VMM_ELF_STT_NOTYPE = 0, VMM_ELF_STT_OBJECT = 1, VMM_ELF_STT_FUNC = 2, VMM_ELF_STT_IFUNC = 10 };
enum { VMM_ELF_STB_LOCAL = 0, VMM_ELF_STB_GLOBAL = 1 };

struct vmm_elf_symbol {
	uint32_t name; /* offset in the string table that the section links to */
	uint8_t type;  /* enum vmm_elf_symbol_type, or another */
	uint8_t bind;
	uint16_t section; /* 0: defined elsewhere */
	uint64_t value, size;
};

/* VMM_E_FORMAT: no ELF header, an unknown class, or sizes that do not fit the class. */
int vmm_elf_parse_header(const void *bytes, size_t length, struct vmm_elf_header *ret, struct vmm_err *err);
/* Entry i of a table of which bytes are the raw copy. False: past the end of bytes. */
bool vmm_elf_segment_at(const struct vmm_elf_header *h, const void *table, size_t length, uint32_t i, struct vmm_elf_segment *ret);
bool vmm_elf_section_at(const struct vmm_elf_header *h, const void *table, size_t length, uint32_t i, struct vmm_elf_section *ret);
bool vmm_elf_symbol_at(const struct vmm_elf_header *h, const void *table, size_t length, uint32_t i, struct vmm_elf_symbol *ret);
/* The name of a section in a raw copy of the name table; "" when it is out of range or not terminated. */
const char *vmm_elf_section_name(const void *names, size_t length, uint32_t at);

/* One note of a PT_NOTE segment. */
struct vmm_elf_note {
	uint32_t type;
	const char *name;
	size_t name_length; /* without the NUL */
	const unsigned char *desc;
	size_t desc_length;
};
/* Steps through notes: *at starts at 0. align is p_align (4 or 8). False at the end or where a note does not fit. */
bool vmm_elf_note_next(const struct vmm_elf_header *h, const void *notes, size_t length, uint64_t align, size_t *at, struct vmm_elf_note *ret);
/* The GNU build-id in a note segment; returns its bytes, 0 when there is none. */
size_t vmm_elf_build_id(const struct vmm_elf_header *h, const void *notes, size_t length, uint64_t align,
                        unsigned char ret_id[VMM_ELF_BUILD_ID_MAX]);
/* An id of at most VMM_ELF_BUILD_ID_MAX bytes in lower-case hexadecimal. */
#define VMM_ELF_BUILD_ID_TEXT (2 * VMM_ELF_BUILD_ID_MAX + 1)
void vmm_elf_build_id_text(const unsigned char *id, size_t length, char ret[VMM_ELF_BUILD_ID_TEXT]);

#endif
