/* Which process of a capture is asked for, and which files are its own and its machine's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/scan.h"
#include "source/capture.h"

/* By key, then by name; what came first stays first. */
static int by_name(const void *a, const void *b)
{
	const struct capture_file *const *x = a, *const *y = b;
	int c = strcmp((*x)->key, (*y)->key);

	if (!c)
		c = strcmp((*x)->name, (*y)->name);
	return c ? c : (*x > *y) - (*x < *y);
}

static bool is_map(const struct capture_file *f)
{
	return f->process && (strcmp(f->name, "smaps") == 0 || strcmp(f->name, "maps") == 0);
}

static const char *last_part(const char *key)
{
	const char *slash = strrchr(key, '/');

	return slash ? slash + 1 : key;
}

bool capture_set_has(const struct capture_set *set, const char *wanted)
{
	for (size_t i = 0; i < set->count; i++)
		if (is_map(&set->files[i]) && strcmp(last_part(set->files[i].key), wanted) == 0)
			return true;
	return false;
}

/* The key of the process that is asked for. */
static int choose(const struct capture_set *set, struct capture_file *const *files, const char *name, const char **ret_key,
                  struct vmm_err *err)
{
	char list[160] = "";
	size_t listed = 0;
	const char *found = NULL, *last = NULL;
	unsigned count = 0;

	for (size_t i = 0; i < set->count; i++) {
		const char *key = files[i]->key;

		if (!is_map(files[i]) || (last && strcmp(last, key) == 0))
			continue;
		last = key;
		if (set->wanted && strcmp(last_part(key), set->wanted) != 0)
			continue;
		found = key;
		if (count++ < 12 && listed < sizeof(list))
			listed += (size_t)snprintf(list + listed, sizeof(list) - listed, "%s%.32s", listed ? ", " : "", last_part(key));
	}
	if (count == 0 && set->empty)
		return vmm_fail(err, VMM_E_FORMAT, 0, "%s: the smaps in it is empty: tar takes files of /proc for empty ones; copy them with cat "
		                "first, as docs/captures.md shows", name);
	if (count == 0 && set->wanted)
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "%s: no smaps or maps of %s in it", name, set->wanted);
	if (count == 0)
		return vmm_fail(err, VMM_E_FORMAT, 0, "%s: no capture: no smaps or maps in it", name);
	if (count > 1)
		return vmm_fail(err, VMM_E_AMBIGUOUS, 0, "%s: it holds %u processes: %s%s; give one: %s@%s", name, count, list,
		                count > 12 ? ", ..." : "", name, last_part(found));
	*ret_key = found;
	return 0;
}

/* Whether a file is one of the machine that the process ran on: beside the process's folder, or in it. */
static bool is_machines(const struct capture_file *f, const char *key)
{
	size_t parent = (size_t)(last_part(key) - key);

	if (!f->machine)
		return false;
	parent -= parent > 0;
	if (strlen(f->key) == parent && strncmp(f->key, key, parent) == 0 && strcmp(f->key, key) != 0)
		return true;
	return strcmp(f->key, key) == 0 && !f->process;
}

static int compare_saved(const void *a, const void *b)
{
	const struct linux_saved_file *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c ? c : (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* Names of the machine's files get their slash: the set has room for it. */
static int collect(const struct capture_set *set, struct capture_file *const *files, const char *key, struct capture_process *ret,
                   struct vmm_err *err)
{
	size_t n = 0;

	ret->files = vmm_alloc_hook(NULL, (set->count ? set->count : 1) * sizeof(*ret->files));
	if (!ret->files)
		return vmm_fail_nomem(err);
	for (size_t i = 0; i < set->count; i++) {
		struct capture_file *f = files[i];
		bool machine = is_machines(f, key);

		if ((!machine && (!f->process || strcmp(f->key, key) != 0)) ||
		    (i && strcmp(f->key, files[i - 1]->key) == 0 && strcmp(f->name, files[i - 1]->name + (files[i - 1]->name[0] == '/')) == 0))
			continue;
		if (machine) {
			size_t length = strlen(f->name);
			char *slashed = vmm_alloc_hook(f->name, length + 2);

			if (!slashed)
				return vmm_fail_nomem(err);
			memmove(slashed + 1, slashed, length + 1);
			slashed[0] = '/';
			f->name = slashed;
		}
		if (!machine && strcmp(f->name, "smaps") == 0)
			ret->changed = f->changed;
		else if (!machine && strcmp(f->name, "maps") == 0 && !ret->changed.tv_sec)
			ret->changed = f->changed;
		ret->files[n++] = (struct linux_saved_file){f->name, f->bytes, f->length};
	}
	qsort(ret->files, n, sizeof(*ret->files), compare_saved);
	ret->saved = (struct linux_saved){ret->files, n};
	return 0;
}

/* "Pid:" of status, else the first number of stat, else the folder's name. */
static int32_t pid_of(const struct linux_saved *saved, const char *key)
{
	const struct linux_saved_file *f = linux_saved_find(saved, "status");
	struct vmm_scan all, line;
	uint64_t pid;

	all = f ? vmm_scan_init(f->bytes, f->length) : vmm_scan_init("", 0);
	while (vmm_scan_line(&all, &line))
		if (vmm_scan_text(&line, "Pid:\t") && vmm_scan_dec(&line, &pid) && pid <= INT32_MAX)
			return (int32_t)pid;
	f = linux_saved_find(saved, "stat");
	all = f ? vmm_scan_init(f->bytes, f->length) : vmm_scan_init(last_part(key), strlen(last_part(key)));
	return vmm_scan_dec(&all, &pid) && pid <= INT32_MAX ? (int32_t)pid : 0;
}

int capture_process_find(struct capture_set *set, const char *name, struct capture_process *ret, struct vmm_err *err)
{
	VMM_CLEANUP_FREE struct capture_file **files = vmm_alloc_hook(NULL, (set->count ? set->count : 1) * sizeof(struct capture_file *));
	const char *key = NULL;
	int rc;

	if (!files)
		return vmm_fail_nomem(err);
	for (size_t i = 0; i < set->count; i++)
		files[i] = &set->files[i];
	if (set->count)
		qsort(files, set->count, sizeof(struct capture_file *), by_name);
	rc = choose(set, files, name, &key, err);
	if (rc >= 0)
		rc = collect(set, files, key, ret, err);
	if (rc >= 0)
		ret->pid = pid_of(&ret->saved, key);
	return rc;
}
