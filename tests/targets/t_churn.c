/*
 * Threads that allocate and free at full speed, also what others allocated, until standard input closes. At any moment
 * there are THREADS * SLOTS blocks, and at most two more for each thread that is exchanging one. Prints that as JSON.
 * Usage: t_churn THREADS SLOTS
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_THREADS 64

static _Atomic(void *) *slots;
static size_t slot_count;
static pthread_barrier_t filled;

static void *work(void *arg)
{
	size_t threads = (size_t)arg >> 32, number = (size_t)arg & 0xffffffff, own = slot_count / threads;
	uint64_t random = UINT64_C(0x9e3779b97f4a7c15) * (number + 1);

	for (size_t i = 0; i < own; i++)
		atomic_store(&slots[number * own + i], malloc(1 + i * 7 % 900));
	pthread_barrier_wait(&filled);
	for (;;) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		/* Mostly its own blocks. */
		free(atomic_exchange(&slots[random % 8 ? number * own + (random >> 8) % own : (random >> 8) % slot_count],
		                     malloc(1 + (random >> 32) % (random % 64 ? 900 : 30000))));
	}
	return NULL;
}

int main(int argc, char **argv)
{
	size_t threads = argc > 1 ? strtoul(argv[1], NULL, 10) : 4, each = argc > 2 ? strtoul(argv[2], NULL, 10) : 20000;
	char text[128], c;
	int length;

	if (threads < 1 || threads > MAX_THREADS || each < 1)
		return 2;
	slot_count = threads * each;
	slots = mmap(NULL, slot_count * sizeof(*slots), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (slots == MAP_FAILED)
		return 1;
	pthread_barrier_init(&filled, NULL, (unsigned)threads + 1);
	for (size_t i = 0; i < threads; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, work, (void *)(threads << 32 | i)) != 0)
			return 1;
	}
	pthread_barrier_wait(&filled);
	length = snprintf(text, sizeof(text), "{\"pid\": %d, \"live\": %zu, \"threads\": %zu}\n", (int)getpid(), slot_count, threads);
	if (write(1, text, (size_t)length) != length)
		return 1;
	while (read(0, &c, 1) > 0)
		;
	_exit(0);
}
