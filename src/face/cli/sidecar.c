/* vmmap save --sidecar: a capture of a running process, to lie beside a core of it or to be looked at by itself. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/scan.h"
#include "face/cli.h"
#include "vmmap/capture.h"

static int write_capture(const struct vmm_args *args, int32_t pid, struct vmm_err *err)
{
	struct vmm_output o;
	int code = vmm_output_open(&o, args->option[VMM_OPTION_OUTPUT], err), closed;
	struct vmm_err own;

	if (code < 0)
		return code;
	/* As private as the core that it stands beside. */
	if (o.temporary)
		fchmod(o.fd, 0600);
	code = vmm_capture_write(pid, o.fd, err);
	closed = vmm_output_close(&o, code == 0, &own);
	if (code == 0 && closed < 0) {
		*err = own;
		code = closed;
	}
	return code;
}

int vmm_cli_sidecar(const struct vmm_args *args)
{
	struct vmm_snapshot *s = NULL;
	struct vmm_target *t;
	struct vmm_err err;
	int code;

	if (!vmm_args_has(args, VMM_OPTION_OUTPUT)) {
		vmm_fail(&err, VMM_E_USAGE, 0, "--sidecar needs -o FILE: CORE.proc.tar stands beside CORE");
		return vmm_cli_fail(args, &err);
	}
	if (args->operand_count != 1) {
		vmm_fail(&err, VMM_E_USAGE, 0, "--sidecar takes one process");
		return vmm_cli_fail(args, &err);
	}
	/* The name of a process is looked up as everywhere. */
	code = vmm_target_open(args->operand[0], &t, &err);
	if (code == 0) {
		struct vmm_take take = {.needs = VMM_NEED_MAPS};

		code = vmm_target_snapshot(t, &take, &s, &err);
		vmm_target_close(t);
	}
	if (code == 0 && strcmp(s->target.source, "live") != 0)
		code = vmm_fail(&err, VMM_E_UNSUPPORTED, 0, "--sidecar is for running processes: %s is none", args->operand[0]);
	if (code == 0)
		code = write_capture(args, s->target.pid, &err);
	vmm_snapshot_destroy(s);
	return code < 0 ? vmm_cli_fail_target(args, args->operand[0], &err) : VMM_EXIT_DONE;
}
