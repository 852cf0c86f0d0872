/* Rows of a file of VMMap, and what its totals tell. */
#include "source/vmmap.h"

#include <string.h>

#define ROWS_MAX (UINT32_C(1) << 21)

static bool keep_text(struct vmm_arena *a, const char **text)
{
	*text = vmm_arena_intern(a, *text, strlen(*text));
	return *text != NULL;
}

int vmmap_rows_add(struct vmmap_rows *r, const struct vmm_vmmap_row *row)
{
	struct vmm_arena *a = r->s->arena;
	struct vmm_vmmap_row *to;

	if (row->summary) {
		size_t i = row->total ? VMM_KIND_COUNT : row->kind;

		if (!(row->what & VMM_VMMAP_STRANGE_TYPE)) {
			r->summary[i] = *row;
			r->summary[i].type = r->summary[i].protection = r->summary[i].details = "";
			r->has_summary[i] = true;
		}
		return 0;
	}
	if (r->count >= ROWS_MAX)
		return VMM_E_LIMIT;
	if (!vmm_grow(&r->rows, &r->capacity, r->count + 1, sizeof(*r->rows)))
		return VMM_E_NOMEM;
	to = &r->rows[r->count];
	*to = *row;
	/* Only the first row can have no region before it. */
	to->child = row->child && r->count > 0;
	if (!keep_text(a, &to->type) || !keep_text(a, &to->protection) || !keep_text(a, &to->details))
		return VMM_E_NOMEM;
	r->strange_types += (row->what & VMM_VMMAP_STRANGE_TYPE) != 0;
	r->count++;
	return 0;
}

/* Size of a summary's row; false when there is none. */
static bool told_size(const struct vmmap_rows *r, enum vmm_kind kind, uint64_t *ret)
{
	*ret = r->summary[kind].m.value[VMM_METRIC_SIZE];
	return r->has_summary[kind] && vmm_metric_known(&r->summary[kind].m, VMM_METRIC_SIZE);
}

/*
 * VMMap's Free is all that neither a region nor Unusable takes, up to the end of the address space, and its Total is all
 * the rest and the page tables: so the end stands in the summary, whatever the rows hold. Of XML the last free region
 * ends there. False: neither tells.
 */
static bool find_end(const struct vmmap_rows *r, uint64_t *ret)
{
	uint64_t total, tables = 0, unused;
	bool found = false;

	if (told_size(r, VMM_KIND_FREE, &unused)) {
		told_size(r, VMM_KIND_PAGE_TABLE, &tables);
		total = r->summary[VMM_KIND_COUNT].m.value[VMM_METRIC_SIZE];
		*ret = vmm_add_sat(unused, total - vmm_min_u64(total, tables));
		return r->has_summary[VMM_KIND_COUNT] && total > 0;
	}
	*ret = 0;
	for (size_t i = 0; i < r->count; i++) {
		const struct vmm_vmmap_row *row = &r->rows[i];

		found |= row->kind == VMM_KIND_FREE;
		if (row->kind == VMM_KIND_FREE)
			*ret = vmm_max_u64(*ret, vmm_add_sat(row->address, row->m.value[VMM_METRIC_SIZE]));
	}
	return found;
}

static void tell_end(struct vmmap_rows *r)
{
	struct vmm_snapshot *s = r->s;
	uint64_t last = s->region_count ? s->regions[s->region_count - 1].end : 0, end;
	bool known = find_end(r, &end);

	/* Of XML a region may lie behind the last free one. */
	if (known && r->xml)
		end = vmm_max_u64(end, last);
	/* Above the last row of a file that was cut anything may be. */
	known &= end >= last && end < UINT64_MAX && !r->cut;
	s->target.user_end = known ? end : last;
	if (s->region_count && !known && !r->cut)
		vmm_snapshot_note(s, "vmmap", "no_end", 0,
		                  "the file does not tell where the address space ends: what is free above the last region is left out");
}

static const struct {
	const char *id, *label;
	enum vmm_metric metric;
} told_table[] = {
        {"size", "sizes, unusable, page tables = VMMap's Total", VMM_METRIC_SIZE},
        {"committed", "committed, page tables = VMMap's Total", VMM_METRIC_COMMITTED},
        {"private", "private, page tables = VMMap's Total", VMM_METRIC_PRIVATE},
        {"rss", "resident, page tables = VMMap's Total WS", VMM_METRIC_RSS},
        {"uss", "unshareable, page tables = VMMap's Private WS", VMM_METRIC_USS},
        {"shareable", "shareable = VMMap's Shareable WS", VMM_METRIC_SHAREABLE},
        {"shared", "shared = VMMap's Shared WS", VMM_METRIC_SHARED},
        {"locked", "locked = VMMap's Locked WS", VMM_METRIC_LOCKED},
};

static void tell(struct vmm_snapshot *s, const char *id, const char *label, bool known, uint64_t bytes, const char *explanation)
{
	s->accounts[s->account_count++] =
	        (struct vmm_account){.id = id, .label = label, .kernel_known = known, .kernel = bytes, .told = true, .explanation = explanation};
}

/* A type whose regions do not add up to its row of the summary. */
static void compare_kind(struct vmmap_rows *r, enum vmm_kind kind)
{
	const struct vmm_metrics *told = &r->summary[kind].m;
	struct vmm_metrics sum;

	if (!r->has_summary[kind] || kind == VMM_KIND_PAGE_TABLE || kind == VMM_KIND_UNUSABLE || kind == VMM_KIND_FREE)
		return;
	vmm_metrics_zero(&sum);
	for (uint32_t i = 0; i < r->s->region_count; i++)
		if (r->s->regions[i].kind == kind)
			vmm_metrics_add(&sum, r->s->regions[i].m);
	for (size_t i = 0; i < ARRAY_LEN(told_table); i++) {
		enum vmm_metric m = told_table[i].metric;

		if (!vmm_metric_known(told, m) || !vmm_metric_known(&sum, m) || told->value[m] == sum.value[m])
			continue;
		vmm_snapshot_note(r->s, "vmmap", "sums", 0, "%s: the file's summary has %llu KiB %s, its regions have %llu KiB",
		                  vmm_kind_label(kind), (unsigned long long)(told->value[m] >> 10), vmm_metric_id(m),
		                  (unsigned long long)(sum.value[m] >> 10));
		return;
	}
}

static void tell_page_tables(struct vmmap_rows *r)
{
	struct vmm_target_info *t = &r->s->target;
	uint64_t bytes;

	/* No process is without: blank is where VMMap may not know. */
	if (!told_size(r, VMM_KIND_PAGE_TABLE, &bytes) || bytes == 0)
		return;
	t->status[VMM_STATUS_VM_PTE] = bytes;
	t->status_known |= UINT32_C(1) << VMM_STATUS_VM_PTE;
}

int vmmap_told(struct vmmap_rows *r, uint64_t rows_private, struct vmm_err *err)
{
	const struct vmm_metrics *total = &r->summary[VMM_KIND_COUNT].m;
	struct vmm_snapshot *s = r->s;
	/* On Linux they lie below the lowest address and below stacks, on Windows behind every region. */
	const char *why = r->cut ? "the file is not whole" : s->target.arch[0] ? "" : "the file does not tell where the unusable addresses lie: here they are free";
	uint64_t bytes;
	bool known;

	s->accounts = vmm_arena_array(s->arena, ARRAY_LEN(told_table) + 3, sizeof(*s->accounts));
	if (!s->accounts)
		return vmm_fail_nomem(err);
	tell_end(r);
	tell_page_tables(r);
	for (int k = 0; k < VMM_KIND_COUNT && !r->cut; k++)
		compare_kind(r, (enum vmm_kind)k);
	for (size_t i = 0; i < ARRAY_LEN(told_table) && r->has_summary[VMM_KIND_COUNT]; i++)
		tell(s, told_table[i].id, told_table[i].label, vmm_metric_known(total, told_table[i].metric),
		     total->value[told_table[i].metric], r->cut || told_table[i].metric == VMM_METRIC_SIZE ? why : "");
	known = told_size(r, VMM_KIND_UNUSABLE, &bytes);
	if (known)
		tell(s, "unusable", "unusable = VMMap's Unusable", known, bytes, why);
	known = told_size(r, VMM_KIND_FREE, &bytes);
	if (known)
		tell(s, "free", "free = VMMap's Free", known, bytes, why);
	if (rows_private != UINT64_MAX)
		tell(s, "private_rows", "private of the blocks = of VMMap's region rows", true, rows_private,
		     "of some images VMMap's row has less than its blocks; its summary and this one have what the blocks have");
	return 0;
}
