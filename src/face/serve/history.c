/* The target of vmmap serve: how it is opened, and which snapshots of it there are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/out.h"
#include "face/cli.h"
#include "face/serve/serve.h"

#define INTERVAL_DEFAULT VMM_SECOND_NS
#define DUTY_DEFAULT 10000 /* 1 % in parts of a million */

static char *copy_text(const char *text)
{
	return vmm_output_name(text, "");
}

/* Forgets what is shown; who asked, and how often, stays. */
static void forget(struct srv_history *h)
{
	srv_view_done(&h->other);
	srv_view_done(&h->last);
	vmm_session_close(h->session);
	srv_file_close(h->sent);
	free(h->name);
	free(h->file);
	free(h->entries);
	h->session = NULL;
	h->name = h->file = NULL;
	h->sent = NULL;
	h->entries = NULL;
	h->count = h->capacity = 0;
	h->live = h->gone = false;
	h->plain_ns = h->heaps_ns = h->ready_ns = h->due_ns = 0;
}

void srv_history_close(struct srv_history *h)
{
	forget(h);
}

bool srv_history_add(struct srv_history *h, uint32_t n, uint32_t target, int32_t pid, const struct timespec *taken_at)
{
	if (!vmm_grow(&h->entries, &h->capacity, h->count + 1, sizeof(*h->entries)))
		return false;
	h->entries[h->count++] = (struct srv_entry){n, target, pid, *taken_at};
	return true;
}

int srv_history_reread(struct srv_history *h, struct vmm_err *err)
{
	struct vmm_session_index *index;
	int code = vmm_session_index(h->session, &index, err);

	if (code < 0)
		return code;
	h->count = 0;
	for (uint32_t i = 0; i < index->count && code == 0; i++) {
		const struct vmm_session_entry *e = &index->entries[i];

		h->has_memory |= e->has_memory;
		if (!srv_history_add(h, e->number, h->file ? e->target : 0, e->pid, &e->taken_at))
			code = vmm_fail_nomem(err);
	}
	vmm_session_index_destroy(index);
	return code;
}

/* --- files --- */

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
	int code = srv_view_take(h, given, &h->last, err);

	if (code < 0)
		return code;
	s = h->last.snapshot;
	if (h->last.n) {
		code = open_file(h, given, err);
		return code < 0 ? code : srv_history_reread(h, err);
	}
	h->last.n = 1;
	return srv_history_add(h, 1, 0, s->target.pid, &s->taken_at) ? 0 : vmm_fail_nomem(err);
}

/* --- processes --- */

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
	return code;
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

int srv_history_file(struct srv_history *h, struct srv_file **f, const char *name, struct vmm_err *err)
{
	struct srv_history fresh = fresh_of(h);
	struct vmm_err own = {0};
	int code;

	fresh.name = copy_text(name);
	code = fresh.name ? open_target(&fresh, srv_file_path(*f), &own) : vmm_fail_nomem(&own);
	fresh.sent = *f;
	*f = NULL;
	if (code < 0) {
		srv_file_name(fresh.sent, name, &own);
		if (strstr(own.text, name))
			*err = own;
		else
			(void)vmm_fail(err, code, own.os, "%.200s: %s", name, own.text[0] ? own.text : vmm_error_text(code));
	}
	return take_over(h, &fresh, code);
}
