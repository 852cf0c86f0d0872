/*
 * Which requests vmmap serve answers: addresses taken apart and checked, who asks, and from where.
 * Layer: face. Pure: no sockets, no allocation; thread-safe. Everything here comes from the network and may be hostile.
 */
#ifndef VMM_FACE_SERVE_REQUEST_H
#define VMM_FACE_SERVE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmmap/err.h"

#define SRV_URI_MAX 4096       /* bytes of path and query together */
#define SRV_BODY_MAX 4096
#define SRV_PARAMETERS_MAX 16
#define SRV_TOKEN_LENGTH 64    /* hexadecimal digits: 256 random bits */

/* The places there are; srv_place_at() has their paths. */
enum srv_place {
	SRV_PAGE,
	SRV_INFO,
	SRV_PROCESSES,
	SRV_TARGET,
	SRV_FILE,
	SRV_SNAPSHOT,
	SRV_REGIONS,
	SRV_TIMELINE,
	SRV_DIFF,
	SRV_AT,
	SRV_HEAP,
	SRV_CHUNKS,
	SRV_STRINGS,
	SRV_MEMORY,
	SRV_PAGES,
	SRV_EVENTS,
	SRV_LOOK,
	SRV_INTERVAL,
	SRV_GROWTH,
	SRV_PLACE_COUNT
};

struct srv_place_row {
	const char *path;
	bool post;              /* asked with POST, else with GET */
	const char *parameters; /* that it takes, "a|b" */
};
const struct srv_place_row *srv_place_at(enum srv_place place);

/* An address taken apart: percent signs decoded, all of it UTF-8 without control characters. */
struct srv_query {
	const char *path;
	struct {
		const char *name, *value;
	} parameters[SRV_PARAMETERS_MAX];
	size_t count;
	char text[SRV_URI_MAX + 1]; /* what the others point into */
};

/* "/path?a=b&c=d" as it stands in the request line. Returns 0, or the status of the answer: 400, 414. */
int srv_query_parse(struct srv_query *q, const char *uri, size_t length);
/* The value of a parameter, "" where it stands without one; NULL: it is not there. */
const char *srv_query_get(const struct srv_query *q, const char *name);
/* Whether it is there and neither "0" nor "false". */
bool srv_query_flag(const struct srv_query *q, const char *name);
/* Its value as a number: decimal up to most, or hexadecimal behind 0x. otherwise where it is not there. VMM_E_USAGE. */
int srv_query_number(const struct srv_query *q, const char *name, uint64_t otherwise, uint64_t most, uint64_t *ret, struct vmm_err *err);
int srv_query_address(const struct srv_query *q, const char *name, uint64_t otherwise, uint64_t *ret, struct vmm_err *err);

/* What was sent beside the address; NULL: not sent. */
struct srv_headers {
	const char *method, *host, *origin, *fetch_site, *content_type, *cookie, *authorization;
	bool twice; /* one of them stands there more than once */
};

/* Who may come in. */
struct srv_guard {
	char token[SRV_TOKEN_LENGTH + 1];
	char once[SRV_TOKEN_LENGTH + 1]; /* lets one in, once: what stands in a browser's arguments others can see; "": none */
	char cookie[24];       /* name of the cookie */
	uint32_t port;         /* 0: a Unix socket, where every port of this machine's names is right */
	const char *host_name; /* another NAME[:PORT] that may be asked for; NULL: none */
};

/*
 * Whether a request may be answered, and of which place it is: 0, or the status of the answer: 303 (it brought the
 * token: send the cookie), 400 (a parameter that the place does not take, or one twice), 403, 404, 405, 415.
 */
int srv_check(const struct srv_guard *guard, const struct srv_headers *headers, const struct srv_query *q, enum srv_place *ret_place);

/* Takes as long for wrong texts as for right ones. */
bool srv_same_token(const char *token, const char *text, size_t length);
/* "127.0.0.1:4711", "localhost:4711", "[::1]:4711", or the name that was allowed. */
bool srv_host_allowed(const struct srv_guard *guard, const char *host);

/* The number in {"key": 123}, which is all that the body may hold. False: it is something else. */
bool srv_body_number(const char *body, size_t length, const char *key, uint64_t *ret);
/* Nothing, or {}. */
bool srv_body_empty(const char *body, size_t length);

/* Standing text of a status: "not found". */
const char *srv_status_text(int status);

#endif
