/* Lists of pages in captures: where guards are, what was resident. Only vmmap writes them. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/scan.h"
#include "base/search.h"
#include "source/capture.h"

#define RUNS_MAX 1000000

static const struct {
	char letter;
	uint32_t what;
} letters[] = {{'p', VMM_PAGE_PRESENT}, {'s', VMM_PAGE_SWAPPED}, {'f', VMM_PAGE_FILE}, {'z', VMM_PAGE_ZERO},
               {'g', VMM_PAGE_GUARD}, {'h', VMM_PAGE_HUGE}, {'x', VMM_PAGE_EXCLUSIVE}};
_Static_assert(ARRAY_LEN(letters) < CAPTURE_LETTERS, "room for all letters");

void capture_page_letters(uint32_t what, char ret[CAPTURE_LETTERS])
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(letters); i++)
		if (what & letters[i].what)
			ret[n++] = letters[i].letter;
	ret[n] = '\0';
}

/* False: a letter that this vmmap does not know. */
static bool read_letters(struct vmm_scan *line, uint32_t *ret)
{
	*ret = 0;
	if (!vmm_scan_char(line, ' '))
		return false;
	while (!vmm_scan_done(line)) {
		size_t i = 0;

		while (i < ARRAY_LEN(letters) && letters[i].letter != *line->p)
			i++;
		if (i == ARRAY_LEN(letters))
			return false;
		*ret |= letters[i].what;
		line->p++;
	}
	return *ret != 0;
}

int capture_runs_read(struct capture_runs *runs, const char *bytes, size_t length, bool guards, struct vmm_err *err)
{
	struct vmm_scan all = vmm_scan_init(bytes, length), line;
	uint64_t last = 0;

	for (unsigned i = 0; i < RUNS_MAX && vmm_scan_line(&all, &line); i++) {
		struct vmm_page_run run = {.what = VMM_PAGE_GUARD};

		if (!vmm_scan_hex(&line, &run.start) || !vmm_scan_char(&line, '-') || !vmm_scan_hex(&line, &run.end) || run.start < last ||
		    run.end <= run.start || (!guards && !read_letters(&line, &run.what)))
			continue;
		if (!vmm_grow(&runs->runs, &runs->capacity, runs->count + 1, sizeof(run)))
			return vmm_fail_nomem(err);
		runs->runs[runs->count++] = run;
		last = run.end;
	}
	return 0;
}

int capture_runs_walk(const struct capture_runs *runs, uint64_t start, uint64_t end, vmm_page_fn fn, void *arg)
{
	int rc = 0;

	for (size_t i = VMM_FIRST_ABOVE(runs->runs, runs->count, end, start); rc == 0 && i < runs->count && runs->runs[i].start < end; i++) {
		struct vmm_page_run run = runs->runs[i];

		run.start = vmm_max_u64(run.start, start);
		run.end = vmm_min_u64(run.end, end);
		rc = fn(arg, &run);
	}
	return rc;
}
