/*
 * google/tcmalloc: which memory is its own, by the names that it gives its regions (prctl PR_SET_VMA, Linux 5.17 with
 * CONFIG_ANON_VMA_NAME): tcmalloc_region_NORMAL, _COLD, _SAMPLED, _METADATA ... What is in them differs from build to build.
 * Bits 42 to 44 of the addresses tell regions apart as well, but other programs place memory there too: they prove nothing.
 *
 * Names: google/tcmalloc tcmalloc/internal/system_allocator.h, 2026.
 */
#include "reader/reader.h"

#include <string.h>

#include "base/arena.h"

#define NAME "[anon:tcmalloc_region_"
#define TAG_MAX 40

/* The tag of a region's mapping, with the bracket behind it, and its length; NULL: none. */
static const char *tag_of(const struct vmm_vma *v, size_t *ret_length)
{
	const char *tag = v->name + sizeof(NAME) - 1, *end;

	if (v->backing != VMM_BACKING_ANON || strncmp(v->name, NAME, sizeof(NAME) - 1) != 0)
		return NULL;
	end = strchr(tag, ']');
	*ret_length = end ? (size_t)(end - tag) : 0;
	return *ret_length && *ret_length <= TAG_MAX ? tag : NULL;
}

/* Mappings side by side with one name are one area: what is not in use yet may be inaccessible. */
static int add_region(struct vmm_reading *r, uint32_t *i, uint32_t heap, const char *tag, size_t length, struct vmm_err *err)
{
	const struct vmm_snapshot *s = r->snapshot;
	const struct vmm_vma *first = &s->vmas[*i];
	struct vmm_area area = {.start = first->start, .end = first->end, .heap = heap};

	while (*i + 1 < s->vma_count && s->vmas[*i + 1].start == area.end && strcmp(s->vmas[*i + 1].name, first->name) == 0)
		area.end = s->vmas[++*i].end;
	area.details = vmm_arena_printf(s->arena, "Google tcmalloc region %.*s", (int)length, tag);
	return area.details ? vmm_reading_add_area(r, &area, err) : vmm_fail_nomem(err);
}

static int google_tcmalloc_detect(struct vmm_reading *r, struct vmm_err *err)
{
	struct vmm_heap heap = {.id = "google_tcmalloc.0", .reader = "google_tcmalloc", .label = "Google tcmalloc"};
	uint32_t index = VMM_NONE;
	int rc = 0;

	for (uint32_t i = 0; i < r->snapshot->vma_count && rc == 0; i++) {
		size_t length = 0;
		const char *tag = tag_of(&r->snapshot->vmas[i], &length);

		if (!tag)
			continue;
		if (index == VMM_NONE)
			rc = vmm_reading_add_heap(r, &heap, NULL, &index, err);
		if (rc == 0)
			rc = add_region(r, &i, index, tag, length, err);
	}
	return rc;
}

const struct vmm_reader_ops vmm_reader_google_tcmalloc = {
	.id = "google_tcmalloc",
	.help = "tcmalloc of Google: its regions, where the kernel keeps their names",
	.detect = google_tcmalloc_detect,
};
