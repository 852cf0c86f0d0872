#include "reader/reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"

#define READ_BUDGET (UINT64_C(64) << 20)
#define READ_COST 32 /* bytes that every look costs besides */
#define WORDS_MAX 64

static const struct vmm_reader_ops *const reader_table[] = {
#define VMM_READER(name) &vmm_reader_##name,
#include "reader/readers.def"
#undef VMM_READER
};

int vmm_readers_run(struct vmm_reading *r, struct vmm_err *err)
{
	int rc = 0;

	r->budget = READ_BUDGET;
	for (size_t i = 0; i < ARRAY_LEN(reader_table) && rc == 0 && !r->denied; i++) {
		r->running = reader_table[i];
		rc = r->running->detect(r, err);
	}
	if (r->denied)
		vmm_snapshot_note(r->snapshot, "heaps", "denied", 0,
		                  "memory may not be read: arenas of allocators show as Private Data; run vmmap as the target's user or root, "
		                  "or give it CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH");
	return rc;
}

void vmm_reading_done(struct vmm_reading *r)
{
	free(r->heaps);
	free(r->areas);
	r->heaps = NULL;
	r->areas = NULL;
}

int vmm_reading_add_heap(struct vmm_reading *r, const struct vmm_heap *heap, void *data, uint32_t *ret_heap, struct vmm_err *err)
{
	if (!vmm_grow(&r->heaps, &r->heap_capacity, r->heap_count + 1, sizeof(*r->heaps)))
		return vmm_fail_nomem(err);
	*ret_heap = (uint32_t)r->heap_count;
	r->heaps[r->heap_count++] = (struct vmm_found_heap){.heap = *heap, .reader = r->running, .data = data};
	return 0;
}

int vmm_reading_add_area(struct vmm_reading *r, const struct vmm_area *area, struct vmm_err *err)
{
	if (!vmm_grow(&r->areas, &r->area_capacity, r->area_count + 1, sizeof(*r->areas)))
		return vmm_fail_nomem(err);
	r->areas[r->area_count++] = *area;
	return 0;
}

unsigned vmm_reading_word(const struct vmm_reading *r)
{
	return r->snapshot->target.bits == 32 ? 4 : 8;
}

/* Reads within the budget; *ret_absent counts bytes of absent pages. */
static bool read_present(struct vmm_reading *r, uint64_t address, void *ret_bytes, size_t length, uint64_t *ret_absent)
{
	int rc;

	if (r->denied || length > r->budget)
		return false;
	rc = vmm_target_read_present(r->target, address, ret_bytes, length, ret_absent, NULL);
	r->denied = rc == VMM_E_DENIED;
	/* Absent pages cost a look at the page map, no copy. */
	r->budget -= vmm_min_u64(r->budget, rc == 0 ? length - *ret_absent + READ_COST : READ_COST);
	return rc == 0;
}

bool vmm_reading_words(struct vmm_reading *r, uint64_t address, uint64_t *ret_words, unsigned count)
{
	unsigned char bytes[WORDS_MAX * 8];
	unsigned word = vmm_reading_word(r);
	struct vmm_cursor c = {.p = bytes, .end = bytes + count * word, .word = (uint8_t)word};
	uint64_t absent;

	if (count > WORDS_MAX || !read_present(r, address, bytes, count * word, &absent) || absent)
		return false;
	for (unsigned i = 0; i < count; i++)
		if (!vmm_cursor_word(&c, &ret_words[i]))
			return false;
	return true;
}

bool vmm_reading_bytes(struct vmm_reading *r, uint64_t address, void *ret_bytes, size_t length)
{
	uint64_t absent;

	return read_present(r, address, ret_bytes, length, &absent) && absent < length;
}

bool vmm_reading_tls_above(const struct vmm_reading *r)
{
	const char *arch = r->snapshot->target.arch;

	return strcmp(arch, "aarch64") == 0 || strcmp(arch, "arm") == 0;
}

bool vmm_reading_writable(const struct vmm_reading *r, uint64_t address)
{
	const struct vmm_vma *v = vmm_snapshot_vma_at(r->snapshot, address);

	return v && (v->prot & (VMM_PROT_READ | VMM_PROT_WRITE | VMM_PROT_SHARED)) == (VMM_PROT_READ | VMM_PROT_WRITE) &&
	       (v->backing == VMM_BACKING_ANON || v->backing == VMM_BACKING_FILE);
}

uint64_t vmm_reading_data_end(const struct vmm_snapshot *s, uint32_t i)
{
	uint64_t start = s->vmas[i].start, end = s->vmas[i].end;

	for (i++; i < s->vma_count && s->vmas[i].start == end; i++) {
		const struct vmm_vma *v = &s->vmas[i];

		if (v->backing != VMM_BACKING_ANON || v->name[0] || !(v->prot & VMM_PROT_WRITE))
			break;
		end = v->end;
	}
	for (uint32_t k = 0; k < s->module_count; k++)
		if (s->modules[k].start <= start && start < s->modules[k].end)
			end = vmm_min_u64(end, s->modules[k].end);
	return end;
}
