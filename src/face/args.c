#include "face/args.h"

#include <string.h>

#include "base/base.h"
#include "base/err.h"
#include "face/cli.h"

#define WORD_MAX 63

static const struct vmm_command command_table[] = {
#define VMM_COMMAND(name, word_text, operands_text, fewest_count, most_count, run_function, help_text)                 \
	{.word = word_text,                                                                                            \
	 .operands = operands_text,                                                                                    \
	 .help = help_text,                                                                                            \
	 .fewest = fewest_count,                                                                                       \
	 .most = most_count,                                                                                           \
	 .run = run_function},
#include "face/commands.def"
#undef VMM_COMMAND
};

#define C(name) (UINT32_C(1) << VMM_COMMAND_##name)
static const struct vmm_option option_table[] = {
#define VMM_OPTION(name, word_text, letter_char, argument_text, words_text, command_bits, help_text)                   \
	{.word = word_text,                                                                                            \
	 .letter = letter_char,                                                                                        \
	 .argument = argument_text,                                                                                    \
	 .words = words_text,                                                                                          \
	 .commands = command_bits,                                                                                     \
	 .help = help_text},
#include "face/options.def"
#undef VMM_OPTION
};
#undef C

const struct vmm_command *vmm_command_at(enum vmm_command_place place)
{
	return &command_table[place];
}

const struct vmm_option *vmm_option_at(enum vmm_option_place place)
{
	return &option_table[place];
}

static const struct {
	enum vmm_option_place option;
	enum vmm_command_place command;
	const char *words;
} words_table[] = {
#define VMM_WORDS(option_name, command_name, text) {VMM_OPTION_##option_name, VMM_COMMAND_##command_name, text},
#include "face/words.def"
#undef VMM_WORDS
};

const char *vmm_option_words(enum vmm_option_place place, enum vmm_command_place command)
{
	for (size_t i = 0; i < ARRAY_LEN(words_table); i++)
		if (words_table[i].option == place && words_table[i].command == command)
			return words_table[i].words;
	return option_table[place].words;
}

bool vmm_words_at(const char *words, size_t i, char *ret_word, size_t size)
{
	size_t n;

	for (; i > 0; i--) {
		words = strchr(words, '|');
		if (!words)
			return false;
		words++;
	}
	n = strcspn(words, "|");
	if (n >= size)
		n = size - 1;
	memcpy(ret_word, words, n);
	ret_word[n] = '\0';
	return true;
}

bool vmm_words_contain(const char *words, const char *word)
{
	char one[WORD_MAX + 1];

	for (size_t i = 0; vmm_words_at(words, i, one, sizeof(one)); i++)
		if (strcmp(one, word) == 0)
			return true;
	return false;
}

unsigned vmm_word_distance(const char *a, const char *b)
{
	size_t an = strlen(a), bn = strlen(b);
	unsigned rows[3][WORD_MAX + 1];

	if (an > WORD_MAX || bn > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= bn; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= an; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *second = rows[(i + 1) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= bn; j++) {
			unsigned best = above[j - 1] + (a[i - 1] != b[j - 1]);

			best = above[j] + 1 < best ? above[j] + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && second[j - 2] + 1 < best)
				best = second[j - 2] + 1;
			row[j] = best;
		}
	}
	return rows[an % 3][bn];
}

/* Close enough to be a slip of the fingers: a third of the letters, at least one, or the start of the word. */
static bool near(const char *typed, const char *word, unsigned *best)
{
	unsigned d = vmm_word_distance(typed, word), limit = (unsigned)(strlen(word) + 2) / 3;

	if (strlen(typed) >= 2 && strncmp(typed, word, strlen(typed)) == 0)
		d = 1;
	if (d > limit || d >= *best)
		return false;
	*best = d;
	return true;
}

static int fail_unknown_option(const char *typed, size_t length, struct vmm_err *err)
{
	char word[WORD_MAX + 1];
	const char *nearest = NULL;
	unsigned best = WORD_MAX;

	if (length > WORD_MAX)
		length = WORD_MAX;
	memcpy(word, typed, length);
	word[length] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(option_table); i++)
		if (near(word, option_table[i].word, &best))
			nearest = option_table[i].word;
	if (nearest)
		return vmm_fail(err, VMM_E_USAGE, 0, "unknown option --%s: did you mean --%s?", word, nearest);
	return vmm_fail(err, VMM_E_USAGE, 0, "unknown option --%s: see vmmap --help", word);
}

static const struct vmm_option *option_find(const char *word, size_t length)
{
	for (size_t i = 0; i < ARRAY_LEN(option_table); i++)
		if (strlen(option_table[i].word) == length && memcmp(option_table[i].word, word, length) == 0)
			return &option_table[i];
	return NULL;
}

static const struct vmm_option *letter_find(char letter)
{
	for (size_t i = 0; i < ARRAY_LEN(option_table); i++)
		if (option_table[i].letter && option_table[i].letter == letter)
			return &option_table[i];
	return NULL;
}

static int set_option(struct vmm_args *args, const struct vmm_option *o, const char *value, struct vmm_err *err)
{
	char word[WORD_MAX + 1];
	unsigned best = WORD_MAX;

	if (o - option_table == VMM_OPTION_FAIL_IF) {
		if (args->fail_if_count == VMM_FAIL_IF_MAX)
			return vmm_fail(err, VMM_E_USAGE, 0, "--%s: at most %d of them", o->word, VMM_FAIL_IF_MAX);
		args->fail_if[args->fail_if_count++] = value;
	}
	if (!o->words || vmm_words_contain(o->words, value)) {
		args->option[o - option_table] = value;
		return 0;
	}
	for (size_t i = 0; vmm_words_at(o->words, i, word, sizeof(word)); i++)
		if (near(value, word, &best))
			return vmm_fail(err, VMM_E_USAGE, 0, "--%s: unknown word '%s': did you mean %s? (%s)", o->word,
			                value, word, o->words);
	return vmm_fail(err, VMM_E_USAGE, 0, "--%s: unknown word '%s': it takes %s", o->word, value, o->words);
}

/* Takes the option at argv[*at] and, where it stands apart, its value; moves *at to the last word used. */
static int parse_option(struct vmm_args *args, int argc, char **argv, int *at, struct vmm_err *err)
{
	const char *text = argv[*at], *value = NULL;
	const struct vmm_option *o;
	size_t length;

	if (text[1] == '-') {
		length = strcspn(text + 2, "=");
		o = option_find(text + 2, length);
		if (!o)
			return fail_unknown_option(text + 2, length, err);
		if (text[2 + length] == '=')
			value = text + 3 + length;
		if (value && !o->argument)
			return vmm_fail(err, VMM_E_USAGE, 0, "--%s takes no value", o->word);
	} else {
		o = letter_find(text[1]);
		if (!o)
			return vmm_fail(err, VMM_E_USAGE, 0, "unknown option %.20s: see vmmap --help", text);
		if (text[2] && !o->argument)
			return vmm_fail(err, VMM_E_USAGE, 0, "-%c takes no value: see vmmap --help", text[1]);
		value = text[2] ? text + 2 : NULL;
	}
	if (!o->argument)
		return set_option(args, o, "", err);
	if (!value) {
		if (*at + 1 >= argc)
			return vmm_fail(err, VMM_E_USAGE, 0, "--%s needs %s", o->word, o->argument);
		value = argv[++*at];
	}
	return set_option(args, o, value, err);
}

/* Takes the command's name off the operands. */
static void find_command(struct vmm_args *args)
{
	args->command = VMM_COMMAND_SHOW;
	/* With -p the target is named already: an operand is VMMap's output file. */
	if (args->operand_count == 0 || vmm_args_has(args, VMM_OPTION_PROCESS))
		return;
	for (size_t i = 0; i < ARRAY_LEN(command_table); i++) {
		if (strcmp(args->operand[0], command_table[i].word) != 0)
			continue;
		args->command = (enum vmm_command_place)i;
		args->command_named = true;
		args->operand_count--;
		memmove(args->operand, args->operand + 1, args->operand_count * sizeof(args->operand[0]));
		return;
	}
}

static int check_command(const struct vmm_args *args, struct vmm_err *err)
{
	const struct vmm_command *c = &command_table[args->command];
	size_t operands = args->operand_count + vmm_args_has(args, VMM_OPTION_PROCESS);
	size_t most = args->command == VMM_COMMAND_SHOW && !vmm_args_has(args, VMM_OPTION_PROCESS) ? 1 : c->most;

	if (vmm_args_has(args, VMM_OPTION_HELP) || vmm_args_has(args, VMM_OPTION_VERSION))
		return 0;
	for (size_t i = 0; i < VMM_OPTION_COUNT; i++)
		if (args->option[i] && !((option_table[i].commands >> args->command) & 1))
			return vmm_fail(err, VMM_E_USAGE, 0, "--%s does not go with %s: see vmmap help %s",
			                option_table[i].word, c->word, c->word);
	if (operands < c->fewest)
		return vmm_fail(err, VMM_E_USAGE, 0, "%s needs %s: see vmmap help %s", c->word, c->operands, c->word);
	if (operands <= most)
		return 0;
	if (!args->command_named && !vmm_args_has(args, VMM_OPTION_PROCESS)) {
		const char *nearest = NULL;
		unsigned best = WORD_MAX;

		for (size_t i = 0; i < ARRAY_LEN(command_table); i++)
			if (near(args->operand[0], command_table[i].word, &best))
				nearest = command_table[i].word;
		if (nearest)
			return vmm_fail(err, VMM_E_USAGE, 0, "unknown command '%.60s': did you mean %s?", args->operand[0],
			                nearest);
		if (strspn(args->operand[0], "0123456789") == 0)
			return vmm_fail(err, VMM_E_USAGE, 0, "unknown command '%.60s': vmmap help lists them", args->operand[0]);
	}
	return vmm_fail(err, VMM_E_USAGE, 0, "too many operands from '%.60s' on: see vmmap help %s",
	                args->operand[operands > args->operand_count ? most - 1 : most], c->word);
}

int vmm_args_parse(struct vmm_args *args, int argc, char **argv, struct vmm_err *err)
{
	bool options = true;
	int code;

	memset(args, 0, sizeof(*args));
	for (int i = 1; i < argc; i++) {
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
			if (args->operand_count && strcmp(args->operand[0], command_table[VMM_COMMAND_RECORD].word) == 0) {
				args->program = &argv[i + 1];
				break;
			}
		} else if (options && argv[i][0] == '-' && argv[i][1] && argv[i][1] != '@') {
			code = parse_option(args, argc, argv, &i, err);
			if (code < 0)
				return code;
			/* The rest is another program's. */
			options = !vmm_args_has(args, VMM_OPTION_THEN);
		} else if (args->operand_count == VMM_OPERANDS_MAX) {
			return vmm_fail(err, VMM_E_USAGE, 0, "too many operands: at most %d", VMM_OPERANDS_MAX);
		} else {
			args->operand[args->operand_count++] = argv[i];
			/* What a crashed process is called must not become an option of what runs as root. */
			options = options && !(args->operand_count > 1 && strcmp(args->operand[0], command_table[VMM_COMMAND_CORE_HELPER].word) == 0);
		}
	}
	find_command(args);
	return check_command(args, err);
}
