/*
 * Names of images in a core without NT_FILE: kernels before 3.7 wrote none, and neither do some other dumpers. The dynamic
 * linker keeps a list of what it loaded, in the process's own memory: the program's headers (auxv's AT_PHDR) lead to its
 * dynamic section, DT_DEBUG there to struct r_debug, and that to the list (System V gABI; glibc elf/link.h, musl include/link.h).
 *
 * Memory is hostile: an entry counts only where the headers of an object in memory say that its dynamic section stands where
 * the entry says it is; its program headers, not the list, tell which mappings are the file's.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cursor.h"
#include "source/core.h"

#define OBJECTS_MAX 8192             /* entries of all lists together */
#define NAMESPACES_MAX 64            /* lists: dlmopen() makes one each; glibc has 16 */
#define NAMES_BYTES_MAX (16u << 20)
#define PATH_BYTES 4096
#define PHDRS_MAX 64
#define DYNAMIC_MAX 1024             /* entries of a dynamic section */
#define PIECES_BACK 64               /* mappings between an object's headers and its dynamic section */
enum { DT_NULL = 0, DT_DEBUG = 21, R_VERSION_MAX = 16, R_VERSION_NEXT = 2 };

/* An object, as its headers in memory tell it. */
struct object {
	uint64_t address; /* of its ELF header */
	uint64_t bias;    /* address of a byte less its p_vaddr */
	uint64_t dynamic; /* address of its dynamic section; 0: none */
	uint64_t headers; /* address of its program headers, where they tell it; 0 */
	uint64_t interpreter; /* address of the name of its dynamic linker; 0: none */
	struct vmm_elf_header header;
	unsigned char table[PHDRS_MAX * 56];
	size_t table_length;
};

struct linker {
	struct core_target *t;
	struct vmm_err *err;
	uint64_t page;
	unsigned word;
	struct object program;
	uint64_t seen[OBJECTS_MAX]; /* headers of objects that have their names */
	size_t seen_count, visited;
	uint64_t names_bytes;
};

static bool read_words(struct linker *l, uint64_t address, uint64_t *ret, unsigned count)
{
	unsigned char raw[8 * 8];
	struct vmm_cursor c = {.p = raw, .end = raw + sizeof(raw), .word = (uint8_t)l->word};

	if (count > sizeof(raw) / 8 || address == 0 || !core_stored(l->t, address, raw, (size_t)count * l->word))
		return false;
	for (unsigned i = 0; i < count; i++)
		if (!vmm_cursor_word(&c, &ret[i]))
			return false;
	return true;
}

/* Address of what has p_vaddr; 32-bit addresses wrap, as prelinked objects' biases do. */
static uint64_t place(const struct linker *l, const struct object *o, uint64_t vaddr)
{
	uint64_t at = o->bias + vaddr;

	return l->word == 4 ? at & UINT32_MAX : at;
}

/* Its headers; false: no object of this machine stands at address. */
static bool read_object(struct linker *l, uint64_t address, struct object *o)
{
	const struct vmm_elf_header *core = &l->t->header;
	unsigned char raw[VMM_ELF_HEADER_BYTES] = {0};
	struct vmm_elf_segment s;
	bool placed = false;

	*o = (struct object){.address = address};
	if (!core_stored(l->t, address, raw, 4) || memcmp(raw, "\177ELF", 4) != 0 ||
	    !core_stored(l->t, address, raw, l->word == 8 ? 64 : 52) || vmm_elf_parse_header(raw, sizeof(raw), &o->header, NULL) < 0)
		return false;
	o->table_length = (size_t)o->header.phnum * o->header.phentsize;
	if (o->header.bits != core->bits || o->header.big_endian || o->header.machine != core->machine ||
	    (o->header.type != VMM_ELF_EXEC && o->header.type != VMM_ELF_DYN) || o->table_length > sizeof(o->table) ||
	    !core_stored(l->t, vmm_add_sat(address, o->header.phoff), o->table, o->table_length))
		return false;
	for (uint32_t i = 0; !placed && vmm_elf_segment_at(&o->header, o->table, o->table_length, i, &s); i++)
		if (s.type == VMM_ELF_PT_LOAD && s.filesz && vmm_align_down(s.offset, l->page) == 0) {
			o->bias = address - (s.vaddr - s.offset);
			placed = true;
		}
	for (uint32_t i = 0; placed && vmm_elf_segment_at(&o->header, o->table, o->table_length, i, &s); i++) {
		if (s.type == VMM_ELF_PT_DYNAMIC)
			o->dynamic = place(l, o, s.vaddr);
		else if (s.type == VMM_ELF_PT_INTERP)
			o->interpreter = place(l, o, s.vaddr);
		else if (s.type == VMM_ELF_PT_PHDR)
			o->headers = place(l, o, s.vaddr);
	}
	return placed;
}

/* The object whose dynamic section, or else whose program headers, stand at address. */
static bool find_object(struct linker *l, uint64_t address, bool dynamic, struct object *o)
{
	const struct core_target *t = l->t;
	size_t at = core_piece_at(t, address);

	if (at == t->piece_count || t->pieces[at].start > address)
		return false;
	for (size_t back = 0; back <= at && back < PIECES_BACK; back++)
		if (read_object(l, t->pieces[at - back].start, o) && (dynamic ? o->dynamic == address : o->headers == address || o->address + o->header.phoff == address))
			return true;
	return false;
}

/* The text at address; false: it does not end, or is empty. */
static bool read_text(struct linker *l, uint64_t address, char ret_text[PATH_BYTES])
{
	const struct core_target *t = l->t;
	size_t at = core_piece_at(t, address), length;
	const struct core_piece *p = at < t->piece_count ? &t->pieces[at] : NULL;

	if (!p || address < p->start || address - p->start >= p->stored)
		return false;
	length = (size_t)vmm_min_u64(PATH_BYTES, p->stored - (address - p->start));
	if (!core_stored(l->t, address, ret_text, length))
		return false;
	length = strnlen(ret_text, length);
	return length && length < PATH_BYTES && address - p->start + length < p->stored;
}

static int add_one(struct linker *l, struct core_mapped m)
{
	struct core_target *t = l->t;

	if (!vmm_grow(&t->mapped, &t->mapped_capacity, t->mapped_count + 1, sizeof(m)))
		return vmm_fail_nomem(l->err);
	t->mapped[t->mapped_count++] = m;
	return 0;
}

/*
 * What the core lists of m, which shows a file, or with hole only what may not be accessed: linkers map all of a file, and take
 * the rights from what lies between its segments. gdb lists only what it stores.
 */
static int add_mapped(struct linker *l, const struct core_mapped *m, bool hole)
{
	const struct core_target *t = l->t;
	int rc = 0;

	if (t->by_gdb)
		return hole ? 0 : add_one(l, *m);
	for (size_t i = core_piece_at(t, m->start); rc == 0 && i < t->piece_count && t->pieces[i].start < m->end; i++) {
		uint64_t start = vmm_max_u64(t->pieces[i].start, m->start), end = vmm_min_u64(t->pieces[i].end, m->end);

		if (!hole || t->pieces[i].prot == 0)
			rc = add_one(l, (struct core_mapped){start, end, m->offset + (start - m->start), m->name});
	}
	return rc;
}

static bool is_seen(const struct linker *l, uint64_t address)
{
	for (size_t i = 0; i < l->seen_count; i++)
		if (l->seen[i] == address)
			return true;
	return false;
}

/* Gives the object's mappings the name; once, for an object can stand in lists of several namespaces. */
static int name_object(struct linker *l, const struct object *o, const char *text)
{
	size_t length = strlen(text);
	uint64_t end = 0;
	struct vmm_elf_segment s;
	uint32_t name;
	int rc;

	if (is_seen(l, o->address) || l->seen_count == OBJECTS_MAX || length > NAMES_BYTES_MAX - l->names_bytes)
		return 0;
	l->seen[l->seen_count++] = o->address;
	l->names_bytes += length;
	rc = core_name_add(l->t, text, length, &name, l->err);
	if (rc == 0)
		l->t->names[name].linked = true;
	for (uint32_t i = 0; rc == 0 && vmm_elf_segment_at(&o->header, o->table, o->table_length, i, &s); i++) {
		struct core_mapped m = {.start = place(l, o, vmm_align_down(s.vaddr, l->page)), .offset = vmm_align_down(s.offset, l->page), .name = name};
		struct core_mapped hole = {.start = end, .end = m.start, .offset = end - o->address, .name = name};

		if (s.type != VMM_ELF_PT_LOAD || s.filesz == 0 || s.filesz > UINT64_MAX - s.vaddr ||
		    __builtin_add_overflow(m.start, vmm_align_up(s.vaddr + s.filesz, l->page) - vmm_align_down(s.vaddr, l->page), &m.end))
			continue;
		if (end && hole.start < hole.end)
			rc = add_mapped(l, &hole, true);
		if (rc == 0 && m.start < m.end && m.start >= end)
			rc = add_mapped(l, &m, false);
		end = m.end;
	}
	return rc;
}

/* The program's own name is not in the list of glibc: what was executed stands on the initial stack. */
static int name_program(struct linker *l, const char *listed)
{
	char text[PATH_BYTES];
	uint64_t address;

	if (!listed[0] && core_auxv(l->t, VMM_AT_EXECFN, &address) && read_text(l, address, text))
		listed = text;
	return listed[0] ? name_object(l, &l->program, listed) : 0;
}

static int name_entry(struct linker *l, uint64_t name, uint64_t dynamic)
{
	char text[PATH_BYTES];
	struct object o;
	uint64_t vdso;

	if (!find_object(l, dynamic, true, &o) || (core_auxv(l->t, VMM_AT_SYSINFO_EHDR, &vdso) && vdso == o.address))
		return 0;
	if (!read_text(l, name, text))
		text[0] = '\0';
	if (o.address == l->program.address)
		return name_program(l, text);
	return text[0] ? name_object(l, &o, text) : 0;
}

/* struct link_map: l_addr, l_name, l_ld, l_next, l_prev. Each names the one before it, so that no list of them has a loop. */
static int walk_list(struct linker *l, uint64_t address)
{
	uint64_t previous = 0, words[5];
	int rc = 0;

	while (rc == 0 && address && l->visited < OBJECTS_MAX && read_words(l, address, words, 5) && words[4] == previous) {
		l->visited++;
		rc = name_entry(l, words[1], words[2]);
		previous = address;
		address = words[3];
	}
	return rc;
}

/* DT_DEBUG of the program's dynamic section; 0: none, or the linker has not filled it yet. */
static uint64_t find_debug(struct linker *l)
{
	uint64_t pair[2];

	for (unsigned i = 0; l->program.dynamic && i < DYNAMIC_MAX; i++) {
		if (!read_words(l, vmm_add_sat(l->program.dynamic, (uint64_t)i * 2 * l->word), pair, 2) || pair[0] == DT_NULL)
			break;
		if (pair[0] == DT_DEBUG)
			return pair[1];
	}
	return 0;
}

/* struct r_debug: r_version, r_map, r_brk, r_state, r_ldbase; since version 2 (glibc 2.35) r_next, that of the next namespace. */
static int walk_lists(struct linker *l)
{
	uint64_t debug = find_debug(l), words[6];
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < NAMESPACES_MAX && debug && read_words(l, debug, words, 5); i++) {
		uint32_t version = (uint32_t)words[0];

		if (version == 0 || version > R_VERSION_MAX)
			break;
		rc = walk_list(l, words[1]);
		debug = version >= R_VERSION_NEXT && read_words(l, debug, words, 6) ? words[5] : 0;
	}
	return rc;
}

/* A process that ended before its linker had made the list: the kernel has mapped two objects, of which the first names the other. */
static int name_interpreter(struct linker *l)
{
	char text[PATH_BYTES];
	struct object o;
	uint64_t base;

	if (!core_auxv(l->t, VMM_AT_BASE, &base) || base == 0 || !l->program.interpreter || !read_object(l, base, &o) ||
	    !read_text(l, l->program.interpreter, text))
		return 0;
	return name_object(l, &o, text);
}

int core_links(struct core_target *t, uint64_t page, struct vmm_err *err)
{
	struct linker *l = vmm_alloc_hook(NULL, sizeof(*l));
	uint64_t headers;
	int rc = 0;

	if (!l)
		return vmm_fail_nomem(err);
	*l = (struct linker){.t = t, .err = err, .page = page, .word = t->header.bits / 8};
	if (core_auxv(t, VMM_AT_PHDR, &headers) && headers && find_object(l, headers, false, &l->program)) {
		rc = walk_lists(l);
		if (rc == 0)
			rc = name_program(l, "");
		if (rc == 0)
			rc = name_interpreter(l);
	}
	free(l);
	return rc;
}
