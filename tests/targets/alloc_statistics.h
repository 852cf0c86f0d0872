/*
 * What the allocator that a program runs with says of itself, found at run time: the program is the same for all.
 * tcmalloc: alloc_tcmalloc.h. jemalloc: mallctl(). With T_ALLOC_FLUSH=1 in the environment threads give back what they
 * have cached.
 */
#ifndef VMM_TARGETS_ALLOC_STATISTICS_H
#define VMM_TARGETS_ALLOC_STATISTICS_H

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc_tcmalloc.h"

typedef int mallctl_function(const char *name, void *old, size_t *old_length, void *new, size_t new_length);

#ifdef ALLOC_JEMALLOC /* linked into the program */
mallctl_function mallctl;
#endif

static mallctl_function *find_mallctl(void)
{
#ifdef ALLOC_JEMALLOC
	return mallctl;
#else
	static mallctl_function *found;
	static int looked;
	void *symbol;

	/* The C library allocates to say that there is none: once is enough. */
	if (!looked) {
		looked = 1;
		symbol = dlsym(RTLD_DEFAULT, "mallctl");
		*(void **)&found = symbol;
	}
	return found;
#endif
}

/* To be called by each thread when it frees and allocates no more. */
static void flush_thread(void)
{
	const char *wanted = getenv("T_ALLOC_FLUSH");
	mallctl_function *ctl = find_mallctl();

	if (ctl && wanted && wanted[0] == '1')
		ctl("thread.tcache.flush", NULL, NULL, NULL, 0);
}

/* Gives back to the system what is free. */
static void give_back(void)
{
	mallctl_function *ctl = find_mallctl();

	if (ctl)
		ctl("arena.4096.purge", NULL, NULL, NULL, 0); /* of all arenas */
}

static unsigned thread_arena(void)
{
	mallctl_function *ctl = find_mallctl();
	unsigned arena = 0;
	size_t length = sizeof(arena);

	return ctl && ctl("thread.arena", &arena, &length, NULL, 0) == 0 ? arena : 0;
}

static unsigned long long jemalloc_number(mallctl_function *ctl, const char *name)
{
	size_t value = 0, length = sizeof(value);

	return ctl(name, &value, &length, NULL, 0) == 0 ? value : 0;
}

static unsigned long long jemalloc_of_arena(mallctl_function *ctl, unsigned arena, const char *what)
{
	char name[80];

	snprintf(name, sizeof(name), "stats.arenas.%u.%s", arena, what);
	return jemalloc_number(ctl, name);
}

static unsigned long long jemalloc_of_class(mallctl_function *ctl, unsigned arena, const char *table, unsigned i, const char *what)
{
	char name[80];

	snprintf(name, sizeof(name), "%s.%u.%s", table, i, what);
	return jemalloc_of_arena(ctl, arena, name);
}

static unsigned jemalloc_unsigned(mallctl_function *ctl, const char *name)
{
	unsigned value = 0;
	size_t length = sizeof(value);

	return ctl(name, &value, &length, NULL, 0) == 0 ? value : 0;
}

static unsigned long long jemalloc_count(mallctl_function *ctl, unsigned arena)
{
	unsigned bins = jemalloc_unsigned(ctl, "arenas.nbins"), larges = jemalloc_unsigned(ctl, "arenas.nlextents");
	unsigned long long count = 0;

	for (unsigned i = 0; i < bins; i++)
		count += jemalloc_of_class(ctl, arena, "bins", i, "curregs");
	for (unsigned i = 0; i < larges; i++)
		count += jemalloc_of_class(ctl, arena, "lextents", i, "curlextents");
	return count;
}

static void say_jemalloc_arena(mallctl_function *ctl, unsigned i, void (*say_it)(const char *format, ...))
{
	say_it("%s{\"arena\": %u, \"count\": %llu", i ? ", " : "", i, jemalloc_count(ctl, i));
	say_it(", \"small\": %llu, \"large\": %llu", jemalloc_of_arena(ctl, i, "small.allocated"),
	       jemalloc_of_arena(ctl, i, "large.allocated"));
	say_it(", \"active\": %llu, \"dirty\": %llu, \"muzzy\": %llu", jemalloc_of_arena(ctl, i, "pactive") * 4096,
	       jemalloc_of_arena(ctl, i, "pdirty") * 4096, jemalloc_of_arena(ctl, i, "pmuzzy") * 4096);
	say_it(", \"retained\": %llu, \"base\": %llu, \"internal\": %llu, \"tcache\": %llu, \"mapped\": %llu}",
	       jemalloc_of_arena(ctl, i, "retained"), jemalloc_of_arena(ctl, i, "base"),
	       jemalloc_of_arena(ctl, i, "internal"), jemalloc_of_arena(ctl, i, "tcache_bytes"),
	       jemalloc_of_arena(ctl, i, "mapped"));
}

/* Says `"NAME": {...}` with the allocator's own numbers, or nothing where it has none. */
static void say_statistics(void (*say_it)(const char *format, ...))
{
	mallctl_function *ctl = find_mallctl();
	uint64_t epoch = 1;
	unsigned arenas;

	if (!ctl) {
		say_tcmalloc(say_it);
		return;
	}
	ctl("epoch", NULL, NULL, &epoch, sizeof(epoch));
	arenas = jemalloc_unsigned(ctl, "arenas.narenas");
	say_it(", \"jemalloc\": {\"allocated\": %llu, \"active\": %llu", jemalloc_number(ctl, "stats.allocated"),
	       jemalloc_number(ctl, "stats.active"));
	say_it(", \"metadata\": %llu, \"mapped\": %llu, \"retained\": %llu, \"arenas\": [", jemalloc_number(ctl, "stats.metadata"),
	       jemalloc_number(ctl, "stats.mapped"), jemalloc_number(ctl, "stats.retained"));
	for (unsigned i = 0; i < arenas; i++)
		say_jemalloc_arena(ctl, i, say_it);
	say_it("]}");
}

#endif
