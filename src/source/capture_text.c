/*
 * Captures in one text: a smaps or maps as cat printed it, with status and limits before or behind it, or several files
 * under the headings that tail(1) and head(1) print: "==> /proc/4711/smaps <==".
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/scan.h"
#include "format/proc_text.h"
#include "source/capture.h"

#define PROBE_LINES 24 /* a terminal's greeting may stand before the first mapping */

struct stretch {
	const char *p, *end;
};

/* The path in a heading; false: the line is none. */
static bool heading(struct vmm_scan line, struct stretch *ret_path)
{
	static const char begin[] = "==> ", stop[] = " <==";
	size_t n = sizeof(stop) - 1;

	if (!vmm_scan_text(&line, begin) || (size_t)(line.end - line.p) <= n || memcmp(line.end - n, stop, n) != 0)
		return false;
	*ret_path = (struct stretch){line.p, line.end - n};
	return true;
}

static bool is_mapping(struct vmm_scan line)
{
	struct vmm_maps_line m;

	return vmm_maps_parse_line(line.p, (size_t)(line.end - line.p), &m);
}

static bool is_field(struct vmm_scan line, const char *key)
{
	return vmm_scan_text(&line, key);
}

bool capture_text_probe(const char *bytes, size_t length)
{
	struct vmm_scan all = vmm_scan_init(bytes, length), line;
	struct stretch path;
	struct capture_name n;

	if (length >= 2 && (memcmp(bytes, "\xff\xfe", 2) == 0))
		return memmem(bytes, length, "-\0", 2) && memmem(bytes, length, "r\0", 2);
	for (unsigned i = 0; i < PROBE_LINES && vmm_scan_line(&all, &line); i++) {
		if (line.end > line.p && line.end[-1] == '\r')
			line.end--;
		if (is_mapping(line))
			return true;
		if (heading(line, &path) && capture_name_parse(path.p, (size_t)(path.end - path.p), &n))
			return true;
	}
	/* status, several KiB of it, may stand first. */
	return length >= 6 && memcmp(bytes, "Name:\t", 6) == 0 && memmem(bytes, length, "\nVmRSS:", 7);
}

/* Text of a Windows shell: two bytes a character. What is no ASCII becomes '?'. */
static size_t narrow(char *bytes, size_t length)
{
	size_t n = 0;

	for (size_t i = 2; i + 1 < length; i += 2)
		bytes[n++] = bytes[i + 1] ? '?' : bytes[i];
	return n;
}

/* Takes the carriage returns away when the first line has one. */
static size_t unix_lines(char *bytes, size_t length)
{
	const char *nl = memchr(bytes, '\n', length);
	size_t n = 0;

	if (!nl || nl == bytes || nl[-1] != '\r')
		return length;
	for (size_t i = 0; i < length; i++)
		if (bytes[i] != '\r' || i + 1 == length || bytes[i + 1] != '\n')
			bytes[n++] = bytes[i];
	return n;
}

struct text_load {
	struct capture_set *set;
	const char *key;
	struct timespec changed;
	struct vmm_err *err;
};

static int add_copy(struct text_load *l, const char *path, size_t path_length, const char *bytes, size_t length)
{
	char *copy = vmm_alloc_hook(NULL, length ? length : 1);

	if (!copy)
		return vmm_fail_nomem(l->err);
	memcpy(copy, bytes, length);
	return capture_add(l->set, path, path_length, copy, length, l->changed, l->err);
}

/* A stretch of plain text whose name its contents tell. */
static int add_plain(struct text_load *l, const char *name, const char *bytes, size_t length)
{
	char path[512];
	size_t n = strlen(l->key), m = strlen(name);

	if (n + m + 2 > sizeof(path))
		n = 0;
	memcpy(path, l->key, n);
	if (n)
		path[n++] = '/';
	memcpy(path + n, name, m);
	return add_copy(l, path, n + m, bytes, length);
}

/* What a line begins; NULL: it goes on with what stands before. */
static const char *section_of(struct vmm_scan line)
{
	if (is_field(line, "Name:\t"))
		return "status";
	if (is_field(line, "Limit  "))
		return "limits";
	return is_mapping(line) ? "maps" : NULL;
}

/* maps is called smaps when a mapping has fields. */
static const char *maps_or_smaps(const char *name, const char *bytes, size_t length)
{
	return strcmp(name, "maps") == 0 && memmem(bytes, length, "\nRss:", 5) ? "smaps" : name;
}

static int split_plain(struct text_load *l, const char *bytes, size_t length)
{
	struct vmm_scan all = vmm_scan_init(bytes, length), line;
	const char *begin = bytes, *name = NULL;
	int rc = 0;

	while (rc >= 0 && vmm_scan_line(&all, &line)) {
		const char *next = section_of(line);

		if (!next || (name && strcmp(name, next) == 0 && strcmp(next, "maps") == 0))
			continue;
		if (name)
			rc = add_plain(l, maps_or_smaps(name, begin, (size_t)(line.p - begin)), begin, (size_t)(line.p - begin));
		begin = line.p;
		name = next;
	}
	if (rc >= 0 && name)
		rc = add_plain(l, maps_or_smaps(name, begin, (size_t)(bytes + length - begin)), begin, (size_t)(bytes + length - begin));
	return rc;
}

/* Files under headings: an empty line stands before each but the first. */
static int split_headings(struct text_load *l, const char *bytes, size_t length)
{
	struct vmm_scan all = vmm_scan_init(bytes, length), line;
	struct stretch path = {0}, next;
	const char *begin = NULL;
	int rc = 0;

	while (rc >= 0 && vmm_scan_line(&all, &line)) {
		struct capture_name n;

		if (!heading(line, &next) || !(line.p == bytes || (line.p >= bytes + 1 && line.p[-1] == '\n')))
			continue;
		if (begin && !capture_name_parse(next.p, (size_t)(next.end - next.p), &n) && *next.p != '/')
			continue;
		if (begin) {
			const char *end = line.p > begin && line.p[-1] == '\n' ? line.p - 1 : line.p;

			rc = add_copy(l, path.p, (size_t)(path.end - path.p), begin, (size_t)(end - begin));
		}
		path = next;
		begin = all.p;
	}
	if (rc >= 0 && begin)
		rc = add_copy(l, path.p, (size_t)(path.end - path.p), begin, (size_t)(bytes + length - begin));
	return rc;
}

static bool has_heading(const char *bytes, size_t length)
{
	struct vmm_scan all = vmm_scan_init(bytes, length), line;
	struct stretch path;

	for (unsigned i = 0; i < PROBE_LINES && vmm_scan_line(&all, &line); i++)
		if (heading(line, &path))
			return true;
	return false;
}

int capture_add_text(struct capture_set *set, const char *key, char *bytes, size_t length, struct timespec changed,
                     struct vmm_err *err)
{
	struct text_load l = {.set = set, .key = key, .changed = changed, .err = err};
	int rc;

	if (length >= 2 && memcmp(bytes, "\xff\xfe", 2) == 0)
		length = narrow(bytes, length);
	length = unix_lines(bytes, length);
	rc = has_heading(bytes, length) ? split_headings(&l, bytes, length) : split_plain(&l, bytes, length);
	free(bytes);
	return rc;
}
