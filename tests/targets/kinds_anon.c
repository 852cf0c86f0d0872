/* Private anonymous memory in all its states. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "kinds.h"
#include "truth.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW (PROT_READ | PROT_WRITE)

static char *map_or_die(uint64_t pages, int prot, int flags)
{
	char *p = truth_map(pages * truth_page(), prot, flags, -1, 0);

	if (!p)
		truth_die("mmap");
	return p;
}

static void plain(void)
{
	uint64_t page = truth_page();
	char *p = map_or_die(100, RW, ANON);
	struct truth t = truth_anon("anonymous_partly_touched", p, 100 * page, 37 * page);

	truth_write(p, 37);
	truth_add(&t);

	p = map_or_die(50, RW, ANON);
	t = truth_anon("anonymous_untouched", p, 50 * page, 0);
	truth_add(&t);

	/* Reading gives the shared zero page, which no counter counts. */
	p = map_or_die(64, RW, ANON);
	truth_read(p, 64);
	t = truth_anon("anonymous_only_read", p, 64 * page, 0);
	truth_add(&t);

	p = map_or_die(16, RW | PROT_EXEC, ANON);
	truth_write(p, 3);
	t = truth_anon("anonymous_executable", p, 16 * page, 3 * page);
	t.protection = "rwxp";
	truth_add(&t);
}

/* Never writable, hence never charged: a promise of nothing. */
static void unaccounted(void)
{
	uint64_t page = truth_page();
	uint64_t size = sizeof(void *) == 8 ? UINT64_C(20) << 40 : UINT64_C(256) << 20;
	char *p = map_or_die(40, PROT_READ, ANON);
	struct truth t = truth_anon("anonymous_read_only", p, 40 * page, 0);

	t.protection = "r--p";
	t.committed = t.private_bytes = 0;
	truth_read(p, 40);
	truth_add(&t);

	p = map_or_die(size / page, RW, ANON | MAP_NORESERVE);
	for (uint64_t i = 0; i < 11; i++)
		truth_write(p + i * (size / 11 & ~(page - 1)), 1);
	t = truth_anon("noreserve", p, size, 11 * page);
	t.committed = t.private_bytes = 11 * page;
	truth_add(&t);
}

static void reservation(void)
{
	uint64_t page = truth_page();
	char *p = map_or_die(64, PROT_NONE, ANON);
	struct truth t = truth_anon("reservation", p, 64 * page, 5 * page);

	if (mprotect(p + 20 * page, 16 * page, RW) < 0)
		truth_die("mprotect");
	truth_write(p + 22 * page, 5);
	t.committed = t.private_bytes = 16 * page;
	t.protection = NULL;
	truth_add(&t);

	p = map_or_die(32, PROT_NONE, ANON);
	t = truth_anon("reservation_empty", p, 32 * page, 0);
	t.committed = t.private_bytes = 0;
	t.protection = "---p";
	truth_add(&t);

	/* Written, then closed: still charged and still in memory, though nobody can reach it. */
	p = map_or_die(24, RW, ANON);
	truth_write(p, 9);
	if (mprotect(p, 24 * page, PROT_NONE) < 0)
		truth_die("mprotect");
	t = truth_anon("closed_after_use", p, 24 * page, 9 * page);
	t.committed = TRUTH_UNKNOWN;
	t.protection = "---p";
	truth_add(&t);
}

/* No part is a reservation, so each part is a region of its own. */
static void splits(void)
{
	uint64_t page = truth_page();
	char *p = map_or_die(30, RW, ANON);
	struct truth t = truth_anon("split_low", p, 10 * page, 10 * page);

	truth_write(p, 30);
	if (mprotect(p + 10 * page, 12 * page, PROT_READ) < 0)
		truth_die("mprotect");
	truth_add(&t);
	t = truth_anon("split_middle", p + 10 * page, 12 * page, 12 * page);
	t.protection = "r--p";
	truth_add(&t);
	t = truth_anon("split_high", p + 22 * page, 8 * page, 8 * page);
	truth_add(&t);
}

static void guards(void)
{
	uint64_t page = truth_page();
	char *p = map_or_die(48, RW, ANON);
	struct truth t = truth_anon("guard_pages", p, 48 * page, 13 * page);

	truth_write(p, 20);
	if (madvise(p + 13 * page, 7 * page, MADV_GUARD_INSTALL) < 0) {
		truth_skip("guard_pages", strerror(errno));
		munmap(p, (size_t)(48 * page));
		return;
	}
	t.committed = (48 - 7) * page;
	truth_add(&t);
}

static void advised(void)
{
	uint64_t page = truth_page();
	char *p = map_or_die(26, RW, ANON);
	struct truth t;

	truth_write(p, 26);
	if (mlock(p, (size_t)(26 * page)) < 0) {
		truth_skip("locked", strerror(errno));
	} else {
		t = truth_anon("locked", p, 26 * page, 26 * page);
		t.locked = 26 * page;
		truth_add(&t);
	}
	/* Without pressure the pages stay; whether the kernel already counts them as lazily freed is its own affair. */
	p = map_or_die(28, RW, ANON);
	truth_write(p, 28);
	if (madvise(p, (size_t)(15 * page), MADV_FREE) < 0) {
		truth_skip("lazily_freed", strerror(errno));
	} else {
		t = truth_anon("lazily_freed", p, 28 * page, 28 * page);
		t.rss = t.uss = t.anonymous = TRUTH_UNKNOWN;
		t.rss_mincore = true;
		truth_add(&t);
	}
	p = map_or_die(14, RW, ANON);
	truth_write(p, 14);
	if (madvise(p, (size_t)(14 * page), MADV_MERGEABLE) < 0) {
		truth_skip("mergeable", strerror(errno));
	} else {
		t = truth_anon("mergeable", p, 14 * page, 14 * page);
		t.uss = t.anonymous = t.shared = TRUTH_UNKNOWN; /* ksmd may merge what it likes */
		truth_add(&t);
	}
}

/* Pushed out to swap where there is any, with guard pages among them: those look like swap to the careless. */
static void swapped(void)
{
	uint64_t page = truth_page();
	struct sysinfo info;
	char *p;
	struct truth t;

	if (sysinfo(&info) < 0 || info.totalswap == 0) {
		truth_skip("swapped", "no swap");
		return;
	}
	p = map_or_die(60, RW, ANON);
	for (uint64_t i = 0; i < 45; i++)
		memset(p + i * page, (int)i + 1, (size_t)page / 2);
	if (madvise(p, (size_t)(60 * page), MADV_PAGEOUT) < 0) {
		truth_skip("swapped", strerror(errno));
		return;
	}
	t = truth_anon("swapped", p, 60 * page, 0);
	t.uss = t.anonymous = TRUTH_UNKNOWN;
	t.swap_pagemap = true;
	if (madvise(p + 50 * page, (size_t)(5 * page), MADV_GUARD_INSTALL) == 0)
		t.committed -= 5 * page;
	truth_add(&t);
}

static void huge(void)
{
	const uint64_t piece = 2 << 20, size = 4 * piece;
	uint64_t got;
	char *p = mmap(truth_place(size, piece), (size_t)size, RW, ANON | MAP_FIXED, -1, 0);
	struct truth t;

	if (p == MAP_FAILED)
		truth_die("mmap");
	if (madvise(p, (size_t)size, MADV_HUGEPAGE) < 0) {
		truth_skip("transparent_huge", strerror(errno));
		return;
	}
	p[0] = p[2 * piece] = 1;
	got = truth_resident(p, size);
	t = truth_anon("transparent_huge", p, size, got);
	/* One write made a whole 2 MiB resident: that is a huge page; anything else may be of any size. */
	t.huge = got == 2 * piece ? got : TRUTH_UNKNOWN;
	truth_add(&t);
}

static void growing(void)
{
	uint64_t page = truth_page();
	char *p;
	struct truth t;

	truth_place(4 << 20, page); /* room for the stack guard gap below */
	p = map_or_die(33, RW, ANON | MAP_GROWSDOWN);
	truth_write(p, 33);
	t = truth_anon("grows_down", p, 33 * page, 33 * page);
	t.kind = "stack|private_data";
	truth_add(&t);
}

/* A private mapping of /dev/zero is plain anonymous memory with a name. */
static void dev_zero(void)
{
	uint64_t page = truth_page();
	int fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	char *p = fd < 0 ? NULL : truth_map(18 * page, RW, MAP_PRIVATE, fd, 0);
	struct truth t;

	if (!p) {
		truth_skip("dev_zero_private", strerror(errno));
		return;
	}
	truth_write(p, 6);
	t = truth_anon("dev_zero_private", p, 18 * page, 6 * page);
	truth_add(&t);
	close(fd);
}

void kinds_anonymous(void)
{
	plain();
	unaccounted();
	reservation();
	splits();
	guards();
	advised();
	swapped();
	huge();
	growing();
	dev_zero();
}
