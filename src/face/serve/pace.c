/* When vmmap serve looks at a process again: by the clock, or when it has grown; never more than the duty allows. */
#include <string.h>

#include "base/err.h"
#include "base/out.h"
#include "face/serve/serve.h"
#include "view/json_write.h"

#define GLANCE_NS (VMM_SECOND_NS / 4) /* a glance costs some microseconds */
#define GROWTH_MAX 1000 /* per cent */

void srv_history_watch(struct srv_history *h, bool watched)
{
	uint64_t now = vmm_now_ns();

	if (watched && !h->watch_from_ns) {
		h->watch_from_ns = now;
	} else if (!watched && h->watch_from_ns) {
		h->watched_ns += now - h->watch_from_ns;
		h->watch_from_ns = 0;
	}
}

uint64_t srv_history_due(const struct srv_history *h)
{
	uint64_t due = h->interval_ns ? h->due_ns : UINT64_MAX;

	if (!h->live || h->gone || !h->watch_from_ns)
		return UINT64_MAX;
	return h->growth.ppm ? vmm_min_u64(due, vmm_max_u64(h->glance_ns, h->ready_ns)) : due;
}

static bool has_grown(const struct srv_history *h, const struct vmm_glance *g)
{
	if (!g->known || !h->mark.known)
		return false;
	return h->growth_of == VMM_METRIC_RSS ? vmm_threshold_reached(&h->growth, h->mark.rss, g->rss)
	                                      : vmm_threshold_reached(&h->growth, h->mark.data, g->data);
}

bool srv_history_ripe(struct srv_history *h)
{
	uint64_t now = vmm_now_ns();
	struct vmm_glance g;

	if (!h->growth.ppm || (h->interval_ns && h->due_ns <= now))
		return true;
	h->glance_ns = now + GLANCE_NS;
	return !vmm_process_runs(&h->id, &g) || has_grown(h, &g);
}

int srv_history_growth(struct srv_history *h, const char *measure, uint64_t percent, struct vmm_err *err)
{
	bool committed = measure && strcmp(measure, "committed") == 0;

	if (percent > GROWTH_MAX)
		return vmm_fail(err, VMM_E_USAGE, 0, "percent: at most %d", GROWTH_MAX);
	if (measure && !committed && strcmp(measure, "rss") != 0)
		return vmm_fail(err, VMM_E_USAGE, 0, "measure: one of rss, committed");
	h->growth_of = committed ? VMM_METRIC_COMMITTED : VMM_METRIC_RSS;
	h->growth = (struct vmm_threshold){.ppm = (uint32_t)percent * 10000};
	h->glance_ns = 0;
	return 0;
}

void srv_history_interval(struct srv_history *h, uint64_t ms)
{
	uint64_t ns = ms > VMM_DAY_NS / 1000000 ? VMM_DAY_NS : ms * 1000000;

	h->interval_ns = ms ? vmm_max_u64(ns, SRV_INTERVAL_LEAST) : 0;
	h->due_ns = vmm_max_u64(vmm_now_ns() + h->interval_ns, h->ready_ns);
}

static void put_cost(struct vmm_out *out, const struct srv_history *h)
{
	uint64_t now = vmm_now_ns(), watched = h->watched_ns + (h->watch_from_ns ? now - h->watch_from_ns : 0);
	uint64_t due = srv_history_due(h);

	vmm__json_key_number(out, ",\"cost\":{\"looks\":", true, h->looks);
	vmm__json_key_number(out, ",\"last_ns\":", h->looks > 0, h->last_ns);
	vmm__json_key_number(out, ",\"read_ns\":", true, h->read_ns);
	vmm__json_key_number(out, ",\"watched_ns\":", true, watched);
	vmm_out_text(out, ",\"duty\":");
	if (watched)
		vmm_out_printf(out, "%.6f", (double)h->watched_read_ns / (double)watched);
	else
		vmm_out_text(out, "null");
	vmm_out_printf(out, ",\"duty_limit\":%.6f", (double)h->duty_ppm / 1e6);
	vmm__json_key_number(out, ",\"next_ms\":", due != UINT64_MAX, due > now ? (due - now) / 1000000 : 0);
	vmm_out_char(out, '}');
}

void srv_history_pace(struct vmm_out *out, const struct srv_history *h)
{
	vmm__json_key_number(out, "\"interval_ms\":", h->live, h->interval_ns / 1000000);
	if (h->live && h->growth.ppm) {
		vmm__json_key_text(out, ",\"growth\":{\"measure\":", vmm_metric_id(h->growth_of));
		vmm__json_key_number(out, ",\"percent\":", true, h->growth.ppm / 10000);
		vmm_out_char(out, '}');
	} else {
		vmm_out_text(out, ",\"growth\":null");
	}
	put_cost(out, h);
}
