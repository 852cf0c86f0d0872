/*
 * Heaps of glibc that are hard to read: not in one piece, with pages to give back, in motion, broken on purpose, or
 * very large. Prints as JSON what mallinfo2() says and, of broken ones, where; then waits for a line or the end of its
 * standard input. Usage: t_heap MODE [NUMBER]
 */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define COUNT 20000

static void *blocks[COUNT];
static uint64_t seed = 88172645463325252;

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Blocks of up to 3000 bytes, every third freed again. */
static void fill(void)
{
	for (int i = 0; i < COUNT; i++) {
		size_t size = 1 + (size_t)(next_random(&seed) % 3000);

		blocks[i] = malloc(size);
		if (!blocks[i])
			_exit(1);
		memset(blocks[i], 0x41, size);
	}
	for (int i = 0; i < COUNT; i += 3) {
		free(blocks[i]);
		blocks[i] = NULL;
	}
}

static char text[4096];

static void prepare(const char *more)
{
	struct mallinfo2 m = mallinfo2();
	size_t live = 0, usable = 0;

	for (int i = 0; i < COUNT; i++)
		if (blocks[i]) {
			live++;
			usable += malloc_usable_size(blocks[i]);
		}
	snprintf(text, sizeof(text),
	                  "{\"live\": %zu, \"usable\": %zu, \"arena\": %zu, \"uordblks\": %zu, \"fordblks\": %zu, \"fsmblks\": %zu, "
	                  "\"smblks\": %zu, \"ordblks\": %zu, \"hblks\": %zu, \"hblkhd\": %zu, \"keepcost\": %zu%s}\n",
	                  live, usable, m.arena, m.uordblks, m.fordblks, m.fsmblks, m.smblks, m.ordblks, m.hblks, m.hblkhd, m.keepcost, more);
}

static void say(const char *more)
{
	if (more)
		prepare(more);
	if (write(1, text, strlen(text)) < 0)
		_exit(1);
}

/* Waits for a byte; false at the end of input. */
static int wait_for_byte(void)
{
	char c;

	return read(0, &c, 1) == 1;
}

/* Runs of free blocks of all lengths: whole pages in some of them, and some of those never touched. */
static void fill_fragmented(void)
{
	size_t until = 0, drop = 0;

	for (int i = 0; i < COUNT; i++) {
		size_t size = 1 + (size_t)(next_random(&seed) % (i % 50 ? 3000 : 30000));

		blocks[i] = malloc(size);
		if (!blocks[i])
			_exit(1);
		memset(blocks[i], 0x41, i % 50 || size < 100 ? size : 100);
	}
	for (size_t i = 0; i < COUNT - 50; i++) {
		if (i == until) {
			until = i + 1 + (size_t)(next_random(&seed) % 20);
			drop = !drop;
		}
		if (drop) {
			free(blocks[i]);
			blocks[i] = NULL;
		}
	}
}

/* The main arena cannot grow where it is: its next segments come from mmap(). */
static void fill_blocked(void)
{
	char *end = sbrk(0);

	fill();
	end = (char *)(((uintptr_t)sbrk(0) + 4095) & ~(uintptr_t)4095);
	if (mmap(end, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		_exit(1);
	for (int i = 0; i < COUNT; i += 3) {
		blocks[i] = malloc(3000);
		if (!blocks[i])
			_exit(1);
	}
}

/* Other code moves the program break too. */
static void fill_foreign(void)
{
	for (int round = 0; round < 3; round++) {
		for (int i = round * 6000; i < (round + 1) * 6000; i++)
			blocks[i] = malloc(100 + (size_t)(next_random(&seed) % 400));
		if (sbrk(12345) == (void *)-1)
			_exit(1);
	}
	for (int i = 18000; i < COUNT; i++)
		blocks[i] = malloc(200);
}

static _Atomic int stop_churning;

static void *churn(void *arg)
{
	uint64_t state = 1234567 + (uint64_t)(size_t)arg;
	static __thread void *own[2000];

	while (!stop_churning) {
		size_t i = (size_t)(next_random(&state) % 2000), size = (size_t)(next_random(&state) % 2000);

		free(own[i]);
		own[i] = malloc(size % 100 == 0 ? size * 30 : size / 4);
	}
	return NULL;
}

static void start_churn(int threads)
{
	for (int i = 0; i < threads; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, churn, (void *)(size_t)(unsigned)i) != 0)
			_exit(1);
	}
}

/* Breaks one thing of the heap; the program does not allocate any more after that. */
static void corrupt(const char *what)
{
	static char more[128];
	static uint64_t fake[300];
	uint64_t *chunk;
	int at = 10001;

	fill();
	for (int i = 1; i < COUNT; i += 3) /* into thread cache and fastbins */
		if (malloc_usable_size(blocks[i]) <= 120) {
			free(blocks[i]);
			blocks[i] = NULL;
		}
	while (!blocks[at])
		at++;
	chunk = (uint64_t *)blocks[at] - 2;
	prepare("");
	if (strcmp(what, "size") == 0)
		chunk[1] = 0x4141414141414141;
	else if (strcmp(what, "small") == 0)
		chunk[1] = 0x11;
	else if (strcmp(what, "huge") == 0)
		chunk[1] = (UINT64_C(1) << 46) | 1;
	else if (strcmp(what, "odd") == 0)
		chunk[1] += 8;
	else if (strcmp(what, "loop") == 0 || strcmp(what, "wild") == 0) {
		/* The free list of 24-byte blocks: the newest leads to itself, or somewhere else. */
		void *a = malloc(24), *b = malloc(24);
		volatile uintptr_t at_b = (uintptr_t)b;
		uintptr_t to = strcmp(what, "loop") == 0 ? at_b : 0x123456789ab0;

		free(a);
		free(b);
		*(uintptr_t *)at_b = to ^ (at_b >> 12);
		chunk = (uint64_t *)at_b - 2;
	} else if (strcmp(what, "fake") == 0) {
		/* 127 empty bins that no arena has. */
		for (int i = 0; i < 254; i++)
			fake[20 + i] = (uint64_t)(uintptr_t)&fake[20 + (i & ~1) - 2];
		fake[20 + 254 + 2] = (uint64_t)(uintptr_t)fake;
		chunk = fake;
	}
	snprintf(more, sizeof(more), ", \"broken\": %llu}\n", (unsigned long long)(uintptr_t)chunk);
	memcpy(strchr(text, '}'), more, strlen(more) + 1);
	say(NULL);
}

/* number blocks of at most 64 bytes; with freed a quarter of them freed again, which fills the fastbins. */
static void many(size_t number, int freed, size_t spread)
{
	void **all = mmap(NULL, number * sizeof(*all), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (all == MAP_FAILED)
		_exit(1);
	for (size_t i = 0; i < number; i++) {
		all[i] = malloc(24 + (size_t)(next_random(&seed) % spread));
		if (!all[i])
			_exit(1);
		*(char *)all[i] = 1;
	}
	for (size_t i = 0; freed && i < number / 4; i++) {
		size_t k = (size_t)(next_random(&seed) % number);

		free(all[k]);
		all[k] = NULL;
	}
	munmap(all, number * sizeof(*all));
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "plain", *what = argc > 2 ? argv[2] : "";
	size_t number = strtoul(what, NULL, 10);

	if (strcmp(mode, "blocked") == 0)
		fill_blocked();
	else if (strcmp(mode, "foreign") == 0)
		fill_foreign();
	else if (strcmp(mode, "churn") == 0)
		start_churn(number ? (int)number : 4);
	else if (strcmp(mode, "many") == 0 || strcmp(mode, "many_freed") == 0)
		many(number, mode[4] != 0, 41);
	else if (strcmp(mode, "many_wide") == 0) /* 107 bytes each with the header, on average */
		many(number, 0, 150);
	else if (strcmp(mode, "trim") == 0)
		fill_fragmented();
	else if (strcmp(mode, "corrupt") != 0)
		fill();
	if (strcmp(mode, "corrupt") == 0)
		corrupt(what);
	else
		say("");
	while (wait_for_byte()) {
		if (strcmp(mode, "trim") == 0)
			malloc_trim(0);
		say("");
	}
	_exit(0);
}
