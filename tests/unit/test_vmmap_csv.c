/* CSV exports of VMMap: sizes, words, encodings, line ends, files that were cut or lie. */
#include "test.h"

#include <stdlib.h>

#include "base/arena.h"
#include "source/vmmap.h"
#include "vmmap/vmmap.h"

/* 64 KiB of a heap with 4 of them reserved, and a page of a file; Free to 0x200000. */
#define SUMMARY                                                                                                        \
	"\"Type\",\"Size\",\"Committed\",\"Private\",\"Total WS\",\"Private WS\",\"Shareable WS\",\"Shared WS\","     \
	"\"Locked WS\",\"Blocks\",\"Largest\",\n"                                                                     \
	"\"Total\",\"136\",\"72\",\"68\",\"72\",\"68\",\"4\",\"\",\"\",\"3\",\"\"\n"                                  \
	"\"Page Table\",\"8\",\"8\",\"8\",\"8\",\"8\",\"\",\"\",\"\",\"\",\"\"\n"                                     \
	"\"Unusable\",\"60\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"60\"\n"                                        \
	"\"Free\",\"1,920\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"3\",\"1,024\"\n"
#define HEADING                                                                                                        \
	"\"Address\",\"Type\",\"Size\",\"Committed\",\"Private\",\"Total WS\",\"Private WS\",\"Shareable WS\","        \
	"\"Shared WS\",\"Locked WS\",\"Blocks\",\"Protection\",\"Details\",\n"
#define ROWS                                                                                                           \
	"\"00050000\",\"Heap (Private Data)\",\"64\",\"60\",\"60\",\"60\",\"60\",\"\",\"\",\"\",\"2\",\"Read/Write\",\"Heap ID: 3 [LOW FRAGMENTATION]\"\n" \
	"\"  00050000\",\"Heap (Private Data)\",\"60\",\"60\",\"60\",\"60\",\"60\",\"\",\"\",\"\",\"\",\"Read/Write\",\"Heap ID: 3 [LOW FRAGMENTATION]\"\n" \
	"\"  0005F000\",\"Heap (Private Data)\",\"4\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"Reserved\",\"Heap ID: 3 [LOW FRAGMENTATION]\"\n" \
	"\"00080000\",\"Mapped File\",\"4\",\"4\",\"\",\"4\",\"\",\"4\",\"\",\"\",\"1\",\"Read\",\"C:\\a.nls\"\n"        \
	"\"  00080000\",\"Mapped File\",\"4\",\"4\",\"\",\"4\",\"\",\"4\",\"\",\"\",\"\",\"Read\",\"\"\n"
#define WHOLE "\"Process:\",\"prog.exe\"\n\"PID:\",\"42\"\n\n" SUMMARY "\n" HEADING ROWS

static struct vmm_snapshot *load(const void *bytes, size_t length)
{
	struct vmm_take take = {.needs = VMM_NEED_DEFAULT};
	struct vmm_snapshot *s = NULL;
	struct vmm_target *t = NULL;

	assert_true(vmm_vmmap_is_csv(bytes, length));
	assert_int_equal(vmmap_open_bytes(bytes, length, false, NULL, &t, NULL), 0);
	assert_int_equal(vmm_target_snapshot(t, &take, &s, NULL), 0);
	vmm_target_close(t);
	return s;
}

static struct vmm_snapshot *load_text(const char *text)
{
	return load(text, strlen(text));
}

static bool has_note(const struct vmm_snapshot *s, const char *code)
{
	for (uint32_t i = 0; i < s->note_count; i++)
		if (strcmp(s->notes[i].code, code) == 0)
			return true;
	return false;
}

/* What WHOLE says, by hand. */
static void check_whole(const struct vmm_snapshot *s)
{
	assert_string_equal(s->target.name, "prog.exe");
	assert_int_equal(s->target.pid, 42);
	assert_int_equal(s->target.bits, 32);
	assert_string_equal(s->target.arch, "windows");
	assert_int_equal(s->target.user_end, 0x200000);
	assert_int_equal(s->region_count, 2);
	assert_int_equal(s->block_count, 3);
	assert_int_equal(s->vma_count, 3);
	assert_int_equal(s->regions[0].start, 0x50000);
	assert_int_equal(s->regions[0].end, 0x60000);
	assert_int_equal(s->regions[0].kind, VMM_KIND_HEAP);
	assert_int_equal(s->regions[1].kind, VMM_KIND_MAPPED_FILE);
	assert_string_equal(s->regions[1].path, "C:\\a.nls");
	assert_int_equal(s->vmas[0].prot, VMM_PROT_READ | VMM_PROT_WRITE);
	assert_int_equal(s->vmas[1].prot, 0);
	assert_int_equal(s->vmas[2].prot, VMM_PROT_READ | VMM_PROT_SHARED);
	assert_string_equal(s->blocks[0].label, "");
	assert_string_equal(s->blocks[1].label, "reserved");
	assert_int_equal(s->regions[0].m->value[VMM_METRIC_COMMITTED], 60 << 10);
	assert_int_equal(s->total.m.value[VMM_METRIC_RSS], 64 << 10);
	assert_int_equal(s->total.m.value[VMM_METRIC_SHAREABLE], 4 << 10);
	assert_false(vmm_metric_known(&s->total.m, VMM_METRIC_SWAP));
	assert_false(vmm_metric_known(&s->total.m, VMM_METRIC_PSS));
	assert_int_equal(s->heap_count, 1);
	assert_string_equal(s->heaps[0].id, "3");
	assert_int_equal(s->types[VMM_KIND_UNUSABLE].m.value[VMM_METRIC_SIZE], 60 << 10);
	assert_int_equal(s->types[VMM_KIND_FREE].m.value[VMM_METRIC_SIZE], 1920 << 10);
	assert_true(s->account_count >= 10);
	for (uint32_t i = 0; i < s->account_count; i++)
		assert_true(s->accounts[i].sum_known && s->accounts[i].kernel_known && s->accounts[i].remainder == 0);
}

static void test_whole(void **state)
{
	struct vmm_snapshot *s = load_text(WHOLE);

	check_whole(s);
	assert_false(has_note(s, "sums"));
	vmm_snapshot_destroy(s);
}

/* text with every "\n" replaced, free() it. */
static char *with_line_ends(const char *text, const char *end)
{
	char *made = malloc(strlen(text) * 4 + 1), *to = made;

	for (; *text; text++) {
		if (*text == '\n') {
			memcpy(to, end, strlen(end));
			to += strlen(end);
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
	return made;
}

static void test_line_ends(void **state)
{
	static const char *const ends[] = {"\n", "\r\n", "\r\r\n", "\r", "\n\n\n"};

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		char *text = with_line_ends(WHOLE, ends[i]);
		struct vmm_snapshot *s = load_text(text);

		check_whole(s);
		vmm_snapshot_destroy(s);
		free(text);
	}
}

static void check_utf16(bool big, bool mark)
{
	size_t length = strlen(WHOLE), at = 0;
	unsigned char *wide = calloc(length + 1, 2);
	struct vmm_snapshot *s;

	if (mark) {
		wide[0] = big ? 0xfe : 0xff;
		wide[1] = big ? 0xff : 0xfe;
		at = 2;
	}
	for (size_t i = 0; i < length; i++, at += 2)
		wide[at + big] = (unsigned char)WHOLE[i];
	s = load(wide, at);
	check_whole(s);
	vmm_snapshot_destroy(s);
	free(wide);
}

static void test_encodings(void **state)
{
	struct vmm_snapshot *s = load_text("\xef\xbb\xbf" WHOLE);

	check_whole(s);
	vmm_snapshot_destroy(s);
	for (int i = 0; i < 4; i++)
		check_utf16(i & 1, i & 2);
	/* Windows-1252: a no-break space between groups, a euro sign and an umlaut in a path. */
	s = load_text(HEADING "\"00050000\",\"Mapped File\",\"1\xa0" "024\",\"4\",\"\",\"4\",\"\",\"4\",\"\",\"\",\"1\",\"Read\",\"C:\\\x80\xfc.txt\"\n");
	assert_int_equal(s->regions[0].m->value[VMM_METRIC_SIZE], 1 << 20);
	assert_string_equal(s->regions[0].path, "C:\\\xe2\x82\xac\xc3\xbc.txt");
	assert_true(has_note(s, "code_page"));
	vmm_snapshot_destroy(s);
}

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t kib;
	} good[] = {{"", 0},       {"4", 4},     {"1,024", 1024}, {"1.094.896", 1094896}, {"1 024", 1024}, {"1'024", 1024},
	            {"1\xc2\xa0" "024", 1024}, {"1\xe2\x80\xaf" "024", 1024}, {"1\xe2\x80\x99" "024", 1024},
	            {"10,94,896", 1094896}, {"18014398509481983", UINT64_C(18014398509481983)}};
	static const char *const bad[] = {"-4", "4,", ",4", "1,,024", "4x", "?", "0x10", "18014398509481984", "99999999999999999999999", "1 024 K"};
	uint64_t bytes;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(vmm_vmmap_size_parse(good[i].text, &bytes));
		assert_true(bytes == good[i].kib << 10);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(vmm_vmmap_size_parse(bad[i], &bytes));
}

/* Words as VMMap writes them: winnt.h has the values of PAGE_ constants. */
static void test_protections(void **state)
{
	static const struct {
		const char *words;
		uint32_t page;
		uint8_t prot;
		const char *word;
	} all[] = {{"No access", 0x01, 0, "no access"},
	           {"Read", 0x02, 1, ""},
	           {"Read/Write", 0x04, 3, ""},
	           {"Copy on write", 0x08, 3, "copy on write"},
	           {"Execute", 0x10, 4, ""},
	           {"Execute/Read", 0x20, 5, ""},
	           {"Execute/Read/Write", 0x40, 7, ""},
	           {"Execute/Copy on Write", 0x80, 7, "copy on write"},
	           {"Read/Write/Guard", 0x104, 3, "guard"},
	           {"Read/Write/WriteCombine", 0x404, 3, "write combine"}};
	char text[VMM_VMMAP_PROTECTION_TEXT];
	struct vmm_vmmap_row row;

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		memset(&row, 0, sizeof(row));
		assert_true(vmm_vmmap_protection_parse(all[i].words, &row));
		assert_int_equal(row.prot, all[i].prot);
		assert_string_equal(vmm_vmmap_protection_word(row.what), all[i].word);
		assert_int_equal(vmm_vmmap_protection_rank(row.prot, row.what), all[i].page);
		vmm_vmmap_protection_text(row.prot, row.what, text);
		assert_string_equal(text, all[i].words);
		memset(&row, 0, sizeof(row));
		vmm_vmmap_protection_of(all[i].page, &row);
		assert_int_equal(vmm_vmmap_protection_rank(row.prot, row.what), all[i].page);
	}
	assert_false(vmm_vmmap_protection_parse("", &row));
	assert_false(vmm_vmmap_protection_parse("/Guard", &row));
	assert_false(vmm_vmmap_protection_parse("Read/", &row));
}

/* Columns are found by their headings: older VMMap has no Locked WS, and an order is nobody's promise. */
static void test_columns(void **state)
{
	struct vmm_snapshot *s = load_text("\"Process:\",\"x\"\n\"Address\",\"Type\",\"Details\",\"Size\",\"Total WS\",\"New\",\n"
	                                   "\"00010000\",\"Thread Stack\",\"Thread ID: 77\",\"64\",\"8\",\"x\"\n");

	assert_int_equal(s->regions[0].m->value[VMM_METRIC_SIZE], 64 << 10);
	assert_int_equal(s->regions[0].m->value[VMM_METRIC_RSS], 8 << 10);
	assert_false(vmm_metric_known(s->regions[0].m, VMM_METRIC_LOCKED));
	assert_false(vmm_metric_known(&s->total.m, VMM_METRIC_COMMITTED));
	assert_int_equal(s->thread_count, 1);
	assert_int_equal(s->threads[0].tid, 77);
	assert_null(s->threads[0].name);
	assert_true(s->vmas[0].prot & VMM_PROT_UNKNOWN);
	assert_true(has_note(s, "no_end"));
	vmm_snapshot_destroy(s);
}

/* A delimiter of another locale, and quotes within. */
static void test_quotes(void **state)
{
	struct vmm_snapshot *s = load_text("\"Process:\";\"x\"\n\"Address\";\"Type\";\"Size\";\"Details\";\n"
	                                   "\"00010000\";\"Shareable\";\"4\";\"a \"\"b\"\"; c\"\n");

	assert_string_equal(s->regions[0].details, "a \"b\"; c");
	vmm_snapshot_destroy(s);
}

static void test_cut(void **state)
{
	size_t length = strlen(WHOLE), heading = (size_t)(strstr(WHOLE, "\"Address\"") - WHOLE) + strlen(HEADING);
	uint32_t before = 0;

	for (size_t i = heading; i < length; i++) {
		struct vmm_snapshot *s = load(WHOLE, i);

		/* Rows come one by one, and a row that is not whole is none. */
		assert_in_range(s->block_count, before, before + 1);
		before = s->block_count;
		if (WHOLE[i - 1] != '\n' && WHOLE[i] != '\n')
			assert_true(has_note(s, "cut"));
		else
			assert_false(has_note(s, "cut"));
		vmm_snapshot_destroy(s);
	}
	assert_int_equal(before, 3);
}

static void test_hostile(void **state)
{
	struct vmm_target *t = NULL;
	struct vmm_snapshot *s;

	/* No table of regions. */
	assert_int_equal(vmmap_open_bytes("\"Process:\",\"x\"\n", 15, false, NULL, &t, NULL), 0);
	assert_int_equal(vmm_target_snapshot(t, &(struct vmm_take){.needs = VMM_NEED_DEFAULT}, &s, NULL), VMM_E_FORMAT);
	vmm_target_close(t);
	/* Regions in one another, at the end of all addresses, of no size, of no type; a block before its region. */
	s = load_text(HEADING "\"00010000\",\"Heap\",\"64\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"1\",\"Read\",\"\"\n"
	                      "\"  00008000\",\"Heap\",\"4\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"1\",\"Read\",\"\"\n"
	                      "\"00018000\",\"Heap\",\"4\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"1\",\"Read\",\"\"\n"
	                      "\"00020000\",\"Heap\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"1\",\"Read\",\"\"\n"
	                      "\"00030000\",\"Elsewhere\",\"4\",\"4\",\"4\",\"x\",\"\",\"\",\"\",\"\",\"1\",\"Whatever\",\"\"\n"
	                      "\"FFFFFFFFFFFFF000\",\"Heap\",\"4\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"1\",\"Read\",\"\"\n"
	                      "\"x\",\"Heap\",\"4\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"1\",\"Read\",\"\"\n"
	                      "\"00040000\",\"short\"\n");
	assert_int_equal(s->region_count, 2);
	assert_int_equal(s->regions[0].start, 0x18000);
	assert_int_equal(s->regions[1].kind, VMM_KIND_PRIVATE_DATA);
	assert_false(vmm_metric_known(s->regions[1].m, VMM_METRIC_RSS));
	assert_true(has_note(s, "overlap") && has_note(s, "strange_type") && has_note(s, "malformed"));
	vmm_snapshot_destroy(s);
}

static void test_memory(void **state)
{
	for (unsigned long n = 1;; n++) {
		struct vmm_take take = {.needs = VMM_NEED_DEFAULT};
		struct vmm_snapshot *s = NULL;
		struct vmm_target *t = NULL;
		int rc;

		vmm_alloc_fail_after(n);
		rc = vmmap_open_bytes(WHOLE, strlen(WHOLE), false, NULL, &t, NULL);
		if (rc == 0)
			rc = vmm_target_snapshot(t, &take, &s, NULL);
		vmm_alloc_fail_after(0);
		vmm_target_close(t);
		if (rc == 0) {
			/* A note may be lost; nothing else may. */
			assert_int_equal(s->block_count, 3);
			assert_int_equal(s->total.m.value[VMM_METRIC_RSS], 64 << 10);
			if (s->note_count) {
				vmm_snapshot_destroy(s);
				return;
			}
			vmm_snapshot_destroy(s);
			continue;
		}
		assert_int_equal(rc, VMM_E_NOMEM);
		assert_null(s);
	}
}

TEST_MAIN(cmocka_unit_test(test_whole), cmocka_unit_test(test_line_ends), cmocka_unit_test(test_encodings),
          cmocka_unit_test(test_sizes), cmocka_unit_test(test_protections), cmocka_unit_test(test_columns),
          cmocka_unit_test(test_quotes), cmocka_unit_test(test_cut), cmocka_unit_test(test_hostile),
          cmocka_unit_test(test_memory))
