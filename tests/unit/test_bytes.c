/*
 * Random access to plain, sparse and compressed files. The compressed ones are made by the programs gzip, zstd, lz4 and xz;
 * what must come out is what went in.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/base.h"
#include "source/bytes.h"

#define MIB (1u << 20)
#define SIZE (3 * MIB + 12345)

static const char *const programs[] = {"gzip", "zstd", "lz4", "xz"};

/* Zeros from 1 MiB to 2 MiB and in the last 12345 bytes; elsewhere bytes that do not pack well. */
static unsigned char *make_contents(void)
{
	unsigned char *p = calloc(1, SIZE);
	uint32_t x = 1;

	assert_non_null(p);
	for (size_t i = 0; i < 3 * MIB; i++) {
		x = x * 1664525 + 1013904223;
		if (i < MIB || i >= 2 * MIB)
			p[i] = (unsigned char)(x >> 24);
	}
	return p;
}

static int file_of(const void *bytes, size_t length)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, length), length);
	return fd;
}

/* -1: there is no such program. */
static int packed_by(const char *program, const void *bytes, size_t length)
{
	int in = file_of(bytes, length), out = memfd_create("packed", MFD_CLOEXEC), status;
	pid_t child;

	assert_true(out >= 0 && lseek(in, 0, SEEK_SET) == 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(in, 0);
		dup2(out, 1);
		/* Blocks of 64 KiB instead of 4 MiB: what is in a damaged one is lost. */
		execlp(program, program, "-c", strcmp(program, "lz4") == 0 ? "-B4" : (char *)NULL, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	close(in);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return out;
	close(out);
	return -1;
}

static size_t size_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (size_t)st.st_size;
}

static struct vmm_bytes *open_bytes(int fd)
{
	struct vmm_bytes *b = NULL;
	struct vmm_err err = {0};

	if (vmm_bytes_open(fd, &b, &err) != 0)
		fail_msg("%s", err.text);
	return b;
}

static void check_read(struct vmm_bytes *b, const unsigned char *truth, uint64_t offset, size_t length)
{
	unsigned char *got = malloc(length);
	size_t want = offset >= SIZE ? 0 : vmm_min_u64(length, SIZE - offset);

	assert_non_null(got);
	memset(got, 0xee, length);
	assert_int_equal(vmm_bytes_read(b, offset, got, length, NULL), want);
	assert_memory_equal(got, truth + (offset < SIZE ? offset : 0), want);
	free(got);
}

static void check_reads(struct vmm_bytes *b, const unsigned char *truth)
{
	uint32_t x = 7;

	check_read(b, truth, 100, 50);
	check_read(b, truth, 2 * MIB - 1, 3);
	check_read(b, truth, 0, 4096);
	for (int i = 0; i < 50; i++) {
		x = x * 1664525 + 1013904223;
		check_read(b, truth, x % SIZE, 1 + (x >> 8) % 100000);
	}
	check_read(b, truth, 0, SIZE);
	check_read(b, truth, SIZE - 5, 100);
	check_read(b, truth, SIZE, 1);
	check_read(b, truth, UINT64_MAX - 2, 8);
}

static void plain(void **state)
{
	unsigned char *truth = make_contents();
	struct vmm_bytes *b = open_bytes(file_of(truth, SIZE));
	uint64_t size = 0;

	check_reads(b, truth);
	assert_true(vmm_bytes_size(b, false, &size));
	assert_int_equal(size, SIZE);
	assert_string_equal(vmm_bytes_filter(b), "");
	assert_null(vmm_bytes_damage(b));
	vmm_bytes_close(b);
	free(truth);
}

static void holes_of_a_plain_file(void **state)
{
	int fd = memfd_create("holes", MFD_CLOEXEC);
	struct vmm_bytes *b;
	uint64_t start = 0, end = 0;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 16 * MIB), 0);
	assert_int_equal(pwrite(fd, "x", 1, 5 * MIB), 1);
	b = open_bytes(fd);
	assert_true(vmm_bytes_data(b, 0, &start, &end));
	/* tmpfs may back it with a huge page. */
	assert_true(start <= 5 * MIB && start >= 4 * MIB && end > 5 * MIB && end <= 6 * MIB);
	assert_false(vmm_bytes_data(b, end, &start, &end));
	assert_false(vmm_bytes_data(b, 16 * MIB, &start, &end));
	assert_false(vmm_bytes_data(b, UINT64_MAX, &start, &end));
	vmm_bytes_close(b);
}

/* Blocks of 512 bytes that the deleted temporary files of this process take on the disk. */
static uint64_t spooled_blocks(void)
{
	uint64_t blocks = 0;
	struct stat st;

	for (int fd = 3; fd < 64; fd++)
		if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 0 && (size_t)st.st_size == SIZE)
			blocks += (uint64_t)st.st_blocks;
	return blocks;
}

static void compressed(void **state)
{
	unsigned char *truth = make_contents();
	unsigned tried = 0;

	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		int fd = packed_by(programs[i], truth, SIZE);
		struct vmm_bytes *b;
		uint64_t size = 0, start = 0, end = 0;

		if (fd < 0) {
			print_message("no program %s\n", programs[i]);
			continue;
		}
		tried++;
		b = open_bytes(fd);
		assert_string_equal(vmm_bytes_filter(b), programs[i]);
		assert_false(vmm_bytes_size(b, false, &size));
		assert_true(vmm_bytes_data(b, 2 * MIB + 1, &start, &end));
		assert_int_equal(start, 2 * MIB + 1);
		check_reads(b, truth);
		assert_true(vmm_bytes_size(b, false, &size));
		assert_int_equal(size, SIZE);
		assert_null(vmm_bytes_damage(b));
		/* 2 MiB are no zeros; the rest takes no room, wherever the file system knows holes. */
		assert_in_range(spooled_blocks(), 1, (2 * MIB + 65536) / 512);
		if (vmm_bytes_data(b, MIB + 4096, &start, &end))
			assert_int_equal(start, 2 * MIB);
		vmm_bytes_close(b);

		b = open_bytes(packed_by(programs[i], truth, SIZE));
		assert_true(vmm_bytes_size(b, true, &size));
		assert_int_equal(size, SIZE);
		vmm_bytes_close(b);
	}
	assert_true(tried > 0);
	free(truth);
}

static void two_in_a_row(void **state)
{
	unsigned char *truth = make_contents();

	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		int first = packed_by(programs[i], truth, MIB + 17), second = packed_by(programs[i], truth + MIB + 17, SIZE - MIB - 17);
		unsigned char buffer[4096];
		struct vmm_bytes *b;
		ssize_t n;

		if (first < 0)
			continue;
		assert_true(lseek(second, 0, SEEK_SET) == 0);
		assert_true(lseek(first, 0, SEEK_END) > 0);
		while ((n = read(second, buffer, sizeof(buffer))) > 0)
			assert_int_equal(write(first, buffer, (size_t)n), n);
		close(second);
		b = open_bytes(first);
		check_reads(b, truth);
		assert_null(vmm_bytes_damage(b));
		vmm_bytes_close(b);
	}
	free(truth);
}

/* What is there is right and said to be cut, wherever the file ends. */
static void cut_short(void **state)
{
	unsigned char *truth = make_contents(), *got = malloc(SIZE);

	assert_non_null(got);
	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		int whole = packed_by(programs[i], truth, SIZE);
		size_t length = whole < 0 ? 0 : size_of(whole), usable = 0;

		for (size_t cut = 1; cut < length; cut += cut < 40 ? 1 : length / 23) {
			unsigned char *head = malloc(cut);
			struct vmm_bytes *b = NULL;
			struct vmm_err err = {0};
			uint64_t size = 0;
			int64_t n;
			int rc;

			assert_non_null(head);
			assert_int_equal(pread(whole, head, cut, 0), cut);
			rc = vmm_bytes_open(file_of(head, cut), &b, &err);
			free(head);
			if (rc < 0) {
				assert_int_equal(rc, VMM_E_FORMAT);
				assert_non_null(strstr(err.text, programs[i]));
				continue;
			}
			if (!*vmm_bytes_filter(b)) { /* cut inside the magic */
				assert_true(cut < 6);
				vmm_bytes_close(b);
				continue;
			}
			n = vmm_bytes_read(b, 0, got, SIZE, NULL);
			assert_in_range(n, 1, SIZE);
			assert_memory_equal(got, truth, n);
			assert_true(vmm_bytes_size(b, false, &size));
			assert_int_equal(size, n);
			/* Checksums at the very end may be missing without a byte being so. */
			if (n < SIZE)
				assert_non_null(vmm_bytes_damage(b));
			usable = vmm_max_u64(usable, (uint64_t)n);
			vmm_bytes_close(b);
		}
		if (whole >= 0) {
			assert_true(usable > SIZE / 2);
			close(whole);
		}
	}
	free(got);
	free(truth);
}

static void damaged_inside(void **state)
{
	unsigned char *truth = make_contents(), *got = malloc(SIZE);

	assert_non_null(got);
	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		int fd = packed_by(programs[i], truth, SIZE);
		unsigned char junk[4096];
		struct vmm_bytes *b;
		int64_t n;

		if (fd < 0)
			continue;
		memset(junk, 0xa5, sizeof(junk));
		assert_int_equal(pwrite(fd, junk, sizeof(junk), (off_t)(size_of(fd) / 2)), sizeof(junk));
		b = open_bytes(fd);
		n = vmm_bytes_read(b, 0, got, SIZE, NULL);
		/* gzip may go on for some bytes before it notices; what is half a MiB before that is right. */
		assert_in_range(n, MIB / 2, SIZE);
		assert_memory_equal(got, truth, MIB / 2);
		if (n < SIZE)
			assert_non_null(strstr(vmm_bytes_damage(b), programs[i]));
		vmm_bytes_close(b);
	}
	free(got);
	free(truth);
}

static void garbage_after_the_magic(void **state)
{
	static const char *const heads[] = {"\x1f\x8b\x08", "\x28\xb5\x2f\xfd", "\x04\x22\x4d\x18", ("\xfd" "7zXZ"), "\x5f\x2a\x4d\x18"};
	static const size_t lengths[] = {3, 4, 4, 6, 4};
	unsigned char bytes[300];

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct vmm_bytes *b = NULL;
		struct vmm_err err = {0};

		memset(bytes, 0xff, sizeof(bytes));
		memcpy(bytes, heads[i], lengths[i]);
		assert_int_equal(vmm_bytes_open(file_of(bytes, sizeof(bytes)), &b, &err), VMM_E_FORMAT);
		assert_null(b);
		assert_non_null(strstr(err.text, "cannot be unpacked beyond byte 0"));
	}
}

static void empty_ones(void **state)
{
	struct vmm_bytes *b = open_bytes(file_of("", 0));
	uint64_t size = 1;
	char c;

	assert_int_equal(vmm_bytes_read(b, 0, &c, 1, NULL), 0);
	assert_true(vmm_bytes_size(b, false, &size));
	assert_int_equal(size, 0);
	vmm_bytes_close(b);
	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		int fd = packed_by(programs[i], "", 0);

		if (fd < 0)
			continue;
		b = open_bytes(fd);
		assert_int_equal(vmm_bytes_read(b, 0, &c, 1, NULL), 0);
		assert_true(vmm_bytes_size(b, true, &size));
		assert_int_equal(size, 0);
		assert_null(vmm_bytes_damage(b));
		vmm_bytes_close(b);
	}
}

static void no_regular_file(void **state)
{
	struct vmm_bytes *b = NULL;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_int_equal(vmm_bytes_open(fd, &b, NULL), VMM_E_UNSUPPORTED);
	assert_int_equal(fcntl(fd, F_GETFD), -1); /* taken over and closed */
}

static void no_memory(void **state)
{
	struct vmm_bytes *b = NULL;
	int fd = file_of("abc", 3);

	vmm_alloc_fail_after(1);
	assert_int_equal(vmm_bytes_open(fd, &b, NULL), VMM_E_NOMEM);
	vmm_alloc_fail_after(0);
	assert_null(b);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* Opens what takes 3 MiB where there is room for one; 0 when all is as it must be. */
static int use_up_the_room(int fd, const unsigned char *truth)
{
	static unsigned char got[SIZE];
	struct vmm_bytes *b = NULL;
	struct vmm_err err = {0};
	uint64_t size;
	int64_t n;

	if (vmm_bytes_open(fd, &b, &err) != 0)
		return 1;
	if (vmm_bytes_read(b, 1000, got, 5000, &err) != 5000 || memcmp(got, truth + 1000, 5000) != 0)
		return 2;
	if (vmm_bytes_read(b, 3 * MIB - 10, got, 10, &err) != VMM_E_OUTPUT || !strstr(err.text, "TMPDIR"))
		return 3;
	n = vmm_bytes_read(b, 0, got, SIZE, &err);
	if (n < (int64_t)MIB / 2 || n >= 3 * MIB || memcmp(got, truth, (size_t)n) != 0)
		return 4;
	if (vmm_bytes_size(b, true, &size) || vmm_bytes_damage(b))
		return 5;
	if (vmm_bytes_read(b, 1000, got, 5000, &err) != 5000 || memcmp(got, truth + 1000, 5000) != 0)
		return 6;
	vmm_bytes_close(b);
	return 0;
}

static int child_result(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void files_may_not_grow(void **state)
{
	unsigned char *truth = make_contents();
	int fd = packed_by("gzip", truth, SIZE);
	struct rlimit limit = {MIB + 4096, MIB + 4096};
	pid_t child;

	if (fd < 0)
		TEST_SKIP("no program gzip");
	child = fork();
	assert_true(child >= 0);
	if (child == 0) /* SIGXFSZ would end it */
		_exit(setrlimit(RLIMIT_FSIZE, &limit) == 0 ? use_up_the_room(fd, truth) : 99);
	assert_int_equal(child_result(child), 0);
	close(fd);
	free(truth);
}

static void full_disk(void **state)
{
	unsigned char *truth = make_contents();
	int fd = packed_by("gzip", truth, SIZE), result;
	char folder[] = "/tmp/vmmap-test-XXXXXX";
	pid_t child;

	if (fd < 0)
		TEST_SKIP("no program gzip");
	assert_non_null(mkdtemp(folder));
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
		    mount("vmmap-test", folder, "tmpfs", 0, "size=1m") != 0)
			_exit(99);
		setenv("TMPDIR", folder, 1);
		_exit(use_up_the_room(fd, truth));
	}
	result = child_result(child);
	rmdir(folder);
	close(fd);
	free(truth);
	if (result == 99)
		TEST_SKIP("not permitted to mount a file system");
	assert_int_equal(result, 0);
}

static void no_folder(void **state)
{
	int fd = packed_by("gzip", "abc", 3);
	struct vmm_bytes *b = NULL;
	struct vmm_err err = {0};

	if (fd < 0)
		TEST_SKIP("no program gzip");
	setenv("TMPDIR", "/nonexistent/folder", 1);
	assert_int_equal(vmm_bytes_open(fd, &b, &err), VMM_E_OUTPUT);
	unsetenv("TMPDIR");
	assert_non_null(strstr(err.text, "/nonexistent/folder"));
}

TEST_MAIN(cmocka_unit_test(plain), cmocka_unit_test(holes_of_a_plain_file), cmocka_unit_test(compressed),
          cmocka_unit_test(two_in_a_row), cmocka_unit_test(cut_short), cmocka_unit_test(damaged_inside),
          cmocka_unit_test(garbage_after_the_magic), cmocka_unit_test(empty_ones), cmocka_unit_test(no_regular_file),
          cmocka_unit_test(no_memory), cmocka_unit_test(files_may_not_grow), cmocka_unit_test(full_disk),
          cmocka_unit_test(no_folder))
