#include "format/elf.h"

#include <string.h>

#include "base/cursor.h"
#include "base/err.h"

/* Sizes of the records by class. */
enum { EHDR32 = 52, EHDR64 = 64, PHDR32 = 32, PHDR64 = 56, SHDR32 = 40, SHDR64 = 64, SYM32 = 16, SYM64 = 24,
       NOTE_HEADER = 12 };
enum { EI_CLASS = 4, EI_DATA = 5, EI_VERSION = 6, EI_NIDENT = 16 };
enum { CLASS32 = 1, CLASS64 = 2, DATA_LSB = 1, DATA_MSB = 2, VERSION_CURRENT = 1 };
enum { NT_GNU_BUILD_ID = 3 };

static struct vmm_cursor cursor_at(const struct vmm_elf_header *h, const unsigned char *p, size_t length)
{
	return (struct vmm_cursor){p, p + length, h->big_endian, h->bits == 64 ? 8 : 4};
}

/* For records whose length was checked beforehand: the reads cannot fail. */
static uint64_t take(struct vmm_cursor *c, unsigned n)
{
	uint64_t v = 0;

	vmm_cursor_uint(c, n, &v);
	return v;
}

static uint64_t take_word(struct vmm_cursor *c)
{
	return take(c, c->word);
}

int vmm_elf_parse_header(const void *bytes, size_t length, struct vmm_elf_header *ret, struct vmm_err *err)
{
	const unsigned char *p = bytes;
	struct vmm_elf_header h = {0};
	struct vmm_cursor c;

	if (length < EI_NIDENT || memcmp(p, "\177ELF", 4) != 0)
		return vmm_fail(err, VMM_E_FORMAT, 0, "no ELF header");
	if ((p[EI_CLASS] != CLASS32 && p[EI_CLASS] != CLASS64) || (p[EI_DATA] != DATA_LSB && p[EI_DATA] != DATA_MSB) ||
	    p[EI_VERSION] != VERSION_CURRENT)
		return vmm_fail(err, VMM_E_FORMAT, 0, "ELF header of unknown class, byte order or version");
	h.bits = p[EI_CLASS] == CLASS64 ? 64 : 32;
	h.big_endian = p[EI_DATA] == DATA_MSB;
	if (length < (h.bits == 64 ? EHDR64 : EHDR32))
		return vmm_fail(err, VMM_E_FORMAT, 0, "ELF header is cut off");
	c = cursor_at(&h, p + EI_NIDENT, length - EI_NIDENT);
	h.type = (uint16_t)take(&c, 2);
	h.machine = (uint16_t)take(&c, 2);
	take(&c, 4);   /* e_version */
	take_word(&c); /* e_entry */
	h.phoff = take_word(&c);
	h.shoff = take_word(&c);
	take(&c, 4); /* e_flags */
	take(&c, 2); /* e_ehsize: the kernel and ld.so do not look at it either */
	h.phentsize = (uint16_t)take(&c, 2);
	h.phnum = (uint32_t)take(&c, 2);
	h.shentsize = (uint16_t)take(&c, 2);
	h.shnum = (uint32_t)take(&c, 2);
	h.shstrndx = (uint32_t)take(&c, 2);
	if (h.phnum && h.phentsize < (h.bits == 64 ? PHDR64 : PHDR32))
		return vmm_fail(err, VMM_E_FORMAT, 0, "ELF program headers of %u bytes", (unsigned)h.phentsize);
	*ret = h;
	return 0;
}

/* A cursor on entry i of a table, when the whole record lies inside. */
static bool entry_at(const struct vmm_elf_header *h, const void *table, size_t length, uint32_t i, uint16_t stride,
                     size_t record, struct vmm_cursor *ret)
{
	uint64_t at = (uint64_t)i * stride;

	if (stride < record || at > length || length - at < record)
		return false;
	*ret = cursor_at(h, (const unsigned char *)table + at, record);
	return true;
}

bool vmm_elf_segment_at(const struct vmm_elf_header *h, const void *table, size_t length, uint32_t i,
                        struct vmm_elf_segment *ret)
{
	struct vmm_elf_segment s = {0};
	struct vmm_cursor c;

	if (!entry_at(h, table, length, i, h->phentsize, h->bits == 64 ? PHDR64 : PHDR32, &c))
		return false;
	s.type = (uint32_t)take(&c, 4);
	if (h->bits == 64)
		s.flags = (uint32_t)take(&c, 4);
	s.offset = take_word(&c);
	s.vaddr = take_word(&c);
	take_word(&c); /* p_paddr */
	s.filesz = take_word(&c);
	s.memsz = take_word(&c);
	if (h->bits == 32)
		s.flags = (uint32_t)take(&c, 4);
	s.align = take_word(&c);
	*ret = s;
	return true;
}

bool vmm_elf_section_at(const struct vmm_elf_header *h, const void *table, size_t length, uint32_t i,
                        struct vmm_elf_section *ret)
{
	struct vmm_elf_section s = {0};
	struct vmm_cursor c;

	if (!entry_at(h, table, length, i, h->shentsize, h->bits == 64 ? SHDR64 : SHDR32, &c))
		return false;
	s.name = (uint32_t)take(&c, 4);
	s.type = (uint32_t)take(&c, 4);
	s.flags = take_word(&c);
	s.address = take_word(&c);
	s.offset = take_word(&c);
	s.size = take_word(&c);
	s.link = (uint32_t)take(&c, 4);
	s.info = (uint32_t)take(&c, 4);
	*ret = s;
	return true;
}

/* The two classes have the same members in another order. */
bool vmm_elf_symbol_at(const struct vmm_elf_header *h, const void *table, size_t length, uint32_t i,
                       struct vmm_elf_symbol *ret)
{
	bool wide = h->bits == 64;
	struct vmm_elf_symbol s = {0};
	struct vmm_cursor c;
	uint64_t info;

	if (!entry_at(h, table, length, i, wide ? SYM64 : SYM32, wide ? SYM64 : SYM32, &c))
		return false;
	s.name = (uint32_t)take(&c, 4);
	if (!wide) {
		s.value = take(&c, 4);
		s.size = take(&c, 4);
	}
	info = take(&c, 1);
	s.type = info & 15;
	s.bind = (uint8_t)(info >> 4);
	take(&c, 1); /* st_other */
	s.section = (uint16_t)take(&c, 2);
	if (wide) {
		s.value = take(&c, 8);
		s.size = take(&c, 8);
	}
	*ret = s;
	return true;
}

const char *vmm_elf_section_name(const void *names, size_t length, uint32_t at)
{
	const char *p = names;

	if (at >= length || !memchr(p + at, '\0', length - at))
		return "";
	return p + at;
}

/*
 * Offsets as in glibc's ELF_NOTE_DESC_OFFSET: name and descriptor each end at a multiple of align, counted from the
 * note's own start. Notes of other alignments (0 and 1 are seen in the wild) are laid out as with 4.
 */
bool vmm_elf_note_next(const struct vmm_elf_header *h, const void *notes, size_t length, uint64_t align, size_t *at,
                       struct vmm_elf_note *ret)
{
	const unsigned char *p;
	struct vmm_cursor c;
	uint64_t left, name_size, desc_size, desc_at, type;

	if (*at > length || length - *at < NOTE_HEADER)
		return false;
	if (align != 8)
		align = 4;
	p = (const unsigned char *)notes + *at;
	left = length - *at;
	c = cursor_at(h, p, NOTE_HEADER);
	name_size = take(&c, 4);
	desc_size = take(&c, 4);
	type = take(&c, 4);
	desc_at = vmm_align_up(NOTE_HEADER + name_size, align); /* 32-bit terms: no overflow */
	if (name_size > left - NOTE_HEADER || desc_size > left || (desc_size && desc_at > left - desc_size))
		return false;
	ret->type = (uint32_t)type;
	ret->name = (const char *)p + NOTE_HEADER;
	ret->name_length = name_size && p[NOTE_HEADER + name_size - 1] == '\0' ? name_size - 1 : name_size;
	ret->desc = p + vmm_min_u64(desc_at, left);
	ret->desc_length = desc_size;
	*at += vmm_min_u64(vmm_align_up(desc_at + desc_size, align), left);
	return true;
}

size_t vmm_elf_build_id(const struct vmm_elf_header *h, const void *notes, size_t length, uint64_t align,
                        unsigned char ret_id[VMM_ELF_BUILD_ID_MAX])
{
	struct vmm_elf_note n;
	size_t at = 0;

	while (vmm_elf_note_next(h, notes, length, align, &at, &n)) {
		if (n.type != NT_GNU_BUILD_ID || n.name_length != 3 || memcmp(n.name, "GNU", 3) != 0)
			continue;
		if (n.desc_length == 0 || n.desc_length > VMM_ELF_BUILD_ID_MAX)
			continue;
		memcpy(ret_id, n.desc, n.desc_length);
		return n.desc_length;
	}
	return 0;
}

void vmm_elf_build_id_text(const unsigned char *id, size_t length, char ret[VMM_ELF_BUILD_ID_TEXT])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < length; i++) {
		ret[2 * i] = digits[id[i] >> 4];
		ret[2 * i + 1] = digits[id[i] & 15];
	}
	ret[2 * length] = '\0';
}
