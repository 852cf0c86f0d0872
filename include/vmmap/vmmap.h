/*
 * libvmmap: where a process's memory is, all of it, by type.
 *
 *     struct vmm_target *target;
 *     struct vmm_snapshot *snapshot;
 *     struct vmm_err err;
 *     struct vmm_take take = {.needs = VMM_NEED_DEFAULT};
 *     if (vmm_target_open("4711", &target, &err) < 0 || vmm_target_snapshot(target, &take, &snapshot, &err) < 0)
 *             fprintf(stderr, "%s\n", err.text);
 *
 * See examples/types.c.
 */
#ifndef VMMAP_VMMAP_H
#define VMMAP_VMMAP_H

#include "vmmap/capture.h"
#include "vmmap/chunks.h"
#include "vmmap/content.h"
#include "vmmap/diff.h"
#include "vmmap/err.h"
#include "vmmap/growth.h"
#include "vmmap/processes.h"
#include "vmmap/session.h"
#include "vmmap/snapshot.h"
#include "vmmap/strings.h"
#include "vmmap/survey.h"
#include "vmmap/symbols.h"
#include "vmmap/target.h"
#include "vmmap/view.h"

/* "0.1.0" */
const char *vmm_version(void);

#endif
