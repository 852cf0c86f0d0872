/* The page map of a running process, at the borders of its address space. */
#include "test.h"

#include <unistd.h>

#include "model/target.h"
#include "vmmap/vmmap.h"

struct seen {
	uint64_t start, end; /* what may come */
	uint64_t bytes;
};

static int on_run(void *arg, const struct vmm_page_run *run)
{
	struct seen *s = arg;

	assert_true(run->start >= s->start && run->start < run->end && run->end <= s->end);
	s->start = run->end;
	s->bytes += run->end - run->start;
	return 0;
}

static uint64_t present(struct vmm_target *t, uint64_t start, uint64_t end, uint32_t flags)
{
	struct seen s = {.start = start, .end = end};
	struct vmm_err err = {0};

	if (t->ops->pages(t, start, end, flags, on_run, &s, &err) != 0)
		fail_msg("%llx to %llx: %s", (unsigned long long)start, (unsigned long long)end, err.text);
	return s.bytes;
}

/* Where the stack is among the last mebibytes a range is asked for that ends with the space: the kernel takes none that holds its last page. */
static void the_end_of_the_address_space(void **state)
{
	static const uint32_t flags[] = {0, VMM_PAGES_EXCLUSIVE};
	const uint64_t end = UINT64_C(1) << (sizeof(void *) == 8 ? 47 : 32);
	uint64_t here = (uintptr_t)&here & ~UINT64_C(4095);
	struct vmm_target *t;

	assert_int_equal(vmm_target_open_pid(getpid(), &t, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		(void)present(t, end - (UINT64_C(64) << 20), end, flags[i]);
		(void)present(t, end - 4096, end, flags[i]);
		assert_int_equal(present(t, here, here + 4096, flags[i]), 4096);
		assert_true(present(t, here, end, flags[i]) >= 4096);
	}
	vmm_target_close(t);
}

TEST_MAIN(cmocka_unit_test(the_end_of_the_address_space))
