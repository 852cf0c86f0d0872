/* Which processes run: by name, by cgroup, by who started them; and what one holds at a glance. */
#include "vmmap/processes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/scan.h"
#include "source/linux.h"
#include "source/processes.h"

#define PF_KTHREAD 0x00200000u /* Linux include/linux/sched.h */
#define SMALL_FILE (64 * 1024)
#define CMDLINE_HEAD 4096
#define CGROUP_ROOT "/sys/fs/cgroup"

/* One process of a search. */
struct seen {
	struct vmm_process_id id;
	int32_t ppid;
	bool picked;
};

/* A file of /proc/PID that is small: into the caller's buffer, cut to it. Bytes read, or a code. */
static int64_t read_small(int dir_fd, const char *name, char *buffer, size_t size)
{
	VMM_CLEANUP_FD int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n;

	if (fd < 0)
		return linux_code(errno);
	do
		n = read(fd, buffer, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? linux_code(errno) : n;
}

static int open_process(int32_t pid)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? linux_code(errno) : fd;
}

static bool ended(char state)
{
	return state == 'Z' || state == 'X' || state == 'x';
}

static int read_stat(int dir_fd, char *buffer, size_t size, struct vmm_stat_record *ret)
{
	int64_t n = read_small(dir_fd, "stat", buffer, size);

	if (n < 0)
		return (int)n;
	return vmm_stat_parse(buffer, (size_t)n, ret) ? 0 : VMM_E_FORMAT;
}

/* statm: pages of size, resident, shared, text, 0, data and stack, 0. Source: Linux fs/proc/array.c, proc_pid_statm. */
static void read_statm(int dir_fd, struct vmm_glance *g)
{
	char buffer[256];
	int64_t n = read_small(dir_fd, "statm", buffer, sizeof(buffer));
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), pages[6];
	struct vmm_scan s = vmm_scan_init(buffer, n > 0 ? (size_t)n : 0);

	for (size_t i = 0; i < ARRAY_LEN(pages); i++, vmm_scan_blank(&s))
		if (!vmm_scan_dec(&s, &pages[i]) || pages[i] > UINT64_MAX / page)
			return;
	g->size = pages[0] * page;
	g->rss = pages[1] * page;
	g->data = pages[5] * page;
	/* All 0: a zombie, a kernel thread, or one that is just letting go of its memory. */
	g->known = pages[0] != 0;
}

int vmm_process_glance(int32_t pid, struct vmm_glance *ret, struct vmm_err *err)
{
	VMM_CLEANUP_FD int dir_fd = open_process(pid);
	struct vmm_stat_record stat;
	struct vmm_glance g = {0};
	char buffer[4096];
	size_t n;
	int rc = dir_fd < 0 ? dir_fd : read_stat(dir_fd, buffer, sizeof(buffer), &stat);

	if (rc < 0)
		return vmm_fail(err, rc, 0, "%d: %s", (int)pid, rc == VMM_E_GONE ? "no such process" : vmm_error_text(rc));
	g.id = (struct vmm_process_id){pid, stat.start_ticks};
	g.ppid = (int32_t)stat.ppid;
	g.state = stat.state;
	g.kernel_thread = (stat.flags & PF_KTHREAD) != 0;
	n = vmm_min_u64(stat.comm_length, sizeof(g.name) - 1);
	memcpy(g.name, stat.comm, n);
	if (!g.kernel_thread && !ended(g.state))
		read_statm(dir_fd, &g);
	*ret = g;
	return 0;
}

bool vmm_process_runs(const struct vmm_process_id *id, struct vmm_glance *ret)
{
	return vmm_process_glance(id->pid, ret, NULL) == 0 && ret->id.started == id->started && !ended(ret->state);
}

bool linux_is_named(int dir_fd, const char *comm, size_t comm_length, const char *name)
{
	char buffer[CMDLINE_HEAD];
	size_t wanted = strlen(name), length;
	const char *base;
	int64_t n;

	if (comm_length == wanted && memcmp(comm, name, wanted) == 0)
		return true;
	n = read_small(dir_fd, "cmdline", buffer, sizeof(buffer));
	if (n <= 0)
		return false;
	length = strnlen(buffer, (size_t)n);
	base = memrchr(buffer, '/', length);
	base = base ? base + 1 : buffer;
	length -= (size_t)(base - buffer);
	return length == wanted && length > 0 && memcmp(base, name, length) == 0;
}

/* Whether path is group or lies below it; the root group "/" holds all. */
static bool lies_in(const char *path, size_t length, const char *group)
{
	size_t n = strlen(group);

	if (n > 0 && group[n - 1] == '/')
		n--;
	return length >= n && memcmp(path, group, n) == 0 && (length == n || path[n] == '/');
}

static bool in_cgroup(int dir_fd, const char *group)
{
	char buffer[SMALL_FILE];
	int64_t n = read_small(dir_fd, "cgroup", buffer, sizeof(buffer));
	const char *path;
	size_t length;
	bool v2;

	return n > 0 && vmm_cgroup_memory_path(buffer, (size_t)n, &path, &length, &v2) && lies_in(path, length, group);
}

static bool fits(int dir_fd, const struct vmm_process_pick *pick, const struct vmm_process_id *id,
                 const struct vmm_stat_record *stat)
{
	for (size_t i = 0; i < pick->id_count; i++)
		if (pick->ids[i].pid == id->pid && pick->ids[i].started == id->started)
			return true;
	for (size_t i = 0; i < pick->name_count; i++)
		if (linux_is_named(dir_fd, stat->comm, stat->comm_length, pick->names[i]))
			return true;
	return pick->cgroup && in_cgroup(dir_fd, pick->cgroup);
}

/* False: it has ended, or is nothing that could be picked. */
static bool look_at(int32_t pid, const struct vmm_process_pick *pick, struct seen *ret)
{
	VMM_CLEANUP_FD int dir_fd = open_process(pid);
	struct vmm_stat_record stat;
	char buffer[4096];

	if (dir_fd < 0 || read_stat(dir_fd, buffer, sizeof(buffer), &stat) < 0)
		return false;
	if (stat.flags & PF_KTHREAD || ended(stat.state))
		return false;
	ret->id = (struct vmm_process_id){pid, stat.start_ticks};
	ret->ppid = (int32_t)stat.ppid;
	ret->picked = fits(dir_fd, pick, &ret->id, &stat);
	return true;
}

static int compare_seen(const void *key, const void *element)
{
	int32_t pid = *(const int32_t *)key, other = ((const struct seen *)element)->id.pid;

	return (pid > other) - (pid < other);
}

/* Each round reaches one generation further; there are no more of them than processes. */
static void pick_descendants(struct seen *seen, size_t count)
{
	bool more = true;

	for (size_t round = 0; more && round < count; round++) {
		more = false;
		for (size_t i = 0; i < count; i++) {
			const struct seen *parent;

			if (seen[i].picked)
				continue;
			parent = bsearch(&seen[i].ppid, seen, count, sizeof(*seen), compare_seen);
			seen[i].picked = parent && parent->picked;
			more = more || seen[i].picked;
		}
	}
}

int vmm_processes_find(const struct vmm_process_pick *pick, struct vmm_process_id **ret_ids, size_t *ret_count, struct vmm_err *err)
{
	VMM_CLEANUP_FREE int32_t *pids = NULL;
	VMM_CLEANUP_FREE struct seen *seen = NULL;
	struct vmm_process_id *ids;
	size_t pid_count = 0, count = 0, found = 0;
	int32_t self = (int32_t)getpid();
	int rc = vmm_process_pids(&pids, &pid_count, err);

	if (rc < 0)
		return rc;
	seen = vmm_alloc_hook(NULL, (pid_count ? pid_count : 1) * sizeof(*seen));
	ids = vmm_alloc_hook(NULL, (pid_count ? pid_count : 1) * sizeof(*ids));
	if (!seen || !ids) {
		free(ids);
		return vmm_fail_nomem(err);
	}
	for (size_t i = 0; i < pid_count; i++)
		count += look_at(pids[i], pick, &seen[count]);
	if (pick->descendants)
		pick_descendants(seen, count);
	for (size_t i = 0; i < count; i++)
		if (seen[i].picked && seen[i].id.pid != self)
			ids[found++] = seen[i].id;
	*ret_ids = ids;
	*ret_count = found;
	return 0;
}

static int path_of_process(int32_t pid, char **ret_path, struct vmm_err *err)
{
	VMM_CLEANUP_FD int dir_fd = open_process(pid);
	char buffer[SMALL_FILE];
	int64_t n = dir_fd < 0 ? dir_fd : read_small(dir_fd, "cgroup", buffer, sizeof(buffer));
	const char *path;
	size_t length;
	bool v2;

	if (n < 0)
		return vmm_fail(err, n == VMM_E_GONE ? VMM_E_NO_TARGET : (int)n, 0, "%d: its cgroup cannot be read: %s", (int)pid,
		                n == VMM_E_GONE ? "no such process" : vmm_error_text((int)n));
	if (!vmm_cgroup_memory_path(buffer, (size_t)n, &path, &length, &v2))
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "%d: it is in no cgroup that counts memory", (int)pid);
	*ret_path = vmm_alloc_hook(NULL, length + 1);
	if (!*ret_path)
		return vmm_fail_nomem(err);
	memcpy(*ret_path, path, length);
	(*ret_path)[length] = '\0';
	return 0;
}

int vmm_cgroup_path(const char *name, char **ret_path, struct vmm_err *err)
{
	static const char *const roots[] = {CGROUP_ROOT "/memory", CGROUP_ROOT "/unified", CGROUP_ROOT};
	struct vmm_scan s = vmm_scan_init(name, strlen(name));
	size_t length, skip = 0;
	uint64_t pid;
	char *path;

	if (vmm_scan_dec(&s, &pid) && vmm_scan_done(&s) && pid > 0 && pid <= INT32_MAX)
		return path_of_process((int32_t)pid, ret_path, err);
	for (size_t i = 0; i < ARRAY_LEN(roots) && skip == 0; i++)
		if (lies_in(name, strlen(name), roots[i]))
			skip = strlen(roots[i]);
	length = strlen(name + skip);
	while (length > 1 && name[skip + length - 1] == '/')
		length--;
	if (length > 0 && name[skip] != '/')
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "%.100s: no cgroup: give a PID in it, its folder below " CGROUP_ROOT
		                ", or its path as /proc/PID/cgroup has it", name);
	path = vmm_alloc_hook(NULL, length + 2);
	if (!path)
		return vmm_fail_nomem(err);
	memcpy(path, length ? name + skip : "/", length ? length : 1);
	path[length ? length : 1] = '\0';
	*ret_path = path;
	return 0;
}
