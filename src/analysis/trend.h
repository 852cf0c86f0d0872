/*
 * Picking some of many samples.
 * Layer: analysis.
 */
#ifndef VMM_ANALYSIS_TREND_H
#define VMM_ANALYSIS_TREND_H

#include "base/base.h"
#include "vmmap/growth.h"

/*
 * The place of pick i (0 to picks - 1) among count: the first, the last, and one of each equal part between them, at a
 * place that looks random and is always the same. Rises with i. With picks >= count it is i.
 */
uint64_t vmm_pick(uint64_t i, uint64_t picks, uint64_t count);

#endif
