/* --where and --fail-if: any text either compiles and can be evaluated on every sort of row, or is refused at a place inside it. */
#include "fuzz.h"

#include "model/build.h"
#include "vmmap/vmmap.h"

static void fill(struct vmm_snapshot *s)
{
	struct vmm_metrics *m = vmm_arena_alloc(s->arena, sizeof(*m));

	FUZZ_CHECK(m);
	m->value[VMM_METRIC_SIZE] = UINT64_MAX;
	m->value[VMM_METRIC_RSS] = 4096;
	m->known = 1u << VMM_METRIC_SIZE;
	m->at_least = 1u << VMM_METRIC_RSS;
	s->vmas = vmm_arena_array(s->arena, 1, sizeof(*s->vmas));
	s->blocks = vmm_arena_array(s->arena, 1, sizeof(*s->blocks));
	s->regions = vmm_arena_array(s->arena, 1, sizeof(*s->regions));
	FUZZ_CHECK(s->vmas && s->blocks && s->regions);
	s->vmas[0] = (struct vmm_vma){.start = 0x1000, .end = UINT64_MAX, .name = "/a (b)", .prot = 7, .m = *m};
	s->blocks[0] = (struct vmm_block){.start = 0x1000, .end = UINT64_MAX, .label = ".text", .m = m};
	s->regions[0] = (struct vmm_region){.start = 0x1000, .end = UINT64_MAX, .block_count = 1, .write_exec = true,
	                                    .module = VMM_NONE, .thread = VMM_NONE, .heap = VMM_NONE, .details = "d",
	                                    .path = "/a (b)", .m = m};
	s->vma_count = s->block_count = s->region_count = 1;
}

static void evaluate(const struct vmm_expr *e)
{
	struct vmm_snapshot *s = vmm_snapshot_create();

	FUZZ_CHECK(s);
	fill(s);
	(void)vmm_expr_needs(e);
	vmm_expr_matches(e, &(struct vmm_row){.snapshot = s, .object = s->vmas, .type = VMM_ROW_VMA});
	vmm_expr_matches(e, &(struct vmm_row){.snapshot = s, .object = s->blocks, .type = VMM_ROW_BLOCK});
	vmm_expr_matches(e, &(struct vmm_row){.snapshot = s, .object = s->regions, .type = VMM_ROW_REGION});
	vmm_expr_matches(e, &(struct vmm_row){.snapshot = s, .object = &s->total, .type = VMM_ROW_TYPE});
	vmm_snapshot_destroy(s);
}

/* --fail-if: the same over what differs between nothing and the snapshot. */
static void evaluate_diff(const struct vmm_expr *e)
{
	struct vmm_snapshot *a = vmm_snapshot_create(), *b = vmm_snapshot_create();
	struct vmm_diff_check check;
	struct vmm_diff *d;

	FUZZ_CHECK(a && b);
	fill(b);
	b->regions[0].kind = VMM_KIND_HEAP;
	FUZZ_CHECK(vmm_diff_create(a, b, &d, NULL) == 0);
	vmm_diff_check(d, e, &check);
	FUZZ_CHECK(check.truth >= -1 && check.truth <= 1 && (check.truth == 1) == (check.count > 0));
	vmm_diff_destroy(d);
	vmm_snapshot_destroy(a);
	vmm_snapshot_destroy(b);
}

static void try_diff(const char *text)
{
	struct vmm_expr *e = NULL;
	struct vmm_err err = {0};

	if (vmm_expr_compile(vmm_table_find("diff_regions"), text, &e, &err) == 0)
		evaluate_diff(e);
	else
		FUZZ_CHECK(!e && err.column >= 1 && err.column <= strlen(text) + 1);
	vmm_expr_destroy(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vmm_expr *e = NULL;
	struct vmm_err err = {0};
	char *text = malloc(size + 1);
	int rc;

	FUZZ_CHECK(text);
	memcpy(text, data, size);
	text[size] = '\0';
	rc = vmm_expr_compile(vmm_table_find("regions"), text, &e, &err);
	if (rc == 0) {
		evaluate(e);
	} else {
		FUZZ_CHECK(rc == VMM_E_EXPRESSION && !e);
		FUZZ_CHECK(err.column >= 1 && err.column <= strlen(text) + 1);
		FUZZ_CHECK(!strchr(err.text, '\n') && !strchr(err.text, '\033'));
	}
	vmm_expr_destroy(e);
	try_diff(text);
	free(text);
	return 0;
}
