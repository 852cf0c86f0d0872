/*
 * vmmap serve: the page and its data over HTTP, from this machine to this machine.
 *
 * Layer: face. Four threads: the main one waits for signals and cuts slow clients (cli/serve.c), libmicrohttpd's own one
 * talks to clients (http.c), and the worker alone touches the history: its targets, sessions and snapshots
 * (work.c). What takes long of a process that runs it hands on to the fourth (aside.c), which has a target and
 * a snapshot of its own. What two of them share lies behind struct srv_work's lock.
 */
#ifndef VMM_FACE_SERVE_SERVE_H
#define VMM_FACE_SERVE_SERVE_H

#include <pthread.h>

#include "face/amount.h"
#include "face/args.h"
#include "face/serve/request.h"
#include "vmmap/processes.h"
#include "vmmap/session.h"
#include "vmmap/vmmap.h"

struct vmm_out;

#define SRV_INTERVAL_LEAST (VMM_SECOND_NS / 10)
#define SRV_CONNECTIONS_MAX 64

/* --- history.c: the target and its snapshots. The worker's alone, like all of it down to the answers. --- */

#define SRV_NEEDS (VMM_NEED_DEFAULT | VMM_NEED_EXTRA) /* of a snapshot that is shown */

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
	struct srv_file *sent;     /* by a client, where that is shown; NULL: none */
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
	/* A look by itself besides: when the process has grown or shrunk by so much since the last one. */
	enum vmm_metric growth_of; /* VMM_METRIC_RSS or VMM_METRIC_COMMITTED */
	struct vmm_threshold growth; /* ppm 0: never */
	uint64_t glance_ns;        /* when it is glanced at next */
	struct vmm_glance mark;    /* before the last look */
};

/* Opens TARGET and takes or loads the first snapshot; without one only processes are told. */
int srv_history_open(struct srv_history *h, const struct vmm_args *args, const char *given, struct vmm_err *err);
void srv_history_close(struct srv_history *h);
/* Looks at this process from now on. What was shown before goes, unless it fails. */
int srv_history_choose(struct srv_history *h, int32_t pid, struct vmm_err *err);

struct srv_file;
/* Shows a file that was sent, under this name. As above; *f is the history's then, else gone. Errors call it by its name. */
int srv_history_file(struct srv_history *h, struct srv_file **f, const char *name, struct vmm_err *err);

/* One more entry; false: out of memory. */
bool srv_history_add(struct srv_history *h, uint32_t n, uint32_t target, int32_t pid, const struct timespec *taken_at);
/* The entries as the session has them: after it was opened, and when old ones were dropped. */
int srv_history_reread(struct srv_history *h, struct vmm_err *err);

/* --- look.c --- */

enum srv_news { SRV_NEWS_NONE, SRV_NEWS_SNAPSHOT, SRV_NEWS_EXEC, SRV_NEWS_GONE };
/*
 * Takes a snapshot now. *ret_before is the one before, for the caller to destroy; NULL where it is not of the same
 * address space, or nothing is new. The target's end is no error but news. asked: by a user, not by the clock.
 */
int srv_history_look(struct srv_history *h, bool asked, enum srv_news *ret_news, struct vmm_snapshot **ret_before, struct vmm_err *err);

/* --- view.c: which snapshot is meant --- */

void srv_view_done(struct srv_view *v);
/* Opens a target by its name and takes or loads its snapshot. n 0: it is of no session. */
int srv_view_take(struct srv_history *h, const char *name, struct srv_view *ret, struct vmm_err *err);
/* n: a number, "last", or NULL for that. The view belongs to the history and holds until the next call on it. */
int srv_history_find(struct srv_history *h, const char *n, struct srv_view *ret, struct vmm_err *err);
/* The same where only the snapshot matters: *ret is for the caller to destroy unless it is that of last or other (*ret_own false). */
int srv_history_load(struct srv_history *h, const char *n, struct vmm_snapshot **ret, bool *ret_own, struct vmm_err *err);

/* --- pace.c --- */

/* Somebody watches, or nobody does any more. */
void srv_history_watch(struct srv_history *h, bool watched);
/* When the next look is due; UINT64_MAX: never by itself. */
uint64_t srv_history_due(const struct srv_history *h);
/* 0 pauses. Shorter than 100 ms counts as that, longer than a day as a day. */
void srv_history_interval(struct srv_history *h, uint64_t ms);
/* Whether what is due is a look: the interval is over, or the process has grown, or ended. Else it was only glanced at. */
bool srv_history_ripe(struct srv_history *h);
/* "rss" or "committed", and per cent; 0: never. VMM_E_USAGE. */
int srv_history_growth(struct srv_history *h, const char *measure, uint64_t percent, struct vmm_err *err);
/* "interval_ms":...,"growth":...,"cost":{...}: how often it is looked at, and what that has cost so far. */
void srv_history_pace(struct vmm_out *out, const struct srv_history *h);

/* --- answer.c, compare.c, memory.c, info.c, change.c: JSON. The worker's alone. --- */

/* What is asked, and where the answer goes. */
struct srv_ask {
	struct srv_history *history;
	enum srv_place place;
	const struct srv_query *query;
	struct vmm_out *out;
};
/* Writes the document of all places but PAGE, EVENTS and those that are asked with POST. 0, or an error: out is of no use then. */
int srv_answer(const struct srv_ask *a, struct vmm_err *err);
/* The snapshot that is asked for; contents: with the target behind it, which is there then. */
int srv_find(const struct srv_ask *a, bool contents, struct srv_view *ret, struct vmm_err *err);
int srv_answer_timeline(const struct srv_ask *a, struct vmm_err *err);
int srv_answer_diff(const struct srv_ask *a, struct vmm_err *err);
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

/* --- file.c: a file that a client sends --- */

#define SRV_FILE_MAX (UINT64_C(16) << 30)
#define SRV_FILE_NAME_MAX 255

struct srv_file;

/*
 * VMM_E_LIMIT: it is too large; VMM_E_NOMEM. That there is no room is told by srv_file_end(): a browser that is answered
 * before it has sent all of it tells its user nothing but that the connection broke off.
 */
int srv_file_begin(uint64_t size, struct srv_file **ret, struct vmm_err *err);
/* Appends. */
void srv_file_put(struct srv_file *f, const char *bytes, size_t length);
/* Whether all of it has come and stands on the disk: else VMM_E_OUTPUT. */
int srv_file_end(struct srv_file *f, struct vmm_err *err);
/* By which sources can open it until it is closed. */
const char *srv_file_path(const struct srv_file *f);
/* It goes. NULL is none. */
void srv_file_close(struct srv_file *f);
/* An error that tells our path tells the client's name instead. NULL: nothing was sent. */
void srv_file_name(const struct srv_file *f, const char *name, struct vmm_err *err);

/* --- work.c: the worker, and what waits for it --- */

/* One request from its first byte to its answer. Made and freed by http.c. */
struct srv_job {
	struct srv_job *next;
	void *connection; /* suspended while the worker has the job */
	enum srv_place place;
	struct srv_query query;
	char body[SRV_BODY_MAX];
	size_t body_length;
	struct srv_file *file; /* of SRV_FILE, until it is shown; NULL: none */
	/* Of one that was handed on (aside.c): what it is about. */
	uint32_t n;
	struct vmm_process_id id;
	/* By the worker: */
	bool done;
	int status;
	char *text; /* free() */
	size_t length;
};

/* What is sent: bytes that several clients may share. */
struct srv_bytes {
	char *text; /* free() */
	size_t length;
	unsigned users;
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

/* What takes long, beside the worker. */
struct srv_aside {
	pthread_t thread;
	pthread_cond_t wake;
	bool running;
	const struct vmm_args *args;
	struct srv_job *jobs, **jobs_end;
};

struct srv_work {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	bool running, ending;
	struct srv_history history;
	struct srv_job *jobs, **jobs_end;
	size_t job_count;
	struct srv_aside aside;
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
/* Its connection goes on. Under the lock. */
void srv_job_finish(struct srv_work *w, struct srv_job *job);
/* Hands a job over, and suspends its connection until it is done. False: too much is going on already. */
bool srv_work_add(struct srv_work *w, struct srv_job *job, void (*suspend)(void *connection));
/* Bytes of an answer left memory. */
void srv_work_sent(struct srv_work *w, size_t bytes);

/* --- job.c: what the worker does. Without the lock: nobody else looks at the job meanwhile. --- */

void srv_job_run(struct srv_work *w, struct srv_job *job);
/* Puts an answer into a job: what was written to out, which goes, or the error. */
void srv_job_answer(struct srv_job *job, struct vmm_out *out, int code, const struct vmm_err *err);
/* Takes a snapshot and tells who listens; asked: by a user, not by the clock. An error is told them too. */
int srv_job_look(struct srv_work *w, bool asked, struct vmm_err *err);

/* --- aside.c: questions that take long --- */

/* Whether a job is one of them, about the process as it is now. The worker's alone. */
bool srv_aside_wants(const struct srv_work *w, const struct srv_job *job);
/* Hands it on. Under the lock, by the worker. */
void srv_aside_add(struct srv_work *w, struct srv_job *job);
int srv_aside_start(struct srv_work *w, struct vmm_err *err);
/* After ending was set. */
void srv_aside_stop(struct srv_work *w);

/* --- events.c --- */

/* Lines of an event: text stands behind "data: ", line by line. id 0: none. The memory of data goes. NULL: out of memory. */
struct srv_bytes *srv_event(const char *type, uint32_t id, struct vmm_out *data);
struct srv_bytes *srv_event_text(const char *type, const char *text, uint32_t n);
struct srv_bytes *srv_event_reload(uint32_t n);
struct srv_bytes *srv_event_pace(const struct srv_history *h);
/* To all who listen; the caller's hold on it ends, NULL is none. change: kept, for who comes back. Without the lock. */
void srv_work_send(struct srv_work *w, struct srv_bytes *b, bool change, uint32_t from);
/* What a fresh listener has missed; forgets the changes that are kept; sends on what waits. Under the lock. */
void srv_work_greet(struct srv_work *w, struct srv_listener *l);
void srv_work_forget_kept(struct srv_work *w);
void srv_work_wake(struct srv_work *w, struct srv_listener *l);
/* False: too many listen. The listener is the caller's again after srv_work_forget(). */
bool srv_work_listen(struct srv_work *w, struct srv_listener *l);
void srv_work_forget(struct srv_work *w, struct srv_listener *l);
/* Wakes listeners whose clients have gone: libmicrohttpd does not look at suspended ones. */
void srv_work_prune(struct srv_work *w);
/* Bytes for a listener: how many, 0 when it was suspended for want of them, -1 at the end of the stream. */
long srv_work_take(struct srv_work *w, struct srv_listener *l, char *ret, size_t size, void (*suspend)(void *connection));

/* --- listen.c --- */

/* A descriptor that listens at *path, which becomes NULL where another has put something there; what nobody listens at any more goes. */
int srv_listen_unix(const char **path, int *ret_fd, struct vmm_err *err);
/* On 127.0.0.1; *port 0: any free one, which it then is. VMM_E_IO. */
int srv_listen_tcp(uint16_t *port, int *ret_fd, struct vmm_err *err);

/* --- server.c --- */

struct srv_server;
struct srv_plan {
	struct srv_guard guard;
	const char *socket; /* path of a Unix socket; NULL: TCP */
	uint16_t port;      /* 0: any free one */
	bool picker;        /* no TARGET was given: processes and files are chosen in the page */
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
