#include "view_sample.h"

static const struct vmm_table *table(void)
{
	return vmm_table_find("regions");
}

/* Bits of the sample's regions that an expression picks. */
static unsigned picks(const struct vmm_snapshot *s, const char *text)
{
	struct vmm_expr *e = NULL;
	struct vmm_err err = {0};
	unsigned bits = 0;

	if (vmm_expr_compile(table(), text, &e, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	for (uint32_t i = 0; i < s->region_count; i++) {
		struct vmm_row row = {.snapshot = s, .object = &s->regions[i], .type = VMM_ROW_REGION};

		bits |= (unsigned)vmm_expr_matches(e, &row) << i;
	}
	vmm_expr_destroy(e);
	return bits;
}

#define IMAGE (1u << SAMPLE_IMAGE)
#define HEAP (1u << SAMPLE_HEAP)
#define PRIVATE (1u << SAMPLE_PRIVATE)
#define FILE_A (1u << SAMPLE_FILE_A)
#define FILE_B (1u << SAMPLE_FILE_B)
#define STACK (1u << SAMPLE_STACK)
#define ALL (IMAGE | HEAP | PRIVATE | FILE_A | FILE_B | STACK)

static void test_numbers(void **state)
{
	struct vmm_snapshot *s = sample_create();

	assert_int_equal(picks(s, "size=132K"), HEAP | STACK); /* 0x21000 bytes are 132 KiB */
	assert_int_equal(picks(s, "size==135168"), HEAP | STACK);
	assert_int_equal(picks(s, "size=0x21000"), HEAP | STACK);
	assert_int_equal(picks(s, "size>=1M"), PRIVATE);
	assert_int_equal(picks(s, "size>=1MiB"), PRIVATE);
	assert_int_equal(picks(s, "size<16KiB"), FILE_A | FILE_B);
	assert_int_equal(picks(s, "size<=16KB"), FILE_A | FILE_B | IMAGE);
	assert_int_equal(picks(s, "size>0.9M"), PRIVATE);
	assert_int_equal(picks(s, "4K = size"), FILE_A | FILE_B);
	assert_int_equal(picks(s, "rss+swap = 52K"), HEAP); /* 36 + 16 */
	assert_int_equal(picks(s, "rss-swap = 20K"), HEAP | STACK);
	assert_int_equal(picks(s, "rss-size < 0 - 100K && kind=stack"), STACK); /* 20 - 132 */
	assert_int_equal(picks(s, "(rss + swap) > 40K"), HEAP);
	assert_int_equal(picks(s, "address>=0x7ffe00000000"), STACK);
	assert_int_equal(picks(s, "rss=size"), FILE_A);
	assert_int_equal(picks(s, "thread=4711"), STACK);
	vmm_snapshot_destroy(s);
}

static void test_unknown_values(void **state)
{
	struct vmm_snapshot *s = sample_create();

	/* Neither a comparison with an unknown value nor its negation holds. */
	assert_int_equal(picks(s, "pss=0"), ALL & ~PRIVATE);
	assert_int_equal(picks(s, "pss!=0"), 0);
	assert_int_equal(picks(s, "!(pss=0)"), 0);
	assert_int_equal(picks(s, "used>0 || used<=0"), 0);
	assert_int_equal(picks(s, "!(used>0)"), 0);
	/* What decides without the unknown part, does. */
	assert_int_equal(picks(s, "pss=0 || size=1M"), ALL);
	assert_int_equal(picks(s, "!(pss>0 && size=4K)"), ALL);
	/* A lower bound of 8 KiB proves some comparisons and leaves others open. */
	assert_int_equal(picks(s, "rss>4K && size=1M"), PRIVATE);
	assert_int_equal(picks(s, "rss<=4K && size=1M"), 0);
	assert_int_equal(picks(s, "!(rss<=4K) && size=1M"), PRIVATE);
	assert_int_equal(picks(s, "rss>12K && size=1M"), 0);
	assert_int_equal(picks(s, "!(rss>12K) && size=1M"), 0);
	assert_int_equal(picks(s, "rss=8K && size=1M"), 0);
	assert_int_equal(picks(s, "rss!=4K && size=1M"), PRIVATE);
	assert_int_equal(picks(s, "16K-rss<9K && size=1M"), PRIVATE);
	assert_int_equal(picks(s, "rss-rss=0 && size=1M"), 0);
	/* Things that a row does not have are unknown too. */
	assert_int_equal(picks(s, "thread!=1"), STACK);
	vmm_snapshot_destroy(s);
}

static void test_texts(void **state)
{
	struct vmm_snapshot *s = sample_create();

	assert_int_equal(picks(s, "kind=heap"), HEAP);
	assert_int_equal(picks(s, "kind='Private Data'"), PRIVATE);
	assert_int_equal(picks(s, "kind=\"mapped file\""), FILE_A | FILE_B);
	assert_int_equal(picks(s, "kind!=mapped_file"), ALL & ~(FILE_A | FILE_B));
	assert_int_equal(picks(s, "kind~file"), FILE_A | FILE_B);
	assert_int_equal(picks(s, "details~DEMO"), IMAGE);
	assert_int_equal(picks(s, "details!~demo"), ALL & ~IMAGE);
	assert_int_equal(picks(s, "details=[heap]"), HEAP);
	assert_int_equal(picks(s, "path=/usr/bin/demo"), IMAGE);
	assert_int_equal(picks(s, "path='/tmp/a,\"b\"'"), FILE_A | FILE_B);
	assert_int_equal(picks(s, "path<'/u'&&path!=''"), FILE_A | FILE_B);
	assert_int_equal(picks(s, "protection=rwxp"), PRIVATE);
	assert_int_equal(picks(s, "protection~wx"), PRIVATE);
	assert_int_equal(picks(s, "protection~XW"), PRIVATE);
	assert_int_equal(picks(s, "kind=image && protection~x && protection~w"), IMAGE);
	assert_int_equal(picks(s, "protection~s"), FILE_A | FILE_B);
	assert_int_equal(picks(s, "build_id=00ff"), IMAGE);
	vmm_snapshot_destroy(s);
}

static void test_logic(void **state)
{
	struct vmm_snapshot *s = sample_create();

	assert_int_equal(picks(s, "wx"), PRIVATE);
	assert_int_equal(picks(s, "!wx"), ALL & ~PRIVATE);
	assert_int_equal(picks(s, "!!wx"), PRIVATE);
	assert_int_equal(picks(s, "wx=true"), PRIVATE);
	assert_int_equal(picks(s, "wx!=yes"), ALL & ~PRIVATE);
	assert_int_equal(picks(s, "wx=0"), ALL & ~PRIVATE);
	assert_int_equal(picks(s, "deleted"), FILE_A);
	/* && binds tighter than ||, and ! takes the whole comparison behind it. */
	assert_int_equal(picks(s, "kind=heap || kind=stack && size<4K"), HEAP);
	assert_int_equal(picks(s, "(kind=heap || kind=stack) && size<4K"), 0);
	assert_int_equal(picks(s, "! kind=heap && !(size=4K)"), IMAGE | PRIVATE | STACK);
	assert_int_equal(picks(s, "kind=heap||kind=stack||wx"), HEAP | STACK | PRIVATE);
	assert_int_equal(picks(s, " ( ( wx ) ) "), PRIVATE);
	vmm_snapshot_destroy(s);
}

static void broken(const char *text, unsigned column, const char *says)
{
	struct vmm_expr *e = (struct vmm_expr *)1;
	struct vmm_err err = {0};

	assert_int_equal(vmm_expr_compile(table(), text, &e, &err), VMM_E_EXPRESSION);
	assert_ptr_equal(e, (struct vmm_expr *)1);
	assert_int_equal(err.code, VMM_E_EXPRESSION);
	if (err.column != column || !strstr(err.text, says))
		fail_msg("'%s': column %u, %s", text, err.column, err.text);
}

static void test_errors(void **state)
{
	struct vmm_err err = {0};
	struct vmm_expr *e = NULL;

	assert_int_equal(vmm_expr_compile(table(), "kind=heap && rsz>1M", &e, &err), VMM_E_EXPRESSION);
	assert_int_equal(err.column, 14);
	assert_string_equal(err.text, "--where: unknown column 'rsz' (did you mean 'rss'?) at column 14: kind=heap && rsz>1M");
	broken("", 1, "missing");
	broken("rss>", 5, "missing");
	broken("rss", 1, "comparison");
	broken("kind", 1, "comparison");
	broken("rss>1M &&", 10, "missing");
	broken("rss>1M rss<2M", 8, "&& or ||");
	broken("(rss>1M", 8, "')' is missing");
	broken("rss>1M)", 7, "')' without '('");
	broken("rss>12Q", 5, "malformed number");
	broken("rss>99999999999999999999", 5, "malformed number");
	broken("rss>17179869184G", 5, "malformed number"); /* 2^34 * 2^30 */
	broken("rss>0xfffffffffffffffff", 5, "malformed number");
	broken("rss~lib", 4, "text");
	broken("rss>kind", 5, "number");
	broken("wx>1", 4, "= and !=");
	broken("wx=maybe", 4, "true or false");
	broken("kind='heap", 6, "quote");
	broken("(rss>1)>2", 8, "compared");
	broken("rss>1>2", 6, "&& or ||");
	broken("'a'=kind", 1, "behind a column");
	broken("=1", 1, "expected");
	broken("rss>1 & wx", 7, "&& or ||");
	broken("wx+rss>1", 1, "number");
}

static void test_bounds(void **state)
{
	char text[9000];
	struct vmm_expr *e = NULL;
	struct vmm_err err;
	struct vmm_snapshot *s = sample_create();

	/* 64 levels pass, 65 do not. */
	memset(text, '(', 65);
	memcpy(text + 65, "wx", 2);
	memset(text + 67, ')', 65);
	text[132] = '\0';
	assert_int_equal(vmm_expr_compile(table(), text, &e, &err), VMM_E_EXPRESSION);
	assert_int_equal(err.column, 65);
	text[131] = '\0';
	assert_int_equal(picks(s, text + 1), PRIVATE);
	/* Long chains need no depth; more than 4096 bytes are refused, and the message stays one line. */
	memset(text, '!', 4094);
	memcpy(text + 4094, "wx", 3);
	assert_int_equal(picks(s, text), PRIVATE);
	memset(text, '!', 4095);
	memcpy(text + 4095, "wx", 3);
	assert_int_equal(vmm_expr_compile(table(), text, &e, &err), VMM_E_EXPRESSION);
	assert_true(strlen(err.text) < sizeof(err.text) && strstr(err.text, "4096"));
	/* 1000 terms of a sum, in a row and nested to the right. */
	text[0] = '\0';
	for (int i = 0; i < 1000; i++)
		memcpy(text + i * 4, "rss+", 4);
	memcpy(text + 4000, "0=20480000", 11);
	assert_int_equal(picks(s, text), STACK); /* 1000 * 20 KiB */
	vmm_snapshot_destroy(s);
}

static void test_needs(void **state)
{
	struct vmm_expr *e = NULL;

	assert_int_equal(vmm_expr_compile(table(), "size>1 && (numa~N1 || pss>2)", &e, NULL), 0);
	assert_int_equal(vmm_expr_needs(e), VMM_NEED_MAPS | VMM_NEED_NUMA | VMM_NEED_SMAPS);
	vmm_expr_destroy(e);
	vmm_expr_destroy(NULL);
}

static void test_out_of_memory(void **state)
{
	struct vmm_expr *e;
	unsigned long n;
	int rc = VMM_E_NOMEM;

	for (n = 1; n < 50 && rc == VMM_E_NOMEM; n++) {
		vmm_alloc_fail_after(n);
		rc = vmm_expr_compile(table(), "kind=heap && rss>1 || details~'x'", &e, NULL);
		vmm_alloc_fail_after(0);
	}
	assert_int_equal(rc, 0);
	assert_true(n > 3);
	vmm_expr_destroy(e);
}

TEST_MAIN(cmocka_unit_test(test_numbers), cmocka_unit_test(test_unknown_values), cmocka_unit_test(test_texts),
          cmocka_unit_test(test_logic), cmocka_unit_test(test_errors), cmocka_unit_test(test_bounds),
          cmocka_unit_test(test_needs), cmocka_unit_test(test_out_of_memory))
