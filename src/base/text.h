/*
 * Text from a target made harmless, and its width on a terminal.
 * Layer: base.
 */
#ifndef VMM_BASE_TEXT_H
#define VMM_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Decodes one UTF-8 sequence at s (length bytes left, at least 1). Returns its length and the code point, or 1 and
 * UINT32_MAX for a byte that is no valid UTF-8 (overlong, surrogate, cut off).
 */
size_t vmm_utf8_decode(const char *s, size_t length, uint32_t *ret_point);

/* True for what must not reach a terminal as it is: controls, bidirectional and invisible format characters. */
int vmm_point_unsafe(uint32_t point);

/*
 * Writes s so that it is safe on a terminal: controls and escape sequences as \n, \t, \e or \xNN, bytes that are not
 * UTF-8 as \xNN, unsafe code points as \u{N}, backslash as \\. Always ends with NUL, cuts at a whole character.
 * Returns the bytes written without NUL.
 */
size_t vmm_escape_terminal(char *ret, size_t size, const char *s, size_t length);

/* 12345678 as "12,345,678". Returns the length without NUL. */
#define VMM_GROUPED_BYTES 28
size_t vmm_text_grouped(char ret[VMM_GROUPED_BYTES], uint64_t number);

/* Columns that a valid UTF-8 text takes on a terminal (wide characters 2, combining 0). */
size_t vmm_text_width(const char *s, size_t length);

#endif
