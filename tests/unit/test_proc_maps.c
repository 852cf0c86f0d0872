/* Lines of maps, against hand-made text and the running kernel. */
#include "test_proc.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/scan.h"
#include "format/proc_text.h"

static bool parse(const char *line, struct vmm_maps_line *ret)
{
	size_t n = strlen(line);
	char *exact = malloc(n ? n : 1);
	bool ok;

	assert_non_null(exact);
	memcpy(exact, line, n);
	ok = vmm_maps_parse_line(exact, n, ret);
	if (ok)
		ret->name = line + (ret->name - exact);
	free(exact);
	return ok;
}

static void test_fields(void **state)
{
	struct vmm_maps_line m;

	assert_true(parse("7f65ce219000-7f65ce21b000 rw-s 00003000 fe:1a 10994355                   /usr/lib/x.so", &m));
	assert_int_equal(m.start, 0x7f65ce219000);
	assert_int_equal(m.end, 0x7f65ce21b000);
	assert_int_equal(m.prot, VMM_PROT_READ | VMM_PROT_WRITE | VMM_PROT_SHARED);
	assert_int_equal(m.offset, 0x3000);
	assert_int_equal(m.dev_major, 0xfe);
	assert_int_equal(m.dev_minor, 0x1a);
	assert_int_equal(m.inode, 10994355);
	assert_text(m.name, m.name_length, "/usr/lib/x.so");
	assert_true(parse("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]", &m));
	assert_int_equal(m.start, 0xffffffffff600000);
	assert_int_equal(m.prot, VMM_PROT_EXEC);
	assert_text(m.name, m.name_length, "[vsyscall]");
	assert_true(parse("08048000-08049000 ---p 00000000 00:00 0 ", &m));
	assert_int_equal(m.prot, 0);
	assert_int_equal(m.name_length, 0);
	assert_true(parse("08048000-08049000 ---p 00000000 fffff:ffffffff 18446744073709551615", &m));
	assert_int_equal(m.dev_major, 0xfffff);
	assert_int_equal(m.dev_minor, UINT32_MAX);
	assert_int_equal(m.inode, UINT64_MAX);
	assert_int_equal(m.name_length, 0);
}

static void test_names(void **state)
{
	static const struct {
		const char *line, *name;
	} cases[] = {
		/* The kernel's padding ends at column 73 (49 on 32-bit kernels): blanks after it are the name's. */
		{"7f65ce219000-7f65ce21b000 rw-s 00003000 fe:1a 10994355                      three", "   three"},
		{"08048000-08049000 r-xp 00000000 08:01 7            two", "  two"},
		{"08048000-08049000 r-xp 00000000 08:01 7          /bin/true", "/bin/true"},
		{"08048000-08049000 r-xp 00000000 08:01 7 /squeezed", "/squeezed"},
		{"08048000-08049000 r-xp 00000000 08:01 7    /a  b ", "/a  b "},
		{"7f65ce219000-7f65ce21b000 rw-s 123456789abcd000 fffff:fffff 18446744073709551615  /long", "/long"},
		{"7f65ce219000-7f65ce21b000 rw-s 123456789abcd000 fffff:fffff 18446744073709551615   /long", " /long"},
		{"08048000-08049000 r-xp 00000000 08:01 7 /a (deleted)", "/a (deleted)"},
		{"08048000-08049000 r-xp 00000000 08:01 7 /a\\012b", "/a\\012b"},
		{"08048000-08049000 r-xp 00000000 08:01 7 00400000-00401000 r--p 0 0:0 0", "00400000-00401000 r--p 0 0:0 0"},
		{"08048000-08049000 r-xp 00000000 08:01 7 \r", ""},
		{"08048000-08049000 r-xp 00000000 08:01 7\r", ""},
		{"08048000-08049000 r-xp 00000000 08:01 7 /a\r", "/a\r"},
		{"08048000-08049000 r-xp 00000000 08:01 7 \xff\x1b[31m", "\xff\x1b[31m"},
		{"08048000-08049000 r-xp 00000000 08:01 7                                                             ", ""},
	};
	struct vmm_maps_line m;
	char line[4300];

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		assert_true(parse(cases[i].line, &m));
		assert_text(m.name, m.name_length, cases[i].name);
	}
	snprintf(line, sizeof(line), "08048000-08049000 r-xp 00000000 08:01 7                                  %04095d", 0);
	assert_true(parse(line, &m));
	assert_int_equal(m.name_length, 4095);
}

static void test_malformed(void **state)
{
	static const char *const lines[] = {
		"", "\r", "Rss:     4 kB", "2000-1000 r--p 0 0:0 0", "1000-1000 r--p 0 0:0 0", "1000 r--p 0 0:0 0",
		"1000-2000", "1000-2000 r--p", "1000-2000 r--p 0", "1000-2000 r--p 0 0:0", "1000-2000 r--p 0 0:0 ",
		"1000-2000 r--p 0 0:0 x", "1000-2000 r--p 0 0:0 0/a", "1000-2000 r-- 0 0:0 0", "1000-2000 rr-p 0 0:0 0",
		"1000-2000 r--x 0 0:0 0", "1000-2000 R--p 0 0:0 0", "1000-2000 r--p 0 0:0 18446744073709551616",
		"1000-2000 r--p 0 100000000:0 0", "1000-2000 r--p 10000000000000000 0:0 0", "1000-10000000000000000 r--p 0 0:0 0",
		" 1000-2000 r--p 0 0:0 0", "1000-2000  r--p 0 0:0 0", "-1000-2000 r--p 0 0:0 0", "0x1000-0x2000 r--p 0 0:0 0",
	};
	struct vmm_maps_line m = {.start = 77};
	static const char nul[] = "1000-2000 r--p 0 0:0 0 /a\0b";

	for (unsigned i = 0; i < ARRAY_LEN(lines); i++)
		if (parse(lines[i], &m))
			fail_msg("taken: \"%s\"", lines[i]);
	assert_false(vmm_maps_parse_line(nul, sizeof(nul) - 1, &m));
	assert_int_equal(m.start, 77);
}

/* A mapping whose every property this test chose itself. */
static void test_running_kernel(void **state)
{
	char path[] = "/tmp/vmm maps\nXXXXXX", expected[64];
	struct vmm_scan s, line;
	struct vmm_maps_line m;
	bool found = false;
	uint64_t last = 0;
	struct stat st;
	size_t length;
	char *text;
	int fd = mkstemp(path);
	void *p;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 3 * 4096), 0);
	assert_int_equal(fstat(fd, &st), 0);
	p = mmap(NULL, 2 * 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 4096);
	assert_true(p != MAP_FAILED);
	unlink(path);
	close(fd);
	text = proc_file(getpid(), "maps", &length);
	s = vmm_scan_init(text, length);
	snprintf(expected, sizeof(expected), "/tmp/vmm maps\\012%s (deleted)", strchr(path, '\n') + 1);
	while (vmm_scan_line(&s, &line)) {
		assert_true(vmm_maps_parse_line(line.p, (size_t)(line.end - line.p), &m));
		assert_true(m.start >= last);
		last = m.end;
		if (m.start != (uintptr_t)p)
			continue;
		found = true;
		assert_int_equal(m.end - m.start, 2 * 4096);
		assert_int_equal(m.prot, VMM_PROT_READ | VMM_PROT_EXEC | VMM_PROT_SHARED);
		assert_int_equal(m.offset, 4096);
		assert_int_equal(m.inode, st.st_ino);
		assert_int_equal(m.dev_major, major(st.st_dev));
		assert_int_equal(m.dev_minor, minor(st.st_dev));
		assert_text(m.name, m.name_length, expected);
	}
	assert_true(found);
	munmap(p, 2 * 4096);
	free(text);
}

TEST_MAIN(cmocka_unit_test(test_fields), cmocka_unit_test(test_names), cmocka_unit_test(test_malformed),
          cmocka_unit_test(test_running_kernel))
