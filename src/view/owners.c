/* Getters of what rows belong to: files, images, threads, heaps, processes. */
#include <pwd.h>
#include <stdio.h>

#include "view/view.h"

static const struct vmm_module *row_module(const struct vmm_row *row)
{
	const struct vmm_region *r;

	if (row->type == VMM_ROW_MODULE)
		return row->object;
	r = vmm__row_region(row);
	return r && r->module < row->snapshot->module_count ? &row->snapshot->modules[r->module] : NULL;
}

static const struct vmm_thread *row_thread(const struct vmm_row *row)
{
	const struct vmm_region *r;

	if (row->type == VMM_ROW_THREAD)
		return row->object;
	r = row->type == VMM_ROW_MODULE ? NULL : vmm__row_region(row);
	return r && r->thread < row->snapshot->thread_count ? &row->snapshot->threads[r->thread] : NULL;
}

static const struct vmm_heap *row_heap(const struct vmm_row *row)
{
	const struct vmm_region *r;

	if (row->type == VMM_ROW_HEAP)
		return row->object;
	if (row->type == VMM_ROW_DIFF && vmm__diff_heap(row->object))
		return vmm__diff_heap(row->object);
	r = vmm__row_region(row);
	return r && r->heap < row->snapshot->heap_count ? &row->snapshot->heaps[r->heap] : NULL;
}

void vmm__get_path(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_vma *vma = vmm__row_vma(row);
	const struct vmm_region *r;

	if (row->type == VMM_ROW_MODULE)
		vmm__value_text(v, ((const struct vmm_module *)row->object)->path);
	else if (row->type == VMM_ROW_FILE)
		vmm__value_text(v, ((const struct vmm_file_total *)row->object)->path);
	else if (vma)
		vmm__value_text(v, vma->name);
	else if ((r = vmm__row_region(row)))
		vmm__value_text(v, r->path);
}

void vmm__get_deleted(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_vma *vma = vmm__row_vma(row);
	const struct vmm_region *r = vma ? NULL : vmm__row_region(row);
	bool deleted = vma && vma->deleted;

	if (row->type == VMM_ROW_MODULE) {
		vmm__value_number(v, ((const struct vmm_module *)row->object)->deleted);
		return;
	}
	if (!vma && !r)
		return;
	for (uint32_t i = 0; r && !deleted && i < r->block_count && r->first_block + i < row->snapshot->block_count; i++) {
		uint32_t at = row->snapshot->blocks[r->first_block + i].vma;

		deleted = at < row->snapshot->vma_count && row->snapshot->vmas[at].deleted;
	}
	vmm__value_number(v, deleted);
}

void vmm__get_thread(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_thread *t = row_thread(row);

	if (t)
		vmm__value_number(v, (uint64_t)t->tid);
}

void vmm__get_name(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_thread *t = row_thread(row);

	if (t)
		vmm__value_text(v, t->name);
}

static void state_text(char state, struct vmm_value *v)
{
	v->buffer[0] = state;
	v->buffer[1] = '\0';
	vmm__value_text(v, state ? v->buffer : NULL);
}

void vmm__get_state(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_thread *t = row_thread(row);

	if (t)
		state_text(t->state, v);
}

void vmm__get_sp(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_thread *t = row_thread(row);

	if (!t)
		return;
	v->state = t->sp_known ? VMM_KNOWN : VMM_UNKNOWN;
	v->number = t->sp_known ? t->sp : 0;
}

void vmm__get_build_id(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_module *m = row_module(row);

	if (m)
		vmm__value_text(v, m->build_id);
}

void vmm__get_bits(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_module *m = row_module(row);

	if (!m)
		return;
	v->state = m->bits ? VMM_KNOWN : VMM_UNKNOWN;
	v->number = m->bits;
}

#define MODULE_FLAG(flag)                                                                                              \
	void vmm__get_##flag(const struct vmm_row *row, struct vmm_value *v)                                           \
	{                                                                                                              \
		const struct vmm_module *m = row_module(row);                                                          \
                                                                                                                       \
		if (m)                                                                                                 \
			vmm__value_number(v, m->flag);                                                                 \
	}
MODULE_FLAG(pie)
MODULE_FLAG(replaced)
MODULE_FLAG(in_memory)
#undef MODULE_FLAG

void vmm__get_heap(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_heap *h = row_heap(row);

	if (h)
		vmm__value_text(v, h->id);
}

void vmm__get_reader(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_heap *h = row_heap(row);

	if (h)
		vmm__value_text(v, h->reader);
}

void vmm__get_proved(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_heap *h = row_heap(row);

	if (h)
		vmm__value_number(v, h->proved);
}

void vmm__get_pid(const struct vmm_row *row, struct vmm_value *v)
{
	vmm__value_number(v, (uint64_t)((const struct vmm_process *)row->object)->pid);
}

void vmm__get_ppid(const struct vmm_row *row, struct vmm_value *v)
{
	vmm__value_number(v, (uint64_t)((const struct vmm_process *)row->object)->ppid);
}

void vmm__get_uid(const struct vmm_row *row, struct vmm_value *v)
{
	int64_t uid = ((const struct vmm_process *)row->object)->uid;

	v->state = uid >= 0 ? VMM_KNOWN : VMM_UNKNOWN;
	v->number = uid >= 0 ? (uint64_t)uid : 0;
}

void vmm__get_user(const struct vmm_row *row, struct vmm_value *v)
{
	int64_t uid = ((const struct vmm_process *)row->object)->uid;
	struct passwd entry, *found = NULL;
	char room[4096];

	v->state = VMM_UNKNOWN;
	if (uid < 0)
		return;
	if (getpwuid_r((uid_t)uid, &entry, room, sizeof(room), &found) != 0 || !found)
		snprintf(v->buffer, sizeof(v->buffer), "%lld", (long long)uid);
	else
		snprintf(v->buffer, sizeof(v->buffer), "%s", entry.pw_name);
	vmm__value_text(v, v->buffer);
}

void vmm__get_process_state(const struct vmm_row *row, struct vmm_value *v)
{
	state_text(((const struct vmm_process *)row->object)->state, v);
}

void vmm__get_process_name(const struct vmm_row *row, struct vmm_value *v)
{
	vmm__value_text(v, ((const struct vmm_process *)row->object)->name);
}

void vmm__get_map_limit(const struct vmm_row *row, struct vmm_value *v)
{
	v->state = VMM_UNKNOWN;
	if (row->list && row->list->max_map_count_known)
		vmm__value_number(v, row->list->max_map_count);
}

void vmm__get_mappings(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_process *p = row->object;

	v->state = p->mappings_known ? VMM_KNOWN : VMM_UNKNOWN;
	if (!p->mappings_known)
		return;
	v->number = p->mappings;
	if (row->list && row->list->max_map_count_known && !p->kernel_thread) {
		snprintf(v->buffer, sizeof(v->buffer), " / %llu", (unsigned long long)row->list->max_map_count);
		v->suffix = v->buffer;
	}
}

void vmm__get_threads(const struct vmm_row *row, struct vmm_value *v)
{
	const struct vmm_process *p = row->object;

	v->state = p->threads_known ? VMM_KNOWN : VMM_UNKNOWN;
	v->number = p->threads_known ? p->threads : 0;
}

void vmm__get_cgroup(const struct vmm_row *row, struct vmm_value *v)
{
	vmm__value_text(v, ((const struct vmm_process *)row->object)->cgroup);
}

void vmm__get_cmdline(const struct vmm_row *row, struct vmm_value *v)
{
	vmm__value_text(v, ((const struct vmm_process *)row->object)->cmdline);
}

void vmm__get_kernel_thread(const struct vmm_row *row, struct vmm_value *v)
{
	vmm__value_number(v, ((const struct vmm_process *)row->object)->kernel_thread);
}

void vmm__get_missing(const struct vmm_row *row, struct vmm_value *v)
{
	vmm__value_text(v, ((const struct vmm_process *)row->object)->missing);
}
