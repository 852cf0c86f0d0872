#include "view_sample.h"

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 18);

	assert_non_null(text);
	if (!f)
		return text;
	text[fread(text, 1, (1 << 18) - 1, f)] = '\0';
	fclose(f);
	return text;
}

static const char *needs_text(const struct vmm_table *t, uint32_t needs, char *ret, size_t size)
{
	static const char *const memory[] = {"maps", "smaps", "pages", "threads", "images", "numa", "extra", "heaps"};
	static const char *const process[] = {"rollup", "maps", "smaps", "cgroup", "cmdline"};
	bool of_process = t->row_type == VMM_ROW_PROCESS;

	ret[0] = '\0';
	for (unsigned i = 0; i < (of_process ? 5 : 8); i++)
		if ((needs >> i) & 1) {
			size_t at = strlen(ret);

			snprintf(ret + at, size - at, "%s%s", at ? ", " : "", of_process ? process[i] : memory[i]);
		}
	return ret;
}

static void write_table(FILE *f, const struct vmm_table *t)
{
	static const char *const types[] = {"bytes", "count", "address", "text", "flag", "change in bytes", "change of a count"};
	char needs[100];

	fprintf(f, "\n| id | heading | VMMap's | type | definition | reads |\n|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < t->column_count; i++) {
		const struct vmm_column *c = &t->columns[i];

		fprintf(f, "| `%s` | %s | %s | %s | %s | %s |\n", c->id, c->title, c->vmmap, types[c->type], c->help,
		        needs_text(t, c->needs, needs, sizeof(needs)));
	}
}

static void write_document(FILE *f)
{
	const struct vmm_table *t;
	struct vmm_query q;

	fprintf(f, "# Columns\n\n"
	           "Made of the tables in `src/view/columns.c`; a test keeps this page in step. Sizes are bytes. The last column says\n"
	           "what a snapshot must read for it; what no shown column, sort key or filter needs is not read.\n"
	           "Unknown is a value of its own: `?` in text, `null` in JSON, empty in CSV.\n\n## Views\n\n"
	           "| view | rows | columns by default |\n|---|---|---|\n");
	for (size_t i = 0; (t = vmm_table_at(i)); i++) {
		assert_int_equal(vmm_query_init(&q, t->id, NULL, NULL, NULL, NULL, NULL), 0);
		fprintf(f, "| `%s` | %s |", t->id, t->help);
		for (size_t c = 0; c < q.column_count; c++)
			fprintf(f, "%s`%s`", c ? ", " : " ", q.columns[c]->id);
		fprintf(f, " |\n");
		vmm_query_done(&q);
	}
	fprintf(f, "\n## Columns of a process's memory\n");
	write_table(f, vmm_table_find("regions"));
	fprintf(f, "\n## Columns of chunks\n");
	write_table(f, vmm_table_find("chunks"));
	fprintf(f, "\n## Columns of strings\n");
	write_table(f, vmm_table_find("strings"));
	fprintf(f, "\n## Columns of what differs\n");
	write_table(f, vmm_table_find("diff_regions"));
	fprintf(f, "\n## Columns of processes\n");
	write_table(f, vmm_table_find("processes"));
}

static void test_document_in_step(void **state)
{
	const char *made = VMM_BUILD_DIR "/columns.md", *kept = VMM_TESTS_DIR "/../docs/columns.md";
	FILE *f = fopen(made, "w");
	char *a, *b;

	assert_non_null(f);
	write_document(f);
	fclose(f);
	a = read_file(made);
	b = read_file(kept);
	if (strcmp(a, b) != 0)
		fail_msg("docs/columns.md is behind the table: copy %s over it", made);
	free(a);
	free(b);
}

/* The metric's own, with the side of a diff behind it. */
static void assert_id_of_metric(const struct vmm_column *column)
{
	static const char *const sides[] = {"", "_before", "_after"};
	char id[64];

	snprintf(id, sizeof(id), "%s%s", vmm_metric_id((enum vmm_metric)column->metric), sides[column->side]);
	assert_string_equal(column->id, id);
}

static void test_tables_are_sound(void **state)
{
	const struct vmm_table *t;

	for (size_t i = 0; (t = vmm_table_at(i)); i++) {
		assert_ptr_equal(vmm_table_find(t->id), t);
		assert_true(t->column_count > 0 && t->help[0]);
		for (size_t c = 0; c < t->column_count; c++) {
			const struct vmm_column *column = &t->columns[c];

			assert_ptr_equal(vmm_column_find(t, column->id), column); /* ids are unique */
			assert_true(column->title[0] && column->help[0] && column->vmmap);
			assert_true((column->metric >= 0) == (column->get == NULL));
			if (column->metric >= 0)
				assert_id_of_metric(column);
		}
	}
	assert_null(vmm_table_find("nothing"));
	assert_null(vmm_column_find(vmm_table_find("regions"), "nothing"));
}

/* The ids that the design promises, in its order. */
static void test_promised_columns(void **state)
{
	static const char *const ids[] = {"address",   "end",    "size",      "committed", "private",  "rss",  "pss",
	                                  "uss",       "shareable", "shared", "locked",    "swap",     "swap_pss", "dirty",
	                                  "referenced", "huge",  "lazyfree",  "ksm",       "used",     "unused", "stored", "blocks",
	                                  "largest",   "protection", "numa",  "details"};
	const struct vmm_table *t = vmm_table_find("regions");
	const struct vmm_column *last = NULL;

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		const struct vmm_column *c = vmm_column_find(t, ids[i]);

		if (!c || c <= last)
			fail_msg("column %s is missing or out of order", ids[i]);
		last = c;
	}
	/* Each metric has its column, and its key fits the JSON writer's slots (24 bytes with ,"": around). */
	for (int m = 0; m < VMM_METRIC_COUNT; m++) {
		assert_non_null(vmm_column_find(t, vmm_metric_id((enum vmm_metric)m)));
		assert_true(strlen(vmm_metric_id((enum vmm_metric)m)) + 4 < 24);
	}
}

static void value(struct vmm_value *v, const char *id, const struct vmm_snapshot *s, enum vmm_row_type type, const void *object)
{
	struct vmm_row row = {.snapshot = s, .object = object, .type = type};

	vmm_column_value(vmm_column_find(vmm_table_find("regions"), id), &row, v);
}

#define TEXT_IS(id, type, object, expected)                                      \
	do {                                                                     \
		struct vmm_value v_;                                              \
		value(&v_, id, s, VMM_ROW_##type, object);                        \
		assert_int_equal(v_.state, VMM_KNOWN);                            \
		assert_string_equal(v_.text, expected);                           \
	} while (0)
#define NUMBER_IS(id, type, object, expected)                                    \
	do {                                                                     \
		struct vmm_value v_;                                              \
		value(&v_, id, s, VMM_ROW_##type, object);                        \
		assert_int_equal(v_.state, VMM_KNOWN);                            \
		assert_int_equal(v_.number, expected);                            \
	} while (0)
#define STATE_IS(id, type, object, expected)                                     \
	do {                                                                     \
		struct vmm_value v_;                                              \
		value(&v_, id, s, VMM_ROW_##type, object);                        \
		assert_int_equal(v_.state, expected);                             \
	} while (0)

static void test_region_values(void **state)
{
	struct vmm_snapshot *s = sample_create();
	const struct vmm_region *image = &s->regions[SAMPLE_IMAGE], *stack = &s->regions[SAMPLE_STACK];

	NUMBER_IS("address", REGION, image, 0x400000);
	NUMBER_IS("end", REGION, image, 0x404000);
	NUMBER_IS("blocks", REGION, image, 4);
	NUMBER_IS("largest", REGION, image, 0x1000);
	TEXT_IS("kind", REGION, image, "image");
	TEXT_IS("protection", REGION, image, "r,rx,rw");
	NUMBER_IS("wx", REGION, image, 0);
	NUMBER_IS("wx", REGION, &s->regions[SAMPLE_PRIVATE], 1);
	TEXT_IS("build_id", REGION, image, "00ff");
	NUMBER_IS("bits", REGION, image, 64);
	TEXT_IS("device", REGION, image, "08:11"); /* minor 17 in hexadecimal */
	NUMBER_IS("inode", REGION, image, 77);
	STATE_IS("offset", REGION, stack, VMM_ABSENT);
	TEXT_IS("vmflags", REGION, image, "rd ac");
	NUMBER_IS("page_size", REGION, image, 4096);
	NUMBER_IS("thread", REGION, stack, 4711);
	TEXT_IS("state", REGION, stack, "S");
	STATE_IS("thread", REGION, image, VMM_ABSENT);
	STATE_IS("used", REGION, image, VMM_ABSENT);
	STATE_IS("rss", REGION, &s->regions[SAMPLE_PRIVATE], VMM_AT_LEAST);
	STATE_IS("numa", REGION, image, VMM_UNKNOWN);
	s->vmas[0].numa = "N0=1 N1=2";
	s->vmas[1].numa = "N1=40";
	s->vmas[2].numa = "";
	TEXT_IS("numa", REGION, image, "N0=1 N1=42");
	s->vmas[1].numa = "N99=1";
	STATE_IS("numa", REGION, image, VMM_UNKNOWN);
	s->vmas[1].vm_flags = 0;
	STATE_IS("vmflags", REGION, image, VMM_UNKNOWN);
	vmm_snapshot_destroy(s);
}

static void test_other_rows(void **state)
{
	struct vmm_snapshot *s = sample_create();
	struct vmm_value v;

	TEXT_IS("label", BLOCK, &s->blocks[3], ".bss");
	TEXT_IS("details", BLOCK, &s->blocks[3], ".bss");
	TEXT_IS("protection", BLOCK, &s->blocks[0], "r-xp");
	TEXT_IS("kind", BLOCK, &s->blocks[0], "image");
	STATE_IS("blocks", BLOCK, &s->blocks[0], VMM_ABSENT);
	s->vmas[2].offset = 0x2000;
	NUMBER_IS("offset", BLOCK, &s->blocks[3], 0x3000); /* one page into its mapping */
	value(&v, "details", s, VMM_ROW_VMA, &s->vmas[5]);
	assert_string_equal(v.text, "/tmp/a,\"b\"");
	assert_string_equal(v.suffix, " (deleted)");
	TEXT_IS("kind", VMA, &s->vmas[3], "heap");
	NUMBER_IS("size", GAP, &s->gaps[1], 0xfbfc000);
	STATE_IS("rss", GAP, &s->gaps[1], VMM_ABSENT);
	TEXT_IS("kind", GAP, &s->gaps[0], "unusable");
	NUMBER_IS("size", THREAD, &s->threads[0], 0x21000);
	STATE_IS("size", THREAD, &s->threads[1], VMM_UNKNOWN);
	STATE_IS("address", THREAD, &s->threads[1], VMM_ABSENT);
	STATE_IS("state", THREAD, &s->threads[1], VMM_UNKNOWN);
	STATE_IS("sp", THREAD, &s->threads[1], VMM_UNKNOWN);
	NUMBER_IS("rss", MODULE, &s->modules[0], 0x3000);
	NUMBER_IS("blocks", TYPE, &s->types[VMM_KIND_IMAGE], 4);
	NUMBER_IS("regions", TYPE, &s->types[VMM_KIND_MAPPED_FILE], 2);
	TEXT_IS("kind", TYPE, &s->total, "total");
	sample_heap(s, true);
	sample_heap(s, false);
	NUMBER_IS("used", HEAP, &s->heaps[0], 1000);
	STATE_IS("used", HEAP, &s->heaps[1], VMM_UNKNOWN); /* not proved: never a number */
	TEXT_IS("heap", REGION, &s->regions[SAMPLE_HEAP], "main");
	vmm_snapshot_destroy(s);
}

TEST_MAIN(cmocka_unit_test(test_document_in_step), cmocka_unit_test(test_tables_are_sound),
          cmocka_unit_test(test_promised_columns), cmocka_unit_test(test_region_values), cmocka_unit_test(test_other_rows))
