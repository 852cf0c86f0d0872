/* What vmmap serve sends: responses with the headers that keep a browser to what it was given. */
#include "face/serve/serve.h"

#ifdef VMM_HAVE_MICROHTTPD
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/out.h"
#include "face/page.h"
#include "face/serve/reply.h"
#include "view/json_write.h"

void srv_reply_headers(struct MHD_Response *response, const char *policy)
{
	MHD_add_response_header(response, "Content-Security-Policy", policy);
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "X-Frame-Options", "DENY");
	MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	MHD_add_response_header(response, "Cache-Control", "no-store");
	MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
	MHD_add_response_header(response, "Cross-Origin-Opener-Policy", "same-origin");
}

struct MHD_Response *srv_reply_json(char *text, size_t length)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(length, text, MHD_RESPMEM_MUST_FREE);

	if (!response) {
		free(text);
		return NULL;
	}
	MHD_add_response_header(response, "Content-Type", "application/json");
	srv_reply_headers(response, SRV_POLICY_DATA);
	return response;
}

struct MHD_Response *srv_reply_error(int status)
{
	return srv_reply_says(status, srv_status_text(status));
}

struct MHD_Response *srv_reply_says(int status, const char *error)
{
	struct vmm_out *out = vmm_out_create_memory();
	struct MHD_Response *response;
	size_t length = 0;
	char *text;

	if (!out)
		return NULL;
	vmm__json_key_text(out, "{\"error\":", error);
	vmm_out_text(out, "}\n");
	text = vmm_out_take(out, &length);
	response = text ? srv_reply_json(text, length) : NULL;
	if (response && status == 503)
		MHD_add_response_header(response, "Retry-After", "1");
	if (response && status == 405)
		MHD_add_response_header(response, "Allow", "GET, POST");
	return response;
}

/* The policy that the page says of itself, and that nobody frames it. */
static char *policy_of(const struct vmm_page_part *head)
{
	static const char mark[] = "http-equiv=\"Content-Security-Policy\" content=\"", more[] = "; frame-ancestors 'none'";
	const char *at = memmem(head->bytes, head->length, mark, sizeof(mark) - 1), *end;
	size_t capacity = 0, length;
	char *text = NULL;

	if (!at)
		return NULL;
	at += sizeof(mark) - 1;
	end = memchr(at, '"', (size_t)(head->bytes + head->length - at));
	length = end ? (size_t)(end - at) : 0;
	if (!length || !vmm_grow(&text, &capacity, length + sizeof(more), 1))
		return NULL;
	memcpy(text, at, length);
	memcpy(text + length, more, sizeof(more));
	return text;
}

/* Without the page the data are served all the same. */
int srv_reply_page(struct MHD_Response **ret, struct vmm_err *err)
{
	VMM_CLEANUP_FREE char *policy = NULL;
	struct vmm_out *out, *info;
	struct vmm_page_part parts[2];
	size_t length = 0;
	char *text;

	if (vmm_page_parts(parts, NULL) < 0)
		return 0;
	policy = policy_of(&parts[0]);
	out = vmm_out_create_memory();
	info = vmm_out_create_memory();
	if (!policy || !out || !info)
		return vmm_fail_nomem(err);
	vmm_page_info(info, "serve", "vmmap");
	text = vmm_out_take(info, &length);
	vmm_out_bytes(out, parts[0].bytes, parts[0].length);
	vmm_out_text(out, "<script type=\"application/json\" id=\"vmmap-info\">");
	vmm_page_embed(out, text ? text : "", length);
	vmm_out_text(out, "</script>\n");
	vmm_out_bytes(out, parts[1].bytes, parts[1].length);
	free(text);
	text = vmm_out_take(out, &length);
	*ret = text ? MHD_create_response_from_buffer(length, text, MHD_RESPMEM_MUST_FREE) : NULL;
	if (!*ret)
		return vmm_fail_nomem(err);
	MHD_add_response_header(*ret, "Content-Type", "text/html; charset=utf-8");
	srv_reply_headers(*ret, policy);
	return 0;
}
#endif
