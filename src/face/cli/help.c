#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "face/cli.h"

#define WIDTH_DEFAULT 80
#define WIDTH_MAX 110 /* longer lines read badly */
#define NAME_WIDTH 26

struct help {
	struct vmm_out *out;
	struct vmm_look look;
	size_t width;
};

/* text wrapped between indent and the width, the cursor standing at column. */
static void put_wrapped(struct help *h, size_t indent, size_t column, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, " ");

		if (column > indent && column + 1 + n > h->width) {
			vmm_out_char(h->out, '\n');
			column = 0;
		} else if (column > indent) {
			vmm_out_char(h->out, ' ');
			column++;
		}
		if (column < indent) {
			vmm_out_repeat(h->out, " ", indent - column);
			column = indent;
		}
		vmm_out_bytes(h->out, text, n);
		column += n;
		text += n + (text[n] == ' ');
	}
	vmm_out_char(h->out, '\n');
}

/* "  name   text", the text on its own line when the name is long. */
static void put_entry(struct help *h, const char *name, const char *text, size_t name_width)
{
	size_t column = 2 + strlen(name);

	vmm_out_printf(h->out, "  %s", name);
	if (column + 1 > name_width) {
		vmm_out_char(h->out, '\n');
		column = 0;
	}
	put_wrapped(h, name_width, column, text);
}

static void put_option(struct help *h, enum vmm_option_place place, enum vmm_command_place command)
{
	const struct vmm_option *o = vmm_option_at(place);
	char name[128];
	size_t n = 0;

	if (o->letter)
		n = (size_t)snprintf(name, sizeof(name), "-%c, ", o->letter);
	n += (size_t)snprintf(name + n, sizeof(name) - n, "--%s", o->word);
	if (o->argument)
		snprintf(name + n, sizeof(name) - n, " %s", o->argument);
	put_entry(h, name, o->help, NAME_WIDTH);
	if (o->words) {
		char words[128];

		snprintf(words, sizeof(words), "%s", vmm_option_words(place, command));
		put_wrapped(h, NAME_WIDTH, 0, words);
	}
}

static void put_options(struct help *h, enum vmm_command_place command)
{
	vmm_put_heading(h->out, &h->look, "Options");
	for (int i = 0; i < VMM_OPTION_COUNT; i++)
		if (vmm_option_at((enum vmm_option_place)i)->commands >> command & 1)
			put_option(h, (enum vmm_option_place)i, command);
}

static void put_program(struct help *h)
{
	char name[64];

	vmm_out_text(h->out, "vmmap shows where a process's memory is, all of it, by type.\n");
	vmm_put_heading(h->out, &h->look, "Usage");
	vmm_out_text(h->out, "  vmmap TARGET [options]           the same as vmmap show TARGET\n"
	                     "  vmmap COMMAND ... [options]\n"
	                     "  vmmap -p PID|NAME [FILE]         FILE.csv, .txt, .json or .vmmap\n");
	put_wrapped(h, 2, 0, "TARGET is a PID, the name of a running process, or a file: a core, a session, saved text; - is standard input. "
	                  "Options may stand anywhere.");
	vmm_put_heading(h->out, &h->look, "Commands");
	for (int i = 0; i < VMM_COMMAND_COUNT; i++) {
		const struct vmm_command *c = vmm_command_at((enum vmm_command_place)i);

		snprintf(name, sizeof(name), "%s%s%s", c->word, c->operands[0] ? " " : "", c->operands);
		put_entry(h, name, c->help, NAME_WIDTH);
	}
	put_options(h, VMM_COMMAND_SHOW);
	vmm_put_heading(h->out, &h->look, "More");
	vmm_out_text(h->out, "  vmmap help COMMAND, vmmap help columns, vmmap help kinds, vmmap help where\n");
	vmm_put_heading(h->out, &h->look, "Exit status");
	vmm_out_text(h->out, "  0 done   1 --fail-if holds   2 wrong usage, output not writable   3 target unreadable   4 it went\n");
}

static void put_command(struct help *h, enum vmm_command_place place)
{
	const struct vmm_command *c = vmm_command_at(place);

	vmm_out_printf(h->out, "vmmap %s%s%s [options]\n", c->word, c->operands[0] ? " " : "", c->operands);
	put_wrapped(h, 2, 0, c->help);
	put_options(h, place);
}

static void put_columns_of(struct help *h, const struct vmm_table *table)
{
	for (size_t i = 0; i < table->column_count; i++) {
		const struct vmm_column *c = &table->columns[i];
		char text[600];

		snprintf(text, sizeof(text), "%s%s%s%s", c->help, c->vmmap[0] ? " (VMMap: " : "", c->vmmap,
		         c->vmmap[0] ? ")" : "");
		put_entry(h, c->id, text, 16);
	}
}

static void put_columns(struct help *h)
{
	const struct vmm_table *table;

	vmm_out_text(h->out, "Columns for --columns, --sort and --where\n");
	vmm_put_heading(h->out, &h->look, "Of memory: show, free");
	table = vmm_table_find("regions");
	if (table)
		put_columns_of(h, table);
	vmm_put_heading(h->out, &h->look, "Of chunks: heap --chunks, and --where of heap");
	table = vmm_table_find("chunks");
	if (table)
		put_columns_of(h, table);
	vmm_put_heading(h->out, &h->look, "Of strings: strings");
	table = vmm_table_find("strings");
	if (table)
		put_columns_of(h, table);
	vmm_put_heading(h->out, &h->look, "Of what differs: diff");
	table = vmm_table_find("diff_regions");
	if (table)
		put_columns_of(h, table);
	vmm_put_heading(h->out, &h->look, "Of processes: ps");
	table = vmm_table_find("processes");
	if (table)
		put_columns_of(h, table);
	vmm_put_heading(h->out, &h->look, "Views");
	for (size_t i = 0; (table = vmm_table_at(i)); i++)
		put_entry(h, table->id, table->help, 16);
}

static void put_kinds(struct help *h)
{
	vmm_out_text(h->out, "Kinds for --kind and --where 'kind=...'; without colour the letter stands for the kind\n\n");
	for (int k = 0; k < VMM_KIND_COUNT; k++) {
		vmm_put_background(h->out, &h->look, vmm_kind_colour256((enum vmm_kind)k));
		vmm_out_char(h->out, vmm_kind_letter((enum vmm_kind)k));
		vmm_put_plain(h->out, &h->look);
		put_entry(h, vmm_kind_id((enum vmm_kind)k), vmm_kind_help((enum vmm_kind)k), 17);
	}
}

static void put_where(struct help *h)
{
	static const struct {
		const char *name, *text;
	} parts[] = {
	        {"= != < <= > >=", "compare a column with a number or a text; == is the same as ="},
	        {"~ !~", "the text holds this, in whatever case; for protection: all of these letters"},
	        {"&& || ! ( )", "and, or, not, grouping"},
	        {"+ -", "sums of columns: rss+swap>1G"},
	        {"1K 1M 1G 1T", "sizes in bytes with suffix, in powers of 1024; 0x... is hexadecimal"},
	        {"word 'a b' \"a b\"", "texts, quoted when they hold anything but letters, digits and ._/-"},
	        {"heap.used>+5%", "in diff: a column of a whole type; a share of what it was before; signs"},
	        {"wx", "a column that is true or false stands alone"},
	};
	vmm_out_text(h->out, "Expressions for --where\n\n");
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		put_entry(h, parts[i].name, parts[i].text, 20);
	vmm_put_heading(h->out, &h->look, "Examples");
	vmm_out_text(h->out, "  --where 'kind=heap && rss>1M'\n"
	                     "  --where 'wx || protection~wx'\n"
	                     "  --where 'path~libc && !(kind=image)'\n");
	vmm_out_char(h->out, '\n');
	put_wrapped(h, 0, 0, "An unknown number fits no comparison, nor does it fit the opposite one. See vmmap help "
	                     "columns for the columns.");
}

static bool put_topic(struct help *h, const char *topic)
{
	static const struct {
		const char *name;
		void (*put)(struct help *h);
	} topics[] = {{"columns", put_columns}, {"kinds", put_kinds}, {"where", put_where}};

	for (size_t i = 0; i < ARRAY_LEN(topics); i++) {
		if (strcmp(topics[i].name, topic) == 0) {
			topics[i].put(h);
			return true;
		}
	}
	for (int i = 0; i < VMM_COMMAND_COUNT; i++) {
		if (strcmp(vmm_command_at((enum vmm_command_place)i)->word, topic) == 0) {
			put_command(h, (enum vmm_command_place)i);
			return true;
		}
	}
	return false;
}

int vmm_cli_help(const struct vmm_args *args)
{
	const char *topic = NULL;
	struct vmm_output o;
	struct vmm_err err;
	struct help h;
	int code = vmm_output_open(&o, NULL, &err);

	if (code < 0)
		return vmm_cli_fail(args, &err);
	vmm_look_init(&h.look, STDOUT_FILENO, args->option[VMM_OPTION_COLOR], NULL);
	h.out = o.out;
	h.width = h.look.style.width ? h.look.style.width : WIDTH_DEFAULT;
	h.width = h.width > WIDTH_MAX ? WIDTH_MAX : h.width;
	if (args->command == VMM_COMMAND_HELP)
		topic = args->operand_count ? args->operand[0] : NULL;
	else if (args->command_named)
		topic = vmm_command_at(args->command)->word;
	if (!topic)
		put_program(&h);
	else if (!put_topic(&h, topic))
		code = vmm_fail(&err, VMM_E_USAGE, 0, "no help on '%.60s': there is columns, kinds, where and every command", topic);
	if (code < 0) {
		vmm_output_close(&o, false, NULL);
		return vmm_cli_fail(args, &err);
	}
	code = vmm_output_close(&o, true, &err);
	return code < 0 ? vmm_cli_fail(args, &err) : VMM_EXIT_DONE;
}
