/* Captures in folders: /proc or a part of it, copied file by file. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "source/capture.h"
#include "source/files.h"
#include "source/linux.h"

#define FOLDER_DEPTH 6

static bool is_digits(const char *name)
{
	return *name && name[strspn(name, "0123456789")] == '\0';
}

/* Folders in which something of use can be. */
static bool worth_entering(const char *name)
{
	static const char *const names[] = {"proc", "task", "sys", "vm", "kernel"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return is_digits(name);
}

static int load_below(struct capture_set *set, int dir_fd, const char *path, unsigned depth, bool processes, struct vmm_err *err);

static int load_one(struct capture_set *set, int dir_fd, const char *path, const char *name, unsigned depth, bool processes,
                    struct vmm_err *err)
{
	char full[1024], link[4096];
	struct capture_name parsed;
	struct stat st;
	ssize_t n;
	int fd, rc;

	if ((size_t)snprintf(full, sizeof(full), "%s%s%s", path, *path ? "/" : "", name) >= sizeof(full))
		return 0;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return 0;
	if (S_ISDIR(st.st_mode)) {
		if (depth == 0 || !worth_entering(name) || (!processes && is_digits(name)))
			return 0;
		fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		return fd < 0 ? 0 : load_below(set, fd, full, depth - 1, processes, err);
	}
	if (!capture_name_parse(full, strlen(full), &parsed) || (!processes && !parsed.machine))
		return 0;
	n = S_ISLNK(st.st_mode) && strcmp(name, "exe") == 0 ? readlinkat(dir_fd, name, link, sizeof(link)) : 0;
	if (n > 0) {
		char *copy = vmm_alloc_hook(NULL, (size_t)n);

		if (!copy)
			return vmm_fail_nomem(err);
		memcpy(copy, link, (size_t)n);
		return capture_add(set, full, strlen(full), copy, (size_t)n, st.st_mtim, err);
	}
	fd = vmm_file_open_named(dir_fd, name, O_NOFOLLOW, &st);
	if (fd < 0)
		return 0;
	rc = capture_add_fd(set, fd, full, st.st_mtim, err);
	close(fd);
	return rc;
}

/* Closes dir_fd. processes: also what lies below folders that are called by a number. */
static int load_below(struct capture_set *set, int dir_fd, const char *path, unsigned depth, bool processes, struct vmm_err *err)
{
	DIR *dir = fdopendir(dir_fd);
	int rc = 0;

	if (!dir) {
		close(dir_fd);
		return 0;
	}
	for (struct dirent *e; rc >= 0 && (e = readdir(dir));)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			rc = load_one(set, dir_fd, path, e->d_name, depth, processes, err);
	closedir(dir);
	return rc;
}

/* The last part of the folder's real path, which is its key when that is a PID. */
static void folder_key(const char *path, char *ret, size_t size)
{
	char *real = realpath(path, NULL);
	const char *last = real ? strrchr(real, '/') : NULL;

	snprintf(ret, size, "%s", last && is_digits(last + 1) ? last + 1 : "");
	free(real);
}

int capture_load_folder(struct capture_set *set, const char *path, struct vmm_err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), up, rc;
	struct statfs fs;
	char key[16];

	if (fd < 0)
		return vmm_fail(err, errno == ENOENT ? VMM_E_NO_TARGET : linux_code(errno), errno, "%s: %s", path, strerror(errno));
	if (fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC) {
		close(fd);
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "%s: that is no capture but the process itself: give its PID", path);
	}
	folder_key(path, key, sizeof(key));
	up = key[0] ? openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	rc = load_below(set, fd, key, FOLDER_DEPTH, true, err);
	if (up >= 0 && rc >= 0)
		rc = load_below(set, up, "", 3, false, err);
	else
		vmm_close_fd(&up);
	return rc;
}
