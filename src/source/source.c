#include "source/source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "source/input.h"

static const struct vmm_source_ops *const source_table[] = {
#define VMM_SOURCE(name) &vmm_source_##name,
#include "source/sources.def"
#undef VMM_SOURCE
};

int vmm_target_open(const char *name, struct vmm_target **ret_target, struct vmm_err *err)
{
	return vmm_target_open_with(name, NULL, ret_target, err);
}

/* The source that opens what was named; NULL: none does. */
static const struct vmm_source_ops *find_source(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(source_table); i++)
		if (source_table[i]->probe(name))
			return source_table[i];
	return NULL;
}

/* Errors call standard input by what the user called it, not by the file that it went through. */
static void rename_error(struct vmm_err *err, const char *path, const char *name)
{
	size_t length = strlen(path), suffix = strlen(name + 1);
	char rest[sizeof(err->text)];

	if (strncmp(err->text, path, length) != 0)
		return;
	if (strncmp(err->text + length, name + 1, suffix) == 0)
		length += suffix;
	snprintf(rest, sizeof(rest), "%s", err->text + length);
	snprintf(err->text, sizeof(err->text), "%.*s%.*s", 40, name, (int)(sizeof(err->text) - 41), rest);
}

static int open_by(const struct vmm_source_ops *source, const char *name, const struct vmm_open *how, struct vmm_target **ret_target,
                   struct vmm_err *err)
{
	int rc = source->open(name, how, ret_target, err);

	if (rc >= 0) {
		(*ret_target)->sysroot = how->sysroot;
		(*ret_target)->debug_dirs = how->debug_dirs;
	}
	return rc;
}

/* "-", or "-@3" for a snapshot of a session: what comes from standard input. */
static int open_input(const char *name, const struct vmm_open *how, struct vmm_target **ret_target, struct vmm_err *err)
{
	const struct vmm_source_ops *source;
	struct vmm_input input;
	size_t length;
	int rc = vmm_input_open(&input, err);

	if (rc < 0)
		return rc;
	length = strlen(input.path);
	snprintf(input.path + length, sizeof(input.path) - length, "%s", name + 1);
	source = find_source(input.path);
	rc = source ? open_by(source, input.path, how, ret_target, err)
	            : vmm_fail(err, VMM_E_FORMAT, 0, "%.40s: standard input is no core, session or other file that vmmap knows", name);
	input.path[length] = '\0';
	if (rc < 0 && err)
		rename_error(err, input.path, name);
	vmm_input_done(&input);
	return rc;
}

/* Copies the file's part of FILE@SNAPSHOT, or all of a name where such a file stands. False: it is too long. */
static bool file_of(const char *name, char *ret, size_t size)
{
	const char *at = strrchr(name, '@');
	size_t length = at && access(name, F_OK) != 0 ? (size_t)(at - name) : strlen(name);

	return length < size && snprintf(ret, size, "%.*s", (int)length, name) == (int)length;
}

/* Nobody knows the name: a file may have been meant. */
static int no_target(const char *name, struct vmm_err *err)
{
	char file[4096];
	struct stat st;

	if (!file_of(name, file, sizeof(file)) || (stat(file, &st) < 0 && !strpbrk(name, "./")))
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "%.200s: no running process has this name; 'vmmap ps' lists them", name);
	if (access(file, F_OK) != 0)
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "%.200s: no such file, and no running process has this name", name);
	if (S_ISDIR(st.st_mode))
		return vmm_fail(err, VMM_E_FORMAT, 0, "%.200s: is a folder, and no running process has this name", name);
	if (access(file, R_OK) != 0)
		return vmm_fail(err, VMM_E_DENIED, errno, "%.200s: the file cannot be read: %s", name, strerror(errno));
	if (S_ISREG(st.st_mode) && st.st_size == 0)
		return vmm_fail(err, VMM_E_FORMAT, 0, "%.200s: the file is empty", name);
	return vmm_fail(err, VMM_E_FORMAT, 0, "%.200s: the file is no core, session, capture or export of VMMap, and no running process has this name",
	                name);
}

int vmm_target_open_with(const char *name, const struct vmm_open *how, struct vmm_target **ret_target, struct vmm_err *err)
{
	static const struct vmm_open nowhere = {0};
	const struct vmm_source_ops *source;
	int rc;

	if (name[0] == '-' && (name[1] == '\0' || name[1] == '@'))
		return open_input(name, how ? how : &nowhere, ret_target, err);
	source = find_source(name);
	if (!source)
		return no_target(name, err);
	rc = open_by(source, name, how ? how : &nowhere, ret_target, err);
	/* The last one, which any name may be of. */
	if (rc == VMM_E_NO_TARGET && source == &vmm_source_linux_live && name[strspn(name, "0123456789")])
		return no_target(name, err);
	return rc;
}

int vmm_target_open_pid(int32_t pid, struct vmm_target **ret_target, struct vmm_err *err)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", pid);
	return vmm_target_open(name, ret_target, err);
}

void vmm_target_close(struct vmm_target *target)
{
	if (!target)
		return;
	vmm_target_resume(target, NULL);
	target->ops->close(target);
}

int vmm_target_stop(struct vmm_target *target, struct vmm_err *err)
{
	int rc;

	if (target->stopped)
		return 0;
	if (!target->ops->stop)
		return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "it does not run: there is nothing to stop");
	rc = target->ops->stop(target, err);
	target->stopped = rc >= 0;
	return rc;
}

bool vmm_target_runs(const struct vmm_target *target)
{
	return target->ops->stop != NULL;
}

bool vmm_target_is_stopped(const struct vmm_target *target)
{
	return target->stopped;
}

void vmm_target_resume(struct vmm_target *target, struct vmm_pause *ret_pause)
{
	struct vmm_pause pause = {0};

	if (target->stopped)
		target->ops->resume(target, &pause);
	target->stopped = false;
	if (ret_pause)
		*ret_pause = pause;
}
