/* Processes of this machine: what can be told of each without a snapshot. */
#include "source/processes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/scan.h"
#include "source/linux.h"

#define SMALL_FILE (64 * 1024)
#define CMDLINE_MAX 4096

static int compare_pid(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return (x > y) - (x < y);
}

int vmm_process_pids(int32_t **ret_pids, size_t *ret_count, struct vmm_err *err)
{
	size_t count = 0, capacity = 0;
	int32_t *pids = NULL;
	DIR *dir = opendir("/proc");

	if (!dir)
		return vmm_fail(err, VMM_E_IO, errno, "/proc: %s; is it mounted?", strerror(errno));
	for (struct dirent *e; (e = readdir(dir));) {
		struct vmm_scan scan = vmm_scan_init(e->d_name, strlen(e->d_name));
		uint64_t pid;

		if (!vmm_scan_dec(&scan, &pid) || !vmm_scan_done(&scan) || pid == 0 || pid > INT32_MAX)
			continue;
		if (!vmm_grow(&pids, &capacity, count + 1, sizeof(*pids))) {
			closedir(dir);
			free(pids);
			return vmm_fail_nomem(err);
		}
		pids[count++] = (int32_t)pid;
	}
	closedir(dir);
	if (count)
		qsort(pids, count, sizeof(*pids), compare_pid);
	*ret_pids = pids;
	*ret_count = count;
	return 0;
}

/* status: who it is, and the counters that anybody may read. */
static int read_status(int dir_fd, struct vmm_arena *arena, struct vmm_process *p, struct vmm_err *err)
{
	struct vmm_status_record status;
	struct linux_text text;
	int rc = linux_read_file(dir_fd, "status", SMALL_FILE, &text, err);

	if (rc < 0)
		return rc;
	vmm_status_parse(text.bytes, text.length, &status);
	p->state = status.state;
	p->ppid = (int32_t)status.ppid;
	p->uid = status.uid;
	p->threads_known = status.known >> VMM_STATUS_THREADS & 1;
	p->threads = status.value[VMM_STATUS_THREADS];
	if (status.known >> VMM_STATUS_VM_SIZE & 1)
		vmm_metric_set(&p->m, VMM_METRIC_SIZE, status.value[VMM_STATUS_VM_SIZE]);
	if (status.known >> VMM_STATUS_VM_RSS & 1)
		vmm_metric_set(&p->m, VMM_METRIC_RSS, status.value[VMM_STATUS_VM_RSS] + status.value[VMM_STATUS_HUGETLB]);
	if (status.known >> VMM_STATUS_VM_SWAP & 1)
		vmm_metric_set(&p->m, VMM_METRIC_SWAP, status.value[VMM_STATUS_VM_SWAP]);
	if (status.name_length) {
		char *name = vmm_arena_strndup(arena, status.name, status.name_length);

		if (name)
			name[vmm_status_unescape(status.name, status.name_length, name)] = '\0';
		p->name = name;
	}
	linux_text_done(&text);
	return p->name ? 0 : vmm_fail_nomem(err);
}

/* No mm: a kernel thread or a zombie. All its numbers are 0 and known to be. */
static bool has_no_memory(const struct vmm_process *p)
{
	return !vmm_metric_known(&p->m, VMM_METRIC_SIZE);
}

static int read_rollup(int dir_fd, struct vmm_process *p)
{
	struct vmm_smaps_record record;
	struct linux_text text;
	struct vmm_metrics m = {0};
	int rc = linux_read_file(dir_fd, "smaps_rollup", SMALL_FILE, &text, NULL);

	if (rc < 0)
		return rc;
	if (text.length && vmm_smaps_rollup_parse(text.bytes, text.length, &record)) {
		linux_smaps_metrics(&record, &m);
		for (int i = 0; i < VMM_METRIC_COUNT; i++)
			if (m.known >> i & 1)
				vmm_metric_set(&p->m, i, m.value[i]);
	}
	linux_text_done(&text);
	return 0;
}

/* True when the last line of maps names the page in the kernel's half, which is no mapping of the process's own. */
static bool ends_in_vsyscall(const char *bytes, size_t length)
{
	static const char name[] = "[vsyscall]\n";
	size_t n = sizeof(name) - 1;

	return length >= n && memcmp(bytes + length - n, name, n) == 0;
}

static int count_mappings(int dir_fd, struct vmm_process *p)
{
	VMM_CLEANUP_FD int fd = openat(dir_fd, "maps", O_RDONLY | O_CLOEXEC);
	char buffer[16384];
	uint64_t lines = 0;
	bool vsyscall = false;
	ssize_t n;

	if (fd < 0)
		return linux_code(errno);
	/* The kernel ends each read on a whole line. */
	while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
		for (const char *at = buffer, *end = buffer + n; (at = memchr(at, '\n', (size_t)(end - at))); at++)
			lines++;
		vsyscall = ends_in_vsyscall(buffer, (size_t)n);
	}
	if (n < 0)
		return linux_code(errno);
	p->mappings = lines - vsyscall;
	p->mappings_known = true;
	return 0;
}

uint64_t vmm_max_map_count(void)
{
	return linux_number(NULL, "sys/vm/max_map_count");
}

int vmm_process_read(int32_t pid, uint32_t needs, struct vmm_arena *arena, struct vmm_process *ret, struct vmm_err *err)
{
	VMM_CLEANUP_FD int dir_fd = -1;
	struct linux_target t = {0};
	char path[32];
	int rc;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return linux_code(errno);
	t.dir_fd = dir_fd;
	memset(ret, 0, sizeof(*ret));
	ret->pid = pid;
	ret->cmdline = ret->cgroup = ret->missing = "";
	rc = read_status(dir_fd, arena, ret, err);
	if (rc < 0)
		return rc;
	if (needs & VMM_PROCESS_CMDLINE)
		ret->cmdline = linux_cmdline(&t, CMDLINE_MAX, arena);
	if (needs & VMM_PROCESS_CGROUP)
		ret->cgroup = linux_cgroup(&t, arena);
	if (!ret->cmdline || !ret->cgroup)
		return vmm_fail_nomem(err);
	if (has_no_memory(ret)) {
		ret->kernel_thread = ret->state != 'Z' && ret->state != 'X';
		vmm_metrics_zero(&ret->m);
		ret->mappings_known = true;
		return 0;
	}
	if (needs & VMM_PROCESS_ROLLUP)
		rc = read_rollup(dir_fd, ret);
	if (rc == 0 && needs & VMM_PROCESS_MAPPINGS)
		rc = count_mappings(dir_fd, ret);
	if (rc == VMM_E_DENIED)
		ret->missing = "not permitted: run as its user or root, or with CAP_PERFMON";
	return rc == VMM_E_GONE && faccessat(dir_fd, "stat", F_OK, 0) < 0 ? VMM_E_GONE : 0;
}
