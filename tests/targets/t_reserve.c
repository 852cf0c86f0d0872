/* A huge reservation with a thousand pages in use. Usage: t_reserve [TiB [PAGES]] */
#include <stdlib.h>
#include <sys/mman.h>

#include "truth.h"

int main(int argc, char **argv)
{
	uint64_t size = (argc > 1 ? strtoull(argv[1], NULL, 10) : 20) << 40;
	uint64_t pages = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000;
	char *p = truth_map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct truth t;

	if (!p)
		truth_die("mmap");
	for (uint64_t i = 0; i < pages; i++)
		truth_write(p + i * (size / pages / truth_page() * truth_page()), 1);
	t = truth_anon("reserve", p, size, pages * truth_page());
	t.committed = t.private_bytes = pages * truth_page();
	truth_add(&t);
	truth_finish();
}
