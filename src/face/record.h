/*
 * vmmap record: what is followed, when it is looked at, what is kept of it, and what is said meanwhile.
 * Layer: face. Single-threaded. Standard error is all that it writes to besides the session.
 */
#ifndef VMM_FACE_RECORD_H
#define VMM_FACE_RECORD_H

#include <sys/types.h>

#include "face/amount.h"
#include "face/cli.h"
#include "face/session_file.h"
#include "vmmap/processes.h"

/* One process that is followed. */
struct rec_process {
	struct vmm_process_id id;
	char name[VMM_GLANCE_NAME]; /* raw bytes; the latest */
	bool given;            /* its PID stood on the command line */
	bool ended, told;      /* told: why it cannot be read */
	bool heaps;            /* were walked in the last look */
	uint32_t kept;         /* snapshots */
	uint32_t since_heaps;  /* looks since they were walked */
	uint64_t plain_ns, heaps_ns; /* what the last look without and with heaps took; 0: none yet */
	uint64_t first_rss, last_rss; /* of what was kept */
	uint64_t now_rss;      /* at the last look, kept or not */
	uint64_t mark_rss, mark_data; /* glanced at when it was last kept */
};

/* The command after --. */
struct rec_program {
	pid_t pid;     /* 0: none */
	bool ended;
	int status;    /* of waitpid() */
};

enum rec_end { REC_GOES_ON, REC_ALL_ENDED, REC_TIME, REC_SIGNAL, REC_FAILED };

struct recorder {
	const struct vmm_args *args;
	/* Asked for. */
	uint64_t interval_ns, for_ns; /* for_ns 0: no end */
	uint32_t duty_ppm, kinds;
	struct vmm_threshold growth;     /* both 0: every look is kept */
	struct vmm_session_keep keep;
	/* Followed. */
	const char *names[VMM_OPERANDS_MAX];
	size_t name_count;
	char *cgroup;                 /* free(); NULL: none */
	struct rec_process *processes;
	size_t count, capacity;
	uint64_t forgotten, forgotten_kept; /* that ended, and those of them of which something was kept */
	uint64_t find_due_ns;         /* when new ones are looked for again */
	struct rec_program program;
	/* Kept. */
	struct vmm_session_file file;
	struct vmm_look look;         /* of standard error */
	sigset_t signals;
	/* Counted. Times are of the monotonic clock. */
	uint64_t start_ns, end_ns, due_ns, ready_ns;
	uint64_t put_off_ns;          /* by the duty, all in all */
	uint64_t rounds, late_ns, latest_ns; /* late_ns: of the last round; latest_ns: the most */
	uint64_t read_ns, work_ns;    /* read_ns: while targets were read; work_ns: with the processor time of writing */
	uint64_t look_ns;             /* what the last round cost */
	uint64_t looks, kept, dropped;
	uint64_t pauses, paused_ns, longest_pause_ns; /* of --stop */
	bool told_stretch, line_shown;
	int status;                   /* exit status of what went wrong with a target given by its PID */
};

/* record_find.c: takes the operands, finds processes, and forgets none. All: VMM_E_NOMEM and what is said. */
int rec_find_init(struct recorder *r, struct vmm_err *err); /* VMM_E_NO_TARGET, VMM_E_USAGE */
int rec_find(struct recorder *r, struct vmm_err *err);
int rec_add(struct recorder *r, const struct vmm_glance *g, bool given, struct vmm_err *err);
/* What has ended long ago leaves only its numbers: a tree may have started very many. */
void rec_forget(struct recorder *r);
/* Marks what has ended; returns how many still run. */
size_t rec_alive(struct recorder *r);
/* Whether others can still come: a name is followed until the end. */
bool rec_may_come(const struct recorder *r);

/* record_look.c: one round over all that is followed. last: the end, where each is kept once more. */
int rec_round(struct recorder *r, bool last, struct vmm_err *err);

/* record_program.c. Start: VMM_E_NO_TARGET when it cannot be run. */
int rec_program_start(struct rec_program *p, char **argv, struct vmm_err *err);
void rec_program_poll(struct rec_program *p);
/* The exit status that a shell would give it. */
int rec_program_status(const struct rec_program *p);

/* record_say.c. */
void rec_say_line(struct recorder *r);  /* the line of a terminal */
void rec_say_clear(struct recorder *r); /* takes it away, before anything else is written */
void rec_say(struct recorder *r, const char *format, ...) VMM_PRINTF(2, 3);
void rec_say_stretch(struct recorder *r);
void rec_say_summary(struct recorder *r);

#endif
