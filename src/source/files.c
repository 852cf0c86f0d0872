#include "source/files.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/base.h"
#include "format/elf.h"

#define DEBUG_DIRS "/usr/lib/debug"
#define TABLE_MAX (64u << 10) /* bytes of program headers */
#define NOTE_MAX (16u << 10)  /* bytes of one PT_NOTE */

/* Opens a regular file and nothing else: a FIFO would block. With root >= 0 links stay below it. -1: there is none. */
static int open_regular(int root, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	VMM_CLEANUP_FD int handle = root < 0 ? open(path, O_PATH | O_CLOEXEC) : (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	struct stat st;
	char self[40];

	if (handle < 0 || fstat(handle, &st) != 0 || !S_ISREG(st.st_mode))
		return -1;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", handle);
	return open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

static bool read_at(int fd, uint64_t offset, void *ret_bytes, size_t length)
{
	return offset <= INT64_MAX && pread(fd, ret_bytes, length, (off_t)offset) == (ssize_t)length;
}

/* The build-id of an ELF file as hex; false: it has none. */
static bool build_id_of(int fd, char ret[2 * VMM_ELF_BUILD_ID_MAX + 1])
{
	unsigned char head[VMM_ELF_HEADER_BYTES] = {0}, id[VMM_ELF_BUILD_ID_MAX];
	VMM_CLEANUP_FREE unsigned char *table = NULL;
	VMM_CLEANUP_FREE unsigned char *note = vmm_alloc_hook(NULL, NOTE_MAX);
	struct vmm_elf_header h;
	struct vmm_elf_segment s;
	size_t length, n = 0;

	if (!note || pread(fd, head, sizeof(head), 0) < 52 || vmm_elf_parse_header(head, sizeof(head), &h, NULL) < 0)
		return false;
	length = (size_t)h.phnum * h.phentsize;
	table = length && length <= TABLE_MAX ? vmm_alloc_hook(NULL, length) : NULL;
	if (!table || !read_at(fd, h.phoff, table, length))
		return false;
	for (uint32_t i = 0; n == 0 && vmm_elf_segment_at(&h, table, length, i, &s); i++) {
		size_t bytes = (size_t)vmm_min_u64(s.filesz, NOTE_MAX);

		if (s.type == VMM_ELF_PT_NOTE && bytes && read_at(fd, s.offset, note, bytes))
			n = vmm_elf_build_id(&h, note, bytes, s.align, id);
	}
	for (size_t i = 0; i < n; i++)
		snprintf(ret + 2 * i, 3, "%02x", id[i]);
	return n > 0;
}

/* fd when it is the file, else -1, closed. */
static int proved(int fd, const char *build_id)
{
	char id[2 * VMM_ELF_BUILD_ID_MAX + 1];

	if (fd >= 0 && build_id_of(fd, id) && strcmp(id, build_id) == 0)
		return fd;
	vmm_close_fd(&fd);
	return -1;
}

int vmm_file_by_build_id(const char *path, const char *build_id, const char *sysroot, const char *debug_dirs)
{
	VMM_CLEANUP_FD int root = sysroot && sysroot[0] ? open(sysroot, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	char name[8192];
	int fd = root >= 0 && path[0] == '/' ? proved(open_regular(root, path), build_id) : -1;

	if (fd < 0 && path[0] == '/')
		fd = proved(open_regular(-1, path), build_id);
	for (const char *dir = debug_dirs ? debug_dirs : DEBUG_DIRS; fd < 0 && *dir; dir += strcspn(dir, ":"), dir += *dir == ':') {
		int length = (int)vmm_min_u64(strcspn(dir, ":"), sizeof(name) / 2);

		/* Hexadecimal, and long enough: the name of no other file. */
		if (!length || strlen(build_id) < 4 || build_id[strspn(build_id, "0123456789abcdef")])
			continue;
		snprintf(name, sizeof(name), "%.*s/.build-id/%.2s/%s", length, dir, build_id, build_id + 2);
		fd = proved(open_regular(-1, name), build_id);
	}
	return fd;
}
