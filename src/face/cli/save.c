/* vmmap save: one snapshot of each target into a session. */
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "face/cli.h"
#include "face/session_file.h"
#include "model/build.h"
#include "session/memory.h"

struct save {
	const struct vmm_args *args;
	struct vmm_session_file file;
	struct vmm_out *out; /* what was saved, told when the file stands */
	uint32_t kinds, saved;
	int status;
};

static uint32_t needs_of(const struct vmm_args *args)
{
	uint32_t needs = VMM_NEED_DEFAULT | VMM_NEED_HEAPS | VMM_NEED_EXTRA;

	if (vmm_args_has(args, VMM_OPTION_FAST))
		needs = VMM_NEED_FAST;
	if (vmm_args_has(args, VMM_OPTION_NUMA))
		needs |= VMM_NEED_NUMA;
	return needs;
}

/* What a pause is about. */
struct held {
	struct vmm_hold hold;
	struct vmm_snapshot *s;
};

static void go_on(void *arg)
{
	struct held *held = arg;

	vmm_hold_end(&held->hold, held->s);
}

static int add(struct save *v, struct vmm_target *t, struct held *held, uint32_t *ret_number, struct vmm_err *err)
{
	struct vmm_session_memory memory = {.target = t, .kinds = v->kinds, .read = go_on, .arg = held};
	struct vmm_snapshot *s = held->s;

	if (vmm_args_has(v->args, VMM_OPTION_REDACT))
		vmm_session_file_redact(s);
	return vmm_session_add(v->file.session, s, v->kinds && s->vma_count ? &memory : NULL, ret_number, err);
}

/* The pause covers the contents: they are read while the snapshot is added, and its length is kept with it. */
static int take_and_add(struct save *v, struct vmm_target *t, struct vmm_snapshot **ret_snapshot, uint32_t *ret_number,
                        struct vmm_err *err)
{
	struct held held = {0};
	int code = vmm_hold_begin(&held.hold, v->args, t, err);

	if (code == 0)
		code = vmm_cli_take_open(t, needs_of(v->args), &held.s, err);
	if (code < 0 || !v->kinds)
		vmm_hold_end(&held.hold, held.s);
	if (code == 0)
		code = add(v, t, &held, ret_number, err);
	vmm_hold_end(&held.hold, held.s);
	if (code < 0)
		vmm_snapshot_destroy(held.s);
	else
		*ret_snapshot = held.s;
	return code;
}

/* What was asked for need not be there: a file of another tool holds none, and a process may not be readable. */
static void tell_contents(struct save *v, uint32_t number)
{
	struct vmm_stored *stored = NULL;

	if (vmm_stored_open(v->file.session, number, &stored, NULL) < 0)
		return;
	vmm_out_text(v->out, ", ");
	if (stored)
		vmm_put_short_size(v->out, vmm_stored_bytes(stored, 0, UINT64_MAX));
	else
		vmm_out_text(v->out, "no");
	vmm_out_text(v->out, stored ? " of contents" : " contents: they cannot be read");
	vmm_stored_close(stored);
}

static void tell_saved(struct save *v, const struct vmm_snapshot *s, uint32_t number)
{
	vmm_out_escaped(v->out, v->args->option[VMM_OPTION_OUTPUT], 0);
	vmm_out_printf(v->out, "@%u: ", (unsigned)number);
	vmm_out_escaped(v->out, s->target.name[0] ? s->target.name : "(no name)", 0);
	if (s->target.pid)
		vmm_out_printf(v->out, " (%d)", (int)s->target.pid);
	if (!s->unreadable) {
		vmm_out_text(v->out, ", ");
		vmm_put_count(v->out, s->region_count);
		vmm_out_text(v->out, s->region_count == 1 ? " region" : " regions");
	}
	if (vmm_metric_known(&s->total.m, VMM_METRIC_RSS)) {
		vmm_out_text(v->out, ", RSS ");
		vmm_put_short_size(v->out, s->total.m.value[VMM_METRIC_RSS]);
	}
	if (v->kinds)
		tell_contents(v, number);
	vmm_out_char(v->out, '\n');
}

/* The first thing that went wrong is the status of all. */
static void keep_status(struct save *v, int status)
{
	if (v->status == VMM_EXIT_DONE)
		v->status = status;
}

/* 0, also when the target cannot be read: that is told, and the others go on. Below 0: nothing more can be written. */
static int save_one(struct save *v, const char *name, struct vmm_err *err)
{
	struct vmm_snapshot *s = NULL;
	struct vmm_target *t;
	uint32_t number = 0;
	int code = vmm_cli_open(v->args, name, &t, err);

	if (code == 0) {
		code = take_and_add(v, t, &s, &number, err);
		vmm_target_close(t);
	}
	if (code == VMM_E_OUTPUT || code == VMM_E_NOMEM) {
		vmm_session_file_name(&v->file, err);
		return code;
	}
	if (code < 0) {
		keep_status(v, vmm_cli_fail_target(v->args, name, err));
		return 0;
	}
	v->saved++;
	tell_saved(v, s, number);
	keep_status(v, vmm_answer_missing(s, true));
	vmm_snapshot_destroy(s);
	return 0;
}

static void tell_file(struct save *v, const char *path)
{
	char *text;
	size_t length;

	vmm_out_escaped(v->out, path, 0);
	vmm_out_text(v->out, ": ");
	vmm_put_short_size(v->out, vmm_session_file_bytes(&v->file));
	vmm_out_char(v->out, '\n');
	text = vmm_out_take(v->out, &length);
	v->out = NULL;
	if (text && fwrite(text, 1, length, stdout) == length)
		fflush(stdout);
	free(text);
}

static int save_all(struct save *v, struct vmm_err *err)
{
	const struct vmm_args *args = v->args;
	int code;

	v->out = vmm_out_create_memory();
	code = v->out ? 0 : vmm_fail_nomem(err);
	for (size_t i = 0; i < args->operand_count && code == 0; i++)
		code = save_one(v, args->operand[i], err);
	/* Closed, so that what is told is the size that it has. */
	if (code == 0 && v->saved)
		code = vmm_session_file_keep(&v->file, false, err);
	if (code == 0 && v->saved)
		tell_file(v, args->option[VMM_OPTION_OUTPUT]);
	vmm_out_discard(v->out);
	return code;
}

int vmm_cli_save(const struct vmm_args *args)
{
	struct save v = {.args = args};
	struct vmm_err err;
	int code;

	if (vmm_args_has(args, VMM_OPTION_SIDECAR))
		return vmm_cli_sidecar(args);
	vmm_session_file_signals();
	code = vmm_session_file_kinds(args, &v.kinds, &err);
	if (code == 0)
		code = vmm_session_file_open(&v.file, args, false, &err);
	if (code < 0)
		return vmm_cli_fail(args, &err);
	code = save_all(&v, &err);
	vmm_session_file_close(&v.file, v.saved == 0);
	if (code < 0)
		return vmm_cli_fail(args, &err);
	return v.status;
}
