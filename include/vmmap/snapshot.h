/*
 * The snapshot: everything known of one target at one moment. Plain data.
 *
 * Layer: model. One arena owns every record and string in it; vmm_snapshot_destroy() is the only free.
 * Once handed out a snapshot is const and may be read by any number of threads.
 * Addresses and sizes are those of the target, in bytes; ranges are [start, end).
 * Strings that come from the target (names, paths, command lines) are raw bytes without NUL and may hold
 * anything: escape them before showing them (vmm_out_escaped in the library's own faces does).
 */
#ifndef VMMAP_SNAPSHOT_H
#define VMMAP_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct vmm_arena;

enum vmm_kind {
#define VMM_KIND(name, id, label, light, dark, ansi, help) VMM_KIND_##name,
#include "vmmap/kinds.def"
#undef VMM_KIND
	VMM_KIND_COUNT
};

enum vmm_metric {
#define VMM_METRIC(name, id) VMM_METRIC_##name,
#include "vmmap/metrics.def"
#undef VMM_METRIC
	VMM_METRIC_COUNT
};

enum vmm_vmflag_place {
#define VMM_VMFLAG(code, help) VMM_VMFLAG_PLACE_##code,
#include "vmmap/vmflags.def"
#undef VMM_VMFLAG
	VMM_VMFLAG_COUNT
};
/* Bit of one VmFlags code in vmm_vma.vm_flags, e.g. VMM_VF(ac). */
#define VMM_VF(code) (UINT64_C(1) << VMM_VMFLAG_PLACE_##code)
/* Set when the kernel told the flags at all; without it the other bits say nothing. */
#define VMM_VF_KNOWN (UINT64_C(1) << 63)

#define VMM_NONE UINT32_MAX /* "no index" */

/*
 * A set of numbers, each known, unknown, or known only as a lower bound (a sum with an unknown part).
 * Bit i of a mask belongs to enum vmm_metric i. at_least is a subset of ~known; value is 0 where neither is set.
 */
struct vmm_metrics {
	uint64_t value[VMM_METRIC_COUNT];
	uint32_t known;
	uint32_t at_least;
};

enum vmm_prot {
	VMM_PROT_READ = 1,
	VMM_PROT_WRITE = 2,
	VMM_PROT_EXEC = 4,
	VMM_PROT_SHARED = 8, /* the letter s; otherwise private, p */
	VMM_PROT_UNKNOWN = 16, /* whether shared or private is not known: cores do not tell */
};

/* What stands behind a mapping. */
enum vmm_backing {
	VMM_BACKING_ANON,    /* private anonymous memory */
	VMM_BACKING_FILE,    /* a file of a filesystem */
	VMM_BACKING_SHMEM,   /* tmpfs, memfd, SysV, shared anonymous memory */
	VMM_BACKING_HUGETLB, /* hugetlbfs, named or not */
	VMM_BACKING_DEVICE,  /* a character device or another driver's object */
	VMM_BACKING_SPECIAL, /* vdso, vvar, vsyscall, uprobes */
};

/* One mapping as the kernel tells it: a line of /proc/PID/maps, a load segment of a core. */
struct vmm_vma {
	uint64_t start, end;
	uint64_t offset; /* in the file, bytes */
	uint64_t inode;
	uint32_t dev_major, dev_minor;
	uint64_t vm_flags;   /* VMM_VF bits */
	const char *name;    /* path or [name] without " (deleted)"; "" for anonymous memory; never NULL */
	const char *numa;    /* "N0=12 N1=3" in pages; NULL when not asked for */
	const uint64_t *extra; /* values of snapshot.extra_names, bytes or plain numbers, UINT64_MAX unknown; NULL when none */
	uint32_t page_size;  /* KernelPageSize in bytes; 0 when unknown */
	uint8_t prot;        /* enum vmm_prot bits */
	uint8_t backing;     /* enum vmm_backing */
	bool deleted;        /* the file behind it has no name any more */
	bool guards_known;   /* guard_bytes is valid */
	uint64_t guard_bytes; /* bytes of MADV_GUARD_INSTALL pages inside */
	struct vmm_metrics m;
};

/* A part of a region, inside one mapping. Blocks of all regions together tile all mappings. */
struct vmm_block {
	uint64_t start, end;
	uint32_t vma;      /* index in snapshot.vmas */
	uint32_t region;   /* index in snapshot.regions */
	const char *label; /* section name, "guard", "never touched", ...; "" when there is nothing to say */
	bool guard;        /* never accessible: not committed */
	const struct vmm_metrics *m; /* may be the mapping's own when the block is the whole mapping */
};

/*
 * One owner's stretch of address space. Regions are sorted and disjoint. size counts mapped bytes: it is less
 * than end - start where an image has an unmapped hole, and the hole is then listed among the gaps.
 */
struct vmm_region {
	uint64_t start, end;
	enum vmm_kind kind;
	uint8_t prot;      /* union of its blocks' bits */
	bool mixed_prot;   /* its blocks differ */
	uint32_t prot_set; /* bit p: some block has exactly the enum vmm_prot bits p */
	bool write_exec;   /* some block is writable and executable at once */
	bool outside;      /* above the user address space (vsyscall): in no total, VmSize does not count it */
	uint32_t first_block, block_count;
	uint32_t module;   /* index in snapshot.modules or VMM_NONE */
	uint32_t thread;   /* index in snapshot.threads or VMM_NONE */
	uint32_t heap;     /* index in snapshot.heaps or VMM_NONE */
	const char *details; /* for people, raw bytes; never NULL */
	const char *path;    /* file or object behind it; "" when none */
	const struct vmm_metrics *m;
	const struct vmm_chunk_sums *chunks; /* of a heap's region: what is in it; NULL when not walked or not proved */
};

/* A stretch without a mapping inside the user address space. */
struct vmm_gap {
	uint64_t start, end;
	enum vmm_kind kind;  /* VMM_KIND_FREE or VMM_KIND_UNUSABLE */
	const char *details; /* why it is unusable; "" for free */
};

struct vmm_thread {
	int32_t tid;         /* as this machine's /proc numbers it */
	int32_t ns_tid;      /* in the target's own PID namespace; 0 when unknown */
	char state;          /* letter of /proc/PID/task/TID/stat, 0 when unknown */
	const char *name;    /* NULL when unknown */
	bool sp_known;
	uint64_t sp;         /* user stack pointer */
	uint64_t descriptor; /* an address inside the C library's thread descriptor; 0 when unknown */
	uint32_t region;     /* its stack, index in snapshot.regions or VMM_NONE */
};

/* One loaded ELF object. */
struct vmm_module {
	uint64_t start, end;
	uint64_t bias;        /* address minus p_vaddr */
	const char *path;     /* "" for an object without a file */
	const char *build_id; /* lower-case hex; "" when it has none; NULL when it could not be read */
	bool pie;             /* ET_DYN */
	bool program;         /* the main program: it holds the entry point */
	bool deleted;         /* the file has no name any more */
	bool replaced;        /* another file stands at its path now */
	bool in_memory;       /* no file behind it, or a memfd */
	bool sections;        /* section headers were read: blocks are sections */
	uint8_t bits;         /* 32 or 64 */
	uint32_t region;
};

enum vmm_chunk_state {
#define VMM_CHUNK_STATE(name, id, label, help) VMM_CHUNK_##name,
#include "vmmap/chunk_states.def"
#undef VMM_CHUNK_STATE
	VMM_CHUNK_STATE_COUNT
};

/*
 * Sums by enum vmm_chunk_state. bytes: of USED what the program may use, of all others whole; headers and padding of
 * used chunks are in META. So the bytes of all states add up to the mapped size. rss: the resident part of them.
 */
struct vmm_chunk_sums {
	struct {
		uint64_t count, bytes, rss;
	} of[VMM_CHUNK_STATE_COUNT];
};

/* Resident bytes that the allocator holds and nobody uses. */
static inline uint64_t vmm_chunk_sums_unused(const struct vmm_chunk_sums *s)
{
	return s->of[VMM_CHUNK_CACHED].rss + s->of[VMM_CHUNK_FAST].rss + s->of[VMM_CHUNK_FREE].rss + s->of[VMM_CHUNK_TOP].rss;
}

/* Bytes and number of chunks that the program has freed: cached, fast and free. */
static inline uint64_t vmm_chunk_sums_free(const struct vmm_chunk_sums *s)
{
	return s->of[VMM_CHUNK_CACHED].bytes + s->of[VMM_CHUNK_FAST].bytes + s->of[VMM_CHUNK_FREE].bytes;
}

static inline uint64_t vmm_chunk_sums_free_count(const struct vmm_chunk_sums *s)
{
	return s->of[VMM_CHUNK_CACHED].count + s->of[VMM_CHUNK_FAST].count + s->of[VMM_CHUNK_FREE].count;
}

/* Chunks of one usable size: how many are in use, and how many are not (cached, fast, free). */
struct vmm_size_class {
	uint64_t size, used, free;
};

/* What a walk over a heap's chunks proved. */
struct vmm_heap_contents {
	struct vmm_chunk_sums sums;
	bool resident_known; /* the rss of sums and trimmable say something: not so in cores, which hold bytes, not page tables */
	uint64_t largest_free; /* bytes of the largest chunk that is free or top */
	bool trim_known;       /* this allocator can give memory back when asked, and the two below tell how much */
	uint64_t trimmable;       /* resident bytes that would go: RSS falls by so much */
	uint64_t trimmable_size;  /* the same with bytes that are not resident */
	uint64_t used_log2[64], free_log2[64]; /* chunks of usable size [2^i, 2^(i+1)); i = 0: 0 and 1 */
	const struct vmm_size_class *classes;  /* by rising size */
	uint32_t class_count;
	bool classes_complete; /* false: only those with most bytes are listed; the log2 counts hold all */
};

/* An allocator's memory; filled by readers. */
struct vmm_heap {
	const char *id, *reader, *label;
	bool proved; /* contents is set, and its sums are proved */
	struct vmm_metrics m;
	const struct vmm_heap_contents *contents; /* NULL: not walked (VMM_NEED_HEAPS), or not proved */
	const uint32_t *threads; /* that allocate from it, indexes in snapshot.threads, as far as known */
	uint32_t thread_count;
};

/* Something that went wrong or is missing. Repeats are counted, not repeated. */
struct vmm_note {
	const char *from;  /* "smaps", "pagemap", "elf", ... */
	const char *code;  /* stable word for scripts: "denied", "gone", "torn", "malformed", ... */
	const char *text;  /* one sentence for people: what is missing, and what would give it */
	uint64_t address;  /* first place, 0 when none */
	uint64_t count;
};

struct vmm_limit {
	const char *id;   /* "as", "data", "stack", "memlock", "max_map_count", ... */
	const char *text; /* what it limits */
	bool known;
	uint64_t soft, hard; /* UINT64_MAX is unlimited */
	bool used_known;
	uint64_t used;    /* what the target uses of it now */
	bool bytes;       /* unit: bytes; otherwise a count */
};

/* An identity that must hold (design section 4). */
struct vmm_account {
	const char *id;    /* "size", "rss", "swap", "anonymous", "file", "shmem", "heaps", "heaps_rss" */
	const char *label; /* "sum of sizes = VmSize" */
	bool sum_known, kernel_known;
	uint64_t sum, kernel;
	int64_t remainder; /* sum - kernel; 0 unless both are known */
	bool told;         /* kernel is no kernel's number but what the file says that the snapshot was read from */
	const char *explanation; /* why there is a remainder or why it cannot be told; never NULL */
};

struct vmm_type_total {
	enum vmm_kind kind;
	struct vmm_metrics m;
	bool counted;     /* the three below are known: not so for page tables and targets that may not be read */
	uint64_t blocks;
	uint64_t largest; /* size of the largest region */
	uint64_t regions;
};

/* Counters of /proc/PID/status in bytes, and what else names the process. Bit i of known belongs to the i-th row of status.def. */
enum vmm_status_field {
#define VMM_STATUS(name, key) VMM_STATUS_##name,
#include "vmmap/status.def"
#undef VMM_STATUS
	VMM_STATUS_COUNT
};

/* What ended the process of a core. */
struct vmm_death {
	bool known;
	int32_t signal, code; /* si_signo and si_code; code 0 when unknown */
	bool address_known;
	uint64_t address;     /* si_addr: of signals that name one */
	int32_t tid;          /* the thread it hit; 0 when unknown */
};

struct vmm_target_info {
	const char *source;  /* "live", "core", ... */
	struct vmm_death death;
	int32_t pid, ppid;   /* 0 when none */
	int32_t ns_pid;      /* in its own PID namespace; 0 when the same or unknown */
	int64_t uid;         /* effective, -1 when unknown */
	const char *name;    /* comm */
	const char *exe;     /* path of the program; "" when unknown */
	bool exe_deleted;
	const char *cmdline; /* arguments joined by spaces; "" for a kernel thread */
	const char *cgroup;  /* path in the memory hierarchy; "" when unknown */
	const char *arch;    /* "x86_64", "i386", ...; "" when unknown */
	int bits;            /* 32, 64; 0 when unknown */
	uint32_t page_size;
	bool started_known;
	struct timespec started_at;
	char state;          /* letter of /proc/PID/stat */
	bool kernel_thread;
	uint64_t entry;      /* where the program began to run (AT_ENTRY): in the main program; 0 when unknown */
	uint64_t user_end;   /* end of the user address space; 0 when unknown */
	uint64_t min_address;   /* vm.mmap_min_addr: no mapping lies below; 0 when unknown */
	uint64_t stack_gap;     /* bytes that the kernel keeps free below a growing stack; 0 when unknown */
	uint64_t status[VMM_STATUS_COUNT];
	uint32_t status_known;
};

/* What a snapshot cost to take, in nanoseconds of wall time. */
struct vmm_cost {
	uint64_t total_ns, maps_ns, smaps_ns, pages_ns, images_ns, threads_ns;
	uint64_t stopped_ns; /* how long the target stood still for it; 0: not at all. Set by who ends the pause */
};

struct vmm_snapshot {
	struct vmm_arena *arena;
	struct vmm_target_info target;
	struct timespec taken_at;
	uint32_t session_number; /* which of its session's; 0: it came from no session */
	uint32_t needs;   /* VMM_NEED bits that were read */
	bool partial;     /* the target vanished while it was read */
	bool unreadable;  /* its mappings may not be read: only totals of the status are known */
	struct vmm_cost cost;

	struct vmm_vma *vmas;
	struct vmm_region *regions;
	struct vmm_block *blocks;
	struct vmm_gap *gaps;
	struct vmm_thread *threads;
	struct vmm_module *modules;
	struct vmm_heap *heaps;
	struct vmm_note *notes;
	struct vmm_limit *limits;
	struct vmm_account *accounts;
	uint32_t vma_count, region_count, block_count, gap_count, thread_count, module_count, heap_count, note_count,
	    limit_count, account_count;

	const char **extra_names; /* smaps fields that no column stands for */
	uint32_t extra_count;

	struct vmm_type_total types[VMM_KIND_COUNT]; /* by kind; FREE is in no total */
	struct vmm_type_total total;
	bool threads_complete;    /* every thread of the target was listed */
	uint32_t cpus;            /* of the machine: how far its batched counters may lag */
};

/* The strings of one kind's row: id for scripts, label and help for people. */
const char *vmm_kind_id(enum vmm_kind kind);
const char *vmm_kind_label(enum vmm_kind kind);
const char *vmm_kind_help(enum vmm_kind kind);
uint32_t vmm_kind_colour(enum vmm_kind kind, bool dark); /* 0xRRGGBB */
int vmm_kind_colour256(enum vmm_kind kind);
/* The kind with this id, or VMM_KIND_COUNT. */
enum vmm_kind vmm_kind_find(const char *id);

/* The id of a metric ("rss"). */
const char *vmm_metric_id(enum vmm_metric metric);

static inline bool vmm_metric_known(const struct vmm_metrics *m, enum vmm_metric i)
{
	return (m->known >> i) & 1;
}

static inline void vmm_metric_set(struct vmm_metrics *m, enum vmm_metric i, uint64_t value)
{
	m->value[i] = value;
	m->known |= UINT32_C(1) << i;
	m->at_least &= ~(UINT32_C(1) << i);
}

/* Adds a part to a sum: unknown parts make it a lower bound. Start from vmm_metrics_zero(). */
void vmm_metrics_add(struct vmm_metrics *sum, const struct vmm_metrics *part);
/* All metrics known and 0: the empty sum. */
void vmm_metrics_zero(struct vmm_metrics *m);

/* "rw-p": five bytes with NUL. */
void vmm_prot_text(uint8_t prot, char ret_text[5]);
#define VMM_PROT_SET_TEXT 64
/*
 * The protections of a region: "rw-p" where all blocks agree, else the different ones in brief, weakest first
 * ("r,rx,rw"; "-" is no access, s marks shared ones; what may be either is not told apart).
 */
void vmm_prot_set_text(uint32_t prot_set, char ret_text[VMM_PROT_SET_TEXT]);
/* The code and meaning of one VmFlags bit place; NULL past the end. */
const char *vmm_vmflag_code(unsigned place);
const char *vmm_vmflag_help(unsigned place);

/* Whether the rss of a region's chunk sums says something. */
static inline bool vmm_region_resident_known(const struct vmm_snapshot *s, const struct vmm_region *r)
{
	return r->heap < s->heap_count && s->heaps[r->heap].contents && s->heaps[r->heap].contents->resident_known;
}

/* The mapping, region or block that holds an address; NULL when none does. */
const struct vmm_vma *vmm_snapshot_vma_at(const struct vmm_snapshot *s, uint64_t address);
const struct vmm_region *vmm_snapshot_region_at(const struct vmm_snapshot *s, uint64_t address);
const struct vmm_block *vmm_snapshot_block_at(const struct vmm_snapshot *s, uint64_t address);
const struct vmm_gap *vmm_snapshot_gap_at(const struct vmm_snapshot *s, uint64_t address);

/* Whether device and inode say something: files of cores and of other systems' dumps have a name alone. */
static inline bool vmm_vma_inode_known(const struct vmm_vma *v)
{
	return v->inode || v->dev_major || v->dev_minor || !v->name[0] || v->name[0] == '[';
}

static inline bool vmm_status_known(const struct vmm_snapshot *s, enum vmm_status_field f)
{
	return (s->target.status_known >> f) & 1;
}

/* NULL is allowed. */
void vmm_snapshot_destroy(struct vmm_snapshot *s);

#endif
