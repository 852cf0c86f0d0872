/* A snapshot as rows. */
#include "session/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/search.h"

struct encode {
	const struct vmm_snapshot *s;
	struct vmm_session *session;
	struct vmm_writer *w;
	struct vmm_err *err;
	/* Lists whose order is not that of their keys say their place. */
	bool thread_places, module_places;
	/* The text that had its id looked up last: neighbours share their names. */
	const char *last_text;
	uint32_t last_id;
	int rc;
};

/* --- cells --- */

static void put_name(struct encode *e, unsigned column, const char *text)
{
	if (e->rc < 0)
		return;
	if (text != e->last_text) {
		e->rc = vmm_name_id(e->session, text, &e->last_id, e->err);
		e->last_text = e->rc < 0 ? NULL : text;
	}
	vmm_row_int(&e->w->row, column, e->last_id);
}

/* "" is NULL. */
static void put_text(struct encode *e, unsigned column, const char *text)
{
	if (text && text[0])
		put_name(e, column, text);
}

static void put(struct encode *e, unsigned column, uint64_t v)
{
	vmm_row_int(&e->w->row, column, v);
}

static void put_if(struct encode *e, unsigned column, bool known, uint64_t v)
{
	if (known)
		put(e, column, v);
}

static void put_row(struct encode *e)
{
	if (e->rc == 0)
		e->rc = vmm_writer_put(e->w);
}

static void put_pack(struct encode *e, unsigned column, const struct vmm_pack *p)
{
	if (p->failed && e->rc == 0)
		e->rc = vmm_fail_nomem(e->err);
	else if (!p->failed)
		vmm_row_data(&e->w->row, column, p->bytes, p->used);
}

void vmm_row_metrics(struct vmm_row *r, enum vmm_session_table table, const struct vmm_metrics *m)
{
	/* What a core stores is not what the session keeps: that is counted when it is read. */
	const uint32_t elsewhere = UINT32_C(1) << VMM_METRIC_STORED;
	unsigned first = vmm_session_tables[table].count;
	size_t used = 0;

	for (unsigned i = 0; i < VMM_METRIC_COUNT; i++)
		if ((m->known & ~elsewhere) >> i & 1)
			vmm_row_int(r, first + i, m->value[i]);
	for (uint32_t rest = m->at_least & ~m->known & ~elsewhere; rest; rest &= rest - 1) {
		enum vmm_metric i = (enum vmm_metric)__builtin_ctz(rest);

		if (i < VMM_METRIC_COUNT)
			used += (size_t)snprintf(r->bounds + used, sizeof(r->bounds) - used, "%s%s %llu", used ? " " : "", vmm_metric_id(i),
			                         (unsigned long long)m->value[i]);
	}
	if (used)
		vmm_row_data(r, first + VMM_METRIC_COUNT, r->bounds, used);
}

static bool metrics_equal(const struct vmm_metrics *a, const struct vmm_metrics *b)
{
	if (a == b)
		return true;
	if (a->known != b->known || a->at_least != b->at_least)
		return false;
	for (int i = 0; i < VMM_METRIC_COUNT; i++)
		if ((a->known | a->at_least) >> i & 1 && a->value[i] != b->value[i])
			return false;
	return true;
}

/* --- tables --- */

static void encode_process(struct encode *e)
{
	const struct vmm_target_info *t = &e->s->target;
	char names[4096] = "";
	size_t used = 0;

	put(e, VMM_IDENTITY_KEY, 0);
	put_name(e, VMM_IDENTITY_NAME, t->name);
	put_text(e, VMM_IDENTITY_EXE, t->exe);
	put(e, VMM_IDENTITY_EXE_DELETED, t->exe_deleted);
	put_text(e, VMM_IDENTITY_CMDLINE, t->cmdline);
	put_text(e, VMM_IDENTITY_CGROUP, t->cgroup);
	put_text(e, VMM_IDENTITY_ARCH, t->arch);
	put_if(e, VMM_IDENTITY_BITS, t->bits != 0, (uint64_t)t->bits);
	put_if(e, VMM_IDENTITY_PAGE_SIZE, t->page_size != 0, t->page_size);
	put_if(e, VMM_IDENTITY_PPID, t->ppid != 0, (uint64_t)(int64_t)t->ppid);
	put_if(e, VMM_IDENTITY_NS_PID, t->ns_pid != 0, (uint64_t)(int64_t)t->ns_pid);
	put_if(e, VMM_IDENTITY_UID, t->uid >= 0, (uint64_t)t->uid);
	put(e, VMM_IDENTITY_KERNEL_THREAD, t->kernel_thread);
	put_if(e, VMM_IDENTITY_ENTRY, t->entry != 0, t->entry);
	put_if(e, VMM_IDENTITY_USER_END, t->user_end != 0, t->user_end);
	put_if(e, VMM_IDENTITY_MIN_ADDRESS, t->min_address != 0, t->min_address);
	put_if(e, VMM_IDENTITY_STACK_GAP, t->stack_gap != 0, t->stack_gap);
	put_if(e, VMM_IDENTITY_DEATH_SIGNAL, t->death.known, (uint64_t)(int64_t)t->death.signal);
	put_if(e, VMM_IDENTITY_DEATH_CODE, t->death.known, (uint64_t)(int64_t)t->death.code);
	put_if(e, VMM_IDENTITY_DEATH_ADDRESS, t->death.address_known, t->death.address);
	put_if(e, VMM_IDENTITY_DEATH_TID, t->death.known, (uint64_t)(int64_t)t->death.tid);
	/* Names of smaps fields are single words. */
	for (uint32_t i = 0; i < e->s->extra_count && used < sizeof(names); i++)
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", i ? " " : "", e->s->extra_names[i]);
	put_text(e, VMM_IDENTITY_EXTRA_NAMES, names);
	e->last_text = NULL; /* it lies on the stack */
	put_row(e);
}

static void encode_mapping(struct encode *e, const struct vmm_vma *v)
{
	struct vmm_pack extra = {0};

	put(e, VMM_MAPPING_START, v->start);
	put(e, VMM_MAPPING_SPAN, v->end - v->start);
	put(e, VMM_MAPPING_PROT, v->prot);
	put(e, VMM_MAPPING_BACKING, v->backing);
	put_text(e, VMM_MAPPING_NAME, v->name);
	put(e, VMM_MAPPING_DELETED, v->deleted);
	put(e, VMM_MAPPING_FILE_OFFSET, v->offset);
	put(e, VMM_MAPPING_INODE, v->inode);
	put(e, VMM_MAPPING_DEVICE, (uint64_t)v->dev_major << 32 | v->dev_minor);
	put_if(e, VMM_MAPPING_VM_FLAGS, v->vm_flags != 0, v->vm_flags);
	put_if(e, VMM_MAPPING_KERNEL_PAGE, v->page_size != 0, v->page_size);
	put_if(e, VMM_MAPPING_GUARD, v->guards_known, v->guard_bytes);
	if (v->numa)
		put_name(e, VMM_MAPPING_NUMA, v->numa);
	for (uint32_t i = 0; v->extra && i < e->s->extra_count; i++)
		vmm_pack_put(&extra, v->extra[i]);
	if (v->extra && e->s->extra_count)
		put_pack(e, VMM_MAPPING_EXTRA, &extra);
	vmm_row_metrics(&e->w->row, VMM_TABLE_MAPPING, &v->m);
	put_row(e);
	vmm_pack_done(&extra);
}

static uint64_t thread_key(const struct encode *e, uint32_t i)
{
	return e->thread_places ? i : (uint64_t)(int64_t)e->s->threads[i].tid;
}

static uint64_t module_key(const struct encode *e, uint32_t i)
{
	return e->module_places ? i : e->s->modules[i].start;
}

static void encode_region(struct encode *e, const struct vmm_region *r)
{
	const struct vmm_block *first = &e->s->blocks[r->first_block];
	bool own = r->block_count != 1 || !metrics_equal(r->m, &e->s->vmas[first->vma].m);
	struct vmm_pack chunks = {0};

	put(e, VMM_REGION_START, r->start);
	put(e, VMM_REGION_SPAN, r->end - r->start);
	put_name(e, VMM_REGION_KIND, vmm_kind_id(r->kind));
	put(e, VMM_REGION_PROT_SET, r->prot_set);
	put_text(e, VMM_REGION_DETAILS, r->details);
	put_text(e, VMM_REGION_PATH, r->path);
	put(e, VMM_REGION_OUTSIDE, r->outside);
	put_if(e, VMM_REGION_MODULE, r->module < e->s->module_count, r->module < e->s->module_count ? module_key(e, r->module) : 0);
	put_if(e, VMM_REGION_THREAD, r->thread < e->s->thread_count, r->thread < e->s->thread_count ? thread_key(e, r->thread) : 0);
	put_if(e, VMM_REGION_HEAP, r->heap < e->s->heap_count, r->heap);
	put(e, VMM_REGION_OWN, own);
	if (r->chunks) {
		vmm_pack_sums(&chunks, r->chunks);
		put_pack(e, VMM_REGION_CHUNKS, &chunks);
	}
	if (own)
		vmm_row_metrics(&e->w->row, VMM_TABLE_REGION, r->m);
	put_row(e);
	vmm_pack_done(&chunks);
}

/* A block that is all of its mapping and has nothing to say needs no row. */
static void encode_block(struct encode *e, const struct vmm_block *b)
{
	const struct vmm_vma *v = &e->s->vmas[b->vma];
	bool whole = b->start == v->start && b->end == v->end;
	bool own = !metrics_equal(b->m, &v->m);

	if (whole && !own && !b->guard && !b->label[0])
		return;
	put(e, VMM_BLOCK_START, b->start);
	put(e, VMM_BLOCK_SPAN, b->end - b->start);
	put_text(e, VMM_BLOCK_LABEL, b->label);
	put(e, VMM_BLOCK_GUARD, b->guard);
	put(e, VMM_BLOCK_OWN, own);
	if (own)
		vmm_row_metrics(&e->w->row, VMM_TABLE_BLOCK, b->m);
	put_row(e);
}

static void put_region_of(struct encode *e, unsigned column, uint32_t region)
{
	if (region < e->s->region_count)
		put(e, column, e->s->regions[region].start);
}

static void encode_thread(struct encode *e, uint32_t i)
{
	const struct vmm_thread *t = &e->s->threads[i];

	put(e, VMM_THREAD_KEY, thread_key(e, i));
	put_if(e, VMM_THREAD_TID, e->thread_places, (uint64_t)(int64_t)t->tid);
	put_if(e, VMM_THREAD_NS_TID, t->ns_tid != 0, (uint64_t)(int64_t)t->ns_tid);
	put_if(e, VMM_THREAD_STATE, t->state != 0, (unsigned char)t->state);
	if (t->name)
		put_name(e, VMM_THREAD_NAME, t->name);
	put_if(e, VMM_THREAD_SP, t->sp_known, t->sp);
	put_if(e, VMM_THREAD_DESCRIPTOR, t->descriptor != 0, t->descriptor);
	put_region_of(e, VMM_THREAD_REGION, t->region);
	put_row(e);
}

static void encode_module(struct encode *e, uint32_t i)
{
	const struct vmm_module *m = &e->s->modules[i];

	put(e, VMM_MODULE_KEY, module_key(e, i));
	put_if(e, VMM_MODULE_START, e->module_places, m->start);
	put(e, VMM_MODULE_SPAN, m->end - m->start);
	put(e, VMM_MODULE_BIAS, m->bias);
	put_text(e, VMM_MODULE_PATH, m->path);
	if (m->build_id)
		put_name(e, VMM_MODULE_BUILD_ID, m->build_id);
	put(e, VMM_MODULE_FLAGS, (uint64_t)m->pie | (uint64_t)m->program << 1 | (uint64_t)m->deleted << 2 | (uint64_t)m->replaced << 3 |
	                             (uint64_t)m->in_memory << 4 | (uint64_t)m->sections << 5);
	put(e, VMM_MODULE_BITS, m->bits);
	put_region_of(e, VMM_MODULE_REGION, m->region);
	put_row(e);
}

static void encode_heap(struct encode *e, uint32_t i)
{
	const struct vmm_heap *h = &e->s->heaps[i];
	const struct vmm_heap_contents *c = h->contents;
	struct vmm_pack chunks = {0}, sizes = {0}, threads = {0};

	put(e, VMM_HEAP_PLACE, i);
	put_name(e, VMM_HEAP_ID, h->id);
	put_name(e, VMM_HEAP_READER, h->reader);
	put_name(e, VMM_HEAP_LABEL, h->label);
	put(e, VMM_HEAP_PROVED, h->proved);
	for (uint32_t k = 0; k < h->thread_count; k++)
		if (h->threads[k] < e->s->thread_count)
			vmm_pack_put(&threads, thread_key(e, h->threads[k]));
	if (h->thread_count)
		put_pack(e, VMM_HEAP_THREADS, &threads);
	if (c) {
		put(e, VMM_HEAP_CONTENTS, 1 | (uint64_t)c->resident_known << 1);
		put(e, VMM_HEAP_USED_COUNT, c->sums.of[VMM_CHUNK_USED].count);
		put(e, VMM_HEAP_USED_BYTES, c->sums.of[VMM_CHUNK_USED].bytes);
		put(e, VMM_HEAP_FREE_COUNT, vmm_chunk_sums_free_count(&c->sums));
		put(e, VMM_HEAP_FREE_BYTES, vmm_chunk_sums_free(&c->sums));
		put(e, VMM_HEAP_LARGEST_FREE, c->largest_free);
		put_if(e, VMM_HEAP_TRIMMABLE, c->trim_known, c->trimmable);
		put_if(e, VMM_HEAP_TRIMMABLE_SIZE, c->trim_known, c->trimmable_size);
		vmm_pack_sums(&chunks, &c->sums);
		vmm_pack_sizes(&sizes, c);
		put_pack(e, VMM_HEAP_CHUNKS, &chunks);
		put_pack(e, VMM_HEAP_SIZES, &sizes);
	}
	vmm_row_metrics(&e->w->row, VMM_TABLE_HEAP, &h->m);
	put_row(e);
	vmm_pack_done(&chunks);
	vmm_pack_done(&sizes);
	vmm_pack_done(&threads);
}

static void encode_limit(struct encode *e, uint32_t i)
{
	const struct vmm_limit *l = &e->s->limits[i];

	put(e, VMM_RLIMIT_PLACE, i);
	put_name(e, VMM_RLIMIT_ID, l->id);
	put_name(e, VMM_RLIMIT_TEXT, l->text);
	put_if(e, VMM_RLIMIT_SOFT, l->known, l->soft);
	put_if(e, VMM_RLIMIT_HARD, l->known, l->hard);
	put_if(e, VMM_RLIMIT_USED, l->used_known, l->used);
	put(e, VMM_RLIMIT_BYTES, l->bytes);
	put_row(e);
}

static void encode_note(struct encode *e, uint32_t i)
{
	const struct vmm_note *n = &e->s->notes[i];

	put(e, VMM_NOTE_PLACE, i);
	put_name(e, VMM_NOTE_FROM, n->from);
	put_name(e, VMM_NOTE_CODE, n->code);
	put_name(e, VMM_NOTE_TEXT, n->text);
	put(e, VMM_NOTE_ADDRESS, n->address);
	put(e, VMM_NOTE_COUNT, n->count);
	put_row(e);
}

static void encode_total(struct encode *e, uint32_t i)
{
	const struct vmm_type_total *t = i < VMM_KIND_COUNT ? &e->s->types[i] : &e->s->total;

	put(e, VMM_TOTAL_PLACE, i);
	put_name(e, VMM_TOTAL_KIND, i < VMM_KIND_COUNT ? vmm_kind_id((enum vmm_kind)i) : "total");
	put_if(e, VMM_TOTAL_BLOCKS, t->counted, t->blocks);
	put_if(e, VMM_TOTAL_LARGEST, t->counted, t->largest);
	put_if(e, VMM_TOTAL_REGIONS, t->counted, t->regions);
	vmm_row_metrics(&e->w->row, VMM_TABLE_TOTAL, &t->m);
	put_row(e);
}

/* Its sum follows from the rows, and its remainder from that. */
static void encode_account(struct encode *e, uint32_t i)
{
	const struct vmm_account *a = &e->s->accounts[i];

	put(e, VMM_ACCOUNT_PLACE, i);
	put_name(e, VMM_ACCOUNT_ID, a->id);
	put_name(e, VMM_ACCOUNT_LABEL, a->label);
	put_if(e, VMM_ACCOUNT_TOLD, a->kernel_known, a->kernel);
	put_text(e, VMM_ACCOUNT_EXPLANATION, a->explanation);
	put_row(e);
}

/* --- all of them --- */

static uint32_t table_count(const struct vmm_snapshot *s, enum vmm_session_table table)
{
	switch (table) {
	case VMM_TABLE_IDENTITY: return 1;
	case VMM_TABLE_MAPPING: return s->vma_count;
	case VMM_TABLE_REGION: return s->region_count;
	case VMM_TABLE_BLOCK: return s->block_count;
	case VMM_TABLE_THREAD: return s->thread_count;
	case VMM_TABLE_MODULE: return s->module_count;
	case VMM_TABLE_HEAP: return s->heap_count;
	case VMM_TABLE_RLIMIT: return s->limit_count;
	case VMM_TABLE_NOTE: return s->note_count;
	case VMM_TABLE_TOTAL: return VMM_KIND_COUNT + 1;
	/* A source tells all of them or none. */
	case VMM_TABLE_ACCOUNT: return s->account_count && s->accounts[0].told ? s->account_count : 0;
	default: return 0;
	}
}

static void encode_row(struct encode *e, enum vmm_session_table table, uint32_t i)
{
	switch (table) {
	case VMM_TABLE_IDENTITY: encode_process(e); break;
	case VMM_TABLE_MAPPING: encode_mapping(e, &e->s->vmas[i]); break;
	case VMM_TABLE_REGION: encode_region(e, &e->s->regions[i]); break;
	case VMM_TABLE_BLOCK: encode_block(e, &e->s->blocks[i]); break;
	case VMM_TABLE_THREAD: encode_thread(e, i); break;
	case VMM_TABLE_MODULE: encode_module(e, i); break;
	case VMM_TABLE_HEAP: encode_heap(e, i); break;
	case VMM_TABLE_RLIMIT: encode_limit(e, i); break;
	case VMM_TABLE_NOTE: encode_note(e, i); break;
	case VMM_TABLE_TOTAL: encode_total(e, i); break;
	case VMM_TABLE_ACCOUNT: encode_account(e, i); break;
	default: break;
	}
}

static void find_places(struct encode *e)
{
	for (uint32_t i = 1; i < e->s->thread_count; i++)
		e->thread_places |= e->s->threads[i].tid <= e->s->threads[i - 1].tid;
	for (uint32_t i = 0; i < e->s->thread_count; i++)
		e->thread_places |= e->s->threads[i].tid < 0;
	for (uint32_t i = 1; i < e->s->module_count; i++)
		e->module_places |= e->s->modules[i].start <= e->s->modules[i - 1].start;
}

int vmm_session_encode(struct vmm_session *s, struct vmm_session_target *t, uint32_t number, const struct vmm_snapshot *snapshot,
                       struct vmm_err *err)
{
	struct encode e = {.s = snapshot, .session = s, .err = err};
	struct vmm_writer *w = vmm_alloc_hook(NULL, sizeof(*w));

	if (!w)
		return vmm_fail_nomem(err);
	e.w = w;
	find_places(&e);
	for (int table = 0; table < VMM_TABLE_COUNT && e.rc == 0; table++) {
		if (table == VMM_TABLE_MEMORY || table == VMM_TABLE_PAGES)
			continue;
		e.rc = vmm_writer_begin(w, s, t, (enum vmm_session_table)table, number, err);
		for (uint32_t i = 0; i < table_count(snapshot, (enum vmm_session_table)table) && e.rc == 0; i++)
			encode_row(&e, (enum vmm_session_table)table, i);
		e.rc = vmm_writer_end(w, e.rc);
	}
	free(w);
	return e.rc;
}
