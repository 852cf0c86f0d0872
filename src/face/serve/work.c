/* The worker of vmmap serve: one thread that does one thing after another, and what waits for it. */
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/err.h"
#include "face/serve/serve.h"

#define JOBS_MAX 64
#define ANSWERS_MAX (UINT64_C(64) << 20) /* bytes of answers that wait for slow clients */
#define TRIM_NS (VMM_SECOND_NS / 2)
#define TRIM_WATCHED_NS (30 * VMM_SECOND_NS)

void srv_job_finish(struct srv_work *w, struct srv_job *job)
{
	job->done = true;
	w->answer_bytes += job->length;
	w->resume(job->connection);
}

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
			srv_work_greet(w, l);
	if (!watched && w->history.watch_from_ns)
		srv_work_forget_kept(w);
	srv_history_watch(&w->history, watched);
}

/* Memory of what was done goes back to the system when nothing more has come for a while. */
static void trim(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

/* When: soon after the last thing was done; while somebody listens, who would have it again at once, now and then. */
static uint64_t plan_trim(const struct srv_work *w, uint64_t planned_ns)
{
	uint64_t now = vmm_now_ns();

	if (!w->listeners)
		return now + TRIM_NS;
	return planned_ns ? planned_ns : now + TRIM_WATCHED_NS;
}

/* Does one thing, without the lock meanwhile. */
static void do_next(struct srv_work *w, struct srv_job *job)
{
	pthread_mutex_unlock(&w->lock);
	if (job)
		srv_job_run(w, job);
	else if (srv_history_ripe(&w->history))
		srv_job_look(w, false, NULL);
	pthread_mutex_lock(&w->lock);
	if (job)
		srv_job_finish(w, job);
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
		if (job && srv_aside_wants(w, job)) {
			srv_aside_add(w, job);
			continue;
		}
		if (job || due <= now) {
			do_next(w, job);
			trim_ns = plan_trim(w, trim_ns);
			continue;
		}
		if (trim_ns && trim_ns <= now) {
			trim();
			trim_ns = 0;
		}
		wait_for_work(w, trim_ns ? vmm_min_u64(due, trim_ns) : due);
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
	return srv_aside_start(w, err);
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
	srv_aside_stop(w);
	pthread_mutex_lock(&w->lock);
	while ((job = next_job(w)) != NULL) {
		job->status = 503;
		srv_job_finish(w, job);
	}
	for (struct srv_listener *l = w->listeners; l; l = l->next) {
		l->closed = true;
		srv_work_wake(w, l);
	}
	pthread_mutex_unlock(&w->lock);
}

void srv_work_done(struct srv_work *w)
{
	srv_work_forget_kept(w);
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
