/* The source of captures: what was copied of /proc, read by the same code that reads the live process. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/scan.h"
#include "source/capture.h"
#include "source/linux.h"
#include "source/source.h"

struct capture_target {
	struct linux_target l; /* first: targets are cast */
	struct capture_process process;
	struct capture_set set;
	struct capture_runs guards, resident;
	bool beside; /* a core: memory and threads are its business */
};

/* x.tar@4711 names one of several processes, unless there is a file of that name. The copy is the caller's. */
static char *split_name(const char *name, const char **ret_wanted)
{
	const char *at = strrchr(name, '@');
	size_t length = strlen(name);
	struct stat st;
	char *copy = vmm_alloc_hook(NULL, length + 1);

	*ret_wanted = NULL;
	if (!copy)
		return NULL;
	memcpy(copy, name, length + 1);
	if (at && at > name && at[1] && stat(name, &st) != 0) {
		copy[at - name] = '\0';
		*ret_wanted = copy + (at - name) + 1;
	}
	return copy;
}

static bool folder_probe(const char *path)
{
	static const char *const holds[] = {"smaps", "maps", "proc"};
	char inside[4096];
	struct stat st;

	for (size_t i = 0; i < ARRAY_LEN(holds); i++)
		if ((size_t)snprintf(inside, sizeof(inside), "%s/%s", path, holds[i]) < sizeof(inside) && stat(inside, &st) == 0)
			return true;
	return false;
}

/* A number is a PID. */
static bool capture_probe(const char *name)
{
	const char *wanted;
	char *path;
	struct stat st;
	bool yes = false;

	if (!*name || name[strspn(name, "0123456789")] == '\0')
		return false;
	path = split_name(name, &wanted);
	if (path && stat(path, &st) == 0)
		yes = S_ISDIR(st.st_mode) ? folder_probe(path) : S_ISREG(st.st_mode) && capture_file_probe(path);
	free(path);
	return yes;
}

static void capture_close(struct vmm_target *base)
{
	struct capture_target *t = (struct capture_target *)base;

	capture_set_done(&t->set);
	free(t->process.files);
	free(t->guards.runs);
	free(t->resident.runs);
	free(t);
}

static int load(struct capture_set *set, const char *path, struct vmm_err *err)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return capture_load_folder(set, path, err);
	return capture_load_file(set, path, err);
}

static int capture_open(const char *name, const struct vmm_open *how, struct vmm_target **ret_target, struct vmm_err *err)
{
	struct capture_set set = {0};
	VMM_CLEANUP_FREE char *path = split_name(name, &set.wanted);
	int rc;

	if (!path)
		return vmm_fail_nomem(err);
	rc = load(&set, path, err);
	if (rc < 0) {
		capture_set_done(&set);
		return rc;
	}
	return capture_open_set(&set, path, ret_target, err);
}

/* Linux 6.13 has the first guard pages: what was told by an older one has none. smaps tells KSM from 6.6 on. */
static bool before_guards(const struct linux_saved *saved)
{
	const struct linux_saved_file *release = linux_saved_find(saved, "/sys/kernel/osrelease"), *smaps = linux_saved_find(saved, "smaps");
	uint64_t major, minor;

	if (release) {
		struct vmm_scan s = vmm_scan_init(release->bytes, release->length);

		if (vmm_scan_dec(&s, &major) && vmm_scan_char(&s, '.') && vmm_scan_dec(&s, &minor))
			return major < 6 || (major == 6 && minor < 13);
	}
	return smaps && memmem(smaps->bytes, vmm_min_u64(smaps->length, 65536), "\nPrivate_Dirty:", 15) &&
	       !memmem(smaps->bytes, vmm_min_u64(smaps->length, 65536), "\nKSM:", 5);
}

/* The lists that only vmmap writes. */
static int read_lists(struct capture_target *t, struct vmm_err *err)
{
	const struct linux_saved *saved = &t->process.saved;
	const struct linux_saved_file *guards = linux_saved_find(saved, "guards"), *pages = linux_saved_find(saved, "pages");
	int rc = guards ? capture_runs_read(&t->guards, guards->bytes, guards->length, true, err) : 0;

	if (rc == 0 && pages)
		rc = capture_runs_read(&t->resident, pages->bytes, pages->length, false, err);
	t->l.base.guards_told = guards || before_guards(saved);
	t->l.base.residency_told = pages != NULL;
	return rc;
}

int capture_open_set(struct capture_set *set, const char *name, struct vmm_target **ret_target, struct vmm_err *err)
{
	struct capture_target *t = vmm_alloc_hook(NULL, sizeof(*t));
	int rc;

	if (!t) {
		capture_set_done(set);
		return vmm_fail_nomem(err);
	}
	memset(t, 0, sizeof(*t));
	t->set = *set;
	*set = (struct capture_set){0};
	rc = capture_process_find(&t->set, name, &t->process, err);
	if (rc >= 0)
		rc = read_lists(t, err);
	if (rc < 0) {
		capture_close(&t->l.base);
		return rc;
	}
	t->l.base.ops = &vmm_source_capture;
	t->l.dir_fd = t->l.pid_fd = t->l.mem_fd = t->l.pagemap_fd = -1;
	t->l.saved = &t->process.saved;
	t->l.pid = t->process.pid;
	t->l.bits = linux_saved_bits(&t->l);
	t->l.page_size = linux_saved_page_size(&t->l);
	*ret_target = &t->l.base;
	return 0;
}

/* CORE.proc.tar and the like; also of core.zst what stands beside core. */
static bool find_beside(const char *core, char *ret_path, size_t size)
{
	static const char *const endings[] = {".proc.tar", ".proc.tar.zst", ".proc.tar.gz", ".proc.tar.xz", ".proc"};
	static const char *const packed[] = {".zst", ".gz", ".xz", ".lz4"};
	size_t length = strlen(core);
	struct stat st;

	for (size_t round = 0; round <= ARRAY_LEN(packed); round++) {
		size_t cut = round ? strlen(packed[round - 1]) : 0;

		if (cut && (length <= cut || strcmp(core + length - cut, packed[round - 1]) != 0))
			continue;
		for (size_t i = 0; i < ARRAY_LEN(endings); i++)
			if ((size_t)snprintf(ret_path, size, "%.*s%s", (int)(length - cut), core, endings[i]) < size && stat(ret_path, &st) == 0)
				return true;
	}
	return false;
}

int vmm_capture_beside(const char *core, int32_t pid, struct vmm_target **ret_target, struct vmm_err *err)
{
	struct capture_set set = {0};
	char path[4096], wanted[16];
	int rc;

	if (!find_beside(core, path, sizeof(path)))
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "no capture lies beside the core");
	rc = load(&set, path, err);
	if (rc < 0) {
		capture_set_done(&set);
		return rc == VMM_E_NO_TARGET ? VMM_E_FORMAT : rc;
	}
	snprintf(wanted, sizeof(wanted), "%d", pid);
	set.wanted = capture_set_has(&set, wanted) ? wanted : NULL;
	rc = capture_open_set(&set, path, ret_target, err);
	if (rc == 0)
		((struct capture_target *)*ret_target)->beside = true;
	return rc == VMM_E_NO_TARGET ? VMM_E_FORMAT : rc;
}

static void note_missing(const struct capture_target *t, struct vmm_snapshot *s)
{
	static const struct {
		const char *name, *gives;
	} files[] = {{"status", "accounts and limits in use"}, {"limits", "limits"}, {"stat", "start time"}, {"auxv", "width of pointers, entry point"}};
	char list[256] = "";
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (!linux_saved_find(&t->process.saved, files[i].name))
			at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s (%s)", at ? ", " : "", files[i].name, files[i].gives);
	if (at)
		vmm_snapshot_note(s, "capture", "missing", 0, "not in the capture, so not known: %s", list);
	if (s->needs & VMM_NEED_THREADS && !s->thread_count && !t->beside)
		vmm_snapshot_note(s, "capture", "threads", 0,
		                  "the capture holds no threads: their stacks are shown as Private Data; stat and syscall of task/* tell them");
	if (!t->beside)
		vmm_snapshot_note(s, "capture", "memory", 0,
	                  "a capture holds no memory: what is in heaps, and which mappings are theirs but for the brk heap, is not known");
	if (!t->l.base.guards_told)
		vmm_snapshot_note(s, "capture", "guards", 0,
		                  "guard pages of Linux 6.13 and later do not stand in smaps: committed bytes that they bear on are not known; "
		                  "'vmmap save --sidecar' keeps them");
}

/* True when the text ends in the middle of a mapping: its last one lacks what the first one has. */
static bool is_cut(const struct capture_target *t, const struct vmm_snapshot *s)
{
	const struct linux_saved_file *f = linux_saved_find(&t->process.saved, "smaps");
	const struct vmm_vma *first = s->vmas, *last = s->vmas + s->vma_count - 1;

	if (!f)
		f = linux_saved_find(&t->process.saved, "maps");
	if (!s->vma_count || !f || f->bytes[f->length - 1] != '\n')
		return true;
	return (first->m.known & ~last->m.known) != 0 || (first->vm_flags & ~last->vm_flags & VMM_VF_KNOWN) != 0;
}

static int fill_maps(struct capture_target *t, const struct vmm_take *take, struct vmm_snapshot *s, struct vmm_err *err)
{
	struct vmm_take all = *take;
	int rc;

	/* The text is there already: not reading it would save nothing. */
	if (linux_saved_find(&t->process.saved, "smaps"))
		all.needs |= VMM_NEED_SMAPS;
	s->needs = all.needs | VMM_NEED_MAPS;
	rc = linux_fill_maps(&t->l, &all, s, err);
	if (rc < 0)
		return rc;
	if (!s->vma_count)
		return vmm_fail(err, VMM_E_FORMAT, 0, "no capture: there is no mapping in its smaps or maps");
	if (is_cut(t, s)) {
		s->partial = true;
		vmm_snapshot_note(s, "capture", "cut", s->vmas[s->vma_count - 1].start,
		                  "the saved map ends in the middle of this mapping: what lies above it is missing");
	}
	return 0;
}

static void count_cpus(const struct capture_target *t, struct vmm_snapshot *s)
{
	const struct linux_saved_file *f = linux_saved_find(&t->process.saved, "/stat");
	struct vmm_scan all, line;
	uint64_t n;

	s->cpus = 1;
	if (!f)
		return;
	s->cpus = 0;
	all = vmm_scan_init(f->bytes, f->length);
	while (vmm_scan_line(&all, &line))
		s->cpus += vmm_scan_text(&line, "cpu") && vmm_scan_dec(&line, &n) && s->cpus < 65536;
	s->cpus += s->cpus == 0;
}

static int capture_fill(struct vmm_target *base, const struct vmm_take *take, struct vmm_snapshot *s, struct vmm_err *err)
{
	struct capture_target *t = (struct capture_target *)base;
	int rc = linux_fill_identity(&t->l, s, err);

	if (rc < 0)
		return rc;
	if (t->process.changed.tv_sec)
		s->taken_at = t->process.changed;
	count_cpus(t, s);
	rc = linux_fill_status(&t->l, s, err);
	if (rc == VMM_E_NOMEM)
		return rc;
	linux_fill_limits(&t->l, s);
	rc = fill_maps(t, take, s, err);
	if (rc < 0)
		return rc;
	linux_fill_space(&t->l, s);
	rc = linux_fill_backing(&t->l, s, err);
	if (rc >= 0 && take->needs & VMM_NEED_THREADS)
		rc = linux_fill_threads(&t->l, s, err);
	if (rc >= 0 && take->needs & VMM_NEED_NUMA) {
		rc = linux_fill_numa(&t->l, s, err);
		rc = rc == VMM_E_GONE ? 0 : rc;
	}
	if (rc >= 0)
		note_missing(t, s);
	return rc;
}

static int64_t capture_read(struct vmm_target *base, uint64_t address, void *ret_bytes, size_t length, struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "the target is a capture, which holds no memory");
}

/* Where guard pages are, and what was resident: lists that vmmap itself wrote. */
static int capture_pages(struct vmm_target *base, uint64_t start, uint64_t end, uint32_t flags, vmm_page_fn fn, void *arg,
                         struct vmm_err *err)
{
	const struct capture_target *t = (const struct capture_target *)base;

	if (flags & VMM_PAGES_GUARDS && base->guards_told)
		return capture_runs_walk(&t->guards, start, end, fn, arg);
	if (flags & VMM_PAGES_RESIDENT && base->residency_told)
		return capture_runs_walk(&t->resident, start, end, fn, arg);
	return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "the target is a capture, which holds no memory");
}

static int capture_open_file(struct vmm_target *base, const struct vmm_vma *vma, struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "%s: a capture does not prove which file that was", vma->name);
}

const struct vmm_source_ops vmm_source_capture = {
	.id = "capture",
	.help = "saved files of /proc: a smaps, a folder, a tar; FILE@PID where it holds several processes",
	.probe = capture_probe,
	.open = capture_open,
	.close = capture_close,
	.fill = capture_fill,
	.read = capture_read,
	.pages = capture_pages,
	.open_file = capture_open_file,
};
