#include "source/files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/base.h"

#define DEBUG_DIRS "/usr/lib/debug"
#define PATH_BYTES 8192
#define TABLE_MAX (64u << 10) /* bytes of program headers compared */
#define NOTE_MAX (16u << 10)  /* bytes of one PT_NOTE */
#define ID_LEAST 4            /* hexadecimal digits: fewer could be the name of something else */

/* --- opening --- */

int vmm_file_open_regular(int root, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	VMM_CLEANUP_FD int handle = -1;
	struct stat st;
	char self[40];

	if (root >= 0)
		handle = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	if (root >= 0 && handle < 0 && errno == ENOSYS) /* before Linux 5.6 */
		handle = openat(root, path[0] == '/' ? path + 1 : path, O_PATH | O_CLOEXEC);
	if (root < 0)
		handle = open(path, O_PATH | O_CLOEXEC);
	if (handle < 0 || fstat(handle, &st) != 0 || !S_ISREG(st.st_mode))
		return -1;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", handle);
	return open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

int vmm_file_open_named(int dir_fd, const char *path, int flags, struct stat *ret)
{
	VMM_CLEANUP_FD int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags);
	int own;

	if (fd < 0 || fstat(fd, ret) != 0)
		return -1;
	if (!S_ISREG(ret->st_mode)) {
		errno = EINVAL;
		return -1;
	}
	own = fd;
	fd = -1;
	return own;
}

/* --- what a file is --- */

static bool read_file(void *arg, uint64_t offset, void *ret_bytes, size_t length)
{
	int fd = *(const int *)arg;
	size_t done = 0;

	if (offset > INT64_MAX - length)
		return false;
	while (done < length) {
		ssize_t n = pread(fd, (char *)ret_bytes + done, length - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* The build-id of an object whose program headers were read. A note that cannot be read leaves it unknown. */
static void read_id(vmm_file_read_fn read, void *arg, const struct vmm_elf_header *h, struct vmm_file_identity *ret)
{
	struct vmm_elf_segment s;

	ret->id_known = true;
	for (uint32_t i = 0; vmm_elf_segment_at(h, ret->table, ret->table_length, i, &s); i++) {
		VMM_CLEANUP_FREE unsigned char *note = NULL;
		size_t length = (size_t)vmm_min_u64(s.filesz, NOTE_MAX);

		if (s.type != VMM_ELF_PT_NOTE || length == 0)
			continue;
		note = vmm_alloc_hook(NULL, length);
		if (!note || !read(arg, s.offset, note, length)) {
			ret->id_known = false;
			continue;
		}
		ret->id_length = vmm_elf_build_id(h, note, length, s.align, ret->id);
		if (ret->id_length) {
			ret->id_known = true;
			return;
		}
	}
}

bool vmm_file_identify(vmm_file_read_fn read, void *arg, struct vmm_file_identity *ret)
{
	enum { CLASS_AT = 4, CLASS_64 = 2, HEADER_32_BYTES = 52 };
	struct vmm_elf_header h;

	*ret = (struct vmm_file_identity){0};
	if (!read(arg, 0, ret->header, HEADER_32_BYTES) ||
	    (ret->header[CLASS_AT] == CLASS_64 && !read(arg, 0, ret->header, VMM_ELF_HEADER_BYTES)) ||
	    vmm_elf_parse_header(ret->header, sizeof(ret->header), &h, NULL) < 0)
		return false;
	ret->table_length = (size_t)h.phnum * h.phentsize;
	if (ret->table_length == 0 || ret->table_length > TABLE_MAX)
		return false;
	ret->table = vmm_alloc_hook(NULL, ret->table_length);
	if (!ret->table || !read(arg, h.phoff, ret->table, ret->table_length))
		return false;
	read_id(read, arg, &h, ret);
	return true;
}

bool vmm_file_identify_fd(int fd, struct vmm_file_identity *ret)
{
	return vmm_file_identify(read_file, &fd, ret);
}

void vmm_file_identity_done(struct vmm_file_identity *id)
{
	free(id->table);
	id->table = NULL;
}

/* --- finding --- */

/*
 * Whether the code is missing: what objcopy --only-keep-debug and eu-strip -f leave has the build-id too, and its section
 * headers have no bytes for what is loaded.
 */
static bool is_debug_only(int fd)
{
	VMM_CLEANUP_FREE unsigned char *table = NULL;
	unsigned char raw[VMM_ELF_HEADER_BYTES] = {0};
	struct vmm_elf_header h;
	struct vmm_elf_section s;
	size_t length;

	if (!read_file(&fd, 0, raw, sizeof(raw)) || vmm_elf_parse_header(raw, sizeof(raw), &h, NULL) < 0 || h.shoff == 0)
		return false;
	length = (size_t)vmm_min_u64((uint64_t)h.shnum * h.shentsize, TABLE_MAX);
	table = length ? vmm_alloc_hook(NULL, length) : NULL;
	if (!table || !read_file(&fd, h.shoff, table, length))
		return false;
	for (uint32_t i = 0; vmm_elf_section_at(&h, table, length, i, &s); i++)
		if (s.flags & VMM_ELF_SHF_ALLOC && s.flags & VMM_ELF_SHF_EXECINSTR)
			return s.type == VMM_ELF_SHT_NOBITS;
	return false;
}

/* fd when it is the file, else -1, closed. */
static int accepted(vmm_file_accept_fn accept, void *arg, int fd, bool named)
{
	if (fd < 0 || accept(arg, fd, named))
		return fd;
	close(fd);
	return -1;
}

/* Where in a folder files stand: Fedora's and Debian's, the same in a folder like /, the cache of debuginfod's client. */
struct layout {
	const char *before, *after;
	bool split; /* 12/34abcd, not 1234abcd */
};

static const struct layout programs[] = {{"/.build-id/", "", true}, {"/usr/lib/debug/.build-id/", "", true}, {"/", "/executable", false}};
static const struct layout debug_files[] = {
	{"/.build-id/", ".debug", true}, {"/usr/lib/debug/.build-id/", ".debug", true}, {"/", "/debuginfo", false}};

/* The file in one folder after the other; root: the folder in which they are looked for, -1. */
static int find_by_id(int root, const char *dirs, const struct layout layouts[3], const char *build_id, vmm_file_accept_fn accept, void *arg)
{
	char path[PATH_BYTES];
	int fd = -1;

	if (strlen(build_id) < ID_LEAST || build_id[strspn(build_id, "0123456789abcdef")])
		return -1;
	for (const char *dir = dirs; fd < 0 && *dir; dir += strcspn(dir, ":"), dir += *dir == ':') {
		int length = (int)vmm_min_u64(strcspn(dir, ":"), PATH_BYTES / 2);

		for (size_t i = 0; i < 3 && fd < 0 && length; i++) {
			const struct layout *l = &layouts[i];

			snprintf(path, sizeof(path), "%.*s%s%.2s%s%s%s", length, dir, l->before, build_id, l->split ? "/" : "", build_id + 2, l->after);
			fd = accepted(accept, arg, vmm_file_open_regular(root, path), false);
		}
	}
	return fd;
}

/* The caller's search, which wants the code too. */
struct program_search {
	vmm_file_accept_fn accept;
	void *arg;
};

static bool accept_program(void *arg, int fd, bool named)
{
	const struct program_search *search = arg;

	return !is_debug_only(fd) && search->accept(search->arg, fd, named);
}

static int open_root(const struct vmm_file_places *places)
{
	const char *sysroot = places->sysroot;

	return sysroot && sysroot[0] ? open(sysroot, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
}

int vmm_file_find(const struct vmm_file_places *places, const char *path, const char *build_id, vmm_file_accept_fn accept, void *arg)
{
	VMM_CLEANUP_FD int root = open_root(places);
	struct program_search search = {accept, arg};
	int fd = -1;

	if (path[0] == '/' && root >= 0)
		fd = accepted(accept_program, &search, vmm_file_open_regular(root, path), true);
	if (path[0] == '/' && fd < 0)
		fd = accepted(accept_program, &search, vmm_file_open_regular(-1, path), true);
	return fd >= 0 ? fd : find_by_id(-1, places->debug_dirs ? places->debug_dirs : DEBUG_DIRS, programs, build_id, accept_program, &search);
}

static bool has_build_id(void *arg, int fd, bool named)
{
	const char *build_id = *(const char **)arg;
	char text[VMM_ELF_BUILD_ID_TEXT];
	struct vmm_file_identity found;
	bool same = vmm_file_identify_fd(fd, &found);

	vmm_elf_build_id_text(found.id, found.id_length, text);
	same = same && found.id_length && strcmp(text, build_id) == 0;
	vmm_file_identity_done(&found);
	return same;
}

int vmm_file_by_build_id(const struct vmm_file_places *places, const char *path, const char *build_id)
{
	return vmm_file_find(places, path, build_id, has_build_id, &build_id);
}

int vmm_file_debug(const struct vmm_file_places *places, const char *build_id)
{
	VMM_CLEANUP_FD int root = open_root(places);
	int fd = root >= 0 ? find_by_id(root, DEBUG_DIRS, debug_files, build_id, has_build_id, &build_id) : -1;

	return fd >= 0 ? fd : find_by_id(-1, places->debug_dirs ? places->debug_dirs : DEBUG_DIRS, debug_files, build_id, has_build_id, &build_id);
}
