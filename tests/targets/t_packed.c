/*
 * Loads an ELF object by hand into anonymous memory, as packers and injected code do: an image without a file.
 * Usage: t_packed LIBRARY
 */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "truth.h"

static int protection(uint32_t flags)
{
	return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) | (flags & PF_X ? PROT_EXEC : 0);
}

int main(int argc, char **argv)
{
	struct stat st;
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	const char *file;
	const ElfW(Ehdr) *eh;
	const ElfW(Phdr) *ph;
	uint64_t page = truth_page(), end = 0;
	char *base;
	struct truth t;

	if (fd < 0 || fstat(fd, &st) < 0)
		truth_die("usage: t_packed LIBRARY");
	file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file == MAP_FAILED)
		truth_die("mmap");
	eh = (const void *)file;
	ph = (const void *)(file + eh->e_phoff);
	for (int i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_LOAD && ph[i].p_vaddr + ph[i].p_memsz > end)
			end = ph[i].p_vaddr + ph[i].p_memsz;
	end = (end + page - 1) & ~(page - 1);
	base = truth_map(end, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!base)
		truth_die("mmap");
	for (int i = 0; i < eh->e_phnum; i++) {
		uint64_t low = ph[i].p_vaddr & ~(page - 1);
		uint64_t high = (ph[i].p_vaddr + ph[i].p_memsz + page - 1) & ~(page - 1);

		if (ph[i].p_type != PT_LOAD)
			continue;
		memcpy(base + ph[i].p_vaddr, file + ph[i].p_offset, ph[i].p_filesz);
		if (mprotect(base + low, high - low, protection(ph[i].p_flags)) < 0)
			truth_die("mprotect");
	}
	munmap((void *)(uintptr_t)file, (size_t)st.st_size);
	close(fd);
	t = truth_init("packed_image", base, end, "image");
	t.private_bytes = end; /* all of it was writable once, and the charge stays */
	t.shareable = t.swap = t.hugetlb = 0;
	truth_add(&t);
	truth_finish();
}
