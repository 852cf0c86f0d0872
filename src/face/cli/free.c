#include <stdio.h>

#include "base/err.h"
#include "face/cli.h"
#include "face/picture.h"
#include "face/summary.h"

#define TOP_DEFAULT 20 /* rows for people unless --top says otherwise */

/* What free address space is made of. */
struct figures {
	uint64_t count, total;
	const struct vmm_gap *largest;
	uint64_t by_size[8]; /* blocks by the classes of class_table */
};

static const struct {
	uint64_t least;
	const char *label;
} class_table[] = {{UINT64_C(1) << 40, "1 TiB and more"},
                   {UINT64_C(1) << 30, "1 GiB to 1 TiB"},
                   {UINT64_C(64) << 20, "64 MiB to 1 GiB"},
                   {UINT64_C(1) << 20, "1 MiB to 64 MiB"},
                   {UINT64_C(64) << 10, "64 KiB to 1 MiB"},
                   {0, "less than 64 KiB"}};

static struct figures count_free(const struct vmm_snapshot *s)
{
	struct figures f = {0};

	for (uint32_t i = 0; i < s->gap_count; i++) {
		const struct vmm_gap *g = &s->gaps[i];
		uint64_t size = g->end - g->start;
		size_t class = 0;

		if (g->kind != VMM_KIND_FREE)
			continue;
		f.count++;
		f.total += size;
		if (!f.largest || size > f.largest->end - f.largest->start)
			f.largest = g;
		while (class + 1 < ARRAY_LEN(class_table) && size < class_table[class].least)
			class++;
		f.by_size[class]++;
	}
	return f;
}

static void put_figures(struct vmm_out *out, const struct vmm_snapshot *s, const struct figures *f)
{
	uint64_t largest = f->largest ? f->largest->end - f->largest->start : 0;
	unsigned outside = f->total ? (unsigned)(1000 - (vmm_wide)largest * 1000 / f->total) : 0;

	vmm_out_text(out, "Free           ");
	vmm_put_short_size(out, f->total);
	vmm_out_text(out, " in ");
	vmm_put_count(out, f->count);
	vmm_out_text(out, f->count == 1 ? " block\n" : " blocks\n");
	if (!f->largest)
		return;
	vmm_out_text(out, "Largest        ");
	vmm_put_short_size(out, largest);
	vmm_out_printf(out, " at 0x%llx", (unsigned long long)f->largest->start);
	vmm_out_text(out, s->target.bits == 32 ? ": no single mapping can be larger than this\n" : "\n");
	vmm_out_printf(out, "Fragmentation  %u.%u %% of it lies outside the largest block\n", outside / 10, outside % 10);
	if (s->target.bits == 64 && s->limit_count)
		vmm_out_text(out, "               64 bits hold plenty: limits stand in the summary\n");
	vmm_out_char(out, '\n');
	for (size_t i = 0; i < ARRAY_LEN(class_table); i++) {
		if (!f->by_size[i])
			continue;
		vmm_out_printf(out, "  %-17s ", class_table[i].label);
		vmm_put_count(out, f->by_size[i]);
		vmm_out_text(out, f->by_size[i] == 1 ? " block\n" : " blocks\n");
	}
}

static int put_rows(struct vmm_answer *a, const struct vmm_query *q, const struct vmm_snapshot *s, struct vmm_err *err)
{
	struct vmm_rows rows;
	int code = vmm_rows_build(&rows, q, s, err);

	if (code < 0)
		return code;
	vmm_answer_rows(a, q, &rows, s);
	if (a->format == VMM_FORMAT_TEXT && rows.matched > rows.count) {
		vmm_out_text(a->output.out, "… ");
		vmm_put_count(a->output.out, rows.matched - rows.count);
		vmm_out_text(a->output.out, " more: --top N shows more\n");
	}
	vmm_rows_done(&rows);
	return 0;
}

static int emit(struct vmm_answer *a, const struct vmm_args *args, const struct vmm_query *q,
                const struct vmm_snapshot *s, struct vmm_err *err)
{
	struct figures f;
	int code;

	if (a->format != VMM_FORMAT_TEXT)
		return put_rows(a, q, s, err);
	vmm_summary_head(a->output.out, &a->look, s);
	if (s->vma_count == 0) {
		/* Not 0 bytes free: there is no address space, or it may not be read. */
		vmm_summary_notes(a->output.out, &a->look, s);
		return 0;
	}
	f = count_free(s);
	vmm_out_char(a->output.out, '\n');
	put_figures(a->output.out, s, &f);
	vmm_out_char(a->output.out, '\n');
	if (vmm_args_has(args, VMM_OPTION_MAP))
		code = vmm_picture_emit(a->output.out, &a->look, s, a->look.rows > 20 ? a->look.rows - 20 : 0, err);
	else
		code = put_rows(a, q, s, err);
	if (code == 0)
		vmm_summary_notes(a->output.out, &a->look, s);
	return code;
}

int vmm_cli_free(const struct vmm_args *given)
{
	struct vmm_args args = *given;
	const char *target = args.operand[0];
	enum vmm_format format = VMM_FORMAT_TEXT;
	struct vmm_snapshot *s;
	struct vmm_query q;
	struct vmm_answer a;
	struct vmm_err err;
	int code, status;

	if (!vmm_args_has(&args, VMM_OPTION_SORT))
		args.option[VMM_OPTION_SORT] = "size:desc";
	code = vmm_cli_format(&args, &format, &err);
	if (code == 0 && vmm_args_has(&args, VMM_OPTION_MAP) && format != VMM_FORMAT_TEXT)
		code = vmm_fail(&err, VMM_E_USAGE, 0, "--map is a picture in text: it goes with no other format");
	if (code == 0)
		code = vmm_cli_query(&args, "free", &q, &err);
	if (code < 0)
		return vmm_cli_fail(&args, &err);
	q.kinds = UINT32_C(1) << VMM_KIND_FREE;
	if (format == VMM_FORMAT_TEXT && !q.top)
		q.top = TOP_DEFAULT;
	/* Which gaps are unusable depends on the stacks. */
	code = vmm_cli_take(&args, target, vmm_query_needs(&q) | VMM_NEED_MAPS | VMM_NEED_THREADS | VMM_NEED_IMAGES, &s, &err);
	if (code < 0) {
		vmm_query_done(&q);
		return vmm_cli_fail_target(&args, target, &err);
	}
	code = vmm_answer_open(&a, &args, &err);
	if (code == 0)
		code = emit(&a, &args, &q, s, &err);
	status = vmm_answer_close(&a, &args, s, code, &err);
	vmm_query_done(&q);
	vmm_snapshot_destroy(s);
	return status;
}
