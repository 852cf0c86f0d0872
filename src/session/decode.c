/* Rows as a snapshot again. Every value is checked: a session may have been made by anybody. */
#include "session/read.h"
#include "session/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/search.h"
#include "model/build.h"
#include "session/memory.h"

struct decode {
	struct vmm_snapshot *s;
	struct vmm_session *session;
	struct vmm_reader r;
	struct vmm_names names;
	uint32_t target, number;
	enum vmm_session_table table;
	struct vmm_err *err;
	int rc;
	uint64_t last_kind_id; /* and the kind that it is */
	enum vmm_kind last_kind;
	struct thread_row *threads; /* by key */
	struct module_row *modules;
};

/* With what the others are found by: their region is known when the regions are. */
struct thread_row {
	uint64_t key, region;
	bool has_region;
	struct vmm_thread t;
};

struct module_row {
	uint64_t key, region;
	bool has_region;
	struct vmm_module m;
};

/* Rows come by id; keys bring them into the order of the snapshot. */
struct keyed {
	uint64_t key;
	uint32_t place; /* in the array as it was read */
};

static void damaged(struct decode *d)
{
	if (d->rc >= 0)
		d->rc = vmm_session_damaged(d->session, vmm_session_tables[d->table].name, d->err);
}

/* --- cells --- */

static bool get(struct decode *d, unsigned column, uint64_t *ret)
{
	bool known;

	if (!vmm_reader_int(&d->r, column, ret, &known))
		damaged(d);
	return known;
}

/* A number that has to be there, at most high. */
static uint64_t need(struct decode *d, unsigned column, uint64_t high)
{
	uint64_t v;

	if (!get(d, column, &v) || v > high) {
		damaged(d);
		return 0;
	}
	return v;
}

/* One that may be missing: then it is otherwise. */
static uint64_t maybe(struct decode *d, unsigned column, uint64_t high, uint64_t otherwise)
{
	uint64_t v;

	if (!get(d, column, &v))
		return otherwise;
	if (v > high)
		damaged(d);
	return v;
}

static int32_t maybe_signed(struct decode *d, unsigned column)
{
	int64_t v = (int64_t)maybe(d, column, UINT64_MAX, 0);

	if (v < INT32_MIN || v > INT32_MAX) {
		damaged(d);
		return 0;
	}
	return (int32_t)v;
}

/* otherwise where the cell is NULL. */
static const char *name(struct decode *d, unsigned column, const char *otherwise)
{
	const char *text = otherwise;
	uint64_t id;

	if (get(d, column, &id) && d->rc >= 0) {
		int rc = vmm_names_get(&d->names, id, &text, d->err);

		if (rc < 0)
			d->rc = rc;
	}
	return text;
}

static void *alloc(struct decode *d, size_t count, size_t size)
{
	void *p = vmm_arena_array(d->s->arena, count ? count : 1, size);

	if (!p && d->rc >= 0)
		d->rc = vmm_fail_nomem(d->err);
	return p;
}

/* --- a table --- */

typedef void (*decode_fn)(struct decode *d, void *record);

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

/* Brings the records into the order of their keys; no key may come twice. */
static void *list_finish(struct decode *d, struct list *l, size_t size)
{
	char *sorted = d->rc < 0 ? NULL : alloc(d, l->count, size);

	if (sorted && l->unordered)
		qsort(l->keys, l->count, sizeof(*l->keys), compare_keyed);
	for (size_t i = 0; sorted && i < l->count; i++) {
		if (i && l->keys[i].key == l->keys[i - 1].key)
			damaged(d);
		memcpy(sorted + i * size, (char *)l->records + l->keys[i].place * size, size);
	}
	free(l->records);
	free(l->keys);
	return d->rc < 0 ? NULL : sorted;
}

/* Reads the rows of a table into an array of the arena, *ret_count records of size bytes. */
static void *read_table(struct decode *d, enum vmm_session_table table, size_t size, decode_fn fn, uint32_t *ret_count)
{
	struct list l = {0};
	int rc = 0;

	*ret_count = 0;
	d->table = table;
	if (d->rc < 0)
		return NULL;
	rc = vmm_reader_begin(&d->r, d->session, d->target, table, d->number, d->err);
	while (rc >= 0 && d->rc >= 0 && (rc = vmm_reader_next(&d->r)) == 1) {
		if (l.count >= VMM_NONE / 2 || !vmm_grow(&l.records, &l.capacity, l.count + 1, size) ||
		    !vmm_grow(&l.keys, &l.key_capacity, l.count + 1, sizeof(*l.keys))) {
			rc = vmm_fail_nomem(d->err);
			break;
		}
		memset((char *)l.records + l.count * size, 0, size);
		l.keys[l.count] = (struct keyed){need(d, 0, UINT64_MAX), (uint32_t)l.count};
		l.unordered |= l.count && l.keys[l.count].key < l.keys[l.count - 1].key;
		fn(d, (char *)l.records + l.count * size);
		l.count++;
	}
	vmm_reader_end(&d->r);
	if (rc < 0)
		d->rc = rc;
	*ret_count = (uint32_t)l.count;
	return list_finish(d, &l, size);
}

static void metrics(struct decode *d, struct vmm_metrics *ret)
{
	if (!vmm_reader_metrics(&d->r, ret))
		damaged(d);
}

static void range(struct decode *d, unsigned start, unsigned span, uint64_t *ret_start, uint64_t *ret_end)
{
	*ret_start = need(d, start, UINT64_MAX);
	if (__builtin_add_overflow(*ret_start, need(d, span, UINT64_MAX), ret_end) || *ret_end <= *ret_start)
		damaged(d);
}

/* --- records --- */

static void decode_process(struct decode *d, void *record)
{
	struct vmm_target_info *t = &d->s->target;
	const char *names;
	uint64_t v;

	t->name = name(d, VMM_IDENTITY_NAME, "");
	t->exe = name(d, VMM_IDENTITY_EXE, "");
	t->exe_deleted = need(d, VMM_IDENTITY_EXE_DELETED, 1);
	t->cmdline = name(d, VMM_IDENTITY_CMDLINE, "");
	t->cgroup = name(d, VMM_IDENTITY_CGROUP, "");
	t->arch = name(d, VMM_IDENTITY_ARCH, "");
	t->bits = (int)maybe(d, VMM_IDENTITY_BITS, 64, 0);
	t->page_size = (uint32_t)maybe(d, VMM_IDENTITY_PAGE_SIZE, UINT32_C(1) << 30, 0);
	t->ppid = maybe_signed(d, VMM_IDENTITY_PPID);
	t->ns_pid = maybe_signed(d, VMM_IDENTITY_NS_PID);
	t->uid = (int64_t)maybe(d, VMM_IDENTITY_UID, UINT32_MAX, UINT64_MAX);
	t->kernel_thread = need(d, VMM_IDENTITY_KERNEL_THREAD, 1);
	t->entry = maybe(d, VMM_IDENTITY_ENTRY, UINT64_MAX, 0);
	t->user_end = maybe(d, VMM_IDENTITY_USER_END, UINT64_MAX, 0);
	t->min_address = maybe(d, VMM_IDENTITY_MIN_ADDRESS, UINT64_MAX, 0);
	t->stack_gap = maybe(d, VMM_IDENTITY_STACK_GAP, UINT64_MAX, 0);
	t->death.known = get(d, VMM_IDENTITY_DEATH_SIGNAL, &v);
	t->death.signal = maybe_signed(d, VMM_IDENTITY_DEATH_SIGNAL);
	t->death.code = maybe_signed(d, VMM_IDENTITY_DEATH_CODE);
	t->death.address_known = get(d, VMM_IDENTITY_DEATH_ADDRESS, &t->death.address);
	t->death.tid = maybe_signed(d, VMM_IDENTITY_DEATH_TID);
	if ((t->page_size & (t->page_size - 1)) || (t->bits != 0 && t->bits != 32 && t->bits != 64))
		damaged(d);
	names = name(d, VMM_IDENTITY_EXTRA_NAMES, "");
	for (const char *p = names; *p; p++)
		d->s->extra_count += p == names || p[-1] == ' ';
	d->s->extra_names = alloc(d, d->s->extra_count, sizeof(*d->s->extra_names));
	for (uint32_t i = 0; d->rc >= 0 && i < d->s->extra_count; i++) {
		size_t length = strcspn(names, " ");

		d->s->extra_names[i] = vmm_arena_strndup(d->s->arena, names, length);
		if (!d->s->extra_names[i])
			d->rc = vmm_fail_nomem(d->err);
		names += length + (names[length] == ' ');
	}
}

static const uint64_t *decode_extra(struct decode *d)
{
	size_t length;
	const void *bytes = vmm_reader_blob(&d->r, VMM_MAPPING_EXTRA, &length);
	struct vmm_unpack u = {bytes, (const unsigned char *)bytes + length, false};
	uint64_t *extra = bytes ? alloc(d, d->s->extra_count, sizeof(*extra)) : NULL;

	for (uint32_t i = 0; extra && i < d->s->extra_count; i++)
		extra[i] = vmm_unpack_get(&u);
	if (extra && (u.failed || u.p != u.end))
		damaged(d);
	return extra;
}

static void decode_mapping(struct decode *d, void *record)
{
	struct vmm_vma *v = record;

	range(d, VMM_MAPPING_START, VMM_MAPPING_SPAN, &v->start, &v->end);
	v->prot = (uint8_t)need(d, VMM_MAPPING_PROT, 31);
	v->backing = (uint8_t)need(d, VMM_MAPPING_BACKING, VMM_BACKING_SPECIAL);
	v->name = name(d, VMM_MAPPING_NAME, "");
	v->deleted = need(d, VMM_MAPPING_DELETED, 1);
	v->offset = need(d, VMM_MAPPING_FILE_OFFSET, UINT64_MAX);
	v->inode = need(d, VMM_MAPPING_INODE, UINT64_MAX);
	v->dev_major = (uint32_t)need(d, VMM_MAPPING_DEV_MAJOR, UINT32_MAX);
	v->dev_minor = (uint32_t)need(d, VMM_MAPPING_DEV_MINOR, UINT32_MAX);
	v->vm_flags = maybe(d, VMM_MAPPING_VM_FLAGS, UINT64_MAX, 0);
	v->page_size = (uint32_t)maybe(d, VMM_MAPPING_KERNEL_PAGE, UINT32_MAX, 0);
	v->guards_known = get(d, VMM_MAPPING_GUARD, &v->guard_bytes);
	v->numa = name(d, VMM_MAPPING_NUMA, NULL);
	v->extra = decode_extra(d);
	metrics(d, &v->m);
	/* The others are no combination that a mapping can have. */
	if (v->prot & VMM_PROT_UNKNOWN && v->prot & VMM_PROT_SHARED)
		damaged(d);
}

/* The index of the record with this key; there has to be one. */
static uint32_t found(struct decode *d, size_t at, size_t count, bool right)
{
	if (at < count && right)
		return (uint32_t)at;
	damaged(d);
	return VMM_NONE;
}

static size_t bounded(size_t at, size_t count)
{
	return at < count ? at : 0;
}

#define FIND(d, array, count, member, value)                                       \
	found((d), VMM_FIRST_FROM(array, count, member, value), (count),               \
	      (count) && (array)[bounded(VMM_FIRST_FROM(array, count, member, value), (count))].member == (value))

static enum vmm_kind kind_of(struct decode *d, unsigned column)
{
	uint64_t id = need(d, column, UINT64_MAX);

	if (id != d->last_kind_id) {
		d->last_kind = vmm_kind_find(name(d, column, ""));
		d->last_kind_id = id;
	}
	return d->last_kind;
}

/* Metrics that are the record's own, or NULL: those of its mapping. */
static struct vmm_metrics *own_metrics(struct decode *d, unsigned own)
{
	struct vmm_metrics *m = need(d, own, 1) ? alloc(d, 1, sizeof(*m)) : NULL;

	if (m)
		metrics(d, m);
	return m;
}

static void decode_region(struct decode *d, void *record)
{
	struct vmm_region *r = record;
	struct vmm_chunk_sums *sums;
	uint64_t key;
	size_t length;
	const void *chunks = vmm_reader_blob(&d->r, VMM_REGION_CHUNKS, &length);
	struct vmm_unpack u = {chunks, (const unsigned char *)chunks + length, false};

	range(d, VMM_REGION_START, VMM_REGION_SPAN, &r->start, &r->end);
	r->kind = kind_of(d, VMM_REGION_KIND);
	r->prot_set = (uint32_t)need(d, VMM_REGION_PROT_SET, (UINT32_C(1) << 24) - 1);
	r->details = name(d, VMM_REGION_DETAILS, "");
	r->path = name(d, VMM_REGION_PATH, "");
	r->outside = need(d, VMM_REGION_OUTSIDE, 1);
	r->module = get(d, VMM_REGION_MODULE, &key) ? FIND(d, d->modules, d->s->module_count, key, key) : VMM_NONE;
	r->thread = get(d, VMM_REGION_THREAD, &key) ? FIND(d, d->threads, d->s->thread_count, key, key) : VMM_NONE;
	r->heap = get(d, VMM_REGION_HEAP, &key) ? (uint32_t)vmm_min_u64(key, VMM_NONE) : VMM_NONE;
	if (r->heap != VMM_NONE && r->heap >= d->s->heap_count)
		damaged(d);
	r->m = own_metrics(d, VMM_REGION_OWN);
	if (chunks && (sums = alloc(d, 1, sizeof(*sums)))) {
		vmm_unpack_sums(&u, sums);
		r->chunks = sums;
		if (u.failed || u.p != u.end)
			damaged(d);
	}
	for (uint32_t rest = r->prot_set; rest; rest &= rest - 1) {
		uint8_t prot = (uint8_t)__builtin_ctz(rest);

		r->prot |= prot;
		r->write_exec |= (prot & (VMM_PROT_WRITE | VMM_PROT_EXEC)) == (VMM_PROT_WRITE | VMM_PROT_EXEC);
	}
	r->mixed_prot = (r->prot_set & (r->prot_set - 1)) != 0;
	if (r->kind >= VMM_KIND_PAGE_TABLE)
		damaged(d);
}

/* A block that has a row; place of its mapping and region are found later. */
static void decode_block(struct decode *d, void *record)
{
	struct vmm_block *b = record;

	range(d, VMM_BLOCK_START, VMM_BLOCK_SPAN, &b->start, &b->end);
	b->label = name(d, VMM_BLOCK_LABEL, "");
	b->guard = need(d, VMM_BLOCK_GUARD, 1);
	b->m = own_metrics(d, VMM_BLOCK_OWN);
}

static void decode_thread(struct decode *d, void *record)
{
	struct thread_row *row = record;
	struct vmm_thread *t = &row->t;

	row->key = need(d, VMM_THREAD_KEY, UINT64_MAX);
	t->tid = maybe_signed(d, get(d, VMM_THREAD_TID, &row->region) ? VMM_THREAD_TID : VMM_THREAD_KEY);
	t->ns_tid = maybe_signed(d, VMM_THREAD_NS_TID);
	t->state = (char)maybe(d, VMM_THREAD_STATE, 127, 0);
	t->name = name(d, VMM_THREAD_NAME, NULL);
	t->sp_known = get(d, VMM_THREAD_SP, &t->sp);
	t->descriptor = maybe(d, VMM_THREAD_DESCRIPTOR, UINT64_MAX, 0);
	t->region = VMM_NONE;
	row->has_region = get(d, VMM_THREAD_REGION, &row->region);
}

static void decode_module(struct decode *d, void *record)
{
	struct module_row *row = record;
	struct vmm_module *m = &row->m;
	uint64_t flags = need(d, VMM_MODULE_FLAGS, 63);

	row->key = need(d, VMM_MODULE_KEY, UINT64_MAX);
	range(d, get(d, VMM_MODULE_START, &row->region) ? VMM_MODULE_START : VMM_MODULE_KEY, VMM_MODULE_SPAN, &m->start, &m->end);
	m->bias = need(d, VMM_MODULE_BIAS, UINT64_MAX);
	m->path = name(d, VMM_MODULE_PATH, "");
	m->build_id = name(d, VMM_MODULE_BUILD_ID, NULL);
	m->pie = flags & 1;
	m->program = flags & 2;
	m->deleted = flags & 4;
	m->replaced = flags & 8;
	m->in_memory = flags & 16;
	m->sections = flags & 32;
	m->bits = (uint8_t)need(d, VMM_MODULE_BITS, 64);
	m->region = VMM_NONE;
	row->has_region = get(d, VMM_MODULE_REGION, &row->region);
}

static const struct vmm_heap_contents *decode_contents(struct decode *d, uint64_t flags)
{
	size_t chunk_length, size_length;
	const void *chunks = vmm_reader_blob(&d->r, VMM_HEAP_CHUNKS, &chunk_length);
	const void *sizes = vmm_reader_blob(&d->r, VMM_HEAP_SIZES, &size_length);
	struct vmm_unpack u = {chunks, (const unsigned char *)chunks + chunk_length, false};
	struct vmm_heap_contents *c = alloc(d, 1, sizeof(*c));

	if (!c)
		return NULL;
	vmm_unpack_sums(&u, &c->sums);
	if (!chunks || !sizes || u.failed || u.p != u.end)
		damaged(d);
	u = (struct vmm_unpack){sizes, (const unsigned char *)sizes + size_length, false};
	if (d->rc >= 0 && !vmm_unpack_sizes(&u, d->s->arena, c))
		damaged(d);
	c->resident_known = flags & 2;
	c->largest_free = need(d, VMM_HEAP_LARGEST_FREE, UINT64_MAX);
	c->trim_known = get(d, VMM_HEAP_TRIMMABLE, &c->trimmable);
	c->trimmable_size = maybe(d, VMM_HEAP_TRIMMABLE_SIZE, UINT64_MAX, 0);
	return c;
}

static void decode_heap(struct decode *d, void *record)
{
	struct vmm_heap *h = record;
	size_t length;
	const void *bytes = vmm_reader_blob(&d->r, VMM_HEAP_THREADS, &length);
	struct vmm_unpack u = {bytes, (const unsigned char *)bytes + length, false};
	uint32_t *threads = alloc(d, length, sizeof(*threads));
	uint64_t flags;

	h->id = name(d, VMM_HEAP_ID, "");
	h->reader = name(d, VMM_HEAP_READER, "");
	h->label = name(d, VMM_HEAP_LABEL, "");
	h->proved = need(d, VMM_HEAP_PROVED, 1);
	metrics(d, &h->m);
	if (get(d, VMM_HEAP_CONTENTS, &flags))
		h->contents = decode_contents(d, flags);
	while (bytes && threads && d->rc >= 0 && u.p < u.end) {
		uint64_t key = vmm_unpack_get(&u);

		threads[h->thread_count++] = FIND(d, d->threads, d->s->thread_count, key, key);
		if (u.failed)
			damaged(d);
	}
	h->threads = h->thread_count ? threads : NULL;
}

static void decode_limit(struct decode *d, void *record)
{
	struct vmm_limit *l = record;
	bool soft, hard;

	l->id = name(d, VMM_RLIMIT_ID, "");
	l->text = name(d, VMM_RLIMIT_TEXT, "");
	soft = get(d, VMM_RLIMIT_SOFT, &l->soft);
	hard = get(d, VMM_RLIMIT_HARD, &l->hard);
	l->known = soft && hard;
	l->used_known = get(d, VMM_RLIMIT_USED, &l->used);
	l->bytes = need(d, VMM_RLIMIT_BYTES, 1);
	if (soft != hard)
		damaged(d);
}

static void decode_note(struct decode *d, void *record)
{
	struct vmm_note *n = record;

	n->from = name(d, VMM_NOTE_FROM, "");
	n->code = name(d, VMM_NOTE_CODE, "");
	n->text = name(d, VMM_NOTE_TEXT, "");
	n->address = need(d, VMM_NOTE_ADDRESS, UINT64_MAX);
	n->count = need(d, VMM_NOTE_COUNT, UINT64_MAX);
}

/* --- what ties them together --- */

static void resolve_threads(struct decode *d)
{
	d->s->threads = d->rc < 0 ? NULL : alloc(d, d->s->thread_count, sizeof(*d->s->threads));
	d->table = VMM_TABLE_THREAD;
	for (uint32_t i = 0; d->s->threads && i < d->s->thread_count; i++) {
		d->s->threads[i] = d->threads[i].t;
		if (d->threads[i].has_region)
			d->s->threads[i].region = FIND(d, d->s->regions, d->s->region_count, start, d->threads[i].region);
	}
}

static void resolve_modules(struct decode *d)
{
	d->s->modules = d->rc < 0 ? NULL : alloc(d, d->s->module_count, sizeof(*d->s->modules));
	d->table = VMM_TABLE_MODULE;
	for (uint32_t i = 0; d->s->modules && i < d->s->module_count; i++) {
		d->s->modules[i] = d->modules[i].m;
		if (d->modules[i].has_region)
			d->s->modules[i].region = FIND(d, d->s->regions, d->s->region_count, start, d->modules[i].region);
	}
}

/* Mappings and regions are each in order and do not overlap. */
static void check_order(struct decode *d)
{
	d->table = VMM_TABLE_MAPPING;
	for (uint32_t i = 1; d->rc >= 0 && i < d->s->vma_count; i++)
		if (d->s->vmas[i].start < d->s->vmas[i - 1].end)
			damaged(d);
	d->table = VMM_TABLE_REGION;
	for (uint32_t i = 1; d->rc >= 0 && i < d->s->region_count; i++)
		if (d->s->regions[i].start < d->s->regions[i - 1].end)
			damaged(d);
}

static void add_block(struct decode *d, struct vmm_block block, uint32_t vma, uint32_t *region)
{
	struct vmm_snapshot *s = d->s;
	struct vmm_region *r;

	while (*region < s->region_count && s->regions[*region].end <= block.start)
		++*region;
	r = &s->regions[*region];
	if (*region >= s->region_count || block.start < r->start || block.end > r->end) {
		damaged(d);
		return;
	}
	if (r->block_count++ == 0)
		r->first_block = s->block_count;
	block.vma = vma;
	block.region = *region;
	if (!block.m)
		block.m = &s->vmas[vma].m;
	s->blocks[s->block_count++] = block;
}

/* The blocks of all mappings: those that have rows tile theirs, any other mapping is one block. */
static void make_blocks(struct decode *d, const struct vmm_block *rows, uint32_t count)
{
	struct vmm_snapshot *s = d->s;
	uint32_t at = 0, region = 0;

	d->table = VMM_TABLE_BLOCK;
	s->blocks = d->rc < 0 ? NULL : alloc(d, (size_t)s->vma_count + count, sizeof(*s->blocks));
	/* What may not be read has mappings and no regions. */
	for (uint32_t i = 0; s->blocks && d->rc >= 0 && s->region_count && i < s->vma_count; i++) {
		uint64_t start = s->vmas[i].start, end = s->vmas[i].end;

		if (at >= count || rows[at].start >= end)
			add_block(d, (struct vmm_block){.start = start, .end = end, .label = ""}, i, &region);
		for (; d->rc >= 0 && at < count && rows[at].start < end; at++) {
			if (rows[at].start != start || rows[at].end > end)
				damaged(d);
			else
				add_block(d, rows[at], i, &region);
			start = rows[at].end;
			if (at + 1 >= count || rows[at + 1].start >= end)
				d->rc = d->rc >= 0 && start != end ? vmm_session_damaged(d->session, "block", d->err) : d->rc;
		}
	}
	if (d->rc >= 0 && at < count)
		damaged(d);
}

/* Regions reach from their first block to their last, and have numbers. */
static void finish_regions(struct decode *d)
{
	struct vmm_snapshot *s = d->s;

	d->table = VMM_TABLE_REGION;
	for (uint32_t i = 0; d->rc >= 0 && i < s->region_count; i++) {
		struct vmm_region *r = &s->regions[i];

		if (!r->block_count || s->blocks[r->first_block].start != r->start ||
		    s->blocks[r->first_block + r->block_count - 1].end != r->end)
			damaged(d);
		else if (!r->m)
			r->m = &s->vmas[s->blocks[r->first_block].vma].m;
	}
}

/* How much of each mapping, block and region the session has the bytes of. */
static void count_stored(struct decode *d, const struct vmm_stored *m)
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

static void read_stored(struct decode *d)
{
	struct vmm_stored *m = NULL;

	if (d->rc < 0)
		return;
	d->rc = vmm_stored_open(d->session, d->number, &m, d->err);
	if (d->rc >= 0 && m)
		count_stored(d, m);
	vmm_stored_close(m);
}

static void read_tables(struct decode *d)
{
	struct vmm_snapshot *s = d->s;
	struct vmm_block *blocks;
	uint32_t count;

	read_table(d, VMM_TABLE_IDENTITY, 1, decode_process, &count);
	if (d->rc >= 0 && count != 1)
		damaged(d);
	d->threads = read_table(d, VMM_TABLE_THREAD, sizeof(*d->threads), decode_thread, &s->thread_count);
	d->modules = read_table(d, VMM_TABLE_MODULE, sizeof(*d->modules), decode_module, &s->module_count);
	s->heaps = read_table(d, VMM_TABLE_HEAP, sizeof(*s->heaps), decode_heap, &s->heap_count);
	s->vmas = read_table(d, VMM_TABLE_MAPPING, sizeof(*s->vmas), decode_mapping, &s->vma_count);
	s->regions = read_table(d, VMM_TABLE_REGION, sizeof(*s->regions), decode_region, &s->region_count);
	blocks = read_table(d, VMM_TABLE_BLOCK, sizeof(*blocks), decode_block, &count);
	s->limits = read_table(d, VMM_TABLE_RLIMIT, sizeof(*s->limits), decode_limit, &s->limit_count);
	s->notes = read_table(d, VMM_TABLE_NOTE, sizeof(*s->notes), decode_note, &s->note_count);
	resolve_threads(d);
	resolve_modules(d);
	check_order(d);
	make_blocks(d, blocks, count);
	finish_regions(d);
	read_stored(d);
}

/* --- the snapshot's own row --- */

static int64_t field(struct decode *d, sqlite3_stmt *st, int i, int64_t high)
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

static void read_fields(struct decode *d, sqlite3_stmt *st)
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

static int read_snapshot_row(struct decode *d)
{
	VMM_CLEANUP_STMT sqlite3_stmt *st = NULL;
	int rc = vmm_sql_prepare(d->session, snapshot_sql, &st, d->err);

	if (rc < 0)
		return rc;
	sqlite3_bind_int64(st, 1, d->number);
	rc = vmm_sql_step(d->session, st, d->err);
	if (rc == 0)
		return vmm_fail(d->err, VMM_E_NO_TARGET, 0, "%.200s: has no snapshot %u", d->session->path, d->number);
	if (rc == 1)
		read_fields(d, st);
	return rc < 0 ? rc : d->rc;
}

int vmm_session_read(struct vmm_session *session, uint32_t number, struct vmm_snapshot *snapshot, struct vmm_err *err)
{
	struct decode d = {.s = snapshot, .session = session, .number = number, .err = err, .last_kind_id = UINT64_MAX};
	int rc;

	vmm_sql_allow(session);
	/* One moment of the file, also while somebody adds to it. */
	rc = vmm_sql_exec(session, "BEGIN", err);
	if (rc < 0)
		return rc;
	d.rc = read_snapshot_row(&d);
	if (d.rc == 0)
		d.rc = vmm_names_open(session, snapshot->arena, &d.names, err);
	if (d.rc == 0)
		read_tables(&d);
	vmm_names_done(&d.names);
	sqlite3_exec(session->db, "COMMIT", NULL, NULL, NULL);
	return d.rc < 0 ? d.rc : 0;
}
