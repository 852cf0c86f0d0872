#include "model/build.h"

#include <stdio.h>
#include <string.h>

#define NOTES_MAX 256 /* different notes kept; more would not be read */

struct vmm_snapshot *vmm_snapshot_create(void)
{
	struct vmm_arena *a = vmm_arena_create();
	struct vmm_snapshot *s = a ? vmm_arena_alloc(a, sizeof(*s)) : NULL;

	if (!s) {
		vmm_arena_destroy(a);
		return NULL;
	}
	s->arena = a;
	s->target.source = s->target.name = s->target.exe = s->target.cmdline = s->target.cgroup = s->target.arch = "";
	s->target.uid = -1;
	return s;
}

const char *vmm_thread_text(struct vmm_arena *arena, const struct vmm_thread *th)
{
	if (!th->name)
		return vmm_arena_printf(arena, "thread %d", th->tid);
	return vmm_arena_printf(arena, "thread %d \"%s\"", th->tid, th->name);
}

static struct vmm_note *note_find(struct vmm_snapshot *s, const char *from, const char *code, const char *text)
{
	for (uint32_t i = 0; i < s->note_count; i++) {
		struct vmm_note *n = &s->notes[i];

		if (strcmp(n->from, from) == 0 && strcmp(n->code, code) == 0 && strcmp(n->text, text) == 0)
			return n;
	}
	return NULL;
}

void vmm_snapshot_note(struct vmm_snapshot *s, const char *from, const char *code, uint64_t address, const char *format, ...)
{
	struct vmm_note *n;
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	n = note_find(s, from, code, text);
	if (n) {
		n->count++;
		return;
	}
	if (s->note_count >= NOTES_MAX)
		return;
	if (!s->notes)
		s->notes = vmm_arena_array(s->arena, NOTES_MAX, sizeof(*s->notes));
	if (!s->notes)
		return;
	n = &s->notes[s->note_count];
	n->from = vmm_arena_strdup(s->arena, from);
	n->code = vmm_arena_strdup(s->arena, code);
	n->text = vmm_arena_strdup(s->arena, text);
	n->address = address;
	n->count = 1;
	if (n->from && n->code && n->text)
		s->note_count++;
}
