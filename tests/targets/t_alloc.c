/*
 * A program that allocates from whatever malloc() it runs with: threads with blocks of many sizes, blocks moved, freed
 * by their own thread and by another, a thread that has ended, and a child process that has it all as a copy. Its own
 * tables do not come from malloc(). Prints as JSON what it holds, then waits until its standard input closes; a line
 * {} for each g read from there, when it has given back to the system what is free.
 * Usage: t_alloc THREADS BLOCKS [aligned]
 */
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "alloc_statistics.h"

#define MAX_THREADS 64
#define FREED_KEPT 64 /* addresses of freed blocks that each thread tells */

struct block {
	void *address;
	size_t size; /* as asked for */
};

struct worker {
	pthread_t thread;
	int tid, number;
	unsigned arena; /* where the allocator tells it */
	uint64_t random;
	struct block *blocks;
	void *freed[FREED_KEPT];
	size_t freed_count;
};

static struct worker workers[MAX_THREADS];
static pthread_barrier_t phase;
static size_t count, blocks_each;
static int aligned;
static char *text;
static size_t text_length, text_capacity;

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		_exit(1);
	return p;
}

static uint64_t next_random(struct worker *w)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return w->random;
}

static size_t any_size(struct worker *w)
{
	uint64_t r = next_random(w), kind = r % 1000, more = r >> 20;

	if (kind < 2)
		return 1000000 + more % 3000000;
	if (kind < 6)
		return 140000 + more % 300000;
	if (kind < 56)
		return 4096 + more % 61440;
	return kind < 300 ? 256 + more % 3840 : more % 257;
}

static void fill(struct block *b)
{
	if (!b->address)
		_exit(1);
	memset(b->address, 0x5a, b->size < 4096 ? b->size : 4096);
}

static void take(struct worker *w, struct block *b)
{
	b->size = any_size(w);
	if (aligned && next_random(w) % 16 == 0)
		b->address = aligned_alloc((size_t)32 << next_random(w) % 8, b->size);
	else
		b->address = malloc(b->size);
	fill(b);
}

static void drop(struct worker *w, struct block *b)
{
	w->freed[w->freed_count++ % FREED_KEPT] = b->address;
	free(b->address);
	b->address = NULL;
}

static void fill_own(struct worker *w)
{
	for (size_t i = 0; i < blocks_each; i++)
		take(w, &w->blocks[i]);
	for (size_t i = 0; i < 2 * blocks_each; i++) {
		struct block *b = &w->blocks[next_random(w) % blocks_each];

		if (!b->address)
			take(w, b);
		else if (i % 7 == 0) {
			b->size = any_size(w);
			b->address = realloc(b->address, b->size ? b->size : 1);
			b->size = b->size ? b->size : 1;
			fill(b);
		} else
			drop(w, b);
	}
}

/* Half of the threads free blocks of the thread behind them, which allocates no more. */
static void free_of_others(struct worker *w)
{
	struct worker *other = &workers[(size_t)(w->number + 1) % count];

	if (w->number % 2 == 0 && other != w)
		for (size_t i = 0; i < blocks_each; i++)
			if (other->blocks[i].address && next_random(w) % 3 == 0)
				drop(w, &other->blocks[i]);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	w->tid = (int)syscall(SYS_gettid);
	fill_own(w);
	pthread_barrier_wait(&phase);
	free_of_others(w);
	flush_thread();
	w->arena = thread_arena();
	pthread_barrier_wait(&phase);
	if (w->number == 0 && count > 1)
		return NULL; /* it ends, its blocks stay */
	for (;;)
		pause();
	return NULL;
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	text_length += (size_t)vsnprintf(text + text_length, text_capacity - text_length, format, arguments);
	va_end(arguments);
	if (text_length >= text_capacity)
		_exit(1);
}

/* Every block: address, what malloc_usable_size() says, what was asked for. */
static void say_blocks(void)
{
	size_t live = 0, usable = 0, requested = 0;

	say("\"blocks\": [");
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < blocks_each; k++) {
			const struct block *b = &workers[i].blocks[k];

			if (!b->address)
				continue;
			say("%s[%llu, %zu, %zu]", live ? ", " : "", (unsigned long long)(size_t)b->address, malloc_usable_size(b->address), b->size);
			live++;
			usable += malloc_usable_size(b->address);
			requested += b->size;
		}
	say("], \"live\": %zu, \"usable\": %zu, \"requested\": %zu", live, usable, requested);
}

static void say_threads(void)
{
	size_t said = 0;

	say(", \"freed\": [");
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < FREED_KEPT && k < workers[i].freed_count; k++)
			say("%s%llu", said++ ? ", " : "", (unsigned long long)(size_t)workers[i].freed[k]);
	say("], \"threads\": [");
	for (size_t i = 0; i < count; i++)
		say("%s{\"tid\": %d, \"arena\": %u, \"ended\": %s}", i ? ", " : "", workers[i].tid, workers[i].arena,
		    i == 0 && count > 1 ? "true" : "false");
	say("]");
}

#ifdef __GLIBC__
/* What glibc says of its own heaps; of no meaning where another allocator serves. */
struct mallinfo2 mallinfo2(void) __attribute__((weak));

static void say_mallinfo(void)
{
	struct mallinfo2 m;

	if (!mallinfo2) {
		say(", \"mallinfo\": null");
		return;
	}
	m = mallinfo2();
	say(", \"mallinfo\": {\"arena\": %zu, \"uordblks\": %zu, \"fordblks\": %zu, \"fsmblks\": %zu, \"smblks\": %zu, \"ordblks\": %zu, "
	    "\"hblks\": %zu, \"hblkhd\": %zu, \"keepcost\": %zu}",
	    m.arena, m.uordblks, m.fordblks, m.fsmblks, m.smblks, m.ordblks, m.hblks, m.hblkhd, m.keepcost);
}

#else
static void say_mallinfo(void)
{
	say(", \"mallinfo\": null");
}
#endif

/* The child's: it reads nothing of what is meant for its parent. */
static void wait_for_close(void)
{
	struct pollfd input = {.fd = 0};

	while (poll(&input, 1, -1) <= 0)
		;
	_exit(0);
}

static void wait_for_end(void)
{
	char c;

	while (read(0, &c, 1) > 0)
		if (c == 'g') {
			give_back();
			if (write(1, "{}\n", 3) != 3)
				_exit(1);
		}
	_exit(0);
}

static void start(void)
{
	for (size_t i = 0; i < count; i++) {
		struct worker *w = &workers[i];

		w->number = (int)i;
		w->random = UINT64_C(0x9e3779b97f4a7c15) * (i + 1);
		w->blocks = map(blocks_each * sizeof(*w->blocks));
		if (pthread_create(&w->thread, NULL, work, w) != 0)
			_exit(1);
	}
	pthread_barrier_wait(&phase);
	pthread_barrier_wait(&phase);
	if (count > 1)
		pthread_join(workers[0].thread, NULL);
}

int main(int argc, char **argv)
{
	int child;

	count = argc > 1 ? strtoul(argv[1], NULL, 10) : 8;
	blocks_each = argc > 2 ? strtoul(argv[2], NULL, 10) : 2000;
	aligned = argc > 3;
	if (count < 1 || count > MAX_THREADS || blocks_each < 1)
		return 2;
	pthread_barrier_init(&phase, NULL, (unsigned)count + 1);
	text_capacity = 65536 + count * (blocks_each * 64 + 4096);
	text = map(text_capacity);
	flush_thread(); /* finds the allocator's functions before there are threads */
	start();
	flush_thread();
	child = fork();
	if (child == 0)
		wait_for_close();
	say("{\"pid\": %d, \"child\": %d, ", (int)getpid(), child);
	say_blocks();
	say_threads();
	say_statistics(say);
	say_mallinfo(); /* last: looking for the others' functions may allocate */
	say("}\n");
	for (size_t done = 0; done < text_length;) {
		ssize_t n = write(1, text + done, text_length - done);

		if (n <= 0)
			_exit(1);
		done += (size_t)n;
	}
	wait_for_end();
	return 0;
}
