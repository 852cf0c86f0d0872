#include "fake_target.h"
#include "view_sample.h"
#include "vmmap/content.h"

#define HEAP_BASE UINT64_C(0x10000000)

static struct vmm_content decode_as(const struct vmm_snapshot *s, const void *bytes, size_t length, uint64_t whole)
{
	struct vmm_content_context context = {.snapshot = s};
	struct vmm_content c;

	memset(&c, 0xee, sizeof(c)); /* nothing may be left as it was */
	vmm_content_decode(&context, bytes, length, whole, &c);
	return c;
}

#define IS(bytes, length, whole, wanted_type, wanted_text, wanted_cut)                                                 \
	do {                                                                                                           \
		struct vmm_content c_ = decode_as(s, bytes, length, whole);                                            \
		assert_string_equal(vmm_content_id(c_.type), wanted_type);                                             \
		assert_string_equal(c_.text, wanted_text);                                                             \
		assert_int_equal(c_.cut, wanted_cut);                                                                  \
	} while (0)

static void test_texts(void **state)
{
	struct vmm_snapshot *s = sample_create();
	char longer[64];

	s->target.bits = 64;
	IS("hello\0rest\x01\x02\x03\x04\x05", 16, 16, "text", "hello", false);
	IS("four\0", 5, 5, "text", "four", false);
	IS("abc\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16, 16, "bytes", "61626300 ffffffff ffffffff ffffffff", false);
	IS("tab\tand\nline\0\xff\xff", 15, 15, "text", "tab\tand\nline", false);
	IS("\xc3\xa9\xc3\xa8\xe2\x82\xac!\0\xff\xff\xff\xff\xff\xff\xff", 16, 16, "text", "\xc3\xa9\xc3\xa8\xe2\x82\xac!", false);
	/* Without its end only a longer one counts; then it may go on. */
	IS("begins well\xff\x01\x02\x03\x04", 16, 16, "text", "begins well", true);
	IS("short\xff\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a", 16, 16, "bytes", "73686f72 74ff0102 03040506 0708090a", false);
	for (size_t i = 0; i < sizeof(longer); i++)
		longer[i] = (char)('a' + i % 26);
	IS(longer, 64, 64, "text", "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl", false);
	IS(longer, 64, 1000, "text", "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl", true);
	/* What could do harm on a terminal is no text: escapes, direction marks, overlong sequences. */
	IS("\033[31m red\0\xff\xff\xff\xff\xff\xff", 16, 16, "bytes", "1b5b3331 6d207265 6400ffff ffffffff", false);
	IS("ab\xe2\x80\xaegnp.exe\0\xff\xff\xff", 16, 16, "bytes", "6162e280 ae676e70 2e657865 00ffffff", false);
	IS("a\0b\0c\0d\0\0\0\xff\xff", 12, 12, "utf16", "abcd", false);
	IS("h\0e\0l\0l\0\x92\0\xff\xff\xff\xff\xff\xff", 16, 16, "bytes", "68006500 6c006c00 9200ffff ffffffff", false);
	IS("o\0p\0e\0n\0 \0e\0n\0d\0", 16, 16, "utf16", "open end", true);
	IS("\xe9\0t\0\xe9\0!\0s\0u\0r\0e\0\0\0\xff\xff", 20, 20, "utf16", "\xc3\xa9t\xc3\xa9!sure", false);
	vmm_snapshot_destroy(s);
}

static void test_patterns(void **state)
{
	static const uint64_t small[] = {1, 2, 3, UINT64_MAX, 65535, 0, 9, 9}, large[] = {65536, 2, 3, 4};
	static const uint32_t halves[] = {5, 6, 7, UINT32_MAX - 9};
	static const uint16_t pairs[] = {0xbeef, 0xbeef, 0xbeef, 0xbeef};
	static const unsigned char zeros[64];
	struct vmm_snapshot *s = sample_create();

	s->target.bits = 64;
	IS("", 0, 4096, "absent", "", false);
	IS(zeros, 64, 64, "zero", "", false);
	IS(zeros, 1, 1, "zero", "", false);
	IS("\xcc\xcc\xcc\xcc", 4, 4, "repeated", "0xcc", false);
	IS(pairs, 8, 8, "repeated", "0xbeef", false);
	IS(small, 64, 64, "numbers", "1 2 3 -1 65535 0 ...", false);
	IS(halves, 16, 16, "numbers", "5 6 7 -10", false);
	IS(large, 32, 32, "bytes", "00000100 00000000 02000000 00000000", true);
	IS("\x01\x02\x03", 3, 3, "bytes", "010203", false);
	vmm_snapshot_destroy(s);
}

/* Pointers by the regions of view_sample.h. */
static void test_pointers(void **state)
{
	struct vmm_snapshot *s = sample_create();
	uint64_t v[2] = {0x400123, 0x9999999999999999};
	uint32_t half[2] = {0x10000010, 0x99999999};

	s->target.bits = 64;
	sample_heap(s, true);
	IS(v, 16, 16, "function", "demo .text+0x123", false);
	v[0] = 0x403008;
	IS(v, 16, 16, "data", "demo .bss+0x8", false);
	v[0] = HEAP_BASE + 16;
	IS(v, 16, 16, "pointer", "0x10000010 Heap, main arena", false);
	v[0] = 0x7ffe00000008;
	IS(v, 16, 16, "pointer", "0x7ffe00000008 Stack", false);
	v[0] = 0x30000000;
	IS(v, 16, 16, "pointer", "0x30000000 Mapped File, a,\"b\"", false);
	v[0] = 0x50000000; /* nothing is there */
	IS(v, 16, 16, "bytes", "00000050 00000000 99999999 99999999", false);
	IS(v, 4, 4, "bytes", "00000050", false); /* too short for a pointer */
	s->target.bits = 32;
	IS(half, 8, 8, "pointer", "0x10000010 Heap, main arena", false);
	vmm_snapshot_destroy(s);
}

/*
 * A vtable without a symbol: all that is read of the target lies where the test put it, and whatever part of the chain
 * is missing or nonsense there is no class, and no reading outside.
 */
static void test_no_class_without_proof(void **state)
{
	static unsigned char page[4096];
	struct vmm_snapshot *s = sample_create();
	struct fake_target t = {.base.ops = &fake_ops, .memory = {{0x402000, 0x403000, page, 0}}, .memory_count = 1};
	struct vmm_symbols *symbols = NULL;
	struct vmm_content_context context = {s, &t.base, NULL};
	uint64_t vtable = 0x402010, chain[] = {0x402800, 0, 0x402000, UINT64_MAX, 0x7ffe00000000, 0x403ff9};
	struct vmm_content c;

	s->target.bits = 64;
	assert_int_equal(vmm_symbols_create(&t.base, s, &symbols, NULL), 0);
	context.symbols = symbols;
	for (size_t i = 0; i < sizeof(chain) / sizeof(chain[0]); i++) {
		memcpy(page + 8, &chain[i], 8);
		memcpy(page + 0x800, &chain[i], 8);
		memcpy(page + 0x808, &chain[i], 8);
		vmm_content_decode(&context, (unsigned char *)&vtable, 8, 8, &c);
		assert_string_equal(vmm_content_id(c.type), "data");
		assert_string_equal(c.text, "demo .data+0x10");
	}
	vmm_symbols_destroy(symbols);
	vmm_snapshot_destroy(s);
}

static void test_lines(void **state)
{
	static const struct {
		struct vmm_content content;
		const char *line;
	} samples[] = {
	    {{VMM_CONTENT_STRING, true, "abc"}, "\"abc\"…"},   {{VMM_CONTENT_UTF16, false, "abc"}, "UTF-16 \"abc\""},
	    {{VMM_CONTENT_OBJECT, false, "A"}, "class A"},     {{VMM_CONTENT_FUNCTION, false, "f"}, "-> code f"},
	    {{VMM_CONTENT_POINTER, false, "0x1 Heap"}, "-> 0x1 Heap"}, {{VMM_CONTENT_REPEATED, false, "0xcc"}, "all 0xcc"},
	    {{VMM_CONTENT_ABSENT, false, ""}, "not resident"}, {{VMM_CONTENT_ZERO, false, ""}, "zeros"},
	    {{VMM_CONTENT_BYTES, true, "01"}, "01…"},
	};
	char line[VMM_CONTENT_LINE_MAX];

	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		vmm_content_line(&samples[i].content, line);
		assert_string_equal(line, samples[i].line);
	}
	for (int i = 0; i < VMM_CONTENT_COUNT; i++)
		assert_true(vmm_content_id((enum vmm_content_type)i)[0] && vmm_content_help((enum vmm_content_type)i)[0]);
	assert_string_equal(vmm_content_id(VMM_CONTENT_COUNT), "");
}

TEST_MAIN(cmocka_unit_test(test_texts), cmocka_unit_test(test_patterns), cmocka_unit_test(test_pointers),
          cmocka_unit_test(test_no_class_without_proof), cmocka_unit_test(test_lines))
