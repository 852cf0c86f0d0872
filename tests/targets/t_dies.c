/* Ends at a random moment within MILLISECONDS (50). Usage: t_dies [MILLISECONDS] */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "truth.h"

int main(int argc, char **argv)
{
	unsigned limit = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 50, random;
	char *p = truth_map(2000 * truth_page(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!p || limit == 0 || getrandom(&random, sizeof(random), 0) != sizeof(random))
		truth_die("setup");
	truth_write(p, 2000);
	/* Many mappings make the reader's work long enough to be interrupted. */
	for (unsigned i = 0; i < 2000; i += 2)
		mprotect(p + i * truth_page(), truth_page(), PROT_READ);
	dprintf(1, "{\"pid\":%d}\n", getpid());
	usleep(random % (limit * 1000));
	return 0;
}
