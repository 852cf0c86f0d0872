#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (64 * 1024)

struct chunk {
	struct chunk *next;
	size_t used, size;
	alignas(max_align_t) char data[];
};

struct kept {
	struct kept *next;
	void *memory;
};

struct interned {
	struct interned *next;
	uint32_t hash;
	uint32_t length;
	const char *text;
};

/* Another arena that what lies in this one points into. */
struct other {
	struct other *next;
	struct vmm_arena *arena;
};

struct vmm_arena {
	unsigned holders; /* who made it, and the arenas that point into it: any thread may let go */
	struct other *others;
	struct chunk *chunks;
	struct kept *kept;
	struct interned **buckets;
	size_t bucket_count, interned_count;
};

static unsigned long fail_after; /* only tests write it; 0 = never */

void *vmm_alloc_hook(void *old, size_t size)
{
	if (fail_after) {
		if (fail_after == 1)
			return NULL;
		fail_after--;
	}
	return realloc(old, size);
}

void vmm_alloc_fail_after(unsigned long n)
{
	fail_after = n;
}

struct vmm_arena *vmm_arena_create(void)
{
	struct vmm_arena *a = vmm_alloc_hook(NULL, sizeof(*a));

	if (a) {
		memset(a, 0, sizeof(*a));
		a->holders = 1;
	}
	return a;
}

void vmm_arena_destroy(struct vmm_arena *a)
{
	struct chunk *c, *next;

	if (!a || __atomic_sub_fetch(&a->holders, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (struct other *o = a->others; o; o = o->next)
		vmm_arena_destroy(o->arena);
	for (struct kept *k = a->kept; k; k = k->next)
		free(k->memory);
	for (c = a->chunks; c; c = next) {
		next = c->next;
		free(c);
	}
	free(a->buckets);
	free(a);
}

static struct chunk *chunk_add(struct vmm_arena *a, size_t at_least)
{
	size_t size = at_least > CHUNK_BYTES / 4 ? at_least : CHUNK_BYTES;
	struct chunk *c;

	if (size > SIZE_MAX - sizeof(*c))
		return NULL;
	c = vmm_alloc_hook(NULL, sizeof(*c) + size);
	if (!c)
		return NULL;
	c->size = size;
	c->used = 0;
	/* A chunk of its own for a big block goes behind the current one, which still has room. */
	if (size != CHUNK_BYTES && a->chunks) {
		c->next = a->chunks->next;
		a->chunks->next = c;
	} else {
		c->next = a->chunks;
		a->chunks = c;
	}
	return c;
}

static void *arena_raw(struct vmm_arena *a, size_t size, size_t align)
{
	struct chunk *c = a->chunks;
	size_t at = c ? (c->used + align - 1) & ~(align - 1) : 0;

	if (!c || at > c->size || size > c->size - at) {
		c = chunk_add(a, size);
		if (!c)
			return NULL;
		at = 0;
	}
	c->used = at + size;
	return c->data + at;
}

void *vmm_arena_alloc(struct vmm_arena *a, size_t size)
{
	void *p = arena_raw(a, size, alignof(max_align_t));

	return p ? memset(p, 0, size) : NULL;
}

void *vmm_arena_array(struct vmm_arena *a, size_t count, size_t elem_size)
{
	size_t bytes;

	return __builtin_mul_overflow(count, elem_size, &bytes) ? NULL : vmm_arena_alloc(a, bytes);
}

char *vmm_arena_strndup(struct vmm_arena *a, const char *s, size_t length)
{
	char *p = length == SIZE_MAX ? NULL : arena_raw(a, length + 1, 1);

	if (!p)
		return NULL;
	memcpy(p, s, length);
	p[length] = '\0';
	return p;
}

char *vmm_arena_strdup(struct vmm_arena *a, const char *s)
{
	return vmm_arena_strndup(a, s, strlen(s));
}

char *vmm_arena_printf(struct vmm_arena *a, const char *format, ...)
{
	va_list ap, again;
	char small[256];
	char *p = NULL;
	int n;

	va_start(ap, format);
	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), format, ap);
	if (n >= 0 && (size_t)n < sizeof(small)) {
		p = vmm_arena_strndup(a, small, (size_t)n);
	} else if (n >= 0) {
		p = arena_raw(a, (size_t)n + 1, 1);
		if (p)
			vsnprintf(p, (size_t)n + 1, format, again);
	}
	va_end(again);
	va_end(ap);
	return p;
}

static uint32_t hash_bytes(const char *s, size_t length)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < length; i++)
		h = (h ^ (uint8_t)s[i]) * 16777619u;
	return h;
}

static bool buckets_grow(struct vmm_arena *a)
{
	size_t count = a->bucket_count ? a->bucket_count * 2 : 256;
	struct interned **fresh = vmm_alloc_hook(NULL, count * sizeof(*fresh));

	if (!fresh)
		return false;
	memset(fresh, 0, count * sizeof(*fresh));
	for (size_t i = 0; i < a->bucket_count; i++)
		for (struct interned *e = a->buckets[i], *next; e; e = next) {
			next = e->next;
			e->next = fresh[e->hash & (count - 1)];
			fresh[e->hash & (count - 1)] = e;
		}
	free(a->buckets);
	a->buckets = fresh;
	a->bucket_count = count;
	return true;
}

const char *vmm_arena_intern(struct vmm_arena *a, const char *s, size_t length)
{
	uint32_t hash = hash_bytes(s, length);
	struct interned *e;

	if (length > UINT32_MAX)
		return NULL;
	if (a->interned_count >= a->bucket_count && !buckets_grow(a))
		return NULL;
	for (e = a->buckets[hash & (a->bucket_count - 1)]; e; e = e->next)
		if (e->hash == hash && e->length == length && memcmp(e->text, s, length) == 0)
			return e->text;
	e = arena_raw(a, sizeof(*e), alignof(struct interned));
	if (!e)
		return NULL;
	e->text = vmm_arena_strndup(a, s, length);
	if (!e->text)
		return NULL;
	e->hash = hash;
	e->length = (uint32_t)length;
	e->next = a->buckets[hash & (a->bucket_count - 1)];
	a->buckets[hash & (a->bucket_count - 1)] = e;
	a->interned_count++;
	return e->text;
}

void *vmm_arena_adopt(struct vmm_arena *a, void *heap_array, size_t count, size_t elem_size)
{
	void *p = vmm_arena_array(a, count ? count : 1, elem_size);

	if (p && count)
		memcpy(p, heap_array, count * elem_size);
	free(heap_array);
	return p;
}

void *vmm_arena_keep(struct vmm_arena *a, void *heap_array)
{
	struct kept *k = arena_raw(a, sizeof(*k), alignof(struct kept));

	if (!k) {
		free(heap_array);
		return NULL;
	}
	k->memory = heap_array;
	k->next = a->kept;
	a->kept = k;
	return heap_array;
}

bool vmm_arena_hold(struct vmm_arena *a, struct vmm_arena *other)
{
	struct other *o = arena_raw(a, sizeof(*o), alignof(struct other));

	if (!o)
		return false;
	o->arena = other;
	o->next = a->others;
	a->others = o;
	__atomic_add_fetch(&other->holders, 1, __ATOMIC_RELAXED);
	return true;
}
