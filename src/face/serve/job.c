/* What the worker of vmmap serve does for a request, and who is told of it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/out.h"
#include "face/serve/serve.h"
#include "view/json_write.h"

/* A new snapshot: what changed since the one before, unless that is nearly everything. */
static void tell_snapshot(struct srv_work *w, const struct vmm_snapshot *before, uint32_t n_before)
{
	const struct srv_view *now = &w->history.last;
	struct vmm_out *data = vmm_out_create_memory();
	bool changed = false;
	int code = VMM_E_NOMEM;

	if (data && before)
		code = srv_put_changes(data, before, n_before, now->snapshot, now->n, &changed, NULL);
	if (code == 0 && changed) {
		srv_work_send(w, srv_event("changes", now->n, data), true, n_before);
		return;
	}
	vmm_out_discard(data);
	pthread_mutex_lock(&w->lock);
	srv_work_forget_kept(w);
	pthread_mutex_unlock(&w->lock);
	srv_work_send(w, srv_event_reload(now->n), false, 0);
}

int srv_job_look(struct srv_work *w, bool asked, struct vmm_err *err)
{
	struct srv_history *h = &w->history;
	struct vmm_snapshot *before = NULL;
	uint32_t n_before = h->last.n;
	enum srv_news news = SRV_NEWS_NONE;
	struct vmm_err own = {0};
	int code = srv_history_look(h, asked, &news, &before, &own);
	char text[120];

	if (code < 0) {
		srv_work_send(w, srv_event_text("error", own.text[0] ? own.text : vmm_error_text(code), 0), false, 0);
		if (err)
			*err = own;
		return code;
	}
	switch (news) {
	case SRV_NEWS_GONE:
		srv_work_send(w, srv_event_text("gone", h->gone_text, 0), false, 0);
		break;
	case SRV_NEWS_EXEC:
		snprintf(text, sizeof(text), "process %d runs another program now", (int)h->id.pid);
		srv_work_send(w, srv_event_text("exec", text, h->last.n), false, 0);
		tell_snapshot(w, NULL, 0);
		break;
	case SRV_NEWS_SNAPSHOT:
		tell_snapshot(w, before, n_before);
		break;
	case SRV_NEWS_NONE:
		break;
	}
	vmm_snapshot_destroy(before);
	return 0;
}

static int do_look(struct srv_work *w, struct vmm_out *out, struct vmm_err *err)
{
	struct srv_history *h = &w->history;
	int code;

	if (!h->live)
		return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "what is shown does not run: there is nothing new to see");
	code = srv_job_look(w, true, err);
	if (code == 0 && h->gone)
		code = vmm_fail(err, VMM_E_GONE, 0, "%s", h->gone_text);
	if (code == 0)
		vmm_out_printf(out, "{\"n\":%u}\n", h->last.n);
	return code;
}

/* The answer, and the same to all who listen. */
static void put_pace(struct srv_work *w, struct vmm_out *out)
{
	vmm_out_char(out, '{');
	srv_history_pace(out, &w->history);
	vmm_out_text(out, "}\n");
	srv_work_send(w, srv_event_pace(&w->history), false, 0);
}

static int do_interval(struct srv_work *w, const struct srv_job *job, struct vmm_out *out, struct vmm_err *err)
{
	uint64_t ms;

	if (!srv_body_number(job->body, job->body_length, "ms", &ms))
		return vmm_fail(err, VMM_E_USAGE, 0, "the body has to be {\"ms\": number}; 0 pauses");
	srv_history_interval(&w->history, ms);
	put_pace(w, out);
	return 0;
}

static int do_growth(struct srv_work *w, const struct srv_job *job, struct vmm_out *out, struct vmm_err *err)
{
	uint64_t percent = 0;
	int code = srv_query_number(&job->query, "percent", 0, UINT32_MAX, &percent, err);

	if (code == 0)
		code = srv_history_growth(&w->history, srv_query_get(&job->query, "measure"), percent, err);
	if (code == 0)
		put_pace(w, out);
	return code;
}

static int do_target(struct srv_work *w, const struct srv_ask *ask, struct vmm_err *err)
{
	uint64_t pid = 0;
	int code = srv_query_number(ask->query, "name", 0, INT32_MAX, &pid, err);

	if (w->history.given)
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "vmmap serve was started for one target: without it, one can be chosen");
	if (code == 0 && !pid)
		code = vmm_fail(err, VMM_E_USAGE, 0, "name: a process is chosen by its number");
	if (code == 0)
		code = srv_history_choose(&w->history, (int32_t)pid, err);
	if (code < 0)
		return code;
	tell_snapshot(w, NULL, 0);
	return srv_answer_info(ask, err);
}

static int do_file(struct srv_work *w, struct srv_job *job, const struct srv_ask *ask, struct vmm_err *err)
{
	int code = srv_history_file(&w->history, &job->file, srv_query_get(&job->query, "name"), err);

	if (code < 0)
		return code;
	tell_snapshot(w, NULL, 0);
	return srv_answer_info(ask, err);
}

static int do_job(struct srv_work *w, struct srv_job *job, struct vmm_out *out, struct vmm_err *err)
{
	struct srv_ask ask = {&w->history, job->place, &job->query, out};
	bool empty = srv_body_empty(job->body, job->body_length);

	if (srv_place_at(job->place)->post && job->place != SRV_INTERVAL && !empty)
		return vmm_fail(err, VMM_E_USAGE, 0, "the body has to be empty, or {}");
	switch (job->place) {
	case SRV_LOOK:
		return do_look(w, out, err);
	case SRV_INTERVAL:
		return do_interval(w, job, out, err);
	case SRV_GROWTH:
		return do_growth(w, job, out, err);
	case SRV_TARGET:
		return do_target(w, &ask, err);
	case SRV_FILE:
		return do_file(w, job, &ask, err);
	default:
		return srv_answer(&ask, err);
	}
}

/* The status of the answer that tells an error of the library. */
static int status_of(int code)
{
	switch (code) {
	case VMM_E_USAGE:
	case VMM_E_EXPRESSION:
	case VMM_E_AMBIGUOUS:
		return 400;
	case VMM_E_NO_TARGET:
		return 404;
	case VMM_E_GONE:
		return 410;
	case VMM_E_UNSUPPORTED:
		return 501;
	case VMM_E_NOMEM:
	case VMM_E_LIMIT:
		return 503;
	default:
		return 500;
	}
}

static void put_error(struct srv_job *job, int code, const struct vmm_err *err)
{
	struct vmm_out *out = vmm_out_create_memory();

	/* Of a file that is no target it is the file that is wrong, whatever of it. */
	job->status = job->place == SRV_FILE && code != VMM_E_NOMEM ? 422 : status_of(code);
	if (!out)
		return;
	vmm__json_key_text(out, "{\"error\":", err->text[0] ? err->text : vmm_error_text(code));
	if (code == VMM_E_EXPRESSION && err->column)
		vmm__json_key_number(out, ",\"column\":", true, err->column);
	vmm_out_text(out, "}\n");
	job->text = vmm_out_take(out, &job->length);
}

void srv_job_answer(struct srv_job *job, struct vmm_out *out, int code, const struct vmm_err *err)
{
	char *text = out ? vmm_out_take(out, &job->length) : NULL;

	if (code >= 0 && !text)
		code = VMM_E_NOMEM;
	if (code < 0) {
		free(text);
		put_error(job, code, err);
	} else {
		job->status = 200;
		job->text = text;
	}
}

void srv_job_run(struct srv_work *w, struct srv_job *job)
{
	struct vmm_out *out = vmm_out_create_memory();
	struct vmm_err err = {0};
	int code = out ? do_job(w, job, out, &err) : VMM_E_NOMEM;

	if (code < 0)
		srv_file_name(w->history.sent, w->history.name, &err);
	srv_job_answer(job, out, code, &err);
}
