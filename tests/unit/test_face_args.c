/* The parser of the command line and its tables. */
#include "test.h"

#include "base/base.h"
#include "face/args.h"
#include "vmmap/view.h"

static int parse(struct vmm_args *args, struct vmm_err *err, const char *const *words)
{
	const char *argv[32] = {"vmmap"};
	int argc = 1;

	while (words[argc - 1] && argc < 31) {
		argv[argc] = words[argc - 1];
		argc++;
	}
	return vmm_args_parse(args, argc, (char **)(uintptr_t)argv, err);
}
#define PARSE(...) parse(&args, &err, (const char *const[]){__VA_ARGS__, NULL})

static void test_target_alone_shows(void **state)
{
	struct vmm_args args;
	struct vmm_err err;

	assert_int_equal(PARSE("4711"), 0);
	assert_int_equal(args.command, VMM_COMMAND_SHOW);
	assert_false(args.command_named);
	assert_int_equal(args.operand_count, 1);
	assert_string_equal(args.operand[0], "4711");
}

static void test_options_stand_anywhere(void **state)
{
	struct vmm_args args;
	struct vmm_err err;

	assert_int_equal(PARSE("--sort=rss:asc", "show", "--raw", "bash", "--top", "5", "-oout", "-h"), 0);
	assert_int_equal(args.command, VMM_COMMAND_SHOW);
	assert_true(args.command_named);
	assert_string_equal(args.option[VMM_OPTION_SORT], "rss:asc");
	assert_string_equal(args.option[VMM_OPTION_TOP], "5");
	assert_string_equal(args.option[VMM_OPTION_OUTPUT], "out");
	assert_true(vmm_args_has(&args, VMM_OPTION_RAW));
	assert_true(vmm_args_has(&args, VMM_OPTION_HELP));
	assert_false(vmm_args_has(&args, VMM_OPTION_WHERE));
	assert_string_equal(args.operand[0], "bash");
}

static void test_record_takes_a_program(void **state)
{
	struct vmm_args args;
	struct vmm_err err;

	assert_int_equal(PARSE("-o", "x", "record", "--tree", "--", "make", "--", "--raw", "-j2"), 0);
	assert_int_equal(args.command, VMM_COMMAND_RECORD);
	assert_int_equal(args.operand_count, 0);
	assert_string_equal(args.program[0], "make");
	assert_string_equal(args.program[3], "-j2");
	assert_null(args.program[4]);
	assert_int_equal(PARSE("record", "4711", "nginx", "-o", "x"), 0);
	assert_int_equal(args.operand_count, 2);
	assert_null(args.program);
	/* Of other commands -- only ends the options. */
	assert_int_equal(PARSE("show", "--", "record"), 0);
	assert_null(args.program);
	assert_string_equal(args.operand[0], "record");
}

static void test_values_may_look_like_options(void **state)
{
	struct vmm_args args;
	struct vmm_err err;

	assert_int_equal(PARSE("1", "--where", "--x"), 0);
	assert_string_equal(args.option[VMM_OPTION_WHERE], "--x");
	assert_int_equal(PARSE("1", "--where="), 0);
	assert_string_equal(args.option[VMM_OPTION_WHERE], "");
	assert_int_equal(PARSE("--", "--raw"), 0);
	assert_string_equal(args.operand[0], "--raw");
	assert_int_equal(PARSE("-"), 0);
	assert_string_equal(args.operand[0], "-");
}

static void test_a_process_named_like_a_command(void **state)
{
	struct vmm_args args;
	struct vmm_err err;

	assert_int_equal(PARSE("show", "free"), 0);
	assert_int_equal(args.command, VMM_COMMAND_SHOW);
	assert_string_equal(args.operand[0], "free");
	assert_int_equal(PARSE("-p", "free", "ps.csv"), 0);
	assert_int_equal(args.command, VMM_COMMAND_SHOW);
	assert_string_equal(args.option[VMM_OPTION_PROCESS], "free");
	assert_string_equal(args.operand[0], "ps.csv");
}

static void refuse(const char *const *words, const char *part)
{
	struct vmm_args args;
	struct vmm_err err;

	assert_int_equal(parse(&args, &err, words), VMM_E_USAGE);
	if (!strstr(err.text, part))
		fail_msg("'%s' lacks '%s'", err.text, part);
	assert_null(strchr(err.text, '\n'));
}
#define REFUSE(part, ...) refuse((const char *const[]){__VA_ARGS__, NULL}, part)

static void test_mistakes_are_told(void **state)
{
	REFUSE("did you mean --columns?", "1", "--colums", "rss");
	REFUSE("did you mean --where?", "1", "--hwere=x");
	REFUSE("unknown option --zzzzzz: see", "1", "--zzzzzz");
	REFUSE("unknown option -x", "1", "-x");
	REFUSE("--raw takes no value", "1", "--raw=1");
	REFUSE("--sort needs COLUMN", "1", "--sort");
	REFUSE("did you mean regions?", "1", "--view", "region");
	REFUSE("kib|bytes|mib|auto", "1", "--units=furlong");
	REFUSE("--map does not go with show", "1", "--map");
	REFUSE("did you mean show?", "shwo", "1");
	REFUSE("too many operands from '2'", "1", "2", "3");
	REFUSE("unknown command 'wombat'", "wombat", "1");
	REFUSE("too many operands from 'b'", "-p", "1", "a", "b");
	REFUSE("at needs TARGET ADDRESS...", "at", "1");
	REFUSE("free needs TARGET", "free");
	REFUSE("unknown option --\\x07", "--\a\a\a\a\a\a\a\a\a\a\a");
}

static void test_operands_are_bounded(void **state)
{
	char *argv[2 * VMM_OPERANDS_MAX];
	struct vmm_args args;
	struct vmm_err err;

	for (size_t i = 0; i < ARRAY_LEN(argv); i++)
		argv[i] = (char *)(uintptr_t) "1";
	assert_int_equal(vmm_args_parse(&args, ARRAY_LEN(argv), argv, &err), VMM_E_USAGE);
	assert_non_null(strstr(err.text, "too many operands"));
}

static void test_distance(void **state)
{
	char longest[200];

	assert_int_equal(vmm_word_distance("", ""), 0);
	assert_int_equal(vmm_word_distance("abc", "abc"), 0);
	assert_int_equal(vmm_word_distance("abc", ""), 3);
	assert_int_equal(vmm_word_distance("kitten", "sitting"), 3);
	assert_int_equal(vmm_word_distance("veiw", "view"), 1);
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_true(vmm_word_distance(longest, "a") >= 60);
}

static void test_words(void **state)
{
	char word[8];

	assert_true(vmm_words_contain("a|bb|c", "bb"));
	assert_false(vmm_words_contain("a|bb|c", "b"));
	assert_false(vmm_words_contain("a|bb|c", ""));
	assert_true(vmm_words_at("a|bb|c", 2, word, sizeof(word)));
	assert_string_equal(word, "c");
	assert_false(vmm_words_at("a|bb|c", 3, word, sizeof(word)));
}

/* Every view that --view offers is the summary or a table of the library, and every memory table is offered. */
static void test_views_are_tables(void **state)
{
	const char *words = vmm_option_at(VMM_OPTION_VIEW)->words;
	const struct vmm_table *table;
	char word[32];

	for (size_t i = 0; vmm_words_at(words, i, word, sizeof(word)); i++)
		if (strcmp(word, "summary") != 0)
			assert_non_null(vmm_table_find(word));
	for (size_t i = 0; (table = vmm_table_at(i)); i++)
		if (strcmp(table->id, "types") != 0 && strcmp(table->id, "processes") != 0 && strcmp(table->id, "strings") != 0 &&
		    strcmp(table->id, "chunks") != 0 && table->row_type != VMM_ROW_DIFF)
			assert_true(vmm_words_contain(words, table->id));
}

static void test_tables_are_consistent(void **state)
{
	for (int i = 0; i < VMM_OPTION_COUNT; i++) {
		const struct vmm_option *o = vmm_option_at((enum vmm_option_place)i);

		assert_true(o->word[0] && o->help[0] && o->commands);
		for (int j = 0; j < i; j++) {
			const struct vmm_option *other = vmm_option_at((enum vmm_option_place)j);

			assert_string_not_equal(o->word, other->word);
			assert_true(!o->letter || o->letter != other->letter);
		}
	}
	for (int i = 0; i < VMM_COMMAND_COUNT; i++) {
		const struct vmm_command *c = vmm_command_at((enum vmm_command_place)i);

		assert_true(c->fewest <= c->most && c->most <= VMM_OPERANDS_MAX);
		assert_non_null(c->run);
	}
}

/* What a command takes of an option's words are some of them, and not all: else the row says nothing. */
static void words_of_commands_are_words(void **state)
{
	unsigned own = 0;

	for (int o = 0; o < VMM_OPTION_COUNT; o++)
		for (int c = 0; c < VMM_COMMAND_COUNT; c++) {
			const struct vmm_option *option = vmm_option_at((enum vmm_option_place)o);
			const char *words = vmm_option_words((enum vmm_option_place)o, (enum vmm_command_place)c);
			char one[32];

			if (words == option->words)
				continue;
			own++;
			assert_true(option->commands >> c & 1);
			for (size_t i = 0; vmm_words_at(words, i, one, sizeof(one)); i++)
				assert_true(vmm_words_contain(option->words, one));
			assert_true(strlen(words) < strlen(option->words));
		}
	assert_true(own > 0);
	assert_false(vmm_words_contain(vmm_option_words(VMM_OPTION_FORMAT, VMM_COMMAND_DIFF), "vmmap-csv"));
	assert_true(vmm_words_contain(vmm_option_words(VMM_OPTION_FORMAT, VMM_COMMAND_SHOW), "vmmap-csv"));
}

TEST_MAIN(cmocka_unit_test(words_of_commands_are_words), cmocka_unit_test(test_target_alone_shows), cmocka_unit_test(test_options_stand_anywhere),
          cmocka_unit_test(test_values_may_look_like_options), cmocka_unit_test(test_record_takes_a_program),
          cmocka_unit_test(test_a_process_named_like_a_command),
          cmocka_unit_test(test_mistakes_are_told), cmocka_unit_test(test_operands_are_bounded),
          cmocka_unit_test(test_distance), cmocka_unit_test(test_words), cmocka_unit_test(test_views_are_tables),
          cmocka_unit_test(test_tables_are_consistent))
