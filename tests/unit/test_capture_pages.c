/* The lists of pages in captures: written by vmmap, and by those who lie. */
#include <stdlib.h>

#include "base/arena.h"
#include "source/capture.h"
#include "test.h"

#define BAD "x\n-\n5000\n5000-\n5000-4000 p\n5000-5000 p\n3000-4000 p\n5000-6000\n5000-6000 \n5000-6000 q\n5000-6000 p p\n" \
            "11111111111111111-22222222222222222 p\n"

static void take(struct capture_runs *runs, const char *text, bool guards)
{
	assert_int_equal(capture_runs_read(runs, text, strlen(text), guards, NULL), 0);
}

static void reads_lists(void **state)
{
	struct capture_runs runs = {0};

	take(&runs, "resident pages\n1000-3000 pf\n3000-4000 px\n" BAD "8000-a000 s?\n9000-b000 p\nb000-c000 pfzghx\nfffffffffffff000-ffffffffffffffff p", false);
	assert_int_equal(runs.count, 5);
	assert_int_equal(runs.runs[0].start, 0x1000);
	assert_int_equal(runs.runs[0].end, 0x3000);
	assert_int_equal(runs.runs[0].what, VMM_PAGE_PRESENT | VMM_PAGE_FILE);
	assert_int_equal(runs.runs[1].what, VMM_PAGE_PRESENT | VMM_PAGE_EXCLUSIVE);
	assert_int_equal(runs.runs[2].start, 0x9000); /* a letter nobody knows: the line before is left out */
	assert_int_equal(runs.runs[3].end, 0xc000);
	free(runs.runs);
	runs = (struct capture_runs){0};
	take(&runs, "guard pages\n1000-2000\n1800-3000\n7000-8000\n", true);
	assert_int_equal(runs.count, 2);
	assert_int_equal(runs.runs[1].what, VMM_PAGE_GUARD);
	free(runs.runs);
}

struct seen {
	uint64_t starts[8], ends[8];
	size_t count;
};

static int see(void *arg, const struct vmm_page_run *run)
{
	struct seen *s = arg;

	s->starts[s->count] = run->start;
	s->ends[s->count++] = run->end;
	return run->what & VMM_PAGE_SWAPPED ? 7 : 0;
}

static void walks_parts(void **state)
{
	struct capture_runs runs = {0};
	struct seen s = {.count = 0};

	take(&runs, "1000-4000 p\n6000-7000 p\n7000-8000 s\n9000-a000 p\n", false);
	assert_int_equal(capture_runs_walk(&runs, 0x2000, 0x6800, see, &s), 0);
	assert_int_equal(s.count, 2);
	assert_int_equal(s.starts[0], 0x2000);
	assert_int_equal(s.ends[0], 0x4000);
	assert_int_equal(s.ends[1], 0x6800);
	s.count = 0;
	assert_int_equal(capture_runs_walk(&runs, 0x4000, 0x6000, see, &s), 0);
	assert_int_equal(s.count, 0);
	assert_int_equal(capture_runs_walk(&runs, 0, UINT64_MAX, see, &s), 7); /* whoever is told may stop it */
	assert_int_equal(s.count, 3);
	free(runs.runs);
}

static void letters_return(void **state)
{
	static const uint32_t all[] = {VMM_PAGE_PRESENT, VMM_PAGE_SWAPPED, VMM_PAGE_FILE, VMM_PAGE_ZERO, VMM_PAGE_GUARD, VMM_PAGE_HUGE,
	                               VMM_PAGE_EXCLUSIVE};

	for (uint32_t set = 1; set < 1u << ARRAY_LEN(all); set++) {
		struct capture_runs runs = {0};
		char letters[CAPTURE_LETTERS], text[64];
		uint32_t what = 0;

		for (size_t i = 0; i < ARRAY_LEN(all); i++)
			what |= set >> i & 1 ? all[i] : 0;
		capture_page_letters(what, letters);
		snprintf(text, sizeof(text), "1000-2000 %s\n", letters);
		take(&runs, text, false);
		assert_int_equal(runs.count, 1);
		assert_int_equal(runs.runs[0].what, what);
		free(runs.runs);
	}
}

static void out_of_memory(void **state)
{
	struct capture_runs runs = {0};
	int rc;

	vmm_alloc_fail_after(1);
	rc = capture_runs_read(&runs, "1000-2000 p\n", 12, false, NULL);
	vmm_alloc_fail_after(0);
	assert_int_equal(rc, VMM_E_NOMEM);
	assert_int_equal(runs.count, 0);
	free(runs.runs);
}

TEST_MAIN(cmocka_unit_test(reads_lists), cmocka_unit_test(walks_parts), cmocka_unit_test(letters_return), cmocka_unit_test(out_of_memory))
