/*
 * Finds strings in the bytes that a report holds, as vmmap strings finds them in a target.
 * Layer: face. One thread.
 */
#ifndef VMM_FACE_REPORT_STRINGS_H
#define VMM_FACE_REPORT_STRINGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/out.h"

struct vmm_report_strings;

/* NULL: out of memory. Destroy allows NULL. */
struct vmm_report_strings *vmm_report_strings_create(void);
void vmm_report_strings_destroy(struct vmm_report_strings *s);
/* Bytes by rising address; strings go on where these begin at the end of those before. */
void vmm_report_strings_feed(struct vmm_report_strings *s, uint64_t address, const unsigned char *bytes, size_t length);
/* A region ends: no string goes on in another owner's memory. */
void vmm_report_strings_end(struct vmm_report_strings *s);
/* The object of "vmmap-strings"; the caller's. Nothing may be fed afterwards. */
struct vmm_out *vmm_report_strings_take(struct vmm_report_strings *s);

#endif
