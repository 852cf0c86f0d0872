/* What vmmap serve answers of several snapshots: how they went over time, and what differs between two. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "face/cli.h"
#include "face/serve/serve.h"
#include "face/timeline.h"
#include "view/view.h"

#define GROUPS_MAX 1000

static int parse_by(const char *text, struct vmm_timeline_ask *ask, struct vmm_err *err)
{
	static const char *const words[] = {"kind", "heap", "region", "target"};

	ask->by_chosen = text != NULL;
	for (size_t i = 0; text && i < ARRAY_LEN(words); i++)
		if (strcmp(words[i], text) == 0) {
			ask->by = (enum vmm_timeline_by)i;
			return 0;
		}
	return text ? vmm_fail(err, VMM_E_USAGE, 0, "by: one of kind, heap, region, target") : 0;
}

static int parse_measure(const char *text, struct vmm_timeline_ask *ask, struct vmm_err *err)
{
	const char *words = vmm_option_at(VMM_OPTION_MEASURE)->words;

	ask->measure = VMM_METRIC_RSS;
	if (text && !vmm_words_contain(words, text))
		return vmm_fail(err, VMM_E_USAGE, 0, "measure: one of %s", words);
	for (int i = 0; text && i < VMM_METRIC_COUNT; i++)
		if (strcmp(vmm_metric_id((enum vmm_metric)i), text) == 0)
			ask->measure = (enum vmm_metric)i;
	return 0;
}

int srv_answer_timeline(const struct srv_ask *a, struct vmm_err *err)
{
	struct vmm_timeline_ask ask = {.file = a->history->name ? a->history->name : "", .growth = true};
	const char *where = srv_query_get(a->query, "where");
	struct vmm_timeline *t;
	int code = 0;

	if (!a->history->session)
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "there is one snapshot alone: a timeline takes several");
	ask.target = srv_query_get(a->query, "target");
	ask.from = srv_query_get(a->query, "from");
	ask.to = srv_query_get(a->query, "to");
	code = parse_by(srv_query_get(a->query, "by"), &ask, err);
	if (code == 0)
		code = parse_measure(srv_query_get(a->query, "measure"), &ask, err);
	if (code == 0)
		code = srv_query_number(a->query, "top", 0, GROUPS_MAX, &ask.top, err);
	if (code == 0 && where)
		code = vmm_expr_compile(vmm_table_find("regions"), where, &ask.where, err);
	if (code == 0)
		code = vmm_timeline_create(a->history->session, &ask, &t, err);
	if (code == 0) {
		vmm_timeline_json(a->out, t);
		vmm_timeline_destroy(t);
	}
	vmm_expr_destroy(ask.where);
	return code;
}

static int put_diff(const struct srv_ask *a, struct vmm_snapshot *const sides[2], struct vmm_err *err)
{
	static const char *const tables[] = {"diff_types", "diff_regions", "diff_heaps", "diff_classes"};
	struct vmm_query q[ARRAY_LEN(tables)] = {0};
	char names[2][300];
	struct vmm_diff *diff = NULL;
	struct vmm_diff_page page = {.names = {names[0], names[1]}, .types = &q[0], .regions = &q[1], .heaps = &q[2],
	                             .classes = &q[3], .rest = true};
	size_t made = 0;
	int code = vmm_diff_create(sides[0], sides[1], &diff, err);

	for (size_t i = 0; i < 2; i++)
		snprintf(names[i], sizeof(names[i]), "%.250s@%u", a->history->name, sides[i]->session_number);
	for (; made < ARRAY_LEN(tables) && code == 0; made += code == 0) {
		code = vmm_query_init(&q[made], tables[made], NULL, NULL, NULL, NULL, err);
		q[made].unchanged = srv_query_flag(a->query, "all");
	}
	page.diff = diff;
	if (code == 0)
		code = vmm_emit_json_diff(a->out, &page, err);
	while (made > 0)
		vmm_query_done(&q[--made]);
	vmm_diff_destroy(diff);
	return code;
}

int srv_answer_diff(const struct srv_ask *a, struct vmm_err *err)
{
	static const char *const names[] = {"before", "after"};
	struct vmm_snapshot *sides[2] = {NULL, NULL};
	bool own[2] = {false, false};
	int code = 0;

	if (!srv_query_get(a->query, "before"))
		return vmm_fail(err, VMM_E_USAGE, 0, "before: the number of a snapshot is missing");
	for (size_t i = 0; i < 2 && code == 0; i++)
		code = srv_history_load(a->history, srv_query_get(a->query, names[i]), &sides[i], &own[i], err);
	if (code == 0)
		code = put_diff(a, sides, err);
	for (size_t i = 0; i < 2; i++)
		if (own[i])
			vmm_snapshot_destroy(sides[i]);
	return code;
}
