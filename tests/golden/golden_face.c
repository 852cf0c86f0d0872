/*
 * Prints what the face makes of the fixed snapshot of fake.h, for comparison with expected/.
 * golden_face SCENE WIDTH colour|letters|plain
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "analysis/heap_total.h"
#include "face/heap_page.h"
#include "face/moved.h"
#include "face/picture.h"
#include "face/summary.h"
#include "golden/fake_heap.h"

static int emit_moves(struct vmm_out *out, const struct vmm_look *look, const struct vmm_snapshot *old,
                      struct vmm_err *err)
{
	struct vmm_snapshot *now = fake_snapshot();
	int code;

	if (!now)
		return VMM_E_NOMEM;
	/* The heap grows by 512 KiB, of which 256 become resident; the mapped file vanishes. */
	now->regions[1].end += FAKE_K(512);
	for (int i = 0; i < 3; i++) {
		struct vmm_metrics *m = i == 0   ? &now->vmas[1].m
		                        : i == 1 ? &now->types[VMM_KIND_HEAP].m
		                                 : &now->total.m;

		m->value[VMM_METRIC_SIZE] += FAKE_K(512);
		m->value[VMM_METRIC_COMMITTED] += FAKE_K(512);
		m->value[VMM_METRIC_RSS] += FAKE_K(256);
	}
	for (uint32_t i = 3; i + 1 < now->region_count; i++)
		now->regions[i] = now->regions[i + 1];
	now->region_count--;
	now->types[VMM_KIND_MAPPED_FILE].m.value[VMM_METRIC_RSS] -= FAKE_K(256);
	now->total.m.value[VMM_METRIC_RSS] -= FAKE_K(256);
	code = vmm_moves_emit(out, look, old, now, 10, err);
	vmm_snapshot_destroy(now);
	return code;
}

static int emit_summary(struct vmm_out *out, const struct vmm_look *look, const struct vmm_snapshot *s,
                        struct vmm_err *err)
{
	struct vmm_query q;
	int code = vmm_query_init(&q, "types", NULL, NULL, NULL, NULL, err);

	if (code < 0)
		return code;
	code = vmm_summary_emit(out, look, &q, s, err);
	vmm_query_done(&q);
	return code;
}

#define HEAP_COLUMNS "size,rss,used,used_count,free,free_count,top,unused,overhead,largest_free,trimmable,threads"

static int emit_heap(struct vmm_out *out, const struct vmm_look *look, struct vmm_snapshot *s, struct vmm_err *err)
{
	struct vmm_heap_page page = {.snapshot = s, .survey = &fake_survey, .duplicates = true};
	struct vmm_query q;
	int code = vmm_query_init(&q, "heaps", look->style.width < 120 ? "heap," HEAP_COLUMNS : "label," HEAP_COLUMNS, NULL, NULL, NULL, err);

	if (code < 0)
		return code;
	q.columns_chosen = false; /* they give way on narrow lines, as those of the command do */
	page.query = &q;
	code = fake_add_heaps(s) ? vmm_heaps_total(s, NULL, s->arena, &page.total, err) : VMM_E_NOMEM;
	if (code == 0)
		code = vmm_heap_page_text(out, look, &page, err);
	vmm_query_done(&q);
	return code;
}

/* Regions with what chunks take of them. */
static int emit_tree(struct vmm_out *out, const struct vmm_look *look, struct vmm_snapshot *s, struct vmm_err *err)
{
	struct vmm_query q;
	int code = vmm_query_init(&q, "tree", "address,kind,size,rss,details", NULL, NULL, "heap", err);

	if (code < 0)
		return code;
	q.parts = true;
	code = fake_add_heaps(s) ? vmm_summary_table(out, look, &q, s, err) : VMM_E_NOMEM;
	vmm_query_done(&q);
	return code;
}

int main(int argc, char **argv)
{
	struct vmm_snapshot *s = fake_snapshot();
	struct vmm_out *out = vmm_out_create(STDOUT_FILENO);
	struct vmm_look look = {.style = {.heading = true}};
	struct vmm_err err = {0};
	int code = VMM_E_USAGE;

	if (argc != 4 || !s || !out)
		return 2;
	look.style.width = (unsigned)strtoul(argv[2], NULL, 10);
	look.style.colour = strcmp(argv[3], "colour") == 0;
	look.pictures = strcmp(argv[3], "plain") != 0;
	if (strcmp(argv[1], "summary") == 0)
		code = emit_summary(out, &look, s, &err);
	else if (strcmp(argv[1], "map") == 0)
		code = vmm_picture_emit(out, &look, s, 20, &err);
	else if (strcmp(argv[1], "moves") == 0)
		code = emit_moves(out, &look, s, &err);
	else if (strcmp(argv[1], "heap") == 0)
		code = emit_heap(out, &look, s, &err);
	else if (strcmp(argv[1], "tree") == 0)
		code = emit_tree(out, &look, s, &err);
	vmm_out_finish(out, NULL);
	vmm_snapshot_destroy(s);
	if (code < 0)
		fprintf(stderr, "golden_face: %s\n", err.text);
	return code < 0 ? 1 : 0;
}
