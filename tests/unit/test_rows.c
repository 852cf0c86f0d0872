#include "view_sample.h"

static struct vmm_query query(const char *view, const char *columns, const char *sort, const char *where, const char *kinds)
{
	struct vmm_query q;
	struct vmm_err err = {0};

	if (vmm_query_init(&q, view, columns, sort, where, kinds, &err) < 0)
		fail_msg("%s", err.text);
	return q;
}

/* The rows of a query as CSV of its columns, lines joined by blanks. */
static void rows_are(const struct vmm_snapshot *s, struct vmm_query q, const char *expected)
{
	char *text = sample_print(s, &q, SAMPLE_CSV, NULL);

	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = p[1] ? ' ' : '\0';
	assert_string_equal(text, expected);
	free(text);
	vmm_query_done(&q);
}

static void test_sorting(void **state)
{
	struct vmm_snapshot *s = sample_create();

	rows_are(s, query(NULL, "address", NULL, NULL, NULL),
	         "address 0x400000 0x10000000 0x20000000 0x30000000 0x30001000 0x7ffe00000000");
	/* Sizes: 16, 132, 1024, 4, 4, 132 KiB; equal ones keep their order in either direction. */
	rows_are(s, query("regions", "address", "size:asc", NULL, NULL),
	         "address 0x30000000 0x30001000 0x400000 0x10000000 0x7ffe00000000 0x20000000");
	rows_are(s, query("regions", "address", "size:desc", NULL, NULL),
	         "address 0x20000000 0x10000000 0x7ffe00000000 0x400000 0x30000000 0x30001000");
	rows_are(s, query("regions", "address", "size", NULL, NULL),
	         "address 0x20000000 0x10000000 0x7ffe00000000 0x400000 0x30000000 0x30001000");
	/* Unknown (here: no pss) stays last, whatever the direction. */
	rows_are(s, query("regions", "address", "pss:asc", NULL, "heap,private_data,stack"),
	         "address 0x10000000 0x7ffe00000000 0x20000000");
	rows_are(s, query("regions", "address", "pss:desc", NULL, "heap,private_data,stack"),
	         "address 0x10000000 0x7ffe00000000 0x20000000");
	rows_are(s, query("regions", "kind", "kind", NULL, NULL), "kind heap image mapped_file mapped_file private_data stack");
	rows_are(s, query("regions", "protection", "protection:desc", NULL, "heap,mapped_file"), "protection rw-p r--s r--s");
	rows_are(s, query("regions", "address", "address:desc", NULL, "image,stack"), "address 0x7ffe00000000 0x400000");
	vmm_snapshot_destroy(s);
}

static void test_filters(void **state)
{
	struct vmm_snapshot *s = sample_create();
	struct vmm_query q = query("regions", "address", "rss", "size<1M", NULL);
	struct vmm_rows rows;

	q.top = 2;
	assert_int_equal(vmm_rows_build(&rows, &q, s, NULL), 0);
	assert_int_equal(rows.count, 2);
	assert_int_equal(rows.matched, 5);
	assert_ptr_equal(rows.rows[0].object, &s->regions[SAMPLE_HEAP]);
	assert_ptr_equal(rows.rows[1].object, &s->regions[SAMPLE_STACK]);
	vmm_rows_done(&rows);
	vmm_query_done(&q);
	rows_are(s, query("regions", "address", NULL, "size>1G", NULL), "address");
	q = query("regions", "address,details", NULL, "deleted", NULL);
	q.raw = true;
	rows_are(s, q, "address,details 0x30000000,\"/tmp/a,\"\"b\"\"\"");
	q = query("regions", "address", NULL, NULL, "image");
	q.raw = true;
	rows_are(s, q, "address 0x400000 0x401000 0x402000");
	vmm_snapshot_destroy(s);
}

static void test_tree(void **state)
{
	struct vmm_snapshot *s = sample_create();

	/* Parents by size, falling; children below theirs, by address. */
	rows_are(s, query("tree", "address,label", "size", NULL, "image,stack"),
	         "depth,address,label 0,0x7ffe00000000, 1,0x7ffe00000000, "
	         "0,0x400000, 1,0x400000,.text 1,0x401000,.rodata 1,0x402000,.data 1,0x403000,.bss");
	vmm_snapshot_destroy(s);
}

static void test_other_views(void **state)
{
	struct vmm_snapshot *s = sample_create();

	rows_are(s, query("types", "kind,regions,blocks", NULL, NULL, NULL),
	         "kind,regions,blocks image,1,4 mapped_file,2,2 heap,1,1 stack,1,1 private_data,1,1 total,0,0 page_table,, free,0,2");
	/* What is no type of memory stays below, and a filtered list has no total. */
	rows_are(s, query("types", "kind", "size", NULL, NULL),
	         "kind private_data heap stack image mapped_file total page_table free");
	rows_are(s, query("types", "kind", "size", "size<1M", NULL), "kind heap stack image mapped_file page_table");
	rows_are(s, query("free", "address,kind,size", NULL, NULL, NULL),
	         "address,kind,size 0x1000,unusable,4190208 0x404000,free,264224768 0x30002000,free,140728093106176");
	rows_are(s, query("free", "address", "size", NULL, "free"), "address 0x30002000 0x404000");
	rows_are(s, query("threads", "thread,rss", NULL, NULL, NULL), "thread,rss 4711,20480 99,");
	rows_are(s, query("images", "path,build_id", NULL, NULL, NULL), "path,build_id /usr/bin/demo,00ff");
	rows_are(s, query("files", "path,regions,size,rss,kind", "rss", NULL, NULL),
	         "path,regions,size,rss,kind /usr/bin/demo,1,16384,12288,image \"/tmp/a,\"\"b\"\"\",2,8192,4096,mapped_file");
	rows_are(s, query("heaps", "heap", NULL, NULL, NULL), "heap");
	sample_heap(s, false);
	rows_are(s, query("heaps", "heap,size,used,proved", NULL, NULL, NULL), "heap,size,used,proved main,135168,,false");
	vmm_snapshot_destroy(s);
}

static void test_many_files(void **state)
{
	struct vmm_snapshot *s = vmm_snapshot_create();
	struct vmm_metrics m;
	struct vmm_query q = query("files", NULL, NULL, NULL, NULL);
	struct vmm_rows rows;

	vmm_metrics_zero(&m);
	m.value[VMM_METRIC_SIZE] = 1;
	s->region_count = 50000;
	s->regions = vmm_arena_array(s->arena, s->region_count, sizeof(*s->regions));
	for (uint32_t i = 0; i < s->region_count; i++)
		s->regions[i] = (struct vmm_region){.path = vmm_arena_printf(s->arena, "/f/%u", i % 25000), .details = "", .m = &m};
	assert_int_equal(vmm_rows_build(&rows, &q, s, NULL), 0);
	assert_int_equal(rows.count, 25000);
	for (size_t i = 0; i < rows.count; i++)
		assert_int_equal(((const struct vmm_file_total *)rows.rows[i].object)->m.value[VMM_METRIC_SIZE], 2);
	vmm_rows_done(&rows);
	vmm_query_done(&q);
	vmm_snapshot_destroy(s);
}

static void test_empty_snapshot(void **state)
{
	struct vmm_snapshot *s = vmm_snapshot_create();
	const struct vmm_table *t;

	for (size_t i = 0; (t = vmm_table_at(i)); i++) {
		struct vmm_query q = query(t->id, NULL, t->columns[0].id, NULL, NULL);
		struct vmm_rows rows;
		/* Others are streamed, or not about one process. */
		bool built = t->row_type != VMM_ROW_PROCESS && t->row_type != VMM_ROW_STRING && t->row_type != VMM_ROW_CHUNK &&
		             t->row_type != VMM_ROW_DIFF;

		assert_int_equal(vmm_rows_build(&rows, &q, s, NULL), built ? 0 : VMM_E_USAGE);
		if (built) {
			assert_int_equal(rows.matched, 0);
			vmm_rows_done(&rows);
		}
		vmm_query_done(&q);
	}
	vmm_snapshot_destroy(s);
}

static void test_processes(void **state)
{
	struct vmm_process p[2] = {{.pid = 10,
	                            .uid = 0,
	                            .name = "small",
	                            .cmdline = "",
	                            .cgroup = "",
	                            .missing = "",
	                            .state = 'S',
	                            .mappings_known = true,
	                            .mappings = 123},
	                           {.pid = 200000, .uid = -1, .name = "big", .cmdline = "", .cgroup = "", .missing = "denied"}};
	struct vmm_process_list list = {.processes = p, .count = 2, .max_map_count_known = true, .max_map_count = 65530};
	struct vmm_query q = query("processes", "pid,user,uid,rss,mappings,map_limit,state,missing", "rss", NULL, NULL);
	struct vmm_style style = {.units = VMM_UNITS_KIB, .heading = true};
	struct vmm_out *out = vmm_out_create_memory();
	struct vmm_rows rows;
	char *text;

	vmm_metric_set(&p[0].m, VMM_METRIC_RSS, 4096);
	vmm_metric_set(&p[1].m, VMM_METRIC_RSS, 2048 * 1024);
	assert_int_equal(vmm_rows_build_processes(&rows, &q, &list, NULL), 0);
	vmm_emit_csv(out, &q, &rows);
	vmm_emit_text(out, &q, &rows, &style);
	text = vmm_out_take(out, NULL);
	assert_string_equal(text, "pid,user,uid,rss,mappings,map_limit,state,missing\n"
	                          "200000,,,2097152,,65530,,denied\n"
	                          "10,root,0,4096,123,65530,S,\n"
	                          "   PID  User  UID  RSS KiB     Mappings  Map limit  State  Missing\n"
	                          "200000  ?       ?    2,048            ?     65,530  ?      denied\n"
	                          "    10  root    0        4  123 / 65530     65,530  S\n");
	free(text);
	vmm_rows_done(&rows);
	vmm_query_done(&q);
}

static void wrong(const char *view, const char *columns, const char *sort, const char *kinds, const char *says)
{
	struct vmm_query q = {.top = 77};
	struct vmm_err err = {0};

	assert_int_equal(vmm_query_init(&q, view, columns, sort, NULL, kinds, &err), VMM_E_USAGE);
	assert_int_equal(q.top, 77);
	if (!strstr(err.text, says) || strchr(err.text, '\n'))
		fail_msg("%s", err.text);
}

static void test_usage_errors(void **state)
{
	wrong("nothing", NULL, NULL, NULL, "unknown view 'nothing': one of types, regions, tree, heaps, threads, images, free, files");
	wrong(NULL, "address,rs", NULL, NULL, "unknown column 'rs': did you mean 'rss'?");
	wrong(NULL, "address,,rss", NULL, NULL, "unknown column ''");
	wrong(NULL, "zzzzzzzzzzzz", NULL, NULL, "unknown column 'zzzzzzzzzzzz' (see vmmap help columns)");
	wrong(NULL, NULL, "comitted:desc", NULL, "did you mean 'committed'?");
	wrong(NULL, NULL, "rss:up", NULL, "unknown direction 'up' in 'rss:up': one of asc, desc");
	wrong(NULL, NULL, NULL, "heap,stak", "unknown kind 'stak': one of image, mapped_file, shareable, heap, managed_heap, stack");
	wrong("processes", "pids", NULL, NULL, "unknown column 'pids'");
}

static void test_query(void **state)
{
	struct vmm_query q = query("regions", " address , size ", "path", "numa~N1", "heap, stack");

	assert_int_equal(q.column_count, 2);
	assert_true(q.columns_chosen);
	assert_false(q.descending);
	assert_int_equal(q.kinds, 1u << VMM_KIND_HEAP | 1u << VMM_KIND_STACK);
	assert_int_equal(vmm_query_needs(&q), VMM_NEED_MAPS | VMM_NEED_NUMA | VMM_NEED_THREADS | VMM_NEED_IMAGES);
	vmm_query_done(&q);
	q = query("tree", NULL, NULL, NULL, NULL);
	assert_true(q.blocks && !q.columns_chosen);
	assert_int_equal(vmm_query_needs(&q), VMM_NEED_DEFAULT);
	vmm_query_done(&q);
	q = query("processes", "pid,rss", "pss", NULL, NULL);
	assert_int_equal(vmm_query_needs(&q), VMM_PROCESS_ROLLUP);
	vmm_query_done(&q);
}

static void test_out_of_memory(void **state)
{
	struct vmm_snapshot *s = sample_create();
	static const char *const views[] = {"types", "tree", "files", "threads"};

	for (size_t v = 0; v < 4; v++) {
		struct vmm_query q = query(views[v], NULL, "protection", "size>0", NULL);
		int rc = VMM_E_NOMEM;
		unsigned long n;

		for (n = 1; n < 100 && rc == VMM_E_NOMEM; n++) {
			struct vmm_rows rows = {.count = 5};

			vmm_alloc_fail_after(n);
			rc = vmm_rows_build(&rows, &q, s, NULL);
			vmm_alloc_fail_after(0);
			if (rc == 0)
				vmm_rows_done(&rows);
			else
				assert_int_equal(rows.count, 5);
		}
		assert_int_equal(rc, 0);
		assert_true(n > 2);
		vmm_query_done(&q);
	}
	vmm_snapshot_destroy(s);
}

TEST_MAIN(cmocka_unit_test(test_sorting), cmocka_unit_test(test_filters), cmocka_unit_test(test_tree),
          cmocka_unit_test(test_other_views), cmocka_unit_test(test_many_files), cmocka_unit_test(test_empty_snapshot),
          cmocka_unit_test(test_processes), cmocka_unit_test(test_usage_errors), cmocka_unit_test(test_query),
          cmocka_unit_test(test_out_of_memory))
