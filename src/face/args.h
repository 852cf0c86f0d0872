/*
 * The command line: tables of commands and options, and their parser.
 * Layer: face. Pure: prints nothing, keeps pointers into argv.
 */
#ifndef VMM_FACE_ARGS_H
#define VMM_FACE_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmmap/err.h"

enum vmm_command_place {
#define VMM_COMMAND(name, word, operands, fewest, most, run, help) VMM_COMMAND_##name,
#include "face/commands.def"
#undef VMM_COMMAND
	VMM_COMMAND_COUNT
};

enum vmm_option_place {
#define VMM_OPTION(name, word, letter, argument, words, commands, help) VMM_OPTION_##name,
#include "face/options.def"
#undef VMM_OPTION
	VMM_OPTION_COUNT
};

#define VMM_FAIL_IF_MAX 16   /* of one call */
#define VMM_OPERANDS_MAX 65 /* of one call, the target included */

/* A parsed command line. */
struct vmm_args {
	enum vmm_command_place command;
	bool command_named;                     /* false: "vmmap TARGET" */
	const char *option[VMM_OPTION_COUNT];   /* NULL: not given; "" for options without argument */
	const char *operand[VMM_OPERANDS_MAX];
	size_t operand_count;
	const char *fail_if[VMM_FAIL_IF_MAX];   /* every --fail-if, in order */
	size_t fail_if_count;
	char **program;                         /* of record: what stands after --, ends with NULL; NULL: no -- */
};

/* One row of commands.def; at most VMM_OPERANDS_MAX operands. */
struct vmm_command {
	const char *word, *operands, *help;
	size_t fewest, most;
	int (*run)(const struct vmm_args *args); /* returns the exit status */
};

/* One row of options.def. */
struct vmm_option {
	const char *word;
	char letter;          /* 0: none */
	const char *argument; /* NULL: takes none */
	const char *words;    /* the words allowed, separated by |; NULL: any */
	uint32_t commands;    /* bit i: enum vmm_command_place i */
	const char *help;
};

const struct vmm_command *vmm_command_at(enum vmm_command_place place);
const struct vmm_option *vmm_option_at(enum vmm_option_place place);
/* The words that an option may be with one command; NULL: any. VMM_COMMAND_COUNT: with all of them together. */
const char *vmm_option_words(enum vmm_option_place place, enum vmm_command_place command);

/*
 * Options may stand anywhere, as --word=value or --word value, -o FILE or -oFILE; -- ends them, and with record what
 * follows is a program with its arguments. The first operand is the command when it is the name of one. VMM_E_USAGE tells what is wrong and the nearest word there is.
 */
int vmm_args_parse(struct vmm_args *args, int argc, char **argv, struct vmm_err *err);

static inline bool vmm_args_has(const struct vmm_args *args, enum vmm_option_place place)
{
	return args->option[place] != NULL;
}

/* True when the words of a list "a|b|c" contain word. */
bool vmm_words_contain(const char *words, const char *word);
/* Copies the i-th word of "a|b|c" into ret_word (NUL-terminated, cut to size); false past the end. */
bool vmm_words_at(const char *words, size_t i, char *ret_word, size_t size);

/* Changes (letters added, left out, replaced, swapped) that turn a into b; texts above 63 bytes count as far apart. */
unsigned vmm_word_distance(const char *a, const char *b);

#endif
