/*
 * Copies the brk heap of a process, window by window, and throws it away: what any walk over a heap costs at least.
 * Usage: raw_copy PID
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define WINDOW (1u << 20)

int main(int argc, char **argv)
{
	static char window[WINDOW];
	char path[64], line[512];
	uint64_t start, end;
	int pid = argc == 2 ? (int)strtol(argv[1], NULL, 10) : 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = pid ? fopen(path, "re") : NULL;
	if (!maps)
		return 2;
	while (fgets(line, sizeof(line), maps)) {
		if (!strstr(line, "[heap]") || sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) != 2)
			continue;
		for (; start < end; start += WINDOW) {
			size_t length = end - start < WINDOW ? (size_t)(end - start) : WINDOW;
			struct iovec local = {window, length}, remote = {(void *)(uintptr_t)start, length};

			if (process_vm_readv(pid, &local, 1, &remote, 1, 0) < 0)
				return 1;
		}
	}
	fclose(maps);
	return 0;
}
