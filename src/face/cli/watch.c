#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "face/bars.h"
#include "face/cli.h"
#include "face/moved.h"
#include "face/summary.h"

#define MOVES_SHOWN 10
#define SHARE_PERMILLE 10 /* above this share of the time the status line says what reading costs */
#define ENTER_SCREEN "\033[?1049h\033[?25l\033[H\033[2J"
#define LEAVE_SCREEN "\033[?25h\033[?1049l"

struct watch {
	const struct vmm_args *args;
	const char *name;
	struct vmm_query *query;
	struct vmm_target *target;
	uint32_t needs;
	uint64_t interval_ns, read_ns; /* wall time of the last read */
	struct vmm_answer answer;
	struct vmm_snapshot *old, *now;
	sigset_t signals;
};

/* Why the loop goes on or ends. */
enum wake { WAKE_TIME, WAKE_REDRAW, WAKE_END };

static bool on_screen(const struct watch *w)
{
	return w->answer.look.terminal && w->answer.look.style.colour;
}

static void put_screen(struct watch *w, const char *sequence)
{
	if (!on_screen(w))
		return;
	vmm_out_text(w->answer.output.out, sequence);
	vmm_out_flush(w->answer.output.out);
}

static void put_status(const struct watch *w, struct vmm_out *out)
{
	uint64_t permille = w->interval_ns ? w->read_ns * 1000 / w->interval_ns : 0;
	char when[64] = "?";
	struct tm tm;

	if (localtime_r(&w->now->taken_at.tv_sec, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	vmm_put_dim(out, &w->answer.look);
	vmm_out_printf(out, "%s  every %llu.%llu s", when, (unsigned long long)(w->interval_ns / 1000000000),
	               (unsigned long long)(w->interval_ns / 100000000 % 10));
	if (permille > SHARE_PERMILLE)
		vmm_out_printf(out, ", reading takes %llu ms: %llu.%llu %% of the time", (unsigned long long)(w->read_ns / 1000000),
		               (unsigned long long)(permille / 10), (unsigned long long)(permille % 10));
	if (w->now->cost.stopped_ns)
		vmm_out_printf(out, ", stopped for %llu.%llu ms", (unsigned long long)(w->now->cost.stopped_ns / 1000000),
		               (unsigned long long)(w->now->cost.stopped_ns / 100000 % 10));
	vmm_put_plain(out, &w->answer.look);
	vmm_out_char(out, '\n');
}

static int put_frame(const struct watch *w, struct vmm_out *out, struct vmm_err *err)
{
	int code;

	put_status(w, out);
	vmm_summary_head(out, &w->answer.look, w->now);
	vmm_out_char(out, '\n');
	if (w->answer.look.pictures) {
		vmm_bars_emit(out, &w->answer.look, w->now);
		vmm_out_char(out, '\n');
	}
	code = vmm_summary_table(out, &w->answer.look, w->query, w->now, err);
	if (code == 0 && w->old)
		code = vmm_moves_emit(out, &w->answer.look, w->old, w->now, MOVES_SHOWN, err);
	if (code == 0)
		vmm_summary_notes(out, &w->answer.look, w->now);
	return code;
}

/* Over what stands on the screen, line by line, so that nothing flickers; no more lines than there are. */
static void show_on_screen(struct watch *w, const char *text)
{
	struct vmm_out *out = w->answer.output.out;
	unsigned rows = w->answer.look.rows ? w->answer.look.rows : 24;

	vmm_out_text(out, "\033[H");
	for (unsigned row = 1; row < rows && *text; row++) {
		size_t n = strcspn(text, "\n");

		vmm_out_bytes(out, text, n);
		vmm_out_text(out, "\033[K\n");
		text += n + (text[n] == '\n');
	}
	vmm_out_text(out, "\033[J");
}

static int draw(struct watch *w, struct vmm_err *err)
{
	struct vmm_out *memory = vmm_out_create_memory();
	char *text;
	int code;

	if (!memory)
		return vmm_fail_nomem(err);
	code = put_frame(w, memory, err);
	text = vmm_out_take(memory, NULL);
	if (code < 0 || !text) {
		free(text);
		return code < 0 ? code : vmm_fail_nomem(err);
	}
	if (on_screen(w)) {
		show_on_screen(w, text);
	} else {
		vmm_out_text(w->answer.output.out, text);
		vmm_out_char(w->answer.output.out, '\n');
	}
	vmm_out_flush(w->answer.output.out);
	free(text);
	return w->answer.output.out->failed ? VMM_E_OUTPUT : 0;
}

static int take(struct watch *w, struct vmm_err *err)
{
	struct vmm_snapshot *s = NULL;
	uint64_t start = vmm_now_ns();
	struct vmm_hold hold;
	int code = vmm_hold_begin(&hold, w->args, w->target, err);

	if (code == 0)
		code = vmm_cli_take_open(w->target, w->needs, &s, err);
	vmm_hold_end(&hold, s);
	if (code < 0)
		return code;
	w->read_ns = vmm_now_ns() - start;
	if (s->partial || s->target.state == 'Z' || s->target.state == 'X') {
		vmm_snapshot_destroy(s);
		return vmm_fail(err, VMM_E_GONE, 0, "%s: the target is gone", w->name);
	}
	vmm_snapshot_destroy(w->old);
	w->old = w->now;
	w->now = s;
	return 0;
}

/* A stop from the keyboard: the screen goes back first, and comes again afterwards. */
static void suspend(struct watch *w)
{
	put_screen(w, LEAVE_SCREEN);
	raise(SIGSTOP);
	put_screen(w, ENTER_SCREEN);
}

static enum wake wait_until(struct watch *w, uint64_t deadline_ns)
{
	uint64_t now = vmm_now_ns(), left = deadline_ns > now ? deadline_ns - now : 0;
	struct timespec timeout = {.tv_sec = (time_t)(left / 1000000000), .tv_nsec = (long)(left % 1000000000)};
	int signal = sigtimedwait(&w->signals, NULL, &timeout);

	if (signal < 0)
		return errno == EINTR ? WAKE_REDRAW : WAKE_TIME;
	if (signal == SIGTSTP)
		suspend(w);
	if (signal != SIGTSTP && signal != SIGWINCH)
		return WAKE_END;
	vmm_look_init(&w->answer.look, w->answer.output.fd, w->args->option[VMM_OPTION_COLOR],
	              w->args->option[VMM_OPTION_UNITS]);
	return WAKE_REDRAW;
}

/* Returns 0 when a signal ended it, else the error that did. */
static int loop(struct watch *w, struct vmm_err *err)
{
	for (;;) {
		uint64_t deadline = vmm_now_ns() + w->interval_ns;
		enum wake wake;
		int code = take(w, err);

		if (code == 0)
			code = draw(w, err);
		if (code < 0)
			return code;
		while ((wake = wait_until(w, deadline)) == WAKE_REDRAW) {
			code = draw(w, err);
			if (code < 0)
				return code;
		}
		if (wake == WAKE_END)
			return 0;
	}
}

/* Signals are waited for, not handled: between two looks is the only place where they matter. */
static void block_signals(struct watch *w, sigset_t *ret_before)
{
	static const int waited[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};

	sigemptyset(&w->signals);
	for (size_t i = 0; i < ARRAY_LEN(waited); i++)
		sigaddset(&w->signals, waited[i]);
	sigprocmask(SIG_BLOCK, &w->signals, ret_before);
}

int vmm_cli_watch(const struct vmm_args *args, const char *target, struct vmm_query *query, uint32_t needs,
                  uint64_t interval_ns)
{
	struct watch w = {.args = args, .name = target, .query = query, .needs = needs, .interval_ns = interval_ns};
	struct vmm_err err, own;
	sigset_t before;
	int code, closed;

	code = vmm_cli_open(args, target, &w.target, &err);
	if (code == 0 && !vmm_target_runs(w.target)) {
		code = vmm_fail(&err, VMM_E_USAGE, 0, "--watch: %.200s does not run: it would show the same again and again", target);
		vmm_target_close(w.target);
	}
	if (code < 0)
		return vmm_cli_fail_target(args, target, &err);
	code = vmm_answer_open(&w.answer, args, &err);
	if (code < 0) {
		vmm_target_close(w.target);
		return vmm_cli_fail(args, &err);
	}
	block_signals(&w, &before);
	put_screen(&w, ENTER_SCREEN);
	code = loop(&w, &err);
	put_screen(&w, LEAVE_SCREEN);
	/* The last that was seen of a target that has gone stays on the screen. */
	if ((code == VMM_E_GONE || code == VMM_E_NO_TARGET) && w.now && on_screen(&w))
		put_frame(&w, w.answer.output.out, &own);
	closed = vmm_output_close(&w.answer.output, true, &own);
	sigprocmask(SIG_SETMASK, &before, NULL);
	vmm_snapshot_destroy(w.old);
	vmm_snapshot_destroy(w.now);
	vmm_target_close(w.target);
	if (closed < 0)
		return vmm_cli_fail(args, &own);
	if ((code == VMM_E_NO_TARGET || code == VMM_E_GONE) && w.now)
		code = vmm_fail(&err, VMM_E_GONE, 0, "%s: the target ended while it was watched", target);
	return code < 0 && code != VMM_E_OUTPUT ? vmm_cli_fail_target(args, target, &err) : VMM_EXIT_DONE;
}
