#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "face/cli.h"
#include "face/heap_page.h"
#include "face/page.h"
#include "face/report_data.h"
#include "face/report_more.h"
#include "face/session_file.h"

#define CHUNKS_SHOWN 100 /* largest chunks of heaps */

static uint32_t needs_of(const struct vmm_args *args, const struct vmm_query *q)
{
	uint32_t needs = VMM_NEED_MAPS | VMM_NEED_DEFAULT | VMM_NEED_THREADS | VMM_NEED_IMAGES | VMM_NEED_HEAPS | vmm_query_needs(q);

	if (vmm_args_has(args, VMM_OPTION_NUMA))
		needs |= VMM_NEED_NUMA;
	if (vmm_args_has(args, VMM_OPTION_FAST))
		needs = (needs & ~(uint32_t)(VMM_NEED_SMAPS | VMM_NEED_EXTRA | VMM_NEED_HEAPS)) | VMM_NEED_PAGES;
	return needs;
}

/* One call of report. */
struct reported {
	const struct vmm_args *args;
	const char *name;
	bool of_session;
	struct vmm_report_session session; /* of a session as a whole */
	struct vmm_snapshot *snapshot;     /* the only one, or the last */
	struct vmm_snapshot *walked;       /* the same, of a session, as the target below has it */
	struct vmm_target *target;
	struct vmm_symbols *symbols;
	struct vmm_survey *survey; /* of heaps; NULL: they cannot be walked, or there are none */
	uint32_t kinds;            /* bits: their contents go into the report */
};

/* A file that is a session as a whole: no PID, no core, no FILE@N. */
static int open_session(struct reported *r, struct vmm_err *err)
{
	struct vmm_session *session;
	struct vmm_report_wish wish = {.target = r->args->option[VMM_OPTION_TARGET]};
	struct vmm_err own;
	int code;

	if (r->name[strspn(r->name, "0123456789")] == '\0' || access(r->name, F_OK) < 0 ||
	    vmm_session_open(r->name, VMM_SESSION_READ, &session, &own) < 0)
		return 0;
	r->of_session = true;
	r->session.session = session;
	code = vmm_args_has(r->args, VMM_OPTION_SNAPSHOTS)
	           ? vmm_cli_number("snapshots", r->args->option[VMM_OPTION_SNAPSHOTS], &wish.most, err)
	           : 0;
	return code < 0 ? code : vmm_report_session_choose(&r->session, session, r->name, &wish, err);
}

/* Of which snapshot heaps are told. */
static const struct vmm_snapshot *heaps_of(const struct reported *r)
{
	return r->walked ? r->walked : r->snapshot;
}

/* What heaps hold. That it cannot be told is no reason to show nothing else: the snapshot's notes say why. */
static void survey_heaps(struct reported *r)
{
	struct vmm_survey_query q = {.top = CHUNKS_SHOWN};
	const struct vmm_snapshot *s = heaps_of(r);

	if (!s->heap_count || s->partial || s->unreadable || vmm_args_has(r->args, VMM_OPTION_FAST) || vmm_cli_need_contents(s, NULL) < 0)
		return;
	if (vmm_symbols_create(r->target, s, &r->symbols, NULL) < 0)
		return;
	if (vmm_target_survey(r->target, s, r->symbols, &q, &r->survey, NULL) < 0)
		r->survey = NULL;
}

/* The last snapshot of a session, where the session keeps contents of it. */
static void survey_last(struct reported *r)
{
	const struct vmm_report_session *session = &r->session;
	uint32_t last = vmm_report_session_last(session), i = 0;
	char number[16];
	char *name;

	while (i < session->index->count && session->index->entries[i].number != last)
		i++;
	if (i == session->index->count || !session->index->entries[i].has_memory)
		return;
	snprintf(number, sizeof(number), "@%u", last);
	name = vmm_output_name(r->name, number);
	if (name && vmm_cli_open(r->args, name, &r->target, NULL) == 0 &&
	    vmm_cli_take_open(r->target, VMM_NEED_DEFAULT | VMM_NEED_HEAPS, &r->walked, NULL) == 0)
		survey_heaps(r);
	free(name);
}

static int take(struct reported *r, uint32_t needs, struct vmm_err *err)
{
	struct vmm_hold hold;
	int code = vmm_cli_open(r->args, r->name, &r->target, err);

	if (code < 0)
		return code;
	code = vmm_hold_begin(&hold, r->args, r->target, err);
	if (code == 0)
		code = vmm_cli_take_open(r->target, needs, &r->snapshot, err);
	if (code == 0)
		survey_heaps(r);
	vmm_hold_end(&hold, r->snapshot);
	return code;
}

static int put_heaps(struct vmm_page_pack *pack, const struct reported *r, struct vmm_err *err)
{
	struct vmm_heap_page page = {.snapshot = heaps_of(r), .survey = r->survey, .top = CHUNKS_SHOWN};
	struct vmm_out *memory;

	if (!r->survey)
		return 0;
	memory = vmm_out_create_memory();
	if (!memory)
		return vmm_fail_nomem(err);
	vmm_heap_page_json(memory, &page);
	vmm_page_pack_text(pack, ",\n\"heaps\":");
	return vmm_page_pack_memory(pack, memory, err);
}

static int put_data(struct vmm_out *out, struct reported *r, struct vmm_err *err)
{
	struct vmm_page_pack *pack;
	struct vmm_err own;
	int code = vmm_page_pack_open(out, "vmmap-data", &pack, err);

	if (code < 0)
		return code;
	vmm_page_pack_text(pack, "{\"snapshots\":[");
	if (r->of_session) {
		code = vmm_report_put_session(pack, &r->session, &r->snapshot, err);
	} else {
		code = vmm_report_put_snapshot(pack, r->snapshot, r->snapshot->session_number, 0, err);
		vmm_page_pack_text(pack, "]");
	}
	if (code == 0)
		code = put_heaps(pack, r, err);
	vmm_page_pack_text(pack, "}\n");
	if (vmm_page_pack_close(pack, &own) < 0 && code == 0) {
		*err = own;
		code = own.code;
	}
	return code;
}

/* What the page must know of libvmmap's tables. */
static int put_info(struct vmm_out *out, const char *title, struct vmm_err *err)
{
	struct vmm_out *memory = vmm_out_create_memory();
	size_t length;
	char *json;

	if (!memory)
		return vmm_fail_nomem(err);
	vmm_page_info(memory, "report", title);
	json = vmm_out_take(memory, &length);
	if (!json)
		return vmm_fail_nomem(err);
	vmm_out_text(out, "<script type=\"application/json\" id=\"vmmap-info\">");
	vmm_page_embed(out, json, length);
	vmm_out_text(out, "</script>\n");
	free(json);
	return 0;
}

static int put_more(struct vmm_out *out, const struct reported *r, struct vmm_err *err)
{
	const struct vmm_snapshot *s = r->snapshot;
	struct vmm_report_more more = {.snapshot = s, .kinds = r->kinds};

	if (s->partial || s->unreadable)
		return 0;
	if (r->target) {
		more.target = r->target;
		more.contents = heaps_of(r);
		more.chunks = r->survey != NULL; /* the heaps could be walked once */
	}
	return vmm_report_put_more(out, &more, err);
}

static int put_page(struct reported *r, struct vmm_err *err)
{
	const char *path = r->args->option[VMM_OPTION_OUTPUT];
	struct vmm_page_part parts[2];
	struct vmm_output output;
	struct vmm_err own;
	int code = vmm_page_parts(parts, err);

	if (code == 0)
		code = vmm_output_open(&output, strcmp(path, "-") == 0 ? NULL : path, err);
	if (code < 0)
		return code;
	vmm_out_bytes(output.out, parts[0].bytes, parts[0].length);
	code = put_info(output.out, r->name, err);
	if (code == 0)
		code = put_data(output.out, r, err);
	if (code == 0)
		code = put_more(output.out, r, err);
	vmm_out_bytes(output.out, parts[1].bytes, parts[1].length);
	if (vmm_output_close(&output, code == 0, &own) < 0 && code == 0) {
		code = own.code;
		*err = own;
	}
	return code;
}

static int prepare(struct reported *r, struct vmm_err *err)
{
	struct vmm_page_part parts[2];
	struct vmm_query q;
	int code;

	if (!vmm_args_has(r->args, VMM_OPTION_OUTPUT))
		return vmm_fail(err, VMM_E_USAGE, 0, "report: -o FILE.html is missing (- is standard output)");
	code = vmm_page_parts(parts, err); /* before the target is read */
	if (code == 0)
		code = vmm_session_file_kinds(r->args, &r->kinds, err);
	if (code == 0)
		code = open_session(r, err);
	if (code == 0 && r->of_session)
		survey_last(r);
	if (code < 0 || r->of_session)
		return code;
	if (vmm_args_has(r->args, VMM_OPTION_SNAPSHOTS))
		return vmm_fail(err, VMM_E_USAGE, 0, "--snapshots is for sessions: %.200s is none", r->name);
	if (vmm_args_has(r->args, VMM_OPTION_TARGET))
		return vmm_fail(err, VMM_E_USAGE, 0, "--target is for sessions: %.200s is none", r->name);
	code = vmm_query_init(&q, "tree", NULL, NULL, NULL, NULL, err);
	if (code < 0)
		return code;
	code = take(r, needs_of(r->args, &q), err);
	vmm_query_done(&q);
	return code;
}

int vmm_cli_report(const struct vmm_args *args)
{
	struct reported r = {.args = args, .name = args->operand[0]};
	struct vmm_err err;
	int status, code = prepare(&r, &err);

	if (code == 0)
		code = put_page(&r, &err);
	status = code < 0 ? vmm_cli_fail_target(args, r.name, &err) : vmm_answer_missing(r.snapshot, true);
	vmm_symbols_destroy(r.symbols);
	vmm_survey_destroy(r.survey);
	vmm_snapshot_destroy(r.snapshot);
	vmm_snapshot_destroy(r.walked);
	if (r.target)
		vmm_target_close(r.target);
	if (r.of_session)
		vmm_report_session_done(&r.session);
	return status;
}
