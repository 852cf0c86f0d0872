/*
 * The page of report and serve: one HTML file that web/build.mjs bundles and the build puts into the program.
 * Layer: face. Everything here is const: thread-safe.
 */
#ifndef VMM_FACE_PAGE_H
#define VMM_FACE_PAGE_H

#include "base/out.h"
#include "vmmap/vmmap.h"

/* The page as it was built, not NUL-terminated; NULL when vmmap was built without it. */
const char *vmm_page_html(size_t *ret_length);
/*
 * Its two parts around the place where data stand. VMM_E_UNSUPPORTED when vmmap was built without the page.
 * ret_parts[0] ends where data begin, ret_parts[1] begins where they end.
 */
struct vmm_page_part {
	const char *bytes;
	size_t length;
};
int vmm_page_parts(struct vmm_page_part ret_parts[2], struct vmm_err *err);

/* What the page is told of libvmmap's tables: the object PageInfo of web/src/data/types.ts. title may be the target's. */
void vmm_page_info(struct vmm_out *out, const char *mode, const char *title);
/* JSON inside a script element: "<", which stands nowhere but in texts, becomes \u003c, so that no text ends the element. */
void vmm_page_embed(struct vmm_out *out, const char *json, size_t length);

#endif
