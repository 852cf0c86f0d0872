/* Rows as a snapshot again. */
#include "session/decode.h"

#include <stdlib.h>
#include <string.h>

#include "model/build.h"
#include "session/memory.h"
#include "session/walk.h"

/* Rows come by id; keys bring them into the order of the snapshot. */
struct keyed {
	uint64_t key;
	uint32_t place; /* in the array as it was read */
};

/* --- a table --- */

struct list {
	void *records;
	size_t count, capacity;
	struct keyed *keys;
	size_t key_capacity;
	bool unordered;
};

static int compare_keyed(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

static void *list_sort(struct vmm_decode *d, struct list *l, size_t size)
{
	char *sorted = vmm_decode_alloc(d, l->count, size);

	qsort(l->keys, l->count, sizeof(*l->keys), compare_keyed);
	for (size_t i = 0; sorted && i < l->count; i++)
		memcpy(sorted + i * size, (char *)l->records + l->keys[i].place * size, size);
	free(l->records);
	return sorted;
}

/* Brings the records into the order of their keys; no key may come twice. The array belongs to the arena. */
static void *list_finish(struct vmm_decode *d, struct list *l, size_t size)
{
	void *records = NULL;

	if (d->rc < 0)
		free(l->records);
	else if (l->unordered)
		records = list_sort(d, l, size);
	else
		records = l->count ? vmm_arena_keep(d->arena, l->records) : vmm_decode_alloc(d, 1, size);
	if (d->rc >= 0 && !records)
		d->rc = vmm_fail_nomem(d->err);
	for (size_t i = 1; d->rc >= 0 && i < l->count; i++)
		if (l->keys[i].key == l->keys[i - 1].key)
			vmm_decode_damaged(d);
	free(l->keys);
	return d->rc < 0 ? NULL : records;
}

/* The table that is being read. */
struct reading {
	struct vmm_decode *d;
	struct list l;
	size_t size;
};

static int read_row(void *arg)
{
	struct reading *t = arg;
	struct vmm_decode *d = t->d;
	struct list *l = &t->l;

	if (l->count >= VMM_NONE / 2 || !vmm_grow(&l->records, &l->capacity, l->count + 1, t->size) ||
	    !vmm_grow(&l->keys, &l->key_capacity, l->count + 1, sizeof(*l->keys)))
		return vmm_fail_nomem(d->err);
	memset((char *)l->records + l->count * t->size, 0, t->size);
	l->keys[l->count] = (struct keyed){vmm_decode_need(d, 0, UINT64_MAX), (uint32_t)l->count};
	l->unordered |= l->count && l->keys[l->count].key < l->keys[l->count - 1].key;
	vmm_decode_rows[d->table](d, (char *)l->records + l->count * t->size);
	l->count++;
	return d->rc;
}

/* Reads the rows of a table into an array of the arena, *ret_count records of size bytes. */
static void *read_table(struct vmm_decode *d, enum vmm_session_table table, size_t size, uint32_t *ret_count)
{
	struct reading t = {.d = d, .size = size};
	int rc;

	*ret_count = 0;
	d->table = table;
	if (d->rc < 0 || d->session->missing[table] == VMM_TABLE_MISSING)
		return NULL;
	if (d->walk && vmm_walk_keeps(table))
		return vmm_walk_table(d, table, size, ret_count);
	rc = vmm_reader_each(&d->r, d->session, d->target, table, d->number, read_row, &t, d->err);
	vmm_reader_end(&d->r);
	if (rc < 0)
		d->rc = rc;
	*ret_count = (uint32_t)t.l.count;
	return list_finish(d, &t.l, size);
}

/* --- what ties them together --- */

static void resolve_threads(struct vmm_decode *d)
{
	d->s->threads = d->rc < 0 ? NULL : vmm_decode_alloc(d, d->s->thread_count, sizeof(*d->s->threads));
	d->table = VMM_TABLE_THREAD;
	for (uint32_t i = 0; d->s->threads && i < d->s->thread_count; i++) {
		d->s->threads[i] = d->threads[i].t;
		if (d->threads[i].has_region)
			d->s->threads[i].region = VMM_DECODE_FIND(d, d->s->regions, d->s->region_count, start, d->threads[i].region);
	}
}

static void resolve_modules(struct vmm_decode *d)
{
	d->s->modules = d->rc < 0 ? NULL : vmm_decode_alloc(d, d->s->module_count, sizeof(*d->s->modules));
	d->table = VMM_TABLE_MODULE;
	for (uint32_t i = 0; d->s->modules && i < d->s->module_count; i++) {
		d->s->modules[i] = d->modules[i].m;
		if (d->modules[i].has_region)
			d->s->modules[i].region = VMM_DECODE_FIND(d, d->s->regions, d->s->region_count, start, d->modules[i].region);
	}
}

/* Own numbers of a record: those of the snapshot are its alone, what holds in others too is not changed. */
static const struct vmm_metrics *own_of(struct vmm_decode *d, const struct vmm_metrics *m)
{
	struct vmm_metrics *copy = m && d->walk ? vmm_decode_alloc(d, 1, sizeof(*copy)) : NULL;

	if (copy)
		*copy = *m;
	return copy ? copy : m;
}

/* Where the rows were: each is smaller without its keys, and there are many. */
static void resolve_regions(struct vmm_decode *d)
{
	struct vmm_snapshot *s = d->s;
	char *to = (char *)d->regions;

	d->table = VMM_TABLE_REGION;
	for (uint32_t i = 0; d->rc >= 0 && i < s->region_count; i++, to += sizeof(struct vmm_region)) {
		struct vmm_region_row row = d->regions[i];

		row.r.m = own_of(d, row.r.m);
		row.r.module = row.has_module ? VMM_DECODE_FIND(d, d->modules, s->module_count, key, row.module) : VMM_NONE;
		row.r.thread = row.has_thread ? VMM_DECODE_FIND(d, d->threads, s->thread_count, key, row.thread) : VMM_NONE;
		if (row.r.heap != VMM_NONE && row.r.heap >= s->heap_count)
			vmm_decode_damaged(d);
		memcpy(to, &row.r, sizeof(row.r));
	}
	s->regions = d->rc < 0 ? NULL : (struct vmm_region *)(void *)d->regions;
}

/* Mappings and regions are each in order and do not overlap. */
static void check_order(struct vmm_decode *d)
{
	d->table = VMM_TABLE_MAPPING;
	for (uint32_t i = 1; d->rc >= 0 && i < d->s->vma_count; i++)
		if (d->s->vmas[i].start < d->s->vmas[i - 1].end)
			vmm_decode_damaged(d);
	d->table = VMM_TABLE_REGION;
	for (uint32_t i = 1; d->rc >= 0 && i < d->s->region_count; i++)
		if (d->s->regions[i].start < d->s->regions[i - 1].end)
			vmm_decode_damaged(d);
}

static void add_block(struct vmm_decode *d, struct vmm_block block, uint32_t vma, uint32_t *region)
{
	struct vmm_snapshot *s = d->s;
	struct vmm_region *r;

	while (*region < s->region_count && s->regions[*region].end <= block.start)
		++*region;
	r = &s->regions[*region];
	if (*region >= s->region_count || block.start < r->start || block.end > r->end) {
		vmm_decode_damaged(d);
		return;
	}
	if (r->block_count++ == 0)
		r->first_block = s->block_count;
	block.vma = vma;
	block.region = *region;
	block.m = block.m ? own_of(d, block.m) : &s->vmas[vma].m;
	s->blocks[s->block_count++] = block;
}

/* The blocks of all mappings: those that have rows tile theirs, any other mapping is one block. */
static void make_blocks(struct vmm_decode *d, const struct vmm_block *rows, uint32_t count)
{
	struct vmm_snapshot *s = d->s;
	uint32_t at = 0, region = 0;

	d->table = VMM_TABLE_BLOCK;
	s->blocks = d->rc < 0 ? NULL : vmm_decode_alloc(d, (size_t)s->vma_count + count, sizeof(*s->blocks));
	/* What may not be read has mappings and no regions. */
	for (uint32_t i = 0; s->blocks && d->rc >= 0 && s->region_count && i < s->vma_count; i++) {
		uint64_t start = s->vmas[i].start, end = s->vmas[i].end;

		if (at >= count || rows[at].start >= end)
			add_block(d, (struct vmm_block){.start = start, .end = end, .label = ""}, i, &region);
		for (; d->rc >= 0 && at < count && rows[at].start < end; at++) {
			if (rows[at].start != start || rows[at].end > end)
				vmm_decode_damaged(d);
			else
				add_block(d, rows[at], i, &region);
			start = rows[at].end;
			if (at + 1 >= count || rows[at + 1].start >= end)
				d->rc = d->rc >= 0 && start != end ? vmm_session_damaged(d->session, "block", d->err) : d->rc;
		}
	}
	if (d->rc >= 0 && at < count)
		vmm_decode_damaged(d);
}

/* Regions reach from their first block to their last, and have numbers. */
static void finish_regions(struct vmm_decode *d)
{
	struct vmm_snapshot *s = d->s;

	d->table = VMM_TABLE_REGION;
	for (uint32_t i = 0; d->rc >= 0 && i < s->region_count; i++) {
		struct vmm_region *r = &s->regions[i];

		if (!r->block_count || s->blocks[r->first_block].start != r->start ||
		    s->blocks[r->first_block + r->block_count - 1].end != r->end)
			vmm_decode_damaged(d);
		else if (!r->m)
			r->m = &s->vmas[s->blocks[r->first_block].vma].m;
	}
}

/* How much of each mapping, block and region the session has the bytes of. */
static void count_stored(struct vmm_decode *d, const struct vmm_stored *m)
{
	struct vmm_snapshot *s = d->s;

	for (uint32_t i = 0; i < s->vma_count; i++)
		vmm_metric_set(&s->vmas[i].m, VMM_METRIC_STORED, vmm_stored_bytes(m, s->vmas[i].start, s->vmas[i].end));
	for (uint32_t i = 0; i < s->block_count; i++)
		if (s->blocks[i].m != &s->vmas[s->blocks[i].vma].m)
			vmm_metric_set((struct vmm_metrics *)s->blocks[i].m, VMM_METRIC_STORED,
			               vmm_stored_bytes(m, s->blocks[i].start, s->blocks[i].end));
	for (uint32_t i = 0; i < s->heap_count; i++)
		vmm_metric_set(&s->heaps[i].m, VMM_METRIC_STORED, 0);
	for (uint32_t i = 0; i < s->region_count; i++) {
		const struct vmm_region *r = &s->regions[i];
		uint64_t bytes = vmm_stored_bytes(m, r->start, r->end);

		/* Made by this file, or the mapping's own, which has it already. */
		vmm_metric_set((struct vmm_metrics *)r->m, VMM_METRIC_STORED, bytes);
		if (r->heap != VMM_NONE)
			s->heaps[r->heap].m.value[VMM_METRIC_STORED] += bytes;
	}
}

static void read_stored(struct vmm_decode *d)
{
	struct vmm_stored *m = NULL;

	if (d->rc < 0)
		return;
	d->rc = vmm_stored_open(d->session, d->number, &m, d->err);
	if (d->rc >= 0 && m)
		count_stored(d, m);
	vmm_stored_close(m);
}

static void read_tables(struct vmm_decode *d)
{
	struct vmm_snapshot *s = d->s;
	struct vmm_block *blocks;
	uint32_t count;

	read_table(d, VMM_TABLE_IDENTITY, 1, &count);
	if (d->rc >= 0 && count != 1)
		vmm_decode_damaged(d);
	if (d->rc >= 0 && d->walk)
		vmm_walk_extra(d->walk, s->extra_count);
	d->threads = read_table(d, VMM_TABLE_THREAD, sizeof(*d->threads), &s->thread_count);
	d->modules = read_table(d, VMM_TABLE_MODULE, sizeof(*d->modules), &s->module_count);
	s->heaps = read_table(d, VMM_TABLE_HEAP, sizeof(*s->heaps), &s->heap_count);
	s->vmas = read_table(d, VMM_TABLE_MAPPING, sizeof(*s->vmas), &s->vma_count);
	d->regions = read_table(d, VMM_TABLE_REGION, sizeof(*d->regions), &s->region_count);
	blocks = read_table(d, VMM_TABLE_BLOCK, sizeof(*blocks), &count);
	s->limits = read_table(d, VMM_TABLE_RLIMIT, sizeof(*s->limits), &s->limit_count);
	s->notes = read_table(d, VMM_TABLE_NOTE, sizeof(*s->notes), &s->note_count);
	/* NULL where there are none: then they are made of the kernel's counters. */
	s->accounts = read_table(d, VMM_TABLE_ACCOUNT, sizeof(*s->accounts), &s->account_count);
	if (!s->account_count)
		s->accounts = NULL;
	resolve_regions(d);
	resolve_threads(d);
	resolve_modules(d);
	check_order(d);
	make_blocks(d, blocks, count);
	finish_regions(d);
	read_stored(d);
}

/* --- the snapshot's own row --- */

static int64_t field(struct vmm_decode *d, sqlite3_stmt *st, int i, int64_t high)
{
	int64_t v = 0;

	if (sqlite3_column_type(st, i) != SQLITE_NULL && !vmm_sql_int(st, i, 0, high, &v))
		d->rc = vmm_session_damaged(d->session, "snapshot", d->err);
	return v;
}

static const char snapshot_sql[] =
    "SELECT s.target, s.taken_at, s.needs, s.partial, s.unreadable, s.threads_complete, s.cpus, s.state, t.source, t.pid, t.started,"
    " s.total_ns, s.maps_ns, s.smaps_ns, s.pages_ns, s.images_ns, s.threads_ns, s.stopped_ns"
#define VMM_STATUS(name, key) ", s.\"" key "\""
#include "vmmap/status.def"
#undef VMM_STATUS
    " FROM snapshot s JOIN target t ON t.id = s.target WHERE s.number = ?1";

static void read_fields(struct vmm_decode *d, sqlite3_stmt *st)
{
	struct vmm_snapshot *s = d->s;
	uint64_t *const cost[] = {&s->cost.total_ns,  &s->cost.maps_ns,    &s->cost.smaps_ns,  &s->cost.pages_ns,
	                          &s->cost.images_ns, &s->cost.threads_ns, &s->cost.stopped_ns};
	int64_t taken = field(d, st, 1, INT64_MAX), started = field(d, st, 10, INT64_MAX);
	const char *state = vmm_sql_text(st, 7, NULL), *source = vmm_sql_text(st, 8, NULL);

	d->target = (uint32_t)field(d, st, 0, INT32_MAX);
	s->session_number = d->number;
	s->taken_at = (struct timespec){.tv_sec = taken / 1000000000, .tv_nsec = taken % 1000000000};
	s->needs = (uint32_t)field(d, st, 2, UINT32_MAX);
	s->partial = field(d, st, 3, 1);
	s->unreadable = field(d, st, 4, 1);
	s->threads_complete = field(d, st, 5, 1);
	s->cpus = (uint32_t)field(d, st, 6, 1 << 20);
	s->target.pid = (int32_t)field(d, st, 9, INT32_MAX);
	s->target.started_known = sqlite3_column_type(st, 10) != SQLITE_NULL;
	s->target.started_at = (struct timespec){.tv_sec = started / 1000000000, .tv_nsec = started % 1000000000};
	for (size_t i = 0; i < ARRAY_LEN(cost); i++)
		*cost[i] = (uint64_t)field(d, st, 11 + (int)i, INT64_MAX);
	for (int i = 0; i < VMM_STATUS_COUNT; i++) {
		int column = 11 + (int)ARRAY_LEN(cost) + i;

		s->target.status[i] = (uint64_t)field(d, st, column, INT64_MAX);
		if (sqlite3_column_type(st, column) != SQLITE_NULL)
			s->target.status_known |= UINT32_C(1) << i;
	}
	if (!state || !source || strlen(state) > 1 || (state[0] & 0x80))
		d->rc = vmm_session_damaged(d->session, "snapshot", d->err);
	s->target.state = state ? state[0] : 0;
	s->target.source = vmm_arena_strdup(s->arena, source ? source : "");
	if (!s->target.source)
		d->rc = vmm_fail_nomem(d->err);
}

static int read_snapshot_row(struct vmm_decode *d)
{
	VMM_CLEANUP_RESET sqlite3_stmt *st = NULL;
	int rc = d->session->moment ? 0 : vmm_sql_prepare(d->session, snapshot_sql, &d->session->moment, d->err);

	if (rc < 0)
		return rc;
	st = d->session->moment;
	sqlite3_bind_int64(st, 1, d->number);
	rc = vmm_sql_step(d->session, st, d->err);
	if (rc == 0)
		return vmm_fail(d->err, VMM_E_NO_TARGET, 0, "%.200s: has no snapshot %u", d->session->path, d->number);
	if (rc == 1)
		read_fields(d, st);
	return rc < 0 ? rc : d->rc;
}

/* Within a transaction, with the snapshot's own row read. */
static void read_into(struct vmm_decode *d)
{
	struct vmm_names names = {0};

	d->names = &names;
	if (d->walk)
		d->rc = vmm_walk_begin(d->walk, d);
	else
		d->rc = vmm_names_open(d->session, d->s->arena, &names, d->err);
	if (d->rc == 0)
		read_tables(d);
	if (d->walk)
		vmm_walk_end(d->walk, d);
	vmm_names_done(&names);
}

int vmm_session_read_on(struct vmm_session *session, struct vmm_walk *walk, uint32_t number, struct vmm_snapshot *snapshot, struct vmm_err *err)
{
	struct vmm_decode d = {.s = snapshot, .arena = snapshot->arena, .session = session, .walk = walk, .number = number, .err = err,
	                       .last_kind_id = UINT64_MAX};
	int rc;

	vmm_sql_allow(session);
	/* One moment of the file, also while somebody adds to it. */
	rc = vmm_sql_exec(session, "BEGIN", err);
	if (rc < 0)
		return rc;
	d.rc = read_snapshot_row(&d);
	if (d.rc == 0)
		read_into(&d);
	sqlite3_exec(session->db, "COMMIT", NULL, NULL, NULL);
	return d.rc < 0 ? d.rc : 0;
}

int vmm_session_read(struct vmm_session *session, uint32_t number, struct vmm_snapshot *snapshot, struct vmm_err *err)
{
	return vmm_session_read_on(session, NULL, number, snapshot, err);
}
