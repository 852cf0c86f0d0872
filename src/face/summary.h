/*
 * The summary of a snapshot as text: who it is, bars, types, accounts, limits, notes.
 * Layer: face.
 */
#ifndef VMM_FACE_SUMMARY_H
#define VMM_FACE_SUMMARY_H

#include "face/look.h"

/* Name, PID, user, program, width, threads, mappings, page size: two lines or more. */
void vmm_summary_head(struct vmm_out *out, const struct vmm_look *look, const struct vmm_snapshot *s);
/* Any table of the snapshot as text; of the table of types those that have nothing are left out. */
int vmm_summary_table(struct vmm_out *out, const struct vmm_look *look, const struct vmm_query *query,
                      const struct vmm_snapshot *s, struct vmm_err *err);
/* "Accounts" with a line for each; nothing when there are none. */
void vmm_summary_accounts(struct vmm_out *out, const struct vmm_look *look, const struct vmm_account *accounts, size_t count);
/* Those that end a process first, and any that is used by half or more. */
bool vmm_summary_limit_matters(const struct vmm_limit *l);
/* So much of a limit: "132 KiB", "1,024", "unlimited". */
void vmm_summary_amount(struct vmm_out *out, const struct vmm_limit *l, uint64_t amount);
/* Each note once, with how often it came up. Nothing when there are none. */
void vmm_summary_notes(struct vmm_out *out, const struct vmm_look *look, const struct vmm_snapshot *s);
/* Why a partial snapshot is so. */
const char *vmm_summary_partial(const struct vmm_snapshot *s);
/* Everything. */
int vmm_summary_emit(struct vmm_out *out, const struct vmm_look *look, const struct vmm_query *query,
                     const struct vmm_snapshot *s, struct vmm_err *err);

#endif
