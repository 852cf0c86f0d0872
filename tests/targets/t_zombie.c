/* A parent that never waits for its child: prints the zombie's PID as "pid". */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "truth.h"

int main(void)
{
	siginfo_t info;
	char end[16];
	pid_t child = fork();

	if (child < 0)
		truth_die("fork");
	if (child == 0)
		_exit(0);
	/* WNOWAIT: come back when it is a zombie, and leave it one. */
	if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) < 0)
		truth_die("waitid");
	dprintf(1, "{\"pid\":%d}\n", child);
	while (read(0, end, sizeof(end)) > 0)
		;
	return 0;
}
