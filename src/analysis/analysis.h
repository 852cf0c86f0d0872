/*
 * Analyses that turn what a source told into regions, totals and accounts, in this order.
 * Layer: analysis. Each returns 0 or an error; what cannot be told becomes unknown, with a note.
 */
#ifndef VMM_ANALYSIS_ANALYSIS_H
#define VMM_ANALYSIS_ANALYSIS_H

#include "model/build.h"
#include "model/target.h"

struct vmm_prefetch;

/*
 * Runs the claim passes and makes regions and blocks of what they found. prefetch: pages as they were while the map was
 * read (numbers.h), or NULL.
 */
int vmm_classify(struct vmm_target *t, struct vmm_snapshot *s, const struct vmm_prefetch *prefetch, struct vmm_err *err);
/* Free and unusable stretches of the user address space. */
int vmm_space_gaps(struct vmm_snapshot *s, struct vmm_err *err);
/* Totals by kind, and the total that VmSize and VmRSS are held against. */
void vmm_totals(struct vmm_snapshot *s);
/* The accounts of the design's section 4, as far as this snapshot allows. */
int vmm_accounts(struct vmm_snapshot *s, struct vmm_err *err);
/* These three in their order: what every snapshot gets last, however its regions came about. */
int vmm_snapshot_settle(struct vmm_snapshot *s, struct vmm_err *err);
/* As vmm_session_load(), going on from the snapshot before of a walk (session/read.h). */
struct vmm_session;
struct vmm_walk;
int vmm_session_load_on(struct vmm_session *session, struct vmm_walk *walk, uint32_t number, struct vmm_snapshot **ret_snapshot,
                        struct vmm_err *err);
/* Completes accounts that the source has made of totals in a file: by their ids, with kernel and label set. */
void vmm_accounts_told(struct vmm_snapshot *s);

#endif
