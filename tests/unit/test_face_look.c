/* Numbers, bars and changes as people see them. */
#include "test.h"

#include <stdlib.h>

#include "base/text.h"
#include "face/bars.h"
#include "face/moved.h"
#include "golden/fake.h"

#define KIB(n) ((uint64_t)(n) * 1024)

/* What put writes, in a buffer that the next call overwrites. */
static char shown[8192];

static void keep(struct vmm_out *out)
{
	char *text = vmm_out_take(out, NULL);

	assert_non_null(text);
	snprintf(shown, sizeof(shown), "%s", text);
	free(text);
}

static const char *size_text(uint64_t bytes, enum vmm_units units)
{
	struct vmm_look look = {.style = {.units = units}};
	struct vmm_out *out = vmm_out_create_memory();

	vmm_put_size(out, &look, bytes);
	keep(out);
	return shown;
}

static const char *short_text(uint64_t bytes)
{
	struct vmm_out *out = vmm_out_create_memory();

	vmm_put_short_size(out, bytes);
	keep(out);
	return shown;
}

static void test_sizes(void **state)
{
	assert_string_equal(size_text(0, VMM_UNITS_KIB), "0 KiB");
	assert_string_equal(size_text(1023, VMM_UNITS_KIB), "1 KiB");
	assert_string_equal(size_text(KIB(1234567), VMM_UNITS_KIB), "1,234,567 KiB");
	assert_string_equal(size_text(1234567, VMM_UNITS_BYTES), "1,234,567 B");
	assert_string_equal(size_text(KIB(2048), VMM_UNITS_MIB), "2 MiB");
	assert_string_equal(size_text(UINT64_MAX, VMM_UNITS_BYTES), "18,446,744,073,709,551,615 B");
	assert_string_equal(size_text(KIB(1536), VMM_UNITS_AUTO), "1.5 MiB");
}

static void test_short_sizes(void **state)
{
	assert_string_equal(short_text(0), "0 B");
	assert_string_equal(short_text(1023), "1,023 B");
	assert_string_equal(short_text(1024), "1 KiB");
	assert_string_equal(short_text(1536), "1.5 KiB");
	assert_string_equal(short_text(UINT64_C(100) << 20), "100 MiB");
	/* 63.9 TiB: 63 TiB and 922 GiB */
	assert_string_equal(short_text((UINT64_C(63) << 40) + (UINT64_C(922) << 30)), "63.9 TiB");
	assert_string_equal(short_text(UINT64_MAX), "16 EiB");
}

static void test_changes_and_unknowns(void **state)
{
	struct vmm_look look = {.style = {.units = VMM_UNITS_KIB}};
	struct vmm_out *out = vmm_out_create_memory();
	struct vmm_metrics m = {0};

	vmm_put_change(out, &look, 4096);
	vmm_put_change(out, &look, -4096);
	vmm_put_change(out, &look, 0);
	vmm_put_change(out, &look, INT64_MIN);
	keep(out);
	assert_string_equal(shown, "+4 KiB-4 KiB0-9,007,199,254,740,992 KiB");

	out = vmm_out_create_memory();
	vmm_put_metric(out, &look, &m, VMM_METRIC_RSS);
	m.value[VMM_METRIC_RSS] = KIB(8);
	m.at_least = 1u << VMM_METRIC_RSS;
	vmm_put_metric(out, &look, &m, VMM_METRIC_RSS);
	vmm_metric_set(&m, VMM_METRIC_RSS, 0);
	vmm_put_metric(out, &look, &m, VMM_METRIC_RSS);
	keep(out);
	assert_string_equal(shown, "?≥8 KiB0 KiB");
}

static void test_letters_are_unique(void **state)
{
	for (int a = 0; a < VMM_KIND_COUNT; a++) {
		char letter = vmm_kind_letter((enum vmm_kind)a);

		assert_true(letter >= 'A' && letter <= 'Z');
		for (int b = 0; b < a; b++)
			assert_int_not_equal(letter, vmm_kind_letter((enum vmm_kind)b));
	}
	assert_int_equal(vmm_kind_letter(VMM_KIND_IMAGE), 'I');
	assert_int_equal(vmm_kind_letter(VMM_KIND_HEAP), 'H');
}

static const char *bar(const uint64_t sizes[VMM_KIND_COUNT], uint64_t scale, unsigned columns, bool colour)
{
	struct vmm_look look = {.style = {.colour = colour}};
	struct vmm_out *out = vmm_out_create_memory();

	vmm_bar_emit(out, &look, sizes, scale, columns);
	keep(out);
	return shown;
}

static void test_bar_of_letters(void **state)
{
	uint64_t sizes[VMM_KIND_COUNT] = {[VMM_KIND_IMAGE] = 25, [VMM_KIND_HEAP] = 50};

	assert_string_equal(bar(sizes, 100, 8, false), "IIHHHH..");
	assert_string_equal(bar(sizes, 75, 6, false), "IIHHHH");
	assert_string_equal(bar(sizes, 0, 4, false), "....");
	sizes[VMM_KIND_STACK] = UINT64_MAX;
	assert_string_equal(bar(sizes, UINT64_MAX, 4, false), "TTTT");
}

/* Columns of text with the escape sequences left out, and the eighths that block characters cover. */
static void measure(const char *text, size_t *ret_columns, unsigned *ret_eighths)
{
	static const char *const blocks[] = {"▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
	bool ground = false, last_ground = false;

	*ret_columns = 0;
	*ret_eighths = 0;
	while (*text) {
		size_t n = 1;

		if (*text == '\033') {
			n = strcspn(text, "m") + 1;
			ground = strstr(text, "48;5;") && strstr(text, "48;5;") < text + n;
			text += n;
			continue;
		}
		last_ground = ground;
		for (unsigned i = 0; i < 8; i++) {
			if (strncmp(text, blocks[i], 3) == 0) {
				n = 3;
				*ret_eighths += last_ground ? 8 : i + 1;
			}
		}
		if (n == 1 && last_ground)
			*ret_eighths += 8;
		(*ret_columns)++;
		text += n;
	}
}

/* Whatever the width, a bar is that wide, and its length is exact to an eighth of a column. */
static void test_bar_lengths(void **state)
{
	uint64_t sizes[VMM_KIND_COUNT] = {[VMM_KIND_IMAGE] = 37, [VMM_KIND_HEAP] = 211, [VMM_KIND_STACK] = 1,
	                                  [VMM_KIND_PRIVATE_DATA] = 400};

	for (unsigned width = 1; width <= 300; width++) {
		size_t columns;
		unsigned eighths;
		double exact = 649.0 / 1000 * width * 8;

		measure(bar(sizes, 1000, width, true), &columns, &eighths);
		assert_int_equal(columns, width);
		assert_true(eighths <= exact + 0.5 && eighths >= exact - 0.5);
	}
}

/* Three bars, one scale: the longest fills its room, each line is as wide as the terminal. */
static void test_bars(void **state)
{
	struct vmm_snapshot *s = fake_snapshot();

	assert_non_null(s);
	for (unsigned width = 40; width <= 300; width += 20) {
		struct vmm_look look = {.style = {.width = width}};
		struct vmm_out *out = vmm_out_create_memory();
		char *line;

		vmm_bars_emit(out, &look, s);
		keep(out);
		line = strtok(shown, "\n");
		assert_int_equal(strncmp(line, "Committed  I", 12), 0);
		assert_null(strchr(line, '.'));
		for (int i = 0; i < 3; i++, line = strtok(NULL, "\n")) {
			assert_non_null(line);
			assert_int_equal(vmm_text_width(line, strlen(line)), width);
		}
		assert_null(line);
	}
	vmm_snapshot_destroy(s);
}

static void test_moves(void **state)
{
	struct vmm_snapshot *old = fake_snapshot(), *now = fake_snapshot();
	struct vmm_move *moves;
	struct vmm_err err;
	size_t count;

	assert_int_equal(vmm_moves_find(old, now, &moves, &count, &err), 0);
	assert_int_equal(count, 0);
	free(moves);
	/* The heap grows by 8 KiB at its end, the stack (index 4) by 100 KiB downwards, the last image goes. */
	now->regions[1].end += KIB(8);
	now->vmas[1].m.value[VMM_METRIC_COMMITTED] += KIB(8);
	now->regions[4].start -= KIB(100);
	now->vmas[4].m.value[VMM_METRIC_COMMITTED] += KIB(100);
	now->regions[5] = now->regions[6];
	now->region_count--;
	assert_int_equal(vmm_moves_find(old, now, &moves, &count, &err), 0);
	assert_int_equal(count, 3);
	assert_ptr_equal(moves[0].old, &old->regions[5]);
	assert_null(moves[0].now);
	assert_int_equal(moves[0].committed, -2048 * 1024);
	assert_ptr_equal(moves[1].now, &now->regions[4]);
	assert_int_equal(moves[1].committed, 100 * 1024);
	assert_ptr_equal(moves[2].now, &now->regions[1]);
	assert_int_equal(moves[2].committed, 8 * 1024);
	assert_true(moves[2].known);
	free(moves);
	/* What is unknown in one of them is no change of that size. */
	now->vmas[1].m.known &= ~(1u << VMM_METRIC_RSS);
	assert_int_equal(vmm_moves_find(old, now, &moves, &count, &err), 0);
	assert_false(moves[2].known);
	free(moves);
	vmm_snapshot_destroy(old);
	vmm_snapshot_destroy(now);
}

TEST_MAIN(cmocka_unit_test(test_sizes), cmocka_unit_test(test_short_sizes),
          cmocka_unit_test(test_changes_and_unknowns), cmocka_unit_test(test_letters_are_unique),
          cmocka_unit_test(test_bar_of_letters), cmocka_unit_test(test_bar_lengths), cmocka_unit_test(test_bars),
          cmocka_unit_test(test_moves))
