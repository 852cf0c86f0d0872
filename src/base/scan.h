/*
 * Bounded text scanner: a pointer and an end. No call reads past the end or skips a NUL.
 * Layer: base. A failing call does not move the scanner.
 */
#ifndef VMM_BASE_SCAN_H
#define VMM_BASE_SCAN_H

#include <string.h>

#include "base/base.h"

struct vmm_scan {
	const char *p, *end;
};

static inline struct vmm_scan vmm_scan_init(const char *text, size_t length)
{
	return (struct vmm_scan){text, text + length};
}

static inline bool vmm_scan_done(const struct vmm_scan *s)
{
	return s->p >= s->end;
}

static inline bool vmm_scan_char(struct vmm_scan *s, char c)
{
	if (s->p >= s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

/* Skips spaces and tabs. */
static inline void vmm_scan_blank(struct vmm_scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t'))
		s->p++;
}

/* Decimal and hexadecimal numbers without sign or prefix; false on no digit or overflow. */
static inline bool vmm_scan_dec(struct vmm_scan *s, uint64_t *ret)
{
	const char *p = s->p;
	uint64_t v = 0;

	for (; p < s->end && *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return false;
	if (p == s->p)
		return false;
	s->p = p;
	*ret = v;
	return true;
}

static inline int vmm_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static inline bool vmm_scan_hex(struct vmm_scan *s, uint64_t *ret)
{
	const char *p = s->p;
	uint64_t v = 0;

	for (int d; p < s->end && (d = vmm_hex_digit(*p)) >= 0; p++) {
		if (v >> 60)
			return false;
		v = v << 4 | (uint64_t)d;
	}
	if (p == s->p)
		return false;
	s->p = p;
	*ret = v;
	return true;
}

/* A decimal number with an optional minus. */
static inline bool vmm_scan_int(struct vmm_scan *s, int64_t *ret)
{
	struct vmm_scan t = *s;
	bool minus = vmm_scan_char(&t, '-');
	uint64_t v;

	if (!vmm_scan_dec(&t, &v) || v > (uint64_t)INT64_MAX + minus)
		return false;
	*ret = minus ? (int64_t)(0 - v) : (int64_t)v;
	*s = t;
	return true;
}

/* The bytes up to the next space, tab, line end or the end; false when there are none. */
static inline bool vmm_scan_word(struct vmm_scan *s, const char **ret_word, size_t *ret_length)
{
	const char *p = s->p;

	while (p < s->end && *p != ' ' && *p != '\t' && *p != '\n')
		p++;
	if (p == s->p)
		return false;
	*ret_word = s->p;
	*ret_length = (size_t)(p - s->p);
	s->p = p;
	return true;
}

/* The next line without its line end, as a scanner of its own; false at the end. The last line may lack its line end. */
static inline bool vmm_scan_line(struct vmm_scan *s, struct vmm_scan *ret_line)
{
	const char *nl;

	if (s->p >= s->end)
		return false;
	nl = memchr(s->p, '\n', (size_t)(s->end - s->p));
	*ret_line = (struct vmm_scan){s->p, nl ? nl : s->end};
	s->p = nl ? nl + 1 : s->end;
	return true;
}

/* Skips text when it stands here. */
static inline bool vmm_scan_text(struct vmm_scan *s, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, text, n) != 0)
		return false;
	s->p += n;
	return true;
}

#endif
