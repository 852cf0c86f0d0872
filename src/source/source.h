/*
 * Sources: code that reads one sort of target and fills a snapshot.
 * Layer: source.
 *
 * To add a source:
 * 1. write src/source/NAME.c with: const struct vmm_source_ops vmm_source_NAME = {...} (model/target.h says what each does);
 * 2. add a row to sources.def; the first source whose probe() says yes opens the target;
 * 3. what the source cannot know stays unknown, with a note; it never guesses and never formats text for people
 *    beyond notes;
 * 4. add its fixtures to tests/, hostile and truncated ones included.
 */
#ifndef VMM_SOURCE_SOURCE_H
#define VMM_SOURCE_SOURCE_H

#include "model/target.h"

#define VMM_SOURCE(name) extern const struct vmm_source_ops vmm_source_##name;
#include "source/sources.def"
#undef VMM_SOURCE

#endif
