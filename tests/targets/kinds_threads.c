/* Thread stacks of every sort, the main stack, and the brk heap. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kinds.h"
#include "truth.h"

struct thread {
	const char *sort;
	char name[16]; /* the kernel's limit */
	uint64_t guard; /* as asked for; glibc rounds it up to pages */
	bool own_stack; /* memory that we supplied */
	int tid;
	void *inside;
	char *stack; /* lowest address without the guard */
	size_t size;
	sem_t ready;
};

static void *thread_main(void *arg)
{
	struct thread *t = arg;
	pthread_attr_t attr;
	char here;

	t->tid = (int)syscall(SYS_gettid);
	t->inside = &here;
	if (pthread_getattr_np(pthread_self(), &attr) != 0 ||
	    pthread_attr_getstack(&attr, (void **)&t->stack, &t->size) != 0)
		truth_die("pthread_getattr_np");
	pthread_attr_destroy(&attr);
	snprintf(t->name, sizeof(t->name), "%.15s", t->sort);
	pthread_setname_np(pthread_self(), t->name);
	sem_post(&t->ready);
	for (;;)
		pause();
	return NULL;
}

/* Starts a thread and waits until it has told where its stack is. */
static void start(struct thread *t, size_t size, void *own_stack)
{
	pthread_attr_t attr;
	pthread_t id;

	pthread_attr_init(&attr);
	t->own_stack = own_stack;
	if (own_stack)
		pthread_attr_setstack(&attr, own_stack, size);
	else if (size)
		pthread_attr_setstacksize(&attr, size);
	if (!own_stack && t->guard != TRUTH_UNKNOWN)
		pthread_attr_setguardsize(&attr, (size_t)t->guard);
	sem_init(&t->ready, 0, 0);
	if (pthread_create(&id, &attr, thread_main, t) != 0)
		truth_die("pthread_create");
	sem_wait(&t->ready);
	pthread_attr_destroy(&attr);
}

static void record(const struct thread *t)
{
	uint64_t guard = t->own_stack ? 0 : t->guard == TRUTH_UNKNOWN ? truth_page() : t->guard;
	struct truth r = truth_anon(t->sort, t->stack - guard, t->size + guard, 0);

	r.kind = "stack";
	r.protection = guard ? NULL : "rw-p";
	r.committed = r.private_bytes = t->size;
	r.rss = r.uss = r.anonymous = TRUTH_UNKNOWN;
	r.guard = guard;
	r.tid = t->tid;
	/* mincore() would refuse nothing here, but the guard adds no page either. */
	r.rss_mincore = true;
	truth_add(&r);
	truth_thread(t->tid, t->name, t->inside);
}

static void *ending_main(void *arg)
{
	pthread_attr_t attr;
	struct thread *t = arg;

	if (pthread_getattr_np(pthread_self(), &attr) != 0 ||
	    pthread_attr_getstack(&attr, (void **)&t->stack, &t->size) != 0)
		truth_die("pthread_getattr_np");
	pthread_attr_destroy(&attr);
	return NULL;
}

/* glibc keeps the stacks of ended threads for the next ones; this one's size fits no other thread. */
static void cached_stack(void)
{
	static struct thread t = {.sort = "stack_of_ended_thread", .guard = 3 * 4096};
	pthread_attr_t attr;
	pthread_t id;
	struct truth r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 3 << 20);
	pthread_attr_setguardsize(&attr, (size_t)t.guard);
	if (pthread_create(&id, &attr, ending_main, &t) != 0 || pthread_join(id, NULL) != 0)
		truth_die("pthread_create");
	pthread_attr_destroy(&attr);
	r = truth_anon(t.sort, t.stack - t.guard, t.size + t.guard, 0);
	r.kind = "stack";
	r.protection = NULL;
	r.committed = r.private_bytes = t.size;
	r.rss = r.uss = r.anonymous = TRUTH_UNKNOWN;
	r.rss_mincore = true;
	r.guard = t.guard;
	truth_add(&r);
}

void kinds_threads(void)
{
	static struct thread threads[] = {
	    {.sort = "stack_default", .guard = TRUTH_UNKNOWN},
	    {.sort = "stack_guarded", .guard = 16 * 4096},
	    {.sort = "stack_unguarded", .guard = 0},
	    {.sort = "stack_supplied", .guard = 0},
	};
	static const size_t sizes[] = {0, 256 * 1024, 192 * 1024, 64 * 4096};
	void *own = truth_map(64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char here;
	struct truth main_stack = truth_init("stack_main", &here, 1, "stack");

	if (!own)
		truth_die("mmap");
	cached_stack();
	for (size_t i = 0; i < sizeof(threads) / sizeof(threads[0]); i++) {
		start(&threads[i], sizes[i], i == 3 ? own : NULL);
		record(&threads[i]);
	}
	main_stack.scope = TRUTH_INSIDE;
	main_stack.tid = getpid();
	truth_add(&main_stack);
}

/* The kernel's own idea of where the heap began: field 47 of stat. 0 when it cannot be had. */
static uint64_t start_of_brk(void)
{
	static char text[2048];
	FILE *f = fopen("/proc/self/stat", "re");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	char *p;
	int field = 2;

	if (f)
		fclose(f);
	text[n] = 0;
	p = strrchr(text, ')');
	for (; p && *p && field < 47; p++)
		field += *p == ' ';
	return p && *p ? strtoull(p, NULL, 10) : 0;
}

void kinds_heap(void)
{
	uint64_t page = truth_page(), start = start_of_brk(), end;
	struct truth t;

	if (!start)
		truth_die("/proc/self/stat");
	if (sbrk((intptr_t)(50 * page)) == (void *)-1)
		truth_die("sbrk");
	end = ((uint64_t)(uintptr_t)sbrk(0) + page - 1) & ~(page - 1);
	start &= ~(page - 1);
	t = truth_anon("brk_heap", (void *)(uintptr_t)start, end - start, 0);
	t.kind = "heap";
	t.rss = t.uss = t.anonymous = TRUTH_UNKNOWN;
	t.rss_mincore = true;
	truth_add(&t);
}
