#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/text.h"
#include "face/cli.h"
#include "face/diff_text.h"

#define REGIONS_SHOWN 15
#define CLASSES_SHOWN 10
#define NARROW 100 /* columns of a line below which fewer numbers are shown */

enum { TYPES, REGIONS, HEAPS, CLASSES, SECTIONS };

/* One call of diff: what is compared, and what is shown of it. */
struct compared {
	const struct vmm_args *args;
	const char *names[2];
	char *own_name; /* of a session's snapshot */
	struct vmm_snapshot *sides[2];
	struct vmm_diff *diff;
	struct vmm_growth *growth; /* of a session: what grows steadily in it */
	struct vmm_query queries[SECTIONS];
	bool wanted[SECTIONS], page;
	struct vmm_expr *exprs[VMM_FAIL_IF_MAX];
	struct vmm_diff_check checks[VMM_FAIL_IF_MAX];
};

static bool picks_rows(const struct vmm_args *args)
{
	return vmm_args_has(args, VMM_OPTION_SORT) || vmm_args_has(args, VMM_OPTION_WHERE) || vmm_args_has(args, VMM_OPTION_COLUMNS) ||
	       vmm_args_has(args, VMM_OPTION_KIND);
}

/* One section where --by names it or options speak of rows; else the page. */
static int plan(struct compared *c, struct vmm_err *err)
{
	static const char *const words[] = {"type", "region", "heap", "class"};
	static const char *const tables[] = {"diff_types", "diff_regions", "diff_heaps", "diff_classes"};
	const char *by = c->args->option[VMM_OPTION_BY];
	enum vmm_format format;
	int code = vmm_cli_format(c->args, &format, err);

	if (code < 0)
		return code;
	if (by && strcmp(by, "target") == 0)
		return vmm_fail(err, VMM_E_USAGE, 0, "--by: differences are by type, region, heap or class");
	if (by && strcmp(by, "kind") == 0)
		by = "type";
	if (!by && (picks_rows(c->args) || format == VMM_FORMAT_CSV || format == VMM_FORMAT_NDJSON))
		by = "region";
	c->page = !by;
	for (size_t i = 0; i < SECTIONS && code == 0; i++) {
		c->wanted[i] = !by || strcmp(by, words[i]) == 0;
		if (!c->wanted[i])
			continue;
		code = vmm_cli_query(c->args, tables[i], &c->queries[i], err);
		if (code < 0) {
			c->wanted[i] = false;
			return code;
		}
		c->queries[i].unchanged = vmm_args_has(c->args, VMM_OPTION_ALL);
		if (c->page && format == VMM_FORMAT_TEXT && !c->queries[i].top)
			c->queries[i].top = i == REGIONS ? REGIONS_SHOWN : i == CLASSES ? CLASSES_SHOWN : 0;
		if (c->page && i == TYPES)
			c->queries[i].top = 0;
	}
	return code;
}

static int compile_checks(struct compared *c, struct vmm_err *err)
{
	struct vmm_err own;
	int code = 0;

	for (size_t i = 0; i < c->args->fail_if_count && code == 0; i++) {
		c->checks[i].expression = c->args->fail_if[i];
		code = vmm_expr_compile(vmm_table_find("diff_regions"), c->args->fail_if[i], &c->exprs[i], &own);
	}
	if (code == VMM_E_EXPRESSION) {
		/* The same sentence under the name of this option. */
		const char *text = strncmp(own.text, "--where: ", 9) == 0 ? own.text + 9 : own.text;

		return vmm_fail(err, VMM_E_USAGE, 0, "--fail-if: %s", text);
	}
	if (code < 0)
		*err = own;
	return code;
}

static uint32_t needs_of(const struct compared *c)
{
	uint32_t needs = VMM_NEED_DEFAULT;

	for (size_t i = 0; i < SECTIONS; i++)
		if (c->wanted[i])
			needs |= vmm_query_needs(&c->queries[i]);
	for (size_t i = 0; i < c->args->fail_if_count; i++)
		needs |= vmm_expr_needs(c->exprs[i]);
	if (vmm_args_has(c->args, VMM_OPTION_FAST))
		needs &= ~(uint32_t)(VMM_NEED_SMAPS | VMM_NEED_HEAPS);
	return needs;
}

/* Of one session: the last snapshot, and the first of the same target. */
static int load_session(struct compared *c, struct vmm_session *session, struct vmm_err *err)
{
	struct vmm_session_index *index;
	const struct vmm_session_entry *first, *last;
	int code = vmm_session_index(session, &index, err);

	if (code < 0)
		return code;
	if (index->count == 0) {
		vmm_session_index_destroy(index);
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "the session holds no snapshot");
	}
	first = index->entries;
	last = &index->entries[index->count - 1];
	while (first < last && first->target != last->target)
		first++;
	if (first == last)
		code = vmm_fail(err, VMM_E_USAGE, 0,
		                "there is only one snapshot of %s %d: name a second one, as in FILE@1, or another target", last->name,
		                (int)last->pid);
	if (code == 0)
		code = vmm_session_load(session, first->number, &c->sides[0], err);
	if (code == 0)
		code = vmm_session_load(session, last->number, &c->sides[1], err);
	if (code == 0 && c->page)
		code = vmm_growth_find(session, index, &(struct vmm_growth_query){.target = last->target}, &c->growth, err);
	vmm_session_index_destroy(index);
	return code;
}

static int take_one(struct compared *c, struct vmm_err *err)
{
	const char *name = c->args->operand[0];
	struct vmm_session *session;
	struct vmm_err own;
	char file[4096];
	int code;

	c->names[0] = c->names[1] = name;
	if (access(name, F_OK) == 0) {
		code = vmm_session_open(name, VMM_SESSION_READ, &session, &own);
		if (code < 0)
			return vmm_fail(err, VMM_E_USAGE, 0, "diff needs two targets; only a session may stand alone: %.200s", own.text);
	} else if (vmm_cli_session_part(name, file, sizeof(file))) {
		return vmm_fail(err, VMM_E_USAGE, 0, "diff needs two targets, and %.100s is one snapshot; vmmap diff %.100s compares the first with the last",
		                name, file);
	} else if (strpbrk(name, "./")) {
		return vmm_fail(err, VMM_E_USAGE, 0, "diff needs two targets; only a session may stand alone: %.200s: no such file", name);
	} else {
		return vmm_fail(err, VMM_E_USAGE, 0,
		                "diff needs two targets; to compare a process with itself later: vmmap save %.60s -o FILE, and then "
		                "vmmap diff FILE %.60s",
		                name, name);
	}
	code = load_session(c, session, err);
	vmm_session_close(session);
	return code;
}

static int take(struct compared *c, struct vmm_err *err)
{
	int code = 0;

	if (c->args->operand_count < 2)
		return take_one(c, err);
	for (size_t i = 0; i < 2 && code == 0; i++) {
		c->names[i] = c->args->operand[i];
		code = vmm_cli_take(c->args, c->names[i], needs_of(c), &c->sides[i], err);
		if (code < 0)
			c->names[0] = c->names[i];
	}
	return code;
}

/* The columns of the page are ours: they give way on a narrow line. */
static int choose_columns(struct compared *c, const struct vmm_look *look, struct vmm_err *err)
{
	static const char *const narrow[SECTIONS] = {[REGIONS] = "state,kind,address,size,rss,details",
	                                             [HEAPS] = "state,heap,size,rss,used,count"};
	int code = 0;

	if (!look->style.width || look->style.width >= NARROW || !c->page)
		return 0;
	for (size_t i = 0; i < SECTIONS && code == 0; i++) {
		struct vmm_query q;

		if (!narrow[i])
			continue;
		code = vmm_query_init(&q, c->queries[i].table->id, narrow[i], NULL, NULL, NULL, err);
		if (code < 0)
			break;
		q.columns_chosen = false;
		q.unchanged = c->queries[i].unchanged;
		q.top = c->queries[i].top;
		vmm_query_done(&c->queries[i]);
		c->queries[i] = q;
	}
	return code;
}

static int emit(struct vmm_answer *a, struct compared *c, struct vmm_err *err)
{
	const struct vmm_query *shown[SECTIONS] = {0};
	struct vmm_diff_page page = {.diff = c->diff,
	                             .names = {c->names[0], c->names[1]},
	                             .rest = c->page,
	                             .growth = c->growth,
	                             .checks = c->checks,
	                             .check_count = c->args->fail_if_count};
	struct vmm_rows rows;
	int code = 0;

	for (size_t i = 0; i < SECTIONS; i++)
		shown[i] = c->wanted[i] ? &c->queries[i] : NULL;
	page.types = shown[TYPES];
	page.regions = shown[REGIONS];
	page.heaps = shown[HEAPS];
	page.classes = shown[CLASSES];
	if (a->format == VMM_FORMAT_TEXT)
		code = choose_columns(c, &a->look, err);
	if (code < 0)
		return code;
	if (a->format == VMM_FORMAT_TEXT)
		return vmm_diff_text(a->output.out, &a->look, &page, err);
	if (a->format == VMM_FORMAT_JSON)
		return vmm_emit_json_diff(a->output.out, &page, err);
	for (size_t i = 0; i < SECTIONS && code == 0; i++) {
		if (!shown[i])
			continue;
		code = vmm_rows_build_diff(&rows, shown[i], c->diff, err);
		if (code < 0)
			break;
		vmm_answer_rows(a, shown[i], &rows, NULL);
		vmm_rows_done(&rows);
	}
	return code;
}

/* Says which hold, or cannot be told. Returns the exit status. */
static int tell_checks(const struct compared *c)
{
	int status = VMM_EXIT_DONE;
	char name[400], expression[400];

	for (size_t i = 0; i < c->args->fail_if_count; i++) {
		const struct vmm_diff_check *check = &c->checks[i];

		vmm_escape_terminal(expression, sizeof(expression), check->expression, strlen(check->expression));
		if (check->truth > 0) {
			vmm_diff_row_name(check->of, name, sizeof(name));
			fprintf(stderr, "vmmap: --fail-if '%s' holds: %s: %s", expression, name, check->values);
			if (check->count > 1)
				fprintf(stderr, " and %llu more", (unsigned long long)(check->count - 1));
			fputc('\n', stderr);
			status = VMM_EXIT_HOLDS;
		} else if (check->truth < 0) {
			fprintf(stderr, "vmmap: --fail-if '%s' cannot be told: a number that it asks for is unknown\n", expression);
			if (status == VMM_EXIT_DONE)
				status = VMM_EXIT_UNREADABLE;
		}
	}
	return status;
}

static void compared_done(struct compared *c)
{
	vmm_diff_destroy(c->diff);
	vmm_growth_destroy(c->growth);
	for (size_t i = 0; i < 2; i++)
		vmm_snapshot_destroy(c->sides[i]);
	for (size_t i = 0; i < SECTIONS; i++)
		if (c->wanted[i])
			vmm_query_done(&c->queries[i]);
	for (size_t i = 0; i < c->args->fail_if_count; i++)
		vmm_expr_destroy(c->exprs[i]);
}

static int answer(struct compared *c)
{
	struct vmm_answer a;
	struct vmm_err err;
	int code, status, checked;

	code = vmm_diff_create(c->sides[0], c->sides[1], &c->diff, &err);
	if (code < 0)
		return vmm_cli_fail(c->args, &err);
	for (size_t i = 0; i < c->args->fail_if_count; i++)
		vmm_diff_check(c->diff, c->exprs[i], &c->checks[i]);
	code = vmm_answer_open(&a, c->args, &err);
	if (code == 0)
		code = emit(&a, c, &err);
	status = vmm_answer_close(&a, c->args, c->sides[0]->partial || c->sides[0]->unreadable ? c->sides[0] : c->sides[1], code, &err);
	checked = tell_checks(c);
	if (status == VMM_EXIT_USAGE)
		return status; /* what was found could not be written */
	return status == VMM_EXIT_DONE || checked == VMM_EXIT_HOLDS ? checked : status;
}

int vmm_cli_diff(const struct vmm_args *args)
{
	struct compared c = {.args = args};
	struct vmm_err err;
	int code = plan(&c, &err), status;

	if (code == 0)
		code = compile_checks(&c, &err);
	if (code < 0) {
		status = vmm_cli_fail(args, &err);
	} else {
		code = take(&c, &err);
		status = code < 0 ? vmm_cli_fail_target(args, c.names[0], &err) : answer(&c);
	}
	compared_done(&c);
	return status;
}
