/*
 * A stacked area chart of characters, and sparklines.
 * Layer: face.
 */
#ifndef VMM_FACE_CHART_H
#define VMM_FACE_CHART_H

#include "face/look.h"

#define VMM_CHART_COLUMNS_MAX 300
#define VMM_CHART_MARGIN 11 /* columns at the left for the sizes */

struct vmm_chart_part {
	char letter;
	int colour; /* of the 256 */
};

struct vmm_chart {
	const struct vmm_chart_part *parts;
	unsigned part_count;
	const uint64_t *values; /* columns times part_count: of each column its parts, from the bottom up */
	const bool *empty;      /* of each column: nothing was recorded */
	const bool *marks;      /* of each column: something is said about it below; NULL: of none */
	unsigned columns, lines;
	int64_t start_s; /* local time at the left edge, as seconds of a calendar */
	double span_s;   /* time from the left edge to the right one; 0: no times */
};

/* With sizes at the left and times below. Without colour in letters; without UTF-8 in ASCII. */
void vmm_chart_emit(struct vmm_out *out, const struct vmm_look *look, const struct vmm_chart *chart);

/*
 * One line of a value for each column, from the smallest to the largest; blank where known is false. A line that moves
 * by less than a hundredth of its largest value is flat.
 */
void vmm_sparkline(struct vmm_out *out, const struct vmm_look *look, const uint64_t *values, const bool *known,
		   unsigned columns);

#endif
