/* Committed, private and shareable by hand for each sort of mapping; numbers of parts from pages. */
#include "test.h"

#include "analysis/analysis.h"
#include "analysis/numbers.h"
#include "fake_target.h"

#define K 1024u
#define KNOWN VMM_VF_KNOWN

static struct vmm_vma mapping(const char *prot, enum vmm_backing backing, uint64_t flags)
{
	struct fake_target t = {0};
	struct vmm_vma *v = fake_map(&t, 0x100000, 0x100000 + 100 * K, prot, 0, "", -1);

	v->backing = (uint8_t)backing;
	v->vm_flags = flags;
	vmm_metric_set(&v->m, VMM_METRIC_SIZE, 100 * K);
	return *v;
}

static void set(struct vmm_vma *v, uint64_t rss, uint64_t anonymous, uint64_t swap, uint64_t hugetlb)
{
	vmm_metric_set(&v->m, VMM_METRIC_RSS, rss);
	vmm_metric_set(&v->m, VMM_METRIC_ANONYMOUS, anonymous);
	vmm_metric_set(&v->m, VMM_METRIC_SWAP, swap);
	vmm_metric_set(&v->m, VMM_METRIC_HUGETLB, hugetlb);
}

#define UNKNOWN UINT64_MAX

static void expect(const struct vmm_metrics *m, enum vmm_metric metric, uint64_t value)
{
	assert_int_equal(vmm_metric_known(m, metric), value != UNKNOWN);
	if (value != UNKNOWN)
		assert_int_equal(m->value[metric], value);
}

static void check(struct vmm_vma v, uint64_t guard, bool guards_known, uint64_t committed, uint64_t private, uint64_t shareable)
{
	vmm_numbers_derive(&v, guard, guards_known, &v.m);
	expect(&v.m, VMM_METRIC_COMMITTED, committed);
	expect(&v.m, VMM_METRIC_PRIVATE, private);
	expect(&v.m, VMM_METRIC_SHAREABLE, shareable);
}

static void charged_anonymous_memory(void **state)
{
	struct vmm_vma v = mapping("rw-p", VMM_BACKING_ANON, KNOWN | VMM_VF(ac));

	set(&v, 8 * K, 8 * K, 4 * K, 0);
	check(v, 0, true, 100 * K, 100 * K, 0);
	check(v, 12 * K, true, 88 * K, 100 * K, 0); /* guard pages are charged, yet nobody can use them */
	check(v, 0, false, UNKNOWN, 100 * K, 0);
}

static void unreserved_and_inaccessible_memory_counts_what_is_there(void **state)
{
	struct vmm_vma noreserve = mapping("rw-p", VMM_BACKING_ANON, KNOWN | VMM_VF(nr));
	struct vmm_vma none = mapping("---p", VMM_BACKING_ANON, KNOWN);
	struct vmm_vma charged_none = mapping("---p", VMM_BACKING_ANON, KNOWN | VMM_VF(ac));

	set(&noreserve, 8 * K, 8 * K, 4 * K, 0);
	check(noreserve, 0, true, 12 * K, 12 * K, 0);
	set(&none, 0, 0, 0, 0);
	check(none, 0, true, 0, 0, 0);
	set(&charged_none, 4 * K, 4 * K, 0, 0);
	check(charged_none, 0, true, 4 * K, 100 * K, 0);
}

static void files_are_provided_whole(void **state)
{
	struct vmm_vma text = mapping("r-xp", VMM_BACKING_FILE, KNOWN);
	struct vmm_vma data = mapping("rw-p", VMM_BACKING_FILE, KNOWN | VMM_VF(ac));
	struct vmm_vma shared = mapping("rw-s", VMM_BACKING_FILE, KNOWN | VMM_VF(sh));

	set(&text, 40 * K, 4 * K, 0, 0); /* one page was modified by a debugger */
	check(text, 0, true, 100 * K, 4 * K, 36 * K);
	set(&data, 40 * K, 40 * K, 8 * K, 0);
	check(data, 0, true, 100 * K, 100 * K, 0);
	set(&shared, 40 * K, 0, 0, 0);
	check(shared, 0, true, 100 * K, 0, 40 * K);
}

static void shared_memory_is_private_to_nobody(void **state)
{
	struct vmm_vma shmem = mapping("rw-s", VMM_BACKING_SHMEM, KNOWN | VMM_VF(sh));
	struct vmm_vma unreserved = mapping("rw-s", VMM_BACKING_SHMEM, KNOWN | VMM_VF(sh) | VMM_VF(nr));

	set(&shmem, 20 * K, 0, 8 * K, 0);
	check(shmem, 0, true, 100 * K, 0, 20 * K);
	set(&unreserved, 20 * K, 0, 8 * K, 0);
	check(unreserved, 0, true, 28 * K, 0, 20 * K);
}

static void hugetlb_pages_count_where_they_are_mapped(void **state)
{
	struct vmm_vma private = mapping("rw-p", VMM_BACKING_HUGETLB, KNOWN | VMM_VF(ht));
	struct vmm_vma shared = mapping("rw-s", VMM_BACKING_HUGETLB, KNOWN | VMM_VF(ht) | VMM_VF(sh));

	set(&private, 50 * K, 0, 0, 50 * K);
	check(private, 0, true, 100 * K, 50 * K, 0);
	set(&shared, 50 * K, 0, 0, 50 * K);
	check(shared, 0, true, 100 * K, 0, 50 * K);
}

static void without_flags_the_charge_is_unknown(void **state)
{
	struct vmm_vma anon = mapping("rw-p", VMM_BACKING_ANON, 0);
	struct vmm_vma file = mapping("r--p", VMM_BACKING_FILE, 0);
	struct vmm_vma bare = mapping("rw-p", VMM_BACKING_ANON, KNOWN | VMM_VF(nr));

	set(&anon, 8 * K, 8 * K, 0, 0);
	check(anon, 0, true, UNKNOWN, UNKNOWN, 0);
	set(&file, 8 * K, 0, 0, 0);
	check(file, 0, true, 100 * K, UNKNOWN, 8 * K);
	check(bare, 0, true, UNKNOWN, UNKNOWN, 0); /* no counters at all */
}

static void sums_keep_what_is_known_apart(void **state)
{
	struct vmm_metrics sum, part = {0};

	vmm_metrics_zero(&sum);
	vmm_metric_set(&part, VMM_METRIC_SIZE, 5);
	vmm_metrics_add(&sum, &part);
	expect(&sum, VMM_METRIC_SIZE, 5);
	expect(&sum, VMM_METRIC_PSS, UNKNOWN);
	assert_false(sum.at_least >> VMM_METRIC_PSS & 1); /* nothing is known of it, not even a bound */
	vmm_metric_set(&part, VMM_METRIC_PSS, 7);
	vmm_metrics_add(&sum, &part);
	expect(&sum, VMM_METRIC_SIZE, 10);
	expect(&sum, VMM_METRIC_PSS, UNKNOWN);
	assert_true(sum.at_least >> VMM_METRIC_PSS & 1);
	assert_int_equal(sum.value[VMM_METRIC_PSS], 7);
	part.value[VMM_METRIC_SIZE] = UINT64_MAX;
	vmm_metrics_add(&sum, &part);
	assert_true(vmm_metric_known(&sum, VMM_METRIC_SIZE));
	assert_int_equal(sum.value[VMM_METRIC_SIZE], UINT64_MAX); /* saturates */
}

/* Four pages: present private, present file exclusive, absent, swapped. Parts cut inside pages. */
static void pages_are_split_by_bytes(void **state)
{
	struct fake_target t = {0};
	struct vmm_vma *v = fake_map(&t, 0x10000, 0x14000, "rw-p", 0, "/lib/x.so", -1);
	struct vmm_snapshot *s;
	struct vmm_metrics m[3];
	struct vmm_part parts[] = {{0x10000, 0x10100, &m[0]}, {0x10100, 0x11800, &m[1]}, {0x11800, 0x14000, &m[2]}};

	t.memory[0] = (struct fake_memory){0x10000, 0x11000, NULL, VMM_PAGE_PRESENT | VMM_PAGE_EXCLUSIVE};
	t.memory[1] = (struct fake_memory){0x11000, 0x12000, NULL, VMM_PAGE_PRESENT | VMM_PAGE_FILE};
	t.memory[2] = (struct fake_memory){0x13000, 0x14000, NULL, VMM_PAGE_SWAPPED};
	t.memory_count = 3;
	v->vm_flags = KNOWN | VMM_VF(ac);
	v->guards_known = true;
	set(v, 0x2000, 0x1000, 0x1000, 0);
	vmm_metric_set(&v->m, VMM_METRIC_SIZE, 0x4000);
	vmm_metric_set(&v->m, VMM_METRIC_USS, 0x1000);
	vmm_metric_set(&v->m, VMM_METRIC_SHARED, 0x1000);
	vmm_metric_set(&v->m, VMM_METRIC_PSS, 0x1400);
	vmm_metric_set(&v->m, VMM_METRIC_REFERENCED, 0x2000); /* every resident byte */
	vmm_metric_set(&v->m, VMM_METRIC_LOCKED, 0);
	s = fake_snapshot(&t, "");
	assert_non_null(s);
	s->needs = VMM_NEED_DEFAULT;
	s->target.user_end = 0x7ffffffff000;
	assert_int_equal(vmm_numbers_share(&t.base, s, NULL, v, parts, 3, NULL), 0);
	expect(&m[0], VMM_METRIC_RSS, 0x100);
	expect(&m[1], VMM_METRIC_RSS, 0xf00 + 0x800);
	expect(&m[2], VMM_METRIC_RSS, 0x800);
	expect(&m[1], VMM_METRIC_ANONYMOUS, 0xf00);
	expect(&m[1], VMM_METRIC_USS, 0xf00);
	expect(&m[1], VMM_METRIC_SHARED, 0x800);
	expect(&m[1], VMM_METRIC_SHAREABLE, 0x800);
	expect(&m[2], VMM_METRIC_SWAP, 0x1000);
	expect(&m[0], VMM_METRIC_SWAP, 0);
	expect(&m[1], VMM_METRIC_PRIVATE, 0x1700);
	expect(&m[1], VMM_METRIC_REFERENCED, 0x1700);
	expect(&m[1], VMM_METRIC_LOCKED, 0);
	expect(&m[1], VMM_METRIC_PSS, UNKNOWN); /* no page says who shares it */
	vmm_snapshot_destroy(s);
}

static void a_torn_page_map_proves_nothing(void **state)
{
	struct fake_target t = {0};
	struct vmm_vma *v = fake_map(&t, 0x10000, 0x12000, "r--p", 0, "/lib/x.so", -1);
	struct vmm_metrics m[2];
	struct vmm_part parts[] = {{0x10000, 0x10800, &m[0]}, {0x10800, 0x12000, &m[1]}};
	struct vmm_snapshot *s;

	t.memory[0] = (struct fake_memory){0x10000, 0x11000, NULL, VMM_PAGE_PRESENT | VMM_PAGE_FILE};
	t.memory_count = 1;
	v->vm_flags = KNOWN;
	v->guards_known = true;
	set(v, 0x2000, 0, 0, 0); /* smaps saw two pages, the page map one */
	s = fake_snapshot(&t, "");
	assert_non_null(s);
	s->needs = VMM_NEED_DEFAULT;
	s->target.user_end = 0x7ffffffff000;
	assert_int_equal(vmm_numbers_share(&t.base, s, NULL, v, parts, 2, NULL), 0);
	expect(&m[0], VMM_METRIC_RSS, UNKNOWN);
	expect(&m[0], VMM_METRIC_SWAP, 0);
	expect(&m[0], VMM_METRIC_SIZE, 0x800);
	assert_int_equal(s->note_count, 1);
	assert_string_equal(s->notes[0].code, "torn");
	vmm_snapshot_destroy(s);
}

/* A target that runs: what its smaps says when it is asked again, time after time, and how its page map follows. */
struct running {
	struct fake_target fake;
	const uint64_t *rss; /* of the mapping; 0: it is another one */
	unsigned asked, pages_come;
};

static int measure(struct vmm_target *base, struct vmm_vma *v, struct vmm_err *err)
{
	struct running *r = (struct running *)base;
	uint64_t rss = r->rss[r->asked++];

	if (!rss)
		return VMM_E_NO_TARGET;
	memset(&v->m, 0, sizeof(v->m));
	vmm_metric_set(&v->m, VMM_METRIC_SIZE, v->end - v->start);
	set(v, rss, rss, 0, 0);
	if (r->asked <= r->pages_come)
		r->fake.memory[0].end += 0x1000;
	return 0;
}

static void what_moved_is_read_again(void **state)
{
	static const struct vmm_source_ops ops = {
	    .id = "fake", .read = fake_read, .pages = fake_pages, .open_file = fake_open_file, .measure = measure};
	static const struct {
		const char *what;
		uint64_t rss[5]; /* of smaps: as the snapshot has it, then each time it is asked */
		unsigned pages_come;
		bool stopped;
		unsigned asked;
		bool proved;
		uint64_t parts[2]; /* resident bytes, when proved */
	} cases[] = {
	    {"nothing moved", {0x1000}, 0, false, 0, true, {0x800, 0x800}},
	    {"a page came before the page map was read", {0x3000, 0x1000}, 0, false, 1, true, {0x800, 0x800}},
	    {"another came meanwhile", {0x3000, 0x4000, 0x3000}, 2, false, 2, true, {0x800, 0x2800}},
	    {"they always count differently", {0x3000, 0x3000}, 0, false, 1, false, {0, 0}},
	    {"it is another mapping by now", {0x3000, 0}, 0, false, 1, false, {0, 0}},
	    {"it never keeps still", {0x3000, 0x4000, 0x5000, 0x6000}, 0, false, 3, false, {0, 0}},
	    {"it is stopped: nothing can move", {0x3000, 0x1000}, 0, true, 0, false, {0, 0}},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct running t = {.fake = {.base = {.stopped = cases[i].stopped}}, .rss = cases[i].rss + 1, .pages_come = cases[i].pages_come};
		struct vmm_vma *v = fake_map(&t.fake, 0x10000, 0x18000, "rw-p", 0, "", -1);
		struct vmm_metrics m[2];
		struct vmm_part parts[] = {{0x10000, 0x10800, &m[0]}, {0x10800, 0x18000, &m[1]}};
		struct vmm_snapshot *s;

		t.fake.memory[0] = (struct fake_memory){0x10000, 0x11000, NULL, VMM_PAGE_PRESENT};
		t.fake.memory_count = 1;
		v->vm_flags = KNOWN | VMM_VF(ac);
		v->guards_known = true;
		set(v, cases[i].rss[0], cases[i].rss[0], 0, 0);
		s = fake_snapshot(&t.fake, "");
		assert_non_null(s);
		t.fake.base.ops = &ops;
		s->needs = VMM_NEED_DEFAULT;
		s->target.user_end = 0x7ffffffff000;
		assert_int_equal(vmm_numbers_share(&t.fake.base, s, NULL, v, parts, 2, NULL), 0);
		if (t.asked != cases[i].asked)
			fail_msg("%s: asked %u times", cases[i].what, t.asked);
		for (size_t k = 0; k < 2; k++)
			expect(&m[k], VMM_METRIC_RSS, cases[i].proved ? cases[i].parts[k] : UNKNOWN);
		/* Derived numbers are those of what was read last. */
		expect(&v->m, VMM_METRIC_RSS, cases[i].asked && cases[i].rss[cases[i].asked] ? cases[i].rss[cases[i].asked] : cases[i].rss[0]);
		assert_int_equal(s->note_count, cases[i].proved ? 0 : 1);
		vmm_snapshot_destroy(s);
	}
}

/* Two regions of one mapping whose page map was torn, and a mapping that is a region. */
static void sums_are_known_where_parts_are_not(void **state)
{
	struct fake_target t = {0};
	struct vmm_metrics torn[2] = {0};
	struct vmm_region regions[] = {{.start = 0x10000, .end = 0x12000, .kind = VMM_KIND_HEAP, .m = &torn[0]},
	                               {.start = 0x12000, .end = 0x18000, .kind = VMM_KIND_PRIVATE_DATA, .m = &torn[1]},
	                               {.start = 0x20000, .end = 0x28000, .kind = VMM_KIND_STACK}};
	struct vmm_snapshot *s;

	fake_map(&t, 0x10000, 0x18000, "rw-p", 0, "", -1);
	fake_map(&t, 0x20000, 0x28000, "rw-p", 0, "", -1);
	for (uint32_t i = 0; i < 2; i++) {
		vmm_metrics_zero(&t.vmas[i].m);
		set(&t.vmas[i], 0x3000 + i * 0x1000, 0x3000, 0, 0);
	}
	s = fake_snapshot(&t, "");
	assert_non_null(s);
	s->target.user_end = 0x7ffffffff000;
	regions[2].m = &s->vmas[1].m;
	s->regions = regions;
	s->region_count = 3;
	vmm_totals(s);
	expect(&s->types[VMM_KIND_HEAP].m, VMM_METRIC_RSS, UNKNOWN);
	expect(&s->types[VMM_KIND_STACK].m, VMM_METRIC_RSS, 0x4000);
	expect(&s->total.m, VMM_METRIC_RSS, 0x7000);
	assert_false(s->total.m.at_least >> VMM_METRIC_RSS & 1);
	expect(&s->total.m, VMM_METRIC_PRIVATE, UNKNOWN); /* follows from the parts */
	s->vmas[0].m.known &= ~(UINT32_C(1) << VMM_METRIC_RSS);
	vmm_totals(s);
	expect(&s->total.m, VMM_METRIC_RSS, UNKNOWN);
	vmm_snapshot_destroy(s);
}

TEST_MAIN(cmocka_unit_test(charged_anonymous_memory), cmocka_unit_test(unreserved_and_inaccessible_memory_counts_what_is_there),
          cmocka_unit_test(files_are_provided_whole), cmocka_unit_test(shared_memory_is_private_to_nobody),
          cmocka_unit_test(hugetlb_pages_count_where_they_are_mapped), cmocka_unit_test(without_flags_the_charge_is_unknown),
          cmocka_unit_test(sums_keep_what_is_known_apart), cmocka_unit_test(pages_are_split_by_bytes),
          cmocka_unit_test(a_torn_page_map_proves_nothing),
          cmocka_unit_test(what_moved_is_read_again), cmocka_unit_test(sums_are_known_where_parts_are_not))
