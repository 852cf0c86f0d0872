/* A target made of arrays, for tests of what works on snapshots: mappings, memory and files as the test says. */
#ifndef VMM_TESTS_FAKE_TARGET_H
#define VMM_TESTS_FAKE_TARGET_H

#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "model/build.h"
#include "model/target.h"

#define FAKE_VMAS_MAX 64

struct fake_memory {
	uint64_t start, end; /* present pages; addresses outside all of them are absent */
	const unsigned char *bytes;
	uint32_t what; /* enum vmm_page bits; 0: VMM_PAGE_PRESENT */
};

struct fake_target {
	struct vmm_target base;
	struct vmm_vma vmas[FAKE_VMAS_MAX];
	int file[FAKE_VMAS_MAX]; /* descriptor behind a mapping, or the error that open_file gives */
	uint32_t vma_count;
	struct fake_memory memory[8]; /* by rising address */
	unsigned memory_count;
	int refuse;     /* error of read and pages; 0: none */
	unsigned opens; /* calls of open_file */
};

static int64_t fake_read(struct vmm_target *base, uint64_t address, void *ret_bytes, size_t length, struct vmm_err *err)
{
	struct fake_target *t = (struct fake_target *)base;

	if (t->refuse)
		return t->refuse;
	for (unsigned i = 0; i < t->memory_count; i++) {
		const struct fake_memory *m = &t->memory[i];

		if (address < m->start || address >= m->end)
			continue;
		length = length < m->end - address ? length : (size_t)(m->end - address);
		memcpy(ret_bytes, m->bytes + (address - m->start), length);
		return (int64_t)length;
	}
	return 0;
}

static int fake_pages(struct vmm_target *base, uint64_t start, uint64_t end, uint32_t flags, vmm_page_fn fn, void *arg,
                      struct vmm_err *err)
{
	struct fake_target *t = (struct fake_target *)base;
	int rc = t->refuse;

	for (unsigned i = 0; rc == 0 && i < t->memory_count; i++) {
		struct vmm_page_run run = {vmm_max_u64(start, t->memory[i].start), vmm_min_u64(end, t->memory[i].end),
		                           t->memory[i].what ? t->memory[i].what : VMM_PAGE_PRESENT};
		bool wanted = !(flags & VMM_PAGES_GUARDS) || run.what & VMM_PAGE_GUARD;

		if (wanted && run.start < run.end)
			rc = fn(arg, &run);
	}
	return rc;
}

static int fake_open_file(struct vmm_target *base, const struct vmm_vma *vma, struct vmm_err *err)
{
	struct fake_target *t = (struct fake_target *)base;

	t->opens++;
	for (uint32_t i = 0; i < t->vma_count; i++)
		if (t->vmas[i].start == vma->start)
			return t->file[i] < 0 ? t->file[i] : dup(t->file[i]);
	return VMM_E_NO_TARGET;
}

static const struct vmm_source_ops fake_ops = {
    .id = "fake", .read = fake_read, .pages = fake_pages, .open_file = fake_open_file};

/* Adds a mapping; call in rising order. file is a descriptor, or the error that opening it gives. */
static VMM_UNUSED struct vmm_vma *fake_map(struct fake_target *t, uint64_t start, uint64_t end, const char *prot,
                                           uint64_t offset, const char *name, int file)
{
	struct vmm_vma *v = &t->vmas[t->vma_count];

	t->base.ops = &fake_ops;
	t->file[t->vma_count++] = file;
	*v = (struct vmm_vma){.start = start, .end = end, .offset = offset, .name = name};
	v->prot = (prot[0] == 'r' ? VMM_PROT_READ : 0) | (prot[1] == 'w' ? VMM_PROT_WRITE : 0) |
	          (prot[2] == 'x' ? VMM_PROT_EXEC : 0) | (prot[3] == 's' ? VMM_PROT_SHARED : 0);
	v->backing = name[0] == '/' ? VMM_BACKING_FILE : VMM_BACKING_ANON;
	v->inode = name[0] == '/' ? 100 + strlen(name) : 0;
	v->dev_major = 8;
	return v;
}

/* A snapshot of the mappings; the caller destroys it. */
static VMM_UNUSED struct vmm_snapshot *fake_snapshot(struct fake_target *t, const char *exe)
{
	struct vmm_snapshot *s = vmm_snapshot_create();

	if (!s)
		return NULL;
	s->vmas = t->vmas;
	s->vma_count = t->vma_count;
	s->target.page_size = 4096;
	s->target.exe = exe;
	return s;
}

#endif
