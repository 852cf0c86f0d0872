/*
 * What gperftools tcmalloc says of itself, where a program runs with it. On SIGUSR1 it gives free memory back to the
 * system and prints the line "released".
 */
#ifndef VMM_TARGETS_ALLOC_TCMALLOC_H
#define VMM_TARGETS_ALLOC_TCMALLOC_H

#include <dlfcn.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

typedef int tcmalloc_property_function(const char *name, size_t *value);
typedef void tcmalloc_release_function(void);

#ifdef ALLOC_TCMALLOC /* linked into the program */
tcmalloc_property_function MallocExtension_GetNumericProperty;
tcmalloc_release_function MallocExtension_ReleaseFreeMemory;
#endif

static tcmalloc_release_function *tcmalloc_release;

static tcmalloc_property_function *find_tcmalloc(void)
{
#ifdef ALLOC_TCMALLOC
	tcmalloc_release = MallocExtension_ReleaseFreeMemory;
	return MallocExtension_GetNumericProperty;
#else
	void *property = dlsym(RTLD_DEFAULT, "MallocExtension_GetNumericProperty");
	void *release = property ? dlsym(RTLD_DEFAULT, "MallocExtension_ReleaseFreeMemory") : NULL;
	tcmalloc_property_function *f;

	*(void **)&f = property;
	*(void **)&tcmalloc_release = release;
	return f;
#endif
}

static void release_free_memory(int signal_number)
{
	static const char said[] = "released\n";

	tcmalloc_release();
	if (write(1, said, sizeof(said) - 1) < 0)
		_exit(1);
}

/* Says `, "tcmalloc": {...}`, or nothing where another allocator serves. */
static void say_tcmalloc(void (*say_it)(const char *format, ...))
{
	static const char *const names[] = {"generic.current_allocated_bytes", "generic.heap_size",
	                                    "tcmalloc.pageheap_free_bytes", "tcmalloc.pageheap_unmapped_bytes",
	                                    "tcmalloc.central_cache_free_bytes", "tcmalloc.transfer_cache_free_bytes",
	                                    "tcmalloc.thread_cache_free_bytes"};
	tcmalloc_property_function *property = find_tcmalloc();

	if (!property || !tcmalloc_release)
		return;
	say_it(", \"tcmalloc\": {");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t value = 0;

		property(names[i], &value);
		say_it("%s\"%s\": %zu", i ? ", " : "", names[i], value);
	}
	say_it("}");
	signal(SIGUSR1, release_free_memory);
}

#endif
