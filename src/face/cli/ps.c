#include <stdio.h>

#include "base/err.h"
#include "face/cli.h"

static int emit(struct vmm_answer *a, const struct vmm_query *q, const struct vmm_process_list *list, struct vmm_err *err)
{
	struct vmm_rows rows;
	int code = vmm_rows_build_processes(&rows, q, list, err);

	if (code < 0)
		return code;
	vmm_answer_rows(a, q, &rows, NULL);
	vmm_rows_done(&rows);
	if (a->format != VMM_FORMAT_TEXT || list->denied == 0)
		return 0;
	vmm_out_char(a->output.out, '\n');
	vmm_put_count(a->output.out, list->denied);
	vmm_out_text(a->output.out, list->denied == 1 ? " process" : " processes");
	vmm_out_text(a->output.out, " may not be read in full (?): run vmmap as root, or give it CAP_PERFMON\n");
	return 0;
}

int vmm_cli_ps(const struct vmm_args *given)
{
	struct vmm_args args = *given;
	struct vmm_process_list *list;
	struct vmm_query q;
	struct vmm_answer a;
	struct vmm_err err;
	int code, status;

	if (!vmm_args_has(&args, VMM_OPTION_SORT))
		args.option[VMM_OPTION_SORT] = "rss:desc";
	code = vmm_cli_query(&args, "processes", &q, &err);
	if (code < 0)
		return vmm_cli_fail(&args, &err);
	code = vmm_process_list_read(vmm_query_needs(&q), &list, &err);
	if (code < 0) {
		vmm_query_done(&q);
		return vmm_cli_fail(&args, &err);
	}
	code = vmm_answer_open(&a, &args, &err);
	if (code == 0)
		code = emit(&a, &q, list, &err);
	status = vmm_answer_close(&a, &args, NULL, code, &err);
	vmm_process_list_destroy(list);
	vmm_query_done(&q);
	return status;
}
