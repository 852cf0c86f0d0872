/*
 * Files of /proc that were kept of one process and of its machine.
 * Layer: source. Plain data; who made it owns it, and it may be read by any number of threads.
 */
#ifndef VMM_SOURCE_LINUX_SAVED_H
#define VMM_SOURCE_LINUX_SAVED_H

#include <stddef.h>

struct linux_saved_file {
	const char *name; /* below /proc/PID: "smaps", "task/4712/stat"; of the machine, below /proc: "/sys/vm/max_map_count" */
	const char *bytes;
	size_t length;
};

struct linux_saved {
	const struct linux_saved_file *files; /* by rising name */
	size_t count;
};

/* NULL: it was not kept. */
const struct linux_saved_file *linux_saved_find(const struct linux_saved *saved, const char *name);
/* The first place in files whose name does not stand before prefix: names that begin so follow. */
size_t linux_saved_first(const struct linux_saved *saved, const char *prefix);

#endif
