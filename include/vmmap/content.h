/*
 * What bytes of memory look like: text, objects with a vtable, pointers, patterns.
 *
 * A guess by rules, for people: a number may look like a pointer. Of the target only present pages are read, and
 * symbol tables of its files.
 */
#ifndef VMMAP_CONTENT_H
#define VMMAP_CONTENT_H

#include "vmmap/err.h"
#include "vmmap/snapshot.h"
#include "vmmap/symbols.h"

enum vmm_content_type {
#define VMM_CONTENT(name, id, help) VMM_CONTENT_##name,
#include "vmmap/content.def"
#undef VMM_CONTENT
	VMM_CONTENT_COUNT
};

#define VMM_CONTENT_LOOK 64 /* that are looked at, at most */
#define VMM_CONTENT_TEXT_MAX 256

struct vmm_target;

struct vmm_content {
	enum vmm_content_type type;
	bool cut;                    /* STRING, UTF16, BYTES: it goes on */
	char text[VMM_CONTENT_TEXT_MAX]; /* the text itself, a name, where a pointer leads, the pattern; raw bytes; "" for ABSENT, ZERO */
};

/* What pointers are looked up in. target NULL: no classes without symbols. symbols NULL: no names. */
struct vmm_content_context {
	const struct vmm_snapshot *snapshot;
	struct vmm_target *target;
	struct vmm_symbols *symbols;
};

/* Looks at the first length bytes (at most VMM_CONTENT_LOOK count) of a piece of memory that is whole bytes long. */
void vmm_content_decode(const struct vmm_content_context *context, const unsigned char *bytes, size_t length,
                        uint64_t whole, struct vmm_content *ret_content);

const char *vmm_content_id(enum vmm_content_type type);
const char *vmm_content_help(enum vmm_content_type type);

/* One line for people, raw where it comes from the target: "\"hello\"…", "class Foo", "function qsort (libc.so.6)". */
#define VMM_CONTENT_LINE_MAX (VMM_CONTENT_TEXT_MAX + 32)
void vmm_content_line(const struct vmm_content *content, char ret_line[VMM_CONTENT_LINE_MAX]);

#endif
