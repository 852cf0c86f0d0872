#include "view_sample.h"

static struct vmm_chunk chunks[] = {
    {0x10000000, 0x20, 0x10000010, 0x10, VMM_CHUNK_USED},
    {0x10000020, 0x40, 0x10000020, 0x40, VMM_CHUNK_FREE},
    {0x10000060, UINT64_MAX / 2, 0x10000070, UINT64_MAX / 2 - 16, VMM_CHUNK_USED},
    {0, 1, 0, 1, VMM_CHUNK_META},
    {UINT64_MAX, 0, UINT64_MAX, 0, VMM_CHUNK_RESERVED},
};
#define CHUNKS (sizeof(chunks) / sizeof(chunks[0]))

/* What a stream of all chunks prints, three batches of them: two heaps, two regions. free() it. */
static char *stream(const char *columns, const char *where, uint64_t top, enum vmm_stream_format format, const char *id)
{
	struct vmm_snapshot *s = sample_create();
	struct vmm_heap heaps[] = {{.id = id, .label = "one"}, {.id = "other", .label = "two"}};
	struct vmm_chunk_batch batches[] = {{&heaps[0], 0x10000000, 0x10021000, chunks, CHUNKS},
	                                    {&heaps[1], 0x10000000, 0x10021000, chunks, 1},
	                                    {&heaps[1], 0x20000000, 0x20100000, chunks, 1}};
	struct vmm_style style = {.heading = true, .units = VMM_UNITS_BYTES};
	struct vmm_out *out = vmm_out_create_memory();
	struct vmm_stream *st;
	struct vmm_query q;
	bool more = true;

	assert_int_equal(vmm_query_init(&q, "chunks", columns, NULL, where, NULL, NULL), 0);
	q.top = top;
	st = vmm_stream_create(out, &q, format, &style);
	assert_non_null(st);
	for (size_t b = 0; b < 3; b++)
		for (size_t i = 0; i < batches[b].count && more; i++) {
			struct vmm_chunk_row object = {&batches[b], &batches[b].chunks[i]};
			struct vmm_row row = {.snapshot = s, .object = &object, .type = VMM_ROW_CHUNK};

			more = vmm_stream_row(st, &row);
		}
	assert_int_equal(more, top == 0 || vmm_stream_count(st) < top);
	vmm_stream_destroy(st);
	vmm_query_done(&q);
	vmm_snapshot_destroy(s);
	return vmm_out_take(out, NULL);
}

#define CHECK(call, expected)                        \
	do {                                         \
		char *text_ = call;                  \
		assert_string_equal(text_, expected); \
		free(text_);                         \
	} while (0)

static void test_formats(void **state)
{
	CHECK(stream(NULL, "size=16", 0, VMM_STREAM_NDJSON, "glibc.0.0"),
	      "{\"address\":\"0x10000010\",\"size\":16,\"start\":\"0x10000000\",\"stretch\":32,\"state\":\"used\",\"heap\":\"glibc.0.0\","
	      "\"region\":\"0x10000000\"}\n"
	      "{\"address\":\"0x10000010\",\"size\":16,\"start\":\"0x10000000\",\"stretch\":32,\"state\":\"used\",\"heap\":\"other\","
	      "\"region\":\"0x10000000\"}\n"
	      "{\"address\":\"0x10000010\",\"size\":16,\"start\":\"0x10000000\",\"stretch\":32,\"state\":\"used\",\"heap\":\"other\","
	      "\"region\":\"0x20000000\"}\n");
	CHECK(stream(NULL, NULL, 2, VMM_STREAM_CSV, "a,b"),
	      "address,size,start,stretch,state,heap,region\n0x10000010,16,0x10000000,32,used,\"a,b\",0x10000000\n"
	      "0x10000020,64,0x10000020,64,free,\"a,b\",0x10000000\n");
	CHECK(stream("address,size,state", "state!=used", 0, VMM_STREAM_CSV, "x"),
	      "address,size,state\n0x10000020,64,free\n0x0,1,meta\n0xffffffffffffffff,0,reserved\n");
	CHECK(stream("address,size,state,label", "size<100 && state=used", 0, VMM_STREAM_TEXT, "x"),
	      "Address         Size B  State     Label\n000010000010        16  used      one\n"
	      "000010000010        16  used      two\n000010000010        16  used      two\n");
}

/* The quick way for the columns by default writes what the general one does, whatever the heap is called. */
static void test_quick_is_general(void **state)
{
	static const char all[] = "address,size,start,stretch,state,heap,region";
	static char longest[600];
	const char *const ids[] = {"glibc.0.0", "a\"b\\c\n\033[31m\xff", "", "with, comma", longest};

	memset(longest, 'x', sizeof(longest) - 1); /* does not fit the quick way's room */
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		for (int f = VMM_STREAM_CSV; f <= VMM_STREAM_NDJSON; f++) {
			char *quick = stream(NULL, NULL, 0, (enum vmm_stream_format)f, ids[i]);
			char *general = stream(all, NULL, 0, (enum vmm_stream_format)f, ids[i]);

			assert_string_equal(quick, general);
			free(quick);
			free(general);
		}
}

/* Rows of heaps: what is not proved is unknown, what cannot be asked is absent, a sum with unknown parts a lower bound. */
static void test_heap_values(void **state)
{
	struct vmm_heap_contents c = {.sums = {{[VMM_CHUNK_USED] = {2, 100, 90}, [VMM_CHUNK_FREE] = {1, 30, 20}, [VMM_CHUNK_CACHED] = {3, 5, 5},
	                                        [VMM_CHUNK_TOP] = {1, 7, 6}, [VMM_CHUNK_META] = {0, 8, 8}, [VMM_CHUNK_RESERVED] = {0, 9, 0}}},
	                              .resident_known = true, .largest_free = 30, .trim_known = true, .trimmable = 20};
	struct vmm_heap heaps[] = {{.id = "a", .label = "A", .proved = true, .contents = &c, .thread_count = 2}, {.id = "b", .label = "B"},
	                           {.id = "c", .label = "C", .contents = &c}};
	static const char columns[] = "used_count,free,free_count,top,overhead,reserved,largest_free,trimmable,threads";
	struct vmm_snapshot *s = sample_create();
	struct vmm_query q;

	s->heaps = heaps;
	s->heap_count = 3;
	s->regions[SAMPLE_HEAP].heap = 0;
	s->regions[SAMPLE_HEAP].chunks = &c.sums;
	s->regions[SAMPLE_PRIVATE].heap = 1;
	assert_int_equal(vmm_query_init(&q, "heaps", columns, NULL, NULL, NULL, NULL), 0);
	CHECK(sample_print(s, &q, SAMPLE_CSV, NULL), "used_count,free,free_count,top,overhead,reserved,largest_free,trimmable,threads\n"
	                                            "2,35,4,7,8,9,30,20,2\n,,,,,,,,0\n,,,,,,,,0\n");
	CHECK(sample_print(s, &q, SAMPLE_TEXT, &(struct vmm_style){.units = VMM_UNITS_BYTES}),
	      " 2   35   4   7   8   9   30   20  2\n ?    ?   ?   ?   ?   ?    ?    ?  -\n≥2  ≥35  ≥4  ≥7  ≥8  ≥9  ≥30  ≥20  -\n");
	c.trim_known = false;
	s->heap_count = 1;
	CHECK(sample_print(s, &q, SAMPLE_NDJSON, NULL),
	      "{\"used_count\":2,\"free\":35,\"free_count\":4,\"top\":7,\"overhead\":8,\"reserved\":9,\"largest_free\":30,"
	      "\"trimmable\":null,\"threads\":2}\n");
	vmm_query_done(&q);
	/* Regions of heaps have the same from their own chunks; others have none of it. */
	s->heap_count = 3;
	assert_int_equal(vmm_query_init(&q, "regions", "kind,used_count,free,top,trimmable", NULL, NULL, NULL, NULL), 0);
	CHECK(sample_print(s, &q, SAMPLE_TEXT, &(struct vmm_style){.units = VMM_UNITS_BYTES}),
	      "Image\nHeap          2  35  7\nPrivate Data  ?   ?  ?\nMapped File\nMapped File\nStack\n");
	vmm_query_done(&q);
	vmm_snapshot_destroy(s);
}

/* Below a heap's region in text: what its chunks take, and only what there is. */
static void test_parts(void **state)
{
	struct vmm_heap_contents c = {.sums = {{[VMM_CHUNK_USED] = {1, 100000, 90000}, [VMM_CHUNK_FREE] = {7, 35000, 5000},
	                                        [VMM_CHUNK_META] = {0, 168, 168}}},
	                              .resident_known = true, .trim_known = true, .trimmable = 4096};
	struct vmm_heap heap = {.id = "a", .label = "A", .proved = true, .contents = &c};
	struct vmm_snapshot *s = sample_create();
	struct vmm_query q;

	s->heaps = &heap;
	s->heap_count = 1;
	s->regions[SAMPLE_HEAP].heap = 0;
	s->regions[SAMPLE_HEAP].chunks = &c.sums;
	assert_int_equal(vmm_query_init(&q, "tree", "address,size,rss,blocks,used,details", NULL, NULL, "heap", NULL), 0);
	q.parts = true;
	CHECK(sample_print(s, &q, SAMPLE_TEXT, &(struct vmm_style){.units = VMM_UNITS_BYTES}),
	      "10000000    135,168  36,864  1  ?  [heap]\n"
	      "  10000000  135,168  36,864     ?  [heap]\n"
	      "            100,000  90,000        used: 100,000 bytes in 1 chunk\n"
	      "              5,000   5,000        free, resident: 5,000 bytes in 7 chunks\n"
	      "             30,000       -        free, not resident: 30,000 bytes\n"
	      "                168     168        overhead: 168 bytes\n");
	/* Where nothing is known of residency, free bytes are free bytes. */
	c.resident_known = false;
	CHECK(sample_print(s, &q, SAMPLE_TEXT, &(struct vmm_style){.units = VMM_UNITS_BYTES}),
	      "10000000    135,168  36,864  1  ?  [heap]\n"
	      "  10000000  135,168  36,864     ?  [heap]\n"
	      "            100,000       ?        used: 100,000 bytes in 1 chunk\n"
	      "             35,000       ?        free: 35,000 bytes in 7 chunks\n"
	      "                168       ?        overhead: 168 bytes\n");
	q.parts = false;
	CHECK(sample_print(s, &q, SAMPLE_CSV, NULL),
	      "depth,address,size,rss,blocks,used,details\n0,0x10000000,135168,36864,1,,[heap]\n1,0x10000000,135168,36864,,,[heap]\n");
	vmm_query_done(&q);
	assert_int_equal(vmm_query_init(&q, "heaps", "heap,trimmable", NULL, NULL, NULL, NULL), 0);
	CHECK(sample_print(s, &q, SAMPLE_CSV, NULL), "heap,trimmable\na,\n");
	vmm_query_done(&q);
	vmm_snapshot_destroy(s);
}

TEST_MAIN(cmocka_unit_test(test_formats), cmocka_unit_test(test_quick_is_general), cmocka_unit_test(test_heap_values),
          cmocka_unit_test(test_parts))
