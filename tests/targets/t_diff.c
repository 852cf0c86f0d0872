/*
 * Maps memory, tells where; when a line comes on standard input changes some of it in known ways, tells what it did, and
 * stays as it is until standard input closes. Argument: the library that is loaded then.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "truth.h"

#define STACK_BYTES (UINT64_C(64) << 20) /* more than glibc keeps of ended threads */
#define CHUNK 1432                       /* a size that nothing else here asks for */
#define CHUNKS 700
#define FREED 2360
#define FREED_COUNT 400

struct thread {
	pthread_t id;
	int tid;
	sem_t started, end;
	char *stack;
};

static struct {
	char *same, *up, *down, *tail, *moves, *moved_to, *protects, *touched, *gone, *arrived, *file_gone, *file_new;
	void *freed[FREED_COUNT], *used[CHUNKS];
	struct thread ends, starts;
	int file;
} t;

static void *run(void *arg)
{
	struct thread *me = arg;

	me->tid = (int)syscall(SYS_gettid);
	me->stack = (char *)&me;
	sem_post(&me->started);
	while (sem_wait(&me->end) < 0 && errno == EINTR)
		;
	return NULL;
}

static void start(struct thread *me, const char *name)
{
	pthread_attr_t attr;

	sem_init(&me->started, 0, 0);
	sem_init(&me->end, 0, 0);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	if (pthread_create(&me->id, &attr, run, me) != 0)
		truth_die("pthread_create");
	pthread_setname_np(me->id, name);
	while (sem_wait(&me->started) < 0 && errno == EINTR)
		;
}

/* Private memory of so many pages at this address, all or some of them touched. */
static char *map_at(char *place, uint64_t pages, uint64_t touched)
{
	char *p = mmap(place, pages * truth_page(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	if (p == MAP_FAILED)
		truth_die("mmap");
	madvise(p, pages * truth_page(), MADV_NOHUGEPAGE);
	truth_write(p, touched);
	return p;
}

static char *map_new(uint64_t pages, uint64_t touched)
{
	/* Room on both sides to grow into. */
	return map_at((char *)truth_place(3 * pages * truth_page(), truth_page()) + pages * truth_page(), pages, touched);
}

static void prepare(void)
{
	char path[] = "/tmp/vmmap-t-diff-XXXXXX";
	uint64_t page = truth_page();

	t.file = mkstemp(path);
	if (t.file < 0 || ftruncate(t.file, (off_t)(64 * page)) < 0 || unlink(path) < 0)
		truth_die("a temporary file");
	t.same = map_new(16, 16);
	t.up = map_new(16, 16);
	t.down = map_new(16, 16);
	t.tail = map_new(16, 16);
	t.moves = map_new(23, 23);
	t.moved_to = truth_place(23 * page, page);
	t.protects = map_new(16, 4);
	t.touched = map_new(16, 2);
	t.gone = map_new(19, 19);
	t.file_gone = truth_map(8 * page, PROT_READ, MAP_SHARED, t.file, 0);
	if (!t.file_gone)
		truth_die("mmap of a file");
	for (int i = 0; i < FREED_COUNT; i++)
		t.freed[i] = malloc(FREED);
	start(&t.ends, "ends");
}

static void act(const char *library)
{
	uint64_t page = truth_page();

	map_at(t.up + 16 * page, 8, 8);
	map_at(t.down - 8 * page, 8, 0);
	munmap(t.tail + 10 * page, 6 * page);
	if (mremap(t.moves, 23 * page, 23 * page, MREMAP_MAYMOVE | MREMAP_FIXED, t.moved_to) != t.moved_to)
		truth_die("mremap");
	mprotect(t.protects, 16 * page, PROT_READ);
	truth_write(t.touched, 7);
	munmap(t.gone, 19 * page);
	t.arrived = map_new(29, 3);
	munmap(t.file_gone, 8 * page);
	t.file_new = truth_map(12 * page, PROT_READ, MAP_SHARED, t.file, 16 * page);
	if (!t.file_new || !dlopen(library, RTLD_NOW))
		truth_die("a file or library");
	/* First the new one: else it would get the place of the old one, and nothing would have changed. */
	start(&t.starts, "starts");
	sem_post(&t.ends.end);
	pthread_join(t.ends.id, NULL);
	for (int i = 0; i < CHUNKS; i++)
		t.used[i] = malloc(CHUNK);
	for (int i = 0; i < FREED_COUNT; i++)
		free(t.freed[i]);
}

static void tell(const char *name, const char *p)
{
	printf(", \"%s\": %llu", name, (unsigned long long)(uintptr_t)p);
}

int main(int argc, char **argv)
{
	char line[16];

	if (argc != 2)
		return 2;
	signal(SIGALRM, SIG_DFL);
	alarm(300); /* a test that is stuck leaves nothing behind */
	prepare();
	/* Standard input and output have their buffers before the first look. */
	printf("{\"pid\": %d, \"page\": %llu, \"ends\": %d}\n", (int)getpid(), (unsigned long long)truth_page(), t.ends.tid);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 0;
	act(argv[1]);
	printf("{\"starts\": %d, \"usable\": %zu, \"freed_usable\": %zu", t.starts.tid, malloc_usable_size(t.used[0]), (size_t)FREED);
	tell("same", t.same);
	tell("up", t.up);
	tell("down", t.down);
	tell("tail", t.tail);
	tell("moves", t.moves);
	tell("moved_to", t.moved_to);
	tell("protects", t.protects);
	tell("touched", t.touched);
	tell("gone", t.gone);
	tell("arrived", t.arrived);
	tell("file_gone", t.file_gone);
	tell("file_new", t.file_new);
	tell("stack_ended", t.ends.stack);
	tell("stack_started", t.starts.stack);
	printf(", \"chunks\": %d, \"freed\": %d}\n", CHUNKS, FREED_COUNT);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		;
	return 0;
}
