/*
 * Runs a fuzzer over files and folders without libFuzzer, so that every compiler checks the corpus: each file whole,
 * and cut off at up to 256 places. Every input lies in a block of exactly its length. Silent unless something is wrong.
 */
#include "fuzz.h"

#include <dirent.h>
#include <sys/stat.h>

#define CUTS_MAX 256

static unsigned long runs;

static void run(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size ? size : 1);

	if (!exact)
		abort();
	memcpy(exact, data, size);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	runs++;
}

static int run_file(const char *path, size_t size)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = malloc(size ? size : 1);
	size_t step = size / CUTS_MAX + 1;
	int r = 1;

	if (f && data && fread(data, 1, size, f) == size) {
		for (size_t cut = 0; cut < size; cut += step)
			run(data, cut);
		run(data, size);
		r = 0;
	} else {
		fprintf(stderr, "cannot read %s\n", path);
	}
	if (f)
		fclose(f);
	free(data);
	return r;
}

static int run_path(const char *path)
{
	struct stat st;
	struct dirent *e;
	char inside[4096];
	DIR *d;
	int r = 0;

	if (stat(path, &st) != 0) {
		perror(path);
		return 1;
	}
	if (!S_ISDIR(st.st_mode))
		return run_file(path, (size_t)st.st_size);
	d = opendir(path);
	if (!d) {
		perror(path);
		return 1;
	}
	while ((e = readdir(d))) {
		snprintf(inside, sizeof(inside), "%s/%s", path, e->d_name);
		if (e->d_name[0] != '.' && stat(inside, &st) == 0 && S_ISREG(st.st_mode))
			r |= run_file(inside, (size_t)st.st_size);
	}
	closedir(d);
	return r;
}

int main(int argc, char **argv)
{
	int r = 0;

	for (int i = 1; i < argc; i++)
		r |= run_path(argv[i]);
	if (runs == 0) {
		fprintf(stderr, "no input\n");
		return 1;
	}
	return r;
}
