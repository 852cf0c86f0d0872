/* Sessions as targets: FILE, FILE@N, FILE@last, FILE@14:05, FILE@pid:4711 (docs/session.md). */
#include "vmmap/session.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/err.h"
#include "model/build.h"
#include "session/read.h"
#include "source/source.h"

struct session_target {
	struct vmm_target base;
	struct vmm_session *session;
	uint32_t number;
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
	vmm_session_close(of(base)->session);
	free(base);
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
	rc = vmm_session_open(path, VMM_SESSION_READ, &t->session, err);
	if (rc == 0)
		rc = choose(t, selector, err);
	if (rc < 0) {
		session_close(&t->base);
		return rc;
	}
	*ret_target = &t->base;
	return 0;
}

static int session_load(struct vmm_target *base, const struct vmm_take *take, struct vmm_snapshot *s, struct vmm_err *err)
{
	return vmm_session_read(of(base)->session, of(base)->number, s, err);
}

static int no_memory(struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_UNSUPPORTED, 0,
	                "the session holds no memory of this snapshot: save it with --with-memory kind=heap, or all");
}

static int64_t session_read(struct vmm_target *base, uint64_t address, void *ret_bytes, size_t length, struct vmm_err *err)
{
	return no_memory(err);
}

static int session_pages(struct vmm_target *base, uint64_t start, uint64_t end, uint32_t flags, vmm_page_fn fn, void *arg,
                         struct vmm_err *err)
{
	return no_memory(err);
}

static int session_open_file(struct vmm_target *base, const struct vmm_vma *vma, struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_NO_TARGET, 0, "files of a session's targets are not looked for");
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
