/* Numbers packed into blobs: seven bits a byte, the lowest first, the top bit set on all but the last byte (LEB128). */
#include "session/store.h"

#include <stdlib.h>
#include <string.h>

void vmm_pack_put(struct vmm_pack *p, uint64_t v)
{
	if (p->failed || !vmm_grow(&p->bytes, &p->capacity, p->used + 10, 1)) {
		p->failed = true;
		return;
	}
	for (; v >= 0x80; v >>= 7)
		p->bytes[p->used++] = (unsigned char)(v | 0x80);
	p->bytes[p->used++] = (unsigned char)v;
}

void vmm_pack_done(struct vmm_pack *p)
{
	free(p->bytes);
	*p = (struct vmm_pack){0};
}

uint64_t vmm_unpack_get(struct vmm_unpack *u)
{
	uint64_t v = 0;

	for (unsigned shift = 0; u->p < u->end && shift < 64; shift += 7) {
		unsigned char byte = *u->p++;

		if (shift == 63 && byte > 1)
			break;
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	u->failed = true;
	return 0;
}

void vmm_pack_sums(struct vmm_pack *p, const struct vmm_chunk_sums *sums)
{
	for (int i = 0; i < VMM_CHUNK_STATE_COUNT; i++) {
		vmm_pack_put(p, sums->of[i].count);
		vmm_pack_put(p, sums->of[i].bytes);
		vmm_pack_put(p, sums->of[i].rss);
	}
}

void vmm_unpack_sums(struct vmm_unpack *u, struct vmm_chunk_sums *ret)
{
	for (int i = 0; i < VMM_CHUNK_STATE_COUNT; i++) {
		ret->of[i].count = vmm_unpack_get(u);
		ret->of[i].bytes = vmm_unpack_get(u);
		ret->of[i].rss = vmm_unpack_get(u);
	}
}

/* 64 pairs of used and free, then whether all classes are there, their number, and size (as a step), used and free of each. */
void vmm_pack_sizes(struct vmm_pack *p, const struct vmm_heap_contents *c)
{
	uint64_t size = 0;

	for (int i = 0; i < 64; i++) {
		vmm_pack_put(p, c->used_log2[i]);
		vmm_pack_put(p, c->free_log2[i]);
	}
	vmm_pack_put(p, c->classes_complete);
	vmm_pack_put(p, c->class_count);
	for (uint32_t i = 0; i < c->class_count; i++) {
		vmm_pack_put(p, c->classes[i].size - size);
		vmm_pack_put(p, c->classes[i].used);
		vmm_pack_put(p, c->classes[i].free);
		size = c->classes[i].size;
	}
}

int vmm_unpack_sizes(struct vmm_unpack *u, struct vmm_arena *arena, struct vmm_heap_contents *ret)
{
	struct vmm_size_class *classes;
	uint64_t count, size = 0;

	for (int i = 0; i < 64; i++) {
		ret->used_log2[i] = vmm_unpack_get(u);
		ret->free_log2[i] = vmm_unpack_get(u);
	}
	ret->classes_complete = vmm_unpack_get(u) == 1;
	count = vmm_unpack_get(u);
	/* Each takes three bytes at least. */
	if (u->failed || count > (uint64_t)(u->end - u->p) / 3)
		return VMM_E_FORMAT;
	classes = vmm_arena_array(arena, count ? count : 1, sizeof(*classes));
	if (!classes)
		return VMM_E_NOMEM;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t step = vmm_unpack_get(u);

		if ((i && !step) || __builtin_add_overflow(size, step, &size))
			return VMM_E_FORMAT;
		classes[i] = (struct vmm_size_class){size, vmm_unpack_get(u), vmm_unpack_get(u)};
	}
	ret->classes = classes;
	ret->class_count = (uint32_t)count;
	return !u->failed && u->p == u->end ? 0 : VMM_E_FORMAT;
}
