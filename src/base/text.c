#include "base/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

size_t vmm_utf8_decode(const char *s, size_t length, uint32_t *ret_point)
{
	const unsigned char *u = (const unsigned char *)s;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = u[0] < 0x80 ? 1 : u[0] >= 0xc2 && u[0] < 0xe0 ? 2 : (u[0] & 0xf0) == 0xe0 ? 3 : (u[0] & 0xf8) == 0xf0 ? 4 : 0;
	uint32_t p;

	*ret_point = UINT32_MAX;
	if (n == 1) {
		*ret_point = u[0];
		return 1;
	}
	if (n == 0 || n > length)
		return 1;
	p = u[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 1;
		p = p << 6 | (u[i] & 0x3f);
	}
	if (p < least[n] || p > 0x10ffff || (p >= 0xd800 && p < 0xe000))
		return 1;
	*ret_point = p;
	return n;
}

int vmm_point_unsafe(uint32_t p)
{
	return p < 0x20 || (p >= 0x7f && p < 0xa0) || (p >= 0x200b && p <= 0x200f) || (p >= 0x2028 && p <= 0x202e) ||
	       (p >= 0x2060 && p <= 0x206f) || p == 0xfeff || p == 0xad || (p >= 0xfff9 && p <= 0xfffb) ||
	       (p >= 0xe0000 && p <= 0xe0fff) || p == 0x061c || p == 0x180e;
}

/* The escape of one code point or bad byte into e; returns its length, 0 when it may stand as it is. */
static size_t escape_one(char e[16], uint32_t point, unsigned char byte)
{
	if (point == UINT32_MAX)
		return (size_t)snprintf(e, 16, "\\x%02x", byte);
	if (point == '\n')
		return (size_t)snprintf(e, 16, "\\n");
	if (point == '\t')
		return (size_t)snprintf(e, 16, "\\t");
	if (point == 0x1b)
		return (size_t)snprintf(e, 16, "\\e");
	if (point == '\\')
		return (size_t)snprintf(e, 16, "\\\\");
	if (point < 0x80 && vmm_point_unsafe(point))
		return (size_t)snprintf(e, 16, "\\x%02x", (unsigned)point);
	if (vmm_point_unsafe(point))
		return (size_t)snprintf(e, 16, "\\u{%x}", (unsigned)point);
	return 0;
}

size_t vmm_escape_terminal(char *ret, size_t size, const char *s, size_t length)
{
	size_t at = 0;

	if (size == 0)
		return 0;
	for (size_t i = 0; i < length;) {
		uint32_t point;
		char e[16];
		size_t n = vmm_utf8_decode(s + i, length - i, &point);
		size_t escaped = escape_one(e, point, (unsigned char)s[i]);
		const char *from = escaped ? e : s + i;
		size_t bytes = escaped ? escaped : n;

		if (at + bytes >= size)
			break;
		memcpy(ret + at, from, bytes);
		at += bytes;
		i += n;
	}
	ret[at] = '\0';
	return at;
}

/* Ranges of wide and zero-width characters that matter in paths; Unicode 15 East Asian Width W and F, and Mn. */
static bool point_wide(uint32_t p)
{
	return (p >= 0x1100 && p <= 0x115f) || (p >= 0x2e80 && p <= 0x303e) || (p >= 0x3041 && p <= 0x33ff) ||
	       (p >= 0x3400 && p <= 0x4dbf) || (p >= 0x4e00 && p <= 0x9fff) || (p >= 0xa000 && p <= 0xa4cf) ||
	       (p >= 0xac00 && p <= 0xd7a3) || (p >= 0xf900 && p <= 0xfaff) || (p >= 0xfe30 && p <= 0xfe6f) ||
	       (p >= 0xff00 && p <= 0xff60) || (p >= 0xffe0 && p <= 0xffe6) || (p >= 0x1f300 && p <= 0x1f64f) ||
	       (p >= 0x1f680 && p <= 0x1f6ff) || (p >= 0x1f900 && p <= 0x1f9ff) || (p >= 0x20000 && p <= 0x3fffd);
}

static bool point_combining(uint32_t p)
{
	return (p >= 0x300 && p <= 0x36f) || (p >= 0x483 && p <= 0x489) || (p >= 0x591 && p <= 0x5bd) ||
	       (p >= 0x610 && p <= 0x61a) || (p >= 0x64b && p <= 0x65f) || (p >= 0x1ab0 && p <= 0x1aff) ||
	       (p >= 0x1dc0 && p <= 0x1dff) || (p >= 0x20d0 && p <= 0x20ff) || (p >= 0xfe20 && p <= 0xfe2f);
}

size_t vmm_text_width(const char *s, size_t length)
{
	size_t width = 0;

	for (size_t i = 0; i < length;) {
		uint32_t point;

		i += vmm_utf8_decode(s + i, length - i, &point);
		width += point_combining(point) ? 0 : point_wide(point) ? 2 : 1;
	}
	return width;
}

size_t vmm_text_grouped(char ret[VMM_GROUPED_BYTES], uint64_t number)
{
	char reversed[VMM_GROUPED_BYTES];
	size_t length = 0;
	unsigned digits = 0;

	do {
		if (digits && digits % 3 == 0)
			reversed[length++] = ',';
		reversed[length++] = (char)('0' + number % 10);
		number /= 10;
		digits++;
	} while (number);
	for (size_t i = 0; i < length; i++)
		ret[i] = reversed[length - 1 - i];
	ret[length] = '\0';
	return length;
}
