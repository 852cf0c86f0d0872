/* Contents out of a session. */
#include "session/memory.h"

#include <stdlib.h>
#include <string.h>

#ifdef VMM_HAVE_ZSTD
#include <zstd.h>
#endif

#include "base/search.h"
#include "session/store.h"

#define CACHED 64 /* granules: 4 MiB */
#define PAGES_MAX (UINT64_C(1) << 52)

struct granule {
	uint64_t start;
	int64_t id;
	uint32_t mask;
};

struct cached {
	int64_t id; /* 0: empty */
	size_t length;
	unsigned char bytes[VMM_GRANULE_BYTES];
};

struct vmm_stored {
	struct vmm_session *session;
	uint32_t contents;
	struct granule *granules; /* by start */
	size_t granule_count, granule_capacity;
	struct vmm_page_run *runs; /* by start, disjoint */
	size_t run_count, run_capacity;
	sqlite3_stmt *st;
	struct cached *cache; /* CACHED of them; made at the first read */
};

/* --- opening --- */

static int compare_starts(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int read_granules(struct vmm_stored *m, uint32_t target, uint32_t number, struct vmm_err *err)
{
	VMM_CLEANUP_STMT sqlite3_stmt *st = NULL;
	int64_t low, high, id = -1, start, mask;
	int rc = vmm_segment_find(m->session, target, VMM_TABLE_MEMORY, number, &low, &high, err);

	if (rc == 0)
		rc = vmm_sql_prepare(m->session, "SELECT id, start, present FROM memory WHERE id BETWEEN ?1 AND ?2 AND first <= ?3"
		                                 " AND (last IS NULL OR last >= ?3) ORDER BY id", &st, err);
	if (rc < 0)
		return rc;
	sqlite3_bind_int64(st, 1, low);
	sqlite3_bind_int64(st, 2, high);
	sqlite3_bind_int64(st, 3, number);
	while ((rc = vmm_sql_step(m->session, st, err)) == 1) {
		if (!vmm_sql_int(st, 0, id + 1, INT64_MAX, &id) || !vmm_sql_int(st, 1, INT64_MIN, INT64_MAX, &start) ||
		    !vmm_sql_int(st, 2, 1, 0xffff, &mask) || (uint64_t)start % VMM_GRANULE_BYTES)
			return vmm_session_damaged(m->session, "memory", err);
		if (!vmm_grow(&m->granules, &m->granule_capacity, m->granule_count + 1, sizeof(*m->granules)))
			return vmm_fail_nomem(err);
		m->granules[m->granule_count++] = (struct granule){(uint64_t)start, id, (uint32_t)mask};
	}
	if (m->granule_count)
		qsort(m->granules, m->granule_count, sizeof(*m->granules), compare_starts);
	for (size_t i = 1; rc == 0 && i < m->granule_count; i++)
		if (m->granules[i].start == m->granules[i - 1].start)
			rc = vmm_session_damaged(m->session, "memory", err);
	return rc;
}

static bool add_runs(struct vmm_stored *m, uint64_t start, uint64_t span, const unsigned char *bytes, size_t length, bool *ret_nomem)
{
	struct vmm_unpack u = {bytes, bytes + length, false};
	uint64_t at = vmm_align_down(start, VMM_GRANULE_PAGE), last;

	if (__builtin_add_overflow(start, span, &last))
		return false;
	last = vmm_align_up(last, VMM_GRANULE_PAGE);
	while (u.p < u.end) {
		uint64_t gap = vmm_unpack_get(&u), count = vmm_unpack_get(&u), what = vmm_unpack_get(&u);

		if (u.failed || gap > PAGES_MAX || count > PAGES_MAX || !count || what > 127 || gap * VMM_GRANULE_PAGE > last - at ||
		    count * VMM_GRANULE_PAGE > last - at - gap * VMM_GRANULE_PAGE)
			return false;
		if (!vmm_grow(&m->runs, &m->run_capacity, m->run_count + 1, sizeof(*m->runs))) {
			*ret_nomem = true;
			return false;
		}
		at += gap * VMM_GRANULE_PAGE;
		m->runs[m->run_count++] = (struct vmm_page_run){at, at + count * VMM_GRANULE_PAGE, (uint32_t)what};
		at += count * VMM_GRANULE_PAGE;
	}
	return true;
}

/* A page that two regions share is told by both: the first one counts. */
static void join_runs(struct vmm_stored *m)
{
	size_t n = 0;

	if (m->run_count)
		qsort(m->runs, m->run_count, sizeof(*m->runs), compare_starts);
	for (size_t i = 0; i < m->run_count; i++) {
		struct vmm_page_run run = m->runs[i];

		if (n && run.start < m->runs[n - 1].end)
			run.start = m->runs[n - 1].end;
		if (run.start < run.end)
			m->runs[n++] = run;
	}
	m->run_count = n;
}

static int read_runs(struct vmm_stored *m, uint32_t target, uint32_t number, struct vmm_err *err)
{
	struct vmm_reader r;
	bool nomem = false;
	int rc = vmm_reader_begin(&r, m->session, target, VMM_TABLE_PAGES, number, err);

	while (rc >= 0 && (rc = vmm_reader_next(&r)) == 1) {
		uint64_t start, span;
		bool has_start, has_span;
		size_t length;
		const void *bytes = vmm_reader_blob(&r, VMM_PAGES_RUNS, &length);

		if (!bytes || !vmm_reader_int(&r, VMM_PAGES_START, &start, &has_start) || !vmm_reader_int(&r, VMM_PAGES_SPAN, &span, &has_span) ||
		    !has_start || !has_span || !add_runs(m, start, span, bytes, length, &nomem))
			rc = nomem ? vmm_fail_nomem(err) : vmm_session_damaged(m->session, "pages", err);
	}
	vmm_reader_end(&r);
	if (rc == 0)
		join_runs(m);
	return rc;
}

int vmm_stored_open(struct vmm_session *session, uint32_t number, struct vmm_stored **ret, struct vmm_err *err)
{
	uint32_t contents = 0, target = 0;
	struct vmm_stored *m;
	int rc = vmm_segment_target(session, number, &target, &contents, err);

	*ret = NULL;
	if (rc < 0 || !(contents & VMM_CONTENTS_KEPT))
		return rc;
	m = vmm_alloc_hook(NULL, sizeof(*m));
	if (!m)
		return vmm_fail_nomem(err);
	memset(m, 0, sizeof(*m));
	m->session = session;
	m->contents = contents;
	rc = read_granules(m, target, number, err);
	if (rc == 0)
		rc = read_runs(m, target, number, err);
	if (rc == 0)
		rc = vmm_sql_prepare(session, "SELECT codec, data FROM memory WHERE id = ?1", &m->st, err);
	if (rc < 0) {
		vmm_stored_close(m);
		return rc;
	}
	*ret = m;
	return 0;
}

void vmm_stored_close(struct vmm_stored *m)
{
	if (!m)
		return;
	sqlite3_finalize(m->st);
	free(m->granules);
	free(m->runs);
	free(m->cache);
	free(m);
}

bool vmm_stored_residency_unknown(const struct vmm_stored *m)
{
	return m->contents & VMM_CONTENTS_RESIDENCY_UNKNOWN;
}

/* --- pages --- */

int vmm_stored_pages(struct vmm_stored *m, uint64_t start, uint64_t end, uint32_t flags, vmm_page_fn fn, void *arg)
{
	int rc = 0;

	for (size_t i = VMM_FIRST_ABOVE(m->runs, m->run_count, end, start); rc == 0 && i < m->run_count && m->runs[i].start < end; i++) {
		struct vmm_page_run run = {vmm_max_u64(m->runs[i].start, start), vmm_min_u64(m->runs[i].end, end), m->runs[i].what};

		if (!(flags & VMM_PAGES_GUARDS) || run.what & VMM_PAGE_GUARD)
			rc = fn(arg, &run);
	}
	return rc;
}

uint32_t vmm_stored_page(const struct vmm_stored *m, uint64_t address)
{
	size_t i = VMM_FIRST_ABOVE(m->runs, m->run_count, end, address);

	return i < m->run_count && m->runs[i].start <= address ? m->runs[i].what : 0;
}

uint64_t vmm_stored_bytes(const struct vmm_stored *m, uint64_t start, uint64_t end)
{
	uint64_t first = vmm_align_down(start, VMM_GRANULE_BYTES), sum = 0;

	for (size_t i = VMM_FIRST_FROM(m->granules, m->granule_count, start, first); i < m->granule_count && m->granules[i].start < end; i++)
		for (uint32_t rest = m->granules[i].mask; rest; rest &= rest - 1) {
			uint64_t page = m->granules[i].start + (uint64_t)__builtin_ctz(rest) * VMM_GRANULE_PAGE;
			uint64_t from = vmm_max_u64(page, start), to = vmm_min_u64(page + VMM_GRANULE_PAGE, end);

			sum += from < to ? to - from : 0;
		}
	return sum;
}

/* --- bytes --- */

bool vmm_granule_unpack(int64_t codec, const void *data, size_t length, unsigned char *ret, size_t want)
{
	if (codec == VMM_CODEC_RAW && length == want) {
		memcpy(ret, data, length);
		return true;
	}
#ifdef VMM_HAVE_ZSTD
	if (codec == VMM_CODEC_ZSTD)
		return ZSTD_decompress(ret, VMM_GRANULE_BYTES, data, length) == want;
#endif
	return false;
}

static int granule_load(struct vmm_stored *m, const struct granule *g, struct cached *c, struct vmm_err *err)
{
	size_t want = (size_t)(__builtin_popcount(g->mask) * VMM_GRANULE_PAGE);
	const void *data;
	int64_t codec = 0;
	int rc;

	vmm_sql_allow(m->session);
	c->id = 0;
	sqlite3_bind_int64(m->st, 1, g->id);
	rc = vmm_sql_step(m->session, m->st, err);
	data = rc == 1 ? sqlite3_column_blob(m->st, 1) : NULL;
	if (rc == 1 && !vmm_sql_int(m->st, 0, 0, VMM_CODEC_ZSTD, &codec))
		data = NULL;
#ifndef VMM_HAVE_ZSTD
	if (rc == 1 && codec == VMM_CODEC_ZSTD)
		rc = vmm_fail(err, VMM_E_UNSUPPORTED, 0, "the contents are compressed with zstd, and this vmmap was built without it");
#endif
	if (rc >= 0 && (!data || !vmm_granule_unpack(codec, data, (size_t)sqlite3_column_bytes(m->st, 1), c->bytes, want)))
		rc = vmm_session_damaged(m->session, "memory", err);
	sqlite3_reset(m->st);
	if (rc < 0)
		return rc;
	c->id = g->id;
	c->length = want;
	return 0;
}

/* The bytes of one page; NULL in *ret when it is not kept. */
static int page_bytes(struct vmm_stored *m, uint64_t page, const unsigned char **ret, struct vmm_err *err)
{
	uint64_t start = vmm_align_down(page, VMM_GRANULE_BYTES);
	size_t i = VMM_FIRST_FROM(m->granules, m->granule_count, start, start);
	uint32_t bit = UINT32_C(1) << ((page - start) / VMM_GRANULE_PAGE);
	struct cached *c;
	int rc = 0;

	*ret = NULL;
	if (i >= m->granule_count || m->granules[i].start != start || !(m->granules[i].mask & bit))
		return 0;
	if (!m->cache) {
		m->cache = vmm_alloc_hook(NULL, CACHED * sizeof(*m->cache));
		if (!m->cache)
			return vmm_fail_nomem(err);
		for (size_t k = 0; k < CACHED; k++)
			m->cache[k].id = 0;
	}
	c = &m->cache[i % CACHED];
	if (c->id != m->granules[i].id)
		rc = granule_load(m, &m->granules[i], c, err);
	if (rc == 0)
		*ret = c->bytes + (size_t)__builtin_popcount(m->granules[i].mask & (bit - 1)) * VMM_GRANULE_PAGE;
	return rc;
}

int64_t vmm_stored_read(struct vmm_stored *m, uint64_t address, void *ret_bytes, size_t length, struct vmm_err *err)
{
	size_t done = 0;

	while (done < length) {
		uint64_t at = address + done, page = vmm_align_down(at, VMM_GRANULE_PAGE);
		size_t n = (size_t)vmm_min_u64(length - done, page + VMM_GRANULE_PAGE - at);
		const unsigned char *bytes;
		int rc = page_bytes(m, page, &bytes, err);

		if (rc < 0)
			return done ? (int64_t)done : rc;
		if (bytes)
			memcpy((char *)ret_bytes + done, bytes + (at - page), n);
		else if ((vmm_stored_page(m, page) & (VMM_PAGE_PRESENT | VMM_PAGE_ZERO)) == (VMM_PAGE_PRESENT | VMM_PAGE_ZERO))
			memset((char *)ret_bytes + done, 0, n);
		else
			break;
		done += n;
		if (at + n < at)
			break;
	}
	return (int64_t)done;
}
