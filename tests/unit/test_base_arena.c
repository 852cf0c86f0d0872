/* The arena: alignment, zeroing, interning, overflow, and every allocation failing once. */
#include "test.h"

#include <stdalign.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "vmmap/err.h"

static void test_alloc(void **state)
{
	static const size_t sizes[] = {1, 3, 8, 24, 1000, 16383, 16385, 65536, 300000};
	struct vmm_arena *a = vmm_arena_create();
	unsigned char *p[200];

	assert_non_null(a);
	for (unsigned i = 0; i < ARRAY_LEN(p); i++) {
		size_t size = sizes[i % ARRAY_LEN(sizes)];

		p[i] = vmm_arena_alloc(a, size);
		assert_non_null(p[i]);
		assert_int_equal((uintptr_t)p[i] % alignof(max_align_t), 0);
		for (size_t k = 0; k < size; k++)
			if (p[i][k])
				fail_msg("byte %zu of block %u is not zero", k, i);
		memset(p[i], (int)i + 1, size);
		assert_int_equal(vmm_arena_strndup(a, "x", 1)[1], '\0');
	}
	/* No block was touched by a later one. */
	for (unsigned i = 0; i < ARRAY_LEN(p); i++) {
		assert_int_equal(p[i][0], i + 1);
		assert_int_equal(p[i][sizes[i % ARRAY_LEN(sizes)] - 1], i + 1);
	}
	assert_null(vmm_arena_alloc(a, SIZE_MAX));
	assert_null(vmm_arena_alloc(a, SIZE_MAX - 8));
	assert_null(vmm_arena_array(a, SIZE_MAX / 2, 3));
	assert_null(vmm_arena_strndup(a, "", SIZE_MAX));
	assert_non_null(vmm_arena_array(a, 0, 8));
	vmm_arena_destroy(a);
	vmm_arena_destroy(NULL);
}

static void test_strings(void **state)
{
	struct vmm_arena *a = vmm_arena_create();
	char expected[1000];

	assert_string_equal(vmm_arena_strdup(a, ""), "");
	assert_string_equal(vmm_arena_strdup(a, "abc"), "abc");
	assert_string_equal(vmm_arena_strndup(a, "abcdef", 3), "abc");
	assert_string_equal(vmm_arena_printf(a, "%d %s", 42, "x"), "42 x");
	for (size_t width = 250; width < 260; width++) {
		snprintf(expected, sizeof(expected), "%0*d", (int)width, 7);
		assert_string_equal(vmm_arena_printf(a, "%0*d", (int)width, 7), expected);
	}
	vmm_arena_destroy(a);
}

static void test_intern(void **state)
{
	static const char *first[5000];
	struct vmm_arena *a = vmm_arena_create();
	char name[32];

	/* More names than the table starts with, each found again after it has grown. */
	for (int i = 0; i < 5000; i++) {
		int n = snprintf(name, sizeof(name), "name %d", i);

		first[i] = vmm_arena_intern(a, name, (size_t)n);
		assert_string_equal(first[i], name);
	}
	for (int i = 0; i < 5000; i++) {
		int n = snprintf(name, sizeof(name), "name %d", i);

		assert_ptr_equal(vmm_arena_intern(a, name, (size_t)n), first[i]);
	}
	assert_ptr_equal(vmm_arena_intern(a, "name 77777", 6), vmm_arena_intern(a, "name 7", 6));
	assert_ptr_not_equal(vmm_arena_intern(a, "a\0b", 3), vmm_arena_intern(a, "a\0c", 3));
	assert_string_equal(vmm_arena_intern(a, "", 0), "");
	vmm_arena_destroy(a);
}

static void test_adopt_and_keep(void **state)
{
	struct vmm_arena *a = vmm_arena_create();
	uint32_t *heap = malloc(3 * sizeof(*heap)), *p;

	assert_non_null(heap);
	for (uint32_t i = 0; i < 3; i++)
		heap[i] = i + 10;
	p = vmm_arena_adopt(a, heap, 3, sizeof(*heap));
	assert_int_equal(p[0] + p[1] + p[2], 33);
	assert_non_null(vmm_arena_adopt(a, NULL, 0, 8));
	heap = malloc(8);
	assert_ptr_equal(vmm_arena_keep(a, heap), heap);
	/* Both free the original when memory is out: a leak would be seen by the sanitizer. */
	heap = malloc(100000);
	vmm_alloc_fail_after(1);
	p = vmm_arena_adopt(a, heap, 25000, 4);
	vmm_alloc_fail_after(0);
	assert_null(p);
	vmm_arena_destroy(a);
	a = vmm_arena_create();
	heap = malloc(8);
	vmm_alloc_fail_after(1);
	p = vmm_arena_keep(a, heap);
	vmm_alloc_fail_after(0);
	assert_null(p);
	vmm_arena_destroy(a);
}

static void test_grow(void **state)
{
	size_t capacity = 0;
	uint64_t *array = NULL;
	void *before;

	for (size_t i = 0; i < 1000; i++) {
		assert_true(vmm_grow(&array, &capacity, i + 1, sizeof(*array)));
		assert_true(capacity > i);
		array[i] = i;
	}
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(array[i], i);
	before = array;
	assert_false(vmm_grow(&array, &capacity, SIZE_MAX / 2, sizeof(*array)));
	assert_false(vmm_grow(&array, &capacity, SIZE_MAX, 1));
	vmm_alloc_fail_after(1);
	assert_false(vmm_grow(&array, &capacity, capacity + 1, sizeof(*array)));
	vmm_alloc_fail_after(0);
	assert_ptr_equal(array, before);
	free(array);
}

/* The Nth allocation fails, for every N until all succeed. */
static void test_out_of_memory(void **state)
{
	unsigned long n = 1;
	bool done = false;

	for (; !done; n++) {
		struct vmm_arena *a;
		char name[32];

		assert_true(n < 100);
		vmm_alloc_fail_after(n);
		a = vmm_arena_create();
		done = a != NULL;
		for (int i = 0; done && i < 3000; i++) {
			int length = snprintf(name, sizeof(name), "%d", i);

			done = vmm_arena_intern(a, name, (size_t)length) && vmm_arena_alloc(a, 100) && vmm_arena_printf(a, "%300d", i);
		}
		vmm_alloc_fail_after(0);
		/* Whatever failed, the arena still works. */
		if (a)
			assert_string_equal(vmm_arena_intern(a, "0", 1), "0");
		vmm_arena_destroy(a);
	}
	assert_true(n > 10);
}

static void test_errors(void **state)
{
	struct vmm_err err;

	assert_int_equal(vmm_fail(&err, VMM_E_IO, 5, "read %s: %d", "a\x1b[0m\n", 7), VMM_E_IO);
	assert_int_equal(err.code, VMM_E_IO);
	assert_int_equal(err.os, 5);
	assert_string_equal(err.text, "read a\\e[0m\\n: 7");
	assert_int_equal(vmm_fail_column(&err, VMM_E_EXPRESSION, 12, "%0500d", 1), VMM_E_EXPRESSION);
	assert_int_equal(err.column, 12);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_int_equal(vmm_fail_nomem(NULL), VMM_E_NOMEM);
	assert_string_equal(vmm_error_text(VMM_E_GONE), "the target is gone");
	assert_int_equal(vmm_error_status(VMM_E_GONE), 4);
	assert_int_equal(vmm_error_status(VMM_E_USAGE), 2);
	assert_string_equal(vmm_error_text(0), "no error");
	assert_string_equal(vmm_error_text(1), "no error");
	assert_string_equal(vmm_error_text(INT32_MIN), "no error");
	assert_int_equal(vmm_error_status(-1000), 0);
}

TEST_MAIN(cmocka_unit_test(test_alloc), cmocka_unit_test(test_strings), cmocka_unit_test(test_intern),
          cmocka_unit_test(test_adopt_and_keep), cmocka_unit_test(test_grow), cmocka_unit_test(test_out_of_memory),
          cmocka_unit_test(test_errors))
