/*
 * Text made harmless: an escaped text is valid UTF-8 without anything unsafe in it, ends with NUL inside its room; JSON has no
 * bare quote or control; a width limit is kept.
 */
#include "fuzz.h"

#include "base/out.h"
#include "base/text.h"

static void check_safe(const char *s, size_t length)
{
	for (size_t i = 0; i < length;) {
		uint32_t point;

		i += vmm_utf8_decode(s + i, length - i, &point);
		FUZZ_CHECK(point != UINT32_MAX && !vmm_point_unsafe(point));
	}
}

static void check_json(const char *s, size_t length)
{
	FUZZ_CHECK(length >= 2 && s[0] == '"' && s[length - 1] == '"');
	check_safe(s, length);
	for (size_t i = 1; i < length - 1; i++) {
		FUZZ_CHECK(s[i] != '"');
		if (s[i] == '\\') {
			i++;
			FUZZ_CHECK(i < length - 1 && strchr("\"\\ntu", s[i]));
		}
	}
}

static char *string(const uint8_t *data, size_t size)
{
	char *s = malloc(size + 1);

	FUZZ_CHECK(s);
	memcpy(s, data, size);
	s[size] = '\0';
	return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t room = size ? 1 + data[0] % 64 : 1, n, width = size ? data[size - 1] : 0, columns;
	char *small = malloc(room), *s = string(data, size), *text;
	struct vmm_out *out = vmm_out_create_memory();

	FUZZ_CHECK(small && out);
	n = vmm_escape_terminal(small, room, (const char *)data, size);
	FUZZ_CHECK(n < room && small[n] == '\0' && !memchr(small, '\0', n));
	check_safe(small, n);
	vmm_out_json(out, s);
	text = vmm_out_take(out, &n);
	FUZZ_CHECK(text);
	check_json(text, n);
	free(text);
	out = vmm_out_create_memory();
	FUZZ_CHECK(out);
	columns = vmm_out_escaped(out, s, width);
	text = vmm_out_take(out, &n);
	FUZZ_CHECK(text && (width == 0 || columns <= width) && vmm_text_width(text, n) == columns);
	check_safe(text, n);
	free(text);
	out = vmm_out_create_memory();
	FUZZ_CHECK(out);
	vmm_out_csv(out, s);
	text = vmm_out_take(out, &n);
	FUZZ_CHECK(text);
	check_safe(text, n);
	free(text);
	free(s);
	free(small);
	return 0;
}
