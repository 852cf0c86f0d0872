/* Files mapped as data, on a disk filesystem, under ordinary and hostile names. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kinds.h"
#include "truth.h"

#define RW (PROT_READ | PROT_WRITE)

int kinds_file(const char *folder, const char *name, unsigned long size, char *ret_path)
{
	static const char block[4096] = "content";
	int fd;

	snprintf(ret_path, 4096, "%s/%s", folder, name);
	fd = open(ret_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		truth_die(ret_path);
	for (unsigned long done = 0; done < size;) {
		unsigned long n = size - done < sizeof(block) ? size - done : sizeof(block);

		if (write(fd, block, n) != (ssize_t)n)
			truth_die("write");
		done += n;
	}
	return fd;
}

/* A file mapping: committed is its size; what is resident comes from the file unless it was copied. */
static struct truth file_truth(const char *sort, const char *p, uint64_t size, uint64_t resident, uint64_t copied)
{
	struct truth t = truth_init(sort, p, size, "mapped_file");

	t.committed = size;
	t.rss = resident;
	t.anonymous = copied;
	t.shareable = resident - copied;
	t.swap = t.locked = t.huge = t.hugetlb = 0;
	return t;
}

static char *map_or_die(uint64_t pages, int prot, int flags, int fd, uint64_t offset)
{
	char *p = truth_map(pages * truth_page(), prot, flags, fd, offset);

	if (!p)
		truth_die("mmap of a file");
	return p;
}

static void shared_file(const char *folder)
{
	static char path[4096];
	uint64_t page = truth_page();
	int fd = kinds_file(folder, "shared.data", (unsigned long)(20 * page), path);
	char *p = map_or_die(20, RW, MAP_SHARED, fd, 0);
	struct truth t = file_truth("file_shared", p, 20 * page, 20 * page, 0);

	truth_write(p, 20);
	t.private_bytes = 0;
	t.uss = 20 * page; /* nobody else maps it */
	t.shared = 0;
	t.protection = "rw-s";
	t.path = "shared.data";
	truth_add(&t);

	/* The second page of a file that ends in its first half: mapped, but beyond the end of the file. */
	if (ftruncate(fd, (off_t)(20 * page)) < 0)
		truth_die("ftruncate");
	close(fd);
	fd = kinds_file(folder, "short.data", 100, path);
	p = map_or_die(4, PROT_READ, MAP_SHARED, fd, 0);
	t = file_truth("file_beyond_end", p, 4 * page, page, 0);
	truth_read(p, 1);
	t.private_bytes = 0;
	t.protection = NULL; /* the kernel drops s where the file was opened for reading only, this one was not */
	truth_add(&t);
	close(fd);
}

static void private_files(const char *folder)
{
	static char path[4096];
	uint64_t page = truth_page();
	int fd = kinds_file(folder, "private.data", (unsigned long)(30 * page), path);
	char *p = map_or_die(30, RW, MAP_PRIVATE, fd, 0);
	struct truth t = file_truth("file_private_modified", p, 30 * page, 7 * page, 7 * page);

	/* A write fault copies just one page; a read fault would map its neighbours too. */
	truth_write(p + 10 * page, 7);
	t.private_bytes = 30 * page;
	t.uss = 7 * page;
	t.shared = 0;
	t.protection = "rw-p";
	truth_add(&t);

	close(fd);
	fd = kinds_file(folder, "private2.data", (unsigned long)(30 * page), path);
	p = map_or_die(30, RW, MAP_PRIVATE, fd, 0);
	truth_read(p, 30);
	truth_write(p, 4);
	t = file_truth("file_private_read_and_modified", p, 30 * page, 30 * page, 4 * page);
	t.private_bytes = 30 * page;
	t.protection = "rw-p";
	truth_add(&t);

	/* Copied pages of a mapping that was closed for writing afterwards stay charged. */
	p = map_or_die(12, PROT_READ, MAP_PRIVATE, fd, 0);
	truth_read(p, 12);
	t = file_truth("file_private_read_only", p, 12 * page, 12 * page, 0);
	t.private_bytes = 0;
	t.protection = "r--p";
	truth_add(&t);
	close(fd);
}

/* Two mappings of one file without a hole between them and with different rights: one region. */
static void split_file(const char *folder)
{
	static char path[4096];
	uint64_t page = truth_page();
	int fd = kinds_file(folder, "split.data", (unsigned long)(16 * page), path);
	char *p = map_or_die(16, PROT_READ, MAP_SHARED, fd, 0);
	struct truth t = file_truth("file_split", p, 16 * page, 16 * page, 0);

	truth_read(p, 16);
	if (mprotect(p + 4 * page, 4 * page, RW) < 0)
		truth_die("mprotect");
	t.private_bytes = 0;
	truth_add(&t);
	close(fd);
}

static void elf_as_data(const char *library)
{
	struct stat st;
	uint64_t page = truth_page(), pages;
	int fd = open(library, O_RDONLY | O_CLOEXEC);
	char *p;
	struct truth t;

	if (fd < 0 || fstat(fd, &st) < 0)
		truth_die(library);
	pages = ((uint64_t)st.st_size + page - 1) / page;
	p = map_or_die(pages, PROT_READ, MAP_PRIVATE, fd, 0);
	truth_read(p, pages);
	t = file_truth("elf_mapped_as_data", p, pages * page, pages * page, 0);
	t.private_bytes = 0;
	t.protection = "r--p";
	truth_add(&t);
	close(fd);
}

static void deleted_files(const char *folder)
{
	static char path[4096], with_suffix[4096];
	uint64_t page = truth_page();
	int fd = kinds_file(folder, "deleted.data", (unsigned long)(8 * page), path);
	char *p = map_or_die(8, RW, MAP_SHARED, fd, 0);
	struct truth t = file_truth("file_deleted", p, 8 * page, 8 * page, 0);

	truth_write(p, 8);
	if (unlink(path) < 0)
		truth_die("unlink");
	close(fd);
	t.private_bytes = 0;
	t.deleted = true;
	t.path = "deleted.data";
	truth_add(&t);

	fd = kinds_file(folder, "not really (deleted)", (unsigned long)(3 * page), with_suffix);
	p = map_or_die(3, RW, MAP_SHARED, fd, 0);
	truth_write(p, 3);
	t = file_truth("file_named_deleted", p, 3 * page, 3 * page, 0);
	t.private_bytes = 0;
	t.path = "not really (deleted)";
	truth_add(&t);
	close(fd);
}

void kinds_files(const char *folder, const char *library)
{
	shared_file(folder);
	private_files(folder);
	split_file(folder);
	elf_as_data(library);
	deleted_files(folder);
}

void kinds_names(const char *folder)
{
	/* A line end, a window title and a colour change, invalid UTF-8, a right-to-left override, 200 bytes of UTF-8. */
	static const char *const names[] = {
	    "line\nend", "\033]0;owned\007title", "\033[31mred\033[2J", "\xff\xfe\xc3(", "a\xe2\x80\xae" "gpj.exe",
	    "tab\tand \\ backslash \"quote\" <b>&amp;<b>", " leading and trailing ", "=cmd|' calc'!A0,\"x\"",
	    "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2"
	    "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2"
	    "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2"
	    "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2"
	    "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2"
	    "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2"
	    "\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2",
	};
	static char path[4096], sorts[sizeof(names) / sizeof(names[0])][32];
	uint64_t page = truth_page();

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int fd = kinds_file(folder, names[i], (unsigned long)(2 * page), path);
		char *p = map_or_die(2, RW, MAP_SHARED, fd, 0);
		struct truth t;

		truth_write(p, 2);
		snprintf(sorts[i], sizeof(sorts[i]), "file_name_%u", (unsigned)i);
		t = file_truth(sorts[i], p, 2 * page, 2 * page, 0);
		t.private_bytes = 0;
		truth_add(&t);
		close(fd);
	}
}
