/* vmmap serve and vmmap gui: the options, the address, and the wait for the end. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/err.h"
#include "base/out.h"
#include "face/cli.h"
#include "face/page.h"
#include "face/serve/serve.h"
#include "face/session_file.h"

#define LARGE_BLOCK (128 << 10) /* bytes: what glibc begins with */

/* Everything that runs. */
struct serving {
	const struct vmm_args *args;
	struct srv_work work;
	struct srv_plan plan;
	struct srv_server *server;
	int signals; /* a descriptor */
};

static int make_token(char token[SRV_TOKEN_LENGTH + 1], struct vmm_err *err)
{
	unsigned char random[SRV_TOKEN_LENGTH / 2];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return vmm_fail(err, VMM_E_IO, errno, "no random numbers: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(token + 2 * i, 3, "%02x", random[i]);
	return 0;
}

static int make_plan(struct serving *s, struct vmm_err *err)
{
	const char *const *option = s->args->option;
	uint64_t port = 0;
	int code = 0;

	s->plan.work = &s->work;
	s->plan.picker = !s->args->operand_count;
	s->plan.socket = option[VMM_OPTION_SOCKET];
	s->plan.guard.host_name = option[VMM_OPTION_HOST_NAME];
	if (s->plan.socket && option[VMM_OPTION_PORT])
		return vmm_fail(err, VMM_E_USAGE, 0, "--port and --socket: choose one");
	if (option[VMM_OPTION_PORT] && strcmp(option[VMM_OPTION_PORT], "0") != 0)
		code = vmm_cli_number("port", option[VMM_OPTION_PORT], &port, err);
	if (code == 0 && port > 65535)
		code = vmm_fail(err, VMM_E_USAGE, 0, "--port: at most 65535");
	s->plan.port = (uint16_t)port;
	return code < 0 ? code : make_token(s->plan.guard.token, err);
}

/* Every thread inherits it: signals are waited for here alone. */
static int block_signals(struct serving *s, struct vmm_err *err)
{
	static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(ending); i++)
		sigaddset(&set, ending[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	vmm_session_file_signals();
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return s->signals < 0 ? vmm_fail(err, VMM_E_IO, errno, "cannot wait for signals: %s", strerror(errno)) : 0;
}

/* The address on standard output, and what else helps on standard error. */
static void say(const struct serving *s)
{
	const struct srv_plan *p = &s->plan;
	size_t length;

	if (p->socket) {
		printf("http://localhost/?token=%s\n", p->guard.token);
		fflush(stdout);
		fprintf(stderr, "vmmap: on the socket %s; from elsewhere: ssh -L 8080:%s HOST, then http://localhost:8080/?token=...\n", p->socket,
		        p->socket);
	} else {
		printf("http://127.0.0.1:%u/?token=%s\n", p->guard.port, p->guard.token);
		fflush(stdout);
		fprintf(stderr, "vmmap: Ctrl-C ends it; from elsewhere: ssh -L %u:127.0.0.1:%u HOST, then the same address\n", p->guard.port,
		        p->guard.port);
	}
	if (!vmm_page_html(&length))
		fputs("vmmap: built without its page: only the data below /api/ are served\n", stderr);
}

/* Tries one program with the address; its own output would only disturb. */
static bool spawn(const char *program, const char *address)
{
	char *const arguments[] = {(char[4096]){0}, (char[256]){0}, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	pid_t pid;
	int rc;

	if (strlen(program) >= 4096)
		return false;
	memcpy(arguments[0], program, strlen(program) + 1);
	snprintf(arguments[1], 256, "%s", address);
	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
	rc = posix_spawnp(&pid, program, &actions, &attributes, arguments, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return rc == 0;
}

/* The address in a browser's arguments stands where others can read it: it lets in once. */
static void open_browser(const struct serving *s)
{
	const char *browser = getenv("BROWSER");
	bool screen = getenv("DISPLAY") || getenv("WAYLAND_DISPLAY");
	char address[256];

	snprintf(address, sizeof(address), "http://127.0.0.1:%u/?token=%s", s->plan.guard.port, s->plan.guard.once);
	if (browser && browser[0] && spawn(browser, address))
		return;
	if (screen && spawn("xdg-open", address))
		return;
	fputs("vmmap: no browser could be started here: open the address above in one\n", stderr);
}

/* Until a signal. A browser that was started and has ended is not left a zombie. */
static void wait_for_end(const struct serving *s)
{
	struct pollfd fds[] = {{.fd = s->signals, .events = POLLIN}, {.fd = srv_server_fd(s->server), .events = POLLIN}};
	int timeout = -1;

	for (;;) {
		uint64_t drained;

		if (poll(fds, ARRAY_LEN(fds), timeout) < 0 && errno != EINTR)
			return;
		if (fds[0].revents)
			return;
		if (fds[1].revents)
			(void)!read(fds[1].fd, &drained, sizeof(drained));
		timeout = srv_server_sweep(s->server);
		waitpid(-1, NULL, WNOHANG);
	}
}

static int run(struct serving *s, bool browser, struct vmm_err *err)
{
	const char *target = s->args->operand_count ? s->args->operand[0] : NULL;
	int code = make_plan(s, err);

	if (code == 0 && browser && s->plan.socket)
		code = vmm_fail(err, VMM_E_USAGE, 0, "--socket: a browser does not open one; vmmap serve listens there");
	if (code == 0 && browser)
		code = make_token(s->plan.guard.once, err);
	if (code == 0)
		code = block_signals(s, err);
	if (code == 0)
		code = srv_server_check(err);
	if (code == 0)
		code = srv_history_open(&s->work.history, s->args, target, err);
	if (code == 0)
		code = srv_work_start(&s->work, err);
	if (code == 0)
		code = srv_server_start(&s->plan, &s->server, err);
	if (code < 0)
		return code;
	say(s);
	if (browser)
		open_browser(s);
	wait_for_end(s);
	return 0;
}

/*
 * Memory that follows what is in use, for hours: no arena for each thread, of which malloc_trim() leaves the top untouched,
 * and thresholds that do not rise with the largest block that was ever given back, as glibc's do until they are set.
 */
static void settle_malloc(void)
{
#ifdef __GLIBC__
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
	mallopt(M_TRIM_THRESHOLD, LARGE_BLOCK);
#endif
}

int srv_main(const struct vmm_args *args, bool browser)
{
	struct serving s = {.args = args, .signals = -1};
	struct vmm_err err;
	int code, status = VMM_EXIT_DONE;

	settle_malloc();
	code = run(&s, browser, &err);
	if (code < 0)
		status = args->operand_count ? vmm_cli_fail_target(args, args->operand[0], &err) : vmm_cli_fail(args, &err);
	srv_work_stop(&s.work);
	srv_server_stop(s.server);
	srv_work_done(&s.work);
	vmm_close_fd(&s.signals);
	return status;
}

int vmm_cli_serve(const struct vmm_args *args)
{
	return srv_main(args, false);
}
