/*
 * The network side of vmmap serve: server.c starts libmicrohttpd, http.c takes its requests, client.c
 * knows who is connected. Layer: face; only where there is libmicrohttpd.
 */
#ifndef VMM_FACE_SERVE_HTTP_H
#define VMM_FACE_SERVE_HTTP_H

#include <microhttpd.h>
#include <pthread.h>

#include "face/serve/serve.h"

/* --- client.c --- */

/* What a client is at; how long it may take goes by that. */
enum srv_phase { SRV_PHASE_HEAD, SRV_PHASE_FILE, SRV_PHASE_WORK, SRV_PHASE_SEND, SRV_PHASE_STREAM };

struct srv_client;
struct srv_clients {
	pthread_mutex_t lock; /* libmicrohttpd's thread changes them, the main one sweeps */
	struct srv_client *first;
	int wake_fd; /* becomes readable when a first one has come */
};

/* VMM_E_IO. srv_clients_done() goes with it all the same. */
int srv_clients_init(struct srv_clients *clients, struct vmm_err *err);
void srv_clients_done(struct srv_clients *clients);
/* For MHD_OPTION_NOTIFY_CONNECTION; arg: the clients. */
void srv_clients_notify(void *arg, struct MHD_Connection *c, void **context, enum MHD_ConnectionNotificationCode code);
/* From now on it is at this. */
void srv_client_phase(struct MHD_Connection *c, enum srv_phase phase);
/* Cuts those that are too slow; whether there are any at all. */
bool srv_clients_sweep(struct srv_clients *clients);

/* --- server.c --- */

struct srv_server {
	struct srv_guard guard;
	struct srv_work *work;
	const char *socket;
	struct MHD_Daemon *daemon;
	struct MHD_Response *page;
	int listen_fd;
	bool picker;
	const struct srv_job *sender; /* of a file, one at a time; NULL: none. libmicrohttpd's thread alone */
	uint64_t start_ns;
	struct srv_clients clients;
};

/* --- http.c: callbacks of libmicrohttpd; arg: the server --- */

void *srv_http_address(void *arg, const char *uri, struct MHD_Connection *c);
enum MHD_Result srv_http_request(void *arg, struct MHD_Connection *c, const char *url, const char *method, const char *version,
                                 const char *data, size_t *size, void **context);
void srv_http_completed(void *arg, struct MHD_Connection *c, void **context, enum MHD_RequestTerminationCode code);

#endif
