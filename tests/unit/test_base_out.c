/* Output: numbers as printf writes them, JSON and CSV that a reader must take back, errors that stick. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/out.h"

static void taken(struct vmm_out *out, const char *expected)
{
	size_t length = 99;
	char *text = vmm_out_take(out, &length);

	assert_non_null(text);
	assert_string_equal(text, expected);
	assert_int_equal(length, strlen(expected));
	free(text);
}

static void test_numbers(void **state)
{
	static const uint64_t values[] = {0, 1, 9, 10, 99, 4096, UINT32_MAX, UINT64_C(1) << 32, INT64_MAX,
	                                  UINT64_C(1) << 63, UINT64_MAX};
	char expected[256];

	for (unsigned i = 0; i < ARRAY_LEN(values); i++) {
		struct vmm_out *out = vmm_out_create_memory();

		vmm_out_dec(out, values[i]);
		vmm_out_char(out, ' ');
		vmm_out_int(out, (int64_t)values[i]);
		vmm_out_char(out, ' ');
		vmm_out_hex(out, values[i], 0);
		vmm_out_char(out, ' ');
		vmm_out_hex(out, values[i], 8);
		vmm_out_char(out, ' ');
		vmm_out_hex(out, values[i], 16);
		snprintf(expected, sizeof(expected), "%" PRIu64 " %" PRId64 " %" PRIx64 " %08" PRIx64 " %016" PRIx64, values[i],
		         (int64_t)values[i], values[i], values[i], values[i]);
		taken(out, expected);
	}
}

static void test_text(void **state)
{
	struct vmm_out *out = vmm_out_create_memory();
	char *big = malloc(200001), *text;
	size_t length;

	vmm_out_repeat(out, "ab", 3);
	vmm_out_text(out, "|");
	vmm_out_bytes(out, "x\0y", 3);
	vmm_out_printf(out, "%s%d", "p", 7);
	text = vmm_out_take(out, &length);
	assert_int_equal(length, 12);
	assert_memory_equal(text, "ababab|x\0yp7", 13);
	free(text);
	/* Longer than any buffer. */
	assert_non_null(big);
	memset(big, 'z', 200000);
	big[200000] = '\0';
	out = vmm_out_create_memory();
	vmm_out_bytes(out, big, 200000);
	taken(out, big);
	out = vmm_out_create_memory();
	vmm_out_printf(out, "%.60000s", big);
	text = vmm_out_take(out, &length);
	assert_int_equal(length, 60000);
	assert_int_equal(text[60000], '\0');
	free(text);
	free(big);
}

static void json_case(const char *from, const char *expected)
{
	struct vmm_out *out = vmm_out_create_memory();

	vmm_out_json(out, from);
	taken(out, expected);
}

/* RFC 8259: quote, backslash and controls must be escaped; the rest is UTF-8. */
static void test_json(void **state)
{
	json_case("", "\"\"");
	json_case("plain /x", "\"plain /x\"");
	json_case("\"\\", "\"\\\"\\\\\"");
	json_case("a\nb\tc", "\"a\\nb\\tc\"");
	json_case("\x1b\x01\x7f", "\"\\u001b\\u0001\\u007f\"");
	json_case("\xff" "a\xc0\x80", "\"\\ufffda\\ufffd\\ufffd\"");
	json_case("\xe4\xb8\xad", "\"\xe4\xb8\xad\"");
	json_case("\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\"");
	json_case("\xe2\x80\xae\xe2\x80\xa8", "\"\\u202e\\u2028\"");
	json_case("\xf3\xa0\x81\x81", "\"\\udb40\\udc41\""); /* U+E0041 as a pair */
}

static void csv_case(const char *from, const char *expected)
{
	struct vmm_out *out = vmm_out_create_memory();

	vmm_out_csv(out, from);
	taken(out, expected);
}

static void test_csv(void **state)
{
	csv_case("", "");
	csv_case("plain", "plain");
	csv_case("a,b", "\"a,b\"");
	csv_case("a;b", "\"a;b\"");
	csv_case("say \"hi\"", "\"say \"\"hi\"\"\"");
	csv_case("a\nb", "a\\nb");
	csv_case("\x1b[0m\xff", "\\e[0m\\xff");
	csv_case("\xe4\xb8\xad", "\xe4\xb8\xad");
}

static void escaped_case(const char *from, size_t width, const char *expected, size_t columns)
{
	struct vmm_out *out = vmm_out_create_memory();

	assert_int_equal(vmm_out_escaped(out, from, width), columns);
	taken(out, expected);
}

static void test_escaped_width(void **state)
{
	escaped_case("abc", 0, "abc", 3);
	escaped_case("abc", 3, "abc", 3);
	escaped_case("abcd", 3, "ab…", 3);
	escaped_case("abc", 1, "…", 1);
	escaped_case("\x1b" "abc", 3, "\\e…", 3);
	escaped_case("\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad", 6, "\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad", 6);
	escaped_case("\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad", 5, "\xe4\xb8\xad\xe6\x96\x87…", 5);
	escaped_case("\xe4\xb8\xad\xe6\x96\x87", 3, "\xe4\xb8\xad…", 3);
	escaped_case("", 5, "", 0);
}

static void test_descriptor(void **state)
{
	char path[] = "/tmp/vmm-out-XXXXXX", byte;
	int fd = mkstemp(path), full;
	struct vmm_out *out = vmm_out_create(fd);
	struct vmm_err err = {0};

	assert_true(fd >= 0);
	unlink(path);
	for (unsigned i = 0; i < 300000; i++)
		vmm_out_char(out, (char)('a' + i % 26));
	assert_int_equal(vmm_out_finish(out, &err), 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 300000);
	assert_int_equal(pread(fd, &byte, 1, 299999), 1);
	assert_int_equal(byte, 'a' + 299999 % 26);
	close(fd);
	/* The first error is what is reported, however much is written after it. */
	full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(full >= 0);
	out = vmm_out_create(full);
	vmm_out_repeat(out, "0123456789", 100000);
	assert_true(out->failed);
	assert_int_equal(vmm_out_finish(out, &err), VMM_E_OUTPUT);
	assert_int_equal(err.os, ENOSPC);
	assert_non_null(strstr(err.text, "No space left"));
	close(full);
	assert_int_equal(vmm_out_finish(NULL, &err), 0);
}

static void test_out_of_memory(void **state)
{
	for (unsigned long n = 1; n < 20; n++) {
		struct vmm_out *out;
		char *text = NULL;

		vmm_alloc_fail_after(n);
		out = vmm_out_create_memory();
		if (out) {
			vmm_out_repeat(out, "0123456789", 10000);
			text = vmm_out_take(out, NULL);
		}
		vmm_alloc_fail_after(0);
		assert_true(!text || strlen(text) == 100000);
		assert_true(n > 2 || !text);
		free(text);
	}
}

TEST_MAIN(cmocka_unit_test(test_numbers), cmocka_unit_test(test_text), cmocka_unit_test(test_json), cmocka_unit_test(test_csv),
          cmocka_unit_test(test_escaped_width), cmocka_unit_test(test_descriptor), cmocka_unit_test(test_out_of_memory))
