/* Charts and sparklines, sign by sign: what they show was worked out by hand. */
#include <stdlib.h>

#include "face/chart.h"
#include "face/pace.h"
#include "test.h"

static char *take(struct vmm_out *out)
{
	char *text = vmm_out_take(out, NULL);

	assert_non_null(text);
	return text;
}

static void spark_is(bool utf8, const uint64_t *values, const bool *known, unsigned columns, const char *expected)
{
	const struct vmm_look look = {.utf8 = utf8};
	struct vmm_out *out = vmm_out_create_memory();
	char *text;

	assert_non_null(out);
	vmm_sparkline(out, &look, values, known, columns);
	text = take(out);
	assert_string_equal(text, expected);
	free(text);
}

static void test_sparkline(void **state)
{
	const bool all[8] = {true, true, true, true, true, true, true, true}, some[4] = {true, false, true, true},
		   none[2] = {false, false};
	const uint64_t rising[8] = {100, 200, 300, 400, 500, 600, 700, 800}, flat[3] = {1000, 1005, 1000},
		       zero[3] = {0, 0, 0};
	const uint64_t wide[4] = {0, 77, UINT64_MAX, UINT64_MAX};

	spark_is(true, rising, all, 8, "▁▂▃▄▅▆▇█");
	spark_is(false, rising, all, 8, "_.,-=+*#");
	spark_is(true, flat, all, 3, "▄▄▄");
	spark_is(true, zero, all, 3, "▁▁▁");
	spark_is(false, wide, some, 4, "_ ##");
	spark_is(true, wide, none, 2, "  ");
	spark_is(true, wide, none, 0, "");
}

static const struct vmm_chart_part parts[] = {{'I', 141}, {'H', 209}};

static char *draw(const struct vmm_chart *chart, bool utf8, bool colour)
{
	const struct vmm_look look = {.utf8 = utf8, .style = {.colour = colour}};
	struct vmm_out *out = vmm_out_create_memory();

	assert_non_null(out);
	vmm_chart_emit(out, &look, chart);
	return take(out);
}

/* I has 1 KiB, H 1 to 3 KiB, then nothing was recorded, then 3 KiB. From 14:05:00 on, a column is 10 s. */
static void test_chart(void **state)
{
	const uint64_t values[] = {1024, 1024, 1024, 2048, 1024, 3072, 0, 0, 1024, 3072, 1024, 3072};
	const bool empty[6] = {false, false, false, true, false, false},
		   marks[6] = {false, false, false, false, true, false};
	struct vmm_chart c = {.parts = parts,
			      .part_count = 2,
			      .values = values,
			      .empty = empty,
			      .marks = marks,
			      .columns = 6,
			      .lines = 4,
			      .start_s = (14 * 60 + 5) * 60,
			      .span_s = 60};
	char *text = draw(&c, false, false);

	assert_string_equal(text, "    4 KiB +  H HH\n"
				  "    3 KiB + HH HH\n"
				  "    2 KiB +HHH HH\n"
				  "    1 KiB +III II\n"
				  "      0 B ++--.^-\n"
				  "           14:05\n");
	free(text);
	/* 1.5 KiB of 4: half a line. */
	c.columns = 1;
	c.values = (const uint64_t[]){1536, 4096 - 1536};
	text = draw(&c, true, true);
	assert_non_null(strstr(text, "\033[0;38;5;141;48;5;209m▄"));
	free(text);
}

/* Numbers out of a hostile session. */
static void test_hostile(void **state)
{
	const uint64_t values[] = {UINT64_MAX, UINT64_MAX, 0, 0, UINT64_MAX, 1};
	const bool empty[3] = {false, false, false};
	const double spans[] = {0, 1e-9, 1, 3e10, 1e18};
	struct vmm_chart c = {
	    .parts = parts, .part_count = 2, .values = values, .empty = empty, .columns = 3, .lines = 8};

	for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
		for (unsigned k = 0; k < 3; k++) {
			char *text;

			c.span_s = spans[i];
			c.start_s = k == 0 ? 0 : k == 1 ? INT64_MAX / 2 : INT64_MIN / 2;
			text = draw(&c, i % 2, k == 1);
			assert_non_null(strstr(text, "0 B"));
			free(text);
		}
}

static void rate_is(double rate, const char *expected)
{
	struct vmm_out *out = vmm_out_create_memory();
	char *text;

	assert_non_null(out);
	vmm_put_rate(out, rate);
	text = take(out);
	assert_string_equal(text, expected);
	free(text);
}

static void test_rates(void **state)
{
	rate_is(65536, "+64.0 KiB/s");
	rate_is(-65536, "-64.0 KiB/s");
	rate_is(1024, "+1.0 KiB/s");
	rate_is(100, "+5.9 KiB/min");
	rate_is(10, "+35.2 KiB/h");
	rate_is(0.01, "+36 B/h");
	rate_is(300.0 * 1048576, "+300 MiB/s");
	rate_is(1023.99 * 1024, "+1.0 MiB/s");
}

TEST_MAIN(cmocka_unit_test(test_sparkline), cmocka_unit_test(test_chart), cmocka_unit_test(test_hostile),
	  cmocka_unit_test(test_rates))
