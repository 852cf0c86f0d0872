/* status and stat, against seeds, hand-made text and what the kernel says of this process by other calls. */
#include "test_proc.h"

#include <sys/mman.h>
#include <sys/prctl.h>

#include "base/base.h"
#include "format/proc_text.h"

static void parse_seed(const char *name, struct vmm_status_record *r, char **ret_text)
{
	size_t length;

	*ret_text = seed(name, &length);
	vmm_status_parse(*ret_text, length, r);
}

static void test_linux_6_18(void **state)
{
	struct vmm_status_record r;
	char *text, name[32];
	size_t n;

	parse_seed("fuzz_status/linux-6.18-x86_64", &r, &text);
	assert_int_equal(r.known, (1u << VMM_STATUS_COUNT) - 1);
	assert_int_equal(r.value[VMM_STATUS_VM_SIZE], 25190400);
	assert_int_equal(r.value[VMM_STATUS_VM_RSS], 2846720);
	assert_int_equal(r.value[VMM_STATUS_RSS_SHMEM], 12288);
	assert_int_equal(r.value[VMM_STATUS_VM_LCK], 8192);
	assert_int_equal(r.value[VMM_STATUS_THREADS], 1);
	assert_text(r.name, r.name_length, "a) R (\\n\\\\ b");
	n = vmm_status_unescape(r.name, r.name_length, name);
	assert_text(name, n, "a) R (\n\\ b");
	assert_int_equal(r.state, 'R');
	assert_int_equal(r.uid, 0);
	assert_int_equal(r.ppid, 18912);
	assert_int_equal(r.ns_pid, 18920);
	free(text);
}

#define BIT(field) (1u << VMM_STATUS_##field)

static void test_missing_fields(void **state)
{
	struct vmm_status_record r;
	char *text;

	parse_seed("fuzz_status/linux-3.10-like", &r, &text);
	assert_int_equal(r.known, ((1u << VMM_STATUS_COUNT) - 1) &
	                              ~(BIT(RSS_ANON) | BIT(RSS_FILE) | BIT(RSS_SHMEM) | BIT(HUGETLB)));
	assert_int_equal(r.value[VMM_STATUS_VM_HWM], 352 * 1024);
	assert_int_equal(r.uid, 1001);
	assert_int_equal(r.ns_pid, 0);
	free(text);
	parse_seed("fuzz_status/kernel-thread", &r, &text);
	assert_int_equal(r.known, BIT(THREADS));
	assert_text(r.name, r.name_length, "kworker/0:0-events");
	assert_int_equal(r.state, 'I');
	free(text);
	vmm_status_parse("", 0, &r);
	assert_int_equal(r.known, 0);
	assert_int_equal(r.name_length, 0);
	assert_non_null(r.name);
	assert_int_equal(r.state, 0);
	assert_int_equal(r.ppid, -1);
	assert_int_equal(r.uid, -1);
}

static void test_hostile(void **state)
{
	static const char converted[] = "Name:\ta b\r\nVmRSS:\t    8 kB\r\n", own[] = "Name:\ta\r\nVmRSS:\t    8 kB\n";
	struct vmm_status_record r;
	char *text;

	parse_seed("fuzz_status/hostile", &r, &text);
	/* No unit, the wrong unit, too large, followed by something, cut off: none is known. */
	assert_int_equal(r.known, 0);
	assert_int_equal(r.ppid, -1);
	assert_int_equal(r.uid, -1);
	assert_int_equal(r.ns_pid, 7);
	assert_text(r.name, r.name_length, "\tVmRSS:\\t 9 kB\\n\\\\\\012\\777\\");
	free(text);
	vmm_status_parse(converted, sizeof(converted) - 1, &r);
	assert_text(r.name, r.name_length, "a b");
	assert_int_equal(r.value[VMM_STATUS_VM_RSS], 8192);
	vmm_status_parse(own, sizeof(own) - 1, &r);
	assert_text(r.name, r.name_length, "a\r");
}

static void test_unescape(void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = {
		{"", ""}, {"plain", "plain"}, {"a\\nb", "a\nb"}, {"\\\\n", "\\n"}, {"\\\\\\n", "\\\n"}, {"\\012x", "\nx"},
		{"\\377", "\377"}, {"\\400", "\\400"}, {"\\000", "\\000"}, {"\\01", "\\01"}, {"\\", "\\"}, {"\\q", "\\q"},
		{"\\089", "\\089"}, {"a\\", "a\\"},
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n = strlen(cases[i].from);
		char *from = malloc(n + 1), *to = malloc(n + 1);

		assert_true(from && to);
		memcpy(from, cases[i].from, n + 1);
		n = vmm_status_unescape(from, n, to);
		assert_text(to, n, cases[i].to);
		free(from);
		free(to);
	}
}

static bool parse_stat_seed(const char *name, struct vmm_stat_record *r, char **ret_text)
{
	size_t length;

	*ret_text = seed(name, &length);
	return vmm_stat_parse(*ret_text, length, r);
}

/* Values read off the files by field number, as proc(5) counts them. */
static void test_stat(void **state)
{
	struct vmm_stat_record r;
	char *text;

	assert_true(parse_stat_seed("fuzz_stat/linux-6.18-x86_64", &r, &text));
	assert_text(r.comm, r.comm_length, "a) R (\n\\ b");
	assert_int_equal(r.state, 'R');
	assert_int_equal(r.ppid, 18912);
	assert_int_equal(r.flags, 4194304);
	assert_int_equal(r.threads, 1);
	assert_int_equal(r.start_ticks, 188516);
	assert_true(r.addresses);
	assert_int_equal(r.start_code, 4198400);
	assert_int_equal(r.end_code, 4690305);
	assert_int_equal(r.start_stack, 140726661728288);
	assert_int_equal(r.start_data, 4859608);
	assert_int_equal(r.end_data, 4883056);
	assert_int_equal(r.start_brk, 617385984);
	assert_int_equal(r.arg_start, 140726661732969);
	assert_int_equal(r.arg_end, 140726661733007);
	assert_int_equal(r.env_start, 140726661733007);
	assert_int_equal(r.env_end, 140726661734369);
	free(text);
	assert_true(parse_stat_seed("fuzz_stat/linux-6.18-kernel-thread", &r, &text));
	assert_int_equal(r.flags & 0x200000, 0x200000);
	assert_false(r.addresses);
	free(text);
	assert_true(parse_stat_seed("fuzz_stat/linux-6.18-not-permitted", &r, &text));
	assert_false(r.addresses);
	assert_int_equal(r.start_code, 0);
	assert_int_equal(r.start_ticks, 179804);
	free(text);
	assert_true(parse_stat_seed("fuzz_stat/linux-2.6.32-like", &r, &text));
	assert_int_equal(r.start_code, 4194304);
	assert_int_equal(r.start_brk, 0);
	assert_true(r.addresses);
	free(text);
	assert_false(parse_stat_seed("fuzz_stat/hostile", &r, &text));
	free(text);
}

static void test_stat_cut(void **state)
{
	struct vmm_stat_record r;
	size_t length, least = 0;
	char *text = seed("fuzz_stat/linux-6.18-x86_64", &length), *at = strstr(text, " 188516 ");

	assert_non_null(at);
	least = (size_t)(at - text) + strlen(" 1");
	for (size_t cut = 0; cut <= length; cut++) {
		char *exact = malloc(cut ? cut : 1);

		assert_non_null(exact);
		memcpy(exact, text, cut);
		assert_int_equal(vmm_stat_parse(exact, cut, &r), cut >= least);
		free(exact);
	}
	free(text);
}

static void test_running_kernel(void **state)
{
	static const char name[] = ") S 1 (\n\\\t\xff";
	struct vmm_status_record status;
	struct vmm_stat_record stat;
	size_t status_length, stat_length;
	char *status_text, *stat_text, plain[64], *code = (char *)(uintptr_t)test_running_kernel;
	size_t n;

	assert_int_equal(prctl(PR_SET_NAME, name), 0);
	status_text = proc_file(getpid(), "status", &status_length);
	stat_text = proc_file(getpid(), "stat", &stat_length);
	vmm_status_parse(status_text, status_length, &status);
	assert_true(vmm_stat_parse(stat_text, stat_length, &stat));
	n = vmm_status_unescape(status.name, status.name_length, plain);
	assert_text(plain, n, name);
	assert_text(stat.comm, stat.comm_length, name);
	assert_int_equal(status.ppid, getppid());
	assert_int_equal(stat.ppid, getppid());
	assert_int_equal(status.uid, geteuid());
	assert_int_equal(status.ns_pid, getpid());
	assert_int_equal(stat.threads, 1);
	assert_true(stat.addresses);
	assert_true(stat.start_code <= (uintptr_t)code && (uintptr_t)code < stat.end_code);
	assert_true(stat.start_brk <= (uintptr_t)sbrk(0));
	free(status_text);
	free(stat_text);
}

TEST_MAIN(cmocka_unit_test(test_linux_6_18), cmocka_unit_test(test_missing_fields), cmocka_unit_test(test_hostile),
          cmocka_unit_test(test_unescape), cmocka_unit_test(test_stat), cmocka_unit_test(test_stat_cut),
          cmocka_unit_test(test_running_kernel))
