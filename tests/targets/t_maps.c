/*
 * Very many mappings.
 * Usage: t_maps COUNT [PAGES [MODE]]: COUNT mappings of PAGES pages (1), all pages resident.
 * MODE protections (the default): one area whose pieces differ in rights; islands: separate pieces with holes;
 * files: pieces of one file, every second one private, whose offsets do not follow on each other.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "truth.h"

#define RW (PROT_READ | PROT_WRITE)

static char *area(uint64_t size)
{
	char *p = truth_map(size, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (!p)
		truth_die("mmap");
	return p;
}

static void protections(uint64_t count, uint64_t bytes)
{
	char *p = area(count * bytes);

	truth_write(p, count * bytes / truth_page());
	for (uint64_t i = 1; i < count; i += 2)
		if (mprotect(p + i * bytes, bytes, PROT_READ) < 0)
			truth_die("mprotect (vm.max_map_count?)");
}

static void islands(uint64_t count, uint64_t bytes)
{
	uint64_t step = bytes + truth_page();
	char *p = area(count * step);

	munmap(p, count * step);
	for (uint64_t i = 0; i < count; i++) {
		char *q = mmap(p + i * step, bytes, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

		if (q == MAP_FAILED)
			truth_die("mmap (vm.max_map_count?)");
		truth_write(q, bytes / truth_page());
	}
}

static void files(uint64_t count, uint64_t bytes)
{
	char name[] = "t_maps.XXXXXX";
	int fd = mkstemp(name);
	char *p = area(count * bytes);

	if (fd < 0 || unlink(name) < 0 || ftruncate(fd, (off_t)(2 * bytes)) < 0)
		truth_die("mkstemp");
	for (uint64_t i = 0; i < count; i++) {
		char *q = mmap(p + i * bytes, bytes, RW, (i % 2 ? MAP_PRIVATE : MAP_SHARED) | MAP_FIXED, fd, 0);

		if (q == MAP_FAILED)
			truth_die("mmap (vm.max_map_count?)");
		truth_write(q, bytes / truth_page());
	}
	close(fd);
}

int main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 60000;
	uint64_t bytes = (argc > 2 ? strtoull(argv[2], NULL, 10) : 1) * truth_page();
	const char *mode = argc > 3 ? argv[3] : "protections";

	if (strcmp(mode, "islands") == 0)
		islands(count, bytes);
	else if (strcmp(mode, "files") == 0)
		files(count, bytes);
	else
		protections(count, bytes);
	truth_finish();
}
