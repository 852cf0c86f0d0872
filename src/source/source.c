#include "source/source.h"

#include <stdio.h>

#include "base/err.h"

static const struct vmm_source_ops *const source_table[] = {
#define VMM_SOURCE(name) &vmm_source_##name,
#include "source/sources.def"
#undef VMM_SOURCE
};

int vmm_target_open(const char *name, struct vmm_target **ret_target, struct vmm_err *err)
{
	return vmm_target_open_with(name, NULL, ret_target, err);
}

int vmm_target_open_with(const char *name, const struct vmm_open *how, struct vmm_target **ret_target, struct vmm_err *err)
{
	static const struct vmm_open nowhere = {0};

	for (size_t i = 0; i < ARRAY_LEN(source_table); i++)
		if (source_table[i]->probe(name))
			return source_table[i]->open(name, how ? how : &nowhere, ret_target, err);
	return vmm_fail(err, VMM_E_NO_TARGET, 0, "%s: no such target: give a PID or the name of a running process", name);
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
