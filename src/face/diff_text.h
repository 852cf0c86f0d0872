/*
 * What differs between two snapshots, as text.
 * Layer: face.
 */
#ifndef VMM_FACE_DIFF_TEXT_H
#define VMM_FACE_DIFF_TEXT_H

#include "face/look.h"

/* The whole page, or the sections that have a query. VMM_E_NOMEM. */
int vmm_diff_text(struct vmm_out *out, const struct vmm_look *look, const struct vmm_diff_page *page, struct vmm_err *err);

/* Accounts that changed, and limits that did or of which another amount is used. */
void vmm_diff_accounts_text(struct vmm_out *out, const struct vmm_look *look, const struct vmm_diff *d);

/* "Total", "Heap", or where a region lies and what it is: at most size bytes. */
void vmm_diff_row_name(const struct vmm_diff_row *row, char *ret, size_t size);

#endif
