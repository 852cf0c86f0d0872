#include <stdio.h>

#include "base/err.h"
#include "face/cli.h"

/* How many numbers are missing, with the first reason as an example and what would give them. */
static void put_denied(struct vmm_out *out, const struct vmm_process_list *list)
{
	uint32_t i = 0;

	if (list->denied == 0)
		return;
	vmm_out_char(out, '\n');
	vmm_put_count(out, list->denied);
	vmm_out_text(out, list->denied == 1 ? " process" : " processes");
	vmm_out_text(out, " not read in full (?): run vmmap as root, or give it CAP_PERFMON\n");
	while (i < list->count && !list->processes[i].missing[0])
		i++;
	if (i == list->count)
		return;
	vmm_out_printf(out, "PID %d: ", (int)list->processes[i].pid);
	vmm_out_escaped(out, list->processes[i].missing, 0);
	vmm_out_char(out, '\n');
}

static int emit(struct vmm_answer *a, const struct vmm_query *q, const struct vmm_process_list *list,
                struct vmm_err *err)
{
	struct vmm_rows rows;
	int code = vmm_rows_build_processes(&rows, q, list, err);

	if (code < 0)
		return code;
	vmm_answer_rows(a, q, &rows, NULL);
	vmm_rows_done(&rows);
	if (a->format == VMM_FORMAT_TEXT)
		put_denied(a->output.out, list);
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
