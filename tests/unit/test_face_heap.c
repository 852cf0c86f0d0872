/* The page of vmmap heap, of the heaps in tests/golden/fake_heap.h; how it looks is golden.golden's. */
#include <stdlib.h>
#include <sys/wait.h>

#include "../golden/fake_heap.h"
#include "analysis/heap_total.h"
#include "base/arena.h"
#include "base/text.h"
#include "face/heap_page.h"
#include "test.h"

/* The page as text or JSON; free() it. id: of one heap. */
static char *page_of(const char *id, bool duplicates, const struct vmm_look *look, size_t *ret_length)
{
	struct vmm_snapshot *s = fake_snapshot();
	struct vmm_out *out = vmm_out_create_memory();
	struct vmm_heap_page page = {.snapshot = s, .survey = &fake_survey, .id = id, .duplicates = duplicates};
	struct vmm_query q;

	assert_non_null(s);
	assert_true(fake_add_heaps(s));
	assert_int_equal(vmm_query_init(&q, "heaps", NULL, NULL, NULL, NULL, NULL), 0);
	page.query = &q;
	assert_int_equal(vmm_heaps_total(s, id, s->arena, &page.total, NULL), 0);
	if (look)
		assert_int_equal(vmm_heap_page_text(out, look, &page, NULL), 0);
	else
		vmm_heap_page_json(out, &page);
	vmm_query_done(&q);
	vmm_snapshot_destroy(s);
	return vmm_out_take(out, ret_length);
}

static void test_total(void **state)
{
	struct vmm_snapshot *s = fake_snapshot();
	const struct vmm_heap *t = NULL;

	assert_true(fake_add_heaps(s));
	assert_int_equal(vmm_heaps_total(s, NULL, s->arena, &t, NULL), 0);
	assert_false(t->proved); /* one of three is not */
	assert_int_equal(t->contents->sums.of[VMM_CHUNK_USED].count, 13002);
	assert_int_equal(t->contents->class_count, 5);
	assert_int_equal(t->m.value[VMM_METRIC_SIZE], FAKE_K(7168));
	assert_false(vmm_metric_known(&t->m, VMM_METRIC_USED));
	/* The same sizes of two heaps become one class. */
	s->heaps[2].contents = &fake_contents;
	assert_int_equal(vmm_heaps_total(s, NULL, s->arena, &t, NULL), 0);
	assert_int_equal(t->contents->class_count, 4);
	assert_int_equal(t->contents->classes[0].used, 20000);
	assert_int_equal(vmm_heaps_total(s, "glibc.0.1", s->arena, &t, NULL), 0);
	assert_null(t->contents);
	assert_int_equal(vmm_heaps_total(s, "glibc.0.0", s->arena, &t, NULL), 0);
	assert_true(t->proved);
	vmm_snapshot_destroy(s);
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("not found: %s\nin: %s", part, text);
}

/* Nothing of the target reaches a terminal raw, at any width, with and without colour. */
static void test_text_is_safe(void **state)
{
	for (unsigned width = 0; width <= 200; width += width ? 7 : 40)
		for (int colour = 0; colour < 2; colour++) {
			struct vmm_look look = {.style = {.heading = true, .width = width, .colour = colour}, .pictures = width != 0};
			size_t length;
			char *text = page_of(NULL, true, &look, &length);

			assert_int_equal(strlen(text), length);
			assert_null(strstr(text, "\033]0"));
			assert_null(strstr(text, "\033[31mred"));
			assert_null(strchr(text, '\007'));
			has(text, "malloc_trim(0)");
			free(text);
		}
}

static void test_one_heap(void **state)
{
	struct vmm_look look = {.style = {.heading = true}};
	char *text = page_of("glibc.0.1", false, &look, NULL);

	/* An unproved heap: unknown, and no sentence on who holds what. */
	has(text, "glibc.0.1  -");
	has(text, "?");
	assert_null(strstr(text, "Who holds it"));
	assert_null(strstr(text, "total"));
	free(text);
	text = page_of("glibc.0.0", false, &look, NULL);
	has(text, "chunks = size of the heap");
	has(text, "remainder 0");
	assert_null(strstr(text, "mmapped chunks\n"));
	free(text);
}

static void set_resident_known(bool known)
{
	fake_contents.resident_known = fake_big_contents.resident_known = known;
}

/* A core holds bytes, not page tables: what is free is told, what of it was resident is not. */
static void test_residency_unknown(void **state)
{
	struct vmm_look look = {.style = {.heading = true, .width = 100}, .pictures = true};
	char *text;

	set_resident_known(false);
	text = page_of(NULL, true, &look, NULL);
	has(text, "the program uses 2.5 MiB of 3 MiB, in 13,002 chunks");
	has(text, "nobody uses 305 KiB of 3 MiB: freed but kept");
	has(text, "how much of that was resident is not known");
	has(text, "glibc holds 305 KiB; trimming would have returned at most 192 KiB: malloc_trim(0)");
	has(text, "U used   F free   O overhead   R reserved");
	has(text, "free    glibc.0.0        not in the file");
	assert_null(strstr(text, "not resident"));
	assert_null(strstr(text, "free, resident"));
	free(text);
	text = page_of(NULL, false, NULL, NULL);
	has(text, "\"unused_rss\":null");
	has(text, "\"trimmable\":null,\"trimmable_size\":196608");
	has(text, "\"free\":{\"count\":102,\"bytes\":234288,\"rss\":null}");
	free(text);
	set_resident_known(true);
}

static void test_json(void **state)
{
	char path[300], command[1200];
	char *text;
	int rc;

	for (int i = 0; i < 4; i++) {
		FILE *f;

		set_resident_known(i != 3);
		text = page_of(i == 2 ? "glibc.0.1" : NULL, i == 1, NULL, NULL);
		has(text, i == 1 ? "\"duplicates\":{\"groups\":41," : "\"duplicates\":null");
		assert_null(strchr(text, '\033'));
		if (i == 0)
			has(text, "\"log2\":[{\"from\":16,\"used\":10000,\"free\":500},{\"from\":64,\"used\":2000,\"free\":0},");
		snprintf(path, sizeof(path), "%s/heap_page_%d.json", VMM_BUILD_DIR, i);
		f = fopen(path, "w");
		assert_non_null(f);
		fputs(text, f);
		fclose(f);
		free(text);
	}
	set_resident_known(true);
	snprintf(command, sizeof(command), "cd '%s' && python3 '%s/unit/check_schema.py' '%s/../docs/vmmap.schema.json' heap_page_[0123].json",
	         VMM_BUILD_DIR, VMM_TESTS_DIR, VMM_TESTS_DIR);
	rc = system(command);
	if (WIFEXITED(rc) && (WEXITSTATUS(rc) == 77 || WEXITSTATUS(rc) == 127)) {
		TEST_SKIP("documents are not checked against the schema: python3-jsonschema is missing");
	}
	assert_int_equal(rc, 0);
}

static void test_no_memory(void **state)
{
	struct vmm_snapshot *s = fake_snapshot();
	struct vmm_look look = {.style = {.heading = true, .width = 80, .colour = true}, .pictures = true};
	struct vmm_heap_page page = {.snapshot = s, .survey = &fake_survey, .duplicates = true};
	struct vmm_query q;
	int rc = VMM_E_NOMEM;

	assert_true(fake_add_heaps(s));
	assert_int_equal(vmm_query_init(&q, "heaps", NULL, NULL, NULL, NULL, NULL), 0);
	page.query = &q;
	for (unsigned long n = 1; n < 400; n++) {
		struct vmm_out *out = vmm_out_create_memory();

		vmm_alloc_fail_after(n);
		rc = vmm_heaps_total(s, NULL, s->arena, &page.total, NULL);
		if (rc == 0)
			rc = vmm_heap_page_text(out, &look, &page, NULL);
		if (rc == 0)
			vmm_heap_page_json(out, &page);
		vmm_alloc_fail_after(0);
		assert_true(rc == 0 || rc == VMM_E_NOMEM);
		free(vmm_out_take(out, NULL));
	}
	assert_int_equal(rc, 0);
	vmm_query_done(&q);
	vmm_snapshot_destroy(s);
}

TEST_MAIN(cmocka_unit_test(test_total), cmocka_unit_test(test_text_is_safe), cmocka_unit_test(test_one_heap), cmocka_unit_test(test_residency_unknown),
          cmocka_unit_test(test_json), cmocka_unit_test(test_no_memory))
