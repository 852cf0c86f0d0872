#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "fake_target.h"
#include "test.h"
#include "vmmap/vmmap.h"

/* Looked for by name in this very program; not static, so that its name is plain. */
int test_symbols_planted(int x);
int test_symbols_planted(int x)
{
	return x * 3 + 1;
}
int test_symbols_table[100] = {1};

struct looked {
	pid_t child;
	struct vmm_target *target;
	struct vmm_snapshot *snapshot;
	struct vmm_symbols *symbols;
};

/* A copy of this program, which waits. */
static struct looked look(void)
{
	struct vmm_take take = {.needs = VMM_NEED_MAPS | VMM_NEED_IMAGES};
	struct looked l = {.child = fork()};

	if (l.child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failing test does not come to done() */
		for (;;)
			pause();
	}
	assert_true(l.child > 0);
	assert_int_equal(vmm_target_open_pid(l.child, &l.target, NULL), 0);
	assert_int_equal(vmm_target_snapshot(l.target, &take, &l.snapshot, NULL), 0);
	assert_int_equal(vmm_symbols_create(l.target, l.snapshot, &l.symbols, NULL), 0);
	return l;
}

static void done(struct looked *l)
{
	vmm_symbols_destroy(l->symbols);
	vmm_snapshot_destroy(l->snapshot);
	vmm_target_close(l->target);
	kill(l->child, SIGKILL);
	waitpid(l->child, NULL, 0);
}

static void test_own_names(void **state)
{
	struct looked l = look();
	uint64_t code = (uint64_t)(uintptr_t)test_symbols_planted, data = (uint64_t)(uintptr_t)test_symbols_table;
	struct vmm_symbol s;

	assert_true(vmm_symbols_find(l.symbols, code, &s));
	assert_string_equal(s.name, "test_symbols_planted");
	assert_int_equal(s.address, code);
	assert_true(s.function && s.size > 0);
	assert_true(vmm_symbols_find(l.symbols, code + s.size - 1, &s));
	assert_string_equal(s.name, "test_symbols_planted");
	assert_true(vmm_symbols_find(l.symbols, data + 399, &s));
	assert_string_equal(s.name, "test_symbols_table");
	assert_int_equal(s.address, data);
	assert_true(s.size >= 400); /* sanitizers make it more */
	assert_false(s.function);
	assert_true(!vmm_symbols_find(l.symbols, data + s.size, &s) || strcmp(s.name, "test_symbols_table") != 0);
	done(&l);
}

/* Every exported function that the dynamic linker finds by name is found by address: under this name, or one beside it. */
static void test_library_names(void **state)
{
	static const char *const names[] = {"malloc", "free", "qsort", "printf", "getpid", "strtoul", "pause", "abort"};
	struct looked l = look();
	int found = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		void *library = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD), *address = library ? dlsym(library, names[i]) : NULL;
		struct vmm_symbol s;

		if (!address)
			continue;
		assert_true(vmm_symbols_find(l.symbols, (uint64_t)(uintptr_t)address, &s));
		assert_int_equal(s.address, (uint64_t)(uintptr_t)address);
		assert_non_null(strstr(s.name, names[i]));
		found++;
		dlclose(library);
	}
	assert_true(found > 0 || !dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD));
	done(&l);
}

static void test_nothing_there(void **state)
{
	struct looked l = look();
	struct vmm_symbol s;
	int local = 0;

	assert_false(vmm_symbols_find(l.symbols, 0, &s));
	assert_false(vmm_symbols_find(l.symbols, UINT64_MAX, &s));
	assert_false(vmm_symbols_find(l.symbols, (uint64_t)(uintptr_t)&local, &s)); /* the stack */
	vmm_symbols_destroy(NULL);
	done(&l);
}

/* Files of both classes, with what nm (binutils) says of them; the fuzzer's seeds, behind their first two bytes. */
static void test_files(void **state)
{
	static const struct {
		const char *file, *name;
		uint64_t bias, address, size;
		bool function;
	} samples[] = {
	    {"static32", "fn", 0, 0x400094, 0x15, true},        {"static32", "hidden", 0, 0x4000a9, 0x18, true},
	    {"static32", "table", 0, 0x401118, 0x10, false},    {"static64", "hidden", 0, 0x4000f7, 0x12, true},
	    {"static64", "table", 0, 0x401150, 0x10, false},    {"shared", "other", 0x400000, 0x400254, 17, true},
	    {"shared", "table", 0x400000, 0x401390, 16, false},
	};
	struct vmm_region region = {.start = 0x400000, .end = 0x500000, .kind = VMM_KIND_IMAGE, .block_count = 1, .details = "", .path = "/x"};
	struct vmm_block block = {.start = 0x400000, .end = 0x500000, .label = ""};

	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct vmm_module module = {.start = 0x400000, .end = 0x500000, .bias = samples[i].bias, .path = "/x"};
		struct fake_target t = {.base.ops = &fake_ops, .vma_count = 1};
		struct vmm_snapshot snapshot = {.regions = &region, .region_count = 1, .blocks = &block, .block_count = 1,
		                                .modules = &module, .module_count = 1, .vmas = t.vmas, .vma_count = 1};
		int from, to = memfd_create("file", MFD_CLOEXEC);
		struct vmm_symbols *symbols = NULL;
		char path[300], bytes[4096];
		struct vmm_symbol s;
		ssize_t n;

		snprintf(path, sizeof(path), "%s/fuzz/corpus/fuzz_symbols/%s", VMM_TESTS_DIR, samples[i].file);
		from = open(path, O_RDONLY | O_CLOEXEC);
		n = read(from, bytes, sizeof(bytes));
		assert_true(from >= 0 && to >= 0 && n > 2 && n < (ssize_t)sizeof(bytes));
		assert_int_equal(write(to, bytes + 2, (size_t)n - 2), n - 2);
		t.vmas[0] = (struct vmm_vma){.start = 0x400000, .end = 0x500000, .name = "/x", .backing = VMM_BACKING_FILE};
		t.file[0] = to;
		assert_int_equal(vmm_symbols_create(&t.base, &snapshot, &symbols, NULL), 0);
		assert_true(vmm_symbols_find(symbols, samples[i].address + samples[i].size - 1, &s));
		assert_string_equal(s.name, samples[i].name);
		assert_int_equal(s.address, samples[i].address);
		assert_int_equal(s.size, samples[i].size);
		assert_int_equal(s.function, samples[i].function);
		vmm_symbols_destroy(symbols);
		close(from);
		close(to);
	}
}

static void test_no_memory(void **state)
{
	struct looked l = look();
	uint64_t code = (uint64_t)(uintptr_t)test_symbols_planted;
	bool found = false;

	for (unsigned long n = 1; !found; n++) {
		struct vmm_symbols *symbols = NULL;
		struct vmm_symbol s;

		vmm_alloc_fail_after(n);
		if (vmm_symbols_create(l.target, l.snapshot, &symbols, NULL) == 0)
			found = vmm_symbols_find(symbols, code, &s);
		vmm_alloc_fail_after(0);
		vmm_symbols_destroy(symbols);
		assert_true(n < 1000);
	}
	done(&l);
}

TEST_MAIN(cmocka_unit_test(test_own_names), cmocka_unit_test(test_library_names), cmocka_unit_test(test_nothing_there), cmocka_unit_test(test_files),
          cmocka_unit_test(test_no_memory))
