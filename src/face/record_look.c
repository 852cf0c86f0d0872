/* One look at what is followed: cheap where nothing has to be kept, a snapshot into the session where it has. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "face/record.h"

#define HEAPS_EVERY 10 /* looks, at least, between walks of heaps that nobody asked for */
#define HEAP_GUESS_SHIFT 30 /* a walk that was not measured yet: a second for each GiB that is resident */
#define HEAPS_FIRST_MAX (VMM_SECOND_NS / 2) /* what a walk may take when the recording begins, and when it ends */
#define HEAPS_LAST_MAX (2 * VMM_SECOND_NS)
#define CREDIT_NS (60 * VMM_SECOND_NS) /* cheap looks make room for a dear one, for no longer than this */

static uint64_t cpu_ns(void)
{
	struct timespec t;

	return clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0 ? (uint64_t)t.tv_sec * VMM_SECOND_NS + (uint64_t)t.tv_nsec : 0;
}

static uint64_t stretched(const struct recorder *r, uint64_t cost_ns)
{
	return (uint64_t)((vmm_wide)cost_ns * 1000000 / r->duty_ppm);
}

static bool on_growth(const struct recorder *r)
{
	return r->growth.bytes || r->growth.ppm;
}

static uint64_t guess_heaps(const struct rec_process *p, const struct vmm_glance *g)
{
	if (p->heaps_ns)
		return p->heaps_ns;
	return p->plain_ns + (uint64_t)((vmm_wide)g->rss * VMM_SECOND_NS / (UINT64_C(1) << HEAP_GUESS_SHIFT));
}

/* Heaps tell most and cost most: without --heaps they are walked as often as the duty leaves time for it. */
static bool wants_heaps(const struct recorder *r, const struct rec_process *p, const struct vmm_glance *g, bool last)
{
	uint64_t cost = guess_heaps(p, g), now = vmm_now_ns();

	if (vmm_args_has(r->args, VMM_OPTION_FAST))
		return false;
	if (vmm_args_has(r->args, VMM_OPTION_HEAPS))
		return true;
	if (last)
		return cost <= HEAPS_LAST_MAX;
	if (p->kept > 0 && p->since_heaps + 1 < HEAPS_EVERY)
		return false;
	if (r->rounds == 1)
		return cost <= HEAPS_FIRST_MAX;
	return r->ready_ns + stretched(r, cost) <= now + r->interval_ns;
}

/* Tells once why a process is not read; others go on. */
static void cannot_read(struct recorder *r, struct rec_process *p, int code, const struct vmm_err *err)
{
	char pid[16];
	size_t n = (size_t)snprintf(pid, sizeof(pid), "%d: ", (int)p->id.pid);

	if (p->told)
		return;
	p->told = true;
	if (p->given && r->status == 0)
		r->status = vmm_error_status(code);
	/* Some say themselves whom they are about. */
	rec_say(r, "%s%s", strncmp(err->text, pid, n) == 0 ? "" : pid, err->text[0] ? err->text : vmm_error_text(code));
}

/* What cannot be read, or went while it was. 0: nothing is kept of it; below 0: out of memory. */
static int without(struct recorder *r, struct rec_process *p, int code, const struct vmm_err *err)
{
	if (code == VMM_E_NOMEM)
		return code;
	if (code == VMM_E_GONE || code == VMM_E_NO_TARGET)
		p->ended = true;
	else
		cannot_read(r, p, code, err);
	return 0;
}

static uint64_t status(const struct vmm_snapshot *s, enum vmm_status_field field, uint64_t otherwise)
{
	return vmm_status_known(s, field) ? s->target.status[field] : otherwise;
}

/* Growth is seen against what the snapshot says: the target may have moved on since the glance. */
static void count_kept(struct recorder *r, struct rec_process *p, const struct vmm_glance *g, const struct vmm_snapshot *s)
{
	uint64_t rss = vmm_metric_known(&s->total.m, VMM_METRIC_RSS) ? s->total.m.value[VMM_METRIC_RSS] : g->rss;

	if (p->kept++ == 0)
		p->first_rss = rss;
	p->last_rss = p->now_rss = rss;
	p->mark_rss = status(s, VMM_STATUS_VM_RSS, g->rss);
	p->mark_data = status(s, VMM_STATUS_VM_DATA, g->data);
	/* statm adds the stack to it. */
	if (vmm_status_known(s, VMM_STATUS_VM_DATA))
		p->mark_data += status(s, VMM_STATUS_VM_STK, 0);
	r->kept++;
}

/* What is kept, of a target that may be standing still. */
struct held {
	struct recorder *r;
	struct vmm_hold hold;
	struct vmm_snapshot *s; /* NULL: none was taken */
};

static void go_on(void *arg)
{
	struct held *held = arg;
	struct recorder *r = held->r;

	if (!held->hold.target)
		return;
	vmm_hold_end(&held->hold, held->s);
	if (!held->s || !held->s->cost.stopped_ns)
		return;
	r->pauses++;
	r->paused_ns += held->s->cost.stopped_ns;
	r->longest_pause_ns = vmm_max_u64(r->longest_pause_ns, held->s->cost.stopped_ns);
}

static int keep(struct recorder *r, struct rec_process *p, struct vmm_target *t, struct held *held, const struct vmm_glance *g,
                struct vmm_err *err)
{
	struct vmm_session_memory memory = {.target = t, .kinds = r->kinds, .read = go_on, .arg = held};
	struct vmm_snapshot *s = held->s;
	uint32_t number;
	int code;

	if (vmm_args_has(r->args, VMM_OPTION_REDACT))
		vmm_session_file_redact(s);
	code = vmm_session_add(r->file.session, s, r->kinds && s->vma_count ? &memory : NULL, &number, err);
	if (code < 0)
		vmm_session_file_name(&r->file, err);
	if (code == 0 && r->file.temporary)
		code = vmm_session_file_keep(&r->file, true, err);
	if (code == 0)
		count_kept(r, p, g, s);
	return code;
}

static int take(struct recorder *r, struct rec_process *p, struct vmm_target *t, const struct vmm_glance *g, bool last,
                struct vmm_err *err)
{
	struct vmm_take take = {.needs = vmm_args_has(r->args, VMM_OPTION_FAST) ? VMM_NEED_FAST : VMM_NEED_DEFAULT | VMM_NEED_EXTRA};
	uint64_t begin = vmm_now_ns(), cost, cpu;
	struct held held = {.r = r};
	struct vmm_snapshot *s = NULL;
	int code;

	p->heaps = wants_heaps(r, p, g, last);
	if (p->heaps)
		take.needs |= VMM_NEED_HEAPS;
	code = vmm_hold_begin(&held.hold, r->args, t, err);
	if (code == 0)
		code = vmm_target_snapshot(t, &take, &s, err);
	held.s = s;
	if (code < 0 || !r->kinds)
		go_on(&held);
	cost = vmm_now_ns() - begin;
	r->read_ns += cost;
	r->work_ns += cost;
	r->looks++;
	*(p->heaps ? &p->heaps_ns : &p->plain_ns) = cost;
	p->since_heaps = p->heaps ? 0 : p->since_heaps + 1;
	if (code < 0)
		return without(r, p, code, err);
	/* Torn by its end: what was kept before is whole. Without memory it is ending. */
	if (s->partial || (s->vma_count == 0 && !s->unreadable)) {
		go_on(&held);
		vmm_snapshot_destroy(s);
		return 0;
	}
	if (s->unreadable) {
		vmm_fail(err, VMM_E_DENIED, 0, "not permitted to read its mappings: run as its user or root, or give vmmap CAP_PERFMON");
		cannot_read(r, p, VMM_E_DENIED, err);
	}
	begin = vmm_now_ns();
	cpu = cpu_ns();
	code = keep(r, p, t, &held, g, err);
	go_on(&held);
	/* Contents are read while they are written; else writing is nobody's time but a processor's. */
	r->read_ns += r->kinds ? vmm_now_ns() - begin : 0;
	r->work_ns += r->kinds ? vmm_now_ns() - begin : cpu_ns() - cpu;
	vmm_snapshot_destroy(s);
	return code;
}

static int look_at(struct recorder *r, struct rec_process *p, bool last, struct vmm_err *err)
{
	struct vmm_target *t;
	struct vmm_glance g;
	int code;

	if (!vmm_process_runs(&p->id, &g)) {
		p->ended = true;
		return 0;
	}
	memcpy(p->name, g.name, sizeof(p->name));
	p->now_rss = g.rss;
	if (p->kept && on_growth(r) && !last && !vmm_threshold_reached(&r->growth, p->mark_rss, g.rss) &&
	    !vmm_threshold_reached(&r->growth, p->mark_data, g.data))
		return 0;
	code = vmm_target_open_pid(p->id.pid, &t, err);
	if (code < 0)
		return without(r, p, code, err);
	/* It was opened by its PID: the process that is followed is it when that runs from before until now. */
	if (vmm_process_runs(&p->id, &g))
		code = take(r, p, t, &g, last, err);
	else
		p->ended = true;
	vmm_target_close(t);
	return code;
}

static int drop_old(struct recorder *r, struct vmm_err *err)
{
	uint32_t dropped = 0;
	uint64_t cpu = cpu_ns();
	int code;

	if (!r->keep.snapshots && !r->keep.age_ns && !r->keep.bytes)
		return 0;
	code = vmm_session_drop(r->file.session, &r->keep, &dropped, err);
	r->dropped += dropped;
	r->work_ns += cpu_ns() - cpu;
	return code;
}

int rec_round(struct recorder *r, bool last, struct vmm_err *err)
{
	uint64_t begin = vmm_now_ns(), work = r->work_ns, kept = r->kept;
	int code = 0;

	r->rounds++;
	if (!last) {
		rec_forget(r);
		code = rec_find(r, err);
	}
	for (size_t i = 0; i < r->count && code == 0; i++) {
		sigset_t pending;

		if (!r->processes[i].ended)
			code = look_at(r, &r->processes[i], last, err);
		/* The one under way was finished; a round over many is not. */
		if (!last && sigpending(&pending) == 0 &&
		    (sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM) || sigismember(&pending, SIGHUP)))
			break;
	}
	if (code == 0 && r->kept > kept)
		code = drop_old(r, err);
	r->look_ns = r->work_ns - work;
	if (r->ready_ns + CREDIT_NS < begin)
		r->ready_ns = begin - CREDIT_NS;
	/* The first round is free: what all else is compared with, and dearer than all else, as nothing is cached yet. */
	if (r->rounds > 1)
		r->ready_ns += stretched(r, r->look_ns);
	return code;
}
