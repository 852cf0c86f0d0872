/* Heaps, images and threads that rows of VMMap name in their details. */
#include <string.h>

#include "base/scan.h"
#include "source/vmmap_build.h"

static bool number_behind(const char *text, const char *before, uint64_t *ret)
{
	const char *p = strstr(text, before);
	struct vmm_scan s = vmm_scan_init(p ? p + strlen(before) : "", p ? strlen(p + strlen(before)) : 0);

	return p && vmm_scan_dec(&s, ret);
}

static int add_heap(struct vmmap_build *b, struct vmm_region *r, const struct vmm_vmmap_row *top)
{
	struct vmm_snapshot *s = b->s;
	uint64_t id = top->heap_id;
	uint32_t i = 0;

	if (id == VMM_VMMAP_NO_ID && !number_behind(top->details, "Heap ID: ", &id))
		return 0;
	while (i < s->heap_count && b->heap_ids[i] != id)
		i++;
	if (i == VMMAP_HEAPS_MAX)
		return 0;
	if (i == s->heap_count) {
		struct vmm_heap *h = &s->heaps[i];

		*h = (struct vmm_heap){.id = vmm_arena_printf(s->arena, "%llu", (unsigned long long)id), .reader = "windows",
		                       .label = top->details[0] ? top->details : "Windows heap"};
		if (!h->id)
			return VMM_E_NOMEM;
		vmm_metrics_zero(&h->m);
		b->heap_ids[i] = id;
		s->heap_count++;
	}
	r->heap = i;
	vmm_metrics_add(&s->heaps[i].m, r->m);
	return 0;
}

/* "C:\a\b.dll": b.dll. */
static const char *base_name(const char *path)
{
	const char *back = strrchr(path, '\\'), *slash = strrchr(path, '/');

	return back && (!slash || back > slash) ? back + 1 : slash ? slash + 1 : path;
}

static void add_module(struct vmmap_build *b, struct vmm_region *r, const struct vmm_vmmap_row *top)
{
	struct vmm_snapshot *s = b->s;
	struct vmm_module *m = &s->modules[s->module_count];

	*m = (struct vmm_module){.start = r->start, .end = r->end, .path = r->path, .pie = (top->what & VMM_VMMAP_ASLR) != 0,
	                         .sections = true, .region = s->region_count, .bits = 0};
	m->program = s->target.name[0] && strcasecmp(base_name(r->path), s->target.name) == 0 && !s->target.exe[0];
	if (m->program)
		s->target.exe = r->path;
	r->module = s->module_count++;
}

static void add_thread(struct vmmap_build *b, struct vmm_region *r, const struct vmm_vmmap_row *top)
{
	struct vmm_snapshot *s = b->s;
	uint64_t id;

	if (!number_behind(top->details, "Thread ID: ", &id) || id > INT32_MAX)
		return;
	s->threads[s->thread_count] = (struct vmm_thread){.tid = (int32_t)id, .region = s->region_count};
	r->thread = s->thread_count++;
}

int vmmap_add_owner(struct vmmap_build *b, struct vmm_region *r, const struct vmm_vmmap_row *top)
{
	if (top->kind == VMM_KIND_IMAGE || top->kind == VMM_KIND_MAPPED_FILE)
		r->path = top->details;
	if (top->kind == VMM_KIND_IMAGE)
		add_module(b, r, top);
	else if (top->kind == VMM_KIND_STACK)
		add_thread(b, r, top);
	else if (top->kind == VMM_KIND_HEAP)
		return add_heap(b, r, top);
	return 0;
}

void vmmap_tell_name(struct vmm_snapshot *s)
{
	const char *found = NULL;

	for (uint32_t i = 0; i < s->module_count && !s->target.name[0]; i++) {
		const char *name = base_name(s->modules[i].path);
		size_t length = strlen(name);

		if (length < 5 || strcasecmp(name + length - 4, ".exe") != 0)
			continue;
		if (found)
			return;
		found = name;
	}
	if (!found)
		return;
	s->target.name = found;
	for (uint32_t i = 0; i < s->module_count; i++) {
		if (base_name(s->modules[i].path) == found) {
			s->modules[i].program = true;
			s->target.exe = s->modules[i].path;
		}
	}
}
