/*
 * The file that save and record write: made, added to or replaced, and never half of it.
 * Layer: face. Single-threaded.
 */
#ifndef VMM_FACE_SESSION_FILE_H
#define VMM_FACE_SESSION_FILE_H

#include <stdbool.h>

#include "face/args.h"
#include "vmmap/session.h"

/*
 * An open session file. What is written stands in a temporary file beside it until vmm_session_file_keep(), but for
 * files that are added to, and for new ones with in_place: those can be opened whenever the writer ends, even by SIGKILL.
 */
struct vmm_session_file {
	struct vmm_session *session;
	char *path, *temporary; /* temporary: NULL when written in place */
	bool replace, made;     /* an old file may go; the file at path is of our making */
};

/* As -o, --append and --force say. VMM_E_USAGE, VMM_E_OUTPUT, and what vmm_session_open() gives. */
int vmm_session_file_open(struct vmm_session_file *f, const struct vmm_args *args, bool in_place, struct vmm_err *err);
/* Puts the file into its place; the session stays open for more when more is set. VMM_E_OUTPUT: nothing has changed. */
int vmm_session_file_keep(struct vmm_session_file *f, bool more, struct vmm_err *err);
/* Closes it. What was not kept goes, and with empty set what was made in place too. */
void vmm_session_file_close(struct vmm_session_file *f, bool empty);
/* An error of the session names the file that it writes: puts the name that the user gave in the place of a temporary one. */
void vmm_session_file_name(const struct vmm_session_file *f, struct vmm_err *err);
/* Bytes that it takes on the disk now, journals too. */
uint64_t vmm_session_file_bytes(const struct vmm_session_file *f);

/* From now on a limit of the size of files and a closed pipe are errors of writing instead of the end of the program. */
void vmm_session_file_signals(void);

/* The kinds that --with-memory names, as bits: "stack,heap", "kind=stack,heap" or "all"; 0 without it. VMM_E_USAGE. */
int vmm_session_file_kinds(const struct vmm_args *args, uint32_t *ret_kinds, struct vmm_err *err);
/* Takes out of a fresh snapshot what --redact promises, with a note that says so. */
void vmm_session_file_redact(struct vmm_snapshot *s);

#endif
