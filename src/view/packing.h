/*
 * Columns of a packed table (docs/json.md, --format json-columns), each written whole before the next: equal values are said
 * once, addresses as distances, sizes in pages where they are whole ones.
 * Layer: view. One thread. Errors stick in out.
 */
#ifndef VMM_VIEW_PACKING_H
#define VMM_VIEW_PACKING_H

#include "view/view.h"

/* A number of one row. */
struct vmm__cell {
	uint64_t number;
	uint32_t state; /* VMM_KNOWN, VMM_AT_LEAST; others are null */
};

struct vmm__place;

struct vmm__packing {
	struct vmm_out *out;
	struct vmm_arena *arena; /* owns all of the below */
	struct vmm_row *rows;    /* filled by the caller, who counts them */
	const struct vmm_metrics **metrics; /* of each row; NULL: it has none */
	struct vmm__cell *cells;   /* of the column at hand */
	const char **texts;        /* the same of texts, interned: equal texts are equal pointers; NULL: null */
	struct vmm__place *places; /* by pointer; a power of two, at least twice the rows */
	size_t count, place_mask, column_count;
	uint32_t bounded; /* metrics that have lower bounds */
};

/* Room for so many rows, which the caller puts into rows. False: out of memory, and out has failed. */
bool vmm__packing_open(struct vmm__packing *p, struct vmm_out *out, size_t count);
/* key{"rows":N,"columns":{ */
void vmm__packing_begin(struct vmm__packing *p, const char *key);
/* } and "at_least". */
void vmm__packing_end(struct vmm__packing *p);
/* } and what was opened. */
void vmm__packing_done(struct vmm__packing *p);
void vmm__packing_fail(struct vmm_out *out);

/* Columns: of cells that the caller filled, of a metric, by a getter, and address with end unless that is address + size. */
void vmm__pack_cells(struct vmm__packing *p, const char *id, enum vmm_value_type type);
void vmm__pack_metric(struct vmm__packing *p, int metric);
void vmm__pack_column(struct vmm__packing *p, const char *id, const struct vmm_column *c);
void vmm__pack_range(struct vmm__packing *p);

#endif
