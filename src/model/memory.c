#include "model/target.h"

#include <string.h>

#include "base/err.h"

struct present_read {
	struct vmm_target *t;
	uint64_t address; /* of bytes[0] */
	unsigned char *bytes;
	size_t length;
	uint64_t got;
	struct vmm_err *err;
};

static int read_run(void *arg, const struct vmm_page_run *run)
{
	struct present_read *r = arg;
	uint64_t start = vmm_max_u64(run->start, r->address);
	uint64_t end = vmm_min_u64(run->end, r->address + r->length);
	int64_t n;

	if (!(run->what & VMM_PAGE_PRESENT) || start >= end)
		return 0;
	/* Holes of cores are zeros, as ret_bytes are by now. */
	if (r->t->residency_unknown && run->what & VMM_PAGE_ZERO)
		n = (int64_t)(end - start);
	else
		n = r->t->ops->read(r->t, start, r->bytes + (start - r->address), (size_t)(end - start), r->err);
	if (n < 0)
		return (int)n;
	r->got += (uint64_t)n;
	return 0;
}

int vmm_target_read_present(struct vmm_target *t, uint64_t address, void *ret_bytes, size_t length, uint64_t *ret_absent,
                            struct vmm_err *err)
{
	struct present_read r = {.t = t, .address = address, .bytes = ret_bytes, .length = length, .err = err};
	uint64_t end = vmm_add_sat(address, length);
	int rc;

	memset(ret_bytes, 0, length);
	rc = t->ops->pages(t, vmm_align_down(address, 4096), vmm_align_up(end, 4096), 0, read_run, &r, err);
	if (rc < 0)
		return rc;
	if (ret_absent)
		*ret_absent = length - r.got;
	return 0;
}
