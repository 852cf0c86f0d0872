/* Which files of a capture are of use, and of which process they are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/scan.h"
#include "source/capture.h"

#define PATH_MAX_BYTES 4096
#define PARTS_MAX 64
#define FILES_MAX 2000000
#define BYTES_MAX (UINT64_C(2) << 30)

/* Files that are read of a process, of a thread, and of the machine. */
static const char *const process_names[] = {"smaps",  "maps",   "status", "stat",      "cmdline",   "comm",
                                            "cgroup", "limits", "auxv",   "numa_maps", "mountinfo", "exe", "guards", "pages"};
static const char *const thread_names[] = {"comm", "stat", "status", "syscall", "robust_list"};
static const char *const machine_names[] = {"stat", "cmdline", "meminfo", "uname"};
static const struct {
	const char *folder, *name;
} sys_names[] = {{"vm", "max_map_count"}, {"vm", "mmap_min_addr"}, {"kernel", "arch"}, {"kernel", "osrelease"}};

struct part {
	const char *p;
	size_t length;
};

static bool part_is(const struct part *p, const char *text)
{
	return strlen(text) == p->length && memcmp(p->p, text, p->length) == 0;
}

static bool part_among(const struct part *p, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (part_is(p, names[i]))
			return true;
	return false;
}

static bool is_number(const struct part *p)
{
	for (size_t i = 0; i < p->length; i++)
		if (p->p[i] < '0' || p->p[i] > '9')
			return false;
	return p->length > 0 && p->length <= 10;
}

/* Splits at slashes; "." and empty parts are skipped. 0: "..", or too many parts. */
static size_t split(const char *path, size_t length, struct part parts[PARTS_MAX])
{
	const char *end = path + length;
	size_t count = 0;

	while (path < end) {
		const char *slash = memchr(path, '/', (size_t)(end - path));
		struct part p = {path, (size_t)((slash ? slash : end) - path)};

		path = slash ? slash + 1 : end;
		if (p.length == 0 || part_is(&p, "."))
			continue;
		if (part_is(&p, "..") || count == PARTS_MAX)
			return 0;
		parts[count++] = p;
	}
	return count;
}

/* The key is what stands in the path before its last take parts. */
static bool name_made(struct capture_name *r, const struct part *parts, size_t count, size_t take, bool process, bool machine)
{
	r->key = parts[0].p;
	r->key_length = count > take ? (size_t)(parts[count - take - 1].p + parts[count - take - 1].length - parts[0].p) : 0;
	r->process = process;
	r->machine = machine;
	return true;
}

bool capture_name_parse(const char *path, size_t length, struct capture_name *ret)
{
	struct part parts[PARTS_MAX];
	size_t n = length <= PATH_MAX_BYTES ? split(path, length, parts) : 0;
	const struct part *last = &parts[n ? n - 1 : 0];
	bool process, machine;

	if (n == 0)
		return false;
	if (n >= 3 && part_is(&parts[n - 3], "task")) {
		if (!is_number(&parts[n - 2]) || !part_among(last, thread_names, ARRAY_LEN(thread_names)))
			return false;
		snprintf(ret->name, sizeof(ret->name), "task/%.*s/%.*s", (int)parts[n - 2].length, parts[n - 2].p, (int)last->length, last->p);
		return name_made(ret, parts, n, 3, true, false);
	}
	for (size_t i = 0; n >= 3 && i < ARRAY_LEN(sys_names); i++)
		if (part_is(&parts[n - 3], "sys") && part_is(&parts[n - 2], sys_names[i].folder) && part_is(last, sys_names[i].name)) {
			snprintf(ret->name, sizeof(ret->name), "sys/%s/%s", sys_names[i].folder, sys_names[i].name);
			return name_made(ret, parts, n, 3, false, true);
		}
	process = part_among(last, process_names, ARRAY_LEN(process_names));
	machine = part_among(last, machine_names, ARRAY_LEN(machine_names));
	if (!process && !machine)
		return false;
	snprintf(ret->name, sizeof(ret->name), "%.*s", (int)last->length, last->p);
	return name_made(ret, parts, n, 1, process, machine);
}

/* The last part of a key: "4711" of "host/proc/4711". */
static struct part key_end(const char *key, size_t length)
{
	const char *slash = memrchr(key, '/', length);

	return slash ? (struct part){slash + 1, (size_t)(key + length - slash - 1)} : (struct part){key, length};
}

/* Files of other processes need not be kept once one is named. */
static bool unwanted(const struct capture_set *set, const struct capture_name *n)
{
	struct part end = key_end(n->key, n->key_length);

	return set->wanted && is_number(&end) && !part_is(&end, set->wanted);
}

static char *copy_text(const char *s, size_t length)
{
	char *copy = vmm_alloc_hook(NULL, length + 1);

	if (copy) {
		memcpy(copy, s, length);
		copy[length] = '\0';
	}
	return copy;
}

int capture_add(struct capture_set *set, const char *path, size_t path_length, char *bytes, size_t length, struct timespec changed,
                struct vmm_err *err)
{
	VMM_CLEANUP_FREE char *taken = bytes;
	struct capture_file *f;
	struct capture_name n;

	if (memchr(path, '\0', path_length) || !capture_name_parse(path, path_length, &n) || unwanted(set, &n))
		return 0;
	if (length == 0) {
		set->empty = set->empty || strcmp(n.name, "smaps") == 0 || strcmp(n.name, "maps") == 0;
		return 0;
	}
	if (set->count >= FILES_MAX || length > BYTES_MAX || set->bytes > BYTES_MAX - length)
		return vmm_fail(err, VMM_E_LIMIT, 0, "the capture is too large: more than 2 GiB or 2,000,000 files are of use in it");
	if (!vmm_grow(&set->files, &set->capacity, set->count + 1, sizeof(*set->files)))
		return vmm_fail_nomem(err);
	f = &set->files[set->count];
	*f = (struct capture_file){.key = copy_text(n.key, n.key_length), .name = copy_text(n.name, strlen(n.name)), .length = length,
	                           .process = n.process, .machine = n.machine, .changed = changed};
	if (!f->key || !f->name) {
		free(f->key);
		free(f->name);
		return vmm_fail_nomem(err);
	}
	f->bytes = taken;
	taken = NULL;
	set->bytes += length;
	set->count++;
	return 0;
}

void capture_set_done(struct capture_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		free(set->files[i].key);
		free(set->files[i].name);
		free(set->files[i].bytes);
	}
	free(set->files);
	*set = (struct capture_set){0};
}
