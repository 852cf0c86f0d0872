/* The requests of vmmap serve: libmicrohttpd takes them in, the worker answers. */
#include "face/serve/serve.h"

#ifdef VMM_HAVE_MICROHTTPD
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/scan.h"
#include "face/serve/http.h"
#include "face/serve/reply.h"

#define ONCE_NS (60 * VMM_SECOND_NS)
#define EVENT_BYTES 16384

/* One request; job is first, so that the worker's pointer is ours. */
struct request {
	struct srv_job job;
	struct srv_server *server;
	struct srv_listener *listener; /* of EVENTS */
	int status;   /* of an address that could not be taken apart */
	bool began, handed, too_large;
};

/* --- answers --- */

/* Queues a response, which goes. */
static enum MHD_Result send_response(struct MHD_Connection *c, int status, struct MHD_Response *response)
{
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	srv_client_phase(c, SRV_PHASE_SEND);
	result = MHD_queue_response(c, (unsigned)status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result send_error(struct MHD_Connection *c, int status)
{
	return send_response(c, status, srv_reply_error(status));
}

static enum MHD_Result send_sign_in(struct srv_server *s, struct MHD_Connection *c)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	char cookie[160];

	/* It has let one in. */
	s->guard.once[0] = '\0';
	snprintf(cookie, sizeof(cookie), "%s=%s; HttpOnly; SameSite=Strict; Path=/", s->guard.cookie, s->guard.token);
	if (response) {
		MHD_add_response_header(response, "Location", "/");
		MHD_add_response_header(response, "Set-Cookie", cookie);
		srv_reply_headers(response, SRV_POLICY_DATA);
	}
	return send_response(c, 303, response);
}

static enum MHD_Result send_page(struct srv_server *s, struct MHD_Connection *c)
{
	srv_client_phase(c, SRV_PHASE_SEND);
	return s->page ? MHD_queue_response(c, 200, s->page) : send_error(c, 404);
}

/* The worker's answer; its text goes with the response. */
static enum MHD_Result send_answer(struct MHD_Connection *c, struct srv_job *job)
{
	char *text = job->text;

	if (!text)
		return send_error(c, job->status == 200 ? 503 : job->status);
	job->text = NULL;
	return send_response(c, job->status, srv_reply_json(text, job->length));
}

/* --- events --- */

static void suspend(void *connection)
{
	MHD_suspend_connection(connection);
}

static ssize_t read_events(void *arg, uint64_t position, char *ret, size_t size)
{
	struct request *r = arg;
	long n = srv_work_take(r->server->work, r->listener, ret, size, suspend);

	(void)position;
	return n < 0 ? MHD_CONTENT_READER_END_OF_STREAM : n;
}

static uint64_t after_of(const struct srv_query *q, const char *last_id)
{
	const char *text = last_id ? last_id : srv_query_get(q, "n");
	struct vmm_scan s = vmm_scan_init(text ? text : "", text ? strlen(text) : 0);
	uint64_t n;

	return vmm_scan_dec(&s, &n) && vmm_scan_done(&s) ? n : 0;
}

static enum MHD_Result start_events(struct srv_server *s, struct MHD_Connection *c, struct request *r)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct MHD_Response *response;
	enum MHD_Result result;

	r->listener = vmm_alloc_hook(NULL, sizeof(*r->listener));
	if (!r->listener)
		return MHD_NO;
	memset(r->listener, 0, sizeof(*r->listener));
	r->listener->connection = c;
	r->listener->fd = info ? info->connect_fd : -1;
	r->listener->after = after_of(&r->job.query, MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Last-Event-ID"));
	if (!srv_work_listen(s->work, r->listener)) {
		free(r->listener);
		r->listener = NULL;
		return send_error(c, 503);
	}
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, EVENT_BYTES, read_events, r, NULL);
	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", "text/event-stream");
	srv_reply_headers(response, SRV_POLICY_DATA);
	result = MHD_queue_response(c, 200, response);
	MHD_destroy_response(response);
	srv_client_phase(c, SRV_PHASE_STREAM);
	return result;
}

/* --- requests --- */

void *srv_http_address(void *arg, const char *uri, struct MHD_Connection *c)
{
	struct request *r = vmm_alloc_hook(NULL, sizeof(*r));

	if (!r)
		return NULL;
	memset(r, 0, sizeof(*r));
	r->server = arg;
	r->job.connection = c;
	r->status = srv_query_parse(&r->job.query, uri, strlen(uri));
	return r;
}

struct collected {
	struct srv_headers *headers;
	const char *length; /* as it was sent; NULL: not */
	bool body;  /* one comes along */
	bool coded; /* in pieces: how long it is nobody says */
};

static enum MHD_Result on_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct collected *k = arg;
	struct srv_headers *h = k->headers;
	const struct {
		const char *name;
		const char **value;
	} wanted[] = {{"Host", &h->host},
	              {"Origin", &h->origin},
	              {"Sec-Fetch-Site", &h->fetch_site},
	              {"Content-Type", &h->content_type},
	              {"Cookie", &h->cookie},
	              {"Authorization", &h->authorization}};

	(void)kind;
	if (strcasecmp(name, "Transfer-Encoding") == 0 || (strcasecmp(name, "Content-Length") == 0 && strcmp(value ? value : "", "0") != 0))
		k->body = true;
	if (strcasecmp(name, "Content-Length") == 0) {
		h->twice |= k->length != NULL;
		k->length = value ? value : "";
	}
	if (strcasecmp(name, "Transfer-Encoding") == 0)
		k->coded = true;
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		if (strcasecmp(name, wanted[i].name) == 0) {
			h->twice |= *wanted[i].value != NULL;
			*wanted[i].value = value ? value : "";
		}
	return MHD_YES;
}

static enum MHD_Result hand_over(struct srv_server *s, struct MHD_Connection *c, struct request *r)
{
	r->handed = true;
	srv_client_phase(c, SRV_PHASE_WORK);
	if (srv_work_add(s->work, &r->job, suspend))
		return MHD_YES;
	return send_error(c, 503);
}

/* Its body goes to the disk as it comes, if it may. */
static enum MHD_Result begin_file(struct srv_server *s, struct MHD_Connection *c, struct request *r, const struct collected *k)
{
	const char *name = srv_query_get(&r->job.query, "name");
	struct vmm_scan scan = vmm_scan_init(k->length ? k->length : "", k->length ? strlen(k->length) : 0);
	struct vmm_err err;
	uint64_t size = 0;
	int status, code;

	if (!s->picker)
		return send_response(c, 403, srv_reply_says(403, "vmmap serve was started for one target: without it, files can be opened"));
	if (!name || !*name || strlen(name) > SRV_FILE_NAME_MAX)
		return send_error(c, 400);
	if (k->coded || !k->length)
		return send_error(c, 411);
	/* What is no number is libmicrohttpd's to refuse; one that does not fit is too large. */
	if (!vmm_scan_dec(&scan, &size) || !vmm_scan_done(&scan))
		return send_error(c, 413);
	if (s->sender)
		return send_error(c, 409);
	code = srv_file_begin(size, &r->job.file, &err);
	if (code < 0) {
		status = code == VMM_E_LIMIT ? 413 : 503;
		return send_response(c, status, srv_reply_says(status, err.text));
	}
	s->sender = &r->job;
	srv_client_phase(c, SRV_PHASE_FILE);
	return MHD_YES;
}

static enum MHD_Result begin(struct srv_server *s, struct MHD_Connection *c, struct request *r, const char *method)
{
	struct srv_headers headers = {.method = method};
	struct collected k = {.headers = &headers};
	int status;

	if (vmm_now_ns() - s->start_ns > ONCE_NS)
		s->guard.once[0] = '\0';
	MHD_get_connection_values(c, MHD_HEADER_KIND, on_header, &k);
	status = r->status ? r->status : srv_check(&s->guard, &headers, &r->job.query, &r->job.place);
	/* Who is not let in learns nothing about the addresses either. */
	if (r->status && srv_check(&s->guard, &headers, &(struct srv_query){.path = "/"}, &r->job.place) == 403)
		status = 403;
	if (status == 303)
		return send_sign_in(s, c);
	if (!status && !srv_place_at(r->job.place)->post && k.body)
		status = 400;
	if (status)
		return send_error(c, status);
	if (r->job.place == SRV_PAGE)
		return send_page(s, c);
	if (r->job.place == SRV_EVENTS)
		return start_events(s, c, r);
	if (r->job.place == SRV_FILE)
		return begin_file(s, c, r, &k);
	return srv_place_at(r->job.place)->post ? MHD_YES : hand_over(s, c, r);
}

/* The next bytes of a body. */
static void take_body(struct srv_server *s, struct MHD_Connection *c, struct request *r, const char *data, size_t size)
{
	if (s->sender == &r->job) {
		srv_file_put(r->job.file, data, size);
		srv_client_phase(c, SRV_PHASE_FILE);
		return;
	}
	r->too_large |= size > SRV_BODY_MAX - r->job.body_length;
	if (r->too_large)
		return;
	memcpy(r->job.body + r->job.body_length, data, size);
	r->job.body_length += size;
}

enum MHD_Result srv_http_request(void *arg, struct MHD_Connection *c, const char *url, const char *method, const char *version,
                                 const char *data, size_t *size, void **context)
{
	struct request *r = *context;
	struct srv_server *s = arg;
	struct vmm_err err;

	(void)url;
	(void)version;
	if (!r)
		return MHD_NO;
	if (!r->began) {
		r->began = true;
		return begin(s, c, r, method);
	}
	if (*size) {
		take_body(s, c, r, data, *size);
		*size = 0;
		return MHD_YES;
	}
	if (r->too_large)
		return send_error(c, 413);
	if (!r->handed && s->sender == &r->job && srv_file_end(r->job.file, &err) < 0)
		return send_response(c, 507, srv_reply_says(507, err.text));
	if (!r->handed)
		return hand_over(s, c, r);
	if (!r->job.done)
		return MHD_YES;
	/* Who has the answer may send the next one. */
	if (s->sender == &r->job)
		s->sender = NULL;
	return send_answer(c, &r->job);
}

void srv_http_completed(void *arg, struct MHD_Connection *c, void **context, enum MHD_RequestTerminationCode code)
{
	struct request *r = *context;
	struct srv_server *s = arg;

	(void)code;
	*context = NULL;
	srv_client_phase(c, SRV_PHASE_HEAD);
	if (!r)
		return;
	if (r->listener)
		srv_work_forget(s->work, r->listener);
	if (r->job.done)
		srv_work_sent(s->work, r->job.length);
	if (s->sender == &r->job)
		s->sender = NULL;
	srv_file_close(r->job.file);
	free(r->listener);
	free(r->job.text);
	free(r);
}
#endif
