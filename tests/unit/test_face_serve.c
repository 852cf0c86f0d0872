/* Which requests vmmap serve answers: addresses, tokens, hosts, origins, bodies. What is right and wrong was written down by hand. */
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "face/serve/request.h"

#define TOKEN "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define OTHER "00112233445566778899aabbccddeeff00112233445566778899aabbccddeefe"

static const struct srv_guard guard = {.token = TOKEN, .cookie = "vmmap_4711", .port = 4711};

static int parse(struct srv_query *q, const char *uri)
{
	return srv_query_parse(q, uri, strlen(uri));
}

static void test_addresses_are_taken_apart(void **state)
{
	struct srv_query q;

	assert_int_equal(parse(&q, "/"), 0);
	assert_string_equal(q.path, "/");
	assert_int_equal(q.count, 0);
	assert_int_equal(parse(&q, "/api/at?address=0x7f&n=3"), 0);
	assert_string_equal(q.path, "/api/at");
	assert_int_equal(q.count, 2);
	assert_string_equal(srv_query_get(&q, "address"), "0x7f");
	assert_string_equal(srv_query_get(&q, "n"), "3");
	assert_null(srv_query_get(&q, "addres"));
	assert_int_equal(parse(&q, "/a%2fb?where=rss%3E1M+%26%26%20kind%3dheap&x&y=&&"), 0);
	assert_string_equal(q.path, "/a/b");
	assert_string_equal(srv_query_get(&q, "where"), "rss>1M && kind=heap");
	assert_string_equal(srv_query_get(&q, "x"), "");
	assert_string_equal(srv_query_get(&q, "y"), "");
	assert_int_equal(q.count, 3);
	assert_int_equal(parse(&q, "/?a=%C3%A9=b?c"), 0);
	assert_string_equal(srv_query_get(&q, "a"), "\xc3\xa9=b?c");
	assert_int_equal(parse(&q, "/a+b?"), 0);
	assert_string_equal(q.path, "/a+b");
}

static void test_malformed_addresses_are_refused(void **state)
{
	static const char *const wrong[] = {"", "*", "api", "http://x/", "/%", "/%4", "/%zz", "/%00", "/?a=%00", "/?a=%0a", "/?a=%7f",
	                                    "/?%1b=1", "/?a=%ff", "/?a=%c3", "/%ed%a0%80", "/?a=1&a=2", "/\xc0\xaf", "/a\tb"};
	char many[200] = "/?", uri[SRV_URI_MAX + 2];
	struct srv_query q;
	size_t at = 2;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(parse(&q, wrong[i]), 400);
	assert_int_equal(srv_query_parse(&q, "/a\0b", 4), 400);
	for (int i = 0; i < SRV_PARAMETERS_MAX; i++)
		at += (size_t)snprintf(many + at, sizeof(many) - at, "&p%d", i);
	assert_int_equal(parse(&q, many), 0);
	assert_int_equal(q.count, SRV_PARAMETERS_MAX);
	snprintf(many + at, sizeof(many) - at, "&more");
	assert_int_equal(parse(&q, many), 400);
	memset(uri, 'a', sizeof(uri));
	uri[0] = '/';
	assert_int_equal(srv_query_parse(&q, uri, sizeof(uri)), 414);
	assert_int_equal(srv_query_parse(&q, uri, SRV_URI_MAX - 100), 0);
}

static void test_numbers_and_addresses(void **state)
{
	struct srv_query q;
	uint64_t v = 7;

	assert_int_equal(parse(&q, "/?a=12&b=-1&c=1x&d=&e=0x1F&f=18446744073709551616&g=0xffffffffffffffff&h=0x10000000000000000"), 0);
	assert_int_equal(srv_query_number(&q, "a", 0, 12, &v, NULL), 0);
	assert_int_equal(v, 12);
	assert_int_equal(srv_query_number(&q, "none", 5, 12, &v, NULL), 0);
	assert_int_equal(v, 5);
	assert_int_equal(srv_query_number(&q, "a", 0, 11, &v, NULL), VMM_E_USAGE);
	for (const char *name = "bcdefgh"; *name; name++)
		assert_int_equal(srv_query_number(&q, (char[]){*name, '\0'}, 0, UINT64_MAX, &v, NULL), VMM_E_USAGE);
	assert_int_equal(v, 5);
	assert_int_equal(srv_query_address(&q, "e", 0, &v, NULL), 0);
	assert_int_equal(v, 0x1f);
	assert_int_equal(srv_query_address(&q, "g", 0, &v, NULL), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(srv_query_address(&q, "h", 0, &v, NULL), VMM_E_USAGE);
	assert_int_equal(srv_query_address(&q, "a", 0, &v, NULL), VMM_E_USAGE);
}

static void test_hosts(void **state)
{
	static const char *const right[] = {"127.0.0.1:4711", "localhost:4711", "[::1]:4711"};
	static const char *const wrong[] = {"", "127.0.0.1", "localhost", "127.0.0.1:4712", "127.0.0.1:47110", "127.0.0.1:4711 ", "evil.example:4711",
	                                    "localhost.evil.example:4711", "127.0.0.1.evil.example:4711", "localhost:4711.evil.example", "127.0.0.2:4711", "0.0.0.0:4711"};
	struct srv_guard other = guard;

	for (size_t i = 0; i < ARRAY_LEN(right); i++)
		assert_true(srv_host_allowed(&guard, right[i]));
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_false(srv_host_allowed(&guard, wrong[i]));
	other.host_name = "build.example:8080";
	assert_true(srv_host_allowed(&other, "build.example:8080"));
	assert_true(srv_host_allowed(&other, "localhost:4711"));
	assert_false(srv_host_allowed(&other, "build.example"));
	/* Behind a Unix socket whoever forwards it chooses the port, but not the name. */
	other = guard;
	other.port = 0;
	assert_true(srv_host_allowed(&other, "localhost"));
	assert_true(srv_host_allowed(&other, "localhost:8080"));
	assert_false(srv_host_allowed(&other, "localhost:"));
	assert_false(srv_host_allowed(&other, "localhost:99999"));
	assert_false(srv_host_allowed(&other, "localhost.evil.example"));
	assert_false(srv_host_allowed(&other, "evil.example:8080"));
}

/* The status of a request that is right but for what the caller changed. */
static int check(const struct srv_headers *headers, const char *uri)
{
	enum srv_place place = SRV_PLACE_COUNT;
	struct srv_query q;
	int status;

	assert_int_equal(parse(&q, uri), 0);
	status = srv_check(&guard, headers, &q, &place);
	if (status == 0)
		assert_true(place < SRV_PLACE_COUNT && strcmp(srv_place_at(place)->path, q.path) == 0);
	else
		assert_int_equal(place, SRV_PLACE_COUNT);
	return status;
}

static const struct srv_headers good = {.method = "GET", .host = "localhost:4711", .cookie = "vmmap_4711=" TOKEN};

static void test_who_is_let_in(void **state)
{
	struct srv_headers h = good;

	assert_int_equal(check(&h, "/"), 0);
	assert_int_equal(check(&h, "/api/info"), 0);
	h.cookie = "a=b; vmmap_4711=" OTHER "; vmmap_4711=" TOKEN ";c";
	assert_int_equal(check(&h, "/api/info"), 0);
	h.cookie = NULL;
	assert_int_equal(check(&h, "/api/info"), 403);
	h.authorization = "Bearer " TOKEN;
	assert_int_equal(check(&h, "/api/info"), 0);
	h.authorization = "Bearer " OTHER;
	assert_int_equal(check(&h, "/api/info"), 403);
	h.authorization = "Bearer " TOKEN "0";
	assert_int_equal(check(&h, "/api/info"), 403);
	h.authorization = "Basic " TOKEN;
	assert_int_equal(check(&h, "/api/info"), 403);
	h.authorization = NULL;
	assert_int_equal(check(&h, "/?token=" TOKEN), 303);
	assert_int_equal(check(&h, "/?token=" OTHER), 403);
	assert_int_equal(check(&h, "/?token="), 403);
	assert_int_equal(check(&h, "/?token=" TOKEN "&x=1"), 403);
	assert_int_equal(check(&h, "/api/info?token=" TOKEN), 403);
	for (const char *const *c = (const char *const[]){"vmmap_4711", "vmmap_4711=", "vmmap_471=" TOKEN, "xvmmap_4711=" TOKEN, "vmmap_4711=" OTHER,
	                                                  "vmmap_4711=" TOKEN "0", ";;;", "", NULL}; *c; c++) {
		h.cookie = *c;
		assert_int_equal(check(&h, "/api/info"), 403);
	}
}

static void test_a_token_for_once(void **state)
{
	struct srv_guard once = guard;
	enum srv_place place;
	struct srv_query q;

	memcpy(once.once, OTHER, sizeof(once.once));
	assert_int_equal(parse(&q, "/?token=" OTHER), 0);
	assert_int_equal(srv_check(&once, &good, &q, &place), 303);
	once.once[0] = '\0';
	assert_int_equal(srv_check(&once, &good, &q, &place), 403);
	/* Nothing sent is not the same as nothing wanted. */
	assert_int_equal(parse(&q, "/?token="), 0);
	assert_int_equal(srv_check(&once, &good, &q, &place), 403);
}

static void test_other_pages_are_kept_out(void **state)
{
	struct srv_headers h = good;

	h.origin = "http://localhost:4711";
	assert_int_equal(check(&h, "/api/info"), 0);
	for (const char *const *o = (const char *const[]){"null", "http://evil.example", "https://localhost:4711", "http://127.0.0.1:4711", "http://localhost:4712",
	                                                  "http://localhost:4711/", "", NULL}; *o; o++) {
		h.origin = *o;
		assert_int_equal(check(&h, "/api/info"), 403);
	}
	h = good;
	for (const char *const *f = (const char *const[]){"cross-site", "same-site", "", "none ", NULL}; *f; f++) {
		h.fetch_site = *f;
		assert_int_equal(check(&h, "/api/info"), 403);
		assert_int_equal(check(&h, "/?token=" TOKEN), 403);
	}
	h.fetch_site = "same-origin";
	assert_int_equal(check(&h, "/api/info"), 0);
	h.fetch_site = "none";
	assert_int_equal(check(&h, "/"), 0);
	h = good;
	h.host = NULL;
	assert_int_equal(check(&h, "/api/info"), 403);
	h.host = "evil.example:4711";
	assert_int_equal(check(&h, "/api/info"), 403);
	h = good;
	h.twice = true;
	assert_int_equal(check(&h, "/api/info"), 403);
}

static void test_methods_places_and_parameters(void **state)
{
	struct srv_headers h = good;

	assert_int_equal(check(&h, "/api"), 404);
	assert_int_equal(check(&h, "/api/info/"), 404);
	assert_int_equal(check(&h, "/../etc/passwd"), 404);
	assert_int_equal(check(&h, "/api/%2e%2e/info"), 404);
	assert_int_equal(check(&h, "/api/look"), 405);
	assert_int_equal(check(&h, "/api/info?n=1"), 400);
	assert_int_equal(check(&h, "/api/snapshot?n=1&raw=1"), 0);
	assert_int_equal(check(&h, "/api/snapshot?n%7craw=1"), 400);
	for (const char *const *m = (const char *const[]){"HEAD", "PUT", "DELETE", "OPTIONS", "get", "", NULL}; *m; m++) {
		h.method = *m;
		assert_int_equal(check(&h, "/api/info"), 405);
	}
	h.method = "POST";
	assert_int_equal(check(&h, "/api/info"), 405);
	assert_int_equal(check(&h, "/?token=" TOKEN), 405);
	assert_int_equal(check(&h, "/api/look"), 415);
	for (const char *const *t = (const char *const[]){"text/plain", "application/jsonx", "application/x-www-form-urlencoded", "", NULL}; *t; t++) {
		h.content_type = *t;
		assert_int_equal(check(&h, "/api/look"), 415);
	}
	h.content_type = "application/json; charset=utf-8";
	assert_int_equal(check(&h, "/api/look"), 0);
	h.content_type = "application/json";
	assert_int_equal(check(&h, "/api/interval"), 0);
	assert_int_equal(check(&h, "/api/file?name=core"), 415);
	h.content_type = "application/octet-stream";
	assert_int_equal(check(&h, "/api/interval"), 415);
	assert_int_equal(check(&h, "/api/file?name=core"), 0);
	assert_int_equal(check(&h, "/api/file?path=core"), 400);
	h.origin = "http://evil.example";
	assert_int_equal(check(&h, "/api/file?name=core"), 403);
	h.origin = NULL;
	h.cookie = NULL;
	assert_int_equal(check(&h, "/api/file?name=core"), 403);
	assert_int_equal(check(&h, "/api/interval"), 403);
}

static bool number(const char *body, uint64_t *ret)
{
	return srv_body_number(body, strlen(body), "ms", ret);
}

static void test_bodies(void **state)
{
	static const char *const wrong[] = {"", "{}", "{\"ms\":}", "{\"ms\":-1}", "{\"ms\":1.5}", "{\"ms\":1,\"x\":2}", "{\"s\":1}", "[1]", "{\"ms\":1}x",
	                                    "{\"ms\":1", "{\"ms\" 1}", "{\"ms\":\"1\"}", "{\"ms\":99999999999999999999}"};
	uint64_t v = 7;

	assert_true(number("{\"ms\":2000}", &v));
	assert_int_equal(v, 2000);
	assert_true(number(" \n{ \"ms\" :\t0 } \r\n", &v));
	assert_int_equal(v, 0);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_false(number(wrong[i], &v));
	assert_int_equal(v, 0);
	assert_true(srv_body_empty("", 0));
	assert_true(srv_body_empty(" { } ", 5));
	assert_false(srv_body_empty("{\"a\":1}", 7));
	assert_false(srv_body_empty("{}}", 3));
	assert_false(srv_body_empty("x", 1));
}

TEST_MAIN(cmocka_unit_test(test_addresses_are_taken_apart), cmocka_unit_test(test_malformed_addresses_are_refused),
          cmocka_unit_test(test_numbers_and_addresses), cmocka_unit_test(test_hosts), cmocka_unit_test(test_who_is_let_in),
          cmocka_unit_test(test_a_token_for_once), cmocka_unit_test(test_other_pages_are_kept_out),
          cmocka_unit_test(test_methods_places_and_parameters), cmocka_unit_test(test_bodies))
