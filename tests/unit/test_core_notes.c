/* Notes of cores: x86-64 against the C library's structures, the others against offsets of the kernel's headers. */
#include <elf.h>
#include <sys/procfs.h>

#include "format/core_notes.h"
#include "test.h"

static const struct vmm_elf_header x86_64 = {.bits = 64, .machine = VMM_EM_X86_64}, i386 = {.bits = 32, .machine = VMM_EM_386},
                                   aarch64 = {.bits = 64, .machine = VMM_EM_AARCH64}, arm = {.bits = 32, .machine = VMM_EM_ARM};

static void put(unsigned char *bytes, size_t at, uint64_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		bytes[at + i] = (unsigned char)(value >> (8 * i));
}

static struct vmm_elf_note note_of(const void *desc, size_t length, uint32_t type)
{
	return (struct vmm_elf_note){.type = type, .name = "CORE", .name_length = 4, .desc = desc, .desc_length = length};
}

static void machines(void **state)
{
	struct vmm_elf_header big = x86_64, other = {.bits = 64, .machine = 243};

	big.big_endian = true;
	assert_true(vmm_core_machine_known(&x86_64));
	assert_string_equal(vmm_core_arch(&arm), "arm");
	assert_string_equal(vmm_core_arch(&aarch64), "aarch64");
	assert_string_equal(vmm_core_arch(&i386), "i386");
	assert_false(vmm_core_machine_known(&big));
	assert_false(vmm_core_machine_known(&other));
	assert_string_equal(vmm_core_arch(&other), "");
}

static void threads_of_x86_64(void **state)
{
	struct elf_prstatus s = {.pr_pid = 4711, .pr_cursig = 11};
	struct vmm_elf_note n = note_of(&s, sizeof(s), NT_PRSTATUS);
	struct vmm_core_thread t;

	s.pr_reg[16] = 0x401234;
	s.pr_reg[19] = 0x7ffe12345678;
	s.pr_reg[21] = 0x7f0011223740;
	assert_true(vmm_core_prstatus(&x86_64, &n, &t));
	assert_int_equal(t.tid, 4711);
	assert_int_equal(t.signal, 11);
	assert_int_equal(t.pc, 0x401234);
	assert_int_equal(t.sp, 0x7ffe12345678);
	assert_true(t.tp_known);
	assert_int_equal(t.tp, 0x7f0011223740);
	for (n.desc_length = 0; n.desc_length < sizeof(s) - 8; n.desc_length++)
		assert_false(vmm_core_prstatus(&x86_64, &n, &t));
	n.desc_length = sizeof(s);
	s.pr_pid = 0;
	assert_false(vmm_core_prstatus(&x86_64, &n, &t));
}

/* struct elf_prstatus of ILP32: pr_pid at 24, registers at 72 (Linux include/uapi/linux/elfcore.h). */
static void threads_of_others(void **state)
{
	unsigned char desc[400] = {0};
	uint32_t tls[8] = {12, 0xf7d01000, 0xfffff, 0x51, 13, 0xf7d02000, 0xfffff, 0x51};
	struct vmm_elf_note n = note_of(desc, 144, NT_PRSTATUS), l = note_of(tls, sizeof(tls), VMM_NT_386_TLS);
	struct vmm_core_thread t;
	uint64_t tpidr = 0xffffa1b2c3d0;

	put(desc, 24, 77, 4);
	put(desc, 72 + 10 * 4, 0x63, 4);
	put(desc, 72 + 12 * 4, 0x8048123, 4);
	put(desc, 72 + 15 * 4, 0xffffd010, 4);
	assert_true(vmm_core_prstatus(&i386, &n, &t));
	assert_int_equal(t.tid, 77);
	assert_int_equal(t.pc, 0x8048123);
	assert_int_equal(t.sp, 0xffffd010);
	assert_false(t.tp_known);
	assert_true(vmm_core_tls(&i386, &l, &t));
	assert_int_equal(t.tp, 0xf7d01000);
	t.gs = 0x2b; /* entry 5: not there */
	assert_false(vmm_core_tls(&i386, &l, &t));
	memset(desc, 0, sizeof(desc));
	n.desc_length = 148;
	put(desc, 24, 78, 4);
	put(desc, 72 + 13 * 4, 0xbefff010, 4);
	assert_true(vmm_core_prstatus(&arm, &n, &t));
	assert_int_equal(t.sp, 0xbefff010);
	memset(desc, 0, sizeof(desc));
	n.desc_length = 392;
	put(desc, 32, 79, 4);
	put(desc, 112 + 31 * 8, 0xffffee112230, 8);
	put(desc, 112 + 32 * 8, 0xaaaa1000, 8);
	assert_true(vmm_core_prstatus(&aarch64, &n, &t));
	assert_int_equal(t.tid, 79);
	assert_int_equal(t.sp, 0xffffee112230);
	assert_int_equal(t.pc, 0xaaaa1000);
	l = note_of(&tpidr, sizeof(tpidr), VMM_NT_ARM_TLS);
	assert_true(vmm_core_tls(&aarch64, &l, &t));
	assert_int_equal(t.tp, tpidr);
	assert_false(vmm_core_tls(&x86_64, &l, &t));
}

static void process(void **state)
{
	struct elf_prpsinfo p = {.pr_sname = 'S', .pr_uid = 1000, .pr_pid = 12, .pr_ppid = 3};
	struct vmm_elf_note n = note_of(&p, sizeof(p), NT_PRPSINFO);
	unsigned char small[124] = {0};
	struct vmm_core_process r;

	memset(p.pr_fname, 'n', sizeof(p.pr_fname));
	memset(p.pr_psargs, 'a', sizeof(p.pr_psargs));
	assert_true(vmm_core_prpsinfo(&x86_64, &n, &r));
	assert_int_equal(r.state, 'S');
	assert_int_equal(r.uid, 1000);
	assert_int_equal(r.pid, 12);
	assert_int_equal(r.ppid, 3);
	assert_int_equal(r.name_length, 15);
	assert_int_equal(r.args_length, 80);
	for (n.desc_length = 0; n.desc_length < sizeof(p); n.desc_length++)
		assert_false(vmm_core_prpsinfo(&x86_64, &n, &r));
	n = note_of(small, sizeof(small), NT_PRPSINFO);
	put(small, 8, 65534, 2);
	put(small, 12, 99, 4);
	memcpy(small + 28, "prog", 4);
	memcpy(small + 44, "prog -x", 7);
	assert_true(vmm_core_prpsinfo(&i386, &n, &r));
	assert_true(r.uid_short);
	assert_int_equal(r.uid, 65534);
	assert_int_equal(r.pid, 99);
	assert_memory_equal(r.args, "prog -x", r.args_length);
}

static void signals(void **state)
{
	unsigned char desc[128] = {0};
	struct vmm_elf_note n = note_of(desc, sizeof(desc), VMM_NT_SIGINFO);
	struct vmm_core_signal s;

	put(desc, 0, 11, 4);
	put(desc, 8, 1, 4); /* SEGV_MAPERR */
	put(desc, 16, 0x10, 8);
	assert_true(vmm_core_siginfo(&x86_64, &n, &s));
	assert_int_equal(s.number, 11);
	assert_true(s.address_known);
	assert_int_equal(s.address, 0x10);
	put(desc, 8, 0x80, 4); /* SI_KERNEL: no address */
	assert_true(vmm_core_siginfo(&x86_64, &n, &s));
	assert_false(s.address_known);
	put(desc, 8, (uint64_t)-6, 4); /* SI_TKILL */
	assert_true(vmm_core_siginfo(&x86_64, &n, &s));
	assert_int_equal(s.code, -6);
	assert_false(s.address_known);
	n.desc_length = 11;
	assert_false(vmm_core_siginfo(&x86_64, &n, &s));
	assert_string_equal(vmm_core_signal_name(6), "SIGABRT");
	assert_null(vmm_core_signal_name(19));
}

static void files(void **state)
{
	struct {
		uint64_t head[2], entries[6];
		char names[24];
	} d = {{2, 4096}, {0x1000, 0x3000, 1, 0x5000, 0x6000, 0}, "/lib/a\0/tmp/b (deleted)"};
	struct vmm_elf_note n = note_of(&d, sizeof(d), VMM_NT_FILE);
	struct vmm_core_files f;
	struct vmm_core_file e;

	assert_true(vmm_core_files_init(&x86_64, &n, &f));
	assert_true(vmm_core_files_next(&f, &e));
	assert_int_equal(e.start, 0x1000);
	assert_int_equal(e.offset, 4096);
	assert_int_equal(e.name_length, 6);
	assert_true(vmm_core_files_next(&f, &e));
	assert_string_equal(e.name, "/tmp/b (deleted)");
	assert_false(vmm_core_files_next(&f, &e));
	d.entries[2] = UINT64_MAX / 2; /* an offset that does not fit: left out */
	assert_true(vmm_core_files_init(&x86_64, &n, &f));
	assert_true(vmm_core_files_next(&f, &e));
	assert_int_equal(e.start, 0x5000);
	d.head[0] = UINT64_MAX / 8; /* more than there can be */
	assert_false(vmm_core_files_init(&x86_64, &n, &f));
	d.head[0] = 3; /* the third's numbers would be the names */
	assert_true(vmm_core_files_init(&x86_64, &n, &f));
	while (vmm_core_files_next(&f, &e))
		assert_true(e.start < e.end);
}

TEST_MAIN(cmocka_unit_test(machines), cmocka_unit_test(threads_of_x86_64), cmocka_unit_test(threads_of_others), cmocka_unit_test(process),
          cmocka_unit_test(signals), cmocka_unit_test(files))
