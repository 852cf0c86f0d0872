/*
 * What the kernel starts for /proc/sys/kernel/core_pattern: as root, the core on standard input, while the process still
 * has its /proc. Everything that is told about the process may be chosen by it.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/scan.h"
#include "base/text.h"
#include "face/cli.h"
#include "face/core_keep.h"
#include "vmmap/capture.h"

#define FOLDER "/var/lib/vmmap/cores"
#define SECONDS_MAX 600     /* nobody waits longer for the process to end */
#define KEEP_DEFAULT 32
#define FREE_PERCENT 10

static volatile sig_atomic_t overdue; /* mutable: a signal handler has nothing else to tell it with */

static void on_alarm(int number)
{
	if (overdue)
		_exit(VMM_EXIT_UNREADABLE);
	overdue = 1;
	alarm(60); /* to tidy up */
}

/* The kernel opens nothing but standard input: what we open next must not become standard error. */
static void fill_descriptors(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			_exit(VMM_EXIT_UNREADABLE);
}

/* One line to the kernel's log, where who looks for a crash finds it, and to standard error. */
VMM_PRINTF(1, 2)
static void say(const char *format, ...)
{
	VMM_CLEANUP_FD int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY);
	char line[900];
	va_list args;
	int n;

	n = snprintf(line, sizeof(line), "<5>vmmap core-helper: ");
	va_start(args, format);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n - 1, format, args);
	va_end(args);
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n++] = '\n';
	if (fd >= 0)
		(void)!write(fd, line, (size_t)n);
	(void)!write(STDERR_FILENO, line + 3, (size_t)n - 3);
}

static int fail(const char *what, const struct vmm_err *err)
{
	char text[512];

	vmm_escape_terminal(text, sizeof(text), err->text, strlen(err->text));
	say("%s: %s", what, text);
	return vmm_error_status(err->code);
}

/* "100", "64M", "10%". *ret_unit: 0, or the letter. */
static bool parse_number(const char *text, uint64_t *ret, char *ret_unit)
{
	static const char units[] = "KMGT";
	struct vmm_scan s = vmm_scan_init(text, strlen(text));
	const char *unit;

	*ret_unit = '\0';
	if (!vmm_scan_dec(&s, ret))
		return false;
	if (vmm_scan_done(&s))
		return true;
	*ret_unit = *s.p++;
	unit = strchr(units, *ret_unit);
	if (!vmm_scan_done(&s) || (!unit && *ret_unit != '%'))
		return false;
	return !unit || !__builtin_mul_overflow(*ret, UINT64_C(1) << (10 * (unit - units + 1)), ret);
}

struct job {
	struct vmm_core_limits limits;
	struct vmm_capture_owner owner;
	bool owner_known;
	int32_t pid;
	uint64_t numbers[4]; /* PID, TID, signal, time */
	const char *folder;
	int dir_fd;
	char base[VMM_CORE_NAME], core[VMM_CORE_NAME + 32], sidecar[VMM_CORE_NAME + 64];
	bool has_sidecar;
	char shown[80]; /* the process's name, escaped */
};

static int parse_limits(const struct vmm_args *args, struct vmm_core_limits *l, struct vmm_err *err)
{
	const char *size = args->option[VMM_OPTION_MAX_SIZE], *keep = args->option[VMM_OPTION_KEEP], *left = args->option[VMM_OPTION_KEEP_FREE];
	uint64_t v;
	char unit;

	*l = (struct vmm_core_limits){.core_bytes = UINT64_MAX, .keep_count = KEEP_DEFAULT, .free_percent = FREE_PERCENT};
	if (size) {
		if (!parse_number(size, &l->core_bytes, &unit) || unit == '%')
			return vmm_fail(err, VMM_E_USAGE, 0, "--max-size: '%.40s' is no size such as 4G", size);
	}
	if (keep) {
		if (!parse_number(keep, &v, &unit) || unit == '%' || v == 0)
			return vmm_fail(err, VMM_E_USAGE, 0, "--keep: '%.40s' is neither a number of cores nor a size such as 20G", keep);
		l->keep_count = unit ? 0 : (uint32_t)vmm_min_u64(v, UINT32_MAX);
		l->keep_bytes = unit ? v : 0;
	}
	if (left) {
		if (!parse_number(left, &v, &unit) || (unit == '%' && v > 100))
			return vmm_fail(err, VMM_E_USAGE, 0, "--keep-free: '%.40s' is neither a size such as 2G nor a share such as 10%%", left);
		l->free_percent = unit == '%' ? (uint32_t)v : 0;
		l->free_bytes = unit == '%' ? 0 : v;
	}
	return 0;
}

static int parse_numbers(const struct vmm_args *args, bool then, struct job *j, struct vmm_err *err)
{
	size_t wanted = then ? 1 : ARRAY_LEN(j->numbers);

	for (size_t i = 0; i < wanted; i++) {
		char unit;

		if (i >= args->operand_count || !parse_number(args->operand[i], &j->numbers[i], &unit) || unit)
			return vmm_fail(err, VMM_E_USAGE, 0, then ? "the first argument of the program must be %%P, the PID"
			                                          : "the operands are %%P %%i %%s %%t: numbers that the kernel fills in");
	}
	if (j->numbers[0] == 0 || j->numbers[0] > INT32_MAX)
		return vmm_fail(err, VMM_E_USAGE, 0, "%s: no PID", args->operand[0]);
	j->pid = (int32_t)j->numbers[0];
	if (then)
		j->numbers[3] = (uint64_t)time(NULL);
	return 0;
}

/* core.NAME.PID.TIME; of the name only letters that mean nothing to anybody. */
static void name_files(struct job *j, bool packed)
{
	char name[sizeof(j->owner.name)];
	size_t n = strlen(j->owner.name);

	for (size_t i = 0; i < n; i++) {
		char c = j->owner.name[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';

		name[i] = plain ? c : '_';
	}
	name[n] = '\0';
	vmm_escape_terminal(j->shown, sizeof(j->shown), j->owner.name, n);
	snprintf(j->base, sizeof(j->base), "core.%s.%d.%llu", name[0] ? name : "unknown", (int)j->pid, (unsigned long long)j->numbers[3]);
	snprintf(j->core, sizeof(j->core), "%s%s", j->base, packed ? ".zst" : "");
	snprintf(j->sidecar, sizeof(j->sidecar), "%s.proc.tar", j->core);
}

/* What is known of the process stays when the core does not fit, so it comes first. */
static void keep_sidecar(struct job *j)
{
	struct vmm_core_file f;
	struct vmm_err err;
	int rc = vmm_core_file_begin(&f, j->dir_fd, j->sidecar, &err);

	if (rc == 0) {
		rc = vmm_capture_write(j->pid, f.fd, 0, &err);
		if (rc < 0)
			vmm_core_file_end(&f, j->sidecar, 0, 0, false, NULL);
		else
			rc = vmm_core_file_end(&f, j->sidecar, j->owner.uid, j->owner.gid, true, &err);
	}
	j->has_sidecar = rc == 0;
	if (rc < 0)
		fail("no sidecar", &err);
}

/* A core that ends early says so in its name, and its sidecar follows it. */
static void rename_cut(struct job *j)
{
	char sidecar[sizeof(j->sidecar)];

	snprintf(j->core, sizeof(j->core), "%s.truncated", j->base);
	snprintf(sidecar, sizeof(sidecar), "%s.proc.tar", j->core);
	if (j->has_sidecar && renameat(j->dir_fd, j->sidecar, j->dir_fd, sidecar) == 0)
		memcpy(j->sidecar, sidecar, sizeof(sidecar));
}

static int keep_core(struct job *j, bool packed)
{
	struct vmm_core_copied done = {0};
	struct vmm_core_file f;
	struct vmm_err err;
	int rc = vmm_core_file_begin(&f, j->dir_fd, j->base, &err);

	if (rc < 0)
		return fail("no core", &err);
	rc = vmm_core_copy(STDIN_FILENO, f.fd, &j->limits, packed, &overdue, &done, &err);
	if (rc == 0 && done.cut && !packed)
		rename_cut(j);
	if (rc == 0 && done.bytes == 0) {
		vmm_core_file_end(&f, j->core, 0, 0, false, NULL);
		say("%s (PID %d, uid %u) ended by signal %llu: no core was kept: %s%s%s", j->shown, (int)j->pid, j->owner.uid,
		    (unsigned long long)j->numbers[2], done.cut ? done.cut : "there was none", j->has_sidecar ? "; its sidecar is " : "",
		    j->has_sidecar ? j->sidecar : "");
		return VMM_EXIT_UNREADABLE;
	}
	rc = rc < 0 ? rc : vmm_core_file_end(&f, j->core, j->owner.uid, j->owner.gid, true, &err);
	if (rc < 0)
		return fail("no core", &err);
	say("%s (PID %d, uid %u) ended by signal %llu: %s/%s, %llu MiB, %llu MiB on disk%s%s%s", j->shown, (int)j->pid, j->owner.uid,
	    (unsigned long long)j->numbers[2], j->folder, j->core, (unsigned long long)(done.bytes >> 20),
	    (unsigned long long)(done.written >> 20), j->has_sidecar ? ", with sidecar" : ", no sidecar", done.cut ? ", truncated: " : "",
	    done.cut ? done.cut : "");
	return VMM_EXIT_DONE;
}

static int run_then(const struct vmm_args *args, struct job *j)
{
	char *argv[VMM_OPERANDS_MAX + 2];
	size_t n = 0;

	argv[n++] = (char *)args->option[VMM_OPTION_THEN];
	for (size_t i = 0; i < args->operand_count; i++)
		argv[n++] = (char *)args->operand[i];
	argv[n] = NULL;
	alarm(0);
	if (j->has_sidecar)
		say("%s (PID %d, uid %u): the sidecar is %s/%s", j->shown, (int)j->pid, j->owner.uid, j->folder, j->sidecar);
	execv(argv[0], argv);
	say("%s cannot be started: %m", argv[0]);
	return VMM_EXIT_UNREADABLE;
}

/* The folder and what is in it; a failure costs the sidecar, but not what comes then. */
static int prepare(const struct vmm_args *args, struct job *j)
{
	struct vmm_err err;
	int rc;

	j->folder = args->option[VMM_OPTION_DIR] ? args->option[VMM_OPTION_DIR] : FOLDER;
	rc = vmm_core_folder(j->folder, &j->dir_fd, &err);
	if (rc < 0)
		return fail("nothing is kept", &err);
	vmm_core_make_room(j->dir_fd, &j->limits);
	if (vmm_capture_owner_read(j->pid, &j->owner, &err) < 0)
		fail("no sidecar", &err);
	else
		j->owner_known = true;
	name_files(j, vmm_args_has(args, VMM_OPTION_ZSTD));
	if (j->owner_known)
		keep_sidecar(j);
	return 0;
}

int vmm_cli_core_helper(const struct vmm_args *args)
{
	struct sigaction action = {.sa_handler = on_alarm};
	bool then = vmm_args_has(args, VMM_OPTION_THEN);
	struct job j = {.dir_fd = -1};
	struct vmm_err err;
	int status;

	fill_descriptors();
	umask(022);
	if (parse_limits(args, &j.limits, &err) < 0 || parse_numbers(args, then, &j, &err) < 0 ||
	    (then && args->option[VMM_OPTION_THEN][0] != '/' && vmm_fail(&err, VMM_E_USAGE, 0, "--then: give the program's whole path") < 0))
		return fail("usage", &err);
	sigaction(SIGALRM, &action, NULL);
	alarm(SECONDS_MAX);
	status = prepare(args, &j);
	if (then)
		return run_then(args, &j);
	if (status == 0)
		status = keep_core(&j, vmm_args_has(args, VMM_OPTION_ZSTD));
	vmm_close_fd(&j.dir_fd);
	return status;
}
