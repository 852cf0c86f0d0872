/* vmmap record: the options, and the loop of looks until the end. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "face/record.h"

#define EVERY_DEFAULT VMM_SECOND_NS
#define EVERY_LEAST (VMM_SECOND_NS / 100)
#define FOR_MOST (3650 * VMM_DAY_NS)
#define DUTY_DEFAULT 10000 /* 1 % in parts of a million */
#define NAP_NS VMM_SECOND_NS /* the end of the targets is noticed so soon, however long the interval is */
#define NAP_TARGETS 64       /* as long as that costs nothing */
#define REAP_NS (VMM_SECOND_NS / 2) /* how long the command's end is waited for after a signal */

static int make_plan(struct recorder *r, struct vmm_err *err)
{
	const struct vmm_args *args = r->args;
	const char *const *option = args->option;
	int code = 0;

	r->interval_ns = EVERY_DEFAULT;
	r->duty_ppm = DUTY_DEFAULT;
	if (vmm_args_has(args, VMM_OPTION_FAST) && vmm_args_has(args, VMM_OPTION_HEAPS))
		return vmm_fail(err, VMM_E_USAGE, 0, "--fast leaves the heaps out, --heaps walks them: choose one");
	if (option[VMM_OPTION_EVERY])
		code = vmm_amount_duration("every", option[VMM_OPTION_EVERY], EVERY_LEAST, VMM_DAY_NS, &r->interval_ns, err);
	if (code == 0 && option[VMM_OPTION_FOR])
		code = vmm_amount_duration("for", option[VMM_OPTION_FOR], 1, FOR_MOST, &r->for_ns, err);
	if (code == 0 && option[VMM_OPTION_DUTY])
		code = vmm_amount_share("duty", option[VMM_OPTION_DUTY], &r->duty_ppm, err);
	if (code == 0 && option[VMM_OPTION_ON_GROWTH])
		code = vmm_amount_growth("on-growth", option[VMM_OPTION_ON_GROWTH], &r->growth, err);
	if (code == 0 && option[VMM_OPTION_KEEP])
		code = vmm_amount_keep("keep", option[VMM_OPTION_KEEP], &r->keep, err);
	return code < 0 ? code : vmm_session_file_kinds(args, &r->kinds, err);
}

/* Waited for, not handled: between two looks is the only place where they matter. */
static void block_signals(struct recorder *r)
{
	static const int waited[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};

	sigemptyset(&r->signals);
	for (size_t i = 0; i < ARRAY_LEN(waited); i++)
		sigaddset(&r->signals, waited[i]);
	sigprocmask(SIG_BLOCK, &r->signals, NULL);
	vmm_session_file_signals();
}

static int start_program(struct recorder *r, struct vmm_err *err)
{
	struct vmm_glance g;
	int code;

	if (!r->args->program)
		return 0;
	code = rec_program_start(&r->program, r->args->program, err);
	/* Until it is waited for its PID is its own. */
	if (code == 0)
		code = vmm_process_glance((int32_t)r->program.pid, &g, err);
	return code < 0 ? code : rec_add(r, &g, true, err);
}

/* Sleeps until then, or until a signal. True: the signal is one that ends the recording. */
static bool wait_signal(struct recorder *r, uint64_t until_ns)
{
	uint64_t now = vmm_now_ns(), left = until_ns > now ? until_ns - now : 0;
	struct timespec timeout = {.tv_sec = (time_t)(left / VMM_SECOND_NS), .tv_nsec = (long)(left % VMM_SECOND_NS)};
	int signal = sigtimedwait(&r->signals, NULL, &timeout);

	rec_program_poll(&r->program);
	return signal > 0 && signal != SIGCHLD;
}

static bool all_ended(struct recorder *r)
{
	return rec_alive(r) == 0 && !rec_may_come(r);
}

/* Until the next look is due; what ends meanwhile ends the recording. */
static enum rec_end wait_next(struct recorder *r)
{
	for (;;) {
		uint64_t now = vmm_now_ns(), until = r->due_ns;

		if (r->for_ns)
			until = vmm_min_u64(until, r->start_ns + r->for_ns);
		if (r->count <= NAP_TARGETS)
			until = vmm_min_u64(until, now + NAP_NS);
		if (wait_signal(r, until))
			return REC_SIGNAL;
		now = vmm_now_ns();
		if (r->for_ns && now >= r->start_ns + r->for_ns)
			return REC_TIME;
		if (now >= r->due_ns)
			return REC_GOES_ON;
		if ((r->program.ended || r->count <= NAP_TARGETS) && all_ended(r))
			return REC_ALL_ENDED;
	}
}

/* When the next look is due: on the interval's grid, unless the duty puts it off. */
static void plan_next(struct recorder *r)
{
	uint64_t now = vmm_now_ns(), grid = r->due_ns + r->interval_ns;

	r->due_ns = vmm_max_u64(grid, r->ready_ns);
	/* What the duty adds to the rest that is left anyway. */
	r->put_off_ns += r->due_ns - vmm_min_u64(r->due_ns, vmm_max_u64(grid, now));
	/* Off the grid by the duty: said once, when it is more than the dear first look. */
	if (r->ready_ns > grid && r->ready_ns - grid > r->interval_ns / 10 && r->rounds > 2 && !r->told_stretch) {
		r->told_stretch = true;
		rec_say_stretch(r);
	}
	if (r->due_ns < now) /* overslept: the machine was, or a look took longer than the interval */
		r->due_ns = now;
}

/* Nobody is there yet: a name is waited for, unless it looks like a slip. */
static int check_found(struct recorder *r, struct vmm_err *err)
{
	if (r->count > 0)
		return 0;
	if (r->name_count == 0)
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "%.150s: no process is in this cgroup, or below it", r->cgroup);
	for (size_t i = 0; i < r->name_count; i++)
		if (access(r->names[i], F_OK) == 0)
			return vmm_fail(err, VMM_E_NO_TARGET, 0, "%.100s: no running process has this name, and a file cannot be "
			                "recorded; vmmap save keeps a snapshot of one", r->names[i]);
	rec_say(r, "no process has this name yet: waiting for %.100s", r->names[0]);
	return 0;
}

static enum rec_end loop(struct recorder *r, struct vmm_err *err)
{
	enum rec_end end = REC_GOES_ON;

	r->start_ns = r->due_ns = r->ready_ns = vmm_now_ns();
	while (end == REC_GOES_ON) {
		uint64_t now = vmm_now_ns();

		r->late_ns = now - vmm_min_u64(now, r->due_ns);
		r->latest_ns = vmm_max_u64(r->latest_ns, r->late_ns);
		if (rec_round(r, false, err) < 0 || (r->rounds == 1 && check_found(r, err) < 0))
			return REC_FAILED;
		rec_say_line(r);
		rec_program_poll(&r->program);
		if (all_ended(r))
			return REC_ALL_ENDED;
		plan_next(r);
		end = wait_next(r);
	}
	/* The first and the last state are kept, whatever was looked for between them. */
	if (rec_round(r, true, err) < 0)
		return REC_FAILED;
	return end;
}

/* After a signal from the terminal the command ends too; without the session it goes on, and so do we. */
static void wait_program(struct recorder *r, enum rec_end end)
{
	uint64_t until = vmm_now_ns() + REAP_NS;

	if (!r->program.pid || r->program.ended)
		return;
	if (end == REC_FAILED) {
		rec_say(r, "nothing more is recorded; waiting for the command to end");
		while (!r->program.ended && !wait_signal(r, vmm_now_ns() + NAP_NS))
			;
		return;
	}
	while (end == REC_SIGNAL && !r->program.ended && vmm_now_ns() < until && !wait_signal(r, until))
		;
}

static int exit_status(const struct recorder *r)
{
	if (r->kept && r->program.pid && r->program.ended)
		return rec_program_status(&r->program);
	if (r->kept == 0 && r->status == 0)
		return r->count + r->forgotten ? VMM_EXIT_GONE : VMM_EXIT_UNREADABLE;
	return r->status;
}

static int record(struct recorder *r, struct vmm_err *err)
{
	enum rec_end end;
	int status;

	end = loop(r, err);
	r->end_ns = vmm_now_ns();
	rec_say_clear(r);
	status = end == REC_FAILED ? vmm_cli_fail(r->args, err) : VMM_EXIT_DONE;
	wait_program(r, end);
	rec_alive(r);
	if (r->count + r->forgotten)
		rec_say_summary(r);
	return status ? status : exit_status(r);
}

static void done(struct recorder *r)
{
	vmm_session_file_close(&r->file, r->kept == 0);
	free(r->processes);
	free(r->cgroup);
}

int vmm_cli_record(const struct vmm_args *args)
{
	struct recorder r = {.args = args};
	struct vmm_err err;
	int code, status;

	vmm_look_init(&r.look, STDERR_FILENO, NULL, "auto");
	code = make_plan(&r, &err);
	if (code == 0)
		code = rec_find_init(&r, &err);
	if (code == 0) {
		block_signals(&r);
		code = vmm_session_file_open(&r.file, args, true, &err);
	}
	if (code == 0)
		code = start_program(&r, &err);
	status = code < 0 ? vmm_cli_fail(args, &err) : record(&r, &err);
	done(&r);
	return status;
}
