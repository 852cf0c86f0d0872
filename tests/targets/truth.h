/*
 * What target programs share: places for mappings, and the truth about them as one JSON object on standard output.
 *
 * A program makes its mappings, records what each must look like from what it did (never from smaps), calls
 * truth_finish(), and stays as it is until standard input closes.
 * Included by one thread's code at a time; the state lies in truth.c.
 */
#ifndef VMM_TARGETS_TRUTH_H
#define VMM_TARGETS_TRUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRUTH_UNKNOWN UINT64_MAX

/* How exactly a record names its region. */
enum truth_scope {
	TRUTH_REGION, /* a region starts and ends exactly there */
	TRUTH_INSIDE, /* the range lies in one region of this kind; numbers are not compared */
};

/* One mapping of a known sort; bytes, TRUTH_UNKNOWN where the program cannot know. */
struct truth {
	const char *sort;       /* unique in the program */
	uint64_t address, size; /* size counts mapped bytes of the region */
	const char *kind;       /* id of kinds.def, several joined by '|' where either is right */
	enum truth_scope scope;
	const char *protection; /* "rw-p"; NULL: not compared */
	uint64_t committed, private_bytes, rss, uss, shareable, shared, swap, anonymous, locked, huge, hugetlb;
	uint64_t guard;         /* bytes that are never accessible although mapped */
	bool rss_mincore;       /* rss is asked of mincore() at the end: private anonymous memory only */
	bool swap_pagemap;      /* rss and swap are asked of the page map at the end */
	bool deleted;           /* the file behind it has no name */
	const char *path;       /* end of the path; NULL: not compared */
	int tid;                /* thread whose stack it is; 0: none */
};

/* A record with every number unknown. */
struct truth truth_init(const char *sort, const void *address, uint64_t size, const char *kind);
/* Private anonymous rw memory without any sharing: committed and private are size, rss is touched. */
struct truth truth_anon(const char *sort, const void *address, uint64_t size, uint64_t touched);
void truth_add(const struct truth *t);
/* A sort that this kernel or user cannot make, with the reason. */
void truth_skip(const char *sort, const char *reason);
/* A thread: name, any address in its stack's use. */
void truth_thread(int tid, const char *name, const void *inside);
/* Prints the truth, then waits for the end of standard input and ends the process. */
_Noreturn void truth_finish(void);

/* Bytes of a page here. */
uint64_t truth_page(void);
/*
 * An address range of its own, far from where the kernel puts mappings and with a hole of at least 1 MiB (64 KiB in a
 * 32-bit program) on both sides, so that nothing merges with it. Nothing is mapped there yet.
 */
void *truth_place(uint64_t size, uint64_t align);
/* mmap() at a fresh place; NULL with errno when it fails. */
void *truth_map(uint64_t size, int prot, int flags, int fd, uint64_t offset);
/* Writes to, or reads from, the first byte of count pages. */
void truth_write(void *p, uint64_t count);
void truth_read(const void *p, uint64_t count);
/* Resident bytes of private anonymous memory, asked of mincore(). */
uint64_t truth_resident(const void *p, uint64_t size);
/* Ends the program with a message on standard error: the test's own setup failed. */
_Noreturn void truth_die(const char *what);

#endif
