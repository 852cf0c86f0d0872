#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "test.h"
#include "vmmap/vmmap.h"

#define COPIES 300
#define COPY_BYTES 3000

static void *copies[COPIES];

struct looked {
	pid_t child;
	struct vmm_target *target;
	struct vmm_snapshot *snapshot;
};

/* A copy of this program with its heap, which waits. False: no heap of it was proved (sanitizers have their own). */
static bool look(struct looked *l)
{
	struct vmm_take take = {.needs = VMM_NEED_DEFAULT | VMM_NEED_HEAPS};
	bool proved = false;

	for (int i = 0; i < COPIES && !copies[i]; i++) {
		copies[i] = malloc(COPY_BYTES);
		assert_non_null(copies[i]);
		memset(copies[i], 0xd5, COPY_BYTES);
	}
	l->child = fork();
	if (l->child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	assert_true(l->child > 0);
	assert_int_equal(vmm_target_open_pid(l->child, &l->target, NULL), 0);
	assert_int_equal(vmm_target_snapshot(l->target, &take, &l->snapshot, NULL), 0);
	for (uint32_t i = 0; i < l->snapshot->heap_count; i++)
		proved |= l->snapshot->heaps[i].proved;
	return proved;
}

static void done(struct looked *l)
{
	vmm_snapshot_destroy(l->snapshot);
	vmm_target_close(l->target);
	kill(l->child, SIGKILL);
	waitpid(l->child, NULL, 0);
}

static bool is_copy(uint64_t address)
{
	for (int i = 0; i < COPIES; i++)
		if ((uint64_t)(uintptr_t)copies[i] == address)
			return true;
	return false;
}

static bool large(void *arg, const struct vmm_chunk_batch *batch, const struct vmm_chunk *chunk)
{
	++*(uint64_t *)arg;
	return chunk->usable >= COPY_BYTES && chunk->usable < COPY_BYTES + 100 && chunk->state == VMM_CHUNK_USED &&
	       is_copy(chunk->address);
}

static void test_lists(void **state)
{
	struct looked l = {0};
	uint64_t asked = 0;
	struct vmm_survey_query q = {.top = 7, .duplicates = true, .pick = large, .arg = &asked};
	struct vmm_survey *v = NULL;

	if (!look(&l)) {
		done(&l);
		TEST_SKIP("this program's heap is none that is known here");
	}
	assert_int_equal(vmm_target_survey(l.target, l.snapshot, NULL, &q, &v, NULL), 0);
	assert_int_equal(v->picked, COPIES);
	assert_true(asked > COPIES);
	assert_int_equal(v->largest_count, 7);
	for (size_t i = 0; i < 7; i++) {
		assert_int_equal(v->largest[i].chunk.usable, malloc_usable_size(copies[0]));
		assert_string_equal(vmm_content_id(v->largest[i].content.type), "repeated");
		assert_true(i == 0 || v->largest[i - 1].chunk.address < v->largest[i].chunk.address);
	}
	assert_int_equal(v->duplicate_count, 1);
	assert_int_equal(v->duplicates[0].count, COPIES);
	assert_int_equal(v->redundant_bytes, (COPIES - 1) * malloc_usable_size(copies[0]));
	assert_int_equal(v->compared, COPIES);
	vmm_survey_destroy(v);
	/* None at all, and no such heap. */
	q = (struct vmm_survey_query){.top = 0, .duplicates = true};
	assert_int_equal(vmm_target_survey(l.target, l.snapshot, NULL, &q, &v, NULL), 0);
	assert_true(v->largest_count == 0 && v->duplicate_count == 0 && v->duplicate_groups > 0 && !v->approximate);
	vmm_survey_destroy(v);
	q = (struct vmm_survey_query){.top = 5, .heap = "no such heap"};
	assert_int_equal(vmm_target_survey(l.target, l.snapshot, NULL, &q, &v, NULL), 0);
	assert_true(v->picked == 0 && v->largest_count == 0);
	vmm_survey_destroy(v);
	vmm_survey_destroy(NULL);
	done(&l);
}

/* Wherever memory runs out, the call fails cleanly or gives the whole answer. */
static void test_no_memory(void **state)
{
	struct looked l = {0};
	struct vmm_survey_query q = {.top = 50, .duplicates = true};
	int rc = VMM_E_NOMEM;

	look(&l);
	for (unsigned long n = 1; rc == VMM_E_NOMEM; n += n / 16 + 1) {
		struct vmm_symbols *symbols = NULL;
		struct vmm_survey *v = NULL;
		struct vmm_err err = {0};

		vmm_alloc_fail_after(n);
		rc = vmm_symbols_create(l.target, l.snapshot, &symbols, &err);
		if (rc == 0)
			rc = vmm_target_survey(l.target, l.snapshot, symbols, &q, &v, &err);
		vmm_alloc_fail_after(0);
		assert_true(rc == 0 || rc == VMM_E_NOMEM);
		assert_int_equal(rc == 0, v != NULL);
		vmm_survey_destroy(v);
		vmm_symbols_destroy(symbols);
		assert_true(n < 1000000);
	}
	done(&l);
}

/* A target that is gone is told as such, or gives an empty answer; never half of one. */
static void test_gone(void **state)
{
	struct looked l = {0};
	struct vmm_survey_query q = {.top = 5, .duplicates = true};
	struct vmm_survey *v = NULL;
	int rc;

	look(&l);
	kill(l.child, SIGKILL);
	waitpid(l.child, NULL, 0);
	rc = vmm_target_survey(l.target, l.snapshot, NULL, &q, &v, NULL);
	assert_true(rc == VMM_E_GONE || (rc == 0 && v->picked == 0));
	if (rc == 0)
		vmm_survey_destroy(v);
	vmm_snapshot_destroy(l.snapshot);
	vmm_target_close(l.target);
}

TEST_MAIN(cmocka_unit_test(test_lists), cmocka_unit_test(test_no_memory), cmocka_unit_test(test_gone))
