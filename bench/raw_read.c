/*
 * Reads ranges of a file, 1 MiB at a time, and throws them away: what any walk over a heap in a core costs at least.
 * Usage: raw_read FILE OFFSET:LENGTH...
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define WINDOW (1u << 20)

int main(int argc, char **argv)
{
	static char window[WINDOW];
	int fd = argc > 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return 2;
	for (int i = 2; i < argc; i++) {
		char *rest;
		uint64_t offset = strtoull(argv[i], &rest, 10), end = offset + strtoull(rest + 1, NULL, 10);

		for (; offset < end; offset += WINDOW)
			if (pread(fd, window, end - offset < WINDOW ? (size_t)(end - offset) : WINDOW, (off_t)offset) < 0)
				return 1;
	}
	close(fd);
	return 0;
}
