/*
 * What emit_text.c and text_cell.c share: the cells of a table for people.
 * Layer: view.
 */
#ifndef VMM_VIEW_TEXT_CELL_H
#define VMM_VIEW_TEXT_CELL_H

#include "view/view.h"

struct vmm__cell {
	struct vmm_value v;
	char own[64];
	const char *text, *suffix; /* in own, in v, or of the row */
	bool dim, alarm, bold;
	int sign;   /* of a change */
	int colour; /* 256-colour index of a square before the text, -1 for none */
};
/* digits: at least so many of addresses. Neither the cell may move nor the row go while it is used. */
void vmm__cell_make(struct vmm__cell *c, const struct vmm_column *column, unsigned digits, const struct vmm_row *row,
                    const struct vmm_style *style);

/* Columns on a terminal once escaped; backslashes as in struct vmm_out. */
size_t vmm__shown_width(const char *s, bool backslashes);
bool vmm__right_aligned(const struct vmm_column *column);

#endif
