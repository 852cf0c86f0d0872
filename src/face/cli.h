/*
 * What the commands of the program share: target, output, look, errors.
 * Layer: face. Single-threaded. Everything here may write to standard error.
 */
#ifndef VMM_FACE_CLI_H
#define VMM_FACE_CLI_H

#include <signal.h>

#include "base/out.h"
#include "face/args.h"
#include "face/look.h"
#include "vmmap/vmmap.h"

/* Exit statuses of the program; those of errors come from vmm_error_status(). */
enum vmm_exit { VMM_EXIT_DONE = 0, VMM_EXIT_HOLDS = 1, VMM_EXIT_USAGE = 2, VMM_EXIT_UNREADABLE = 3, VMM_EXIT_GONE = 4 };

/* The commands of commands.def. Each returns the exit status. */
int vmm_cli_timeline(const struct vmm_args *args);
int vmm_cli_show(const struct vmm_args *args);
int vmm_cli_at(const struct vmm_args *args);
int vmm_cli_free(const struct vmm_args *args);
int vmm_cli_strings(const struct vmm_args *args);
int vmm_cli_heap(const struct vmm_args *args);
int vmm_cli_diff(const struct vmm_args *args);
int vmm_cli_save(const struct vmm_args *args);
int vmm_cli_record(const struct vmm_args *args);
int vmm_cli_report(const struct vmm_args *args);
int vmm_cli_serve(const struct vmm_args *args);
int vmm_cli_gui(const struct vmm_args *args);
int vmm_cli_ps(const struct vmm_args *args);
int vmm_cli_core_helper(const struct vmm_args *args);
/* save --sidecar: called by the command save. */
int vmm_cli_sidecar(const struct vmm_args *args);
int vmm_cli_help(const struct vmm_args *args);
int vmm_cli_completions(const struct vmm_args *args);
/* The body of show --watch: reads the target every interval until a signal or its end. Returns the exit status. */
int vmm_cli_watch(const struct vmm_args *args, const char *target, struct vmm_query *query, uint32_t needs,
                  uint64_t interval_ns);

/*
 * The output format that the options name; of vmmap-csv, vmmap-txt and json-columns, which show writes by itself, csv,
 * text and json.
 * VMM_E_USAGE: two at once, or one that the command does not have.
 */
enum vmm_format { VMM_FORMAT_TEXT, VMM_FORMAT_CSV, VMM_FORMAT_JSON, VMM_FORMAT_NDJSON };
int vmm_cli_format(const struct vmm_args *args, enum vmm_format *ret_format, struct vmm_err *err);

/* One line on standard error, for VMM_E_EXPRESSION with the expression and a caret below; returns the exit status. */
int vmm_cli_fail(const struct vmm_args *args, const struct vmm_err *err);
/* The same with the target before the text, unless the text names it already. */
int vmm_cli_fail_target(const struct vmm_args *args, const char *target, const struct vmm_err *err);

/* An address in hexadecimal, with or without 0x; VMM_E_USAGE. */
int vmm_cli_address(const char *text, uint64_t *ret_address, struct vmm_err *err);

/* A positive whole number such as --top; VMM_E_USAGE. */
int vmm_cli_number(const char *option, const char *text, uint64_t *ret_number, struct vmm_err *err);

/*
 * Where a command writes: standard output, or a temporary file beside FILE that takes its place in the end.
 * A name that is no regular file (a pipe, a device) is written to directly.
 */
struct vmm_output {
	struct vmm_out *out;
	int fd;
	char *path, *temporary; /* NULL for standard output */
};
int vmm_output_open(struct vmm_output *o, const char *path, struct vmm_err *err);
/* Finishes or, with keep false, throws away; NULL members are allowed. VMM_E_OUTPUT. A closed pipe is no error. */
int vmm_output_close(struct vmm_output *o, bool keep, struct vmm_err *err);

/* The name of a file beside another: path with ending behind it. The caller frees it; NULL: out of memory. */
char *vmm_output_name(const char *path, const char *ending);

/*
 * The pause of --stop. Begin stops the target if the option was given; end lets it go, tells on standard error how
 * long it stood still (JSON holds that instead), and keeps it in the snapshot s, which may be NULL: then nothing is
 * told. Between them the target is read and nothing is written: who would take it may be what is stopped.
 */
struct vmm_hold {
	struct vmm_target *target; /* NULL: not stopped */
	const struct vmm_args *args;
	sigset_t before;
};
int vmm_hold_begin(struct vmm_hold *h, const struct vmm_args *args, struct vmm_target *t, struct vmm_err *err);
void vmm_hold_end(struct vmm_hold *h, struct vmm_snapshot *s);

/* Opens a target; its files are looked for as --sysroot and --debug-dir say. */
int vmm_cli_open(const struct vmm_args *args, const char *name, struct vmm_target **ret_target, struct vmm_err *err);
/*
 * Opens a target and takes one snapshot, with progress on a terminal, and in a pause where --stop asks for it. The
 * caller destroys *ret_snapshot.
 */
int vmm_cli_take(const struct vmm_args *args, const char *target, uint32_t needs, struct vmm_snapshot **ret_snapshot,
                 struct vmm_err *err);
/* The same of an open target, without the pause: what reads more than the snapshot puts all of it into one. */
int vmm_cli_take_open(struct vmm_target *t, uint32_t needs, struct vmm_snapshot **ret_snapshot, struct vmm_err *err);

/* The file's part of FILE@SNAPSHOT, where such a file stands and none with the whole name. */
bool vmm_cli_session_part(const char *name, char *ret_file, size_t size);

/* VMM_E_UNSUPPORTED for a target that holds no contents of memory, and never did. */
int vmm_cli_need_contents(const struct vmm_snapshot *s, struct vmm_err *err);

/* What a command has open while it writes its answer. */
struct vmm_answer {
	struct vmm_output output;
	struct vmm_look look;
	enum vmm_format format;
};
/* Opens the output as -o, --format, --color and --units say. */
int vmm_answer_open(struct vmm_answer *a, const struct vmm_args *args, struct vmm_err *err);
/*
 * Ends an answer whose writing gave code (0 or an error in err): closes the output, tells errors, says that a
 * snapshot is partial. s may be NULL. Returns the exit status.
 */
int vmm_answer_close(struct vmm_answer *a, const struct vmm_args *args, const struct vmm_snapshot *s, int code,
                     struct vmm_err *err);

/* Says on standard error that a snapshot holds only a part, if so: shown, or saved. Returns the exit status. */
int vmm_answer_missing(const struct vmm_snapshot *s, bool saved);

/* Writes rows in one of the formats; JSON is the table's own document, not the whole snapshot. */
void vmm_answer_rows(struct vmm_answer *a, const struct vmm_query *q, const struct vmm_rows *rows,
                     const struct vmm_snapshot *s);

/* The query that --view, --columns, --sort, --where, --kind, --top and --raw ask for. */
int vmm_cli_query(const struct vmm_args *args, const char *view, struct vmm_query *ret_query, struct vmm_err *err);

#endif
