/* Keeping contents: page runs of all mappings, and the bytes of pages that are wanted and there. Absent pages are not touched. */
#include "session/memory.h"

#include <stdlib.h>
#include <string.h>

#ifdef VMM_HAVE_ZSTD
#include <zstd.h>
#endif

#include "model/build.h"
#include "session/store.h"

#define ZSTD_LEVEL 3
#define TLS_BELOW (UINT64_C(1) << 20) /* of a thread's descriptor: its variables */
#define TLS_ABOVE (UINT64_C(64) << 10)
#define SMALL_REGION (UINT64_C(64) << 10) /* Private Data that may be an allocator's own, as mimalloc's of each thread */
#define SMALL_MOST (UINT64_C(16) << 20)   /* bytes of all those together */

struct range {
	uint64_t start, end;
};

struct capture {
	struct vmm_session *session;
	struct vmm_session_target *st;
	struct vmm_target *t;
	const struct vmm_snapshot *s;
	uint32_t kinds, number;
	struct vmm_err *err;
	/* Of the region being walked. */
	struct vmm_page_run *runs;
	size_t run_count, run_capacity;
	/* Pages whose bytes are wanted, of all regions. */
	struct range *wanted;
	size_t wanted_count, wanted_capacity;
	uint64_t small;
	sqlite3_stmt *kept; /* of the bytes that a row has */
	bool refused; /* the page map may not be read */
	unsigned char bytes[65536], packed[65536];
#ifdef VMM_HAVE_ZSTD
	ZSTD_CCtx *zstd;
#endif
};

static int collect(void *arg, const struct vmm_page_run *run)
{
	struct capture *c = arg;
	struct vmm_page_run *last = c->run_count ? &c->runs[c->run_count - 1] : NULL;

	if (last && last->end == run->start && last->what == run->what) {
		last->end = run->end;
		return 0;
	}
	if (!vmm_grow(&c->runs, &c->run_capacity, c->run_count + 1, sizeof(*c->runs)))
		return vmm_fail_nomem(c->err);
	c->runs[c->run_count++] = *run;
	return 0;
}

static int want(struct capture *c, uint64_t start, uint64_t end)
{
	struct range *last = c->wanted_count ? &c->wanted[c->wanted_count - 1] : NULL;

	if (start >= end)
		return 0;
	if (last && start <= last->end) {
		last->end = vmm_max_u64(last->end, end);
		return 0;
	}
	if (!vmm_grow(&c->wanted, &c->wanted_capacity, c->wanted_count + 1, sizeof(*c->wanted)))
		return vmm_fail_nomem(c->err);
	c->wanted[c->wanted_count++] = (struct range){start, end};
	return 0;
}

/*
 * Whether a run of pages is wanted. With heaps goes what their readers go by: data that the program changed in its images,
 * and their first pages, which tell the build-id; stacks, on which threads keep their variables.
 */
static bool run_wanted(const struct capture *c, const struct vmm_region *r, const struct vmm_page_run *run)
{
	if (!(run->what & VMM_PAGE_PRESENT) || run->what & (VMM_PAGE_GUARD | VMM_PAGE_ZERO | VMM_PAGE_SWAPPED))
		return false;
	if (c->kinds >> r->kind & 1)
		return true;
	if (!(c->kinds >> VMM_KIND_HEAP & 1))
		return false;
	return r->kind == VMM_KIND_STACK || (r->kind == VMM_KIND_IMAGE && !(run->what & VMM_PAGE_FILE));
}

/* What readers need of Private Data: small regions, and what lies around the descriptors of threads, as of the first one. */
static int want_private(struct capture *c, const struct vmm_region *r, const struct vmm_page_run *run)
{
	int rc = 0;

	if (!(c->kinds >> VMM_KIND_HEAP & 1) || r->kind != VMM_KIND_PRIVATE_DATA || !(run->what & VMM_PAGE_PRESENT) ||
	    run->what & (VMM_PAGE_GUARD | VMM_PAGE_ZERO))
		return 0;
	if (r->end - r->start <= SMALL_REGION && c->small < SMALL_MOST) {
		c->small += run->end - run->start;
		return want(c, run->start, run->end);
	}
	for (uint32_t i = 0; rc == 0 && i < c->s->thread_count; i++) {
		uint64_t d = c->s->threads[i].descriptor;
		uint64_t low = d > TLS_BELOW ? vmm_align_down(d - TLS_BELOW, VMM_GRANULE_PAGE) : 0;
		uint64_t high = vmm_align_up(vmm_add_sat(d, TLS_ABOVE), VMM_GRANULE_PAGE);

		if (d >= r->start && d < r->end)
			rc = want(c, vmm_max_u64(low, run->start), vmm_min_u64(high, run->end));
	}
	return rc;
}

static int want_runs(struct capture *c, const struct vmm_region *r)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < c->run_count; i++) {
		const struct vmm_page_run *run = &c->runs[i];

		if (run_wanted(c, r, run))
			rc = want(c, run->start, run->end);
		else if (r->kind == VMM_KIND_IMAGE && c->kinds >> VMM_KIND_HEAP & 1 && run->start == r->start && run->what & VMM_PAGE_PRESENT)
			rc = want(c, run->start, run->start + VMM_GRANULE_PAGE);
		else
			rc = want_private(c, r, run);
	}
	return rc;
}

static int put_runs(struct capture *c, struct vmm_writer *w, const struct vmm_region *r)
{
	struct vmm_pack p = {0};
	uint64_t at = vmm_align_down(r->start, VMM_GRANULE_PAGE);
	int rc;

	for (size_t i = 0; i < c->run_count; i++) {
		vmm_pack_put(&p, (c->runs[i].start - at) / VMM_GRANULE_PAGE);
		vmm_pack_put(&p, (c->runs[i].end - c->runs[i].start) / VMM_GRANULE_PAGE);
		vmm_pack_put(&p, c->runs[i].what);
		at = c->runs[i].end;
	}
	vmm_row_int(&w->row, VMM_PAGES_START, r->start);
	vmm_row_int(&w->row, VMM_PAGES_SPAN, r->end - r->start);
	vmm_row_data(&w->row, VMM_PAGES_RUNS, p.used ? p.bytes : (const unsigned char *)"", p.used);
	rc = p.failed ? vmm_fail_nomem(c->err) : vmm_writer_put(w);
	vmm_pack_done(&p);
	return rc;
}

/* Runs that are not whole pages, or out of order, are no runs. */
static bool runs_sound(const struct capture *c)
{
	for (size_t i = 0; i < c->run_count; i++)
		if ((c->runs[i].start | c->runs[i].end) % VMM_GRANULE_PAGE || c->runs[i].start >= c->runs[i].end ||
		    (i && c->runs[i].start < c->runs[i - 1].end))
			return false;
	return true;
}

static int walk_region(struct capture *c, struct vmm_writer *w, const struct vmm_region *r)
{
	const struct vmm_block *blocks = &c->s->blocks[r->first_block];
	int rc = 0;

	c->run_count = 0;
	for (uint32_t i = 0; rc == 0 && i < r->block_count; i++) {
		const struct vmm_vma *v = &c->s->vmas[blocks[i].vma];
		/* A page that two regions share belongs to the one that begins in it no more than to the other: both walk it. */
		uint64_t start = vmm_max_u64(v->start, vmm_align_down(r->start, VMM_GRANULE_PAGE));
		uint64_t end = vmm_min_u64(v->end, vmm_align_up(r->end, VMM_GRANULE_PAGE));

		if ((i && blocks[i].vma == blocks[i - 1].vma) || !vmm_vma_readable(v))
			continue;
		rc = c->t->ops->pages(c->t, start, end, 0, collect, c, c->err);
	}
	if (rc == 0 && runs_sound(c))
		rc = put_runs(c, w, r);
	return rc == 0 ? want_runs(c, r) : rc;
}

static int walk_regions(struct capture *c)
{
	struct vmm_writer *w = vmm_alloc_hook(NULL, sizeof(*w));
	int rc;

	if (!w)
		return vmm_fail_nomem(c->err);
	rc = vmm_writer_begin(w, c->session, c->st, VMM_TABLE_PAGES, c->number, c->err);
	for (uint32_t i = 0; rc == 0 && i < c->s->region_count; i++)
		if (!c->s->regions[i].outside && c->s->regions[i].kind != VMM_KIND_DEVICE)
			rc = walk_region(c, w, &c->s->regions[i]);
	/* What may not be read leaves nothing to keep; the snapshot itself is as good as without. */
	if (rc == VMM_E_DENIED || rc == VMM_E_UNSUPPORTED || rc == VMM_E_GONE) {
		c->refused = true;
		vmm_writer_end(w, rc);
		rc = 0;
	} else {
		rc = vmm_writer_end(w, rc);
	}
	free(w);
	return rc;
}

/* --- bytes --- */

/* Reads the wanted pages of one granule to the front of c->bytes, without gaps. Returns their mask. */
static uint32_t granule_read(struct capture *c, uint64_t granule, size_t *at, size_t *ret_length)
{
	uint64_t end = granule + VMM_GRANULE_BYTES;
	uint32_t mask = 0;
	size_t used = 0;

	for (; *at < c->wanted_count && c->wanted[*at].start < end; ++*at) {
		uint64_t start = vmm_max_u64(c->wanted[*at].start, granule), stop = vmm_min_u64(c->wanted[*at].end, end);

		while (start < stop) {
			int64_t n = c->t->ops->read(c->t, start, c->bytes + used, (size_t)(stop - start), NULL);
			uint64_t pages = n > 0 ? (uint64_t)n / VMM_GRANULE_PAGE : 0;

			mask |= (uint32_t)(((UINT64_C(1) << pages) - 1) << ((start - granule) / VMM_GRANULE_PAGE));
			used += (size_t)(pages * VMM_GRANULE_PAGE);
			/* A page that went away meanwhile, or that nobody may read. */
			start += (pages ? pages : 1) * VMM_GRANULE_PAGE;
		}
		if (c->wanted[*at].end > end)
			break;
	}
	*ret_length = used;
	return mask;
}

/* The bytes as they are kept: compressed where that helps. */
static enum vmm_codec granule_pack(struct capture *c, size_t length, const unsigned char **ret, size_t *ret_length)
{
	*ret = c->bytes;
	*ret_length = length;
#ifdef VMM_HAVE_ZSTD
	if (c->zstd) {
		size_t n = ZSTD_compressCCtx(c->zstd, c->packed, sizeof(c->packed), c->bytes, length, ZSTD_LEVEL);

		if (!ZSTD_isError(n) && n < length) {
			*ret = c->packed;
			*ret_length = n;
			return VMM_CODEC_ZSTD;
		}
	}
#endif
	return VMM_CODEC_RAW;
}

/* 1: the row holds these very bytes. Equal hashes do not say so: the target chooses what is hashed. */
static int granule_same(struct capture *c, int64_t id, size_t length)
{
	int64_t codec = 0;
	const void *data;
	bool same;
	int rc = c->kept ? 0 : vmm_sql_prepare(c->session, "SELECT codec, data FROM memory WHERE id = ?1", &c->kept, c->err);

	if (rc < 0)
		return rc;
	sqlite3_bind_int64(c->kept, 1, id);
	rc = vmm_sql_step(c->session, c->kept, c->err);
	data = rc == 1 ? sqlite3_column_blob(c->kept, 1) : NULL;
	same = data && vmm_sql_int(c->kept, 0, 0, VMM_CODEC_ZSTD, &codec) &&
	       vmm_granule_unpack(codec, data, (size_t)sqlite3_column_bytes(c->kept, 1), c->packed, length) &&
	       memcmp(c->packed, c->bytes, length) == 0;
	sqlite3_reset(c->kept);
	return rc < 0 ? rc : same;
}

static int granule_put(struct capture *c, struct vmm_writer *w, uint64_t granule, uint32_t mask, size_t length)
{
	uint64_t hash = vmm_session_hash(c->bytes, length);
	int64_t id;
	int same = 0;

	vmm_row_int(&w->row, VMM_MEMORY_START, granule);
	vmm_row_int(&w->row, VMM_MEMORY_PRESENT, mask);
	vmm_row_int(&w->row, VMM_MEMORY_HASH, hash);
	if (vmm_writer_same(w, &id))
		same = granule_same(c, id, length);
	if (same < 0)
		return same;
	if (!same) {
		const unsigned char *bytes;
		size_t packed;

		/* Told apart from what has the same hash. */
		if (vmm_writer_same(w, &id))
			vmm_row_int(&w->row, VMM_MEMORY_HASH, hash + 1);
		vmm_row_int(&w->row, VMM_MEMORY_CODEC, granule_pack(c, length, &bytes, &packed));
		vmm_row_data(&w->row, VMM_MEMORY_DATA, bytes, packed);
	}
	return vmm_writer_put(w);
}

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Sorted and joined: what two regions share was wanted twice. */
static void join_wanted(struct capture *c)
{
	size_t n = 0;

	if (c->wanted_count)
		qsort(c->wanted, c->wanted_count, sizeof(*c->wanted), compare_ranges);
	for (size_t i = 0; i < c->wanted_count; i++)
		if (n && c->wanted[i].start <= c->wanted[n - 1].end)
			c->wanted[n - 1].end = vmm_max_u64(c->wanted[n - 1].end, c->wanted[i].end);
		else
			c->wanted[n++] = c->wanted[i];
	c->wanted_count = n;
}

static int put_granules(struct capture *c)
{
	struct vmm_writer *w = vmm_alloc_hook(NULL, sizeof(*w));
	uint64_t next = 0;
	size_t at = 0;
	int rc;

	if (!w)
		return vmm_fail_nomem(c->err);
	join_wanted(c);
	rc = vmm_writer_begin(w, c->session, c->st, VMM_TABLE_MEMORY, c->number, c->err);
	while (rc == 0 && at < c->wanted_count) {
		uint64_t granule = vmm_align_down(vmm_max_u64(c->wanted[at].start, next), VMM_GRANULE_BYTES);
		size_t length;
		uint32_t mask = granule_read(c, granule, &at, &length);

		if (mask)
			rc = granule_put(c, w, granule, mask, length);
		next = granule + VMM_GRANULE_BYTES;
	}
	rc = vmm_writer_end(w, rc);
	free(w);
	return rc;
}

int vmm_session_keep_memory(struct vmm_session *s, struct vmm_session_target *st, uint32_t number, const struct vmm_snapshot *snapshot,
                            const struct vmm_session_memory *memory, uint32_t *ret_contents, struct vmm_err *err)
{
	struct capture *c;
	int rc;

	*ret_contents = 0;
	if (!memory || !memory->kinds || !snapshot->region_count)
		return 0;
	c = vmm_alloc_hook(NULL, sizeof(*c));
	if (!c)
		return vmm_fail_nomem(err);
	memset(c, 0, offsetof(struct capture, bytes));
	c->session = s;
	c->st = st;
	c->t = memory->target;
	c->s = snapshot;
	c->kinds = memory->kinds;
	c->number = number;
	c->err = err;
#ifdef VMM_HAVE_ZSTD
	c->zstd = ZSTD_createCCtx();
#endif
	rc = walk_regions(c);
	if (rc == 0 && !c->refused)
		rc = put_granules(c);
	if (rc == 0 && !c->refused)
		*ret_contents = VMM_CONTENTS_KEPT | (c->t->residency_unknown ? VMM_CONTENTS_RESIDENCY_UNKNOWN : 0);
#ifdef VMM_HAVE_ZSTD
	ZSTD_freeCCtx(c->zstd);
#endif
	sqlite3_finalize(c->kept);
	free(c->runs);
	free(c->wanted);
	free(c);
	return rc;
}
