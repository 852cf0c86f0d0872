/* The worker of vmmap serve: does one thing after another, and tells who listens what has come. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/arena.h"
#include "base/err.h"
#include "base/out.h"
#include "base/scan.h"
#include "face/serve.h"
#include "view/json_write.h"

#define JOBS_MAX 64
#define LISTENERS_MAX 16
#define ANSWERS_MAX (UINT64_C(64) << 20) /* bytes of answers that wait for slow clients */
#define BEHIND_MAX (UINT64_C(8) << 20)   /* bytes that wait for one listener */
#define TRIM_NS (VMM_SECOND_NS / 2)
#define KEPT_MAX (UINT64_C(2) << 20)     /* bytes of changes that are kept for who comes back */

/* --- events --- */

static void release(struct srv_bytes *b)
{
	if (b && --b->users == 0) {
		free(b->text);
		free(b);
	}
}

/* Lines of an event: text stands behind "data: ", line by line. id 0: none. The memory of text goes. */
static struct srv_bytes *make_event(const char *type, uint32_t id, struct vmm_out *data)
{
	struct vmm_out *out = vmm_out_create_memory();
	size_t length = 0;
	char *text = data ? vmm_out_take(data, &length) : NULL;
	struct srv_bytes *b = vmm_alloc_hook(NULL, sizeof(*b));

	if (out && text && b) {
		struct vmm_scan s = vmm_scan_init(text, length), line;

		vmm_out_printf(out, "event: %s\n", type);
		if (id)
			vmm_out_printf(out, "id: %u\n", id);
		while (vmm_scan_line(&s, &line)) {
			vmm_out_text(out, "data: ");
			vmm_out_bytes(out, line.p, (size_t)(line.end - line.p));
			vmm_out_char(out, '\n');
		}
		vmm_out_char(out, '\n');
	}
	if (b)
		*b = (struct srv_bytes){.users = 1};
	if (b && out && text)
		b->text = vmm_out_take(out, &b->length);
	else if (out)
		free(vmm_out_take(out, NULL));
	free(text);
	if (b && !b->text) {
		free(b);
		return NULL;
	}
	return b;
}

static struct srv_bytes *make_text_event(const char *type, const char *text, uint32_t n)
{
	struct vmm_out *data = vmm_out_create_memory();

	if (!data)
		return NULL;
	vmm__json_key_text(data, "{\"text\":", text);
	if (n)
		vmm_out_printf(data, ",\"n\":%u", n);
	vmm_out_char(data, '}');
	return make_event(type, 0, data);
}

static struct srv_bytes *make_reload(uint32_t n)
{
	struct vmm_out *data = vmm_out_create_memory();

	if (data)
		vmm_out_printf(data, "{\"n\":%u}", n);
	return data ? make_event("reload", n, data) : NULL;
}

static struct srv_bytes *make_pace(const struct srv_history *h)
{
	struct vmm_out *data = vmm_out_create_memory();

	if (!data)
		return NULL;
	vmm__json_key_number(data, "{\"interval_ms\":", true, h->interval_ns / 1000000);
	srv_history_cost(data, h);
	vmm_out_char(data, '}');
	return make_event("interval", 0, data);
}

static void wake_listener(struct srv_work *w, struct srv_listener *l)
{
	if (l->suspended) {
		l->suspended = false;
		w->resume(l->connection);
	}
}

static struct srv_bytes **pending_at(struct srv_listener *l, size_t i)
{
	return &l->pending[(l->first + i) % SRV_PENDING_MAX];
}

/* Takes back what was not begun to be sent. */
static void drop_pending(struct srv_listener *l)
{
	size_t begun = l->count && l->at ? 1 : 0;

	while (l->count > begun)
		release(*pending_at(l, --l->count));
}

static void push(struct srv_work *w, struct srv_listener *l, struct srv_bytes *b)
{
	uint64_t waits = 0;

	for (size_t i = 0; i < l->count; i++)
		waits += (*pending_at(l, i))->length;
	if (l->count == SRV_PENDING_MAX || waits > BEHIND_MAX) {
		struct srv_bytes *reload = make_reload(w->history.last.n);

		drop_pending(l);
		if (!reload)
			return;
		*pending_at(l, l->count++) = reload;
	} else {
		b->users++;
		*pending_at(l, l->count++) = b;
	}
	wake_listener(w, l);
}

static void forget_kept(struct srv_work *w)
{
	while (w->kept_count > 0)
		release(w->kept[--w->kept_count]);
}

/* Keeps a change for who comes back soon. */
static void keep_change(struct srv_work *w, struct srv_bytes *b, uint32_t from)
{
	uint64_t bytes = b->length;
	size_t drop = 0;

	for (size_t i = w->kept_count; i > 0; i--) {
		bytes += w->kept[i - 1]->length;
		if (bytes > KEPT_MAX || w->kept_count - i + 2 > SRV_PENDING_MAX) {
			drop = i;
			break;
		}
	}
	for (size_t i = 0; i < drop; i++)
		release(w->kept[i]);
	memmove(w->kept, w->kept + drop, (w->kept_count - drop) * sizeof(*w->kept));
	memmove(w->kept_from, w->kept_from + drop, (w->kept_count - drop) * sizeof(*w->kept_from));
	w->kept_count -= drop;
	b->users++;
	w->kept[w->kept_count] = b;
	w->kept_from[w->kept_count++] = from;
}

/* To all who listen; the caller's hold on it ends. Without the lock. */
static void send_all(struct srv_work *w, struct srv_bytes *b, bool change, uint32_t from)
{
	if (!b)
		return;
	pthread_mutex_lock(&w->lock);
	if (change)
		keep_change(w, b, from);
	for (struct srv_listener *l = w->listeners; l; l = l->next)
		if (!l->closed && !l->fresh)
			push(w, l, b);
	release(b);
	pthread_mutex_unlock(&w->lock);
}

/* What a listener has missed. Under the lock. */
static void greet(struct srv_work *w, struct srv_listener *l)
{
	uint32_t now = w->history.last.n;
	struct srv_bytes *reload;
	size_t i = 0;

	l->fresh = false;
	if (!l->after || l->after == now)
		return;
	while (i < w->kept_count && w->kept_from[i] != l->after)
		i++;
	for (size_t j = i; j < w->kept_count; j++)
		push(w, l, w->kept[j]);
	reload = i == w->kept_count ? make_reload(now) : NULL;
	if (reload) {
		push(w, l, reload);
		release(reload);
	}
}

/* --- looks --- */

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
		send_all(w, make_event("changes", now->n, data), true, n_before);
		return;
	}
	if (data)
		free(vmm_out_take(data, NULL));
	pthread_mutex_lock(&w->lock);
	forget_kept(w);
	pthread_mutex_unlock(&w->lock);
	send_all(w, make_reload(now->n), false, 0);
}

static int look(struct srv_work *w, bool asked, struct vmm_err *err)
{
	struct srv_history *h = &w->history;
	struct vmm_snapshot *before = NULL;
	uint32_t n_before = h->last.n;
	enum srv_news news = SRV_NEWS_NONE;
	struct vmm_err own = {0};
	int code = srv_history_look(h, asked, &news, &before, &own);
	char text[120];

	if (code < 0) {
		send_all(w, make_text_event("error", own.text[0] ? own.text : vmm_error_text(code), 0), false, 0);
		if (err)
			*err = own;
		return code;
	}
	switch (news) {
	case SRV_NEWS_GONE:
		send_all(w, make_text_event("gone", h->gone_text, 0), false, 0);
		break;
	case SRV_NEWS_EXEC:
		snprintf(text, sizeof(text), "process %d runs another program now", (int)h->id.pid);
		send_all(w, make_text_event("exec", text, h->last.n), false, 0);
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

/* --- jobs --- */

static int do_look(struct srv_work *w, struct vmm_out *out, struct vmm_err *err)
{
	struct srv_history *h = &w->history;
	int code;

	if (!h->live)
		return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "what is shown does not run: there is nothing new to see");
	code = look(w, true, err);
	if (code == 0 && h->gone)
		code = vmm_fail(err, VMM_E_GONE, 0, "%s", h->gone_text);
	if (code == 0)
		vmm_out_printf(out, "{\"n\":%u}\n", h->last.n);
	return code;
}

static int do_interval(struct srv_work *w, const struct srv_job *job, struct vmm_out *out, struct vmm_err *err)
{
	uint64_t ms;

	if (!srv_body_number(job->body, job->body_length, "ms", &ms))
		return vmm_fail(err, VMM_E_USAGE, 0, "the body has to be {\"ms\": number}; 0 pauses");
	srv_history_interval(&w->history, ms);
	vmm__json_key_number(out, "{\"interval_ms\":", true, w->history.interval_ns / 1000000);
	srv_history_cost(out, &w->history);
	vmm_out_text(out, "}\n");
	send_all(w, make_pace(&w->history), false, 0);
	return 0;
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
	case SRV_TARGET:
		return do_target(w, &ask, err);
	default:
		return srv_answer(&ask, err);
	}
}

static void put_error(struct srv_job *job, int code, const struct vmm_err *err)
{
	struct vmm_out *out = vmm_out_create_memory();

	job->status = srv_status_of(code);
	if (!out)
		return;
	vmm__json_key_text(out, "{\"error\":", err->text[0] ? err->text : vmm_error_text(code));
	if (code == VMM_E_EXPRESSION && err->column)
		vmm__json_key_number(out, ",\"column\":", true, err->column);
	vmm_out_text(out, "}\n");
	job->text = vmm_out_take(out, &job->length);
}

/* Without the lock: nobody else looks at the job meanwhile. */
static void run_job(struct srv_work *w, struct srv_job *job)
{
	struct vmm_out *out = vmm_out_create_memory();
	struct vmm_err err = {0};
	int code = out ? do_job(w, job, out, &err) : VMM_E_NOMEM;
	char *text = out ? vmm_out_take(out, &job->length) : NULL;

	if (code >= 0 && !text)
		code = VMM_E_NOMEM;
	if (code < 0) {
		free(text);
		put_error(job, code, &err);
	} else {
		job->status = 200;
		job->text = text;
	}
}

static void finish_job(struct srv_work *w, struct srv_job *job)
{
	job->done = true;
	w->answer_bytes += job->length;
	w->resume(job->connection);
}

/* --- the thread --- */

static void wait_for_work(struct srv_work *w, uint64_t due_ns)
{
	struct timespec until = {.tv_sec = (time_t)(due_ns / VMM_SECOND_NS), .tv_nsec = (long)(due_ns % VMM_SECOND_NS)};

	if (due_ns == UINT64_MAX)
		pthread_cond_wait(&w->wake, &w->lock);
	else
		pthread_cond_timedwait(&w->wake, &w->lock, &until);
}

static struct srv_job *next_job(struct srv_work *w)
{
	struct srv_job *job = w->jobs;

	if (job) {
		w->jobs = job->next;
		w->job_count--;
		if (!w->jobs)
			w->jobs_end = &w->jobs;
	}
	return job;
}

/* Under the lock. */
static void attend(struct srv_work *w)
{
	bool watched = w->listener_count > 0;

	for (struct srv_listener *l = w->listeners; l; l = l->next)
		if (l->fresh)
			greet(w, l);
	if (!watched && w->history.watch_from_ns)
		forget_kept(w);
	srv_history_watch(&w->history, watched);
}

/* Memory of what was done goes back to the system when nothing more has come for a while. */
static void trim(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

/* Does one thing, without the lock meanwhile. */
static void do_next(struct srv_work *w, struct srv_job *job)
{
	pthread_mutex_unlock(&w->lock);
	if (job)
		run_job(w, job);
	else
		look(w, false, NULL);
	pthread_mutex_lock(&w->lock);
	if (job)
		finish_job(w, job);
}

static void *work(void *arg)
{
	struct srv_work *w = arg;
	uint64_t trim_ns = vmm_now_ns() + TRIM_NS; /* 0: nothing was done since */

	pthread_mutex_lock(&w->lock);
	while (!w->ending) {
		uint64_t now = vmm_now_ns(), due;
		struct srv_job *job;

		attend(w);
		due = srv_history_due(&w->history);
		job = due <= now ? NULL : next_job(w);
		if (job || due <= now) {
			do_next(w, job);
			trim_ns = vmm_now_ns() + TRIM_NS;
			continue;
		}
		if (trim_ns && trim_ns <= now && !w->listeners) {
			trim();
			trim_ns = 0;
		}
		wait_for_work(w, trim_ns && !w->listeners ? vmm_min_u64(due, trim_ns) : due);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int srv_work_start(struct srv_work *w, struct vmm_err *err)
{
	pthread_condattr_t attributes;
	int os;

	w->jobs_end = &w->jobs;
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	os = pthread_create(&w->thread, NULL, work, w);
	if (os)
		return vmm_fail(err, VMM_E_IO, os, "cannot start a thread: %s", strerror(os));
	w->running = true;
	return 0;
}

void srv_work_stop(struct srv_work *w)
{
	struct srv_job *job;

	if (!w->running)
		return;
	pthread_mutex_lock(&w->lock);
	w->ending = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	w->running = false;
	pthread_mutex_lock(&w->lock);
	while ((job = next_job(w)) != NULL) {
		job->status = 503;
		finish_job(w, job);
	}
	for (struct srv_listener *l = w->listeners; l; l = l->next) {
		l->closed = true;
		wake_listener(w, l);
	}
	pthread_mutex_unlock(&w->lock);
}

void srv_work_done(struct srv_work *w)
{
	forget_kept(w);
	srv_history_close(&w->history);
}

bool srv_work_add(struct srv_work *w, struct srv_job *job, void (*suspend)(void *connection))
{
	bool room;

	pthread_mutex_lock(&w->lock);
	room = !w->ending && w->job_count < JOBS_MAX && w->answer_bytes <= ANSWERS_MAX;
	if (room) {
		suspend(job->connection);
		job->next = NULL;
		*w->jobs_end = job;
		w->jobs_end = &job->next;
		w->job_count++;
		pthread_cond_signal(&w->wake);
	}
	pthread_mutex_unlock(&w->lock);
	return room;
}

void srv_work_sent(struct srv_work *w, size_t bytes)
{
	pthread_mutex_lock(&w->lock);
	w->answer_bytes -= bytes;
	pthread_mutex_unlock(&w->lock);
}

/* --- listeners --- */

bool srv_work_listen(struct srv_work *w, struct srv_listener *l)
{
	bool room;

	pthread_mutex_lock(&w->lock);
	room = !w->ending && w->listener_count < LISTENERS_MAX;
	if (room) {
		l->fresh = true;
		l->next = w->listeners;
		w->listeners = l;
		w->listener_count++;
		pthread_cond_signal(&w->wake);
	}
	pthread_mutex_unlock(&w->lock);
	return room;
}

void srv_work_forget(struct srv_work *w, struct srv_listener *l)
{
	struct srv_listener **at = &w->listeners;

	pthread_mutex_lock(&w->lock);
	while (*at && *at != l)
		at = &(*at)->next;
	if (*at) {
		*at = l->next;
		w->listener_count--;
		pthread_cond_signal(&w->wake);
	}
	while (l->count > 0)
		release(*pending_at(l, --l->count));
	pthread_mutex_unlock(&w->lock);
}

void srv_work_prune(struct srv_work *w)
{
	pthread_mutex_lock(&w->lock);
	for (struct srv_listener *l = w->listeners; l; l = l->next) {
		struct pollfd p = {.fd = l->fd, .events = POLLRDHUP};

		if (!l->suspended || poll(&p, 1, 0) <= 0)
			continue;
		l->closed = true;
		wake_listener(w, l);
	}
	pthread_mutex_unlock(&w->lock);
}

long srv_work_take(struct srv_work *w, struct srv_listener *l, char *ret, size_t size, void (*suspend)(void *connection))
{
	long taken = -1;

	pthread_mutex_lock(&w->lock);
	if (l->count > 0) {
		struct srv_bytes *b = l->pending[l->first];
		size_t n = (size_t)vmm_min_u64(size, b->length - l->at);

		memcpy(ret, b->text + l->at, n);
		l->at += n;
		taken = (long)n;
		if (l->at == b->length) {
			release(b);
			l->first = (l->first + 1) % SRV_PENDING_MAX;
			l->count--;
			l->at = 0;
		}
	} else if (!l->closed) {
		l->suspended = true;
		suspend(l->connection);
		taken = 0;
	}
	pthread_mutex_unlock(&w->lock);
	return taken;
}
