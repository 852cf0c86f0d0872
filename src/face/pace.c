#include "face/pace.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "face/amount.h"

#define INDENT 15

/* Without its sign. */
static void put_speed(struct vmm_out *out, double bytes_per_second)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double v = fabs(bytes_per_second);
	const char *per = "/s";
	unsigned unit = 0;

	if (v < 1024 && v > 0) {
		v *= v * 60 >= 1024 ? 60 : 3600;
		per = fabs(bytes_per_second) * 60 >= 1024 ? "/min" : "/h";
	}
	while (v >= 999.95 && unit + 1 < ARRAY_LEN(units)) {
		v /= 1024;
		unit++;
	}
	vmm_out_printf(out, "%.*f %s%s", v >= 99.95 || unit == 0 ? 0 : 1, v, units[unit], per);
}

void vmm_put_rate(struct vmm_out *out, double bytes_per_second)
{
	vmm_out_char(out, bytes_per_second < 0 ? '-' : '+');
	put_speed(out, bytes_per_second);
}

void vmm_put_pace(struct vmm_out *out, double per_second)
{
	double v = fabs(per_second);

	vmm_out_printf(out, "%s%.1f%s", per_second < 0 ? "-" : "+",
		       v >= 0.1        ? v
		       : v * 60 >= 0.1 ? v * 60
				       : v * 3600,
		       v >= 0.1        ? "/s"
		       : v * 60 >= 0.1 ? "/min"
				       : "/h");
}

void vmm_put_seconds(struct vmm_out *out, double seconds)
{
	if (seconds < 1e10)
		vmm_put_duration(out, (uint64_t)llround(seconds * 1e9));
	else
		vmm_out_text(out, "more than 300 years");
}

void vmm_put_moment(struct vmm_out *out, const struct timespec *t)
{
	char when[64] = "?";
	struct tm tm;

	if (localtime_r(&t->tv_sec, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	vmm_out_text(out, when);
}

/* A word of a line, written in pieces: word_add() ends it. */
static struct vmm_out *word_start(void)
{
	return vmm_out_create_memory();
}

static void word_add(struct vmm_line *line, struct vmm_out *word)
{
	char *text = word ? vmm_out_take(word, NULL) : NULL;

	if (text)
		vmm_line_add(line, text);
	free(text);
}

static void add_interval(struct vmm_line *line, const struct vmm_growth_finding *f)
{
	const struct vmm_trend *t = &f->measures[f->lead];
	struct vmm_out *word = word_start();

	if (!word)
		return;
	vmm_out_text(word, vmm_growth_measure_id(f->lead));
	if (t->low < t->slope || t->high > t->slope) {
		vmm_out_char(word, ' ');
		put_speed(word, t->low);
		vmm_out_text(word, " to ");
		put_speed(word, t->high);
	}
	word_add(line, word);
}

/* The other measures that rise as well, where they say something else. */
static void add_measures(struct vmm_line *line, const struct vmm_growth_finding *f)
{
	double told = f->measures[f->lead].slope;

	for (int m = f->lead + 1; m < VMM_GROWTH_REGIONS; m++) {
		const struct vmm_trend *t = &f->measures[m];
		struct vmm_out *word;

		if (t->verdict != VMM_TREND_STEADY || fabs(t->slope - told) < told / 100)
			continue;
		word = word_start();
		if (!word)
			return;
		vmm_out_printf(word, "%s ", vmm_growth_measure_id((enum vmm_growth_measure)m));
		vmm_put_rate(word, t->slope);
		word_add(line, word);
	}
}

static void add_place(struct vmm_line *line, const struct vmm_growth_finding *f)
{
	struct vmm_out *word = word_start();

	if (word && f->address) {
		vmm_out_printf(word, "at 0x%llx", (unsigned long long)f->address);
		word_add(line, word);
	} else if (word && (f->regions > 1 || f->each || f->level == VMM_GROWTH_GROUP)) {
		vmm_put_count(word, f->regions);
		vmm_out_text(word, f->regions == 1 ? " region" : " regions");
		if (f->each) {
			vmm_out_text(word, " of ");
			vmm_put_short_size(word, f->each);
		}
		if (f->measures[VMM_GROWTH_REGIONS].verdict == VMM_TREND_STEADY) {
			vmm_out_text(word, ", ");
			vmm_put_pace(word, f->measures[VMM_GROWTH_REGIONS].slope);
		}
		word_add(line, word);
	} else if (word) {
		vmm_out_discard(word);
	}
}

static void add_change(struct vmm_line *line, const struct vmm_growth_finding *f)
{
	const struct vmm_trend *t = &f->measures[f->lead];
	struct vmm_out *word = word_start();

	if (!word)
		return;
	vmm_put_short_size(word, t->first);
	vmm_out_text(word, " to ");
	vmm_put_short_size(word, t->last);
	word_add(line, word);
}

/* Pads what was written into memory to width columns, at its right. */
static void put_right(struct vmm_out *out, struct vmm_out *memory, size_t width)
{
	char *text = memory ? vmm_out_take(memory, NULL) : NULL;
	size_t used = text ? vmm_text_width(text, strlen(text)) : 0;

	vmm_out_repeat(out, " ", used < width ? width - used : 0);
	vmm_out_text(out, text ? text : "");
	free(text);
}

static void put_name(struct vmm_out *out, const struct vmm_look *look, const struct vmm_growth_finding *f)
{
	char prot[5];
	size_t used = INDENT + strlen(vmm_kind_label(f->kind)) + 2, width = look->style.width, room = 0;

	vmm_out_text(out, vmm_kind_label(f->kind));
	vmm_out_text(out, "  ");
	if (width)
		room = width > used + 20 ? width - used : 20;
	if (f->name[0]) {
		vmm_out_escaped(out, f->name, room);
		return;
	}
	vmm_prot_text(f->prot, prot);
	vmm_out_printf(out, "%s%s",
		       f->level == VMM_GROWTH_GROUP ? "mappings without a name, " : "mapping without a name, ", prot);
}

static void put_finding(struct vmm_out *out, const struct vmm_look *look, const struct vmm_growth_finding *f)
{
	struct vmm_line line = {.out = out, .look = look, .indent = INDENT, .column = INDENT};
	struct vmm_out *rate = vmm_out_create_memory();

	if (rate)
		vmm_put_rate(rate, f->measures[f->lead].slope);
	vmm_put_bold(out, look);
	put_right(out, rate, INDENT - 2);
	vmm_put_plain(out, look);
	vmm_out_text(out, "  ");
	put_name(out, look, f);
	vmm_out_char(out, '\n');
	vmm_out_repeat(out, " ", INDENT);
	vmm_put_dim(out, look);
	add_interval(&line, f);
	add_change(&line, f);
	add_place(&line, f);
	add_measures(&line, f);
	vmm_line_end(&line);
	vmm_put_plain(out, look);
}

static void put_forecast(struct vmm_out *out, const struct vmm_growth_forecast *f)
{
	char name[64];

	/* "RLIMIT_AS: whole address space" */
	snprintf(name, sizeof(name), "%s", f->text);
	name[strcspn(name, ":")] = '\0';
	vmm_out_text(out, "At this rate ");
	vmm_out_escaped(out, name, 60);
	vmm_out_text(out, " is reached in ");
	vmm_put_seconds(out, f->seconds);
	vmm_out_text(out, ": ");
	if (f->bytes) {
		vmm_put_short_size(out, f->used);
		vmm_out_text(out, " of ");
		vmm_put_short_size(out, f->soft);
	} else {
		vmm_put_count(out, f->used);
		vmm_out_text(out, " of ");
		vmm_put_count(out, f->soft);
	}
	vmm_out_text(out, " now.\n");
}

/* Why nothing is listed: in the words of what all resident memory does. */
static void put_nothing(struct vmm_out *out, const struct vmm_growth *g)
{
	const struct vmm_trend *t =
	    g->total[VMM_GROWTH_RSS].points ? &g->total[VMM_GROWTH_RSS] : &g->total[VMM_GROWTH_SIZE];

	if (t->verdict == VMM_TREND_TOO_FEW) {
		vmm_out_text(out,
			     "What grows steadily cannot be told: that takes 8 snapshots or more of one target; here ");
		vmm_out_printf(out, t->points == 1 ? "is %u.\n" : "are %u.\n", t->points);
		return;
	}
	vmm_out_text(out, "Nothing grows steadily");
	if (t->verdict != VMM_TREND_STEADY)
		vmm_out_printf(out, ": %s %s", t == &g->total[VMM_GROWTH_RSS] ? "RSS" : "size",
			       vmm_trend_help(t->verdict));
	vmm_out_text(out, ".\n");
}

void vmm_growth_put(struct vmm_out *out, const struct vmm_look *look, const struct vmm_growth *g, size_t top)
{
	size_t count = top && top < g->finding_count ? top : g->finding_count;

	if (g->finding_count == 0) {
		put_nothing(out, g);
	} else {
		vmm_put_bold(out, look);
		vmm_out_text(out, "Grows steadily");
		vmm_put_plain(out, look);
		vmm_put_dim(out, look);
		vmm_out_text(out, ", by ");
		vmm_put_count(out, g->looked_at);
		vmm_out_text(out, " snapshots in ");
		vmm_put_seconds(out, (double)(g->to.tv_sec - g->from.tv_sec) +
					 (double)(g->to.tv_nsec - g->from.tv_nsec) / 1e9);
		vmm_put_plain(out, look);
		vmm_out_char(out, '\n');
	}
	for (size_t i = 0; i < count; i++)
		put_finding(out, look, &g->findings[i]);
	if (count < g->finding_count)
		vmm_out_printf(out, "… %zu more\n", g->finding_count - count);
	for (uint32_t i = 0; i < g->forecast_count; i++)
		put_forecast(out, &g->forecasts[i]);
	if (g->cut)
		vmm_out_text(out, "There is more than can be followed: what grows little may be missing.\n");
}
