/*
 * Thread stacks as glibc 2.42 and later lay them out: neighbours in one mapping, told apart only by
 * MADV_GUARD_INSTALL pages at the low end of each.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "truth.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#define COUNT 6

struct thread {
	char name[16];
	int tid;
	void *inside;
	sem_t ready;
};

static void *thread_main(void *arg)
{
	struct thread *t = arg;
	char here;

	t->tid = (int)syscall(SYS_gettid);
	t->inside = &here;
	pthread_setname_np(pthread_self(), t->name);
	sem_post(&t->ready);
	for (;;)
		pause();
	return NULL;
}

static void start(struct thread *t, unsigned i, void *stack, size_t size)
{
	pthread_attr_t attr;
	pthread_t id;

	snprintf(t->name, sizeof(t->name), "merged %u", i);
	sem_init(&t->ready, 0, 0);
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, stack, size);
	if (pthread_create(&id, &attr, thread_main, t) != 0)
		truth_die("pthread_create");
	sem_wait(&t->ready);
	pthread_attr_destroy(&attr);
}

int main(void)
{
	static struct thread threads[COUNT];
	static char sorts[COUNT][32];
	uint64_t guard = 4 * truth_page(), size = 64 * truth_page();
	char *p = truth_map(COUNT * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!p)
		truth_die("mmap");
	for (unsigned i = 0; i < COUNT; i++) {
		struct truth t;

		snprintf(sorts[i], sizeof(sorts[i]), "merged_stack_%u", i);
		if (madvise(p + i * size, (size_t)guard, MADV_GUARD_INSTALL) < 0) {
			truth_skip(sorts[i], strerror(errno));
			continue;
		}
		start(&threads[i], i, p + i * size, (size_t)size);
		t = truth_anon(sorts[i], p + i * size, size, 0);
		t.kind = "stack";
		t.committed = size - guard;
		/* The kernel charges the whole mapping and keeps one account of it. */
		t.rss = t.uss = t.anonymous = TRUTH_UNKNOWN;
		t.rss_mincore = true;
		t.guard = guard;
		t.tid = threads[i].tid;
		truth_add(&t);
		truth_thread(threads[i].tid, threads[i].name, threads[i].inside);
	}
	truth_finish();
}
