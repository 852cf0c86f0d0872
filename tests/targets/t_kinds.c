/*
 * One process with one known mapping of each sort.
 * Usage: t_kinds FOLDER LIBRARY. FOLDER: writable, on a disk filesystem; LIBRARY: the shared object target_lib.
 */
#include <malloc.h>
#include <stdio.h>

#include "kinds.h"
#include "truth.h"

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: t_kinds FOLDER LIBRARY\n");
		return 2;
	}
	mallopt(M_ARENA_MAX, 1);
	kinds_images(argv[1], argv[2]);
	kinds_files(argv[1], argv[2]);
	kinds_names(argv[1]);
	kinds_shared();
	kinds_anonymous();
	kinds_special();
	kinds_threads();
	kinds_heap();
	truth_finish();
}
