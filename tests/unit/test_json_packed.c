/* Rows as columns, held against what was put in, worked out by hand; and memory that runs out. */
#include "session_sample.h"

#include "base/out.h"

/* The document of a snapshot as columns; NULL when memory was out. */
static char *document_of(const struct vmm_snapshot *s, bool raw, const char *columns)
{
	struct vmm_out *out = vmm_out_create_memory();
	struct vmm_query q;
	struct vmm_rows rows;
	char *text;

	if (!out)
		return NULL;
	if (vmm_query_init(&q, raw ? "regions" : "tree", columns, NULL, NULL, NULL, NULL) < 0) {
		free(vmm_out_take(out, NULL));
		return NULL;
	}
	q.raw = raw;
	if (vmm_rows_build(&rows, &q, s, NULL) == 0) {
		vmm_emit_json_columns(out, &q, &rows, s);
		vmm_rows_done(&rows);
	} else {
		out->failed = true;
	}
	vmm_query_done(&q);
	text = vmm_out_take(out, NULL);
	return text;
}

static void assert_says(const char *document, const char *text)
{
	if (!strstr(document, text))
		fail_msg("there is no %s in %.3000s", text, document);
}

/* Every region begins 0x3000 behind the one before, is 0x2000 long, and has one block. */
static void test_columns(void **state)
{
	struct vmm_snapshot *s = session_process(77, 16, 3);
	char *text = document_of(s, false, NULL);

	assert_non_null(text);
	assert_says(text, "\"regions\":{\"rows\":16,\"columns\":{\n\"address\":{\"unit\":4096,\"deltas\":[65536,3,3,3,3,3,3,3,3,3,3,3,3,3,3,3]},\n"
	                  "\"kind\":{\"all\":\"private_data\"},\n\"size\":{\"unit\":4096,\"all\":2}");
	assert_says(text, "\"rss\":{\"unit\":4096,\"all\":0,\"but\":{\"rows\":[3,11],\"values\":[1,1]}}");
	assert_says(text, "\"used\":{\"all\":null}");
	assert_says(text, "\"region\":{\"unit\":1,\"deltas\":[0,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]}");
	assert_says(text, "\"protection\":{\"all\":\"rw-p\"}");
	assert_null(strstr(text, "\"end\":{"));
	free(text);
	vmm_snapshot_destroy(s);
}

/* A hole makes an end of its own; single bytes before the highest page need a whole address; bounds and texts stand apart. */
static void test_odd_rows(void **state)
{
	struct vmm_snapshot *s = session_process(77, 4, 9);
	char *text;

	s->regions[0].end += 0x1000;
	s->blocks[1].start += 1;
	s->regions[3].start = s->blocks[3].start = UINT64_C(0xffffffffff600000);
	s->regions[3].end = s->blocks[3].end = UINT64_C(0xffffffffff602000);
	s->regions[1].path = "</script>\n";
	s->vmas[2].m.known &= ~(UINT32_C(1) << VMM_METRIC_PSS);
	s->vmas[2].m.at_least |= UINT32_C(1) << VMM_METRIC_PSS;
	s->vmas[2].m.value[VMM_METRIC_PSS] = 1000;
	text = document_of(s, false, NULL);
	assert_non_null(text);
	assert_says(text, "\"end\":{\"unit\":4096,\"deltas\":[65539,2,3,4503599627302394]}");
	assert_says(text, "\"address\":{\"unit\":1,\"deltas\":[268435456,12289,12287,0],\"at\":{\"3\":\"0xffffffffff600000\"}}");
	assert_says(text, "\"pss\":{\"all\":0,\"but\":{\"rows\":[2],\"values\":[1000]}}");
	assert_says(text, "\"at_least\":{\"pss\":[2]}");
	assert_says(text, "\"path\":{\"texts\":[\"\",\"</script>\\n\"],\"index\":[0,1,0,0]}");
	free(text);
	vmm_snapshot_destroy(s);
}

static void test_no_rows(void **state)
{
	struct vmm_snapshot *s = session_process(77, 0, 0);
	char *text = document_of(s, false, NULL);

	assert_non_null(text);
	assert_says(text, "\"regions\":{\"rows\":0,\"columns\":{\n\"address\":{\"unit\":1,\"deltas\":[]}");
	assert_says(text, "\"gaps\":{\"rows\":0");
	free(text);
	vmm_snapshot_destroy(s);
}

static void test_no_memory(void **state)
{
	struct vmm_snapshot *s = session_process(77, 300, 1);
	unsigned long failures = 0;
	char *text = NULL;

	for (int raw = 0; raw < 2; raw++) {
		for (unsigned long n = 1; !text; n++) {
			vmm_alloc_fail_after(n);
			text = document_of(s, raw, NULL);
			vmm_alloc_fail_after(0);
			failures += !text;
		}
		assert_says(text, raw ? "\"mappings\":{\"rows\":300" : "\"blocks\":{\"rows\":300");
		free(text);
		text = NULL;
	}
	assert_true(failures > 8);
	vmm_snapshot_destroy(s);
}

TEST_MAIN(cmocka_unit_test(test_columns), cmocka_unit_test(test_odd_rows), cmocka_unit_test(test_no_rows),
          cmocka_unit_test(test_no_memory))
