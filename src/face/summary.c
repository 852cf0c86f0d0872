#include "face/summary.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "face/amount.h"
#include "face/bars.h"

/* A word for a struct vmm_line, written in pieces. */
struct word {
	struct vmm_out *out;
};

static bool word_start(struct word *w)
{
	w->out = vmm_out_create_memory();
	return w->out != NULL;
}

static void word_add(struct word *w, struct vmm_line *line)
{
	char *text = vmm_out_take(w->out, NULL);

	if (text)
		vmm_line_add(line, text);
	free(text);
}

static void add_user(struct vmm_line *line, int64_t uid)
{
	char buffer[2048];
	struct passwd record, *found = NULL;
	struct word w;

	if (uid < 0 || !word_start(&w))
		return;
	vmm_out_text(w.out, "user ");
	if (getpwuid_r((uid_t)uid, &record, buffer, sizeof(buffer), &found) == 0 && found)
		vmm_out_escaped(w.out, found->pw_name, 32);
	else
		vmm_out_int(w.out, uid);
	word_add(&w, line);
}

static void add_count(struct vmm_line *line, uint64_t count, const char *one, const char *many)
{
	struct word w;

	if (!word_start(&w))
		return;
	vmm_put_count(w.out, count);
	vmm_out_char(w.out, ' ');
	vmm_out_text(w.out, count == 1 ? one : many);
	word_add(&w, line);
}

static void add_machine(struct vmm_line *line, const struct vmm_target_info *t)
{
	struct word w;

	if (t->bits && word_start(&w)) {
		vmm_out_printf(w.out, "%d-bit", t->bits);
		if (t->arch[0])
			vmm_out_char(w.out, ' ');
		vmm_out_escaped(w.out, t->arch, 16);
		word_add(&w, line);
	}
}

/* As the kernel counts them for vm.max_map_count: what lies outside the user address space is none of the process's. */
static uint64_t count_mappings(const struct vmm_snapshot *s)
{
	uint64_t count = s->vma_count;

	while (count > 0 && s->target.user_end && s->vmas[count - 1].start >= s->target.user_end)
		count--;
	return count;
}

/* Of what does not run now: where it comes from, and when it was so. */
static void add_origin(struct vmm_line *line, const struct vmm_snapshot *s)
{
	bool core = strcmp(s->target.source, "core") == 0;
	char when[32] = "";
	struct word w;
	struct tm tm;

	if ((!core && !s->session_number) || !word_start(&w))
		return;
	/* A core does not tell when its process ended: the file was written then, and hopefully not since. */
	if (s->taken_at.tv_sec && localtime_r(&s->taken_at.tv_sec, &tm))
		strftime(when, sizeof(when), " of %Y-%m-%d %H:%M:%S", &tm);
	if (s->session_number)
		vmm_out_printf(w.out, "snapshot %u%s", s->session_number, core ? " of a core" : "");
	else
		vmm_out_text(w.out, "core");
	vmm_out_text(w.out, when);
	word_add(&w, line);
	/* Of a live target it is said when it happens. */
	if (s->session_number && s->cost.stopped_ns && word_start(&w)) {
		vmm_out_text(w.out, "stopped for ");
		vmm_put_duration(w.out, s->cost.stopped_ns);
		word_add(&w, line);
	}
}

static void add_facts(struct vmm_line *line, const struct vmm_snapshot *s)
{
	struct word w;

	add_user(line, s->target.uid);
	add_machine(line, &s->target);
	if (vmm_status_known(s, VMM_STATUS_THREADS))
		add_count(line, s->target.status[VMM_STATUS_THREADS], "thread", "threads");
	else if (s->threads_complete && s->thread_count)
		add_count(line, s->thread_count, "thread", "threads");
	if (!s->unreadable)
		add_count(line, count_mappings(s), "mapping", "mappings");
	if (s->target.page_size && word_start(&w)) {
		vmm_put_short_size(w.out, s->target.page_size);
		vmm_out_text(w.out, " pages");
		word_add(&w, line);
	}
	add_origin(line, s);
	if (s->target.ns_pid && word_start(&w)) {
		vmm_out_printf(w.out, "PID %d in its namespace", (int)s->target.ns_pid);
		word_add(&w, line);
	}
}

/* "killed by SIGSEGV at 0x10 in thread 4711" */
static void put_death(struct vmm_out *out, const struct vmm_look *look, const struct vmm_target_info *t)
{
	const char *name = t->death.known ? sigabbrev_np(t->death.signal) : NULL;

	if (!t->death.known)
		return;
	vmm_put_bold(out, look);
	if (name)
		vmm_out_printf(out, "killed by SIG%s", name);
	else
		vmm_out_printf(out, "killed by signal %d", (int)t->death.signal);
	vmm_put_plain(out, look);
	if (t->death.address_known)
		vmm_out_printf(out, " at 0x%llx", (unsigned long long)t->death.address);
	if (t->death.tid)
		vmm_out_printf(out, " in thread %d", (int)t->death.tid);
	vmm_out_char(out, '\n');
}

const char *vmm_summary_partial(const struct vmm_snapshot *s)
{
	return strcmp(s->target.source, "capture") == 0 ? "the capture is cut off" : "the target went away while it was read";
}

void vmm_summary_head(struct vmm_out *out, const struct vmm_look *look, const struct vmm_snapshot *s)
{
	const struct vmm_target_info *t = &s->target;
	struct vmm_line line = {.out = out, .look = look};
	size_t width = look->style.width, used;

	out->backslashes = strcmp(t->arch, "windows") == 0;
	vmm_put_bold(out, look);
	used = vmm_out_escaped(out, t->name[0] ? t->name : "(no name)", 0);
	vmm_put_plain(out, look);
	if (t->pid) {
		char pid[24];
		int n = snprintf(pid, sizeof(pid), " %d", (int)t->pid);

		vmm_out_text(out, pid);
		used += (size_t)n;
	}
	if (t->exe[0] && (!width || used + 6 < width)) {
		vmm_out_text(out, "  ");
		vmm_out_escaped(out, t->exe, width ? width - used - 2 - (t->exe_deleted ? 10 : 0) : 0);
		if (t->exe_deleted)
			vmm_out_text(out, " (deleted)");
	}
	vmm_out_char(out, '\n');
	add_facts(&line, s);
	vmm_line_end(&line);
	put_death(out, look, t);
	if (s->partial)
		vmm_out_printf(out, "PARTIAL: %s\n", vmm_summary_partial(s));
}

int vmm_summary_table(struct vmm_out *out, const struct vmm_look *look, const struct vmm_query *query,
                      const struct vmm_snapshot *s, struct vmm_err *err)
{
	struct vmm_rows rows;
	int code = vmm_rows_build(&rows, query, s, err);

	if (code < 0)
		return code;
	vmm_emit_text(out, query, &rows, &look->style);
	vmm_rows_done(&rows);
	return 0;
}

/* The sum of an account as text, "?" when unknown. Free it; NULL when memory is out. */
static char *sum_text(const struct vmm_look *look, const struct vmm_account *a)
{
	struct vmm_out *out = vmm_out_create_memory();

	if (!out)
		return NULL;
	if (a->sum_known)
		vmm_put_size(out, look, a->sum);
	else
		vmm_out_char(out, '?');
	return vmm_out_take(out, NULL);
}

/* label and sum are columns wide as a whole. */
static void put_account(struct vmm_out *out, const struct vmm_look *look, const struct vmm_account *a, size_t columns)
{
	char *sum = sum_text(look, a);
	size_t used = vmm_text_width(a->label, strlen(a->label)) + (sum ? strlen(sum) : 0);

	vmm_out_text(out, "  ");
	vmm_out_escaped(out, a->label, 0);
	vmm_out_repeat(out, " ", columns > used ? columns - used : 2);
	vmm_out_text(out, sum ? sum : "?");
	free(sum);
	vmm_out_text(out, ", remainder ");
	if (a->sum_known && a->kernel_known)
		vmm_put_change(out, look, a->remainder);
	else
		vmm_out_char(out, '?');
	/* A remainder is never left without its reason. */
	if (a->explanation[0] && (a->remainder || !a->sum_known || !a->kernel_known)) {
		vmm_out_text(out, ": ");
		vmm_out_escaped(out, a->explanation, 0);
	}
	vmm_out_char(out, '\n');
}

void vmm_summary_accounts(struct vmm_out *out, const struct vmm_look *look, const struct vmm_account *accounts, size_t count)
{
	size_t labels = 0, sums = 0;

	if (count)
		vmm_put_heading(out, look, "Accounts");
	for (size_t i = 0; i < count; i++) {
		char *sum = sum_text(look, &accounts[i]);

		labels = vmm_max_u64(labels, vmm_text_width(accounts[i].label, strlen(accounts[i].label)));
		sums = vmm_max_u64(sums, sum ? strlen(sum) : 1);
		free(sum);
	}
	for (size_t i = 0; i < count; i++)
		put_account(out, look, &accounts[i], labels + 2 + sums);
}

/* Files have few of the kernel's counters: sums that nothing can be held against are not listed there. */
static void put_accounts(struct vmm_out *out, const struct vmm_look *look, const struct vmm_snapshot *s)
{
	struct vmm_account shown[16];
	size_t count = 0;

	if (strcmp(s->target.source, "core") != 0) {
		vmm_summary_accounts(out, look, s->accounts, s->account_count);
		return;
	}
	for (uint32_t i = 0; i < s->account_count && count < ARRAY_LEN(shown); i++)
		if (s->accounts[i].sum_known && s->accounts[i].kernel_known)
			shown[count++] = s->accounts[i];
	vmm_summary_accounts(out, look, shown, count);
}

void vmm_summary_amount(struct vmm_out *out, const struct vmm_limit *l, uint64_t amount)
{
	if (amount == UINT64_MAX)
		vmm_out_text(out, "unlimited");
	else if (l->bytes)
		vmm_put_short_size(out, amount);
	else
		vmm_put_count(out, amount);
}

bool vmm_summary_limit_matters(const struct vmm_limit *l)
{
	static const char *const always[] = {"max_map_count", "as", "stack"};

	for (size_t i = 0; i < ARRAY_LEN(always); i++)
		if (strcmp(l->id, always[i]) == 0)
			return l->known;
	return l->known && l->used_known && l->soft != UINT64_MAX && l->used >= l->soft / 2 && l->used > 0;
}

static void put_limits(struct vmm_out *out, const struct vmm_look *look, const struct vmm_snapshot *s)
{
	size_t width = 0, used;

	for (uint32_t i = 0; i < s->limit_count; i++)
		if (vmm_summary_limit_matters(&s->limits[i]))
			width = vmm_max_u64(width, strlen(s->limits[i].text));
	if (width)
		vmm_put_heading(out, look, "Limits");
	for (uint32_t i = 0; i < s->limit_count; i++) {
		const struct vmm_limit *l = &s->limits[i];

		if (!vmm_summary_limit_matters(l))
			continue;
		vmm_out_text(out, "  ");
		used = vmm_out_escaped(out, l->text, 0);
		vmm_out_repeat(out, " ", width + 2 - vmm_min_u64(used, width));
		if (l->used_known && l->soft != UINT64_MAX) {
			vmm_summary_amount(out, l, l->used);
			vmm_out_text(out, " of ");
		}
		vmm_summary_amount(out, l, l->soft);
		vmm_out_char(out, '\n');
	}
}

void vmm_summary_notes(struct vmm_out *out, const struct vmm_look *look, const struct vmm_snapshot *s)
{
	if (s->note_count)
		vmm_put_heading(out, look, "Notes");
	for (uint32_t i = 0; i < s->note_count; i++) {
		const struct vmm_note *n = &s->notes[i];

		struct vmm_out *text = vmm_out_create_memory();

		if (!text)
			return;
		vmm_out_escaped(text, n->from, 0);
		vmm_out_text(text, ": ");
		text->backslashes = out->backslashes;
		vmm_out_escaped(text, n->text, 0);
		if (n->address)
			vmm_out_printf(text, " (%sat 0x%llx)", n->count > 1 ? "first " : "", (unsigned long long)n->address);
		if (n->count > 1) {
			vmm_out_text(text, " ×");
			vmm_put_count(text, n->count);
		}
		vmm_put_sentence(out, look, text);
	}
}

/* Without colour the letters of the bars need a key; with it the table is the key. */
static void put_key(struct vmm_out *out, const struct vmm_look *look, const struct vmm_snapshot *s)
{
	uint32_t kinds = 0;

	for (int k = 0; k < VMM_KIND_COUNT; k++)
		if (s->types[k].regions && (s->types[k].m.value[VMM_METRIC_COMMITTED] || s->types[k].m.value[VMM_METRIC_STORED] ||
		                            s->types[k].m.value[VMM_METRIC_PRIVATE] || s->types[k].m.value[VMM_METRIC_RSS]))
			kinds |= UINT32_C(1) << k;
	if (kinds)
		vmm_put_legend(out, look, kinds);
}

int vmm_summary_emit(struct vmm_out *out, const struct vmm_look *look, const struct vmm_query *query,
                     const struct vmm_snapshot *s, struct vmm_err *err)
{
	int code;

	vmm_summary_head(out, look, s);
	vmm_out_char(out, '\n');
	if (look->pictures) {
		vmm_bars_emit(out, look, s);
		if (!look->style.colour)
			put_key(out, look, s);
		vmm_out_char(out, '\n');
	}
	code = vmm_summary_table(out, look, query, s, err);
	if (code < 0)
		return code;
	/* Where nothing may be read a note says why, once. */
	if (!s->unreadable)
		put_accounts(out, look, s);
	put_limits(out, look, s);
	vmm_summary_notes(out, look, s);
	return 0;
}
