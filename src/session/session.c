#include "vmmap/session.h"

#include "base/err.h"

int vmm_session_open(const char *path, enum vmm_session_mode mode, struct vmm_session **ret_session, struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "%.100s: sessions cannot be opened yet", path);
}

void vmm_session_close(struct vmm_session *session)
{
}

int vmm_session_add(struct vmm_session *session, const struct vmm_snapshot *snapshot, const struct vmm_session_memory *memory,
                    uint32_t *ret_number, struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "not yet");
}

int vmm_session_index(struct vmm_session *session, struct vmm_session_index **ret_index, struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "not yet");
}

void vmm_session_index_destroy(struct vmm_session_index *index)
{
}

int vmm_session_find(const struct vmm_session_index *index, const char *text, uint32_t *ret_number, struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "not yet");
}

int vmm_session_load(struct vmm_session *session, uint32_t number, struct vmm_snapshot **ret_snapshot, struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "not yet");
}

int vmm_session_totals(struct vmm_session *session, uint32_t number, struct vmm_type_total *ret_types,
                       struct vmm_type_total *ret_total, struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "not yet");
}

int vmm_session_drop(struct vmm_session *session, const struct vmm_session_keep *keep, uint32_t *ret_dropped, struct vmm_err *err)
{
	return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "not yet");
}
