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
	code = vmm_capture_write(pid, o.fd, vmm_args_has(args, VMM_OPTION_REDACT) ? VMM_CAPTURE_NO_ARGUMENTS : 0, err);
	closed = vmm_output_close(&o, code == 0, &own);
	if (code == 0 && closed < 0) {
		*err = own;
		code = closed;
	}
	return code;
}

static int check(const struct vmm_args *args, struct vmm_err *err)
{
	static const enum vmm_option_place others[] = {VMM_OPTION_APPEND, VMM_OPTION_WITH_MEMORY, VMM_OPTION_STOP, VMM_OPTION_FAST};
	const char *path = args->option[VMM_OPTION_OUTPUT];
	struct stat st;

	if (!path)
		return vmm_fail(err, VMM_E_USAGE, 0, "--sidecar needs -o FILE: CORE.proc.tar stands beside CORE");
	if (args->operand_count != 1)
		return vmm_fail(err, VMM_E_USAGE, 0, "--sidecar takes one process");
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (vmm_args_has(args, others[i]))
			return vmm_fail(err, VMM_E_USAGE, 0, "--%s does not go with --sidecar", vmm_option_at(others[i])->word);
	if (!vmm_args_has(args, VMM_OPTION_FORCE) && stat(path, &st) == 0 && S_ISREG(st.st_mode))
		return vmm_fail(err, VMM_E_OUTPUT, 0, "%.200s: the file exists: --force replaces it", path);
	return 0;
}

int vmm_cli_sidecar(const struct vmm_args *args)
{
	struct vmm_snapshot *s = NULL;
	struct vmm_target *t;
	struct vmm_err err;
	int code;

	code = check(args, &err);
	if (code < 0)
		return vmm_cli_fail(args, &err);
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
