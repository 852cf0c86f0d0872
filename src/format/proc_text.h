/*
 * The text files of /proc/PID: (bytes, length) in, records out. No I/O, no OS header.
 * Layer: format. Pointers in records point into the bytes that were given.
 * Every parser takes anything: a line it does not understand is told to the caller, never guessed at.
 */
#ifndef VMM_FORMAT_PROC_TEXT_H
#define VMM_FORMAT_PROC_TEXT_H

#include "base/base.h"
#include "vmmap/err.h"
#include "vmmap/snapshot.h"

/*
 * A line of maps: "start-end perms offset major:minor inode      name". Source: Linux fs/proc/task_mmu.c, show_map_vma.
 * The name is as the kernel wrote it: a line feed in a path stands as \012, " (deleted)" is still at its end.
 */
struct vmm_maps_line {
	uint64_t start, end, offset, inode;
	uint32_t dev_major, dev_minor;
	uint8_t prot; /* enum vmm_prot bits */
	const char *name;
	size_t name_length;
};

/* line is without its line end. False: not a line of maps (also when end <= start, or a field does not fit). */
bool vmm_maps_parse_line(const char *line, size_t length, struct vmm_maps_line *ret);

/* Fields of smaps that columns are made of; bit i of known belongs to the i-th row of smaps.def. */
enum vmm_smaps_field {
#define VMM_SMAPS(name, key) VMM_SMAPS_##name,
#include "format/smaps.def"
#undef VMM_SMAPS
	VMM_SMAPS_COUNT
};

#define VMM_SMAPS_EXTRA_MAX 16 /* other fields kept */

struct vmm_smaps_record {
	struct vmm_maps_line maps;
	uint64_t value[VMM_SMAPS_COUNT]; /* bytes */
	uint32_t known;
	uint64_t vm_flags; /* VMM_VF bits, 0 when there was no VmFlags line */
	uint64_t extra[VMM_SMAPS_EXTRA_MAX]; /* by index in the parser's extra_name; bytes for kB fields, else as written */
	uint32_t extra_known;                /* bits */
};

/*
 * Streaming parser: feed chunks of any size, get one call per mapping. Keys are matched by name in any order; keys
 * that smaps.def lacks are kept as extras under the name the kernel gave them, VmFlags codes without a row are
 * counted. The name in a record is valid only during the call.
 */
struct vmm_smaps_parser;
/* Non-zero stops the parser; vmm_smaps_feed returns it. */
typedef int (*vmm_smaps_fn)(void *arg, const struct vmm_smaps_record *record);

struct vmm_smaps_parser *vmm_smaps_create(vmm_smaps_fn fn, void *arg);
void vmm_smaps_destroy(struct vmm_smaps_parser *p);
/* 0, VMM_E_NOMEM, VMM_E_LIMIT (a line over 64 KiB), or what fn returned. */
int vmm_smaps_feed(struct vmm_smaps_parser *p, const char *bytes, size_t length);
/* Ends the input: the last mapping is delivered. A last line that was cut off is dropped and counted as malformed. */
int vmm_smaps_finish(struct vmm_smaps_parser *p);
/* Names of the extra fields seen so far, in order of appearance; NULL past the end. */
const char *vmm_smaps_extra_name(const struct vmm_smaps_parser *p, unsigned i);
/* Lines that were neither a mapping nor a field, and unknown VmFlags codes. */
uint64_t vmm_smaps_malformed(const struct vmm_smaps_parser *p);
uint64_t vmm_smaps_unknown_flags(const struct vmm_smaps_parser *p);

/* smaps_rollup: the same fields once; the header line "[rollup]" is in maps. False: malformed. */
bool vmm_smaps_rollup_parse(const char *text, size_t length, struct vmm_smaps_record *ret);

/* /proc/PID/status. Numbers of status.def in bytes, plus identity. */
struct vmm_status_record {
	uint64_t value[VMM_STATUS_COUNT];
	uint32_t known;
	const char *name;  /* as the kernel escapes it (\n, \\); length 0 when absent */
	size_t name_length;
	char state;        /* 0 when absent */
	int64_t ppid, uid; /* effective uid; -1 when absent */
	int64_t ns_pid;    /* last number of NSpid; 0 when absent */
};
void vmm_status_parse(const char *text, size_t length, struct vmm_status_record *ret);
/* Undoes the kernel's escapes (\n, \\, \ooo) of a Name field; ret has room for length bytes. Returns the new length. */
size_t vmm_status_unescape(const char *s, size_t length, char *ret);

/* /proc/PID/stat and task/TID/stat: comm may hold anything, the last ')' ends it. */
struct vmm_stat_record {
	const char *comm;
	size_t comm_length;
	char state;
	int64_t ppid;
	uint64_t flags;       /* PF_KTHREAD is 0x00200000 */
	uint64_t threads;
	uint64_t start_ticks; /* after boot */
	uint64_t start_code, end_code, start_stack, start_data, end_data, start_brk, arg_start, arg_end, env_start, env_end;
	bool addresses;       /* the addresses were readable (not all 0) */
};
bool vmm_stat_parse(const char *text, size_t length, struct vmm_stat_record *ret);

/* One line of /proc/PID/limits: "Max address space         unlimited            unlimited            bytes     ". */
struct vmm_limits_line {
	const char *name; /* "Max address space" */
	size_t name_length;
	uint64_t soft, hard; /* UINT64_MAX is unlimited */
	bool bytes;          /* the unit column says bytes */
};
bool vmm_limits_parse_line(const char *line, size_t length, struct vmm_limits_line *ret);

/*
 * Path of the process in the memory hierarchy: the v1 controller "memory" when it is mounted, else the v2 line "0::".
 * False: neither. *ret_v2 tells which.
 */
bool vmm_cgroup_memory_path(const char *text, size_t length, const char **ret_path, size_t *ret_length, bool *ret_v2);

/* One line of mountinfo: device and filesystem type, and mount point with its octal escapes. */
struct vmm_mount_line {
	uint32_t dev_major, dev_minor;
	const char *mount_point, *fs_type;
	size_t mount_point_length, fs_type_length;
};
bool vmm_mountinfo_parse_line(const char *line, size_t length, struct vmm_mount_line *ret);

/* task/TID/syscall: stack pointer and program counter. False: "running" or malformed. */
bool vmm_syscall_parse(const char *text, size_t length, uint64_t *ret_sp, uint64_t *ret_pc);

/* One line of numa_maps: address and the text of its N<node>=<pages> words, and those pages by node. */
#define VMM_NUMA_NODES 64
struct vmm_numa_line {
	uint64_t address;
	uint64_t pages[VMM_NUMA_NODES]; /* in units of kernelpagesize_kB */
	uint64_t page_size;             /* bytes; 0 when the line does not say */
	uint64_t nodes;                 /* bit n: pages[n] was given */
};
bool vmm_numa_parse_line(const char *line, size_t length, struct vmm_numa_line *ret);

/* One entry of auxv; bits is 32 or 64. False at the end (AT_NULL included in the count of entries, type 0). */
struct vmm_scan;
bool vmm_auxv_find(const void *bytes, size_t length, unsigned bits, uint64_t type, uint64_t *ret_value);

#endif
