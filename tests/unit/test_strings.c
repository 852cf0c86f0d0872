/* The finder of strings, and the search through a made-up target. */
#include <stdlib.h>

#include "base/arena.h"
#include "fake_target.h"
#include "format/strings.h"
#include "test.h"
#include "vmmap/strings.h"

#define BASE UINT64_C(0x7f0000001000)
#define ALL 7u
#define SEEN_MAX 32

struct seen {
	char text[SEEN_MAX][VMM_STRING_SHOWN_MAX + 1];
	struct vmm_string string[SEEN_MAX];
	size_t count, stop_after;
};

/* Keeps the first ones and counts all. */
static int see_hit(void *arg, const struct vmm_strings_hit *hit)
{
	struct seen *s = arg;

	if (s->count < SEEN_MAX) {
		memcpy(s->text[s->count], hit->text, hit->text_length + 1);
		s->string[s->count] = (struct vmm_string){
		    .address = hit->address, .length = hit->length, .encoding = hit->encoding, .cut = hit->cut};
	}
	s->count++;
	return s->count == s->stop_after ? 5 : 0;
}

/* Feeds bytes in windows of so many. */
static struct seen *find(const void *bytes, size_t length, size_t window, uint32_t encodings, uint64_t min)
{
	struct seen *s = calloc(1, sizeof(*s));
	struct vmm_strings *f = vmm_strings_create(encodings, min, see_hit, s);

	assert_non_null(s);
	assert_non_null(f);
	for (size_t i = 0; i < length; i += window)
		assert_int_equal(vmm_strings_feed(f, BASE + i, (const char *)bytes + i, window < length - i ? window : length - i), 0);
	assert_int_equal(vmm_strings_end(f), 0);
	vmm_strings_destroy(f);
	return s;
}

/* One string is expected of the encodings, at an offset, whatever the windows. */
#define ONE_OF(encodings, bytes, min, offset, bytes_of_it, code, shown)                                \
	do {                                                                                           \
		for (size_t window = 1; window <= sizeof(bytes); window++) {                           \
			struct seen *s = find(bytes, sizeof(bytes) - 1, window, encodings, min);       \
                                                                                                       \
			assert_int_equal(s->count, 1);                                                 \
			assert_int_equal(s->string[0].address, BASE + (offset));                       \
			assert_int_equal(s->string[0].length, bytes_of_it);                            \
			assert_int_equal(s->string[0].encoding, VMM_ENCODING_##code);                  \
			assert_string_equal(s->text[0], shown);                                        \
			free(s);                                                                       \
		}                                                                                      \
	} while (0)
#define ONE(bytes, min, offset, bytes_of_it, code, shown) ONE_OF(ALL, bytes, min, offset, bytes_of_it, code, shown)

#define NOTHING(bytes, min, encodings)                                                                 \
	do {                                                                                           \
		for (size_t window = 1; window <= sizeof(bytes); window++) {                           \
			struct seen *s = find(bytes, sizeof(bytes) - 1, window, encodings, min);       \
                                                                                                       \
			assert_int_equal(s->count, 0);                                                 \
			free(s);                                                                       \
		}                                                                                      \
	} while (0)

static void test_ascii(void **state)
{
	ONE("\1\0hello world\0\1", 6, 2, 11, ASCII, "hello world");
	ONE("hello world", 6, 0, 11, ASCII, "hello world");
	ONE("\0a\tb c~\x7f", 6, 1, 6, ASCII, "a\tb c~");
	ONE("abcde\0abcdef\nabcde", 6, 6, 6, ASCII, "abcdef");
	NOTHING("abcde\nabcde\x80" "abcde", 6, ALL);
	ONE("\1a\1", 1, 1, 1, ASCII, "a");
}

static void test_utf8(void **state)
{
	ONE("\0Gr\xc3\xbc\xc3\x9f" "e\0", 5, 1, 7, UTF8, "Gr\xc3\xbc\xc3\x9f" "e");
	/* Characters are counted, not bytes. */
	NOTHING("\0\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\0", 4, ALL);
	ONE("\0\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\0", 3, 1, 9, UTF8, "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e");
	ONE("abcdef\xf0\x9f\x98\x80", 6, 0, 10, UTF8, "abcdef\xf0\x9f\x98\x80");
	/* A sequence that the end cuts is no part of it. */
	ONE("abcdef\xf0\x9f\x98", 6, 0, 6, ASCII, "abcdef");
	ONE("abcdef\xe2\x82 a", 6, 0, 6, ASCII, "abcdef");
	/* Overlong, surrogate, beyond the last plane, stray continuation, C1 control, private use, noncharacter. */
	ONE("abcdef\xc0\xaf", 6, 0, 6, ASCII, "abcdef");
	ONE("abcdef\xe0\x80\xaf", 6, 0, 6, ASCII, "abcdef");
	ONE("abcdef\xed\xa0\x80", 6, 0, 6, ASCII, "abcdef");
	ONE("abcdef\xf4\x90\x80\x80", 6, 0, 6, ASCII, "abcdef");
	ONE("\x80" "abcdef", 6, 1, 6, ASCII, "abcdef");
	ONE("abcdef\xc2\x85" "abcde", 6, 0, 6, ASCII, "abcdef");
	ONE("abcdef\xee\x80\x80" "abcde", 6, 0, 6, ASCII, "abcdef");
	ONE("abcdef\xef\xbf\xbf" "abcde", 6, 0, 6, ASCII, "abcdef");
}

static void test_choice(void **state)
{
	static const char mixed[] = "\0Gr\xc3\xbc\xc3\x9f" "e aus\0plain text\0\0\0w\0i\0d\0e\0 \0e\0r\0\0";
	struct seen *s = find(mixed, sizeof(mixed) - 1, 100, 1u << VMM_ENCODING_ASCII, 5);

	/* Without UTF-8 other bytes end a string, as strings -e s has it. */
	assert_int_equal(s->count, 2);
	assert_string_equal(s->text[0], "e aus");
	assert_string_equal(s->text[1], "plain text");
	free(s);
	s = find(mixed, sizeof(mixed) - 1, 100, 1u << VMM_ENCODING_UTF8, 5);
	assert_int_equal(s->count, 1);
	assert_string_equal(s->text[0], "Gr\xc3\xbc\xc3\x9f" "e aus");
	free(s);
	s = find(mixed, sizeof(mixed) - 1, 100, 1u << VMM_ENCODING_UTF16, 5);
	assert_int_equal(s->count, 1);
	assert_string_equal(s->text[0], "wide er");
	free(s);
}

static void test_utf16(void **state)
{
	/* Even and odd addresses, with and without an end. */
	ONE("\2\2H\0e\0l\0l\0o\0!\0\2\2", 6, 2, 12, UTF16, "Hello!");
	ONE("\2H\0e\0l\0l\0o\0!\0\2\2", 6, 1, 12, UTF16, "Hello!");
	ONE("H\0e\0l\0l\0\xf6\0!\0", 6, 0, 12, UTF16, "Hell\xc3\xb6!");
	/* Cyrillic, Han, Hiragana: with a zero unit behind. */
	ONE("\x1f\4\x40\4\x38\4\x32\4\x35\4\x42\4\0\0", 6, 0, 12, UTF16, "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82");
	NOTHING("\x1f\4\x40\4\x38\4\x32\4\x35\4\x42\4\1\0", 6, ALL);
	ONE("\x60\x4f\x7d\x59\x16\x4e\x4c\x75\x2d\x4e\xfd\x56\0\0", 6, 0, 12, UTF16,
	    "\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xb8\x96\xe7\x95\x8c\xe4\xb8\xad\xe5\x9b\xbd");
	/* In ASCII a part of these bytes is "0k0a0o0B0". */
	ONE_OF(1u << VMM_ENCODING_UTF16, "\x53\x30\x93\x30\x6b\x30\x61\x30\x6f\x30\x42\x30\0\0", 6, 0, 12, UTF16,
	       "\xe3\x81\x93\xe3\x82\x93\xe3\x81\xab\xe3\x81\xa1\xe3\x81\xaf\xe3\x81\x82");
}

/* Numbers that are letters of some script stand before and behind: the ASCII is a string all the same. */
static void test_utf16_among_numbers(void **state)
{
	enum { BEFORE = 6000, STRINGS = 40, STRIDE = 40 };
	unsigned char *bytes = calloc(1, BEFORE + STRINGS * STRIDE);
	size_t n = 0;

	assert_non_null(bytes);
	while (n < BEFORE)
		bytes[n++] = 1;
	/* More strings than the finder keeps at once. */
	for (int i = 0; i < STRINGS; i++) {
		for (const char *c = "a string"; *c; c++, n += 2)
			bytes[n] = (unsigned char)*c;
		memset(bytes + n, 1, STRIDE - 16);
		n += STRIDE - 16;
	}
	for (size_t window = 1; window < 3000; window = window * 3 + 1)
		/* Also where the text of the run is full inside a string. */
		for (size_t from = BEFORE - 4200; from <= BEFORE; from += from < BEFORE - 4000 ? 2 : 2000) {
			struct seen *s = find(bytes + from, n - from, window, 1u << VMM_ENCODING_UTF16, 6);

			assert_int_equal(s->count, STRINGS);
			for (size_t i = 0; i < SEEN_MAX; i++) {
				assert_int_equal(s->string[i].address, BASE + (BEFORE - from) + i * STRIDE);
				assert_int_equal(s->string[i].length, 16);
				assert_string_equal(s->text[i], "a string");
			}
			free(s);
		}
	free(bytes);
}

/* What only looks like UTF-16. */
static void test_utf16_not(void **state)
{
	/* ASCII text, two bytes to a unit. */
	NOTHING("the quick brown fox jumps over the lazy dogs of this land.\0\0", 6, 1u << VMM_ENCODING_UTF16);
	NOTHING("getpid\0\0getuid\0\0short one.\0\0", 5, 1u << VMM_ENCODING_UTF16);
	/* Two scripts in one. */
	NOTHING("\x1f\4\xb1\3\x38\4\xb2\3\x35\4\xb3\3\0\0", 6, ALL);
	/* The same number again and again. */
	NOTHING("\0\x9d\0\x9d\0\x9d\0\x9d\0\x9d\0\x9d\0\x9d\0\0", 6, ALL);
	/* Small numbers of 32 bits. */
	NOTHING("a\0\0\0b\0\0\0c\0\0\0d\0\0\0e\0\0\0f\0\0\0", 6, ALL);
}

static void test_long_is_cut(void **state)
{
	enum { LENGTH = 100001 };
	char *bytes = malloc(LENGTH + 1);
	struct seen *s;

	assert_non_null(bytes);
	memset(bytes, 'x', LENGTH);
	bytes[LENGTH] = '\0';
	for (size_t window = 4095; window < 4099; window++) {
		s = find(bytes, LENGTH + 1, window, ALL, 6);
		assert_int_equal(s->count, 1);
		assert_int_equal(s->string[0].length, LENGTH);
		assert_true(s->string[0].cut);
		assert_int_equal(strlen(s->text[0]), VMM_STRING_SHOWN_MAX);
		free(s);
	}
	/* Cut before a character, not inside it. */
	for (size_t i = 0; i + 3 <= LENGTH; i += 3)
		memcpy(bytes + i, "\xe6\x97\xa5", 3);
	s = find(bytes, LENGTH / 3 * 3, 1000, ALL, 6);
	assert_int_equal(s->count, 1);
	assert_true(s->string[0].cut);
	assert_int_equal(strlen(s->text[0]), VMM_STRING_SHOWN_MAX / 3 * 3);
	free(s);
	free(bytes);
}

static void test_hole_ends_a_string(void **state)
{
	struct seen *s = calloc(1, sizeof(*s));
	struct vmm_strings *f = vmm_strings_create(ALL, 6, see_hit, s);

	assert_non_null(s);
	assert_non_null(f);
	assert_int_equal(vmm_strings_feed(f, BASE, "abcdefgh", 8), 0);
	assert_int_equal(vmm_strings_pending(f), BASE);
	assert_int_equal(vmm_strings_feed(f, BASE + 4096, "ijklmnop", 8), 0);
	assert_int_equal(s->count, 1);
	assert_int_equal(vmm_strings_pending(f), BASE + 4096);
	/* What the receiver says ends it. */
	s->stop_after = 2;
	assert_int_equal(vmm_strings_end(f), 5);
	assert_int_equal(vmm_strings_feed(f, BASE + 8192, "qrstuvwx\0qrstuvwx", 17), 5);
	assert_int_equal(s->count, 2);
	vmm_strings_destroy(f);
	free(s);
}

/* Two pages of private data and one in swap, a page of a device, two of a file; each mapping is a region. */
static unsigned char memory[4][8192];

static struct vmm_snapshot *make_target(struct fake_target *t)
{
	static const enum vmm_kind kinds[] = {VMM_KIND_PRIVATE_DATA, VMM_KIND_DEVICE, VMM_KIND_MAPPED_FILE};
	static struct vmm_region regions[ARRAY_LEN(kinds)];
	struct vmm_snapshot *s;

	memset(t, 0, sizeof(*t));
	memset(memory, 0, sizeof(memory));
	fake_map(t, BASE, BASE + 0x4000, "rw-p", 0, "", VMM_E_NO_TARGET);
	fake_map(t, BASE + 0x4000, BASE + 0x5000, "rw-s", 0, "/dev/thing", VMM_E_NO_TARGET)->backing = VMM_BACKING_DEVICE;
	fake_map(t, BASE + 0x5000, BASE + 0x7000, "r--p", 0, "/file", VMM_E_NO_TARGET);
	t->memory[0] = (struct fake_memory){BASE, BASE + 0x2000, memory[0], 0};
	t->memory[1] = (struct fake_memory){BASE + 0x3000, BASE + 0x4000, memory[1], VMM_PAGE_SWAPPED};
	t->memory[2] = (struct fake_memory){BASE + 0x4000, BASE + 0x5000, memory[2], 0};
	t->memory[3] = (struct fake_memory){BASE + 0x5000, BASE + 0x7000, memory[3], VMM_PAGE_PRESENT | VMM_PAGE_FILE};
	t->memory_count = 4;
	s = fake_snapshot(t, "");
	assert_non_null(s);
	memset(regions, 0, sizeof(regions));
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		regions[i] = (struct vmm_region){.start = t->vmas[i].start, .end = t->vmas[i].end, .kind = kinds[i], .details = "",
		                                 .path = "", .module = VMM_NONE, .thread = VMM_NONE, .heap = VMM_NONE};
	s->regions = regions;
	s->region_count = ARRAY_LEN(kinds);
	memcpy(memory[0] + 4090, "over a page", 11);
	memcpy(memory[0] + 8184, "to the end", 8);
	memcpy(memory[1], "swapped out", 11);
	memcpy(memory[2], "of a device", 11);
	memcpy(memory[3], "not the end's", 13);
	memcpy(memory[3] + 100, "W\0i\0d\0e\0r\0 \0t\0h\0a\0n\0", 20);
	memcpy(memory[3] + 130, "a later one", 11);
	return s;
}

static int see(void *arg, const struct vmm_string *string)
{
	struct seen *s = arg;

	assert_true(s->count < SEEN_MAX);
	assert_true(s->count == 0 || s->string[s->count - 1].address < string->address);
	assert_true(string->region && string->address >= string->region->start && string->address < string->region->end);
	snprintf(s->text[s->count], sizeof(s->text[0]), "%s", string->text);
	s->string[s->count++] = *string;
	return s->count == s->stop_after ? 5 : 0;
}

static void test_search(void **state)
{
	static const char *const texts[] = {"over a page", "to the e", "not the end's", "Wider than", "a later one"};
	static const uint64_t places[] = {4090, 8184, 0x5000, 0x5064, 0x5082};
	struct seen *seen = calloc(1, sizeof(*seen));
	struct vmm_strings_query q = {.found = see, .arg = seen};
	struct vmm_strings_sums sums;
	struct fake_target t;
	struct vmm_snapshot *s = make_target(&t);

	assert_non_null(seen);
	assert_int_equal(vmm_target_strings(&t.base, s, &q, &sums, NULL), 0);
	assert_int_equal(seen->count, ARRAY_LEN(texts));
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_string_equal(seen->text[i], texts[i]);
		assert_int_equal(seen->string[i].address, BASE + places[i]);
		assert_false(seen->string[i].owned);
	}
	assert_int_equal(sums.searched, 0x4000);
	assert_int_equal(sums.swapped, 0x1000);
	assert_int_equal(sums.unreadable, 0);
	vmm_snapshot_destroy(s);
	free(seen);
}

static void test_search_choice(void **state)
{
	struct seen *seen = calloc(1, sizeof(*seen));
	struct vmm_strings_query q = {.found = see, .arg = seen};
	struct vmm_strings_sums sums;
	struct fake_target t;
	struct vmm_snapshot *s = make_target(&t);

	assert_non_null(seen);
	q.kinds = 1u << VMM_KIND_MAPPED_FILE | 1u << VMM_KIND_DEVICE;
	assert_int_equal(vmm_target_strings(&t.base, s, &q, &sums, NULL), 0);
	assert_int_equal(seen->count, 3);
	seen->count = 0;
	q.kinds = 0;
	q.start = BASE + 4092;
	q.end = BASE + 0x5006;
	assert_int_equal(vmm_target_strings(&t.base, s, &q, &sums, NULL), 0);
	assert_int_equal(seen->count, 3);
	assert_string_equal(seen->text[0], "er a page");
	assert_string_equal(seen->text[2], "not th");
	seen->count = 0;
	q.start = q.end = 0;
	q.top = 2;
	assert_int_equal(vmm_target_strings(&t.base, s, &q, &sums, NULL), 0);
	assert_int_equal(seen->count, 2);
	seen->count = 0;
	seen->stop_after = 1;
	assert_int_equal(vmm_target_strings(&t.base, s, &q, &sums, NULL), 5);
	assert_int_equal(seen->count, 1);
	vmm_snapshot_destroy(s);
	free(seen);
}

static bool want_wide(void *arg, const struct vmm_string *string)
{
	return string->encoding == VMM_ENCODING_UTF16;
}

static void test_search_fails_cleanly(void **state)
{
	struct seen *seen = calloc(1, sizeof(*seen));
	struct vmm_strings_query q = {.found = see, .wanted = want_wide, .arg = seen};
	struct vmm_strings_sums sums;
	struct fake_target t;
	struct vmm_snapshot *s = make_target(&t);
	unsigned long n = 1;
	int rc;

	assert_non_null(seen);
	do {
		seen->count = 0;
		vmm_alloc_fail_after(n++);
		rc = vmm_target_strings(&t.base, s, &q, &sums, NULL);
		vmm_alloc_fail_after(0);
		assert_true(rc == 0 || rc == VMM_E_NOMEM);
	} while (rc);
	assert_true(n > 4);
	assert_int_equal(seen->count, 1);
	assert_string_equal(seen->text[0], "Wider than");
	t.refuse = VMM_E_DENIED;
	assert_int_equal(vmm_target_strings(&t.base, s, &q, &sums, NULL), VMM_E_DENIED);
	vmm_snapshot_destroy(s);
	free(seen);
}

TEST_MAIN(cmocka_unit_test(test_ascii), cmocka_unit_test(test_utf8), cmocka_unit_test(test_choice), cmocka_unit_test(test_utf16),
          cmocka_unit_test(test_utf16_among_numbers), cmocka_unit_test(test_utf16_not), cmocka_unit_test(test_long_is_cut),
          cmocka_unit_test(test_hole_ends_a_string), cmocka_unit_test(test_search), cmocka_unit_test(test_search_choice),
          cmocka_unit_test(test_search_fails_cleanly))
