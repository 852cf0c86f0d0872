/*
 * Horizontal bars whose parts have the colours of kinds: VMMap's Committed, Private and Resident.
 * Layer: face. Lengths are exact to an eighth of a column.
 */
#ifndef VMM_FACE_BARS_H
#define VMM_FACE_BARS_H

#include "face/look.h"

#define VMM_BAR_PARTS_MAX 16
_Static_assert(VMM_KIND_COUNT <= VMM_BAR_PARTS_MAX, "a part for each kind");

/* A part of a bar: its name, a letter for where there is no colour or no room, a colour of the 256. */
struct vmm_bar_part {
	const char *label;
	char letter;
	int colour;
	uint64_t size;
};

/* One bar of such parts, at most VMM_BAR_PARTS_MAX; the rest as below. */
void vmm_bar_parts_emit(struct vmm_out *out, const struct vmm_look *look, const struct vmm_bar_part *part, unsigned count,
                        uint64_t scale, unsigned columns);

/*
 * One bar of at most columns columns (at most VMM_BAR_COLUMNS_MAX), scale bytes long, padded with blanks to its full
 * length. Kinds follow each other in their order; sizes by kind. With colour in eighth blocks on coloured ground,
 * without as one letter per column. scale 0 draws nothing but blanks.
 */
#define VMM_BAR_COLUMNS_MAX 300
void vmm_bar_emit(struct vmm_out *out, const struct vmm_look *look, const uint64_t sizes[VMM_KIND_COUNT],
                  uint64_t scale, unsigned columns);

/* Committed, Private and Resident of a snapshot on one scale, each with its total at the right; a line each. */
void vmm_bars_emit(struct vmm_out *out, const struct vmm_look *look, const struct vmm_snapshot *s);

#endif
