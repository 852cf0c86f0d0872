#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/scan.h"
#include "base/text.h"
#include "face/cli.h"
#include "face/summary.h"

#define PROGRESS_AFTER_NS UINT64_C(1000000000)
#define PROGRESS_EVERY_NS UINT64_C(200000000)
#define SHOWN_MAX 512 /* bytes of an expression repeated in an error */

int vmm_cli_number(const char *option, const char *text, uint64_t *ret_number, struct vmm_err *err)
{
	struct vmm_scan s = vmm_scan_init(text, strlen(text));
	uint64_t number;

	if (!vmm_scan_dec(&s, &number) || !vmm_scan_done(&s) || number == 0)
		return vmm_fail(err, VMM_E_USAGE, 0, "--%s: '%.60s' is no number of 1 or more", option, text);
	*ret_number = number;
	return 0;
}

int vmm_cli_format(const struct vmm_args *args, enum vmm_format *ret_format, struct vmm_err *err)
{
	static const char *const names[] = {[VMM_FORMAT_TEXT] = "text",
	                                    [VMM_FORMAT_CSV] = "csv",
	                                    [VMM_FORMAT_JSON] = "json",
	                                    [VMM_FORMAT_NDJSON] = "ndjson"};
	const char *name = args->option[VMM_OPTION_FORMAT];
	bool json = vmm_args_has(args, VMM_OPTION_JSON), csv = vmm_args_has(args, VMM_OPTION_CSV);

	if ((json && csv) || (name && json && strcmp(name, "json") != 0) || (name && csv && strcmp(name, "csv") != 0))
		return vmm_fail(err, VMM_E_USAGE, 0, "two output formats at once: choose one of --format, --json, --csv");
	name = json ? "json" : csv ? "csv" : name ? name : "text";
	if ((strncmp(name, "vmmap-", 6) == 0 || strcmp(name, "json-columns") == 0) && args->command != VMM_COMMAND_SHOW)
		return vmm_fail(err, VMM_E_USAGE, 0, "--format %s holds a whole target: it goes with show", name);
	name = strcmp(name, "json-columns") == 0 ? "json" : name;
	name = strcmp(name, "vmmap-csv") == 0 ? "csv" : strcmp(name, "vmmap-txt") == 0 ? "text" : name;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], name) == 0)
			*ret_format = (enum vmm_format)i;
	return 0;
}

/* The expression and a caret below the byte where the mistake is. */
static void show_place(const char *expression, unsigned column)
{
	char shown[SHOWN_MAX * 4], before[SHOWN_MAX * 4];
	size_t length = strlen(expression), start = 0, at = column - 1;

	if (at > length)
		at = length;
	/* A long expression is shown from shortly before the mistake on. */
	if (at > 60)
		start = at - 60;
	if (length - start > SHOWN_MAX)
		length = start + SHOWN_MAX;
	vmm_escape_terminal(shown, sizeof(shown), expression + start, length - start);
	vmm_escape_terminal(before, sizeof(before), expression + start, at - start);
	fprintf(stderr, "  %s\n  %*s^\n", shown, (int)vmm_text_width(before, strlen(before)), "");
}

int vmm_cli_fail(const struct vmm_args *args, const struct vmm_err *err)
{
	fprintf(stderr, "vmmap: %s\n", err->text[0] ? err->text : vmm_error_text(err->code));
	if (err->code == VMM_E_EXPRESSION && err->column && args->option[VMM_OPTION_WHERE])
		show_place(args->option[VMM_OPTION_WHERE], err->column);
	return vmm_error_status(err->code);
}

int vmm_cli_fail_target(const struct vmm_args *args, const char *target, const struct vmm_err *err)
{
	char name[256];

	vmm_escape_terminal(name, sizeof(name), target, strlen(target));
	if (err->code == VMM_E_USAGE || err->code == VMM_E_EXPRESSION || err->code == VMM_E_OUTPUT ||
	    strstr(err->text, name))
		return vmm_cli_fail(args, err);
	fprintf(stderr, "vmmap: %s: %s\n", name, err->text[0] ? err->text : vmm_error_text(err->code));
	return vmm_error_status(err->code);
}

struct progress {
	uint64_t shown_ns; /* elapsed time at the last line; 0: none yet */
};

static void show_progress(void *arg, const char *what, uint64_t done_bytes, uint64_t elapsed_ns)
{
	struct progress *p = arg;

	if (elapsed_ns < PROGRESS_AFTER_NS || elapsed_ns - p->shown_ns < PROGRESS_EVERY_NS)
		return;
	p->shown_ns = elapsed_ns;
	fprintf(stderr, "\r\033[Kvmmap: reading %s: %llu MiB, %llu.%llu s", what, (unsigned long long)(done_bytes >> 20),
	        (unsigned long long)(elapsed_ns / 1000000000), (unsigned long long)(elapsed_ns / 100000000 % 10));
}

int vmm_cli_take_open(struct vmm_target *t, uint32_t needs, struct vmm_snapshot **ret_snapshot, struct vmm_err *err)
{
	struct progress progress = {0};
	struct vmm_take take = {.needs = needs, .progress_arg = &progress};
	int code;

	/* The terminal could be what stands still. */
	if (!vmm_target_is_stopped(t) && isatty(STDERR_FILENO) == 1)
		take.progress = show_progress;
	code = vmm_target_snapshot(t, &take, ret_snapshot, err);
	if (progress.shown_ns)
		fprintf(stderr, "\r\033[K");
	return code;
}

int vmm_cli_open(const struct vmm_args *args, const char *name, struct vmm_target **ret_target, struct vmm_err *err)
{
	struct vmm_open how = {.sysroot = args->option[VMM_OPTION_SYSROOT], .debug_dirs = args->option[VMM_OPTION_DEBUG_DIR]};

	return vmm_target_open_with(name, &how, ret_target, err);
}

int vmm_cli_take(const struct vmm_args *args, const char *target, uint32_t needs, struct vmm_snapshot **ret_snapshot,
                 struct vmm_err *err)
{
	struct vmm_snapshot *s = NULL;
	struct vmm_target *t;
	struct vmm_hold hold;
	int code = vmm_cli_open(args, target, &t, err);

	if (code < 0)
		return code;
	code = vmm_hold_begin(&hold, args, t, err);
	if (code == 0)
		code = vmm_cli_take_open(t, needs, &s, err);
	vmm_hold_end(&hold, s);
	vmm_target_close(t);
	if (code == 0)
		*ret_snapshot = s;
	return code;
}

int vmm_cli_need_contents(const struct vmm_snapshot *s, struct vmm_err *err)
{
	if (strcmp(s->target.source, "vmmap") == 0)
		return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "a file of VMMap holds no contents of memory: no strings, no chunks of heaps");
	return 0;
}

int vmm_answer_open(struct vmm_answer *a, const struct vmm_args *args, struct vmm_err *err)
{
	int code;

	memset(a, 0, sizeof(*a));
	a->output.fd = -1;
	code = vmm_cli_format(args, &a->format, err);
	if (code == 0)
		code = vmm_output_open(&a->output, args->option[VMM_OPTION_OUTPUT], err);
	if (code == 0)
		vmm_look_init(&a->look, a->output.fd, args->option[VMM_OPTION_COLOR], args->option[VMM_OPTION_UNITS]);
	return code;
}

int vmm_answer_missing(const struct vmm_snapshot *s, bool saved)
{
	if (s->partial) {
		fprintf(stderr, "vmmap: %d: %s; what was read is %s, marked partial\n", (int)s->target.pid,
		        vmm_summary_partial(s), saved ? "saved" : "shown");
		return VMM_EXIT_GONE;
	}
	if (!s->unreadable)
		return VMM_EXIT_DONE;
	fprintf(stderr, "vmmap: %d: not permitted to read its mappings: run as its user or root, or give vmmap CAP_PERFMON\n",
	        (int)s->target.pid);
	return VMM_EXIT_UNREADABLE;
}

int vmm_answer_close(struct vmm_answer *a, const struct vmm_args *args, const struct vmm_snapshot *s, int code,
                     struct vmm_err *err)
{
	struct vmm_err own;
	int closed = vmm_output_close(&a->output, code == 0, &own);

	if (code < 0)
		return vmm_cli_fail(args, err);
	if (closed < 0)
		return vmm_cli_fail(args, &own);
	return s ? vmm_answer_missing(s, false) : VMM_EXIT_DONE;
}

void vmm_answer_rows(struct vmm_answer *a, const struct vmm_query *q, const struct vmm_rows *rows,
                     const struct vmm_snapshot *s)
{
	switch (a->format) {
	case VMM_FORMAT_CSV:
		vmm_emit_csv(a->output.out, q, rows);
		break;
	case VMM_FORMAT_NDJSON:
		vmm_emit_ndjson(a->output.out, q, rows);
		break;
	case VMM_FORMAT_JSON:
		vmm_emit_json_table(a->output.out, q, rows, s);
		break;
	case VMM_FORMAT_TEXT:
		vmm_emit_text(a->output.out, q, rows, &a->look.style);
		break;
	}
}

int vmm_cli_query(const struct vmm_args *args, const char *view, struct vmm_query *ret_query, struct vmm_err *err)
{
	uint64_t top = 0;
	int code = 0;

	if (vmm_args_has(args, VMM_OPTION_TOP))
		code = vmm_cli_number("top", args->option[VMM_OPTION_TOP], &top, err);
	if (code == 0)
		code = vmm_query_init(ret_query, view, args->option[VMM_OPTION_COLUMNS], args->option[VMM_OPTION_SORT],
		                      args->option[VMM_OPTION_WHERE], args->option[VMM_OPTION_KIND], err);
	if (code < 0)
		return code;
	ret_query->top = top;
	ret_query->raw = vmm_args_has(args, VMM_OPTION_RAW);
	return 0;
}

bool vmm_cli_session_part(const char *name, char *ret_file, size_t size)
{
	const char *at = strrchr(name, '@');

	if (!at || (size_t)(at - name) >= size || access(name, F_OK) == 0)
		return false;
	snprintf(ret_file, size, "%.*s", (int)(at - name), name);
	return access(ret_file, F_OK) == 0;
}
