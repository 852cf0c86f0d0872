/* The text scanner and the binary cursor at their edges. */
#include "test.h"

#include "base/cursor.h"
#include "base/scan.h"

static bool dec(const char *text, uint64_t *ret, size_t *ret_used)
{
	struct vmm_scan s = vmm_scan_init(text, strlen(text));
	bool ok = vmm_scan_dec(&s, ret);

	*ret_used = (size_t)(s.p - text);
	return ok;
}

static bool hex(const char *text, uint64_t *ret, size_t *ret_used)
{
	struct vmm_scan s = vmm_scan_init(text, strlen(text));
	bool ok = vmm_scan_hex(&s, ret);

	*ret_used = (size_t)(s.p - text);
	return ok;
}

static bool integer(const char *text, int64_t *ret, size_t *ret_used)
{
	struct vmm_scan s = vmm_scan_init(text, strlen(text));
	bool ok = vmm_scan_int(&s, ret);

	*ret_used = (size_t)(s.p - text);
	return ok;
}

static void test_numbers(void **state)
{
	uint64_t v = 77;
	int64_t i = 77;
	size_t used;

	assert_false(dec("", &v, &used));
	assert_false(dec("x", &v, &used));
	assert_false(dec("-1", &v, &used));
	assert_false(dec("+1", &v, &used));
	assert_false(dec("18446744073709551616", &v, &used));
	assert_int_equal(used, 0);
	assert_false(dec("99999999999999999999999999", &v, &used));
	assert_int_equal(v, 77);
	assert_true(dec("18446744073709551615x", &v, &used));
	assert_int_equal(v, UINT64_MAX);
	assert_int_equal(used, 20);
	assert_true(dec("000000000000000000000000000012", &v, &used));
	assert_int_equal(v, 12);
	assert_false(hex("", &v, &used));
	assert_false(hex("g", &v, &used));
	assert_false(hex("10000000000000000", &v, &used));
	assert_int_equal(used, 0);
	assert_true(hex("ffffffffffffffff-", &v, &used));
	assert_int_equal(v, UINT64_MAX);
	assert_int_equal(used, 16);
	assert_true(hex("00000000000000000000aBc", &v, &used));
	assert_int_equal(v, 0xabc);
	assert_false(integer("-", &i, &used));
	assert_false(integer("--1", &i, &used));
	assert_false(integer("9223372036854775808", &i, &used));
	assert_false(integer("-9223372036854775809", &i, &used));
	assert_int_equal(used, 0);
	assert_int_equal(i, 77);
	assert_true(integer("-9223372036854775808", &i, &used));
	assert_int_equal(i, INT64_MIN);
	assert_true(integer("9223372036854775807 ", &i, &used));
	assert_int_equal(i, INT64_MAX);
	assert_int_equal(used, 19);
}

static void test_words_and_lines(void **state)
{
	static const char text[] = "one \ttwo\n\nlast";
	struct vmm_scan s = vmm_scan_init(text, sizeof(text) - 1), line;
	const char *word;
	size_t n;

	assert_true(vmm_scan_line(&s, &line));
	assert_true(vmm_scan_word(&line, &word, &n));
	assert_int_equal(n, 3);
	assert_false(vmm_scan_word(&line, &word, &n));
	vmm_scan_blank(&line);
	assert_false(vmm_scan_text(&line, "twos"));
	assert_true(vmm_scan_text(&line, "two"));
	assert_true(vmm_scan_done(&line));
	assert_false(vmm_scan_char(&line, '\n'));
	assert_true(vmm_scan_line(&s, &line));
	assert_true(vmm_scan_done(&line));
	assert_true(vmm_scan_line(&s, &line));
	assert_true(vmm_scan_text(&line, "last"));
	assert_false(vmm_scan_line(&s, &line));
	s = vmm_scan_init("", 0);
	assert_false(vmm_scan_line(&s, &line));
}

static void test_cursor(void **state)
{
	static const unsigned char bytes[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x88, 0x99};
	struct vmm_cursor c = {bytes, bytes + sizeof(bytes), false, 8};
	uint64_t v = 77;

	assert_true(vmm_cursor_word(&c, &v));
	assert_int_equal(v, 0x8807060504030201);
	assert_false(vmm_cursor_uint(&c, 2, &v));
	assert_true(vmm_cursor_uint(&c, 1, &v));
	assert_int_equal(v, 0x99);
	assert_false(vmm_cursor_uint(&c, 1, &v));
	c = (struct vmm_cursor){bytes, bytes + sizeof(bytes), true, 4};
	assert_true(vmm_cursor_word(&c, &v));
	assert_int_equal(v, 0x01020304);
	assert_false(vmm_cursor_uint(&c, 9, &v));
	assert_false(vmm_cursor_skip(&c, 6));
	assert_false(vmm_cursor_skip(&c, UINT64_MAX));
	assert_true(vmm_cursor_skip(&c, 5));
	assert_true(vmm_cursor_uint(&c, 0, &v));
	assert_int_equal(v, 0);
}

static void test_arithmetic(void **state)
{
	assert_int_equal(vmm_align_down(4097, 4096), 4096);
	assert_int_equal(vmm_align_up(4097, 4096), 8192);
	assert_int_equal(vmm_align_up(4096, 4096), 4096);
	assert_int_equal(vmm_align_up(0, 4096), 0);
	assert_int_equal(vmm_align_up(UINT64_MAX, 4096), UINT64_MAX - 4095);
	assert_int_equal(vmm_add_sat(UINT64_MAX, 1), UINT64_MAX);
	assert_int_equal(vmm_add_sat(UINT64_MAX - 1, 1), UINT64_MAX);
	assert_int_equal(vmm_add_sat(2, 3), 5);
}

TEST_MAIN(cmocka_unit_test(test_numbers), cmocka_unit_test(test_words_and_lines), cmocka_unit_test(test_cursor),
          cmocka_unit_test(test_arithmetic))
