/* A core's stream into a file: sparse, or packed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>
#ifdef VMM_HAVE_ZSTD
#include <zstd.h>
#endif

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "face/core_keep.h"

#define BUFFER_BYTES ((size_t)1 << 20)
#define HOLE_BYTES ((size_t)4096)
#define ROOM_EVERY (UINT64_C(64) << 20) /* bytes written between two looks at the disk */

struct copy {
	int from, to;
	const struct vmm_core_limits *limits;
	const volatile int *stop;
	struct vmm_core_copied done;
	uint64_t looked; /* bytes written when the disk was looked at last */
	unsigned char *buffer;
#ifdef VMM_HAVE_ZSTD
	ZSTD_CCtx *packer;
	unsigned char *packed;
#endif
};

/* Bytes up to the size of the buffer, fewer only at the end of the stream. */
static ssize_t fill(struct copy *c)
{
	size_t used = 0;

	while (used < BUFFER_BYTES) {
		ssize_t n = read(c->from, c->buffer + used, BUFFER_BYTES - used);

		if (*c->stop) {
			c->done.cut = "it took too long";
			break;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			c->done.cut = "reading failed";
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	return (ssize_t)used;
}

static bool put(struct copy *c, const unsigned char *bytes, size_t length, uint64_t at)
{
	while (length) {
		ssize_t n = pwrite(c->to, bytes, length, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			c->done.cut = errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? "the disk is full" : "writing failed";
			return false;
		}
		bytes += n;
		at += (uint64_t)n;
		length -= (size_t)n;
		c->done.written += (uint64_t)n;
	}
	return true;
}

static bool is_zero(const unsigned char *p, size_t length)
{
	return p[0] == 0 && memcmp(p, p + 1, length - 1) == 0;
}

/* All of the buffer but pages of zeros. */
static bool put_sparse(struct copy *c, size_t length, uint64_t at)
{
	size_t start = 0, end;

	while (start < length) {
		size_t page = vmm_min_u64(HOLE_BYTES, length - start);

		if (is_zero(c->buffer + start, page)) {
			start += page;
			continue;
		}
		for (end = start; end < length && !is_zero(c->buffer + end, vmm_min_u64(HOLE_BYTES, length - end));)
			end += vmm_min_u64(HOLE_BYTES, length - end);
		if (!put(c, c->buffer + start, end - start, at + start))
			return false;
		start = end;
	}
	return true;
}

#ifdef VMM_HAVE_ZSTD
static bool put_packed(struct copy *c, size_t length, bool last)
{
	ZSTD_inBuffer in = {c->buffer, length, 0};
	size_t left;

	do {
		ZSTD_outBuffer out = {c->packed, BUFFER_BYTES, 0};

		left = ZSTD_compressStream2(c->packer, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left)) {
			c->done.cut = "packing failed";
			return false;
		}
		if (!put(c, c->packed, out.pos, c->done.written))
			return false;
	} while (last ? left != 0 : in.pos < in.size);
	return true;
}
#endif

/* False: no more may be written, so that the disk keeps what it shall keep. */
static bool room(struct copy *c)
{
	struct statvfs fs;
	uint64_t unit, left;

	if (c->done.written && c->done.written - c->looked < ROOM_EVERY)
		return true;
	c->looked = c->done.written;
	if (fstatvfs(c->to, &fs) != 0)
		return true;
	unit = fs.f_frsize ? fs.f_frsize : fs.f_bsize;
	left = fs.f_bavail * unit;
	if (left >= c->limits->free_bytes && left >= fs.f_blocks / 100 * unit * c->limits->free_percent)
		return true;
	c->done.cut = "too little room is left on the disk";
	return false;
}

static void run(struct copy *c, bool packed)
{
	bool more = true;

	while (more && !c->done.cut && room(c)) {
		uint64_t at = c->done.bytes, limit = c->limits->core_bytes;
		size_t length = (size_t)fill(c);

		more = length == BUFFER_BYTES;
		if (length > limit - at) {
			length = (size_t)(limit - at);
			c->done.cut = "it is larger than one may be";
		}
#ifdef VMM_HAVE_ZSTD
		if (packed ? !put_packed(c, length, false) : !put_sparse(c, length, at))
			return;
#else
		if (!put_sparse(c, length, at))
			return;
#endif
		c->done.bytes += length;
	}
}

int vmm_core_copy(int from, int to, const struct vmm_core_limits *limits, bool packed, const volatile int *stop,
                  struct vmm_core_copied *ret, struct vmm_err *err)
{
	struct copy c = {.from = from, .to = to, .limits = limits, .stop = stop};
	int rc = 0;

	c.buffer = vmm_alloc_hook(NULL, BUFFER_BYTES);
	if (!c.buffer)
		return vmm_fail_nomem(err);
#ifdef VMM_HAVE_ZSTD
	if (packed) {
		c.packed = vmm_alloc_hook(NULL, BUFFER_BYTES);
		c.packer = ZSTD_createCCtx();
		if (!c.packed || !c.packer)
			rc = vmm_fail_nomem(err);
		else
			ZSTD_CCtx_setParameter(c.packer, ZSTD_c_compressionLevel, 1);
	}
#else
	if (packed)
		rc = vmm_fail(err, VMM_E_UNSUPPORTED, 0, "this vmmap was built without zstd");
#endif
	if (rc == 0)
		run(&c, packed);
#ifdef VMM_HAVE_ZSTD
	if (rc == 0 && packed && !put_packed(&c, 0, true) && !c.done.cut)
		c.done.cut = "packing failed";
	ZSTD_freeCCtx(c.packer);
	free(c.packed);
#endif
	if (rc == 0 && !packed && ftruncate(to, (off_t)c.done.bytes) != 0 && !c.done.cut)
		c.done.cut = "the disk is full";
	free(c.buffer);
	*ret = c.done;
	return rc;
}
