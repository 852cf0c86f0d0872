/* The strings of the contents that a report holds: the element "vmmap-strings" as web/src/data/more.ts reads it. */
#include "face/report_strings.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "format/strings.h"
#include "view/json_write.h"

#define STRINGS_MOST 200000
#define TEXT_MOST (8u << 20)

struct vmm_report_strings {
	struct vmm_strings *finder;
	struct vmm_out *out;
	uint64_t count, text, left_out;
};

static int put_string(void *arg, const struct vmm_strings_hit *hit)
{
	struct vmm_report_strings *s = arg;

	if (s->count == STRINGS_MOST || s->text + hit->text_length > TEXT_MOST) {
		s->left_out++;
		return 0;
	}
	vmm__json_key_address(s->out, s->count ? ",\n{\"address\":" : "\n{\"address\":", true, hit->address);
	vmm__json_key_number(s->out, ",\"length\":", true, hit->length);
	vmm__json_key_text(s->out, ",\"encoding\":", vmm_encoding_id(hit->encoding));
	vmm__json_key_text(s->out, ",\"text\":", hit->text);
	vmm__json_key_bool(s->out, ",\"cut\":", hit->cut);
	vmm_out_char(s->out, '}');
	s->count++;
	s->text += hit->text_length;
	return 0;
}

struct vmm_report_strings *vmm_report_strings_create(void)
{
	struct vmm_report_strings *s = vmm_alloc_hook(NULL, sizeof(*s));

	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s));
	s->out = vmm_out_create_memory();
	s->finder = vmm_strings_create((1u << VMM_ENCODING_COUNT) - 1, VMM_STRINGS_MIN_DEFAULT, put_string, s);
	if (!s->out || !s->finder) {
		vmm_report_strings_destroy(s);
		return NULL;
	}
	vmm_out_text(s->out, "{\"strings\":[");
	return s;
}

void vmm_report_strings_destroy(struct vmm_report_strings *s)
{
	if (!s)
		return;
	vmm_strings_destroy(s->finder);
	vmm_out_discard(s->out);
	free(s);
}

void vmm_report_strings_feed(struct vmm_report_strings *s, uint64_t address, const unsigned char *bytes, size_t length)
{
	vmm_strings_feed(s->finder, address, bytes, length);
}

void vmm_report_strings_end(struct vmm_report_strings *s)
{
	vmm_strings_end(s->finder);
}

struct vmm_out *vmm_report_strings_take(struct vmm_report_strings *s)
{
	struct vmm_out *out = s->out;

	vmm__json_key_number(out, "],\n\"left_out\":", true, s->left_out);
	vmm_out_text(out, "}\n");
	s->out = NULL;
	return out;
}
