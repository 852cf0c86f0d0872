/* Cores made by hand: what they tell, and those that lie. */
#include "../fake_core.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "base/arena.h"
#include "model/target.h"
#include "test.h"
#include "vmmap/vmmap.h"

#define STACK UINT64_C(0x7ffc00000000)
#define RW (PF_R | PF_W)

/* A file without a name that holds the bytes, as a path. */
static int file_of(const void *bytes, size_t length, char path[40])
{
	int fd = memfd_create("core", MFD_CLOEXEC);

	assert_true(fd >= 0 && write(fd, bytes, length) == (ssize_t)length);
	snprintf(path, 40, "/proc/self/fd/%d", fd);
	return fd;
}

static int open_bytes(const void *bytes, size_t length, struct vmm_target **ret, struct vmm_err *err)
{
	char path[40];
	int fd = file_of(bytes, length, path), rc = vmm_target_open(path, ret, err);

	close(fd);
	return rc;
}

static struct vmm_snapshot *snapshot_of(const void *bytes, size_t length, struct vmm_target **ret_target)
{
	struct vmm_take take = {.needs = VMM_NEED_DEFAULT | VMM_NEED_HEAPS};
	struct vmm_snapshot *s = NULL;
	struct vmm_err err;

	assert_int_equal(open_bytes(bytes, length, ret_target, &err), 0);
	assert_int_equal(vmm_target_snapshot(*ret_target, &take, &s, &err), 0);
	return s;
}

static void add_auxv(struct fake_core *c)
{
	uint64_t auxv[] = {AT_PAGESZ, 4096, AT_RANDOM, STACK + 0x2f00, AT_SYSINFO_EHDR, 0x7ffc10000000, AT_NULL, 0};

	fake_core_note(c, "CORE", NT_AUXV, auxv, sizeof(auxv));
}

/* Mappings of every sort: a file cut in two by segments, one NT_FILE alone, shared memory, stack, vvar, vdso. */
static void make_sample(struct fake_core *c)
{
	static const struct fake_core_file files[] = {
		{0x10000, 0x14000, 0, "/no/such/data"},
		{0x20000, 0x22000, 3, "/no/such/left out (deleted)"},
		{0x30000, 0x31000, 0, "/dev/zero (deleted)"},
		{0x32000, 0x33000, 0, "/memfd:of mine (deleted)"},
	};
	siginfo_t info = {.si_signo = SIGSEGV, .si_code = SEGV_MAPERR};

	fake_core_init(c);
	fake_core_load(c, 0x10000, 0x2000, PF_R, 4096, 1);
	fake_core_load(c, 0x12000, 0x4000, PF_R, 0, 0); /* two pages behind the file's are anonymous */
	fake_core_load(c, 0x30000, 0x1000, RW, 4096, 2);
	fake_core_load(c, 0x32000, 0x1000, RW, 4096, 3);
	fake_core_load(c, STACK, 0x3000, RW, 0x3000, 0);
	fake_core_load(c, 0x7ffc0fffe000, 0x2000, PF_R, 0, 0);
	fake_core_load(c, 0x7ffc10000000, 0x1000, PF_R | PF_X, 4096, 4);
	info.si_addr = (void *)0x10;
	fake_core_thread(c, 4711, SIGSEGV, STACK + 0x2000, 0);
	fake_core_process(c, 4711, "sample", "sample -x  ");
	fake_core_note(c, "CORE", NT_SIGINFO, &info, sizeof(info));
	add_auxv(c);
	fake_core_files(c, files, 4);
	fake_core_thread(c, 4712, 0, 0x500000, 0);
}

static const struct vmm_vma *vma_at(const struct vmm_snapshot *s, uint64_t at)
{
	const struct vmm_vma *v = vmm_snapshot_vma_at(s, at);

	assert_non_null(v);
	return v;
}

static void tells_mappings(void **state)
{
	struct fake_core c;
	struct vmm_target *t;
	struct vmm_snapshot *s;
	unsigned char *bytes;
	size_t length;
	unsigned char read[8];

	make_sample(&c);
	bytes = fake_core_bytes(&c, &length);
	s = snapshot_of(bytes, length, &t);
	assert_int_equal(s->vma_count, 9);
	assert_int_equal(vma_at(s, 0x10000)->end, 0x12000);
	assert_int_equal(vma_at(s, 0x10000)->m.value[VMM_METRIC_STORED], 4096);
	assert_int_equal(vma_at(s, 0x12000)->end, 0x14000);
	assert_int_equal(vma_at(s, 0x12000)->offset, 0x2000);
	assert_int_equal(vma_at(s, 0x12000)->m.value[VMM_METRIC_STORED], 0);
	assert_int_equal(vma_at(s, 0x14000)->backing, VMM_BACKING_ANON);
	assert_int_equal(vma_at(s, 0x14000)->prot, VMM_PROT_READ);
	assert_string_equal(vma_at(s, 0x20000)->name, "/no/such/left out");
	assert_true(vma_at(s, 0x20000)->deleted);
	assert_int_equal(vma_at(s, 0x20000)->offset, 0x3000);
	assert_int_equal(vma_at(s, 0x20000)->prot & VMM_PROT_UNKNOWN, VMM_PROT_UNKNOWN);
	assert_int_equal(vma_at(s, 0x30000)->prot, VMM_PROT_READ | VMM_PROT_WRITE | VMM_PROT_SHARED);
	assert_int_equal(vma_at(s, 0x32000)->backing, VMM_BACKING_SHMEM);
	assert_false(vma_at(s, 0x32000)->deleted);
	assert_string_equal(vma_at(s, STACK)->name, "[stack]");
	assert_string_equal(vma_at(s, 0x7ffc0fffe000)->name, "[vvar]");
	assert_string_equal(vma_at(s, 0x7ffc10000000)->name, "[vdso]");
	assert_false(vmm_metric_known(&s->total.m, VMM_METRIC_RSS));
	assert_int_equal(s->total.m.value[VMM_METRIC_STORED], 4096 * 4 + 0x3000);
	assert_int_equal(t->ops->read(t, 0x10ffc, read, 8, NULL), 4); /* what follows is not stored, and its file is not there */
	assert_int_equal(read[3], 1);
	assert_int_equal(t->ops->read(t, 0x12000, read, 8, NULL), 0);
	assert_int_equal(t->ops->read(t, 0x999000, read, 8, NULL), 0);
	vmm_snapshot_destroy(s);
	vmm_target_close(t);
	free(bytes);
}

static void tells_process(void **state)
{
	struct fake_core c;
	struct vmm_target *t;
	struct vmm_snapshot *s;
	unsigned char *bytes;
	size_t length;

	make_sample(&c);
	bytes = fake_core_bytes(&c, &length);
	s = snapshot_of(bytes, length, &t);
	assert_string_equal(s->target.source, "core");
	assert_string_equal(s->target.name, "sample");
	assert_string_equal(s->target.cmdline, "sample -x");
	assert_int_equal(s->target.pid, 4711);
	assert_int_equal(s->target.uid, 1000);
	assert_int_equal(s->target.user_end, 0x7ffffffff000);
	assert_int_equal(s->thread_count, 2);
	assert_string_equal(s->threads[0].name, "sample");
	assert_null(s->threads[1].name);
	assert_true(s->threads_complete);
	assert_true(s->target.death.known);
	assert_int_equal(s->target.death.signal, SIGSEGV);
	assert_int_equal(s->target.death.tid, 4711);
	assert_true(s->target.death.address_known);
	assert_int_equal(s->target.death.address, 0x10);
	assert_false(vmm_target_runs(t));
	assert_int_equal(vmm_target_stop(t, NULL), VMM_E_UNSUPPORTED);
	vmm_snapshot_destroy(s);
	vmm_target_close(t);
	free(bytes);
}

/* argc and pointers are found by auxv's copy on the stack. */
static void finds_arguments(void **state)
{
	struct fake_core c;
	struct vmm_target *t;
	struct vmm_snapshot *s;
	unsigned char *bytes;
	size_t length, stack;
	uint64_t words[] = {2, STACK + 0x2f80, STACK + 0x2f88, 0, STACK + 0x2f90, 0,
	                    AT_PAGESZ, 4096, AT_RANDOM, STACK + 0x2f00, AT_SYSINFO_EHDR, 0x7ffc10000000, AT_NULL, 0};

	make_sample(&c);
	stack = c.loads[4].p_offset;
	memcpy(c.data + stack + 0x2e00, words, sizeof(words));
	memcpy(c.data + stack + 0x2f80, "program\0two  w\0HOME=/", 21);
	bytes = fake_core_bytes(&c, &length);
	s = snapshot_of(bytes, length, &t);
	assert_string_equal(s->target.cmdline, "program two  w");
	vmm_snapshot_destroy(s);
	vmm_target_close(t);
	words[0] = 3; /* not as many as there are: the short copy has to do */
	memcpy(c.data + stack + 0x2e00, words, 8);
	free(bytes);
	bytes = fake_core_bytes(&c, &length);
	s = snapshot_of(bytes, length, &t);
	assert_string_equal(s->target.cmdline, "sample -x");
	vmm_snapshot_destroy(s);
	vmm_target_close(t);
	free(bytes);
}

static bool has_note(const struct vmm_snapshot *s, const char *code)
{
	for (uint32_t i = 0; i < s->note_count; i++)
		if (strcmp(s->notes[i].code, code) == 0)
			return true;
	return false;
}

/* At every length: either one error, or a snapshot that stores no more than the file has. */
static void cut_off(void **state)
{
	struct fake_core c;
	unsigned char *bytes;
	size_t length, opened = 0;

	make_sample(&c);
	bytes = fake_core_bytes(&c, &length);
	for (size_t n = 0; n < length; n += n < 6000 ? 97 : 1021) {
		struct vmm_target *t;
		struct vmm_take take = {.needs = VMM_NEED_DEFAULT | VMM_NEED_HEAPS};
		struct vmm_snapshot *s;
		struct vmm_err err;

		if (open_bytes(bytes, n, &t, &err) < 0) {
			assert_true(strlen(err.text) > 0);
			continue;
		}
		opened++;
		assert_int_equal(vmm_target_snapshot(t, &take, &s, &err), 0);
		assert_true(s->total.m.value[VMM_METRIC_STORED] <= n);
		assert_true(has_note(s, "truncated"));
		vmm_snapshot_destroy(s);
		vmm_target_close(t);
	}
	assert_true(opened > 10);
	free(bytes);
}

static void expect_refused(const unsigned char *bytes, size_t length, int code, const char *text)
{
	struct vmm_target *t;
	struct vmm_err err = {0};

	assert_int_equal(open_bytes(bytes, length, &t, &err), code);
	if (!strstr(err.text, text))
		fail_msg("'%s' says nothing of '%s'", err.text, text);
}

static void liars(void **state)
{
	struct fake_core c;
	unsigned char *bytes;
	Elf64_Ehdr *h;
	size_t length;

	make_sample(&c);
	bytes = fake_core_bytes(&c, &length);
	h = (Elf64_Ehdr *)bytes;
	h->e_type = ET_DYN;
	expect_refused(bytes, length, VMM_E_FORMAT, "no core");
	h->e_type = ET_CORE;
	h->e_machine = EM_RISCV;
	expect_refused(bytes, length, VMM_E_UNSUPPORTED, "another machine");
	h->e_machine = EM_X86_64;
	h->e_phnum = 0;
	expect_refused(bytes, length, VMM_E_FORMAT, "no segments");
	h->e_phnum = 60000;
	expect_refused(bytes, length, VMM_E_FORMAT, "before its table");
	h->e_phnum = PN_XNUM;
	expect_refused(bytes, length, VMM_E_FORMAT, "how many segments");
	h->e_shoff = length - 10;
	h->e_shentsize = sizeof(Elf64_Shdr);
	expect_refused(bytes, length, VMM_E_FORMAT, "ends inside its section header");
	h->e_phnum = 8;
	h->e_phoff = UINT64_MAX - 20;
	expect_refused(bytes, length, VMM_E_FORMAT, "segments");
	h->e_phoff = sizeof(*h);
	bytes[EI_DATA] = ELFDATA2MSB;
	h->e_type = __builtin_bswap16(ET_CORE);
	h->e_phentsize = __builtin_bswap16(sizeof(Elf64_Phdr));
	h->e_phnum = __builtin_bswap16(8);
	expect_refused(bytes, length, VMM_E_UNSUPPORTED, "big-endian");
	free(bytes);
}

/* Segments that overlap, wrap or begin behind the file's end cost what is wrong with them, and nothing more. */
static void odd_segments(void **state)
{
	struct fake_core c;
	struct vmm_target *t;
	struct vmm_snapshot *s;
	unsigned char *bytes, read[8];
	size_t length;

	make_sample(&c);
	fake_core_load(&c, 0x31800, 0x1000, RW, 0, 0);                   /* into the memfd behind */
	fake_core_load(&c, UINT64_MAX - 0xfff, 0x2000, RW, 0, 0);        /* wraps */
	fake_core_load(&c, 0x600000, 0x1000, RW, 0, 0);
	c.loads[c.load_count - 1].p_filesz = 0x1000;
	c.loads[c.load_count - 1].p_offset = UINT64_C(1) << 60;          /* nowhere */
	fake_core_load(&c, 0x700000, UINT64_C(1) << 46, PF_R, 0, 0);
	bytes = fake_core_bytes(&c, &length);
	s = snapshot_of(bytes, length, &t);
	assert_true(has_note(s, "malformed"));
	assert_true(has_note(s, "truncated"));
	assert_int_equal(vma_at(s, 0x600000)->m.value[VMM_METRIC_STORED], 0);
	assert_int_equal(t->ops->read(t, 0x600000, read, 8, NULL), 0);
	for (uint32_t i = 1; i < s->vma_count; i++)
		assert_true(s->vmas[i - 1].end <= s->vmas[i].start);
	vmm_snapshot_destroy(s);
	vmm_target_close(t);
	free(bytes);
}

/* Where memory is out at any place, nothing is left and nothing breaks. */
static void out_of_memory(void **state)
{
	struct fake_core c;
	unsigned char *bytes;
	char path[40];
	size_t length;
	int fd, rc = VMM_E_NOMEM;

	make_sample(&c);
	bytes = fake_core_bytes(&c, &length);
	fd = file_of(bytes, length, path);
	for (unsigned long n = 1; n < 2000 && rc != 0; n++) {
		struct vmm_take take = {.needs = VMM_NEED_DEFAULT};
		struct vmm_target *t = NULL;
		struct vmm_snapshot *s = NULL;
		struct vmm_err err;

		vmm_alloc_fail_after(n);
		rc = vmm_target_open(path, &t, &err);
		if (rc == 0)
			rc = vmm_target_snapshot(t, &take, &s, &err);
		vmm_alloc_fail_after(0);
		vmm_snapshot_destroy(s);
		vmm_target_close(t);
	}
	assert_int_equal(rc, 0);
	close(fd);
	free(bytes);
}

/* More segments than a 16-bit number holds: 70,000, counted by section 0. */
static void many_segments(void **state)
{
	enum { COUNT = 70000 };
	size_t length = sizeof(Elf64_Ehdr) + sizeof(Elf64_Shdr) + COUNT * sizeof(Elf64_Phdr);
	unsigned char *bytes = calloc(1, length);
	Elf64_Shdr zero = {.sh_info = COUNT, .sh_size = 1};
	struct fake_core c;
	struct vmm_target *t;
	struct vmm_snapshot *s;

	assert_non_null(bytes);
	fake_core_init(&c);
	c.header.e_phnum = PN_XNUM;
	c.header.e_shoff = sizeof(Elf64_Ehdr);
	c.header.e_shentsize = sizeof(Elf64_Shdr);
	c.header.e_phoff = sizeof(Elf64_Ehdr) + sizeof(Elf64_Shdr);
	memcpy(bytes, &c.header, sizeof(c.header));
	memcpy(bytes + sizeof(c.header), &zero, sizeof(zero));
	for (unsigned i = 0; i < COUNT; i++) {
		Elf64_Phdr p = {.p_type = PT_LOAD, .p_flags = i & 1 ? PF_R : RW, .p_vaddr = 0x100000 + (uint64_t)i * 4096, .p_memsz = 4096};

		memcpy(bytes + c.header.e_phoff + i * sizeof(p), &p, sizeof(p));
	}
	s = snapshot_of(bytes, length, &t);
	assert_int_equal(s->vma_count, COUNT);
	assert_int_equal(s->total.m.value[VMM_METRIC_SIZE], (uint64_t)COUNT * 4096);
	vmm_snapshot_destroy(s);
	vmm_target_close(t);
	free(bytes);
}

TEST_MAIN(cmocka_unit_test(tells_mappings), cmocka_unit_test(tells_process), cmocka_unit_test(finds_arguments), cmocka_unit_test(cut_off),
          cmocka_unit_test(liars), cmocka_unit_test(odd_segments), cmocka_unit_test(out_of_memory), cmocka_unit_test(many_segments))
