/*
 * Threads that allocate from arenas of their own, and big blocks that malloc maps one by one, some of them beside
 * memory that malloc knows nothing of. Prints as JSON what mallinfo2() says the system gave them all, and what each
 * thread and the main one allocated; then waits until its standard input closes.
 * Usage: t_arenas THREADS BLOCKS
 */
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_THREADS 60
#define BLOCK_BYTES 60000 /* below every mmap threshold: it comes from the thread's arena */
#define BIG_BYTES 200000  /* above: each is a mapping of its own */
#define BIG_COUNT 37

struct worker {
	pthread_t thread;
	int tid;
	long blocks;
	void *last;
};

static struct worker workers[MAX_THREADS];
static pthread_barrier_t ready;

static void *work(void *arg)
{
	struct worker *w = arg;

	w->tid = (int)syscall(SYS_gettid);
	for (long i = 0; i < w->blocks; i++) {
		w->last = malloc(BLOCK_BYTES);
		if (w->last)
			memset(w->last, 1, BLOCK_BYTES);
	}
	pthread_barrier_wait(&ready);
	for (;;)
		pause();
	return NULL;
}

static void *big[BIG_COUNT];

/* The kernel joins neighbours: some blocks come to lie inside a mapping that begins with other bytes. */
static void allocate_big(void)
{
	for (int i = 0; i < BIG_COUNT; i++) {
		big[i] = malloc(BIG_BYTES + (size_t)i * 5000);
		if (big[i])
			memset(big[i], 2, 5000);
		if (i % 5 == 0) {
			char *other = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			if (other != MAP_FAILED)
				memset(other, 3, 16384);
		}
	}
}

int main(int argc, char **argv)
{
	static char buffer[16384]; /* printf() must not allocate after the count */
	int count = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 4;
	long blocks = argc > 2 ? strtol(argv[2], NULL, 10) : 3000;
	struct mallinfo2 info;

	if (count < 1 || count > MAX_THREADS)
		return 2;
	mallopt(M_ARENA_MAX, MAX_THREADS + 1); /* one each, however few processors there are */
	pthread_barrier_init(&ready, NULL, (unsigned)count + 1);
	for (int i = 0; i < count; i++) {
		/* The last ones need several sub-heaps of 64 MiB. */
		workers[i].blocks = 1 + blocks * i / count;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
			return 1;
	}
	pthread_barrier_wait(&ready);
	allocate_big();
	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	info = mallinfo2();
	printf("{\"system_bytes\": %zu, \"mmapped_bytes\": %zu, \"mmapped_count\": %zu, \"big\": [", info.arena, info.hblkhd, info.hblks);
	for (int i = 0; i < BIG_COUNT; i++)
		printf("%s%llu", i ? ", " : "", (unsigned long long)(size_t)big[i]);
	printf("], \"threads\": [");
	for (int i = 0; i < count; i++)
		printf("%s{\"tid\": %d, \"address\": %llu}", i ? ", " : "", workers[i].tid, (unsigned long long)(size_t)workers[i].last);
	printf("]}\n");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
