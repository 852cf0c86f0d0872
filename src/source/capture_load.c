/* Reading captures: texts and archives, folders, what stands beside a text. */
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
#ifdef VMM_HAVE_ARCHIVE
#include <archive.h>
#include <archive_entry.h>
#endif

#include "base/arena.h"
#include "base/err.h"
#include "source/capture.h"
#include "source/files.h"
#include "source/linux.h"

#define PROBE_BYTES 8192
#define FILE_MAX ((size_t)1 << 30)          /* of one file, or one text */
#define UNPACKED_MAX (INT64_C(8) << 30)     /* of an archive, what is of no use included */
#define ENTRIES_MAX 4000000
#define FOLDER_DEPTH 6
#define BLOCK_BYTES ((size_t)64 * 1024)

static bool packed(const unsigned char *p, size_t n)
{
	static const struct {
		unsigned char magic[4];
		size_t length;
	} magics[] = {{{0x1f, 0x8b}, 2}, {{0xfd, '7', 'z', 'X'}, 4}, {{0x28, 0xb5, 0x2f, 0xfd}, 4}, {{'B', 'Z', 'h'}, 3}, {{4, 0x22, 0x4d, 0x18}, 4}};

	for (size_t i = 0; i < ARRAY_LEN(magics); i++)
		if (n >= magics[i].length && memcmp(p, magics[i].magic, magics[i].length) == 0)
			return true;
	return false;
}

static bool is_tar(const char *p, size_t n)
{
	return n >= 262 && memcmp(p + 257, "ustar", 5) == 0;
}

#ifdef VMM_HAVE_ARCHIVE

static struct archive *archive_of(void)
{
	struct archive *a = archive_read_new();

	if (a) {
		archive_read_support_filter_all(a);
		archive_read_support_format_tar(a);
		archive_read_support_format_raw(a);
	}
	return a;
}

/* The contents of the entry at hand, as far as FILE_MAX. VMM_E_NOMEM, VMM_E_FORMAT (damaged: what came before stays). */
static int entry_bytes(struct archive *a, char **ret_bytes, size_t *ret_length, struct vmm_err *err)
{
	VMM_CLEANUP_FREE char *bytes = NULL;
	size_t length = 0, capacity = 0;
	la_ssize_t n = 0;

	do {
		length += (size_t)n;
		if (length >= FILE_MAX)
			return vmm_fail(err, VMM_E_LIMIT, 0, "a file in the capture is larger than 1 GiB");
		if (!vmm_grow(&bytes, &capacity, length + BLOCK_BYTES, 1))
			return vmm_fail_nomem(err);
		n = archive_read_data(a, bytes + length, BLOCK_BYTES);
	} while (n > 0);
	*ret_bytes = bytes;
	*ret_length = length;
	bytes = NULL;
	return n < 0 ? VMM_E_FORMAT : 0;
}

static struct timespec entry_time(struct archive_entry *e)
{
	return (struct timespec){.tv_sec = archive_entry_mtime_is_set(e) ? archive_entry_mtime(e) : 0};
}

/* A link called exe is kept as the text that it is; no other link is of use. */
static int add_link(struct capture_set *set, const char *path, const char *link, struct vmm_err *err)
{
	size_t n = link ? strlen(link) : 0, m = strlen(path);
	char *copy;

	if (!n || m < 3 || strcmp(path + m - 3, "exe") != 0)
		return 0;
	copy = vmm_alloc_hook(NULL, n);
	if (!copy)
		return vmm_fail_nomem(err);
	memcpy(copy, link, n);
	return capture_add(set, path, m, copy, n, (struct timespec){0}, err);
}

static int add_entry(struct capture_set *set, struct archive *a, struct archive_entry *e, struct vmm_err *err)
{
	bool raw = archive_format(a) == ARCHIVE_FORMAT_RAW;
	const char *path = raw ? "" : archive_entry_pathname(e);
	struct capture_name name;
	char *bytes = NULL;
	size_t length = 0;
	int rc, damaged;

	if (!path)
		return 0;
	if (archive_entry_filetype(e) == AE_IFLNK)
		return add_link(set, path, archive_entry_symlink(e), err);
	if (archive_entry_hardlink(e) || (archive_entry_filetype(e) != AE_IFREG && !raw))
		return 0;
	if (!raw && !capture_name_parse(path, strlen(path), &name))
		return 0;
	damaged = entry_bytes(a, &bytes, &length, err);
	if (damaged == VMM_E_NOMEM || damaged == VMM_E_LIMIT)
		return damaged;
	if (raw && !capture_text_probe(bytes, length)) {
		free(bytes);
		return vmm_fail(err, VMM_E_FORMAT, 0, "no capture: neither a tar nor the text of a smaps or maps");
	}
	rc = raw ? capture_add_text(set, "", bytes, length, entry_time(e), err)
	         : capture_add(set, path, strlen(path), bytes, length, entry_time(e), err);
	return rc < 0 ? rc : damaged;
}

/* All entries. A damaged archive gives what came before the damage. */
static int load_entries(struct capture_set *set, struct archive *a, struct vmm_err *err)
{
	struct archive_entry *e;
	int rc = 0, got = ARCHIVE_OK;

	for (unsigned i = 0; rc >= 0 && i < ENTRIES_MAX && archive_filter_bytes(a, 0) < UNPACKED_MAX; i++) {
		got = archive_read_next_header(a, &e);
		if (got == ARCHIVE_EOF || got < ARCHIVE_WARN)
			break;
		rc = add_entry(set, a, e, err);
	}
	if (rc == VMM_E_FORMAT && set->count)
		rc = 0;
	if (rc == 0 && got < ARCHIVE_WARN && set->count == 0)
		rc = vmm_fail(err, VMM_E_FORMAT, 0, "damaged, or no capture: %.120s", archive_error_string(a) ? archive_error_string(a) : "");
	else if (rc == VMM_E_FORMAT && !(err && err->code == rc))
		rc = vmm_fail(err, VMM_E_FORMAT, 0, "the capture is damaged");
	return rc;
}

static int load_archive_fd(struct capture_set *set, int fd, struct vmm_err *err)
{
	struct archive *a = archive_of();
	int rc;

	if (!a)
		return vmm_fail_nomem(err);
	if (archive_read_open_fd(a, fd, BLOCK_BYTES) != ARCHIVE_OK)
		rc = vmm_fail(err, VMM_E_FORMAT, 0, "no capture: %.120s", archive_error_string(a) ? archive_error_string(a) : "");
	else
		rc = load_entries(set, a, err);
	archive_read_free(a);
	return rc;
}

static int load_archive_bytes(struct capture_set *set, const void *bytes, size_t length, struct vmm_err *err)
{
	struct archive *a = archive_of();
	int rc;

	if (!a)
		return vmm_fail_nomem(err);
	if (archive_read_open_memory(a, bytes, length) != ARCHIVE_OK)
		rc = vmm_fail(err, VMM_E_FORMAT, 0, "no capture: %.120s", archive_error_string(a) ? archive_error_string(a) : "");
	else
		rc = load_entries(set, a, err);
	archive_read_free(a);
	return rc;
}

/* What is in a packed file: a tar, or a text. */
static bool packed_probe(int fd)
{
	struct archive *a = archive_of();
	struct archive_entry *e;
	char bytes[PROBE_BYTES];
	bool yes = false;

	if (a && archive_read_open_fd(a, fd, BLOCK_BYTES) == ARCHIVE_OK && archive_read_next_header(a, &e) >= ARCHIVE_WARN) {
		la_ssize_t n = archive_format(a) == ARCHIVE_FORMAT_RAW ? archive_read_data(a, bytes, sizeof(bytes)) : 0;

		yes = archive_format(a) != ARCHIVE_FORMAT_RAW || (n > 0 && capture_text_probe(bytes, (size_t)n));
	}
	if (a)
		archive_read_free(a);
	return yes;
}

#else

static int load_archive_fd(struct capture_set *set, int fd, struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "this vmmap was built without libarchive: unpack it, and give the folder");
}

static int load_archive_bytes(struct capture_set *set, const void *bytes, size_t length, struct vmm_err *err)
{
	return load_archive_fd(set, -1, err);
}

static bool packed_probe(int fd)
{
	return false;
}

#endif

bool capture_file_probe(const char *path)
{
	struct stat st;
	VMM_CLEANUP_FD int fd = vmm_file_open_named(AT_FDCWD, path, 0, &st);
	char bytes[PROBE_BYTES];
	ssize_t n = fd >= 0 ? pread(fd, bytes, sizeof(bytes), 0) : -1;

	if (n <= 0)
		return false;
	if (packed((const unsigned char *)bytes, (size_t)n))
		return packed_probe(fd);
	return is_tar(bytes, (size_t)n) || capture_text_probe(bytes, (size_t)n);
}

static int read_all(int fd, char **ret_bytes, size_t *ret_length, struct vmm_err *err)
{
	VMM_CLEANUP_FREE char *bytes = NULL;
	size_t length = 0, capacity = 0;

	for (;;) {
		ssize_t n;

		if (length >= FILE_MAX)
			return vmm_fail(err, VMM_E_LIMIT, 0, "a capture larger than 1 GiB");
		if (!vmm_grow(&bytes, &capacity, length + BLOCK_BYTES, 1))
			return vmm_fail_nomem(err);
		n = read(fd, bytes + length, BLOCK_BYTES);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vmm_fail(err, VMM_E_IO, errno, "%s", strerror(errno));
		if (n == 0)
			break;
		length += (size_t)n;
	}
	*ret_bytes = bytes;
	*ret_length = length;
	bytes = NULL;
	return 0;
}

static int add_file(struct capture_set *set, int fd, const char *path, struct timespec changed, struct vmm_err *err)
{
	size_t length;
	char *bytes;
	int rc = read_all(fd, &bytes, &length, err);

	return rc < 0 ? rc : capture_add(set, path, strlen(path), bytes, length, changed, err);
}

/* What may lie beside the text x.smaps: x.status, x.smaps.status; beside the file smaps: status. */
static int add_companions(struct capture_set *set, const char *path, struct vmm_err *err)
{
	static const char *const names[] = {"status", "stat", "limits", "cmdline", "comm", "cgroup", "auxv", "mountinfo", "exe", "numa_maps"};
	const char *base = strrchr(path, '/'), *ending;
	size_t whole = strlen(path);
	int rc = 0;

	base = base ? base + 1 : path;
	ending = strcmp(base, "smaps") == 0 || strcmp(base, "maps") == 0 ? base : strrchr(base, '.');
	for (size_t i = 0; rc >= 0 && i < 2 * ARRAY_LEN(names); i++) {
		size_t length = i % 2 ? whole : ending ? (size_t)(ending - path) : 0;
		char beside[4096];
		struct stat st;
		int fd;

		if ((i % 2 == 0 && !ending) || length + 16 > sizeof(beside))
			continue;
		snprintf(beside, sizeof(beside), "%.*s%s%s", (int)length, path, i % 2 || ending != base ? "." : "", names[i / 2]);
		fd = vmm_file_open_named(AT_FDCWD, beside, 0, &st);
		if (fd < 0)
			continue;
		rc = add_file(set, fd, names[i / 2], st.st_mtim, err);
		close(fd);
	}
	return rc;
}

int capture_load_bytes(struct capture_set *set, const void *bytes, size_t length, struct vmm_err *err)
{
	char *copy;

	if (packed(bytes, length) || is_tar(bytes, length) || !capture_text_probe(bytes, length))
		return load_archive_bytes(set, bytes, length, err);
	copy = vmm_alloc_hook(NULL, length);
	if (!copy)
		return vmm_fail_nomem(err);
	memcpy(copy, bytes, length);
	return capture_add_text(set, "", copy, length, (struct timespec){0}, err);
}

int capture_load_file(struct capture_set *set, const char *path, struct vmm_err *err)
{
	VMM_CLEANUP_FD int fd = -1;
	char begin[PROBE_BYTES], *bytes;
	struct stat st;
	size_t length;
	ssize_t n;
	int rc;

	fd = vmm_file_open_named(AT_FDCWD, path, 0, &st);
	if (fd < 0)
		return vmm_fail(err, errno == ENOENT ? VMM_E_NO_TARGET : linux_code(errno), errno, "%s: %s", path, strerror(errno));
	n = pread(fd, begin, sizeof(begin), 0);
	if (n <= 0 || is_tar(begin, (size_t)n) || packed((const unsigned char *)begin, (size_t)n))
		return load_archive_fd(set, fd, err);
	rc = read_all(fd, &bytes, &length, err);
	if (rc >= 0)
		rc = capture_add_text(set, "", bytes, length, st.st_mtim, err);
	return rc < 0 ? rc : add_companions(set, path, err);
}

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
	rc = add_file(set, fd, full, st.st_mtim, err);
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
