/* Loaded ELF objects: the program itself, and one library from a file, a memfd and a deleted file. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kinds.h"
#include "truth.h"

struct span {
	const void *inside; /* an address in the object looked for */
	uint64_t start, end, mapped, writable;
};

static uint64_t down(uint64_t v)
{
	return v & ~(truth_page() - 1);
}

static uint64_t up(uint64_t v)
{
	return down(v + truth_page() - 1);
}

/* Adds up the PT_LOAD segments of the object that holds span->inside; writable ones are charged, RELRO included. */
static int find_span(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct span *span = arg, found = {span->inside, UINT64_MAX, 0, 0, 0};
	uint64_t target = (uintptr_t)span->inside;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uint64_t start = down(info->dlpi_addr + ph->p_vaddr);
		uint64_t end = up(info->dlpi_addr + ph->p_vaddr + ph->p_memsz);

		if (ph->p_type != PT_LOAD)
			continue;
		found.start = start < found.start ? start : found.start;
		found.end = end > found.end ? end : found.end;
		found.mapped += end - start;
		found.writable += ph->p_flags & PF_W ? end - start : 0;
	}
	if (target < found.start || target >= found.end)
		return 0;
	*span = found;
	return 1;
}

/* The loader maps the whole span at once; the kernel maps only the segments, hence size differs where there are holes. */
static void image(const char *sort, const void *inside, bool whole_span, bool deleted, const char *path)
{
	struct span span = {.inside = inside};
	struct truth t;

	if (!dl_iterate_phdr(find_span, &span))
		truth_die(sort);
	t = truth_init(sort, (void *)(uintptr_t)span.start, whole_span ? span.end - span.start : span.mapped, "image");
	t.committed = span.mapped;
	t.private_bytes = span.writable;
	t.swap = t.locked = t.hugetlb = 0;
	t.deleted = deleted;
	t.path = path;
	truth_add(&t);
}

static void *load(const char *path)
{
	void *handle = dlopen(path, RTLD_NOW);
	void *inside = handle ? dlsym(handle, "target_lib_data") : NULL;

	if (!inside) {
		dprintf(2, "%s\n", dlerror());
		truth_die("dlopen");
	}
	/* Own copies of two data pages and two pages of .bss. */
	truth_write(inside, 2);
	truth_write(dlsym(handle, "target_lib_zero"), 2);
	return inside;
}

static void copy(const char *from, int to)
{
	struct stat st;
	int fd = open(from, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || to < 0 || fstat(fd, &st) < 0 || sendfile(to, fd, NULL, (size_t)st.st_size) != (ssize_t)st.st_size)
		truth_die(from);
	close(fd);
}

void kinds_images(const char *folder, const char *library)
{
	static char path[4096], link_path[64];
	int fd;
	void *inside;

	image("program", (void *)(uintptr_t)&kinds_images, false, false, NULL);
	image("loaded_library", load(library), true, false, "target_lib.so");

	fd = memfd_create("library", 0);
	copy(library, fd);
	snprintf(link_path, sizeof(link_path), "/proc/self/fd/%d", fd);
	/* It never had a name that could be deleted. */
	image("memfd_library", load(link_path), true, false, NULL);
	close(fd);

	fd = kinds_file(folder, "deleted_lib.so", 0, path);
	copy(library, fd);
	close(fd);
	inside = load(path);
	if (unlink(path) < 0)
		truth_die("unlink");
	image("deleted_library", inside, true, true, "deleted_lib.so");

	/* Another file takes the name over while the loaded one lives on. */
	fd = kinds_file(folder, "replaced_lib.so", 0, path);
	copy(library, fd);
	close(fd);
	inside = load(path);
	if (unlink(path) < 0)
		truth_die("unlink");
	close(kinds_file(folder, "replaced_lib.so", 4096, path));
	image("replaced_library", inside, true, true, "replaced_lib.so");
}
