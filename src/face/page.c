#include "face/page.h"

#include "base/err.h"
#include "view/json_write.h"

#define PLACE "<!--VMMAP-DATA-->"

#ifdef VMM_PAGE_FILE
__asm__(".section .rodata.vmm_page,\"a\",%progbits\n"
        ".global vmm__page_begin\n.hidden vmm__page_begin\nvmm__page_begin:\n"
        ".incbin \"" VMM_PAGE_FILE "\"\n"
        ".global vmm__page_end\n.hidden vmm__page_end\nvmm__page_end:\n"
        ".byte 0\n.previous\n");
extern const char vmm__page_begin[], vmm__page_end[];

const char *vmm_page_html(size_t *ret_length)
{
	*ret_length = (size_t)(vmm__page_end - vmm__page_begin);
	return vmm__page_begin;
}
#else
const char *vmm_page_html(size_t *ret_length)
{
	*ret_length = 0;
	return NULL;
}
#endif

int vmm_page_parts(struct vmm_page_part ret_parts[2], struct vmm_err *err)
{
	size_t length;
	const char *html = vmm_page_html(&length), *place;

	if (!html)
		return vmm_fail(err, VMM_E_UNSUPPORTED, 0,
		                "vmmap was built without its page: build it where node and npm are installed, or from a release");
	place = memmem(html, length, PLACE, sizeof(PLACE) - 1);
	if (!place)
		return vmm_fail(err, VMM_E_UNSUPPORTED, 0, "the page that vmmap was built with has no place for data");
	ret_parts[0] = (struct vmm_page_part){html, (size_t)(place - html)};
	place += sizeof(PLACE) - 1;
	ret_parts[1] = (struct vmm_page_part){place, (size_t)(html + length - place)};
	return 0;
}

static const char *type_word(enum vmm_value_type type)
{
	switch (type) {
	case VMM_VALUE_BYTES:
	case VMM_VALUE_CHANGE:
		return "bytes";
	case VMM_VALUE_COUNT:
	case VMM_VALUE_CHANGE_COUNT:
		return "count";
	case VMM_VALUE_ADDRESS:
		return "address";
	case VMM_VALUE_FLAG:
		return "flag";
	case VMM_VALUE_TEXT:
		break;
	}
	return "text";
}

static void put_kinds(struct vmm_out *out)
{
	vmm_out_text(out, ",\"kinds\":[");
	for (int k = 0; k < VMM_KIND_COUNT; k++) {
		enum vmm_kind kind = (enum vmm_kind)k;

		vmm__json_key_text(out, k ? ",\n{\"id\":" : "\n{\"id\":", vmm_kind_id(kind));
		vmm__json_key_text(out, ",\"label\":", vmm_kind_label(kind));
		vmm_out_printf(out, ",\"light\":\"#%06x\",\"dark\":\"#%06x\"", vmm_kind_colour(kind, false), vmm_kind_colour(kind, true));
		vmm__json_key_text(out, ",\"help\":", vmm_kind_help(kind));
		vmm_out_char(out, '}');
	}
	vmm_out_char(out, ']');
}

static void put_columns(struct vmm_out *out)
{
	const struct vmm_table *table = vmm_table_find("regions");

	vmm_out_text(out, ",\"columns\":[");
	for (size_t i = 0; i < table->column_count; i++) {
		const struct vmm_column *c = &table->columns[i];

		vmm__json_key_text(out, i ? ",\n{\"id\":" : "\n{\"id\":", c->id);
		vmm__json_key_text(out, ",\"title\":", c->title);
		vmm__json_key_text(out, ",\"help\":", c->help);
		vmm__json_key_text(out, ",\"type\":", type_word(c->type));
		vmm__json_key_bool(out, ",\"shown\":", c->flags & VMM_COLUMN_DEFAULT);
		vmm__json_key_bool(out, ",\"name\":", c->flags & VMM_COLUMN_ID);
		vmm_out_char(out, '}');
	}
	vmm_out_char(out, ']');
}

void vmm_page_embed(struct vmm_out *out, const char *json, size_t length)
{
	for (size_t i = 0; i < length;) {
		const char *found = memchr(json + i, '<', length - i);
		size_t n = found ? (size_t)(found - json) - i : length - i;

		vmm_out_bytes(out, json + i, n);
		i += n;
		if (found) {
			vmm_out_text(out, "\\u003c");
			i++;
		}
	}
}

void vmm_page_info(struct vmm_out *out, const char *mode, const char *title)
{
	vmm_out_text(out, "{\"tool\":\"vmmap " VMM_VERSION "\"");
	vmm__json_key_text(out, ",\"mode\":", mode);
	vmm__json_key_text(out, ",\"title\":", title);
	put_kinds(out);
	put_columns(out);
	vmm_out_text(out, "}");
}
