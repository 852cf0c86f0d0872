/* Whole snapshots: of this process, of a child that stands still, and with memory running out at every allocation. */
#include "test.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "vmmap/vmmap.h"

static pid_t start_child(void)
{
	pid_t child = fork();

	if (child == 0)
		for (;;)
			pause();
	assert_true(child > 0);
	return child;
}

static void end_child(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static int take(pid_t pid, uint32_t needs, struct vmm_snapshot **ret)
{
	struct vmm_take how = {.needs = needs};
	struct vmm_target *target;
	int rc = vmm_target_open_pid(pid, &target, NULL);

	if (rc < 0)
		return rc;
	rc = vmm_target_snapshot(target, &how, ret, NULL);
	vmm_target_close(target);
	return rc;
}

/*
 * From the Nth allocation on all fail: the call says so and leaks nothing (the sanitizer build looks). Every N at
 * first, then in growing steps, for there are thousands.
 */
static void memory_can_run_out_anywhere(void **state)
{
	static const uint32_t needs[] = {VMM_NEED_DEFAULT | VMM_NEED_EXTRA | VMM_NEED_NUMA, VMM_NEED_FAST};
	pid_t child = start_child();

	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		struct vmm_snapshot *s = NULL;
		unsigned long n = 1;
		int rc;

		do {
			vmm_alloc_fail_after(n);
			n += 1 + n / 16;
			rc = take(child, needs[i], &s);
			vmm_alloc_fail_after(0);
			assert_true(rc == 0 || rc == VMM_E_NOMEM);
		} while (rc < 0);
		assert_true(n > 20);
		assert_true(s->region_count > 0);
		vmm_snapshot_destroy(s);
	}
	end_child(child);
}

/* A child that stands still is told alike twice, and all its accounts come out. */
static void accounts_of_a_still_process_come_out(void **state)
{
	pid_t child = start_child();
	struct vmm_snapshot *a, *b;

	usleep(20000);
	assert_int_equal(take(child, VMM_NEED_DEFAULT, &a), 0);
	assert_int_equal(take(child, VMM_NEED_DEFAULT, &b), 0);
	assert_int_equal(a->account_count, 6);
	for (uint32_t i = 0; i < a->account_count; i++) {
		assert_true(a->accounts[i].sum_known && a->accounts[i].kernel_known);
		assert_int_equal(a->accounts[i].remainder, 0);
	}
	assert_int_equal(a->region_count, b->region_count);
	for (uint32_t i = 0; i < a->region_count; i++) {
		assert_int_equal(a->regions[i].start, b->regions[i].start);
		assert_int_equal(a->regions[i].end, b->regions[i].end);
		assert_string_equal(vmm_kind_id(a->regions[i].kind), vmm_kind_id(b->regions[i].kind));
	}
	vmm_snapshot_destroy(a);
	vmm_snapshot_destroy(b);
	end_child(child);
}

static void what_is_not_there_is_said(void **state)
{
	struct vmm_target *target = NULL;
	struct vmm_err err;
	pid_t child = start_child();

	end_child(child);
	assert_int_equal(vmm_target_open_pid(child, &target, &err), VMM_E_NO_TARGET);
	assert_null(target);
	assert_non_null(strstr(err.text, "no such process"));
	assert_int_equal(vmm_target_open("no such program", &target, &err), VMM_E_NO_TARGET);
	assert_int_equal(vmm_error_status(err.code), 3);
}

TEST_MAIN(cmocka_unit_test(memory_can_run_out_anywhere), cmocka_unit_test(accounts_of_a_still_process_come_out),
          cmocka_unit_test(what_is_not_there_is_said))
