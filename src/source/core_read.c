/* Reading a core's headers and notes. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "source/core.h"

#define TABLE_CHUNK 1024 /* program headers read at once */
enum { PN_XNUM = 0xffff, SECTION_BYTES = 64, SEGMENT_BYTES = 56 };

/* All length bytes, or an error that names the core. */
static int read_exactly(struct core_target *t, uint64_t offset, void *ret_bytes, size_t length, const char *what, struct vmm_err *err)
{
	size_t done = 0;

	while (done < length) {
		int64_t n = vmm_bytes_read(t->bytes, offset + done, (char *)ret_bytes + done, length - done, err);

		if (n < 0)
			return (int)n;
		if (n == 0)
			return vmm_fail(err, VMM_E_FORMAT, 0, "%s: the core ends inside its %s, at byte %llu", t->path, what,
			                (unsigned long long)(offset + done));
		done += (size_t)n;
	}
	return 0;
}

static int read_header(struct core_target *t, struct vmm_err *err)
{
	unsigned char raw[VMM_ELF_HEADER_BYTES] = {0};
	int64_t n = vmm_bytes_read(t->bytes, 0, raw, sizeof(raw), err);
	int rc;

	if (n < 0)
		return (int)n;
	rc = vmm_elf_parse_header(raw, (size_t)n, &t->header, NULL);
	if (rc < 0)
		return vmm_fail(err, VMM_E_FORMAT, 0, "%s: no core: its ELF header is malformed or cut off", t->path);
	if (t->header.type != VMM_ELF_CORE)
		return vmm_fail(err, VMM_E_FORMAT, 0, "%s: an ELF file, but no core: give a core, a PID or the name of a process", t->path);
	if (t->header.big_endian)
		return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "%s: a big-endian core: only little-endian ones are understood", t->path);
	if (!vmm_core_machine_known(&t->header))
		return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "%s: a core of another machine (ELF number %u): those of x86-64, i386, aarch64 and arm "
		                "are understood", t->path, (unsigned)t->header.machine);
	return 0;
}

/* More than 65,534 segments: their number stands in section 0 (Linux fs/binfmt_elf.c, fill_extnum_info). */
static int count_segments(struct core_target *t, uint64_t *ret_count, struct vmm_err *err)
{
	unsigned char raw[SECTION_BYTES] = {0};
	struct vmm_elf_section s;
	int rc;

	*ret_count = t->header.phnum;
	if (t->header.phnum != PN_XNUM)
		return 0;
	rc = t->header.shoff ? read_exactly(t, t->header.shoff, raw, t->header.bits == 64 ? 64 : 40, "section header", err)
	                     : vmm_fail(err, VMM_E_FORMAT, 0, "%s: the core does not tell how many segments it has", t->path);
	if (rc < 0)
		return rc;
	if (!vmm_elf_section_at(&t->header, raw, sizeof(raw), 0, &s))
		return vmm_fail(err, VMM_E_FORMAT, 0, "%s: section header of the wrong size", t->path);
	*ret_count = s.info;
	return 0;
}

static int add_load(struct core_target *t, const struct vmm_elf_segment *s, struct vmm_err *err)
{
	struct core_segment *v;
	uint64_t end, offset_end;

	if (s->memsz == 0 && s->filesz == 0)
		return 0;
	/* Some writers leave memsz out; what is stored is mapped in any case. */
	if (__builtin_add_overflow(s->vaddr, vmm_max_u64(s->memsz, s->filesz), &end) ||
	    __builtin_add_overflow(s->offset, s->filesz, &offset_end)) {
		t->segments_dropped++;
		return 0;
	}
	if (!vmm_grow(&t->segments, &t->segment_capacity, t->segment_count + 1, sizeof(*v)))
		return vmm_fail_nomem(err);
	v = &t->segments[t->segment_count++];
	*v = (struct core_segment){.start = s->vaddr, .end = end, .offset = s->offset, .filesz = s->filesz, .flags = s->flags};
	if (s->filesz)
		t->wanted = vmm_max_u64(t->wanted, offset_end);
	return 0;
}

/* Appends a PT_NOTE to the notes. */
static int add_note(struct core_target *t, const struct vmm_elf_segment *s, struct vmm_err *err)
{
	uint64_t length = s->filesz, end;
	size_t at = (size_t)vmm_align_up(t->notes_length, 4);
	unsigned char *to;
	int64_t n = 0;

	if (__builtin_add_overflow(s->offset, length, &end))
		length = 0;
	if (t->size_known && s->offset + length > t->size)
		length = s->offset < t->size ? t->size - s->offset : 0;
	length = vmm_min_u64(length, at < CORE_NOTES_MAX ? CORE_NOTES_MAX - at : 0);
	t->notes_cut |= length < s->filesz;
	if (length == 0)
		return 0;
	if (!vmm_grow(&t->notes, &t->notes_capacity, at + length, 1))
		return vmm_fail_nomem(err);
	to = t->notes + at;
	memset(t->notes + t->notes_length, 0, at - t->notes_length);
	for (uint64_t done = 0; done < length; done += (uint64_t)n) {
		n = vmm_bytes_read(t->bytes, s->offset + done, to + done, (size_t)(length - done), err);
		if (n < 0)
			return (int)n;
		if (n == 0) {
			t->notes_cut = true;
			length = done;
			break;
		}
	}
	t->notes_length = at + (size_t)length;
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct core_segment *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Sorts by address; of segments that overlap the first one stays. */
static void settle_segments(struct core_target *t)
{
	size_t kept = 0;

	if (t->segment_count)
		qsort(t->segments, t->segment_count, sizeof(*t->segments), by_start);
	for (size_t i = 0; i < t->segment_count; i++) {
		if (kept && t->segments[i].start < t->segments[kept - 1].end) {
			t->segments_dropped++;
			continue;
		}
		t->segments[kept++] = t->segments[i];
	}
	t->segment_count = kept;
}

static int read_segments(struct core_target *t, struct vmm_err *err)
{
	VMM_CLEANUP_FREE unsigned char *table = NULL;
	size_t entry = t->header.phentsize;
	uint64_t count, left;
	int rc = count_segments(t, &count, err);

	if (rc < 0)
		return rc;
	if (count == 0)
		return vmm_fail(err, VMM_E_FORMAT, 0, "%s: the core has no segments", t->path);
	if (count > CORE_SEGMENTS_MAX || t->header.phoff > UINT64_MAX - count * entry)
		return vmm_fail(err, VMM_E_FORMAT, 0, "%s: the core claims to have %llu segments", t->path, (unsigned long long)count);
	if (t->size_known && (t->header.phoff > t->size || t->size - t->header.phoff < count * entry))
		return vmm_fail(err, VMM_E_FORMAT, 0, "%s: the core ends at byte %llu, before its table of %llu segments does", t->path,
		                (unsigned long long)t->size, (unsigned long long)count);
	table = vmm_alloc_hook(NULL, TABLE_CHUNK * entry);
	if (!table)
		return vmm_fail_nomem(err);
	for (uint64_t i = 0; rc >= 0 && i < count; i += left) {
		struct vmm_elf_segment s;

		left = vmm_min_u64(count - i, TABLE_CHUNK);
		rc = read_exactly(t, t->header.phoff + i * entry, table, (size_t)left * entry, "table of segments", err);
		for (uint32_t k = 0; rc >= 0 && k < left; k++) {
			if (!vmm_elf_segment_at(&t->header, table, (size_t)left * entry, k, &s))
				return vmm_fail(err, VMM_E_FORMAT, 0, "%s: malformed table of segments", t->path);
			if (s.type == VMM_ELF_PT_LOAD)
				rc = add_load(t, &s, err);
			else if (s.type == VMM_ELF_PT_NOTE)
				rc = add_note(t, &s, err);
		}
	}
	settle_segments(t);
	return rc < 0 ? rc : 0;
}

static bool is_core_note(const struct vmm_elf_note *n, const char *owner)
{
	return n->name_length == strlen(owner) && memcmp(n->name, owner, n->name_length) == 0;
}

static int add_thread(struct core_target *t, const struct vmm_core_thread *th, struct vmm_err *err)
{
	if (!vmm_grow(&t->threads, &t->thread_capacity, t->thread_count + 1, sizeof(*th)))
		return vmm_fail_nomem(err);
	t->threads[t->thread_count++] = *th;
	return 0;
}

int core_name_add(struct core_target *t, const char *text, size_t length, uint32_t *ret, struct vmm_err *err)
{
	struct core_name *n;

	/* Mappings of one file stand together; a name that comes again later gets another number, which costs little. */
	for (size_t back = 1; back <= 64 && back <= t->name_count; back++) {
		n = &t->names[t->name_count - back];
		if (strlen(n->raw) == length && memcmp(n->raw, text, length) == 0) {
			*ret = (uint32_t)(t->name_count - back);
			return 0;
		}
	}
	if (!vmm_grow(&t->names, &t->name_capacity, t->name_count + 1, sizeof(*t->names)))
		return vmm_fail_nomem(err);
	n = &t->names[t->name_count];
	*n = (struct core_name){.fd = -1, .first = VMM_NONE, .header = VMM_NONE};
	n->raw = vmm_alloc_hook(NULL, length + 1);
	n->path = vmm_alloc_hook(NULL, length + 1);
	if (!n->raw || !n->path) {
		free(n->raw);
		free(n->path);
		return vmm_fail_nomem(err);
	}
	memcpy(n->raw, text, length);
	n->raw[length] = '\0';
	memcpy(n->path, n->raw, length + 1);
	*ret = (uint32_t)t->name_count++;
	return 0;
}

static int add_files(struct core_target *t, const struct vmm_elf_note *n, struct vmm_err *err)
{
	struct vmm_core_files files;
	struct vmm_core_file f;

	if (!vmm_core_files_init(&t->header, n, &files))
		return 0;
	t->has_files = true;
	while (vmm_core_files_next(&files, &f)) {
		struct core_mapped m = {.start = f.start, .end = f.end, .offset = f.offset};
		int rc = core_name_add(t, f.name, f.name_length, &m.name, err);

		if (rc < 0)
			return rc;
		if (!vmm_grow(&t->mapped, &t->mapped_capacity, t->mapped_count + 1, sizeof(m)))
			return vmm_fail_nomem(err);
		t->mapped[t->mapped_count++] = m;
	}
	return 0;
}

static int take_note(struct core_target *t, const struct vmm_elf_note *n, struct vmm_err *err)
{
	struct vmm_core_thread th;

	switch (n->type) {
	case VMM_NT_PRSTATUS:
		return vmm_core_prstatus(&t->header, n, &th) ? add_thread(t, &th, err) : 0;
	case VMM_NT_PRPSINFO:
		/* gdb begins with it, the kernel and qemu with the thread that the signal hit. */
		t->by_gdb |= t->thread_count == 0;
		t->process_known |= vmm_core_prpsinfo(&t->header, n, &t->process);
		return 0;
	case VMM_NT_SIGINFO:
		t->signal_known |= !t->signal_known && vmm_core_siginfo(&t->header, n, &t->signal);
		return 0;
	case VMM_NT_AUXV:
		t->auxv = n->desc;
		t->auxv_length = n->desc_length;
		return 0;
	case VMM_NT_FILE:
		return t->has_files ? 0 : add_files(t, n, err);
	default:
		return 0;
	}
}

static int parse_notes(struct core_target *t, struct vmm_err *err)
{
	struct vmm_elf_note n;
	size_t at = 0;
	int rc = 0;

	/* Notes of cores are aligned to 4 bytes, whatever p_align says (fs/binfmt_elf.c, notesize). */
	while (rc == 0 && vmm_elf_note_next(&t->header, t->notes, t->notes_length, 4, &at, &n)) {
		if (is_core_note(&n, "CORE"))
			rc = take_note(t, &n, err);
		else if (is_core_note(&n, "LINUX") && t->thread_count)
			vmm_core_tls(&t->header, &n, &t->threads[t->thread_count - 1]);
	}
	return rc;
}

bool core_auxv(const struct core_target *t, uint64_t type, uint64_t *ret_value)
{
	return t->auxv && vmm_auxv_find(t->auxv, t->auxv_length, t->header.bits, type, ret_value);
}

int core_load(struct core_target *t, struct vmm_err *err)
{
	int rc = read_header(t, err);

	if (rc == 0)
		rc = read_segments(t, err);
	return rc == 0 && t->notes_length ? parse_notes(t, err) : rc;
}
