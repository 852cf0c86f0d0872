/*
 * Runs a command with its output thrown away and prints what it cost, as JSON on one line:
 * {"wall_ns":N,"cpu_ns":N,"peak_bytes":N,"status":N}
 * Small on purpose: a child's peak counts the memory that it had before exec, which is this program's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t timeval_ns(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_usec * 1000u;
}

static _Noreturn void child(char **argv)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		_exit(126);
	execvp(argv[0], argv);
	_exit(127);
}

int main(int argc, char **argv)
{
	struct rusage usage;
	uint64_t start;
	pid_t pid;
	int status;

	if (argc < 2) {
		fprintf(stderr, "usage: measure COMMAND [ARGUMENT...]\n");
		return 2;
	}
	start = now_ns();
	pid = fork();
	if (pid == 0)
		child(argv + 1);
	if (pid < 0 || wait4(pid, &status, 0, &usage) < 0) {
		fprintf(stderr, "measure: %s\n", strerror(errno));
		return 1;
	}
	printf("{\"wall_ns\":%llu,\"cpu_ns\":%llu,\"peak_bytes\":%llu,\"status\":%d}\n",
	       (unsigned long long)(now_ns() - start),
	       (unsigned long long)(timeval_ns(&usage.ru_utime) + timeval_ns(&usage.ru_stime)),
	       (unsigned long long)usage.ru_maxrss * 1024u, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return 0;
}
