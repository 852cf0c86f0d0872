#include <stdio.h>

#include "base/err.h"
#include "face/cli.h"

static int put_version(const struct vmm_args *args)
{
	struct vmm_output o;
	struct vmm_err err;
	int code = vmm_output_open(&o, NULL, &err);

	if (code < 0)
		return vmm_cli_fail(args, &err);
	vmm_out_printf(o.out, "vmmap %s\n", vmm_version());
	code = vmm_output_close(&o, true, &err);
	return code < 0 ? vmm_cli_fail(args, &err) : VMM_EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct vmm_args args;
	struct vmm_err err;
	int code;

	if (argc < 2) {
		fputs("vmmap: no target: give a PID or the name of a process (vmmap ps lists them); see vmmap --help\n", stderr);
		return VMM_EXIT_USAGE;
	}
	code = vmm_args_parse(&args, argc, argv, &err);
	if (code < 0)
		return vmm_cli_fail(&args, &err);
	if (vmm_args_has(&args, VMM_OPTION_VERSION))
		return put_version(&args);
	if (vmm_args_has(&args, VMM_OPTION_HELP))
		return vmm_cli_help(&args);
	return vmm_command_at(args.command)->run(&args);
}
