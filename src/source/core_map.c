/*
 * The mappings of a core: what PT_LOADs and NT_FILE say together, what stands behind each, and the kernel's own.
 *
 * The kernel writes one PT_LOAD for each mapping and one NT_FILE entry for each that has a file. gdb's gcore leaves out
 * what it does not store, and such mappings stand in NT_FILE alone. Borders of both split pieces.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/search.h"
#include "source/core.h"

#define VSYSCALL UINT64_C(0xffffffffff600000)
#define VVAR_MAX (UINT64_C(64) << 10)
#define PHDRS_MAX 64

static bool starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* What the name of a file tells of the object behind it; the kernel's filesystems are not in a core. */
static void judge_name(struct core_name *n)
{
	static const char suffix[] = " (deleted)";
	static const struct {
		const char *prefix;
		uint8_t backing;
		bool never_named, shared;
	} known[] = {
		{"/memfd:", VMM_BACKING_SHMEM, true, false},
		{"/SYSV", VMM_BACKING_SHMEM, true, true},
		{"/dev/zero (deleted)", VMM_BACKING_SHMEM, true, true},
		{"/secretmem", VMM_BACKING_SHMEM, true, true},
		{"/anon_hugepage", VMM_BACKING_HUGETLB, true, false},
		{"/dev/hugepages/", VMM_BACKING_HUGETLB, false, false},
		{"/dev/shm/", VMM_BACKING_SHMEM, false, false},
		{"/dev/zero", VMM_BACKING_ANON, false, false}, /* a private mapping of it is anonymous memory */
		{"/dev/", VMM_BACKING_DEVICE, false, false},
		{"/dmabuf:", VMM_BACKING_DEVICE, true, false},
	};
	size_t length = strlen(n->raw), cut = sizeof(suffix) - 1;
	bool never_named = false;

	n->backing = n->linked || n->raw[0] == '/' || starts(n->raw, "(unreachable)") ? VMM_BACKING_FILE : VMM_BACKING_DEVICE;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (!starts(n->raw, known[i].prefix))
			continue;
		n->backing = known[i].backing;
		n->shared = known[i].shared;
		never_named = known[i].never_named;
		break;
	}
	if (!n->linked && length > cut && strcmp(n->raw + length - cut, suffix) == 0) {
		n->path[length - cut] = '\0';
		n->deleted = !never_named;
	}
}

static int mapped_by_start(const void *a, const void *b)
{
	const struct core_mapped *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Sorted and disjoint: where entries overlap the first one stays. */
static void settle_mapped(struct core_target *t)
{
	size_t kept = 0;

	if (t->mapped_count)
		qsort(t->mapped, t->mapped_count, sizeof(*t->mapped), mapped_by_start);
	for (size_t i = 0; i < t->mapped_count; i++) {
		if (kept && t->mapped[i].start < t->mapped[kept - 1].end)
			t->segments_dropped++;
		else
			t->mapped[kept++] = t->mapped[i];
	}
	t->mapped_count = kept;
}

/* How much of a segment's bytes the core really holds. */
static uint64_t held(const struct core_target *t, const struct core_segment *s)
{
	if (!t->size_known || t->size >= s->offset + s->filesz)
		return s->filesz;
	return t->size > s->offset ? t->size - s->offset : 0;
}

static void set_stored(const struct core_target *t, const struct core_segment *s, struct core_piece *p)
{
	uint64_t at = p->start - s->start, length = p->end - p->start, holds = held(t, s);

	p->offset = s->offset + at;
	p->stored = holds > at ? vmm_min_u64(holds - at, length) : 0;
	p->lost = (s->filesz > at ? vmm_min_u64(s->filesz - at, length) : 0) - p->stored;
	p->prot = (s->flags & VMM_ELF_PF_R ? VMM_PROT_READ : 0) | (s->flags & VMM_ELF_PF_W ? VMM_PROT_WRITE : 0) |
	          (s->flags & VMM_ELF_PF_X ? VMM_PROT_EXEC : 0);
}

static int add_piece(struct core_target *t, uint64_t start, uint64_t end, const struct core_segment *s,
                     const struct core_mapped *m, struct vmm_err *err)
{
	struct core_piece *p;

	if (!vmm_grow(&t->pieces, &t->piece_capacity, t->piece_count + 1, sizeof(*p)))
		return vmm_fail_nomem(err);
	p = &t->pieces[t->piece_count];
	*p = (struct core_piece){.start = start, .end = end, .name = VMM_NONE, .backing = VMM_BACKING_ANON, .prot = VMM_PROT_READ};
	/* Without a list of files a mapping may be anything. */
	p->shared_known = t->has_files;
	if (s)
		set_stored(t, s, p);
	if (m) {
		struct core_name *n = &t->names[m->name];

		p->name = m->name;
		p->file_offset = m->offset + (start - m->start);
		p->backing = n->backing;
		p->shared = n->shared;
		p->shared_known = n->shared || n->backing == VMM_BACKING_ANON;
		if (n->first == VMM_NONE)
			n->first = (uint32_t)t->piece_count;
		if (n->header == VMM_NONE && p->file_offset == 0)
			n->header = (uint32_t)t->piece_count;
	}
	t->piece_count++;
	return 0;
}

/* Walks both lists at once; every step goes to the next border of either. */
static int join(struct core_target *t, struct vmm_err *err)
{
	size_t i = 0, k = 0;
	uint64_t at = 0;
	int rc = 0;

	while (rc == 0 && (i < t->segment_count || k < t->mapped_count)) {
		const struct core_segment *s = i < t->segment_count ? &t->segments[i] : NULL;
		const struct core_mapped *m = k < t->mapped_count ? &t->mapped[k] : NULL;
		uint64_t from = vmm_max_u64(at, vmm_min_u64(s ? s->start : UINT64_MAX, m ? m->start : UINT64_MAX)), to;

		s = s && s->start <= from ? s : NULL;
		m = m && m->start <= from ? m : NULL;
		to = vmm_min_u64(s ? s->end : UINT64_MAX, m ? m->end : UINT64_MAX);
		if (!s && i < t->segment_count)
			to = vmm_min_u64(to, t->segments[i].start);
		if (!m && k < t->mapped_count)
			to = vmm_min_u64(to, t->mapped[k].start);
		rc = add_piece(t, from, to, s, m, err);
		at = to;
		i += i < t->segment_count && t->segments[i].end <= at;
		k += k < t->mapped_count && t->mapped[k].end <= at;
	}
	return rc;
}

size_t core_piece_at(const struct core_target *t, uint64_t address)
{
	return VMM_FIRST_ABOVE(t->pieces, t->piece_count, end, address);
}

/* The anonymous piece that holds address; NULL: another one or none. */
static struct core_piece *anonymous_at(struct core_target *t, uint64_t address)
{
	size_t i = core_piece_at(t, address);

	if (i == t->piece_count || t->pieces[i].start > address || t->pieces[i].name != VMM_NONE)
		return NULL;
	return &t->pieces[i];
}

static void name_special(struct core_piece *p, const char *name, bool system)
{
	p->special = name;
	p->shared_known = true;
	if (system)
		p->backing = VMM_BACKING_SPECIAL;
}

/*
 * Directly below the vdso: pages of the kernel that may only be read. Since 6.13 those of hypervisors are a mapping of
 * their own above the others (arch/x86/entry/vdso/vma.c).
 */
static void name_vvar(struct core_target *t, struct core_piece *vdso)
{
	struct core_piece *below = vdso;
	unsigned count = 0;

	while (below > t->pieces && count < 2) {
		struct core_piece *p = below - 1;

		if (p->end != below->start || p->name != VMM_NONE || p->prot != VMM_PROT_READ || p->end - p->start > VVAR_MAX)
			break;
		below = p;
		count++;
	}
	if (count)
		name_special(below, "[vvar]", true);
	if (count == 2)
		name_special(below + 1, "[vvar_vclock]", true);
}

/* What the kernel maps by itself, told by auxv: it points into the vdso and into the main thread's stack. */
static void name_specials(struct core_target *t)
{
	static const uint8_t in_stack[] = {VMM_AT_RANDOM, VMM_AT_EXECFN, VMM_AT_PLATFORM};
	struct core_piece *p;
	uint64_t address;

	if (core_auxv(t, VMM_AT_SYSINFO_EHDR, &address) && address && (p = anonymous_at(t, address)) && p->start == address) {
		name_special(p, "[vdso]", true);
		name_vvar(t, p);
	}
	for (size_t i = 0; i < ARRAY_LEN(in_stack); i++)
		if (core_auxv(t, in_stack[i], &address) && address && (p = anonymous_at(t, address)) && !p->special &&
		    p->prot & VMM_PROT_WRITE) {
			name_special(p, "[stack]", false);
			break;
		}
	if (t->header.machine == VMM_EM_X86_64 && (p = anonymous_at(t, VSYSCALL)))
		name_special(p, "[vsyscall]", true);
}

/* Protections that the object's own program headers give to a piece; READ when they tell none. */
static uint8_t prot_by_headers(const struct vmm_elf_header *h, const unsigned char *table, size_t length, uint64_t page, uint64_t offset)
{
	uint8_t prot = VMM_PROT_READ;
	struct vmm_elf_segment s;

	for (uint32_t i = 0; i < h->phnum && vmm_elf_segment_at(h, table, length, i, &s); i++)
		if (s.type == VMM_ELF_PT_LOAD && offset >= vmm_align_down(s.offset, page) && offset < vmm_add_sat(s.offset, s.filesz))
			prot = (s.flags & VMM_ELF_PF_R ? VMM_PROT_READ : 0) | (s.flags & VMM_ELF_PF_W ? VMM_PROT_WRITE : 0) |
			       (s.flags & VMM_ELF_PF_X ? VMM_PROT_EXEC : 0);
	return prot;
}

/* Mappings that stand in NT_FILE alone: their object's headers, which are stored, say how a loader maps them. */
static void set_left_out(struct core_target *t, size_t i, uint64_t page)
{
	struct core_piece *p = &t->pieces[i];
	uint32_t header = t->names[p->name].header;
	unsigned char raw[VMM_ELF_HEADER_BYTES], table[PHDRS_MAX * 56];
	struct vmm_elf_header h;
	size_t length;

	if (header == VMM_NONE || !core_stored(t, t->pieces[header].start, raw, sizeof(raw)) ||
	    vmm_elf_parse_header(raw, sizeof(raw), &h, NULL) < 0 || h.phnum > PHDRS_MAX)
		return;
	length = (size_t)h.phnum * h.phentsize;
	if (length > sizeof(table) || !core_stored(t, vmm_add_sat(t->pieces[header].start, h.phoff), table, length))
		return;
	p->prot = prot_by_headers(&h, table, length, page, p->file_offset);
}

static bool has_segment(const struct core_target *t, const struct core_piece *p)
{
	size_t i = VMM_FIRST_ABOVE(t->segments, t->segment_count, end, p->start);

	return i < t->segment_count && t->segments[i].start <= p->start;
}

/* What the segments alone tell is where memory is read that leads to the names. */
static int name_by_links(struct core_target *t, uint64_t page, struct vmm_err *err)
{
	int rc = join(t, err);

	if (rc == 0)
		rc = core_links(t, page, err);
	t->piece_count = 0;
	t->last = 0;
	return rc;
}

int core_map(struct core_target *t, struct vmm_err *err)
{
	uint64_t page;
	int rc;

	if (!core_auxv(t, VMM_AT_PAGESZ, &page) || page == 0 || page & (page - 1))
		page = 4096;
	rc = t->has_files ? 0 : name_by_links(t, page, err);
	for (size_t i = 0; i < t->name_count; i++)
		judge_name(&t->names[i]);
	settle_mapped(t);
	if (rc == 0)
		rc = join(t, err);
	if (rc < 0)
		return rc;
	if (t->piece_count == 0)
		return vmm_fail(err, VMM_E_FORMAT, 0, "%s: the core has no memory in it", t->path);
	name_specials(t);
	for (size_t i = 0; i < t->piece_count; i++) {
		struct core_piece *p = &t->pieces[i];

		if (p->name != VMM_NONE && !has_segment(t, p))
			set_left_out(t, i, page);
		t->anonymous_stored |= p->backing == VMM_BACKING_ANON && p->prot & VMM_PROT_WRITE && p->stored;
	}
	return 0;
}
