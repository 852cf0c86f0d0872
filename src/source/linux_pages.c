/*
 * The page map: PAGEMAP_SCAN (Linux 6.7) and, where that is missing, /proc/PID/pagemap word by word.
 *
 * Distribution headers lack the ioctl; its layout here is that of Linux include/uapi/linux/fs.h, 6.18.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "source/linux.h"

#define SCAN_REGIONS 2048
#define RAW_WORDS 4096

struct page_region {
	uint64_t start, end, categories;
};

struct vmm_page_region_buffer {
	struct page_region regions[SCAN_REGIONS];
	uint64_t words[RAW_WORDS];
};

struct pm_scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
_Static_assert(sizeof(struct pm_scan_arg) == 96, "layout of the kernel");

#define PAGEMAP_SCAN_IOCTL _IOWR('f', 16, struct pm_scan_arg)

enum scan_category {
	SCAN_FILE = 0x4,
	SCAN_PRESENT = 0x8,
	SCAN_SWAPPED = 0x10,
	SCAN_PFNZERO = 0x20,
	SCAN_HUGE = 0x40,
	SCAN_GUARD = 0x100, /* Linux 6.15 */
};

/* Bits of a word of pagemap: Documentation/admin-guide/mm/pagemap.rst. */
#define RAW_EXCLUSIVE (UINT64_C(1) << 56)
#define RAW_GUARD (UINT64_C(1) << 58)
#define RAW_FILE (UINT64_C(1) << 61)
#define RAW_SWAPPED (UINT64_C(1) << 62)
#define RAW_PRESENT (UINT64_C(1) << 63)

#define MADV_GUARD_INSTALL_ 102 /* Linux 6.13 */

static int open_pagemap(struct linux_target *t, struct vmm_err *err)
{
	if (t->pagemap_fd == -1) {
		t->pagemap_fd = openat(t->dir_fd, "pagemap", O_RDONLY | O_CLOEXEC);
		if (t->pagemap_fd < 0) {
			t->os_pagemap = errno;
			t->pagemap_fd = -2;
		}
	}
	if (t->pagemap_fd < 0)
		return vmm_fail(err, linux_code(t->os_pagemap), t->os_pagemap,
		                "%d: the page map may not be read: run vmmap as its user or root, or give it CAP_SYS_PTRACE and "
		                "CAP_DAC_READ_SEARCH",
		                t->pid);
	if (!t->scan) {
		t->scan = vmm_alloc_hook(NULL, sizeof(*t->scan));
		if (!t->scan)
			return vmm_fail_nomem(err);
	}
	return 0;
}

/* A guard page carries SWAPPED too: it is tested first. */
static uint32_t what_of_categories(uint64_t c)
{
	uint32_t what = 0;

	if (c & SCAN_GUARD)
		return VMM_PAGE_GUARD;
	if (c & SCAN_PRESENT)
		what |= VMM_PAGE_PRESENT;
	if (c & SCAN_SWAPPED)
		what |= VMM_PAGE_SWAPPED;
	if (c & SCAN_FILE)
		what |= VMM_PAGE_FILE;
	if (c & SCAN_PFNZERO)
		what |= VMM_PAGE_ZERO;
	if (c & SCAN_HUGE)
		what |= VMM_PAGE_HUGE;
	return what;
}

static uint32_t what_of_word(uint64_t w)
{
	uint32_t what = 0;

	if (w & RAW_GUARD)
		return VMM_PAGE_GUARD;
	if (w & RAW_PRESENT)
		what |= VMM_PAGE_PRESENT;
	if (w & RAW_SWAPPED)
		what |= VMM_PAGE_SWAPPED;
	if (w & RAW_FILE)
		what |= VMM_PAGE_FILE;
	if ((w & (RAW_EXCLUSIVE | RAW_PRESENT)) == (RAW_EXCLUSIVE | RAW_PRESENT))
		what |= VMM_PAGE_EXCLUSIVE;
	return what;
}

/* Words of pagemap for [start, end), joined to runs. base is what every run has besides (huge, zero). */
static int walk_raw(struct linux_target *t, uint64_t start, uint64_t end, uint32_t base, vmm_page_fn fn, void *arg,
                    struct vmm_err *err)
{
	struct vmm_page_run run = {0};
	int rc = 0;

	for (uint64_t at = start; rc == 0 && at < end;) {
		size_t want = vmm_min_u64((end - at) / t->page_size, RAW_WORDS);
		ssize_t n = pread(t->pagemap_fd, t->scan->words, want * 8, (off_t)(at / t->page_size * 8));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vmm_fail(err, linux_code(errno), errno, "%d: pagemap: %s", t->pid, strerror(errno));
		if (n < 8)
			break; /* past the end of the address space, or the process has gone */
		for (size_t i = 0; rc == 0 && i < (size_t)n / 8; i++, at += t->page_size) {
			uint32_t what = what_of_word(t->scan->words[i]);

			what |= what ? base : 0;
			if (what == run.what && run.end == at) {
				run.end = at + t->page_size;
				continue;
			}
			if (run.what)
				rc = fn(arg, &run);
			run = (struct vmm_page_run){at, at + t->page_size, what};
		}
	}
	if (rc == 0 && run.what)
		rc = fn(arg, &run);
	return rc;
}

/* A run of the scan, refined word by word when the caller wants to know who else maps its pages. */
static int deliver(struct linux_target *t, const struct page_region *r, uint32_t flags, vmm_page_fn fn, void *arg,
                   struct vmm_err *err)
{
	struct vmm_page_run run = {r->start, r->end, what_of_categories(r->categories)};

	if (flags & VMM_PAGES_EXCLUSIVE && run.what & VMM_PAGE_PRESENT)
		return walk_raw(t, r->start, r->end, run.what & (VMM_PAGE_HUGE | VMM_PAGE_ZERO), fn, arg, err);
	return fn(arg, &run);
}

/*
 * One ioctl after the other until the end; VMM_E_UNSUPPORTED when the kernel lacks it.
 *
 * walk_end cannot be trusted alone: after a walk that filled the kernel's own buffer of 512 runs on the way, it keeps
 * the place of that stop although the walk went on to the end (measured on 6.18; fs/proc/task_mmu.c, do_pagemap_scan
 * sets it at the end only when it is still 0). A result that leaves room in ours is complete, and runs that come
 * again are dropped.
 */
static int walk_scan(struct linux_target *t, uint64_t start, uint64_t end, uint32_t flags, uint64_t any, uint64_t tell,
                     vmm_page_fn fn, void *arg, struct vmm_err *err)
{
	uint64_t delivered = start;
	int n = SCAN_REGIONS;

	while (start < end && n == SCAN_REGIONS) {
		struct pm_scan_arg scan = {.size = sizeof(scan), .start = start, .end = end, .vec = (uintptr_t)t->scan->regions,
		                           .vec_len = SCAN_REGIONS, .category_anyof_mask = any, .return_mask = tell};

		n = ioctl(t->pagemap_fd, PAGEMAP_SCAN_IOCTL, &scan);
		if (n < 0 && errno == EINTR) {
			n = SCAN_REGIONS;
			continue;
		}
		/* x86-64 leaves the last page below 2^47 to nobody, and the ioctl takes no range that holds it. */
		if (n < 0 && errno == EFAULT && end == UINT64_C(1) << 47) {
			end -= t->page_size;
			n = SCAN_REGIONS;
			continue;
		}
		if (n < 0)
			return errno == ENOTTY || errno == EINVAL ? VMM_E_UNSUPPORTED
			                                          : vmm_fail(err, linux_code(errno), errno, "%d: pagemap: %s", t->pid,
			                                                     strerror(errno));
		for (int i = 0; i < n; i++) {
			struct page_region r = t->scan->regions[i];
			int rc;

			r.start = vmm_max_u64(r.start, delivered);
			if (r.start >= r.end)
				continue;
			delivered = r.end;
			rc = deliver(t, &r, flags, fn, arg, err);
			if (rc)
				return rc;
		}
		if (scan.walk_end <= start)
			break;
		start = scan.walk_end;
	}
	return 0;
}

/* True when this kernel can install guard pages at all (6.13): tried on a page of our own. */
static bool kernel_has_guards(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool has;

	if (p == MAP_FAILED)
		return true;
	has = madvise(p, page, MADV_GUARD_INSTALL_) == 0;
	munmap(p, page);
	return has;
}

static int walk_guards(struct linux_target *t, uint64_t start, uint64_t end, vmm_page_fn fn, void *arg, struct vmm_err *err)
{
	int rc = t->no_scan ? VMM_E_UNSUPPORTED : walk_scan(t, start, end, 0, SCAN_GUARD, SCAN_GUARD, fn, arg, err);

	if (rc != VMM_E_UNSUPPORTED || !kernel_has_guards())
		return rc == VMM_E_UNSUPPORTED ? 0 : rc;
	return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "this kernel has guard pages but does not tell where (Linux 6.15 does)");
}

/* Whether the ioctl is there, tried on an empty range. */
static bool probe_scan(struct linux_target *t)
{
	struct pm_scan_arg scan = {.size = sizeof(scan), .category_anyof_mask = SCAN_PRESENT, .return_mask = SCAN_PRESENT};

	scan.vec = (uintptr_t)t->scan->regions;
	scan.vec_len = SCAN_REGIONS;
	t->no_scan = t->no_scan || ioctl(t->pagemap_fd, PAGEMAP_SCAN_IOCTL, &scan) < 0;
	return !t->no_scan;
}

int linux_pages(struct vmm_target *base, uint64_t start, uint64_t end, uint32_t flags, vmm_page_fn fn, void *arg,
                struct vmm_err *err)
{
	struct linux_target *t = (struct linux_target *)base;
	uint64_t highest = (UINT64_C(1) << 47) - t->page_size; /* what the ioctl takes from a 64-bit vmmap */
	uint64_t tell = SCAN_FILE | SCAN_PRESENT | SCAN_SWAPPED | SCAN_PFNZERO | SCAN_HUGE;
	int rc = open_pagemap(t, err);

	if (rc < 0)
		return rc;
	/* The ioctl refuses anything else in the words in which a kernel without it would. */
	start = vmm_align_down(start, t->page_size);
	end = vmm_align_up(end, t->page_size);
	if (flags & VMM_PAGES_WHOLE) {
		/* A 32-bit vmmap would have to know where its own address space ends. */
		if (sizeof(void *) == 4 || !probe_scan(t))
			return VMM_E_UNSUPPORTED;
		end = vmm_min_u64(end, highest);
	}
	if (flags & VMM_PAGES_GUARDS)
		return walk_guards(t, start, end, fn, arg, err);
	if (!t->no_scan) {
		/* Kernels before 6.15 refuse the guard category, those before 6.7 the whole ioctl. */
		rc = walk_scan(t, start, end, flags, SCAN_PRESENT | SCAN_SWAPPED, tell | SCAN_GUARD, fn, arg, err);
		if (rc == VMM_E_UNSUPPORTED)
			rc = walk_scan(t, start, end, flags, SCAN_PRESENT | SCAN_SWAPPED, tell, fn, arg, err);
		if (rc != VMM_E_UNSUPPORTED)
			return rc;
		t->no_scan = true;
	}
	return walk_raw(t, start, end, 0, fn, arg, err);
}
