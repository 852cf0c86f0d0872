/* Text for the tests of the /proc parsers: seeds of the fuzzers, and the running kernel's files. */
#ifndef VMM_TESTS_TEST_PROC_H
#define VMM_TESTS_TEST_PROC_H

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The whole file, in a block of exactly its length so that a read past the end is seen; free() it. */
static inline char *read_all(const char *path, size_t *ret_length)
{
	size_t capacity = 1 << 20, length = 0;
	char *text = malloc(capacity), *exact;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_non_null(text);
	if (fd < 0)
		fail_msg("%s: %s", path, strerror(errno));
	while ((n = read(fd, text + length, capacity - length)) > 0)
		length += (size_t)n;
	assert_true(length < capacity);
	close(fd);
	exact = malloc(length ? length : 1);
	assert_non_null(exact);
	memcpy(exact, text, length);
	free(text);
	*ret_length = length;
	return exact;
}

/* One seed: "fuzz_stat/linux-6.18-i386". */
static inline char *seed(const char *name, size_t *ret_length)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/fuzz/corpus/%s", VMM_TESTS_DIR, name);
	return read_all(path, ret_length);
}

static inline char *proc_file(pid_t pid, const char *name, size_t *ret_length)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return read_all(path, ret_length);
}

/* A child that has stopped itself; child_end() ends it. */
static inline pid_t child_stopped(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
	return pid;
}

static inline void child_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static inline void assert_text(const char *bytes, size_t length, const char *expected)
{
	if (length != strlen(expected) || memcmp(bytes, expected, length) != 0)
		fail_msg("\"%.*s\" is not \"%s\"", (int)length, bytes, expected);
}

#endif
