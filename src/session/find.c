/* Finding a snapshot by what a person calls it. */
#include "vmmap/session.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/scan.h"

/* --- times --- */

static bool two_digits(struct vmm_scan *s, unsigned high, int *ret)
{
	if (s->end - s->p < 2 || s->p[0] < '0' || s->p[0] > '9' || s->p[1] < '0' || s->p[1] > '9')
		return false;
	*ret = (s->p[0] - '0') * 10 + (s->p[1] - '0');
	s->p += 2;
	return (unsigned)*ret <= high;
}

/* "14:05[:30[.5]]"; nanoseconds apart. */
static bool scan_clock(struct vmm_scan *s, struct tm *tm, long *ret_ns)
{
	if (!two_digits(s, 23, &tm->tm_hour) || !vmm_scan_char(s, ':') || !two_digits(s, 59, &tm->tm_min))
		return false;
	tm->tm_sec = 0;
	/* Whoever names a minute, or a second, means all of it. */
	*ret_ns = 999999999;
	if (!vmm_scan_char(s, ':')) {
		tm->tm_sec = 59;
		return true;
	}
	if (!two_digits(s, 60, &tm->tm_sec))
		return false;
	if (vmm_scan_char(s, '.')) {
		long unit = 100000000;

		for (*ret_ns = 0; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++, unit /= 10)
			*ret_ns += (*s->p - '0') * unit;
	}
	return true;
}

/* "2026-11-22" */
static bool scan_date(struct vmm_scan *s, struct tm *tm)
{
	int century, year;

	if (!two_digits(s, 99, &century) || !two_digits(s, 99, &year) || !vmm_scan_char(s, '-') || !two_digits(s, 12, &tm->tm_mon) ||
	    !vmm_scan_char(s, '-') || !two_digits(s, 31, &tm->tm_mday))
		return false;
	tm->tm_year = century * 100 + year - 1900;
	tm->tm_mon--;
	return tm->tm_mon >= 0 && tm->tm_mday > 0;
}

/* "Z", "+01:00"; without one the time is local. */
static bool scan_zone(struct vmm_scan *s, bool *ret_given, int *ret_seconds)
{
	int hours, minutes, sign;

	*ret_given = !vmm_scan_done(s);
	*ret_seconds = 0;
	if (!*ret_given || vmm_scan_char(s, 'Z') || vmm_scan_char(s, 'z'))
		return true;
	sign = *s->p == '-' ? -1 : 1;
	if ((!vmm_scan_char(s, '-') && !vmm_scan_char(s, '+')) || !two_digits(s, 23, &hours) || !vmm_scan_char(s, ':') ||
	    !two_digits(s, 59, &minutes))
		return false;
	*ret_seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool parse_time(const char *text, size_t length, const struct timespec *last, struct timespec *ret)
{
	struct vmm_scan s = vmm_scan_init(text, length);
	struct tm tm = {0};
	bool zone_given;
	int zone;
	long ns;

	if (length > 5 && text[2] != ':') {
		if (!scan_date(&s, &tm) || (!vmm_scan_char(&s, ' ') && !vmm_scan_char(&s, 'T') && !vmm_scan_char(&s, 't')))
			return false;
	} else {
		time_t day = last->tv_sec;

		if (!localtime_r(&day, &tm))
			return false;
	}
	if (!scan_clock(&s, &tm, &ns) || !scan_zone(&s, &zone_given, &zone) || !vmm_scan_done(&s))
		return false;
	tm.tm_isdst = -1;
	ret->tv_sec = zone_given ? timegm(&tm) - zone : mktime(&tm);
	ret->tv_nsec = ns;
	return true;
}

/* --- which target --- */

/* What stands before the comma: "pid:4711", "target:2", "name:nginx" or "nginx". */
struct which {
	const char *text;
	size_t length;
	enum { WHICH_ANY, WHICH_PID, WHICH_TARGET, WHICH_NAME } what;
	uint64_t number;
};

static bool prefixed(const char *text, size_t length, const char *prefix, const char **ret_rest)
{
	size_t n = strlen(prefix);

	*ret_rest = text + n;
	return length > n && memcmp(text, prefix, n) == 0;
}

static bool parse_number(const char *text, size_t length, uint64_t *ret)
{
	struct vmm_scan s = vmm_scan_init(text, length);

	return vmm_scan_dec(&s, ret) && vmm_scan_done(&s);
}

static struct which parse_which(const char *text, size_t length)
{
	struct which w = {.text = text, .length = length, .what = WHICH_NAME};
	const char *rest;

	if (prefixed(text, length, "pid:", &rest) && parse_number(rest, length - 4, &w.number))
		w.what = WHICH_PID;
	else if (prefixed(text, length, "target:", &rest) && parse_number(rest, length - 7, &w.number))
		w.what = WHICH_TARGET;
	else if (prefixed(text, length, "name:", &rest))
		w = (struct which){.text = rest, .length = length - 5, .what = WHICH_NAME};
	return w;
}

static bool is_of(const struct which *w, const struct vmm_session_entry *e)
{
	switch (w->what) {
	case WHICH_PID: return e->pid >= 0 && (uint64_t)e->pid == w->number;
	case WHICH_TARGET: return e->target == w->number;
	case WHICH_NAME: return strlen(e->name) == w->length && memcmp(e->name, w->text, w->length) == 0;
	default: return true;
	}
}

/* --- which of its snapshots --- */

static uint32_t count_of(const struct vmm_session_index *index, const struct which *w)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < index->count; i++)
		count += is_of(w, &index->entries[i]);
	return count;
}

/* The nth, from 0. */
static uint32_t nth_of(const struct vmm_session_index *index, const struct which *w, uint32_t n)
{
	for (uint32_t i = 0; i < index->count; i++)
		if (is_of(w, &index->entries[i]) && n-- == 0)
			return index->entries[i].number;
	return 0;
}

static int none(const struct vmm_session_index *index, const char *text, struct vmm_err *err)
{
	if (!index->count)
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "the session has no snapshot");
	if (index->count == 1)
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "no snapshot %.60s: the session has number %u alone", text, index->entries[0].number);
	return vmm_fail(err, VMM_E_NO_TARGET, 0, "no snapshot %.60s: the session has snapshots %u to %u of %u target%s", text,
	                index->entries[0].number, index->entries[index->count - 1].number, index->target_count,
	                index->target_count == 1 ? "" : "s");
}

static int find_number(const struct vmm_session_index *index, const struct which *w, uint64_t number, const char *text, uint32_t *ret,
                       struct vmm_err *err)
{
	for (uint32_t i = 0; i < index->count; i++)
		if (index->entries[i].number == number && is_of(w, &index->entries[i])) {
			*ret = (uint32_t)number;
			return 0;
		}
	return none(index, text, err);
}

static int find_time(const struct vmm_session_index *index, const struct which *w, const struct timespec *at, const char *text,
                     uint32_t *ret, struct vmm_err *err)
{
	const struct vmm_session_entry *best = NULL;

	for (uint32_t i = 0; i < index->count; i++) {
		const struct vmm_session_entry *e = &index->entries[i];

		if (!is_of(w, e) || e->taken_at.tv_sec > at->tv_sec || (e->taken_at.tv_sec == at->tv_sec && e->taken_at.tv_nsec > at->tv_nsec))
			continue;
		if (!best || e->taken_at.tv_sec > best->taken_at.tv_sec ||
		    (e->taken_at.tv_sec == best->taken_at.tv_sec && e->taken_at.tv_nsec >= best->taken_at.tv_nsec))
			best = e;
	}
	if (!best)
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "no snapshot was taken at %.60s or before", text);
	*ret = best->number;
	return 0;
}

/* 0, an error, or 1: text names no moment. */
static int find_moment(const struct vmm_session_index *index, const struct which *w, const char *text, uint32_t *ret, struct vmm_err *err)
{
	uint32_t count = count_of(index, w);
	struct timespec at;
	uint64_t number;

	if (text[0] == '\0' || strcmp(text, "last") == 0 || strcmp(text, "first") == 0) {
		if (!count)
			return none(index, text, err);
		*ret = nth_of(index, w, text[0] == 'f' ? 0 : count - 1);
		return 0;
	}
	if (parse_number(text, strlen(text), &number))
		return find_number(index, w, number, text, ret, err);
	if (text[0] == '-' && parse_number(text + 1, strlen(text + 1), &number)) {
		if (number < 1 || number > count)
			return none(index, text, err);
		*ret = nth_of(index, w, count - (uint32_t)number);
		return 0;
	}
	if (index->count && parse_time(text, strlen(text), &index->entries[index->count - 1].taken_at, &at))
		return find_time(index, w, &at, text, ret, err);
	return 1;
}

int vmm_session_find(const struct vmm_session_index *index, const char *text, uint32_t *ret_number, struct vmm_err *err)
{
	struct which any = {.what = WHICH_ANY}, which;
	const char *comma;
	int rc = find_moment(index, &any, text ? text : "", ret_number, err);

	if (rc <= 0)
		return rc;
	comma = strrchr(text, ',');
	which = parse_which(text, comma ? (size_t)(comma - text) : strlen(text));
	rc = find_moment(index, &which, comma ? comma + 1 : "", ret_number, err);
	if (rc == 1)
		return vmm_fail(err, VMM_E_USAGE, 0, "@%.60s is no snapshot: give its number, last, first, -2, or a time such as 14:05:30", text);
	if (rc < 0 && index->count && !count_of(index, &which))
		return vmm_fail(err, VMM_E_NO_TARGET, 0, "no snapshot of \"%.*s\": the session has %u target%s, the last is %.40s (PID %d)",
		                (int)vmm_min_u64(which.length, 60), which.text, index->target_count, index->target_count == 1 ? "" : "s",
		                index->entries[index->count - 1].name, index->entries[index->count - 1].pid);
	return rc;
}
