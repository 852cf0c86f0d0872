#include "face/page_runs.h"

#include <string.h>

#include "model/target.h"

const char *vmm_page_state(uint32_t what)
{
	if (what & VMM_PAGE_GUARD)
		return "guard";
	if (what & VMM_PAGE_SWAPPED)
		return "swapped";
	if (!(what & VMM_PAGE_PRESENT))
		return "absent";
	if (what & VMM_PAGE_ZERO)
		return "zero";
	if (what & VMM_PAGE_HUGE)
		return "huge";
	return what & VMM_PAGE_FILE ? "file" : "present";
}

bool vmm_page_memory(const struct vmm_vma *v)
{
	if (v->backing == VMM_BACKING_DEVICE || v->vm_flags & (VMM_VF(io) | VMM_VF(pf)))
		return false;
	return v->backing != VMM_BACKING_SPECIAL || strcmp(v->name, "[vdso]") == 0;
}
