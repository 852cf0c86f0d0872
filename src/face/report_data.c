/* The data of a report as web/src/data/report.ts reads them. */
#include "face/report_data.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "face/timeline.h"
#include "view/json_write.h"

#define SNAPSHOTS_MOST 120      /* shown when nobody says how many */
#define ROWS_MOST 600000        /* regions and blocks of all snapshots together, when nobody says how many */
#define LOOKS_MOST 2000         /* points of a timeline */
#define DIFF_REGIONS 4000       /* of one difference */
#define DIFFS_BYTES (64u << 20) /* of all differences, before they are packed */

enum { TYPES, REGIONS, HEAPS, CLASSES, SECTIONS };

static const char *const diff_tables[SECTIONS] = {"diff_types", "diff_regions", "diff_heaps", "diff_classes"};

int vmm_report_put_snapshot(struct vmm_page_pack *pack, const struct vmm_snapshot *s, uint32_t number, struct vmm_err *err)
{
	struct vmm_out *memory = vmm_out_create_memory();
	struct vmm_query q = {0};
	struct vmm_rows rows;
	size_t length;
	char *json, head[32];
	int code;

	if (!memory)
		return vmm_fail_nomem(err);
	code = vmm_query_init(&q, "tree", NULL, NULL, NULL, NULL, err);
	if (code == 0)
		code = vmm_rows_build(&rows, &q, s, err);
	if (code == 0) {
		vmm_emit_json_columns(memory, &q, &rows, s);
		vmm_rows_done(&rows);
	}
	vmm_query_done(&q);
	json = vmm_out_take(memory, &length);
	if (code == 0 && !json)
		code = vmm_fail_nomem(err);
	if (code == 0 && number) {
		/* Its number is one more member of the document. */
		snprintf(head, sizeof(head), "{\"n\":%u,", number);
		vmm_page_pack_text(pack, head);
		vmm_page_pack_bytes(pack, json + 1, length - 1);
	} else if (code == 0) {
		vmm_page_pack_bytes(pack, json, length);
	}
	free(json);
	return code;
}

/* ---- which snapshots ---- */

/* How many of so many snapshots stay small, by the rows of the last. */
static int count_small(const struct vmm_report_session *r, uint32_t last, uint64_t *ret_most, struct vmm_err *err)
{
	struct vmm_snapshot *s;
	uint64_t rows;
	int code = vmm_session_load(r->session, last, &s, err);

	if (code < 0)
		return code;
	rows = (uint64_t)s->region_count + s->block_count + 1;
	vmm_snapshot_destroy(s);
	*ret_most = vmm_min_u64(SNAPSHOTS_MOST, vmm_max_u64(2, ROWS_MOST / rows));
	return 0;
}

int vmm_report_session_choose(struct vmm_report_session *r, struct vmm_session *session, const char *file, uint64_t most,
                              struct vmm_err *err)
{
	const struct vmm_session_entry *entries;
	size_t capacity = 0;
	uint32_t n = 0;
	int code;

	*r = (struct vmm_report_session){.session = session, .file = file};
	code = vmm_session_index(session, &r->index, err);
	if (code < 0)
		return code;
	if (r->index->count == 0)
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "the session holds no snapshot");
	entries = r->index->entries;
	r->target = entries[r->index->count - 1].target;
	if (!vmm_grow(&r->numbers, &capacity, r->index->count, sizeof(*r->numbers)))
		return vmm_fail_nomem(err);
	for (uint32_t i = 0; i < r->index->count; i++)
		if (entries[i].target == r->target)
			r->numbers[r->total++] = entries[i].number;
	if (!most)
		code = count_small(r, r->numbers[r->total - 1], &most, err);
	if (code < 0)
		return code;
	if (most == 1)
		r->numbers[0] = r->numbers[r->total - 1];
	for (; n < most && n < r->total && most > 1; n++)
		r->numbers[n] = r->numbers[most >= r->total ? n : (uint32_t)((uint64_t)n * (r->total - 1) / (most - 1))];
	r->count = most == 1 ? 1 : n;
	return 0;
}

void vmm_report_session_done(struct vmm_report_session *r)
{
	free(r->numbers);
	vmm_session_index_destroy(r->index);
	vmm_session_close(r->session);
}

/* ---- what differs ---- */

struct differences {
	struct vmm_query queries[SECTIONS];
	struct vmm_out *out; /* elements of the array "diffs" */
	uint32_t left_out;
};

static int differences_open(struct differences *d, struct vmm_err *err)
{
	int code = 0;

	memset(d, 0, sizeof(*d));
	d->out = vmm_out_create_memory();
	if (!d->out)
		return vmm_fail_nomem(err);
	for (size_t i = 0; i < SECTIONS && code == 0; i++) {
		code = vmm_query_init(&d->queries[i], diff_tables[i], NULL, NULL, NULL, NULL, err);
		if (code == 0 && i == REGIONS)
			d->queries[i].top = DIFF_REGIONS;
	}
	return code;
}

static void differences_done(struct differences *d)
{
	for (size_t i = 0; i < SECTIONS; i++)
		vmm_query_done(&d->queries[i]);
	if (d->out)
		free(vmm_out_take(d->out, NULL));
}

static int put_difference(struct differences *d, const char *file, const struct vmm_snapshot *a, const struct vmm_snapshot *b,
                          struct vmm_err *err)
{
	char names[2][32];
	struct vmm_diff_page page = {.names = {names[0], names[1]},
	                             .types = &d->queries[TYPES],
	                             .regions = &d->queries[REGIONS],
	                             .heaps = &d->queries[HEAPS],
	                             .classes = &d->queries[CLASSES],
	                             .rest = true};
	struct vmm_diff *diff;
	int code;

	if (d->out->used > DIFFS_BYTES) {
		d->left_out++;
		return 0;
	}
	code = vmm_diff_create(a, b, &diff, err);
	if (code < 0)
		return code;
	snprintf(names[0], sizeof(names[0]), "@%u", a->session_number);
	snprintf(names[1], sizeof(names[1]), "@%u", b->session_number);
	page.diff = diff;
	vmm_out_printf(d->out, "%s{\"before\":%u,\"after\":%u,\"diff\":", d->out->used ? ",\n" : "\n", a->session_number,
	               b->session_number);
	code = vmm_emit_json_diff(d->out, &page, err);
	vmm_out_char(d->out, '}');
	vmm_diff_destroy(diff);
	return code;
}

/* ---- over time ---- */

static int put_timelines(struct vmm_page_pack *pack, const struct vmm_report_session *r, struct vmm_err *err)
{
	static const enum vmm_metric measures[] = {VMM_METRIC_RSS, VMM_METRIC_COMMITTED, VMM_METRIC_PRIVATE, VMM_METRIC_SIZE,
	                                           VMM_METRIC_PSS, VMM_METRIC_USS,       VMM_METRIC_SWAP,    VMM_METRIC_USED};
	int code = 0;

	vmm_page_pack_text(pack, "],\n\"timelines\":{");
	for (size_t i = 0; i < ARRAY_LEN(measures) && code == 0; i++) {
		struct vmm_timeline_ask ask = {.file = r->file,
		                               .by_chosen = true,
		                               .measure = measures[i],
		                               .target_number = r->target,
		                               .looks = LOOKS_MOST,
		                               .growth = i == 0};
		struct vmm_out *memory = vmm_out_create_memory();
		struct vmm_timeline *t;

		if (!memory)
			return vmm_fail_nomem(err);
		code = vmm_timeline_create(r->session, &ask, &t, err);
		if (code == 0) {
			vmm_out_printf(memory, "%s\"%s\":", i ? ",\n" : "\n", vmm_metric_id(measures[i]));
			vmm_timeline_json(memory, t);
			vmm_timeline_destroy(t);
			code = vmm_page_pack_memory(pack, memory, err);
		} else {
			free(vmm_out_take(memory, NULL));
		}
	}
	vmm_page_pack_text(pack, "}");
	return code;
}

/* ---- the whole ---- */

/* What the reader of the page must know of what is not in it. */
static int put_notes(struct vmm_page_pack *pack, const struct vmm_report_session *r, uint32_t diffs_left_out, struct vmm_err *err)
{
	struct vmm_out *memory = vmm_out_create_memory();
	const char *before = "";
	char text[300];

	if (!memory)
		return vmm_fail_nomem(err);
	vmm_out_text(memory, ",\n\"notes\":[");
	if (r->count < r->total) {
		snprintf(text, sizeof(text),
		         "%u of the session's %u snapshots are in this report, evenly chosen; vmmap report --snapshots N takes more",
		         r->count, r->total);
		vmm__json_key_text(memory, "{\"from\":\"report\",\"code\":\"thinned\",\"text\":", text);
		vmm__json_key_number(memory, ",\"address\":null,\"count\":", true, r->total - r->count);
		vmm_out_char(memory, '}');
		before = ",\n";
	}
	if (r->index->target_count > 1) {
		snprintf(text, sizeof(text), "the session has %u targets: this report is of the one looked at last", r->index->target_count);
		vmm_out_text(memory, before);
		vmm__json_key_text(memory, "{\"from\":\"report\",\"code\":\"targets\",\"text\":", text);
		vmm_out_text(memory, ",\"address\":null,\"count\":1}");
		before = ",\n";
	}
	if (diffs_left_out) {
		vmm_out_text(memory, before);
		vmm__json_key_text(memory, "{\"from\":\"report\",\"code\":\"diffs\",\"text\":",
		                   "differences between some neighbouring snapshots were left out: they are too large");
		vmm__json_key_number(memory, ",\"address\":null,\"count\":", true, diffs_left_out);
		vmm_out_char(memory, '}');
	}
	vmm_out_text(memory, "]");
	return vmm_page_pack_memory(pack, memory, err);
}

/* Every snapshot, with what differs from the one before, and in the end from the first. */
static int put_snapshots(struct vmm_page_pack *pack, const struct vmm_report_session *r, struct differences *d,
                         struct vmm_snapshot **ret_last, struct vmm_err *err)
{
	struct vmm_snapshot *first = NULL, *last = NULL, *s;
	int code = 0;

	for (uint32_t i = 0; i < r->count && code == 0; i++) {
		code = vmm_session_load(r->session, r->numbers[i], &s, err);
		if (code < 0)
			break;
		vmm_page_pack_text(pack, i ? ",\n" : "\n");
		code = vmm_report_put_snapshot(pack, s, r->numbers[i], err);
		if (code == 0 && last)
			code = put_difference(d, r->file, last, s, err);
		if (last != first)
			vmm_snapshot_destroy(last);
		last = s;
		first = first ? first : s;
	}
	if (code == 0 && r->count > 2)
		code = put_difference(d, r->file, first, last, err);
	if (first != last)
		vmm_snapshot_destroy(first);
	if (code == 0)
		*ret_last = last;
	else
		vmm_snapshot_destroy(last);
	return code;
}

int vmm_report_put_session(struct vmm_page_pack *pack, const struct vmm_report_session *r, struct vmm_snapshot **ret_last,
                           struct vmm_err *err)
{
	struct vmm_snapshot *last = NULL;
	struct differences d;
	int code = differences_open(&d, err);

	if (code == 0)
		code = put_snapshots(pack, r, &d, &last, err);
	if (code == 0)
		code = put_timelines(pack, r, err);
	if (code == 0) {
		vmm_page_pack_text(pack, ",\n\"diffs\":[");
		code = vmm_page_pack_memory(pack, d.out, err);
		d.out = NULL;
		vmm_page_pack_text(pack, "]");
	}
	if (code == 0)
		code = put_notes(pack, r, d.left_out, err);
	differences_done(&d);
	if (code == 0)
		*ret_last = last;
	else
		vmm_snapshot_destroy(last);
	return code;
}
