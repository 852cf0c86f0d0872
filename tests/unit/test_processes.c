/* Who runs: children that the test started itself, found by PID, name, descent and cgroup, and glanced at. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/base.h"
#include "vmmap/vmmap.h"

#define NAME "vmm:find test" /* 13 bytes, as nothing else is called */
#define TOUCHED (UINT64_C(8) << 20)

/* A child with this name, and one of its own below it; they end with the test. */
struct family {
	pid_t child, grandchild;
};

static pid_t start(const char *name, int ready)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, name);
	(void)!write(ready, &pid, sizeof(pid));
	for (;;)
		pause();
}

static struct family start_family(void)
{
	struct family f = {0};
	int ready[2];
	pid_t word;

	assert_int_equal(pipe(ready), 0);
	f.child = fork();
	assert_true(f.child >= 0);
	if (f.child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NAME, NAME);
		word = start("vmm:grandchild", ready[1]);
		(void)!write(ready[1], &word, sizeof(word));
		for (;;)
			pause();
	}
	/* 0 from the grandchild itself, its PID from the child. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(read(ready[0], &word, sizeof(word)), sizeof(word));
		f.grandchild = word ? word : f.grandchild;
	}
	close(ready[0]);
	close(ready[1]);
	return f;
}

static void end_family(const struct family *f)
{
	kill(f->grandchild, SIGKILL);
	kill(f->child, SIGKILL);
	assert_int_equal(waitpid(f->child, NULL, 0), f->child);
}

/* Bit 0: the child was found, bit 1: the grandchild, bit 2: another. */
static int find(const struct vmm_process_pick *pick, const struct family *f)
{
	struct vmm_process_id *ids;
	size_t count;
	int found = 0;

	assert_int_equal(vmm_processes_find(pick, &ids, &count, NULL), 0);
	for (size_t i = 0; i < count; i++) {
		found |= ids[i].pid == f->child ? 1 : ids[i].pid == f->grandchild ? 2 : 4;
		assert_true(i == 0 || ids[i - 1].pid < ids[i].pid);
		assert_int_not_equal(ids[i].pid, getpid());
	}
	free(ids);
	return found;
}

static void test_by_name_and_descent(void **state)
{
	static const char *const names[] = {NAME};
	struct family f = start_family();
	struct vmm_process_pick pick = {.names = names, .name_count = 1};

	assert_int_equal(find(&pick, &f), 1);
	pick.descendants = true;
	assert_int_equal(find(&pick, &f), 3);
	end_family(&f);
	assert_int_equal(find(&pick, &f), 0);
}

static void test_by_pid_and_start(void **state)
{
	struct family f = start_family();
	struct vmm_glance g;
	struct vmm_process_pick pick = {.ids = &g.id, .id_count = 1};

	assert_int_equal(vmm_process_glance(f.child, &g, NULL), 0);
	assert_string_equal(g.name, NAME);
	assert_int_equal(g.ppid, getpid());
	assert_int_not_equal(g.state, 'Z');
	assert_int_equal(find(&pick, &f), 1);
	/* The same PID with another start is another process. */
	g.id.started++;
	assert_int_equal(find(&pick, &f), 0);
	end_family(&f);
	assert_int_equal(vmm_process_glance(f.child, &g, NULL), VMM_E_GONE);
}

static void test_zombies_have_ended(void **state)
{
	struct vmm_glance g;
	struct vmm_process_pick pick = {.ids = &g.id, .id_count = 1};
	struct family none = {0};
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(vmm_process_glance(pid, &g, NULL), 0);
	assert_int_equal(g.state, 'Z');
	assert_false(g.known);
	assert_int_equal(find(&pick, &none), 0);
	waitpid(pid, NULL, 0);
}

static void test_glance_sees_growth(void **state)
{
	struct vmm_glance before, after;
	char *p;

	assert_int_equal(vmm_process_glance(getpid(), &before, NULL), 0);
	p = mmap(NULL, TOUCHED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	assert_true(p != MAP_FAILED);
	assert_int_equal(vmm_process_glance(getpid(), &after, NULL), 0);
	assert_true(before.known && after.known);
	assert_int_equal(after.size - before.size, TOUCHED);
	assert_int_equal(after.data - before.data, TOUCHED);
	/* The kernel counts pages in batches for each processor and thread: some may still be on their way. */
	assert_true(after.rss >= before.rss + TOUCHED / 2);
	munmap(p, TOUCHED);
}

static void test_by_cgroup(void **state)
{
	struct family f = start_family();
	struct vmm_process_pick pick = {0};
	char pid[16], *path = NULL, *again = NULL, folder[4200];
	struct vmm_err err;

	snprintf(pid, sizeof(pid), "%d", (int)f.child);
	assert_int_equal(vmm_cgroup_path(pid, &path, &err), 0);
	assert_int_equal(path[0], '/');
	pick.cgroup = path;
	assert_int_equal(find(&pick, &f) & 3, 3);
	snprintf(folder, sizeof(folder), "/sys/fs/cgroup%s/", path);
	assert_int_equal(vmm_cgroup_path(folder, &again, &err), 0);
	assert_string_equal(path, again);
	pick.cgroup = "/no such group of this test";
	assert_int_equal(find(&pick, &f), 0);
	assert_int_equal(vmm_cgroup_path("self", &path, &err), VMM_E_NO_TARGET);
	free(path);
	free(again);
	end_family(&f);
}

static void test_out_of_memory(void **state)
{
	static const char *const names[] = {NAME};
	struct vmm_process_pick pick = {.names = names, .name_count = 1, .descendants = true};
	struct vmm_process_id *ids = NULL;
	size_t count = 7;
	int code = VMM_E_NOMEM;

	for (unsigned long n = 1; code == VMM_E_NOMEM; n++) {
		vmm_alloc_fail_after(n);
		code = vmm_processes_find(&pick, &ids, &count, NULL);
		vmm_alloc_fail_after(0);
		assert_true(code == 0 || (code == VMM_E_NOMEM && !ids && count == 7 && n < 100));
	}
	assert_int_equal(code, 0);
	assert_int_equal(count, 0);
	free(ids);
}

TEST_MAIN(cmocka_unit_test(test_by_name_and_descent), cmocka_unit_test(test_by_pid_and_start), cmocka_unit_test(test_zombies_have_ended),
          cmocka_unit_test(test_glance_sees_growth), cmocka_unit_test(test_by_cgroup), cmocka_unit_test(test_out_of_memory))
