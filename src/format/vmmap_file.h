/*
 * The files of Sysinternals VMMap for Windows: .csv and .mmp. (bytes, length) in, rows out. No I/O.
 * Layer: format. Strings in rows are valid during the call that hands them over.
 *
 * Sources: an export of devenv.exe by VMMap 3.x (Alois-xx/MemAnalyzer, MemAnalyzer_uTest/Dumps/vmmap.csv) for the CSV;
 * for .mmp, of which no sample is public, its readers: microsoft/perfview, VmmapPerfViewFile, and zengmuke/VMMapReader.
 */
#ifndef VMM_FORMAT_VMMAP_FILE_H
#define VMM_FORMAT_VMMAP_FILE_H

#include "base/base.h"
#include "vmmap/err.h"
#include "vmmap/snapshot.h"

/* What the words of Type, Protection and UseType say beyond a kind and enum vmm_prot bits. */
enum vmm_vmmap_what {
	VMM_VMMAP_ASLR = 1,      /* Image (ASLR) */
	VMM_VMMAP_SHARED = 2,    /* Heap (Shareable) */
	VMM_VMMAP_RESERVED = 4,  /* address range without commit */
	VMM_VMMAP_NO_ACCESS = 8, /* committed, and not accessible */
	VMM_VMMAP_GUARD = 16,
	VMM_VMMAP_COPY = 32,     /* copy on write */
	VMM_VMMAP_COMBINE = 64,  /* write-combined */
	VMM_VMMAP_NO_CACHE = 128,
	VMM_VMMAP_PROTECTED = 256, /* the protection is known */
	VMM_VMMAP_STRANGE_TYPE = 512, /* kind is a guess: the type has no meaning here */
};
#define VMM_VMMAP_PROTECTION                                                                                           \
	(VMM_VMMAP_RESERVED | VMM_VMMAP_NO_ACCESS | VMM_VMMAP_GUARD | VMM_VMMAP_COPY | VMM_VMMAP_COMBINE |                 \
	 VMM_VMMAP_NO_CACHE | VMM_VMMAP_PROTECTED)

struct vmm_vmmap_row {
	bool summary;          /* a type's totals; otherwise a region or a block */
	bool total;            /* the summary's sum */
	bool child;            /* a block of the region before */
	uint8_t address_digits; /* as written; 0 when that says nothing */
	uint64_t address;
	enum vmm_kind kind;
	uint32_t what;         /* enum vmm_vmmap_what */
	uint8_t prot;          /* read, write, execute */
	struct vmm_metrics m;  /* size to locked, in bytes; others are unknown */
	bool blocks_known, largest_known;
	uint64_t blocks, largest;
	uint64_t heap_id;      /* of .mmp, where the kind is a heap; VMM_VMMAP_NO_ID: not told */
	const char *type, *protection, *details; /* as written, in UTF-8; never NULL */
};
#define VMM_VMMAP_NO_ID UINT64_MAX

/* What a file tells besides its rows. */
struct vmm_vmmap_head {
	const char *process; /* "" when not told */
	int64_t pid;         /* -1 when not told */
};

/* Non-zero stops the parser, which returns it. */
struct vmm_vmmap_events {
	int (*head)(void *arg, const struct vmm_vmmap_head *head);
	int (*snapshot)(void *arg, bool time_known, int64_t seconds, uint32_t nanoseconds, const struct vmm_metrics *page_table);
	int (*row)(void *arg, const struct vmm_vmmap_row *row);
	void *arg;
};

/* What was not understood. */
struct vmm_vmmap_damage {
	uint64_t rows;    /* left out: too short, or without an address */
	uint64_t numbers; /* taken as unknown */
	bool cut;         /* the file ends within a row */
};

/*
 * Text of a file in UTF-8: of UTF-8 or UTF-16 with a byte order mark, UTF-8 without one, and of what is neither as
 * Windows-1252. NUL-terminated, free() it. *ret_encoding is "UTF-8", "UTF-16" or "Windows-1252".
 */
int vmm_vmmap_text(const char *bytes, size_t length, char **ret_text, size_t *ret_length, const char **ret_encoding,
                   struct vmm_err *err);

/* True when the first bytes of a file look like such a CSV or such XML. */
bool vmm_vmmap_is_csv(const char *bytes, size_t length);
bool vmm_vmmap_is_mmp(const char *bytes, size_t length);

/*
 * text is what vmm_vmmap_text() made, and is changed. Columns are found by their headings; sizes may be grouped by
 * commas, full stops, blanks or apostrophes. VMM_E_FORMAT: no heading of details was found.
 */
int vmm_vmmap_csv_parse(char *text, size_t length, const struct vmm_vmmap_events *events, struct vmm_vmmap_damage *ret_damage,
                        struct vmm_err *err);

/*
 * One snapshot() before the rows of each Snapshot element. Entity declarations are refused, and so is depth.
 * VMM_E_FORMAT: no XML, or damaged before the first snapshot; VMM_E_UNSUPPORTED: built without expat.
 */
int vmm_vmmap_mmp_parse(const char *text, size_t length, const struct vmm_vmmap_events *events,
                        struct vmm_vmmap_damage *ret_damage, struct vmm_err *err);

/* "1,094,896" in units of 1024 bytes; empty is 0. False: no number, or none that fits. */
bool vmm_vmmap_size_parse(const char *text, uint64_t *ret_bytes);
/* A type by its words ("Heap (Private Data)", "Stack"); sets kind and what. False: STRANGE_TYPE. */
bool vmm_vmmap_type_parse(const char *text, struct vmm_vmmap_row *row);
/* "Read/Write/Guard"; sets prot and what. False: not understood. */
bool vmm_vmmap_protection_parse(const char *text, struct vmm_vmmap_row *row);
/* The same of a Win32 PAGE_ constant. */
void vmm_vmmap_protection_of(uint64_t page, struct vmm_vmmap_row *row);
/* The other way round: words for enum vmm_prot bits and enum vmm_vmmap_what bits. */
#define VMM_VMMAP_PROTECTION_TEXT 64
void vmm_vmmap_protection_text(uint8_t prot, uint32_t what, char ret[VMM_VMMAP_PROTECTION_TEXT]);
/* The Win32 PAGE_ value by which VMMap chooses the protection of a region among those of its blocks. */
uint32_t vmm_vmmap_protection_rank(uint8_t prot, uint32_t what);
/* What stands in the label of a block for what r, w and x cannot say: "guard"; "" for nothing. */
const char *vmm_vmmap_protection_word(uint32_t what);

#endif
