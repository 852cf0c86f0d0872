/*
 * What images.py loads: with LIBRARY a shared library, otherwise a program that maps what its arguments say, tells where
 * the loader put everything, and waits for the end of its standard input.
 *     lib=FILE     dlopen               ns=FILE    dlopen in a namespace of its own
 *     memfd=FILE   dlopen of a memfd    hand=FILE  loaded by hand into anonymous memory
 *     map=FILE     mapped as data       mapx=FILE  the same, executable
 *     rm=FILE      unlink
 */
#ifdef LIBRARY
char library_bss[100000];
int library_data = 3;
const int library_table[5000] = {1};
#ifndef TABLES
int library_function(int x)
{
	return x + library_data + library_table[x];
}
#endif
#else
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#ifndef STATIC
#include <dlfcn.h>
#include <link.h>
#endif

char program_bss[300000];
int program_data = 42;
const char program_table[5000] = "table";
__thread int tls_zero[100];
__thread int tls_data = 7;

#define PAGE 4096UL
#define UP(v) (((v) + PAGE - 1) & ~(PAGE - 1))

#ifndef STATIC
static int tell(struct dl_phdr_info *info, size_t size, void *arg)
{
	printf("load %lx %s\n", (unsigned long)info->dlpi_addr, info->dlpi_name);
	return 0;
}

static void load_memfd(const char *file)
{
	int from = open(file, O_RDONLY), to = memfd_create("images plugin", 0);
	char bytes[65536], path[64];
	ssize_t n;

	while ((n = read(from, bytes, sizeof(bytes))) > 0)
		if (write(to, bytes, (size_t)n) != n)
			puts("error write");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", to);
	if (!dlopen(path, RTLD_NOW))
		printf("error %s\n", dlerror());
	close(from);
	close(to);
}
#endif

static void map_data(const char *file, int prot)
{
	int fd = open(file, O_RDONLY);
	struct stat st;
	void *p;

	fstat(fd, &st);
	p = mmap(NULL, (size_t)st.st_size, prot, MAP_PRIVATE, fd, 0);
	printf("data %lx %lx\n", (unsigned long)p, (unsigned long)p + UP((unsigned long)st.st_size));
	close(fd);
}

#if __SIZEOF_POINTER__ == 8
static void load_by_hand(const char *file)
{
	static char bytes[1 << 20];
	const Elf64_Ehdr *e = (const void *)bytes;
	const Elf64_Phdr *p;
	int fd = open(file, O_RDONLY);
	size_t span = 0;
	char *at;

	if (read(fd, bytes, sizeof(bytes)) < (ssize_t)sizeof(*e))
		puts("error read");
	close(fd);
	p = (const void *)(bytes + e->e_phoff);
	for (int i = 0; i < e->e_phnum; i++)
		if (p[i].p_type == PT_LOAD)
			span = UP(p[i].p_vaddr + p[i].p_memsz);
	at = mmap(NULL, span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < e->e_phnum; i++) {
		size_t start = p[i].p_vaddr & ~(PAGE - 1), end = UP(p[i].p_vaddr + p[i].p_memsz);

		if (p[i].p_type != PT_LOAD)
			continue;
		mprotect(at + start, end - start, PROT_READ | PROT_WRITE);
		memcpy(at + p[i].p_vaddr, bytes + p[i].p_offset, p[i].p_filesz);
		mprotect(at + start, end - start, (p[i].p_flags & PF_R ? PROT_READ : 0) | (p[i].p_flags & PF_W ? PROT_WRITE : 0) |
		                                      (p[i].p_flags & PF_X ? PROT_EXEC : 0));
	}
	printf("hand %lx %lx\n", (unsigned long)at, (unsigned long)at + span);
}
#endif

static void do_argument(const char *word)
{
	const char *file = strchr(word, '=');

	if (!file++)
		return;
#ifndef STATIC
	if (strncmp(word, "lib=", 4) == 0 && !dlopen(file, RTLD_NOW))
		printf("error %s\n", dlerror());
#ifdef __GLIBC__
	if (strncmp(word, "ns=", 3) == 0) {
		void *handle = dlmopen(LM_ID_NEWLM, file, RTLD_NOW);
		struct link_map *map;

		/* dl_iterate_phdr tells only of the caller's namespace. */
		if (handle && dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0)
			printf("load %lx %s\n", (unsigned long)map->l_addr, map->l_name);
		else
			printf("error %s\n", dlerror());
	}
#endif
	if (strncmp(word, "memfd=", 6) == 0)
		load_memfd(file);
#endif
#if __SIZEOF_POINTER__ == 8
	if (strncmp(word, "hand=", 5) == 0)
		load_by_hand(file);
#endif
	if (strncmp(word, "map=", 4) == 0)
		map_data(file, PROT_READ);
	if (strncmp(word, "mapx=", 5) == 0)
		map_data(file, PROT_READ | PROT_EXEC);
	if (strncmp(word, "rm=", 3) == 0)
		unlink(file);
}

int main(int argc, char **argv)
{
	program_bss[5] = 1;
	tls_data++;
	for (int i = 1; i < argc; i++)
		do_argument(argv[i]);
#ifndef STATIC
	dl_iterate_phdr(tell, NULL);
#endif
	puts("ready");
	fflush(stdout);
	return getchar() == EOF ? 0 : 1;
}
#endif
