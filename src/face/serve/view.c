/* One snapshot of what vmmap serve shows: which one a request means, and where it comes from. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/out.h"
#include "base/scan.h"
#include "base/search.h"
#include "face/cli.h"
#include "face/serve/serve.h"

void srv_view_done(struct srv_view *v)
{
	vmm_snapshot_destroy(v->snapshot);
	if (v->target)
		vmm_target_close(v->target);
	memset(v, 0, sizeof(*v));
}

int srv_view_take(struct srv_history *h, const char *name, struct srv_view *ret, struct vmm_err *err)
{
	struct vmm_take take = {.needs = SRV_NEEDS | VMM_NEED_HEAPS};
	struct srv_view v = {0};
	int code = vmm_cli_open(h->args, name, &v.target, err);

	if (code == 0)
		code = vmm_target_snapshot(v.target, &take, &v.snapshot, err);
	if (code < 0) {
		srv_view_done(&v);
		return code;
	}
	v.n = v.snapshot->session_number;
	*ret = v;
	return 0;
}

static int parse_number(const char *text, uint32_t *ret, struct vmm_err *err)
{
	struct vmm_scan s = vmm_scan_init(text, strlen(text));
	uint64_t n;

	if (!vmm_scan_dec(&s, &n) || !vmm_scan_done(&s) || n == 0 || n >= VMM_NONE)
		return vmm_fail(err, VMM_E_USAGE, 0, "n: neither the number of a snapshot nor 'last'");
	*ret = (uint32_t)n;
	return 0;
}

static int find_number(const struct srv_history *h, const char *n, uint32_t *ret, struct vmm_err *err)
{
	size_t at;
	int code;

	if (!h->last.snapshot)
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "no process has been chosen yet");
	if (!n || strcmp(n, "last") == 0) {
		*ret = h->last.n;
		return 0;
	}
	code = parse_number(n, ret, err);
	if (code < 0)
		return code;
	at = VMM_FIRST_ABOVE(h->entries, h->count, n, *ret);
	return at > 0 && h->entries[at - 1].n == *ret ? 0 : vmm_fail(err, VMM_E_NO_TARGET, 0, "there is no snapshot %u", *ret);
}

/* One that is not at hand: of a file with the target that holds its contents, of a process alone. */
static int load_view(struct srv_history *h, uint32_t n, struct srv_view *ret, struct vmm_err *err)
{
	char number[16];
	char *name;
	int code;

	if (!h->session)
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "there is no snapshot %u", n);
	memset(ret, 0, sizeof(*ret));
	ret->n = n;
	if (!h->file)
		return vmm_session_load(h->session, n, &ret->snapshot, err);
	snprintf(number, sizeof(number), "@%u", n);
	name = vmm_output_name(h->file, number);
	code = name ? srv_view_take(h, name, ret, err) : vmm_fail_nomem(err);
	free(name);
	return code;
}

int srv_history_find(struct srv_history *h, const char *n, struct srv_view *ret, struct vmm_err *err)
{
	struct srv_view v;
	uint32_t number;
	int code = find_number(h, n, &number, err);

	if (code == 0 && number != h->last.n && number != h->other.n) {
		code = load_view(h, number, &v, err);
		if (code == 0) {
			srv_view_done(&h->other);
			h->other = v;
		}
	}
	if (code == 0)
		*ret = number == h->last.n ? h->last : h->other;
	return code;
}

int srv_history_load(struct srv_history *h, const char *n, struct vmm_snapshot **ret, bool *ret_own, struct vmm_err *err)
{
	struct srv_view v;
	uint32_t number;
	int code = find_number(h, n, &number, err);

	if (code < 0)
		return code;
	*ret_own = number != h->last.n && number != h->other.n;
	if (!*ret_own) {
		*ret = number == h->last.n ? h->last.snapshot : h->other.snapshot;
		return 0;
	}
	code = load_view(h, number, &v, err);
	if (code < 0)
		return code;
	if (v.target)
		vmm_target_close(v.target);
	*ret = v.snapshot;
	return 0;
}
