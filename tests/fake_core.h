/* A core made by hand, for tests of what reads cores: x86-64, with the C library's own definitions of its records. */
#ifndef VMM_TESTS_FAKE_CORE_H
#define VMM_TESTS_FAKE_CORE_H

#include <elf.h>
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/procfs.h>
#include <unistd.h>

#define FAKE_CORE_BYTES (1u << 20)
#define FAKE_LOADS_MAX 32

struct fake_core {
	Elf64_Ehdr header;
	Elf64_Phdr loads[FAKE_LOADS_MAX];
	unsigned load_count;
	unsigned char notes[16384];
	size_t note_length;
	unsigned char data[65536]; /* what the loads store, behind each other */
	size_t data_length;
};

static void fake_core_init(struct fake_core *c)
{
	memset(c, 0, sizeof(*c));
	memcpy(c->header.e_ident, ELFMAG, SELFMAG);
	c->header.e_ident[EI_CLASS] = ELFCLASS64;
	c->header.e_ident[EI_DATA] = ELFDATA2LSB;
	c->header.e_ident[EI_VERSION] = EV_CURRENT;
	c->header.e_type = ET_CORE;
	c->header.e_machine = EM_X86_64;
	c->header.e_version = EV_CURRENT;
	c->header.e_phoff = c->header.e_ehsize = sizeof(Elf64_Ehdr);
	c->header.e_phentsize = sizeof(Elf64_Phdr);
}

static void fake_core_note(struct fake_core *c, const char *name, uint32_t type, const void *desc, size_t length)
{
	Elf64_Nhdr h = {.n_namesz = (Elf64_Word)strlen(name) + 1, .n_descsz = (Elf64_Word)length, .n_type = type};
	unsigned char *to = c->notes + c->note_length;

	memcpy(to, &h, sizeof(h));
	memcpy(to + sizeof(h), name, h.n_namesz);
	to += sizeof(h) + ((h.n_namesz + 3) & ~3u);
	memcpy(to, desc, length);
	c->note_length = (size_t)(to - c->notes) + ((length + 3) & ~(size_t)3);
}

/* Memory [start, start + size), of which stored bytes of value are in the core. */
static void fake_core_load(struct fake_core *c, uint64_t start, uint64_t size, uint32_t flags, size_t stored, unsigned char value)
{
	c->loads[c->load_count++] = (Elf64_Phdr){.p_type = PT_LOAD, .p_flags = flags, .p_vaddr = start, .p_memsz = size, .p_filesz = stored,
	                                         .p_offset = c->data_length};
	memset(c->data + c->data_length, value, stored);
	c->data_length += stored;
}

static void fake_core_thread(struct fake_core *c, int tid, int signal, uint64_t sp, uint64_t fs_base)
{
	struct elf_prstatus s = {.pr_pid = tid, .pr_cursig = (short)signal};

	s.pr_reg[19] = sp;
	s.pr_reg[21] = fs_base;
	fake_core_note(c, "CORE", NT_PRSTATUS, &s, sizeof(s));
}

static void fake_core_process(struct fake_core *c, int pid, const char *name, const char *args)
{
	struct elf_prpsinfo p = {.pr_pid = pid, .pr_ppid = 1, .pr_uid = 1000, .pr_sname = 'R'};

	snprintf(p.pr_fname, sizeof(p.pr_fname), "%s", name);
	snprintf(p.pr_psargs, sizeof(p.pr_psargs), "%s", args);
	fake_core_note(c, "CORE", NT_PRPSINFO, &p, sizeof(p));
}

struct fake_core_file {
	uint64_t start, end, page; /* page: offset in pages of 4096 bytes */
	const char *name;
};

static void fake_core_files(struct fake_core *c, const struct fake_core_file *files, size_t count)
{
	unsigned char desc[4096];
	uint64_t head[2] = {count, 4096};
	size_t at = sizeof(head) + count * 24;

	memcpy(desc, head, sizeof(head));
	for (size_t i = 0; i < count; i++) {
		memcpy(desc + sizeof(head) + i * 24, &files[i].start, 24);
		memcpy(desc + at, files[i].name, strlen(files[i].name) + 1);
		at += strlen(files[i].name) + 1;
	}
	fake_core_note(c, "CORE", NT_FILE, desc, at);
}

/* Lays the core out: header, segments, notes, data at the next page. Returns its bytes, which the caller frees. */
static unsigned char *fake_core_bytes(struct fake_core *c, size_t *ret_length)
{
	unsigned char *bytes = calloc(1, FAKE_CORE_BYTES);
	size_t at = sizeof(c->header) + (c->load_count + 1) * sizeof(Elf64_Phdr), data = (at + c->note_length + 4095) & ~(size_t)4095;
	Elf64_Phdr note = {.p_type = PT_NOTE, .p_offset = at, .p_filesz = c->note_length};

	if (!bytes)
		return NULL;
	c->header.e_phnum = (Elf64_Half)(c->load_count + 1);
	memcpy(bytes, &c->header, sizeof(c->header));
	memcpy(bytes + sizeof(c->header), &note, sizeof(note));
	for (unsigned i = 0; i < c->load_count; i++) {
		Elf64_Phdr load = c->loads[i];

		load.p_offset += data;
		memcpy(bytes + sizeof(c->header) + (i + 1) * sizeof(load), &load, sizeof(load));
	}
	memcpy(bytes + at, c->notes, c->note_length);
	memcpy(bytes + data, c->data, c->data_length);
	*ret_length = data + c->data_length;
	return bytes;
}

#endif
