/*
 * The arguments of a core's process. The kernel lays them out so (fs/binfmt_elf.c, create_elf_tables), upwards: argc, pointers
 * to the arguments, 0, pointers to the environment, 0, auxv; then AT_RANDOM's bytes; then the strings. auxv stands in a note
 * of the core too, so its copy on the stack can be found, and the rest by counting downwards.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "source/core.h"

#define AUXV_REACH (64u << 10)     /* from AT_RANDOM's bytes down to the start of auxv */
#define POINTERS_MAX (1u << 20)    /* bytes of pointers read below auxv */
#define ARGUMENTS_MAX (128u << 10) /* bytes of arguments kept */
#define LIKE_WORDS 4               /* words of auxv compared */

/* What the core stores of the mapping that holds end, from at most length bytes below end on; *ret_start: where it begins. */
static unsigned char *read_below(struct core_target *t, uint64_t end, uint64_t length, uint64_t *ret_start)
{
	size_t i = end ? core_piece_at(t, end - 1) : t->piece_count;
	unsigned char *bytes;
	uint64_t start;

	if (i == t->piece_count || t->pieces[i].start >= end)
		return NULL;
	start = vmm_max_u64(t->pieces[i].start, end > length ? end - length : 0);
	bytes = vmm_alloc_hook(NULL, (size_t)(end - start));
	if (bytes && !core_stored(t, start, bytes, (size_t)(end - start))) {
		free(bytes);
		return NULL;
	}
	*ret_start = start;
	return bytes;
}

/* Where auxv stands on the stack; 0: nowhere. */
static uint64_t find_auxv(struct core_target *t)
{
	unsigned word = t->header.bits / 8;
	size_t like = LIKE_WORDS * word;
	VMM_CLEANUP_FREE unsigned char *bytes = NULL;
	uint64_t random, start, found = 0;

	if (t->auxv_length < like || !core_auxv(t, VMM_AT_RANDOM, &random))
		return 0;
	random = vmm_align_down(random, 16);
	bytes = read_below(t, random, AUXV_REACH, &start);
	for (uint64_t at = 0; bytes && at + like <= random - start && !found; at += word)
		if (memcmp(bytes + at, t->auxv, like) == 0)
			found = start + at;
	return found;
}

/* The place of the first argument's string and the one behind the last pointer; false: the words are not as they must be. */
static bool find_pointers(struct core_target *t, uint64_t auxv, uint64_t *ret_first, uint64_t *ret_last)
{
	unsigned word = t->header.bits / 8;
	VMM_CLEANUP_FREE unsigned char *bytes = NULL;
	uint64_t start, count = 0;
	size_t at;

	bytes = read_below(t, auxv, POINTERS_MAX, &start);
	if (!bytes || (auxv - start) % word)
		return false;
	at = (size_t)(auxv - start);
	if (at < word || vmm_word_at(bytes, at -= word, word) != 0)
		return false;
	while (at >= word && vmm_word_at(bytes, at - word, word) != 0)
		at -= word;
	if (at < 2 * word)
		return false;
	at -= word; /* on the 0 behind the arguments */
	*ret_last = vmm_word_at(bytes, at - word, word);
	for (; at >= word; count++) {
		at -= word;
		if (vmm_word_at(bytes, at, word) == count) {
			*ret_first = count ? vmm_word_at(bytes, at + word, word) : 0;
			return count > 0;
		}
	}
	return false;
}

const char *core_cmdline(struct core_target *t, struct vmm_arena *arena)
{
	VMM_CLEANUP_FREE char *text = NULL;
	uint64_t auxv = find_auxv(t), first, last, room;
	size_t i, length, end;

	if (!auxv || !find_pointers(t, auxv, &first, &last) || last < first || last - first >= ARGUMENTS_MAX)
		return NULL;
	i = core_piece_at(t, last);
	if (i == t->piece_count || t->pieces[i].start > first)
		return NULL;
	room = vmm_min_u64(ARGUMENTS_MAX, t->pieces[i].start + t->pieces[i].stored - first);
	text = vmm_alloc_hook(NULL, (size_t)room + 1);
	if (!text || t->pieces[i].start + t->pieces[i].stored <= last || !core_stored(t, first, text, (size_t)room))
		return NULL;
	length = (size_t)(last - first);
	end = length + strnlen(text + length, (size_t)room - length);
	for (size_t k = 0; k < length; k++)
		if (text[k] == '\0')
			text[k] = ' ';
	while (end && text[end - 1] == ' ')
		end--;
	return vmm_arena_strndup(arena, text, end);
}
