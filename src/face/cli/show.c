#include <string.h>

#include "base/err.h"
#include "face/amount.h"
#include "face/cli.h"
#include "face/summary.h"

/* What show is asked for, after the rules of docs/cli.md on what implies what. */
struct plan {
	const char *target;
	const char *view;  /* id of a table */
	bool summary;      /* text: the whole summary around the table of types */
	bool document;     /* JSON: everything known */
	bool columns;      /* its rows as columns */
	bool vmmap;        /* a file as VMMap for Windows writes it */
	bool session;      /* VMMap's own file: saved, not shown */
};

static const char *target_of(const struct vmm_args *args)
{
	return vmm_args_has(args, VMM_OPTION_PROCESS) ? args->option[VMM_OPTION_PROCESS] : args->operand[0];
}

/* VMMap's form: -p PID FILE. The ending of FILE takes the place of --format, FILE that of -o. */
static int apply_file(struct vmm_args *args, struct plan *plan, struct vmm_err *err)
{
	static const struct {
		const char *ending, *format;
	} endings[] = {{".csv", "vmmap-csv"}, {".txt", "vmmap-txt"}, {".json", "json"}};
	const char *file, *ending;

	if (!vmm_args_has(args, VMM_OPTION_PROCESS) || args->operand_count == 0)
		return 0;
	file = args->operand[0];
	ending = strrchr(file, '.');
	if (vmm_args_has(args, VMM_OPTION_OUTPUT))
		return vmm_fail(err, VMM_E_USAGE, 0, "two output files: %.60s and that of -o", file);
	for (size_t i = 0; ending && i < ARRAY_LEN(endings); i++) {
		if (strcmp(ending, endings[i].ending) != 0)
			continue;
		args->option[VMM_OPTION_OUTPUT] = file;
		if (!vmm_args_has(args, VMM_OPTION_FORMAT))
			args->option[VMM_OPTION_FORMAT] = endings[i].format;
		return 0;
	}
	if (!ending || strcmp(ending, ".vmmap") != 0)
		return vmm_fail(err, VMM_E_USAGE, 0, "%.60s: its ending must be .csv, .txt, .json or .vmmap", file);
	args->option[VMM_OPTION_OUTPUT] = file;
	plan->session = true;
	return 0;
}

/* Options that only make sense for rows of memory bring the regions up when no view is named. */
static bool wants_rows(const struct vmm_args *args, enum vmm_format format)
{
	static const enum vmm_option_place row_options[] = {VMM_OPTION_SORT, VMM_OPTION_WHERE, VMM_OPTION_COLUMNS,
	                                                    VMM_OPTION_KIND, VMM_OPTION_TOP,   VMM_OPTION_RAW};

	for (size_t i = 0; i < ARRAY_LEN(row_options); i++)
		if (vmm_args_has(args, row_options[i]))
			return true;
	return format == VMM_FORMAT_CSV || format == VMM_FORMAT_NDJSON;
}

/* VMMap's files hold everything in one order. */
static int refuse_rows(const struct vmm_args *args, struct vmm_err *err)
{
	static const enum vmm_option_place others[] = {VMM_OPTION_VIEW, VMM_OPTION_SORT, VMM_OPTION_WHERE, VMM_OPTION_COLUMNS,
	                                               VMM_OPTION_KIND, VMM_OPTION_TOP,  VMM_OPTION_RAW};

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (vmm_args_has(args, others[i]))
			return vmm_fail(err, VMM_E_USAGE, 0, "--%s: a file of VMMap holds all regions and all columns",
			                vmm_option_at(others[i])->word);
	return 0;
}

static int make_plan(struct vmm_args *args, struct plan *plan, struct vmm_err *err)
{
	const char *view = args->option[VMM_OPTION_VIEW];
	enum vmm_format format;
	int code;

	memset(plan, 0, sizeof(*plan));
	plan->target = target_of(args);
	code = apply_file(args, plan, err);
	if (code == 0)
		code = vmm_cli_format(args, &format, err);
	if (code < 0)
		return code;
	plan->vmmap = vmm_args_has(args, VMM_OPTION_FORMAT) && strncmp(args->option[VMM_OPTION_FORMAT], "vmmap-", 6) == 0;
	plan->columns = vmm_args_has(args, VMM_OPTION_FORMAT) && strcmp(args->option[VMM_OPTION_FORMAT], "json-columns") == 0;
	if (plan->vmmap)
		code = refuse_rows(args, err);
	if (code < 0)
		return code;
	if (!view)
		view = wants_rows(args, format) ? "regions" : "summary";
	plan->summary = strcmp(view, "summary") == 0;
	if (vmm_args_has(args, VMM_OPTION_RAW) && strcmp(view, "regions") != 0 && strcmp(view, "tree") != 0)
		return vmm_fail(err, VMM_E_USAGE, 0, "--raw shows mappings: it goes with --view regions");
	plan->document = format == VMM_FORMAT_JSON &&
	                 (plan->summary || strcmp(view, "regions") == 0 || strcmp(view, "tree") == 0);
	if (plan->columns && !plan->document)
		return vmm_fail(err, VMM_E_USAGE, 0, "--format json-columns is the whole document: it goes without --view %s", view);
	plan->view = plan->document && !vmm_args_has(args, VMM_OPTION_RAW) ? "tree" : plan->summary ? "types" : view;
	return 0;
}

static uint32_t needs_of(const struct vmm_args *args, const struct plan *plan, const struct vmm_query *q)
{
	uint32_t needs = VMM_NEED_MAPS | vmm_query_needs(q);

	/* What is a stack and what an image must not depend on the columns shown. */
	if (!q->raw)
		needs |= VMM_NEED_THREADS | VMM_NEED_IMAGES;
	if (plan->summary || plan->document || plan->vmmap)
		needs |= VMM_NEED_DEFAULT;
	if (plan->document && q->raw)
		needs |= VMM_NEED_EXTRA;
	/* The tree shows what heaps hold; who looks at chosen columns of it asks for it by them. */
	if ((plan->document || (q->parts && !q->columns_chosen)) && !q->raw && !vmm_args_has(args, VMM_OPTION_FAST))
		needs |= VMM_NEED_HEAPS;
	if (vmm_args_has(args, VMM_OPTION_NUMA))
		needs |= VMM_NEED_NUMA;
	if (vmm_args_has(args, VMM_OPTION_FAST))
		needs = (needs & ~(uint32_t)(VMM_NEED_SMAPS | VMM_NEED_EXTRA)) | VMM_NEED_PAGES;
	return needs;
}

static int emit_rows(struct vmm_answer *a, const struct plan *plan, const struct vmm_query *q,
                     const struct vmm_snapshot *s, struct vmm_err *err)
{
	struct vmm_rows rows;
	int code = vmm_rows_build(&rows, q, s, err);

	if (code < 0)
		return code;
	if (plan->columns)
		vmm_emit_json_columns(a->output.out, q, &rows, s);
	else if (plan->document)
		vmm_emit_json(a->output.out, q, &rows, s);
	else
		vmm_answer_rows(a, q, &rows, s);
	vmm_rows_done(&rows);
	return 0;
}

static int emit(struct vmm_answer *a, const struct plan *plan, const struct vmm_query *q, const struct vmm_snapshot *s,
                struct vmm_err *err)
{
	int code;

	if (plan->vmmap)
		return vmm_emit_vmmap(a->output.out, s, a->format == VMM_FORMAT_CSV, err);
	if (a->format != VMM_FORMAT_TEXT || !plan->summary) {
		code = emit_rows(a, plan, q, s, err);
		if (code == 0 && a->format == VMM_FORMAT_TEXT && s->partial)
			vmm_out_printf(a->output.out, "PARTIAL: %s\n", vmm_summary_partial(s));
		if (code == 0 && a->format == VMM_FORMAT_TEXT)
			vmm_summary_notes(a->output.out, &a->look, s);
		return code;
	}
	return vmm_summary_emit(a->output.out, &a->look, q, s, err);
}

static int show_once(const struct vmm_args *args, const struct plan *plan, const struct vmm_query *q)
{
	struct vmm_snapshot *s;
	struct vmm_answer a;
	struct vmm_err err;
	int code, status;

	code = vmm_cli_take(args, plan->target, needs_of(args, plan, q), &s, &err);
	if (code < 0)
		return vmm_cli_fail_target(args, plan->target, &err);
	code = vmm_answer_open(&a, args, &err);
	if (code == 0)
		code = emit(&a, plan, q, s, &err);
	status = vmm_answer_close(&a, args, s, code, &err);
	vmm_snapshot_destroy(s);
	return status;
}

/* As the command save does it. */
static int show_save(const struct vmm_args *given)
{
	struct vmm_args args = *given;
	struct vmm_err err;

	for (int i = 0; i < VMM_OPTION_COUNT; i++) {
		const struct vmm_option *o = vmm_option_at((enum vmm_option_place)i);

		if (args.option[i] && i != VMM_OPTION_PROCESS && !((o->commands >> VMM_COMMAND_SAVE) & 1)) {
			vmm_fail(&err, VMM_E_USAGE, 0, "--%s chooses what is shown: it does not go with a session", o->word);
			return vmm_cli_fail(given, &err);
		}
	}
	args.command = VMM_COMMAND_SAVE;
	args.operand[0] = args.option[VMM_OPTION_PROCESS];
	args.operand_count = 1;
	return vmm_cli_save(&args);
}

static int show_watch(const struct vmm_args *args, const struct plan *plan, struct vmm_query *q)
{
	uint64_t interval = 0;
	enum vmm_format format;
	struct vmm_err err;
	int code = vmm_cli_format(args, &format, &err);

	if (code == 0)
		code = vmm_amount_duration("watch", args->option[VMM_OPTION_WATCH], VMM_SECOND_NS / 10, VMM_DAY_NS, &interval, &err);
	if (code == 0 && (format != VMM_FORMAT_TEXT || vmm_args_has(args, VMM_OPTION_OUTPUT)))
		code = vmm_fail(&err, VMM_E_USAGE, 0, "--watch shows text on standard output: no other format, no -o");
	if (code < 0)
		return vmm_cli_fail(args, &err);
	return vmm_cli_watch(args, plan->target, q, needs_of(args, plan, q), interval);
}

int vmm_cli_show(const struct vmm_args *given)
{
	struct vmm_args args = *given;
	enum vmm_format format;
	struct vmm_query q;
	struct vmm_err err;
	struct plan plan;
	int code, status;

	code = make_plan(&args, &plan, &err);
	if (code == 0 && plan.session)
		return show_save(&args);
	if (code == 0)
		code = vmm_cli_query(&args, plan.view, &q, &err);
	if (code == 0 && vmm_cli_format(&args, &format, &err) == 0)
		q.parts = format == VMM_FORMAT_TEXT && q.blocks && !q.raw;
	if (code < 0)
		return vmm_cli_fail(&args, &err);
	status = vmm_args_has(&args, VMM_OPTION_WATCH) ? show_watch(&args, &plan, &q) : show_once(&args, &plan, &q);
	vmm_query_done(&q);
	return status;
}
