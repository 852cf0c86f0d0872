/* Cores without NT_FILE, made by hand: names of images by the dynamic linker's list, and lists that lie. */
#include "../fake_core.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "base/arena.h"
#include "model/target.h"
#include "test.h"
#include "vmmap/vmmap.h"

#define RW (PF_R | PF_W)
#define PROGRAM UINT64_C(0x400000)
#define LIBRARY UINT64_C(0x7f0000000000)
#define LINKER UINT64_C(0x500000)
#define STACK UINT64_C(0x7ffc00000000)
#define DEBUG_AT 0x40
#define FIRST_AT 0x100
#define SECOND_AT 0x200
#define THIRD_AT 0x300
#define TEXT_AT 0x400

/* Indexes of the loads. */
enum { PROGRAM_HEAD, PROGRAM_DATA, LIBRARY_HEAD, LIBRARY_HOLE, LIBRARY_DATA, LINKER_DATA, STACK_DATA };

static unsigned char *load_bytes(struct fake_core *c, unsigned load)
{
	return c->data + c->loads[load].p_offset;
}

static void put_words(struct fake_core *c, unsigned load, size_t at, const uint64_t *words, size_t count)
{
	memcpy(load_bytes(c, load) + at, words, count * 8);
}

static void put_object(struct fake_core *c, unsigned load, uint16_t type, const Elf64_Phdr *table, unsigned count)
{
	Elf64_Ehdr h = c->header;

	h.e_type = type;
	h.e_phoff = sizeof(h);
	h.e_phentsize = sizeof(*table);
	h.e_phnum = (Elf64_Half)count;
	memset(load_bytes(c, load), 0, 4096);
	memcpy(load_bytes(c, load), &h, sizeof(h));
	memcpy(load_bytes(c, load) + sizeof(h), table, count * sizeof(*table));
}

/* struct link_map */
static void put_link(struct fake_core *c, size_t at, uint64_t name, uint64_t dynamic, uint64_t next, uint64_t previous)
{
	uint64_t words[] = {0, name, dynamic, next, previous};

	put_words(c, LINKER_DATA, at, words, 5);
}

/* A program of two segments, a library with a hole between its own, the linker's data, a stack with the program's name. */
static void make_sample(struct fake_core *c)
{
	static const Elf64_Phdr program[] = {
		{.p_type = PT_LOAD, .p_flags = PF_R, .p_vaddr = PROGRAM, .p_filesz = 0x1000, .p_memsz = 0x1000},
		{.p_type = PT_LOAD, .p_flags = RW, .p_offset = 0x1000, .p_vaddr = PROGRAM + 0x1000, .p_filesz = 0x800, .p_memsz = 0x800},
		{.p_type = PT_DYNAMIC, .p_flags = RW, .p_offset = 0x1000, .p_vaddr = PROGRAM + 0x1000, .p_filesz = 64, .p_memsz = 64},
	}, library[] = {
		{.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = 0x900, .p_memsz = 0x900},
		{.p_type = PT_LOAD, .p_flags = RW, .p_offset = 0x2000, .p_vaddr = 0x3000, .p_filesz = 0x800, .p_memsz = 0x800},
		{.p_type = PT_DYNAMIC, .p_flags = RW, .p_offset = 0x2010, .p_vaddr = 0x3010, .p_filesz = 64, .p_memsz = 64},
	};
	static const uint64_t dynamic[] = {1, 2, DT_DEBUG, LINKER + DEBUG_AT, DT_NULL, 0}, debug[] = {1, LINKER + FIRST_AT, 0, 0, 0};
	uint64_t auxv[] = {AT_PAGESZ, 4096, AT_PHDR, PROGRAM + sizeof(Elf64_Ehdr), AT_EXECFN, STACK + 0x800, AT_RANDOM, STACK + 0x700, AT_NULL, 0};

	fake_core_init(c);
	fake_core_load(c, PROGRAM, 0x1000, PF_R, 4096, 0);
	fake_core_load(c, PROGRAM + 0x1000, 0x1000, RW, 4096, 0);
	fake_core_load(c, LIBRARY, 0x1000, PF_R | PF_X, 4096, 0);
	fake_core_load(c, LIBRARY + 0x1000, 0x2000, 0, 0, 0);
	fake_core_load(c, LIBRARY + 0x3000, 0x1000, RW, 4096, 0);
	fake_core_load(c, LINKER, 0x1000, RW, 4096, 0);
	fake_core_load(c, STACK, 0x1000, RW, 4096, 0);
	put_object(c, PROGRAM_HEAD, ET_EXEC, program, 3);
	put_object(c, LIBRARY_HEAD, ET_DYN, library, 3);
	put_words(c, PROGRAM_DATA, 0, dynamic, 6);
	put_words(c, LINKER_DATA, DEBUG_AT, debug, 5);
	put_link(c, FIRST_AT, LINKER + TEXT_AT + 0x80, PROGRAM + 0x1000, LINKER + SECOND_AT, 0);
	put_link(c, SECOND_AT, LINKER + TEXT_AT, LIBRARY + 0x3010, 0, LINKER + FIRST_AT);
	memcpy(load_bytes(c, LINKER_DATA) + TEXT_AT, "/no/such/library.so", 20);
	memcpy(load_bytes(c, STACK_DATA) + 0x800, "./program", 10);
	fake_core_thread(c, 4711, SIGSEGV, STACK + 0x100, 0);
	fake_core_process(c, 4711, "program", "./program");
	fake_core_note(c, "CORE", NT_AUXV, auxv, sizeof(auxv));
}

static struct vmm_snapshot *snapshot_of(struct fake_core *c)
{
	struct vmm_take take = {.needs = VMM_NEED_DEFAULT};
	struct vmm_target *t = NULL;
	struct vmm_snapshot *s = NULL;
	unsigned char *bytes;
	char path[40];
	size_t length;
	int fd = memfd_create("core", MFD_CLOEXEC);

	bytes = fake_core_bytes(c, &length);
	assert_true(fd >= 0 && write(fd, bytes, length) == (ssize_t)length);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(vmm_target_open(path, &t, NULL), 0);
	assert_int_equal(vmm_target_snapshot(t, &take, &s, NULL), 0);
	vmm_target_close(t);
	close(fd);
	free(bytes);
	return s;
}

static void expect_name(struct fake_core *c, uint64_t address, const char *name, uint64_t offset)
{
	struct vmm_snapshot *s = snapshot_of(c);
	const struct vmm_vma *v = vmm_snapshot_vma_at(s, address);

	assert_non_null(v);
	assert_string_equal(v->name, name);
	assert_int_equal(v->backing, name[0] && name[0] != '[' ? VMM_BACKING_FILE : VMM_BACKING_ANON);
	assert_int_equal(v->offset, offset);
	assert_false(v->deleted);
	for (uint32_t i = 1; i < s->vma_count; i++)
		assert_true(s->vmas[i - 1].end <= s->vmas[i].start);
	vmm_snapshot_destroy(s);
}

static void names_images(void **state)
{
	struct fake_core c;
	struct vmm_snapshot *s;

	make_sample(&c);
	expect_name(&c, PROGRAM, "./program", 0);
	expect_name(&c, PROGRAM + 0x1000, "./program", 0x1000);
	expect_name(&c, LIBRARY, "/no/such/library.so", 0);
	expect_name(&c, LIBRARY + 0x1000, "/no/such/library.so", 0x1000);
	expect_name(&c, LIBRARY + 0x3000, "/no/such/library.so", 0x2000);
	expect_name(&c, LINKER, "", 0);
	expect_name(&c, STACK, "[stack]", 0);
	s = snapshot_of(&c);
	assert_int_equal(s->vma_count, 7);
	assert_string_equal(s->target.exe, "./program");
	assert_int_equal(s->module_count, 2);
	vmm_snapshot_destroy(s);
	/* What may be accessed is not of the file, where its headers have no segment. */
	c.loads[LIBRARY_HOLE].p_flags = RW;
	expect_name(&c, LIBRARY + 0x1000, "", 0);
	/* A name from the list goes before what was executed: musl's. */
	memcpy(load_bytes(&c, LINKER_DATA) + TEXT_AT + 0x80, "/bin/other (deleted)", 21);
	expect_name(&c, PROGRAM, "/bin/other (deleted)", 0);
}

/* What the kernel says goes before what memory says. */
static void files_first(void **state)
{
	static const struct fake_core_file files[] = {{LIBRARY, LIBRARY + 0x1000, 0, "/the/kernel's.so"}};
	struct fake_core c;

	make_sample(&c);
	fake_core_files(&c, files, 1);
	expect_name(&c, LIBRARY, "/the/kernel's.so", 0);
	expect_name(&c, LIBRARY + 0x3000, "", 0);
	expect_name(&c, PROGRAM, "", 0);
}

/* Without a list there is what the kernel has mapped: the program, and the linker that it names. */
static void names_interpreter(void **state)
{
	struct fake_core c;
	Elf64_Phdr interpreter = {.p_type = PT_INTERP, .p_offset = 0x800, .p_vaddr = PROGRAM + 0x800, .p_filesz = 8, .p_memsz = 8};
	uint64_t none = 0, auxv[] = {AT_PAGESZ, 4096, AT_PHDR, PROGRAM + sizeof(Elf64_Ehdr), AT_EXECFN, STACK + 0x800, AT_BASE, LIBRARY, AT_NULL, 0};

	make_sample(&c);
	put_words(&c, PROGRAM_DATA, 3 * 8, &none, 1); /* DT_DEBUG is 0 */
	expect_name(&c, PROGRAM, "./program", 0);
	expect_name(&c, LIBRARY, "", 0);
	memcpy(load_bytes(&c, PROGRAM_HEAD) + sizeof(Elf64_Ehdr) + 3 * sizeof(interpreter), &interpreter, sizeof(interpreter));
	((Elf64_Ehdr *)load_bytes(&c, PROGRAM_HEAD))->e_phnum = 4;
	memcpy(load_bytes(&c, PROGRAM_HEAD) + 0x800, "/lib/ld", 8);
	fake_core_note(&c, "CORE", NT_AUXV, auxv, sizeof(auxv));
	expect_name(&c, LIBRARY + 0x3000, "/lib/ld", 0x2000);
}

/* An entry of a list counts only where headers in memory agree, and no list goes on for ever. */
static void liars(void **state)
{
	struct fake_core c;
	uint64_t word;

	make_sample(&c);
	put_link(&c, SECOND_AT, LINKER + TEXT_AT, LIBRARY + 0x3018, 0, LINKER + FIRST_AT); /* its dynamic section is elsewhere */
	expect_name(&c, LIBRARY, "", 0);
	put_link(&c, SECOND_AT, LINKER + TEXT_AT, LIBRARY + 0x3010, 0, LINKER + THIRD_AT); /* not the one after the first */
	expect_name(&c, LIBRARY, "", 0);
	put_link(&c, SECOND_AT, LINKER + TEXT_AT, LIBRARY + 0x3010, LINKER + FIRST_AT, LINKER + FIRST_AT); /* a loop */
	expect_name(&c, LIBRARY, "/no/such/library.so", 0);
	put_link(&c, SECOND_AT, LINKER + TEXT_AT, LIBRARY + 0x3010, LINKER + 0x1000 - 8, LINKER + FIRST_AT); /* goes on where nothing is */
	expect_name(&c, LIBRARY, "/no/such/library.so", 0);
	put_link(&c, SECOND_AT, LINKER + 0x1000 - 4, LIBRARY + 0x3010, 0, LINKER + FIRST_AT); /* a name without an end */
	memset(load_bytes(&c, LINKER_DATA) + 0x1000 - 4, 'x', 4);
	expect_name(&c, LIBRARY, "", 0);
	put_link(&c, SECOND_AT, LINKER + TEXT_AT, LIBRARY + 0x3010, 0, LINKER + FIRST_AT);
	word = 99; /* an unknown version of struct r_debug */
	put_words(&c, LINKER_DATA, DEBUG_AT, &word, 1);
	expect_name(&c, LIBRARY, "", 0);
	expect_name(&c, PROGRAM, "./program", 0);
	memset(load_bytes(&c, STACK_DATA) + 0x800, 'y', 0x800);
	expect_name(&c, PROGRAM, "", 0);
}

/* A segment that reaches over others' memory takes none that the core does not list, and the rest of the map holds. */
static void odd_segments(void **state)
{
	struct fake_core c;
	Elf64_Phdr *library;

	make_sample(&c);
	library = (Elf64_Phdr *)(load_bytes(&c, LIBRARY_HEAD) + sizeof(Elf64_Ehdr));
	library[0].p_filesz = library[0].p_memsz = UINT64_C(1) << 46;
	expect_name(&c, PROGRAM, "./program", 0);
	library[0].p_filesz = UINT64_MAX;
	expect_name(&c, PROGRAM, "./program", 0);
	library[0].p_filesz = 0x900;
	library[1].p_vaddr = UINT64_MAX - 0x100;
	expect_name(&c, PROGRAM, "./program", 0);
}

/* Lists of two namespaces, the second one that begins with an object of the first; lists of lists that run in circles. */
static void namespaces(void **state)
{
	struct fake_core c;
	uint64_t debug[] = {2, LINKER + FIRST_AT, 0, 0, 0, LINKER + 0x600}, other[] = {2, LINKER + THIRD_AT, 0, 0, 0, LINKER + DEBUG_AT};

	make_sample(&c);
	put_words(&c, LINKER_DATA, DEBUG_AT, debug, 6);
	put_words(&c, LINKER_DATA, 0x600, other, 6);
	put_link(&c, FIRST_AT, LINKER + TEXT_AT + 0x80, PROGRAM + 0x1000, 0, 0);
	put_link(&c, THIRD_AT, LINKER + TEXT_AT, PROGRAM + 0x1000, LINKER + SECOND_AT, 0);
	put_link(&c, SECOND_AT, LINKER + TEXT_AT, LIBRARY + 0x3010, 0, LINKER + THIRD_AT);
	expect_name(&c, LIBRARY, "/no/such/library.so", 0);
	expect_name(&c, PROGRAM, "./program", 0);
}

static void out_of_memory(void **state)
{
	struct fake_core c;
	unsigned char *bytes;
	char path[40];
	size_t length;
	int fd = memfd_create("core", MFD_CLOEXEC), rc = VMM_E_NOMEM;
	unsigned long n;

	make_sample(&c);
	bytes = fake_core_bytes(&c, &length);
	assert_true(fd >= 0 && write(fd, bytes, length) == (ssize_t)length);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	for (n = 1; n < 500 && rc != 0; n++) {
		struct vmm_target *t = NULL;

		vmm_alloc_fail_after(n);
		rc = vmm_target_open(path, &t, NULL);
		vmm_alloc_fail_after(0);
		assert_true(rc == 0 || (rc == VMM_E_NOMEM && !t));
		vmm_target_close(t);
	}
	assert_true(rc == 0 && n > 10);
	close(fd);
	free(bytes);
}

TEST_MAIN(cmocka_unit_test(names_images), cmocka_unit_test(files_first), cmocka_unit_test(names_interpreter), cmocka_unit_test(liars),
          cmocka_unit_test(odd_segments), cmocka_unit_test(namespaces), cmocka_unit_test(out_of_memory))
