#include "face/core_keep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "base/err.h"

#define STALE_SECONDS 3600 /* a helper ends long before */
#define SIDECAR ".proc.tar"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

int vmm_core_folder(const char *path, int *ret_fd, struct vmm_err *err)
{
	struct stat st;
	int fd;

	if (mkdir(path, 0755) != 0 && errno != EEXIST)
		return vmm_fail(err, VMM_E_OUTPUT, errno, "%s: cannot make this folder: %s", path, strerror(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0) {
		vmm_close_fd(&fd);
		return vmm_fail(err, VMM_E_OUTPUT, errno, "%s: %s", path, strerror(errno));
	}
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || st.st_mode & (S_IWGRP | S_IWOTH)) {
		close(fd);
		return vmm_fail(err, VMM_E_OUTPUT, 0, "%s: others may write to it: cores are kept only in a folder of root's own", path);
	}
	*ret_fd = fd;
	return 0;
}

/* A core with its sidecar, or a sidecar alone. */
struct kept {
	char name[VMM_CORE_NAME + 64]; /* of the core */
	time_t changed;
	uint64_t bytes;
};

struct kept_list {
	struct kept *v;
	size_t count, capacity;
	uint64_t bytes;
};

static bool ends_in(const char *name, const char *ending)
{
	size_t n = strlen(name), m = strlen(ending);

	return n > m && strcmp(name + n - m, ending) == 0;
}

static struct kept *find(struct kept_list *l, const char *name)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->v[i].name, name) == 0)
			return &l->v[i];
	return NULL;
}

static void add(struct kept_list *l, const char *file, const struct stat *st)
{
	char name[sizeof(l->v->name)];
	struct kept *k;

	if ((size_t)snprintf(name, sizeof(name), "%s", file) >= sizeof(name))
		return;
	if (ends_in(name, SIDECAR))
		name[strlen(name) - strlen(SIDECAR)] = '\0';
	k = find(l, name);
	if (!k) {
		if (!vmm_grow(&l->v, &l->capacity, l->count + 1, sizeof(*l->v)))
			return;
		k = &l->v[l->count++];
		*k = (struct kept){.changed = st->st_ctime};
		memcpy(k->name, name, sizeof(name));
	}
	k->changed = st->st_ctime > k->changed ? st->st_ctime : k->changed; /* its owner cannot set that */
	k->bytes += (uint64_t)st->st_blocks * 512;
	l->bytes += (uint64_t)st->st_blocks * 512;
}

static void list(int dir_fd, struct kept_list *l)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (!dir) {
		vmm_close_fd(&fd);
		return;
	}
	for (struct dirent *e; (e = readdir(dir));) {
		struct stat st;

		if (fstatat(dir_fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
			continue;
		if (strncmp(e->d_name, ".core.", 6) == 0 && ends_in(e->d_name, ".part") && time(NULL) - st.st_mtime > STALE_SECONDS)
			unlinkat(dir_fd, e->d_name, 0);
		else if (strncmp(e->d_name, "core.", 5) == 0)
			add(l, e->d_name, &st);
	}
	closedir(dir);
}

static int by_age(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;

	return (x->changed > y->changed) - (x->changed < y->changed);
}

void vmm_core_make_room(int dir_fd, const struct vmm_core_limits *limits)
{
	struct kept_list l = {0};
	size_t left;

	list(dir_fd, &l);
	if (l.count)
		qsort(l.v, l.count, sizeof(*l.v), by_age);
	left = l.count;
	for (size_t i = 0; i < l.count; i++) {
		char sidecar[sizeof(l.v->name) + sizeof(SIDECAR)];

		if ((!limits->keep_count || left < limits->keep_count) && (!limits->keep_bytes || l.bytes < limits->keep_bytes))
			break;
		snprintf(sidecar, sizeof(sidecar), "%s" SIDECAR, l.v[i].name);
		unlinkat(dir_fd, l.v[i].name, 0);
		unlinkat(dir_fd, sidecar, 0);
		l.bytes -= l.v[i].bytes;
		left--;
	}
	free(l.v);
}

int vmm_core_file_begin(struct vmm_core_file *f, int dir_fd, const char *name, struct vmm_err *err)
{
	f->dir_fd = dir_fd;
	snprintf(f->part, sizeof(f->part), ".%s.part", name);
	f->fd = openat(dir_fd, f->part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return f->fd < 0 ? vmm_fail(err, VMM_E_OUTPUT, errno, "%s: cannot write: %s", f->part, strerror(errno)) : 0;
}

int vmm_core_file_end(struct vmm_core_file *f, const char *name, uint32_t uid, uint32_t gid, bool keep, struct vmm_err *err)
{
	int rc = 0;

	if (keep && geteuid() == 0 && fchown(f->fd, uid, gid) != 0)
		rc = vmm_fail(err, VMM_E_OUTPUT, errno, "%s: cannot give it to its owner: %s", name, strerror(errno));
	if (close(f->fd) != 0 && rc == 0)
		rc = vmm_fail(err, VMM_E_OUTPUT, errno, "%s: cannot write: %s", name, strerror(errno));
	f->fd = -1;
	if (keep && rc == 0 && syscall(SYS_renameat2, f->dir_fd, f->part, f->dir_fd, name, RENAME_NOREPLACE) != 0)
		rc = vmm_fail(err, VMM_E_OUTPUT, errno, "%s: %s", name, strerror(errno));
	if (!keep || rc < 0)
		unlinkat(f->dir_fd, f->part, 0);
	return rc;
}
