/* limits, cgroup, mountinfo, syscall, numa_maps and auxv, against hand-made text and the running kernel's other calls. */
#include "test_proc.h"

#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/scan.h"
#include "format/proc_text.h"

static size_t line_length(const struct vmm_scan *line)
{
	return (size_t)(line->end - line->p);
}

/* The next line, which must be there. */
static struct vmm_scan next_line(struct vmm_scan *s)
{
	struct vmm_scan line = {s->end, s->end};

	assert_true(vmm_scan_line(s, &line));
	return line;
}

static void test_limits(void **state)
{
	size_t length;
	char *text = seed("fuzz_limits/linux-6.18", &length);
	struct vmm_scan s = vmm_scan_init(text, length), line;
	struct vmm_limits_line l;
	unsigned count = 0, bytes = 0;

	line = next_line(&s);
	assert_false(vmm_limits_parse_line(line.p, line_length(&line), &l)); /* the titles */
	while (vmm_scan_line(&s, &line)) {
		assert_true(vmm_limits_parse_line(line.p, line_length(&line), &l));
		count++;
		bytes += l.bytes;
		if (l.name_length == 14 && memcmp(l.name, "Max stack size", 14) == 0) {
			assert_int_equal(l.soft, 8388608);
			assert_int_equal(l.hard, UINT64_MAX);
			assert_true(l.bytes);
		}
		if (l.name_length == 17 && memcmp(l.name, "Max nice priority", 17) == 0) {
			assert_int_equal(l.soft, 0);
			assert_int_equal(l.hard, 0);
			assert_false(l.bytes);
		}
	}
	assert_int_equal(count, 16);
	assert_int_equal(bytes, 8); /* file, data, stack, core, resident, locked, address space, msgqueue */
	free(text);
	text = seed("fuzz_limits/full-width", &length);
	assert_true(vmm_limits_parse_line(text, length - 1, &l));
	assert_text(l.name, l.name_length, "Max address space");
	assert_int_equal(l.soft, UINT64_MAX - 1);
	assert_int_equal(l.hard, UINT64_MAX - 1);
	free(text);
	assert_false(vmm_limits_parse_line("", 0, &l));
	assert_false(vmm_limits_parse_line("  1 2", 5, &l));
	assert_false(vmm_limits_parse_line("Max x  1", 8, &l));
	assert_false(vmm_limits_parse_line("Max x  1  2x  bytes", 19, &l));
	assert_false(vmm_limits_parse_line("Max x  1  18446744073709551616", 30, &l));
}

static void test_limits_of_this_process(void **state)
{
	static const struct {
		int resource;
		const char *name;
	} names[] = {{RLIMIT_AS, "Max address space"}, {RLIMIT_DATA, "Max data size"}, {RLIMIT_STACK, "Max stack size"},
	             {RLIMIT_MEMLOCK, "Max locked memory"}, {RLIMIT_NOFILE, "Max open files"}};
	struct rlimit chosen;
	struct vmm_limits_line l;
	struct vmm_scan s, line;
	unsigned found = 0;
	size_t length;
	char *text;

	/* A soft limit that no default has. */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &chosen), 0);
	chosen.rlim_cur = chosen.rlim_max < 123 ? chosen.rlim_max : 123;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &chosen), 0);
	text = proc_file(getpid(), "limits", &length);
	s = vmm_scan_init(text, length);
	while (vmm_scan_line(&s, &line))
		for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
			struct rlimit expected;

			if (!vmm_limits_parse_line(line.p, line_length(&line), &l) || l.name_length != strlen(names[i].name) ||
			    memcmp(l.name, names[i].name, l.name_length) != 0)
				continue;
			assert_int_equal(getrlimit(names[i].resource, &expected), 0);
			assert_int_equal(l.soft, expected.rlim_cur);
			assert_int_equal(l.hard, expected.rlim_max);
			found++;
		}
	assert_int_equal(found, ARRAY_LEN(names));
	free(text);
}

static void cgroup_case(const char *text, const char *expected, bool expected_v2)
{
	const char *path = NULL;
	size_t length = 0;
	bool v2 = !expected_v2, ok = vmm_cgroup_memory_path(text, strlen(text), &path, &length, &v2);

	assert_int_equal(ok, expected != NULL);
	if (!ok)
		return;
	assert_text(path, length, expected);
	assert_int_equal(v2, expected_v2);
}

static void test_cgroup(void **state)
{
	const char *path;
	size_t length, n;
	bool v2;
	char *text = seed("fuzz_cgroup/v1", &length);

	assert_true(vmm_cgroup_memory_path(text, length, &path, &n, &v2));
	assert_text(path, n, "/lxc/a:b,memory/x");
	assert_false(v2);
	free(text);
	text = seed("fuzz_cgroup/hybrid", &length);
	assert_true(vmm_cgroup_memory_path(text, length, &path, &n, &v2));
	assert_text(path, n, "/init.scope");
	assert_true(v2);
	free(text);
	cgroup_case("0::/a b", "/a b", true);
	cgroup_case("0::/\n4:memory:/x\n", "/x", false);
	cgroup_case("1:name=memory:/x\n", NULL, false);
	cgroup_case("4:memory\n", NULL, false);
	cgroup_case("4:pids:/memory:/x\n", NULL, false);
	cgroup_case(":memory:/x\n", NULL, false);
	cgroup_case("0:pids:/x\n", NULL, false);
	cgroup_case("", NULL, false);
	cgroup_case("0:", NULL, false);
}

static void test_mountinfo(void **state)
{
	size_t length;
	char *text = seed("fuzz_mountinfo/proc-5", &length);
	struct vmm_scan s = vmm_scan_init(text, length), line;
	struct vmm_mount_line m;

	line = next_line(&s);
	assert_true(vmm_mountinfo_parse_line(line.p, line_length(&line), &m));
	assert_int_equal(m.dev_major, 98);
	assert_int_equal(m.dev_minor, 0);
	assert_text(m.mount_point, m.mount_point_length, "/mnt2");
	assert_text(m.fs_type, m.fs_type_length, "ext3");
	line = next_line(&s);
	assert_true(vmm_mountinfo_parse_line(line.p, line_length(&line), &m));
	assert_text(m.mount_point, m.mount_point_length, "/mnt/my\\040disk\\011\\134");
	assert_text(m.fs_type, m.fs_type_length, "fuse.sshfs");
	line = next_line(&s);
	assert_true(vmm_mountinfo_parse_line(line.p, line_length(&line), &m));
	assert_text(m.fs_type, m.fs_type_length, "xfs");
	line = next_line(&s);
	assert_true(vmm_mountinfo_parse_line(line.p, line_length(&line), &m));
	assert_text(m.fs_type, m.fs_type_length, "btrfs");
	free(text);
	assert_false(vmm_mountinfo_parse_line("36 35 98:0 / / rw -", 19, &m));
	assert_false(vmm_mountinfo_parse_line("36 35 98:0 / / rw ext3", 22, &m));
	assert_false(vmm_mountinfo_parse_line("36 35 98:0 / -", 14, &m));
	assert_false(vmm_mountinfo_parse_line("36 35 4294967296:0 / / rw - ext3 x rw", 37, &m));
	assert_false(vmm_mountinfo_parse_line("", 0, &m));
}

static void test_mountinfo_of_this_machine(void **state)
{
	struct vmm_scan s, line;
	bool found = false;
	struct stat st;
	size_t length;
	char *text = proc_file(getpid(), "mountinfo", &length);

	assert_int_equal(stat("/proc", &st), 0);
	s = vmm_scan_init(text, length);
	while (vmm_scan_line(&s, &line)) {
		struct vmm_mount_line m;

		assert_true(vmm_mountinfo_parse_line(line.p, line_length(&line), &m));
		if (m.mount_point_length != 5 || memcmp(m.mount_point, "/proc", 5) != 0)
			continue;
		found |= m.dev_major == major(st.st_dev) && m.dev_minor == minor(st.st_dev) && m.fs_type_length == 4 &&
		         memcmp(m.fs_type, "proc", 4) == 0;
	}
	assert_true(found);
	free(text);
}

static bool syscall_case(const char *text, uint64_t *sp, uint64_t *pc)
{
	return vmm_syscall_parse(text, strlen(text), sp, pc);
}

static void test_syscall(void **state)
{
	uint64_t sp = 7, pc = 7;

	assert_false(syscall_case("running\n", &sp, &pc));
	assert_false(syscall_case("", &sp, &pc));
	assert_false(syscall_case("0 0x1 0x2 0x3 0x4 0x5 0x6 0x7\n", &sp, &pc));
	assert_false(syscall_case("0 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x8 0x9\n", &sp, &pc));
	assert_false(syscall_case("0 0x1 0x2\n", &sp, &pc));
	assert_false(syscall_case("-1 0x1\n", &sp, &pc));
	assert_false(syscall_case("0 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x\n", &sp, &pc));
	assert_false(syscall_case("0 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x12345678123456789\n", &sp, &pc));
	assert_int_equal(sp, 7);
	assert_true(syscall_case("-1 0x7ffd2e160708 0x7f88fd5fa503\n", &sp, &pc));
	assert_int_equal(sp, 0x7ffd2e160708);
	assert_int_equal(pc, 0x7f88fd5fa503);
	assert_true(syscall_case("0 0x5 0x4a82e0 0x100000 0x1a4 0x0 0x0 0x7ffdacf2aed8 0x430c7d\n", &sp, &pc));
	assert_int_equal(sp, 0x7ffdacf2aed8);
	assert_int_equal(pc, 0x430c7d);
}

/* A child blocked in a system call: its stack pointer lies in [stack], its program counter in executable memory. */
static void test_syscall_of_a_child(void **state)
{
	pid_t pid = child_stopped();
	size_t length, maps_length;
	char *text = proc_file(pid, "syscall", &length), *maps = proc_file(pid, "maps", &maps_length);
	struct vmm_scan s = vmm_scan_init(maps, maps_length), line;
	bool sp_found = false, pc_found = false;
	uint64_t sp, pc;

	child_end(pid);
	assert_true(vmm_syscall_parse(text, length, &sp, &pc));
	while (vmm_scan_line(&s, &line)) {
		struct vmm_maps_line m;

		assert_true(vmm_maps_parse_line(line.p, line_length(&line), &m));
		sp_found |= m.start <= sp && sp < m.end && m.name_length == 7 && memcmp(m.name, "[stack]", 7) == 0;
		pc_found |= m.start <= pc && pc < m.end && (m.prot & VMM_PROT_EXEC);
	}
	assert_true(sp_found);
	assert_true(pc_found);
	free(text);
	free(maps);
}

static bool numa_case(const char *text, struct vmm_numa_line *ret)
{
	return vmm_numa_parse_line(text, strlen(text), ret);
}

static void test_numa(void **state)
{
	struct vmm_numa_line n;

	assert_true(numa_case("7f0000000000 prefer (many):0-1 anon=3 dirty=3 N0=1 N1=2 kernelpagesize_kB=4", &n));
	assert_int_equal(n.address, 0x7f0000000000);
	assert_int_equal(n.nodes, 3);
	assert_int_equal(n.pages[0], 1);
	assert_int_equal(n.pages[1], 2);
	assert_int_equal(n.page_size, 4096);
	assert_true(numa_case("7f0 weighted interleave:0-1 file=/a\\040N0\\0751 huge anon=2 N1=2 kernelpagesize_kB=2048", &n));
	assert_int_equal(n.nodes, 2);
	assert_int_equal(n.page_size, 2097152);
	assert_true(numa_case("7f0 bind=static:3 stack anon=9 N63=9", &n));
	assert_int_equal(n.nodes, UINT64_C(1) << 63);
	assert_int_equal(n.page_size, 0);
	assert_true(numa_case("7f65cd200000 default", &n));
	assert_int_equal(n.nodes, 0);
	/* A node that has no place would be lost without a word. */
	assert_false(numa_case("7f0 default N64=9 kernelpagesize_kB=4", &n));
	assert_false(numa_case("7f0 default N0=99999999999999999999", &n));
	assert_false(numa_case("7f0 default N0=", &n));
	assert_false(numa_case("7f0 default N0=1x", &n));
	assert_false(numa_case("7f0 default kernelpagesize_kB=18014398509481984", &n));
	assert_false(numa_case("default", &n));
	assert_false(numa_case("7f0 ", &n));
	assert_false(numa_case("", &n));
}

static void test_auxv(void **state)
{
	static const unsigned long types[] = {AT_PAGESZ, AT_PHDR, AT_PHNUM, AT_ENTRY, AT_BASE, AT_SYSINFO_EHDR};
	static const uint32_t small[] = {6, 4096, 3, 0x8048034, 0, 99, 9, 1};
	size_t length;
	char *auxv = proc_file(getpid(), "auxv", &length);
	uint64_t v = 77;

	for (unsigned i = 0; i < ARRAY_LEN(types); i++) {
		assert_true(vmm_auxv_find(auxv, length, sizeof(long) * 8, types[i], &v));
		assert_int_equal(v, getauxval(types[i]));
	}
	assert_true(vmm_auxv_find(auxv, length, sizeof(long) * 8, AT_NULL, &v));
	assert_int_equal(v, 0);
	v = 77;
	assert_false(vmm_auxv_find(auxv, length, sizeof(long) * 8, 12345, &v));
	assert_false(vmm_auxv_find(auxv, 7, 64, 0, &v));
	assert_false(vmm_auxv_find(auxv, length, 16, AT_PAGESZ, &v));
	assert_int_equal(v, 77);
	free(auxv);
	assert_true(vmm_auxv_find(small, sizeof(small), 32, AT_PHDR, &v));
	assert_int_equal(v, 0x8048034);
	assert_true(vmm_auxv_find(small, sizeof(small), 32, AT_NULL, &v));
	assert_int_equal(v, 99);
	assert_false(vmm_auxv_find(small, sizeof(small), 32, 9, &v)); /* after the end mark */
	assert_false(vmm_auxv_find(small, 15, 32, 3, &v) && v != 0x8048034);
}

TEST_MAIN(cmocka_unit_test(test_limits), cmocka_unit_test(test_limits_of_this_process), cmocka_unit_test(test_cgroup),
          cmocka_unit_test(test_mountinfo), cmocka_unit_test(test_mountinfo_of_this_machine), cmocka_unit_test(test_syscall),
          cmocka_unit_test(test_syscall_of_a_child), cmocka_unit_test(test_numa), cmocka_unit_test(test_auxv))
