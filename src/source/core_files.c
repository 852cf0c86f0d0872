/*
 * The files that a core's process had mapped: found below --sysroot, at their paths, by build-id, and taken only when
 * they are proved to be the same. What proves it stands in the core: the kernel stores the first page of every ELF
 * object (core(5), coredump_filter bit 4), and that has the build-id.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source/core.h"
#include "source/files.h"

/* Memory of the core where an object's first byte was. */
struct object {
	struct core_target *t;
	uint64_t address;
};

static bool read_object(void *arg, uint64_t offset, void *ret_bytes, size_t length)
{
	const struct object *o = arg;

	return offset <= UINT64_MAX - o->address && core_stored(o->t, o->address + offset, ret_bytes, length);
}

/* What is looked for, and whose file it is. */
struct search {
	struct core_name *name;
	struct vmm_file_identity want;
};

static bool accept_file(void *arg, int fd, bool named)
{
	struct search *search = arg;
	const struct vmm_file_identity *want = &search->want;
	struct core_name *n = search->name;
	struct vmm_file_identity found = {0};
	bool by_shape = want->id_length == 0;
	struct stat st;
	bool same = fstat(fd, &st) == 0 && st.st_size > 0 && vmm_file_identify_fd(fd, &found);

	same = same && want->id_length == found.id_length && memcmp(want->id, found.id, want->id_length) == 0 &&
	       (!by_shape || (memcmp(want->header, found.header, sizeof(found.header)) == 0 &&
	                      want->table_length == found.table_length && memcmp(want->table, found.table, found.table_length) == 0));
	vmm_file_identity_done(&found);
	/* What stands in a folder of debug files does not stand at the file's own path. */
	n->other |= !same && named;
	if (!same)
		return false;
	n->size = (uint64_t)st.st_size;
	n->by_shape = by_shape;
	n->error = 0;
	return true;
}

const struct core_name *core_file_of(struct core_target *t, uint32_t name)
{
	struct core_name *n = name < t->name_count ? &t->names[name] : NULL;
	const struct vmm_file_places places = {t->sysroot, t->debug_dirs};
	struct search search = {.name = n};
	char build_id[VMM_ELF_BUILD_ID_TEXT];
	struct object memory = {.t = t};

	if (!n || (n->looked && n->fd < 0))
		return NULL;
	if (n->looked)
		return n;
	n->looked = true;
	n->error = VMM_E_UNSUPPORTED;
	if (name >= CORE_FILES_MAX || n->header == VMM_NONE || n->backing == VMM_BACKING_DEVICE)
		return NULL;
	memory.address = t->pieces[n->header].start;
	if (vmm_file_identify(read_object, &memory, &search.want) && search.want.id_known) {
		vmm_elf_build_id_text(search.want.id, search.want.id_length, build_id);
		n->fd = vmm_file_find(&places, n->path, build_id, accept_file, &search);
		if (n->fd < 0 && n->other)
			n->error = VMM_E_NO_TARGET;
	}
	vmm_file_identity_done(&search.want);
	return n->fd >= 0 ? n : NULL;
}

int core_open_file(struct vmm_target *base, const struct vmm_vma *vma, struct vmm_err *err)
{
	struct core_target *t = (struct core_target *)base;
	size_t i = core_piece_at(t, vma->start);
	const struct core_name *n;
	char self[40];
	int fd;

	if (i == t->piece_count || t->pieces[i].start > vma->start || t->pieces[i].name == VMM_NONE)
		return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "%s: no file", vma->name);
	n = core_file_of(t, t->pieces[i].name);
	if (!n) {
		n = &t->names[t->pieces[i].name];
		return vmm_fail(err, n->error, 0, n->error == VMM_E_NO_TARGET ? "%s: another file stands there now" : "%s: the file is not at hand or cannot "
		                "be told to be the same", n->path);
	}
	/* A descriptor of its own: the caller moves and closes it. */
	snprintf(self, sizeof(self), "/proc/self/fd/%d", n->fd);
	fd = open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd >= 0 ? fd : vmm_fail(err, VMM_E_IO, errno, "%s: %s", n->path, strerror(errno));
}

void core_files_close(struct core_target *t)
{
	for (size_t i = 0; i < t->name_count; i++)
		vmm_close_fd(&t->names[i].fd);
}
