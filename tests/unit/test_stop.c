/* The pause of a live target: a child that counts in memory shared with the test tells whether it runs. */
#include "test.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "fake_target.h"
#include "source/linux.h"
#include "vmmap/vmmap.h"

#define THREADS 3
#define WAIT_MS 20000 /* for what must come */

struct child {
	pid_t pid;
	_Atomic uint64_t *counts; /* one for each thread */
	struct vmm_target *target;
};

static void pass(unsigned ms)
{
	struct timespec time = {.tv_nsec = (long)ms * 1000000};

	nanosleep(&time, NULL);
}

static void *count(void *arg)
{
	_Atomic uint64_t *own = arg;

	for (;;) {
		atomic_fetch_add(own, 1);
		usleep(100);
	}
	return NULL;
}

static void child_main(_Atomic uint64_t *counts)
{
	pthread_t id;

	for (int i = 1; i < THREADS; i++)
		if (pthread_create(&id, NULL, count, &counts[i]) != 0)
			_exit(1);
	count(counts);
}

/* True when every thread of the child goes on counting. */
static bool runs(const struct child *c)
{
	uint64_t before[THREADS];
	int moved = 0;

	for (int i = 0; i < THREADS; i++)
		before[i] = c->counts[i];
	for (int ms = 0; ms < WAIT_MS && moved < THREADS; ms++) {
		pass(1);
		moved = 0;
		for (int i = 0; i < THREADS; i++)
			moved += c->counts[i] != before[i];
	}
	return moved == THREADS;
}

static bool stands_still(const struct child *c)
{
	uint64_t before[THREADS];

	for (int i = 0; i < THREADS; i++)
		before[i] = c->counts[i];
	pass(30);
	for (int i = 0; i < THREADS; i++)
		if (c->counts[i] != before[i])
			return false;
	return true;
}

static void child_begin(struct child *c)
{
	struct vmm_err err;

	c->counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(c->counts != MAP_FAILED);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		child_main(c->counts);
		_exit(0);
	}
	assert_true(runs(c));
	assert_int_equal(vmm_target_open_pid(c->pid, &c->target, &err), 0);
}

/* The child is ours alone to wait for: a tracer that took its end away would make this fail. */
static void child_end(struct child *c)
{
	int status = 0;

	vmm_target_close(c->target);
	kill(c->pid, SIGKILL);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	assert_true(WIFSIGNALED(status));
	munmap((void *)c->counts, 4096);
}

/* Containers can forbid ptrace altogether. */
static bool stop(struct child *c)
{
	struct vmm_err err = {0};
	int rc = vmm_target_stop(c->target, &err);

	if (rc == VMM_E_DENIED)
		return false;
	assert_int_equal(rc, 0);
	return true;
}

static void test_stands_still(void **state)
{
	struct vmm_pause pause;
	struct child c;

	(void)state;
	child_begin(&c);
	if (!stop(&c)) {
		child_end(&c);
		TEST_SKIP("ptrace is not permitted here");
	}
	assert_true(vmm_target_is_stopped(c.target));
	assert_true(stands_still(&c));
	assert_int_equal(vmm_target_stop(c.target, NULL), 0);
	assert_true(stands_still(&c));
	vmm_target_resume(c.target, &pause);
	assert_false(vmm_target_is_stopped(c.target));
	assert_true(runs(&c));
	assert_int_equal(pause.threads, THREADS);
	assert_int_equal(pause.running, 0);
	assert_true(pause.complete);
	assert_false(pause.cut);
	assert_true(pause.stopped_ns >= 60000000); /* two looks of 30 ms */
	vmm_target_resume(c.target, &pause);
	assert_int_equal(pause.stopped_ns, 0);
	assert_int_equal(pause.threads, 0);
	child_end(&c);
}

static void *resume_elsewhere(void *arg)
{
	vmm_target_resume(arg, NULL);
	return NULL;
}

static void test_any_thread_resumes(void **state)
{
	pthread_t id;
	struct child c;

	(void)state;
	child_begin(&c);
	if (stop(&c)) {
		assert_int_equal(pthread_create(&id, NULL, resume_elsewhere, c.target), 0);
		assert_int_equal(pthread_join(id, NULL), 0);
		assert_true(runs(&c));
	}
	child_end(&c);
}

static void test_close_resumes(void **state)
{
	struct vmm_err err;
	struct child c;

	(void)state;
	child_begin(&c);
	if (stop(&c)) {
		assert_true(stands_still(&c));
		vmm_target_close(c.target);
		assert_true(runs(&c));
		assert_int_equal(vmm_target_open_pid(c.pid, &c.target, &err), 0);
	}
	child_end(&c);
}

/* Who never resumes keeps nobody for longer than the limit. */
static void test_limit(void **state)
{
	struct vmm_pause pause;
	struct vmm_err err;
	struct child c;
	int rc;

	(void)state;
	child_begin(&c);
	rc = linux_stop_limited((struct linux_target *)c.target, 1000000, &err);
	if (rc != VMM_E_DENIED) {
		assert_int_equal(rc, 0);
		assert_true(runs(&c));
		linux_resume(c.target, &pause);
		assert_true(pause.cut);
		assert_false(pause.complete);
		assert_true(pause.stopped_ns >= 1000000);
		assert_true(runs(&c));
	}
	child_end(&c);
}

/* Killed in the pause, it ends at once, and its parent hears of that. */
static void test_killed_in_pause(void **state)
{
	struct vmm_pause pause;
	struct child c;
	int status = 0;

	(void)state;
	child_begin(&c);
	if (!stop(&c)) {
		child_end(&c);
		return;
	}
	kill(c.pid, SIGKILL);
	vmm_target_resume(c.target, &pause);
	assert_int_equal(pause.threads, THREADS);
	assert_int_equal(waitpid(c.pid, &status, 0), c.pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_true(vmm_target_stop(c.target, NULL) == VMM_E_GONE);
	vmm_target_close(c.target);
	munmap((void *)c.counts, 4096);
}

static void test_out_of_memory(void **state)
{
	struct child c;
	unsigned long n = 1;
	int rc = VMM_E_NOMEM;

	(void)state;
	child_begin(&c);
	for (; n < 1000 && rc == VMM_E_NOMEM; n++) {
		struct vmm_err err;

		vmm_alloc_fail_after(n);
		rc = vmm_target_stop(c.target, &err);
		vmm_alloc_fail_after(0);
		if (rc < 0)
			assert_true(runs(&c));
	}
	assert_true(rc == 0 || rc == VMM_E_DENIED);
	assert_true(n > 2);
	vmm_target_resume(c.target, NULL);
	assert_true(runs(&c));
	child_end(&c);
}

static void test_refused(void **state)
{
	struct fake_target fake = {.base.ops = &fake_ops};
	struct vmm_target *self;
	struct vmm_err err;

	(void)state;
	assert_int_equal(vmm_target_stop(&fake.base, &err), VMM_E_UNSUPPORTED);
	assert_false(vmm_target_is_stopped(&fake.base));
	assert_int_equal(vmm_target_open_pid(getpid(), &self, &err), 0);
	assert_int_equal(vmm_target_stop(self, &err), VMM_E_DENIED);
	assert_non_null(strstr(err.text, "itself"));
	assert_false(vmm_target_is_stopped(self));
	vmm_target_close(self);
}

TEST_MAIN(cmocka_unit_test(test_stands_still), cmocka_unit_test(test_any_thread_resumes), cmocka_unit_test(test_close_resumes),
          cmocka_unit_test(test_limit), cmocka_unit_test(test_killed_in_pause), cmocka_unit_test(test_out_of_memory),
          cmocka_unit_test(test_refused))
