#include "face/session_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "face/cli.h"
#include "model/build.h"

#define KIND_PREFIX "kind="

/* A signal that ends the program takes the unfinished file with it. */
static char *volatile unfinished[2]; /* mutable: a handler has nothing else to know it by; the file and its journal */

static void on_signal(int signal)
{
	for (size_t i = 0; i < ARRAY_LEN(unfinished); i++)
		if (unfinished[i])
			unlink(unfinished[i]);
	/* The handler was for once: now it ends us as it would have. */
	raise(signal);
}

static void handle_signals(void)
{
	static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND}, old;

	for (size_t i = 0; i < ARRAY_LEN(ending); i++)
		if (sigaction(ending[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			sigaction(ending[i], &action, NULL);
}

static int fail_write(const char *path, int os, struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_OUTPUT, os, "%.150s: cannot write: %s", path, strerror(os));
}

static int fail_exists(const char *path, struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_OUTPUT, EEXIST, "%.150s: there is such a file: --append adds to it, --force replaces it", path);
}

/* What stands at path already: 0 nothing, 1 a file that may be replaced. */
static int check_path(const char *path, bool replace, struct vmm_err *err)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : fail_write(path, errno, err);
	if (stat(path, &st) < 0)
		return fail_write(path, errno, err);
	if (!S_ISREG(st.st_mode))
		return vmm_fail(err, VMM_E_OUTPUT, 0, "%.150s: it is no regular file: a session needs one", path);
	return replace ? 1 : fail_exists(path, err);
}

/* A name beside path that is free. One at a time: see unfinished. */
static int name_temporary(struct vmm_session_file *f, struct vmm_err *err)
{
	int fd;

	f->temporary = vmm_output_name(f->path, ".XXXXXX");
	if (!f->temporary)
		return vmm_fail_nomem(err);
	fd = mkostemp(f->temporary, O_CLOEXEC);
	if (fd < 0) {
		int os = errno;

		free(f->temporary);
		f->temporary = NULL;
		return fail_write(f->path, os, err);
	}
	close(fd);
	unlink(f->temporary);
	unfinished[1] = vmm_output_name(f->temporary, "-journal");
	unfinished[0] = f->temporary;
	handle_signals();
	return 0;
}

static void forget_temporary(struct vmm_session_file *f)
{
	char *journal = unfinished[1];

	unfinished[0] = unfinished[1] = NULL;
	free(journal);
	free(f->temporary);
	f->temporary = NULL;
}

static int open_new(struct vmm_session_file *f, const char *path, bool in_place, struct vmm_err *err)
{
	int exists = check_path(path, f->replace, err), code = 0;

	if (exists < 0)
		return exists;
	/* Through symbolic links: what they point at is replaced, not the link. */
	f->path = exists ? realpath(path, NULL) : vmm_output_name(path, "");
	if (!f->path)
		return exists ? fail_write(path, errno, err) : vmm_fail_nomem(err);
	f->made = !exists;
	if (exists || !in_place)
		code = name_temporary(f, err);
	return code < 0 ? code : vmm_session_open(f->temporary ? f->temporary : f->path, VMM_SESSION_CREATE, &f->session, err);
}

void vmm_session_file_name(const struct vmm_session_file *f, struct vmm_err *err)
{
	size_t n = f->temporary ? strlen(f->temporary) : 0;
	char *at = n ? strstr(err->text, f->temporary) : NULL;

	if (at)
		memmove(at + strlen(f->path), at + n, strlen(at + n) + 1);
}

int vmm_session_file_open(struct vmm_session_file *f, const struct vmm_args *args, bool in_place, struct vmm_err *err)
{
	const char *path = args->option[VMM_OPTION_OUTPUT];
	bool append = vmm_args_has(args, VMM_OPTION_APPEND);
	struct stat st;
	int code;

	memset(f, 0, sizeof(*f));
	f->replace = vmm_args_has(args, VMM_OPTION_FORCE);
	if (!path)
		return vmm_fail(err, VMM_E_USAGE, 0, "no file: -o FILE names the session, such as -o now.vmmap");
	if (append && f->replace)
		return vmm_fail(err, VMM_E_USAGE, 0, "--append adds to FILE, --force replaces it: choose one");
	if (append && stat(path, &st) == 0) {
		f->path = vmm_output_name(path, "");
		code = f->path ? vmm_session_open(path, VMM_SESSION_APPEND, &f->session, err) : vmm_fail_nomem(err);
	} else {
		code = open_new(f, path, in_place, err);
	}
	if (code < 0) {
		vmm_session_file_name(f, err);
		vmm_session_file_close(f, f->made);
	}
	return code;
}

/* Moves without replacing what another has put there meanwhile. */
static int move_new(const char *from, const char *to)
{
#ifdef SYS_renameat2
	if (syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 1u /* RENAME_NOREPLACE */) == 0)
		return 0;
	if (errno != ENOSYS && errno != EINVAL)
		return -1;
#endif
	/* File systems that cannot do that: a second name, then the first one goes. */
	if (link(from, to) == 0) {
		unlink(from);
		return 0;
	}
	return -1;
}

int vmm_session_file_keep(struct vmm_session_file *f, bool more, struct vmm_err *err)
{
	int moved, os;

	if (!f->temporary)
		return 0;
	vmm_session_close(f->session);
	f->session = NULL;
	moved = f->replace ? rename(f->temporary, f->path) : move_new(f->temporary, f->path);
	os = errno;
	if (moved < 0) {
		unlink(f->temporary);
		forget_temporary(f);
		return os == EEXIST ? fail_exists(f->path, err) : fail_write(f->path, os, err);
	}
	forget_temporary(f);
	return more ? vmm_session_open(f->path, VMM_SESSION_APPEND, &f->session, err) : 0;
}

void vmm_session_file_close(struct vmm_session_file *f, bool empty)
{
	vmm_session_close(f->session);
	if (f->temporary)
		unlink(f->temporary);
	else if (f->path && f->made && empty)
		unlink(f->path);
	forget_temporary(f);
	free(f->path);
	memset(f, 0, sizeof(*f));
}

uint64_t vmm_session_file_bytes(const struct vmm_session_file *f)
{
	static const char *const parts[] = {"", "-journal", "-wal"};
	const char *path = f->temporary ? f->temporary : f->path;
	uint64_t bytes = 0;

	for (size_t i = 0; path && i < ARRAY_LEN(parts); i++) {
		char *name = vmm_output_name(path, parts[i]);
		struct stat st;

		if (name && stat(name, &st) == 0 && st.st_size > 0)
			bytes += (uint64_t)st.st_size;
		free(name);
	}
	return bytes;
}

void vmm_session_file_signals(void)
{
	sigset_t set;

	/* Blocked, not ignored: a program that record starts must not inherit it. */
	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static bool find_kind(const char *word, size_t length, uint32_t *kinds)
{
	for (int k = 0; k < VMM_KIND_COUNT; k++) {
		const char *id = vmm_kind_id((enum vmm_kind)k);

		/* These are no memory of the target's. */
		if (k == VMM_KIND_FREE || k == VMM_KIND_UNUSABLE || k == VMM_KIND_PAGE_TABLE)
			continue;
		if (length == 3 && memcmp(word, "all", 3) == 0)
			*kinds |= UINT32_C(1) << k;
		else if (strlen(id) == length && memcmp(word, id, length) == 0)
			*kinds |= UINT32_C(1) << k;
	}
	return *kinds != 0;
}

int vmm_session_file_kinds(const struct vmm_args *args, uint32_t *ret_kinds, struct vmm_err *err)
{
	const char *text = args->option[VMM_OPTION_WITH_MEMORY];
	uint32_t kinds = 0;

	if (!text) {
		*ret_kinds = 0;
		return 0;
	}
	if (vmm_args_has(args, VMM_OPTION_REDACT))
		return vmm_fail(err, VMM_E_USAGE, 0, "--redact keeps contents out, --with-memory puts them in: choose one");
	if (strncmp(text, KIND_PREFIX, strlen(KIND_PREFIX)) == 0)
		text += strlen(KIND_PREFIX);
	for (;;) {
		size_t n = strcspn(text, ",");
		uint32_t found = 0;

		if (!find_kind(text, n, &found))
			return vmm_fail(err, VMM_E_USAGE, 0, "--with-memory: '%.*s' is no kind of memory: all, or some of stack,heap,...: see vmmap help kinds",
			                (int)vmm_min_u64(n, 60), text);
		kinds |= found;
		if (!text[n])
			break;
		text += n + 1;
	}
	*ret_kinds = kinds;
	return 0;
}

void vmm_session_file_redact(struct vmm_snapshot *s)
{
	s->target.cmdline = "";
	vmm_snapshot_note(s, "save", "redacted", 0,
	                  "saved with --redact: the arguments of the command and all contents of memory were left out; names and paths stand");
}
