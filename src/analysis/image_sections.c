/* The sections of an ELF file, checked against its segments. */
#include "analysis/image.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "source/files.h"

#define SECTION_TABLE_MAX (8 * 1024 * 1024) /* bytes of section headers; as many of names */
enum { SHN_XINDEX = 0xffff };

/* True when the section takes address space, and *ret is where. False with *ret_lies: it is not where PT_LOADs are. */
static bool section_piece(const struct vmm_image_file *file, const struct vmm_elf_section *s, bool debug,
                          struct vmm_image_piece *ret, bool *ret_lies)
{
	uint64_t start = s->address - file->low;

	if (s->type == VMM_ELF_SHT_NULL || !(s->flags & VMM_ELF_SHF_ALLOC) || s->size == 0)
		return false;
	/* .tbss: its addresses are those of what follows; it exists only in each thread's block. */
	if (s->type == VMM_ELF_SHT_NOBITS && (s->flags & VMM_ELF_SHF_TLS) && !(debug && start >= file->tls_start && start < file->tls_end))
		return false;
	for (size_t i = 0; s->address >= file->low && i < file->segment_count; i++) {
		const struct vmm_image_segment *g = &file->segments[i];

		if (start < g->start || start >= g->end || g->end - start < s->size)
			continue;
		if (s->type != VMM_ELF_SHT_NOBITS && !debug &&
		    (s->offset < g->offset || s->offset - g->offset != start - g->start ||
		     start + s->size > g->file_end))
			continue;
		ret->start = start;
		ret->end = start + s->size;
		return true;
	}
	*ret_lies = true;
	return false;
}

static int piece_by_start(const void *a, const void *b)
{
	const struct vmm_image_piece *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->end < y->end ? -1 : x->end > y->end;
}

/* Sorts the pieces. The header_count headers at the front give way to sections; false: sections overlap. */
static bool settle_pieces(struct vmm_image_piece *v, size_t count, size_t header_count)
{
	if (count == 0) /* no array then */
		return true;
	qsort(v + header_count, count - header_count, sizeof(*v), piece_by_start);
	for (size_t i = header_count + 1; i < count; i++)
		if (v[i].start < v[i - 1].end)
			return false;
	for (size_t h = 0; h < header_count; h++)
		for (size_t i = header_count; i < count; i++)
			if (v[i].start < v[h].end && v[i].end > v[h].start)
				v[h].end = vmm_max_u64(v[h].start, v[i].start);
	qsort(v, count, sizeof(*v), piece_by_start);
	return true;
}

/* Resolves the counts that overflow into section 0. */
static int section_counts(struct vmm_image_file *file, const struct vmm_image_bytes *bytes, uint64_t *ret_count,
                          uint32_t *ret_names, struct vmm_err *err)
{
	const struct vmm_elf_header *h = &file->header;
	struct vmm_elf_section zero = {0};
	int rc = 0;

	if (h->shnum == 0 || h->shstrndx == SHN_XINDEX)
		rc = vmm_image_section0_read(file, bytes, &zero, err);
	if (rc < 0)
		return rc;
	*ret_count = h->shnum ? h->shnum : zero.size;
	*ret_names = h->shstrndx == SHN_XINDEX ? zero.link : h->shstrndx;
	return 0;
}

struct section_tables {
	unsigned char *headers, *names;
	size_t headers_length, names_length;
};

static void section_tables_done(struct section_tables *t)
{
	free(t->headers);
	free(t->names);
}

static int read_section_tables(struct vmm_image_file *file, const struct vmm_image_bytes *bytes, uint64_t *budget,
                               struct section_tables *t, struct vmm_err *err)
{
	struct vmm_elf_section names;
	uint64_t count, length;
	uint32_t names_index;
	int rc = section_counts(file, bytes, &count, &names_index, err);

	if (rc < 0)
		return rc;
	if (count > VMM_ELF_SECTIONS_MAX || count * file->header.shentsize > SECTION_TABLE_MAX)
		return vmm_fail(err, VMM_E_FORMAT, 0, "%llu section headers", (unsigned long long)count);
	length = count * file->header.shentsize;
	if (length > *budget)
		return vmm_fail(err, VMM_E_LIMIT, 0, "too many section headers in all");
	rc = vmm_image_table_read(bytes, file->header.shoff, length, &t->headers, err);
	if (rc < 0)
		return rc;
	*budget -= length;
	t->headers_length = (size_t)length;
	if (!vmm_elf_section_at(&file->header, t->headers, t->headers_length, names_index, &names) ||
	    names.size > SECTION_TABLE_MAX)
		return vmm_fail(err, VMM_E_FORMAT, 0, "no section names");
	if (names.size > *budget)
		return vmm_fail(err, VMM_E_LIMIT, 0, "too many section names in all");
	rc = vmm_image_table_read(bytes, names.offset, names.size, &t->names, err);
	if (rc < 0)
		return rc;
	*budget -= names.size;
	t->names_length = (size_t)names.size;
	return 0;
}

static int add_sections(struct vmm_image_file *file, const struct section_tables *t, bool debug, struct vmm_arena *arena,
                        struct vmm_err *err)
{
	struct vmm_elf_section s;
	struct vmm_image_piece piece;
	bool lies = false;
	int rc = 0;

	for (uint32_t i = 0; rc >= 0 && vmm_elf_section_at(&file->header, t->headers, t->headers_length, i, &s); i++) {
		const char *name = vmm_elf_section_name(t->names, t->names_length, s.name);

		if (!section_piece(file, &s, debug, &piece, &lies))
			continue;
		piece.label = vmm_arena_intern(arena, name, strlen(name));
		rc = piece.label ? vmm_image_piece_add(file, &piece, err) : vmm_fail_nomem(err);
	}
	if (rc >= 0 && lies)
		rc = vmm_fail(err, VMM_E_FORMAT, 0, "a section outside the segments");
	return rc;
}

int vmm_image_file_read_sections(struct vmm_image_file *file, const struct vmm_image_bytes *bytes,
                                 struct vmm_arena *arena, uint64_t *budget, struct vmm_err *err)
{
	VMM_CLEANUP(section_tables_done) struct section_tables t = {0};
	size_t before = file->piece_count;
	struct vmm_image_piece headers[2];
	int rc;

	if (bytes->fd < 0 || file->header.shoff == 0)
		return 0;
	if (before > ARRAY_LEN(headers))
		return vmm_fail(err, VMM_E_FORMAT, 0, "sections were read before");
	for (size_t i = 0; i < before; i++)
		headers[i] = file->pieces[i];
	rc = read_section_tables(file, bytes, budget, &t, err);
	if (rc >= 0)
		rc = add_sections(file, &t, bytes->debug, arena, err);
	if (rc >= 0 && !settle_pieces(file->pieces, file->piece_count, before))
		rc = vmm_fail(err, VMM_E_FORMAT, 0, "sections overlap");
	file->sections = rc >= 0 && file->piece_count > before;
	if (!file->sections) {
		for (size_t i = 0; i < before; i++)
			file->pieces[i] = headers[i];
		file->piece_count = before;
	}
	if (rc == VMM_E_FAULT || rc == VMM_E_IO)
		rc = VMM_E_FORMAT;
	return rc < 0 ? rc : file->sections;
}

bool vmm_image_debug_open(const struct vmm_target *target, const char *build_id, struct vmm_image_bytes *ret)
{
	const struct vmm_file_places places = {target->sysroot, target->debug_dirs};
	VMM_CLEANUP_FD int fd = vmm_file_debug(&places, build_id);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size <= 0)
		return false;
	*ret = (struct vmm_image_bytes){.fd = fd, .debug = true, .size = (uint64_t)st.st_size};
	fd = -1;
	return true;
}

int vmm_image_file_read_debug(struct vmm_image_file *file, const struct vmm_target *target, struct vmm_arena *arena, uint64_t *budget,
                              struct vmm_err *err)
{
	unsigned char raw[VMM_ELF_HEADER_BYTES] = {0};
	struct vmm_elf_header own = file->header;
	struct vmm_image_bytes bytes;
	int rc = 0;

	if (!file->build_id_read || !file->build_id[0] || !vmm_image_debug_open(target, file->build_id, &bytes))
		return 0;
	if (vmm_image_bytes_read(&bytes, 0, raw, sizeof(raw), NULL) >= 0 && vmm_elf_parse_header(raw, sizeof(raw), &file->header, NULL) >= 0 &&
	    file->header.bits == own.bits && file->header.big_endian == own.big_endian)
		rc = vmm_image_file_read_sections(file, &bytes, arena, budget, err);
	file->header = own;
	vmm_close_fd(&bytes.fd);
	return rc;
}
