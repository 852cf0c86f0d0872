/*
 * Standard input as a file that sources can open by its name: "-" on the command line.
 * Layer: source.
 */
#ifndef VMM_SOURCE_INPUT_H
#define VMM_SOURCE_INPUT_H

#include "source/spool.h"

struct vmm_input {
	char path[4096]; /* with room for what the user put behind "-" */
	struct vmm_spool spool;
};

/*
 * What comes from a pipe goes into a temporary file first, to its end. VMM_E_USAGE: a terminal. VMM_E_IO, VMM_E_OUTPUT.
 * The path serves until vmm_input_done(); what was opened by it stays open.
 */
int vmm_input_open(struct vmm_input *input, struct vmm_err *err);
void vmm_input_done(struct vmm_input *input);

#endif
