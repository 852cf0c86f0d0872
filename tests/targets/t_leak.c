/*
 * Leaks in one place below noise, one round for each line on standard input, and answers each with a line: {"leaked":
 * bytes}. Usage: t_leak WHERE: none, main (the brk heap), arena (a thread's own), chunks (chunks that malloc() maps one
 * by one), mappings (mappings apart from each other), growing (one mapping, page after page), file (a file's pages),
 * stacks (threads that never end). The first line tells {"pid", "leaker": TID of the thread that leaks}. The noise of a
 * round: four threads free and allocate, mappings come and go, threads start and end.
 */
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROUND 65536 /* bytes leaked in a round, about; the answer tells exactly */
#define HOLE (1 << 20)  /* larger than any mapping of the noise */
#define NOISY 4
#define SLOTS 300
#define MAPPINGS 12
#define FILE_BYTES (64 << 20)

static const char *where;
static sem_t start[NOISY + 1], done;
static uint64_t leaked;
static _Atomic int leaker_tid;

static uint64_t next(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return *random >> 8;
}

static void fill(void *p, size_t size)
{
	if (!p || p == MAP_FAILED)
		_exit(1);
	memset(p, 0x5a, size);
}

static void *map(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void *sleeper(void *arg)
{
	pause();
	return arg;
}

/* One page is in use after the other: from a reservation, so that it stays one mapping of the kernel's. */
static void leak_growing(void)
{
	static char *base;
	static size_t used;

	if (!base)
		base =
		    mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	fill(base + used, ROUND);
	used += ROUND;
}

static void leak_file(void)
{
	static char *base;
	static size_t used;
	char name[] = "t_leak.XXXXXX";

	if (!base) {
		int fd = mkstemp(name);

		if (fd < 0 || unlink(name) != 0 || ftruncate(fd, FILE_BYTES) != 0)
			_exit(1);
		base = mmap(NULL, FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (base != MAP_FAILED)
			madvise(base, FILE_BYTES, MADV_RANDOM);
		close(fd);
	}
	fill(base + used, ROUND);
	used += ROUND;
}

static void leak(void)
{
	pthread_t thread;

	if (strcmp(where, "main") == 0 || strcmp(where, "arena") == 0) {
		for (int i = 0; i < 16; i++) {
			fill(malloc(4088), 4088);
			leaked += 4088;
		}
	} else if (strcmp(where, "chunks") == 0) {
		fill(malloc(200000), 200000);
		leaked += 200000;
	} else if (strcmp(where, "mappings") == 0) {
		char *p = map(ROUND + 2 * HOLE);

		/* The kernel joins neighbours that are alike: these are unlike the noise, and holes keep them from each other. */
		munmap(p, HOLE);
		munmap(p + HOLE + ROUND, HOLE);
		madvise(p + HOLE, ROUND, MADV_DONTDUMP);
		fill(p + HOLE, ROUND);
		leaked += ROUND;
	} else if (strcmp(where, "growing") == 0) {
		leak_growing();
		leaked += ROUND;
	} else if (strcmp(where, "file") == 0) {
		leak_file();
		leaked += ROUND;
	} else if (strcmp(where, "stacks") == 0) {
		if (pthread_create(&thread, NULL, sleeper, NULL) != 0)
			_exit(1);
	}
}

static void *leaker(void *arg)
{
	pthread_setname_np(pthread_self(), "leaker");
	free(malloc(100));
	leaker_tid = (int)gettid();
	sem_post(&done);
	for (;;) {
		sem_wait(&start[NOISY]);
		leak();
		sem_post(&done);
	}
	return arg;
}

static void *noise(void *arg)
{
	size_t number = (size_t)arg;
	uint64_t random = UINT64_C(0x9e3779b97f4a7c15) * (number + 1);
	void **slots = calloc(SLOTS, sizeof(*slots));
	char name[16];

	snprintf(name, sizeof(name), "noise-%zu", number);
	pthread_setname_np(pthread_self(), name);
	for (bool first = true;; first = false) {
		for (int i = 0; i < SLOTS * (first ? 3 : 1); i++) {
			size_t at = next(&random) % SLOTS,
			       size = 1 + next(&random) % (next(&random) % 40 ? 3000 : 60000);

			free(slots[at]);
			slots[at] = malloc(size);
			fill(slots[at], size);
		}
		sem_post(&done);
		sem_wait(&start[number]);
	}
	return NULL;
}

static void *short_life(void *arg)
{
	void *p = malloc(50000);

	fill(p, 50000);
	sem_wait(arg);
	free(p);
	return NULL;
}

/* Mappings and mapped chunks come and go, and so do threads: at most three at a time. */
static void disturb(void)
{
	static uint64_t random = 42;
	static struct {
		void *p;
		size_t size;
	} mapped[MAPPINGS];
	static void *chunks[4];
	static pthread_t threads[3];
	static sem_t ends[3];
	static unsigned round;
	size_t at = next(&random) % MAPPINGS;
	unsigned slot = round % 3;

	if (mapped[at].p)
		munmap(mapped[at].p, mapped[at].size);
	mapped[at].size = (1 + next(&random) % 100) * 4096;
	mapped[at].p = map(mapped[at].size);
	fill(mapped[at].p, mapped[at].size);
	at = next(&random) % 4;
	free(chunks[at]);
	chunks[at] = malloc(140000 + next(&random) % 300000);
	fill(chunks[at], 140000);
	if (round >= 3) {
		sem_post(&ends[slot]);
		pthread_join(threads[slot], NULL);
	}
	sem_init(&ends[slot], 0, 0);
	if (pthread_create(&threads[slot], NULL, short_life, &ends[slot]) != 0)
		_exit(1);
	round++;
}

static void wait_for(int count)
{
	for (int i = 0; i < count; i++)
		sem_wait(&done);
}

int main(int argc, char **argv)
{
	char line[64];
	pthread_t thread;
	int threads = NOISY + 1;

	if (argc != 2)
		return 2;
	where = argv[1];
	mallopt(M_MMAP_THRESHOLD, 131072); /* which would rise with the chunks that are freed */
	sem_init(&done, 0, 0);
	for (size_t i = 0; i <= NOISY; i++) {
		sem_init(&start[i], 0, 0);
		if (pthread_create(&thread, NULL, i < NOISY ? noise : leaker, (void *)i) != 0)
			return 1;
	}
	wait_for(threads);
	for (int i = 0; i < 4 * MAPPINGS; i++)
		disturb();
	printf("{\"pid\": %d, \"leaker\": %d}\n", (int)getpid(),
	       strcmp(where, "main") == 0 ? (int)getpid() : leaker_tid);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		for (int i = 0; i <= NOISY; i++)
			if (i < NOISY || strcmp(where, "main") != 0)
				sem_post(&start[i]);
		wait_for(strcmp(where, "main") == 0 ? NOISY : threads);
		if (strcmp(where, "main") == 0)
			leak();
		disturb();
		printf("{\"leaked\": %llu}\n", (unsigned long long)leaked);
		fflush(stdout);
	}
	_exit(0);
}
