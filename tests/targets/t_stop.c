/*
 * Is stopped and must not lose anything by it. Counts in a shared file, which can be read without its help:
 * t_stop FILE MODE THREADS MAPPINGS. Modes: busy (threads count), sleep (threads wait), leader (the same, and the first
 * thread ends), vfork (the first thread waits for a child that shares its memory, until a byte comes in), chain (each
 * thread starts the next and ends), exec (a thread that is not the first one starts the program anew, again and again).
 * Ends when standard input closes.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "truth.h"

#define THREADS_MAX 2048
#define SIGNALS_MAX 65536

/* The file: tests/live/stop.py knows its layout. */
struct counts {
	_Atomic uint64_t thread[THREADS_MAX];   /* rounds of each busy thread; of vfork, chain and exec [0] alone */
	_Atomic uint32_t signals[SIGNALS_MAX]; /* how often the handler ran with this value */
};

static struct counts *counts; /* mutable: mapped once */
static char **arguments;      /* mutable: of main */

static void on_signal(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	counts->signals[(unsigned)info->si_value.sival_int % SIGNALS_MAX]++;
}

static void *count(void *arg)
{
	_Atomic uint64_t *own = arg;

	for (;;)
		atomic_fetch_add_explicit(own, 1, memory_order_relaxed);
	return NULL;
}

static void *wait_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

/* Ends the process when standard input closes. */
static void *wait_for_end(void *arg)
{
	char byte;

	while (read(0, &byte, 1) > 0)
		;
	_exit(0);
	return arg;
}

static void start(void *(*run)(void *), void *arg)
{
	pthread_attr_t attributes;
	pthread_t id;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 65536);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&id, &attributes, run, arg) != 0)
		truth_die("pthread_create");
	pthread_attr_destroy(&attributes);
}

static void *chain(void *arg)
{
	counts->thread[0]++;
	start(chain, arg);
	return NULL;
}

static void *exec_again(void *arg)
{
	struct pollfd in = {.fd = 0, .events = POLLIN};

	counts->thread[0]++;
	if (poll(&in, 1, 2) != 0)
		_exit(0);
	setenv("T_STOP_AGAIN", "1", 1);
	execv("/proc/self/exe", arguments);
	truth_die("exec");
	return arg;
}

/* Until a byte or the end comes in, the child has the memory and the parent sleeps soundly. */
static void vfork_and_wait(void)
{
	char byte;

	if (vfork() == 0) {
		if (read(0, &byte, 1) < 0)
			_exit(1);
		_exit(0);
	}
	for (;;) {
		struct pollfd in = {.fd = 0, .events = POLLIN};

		counts->thread[0]++;
		if (poll(&in, 1, 1) != 0)
			_exit(0);
	}
}

static void map_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, sizeof(*counts)) != 0)
		truth_die(path);
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (counts == MAP_FAILED)
		truth_die("mmap");
	close(fd);
}

/* Neighbours differ in protection, so that they stay apart. */
static void map_many(unsigned number)
{
	for (unsigned i = 0; i < number; i++) {
		char *p = mmap(NULL, truth_page(), i % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			truth_die("mmap");
	}
}

static void handle_signals(void)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};

	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGRTMIN + 3, &action, NULL);
}

static void start_mode(const char *mode, unsigned threads)
{
	bool busy = strcmp(mode, "busy") == 0, chains = strcmp(mode, "chain") == 0;

	if (strcmp(mode, "exec") == 0)
		start(exec_again, NULL);
	else
		for (unsigned i = 0; i < threads && i < THREADS_MAX; i++)
			start(busy ? count : chains ? chain : wait_for_ever, &counts->thread[i]);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		truth_die("usage: t_stop FILE MODE THREADS MAPPINGS");
	arguments = argv;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	map_file(argv[1]);
	handle_signals();
	map_many((unsigned)strtoul(argv[4], NULL, 10));
	start_mode(argv[2], (unsigned)strtoul(argv[3], NULL, 10));
	if (strcmp(argv[2], "leader") == 0)
		start(wait_for_end, NULL);
	if (!getenv("T_STOP_AGAIN"))
		dprintf(1, "{\"pid\":%d}\n", getpid());
	if (strcmp(argv[2], "leader") == 0)
		pthread_exit(NULL);
	if (strcmp(argv[2], "vfork") == 0)
		vfork_and_wait();
	if (strcmp(argv[2], "exec") == 0)
		wait_for_ever(NULL);
	wait_for_end(NULL);
}
