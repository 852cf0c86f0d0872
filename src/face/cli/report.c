#include <stdlib.h>

#include "base/err.h"
#include "face/cli.h"
#include "face/page.h"

static uint32_t needs_of(const struct vmm_args *args, const struct vmm_query *q)
{
	uint32_t needs = VMM_NEED_MAPS | VMM_NEED_DEFAULT | VMM_NEED_THREADS | VMM_NEED_IMAGES | VMM_NEED_HEAPS | vmm_query_needs(q);

	if (vmm_args_has(args, VMM_OPTION_NUMA))
		needs |= VMM_NEED_NUMA;
	if (vmm_args_has(args, VMM_OPTION_FAST))
		needs = (needs & ~(uint32_t)(VMM_NEED_SMAPS | VMM_NEED_EXTRA | VMM_NEED_HEAPS)) | VMM_NEED_PAGES;
	return needs;
}

struct content {
	const char *title;
	const struct vmm_query *q;
	const struct vmm_rows *rows;
	const struct vmm_snapshot *s;
};

static void make_info(struct vmm_out *out, const struct content *c)
{
	vmm_page_info(out, "report", c->title);
}

static void make_data(struct vmm_out *out, const struct content *c)
{
	vmm_out_text(out, "{\"snapshots\":[");
	vmm_emit_json(out, c->q, c->rows, c->s);
	vmm_out_text(out, "]}");
}

/* An element with a JSON document, made in memory first. */
static int put_script(struct vmm_out *out, const char *id, void (*make)(struct vmm_out *, const struct content *),
                      const struct content *c, struct vmm_err *err)
{
	struct vmm_out *memory = vmm_out_create_memory();
	size_t length;
	char *json;

	if (!memory)
		return vmm_fail_nomem(err);
	make(memory, c);
	json = vmm_out_take(memory, &length);
	if (!json)
		return vmm_fail_nomem(err);
	vmm_out_printf(out, "<script type=\"application/json\" id=\"%s\">", id);
	vmm_page_embed(out, json, length);
	vmm_out_text(out, "</script>\n");
	free(json);
	return 0;
}

static int emit(struct vmm_out *out, const char *title, const struct vmm_query *q, const struct vmm_snapshot *s, struct vmm_err *err)
{
	struct vmm_page_part parts[2];
	struct vmm_rows rows;
	struct content content = {title, q, &rows, s};
	int code = vmm_page_parts(parts, err);

	if (code == 0)
		code = vmm_rows_build(&rows, q, s, err);
	if (code < 0)
		return code;
	vmm_out_bytes(out, parts[0].bytes, parts[0].length);
	code = put_script(out, "vmmap-info", make_info, &content, err);
	if (code == 0)
		code = put_script(out, "vmmap-data", make_data, &content, err);
	vmm_out_bytes(out, parts[1].bytes, parts[1].length);
	vmm_rows_done(&rows);
	return code;
}

int vmm_cli_report(const struct vmm_args *args)
{
	const char *target = args->operand[0];
	struct vmm_snapshot *s = NULL;
	struct vmm_output output;
	struct vmm_query q;
	struct vmm_err err, own;
	int code;

	if (!vmm_args_has(args, VMM_OPTION_OUTPUT)) {
		vmm_fail(&err, VMM_E_USAGE, 0, "report: -o FILE.html is missing");
		return vmm_cli_fail(args, &err);
	}
	code = vmm_query_init(&q, "tree", NULL, NULL, NULL, NULL, &err);
	if (code < 0)
		return vmm_cli_fail(args, &err);
	code = vmm_cli_take(args, target, needs_of(args, &q), &s, &err);
	if (code < 0) {
		vmm_query_done(&q);
		return vmm_cli_fail_target(args, target, &err);
	}
	code = vmm_output_open(&output, args->option[VMM_OPTION_OUTPUT], &err);
	if (code == 0) {
		code = emit(output.out, target, &q, s, &err);
		if (vmm_output_close(&output, code == 0, &own) < 0 && code == 0) {
			code = -1;
			err = own;
		}
	}
	vmm_query_done(&q);
	code = code < 0 ? vmm_cli_fail(args, &err) : vmm_answer_missing(s, true);
	vmm_snapshot_destroy(s);
	return code;
}
