/* When looks were taken: times that rise, gaps and restarts, and where they fall in a chart. */
#include <stdlib.h>

#include "base/err.h"
#include "face/timeline.h"

#define GAP_PACES 8 /* of the usual time between two looks: a longer one is a gap */
#define UNEVEN 3    /* where a tenth of all is so much longer than the usual, looks have no pace, and no gaps */

static int by_length(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* The usual time between two looks, and whether others are much longer. Looks at several targets count as one. */
static bool find_pace(struct vmm_timeline *t, bool *ret_even)
{
	VMM_CLEANUP_FREE int64_t *v = vmm_alloc_hook(NULL, ((size_t)t->look_count + 1) * sizeof(*v));
	int64_t before = 0, longest = 0;
	size_t n = 0;

	if (!v)
		return false;
	for (uint32_t i = 1; i < t->look_count; i++) {
		int64_t step = t->looks[i].axis_ns - before;

		longest = t->looks[i].axis_ns - t->looks[i - 1].axis_ns > longest
			      ? t->looks[i].axis_ns - t->looks[i - 1].axis_ns
			      : longest;
		/* In a round all targets are looked at in turn. */
		if (t->together && t->looks[i].target != t->looks[0].target)
			continue;
		if (step > 0)
			v[n++] = step;
		before = t->looks[i].axis_ns;
	}
	if (n)
		qsort(v, n, sizeof(*v), by_length);
	t->pace_ns = n ? v[n / 2] : longest;
	*ret_even = n >= 4 && v[n * 9 / 10] / UNEVEN <= t->pace_ns;
	return true;
}

int vmm_timeline_times(struct vmm_timeline *t, struct vmm_err *err)
{
	int64_t shift = 0;
	bool even;

	for (uint32_t i = 1; i < t->look_count; i++) {
		struct vmm_timeline_look *l = &t->looks[i], *before = l - 1;
		int64_t seconds = (int64_t)((uint64_t)l->taken_at.tv_sec - (uint64_t)before->taken_at.tv_sec), step;

		if (__builtin_mul_overflow(seconds, INT64_C(1000000000), &step) ||
		    __builtin_add_overflow(step, (int64_t)l->taken_at.tv_nsec - before->taken_at.tv_nsec, &step))
			step = seconds < 0 ? -1 : INT64_MAX / 4;
		if (step < 0) {
			t->set_back++;
			step = i > 1 ? before->axis_ns - before[-1].axis_ns : 0;
		}
		if (__builtin_add_overflow(shift, step, &shift))
			shift = INT64_MAX;
		l->axis_ns = shift;
		l->other = !t->together && l->target != before->target;
	}
	if (!find_pace(t, &even))
		return vmm_fail_nomem(err);
	for (uint32_t i = 1; i < t->look_count && even; i++)
		t->looks[i].gap = (t->looks[i].axis_ns - t->looks[i - 1].axis_ns) / GAP_PACES > t->pace_ns;
	return 0;
}

void vmm_timeline_columns(const struct vmm_timeline *t, unsigned columns, uint32_t *ret_look)
{
	int64_t span = t->look_count ? t->looks[t->look_count - 1].axis_ns : 0;
	uint32_t next = 0, held = VMM_NONE;

	for (unsigned c = 0; c < columns; c++) {
		/* A column holds the looks up to where the next one begins; of those the largest is shown: no peak is
		 * lost. */
		int64_t end = (int64_t)((vmm_wide)span * (c + 1) / columns);
		uint32_t best = VMM_NONE;

		for (; next < t->look_count && (t->looks[next].axis_ns < end || c + 1 == columns); next++) {
			const struct vmm_sample *v = t->total.samples;

			/* Used bytes are known only where heaps were walked: the looks between say nothing. */
			if (!v[next].known)
				continue;
			if (best == VMM_NONE || v[next].value >= v[best].value)
				best = next;
			held = next;
		}
		/* Between two looks the one before stands, but not in a gap. */
		if (best == VMM_NONE && next < t->look_count && !t->looks[next].gap)
			best = held;
		ret_look[c] = best;
	}
}
