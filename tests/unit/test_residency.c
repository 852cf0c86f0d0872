/*
 * Targets whose pages() tells what was stored, not what was resident: what follows from residency alone must be unknown.
 * The same made-up target is looked at both ways.
 */
#include "test.h"

#include "../fake_target.h"
#include "vmmap/vmmap.h"

#define BASE UINT64_C(0x7f0000000000)

static unsigned char zeros[65536];

static int fill(struct vmm_target *base, const struct vmm_take *take, struct vmm_snapshot *s, struct vmm_err *err)
{
	struct fake_target *t = (struct fake_target *)base;

	s->target.source = "fake";
	s->target.name = s->target.exe = s->target.cmdline = s->target.cgroup = s->target.arch = "";
	s->target.page_size = 4096;
	s->target.bits = 64;
	s->target.pid = 1;
	s->target.user_end = UINT64_C(0x7ffffffff000);
	s->vmas = vmm_arena_array(s->arena, t->vma_count, sizeof(*s->vmas));
	s->threads = vmm_arena_array(s->arena, 1, sizeof(*s->threads));
	assert_true(s->vmas && s->threads);
	memcpy(s->vmas, t->vmas, t->vma_count * sizeof(*s->vmas));
	s->vma_count = t->vma_count;
	for (uint32_t i = 0; i < s->vma_count; i++)
		vmm_metric_set(&s->vmas[i].m, VMM_METRIC_SIZE, s->vmas[i].end - s->vmas[i].start);
	s->threads[0] = (struct vmm_thread){.tid = 2, .name = "t", .sp_known = true, .sp = BASE + 0xf000, .region = VMM_NONE};
	s->thread_count = 1;
	s->threads_complete = true;
	return 0;
}

/* A stack with its guard below, of which the top half is present, and other memory. */
static struct vmm_snapshot *look(bool residency_unknown, uint32_t needs)
{
	static const struct vmm_source_ops ops = {
	    .id = "fake", .fill = fill, .read = fake_read, .pages = fake_pages, .open_file = fake_open_file};
	struct fake_target t = {.memory = {{BASE + 0x8000, BASE + 0x10000, zeros, 0}, {BASE + 0x20000, BASE + 0x24000, zeros, 0}},
	                        .memory_count = 2};
	struct vmm_snapshot *s = NULL;
	struct vmm_take take = {.needs = needs};

	fake_map(&t, BASE - 4096, BASE, "---p", 0, "", VMM_E_NO_TARGET);
	fake_map(&t, BASE, BASE + 0x10000, "rw-p", 0, "", VMM_E_NO_TARGET);
	fake_map(&t, BASE + 0x20000, BASE + 0x30000, "rw-p", 0, "", VMM_E_NO_TARGET);
	t.base.ops = &ops;
	t.base.residency_unknown = residency_unknown;
	assert_int_equal(vmm_target_snapshot(&t.base, &take, &s, NULL), 0);
	assert_int_equal(s->region_count, 2);
	assert_int_equal(s->regions[0].kind, VMM_KIND_STACK);
	return s;
}

static const char *labels(const struct vmm_snapshot *s, const struct vmm_region *r)
{
	static char text[200];

	text[0] = '\0';
	for (uint32_t i = 0; i < r->block_count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s;", s->blocks[r->first_block + i].label);
	return text;
}

static bool told(const struct vmm_snapshot *s, const char *account)
{
	for (uint32_t i = 0; i < s->account_count; i++)
		if (strcmp(s->accounts[i].id, account) == 0)
			return s->accounts[i].sum_known;
	fail_msg("no account %s", account);
	return false;
}

static void known(void **state)
{
	struct vmm_snapshot *s = look(false, VMM_NEED_FAST);

	assert_string_equal(labels(s, &s->regions[0]), "guard;never touched;touched;");
	assert_non_null(strstr(s->regions[0].details, "touched 32 KiB"));
	assert_true(vmm_metric_known(&s->total.m, VMM_METRIC_RSS));
	assert_int_equal(s->total.m.value[VMM_METRIC_RSS], 0xc000);
	assert_true(s->vmas[1].guards_known);
	assert_true(told(s, "rss"));
	vmm_snapshot_destroy(s);
}

static void unknown(void **state)
{
	static const uint8_t none[] = {VMM_METRIC_RSS, VMM_METRIC_SWAP, VMM_METRIC_ANONYMOUS, VMM_METRIC_HUGE};

	for (int smaps = 0; smaps < 2; smaps++) {
		struct vmm_snapshot *s = look(true, smaps ? VMM_NEED_DEFAULT : VMM_NEED_FAST);

		assert_string_equal(labels(s, &s->regions[0]), "guard;stack;");
		assert_null(strstr(s->regions[0].details, "touched"));
		for (size_t i = 0; i < ARRAY_LEN(none); i++) {
			assert_false(vmm_metric_known(&s->total.m, none[i]));
			assert_int_equal(s->total.m.value[none[i]], 0);
			for (uint32_t k = 0; k < s->block_count; k++)
				assert_false(vmm_metric_known(s->blocks[k].m, none[i]));
		}
		assert_false(s->vmas[1].guards_known);
		assert_false(told(s, "rss"));
		assert_false(told(s, "anonymous"));
		assert_true(told(s, "size"));
		/* What is missing is the nature of the target, no failure. */
		for (uint32_t i = 0; i < s->note_count; i++)
			assert_string_not_equal(s->notes[i].from, "pagemap");
		vmm_snapshot_destroy(s);
	}
}

TEST_MAIN(cmocka_unit_test(known), cmocka_unit_test(unknown))
