/*
 * tests/expr_cases.json: what an expression picks of the sample's regions, and where a mistake is told. The page's own
 * compiler runs the same file (web/tests/unit/expr.test.ts), so that --where is one language. Read by SQLite's JSON.
 */
#include <sqlite3.h>
#include <stdio.h>

#include "view_sample.h"

static char *file_text(void)
{
	FILE *f = fopen(VMM_TESTS_DIR "/expr_cases.json", "rb");
	char *text = malloc(1 << 20);
	size_t length;

	assert_non_null(f);
	assert_non_null(text);
	length = fread(text, 1, (1 << 20) - 1, f);
	assert_true(length > 0 && length < (1 << 20) - 1);
	text[length] = '\0';
	fclose(f);
	return text;
}

/* A statement over the file, which is its first parameter. */
static sqlite3_stmt *prepare(sqlite3 *db, const char *sql, const char *text)
{
	sqlite3_stmt *statement = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
		fail_msg("%s", sqlite3_errmsg(db));
	assert_int_equal(sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC), SQLITE_OK);
	return statement;
}

static sqlite3 *open_memory(void)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	return db;
}

/* The rows of the file, which the page's compiler works on, are those of the sample. */
static void test_rows(void **state)
{
	struct vmm_snapshot *s = sample_create();
	char *text = file_text(), *printed, *line, *rest = NULL;
	sqlite3 *db = open_memory();
	sqlite3_stmt *columns = prepare(db, "SELECT group_concat(value, ',') FROM json_each(?1, '$.columns')", text);
	sqlite3_stmt *row = prepare(db, "SELECT json(value) FROM json_each(?1, '$.rows')", text);
	struct vmm_query q;
	struct vmm_err err = {0};
	int count = 0;

	assert_int_equal(sqlite3_step(columns), SQLITE_ROW);
	if (vmm_query_init(&q, "regions", (const char *)sqlite3_column_text(columns, 0), NULL, NULL, NULL, &err) < 0)
		fail_msg("%s", err.text);
	printed = sample_print(s, &q, SAMPLE_NDJSON, NULL);
	for (line = strtok_r(printed, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), count++) {
		assert_int_equal(sqlite3_step(row), SQLITE_ROW);
		assert_string_equal((const char *)sqlite3_column_text(row, 0), line);
	}
	assert_int_equal(count, SAMPLE_REGIONS);
	assert_int_equal(sqlite3_step(row), SQLITE_DONE);
	vmm_query_done(&q);
	free(printed);
	free(text);
	sqlite3_finalize(columns);
	sqlite3_finalize(row);
	sqlite3_close(db);
	vmm_snapshot_destroy(s);
}

/* Names of the regions that an expression picks, joined by blanks. */
static void picks(const struct vmm_snapshot *s, const char *where, char *ret, size_t size)
{
	static const char *const names[] = {"image", "heap", "private", "file_a", "file_b", "stack"};
	struct vmm_expr *e = NULL;
	struct vmm_err err = {0};
	size_t at = 0;

	ret[0] = '\0';
	if (vmm_expr_compile(vmm_table_find("regions"), where, &e, &err) < 0)
		fail_msg("%s: %s", where, err.text);
	for (uint32_t i = 0; i < s->region_count; i++) {
		struct vmm_row row = {.snapshot = s, .object = &s->regions[i], .type = VMM_ROW_REGION};

		if (vmm_expr_matches(e, &row))
			at += (size_t)snprintf(ret + at, size - at, "%s%s", at ? " " : "", names[i]);
	}
	vmm_expr_destroy(e);
}

static void test_picks(void **state)
{
	struct vmm_snapshot *s = sample_create();
	char *text = file_text(), found[128];
	sqlite3 *db = open_memory();
	sqlite3_stmt *cases = prepare(db,
	                              "SELECT json_extract(value, '$.where'), (SELECT coalesce(group_concat(p.value, ' '), '') FROM "
	                              "json_each(c.value, '$.picks') p) FROM json_each(?1, '$.cases') c",
	                              text);
	int count = 0;

	for (; sqlite3_step(cases) == SQLITE_ROW; count++) {
		const char *where = (const char *)sqlite3_column_text(cases, 0);

		picks(s, where, found, sizeof(found));
		if (strcmp(found, (const char *)sqlite3_column_text(cases, 1)) != 0)
			fail_msg("'%.200s' picks '%s', must pick '%s'", where, found, sqlite3_column_text(cases, 1));
	}
	assert_true(count > 60);
	free(text);
	sqlite3_finalize(cases);
	sqlite3_close(db);
	vmm_snapshot_destroy(s);
}

static void test_mistakes(void **state)
{
	char *text = file_text();
	sqlite3 *db = open_memory();
	sqlite3_stmt *errors = prepare(db,
	                               "SELECT json_extract(value, '$.where'), json_extract(value, '$.column'), json_extract(value, "
	                               "'$.says') FROM json_each(?1, '$.errors')",
	                               text);
	int count = 0;

	for (; sqlite3_step(errors) == SQLITE_ROW; count++) {
		const char *where = (const char *)sqlite3_column_text(errors, 0), *says = (const char *)sqlite3_column_text(errors, 2);
		struct vmm_err err = {0};
		struct vmm_expr *e = NULL;

		if (vmm_expr_compile(vmm_table_find("regions"), where, &e, &err) != VMM_E_EXPRESSION)
			fail_msg("'%.200s' is no mistake", where);
		if (err.column != (unsigned)sqlite3_column_int(errors, 1) || !strstr(err.text, says))
			fail_msg("'%.200s': column %u, %s", where, err.column, err.text);
	}
	assert_true(count > 30);
	free(text);
	sqlite3_finalize(errors);
	sqlite3_close(db);
}

TEST_MAIN(cmocka_unit_test(test_rows), cmocka_unit_test(test_picks), cmocka_unit_test(test_mistakes))
