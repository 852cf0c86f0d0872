/* The command that record starts: a child that inherits nothing of ours. */
#include <errno.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "face/record.h"

extern char **environ;

int rec_program_start(struct rec_program *p, char **argv, struct vmm_err *err)
{
	posix_spawnattr_t attributes;
	sigset_t none;
	int os;

	os = posix_spawnattr_init(&attributes);
	if (os)
		return vmm_fail_nomem(err);
	/* Our signals are blocked; its own are not. */
	sigemptyset(&none);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	os = posix_spawnp(&p->pid, argv[0], NULL, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	if (os == 0)
		return 0;
	p->pid = 0;
	return vmm_fail(err, VMM_E_NO_TARGET, os, "%.150s: cannot run: %s", argv[0], strerror(os));
}

void rec_program_poll(struct rec_program *p)
{
	if (p->pid > 0 && !p->ended && waitpid(p->pid, &p->status, WNOHANG) == p->pid && !WIFSTOPPED(p->status))
		p->ended = true;
}

int rec_program_status(const struct rec_program *p)
{
	if (WIFEXITED(p->status))
		return WEXITSTATUS(p->status);
	return 128 + (WIFSIGNALED(p->status) ? WTERMSIG(p->status) : 0);
}
