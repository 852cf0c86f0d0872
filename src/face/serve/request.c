#include "face/serve/request.h"

#include <string.h>

#include "base/base.h"
#include "base/err.h"
#include "base/scan.h"
#include "base/text.h"
#include "face/args.h"

static const struct srv_place_row places[SRV_PLACE_COUNT] = {
    [SRV_PAGE] = {"/", false, "token"},
    [SRV_INFO] = {"/api/info", false, ""},
    [SRV_PROCESSES] = {"/api/processes", false, "columns|sort|where|top"},
    [SRV_TARGET] = {"/api/target", true, "name"},
    [SRV_FILE] = {"/api/file", true, "name"},
    [SRV_SNAPSHOT] = {"/api/snapshot", false, "n|raw"},
    [SRV_REGIONS] = {"/api/regions", false, "n|view|columns|sort|where|kind|top|offset|limit|raw"},
    [SRV_TIMELINE] = {"/api/timeline", false, "measure|by|target|from|to|where|top"},
    [SRV_DIFF] = {"/api/diff", false, "before|after|all"},
    [SRV_AT] = {"/api/at", false, "n|address"},
    [SRV_HEAP] = {"/api/heap", false, "n|id|top"},
    [SRV_CHUNKS] = {"/api/chunks", false, "n|id|address|end|limit"},
    [SRV_STRINGS] = {"/api/strings", false, "n|address|end|top|min|where|kind"},
    [SRV_MEMORY] = {"/api/memory", false, "n|address|length"},
    [SRV_PAGES] = {"/api/pages", false, "n|address|end"},
    [SRV_EVENTS] = {"/api/events", false, "n"},
    [SRV_LOOK] = {"/api/look", true, ""},
    [SRV_INTERVAL] = {"/api/interval", true, ""},
    [SRV_GROWTH] = {"/api/growth", true, "measure|percent"},
};

const struct srv_place_row *srv_place_at(enum srv_place place)
{
	return &places[place];
}

/* --- the address --- */

/* Decodes [from, end) to at; "+" is a space in a query. The end of what was written, or NULL: malformed. */
static char *decode(const char *from, const char *end, bool query, char *at)
{
	while (from < end) {
		unsigned char c = (unsigned char)*from++;

		if (c == '%') {
			int high = from < end ? vmm_hex_digit(from[0]) : -1;
			int low = end - from > 1 ? vmm_hex_digit(from[1]) : -1;

			if (high < 0 || low < 0)
				return NULL;
			c = (unsigned char)(high << 4 | low);
			from += 2;
		} else if (c == '+' && query) {
			c = ' ';
		}
		if (c < ' ' || c == 0x7f)
			return NULL;
		*at++ = (char)c;
	}
	*at = '\0';
	return at;
}

/* Every byte belongs to a whole character. */
static bool is_utf8(const char *text)
{
	size_t length = strlen(text);

	while (length) {
		uint32_t point;
		size_t n = vmm_utf8_decode(text, length, &point);

		if (point == UINT32_MAX)
			return false;
		text += n;
		length -= n;
	}
	return true;
}

/* One "name=value". */
static char *take_parameter(struct srv_query *q, const char *from, const char *end, char *at)
{
	const char *equals = memchr(from, '=', (size_t)(end - from));
	const char *name = at, *value;

	if (q->count == SRV_PARAMETERS_MAX)
		return NULL;
	at = decode(from, equals ? equals : end, true, at);
	if (!at)
		return NULL;
	value = ++at;
	at = decode(equals ? equals + 1 : end, end, true, at);
	if (!at || !is_utf8(name) || !is_utf8(value) || srv_query_get(q, name))
		return NULL;
	q->parameters[q->count].name = name;
	q->parameters[q->count++].value = value;
	return at + 1;
}

int srv_query_parse(struct srv_query *q, const char *uri, size_t length)
{
	const char *end = uri + length, *mark = length ? memchr(uri, '?', length) : NULL, *p;
	char *at = q->text;

	q->count = 0;
	q->path = "";
	/* Each part gives a NUL for the sign that ends it, and a parameter without a value one more. */
	if (length > SRV_URI_MAX - SRV_PARAMETERS_MAX - 2)
		return 414;
	if (length == 0 || uri[0] != '/' || memchr(uri, '\0', length))
		return 400;
	at = decode(uri, mark ? mark : end, false, at);
	if (!at || !is_utf8(q->text))
		return 400;
	at++;
	for (p = mark; p; p = *p == '&' ? p : NULL) {
		const char *from = p + 1;

		p = memchr(from, '&', (size_t)(end - from));
		if (!p)
			p = end;
		if (from < p)
			at = take_parameter(q, from, p, at);
		if (!at)
			return 400;
		if (p == end)
			break;
	}
	q->path = q->text;
	return 0;
}

const char *srv_query_get(const struct srv_query *q, const char *name)
{
	for (size_t i = 0; i < q->count; i++)
		if (strcmp(q->parameters[i].name, name) == 0)
			return q->parameters[i].value;
	return NULL;
}

bool srv_query_flag(const struct srv_query *q, const char *name)
{
	const char *text = srv_query_get(q, name);

	return text && strcmp(text, "0") != 0 && strcmp(text, "false") != 0;
}

int srv_query_number(const struct srv_query *q, const char *name, uint64_t otherwise, uint64_t most, uint64_t *ret, struct vmm_err *err)
{
	const char *text = srv_query_get(q, name);
	struct vmm_scan s;
	uint64_t v;

	if (!text) {
		*ret = otherwise;
		return 0;
	}
	s = vmm_scan_init(text, strlen(text));
	if (!vmm_scan_dec(&s, &v) || !vmm_scan_done(&s) || v > most)
		return vmm_fail(err, VMM_E_USAGE, 0, "%s: not a whole number from 0 to %llu", name, (unsigned long long)most);
	*ret = v;
	return 0;
}

int srv_query_address(const struct srv_query *q, const char *name, uint64_t otherwise, uint64_t *ret, struct vmm_err *err)
{
	const char *text = srv_query_get(q, name);
	struct vmm_scan s;
	uint64_t v;

	if (!text) {
		*ret = otherwise;
		return 0;
	}
	s = vmm_scan_init(text, strlen(text));
	if (!vmm_scan_text(&s, "0x") || !vmm_scan_hex(&s, &v) || !vmm_scan_done(&s))
		return vmm_fail(err, VMM_E_USAGE, 0, "%s: not an address: 0x and hexadecimal digits", name);
	*ret = v;
	return 0;
}

/* --- who asks --- */

bool srv_same_token(const char *token, const char *text, size_t length)
{
	unsigned char differs = length != SRV_TOKEN_LENGTH;

	/* All of the token is looked at whatever was sent; only the length of that can be told by the time. */
	for (size_t i = 0; i < SRV_TOKEN_LENGTH; i++)
		differs |= (unsigned char)(token[i] ^ text[i < length ? i : length]);
	return differs == 0;
}

/* NAME, [NAME] or NAME:PORT of a Unix socket: who forwards it chooses the port. */
static bool is_any_port(const char *rest)
{
	struct vmm_scan s = vmm_scan_init(rest, strlen(rest));
	uint64_t port;

	return !*rest || (vmm_scan_char(&s, ':') && vmm_scan_dec(&s, &port) && vmm_scan_done(&s) && port <= 65535);
}

bool srv_host_allowed(const struct srv_guard *guard, const char *host)
{
	static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};
	struct vmm_scan s;
	uint64_t port;

	if (guard->host_name && strcmp(host, guard->host_name) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		s = vmm_scan_init(host, strlen(host));
		if (!vmm_scan_text(&s, names[i]))
			continue;
		if (!guard->port)
			return is_any_port(s.p);
		return vmm_scan_char(&s, ':') && vmm_scan_dec(&s, &port) && vmm_scan_done(&s) && port == guard->port;
	}
	return false;
}

/* "http://" and the very host that was asked. */
static bool is_own_origin(const struct srv_headers *h)
{
	struct vmm_scan s = vmm_scan_init(h->origin, strlen(h->origin));

	return vmm_scan_text(&s, "http://") && strcmp(s.p, h->host) == 0;
}

static bool has_cookie(const struct srv_guard *guard, const char *cookies)
{
	struct vmm_scan s = vmm_scan_init(cookies, strlen(cookies));
	bool found = false;

	while (!vmm_scan_done(&s)) {
		const char *start, *end;

		vmm_scan_blank(&s);
		start = s.p;
		end = memchr(start, ';', (size_t)(s.end - start));
		end = end ? end : s.end;
		if (vmm_scan_text(&s, guard->cookie) && vmm_scan_char(&s, '=') && s.p <= end)
			found |= srv_same_token(guard->token, s.p, (size_t)(end - s.p));
		s.p = end < s.end ? end + 1 : end;
	}
	return found;
}

static bool has_bearer(const struct srv_guard *guard, const char *authorization)
{
	struct vmm_scan s = vmm_scan_init(authorization, strlen(authorization));

	return vmm_scan_text(&s, "Bearer ") && srv_same_token(guard->token, s.p, (size_t)(s.end - s.p));
}

/* Whether it comes from the page itself, or from who opened it: not from another page that the browser shows. */
static bool is_near(const struct srv_guard *guard, const struct srv_headers *h)
{
	if (h->twice || !h->host || !srv_host_allowed(guard, h->host))
		return false;
	if (h->origin && !is_own_origin(h))
		return false;
	return !h->fetch_site || strcmp(h->fetch_site, "same-origin") == 0 || strcmp(h->fetch_site, "none") == 0;
}

/* Neither of these is what a form of another page could send: a browser asks first, and is told no. */
static bool is_type(enum srv_place place, const char *type)
{
	const char *wanted = place == SRV_FILE ? "application/octet-stream" : "application/json";
	size_t length = strlen(wanted);

	return type && strncmp(type, wanted, length) == 0 && strchr("; ", type[length]);
}

static bool is_once(const struct srv_guard *guard, const char *token)
{
	return guard->once[0] && srv_same_token(guard->once, token, strlen(token));
}

int srv_check(const struct srv_guard *guard, const struct srv_headers *h, const struct srv_query *q, enum srv_place *ret_place)
{
	const char *token = srv_query_get(q, "token");
	int place = 0;
	bool post;

	if (!is_near(guard, h))
		return 403;
	post = strcmp(h->method, "POST") == 0;
	if (token && strcmp(q->path, "/") == 0 && q->count == 1 && strcmp(h->method, "GET") == 0)
		return srv_same_token(guard->token, token, strlen(token)) || is_once(guard, token) ? 303 : 403;
	if (!(h->cookie && has_cookie(guard, h->cookie)) && !(h->authorization && has_bearer(guard, h->authorization)))
		return 403;
	if (!post && strcmp(h->method, "GET") != 0)
		return 405;
	while (place < SRV_PLACE_COUNT && strcmp(places[place].path, q->path) != 0)
		place++;
	if (place == SRV_PLACE_COUNT)
		return 404;
	if (post != places[place].post)
		return 405;
	if (post && !is_type((enum srv_place)place, h->content_type))
		return 415;
	for (size_t i = 0; i < q->count; i++)
		if (!vmm_words_contain(places[place].parameters, q->parameters[i].name))
			return 400;
	*ret_place = (enum srv_place)place;
	return 0;
}

/* --- bodies --- */

static void skip_space(struct vmm_scan *s)
{
	while (s->p < s->end && strchr(" \t\r\n", *s->p) && *s->p)
		s->p++;
}

static bool take_sign(struct vmm_scan *s, char sign)
{
	skip_space(s);
	return vmm_scan_char(s, sign);
}

bool srv_body_number(const char *body, size_t length, const char *key, uint64_t *ret)
{
	struct vmm_scan s = vmm_scan_init(body, length);
	uint64_t v;

	if (!take_sign(&s, '{') || !take_sign(&s, '"') || !vmm_scan_text(&s, key) || !vmm_scan_char(&s, '"') || !take_sign(&s, ':'))
		return false;
	skip_space(&s);
	if (!vmm_scan_dec(&s, &v) || !take_sign(&s, '}'))
		return false;
	skip_space(&s);
	if (!vmm_scan_done(&s))
		return false;
	*ret = v;
	return true;
}

bool srv_body_empty(const char *body, size_t length)
{
	struct vmm_scan s = vmm_scan_init(body, length);

	if (take_sign(&s, '{') && !take_sign(&s, '}'))
		return false;
	skip_space(&s);
	return vmm_scan_done(&s);
}

const char *srv_status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} texts[] = {
	    {400, "the request is malformed, or has a parameter that is not taken here: docs/http.md lists them"},
	    {403, "not permitted: open the address that vmmap serve printed, with its token"},
	    {404, "there is nothing at this address: docs/http.md lists what there is"},
	    {405, "this is not asked so: with GET, and what changes something with POST"},
	    {409, "another file is being sent: wait for its end"},
	    {411, "a file needs its Content-Length"},
	    {413, "the body is too large"},
	    {414, "the address is too long"},
	    {415, "a POST needs Content-Type: application/json, and a file application/octet-stream"},
	    {503, "too much is asked at a time: ask again later"},
	    {507, "the file cannot be kept: set TMPDIR to a folder with room"},
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "";
}
