/*
 * Captures: files of /proc/PID that somebody copied, as a text, a folder or a tar, of one process or of several.
 * Layer: source, private to capture*.c but for vmm_capture_beside(). All that is read may be hostile.
 */
#ifndef VMM_SOURCE_CAPTURE_H
#define VMM_SOURCE_CAPTURE_H

#include <stdbool.h>
#include <time.h>

#include "model/target.h"
#include "source/linux_saved.h"

/* Which file of which process a path in a capture is. */
struct capture_name {
	const char *key;    /* points into the path: what stands before the file's name, "proc/4711"; without a slash at its end */
	size_t key_length;
	char name[48];      /* as in struct linux_saved_file, without the slash of the machine's: "task/4712/stat", "meminfo" */
	bool process, machine; /* it can be a file of a process, of the machine; "stat" and "cmdline" can be either */
};
/* False: nothing that vmmap reads, or a path that leads out (".."). */
bool capture_name_parse(const char *path, size_t length, struct capture_name *ret);

struct capture_file {
	char *key, *name, *bytes;
	size_t length;
	bool process, machine;
	struct timespec changed; /* 0: not told */
};

/*
 * capture_pages.c: the lists that vmmap itself writes. guards: "START-END" lines, hexadecimal; pages: "START-END LETTERS" of all
 * pages that were resident or swapped. Both begin with a heading, and rise.
 */
struct capture_runs {
	struct vmm_page_run *runs; /* rising, disjoint; free() */
	size_t count, capacity;
};
/* Takes a list apart; lines that cannot be are left out. VMM_E_NOMEM. */
int capture_runs_read(struct capture_runs *runs, const char *bytes, size_t length, bool guards, struct vmm_err *err);
/* Hands out what of them lies in [start, end). */
int capture_runs_walk(const struct capture_runs *runs, uint64_t start, uint64_t end, vmm_page_fn fn, void *arg);
/* The letters of pages, at most 8 with the NUL. */
#define CAPTURE_LETTERS 8
void capture_page_letters(uint32_t what, char ret[CAPTURE_LETTERS]);

/* Everything that a capture holds. capture_set_done() frees it. */
struct capture_set {
	struct capture_file *files;
	size_t count, capacity;
	uint64_t bytes;      /* of all files */
	const char *wanted;  /* only this process: the last part of its key; NULL: any */
	bool empty;          /* a smaps or maps without contents was there */
};

/*
 * Adds a file under its path; bytes become the set's, also when it fails. Paths that mean nothing, and names that are
 * there already, are dropped. VMM_E_NOMEM, VMM_E_LIMIT.
 */
int capture_add(struct capture_set *set, const char *path, size_t path_length, char *bytes, size_t length, struct timespec changed,
                struct vmm_err *err);
void capture_set_done(struct capture_set *set);

/* Takes a text apart: a smaps or maps, with status and limits in it, or what `tail -n +1 FILES` prints. bytes as above. */
int capture_add_text(struct capture_set *set, const char *key, char *bytes, size_t length, struct timespec changed,
                     struct vmm_err *err);
/* True when text begins like one of those. */
bool capture_text_probe(const char *bytes, size_t length);

#define CAPTURE_PROBE_BYTES 8192           /* of a file: enough to know what it is */
#define CAPTURE_FILE_MAX ((size_t)1 << 30) /* of one file, or one text */
#define CAPTURE_BLOCK_BYTES ((size_t)64 * 1024)

/* What an open file has left, under a path. VMM_E_LIMIT, VMM_E_IO, VMM_E_NOMEM. */
int capture_add_fd(struct capture_set *set, int fd, const char *path, struct timespec changed, struct vmm_err *err);
/* capture_archive.c: everything in an archive. VMM_E_FORMAT; VMM_E_UNSUPPORTED where vmmap was built without libarchive. */
int capture_archive_fd(struct capture_set *set, int fd, struct vmm_err *err);
int capture_archive_bytes(struct capture_set *set, const void *bytes, size_t length, struct vmm_err *err);
/* Whether a packed file holds a tar, or a text that is a capture. */
bool capture_archive_probe(int fd);

/* Everything in a file, or in memory: a tar, plain or packed, or a text. VMM_E_FORMAT: neither. */
int capture_load_file(struct capture_set *set, const char *path, struct vmm_err *err);
int capture_load_bytes(struct capture_set *set, const void *bytes, size_t length, struct vmm_err *err);
/* The same of a folder. */
int capture_load_folder(struct capture_set *set, const char *path, struct vmm_err *err);
/* True when the file at path is one of them; reads its beginning only. */
bool capture_file_probe(const char *path);

/* Whether there is a process whose key ends so. */
bool capture_set_has(const struct capture_set *set, const char *wanted);

/* The files of one process and of its machine. */
struct capture_process {
	struct linux_saved_file *files; /* free(), also after a failure */
	struct linux_saved saved;       /* of files; the bytes are the set's */
	struct timespec changed;        /* when its map was written; 0: not told */
	int32_t pid;                    /* 0: not told */
};
/* Of the set's only process, or the wanted one. ret is zeroed before. Messages call the set name; errors as below. */
int capture_process_find(struct capture_set *set, const char *name, struct capture_process *ret, struct vmm_err *err);

/*
 * A target of one process and of its machine. Takes the set over, also when it fails. name is what messages call it.
 * VMM_E_FORMAT: none in it; VMM_E_AMBIGUOUS: several. *ret_target: a target of this source.
 */
int capture_open_set(struct capture_set *set, const char *name, struct vmm_target **ret_target, struct vmm_err *err);

/*
 * The capture that lies beside a core: CORE.proc.tar, plain or packed, or the folder CORE.proc; of the process pid where
 * it holds several. It does not complain of the memory that it lacks. VMM_E_NO_TARGET: there is none.
 */
int vmm_capture_beside(const char *core, int32_t pid, struct vmm_target **ret_target, struct vmm_err *err);

#endif
