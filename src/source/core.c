/* ELF cores as a source: what the kernel, gdb's gcore and others write of a process (core(5)). */
#include "source/core.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "source/files.h"
#include "source/source.h"

/*
 * A name with a slash is a path: whatever begins like an ELF file is ours, and open() says what is wrong with it. Other
 * names can be those of processes: only a core counts.
 */
static bool core_probe(const char *name)
{
	enum { TYPE_AT = 16, DATA_AT = 5, MSB = 2 };
	unsigned char head[TYPE_AT + 2];
	struct vmm_bytes *bytes;
	struct stat st;
	int64_t n = 0;
	int fd;

	if (!name[0] || name[strspn(name, "0123456789")] == '\0')
		return false;
	fd = vmm_file_open_named(AT_FDCWD, name, 0, &st);
	if (fd < 0)
		return false;
	/* What cannot be unpacked at all can be no other source's either: open() says why. */
	if (vmm_bytes_open(fd, &bytes, NULL) < 0)
		return true;
	n = vmm_bytes_read(bytes, 0, head, sizeof(head), NULL);
	vmm_bytes_close(bytes);
	if (n < 4 || memcmp(head, "\177ELF", 4) != 0)
		return false;
	return strchr(name, '/') || (n == sizeof(head) && head[head[DATA_AT] == MSB ? TYPE_AT + 1 : TYPE_AT] == VMM_ELF_CORE);
}

static void core_close(struct vmm_target *base)
{
	struct core_target *t = (struct core_target *)base;

	vmm_target_close(t->sidecar);
	core_files_close(t);
	vmm_bytes_close(t->bytes);
	for (size_t i = 0; i < t->name_count; i++) {
		free(t->names[i].raw);
		free(t->names[i].path);
	}
	free(t->path);
	free(t->segments);
	free(t->notes);
	free(t->threads);
	free(t->mapped);
	free(t->names);
	free(t->pieces);
	free(t);
}

static int open_bytes(struct core_target *t, const char *name, struct vmm_err *err)
{
	struct stat st;
	struct vmm_err why = {0};
	int fd = vmm_file_open_named(AT_FDCWD, name, 0, &st), rc;

	if (fd < 0)
		return vmm_fail(err, errno == EACCES ? VMM_E_DENIED : VMM_E_NO_TARGET, errno, "%s: %s", name, strerror(errno));
	t->written = st.st_mtim;
	rc = vmm_bytes_open(fd, &t->bytes, &why);
	/* All at once: the stacks lie at the very end, and only then is it known whether something is missing. */
	if (rc == 0)
		rc = vmm_bytes_unpack(t->bytes, &why);
	if (rc < 0)
		return vmm_fail(err, rc, why.os, "%s: %s", name, why.text);
	t->size_known = vmm_bytes_size(t->bytes, false, &t->size);
	return 0;
}

static int core_open(const char *name, const struct vmm_open *how, struct vmm_target **ret_target, struct vmm_err *err)
{
	struct core_target *t = vmm_alloc_hook(NULL, sizeof(*t));
	size_t length = strlen(name) + 1;
	int rc;

	if (!t)
		return vmm_fail_nomem(err);
	memset(t, 0, sizeof(*t));
	t->base.ops = &vmm_source_core;
	t->base.residency_unknown = true;
	t->base.unnamed = true;
	t->sysroot = how->sysroot;
	t->debug_dirs = how->debug_dirs;
	t->path = vmm_alloc_hook(NULL, length);
	rc = t->path ? 0 : vmm_fail_nomem(err);
	if (rc == 0) {
		memcpy(t->path, name, length);
		rc = open_bytes(t, name, err);
	}
	if (rc == 0)
		rc = core_load(t, err);
	if (rc == 0)
		rc = core_map(t, err);
	if (rc == 0)
		rc = core_sidecar_open(t, err);
	if (rc < 0) {
		core_close(&t->base);
		return rc;
	}
	*ret_target = &t->base;
	return 0;
}

const struct vmm_source_ops vmm_source_core = {
	.id = "core",
	.help = "an ELF core, also a compressed one",
	.probe = core_probe,
	.open = core_open,
	.close = core_close,
	.fill = core_fill,
	.read = core_read,
	.pages = core_pages,
	.open_file = core_open_file,
};
