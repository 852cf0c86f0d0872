/* UTF-8, escapes and widths: cases from the Unicode standard's table of well-formed sequences and from real attacks. */
#include "test.h"

#include <locale.h>
#include <stdlib.h>
#include <wchar.h>

#include "base/base.h"
#include "base/text.h"

static uint32_t decode(const char *s, size_t length, size_t *ret_n)
{
	char *exact = malloc(length);
	uint32_t point;

	assert_non_null(exact);
	memcpy(exact, s, length);
	*ret_n = vmm_utf8_decode(exact, length, &point);
	free(exact);
	return point;
}

static void test_decode(void **state)
{
	static const struct {
		const char *bytes;
		size_t length, n;
		uint32_t point;
	} cases[] = {
		{"A", 1, 1, 'A'}, {"\0", 1, 1, 0}, {"\x7f", 1, 1, 0x7f},
		{"\xc2\x80", 2, 2, 0x80}, {"\xdf\xbf", 2, 2, 0x7ff}, {"\xe0\xa0\x80", 3, 3, 0x800},
		{"\xed\x9f\xbf", 3, 3, 0xd7ff}, {"\xee\x80\x80", 3, 3, 0xe000}, {"\xef\xbf\xbf", 3, 3, 0xffff},
		{"\xf0\x90\x80\x80", 4, 4, 0x10000}, {"\xf4\x8f\xbf\xbf", 4, 4, 0x10ffff},
		/* overlong, surrogates, past the last code point, bytes that never occur, cut off, broken */
		{"\xc0\x80", 2, 1, UINT32_MAX}, {"\xc1\xbf", 2, 1, UINT32_MAX}, {"\xe0\x9f\xbf", 3, 1, UINT32_MAX},
		{"\xf0\x8f\xbf\xbf", 4, 1, UINT32_MAX}, {"\xed\xa0\x80", 3, 1, UINT32_MAX}, {"\xed\xbf\xbf", 3, 1, UINT32_MAX},
		{"\xf4\x90\x80\x80", 4, 1, UINT32_MAX}, {"\xf5\x80\x80\x80", 4, 1, UINT32_MAX},
		{"\xff", 1, 1, UINT32_MAX}, {"\x80", 1, 1, UINT32_MAX}, {"\xbf\xbf", 2, 1, UINT32_MAX},
		{"\xc2", 1, 1, UINT32_MAX}, {"\xe2\x82", 2, 1, UINT32_MAX}, {"\xf0\x9f\x98", 3, 1, UINT32_MAX},
		{"\xc2" "A", 2, 1, UINT32_MAX}, {"\xe2\x82" "A", 3, 1, UINT32_MAX}, {"\xe2" "A\x82", 3, 1, UINT32_MAX},
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		size_t n;

		assert_int_equal(decode(cases[i].bytes, cases[i].length, &n), cases[i].point);
		assert_int_equal(n, cases[i].n);
	}
}

/* Every code point as the C library encodes it. */
static void test_decode_all(void **state)
{
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		TEST_SKIP("no locale C.UTF-8");
	for (uint32_t p = 1; p <= 0x10ffff; p++) {
		mbstate_t shift = {0};
		uint32_t point;
		char bytes[16];
		size_t n;

		if (p >= 0xd800 && p < 0xe000)
			continue;
		n = wcrtomb(bytes, (wchar_t)p, &shift);
		if (n == (size_t)-1 || vmm_utf8_decode(bytes, n, &point) != n || point != p)
			fail_msg("U+%04X", p);
	}
	assert_non_null(setlocale(LC_CTYPE, "C"));
}

static void escape_case(const char *from, size_t length, const char *expected)
{
	char ret[256];

	assert_int_equal(vmm_escape_terminal(ret, sizeof(ret), from, length), strlen(expected));
	assert_string_equal(ret, expected);
}

static void test_escape(void **state)
{
	escape_case("", 0, "");
	escape_case("/usr/lib/x y.so", 15, "/usr/lib/x y.so");
	escape_case("\x1b[31mred\x1b[0m", 12, "\\e[31mred\\e[0m");
	escape_case("a\nb\tc\\d", 7, "a\\nb\\tc\\\\d");
	escape_case("\r\a\0\x7f", 4, "\\x0d\\x07\\x00\\x7f");
	escape_case("\xff\xc0\x80", 3, "\\xff\\xc0\\x80");
	escape_case("\xc2\x9b" "31m", 5, "\\u{9b}31m");            /* CSI as one C1 control */
	escape_case("a\xe2\x80\xae" "gnp", 7, "a\\u{202e}gnp");     /* right-to-left override */
	escape_case("\xe2\x81\xa6\xe2\x81\xa9", 6, "\\u{2066}\\u{2069}"); /* isolates */
	escape_case("\xef\xbb\xbf\xe2\x80\x8b", 6, "\\u{feff}\\u{200b}");
	escape_case("\xf3\xa0\x81\x81", 4, "\\u{e0041}");           /* tag character */
	escape_case("\xe4\xb8\xad\xc3\xa9", 5, "\xe4\xb8\xad\xc3\xa9");
}

/* Any size: always NUL, never past the end, never half a character or escape. */
static void test_escape_cut(void **state)
{
	static const char from[] = "a\x1b\xe4\xb8\xad\xff\xe2\x80\xae";
	static const char full[] = "a\\e\xe4\xb8\xad\\xff\\u{202e}";
	static const size_t whole[] = {0, 1, 3, 6, 10, 18};

	for (size_t size = 0; size <= sizeof(full); size++) {
		char *ret = malloc(size ? size : 1);
		size_t n, expected = 0;

		assert_non_null(ret);
		n = vmm_escape_terminal(ret, size, from, sizeof(from) - 1);
		for (unsigned i = 0; i < ARRAY_LEN(whole); i++)
			if (whole[i] < size)
				expected = whole[i];
		assert_int_equal(n, expected);
		if (size) {
			assert_memory_equal(ret, full, n);
			assert_int_equal(ret[n], '\0');
		}
		free(ret);
	}
}

static void test_width(void **state)
{
	assert_int_equal(vmm_text_width("", 0), 0);
	assert_int_equal(vmm_text_width("abc", 3), 3);
	assert_int_equal(vmm_text_width("\xe4\xb8\xad\xe6\x96\x87", 6), 4);
	assert_int_equal(vmm_text_width("e\xcc\x81", 3), 1);
	assert_int_equal(vmm_text_width("\xef\xbc\xa1", 3), 2);
	assert_int_equal(vmm_text_width("\xf0\x9f\x98\x80", 4), 2);
	assert_int_equal(vmm_text_width("\xc3\xa9\xe2\x80\xa6", 5), 2);
}

TEST_MAIN(cmocka_unit_test(test_decode), cmocka_unit_test(test_decode_all), cmocka_unit_test(test_escape),
          cmocka_unit_test(test_escape_cut), cmocka_unit_test(test_width))
