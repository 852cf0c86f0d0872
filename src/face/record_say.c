/* What record says: a line on a terminal that follows it, once what must be known, and a summary. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "face/record.h"

#define LISTED_MAX 12 /* processes in the summary */
#define LATE_PART 4   /* a look is late when it begins later than this part of the interval */

/* Hands over what was written to standard error; nothing when memory is out. */
static void put_out(struct vmm_out *out)
{
	size_t length = 0;
	char *text = out ? vmm_out_take(out, &length) : NULL;

	if (text) {
		fwrite(text, 1, length, stderr);
		fflush(stderr);
	}
	free(text);
}

static void put_snapshots(struct vmm_out *out, uint64_t count)
{
	vmm_put_count(out, count);
	vmm_out_text(out, count == 1 ? " snapshot" : " snapshots");
}

/* part of whole in per cent with two figures; "0" only for none at all. */
static void put_share(struct vmm_out *out, uint64_t part, uint64_t whole)
{
	uint64_t hundredths = whole ? (uint64_t)(((vmm_wide)part * 10000 + (vmm_wide)whole / 2) / (vmm_wide)whole) : 0;

	if (part && !hundredths)
		vmm_out_text(out, "below 0.01 %");
	else
		vmm_out_printf(out, "%llu.%02llu %%", (unsigned long long)(hundredths / 100), (unsigned long long)(hundredths % 100));
}

static void put_change(struct vmm_out *out, uint64_t before, uint64_t now)
{
	if (now == before) {
		vmm_out_text(out, "+0");
		return;
	}
	vmm_out_char(out, now > before ? '+' : '-');
	vmm_put_short_size(out, now > before ? now - before : before - now);
}

void rec_say_clear(struct recorder *r)
{
	if (r->line_shown)
		fputs("\r\033[K", stderr);
	r->line_shown = false;
}

void rec_say(struct recorder *r, const char *format, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	rec_say_clear(r);
	fprintf(stderr, "vmmap: %s\n", text);
}

/* A part of the line where it still fits; raw bytes of the target's may be in it. */
static void add_part(struct vmm_out *line, size_t *columns, size_t width, struct vmm_out *part)
{
	char *text = part ? vmm_out_take(part, NULL) : NULL;
	struct vmm_out *safe = text ? vmm_out_create_memory() : NULL;
	size_t used;

	if (safe) {
		used = vmm_out_escaped(safe, text, 0);
		free(text);
		text = vmm_out_take(safe, NULL);
		if (text && *columns + 2 + used < width) {
			vmm_out_text(line, *columns ? "  " : "");
			vmm_out_text(line, text);
			*columns += used + (*columns ? 2 : 0);
		}
	}
	free(text);
}

/* Of all that run: "leak (4711) RSS 512 MiB +2.1 MiB", "3 processes RSS ...". */
static void put_running(struct vmm_out *out, const struct recorder *r)
{
	uint64_t now = 0, first = 0, running = 0;
	const struct rec_process *one = NULL;

	for (size_t i = 0; i < r->count; i++) {
		if (r->processes[i].ended || !r->processes[i].kept)
			continue;
		one = &r->processes[i];
		running++;
		now += one->now_rss;
		first += one->first_rss;
	}
	if (running == 0) {
		if (rec_may_come(r))
			vmm_out_printf(out, "waiting for %s", r->names[0]);
		return;
	}
	if (running == 1)
		vmm_out_printf(out, "%s (%d) RSS ", one->name, (int)one->id.pid);
	else
		vmm_out_printf(out, "%llu processes RSS ", (unsigned long long)running);
	vmm_put_short_size(out, now);
	vmm_out_char(out, ' ');
	put_change(out, first, now);
}

static void put_parts(struct vmm_out *line, const struct recorder *r)
{
	size_t columns = 0, width = r->look.style.width;
	time_t now = time(NULL);
	char when[32] = "?";
	struct vmm_out *part;
	struct tm tm;

	part = vmm_out_create_memory();
	if (part && localtime_r(&now, &tm) && strftime(when, sizeof(when), "%H:%M:%S", &tm))
		vmm_out_text(part, when);
	add_part(line, &columns, width, part);
	part = vmm_out_create_memory();
	if (part)
		put_running(part, r);
	add_part(line, &columns, width, part);
	part = vmm_out_create_memory();
	if (part) {
		put_snapshots(part, r->kept);
		vmm_out_char(part, ' ');
		vmm_put_short_size(part, vmm_session_file_bytes(&r->file));
	}
	add_part(line, &columns, width, part);
	part = r->late_ns > r->interval_ns / LATE_PART ? vmm_out_create_memory() : NULL;
	if (part) {
		vmm_out_text(part, "late by ");
		vmm_put_duration(part, r->late_ns);
	}
	add_part(line, &columns, width, part);
	part = vmm_out_create_memory();
	if (part) {
		vmm_out_text(part, "reading ");
		put_share(part, r->read_ns, vmm_now_ns() - r->start_ns);
	}
	add_part(line, &columns, width, part);
}

void rec_say_line(struct recorder *r)
{
	struct vmm_out *line;

	if (!r->look.terminal)
		return;
	/* The window may have changed its size. */
	vmm_look_init(&r->look, STDERR_FILENO, NULL, "auto");
	line = vmm_out_create_memory();
	if (!line)
		return;
	vmm_out_text(line, "\r\033[K");
	vmm_put_dim(line, &r->look);
	put_parts(line, r);
	vmm_put_plain(line, &r->look);
	put_out(line);
	r->line_shown = true;
}

void rec_say_stretch(struct recorder *r)
{
	struct vmm_out *out = vmm_out_create_memory();

	if (!out)
		return;
	rec_say_clear(r);
	vmm_out_text(out, "vmmap: a look takes ");
	vmm_put_duration(out, r->look_ns);
	vmm_out_text(out, ": the next comes after ");
	vmm_put_duration(out, r->ready_ns - vmm_min_u64(vmm_now_ns(), r->ready_ns));
	vmm_out_text(out, " instead of ");
	vmm_put_duration(out, r->interval_ns);
	vmm_out_printf(out, ", as looking shall take %g %% of the time at most (--duty)\n", r->duty_ppm / 10000.0);
	put_out(out);
}

/* "3 d 4 h" apart, in lines that begin alike. */
static void put_label(struct vmm_out *out, const char *label)
{
	vmm_out_printf(out, "  %-9s", label);
}

/* Looks that the interval asked for and that did not come: put off by the duty, or because they take so long themselves. */
static void put_missed(struct vmm_out *out, const struct recorder *r)
{
	uint64_t planned = (r->end_ns - r->start_ns) / r->interval_ns + 1, put_off = r->put_off_ns / r->interval_ns;
	uint64_t missed = planned > r->rounds ? planned - r->rounds : 0;

	if (missed == 0) {
		vmm_out_text(out, ", none missed");
		return;
	}
	vmm_out_text(out, "; ");
	vmm_put_count(out, missed);
	vmm_out_text(out, " of ");
	vmm_put_count(out, planned);
	vmm_out_text(out, " left out");
	if (put_off * 10 >= missed * 9)
		vmm_out_printf(out, " to keep within %g %%", r->duty_ppm / 10000.0);
	else if (put_off * 10 <= missed)
		vmm_out_text(out, ": a look takes longer");
	else
		vmm_out_printf(out, ": looks take long, and to keep within %g %%", r->duty_ppm / 10000.0);
}

static void put_looks(struct vmm_out *out, const struct recorder *r)
{
	put_label(out, "looks");
	vmm_put_count(out, r->rounds);
	vmm_out_text(out, ", every ");
	vmm_put_duration(out, r->interval_ns);
	put_missed(out, r);
	if (r->latest_ns > r->interval_ns / LATE_PART) {
		vmm_out_text(out, "; late by up to ");
		vmm_put_duration(out, r->latest_ns);
	}
	vmm_out_char(out, '\n');
}

static void put_cost(struct vmm_out *out, const struct recorder *r)
{
	struct timespec t = {0};
	uint64_t span = r->end_ns - r->start_ns;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	put_label(out, "cost");
	put_share(out, r->read_ns, span);
	vmm_out_text(out, " of the time reading");
	if (r->looks) {
		vmm_out_text(out, " (");
		vmm_put_duration(out, r->read_ns / r->looks);
		vmm_out_text(out, " a snapshot)");
	}
	vmm_out_text(out, ", ");
	put_share(out, (uint64_t)t.tv_sec * VMM_SECOND_NS + (uint64_t)t.tv_nsec, span);
	vmm_out_text(out, " of a processor\n");
}

static void put_pauses(struct vmm_out *out, const struct recorder *r)
{
	if (!r->pauses)
		return;
	put_label(out, "stopped");
	vmm_put_count(out, r->pauses);
	vmm_out_text(out, r->pauses == 1 ? " time, for " : " times, for ");
	vmm_put_duration(out, r->paused_ns / r->pauses);
	if (r->pauses > 1) {
		vmm_out_text(out, " on average, ");
		vmm_put_duration(out, r->longest_pause_ns);
		vmm_out_text(out, " at most");
	}
	vmm_out_char(out, '\n');
}

/* Most changed first. */
static int compare_change(const void *a, const void *b)
{
	const struct rec_process *x = a, *y = b;
	uint64_t dx = x->last_rss > x->first_rss ? x->last_rss - x->first_rss : x->first_rss - x->last_rss;
	uint64_t dy = y->last_rss > y->first_rss ? y->last_rss - y->first_rss : y->first_rss - y->last_rss;

	if (dx != dy)
		return dx < dy ? 1 : -1;
	return (x->id.pid > y->id.pid) - (x->id.pid < y->id.pid);
}

static void put_size_column(struct vmm_out *out, uint64_t bytes, unsigned width)
{
	struct vmm_out *one = vmm_out_create_memory();
	char *text = NULL;

	if (one) {
		vmm_put_short_size(one, bytes);
		text = vmm_out_take(one, NULL);
	}
	vmm_out_printf(out, "%*s", (int)width, text ? text : "?");
	free(text);
}

static void put_process(struct vmm_out *out, const struct recorder *r, const struct rec_process *p)
{
	size_t columns;

	vmm_out_printf(out, "  %7d  ", (int)p->id.pid);
	columns = vmm_out_escaped(out, p->name, 16);
	vmm_out_repeat(out, " ", 16 - (columns < 16 ? columns : 16));
	vmm_out_printf(out, " %9llu ", (unsigned long long)p->kept);
	if (p->kept) {
		put_size_column(out, p->first_rss, 9);
		vmm_out_text(out, " -> ");
		put_size_column(out, p->last_rss, 9);
		vmm_out_text(out, "  ");
		put_change(out, p->first_rss, p->last_rss);
	}
	vmm_out_text(out, p->ended ? "  (ended)\n" : "\n");
}

static void put_processes(struct vmm_out *out, struct recorder *r)
{
	size_t shown = r->count < LISTED_MAX ? r->count : LISTED_MAX;

	if (r->count == 0)
		return;
	qsort(r->processes, r->count, sizeof(*r->processes), compare_change);
	vmm_put_dim(out, &r->look);
	vmm_out_printf(out, "  %7s  %-16s %9s %9s    %9s", "PID", "Name", "Snapshots", "RSS first", "last");
	vmm_put_plain(out, &r->look);
	vmm_out_char(out, '\n');
	for (size_t i = 0; i < shown; i++)
		put_process(out, r, &r->processes[i]);
	if (r->count + r->forgotten > shown)
		vmm_out_printf(out, "  ... and %llu more\n", (unsigned long long)(r->count + r->forgotten - shown));
}

static void put_program(struct vmm_out *out, const struct rec_program *p, const char *name)
{
	if (!p->pid)
		return;
	put_label(out, "command");
	vmm_out_escaped(out, name, 40);
	if (!p->ended)
		vmm_out_printf(out, " (%d) runs on\n", (int)p->pid);
	else if (WIFEXITED(p->status))
		vmm_out_printf(out, " ended with exit status %d\n", WEXITSTATUS(p->status));
	else
		vmm_out_printf(out, " was ended by signal %d (%s)\n", WTERMSIG(p->status), strsignal(WTERMSIG(p->status)));
}

void rec_say_summary(struct recorder *r)
{
	struct vmm_out *out = vmm_out_create_memory();
	uint64_t recorded = r->forgotten_kept;

	if (!out)
		return;
	for (size_t i = 0; i < r->count; i++)
		recorded += r->processes[i].kept > 0;
	vmm_put_bold(out, &r->look);
	vmm_out_escaped(out, r->args->option[VMM_OPTION_OUTPUT], 0);
	vmm_put_plain(out, &r->look);
	if (r->kept == 0) {
		vmm_out_text(out, ": nothing was recorded: no target could be read\n");
	} else {
		vmm_out_text(out, ": ");
		put_snapshots(out, r->kept);
		vmm_out_printf(out, " of %llu process%s in ", (unsigned long long)recorded, recorded == 1 ? "" : "es");
		vmm_put_duration(out, r->end_ns - r->start_ns);
		vmm_out_text(out, ", ");
		vmm_put_short_size(out, vmm_session_file_bytes(&r->file));
		if (r->dropped)
			vmm_out_printf(out, " (%llu older ones dropped)", (unsigned long long)r->dropped);
		vmm_out_char(out, '\n');
		put_looks(out, r);
		put_cost(out, r);
		put_pauses(out, r);
	}
	put_program(out, &r->program, r->args->program ? r->args->program[0] : "");
	if (r->kept)
		put_processes(out, r);
	put_out(out);
}
