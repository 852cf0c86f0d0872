/* What differs: every state, unknown numbers, sums, heaps, sizes of chunks, threads, --fail-if. Numbers are made up here. */
#include <stdlib.h>

#include "base/arena.h"
#include "diff_sample.h"
#include "view/view.h"

#define STACK_END 0x7ffe00021000
#define PROGRAM(at) {.start = (at), .size = 0x4000, .kind = VMM_KIND_IMAGE, .prot = VMM_PROT_READ, .path = "/bin/demo", .inode = 5, .build_id = "aa", .rss = 0x2000}
#define MAIN_STACK(end, id) {.start = (end) - 0x21000, .size = 0x21000, .kind = VMM_KIND_STACK, .prot = RW, .tid = id, .name = "demo", .rss = 0x1000}
#define PRIVATE(at, bytes, resident) {.start = (at), .size = (bytes), .kind = VMM_KIND_PRIVATE_DATA, .prot = RW, .rss = (resident)}

static const struct diff_row before[] = {
	PROGRAM(0x400000),
	PRIVATE(0x10000000, 0x10000, 0x10000), /* grows down */
	PRIVATE(0x20000000, 0x10000, 0x3000),  /* shrinks */
	PRIVATE(0x30000000, 0x10000, 0x1000),  /* is touched */
	PRIVATE(0x40000000, 0x10000, 0x1000),  /* is protected */
	PRIVATE(0x50000000, 0x13000, 0x2000),  /* moves */
	PRIVATE(0x60000000, 0x15000, 0x2000),  /* goes */
	PRIVATE(0x70000000, 0x8000, 0x4000),   /* becomes a heap */
	MAIN_STACK(STACK_END, 7),
};
static const struct diff_row after[] = {
	PROGRAM(0x400000),
	PRIVATE(0x0fff0000, 0x20000, 0x11000),
	PRIVATE(0x20000000, 0xc000, 0x1000),
	PRIVATE(0x30000000, 0x10000, 0x5000),
	{.start = 0x40000000, .size = 0x10000, .kind = VMM_KIND_PRIVATE_DATA, .prot = VMM_PROT_READ, .rss = 0x1000},
	{.start = 0x70000000, .size = 0x8000, .kind = VMM_KIND_HEAP, .prot = RW, .heap = "glibc.0.1", .rss = 0x4000},
	PRIVATE(0x80000000, 0x13000, 0x2000),
	PRIVATE(0x90000000, 0x1000, 0x1000),
	MAIN_STACK(STACK_END, 7),
};

struct two {
	struct vmm_snapshot *a, *b;
	struct vmm_diff *d;
};

static struct two compare_rows(int32_t pid_a, const struct diff_row *a, size_t an, int32_t pid_b, const struct diff_row *b, size_t bn)
{
	struct two t = {diff_snapshot(pid_a, a, an), diff_snapshot(pid_b, b, bn), NULL};

	assert_int_equal(vmm_diff_create(t.a, t.b, &t.d, NULL), 0);
	return t;
}

static struct two compare(void)
{
	return compare_rows(7, before, ARRAY_LEN(before), 7, after, ARRAY_LEN(after));
}

static void two_done(struct two *t)
{
	vmm_diff_destroy(t->d);
	vmm_snapshot_destroy(t->a);
	vmm_snapshot_destroy(t->b);
}

/* The rows of a query as CSV, lines joined by blanks. */
static void rows_are(const struct vmm_diff *d, const char *table, const char *columns, const char *sort, const char *where, bool all,
                     const char *expected)
{
	struct vmm_out *out = vmm_out_create_memory();
	struct vmm_query q;
	struct vmm_rows rows;
	char *text;

	assert_non_null(out);
	assert_int_equal(vmm_query_init(&q, table, columns, sort, where, NULL, NULL), 0);
	q.unchanged = all;
	assert_int_equal(vmm_rows_build_diff(&rows, &q, d, NULL), 0);
	vmm_emit_csv(out, &q, &rows);
	vmm_rows_done(&rows);
	vmm_query_done(&q);
	text = vmm_out_take(out, NULL);
	assert_non_null(text);
	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = p[1] ? ' ' : '\0';
	assert_string_equal(text, expected);
	free(text);
}

static void test_states(void **state)
{
	struct two t = compare();

	assert_true(t.d->same_process && t.d->same_layout);
	rows_are(t.d, "diff_regions", "changes,was,address,size,rss", "address:asc", NULL, false,
	         "changes,was,address,size,rss "
	         "grown+changed,0x10000000,0xfff0000,65536,4096 "
	         "shrunk+changed,0x20000000,0x20000000,-16384,-8192 "
	         "changed,0x30000000,0x30000000,0,16384 "
	         "protected,0x40000000,0x40000000,0,0 "
	         "gone,0x60000000,0x60000000,-86016,-8192 "
	         "retyped,0x70000000,0x70000000,0,0 "
	         "moved,0x50000000,0x80000000,0,0 "
	         "new,,0x90000000,4096,4096");
	rows_are(t.d, "diff_regions", "state,kind,protection_before,protection", NULL, "state=protected || state=same", true,
	         "state,kind,protection_before,protection protected,private_data,rw-p,r--p same,image,r--p,r--p same,stack,rw-p,rw-p");
	two_done(&t);
}

static void test_sorting(void **state)
{
	struct two t = compare();

	/* Unsorted: the most changed first, whatever the sign; memory weighs more than address space. */
	rows_are(t.d, "diff_regions", "size,rss", NULL, "size!=0 || rss!=0", false,
	         "size,rss 0,16384 -16384,-8192 -86016,-8192 65536,4096 4096,4096");
	rows_are(t.d, "diff_regions", "size", "size", "size!=0", false, "size 65536 4096 -16384 -86016");
	rows_are(t.d, "diff_regions", "size", "size:asc", "size<-1K", false, "size -86016 -16384");
	two_done(&t);
}

/* Worked out by hand: private 64-16-84-32+4 KiB, of which the heap got 32. */
static void test_types_add_up(void **state)
{
	struct two t = compare();

	rows_are(t.d, "diff_types", "kind,size,rss,count", NULL, NULL, false,
	         "kind,size,rss,count heap,32768,16384,1 private_data,-65536,-8192,-1 total,-32768,8192,0");
	assert_true(t.d->accounts[VMM_METRIC_SIZE].adds_up);
	assert_int_equal(t.d->accounts[VMM_METRIC_SIZE].regions, -32768);
	assert_int_equal(t.d->accounts[VMM_METRIC_RSS].types, 8192);
	assert_false(t.d->accounts[VMM_METRIC_USED].known);
	two_done(&t);

	/* A total that is not the sum of the regions is told. */
	t.a = diff_snapshot(7, before, ARRAY_LEN(before));
	t.b = diff_snapshot(7, after, ARRAY_LEN(after));
	t.b->total.m.value[VMM_METRIC_RSS] += 4096;
	assert_int_equal(vmm_diff_create(t.a, t.b, &t.d, NULL), 0);
	assert_true(t.d->accounts[VMM_METRIC_RSS].known);
	assert_false(t.d->accounts[VMM_METRIC_RSS].adds_up);
	assert_int_equal(t.d->accounts[VMM_METRIC_RSS].total - t.d->accounts[VMM_METRIC_RSS].regions, 4096);
	two_done(&t);
}

static void test_unknown(void **state)
{
	struct diff_row unknown[ARRAY_LEN(after)];
	struct vmm_diff_check c;
	struct vmm_expr *e;
	struct two t;

	memcpy(unknown, after, sizeof(after));
	unknown[3].rss_unknown = true;
	t = compare_rows(7, before, ARRAY_LEN(before), 7, unknown, ARRAY_LEN(unknown));
	/* Unknown is no number, and of the sums a bound is left. */
	rows_are(t.d, "diff_regions", "address,size,rss,rss_before,rss_after", NULL, "address=0x30000000", true,
	         "address,size,rss,rss_before,rss_after 0x30000000,0,,4096,");
	rows_are(t.d, "diff_types", "kind,rss", NULL, "kind=private_data", true, "kind,rss private_data,");
	assert_int_equal(vmm_difference_of(t.d->total.before, t.d->total.after, VMM_METRIC_RSS).state, VMM_DIFFERENCE_AT_LEAST);
	assert_int_equal(vmm_difference_of(t.d->total.before, t.d->total.after, VMM_METRIC_RSS).value, 8192 - 0x5000);
	assert_int_equal(vmm_difference_of(t.d->total.after, t.d->total.before, VMM_METRIC_RSS).state, VMM_DIFFERENCE_AT_MOST);
	assert_int_equal(vmm_difference_of(t.d->total.after, t.d->total.after, VMM_METRIC_RSS).state, VMM_DIFFERENCE_UNKNOWN);
	assert_false(t.d->accounts[VMM_METRIC_RSS].known);
	assert_true(t.d->accounts[VMM_METRIC_SIZE].adds_up);
	/* A bound decides what it can. */
	assert_int_equal(vmm_expr_compile(vmm_table_find("diff_regions"), "rss>-13K", &e, NULL), 0);
	vmm_diff_check(t.d, e, &c);
	assert_int_equal(c.truth, 1);
	vmm_expr_destroy(e);
	assert_int_equal(vmm_expr_compile(vmm_table_find("diff_regions"), "rss>+1M", &e, NULL), 0);
	vmm_diff_check(t.d, e, &c);
	assert_int_equal(c.truth, -1);
	vmm_expr_destroy(e);
	two_done(&t);
}

static void test_extremes(void **state)
{
	struct vmm_metrics all = {.known = 1}, none = {.known = 1};

	all.value[0] = UINT64_MAX;
	assert_int_equal(vmm_difference_of(&none, &all, VMM_METRIC_SIZE).state, VMM_DIFFERENCE_UNKNOWN); /* does not fit */
	all.value[0] = INT64_MAX;
	assert_int_equal(vmm_difference_of(&none, &all, VMM_METRIC_SIZE).value, INT64_MAX);
	assert_int_equal(vmm_difference_of(&all, NULL, VMM_METRIC_SIZE).value, -INT64_MAX);
	assert_int_equal(vmm_difference_of(NULL, &all, VMM_METRIC_RSS).state, VMM_DIFFERENCE_UNKNOWN);
}

static struct vmm_heap_contents *contents(struct vmm_snapshot *s, uint32_t heap, uint64_t small, uint64_t large)
{
	struct vmm_heap_contents *c = vmm_arena_alloc(s->arena, sizeof(*c));
	struct vmm_size_class *classes = vmm_arena_array(s->arena, 2, sizeof(*classes));

	assert_true(c && classes);
	classes[0] = (struct vmm_size_class){.size = 24, .used = small, .free = 3};
	classes[1] = (struct vmm_size_class){.size = 1000, .used = large};
	c->classes = classes;
	c->class_count = 2;
	c->classes_complete = true;
	c->used_log2[4] = small;
	c->free_log2[4] = 3;
	c->used_log2[9] = large;
	c->sums.of[VMM_CHUNK_USED].count = small + large;
	c->sums.of[VMM_CHUNK_FREE].count = 3;
	s->heaps[heap].contents = c;
	s->heaps[heap].proved = true;
	vmm_metric_set(&s->heaps[heap].m, VMM_METRIC_USED, small * 24 + large * 1000);
	return c;
}

#define ARENA(at, bytes, id) {.start = (at), .size = (bytes), .kind = VMM_KIND_HEAP, .prot = RW, .heap = id, .rss = 0x1000}

static void test_heaps(void **state)
{
	/* A second arena comes, and the first gets its number. */
	const struct diff_row a[] = {PROGRAM(0x400000), ARENA(0x20000000, 0x8000, "glibc.0.1"), MAIN_STACK(STACK_END, 7)};
	const struct diff_row b[] = {PROGRAM(0x400000), ARENA(0x10000000, 0x4000, "glibc.0.1"), ARENA(0x20000000, 0x9000, "glibc.0.2"),
	                             MAIN_STACK(STACK_END, 7)};
	struct two t = {diff_snapshot(7, a, ARRAY_LEN(a)), diff_snapshot(7, b, ARRAY_LEN(b)), NULL};
	struct vmm_heap_contents *c;

	contents(t.a, 0, 10, 5);
	contents(t.b, 0, 1, 0);
	c = contents(t.b, 1, 4, 7);
	assert_int_equal(vmm_diff_create(t.a, t.b, &t.d, NULL), 0);
	rows_are(t.d, "diff_heaps", "state,heap,size,used,count", "heap", NULL, false,
	         "state,heap,size,used,count new,glibc.0.1,16384,24,1 grown,glibc.0.2,4096,1856,-4");
	rows_are(t.d, "diff_classes", "class,state,used,count,free_count", NULL, NULL, false,
	         "class,state,used,count,free_count 1000,grown,2000,2,0 24,shrunk,-120,-5,3");
	vmm_diff_destroy(t.d);
	/* Where not all sizes are listed powers of two are compared, and bytes are not known. */
	c->classes_complete = false;
	assert_int_equal(vmm_diff_create(t.a, t.b, &t.d, NULL), 0);
	assert_true(t.d->classes_rounded);
	rows_are(t.d, "diff_classes", "class,used,count", "class:asc", NULL, false, "class,used,count 16,,-5 512,,2");
	vmm_diff_destroy(t.d);
	/* And where a heap was not walked nothing is said. */
	t.b->heaps[1].contents = NULL;
	t.b->heaps[1].proved = false;
	assert_int_equal(vmm_diff_create(t.a, t.b, &t.d, NULL), 0);
	assert_false(t.d->classes_known);
	rows_are(t.d, "diff_heaps", "heap,used,count", "heap", NULL, false, "heap,used,count glibc.0.1,24,1 glibc.0.2,,");
	two_done(&t);
}

static void test_threads(void **state)
{
#define THREAD(at, id, title) {.start = (at), .size = 0x9000, .kind = VMM_KIND_STACK, .prot = RW, .tid = id, .name = title}
	const struct diff_row a[] = {PROGRAM(0x400000), THREAD(0x10000000, 9, "w"), THREAD(0x20000000, 8, "x"), MAIN_STACK(STACK_END, 7)};
	const struct diff_row b[] = {PROGRAM(0x400000), THREAD(0x10000000, 9, "w"), THREAD(0x20000000, 10, "x"), MAIN_STACK(STACK_END, 7)};
	const struct diff_row c[] = {PROGRAM(0x700000), THREAD(0x50000000, 99, "x"), THREAD(0x60000000, 98, "w"),
	                             MAIN_STACK(STACK_END + 0x1000, 97)};
	struct two t = compare_rows(7, a, ARRAY_LEN(a), 7, b, ARRAY_LEN(b));
	uint32_t new_ones = 0, gone = 0;

	/* The stack is the same, the thread is another. */
	for (uint32_t i = 0; i < t.d->thread_count; i++) {
		new_ones += t.d->threads[i].what == VMM_CHANGE_NEW && t.b->threads[t.d->threads[i].b].tid == 10;
		gone += t.d->threads[i].what == VMM_CHANGE_GONE && t.a->threads[t.d->threads[i].a].tid == 8;
	}
	assert_int_equal(t.d->thread_count, 4);
	assert_int_equal(new_ones, 1);
	assert_int_equal(gone, 1);
	rows_are(t.d, "diff_regions", "address", NULL, NULL, false, "address");
	two_done(&t);
	t = compare_rows(7, a, ARRAY_LEN(a), 97, c, ARRAY_LEN(c));
	assert_false(t.d->same_process || t.d->same_layout);
	assert_int_equal(t.d->thread_count, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(t.d->threads[i].what, 0);
	two_done(&t);
}

/* Where addresses are not random an exec() leaves the program, the stack and the PID as they were: the file tells. */
static void test_same_process(void **state)
{
	struct diff_row a[] = {PROGRAM(0x400000), MAIN_STACK(STACK_END, 7)}, b[] = {PROGRAM(0x400000), MAIN_STACK(STACK_END, 7)};
	static const struct {
		const char *build_id[2], *path[2];
		bool same;
	} cases[] = {
	    {{"aa", "aa"}, {"/bin/demo", "/bin/demo"}, true},  {{"aa", "bb"}, {"/bin/demo", "/bin/demo"}, false},
	    {{"aa", "aa"}, {"/bin/demo", "/bin/moved"}, true}, {{"", "bb"}, {"/bin/demo", "/bin/demo"}, true},
	    {{"", ""}, {"/bin/demo", "/bin/other"}, false},    {{"", ""}, {"/bin/demo", "demo"}, true},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct two t;

		a[0].build_id = cases[i].build_id[0];
		b[0].build_id = cases[i].build_id[1];
		a[0].path = cases[i].path[0];
		b[0].path = cases[i].path[1];
		t = compare_rows(7, a, ARRAY_LEN(a), 7, b, ARRAY_LEN(b));
		assert_int_equal(t.d->same_process, cases[i].same);
		assert_int_equal(t.d->same_layout, cases[i].same);
		two_done(&t);
	}
}

static char *json_of(const struct vmm_diff *d)
{
	struct vmm_diff_page page = {.diff = d, .names = {"a", "b"}, .rest = true};
	struct vmm_out *out = vmm_out_create_memory();

	assert_non_null(out);
	assert_int_equal(vmm_emit_json_diff(out, &page, NULL), 0);
	return vmm_out_take(out, NULL);
}

/* A sum that a side does not know has no change, one that does not fit neither; one that a side does not tell is not 0 there. */
static void test_identities(void **state)
{
	struct vmm_account was[] = {{"size", "sizes", true, true, 5000, 5000, 0, false, ""},
	                            {"rss", "resident", true, true, 3000, 2996, 4, false, "lag"},
	                            {"swap", "swap", true, false, 7, 0, 0, false, "not told"},
	                            {"heaps", "chunks", true, true, 10, 10, 0, false, ""}};
	struct vmm_account is[] = {{"size", "sizes", true, true, 1000, 1000, 0, false, ""},
	                           {"rss", "resident", true, true, 3100, 3100, 0, false, ""},
	                           {"swap", "swap", true, true, UINT64_MAX, 9, 1, false, ""}};
	struct two t = {diff_snapshot(7, before, ARRAY_LEN(before)), diff_snapshot(7, after, ARRAY_LEN(after)), NULL};
	char *text;

	t.a->accounts = was;
	t.a->account_count = ARRAY_LEN(was);
	t.b->accounts = is;
	t.b->account_count = ARRAY_LEN(is);
	assert_int_equal(vmm_diff_create(t.a, t.b, &t.d, NULL), 0);
	text = json_of(t.d);
	assert_non_null(strstr(text, "{\"id\":\"size\",\"label\":\"sizes\",\"sum\":{\"before\":5000,\"after\":1000,\"change\":-4000},"
	                             "\"kernel\":{\"before\":5000,\"after\":1000,\"change\":-4000},"
	                             "\"remainder\":{\"before\":0,\"after\":0,\"change\":0},"));
	assert_non_null(strstr(text, "\"kernel\":{\"before\":2996,\"after\":3100,\"change\":104},"
	                             "\"remainder\":{\"before\":4,\"after\":0,\"change\":-4},"
	                             "\"explanation_before\":\"lag\",\"explanation\":\"\"}"));
	assert_non_null(strstr(text, "\"sum\":{\"before\":7,\"after\":18446744073709551615,\"change\":null},"
	                             "\"kernel\":{\"before\":null,\"after\":9,\"change\":null},"
	                             "\"remainder\":{\"before\":null,\"after\":1,\"change\":null},"));
	assert_non_null(strstr(text, "{\"id\":\"heaps\",\"label\":\"chunks\",\"sum\":{\"before\":10,\"after\":null,\"change\":null},"
	                             "\"kernel\":{\"before\":10,\"after\":null,\"change\":null},"
	                             "\"remainder\":{\"before\":0,\"after\":null,\"change\":null},"
	                             "\"explanation_before\":\"\",\"explanation\":null}"));
	free(text);
	two_done(&t);
}

/* Only limits that both sides tell and that differ in something that both know. */
static void test_limits(void **state)
{
	struct vmm_limit was[] = {{"as", "space", true, UINT64_MAX, UINT64_MAX, true, 5000, true},
	                          {"nofile", "files", true, 1024, 4096, true, 9, false},
	                          {"stack", "stack", true, 8192, UINT64_MAX, false, 0, true},
	                          {"data", "data", false, 0, 0, true, 50, true},
	                          {"core", "core", true, 0, 0, false, 0, true}};
	struct vmm_limit is[] = {{"as", "space", true, UINT64_MAX, UINT64_MAX, true, 4000, true},
	                         {"nofile", "files", true, 2048, 4096, false, 0, false},
	                         {"stack", "stack", true, 8192, UINT64_MAX, true, 9, true},
	                         {"data", "data", true, 7, 7, true, 50, true},
	                         {"other", "other", true, 1, 1, true, 1, false}};
	struct two t = {diff_snapshot(7, before, ARRAY_LEN(before)), diff_snapshot(7, after, ARRAY_LEN(after)), NULL};
	char *text;

	t.a->limits = was;
	t.a->limit_count = ARRAY_LEN(was);
	t.b->limits = is;
	t.b->limit_count = ARRAY_LEN(is);
	assert_int_equal(vmm_diff_create(t.a, t.b, &t.d, NULL), 0);
	assert_int_equal(t.d->limit_count, 2);
	text = json_of(t.d);
	assert_non_null(strstr(text, "{\"id\":\"as\",\"text\":\"space\",\"used\":{\"before\":5000,\"after\":4000,\"change\":-1000},"
	                             "\"soft\":{\"before\":\"unlimited\",\"after\":\"unlimited\"},"));
	assert_non_null(strstr(text, "{\"id\":\"nofile\",\"text\":\"files\",\"used\":{\"before\":9,\"after\":null,\"change\":null},"
	                             "\"soft\":{\"before\":1024,\"after\":2048},\"hard\":{\"before\":4096,\"after\":4096},\"unit\":\"count\"}"));
	free(text);
	two_done(&t);
}

static void test_time(void **state)
{
	struct two t = compare();

	assert_false(t.d->elapsed_known);
	vmm_diff_destroy(t.d);
	t.a->taken_at = (struct timespec){100, 900000000};
	t.b->taken_at = (struct timespec){98, 100000000};
	assert_int_equal(vmm_diff_create(t.a, t.b, &t.d, NULL), 0);
	assert_true(t.d->elapsed_known);
	assert_int_equal(t.d->elapsed_ns, -2800000000);
	vmm_diff_destroy(t.d);
	t.a->taken_at.tv_sec = INT64_MIN;
	assert_int_equal(vmm_diff_create(t.a, t.b, &t.d, NULL), 0);
	assert_false(t.d->elapsed_known);
	two_done(&t);
}

static void check_is(const struct vmm_diff *d, const char *expression, int truth, uint64_t count, const char *values)
{
	struct vmm_diff_check c;
	struct vmm_expr *e;
	struct vmm_err err;

	if (vmm_expr_compile(vmm_table_find("diff_regions"), expression, &e, &err) < 0)
		fail_msg("%s: %s", expression, err.text);
	vmm_diff_check(d, e, &c);
	if (c.truth != truth || c.count != count || strcmp(c.values, values) != 0)
		fail_msg("%s: truth %d, %d rows, %s", expression, c.truth, (int)c.count, c.values);
	vmm_expr_destroy(e);
}

static void test_fail_if(void **state)
{
	struct two t = compare();

	/* By hand: rss 0x20000 = 131072 before and 8192 more, which is 6.25 %; of private data 118784 and 8192 less, 6.9 %. */
	check_is(t.d, "rss>+8191", 1, 1, "rss +8192");
	check_is(t.d, "rss>8K", 0, 0, "");
	check_is(t.d, "size<-31K", 1, 1, "size -32768");
	check_is(t.d, "rss_before=131072 && rss>+6%", 1, 1, "rss_before 131072, rss +8192");
	check_is(t.d, "rss>6.25%", 0, 0, "");
	check_is(t.d, "rss>=6.25%", 1, 1, "rss +8192");
	check_is(t.d, "private_data.rss<-6.8%", 1, 1, "private_data.rss -8192");
	check_is(t.d, "private_data.rss<-7%", 0, 0, "");
	check_is(t.d, "heap.size>+1000%", 1, 1, "heap.size +32768"); /* from nothing: any growth is more than each share */
	check_is(t.d, "kind=heap && size>0", 1, 1, "size +32768");
	check_is(t.d, "kind=heap && size>1M", 0, 0, "");
	check_is(t.d, "state=new || state=gone", 1, 2, "");
	check_is(t.d, "used>0", -1, 0, "");
	check_is(t.d, "count=0", 1, 1, "count +0");
	two_done(&t);
}

static void test_expression_mistakes(void **state)
{
	static const char *const wrong[] = {"rss>5%%", "5%<rss", "rss+size>5%", "address>5%", "heap.state=new", "heap.address>1", "heap.>1",
	                                    "nothing.rss>1", "rss_before>5%", "rss>5.%5", "rss>99999999999%", "-", "+-1>rss", "rss>--1"};
	struct vmm_expr *e = NULL;
	struct vmm_err err;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		if (vmm_expr_compile(vmm_table_find("diff_regions"), wrong[i], &e, &err) == 0)
			fail_msg("%s compiles", wrong[i]);
		assert_int_equal(err.code, VMM_E_EXPRESSION);
		assert_true(err.column >= 1 && err.column <= strlen(wrong[i]) + 1);
	}
	/* What belongs to diffs is no word of other tables. */
	assert_int_equal(vmm_expr_compile(vmm_table_find("regions"), "heap.rss>1", &e, NULL), VMM_E_EXPRESSION);
	assert_int_equal(vmm_expr_compile(vmm_table_find("regions"), "rss>5%", &e, NULL), VMM_E_EXPRESSION);
	assert_null(e);
}

static void test_no_memory(void **state)
{
	struct two t = {diff_snapshot(7, before, ARRAY_LEN(before)), diff_snapshot(7, after, ARRAY_LEN(after)), NULL};
	int code = -1;
	unsigned long n;

	for (n = 1; n < 500 && code < 0; n++) {
		vmm_alloc_fail_after(n);
		code = vmm_diff_create(t.a, t.b, &t.d, NULL);
		vmm_alloc_fail_after(0);
		if (code < 0) {
			assert_int_equal(code, VMM_E_NOMEM);
			assert_null(t.d);
		}
	}
	assert_int_equal(code, 0);
	assert_true(n > 5);
	two_done(&t);
}

/* The document: valid by the schema is what the live tests check; here that hostile names cannot break out of it. */
static void test_json(void **state)
{
	struct two t = compare();
	struct vmm_query types, regions;
	struct vmm_diff_page page = {.diff = t.d, .names = {"a\"b", "c\n"}, .types = &types, .regions = &regions, .rest = true};
	struct vmm_out *out = vmm_out_create_memory();
	char *text;

	t.a->target.name = "x\"\033";
	assert_int_equal(vmm_query_init(&types, "diff_types", NULL, NULL, NULL, NULL, NULL), 0);
	assert_int_equal(vmm_query_init(&regions, "diff_regions", NULL, NULL, NULL, NULL, NULL), 0);
	assert_int_equal(vmm_emit_json_diff(out, &page, NULL), 0);
	text = vmm_out_take(out, NULL);
	assert_non_null(text);
	assert_non_null(strstr(text, "\"before\":{\"name\":\"a\\\"b\""));
	assert_non_null(strstr(text, "\"same_process\":true"));
	assert_non_null(strstr(text, "\"elapsed_ns\":null"));
	assert_null(strchr(text, '\033'));
	assert_null(strstr(text, "\"heaps\""));
	free(text);
	vmm_query_done(&types);
	vmm_query_done(&regions);
	two_done(&t);
}

TEST_MAIN(cmocka_unit_test(test_states), cmocka_unit_test(test_sorting), cmocka_unit_test(test_types_add_up),
          cmocka_unit_test(test_unknown), cmocka_unit_test(test_extremes), cmocka_unit_test(test_heaps), cmocka_unit_test(test_threads),
          cmocka_unit_test(test_same_process), cmocka_unit_test(test_identities), cmocka_unit_test(test_limits), cmocka_unit_test(test_time), cmocka_unit_test(test_fail_if), cmocka_unit_test(test_expression_mistakes),
          cmocka_unit_test(test_no_memory), cmocka_unit_test(test_json))
