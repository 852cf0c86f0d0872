/* The data of a report as web/src/data/report.ts reads them. */
#include "face/report_data.h"

#include <stdio.h>
#include <stdlib.h>

#include "analysis/analysis.h"
#include "base/err.h"
#include "face/timeline.h"
#include "session/read.h"
#include "view/json_write.h"
#include "view/view.h"

#define LOOKS_MOST 2000 /* points of a timeline */

int vmm_report_put_snapshot(struct vmm_page_pack *pack, const struct vmm_snapshot *s, uint32_t number, uint32_t target,
                            struct vmm_err *err)
{
	struct vmm_out *memory = vmm_out_create_memory();
	size_t length;
	char *json, head[64];
	int code;

	if (!memory)
		return vmm_fail_nomem(err);
	code = vmm__json_whole(memory, "tree", false, s, err);
	json = vmm_out_take(memory, &length);
	if (code == 0 && !json)
		code = vmm_fail_nomem(err);
	if (code == 0 && number) {
		/* Its number and its target's are more members of the document. */
		snprintf(head, sizeof(head), "{\"n\":%u,", number);
		vmm_page_pack_text(pack, head);
		if (target)
			snprintf(head, sizeof(head), "\"of\":%u,", target);
		vmm_page_pack_text(pack, target ? head : "");
		vmm_page_pack_bytes(pack, json + 1, length - 1);
	} else if (code == 0) {
		vmm_page_pack_bytes(pack, json, length);
	}
	free(json);
	return code;
}

/* ---- a session ---- */

static int put_timelines(struct vmm_page_pack *pack, const struct vmm_report_session *r, uint32_t target, struct vmm_err *err)
{
	static const enum vmm_metric measures[] = {VMM_METRIC_RSS, VMM_METRIC_COMMITTED, VMM_METRIC_PRIVATE, VMM_METRIC_SIZE,
	                                           VMM_METRIC_PSS, VMM_METRIC_USS,       VMM_METRIC_SWAP,    VMM_METRIC_USED};
	int code = 0;

	vmm_page_pack_text(pack, ",\n\"timelines\":{");
	for (size_t i = 0; i < ARRAY_LEN(measures) && code == 0; i++) {
		struct vmm_timeline_ask ask = {.file = r->file,
		                               .by_chosen = true,
		                               .measure = measures[i],
		                               .target_number = target,
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
			vmm_out_discard(memory);
		}
	}
	vmm_page_pack_text(pack, "}");
	return code;
}

/* The snapshots of one target, each as it is read; which region is which of them goes into same. */
static int put_snapshots(struct vmm_page_pack *pack, const struct vmm_report_session *r, uint32_t place, struct vmm_report_same *same,
                         struct vmm_err *err)
{
	const struct vmm_report_target *t = &r->targets[place];
	struct vmm_walk *walk;
	int code = vmm_walk_create(r->session, &walk, err);

	if (code < 0)
		return code;
	for (uint32_t i = 0; i < t->count && code == 0; i++) {
		struct vmm_snapshot *s;

		code = vmm_session_load_on(r->session, walk, t->numbers[i], &s, err);
		if (code < 0)
			break;
		vmm_page_pack_text(pack, i || place ? ",\n" : "\n");
		code = vmm_report_put_snapshot(pack, s, t->numbers[i], t->target, err);
		if (code == 0)
			code = vmm_report_same_add(same, s, err);
		else
			vmm_snapshot_destroy(s);
	}
	vmm_walk_destroy(walk);
	return code;
}

/* The snapshots of one target, and into told which region is which of them. */
static int put_target(struct vmm_page_pack *pack, const struct vmm_report_session *r, uint32_t place, struct vmm_out *told,
                      struct vmm_snapshot **ret_last, struct vmm_err *err)
{
	struct vmm_report_same *same = vmm_report_same_create(r->targets[place].count);
	int code;

	if (!same)
		return vmm_fail_nomem(err);
	code = put_snapshots(pack, r, place, same, err);
	if (code == 0)
		code = vmm_report_same_json(same, told, err);
	if (code == 0 && place == r->shown)
		*ret_last = vmm_report_same_take_last(same);
	vmm_report_same_destroy(same);
	return code;
}

static int put_targets(struct vmm_page_pack *pack, const struct vmm_report_session *r, struct vmm_out **told, struct vmm_err *err)
{
	int code = 0;

	vmm_page_pack_text(pack, "],\n\"targets\":[");
	for (uint32_t i = 0; i < r->target_count && code == 0; i++) {
		const struct vmm_report_target *t = &r->targets[i];
		struct vmm_out *head = vmm_out_create_memory();

		if (!head)
			return vmm_fail_nomem(err);
		vmm__json_key_number(head, i ? ",\n{\"target\":" : "\n{\"target\":", true, t->target);
		vmm__json_key_number(head, ",\"pid\":", t->pid > 0, (uint64_t)t->pid);
		vmm__json_key_text(head, ",\"name\":", t->name);
		vmm__json_key_number(head, ",\"snapshots\":", true, t->total);
		vmm__json_key_number(head, ",\"shown\":", true, t->count);
		vmm_out_text(head, ",\n\"same\":");
		code = vmm_page_pack_memory(pack, head, err);
		if (code == 0) {
			code = vmm_page_pack_memory(pack, told[i], err);
			told[i] = NULL;
		}
		if (code == 0)
			code = put_timelines(pack, r, t->target, err);
		vmm_page_pack_text(pack, "}");
	}
	vmm_page_pack_text(pack, "]");
	return code;
}

static void put_note(struct vmm_out *out, bool *any, const char *code, const char *text, uint64_t count)
{
	vmm_out_text(out, *any ? ",\n" : "");
	vmm__json_key_text(out, "{\"from\":\"report\",\"code\":", code);
	vmm__json_key_text(out, ",\"text\":", text);
	vmm__json_key_number(out, ",\"address\":null,\"count\":", true, count);
	vmm_out_char(out, '}');
	*any = true;
}

/* What is not in the report, and how to get it. */
static int put_notes(struct vmm_page_pack *pack, const struct vmm_report_session *r, struct vmm_err *err)
{
	struct vmm_out *memory = vmm_out_create_memory();
	uint32_t total = 0, count = 0;
	bool any = false;
	char text[300];

	if (!memory)
		return vmm_fail_nomem(err);
	for (uint32_t i = 0; i < r->target_count; i++) {
		total += r->targets[i].total;
		count += r->targets[i].count;
	}
	vmm_out_text(memory, ",\n\"notes\":[");
	if (count < total) {
		snprintf(text, sizeof(text), "%u of %u snapshots are in this report, evenly chosen; vmmap report --snapshots N takes more", count,
		         total);
		put_note(memory, &any, "thinned", text, total - count);
	}
	if (r->left_out) {
		snprintf(text, sizeof(text), "%u targets of the session are not in this report: vmmap report --target PID shows one of them",
		         r->left_out);
		put_note(memory, &any, "targets", text, r->left_out);
	}
	vmm_out_text(memory, "]");
	return vmm_page_pack_memory(pack, memory, err);
}

static int put_all(struct vmm_page_pack *pack, const struct vmm_report_session *r, struct vmm_out **told, struct vmm_snapshot **ret_last,
                   struct vmm_err *err)
{
	char shown[32];
	int code = 0;

	for (uint32_t i = 0; i < r->target_count && code == 0; i++) {
		told[i] = vmm_out_create_memory();
		code = told[i] ? put_target(pack, r, i, told[i], ret_last, err) : vmm_fail_nomem(err);
	}
	if (code == 0)
		code = put_targets(pack, r, told, err);
	snprintf(shown, sizeof(shown), ",\n\"shown\":%u", vmm_report_session_last(r));
	vmm_page_pack_text(pack, shown);
	return code == 0 ? put_notes(pack, r, err) : code;
}

int vmm_report_put_session(struct vmm_page_pack *pack, const struct vmm_report_session *r, struct vmm_snapshot **ret_last,
                           struct vmm_err *err)
{
	struct vmm_snapshot *last = NULL;
	struct vmm_out **told = NULL;
	size_t capacity = 0;
	int code;

	if (!vmm_grow(&told, &capacity, (size_t)r->target_count + 1, sizeof(*told)))
		return vmm_fail_nomem(err);
	for (uint32_t i = 0; i < r->target_count; i++)
		told[i] = NULL;
	code = put_all(pack, r, told, &last, err);
	for (uint32_t i = 0; i < r->target_count; i++)
		vmm_out_discard(told[i]);
	free(told);
	if (code == 0)
		*ret_last = last;
	else
		vmm_snapshot_destroy(last);
	return code;
}
