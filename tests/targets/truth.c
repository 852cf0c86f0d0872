#include "truth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define MAX_RECORDS 512

/* Static memory throughout: printing must not change the heap that it tells about. */
static struct truth records[MAX_RECORDS];
static size_t record_count;
static struct {
	const char *sort, *reason;
} skips[64];
static size_t skip_count;
static struct {
	int tid;
	const char *name;
	const void *inside;
} threads[1024];
static size_t thread_count;
static char output[512 * 1024];
static size_t output_length;

void truth_die(const char *what)
{
	int error = errno;

	dprintf(2, "%s: %s\n", what, strerror(error));
	_exit(99);
}

uint64_t truth_page(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

void *truth_place(uint64_t size, uint64_t align)
{
	static uint64_t next = sizeof(void *) == 8 ? UINT64_C(0x200000000000) : UINT64_C(0x10000000);
	const uint64_t hole = sizeof(void *) == 8 ? 1 << 20 : 1 << 16;
	uint64_t start = (next + hole + align - 1) & ~(align - 1);

	next = (start + size + hole + 0xffff) & ~UINT64_C(0xffff);
	return (void *)(uintptr_t)start;
}

void *truth_map(uint64_t size, int prot, int flags, int fd, uint64_t offset)
{
	void *p = mmap(truth_place(size, truth_page()), (size_t)size, prot, flags | MAP_FIXED_NOREPLACE, fd, (off_t)offset);

	if (p == MAP_FAILED)
		return NULL;
	/* Large folios would make more resident than what was touched. */
	if (flags & MAP_ANONYMOUS)
		madvise(p, (size_t)size, MADV_NOHUGEPAGE);
	return p;
}

void truth_write(void *p, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		((volatile char *)p)[i * truth_page()] = 1;
}

void truth_read(const void *p, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		(void)((const volatile char *)p)[i * truth_page()];
}

uint64_t truth_resident(const void *p, uint64_t size)
{
	static unsigned char present[1 << 16];
	uint64_t page = truth_page(), total = 0;

	if (size / page > sizeof(present) || mincore((void *)(uintptr_t)p, (size_t)size, present) < 0)
		return TRUTH_UNKNOWN;
	for (uint64_t i = 0; i < size / page; i++)
		total += (present[i] & 1) * page;
	return total;
}

/* Counts present and swapped pages of our own page map; a page of swap is no guard page (bit 58, see pagemap.rst). */
static void count_pages(struct truth *t)
{
	uint64_t page = truth_page(), word;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	t->rss = t->swap = 0;
	for (uint64_t at = t->address; at < t->address + t->size; at += page) {
		if (fd < 0 || pread(fd, &word, sizeof(word), (off_t)(at / page * sizeof(word))) != sizeof(word)) {
			t->rss = t->swap = TRUTH_UNKNOWN;
			break;
		}
		t->rss += word >> 63 & 1 ? page : 0;
		t->swap += (word >> 62 & 1) && !(word >> 58 & 1) ? page : 0;
	}
	if (fd >= 0)
		close(fd);
}

struct truth truth_init(const char *sort, const void *address, uint64_t size, const char *kind)
{
	return (struct truth){
	    .sort = sort, .address = (uintptr_t)address, .size = size, .kind = kind, .committed = TRUTH_UNKNOWN,
	    .private_bytes = TRUTH_UNKNOWN, .rss = TRUTH_UNKNOWN, .uss = TRUTH_UNKNOWN, .shareable = TRUTH_UNKNOWN,
	    .shared = TRUTH_UNKNOWN, .swap = TRUTH_UNKNOWN, .anonymous = TRUTH_UNKNOWN, .locked = TRUTH_UNKNOWN,
	    .huge = TRUTH_UNKNOWN, .hugetlb = TRUTH_UNKNOWN, .guard = TRUTH_UNKNOWN};
}

struct truth truth_anon(const char *sort, const void *address, uint64_t size, uint64_t touched)
{
	struct truth t = truth_init(sort, address, size, "private_data");

	t.protection = "rw-p";
	t.committed = t.private_bytes = size;
	t.rss = t.uss = t.anonymous = touched;
	t.shareable = t.shared = t.swap = t.locked = t.huge = t.hugetlb = 0;
	return t;
}

void truth_add(const struct truth *t)
{
	if (record_count == MAX_RECORDS)
		truth_die("too many records");
	records[record_count++] = *t;
}

void truth_skip(const char *sort, const char *reason)
{
	if (skip_count == sizeof(skips) / sizeof(skips[0]))
		truth_die("too many skips");
	skips[skip_count].sort = sort;
	skips[skip_count++].reason = reason;
}

void truth_thread(int tid, const char *name, const void *inside)
{
	if (thread_count == sizeof(threads) / sizeof(threads[0]))
		truth_die("too many threads");
	threads[thread_count].tid = tid;
	threads[thread_count].name = name;
	threads[thread_count++].inside = inside;
}

__attribute__((format(printf, 1, 2))) static void put(const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(output + output_length, sizeof(output) - output_length, format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(output) - output_length)
		truth_die("too much truth");
	output_length += (size_t)n;
}

static void put_number(const char *key, uint64_t value)
{
	if (value == TRUTH_UNKNOWN)
		put(",\"%s\":null", key);
	else
		put(",\"%s\":%llu", key, (unsigned long long)value);
}

/* Strings of the programs are plain ASCII; anything else would need escapes, so it becomes a question mark. */
static void put_text(const char *key, const char *s)
{
	if (!s) {
		put(",\"%s\":null", key);
		return;
	}
	put(",\"%s\":\"", key);
	for (; *s; s++)
		put("%c", *s < ' ' || *s > '~' || *s == '"' || *s == '\\' ? '?' : *s);
	put("\"");
}

static void put_record(const struct truth *t)
{
	put("{\"address\":\"0x%llx\"", (unsigned long long)t->address);
	put_text("sort", t->sort);
	put_text("kind", t->kind);
	put_text("scope", t->scope == TRUTH_REGION ? "region" : "inside");
	put_text("protection", t->protection);
	put_text("path", t->path);
	put_number("size", t->size);
	put_number("committed", t->committed);
	put_number("private", t->private_bytes);
	put_number("rss", t->rss);
	put_number("uss", t->uss);
	put_number("shareable", t->shareable);
	put_number("shared", t->shared);
	put_number("swap", t->swap);
	put_number("anonymous", t->anonymous);
	put_number("locked", t->locked);
	put_number("huge", t->huge);
	put_number("hugetlb", t->hugetlb);
	put_number("guard", t->guard);
	put(",\"deleted\":%s,\"tid\":%d}", t->deleted ? "true" : "false", t->tid);
}

static void put_all(void)
{
	put("{\"pid\":%d,\"bits\":%d,\"page_size\":%llu,\"sorts\":[", getpid(), (int)sizeof(void *) * 8,
	    (unsigned long long)truth_page());
	for (size_t i = 0; i < record_count; i++) {
		put("%s", i ? "," : "");
		put_record(&records[i]);
	}
	put("],\"threads\":[");
	for (size_t i = 0; i < thread_count; i++) {
		put("%s{\"tid\":%d,\"inside\":\"0x%llx\"", i ? "," : "", threads[i].tid,
		    (unsigned long long)(uintptr_t)threads[i].inside);
		put_text("name", threads[i].name);
		put("}");
	}
	put("],\"skipped\":[");
	for (size_t i = 0; i < skip_count; i++) {
		put("%s{\"pid\":0", i ? "," : "");
		put_text("sort", skips[i].sort);
		put_text("reason", skips[i].reason);
		put("}");
	}
	put("]}\n");
}

void truth_finish(void)
{
	char end[64];

	for (size_t i = 0; i < record_count; i++) {
		if (records[i].rss_mincore)
			records[i].rss = truth_resident((void *)(uintptr_t)records[i].address, records[i].size);
		if (records[i].swap_pagemap)
			count_pages(&records[i]);
	}
	put_all();
	for (size_t done = 0; done < output_length;) {
		ssize_t n = write(1, output + done, output_length - done);

		if (n < 0)
			truth_die("write");
		done += (size_t)n;
	}
	while (read(0, end, sizeof(end)) > 0)
		;
	_exit(0);
}
