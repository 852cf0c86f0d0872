/*
 * The bytes of a file: as they stand there, or unpacked by libarchive into a temporary file on the way to what is read.
 *
 * Told by their first bytes: RFC 1952 (gzip), RFC 8878 section 3.1 (zstd and skippable frames, which lz4 shares),
 * lz4 doc/lz4_Frame_format.md (frames, legacy frames), xz doc/xz-file-format.txt section 2.1.1.
 */
#include "source/bytes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef VMM_HAVE_ARCHIVE
#include <archive.h>
#include <archive_entry.h>
#endif

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "source/spool.h"

#define WINDOW_BYTES (256u << 10)

struct filter {
	const char *name, *unpack; /* the program that unpacks it by hand */
	unsigned char magic[6], mask0, length;
};

static const struct filter filter_table[] = {
    {"gzip", "gzip -d", {0x1f, 0x8b, 0x08}, 0xff, 3},
    {"zstd", "zstd -d", {0x28, 0xb5, 0x2f, 0xfd}, 0xff, 4},
    {"zstd", "zstd -d", {0x50, 0x2a, 0x4d, 0x18}, 0xf0, 4}, /* a skippable frame first: pzstd */
    {"lz4", "lz4 -d", {0x04, 0x22, 0x4d, 0x18}, 0xff, 4},
    {"lz4", "lz4 -d", {0x02, 0x21, 0x4c, 0x18}, 0xff, 4}, /* legacy frames */
    {"xz", "xz -d", {0xfd, '7', 'z', 'X', 'Z', 0x00}, 0xff, 6},
};

struct vmm_bytes {
	int fd;
	const struct filter *filter; /* NULL: plain */
	struct archive *archive;     /* NULL: unpacked as far as it goes */
	struct vmm_spool spool;
	uint64_t consumed; /* of the compressed file */
	int full;          /* the error that ended unpacking: there is no room for more */
	struct vmm_err full_err;
	char damage[160];
	unsigned char window[WINDOW_BYTES];
};

static const struct filter *find_filter(int fd)
{
	unsigned char head[6] = {0};
	ssize_t n = pread(fd, head, sizeof(head), 0);

	for (size_t i = 0; i < ARRAY_LEN(filter_table); i++) {
		const struct filter *f = &filter_table[i];

		if (n >= f->length && (head[0] & f->mask0) == f->magic[0] && memcmp(head + 1, f->magic + 1, f->length - 1u) == 0)
			return f;
	}
	return NULL;
}

#ifdef VMM_HAVE_ARCHIVE

static la_ssize_t feed(struct archive *a, void *arg, const void **ret_bytes)
{
	struct vmm_bytes *b = arg;
	ssize_t n;

	do
		n = pread(b->fd, b->window, sizeof(b->window), (off_t)b->consumed);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		archive_set_error(a, errno, "%s", strerror(errno));
		return -1;
	}
	b->consumed += (uint64_t)n;
	*ret_bytes = b->window;
	return n;
}

static void stop_unpacking(struct vmm_bytes *b)
{
	archive_read_free(b->archive);
	b->archive = NULL;
}

static void damaged(struct vmm_bytes *b)
{
	const char *why = archive_error_string(b->archive);

	snprintf(b->damage, sizeof(b->damage), "the %s data cannot be unpacked beyond byte %llu: %s", b->filter->name,
	         (unsigned long long)b->spool.size, why ? why : "the header is none of its kind");
	stop_unpacking(b);
}

/* Only the filter that was seen, so that nothing else is unpacked and no program is run. */
static int start_unpacking(struct vmm_bytes *b, struct vmm_err *err)
{
	int (*const enable)(struct archive *) = strcmp(b->filter->name, "gzip") == 0   ? archive_read_support_filter_gzip
	                                        : strcmp(b->filter->name, "zstd") == 0 ? archive_read_support_filter_zstd
	                                        : strcmp(b->filter->name, "lz4") == 0  ? archive_read_support_filter_lz4
	                                                                               : archive_read_support_filter_xz;
	struct archive_entry *entry;
	int rc;

	b->archive = archive_read_new();
	if (!b->archive)
		return vmm_fail_nomem(err);
	/* ARCHIVE_WARN: it would run a program for that. */
	if (enable(b->archive) != ARCHIVE_OK)
		return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "compressed with %s, which libarchive was built without: unpack it first (%s)",
		                b->filter->name, b->filter->unpack);
	if (archive_read_support_format_raw(b->archive) != ARCHIVE_OK || archive_read_support_format_empty(b->archive) != ARCHIVE_OK)
		return vmm_fail_nomem(err);
	rc = archive_read_open(b->archive, b, NULL, feed, NULL);
	if (rc == ARCHIVE_OK)
		rc = archive_read_next_header(b->archive, &entry);
	if (rc == ARCHIVE_EOF && archive_errno(b->archive) == 0) /* nothing was packed */
		stop_unpacking(b);
	/* A header that it does not understand it would hand out as it stands. */
	else if ((rc != ARCHIVE_OK && rc != ARCHIVE_WARN) || archive_filter_code(b->archive, 0) == ARCHIVE_FILTER_NONE)
		damaged(b);
	return 0;
}

/* Unpacks until the spool holds end bytes, or as many as there are. */
static int unpack_to(struct vmm_bytes *b, uint64_t end, struct vmm_err *err)
{
	while (b->archive && b->spool.size < end) {
		const void *bytes;
		size_t length;
		la_int64_t offset;
		int rc = archive_read_data_block(b->archive, &bytes, &length, &offset);

		if (rc == ARCHIVE_EOF) {
			stop_unpacking(b);
			return vmm_spool_end(&b->spool, err);
		}
		if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN) {
			damaged(b);
			return vmm_spool_end(&b->spool, err);
		}
		b->full = vmm_spool_write(&b->spool, bytes, length, &b->full_err);
		if (b->full < 0)
			stop_unpacking(b);
	}
	if (b->full < 0 && b->spool.size < end) {
		if (err)
			*err = b->full_err;
		return b->full;
	}
	return 0;
}

#else

static void stop_unpacking(struct vmm_bytes *b)
{
}

static int start_unpacking(struct vmm_bytes *b, struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "compressed with %s, and this vmmap was built without libarchive: unpack it first (%s)",
	                b->filter->name, b->filter->unpack);
}

static int unpack_to(struct vmm_bytes *b, uint64_t end, struct vmm_err *err)
{
	return 0;
}

#endif

static int open_compressed(struct vmm_bytes *b, struct vmm_err *err)
{
	int rc = vmm_spool_open(&b->spool, err);

	if (rc == 0)
		rc = start_unpacking(b, err);
	if (rc == 0)
		rc = unpack_to(b, 1, err);
	if (rc == 0 && b->spool.size == 0 && b->damage[0])
		rc = vmm_fail(err, VMM_E_FORMAT, 0, "%s", b->damage);
	return rc;
}

int vmm_bytes_open(int fd, struct vmm_bytes **ret_bytes, struct vmm_err *err)
{
	struct vmm_bytes *b = vmm_alloc_hook(NULL, sizeof(*b));
	struct stat st;
	int rc = 0;

	if (!b) {
		close(fd);
		return vmm_fail_nomem(err);
	}
	memset(b, 0, offsetof(struct vmm_bytes, window));
	b->fd = fd;
	b->spool.fd = -1;
	if (fstat(fd, &st) != 0)
		rc = vmm_fail(err, VMM_E_IO, errno, "%s", strerror(errno));
	else if (!S_ISREG(st.st_mode))
		rc = vmm_fail(err, VMM_E_UNSUPPORTED, 0, "no regular file");
	if (rc == 0)
		b->filter = find_filter(fd);
	if (b->filter)
		rc = open_compressed(b, err);
	if (rc < 0) {
		vmm_bytes_close(b);
		return rc;
	}
	*ret_bytes = b;
	return 0;
}

void vmm_bytes_close(struct vmm_bytes *b)
{
	if (!b)
		return;
	if (b->archive)
		stop_unpacking(b);
	vmm_spool_close(&b->spool);
	close(b->fd);
	free(b);
}

static int64_t read_plain(const struct vmm_bytes *b, uint64_t offset, void *ret_bytes, size_t length, struct vmm_err *err)
{
	size_t done = 0;

	while (done < length && offset + done <= INT64_MAX) {
		ssize_t n = pread(b->fd, (char *)ret_bytes + done, length - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && done == 0)
			return vmm_fail(err, VMM_E_IO, errno, "cannot read at byte %llu: %s", (unsigned long long)offset, strerror(errno));
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return (int64_t)done;
}

int64_t vmm_bytes_read(struct vmm_bytes *b, uint64_t offset, void *ret_bytes, size_t length, struct vmm_err *err)
{
	int rc;

	if (offset > INT64_MAX)
		return 0;
	length = vmm_min_u64(length, INT64_MAX - offset);
	if (!b->filter)
		return read_plain(b, offset, ret_bytes, length, err);
	rc = unpack_to(b, offset + length, err);
	/* What was unpacked before the room ended is there; only a read that gets nothing fails. */
	if (rc < 0 && offset >= b->spool.size)
		return rc;
	return vmm_spool_read(&b->spool, offset, ret_bytes, length, err);
}

bool vmm_bytes_size(struct vmm_bytes *b, bool force, uint64_t *ret_size)
{
	struct stat st;

	if (!b->filter) {
		if (fstat(b->fd, &st) != 0 || st.st_size < 0)
			return false;
		*ret_size = (uint64_t)st.st_size;
		return true;
	}
	if (force && unpack_to(b, UINT64_MAX, NULL) < 0)
		return false;
	if (b->archive || b->full < 0)
		return false;
	*ret_size = b->spool.size;
	return true;
}

int vmm_bytes_unpack(struct vmm_bytes *b, struct vmm_err *err)
{
	return unpack_to(b, UINT64_MAX, err);
}

bool vmm_bytes_data(struct vmm_bytes *b, uint64_t offset, uint64_t *ret_start, uint64_t *ret_end)
{
	bool whole = !b->filter || (!b->archive && b->full == 0);
	int fd = b->filter ? b->spool.fd : b->fd;
	uint64_t size = b->spool.size;
	off_t start, end;

	if (!b->filter && !vmm_bytes_size(b, false, &size))
		return false;
	if (offset >= size && whole)
		return false;
	start = offset < size ? lseek(fd, (off_t)offset, SEEK_DATA) : -1;
	if (offset < size && start < 0 && errno != ENXIO) { /* a file system without holes */
		*ret_start = offset;
		*ret_end = whole ? size : UINT64_MAX;
		return true;
	}
	if (start < 0 && whole)
		return false;
	if (start < 0) {
		*ret_start = vmm_max_u64(offset, size);
		*ret_end = UINT64_MAX;
		return true;
	}
	end = lseek(fd, start, SEEK_HOLE);
	*ret_start = (uint64_t)start;
	*ret_end = end > start && (uint64_t)end < size ? (uint64_t)end : whole ? size : UINT64_MAX;
	return true;
}

const char *vmm_bytes_filter(const struct vmm_bytes *b)
{
	return b->filter ? b->filter->name : "";
}

const char *vmm_bytes_damage(const struct vmm_bytes *b)
{
	return b->damage[0] ? b->damage : NULL;
}
