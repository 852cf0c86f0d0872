/*
 * The tables of a session whose rows hold over a stretch of snapshots, and their columns (docs/session.md explains them).
 * Layer: session.
 *
 * Every one begins with id INTEGER PRIMARY KEY (target << 32 | a count), first and last: the row holds from snapshot
 * `first` to `last`, both included; last is NULL while it still does. Rows with metrics end in them and in `bounds`.
 */
#ifndef VMM_SESSION_TABLES_H
#define VMM_SESSION_TABLES_H

#include "vmmap/snapshot.h"

enum vmm_column_kind {
	VMM_COLUMN_INT,  /* 64 bits; SQLite's are signed, so that the upper half reads as negative */
	VMM_COLUMN_NAME, /* id of a row of the table text */
	VMM_COLUMN_TEXT, /* text as it is */
	VMM_COLUMN_BLOB,
};

/* VMM_TABLE(NAME, name, has metrics): first column is what orders the rows of a target and tells them apart. */
#define VMM_SESSION_TABLES(TABLE)  \
	TABLE(IDENTITY, process, 0) \
	TABLE(MAPPING, mapping, 1) \
	TABLE(REGION, region, 1)   \
	TABLE(BLOCK, block, 1)     \
	TABLE(THREAD, thread, 0)   \
	TABLE(MODULE, module, 0)   \
	TABLE(HEAP, heap, 1)       \
	TABLE(RLIMIT, rlimit, 0)   \
	TABLE(NOTE, note, 0)       \
	TABLE(TOTAL, total, 1)     \
	TABLE(ACCOUNT, account, 0) \
	TABLE(MEMORY, memory, 0)   \
	TABLE(PAGES, pages, 0)

#define VMM_COLUMNS_IDENTITY(C)                                                                                                     \
	C(IDENTITY, KEY, key, INT)                                                                                                  \
	C(IDENTITY, NAME, name, NAME)                                                                                               \
	C(IDENTITY, EXE, exe, NAME)                                                                                                 \
	C(IDENTITY, EXE_DELETED, exe_deleted, INT)                                                                                  \
	C(IDENTITY, CMDLINE, cmdline, NAME)                                                                                         \
	C(IDENTITY, CGROUP, cgroup, NAME)                                                                                           \
	C(IDENTITY, ARCH, arch, NAME)                                                                                               \
	C(IDENTITY, BITS, bits, INT)                                                                                                \
	C(IDENTITY, PAGE_SIZE, page_size, INT)                                                                                      \
	C(IDENTITY, PPID, ppid, INT)                                                                                                \
	C(IDENTITY, NS_PID, ns_pid, INT)                                                                                            \
	C(IDENTITY, UID, uid, INT)                                                                                                  \
	C(IDENTITY, KERNEL_THREAD, kernel_thread, INT)                                                                              \
	C(IDENTITY, ENTRY, entry, INT)                                                                                              \
	C(IDENTITY, USER_END, user_end, INT)                                                                                        \
	C(IDENTITY, MIN_ADDRESS, min_address, INT)                                                                                  \
	C(IDENTITY, STACK_GAP, stack_gap, INT)                                                                                      \
	C(IDENTITY, DEATH_SIGNAL, death_signal, INT)                                                                                \
	C(IDENTITY, DEATH_CODE, death_code, INT)                                                                                    \
	C(IDENTITY, DEATH_ADDRESS, death_address, INT)                                                                              \
	C(IDENTITY, DEATH_TID, death_tid, INT)                                                                                      \
	C(IDENTITY, EXTRA_NAMES, extra_names, NAME)

#define VMM_COLUMNS_MAPPING(C)                                                                                                     \
	C(MAPPING, START, start, INT)                                                                                              \
	C(MAPPING, SPAN, span, INT)                                                                                                \
	C(MAPPING, PROT, prot, INT)                                                                                                \
	C(MAPPING, BACKING, backing, INT)                                                                                          \
	C(MAPPING, NAME, name, NAME)                                                                                               \
	C(MAPPING, DELETED, deleted, INT)                                                                                          \
	C(MAPPING, FILE_OFFSET, file_offset, INT)                                                                                  \
	C(MAPPING, INODE, inode, INT)                                                                                              \
	C(MAPPING, DEVICE, device, INT)                                                                                            \
	C(MAPPING, VM_FLAGS, vm_flags, INT)                                                                                        \
	C(MAPPING, KERNEL_PAGE, kernel_page, INT)                                                                                  \
	C(MAPPING, GUARD, guard, INT)                                                                                              \
	C(MAPPING, NUMA, numa, NAME)                                                                                               \
	C(MAPPING, EXTRA, extra, BLOB)

#define VMM_COLUMNS_REGION(C)                                                                                                      \
	C(REGION, START, start, INT)                                                                                               \
	C(REGION, SPAN, span, INT)                                                                                                 \
	C(REGION, KIND, kind, NAME)                                                                                                \
	C(REGION, PROT_SET, prot_set, INT)                                                                                         \
	C(REGION, DETAILS, details, NAME)                                                                                          \
	C(REGION, PATH, path, NAME)                                                                                                \
	C(REGION, OUTSIDE, outside, INT)                                                                                           \
	C(REGION, MODULE, module, INT)                                                                                             \
	C(REGION, THREAD, thread, INT)                                                                                             \
	C(REGION, HEAP, heap, INT)                                                                                                 \
	C(REGION, CHUNKS, chunks, BLOB)                                                                                            \
	C(REGION, OWN, own, INT)

#define VMM_COLUMNS_BLOCK(C)           \
	C(BLOCK, START, start, INT)    \
	C(BLOCK, SPAN, span, INT)      \
	C(BLOCK, LABEL, label, NAME)   \
	C(BLOCK, GUARD, guard, INT)    \
	C(BLOCK, OWN, own, INT)

/* key: the thread ID or start where these rise in the order of the list; its place where they do not, and they follow. */
#define VMM_COLUMNS_THREAD(C)                    \
	C(THREAD, KEY, key, INT)                 \
	C(THREAD, TID, tid, INT)                 \
	C(THREAD, NS_TID, ns_tid, INT)           \
	C(THREAD, STATE, state, INT)             \
	C(THREAD, NAME, name, NAME)              \
	C(THREAD, SP, sp, INT)                   \
	C(THREAD, DESCRIPTOR, descriptor, INT)   \
	C(THREAD, REGION, region, INT)

#define VMM_COLUMNS_MODULE(C)                \
	C(MODULE, KEY, key, INT)             \
	C(MODULE, START, start, INT)         \
	C(MODULE, SPAN, span, INT)           \
	C(MODULE, BIAS, bias, INT)           \
	C(MODULE, PATH, path, NAME)          \
	C(MODULE, BUILD_ID, build_id, NAME)  \
	C(MODULE, FLAGS, flags, INT)         \
	C(MODULE, BITS, bits, INT)           \
	C(MODULE, REGION, region, INT)

/* chunks: count, bytes, rss of each state; sizes: histogram and classes (blob.h says how); heap: its id. */
#define VMM_COLUMNS_HEAP(C)                              \
	C(HEAP, PLACE, place, INT)                       \
	C(HEAP, ID, heap, NAME)                          \
	C(HEAP, READER, reader, NAME)                    \
	C(HEAP, LABEL, label, NAME)                      \
	C(HEAP, PROVED, proved, INT)                     \
	C(HEAP, CONTENTS, contents, INT)                 \
	C(HEAP, USED_COUNT, used_count, INT)             \
	C(HEAP, USED_BYTES, used_bytes, INT)             \
	C(HEAP, FREE_COUNT, free_count, INT)             \
	C(HEAP, FREE_BYTES, free_bytes, INT)             \
	C(HEAP, LARGEST_FREE, largest_free, INT)         \
	C(HEAP, TRIMMABLE, trimmable, INT)               \
	C(HEAP, TRIMMABLE_SIZE, trimmable_size, INT)     \
	C(HEAP, CHUNKS, chunks, BLOB)                    \
	C(HEAP, SIZES, sizes, BLOB)                      \
	C(HEAP, THREADS, threads, BLOB)

#define VMM_COLUMNS_RLIMIT(C)            \
	C(RLIMIT, PLACE, place, INT)     \
	C(RLIMIT, ID, name, NAME)        \
	C(RLIMIT, TEXT, text, NAME)      \
	C(RLIMIT, SOFT, soft, INT)       \
	C(RLIMIT, HARD, hard, INT)       \
	C(RLIMIT, USED, used, INT)       \
	C(RLIMIT, BYTES, bytes, INT)

#define VMM_COLUMNS_NOTE(C)              \
	C(NOTE, PLACE, place, INT)       \
	C(NOTE, FROM, source, NAME)      \
	C(NOTE, CODE, code, NAME)        \
	C(NOTE, TEXT, text, NAME)        \
	C(NOTE, ADDRESS, address, INT)   \
	C(NOTE, COUNT, count, INT)

/* kind: the id of a kind, or 'total' for the sum of all. */
#define VMM_COLUMNS_TOTAL(C)             \
	C(TOTAL, PLACE, place, INT)      \
	C(TOTAL, KIND, kind, NAME)       \
	C(TOTAL, BLOCKS, blocks, INT)    \
	C(TOTAL, LARGEST, largest, INT)  \
	C(TOTAL, REGIONS, regions, INT)

/* What a file told of its own totals; accounts of processes follow from the rest. kernel: NULL where it does not tell it. */
#define VMM_COLUMNS_ACCOUNT(C)                          \
	C(ACCOUNT, PLACE, place, INT)                   \
	C(ACCOUNT, ID, name, NAME)                      \
	C(ACCOUNT, LABEL, label, NAME)                  \
	C(ACCOUNT, TOLD, told, INT)                     \
	C(ACCOUNT, EXPLANATION, explanation, NAME)

#define VMM_COLUMNS_MEMORY(C)            \
	C(MEMORY, START, start, INT)     \
	C(MEMORY, PRESENT, present, INT) \
	C(MEMORY, HASH, hash, INT)       \
	C(MEMORY, CODEC, codec, INT)     \
	C(MEMORY, DATA, data, BLOB)

#define VMM_COLUMNS_PAGES(C)             \
	C(PAGES, START, start, INT)      \
	C(PAGES, SPAN, span, INT)        \
	C(PAGES, RUNS, runs, BLOB)

enum vmm_session_table {
#define VMM_TABLE_ENUM(NAME, name, metrics) VMM_TABLE_##NAME,
	VMM_SESSION_TABLES(VMM_TABLE_ENUM)
#undef VMM_TABLE_ENUM
	VMM_TABLE_COUNT
};

#define VMM_COLUMN_ENUM(TABLE, NAME, name, kind) VMM_##TABLE##_##NAME,
#define VMM_TABLE_ENUM(NAME, name, metrics) enum vmm_column_##name {VMM_COLUMNS_##NAME(VMM_COLUMN_ENUM) VMM_##NAME##_COLUMNS};
VMM_SESSION_TABLES(VMM_TABLE_ENUM)
#undef VMM_TABLE_ENUM
#undef VMM_COLUMN_ENUM

struct vmm_column_def {
	const char *name;
	enum vmm_column_kind kind;
};

struct vmm_table_def {
	const char *name;
	const struct vmm_column_def *columns;
	unsigned count; /* without metrics and bounds */
	bool metrics;
};

extern const struct vmm_table_def vmm_session_tables[VMM_TABLE_COUNT];

/* Columns of a row with its metrics and bounds; a mask of them has 64 bits. */
#define VMM_ROW_COLUMNS 64
static inline unsigned vmm_table_width(const struct vmm_table_def *t)
{
	return t->count + (t->metrics ? VMM_METRIC_COUNT + 1u : 0);
}

#endif
