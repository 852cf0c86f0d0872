#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "view/json_write.h"
#include "view_sample.h"

static struct vmm_query query(const char *view, const char *columns)
{
	struct vmm_query q;

	assert_int_equal(vmm_query_init(&q, view, columns, NULL, NULL, NULL, NULL), 0);
	return q;
}

static char *print(const struct vmm_snapshot *s, const char *view, const char *columns, enum sample_format format,
                   const struct vmm_style *style)
{
	struct vmm_query q = query(view, columns);
	char *text = sample_print(s, &q, format, style);

	vmm_query_done(&q);
	return text;
}

#define CHECK(text_expression, expected)               \
	do {                                           \
		char *text_ = text_expression;         \
		assert_string_equal(text_, expected);  \
		free(text_);                           \
	} while (0)

static void test_text(void **state)
{
	struct vmm_snapshot *s = sample_create();
	struct vmm_style style = {.heading = true};

	CHECK(print(s, "regions", "address,kind,size,rss,protection,details", SAMPLE_TEXT, &style),
	      "Address       Type          Size KiB  RSS  Prot     Details\n"
	      "000000400000  Image               16   12  r,rx,rw  /usr/bin/demo PIE\n"
	      "000010000000  Heap               132   36  rw-p     [heap]\n"
	      "000020000000  Private Data     1,024   ≥8  rwxp!\n"
	      "000030000000  Mapped File          4    4  r--s     /tmp/a,\"b\"\n"
	      "000030001000  Mapped File          4    -  r--s     /tmp/a,\"b\"\n"
	      "7ffe00000000  Stack              132   20  rw-p     thread 4711 \\e[31mred\\n\n");
	style.heading = false;
	style.units = VMM_UNITS_BYTES;
	CHECK(print(s, "tree", "address,kind,size,pss,details", SAMPLE_TEXT, &style),
	      "000000400000    Image            16,384  -  /usr/bin/demo PIE\n"
	      "  000000400000                    4,096  -  .text\n"
	      "  000000401000                    4,096  -  .rodata\n"
	      "  000000402000                    4,096  -  .data\n"
	      "  000000403000                    4,096  -  .bss\n"
	      "000010000000    Heap            135,168  -  [heap]\n"
	      "  000010000000                  135,168  -  [heap]\n"
	      "000020000000    Private Data  1,048,576  ?\n"
	      "  000020000000                1,048,576  ?\n"
	      "000030000000    Mapped File       4,096  -  /tmp/a,\"b\"\n"
	      "  000030000000                    4,096  -\n"
	      "000030001000    Mapped File       4,096  -  /tmp/a,\"b\"\n"
	      "  000030001000                    4,096  -\n"
	      "7ffe00000000    Stack           135,168  -  thread 4711 \\e[31mred\\n\n"
	      "  7ffe00000000                  135,168  -  thread 4711 \\e[31mred\\n\n");
	vmm_snapshot_destroy(s);
}

static void test_units(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *kib, *mib, *automatic;
	} samples[] = {
	    {1, "<1", "<0.1", "1B"},
	    {1023, "1", "<0.1", "1,023B"},
	    {1024, "1", "<0.1", "1.0K"},
	    {1536, "2", "<0.1", "1.5K"},
	    {1 << 20, "1,024", "1.0", "1.0M"},
	    {1288490189, "1,258,291", "1,228.8", "1.2G"}, /* 1.2 * 2^30 */
	    {UINT64_C(300) << 30, "314,572,800", "307,200.0", "300G"},
	    {UINT64_MAX, "18,014,398,509,481,984", "17,592,186,044,416.0", "16.0E"},
	};
	struct vmm_snapshot *s = sample_create();

	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		const char *expected[] = {samples[i].kib, NULL, samples[i].mib, samples[i].automatic};
		struct vmm_metrics m = *s->regions[0].m;

		m.value[VMM_METRIC_SWAP] = samples[i].bytes;
		s->regions[0].m = &m;
		s->region_count = 1;
		for (unsigned u = 0; u < 4; u++) {
			struct vmm_style style = {.units = (enum vmm_units)u};
			char *text = print(s, "regions", "swap", SAMPLE_TEXT, &style);

			text[strcspn(text, "\n")] = '\0';
			if (expected[u])
				assert_string_equal(text, expected[u]);
			free(text);
		}
	}
	vmm_snapshot_destroy(s);
}

/* The widest line of a text on a terminal, and whether any ends with a blank. */
static size_t widest(const char *text)
{
	size_t most = 0;

	while (*text) {
		size_t n = strcspn(text, "\n"), width = vmm_text_width(text, n);

		assert_true(n == 0 || text[n - 1] != ' ');
		most = width > most ? width : most;
		text += n + 1;
	}
	return most;
}

static void test_widths(void **state)
{
	struct vmm_snapshot *s = sample_create();
	static const char *const views[] = {"regions", "tree", "types", "threads", "images", "free", "files"};
	char name[400];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	s->regions[SAMPLE_HEAP].details = s->regions[SAMPLE_HEAP].path = name;
	for (size_t v = 0; v < sizeof(views) / sizeof(views[0]); v++)
		for (unsigned width = 80; width <= 200; width++) {
			struct vmm_style style = {.heading = true, .width = width};
			char *text = print(s, views[v], NULL, SAMPLE_TEXT, &style);

			if (widest(text) > width)
				fail_msg("%s at %u columns:\n%s", views[v], width, text);
			free(text);
		}
	/* What the user chose stays, and only the last text is cut. */
	CHECK(print(s, "regions", "size,locked,path", SAMPLE_TEXT, &(struct vmm_style){.width = 20}),
	      "   16  -  /usr/bin/…\n  132  -  xxxxxxxxx…\n1,024  -\n    4  -  /tmp/a,\"b\"\n    4  -  /tmp/a,\"b\"\n  132  -\n");
	/* Swap is not for wide lines, but one without any swap goes first. */
	s->region_count = 1;
	CHECK(print(s, "regions", NULL, SAMPLE_TEXT, &(struct vmm_style){.width = 70, .heading = true}),
	      "Address   Type   Size KiB  RSS  Blocks  Prot     Details\n00400000  Image        16   12       4  r,rx,rw  /usr/bin/demo PIE\n");
	vmm_snapshot_destroy(s);
}

static void test_colour(void **state)
{
	struct vmm_snapshot *s = sample_create();
	struct vmm_style style = {.heading = true, .colour = true, .width = 100};
	char *text = print(s, "regions", "kind,used,protection,details", SAMPLE_TEXT, &style);

	assert_non_null(strstr(text, "\033[38;5;141m█\033[0m Image"));
	assert_non_null(strstr(text, "\033[1mType\033[0m"));
	assert_non_null(strstr(text, "\033[2m?\033[0m"));
	assert_non_null(strstr(text, "\033[31mrwxp!\033[0m"));
	assert_null(strstr(text, "\033[31mred")); /* the thread's name stays escaped */
	free(text);
	vmm_snapshot_destroy(s);
}

static void test_csv(void **state)
{
	struct vmm_snapshot *s = sample_create();

	CHECK(print(s, "regions", "address,size,rss,pss,wx,details", SAMPLE_CSV, NULL),
	      "address,size,rss,pss,wx,details\n"
	      "0x400000,16384,12288,0,false,\"/usr/bin/demo PIE\"\n"
	      "0x10000000,135168,36864,0,false,[heap]\n"
	      "0x20000000,1048576,,,true,\n"
	      "0x30000000,4096,4096,0,false,\"/tmp/a,\"\"b\"\"\"\n"
	      "0x30001000,4096,0,0,false,\"/tmp/a,\"\"b\"\"\"\n"
	      "0x7ffe00000000,135168,20480,0,false,\"thread 4711 \\e[31mred\\n\"\n");
	vmm_snapshot_destroy(s);
}

static void test_ndjson(void **state)
{
	struct vmm_snapshot *s = sample_create();

	s->region_count = 3;
	CHECK(print(s, "regions", "address,kind,rss,pss,wx,path", SAMPLE_NDJSON, NULL),
	      "{\"address\":\"0x400000\",\"kind\":\"image\",\"rss\":12288,\"pss\":0,\"wx\":false,\"path\":\"/usr/bin/demo\"}\n"
	      "{\"address\":\"0x10000000\",\"kind\":\"heap\",\"rss\":36864,\"pss\":0,\"wx\":false,\"path\":\"\"}\n"
	      "{\"address\":\"0x20000000\",\"kind\":\"private_data\",\"rss\":null,\"pss\":null,\"wx\":true,\"path\":\"\","
	      "\"at_least\":{\"rss\":8192}}\n");
	CHECK(print(s, "threads", "thread,name,sp", SAMPLE_NDJSON, NULL),
	      "{\"thread\":4711,\"name\":\"\\u001b[31mred\\n\",\"sp\":\"0x7ffe00020ff0\"}\n"
	      "{\"thread\":99,\"name\":\"lost\",\"sp\":null}\n");
	vmm_snapshot_destroy(s);
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("not found: %s\nin: %s", part, text);
}

static void test_json_members(void **state)
{
	struct vmm_snapshot *s = sample_create();
	char *text;

	sample_heap(s, false);
	text = print(s, "regions", NULL, SAMPLE_JSON, NULL);
	has(text, "{\"schema\":1,\"tool\":\"vmmap ");
	has(text, "\"target\":{\"source\":\"live\",\"pid\":4711,\"name\":\"demo\",\"exe\":null,\"cmdline\":\"demo --flag \\ufffd\"");
	has(text, "\"taken_at\":\"2000-02-29T00:00:00.000000005Z\",\"partial\":false");
	has(text, "{\"id\":\"size\",\"label\":\"sum of sizes = VmSize\",\"sum\":5,\"kernel\":7,\"remainder\":-2,");
	has(text, "{\"id\":\"rss\",\"label\":\"sum of rss\",\"sum\":null,\"kernel\":null,\"remainder\":null,");
	has(text, "\"as\":{\"text\":\"address space\",\"soft\":\"unlimited\",\"hard\":\"unlimited\",\"used\":1234,\"unit\":\"bytes\"}");
	has(text, "\"nofile\":{\"text\":\"open files\",\"soft\":null,\"hard\":null,\"used\":null,\"unit\":\"count\"}");
	has(text, "\"stack\":{\"address\":\"0x7ffe00000000\",\"end\":\"0x7ffe00021000\"}}");
	has(text, "\"name\":\"lost\",\"state\":null,\"sp\":null,\"stack\":null}");
	has(text, "\"free\":{\"count\":2,\"total\":140728357330944,\"largest\":{\"address\":\"0x30002000\",\"size\":140728093106176}}");
	has(text, "\"id\":\"main\",\"reader\":\"glibc\",\"label\":\"main arena\",\"proved\":false,\"regions\":[\"0x10000000\"],"
	          "\"size\":135168,\"rss\":36864,\"used_bytes\":null,");
	has(text, "{\"address\":\"0x20000000\",\"end\":\"0x20100000\",\"kind\":\"private_data\",\"size\":1048576,\"committed\":0,"
	          "\"private\":0,\"rss\":null,\"pss\":null,");
	has(text, "\"at_least\":{\"rss\":8192},\"largest\":1048576,\"protection\":\"rwxp\",\"wx\":true,\"details\":\"\",\"blocks\":[{");
	has(text, "\"build_id\":\"00ff\",\"blocks\":[{\"address\":\"0x400000\",\"end\":\"0x401000\",\"kind\":\"image\",\"size\":4096,");
	has(text, "\"protection\":\"r-xp\",\"wx\":false,\"label\":\".text\",\"details\":\".text\"},{\"address\":\"0x401000\"");
	has(text, "\"tid\":4711");
	has(text, "\"verdicts\":[],\n\"cost\":{\"total_ns\":0,");
	assert_null(strchr(text, '\033'));
	free(text);
	text = print(s, "regions", "rss,page_size", SAMPLE_JSON, NULL);
	has(text, "\n{\"address\":\"0x400000\",\"end\":\"0x404000\",\"kind\":\"image\",\"rss\":12288,\"page_size\":4096,\"blocks\":[{");
	free(text);
	vmm_snapshot_destroy(s);
}

static void test_json_order(void **state)
{
	static const char *const keys[] = {"\"schema\":", "\"tool\":",  "\"target\":",  "\"taken_at\":", "\"partial\":",
	                                   "\"summary\":", "\"accounts\":", "\"limits\":", "\n\"threads\":", "\n\"modules\":",
	                                   "\n\"heaps\":", "\n\"regions\":", "\n\"free\":", "\"notes\":", "\"verdicts\":"};
	struct vmm_snapshot *s = sample_create();
	char *text = print(s, "regions", NULL, SAMPLE_JSON, NULL);
	const char *at = text;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		at = strstr(at, keys[i]);
		if (!at)
			fail_msg("%s is missing or out of order", keys[i]);
	}
	free(text);
	vmm_snapshot_destroy(s);
}

static void test_raw(void **state)
{
	static const char *const names[] = {"THPeligible"};
	static const uint64_t values[] = {1};
	struct vmm_snapshot *s = sample_create();
	struct vmm_query q = query("regions", NULL);
	char *text;

	s->extra_names = (const char **)names;
	s->extra_count = 1;
	s->vmas[5].extra = values;
	s->vmas[5].vm_flags = 0;
	q.raw = true;
	text = sample_print(s, &q, SAMPLE_JSON, NULL);
	has(text, "\n\"mappings\":[\n{\"address\":\"0x400000\",\"end\":\"0x401000\",\"offset\":\"0x0\",\"device\":\"08:11\",\"inode\":77,"
	          "\"name\":\"/usr/bin/demo\",\"deleted\":false,\"protection\":\"r-xp\",\"vm_flags\":[\"rd\",\"ac\"],\"page_size\":4096,"
	          "\"size\":4096,");
	has(text, "\"deleted\":true,\"protection\":\"r--s\",\"vm_flags\":null,");
	has(text, ",\"extra\":{\"THPeligible\":1}}");
	assert_null(strstr(text, "\"regions\":[\n"));
	free(text);
	text = sample_print(s, &q, SAMPLE_TEXT, &(struct vmm_style){0});
	has(text, "/tmp/a,\"b\" (deleted)\n");
	free(text);
	vmm_query_done(&q);
	vmm_snapshot_destroy(s);
}

/* Digits at every power of ten and two, against the C library. */
static void test_digits(void **state)
{
	char ours[32], theirs[32];
	uint64_t v = 1;

	for (int i = 0; i < 20; i++, v *= 10)
		for (int d = -1; d <= 1; d++) {
			*vmm__json_put_dec(ours, v + (uint64_t)(int64_t)d) = '\0';
			snprintf(theirs, sizeof(theirs), "%llu", (unsigned long long)(v + (uint64_t)(int64_t)d));
			assert_string_equal(ours, theirs);
		}
	for (int i = 0; i < 64; i++)
		for (int d = -1; d <= 1; d++) {
			v = (UINT64_C(1) << i) + (uint64_t)(int64_t)d;
			*vmm__json_put_dec(ours, v) = '\0';
			snprintf(theirs, sizeof(theirs), "%llu", (unsigned long long)v);
			assert_string_equal(ours, theirs);
			*vmm__json_put_address(ours, v) = '\0';
			snprintf(theirs, sizeof(theirs), "\"0x%llx\"", (unsigned long long)v);
			assert_string_equal(ours, theirs);
		}
}

/* The fast path for strings must say what the careful one says, wherever the odd byte stands. */
static void test_strings(void **state)
{
	char text[24];

	for (int byte = 1; byte < 256; byte++)
		for (size_t at = 0; at < 20; at++) {
			struct vmm_out *fast = vmm_out_create_memory(), *careful = vmm_out_create_memory();
			char *a, *b;

			memset(text, 'a', 20);
			text[20] = '\0';
			text[at] = (char)byte;
			vmm__json_text(fast, text);
			vmm_out_json(careful, text);
			a = vmm_out_take(fast, NULL);
			b = vmm_out_take(careful, NULL);
			assert_string_equal(a, b);
			free(a);
			free(b);
		}
}

static int written;

static void write_sample(char *text)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/emit_sample_%d.json", VMM_BUILD_DIR, written++);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	free(text);
}

static void write_samples(void)
{
	static const char *const tables[] = {"types", "regions", "tree", "heaps", "threads", "images", "free", "files"};
	struct vmm_snapshot *empty = vmm_snapshot_create(), *s = sample_create(), *unreadable = vmm_snapshot_create();
	struct vmm_query raw = query("regions", NULL);

	raw.raw = true;
	sample_heap(s, true);
	sample_heap(s, false);
	unreadable->unreadable = true;
	write_sample(print(empty, "regions", NULL, SAMPLE_JSON, NULL));
	write_sample(print(unreadable, "regions", NULL, SAMPLE_JSON, NULL));
	write_sample(sample_print(empty, &raw, SAMPLE_JSON, NULL));
	write_sample(print(s, "regions", NULL, SAMPLE_JSON, NULL));
	write_sample(print(s, "tree", NULL, SAMPLE_JSON, NULL));
	write_sample(print(s, "regions", "address", SAMPLE_JSON, NULL));
	write_sample(print(s, "regions", "blocks,vmflags,numa,name,thread,sp,offset,path,label,guard,heap,proved", SAMPLE_JSON, NULL));
	write_sample(sample_print(s, &raw, SAMPLE_JSON, NULL));
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		write_sample(print(s, tables[i], NULL, SAMPLE_JSON_TABLE, NULL));
		write_sample(print(empty, tables[i], NULL, SAMPLE_JSON_TABLE, NULL));
	}
	vmm_query_done(&raw);
	vmm_snapshot_destroy(s);
	vmm_snapshot_destroy(empty);
	vmm_snapshot_destroy(unreadable);
}

static void test_schema(void **state)
{
	char command[4000];
	size_t at;
	int rc;

	write_samples();
	assert_true(written >= 24);
	at = (size_t)snprintf(command, sizeof(command), "python3 '%s/unit/check_schema.py' '%s/../docs/vmmap.schema.json'",
	                      VMM_TESTS_DIR, VMM_TESTS_DIR);
	for (int i = 0; i < written; i++)
		at += (size_t)snprintf(command + at, sizeof(command) - at, " '%s/emit_sample_%d.json'", VMM_BUILD_DIR, i);
	assert_true(at < sizeof(command));
	rc = system(command);
	if (WIFEXITED(rc) && (WEXITSTATUS(rc) == 77 || WEXITSTATUS(rc) == 127)) {
		TEST_SKIP("documents are not checked against the schema: python3-jsonschema is missing");
	}
	assert_int_equal(rc, 0);
}

static void test_output_errors(void **state)
{
	struct vmm_snapshot *s = sample_create();
	struct vmm_query q = query("regions", NULL);
	struct vmm_rows rows;
	struct vmm_err err = {0};
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct vmm_out *out = vmm_out_create(fd);

	assert_int_equal(vmm_rows_build(&rows, &q, s, NULL), 0);
	for (int i = 0; i < 200; i++)
		vmm_emit_json(out, &q, &rows, s);
	assert_int_equal(vmm_out_finish(out, &err), VMM_E_OUTPUT);
	assert_int_equal(err.os, 28); /* ENOSPC */
	close(fd);
	for (unsigned long n = 1; n < 12; n++) {
		out = vmm_out_create_memory();
		vmm_alloc_fail_after(n);
		for (int i = 0; i < 20; i++) {
			vmm_emit_json(out, &q, &rows, s);
			vmm_emit_text(out, &q, &rows, &(struct vmm_style){.width = 80});
			vmm_emit_csv(out, &q, &rows);
		}
		vmm_alloc_fail_after(0);
		free(vmm_out_take(out, NULL));
	}
	vmm_rows_done(&rows);
	vmm_query_done(&q);
	vmm_snapshot_destroy(s);
}

TEST_MAIN(cmocka_unit_test(test_text), cmocka_unit_test(test_units), cmocka_unit_test(test_widths),
          cmocka_unit_test(test_colour), cmocka_unit_test(test_csv), cmocka_unit_test(test_ndjson),
          cmocka_unit_test(test_json_members), cmocka_unit_test(test_json_order), cmocka_unit_test(test_raw),
          cmocka_unit_test(test_digits), cmocka_unit_test(test_strings), cmocka_unit_test(test_schema),
          cmocka_unit_test(test_output_errors))
