/* The target of vmmap serve: its snapshots, which one is meant, and when a process is looked at again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/match.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/out.h"
#include "base/scan.h"
#include "base/search.h"
#include "face/cli.h"
#include "face/serve.h"
#include "view/json_write.h"

#define INTERVAL_DEFAULT VMM_SECOND_NS
#define DUTY_DEFAULT 10000 /* 1 % in parts of a million */
#define HEAPS_PAUSE_MAX (10 * VMM_SECOND_NS) /* heaps are walked in every look unless the duty then asks for more than this */
#define NEEDS (VMM_NEED_DEFAULT | VMM_NEED_EXTRA)
#define KEEP_BYTES (UINT64_C(64) << 20) /* of the history of a process, on the disk */

static char *copy_text(const char *text)
{
	return vmm_output_name(text, "");
}

void srv_view_done(struct srv_view *v)
{
	vmm_snapshot_destroy(v->snapshot);
	if (v->target)
		vmm_target_close(v->target);
	memset(v, 0, sizeof(*v));
}

/* Forgets what is shown; who asked, and how often, stays. */
static void forget(struct srv_history *h)
{
	srv_view_done(&h->other);
	srv_view_done(&h->last);
	vmm_session_close(h->session);
	srv_file_remove(h->sent);
	free(h->name);
	free(h->file);
	free(h->entries);
	h->session = NULL;
	h->name = h->file = h->sent = NULL;
	h->entries = NULL;
	h->count = h->capacity = 0;
	h->live = h->gone = false;
	h->plain_ns = h->heaps_ns = h->ready_ns = h->due_ns = 0;
}

void srv_history_close(struct srv_history *h)
{
	forget(h);
}

static bool add_entry(struct srv_history *h, uint32_t n, uint32_t target, int32_t pid, const struct timespec *taken_at)
{
	if (!vmm_grow(&h->entries, &h->capacity, h->count + 1, sizeof(*h->entries)))
		return false;
	h->entries[h->count++] = (struct srv_entry){n, target, pid, *taken_at};
	return true;
}

/* The entries as the session has them: after it was opened, and when old ones were dropped. */
static int read_entries(struct srv_history *h, struct vmm_err *err)
{
	struct vmm_session_index *index;
	int code = vmm_session_index(h->session, &index, err);

	if (code < 0)
		return code;
	h->count = 0;
	for (uint32_t i = 0; i < index->count && code == 0; i++) {
		const struct vmm_session_entry *e = &index->entries[i];

		h->has_memory |= e->has_memory;
		if (!add_entry(h, e->number, h->file ? e->target : 0, e->pid, &e->taken_at))
			code = vmm_fail_nomem(err);
	}
	vmm_session_index_destroy(index);
	return code;
}

/* --- files --- */

static int take_view(struct srv_history *h, const char *name, struct srv_view *ret, struct vmm_err *err)
{
	struct vmm_take take = {.needs = NEEDS | VMM_NEED_HEAPS};
	struct srv_view v = {0};
	int code = vmm_cli_open(h->args, name, &v.target, err);

	if (code == 0)
		code = vmm_target_snapshot(v.target, &take, &v.snapshot, err);
	if (code < 0) {
		srv_view_done(&v);
		return code;
	}
	v.n = v.snapshot->session_number;
	*ret = v;
	return 0;
}

/* A session by its name without @N; one whose own name has an @ is taken at its name. */
static int open_file(struct srv_history *h, const char *given, struct vmm_err *err)
{
	char *at;

	h->file = copy_text(given);
	if (!h->file)
		return vmm_fail_nomem(err);
	at = strrchr(h->file, '@');
	if (access(h->file, F_OK) != 0 && at)
		*at = '\0';
	return vmm_session_open(h->file, VMM_SESSION_READ, &h->session, err);
}

static int open_target(struct srv_history *h, const char *given, struct vmm_err *err)
{
	struct vmm_snapshot *s;
	int code = take_view(h, given, &h->last, err);

	if (code < 0)
		return code;
	s = h->last.snapshot;
	if (h->last.n) {
		code = open_file(h, given, err);
		return code < 0 ? code : read_entries(h, err);
	}
	h->last.n = 1;
	return add_entry(h, 1, 0, s->target.pid, &s->taken_at) ? 0 : vmm_fail_nomem(err);
}

/* --- processes --- */

static uint64_t stretched(const struct srv_history *h, uint64_t cost_ns)
{
	return (uint64_t)((vmm_wide)cost_ns * 1000000 / h->duty_ppm);
}

static bool wants_heaps(const struct srv_history *h, bool asked)
{
	if (vmm_args_has(h->args, VMM_OPTION_FAST))
		return false;
	return asked || !h->heaps_ns || stretched(h, h->heaps_ns) <= vmm_max_u64(HEAPS_PAUSE_MAX, h->interval_ns);
}

static void set_gone(struct srv_history *h)
{
	h->gone = true;
	snprintf(h->gone_text, sizeof(h->gone_text), "process %d has ended: what was seen of it stays", (int)h->id.pid);
	/* Nothing can be read any more, and its PID may soon be another's. */
	if (h->last.target)
		vmm_target_close(h->last.target);
	h->last.target = NULL;
}

/* Opens and reads the process. SRV_NEWS_NONE: it could not be read to the end, as happens while it execs. */
static int read_process(struct srv_history *h, bool asked, struct srv_view *ret, struct vmm_err *err)
{
	bool heaps = wants_heaps(h, asked);
	struct vmm_take take = {.needs = NEEDS | (heaps ? VMM_NEED_HEAPS : 0)};
	uint64_t begin = vmm_now_ns(), cost;
	struct srv_view v = {0};
	int code;

	if (vmm_args_has(h->args, VMM_OPTION_FAST))
		take.needs = VMM_NEED_FAST;
	if (vmm_args_has(h->args, VMM_OPTION_NUMA))
		take.needs |= VMM_NEED_NUMA;
	code = vmm_target_open_pid(h->id.pid, &v.target, err);
	if (code == 0)
		code = vmm_target_snapshot(v.target, &take, &v.snapshot, err);
	cost = vmm_now_ns() - begin;
	*(heaps ? &h->heaps_ns : &h->plain_ns) = cost;
	h->last_ns = cost;
	h->read_ns += cost;
	h->looks++;
	if (h->watch_from_ns && !asked)
		h->watched_read_ns += cost;
	if (code < 0) {
		srv_view_done(&v);
		return code;
	}
	*ret = v;
	return 0;
}

/* Room for new ones: the oldest go. */
static int drop_old(struct srv_history *h, struct vmm_err *err)
{
	struct vmm_session_keep keep = {.bytes = KEEP_BYTES};
	uint32_t dropped = 0;
	int code = vmm_session_drop(h->session, &keep, &dropped, err);

	return code == 0 && dropped ? read_entries(h, err) : code;
}

/* Puts what was read at the end of the history. What it takes besides reading counts in the duty as processor time. */
static int keep(struct srv_history *h, struct srv_view *v, struct vmm_err *err)
{
	int code = vmm_session_add(h->session, v->snapshot, NULL, &v->n, err);

	if (code == 0 && !add_entry(h, v->n, 0, v->snapshot->target.pid, &v->snapshot->taken_at))
		code = vmm_fail_nomem(err);
	return code < 0 ? code : drop_old(h, err);
}

static void plan_next(struct srv_history *h, uint64_t begin)
{
	uint64_t now = vmm_now_ns();

	h->ready_ns = now + stretched(h, now - begin);
	h->due_ns = vmm_max_u64(begin + h->interval_ns, h->ready_ns);
}

/* Where addresses are not random the layout of another program may be that of the one before: its file is not. */
static bool is_other_program(const struct vmm_snapshot *before, const struct vmm_snapshot *now)
{
	const char *was = before->target.exe, *is = now->target.exe;

	return !vmm__same_process(before, now) || (was && is && was[0] && is[0] && strcmp(was, is) != 0);
}

int srv_history_look(struct srv_history *h, bool asked, enum srv_news *ret_news, struct vmm_snapshot **ret_before, struct vmm_err *err)
{
	uint64_t begin = vmm_now_ns();
	struct vmm_glance before = {0}, after;
	struct srv_view v = {0};
	int code = 0;

	*ret_news = SRV_NEWS_NONE;
	*ret_before = NULL;
	if (!h->live || h->gone)
		return 0;
	if (vmm_process_runs(&h->id, &before))
		code = read_process(h, asked, &v, err);
	plan_next(h, begin);
	/* Without memory, or torn: it has ended, or is another program in a moment. */
	if (code == VMM_E_GONE || code == VMM_E_NO_TARGET || !vmm_process_runs(&h->id, &after)) {
		srv_view_done(&v);
		set_gone(h);
		*ret_news = SRV_NEWS_GONE;
		return 0;
	}
	if (code < 0 || v.snapshot->partial) {
		srv_view_done(&v);
		return code;
	}
	/* What came while it was read counts as growth since. */
	h->mark = before;
	code = keep(h, &v, err);
	if (code < 0) {
		srv_view_done(&v);
		return code;
	}
	plan_next(h, begin);
	*ret_news = h->last.snapshot && is_other_program(h->last.snapshot, v.snapshot) ? SRV_NEWS_EXEC : SRV_NEWS_SNAPSHOT;
	if (*ret_news == SRV_NEWS_SNAPSHOT) {
		*ret_before = h->last.snapshot;
		h->last.snapshot = NULL;
	}
	srv_view_done(&h->other);
	srv_view_done(&h->last);
	h->last = v;
	return 0;
}

static int open_process(struct srv_history *h, int32_t pid, struct vmm_err *err)
{
	struct vmm_snapshot *before;
	struct vmm_glance g;
	enum srv_news news = SRV_NEWS_NONE;
	int code = vmm_process_glance(pid, &g, err);

	if (code < 0)
		return code == VMM_E_GONE ? vmm_fail(err, VMM_E_NO_TARGET, 0, "%d: no such process", (int)pid) : code;
	h->id = g.id;
	h->live = true;
	code = vmm_session_open("", VMM_SESSION_TEMPORARY, &h->session, err);
	if (code == 0)
		code = srv_history_look(h, true, &news, &before, err);
	if (code == 0 && news != SRV_NEWS_SNAPSHOT)
		code = vmm_fail(err, VMM_E_GONE, 0, "%d: it ended while it was read", (int)pid);
	if (code < 0)
		return code;
	/* It was the first: nothing to spare the target from yet. */
	h->ready_ns = 0;
	h->due_ns = vmm_now_ns() + h->interval_ns;
	return 0;
}

/* A process by its number, whether that or its name was given. */
static int open_any(struct srv_history *h, const char *given, struct vmm_err *err)
{
	struct vmm_target *t;
	int32_t pid = 0;
	int code = vmm_cli_open(h->args, given, &t, err);

	if (code < 0)
		return code;
	if (vmm_target_runs(t)) {
		struct vmm_take take = {.needs = VMM_NEED_MAPS};
		struct vmm_snapshot *s;

		code = vmm_target_snapshot(t, &take, &s, err);
		if (code == 0) {
			pid = s->target.pid;
			vmm_snapshot_destroy(s);
		}
	}
	vmm_target_close(t);
	if (code < 0)
		return code;
	return pid > 0 ? open_process(h, pid, err) : open_target(h, given, err);
}

int srv_history_open(struct srv_history *h, const struct vmm_args *args, const char *given, struct vmm_err *err)
{
	int code = 0;

	memset(h, 0, sizeof(*h));
	h->args = args;
	h->given = given;
	h->interval_ns = INTERVAL_DEFAULT;
	h->growth_of = VMM_METRIC_RSS;
	h->duty_ppm = DUTY_DEFAULT;
	if (args->option[VMM_OPTION_EVERY])
		code = vmm_amount_duration("every", args->option[VMM_OPTION_EVERY], SRV_INTERVAL_LEAST, VMM_DAY_NS, &h->interval_ns, err);
	if (code == 0 && args->option[VMM_OPTION_DUTY])
		code = vmm_amount_share("duty", args->option[VMM_OPTION_DUTY], &h->duty_ppm, err);
	if (code < 0 || !given)
		return code;
	h->name = copy_text(given);
	code = h->name ? open_any(h, given, err) : vmm_fail_nomem(err);
	if (code < 0)
		srv_history_close(h);
	return code;
}

/* One that shows nothing yet, kept as the other is. */
static struct srv_history fresh_of(const struct srv_history *h)
{
	return (struct srv_history){.args = h->args, .interval_ns = h->interval_ns, .duty_ppm = h->duty_ppm,
	                            .watch_from_ns = h->watch_from_ns, .growth = h->growth, .growth_of = h->growth_of};
}

/* What was opened takes the place of what was shown; where it was not, that stays. */
static int take_over(struct srv_history *h, struct srv_history *fresh, int code)
{
	if (code < 0) {
		forget(fresh);
		return code;
	}
	forget(h);
	*h = *fresh;
	return 0;
}

int srv_history_choose(struct srv_history *h, int32_t pid, struct vmm_err *err)
{
	struct srv_history fresh = fresh_of(h);
	char name[16];

	snprintf(name, sizeof(name), "%d", (int)pid);
	fresh.name = copy_text(name);
	return take_over(h, &fresh, fresh.name ? open_process(&fresh, pid, err) : vmm_fail_nomem(err));
}

int srv_history_file(struct srv_history *h, struct srv_file *f, const char *name, struct vmm_err *err)
{
	struct srv_history fresh = fresh_of(h);
	struct vmm_err own = {0};
	int code;

	fresh.name = copy_text(name);
	code = fresh.name ? open_target(&fresh, f->path, &own) : vmm_fail_nomem(&own);
	if (code == 0) {
		fresh.sent = f->path;
		f->path = NULL;
	} else {
		srv_file_name(f->path, name, &own);
		if (strstr(own.text, name))
			*err = own;
		else
			(void)vmm_fail(err, code, own.os, "%.200s: %s", name, own.text[0] ? own.text : vmm_error_text(code));
	}
	return take_over(h, &fresh, code);
}

/* --- which snapshot is meant --- */

static int parse_number(const char *text, uint32_t *ret, struct vmm_err *err)
{
	struct vmm_scan s = vmm_scan_init(text, strlen(text));
	uint64_t n;

	if (!vmm_scan_dec(&s, &n) || !vmm_scan_done(&s) || n == 0 || n >= VMM_NONE)
		return vmm_fail(err, VMM_E_USAGE, 0, "n: neither the number of a snapshot nor 'last'");
	*ret = (uint32_t)n;
	return 0;
}

static int find_number(const struct srv_history *h, const char *n, uint32_t *ret, struct vmm_err *err)
{
	size_t at;
	int code;

	if (!h->last.snapshot)
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "no process has been chosen yet");
	if (!n || strcmp(n, "last") == 0) {
		*ret = h->last.n;
		return 0;
	}
	code = parse_number(n, ret, err);
	if (code < 0)
		return code;
	at = VMM_FIRST_ABOVE(h->entries, h->count, n, *ret);
	return at > 0 && h->entries[at - 1].n == *ret ? 0 : vmm_fail(err, VMM_E_NO_TARGET, 0, "there is no snapshot %u", *ret);
}

/* One that is not at hand: of a file with the target that holds its contents, of a process alone. */
static int load_view(struct srv_history *h, uint32_t n, struct srv_view *ret, struct vmm_err *err)
{
	char number[16];
	char *name;
	int code;

	if (!h->session)
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "there is no snapshot %u", n);
	memset(ret, 0, sizeof(*ret));
	ret->n = n;
	if (!h->file)
		return vmm_session_load(h->session, n, &ret->snapshot, err);
	snprintf(number, sizeof(number), "@%u", n);
	name = vmm_output_name(h->file, number);
	code = name ? take_view(h, name, ret, err) : vmm_fail_nomem(err);
	free(name);
	return code;
}

int srv_history_find(struct srv_history *h, const char *n, struct srv_view *ret, struct vmm_err *err)
{
	struct srv_view v;
	uint32_t number;
	int code = find_number(h, n, &number, err);

	if (code == 0 && number != h->last.n && number != h->other.n) {
		code = load_view(h, number, &v, err);
		if (code == 0) {
			srv_view_done(&h->other);
			h->other = v;
		}
	}
	if (code == 0)
		*ret = number == h->last.n ? h->last : h->other;
	return code;
}

int srv_history_load(struct srv_history *h, const char *n, struct vmm_snapshot **ret, bool *ret_own, struct vmm_err *err)
{
	struct srv_view v;
	uint32_t number;
	int code = find_number(h, n, &number, err);

	if (code < 0)
		return code;
	*ret_own = number != h->last.n && number != h->other.n;
	if (!*ret_own) {
		*ret = number == h->last.n ? h->last.snapshot : h->other.snapshot;
		return 0;
	}
	code = load_view(h, number, &v, err);
	if (code < 0)
		return code;
	if (v.target)
		vmm_target_close(v.target);
	*ret = v.snapshot;
	return 0;
}
