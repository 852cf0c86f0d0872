/* What an ELF object says of itself: its program headers and build-id. */
#include "analysis/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEGMENT_TABLE_MAX (1024 * 1024) /* bytes of program headers */
#define NOTE_MAX (64 * 1024)            /* bytes of one PT_NOTE; a build-id is among the first */
#define NOTE_SEGMENTS_MAX 32
enum { PN_XNUM = 0xffff };

int vmm_image_bytes_read(const struct vmm_image_bytes *bytes, uint64_t offset, void *ret_bytes, size_t length,
                         struct vmm_err *err)
{
	uint64_t absent = 0, address;
	size_t got = 0;
	int rc;

	if (bytes->fd < 0) {
		if (__builtin_add_overflow(bytes->address, offset, &address) || address > UINT64_MAX - length)
			return vmm_fail(err, VMM_E_FAULT, 0, "ELF offset outside memory");
		rc = vmm_target_read_present(bytes->target, address, ret_bytes, length, &absent, err);
		if (rc >= 0 && absent)
			return vmm_fail(err, VMM_E_FAULT, 0, "ELF header is not in memory now");
		return rc < 0 ? rc : 0;
	}
	if (offset > bytes->size || bytes->size - offset < length)
		return vmm_fail(err, VMM_E_FAULT, 0, "ELF file ends too early");
	while (got < length) {
		ssize_t n = pread(bytes->fd, (char *)ret_bytes + got, length - got, (off_t)(offset + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vmm_fail(err, VMM_E_IO, errno, "cannot read an ELF file");
		if (n == 0)
			return vmm_fail(err, VMM_E_FAULT, 0, "ELF file ends too early");
		got += (size_t)n;
	}
	return 0;
}

int vmm_image_table_read(const struct vmm_image_bytes *bytes, uint64_t offset, uint64_t length,
                         unsigned char **ret_table, struct vmm_err *err)
{
	unsigned char *table = NULL;
	int rc;

	/* Ask the file's size first, so that a lie costs no memory. */
	if (bytes->fd >= 0 && (offset > bytes->size || bytes->size - offset < length))
		return vmm_fail(err, VMM_E_FAULT, 0, "ELF file ends too early");
	table = vmm_alloc_hook(NULL, length ? (size_t)length : 1);
	if (!table)
		return vmm_fail_nomem(err);
	rc = vmm_image_bytes_read(bytes, offset, table, (size_t)length, err);
	if (rc < 0) {
		free(table);
		return rc;
	}
	*ret_table = table;
	return 0;
}

int vmm_image_section0_read(const struct vmm_image_file *file, const struct vmm_image_bytes *bytes,
                            struct vmm_elf_section *ret, struct vmm_err *err)
{
	unsigned char raw[VMM_ELF_HEADER_BYTES];
	size_t length = file->header.bits == 64 ? 64 : 40;
	int rc = bytes->fd < 0 ? vmm_fail(err, VMM_E_FORMAT, 0, "section headers are not in memory") :
	                         vmm_image_bytes_read(bytes, file->header.shoff, raw, length, err);

	if (rc < 0)
		return rc;
	if (!vmm_elf_section_at(&file->header, raw, length, 0, ret))
		return vmm_fail(err, VMM_E_FORMAT, 0, "section headers of the wrong size");
	return 0;
}

static int add_load(struct vmm_image_file *file, const struct vmm_elf_segment *s, struct vmm_err *err)
{
	uint64_t limit = file->header.bits == 32 ? UINT64_C(1) << 32 : UINT64_MAX - file->page;
	struct vmm_image_segment *v;

	if (s->memsz == 0)
		return 0;
	if (s->filesz > s->memsz || s->vaddr > limit || s->memsz > limit - s->vaddr ||
	    s->offset > UINT64_MAX - s->filesz || ((s->vaddr ^ s->offset) & (file->page - 1)))
		return vmm_fail(err, VMM_E_FORMAT, 0, "PT_LOAD that no loader takes");
	if (!vmm_grow(&file->segments, &file->segment_capacity, file->segment_count + 1, sizeof(*v)))
		return vmm_fail_nomem(err);
	v = &file->segments[file->segment_count++];
	*v = (struct vmm_image_segment){.start = s->vaddr,
	                                .file_end = s->vaddr + s->filesz,
	                                .end = s->vaddr + s->memsz,
	                                .offset = s->offset,
	                                .page_offset = vmm_align_down(s->offset, file->page),
	                                .flags = s->flags};
	return 0;
}

static int add_note(struct vmm_image_file *file, const struct vmm_elf_segment *s, struct vmm_err *err)
{
	if (file->note_count >= NOTE_SEGMENTS_MAX)
		return 0;
	if (!vmm_grow(&file->notes, &file->note_capacity, file->note_count + 1, sizeof(*s)))
		return vmm_fail_nomem(err);
	file->notes[file->note_count++] = *s;
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct vmm_image_segment *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Sorts the segments and makes their addresses relative. */
static int settle_loads(struct vmm_image_file *file, struct vmm_err *err)
{
	uint64_t page = file->page, end = 0;

	if (file->segment_count == 0)
		return vmm_fail(err, VMM_E_FORMAT, 0, "no PT_LOAD");
	qsort(file->segments, file->segment_count, sizeof(*file->segments), by_start);
	file->low = vmm_align_down(file->segments[0].start, page);
	for (size_t i = 0; i < file->segment_count; i++) {
		struct vmm_image_segment *s = &file->segments[i];

		if (i && s->start < end)
			return vmm_fail(err, VMM_E_FORMAT, 0, "PT_LOADs overlap");
		end = s->end;
		s->start -= file->low;
		s->file_end -= file->low;
		s->end -= file->low;
		s->page_start = vmm_align_down(s->start, page);
		s->file_page_end = vmm_align_up(s->file_end, page);
		s->page_end = vmm_align_up(s->end, page);
		file->span = vmm_max_u64(file->span, s->page_end);
	}
	return 0;
}

static int read_segments(struct vmm_image_file *file, const struct vmm_image_bytes *bytes, struct vmm_err *err)
{
	const struct vmm_elf_header *h = &file->header;
	VMM_CLEANUP_FREE unsigned char *table = NULL;
	uint64_t count = h->phnum, length;
	struct vmm_elf_segment s, tls = {0};
	struct vmm_elf_section zero;
	int rc = 0;

	if (count == PN_XNUM) {
		rc = vmm_image_section0_read(file, bytes, &zero, err);
		if (rc < 0)
			return rc;
		count = zero.info;
	}
	length = count * h->phentsize;
	if (count == 0 || count > VMM_ELF_SEGMENTS_MAX || length > SEGMENT_TABLE_MAX)
		return vmm_fail(err, VMM_E_FORMAT, 0, "%llu program headers", (unsigned long long)count);
	file->header.phnum = (uint32_t)count;
	rc = vmm_image_table_read(bytes, h->phoff, length, &table, err);
	for (uint32_t i = 0; rc >= 0 && vmm_elf_segment_at(h, table, (size_t)length, i, &s); i++) {
		if (s.type == VMM_ELF_PT_LOAD)
			rc = add_load(file, &s, err);
		else if (s.type == VMM_ELF_PT_NOTE)
			rc = add_note(file, &s, err);
		else if (s.type == VMM_ELF_PT_TLS)
			tls = s;
	}
	if (rc >= 0)
		rc = settle_loads(file, err);
	if (rc >= 0 && tls.vaddr >= file->low && tls.filesz <= file->span && tls.vaddr - file->low <= file->span - tls.filesz) {
		file->tls_start = tls.vaddr - file->low;
		file->tls_end = file->tls_start + tls.filesz;
	}
	return rc;
}

/* Where bytes [offset, offset + length) of the file are mapped first; false when they are not, or not in one piece. */
static bool locate(const struct vmm_image_file *file, uint64_t offset, uint64_t length, struct vmm_image_piece *ret)
{
	/* The second round takes bytes that are mapped only because their page is. */
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < file->segment_count; i++) {
			const struct vmm_image_segment *s = &file->segments[i];
			uint64_t from = round ? s->page_offset : s->offset;
			uint64_t to = s->offset + (s->file_end - s->start);

			if (offset < from || offset >= to || to - offset < length)
				continue;
			ret->start = s->page_start + (offset - s->page_offset);
			ret->end = ret->start + length;
			return true;
		}
	return false;
}

int vmm_image_piece_add(struct vmm_image_file *file, const struct vmm_image_piece *piece, struct vmm_err *err)
{
	if (!vmm_grow(&file->pieces, &file->piece_capacity, file->piece_count + 1, sizeof(*piece)))
		return vmm_fail_nomem(err);
	file->pieces[file->piece_count++] = *piece;
	return 0;
}

/* The ELF header and the program headers, which stand elsewhere when a tool like patchelf moved them. */
static int add_header_pieces(struct vmm_image_file *file, struct vmm_err *err)
{
	const struct vmm_elf_header *h = &file->header;
	uint64_t header_size = h->bits == 64 ? 64 : 52, table_size = (uint64_t)h->phnum * h->phentsize;
	struct vmm_image_piece a = {.label = "header"}, b = {.label = "header"};
	bool found = locate(file, 0, header_size, &a);
	int rc = 0;

	if (locate(file, h->phoff, table_size, &b)) {
		if (found && b.start <= a.end && b.end >= a.start) {
			a.start = vmm_min_u64(a.start, b.start);
			a.end = vmm_max_u64(a.end, b.end);
		} else if (found && b.start < a.start) {
			rc = vmm_image_piece_add(file, &b, err);
		} else {
			rc = found ? vmm_image_piece_add(file, &a, err) : 0;
			a = b;
			found = true;
		}
	}
	return rc < 0 || !found ? rc : vmm_image_piece_add(file, &a, err);
}

int vmm_image_file_read(struct vmm_image_file *file, const struct vmm_image_bytes *bytes, uint64_t page,
                        struct vmm_err *err)
{
	unsigned char raw[VMM_ELF_HEADER_BYTES] = {0};
	int rc;

	*file = (struct vmm_image_file){.page = page, .size_known = bytes->fd >= 0, .size = bytes->size};
	rc = vmm_image_bytes_read(bytes, 0, raw, 52, err); /* the shorter class; no loadable object ends here */
	if (rc >= 0 && raw[4] == 2)
		rc = vmm_image_bytes_read(bytes, 0, raw, sizeof(raw), err);
	/* A file that is too short for a header is none; memory that is absent tells nothing. */
	if (rc == VMM_E_FAULT && bytes->fd >= 0)
		rc = VMM_E_FORMAT;
	if (rc >= 0)
		rc = vmm_elf_parse_header(raw, sizeof(raw), &file->header, err);
	if (rc >= 0 && file->header.type != VMM_ELF_EXEC && file->header.type != VMM_ELF_DYN)
		rc = vmm_fail(err, VMM_E_FORMAT, 0, "an ELF file that is not loadable");
	if (rc >= 0)
		rc = read_segments(file, bytes, err);
	if (rc == VMM_E_FAULT && bytes->fd >= 0)
		rc = VMM_E_FORMAT;
	if (rc >= 0)
		rc = add_header_pieces(file, err);
	if (rc < 0)
		vmm_image_file_done(file);
	return rc < 0 ? rc : 0;
}

void vmm_image_file_done(struct vmm_image_file *file)
{
	free(file->segments);
	free(file->notes);
	free(file->pieces);
	*file = (struct vmm_image_file){0};
}

/* One PT_NOTE: from the file by offset, from memory by address. */
static int read_note(const struct vmm_image_file *file, const struct vmm_image_bytes *bytes, uint64_t base,
                     const struct vmm_elf_segment *s, unsigned char **ret_note, struct vmm_err *err)
{
	uint64_t length = vmm_min_u64(s->filesz, NOTE_MAX);
	struct vmm_image_bytes memory = *bytes;

	if (bytes->fd >= 0)
		return vmm_image_table_read(bytes, s->offset, length, ret_note, err);
	if (s->vaddr < file->low || s->vaddr - file->low > file->span)
		return vmm_fail(err, VMM_E_FAULT, 0, "PT_NOTE is not mapped");
	memory.address = base;
	return vmm_image_table_read(&memory, s->vaddr - file->low, length, ret_note, err);
}

int vmm_image_file_read_build_id(struct vmm_image_file *file, const struct vmm_image_bytes *bytes, uint64_t base,
                                 struct vmm_err *err)
{
	unsigned char id[VMM_ELF_BUILD_ID_MAX];
	bool failed = false;
	size_t n = 0;

	for (size_t i = 0; i < file->note_count && n == 0; i++) {
		const struct vmm_elf_segment *s = &file->notes[i];
		VMM_CLEANUP_FREE unsigned char *note = NULL;
		int rc = read_note(file, bytes, base, s, &note, err);

		if (rc == VMM_E_NOMEM)
			return rc;
		failed |= rc < 0;
		if (rc >= 0)
			n = vmm_elf_build_id(&file->header, note, (size_t)vmm_min_u64(s->filesz, NOTE_MAX), s->align,
			                     id);
	}
	vmm_elf_build_id_text(id, n, file->build_id);
	file->build_id_read = n || !failed;
	return 0;
}
