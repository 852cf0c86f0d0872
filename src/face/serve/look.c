/* One look of vmmap serve at a process: what is read, whether it is still the same program, and what is kept of it. */
#include <stdio.h>
#include <string.h>

#include "analysis/match.h"
#include "base/err.h"
#include "face/serve/serve.h"

#define HEAPS_PAUSE_MAX (10 * VMM_SECOND_NS) /* heaps are walked in every look unless the duty then asks for more than this */
#define KEEP_BYTES (UINT64_C(64) << 20) /* of the history of a process, on the disk */

static uint64_t stretched(const struct srv_history *h, uint64_t cost_ns)
{
	return (uint64_t)((vmm_wide)cost_ns * 1000000 / h->duty_ppm);
}

static bool wants_heaps(const struct srv_history *h, bool asked)
{
	if (vmm_args_has(h->args, VMM_OPTION_FAST))
		return false;
	return asked || !h->heaps_ns || stretched(h, h->heaps_ns) <= vmm_max_u64(HEAPS_PAUSE_MAX, h->interval_ns);
}

static void set_gone(struct srv_history *h)
{
	h->gone = true;
	snprintf(h->gone_text, sizeof(h->gone_text), "process %d has ended: what was seen of it stays", (int)h->id.pid);
	/* Nothing can be read any more, and its PID may soon be another's. */
	if (h->last.target)
		vmm_target_close(h->last.target);
	h->last.target = NULL;
}

/* Opens and reads the process. SRV_NEWS_NONE: it could not be read to the end, as happens while it execs. */
static int read_process(struct srv_history *h, bool asked, struct srv_view *ret, struct vmm_err *err)
{
	bool heaps = wants_heaps(h, asked);
	struct vmm_take take = {.needs = SRV_NEEDS | (heaps ? VMM_NEED_HEAPS : 0)};
	uint64_t begin = vmm_now_ns(), cost;
	struct srv_view v = {0};
	int code;

	if (vmm_args_has(h->args, VMM_OPTION_FAST))
		take.needs = VMM_NEED_FAST;
	if (vmm_args_has(h->args, VMM_OPTION_NUMA))
		take.needs |= VMM_NEED_NUMA;
	code = vmm_target_open_pid(h->id.pid, &v.target, err);
	if (code == 0)
		code = vmm_target_snapshot(v.target, &take, &v.snapshot, err);
	cost = vmm_now_ns() - begin;
	*(heaps ? &h->heaps_ns : &h->plain_ns) = cost;
	h->last_ns = cost;
	h->read_ns += cost;
	h->looks++;
	if (h->watch_from_ns && !asked)
		h->watched_read_ns += cost;
	if (code < 0) {
		srv_view_done(&v);
		return code;
	}
	*ret = v;
	return 0;
}

/* Room for new ones: the oldest go. */
static int drop_old(struct srv_history *h, struct vmm_err *err)
{
	struct vmm_session_keep keep = {.bytes = KEEP_BYTES};
	uint32_t dropped = 0;
	int code = vmm_session_drop(h->session, &keep, &dropped, err);

	return code == 0 && dropped ? srv_history_reread(h, err) : code;
}

/* Puts what was read at the end of the history. What it takes besides reading counts in the duty as processor time. */
static int keep(struct srv_history *h, struct srv_view *v, struct vmm_err *err)
{
	int code = vmm_session_add(h->session, v->snapshot, NULL, &v->n, err);

	if (code == 0 && !srv_history_add(h, v->n, 0, v->snapshot->target.pid, &v->snapshot->taken_at))
		code = vmm_fail_nomem(err);
	return code < 0 ? code : drop_old(h, err);
}

/* Who asks for a look, with all that it takes, does not wait the longer for the next one: the duty is of looks by themselves. */
static void plan_next(struct srv_history *h, bool asked, uint64_t begin)
{
	uint64_t now = vmm_now_ns();

	if (!asked)
		h->ready_ns = now + stretched(h, now - begin);
	h->due_ns = vmm_max_u64((asked ? now : begin) + h->interval_ns, h->ready_ns);
}

/* What was read is the newest from now on. */
static enum srv_news show(struct srv_history *h, const struct srv_view *v, struct vmm_snapshot **ret_before)
{
	enum srv_news news = h->last.snapshot && !vmm__same_process(h->last.snapshot, v->snapshot) ? SRV_NEWS_EXEC : SRV_NEWS_SNAPSHOT;

	if (news == SRV_NEWS_SNAPSHOT) {
		*ret_before = h->last.snapshot;
		h->last.snapshot = NULL;
	}
	srv_view_done(&h->other);
	srv_view_done(&h->last);
	h->last = *v;
	return news;
}

int srv_history_look(struct srv_history *h, bool asked, enum srv_news *ret_news, struct vmm_snapshot **ret_before, struct vmm_err *err)
{
	uint64_t begin = vmm_now_ns();
	struct vmm_glance before = {0}, after;
	struct srv_view v = {0};
	int code = 0;

	*ret_news = SRV_NEWS_NONE;
	*ret_before = NULL;
	if (!h->live || h->gone)
		return 0;
	if (vmm_process_runs(&h->id, &before))
		code = read_process(h, asked, &v, err);
	plan_next(h, asked, begin);
	/* Without memory, or torn: it has ended, or is another program in a moment. */
	if (code == VMM_E_GONE || code == VMM_E_NO_TARGET || !vmm_process_runs(&h->id, &after)) {
		srv_view_done(&v);
		set_gone(h);
		*ret_news = SRV_NEWS_GONE;
		return 0;
	}
	if (code < 0 || v.snapshot->partial) {
		srv_view_done(&v);
		return code;
	}
	/* What came while it was read counts as growth since. */
	h->mark = before;
	code = keep(h, &v, err);
	if (code < 0) {
		srv_view_done(&v);
		return code;
	}
	plan_next(h, asked, begin);
	*ret_news = show(h, &v, ret_before);
	return 0;
}
