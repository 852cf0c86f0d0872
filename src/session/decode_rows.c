/* Records of a snapshot, each out of the row that the reader stands on. */
#include "session/decode.h"

#include <string.h>

static void decode_process(struct vmm_decode *d, void *record)
{
	struct vmm_target_info *t = &d->s->target;
	const char *names;
	uint64_t v;

	t->name = vmm_decode_name(d, VMM_IDENTITY_NAME, "");
	t->exe = vmm_decode_name(d, VMM_IDENTITY_EXE, "");
	t->exe_deleted = vmm_decode_need(d, VMM_IDENTITY_EXE_DELETED, 1);
	t->cmdline = vmm_decode_name(d, VMM_IDENTITY_CMDLINE, "");
	t->cgroup = vmm_decode_name(d, VMM_IDENTITY_CGROUP, "");
	t->arch = vmm_decode_name(d, VMM_IDENTITY_ARCH, "");
	t->bits = (int)vmm_decode_maybe(d, VMM_IDENTITY_BITS, 64, 0);
	t->page_size = (uint32_t)vmm_decode_maybe(d, VMM_IDENTITY_PAGE_SIZE, UINT32_C(1) << 30, 0);
	t->ppid = vmm_decode_signed(d, VMM_IDENTITY_PPID);
	t->ns_pid = vmm_decode_signed(d, VMM_IDENTITY_NS_PID);
	t->uid = (int64_t)vmm_decode_maybe(d, VMM_IDENTITY_UID, UINT32_MAX, UINT64_MAX);
	t->kernel_thread = vmm_decode_need(d, VMM_IDENTITY_KERNEL_THREAD, 1);
	t->entry = vmm_decode_maybe(d, VMM_IDENTITY_ENTRY, UINT64_MAX, 0);
	t->user_end = vmm_decode_maybe(d, VMM_IDENTITY_USER_END, UINT64_MAX, 0);
	t->min_address = vmm_decode_maybe(d, VMM_IDENTITY_MIN_ADDRESS, UINT64_MAX, 0);
	t->stack_gap = vmm_decode_maybe(d, VMM_IDENTITY_STACK_GAP, UINT64_MAX, 0);
	t->death.known = vmm_decode_int(d, VMM_IDENTITY_DEATH_SIGNAL, &v);
	t->death.signal = vmm_decode_signed(d, VMM_IDENTITY_DEATH_SIGNAL);
	t->death.code = vmm_decode_signed(d, VMM_IDENTITY_DEATH_CODE);
	t->death.address_known = vmm_decode_int(d, VMM_IDENTITY_DEATH_ADDRESS, &t->death.address);
	t->death.tid = vmm_decode_signed(d, VMM_IDENTITY_DEATH_TID);
	if ((t->page_size & (t->page_size - 1)) || (t->bits != 0 && t->bits != 32 && t->bits != 64))
		vmm_decode_damaged(d);
	names = vmm_decode_name(d, VMM_IDENTITY_EXTRA_NAMES, "");
	for (const char *p = names; *p; p++)
		d->s->extra_count += p == names || p[-1] == ' ';
	d->s->extra_names = vmm_decode_alloc(d, d->s->extra_count, sizeof(*d->s->extra_names));
	for (uint32_t i = 0; d->rc >= 0 && i < d->s->extra_count; i++) {
		size_t length = strcspn(names, " ");

		d->s->extra_names[i] = vmm_arena_strndup(d->arena, names, length);
		if (!d->s->extra_names[i])
			d->rc = vmm_fail_nomem(d->err);
		names += length + (names[length] == ' ');
	}
}

static const uint64_t *decode_extra(struct vmm_decode *d)
{
	struct vmm_unpack u;
	uint64_t *extra = vmm_decode_blob(d, VMM_MAPPING_EXTRA, &u) ? vmm_decode_alloc(d, d->s->extra_count, sizeof(*extra)) : NULL;

	if (!extra)
		return NULL;
	for (uint32_t i = 0; i < d->s->extra_count; i++)
		extra[i] = vmm_unpack_get(&u);
	vmm_decode_blob_end(d, &u);
	return extra;
}

static void decode_mapping(struct vmm_decode *d, void *record)
{
	struct vmm_vma *v = record;

	vmm_decode_range(d, VMM_MAPPING_START, VMM_MAPPING_SPAN, &v->start, &v->end);
	v->prot = (uint8_t)vmm_decode_need(d, VMM_MAPPING_PROT, 31);
	v->backing = (uint8_t)vmm_decode_need(d, VMM_MAPPING_BACKING, VMM_BACKING_SPECIAL);
	v->name = vmm_decode_name(d, VMM_MAPPING_NAME, "");
	v->deleted = vmm_decode_need(d, VMM_MAPPING_DELETED, 1);
	v->offset = vmm_decode_need(d, VMM_MAPPING_FILE_OFFSET, UINT64_MAX);
	v->inode = vmm_decode_need(d, VMM_MAPPING_INODE, UINT64_MAX);
	v->dev_minor = (uint32_t)vmm_decode_need(d, VMM_MAPPING_DEVICE, UINT64_MAX);
	v->dev_major = (uint32_t)(vmm_decode_need(d, VMM_MAPPING_DEVICE, UINT64_MAX) >> 32);
	v->vm_flags = vmm_decode_maybe(d, VMM_MAPPING_VM_FLAGS, UINT64_MAX, 0);
	v->page_size = (uint32_t)vmm_decode_maybe(d, VMM_MAPPING_KERNEL_PAGE, UINT32_MAX, 0);
	v->guards_known = vmm_decode_int(d, VMM_MAPPING_GUARD, &v->guard_bytes);
	v->numa = vmm_decode_name(d, VMM_MAPPING_NUMA, NULL);
	v->extra = decode_extra(d);
	vmm_decode_metrics(d, &v->m);
	/* The others are no combination that a mapping can have. */
	if (v->prot & VMM_PROT_UNKNOWN && v->prot & VMM_PROT_SHARED)
		vmm_decode_damaged(d);
}

static enum vmm_kind kind_of(struct vmm_decode *d, unsigned column)
{
	uint64_t id = vmm_decode_need(d, column, UINT64_MAX);

	if (id != d->last_kind_id) {
		d->last_kind = vmm_kind_find(vmm_decode_name(d, column, ""));
		d->last_kind_id = id;
	}
	return d->last_kind;
}

/* Metrics that are the record's own, or NULL: those of its mapping. */
static struct vmm_metrics *own_metrics(struct vmm_decode *d, unsigned own)
{
	struct vmm_metrics *m = vmm_decode_need(d, own, 1) ? vmm_decode_alloc(d, 1, sizeof(*m)) : NULL;

	if (m)
		vmm_decode_metrics(d, m);
	return m;
}

static void decode_region(struct vmm_decode *d, void *record)
{
	struct vmm_region_row *row = record;
	struct vmm_region *r = &row->r;
	struct vmm_chunk_sums *sums;
	struct vmm_unpack u;
	uint64_t key;

	vmm_decode_range(d, VMM_REGION_START, VMM_REGION_SPAN, &r->start, &r->end);
	r->kind = kind_of(d, VMM_REGION_KIND);
	r->prot_set = (uint32_t)vmm_decode_need(d, VMM_REGION_PROT_SET, (UINT32_C(1) << 24) - 1);
	r->details = vmm_decode_name(d, VMM_REGION_DETAILS, "");
	r->path = vmm_decode_name(d, VMM_REGION_PATH, "");
	r->outside = vmm_decode_need(d, VMM_REGION_OUTSIDE, 1);
	row->has_module = vmm_decode_int(d, VMM_REGION_MODULE, &row->module);
	row->has_thread = vmm_decode_int(d, VMM_REGION_THREAD, &row->thread);
	r->heap = vmm_decode_int(d, VMM_REGION_HEAP, &key) ? (uint32_t)vmm_min_u64(key, VMM_NONE) : VMM_NONE;
	r->m = own_metrics(d, VMM_REGION_OWN);
	if (vmm_decode_blob(d, VMM_REGION_CHUNKS, &u) && (sums = vmm_decode_alloc(d, 1, sizeof(*sums)))) {
		vmm_unpack_sums(&u, sums);
		r->chunks = sums;
		vmm_decode_blob_end(d, &u);
	}
	for (uint32_t rest = r->prot_set; rest; rest &= rest - 1) {
		uint8_t prot = (uint8_t)__builtin_ctz(rest);

		r->prot |= prot;
		r->write_exec |= (prot & (VMM_PROT_WRITE | VMM_PROT_EXEC)) == (VMM_PROT_WRITE | VMM_PROT_EXEC);
	}
	r->mixed_prot = (r->prot_set & (r->prot_set - 1)) != 0;
	if (r->kind >= VMM_KIND_PAGE_TABLE)
		vmm_decode_damaged(d);
}

/* A block that has a row; place of its mapping and region are found later. */
static void decode_block(struct vmm_decode *d, void *record)
{
	struct vmm_block *b = record;

	vmm_decode_range(d, VMM_BLOCK_START, VMM_BLOCK_SPAN, &b->start, &b->end);
	b->label = vmm_decode_name(d, VMM_BLOCK_LABEL, "");
	b->guard = vmm_decode_need(d, VMM_BLOCK_GUARD, 1);
	b->m = own_metrics(d, VMM_BLOCK_OWN);
}

static void decode_thread(struct vmm_decode *d, void *record)
{
	struct vmm_thread_row *row = record;
	struct vmm_thread *t = &row->t;

	row->key = vmm_decode_need(d, VMM_THREAD_KEY, UINT64_MAX);
	t->tid = vmm_decode_signed(d, vmm_decode_int(d, VMM_THREAD_TID, &row->region) ? VMM_THREAD_TID : VMM_THREAD_KEY);
	t->ns_tid = vmm_decode_signed(d, VMM_THREAD_NS_TID);
	t->state = (char)vmm_decode_maybe(d, VMM_THREAD_STATE, 127, 0);
	t->name = vmm_decode_name(d, VMM_THREAD_NAME, NULL);
	t->sp_known = vmm_decode_int(d, VMM_THREAD_SP, &t->sp);
	t->descriptor = vmm_decode_maybe(d, VMM_THREAD_DESCRIPTOR, UINT64_MAX, 0);
	t->region = VMM_NONE;
	row->has_region = vmm_decode_int(d, VMM_THREAD_REGION, &row->region);
}

static void decode_module(struct vmm_decode *d, void *record)
{
	struct vmm_module_row *row = record;
	struct vmm_module *m = &row->m;
	uint64_t flags = vmm_decode_need(d, VMM_MODULE_FLAGS, 63);

	row->key = vmm_decode_need(d, VMM_MODULE_KEY, UINT64_MAX);
	vmm_decode_range(d, vmm_decode_int(d, VMM_MODULE_START, &row->region) ? VMM_MODULE_START : VMM_MODULE_KEY, VMM_MODULE_SPAN, &m->start, &m->end);
	m->bias = vmm_decode_need(d, VMM_MODULE_BIAS, UINT64_MAX);
	m->path = vmm_decode_name(d, VMM_MODULE_PATH, "");
	m->build_id = vmm_decode_name(d, VMM_MODULE_BUILD_ID, NULL);
	m->pie = flags & 1;
	m->program = flags & 2;
	m->deleted = flags & 4;
	m->replaced = flags & 8;
	m->in_memory = flags & 16;
	m->sections = flags & 32;
	m->bits = (uint8_t)vmm_decode_need(d, VMM_MODULE_BITS, 64);
	m->region = VMM_NONE;
	row->has_region = vmm_decode_int(d, VMM_MODULE_REGION, &row->region);
}

static const struct vmm_heap_contents *decode_contents(struct vmm_decode *d, uint64_t flags)
{
	struct vmm_heap_contents *c = vmm_decode_alloc(d, 1, sizeof(*c));
	struct vmm_unpack chunks, sizes;

	if (!c)
		return NULL;
	if (!vmm_decode_blob(d, VMM_HEAP_CHUNKS, &chunks) || !vmm_decode_blob(d, VMM_HEAP_SIZES, &sizes)) {
		vmm_decode_damaged(d);
		return NULL;
	}
	vmm_unpack_sums(&chunks, &c->sums);
	vmm_decode_blob_end(d, &chunks);
	switch (vmm_unpack_sizes(&sizes, d->arena, c)) {
	case 0: break;
	case VMM_E_NOMEM: d->rc = d->rc < 0 ? d->rc : vmm_fail_nomem(d->err); break;
	default: vmm_decode_damaged(d);
	}
	c->resident_known = flags & 2;
	c->largest_free = vmm_decode_need(d, VMM_HEAP_LARGEST_FREE, UINT64_MAX);
	c->trim_known = vmm_decode_int(d, VMM_HEAP_TRIMMABLE, &c->trimmable);
	c->trimmable_size = vmm_decode_maybe(d, VMM_HEAP_TRIMMABLE_SIZE, UINT64_MAX, 0);
	return c;
}

static void decode_heap_threads(struct vmm_decode *d, struct vmm_unpack *u, struct vmm_heap *h)
{
	/* Each takes a byte at least. */
	uint32_t *threads = vmm_decode_alloc(d, (size_t)(u->end - u->p), sizeof(*threads));

	while (threads && d->rc >= 0 && u->p < u->end) {
		uint64_t key = vmm_unpack_get(u);

		threads[h->thread_count++] = VMM_DECODE_FIND(d, d->threads, d->s->thread_count, key, key);
	}
	h->threads = threads;
	vmm_decode_blob_end(d, u);
}

static void decode_heap(struct vmm_decode *d, void *record)
{
	struct vmm_heap *h = record;
	struct vmm_unpack u;
	uint64_t flags;

	h->id = vmm_decode_name(d, VMM_HEAP_ID, "");
	h->reader = vmm_decode_name(d, VMM_HEAP_READER, "");
	h->label = vmm_decode_name(d, VMM_HEAP_LABEL, "");
	h->proved = vmm_decode_need(d, VMM_HEAP_PROVED, 1);
	vmm_decode_metrics(d, &h->m);
	if (vmm_decode_int(d, VMM_HEAP_CONTENTS, &flags))
		h->contents = decode_contents(d, flags);
	if (vmm_decode_blob(d, VMM_HEAP_THREADS, &u))
		decode_heap_threads(d, &u, h);
}

static void decode_limit(struct vmm_decode *d, void *record)
{
	struct vmm_limit *l = record;
	bool soft, hard;

	l->id = vmm_decode_name(d, VMM_RLIMIT_ID, "");
	l->text = vmm_decode_name(d, VMM_RLIMIT_TEXT, "");
	soft = vmm_decode_int(d, VMM_RLIMIT_SOFT, &l->soft);
	hard = vmm_decode_int(d, VMM_RLIMIT_HARD, &l->hard);
	l->known = soft && hard;
	l->used_known = vmm_decode_int(d, VMM_RLIMIT_USED, &l->used);
	l->bytes = vmm_decode_need(d, VMM_RLIMIT_BYTES, 1);
	if (soft != hard)
		vmm_decode_damaged(d);
}

static void decode_note(struct vmm_decode *d, void *record)
{
	struct vmm_note *n = record;

	n->from = vmm_decode_name(d, VMM_NOTE_FROM, "");
	n->code = vmm_decode_name(d, VMM_NOTE_CODE, "");
	n->text = vmm_decode_name(d, VMM_NOTE_TEXT, "");
	n->address = vmm_decode_need(d, VMM_NOTE_ADDRESS, UINT64_MAX);
	n->count = vmm_decode_need(d, VMM_NOTE_COUNT, UINT64_MAX);
}

static void decode_account(struct vmm_decode *d, void *record)
{
	struct vmm_account *a = record;

	a->id = vmm_decode_name(d, VMM_ACCOUNT_ID, "");
	a->label = vmm_decode_name(d, VMM_ACCOUNT_LABEL, "");
	a->kernel_known = vmm_decode_int(d, VMM_ACCOUNT_TOLD, &a->kernel);
	a->told = true;
	a->explanation = vmm_decode_name(d, VMM_ACCOUNT_EXPLANATION, "");
}

const vmm_decode_fn vmm_decode_rows[VMM_TABLE_COUNT] = {
    [VMM_TABLE_IDENTITY] = decode_process, [VMM_TABLE_MAPPING] = decode_mapping, [VMM_TABLE_REGION] = decode_region,
    [VMM_TABLE_BLOCK] = decode_block,      [VMM_TABLE_THREAD] = decode_thread,   [VMM_TABLE_MODULE] = decode_module,
    [VMM_TABLE_HEAP] = decode_heap,        [VMM_TABLE_RLIMIT] = decode_limit,    [VMM_TABLE_NOTE] = decode_note,        [VMM_TABLE_ACCOUNT] = decode_account,
};
