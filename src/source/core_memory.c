/*
 * Memory of a core: from the core itself, and pages of files that were never written to from the files, where those are
 * at hand and proved to be the same.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/search.h"
#include "source/core.h"

/* The piece that holds address; NULL: none does. */
static const struct core_piece *find(struct core_target *t, uint64_t address)
{
	const struct core_piece *p = t->last < t->piece_count ? &t->pieces[t->last] : NULL;
	size_t i;

	if (p && address >= p->start && address < p->end)
		return p;
	i = core_piece_at(t, address);
	if (i == t->piece_count || t->pieces[i].start > address)
		return NULL;
	t->last = i;
	return &t->pieces[i];
}

/*
 * Whether what a piece does not store stands in its file: the kernel stores every private mapping that was written to
 * (fs/coredump.c, vma_dump_size), as far as it stores private memory at all.
 */
static bool is_unmodified(const struct core_target *t, const struct core_piece *p)
{
	return p->backing == VMM_BACKING_FILE && t->anonymous_stored && !(p->prot & VMM_PROT_WRITE) && p->lost == 0;
}

/* The file behind what a piece does not store; NULL: it is not to be had. *ret_end: how far it reaches. */
static const struct core_name *file_of(struct core_target *t, const struct core_piece *p, uint64_t *ret_end)
{
	const struct core_name *n = is_unmodified(t, p) ? core_file_of(t, p->name) : NULL;

	if (!n || p->file_offset >= n->size)
		return NULL;
	/* Behind the file's end its last page goes on with zeros. */
	*ret_end = vmm_min_u64(p->end, vmm_add_sat(p->start, vmm_align_up(n->size - p->file_offset, 4096)));
	return n;
}

static int64_t read_file(const struct core_name *n, uint64_t offset, unsigned char *to, size_t length)
{
	size_t done = 0;

	while (done < length) {
		ssize_t got = pread(n->fd, to + done, length - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	memset(to + done, 0, length - done);
	return (int64_t)length;
}

/* Bytes of one piece from address on; 0: there are none. */
static int64_t read_piece(struct core_target *t, const struct core_piece *p, uint64_t address, unsigned char *to, size_t length,
                          struct vmm_err *err)
{
	uint64_t at = address - p->start, end;
	const struct core_name *n;

	if (at < p->stored)
		return vmm_bytes_read(t->bytes, p->offset + at, to, (size_t)vmm_min_u64(length, p->stored - at), err);
	n = file_of(t, p, &end);
	if (!n || address >= end)
		return 0;
	return read_file(n, p->file_offset + at, to, (size_t)vmm_min_u64(length, end - address));
}

int64_t core_read(struct vmm_target *base, uint64_t address, void *ret_bytes, size_t length, struct vmm_err *err)
{
	struct core_target *t = (struct core_target *)base;
	unsigned char *to = ret_bytes;
	size_t done = 0;

	while (done < length && address <= UINT64_MAX - done) {
		const struct core_piece *p = find(t, address + done);
		int64_t n = p ? read_piece(t, p, address + done, to + done, length - done, err) : 0;

		if (n < 0 && done == 0)
			return n;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return (int64_t)done;
}

bool core_stored(struct core_target *t, uint64_t address, void *ret_bytes, size_t length)
{
	unsigned char *to = ret_bytes;

	for (size_t done = 0; done < length;) {
		const struct core_piece *p = address <= UINT64_MAX - done ? find(t, address + done) : NULL;
		uint64_t at = p ? address + done - p->start : 0;
		int64_t n;

		if (!p || at >= p->stored)
			return false;
		n = vmm_bytes_read(t->bytes, p->offset + at, to + done, (size_t)vmm_min_u64(length - done, p->stored - at), NULL);
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

struct walk {
	vmm_page_fn fn;
	void *arg;
	struct vmm_page_run run; /* not handed out yet; start == end: none */
};

static int flush(struct walk *w)
{
	int rc = w->run.start < w->run.end ? w->fn(w->arg, &w->run) : 0;

	w->run.start = w->run.end;
	return rc;
}

static int emit(struct walk *w, uint64_t start, uint64_t end, uint32_t what)
{
	int rc = 0;

	if (start >= end)
		return 0;
	if (w->run.end == start && w->run.what == what && w->run.start < w->run.end) {
		w->run.end = end;
		return 0;
	}
	rc = flush(w);
	w->run = (struct vmm_page_run){start, end, what};
	return rc;
}

/*
 * What the core stores of [start, end): holes of the file are zeros, as they are in a copy of it without holes. They are
 * told apart only because nobody need read them.
 */
static int stored_runs(struct core_target *t, struct walk *w, const struct core_piece *p, uint64_t start, uint64_t end)
{
	int rc = 0;

	while (rc == 0 && start < end) {
		uint64_t offset = p->offset + (start - p->start), limit = offset + (end - start), from, to;

		if (!vmm_bytes_data(t->bytes, offset, &from, &to) || from >= limit)
			return emit(w, start, end, VMM_PAGE_PRESENT | VMM_PAGE_ZERO);
		/* Offsets of gcore are not on page borders: a page is a hole only when all of it is. */
		from = vmm_align_down(from - offset + start, 4096);
		to = to >= limit ? end : vmm_min_u64(vmm_align_up(to - offset + start, 4096), end);
		from = vmm_max_u64(from, start);
		rc = emit(w, start, from, VMM_PAGE_PRESENT | VMM_PAGE_ZERO);
		if (rc == 0)
			rc = emit(w, from, to, VMM_PAGE_PRESENT);
		start = to;
	}
	return rc;
}

static int piece_runs(struct core_target *t, struct walk *w, const struct core_piece *p, uint64_t start, uint64_t end)
{
	/* A cut-off core can end inside a page, which is lost then. */
	uint64_t stored_end = p->start + (p->lost ? vmm_align_down(p->stored, 4096) : p->stored), file_end;
	int rc = stored_runs(t, w, p, start, vmm_min_u64(end, stored_end));

	start = vmm_max_u64(start, stored_end);
	if (rc == 0 && start < end && file_of(t, p, &file_end))
		rc = emit(w, start, vmm_min_u64(end, file_end), VMM_PAGE_PRESENT | VMM_PAGE_FILE);
	return rc;
}

int core_pages(struct vmm_target *base, uint64_t start, uint64_t end, uint32_t flags, vmm_page_fn fn, void *arg,
               struct vmm_err *err)
{
	struct core_target *t = (struct core_target *)base;
	struct walk w = {.fn = fn, .arg = arg};
	int rc = 0;

	/* Guard pages read as holes of the core: it does not tell which they are. */
	if (flags & (VMM_PAGES_GUARDS | VMM_PAGES_RESIDENT) && t->sidecar)
		return t->sidecar->ops->pages(t->sidecar, start, end, flags, fn, arg, err);
	if (flags & (VMM_PAGES_GUARDS | VMM_PAGES_RESIDENT))
		return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "a core tells neither guard pages nor what was resident");
	for (size_t i = core_piece_at(t, start); rc == 0 && i < t->piece_count && t->pieces[i].start < end; i++)
		rc = piece_runs(t, &w, &t->pieces[i], vmm_max_u64(start, t->pieces[i].start), vmm_min_u64(end, t->pieces[i].end));
	return rc == 0 ? flush(&w) : rc;
}
