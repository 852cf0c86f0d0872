/* Sessions in files without a name, as what came through a pipe or over the network is kept. */
#include "session_sample.h"

#include <fcntl.h>

#define SNAPSHOTS 3

static int make(const char *name)
{
	const char *path = session_path(name);
	struct vmm_session *session = session_open(path, VMM_SESSION_CREATE);
	int fd;

	for (uint32_t i = 0; i < SNAPSHOTS; i++) {
		struct vmm_snapshot *s = session_process(1, 1000, i);

		assert_int_equal(vmm_session_add(session, s, NULL, NULL, NULL), 0);
		vmm_snapshot_destroy(s);
	}
	vmm_session_close(session);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	return fd;
}

static const char *path_of(int fd, char ret[32])
{
	snprintf(ret, 32, "/proc/self/fd/%d", fd);
	return ret;
}

static void check_all(struct vmm_session *session)
{
	for (uint32_t n = 1; n <= SNAPSHOTS; n++) {
		struct vmm_snapshot *s;

		assert_int_equal(vmm_session_load(session, n, &s, NULL), 0);
		assert_int_equal(s->region_count, 1000);
		assert_int_equal(s->taken_at.tv_sec, 2000000000 + n - 1);
		vmm_snapshot_destroy(s);
	}
}

static void several_are_read_at_once(void **state)
{
	int first = make("first"), second = make("second");
	char path[32];
	struct vmm_session *a = session_open(path_of(first, path), VMM_SESSION_READ), *again = session_open(path, VMM_SESSION_READ);
	struct vmm_session *b = session_open(path_of(second, path), VMM_SESSION_READ);

	/* What was opened stays so. */
	close(first);
	close(second);
	check_all(a);
	check_all(b);
	vmm_session_close(a);
	check_all(again);
	check_all(b);
	vmm_session_close(again);
	vmm_session_close(b);
}

static void half_a_file_is_an_error(void **state)
{
	int fd = make("half");
	off_t size = lseek(fd, 0, SEEK_END);
	struct vmm_session *session;
	struct vmm_snapshot *s;
	struct vmm_err err = {0};
	char path[32];
	int code;

	assert_int_equal(ftruncate(fd, size / 2), 0);
	code = vmm_session_open(path_of(fd, path), VMM_SESSION_READ, &session, &err);
	if (code == 0) {
		code = vmm_session_load(session, SNAPSHOTS, &s, &err);
		vmm_session_close(session);
	}
	assert_int_equal(code, VMM_E_FORMAT);
	close(fd);
}

TEST_MAIN(cmocka_unit_test(several_are_read_at_once), cmocka_unit_test(half_a_file_is_an_error))
