/*
 * VMMap's own files, as their readers describe them: no file that VMMap wrote is public. Snapshots, blocks inside and
 * behind their regions, what is missing, what is refused.
 */
#include "test.h"

#include <stdlib.h>

#include "base/arena.h"
#include "source/vmmap.h"
#include "vmmap/vmmap.h"

#define HEAP(commit, end)                                                                                              \
	"<Region Address=\"327680\" Blocks=\"2\" Size=\"65536\" Commit=\"" commit "\" PrivateBytes=\"" commit          \
	"\" PrivateWS=\"4096\" ShareableWS=\"0\" Id=\"9\" Protection=\"4\" UseType=\"0\" Type=\"Heap (Private Data)\" " \
	"Details=\"Heap ID: 9\"" end "\n"
#define FIRST                                                                                                          \
	"<Region Address=\"327680\" Blocks=\"0\" Size=\"8192\" Commit=\"8192\" PrivateBytes=\"8192\" PrivateWS=\"4096\" " \
	"Protection=\"4\" UseType=\"0\" Type=\"Heap (Private Data)\" Details=\"\"/>\n"
#define SECOND                                                                                                         \
	"<Region Address=\"335872\" Blocks=\"0\" Size=\"57344\" Commit=\"0\" Protection=\"1\" UseType=\"0\" "          \
	"Type=\"Heap (Private Data)\" Details=\"\"/>\n"
#define FREE "<Region Address=\"393216\" Size=\"65536\" UseType=\"6\" Type=\"Free\"/>\n"
#define SNAPSHOT(time, tables) "<Snapshot When=\"" time "\" PageTableSize=\"" tables "\">\n"
/* 2017-05-23 08:00:00 and ten seconds later, in 100 ns since 1601: date -u -d @1495526400. */
#define NESTED                                                                                                         \
	"<?xml version=\"1.0\"?>\n<Root PID=\"42\" ProcessName=\"prog.exe\">\n"                                        \
	SNAPSHOT("131400000000000000", "4096") HEAP("8192", ">") FIRST SECOND "</Region>\n" FREE "</Snapshot>\n"      \
	SNAPSHOT("131400000100000000", "8192") HEAP("8192", ">") FIRST SECOND "</Region>\n" FREE                      \
	"<Region Address=\"524288\" Blocks=\"1\" Size=\"4096\" Commit=\"4096\" ShareableWS=\"4096\" SharedWS=\"4096\" " \
	"Protection=\"2\" UseType=\"3\" Type=\"Mapped File\" Details=\"C:\\&#252;.nls\"/>\n</Snapshot>\n</Root>\n"

static int open_text(const char *text, const char *which, struct vmm_snapshot **ret)
{
	struct vmm_take take = {.needs = VMM_NEED_DEFAULT};
	struct vmm_target *t = NULL;
	int rc = vmmap_open_bytes(text, strlen(text), true, which, &t, NULL);

	if (rc == 0)
		rc = vmm_target_snapshot(t, &take, ret, NULL);
	vmm_target_close(t);
	return rc;
}

static bool expat(void)
{
	struct vmm_snapshot *s = NULL;
	int rc = open_text(NESTED, NULL, &s);

	vmm_snapshot_destroy(s);
	return rc != VMM_E_UNSUPPORTED;
}

#define NEED_EXPAT()                            \
	do {                                    \
		if (!expat())                   \
			TEST_SKIP("no expat"); \
	} while (0)

static void check_heap(const struct vmm_snapshot *s)
{
	assert_int_equal(s->regions[0].start, 0x50000);
	assert_int_equal(s->regions[0].end, 0x60000);
	assert_int_equal(s->regions[0].kind, VMM_KIND_HEAP);
	assert_int_equal(s->regions[0].block_count, 2);
	assert_int_equal(s->regions[0].m->value[VMM_METRIC_COMMITTED], 8192);
	assert_int_equal(s->regions[0].m->value[VMM_METRIC_RSS], 4096);
	assert_string_equal(s->heaps[s->regions[0].heap].id, "9");
	assert_int_equal(s->blocks[1].start, 0x52000);
	assert_string_equal(s->blocks[1].label, "reserved");
	assert_int_equal(s->vmas[1].prot, 0);
}

static void test_snapshots(void **state)
{
	struct vmm_snapshot *s = NULL;

	NEED_EXPAT();
	assert_int_equal(open_text(NESTED, NULL, &s), 0);
	check_heap(s);
	assert_string_equal(s->target.name, "prog.exe");
	assert_int_equal(s->target.pid, 42);
	assert_int_equal(s->region_count, 2);
	assert_int_equal(s->regions[1].kind, VMM_KIND_MAPPED_FILE);
	assert_string_equal(s->regions[1].path, "C:\\\xc3\xbc.nls");
	assert_int_equal(s->regions[1].m->value[VMM_METRIC_RSS], 4096);
	assert_int_equal(s->target.user_end, 0x81000);
	assert_int_equal(s->types[VMM_KIND_PAGE_TABLE].m.value[VMM_METRIC_SIZE], 8192);
	assert_int_equal(s->taken_at.tv_sec, 1495526410);
	vmm_snapshot_destroy(s);
	assert_int_equal(open_text(NESTED, "1", &s), 0);
	check_heap(s);
	assert_int_equal(s->region_count, 1);
	assert_int_equal(s->target.user_end, 0x70000);
	assert_int_equal(s->types[VMM_KIND_FREE].m.value[VMM_METRIC_SIZE], 0x50000 + 0x10000);
	assert_int_equal(s->taken_at.tv_sec, 1495526400);
	vmm_snapshot_destroy(s);
	assert_int_equal(open_text(NESTED, "3", &s), VMM_E_NO_TARGET);
}

/* Blocks behind their region instead of inside it, before it, and a region whose only block has its own range. */
static void test_flat(void **state)
{
	static const char *const texts[] = {"<a>" SNAPSHOT("0", "0") HEAP("8192", "/>") FIRST SECOND FREE "</Snapshot></a>",
	                                    "<a>" SNAPSHOT("0", "0") FREE SECOND FIRST HEAP("8192", "/>") "</Snapshot></a>",
	                                    HEAP("8192", ">") FIRST SECOND "</Region>"};
	struct vmm_snapshot *s = NULL;

	NEED_EXPAT();
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(open_text(texts[i], NULL, &s), 0);
		assert_int_equal(s->region_count, 1);
		check_heap(s);
		vmm_snapshot_destroy(s);
	}
	assert_int_equal(open_text("<a><Region Address=\"65536\" Size=\"4096\" Blocks=\"0\"/><Region Address=\"65536\" Size=\"4096\" Blocks=\"1\" "
	                           "UseType=\"5\"/></a>",
	                           NULL, &s),
	                 0);
	assert_int_equal(s->region_count, 1);
	assert_int_equal(s->block_count, 1);
	assert_int_equal(s->regions[0].kind, VMM_KIND_SHAREABLE);
	vmm_snapshot_destroy(s);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text;
		int code;
	} all[] = {{"", VMM_E_FORMAT},
	           {"<a/>", VMM_E_FORMAT},
	           {"no XML", VMM_E_FORMAT},
	           {"<!DOCTYPE a [<!ENTITY b \"c\"><!ENTITY d \"&b;&b;\">]><a><Snapshot/><Region Address=\"1\" Details=\"&d;\"/></a>", VMM_E_FORMAT},
	           {"<!DOCTYPE a [<!ENTITY % b SYSTEM \"file:///etc/passwd\"> %b;]><a><Snapshot/></a>", VMM_E_FORMAT}};
	struct vmm_snapshot *s = NULL;
	char deep[3 * 70 + 1];

	NEED_EXPAT();
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		assert_int_equal(open_text(all[i].text, NULL, &s), all[i].code);
	for (size_t i = 0; i < 70; i++)
		memcpy(deep + i * 3, "<a>", 4);
	assert_int_equal(open_text(deep, NULL, &s), VMM_E_LIMIT);
	assert_null(s);
}

/* Cut anywhere: the snapshots that were read are there, and a note says that the file is not whole. */
static void test_cut(void **state)
{
	size_t first = (size_t)(strstr(NESTED, "<Region") - NESTED), length = strlen(NESTED);
	char *text = strdup(NESTED);
	struct vmm_snapshot *s = NULL;

	NEED_EXPAT();
	for (size_t i = length - 2; i > first; i--) {
		bool cut = false;

		text[i] = '\0';
		assert_int_equal(open_text(text, NULL, &s), 0);
		for (uint32_t n = 0; n < s->note_count; n++)
			cut |= strcmp(s->notes[n].code, "cut") == 0;
		assert_true(cut);
		vmm_snapshot_destroy(s);
	}
	free(text);
}

static void test_memory(void **state)
{
	NEED_EXPAT();
	for (unsigned long n = 1;; n++) {
		struct vmm_snapshot *s = NULL;
		int rc;

		vmm_alloc_fail_after(n);
		rc = open_text(NESTED, NULL, &s);
		vmm_alloc_fail_after(0);
		if (rc == 0) {
			bool noted = s->note_count > 0;

			assert_int_equal(s->block_count, 3);
			vmm_snapshot_destroy(s);
			if (noted)
				return;
			continue;
		}
		assert_int_equal(rc, VMM_E_NOMEM);
		assert_null(s);
	}
}

TEST_MAIN(cmocka_unit_test(test_snapshots), cmocka_unit_test(test_flat), cmocka_unit_test(test_refused),
          cmocka_unit_test(test_cut), cmocka_unit_test(test_memory))
