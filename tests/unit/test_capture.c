/* Captures: names of files, texts, archives, hostile ones; numbers were worked out by hand. */
#include "test.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef VMM_HAVE_ARCHIVE
#include <archive.h>
#include <archive_entry.h>
#endif

#include "base/arena.h"
#include "source/capture.h"
#include "vmmap/vmmap.h"

/* An image of two mappings, memory of 8 KiB that is in use whole, a main stack. */
#define MAPPING(head, size, rss, clean, dirty, anonymous, flags)                                                       \
	head "\nSize: " size " kB\nKernelPageSize: 4 kB\nRss: " rss " kB\nPss: " rss " kB\nShared_Clean: 0 kB\n"       \
	"Shared_Dirty: 0 kB\nPrivate_Clean: " clean " kB\nPrivate_Dirty: " dirty " kB\nReferenced: " rss " kB\n"       \
	"Anonymous: " anonymous " kB\nAnonHugePages: 0 kB\nShared_Hugetlb: 0 kB\nPrivate_Hugetlb: 0 kB\nSwap: 0 kB\n" \
	"SwapPss: 0 kB\nLocked: 0 kB\nVmFlags: " flags "\n"
#define CODE MAPPING("555500000000-555500003000 r-xp 00000000 08:01 77 /bin/x", "12", "8", "8", "0", "0", "rd ex mr mw me")
#define DATA MAPPING("555500003000-555500004000 rw-p 00003000 08:01 77 /bin/x", "4", "4", "0", "4", "4", "rd wr mr mw me ac")
#define OWN MAPPING("7f0000000000-7f0000002000 rw-p 00000000 00:00 0", "8", "8", "0", "8", "8", "rd wr mr mw me ac")
#define STACK MAPPING("7ffff0000000-7ffff0021000 rw-p 00000000 00:00 0 [stack]", "132", "12", "0", "12", "12", "rd wr mr mw me gd ac")
#define SMAPS CODE DATA OWN STACK
#define STATUS                                                                                                         \
	"Name:\tx\nUmask:\t0022\nState:\tT (stopped)\nPid:\t4711\nPPid:\t1\nUid:\t1000\t1000\t1000\t1000\n"           \
	"VmSize:\t     156 kB\nVmRSS:\t      32 kB\nRssAnon:\t      24 kB\nRssFile:\t       8 kB\nRssShmem:\t       0 kB\n" \
	"VmSwap:\t       0 kB\nThreads:\t1\n"
#define LIMITS                                                                                                         \
	"Limit                     Soft Limit           Hard Limit           Units     \n"                            \
	"Max stack size            8388608              unlimited            bytes     \n"

static int open_bytes(const void *bytes, size_t length, const char *wanted, struct vmm_target **ret, struct vmm_err *err)
{
	struct capture_set set = {.wanted = wanted};
	int rc = capture_load_bytes(&set, bytes, length, err);

	if (rc < 0) {
		capture_set_done(&set);
		return rc;
	}
	return capture_open_set(&set, "x", ret, err);
}

static struct vmm_snapshot *take(struct vmm_target *t, uint32_t needs)
{
	struct vmm_take how = {.needs = needs};
	struct vmm_snapshot *s = NULL;
	struct vmm_err err;

	assert_int_equal(vmm_target_snapshot(t, &how, &s, &err), 0);
	vmm_target_close(t);
	return s;
}

static struct vmm_snapshot *take_bytes(const void *bytes, size_t length, const char *wanted)
{
	struct vmm_target *t = NULL;
	struct vmm_err err;

	assert_int_equal(open_bytes(bytes, length, wanted, &t, &err), 0);
	return take(t, VMM_NEED_DEFAULT);
}

static struct vmm_snapshot *take_text(const char *text)
{
	return take_bytes(text, strlen(text), NULL);
}

static bool noted(const struct vmm_snapshot *s, const char *code)
{
	for (uint32_t i = 0; i < s->note_count; i++)
		if (strcmp(s->notes[i].code, code) == 0)
			return true;
	return false;
}

static void paths_name_files(void **state)
{
	static const struct {
		const char *path, *key, *name;
	} good[] = {
	    {"/proc/4711/smaps", "proc/4711", "smaps"},
	    {"proc//4711/./task/12/stat", "proc//4711", "task/12/stat"},
	    {"./smaps", "", "smaps"},
	    {"maps", "", "maps"},
	    {"/proc/sys/vm/max_map_count", "proc", "sys/vm/max_map_count"},
	    {"host/proc/meminfo", "host/proc", "meminfo"},
	    {"12/task/13/robust_list", "12", "task/13/robust_list"},
	};
	static const char *const bad[] = {"", "/", ".", "..", "../4711/smaps", "proc/../smaps", "proc/4711/mem", "proc/4711/task/x/stat",
	                                  "proc/4711/task/12/smaps", "sys/vm/panic_on_oom", "proc/4711/environ"};
	struct capture_name n;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(capture_name_parse(good[i].path, strlen(good[i].path), &n));
		assert_string_equal(n.name, good[i].name);
		assert_int_equal(n.key_length, strlen(good[i].key));
		assert_memory_equal(n.key, good[i].key, n.key_length);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(capture_name_parse(bad[i], strlen(bad[i]), &n));
}

static void smaps_alone(void **state)
{
	struct vmm_snapshot *s = take_text(SMAPS);

	assert_int_equal(s->vma_count, 4);
	assert_int_equal(s->region_count, 3);
	assert_int_equal(s->regions[0].kind, VMM_KIND_IMAGE);
	assert_int_equal(s->regions[1].kind, VMM_KIND_PRIVATE_DATA);
	assert_int_equal(s->regions[2].kind, VMM_KIND_STACK);
	assert_int_equal(s->total.m.value[VMM_METRIC_SIZE], 156 << 10);
	assert_int_equal(s->total.m.value[VMM_METRIC_RSS], 32 << 10);
	assert_int_equal(s->total.m.value[VMM_METRIC_PRIVATE], 144 << 10);
	/* Fields of a kernel that has no guard pages: what is accessible is committed. */
	assert_true(s->total.m.known >> VMM_METRIC_COMMITTED & 1);
	assert_int_equal(s->total.m.value[VMM_METRIC_COMMITTED], 156 << 10);
	assert_string_equal(s->target.source, "capture");
	assert_int_equal(s->target.pid, 0);
	assert_int_equal(s->target.uid, -1);
	assert_int_equal(s->target.user_end, UINT64_C(0x7ffffffff000));
	assert_false(s->partial);
	assert_true(noted(s, "missing"));
	assert_true(noted(s, "guessed"));
	for (uint32_t i = 0; i < s->account_count; i++)
		assert_false(s->accounts[i].kernel_known);
	vmm_snapshot_destroy(s);
}

/* From Linux 6.6 on smaps tells KSM; whether guard pages are there (6.13) is unknown then, and so is what they bear on. */
static void new_kernels_may_have_guard_pages(void **state)
{
	static const char text[] = "1000-3000 rw-p 00000000 00:00 0\nSize: 8 kB\nRss: 8 kB\nPrivate_Dirty: 8 kB\nAnonymous: 8 kB\nKSM: 0 kB\n"
	                           "VmFlags: rd wr mr mw me ac\n";
	struct vmm_snapshot *s = take_text(text);

	assert_false(s->total.m.known >> VMM_METRIC_COMMITTED & 1);
	assert_true(noted(s, "guards"));
	vmm_snapshot_destroy(s);
	s = take_text("==> /proc/9/smaps <==\n1000-3000 rw-p 00000000 00:00 0\nSize: 8 kB\nRss: 8 kB\nPrivate_Dirty: 8 kB\nAnonymous: 8 kB\n"
	              "KSM: 0 kB\nSwap: 0 kB\nVmFlags: rd wr mr mw me ac\n\n==> /proc/9/guards <==\n2000-3000\n");
	assert_true(s->total.m.known >> VMM_METRIC_COMMITTED & 1);
	assert_int_equal(s->total.m.value[VMM_METRIC_COMMITTED], 4096);
	assert_int_equal(s->target.pid, 9);
	vmm_snapshot_destroy(s);
}

static void check_with_status(struct vmm_snapshot *s)
{
	assert_int_equal(s->target.pid, 4711);
	assert_string_equal(s->target.name, "x");
	assert_int_equal(s->target.uid, 1000);
	assert_int_equal(s->target.state, 'T');
	assert_int_equal(s->vma_count, 4);
	assert_true(s->account_count >= 5);
	for (uint32_t i = 0; i < s->account_count; i++) {
		assert_true(s->accounts[i].sum_known && s->accounts[i].kernel_known);
		assert_int_equal(s->accounts[i].remainder, 0);
	}
	assert_string_equal(s->limits[0].id, "stack");
	assert_int_equal(s->limits[0].soft, 8 << 20);
	vmm_snapshot_destroy(s);
}

static char *with_carriage_returns(const char *text)
{
	char *out = malloc(2 * strlen(text) + 1), *to = out;

	for (; *text; text++) {
		if (*text == '\n')
			*to++ = '\r';
		*to++ = *text;
	}
	*to = '\0';
	return out;
}

static void status_and_limits_beside(void **state)
{
	static const char *const texts[] = {
	    SMAPS STATUS LIMITS,
	    STATUS LIMITS SMAPS,
	    "Welcome to x\n$ cat /proc/4711/smaps\n" SMAPS STATUS LIMITS,
	    "==> /proc/4711/smaps <==\n" SMAPS "\n==> /proc/4711/status <==\n" STATUS "\n==> /proc/4711/limits <==\n" LIMITS,
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char *dos = with_carriage_returns(texts[i]), *wide = malloc(2 * strlen(texts[i]) + 2);

		check_with_status(take_text(texts[i]));
		check_with_status(take_text(dos));
		/* As a Windows shell writes it. */
		memcpy(wide, "\xff\xfe", 2);
		for (size_t k = 0; k < strlen(texts[i]); k++) {
			wide[2 + 2 * k] = texts[i][k];
			wide[3 + 2 * k] = '\0';
		}
		check_with_status(take_bytes(wide, 2 * strlen(texts[i]) + 2, NULL));
		free(wide);
		free(dos);
	}
}

static void threads_have_stacks(void **state)
{
	/* The second thread's stack lies above a guard of one page. */
	struct vmm_snapshot *s = take_text(
	    "==> /proc/4711/smaps <==\n" CODE DATA
	    MAPPING("7e0000000000-7e0000001000 ---p 00000000 00:00 0", "4", "0", "0", "0", "0", "mr mw me")
	    MAPPING("7e0000001000-7e0000009000 rw-p 00000000 00:00 0", "32", "8", "0", "8", "8", "rd wr mr mw me ac") STACK
	    "\n==> /proc/4711/status <==\nName:\tx\nPid:\t4711\nThreads:\t2\n"
	    "\n==> /proc/4711/task/4711/syscall <==\n34 0x1 0x1 0x1 0x1 0x1 0x1 0x7ffff0020000 0x555500000100\n"
	    "\n==> /proc/4711/task/4711/comm <==\nx\n"
	    "\n==> /proc/4711/task/4712/syscall <==\n34 0x1 0x1 0x1 0x1 0x1 0x1 0x7e0000008800 0x555500000100\n"
	    "\n==> /proc/4711/task/4712/comm <==\nworker\n");

	assert_int_equal(s->thread_count, 2);
	assert_true(s->threads_complete);
	assert_string_equal(s->threads[1].name, "worker");
	assert_int_equal(s->threads[1].sp, UINT64_C(0x7e0000008800));
	assert_int_not_equal(s->threads[1].region, VMM_NONE);
	assert_int_equal(s->regions[s->threads[1].region].start, UINT64_C(0x7e0000000000));
	assert_int_equal(s->regions[s->threads[1].region].kind, VMM_KIND_STACK);
	vmm_snapshot_destroy(s);
}

static void a_cut_text_is_partial(void **state)
{
	static const char text[] = SMAPS;

	for (size_t n = strlen(CODE) + 10; n < sizeof(text) - 1; n += 7) {
		struct vmm_snapshot *s = take_bytes(text, n, NULL);

		/* At a border between mappings nothing shows. */
		if (n != strlen(CODE DATA) && n != strlen(CODE DATA OWN))
			assert_true(s->partial);
		assert_true(s->vma_count >= 1 && s->vma_count <= 4);
		vmm_snapshot_destroy(s);
	}
}

static void several_processes(void **state)
{
	static const char text[] = "==> /proc/12/smaps <==\n" CODE "\n==> /proc/34/smaps <==\n" CODE OWN "\n==> /proc/meminfo <==\nMemTotal: 1 kB\n";
	struct vmm_target *t = NULL;
	struct vmm_snapshot *s;
	struct vmm_err err;

	assert_int_equal(open_bytes(text, strlen(text), NULL, &t, &err), VMM_E_AMBIGUOUS);
	assert_non_null(strstr(err.text, "12, 34"));
	assert_int_equal(open_bytes(text, strlen(text), "56", &t, &err), VMM_E_NO_TARGET);
	s = take_bytes(text, strlen(text), "34");
	assert_int_equal(s->vma_count, 2);
	assert_int_equal(s->target.pid, 34);
	vmm_snapshot_destroy(s);
}

static void garbage_is_refused(void **state)
{
	static const char *const texts[] = {"", "\n", "hello\n", "==> x <==\n", "==> /proc/1/smaps <==\n", STATUS, "Name:\tx\n", "\xff\xfe",
	                                    "==> /proc/1/smaps <==\n\n==> /proc/1/status <==\n" STATUS};
	struct vmm_target *t = NULL;
	struct vmm_err err;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_true(open_bytes(texts[i], strlen(texts[i]), NULL, &t, &err) < 0);
	assert_non_null(strstr(err.text, "empty"));
}

static void memory_can_run_out_anywhere(void **state)
{
	static const char text[] = "==> /proc/4711/smaps <==\n" SMAPS "\n==> /proc/4711/status <==\n" STATUS "\n==> /proc/4711/task/4711/comm <==\nx\n";
	struct vmm_take how = {.needs = VMM_NEED_DEFAULT | VMM_NEED_EXTRA | VMM_NEED_NUMA};
	struct vmm_snapshot *s = NULL;
	unsigned long n = 1;
	int rc;

	do {
		struct vmm_target *t = NULL;

		vmm_alloc_fail_after(n++);
		rc = open_bytes(text, strlen(text), NULL, &t, NULL);
		if (rc == 0) {
			rc = vmm_target_snapshot(t, &how, &s, NULL);
			vmm_target_close(t);
		}
		vmm_alloc_fail_after(0);
		assert_true(rc == 0 || rc == VMM_E_NOMEM);
	} while (rc < 0);
	assert_true(n > 20);
	vmm_snapshot_destroy(s);
}

#ifdef VMM_HAVE_ARCHIVE

struct tar {
	struct archive *a;
	size_t used;
	char bytes[1 << 18];
};

static void tar_begin(struct tar *t)
{
	t->a = archive_write_new();
	t->used = 0;
	archive_write_set_format_ustar(t->a);
	assert_int_equal(archive_write_open_memory(t->a, t->bytes, sizeof(t->bytes), &t->used), ARCHIVE_OK);
}

static void tar_add(struct tar *t, const char *path, unsigned type, const char *text)
{
	struct archive_entry *e = archive_entry_new();

	archive_entry_set_pathname(e, path);
	archive_entry_set_filetype(e, type);
	archive_entry_set_perm(e, 0444);
	archive_entry_set_mtime(e, 1000000000, 0);
	if (type == AE_IFLNK)
		archive_entry_set_symlink(e, text);
	else
		archive_entry_set_size(e, (la_int64_t)strlen(text));
	assert_int_equal(archive_write_header(t->a, e), ARCHIVE_OK);
	if (type == AE_IFREG)
		assert_int_equal(archive_write_data(t->a, text, strlen(text)), (la_ssize_t)strlen(text));
	archive_entry_free(e);
}

static void tar_end(struct tar *t)
{
	archive_write_close(t->a);
	archive_write_free(t->a);
}

/* Links, paths that lead out, folders and files of no use do nothing; a link called exe is a text. */
static void tars_are_read(void **state)
{
	struct tar *t = malloc(sizeof(*t));
	struct vmm_snapshot *s;

	tar_begin(t);
	tar_add(t, "../../etc/smaps", AE_IFREG, "0-1000 rw-p 0 00:00 0\n");
	tar_add(t, "proc/4711/smaps", AE_IFREG, SMAPS);
	tar_add(t, "proc/4711/smaps", AE_IFREG, "1000-2000 rw-p 00000000 00:00 0\n");
	tar_add(t, "proc/4711/status", AE_IFREG, STATUS);
	tar_add(t, "proc/4711/maps", AE_IFLNK, "/etc/passwd");
	tar_add(t, "proc/4711/exe", AE_IFLNK, "/bin/x (deleted)");
	tar_add(t, "proc/4711/limits", AE_IFREG, LIMITS);
	tar_add(t, "proc/4711/task/4711", AE_IFDIR, "");
	tar_add(t, "proc/4711/environ", AE_IFREG, "SECRET=1");
	tar_add(t, "proc/uname", AE_IFREG, "x86_64\n");
	tar_add(t, "proc/sys/vm/mmap_min_addr", AE_IFREG, "65536\n");
	tar_end(t);
	s = take_bytes(t->bytes, t->used, NULL);
	assert_string_equal(s->target.exe, "/bin/x");
	assert_true(s->target.exe_deleted);
	assert_int_equal(s->target.min_address, 65536);
	assert_int_equal(s->taken_at.tv_sec, 1000000000);
	check_with_status(s);
	free(t);
}

/* tar(1) itself takes files of /proc for empty ones. */
static void empty_files_are_told(void **state)
{
	struct tar *t = malloc(sizeof(*t));
	struct vmm_target *target = NULL;
	struct vmm_err err;

	tar_begin(t);
	tar_add(t, "proc/4711/smaps", AE_IFREG, "");
	tar_add(t, "proc/4711/status", AE_IFREG, "");
	tar_end(t);
	assert_int_equal(open_bytes(t->bytes, t->used, NULL, &target, &err), VMM_E_FORMAT);
	assert_non_null(strstr(err.text, "empty"));
	free(t);
}

/* Cut anywhere: an error, or what came before. */
static void cut_tars(void **state)
{
	struct tar *t = malloc(sizeof(*t));
	size_t taken = 0;

	tar_begin(t);
	tar_add(t, "proc/4711/status", AE_IFREG, STATUS);
	tar_add(t, "proc/4711/smaps", AE_IFREG, SMAPS);
	tar_end(t);
	for (size_t n = 0; n < t->used; n += 100) {
		struct vmm_target *target = NULL;
		int rc = open_bytes(t->bytes, n, NULL, &target, NULL);

		assert_true(rc == 0 || rc == VMM_E_FORMAT);
		if (rc == 0) {
			struct vmm_snapshot *s = NULL;
			struct vmm_take how = {.needs = VMM_NEED_DEFAULT};

			assert_int_equal(vmm_target_snapshot(target, &how, &s, NULL), 0);
			vmm_snapshot_destroy(s);
			vmm_target_close(target);
			taken++;
		}
	}
	assert_true(taken > 0);
	free(t);
}

#endif

TEST_MAIN(cmocka_unit_test(paths_name_files), cmocka_unit_test(smaps_alone), cmocka_unit_test(new_kernels_may_have_guard_pages),
          cmocka_unit_test(status_and_limits_beside), cmocka_unit_test(threads_have_stacks), cmocka_unit_test(a_cut_text_is_partial),
          cmocka_unit_test(several_processes), cmocka_unit_test(garbage_is_refused), cmocka_unit_test(memory_can_run_out_anywhere)
#ifdef VMM_HAVE_ARCHIVE
              ,
          cmocka_unit_test(tars_are_read), cmocka_unit_test(empty_files_are_told), cmocka_unit_test(cut_tars)
#endif
)
