/* Regions made of mappings drawn by hand, as real allocators and C libraries lay them out. */
#include "test.h"

#include "analysis/analysis.h"
#include "analysis/claims.h"
#include "fake_target.h"

#define MIB (UINT64_C(1) << 20)

static struct vmm_vma *map(struct fake_target *t, uint64_t start, uint64_t size, const char *prot, const char *name, uint64_t flags)
{
	struct vmm_vma *v = fake_map(t, start, start + size, prot, 0, name, VMM_E_NO_TARGET);

	v->vm_flags = VMM_VF_KNOWN | flags;
	v->guards_known = true;
	vmm_metrics_zero(&v->m);
	vmm_metric_set(&v->m, VMM_METRIC_SIZE, size);
	return v;
}

static struct vmm_snapshot *classify(struct fake_target *t)
{
	struct vmm_snapshot *s = fake_snapshot(t, "");

	assert_non_null(s);
	s->needs = VMM_NEED_DEFAULT;
	s->target.bits = 64;
	s->target.user_end = UINT64_C(0x7ffffffff000);
	s->target.min_address = 0x10000;
	s->target.stack_gap = MIB;
	s->target.pid = 1;
	return s;
}

static void run(struct fake_target *t, struct vmm_snapshot *s)
{
	assert_int_equal(vmm_classify(&t->base, s, NULL, NULL), 0);
	assert_int_equal(vmm_space_gaps(s, NULL), 0);
	vmm_totals(s);
}

static void expect_region(const struct vmm_snapshot *s, uint32_t i, uint64_t start, uint64_t end, enum vmm_kind kind)
{
	assert_true(i < s->region_count);
	assert_int_equal(s->regions[i].start, start);
	assert_int_equal(s->regions[i].end, end);
	assert_string_equal(vmm_kind_label(s->regions[i].kind), vmm_kind_label(kind));
}

/* glibc: two arenas one after the other, each carved from 64 MiB that were reserved without swap. */
static void neighbouring_arenas_stay_apart(void **state)
{
	struct fake_target t = {0};
	struct vmm_snapshot *s;
	uint64_t base = UINT64_C(0x7f0000000000);

	map(&t, base - MIB, MIB, "rw-p", "", VMM_VF(ac)); /* a big malloc() below, not part of it */
	map(&t, base, MIB, "rw-p", "", VMM_VF(nr));
	map(&t, base + MIB, 63 * MIB, "---p", "", VMM_VF(nr));
	map(&t, base + 64 * MIB, 2 * MIB, "rw-p", "", VMM_VF(nr));
	map(&t, base + 66 * MIB, 62 * MIB, "---p", "", VMM_VF(nr));
	s = classify(&t);
	run(&t, s);
	assert_int_equal(s->region_count, 3);
	expect_region(s, 0, base - MIB, base, VMM_KIND_PRIVATE_DATA);
	expect_region(s, 1, base, base + 64 * MIB, VMM_KIND_PRIVATE_DATA);
	expect_region(s, 2, base + 64 * MIB, base + 128 * MIB, VMM_KIND_PRIVATE_DATA);
	assert_string_equal(s->blocks[2].label, "reserved");
	vmm_snapshot_destroy(s);
}

static void unrelated_neighbours_stay_apart(void **state)
{
	struct fake_target t = {0};
	struct vmm_snapshot *s;

	map(&t, 0x100000, 0x4000, "rw-p", "", VMM_VF(ac));
	map(&t, 0x104000, 0x4000, "r--p", "", 0);
	map(&t, 0x108000, 0x1000, "---p", "", 0); /* guard of the mapping above it */
	map(&t, 0x109000, 0x8000, "rw-p", "", VMM_VF(ac));
	s = classify(&t);
	run(&t, s);
	assert_int_equal(s->region_count, 3);
	expect_region(s, 0, 0x100000, 0x104000, VMM_KIND_PRIVATE_DATA);
	expect_region(s, 1, 0x104000, 0x108000, VMM_KIND_PRIVATE_DATA);
	expect_region(s, 2, 0x108000, 0x111000, VMM_KIND_PRIVATE_DATA);
	vmm_snapshot_destroy(s);
}

/* One file mapping that mprotect() split; the next mapping of the same file does not go on where it ends. */
static void split_file_mappings_are_one_region(void **state)
{
	struct fake_target t = {0};
	struct vmm_snapshot *s;

	map(&t, 0x100000, 0x2000, "r--p", "/data", 0);
	map(&t, 0x102000, 0x1000, "rw-p", "/data", VMM_VF(ac))->offset = 0x2000;
	map(&t, 0x103000, 0x1000, "r--p", "/data", 0)->offset = 0x8000;
	s = classify(&t);
	run(&t, s);
	assert_int_equal(s->region_count, 2);
	expect_region(s, 0, 0x100000, 0x103000, VMM_KIND_MAPPED_FILE);
	assert_true(s->regions[0].mixed_prot);
	assert_false(s->regions[0].write_exec);
	expect_region(s, 1, 0x103000, 0x104000, VMM_KIND_MAPPED_FILE);
	vmm_snapshot_destroy(s);
}

static void objects_get_their_kinds(void **state)
{
	struct fake_target t = {0};
	struct vmm_snapshot *s;

	map(&t, 0x100000, 0x1000, "rw-p", "[heap]", VMM_VF(ac));
	map(&t, 0x200000, 0x1000, "rw-s", "/memfd:x", 0)->backing = VMM_BACKING_SHMEM;
	map(&t, 0x400000, 0x200000, "rw-s", "/huge", VMM_VF(ht))->backing = VMM_BACKING_HUGETLB;
	map(&t, 0x600000, 0x200000, "rw-p", "/anon_hugepage", VMM_VF(ht))->backing = VMM_BACKING_HUGETLB;
	map(&t, 0x900000, 0x1000, "rw-s", "/dev/dri/card0", VMM_VF(io))->backing = VMM_BACKING_DEVICE;
	map(&t, UINT64_C(0x7ffff0000000), 0x2000, "r-xp", "[vdso]", 0)->backing = VMM_BACKING_SPECIAL;
	map(&t, UINT64_C(0xffffffffff600000), 0x1000, "--xp", "[vsyscall]", 0)->backing = VMM_BACKING_SPECIAL;
	s = classify(&t);
	run(&t, s);
	assert_int_equal(s->region_count, 7);
	expect_region(s, 0, 0x100000, 0x101000, VMM_KIND_HEAP);
	expect_region(s, 1, 0x200000, 0x201000, VMM_KIND_SHAREABLE);
	expect_region(s, 2, 0x400000, 0x600000, VMM_KIND_SHAREABLE);
	expect_region(s, 3, 0x600000, 0x800000, VMM_KIND_PRIVATE_DATA);
	expect_region(s, 4, 0x900000, 0x901000, VMM_KIND_DEVICE);
	expect_region(s, 5, UINT64_C(0x7ffff0000000), UINT64_C(0x7ffff0002000), VMM_KIND_SYSTEM);
	assert_true(s->regions[6].outside);
	assert_int_equal(s->total.m.value[VMM_METRIC_SIZE], 0x1000 + 0x1000 + 0x400000 + 0x1000 + 0x2000);
	assert_int_equal(s->types[VMM_KIND_SHAREABLE].largest, 0x200000);
	vmm_snapshot_destroy(s);
}

static void put_words(unsigned char *page, size_t at, uint64_t a, uint64_t b)
{
	memcpy(page + at, &a, 8);
	memcpy(page + at + 8, &b, 8);
}

/*
 * glibc 2.42 and later: two stacks in one mapping, told apart by guard pages and by the base and size in each
 * thread's descriptor.
 */
static void merged_stacks_are_split_by_their_descriptors(void **state)
{
	static unsigned char top1[4096], top2[4096];
	struct fake_target t = {0};
	struct vmm_thread threads[] = {{.tid = 1, .name = "main", .region = VMM_NONE},
	                               {.tid = 2, .name = "one", .region = VMM_NONE, .descriptor = 0x1ffb00},
	                               {.tid = 3, .name = "two", .region = VMM_NONE, .descriptor = 0x2ffb00}};
	struct vmm_snapshot *s;

	map(&t, 0x100000, 0x200000, "rw-p", "", VMM_VF(ac));
	put_words(top1, 0xc10, 0x100000, 0x100000);
	put_words(top2, 0xc10, 0x200000, 0x100000);
	put_words(top2, 0xb80, 0x200000, 0x100001); /* no whole pages: not the words */
	t.memory[0] = (struct fake_memory){0x100000, 0x101000, NULL, VMM_PAGE_GUARD};
	t.memory[1] = (struct fake_memory){0x1ff000, 0x200000, top1, 0};
	t.memory[2] = (struct fake_memory){0x200000, 0x201000, NULL, VMM_PAGE_GUARD};
	t.memory[3] = (struct fake_memory){0x2ff000, 0x300000, top2, 0};
	t.memory_count = 4;
	s = classify(&t);
	s->threads = threads;
	s->thread_count = 3;
	vmm_metric_set(&t.vmas[0].m, VMM_METRIC_RSS, 0x2000);
	t.vmas[0].guard_bytes = 0x2000;
	run(&t, s);
	assert_int_equal(s->region_count, 2);
	expect_region(s, 0, 0x100000, 0x200000, VMM_KIND_STACK);
	expect_region(s, 1, 0x200000, 0x300000, VMM_KIND_STACK);
	assert_int_equal(threads[1].region, 0);
	assert_int_equal(threads[2].region, 1);
	assert_int_equal(s->regions[0].block_count, 3);
	assert_string_equal(s->blocks[0].label, "guard");
	assert_int_equal(s->blocks[0].end, 0x101000);
	assert_string_equal(s->blocks[1].label, "never touched");
	assert_string_equal(s->blocks[2].label, "touched");
	assert_int_equal(s->blocks[2].start, 0x1ff000);
	assert_int_equal(s->blocks[0].m->value[VMM_METRIC_COMMITTED], 0);
	assert_int_equal(s->blocks[2].m->value[VMM_METRIC_RSS], 0x1000);
	vmm_snapshot_destroy(s);
}

/* A thread has ended; glibc keeps its stack, with the descriptor at the top pointing to itself. */
static void stacks_of_ended_threads_are_stacks(void **state)
{
	static unsigned char top[4096];
	struct fake_target t = {0};
	struct vmm_snapshot *s;

	map(&t, 0x0ff000, 0x1000, "---p", "", 0);
	map(&t, 0x100000, 0x100000, "rw-p", "", VMM_VF(ac));
	map(&t, 0x300000, 0x1000, "---p", "", 0);
	map(&t, 0x301000, 0x100000, "rw-p", "", VMM_VF(ac)); /* guarded memory that is no stack */
	put_words(top, 0x700, 0x1ff700, 0);
	put_words(top, 0x710, 0x1ff700, 0);
	put_words(top, 0xd90, 0x0ff000, 0x101000);
	t.memory[0] = (struct fake_memory){0x1ff000, 0x200000, top, 0};
	t.memory_count = 1;
	s = classify(&t);
	s->threads_complete = true;
	run(&t, s);
	assert_int_equal(s->region_count, 2);
	expect_region(s, 0, 0x0ff000, 0x200000, VMM_KIND_STACK);
	assert_non_null(strstr(s->regions[0].details, "ended thread"));
	expect_region(s, 1, 0x300000, 0x401000, VMM_KIND_PRIVATE_DATA);
	vmm_snapshot_destroy(s);
}

static void a_guard_and_a_stack_pointer_make_a_stack(void **state)
{
	struct fake_target t = {0};
	struct vmm_thread threads[] = {{.tid = 2, .name = "one", .region = VMM_NONE, .sp_known = true, .sp = 0x1ff000},
	                               {.tid = 3, .name = "go", .region = VMM_NONE, .sp_known = true, .sp = 0x910000}};
	struct vmm_snapshot *s;

	map(&t, 0x0ff000, 0x1000, "---p", "", 0);
	map(&t, 0x100000, 0x100000, "rw-p", "", VMM_VF(ac));
	map(&t, 0x900000, 0x400000, "rw-p", "", VMM_VF(ac)); /* a runtime's heap with stacks inside */
	s = classify(&t);
	s->threads = threads;
	s->thread_count = 2;
	run(&t, s);
	assert_int_equal(s->region_count, 2);
	expect_region(s, 0, 0x0ff000, 0x200000, VMM_KIND_STACK);
	expect_region(s, 1, 0x900000, 0xd00000, VMM_KIND_PRIVATE_DATA);
	assert_non_null(strstr(s->regions[1].details, "holds the stack of thread 3 \"go\""));
	assert_int_equal(threads[1].region, 1);
	vmm_snapshot_destroy(s);
}

static void gaps_and_blocks_tile_the_space(void **state)
{
	struct fake_target t = {0};
	struct vmm_snapshot *s;
	uint64_t at = 0;
	uint32_t block = 0, gap = 0;

	map(&t, 0x400000, 0x1000, "rw-p", "", VMM_VF(ac));
	map(&t, UINT64_C(0x7ffffff00000), 0x21000, "rw-p", "[stack]", VMM_VF(ac) | VMM_VF(gd));
	s = classify(&t);
	run(&t, s);
	assert_int_equal(s->gap_count, 5); /* below mmap_min_addr, free, free, the stack's gap, free above it */
	assert_int_equal(s->gaps[0].end, 0x10000);
	assert_string_equal(vmm_kind_id(s->gaps[0].kind), "unusable");
	assert_int_equal(s->gaps[3].start, UINT64_C(0x7ffffff00000) - MIB);
	assert_string_equal(vmm_kind_id(s->gaps[3].kind), "unusable");
	assert_int_equal(s->types[VMM_KIND_UNUSABLE].m.value[VMM_METRIC_SIZE], 0x10000 + MIB);
	while (block < s->block_count || gap < s->gap_count) {
		bool is_gap = block == s->block_count || (gap < s->gap_count && s->gaps[gap].start == at);

		assert_int_equal(is_gap ? s->gaps[gap].start : s->blocks[block].start, at);
		at = is_gap ? s->gaps[gap++].end : s->blocks[block++].end;
	}
	assert_int_equal(at, s->target.user_end);
	vmm_snapshot_destroy(s);
}

static void claims_refuse_overlaps(void **state)
{
	struct vmm_claims c = {0};
	struct vmm_claim low = vmm_claim_init(0x1000, 0x3000, VMM_KIND_HEAP), high = vmm_claim_init(0x5000, 0x6000, VMM_KIND_STACK),
	                 across = vmm_claim_init(0x2000, 0x5001, VMM_KIND_IMAGE), between = vmm_claim_init(0x3000, 0x5000, VMM_KIND_IMAGE);

	assert_int_equal(vmm_claims_add(&c, &high, NULL), 1);
	assert_int_equal(vmm_claims_add(&c, &low, NULL), 1);
	assert_int_equal(vmm_claims_add(&c, &across, NULL), 0);
	assert_int_equal(vmm_claims_add(&c, &between, NULL), 1);
	assert_int_equal(c.count, 3);
	assert_int_equal(vmm_claims_find(&c, 0x2fff, false)->kind, VMM_KIND_HEAP);
	assert_int_equal(vmm_claims_find(&c, 0x3000, false)->kind, VMM_KIND_IMAGE);
	assert_null(vmm_claims_find(&c, 0x6000, true));
	assert_int_equal(vmm_claims_find(&c, 0, true)->kind, VMM_KIND_HEAP);
	vmm_claims_done(&c);
}

TEST_MAIN(cmocka_unit_test(neighbouring_arenas_stay_apart), cmocka_unit_test(unrelated_neighbours_stay_apart),
          cmocka_unit_test(split_file_mappings_are_one_region), cmocka_unit_test(objects_get_their_kinds),
          cmocka_unit_test(merged_stacks_are_split_by_their_descriptors), cmocka_unit_test(stacks_of_ended_threads_are_stacks),
          cmocka_unit_test(a_guard_and_a_stack_pointer_make_a_stack),
          cmocka_unit_test(gaps_and_blocks_tile_the_space), cmocka_unit_test(claims_refuse_overlaps))
