/* Writing captures: the files of a process's /proc, copied into a tar with what only system calls tell. */
#include "vmmap/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>
#ifdef VMM_HAVE_ARCHIVE
#include <archive.h>
#include <archive_entry.h>
#endif

#include "base/out.h"
#include "source/capture.h"
#include "source/linux.h"

int vmm_capture_owner_read(int32_t pid, struct vmm_capture_owner *ret, struct vmm_err *err)
{
	VMM_CLEANUP_FD int fd = -1;
	struct linux_text text;
	char path[32];
	struct stat st;
	int rc;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Linux fs/proc/base.c, task_dump_owner: root's when the process is not dumpable. The folder itself is always its user's. */
	if (fd < 0 || fstatat(fd, "status", &st, 0) != 0)
		return vmm_fail(err, errno == ENOENT ? VMM_E_NO_TARGET : linux_code(errno), errno, "%d: %s", pid, strerror(errno));
	rc = linux_read_file(fd, "comm", sizeof(ret->name) - 1, &text, err);
	if (rc < 0)
		return rc;
	if (text.length && text.bytes[text.length - 1] == '\n')
		text.length--;
	*ret = (struct vmm_capture_owner){.uid = st.st_uid, .gid = st.st_gid};
	memcpy(ret->name, text.bytes, text.length);
	linux_text_done(&text);
	return 0;
}

#ifdef VMM_HAVE_ARCHIVE

#define FILE_MAX ((size_t)1 << 30)
#define PAGE_RUNS_MAX 500000 /* some 16 MB of text */

struct capture_out {
	struct linux_target *t;
	struct archive *a;
	struct timespec now;
	uint32_t flags;
	struct vmm_err *err;
};

static int put(struct capture_out *o, const char *path, const char *bytes, size_t length)
{
	struct archive_entry *e = archive_entry_new();
	bool ok = e != NULL;

	if (ok) {
		archive_entry_set_pathname(e, path);
		archive_entry_set_filetype(e, AE_IFREG);
		archive_entry_set_perm(e, 0400);
		archive_entry_set_size(e, (la_int64_t)length);
		archive_entry_set_mtime(e, o->now.tv_sec, o->now.tv_nsec);
		ok = archive_write_header(o->a, e) == ARCHIVE_OK && archive_write_data(o->a, bytes, length) == (la_ssize_t)length;
	}
	archive_entry_free(e);
	if (!e)
		return vmm_fail_nomem(o->err);
	return ok ? 0 : vmm_fail(o->err, VMM_E_OUTPUT, archive_errno(o->a), "cannot write the capture: %s", archive_error_string(o->a));
}

/* A file below folder, as prefix/name. What cannot be read is left out; the code of that is returned. */
static int copy_from(struct capture_out *o, int dir_fd, const char *name, const char *path)
{
	struct linux_text text;
	int rc = linux_read_file(dir_fd, name, FILE_MAX, &text, NULL), put_rc = 0;

	if (rc < 0)
		return rc;
	if (text.length)
		put_rc = put(o, path, text.bytes, text.length);
	linux_text_done(&text);
	return put_rc;
}

static bool is_fatal(int rc)
{
	return rc == VMM_E_OUTPUT || rc == VMM_E_NOMEM;
}

static int copy_process(struct capture_out *o)
{
	static const char *const names[] = {"smaps", "status", "stat", "cmdline", "comm", "cgroup", "limits", "auxv", "mountinfo", "numa_maps"};
	char path[64], exe[4096];
	ssize_t n;
	int rc = 0, map = 0;

	for (size_t i = 0; i < ARRAY_LEN(names) && !is_fatal(rc); i++) {
		if (o->flags & VMM_CAPTURE_NO_ARGUMENTS && strcmp(names[i], "cmdline") == 0)
			continue;
		snprintf(path, sizeof(path), "proc/%d/%s", o->t->pid, names[i]);
		rc = copy_from(o, o->t->dir_fd, names[i], path);
		if (i == 0)
			map = rc;
	}
	snprintf(path, sizeof(path), "proc/%d/maps", o->t->pid);
	if (!is_fatal(rc) && map == VMM_E_GONE)
		map = copy_from(o, o->t->dir_fd, "maps", path); /* a kernel without smaps */
	if (is_fatal(rc) || is_fatal(map))
		return is_fatal(rc) ? rc : map;
	if (map < 0)
		return vmm_fail(o->err, map, 0, "%d: %s", o->t->pid,
		                map == VMM_E_DENIED ? "not permitted to read its map: run as its user or root, or give vmmap CAP_PERFMON"
		                                    : "the process ended while it was read");
	snprintf(path, sizeof(path), "proc/%d/exe", o->t->pid);
	n = readlinkat(o->t->dir_fd, "exe", exe, sizeof(exe));
	return n > 0 ? put(o, path, exe, (size_t)n) : 0;
}

static int copy_threads(struct capture_out *o, const struct vmm_snapshot *s)
{
	static const char *const names[] = {"comm", "stat", "syscall", "status"};
	int rc = 0;

	for (uint32_t i = 0; i < s->thread_count && !is_fatal(rc); i++) {
		const struct vmm_thread *th = &s->threads[i];
		char name[64], path[96], text[32];

		/* Its status is asked for numbers of other PID namespaces alone. */
		for (size_t k = 0; k < ARRAY_LEN(names) - !s->target.ns_pid && !is_fatal(rc); k++) {
			snprintf(name, sizeof(name), "task/%d/%s", th->tid, names[k]);
			snprintf(path, sizeof(path), "proc/%d/%s", o->t->pid, name);
			rc = copy_from(o, o->t->dir_fd, name, path);
		}
		if (is_fatal(rc) || !th->descriptor)
			continue;
		snprintf(path, sizeof(path), "proc/%d/task/%d/robust_list", o->t->pid, th->tid);
		rc = put(o, path, text, (size_t)snprintf(text, sizeof(text), "%llx\n", (unsigned long long)th->descriptor));
	}
	return is_fatal(rc) ? rc : 0;
}

static int add_guard(void *arg, const struct vmm_page_run *run)
{
	vmm_out_printf(arg, "%llx-%llx\n", (unsigned long long)run->start, (unsigned long long)run->end);
	return 0;
}

/* The list is there, with a heading, also when it is empty: then it is known that there are none. */
static int put_guards(struct capture_out *o, const struct vmm_snapshot *s)
{
	struct vmm_out *out = vmm_out_create_memory();
	VMM_CLEANUP_FREE char *text = NULL;
	uint64_t end = s->target.user_end;
	char path[64];
	size_t length;
	int rc;

	if (!out)
		return vmm_fail_nomem(o->err);
	vmm_out_text(out, "guard pages\n");
	rc = o->t->base.ops->pages(&o->t->base, 0, end, VMM_PAGES_GUARDS | VMM_PAGES_WHOLE, add_guard, out, NULL);
	for (uint32_t i = 0; rc == VMM_E_UNSUPPORTED && i < s->vma_count && s->vmas[i].start < end; i++) {
		int one = o->t->base.ops->pages(&o->t->base, s->vmas[i].start, s->vmas[i].end, VMM_PAGES_GUARDS, add_guard, out, NULL);

		if (one < 0 || i + 1 == s->vma_count || s->vmas[i + 1].start >= end) {
			rc = one;
			break;
		}
	}
	text = vmm_out_take(out, &length);
	if (!text)
		return vmm_fail_nomem(o->err);
	snprintf(path, sizeof(path), "proc/%d/guards", o->t->pid);
	return rc < 0 ? 0 : put(o, path, text, length);
}

/* A list of runs that is being written. */
struct page_list {
	struct vmm_out *out;
	struct vmm_page_run run; /* not written yet; start == end: none */
	size_t count;
};

static void flush_run(struct page_list *l)
{
	char letters[CAPTURE_LETTERS];

	if (l->run.start == l->run.end)
		return;
	capture_page_letters(l->run.what, letters);
	vmm_out_printf(l->out, "%llx-%llx %s\n", (unsigned long long)l->run.start, (unsigned long long)l->run.end, letters);
	l->count++;
}

static int add_page(void *arg, const struct vmm_page_run *run)
{
	struct page_list *l = arg;

	if (l->run.end == run->start && l->run.what == run->what && l->run.start < l->run.end) {
		l->run.end = run->end;
		return 0;
	}
	flush_run(l);
	l->run = *run;
	return l->count >= PAGE_RUNS_MAX;
}

/* What was resident: with it parts of mappings have numbers too. All of it or nothing, and nothing where it would be long. */
static int put_pages(struct capture_out *o, const struct vmm_snapshot *s)
{
	struct page_list l = {.out = vmm_out_create_memory()};
	VMM_CLEANUP_FREE char *text = NULL;
	char path[64];
	size_t length;
	int rc = 0;

	if (!l.out)
		return vmm_fail_nomem(o->err);
	vmm_out_text(l.out, "resident pages\n");
	for (uint32_t i = 0; rc == 0 && i < s->vma_count && s->vmas[i].start < s->target.user_end; i++)
		if (!vmm_vma_outside(s, &s->vmas[i]))
			rc = o->t->base.ops->pages(&o->t->base, s->vmas[i].start, s->vmas[i].end, VMM_PAGES_EXCLUSIVE, add_page, &l, NULL);
	flush_run(&l);
	text = vmm_out_take(l.out, &length);
	if (!text)
		return vmm_fail_nomem(o->err);
	snprintf(path, sizeof(path), "proc/%d/pages", o->t->pid);
	return rc ? 0 : put(o, path, text, length);
}

static int copy_machine(struct capture_out *o)
{
	static const char *const names[] = {"meminfo",          "stat", "cmdline", "sys/vm/max_map_count", "sys/vm/mmap_min_addr",
	                                    "sys/kernel/osrelease", "sys/kernel/arch"};
	struct utsname name;
	char from[64], machine[80];
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(names) && !is_fatal(rc); i++) {
		snprintf(from, sizeof(from), "/proc/%s", names[i]);
		rc = copy_from(o, AT_FDCWD, from, from + 1);
	}
	if (is_fatal(rc) || uname(&name) != 0)
		return is_fatal(rc) ? rc : 0;
	return put(o, "proc/uname", machine, (size_t)snprintf(machine, sizeof(machine), "%.64s\n", name.machine));
}

/* The counters of the memory cgroup: evidence of who set which limit, and how often it was reached. */
static int copy_cgroup(struct capture_out *o, const char *cgroup)
{
	static const char *const roots[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/sys/fs/cgroup/unified"};
	static const char *const names[] = {"memory.current",     "memory.stat", "memory.events", "memory.max", "memory.high", "memory.peak",
	                                    "memory.swap.current", "memory.usage_in_bytes", "memory.limit_in_bytes", "memory.failcnt",
	                                    "memory.oom_control"};
	int rc = 0;

	if (cgroup[0] != '/' || strstr(cgroup, "/.."))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(roots); i++)
		for (size_t k = 0; k < ARRAY_LEN(names) && !is_fatal(rc); k++) {
			char from[4096], to[96];

			if ((size_t)snprintf(from, sizeof(from), "%s%s/%s", roots[i], cgroup, names[k]) >= sizeof(from))
				continue;
			snprintf(to, sizeof(to), "proc/%d/cgroup.d/%s", o->t->pid, names[k]);
			rc = copy_from(o, AT_FDCWD, from, to);
		}
	return is_fatal(rc) ? rc : 0;
}

/* The map first: it changes. */
static int write_all(struct capture_out *o)
{
	struct vmm_take take = {.needs = VMM_NEED_MAPS | VMM_NEED_THREADS};
	struct vmm_snapshot *s = vmm_snapshot_create();
	int rc = s ? copy_process(o) : vmm_fail_nomem(o->err);

	if (rc == 0)
		rc = o->t->base.ops->fill(&o->t->base, &take, s, o->err);
	if (rc == 0)
		rc = copy_threads(o, s);
	if (rc == 0)
		rc = put_guards(o, s);
	if (rc == 0)
		rc = put_pages(o, s);
	if (rc == 0)
		rc = copy_cgroup(o, s->target.cgroup);
	if (rc == 0)
		rc = copy_machine(o);
	vmm_snapshot_destroy(s);
	return rc;
}

int vmm_capture_write(int32_t pid, int fd, uint32_t flags, struct vmm_err *err)
{
	struct capture_out o = {.flags = flags, .err = err};
	struct vmm_target *base;
	int rc = vmm_target_open_pid(pid, &base, err);

	if (rc < 0)
		return rc;
	o.t = (struct linux_target *)base;
	o.a = archive_write_new();
	clock_gettime(CLOCK_REALTIME, &o.now);
	if (!o.a) {
		rc = vmm_fail_nomem(err);
	} else {
		archive_write_set_format_pax_restricted(o.a);
		rc = archive_write_open_fd(o.a, fd) == ARCHIVE_OK ? write_all(&o) : vmm_fail_nomem(err);
		if (archive_write_close(o.a) != ARCHIVE_OK && rc == 0)
			rc = vmm_fail(err, VMM_E_OUTPUT, archive_errno(o.a), "cannot write the capture: %s", archive_error_string(o.a));
		archive_write_free(o.a);
	}
	vmm_target_close(base);
	return rc;
}

#else

int vmm_capture_write(int32_t pid, int fd, uint32_t flags, struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "this vmmap was built without libarchive, which writes captures");
}

#endif
