/* Character sets and sizes of VMMap's files. */
#include "format/vmmap_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

/* 0x80 to 0x9f of Windows-1252 (unicode.org, CP1252.TXT); the five without a character stay what they are. */
static const uint16_t cp1252[32] = {
        0x20ac, 0x81,   0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8d,   0x017d, 0x8f,
        0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d,   0x017e, 0x0178,
};

static size_t put_utf8(char *to, uint32_t p)
{
	if (p < 0x80) {
		to[0] = (char)p;
		return 1;
	}
	if (p < 0x800) {
		to[0] = (char)(0xc0 | p >> 6);
		to[1] = (char)(0x80 | (p & 0x3f));
		return 2;
	}
	if (p < 0x10000) {
		to[0] = (char)(0xe0 | p >> 12);
		to[1] = (char)(0x80 | (p >> 6 & 0x3f));
		to[2] = (char)(0x80 | (p & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | p >> 18);
	to[1] = (char)(0x80 | (p >> 12 & 0x3f));
	to[2] = (char)(0x80 | (p >> 6 & 0x3f));
	to[3] = (char)(0x80 | (p & 0x3f));
	return 4;
}

static bool is_utf8(const char *bytes, size_t length)
{
	uint32_t point;

	for (size_t i = 0; i < length;) {
		if (!(bytes[i] & 0x80)) {
			i++;
			continue;
		}
		i += vmm_utf8_decode(bytes + i, length - i, &point);
		if (point == UINT32_MAX)
			return false;
	}
	return true;
}

static uint32_t unit_at(const unsigned char *bytes, bool big)
{
	return big ? (uint32_t)bytes[0] << 8 | bytes[1] : (uint32_t)bytes[1] << 8 | bytes[0];
}

/* Lone surrogates and NUL become U+FFFD, an odd last byte is dropped. Each unit gives at most 3 bytes. */
static size_t from_utf16(char *to, const unsigned char *bytes, size_t length, bool big)
{
	size_t used = 0;

	for (size_t i = 0; i + 2 <= length; i += 2) {
		uint32_t p = unit_at(bytes + i, big), low = i + 4 <= length ? unit_at(bytes + i + 2, big) : 0;

		if (p >= 0xd800 && p < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
			p = 0x10000 + ((p - 0xd800) << 10 | (low - 0xdc00));
			i += 2;
		} else if ((p >= 0xd800 && p < 0xe000) || p == 0) {
			p = 0xfffd;
		}
		used += put_utf8(to + used, p);
	}
	return used;
}

static size_t from_bytes(char *to, const unsigned char *bytes, size_t length, bool utf8)
{
	size_t used = 0;

	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == 0)
			to[used++] = ' ';
		else if (utf8 || bytes[i] < 0x80)
			to[used++] = (char)bytes[i];
		else
			used += put_utf8(to + used, bytes[i] < 0xa0 ? cp1252[bytes[i] - 0x80] : bytes[i]);
	}
	return used;
}

int vmm_vmmap_text(const char *bytes, size_t length, char **ret_text, size_t *ret_length, const char **ret_encoding,
                   struct vmm_err *err)
{
	const unsigned char *u = (const unsigned char *)bytes;
	bool wide = length >= 2 && ((u[0] == 0xff && u[1] == 0xfe) || (u[0] == 0xfe && u[1] == 0xff));
	bool mark = length >= 3 && memcmp(u, "\xef\xbb\xbf", 3) == 0;
	/* Without a mark: the first character of each of these files is in ASCII. */
	bool bare = !wide && length >= 4 && (u[0] == 0) != (u[1] == 0) && (u[2] == 0) == (u[0] == 0) && (u[3] == 0) == (u[1] == 0);
	size_t most;
	char *text;

	if (__builtin_mul_overflow(length, 3u, &most) || __builtin_add_overflow(most, 1u, &most))
		return vmm_fail_nomem(err);
	if (!wide && !bare && is_utf8(bytes, length))
		most = length + 1;
	text = vmm_alloc_hook(NULL, most);
	if (!text)
		return vmm_fail_nomem(err);
	if (wide || bare) {
		size_t skip = wide ? 2 : 0;

		*ret_length = from_utf16(text, u + skip, length - skip, wide ? u[0] == 0xfe : u[0] == 0);
		*ret_encoding = "UTF-16";
	} else {
		bool utf8 = most == length + 1;
		size_t skip = mark ? 3 : 0;

		*ret_length = from_bytes(text, u + skip, length - skip, utf8);
		*ret_encoding = utf8 ? "UTF-8" : "Windows-1252";
	}
	text[*ret_length] = '\0';
	*ret_text = text;
	return 0;
}

/* Bytes of a separator between groups of digits: comma, full stop, apostrophes and all blanks that locales use. */
static size_t separator(const char *p)
{
	static const char *const all[] = {",", ".", "'", " ", "\xc2\xa0", "\xe2\x80\xaf", "\xe2\x80\x89", "\xe2\x80\x99", "\xd9\xac"};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (strncmp(p, all[i], strlen(all[i])) == 0)
			return strlen(all[i]);
	return 0;
}

bool vmm_vmmap_size_parse(const char *text, uint64_t *ret_bytes)
{
	uint64_t v = 0;
	const char *p = text;

	for (; *p; p++) {
		size_t between = p > text ? separator(p) : 0;

		p += between;
		if (*p < '0' || *p > '9' || __builtin_mul_overflow(v, 10u, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return false;
	}
	if (v >> 54)
		return false;
	*ret_bytes = v << 10;
	return true;
}
