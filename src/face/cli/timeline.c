#include <stdio.h>

#include "base/err.h"
#include "face/cli.h"
#include "face/timeline.h"

static int parse_by(const struct vmm_args *args, struct vmm_timeline_ask *ask, struct vmm_err *err)
{
	static const struct {
		const char *word;
		enum vmm_timeline_by by;
	} words[] = {{"kind", VMM_TIMELINE_KIND},
		     {"type", VMM_TIMELINE_KIND},
		     {"heap", VMM_TIMELINE_HEAP},
		     {"region", VMM_TIMELINE_REGION},
		     {"target", VMM_TIMELINE_TARGET}};
	const char *by = args->option[VMM_OPTION_BY];

	ask->by_chosen = by != NULL;
	for (size_t i = 0; by && i < ARRAY_LEN(words); i++)
		if (strcmp(words[i].word, by) == 0) {
			ask->by = words[i].by;
			return 0;
		}
	return by ? vmm_fail(err, VMM_E_USAGE, 0, "--by: a timeline is by kind, heap, region or target, not by '%.40s'",
			     by)
		  : 0;
}

static enum vmm_metric parse_measure(const char *text)
{
	for (int i = 0; text && i < VMM_METRIC_COUNT; i++)
		if (strcmp(vmm_metric_id((enum vmm_metric)i), text) == 0)
			return (enum vmm_metric)i;
	return VMM_METRIC_RSS;
}

static int parse(const struct vmm_args *args, struct vmm_timeline_ask *ask, struct vmm_err *err)
{
	enum vmm_format format = VMM_FORMAT_TEXT;
	uint64_t width;
	int code = vmm_cli_format(args, &format, err);

	ask->file = args->operand[0];
	ask->measure = parse_measure(args->option[VMM_OPTION_MEASURE]);
	ask->target = args->option[VMM_OPTION_TARGET];
	ask->from = args->option[VMM_OPTION_FROM];
	ask->to = args->option[VMM_OPTION_TO];
	ask->growth = format != VMM_FORMAT_CSV;
	if (code == 0 && format == VMM_FORMAT_NDJSON)
		code = vmm_fail(err, VMM_E_USAGE, 0, "a timeline is text, csv or json");
	if (code == 0)
		code = parse_by(args, ask, err);
	if (code == 0 && vmm_args_has(args, VMM_OPTION_TOP))
		code = vmm_cli_number("top", args->option[VMM_OPTION_TOP], &ask->top, err);
	if (code == 0 && vmm_args_has(args, VMM_OPTION_WIDTH))
		code = vmm_cli_number("width", args->option[VMM_OPTION_WIDTH], &width, err);
	if (code == 0 && vmm_args_has(args, VMM_OPTION_WHERE))
		code = vmm_expr_compile(vmm_table_find("regions"), args->option[VMM_OPTION_WHERE], &ask->where, err);
	return code;
}

/* Sizes of three figures unless the user wants others; as wide as he says. */
static void dress(struct vmm_look *look, const struct vmm_args *args)
{
	uint64_t width;

	if (!vmm_args_has(args, VMM_OPTION_UNITS))
		look->style.units = VMM_UNITS_AUTO;
	if (vmm_args_has(args, VMM_OPTION_WIDTH) &&
	    vmm_cli_number("width", args->option[VMM_OPTION_WIDTH], &width, NULL) == 0)
		look->style.width = width < 40 ? 40 : width > 300 ? 300 : (unsigned)width;
}

static int answer(const struct vmm_args *args, struct vmm_session *session, const struct vmm_timeline *t)
{
	struct vmm_answer a;
	struct vmm_err err;
	int code = vmm_answer_open(&a, args, &err);

	if (code == 0) {
		dress(&a.look, args);
		if (a.format == VMM_FORMAT_JSON)
			vmm_timeline_json(a.output.out, t);
		else if (a.format == VMM_FORMAT_CSV)
			code = vmm_timeline_csv(a.output.out, session, t, &err);
		else
			code = vmm_timeline_text(a.output.out, &a.look, t, &err);
	}
	return vmm_answer_close(&a, args, NULL, code, &err);
}

static int no_session(const char *name, struct vmm_err *err)
{
	char file[4096];

	if (vmm_cli_session_part(name, file, sizeof(file)))
		return vmm_fail(err, VMM_E_USAGE, 0, "%.200s: a timeline is of all of %.200s: --from, --to and --target pick snapshots", name, file);
	return vmm_fail(err, VMM_E_NO_TARGET, 0, "no such file: a timeline is of a session, which vmmap record makes");
}

int vmm_cli_timeline(const struct vmm_args *args)
{
	struct vmm_timeline_ask ask = {0};
	struct vmm_session *session;
	struct vmm_timeline *t;
	struct vmm_err err;
	int status, code = parse(args, &ask, &err);

	if (code < 0) {
		status = vmm_cli_fail(args, &err);
	} else {
		code = vmm_session_open(ask.file, VMM_SESSION_READ, &session, &err);
		if (code == VMM_E_NO_TARGET)
			code = no_session(ask.file, &err);
		if (code == 0) {
			code = vmm_timeline_create(session, &ask, &t, &err);
			status = code == 0 ? answer(args, session, t) : 0;
			if (code == 0)
				vmm_timeline_destroy(t);
			vmm_session_close(session);
		}
		if (code < 0)
			status = vmm_cli_fail_target(args, ask.file, &err);
	}
	vmm_expr_destroy(ask.where);
	return status;
}
