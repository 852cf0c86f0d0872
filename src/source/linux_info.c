/* Who the target is: identity, counters, limits, cgroup. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/scan.h"
#include "source/linux.h"

#define PF_KTHREAD 0x00200000u /* Linux include/linux/sched.h */
#define SMALL_FILE (64 * 1024)
#define CMDLINE_MAX (128 * 1024)

const char *linux_cmdline(const struct linux_target *t, size_t limit, struct vmm_arena *arena)
{
	struct linux_text text;
	const char *copy;

	if (linux_target_file(t, "cmdline", limit, &text, NULL) < 0)
		return "";
	while (text.length && text.bytes[text.length - 1] == '\0')
		text.length--;
	for (size_t i = 0; i < text.length; i++)
		if (text.bytes[i] == '\0')
			text.bytes[i] = ' ';
	copy = vmm_arena_strndup(arena, text.bytes, text.length);
	linux_text_done(&text);
	return copy;
}

/* Boot time in seconds since the epoch, from /proc/stat; 0 when it is not told. */
static uint64_t boot_time(const struct linux_target *t)
{
	struct linux_text text;
	struct vmm_scan all, line;
	uint64_t seconds = 0;

	if (linux_machine_file(t, "stat", 1 << 20, &text, NULL) < 0)
		return 0;
	all = vmm_scan_init(text.bytes, text.length);
	while (vmm_scan_line(&all, &line))
		if (vmm_scan_text(&line, "btime ") && vmm_scan_dec(&line, &seconds))
			break;
	linux_text_done(&text);
	return seconds;
}

static void set_started(struct linux_target *t, struct vmm_target_info *info, uint64_t ticks)
{
	uint64_t boot = boot_time(t);
	long hz = t->saved ? linux_saved_ticks(t) : sysconf(_SC_CLK_TCK);

	if (boot == 0 || hz <= 0)
		return;
	info->started_at.tv_sec = (time_t)(boot + ticks / (uint64_t)hz);
	info->started_at.tv_nsec = (long)(ticks % (uint64_t)hz * (1000000000u / (uint64_t)hz));
	info->started_known = true;
}

/* The class of the running program decides the width of the target's pointers. */
static void set_class(struct linux_target *t, struct vmm_snapshot *s)
{
	VMM_CLEANUP_FD int fd = openat(t->dir_fd, "exe", O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct utsname name;
	unsigned char ident[20];

	if (fd < 0 || pread(fd, ident, sizeof(ident), 0) != (ssize_t)sizeof(ident) || memcmp(ident, ELFMAG, SELFMAG) != 0)
		return;
	t->bits = ident[EI_CLASS] == ELFCLASS32 ? 32 : 64;
	switch (ident[EI_DATA] == ELFDATA2MSB ? ident[18] << 8 | ident[19] : ident[19] << 8 | ident[18]) {
	case EM_386:
		s->target.arch = "i386";
		break;
	case EM_X86_64:
		s->target.arch = "x86_64";
		break;
	case EM_AARCH64:
		s->target.arch = "aarch64";
		break;
	case EM_ARM:
		s->target.arch = "arm";
		break;
	default:
		if (uname(&name) == 0)
			s->target.arch = vmm_arena_strdup(s->arena, name.machine);
	}
}

/* Where the program was entered tells the main program also when its file is gone or was never one. */
static void set_entry(struct linux_target *t, struct vmm_snapshot *s)
{
	struct linux_text text;

	if (linux_target_file(t, "auxv", SMALL_FILE, &text, NULL) < 0)
		return;
	if (!vmm_auxv_find(text.bytes, text.length, t->bits, AT_ENTRY, &s->target.entry))
		s->target.entry = 0;
	linux_text_done(&text);
}

static void set_exe(struct linux_target *t, struct vmm_snapshot *s)
{
	static const char deleted[] = " (deleted)";
	char path[8192];
	ssize_t n = readlinkat(t->dir_fd, "exe", path, sizeof(path));
	size_t suffix = sizeof(deleted) - 1;

	if (n <= 0)
		return;
	if ((size_t)n > suffix && memcmp(path + n - suffix, deleted, suffix) == 0) {
		n -= (ssize_t)suffix;
		s->target.exe_deleted = true;
	}
	s->target.exe = vmm_arena_strndup(s->arena, path, (size_t)n);
}

static int set_stat(struct linux_target *t, struct vmm_snapshot *s, struct vmm_err *err)
{
	struct vmm_stat_record stat;
	struct linux_text text;
	int rc = linux_target_file(t, "stat", SMALL_FILE, &text, err);

	if (rc < 0)
		return rc;
	if (vmm_stat_parse(text.bytes, text.length, &stat)) {
		s->target.name = vmm_arena_strndup(s->arena, stat.comm, stat.comm_length);
		s->target.state = linux_stop_state(t, t->pid, stat.state);
		s->target.ppid = (int32_t)stat.ppid;
		s->target.kernel_thread = (stat.flags & PF_KTHREAD) != 0;
		set_started(t, &s->target, stat.start_ticks);
	}
	linux_text_done(&text);
	return 0;
}

const char *linux_cgroup(const struct linux_target *t, struct vmm_arena *arena)
{
	struct linux_text text;
	const char *path, *copy = "";
	size_t length;
	bool v2;

	if (linux_target_file(t, "cgroup", SMALL_FILE, &text, NULL) < 0)
		return "";
	if (vmm_cgroup_memory_path(text.bytes, text.length, &path, &length, &v2))
		copy = vmm_arena_intern(arena, path, length);
	linux_text_done(&text);
	return copy;
}

int linux_fill_identity(struct linux_target *t, struct vmm_snapshot *s, struct vmm_err *err)
{
	int rc;

	s->target.source = t->base.ops->id;
	s->target.pid = t->pid;
	s->target.page_size = t->page_size;
	rc = set_stat(t, s, err);
	if (rc < 0 && (!t->saved || rc != VMM_E_GONE))
		return rc;
	s->target.cmdline = linux_cmdline(t, CMDLINE_MAX, s->arena);
	if (t->saved) {
		linux_saved_identity(t, s);
	} else {
		set_exe(t, s);
		set_class(t, s);
	}
	set_entry(t, s);
	s->target.cgroup = linux_cgroup(t, s->arena);
	s->target.bits = t->bits;
	if (!s->target.name || !s->target.cmdline || !s->target.exe || !s->target.cgroup || !s->target.arch)
		return vmm_fail_nomem(err);
	return 0;
}

int linux_fill_status(struct linux_target *t, struct vmm_snapshot *s, struct vmm_err *err)
{
	struct vmm_status_record status;
	struct linux_text text;
	int rc = linux_target_file(t, "status", SMALL_FILE, &text, err);

	if (rc < 0)
		return rc;
	vmm_status_parse(text.bytes, text.length, &status);
	memcpy(s->target.status, status.value, sizeof(status.value));
	s->target.status_known = status.known;
	s->target.uid = status.uid;
	s->target.ns_pid = status.ns_pid > 0 && status.ns_pid != t->pid ? (int32_t)status.ns_pid : 0;
	linux_text_done(&text);
	return 0;
}

/* Limits that bear on memory: the kernel's name, our id, what uses it up. */
static const struct {
	const char *kernel, *id, *text;
	int used; /* enum vmm_status_field or -1 */
} limit_table[] = {
	{"Max address space", "as", "RLIMIT_AS: whole address space", VMM_STATUS_VM_SIZE},
	{"Max data size", "data", "RLIMIT_DATA: private writable memory", VMM_STATUS_VM_DATA},
	{"Max stack size", "stack", "RLIMIT_STACK: main stack, default size of thread stacks", VMM_STATUS_VM_STK},
	{"Max locked memory", "memlock", "RLIMIT_MEMLOCK: locked memory", VMM_STATUS_VM_LCK},
	{"Max processes", "nproc", "RLIMIT_NPROC: threads and processes of its user", -1},
	{"Max core file size", "core", "RLIMIT_CORE: size of a core file", -1},
};

static void limit_add(struct vmm_snapshot *s, const struct vmm_limits_line *line)
{
	for (size_t i = 0; i < ARRAY_LEN(limit_table); i++) {
		struct vmm_limit *l = &s->limits[s->limit_count];
		int used = limit_table[i].used;

		if (strlen(limit_table[i].kernel) != line->name_length ||
		    memcmp(limit_table[i].kernel, line->name, line->name_length) != 0)
			continue;
		*l = (struct vmm_limit){.id = limit_table[i].id, .text = limit_table[i].text, .known = true, .soft = line->soft,
		                        .hard = line->hard, .bytes = line->bytes};
		if (used >= 0 && (s->target.status_known >> used & 1)) {
			l->used_known = true;
			l->used = s->target.status[used];
		}
		s->limit_count++;
		return;
	}
}

/* vm.max_map_count: the limit that many mappings run into; used is filled in when the mappings are counted. */
static void limit_add_map_count(const struct linux_target *t, struct vmm_snapshot *s)
{
	struct vmm_limit *l = &s->limits[s->limit_count++];
	uint64_t v = linux_number(t, "sys/vm/max_map_count");

	*l = (struct vmm_limit){.id = "max_map_count", .text = "vm.max_map_count: mappings of one process", .known = v != 0, .soft = v, .hard = v};
}

void linux_fill_limits(struct linux_target *t, struct vmm_snapshot *s)
{
	struct vmm_limits_line limit;
	struct vmm_scan all, line;
	struct linux_text text;

	s->limits = vmm_arena_array(s->arena, ARRAY_LEN(limit_table) + 1, sizeof(*s->limits));
	if (!s->limits)
		return;
	if (linux_target_file(t, "limits", SMALL_FILE, &text, NULL) >= 0) {
		all = vmm_scan_init(text.bytes, text.length);
		while (vmm_scan_line(&all, &line) && s->limit_count < ARRAY_LEN(limit_table))
			if (vmm_limits_parse_line(line.p, (size_t)(line.end - line.p), &limit))
				limit_add(s, &limit);
		linux_text_done(&text);
	}
	limit_add_map_count(t, s);
}
