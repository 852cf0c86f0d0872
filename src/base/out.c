#include "base/out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

#define OUT_BYTES (256 * 1024)

static struct vmm_out *out_create(int fd, size_t size)
{
	struct vmm_out *out = vmm_alloc_hook(NULL, sizeof(*out));

	if (!out)
		return NULL;
	memset(out, 0, sizeof(*out));
	out->fd = fd;
	out->buffer = vmm_alloc_hook(NULL, size);
	if (!out->buffer) {
		free(out);
		return NULL;
	}
	out->size = size;
	return out;
}

struct vmm_out *vmm_out_create(int fd)
{
	return out_create(fd, OUT_BYTES);
}

struct vmm_out *vmm_out_create_memory(void)
{
	return out_create(-1, 4096);
}

static void out_fail(struct vmm_out *out, int os)
{
	if (!out->failed) {
		out->failed = true;
		out->os = os;
	}
	out->used = 0;
}

void vmm_out_flush(struct vmm_out *out)
{
	size_t at = 0;

	if (out->fd < 0)
		return;
	while (!out->failed && at < out->used) {
		ssize_t n = write(out->fd, out->buffer + at, out->used - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			out_fail(out, errno);
		else
			at += (size_t)n;
	}
	out->used = 0;
}

bool vmm_out_room_slow(struct vmm_out *out, size_t n)
{
	if (out->failed)
		return false;
	if (out->fd >= 0) {
		vmm_out_flush(out);
		return !out->failed && n <= out->size;
	}
	if (n <= SIZE_MAX - out->used && vmm_grow(&out->buffer, &out->size, out->used + n, 1))
		return true;
	out_fail(out, ENOMEM);
	return false;
}

int vmm_out_finish(struct vmm_out *out, struct vmm_err *err)
{
	int os;

	if (!out)
		return 0;
	vmm_out_flush(out);
	os = out->os;
	free(out->buffer);
	free(out);
	return os ? vmm_fail(err, VMM_E_OUTPUT, os, "cannot write the output: %s", strerror(os)) : 0;
}

char *vmm_out_take(struct vmm_out *out, size_t *ret_length)
{
	char *text = NULL;

	vmm_out_char(out, '\0');
	if (!out->failed) {
		text = out->buffer;
		if (ret_length)
			*ret_length = out->used - 1;
	} else {
		free(out->buffer);
	}
	free(out);
	return text;
}

void vmm_out_discard(struct vmm_out *out)
{
	if (out)
		free(vmm_out_take(out, NULL));
}

void vmm_out_bytes(struct vmm_out *out, const char *s, size_t n)
{
	while (n > 0) {
		size_t part = n < 65536 ? n : 65536;

		if (!vmm_out_room(out, part))
			return;
		memcpy(out->buffer + out->used, s, part);
		out->used += part;
		s += part;
		n -= part;
	}
}

void vmm_out_repeat(struct vmm_out *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		vmm_out_text(out, s);
}

void vmm_out_dec(struct vmm_out *out, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	vmm_out_bytes(out, digits + at, sizeof(digits) - at);
}

void vmm_out_int(struct vmm_out *out, int64_t v)
{
	if (v < 0)
		vmm_out_char(out, '-');
	vmm_out_dec(out, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void vmm_out_hex(struct vmm_out *out, uint64_t v, unsigned width)
{
	char digits[16];
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[v & 15];
		v >>= 4;
	} while (v || (at > 0 && sizeof(digits) - at < width));
	vmm_out_bytes(out, digits + at, sizeof(digits) - at);
}

void vmm_out_printf(struct vmm_out *out, const char *format, ...)
{
	char small[512];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(small, sizeof(small), format, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n < sizeof(small)) {
		vmm_out_bytes(out, small, (size_t)n);
		return;
	}
	/* Longer than any text of ours: an error rather than a silent hole. */
	if (n >= 65535)
		out_fail(out, EOVERFLOW);
	else if (vmm_out_room(out, (size_t)n + 1)) {
		va_start(ap, format);
		vsnprintf(out->buffer + out->used, (size_t)n + 1, format, ap);
		va_end(ap);
		out->used += (size_t)n;
	}
}

static void out_json_point(struct vmm_out *out, const char *s, size_t n, uint32_t point)
{
	if (point == UINT32_MAX)
		vmm_out_text(out, "\\ufffd");
	else if (point == '"' || point == '\\')
		vmm_out_bytes(out, (char[]){'\\', (char)point}, 2);
	else if (point == '\n')
		vmm_out_text(out, "\\n");
	else if (point == '\t')
		vmm_out_text(out, "\\t");
	else if (vmm_point_unsafe(point) && point >= 0x10000)
		vmm_out_printf(out, "\\u%04x\\u%04x", 0xd800 + ((point - 0x10000) >> 10), 0xdc00 + ((point - 0x10000) & 0x3ff));
	else if (vmm_point_unsafe(point))
		vmm_out_printf(out, "\\u%04x", point);
	else
		vmm_out_bytes(out, s, n);
}

void vmm_out_json(struct vmm_out *out, const char *s)
{
	size_t length = strlen(s), plain = 0;

	vmm_out_char(out, '"');
	for (size_t i = 0; i < length;) {
		unsigned char c = (unsigned char)s[i];
		uint32_t point;
		size_t n;

		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
			i++;
			continue;
		}
		vmm_out_bytes(out, s + plain, i - plain);
		n = vmm_utf8_decode(s + i, length - i, &point);
		out_json_point(out, s + i, n, point);
		i += n;
		plain = i;
	}
	vmm_out_bytes(out, s + plain, length - plain);
	vmm_out_char(out, '"');
}

/* Bytes of s that are printable ASCII and need no escape, in CSV or on a terminal: most texts are nothing else. */
static size_t plain_length(const char *s, size_t length)
{
	size_t n = 0;

	while (n < length && s[n] >= 0x20 && s[n] < 0x7f && s[n] != '"' && s[n] != '\\')
		n++;
	return n;
}

void vmm_out_csv(struct vmm_out *out, const char *s)
{
	size_t length = strlen(s);
	bool quote = strpbrk(s, ",\" ;'") != NULL;

	if (quote)
		vmm_out_char(out, '"');
	for (size_t i = 0; i < length;) {
		char e[32];
		uint32_t point;
		size_t n = plain_length(s + i, length - i);

		if (n) {
			vmm_out_bytes(out, s + i, n);
			i += n;
			continue;
		}
		n = vmm_utf8_decode(s + i, length - i, &point);
		if (point == '"')
			vmm_out_text(out, "\"\"");
		else
			vmm_out_bytes(out, e, vmm_escape_terminal(e, sizeof(e), s + i, n));
		i += n;
	}
	if (quote)
		vmm_out_char(out, '"');
}

size_t vmm_out_escaped(struct vmm_out *out, const char *s, size_t limit)
{
	size_t length = strlen(s), width = 0;

	for (size_t i = 0; i < length;) {
		char e[32];
		uint32_t point;
		size_t n = plain_length(s + i, limit ? vmm_min_u64(limit - 1 - width, length - i) : length - i), bytes, w;

		if (!n && out->backslashes && s[i] == '\\' && (!limit || limit - 1 > width))
			n = 1;
		if (n) {
			vmm_out_bytes(out, s + i, n);
			width += n;
			i += n;
			continue;
		}
		n = vmm_utf8_decode(s + i, length - i, &point);
		bytes = vmm_escape_terminal(e, sizeof(e), s + i, n);
		w = vmm_text_width(e, bytes);
		if (limit && (width + w > limit || (width + w == limit && i + n < length))) {
			/* The ellipsis needs a column of its own; what is cut may still fit exactly. */
			vmm_out_text(out, "…");
			return width + 1;
		}
		vmm_out_bytes(out, e, bytes);
		width += w;
		i += n;
	}
	return width;
}
