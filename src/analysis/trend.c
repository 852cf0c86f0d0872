/*
 * Whether a series rises steadily, and how fast.
 *
 * Slope: H. Theil 1950, P. K. Sen 1968 (J. Am. Stat. Assoc. 63:1379): the median of the slopes between all pairs; up to
 * 29 % of the samples may be outliers. Interval: Sen's, from the variance of Kendall's S with ties. Neither asks how
 * the noise is distributed, but both ask that it has no memory. That of a process has: a high-water mark, a random
 * walk. So the interval is made wider as if there were fewer samples, by the autocorrelation of the rests (S. Yue, C.
 * Wang 2004), and a series must also rise from each of 8 to 16 stretches to the next, by their medians: a walk that is
 * as often up as down does so in one of some thousand cases, stationary noise next to never.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/trend.h"
#include "base/arena.h"
#include "base/err.h"

#define POINTS_MIN 8
#define POINTS_MAX 400    /* of a longer series so many are picked: pairs grow with the square */
#define STRETCHES_MANY 16 /* where there are many points; one step may fall */
#define POINTS_MANY 64
#define STRETCHES_FEW 8 /* each step must rise */
#define STEP_MOST 0.5   /* of the rise may come in one step */
#define FALL_MOST 0.5   /* of the rise may be lost again on the way */
#define LATE_LEAST 0.4  /* the last third must rise so fast, compared with the whole */
#define MEMORY_MOST 0.7 /* autocorrelation of the noise up to which few stretches may do for many points */
#define MEMORY_CAP 0.95 /* more cannot be told from a line that bends */
#define SELECT_LEAST 32   /* fewer values are sorted */
#define SELECT_ROUNDS 48  /* twice what it takes to halve as many as there can be, and then some */
#define QUANTILE 2.5758 /* of the normal distribution: 99 % lie within */

struct point {
	double t, y;   /* seconds, value */
	uint32_t part; /* counts how often the clock went back */
};

struct points {
	struct point *v;
	size_t count;
};

const char *vmm_trend_id(enum vmm_trend_verdict verdict)
{
	static const char *const ids[] = {
#define VMM_TREND(name, id, help) id,
#include "vmmap/trends.def"
#undef VMM_TREND
	};

	return (size_t)verdict < ARRAY_LEN(ids) ? ids[verdict] : "";
}

const char *vmm_trend_help(enum vmm_trend_verdict verdict)
{
	static const char *const helps[] = {
#define VMM_TREND(name, id, help) help,
#include "vmmap/trends.def"
#undef VMM_TREND
	};

	return (size_t)verdict < ARRAY_LEN(helps) ? helps[verdict] : "";
}

uint64_t vmm_pick(uint64_t i, uint64_t picks, uint64_t count)
{
	uint64_t start, end, h;

	if (picks >= count)
		return i;
	if (i == 0 || picks < 2)
		return picks < 2 ? count - 1 : 0;
	if (i == picks - 1)
		return count - 1;
	/* One of each of picks - 2 equal parts, but not always at the same place: what swings in time with them would
	 * look still. */
	start = 1 + (uint64_t)((vmm_wide)(i - 1) * (count - 2) / (picks - 2));
	end = 1 + (uint64_t)((vmm_wide)i * (count - 2) / (picks - 2));
	h = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
	h = (h ^ h >> 31) * UINT64_C(0xbf58476d1ce4e5b9);
	return start + (h >> 16) % (end > start ? end - start : 1);
}

/* The known samples, thinned out where there are too many, with the time since the first. */
static bool collect(const struct vmm_sample *v, size_t count, struct points *ret, struct vmm_trend *trend)
{
	size_t known = 0, picks, picked = 0;
	uint32_t part = 0;
	int64_t before = 0, first = 0;
	struct point *p;

	for (size_t i = 0; i < count; i++)
		known += v[i].known;
	picks = known < POINTS_MAX ? known : POINTS_MAX;
	p = vmm_alloc_hook(NULL, (picks + 1) * sizeof(*p));
	if (!p)
		return false;
	for (size_t i = 0, n = 0; i < count; i++) {
		if (!v[i].known)
			continue;
		if (n == 0) {
			trend->first = v[i].value;
			first = before = v[i].time_ns;
		}
		if (v[i].time_ns < before)
			part++;
		else
			trend->seconds += (double)v[i].time_ns - (double)before > 0
					      ? ((double)v[i].time_ns - (double)before) / 1e9
					      : 0;
		before = v[i].time_ns;
		trend->last = v[i].value;
		if (picked < picks && vmm_pick(picked, picks, known) == n)
			p[picked++] =
			    (struct point){((double)v[i].time_ns - (double)first) / 1e9, (double)v[i].value, part};
		n++;
	}
	trend->points = known < UINT32_MAX ? (uint32_t)known : UINT32_MAX;
	ret->v = p;
	ret->count = picked;
	return true;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/*
 * Moves what is below pivot before what is above it, and returns where the second part begins. With the middle one of three of
 * the values as pivot neither part is empty.
 */
static size_t partition(double *v, size_t low, size_t high, double pivot)
{
	size_t i = low, j = high - 1;
	double swapped;

	for (;; i++, j--) {
		while (v[i] < pivot)
			i++;
		while (v[j] > pivot)
			j--;
		if (i >= j)
			return j + 1;
		swapped = v[i];
		v[i] = v[j];
		v[j] = swapped;
	}
}

static double middle_of(double a, double b, double c)
{
	return a < b ? (b < c ? b : (a < c ? c : a)) : (a < c ? a : (b < c ? c : b));
}

/*
 * What stands at a place when v is sorted; what is before it is no more, what is behind no less then. Slopes are many and few of
 * them are asked for. What only gets a little shorter in so many rounds is sorted after all: the values are a file's choice.
 */
static double value_at(double *v, size_t count, size_t place)
{
	size_t low = 0, high = count;

	for (unsigned round = 0; high - low > SELECT_LEAST && round < SELECT_ROUNDS; round++) {
		size_t second = partition(v, low, high, middle_of(v[low], v[low + (high - low) / 2], v[high - 1]));

		if (place < second)
			high = second;
		else
			low = second;
	}
	qsort(v + low, high - low, sizeof(*v), by_value);
	return v[place];
}

/* Changes the order of v. */
static double median(double *v, size_t count)
{
	double value = value_at(v, count, count / 2), before = v[0];

	if (count % 2)
		return value;
	for (size_t i = 1; i < count / 2; i++)
		before = v[i] > before ? v[i] : before;
	return (before + value) / 2;
}

/* Variance of Kendall's S of one part if there were no trend; y is sorted by it. */
static double variance_of(double *y, size_t count)
{
	double n = (double)count, variance = n * (n - 1) * (2 * n + 5);

	qsort(y, count, sizeof(*y), by_value);
	for (size_t i = 0; i < count;) {
		size_t end = i + 1;
		double ties;

		while (end < count && !(y[end] > y[i]))
			end++;
		ties = (double)(end - i);
		variance -= ties * (ties - 1) * (2 * ties + 5);
		i = end;
	}
	return variance / 18;
}

struct slope {
	bool known;
	double slope, low, high;
	double memory;
};

/* Slopes of all pairs of one part, appended to v; returns their number. */
static size_t add_slopes(double *v, const struct point *p, size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		for (size_t k = i + 1; k < count; k++)
			if (p[k].t > p[i].t)
				v[n++] = (p[k].y - p[i].y) / (p[k].t - p[i].t);
	return n;
}

/* How much of the noise around a line each point shares with the next: 0 none, 1 all. */
static double memory_of(const struct point *p, size_t count, double slope)
{
	double mean = 0, own = 0, shared = 0, before = 0;

	for (size_t i = 0; i < count; i++)
		mean += (p[i].y - slope * p[i].t) / (double)count;
	for (size_t i = 0; i < count; i++) {
		double rest = p[i].y - slope * p[i].t - mean;

		own += rest * rest;
		shared += i ? rest * before : 0;
		before = rest;
	}
	return own > 0 ? shared / own : 0;
}

static bool slope_of(const struct point *p, size_t count, struct slope *ret)
{
	double *v = vmm_alloc_hook(NULL, (count * count / 2 + count + 1) * sizeof(*v)), variance = 0, margin;
	size_t n = 0;

	if (!v)
		return false;
	for (size_t i = 0; i < count;) {
		size_t end = i;

		while (end < count && p[end].part == p[i].part)
			end++;
		/* Room for the values of a part is there still: its pairs come after them. */
		for (size_t k = i; k < end; k++)
			v[n + k - i] = p[k].y;
		variance += variance_of(v + n, end - i);
		n += add_slopes(v + n, p + i, end - i);
		i = end;
	}
	memset(ret, 0, sizeof(*ret));
	if (n) {
		ret->known = true;
		ret->slope = median(v, n);
		ret->memory = memory_of(p, count, ret->slope);
		margin = fmin(fmax(ret->memory, 0), MEMORY_CAP);
		margin = QUANTILE * sqrt(variance * (1 + margin) / (1 - margin));
		margin = fmin(margin, (double)n);
		ret->low = value_at(v, n, (size_t)(((double)n - margin) / 2));
		ret->high = value_at(v, n, vmm_min_u64((uint64_t)(((double)n + margin) / 2), n - 1));
	}
	free(v);
	return true;
}

bool vmm_slope_find(const struct vmm_sample *samples, size_t count, double *ret_slope, double *ret_low,
		    double *ret_high)
{
	struct vmm_trend trend = {0};
	struct slope s = {0};
	struct points p;
	bool known;

	if (!collect(samples, count, &p, &trend))
		return false;
	known = slope_of(p.v, p.count, &s) && s.known;
	free(p.v);
	if (!known)
		return false;
	*ret_slope = s.slope;
	*ret_low = s.low;
	*ret_high = s.high;
	return true;
}

/* How the medians of equal stretches follow each other. */
struct steps {
	unsigned count, rising;
	double rise, largest; /* of all steps, of one */
	double fall;          /* of those that fell, positive */
	double third;         /* of the last third of the steps */
};

static struct steps steps_of(const struct points *p, unsigned stretches)
{
	struct steps s = {.count = stretches - 1};
	double before = 0, work[POINTS_MAX];

	for (unsigned i = 0; i < stretches; i++) {
		size_t start = p->count * i / stretches, end = p->count * (i + 1) / stretches;
		double now;

		for (size_t k = start; k < end; k++)
			work[k - start] = p->v[k].y;
		now = median(work, end - start);
		if (i) {
			double step = now - before;

			s.rise += step;
			s.rising += step > 0;
			s.fall -= step < 0 ? step : 0;
			s.largest = step > s.largest ? step : s.largest;
			if (i > s.count - s.count / 3)
				s.third += step;
		}
		before = now;
	}
	return s;
}

static enum vmm_trend_verdict judge(const struct steps *s, unsigned misses)
{
	if (!(s->rise > 0))
		return s->fall > 0 ? VMM_TREND_NOISE : VMM_TREND_FLAT;
	if (s->fall > FALL_MOST * s->rise)
		return VMM_TREND_NOISE;
	if (s->largest >= STEP_MOST * s->rise)
		return VMM_TREND_JUMP;
	if (s->third < LATE_LEAST * s->rise * (double)(s->count / 3) / s->count)
		return VMM_TREND_ENDING;
	return s->rising + misses < s->count ? VMM_TREND_NOISE : VMM_TREND_STEADY;
}

static bool decide(const struct points *p, struct vmm_trend *t)
{
	bool many = p->count >= POINTS_MANY;
	struct steps s = steps_of(p, many ? STRETCHES_MANY : STRETCHES_FEW);
	struct slope slope;

	t->verdict = judge(&s, many);
	t->rising = (double)s.rising / s.count;
	if (t->verdict != VMM_TREND_STEADY && !(many && t->verdict == VMM_TREND_NOISE))
		return true;
	if (!slope_of(p->v, p->count, &slope))
		return false;
	if (many && t->verdict == VMM_TREND_NOISE) {
		/* Loud noise needs longer stretches, and they prove something only when it forgets quickly. */
		s = steps_of(p, STRETCHES_FEW);
		if (slope.known && slope.memory < MEMORY_MOST)
			t->verdict = judge(&s, 0);
	}
	if (t->verdict == VMM_TREND_STEADY && !(slope.known && slope.low > 0))
		t->verdict = VMM_TREND_NOISE;
	if (t->verdict != VMM_TREND_STEADY)
		return true;
	t->slope = slope.slope;
	t->low = slope.low;
	t->high = slope.high;
	return true;
}

int vmm_trend_find(const struct vmm_sample *samples, size_t count, struct vmm_trend *ret_trend, struct vmm_err *err)
{
	struct vmm_trend t = {.verdict = VMM_TREND_TOO_FEW};
	struct points p;
	bool done;

	if (!collect(samples, count, &p, &t))
		return vmm_fail_nomem(err);
	done = p.count < POINTS_MIN || !(t.seconds > 0) || decide(&p, &t);
	free(p.v);
	if (!done)
		return vmm_fail_nomem(err);
	*ret_trend = t;
	return 0;
}
