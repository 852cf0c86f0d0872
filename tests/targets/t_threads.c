/*
 * 200 named threads: half wait in the kernel, most others in a signal wait, a few run all the time.
 * Usage: t_threads [COUNT [SPINNERS]]
 */
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "truth.h"

#define MAX_THREADS 1000

struct thread {
	unsigned index, spinners;
	int tid;
	void *inside;
	char name[16];
	sem_t ready;
};

static volatile unsigned long spins;

static void wait_forever(struct thread *t)
{
	/* A frame of its own size for each thread, so that no two stack pointers look alike. */
	volatile char *frame = __builtin_alloca(16 + t->index % 17 * 176);
	sigset_t none;

	frame[0] = 1;
	sem_post(&t->ready);
	if (t->index < t->spinners)
		for (;;)
			spins++;
	sigemptyset(&none);
	for (;;)
		if (t->index % 2)
			poll(NULL, 0, -1);
		else
			sigwaitinfo(&none, NULL);
}

static void *thread_main(void *arg)
{
	struct thread *t = arg;
	char here;

	t->tid = (int)syscall(SYS_gettid);
	t->inside = &here;
	pthread_setname_np(pthread_self(), t->name);
	wait_forever(t);
	return NULL;
}

int main(int argc, char **argv)
{
	static struct thread threads[MAX_THREADS];
	unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 200;
	unsigned spinners = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 2;
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	for (unsigned i = 0; i < count && i < MAX_THREADS; i++) {
		pthread_t id;

		threads[i].index = i;
		threads[i].spinners = spinners;
		snprintf(threads[i].name, sizeof(threads[i].name), "worker (%u) :%u", i, i % 10);
		sem_init(&threads[i].ready, 0, 0);
		if (pthread_create(&id, &attr, thread_main, &threads[i]) != 0)
			truth_die("pthread_create");
		sem_wait(&threads[i].ready);
		truth_thread(threads[i].tid, threads[i].name, threads[i].inside);
	}
	truth_finish();
}
