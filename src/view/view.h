/*
 * What the files of the view layer share: rows resolved to what lies behind them, the columns' getters, JSON pieces.
 * Layer: view. Everything here reads a sealed snapshot: thread-safe.
 */
#ifndef VMM_VIEW_VIEW_H
#define VMM_VIEW_VIEW_H

#include "base/base.h"
#include "base/out.h"
#include "vmmap/view.h"

/* The region that a row is, lies in or stands for; NULL when there is none. */
const struct vmm_region *vmm__row_region(const struct vmm_row *row);
/* The mapping that the row is or lies in (mappings, blocks); NULL for all others. */
const struct vmm_vma *vmm__row_vma(const struct vmm_row *row);
/* Its numbers; NULL when it has none (gaps, threads without a known stack). */
const struct vmm_metrics *vmm__row_metrics(const struct vmm_row *row);
/* Its kind, VMM_KIND_COUNT when it has none. */
enum vmm_kind vmm__row_kind(const struct vmm_row *row);
/* True for the row of the sum of all types. */
bool vmm__row_is_total(const struct vmm_row *row);
/* Its addresses; false when it has none. */
bool vmm__row_range(const struct vmm_row *row, uint64_t *ret_start, uint64_t *ret_end);
/* True when something behind the row is writable and executable at once. */
bool vmm__row_write_exec(const struct vmm_row *row);
/* Of a row of a diff: its region where there is one, after before before; the value of a column with a metric. */
const struct vmm_region *vmm__diff_region(const struct vmm_diff_row *row);
const struct vmm_heap *vmm__diff_heap(const struct vmm_diff_row *row);
void vmm__diff_metric(const struct vmm_diff_row *row, const struct vmm_column *column, struct vmm_value *v);
static inline bool vmm__value_signed(const struct vmm_column *column)
{
	return column->type == VMM_VALUE_CHANGE || column->type == VMM_VALUE_CHANGE_COUNT;
}
/* "used: 12,345 bytes in 12 chunks". */
void vmm__part_details(const struct vmm_heap_part *part, struct vmm_value *v);
/* Bytes of the largest block of a region. */
uint64_t vmm__region_largest(const struct vmm_snapshot *s, const struct vmm_region *r);

/*
 * Sorts rows as the query says: a heap array, which may be replaced by another one. arena keeps texts meanwhile. False: out of
 * memory, nothing changed.
 */
struct vmm_arena;
bool vmm__rows_sort(struct vmm_row **rows, size_t *capacity, size_t count, const struct vmm_query *q, struct vmm_arena *arena);

/* Values; the caller has set state VMM_ABSENT, number 0 and empty texts. */
static inline void vmm__value_number(struct vmm_value *v, uint64_t number)
{
	v->state = VMM_KNOWN;
	v->number = number;
}

static inline void vmm__value_text(struct vmm_value *v, const char *text)
{
	v->state = text ? VMM_KNOWN : VMM_UNKNOWN;
	v->text = text ? text : "";
}

#define VMM__GETTERS(X)                                                                                              \
	X(address) X(end) X(kind) X(blocks) X(largest) X(regions) X(protection) X(wx) X(numa) X(details) X(label)    \
	X(guard) X(offset) X(device) X(inode) X(vmflags) X(page_size) X(path) X(deleted) X(thread) X(name) X(state)  \
	X(sp) X(build_id) X(bits) X(pie) X(replaced) X(in_memory) X(heap) X(reader) X(proved)                        \
	X(pid) X(ppid) X(uid) X(user) X(process_state) X(process_name) X(mappings) X(map_limit) X(threads)           \
	X(cgroup) X(cmdline) X(kernel_thread) X(missing)                                                             \
	X(used_count) X(free) X(free_count) X(top) X(overhead) X(reserved) X(largest_free) X(trimmable)              \
	X(heap_threads) X(heap_chunk_address) X(heap_chunk_size) X(heap_chunk_start) X(heap_chunk_stretch)           \
	X(heap_chunk_state) X(heap_chunk_heap) X(heap_chunk_label) X(heap_chunk_region)                              \
	X(change_state) X(changes) X(was) X(count_change) X(free_count_change) X(class_size) X(protection_before)    \
	X(length) X(encoding) X(text) X(cut) X(region) X(chunk) X(chunk_size) X(chunk_state)
#define X(name) void vmm__get_##name(const struct vmm_row *row, struct vmm_value *v);
VMM__GETTERS(X)
#undef X

/* A column by a name that need not end with NUL. */
const struct vmm_column *vmm__column_find(const struct vmm_table *table, const char *name, size_t length);
/* The id most like name, NULL when none is near. */
const char *vmm__nearest(const char *const *ids, size_t count, const char *name, size_t length);
const char *vmm__column_nearest(const struct vmm_table *table, const char *name, size_t length);

/* 1970-01-01T00:00:00.000000000Z between quotes; false, and nothing, when unknown or where the calendar ends. */
bool vmm__put_time(struct vmm_out *out, const char *quote, const struct timespec *t);
/* The same as a JSON string, or null. */
void vmm__json_time(struct vmm_out *out, const struct timespec *t);
/* "schema":1,"tool":"vmmap N" */
void vmm__json_head(struct vmm_out *out);
/* An object. */
void vmm__json_trend(struct vmm_out *out, const struct vmm_trend *t);
/* One object with all given columns of a row. */
void vmm__json_row(struct vmm_out *out, const struct vmm_column *const *columns, size_t count, const struct vmm_row *row,
                   bool with_depth);
/* The rows of "regions" (regions with their blocks) or "mappings" (raw), without the brackets. */
void vmm__json_regions(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows);
void vmm__json_mappings(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows);
/* ,"regions":{...},"blocks":{...},"gaps":{...} as columns; "mappings" in raw mode. */
void vmm__json_packed(struct vmm_out *out, const struct vmm_query *q, const struct vmm_rows *rows, const struct vmm_snapshot *s);
/* ,"target":{...}, ,"accounts":[...], ,"notes":[...]. */
void vmm__json_target(struct vmm_out *out, const struct vmm_target_info *t);
void vmm__json_accounts(struct vmm_out *out, const struct vmm_snapshot *s);
void vmm__json_notes(struct vmm_out *out, const struct vmm_snapshot *s);
/* One of them. */
void vmm__json_note(struct vmm_out *out, const struct vmm_note *n, bool first);
/* ,"key":{"before","after","change"} of a diff. */
void vmm__json_diff_counts(struct vmm_out *out, const char *key, const struct vmm_diff_counts *c);
/* {"state":"new","changes":["new"] without the end of the object. */
void vmm__json_diff_state(struct vmm_out *out, const struct vmm_diff_row *d);
/* Threads, images, accounts, limits and notes of a diff. */
void vmm__json_diff_rest(struct vmm_out *out, const struct vmm_diff *diff);
/* ,"heaps":[...]: all, or the one with this id; with their numbers of chunks by size. */
void vmm__json_heaps(struct vmm_out *out, const struct vmm_snapshot *s, const char *id, bool with_sizes);
/* {"used":{"count","bytes","rss"},...} or null. */
void vmm__json_chunk_sums(struct vmm_out *out, const struct vmm_chunk_sums *sums, bool resident_known);
/* ,"used_bytes":1,... of a heap; c NULL: not known. */
void vmm__json_heap_contents(struct vmm_out *out, const struct vmm_heap_contents *c);
/* The columns of rows that stand alone: those chosen, else every JSON column or, where a table has its own, those. */
#define VMM__ROW_COLUMNS_MAX 256
size_t vmm__json_columns(const struct vmm_query *q, const struct vmm_column *ret[VMM__ROW_COLUMNS_MAX]);
void vmm__csv_heading(struct vmm_out *out, const struct vmm_query *q);
void vmm__csv_row(struct vmm_out *out, const struct vmm_query *q, const struct vmm_row *row);

/* A table of rows that come one by one: the columns' widths are set beforehand. NULL: out of memory. Keeps q and style. */
struct vmm__text_stream;
struct vmm__text_stream *vmm__text_stream_create(const struct vmm_query *q, const struct vmm_style *style, bool narrow);
/* row NULL: the heading. */
void vmm__text_stream_row(struct vmm__text_stream *t, struct vmm_out *out, const struct vmm_row *row);

/* vmm_emit_json_columns() of all rows of a table; raw: the kernel's mappings. VMM_E_NOMEM. */
int vmm__json_whole(struct vmm_out *out, const char *table, bool raw, const struct vmm_snapshot *s, struct vmm_err *err);
/* ,"size":1,... of all metrics, and "at_least" where there are lower bounds. */
void vmm__json_metrics(struct vmm_out *out, const struct vmm_metrics *m);

#endif
