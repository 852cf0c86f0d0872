/* The words of VMMap for types and protections. Where they are from: vmmap_file.h. */
#include "format/vmmap_file.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define R VMM_PROT_READ
#define W VMM_PROT_WRITE
#define X VMM_PROT_EXEC

static const struct {
	const char *words;
	enum vmm_kind kind;
	uint32_t what;
} type_table[] = {
        {"Image", VMM_KIND_IMAGE, 0},
        {"Image (ASLR)", VMM_KIND_IMAGE, VMM_VMMAP_ASLR},
        {"Mapped File", VMM_KIND_MAPPED_FILE, 0},
        {"Shareable", VMM_KIND_SHAREABLE, 0},
        {"Heap", VMM_KIND_HEAP, 0},
        {"Heap (Private Data)", VMM_KIND_HEAP, 0},
        {"Heap (Shareable)", VMM_KIND_HEAP, VMM_VMMAP_SHARED},
        {"Managed Heap", VMM_KIND_MANAGED_HEAP, 0},
        {"Stack", VMM_KIND_STACK, 0},
        {"Thread Stack", VMM_KIND_STACK, 0},
        {"Private Data", VMM_KIND_PRIVATE_DATA, 0},
        {"Device", VMM_KIND_DEVICE, 0}, /* this and the next: of our own files */
        {"System", VMM_KIND_SYSTEM, 0},
        {"Page Table", VMM_KIND_PAGE_TABLE, 0},
        {"Unusable", VMM_KIND_UNUSABLE, 0},
        {"Unknown", VMM_KIND_UNUSABLE, 0}, /* VMMap 1.x and 2.x */
        {"Free", VMM_KIND_FREE, 0},
};

/* Win32 PAGE_ constants in the order of their values. */
static const struct {
	uint32_t page;
	const char *words;
	uint8_t prot;
	uint32_t what;
} page_table[] = {
        {0x00, "Reserved", 0, VMM_VMMAP_RESERVED},
        {0x01, "No access", 0, VMM_VMMAP_NO_ACCESS},
        {0x02, "Read", R, 0},
        {0x04, "Read/Write", R | W, 0},
        {0x08, "Copy on write", R | W, VMM_VMMAP_COPY},
        {0x10, "Execute", X, 0},
        {0x20, "Execute/Read", R | X, 0},
        {0x40, "Execute/Read/Write", R | W | X, 0},
        {0x80, "Execute/Copy on Write", R | W | X, VMM_VMMAP_COPY},
};

static const struct {
	uint32_t page;
	const char *words;
	uint32_t what;
} modifier_table[] = {
        {0x100, "/Guard", VMM_VMMAP_GUARD},
        {0x200, "/NoCache", VMM_VMMAP_NO_CACHE},
        {0x400, "/WriteCombine", VMM_VMMAP_COMBINE},
};

bool vmm_vmmap_type_parse(const char *text, struct vmm_vmmap_row *row)
{
	for (size_t i = 0; i < ARRAY_LEN(type_table); i++) {
		if (strcasecmp(text, type_table[i].words) != 0)
			continue;
		row->kind = type_table[i].kind;
		row->what |= type_table[i].what;
		return true;
	}
	row->kind = VMM_KIND_PRIVATE_DATA;
	row->what |= VMM_VMMAP_STRANGE_TYPE;
	return false;
}

bool vmm_vmmap_protection_parse(const char *text, struct vmm_vmmap_row *row)
{
	size_t length = strlen(text);
	uint32_t what = VMM_VMMAP_PROTECTED;

	/* Modifiers stand at the end, in any order. */
	for (size_t i = 0; i < ARRAY_LEN(modifier_table);) {
		size_t n = strlen(modifier_table[i].words);

		if (length > n && strncasecmp(text + length - n, modifier_table[i].words, n) == 0) {
			length -= n;
			what |= modifier_table[i].what;
			i = 0;
		} else {
			i++;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(page_table); i++) {
		if (strlen(page_table[i].words) != length || strncasecmp(text, page_table[i].words, length) != 0)
			continue;
		row->prot = page_table[i].prot;
		row->what |= what | page_table[i].what;
		return true;
	}
	return false;
}

void vmm_vmmap_protection_of(uint64_t page, struct vmm_vmmap_row *row)
{
	for (size_t i = 0; i < ARRAY_LEN(page_table); i++) {
		if (page_table[i].page != (page & 0xff))
			continue;
		row->prot = page_table[i].prot;
		row->what |= VMM_VMMAP_PROTECTED | page_table[i].what;
		for (size_t j = 0; j < ARRAY_LEN(modifier_table); j++)
			row->what |= page & modifier_table[j].page ? modifier_table[j].what : 0;
	}
}

/* The row of page_table for these bits. */
static size_t page_of(uint8_t prot, uint32_t what)
{
	const uint32_t kept = VMM_VMMAP_RESERVED | VMM_VMMAP_NO_ACCESS | VMM_VMMAP_COPY;
	size_t found = 0;

	/* Windows cannot write without reading, nor Linux on x86. */
	prot = (uint8_t)(prot & (R | W | X));
	prot = (uint8_t)(prot & W ? prot | R : prot);
	for (size_t i = 0; i < ARRAY_LEN(page_table); i++)
		if (page_table[i].prot == prot && (page_table[i].what & ~(what & kept)) == 0)
			found = i;
	return found;
}

void vmm_vmmap_protection_text(uint8_t prot, uint32_t what, char ret[VMM_VMMAP_PROTECTION_TEXT])
{
	size_t used = (size_t)snprintf(ret, VMM_VMMAP_PROTECTION_TEXT, "%s", page_table[page_of(prot, what)].words);

	for (size_t i = 0; i < ARRAY_LEN(modifier_table); i++)
		if (what & modifier_table[i].what)
			used += (size_t)snprintf(ret + used, VMM_VMMAP_PROTECTION_TEXT - used, "%s", modifier_table[i].words);
}

uint32_t vmm_vmmap_protection_rank(uint8_t prot, uint32_t what)
{
	uint32_t rank = page_table[page_of(prot, what)].page;

	for (size_t i = 0; i < ARRAY_LEN(modifier_table); i++)
		rank |= what & modifier_table[i].what ? modifier_table[i].page : 0;
	return rank;
}

const char *vmm_vmmap_protection_word(uint32_t what)
{
	return what & VMM_VMMAP_GUARD       ? "guard"
	       : what & VMM_VMMAP_COMBINE   ? "write combine"
	       : what & VMM_VMMAP_NO_CACHE  ? "no cache"
	       : what & VMM_VMMAP_COPY      ? "copy on write"
	       : what & VMM_VMMAP_RESERVED  ? "reserved"
	       : what & VMM_VMMAP_NO_ACCESS ? "no access"
	                                    : "";
}
