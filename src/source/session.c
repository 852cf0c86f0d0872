/* Sessions as targets: FILE, FILE@N, FILE@last, FILE@14:05, FILE@pid:4711 (docs/session.md). */
#include "vmmap/session.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/search.h"
#include "model/build.h"
#include "session/memory.h"
#include "session/read.h"
#include "source/files.h"
#include "source/source.h"

/* An object whose file tells its build-id: what it is proved by when it is opened. */
struct session_module {
	uint64_t start, end;
	const char *path, *build_id;
};

struct session_target {
	struct vmm_target base;
	struct vmm_session *session;
	uint32_t number;
	struct vmm_stored *stored; /* NULL: no contents were kept */
	struct vmm_arena *arena;   /* of the two below, which come with the first load */
	struct session_module *modules;
	uint32_t module_count;
	struct vmm_vma *vmas; /* of images: where a page of a file is read */
	uint32_t vma_count;
	struct vmm_file_places places;
	bool imported; /* of a file that has no contents: nothing would give them; known after the first load */
	int fd; /* the file that was read last; -1 */
	const struct session_module *fd_module;
};

static struct session_target *of(struct vmm_target *t)
{
	return (struct session_target *)t;
}

/* An SQLite file that says it is ours, whatever else may be wrong with it. */
static bool is_session(const char *path)
{
	VMM_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	unsigned char head[100];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head))
		return false;
	return memcmp(head, "SQLite format 3", 16) == 0 && memcmp(head + 68, "VMMS", 4) == 0;
}

/* Parts of FILE@SELECTOR; a file whose own name holds an @ is taken at its name. False: this is no session. */
static bool split(const char *name, char **ret_path, const char **ret_selector)
{
	const char *at = strrchr(name, '@');
	size_t length = strlen(name);
	char *path;

	*ret_selector = "";
	if (access(name, F_OK) != 0 && at) {
		length = (size_t)(at - name);
		*ret_selector = at + 1;
	}
	path = vmm_alloc_hook(NULL, length + 1);
	if (!path)
		return false;
	memcpy(path, name, length);
	path[length] = '\0';
	if (!is_session(path)) {
		free(path);
		return false;
	}
	*ret_path = path;
	return true;
}

static bool session_probe(const char *name)
{
	VMM_CLEANUP_FREE char *path = NULL;
	const char *selector;

	/* A number is a PID; ./4711 is a file. */
	return name[strspn(name, "0123456789")] != '\0' && split(name, &path, &selector);
}

static void session_close(struct vmm_target *base)
{
	struct session_target *t = of(base);

	vmm_stored_close(t->stored);
	vmm_session_close(t->session);
	vmm_arena_destroy(t->arena);
	vmm_close_fd(&t->fd);
	free(t);
}

static int choose(struct session_target *t, const char *selector, struct vmm_err *err)
{
	struct vmm_session_index *index;
	int rc = vmm_session_index(t->session, &index, err);

	if (rc < 0)
		return rc;
	rc = vmm_session_find(index, selector, &t->number, err);
	vmm_session_index_destroy(index);
	return rc;
}

static int session_open(const char *name, const struct vmm_open *how, struct vmm_target **ret_target, struct vmm_err *err)
{
	VMM_CLEANUP_FREE char *path = NULL;
	const char *selector;
	struct session_target *t;
	int rc;

	if (!split(name, &path, &selector))
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "%.200s: no such session", name);
	t = vmm_alloc_hook(NULL, sizeof(*t));
	if (!t)
		return vmm_fail_nomem(err);
	memset(t, 0, sizeof(*t));
	t->base.ops = &vmm_source_session;
	t->fd = -1;
	t->places = (struct vmm_file_places){how->sysroot, how->debug_dirs};
	rc = vmm_session_open(path, VMM_SESSION_READ, &t->session, err);
	if (rc == 0)
		rc = choose(t, selector, err);
	if (rc == 0)
		rc = vmm_stored_open(t->session, t->number, &t->stored, err);
	if (rc == 0 && t->stored)
		t->base.residency_unknown = vmm_stored_residency_unknown(t->stored);
	if (rc < 0) {
		session_close(&t->base);
		return rc;
	}
	*ret_target = &t->base;
	return 0;
}

/* --- the snapshot --- */

/* What open_file() and read() go by, kept beyond the snapshot. */
static bool keep_modules(struct session_target *t, const struct vmm_snapshot *s)
{
	size_t files = 0;

	t->arena = vmm_arena_create();
	t->modules = t->arena ? vmm_arena_array(t->arena, s->module_count + 1, sizeof(*t->modules)) : NULL;
	for (uint32_t i = 0; i < s->vma_count; i++)
		files += s->vmas[i].backing == VMM_BACKING_FILE;
	t->vmas = t->modules ? vmm_arena_array(t->arena, files + 1, sizeof(*t->vmas)) : NULL;
	for (uint32_t i = 0; t->vmas && i < s->module_count; i++) {
		const struct vmm_module *m = &s->modules[i];
		struct session_module *kept = &t->modules[t->module_count];

		if (!m->build_id || !m->build_id[0] || m->path[0] != '/' || m->in_memory)
			continue;
		*kept = (struct session_module){.start = m->start, .end = m->end, .path = vmm_arena_strdup(t->arena, m->path),
		                                .build_id = vmm_arena_strdup(t->arena, m->build_id)};
		if (!kept->path || !kept->build_id)
			return false;
		t->module_count++;
	}
	for (uint32_t i = 0; t->vmas && i < s->vma_count; i++) {
		struct vmm_vma *kept = &t->vmas[t->vma_count];

		if (s->vmas[i].backing != VMM_BACKING_FILE)
			continue;
		*kept = s->vmas[i];
		kept->numa = NULL;
		kept->extra = NULL;
		kept->name = vmm_arena_intern(t->arena, kept->name, strlen(kept->name));
		if (!kept->name)
			return false;
		t->vma_count++;
	}
	return t->vmas != NULL;
}

static int session_load(struct vmm_target *base, const struct vmm_take *take, struct vmm_snapshot *s, struct vmm_err *err)
{
	struct session_target *t = of(base);
	int rc = vmm_session_read(t->session, t->number, s, err);

	t->imported = rc == 0 && strcmp(s->target.source, "vmmap") == 0;
	if (rc == 0 && !t->arena && !keep_modules(t, s))
		rc = vmm_fail_nomem(err);
	return rc;
}

/* --- files --- */

static const struct session_module *module_at(const struct session_target *t, uint64_t address)
{
	for (uint32_t i = 0; i < t->module_count; i++)
		if (address >= t->modules[i].start && address < t->modules[i].end)
			return &t->modules[i];
	return NULL;
}

static int session_open_file(struct vmm_target *base, const struct vmm_vma *vma, struct vmm_err *err)
{
	struct session_target *t = of(base);
	const struct session_module *m = module_at(t, vma->start);
	int fd;

	if (!m)
		return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "%.200s: nothing tells whether a file is the same", vma->name);
	fd = vmm_file_by_build_id(&t->places, m->path, m->build_id);
	return fd >= 0 ? fd : vmm_fail(err, VMM_E_NO_TARGET, 0, "%.200s: the file is not at hand, or another one stands there now", m->path);
}

/* --- memory --- */

static int no_memory(const struct session_target *t, struct vmm_err *err)
{
	if (t->imported)
		return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "a file of VMMap holds no contents of memory");
	return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "the session holds no memory of this snapshot: save it with --with-memory heap, or all");
}

/* A page of an object's file that the program did not change is what stands in the file. */
static int64_t read_file(struct session_target *t, uint64_t address, void *ret_bytes, size_t length)
{
	const struct session_module *m = module_at(t, address);
	size_t i = VMM_FIRST_ABOVE(t->vmas, t->vma_count, end, address);
	const struct vmm_vma *v = i < t->vma_count && t->vmas[i].start <= address ? &t->vmas[i] : NULL;
	uint64_t page = vmm_align_down(address, VMM_GRANULE_PAGE);
	uint32_t what = vmm_stored_page(t->stored, page);
	ssize_t n;

	if (!m || !v || strcmp(v->name, m->path) != 0 || (what & (VMM_PAGE_PRESENT | VMM_PAGE_FILE)) != (VMM_PAGE_PRESENT | VMM_PAGE_FILE))
		return 0;
	if (t->fd_module != m) {
		vmm_close_fd(&t->fd);
		t->fd = vmm_file_by_build_id(&t->places, m->path, m->build_id);
		t->fd_module = m;
	}
	if (t->fd < 0)
		return 0;
	length = (size_t)vmm_min_u64(length, page + VMM_GRANULE_PAGE - address);
	n = pread(t->fd, ret_bytes, length, (off_t)(v->offset + (address - v->start)));
	if (n <= 0)
		return 0;
	/* Behind the end of the file a page is zero. */
	memset((char *)ret_bytes + n, 0, length - (size_t)n);
	return (int64_t)length;
}

static int64_t session_read(struct vmm_target *base, uint64_t address, void *ret_bytes, size_t length, struct vmm_err *err)
{
	struct session_target *t = of(base);
	size_t done = 0;

	if (!t->stored)
		return no_memory(t, err);
	while (done < length) {
		int64_t n = vmm_stored_read(t->stored, address + done, (char *)ret_bytes + done, length - done, err);

		if (n == 0)
			n = read_file(t, address + done, (char *)ret_bytes + done, length - done);
		if (n <= 0)
			return done ? (int64_t)done : n;
		done += (size_t)n;
	}
	return (int64_t)done;
}

static int session_pages(struct vmm_target *base, uint64_t start, uint64_t end, uint32_t flags, vmm_page_fn fn, void *arg,
                         struct vmm_err *err)
{
	struct session_target *t = of(base);

	return t->stored ? vmm_stored_pages(t->stored, start, end, flags, fn, arg) : no_memory(t, err);
}

const struct vmm_source_ops vmm_source_session = {
    .id = "session",
    .help = "a session: snapshots that save or record kept",
    .probe = session_probe,
    .open = session_open,
    .close = session_close,
    .load = session_load,
    .read = session_read,
    .pages = session_pages,
    .open_file = session_open_file,
};
