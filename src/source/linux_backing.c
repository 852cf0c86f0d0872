/*
 * What stands behind each mapping, told by devices and filesystem types rather than by names, and the true names of
 * files that were deleted or carry line feeds.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/scan.h"
#include "source/linux.h"

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

#define MOUNTINFO_MAX (64u << 20)
#define NULL_ZERO_MAJOR 1 /* /dev/zero is 1:5 */
#define NULL_ZERO_MINOR 5

struct device {
	uint32_t major, minor;
	enum vmm_backing backing;
};

struct backing_context {
	struct linux_target *t;
	struct vmm_snapshot *s;
	struct device *devices; /* of filesystems that are not plain files */
	size_t count, capacity;
	bool mounts_read;
};

static void device_add(struct backing_context *c, uint32_t dev_major, uint32_t dev_minor, enum vmm_backing backing)
{
	if (vmm_grow(&c->devices, &c->capacity, c->count + 1, sizeof(*c->devices)))
		c->devices[c->count++] = (struct device){dev_major, dev_minor, backing};
}

/* Learns the device of a kernel-internal filesystem from an object of our own on it. */
static void device_probe(struct backing_context *c, int fd, enum vmm_backing backing)
{
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0)
		device_add(c, major(st.st_dev), minor(st.st_dev), backing);
	close(fd);
}

static bool starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/*
 * Names that only the kernel gives: another machine's devices are learned from them. Names of other objects on the same
 * device do not matter then.
 */
static void learn_devices(struct backing_context *c)
{
	for (uint32_t i = 0; i < c->s->vma_count; i++) {
		const struct vmm_vma *v = &c->s->vmas[i];

		if (v->dev_major == 0 && v->inode && !(v->vm_flags & VMM_VF(ht)) &&
		    (starts(v->name, "/memfd:") || starts(v->name, "/SYSV") || strcmp(v->name, "/dev/zero (deleted)") == 0)) {
			device_add(c, 0, v->dev_minor, VMM_BACKING_SHMEM);
			return;
		}
	}
}

static void probe_internal(struct backing_context *c)
{
	if (c->t->saved) {
		learn_devices(c);
		return;
	}
	device_probe(c, memfd_create("vmmap", MFD_CLOEXEC), VMM_BACKING_SHMEM);
	device_probe(c, memfd_create("vmmap", MFD_CLOEXEC | MFD_HUGETLB), VMM_BACKING_HUGETLB);
	device_probe(c, (int)syscall(SYS_memfd_secret, O_CLOEXEC), VMM_BACKING_SHMEM);
}

static bool type_is(const struct vmm_mount_line *m, const char *type)
{
	return strlen(type) == m->fs_type_length && memcmp(type, m->fs_type, m->fs_type_length) == 0;
}

/* Filesystems whose files are memory. */
static void read_mounts(struct backing_context *c)
{
	struct vmm_mount_line m;
	struct vmm_scan all, line;
	struct linux_text text;

	c->mounts_read = true;
	if (linux_target_file(c->t, "mountinfo", MOUNTINFO_MAX, &text, NULL) < 0 &&
	    (c->t->saved || linux_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, NULL) < 0)) {
		if (c->t->saved)
			vmm_snapshot_note(c->s, "capture", "mounts", 0,
			                  "the capture has no mountinfo: files of a tmpfs are told by well-known names alone, others are shown "
			                  "as Mapped File");
		return;
	}
	all = vmm_scan_init(text.bytes, text.length);
	while (vmm_scan_line(&all, &line)) {
		if (!vmm_mountinfo_parse_line(line.p, (size_t)(line.end - line.p), &m))
			continue;
		if (type_is(&m, "tmpfs") || type_is(&m, "ramfs") || type_is(&m, "devtmpfs"))
			device_add(c, m.dev_major, m.dev_minor, VMM_BACKING_SHMEM);
		else if (type_is(&m, "hugetlbfs"))
			device_add(c, m.dev_major, m.dev_minor, VMM_BACKING_HUGETLB);
	}
	linux_text_done(&text);
}

/* Looks a path of the target up in its own mount namespace. */
static bool stat_in_target(struct linux_target *t, const char *path, struct stat *ret)
{
	VMM_CLEANUP_FD int root = t->saved ? -1 : openat(t->dir_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (t->saved)
		return false;
	if (root >= 0)
		return fstatat(root, path[0] == '/' ? path + 1 : path, ret, 0) == 0;
	return stat(path, ret) == 0;
}

/* A node below /dev: the device itself, or a file of a tmpfs there. */
static enum vmm_backing backing_of_dev(struct backing_context *c, const struct vmm_vma *v, enum vmm_backing otherwise)
{
	struct stat st;

	if (!stat_in_target(c->t, v->name, &st) || st.st_ino != v->inode)
		return v->vm_flags & (VMM_VF(io) | VMM_VF(pf)) ? VMM_BACKING_DEVICE : otherwise;
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return otherwise;
	/* A private mapping of /dev/zero is anonymous memory under another name. */
	if (major(st.st_rdev) == NULL_ZERO_MAJOR && minor(st.st_rdev) == NULL_ZERO_MINOR)
		return VMM_BACKING_ANON;
	return VMM_BACKING_DEVICE;
}

/* What names tell of another machine's objects, where its devices are not told. */
static enum vmm_backing backing_by_name(const struct backing_context *c, const struct vmm_vma *v, enum vmm_backing found)
{
	if (starts(v->name, "/anon_hugepage") || v->page_size > c->t->page_size)
		return VMM_BACKING_HUGETLB;
	if (starts(v->name, "/secretmem") || (v->dev_major == 0 && starts(v->name, "/dev/shm/")))
		return VMM_BACKING_SHMEM;
	if (strcmp(v->name, "/dev/zero") == 0)
		return VMM_BACKING_ANON;
	if (starts(v->name, "/dev/mqueue/") || starts(v->name, "/dev/hugepages/") || strcmp(v->name, "/dev/zero (deleted)") == 0)
		return found;
	return starts(v->name, "/dev/") && !starts(v->name, "/dev/shm/") ? VMM_BACKING_DEVICE : found;
}

static enum vmm_backing backing_of(struct backing_context *c, const struct vmm_vma *v)
{
	enum vmm_backing found = VMM_BACKING_FILE;

	if (v->name[0] == '\0')
		return v->vm_flags & VMM_VF(ht) ? VMM_BACKING_HUGETLB : VMM_BACKING_ANON;
	if (v->name[0] == '[' && v->inode == 0)
		return starts(v->name, "[heap]") || starts(v->name, "[stack") || starts(v->name, "[anon:") ? VMM_BACKING_ANON
		                                                                                           : VMM_BACKING_SPECIAL;
	if (v->vm_flags & VMM_VF(ht))
		return VMM_BACKING_HUGETLB;
	/* Filesystems without a block device have major 0: only those can be memory. */
	if (v->dev_major == 0 && !c->mounts_read)
		read_mounts(c);
	for (size_t i = 0; v->dev_major == 0 && i < c->count; i++)
		if (c->devices[i].major == v->dev_major && c->devices[i].minor == v->dev_minor)
			found = c->devices[i].backing;
	if (c->t->saved && v->name[0] == '/')
		found = backing_by_name(c, v, found);
	if (v->name[0] != '/' && v->name[0] != '[' && !starts(v->name, "(unreachable)"))
		return VMM_BACKING_DEVICE; /* anon_inode:[perf_event], socket:[1234]: objects of drivers */
	if (!c->t->saved && starts(v->name, "/dev/") && strcmp(v->name, "/dev/zero (deleted)") != 0 && !starts(v->name, "/dev/shm/"))
		return backing_of_dev(c, v, found);
	if (starts(v->name, "/dmabuf:") && v->dev_major == 0 && found == VMM_BACKING_FILE)
		return VMM_BACKING_DEVICE;
	return v->vm_flags & (VMM_VF(io) | VMM_VF(pf)) ? VMM_BACKING_DEVICE : found;
}

/* Objects that never had a name in a filesystem; the kernel shows them as deleted all the same. */
static bool never_named(const struct vmm_vma *v)
{
	return v->dev_major == 0 && (starts(v->name, "/memfd:") || starts(v->name, "/SYSV") || starts(v->name, "/dev/zero") ||
	                             starts(v->name, "/anon_hugepage") || starts(v->name, "/secretmem"));
}

/* The name as the target's map_files tells it, where a line feed is a line feed; NULL when that may not be read. */
static const char *true_name(struct backing_context *c, const struct vmm_vma *v)
{
	char link[64], path[8192];
	ssize_t n;

	snprintf(link, sizeof(link), "map_files/%llx-%llx", (unsigned long long)v->start, (unsigned long long)v->end);
	n = readlinkat(c->t->dir_fd, link, path, sizeof(path));
	return n > 0 && (size_t)n < sizeof(path) ? vmm_arena_intern(c->s->arena, path, (size_t)n) : NULL;
}

static int resolve_name(struct backing_context *c, struct vmm_vma *v)
{
	static const char suffix[] = " (deleted)";
	size_t length = strlen(v->name), cut = sizeof(suffix) - 1;
	struct stat st;
	const char *name;

	if (strstr(v->name, "\\012")) {
		name = true_name(c, v);
		if (name) {
			v->name = name;
			length = strlen(name);
		}
	}
	if (length <= cut || strcmp(v->name + length - cut, suffix) != 0)
		return 0;
	/* A file can really be called "x (deleted)". */
	if (!never_named(v) && stat_in_target(c->t, v->name, &st) && st.st_ino == v->inode &&
	    (v->dev_major == 0 || (major(st.st_dev) == v->dev_major && minor(st.st_dev) == v->dev_minor)))
		return 0;
	v->deleted = !never_named(v);
	v->name = vmm_arena_intern(c->s->arena, v->name, length - cut);
	return v->name ? 0 : VMM_E_NOMEM;
}

int linux_fill_backing(struct linux_target *t, struct vmm_snapshot *s, struct vmm_err *err)
{
	struct backing_context c = {.t = t, .s = s};
	const char *raw_name = NULL;
	int rc = 0;

	probe_internal(&c);
	for (uint32_t i = 0; i < s->vma_count && rc == 0; i++) {
		struct vmm_vma *v = &s->vmas[i];
		struct vmm_vma *before = i ? v - 1 : NULL;

		/* Neighbours of one file are told apart only by the flags that decide. */
		if (before && v->name == raw_name && v->inode == before->inode && v->dev_minor == before->dev_minor && v->name[0] == '/' &&
		    ((v->vm_flags ^ before->vm_flags) & (VMM_VF(io) | VMM_VF(pf) | VMM_VF(ht))) == 0) {
			v->name = before->name;
			v->backing = before->backing;
			v->deleted = before->deleted;
			continue;
		}
		raw_name = v->name;
		v->backing = backing_of(&c, v);
		if (v->name[0] == '/')
			rc = resolve_name(&c, v);
	}
	free(c.devices);
	return rc < 0 ? vmm_fail_nomem(err) : 0;
}

/* Opens a regular file without opening anything else: a FIFO would block, a device could act. */
static int open_regular(int dir_fd, const char *path, const struct vmm_vma *v, bool same_by_path, struct vmm_err *err)
{
	VMM_CLEANUP_FD int handle = openat(dir_fd, path, O_PATH | O_CLOEXEC);
	char self[40];
	struct stat st;
	int fd;

	if (handle < 0 || fstat(handle, &st) != 0)
		return vmm_fail(err, errno == ENOENT ? VMM_E_NO_TARGET : linux_code(errno), errno, "%s: %s", v->name, strerror(errno));
	/* Filesystems such as overlayfs and btrfs show mappings under another device than stat(): major 0 there. */
	if (!S_ISREG(st.st_mode) || (same_by_path && (st.st_ino != v->inode || (v->dev_major != 0 && (major(st.st_dev) != v->dev_major ||
	                                                                      minor(st.st_dev) != v->dev_minor)))))
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "%s: another file stands there now", v->name);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", handle);
	fd = open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd >= 0 ? fd : vmm_fail(err, linux_code(errno), errno, "%s: %s", v->name, strerror(errno));
}

int linux_open_file(struct vmm_target *base, const struct vmm_vma *vma, struct vmm_err *err)
{
	struct linux_target *t = (struct linux_target *)base;
	VMM_CLEANUP_FD int root = -1;
	char link[64];
	int fd;

	/* The mapping itself leads to its file, deleted or not, where we have CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN. */
	snprintf(link, sizeof(link), "map_files/%llx-%llx", (unsigned long long)vma->start, (unsigned long long)vma->end);
	fd = open_regular(t->dir_fd, link, vma, false, NULL);
	if (fd >= 0)
		return fd;
	fd = open_regular(t->dir_fd, "exe", vma, true, NULL);
	if (fd >= 0)
		return fd;
	if (vma->deleted || vma->name[0] != '/')
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "%s: the file was deleted; opening it through the mapping takes "
		                "CAP_CHECKPOINT_RESTORE", vma->name);
	root = openat(t->dir_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return open_regular(AT_FDCWD, vma->name, vma, true, err);
	return open_regular(root, vma->name + 1, vma, true, err);
}
