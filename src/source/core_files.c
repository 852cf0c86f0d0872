/*
 * The files that a core's process had mapped: found below --sysroot, at their paths, by build-id, and taken only when
 * they are proved to be the same. What proves it stands in the core: the kernel stores the first page of every ELF
 * object (core(5), coredump_filter bit 4), and that has the build-id.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "source/core.h"

#define PATH_BYTES 8192
#define TABLE_MAX (64u << 10) /* bytes of program headers compared */
#define NOTE_MAX (16u << 10)  /* bytes of one PT_NOTE */
#define DEBUG_DIRS "/usr/lib/debug"

/* What tells two ELF objects apart. */
struct identity {
	unsigned char header[VMM_ELF_HEADER_BYTES];
	unsigned char *table; /* raw program headers; free() */
	size_t table_length;
	bool id_known; /* id_length 0 means that there is none */
	size_t id_length;
	unsigned char id[VMM_ELF_BUILD_ID_MAX];
};

/* Where an object is read: a file, or memory of the core at the place of its first byte. */
struct object {
	int fd; /* -1: memory */
	struct core_target *t;
	uint64_t address;
};

static bool object_read(const struct object *o, uint64_t offset, void *ret_bytes, size_t length)
{
	size_t done = 0;

	if (o->fd < 0)
		return offset <= UINT64_MAX - o->address && core_stored(o->t, o->address + offset, ret_bytes, length);
	while (done < length) {
		ssize_t n = pread(o->fd, (char *)ret_bytes + done, length - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* The build-id of an object whose program headers were read. A note that cannot be read leaves it unknown. */
static void read_id(const struct object *o, const struct vmm_elf_header *h, struct identity *ret)
{
	struct vmm_elf_segment s;

	ret->id_known = true;
	for (uint32_t i = 0; vmm_elf_segment_at(h, ret->table, ret->table_length, i, &s); i++) {
		VMM_CLEANUP_FREE unsigned char *note = NULL;
		size_t length = (size_t)vmm_min_u64(s.filesz, NOTE_MAX);

		if (s.type != VMM_ELF_PT_NOTE || length == 0)
			continue;
		note = vmm_alloc_hook(NULL, length);
		if (!note || !object_read(o, s.offset, note, length)) {
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

/* False: no ELF object stands there, or it cannot be read. */
static bool identify(const struct object *o, struct identity *ret)
{
	struct vmm_elf_header h;

	*ret = (struct identity){0};
	if (!object_read(o, 0, ret->header, 52) || (ret->header[4] == 2 && !object_read(o, 0, ret->header, VMM_ELF_HEADER_BYTES)) ||
	    vmm_elf_parse_header(ret->header, sizeof(ret->header), &h, NULL) < 0)
		return false;
	ret->table_length = (size_t)h.phnum * h.phentsize;
	if (ret->table_length == 0 || ret->table_length > TABLE_MAX)
		return false;
	ret->table = vmm_alloc_hook(NULL, ret->table_length);
	if (!ret->table || !object_read(o, h.phoff, ret->table, ret->table_length))
		return false;
	read_id(o, &h, ret);
	return true;
}

/* Opens a regular file and nothing else; with root >= 0 links stay below it. -1: there is none. */
static int open_regular(int root, const char *path)
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

/* Takes the file over when it is the object; otherwise closes it. */
static bool accept_file(struct core_name *n, const struct identity *want, int fd)
{
	struct object o = {.fd = fd};
	struct identity found;
	struct stat st;
	bool same = fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0 && identify(&o, &found), by_shape = false;

	if (fd < 0)
		return false;
	if (same) {
		by_shape = want->id_length == 0;
		same = want->id_length == found.id_length && memcmp(want->id, found.id, want->id_length) == 0 &&
		       (!by_shape || (memcmp(want->header, found.header, sizeof(found.header)) == 0 &&
		                      want->table_length == found.table_length && memcmp(want->table, found.table, found.table_length) == 0));
		free(found.table);
	}
	if (!same) {
		n->other = true;
		close(fd);
		return false;
	}
	n->fd = fd;
	n->size = (uint64_t)st.st_size;
	n->by_shape = by_shape;
	n->error = 0;
	return true;
}

/* DIR/.build-id/12/34abcd of one folder after the other. */
static bool find_by_id(struct core_name *n, const struct identity *want, const char *dirs)
{
	char hex[2 * VMM_ELF_BUILD_ID_MAX + 1], path[PATH_BYTES];
	bool other = n->other;

	if (want->id_length < 2)
		return false;
	for (size_t i = 0; i < want->id_length; i++)
		snprintf(hex + 2 * i, 3, "%02x", want->id[i]);
	for (const char *dir = dirs; *dir; dir += strcspn(dir, ":"), dir += *dir == ':') {
		int length = (int)vmm_min_u64(strcspn(dir, ":"), PATH_BYTES / 2);

		snprintf(path, sizeof(path), "%.*s/.build-id/%.2s/%s", length, dir, hex, hex + 2);
		if (length && accept_file(n, want, open_regular(-1, path)))
			return true;
	}
	n->other = other; /* what stands there does not stand at the file's own path */
	return false;
}

static bool find_file(struct core_target *t, struct core_name *n, const struct identity *want)
{
	VMM_CLEANUP_FD int root = t->sysroot && t->sysroot[0] ? open(t->sysroot, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	if (n->path[0] == '/' && root >= 0 && accept_file(n, want, open_regular(root, n->path)))
		return true;
	if (n->path[0] == '/' && accept_file(n, want, open_regular(-1, n->path)))
		return true;
	return find_by_id(n, want, t->debug_dirs ? t->debug_dirs : DEBUG_DIRS);
}

const struct core_name *core_file_of(struct core_target *t, uint32_t name)
{
	struct core_name *n = name < t->name_count ? &t->names[name] : NULL;
	struct identity want = {0};
	struct object memory = {.fd = -1, .t = t};

	if (!n || (n->looked && n->fd < 0))
		return NULL;
	if (n->looked)
		return n;
	n->looked = true;
	n->error = VMM_E_UNSUPPORTED;
	if (name >= CORE_FILES_MAX || n->header == VMM_NONE || n->backing == VMM_BACKING_DEVICE)
		return NULL;
	memory.address = t->pieces[n->header].start;
	if (identify(&memory, &want) && want.id_known && !find_file(t, n, &want) && n->other)
		n->error = VMM_E_NO_TARGET;
	free(want.table);
	return n->fd >= 0 ? n : NULL;
}

int core_open_file(struct vmm_target *base, const struct vmm_vma *vma, struct vmm_err *err)
{
	struct core_target *t = (struct core_target *)base;
	size_t i = core_piece_at(t, vma->start);
	const struct core_name *n;
	char self[40];
	int fd;

	if (i == t->piece_count || t->pieces[i].start > vma->start || t->pieces[i].name == VMM_NONE)
		return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "%s: no file", vma->name);
	n = core_file_of(t, t->pieces[i].name);
	if (!n) {
		n = &t->names[t->pieces[i].name];
		return vmm_fail(err, n->error, 0, n->error == VMM_E_NO_TARGET ? "%s: another file stands there now" : "%s: the file is not at hand or cannot "
		                "be told to be the same", n->path);
	}
	/* A descriptor of its own: the caller moves and closes it. */
	snprintf(self, sizeof(self), "/proc/self/fd/%d", n->fd);
	fd = open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd >= 0 ? fd : vmm_fail(err, VMM_E_IO, errno, "%s: %s", n->path, strerror(errno));
}

void core_files_close(struct core_target *t)
{
	for (size_t i = 0; i < t->name_count; i++)
		vmm_close_fd(&t->names[i].fd);
}
