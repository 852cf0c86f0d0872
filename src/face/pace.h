/*
 * How fast and how long: rates, durations, moments, and what grows steadily, as text.
 * Layer: face.
 */
#ifndef VMM_FACE_PACE_H
#define VMM_FACE_PACE_H

#include "face/look.h"
#include "vmmap/growth.h"

/* "+64.0 KiB/s", "-1.2 MiB/h": per second, minute or hour, so that it is 1 KiB or more where it can be. */
void vmm_put_rate(struct vmm_out *out, double bytes_per_second);
/* The same of things: "+1.0/s", "+2.5/h". */
void vmm_put_pace(struct vmm_out *out, double per_second);
/* "3 h 12 min": vmm_put_duration() for times of any length. */
void vmm_put_seconds(struct vmm_out *out, double seconds);
/* "2026-11-22 14:05:30" in local time. */
void vmm_put_moment(struct vmm_out *out, const struct timespec *t);

/*
 * The section "Grows steadily": what, where, how fast, which limit comes nearer. Says why there is nothing. At most top
 * findings (0: all).
 */
void vmm_growth_put(struct vmm_out *out, const struct vmm_look *look, const struct vmm_growth *g, size_t top);

#endif
