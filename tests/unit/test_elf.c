/* Hand-made headers against the byte layouts of the gABI, and this program's own file against readelf and ld.so. */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/elf.h"
#include "test.h"

/* A 32-bit big-endian header (as of a MIPS or PowerPC program), byte by byte. */
static const unsigned char be32[52] = {
    0x7f, 'E', 'L', 'F', 1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0x00, 0x02,             /* ET_EXEC */
    0x00, 0x14,             /* EM_PPC */
    0x00, 0x00, 0x00, 0x01, /* version */
    0x10, 0x00, 0x03, 0x20, /* entry */
    0x00, 0x00, 0x00, 0x34, /* phoff */
    0x00, 0x01, 0x02, 0x03, /* shoff */
    0x00, 0x00, 0x00, 0x00, /* flags */
    0x00, 0x34, 0x00, 0x20, /* ehsize, phentsize */
    0x00, 0x08, 0x00, 0x28, /* phnum, shentsize */
    0x00, 0x1f, 0x00, 0x1e, /* shnum, shstrndx */
};

static void header_of_32_bit_big_endian(void **state)
{
	struct vmm_elf_header h;

	assert_int_equal(vmm_elf_parse_header(be32, sizeof(be32), &h, NULL), 0);
	assert_int_equal(h.bits, 32);
	assert_true(h.big_endian);
	assert_int_equal(h.type, VMM_ELF_EXEC);
	assert_int_equal(h.machine, 20);
	assert_int_equal(h.phoff, 0x34);
	assert_int_equal(h.shoff, 0x010203);
	assert_int_equal(h.phnum, 8);
	assert_int_equal(h.phentsize, 32);
	assert_int_equal(h.shentsize, 40);
	assert_int_equal(h.shnum, 31);
	assert_int_equal(h.shstrndx, 30);
}

static void what_is_no_header(void **state)
{
	struct vmm_elf_header h = {.bits = 7};
	struct vmm_err err;
	unsigned char bytes[52];

	for (size_t length = 0; length < sizeof(be32); length++)
		assert_int_equal(vmm_elf_parse_header(be32, length, &h, &err), VMM_E_FORMAT);
	memcpy(bytes, be32, sizeof(bytes));
	bytes[4] = 3; /* class */
	assert_int_equal(vmm_elf_parse_header(bytes, sizeof(bytes), &h, NULL), VMM_E_FORMAT);
	bytes[4] = 2; /* 64-bit, but only 52 bytes of it */
	assert_int_equal(vmm_elf_parse_header(bytes, sizeof(bytes), &h, NULL), VMM_E_FORMAT);
	bytes[4] = 1;
	bytes[5] = 0; /* byte order */
	assert_int_equal(vmm_elf_parse_header(bytes, sizeof(bytes), &h, NULL), VMM_E_FORMAT);
	bytes[5] = 2;
	bytes[43] = 31; /* program headers shorter than the class has them */
	assert_int_equal(vmm_elf_parse_header(bytes, sizeof(bytes), &h, NULL), VMM_E_FORMAT);
	bytes[0] = 'M';
	assert_int_equal(vmm_elf_parse_header(bytes, sizeof(bytes), &h, NULL), VMM_E_FORMAT);
	assert_int_equal(h.bits, 7); /* untouched by every failure */
}

static void segment_and_section_of_32_bit_big_endian(void **state)
{
	/* p_flags stands last but one in this class. */
	static const unsigned char phdr[32] = {0, 0, 0, 1, 0, 0, 0x10, 0, 0x10, 1, 0x10, 0, 0x10, 1, 0x10, 0,
	                                       0, 0, 2,    3, 0, 0, 4, 5, 0,    0, 0,    6, 0, 1, 0, 0};
	static const unsigned char shdr[40] = {0, 0, 0, 9, 0, 0, 0,  8, 0, 0, 4, 3, 0x10, 2, 0, 0, 0, 0, 0x20, 0,
	                                       0, 0, 1, 1, 0, 0, 0, 11, 0, 0, 0, 12, 0, 0, 0, 4, 0, 0, 0, 0};
	struct vmm_elf_header h;
	struct vmm_elf_segment g;
	struct vmm_elf_section s;

	assert_int_equal(vmm_elf_parse_header(be32, sizeof(be32), &h, NULL), 0);
	assert_true(vmm_elf_segment_at(&h, phdr, sizeof(phdr), 0, &g));
	assert_int_equal(g.type, VMM_ELF_PT_LOAD);
	assert_int_equal(g.offset, 0x1000);
	assert_int_equal(g.vaddr, 0x10011000);
	assert_int_equal(g.filesz, 0x203);
	assert_int_equal(g.memsz, 0x405);
	assert_int_equal(g.flags, VMM_ELF_PF_R | VMM_ELF_PF_W);
	assert_int_equal(g.align, 0x10000);
	assert_false(vmm_elf_segment_at(&h, phdr, sizeof(phdr) - 1, 0, &g));
	assert_false(vmm_elf_segment_at(&h, phdr, sizeof(phdr), 1, &g));
	assert_false(vmm_elf_segment_at(&h, phdr, sizeof(phdr), UINT32_MAX, &g));
	assert_true(vmm_elf_section_at(&h, shdr, sizeof(shdr), 0, &s));
	assert_int_equal(s.name, 9);
	assert_int_equal(s.type, VMM_ELF_SHT_NOBITS);
	assert_int_equal(s.flags, 0x403);
	assert_int_equal(s.address, 0x10020000);
	assert_int_equal(s.offset, 0x2000);
	assert_int_equal(s.size, 0x101);
	assert_int_equal(s.link, 11);
	assert_int_equal(s.info, 12);
	assert_false(vmm_elf_section_at(&h, shdr, sizeof(shdr), 1, &s));
	h.shentsize = 0; /* an entry size that would loop on the spot */
	assert_false(vmm_elf_section_at(&h, shdr, sizeof(shdr), 0, &s));
}

static void names(void **state)
{
	static const char table[] = {'\0', '.', 'b', 's', 's', '\0', '.', 'x'};

	assert_string_equal(vmm_elf_section_name(table, sizeof(table), 1), ".bss");
	assert_string_equal(vmm_elf_section_name(table, sizeof(table), 3), "ss");
	assert_string_equal(vmm_elf_section_name(table, sizeof(table), 6), ""); /* not terminated */
	assert_string_equal(vmm_elf_section_name(table, sizeof(table), 8), "");
	assert_string_equal(vmm_elf_section_name(table, sizeof(table), UINT32_MAX), "");
}

static const struct vmm_elf_header le64 = {.bits = 64};

static void notes_aligned_to_4(void **state)
{
	static const unsigned char notes[] = {
	    5, 0, 0, 0, 3, 0, 0, 0, 7, 0, 0, 0, 'C', 'O', 'R', 'E', 0, 0, 0, 0, 'a', 'b', 'c', 0,
	    4, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0, 0xde, 0xad, 0xbe, 0xef,
	    0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, /* neither name nor descriptor */
	};
	unsigned char id[VMM_ELF_BUILD_ID_MAX];
	struct vmm_elf_note n;
	size_t at = 0;

	assert_true(vmm_elf_note_next(&le64, notes, sizeof(notes), 4, &at, &n));
	assert_int_equal(n.type, 7);
	assert_int_equal(n.name_length, 4);
	assert_memory_equal(n.name, "CORE", 4);
	assert_int_equal(n.desc_length, 3);
	assert_memory_equal(n.desc, "abc", 3);
	assert_int_equal(at, 24);
	assert_true(vmm_elf_note_next(&le64, notes, sizeof(notes), 4, &at, &n));
	assert_int_equal(at, 44);
	assert_true(vmm_elf_note_next(&le64, notes, sizeof(notes), 4, &at, &n));
	assert_int_equal(n.type, 9);
	assert_int_equal(n.desc_length, 0);
	assert_false(vmm_elf_note_next(&le64, notes, sizeof(notes), 4, &at, &n));
	assert_int_equal(vmm_elf_build_id(&le64, notes, sizeof(notes), 4, id), 4);
	assert_memory_equal(id, "\xde\xad\xbe\xef", 4);
}

static void notes_aligned_to_8(void **state)
{
	/* Name of 5 bytes: the descriptor starts at 24, not at 20. */
	static const unsigned char notes[48] = {5,   0,   0,   0,   4, 0, 0, 0, 1, 0, 0, 0, 'C', 'O', 'R', 'E',
	                                        0,   0,   0,   0,   0, 0, 0, 0, 1, 2, 3, 4, 0,   0,   0,   0,
	                                        4,   0,   0,   0,   0, 0, 0, 0, 2, 0, 0, 0, 'G', 'N', 'U', 0};
	struct vmm_elf_note n;
	size_t at = 0;

	assert_true(vmm_elf_note_next(&le64, notes, sizeof(notes), 8, &at, &n));
	assert_memory_equal(n.desc, "\1\2\3\4", 4);
	assert_int_equal(at, 32);
	assert_true(vmm_elf_note_next(&le64, notes, sizeof(notes), 8, &at, &n));
	assert_int_equal(n.type, 2);
	assert_int_equal(n.name_length, 3);
	assert_int_equal(at, 48);
}

static void notes_that_do_not_fit(void **state)
{
	unsigned char notes[32] = {4, 0, 0, 0, 8, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0, 1, 2, 3, 4, 5, 6, 7, 8};
	unsigned char id[VMM_ELF_BUILD_ID_MAX];
	struct vmm_elf_note n;
	size_t at = 0;

	assert_int_equal(vmm_elf_build_id(&le64, notes, 24, 4, id), 8);
	for (size_t length = 0; length < 24; length++) {
		at = 0;
		assert_false(vmm_elf_note_next(&le64, notes, length, 4, &at, &n));
		assert_int_equal(at, 0);
	}
	memset(notes, 0xff, 8); /* name and descriptor of 4 GiB */
	assert_false(vmm_elf_note_next(&le64, notes, sizeof(notes), 4, &at, &n));
	at = SIZE_MAX;
	assert_false(vmm_elf_note_next(&le64, notes, sizeof(notes), 4, &at, &n));
	/* A build-id that is longer than any. */
	memcpy(notes, (unsigned char[]){4, 0, 0, 0, 65, 0, 0, 0}, 8);
	assert_int_equal(vmm_elf_build_id(&le64, notes, sizeof(notes), 4, id), 0);
}

struct own_file {
	const unsigned char *bytes;
	size_t length;
	struct vmm_elf_header h;
};

static void own_file_open(struct own_file *f)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stat st;

	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	f->length = (size_t)st.st_size;
	f->bytes = mmap(NULL, f->length, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_true(f->bytes != MAP_FAILED);
	close(fd);
	assert_int_equal(vmm_elf_parse_header(f->bytes, f->length, &f->h, NULL), 0);
}

static int compare_phdrs(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct own_file *f = arg;
	struct vmm_elf_segment s;

	assert_int_equal(f->h.phnum, info->dlpi_phnum);
	for (uint32_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		assert_true(vmm_elf_segment_at(&f->h, f->bytes + f->h.phoff, f->length - f->h.phoff, i, &s));
		assert_int_equal(s.type, p->p_type);
		assert_int_equal(s.flags, p->p_flags);
		assert_int_equal(s.offset, p->p_offset);
		assert_int_equal(s.vaddr, p->p_vaddr);
		assert_int_equal(s.filesz, p->p_filesz);
		assert_int_equal(s.memsz, p->p_memsz);
		assert_int_equal(s.align, p->p_align);
	}
	return 1; /* only the first: this program */
}

static void own_segments_are_those_of_ld_so(void **state)
{
	struct own_file f;

	own_file_open(&f);
	assert_int_equal(dl_iterate_phdr(compare_phdrs, &f), 1);
	munmap((void *)f.bytes, f.length);
}

static void own_build_id_is_that_of_readelf(void **state)
{
	char line[256], expected[256] = "", command[64], got[2 * VMM_ELF_BUILD_ID_MAX + 1] = "";
	unsigned char id[VMM_ELF_BUILD_ID_MAX];
	struct own_file f;
	struct vmm_elf_segment s;
	size_t n = 0;
	FILE *p;

	snprintf(command, sizeof(command), "readelf -nW /proc/%d/exe 2>/dev/null", (int)getpid());
	p = popen(command, "r");
	assert_non_null(p);
	while (fgets(line, sizeof(line), p)) {
		const char *at = strstr(line, "Build ID: ");

		if (at)
			snprintf(expected, sizeof(expected), "%.*s", (int)strcspn(at + 10, "\n"), at + 10);
	}
	if (pclose(p) != 0)
		TEST_SKIP("readelf is missing");
	own_file_open(&f);
	for (uint32_t i = 0; n == 0 && i < f.h.phnum; i++)
		if (vmm_elf_segment_at(&f.h, f.bytes + f.h.phoff, f.length - f.h.phoff, i, &s) &&
		    s.type == VMM_ELF_PT_NOTE)
			n = vmm_elf_build_id(&f.h, f.bytes + s.offset, (size_t)s.filesz, s.align, id);
	for (size_t i = 0; i < n; i++)
		snprintf(got + 2 * i, 3, "%02x", id[i]);
	assert_string_equal(got, expected);
	munmap((void *)f.bytes, f.length);
}

TEST_MAIN(cmocka_unit_test(header_of_32_bit_big_endian), cmocka_unit_test(what_is_no_header),
          cmocka_unit_test(segment_and_section_of_32_bit_big_endian), cmocka_unit_test(names),
          cmocka_unit_test(notes_aligned_to_4), cmocka_unit_test(notes_aligned_to_8),
          cmocka_unit_test(notes_that_do_not_fit), cmocka_unit_test(own_segments_are_those_of_ld_so),
          cmocka_unit_test(own_build_id_is_that_of_readelf))
