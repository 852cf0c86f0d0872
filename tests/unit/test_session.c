/* Sessions: what is loaded is what was added, in every field; finding snapshots by name; memory running out. */
#include "session_sample.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "../session_build.h"
#include "model/target.h"
#include "session/memory.h"

#define SAME(member) assert_int_equal(a->member, b->member)
#define TEXT(member) same_text(a->member, b->member)

static void same_text(const char *a, const char *b)
{
	assert_int_equal(!a, !b);
	if (a)
		assert_string_equal(a, b);
}

static struct vmm_snapshot *load(struct vmm_session *session, uint32_t number)
{
	struct vmm_snapshot *s = NULL;
	struct vmm_err err = {0};

	if (vmm_session_load(session, number, &s, &err) < 0)
		fail_msg("%u: %s", number, err.text);
	return s;
}

static void same_metrics(const struct vmm_metrics *a, const struct vmm_metrics *b)
{
	SAME(known);
	SAME(at_least);
	for (int i = 0; i < VMM_METRIC_COUNT; i++)
		SAME(value[i]);
}

static void same_info(const struct vmm_target_info *a, const struct vmm_target_info *b)
{
	TEXT(source), TEXT(name), TEXT(exe), TEXT(cmdline), TEXT(cgroup), TEXT(arch);
	SAME(death.known), SAME(death.signal), SAME(death.code), SAME(death.address_known), SAME(death.address), SAME(death.tid);
	SAME(pid), SAME(ppid), SAME(ns_pid), SAME(uid), SAME(exe_deleted), SAME(bits), SAME(page_size), SAME(state), SAME(kernel_thread);
	SAME(started_known), SAME(started_at.tv_sec), SAME(started_at.tv_nsec);
	SAME(entry), SAME(user_end), SAME(min_address), SAME(stack_gap), SAME(status_known);
	for (int i = 0; i < VMM_STATUS_COUNT; i++)
		SAME(status[i]);
}

static void same_vma(const struct vmm_vma *a, const struct vmm_vma *b)
{
	SAME(start), SAME(end), SAME(offset), SAME(inode), SAME(dev_major), SAME(dev_minor), SAME(vm_flags), SAME(page_size), SAME(prot);
	SAME(backing), SAME(deleted), SAME(guards_known), SAME(guard_bytes);
	TEXT(name), TEXT(numa);
	assert_int_equal(!a->extra, !b->extra);
	for (int i = 0; a->extra && i < 2; i++)
		SAME(extra[i]);
	same_metrics(&a->m, &b->m);
}

static void same_region(const struct vmm_region *a, const struct vmm_region *b)
{
	SAME(start), SAME(end), SAME(kind), SAME(prot), SAME(mixed_prot), SAME(prot_set), SAME(write_exec), SAME(outside);
	SAME(first_block), SAME(block_count), SAME(module), SAME(thread), SAME(heap);
	TEXT(details), TEXT(path);
	same_metrics(a->m, b->m);
	assert_int_equal(!a->chunks, !b->chunks);
	if (a->chunks)
		assert_memory_equal(a->chunks, b->chunks, sizeof(*a->chunks));
}

static void same_block(const struct vmm_block *a, const struct vmm_block *b)
{
	SAME(start), SAME(end), SAME(vma), SAME(region), SAME(guard);
	TEXT(label);
	same_metrics(a->m, b->m);
}

static void same_thread(const struct vmm_thread *a, const struct vmm_thread *b)
{
	SAME(tid), SAME(ns_tid), SAME(state), SAME(sp_known), SAME(sp), SAME(descriptor), SAME(region);
	TEXT(name);
}

static void same_module(const struct vmm_module *a, const struct vmm_module *b)
{
	SAME(start), SAME(end), SAME(bias), SAME(pie), SAME(program), SAME(deleted), SAME(replaced), SAME(in_memory), SAME(sections);
	SAME(bits), SAME(region);
	TEXT(path), TEXT(build_id);
}

static void same_heap(const struct vmm_heap *a, const struct vmm_heap *b)
{
	TEXT(id), TEXT(reader), TEXT(label);
	SAME(proved), SAME(thread_count);
	for (uint32_t i = 0; i < a->thread_count; i++)
		SAME(threads[i]);
	same_metrics(&a->m, &b->m);
	assert_int_equal(!a->contents, !b->contents);
	if (!a->contents)
		return;
	assert_memory_equal(&a->contents->sums, &b->contents->sums, sizeof(a->contents->sums));
	assert_memory_equal(a->contents->used_log2, b->contents->used_log2, sizeof(a->contents->used_log2));
	assert_memory_equal(a->contents->free_log2, b->contents->free_log2, sizeof(a->contents->free_log2));
	SAME(contents->resident_known), SAME(contents->largest_free), SAME(contents->trim_known), SAME(contents->trimmable);
	SAME(contents->trimmable_size), SAME(contents->class_count), SAME(contents->classes_complete);
	for (uint32_t i = 0; i < a->contents->class_count; i++)
		SAME(contents->classes[i].size), SAME(contents->classes[i].used), SAME(contents->classes[i].free);
}

static void same_rest(const struct vmm_snapshot *a, const struct vmm_snapshot *b)
{
	SAME(taken_at.tv_sec), SAME(taken_at.tv_nsec), SAME(needs), SAME(partial), SAME(unreadable), SAME(threads_complete), SAME(cpus);
	SAME(cost.total_ns), SAME(cost.maps_ns), SAME(cost.smaps_ns), SAME(cost.pages_ns), SAME(cost.images_ns), SAME(cost.threads_ns);
	SAME(cost.stopped_ns), SAME(extra_count), SAME(limit_count), SAME(note_count);
	for (uint32_t i = 0; i < a->extra_count; i++)
		TEXT(extra_names[i]);
	for (uint32_t i = 0; i < a->limit_count; i++) {
		TEXT(limits[i].id), TEXT(limits[i].text);
		SAME(limits[i].known), SAME(limits[i].soft), SAME(limits[i].hard), SAME(limits[i].used_known), SAME(limits[i].used), SAME(limits[i].bytes);
	}
	for (uint32_t i = 0; i < a->note_count; i++) {
		TEXT(notes[i].from), TEXT(notes[i].code), TEXT(notes[i].text);
		SAME(notes[i].address), SAME(notes[i].count);
	}
}

static void same_snapshot(const struct vmm_snapshot *a, const struct vmm_snapshot *b)
{
	same_info(&a->target, &b->target);
	same_rest(a, b);
	SAME(vma_count), SAME(region_count), SAME(block_count), SAME(thread_count), SAME(module_count), SAME(heap_count);
	for (uint32_t i = 0; i < a->vma_count; i++)
		same_vma(&a->vmas[i], &b->vmas[i]);
	for (uint32_t i = 0; i < a->region_count; i++)
		same_region(&a->regions[i], &b->regions[i]);
	for (uint32_t i = 0; i < a->block_count; i++)
		same_block(&a->blocks[i], &b->blocks[i]);
	for (uint32_t i = 0; i < a->thread_count; i++)
		same_thread(&a->threads[i], &b->threads[i]);
	for (uint32_t i = 0; i < a->module_count; i++)
		same_module(&a->modules[i], &b->modules[i]);
	for (uint32_t i = 0; i < a->heap_count; i++)
		same_heap(&a->heaps[i], &b->heaps[i]);
}

static void loaded_is_what_was_added(void **state)
{
	const char *path = session_path("round");
	struct vmm_session *session = session_open(path, VMM_SESSION_CREATE);
	struct vmm_snapshot *s = built_snapshot(), *back;
	struct vmm_type_total types[VMM_KIND_COUNT], total;
	uint32_t number = 0;

	assert_int_equal(vmm_session_add(session, s, NULL, &number, NULL), 0);
	assert_int_equal(number, 1);
	/* Then one where some of it went away, and it all again. */
	s->vma_count--, s->region_count--, s->block_count--, s->thread_count--, s->heap_count = 0, s->note_count = 0;
	s->regions[1].heap = VMM_NONE;
	assert_int_equal(vmm_session_add(session, s, NULL, &number, NULL), 0);
	back = load(session, 2);
	same_snapshot(s, back);
	vmm_snapshot_destroy(back);
	s->vma_count++, s->region_count++, s->block_count++, s->thread_count++, s->heap_count = 2, s->note_count = 2;
	s->regions[1].heap = 1;
	vmm_session_close(session);
	session = session_open(path, VMM_SESSION_APPEND);
	assert_int_equal(vmm_session_add(session, s, NULL, &number, NULL), 0);
	assert_int_equal(number, 3);
	for (uint32_t i = 1; i <= 3; i += 2) {
		back = load(session, i);
		same_snapshot(s, back);
		assert_int_equal(back->session_number, i);
		vmm_snapshot_destroy(back);
	}
	assert_int_equal(vmm_session_totals(session, 3, types, &total, NULL), 0);
	for (int k = 0; k < VMM_KIND_COUNT; k++) {
		same_metrics(&s->types[k].m, &types[k].m);
		assert_int_equal(s->types[k].counted, types[k].counted);
		assert_int_equal(s->types[k].regions, types[k].regions);
	}
	same_metrics(&s->total.m, &total.m);
	vmm_snapshot_destroy(s);
	vmm_session_close(session);
}

/* A bound is no number to SQL either. */
static void sql_sees_numbers_and_nulls(void **state)
{
	const char *path = session_path("sql");
	struct vmm_session *session = session_open(path, VMM_SESSION_CREATE);
	struct vmm_snapshot *s = built_snapshot();

	assert_int_equal(vmm_session_add(session, s, NULL, NULL, NULL), 0);
	vmm_snapshot_destroy(s);
	vmm_session_close(session);
	assert_int_equal(session_query(path, "SELECT count(*) FROM regions WHERE address = '0x600000' AND rss IS NULL AND pss IS NULL"), 1);
	assert_int_equal(session_query(path, "SELECT span FROM regions WHERE kind = 'heap'"), 0x4000);
	assert_int_equal(session_query(path, "SELECT used FROM regions WHERE kind = 'heap'"), 777);
	assert_int_equal(session_query(path, "SELECT count(*) FROM mappings WHERE address = '0xffffffffff600000'"), 1);
	assert_int_equal(session_query(path, "SELECT size FROM types WHERE kind = 'total'"), 0x9000);
	assert_int_equal(session_query(path, "SELECT count(*) FROM growth"), VMM_KIND_COUNT + 1);
	assert_int_equal(session_query(path, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"), 1);
}

/* --- contents --- */

static int count_run(void *arg, const struct vmm_page_run *run)
{
	struct vmm_page_run *runs = arg;

	while (runs->end)
		runs++;
	*runs = *run;
	return 0;
}

static void check_runs(struct vmm_stored *m)
{
	static const struct vmm_page_run expected[] = {{0x500000, 0x501000, VMM_PAGE_PRESENT},
	                                               {0x502000, 0x503000, VMM_PAGE_PRESENT | VMM_PAGE_ZERO},
	                                               {0x503000, 0x504000, VMM_PAGE_SWAPPED},
	                                               {0x7f0000000000, 0x7f0000002000, VMM_PAGE_PRESENT | VMM_PAGE_HUGE}};
	struct vmm_page_run runs[8] = {0};

	assert_int_equal(vmm_stored_pages(m, 0, 0x7f0000002000, 0, count_run, runs), 0);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		assert_int_equal(runs[i].start, expected[i].start);
		assert_int_equal(runs[i].end, expected[i].end);
		assert_int_equal(runs[i].what, expected[i].what);
	}
	assert_int_equal(runs[ARRAY_LEN(expected)].end, 0);
}

static void check_bytes(struct vmm_stored *m)
{
	unsigned char bytes[0x5000];

	memset(bytes, 0xee, sizeof(bytes));
	assert_int_equal(vmm_stored_read(m, 0x500ffe, bytes, 4, NULL), 2);
	assert_int_equal(bytes[1], built_byte(0x500fff));
	assert_int_equal(bytes[2], 0xee);
	assert_int_equal(vmm_stored_read(m, 0x501000, bytes, 4, NULL), 0);
	assert_int_equal(vmm_stored_read(m, 0x502ffc, bytes, 8, NULL), 4);
	assert_int_equal(bytes[0], 0);
	assert_int_equal(vmm_stored_read(m, 0x503000, bytes, 8, NULL), 0);
	assert_int_equal(vmm_stored_read(m, 0x7f0000000001, bytes, sizeof(bytes), NULL), 0x3fff);
	for (unsigned i = 0; i < 0x3fff; i++)
		assert_int_equal(bytes[i], built_byte(0x7f0000000001 + i));
	assert_int_equal(vmm_stored_read(m, UINT64_MAX - 1, bytes, 8, NULL), 0);
	assert_int_equal(vmm_stored_bytes(m, 0x500800, 0x7f0000001000), 0x1800);
	assert_int_equal(vmm_stored_bytes(m, 0, UINT64_MAX), 0x5000);
}

static void contents_are_kept(void **state)
{
	const char *path = session_path("contents");
	struct vmm_session *session = session_open(path, VMM_SESSION_CREATE);
	struct built_memory *memory = malloc(sizeof(*memory));
	struct vmm_session_memory how = {.kinds = UINT32_C(1) << VMM_KIND_HEAP};
	struct vmm_snapshot *s = built_snapshot(), *back;
	struct vmm_stored *m;

	assert_non_null(memory);
	built_memory_init(memory);
	how.target = &memory->target.base;
	assert_int_equal(vmm_session_add(session, s, &how, NULL, NULL), 0);
	assert_int_equal(vmm_session_add(session, s, NULL, NULL, NULL), 0);
	memory->heap[5] ^= 1;
	assert_int_equal(vmm_session_add(session, s, &how, NULL, NULL), 0);
	assert_int_equal(vmm_session_add(session, s, &how, NULL, NULL), 0);
	assert_int_equal(vmm_stored_open(session, 1, &m, NULL), 0);
	check_runs(m);
	check_bytes(m);
	vmm_stored_close(m);
	assert_int_equal(vmm_stored_open(session, 2, &m, NULL), 0);
	assert_null(m);
	assert_int_equal(vmm_stored_open(session, 4, &m, NULL), 0);
	{
		unsigned char byte;

		assert_int_equal(vmm_stored_read(m, 0x500005, &byte, 1, NULL), 1);
		assert_int_equal(byte, built_byte(0x500005) ^ 1);
	}
	vmm_stored_close(m);
	assert_int_equal(vmm_stored_open(session, 9, &m, NULL), VMM_E_NO_TARGET);
	back = load(session, 1);
	assert_int_equal(back->vmas[2].m.value[VMM_METRIC_STORED], 0x1000);
	assert_int_equal(back->regions[3].m->value[VMM_METRIC_STORED], 0x4000);
	assert_int_equal(back->total.m.value[VMM_METRIC_STORED], 0x5000);
	assert_true(vmm_metric_known(&back->heaps[1].m, VMM_METRIC_STORED));
	assert_int_equal(back->heaps[1].m.value[VMM_METRIC_STORED], 0x1000);
	vmm_snapshot_destroy(back);
	back = load(session, 2);
	assert_false(vmm_metric_known(&back->total.m, VMM_METRIC_STORED));
	vmm_snapshot_destroy(back);
	vmm_session_close(session);
	/* What did not change is there once. */
	assert_int_equal(session_query(path, "SELECT count(*) FROM memory"), 3);
	assert_int_equal(session_query(path, "SELECT count(*) FROM memory WHERE start = 0x500000"), 2);
	assert_int_equal(session_query(path, "SELECT count(*) FROM pages"), 4);
	vmm_snapshot_destroy(s);
	free(memory);
}

/* --- finding --- */

static void check_find(const struct vmm_session_index *index, const char *text, int64_t expected)
{
	struct vmm_err err = {0};
	uint32_t number = 0;
	int rc = vmm_session_find(index, text, &number, &err);

	if (expected < 0 ? rc != expected : rc != 0 || number != expected)
		fail_msg("%s: rc %d, number %u (%s), not %d", text ? text : "(null)", rc, number, err.text, (int)expected);
	assert_int_equal(rc < 0, err.text[0] != '\0');
}

static void snapshots_are_found(void **state)
{
	static const char *const names[] = {"", "first", "a", "last", "b", "b"};
	/* 14:00:00, 14:00:10, 15:00:00 local time, and the clock put back to 14:30:00. */
	static const long seconds[] = {0, 0, 10, 3600, 1800, 5400};
	struct vmm_session_entry entries[5];
	struct vmm_session_index index = {.entries = entries, .count = 5, .target_count = 3};
	const struct vmm_session_index empty = {0};

	setenv("TZ", "VMM-2", 1); /* two hours ahead of UTC */
	tzset();
	for (uint32_t i = 0; i < 5; i++)
		entries[i] = (struct vmm_session_entry){.number = 3 + i, .target = 1 + i / 2, .pid = 100 + (int)i / 2, .source = "live",
		                                        .name = names[1 + i], .taken_at = {1763812800 + seconds[1 + i], 500000000}};
	/* 1763812800 is 2025-11-22 12:00:00 UTC (date -u -d @1763812800). */
	check_find(&index, NULL, 7);
	check_find(&index, "", 7);
	check_find(&index, "last", 7);
	check_find(&index, "first", 3);
	check_find(&index, "5", 5);
	check_find(&index, "2", VMM_E_NO_TARGET);
	check_find(&index, "-1", 7);
	check_find(&index, "-2", 6);
	check_find(&index, "-5", 3);
	check_find(&index, "-6", VMM_E_NO_TARGET);
	check_find(&index, "-0", VMM_E_NO_TARGET);
	check_find(&index, "14:00:05", 3);
	check_find(&index, "14:00", 4);
	check_find(&index, "14:00:00.4", VMM_E_NO_TARGET);
	check_find(&index, "14:00:00.5", 3);
	check_find(&index, "14:45", 6);
	check_find(&index, "13:59", VMM_E_NO_TARGET);
	check_find(&index, "2025-11-22 15:29", 5);
	check_find(&index, "2025-11-22T15:30:00", 7);
	check_find(&index, "2025-11-22T12:00:30Z", 4);
	check_find(&index, "2025-11-22T13:00:30+01:00", 4);
	check_find(&index, "2025-11-22T10:00:30-02:00", 4);
	check_find(&index, "2025-13-22 15:29", VMM_E_NO_TARGET); /* then it is a name */
	check_find(&index, "25:00", VMM_E_NO_TARGET);
	check_find(&index, "target:1", 4);
	check_find(&index, "target:2,first", 5);
	check_find(&index, "target:9", VMM_E_NO_TARGET);
	check_find(&index, "pid:101", 6);
	check_find(&index, "pid:101,-2", 5);
	check_find(&index, "pid:101,5", 5);
	check_find(&index, "pid:101,4", VMM_E_NO_TARGET);
	check_find(&index, "pid:101,14:45", 6);
	check_find(&index, "b", 7);
	check_find(&index, "b,first", 6);
	check_find(&index, "name:last", 5);
	check_find(&index, "a,what", VMM_E_USAGE);
	check_find(&index, ",", VMM_E_NO_TARGET);
	check_find(&empty, "last", VMM_E_NO_TARGET);
	check_find(&empty, NULL, VMM_E_NO_TARGET);
	check_find(&empty, "x", VMM_E_NO_TARGET);
}

static void index_lists_snapshots(void **state)
{
	const char *path = session_path("index");
	struct vmm_session *session = session_open(path, VMM_SESSION_CREATE);
	struct vmm_snapshot *s = built_snapshot(), *other = session_process(5, 3, 0);
	struct vmm_session_index *index;

	assert_int_equal(vmm_session_add(session, s, NULL, NULL, NULL), 0);
	assert_int_equal(vmm_session_add(session, other, NULL, NULL, NULL), 0);
	s->target.name = "after exec";
	assert_int_equal(vmm_session_add(session, s, NULL, NULL, NULL), 0);
	assert_int_equal(vmm_session_index(session, &index, NULL), 0);
	assert_int_equal(index->count, 3);
	assert_int_equal(index->target_count, 2);
	assert_string_equal(index->entries[0].name, "d\xff");
	assert_string_equal(index->entries[1].name, "sample");
	assert_string_equal(index->entries[2].name, "after exec");
	assert_string_equal(index->entries[2].source, "core");
	assert_int_equal(index->entries[2].target, 1);
	assert_int_equal(index->entries[1].target, 2);
	assert_int_equal(index->entries[0].pid, 4711);
	assert_true(index->entries[0].partial);
	assert_false(index->entries[0].has_memory);
	assert_int_equal(index->entries[0].taken_at.tv_nsec, 123456789);
	same_metrics(&s->total.m, &index->entries[2].total);
	same_metrics(&other->total.m, &index->entries[1].total);
	vmm_session_index_destroy(index);
	vmm_snapshot_destroy(s);
	vmm_snapshot_destroy(other);
	vmm_session_close(session);
}

/* --- memory running out --- */

static void every_allocation_may_fail(void **state)
{
	char path[256];
	struct built_memory *memory = malloc(sizeof(*memory));
	struct vmm_session_memory how = {.kinds = UINT32_MAX};
	struct vmm_snapshot *s = built_snapshot();
	uint32_t added = 0;

	assert_non_null(memory);
	built_memory_init(memory);
	how.target = &memory->target.base;
	snprintf(path, sizeof(path), "%s", session_path("nomem"));
	vmm_session_close(session_open(path, VMM_SESSION_CREATE));
	for (unsigned long n = 1;; n++) {
		struct vmm_session *session = NULL;
		struct vmm_session_index *index = NULL;
		struct vmm_snapshot *back = NULL;
		struct vmm_stored *stored = NULL;
		struct vmm_type_total types[VMM_KIND_COUNT], total;
		int rc;

		vmm_alloc_fail_after(n);
		rc = vmm_session_open(path, VMM_SESSION_APPEND, &session, NULL);
		if (rc == 0)
			rc = vmm_session_add(session, s, &how, &added, NULL);
		if (rc == 0)
			rc = vmm_session_index(session, &index, NULL);
		if (rc == 0)
			rc = vmm_session_load(session, added, &back, NULL);
		if (rc == 0)
			rc = vmm_session_totals(session, added, types, &total, NULL);
		if (rc == 0)
			rc = vmm_stored_open(session, added, &stored, NULL);
		vmm_alloc_fail_after(0);
		vmm_stored_close(stored);
		vmm_snapshot_destroy(back);
		vmm_session_index_destroy(index);
		vmm_session_close(session);
		if (rc == 0)
			break;
		assert_int_equal(rc, VMM_E_NOMEM);
	}
	/* What failed left nothing half done. */
	assert_int_equal(session_query(path, "SELECT count(*) - max(number) FROM snapshot"), 0);
	assert_int_equal(session_query(path, "SELECT count(*) FROM mapping"), BUILT_VMAS);
	vmm_snapshot_destroy(s);
	free(memory);
}

static void modes(void **state)
{
	char path[256];
	struct vmm_session *session;
	struct vmm_snapshot *s = built_snapshot();
	struct vmm_err err;

	snprintf(path, sizeof(path), "%s", session_path("modes"));
	assert_int_equal(vmm_session_open(path, VMM_SESSION_READ, &session, &err), VMM_E_NO_TARGET);
	assert_int_equal(access(path, F_OK), -1);
	vmm_session_close(session_open(path, VMM_SESSION_APPEND));
	assert_int_equal(vmm_session_open(path, VMM_SESSION_CREATE, &session, &err), VMM_E_OUTPUT);
	session = session_open(path, VMM_SESSION_READ);
	assert_int_equal(vmm_session_add(session, s, NULL, NULL, &err), VMM_E_USAGE);
	assert_int_equal(vmm_session_drop(session, &(struct vmm_session_keep){.snapshots = 1}, NULL, &err), VMM_E_USAGE);
	vmm_session_close(session);
	assert_int_equal(vmm_session_open("", VMM_SESSION_APPEND, &session, &err), VMM_E_NO_TARGET);
	assert_int_equal(vmm_session_open("/nonexistent/x", VMM_SESSION_CREATE, &session, &err), VMM_E_OUTPUT);
	assert_int_equal(vmm_session_open("/dev/null", VMM_SESSION_READ, &session, &err), VMM_E_FORMAT);
	assert_int_equal(vmm_session_open("/", VMM_SESSION_READ, &session, &err), VMM_E_FORMAT);
	vmm_snapshot_destroy(s);
}

static size_t files_in(const char *folder)
{
	DIR *d = opendir(folder);
	size_t count = 0;

	assert_non_null(d);
	while (readdir(d))
		count++;
	closedir(d);
	return count;
}

/* Nothing has a name, however much is written; all else is as with a file. */
static void temporary_leaves_nothing(void **state)
{
	char folder[] = "/tmp/vmmap-temporary-XXXXXX";
	struct vmm_session_keep keep = {.snapshots = 2};
	struct vmm_session *session;
	struct vmm_session_index *index;
	struct vmm_type_total types[VMM_KIND_COUNT], total;
	uint32_t number = 0, dropped = 0;

	assert_non_null(mkdtemp(folder));
	assert_int_equal(setenv("SQLITE_TMPDIR", folder, 1), 0);
	assert_int_equal(vmm_session_open("/nowhere/at/all", VMM_SESSION_TEMPORARY, &session, NULL), 0);
	for (uint32_t i = 0; i < 4; i++) {
		struct vmm_snapshot *s = session_process(77, 3000 + 7 * i, i), *loaded;

		assert_int_equal(vmm_session_add(session, s, NULL, &number, NULL), 0);
		assert_int_equal(number, i + 1);
		loaded = load(session, number);
		assert_int_equal(loaded->region_count, s->region_count);
		/* Its own writing is seen too. */
		assert_int_equal(vmm_session_totals(session, number, types, &total, NULL), 0);
		assert_int_equal(total.m.value[VMM_METRIC_SIZE], s->total.m.value[VMM_METRIC_SIZE]);
		vmm_snapshot_destroy(loaded);
		vmm_snapshot_destroy(s);
	}
	assert_int_equal(vmm_session_drop(session, &keep, &dropped, NULL), 0);
	assert_int_equal(dropped, 2);
	assert_int_equal(vmm_session_index(session, &index, NULL), 0);
	assert_int_equal(index->count, 2);
	assert_int_equal(index->entries[0].number, 3);
	vmm_session_index_destroy(index);
	assert_int_equal(files_in(folder), 2); /* . and .. */
	vmm_session_close(session);
	assert_int_equal(unsetenv("SQLITE_TMPDIR"), 0);
	assert_int_equal(rmdir(folder), 0);
}

TEST_MAIN(cmocka_unit_test(loaded_is_what_was_added), cmocka_unit_test(sql_sees_numbers_and_nulls), cmocka_unit_test(contents_are_kept),
          cmocka_unit_test(snapshots_are_found), cmocka_unit_test(index_lists_snapshots), cmocka_unit_test(every_allocation_may_fail),
          cmocka_unit_test(modes), cmocka_unit_test(temporary_leaves_nothing))
