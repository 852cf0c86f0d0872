/* Requests to vmmap serve: whoever is let in has the token and asked by a name of ours, and no address makes texts that are not UTF-8. */
#include "fuzz.h"

#include "base/text.h"
#include "face/serve/request.h"

#define TOKEN "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* The next line of the input as a text of its own; NULL where it is empty. */
static char *next(const uint8_t **at, const uint8_t *end)
{
	const uint8_t *from = *at, *nl = from < end ? memchr(from, '\n', (size_t)(end - from)) : NULL;
	size_t n = (size_t)((nl ? nl : end) - from);
	char *text = malloc(n + 1);

	FUZZ_CHECK(text);
	if (n)
		memcpy(text, from, n);
	text[n] = '\0';
	*at = nl ? nl + 1 : end;
	if (n)
		return text;
	free(text);
	return NULL;
}

static void is_harmless(const struct srv_query *q, const char *text)
{
	size_t length = strlen(text);

	FUZZ_INSIDE(text, length + 1, q->text, sizeof(q->text));
	while (length) {
		uint32_t point;
		size_t n = vmm_utf8_decode(text, length, &point);

		FUZZ_CHECK(point != UINT32_MAX && point >= ' ' && point != 0x7f);
		text += n;
		length -= n;
	}
}

static void look_at(const struct srv_query *q)
{
	uint64_t v = 0;

	is_harmless(q, q->path);
	FUZZ_CHECK(q->path[0] == '/' && q->count <= SRV_PARAMETERS_MAX);
	for (size_t i = 0; i < q->count; i++) {
		is_harmless(q, q->parameters[i].name);
		is_harmless(q, q->parameters[i].value);
		FUZZ_CHECK(srv_query_get(q, q->parameters[i].name) == q->parameters[i].value);
		if (srv_query_number(q, q->parameters[i].name, 0, 1000, &v, NULL) == 0)
			FUZZ_CHECK(v <= 1000);
		(void)srv_query_address(q, q->parameters[i].name, 0, &v, NULL);
	}
}

static void check(const struct srv_headers *h, const struct srv_query *q, uint16_t port)
{
	struct srv_guard guard = {.token = TOKEN, .cookie = "vmmap_4711", .port = port};
	const char *token = srv_query_get(q, "token");
	enum srv_place place = SRV_PLACE_COUNT;
	int status = srv_check(&guard, h, q, &place);

	FUZZ_CHECK(status == 0 || status == 303 || (status >= 400 && srv_status_text(status)[0]));
	if (status == 0) {
		FUZZ_CHECK(place < SRV_PLACE_COUNT && strcmp(srv_place_at(place)->path, q->path) == 0);
		FUZZ_CHECK((h->cookie && strstr(h->cookie, "vmmap_4711=" TOKEN)) || (h->authorization && strstr(h->authorization, TOKEN)));
		FUZZ_CHECK(strcmp(h->method, srv_place_at(place)->post ? "POST" : "GET") == 0);
		/* What a form of another page cannot send. */
		FUZZ_CHECK(!srv_place_at(place)->post || strstr(h->content_type, place == SRV_FILE ? "application/octet-stream" : "application/json") == h->content_type);
	}
	if (status == 303)
		FUZZ_CHECK(token && strcmp(token, TOKEN) == 0);
	if (status != 403) {
		FUZZ_CHECK(h->host && (strncmp(h->host, "127.0.0.1", 9) == 0 || strncmp(h->host, "localhost", 9) == 0 || strncmp(h->host, "[::1]", 5) == 0));
		FUZZ_CHECK(!h->origin || strcmp(h->origin + 7, h->host) == 0);
		FUZZ_CHECK(!h->fetch_site || strcmp(h->fetch_site, "cross-site") != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *at = data, *end = data + size;
	char *lines[8];
	struct srv_query q;
	uint64_t v = 0;
	int status;

	for (size_t i = 0; i < 8; i++)
		lines[i] = next(&at, end);
	status = srv_query_parse(&q, lines[1] ? lines[1] : "", lines[1] ? strlen(lines[1]) : 0);
	FUZZ_CHECK(status == 0 || status == 400 || status == 414);
	if (status == 0) {
		struct srv_headers h = {.method = lines[0] ? lines[0] : "", .host = lines[2], .origin = lines[3], .fetch_site = lines[4],
		                        .content_type = lines[5], .cookie = lines[6], .authorization = lines[7]};

		look_at(&q);
		check(&h, &q, 4711);
		check(&h, &q, 0);
	}
	(void)srv_body_number((const char *)at, (size_t)(end - at), "ms", &v);
	(void)srv_body_empty((const char *)at, (size_t)(end - at));
	for (size_t i = 0; i < 8; i++)
		free(lines[i]);
	return 0;
}
