/* vmmap heap: heaps, who holds the rest, and what of it would be given back. */
#include <stdlib.h>

#include "analysis/heap_total.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"
#include "face/heap_page.h"
#include "face/summary.h"

#define ACCOUNTS_MAX 34 /* the two of all heaps, and of single heaps those that do not come out */

/* How each allocator is asked to give memory back. */
static const struct {
	const char *reader, *words;
} remedy_table[] = {
    {"glibc", "malloc_trim(0)"},
    {"jemalloc", "mallctl(\"arena.<i>.purge\", ...)"},
    {"tcmalloc", "MallocExtension::ReleaseFreeMemory()"},
    {"mimalloc", "mi_collect(true)"},
};

static void put_right(struct vmm_out *out, struct vmm_out *made, size_t width)
{
	char *text = made ? vmm_out_take(made, NULL) : NULL;
	size_t used = text ? vmm_text_width(text, strlen(text)) : 1;

	if (width > used)
		vmm_out_repeat(out, " ", width - used);
	vmm_out_text(out, text ? text : "?");
	free(text);
}

void vmm_heap_put_count(struct vmm_out *out, uint64_t count, size_t width)
{
	struct vmm_out *made = vmm_out_create_memory();

	if (made && count)
		vmm_put_count(made, count);
	else if (made)
		vmm_out_char(made, '-');
	put_right(out, made, width);
}

void vmm_heap_put_size(struct vmm_out *out, const struct vmm_look *look, uint64_t bytes, size_t width)
{
	struct vmm_out *made = vmm_out_create_memory();

	if (made && bytes)
		vmm_put_size(made, look, bytes);
	else if (made)
		vmm_out_char(made, '-');
	put_right(out, made, width);
}

/* The table of heaps, with their sum below where there are several. */
static int put_table(struct vmm_out *out, const struct vmm_look *look, const struct vmm_heap_page *p, struct vmm_err *err)
{
	const struct vmm_snapshot *s = p->snapshot;
	VMM_CLEANUP_FREE struct vmm_row *rows = vmm_alloc_hook(NULL, (s->heap_count + (size_t)1) * sizeof(*rows));
	struct vmm_rows table = {.rows = rows};

	if (!rows)
		return vmm_fail_nomem(err);
	for (uint32_t i = 0; i < s->heap_count; i++)
		if (vmm_heap_is(&s->heaps[i], p->id))
			rows[table.count++] = (struct vmm_row){.snapshot = s, .object = &s->heaps[i], .type = VMM_ROW_HEAP};
	if (table.count > 1)
		rows[table.count++] = (struct vmm_row){.snapshot = s, .object = p->total, .type = VMM_ROW_HEAP};
	vmm_emit_text(out, p->query, &table, &look->style);
	return 0;
}

/* Bytes of one state: the resident ones, or all where that is not known. */
static uint64_t amount(const struct vmm_chunk_sums *sums, enum vmm_chunk_state state, bool resident)
{
	return resident ? sums->of[state].rss : sums->of[state].bytes;
}

/* What the allocator holds and nobody uses. */
static uint64_t held_back(const struct vmm_chunk_sums *sums, bool resident)
{
	return resident ? vmm_chunk_sums_unused(sums) : vmm_chunk_sums_free(sums) + sums->of[VMM_CHUNK_TOP].bytes;
}

static void put_short_of(struct vmm_out *out, uint64_t part, uint64_t whole)
{
	vmm_put_short_size(out, part);
	vmm_out_text(out, " of ");
	vmm_put_short_size(out, whole);
}

static const char *remedy_of(const char *reader)
{
	for (size_t i = 0; i < ARRAY_LEN(remedy_table); i++)
		if (strcmp(remedy_table[i].reader, reader) == 0)
			return remedy_table[i].words;
	return NULL;
}

/* What the allocators of one reader hold back, and how to get it. */
static void put_remedy(struct vmm_out *out, const struct vmm_heap_page *p, const char *reader)
{
	bool resident = p->total->contents->resident_known;
	const struct vmm_snapshot *s = p->snapshot;
	uint64_t trimmable = 0, unused = 0;
	const char *words = remedy_of(reader);
	bool known = false;

	for (uint32_t i = 0; i < s->heap_count; i++) {
		const struct vmm_heap *h = &s->heaps[i];

		if (!h->contents || !vmm_heap_is(h, p->id) || strcmp(h->reader, reader) != 0)
			continue;
		unused += held_back(&h->contents->sums, resident);
		known |= h->contents->trim_known;
		if (h->contents->trim_known)
			trimmable += resident ? h->contents->trimmable : h->contents->trimmable_size;
	}
	if (!unused)
		return;
	vmm_out_text(out, "  ");
	vmm_out_escaped(out, reader, 0);
	vmm_out_text(out, " holds ");
	vmm_put_short_size(out, unused);
	if (!words) {
		vmm_out_text(out, "; it has no call that gives memory back\n");
	} else if (!known) {
		vmm_out_printf(out, "; %s asks for it back, how much comes is not known\n", words);
	} else if (trimmable) {
		vmm_out_text(out, resident ? "; trimming would return " : "; trimming would have returned at most ");
		vmm_put_short_size(out, trimmable);
		vmm_out_printf(out, ": %s\n", words);
	} else {
		vmm_out_text(out, resident ? "; trimming would return nothing: no whole page of it is free\n"
		                           : "; trimming would have returned nothing: no whole page of it is free\n");
	}
}

/* Of each reader once, where it comes up first. */
static void put_remedies(struct vmm_out *out, const struct vmm_heap_page *p)
{
	const struct vmm_snapshot *s = p->snapshot;

	for (uint32_t i = 0; i < s->heap_count; i++) {
		bool before = false;

		for (uint32_t j = 0; j < i && !before; j++)
			before = strcmp(s->heaps[j].reader, s->heaps[i].reader) == 0;
		if (!before)
			put_remedy(out, p, s->heaps[i].reader);
	}
}

/* Who holds what is resident, or what there is where that is not known: the program, or the allocator for nobody. */
static void put_holders(struct vmm_out *out, const struct vmm_look *look, const struct vmm_heap_page *p)
{
	const struct vmm_snapshot *s = p->snapshot;
	const struct vmm_chunk_sums *sums = &p->total->contents->sums;
	bool resident = p->total->contents->resident_known;
	uint64_t all = 0, unproved = 0;

	for (int i = 0; i < VMM_CHUNK_STATE_COUNT; i++)
		all += amount(sums, (enum vmm_chunk_state)i, resident);
	for (uint32_t i = 0; i < s->heap_count; i++)
		unproved += vmm_heap_is(&s->heaps[i], p->id) && !s->heaps[i].contents;
	vmm_put_heading(out, look, "Who holds it");
	vmm_out_text(out, "  the program uses ");
	put_short_of(out, amount(sums, VMM_CHUNK_USED, resident), all);
	vmm_out_text(out, resident ? " resident, in " : ", in ");
	vmm_put_count(out, sums->of[VMM_CHUNK_USED].count);
	vmm_out_text(out, sums->of[VMM_CHUNK_USED].count == 1 ? " chunk\n" : " chunks\n");
	if (held_back(sums, resident)) {
		vmm_out_text(out, "  nobody uses ");
		put_short_of(out, held_back(sums, resident), all);
		vmm_out_text(out, ": freed but kept; the allocator's own takes ");
	} else {
		vmm_out_text(out, "  nothing is freed but kept; the allocator's own takes ");
	}
	vmm_put_short_size(out, amount(sums, VMM_CHUNK_META, resident));
	vmm_out_char(out, '\n');
	if (!resident)
		vmm_out_text(out, "  how much of that was resident is not known\n");
	put_remedies(out, p);
	if (unproved) {
		vmm_out_text(out, "  not counted here: ");
		vmm_put_count(out, unproved);
		vmm_out_text(out, unproved == 1 ? " heap that is not proved\n" : " heaps that are not proved\n");
	}
}

static void put_accounts(struct vmm_out *out, const struct vmm_look *look, const struct vmm_heap_page *p)
{
	const struct vmm_snapshot *s = p->snapshot;
	struct vmm_account shown[ACCOUNTS_MAX];
	struct vmm_heap_accounts one;
	size_t count = 0;

	if (!p->id)
		for (uint32_t i = 0; i < s->account_count && count < 2; i++)
			if (strncmp(s->accounts[i].id, "heaps", 5) == 0)
				shown[count++] = s->accounts[i];
	for (uint32_t i = 0; i < s->heap_count && count + 2 <= ACCOUNTS_MAX; i++) {
		const struct vmm_heap *h = &s->heaps[i];

		if (!vmm_heap_is(h, p->id) || !vmm_heap_accounts(h, &one))
			continue;
		if (p->id || one.size.remainder) {
			shown[count] = one.size;
			shown[count].label = p->id ? "chunks = size of the heap" : h->id;
			shown[count++].explanation = one.size.remainder ? "it changed between the two reads" : "";
		}
		if (one.rss.sum_known && (p->id || one.rss.remainder)) {
			shown[count] = one.rss;
			shown[count].label = p->id ? "resident chunks = resident heap" : h->id;
			shown[count++].explanation = one.rss.remainder ? "resident bytes changed between the two reads" : "";
		}
	}
	vmm_summary_accounts(out, look, shown, count);
}

/* Why there are no heaps. */
static const char *none_text(const struct vmm_snapshot *s)
{
	for (uint32_t i = 0; i < s->note_count; i++)
		if (strcmp(s->notes[i].code, "denied") == 0)
			return "\nHeaps are not known: memory may not be read.\n";
	return "\nNo heap of an allocator that vmmap knows was found.\n";
}

int vmm_heap_page_text(struct vmm_out *out, const struct vmm_look *look, const struct vmm_heap_page *p, struct vmm_err *err)
{
	const struct vmm_snapshot *s = p->snapshot;
	int code = 0;

	vmm_summary_head(out, look, s);
	if (s->heap_count == 0) {
		if (s->vma_count)
			vmm_out_text(out, none_text(s));
		vmm_summary_notes(out, look, s);
		return 0;
	}
	vmm_out_char(out, '\n');
	code = put_table(out, look, p, err);
	if (code < 0)
		return code;
	if (look->pictures)
		vmm_heap_put_bars(out, look, p);
	if (p->total->contents) {
		put_holders(out, look, p);
		vmm_heap_put_sizes(out, look, p);
	}
	/* Where nothing is known of chunks "none" would be a lie. */
	if (p->total->contents || p->survey->largest_count)
		vmm_heap_put_lists(out, look, p);
	put_accounts(out, look, p);
	vmm_summary_notes(out, look, s);
	return 0;
}
