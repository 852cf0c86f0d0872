/*
 * Questions that take long, about a process that runs: all its heaps walked, all its memory searched. A thread of their own
 * answers them, one after another, so that what is shown live goes on meanwhile. It shares nothing with the worker but the
 * queue: it opens the process itself, and contents are those of now anyway.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/err.h"
#include "base/out.h"
#include "base/scan.h"
#include "face/serve/serve.h"

bool srv_aside_wants(const struct srv_work *w, const struct srv_job *job)
{
	const struct srv_history *h = &w->history;
	const char *n = srv_query_get(&job->query, "n");
	struct vmm_scan s = vmm_scan_init(n ? n : "", n ? strlen(n) : 0);
	uint64_t number;

	if (!h->live || h->gone || !h->last.target)
		return false;
	if (job->place != SRV_HEAP && job->place != SRV_CHUNKS && job->place != SRV_STRINGS)
		return false;
	return !n || strcmp(n, "last") == 0 || (vmm_scan_dec(&s, &number) && vmm_scan_done(&s) && number == h->last.n);
}

void srv_aside_add(struct srv_work *w, struct srv_job *job)
{
	job->n = w->history.last.n;
	job->id = w->history.id;
	job->next = NULL;
	*w->aside.jobs_end = job;
	w->aside.jobs_end = &job->next;
	pthread_cond_signal(&w->aside.wake);
}

/* Opens and reads the process that the job is about, unless that was done for the job before. */
static int open_for(struct srv_history *h, const struct srv_job *job, struct vmm_err *err)
{
	struct vmm_take take = {.needs = VMM_NEED_DEFAULT | (job->place == SRV_HEAP ? VMM_NEED_HEAPS : 0)};
	struct vmm_glance g;
	int code;

	if (h->last.snapshot && h->last.n == job->n && h->id.pid == job->id.pid && h->id.started == job->id.started)
		return 0;
	srv_view_done(&h->last);
	h->id = job->id;
	code = vmm_target_open_pid(job->id.pid, &h->last.target, err);
	if (code == 0)
		code = vmm_target_snapshot(h->last.target, &take, &h->last.snapshot, err);
	if (code == VMM_E_GONE || code == VMM_E_NO_TARGET || !vmm_process_runs(&job->id, &g))
		code = vmm_fail(err, VMM_E_GONE, 0, "process %d has ended", (int)job->id.pid);
	if (code < 0)
		srv_view_done(&h->last);
	h->last.n = job->n;
	return code;
}

static void run(struct srv_history *h, struct srv_job *job)
{
	struct vmm_out *out = vmm_out_create_memory();
	struct srv_ask ask = {h, job->place, &job->query, out};
	struct vmm_err err = {0};
	int code = out ? open_for(h, job, &err) : VMM_E_NOMEM;

	/* The number was looked at when the job was handed on: by now there may be newer ones. */
	if (code == 0)
		code = srv_answer(&ask, &err);
	srv_job_answer(job, out, code, &err);
}

/* Nothing more is asked: what was opened goes. */
static void rest(struct srv_history *h)
{
	if (!h->last.snapshot)
		return;
	srv_view_done(&h->last);
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

static void *work(void *arg)
{
	struct srv_work *w = arg;
	struct srv_history own = {.args = w->aside.args, .live = true};
	struct srv_job *job;

	pthread_mutex_lock(&w->lock);
	while (!w->ending) {
		job = w->aside.jobs;
		if (job) {
			w->aside.jobs = job->next;
			if (!w->aside.jobs)
				w->aside.jobs_end = &w->aside.jobs;
		} else if (!own.last.snapshot) {
			pthread_cond_wait(&w->aside.wake, &w->lock);
			continue;
		}
		pthread_mutex_unlock(&w->lock);
		if (job)
			run(&own, job);
		else
			rest(&own);
		pthread_mutex_lock(&w->lock);
		if (job)
			srv_job_finish(w, job);
	}
	pthread_mutex_unlock(&w->lock);
	srv_view_done(&own.last);
	return NULL;
}

int srv_aside_start(struct srv_work *w, struct vmm_err *err)
{
	int os;

	w->aside.args = w->history.args;
	w->aside.jobs_end = &w->aside.jobs;
	pthread_cond_init(&w->aside.wake, NULL);
	os = pthread_create(&w->aside.thread, NULL, work, w);
	if (os)
		return vmm_fail(err, VMM_E_IO, os, "cannot start a thread: %s", strerror(os));
	w->aside.running = true;
	return 0;
}

void srv_aside_stop(struct srv_work *w)
{
	struct srv_job *job;

	if (!w->aside.running)
		return;
	pthread_mutex_lock(&w->lock);
	pthread_cond_signal(&w->aside.wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->aside.thread, NULL);
	w->aside.running = false;
	pthread_mutex_lock(&w->lock);
	while ((job = w->aside.jobs) != NULL) {
		w->aside.jobs = job->next;
		job->status = 503;
		srv_job_finish(w, job);
	}
	pthread_mutex_unlock(&w->lock);
}
