/* Captures in archives: a tar, plain or packed, or a text that is packed. */
#include <stdlib.h>
#include <string.h>
#ifdef VMM_HAVE_ARCHIVE
#include <archive.h>
#include <archive_entry.h>
#endif

#include "base/arena.h"
#include "base/err.h"
#include "source/capture.h"

#define UNPACKED_MAX (INT64_C(8) << 30) /* of an archive, what is of no use included */
#define ENTRIES_MAX 4000000

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

/* The contents of the entry at hand, as far as CAPTURE_FILE_MAX. VMM_E_NOMEM, VMM_E_FORMAT (damaged: what came before stays). */
static int entry_bytes(struct archive *a, char **ret_bytes, size_t *ret_length, struct vmm_err *err)
{
	VMM_CLEANUP_FREE char *bytes = NULL;
	size_t length = 0, capacity = 0;
	la_ssize_t n = 0;

	do {
		length += (size_t)n;
		if (length >= CAPTURE_FILE_MAX)
			return vmm_fail(err, VMM_E_LIMIT, 0, "a file in the capture is larger than 1 GiB");
		if (!vmm_grow(&bytes, &capacity, length + CAPTURE_BLOCK_BYTES, 1))
			return vmm_fail_nomem(err);
		n = archive_read_data(a, bytes + length, CAPTURE_BLOCK_BYTES);
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

/* Of an archive that was opened with this result; frees it. */
static int load_opened(struct capture_set *set, struct archive *a, int opened, struct vmm_err *err)
{
	int rc;

	if (opened != ARCHIVE_OK)
		rc = vmm_fail(err, VMM_E_FORMAT, 0, "no capture: %.120s", archive_error_string(a) ? archive_error_string(a) : "");
	else
		rc = load_entries(set, a, err);
	archive_read_free(a);
	return rc;
}

int capture_archive_fd(struct capture_set *set, int fd, struct vmm_err *err)
{
	struct archive *a = archive_of();

	return a ? load_opened(set, a, archive_read_open_fd(a, fd, CAPTURE_BLOCK_BYTES), err) : vmm_fail_nomem(err);
}

int capture_archive_bytes(struct capture_set *set, const void *bytes, size_t length, struct vmm_err *err)
{
	struct archive *a = archive_of();

	return a ? load_opened(set, a, archive_read_open_memory(a, bytes, length), err) : vmm_fail_nomem(err);
}

bool capture_archive_probe(int fd)
{
	struct archive *a = archive_of();
	struct archive_entry *e;
	char bytes[CAPTURE_PROBE_BYTES];
	bool yes = false;

	if (a && archive_read_open_fd(a, fd, CAPTURE_BLOCK_BYTES) == ARCHIVE_OK && archive_read_next_header(a, &e) >= ARCHIVE_WARN) {
		la_ssize_t n = archive_format(a) == ARCHIVE_FORMAT_RAW ? archive_read_data(a, bytes, sizeof(bytes)) : 0;

		yes = archive_format(a) != ARCHIVE_FORMAT_RAW || (n > 0 && capture_text_probe(bytes, (size_t)n));
	}
	if (a)
		archive_read_free(a);
	return yes;
}

#else

int capture_archive_fd(struct capture_set *set, int fd, struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "this vmmap was built without libarchive: unpack it, and give the folder");
}

int capture_archive_bytes(struct capture_set *set, const void *bytes, size_t length, struct vmm_err *err)
{
	return capture_archive_fd(set, -1, err);
}

bool capture_archive_probe(int fd)
{
	return false;
}

#endif
