/* The image pass on mappings as the kernel and ld.so make them, and as nobody would. Borders are worked out by hand. */
#include <elf.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "analysis/claims.h"
#include "fake_target.h"
#include "test.h"

#define BASE UINT64_C(0x555500000000)
#define FILE_BYTES 0x4000

/*
 * A position-independent program as GNU ld lays it out:
 *     segment  offset  address  in file  in memory      sections
 *     r--      0       0        0x300    0x300          .note.gnu.build-id at 0x200
 *     r-x      0x1000  0x1000   0x155    0x155          .text
 *     r--      0x2000  0x2000   0x80     0x80           .rodata
 *     rw-      0x2db0  0x3db0   0x268    0x5000         .tbss .data .got .bss
 */
struct program {
	unsigned char bytes[FILE_BYTES];
};

enum { SHDRS_AT = 0x3100, NAMES_AT = 0x3800, SECTIONS = 9, S_TEXT = 2, S_BSS = 7 };

static Elf64_Shdr *section(struct program *p, unsigned i)
{
	return (Elf64_Shdr *)(void *)(p->bytes + SHDRS_AT) + i;
}

static Elf64_Phdr *segment(struct program *p, unsigned i)
{
	return (Elf64_Phdr *)(void *)(p->bytes + 64) + i;
}

static Elf64_Ehdr *header(struct program *p)
{
	return (Elf64_Ehdr *)(void *)p->bytes;
}

static void make_program(struct program *p)
{
	static const char names[] = "\0.note.gnu.build-id\0.text\0.rodata\0.tbss\0.data\0.got\0.bss\0.shstrtab";
	static const unsigned char note[36] = {4,   0,   0,   0, 20,   0,    0, 0, 3, 0, 0, 0,
	                                       'G', 'N', 'U', 0, 0xab, 0xcd, 1, 2, 3, 4, 5, 6};
	static const Elf64_Phdr phdrs[] = {
	    {PT_LOAD, PF_R, 0, 0, 0, 0x300, 0x300, 0x1000},
	    {PT_LOAD, PF_R | PF_X, 0x1000, 0x1000, 0, 0x155, 0x155, 0x1000},
	    {PT_LOAD, PF_R, 0x2000, 0x2000, 0, 0x80, 0x80, 0x1000},
	    {PT_LOAD, PF_R | PF_W, 0x2db0, 0x3db0, 0, 0x268, 0x5000, 0x1000},
	    {PT_NOTE, PF_R, 0x200, 0x200, 0, 36, 36, 4},
	};
	static const Elf64_Shdr shdrs[SECTIONS] = {
	    {0},
	    {1, SHT_NOTE, SHF_ALLOC, 0x200, 0x200, 36, 0, 0, 4, 0},
	    {20, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0x1000, 0x1000, 0x155, 0, 0, 16, 0},
	    {26, SHT_PROGBITS, SHF_ALLOC, 0x2000, 0x2000, 0x80, 0, 0, 16, 0},
	    {34, SHT_NOBITS, SHF_ALLOC | SHF_TLS, 0x3db0, 0x2db0, 0x40, 0, 0, 16, 0},
	    {40, SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 0x3db0, 0x2db0, 0x250, 0, 0, 16, 0},
	    {46, SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 0x4000, 0x3000, 0x18, 0, 0, 8, 0},
	    {51, SHT_NOBITS, SHF_ALLOC | SHF_WRITE, 0x4020, 0x3018, 0x4d90, 0, 0, 32, 0},
	    {56, SHT_STRTAB, 0, 0, NAMES_AT, sizeof(names), 0, 0, 1, 0},
	};
	Elf64_Ehdr *e = header(p);

	memset(p, 0, sizeof(*p));
	memcpy(e->e_ident, "\177ELF\2\1\1", 7);
	e->e_type = ET_DYN;
	e->e_machine = EM_X86_64;
	e->e_version = 1;
	e->e_phoff = 64;
	e->e_shoff = SHDRS_AT;
	e->e_ehsize = 64;
	e->e_phentsize = 56;
	e->e_phnum = 5;
	e->e_shentsize = 64;
	e->e_shnum = SECTIONS;
	e->e_shstrndx = SECTIONS - 1;
	memcpy(segment(p, 0), phdrs, sizeof(phdrs));
	memcpy(section(p, 0), shdrs, sizeof(shdrs));
	memcpy(p->bytes + 0x200, note, sizeof(note));
	memcpy(p->bytes + NAMES_AT, names, sizeof(names));
}

static int program_file(const void *bytes, size_t length)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0 && write(fd, bytes, length) == (ssize_t)length);
	return fd;
}

/* What the pass found. */
struct found {
	struct vmm_snapshot *s;
	struct vmm_claims claims;
	int rc;
};

static void find(struct found *f, struct fake_target *t)
{
	f->claims = (struct vmm_claims){0};
	f->s = fake_snapshot(t, "/bin/program");
	assert_non_null(f->s);
	f->rc = vmm_claim_images(&t->base, f->s, &f->claims, NULL);
	assert_int_equal(f->rc, 0);
}

static void found_done(struct found *f)
{
	vmm_claims_done(&f->claims);
	vmm_snapshot_destroy(f->s);
}

/* The program as ld.so has mapped and relocated it: RELRO is its own mapping. */
static void map_program(struct fake_target *t, uint64_t base, const char *name, int file)
{
	fake_map(t, base, base + 0x1000, "r--p", 0, name, file);
	fake_map(t, base + 0x1000, base + 0x2000, "r-xp", 0x1000, name, file);
	fake_map(t, base + 0x2000, base + 0x3000, "r--p", 0x2000, name, file);
	fake_map(t, base + 0x3000, base + 0x4000, "r--p", 0x2000, name, file);
	fake_map(t, base + 0x4000, base + 0x5000, "rw-p", 0x3000, name, file);
	fake_map(t, base + 0x5000, base + 0x9000, "rw-p", 0, "", VMM_E_NO_TARGET);
}

struct border {
	uint64_t at; /* from the start of the image */
	const char *label;
};

static void assert_cuts(const struct vmm_claim *c, uint64_t base, const struct border *borders, uint32_t count)
{
	for (uint32_t i = 0; i < c->cut_count && i < count; i++) {
		assert_int_equal(c->cuts[i].address - base, borders[i].at);
		assert_string_equal(c->cuts[i].label, borders[i].label);
	}
	assert_int_equal(c->cut_count, count);
}

static const struct border section_borders[] = {
    {0, "header"},        {0x158, "gap"},      {0x200, ".note.gnu.build-id"}, {0x224, "gap"},  {0x300, "file padding"},
    {0x1000, ".text"},    {0x1155, "file padding"}, {0x2000, ".rodata"},      {0x2080, "file padding"},
    {0x3db0, ".data"},    {0x4000, ".got"},    {0x4018, "zero fill"},         {0x4020, ".bss"}, {0x8db0, "zero fill"},
};

static const struct border segment_borders[] = {
    {0, "header"},           {0x158, "rodata (r--)"},  {0x300, "file padding"},  {0x1000, "text (r-x)"},
    {0x1155, "file padding"}, {0x2000, "rodata (r--)"}, {0x2080, "file padding"}, {0x3db0, "data (rw-)"},
    {0x4018, "bss"},         {0x8db0, "zero fill"},
};

static void sections_of_a_program(void **state)
{
	struct fake_target t = {0};
	struct program p;
	struct found f;
	int fd;

	make_program(&p);
	fd = program_file(&p, sizeof(p));
	map_program(&t, BASE, "/bin/program", fd);
	find(&f, &t);
	assert_int_equal(f.claims.count, 1);
	assert_int_equal(f.claims.v[0].start, BASE);
	assert_int_equal(f.claims.v[0].end, BASE + 0x9000);
	assert_int_equal(f.claims.v[0].kind, VMM_KIND_IMAGE);
	assert_string_equal(f.claims.v[0].path, "/bin/program");
	assert_string_equal(f.claims.v[0].details, "/bin/program (PIE), build-id abcd010203040506…");
	assert_cuts(&f.claims.v[0], BASE, section_borders, ARRAY_LEN(section_borders));
	assert_int_equal(f.claims.v[0].module, 0);
	assert_int_equal(f.s->module_count, 1);
	assert_int_equal(f.s->modules[0].start, BASE);
	assert_int_equal(f.s->modules[0].end, BASE + 0x9000);
	assert_int_equal(f.s->modules[0].bias, BASE);
	assert_string_equal(f.s->modules[0].build_id, "abcd010203040506000000000000000000000000");
	assert_true(f.s->modules[0].pie && f.s->modules[0].sections);
	assert_false(f.s->modules[0].deleted || f.s->modules[0].replaced || f.s->modules[0].in_memory);
	assert_int_equal(f.s->modules[0].bits, 64);
	assert_int_equal(f.s->modules[0].region, VMM_NONE);
	assert_int_equal(f.s->note_count, 0);
	found_done(&f);
	close(fd);
}

static void loaded_twice_and_mapped_as_data(void **state)
{
	const uint64_t data = BASE + 0x100000, second = BASE + 0x200000;
	struct fake_target t = {0};
	struct program p;
	struct found f;
	int fd;

	make_program(&p);
	fd = program_file(&p, sizeof(p));
	map_program(&t, BASE, "/lib/a.so", fd);
	fake_map(&t, data, data + FILE_BYTES, "r--p", 0, "/lib/a.so", fd);
	map_program(&t, second, "/lib/a.so", fd);
	fake_map(&t, second + 0x9000, second + 0x9000 + FILE_BYTES, "r--s", 0, "/lib/a.so", fd);
	find(&f, &t);
	assert_int_equal(f.claims.count, 2);
	assert_int_equal(f.claims.v[0].start, BASE);
	assert_int_equal(f.claims.v[1].start, second);
	assert_int_equal(f.claims.v[1].end, second + 0x9000);
	assert_cuts(&f.claims.v[1], second, section_borders, ARRAY_LEN(section_borders));
	assert_null(vmm_claims_find(&f.claims, data, false));
	assert_int_equal(t.opens, 1);
	found_done(&f);
	close(fd);
}

/* Segments at the addresses that they have in the file, as linkers with separate pages for each lay them out. */
static void make_linear(struct program *p)
{
	make_program(p);
	segment(p, 3)->p_vaddr = 0x3db0;
	segment(p, 3)->p_offset = 0x3db0;
	segment(p, 3)->p_filesz = 0x100;
	header(p)->e_shoff = 0;
}

static void linear_file_mapped_as_data(void **state)
{
	static const char *const prot[] = {"r--p", "r-xp", "rw-p"};
	struct program p;
	struct found f;
	int fd;

	make_linear(&p);
	fd = program_file(&p, sizeof(p));
	for (size_t i = 0; i < ARRAY_LEN(prot); i++) {
		struct fake_target t = {0};

		fake_map(&t, BASE, BASE + FILE_BYTES, prot[i], 0, "/lib/linear.so", fd);
		find(&f, &t);
		assert_int_equal(f.claims.count, 0);
		assert_int_equal(f.s->module_count, 0);
		found_done(&f);
	}
	{
		struct fake_target t = {0};

		fake_map(&t, BASE, BASE + 0x1000, "r--p", 0, "/lib/linear.so", fd);
		fake_map(&t, BASE + 0x1000, BASE + 0x2000, "r-xp", 0x1000, "/lib/linear.so", fd);
		fake_map(&t, BASE + 0x2000, BASE + 0x3000, "r--p", 0x2000, "/lib/linear.so", fd);
		fake_map(&t, BASE + 0x3000, BASE + 0x4000, "rw-p", 0x3000, "/lib/linear.so", fd);
		fake_map(&t, BASE + 0x4000, BASE + 0x9000, "rw-p", 0, "", VMM_E_NO_TARGET);
		find(&f, &t);
		assert_int_equal(f.claims.count, 1);
		assert_int_equal(f.claims.v[0].end, BASE + 0x9000);
		found_done(&f);
	}
	close(fd);
}

/* One read-only segment, like a library of tables: only the length of the mapping tells a load from data. */
static void read_only_object(void **state)
{
	struct program p;
	struct found f;
	int fd;

	make_program(&p);
	header(&p)->e_phnum = 1;
	header(&p)->e_shoff = 0;
	fd = program_file(&p, sizeof(p));
	for (uint64_t pages = 1; pages <= 4; pages++) {
		struct fake_target t = {0};

		fake_map(&t, BASE, BASE + pages * 0x1000, "r--p", 0, "/lib/tables.so", fd);
		find(&f, &t);
		assert_int_equal(f.claims.count, pages == 1);
		found_done(&f);
	}
	close(fd);
}

static void not_position_independent(void **state)
{
	struct fake_target t = {0}, elsewhere = {0};
	struct program p;
	struct found f;
	int fd;

	make_program(&p);
	header(&p)->e_type = ET_EXEC;
	header(&p)->e_shoff = 0;
	for (unsigned i = 0; i < 5; i++)
		segment(&p, i)->p_vaddr += 0x400000;
	fd = program_file(&p, sizeof(p));
	map_program(&t, 0x400000, "/bin/program", fd);
	find(&f, &t);
	assert_int_equal(f.claims.count, 1);
	assert_string_equal(f.claims.v[0].details, "/bin/program (not PIE), build-id abcd010203040506…");
	assert_false(f.s->modules[0].pie);
	assert_int_equal(f.s->modules[0].bias, 0);
	found_done(&f);
	map_program(&elsewhere, 0x500000, "/bin/program", fd);
	find(&f, &elsewhere);
	assert_int_equal(f.claims.count, 0);
	found_done(&f);
	close(fd);
}

/* With big pages there are 0x1ff000 bytes between segments. */
static void make_holes(struct program *p)
{
	make_program(p);
	for (unsigned i = 1; i < 4; i++)
		segment(p, i)->p_vaddr += i * 0x200000 - (i == 3 ? 0x1000 : 0);
	header(p)->e_shoff = 0;
}

static void map_holes(struct fake_target *t, int fd, bool foreign, const char *leftover)
{
	const char *name = "/bin/holes";

	fake_map(t, BASE, BASE + 0x1000, "r--p", 0, name, fd);
	if (leftover)
		fake_map(t, BASE + 0x1000, BASE + 0x201000, leftover, 0x1000, name, fd);
	fake_map(t, BASE + 0x201000, BASE + 0x202000, "r-xp", 0x1000, name, fd);
	if (leftover)
		fake_map(t, BASE + 0x202000, BASE + 0x402000, leftover, 0x202000, name, fd);
	fake_map(t, BASE + 0x402000, BASE + 0x403000, "r--p", 0x2000, name, fd);
	if (foreign)
		fake_map(t, BASE + 0x500000, BASE + 0x510000, "rw-p", 0, "", VMM_E_NO_TARGET);
	fake_map(t, BASE + 0x602000, BASE + 0x604000, "rw-p", 0x2000, name, fd);
	fake_map(t, BASE + 0x604000, BASE + 0x608000, "rw-p", 0, "", VMM_E_NO_TARGET);
}

static void holes_between_segments(void **state)
{
	static const char *const leftovers[] = {NULL, "---p", "r--p"}; /* the kernel's, ld.so's, musl's way */
	struct program p;
	struct found f;
	int fd;

	make_holes(&p);
	fd = program_file(&p, sizeof(p));
	for (size_t i = 0; i < ARRAY_LEN(leftovers); i++) {
		struct fake_target t = {0};

		map_holes(&t, fd, false, leftovers[i]);
		find(&f, &t);
		assert_int_equal(f.claims.count, 1);
		assert_int_equal(f.claims.v[0].start, BASE);
		assert_int_equal(f.claims.v[0].end, BASE + 0x608000);
		found_done(&f);
	}
	close(fd);
}

static void foreign_mapping_in_a_hole(void **state)
{
	struct fake_target t = {0};
	struct program p;
	struct found f;
	int fd;

	make_holes(&p);
	fd = program_file(&p, sizeof(p));
	map_holes(&t, fd, true, NULL);
	find(&f, &t);
	assert_int_equal(f.claims.count, 2);
	assert_int_equal(f.claims.v[0].end, BASE + 0x403000);
	assert_string_equal(f.claims.v[0].details, "/bin/holes, build-id abcd010203040506…, part 1 of 2");
	assert_int_equal(f.claims.v[1].start, BASE + 0x602000);
	assert_int_equal(f.claims.v[1].end, BASE + 0x608000);
	assert_string_equal(f.claims.v[1].details, "/bin/holes, build-id abcd010203040506…, part 2 of 2");
	assert_int_equal(f.claims.v[1].cuts[0].address, BASE + 0x602000);
	assert_string_equal(f.claims.v[1].cuts[0].label, "file padding");
	assert_int_equal(f.claims.v[1].cuts[1].address, BASE + 0x602db0);
	assert_int_equal(f.s->module_count, 1);
	assert_int_equal(f.s->modules[0].end, BASE + 0x608000);
	found_done(&f);
	close(fd);
}

static void bss_merged_with_the_heap(void **state)
{
	struct fake_target t = {0};
	struct program p;
	struct found f;
	int fd;

	make_program(&p);
	fd = program_file(&p, sizeof(p));
	map_program(&t, BASE, "/bin/program", fd);
	t.vmas[5].end = BASE + 0x30000;
	t.vmas[5].name = "[heap]";
	find(&f, &t);
	assert_int_equal(f.claims.count, 1);
	assert_int_equal(f.claims.v[0].end, BASE + 0x9000);
	found_done(&f);
	close(fd);
}

static void missing_segment_is_no_image(void **state)
{
	struct program p;
	struct found f;
	int fd;

	make_program(&p);
	fd = program_file(&p, sizeof(p));
	for (uint32_t gone = 0; gone < 3; gone++) {
		struct fake_target t = {0};

		map_program(&t, BASE, "/bin/program", fd);
		t.vma_count--; /* .bss may be anything */
		memmove(&t.vmas[gone], &t.vmas[gone + 1], (t.vma_count - gone) * sizeof(t.vmas[0]));
		t.vma_count--;
		find(&f, &t);
		assert_int_equal(f.claims.count, 0);
		found_done(&f);
	}
	close(fd);
}

static void replaced_file_is_read_from_memory(void **state)
{
	struct fake_target t = {0};
	struct program p;
	struct found f;

	make_program(&p);
	map_program(&t, BASE, "/lib/a.so", VMM_E_NO_TARGET);
	t.memory[0] = (struct fake_memory){BASE, BASE + 0x1000, p.bytes, 0};
	t.memory_count = 1;
	find(&f, &t);
	assert_int_equal(f.claims.count, 1);
	assert_string_equal(f.claims.v[0].details, "/lib/a.so, replaced on disk, build-id abcd010203040506…");
	assert_cuts(&f.claims.v[0], BASE, segment_borders, ARRAY_LEN(segment_borders));
	assert_true(f.s->modules[0].replaced);
	assert_false(f.s->modules[0].sections);
	assert_int_equal(f.s->note_count, 1);
	assert_string_equal(f.s->notes[0].code, "gone");
	found_done(&f);
	for (uint32_t i = 0; i < 5; i++)
		t.vmas[i].deleted = true;
	find(&f, &t);
	assert_string_equal(f.claims.v[0].details, "/lib/a.so, deleted, build-id abcd010203040506…");
	found_done(&f);
}

static void nothing_readable_leaves_the_map(void **state)
{
	struct fake_target t = {.refuse = VMM_E_DENIED};
	struct found f;

	map_program(&t, BASE, "/bin/program", VMM_E_DENIED);
	map_program(&t, BASE + 0x100000, "/lib/a.so", VMM_E_DENIED);
	fake_map(&t, BASE + 0x200000, BASE + 0x204000, "r--p", 0, "/usr/lib/locale", VMM_E_DENIED);
	find(&f, &t);
	assert_int_equal(f.claims.count, 2);
	assert_int_equal(f.claims.v[0].start, BASE);
	assert_int_equal(f.claims.v[0].end, BASE + 0x5000);
	assert_string_equal(f.claims.v[0].details, "/bin/program");
	assert_int_equal(f.claims.v[0].cut_count, 0);
	assert_null(f.s->modules[0].build_id);
	assert_int_equal(f.s->note_count, 1);
	assert_string_equal(f.s->notes[0].from, "elf");
	assert_string_equal(f.s->notes[0].code, "denied");
	assert_int_equal(f.s->notes[0].count, 2);
	found_done(&f);
}

static void memfd_is_in_memory(void **state)
{
	struct fake_target t = {0};
	struct program p;
	struct found f;
	int fd;

	make_program(&p);
	fd = program_file(&p, sizeof(p));
	map_program(&t, BASE, "/memfd:plugin", fd);
	for (uint32_t i = 0; i < 5; i++) {
		t.vmas[i].backing = VMM_BACKING_SHMEM;
		t.vmas[i].deleted = true;
	}
	find(&f, &t);
	assert_int_equal(f.claims.count, 1);
	assert_string_equal(f.claims.v[0].details, "/memfd:plugin, in memory, build-id abcd010203040506…");
	assert_true(f.s->modules[0].in_memory);
	assert_true(f.s->modules[0].sections);
	found_done(&f);
	close(fd);
	/* Without the right to open it: still no file that somebody replaced. */
	for (uint32_t i = 0; i < 5; i++) {
		t.file[i] = VMM_E_NO_TARGET;
		t.vmas[i].deleted = false;
	}
	t.memory[0] = (struct fake_memory){BASE, BASE + 0x1000, p.bytes, 0};
	t.memory_count = 1;
	find(&f, &t);
	assert_string_equal(f.claims.v[0].details, "/memfd:plugin, in memory, build-id abcd010203040506…");
	assert_false(f.s->modules[0].replaced || f.s->modules[0].sections);
	found_done(&f);
}

/* The program copied to where a hand-made loader would put it. */
static void make_memory(const struct program *p, unsigned char memory[0x9000])
{
	memset(memory, 0, 0x9000);
	memcpy(memory, p->bytes, 0x300);
	memcpy(memory + 0x1000, p->bytes + 0x1000, 0x155);
	memcpy(memory + 0x2000, p->bytes + 0x2000, 0x80);
	memcpy(memory + 0x3db0, p->bytes + 0x2db0, 0x268);
}

static void object_in_anonymous_memory(void **state)
{
	static unsigned char memory[0x9000];
	struct fake_target t = {0};
	struct program p;
	struct found f;

	make_program(&p);
	make_memory(&p, memory);
	fake_map(&t, BASE - 0x3000, BASE, "rw-p", 0, "", VMM_E_NO_TARGET);
	fake_map(&t, BASE, BASE + 0x1000, "r--p", 0, "", VMM_E_NO_TARGET);
	fake_map(&t, BASE + 0x1000, BASE + 0x2000, "r-xp", 0, "", VMM_E_NO_TARGET);
	fake_map(&t, BASE + 0x2000, BASE + 0x3000, "r--p", 0, "", VMM_E_NO_TARGET);
	fake_map(&t, BASE + 0x3000, BASE + 0xa000, "rw-p", 0, "", VMM_E_NO_TARGET);
	t.memory[0] = (struct fake_memory){BASE, BASE + 0x9000, memory, 0};
	t.memory_count = 1;
	find(&f, &t);
	assert_int_equal(f.claims.count, 1);
	assert_int_equal(f.claims.v[0].start, BASE);
	assert_int_equal(f.claims.v[0].end, BASE + 0x9000);
	assert_string_equal(f.claims.v[0].details, "ELF object, in memory, build-id abcd010203040506…");
	assert_string_equal(f.claims.v[0].path, "");
	assert_string_equal(f.claims.v[0].cuts[0].label, "header");
	assert_true(f.s->modules[0].in_memory);
	found_done(&f);
	/* Nothing executable: bytes of an ELF file that somebody holds. */
	t.vmas[2].prot = VMM_PROT_READ;
	find(&f, &t);
	assert_int_equal(f.claims.count, 0);
	found_done(&f);
	/* The header's page is not present: reading it would change the target. */
	t.vmas[2].prot = VMM_PROT_READ | VMM_PROT_EXEC;
	t.memory[0] = (struct fake_memory){BASE + 0x1000, BASE + 0x9000, memory + 0x1000, 0};
	find(&f, &t);
	assert_int_equal(f.claims.count, 0);
	found_done(&f);
}

static void expect_segments(struct program *p, const char *note)
{
	struct fake_target t = {0};
	struct found f;
	int fd = program_file(p, sizeof(*p));

	map_program(&t, BASE, "/bin/program", fd);
	find(&f, &t);
	assert_int_equal(f.claims.count, 1);
	assert_cuts(&f.claims.v[0], BASE, segment_borders, ARRAY_LEN(segment_borders));
	assert_int_equal(f.s->note_count, note ? 1 : 0);
	if (note)
		assert_string_equal(f.s->notes[0].code, note);
	found_done(&f);
	close(fd);
}

static void sections_that_lie(void **state)
{
	struct program p;

	make_program(&p);
	section(&p, S_TEXT)->sh_size = 0x10000; /* longer than its segment */
	expect_segments(&p, "malformed");
	make_program(&p);
	section(&p, S_TEXT)->sh_addr = UINT64_MAX - 8;
	section(&p, S_TEXT)->sh_size = 16;
	expect_segments(&p, "malformed");
	make_program(&p);
	section(&p, S_BSS)->sh_addr = 0x3f00; /* into .data */
	expect_segments(&p, "malformed");
	make_program(&p);
	header(&p)->e_shoff = UINT64_MAX - 16;
	expect_segments(&p, "malformed");
	make_program(&p);
	header(&p)->e_shentsize = 8;
	expect_segments(&p, "malformed");
	make_program(&p);
	header(&p)->e_shstrndx = 77;
	expect_segments(&p, "malformed");
	make_program(&p);
	header(&p)->e_shnum = 0; /* look at section 0's sh_size */
	section(&p, 0)->sh_size = UINT64_MAX;
	expect_segments(&p, "malformed");
	make_program(&p);
	header(&p)->e_shoff = 0; /* stripped of them: no lie */
	expect_segments(&p, NULL);
}

static void sections_in_any_order(void **state)
{
	struct fake_target t = {0};
	struct program p;
	Elf64_Shdr swap;
	struct found f;
	int fd;

	make_program(&p);
	swap = *section(&p, 1);
	*section(&p, 1) = *section(&p, S_BSS);
	*section(&p, S_BSS) = swap;
	/* And counts where they are when the header has no room for them. */
	header(&p)->e_shnum = 0;
	section(&p, 0)->sh_size = SECTIONS;
	header(&p)->e_shstrndx = SHN_XINDEX;
	section(&p, 0)->sh_link = SECTIONS - 1;
	fd = program_file(&p, sizeof(p));
	map_program(&t, BASE, "/bin/program", fd);
	find(&f, &t);
	assert_int_equal(f.claims.count, 1);
	assert_cuts(&f.claims.v[0], BASE, section_borders, ARRAY_LEN(section_borders));
	found_done(&f);
	close(fd);
}

static void out_of_memory(void **state)
{
	struct fake_target t = {0};
	struct program p;
	unsigned long n = 1;
	int fd, rc;

	make_program(&p);
	fd = program_file(&p, sizeof(p));
	map_program(&t, BASE, "/bin/program", fd);
	do {
		struct vmm_snapshot *s = fake_snapshot(&t, "/bin/program");
		struct vmm_claims claims = {0};

		assert_non_null(s);
		vmm_alloc_fail_after(n);
		rc = vmm_claim_images(&t.base, s, &claims, NULL);
		vmm_alloc_fail_after(0);
		assert_true(rc == 0 || rc == VMM_E_NOMEM);
		if (rc == 0)
			assert_int_equal(s->module_count, 1);
		vmm_claims_done(&claims);
		vmm_snapshot_destroy(s);
	} while (rc < 0 && ++n < 1000);
	assert_in_range(n, 5, 999);
	close(fd);
}

/* Claims and cuts keep their promises whatever the file says. */
static void assert_sound(const struct found *f)
{
	for (size_t i = 0; i < f->claims.count; i++) {
		const struct vmm_claim *c = &f->claims.v[i];

		assert_true(c->start < c->end && c->module < f->s->module_count);
		for (uint32_t k = 0; k < c->cut_count; k++) {
			assert_in_range(c->cuts[k].address, c->start, c->end - 1);
			assert_true(k == 0 || c->cuts[k].address > c->cuts[k - 1].address);
		}
	}
}

static void broken_bytes_do_no_harm(void **state)
{
	uint32_t random = 12345; /* xorshift: the same bytes in every run */
	struct program p;

	for (unsigned round = 0; round < 4000; round++) {
		struct fake_target t = {0};
		struct found f;
		int fd;

		make_program(&p);
		for (unsigned i = 0; i < 1 + round % 4; i++) {
			random ^= random << 13;
			random ^= random >> 17;
			random ^= random << 5;
			/* Half in the headers, half in the sections. */
			p.bytes[random & 1 ? (random >> 8) % 0x158 : SHDRS_AT + (random >> 8) % 0x800] =
			    (unsigned char)(random >> 3);
		}
		fd = program_file(&p, sizeof(p));
		map_program(&t, BASE, "/bin/program", fd);
		find(&f, &t);
		assert_sound(&f);
		found_done(&f);
		close(fd);
	}
}

TEST_MAIN(cmocka_unit_test(sections_of_a_program), cmocka_unit_test(loaded_twice_and_mapped_as_data),
          cmocka_unit_test(linear_file_mapped_as_data), cmocka_unit_test(read_only_object),
          cmocka_unit_test(not_position_independent), cmocka_unit_test(holes_between_segments),
          cmocka_unit_test(foreign_mapping_in_a_hole), cmocka_unit_test(bss_merged_with_the_heap),
          cmocka_unit_test(missing_segment_is_no_image), cmocka_unit_test(replaced_file_is_read_from_memory),
          cmocka_unit_test(nothing_readable_leaves_the_map), cmocka_unit_test(memfd_is_in_memory),
          cmocka_unit_test(object_in_anonymous_memory), cmocka_unit_test(sections_that_lie),
          cmocka_unit_test(sections_in_any_order), cmocka_unit_test(out_of_memory),
          cmocka_unit_test(broken_bytes_do_no_harm))
