/*
 * Changes its memory as fast as it can: maps, splits and unmaps, starts and ends threads, forks, and execs itself.
 * Prints "ready" once; ends when its parent does, or when standard input closes.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "truth.h"

#define SLOTS 400
#define PAGES 16

static void *brief_thread(void *arg)
{
	volatile char frame[4096];

	frame[0] = 1;
	(void)arg;
	return frame[0] ? NULL : (void *)1;
}

/* Each thread works on slots of its own. */
static void *mapper(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	char *slots[SLOTS] = {NULL};
	size_t bytes = PAGES * truth_page();

	for (;;) {
		unsigned i = (unsigned)rand_r(&seed) % SLOTS;

		if (slots[i]) {
			munmap(slots[i], bytes);
			slots[i] = NULL;
			continue;
		}
		slots[i] = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (slots[i] == MAP_FAILED) {
			slots[i] = NULL;
			continue;
		}
		slots[i][0] = 1;
		mprotect(slots[i] + (seed % PAGES) * truth_page(), truth_page(), (int)(seed >> 8 & 1));
	}
	return NULL;
}

static void start_threads(void)
{
	pthread_t id;

	for (uintptr_t i = 1; i <= 2; i++)
		if (pthread_create(&id, NULL, mapper, (void *)i) != 0)
			truth_die("pthread_create");
}

static void one_round(void)
{
	pthread_t id;
	pid_t child;

	if (pthread_create(&id, NULL, brief_thread, NULL) == 0)
		pthread_join(id, NULL);
	child = fork();
	if (child == 0)
		_exit(0);
	if (child > 0)
		waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
	struct pollfd in = {.fd = 0, .events = POLLIN};
	unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 50;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc < 3)
		dprintf(1, "{\"pid\":%d}\n", getpid());
	start_threads();
	for (unsigned i = 0; i < rounds; i++) {
		one_round();
		if (poll(&in, 1, 0) != 0)
			_exit(0);
	}
	execl("/proc/self/exe", argv[0], argc > 1 ? argv[1] : "50", "again", (char *)NULL);
	truth_die("exec");
}
