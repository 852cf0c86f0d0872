#include "vmmap/strings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "face/cli.h"
#include "face/cli/strings.h"
#include "view/json_write.h"
#include "view/view.h"

#define NOTES_MAX 16 /* different ones; more are only counted */

struct kept_note {
	char from[16], code[24], text[256];
	uint64_t address, count;
};

/* A search under way, and where its rows go. */
struct listing {
	const struct vmm_query *q;
	const struct vmm_snapshot *s;
	struct vmm_out *out;
	enum vmm_format format;
	struct vmm__text_stream *table; /* text */
	const struct vmm_column *columns[VMM__ROW_COLUMNS_MAX]; /* JSON, NDJSON */
	size_t column_count;
	bool late;      /* --where asks for owners: it can be answered only when they are known */
	bool begun;     /* the heading is written: not before a row is known, or that there are none */
	uint64_t shown;
	struct kept_note notes[NOTES_MAX];
	size_t note_count;
};

static int parse_encodings(const char *text, uint32_t *ret, struct vmm_err *err)
{
	uint32_t found = 0;

	for (;;) {
		size_t n = strcspn(text, ",");
		enum vmm_encoding e = vmm_encoding_find(text, n);

		if (e == VMM_ENCODING_COUNT)
			return vmm_fail(err, VMM_E_USAGE, 0, "unknown encoding '%.*s': one of ascii, utf8, utf16", (int)(n > 40 ? 40 : n), text);
		found |= UINT32_C(1) << e;
		if (!text[n])
			break;
		text += n + 1;
	}
	*ret = found;
	return 0;
}

/* "A-B" */
static int parse_range(const char *text, struct vmm_strings_query *sq, struct vmm_err *err)
{
	size_t n = strcspn(text, "-");
	char first[24];
	int code;

	if (!text[n] || n >= sizeof(first))
		return vmm_fail(err, VMM_E_USAGE, 0, "--range: '%.60s' is no range: give two addresses, as 7f12000-7f13000", text);
	memcpy(first, text, n);
	first[n] = '\0';
	code = vmm_cli_address(first, &sq->start, err);
	if (code == 0)
		code = vmm_cli_address(text + n + 1, &sq->end, err);
	if (code == 0 && sq->start >= sq->end)
		return vmm_fail(err, VMM_E_USAGE, 0, "--range: '%.60s' is empty", text);
	return code;
}

static int parse_options(const struct vmm_args *args, struct vmm_strings_query *sq, struct vmm_err *err)
{
	const char *const *option = args->option;
	int code = 0;

	if (option[VMM_OPTION_AT] && option[VMM_OPTION_RANGE])
		return vmm_fail(err, VMM_E_USAGE, 0, "--at and --range: choose one");
	if (option[VMM_OPTION_ENCODING])
		code = parse_encodings(option[VMM_OPTION_ENCODING], &sq->encodings, err);
	if (code == 0 && option[VMM_OPTION_MIN])
		code = vmm_cli_number("min", option[VMM_OPTION_MIN], &sq->min, err);
	if (code == 0 && sq->min > VMM_STRINGS_MIN_MAX)
		code = vmm_fail(err, VMM_E_USAGE, 0, "--min: at most %d", VMM_STRINGS_MIN_MAX);
	if (code == 0 && option[VMM_OPTION_RANGE])
		code = parse_range(option[VMM_OPTION_RANGE], sq, err);
	return code;
}

/* --at: the region that holds the address. */
static int choose_region(const struct vmm_args *args, const struct vmm_snapshot *s, struct vmm_strings_query *sq, struct vmm_err *err)
{
	const struct vmm_region *r;
	uint64_t address;
	int code;

	if (!vmm_args_has(args, VMM_OPTION_AT))
		return 0;
	code = vmm_cli_address(args->option[VMM_OPTION_AT], &address, err);
	if (code < 0)
		return code;
	r = vmm_snapshot_region_at(s, address);
	if (!r)
		return vmm_fail(err, VMM_E_USAGE, 0, "--at: nothing is mapped at 0x%llx", (unsigned long long)address);
	sq->start = r->start;
	sq->end = r->end;
	return 0;
}

static bool matches(const struct listing *l, const struct vmm_string *string)
{
	struct vmm_row row = {.snapshot = l->s, .object = string, .type = VMM_ROW_STRING};

	return vmm_expr_matches(l->q->where, &row);
}

static bool wanted(void *arg, const struct vmm_string *string)
{
	return matches(arg, string);
}

static void begin(struct listing *l)
{
	if (l->begun)
		return;
	l->begun = true;
	switch (l->format) {
	case VMM_FORMAT_TEXT:
		vmm__text_stream_row(l->table, l->out, NULL);
		break;
	case VMM_FORMAT_CSV:
		vmm__csv_heading(l->out, l->q);
		break;
	case VMM_FORMAT_JSON:
		vmm_out_char(l->out, '{');
		vmm__json_head(l->out);
		vmm_out_printf(l->out, ",\"target\":{\"pid\":%d,\"name\":", (int)l->s->target.pid);
		vmm_out_json(l->out, l->s->target.name);
		vmm_out_text(l->out, "},\"taken_at\":");
		vmm__json_time(l->out, &l->s->taken_at);
		vmm_out_text(l->out, ",\n\"strings\":[");
		break;
	case VMM_FORMAT_NDJSON:
		break;
	}
}

static int show(void *arg, const struct vmm_string *string)
{
	struct listing *l = arg;
	struct vmm_row row = {.snapshot = l->s, .object = string, .type = VMM_ROW_STRING};

	if (l->late && !matches(l, string))
		return 0;
	begin(l);
	switch (l->format) {
	case VMM_FORMAT_TEXT:
		vmm__text_stream_row(l->table, l->out, &row);
		break;
	case VMM_FORMAT_CSV:
		vmm__csv_row(l->out, l->q, &row);
		break;
	case VMM_FORMAT_JSON:
		vmm_out_text(l->out, l->shown ? ",\n" : "\n");
		vmm__json_row(l->out, l->columns, l->column_count, &row, false);
		break;
	case VMM_FORMAT_NDJSON:
		vmm__json_row(l->out, l->columns, l->column_count, &row, false);
		vmm_out_char(l->out, '\n');
		break;
	}
	l->shown++;
	return l->out->failed || (l->q->top && l->shown >= l->q->top);
}

static void keep_note(void *arg, const struct vmm_note *note)
{
	struct listing *l = arg;
	struct kept_note *n = l->notes;

	for (; n < l->notes + l->note_count; n++)
		if (n->address == note->address && strncmp(n->code, note->code, sizeof(n->code) - 1) == 0) {
			n->count = vmm_max_u64(n->count, note->count);
			return;
		}
	if (l->note_count == NOTES_MAX)
		return;
	l->note_count++;
	snprintf(n->from, sizeof(n->from), "%s", note->from);
	snprintf(n->code, sizeof(n->code), "%s", note->code);
	snprintf(n->text, sizeof(n->text), "%s", note->text);
	n->address = note->address;
	n->count = note->count;
}

/* Why the list may lack something stands in the JSON document, else on standard error. */
static void end_json(const struct listing *l, struct vmm_out *out, const struct vmm_strings_sums *sums)
{
	vmm__json_key_bool(out, "],\n\"partial\":", l->s->partial);
	vmm__json_key_number(out, ",\"searched\":", true, sums->searched);
	vmm__json_key_number(out, ",\"swapped\":", true, sums->swapped);
	vmm__json_key_number(out, ",\"unreadable\":", true, sums->unreadable);
	vmm__json_key_number(out, ",\"ownerless\":", true, sums->ownerless);
	if (l->s->cost.stopped_ns)
		vmm__json_key_number(out, ",\"stopped_ns\":", true, l->s->cost.stopped_ns);
	vmm_out_text(out, ",\"notes\":[");
	for (size_t i = 0; i < l->note_count; i++) {
		const struct kept_note *k = &l->notes[i];
		const struct vmm_note n = {.from = k->from, .code = k->code, .text = k->text, .address = k->address, .count = k->count};

		vmm__json_note(out, &n, i == 0);
	}
	vmm_out_text(out, "]}\n");
}

static void tell_size(const char *what, int32_t pid, uint64_t bytes)
{
	if (bytes)
		fprintf(stderr, "vmmap: %d: %llu KiB %s\n", (int)pid, (unsigned long long)(bytes >> 10), what);
}

static void tell_notes(const struct listing *l, const struct vmm_strings_sums *sums)
{
	int32_t pid = l->s->target.pid;

	tell_size("lie in swap and were not searched: reading them would bring them back", pid, sums->swapped);
	tell_size("are resident but could not be read", pid, sums->unreadable);
	if (sums->ownerless)
		fprintf(stderr, "vmmap: %d: %llu strings lie in heaps whose chunks are not known\n", (int)pid,
		        (unsigned long long)sums->ownerless);
	for (size_t i = 0; i < l->note_count; i++) {
		const struct kept_note *n = &l->notes[i];
		struct vmm_out *line = vmm_out_create(STDERR_FILENO);

		if (!line)
			return;
		vmm_out_printf(line, "vmmap: %d: %s: ", (int)pid, n->from);
		vmm_out_escaped(line, n->text, 0);
		if (n->address)
			vmm_out_printf(line, " (at 0x%llx)", (unsigned long long)n->address);
		vmm_out_char(line, '\n');
		(void)!vmm_out_finish(line, NULL);
	}
}

/* Searches, and writes the rows to out, which is the answer's or, while the target stands still, a file of our own. */
static int search(struct listing *l, struct vmm_target *t, struct vmm_strings_query *sq, struct vmm_strings_sums *sums,
                  struct vmm_err *err)
{
	uint32_t where = l->q->where ? vmm_expr_needs(l->q->where) : 0;
	int code;

	l->late = where & VMM_NEED_HEAPS;
	sq->kinds = l->q->kinds;
	sq->owners = vmm_query_needs(l->q) & VMM_NEED_HEAPS;
	if (l->format == VMM_FORMAT_JSON || l->format == VMM_FORMAT_NDJSON)
		for (size_t i = 0; i < l->column_count; i++)
			sq->owners |= (l->columns[i]->needs & VMM_NEED_HEAPS) != 0;
	sq->top = l->late ? 0 : l->q->top;
	sq->wanted = l->q->where && !l->late ? wanted : NULL;
	sq->found = show;
	sq->note = keep_note;
	sq->arg = l;
	code = vmm_target_strings(t, l->s, sq, sums, err);
	if (code >= 0 || code == VMM_E_GONE)
		begin(l);
	return code > 0 ? 0 : code;
}

int vmm_strings_document(struct vmm_out *out, struct vmm_target *t, const struct vmm_snapshot *s, const struct vmm_query *q,
                         struct vmm_strings_query *sq, struct vmm_err *err)
{
	struct vmm_snapshot shown = *s;
	struct listing l = {.q = q, .s = &shown, .out = out, .format = VMM_FORMAT_JSON};
	struct vmm_strings_sums sums = {0};
	int code;

	l.column_count = vmm__json_columns(q, l.columns);
	code = search(&l, t, sq, &sums, err);
	shown.partial |= code == VMM_E_GONE;
	end_json(&l, out, &sums);
	return code == VMM_E_GONE ? 0 : code;
}

/* Copies what was written while the target stood still. */
static int unspool(FILE *spool, struct vmm_out *out, struct vmm_err *err)
{
	char bytes[32768];
	ssize_t n;

	if (lseek(fileno(spool), 0, SEEK_SET) < 0)
		return vmm_fail(err, VMM_E_IO, errno, "temporary file: %s", strerror(errno));
	while ((n = read(fileno(spool), bytes, sizeof(bytes))) > 0)
		vmm_out_bytes(out, bytes, (size_t)n);
	return n < 0 ? vmm_fail(err, VMM_E_IO, errno, "temporary file: %s", strerror(errno)) : 0;
}

/* Searches the open target, in a pause where --stop asks for it: then nothing is written to the output meanwhile. */
static int search_held(struct listing *l, struct vmm_answer *a, struct vmm_target *t, struct vmm_hold *hold,
                       struct vmm_snapshot *s, struct vmm_strings_query *sq,
                       struct vmm_strings_sums *sums, struct vmm_err *err)
{
	FILE *spool = NULL;
	int code, own;

	l->out = a->output.out;
	if (vmm_target_is_stopped(t)) {
		spool = tmpfile();
		l->out = spool ? vmm_out_create(fileno(spool)) : NULL;
		if (!l->out) {
			code = spool ? vmm_fail_nomem(err) : vmm_fail(err, VMM_E_IO, errno, "temporary file: %s", strerror(errno));
			goto end;
		}
	}
	code = search(l, t, sq, sums, err);
	vmm_hold_end(hold, s);
	if (spool) {
		own = vmm_out_finish(l->out, code < 0 ? NULL : err);
		code = code < 0 ? code : own;
		if (code == 0 || code == VMM_E_GONE) {
			own = unspool(spool, a->output.out, code < 0 ? NULL : err);
			code = code < 0 ? code : own;
		}
	}
	if (code == VMM_E_GONE) {
		s->partial = true;
		code = 0;
	}
	if (l->format == VMM_FORMAT_JSON && l->begun)
		end_json(l, a->output.out, sums);
	else if (l->format != VMM_FORMAT_JSON)
		tell_notes(l, sums);
end:
	if (spool)
		fclose(spool);
	return code;
}

/* The answer of an open target that stands still if it shall. */
static int answer(const struct vmm_args *args, const struct vmm_query *q, struct vmm_strings_query *sq, struct vmm_target *t,
                  struct vmm_hold *hold)
{
	struct listing l = {.q = q};
	struct vmm_strings_sums sums = {0};
	struct vmm_snapshot *s = NULL;
	struct vmm_answer a;
	struct vmm_err err;
	uint32_t needs = vmm_query_needs(q) | VMM_NEED_MAPS | VMM_NEED_THREADS | VMM_NEED_IMAGES;
	int code, status;

	/* The chunks are walked when the strings are known, not for the snapshot. */
	code = vmm_cli_take_open(t, needs & ~(uint32_t)VMM_NEED_HEAPS, &s, &err);
	if (code == 0)
		code = vmm_cli_need_contents(s, &err);
	if (code == 0)
		code = choose_region(args, s, sq, &err);
	if (code < 0) {
		vmm_hold_end(hold, NULL);
		vmm_snapshot_destroy(s);
		return vmm_cli_fail_target(args, args->operand[0], &err);
	}
	l.s = s;
	l.column_count = vmm__json_columns(q, l.columns);
	code = vmm_answer_open(&a, args, &err);
	l.format = a.format;
	if (code == 0) {
		l.table = vmm__text_stream_create(q, &a.look.style, s->target.bits == 32);
		code = l.table ? search_held(&l, &a, t, hold, s, sq, &sums, &err) : vmm_fail_nomem(&err);
	}
	vmm_hold_end(hold, NULL);
	status = vmm_answer_close(&a, args, s, code, &err);
	free(l.table);
	vmm_snapshot_destroy(s);
	return status;
}

int vmm_cli_strings(const struct vmm_args *args)
{
	const char *target = args->operand[0];
	struct vmm_strings_query sq = {0};
	enum vmm_format format;
	struct vmm_target *t = NULL;
	struct vmm_hold hold;
	struct vmm_query q;
	struct vmm_err err;
	int code, status;

	code = vmm_cli_format(args, &format, &err);
	if (code == 0)
		code = parse_options(args, &sq, &err);
	if (code == 0)
		code = vmm_cli_query(args, "strings", &q, &err);
	if (code < 0)
		return vmm_cli_fail(args, &err);
	code = vmm_cli_open(args, target, &t, &err);
	if (code == 0) {
		code = vmm_hold_begin(&hold, args, t, &err);
		status = code == 0 ? answer(args, &q, &sq, t, &hold) : vmm_cli_fail_target(args, target, &err);
		vmm_target_close(t);
	} else {
		status = vmm_cli_fail_target(args, target, &err);
	}
	vmm_query_done(&q);
	return status;
}
