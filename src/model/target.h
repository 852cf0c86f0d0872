/*
 * What a source offers to the layers above it: the target's memory, pages and files, whatever the target is.
 *
 * Layer: model. A target is used by one thread at a time. Everything that comes out of it may be hostile or torn.
 */
#ifndef VMM_MODEL_TARGET_H
#define VMM_MODEL_TARGET_H

#include "base/base.h"
#include "vmmap/err.h"
#include "vmmap/snapshot.h"
#include "vmmap/target.h"

/* What a page is, bits of vmm_page_run.what. */
enum vmm_page {
	VMM_PAGE_PRESENT = 1,   /* in memory; counts in Rss unless ZERO */
	VMM_PAGE_SWAPPED = 2,   /* never set together with GUARD */
	VMM_PAGE_FILE = 4,      /* a file or shmem page, not a private copy */
	VMM_PAGE_ZERO = 8,      /* the shared zero page: present but in no Rss */
	VMM_PAGE_GUARD = 16,    /* MADV_GUARD_INSTALL */
	VMM_PAGE_HUGE = 32,     /* mapped by a huge entry */
	VMM_PAGE_EXCLUSIVE = 64 /* mapped by nobody else; only with VMM_PAGES_EXCLUSIVE */
};

/* A run of equal pages. */
struct vmm_page_run {
	uint64_t start, end;
	uint32_t what; /* enum vmm_page bits */
};

enum vmm_pages_flag {
	VMM_PAGES_EXCLUSIVE = 1, /* tell EXCLUSIVE too: dearer, for images and other small ranges */
	VMM_PAGES_GUARDS = 2,    /* only runs of guard pages */
	VMM_PAGES_RESIDENT = 8,  /* what was resident, as EXCLUSIVE tells it, of a target that residency_told: not what can be read */
	VMM_PAGES_WHOLE = 4,     /* the range is the whole address space: VMM_E_UNSUPPORTED where empty parts cannot be skipped */
};

/* Called for each run in rising order; ranges without any page are left out. Non-zero stops the walk and is returned. */
typedef int (*vmm_page_fn)(void *arg, const struct vmm_page_run *run);

struct vmm_source_ops {
	const char *id;   /* "live" */
	const char *help;
	/* True when the source can open what the user named; cheap, reads no target memory. */
	bool (*probe)(const char *name);
	/* how is never NULL here. */
	int (*open)(const char *name, const struct vmm_open *how, struct vmm_target **ret_target, struct vmm_err *err);
	void (*close)(struct vmm_target *t);
	/* Fills mappings, threads, limits, status and notes of a fresh snapshot; kinds come later. */
	int (*fill)(struct vmm_target *t, const struct vmm_take *take, struct vmm_snapshot *s, struct vmm_err *err);
	/*
	 * Instead of fill(), by sources that keep what an analysis has found already: fills mappings, regions, blocks,
	 * heaps, threads and all else but gaps, totals and accounts. NULL where there is fill().
	 */
	int (*load)(struct vmm_target *t, const struct vmm_take *take, struct vmm_snapshot *s, struct vmm_err *err);
	/*
	 * Reads target memory. Returns the bytes read from address on without a hole (0 when the first byte cannot be
	 * read), or an error. Callers ask pages() first: reading an absent page would change the target.
	 */
	int64_t (*read)(struct vmm_target *t, uint64_t address, void *ret_bytes, size_t length, struct vmm_err *err);
	/*
	 * Walks the pages of [start, end). VMM_E_DENIED, VMM_E_GONE, VMM_E_UNSUPPORTED, or what fn returned. The one
	 * operation that may run in a second thread while fill() runs: fill() must not call it.
	 */
	int (*pages)(struct vmm_target *t, uint64_t start, uint64_t end, uint32_t flags, vmm_page_fn fn, void *arg,
	             struct vmm_err *err);
	/*
	 * Reads the numbers of one mapping of a snapshot once more, smaps and nothing else: fills v->m, as fill() did before
	 * anything was derived. VMM_E_NO_TARGET: it is another one by now; v is as it was. NULL where nothing changes.
	 */
	int (*measure)(struct vmm_target *t, struct vmm_vma *v, struct vmm_err *err);
	/*
	 * Opens the file behind a mapping for reading, proved to be the same object (not merely the same path).
	 * Returns a descriptor that the caller closes. VMM_E_DENIED, VMM_E_NO_TARGET (gone or replaced), VMM_E_GONE.
	 */
	int (*open_file)(struct vmm_target *t, const struct vmm_vma *vma, struct vmm_err *err);
	/* Whether the target is still there: to a walk one that has gone looks like one that changes. NULL: always. */
	bool (*alive)(struct vmm_target *t);
	/*
	 * Stops the target, and lets it go again; both NULL for what does not run. Never called twice in a row, and
	 * resume() before close(). Once stop() succeeded, resume() fills *ret and cannot fail.
	 */
	int (*stop)(struct vmm_target *t, struct vmm_err *err);
	void (*resume)(struct vmm_target *t, struct vmm_pause *ret);
};

struct vmm_target {
	const struct vmm_source_ops *ops;
	bool stopped; /* by vmm_target_stop() */
	uint64_t measured; /* mappings that measure() has read through in this snapshot */
	/* pages() tells what can be read, not what was resident: a core holds bytes, not page tables. Set by open(). */
	bool residency_unknown;
	/* Although it is so, pages() tells where guard pages are: something besides the memory was kept. Set by open(). */
	bool guards_told;
	/* pages() with VMM_PAGES_RESIDENT tells what was resident: that was kept, beside the memory or without it. Set by open(). */
	bool residency_told;
	/* Mappings lack the kernel's names and flags: what is the brk heap must be told by evidence. Set by open(). */
	bool unnamed;
	/* Where its files, and those with symbols of them, are looked for; of struct vmm_open, NULL for the usual places. */
	const char *sysroot, *debug_dirs;
};

/*
 * Reads memory only where pages are present; others read as zero and are counted in *ret_absent (may be NULL).
 * Returns 0 or an error of pages() or read(). For small ranges: headers, descriptors, strings.
 */
int vmm_target_read_present(struct vmm_target *t, uint64_t address, void *ret_bytes, size_t length, uint64_t *ret_absent,
                            struct vmm_err *err);

#endif
