#include "base/scan.h"
#include "format/proc_text.h"

static bool word_is(const char *word, size_t length, const char *text)
{
	return length == strlen(text) && memcmp(word, text, length) == 0;
}

static bool parse_limit(struct vmm_scan *s, uint64_t *ret)
{
	struct vmm_scan word;
	const char *p;
	size_t n;

	vmm_scan_blank(s);
	if (!vmm_scan_word(s, &p, &n))
		return false;
	if (word_is(p, n, "unlimited")) {
		*ret = UINT64_MAX;
		return true;
	}
	word = vmm_scan_init(p, n);
	return vmm_scan_dec(&word, ret) && vmm_scan_done(&word);
}

bool vmm_limits_parse_line(const char *line, size_t length, struct vmm_limits_line *ret)
{
	struct vmm_scan s = vmm_scan_init(line, length);
	const char *gap = memmem(line, length, "  ", 2), *unit;
	struct vmm_limits_line r = {.name = line};
	size_t n;

	/* Names have single spaces and are padded to more than their width. */
	if (!gap || gap == line)
		return false;
	r.name_length = (size_t)(gap - line);
	s.p = gap;
	if (!parse_limit(&s, &r.soft) || !parse_limit(&s, &r.hard))
		return false;
	vmm_scan_blank(&s);
	r.bytes = vmm_scan_word(&s, &unit, &n) && word_is(unit, n, "bytes");
	*ret = r;
	return true;
}

/* Whether a comma-separated list of v1 controllers names memory. */
static bool has_memory(struct vmm_scan list)
{
	while (!vmm_scan_done(&list)) {
		const char *comma = memchr(list.p, ',', (size_t)(list.end - list.p));
		const char *end = comma ? comma : list.end;

		if (word_is(list.p, (size_t)(end - list.p), "memory"))
			return true;
		list.p = comma ? comma + 1 : list.end;
	}
	return false;
}

bool vmm_cgroup_memory_path(const char *text, size_t length, const char **ret_path, size_t *ret_length, bool *ret_v2)
{
	struct vmm_scan s = vmm_scan_init(text, length), line, v2 = {NULL, NULL};
	uint64_t hierarchy;

	while (vmm_scan_line(&s, &line)) {
		const char *colon;

		/* hierarchy:controllers:path; only the path may hold further colons. */
		if (!vmm_scan_dec(&line, &hierarchy) || !vmm_scan_char(&line, ':'))
			continue;
		colon = memchr(line.p, ':', (size_t)(line.end - line.p));
		if (!colon)
			continue;
		if (has_memory((struct vmm_scan){line.p, colon})) {
			*ret_path = colon + 1;
			*ret_length = (size_t)(line.end - colon - 1);
			*ret_v2 = false;
			return true;
		}
		if (hierarchy == 0 && colon == line.p && !v2.p)
			v2 = (struct vmm_scan){colon + 1, line.end};
	}
	if (!v2.p)
		return false;
	*ret_path = v2.p;
	*ret_length = (size_t)(v2.end - v2.p);
	*ret_v2 = true;
	return true;
}

/* The next word of a line whose words are separated by one space. */
static bool next_word(struct vmm_scan *s, const char **ret_word, size_t *ret_length)
{
	vmm_scan_char(s, ' ');
	return vmm_scan_word(s, ret_word, ret_length);
}

bool vmm_mountinfo_parse_line(const char *line, size_t length, struct vmm_mount_line *ret)
{
	struct vmm_scan s = vmm_scan_init(line, length);
	uint64_t id, parent, major, minor;
	struct vmm_mount_line r;
	const char *word;
	size_t n;

	/* 36 35 98:0 /root /mount/point options [tag:value ...] - type source options */
	if (!vmm_scan_dec(&s, &id) || !vmm_scan_char(&s, ' ') || !vmm_scan_dec(&s, &parent) || !vmm_scan_char(&s, ' '))
		return false;
	if (!vmm_scan_dec(&s, &major) || !vmm_scan_char(&s, ':') || !vmm_scan_dec(&s, &minor) || major > UINT32_MAX ||
	    minor > UINT32_MAX)
		return false;
	r.dev_major = (uint32_t)major;
	r.dev_minor = (uint32_t)minor;
	if (!next_word(&s, &word, &n) || !next_word(&s, &r.mount_point, &r.mount_point_length) || !next_word(&s, &word, &n))
		return false;
	do {
		if (!next_word(&s, &word, &n))
			return false;
	} while (!word_is(word, n, "-"));
	if (!next_word(&s, &r.fs_type, &r.fs_type_length))
		return false;
	*ret = r;
	return true;
}

bool vmm_syscall_parse(const char *text, size_t length, uint64_t *ret_sp, uint64_t *ret_pc)
{
	struct vmm_scan s = vmm_scan_init(text, length);
	uint64_t v = 0, before = 0;
	unsigned count = 0;
	int64_t number;

	if (!vmm_scan_int(&s, &number))
		return false;
	for (; vmm_scan_text(&s, " 0x"); count++) {
		before = v;
		if (!vmm_scan_hex(&s, &v))
			return false;
	}
	vmm_scan_char(&s, '\n');
	/* Six arguments stand before the two when the thread is in a system call, none when it is blocked elsewhere. */
	if (!vmm_scan_done(&s) || count != (number < 0 ? 2u : 8u))
		return false;
	*ret_sp = before;
	*ret_pc = v;
	return true;
}

/* "N0=12" adds a node; false when it is one that the record has no place for, or does not fit. */
static bool parse_numa_word(const char *word, size_t length, struct vmm_numa_line *r)
{
	struct vmm_scan s = vmm_scan_init(word, length);
	uint64_t node, v;

	if (vmm_scan_text(&s, "kernelpagesize_kB="))
		return vmm_scan_dec(&s, &v) && vmm_scan_done(&s) && !__builtin_mul_overflow(v, 1024u, &r->page_size);
	if (!vmm_scan_char(&s, 'N') || !vmm_scan_dec(&s, &node) || !vmm_scan_char(&s, '='))
		return true;
	if (!vmm_scan_dec(&s, &v) || !vmm_scan_done(&s) || node >= VMM_NUMA_NODES)
		return false;
	r->pages[node] = v;
	r->nodes |= UINT64_C(1) << node;
	return true;
}

bool vmm_numa_parse_line(const char *line, size_t length, struct vmm_numa_line *ret)
{
	struct vmm_scan s = vmm_scan_init(line, length);
	struct vmm_numa_line r = {0};
	const char *word;
	size_t n;

	if (!vmm_scan_hex(&s, &r.address) || !vmm_scan_char(&s, ' '))
		return false;
	if (!vmm_scan_word(&s, &word, &n)) /* the policy */
		return false;
	/* Blanks and equals signs in file names are escaped, so a word is never part of one. */
	for (vmm_scan_blank(&s); vmm_scan_word(&s, &word, &n); vmm_scan_blank(&s))
		if (!parse_numa_word(word, n, &r))
			return false;
	if (s.p < s.end && *s.p == '\n')
		return false;
	*ret = r;
	return true;
}

bool vmm_auxv_find(const void *bytes, size_t length, unsigned bits, uint64_t type, uint64_t *ret_value)
{
	const size_t word = bits / 8;

	if (bits != 32 && bits != 64)
		return false;
	for (size_t at = 0; length - at >= 2 * word; at += 2 * word) {
		const unsigned char *entry = (const unsigned char *)bytes + at;
		uint64_t v[2];

		if (bits == 64) {
			memcpy(v, entry, sizeof(v));
		} else {
			uint32_t half[2];

			memcpy(half, entry, sizeof(half));
			v[0] = half[0];
			v[1] = half[1];
		}
		if (v[0] == type) {
			*ret_value = v[1];
			return true;
		}
		if (v[0] == 0)
			return false;
	}
	return false;
}
