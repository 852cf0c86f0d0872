#include <stdlib.h>

#include "base/err.h"
#include "face/cli.h"

/* Lists that the shells need, from the tables of the program. */

static void put_commands(struct vmm_out *out)
{
	for (int i = 0; i < VMM_COMMAND_COUNT; i++)
		vmm_out_printf(out, "%s%s", i ? " " : "", vmm_command_at((enum vmm_command_place)i)->word);
}

static void put_columns(struct vmm_out *out)
{
	static const char *const views[] = {"regions", "diff_regions", "chunks", "strings", "processes"};
	const struct vmm_table *tables[ARRAY_LEN(views)];
	const char *space = "";

	for (size_t t = 0; t < ARRAY_LEN(views); t++) {
		tables[t] = vmm_table_find(views[t]);
		for (size_t i = 0; tables[t] && i < tables[t]->column_count; i++) {
			const char *id = tables[t]->columns[i].id;
			bool known = tables[t]->columns[i].side != VMM_SIDE_CHANGE; /* _before and _after are left to be typed */

			for (size_t before = 0; before < t && !known; before++)
				known = tables[before] && vmm_column_find(tables[before], id);
			if (!known)
				vmm_out_printf(out, "%s%s", space, id);
			space = " ";
		}
	}
}

static void put_kinds(struct vmm_out *out)
{
	for (int k = 0; k < VMM_KIND_COUNT; k++)
		vmm_out_printf(out, "%s%s", k ? " " : "", vmm_kind_id((enum vmm_kind)k));
}

static void put_words(struct vmm_out *out, const char *words)
{
	for (; *words; words++)
		vmm_out_char(out, *words == '|' ? ' ' : *words);
}

/* Whether a command has other words for an option than most. */
static bool has_own_words(enum vmm_option_place place, enum vmm_command_place command)
{
	return vmm_option_words(place, command) != vmm_option_at(place)->words;
}

/* What an option's argument is made of; a list may hold several, separated by commas. */
enum choice { CHOICE_NONE, CHOICE_WORDS, CHOICE_COLUMN, CHOICE_COLUMNS, CHOICE_KINDS, CHOICE_FILE, CHOICE_TARGET };

static enum choice choice_of(enum vmm_option_place place)
{
	switch (place) {
	case VMM_OPTION_SORT:
		return CHOICE_COLUMN;
	case VMM_OPTION_COLUMNS:
		return CHOICE_COLUMNS;
	case VMM_OPTION_KIND:
		return CHOICE_KINDS;
	case VMM_OPTION_OUTPUT:
		return CHOICE_FILE;
	case VMM_OPTION_PROCESS:
		return CHOICE_TARGET;
	default:
		return vmm_option_at(place)->words ? CHOICE_WORDS : CHOICE_NONE;
	}
}

/* Text inside single quotes; for zsh's _arguments, colons and brackets are escaped too. */
static void put_quoted(struct vmm_out *out, const char *text, const char *escaped)
{
	for (; *text; text++) {
		if (*text == '\'') {
			vmm_out_text(out, "'\\''");
			continue;
		}
		if (strchr(escaped, *text))
			vmm_out_char(out, '\\');
		vmm_out_char(out, *text);
	}
}

/* The command is the first word, where one stands there. */
static void put_bash_words(struct vmm_out *out, enum vmm_option_place place)
{
	bool own = false;

	for (int c = 0; c < VMM_COMMAND_COUNT; c++) {
		if (!has_own_words(place, (enum vmm_command_place)c))
			continue;
		vmm_out_printf(out, "%s %s) _vmmap_words '", own ? " ;;" : "case ${COMP_WORDS[1]} in", vmm_command_at((enum vmm_command_place)c)->word);
		put_words(out, vmm_option_words(place, (enum vmm_command_place)c));
		vmm_out_char(out, '\'');
		own = true;
	}
	vmm_out_printf(out, "%s_vmmap_words '", own ? " ;; *) " : "");
	put_words(out, vmm_option_at(place)->words);
	vmm_out_text(out, own ? "' ;; esac" : "'");
}

static void put_bash_option(struct vmm_out *out, enum vmm_option_place place)
{
	const struct vmm_option *o = vmm_option_at(place);

	if (!o->argument)
		return;
	vmm_out_printf(out, "\t--%s", o->word);
	if (o->letter)
		vmm_out_printf(out, "|-%c", o->letter);
	vmm_out_text(out, ") ");
	switch (choice_of(place)) {
	case CHOICE_WORDS:
		put_bash_words(out, place);
		break;
	case CHOICE_COLUMN:
		vmm_out_text(out, "_vmmap_words \"$columns\"");
		break;
	case CHOICE_COLUMNS:
		vmm_out_text(out, "_vmmap_list \"$columns\"");
		break;
	case CHOICE_KINDS:
		vmm_out_text(out, "_vmmap_list \"$kinds\"");
		break;
	case CHOICE_FILE:
		vmm_out_text(out, "COMPREPLY=($(compgen -f -- \"$current\"))");
		break;
	case CHOICE_TARGET:
		vmm_out_text(out, "_vmmap_words \"$(_vmmap_targets)\"");
		break;
	case CHOICE_NONE:
		vmm_out_text(out, "COMPREPLY=()");
		break;
	}
	vmm_out_text(out, "; return ;;\n");
}

static void put_bash_helpers(struct vmm_out *out)
{
	vmm_out_text(out, "# bash completion for vmmap, written by: vmmap completions bash\n\n"
	                  "_vmmap_targets()\n{\n"
	                  "\tlocal dir name\n"
	                  "\tfor dir in /proc/[0-9]*; do\n"
	                  "\t\tprintf '%s\\n' \"${dir#/proc/}\"\n"
	                  "\t\tread -r name 2>/dev/null <\"$dir/comm\" && [[ $name =~ ^[A-Za-z0-9._-]+$ ]] &&\n"
	                  "\t\t\tprintf '%s\\n' \"$name\"\n"
	                  "\tdone\n}\n\n"
	                  "_vmmap_words()\n{\n"
	                  "\tCOMPREPLY=($(compgen -W \"$1\" -- \"$current\"))\n}\n\n"
	                  "# The last word of a list with commas.\n"
	                  "_vmmap_list()\n{\n"
	                  "\tlocal last=${current##*,}\n"
	                  "\tCOMPREPLY=($(compgen -P \"${current%\"$last\"}\" -W \"$1\" -- \"$last\"))\n}\n\n");
}

static void put_bash(struct vmm_out *out)
{
	put_bash_helpers(out);
	vmm_out_text(out, "_vmmap()\n{\n"
	                  "\tlocal current=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD-1]}\n"
	                  "\tlocal commands='");
	put_commands(out);
	vmm_out_text(out, "'\n\tlocal columns='");
	put_columns(out);
	vmm_out_text(out, "'\n\tlocal kinds='");
	put_kinds(out);
	vmm_out_text(out, "'\n\tCOMPREPLY=()\n"
	                  "\tif [[ $current == = ]]; then\n"
	                  "\t\tcurrent=\n"
	                  "\telif [[ $option == = ]]; then\n"
	                  "\t\toption=${COMP_WORDS[COMP_CWORD-2]}\n"
	                  "\tfi\n"
	                  "\tcase $option in\n");
	for (int i = 0; i < VMM_OPTION_COUNT; i++)
		put_bash_option(out, (enum vmm_option_place)i);
	vmm_out_text(out, "\thelp) _vmmap_words \"$commands columns kinds where\"; return ;;\n"
	                  "\tcompletions) _vmmap_words 'bash zsh fish'; return ;;\n"
	                  "\tesac\n"
	                  "\tif [[ $current == -* ]]; then\n"
	                  "\t\t_vmmap_words '");
	for (int i = 0; i < VMM_OPTION_COUNT; i++)
		vmm_out_printf(out, "%s--%s", i ? " " : "", vmm_option_at((enum vmm_option_place)i)->word);
	vmm_out_text(out, "'\n"
	                  "\telif [[ $COMP_CWORD -eq 1 ]]; then\n"
	                  "\t\t_vmmap_words \"$commands $(_vmmap_targets)\"\n"
	                  "\telse\n"
	                  "\t\t_vmmap_words \"$(_vmmap_targets)\"\n"
	                  "\tfi\n}\n\n"
	                  "complete -F _vmmap vmmap\n");
}

static void put_zsh_words(struct vmm_out *out, enum vmm_option_place place)
{
	bool own = false;

	for (int c = 0; c < VMM_COMMAND_COUNT; c++) {
		if (!has_own_words(place, (enum vmm_command_place)c))
			continue;
		vmm_out_printf(out, "%s %s) compadd ", own ? " ;;" : "{case $words[2] in", vmm_command_at((enum vmm_command_place)c)->word);
		put_words(out, vmm_option_words(place, (enum vmm_command_place)c));
		own = true;
	}
	vmm_out_text(out, own ? " ;; *) compadd " : "(");
	put_words(out, vmm_option_at(place)->words);
	vmm_out_text(out, own ? " ;; esac}" : ")");
}

/* What may stand behind an option. */
static void put_zsh_choice(struct vmm_out *out, enum vmm_option_place place)
{
	switch (choice_of(place)) {
	case CHOICE_WORDS:
		put_zsh_words(out, place);
		break;
	case CHOICE_COLUMN:
		vmm_out_text(out, "($columns)");
		break;
	case CHOICE_COLUMNS:
		vmm_out_text(out, "_values -s , column $columns");
		break;
	case CHOICE_KINDS:
		vmm_out_text(out, "_values -s , kind $kinds");
		break;
	case CHOICE_FILE:
		vmm_out_text(out, "_files");
		break;
	case CHOICE_TARGET:
		vmm_out_text(out, "_vmmap_target");
		break;
	case CHOICE_NONE:
		vmm_out_text(out, vmm_option_at(place)->argument ? " " : "");
		break;
	}
}

static void put_zsh_option(struct vmm_out *out, enum vmm_option_place place)
{
	const struct vmm_option *o = vmm_option_at(place);

	vmm_out_text(out, "\t\t");
	if (o->letter)
		vmm_out_printf(out, "'(-%c --%s)'{-%c,--%s%s}'[", o->letter, o->word, o->letter, o->word, o->argument ? "=" : "");
	else
		vmm_out_printf(out, "'--%s%s[", o->word, o->argument ? "=" : "");
	put_quoted(out, o->help, ":[]");
	vmm_out_char(out, ']');
	if (o->argument) {
		vmm_out_char(out, ':');
		put_quoted(out, o->argument, ":[]");
		vmm_out_char(out, ':');
	}
	put_zsh_choice(out, place);
	vmm_out_text(out, "' \\\n");
}

static void put_zsh(struct vmm_out *out)
{
	vmm_out_text(out, "#compdef vmmap\n# zsh completion for vmmap, written by: vmmap completions zsh\n\n"
	                  "_vmmap_target() {\n"
	                  "\tlocal -a targets\n"
	                  "\ttargets=(/proc/<->(N:t) ${(f)\"$(cat /proc/<->/comm 2>/dev/null)\"})\n"
	                  "\tcompadd -a targets\n}\n\n"
	                  "_vmmap_first() {\n"
	                  "\tlocal -a commands\n"
	                  "\tcommands=(\n");
	for (int i = 0; i < VMM_COMMAND_COUNT; i++) {
		const struct vmm_command *c = vmm_command_at((enum vmm_command_place)i);

		vmm_out_printf(out, "\t\t'%s:", c->word);
		put_quoted(out, c->help, ":");
		vmm_out_text(out, "'\n");
	}
	vmm_out_text(out, "\t)\n\t_describe command commands\n\t_vmmap_target\n}\n\n"
	                  "_vmmap() {\n\tlocal -a columns kinds\n\tcolumns=(");
	put_columns(out);
	vmm_out_text(out, ")\n\tkinds=(");
	put_kinds(out);
	vmm_out_text(out, ")\n\t_arguments -s \\\n");
	for (int i = 0; i < VMM_OPTION_COUNT; i++)
		put_zsh_option(out, (enum vmm_option_place)i);
	vmm_out_text(out, "\t\t'1:command or target:_vmmap_first' \\\n\t\t'*:target:_vmmap_target'\n}\n\n_vmmap \"$@\"\n");
}

/* fish knows \' inside single quotes, not the '\'' of the others. */
static void put_fish_help(struct vmm_out *out, const char *help)
{
	vmm_out_text(out, " -d '");
	for (const char *p = help; *p; p++)
		vmm_out_printf(out, "%s%c", *p == '\'' || *p == '\\' ? "\\" : "", *p);
	vmm_out_text(out, "'\n");
}

/* Commands with words of their own have lines of their own; the line of the others, begun here, leaves them out. */
static void begin_fish_option(struct vmm_out *out, enum vmm_option_place place)
{
	const struct vmm_option *o = vmm_option_at(place);
	struct vmm_out *others = vmm_out_create_memory();
	char *list;

	for (int c = 0; c < VMM_COMMAND_COUNT; c++) {
		const char *word = vmm_command_at((enum vmm_command_place)c)->word;

		if (!has_own_words(place, (enum vmm_command_place)c))
			continue;
		vmm_out_printf(out, "complete -c vmmap -n '__fish_seen_subcommand_from %s' -l %s -x -a '", word, o->word);
		put_words(out, vmm_option_words(place, (enum vmm_command_place)c));
		vmm_out_char(out, '\'');
		put_fish_help(out, o->help);
		if (others)
			vmm_out_printf(others, " %s", word);
	}
	list = others ? vmm_out_take(others, NULL) : NULL;
	vmm_out_text(out, "complete -c vmmap");
	if (list && list[0])
		vmm_out_printf(out, " -n 'not __fish_seen_subcommand_from%s'", list);
	free(list);
	vmm_out_printf(out, " -l %s", o->word);
}

static void put_fish_option(struct vmm_out *out, enum vmm_option_place place)
{
	const struct vmm_option *o = vmm_option_at(place);

	begin_fish_option(out, place);
	if (o->letter)
		vmm_out_printf(out, " -s %c", o->letter);
	switch (choice_of(place)) {
	case CHOICE_WORDS:
		vmm_out_text(out, " -x -a '");
		put_words(out, o->words);
		vmm_out_char(out, '\'');
		break;
	case CHOICE_COLUMN:
		vmm_out_text(out, " -x -a \"$__vmmap_columns\"");
		break;
	case CHOICE_COLUMNS:
		vmm_out_text(out, " -x -a '(__fish_append , $__vmmap_columns)'");
		break;
	case CHOICE_KINDS:
		vmm_out_text(out, " -x -a '(__fish_append , $__vmmap_kinds)'");
		break;
	case CHOICE_FILE:
		vmm_out_text(out, " -r -F");
		break;
	case CHOICE_TARGET:
		vmm_out_text(out, " -x -a '(__fish_complete_pids)'");
		break;
	case CHOICE_NONE:
		vmm_out_text(out, o->argument ? " -x" : "");
		break;
	}
	put_fish_help(out, o->help);
}

static void put_fish(struct vmm_out *out)
{
	vmm_out_text(out, "# fish completion for vmmap, written by: vmmap completions fish\n\nset -g __vmmap_columns ");
	put_columns(out);
	vmm_out_text(out, "\nset -g __vmmap_kinds ");
	put_kinds(out);
	vmm_out_text(out, "\n\ncomplete -c vmmap -f\n");
	for (int i = 0; i < VMM_COMMAND_COUNT; i++) {
		const struct vmm_command *c = vmm_command_at((enum vmm_command_place)i);

		vmm_out_printf(out, "complete -c vmmap -n __fish_use_subcommand -a %s", c->word);
		put_fish_help(out, c->help);
	}
	vmm_out_text(out, "complete -c vmmap -n 'not __fish_seen_subcommand_from ps help completions' "
	                  "-a '(__fish_complete_pids)'\n"
	                  "complete -c vmmap -n '__fish_seen_subcommand_from help' -a 'columns kinds where'\n"
	                  "complete -c vmmap -n '__fish_seen_subcommand_from completions' -a 'bash zsh fish'\n");
	for (int i = 0; i < VMM_OPTION_COUNT; i++)
		put_fish_option(out, (enum vmm_option_place)i);
}

int vmm_cli_completions(const struct vmm_args *args)
{
	static const struct {
		const char *shell;
		void (*put)(struct vmm_out *out);
	} shells[] = {{"bash", put_bash}, {"zsh", put_zsh}, {"fish", put_fish}};
	struct vmm_output o;
	struct vmm_err err;
	size_t i = 0;
	int code;

	while (i < ARRAY_LEN(shells) && strcmp(shells[i].shell, args->operand[0]) != 0)
		i++;
	if (i == ARRAY_LEN(shells)) {
		vmm_fail(&err, VMM_E_USAGE, 0, "no completions for '%.60s': there are bash, zsh and fish", args->operand[0]);
		return vmm_cli_fail(args, &err);
	}
	code = vmm_output_open(&o, NULL, &err);
	if (code < 0)
		return vmm_cli_fail(args, &err);
	shells[i].put(o.out);
	code = vmm_output_close(&o, true, &err);
	return code < 0 ? vmm_cli_fail(args, &err) : VMM_EXIT_DONE;
}
