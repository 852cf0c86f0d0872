/*
 * vmmap serve: the page and its data over HTTP, from this machine to this machine.
 *
 * Layer: face. Three threads: the main one waits for signals and cuts slow clients (cli/serve.c), libmicrohttpd's own one
 * talks to clients (serve_http.c), and the worker alone touches targets, sessions and snapshots (serve_work.c). What two
 * of them share lies behind struct srv_work's lock.
 */
#ifndef VMM_FACE_SERVE_H
#define VMM_FACE_SERVE_H

#include <pthread.h>

#include "face/amount.h"
#include "face/args.h"
#include "face/serve_request.h"
#include "vmmap/processes.h"
#include "vmmap/session.h"
#include "vmmap/vmmap.h"

struct vmm_out;

/* --- serve_history.c: the target, its snapshots, and when it is looked at again. The worker's alone. --- */

struct srv_entry {
	uint64_t n; /* number of the snapshot */
	uint32_t target; /* of a file: the number of its target; 0: there is one alone */
	int32_t pid; /* 0: none */
	struct timespec taken_at;
};

/* One snapshot with the target that it is of. */
struct srv_view {
	struct vmm_snapshot *snapshot; /* NULL: none */
	struct vmm_target *target; /* open; NULL: what it held is not there any more */
	uint32_t n;
};

struct srv_history {
	const struct vmm_args *args;
	const char *given;         /* TARGET of the command line; NULL: a process is chosen in the page */
	char *name, *file;         /* of what is shown; file: of a session, without @N, else NULL. free() */
	struct vmm_session *session; /* NULL: there is one snapshot alone */
	struct srv_entry *entries; /* by rising number */
	size_t count, capacity;
	struct srv_view last;      /* the newest, or the one that was named with @ */
	struct srv_view other;     /* one that was asked for besides */
	bool live;                 /* a process, which is looked at again and again */
	bool has_memory;           /* of a session: some contents were kept */
	bool gone;
	char gone_text[160];
	struct vmm_process_id id;
	/* Pace; times of the monotonic clock. */
	uint64_t interval_ns;      /* 0: paused */
	uint32_t duty_ppm;
	uint64_t due_ns;           /* of the next look */
	uint64_t ready_ns;         /* before which the duty allows none */
	uint64_t plain_ns, heaps_ns; /* what the last look without and with heaps took; 0: none yet */
	uint64_t looks, last_ns, read_ns, watched_ns, watch_from_ns; /* watch_from_ns 0: nobody watches */
	uint64_t watched_read_ns;  /* of read_ns: while somebody watched, by itself */
};

/* Opens TARGET and takes or loads the first snapshot; without one only processes are told. */
int srv_history_open(struct srv_history *h, const struct vmm_args *args, const char *given, struct vmm_err *err);
void srv_history_close(struct srv_history *h);
/* Looks at this process from now on. What was shown before goes, unless it fails. */
int srv_history_choose(struct srv_history *h, int32_t pid, struct vmm_err *err);

enum srv_news { SRV_NEWS_NONE, SRV_NEWS_SNAPSHOT, SRV_NEWS_EXEC, SRV_NEWS_GONE };
/*
 * Takes a snapshot now. *ret_before is the one before, for the caller to destroy; NULL where it is not of the same
 * address space, or nothing is new. The target's end is no error but news. asked: by a user, not by the clock.
 */
int srv_history_look(struct srv_history *h, bool asked, enum srv_news *ret_news, struct vmm_snapshot **ret_before, struct vmm_err *err);
/* Somebody watches, or nobody does any more. */
void srv_history_watch(struct srv_history *h, bool watched);
/* When the next look is due; UINT64_MAX: never by itself. */
uint64_t srv_history_due(const struct srv_history *h);
/* 0 pauses. Shorter than 100 ms counts as that, longer than a day as a day. */
void srv_history_interval(struct srv_history *h, uint64_t ms);
/* n: a number, "last", or NULL for that. The view belongs to the history and holds until the next call on it. */
int srv_history_find(struct srv_history *h, const char *n, struct srv_view *ret, struct vmm_err *err);
/* The same where only the snapshot matters: *ret is for the caller to destroy unless it is that of last or other (*ret_own false). */
int srv_history_load(struct srv_history *h, const char *n, struct vmm_snapshot **ret, bool *ret_own, struct vmm_err *err);
/* ,"cost":{...}: what looking has cost so far. */
void srv_history_cost(struct vmm_out *out, const struct srv_history *h);

/* --- serve_answer.c, serve_memory.c, serve_change.c: JSON. The worker's alone. --- */

/* What is asked, and where the answer goes. */
struct srv_ask {
	struct srv_history *history;
	enum srv_place place;
	const struct srv_query *query;
	struct vmm_out *out;
};
/* Writes the document of all places but PAGE, TARGET, EVENTS, LOOK and INTERVAL. 0, or an error: out is of no use then. */
int srv_answer(const struct srv_ask *a, struct vmm_err *err);
int srv_answer_chunks(const struct srv_ask *a, struct vmm_err *err);
int srv_answer_memory(const struct srv_ask *a, struct vmm_err *err);
int srv_answer_pages(const struct srv_ask *a, struct vmm_err *err);
int srv_answer_info(const struct srv_ask *a, struct vmm_err *err);
/* The document of a snapshot with "n" beside: only these rows, or all of them for NULL. */
int srv_put_snapshot(struct vmm_out *out, const struct vmm_snapshot *s, uint32_t n, bool raw, const struct vmm_rows *rows,
                     const struct vmm_query *q, const char *beside, struct vmm_err *err);

/*
 * What differs between two snapshots of one address space as the data of an event; *ret_changed false: too much, the
 * whole snapshot is shorter. VMM_E_NOMEM.
 */
int srv_put_changes(struct vmm_out *out, const struct vmm_snapshot *before, uint32_t n_before, const struct vmm_snapshot *now,
                    uint32_t n, bool *ret_changed, struct vmm_err *err);

/* The status of the answer that tells an error of the library. */
int srv_status_of(int code);

/* --- serve_work.c: the worker, its jobs, and who listens to events --- */

/* What is sent: bytes that several clients may share. */
struct srv_bytes {
	char *text; /* free() */
	size_t length;
	unsigned users;
};

/* One request from its first byte to its answer. Made and freed by serve_http.c. */
struct srv_job {
	struct srv_job *next;
	void *connection; /* suspended while the worker has the job */
	enum srv_place place;
	struct srv_query query;
	char body[SRV_BODY_MAX];
	size_t body_length;
	/* By the worker: */
	bool done;
	int status;
	char *text; /* free() */
	size_t length;
};

#define SRV_PENDING_MAX 64

/* A client that gets events. */
struct srv_listener {
	struct srv_listener *next;
	void *connection;
	int fd;
	bool suspended;
	bool closed; /* nothing more is sent: its client has gone, or the server ends */
	struct srv_bytes *pending[SRV_PENDING_MAX]; /* a ring */
	size_t first, count, at; /* at: bytes of the first one that were sent */
	uint64_t after;          /* number of the snapshot that it has; 0: not told */
	bool fresh;              /* not greeted yet */
};

struct srv_work {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	bool running, ending;
	struct srv_history history;
	struct srv_job *jobs, **jobs_end;
	size_t job_count;
	struct srv_listener *listeners;
	size_t listener_count;
	struct srv_bytes *kept[SRV_PENDING_MAX]; /* the last changes, each from one snapshot to the next */
	uint32_t kept_from[SRV_PENDING_MAX];
	size_t kept_count;
	size_t answer_bytes; /* of answers that are not sent yet */
	void (*resume)(void *connection);
};

/* history is open. VMM_E_NOMEM. */
int srv_work_start(struct srv_work *w, struct vmm_err *err);
/* Ends the worker; what waits is answered with 503, and who listens gets the end of the stream. */
void srv_work_stop(struct srv_work *w);
void srv_work_done(struct srv_work *w);
/* Hands a job over, and suspends its connection until it is done. False: too much is going on already. */
bool srv_work_add(struct srv_work *w, struct srv_job *job, void (*suspend)(void *connection));
/* Bytes of an answer left memory. */
void srv_work_sent(struct srv_work *w, size_t bytes);
/* False: too many listen. The listener is the caller's again after srv_work_forget(). */
bool srv_work_listen(struct srv_work *w, struct srv_listener *l);
void srv_work_forget(struct srv_work *w, struct srv_listener *l);
/* Wakes listeners whose clients have gone: libmicrohttpd does not look at suspended ones. */
void srv_work_prune(struct srv_work *w);
/* Bytes for a listener: how many, 0 when it was suspended for want of them, -1 at the end of the stream. */
long srv_work_take(struct srv_work *w, struct srv_listener *l, char *ret, size_t size, void (*suspend)(void *connection));

/* --- serve_http.c --- */

struct srv_server;
struct srv_plan {
	struct srv_guard guard;
	const char *socket; /* path of a Unix socket; NULL: TCP */
	uint16_t port;      /* 0: any free one */
	struct srv_work *work;
};
/* VMM_E_UNSUPPORTED: built without libmicrohttpd. */
int srv_server_check(struct vmm_err *err);
/* Listens from now on. VMM_E_IO: it cannot; VMM_E_UNSUPPORTED: built without libmicrohttpd. guard.port is set. */
int srv_server_start(struct srv_plan *plan, struct srv_server **ret, struct vmm_err *err);
void srv_server_stop(struct srv_server *s);
/* Becomes readable when a first client has come. */
int srv_server_fd(const struct srv_server *s);
/* Cuts clients that are slow. Milliseconds until it wants to be called again; -1: when one comes. */
int srv_server_sweep(struct srv_server *s);

/* The body of serve and gui: runs until a signal. browser: opens one. Returns the exit status. */
int srv_main(const struct vmm_args *args, bool browser);

#endif
