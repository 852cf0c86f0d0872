/*
 * What vmmap heap shows, as text and JSON.
 * Layer: face.
 */
#ifndef VMM_FACE_HEAP_PAGE_H
#define VMM_FACE_HEAP_PAGE_H

#include "face/look.h"
#include "vmmap/survey.h"

struct vmm_heap_page {
	const struct vmm_snapshot *snapshot; /* taken with VMM_NEED_HEAPS; its notes hold those of the survey too */
	const struct vmm_survey *survey;
	const struct vmm_heap *total; /* of the heaps shown */
	const char *id;               /* of the one heap to show; NULL: all */
	const struct vmm_query *query; /* columns of the table of heaps */
	uint64_t top;                 /* rows of each list */
	bool duplicates;
	bool picked;                  /* --where chose among the chunks */
};

/* VMM_E_NOMEM. */
int vmm_heap_page_text(struct vmm_out *out, const struct vmm_look *look, const struct vmm_heap_page *page, struct vmm_err *err);
void vmm_heap_page_json(struct vmm_out *out, const struct vmm_heap_page *page);

/*
 * The same of an open target: walks its chunks for it. s was taken of it with VMM_NEED_HEAPS; id NULL: all heaps.
 * VMM_E_NOMEM, VMM_E_GONE.
 */
int vmm_heap_document(struct vmm_out *out, struct vmm_target *t, const struct vmm_snapshot *s, const char *id, uint64_t top,
                      struct vmm_err *err);
/* The notes of the snapshot and those of the walk that came after it, each once. free() them; NULL: out of memory. */
struct vmm_note *vmm_heap_notes(const struct vmm_snapshot *s, const struct vmm_survey *survey, uint32_t *ret_count);

/* The parts of the text that stand in files of their own. */
void vmm_heap_put_bars(struct vmm_out *out, const struct vmm_look *look, const struct vmm_heap_page *page);
void vmm_heap_put_sizes(struct vmm_out *out, const struct vmm_look *look, const struct vmm_heap_page *page);
void vmm_heap_put_lists(struct vmm_out *out, const struct vmm_look *look, const struct vmm_heap_page *page);

/* Right-aligned in width columns: "1,234", "1.2 GiB" in the look's units, "-" for nothing. */
void vmm_heap_put_count(struct vmm_out *out, uint64_t count, size_t width);
void vmm_heap_put_size(struct vmm_out *out, const struct vmm_look *look, uint64_t bytes, size_t width);

#endif
