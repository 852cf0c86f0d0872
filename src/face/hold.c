#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "face/cli.h"

int vmm_hold_begin(struct vmm_hold *h, const struct vmm_args *args, struct vmm_target *t, struct vmm_err *err)
{
	static const int suspending[] = {SIGTSTP, SIGTTIN, SIGTTOU};
	sigset_t blocked;
	int code;

	memset(h, 0, sizeof(*h));
	if (!vmm_args_has(args, VMM_OPTION_STOP))
		return 0;
	/* A key pressed in the terminal must not leave us suspended while the target waits for us. */
	sigemptyset(&blocked);
	for (size_t i = 0; i < ARRAY_LEN(suspending); i++)
		sigaddset(&blocked, suspending[i]);
	sigprocmask(SIG_BLOCK, &blocked, &h->before);
	code = vmm_target_stop(t, err);
	if (code < 0) {
		sigprocmask(SIG_SETMASK, &h->before, NULL);
		return code;
	}
	h->target = t;
	h->args = args;
	return 0;
}

static void tell(const struct vmm_pause *pause, int32_t pid)
{
	unsigned long long tenths = (pause->stopped_ns + 50000) / 100000;

	fprintf(stderr, "vmmap: %d was stopped for %llu.%llu ms (%u thread%s", (int)pid, tenths / 10, tenths % 10, pause->threads,
	        pause->threads == 1 ? "" : "s");
	if (pause->running)
		fprintf(stderr, "; %u more could not be stopped", pause->running);
	if (pause->cut)
		fputs("; it was let go then, before all was read", stderr);
	else if (!pause->complete && !pause->running)
		fputs("; some were started meanwhile", stderr);
	fputs(")\n", stderr);
}

void vmm_hold_end(struct vmm_hold *h, struct vmm_snapshot *s)
{
	enum vmm_format format;
	struct vmm_pause pause;

	if (!h->target)
		return;
	vmm_target_resume(h->target, &pause);
	sigprocmask(SIG_SETMASK, &h->before, NULL);
	h->target = NULL;
	if (!s || !pause.stopped_ns)
		return;
	s->cost.stopped_ns = pause.stopped_ns;
	/* JSON holds it. The live view shows it in a place of its own, a recording tells of all together. */
	if (h->args->command == VMM_COMMAND_RECORD || vmm_args_has(h->args, VMM_OPTION_WATCH) || vmm_cli_format(h->args, &format, NULL) < 0 || format == VMM_FORMAT_JSON)
		return;
	tell(&pause, s->target.pid);
}
