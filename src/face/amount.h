/*
 * Amounts on the command line: durations, sizes, shares, growth, and what a ring keeps.
 * Layer: face. Pure. option is the word in errors, without the dashes; all fail with VMM_E_USAGE.
 */
#ifndef VMM_FACE_AMOUNT_H
#define VMM_FACE_AMOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/out.h"
#include "vmmap/err.h"
#include "vmmap/session.h"

#define VMM_SECOND_NS UINT64_C(1000000000)
#define VMM_DAY_NS (86400 * VMM_SECOND_NS)

/* "1.5" (seconds), "250ms", "10s", "10m" or "10min", "2h", "3d"; lowest to highest nanoseconds. */
int vmm_amount_duration(const char *option, const char *text, uint64_t lowest, uint64_t highest, uint64_t *ret_ns,
                        struct vmm_err *err);

/* Per cent with an optional fraction and sign, above 0 up to 100: "1", "0.5%". In parts of a million. */
int vmm_amount_share(const char *option, const char *text, uint32_t *ret_ppm, struct vmm_err *err);

/* A change that counts: at least so many bytes ("+10M", "10M"), or this share ("10%"). The other one is 0. */
struct vmm_threshold {
	uint64_t bytes;
	uint32_t ppm;
};
int vmm_amount_growth(const char *option, const char *text, struct vmm_threshold *ret, struct vmm_err *err);
/* Whether now differs from before by so much, up or down. */
bool vmm_threshold_reached(const struct vmm_threshold *g, uint64_t before, uint64_t now);

/* "3600" snapshots, an age ("12h") or a size ("100M"): m is minutes, M is MiB. */
int vmm_amount_keep(const char *option, const char *text, struct vmm_session_keep *ret, struct vmm_err *err);

/* "0.25 s", "12 s", "3 min 5 s", "2 h 10 min", "3 d 4 h". */
void vmm_put_duration(struct vmm_out *out, uint64_t ns);

#endif
